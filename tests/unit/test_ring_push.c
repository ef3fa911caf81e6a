/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames to the guest: the good shapes of vs_ring_push(). What goes wrong: test_ring_push_bad.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/ring_chain.h"
#include "tests/unit/ring_fixture.h"

#include <string.h>

/* One chain of one buffer of @size bytes must hold the whole frame. */
static void expect_whole(struct rf *f, uint64_t gpa, uint16_t head, uint32_t len, uint32_t seed)
{
	struct vring_used_elem e;
	const uint8_t *p = rf_at(f, gpa);
	uint32_t hdr = f->ring.hdr_len;
	uint32_t i;

	assert_true(rf_used(f, &e));
	assert_int_equal(e.id, head);
	assert_int_equal(e.len, hdr + len);
	for (i = 0; i < 10; i++)
		assert_int_equal(p[i], 0);
	if (hdr == 12) {
		assert_int_equal(p[10], 1); /* num_buffers, set for all but the oldest drivers */
		assert_int_equal(p[11], 0);
	}
	for (i = 0; i < len; i++)
		if (p[hdr + i] != rf_byte(i, seed))
			fail_msg("byte %u of %u differs", i, len);
	/* Nothing behind it was touched. */
	assert_int_equal(p[hdr + len], 0xaa);
}

static void test_whole_frames(void **state)
{
	static const uint32_t lens[] = {14, 60, 127, 128, 129, 1514, 9230, 65550};
	enum rf_driver driver;
	unsigned int i;

	for (driver = RF_MODERN; driver <= RF_MERGEABLE; driver++) {
		struct rf *f = rf_new(4, driver, 65533);

		for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			struct rf_frame fr;
			uint16_t head;

			memset(rf_at(f, LOW), 0xaa, 0x11000);
			rf_frame_make(&fr, lens[i], 700, i);
			head = rf_give(f, LOW, 0x10100, WRITE);
			assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
			expect_whole(f, LOW, head, lens[i], i);
			rf_frame_free(&fr);
		}
		rf_free(f);
	}
}

static void test_exact_fit(void **state)
{
	struct rf *f = rf_new(8, RF_PLAIN, 0);
	struct rf_frame fr;
	uint16_t head;

	rf_frame_make(&fr, 1000, 300, 1);
	memset(rf_at(f, LOW), 0xaa, 2000);
	head = rf_give(f, LOW, 1012, WRITE);
	assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
	expect_whole(f, LOW, head, 1000, 1);
	rf_frame_free(&fr);
	rf_free(f);
}

/* A chain in pieces of @piece bytes, header included. */
static void deliver_in_pieces(struct rf *f, uint32_t piece, uint32_t len, int indirect)
{
	struct rf_buf buf[256];
	unsigned int n = (len + f->ring.hdr_len + piece - 1) / piece;
	struct vring_used_elem e;
	struct rf_frame fr;
	unsigned int i;
	uint16_t head;

	assert_true(n <= 256);
	rf_frame_make(&fr, len, 50, piece);
	for (i = 0; i < n; i++)
		buf[i] = (struct rf_buf){LOW + (uint64_t)i * (piece + 3), piece};
	memset(rf_at(f, LOW), 0xaa, (size_t)n * (piece + 3));
	head = indirect ? rf_indirect(f, TABLE, buf, n, WRITE) : rf_chain(f, buf, n, WRITE);
	assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
	assert_true(rf_used(f, &e));
	assert_int_equal(e.id, head);
	assert_int_equal(e.len, f->ring.hdr_len + len);
	for (i = 0; i < n * (piece + 3); i++) {
		uint32_t at = i / (piece + 3) * piece + i % (piece + 3);
		uint8_t want = rf_byte(at - f->ring.hdr_len, piece);

		if (i % (piece + 3) >= piece || at >= f->ring.hdr_len + len)
			want = 0xaa;
		else if (at < f->ring.hdr_len)
			want = at == 10;
		if (*rf_at(f, LOW + i) != want)
			fail_msg("piece %u: byte %u", piece, i);
	}
	rf_frame_free(&fr);
}

