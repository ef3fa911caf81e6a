/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071), over bytes that lie in several pieces.
 *
 * Sums are not inverted and are kept as the words lie in memory: what vs_csum_fold() gives, or its
 * complement, is stored as it is. The byte order does not matter then (RFC 1071, 2(B)).
 */
#ifndef VS_OFFLOAD_CSUM_H
#define VS_OFFLOAD_CSUM_H

#include "dataplane/core/pkt.h"

#include <rte_byteorder.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/**
 * struct vs_csum_leaf - one way to add up the 16-bit words of a piece
 * @name:	for tests and benchmarks
 * @sum:	the sum of @len bytes at @at (any alignment), folded to 16 bits; an odd last byte
 *		counts as if a zero followed
 */
struct vs_csum_leaf {
	const char *name;
	uint16_t (*sum)(const uint8_t *at, uint32_t len);
};

/** The leaf that this processor runs fastest; set before main(), and not changed afterwards. */
extern const struct vs_csum_leaf *vs_csum_leaf;

/**
 * vs_csum_leaf_get() - leaf number @i, the plain one first
 * Return: NULL when there are no more that this processor can run.
 */
const struct vs_csum_leaf *vs_csum_leaf_get(unsigned int i);

/** vs_csum_fold64() - a sum of many words, folded to 16 bits. */
static inline uint16_t vs_csum_fold64(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

/** vs_csum_plain() - the same as a leaf's sum, for what is short; the reference for all. */
static inline uint16_t vs_csum_plain(const uint8_t *at, uint32_t len)
{
	uint64_t sum = 0;
	uint64_t eight;
	uint16_t word;

	for (; len >= sizeof(eight); len -= (uint32_t)sizeof(eight), at += sizeof(eight)) {
		memcpy(&eight, at, sizeof(eight));
		sum += eight;
		sum += sum < eight;
	}
	sum = (sum & UINT32_MAX) + (sum >> 32);
	for (; len >= sizeof(word); len -= (uint32_t)sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	if (len)
		sum += rte_cpu_to_be_16((uint16_t)(*at << 8));
	return vs_csum_fold64(sum);
}

/** struct vs_csum_sum - a sum under way; all zero: of nothing */
struct vs_csum_sum {
	uint64_t sum;
	bool odd; /* so far an odd number of bytes */
};

enum {
	/** Below this a call through a pointer costs more than it gains. */
	VS_CSUM_SHORT = 64,
};

/** vs_csum_add() - the next piece of the bytes that are added up. */
static inline void vs_csum_add(struct vs_csum_sum *csum, const uint8_t *at, uint32_t len)
{
	uint16_t sum = len < VS_CSUM_SHORT ? vs_csum_plain(at, len) : vs_csum_leaf->sum(at, len);

	/* Each byte stands in the other half of its word: so does each half of the sum. */
	csum->sum += csum->odd ? rte_bswap16(sum) : sum;
	csum->odd ^= len & 1;
}

/** vs_csum_fold() - the sum so far, not inverted; 0 only if all bytes were 0. */
static inline uint16_t vs_csum_fold(const struct vs_csum_sum *csum)
{
	return vs_csum_fold64(csum->sum);
}

/**
 * vs_csum_pkt() - the sum from byte @start of a frame to its end, folded, not inverted
 * @start:	at most pkt->hdr_len
 *
 * The payload may change meanwhile if it is the memory of a guest; then the sum is one of neither.
 */
static inline uint16_t vs_csum_pkt(const struct vs_pkt *pkt, uint16_t start)
{
	struct vs_csum_sum csum = {0};
	unsigned int i;

	vs_csum_add(&csum, pkt->hdr + start, (uint32_t)pkt->hdr_len - start);
	for (i = 0; i < pkt->n_ext; i++)
		vs_csum_add(&csum, pkt->ext[i].data, pkt->ext[i].len);
	return vs_csum_fold(&csum);
}

/**
 * vs_csum_complete() - write the transport checksum of a frame whose field holds the sum of the
 * pseudo-header
 * @debt:	says where; of the packet that @pkt is made of, or is a segment of
 *
 * Zero would mean "none" in UDP (RFC 768), and FFFF is the same number to all. So zero is written
 * only where it is known that this is TCP, as Linux does: in segments of it. What protocol a
 * checksum alone is for nobody has looked at.
 */
static inline void vs_csum_complete(struct vs_pkt *pkt, const struct vs_debt *debt)
{
	uint16_t value = (uint16_t)~vs_csum_pkt(pkt, debt->csum_start);

	if (value == 0 && !vs_debt_is_tcp(debt))
		value = UINT16_MAX;
	memcpy(pkt->hdr + debt->csum_start + debt->csum_offset, &value, sizeof(value));
}

#endif
