/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames to a guest that is out of buffers, or that breaks the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/ring_chain.h"
#include "tests/unit/ring_fixture.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

static void expect_fate(struct rf *f, const struct rf_frame *fr, enum vs_drop want)
{
	assert_string_equal(vs_drop_name(rf_push(f, fr)), vs_drop_name(want));
}

static void test_rx_full_in_the_middle(void **state)
{
	struct rf *f = rf_new(16, RF_MERGEABLE, 65530);
	struct vring_used_elem e;
	struct rf_frame fr;
	uint32_t i;

	rf_frame_make(&fr, 1000, 100, 3);
	expect_fate(f, &fr, VS_DROP_RX_FULL);
	for (i = 0; i < 10; i++) {
		/* 1012 bytes need eleven of a hundred. */
		rf_give(f, LOW + 100 * i, 100, WRITE);
		expect_fate(f, &fr, VS_DROP_RX_FULL);
		assert_false(rf_used(f, &e));
		assert_int_equal(rf_calls(f), 0);
		assert_int_equal(f->ring.next_avail, 65530);
	}
	rf_give(f, LOW + 1000, 100, WRITE);
	expect_fate(f, &fr, VS_DROP_NONE);
	for (i = 0; i < 11; i++) {
		assert_true(rf_used(f, &e));
		assert_int_equal(e.id, i);
		assert_int_equal(e.len, i < 10 ? 100 : 12);
	}
	for (i = 0; i < 1000; i++)
		assert_int_equal(*rf_at(f, LOW + 12 + i), rf_byte(i, 3));
	rf_frame_free(&fr);
	rf_free(f);
}

/* A frame that does not fit is no reason to lose a smaller one behind it. */
static void test_small_frame_after_full(void **state)
{
	struct rf *f = rf_new(16, RF_MERGEABLE, 0);
	struct vring_used_elem e;
	struct rf_frame big;
	struct rf_frame small;
	struct vs_pkt *list[3];
	uint8_t fate[3];

	rf_frame_make(&big, 500, 100, 1);
	rf_frame_make(&small, 60, 100, 2);
	list[0] = &small.pkt;
	list[1] = &big.pkt;
	list[2] = &small.pkt;
	rf_give(f, LOW, 200, WRITE);
	rf_give(f, LOW + 200, 200, WRITE);
	vs_ring_push(&f->ring, list, 3, fate);
	assert_int_equal(fate[0], VS_DROP_NONE);
	assert_int_equal(fate[1], VS_DROP_RX_FULL);
	assert_int_equal(fate[2], VS_DROP_NONE);
	assert_true(rf_used(f, &e));
	assert_int_equal(e.id, 0);
	assert_int_equal(e.len, 72);
	assert_true(rf_used(f, &e));
	assert_int_equal(e.id, 1);
	assert_int_equal(e.len, 72);
	assert_int_equal(*rf_at(f, LOW + 210), 1);
	assert_int_equal(rf_calls(f), 1);
	rf_frame_free(&big);
	rf_frame_free(&small);
	rf_free(f);
}

static void test_rx_small(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);
	struct rf *old = rf_new(16, RF_LEGACY, 0);
	struct vring_used_elem e;
	struct rf_frame fr;
	uint32_t size;

	rf_frame_make(&fr, 100, 100, 1);
	for (size = 0; size < 112; size++) {
		rf_restart(f, 0);
		rf_give(f, LOW, size, WRITE);
		expect_fate(f, &fr, VS_DROP_RX_SMALL);
		assert_false(rf_used(f, &e));
	}
	rf_give(old, LOW, 109, WRITE);
	expect_fate(old, &fr, VS_DROP_RX_SMALL);
	rf_restart(old, 0);
	rf_give(old, LOW, 110, WRITE);
	expect_fate(old, &fr, VS_DROP_NONE);
	assert_string_equal(rf_fault(f), "ok");
	rf_frame_free(&fr);
	rf_free(f);
	rf_free(old);
}

