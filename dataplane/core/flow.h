/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which flow a frame belongs to: a number from its headers, the same for both directions.
 *
 * DOC: theory of operation
 *
 * A flow is two ends and what they speak:
 *
 * | frame                                   | an end is        | kind            |
 * |-----------------------------------------|------------------|-----------------|
 * | IPv4, IPv6 with TCP, UDP or SCTP        | address and port | protocol        |
 * | IPv4, IPv6 with another protocol        | address          | protocol        |
 * | a fragment, the first one included      | address          | 0               |
 * | anything else, broken IP headers, too   | MAC              | 256 + EtherType |
 *
 * Tags are skipped. What is in GRE without sequence numbers (NVGRE, too), or in IP directly, is
 * judged by what is inside; UDP tunnels say the inner flow in their source port (RFC 7348, 5).
 * Fragments beyond the first have no ports, and all of a datagram must stay together: so none is
 * asked for its ports. A length in the place of an EtherType (802.3) is no kind.
 *
 * With the ends @a and @b as numbers of at most 64 bits, secret keys k and
 * fold(x, y) = (x * y) mod 2^64 xor (x * y) / 2^64:
 *
 *	k = k0 xor kind * 2^47
 *	hash = fold(fold(a xor k, b xor k), k1) / 2^32
 *
 * Multiplication is commutative, so both directions get one number without the ends being sorted.
 * The kind goes through both products, at its ends' upper bits: numbers that differ in a few bits
 * give, by one product alone, nearly equal steps, of which some keys make two or three values.
 * The end of an IPv4 flow is address * 2^16 + port, of an IPv6 flow fold(high half xor k2, low half
 * xor k3) xor port. Folded products are what wyhash (Wang Yi, public domain) is made of.
 *
 * Why not Toeplitz with the key 6d5a 6d5a... (Woo and Park, "Scalable TCP session monitoring with
 * symmetric receive-side scaling", 2012)? It is linear: such a key adds up the words of both ends,
 * so who may choose addresses or ports chooses the queue, whatever the key; and it costs a step
 * for each bit, or tables. The keys here are random for each daemon, so nobody can tell beforehand
 * which flows meet in one queue.
 */
#ifndef VS_CORE_FLOW_H
#define VS_CORE_FLOW_H

#include "dataplane/core/pkt.h"

#include <stdint.h>

enum { VS_FLOW_KEYS = 4 };

/** vs_flow_init() - random keys; once, before the first worker runs. Return: 0 or -errno. */
int vs_flow_init(void);

/** vs_flow_seed() - given keys, for tests; no worker runs. */
void vs_flow_seed(const uint64_t key[VS_FLOW_KEYS]);

/**
 * vs_flow_hash() - the number of a frame's flow
 * @pkt:	any frame; only its private header is read, and none of it is believed
 *
 * Where the private header ends before the ports do, the ports are 0.
 */
uint32_t vs_flow_hash(const struct vs_pkt *pkt);

/**
 * vs_flow_share() - which of @n shares (at least 1) a flow belongs to
 *
 * Shares are equal parts of all numbers (Lemire, "Fast random integer generation in an interval",
 * 2019): no division.
 */
static inline unsigned int vs_flow_share(uint32_t hash, unsigned int n)
{
	return (unsigned int)(((uint64_t)hash * n) >> 32);
}

#endif
