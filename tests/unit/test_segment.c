/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The segmenter, against the same rules written down plainly, and against what a receiver checks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "segment_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROUNDS = 3000,
	FIN = 1,
	PSH = 8,
	ACK = 16,
	CWR = 128,
};

static struct seg_frame frame;
static struct seg_row row;

/* A way that depends on the seed: how much is private, in which pieces the rest comes. */
static struct seg_way way_random(uint32_t *seed)
{
	uint32_t most = frame.len < VS_HDR_BYTES ? frame.len : VS_HDR_BYTES;
	struct seg_way way = {
		.csum = seg_random(seed) % 2 ? VS_SEGMENT_CSUM_FULL : VS_SEGMENT_CSUM_PARTIAL,
		.longest = seg_random(seed) % 2 ? 100 : 9000,
		.room = seg_random(seed) % 4 ? SEG_EXTENTS : seg_random(seed) % 3,
	};

	/* Behind a tunnel the headers may be longer than what is taken from a guest. */
	if (most < frame.debt.hdrs)
		most = frame.debt.hdrs;
	way.private = (uint16_t)(frame.debt.hdrs + seg_random(seed) % (most - frame.debt.hdrs + 1));
	return way;
}

static void check(const struct seg_shape *shape, const struct seg_way *way, uint32_t *seed)
{
	unsigned int i;

	assert_int_equal(seg_cut(&frame, way, seed, &row), 0);
	assert_true(seg_agrees(&frame, &row, way->csum));
	if (way->csum != VS_SEGMENT_CSUM_FULL || shape->tags)
		return;
	for (i = 0; i < row.n; i++)
		assert_true(seg_is_sound(row.bytes + row.at[i], row.at[i + 1] - row.at[i]));
}

static void test_random(void **state)
{
	uint32_t seed = 20261;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		struct seg_shape shape = seg_shape_random(&seed);
		struct seg_way way;

		if (i % 8 == 0)
			shape.tags = 2;
		seg_build(&shape, &frame);
		if (frame.debt.hdrs > VS_HDR_BYTES)
			continue;
		way = way_random(&seed);
		check(&shape, &way, &seed);
	}
}

/* Inside of NVGRE (RFC 7637), over IPv4 and IPv6, inner and outer version independent. */
static void test_tunnel(void **state)
{
	uint32_t seed = 7637;
	unsigned int i;

	for (i = 0; i < ROUNDS / 4; i++) {
		struct seg_shape shape = seg_shape_random(&seed);
		struct seg_way way;

		shape.outer = i % 2 ? 4 : 6;
		/* There is no tag inside (RFC 7637, 3.2). */
		shape.tags = 0;
		seg_build(&shape, &frame);
		assert_true(frame.debt.hdrs <= sizeof(struct vs_hdr_slot));
		if (shape.payload > 65535 - 200u)
			continue;
		way = way_random(&seed);
		check(&shape, &way, &seed);
	}
}

/* The first, the middle and the last, with figures that are written out. */
static void test_by_hand(void **state)
{
	const struct seg_shape shape = {.version = 4,
					.flags = CWR | ACK | PSH | FIN,
					.id = 0xffff,
					.gso_size = 1000,
					.seq = 0xfffffc18,
					.payload = 2001};
	const struct seg_way way = {VS_SEGMENT_CSUM_FULL, 54, 4096, SEG_EXTENTS};
	static const uint8_t id[3][2] = {{0xff, 0xff}, {0, 0}, {0, 1}};
	static const uint8_t seq[3][4] = {{0xff, 0xff, 0xfc, 0x18}, {0, 0, 0, 0}, {0, 0, 3, 0xe8}};
	static const uint8_t flags[3] = {CWR | ACK, ACK, ACK | PSH | FIN};
	static const uint8_t len[3][2] = {{4, 16}, {4, 16}, {0, 41}};
	uint32_t seed = 1;
	unsigned int i;

	seg_build(&shape, &frame);
	assert_int_equal(seg_cut(&frame, &way, &seed, &row), 0);
	assert_int_equal(row.n, 3);
	for (i = 0; i < 3; i++) {
		const uint8_t *at = row.bytes + row.at[i];

		assert_memory_equal(at + 16, len[i], 2);
		assert_memory_equal(at + 18, id[i], 2);
		assert_memory_equal(at + 38, seq[i], 4);
		assert_int_equal(at[47], flags[i]);
		assert_true(seg_is_sound(at, row.at[i + 1] - row.at[i]));
	}
}

/* A UDP checksum of zero means that there is none: the sum is made zero by the last two bytes. */
static void test_udp_zero(void **state)
{
	const struct seg_shape shape = {.version = 4, .udp = 1, .gso_size = 100, .payload = 200};
	const struct seg_way way = {VS_SEGMENT_CSUM_FULL, 42, 4096, SEG_EXTENTS};
	unsigned int zeros = 0;
	uint32_t seed = 1;
	unsigned int i;

	seg_build(&shape, &frame);
	for (i = 0; i < 65536; i++) {
		const uint8_t *field;

		frame.bytes[140] = (uint8_t)(i >> 8);
		frame.bytes[141] = (uint8_t)i;
		assert_int_equal(seg_cut(&frame, &way, &seed, &row), 0);
		field = row.bytes + 40;
		assert_true(field[0] || field[1]);
		zeros += field[0] == 0xff && field[1] == 0xff;
		assert_true(seg_is_sound(row.bytes, row.at[1]));
	}
	/* One value gives it, or two: 0000 and FFFF. */
	assert_in_range(zeros, 1, 2);
}