static void test_header_small(void **state)
{
	struct rf_buf tiny[12];
	struct vring_used_elem e;
	struct rf_frame fr;
	uint32_t size;

	rf_frame_make(&fr, 60, 100, 1);
	for (size = 0; size <= 11; size++) {
		struct rf *f = rf_new(16, RF_MERGEABLE, 0);
		uint32_t i;

		for (i = 0; i < 16; i++)
			rf_give(f, LOW + 100 * i, size, WRITE);
		expect_fate(f, &fr, VS_DROP_RING_BROKEN);
		assert_string_equal(rf_fault(f), "header_small");
		assert_false(rf_used(f, &e));
		rf_free(f);
	}
	/* The same bytes in one chain are a good buffer. */
	for (size = 1; size <= 11; size++) {
		struct rf *f = rf_new(64, RF_MERGEABLE, 0);
		uint32_t i;

		for (i = 0; i < 12; i++)
			tiny[i] = (struct rf_buf){LOW + 20 * i, size};
		rf_chain(f, tiny, 12, WRITE);
		rf_give(f, LOW + 1000, 100, WRITE);
		expect_fate(f, &fr, VS_DROP_NONE);
		assert_string_equal(rf_fault(f), "ok");
		assert_true(rf_used(f, &e));
		assert_int_equal(e.len, 12 * size < 72 ? 12 * size : 72);
		rf_free(f);
	}
	rf_frame_free(&fr);
}

static void test_rx_pieces(void **state)
{
	struct rf *f = rf_new(2048, RF_MERGEABLE, 0);
	struct vring_used_elem e;
	struct rf_frame fr;
	unsigned int i;

	for (i = 0; i < 2048; i++)
		rf_give(f, LOW + 16 * i, 12, WRITE);
	rf_frame_make(&fr, 12 * 1024 - 11, 5000, 1);
	expect_fate(f, &fr, VS_DROP_RX_PIECES);
	assert_false(rf_used(f, &e));
	rf_frame_free(&fr);
	rf_frame_make(&fr, 12 * 1024 - 12, 5000, 1);
	expect_fate(f, &fr, VS_DROP_NONE);
	assert_int_equal(rf_used_idx(f), 1024);
	assert_int_equal(rf_at(f, LOW)[10] | rf_at(f, LOW)[11] << 8, 1024);
	rf_frame_free(&fr);
	rf_free(f);
}

/* Tiny buffers make delivering dear: one call visits 4096 of them and no more. */
static void test_rx_pieces_of_a_burst(void **state)
{
	struct rf *f = rf_new(8192, RF_MERGEABLE, 0);
	struct vs_pkt *pkt[8];
	struct rf_frame fr;
	uint8_t fate[8];
	unsigned int i;

	for (i = 0; i < 8192; i++)
		rf_give(f, LOW + 16 * (i % 2048), 12, WRITE);
	rf_frame_make(&fr, 12 * 1000 - 12, 5000, 1);
	for (i = 0; i < 8; i++)
		pkt[i] = &fr.pkt;
	vs_ring_push(&f->ring, pkt, 8, fate);
	for (i = 0; i < 8; i++)
		assert_int_equal(fate[i], i < 4 ? VS_DROP_NONE : VS_DROP_RX_PIECES);
	assert_int_equal(rf_used_idx(f), 4000);
	/* The next call begins anew. */
	vs_ring_push(&f->ring, pkt, 1, fate);
	assert_int_equal(fate[0], VS_DROP_NONE);
	rf_frame_free(&fr);
	rf_free(f);
}

/* A good buffer, then what @make does: the first frame is delivered, the ring is detached. */
static void expect_fault(enum rf_driver driver, void (*make)(struct rf *f), const char *name)
{
	struct rf *f = rf_new(16, driver, 65533);
	struct vring_used_elem e;
	struct rf_frame fr;
	struct vs_pkt *list[3];
	uint8_t fate[3];

	rf_frame_make(&fr, 100, 100, 1);
	list[0] = list[1] = list[2] = &fr.pkt;
	rf_give(f, LOW, 200, WRITE);
	make(f);
	vs_ring_push(&f->ring, list, 3, fate);
	assert_int_equal(fate[0], VS_DROP_NONE);
	assert_int_equal(fate[1], VS_DROP_RING_BROKEN);
	assert_int_equal(fate[2], VS_DROP_RING_BROKEN);
	assert_string_equal(rf_fault(f), name);
	assert_false(vs_ring_usable(&f->ring));
	assert_true(rf_used(f, &e));
	assert_int_equal(e.id, 0);
	assert_false(rf_used(f, &e));
	assert_int_equal(f->ring.next_avail, 65534);
	rf_frame_free(&fr);
	rf_free(f);
}

