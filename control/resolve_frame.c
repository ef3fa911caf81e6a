/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve_frame.h"

#include <rte_arp.h>
#include <rte_icmp.h>
#include <rte_ip.h>

enum {
	ND_NS = 135,
	ND_NA = 136,
	ND_LEN = 24, /* type, code, checksum, flags, target */
	ND_NA_SOLICITED = 0x40,
	ND_NA_OVERRIDE = 0x20,
	ND_OPT_SOURCE = 1,
	ND_OPT_TARGET = 2,
	ND_HOP_LIMIT = 255,
	ICMP_UNREACHABLE = 3,
	ICMP_TOO_BIG = 4, /* code */
	ICMP6_TOO_BIG = 2,
};

static const struct rte_ether_addr to_all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* ---- building ---- */

static uint8_t *put_eth(uint8_t *at, const struct vs_neigh_self *self,
			const struct rte_ether_addr *to, uint16_t type)
{
	const rte_be16_t tag[2] = {RTE_BE16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(self->vid)};
	const rte_be16_t type_be = rte_cpu_to_be_16(type);

	memcpy(at, to, sizeof(*to));
	memcpy(at + 6, &self->mac, sizeof(self->mac));
	at += 12;
	if (self->vid) {
		memcpy(at, tag, sizeof(tag));
		at += sizeof(tag);
	}
	memcpy(at, &type_be, sizeof(type_be));
	return at + sizeof(type_be);
}

static uint32_t put_arp(uint8_t *frame, const struct vs_neigh_self *self,
			const struct vs_ip *target, const struct rte_ether_addr *to)
{
	struct rte_arp_hdr arp = {
		.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
		.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = 4,
		.arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST),
		.arp_data.arp_sha = self->mac,
	};
	uint8_t *at = put_eth(frame, self, to ? to : &to_all, RTE_ETHER_TYPE_ARP);

	memcpy(&arp.arp_data.arp_sip, self->ip.b + 12, 4);
	memcpy(&arp.arp_data.arp_tip, target->b + 12, 4);
	memcpy(at, &arp, sizeof(arp));
	return (uint32_t)(at + sizeof(arp) - frame);
}

/* ICMPv6 with one link-layer address as option. @nd: type, flags; the rest is filled in */
static uint32_t put_nd(uint8_t *frame, const struct vs_neigh_self *self, const struct vs_ip *dst,
		       const struct rte_ether_addr *to, const uint8_t nd[ND_LEN], uint8_t option)
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow = RTE_BE32(UINT32_C(6) << 28),
		.payload_len = RTE_BE16(ND_LEN + 8),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = ND_HOP_LIMIT,
	};
	uint8_t icmp[ND_LEN + 8] = {0};
	uint8_t *at = put_eth(frame, self, to, RTE_ETHER_TYPE_IPV6);
	uint16_t csum;

	memcpy(ip.src_addr, self->ip.b, sizeof(ip.src_addr));
	memcpy(ip.dst_addr, dst->b, sizeof(ip.dst_addr));
	memcpy(icmp, nd, ND_LEN);
	icmp[ND_LEN] = option;
	icmp[ND_LEN + 1] = 1; /* in units of eight bytes */
	memcpy(icmp + ND_LEN + 2, &self->mac, sizeof(self->mac));
	csum = rte_ipv6_udptcp_cksum(&ip, icmp);
	memcpy(icmp + 2, &csum, sizeof(csum));
	memcpy(at, &ip, sizeof(ip));
	memcpy(at + sizeof(ip), icmp, sizeof(icmp));
	return (uint32_t)(at + sizeof(ip) + sizeof(icmp) - frame);
}

/* The group of all who may have @ip (RFC 4291, 2.7.1). */
static struct vs_ip solicited_node(const struct vs_ip *ip)
{
	struct vs_ip group = {.b = {0xff, 0x02, [11] = 0x01, [12] = 0xff}};

	memcpy(group.b + 13, ip->b + 13, 3);
	return group;
}

/* RFC 2464, 7 */
static struct rte_ether_addr mac_of_group(const struct vs_ip *group)
{
	struct rte_ether_addr mac = {{0x33, 0x33}};

	memcpy(mac.addr_bytes + 2, group->b + 12, 4);
	return mac;
}

