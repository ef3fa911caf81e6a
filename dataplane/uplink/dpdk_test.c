/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The self-test of the device of a dpdk uplink, and the quarantine of what it lied about.
 *
 * DOC: theory of operation
 *
 * The device is the workers' while it runs, and stays theirs: traffic goes on. Control makes copies
 * of what is to be sent, as a worker does of a guest's frames, and leaves them in @order. The
 * worker that visits the first queue sends them in one burst, as if they were its own. Each worker
 * takes frames to the test's address out of what its queue received, and hands them over through a
 * ring that only these two use (dpdk_sift.c). Nobody waits for anybody but control, for at most
 * SEND_US here, and as long as selftest.c says in all.
 *
 * The address is made by chance for each test, so that no frame of an earlier one is taken for one
 * of this, and belongs to nobody (locally administered, RFC 7042, 2.1). Without a partner it is
 * both where frames come from and where they go to: a switch on the wire learns it where they
 * come in, and sends them nowhere.
 *
 * DPDK can ask some cards to loop what they send back inside (rte_eth_conf.lpbk_mode). That is not
 * used: it takes a stop and a start of the card, which cuts everybody off for seconds, and a driver
 * that does not know it says nothing.
 */
#include "dataplane/uplink/dpdk_obj.h"
#include "dataplane/uplink/selftest.h"

#include "dataplane/core/log.h"

#include <rte_cycles.h>
#include <rte_pause.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	/* Until the worker has sent a burst; it naps for a millisecond at most. */
	SEND_US = 200 * 1000,
	PAUSE_US = 50,
};

/* ---- the seam */

static uint64_t now_us(void *dev)
{
	(void)dev;
	return rte_get_tsc_cycles() / (rte_get_tsc_hz() / 1000000);
}

static void pause_a_little(void *dev)
{
	const struct timespec ts = {.tv_nsec = PAUSE_US * 1000L};

	(void)dev;
	(void)nanosleep(&ts, NULL);
}

static void drop_order(struct vs_dpdk_test *test)
{
	rte_pktmbuf_free_bulk(test->out.mbuf, test->out.n);
	test->out.n = 0;
	test->order = VS_DPDK_ORDER_NONE;
}

/* Take the order back if no worker did it: while nobody sees the test, it is control's. */
static bool take_back(struct vs_dpdk *dpdk)
{
	struct vs_dpdk_test *test = dpdk->test;
	bool taken;

	__atomic_store_n(&dpdk->test, NULL, __ATOMIC_RELEASE);
	vs_rcu_synchronize(dpdk->env.rcu);
	taken = test->order != VS_DPDK_ORDER_DONE;
	if (taken)
		drop_order(test);
	__atomic_store_n(&dpdk->test, test, __ATOMIC_RELEASE);
	return taken;
}

static int test_send(void *dev, const struct vs_pkt *pkt, unsigned int n)
{
	struct vs_dpdk *dpdk = dev;
	struct vs_dpdk_test *test = dpdk->test;
	const uint64_t until = now_us(dev) + SEND_US;
	unsigned int i;

	test->out.marked = false;
	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = vs_dpdk_ops_copy(dpdk, &pkt[i]);

		if (!m)
			break;
		test->out.marked |= vs_debt_owes(&pkt[i].debt);
		test->out.of[test->out.n] = (uint8_t)test->out.n;
		test->out.mbuf[test->out.n++] = m;
	}
	if (i < n) {
		drop_order(test);
		return -EBUSY;
	}
	__atomic_store_n(&test->order, VS_DPDK_ORDER_SEND, __ATOMIC_RELEASE);
	while (__atomic_load_n(&test->order, __ATOMIC_ACQUIRE) != VS_DPDK_ORDER_DONE) {
		if (now_us(dev) >= until && take_back(dpdk))
			return -EBUSY;
		pause_a_little(dev);
	}
	return 0;
}

static enum vs_selftest_said said(const struct rte_mbuf *m)
{
	switch (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
	case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
		return VS_SELFTEST_SAID_GOOD;
	case RTE_MBUF_F_RX_L4_CKSUM_BAD:
		return VS_SELFTEST_SAID_BAD;
	default:
		return VS_SELFTEST_SAID_NOTHING;
	}
}

static void copy_out(const struct rte_mbuf *m, struct vs_selftest_got *ret_got)
{
	const uint32_t len = RTE_MIN(m->pkt_len, (uint32_t)sizeof(ret_got->bytes));
	const void *at = rte_pktmbuf_read(m, 0, len, ret_got->bytes);

	ret_got->said = said(m);
	ret_got->len = m->pkt_len;
	if (at && at != ret_got->bytes)
		memcpy(ret_got->bytes, at, len);
}

