/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The controller of dynamic VMQ on generated traces: loads that stay the same, that change all the
 * time, and that somebody chooses who wants queues to move.
 */
#include "tests/unit/controller_sim.h"

static uint64_t seed_state;

static unsigned int below(unsigned int n)
{
	seed_state = seed_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned int)(seed_state >> 33) % n;
}

static void start_random(unsigned int seed)
{
	unsigned int n_workers;
	unsigned int i;

	seed_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	n_workers = 2 + below(seed % 3 ? 15 : WORKERS - 1);
	sim_start(n_workers, 1 + below(seed % 2 ? 40 : QUEUES));
	for (i = 0; i < sim.n_queues; i++) {
		sim.at[i] = below(seed % 5 ? n_workers : 1);
		sim.fixed[i] = below(10) == 0;
	}
	if (seed % 4 == 0)
		sim.on_control[below(n_workers)] = true;
	print_message("# seed %u: %u workers, %u queues\n", seed, n_workers, sim.n_queues);
}

/* Is there a queue whose move would make the worker, which is hot, clearly less full? */
static bool could_spread(unsigned int from)
{
	unsigned int i;
	unsigned int to;
	double full = sim_wanted(from);

	for (i = 0; i < sim.n_queues; i++) {
		if (sim.at[i] != from || sim.fixed[i] || sim.wants[i] < 2)
			continue;
		for (to = 0; to < sim.n_workers; to++) {
			if (to == from || sim.on_control[to])
				continue;
			/* Both below full: what was measured is what they want. */
			if (full <= VS_LOAD_ONE &&
			    sim_wanted(to) + sim.wants[i] < full - 5 * PERCENT - SLACK)
				return true;
		}
	}
	return false;
}

/* Could the worker, which is cold, be emptied into another one? */
static bool could_fold(unsigned int from)
{
	double load = sim_wanted(from);
	unsigned int i;

	for (i = 0; i < sim.n_queues; i++) {
		if (sim.at[i] == from && sim.wants[i] > 0 && sim.fixed[i])
			return false;
	}
	for (i = 0; load > VS_LOAD_IDLE + SLACK && i < sim.n_workers; i++) {
		if (i != from && !sim.on_control[i] && sim_wanted(i) > VS_LOAD_IDLE + SLACK &&
		    sim_wanted(i) + load < VS_FOLD_FULL - SLACK)
			return true;
	}
	return false;
}

/* Loads that stay the same: an end is found, and it is a good one. */
static void test_converges(void **state)
{
	unsigned int seed;

	for (seed = 1; seed <= 60; seed++) {
		unsigned int most;
		unsigned int i;

		start_random(seed);
		/* From nearly idle to more than all workers can do. */
		most = 200 * PERCENT * sim.n_workers / sim.n_queues * (1 + seed % 3) / 2;
		for (i = 0; i < sim.n_queues; i++)
			sim.wants[i] = below(4) ? below(most / (1 + seed % 7) + 1) : 0;
		for (i = 0; i < 3000; i++)
			(void)sim_tick();
		/* Nothing in the last two minutes, and not many before. */
		assert_true(sim.now - sim.quiet_since > 120 * 1000);
		assert_true(sim.moves <= 3 * sim.n_queues);
		for (i = 0; i < sim.n_workers; i++) {
			double load = sim_wanted(i);

			assert_false(load > VS_SPREAD_LOAD + SLACK && could_spread(i));
			assert_false(load < VS_FOLD_LOAD - SLACK && could_fold(i));
		}
	}
}

/* If there is room for all, with some to spare, each queue gets what it wants. */
static void test_serves(void **state)
{
	unsigned int seed;

	for (seed = 1; seed <= 30; seed++) {
		double sum = 0;
		unsigned int i;

		start_random(seed);
		memset(sim.fixed, 0, sizeof(sim.fixed));
		memset(sim.on_control, 0, sizeof(sim.on_control));
		for (i = 0; i < sim.n_queues && sum < 50.0 * PERCENT * sim.n_workers; i++) {
			/* All on one worker. */
			sim.at[i] = 0;
			sim.wants[i] = 1 + below(25 * PERCENT);
			sum += sim.wants[i];
		}
		for (; i < sim.n_queues; i++)
			sim.at[i] = 0;
		for (i = 0; i < 3000; i++)
			(void)sim_tick();
		for (i = 0; i < sim.n_queues; i++)
			assert_true(sim.got[i] >= sim.wants[i] - 1);
	}
}

/* Loads that change all the time, in jumps and in steps: every move is judged. */
static void test_restless(void **state)
{
	unsigned int seed;

	for (seed = 101; seed <= 130; seed++) {
		unsigned int i;
		unsigned int t;

		start_random(seed);
		sim.constant = false;
		for (t = 0; t < 2000; t++) {
			for (i = 0; i < sim.n_queues; i++) {
				if (below(seed % 2 ? 10 : 300) == 0)
					sim.wants[i] = below(3) ? below(60 * PERCENT) : 0;
			}
			if (below(50) == 0)
				sim_by_hand(below(sim.n_queues), below(sim.n_workers));
			(void)sim_tick();
		}
	}
}

/* Somebody who knows the rules, and wants queues to move: sends when its queue has just arrived. */
static void test_provoked(void **state)
{
	unsigned int t;

	sim_start(2, 4);
	sim.constant = false;
	for (t = 0; t < 6000; t++) {
		bool hot = t % 24 < 4;
		unsigned int i;

		for (i = 0; i < 4; i++)
			sim.wants[i] = (hot ? 45 : 2) * PERCENT;
		(void)sim_tick();
	}
	/* Each stays for a second; ten minutes have 600. */
	assert_true(sim.moves <= 4 * 600);
	assert_true(sim.moves > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_converges),
		cmocka_unit_test(test_serves),
		cmocka_unit_test(test_restless),
		cmocka_unit_test(test_provoked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
