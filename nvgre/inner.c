/* SPDX-License-Identifier: BSD-3-Clause */
#include "nvgre/inner.h"

#include "nvgre/wire.h"

#include <stddef.h>

enum {
	/* An extension header that says its own length does so in units of 8 bytes, AH of 4. */
	EXT_UNIT = 8,
	EXT_UNIT_AH = 4,
	/* Lower bits of an IPv6 fragment header's offset: reserved, and "more fragments". */
	FRAG6_OFFSET = 0xfff8,
	FRAG6_MORE = 1,
};

static bool read_ipv4(struct vs_cursor *c, const struct vs_pkt *pkt, struct vs_inner *in)
{
	const struct rte_ipv4_hdr *ip = vs_cursor_take(c, sizeof(*ip));
	uint16_t fragment;
	uint32_t total;
	uint32_t len;

	if (!ip || ip->version_ihl >> 4 != 4)
		return false;
	len = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	total = rte_be_to_cpu_16(ip->total_length);
	if (len < sizeof(*ip) || !vs_cursor_take(c, len - (uint32_t)sizeof(*ip)))
		return false;
	if (total < len || total > pkt->len - VS_INNER_L3 || rte_raw_cksum(ip, len) != UINT16_MAX)
		return false;
	fragment = rte_be_to_cpu_16(ip->fragment_offset);
	*in = (struct vs_inner){
		.src = vs_ip_make4(&ip->src_addr),
		.dst = vs_ip_make4(&ip->dst_addr),
		.end = VS_INNER_L3 + total,
		.version = 4,
		.proto = ip->next_proto_id,
		.ttl = ip->time_to_live,
		.options = len > sizeof(*ip),
	};
	if (fragment & RTE_IPV4_HDR_OFFSET_MASK)
		in->fragment = VS_FRAGMENT_LATER;
	else if (fragment & RTE_IPV4_HDR_MF_FLAG)
		in->fragment = VS_FRAGMENT_FIRST;
	return true;
}

/* Past one extension header. Return: false: the private bytes end in it. */
static bool skip_extension(struct vs_cursor *c, struct vs_inner *in)
{
	const uint8_t *at = vs_cursor_take(c, EXT_UNIT);
	uint16_t offset;

	if (!at)
		return false;
	if (in->proto == IPPROTO_FRAGMENT) {
		offset = (uint16_t)(at[2] << 8 | at[3]);
		if (offset & FRAG6_OFFSET)
			in->fragment = VS_FRAGMENT_LATER;
		else if (offset & FRAG6_MORE)
			in->fragment = VS_FRAGMENT_FIRST;
	} else if (!vs_cursor_take(c, at[1] * (uint32_t)(in->proto == IPPROTO_AH ? EXT_UNIT_AH
										 : EXT_UNIT))) {
		return false;
	}
	in->proto = at[0];
	return true;
}

static bool is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_AH || proto == IPPROTO_FRAGMENT;
}

static bool read_ipv6(struct vs_cursor *c, const struct vs_pkt *pkt, struct vs_inner *in)
{
	const struct rte_ipv6_hdr *ip = vs_cursor_take(c, sizeof(*ip));
	uint32_t total;

	if (!ip || rte_be_to_cpu_32(ip->vtc_flow) >> 28 != 6)
		return false;
	total = (uint32_t)sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len);
	if (total > pkt->len - VS_INNER_L3)
		return false;
	*in = (struct vs_inner){
		.src = vs_ip_make6(ip->src_addr),
		.dst = vs_ip_make6(ip->dst_addr),
		.end = VS_INNER_L3 + total,
		.version = 6,
		.proto = ip->proto,
		.ttl = ip->hop_limits,
	};
	/* Each takes 8 private bytes at least, so they soon end. */
	while (is_extension(in->proto) && in->fragment != VS_FRAGMENT_LATER) {
		if (!skip_extension(c, in))
			in->proto = VS_INNER_HIDDEN;
	}
	return true;
}

bool vs_inner_read(const struct vs_pkt *pkt, struct vs_inner *ret)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	const struct rte_ether_hdr *eth = vs_cursor_take(&c, sizeof(*eth));
	struct vs_inner in;
	bool good = false;

	if (!eth)
		return false;
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		good = read_ipv4(&c, pkt, &in);
	else if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		good = read_ipv6(&c, pkt, &in);
	if (!good)
		return false;
	in.l4 = (uint16_t)(c.at - pkt->hdr);
	*ret = in;
	return true;
}