static int test_receive(void *dev, struct vs_selftest_got *ret_got)
{
	struct vs_dpdk *dpdk = dev;
	unsigned int i;

	for (i = 0; i < dpdk->queues; i++) {
		struct vs_dpdk_back *back = &dpdk->test->back[i];
		struct rte_mbuf *m;

		if (back->tail == __atomic_load_n(&back->head, __ATOMIC_ACQUIRE))
			continue;
		m = back->mbuf[back->tail % VS_DPDK_TEST_FRAMES];
		copy_out(m, ret_got);
		rte_pktmbuf_free(m);
		__atomic_store_n(&back->tail, back->tail + 1, __ATOMIC_RELEASE);
		return 1;
	}
	return 0;
}

static const struct vs_selftest_ops ops = {
	.send = test_send,
	.receive = test_receive,
	.pause = pause_a_little,
	.now_us = now_us,
};

/* ---- the quarantine */

void vs_dpdk_test_apply(struct vs_dpdk *dpdk)
{
	const struct vs_dpdk_plan *plan = &dpdk->plan;
	unsigned int caps = plan->caps & ~dpdk->quarantine;

	/* A segment needs its checksum. */
	if (!(caps & VS_OFFLOAD_CSUM))
		caps = 0;
	__atomic_store_n(&dpdk->caps, (uint16_t)caps, __ATOMIC_RELAXED);
	__atomic_store_n(&dpdk->verifies, plan->verifies && !(dpdk->quarantine & VS_OFFLOAD_VERIFY),
			 __ATOMIC_RELAXED);
}

/* What was not tested stays as it was found before. */
static void conclude(struct vs_dpdk *dpdk, const struct vs_selftest_report *report)
{
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		const struct vs_selftest_row *row = &report->row[i];

		switch (row->verdict) {
		case VS_SELFTEST_BAD:
			dpdk->quarantine |= row->offload;
			dpdk->tested.row[i] = *row;
			vs_log(VS_LOG_WARNING, "%s: %s (%s) lies about an offload: %s", dpdk->name,
			       dpdk->device, dpdk->driver, row->why);
			break;
		case VS_SELFTEST_GOOD:
		case VS_SELFTEST_NOT_CLAIMED:
			dpdk->quarantine &= ~row->offload;
			break;
		case VS_SELFTEST_NOT_TESTED:
			break;
		}
	}
	vs_dpdk_test_apply(dpdk);
}

unsigned int vs_dpdk_quarantined(const struct vs_dpdk *dpdk, char *why, size_t size)
{
	size_t used = 0;
	unsigned int i;

	why[0] = '\0';
	for (i = 0; i < VS_SELFTEST_ROWS && used < size; i++) {
		const struct vs_selftest_row *row = &dpdk->tested.row[i];

		if (row->offload & dpdk->quarantine)
			used += (size_t)snprintf(why + used, size - used, "%s%s", used ? "; " : "",
						 row->why);
	}
	return dpdk->quarantine;
}

/* ---- a test */

static unsigned int claims(const struct vs_dpdk *dpdk)
{
	const unsigned int out = VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6;

	return (dpdk->plan.caps & out) |
	       (dpdk->plan.verifies ? (unsigned int)VS_OFFLOAD_VERIFY : 0);
}

static void free_test(struct vs_dpdk *dpdk)
{
	struct vs_dpdk_test *test = dpdk->test;
	unsigned int i;

	__atomic_store_n(&dpdk->test, NULL, __ATOMIC_RELEASE);
	vs_rcu_synchronize(dpdk->env.rcu);
	for (i = 0; i < VS_DPDK_QUEUES_MAX; i++) {
		struct vs_dpdk_back *back = &test->back[i];

		for (; back->tail != back->head; back->tail++)
			rte_pktmbuf_free(back->mbuf[back->tail % VS_DPDK_TEST_FRAMES]);
	}
	free(test);
}

int vs_dpdk_test(struct vs_dpdk *dpdk, const struct rte_ether_addr *partner,
		 struct vs_selftest_report *ret_report)
{
	struct vs_selftest_config config = {
		.ops = &ops,
		.dev = dpdk,
		.claims = claims(dpdk),
		.mtu = dpdk->mtu,
		.partner = *partner,
	};
	struct vs_dpdk_test *test;
	int err;

	if (config.claims == 0 || dpdk->state != VS_DPDK_RUNNING) {
		vs_selftest_begin(config.claims, "the link is down", ret_report);
		conclude(dpdk, ret_report);
		return 0;
	}
	test = calloc(1, sizeof(*test));
	if (!test)
		return -ENOMEM;
	rte_eth_random_addr(test->own.addr_bytes);
	config.own = test->own;
	__atomic_store_n(&dpdk->test, test, __ATOMIC_RELEASE);
	err = vs_selftest_run(&config, ret_report);
	free_test(dpdk);
	if (!err)
		conclude(dpdk, ret_report);
	return err;
}
