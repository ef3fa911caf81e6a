/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker: when it sleeps, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker_fixture.h"

/* CPU time, wall time and sleeps of an idle worker for some rounds. */
static void watch_idle(struct env *e, uint64_t n, uint64_t *ret_rounds, uint64_t *ret_cpu_ns,
		       uint64_t *ret_wall_ns, long *ret_sleeps)
{
	uint64_t visits;

	look_now(e);
	visits = e->seen[0].visits[0];
	*ret_cpu_ns = e->cpu_ns;
	*ret_wall_ns = e->wall_ns;
	*ret_sleeps = e->sleeps;
	rounds(e, n);
	look_now(e);
	*ret_rounds = e->seen[0].visits[0] - visits;
	*ret_cpu_ns = e->cpu_ns - *ret_cpu_ns;
	*ret_wall_ns = e->wall_ns - *ret_wall_ns;
	*ret_sleeps = e->sleeps - *ret_sleeps;
}

static void test_idle_worker_sleeps(void **state)
{
	struct env *e = start(2000);
	uint64_t went_round;
	uint64_t wall_ns;
	uint64_t cpu_ns;
	long sleeps;
	long from;

	look_now(e);
	from = e->sleeps;
	do
		look_now(e); /* until it has been idle for long enough */
	while (e->sleeps < from + 2);
	watch_idle(e, 30, &went_round, &cpu_ns, &wall_ns, &sleeps);
	/* One nap a round. */
	assert_true((uint64_t)sleeps >= went_round - 2);
	assert_true(wall_ns >= 29 * UINT64_C(2000000));
	assert_true(cpu_ns < wall_ns / 4);

	/* It wakes up by itself, and a busy one does not sleep. */
	store(&e->dev[0].frames, 1u << 30);
	until(load(&e->dev[0].handed) > 0);
	watch_idle(e, 1000, &went_round, &cpu_ns, &wall_ns, &sleeps);
	assert_true((uint64_t)sleeps < went_round / 100);
	finish(e);
}

/* The shortest of the newest times between two rounds. */
static uint64_t shortest_gap(struct env *e)
{
	uint64_t shortest = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < GAPS; i++)
		shortest = RTE_MIN(shortest, load(&e->dev[0].gap[i]));
	return shortest;
}

/* After a second without a frame a nap is ten times as long, until one comes. */
static void test_long_idle_worker_sleeps_longer(void **state)
{
	uint64_t from = now_ns(CLOCK_MONOTONIC);
	struct env *e = start(1000);
	uint64_t ms = rte_get_tsc_hz() / 1000;

	until(shortest_gap(e) >= 10 * ms);
	assert_true(now_ns(CLOCK_MONOTONIC) - from >= 900000000u);
	store(&e->dev[0].frames, 1);
	until(load(&e->dev[0].handed) == 1);
	rounds(e, GAPS);
	until(shortest_gap(e) < 10 * ms);
	until(shortest_gap(e) >= 10 * ms);
	finish(e);
}

static void test_without_naps_it_polls(void **state)
{
	struct env *e = start(0);
	uint64_t went_round;
	uint64_t wall_ns;
	uint64_t cpu_ns;
	long sleeps;

	watch_idle(e, 2000, &went_round, &cpu_ns, &wall_ns, &sleeps);
	assert_true((uint64_t)sleeps < went_round / 100);
	finish(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_worker_sleeps),
		cmocka_unit_test(test_long_idle_worker_sleeps_longer),
		cmocka_unit_test(test_without_naps_it_polls),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
