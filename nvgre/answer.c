/* SPDX-License-Identifier: BSD-3-Clause */
#include "nvgre/answer.h"

#include "nvgre/arp.h"
#include "nvgre/icmp.h"
#include "nvgre/inner.h"
#include "nvgre/nd.h"
#include "nvgre/sum.h"
#include "nvgre/wire.h"

#include <netinet/icmp6.h>
#include <stddef.h>

enum {
	/* Internetwork control (RFC 1812, 4.3.2.5): errors are not lost first. */
	TOS_CONTROL = 0xc0,
};

void *vs_answer_add(struct vs_answer *answer, uint16_t len)
{
	uint8_t *at = answer->bytes + answer->n;

	memset(at, 0, len);
	answer->n = (uint16_t)(answer->n + len);
	return at;
}

void vs_answer_ether(struct vs_answer *answer, const struct rte_ether_addr *dst,
		     const struct rte_ether_addr *src, uint16_t type)
{
	struct rte_ether_hdr *eth;

	answer->n = 0;
	eth = vs_answer_add(answer, sizeof(*eth));
	eth->dst_addr = *dst;
	eth->src_addr = *src;
	eth->ether_type = rte_cpu_to_be_16(type);
}

void vs_answer_ip4(struct vs_answer *answer, const struct vs_ip *src, const struct vs_ip *dst,
		   uint16_t len)
{
	struct rte_ipv4_hdr *ip = vs_answer_add(answer, sizeof(*ip));

	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->type_of_service = TOS_CONTROL;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + len));
	/* No fragment: any id will do (RFC 6864, 4.1). */
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = VS_OUTER_TTL;
	ip->next_proto_id = IPPROTO_ICMP;
	memcpy(&ip->src_addr, src->b + 12, sizeof(ip->src_addr));
	memcpy(&ip->dst_addr, dst->b + 12, sizeof(ip->dst_addr));
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, sizeof(*ip));
}

void vs_answer_ip6(struct vs_answer *answer, const struct vs_ip *src, const struct vs_ip *dst,
		   uint8_t hop_limit, uint16_t len)
{
	struct rte_ipv6_hdr *ip = vs_answer_add(answer, sizeof(*ip));

	ip->vtc_flow = RTE_BE32(UINT32_C(6) << 28);
	ip->payload_len = rte_cpu_to_be_16(len);
	ip->proto = IPPROTO_ICMPV6;
	ip->hop_limits = hop_limit;
	memcpy(ip->src_addr, src->b, sizeof(ip->src_addr));
	memcpy(ip->dst_addr, dst->b, sizeof(ip->dst_addr));
}

void vs_answer_sum6(struct vs_answer *answer)
{
	const uint16_t l4 = VS_INNER_L3 + sizeof(struct rte_ipv6_hdr);
	uint8_t *message = answer->bytes + l4;
	const void *ip = answer->bytes + VS_INNER_L3;
	uint16_t sum = vs_sum_icmp6(ip, message, (uint32_t)answer->n - l4);

	vs_sum_store(message + offsetof(struct icmp6_hdr, icmp6_cksum), (uint16_t)~sum);
}

void vs_answer_place(const struct vs_answer *answer, struct vs_pkt *pkt, struct vs_hdr_slot *slot)
{
	memcpy(slot->bytes, answer->bytes, answer->n);
	pkt->hdr = slot->bytes;
	pkt->hdr_len = answer->n;
	pkt->len = answer->n;
	pkt->n_ext = 0;
	memset(&pkt->vnet, 0, sizeof(pkt->vnet));
	memset(&pkt->debt, 0, sizeof(pkt->debt));
}

static enum vs_asked answer_arp(struct vs_pkt *pkt, struct vs_hdr_slot *slot,
				const struct vs_ip *ip, const struct rte_ether_addr *mac)
{
	struct vs_arp arp;

	if (!vs_arp_read(pkt, &arp))
		return VS_ASKED_NOTHING;
	/* A request for the sender's own address asks nobody: it announces (RFC 5227, 3). */
	if (arp.op == RTE_ARP_OP_REPLY || vs_ip_equal(&arp.spa, &arp.tpa))
		return VS_ASKED_NEIGHBOUR;
	if (arp.op != RTE_ARP_OP_REQUEST || !vs_ip_equal(&arp.tpa, ip))
		return VS_ASKED_NOTHING;
	vs_arp_answer(pkt, slot, &arp, mac);
	return VS_ASKED_ANSWERED;
}

static enum vs_asked answer_nd(struct vs_pkt *pkt, struct vs_hdr_slot *slot,
			       const struct vs_inner *in, const struct vs_ip *ip,
			       const struct rte_ether_addr *mac)
{
	struct vs_nd nd;

	if (!vs_nd_read(pkt, in, &nd))
		return VS_ASKED_NOTHING;
	if (nd.type == ND_NEIGHBOR_ADVERT)
		return VS_ASKED_NEIGHBOUR;
	if (nd.type != ND_NEIGHBOR_SOLICIT || !vs_ip_equal(&nd.target, ip))
		return VS_ASKED_NOTHING;
	vs_nd_answer(pkt, slot, &nd, mac, VS_ND_IS_HOST);
	return VS_ASKED_ANSWERED;
}

enum vs_asked vs_answer_host(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_ip *ip,
			     const struct rte_ether_addr *mac)
{
	struct vs_inner in;

	if (vs_inner_type(pkt) == RTE_BE16(RTE_ETHER_TYPE_ARP))
		return answer_arp(pkt, slot, ip, mac);
	if (!vs_inner_read(pkt, &in))
		return VS_ASKED_NOTHING;
	if (vs_nd_is(pkt, &in))
		return answer_nd(pkt, slot, &in, ip, mac);
	if (!vs_ip_equal(&in.dst, ip))
		return VS_ASKED_NOTHING;
	if (vs_icmp_is_error(pkt, &in))
		return VS_ASKED_ERROR;
	if (!vs_icmp_is_echo(pkt, &in))
		return VS_ASKED_NOTHING;
	vs_icmp_echo(pkt, &in);
	return VS_ASKED_ANSWERED;
}
