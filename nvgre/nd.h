/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery (RFC 4861): what is asked, and what a router says. */
#ifndef VS_NVGRE_ND_H
#define VS_NVGRE_ND_H

#include "nvgre/answer.h"
#include "nvgre/inner.h"

#include <netinet/icmp6.h>

/** struct vs_nd - a message of neighbour discovery */
struct vs_nd {
	uint8_t type;        /* ND_NEIGHBOR_SOLICIT and so on */
	struct vs_ip src;    /* ::, its sender has no address yet (RFC 4862, 5.4.2) */
	struct vs_ip target; /* of solicitations and advertisements of neighbours; else :: */
};

/** vs_nd_is() - is a frame's IPv6 packet a message of neighbour discovery, right or wrong? */
bool vs_nd_is(const struct vs_pkt *pkt, const struct vs_inner *in);

/** vs_nd_type() - type of such a message. */
uint8_t vs_nd_type(const struct vs_pkt *pkt, const struct vs_inner *in);

/**
 * vs_nd_read() - look at such a message
 * @ret:	written on success only
 *
 * All that receivers must look at (RFC 4861, 6.1 and 7.1; RFC 6980): hop limit 255, no fragment,
 * code, length, checksum (unless it is still owed), target, and options none of which is empty.
 *
 * Return: false: something is wrong, or it is longer than the private bytes.
 */
bool vs_nd_read(const struct vs_pkt *pkt, const struct vs_inner *in, struct vs_nd *ret);

/** vs_nd_is_probe() - does its sender only want to know whether somebody has the address? */
bool vs_nd_is_probe(const struct vs_nd *nd);

/** vs_nd_link_local() - the link-local address of a MAC (RFC 4291, 2.5.6 and appendix A). */
struct vs_ip vs_nd_link_local(const struct rte_ether_addr *mac);

/** Who answers. */
enum vs_nd_role {
	VS_ND_IS_HOST,
	VS_ND_IS_ROUTER,
};

/**
 * vs_nd_answer() - the solicitation @asked becomes the advertisement of @mac, which has its target
 *
 * Who has no address yet is told through the address of all nodes (RFC 4861, 7.2.4).
 */
void vs_nd_answer(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_nd *asked,
		  const struct rte_ether_addr *mac, enum vs_nd_role role);

/**
 * vs_nd_answer_router() - a router solicitation becomes the advertisement of a subnet's router
 * @subnet:	with a gateway of IPv6
 *
 * It says the MTU, the on-link prefix (addresses of it are made by the guest if it has 64 bits) and
 * a default route. Nothing is ever sent unasked, so the route is given without end as well
 * (RFC 4191, 2.3), beside the longest time that the header has room for (RFC 8319). Of several
 * prefixes the first is said: no more have room in a header slot.
 */
void vs_nd_answer_router(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_nd *asked,
			 const struct vs_subnet *subnet);

/** vs_nd_gateway() - the first gateway of IPv6 of a subnet, or NULL. */
const struct vs_prefix *vs_nd_gateway(const struct vs_subnet *subnet);

#endif
