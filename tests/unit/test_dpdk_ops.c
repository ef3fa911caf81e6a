/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's side of a dpdk uplink, over a ring that gives back what was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dpdk_port.h"

#include <rte_ring.h>

#include <pthread.h>

static struct vs_burst burst;
static struct frame frame;

/* Each length once, in one piece and in many. */
static void test_every_length(void **state)
{
	static const unsigned int pieces[] = {1, 2, 5, VS_CHAIN_DESCS_MAX};
	struct fixture *f = *state;
	uint32_t len;

	f->dpdk = make(f, "net_ring0", 9004);
	assert_int_equal(info_of(f->dpdk).mtu, 9004);
	for (len = 14; len <= 9018; len += len < 200 || len > 8900 ? 1 : 13) {
		fill(&frame, len, pieces[len % RTE_DIM(pieces)], (uint8_t)len);
		assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
		assert_int_equal(receive(f->dpdk, &burst, 1), 1);
		check_bytes(&burst.pkt[0], frame.bytes, len);
		done(f->dpdk);
	}
	assert_int_equal(receive(f->dpdk, &burst, 1), 0);
	done(f->dpdk);
	assert_int_equal(rte_mempool_in_use_count(f->dpdk->pool), 0);
}

static void test_longest(void **state)
{
	struct fixture *f = *state;
	uint32_t len;

	f->dpdk = make(f, "net_ring0", VS_DPDK_MTU_MAX);
	for (len = VS_DPDK_MTU_MAX - 20; len <= VS_DPDK_MTU_MAX + 14; len++) {
		fill(&frame, len, 40, 3);
		assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
		assert_int_equal(receive(f->dpdk, &burst, 1), 1);
		check_bytes(&burst.pkt[0], frame.bytes, len);
		done(f->dpdk);
	}
}

static void test_too_long(void **state)
{
	struct fixture *f = *state;

	f->dpdk = make(f, "net_ring0", 0);
	assert_int_equal(info_of(f->dpdk).mtu, 1500);
	fill(&frame, 1514, 2, 1);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
	fill(&frame, 1515, 2, 1);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_SIZE);
	fill(&frame, 1518, 2, 1);
	frame.bytes[12] = 0x81;
	frame.bytes[13] = 0;
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
	frame.pkt.len++;
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_SIZE);
	assert_int_equal(receive(f->dpdk, &burst, 1), 2);
	assert_int_equal(burst.pkt[1].len, 1518);
	done(f->dpdk);
}

/* A burst in which every other frame cannot go: the others do, in order. */
static void test_mixed_burst(void **state)
{
	static struct frame good[4];
	struct vs_pkt *pkt[8];
	struct fixture *f = *state;
	uint8_t fate[8];
	unsigned int i;

	f->dpdk = make(f, "net_ring0", 0);
	fill(&frame, 3000, 1, 0);
	for (i = 0; i < 8; i++) {
		if (i % 2)
			fill(&good[i / 2], 100 + i, 1, (uint8_t)i);
		pkt[i] = i % 2 ? &good[i / 2].pkt : &frame.pkt;
	}
	vs_dpdk_ops.tx(f->dpdk, 3, pkt, 8, fate);
	for (i = 0; i < 8; i++)
		assert_int_equal(fate[i], i % 2 ? VS_DROP_NONE : VS_DROP_UPLINK_SIZE);
	assert_int_equal(receive(f->dpdk, &burst, 1), 4);
	for (i = 0; i < 4; i++)
		check_bytes(&burst.pkt[i], good[i].bytes, 101 + 2 * i);
	done(f->dpdk);
}

static void test_full(void **state)
{
	struct fixture *f = *state;
	unsigned int sent = 0;
	unsigned int got = 0;
	unsigned int i;

	f->dpdk = make(f, "net_ring0", 0);
	fill(&frame, 100, 0, 0);
	while (send_one(f->dpdk, &frame.pkt) == VS_DROP_NONE)
		assert_true(++sent < 100000);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_FULL);
	/* Those that were not taken are free again. */
	assert_int_equal(rte_mempool_in_use_count(f->dpdk->pool), sent);
	while (receive(f->dpdk, &burst, 1)) {
		got += burst.n;
		done(f->dpdk);
	}
	assert_int_equal(got, sent);
	for (i = 0; i < 10; i++)
		assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
}

static void test_pool_empty(void **state)
{
	static struct rte_mbuf *held[65536];
	struct fixture *f = *state;
	unsigned int n = 0;

	f->dpdk = make(f, "net_ring0", 9000);
	while ((held[n] = rte_pktmbuf_alloc(f->dpdk->pool)))
		n++;
	fill(&frame, 9000, 3, 0);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_FULL);
	/* Enough for a part of it. */
	rte_pktmbuf_free_bulk(held, 3);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_FULL);
	assert_int_equal(rte_mempool_avail_count(f->dpdk->pool), 3);
	rte_pktmbuf_free_bulk(held + 3, n - 3);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
}

