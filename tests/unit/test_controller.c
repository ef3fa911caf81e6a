/* SPDX-License-Identifier: BSD-3-Clause */
/* The limits of the controller of dynamic VMQ, on small worlds made by hand. */
#include "tests/unit/controller_sim.h"

/* Ticks until the first move, or 0: none in @most. */
static unsigned int until_move(unsigned int most)
{
	unsigned int i;

	for (i = 1; i <= most; i++) {
		if (sim_tick())
			return i;
	}
	return 0;
}

/* Above 70 % for three ticks, and not at 70 %, and not after two. */
static void test_spread_limit(void **state)
{
	sim_start(2, 2);
	sim.wants[0] = 40 * PERCENT;
	sim.wants[1] = 30 * PERCENT;
	assert_int_equal(until_move(100), 0);
	sim.wants[1] = 30 * PERCENT + 1;
	assert_int_equal(until_move(100), 3);
	assert_int_equal(sim.move.why, VS_MOVE_SPREAD);
	assert_int_equal(sim.move.ticks, 3);
	assert_int_equal(sim.move.to, 1);
	assert_in_range(sim.move.from_load, 70 * PERCENT - 5, 70 * PERCENT + 5);
	/* Two ticks above, one below, again and again. */
	sim_start(2, 2);
	sim.constant = false;
	for (unsigned int i = 0; i < 300; i++) {
		sim.wants[0] = sim.wants[1] = (i % 3 == 2 ? 34 : 45) * PERCENT;
		assert_false(sim_tick());
	}
}

/* Below 30 % for twenty ticks, and not at 30 %, and not after nineteen. */
static void test_fold_limit(void **state)
{
	sim_start(2, 2);
	sim.at[1] = 1;
	sim.wants[0] = 30 * PERCENT;
	sim.wants[1] = 30 * PERCENT;
	assert_int_equal(until_move(100), 0);
	sim.wants[1] = 30 * PERCENT - 1;
	assert_int_equal(until_move(100), 20);
	assert_int_equal(sim.move.why, VS_MOVE_FOLD);
	assert_int_equal(sim.move.ticks, 20);
	assert_int_equal(sim.move.from, 1);
	assert_int_equal(sim.move.to, 0);
	/* Nineteen below, one not. */
	sim_start(2, 2);
	sim.constant = false;
	sim.at[1] = 1;
	for (unsigned int i = 0; i < 400; i++) {
		sim.wants[0] = sim.wants[1] = (i % 20 == 19 ? 30 : 20) * PERCENT;
		assert_false(sim_tick());
	}
}

/* One queue that is too much for a worker, and others that cannot help. */
static void test_no_better(void **state)
{
	sim_start(4, 1);
	sim.wants[0] = 300 * PERCENT;
	assert_int_equal(until_move(100), 0);
	assert_int_equal(sim.worker[0].stay, VS_STAY_NO_BETTER);
	/* Two of them, on a worker each: a third worker changes nothing. */
	sim_start(3, 2);
	sim.at[1] = 1;
	sim.wants[0] = sim.wants[1] = 95 * PERCENT;
	assert_int_equal(until_move(100), 0);
	/* All are full. */
	sim_start(2, 4);
	sim.at[2] = sim.at[3] = 1;
	for (unsigned int i = 0; i < 4; i++)
		sim.wants[i] = 47 * PERCENT;
	assert_int_equal(until_move(100), 0);
	assert_int_equal(sim.worker[1].stay, VS_STAY_NO_BETTER);
	/* The other one would be no less full, but for 4 %. */
	sim_start(2, 3);
	sim.at[2] = 1;
	sim.wants[0] = 68 * PERCENT;
	sim.wants[1] = 4 * PERCENT;
	sim.wants[2] = 64 * PERCENT;
	assert_int_equal(until_move(100), 0);
	sim.wants[2] = 62 * PERCENT;
	assert_int_not_equal(until_move(100), 0);
	/* A worker alone. */
	sim_start(1, 3);
	sim.wants[0] = sim.wants[1] = 50 * PERCENT;
	assert_int_equal(until_move(100), 0);
}

