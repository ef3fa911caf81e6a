/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tenant networks as the workers see them (NVGRE, RFC 7637): subnets, lookup records, provider
 * addresses, and what is known of the way to those of other hosts.
 *
 * DOC: theory of operation
 *
 * A virtual subnet (VSID) is a broadcast domain: it has a fid, as a VLAN of a switch has. Its
 * ports are guests that send and receive untagged frames. What is not on this host is behind the
 * *tunnel port* of the switch, a port without a device: frames that lookup sends there are
 * encapsulated (nvgre/encap.c) and leave by the uplink, frames that arrive there were decapsulated
 * (nvgre/decap.c). So learning, floods, split horizon (never back to the port it came from) and
 * the accounts are those of any other port.
 *
 *	guest -> admit -> route -> lookup -> release -> fixup -> encap -> uplink
 *	uplink -> decap -> admit -> route -> lookup -> release -> fixup -> guest
 *
 * Who may write what:
 *
 * | what                   | lives in                      | changes                             |
 * |------------------------|-------------------------------|-------------------------------------|
 * | struct vs_nvgre        | the snapshot (core/conf.h)    | never; another one is published     |
 * | struct vs_record       | two hash tables, lock-free    | never; replaced, freed after a      |
 * |                        | readers                       | grace period                        |
 * | struct vs_peer         | as long as a record or subnet | @next_hop and @mtu: one atomic      |
 * |                        | names it, and a grace period  | store of control each               |
 *
 * An IPv4 address is kept as IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2), in network order.
 */
#ifndef VS_CORE_NVGRE_H
#define VS_CORE_NVGRE_H

#include "dataplane/core/limits.h"

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ether.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct rte_hash;

enum {
	/** Virtual subnets: what is below and above is reserved (RFC 7637, 3.3). */
	VS_VSID_MIN = 4096,
	VS_VSID_MAX = 16777214,
	/** Ethernet, tag, IPv6, GRE. */
	VS_OUTER_MAX = 14 + 4 + 40 + 8,
	/** GRE with key, inner Ethernet header: between the outer IP header and the inner one. */
	VS_NVGRE_GRE = 8,
	/** Bytes of the underlay's MTU that the tunnel takes: outer IP, GRE, inner Ethernet. */
	VS_NVGRE_COST4 = 20 + 8 + 14,
	VS_NVGRE_COST6 = 40 + 8 + 14,
	/** Own provider addresses of one switch. */
	VS_PAS_MAX = 16,
	/** Gateway addresses of one subnet. */
	VS_GATEWAYS_MAX = 4,
	/** Customer routes of one routing domain. */
	VS_ROUTES_MAX = 1024,
	/** The vid of tenants' packets: no VLAN has it, so none leaves by a port of a VLAN. */
	VS_VID_TENANT = 4095,
};

/** struct vs_ip - IPv6, or IPv4-mapped */
struct vs_ip {
	uint8_t b[16];
};

