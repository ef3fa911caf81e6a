/* SPDX-License-Identifier: BSD-3-Clause */
/* Which way of adding up this processor takes. */
#include "offload/csum_leaf.h"

static uint16_t sum_plain(const uint8_t *at, uint32_t len)
{
	return vs_csum_plain(at, len);
}

static const struct vs_csum_leaf plain = {"plain", sum_plain};

const struct vs_csum_leaf *vs_csum_leaf = &plain;

const struct vs_csum_leaf *vs_csum_leaf_get(unsigned int i)
{
	const struct vs_csum_leaf *found[3] = {&plain};
	unsigned int n = 1;

#ifdef __x86_64__
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		found[n++] = &vs_csum_avx2;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
		found[n++] = &vs_csum_avx512;
#endif
	return i < n ? found[i] : NULL;
}

/* The last one is the fastest. Before main(): there is one thread, and no start to be forgotten. */
__attribute__((constructor)) static void choose(void)
{
	const struct vs_csum_leaf *leaf;
	unsigned int i;

	for (i = 0; (leaf = vs_csum_leaf_get(i)); i++)
		vs_csum_leaf = leaf;
}
