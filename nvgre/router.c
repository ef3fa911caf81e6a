/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * Every host has the same router: one MAC, the gateways' addresses. What a guest sends to it never
 * leaves the host to be routed; it is sent to where its destination is, in the destination's
 * subnet. So there is nothing to keep but the tables that control has given (core/nvgre.h).
 *
 *	frame ---> ARP, neighbour discovery: neighbour.c
 *	      ---> to the router: echo to a gateway is answered;
 *	           TTL, route (longest prefix, then metric), record of the destination or next hop;
 *	           does it fit? then new addresses, TTL - 1, the other subnet
 *	      ---> to one MAC: the record's peer; does it fit?
 *	      ---> to many, and where there is no record: as lookup finds
 *
 * | what is wrong with a packet             | answer to the sender   | else dropped as  |
 * |-----------------------------------------|------------------------|------------------|
 * | its time is over                        | ICMP 11/0, ICMPv6 3/0  | ttl_exceeded     |
 * | no route in its routing domain          | 3/0, 1/0               | no_route         |
 * | a route, but nobody has the address     | 3/1, 1/3               | no_lookup_record |
 * | too long for the tunnel (its segments)  | 3/4, 2, with the MTU   | mtu_tunnel       |
 * | UDP to a gateway                        | 3/3, 1/4               | to_router        |
 *
 * It is dropped instead if no error may be sent about it (vs_icmp_may()), or too many were. IPv4
 * without DF that is too long is told so as well, and not fragmented: senders then fragment by
 * themselves, once, in place of each host on the way.
 *
 * A guest's packets may come out in another subnet of its routing domain, on its own switch, and
 * nowhere else: the only way to another fid is a route of the domain.
 */
#include "nvgre/router_priv.h"

#include "nvgre/clamp.h"
#include "nvgre/fib.h"
#include "nvgre/icmp.h"
#include "nvgre/sum.h"

#include <rte_branch_prediction.h>

#include <stddef.h>

/* May one more error be sent in this subnet? */
static bool is_paced(struct vs_router_visit *v)
{
	struct vs_router *router = v->router;

	return !router->pace || vs_pace_admit(&router->pace[v->subnet->fid % VS_ROUTER_PACES],
					      router->now, VS_ROUTER_ERRORS_PPS);
}

/* The packet becomes an error, or is dropped as @drop. */
static void refuse(struct vs_router_visit *v, const struct vs_inner *in, enum vs_icmp_why why,
		   uint16_t mtu, enum vs_drop drop)
{
	const struct rte_ether_addr mac = vs_l2_eth(v->pkt)->dst_addr;
	const struct vs_prefix *gateway = vs_fib_gateway(v->subnet, &in->src);

	if (!vs_icmp_may(v->pkt, in) || !is_paced(v)) {
		(void)vs_router_drop(v, drop);
		return;
	}
	/* Without a gateway the destination says it, from whose MAC the sender expects answers. */
	vs_icmp_error(v->pkt, v->slot, in, why, mtu, gateway ? &gateway->ip : &in->dst,
		      gateway ? &v->subnet->router : &mac);
	(void)vs_router_end(v, VS_STEP_ANSWER, VS_DROP_NONE);
}

bool vs_router_fit(struct vs_router_visit *v, const struct vs_peer *peer)
{
	uint32_t longest = vs_pkt_longest(v->pkt) - VS_INNER_L3;
	uint16_t room = vs_fib_room(peer);
	struct vs_inner in;

	v->step.room = room;
	if (likely(longest <= room))
		return true;
	if (vs_inner_read(v->pkt, &in))
		refuse(v, &in, VS_ICMP_TOO_BIG, room, VS_DROP_MTU_TUNNEL);
	else
		(void)vs_router_drop(v, VS_DROP_MTU_TUNNEL);
	return false;
}

/* Through the tunnel to @peer; what came by it does not go back into it. */
static bool leave(struct vs_router_visit *v, const struct vs_peer *peer)
{
	if (v->from == VS_FROM_TUNNEL)
		return !vs_router_drop(v, VS_DROP_HAIRPIN);
	if (!vs_router_fit(v, peer))
		return false;
	v->step.via = peer;
	return true;
}