/* What must be refused, with the frame as it was. */
static void test_refused(void **state)
{
	const struct seg_shape shape = {.version = 4,
					.flags = ACK,
					.gso_size = 1000,
					.payload = 10000,
					.tcp_opts = 3};
	const struct seg_way way = {VS_SEGMENT_CSUM_FULL, 100, 4096, SEG_EXTENTS};
	const struct seg_way cut = {VS_SEGMENT_CSUM_FULL, 65, 4096, SEG_EXTENTS};
	struct vs_debt good;
	uint32_t seed = 1;
	unsigned int i;

	seg_build(&shape, &frame);
	good = frame.debt;
	assert_int_equal(good.hdrs, 66);
	assert_int_equal(seg_cut(&frame, &way, &seed, &row), 0);
	assert_int_equal(seg_cut(&frame, &cut, &seed, &row), -EINVAL);
	/* No tunnel's IP header there. */
	for (i = 1; i < 128; i++) {
		frame.outer_l3 = (uint16_t)i;
		assert_int_equal(seg_cut(&frame, &way, &seed, &row), -EINVAL);
	}
	/* Nor behind the private bytes. */
	frame.debt.l3 = UINT16_MAX;
	frame.outer_l3 = 101;
	assert_int_equal(seg_cut(&frame, &way, &seed, &row), -EINVAL);
	frame.outer_l3 = 0;
#define TRY(field, value, error)                                             \
	do {                                                                 \
		frame.debt = good;                                           \
		frame.debt.field = (value);                                  \
		assert_int_equal(seg_cut(&frame, &way, &seed, &row), error); \
		assert_int_equal(row.n, 0);                                  \
	} while (0)
	TRY(gso, VS_GSO_NONE, -EINVAL);
	TRY(gso_size, 0, -EINVAL);
	TRY(hdrs, 101, -EINVAL);
	TRY(hdrs, 53, -EINVAL);
	TRY(hdrs, 0, -EINVAL);
	TRY(hdrs, 65535, -EINVAL);
	TRY(csum_start, 65535, -EINVAL);
	TRY(csum_start, 33, -EINVAL);
	TRY(csum_start, 47, -EINVAL);
	TRY(csum_offset, 19, -EINVAL);
	TRY(csum_offset, 65535, -EINVAL);
	TRY(l3, 15, -EINVAL);
	TRY(l3, 34, -EINVAL);
	TRY(l3, 65535, -EINVAL);
	TRY(gso_size, (10000 - 1) / VS_SEGMENTS_MAX, -E2BIG);
	frame.debt = good;
	frame.bytes[14] = 0x44;
	assert_int_equal(seg_cut(&frame, &way, &seed, &row), -EINVAL);
	frame.bytes[14] = 0x75;
	assert_int_equal(seg_cut(&frame, &way, &seed, &row), -EINVAL);
	frame.bytes[14] = 0x65;
	assert_int_equal(seg_cut(&frame, &way, &seed, &row), -EINVAL);
}

/* One byte less than IP can say, and one more. */
static void test_longest(void **state)
{
	struct seg_shape shape = {.version = 4, .flags = ACK, .gso_size = 65495, .payload = 65496};
	const struct seg_way way = {VS_SEGMENT_CSUM_FULL, 54, 65535, SEG_EXTENTS};
	uint32_t seed = 1;

	seg_build(&shape, &frame);
	assert_int_equal(seg_cut(&frame, &way, &seed, &row), 0);
	assert_int_equal(row.n, 2);
	assert_true(seg_agrees(&frame, &row, way.csum));
	shape.gso_size++;
	shape.payload++;
	seg_build(&shape, &frame);
	assert_int_equal(seg_cut(&frame, &way, &seed, &row), -EMSGSIZE);
}

/* A packet that has fewer bytes than it says ends there; nothing beyond is touched. */
static void test_short_extents(void **state)
{
	const struct seg_shape shape = {.version = 6, .flags = ACK, .gso_size = 100, .payload = 300};
	struct vs_extent ext[1];
	struct vs_extent out[8];
	struct vs_hdr_slot slot;
	struct vs_segments segs;
	struct vs_pkt made;
	struct vs_pkt pkt = {.ext = ext, .n_ext = 1};
	unsigned int n = 0;

	seg_build(&shape, &frame);
	pkt.hdr = frame.bytes;
	pkt.hdr_len = frame.debt.hdrs;
	pkt.len = frame.len;
	pkt.debt = frame.debt;
	ext[0] = (struct vs_extent){frame.bytes + frame.debt.hdrs, 150};
	assert_int_equal(vs_segment_begin(&segs, &pkt, 0), 0);
	while (vs_segment_next(&segs, VS_SEGMENT_CSUM_FULL, &made, &slot, out, 8) == 1) {
		assert_int_equal(made.n_ext, n < 2);
		n++;
	}
	assert_int_equal(n, 3);
}

/* Without room nothing is made, and the next try begins where the last one did. */
static void test_room(void **state)
{
	const struct seg_shape shape = {.version = 4, .flags = ACK, .gso_size = 10, .payload = 100};
	struct seg_way way = {VS_SEGMENT_CSUM_FULL, 54, 3, 0};
	uint32_t seed = 3;

	seg_build(&shape, &frame);
	for (way.room = 0; way.room < 12; way.room++) {
		assert_int_equal(seg_cut(&frame, &way, &seed, &row), 0);
		assert_true(seg_agrees(&frame, &row, way.csum));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),  cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_by_hand), cmocka_unit_test(test_udp_zero),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_longest),
		cmocka_unit_test(test_room),    cmocka_unit_test(test_short_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
