/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 1, ingress: what a frame owes is stated, and its Ethernet header is there.
 *
 * Accepts: a burst from rx.
 * Guarantees: an Ethernet header lies in the private bytes; pkt->debt says what is owed, in
 *	offsets that lie in the private bytes, and burst->owing on which packets anything is.
 * Drops: offload_denied, runt, csum_range, gso_header, gso_size.
 *
 * The only reader of pkt->vnet (doc/offload.md has the rules). A driver must leave flags and
 * gso_type zero for offloads that were not negotiated (virtio 1.2, 5.1.6.2.1).
 *
 * DOC: theory of operation
 *
 * The header that came with a frame is a claim of its sender, which may be hostile. A frame that
 * claims nothing, the usual one, costs one comparison. Of a claim only three things are used: that
 * a checksum is owed and where, that the frame is to be cut and into what, and how long the pieces
 * are. Where the headers end, and of what kind they are, is found in the private copy of the
 * frame, and must agree with the claim.
 */
#include "offload/offload.h"

#include "dataplane/core/hdr.h"

#include <rte_branch_prediction.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <netinet/in.h>

enum {
	/* Extension headers in front of TCP or UDP that are stepped over (RFC 8200, 4.1: six). */
	EXT_HEADERS_MAX = 8,
	/* Tags in front of the IP header: that of the VLAN, and one that is payload. */
	TAGS_MAX = 2,
};

/**
 * struct headers - what a frame begins with
 * @l3:	offset of what follows the Ethernet header and the tags
 * @ip_end: end of the IP header (IPv6: the fixed one); as @l3 where there is none
 * @l4:	offset of the transport header
 * @version: of IP; 0: not IP, or not in sight
 * @proto: transport protocol; 0: none that can be cut
 */
struct headers {
	uint16_t l3;
	uint16_t ip_end;
	uint16_t l4;
	uint8_t version;
	uint8_t proto;
};

static uint16_t offset(const struct vs_pkt *pkt, const struct vs_cursor *c)
{
	return (uint16_t)(c->at - pkt->hdr);
}

/* Past the addresses and the tags. Return: EtherType, or 0: the private bytes end before it. */
static rte_be16_t skip_l2(struct vs_cursor *c)
{
	const struct rte_ether_hdr *eth = vs_cursor_take(c, sizeof(*eth));
	rte_be16_t type = eth ? eth->ether_type : 0;
	unsigned int i;

	for (i = 0; i < TAGS_MAX && vs_l2_is_tag(type); i++) {
		const struct rte_vlan_hdr *tag = vs_cursor_take(c, sizeof(*tag));

		type = tag ? tag->eth_proto : 0;
	}
	return type;
}

/* Past an IPv4 header with its options. Return: protocol, or 0: not one that can be cut. */
static uint8_t skip_ipv4(struct vs_cursor *c)
{
	const struct rte_ipv4_hdr *ip = vs_cursor_take(c, sizeof(*ip));
	uint32_t len;

	if (!ip || ip->version_ihl >> 4 != 4)
		return 0;
	len = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	if (len < sizeof(*ip) || !vs_cursor_take(c, len - (uint32_t)sizeof(*ip)))
		return 0;
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG))
		return 0;
	return ip->next_proto_id;
}

/* Past an IPv6 header with those extensions that each segment may repeat (RFC 8200, 4). */
static uint8_t skip_ipv6(struct vs_cursor *c)
{
	const struct rte_ipv6_hdr *ip = vs_cursor_take(c, sizeof(*ip));
	unsigned int i;
	uint8_t proto;

	if (!ip || (rte_be_to_cpu_32(ip->vtc_flow) >> 28) != 6)
		return 0;
	proto = ip->proto;
	for (i = 0; i < EXT_HEADERS_MAX; i++) {
		const uint8_t *ext;

		if (proto != IPPROTO_HOPOPTS && proto != IPPROTO_ROUTING &&
		    proto != IPPROTO_DSTOPTS)
			return proto;
		ext = vs_cursor_take(c, 8);
		if (!ext || !vs_cursor_take(c, 8u * ext[1]))
			return 0;
		proto = ext[0];
	}
	return 0;
}