static void test_scattered_chains(void **state)
{
	enum rf_driver driver;
	uint32_t piece;

	for (driver = RF_MODERN; driver <= RF_MERGEABLE; driver++) {
		struct rf *f = rf_new(256, driver, 65500);

		for (piece = 1; piece < 30; piece++)
			deliver_in_pieces(f, piece, 200, 0);
		if (driver == RF_MODERN)
			for (piece = 1; piece < 30; piece++)
				deliver_in_pieces(f, piece, 200, 1);
		assert_string_equal(rf_fault(f), "ok");
		rf_free(f);
	}
}

/* Many buffers of @size bytes; the frame takes as many as it needs. */
static void deliver_merged(struct rf *f, uint32_t size, uint32_t len)
{
	uint32_t total = len + 12;
	uint32_t n = (total + size - 1) / size;
	struct vring_used_elem e;
	uint32_t at = 0;
	struct rf_frame fr;
	uint16_t head[512];
	uint32_t i;

	assert_true(n + 1 <= 512);
	rf_frame_make(&fr, len, 333, size);
	memset(rf_at(f, LOW), 0xaa, (size_t)(n + 1) * size);
	for (i = 0; i <= n; i++) /* one more than it needs */
		head[i] = rf_give(f, LOW + (uint64_t)i * size, size, WRITE);
	assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
	for (i = 0; i < n; i++) {
		uint32_t part = total - at < size ? total - at : size;

		assert_true(rf_used(f, &e));
		assert_int_equal(e.id, head[i]);
		assert_int_equal(e.len, part);
		at += part;
	}
	assert_false(rf_used(f, &e));
	assert_int_equal(rf_at(f, LOW)[10] | rf_at(f, LOW)[11] << 8, n);
	for (i = 0; i < len; i++)
		if (*rf_at(f, LOW + 12 + i) != rf_byte(i, size))
			fail_msg("size %u: byte %u", size, i);
	assert_int_equal(*rf_at(f, LOW + total), 0xaa);
	rf_frame_free(&fr);
	/* Use up the spare one. */
	rf_frame_make(&fr, 1, 1, 0);
	fr.pkt.len = fr.pkt.hdr_len = 0;
	assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
	assert_true(rf_used(f, &e));
	assert_int_equal(e.id, head[n]);
	rf_frame_free(&fr);
}

static void test_mergeable(void **state)
{
	struct rf *f = rf_new(512, RF_MERGEABLE, 65000);
	uint32_t n;

	for (n = 1; n <= 20; n++) {
		deliver_merged(f, 1500, n * 1500 - 12);
		deliver_merged(f, 1500, n * 1500 - 13);
		deliver_merged(f, 1500, n * 1500 - 11);
	}
	deliver_merged(f, 200, 65550);
	deliver_merged(f, 12, 14);
	deliver_merged(f, 13, 600);
	assert_string_equal(rf_fault(f), "ok");
	rf_free(f);
}

/* A tagged frame's private header is longer than any that was received. */
static void test_tagged_header(void **state)
{
	struct rf *f = rf_new(64, RF_MODERN, 0);
	const uint16_t hdr_len = VS_HDR_BYTES + VS_TAG_BYTES;
	struct vring_used_elem e;
	struct rf_frame fr;
	uint32_t i;

	rf_frame_make(&fr, 400, 77, 8);
	fr.pkt.hdr_len = hdr_len;
	fr.ext[0] = (struct vs_extent){fr.bytes + hdr_len, 400u - hdr_len};
	fr.pkt.n_ext = 1;
	(void)rf_give(f, LOW, 600, WRITE);
	assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
	assert_true(rf_used(f, &e));
	assert_int_equal(e.len, f->ring.hdr_len + 400);
	for (i = 0; i < 400; i++)
		assert_int_equal(*rf_at(f, LOW + f->ring.hdr_len + i), fr.bytes[i]);
	rf_frame_free(&fr);
	rf_free(f);
}