/* Three workers with a queue each. */
static void start_three(unsigned int a, unsigned int b, unsigned int c)
{
	sim_start(3, 3);
	sim.at[1] = 1;
	sim.at[2] = 2;
	sim.wants[0] = a * PERCENT;
	sim.wants[1] = b * PERCENT;
	sim.wants[2] = c * PERCENT;
}

/* The queue that helps most goes to the worker that has the least to do. */
static void test_best(void **state)
{
	sim_start(4, 7);
	sim.wants[0] = 10 * PERCENT;
	sim.wants[1] = 44 * PERCENT;
	sim.wants[2] = 25 * PERCENT;
	sim.at[4] = 1;
	sim.wants[4] = 40 * PERCENT;
	sim.at[5] = 2;
	sim.wants[5] = 28 * PERCENT;
	sim.at[6] = 3;
	sim.wants[6] = 35 * PERCENT;
	/* 79 % and 28 %: with 25 % it is 54 % and 53 %, with 44 % it would be 35 % and 72 %. */
	assert_int_equal(until_move(10), 3);
	assert_int_equal(sim.move.queue, 2);
	assert_int_equal(sim.move.to, 2);
	/* Folding: the emptiest into the fullest that has room for all of it. */
	sim_start(4, 4);
	for (unsigned int i = 0; i < 4; i++)
		sim.at[i] = i;
	sim.wants[0] = 50 * PERCENT;
	sim.wants[1] = 45 * PERCENT;
	sim.wants[2] = 31 * PERCENT;
	sim.wants[3] = 14 * PERCENT;
	assert_int_equal(until_move(30), 20);
	assert_int_equal(sim.move.queue, 3);
	assert_int_equal(sim.move.to, 1);
	start_three(20, 12, 8);
	assert_int_equal(until_move(30), 20);
	assert_int_equal(sim.move.from, 2);
	assert_int_equal(sim.move.to, 0);
	/* Nobody has room. */
	start_three(40, 40, 25);
	assert_int_equal(until_move(100), 0);
}

/* A worker is emptied one queue a tick, and its idle queues stay. */
static void test_empties(void **state)
{
	sim_start(2, 12);
	sim.wants[0] = 31 * PERCENT;
	for (unsigned int i = 1; i < 11; i++) {
		sim.at[i] = 1;
		sim.wants[i] = 2 * PERCENT + i;
	}
	sim.at[11] = 1;
	assert_int_equal(until_move(30), 20);
	assert_int_equal(sim.move.queue, 10);
	for (unsigned int i = 0; i < 9; i++)
		assert_true(sim_tick());
	assert_int_equal(until_move(300), 0);
	assert_int_equal(sim.folds, 10);
	assert_int_equal(sim.at[11], 1);
}

/* Two hot workers, one move a tick: the other one waits, and is helped next. */
static void test_one_a_tick(void **state)
{
	sim_start(4, 7);
	sim.at[3] = sim.at[4] = sim.at[5] = 1;
	for (unsigned int i = 0; i < 6; i++)
		sim.wants[i] = 25 * PERCENT + i;
	sim.at[6] = 3;
	sim.wants[6] = 15 * PERCENT;
	assert_int_equal(until_move(10), 3);
	assert_int_equal(sim.move.from, 1);
	assert_int_equal(sim.move.to, 2);
	assert_int_equal(sim.worker[0].stay, VS_STAY_LAST);
	/* What is on its way counts where it goes. */
	assert_true(sim_tick());
	assert_int_equal(sim.move.from, 0);
	assert_int_equal(sim.move.to, 3);
	/* Still hot: it is looked at for three ticks again. */
	sim_start(3, 4);
	for (unsigned int i = 0; i < 4; i++)
		sim.wants[i] = 45 * PERCENT;
	assert_int_equal(until_move(10), 3);
	assert_int_equal(until_move(10), 3);
}

