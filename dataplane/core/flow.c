/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/flow.h"

#include "dataplane/core/hdr.h"

#include <rte_branch_prediction.h>
#include <rte_ip.h>

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

enum {
	/* Of a kind: 0 is a fragment, below this are protocols of IP, from here on EtherTypes. */
	KIND_TYPES = 256,
	/* 64 bits less the 17 of the largest kind. */
	KIND_SHIFT = 47,
	/* EtherTypes begin here, below are lengths (IEEE 802.3-2018, 3.2.6). */
	TYPE_MIN = 0x600,
	/* Transparent Ethernet bridging in GRE (RFC 7637, 3.2). */
	TYPE_BRIDGING = 0x6558,
};

/* The first word of a GRE header (RFC 2784, 2.1; RFC 2890, 2). */
enum {
	GRE_CSUM = 0x8000,
	GRE_KEY = 0x2000,
	/*
	 * A sequence number, for packets that are in order as a whole; what only RFC 1701 knew, and
	 * other versions.
	 */
	GRE_OTHERS = (uint16_t) ~(GRE_CSUM | GRE_KEY),
};

/* Both ends, what they speak, and the EtherType of what is inside, or 0. */
struct flow {
	uint64_t src;
	uint64_t dst;
	uint32_t kind;
	uint16_t inside;
};

/* Until vs_flow_init() any four numbers do. */
static uint64_t keys[VS_FLOW_KEYS] = {
	UINT64_C(0x9e3779b97f4a7c15),
	UINT64_C(0xbf58476d1ce4e5b9),
	UINT64_C(0x94d049bb133111eb),
	UINT64_C(0xd6e8feb86659fd93),
};

void vs_flow_seed(const uint64_t key[VS_FLOW_KEYS])
{
	memcpy(keys, key, sizeof(keys));
	/* Not zero, which would be everybody's product. */
	keys[1] |= 1;
}

int vs_flow_init(void)
{
	uint64_t key[VS_FLOW_KEYS];
	ssize_t n = getrandom(key, sizeof(key), 0);

	/* So few bytes come whole, or not at all (getrandom(2)). */
	if (n != (ssize_t)sizeof(key))
		return n < 0 ? -errno : -EIO;
	vs_flow_seed(key);
	return 0;
}

static inline uint64_t fold(uint64_t x, uint64_t y)
{
	unsigned __int128 product = (unsigned __int128)x * y;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load64(const uint8_t *at)
{
	rte_be64_t word;

	memcpy(&word, at, sizeof(word));
	return rte_be_to_cpu_64(word);
}

static inline uint32_t load32(const uint8_t *at)
{
	rte_be32_t word;

	memcpy(&word, at, sizeof(word));
	return rte_be_to_cpu_32(word);
}

static inline uint16_t load16(const uint8_t *at)
{
	rte_be16_t word;

	memcpy(&word, at, sizeof(word));
	return rte_be_to_cpu_16(word);
}

/* ---- what is inside of IP ---- */

/* The EtherType of what a GRE header encloses; 0: it stays closed. */
static uint16_t enter_gre(struct vs_cursor *c)
{
	const uint8_t *gre = vs_cursor_take(c, 4);
	uint16_t flags;
	uint16_t type;

	if (!gre)
		return 0;
	flags = load16(gre);
	if (flags & GRE_OTHERS)
		return 0;
	type = load16(gre + 2);
	if (type != TYPE_BRIDGING && type != RTE_ETHER_TYPE_IPV4 && type != RTE_ETHER_TYPE_IPV6)
		return 0;
	if (flags & GRE_CSUM && !vs_cursor_take(c, 4))
		return 0;
	if (flags & GRE_KEY && !vs_cursor_take(c, 4))
		return 0;
	return type;
}

/* Behind the header of IP, and at the one of @proto. */
static inline void read_transport(struct vs_cursor *c, uint8_t proto, struct flow *f)
{
	const uint8_t *ports;

	f->kind = proto;
	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		ports = vs_cursor_take(c, 4);
		if (ports) {
			f->src ^= load16(ports);
			f->dst ^= load16(ports + 2);
		}
		break;
	case IPPROTO_GRE:
		f->inside = enter_gre(c);
		break;
	case IPPROTO_IPIP:
		f->inside = RTE_ETHER_TYPE_IPV4;
		break;
	case IPPROTO_IPV6:
		f->inside = RTE_ETHER_TYPE_IPV6;
		break;
	default:
		break;
	}
}

/* ---- IP ---- */

