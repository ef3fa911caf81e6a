/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from the guest: the good shapes of vs_ring_pull(). What goes wrong: test_ring_pull_bad.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/ring_chain.h"
#include "tests/unit/ring_fixture.h"

#include <string.h>

static void test_header_in_own_descriptor(void **state)
{
	struct rf *f = rf_new(16, RF_LEGACY, 0);
	const struct rf_buf buf[] = {{LOW, 10}, {LOW + 0x1000, 1514}};
	uint16_t head;

	rf_place(f, LOW, 10, 0, 0);
	rf_place(f, LOW + 0x1000, 0, 1514, 5);
	head = rf_chain(f, buf, 2, 0);
	assert_int_equal(rf_pull(f), 1);
	rf_expect_frame(&f->burst->pkt[0], 1514, 5);
	assert_int_equal(f->burst->pkt[0].n_ext, 1);
	rf_expect_back(f, &head, 1);
	rf_free(f);
}

static void test_header_and_data_together(void **state)
{
	static const uint32_t lens[] = {1, 13, 14, 60, 127, 128, 129, 1514, 9230, 65550};
	struct rf *f = rf_new(16, RF_PLAIN, 0xfff8);
	uint16_t head;
	unsigned int i;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		rf_place(f, LOW + i, 12, lens[i], i);
		head = rf_give(f, LOW + i, 12 + lens[i], 0);
		assert_int_equal(rf_pull(f), 1);
		rf_expect_frame(&f->burst->pkt[0], lens[i], i);
		rf_expect_back(f, &head, 1);
	}
	rf_free(f);
}

static void test_virtio_header_is_copied(void **state)
{
	struct rf *f = rf_new(16, RF_LEGACY, 0);
	struct virtio_net_hdr_mrg_rxbuf *v = &f->burst->pkt[0].vnet;

	rf_fill(rf_at(f, LOW), 100, 1);
	rf_give(f, LOW, 100, 0);
	assert_int_equal(rf_pull(f), 1);
	assert_memory_equal(v, rf_at(f, LOW), 10);
	assert_int_equal(v->num_buffers, 0); /* not part of a header of 10 bytes */
	rf_free(f);
}

static void test_one_byte_descriptors(void **state)
{
	struct rf *f = rf_new(64, RF_PLAIN, 0);
	struct rf_buf buf[64];
	uint16_t head;
	unsigned int i;

	for (i = 0; i < 64; i++)
		buf[i] = (struct rf_buf){LOW + 0x100 * i, 1};
	for (i = 0; i < 12; i++)
		*rf_at(f, buf[i].gpa) = 0;
	for (; i < 64; i++)
		*rf_at(f, buf[i].gpa) = rf_byte(i - 12, 9);
	head = rf_chain(f, buf, 64, 0);
	assert_int_equal(rf_pull(f), 1);
	rf_expect_frame(&f->burst->pkt[0], 52, 9);
	assert_int_equal(f->burst->pkt[0].n_ext, 0);
	rf_expect_back(f, &head, 1);
	rf_free(f);
}

static void test_two_to_64_descriptors(void **state)
{
	struct rf *f = rf_new(256, RF_MODERN, 0);
	struct rf_buf buf[64];
	uint16_t head;
	unsigned int n;
	unsigned int i;
	int indirect;

	for (n = 2; n <= 64; n++) {
		rf_place(f, LOW, 12, n * 300 - 12, n);
		for (i = 0; i < n; i++)
			buf[i] = (struct rf_buf){LOW + 300 * i, 300};
		for (indirect = 0; indirect < 2; indirect++) {
			head = indirect ? rf_indirect(f, TABLE, buf, n, 0) : rf_chain(f, buf, n, 0);
			assert_int_equal(rf_pull(f), 1);
			rf_expect_frame(&f->burst->pkt[0], n * 300 - 12, n);
			rf_expect_back(f, &head, 1);
		}
	}
	assert_string_equal(rf_fault(f), "ok");
	rf_free(f);
}