static void head_range(struct rf *f)
{
	rf_offer(f, 16);
}

static void next_range(struct rf *f)
{
	rf_desc(f, 3, LOW, 20, WRITE | NEXT, 16);
	rf_offer(f, 3);
}

static void loop(struct rf *f)
{
	rf_desc(f, 3, LOW, 1, WRITE | NEXT, 3);
	rf_offer(f, 3);
}

static void loop_of_nothing(struct rf *f)
{
	rf_desc(f, 3, LOW, 0, WRITE | NEXT, 3);
	rf_offer(f, 3);
}

static void indirect_ok(struct rf *f)
{
	rf_desc_at(f, TABLE, 0, LOW, 200, WRITE, 0);
	rf_desc(f, 3, TABLE, 16, INDIRECT, 0);
	rf_offer(f, 3);
}

static void indirect_len(struct rf *f)
{
	rf_desc(f, 3, TABLE, 17, INDIRECT, 0);
	rf_offer(f, 3);
}

static void indirect_nested(struct rf *f)
{
	rf_desc_at(f, TABLE, 0, TABLE + 16, 16, INDIRECT, 0);
	rf_desc(f, 3, TABLE, 16, INDIRECT, 0);
	rf_offer(f, 3);
}

static void address(struct rf *f)
{
	rf_give(f, HIGH - 20, 100, WRITE);
}

static void address_in_the_middle(struct rf *f)
{
	const struct rf_buf buf[] = {{LOW, 50}, {HIGH + HIGH_BYTES, 100}};

	rf_chain(f, buf, 2, WRITE);
}

static void address_long(struct rf *f)
{
	rf_give(f, LOW, UINT32_MAX, WRITE);
}

static void not_writable(struct rf *f)
{
	rf_give(f, LOW, 200, 0);
}

static void not_writable_in_the_middle(struct rf *f)
{
	rf_desc(f, 3, LOW, 50, WRITE | NEXT, 4);
	rf_desc(f, 4, LOW + 50, 100, 0, 0);
	rf_offer(f, 3);
}

/* A small frame behind the one that met the fault would fit: nothing is written any more. */
static void test_nothing_after_a_fault(void **state)
{
	struct rf *f = rf_new(16, RF_MERGEABLE, 0);
	struct vring_used_elem e;
	struct rf_frame big;
	struct rf_frame small;
	struct vs_pkt *list[2];
	uint8_t fate[2];

	rf_frame_make(&big, 500, 100, 1);
	rf_frame_make(&small, 60, 100, 2);
	list[0] = &big.pkt;
	list[1] = &small.pkt;
	rf_give(f, LOW, 200, WRITE);
	head_range(f);
	vs_ring_push(&f->ring, list, 2, fate);
	assert_int_equal(fate[0], VS_DROP_RING_BROKEN);
	assert_int_equal(fate[1], VS_DROP_RING_BROKEN);
	assert_string_equal(rf_fault(f), "head_range");
	assert_false(rf_used(f, &e));
	rf_frame_free(&big);
	rf_frame_free(&small);
	rf_free(f);
}

static void test_faults(void **state)
{
	expect_fault(RF_MODERN, head_range, "head_range");
	expect_fault(RF_MODERN, next_range, "next_range");
	expect_fault(RF_MODERN, loop, "loop");
	expect_fault(RF_PLAIN, loop_of_nothing, "loop");
	expect_fault(RF_PLAIN, indirect_ok, "indirect_denied");
	expect_fault(RF_MODERN, indirect_len, "indirect_len");
	expect_fault(RF_MODERN, indirect_nested, "indirect_nested");
	expect_fault(RF_MODERN, address, "address");
	expect_fault(RF_PLAIN, address_in_the_middle, "address");
	expect_fault(RF_LEGACY, address_long, "address");
	expect_fault(RF_MODERN, not_writable, "not_writable");
	expect_fault(RF_PLAIN, not_writable_in_the_middle, "not_writable");
}

