/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The self-test of a dpdk uplink over a ring that gives back what was sent, with a thread as its
 * worker. The ring does nothing for a frame: what it is made to claim here, it does not do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dpdk_port.h"

#include <pthread.h>

static const struct rte_ether_addr nobody;

/* A worker, which sends numbered frames and gets them back. */
struct worker {
	struct fixture *f;
	pthread_t thread;
	int stop;
	int polls; /* 0: it does not visit the port */
	uint64_t sent;
	uint64_t got;
	uint64_t wrong; /* frames that are none of its own, or not the next one */
};

static struct vs_burst worker_burst;
static struct frame worker_frame;

static void number(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void work_once(struct worker *w)
{
	uint64_t value;
	unsigned int i;

	/* As much as is back, so that the ring is never full. */
	if (w->sent - w->got < 64) {
		number(worker_frame.bytes + 20, w->sent);
		if (send_one(w->f->dpdk, &worker_frame.pkt) == VS_DROP_NONE)
			w->sent++;
	}
	receive(w->f->dpdk, &worker_burst, 1);
	for (i = 0; i < worker_burst.n; i++) {
		memcpy(&value, worker_burst.pkt[i].hdr + 20, sizeof(value));
		w->wrong += value != w->got;
		w->got++;
	}
	done(w->f->dpdk);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	vs_mem_begin();
	vs_rcu_online(&w->f->rcu, 0);
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		vs_rcu_report(&w->f->rcu, 0, vs_rcu_token(&w->f->rcu));
		if (__atomic_load_n(&w->polls, __ATOMIC_RELAXED))
			work_once(w);
	}
	/* What is on its way. */
	while (w->got < w->sent)
		work_once(w);
	vs_rcu_offline(&w->f->rcu, 0);
	return NULL;
}

static void begin(struct fixture *f, struct worker *w, unsigned int caps, bool verifies)
{
	f->dpdk = make(f, "net_ring0", 0);
	f->dpdk->plan.caps = (uint16_t)(caps | VS_OFFLOAD_PLAIN);
	f->dpdk->plan.verifies = verifies;
	vs_dpdk_test_apply(f->dpdk);
	fill(&worker_frame, 100, 1, 1);
	*w = (struct worker){.f = f, .polls = 1};
	assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

static void end(struct worker *w)
{
	__atomic_store_n(&w->polls, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	assert_int_equal(w->got, w->sent);
	assert_int_equal(w->wrong, 0);
	assert_null(w->f->dpdk->test);
	assert_int_equal(rte_mempool_in_use_count(w->f->dpdk->pool), 0);
}

static void run(struct fixture *f, struct vs_selftest_report *report)
{
	assert_int_equal(vs_dpdk_test(f->dpdk, &nobody, report), 0);
}

/* Everything is claimed; verify is not a lie, as the ring says nothing of any frame. */
static void test_all(void **state)
{
	const unsigned int out = VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6;
	struct vs_selftest_report report;
	struct fixture *f = *state;
	struct worker w;
	char why[1024];
	unsigned int i;

	begin(f, &w, out, true);
	assert_int_equal(f->dpdk->caps, out | VS_OFFLOAD_PLAIN);
	run(f, &report);
	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		bool verify = report.row[i].offload == VS_OFFLOAD_VERIFY;

		if (report.row[i].verdict != (verify ? VS_SELFTEST_GOOD : VS_SELFTEST_BAD))
			fail_msg("%u: %d, %s", report.row[i].offload, report.row[i].verdict,
				 report.row[i].why);
	}
	assert_int_equal(vs_dpdk_quarantined(f->dpdk, why, sizeof(why)), out);
	assert_non_null(strstr(why, "TCP over IPv4: TCP checksum is "));
	assert_int_equal(f->dpdk->caps, 0);
	assert_true(f->dpdk->verifies);
	end(&w);
}

/* What is in quarantine stays there when the device is set up anew. */
static void test_stays(void **state)
{
	struct vs_selftest_report report;
	struct fixture *f = *state;
	struct worker w;
	char why[1024];

	begin(f, &w, VS_OFFLOAD_CSUM, false);
	run(f, &report);
	/* What is in the ring while the device is set up anew is lost. */
	end(&w);
	assert_int_equal(vs_dpdk_set_mtu(f->dpdk, 9000, &f->why), 0);
	assert_int_equal(f->dpdk->quarantine, VS_OFFLOAD_CSUM);
	f->dpdk->plan.caps = VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_PLAIN;
	vs_dpdk_test_apply(f->dpdk);
	/* A segment needs its checksum. */
	assert_int_equal(f->dpdk->caps, 0);
	/* Nothing is claimed any more: there is nothing to keep. */
	f->dpdk->plan.caps = 0;
	run(f, &report);
	assert_int_equal(vs_dpdk_quarantined(f->dpdk, why, sizeof(why)), 0);
	assert_string_equal(why, "");
}

/* No worker comes by: not tested, and what was to be sent is taken back. */
static void test_nobody_polls(void **state)
{
	struct vs_selftest_report report;
	struct fixture *f = *state;
	struct worker w;

	begin(f, &w, VS_OFFLOAD_CSUM, false);
	__atomic_store_n(&w.polls, 0, __ATOMIC_RELAXED);
	vs_rcu_synchronize(&f->rcu);
	run(f, &report);
	assert_int_equal(report.row[0].verdict, VS_SELFTEST_NOT_TESTED);
	assert_non_null(strstr(report.row[0].why, "no worker"));
	assert_int_equal(f->dpdk->quarantine, 0);
	end(&w);
}

/* Again and again, while frames pass. */
static void test_under_traffic(void **state)
{
	struct vs_selftest_report report;
	struct fixture *f = *state;
	struct worker w;
	unsigned int i;

	begin(f, &w, 0, true);
	for (i = 0; i < 50; i++) {
		run(f, &report);
		assert_int_not_equal(report.row[3].verdict, VS_SELFTEST_BAD);
	}
	assert_true(w.sent > 0);
	end(&w);
}

static void test_no_carrier(void **state)
{
	struct vs_selftest_report report;
	struct fixture *f = *state;
	struct worker w;

	begin(f, &w, VS_OFFLOAD_CSUM, false);
	f->dpdk->state = VS_DPDK_NO_CARRIER;
	run(f, &report);
	assert_int_equal(report.row[0].verdict, VS_SELFTEST_NOT_TESTED);
	assert_string_equal(report.row[0].why, "the link is down");
	f->dpdk->state = VS_DPDK_RUNNING;
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all),           TEST(test_stays),      TEST(test_nobody_polls),
		TEST(test_under_traffic), TEST(test_no_carrier),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
