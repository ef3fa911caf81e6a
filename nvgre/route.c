/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 5, route: the distributed router.
 *
 * Accepts: admitted packets; of those that came out of a tunnel (burst->inner), burst->via[] is
 *	the host that they came from.
 * Guarantees: a tenant's packet is in the subnet of its destination, with the addresses that it
 *	has there. Of one that leaves by the tunnel to one host, that host stands in burst->via[],
 *	and it is sorted to the tunnel port; NULL there: to all of its subnet. What the router
 *	answers is the answer, placed where the packet came from.
 * Drops: arp_bad, nd_bad, router_spoof, gateway_spoof, router_header, martian, to_router,
 *	ttl_exceeded, no_route, no_lookup_record, mtu_tunnel, hairpin.
 *
 * How it decides: router.c; what it said of a frame holds for those like it that follow. Packets of
 * VLANs pass.
 */
#include "nvgre/nvgre.h"

#include "nvgre/inner.h"
#include "nvgre/router.h"

#include <rte_branch_prediction.h>

/*
 * Back to where it came from. Through the tunnel that is one host; an answer to one that is no peer
 * of the subnet would go to all of them.
 */
static enum vs_drop send_back(struct vs_ctx *ctx, struct vs_burst *burst, unsigned int i,
			      const struct vs_peer *from)
{
	const struct vs_pkt *pkt = &burst->pkt[i];

	if ((burst->inner >> i & 1) && !from)
		return VS_DROP_NO_LOOKUP_RECORD;
	burst->via[i] = from;
	burst->owing &= ~(vs_debt_owes(&pkt->debt) ? 0 : UINT64_C(1) << i);
	vs_pkt_place(ctx, burst, i, pkt->in_port);
	return VS_DROP_NONE;
}

/* What the router says of packet @i, done. */
static enum vs_drop follow(struct vs_ctx *ctx, struct vs_burst *burst, unsigned int i,
			   const struct vs_step *step, const struct vs_peer *from)
{
	const uint64_t bit = UINT64_C(1) << i;

	switch ((enum vs_step_kind)step->kind) {
	case VS_STEP_GO:
		burst->via[i] = step->via;
		if (!step->via)
			return VS_DROP_NONE;
		burst->sorted |= bit;
		burst->queue[i] = step->subnet->tunnel;
		return VS_DROP_NONE;
	case VS_STEP_ANSWER:
		return send_back(ctx, burst, i, from);
	case VS_STEP_TAKE:
		burst->placed |= bit;
		vs_stats_add(VS_TERM_CONSUMED, &ctx->port_stats[burst->pkt[i].in_port]->consumed,
			     1);
		return VS_DROP_NONE;
	case VS_STEP_DROP:
		break;
	}
	return (enum vs_drop)step->drop;
}

/**
 * struct visit - the packets of one burst
 * @before:	the packet before, if what the router said of it hangs on its Ethernet header, its
 *		port and its length alone; or NULL
 * @said:	that
 */
struct visit {
	struct vs_router router;
	const struct vs_pkt *before;
	struct vs_step said;
};

/* Of IPv4 that is bridged the router looks at no more than that. */
static bool is_plain(const struct vs_pkt *pkt, const struct vs_step *step)
{
	return step->kind == VS_STEP_GO && !step->routed &&
	       !(step->subnet->flags & VS_SUBNET_CLAMP) &&
	       vs_inner_type(pkt) == RTE_BE16(RTE_ETHER_TYPE_IPV4);
}

static bool is_as_before(const struct visit *v, const struct vs_pkt *pkt)
{
	const struct vs_pkt *before = v->before;

	return before && memcmp(pkt->hdr, before->hdr, sizeof(struct rte_ether_hdr)) == 0 &&
	       pkt->fid == before->fid && pkt->in_port == before->in_port &&
	       (!v->said.via || vs_pkt_longest(pkt) <= v->said.room + (uint32_t)VS_INNER_L3);
}

static void route(struct vs_ctx *ctx, struct vs_burst *burst, struct visit *v, unsigned int i)
{
	const struct vs_peer *from = burst->inner >> i & 1 ? burst->via[i] : NULL;
	struct vs_router *router = &v->router;
	struct vs_pkt *pkt = &burst->pkt[i];
	const struct vs_subnet *subnet;
	struct vs_step step;
	enum vs_drop drop;

	burst->via[i] = NULL;
	if (pkt->drop || burst->placed >> i & 1)
		return;
	if (is_as_before(v, pkt)) {
		(void)follow(ctx, burst, i, &v->said, from);
		return;
	}
	v->before = NULL;
	subnet = vs_subnet_of_fid(router->nv, pkt->fid);
	if (unlikely(!subnet))
		return;
	step = vs_router_step(router, subnet, pkt, &burst->hdr[i],
			      burst->inner >> i & 1 ? VS_FROM_TUNNEL : VS_FROM_GUEST);
	if (is_plain(pkt, &step)) {
		v->before = pkt;
		v->said = step;
	}
	drop = follow(ctx, burst, i, &step, from);
	if (unlikely(drop))
		vs_pkt_drop(ctx, pkt, drop);
}

void vs_nvgre_route(struct vs_ctx *ctx, struct vs_burst *burst)
{
	struct visit v = {
		.router = {.nv = ctx->conf->nvgre, .pace = ctx->router_pace, .now = ctx->now_tsc},
	};
	unsigned int i;

	for (i = 0; i < burst->n; i++)
		route(ctx, burst, &v, i);
}
