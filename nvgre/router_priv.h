/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the router share: one packet's visit. */
#ifndef VS_NVGRE_ROUTER_PRIV_H
#define VS_NVGRE_ROUTER_PRIV_H

#include "nvgre/inner.h"
#include "nvgre/router.h"

/** struct vs_router_visit - one packet at the router */
struct vs_router_visit {
	struct vs_router *router;
	const struct vs_subnet *subnet; /* that it came from */
	struct vs_pkt *pkt;
	struct vs_hdr_slot *slot;
	enum vs_router_from from;
	struct vs_step step;
};

/** vs_router_end() - how it ends. Return: true, for who says so. */
static inline bool vs_router_end(struct vs_router_visit *v, enum vs_step_kind kind,
				 enum vs_drop drop)
{
	v->step.kind = (uint8_t)kind;
	v->step.drop = (uint8_t)drop;
	return true;
}

/** vs_router_drop() - it is dropped. Return: true. */
static inline bool vs_router_drop(struct vs_router_visit *v, enum vs_drop drop)
{
	return vs_router_end(v, VS_STEP_DROP, drop);
}

/** vs_router_is_for() - is its destination address the router's? */
static inline bool vs_router_is_for(const struct vs_router_visit *v)
{
	return !(v->subnet->flags & VS_SUBNET_EXTERNAL) &&
	       rte_is_same_ether_addr(&vs_l2_eth(v->pkt)->dst_addr, &v->subnet->router);
}

/** vs_router_is_from() - is its source address the router's? (Of another host, if it is good.) */
static inline bool vs_router_is_from(const struct vs_router_visit *v)
{
	return rte_is_same_ether_addr(&vs_l2_eth(v->pkt)->src_addr, &v->subnet->router);
}

/**
 * vs_router_arp() - a frame of ARP
 * Return: true: that is its end; false: it goes where its destination address says.
 */
bool vs_router_arp(struct vs_router_visit *v);

/** vs_router_nd() - the same for a frame of IPv6, which may be of neighbour discovery. */
bool vs_router_nd(struct vs_router_visit *v);

/** vs_router_route() - a frame for the router's address that is neither of them. */
void vs_router_route(struct vs_router_visit *v);

/**
 * vs_router_fit() - does it fit on the way to @peer, as it is?
 * Return: false: it has become the error that says so, or is dropped.
 */
bool vs_router_fit(struct vs_router_visit *v, const struct vs_peer *peer);

#endif
