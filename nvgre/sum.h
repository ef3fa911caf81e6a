/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internet checksums of headers that are changed, or written, in private memory. Sums are kept as
 * the words lie in memory (RFC 1071, 2(B)).
 */
#ifndef VS_NVGRE_SUM_H
#define VS_NVGRE_SUM_H

#include <rte_ip.h>

#include <stdint.h>
#include <string.h>

/** vs_sum_load() - a word of a header, at any alignment. */
static inline uint16_t vs_sum_load(const uint8_t *at)
{
	uint16_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/** vs_sum_store() - the same, written. */
static inline void vs_sum_store(uint8_t *at, uint16_t word)
{
	memcpy(at, &word, sizeof(word));
}

/**
 * vs_sum_mend() - a checksum after one word of what it covers has changed (RFC 1624, 3)
 *
 * What was right is right then, and what was wrong is as wrong as before.
 */
static inline uint16_t vs_sum_mend(uint16_t csum, uint16_t was, uint16_t is)
{
	uint32_t sum = (uint32_t)(uint16_t)~csum + (uint16_t)~was + is;

	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/**
 * vs_sum_icmp6() - sum of an ICMPv6 message with its pseudo-header (RFC 8200, 8.1)
 * @ip:		IPv6 header, whose payload length is not read
 * @len:	bytes of the message, all of them at @at
 *
 * Return: FFFF if the checksum in it is right; with 0 there, the complement of what belongs there.
 */
static inline uint16_t vs_sum_icmp6(const struct rte_ipv6_hdr *ip, const uint8_t *at, uint32_t len)
{
	uint32_t sum = rte_raw_cksum(ip->src_addr, sizeof(ip->src_addr) + sizeof(ip->dst_addr));

	sum += rte_raw_cksum(at, len);
	sum += rte_cpu_to_be_16((uint16_t)len) + (uint32_t)RTE_BE16(IPPROTO_ICMPV6);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

#endif
