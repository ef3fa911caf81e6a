/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Outer headers of NVGRE (RFC 7637, 3.2): built, put, taken.
 *
 * DOC: theory of operation
 *
 * A header in front of a frame differs from the last one to the same peer in a few fields only:
 * lengths, id, ECN, VSID, FlowID. So all of it is made once, with these 0, and copied. Its IPv4
 * checksum is that of the fields that stay; adding a word m' where 0 was changes it from HC to
 * ~(~HC + m') (RFC 1624, equation 3), whatever the rest is.
 *
 *	  begin      + l3                   + outer_len - 8      end
 *	| Ethernet (tag) | IPv4, IPv6       | GRE               | inner Ethernet ...
 */
#include "nvgre/outer.h"

#include "dataplane/core/hdr.h"

#include <rte_branch_prediction.h>
#include <rte_ip.h>

#include <errno.h>
#include <string.h>

enum {
	IP4_AT_TOS = 1,
	IP4_AT_LEN = 2,
	IP4_AT_ID = 4,
	IP4_AT_SUM = 10,
	/* Of a frame over IPv4 without a tag. */
	AT_FRAGMENT = 14 + 6,
	AT_ADDRESSES = 14 + 12,
	AT_GRE = 14 + 20,
	IP6_AT_LEN = 4,
	IP6_VERSION = 0x60000000,
	IP6_CLASS_SHIFT = 20,
	/* The flow label: 20 bits (RFC 6437). */
	IP6_LABEL_SHIFT = 12,
	/* What an IP packet can have, without its header (IPv6) or with it (IPv4). */
	IP_BYTES_MAX = UINT16_MAX,
};

static void put16(uint8_t *at, uint16_t value)
{
	const rte_be16_t be = rte_cpu_to_be_16(value);

	memcpy(at, &be, sizeof(be));
}

static void put32(uint8_t *at, uint32_t value)
{
	const rte_be32_t be = rte_cpu_to_be_32(value);

	memcpy(at, &be, sizeof(be));
}

/* ---- built */

static uint8_t *build_ethernet(uint8_t *at, const struct vs_pa *pa, uint16_t tag, bool is4)
{
	at += RTE_ETHER_ADDR_LEN;
	memcpy(at, &pa->mac, RTE_ETHER_ADDR_LEN);
	at += RTE_ETHER_ADDR_LEN;
	if (tag) {
		put16(at, RTE_ETHER_TYPE_VLAN);
		put16(at + 2, tag);
		at += sizeof(struct rte_vlan_hdr);
	}
	put16(at, is4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	return at + sizeof(rte_be16_t);
}

static uint8_t *build_ip4(uint8_t *at, const struct vs_ip *from, const struct vs_ip *to)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.fragment_offset = RTE_BE16(VS_IP4_DF),
		.time_to_live = VS_OUTER_TTL,
		.next_proto_id = VS_IP_GRE,
	};

	memcpy(&ip.src_addr, from->b + 12, sizeof(ip.src_addr));
	memcpy(&ip.dst_addr, to->b + 12, sizeof(ip.dst_addr));
	ip.hdr_checksum = (rte_be16_t)~rte_raw_cksum(&ip, sizeof(ip));
	memcpy(at, &ip, sizeof(ip));
	return at + sizeof(ip);
}

static uint8_t *build_ip6(uint8_t *at, const struct vs_ip *from, const struct vs_ip *to)
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow = RTE_BE32(IP6_VERSION),
		.proto = VS_IP_GRE,
		.hop_limits = VS_OUTER_TTL,
	};

	memcpy(ip.src_addr, from->b, sizeof(ip.src_addr));
	memcpy(ip.dst_addr, to->b, sizeof(ip.dst_addr));
	memcpy(at, &ip, sizeof(ip));
	return at + sizeof(ip);
}

