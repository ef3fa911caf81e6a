/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The distributed router, one packet at a time: what becomes of a tenant's packet between admit and
 * lookup. The stage (route.c) and `vmswitch nvgre trace` both call it.
 */
#ifndef VS_NVGRE_ROUTER_H
#define VS_NVGRE_ROUTER_H

#include "dataplane/core/clock.h"
#include "dataplane/core/drop.h"
#include "dataplane/core/nvgre.h"
#include "dataplane/core/pkt.h"

/** Where a packet comes from. */
enum vs_router_from {
	VS_FROM_GUEST,
	VS_FROM_TUNNEL,
};

/** What becomes of it. */
enum vs_step_kind {
	VS_STEP_GO,     /* to its destination address in the subnet that it is in now */
	VS_STEP_ANSWER, /* it is the answer now, and goes back where it came from */
	VS_STEP_TAKE,   /* it was for the router, and ends here */
	VS_STEP_DROP,
};

/**
 * struct vs_step - the decision, and what led to it
 * @kind:	enum vs_step_kind
 * @drop:	for VS_STEP_DROP
 * @routed:	it left its subnet, or came back to it, through the router: its source address is
 *		the router's now
 * @subnet:	that it is in now
 * @route:	by which it was routed; NULL: it was not, or there is none
 * @record:	of its destination, or of the next hop; NULL: there is none
 * @via:	VS_STEP_GO: the peer that it goes to through the tunnel; NULL: where lookup finds
 * @room:	bytes of an IP packet that fit on the way to @via
 */
struct vs_step {
	uint8_t kind;
	uint8_t drop;
	bool routed;
	uint16_t room;
	const struct vs_subnet *subnet;
	const struct vs_ca_route *route;
	const struct vs_record *record;
	const struct vs_peer *via;
};

/**
 * struct vs_router - what the router needs besides the packet
 * @pace:	VS_ROUTER_PACES rate limits for errors; NULL: there is none
 * @now:	time stamp counter
 * @vsid, @mac, @record: who was looked for last, and was found; all zero in the beginning
 */
struct vs_router {
	const struct vs_nvgre *nv;
	struct vs_pace *pace;
	uint64_t now;
	uint32_t vsid;
	struct rte_ether_addr mac;
	const struct vs_record *record;
};

/**
 * vs_router_step() - decide about one packet, and rewrite it accordingly
 * @subnet:	that of pkt->fid
 * @pkt:	admitted frame without a tag; a routed one gets its new Ethernet addresses, TTL and
 *		fid
 * @slot:	of the burst: an answer is written there
 */
struct vs_step vs_router_step(struct vs_router *router, const struct vs_subnet *subnet,
			      struct vs_pkt *pkt, struct vs_hdr_slot *slot,
			      enum vs_router_from from);

#endif