static struct headers find_headers(const struct vs_pkt *pkt)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	rte_be16_t type = skip_l2(&c);
	struct headers h = {.l3 = offset(pkt, &c)};

	h.ip_end = h.l3;
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		h.version = 4;
		h.proto = skip_ipv4(&c);
		h.ip_end = offset(pkt, &c);
	} else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
		h.version = 6;
		h.proto = skip_ipv6(&c);
		h.ip_end = (uint16_t)(h.l3 + sizeof(struct rte_ipv6_hdr));
	}
	h.l4 = offset(pkt, &c);
	return h;
}

/* Headers and checksum of TCP, or of UDP. Return: where the payload begins, 0: not in sight. */
static uint16_t skip_l4(const struct vs_pkt *pkt, const struct headers *h, struct vs_debt *debt)
{
	struct vs_cursor c = {.at = pkt->hdr + h->l4, .left = (uint32_t)pkt->hdr_len - h->l4};
	const struct rte_tcp_hdr *tcp;
	uint32_t len;

	if (h->proto == IPPROTO_UDP) {
		debt->csum_offset = offsetof(struct rte_udp_hdr, dgram_cksum);
		return vs_cursor_take(&c, sizeof(struct rte_udp_hdr)) ? offset(pkt, &c) : 0;
	}
	tcp = vs_cursor_take(&c, sizeof(*tcp));
	if (!tcp)
		return 0;
	debt->csum_offset = offsetof(struct rte_tcp_hdr, cksum);
	debt->ecn = (tcp->tcp_flags & RTE_TCP_CWR_FLAG) != 0;
	len = (uint32_t)(tcp->data_off >> 4) * 4;
	if (len < sizeof(*tcp) || !vs_cursor_take(&c, len - (uint32_t)sizeof(*tcp)))
		return 0;
	return offset(pkt, &c);
}

/* What a gso_type (without ECN) is, on a frame with these headers. Return: NONE: it is not so. */
static enum vs_gso kind_of(uint8_t type, const struct headers *h)
{
	if (type == VIRTIO_NET_HDR_GSO_TCPV4 && h->version == 4 && h->proto == IPPROTO_TCP)
		return VS_GSO_TCP4;
	if (type == VIRTIO_NET_HDR_GSO_TCPV6 && h->version == 6 && h->proto == IPPROTO_TCP)
		return VS_GSO_TCP6;
	if (type == VIRTIO_NET_HDR_GSO_UDP_L4 && h->proto == IPPROTO_UDP)
		return h->version == 4 ? VS_GSO_UDP4 : VS_GSO_UDP6;
	return VS_GSO_NONE;
}

/*
 * The sender says that the frame is to be cut, and debt->csum_start where its transport header is.
 */
static enum vs_drop judge_gso(const struct vs_pkt *pkt, uint8_t type, const struct headers *h,
			      struct vs_debt *debt)
{
	const uint16_t claimed = debt->csum_offset;
	uint32_t payload;

	debt->gso = (uint8_t)kind_of(type, h);
	if (debt->gso == VS_GSO_NONE || debt->csum_start != h->l4)
		return VS_DROP_GSO_HEADER;
	debt->hdrs = skip_l4(pkt, h, debt);
	if (debt->hdrs == 0 || debt->csum_offset != claimed)
		return VS_DROP_GSO_HEADER;
	payload = pkt->len - debt->hdrs;
	debt->gso_size = le16toh(pkt->vnet.hdr.gso_size);
	if (debt->gso_size == 0)
		return VS_DROP_GSO_SIZE;
	if (payload > debt->gso_size) {
		if (debt->gso_size < VS_SEGMENT_BYTES_MIN ||
		    payload > (uint32_t)debt->gso_size * VS_SEGMENTS_MAX)
			return VS_DROP_GSO_SIZE;
	} else {
		debt->gso = VS_GSO_NONE;
		debt->ecn = 0;
		debt->hdrs = 0;
		debt->gso_size = 0;
	}
	return VS_DROP_NONE;
}