int vs_outer_build(struct vs_peer *peer, const struct vs_pa *pa, const struct vs_ip *remote,
		   uint16_t tag)
{
	const bool is4 = vs_ip_is4(remote);
	const struct vs_gre gre = {
		.flags = RTE_BE16(VS_GRE_FLAGS),
		.type = RTE_BE16(VS_GRE_ETHERNET),
	};
	uint8_t *at;

	if (is4 != vs_ip_is4(&pa->prefix.ip) || tag > VS_VID_MAX)
		return -EINVAL;
	peer->ip = *remote;
	peer->local = pa->prefix.ip;
	peer->is4 = is4;
	peer->uplink = pa->uplink;
	peer->vid = pa->vid;
	peer->fid = pa->fid;

	memset(peer->outer, 0, sizeof(peer->outer));
	at = build_ethernet(peer->outer, pa, tag, is4);
	peer->l3 = (uint8_t)(at - peer->outer);
	at = is4 ? build_ip4(at, &peer->local, remote) : build_ip6(at, &peer->local, remote);
	memcpy(at, &gre, sizeof(gre));
	peer->outer_len = (uint8_t)(at + sizeof(gre) - peer->outer);
	return 0;
}

/* ---- put */

static void put_ip4(uint8_t *ip, uint16_t len, uint16_t id, uint8_t ecn)
{
	uint16_t was;
	uint32_t sum;

	memcpy(&was, ip + IP4_AT_SUM, sizeof(was));
	sum = (uint16_t)~rte_be_to_cpu_16(was);
	sum += (uint32_t)len + id + ecn;
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum += sum >> 16;
	ip[IP4_AT_TOS] = ecn;
	put16(ip + IP4_AT_LEN, len);
	put16(ip + IP4_AT_ID, id);
	put16(ip + IP4_AT_SUM, (uint16_t)~sum);
}

static void put_ip6(uint8_t *ip, uint16_t len, uint32_t hash, uint8_t ecn)
{
	put32(ip, IP6_VERSION | (uint32_t)ecn << IP6_CLASS_SHIFT | hash >> IP6_LABEL_SHIFT);
	put16(ip + IP6_AT_LEN, len);
}

uint8_t *vs_outer_put(const struct vs_peer *peer, uint32_t vsid, uint32_t hash, uint8_t tos,
		      uint32_t inner_len, uint16_t id, uint8_t *end)
{
	const uint64_t next_hop = __atomic_load_n(&peer->next_hop, __ATOMIC_RELAXED);
	const rte_be64_t mac = rte_cpu_to_be_64(next_hop << 16);
	const uint32_t ip_header = peer->is4 ? sizeof(struct rte_ipv4_hdr) : 0;
	const uint32_t len = ip_header + VS_NVGRE_GRE + inner_len;
	const uint8_t flowid = peer->no_flowid ? 0 : vs_gre_flowid(hash);
	const rte_be32_t key = vs_gre_key(vsid, flowid);
	uint8_t *begin = end - peer->outer_len;

	if (unlikely(inner_len > IP_BYTES_MAX || len > IP_BYTES_MAX))
		return NULL;
	vs_hdr_copy(begin, peer->outer, peer->outer_len);
	memcpy(begin, &mac, RTE_ETHER_ADDR_LEN);
	if (peer->is4)
		put_ip4(begin + peer->l3, (uint16_t)len, id, tos & VS_ECN_MASK);
	else
		put_ip6(begin + peer->l3, (uint16_t)len, hash, tos & VS_ECN_MASK);
	memcpy(end - sizeof(key), &key, sizeof(key));
	return begin;
}

uint8_t vs_inner_tos(const struct vs_pkt *pkt)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	const struct rte_ether_hdr *eth = vs_cursor_take(&c, sizeof(*eth));
	const uint8_t *ip = vs_cursor_take(&c, 2);

	if (!eth || !ip)
		return 0;
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && ip[0] >> 4 == 4)
		return ip[1];
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && ip[0] >> 4 == 6)
		return (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	return 0;
}

/* ---- taken */

/* Is it an address that one host can have? 0, loopback, multicast and above are not. */
static bool may_send4(const uint8_t *b)
{
	return b[0] != 0 && b[0] != 127 && b[0] < 224;
}