/* An address that has no business on the way from one network to another (RFC 1812, 5.3.7). */
static bool is_martian(const struct vs_ip *ip)
{
	static const struct vs_ip unspecified;
	static const struct vs_ip loopback = {.b = {[15] = 1}};
	const uint8_t *b = ip->b;

	if (vs_ip_is4(ip))
		return b[12] == 0 || b[12] == 127 || b[12] >= 224 || (b[12] == 169 && b[13] == 254);
	return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
	       vs_ip_equal(ip, &unspecified) || vs_ip_equal(ip, &loopback);
}

/* It is for the router itself. */
static void receive(struct vs_router_visit *v, const struct vs_inner *in)
{
	if (vs_icmp_is_echo(v->pkt, in)) {
		vs_icmp_echo(v->pkt, in);
		(void)vs_router_end(v, VS_STEP_ANSWER, VS_DROP_NONE);
	} else if (in->proto == IPPROTO_UDP) {
		refuse(v, in, VS_ICMP_NO_PORT, 0, VS_DROP_TO_ROUTER);
	} else {
		(void)vs_router_drop(v, VS_DROP_TO_ROUTER);
	}
}

/* RFC 1812, 5.3.1; RFC 1624: TTL and protocol are one word of the checksum. */
static void count_down(struct vs_pkt *pkt, const struct vs_inner *in)
{
	uint8_t *ip = pkt->hdr + VS_INNER_L3;
	uint8_t *ttl = ip + offsetof(struct rte_ipv4_hdr, time_to_live);
	uint8_t *csum = ip + offsetof(struct rte_ipv4_hdr, hdr_checksum);
	uint16_t was;

	if (in->version == 6) {
		ip[offsetof(struct rte_ipv6_hdr, hop_limits)]--;
		return;
	}
	was = vs_sum_load(ttl);
	ttl[0]--;
	vs_sum_store(csum, vs_sum_mend(vs_sum_load(csum), was, vs_sum_load(ttl)));
}

/* Into the destination's subnet, to the record's MAC. */
static void pass(struct vs_router_visit *v, const struct vs_inner *in, const struct vs_subnet *to)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)(void *)v->pkt->hdr;

	count_down(v->pkt, in);
	eth->dst_addr = v->step.record->mac;
	eth->src_addr = to->router;
	v->pkt->fid = to->fid;
	v->step.subnet = to;
	v->step.routed = true;
}

/* Who has the address that the route leads to? */
static const struct vs_record *find_next(const struct vs_nvgre *nv, const struct vs_ca_route *route,
					 const struct vs_ip *dst)
{
	static const struct vs_ip on_link;
	const struct vs_record *record;

	if (!vs_ip_equal(&route->next_hop, &on_link))
		dst = &route->next_hop;
	record = vs_fib_by_ca(nv, route->subnet->vsid, dst);
	return record ? record : route->subnet->wildcard;
}

/* The route to @dst that this subnet's packets may take, or NULL. */
static const struct vs_ca_route *find_route(const struct vs_router_visit *v,
					    const struct vs_ip *dst)
{
	const struct vs_subnet *from = v->subnet;
	const struct vs_ca_route *route = vs_fib_route(v->router->nv, from->rd, dst);

	/* Control sees to it; that tenants never mix does not hang on it. */
	if (!route || route->subnet->rd != from->rd || route->subnet->sw != from->sw)
		return NULL;
	return route;
}

static void forward(struct vs_router_visit *v, const struct vs_inner *in)
{
	const struct vs_ca_route *route = find_route(v, &in->dst);

	v->step.route = route;
	if (route && vs_fib_is_gateway(route->subnet, &in->dst)) {
		receive(v, in);
		return;
	}
	if (in->ttl <= 1) {
		refuse(v, in, VS_ICMP_TTL, 0, VS_DROP_TTL_EXCEEDED);
		return;
	}
	if (!route) {
		refuse(v, in, VS_ICMP_NO_NET, 0, VS_DROP_NO_ROUTE);
		return;
	}
	if (vs_fib_is_broadcast(route->subnet, &in->dst)) {
		(void)vs_router_drop(v, VS_DROP_MARTIAN);
		return;
	}
	v->step.record = find_next(v->router->nv, route, &in->dst);
	if (!v->step.record) {
		refuse(v, in, VS_ICMP_NO_HOST, 0, VS_DROP_NO_LOOKUP_RECORD);
		return;
	}
	if (v->step.record->peer && !leave(v, v->step.record->peer))
		return;
	pass(v, in, route->subnet);
}