uint32_t vs_neigh_ask(uint8_t frame[VS_NEIGH_FRAME], const struct vs_neigh_self *self,
		      const struct vs_ip *target, const struct rte_ether_addr *to)
{
	const struct vs_ip dst = to ? *target : solicited_node(target);
	const struct rte_ether_addr group = mac_of_group(&dst);
	uint8_t nd[ND_LEN] = {ND_NS};

	if (vs_ip_is4(&self->ip))
		return put_arp(frame, self, target, to);
	memcpy(nd + 8, target->b, sizeof(target->b));
	return put_nd(frame, self, &dst, to ? to : &group, nd, ND_OPT_SOURCE);
}

uint32_t vs_neigh_announce(uint8_t frame[VS_NEIGH_FRAME], const struct vs_neigh_self *self)
{
	static const struct vs_ip all_nodes = {.b = {0xff, 0x02, [15] = 0x01}};
	const struct rte_ether_addr group = mac_of_group(&all_nodes);
	uint8_t nd[ND_LEN] = {ND_NA, [4] = ND_NA_OVERRIDE};

	if (vs_ip_is4(&self->ip))
		return put_arp(frame, self, &self->ip, NULL);
	memcpy(nd + 8, self->ip.b, sizeof(self->ip.b));
	return put_nd(frame, self, &all_nodes, &group, nd, ND_OPT_TARGET);
}

/* ---- reading ---- */

/** struct reader - what is left of a frame */
struct reader {
	const uint8_t *at;
	uint32_t left;
};

/* Copy the next @n bytes. Return: false: there are fewer. */
static bool take(struct reader *r, void *to, uint32_t n)
{
	if (n > r->left)
		return false;
	memcpy(to, r->at, n);
	r->at += n;
	r->left -= n;
	return true;
}

/* The Ethernet header, and one tag. Return: false: too short. */
static bool take_eth(struct reader *r, struct rte_ether_hdr *ret_eth)
{
	struct rte_vlan_hdr tag;

	if (!take(r, ret_eth, sizeof(*ret_eth)))
		return false;
	if (ret_eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN))
		return true;
	if (!take(r, &tag, sizeof(tag)))
		return false;
	ret_eth->ether_type = tag.eth_proto;
	return true;
}

static bool is_mac(const struct rte_ether_addr *mac)
{
	return rte_is_unicast_ether_addr(mac) && !rte_is_zero_ether_addr(mac);
}

static bool is_unicast4(const struct vs_ip *ip)
{
	/* Neither "this network", nor loopback, nor a group, nor what is above those. */
	return ip->b[12] != 0 && ip->b[12] != 127 && ip->b[12] < 224;
}

static bool is_unicast6(const struct vs_ip *ip)
{
	static const struct vs_ip loopback = {.b = {[15] = 1}};
	static const struct vs_ip none;

	return ip->b[0] != 0xff && !vs_ip_equal(ip, &none) && !vs_ip_equal(ip, &loopback) &&
	       !vs_ip_is4(ip);
}

static bool parse_arp(struct reader *r, bool (*is_self)(const struct vs_ip *ip, const void *ctx),
		      const void *ctx, struct vs_neigh_told *told)
{
	struct rte_arp_hdr arp;
	struct vs_ip target;
	bool to_us;

	if (!take(r, &arp, sizeof(arp)) || arp.arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
	    arp.arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	    arp.arp_hlen != RTE_ETHER_ADDR_LEN || arp.arp_plen != 4)
		return false;
	if (arp.arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST) &&
	    arp.arp_opcode != RTE_BE16(RTE_ARP_OP_REPLY))
		return false;
	told->ip = vs_ip_make4(&arp.arp_data.arp_sip);
	told->mac = arp.arp_data.arp_sha;
	target = vs_ip_make4(&arp.arp_data.arp_tip);
	if (!is_unicast4(&told->ip) || !is_mac(&told->mac))
		return false;
	to_us = is_self(&target, ctx);
	told->answer = to_us && arp.arp_opcode == RTE_BE16(RTE_ARP_OP_REPLY);
	told->override = true;
	return to_us || vs_ip_equal(&told->ip, &target);
}

/* The options of an advertisement: which MAC? Return: false: they are malformed. */
static bool parse_options(struct reader *r, struct rte_ether_addr *mac)
{
	uint8_t head[2];
	uint32_t body;

	while (r->left) {
		if (!take(r, head, sizeof(head)) || head[1] == 0)
			return false;
		body = head[1] * 8u - (uint32_t)sizeof(head);
		if (body > r->left)
			return false;
		if (head[0] == ND_OPT_TARGET && head[1] == 1)
			memcpy(mac, r->at, sizeof(*mac));
		r->at += body;
		r->left -= body;
	}
	return true;
}