/** vs_ip_is4() - is it an IPv4 address? */
static inline bool vs_ip_is4(const struct vs_ip *ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

/** vs_ip_make4() - from four bytes in network order (any alignment). */
static inline struct vs_ip vs_ip_make4(const void *addr)
{
	struct vs_ip ip = {.b = {[10] = 0xff, [11] = 0xff}};

	memcpy(ip.b + 12, addr, 4);
	return ip;
}

/** vs_ip_make6() - from 16 bytes. */
static inline struct vs_ip vs_ip_make6(const void *addr)
{
	struct vs_ip ip;

	memcpy(ip.b, addr, sizeof(ip.b));
	return ip;
}

/** vs_ip_equal() - are they one address? */
static inline bool vs_ip_equal(const struct vs_ip *a, const struct vs_ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/** struct vs_prefix - @len counts from the first of 128 bits: 96 + n for IPv4 */
struct vs_prefix {
	struct vs_ip ip;
	uint8_t len;
};

/** vs_prefix_has() - is @ip in it? */
static inline bool vs_prefix_has(const struct vs_prefix *prefix, const struct vs_ip *ip)
{
	unsigned int bytes = prefix->len / 8u;
	unsigned int bits = prefix->len % 8u;

	if (memcmp(prefix->ip.b, ip->b, bytes) != 0)
		return false;
	return bits == 0 || ((prefix->ip.b[bytes] ^ ip->b[bytes]) >> (8u - bits)) == 0;
}

/**
 * struct vs_pa - one of our own provider addresses
 * @mac:	its own: frames for the tunnel are addressed to it
 * @fid, @vid:	the broadcast domain of the uplink that it is in
 */
struct vs_pa {
	struct vs_prefix prefix; /* @prefix.ip is the address itself, not masked */
	struct rte_ether_addr mac;
	uint16_t vid;
	uint16_t fid;
	uint16_t uplink; /* port id */
};

/** Bits of vs_peer.next_hop above the 48 of the MAC (b[0] in bits 47..40). */
#define VS_NEXT_HOP_KNOWN (UINT64_C(1) << 63)
#define VS_NEXT_HOP_FAILED (UINT64_C(1) << 62) /* asked for in vain: drop (pa_unresolved) */
#define VS_NEXT_HOP_FULL (UINT64_C(1) << 61)   /* enough frames wait for it: drop (pa_unresolved) */

/**
 * struct vs_peer - the way to a provider address of another host
 * @next_hop:	the MAC that leads there, and VS_NEXT_HOP_* (relaxed atomic; control writes)
 * @mtu:	of IP packets that get there (relaxed atomic; control writes)
 * @outer:	Ethernet (tag), IP, GRE: with destination MAC, lengths, ids, VSID and FlowID 0, in
 *		IPv4 the checksum of that
 * @outer_len, @l3: its bytes, and where the IP header begins
 */
struct vs_peer {
	uint64_t next_hop;
	uint16_t mtu;
	uint16_t uplink; /* port id */
	uint16_t vid;    /* of the outer frame, as in struct vs_pkt */
	uint16_t fid;
	uint8_t outer_len;
	uint8_t l3;
	bool is4;
	bool no_flowid; /* FlowID always 0, for who compares the whole key */
	uint8_t outer[VS_OUTER_MAX];
	struct vs_ip ip;    /* the other host's */
	struct vs_ip local; /* ours, that it is sent from */
	uint32_t index;     /* control's */
};

/** Bits of vs_record.flags. */
enum vs_record_flag {
	VS_RECORD_LOCAL = 1 << 0,    /* behind a port of this host: @peer is NULL, the FDB knows */
	VS_RECORD_L2ONLY = 1 << 1,   /* @ca is not known */
	VS_RECORD_WILDCARD = 1 << 2, /* takes any address that nobody else has (gateway) */
	VS_RECORD_DYNAMIC = 1 << 3,  /* learnt */
};

/** struct vs_record - where a customer address is */
struct vs_record {
	uint32_t vsid;
	uint16_t flags;
	struct rte_ether_addr mac;
	struct vs_ip ca; /* all zero: none */
	const struct vs_peer *peer;
};

/** Keys of the two tables; what is not named is 0. */
struct vs_record_mac_key {
	uint32_t vsid;
	struct rte_ether_addr mac;
	uint16_t zero;
};

struct vs_record_ca_key {
	uint32_t vsid;
	struct vs_ip ca;
};

/** Bits of vs_subnet.flags. */
enum vs_subnet_flag {
	VS_SUBNET_LEARN = 1 << 0,  /* remote addresses become records by what is heard from them */
	VS_SUBNET_STRICT = 1 << 1, /* a source that comes from another PA than its record's is
				    * dropped (pa_mismatch), and not counted only */
	VS_SUBNET_CLAMP = 1 << 2,  /* the MSS of TCP is lowered to what fits */
	VS_SUBNET_EXTERNAL = 1 << 3, /* no gateway of ours: some guest routes */
};

/**
 * struct vs_subnet - a virtual subnet
 * @gateway:	addresses that the switch answers for, with the prefix that is on-link
 * @router:	MAC of the distributed router, the same on every host
 * @wildcard:	record that takes what no other does, or NULL
 * @peer:	who gets copies of broadcast and multicast, @n_peers of them
 * @ca_mtu:	bytes of a customer's IP packet that fit every peer (what a guest is told)
 */
struct vs_subnet {
	uint32_t vsid;
	uint16_t fid;
	uint16_t rd; /* index into vs_nvgre.rd */
	uint16_t sw;
	uint16_t flags;
	uint16_t tunnel; /* port id of the switch's tunnel port */
	uint16_t ca_mtu;
	struct rte_ether_addr router;
	uint8_t n_gateways;
	struct vs_prefix gateway[VS_GATEWAYS_MAX]; /* @ip not masked */
	const struct vs_record *wildcard;
	const struct vs_peer *const *peer;
	uint32_t n_peers;
};

/** struct vs_ca_route - a customer route; those of a domain: longest prefix first, then metric */
struct vs_ca_route {
	struct vs_prefix prefix; /* masked */
	struct vs_ip next_hop;   /* all zero: on-link in @subnet */
	uint32_t metric;
	const struct vs_subnet *subnet; /* where the destination, or the next hop, is */
};

/** struct vs_rd - a routing domain; the on-link prefixes of its subnets stand among the routes */
struct vs_rd {
	uint8_t id[16];
	const struct vs_ca_route *route;
	uint32_t n_routes;
};

/** struct vs_vsid_slot - of an open table, half full at the most; @vsid 0: empty */
struct vs_vsid_slot {
	uint32_t vsid;
	uint32_t subnet; /* index */
};

/**
 * struct vs_nvgre - all of it, in the snapshot; NULL there: no switch has a provider address
 * @of_fid:	index into @subnet by fid, n_fids of them; UINT32_MAX: the fid is a VLAN's
 * @slot:	by VSID, @mask + 1 of them (a power of two)
 * @tunnel:	by switch: port id of its tunnel port; VS_PORTS_MAX: none
 * @first_pa:	by switch: its addresses are @pa[first_pa[sw]] to @pa[first_pa[sw + 1] - 1]
 */
struct vs_nvgre {
	const struct rte_hash *by_mac; /* struct vs_record_mac_key -> struct vs_record * */
	const struct rte_hash *by_ca;  /* struct vs_record_ca_key -> struct vs_record * */
	struct vs_subnet *subnet;
	uint32_t n_subnets;
	uint32_t n_fids;
	uint32_t *of_fid;
	uint32_t mask;
	struct vs_vsid_slot *slot;
	struct vs_rd *rd;
	struct vs_ca_route *route; /* storage of all domains */
	uint32_t n_rds;
	struct vs_pa *pa;
	uint16_t first_pa[VS_SWITCHES_MAX + 1];
	uint16_t tunnel[VS_SWITCHES_MAX];
	const struct vs_peer **peers; /* storage of all subnets' lists */
};

/** vs_subnet_of_vsid() - NULL: this host has none of that number. */
static inline const struct vs_subnet *vs_subnet_of_vsid(const struct vs_nvgre *nv, uint32_t vsid)
{
	uint32_t at = vsid * UINT32_C(0x9e3779b1) >> 7;

	for (;; at++) {
		const struct vs_vsid_slot *slot = &nv->slot[at & nv->mask];

		if (slot->vsid == vsid)
			return &nv->subnet[slot->subnet];
		if (slot->vsid == 0)
			return NULL;
	}
}

/** vs_subnet_of_fid() - NULL: it is a VLAN's. */
static inline const struct vs_subnet *vs_subnet_of_fid(const struct vs_nvgre *nv, uint16_t fid)
{
	if (fid >= nv->n_fids || nv->of_fid[fid] == UINT32_MAX)
		return NULL;
	return &nv->subnet[nv->of_fid[fid]];
}

#endif
