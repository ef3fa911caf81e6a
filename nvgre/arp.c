/* SPDX-License-Identifier: BSD-3-Clause */
#include "nvgre/arp.h"

#include "dataplane/core/hdr.h"

enum {
	/* Bytes of the shortest frame on a wire, without its FCS (IEEE 802.3-2018, 3.2.7). */
	FRAME_MIN = 60,
};

bool vs_arp_read(const struct vs_pkt *pkt, struct vs_arp *ret)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	const struct rte_arp_hdr *arp;

	if (!vs_cursor_take(&c, sizeof(struct rte_ether_hdr)))
		return false;
	arp = vs_cursor_take(&c, sizeof(*arp));
	if (!arp || arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
	    arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	    arp->arp_hlen != RTE_ETHER_ADDR_LEN || arp->arp_plen != sizeof(rte_be32_t))
		return false;
	if (!rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha))
		return false;
	*ret = (struct vs_arp){
		.op = rte_be_to_cpu_16(arp->arp_opcode),
		.sha = arp->arp_data.arp_sha,
		.spa = vs_ip_make4(&arp->arp_data.arp_sip),
		.tpa = vs_ip_make4(&arp->arp_data.arp_tip),
	};
	return true;
}

bool vs_arp_is_probe(const struct vs_arp *arp)
{
	const struct vs_ip none = vs_ip_make4("\0\0\0\0");

	return vs_ip_equal(&arp->spa, &none);
}

bool vs_arp_is_announcement(const struct vs_arp *arp)
{
	return vs_ip_equal(&arp->spa, &arp->tpa) && !vs_arp_is_probe(arp);
}

static void write_arp(struct vs_answer *answer, uint16_t op, const struct rte_ether_addr *sha,
		      const struct vs_ip *spa, const struct rte_ether_addr *tha,
		      const struct vs_ip *tpa)
{
	struct rte_arp_hdr *arp = vs_answer_add(answer, sizeof(*arp));

	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof(rte_be32_t);
	arp->arp_opcode = rte_cpu_to_be_16(op);
	arp->arp_data.arp_sha = *sha;
	arp->arp_data.arp_tha = *tha;
	memcpy(&arp->arp_data.arp_sip, spa->b + 12, sizeof(arp->arp_data.arp_sip));
	memcpy(&arp->arp_data.arp_tip, tpa->b + 12, sizeof(arp->arp_data.arp_tip));
	(void)vs_answer_add(answer, (uint16_t)(FRAME_MIN - answer->n));
}

void vs_arp_answer(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_arp *asked,
		   const struct rte_ether_addr *mac)
{
	struct vs_answer answer;

	vs_answer_ether(&answer, &vs_l2_eth(pkt)->src_addr, mac, RTE_ETHER_TYPE_ARP);
	write_arp(&answer, RTE_ARP_OP_REPLY, mac, &asked->tpa, &asked->sha, &asked->spa);
	vs_answer_place(&answer, pkt, slot);
}

void vs_arp_ask(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct rte_ether_addr *mac,
		const struct vs_ip *spa, const struct vs_ip *tpa)
{
	static const struct rte_ether_addr everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	static const struct rte_ether_addr unknown = {{0}};
	struct vs_answer answer;

	vs_answer_ether(&answer, &everybody, mac, RTE_ETHER_TYPE_ARP);
	write_arp(&answer, RTE_ARP_OP_REQUEST, mac, spa, &unknown, tpa);
	vs_answer_place(&answer, pkt, slot);
}
