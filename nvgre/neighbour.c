/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbours of tenants: ARP and neighbour discovery are answered from the records.
 *
 * DOC: theory of operation
 *
 * Who asks for an address is a guest, or a peer that does not know its records (another switch).
 * Requests to one MAC are left alone: they ask whether somebody is still there, and only he knows.
 *
 * | asked for                      | by a guest                          | through the tunnel     |
 * |--------------------------------|-------------------------------------|------------------------|
 * | a gateway of ours, the         | answered: the router                | answered               |
 * | router's link-local address    |                                     |                        |
 * | address with a record          | answered: its MAC                   | local ports are asked  |
 * | the asker's own                | flooded                             | local ports are asked  |
 * | none of these; the subnet has  | answered: the wildcard's MAC, but   | local ports are asked  |
 * | a wildcard and does not learn  | not to who wants the address itself |                        |
 * | none of these                  | flooded                             | local ports are asked  |
 *
 * Duplicate address detection asks for an address that should be nobody's (ARP probe, RFC 5227;
 * solicitation from ::, RFC 4862), or says that it is the sender's (announcement). If a record says
 * that another MAC has it, that is the answer; a record that was learnt may be old, so there the
 * question is flooded and whoever has the address defends it himself.
 *
 * What must not pass: what says that somebody else than the router has a gateway's address, is a
 * router, or redirects from one (gateway_spoof). A guest could take its neighbours' traffic else.
 * That an IPv6 packet is none of those has to be seen: with a header chain that does not end within
 * the private bytes and hop limit 255, which neighbour discovery demands, it is dropped (RFC 7113).
 */
#include "nvgre/router_priv.h"

#include "nvgre/arp.h"
#include "nvgre/fib.h"
#include "nvgre/nd.h"

#include <stddef.h>

/* The MAC that a guest is told for an address; NULL: it has to ask. */
static const struct rte_ether_addr *mac_of(struct vs_router_visit *v, const struct vs_ip *ip,
					   const struct rte_ether_addr *asker, bool for_itself)
{
	const struct vs_subnet *subnet = v->subnet;
	const struct vs_record *record = vs_fib_by_ca(v->router->nv, subnet->vsid, ip);

	if (record && for_itself && (record->flags & VS_RECORD_DYNAMIC))
		return NULL;
	if (!record && !for_itself && !(subnet->flags & VS_SUBNET_LEARN))
		record = subnet->wildcard;
	if (!record || rte_is_same_ether_addr(&record->mac, asker))
		return NULL;
	v->step.record = record;
	return &record->mac;
}

/* Is it for one host, which has to answer itself? */
static bool is_to_one(const struct vs_router_visit *v)
{
	return !rte_is_multicast_ether_addr(&vs_l2_eth(v->pkt)->dst_addr);
}

static bool answer_arp(struct vs_router_visit *v, const struct vs_arp *arp)
{
	const struct rte_ether_addr *mac;

	if (vs_fib_is_gateway(v->subnet, &arp->tpa)) {
		vs_arp_answer(v->pkt, v->slot, arp, &v->subnet->router);
		return vs_router_end(v, VS_STEP_ANSWER, VS_DROP_NONE);
	}
	if (v->from == VS_FROM_TUNNEL || is_to_one(v))
		return false;
	mac = mac_of(v, &arp->tpa, &arp->sha, vs_arp_is_probe(arp) || vs_arp_is_announcement(arp));
	if (!mac)
		return false;
	vs_arp_answer(v->pkt, v->slot, arp, mac);
	return vs_router_end(v, VS_STEP_ANSWER, VS_DROP_NONE);
}