static void test_avail_jump(void **state)
{
	static const int jumps[] = {17, 1000, 32768, 65535};
	struct rf_frame fr;
	unsigned int i;

	rf_frame_make(&fr, 100, 100, 1);
	for (i = 0; i < 4; i++) {
		struct rf *f = rf_new(16, RF_PLAIN, 65530);

		f->ring.avail->idx = htole16((uint16_t)(65530 + jumps[i]));
		expect_fate(f, &fr, VS_DROP_RING_BROKEN);
		assert_string_equal(rf_fault(f), "avail_jump");
		assert_int_equal(rf_used_idx(f), 65530);
		rf_free(f);
	}
	rf_frame_free(&fr);
}

/*
 * Buffers that lie over the available ring: what is written into them moves the index while the
 * switch works. The payload byte that lands on avail->idx is @to.
 */
static void overwrite_index(struct rf *f, const struct rf_frame *fr, uint16_t to)
{
	uint64_t gpa = RINGS + (uint64_t)((uint8_t *)&f->ring.avail->idx - f->rings);

	rf_give(f, gpa - 12, 14, WRITE);
	fr->bytes[0] = (uint8_t)to;
	fr->bytes[1] = (uint8_t)(to >> 8);
}

/* The index goes back while a frame is spread over buffers: that is a full ring, no more. */
static void test_index_taken_back(void **state)
{
	struct rf *f = rf_new(16, RF_MERGEABLE, 100);
	struct vring_used_elem e;
	struct rf_frame fr;

	rf_frame_make(&fr, 100, 100, 1);
	overwrite_index(f, &fr, 100);
	expect_fate(f, &fr, VS_DROP_RX_FULL);
	assert_int_equal(f->ring.next_avail, 100);
	assert_false(rf_used(f, &e));
	rf_frame_free(&fr);
	rf_free(f);
}

/* It runs ahead while frames are delivered: nothing was given back, so the ring is no longer. */
static void test_index_runs_ahead(void **state)
{
	struct rf *f = rf_new(4, RF_PLAIN, 100);
	struct vs_pkt *list[8];
	struct rf_frame fr;
	uint8_t fate[8];
	unsigned int i;

	rf_frame_make(&fr, 14, 14, 1);
	for (i = 0; i < 8; i++)
		list[i] = &fr.pkt;
	rf_desc(f, 0, LOW, 100, WRITE, 0);
	rf_desc(f, 1, LOW, 100, WRITE, 0);
	rf_offer(f, 0);
	rf_offer(f, 1);
	f->next_desc = 2;
	overwrite_index(f, &fr, 106);
	rf_desc(f, 2, RINGS + 64 + 2 - 12, 26, WRITE, 0);
	vs_ring_push(&f->ring, list, 8, fate);
	for (i = 0; i < 3; i++)
		assert_int_equal(fate[i], VS_DROP_NONE);
	for (; i < 8; i++)
		assert_int_equal(fate[i], VS_DROP_RING_BROKEN);
	assert_string_equal(rf_fault(f), "avail_jump");
	assert_int_equal(rf_used_idx(f), 103);
	rf_frame_free(&fr);
	rf_free(f);
}

static void test_memory_lost(void **state)
{
	struct rf *f = rf_new(16, RF_MERGEABLE, 65535);
	struct vs_pkt *list[3];
	struct rf_frame fr;
	uint8_t fate[3];
	unsigned int way;
	unsigned int i;

	rf_frame_make(&fr, 100, 100, 1);
	list[0] = list[1] = list[2] = &fr.pkt;
	for (i = 0; i < 6; i++)
		rf_give(f, LOW + 80 * i, 80, WRITE);
	for (way = 0; way < 2; way++) {
		vs_mem_faults = way == 0;
		f->mem.lost = way == 1;
		vs_ring_push(&f->ring, list, 3, fate);
		for (i = 0; i < 3; i++)
			assert_int_equal(fate[i], VS_DROP_MEM_LOST);
		assert_int_equal(rf_used_idx(f), 65535);
		assert_int_equal(f->ring.next_avail, 65535);
		assert_int_equal(f->ring.next_used, 65535);
		assert_int_equal(rf_calls(f), 0);
	}
	vs_mem_faults = 0;
	f->mem.lost = 0;
	vs_ring_push(&f->ring, list, 3, fate);
	for (i = 0; i < 3; i++)
		assert_int_equal(fate[i], VS_DROP_NONE);
	assert_int_equal(rf_used_idx(f), 5);
	rf_frame_free(&fr);
	rf_free(f);
}

