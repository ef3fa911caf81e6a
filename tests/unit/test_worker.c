/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker: its loop, the configurations it uses, calls and events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker_fixture.h"

static void test_starts_and_stops(void **state)
{
	struct env *e = make(50);
	uint64_t visits;
	int i;

	vs_worker_stop(e->w); /* it does not run: nothing to do */
	for (i = 0; i < 20; i++) {
		assert_int_equal(vs_worker_start(e->w), 0);
		rounds(e, 2);
		/* The lcore has its worker. */
		assert_int_equal(vs_worker_start(e->w), -EBUSY);
		look_now(e);
		vs_worker_stop(e->w);
		visits = e->dev[0].visits[0];
		wait_a_little();
		assert_int_equal(e->dev[0].visits[0], visits);
		/* It is no reader of anything any more. */
		vs_rcu_synchronize(&e->rcu);
	}
	vs_worker_stop(e->w);
	finish(e);
	vs_worker_free(NULL);
}

/* Between two rounds every pair of every port has been visited as often as any other. */
static void test_rounds_visit_everything_once(void **state)
{
	struct env *e = start(0);
	uint64_t before = 0;
	unsigned int i;
	unsigned int p;
	int k;

	for (k = 0; k < 50; k++) {
		rounds(e, 1);
		look_now(e);
		assert_ptr_equal(e->seen_conf, e->conf);
		assert_true(e->seen[0].visits[0] > before);
		before = e->seen[0].visits[0];
		for (i = 0; i < PORTS; i++) {
			for (p = 0; p < PAIRS; p++)
				assert_int_equal(e->seen[i].visits[p], p < pairs[i] ? before : 0);
			assert_int_equal(e->seen[i].asked, before);
		}
	}
	finish(e);
}

static void test_takes_frames_through_the_pipeline(void **state)
{
	struct env *e = start(0);

	store(&e->dev[0].frames, 1000);
	until(load(&e->dev[0].handed) == 1000);
	look_now(e);
	assert_int_equal(e->seen[0].done, 1000);
	assert_int_equal(e->seen[1].done, 0);
	assert_int_equal(e->stats[ids[0]].received, 1000);
	assert_int_equal(e->stats[ids[0]].drops[VS_DROP_RUNT], 1000);
	finish(e);
}

/* Take a configuration away: afterwards its memory and its devices may be gone. */
static void replace_conf(struct env *e, struct vs_conf *next, struct dev *gone)
{
	struct vs_conf *old = e->conf;

	vs_worker_publish(e->w, next);
	e->conf = next;
	vs_rcu_synchronize(&e->rcu);
	store(&gone->retired, 1);
	memset(old, 0xa5, sizeof(*old));
	free(old);
}

static void test_old_configuration_is_let_go(void **state)
{
	static const unsigned int naps[] = {0, 200};
	unsigned int n;
	int i;

	for (n = 0; n < 2; n++) {
		struct env *e = start(naps[n]);

		for (i = 0; i < 500; i++) {
			struct dev *gone = &e->dev[i % PORTS];
			struct vs_conf *next = full_conf(e);

			/* A configuration without this port, then one with it. */
			next->n_ports = 0;
			next->work[0].n = 0;
			put_port(next, &e->dev[(i + 1) % PORTS], ids[(i + 1) % PORTS], 1);
			replace_conf(e, next, gone);
			assert_int_equal(vs_worker_call(e->w, look, e), 0);
			assert_ptr_equal(e->seen_conf, next);
			store(&gone->retired, 0);
		}
		for (i = 0; i < PORTS; i++)
			assert_int_equal(e->dev[i].trespass, 0);
		finish(e);
	}
}

static void *synchronize(void *arg)
{
	struct env *e = arg;

	vs_rcu_synchronize(&e->rcu);
	store(&e->ran, 100);
	return NULL;
}

static void test_grace_period_waits_for_the_round(void **state)
{
	struct env *e = start(0);
	struct vs_conf *old = e->conf;
	pthread_t thread;
	int i;

	rounds(e, 1);
	store(&e->hold, 1);
	until(load(&e->held));
	e->conf = full_conf(e);
	vs_worker_publish(e->w, e->conf);
	assert_int_equal(pthread_create(&thread, NULL, synchronize, e), 0);
	for (i = 0; i < 50; i++) {
		assert_int_equal(load(&e->ran), 0);
		wait_a_little();
	}
	store(&e->hold, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(load(&e->ran), 100);
	free(old);
	rounds(e, 2);
	finish(e);
}

/* A worker that sleeps most of the time does not keep control waiting. */
static void test_grace_period_does_not_wait_for_a_sleeper(void **state)
{
	struct env *e = start(20000);
	uint64_t from;
	int i;

	rounds(e, 3);
	from = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < 200; i++)
		vs_rcu_synchronize(&e->rcu);
	/* 4 s if each waited for a nap. */
	assert_true(now_ns(CLOCK_MONOTONIC) - from < 1000000000u);
	finish(e);
}

