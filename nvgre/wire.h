/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What NVGRE looks like on the wire: GRE (RFC 2784) with a key (RFC 2890) that holds VSID and
 * FlowID (RFC 7637, 3.2), and the bits of IP that a tunnel has to do with.
 *
 *	 0                   1                   2                   3
 *	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *	+-+-+-+-+---------------------+-----+-------------------------------+
 *	|0| |1|0|      reserved       |  0  |      6558 (an Ethernet frame) |
 *	+-+-+-+-+---------------------+-----+---------------+---------------+
 *	|                    VSID                           |    FlowID     |
 *	+---------------------------------------------------+---------------+
 */
#ifndef VS_NVGRE_WIRE_H
#define VS_NVGRE_WIRE_H

#include "dataplane/core/nvgre.h"

#include <rte_byteorder.h>
#include <rte_common.h>

#include <stdint.h>

enum {
	/** IPv4 protocol, IPv6 next header. */
	VS_IP_GRE = 47,
	/** The first 16 bits: K set, and neither C, S, a reserved bit nor a version. */
	VS_GRE_FLAGS = 0x2000,
	/** Protocol type "transparent Ethernet bridging". */
	VS_GRE_ETHERNET = 0x6558,
	/** Upper bits of the key; the lower 8 are the FlowID. */
	VS_GRE_VSID_SHIFT = 8,
	/** Time to live, or hop limit, of what is sent. */
	VS_OUTER_TTL = 64,
	/** Don't fragment (RFC 791), host order. */
	VS_IP4_DF = 0x4000,
	/** More fragments, and where in the datagram: 0 is no fragment. */
	VS_IP4_FRAGMENT = 0x3fff,
};

/** struct vs_gre - the GRE header of NVGRE */
struct vs_gre {
	rte_be16_t flags;
	rte_be16_t type;
	rte_be32_t key;
} __rte_packed;

_Static_assert(sizeof(struct vs_gre) == VS_NVGRE_GRE, "as RFC 2890 has it");

/** vs_gre_key() - the key of a virtual subnet's frames. @vsid: at most VS_VSID_MAX */
static inline rte_be32_t vs_gre_key(uint32_t vsid, uint8_t flowid)
{
	return rte_cpu_to_be_32(vsid << VS_GRE_VSID_SHIFT | flowid);
}

/** vs_gre_flowid() - 8 bits of a flow's number (core/flow.h): all of its bits count. */
static inline uint8_t vs_gre_flowid(uint32_t hash)
{
	hash ^= hash >> 16;
	return (uint8_t)(hash ^ hash >> 8);
}

/** Explicit congestion notification: the lower bits of IPv4's TOS, IPv6's class (RFC 3168, 5). */
enum vs_ecn {
	VS_ECN_NOT = 0, /* the sender does not know of it */
	VS_ECN_ECT1 = 1,
	VS_ECN_ECT0 = 2,
	VS_ECN_CE = 3, /* congestion was met */
	VS_ECN_MASK = 3,
	VS_ECN_DROP = 4, /* no such bits: what a packet gets that can be told by a loss only */
};

/**
 * vs_ecn_leave() - what an inner header says when it leaves the tunnel (RFC 6040, 4.2, figure 4)
 * @inner, @outer:	lower bits of the two fields; the others are ignored
 */
static inline enum vs_ecn vs_ecn_leave(unsigned int inner, unsigned int outer)
{
	/* Rows: inner; columns: outer. */
	static const uint8_t leaves[4][4] = {
		[VS_ECN_NOT] = {VS_ECN_NOT, VS_ECN_NOT, VS_ECN_NOT, VS_ECN_DROP},
		[VS_ECN_ECT1] = {VS_ECN_ECT1, VS_ECN_ECT1, VS_ECN_ECT1, VS_ECN_CE},
		[VS_ECN_ECT0] = {VS_ECN_ECT0, VS_ECN_ECT1, VS_ECN_ECT0, VS_ECN_CE},
		[VS_ECN_CE] = {VS_ECN_CE, VS_ECN_CE, VS_ECN_CE, VS_ECN_CE},
	};

	return (enum vs_ecn)leaves[inner & VS_ECN_MASK][outer & VS_ECN_MASK];
}

#endif