/* The worker beside the control thread gets nothing while there is another one, and may give. */
static void test_control(void **state)
{
	sim_start(3, 4);
	sim.on_control[0] = true;
	for (unsigned int i = 0; i < 4; i++)
		sim.wants[i] = 30 * PERCENT;
	assert_int_equal(until_move(10), 3);
	for (unsigned int i = 0; i < 200; i++)
		(void)sim_tick();
	assert_true(sim_wanted(0) <= 60 * PERCENT);
	/* Two, and all is on the one that is elsewhere: there it stays. */
	sim_start(2, 4);
	sim.on_control[0] = true;
	for (unsigned int i = 0; i < 4; i++) {
		sim.at[i] = 1;
		sim.wants[i] = 24 * PERCENT;
	}
	assert_int_equal(until_move(200), 0);
	/* Folded, it goes from there to the other, whatever has less to do. */
	sim_start(2, 2);
	sim.on_control[0] = true;
	sim.at[1] = 1;
	sim.wants[0] = 20 * PERCENT;
	sim.wants[1] = 10 * PERCENT;
	assert_int_equal(until_move(100), 20);
	assert_int_equal(sim.move.to, 1);
	/* Where all are beside it there is no other. */
	sim_start(2, 2);
	sim.on_control[0] = sim.on_control[1] = true;
	sim.wants[0] = sim.wants[1] = 40 * PERCENT;
	assert_int_equal(until_move(10), 3);
}

/* What was placed by hand, or is no queue of its own, stays; others make room for it. */
static void test_fixed(void **state)
{
	sim_start(2, 3);
	sim.fixed[0] = sim.fixed[1] = true;
	sim.wants[0] = sim.wants[1] = 45 * PERCENT;
	assert_int_equal(until_move(100), 0);
	assert_int_equal(sim.worker[0].stay, VS_STAY_FIXED);
	sim.wants[2] = 10 * PERCENT;
	assert_int_not_equal(until_move(100), 0);
	assert_int_equal(sim.move.queue, 2);
	/* A worker that could not sleep anyway is not emptied, but may be filled. */
	sim_start(2, 3);
	sim.at[1] = sim.at[2] = 1;
	sim.fixed[1] = true;
	sim.wants[0] = 20 * PERCENT;
	sim.wants[1] = sim.wants[2] = 5 * PERCENT;
	assert_int_equal(until_move(100), 20);
	assert_int_equal(sim.move.queue, 0);
	assert_int_equal(sim.move.to, 1);
}

/* What somebody else moved stays a second where it was put, and counts begin anew. */
static void test_by_hand(void **state)
{
	sim_start(2, 2);
	sim.at[1] = 1;
	sim.wants[0] = sim.wants[1] = 45 * PERCENT;
	assert_int_equal(until_move(50), 0);
	sim_by_hand(1, 0);
	/* The tick that sees it does not count. */
	assert_int_equal(until_move(50), 4);
	assert_int_equal(sim.move.queue, 0);
	/* Both came just now. */
	sim_start(2, 2);
	sim.at[0] = sim.at[1] = 1;
	(void)sim_tick();
	sim_by_hand(0, 0);
	sim_by_hand(1, 0);
	sim.wants[0] = sim.wants[1] = 45 * PERCENT;
	for (unsigned int i = 0; i < 10; i++)
		assert_false(sim_tick());
	assert_int_equal(sim.worker[0].stay, VS_STAY_RECENT);
	assert_true(sim_tick());
}

/* A move that the caller could not make is tried again after a second, and not sooner. */
static void test_refused(void **state)
{
	sim_start(2, 2);
	sim.wants[0] = sim.wants[1] = 45 * PERCENT;
	sim.refuse = true;
	assert_int_equal(until_move(10), 3);
	sim.refuse = false;
	sim.last[sim.move.queue] = sim.now + VS_PLACE_TICK_MS;
	assert_int_not_equal(until_move(20), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spread_limit), cmocka_unit_test(test_fold_limit),
		cmocka_unit_test(test_no_better),    cmocka_unit_test(test_best),
		cmocka_unit_test(test_empties),      cmocka_unit_test(test_one_a_tick),
		cmocka_unit_test(test_control),      cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_by_hand),      cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