static void test_call_runs_on_the_worker(void **state)
{
	struct env *e = start(50);
	uint32_t i;

	for (i = 1; i <= 200; i++) {
		look_now(e);
		assert_int_equal(e->ran, i);
		assert_false(pthread_equal(e->ran_on, pthread_self()));
	}
	finish(e);
}

static void test_call_without_a_worker(void **state)
{
	struct env *e = make(50);

	assert_int_equal(vs_worker_call(e->w, look, e), -ESRCH);
	assert_int_equal(vs_worker_start(e->w), 0);
	look_now(e);
	vs_worker_stop(e->w);
	assert_int_equal(vs_worker_call(e->w, look, e), -ESRCH);
	assert_int_equal(e->ran, 1);
	finish(e);
}

static void must_not_run(struct vs_ctx *ctx, void *arg)
{
	struct env *e = arg;

	store(&e->ran, 1000);
}

static void test_call_gives_up(void **state)
{
	struct env *e = start(0);
	uint64_t took;

	rounds(e, 1);
	store(&e->hold, 1);
	until(load(&e->held));
	took = now_ns(CLOCK_MONOTONIC);
	assert_int_equal(vs_worker_call(e->w, must_not_run, e), -ETIMEDOUT);
	took = now_ns(CLOCK_MONOTONIC) - took;
	assert_in_range(took, 900000000u, 5000000000u);
	store(&e->hold, 0);
	rounds(e, 10);
	assert_int_equal(load(&e->ran), 0);
	look_now(e);
	assert_int_equal(load(&e->ran), 1);
	finish(e);
}

static void test_what_a_worker_tells_of_itself(void **state)
{
	struct env *e = start(0);
	struct vs_worker_stats stats;

	assert_int_equal(vs_worker_config(e->w)->lcore, WORKER_LCORE);
	store(&e->dev[0].frames, 100);
	until(load(&e->dev[0].handed) == 100);
	look_now(e);
	vs_worker_stop(e->w);
	vs_worker_stats(e->w, &stats);
	assert_int_equal(stats.frames, 100);
	assert_int_equal(stats.rounds, e->dev[0].visits[0]);
	assert_int_equal(stats.naps, 0);
	assert_int_equal(stats.tsc_hz, rte_get_tsc_hz());
	assert_true(stats.busy_cycles > 0 && stats.busy_cycles < stats.total_cycles);
	/* It counts from its start. */
	assert_int_equal(vs_worker_start(e->w), 0);
	look_now(e);
	vs_worker_stats(e->w, &stats);
	assert_int_equal(stats.frames, 0);
	finish(e);

	e = start(200);
	rounds(e, 50);
	vs_worker_stats(e->w, &stats);
	assert_true(stats.naps > 0 && stats.naps <= stats.rounds);
	finish(e);
}

/* Runs on the worker, so that the next round finds all of it at once. */
static void break_all(struct vs_ctx *ctx, void *arg)
{
	struct env *e = arg;
	unsigned int i;

	for (i = 0; i < PORTS; i++)
		store(&e->dev[i].pending, 1);
}

static uint64_t rings_of(int bell)
{
	uint64_t n = 0;

	return read(bell, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

static void test_faults_and_the_bell(void **state)
{
	struct env *e = start(0);
	struct vs_event_ring *events = &vs_worker_ctx(e->w)->events;
	struct pollfd bell = {.fd = events->bell, .events = POLLIN};
	struct vs_event ev[8];
	unsigned int i;
	int k;

	for (k = 0; k < 20; k++) {
		rounds(e, 3);
		assert_int_equal(rings_of(events->bell), 0);
		assert_int_equal(vs_worker_call(e->w, break_all, e), 0);
		assert_int_equal(poll(&bell, 1, 10000), 1);
		rounds(e, 3);
		/* Three events in one round, and one ring of the bell, long ago. */
		assert_int_equal(rings_of(events->bell), 1);
		assert_int_equal(vs_event_pop(events, ev, 8), PORTS);
		for (i = 0; i < PORTS; i++) {
			assert_int_equal(ev[i].type, VS_EVENT_FAULT);
			assert_int_equal(ev[i].port, ids[i]);
		}
	}
	assert_int_equal(load(&events->lost), 0);
	finish(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts_and_stops),
		cmocka_unit_test(test_rounds_visit_everything_once),
		cmocka_unit_test(test_takes_frames_through_the_pipeline),
		cmocka_unit_test(test_old_configuration_is_let_go),
		cmocka_unit_test(test_grace_period_waits_for_the_round),
		cmocka_unit_test(test_grace_period_does_not_wait_for_a_sleeper),
		cmocka_unit_test(test_call_runs_on_the_worker),
		cmocka_unit_test(test_call_without_a_worker),
		cmocka_unit_test(test_call_gives_up),
		cmocka_unit_test(test_what_a_worker_tells_of_itself),
		cmocka_unit_test(test_faults_and_the_bell),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
