/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet checksum: every leaf against a sum byte by byte, and pieces against the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "offload/csum.h"

#include <stdlib.h>

enum {
	LONGEST = 9216,
	ALIGNMENTS = 64,
};

static uint8_t *bytes;

static void fill(unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < LONGEST + ALIGNMENTS; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

/* What a sum of some bytes, the words of which are added up here, must be in memory. */
static uint16_t stored(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return rte_cpu_to_be_16((uint16_t)sum);
}

/* All lengths at all alignments; the sum of n bytes is that of n - 1 and one more. */
static void check_leaf(const struct vs_csum_leaf *leaf)
{
	unsigned int align;
	uint32_t len;

	for (align = 0; align < ALIGNMENTS; align++) {
		uint64_t sum = 0;

		for (len = 0; len <= LONGEST; len++) {
			uint16_t got = leaf->sum(bytes + align, len);

			if (got != stored(sum))
				fail_msg("%s: %u bytes at %u", leaf->name, len, align);
			sum += (uint64_t)bytes[align + len] << (len % 2 ? 0 : 8);
		}
	}
}

static void test_leaves(void **state)
{
	const struct vs_csum_leaf *leaf;
	unsigned int i;

	for (i = 0; (leaf = vs_csum_leaf_get(i)); i++) {
		print_message("# leaf %s\n", leaf->name);
		fill(i + 1);
		check_leaf(leaf);
	}
	assert_ptr_equal(vs_csum_leaf, vs_csum_leaf_get(i - 1));
	assert_string_equal(vs_csum_leaf_get(0)->name, "plain");
}

/* The most that can be carried, and nothing at all. */
static void test_extremes(void **state)
{
	const struct vs_csum_leaf *leaf;
	unsigned int i;
	uint32_t len;

	for (i = 0; (leaf = vs_csum_leaf_get(i)); i++) {
		memset(bytes, 0xff, LONGEST);
		for (len = 2; len <= LONGEST; len += 2)
			assert_int_equal(leaf->sum(bytes, len), 0xffff);
		memset(bytes, 0, LONGEST);
		for (len = 0; len <= LONGEST; len++)
			assert_int_equal(leaf->sum(bytes, len), 0);
	}
}

/* The example of RFC 1071, 3. */
static void test_rfc(void **state)
{
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	const struct vs_csum_leaf *leaf;
	unsigned int i;

	for (i = 0; (leaf = vs_csum_leaf_get(i)); i++)
		assert_int_equal(leaf->sum(example, sizeof(example)), RTE_BE16(0xddf2));
}

/* A frame in pieces of any length, odd ones among them, is the frame in one. */
static void test_pieces(void **state)
{
	unsigned int seed = 5;
	unsigned int round;

	fill(9);
	for (round = 0; round < 2000; round++) {
		struct vs_extent ext[64];
		struct vs_pkt pkt = {.hdr = bytes, .ext = ext};
		uint32_t at;

		seed = seed * 1664525u + 1013904223u;
		pkt.hdr_len = (uint16_t)(14 + (seed >> 20) % 115);
		at = pkt.hdr_len;
		while (pkt.n_ext < 1 + round % 64) {
			uint32_t len;

			seed = seed * 1664525u + 1013904223u;
			len = (seed >> 16) % (round % 3 ? 140 : 4);
			ext[pkt.n_ext++] = (struct vs_extent){bytes + at, len};
			at += len;
		}
		pkt.len = at;
		assert_int_equal(vs_csum_pkt(&pkt, 13),
				 vs_csum_leaf_get(0)->sum(bytes + 13, at - 13));
	}
}

/*
 * A sum of FFFF gives a checksum of zero, which UDP takes for "none": it is written as FFFF but in
 * segments of TCP, also where nobody knows what the checksum is of.
 */
static void test_zero(void **state)
{
	static const struct {
		enum vs_gso gso;
		uint16_t stored;
	} rows[] = {
		{VS_GSO_NONE, 0xffff}, {VS_GSO_TCP4, 0},      {VS_GSO_TCP6, 0},
		{VS_GSO_UDP4, 0xffff}, {VS_GSO_UDP6, 0xffff},
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(rows); i++) {
		uint8_t hdr[32] = {[20] = 0xf0, [21] = 0x0f, [26] = 0x0f, [27] = 0xf0};
		struct vs_pkt pkt = {.hdr = hdr, .hdr_len = sizeof(hdr), .len = sizeof(hdr)};
		struct vs_debt debt = {.gso = rows[i].gso, .csum_start = 16, .csum_offset = 6};
		uint16_t stored;

		vs_csum_complete(&pkt, &debt);
		memcpy(&stored, hdr + 22, sizeof(stored));
		assert_int_equal(stored, rows[i].stored);
		hdr[20] = 0xf1;
		memset(hdr + 22, 0, sizeof(stored));
		vs_csum_complete(&pkt, &debt);
		memcpy(&stored, hdr + 22, sizeof(stored));
		assert_int_equal(stored, RTE_BE16(0xfeff));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaves), cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_rfc),    cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_zero),
	};
	int failed;

	bytes = malloc(LONGEST + ALIGNMENTS);
	if (!bytes)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(bytes);
	return failed;
}