/* An IPv6 header right in front of ICMPv6. Return: false: it is none, or the checksum is wrong. */
static bool take_icmp6(struct reader *r, struct rte_ipv6_hdr *ip)
{
	if (!take(r, ip, sizeof(*ip)) || (rte_be_to_cpu_32(ip->vtc_flow) >> 28) != 6 ||
	    ip->proto != IPPROTO_ICMPV6 || rte_be_to_cpu_16(ip->payload_len) > r->left)
		return false;
	/* Behind it are bytes that fill up the frame. */
	r->left = rte_be_to_cpu_16(ip->payload_len);
	return r->left >= sizeof(struct rte_icmp_hdr) && rte_ipv6_udptcp_cksum(ip, r->at) == 0;
}

static bool parse_na(struct reader *r, bool (*is_self)(const struct vs_ip *ip, const void *ctx),
		     const void *ctx, struct vs_neigh_told *told)
{
	struct rte_ipv6_hdr ip;
	uint8_t nd[ND_LEN];
	struct vs_ip dst;

	if (!take_icmp6(r, &ip) || ip.hop_limits != ND_HOP_LIMIT || !take(r, nd, sizeof(nd)) ||
	    nd[0] != ND_NA || nd[1] != 0)
		return false;
	memset(&told->mac, 0, sizeof(told->mac));
	if (!parse_options(r, &told->mac))
		return false;
	dst = vs_ip_make6(ip.dst_addr);
	told->ip = vs_ip_make6(nd + 8);
	told->answer = (nd[4] & ND_NA_SOLICITED) != 0;
	told->override = (nd[4] & ND_NA_OVERRIDE) != 0;
	if (!is_unicast6(&told->ip) || (!rte_is_zero_ether_addr(&told->mac) && !is_mac(&told->mac)))
		return false;
	/* To a group nobody answers (RFC 4861, 7.1.2). */
	if (dst.b[0] == 0xff)
		return !told->answer;
	return is_self(&dst, ctx);
}

bool vs_neigh_parse(const uint8_t *frame, uint32_t len,
		    bool (*is_self)(const struct vs_ip *ip, const void *ctx), const void *ctx,
		    struct vs_neigh_told *ret_told)
{
	struct reader r = {.at = frame, .left = len};
	struct vs_neigh_told told = {.answer = false};
	struct rte_ether_hdr eth;
	bool ok = false;

