/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vscsum: what adding up bytes costs, by leaf and length, and what cutting a 64 KiB frame costs
 * with each.
 *
 * Cycles of the time stamp counter per call, median of ROUNDS; the leaves take turns within each
 * round, so that all meet the same disturbances. The bytes are in the first cache level where they
 * fit.
 */
#include "offload/csum.h"
#include "offload/segment.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <stdlib.h>

enum {
	ROUNDS = 101,
	CALLS = 200,
	LEAVES = 4,
	HDRS = 66,
	FRAME = 64 * 1024,
};

static int compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static double time_sum(const struct vs_csum_leaf *leaf, const uint8_t *bytes, uint32_t len)
{
	uint64_t start = rte_rdtsc();
	unsigned int i;

	for (i = 0; i < CALLS; i++) {
		uint16_t sum = leaf->sum(bytes, len);

		__asm__ volatile("" : : "r"(sum) : "memory");
	}
	return (double)(rte_rdtsc() - start) / CALLS;
}

/* TCP over IPv4 with timestamps; addresses and ports are zero, which costs the same. */
static void make_frame(uint8_t *bytes, struct vs_pkt *pkt, struct vs_extent *ext, uint16_t gso_size)
{
	bytes[14] = 0x45;
	bytes[46] = 0x80;
	*ext = (struct vs_extent){bytes + VS_HDR_BYTES, FRAME - VS_HDR_BYTES};
	*pkt = (struct vs_pkt){
		.hdr = bytes,
		.hdr_len = VS_HDR_BYTES,
		.len = FRAME,
		.ext = ext,
		.n_ext = 1,
		.debt = {.csum = VS_CSUM_PARTIAL,
			 .gso = VS_GSO_TCP4,
			 .l3 = 14,
			 .csum_start = 34,
			 .csum_offset = 16,
			 .hdrs = HDRS,
			 .gso_size = gso_size},
	};
}

/* All segments of a frame. Return: cycles of one of them. */
static double time_cut(const struct vs_pkt *pkt, enum vs_segment_csum csum)
{
	uint64_t start = rte_rdtsc();
	struct vs_segments segs;
	struct vs_extent ext[4];
	struct vs_hdr_slot slot;
	struct vs_pkt made;

	if (vs_segment_begin(&segs, pkt, 0) != 0)
		return 0;
	while (vs_segment_next(&segs, csum, &made, &slot, ext, 4) > 0)
		__asm__ volatile("" : : "r"(&made) : "memory");
	return (double)(rte_rdtsc() - start) / segs.n;
}

static void report_sums(const uint8_t *bytes, unsigned int n)
{
	static const uint32_t lens[] = {64, 128, 256, 536, 1448, 4096, 8948, 65000};
	static double cycles[LEAVES][ROUNDS];
	unsigned int round;
	unsigned int i;
	size_t k;

	for (k = 0; k < sizeof(lens) / sizeof(*lens); k++) {
		for (round = 0; round < ROUNDS; round++) {
			for (i = 0; i < n; i++)
				cycles[i][round] = time_sum(vs_csum_leaf_get(i), bytes, lens[k]);
		}
		printf("sum %5u bytes:", lens[k]);
		for (i = 0; i < n; i++)
			printf("  %s %.0f", vs_csum_leaf_get(i)->name, median(cycles[i]));
		printf("\n");
	}
}

static void report_cuts(uint8_t *bytes, unsigned int n)
{
	static const uint16_t sizes[] = {536, 1448, 8948};
	static double cycles[LEAVES + 1][ROUNDS];
	struct vs_extent ext;
	struct vs_pkt pkt;
	unsigned int round;
	unsigned int i;
	size_t k;

	for (k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
		make_frame(bytes, &pkt, &ext, sizes[k]);
		for (round = 0; round < ROUNDS; round++) {
			for (i = 0; i < n; i++) {
				vs_csum_leaf = vs_csum_leaf_get(i);
				cycles[i][round] = time_cut(&pkt, VS_SEGMENT_CSUM_FULL);
			}
			cycles[n][round] = time_cut(&pkt, VS_SEGMENT_CSUM_PARTIAL);
		}
		printf("cut to %4u, per segment:", sizes[k]);
		for (i = 0; i < n; i++)
			printf("  %s %.0f", vs_csum_leaf_get(i)->name, median(cycles[i]));
		printf("  checksum left %.0f\n", median(cycles[n]));
	}
}

int main(void)
{
	uint8_t *bytes = calloc(1, FRAME);
	unsigned int n = 0;
	unsigned int i;

	if (!bytes)
		return 1;
	while (n < LEAVES && vs_csum_leaf_get(n))
		n++;
	for (i = 0; i < FRAME; i++)
		bytes[i] = (uint8_t)(i * 7);
	report_sums(bytes, n);
	report_cuts(bytes, n);
	free(bytes);
	return 0;
}
