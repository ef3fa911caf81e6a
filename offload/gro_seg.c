/* SPDX-License-Identifier: BSD-3-Clause */
#include "offload/gro_seg.h"

#include "offload/csum.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>

enum {
	IHL_PLAIN = 0x45, /* version 4, no options */
	/* Flags of plain data, besides ACK, which it has, and those that it must not have. */
	NOT_DATA = RTE_TCP_FIN_FLAG | RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG | RTE_TCP_URG_FLAG,
	/* Flags in which the segments of one frame may differ. */
	MAY_DIFFER = RTE_TCP_PSH_FLAG | RTE_TCP_CWR_FLAG,
};

/* ---- checksums */

static uint32_t addresses_len(const struct vs_gro_seg *seg)
{
	return seg->is_v6 ? 2 * sizeof(struct in6_addr) : 2 * sizeof(rte_be32_t);
}

/* Of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1), for @len bytes of TCP. */
static struct vs_csum_sum pseudo(const uint8_t *hdr, const struct vs_gro_seg *seg, uint32_t len)
{
	const rte_be32_t words[2] = {rte_cpu_to_be_32(len), rte_cpu_to_be_32(IPPROTO_TCP)};
	const uint32_t addresses = addresses_len(seg);
	struct vs_csum_sum sum = {0};

	/* In both versions the addresses are the last of the header. */
	vs_csum_add(&sum, hdr + seg->l4_at - addresses, addresses);
	vs_csum_add(&sum, (const uint8_t *)words, sizeof(words));
	return sum;
}

bool vs_gro_seg_is_sound(const struct vs_pkt *pkt, const struct vs_gro_seg *seg)
{
	struct vs_csum_sum tcp;

	if (!seg->is_v6 &&
	    vs_csum_plain(pkt->hdr + seg->l3_at, sizeof(struct rte_ipv4_hdr)) != UINT16_MAX)
		return false;
	if (pkt->debt.csum == VS_CSUM_GOOD)
		return true;
	tcp = pseudo(pkt->hdr, seg, pkt->len - seg->l4_at);
	tcp.sum += vs_csum_pkt(pkt, seg->l4_at);
	return vs_csum_fold(&tcp) == UINT16_MAX;
}

void vs_gro_seg_patch(uint8_t *hdr, const struct vs_gro_seg *seg, uint32_t payload, uint8_t flags)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(void *)(hdr + seg->l4_at);
	const uint32_t tcp_len = (uint32_t)seg->hdr_end - seg->l4_at + payload;
	struct vs_csum_sum sum;

	if (seg->is_v6) {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(void *)(hdr + seg->l3_at);

		ip->payload_len = rte_cpu_to_be_16((uint16_t)tcp_len);
	} else {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(void *)(hdr + seg->l3_at);

		ip->total_length = rte_cpu_to_be_16((uint16_t)(tcp_len + sizeof(*ip)));
		ip->hdr_checksum = 0;
		ip->hdr_checksum = (uint16_t)~vs_csum_plain(hdr + seg->l3_at, sizeof(*ip));
	}
	tcp->tcp_flags |= flags;
	sum = pseudo(hdr, seg, tcp_len);
	tcp->cksum = vs_csum_fold(&sum);
}

/* ---- headers */

/* The sum of the words of some bytes, for a hash. @len: a multiple of 4 */
static uint32_t mix(const uint8_t *data, uint32_t len)
{
	uint32_t hash = 0;
	uint32_t word;
	uint32_t i;

	for (i = 0; i < len; i += (uint32_t)sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		hash = (hash ^ word) * UINT32_C(0x9e3779b1);
	}
	return hash;
}

/*
 * The TCP header, which is next at @c.
 * @pkt:	the frame
 * @is_exact:	it ends where IP says
 */
static enum vs_gro_kind read_tcp(const struct vs_pkt *pkt, struct vs_cursor *c, bool is_exact,
				 struct vs_gro_seg *seg)
{
	const struct rte_tcp_hdr *tcp = vs_cursor_take(c, sizeof(*tcp));
	const uint32_t addresses = addresses_len(seg);
	uint32_t len;

	if (!tcp)
		return VS_GRO_OPAQUE;
	seg->flags = tcp->tcp_flags;
	seg->seq = rte_be_to_cpu_32(tcp->sent_seq);
	/* Addresses and ports stand side by side. */
	seg->hash = mix(pkt->hdr + seg->l4_at - addresses, addresses + (uint32_t)sizeof(uint32_t));
	len = (uint32_t)(tcp->data_off >> 4) * 4;
	if (len < sizeof(*tcp) || !vs_cursor_take(c, len - (uint32_t)sizeof(*tcp)))
		return VS_GRO_FLOW;
	seg->hdr_end = (uint8_t)(seg->l4_at + len);
	seg->payload = pkt->len - seg->hdr_end;
	if (!is_exact || seg->payload == 0 || vs_debt_owes(&pkt->debt))
		return VS_GRO_FLOW;
	return (seg->flags & (NOT_DATA | RTE_TCP_ACK_FLAG)) == RTE_TCP_ACK_FLAG ? VS_GRO_DATA
										: VS_GRO_FLOW;
}

static enum vs_gro_kind read_v4(const struct vs_pkt *pkt, struct vs_cursor *c,
				struct vs_gro_seg *seg)
{
	const struct rte_ipv4_hdr *ip = vs_cursor_take(c, sizeof(*ip));