/* A guest's memory went away while it was copied. */
static void test_memory_lost(void **state)
{
	struct fixture *f = *state;

	f->dpdk = make(f, "net_ring0", 0);
	fill(&frame, 1000, 3, 0);
	vs_mem_faults = 1;
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_MEM_LOST);
	vs_mem_faults = 0;
	assert_int_equal(receive(f->dpdk, &burst, 1), 0);
	assert_int_equal(rte_mempool_in_use_count(f->dpdk->pool), 0);
}

/* What a visit may cost is bounded; what is left comes with the next ones, in order. */
static void test_budget_of_a_visit(void **state)
{
	struct fixture *f = *state;
	unsigned int visits = 0;
	unsigned int got = 0;
	unsigned int i;

	f->dpdk = make(f, "net_ring0", 9000);
	for (i = 0; i < 40; i++) {
		fill(&frame, 9014, 1, (uint8_t)i);
		frame.bytes[0] = 0xff;
		assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
	}
	while (got < 40) {
		/* 20 copies of 9014 bytes: the third one reaches 512 KiB. */
		assert_true(receive(f->dpdk, &burst, 20) > 0);
		assert_true(burst.n <= 3);
		for (i = 0; i < burst.n; i++)
			assert_int_equal(burst.pkt[i].hdr[20], (uint8_t)(20 * 7 + got + i));
		got += burst.n;
		visits++;
		done(f->dpdk);
	}
	assert_int_equal(visits, 14);
	/* Unicast frames cost what they are: 58 of them. */
	for (i = 0; i < 64; i++) {
		fill(&frame, 9014, 1, (uint8_t)i);
		assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
	}
	assert_int_equal(receive(f->dpdk, &burst, 20), 59);
	done(f->dpdk);
	/* The rest goes with the uplink. */
}

/* ---- buffers as no driver of this machine makes them, put into the ring by hand */

static struct rte_ring *ring_of(const struct vs_dpdk *dpdk)
{
	char name[96];

	snprintf(name, sizeof(name), "ETH_RXTX0_%s", dpdk->device);
	return rte_ring_lookup(name);
}

static struct rte_mbuf *piece(struct fixture *f, const uint8_t *bytes, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(f->dpdk->pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, len), bytes, len);
	return m;
}

static void test_little_headroom(void **state)
{
	struct fixture *f = *state;
	struct rte_mbuf *m;

	f->dpdk = make(f, "net_ring0", 0);
	fill(&frame, 700, 1, 0);
	m = rte_pktmbuf_alloc(f->dpdk->pool);
	m->data_off = VS_HDR_ROOM - 1;
	memcpy(rte_pktmbuf_append(m, 700), frame.bytes, 700);
	assert_int_equal(rte_ring_enqueue(ring_of(f->dpdk), m), 0);
	assert_int_equal(receive(f->dpdk, &burst, 1), 1);
	assert_ptr_equal(burst.pkt[0].hdr, burst.hdr[0].bytes);
	check_bytes(&burst.pkt[0], frame.bytes, 700);
	done(f->dpdk);
}

/* A buffer that somebody else holds too is not written to. */
static void test_shared_buffer(void **state)
{
	struct fixture *f = *state;
	struct rte_mbuf *m;

	f->dpdk = make(f, "net_ring0", 0);
	fill(&frame, 700, 1, 0);
	m = piece(f, frame.bytes, 700);
	rte_mbuf_refcnt_set(m, 2);
	assert_int_equal(rte_ring_enqueue(ring_of(f->dpdk), m), 0);
	assert_int_equal(receive(f->dpdk, &burst, 1), 1);
	assert_ptr_equal(burst.pkt[0].hdr, burst.hdr[0].bytes);
	check_bytes(&burst.pkt[0], frame.bytes, 700);
	done(f->dpdk);
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	rte_pktmbuf_free(m);
}

static void test_short_first_piece(void **state)
{
	struct fixture *f = *state;
	struct rte_mbuf *m;
	uint16_t first;

	f->dpdk = make(f, "net_ring0", 0);
	fill(&frame, 700, 1, 0);
	for (first = 0; first < 140; first++) {
		m = piece(f, frame.bytes, first);
		assert_int_equal(rte_pktmbuf_chain(m, piece(f, frame.bytes + first, 3)), 0);
		assert_int_equal(rte_pktmbuf_chain(m, piece(f, frame.bytes + first + 3,
							    (uint16_t)(697 - first))),
				 0);
		assert_int_equal(rte_ring_enqueue(ring_of(f->dpdk), m), 0);
		assert_int_equal(receive(f->dpdk, &burst, 1), 1);
		check_bytes(&burst.pkt[0], frame.bytes, 700);
		done(f->dpdk);
	}
	assert_int_equal(rte_mempool_in_use_count(f->dpdk->pool), 0);
}

static struct rte_mbuf *chain(struct fixture *f, unsigned int pieces)
{
	struct rte_mbuf *head = piece(f, frame.bytes, 128);
	struct rte_mbuf *tail = head;