static bool may_send6(const struct vs_ip *ip)
{
	static const struct vs_ip none;
	static const struct vs_ip loopback = {.b = {[15] = 1}};

	return ip->b[0] != 0xff && !vs_ip_is4(ip) && !vs_ip_equal(ip, &none) &&
	       !vs_ip_equal(ip, &loopback);
}

/* The sum of an IPv4 header of 20 bytes, as its words lie in memory; of a right one all ones. */
static uint16_t sum_ip4(const void *ip)
{
	uint64_t word[2];
	uint32_t last;
	uint64_t sum;

	memcpy(word, ip, sizeof(word));
	memcpy(&last, (const uint8_t *)ip + sizeof(word), sizeof(last));
	sum = (word[0] & UINT32_MAX) + (word[0] >> 32) + (word[1] & UINT32_MAX) + (word[1] >> 32) +
	      last;
	sum = (sum & UINT16_MAX) + (sum >> 16 & UINT16_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/*
 * Options are refused, and so are extension headers: no tunnel end sends any, and a source
 * route would ask for more than unpacking. @c: behind the Ethernet header; @ret_len: bytes behind
 * the IP header.
 */
static enum vs_drop take_ip4(struct vs_cursor *c, struct vs_outer *o, uint32_t *ret_len)
{
	const struct rte_ipv4_hdr *ip = vs_cursor_take(c, sizeof(*ip));
	uint32_t len;

	if (!ip)
		return VS_DROP_NVGRE_SHORT;
	if (ip->version_ihl >> 4 != 4 || (ip->version_ihl & 15) < 5)
		return VS_DROP_NVGRE_HEADER;
	if (ip->version_ihl != RTE_IPV4_VHL_DEF)
		return VS_DROP_NVGRE_OPTIONS;
	if (sum_ip4(ip) != UINT16_MAX)
		return VS_DROP_NVGRE_CSUM;
	if (ip->fragment_offset & RTE_BE16(VS_IP4_FRAGMENT))
		return VS_DROP_NVGRE_FRAGMENT;
	if (ip->next_proto_id != VS_IP_GRE)
		return VS_DROP_PA_PROTO;
	len = rte_be_to_cpu_16(ip->total_length);
	if (len < sizeof(*ip))
		return VS_DROP_NVGRE_SHORT;
	o->src = vs_ip_make4(&ip->src_addr);
	o->dst = vs_ip_make4(&ip->dst_addr);
	o->tos = ip->type_of_service;
	*ret_len = len - (uint32_t)sizeof(*ip);
	return may_send4(o->src.b + 12) ? VS_DROP_NONE : VS_DROP_NVGRE_LOCAL;
}

/* Next headers that are extension headers (RFC 8200, 4; RFC 4302, 4303; RFC 6275; RFC 7401). */
static enum vs_drop refuse_next(uint8_t next)
{
	switch (next) {
	case IPPROTO_FRAGMENT:
		return VS_DROP_NVGRE_FRAGMENT;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_AH:
	case IPPROTO_ESP:
	case IPPROTO_MH:
	case 139: /* host identity */
	case 140: /* shim6 (RFC 5533) */
		return VS_DROP_NVGRE_OPTIONS;
	default:
		return VS_DROP_PA_PROTO;
	}
}

static enum vs_drop take_ip6(struct vs_cursor *c, struct vs_outer *o, uint32_t *ret_len)
{
	const struct rte_ipv6_hdr *ip = vs_cursor_take(c, sizeof(*ip));
	uint32_t first;

	if (!ip)
		return VS_DROP_NVGRE_SHORT;
	first = rte_be_to_cpu_32(ip->vtc_flow);
	if (first >> 28 != 6)
		return VS_DROP_NVGRE_HEADER;
	if (ip->proto != VS_IP_GRE)
		return refuse_next(ip->proto);
	o->src = vs_ip_make6(ip->src_addr);
	o->dst = vs_ip_make6(ip->dst_addr);
	o->tos = (uint8_t)(first >> IP6_CLASS_SHIFT);
	*ret_len = rte_be_to_cpu_16(ip->payload_len);
	return may_send6(&o->src) ? VS_DROP_NONE : VS_DROP_NVGRE_LOCAL;
}

static enum vs_drop take_gre(struct vs_cursor *c, struct vs_outer *o)
{
	const struct vs_gre *gre = vs_cursor_take(c, sizeof(*gre));
	const struct rte_ether_hdr *eth = vs_cursor_take(c, sizeof(*eth));

	if (!gre)
		return VS_DROP_NVGRE_SHORT;
	if (gre->flags != RTE_BE16(VS_GRE_FLAGS))
		return VS_DROP_NVGRE_FLAGS;
	if (gre->type != RTE_BE16(VS_GRE_ETHERNET))
		return VS_DROP_NVGRE_PROTO;
	o->vsid = rte_be_to_cpu_32(gre->key) >> VS_GRE_VSID_SHIFT;
	if (o->vsid < VS_VSID_MIN || o->vsid > VS_VSID_MAX)
		return VS_DROP_NVGRE_VSID;
	if (!eth)
		return VS_DROP_NVGRE_SHORT;
	return vs_l2_is_tag(eth->ether_type) ? VS_DROP_NVGRE_TAGGED : VS_DROP_NONE;
}

enum vs_drop vs_outer_take(const struct vs_pkt *pkt, struct vs_outer *ret)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	const struct rte_ether_hdr *eth = vs_cursor_take(&c, sizeof(*eth));
	const struct rte_vlan_hdr *tag;
	enum vs_drop drop = VS_DROP_PA_PROTO;
	struct vs_outer o = {0};
	uint32_t len = 0;
	rte_be16_t type;

	if (!eth)
		return VS_DROP_NVGRE_SHORT;
	type = eth->ether_type;
	if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN)) {
		tag = vs_cursor_take(&c, sizeof(*tag));
		if (!tag)
			return VS_DROP_NVGRE_SHORT;
		type = tag->eth_proto;
	}
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		drop = take_ip4(&c, &o, &len);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		drop = take_ip6(&c, &o, &len);
	if (drop)
		return drop;
	/* What IP says must be there, and what it does not say is not. */
	if (len > pkt->len - (uint32_t)(c.at - pkt->hdr))
		return VS_DROP_NVGRE_SHORT;
	c.left = RTE_MIN(c.left, len);
	drop = take_gre(&c, &o);
	if (drop)
		return drop;
	o.inner_at = (uint16_t)(c.at - pkt->hdr - sizeof(struct rte_ether_hdr));
	o.inner_len = len - VS_NVGRE_GRE;
	*ret = o;
	return VS_DROP_NONE;
}

