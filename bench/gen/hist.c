/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Histogram of cycles with a bounded relative error.
 *
 * Values below GEN_HIST_SUB have a bucket each; above, every power of two is cut into GEN_HIST_SUB
 * buckets of equal width, so that a bucket is at most 1/GEN_HIST_SUB of its value wide.
 */
#include "bench/gen/gen.h"

#define SUB_BITS 5
_Static_assert(1u << SUB_BITS == GEN_HIST_SUB, "buckets of an octave");

/**
 * gen_hist_add() - count one value
 * @hist: GEN_HIST_SIZE buckets
 * @cycles: value; what is too large goes into the last bucket
 */
void gen_hist_add(uint64_t *hist, uint64_t cycles)
{
	uint32_t octave, at = (uint32_t)cycles;

	if (cycles >= GEN_HIST_SUB) {
		octave = 63u - (uint32_t)__builtin_clzll(cycles) - SUB_BITS;
		at = (octave + 1) * GEN_HIST_SUB + (uint32_t)(cycles >> octave) - GEN_HIST_SUB;
	}
	hist[at < GEN_HIST_SIZE ? at : GEN_HIST_SIZE - 1]++;
}

/* Middle of a bucket. */
static double middle(uint32_t at)
{
	uint32_t octave;

	if (at < GEN_HIST_SUB)
		return at;
	octave = at / GEN_HIST_SUB - 1;
	return (double)(1ull << octave) * (GEN_HIST_SUB + at % GEN_HIST_SUB + 0.5);
}

/**
 * gen_hist_quantile() - value that a share of all values does not exceed
 * @hist: buckets
 * @q: share, 0 ... 1
 *
 * Return: cycles, negative without any value.
 */
double gen_hist_quantile(const uint64_t *hist, double q)
{
	uint64_t sum = 0, total = 0, want;
	uint32_t i;

	for (i = 0; i < GEN_HIST_SIZE; i++)
		total += hist[i];
	if (total == 0)
		return -1;
	want = (uint64_t)(q * (double)total);
	if (want >= total)
		want = total - 1;
	for (i = 0; i < GEN_HIST_SIZE; i++) {
		sum += hist[i];
		if (sum > want)
			return middle(i);
	}
	return middle(GEN_HIST_SIZE - 1);
}