static void test_direct_then_indirect(void **state)
{
	struct rf *f = rf_new(16, RF_MODERN, 0);
	uint16_t head = 4;

	rf_place(f, LOW, 12, 500, 3);
	rf_desc(f, 4, LOW, 12, NEXT, 9);
	rf_desc(f, 9, LOW + 12, 100, NEXT, 2);
	/* The table is neither aligned nor in order; WRITE of the table itself is ignored. */
	rf_desc(f, 2, TABLE + 3, 16 * 3, INDIRECT | WRITE, 0);
	rf_desc_at(f, TABLE + 3, 0, LOW + 112, 200, NEXT, 2);
	rf_desc_at(f, TABLE + 3, 2, LOW + 312, 200, 0, 0);
	rf_offer(f, 4);
	assert_int_equal(rf_pull(f), 1);
	rf_expect_frame(&f->burst->pkt[0], 500, 3);
	rf_expect_back(f, &head, 1);
	rf_free(f);
}

static void test_zero_length_descriptors(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);
	const struct rf_buf buf[] = {
		{UINT64_MAX, 0},
		{LOW, 12},
		{0, 0},
		{LOW + 12, 50},
		{LOW + LOW_BYTES + HIGH_BYTES, 0},
	};

	rf_place(f, LOW, 12, 50, 2);
	rf_chain(f, buf, 5, 0);
	assert_int_equal(rf_pull(f), 1);
	rf_expect_frame(&f->burst->pkt[0], 50, 2);
	assert_string_equal(rf_fault(f), "ok");
	rf_free(f);
}

static void test_ring_sizes_and_wrap(void **state)
{
	static const uint32_t sizes[] = {1, 2, 256, 32768};
	unsigned int s;
	unsigned int i;

	for (s = 0; s < 4; s++) {
		unsigned int n = sizes[s] < VS_BURST_MAX ? sizes[s] : VS_BURST_MAX;
		struct rf *f = rf_new(sizes[s], RF_PLAIN, 65535 - 70);
		uint16_t head[VS_BURST_MAX];
		unsigned int round;

		for (i = 0; i < n; i++)
			rf_place(f, LOW + 0x200 * i, 12, 60 + i, i);
		for (round = 0; round < 140; round++) {
			for (i = 0; i < n; i++)
				head[i] = rf_give(f, LOW + 0x200 * i, 72 + i, 0);
			assert_int_equal(rf_pull(f), n);
			for (i = 0; i < n; i++)
				rf_expect_frame(&f->burst->pkt[i], 60 + i, i);
			rf_expect_back(f, head, n);
		}
		assert_int_equal(rf_pull(f), 0);
		rf_free(f);
	}
}

static void test_full_ring_comes_in_bursts(void **state)
{
	struct rf *f = rf_new(32768, RF_PLAIN, 40000);
	unsigned int total = 0;
	unsigned int i;

	for (i = 0; i < 32768; i++)
		rf_give(f, LOW, 80, 0);
	while (rf_pull(f)) {
		assert_int_equal(f->burst->n, VS_BURST_MAX);
		total += f->burst->n;
		vs_ring_pull_done(&f->ring);
	}
	assert_int_equal(total, 32768);
	assert_int_equal(rf_used_idx(f), (uint16_t)(40000 + 32768));
	assert_string_equal(rf_fault(f), "ok");
	rf_free(f);
}

static void test_exactly_the_header(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);
	struct rf *old = rf_new(16, RF_LEGACY, 0);

	rf_give(f, LOW, 12, 0);
	assert_int_equal(rf_pull(f), 1);
	assert_int_equal(f->burst->pkt[0].drop, VS_DROP_NONE); /* a runt for offload ingress */
	assert_int_equal(f->burst->pkt[0].len, 0);
	assert_int_equal(f->burst->pkt[0].hdr_len, 0);

	rf_give(old, LOW, 9, 0);
	rf_give(old, LOW, 10, 0);
	assert_int_equal(rf_pull(old), 2);
	assert_int_equal(old->burst->pkt[0].drop, VS_DROP_VNET_SHORT);
	assert_int_equal(old->burst->pkt[1].drop, VS_DROP_NONE);
	assert_int_equal(old->burst->pkt[1].len, 0);
	rf_free(f);
	rf_free(old);
}