bool vs_router_arp(struct vs_router_visit *v)
{
	const struct rte_ether_addr *router = &v->subnet->router;
	struct vs_arp arp;

	if (!vs_arp_read(v->pkt, &arp))
		return vs_router_drop(v, VS_DROP_ARP_BAD);
	if (rte_is_same_ether_addr(&arp.sha, router) ? v->from == VS_FROM_GUEST
						     : vs_fib_is_gateway(v->subnet, &arp.spa))
		return vs_router_drop(v, VS_DROP_GATEWAY_SPOOF);
	if (arp.op == RTE_ARP_OP_REQUEST && answer_arp(v, &arp))
		return true;
	return vs_router_is_for(v) && vs_router_end(v, VS_STEP_TAKE, VS_DROP_NONE);
}

/* Does it say, not being the router's, that its sender is what only the router is? */
static bool usurps(const struct vs_router_visit *v, const struct vs_inner *in)
{
	const uint8_t *message = v->pkt->hdr + in->l4;
	const size_t target = offsetof(struct nd_neighbor_advert, nd_na_target);
	struct vs_ip ip;

	if (vs_router_is_from(v))
		return false;
	if (vs_fib_is_gateway(v->subnet, &in->src))
		return true;
	switch (vs_nd_type(v->pkt, in)) {
	case ND_ROUTER_ADVERT:
	case ND_REDIRECT:
		return !(v->subnet->flags & VS_SUBNET_EXTERNAL) && vs_nd_gateway(v->subnet);
	case ND_NEIGHBOR_ADVERT:
		/* As far as it is in sight, whether or not all the rest is right. */
		if (v->pkt->hdr_len < in->l4 + target + sizeof(ip))
			return false;
		ip = vs_ip_make6(message + target);
		return vs_fib_is_gateway(v->subnet, &ip);
	default:
		return false;
	}
}

static bool answer_neighbour(struct vs_router_visit *v, const struct vs_nd *nd)
{
	const struct rte_ether_addr *mac;

	if (vs_fib_is_gateway(v->subnet, &nd->target)) {
		vs_nd_answer(v->pkt, v->slot, nd, &v->subnet->router, VS_ND_IS_ROUTER);
		return vs_router_end(v, VS_STEP_ANSWER, VS_DROP_NONE);
	}
	if (v->from == VS_FROM_TUNNEL || is_to_one(v))
		return false;
	mac = mac_of(v, &nd->target, &vs_l2_eth(v->pkt)->src_addr, vs_nd_is_probe(nd));
	if (!mac)
		return false;
	vs_nd_answer(v->pkt, v->slot, nd, mac, VS_ND_IS_HOST);
	return vs_router_end(v, VS_STEP_ANSWER, VS_DROP_NONE);
}

static bool answer_nd(struct vs_router_visit *v, const struct vs_inner *in)
{
	struct vs_nd nd;

	/* What is longer than the private bytes cannot be judged: nothing we answer is. */
	if (!vs_nd_read(v->pkt, in, &nd))
		return in->end <= v->pkt->hdr_len && vs_router_drop(v, VS_DROP_ND_BAD);
	if (nd.type == ND_NEIGHBOR_SOLICIT)
		return answer_neighbour(v, &nd);
	if (nd.type != ND_ROUTER_SOLICIT || v->from == VS_FROM_TUNNEL ||
	    (v->subnet->flags & VS_SUBNET_EXTERNAL) || !vs_nd_gateway(v->subnet))
		return false;
	vs_nd_answer_router(v->pkt, v->slot, &nd, v->subnet);
	return vs_router_end(v, VS_STEP_ANSWER, VS_DROP_NONE);
}

bool vs_router_nd(struct vs_router_visit *v)
{
	enum { HOP_LIMIT = 255 };
	struct vs_inner in;

	if (!vs_inner_read(v->pkt, &in))
		return false;
	if (in.proto == VS_INNER_HIDDEN && in.ttl == HOP_LIMIT)
		return vs_router_drop(v, VS_DROP_ND_BAD);
	if (!vs_nd_is(v->pkt, &in))
		return false;
	if (usurps(v, &in))
		return vs_router_drop(v, VS_DROP_GATEWAY_SPOOF);
	if (answer_nd(v, &in))
		return true;
	return vs_router_is_for(v) && vs_router_end(v, VS_STEP_TAKE, VS_DROP_NONE);
}