static void test_merged_chains(void **state)
{
	struct rf *f = rf_new(64, RF_MODERN, 0);
	const struct rf_buf a[] = {{LOW, 5}, {LOW + 5, 0}, {LOW + 5, 95}};
	const struct rf_buf b[] = {{LOW + 100, 1}, {LOW + 101, 99}};
	struct vring_used_elem e;
	struct rf_frame fr;
	uint16_t head[3];
	uint32_t i;

	rf_frame_make(&fr, 250, 77, 8);
	head[0] = rf_chain(f, a, 3, WRITE);
	head[1] = rf_indirect(f, TABLE, b, 2, WRITE);
	head[2] = rf_give(f, LOW + 200, 100, WRITE);
	assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
	for (i = 0; i < 3; i++) {
		assert_true(rf_used(f, &e));
		assert_int_equal(e.id, head[i]);
		assert_int_equal(e.len, i < 2 ? 100 : 62);
	}
	assert_int_equal(*rf_at(f, LOW + 10), 3);
	for (i = 0; i < 250; i++)
		assert_int_equal(*rf_at(f, LOW + 12 + i), rf_byte(i, 8));
	rf_frame_free(&fr);
	rf_free(f);
}

static void test_burst_is_published_once(void **state)
{
	struct rf *f = rf_new(256, RF_PLAIN, 65500);
	struct rf_frame fr[VS_BURST_MAX];
	struct vs_pkt *list[VS_BURST_MAX];
	uint8_t fate[VS_BURST_MAX];
	uint16_t head[VS_BURST_MAX];
	unsigned int i;

	memset(rf_at(f, LOW), 0xaa, LOW_BYTES);
	for (i = 0; i < VS_BURST_MAX; i++) {
		rf_frame_make(&fr[i], 60 + i * 20, 100, i);
		list[i] = &fr[i].pkt;
		head[i] = rf_give(f, LOW + 0x1000 * i, 0x1000, WRITE);
	}
	vs_ring_push(&f->ring, list, VS_BURST_MAX, fate);
	assert_int_equal(rf_calls(f), 1);
	for (i = 0; i < VS_BURST_MAX; i++) {
		assert_int_equal(fate[i], VS_DROP_NONE);
		expect_whole(f, LOW + 0x1000 * i, head[i], 60 + i * 20, i);
		rf_frame_free(&fr[i]);
	}
	rf_free(f);
}

static void test_ring_sizes_and_wrap(void **state)
{
	static const uint32_t sizes[] = {1, 2, 256, 32768};
	unsigned int s;

	for (s = 0; s < 4; s++) {
		struct rf *f = rf_new(sizes[s], RF_MODERN, 65535 - 20);
		struct rf_frame fr;
		unsigned int i;

		rf_frame_make(&fr, 90, 90, s);
		f->ring.avail->ring[sizes[s]] = htole16(5);
		for (i = 0; i < 300; i++) {
			uint16_t head = rf_give(f, LOW, 200, WRITE);

			memset(rf_at(f, LOW), 0xaa, 200);
			assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
			expect_whole(f, LOW, head, 90, s);
		}
		assert_int_equal(rf_calls(f), 1); /* index 5 was passed once */
		assert_int_equal(rf_push(f, &fr), VS_DROP_RX_FULL);
		rf_frame_free(&fr);
		rf_free(f);
	}
}

static void test_largest_ring_full(void **state)
{
	struct rf *f = rf_new(32768, RF_MERGEABLE, 0);
	struct vring_used_elem e;
	struct rf_frame fr;
	unsigned int i;

	for (i = 0; i < 32768; i++)
		rf_give(f, LOW, 100, WRITE);
	rf_frame_make(&fr, 80, 80, 1);
	for (i = 0; i < 32768; i++) {
		assert_int_equal(rf_push(f, &fr), VS_DROP_NONE);
		assert_true(rf_used(f, &e));
		assert_int_equal(e.id, i);
	}
	assert_int_equal(rf_push(f, &fr), VS_DROP_RX_FULL);
	assert_string_equal(rf_fault(f), "ok");
	rf_frame_free(&fr);
	rf_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_frames),
		cmocka_unit_test(test_exact_fit),
		cmocka_unit_test(test_scattered_chains),
		cmocka_unit_test(test_mergeable),
		cmocka_unit_test(test_tagged_header),
		cmocka_unit_test(test_merged_chains),
		cmocka_unit_test(test_burst_is_published_once),
		cmocka_unit_test(test_ring_sizes_and_wrap),
		cmocka_unit_test(test_largest_ring_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