	/* rte_pktmbuf_chain() walks to the end each time. */
	while (--pieces) {
		tail->next = piece(f, frame.bytes, 1);
		tail = tail->next;
		head->nb_segs++;
		head->pkt_len++;
	}
	return head;
}

/* More pieces than a burst has room for: the next visit, or if it never fits, a named drop. */
static void test_many_pieces(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	f->dpdk = make(f, "net_ring0", VS_DPDK_MTU_MAX);
	fill(&frame, 200, 1, 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(rte_ring_enqueue(ring_of(f->dpdk), chain(f, 500)), 0);
	assert_int_equal(rte_ring_enqueue(ring_of(f->dpdk), chain(f, VS_BURST_EXTENTS + 1)), 0);
	assert_int_equal(receive(f->dpdk, &burst, 1), 2);
	check_form(&burst.pkt[0]);
	check_form(&burst.pkt[1]);
	done(f->dpdk);
	assert_int_equal(receive(f->dpdk, &burst, 1), 1);
	check_form(&burst.pkt[0]);
	done(f->dpdk);
	assert_int_equal(receive(f->dpdk, &burst, 1), 1);
	assert_int_equal(burst.pkt[0].drop, VS_DROP_FRAME_CUT);
	assert_int_equal(burst.pkt[0].n_ext, 0);
	done(f->dpdk);
	assert_int_equal(rte_mempool_in_use_count(f->dpdk->pool), 0);
}

static void test_tag_taken_off(void **state)
{
	struct fixture *f = *state;
	struct rte_mbuf *m;

	f->dpdk = make(f, "net_ring0", 0);
	fill(&frame, 700, 1, 0);
	m = piece(f, frame.bytes, 700);
	m->vlan_tci = 0x6123;
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	assert_int_equal(rte_ring_enqueue(ring_of(f->dpdk), m), 0);
	assert_int_equal(receive(f->dpdk, &burst, 1), 1);
	memmove(frame.bytes + 16, frame.bytes + 12, 688);
	memcpy(frame.bytes + 12, "\x81\x00\x61\x23", 4);
	check_bytes(&burst.pkt[0], frame.bytes, 704);
	done(f->dpdk);
}

/* ---- a worker that does not stop while control changes things */

struct worker {
	struct fixture *f;
	uint32_t stop;
	uint64_t sent;
	uint64_t got;
};

static void *work(void *arg)
{
	static struct frame mine;
	static struct vs_burst in;
	struct worker *w = arg;
	unsigned int i;

	fill(&mine, 1400, 3, 9);
	vs_rcu_online(&w->f->rcu, 0);
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		struct vs_pkt *pkt[32];
		uint8_t fate[32];

		for (i = 0; i < 32; i++)
			pkt[i] = &mine.pkt;
		vs_dpdk_ops.tx(w->f->dpdk, 0, pkt, 32, fate);
		for (i = 0; i < 32; i++)
			w->sent += fate[i] == VS_DROP_NONE;
		in.n = 0;
		in.n_ext = 0;
		vs_dpdk_ops.rx(w->f->dpdk, 0, 1, &in);
		for (i = 0; i < in.n; i++)
			w->got += in.pkt[i].len == 1400 && in.pkt[i].hdr[20] == mine.bytes[20];
		vs_dpdk_ops.rx_done(w->f->dpdk, 0);
		vs_rcu_report(&w->f->rcu, 0, vs_rcu_token(&w->f->rcu));
	}
	vs_rcu_offline(&w->f->rcu, 0);
	return NULL;
}

static void test_mtu_under_traffic(void **state)
{
	struct fixture *f = *state;
	struct worker w = {.f = f};
	pthread_t thread;
	uint64_t before;
	int i;

	f->dpdk = make(f, "net_ring0", 0);
	assert_int_equal(pthread_create(&thread, NULL, work, &w), 0);
	for (i = 0; i < 40; i++) {
		before = __atomic_load_n(&w.got, __ATOMIC_RELAXED);
		assert_int_equal(vs_dpdk_set_mtu(f->dpdk, i % 2 ? 1500 : 9000, &f->why), 0);
		assert_int_equal(info_of(f->dpdk).mtu, i % 2 ? 1500 : 9000);
		assert_int_equal(info_of(f->dpdk).state, VS_DPDK_RUNNING);
		until(f, __atomic_load_n(&w.got, __ATOMIC_RELAXED) > before + 100);
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(w.sent >= w.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_length),
		TEST(test_longest),
		TEST(test_too_long),
		TEST(test_mixed_burst),
		TEST(test_full),
		TEST(test_pool_empty),
		TEST(test_memory_lost),
		TEST(test_budget_of_a_visit),
		TEST(test_little_headroom),
		TEST(test_shared_buffer),
		TEST(test_short_first_piece),
		TEST(test_many_pieces),
		TEST(test_tag_taken_off),
		TEST(test_mtu_under_traffic),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