/* Return: false: it is no IPv4 header, or there is no room for it in the private bytes. */
static inline bool read_ipv4(struct vs_cursor *c, struct flow *f)
{
	const uint8_t *ip = vs_cursor_take(c, sizeof(struct rte_ipv4_hdr));
	uint32_t len;

	if (!ip || ip[0] >> 4 != 4)
		return false;
	len = (ip[0] & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	if (len < sizeof(struct rte_ipv4_hdr))
		return false;
	f->src = (uint64_t)load32(ip + offsetof(struct rte_ipv4_hdr, src_addr)) << 16;
	f->dst = (uint64_t)load32(ip + offsetof(struct rte_ipv4_hdr, dst_addr)) << 16;
	f->kind = 0;
	if (load16(ip + offsetof(struct rte_ipv4_hdr, fragment_offset)) &
	    (RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG))
		return true;
	f->kind = ip[offsetof(struct rte_ipv4_hdr, next_proto_id)];
	if (likely(vs_cursor_take(c, len - (uint32_t)sizeof(struct rte_ipv4_hdr)) != NULL))
		read_transport(c, (uint8_t)f->kind, f);
	return true;
}

/*
 * Walk over extension headers (RFC 8200, 4; RFC 4302, 2.2), each of at least 8 bytes, so the
 * private bytes are soon at their end. Return: false: they are, or this is a fragment.
 */
static bool skip_extensions(struct vs_cursor *c, uint8_t *proto)
{
	for (;;) {
		const uint8_t *at;
		uint32_t more;

		switch (*proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_AH:
			break;
		case IPPROTO_FRAGMENT:
			return false;
		default:
			return true;
		}
		at = vs_cursor_take(c, 8);
		if (!at)
			return false;
		/* Its length is in units of 8 bytes, in AH of 4, the first 8 bytes left out. */
		more = at[1] * (*proto == IPPROTO_AH ? 4u : 8u);
		*proto = at[0];
		if (!vs_cursor_take(c, more))
			return false;
	}
}

static bool read_ipv6(struct vs_cursor *c, struct flow *f)
{
	const uint8_t *ip = vs_cursor_take(c, sizeof(struct rte_ipv6_hdr));
	const uint8_t *src;
	const uint8_t *dst;
	uint8_t proto;

	if (!ip || ip[0] >> 4 != 6)
		return false;
	src = ip + offsetof(struct rte_ipv6_hdr, src_addr);
	dst = ip + offsetof(struct rte_ipv6_hdr, dst_addr);
	f->src = fold(load64(src) ^ keys[2], load64(src + 8) ^ keys[3]);
	f->dst = fold(load64(dst) ^ keys[2], load64(dst + 8) ^ keys[3]);
	f->kind = 0;
	proto = ip[offsetof(struct rte_ipv6_hdr, proto)];
	if (likely(skip_extensions(c, &proto)))
		read_transport(c, proto, f);
	return true;
}

static bool read_ip(struct vs_cursor *c, uint16_t type, struct flow *f)
{
	f->inside = 0;
	if (likely(type == RTE_ETHER_TYPE_IPV4))
		return read_ipv4(c, f);
	return type == RTE_ETHER_TYPE_IPV6 && read_ipv6(c, f);
}

/* ---- frames ---- */

/* At an Ethernet header. Return: false: there is none. */
static bool read_frame(struct vs_cursor *c, struct flow *f)
{
	const uint8_t *eth = vs_cursor_take(c, sizeof(struct rte_ether_hdr));
	uint16_t type;

	if (!eth)
		return false;
	type = load16(eth + (size_t)2 * RTE_ETHER_ADDR_LEN);
	while (unlikely(vs_l2_is_tag(rte_cpu_to_be_16(type)))) {
		const uint8_t *tag = vs_cursor_take(c, sizeof(struct rte_vlan_hdr));

		if (!tag)
			break;
		type = load16(tag + offsetof(struct rte_vlan_hdr, eth_proto));
	}
	if (likely(read_ip(c, type, f)))
		return true;
	f->dst = load64(eth) >> 16;
	/* The last six of the eight bytes that end with the address. */
	f->src = load64(eth + RTE_ETHER_ADDR_LEN - 2) & ((UINT64_C(1) << 48) - 1);
	f->kind = KIND_TYPES + (type >= TYPE_MIN ? type : 0u);
	return true;
}

/* What is inside, if it can be read, takes the place of what is around it. */
static void enter(struct vs_cursor *c, struct flow *f)
{
	struct flow inner;
	bool known;

	if (f->inside == TYPE_BRIDGING)
		known = read_frame(c, &inner);
	else
		known = read_ip(c, f->inside, &inner);
	if (known)
		*f = inner;
}

uint32_t vs_flow_hash(const struct vs_pkt *pkt)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	struct flow f;
	uint64_t key;

	if (unlikely(!read_frame(&c, &f)))
		return 0;
	if (unlikely(f.inside))
		enter(&c, &f);
	key = keys[0] ^ (uint64_t)f.kind << KIND_SHIFT;
	return (uint32_t)(fold(fold(f.src ^ key, f.dst ^ key), keys[1]) >> 32);
}