/* What rights the sender needs for what its header says, before anything is parsed. */
static unsigned int needs_of(const struct virtio_net_hdr *vnet)
{
	unsigned int needs = vnet->gso_type & VIRTIO_NET_HDR_GSO_ECN ? VS_OFFLOAD_ECN : 0;

	switch (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return needs | (vnet->flags ? VS_OFFLOAD_CSUM : 0);
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return needs | VS_OFFLOAD_TSO4;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return needs | VS_OFFLOAD_TSO6;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return needs | VS_OFFLOAD_USO4 | VS_OFFLOAD_USO6;
	default:
		return ~0u;
	}
}

/*
 * A checksum is owed. It may not go into the headers that decided where the frame goes, nor into
 * those of IP: what was judged must be what is sent.
 */
static enum vs_drop judge_csum(struct vs_pkt *pkt, uint8_t type)
{
	const struct virtio_net_hdr *vnet = &pkt->vnet.hdr;
	const struct headers h = find_headers(pkt);
	struct vs_debt debt = {
		.csum = VS_CSUM_PARTIAL,
		.l3 = h.l3,
		.csum_start = le16toh(vnet->csum_start),
		.csum_offset = le16toh(vnet->csum_offset),
	};
	enum vs_drop drop = VS_DROP_NONE;

	if (debt.csum_start < h.ip_end ||
	    (uint32_t)debt.csum_start + debt.csum_offset + sizeof(rte_be16_t) > pkt->hdr_len)
		return VS_DROP_CSUM_RANGE;
	if (type != VIRTIO_NET_HDR_GSO_NONE)
		drop = judge_gso(pkt, type, &h, &debt);
	if (drop == VS_DROP_NONE)
		pkt->debt = debt;
	return drop;
}

/* A frame whose header says something. */
static __rte_noinline enum vs_drop judge(const struct vs_port_hot *port, struct vs_pkt *pkt)
{
	const struct virtio_net_hdr *vnet = &pkt->vnet.hdr;
	const uint8_t type = vnet->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	const unsigned int rights = vs_port_rights(port);

	if (needs_of(vnet) & ~rights)
		return VS_DROP_OFFLOAD_DENIED;
	if (pkt->hdr_len < sizeof(struct rte_ether_hdr))
		return VS_DROP_RUNT;
	if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return judge_csum(pkt, type);
	if (type != VIRTIO_NET_HDR_GSO_NONE)
		return VS_DROP_GSO_HEADER;
	if ((vnet->flags & VIRTIO_NET_HDR_F_DATA_VALID) && (rights & VS_OFFLOAD_VERIFY))
		pkt->debt.csum = VS_CSUM_GOOD;
	return VS_DROP_NONE;
}

/* Does the header that came with the frame say anything? */
static bool claims(const struct vs_pkt *pkt)
{
	return (pkt->vnet.hdr.flags | pkt->vnet.hdr.gso_type) != 0;
}

static enum vs_drop check(const struct vs_port_hot *port, struct vs_burst *burst, unsigned int i)
{
	struct vs_pkt *pkt = &burst->pkt[i];
	enum vs_drop drop;

	if (likely(!claims(pkt)))
		return pkt->hdr_len < sizeof(struct rte_ether_hdr) ? VS_DROP_RUNT : VS_DROP_NONE;
	drop = judge(port, pkt);
	if (!drop && vs_debt_owes(&pkt->debt))
		burst->owing |= UINT64_C(1) << i;
	return drop;
}

void vs_offload_ingress(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];
		enum vs_drop drop;

		if (pkt->drop)
			continue;
		drop = check(&ctx->conf->port[pkt->in_port], burst, i);
		if (drop)
			vs_pkt_drop(ctx, pkt, drop);
	}
}
