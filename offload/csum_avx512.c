/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet checksum with AVX-512: as with AVX2, 128 bytes a step; the rest by masked loads. */
#include "offload/csum_leaf.h"

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw")))

static AVX512 uint16_t sum_avx512(const uint8_t *at, uint32_t len)
{
	const __m512i low = _mm512_set1_epi64(UINT32_MAX);
	__m512i a = _mm512_setzero_si512();
	__m512i b = _mm512_setzero_si512();
	__m512i c = _mm512_setzero_si512();
	__m512i d = _mm512_setzero_si512();

	for (; len >= 128; len -= 128, at += 128) {
		__m512i x = _mm512_loadu_si512(at);
		__m512i y = _mm512_loadu_si512(at + 64);

		a = _mm512_add_epi64(a, _mm512_and_si512(x, low));
		b = _mm512_add_epi64(b, _mm512_srli_epi64(x, 32));
		c = _mm512_add_epi64(c, _mm512_and_si512(y, low));
		d = _mm512_add_epi64(d, _mm512_srli_epi64(y, 32));
	}
	while (len) {
		uint32_t n = len < 64 ? len : 64;
		__m512i x = _mm512_maskz_loadu_epi8(UINT64_MAX >> (64 - n), at);

		a = _mm512_add_epi64(a, _mm512_and_si512(x, low));
		b = _mm512_add_epi64(b, _mm512_srli_epi64(x, 32));
		at += n;
		len -= n;
	}
	a = _mm512_add_epi64(_mm512_add_epi64(a, b), _mm512_add_epi64(c, d));
	return vs_csum_fold64((uint64_t)_mm512_reduce_add_epi64(a));
}

const struct vs_csum_leaf vs_csum_avx512 = {"avx512", sum_avx512};
