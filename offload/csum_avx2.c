/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum with AVX2: 64 bytes a step. The halves of each 64-bit lane are added to
 * lanes of 64 bits, so nothing is carried before the end.
 */
#include "offload/csum_leaf.h"

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

static AVX2 uint16_t sum_avx2(const uint8_t *at, uint32_t len)
{
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	__m256i a = _mm256_setzero_si256();
	__m256i b = _mm256_setzero_si256();
	__m256i c = _mm256_setzero_si256();
	__m256i d = _mm256_setzero_si256();
	uint64_t lane[4];
	uint64_t sum;

	for (; len >= 64; len -= 64, at += 64) {
		__m256i x = _mm256_loadu_si256((const __m256i_u *)(const void *)at);
		__m256i y = _mm256_loadu_si256((const __m256i_u *)(const void *)(at + 32));

		a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
		c = _mm256_add_epi64(c, _mm256_and_si256(y, low));
		d = _mm256_add_epi64(d, _mm256_srli_epi64(y, 32));
	}
	a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
	_mm256_storeu_si256((__m256i_u *)(void *)lane, a);
	/* A lane is a sum of fewer than 2^28 numbers of 32 bits. */
	sum = lane[0] + lane[1] + lane[2] + lane[3];
	return vs_csum_fold64((uint64_t)vs_csum_fold64(sum) + vs_csum_plain(at, len));
}

const struct vs_csum_leaf vs_csum_avx2 = {"avx2", sum_avx2};
