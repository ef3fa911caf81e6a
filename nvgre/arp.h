/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP between Ethernet and IPv4 (RFC 826), with the checks of RFC 5227. */
#ifndef VS_NVGRE_ARP_H
#define VS_NVGRE_ARP_H

#include "nvgre/answer.h"

#include <rte_arp.h>

/** struct vs_arp - what an ARP packet says; addresses are IPv4-mapped */
struct vs_arp {
	uint16_t op; /* RTE_ARP_OP_REQUEST, _REPLY, or another */
	struct rte_ether_addr sha;
	struct vs_ip spa; /* 0.0.0.0: a probe, its sender has no address yet (RFC 5227, 2.1.1) */
	struct vs_ip tpa;
};

/**
 * vs_arp_read() - look at a frame whose EtherType is that of ARP
 * @ret:	written on success only
 *
 * Return: false: it is cut, or not of Ethernet and IPv4, or its sender's MAC is none.
 */
bool vs_arp_read(const struct vs_pkt *pkt, struct vs_arp *ret);

/** vs_arp_is_probe() - does its sender only want to know whether somebody has the address? */
bool vs_arp_is_probe(const struct vs_arp *arp);

/** vs_arp_is_announcement() - does it say that its sender has the address? Probes do not. */
bool vs_arp_is_announcement(const struct vs_arp *arp);

/** vs_arp_answer() - the request @asked becomes the reply of @mac, which has asked->tpa. */
void vs_arp_answer(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_arp *asked,
		   const struct rte_ether_addr *mac);

/**
 * vs_arp_ask() - a packet becomes the request for address @tpa
 * @mac, @spa:	who asks
 *
 * It goes to everybody.
 */
void vs_arp_ask(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct rte_ether_addr *mac,
		const struct vs_ip *spa, const struct vs_ip *tpa);

#endif