/* TOCTOU: descriptors and index change while they are used. */
struct flipper {
	struct rf *f;
	int stop;
};

static void *flip(void *arg)
{
	static const uint32_t lens[] = {0, 1, 11, 12, 300, 0x8000, UINT32_MAX};
	static const uint16_t flags[] = {WRITE, WRITE | NEXT, INDIRECT, WRITE, 0};
	struct flipper *fl = arg;
	struct vs_ring *ring = &fl->f->ring;
	struct vring_desc *table = (struct vring_desc *)(void *)rf_at(fl->f, TABLE);
	uint32_t r = 1;

	while (!__atomic_load_n(&fl->stop, __ATOMIC_RELAXED)) {
		struct vring_desc *d;

		r = r * 1103515245 + 12345;
		d = (r >> 30) ? &ring->desc[(r >> 8) & 15] : &table[(r >> 8) & 15];
		__atomic_store_n(&d->len, htole32(lens[(r >> 12) % 7]), __ATOMIC_RELAXED);
		__atomic_store_n(&d->flags, htole16(flags[(r >> 16) % 5]), __ATOMIC_RELAXED);
		__atomic_store_n(&d->next, htole16((r >> 20) & 15), __ATOMIC_RELAXED);
		__atomic_store_n(&d->addr, htole64((r >> 28) & 1 ? TABLE : LOW + (r & 0xffff)),
				 __ATOMIC_RELAXED);
		__atomic_store_n(&ring->avail->idx,
				 htole16((uint16_t)(ring->used->idx + ((r >> 9) & 15))),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_rewritten_while_used(void **state)
{
	struct rf *f = rf_new(16, RF_MODERN, 0);
	struct flipper fl = {.f = f};
	time_t deadline = time(NULL) + 30;
	unsigned int sent = 0;
	unsigned int faults = 0;
	struct vs_pkt *list[8];
	struct rf_frame fr;
	unsigned int i;
	pthread_t thread;

	for (i = 0; i < 16; i++)
		f->ring.avail->ring[i] = htole16((uint16_t)i);
	rf_frame_make(&fr, 300, 100, 1);
	for (i = 0; i < 8; i++)
		list[i] = &fr.pkt;
	assert_int_equal(pthread_create(&thread, NULL, flip, &fl), 0);
	/* Until the other thread has had its share, however late it was scheduled. */
	for (i = 0; i < 30000 || ((!sent || !faults) && time(NULL) < deadline); i++) {
		uint16_t before = f->ring.next_used;
		uint8_t fate[8];
		unsigned int p;

		memset(fate, 0xff, sizeof(fate));
		vs_ring_push(&f->ring, list, 8, fate);
		for (p = 0; p < 8; p++) {
			assert_true(fate[p] < VS_DROP_COUNT);
			sent += fate[p] == VS_DROP_NONE;
		}
		assert_true((uint16_t)(f->ring.next_used - before) <= 16);
		assert_int_equal(f->ring.next_used, f->ring.next_avail);
		if (!vs_ring_usable(&f->ring)) {
			faults++;
			rf_restart(f, f->ring.next_avail);
		}
	}
	__atomic_store_n(&fl.stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(sent > 0 && faults > 0);
	rf_frame_free(&fr);
	rf_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rx_full_in_the_middle),
		cmocka_unit_test(test_small_frame_after_full),
		cmocka_unit_test(test_rx_small),
		cmocka_unit_test(test_header_small),
		cmocka_unit_test(test_rx_pieces),
		cmocka_unit_test(test_rx_pieces_of_a_burst),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_nothing_after_a_fault),
		cmocka_unit_test(test_avail_jump),
		cmocka_unit_test(test_index_taken_back),
		cmocka_unit_test(test_index_runs_ahead),
		cmocka_unit_test(test_memory_lost),
		cmocka_unit_test(test_rewritten_while_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
