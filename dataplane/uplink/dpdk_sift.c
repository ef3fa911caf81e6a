/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's part in a self-test (dpdk_test.c): it sends what the test wants sent, and takes what
 * comes for the test out of what it received.
 *
 * Accepts: a burst as the driver gave it, while a test is under way.
 * Guarantees: what is left are the frames of others, in order.
 * Drops: nothing that is not the test's.
 *
 * Frames of the test are in no account of the port: those that it sends were never meant for the
 * port by anybody, and those that come are not the switch's.
 */
#include "dataplane/uplink/dpdk_obj.h"

#include <string.h>

/* Control fills the order and takes it back; in between it is the worker's. */
static void send_order(struct vs_dpdk *dpdk, struct vs_dpdk_test *test)
{
	struct vs_dpdk_copies *out = &test->out;
	struct vs_dpdk_txq *q = &dpdk->txq[0];
	uint8_t fate[VS_BURST_MAX];
	uint16_t sent = 0;

	if (__atomic_load_n(&test->order, __ATOMIC_ACQUIRE) != VS_DPDK_ORDER_SEND)
		return;
	if (!vs_trylock(&q->lock))
		return;
	if (out->marked)
		vs_dpdk_offload_prepare(dpdk, 0, out, fate);
	if (out->n)
		sent = rte_eth_tx_burst(dpdk->eth, 0, out->mbuf, out->n);
	vs_tryunlock(&q->lock);
	if (sent < out->n)
		rte_pktmbuf_free_bulk(out->mbuf + sent, out->n - sent);
	out->n = 0;
	__atomic_store_n(&test->order, VS_DPDK_ORDER_DONE, __ATOMIC_RELEASE);
}

static bool is_mine(const struct vs_dpdk_test *test, const struct rte_mbuf *m)
{
	return m->data_len >= RTE_ETHER_HDR_LEN &&
	       memcmp(rte_pktmbuf_mtod(m, const uint8_t *), &test->own, sizeof(test->own)) == 0;
}

/* Hand it to control; a test that does not fetch them in time loses frames. */
static void keep(struct vs_dpdk_back *back, struct rte_mbuf *m)
{
	const uint32_t head = back->head;

	if (head - __atomic_load_n(&back->tail, __ATOMIC_ACQUIRE) >= VS_DPDK_TEST_FRAMES) {
		rte_pktmbuf_free_bulk(&m, 1);
		return;
	}
	back->mbuf[head % VS_DPDK_TEST_FRAMES] = m;
	__atomic_store_n(&back->head, head + 1, __ATOMIC_RELEASE);
}

void vs_dpdk_sift(struct vs_dpdk *dpdk, struct vs_dpdk_test *test, unsigned int pair)
{
	struct vs_dpdk_rxq *q = &dpdk->rxq[pair];
	uint16_t left = 0;
	uint16_t i;

	for (i = 0; i < q->n; i++) {
		if (is_mine(test, q->mbuf[i]))
			keep(&test->back[pair], q->mbuf[i]);
		else
			q->mbuf[left++] = q->mbuf[i];
	}
	q->n = left;
	if (pair == 0)
		send_order(dpdk, test);
}