static void test_visit_budget(void **state)
{
	struct rf *f = rf_new(256, RF_PLAIN, 0);
	unsigned int i;

	for (i = 0; i < 64; i++)
		rf_give(f, LOW, 12 + 60000, 0);
	rf_place(f, LOW, 12, 60000, 0);
	*rf_at(f, LOW + 12) = 0x02;
	assert_int_equal(rf_pull(f), VS_VISIT_BYTES / 60000 + 1);
	vs_ring_pull_done(&f->ring);
	/* A group address costs as much as there are receivers. */
	*rf_at(f, LOW + 12) = 0xff;
	f->burst->n = f->burst->n_ext = 0;
	vs_ring_pull(&f->ring, f->burst, 5);
	assert_int_equal(f->burst->n, 2);
	vs_ring_pull_done(&f->ring);
	f->burst->n = f->burst->n_ext = 0;
	vs_ring_pull(&f->ring, f->burst, 0);
	assert_int_equal(f->burst->n, VS_VISIT_BYTES / 60000 + 1);
	rf_free(f);
}

/* Time is limited from the first chain on that is not a single buffer; one is always taken. */
static void test_walk_budget(void **state)
{
	static const struct rf_buf usual[] = {{LOW, 112}};
	static const struct rf_buf odd[] = {{LOW, 12}, {LOW + 200, 100}};
	struct rf *f = rf_new(256, RF_PLAIN, 0);
	unsigned int i;

	for (i = 0; i < 4; i++)
		rf_chain(f, usual, 1, 0);
	for (i = 0; i < 3; i++)
		rf_chain(f, odd, 2, 0);
	for (i = 0; i < 4; i++)
		rf_chain(f, usual, 1, 0);
	/* Over before the second one, however fast this is. */
	f->ring.walk_ticks = 1;
	assert_int_equal(rf_pull(f), 5);
	vs_ring_pull_done(&f->ring);
	assert_int_equal(rf_pull(f), 1);
	vs_ring_pull_done(&f->ring);
	assert_int_equal(rf_pull(f), 5);
	vs_ring_pull_done(&f->ring);
	assert_int_equal(rf_pull(f), 0);
	assert_int_equal(f->ring.fault, VS_RING_OK);
	/* Time enough, and no limit. */
	for (i = 0; i < 6; i++)
		rf_chain(f, odd, 2, 0);
	f->ring.walk_ticks = UINT64_MAX / 2;
	assert_int_equal(rf_pull(f), 6);
	vs_ring_pull_done(&f->ring);
	f->ring.walk_ticks = 0;
	for (i = 0; i < 6; i++)
		rf_chain(f, odd, 2, 0);
	assert_int_equal(rf_pull(f), 6);
	rf_free(f);
}

static void test_extent_budget(void **state)
{
	struct rf *f = rf_new(4096, RF_PLAIN, 0);
	struct rf_buf buf[64];
	unsigned int total = 0;
	unsigned int i;

	for (i = 0; i < 64; i++)
		buf[i] = (struct rf_buf){LOW + 200 * i, 200};
	for (i = 0; i < 40; i++)
		rf_chain(f, buf, 64, 0);
	while (rf_pull(f)) {
		assert_true(f->burst->n_ext <= VS_BURST_EXTENTS);
		total += f->burst->n;
		vs_ring_pull_done(&f->ring);
	}
	assert_int_equal(total, 40);
	rf_free(f);
}

static void test_header_is_private(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);
	uint32_t i;

	rf_place(f, LOW, 12, 400, 6);
	rf_give(f, LOW, 412, 0);
	assert_int_equal(rf_pull(f), 1);
	memset(rf_at(f, LOW), 0xee, 412);
	for (i = 0; i < VS_HDR_BYTES; i++)
		assert_int_equal(f->burst->pkt[0].hdr[i], rf_byte(i, 6));
	assert_int_equal(f->burst->pkt[0].vnet.hdr.flags, 0);
	rf_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_in_own_descriptor),
		cmocka_unit_test(test_header_and_data_together),
		cmocka_unit_test(test_virtio_header_is_copied),
		cmocka_unit_test(test_one_byte_descriptors),
		cmocka_unit_test(test_two_to_64_descriptors),
		cmocka_unit_test(test_direct_then_indirect),
		cmocka_unit_test(test_zero_length_descriptors),
		cmocka_unit_test(test_ring_sizes_and_wrap),
		cmocka_unit_test(test_full_ring_comes_in_bursts),
		cmocka_unit_test(test_exactly_the_header),
		cmocka_unit_test(test_visit_budget),
		cmocka_unit_test(test_walk_budget),
		cmocka_unit_test(test_extent_budget),
		cmocka_unit_test(test_header_is_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