/* The bits in which two words differ. */
static uint64_t differ64(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

static uint32_t differ32(const uint8_t *a, const uint8_t *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

/* MACs, EtherType, version and TOS; fragment, TTL, protocol; addresses; GRE but for the FlowID. */
static bool is_like(const uint8_t *at, const uint8_t *head)
{
	const uint64_t key = differ64(at + AT_GRE, head + AT_GRE) &
			     rte_cpu_to_be_64(~UINT64_C(0xff));

	return !(differ64(at, head) | differ64(at + 8, head + 8) |
		 differ32(at + AT_FRAGMENT, head + AT_FRAGMENT) |
		 differ64(at + AT_ADDRESSES, head + AT_ADDRESSES) | key);
}

bool vs_outer_again(const struct vs_pkt *pkt, const uint8_t *head, struct vs_outer *outer)
{
	const uint32_t before = sizeof(struct rte_ether_hdr);
	const uint8_t *ip = pkt->hdr + before;
	const struct rte_ether_hdr *inner = (const void *)(pkt->hdr + VS_OUTER_USUAL);
	uint32_t len;

	if (pkt->hdr_len < VS_OUTER_USUAL + sizeof(*inner) || !is_like(pkt->hdr, head) ||
	    sum_ip4(ip) != UINT16_MAX || vs_l2_is_tag(inner->ether_type))
		return false;
	len = (uint32_t)ip[IP4_AT_LEN] << 8 | ip[IP4_AT_LEN + 1];
	if (len > pkt->len - before || len < VS_OUTER_USUAL - before + sizeof(*inner))
		return false;
	outer->inner_len = len - (VS_OUTER_USUAL - before);
	return true;
}