void vs_router_route(struct vs_router_visit *v)
{
	struct vs_inner in;

	if (!vs_inner_read(v->pkt, &in))
		(void)vs_router_drop(v, VS_DROP_ROUTER_HEADER);
	else if (vs_fib_is_gateway(v->subnet, &in.dst))
		receive(v, &in);
	else if (is_martian(&in.src) || is_martian(&in.dst))
		(void)vs_router_drop(v, VS_DROP_MARTIAN);
	else
		forward(v, &in);
}

/* The record of the frame's destination address; that of the frame before is usually the same. */
static const struct vs_record *find_mac(struct vs_router *router, uint32_t vsid,
					const struct rte_ether_addr *mac)
{
	const struct vs_record *record = router->record;

	if (likely(record && router->vsid == vsid && rte_is_same_ether_addr(&router->mac, mac)))
		return record;
	record = vs_fib_by_mac(router->nv, vsid, mac);
	router->vsid = vsid;
	router->mac = *mac;
	router->record = record;
	return record;
}

/* To its destination address, within the subnet. */
static void bridge(struct vs_router_visit *v)
{
	const struct rte_ether_addr *dst = &vs_l2_eth(v->pkt)->dst_addr;

	if (rte_is_multicast_ether_addr(dst))
		return;
	v->step.record = find_mac(v->router, v->subnet->vsid, dst);
	if (v->step.record && v->step.record->peer)
		(void)leave(v, v->step.record->peer);
}

/* The smaller of what fits on its way and what the subnet's guests are told. */
static void clamp(struct vs_router_visit *v)
{
	uint16_t mtu = v->subnet->ca_mtu;

	if (v->step.via && v->step.room < mtu)
		mtu = v->step.room;
	if (v->step.via || v->from == VS_FROM_TUNNEL)
		vs_clamp_mss(v->pkt, mtu);
}

/* Is it of neighbour discovery? Only what is TCP or UDP right behind the header is surely not. */
static bool may_be_nd(const struct vs_pkt *pkt)
{
	const uint8_t *proto = pkt->hdr + VS_INNER_L3 + offsetof(struct rte_ipv6_hdr, proto);

	return pkt->hdr_len < VS_INNER_L3 + sizeof(struct rte_ipv6_hdr) ||
	       (*proto != IPPROTO_TCP && *proto != IPPROTO_UDP);
}

/* Return: true: that was all. */
static bool is_settled(struct vs_router_visit *v)
{
	rte_be16_t type = vs_inner_type(v->pkt);

	if (unlikely(vs_router_is_from(v)) && v->from == VS_FROM_GUEST)
		return vs_router_drop(v, VS_DROP_ROUTER_SPOOF);
	if (type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		return vs_router_arp(v);
	return type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && may_be_nd(v->pkt) && vs_router_nd(v);
}

struct vs_step vs_router_step(struct vs_router *router, const struct vs_subnet *subnet,
			      struct vs_pkt *pkt, struct vs_hdr_slot *slot,
			      enum vs_router_from from)
{
	struct vs_router_visit v = {
		.router = router,
		.subnet = subnet,
		.pkt = pkt,
		.slot = slot,
		.from = from,
		.step = {.kind = VS_STEP_GO, .subnet = subnet},
	};

	if (is_settled(&v))
		return v.step;
	if (vs_router_is_for(&v))
		vs_router_route(&v);
	else
		bridge(&v);
	if (unlikely(subnet->flags & VS_SUBNET_CLAMP) && v.step.kind == VS_STEP_GO)
		clamp(&v);
	return v.step;
}