	if (!ip)
		return VS_GRO_OPAQUE;
	if (ip->next_proto_id != IPPROTO_TCP)
		return VS_GRO_FOREIGN;
	if (ip->version_ihl != IHL_PLAIN ||
	    (ip->fragment_offset & (rte_be16_t)~RTE_BE16(RTE_IPV4_HDR_DF_FLAG)))
		return VS_GRO_OPAQUE;
	seg->ip_id = rte_be_to_cpu_16(ip->packet_id);
	seg->l4_at = (uint8_t)(seg->l3_at + sizeof(*ip));
	return read_tcp(pkt, c,
			(uint32_t)seg->l3_at + rte_be_to_cpu_16(ip->total_length) == pkt->len, seg);
}

static enum vs_gro_kind read_v6(const struct vs_pkt *pkt, struct vs_cursor *c,
				struct vs_gro_seg *seg)
{
	const struct rte_ipv6_hdr *ip = vs_cursor_take(c, sizeof(*ip));

	if (!ip || rte_be_to_cpu_32(ip->vtc_flow) >> 28 != 6)
		return VS_GRO_OPAQUE;
	if (ip->proto == IPPROTO_UDP || ip->proto == IPPROTO_ICMPV6)
		return VS_GRO_FOREIGN;
	if (ip->proto != IPPROTO_TCP)
		return VS_GRO_OPAQUE;
	seg->is_v6 = 1;
	seg->l4_at = (uint8_t)(seg->l3_at + sizeof(*ip));
	return read_tcp(pkt, c,
			(uint32_t)seg->l4_at + rte_be_to_cpu_16(ip->payload_len) == pkt->len, seg);
}

void vs_gro_seg_read(const struct vs_pkt *pkt, struct vs_gro_seg *ret_seg)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	const struct rte_ether_hdr *eth = vs_cursor_take(&c, sizeof(*eth));
	rte_be16_t type;

	*ret_seg = (struct vs_gro_seg){
		.kind = VS_GRO_FOREIGN,
		.pcp = pkt->pcp,
		.vid = pkt->vid,
		.hdr = pkt->hdr,
	};
	if (!eth)
		return;
	type = eth->ether_type;
	if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN)) {
		const struct rte_vlan_hdr *tag = vs_cursor_take(&c, sizeof(*tag));

		if (!tag)
			return;
		type = tag->eth_proto;
	}
	ret_seg->l3_at = (uint8_t)(c.at - pkt->hdr);
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		ret_seg->kind = (uint8_t)read_v4(pkt, &c, ret_seg);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		ret_seg->kind = (uint8_t)read_v6(pkt, &c, ret_seg);
}

/* ---- two of them */

static bool same(const struct vs_gro_seg *a, const struct vs_gro_seg *b, uint32_t at, uint32_t end)
{
	return memcmp(a->hdr + at, b->hdr + at, end - at) == 0;
}

bool vs_gro_seg_same_flow(const struct vs_gro_seg *a, const struct vs_gro_seg *b)
{
	const uint32_t addresses = addresses_len(a);

	return a->hash == b->hash && a->l4_at == b->l4_at && a->is_v6 == b->is_v6 &&
	       a->vid == b->vid && same(a, b, 0, a->l3_at) &&
	       same(a, b, a->l4_at - addresses, a->l4_at + (uint32_t)sizeof(uint32_t));
}

static bool same_ip(const struct vs_gro_seg *a, const struct vs_gro_seg *b)
{
	const uint32_t at = a->l3_at;

	if (a->is_v6) {
		const uint32_t hops = at + (uint32_t)offsetof(struct rte_ipv6_hdr, hop_limits);

		return same(a, b, at, at + (uint32_t)sizeof(rte_be32_t)) &&
		       a->hdr[hops] == b->hdr[hops];
	}
	return same(a, b, at, at + (uint32_t)offsetof(struct rte_ipv4_hdr, total_length)) &&
	       same(a, b, at + (uint32_t)offsetof(struct rte_ipv4_hdr, fragment_offset),
		    at + (uint32_t)offsetof(struct rte_ipv4_hdr, hdr_checksum));
}

bool vs_gro_seg_alike(const struct vs_gro_seg *a, const struct vs_gro_seg *b)
{
	const uint32_t at = a->l4_at;

	/* Acknowledgement and the byte of the header's length; window; urgent pointer, options. */
	return a->pcp == b->pcp && a->hdr_end == b->hdr_end && same_ip(a, b) &&
	       ((a->flags ^ b->flags) & ~MAY_DIFFER) == 0 &&
	       same(a, b, at + (uint32_t)offsetof(struct rte_tcp_hdr, recv_ack),
		    at + (uint32_t)offsetof(struct rte_tcp_hdr, tcp_flags)) &&
	       same(a, b, at + (uint32_t)offsetof(struct rte_tcp_hdr, rx_win),
		    at + (uint32_t)offsetof(struct rte_tcp_hdr, cksum)) &&
	       same(a, b, at + (uint32_t)offsetof(struct rte_tcp_hdr, tcp_urp), a->hdr_end);
}

bool vs_gro_seg_has_df(const struct vs_gro_seg *seg)
{
	const uint32_t at = seg->l3_at + (uint32_t)offsetof(struct rte_ipv4_hdr, fragment_offset);

	return (seg->hdr[at] & (RTE_IPV4_HDR_DF_FLAG >> 8)) != 0;
}