	if (!take_eth(&r, &eth))
		return false;
	if (eth.ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		ok = parse_arp(&r, is_self, ctx, &told);
	else if (eth.ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		ok = parse_na(&r, is_self, ctx, &told);
	/* What everybody was told answers nobody. */
	if (rte_is_multicast_ether_addr(&eth.dst_addr))
		told.answer = false;
	if (ok)
		*ret_told = told;
	return ok;
}

bool vs_neigh_event(const struct vs_neigh_told *told, const struct vs_hop *hop,
		    enum vs_hop_event *ret_event, struct rte_ether_addr *ret_mac)
{
	const bool silent = rte_is_zero_ether_addr(&told->mac);
	const bool other = !silent && !rte_is_same_ether_addr(&told->mac, &hop->mac);

	/* Without a MAC it can only confirm the one that is known. */
	if (silent && !vs_hop_has_mac(hop))
		return false;
	*ret_mac = silent ? hop->mac : told->mac;
	if (other && !told->override && vs_hop_has_mac(hop))
		*ret_event = VS_HOP_DOUBTED;
	else
		*ret_event = told->answer ? VS_HOP_ANSWERED : VS_HOP_HEARD;
	return true;
}

/* ---- too big ---- */

/* GRE with a key, and what the key says. Return: false: not NVGRE. */
static bool take_vsid(struct reader *r, uint32_t *ret_vsid)
{
	static const uint8_t start[4] = {0x20, 0x00, 0x65, 0x58};
	uint8_t gre[8];

	if (!take(r, gre, sizeof(gre)) || memcmp(gre, start, sizeof(start)) != 0)
		return false;
	*ret_vsid = (uint32_t)gre[4] << 16 | (uint32_t)gre[5] << 8 | gre[6];
	return true;
}

/* What a router too old to say it can have meant (RFC 1191, 7). */
static uint32_t plateau_below(uint32_t len)
{
	static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};
	unsigned int i;

	for (i = 0; i < RTE_DIM(plateau); i++) {
		if (plateau[i] < len)
			return plateau[i];
	}
	return VS_PMTU_MIN4;
}

/* @len: of the packet that was too big */
static bool judge_mtu(struct vs_pmtu_told *told, uint32_t mtu, uint32_t len, uint32_t least)
{
	mtu = RTE_MAX(mtu, least);
	if (mtu >= len)
		return false;
	told->mtu = (uint16_t)mtu;
	return true;
}

static bool parse_pmtu4(struct reader *r, struct vs_pmtu_told *told)
{
	struct rte_ipv4_hdr sent;
	struct rte_ipv4_hdr ip;
	uint8_t icmp[8];
	uint32_t mtu;
	uint32_t len;

	if (!take(r, &ip, sizeof(ip)) || ip.version_ihl != RTE_IPV4_VHL_DEF ||
	    ip.next_proto_id != IPPROTO_ICMP || rte_raw_cksum(&ip, sizeof(ip)) != 0xffff ||
	    (ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)))
		return false;
	len = rte_be_to_cpu_16(ip.total_length);
	if (len < sizeof(ip) || len - sizeof(ip) > r->left)
		return false;
	r->left = len - (uint32_t)sizeof(ip);
	if (rte_raw_cksum(r->at, r->left) != 0xffff || !take(r, icmp, sizeof(icmp)) ||
	    icmp[0] != ICMP_UNREACHABLE || icmp[1] != ICMP_TOO_BIG)
		return false;
	/* No options: we send none. */
	if (!take(r, &sent, sizeof(sent)) || sent.version_ihl != RTE_IPV4_VHL_DEF ||
	    sent.next_proto_id != IPPROTO_GRE || !take_vsid(r, &told->vsid))
		return false;
	told->local = vs_ip_make4(&sent.src_addr);
	told->remote = vs_ip_make4(&sent.dst_addr);
	len = rte_be_to_cpu_16(sent.total_length);
	mtu = (uint32_t)icmp[6] << 8 | icmp[7];
	return judge_mtu(told, mtu ? mtu : plateau_below(len), len, VS_PMTU_MIN4);
}

static bool parse_pmtu6(struct reader *r, struct vs_pmtu_told *told)
{
	struct rte_ipv6_hdr sent;
	struct rte_ipv6_hdr ip;
	rte_be32_t mtu;
	uint8_t icmp[8];

	if (!take_icmp6(r, &ip) || !take(r, icmp, sizeof(icmp)) || icmp[0] != ICMP6_TOO_BIG ||
	    icmp[1] != 0)
		return false;
	if (!take(r, &sent, sizeof(sent)) || (rte_be_to_cpu_32(sent.vtc_flow) >> 28) != 6 ||
	    sent.proto != IPPROTO_GRE || !take_vsid(r, &told->vsid))
		return false;
	told->local = vs_ip_make6(sent.src_addr);
	told->remote = vs_ip_make6(sent.dst_addr);
	memcpy(&mtu, icmp + 4, sizeof(mtu));
	return judge_mtu(told, rte_be_to_cpu_32(mtu),
			 rte_be_to_cpu_16(sent.payload_len) + (uint32_t)sizeof(sent), VS_PMTU_MIN6);
}

bool vs_pmtu_parse(const uint8_t *frame, uint32_t len, struct vs_pmtu_told *ret_told)
{
	struct reader r = {.at = frame, .left = len};
	struct vs_pmtu_told told = {.mtu = 0};
	struct rte_ether_hdr eth;
	bool ok = false;

	if (!take_eth(&r, &eth))
		return false;
	if (eth.ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		ok = parse_pmtu4(&r, &told);
	else if (eth.ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		ok = parse_pmtu6(&r, &told);
	if (ok)
		*ret_told = told;
	return ok;
}

bool vs_pmtu_lower(struct vs_pmtu *p, uint16_t mtu, uint64_t now_ms)
{
	const uint16_t before = vs_pmtu_now(p);

	if (mtu > before)
		return false;
	p->mtu = mtu;
	p->told_ms = now_ms;
	return mtu < before;
}

bool vs_pmtu_age(struct vs_pmtu *p, uint64_t now_ms)
{
	const uint16_t before = vs_pmtu_now(p);

	if (!p->mtu || now_ms - p->told_ms < VS_PMTU_GOOD_MS)
		return false;
	p->mtu = 0;
	return vs_pmtu_now(p) > before;
}
