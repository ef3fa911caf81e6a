/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/controller_sim.h"

struct sim sim;

void sim_start(unsigned int n_workers, unsigned int n_queues)
{
	unsigned int i;

	memset(&sim, 0, sizeof(sim));
	sim.n_workers = n_workers;
	sim.n_queues = n_queues;
	sim.constant = true;
	for (i = 0; i < n_queues; i++) {
		sim.last[i] = NEVER;
		sim.list[i] = &sim.queue[i];
	}
}

/* A worker shares itself out evenly; who wants less than its share leaves the rest to others. */
static double serve(unsigned int worker)
{
	double left = VS_LOAD_ONE;
	unsigned int hungry = 0;
	unsigned int i;
	bool again = true;

	for (i = 0; i < sim.n_queues; i++) {
		if (sim.at[i] != worker)
			continue;
		sim.got[i] = -1;
		hungry++;
	}
	while (hungry && again) {
		double share = left / hungry;

		again = false;
		for (i = 0; i < sim.n_queues; i++) {
			if (sim.at[i] != worker || sim.got[i] >= 0 || sim.wants[i] > share)
				continue;
			sim.got[i] = sim.wants[i];
			left -= sim.wants[i];
			hungry--;
			again = true;
		}
	}
	for (i = 0; i < sim.n_queues; i++) {
		if (sim.at[i] == worker && sim.got[i] < 0)
			sim.got[i] = left / hungry;
	}
	return hungry ? VS_LOAD_ONE : VS_LOAD_ONE - left;
}

double sim_wanted(unsigned int worker)
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < sim.n_queues; i++)
		sum += sim.at[i] == worker ? sim.wants[i] : 0;
	return sum;
}

static double load_before(unsigned int worker, unsigned int ticks)
{
	return sim.load[worker][(sim.ticks - ticks) % HISTORY];
}

/* ---- what is true of each move */

static void judge_reason(const struct vs_move *move)
{
	unsigned int i;

	switch (move->why) {
	case VS_MOVE_SPREAD:
		sim.spreads++;
		assert_true(sim.ticks >= 3);
		for (i = 0; i < 3; i++)
			assert_true(load_before(move->from, i) > 70 * PERCENT - 2);
		assert_true(move->from_load > move->to_load);
		break;
	case VS_MOVE_FOLD:
		sim.folds++;
		assert_true(sim.ticks >= 20);
		for (i = 0; i < 20; i++)
			assert_true(load_before(move->from, i) < 30 * PERCENT + 2);
		assert_true(load_before(move->to, 0) + sim.got[move->queue] <= 70 * PERCENT);
		break;
	default:
		fail_msg("a reason of its own: %d", move->why);
	}
}

static void judge(const struct vs_move *move)
{
	unsigned int others = 0;
	unsigned int i;

	assert_true(move->queue < sim.n_queues && move->to < sim.n_workers);
	assert_int_equal(move->from, sim.at[move->queue]);
	assert_int_not_equal(move->from, move->to);
	assert_false(sim.fixed[move->queue]);
	/* Not again within a second, wherever to. */
	assert_true(sim.now - sim.last[move->queue] >= 1000);
	for (i = 0; i < sim.n_workers; i++)
		others += !sim.on_control[i];
	assert_true(!sim.on_control[move->to] || others == 0);
	assert_true(sim.got[move->queue] > 0 || !sim.constant);
	assert_true(move->ticks > 0 && move->queue_load > 0);
	judge_reason(move);
}

bool sim_tick(void)
{
	struct vs_controller_input in = {
		.elapsed = ELAPSED,
		.worker = sim.worker,
		.n_workers = sim.n_workers,
		.queue = sim.list,
		.n_queues = sim.n_queues,
	};
	bool moved;
	unsigned int i;

	sim.now += VS_PLACE_TICK_MS;
	sim.ticks++;
	for (i = 0; i < sim.n_workers; i++) {
		double load = serve(i);

		sim.load[i][sim.ticks % HISTORY] = load;
		sim.worker[i].busy = (uint64_t)(load * ELAPSED / VS_LOAD_ONE + 0.5);
		sim.worker[i].on_control = sim.on_control[i];
	}
	for (i = 0; i < sim.n_queues; i++) {
		sim.queue[i].busy = (uint64_t)(sim.got[i] * ELAPSED / VS_LOAD_ONE + 0.5);
		sim.queue[i].worker = (uint16_t)sim.at[i];
		sim.queue[i].hold = sim.fixed[i] ? VS_QUEUE_FIXED : VS_QUEUE_FREE;
	}
	in.now_ms = (uint64_t)sim.now;
	moved = vs_controller_tick(&in, &sim.move);
	if (moved) {
		judge(&sim.move);
		if (sim.refuse)
			return true;
		sim.at[sim.move.queue] = sim.move.to;
		sim.last[sim.move.queue] = sim.now;
		sim.moves++;
		sim.quiet_since = sim.now;
	}
	/* One at a time: it thinks of no queue that it is elsewhere. */
	for (i = 0; i < sim.n_queues; i++)
		assert_int_equal(sim.queue[i].at, sim.at[i]);
	return moved;
}

void sim_by_hand(unsigned int queue, unsigned int to)
{
	if (sim.at[queue] == to)
		return;
	sim.at[queue] = to;
	sim.last[queue] = sim.now + VS_PLACE_TICK_MS; /* seen by the next tick */
}
