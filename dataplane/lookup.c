/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 5, lookup: the source is learnt, the destination found.
 *
 * Accepts: admitted packets (fid set, source address valid for its port).
 * Guarantees: the packet stands in the output list of each port it goes to (one, or for a flood
 *	every other port of its fid that is up), never in that of the port it came from.
 * Drops: reserved_mac, hairpin, storm, flood_budget, no_receiver.
 *
 * DOC: theory of operation: learning
 *
 * Every packet's source is looked up. An address that is known at this port costs one store a
 * second. A new or moved one is reported to control, which owns the table; until control has
 * entered it (some ten microseconds), more frames from it come by, so a small cache keeps an
 * address from being reported again within REPORT_AGAIN_MS (unless entries were removed or moved
 * meanwhile: it may have been one of them), and VS_LEARN_RATE_PPS limits what
 * one port may have learnt. A static address (one given to a port) is never reported from
 * elsewhere.
 */
#include "dataplane/stages.h"

#include "dataplane/core/hdr.h"
#include "dataplane/fdb.h"

#include <string.h>

enum {
	REPORT_AGAIN_MS = 10,
};

/* Was this very fact reported a moment ago? If not, it is now. */
static bool reported_lately(struct vs_ctx *ctx, const struct vs_event *ev, uint32_t generation)
{
	struct vs_reported *slot;
	uint64_t key = 0;

	memcpy(&key, &ev->mac, sizeof(ev->mac));
	key |= (uint64_t)ev->port << 48;
	slot = &ctx->reported[(key * 0x9e3779b97f4a7c15u) >> (64 - VS_REPORTED_BITS)];
	if (slot->key == key && slot->generation == generation &&
	    ctx->now_tsc - slot->when_tsc < rte_get_tsc_hz() / 1000 * REPORT_AGAIN_MS)
		return true;
	slot->key = key;
	slot->generation = generation;
	slot->when_tsc = ctx->now_tsc;
	return false;
}

static void learn(struct vs_ctx *ctx, const struct vs_port_hot *port, const struct vs_pkt *pkt)
{
	const struct rte_ether_addr *src = &vs_l2_eth(pkt)->src_addr;
	struct vs_fdb_entry *e = vs_fdb_find(port->fdb, pkt->fid, src);
	struct vs_event ev = {
		.type = VS_EVENT_LEARN,
		.port = port->id,
		.fid = pkt->fid,
		.mac = *src,
	};

	if (e && vs_fdb_entry_port(e) == port->id) {
		vs_fdb_entry_touch(e, ctx->now_s);
		return;
	}
	if (e && e->kind == VS_FDB_STATIC)
		return;
	if (reported_lately(ctx, &ev, vs_fdb_generation(port->fdb)))
		return;
	if (vs_pace_admit(&ctx->pace[port->id].learn, ctx->now_tsc, VS_LEARN_RATE_PPS))
		vs_event_push(&ctx->events, &ev);
}

/* May this port flood one more frame? */
static bool storm_admits(struct vs_ctx *ctx, const struct vs_port_hot *port)
{
	struct vs_port_pace *pace = &ctx->pace[port->id];

	if (port->storm_pps == 0 || vs_pace_admit(&pace->storm, ctx->now_tsc, port->storm_pps))
		return true;
	if (pace->storm_told_s != ctx->now_s) {
		struct vs_event ev = {.type = VS_EVENT_STORM, .port = port->id};

		pace->storm_told_s = ctx->now_s;
		vs_event_push(&ctx->events, &ev);
	}
	return false;
}

static enum vs_drop flood(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_pkt *pkt,
			  uint8_t index)
{
	const struct vs_domain *domain = &ctx->conf->domain[pkt->fid];
	uint64_t copies = 0;
	unsigned int i;

	if (ctx->flooded_bytes >= VS_FLOOD_BYTES)
		return VS_DROP_FLOOD_BUDGET;
	if (!storm_admits(ctx, port))
		return VS_DROP_STORM;
	for (i = 0; i < domain->n; i++) {
		if (domain->members[i] == port->id)
			continue;
		vs_out_add(ctx, domain->members[i], index);
		copies++;
	}
	if (copies == 0)
		return VS_DROP_NO_RECEIVER;

	ctx->flooded_bytes += copies * pkt->len;
	vs_stats_add(VS_TERM_FLOODED, &ctx->port_stats[port->id]->flooded, 1);
	vs_stats_add(VS_TERM_FLOOD_COPIES, &ctx->switch_stats[port->sw].flood_copies, copies);
	return VS_DROP_NONE;
}

static enum vs_drop find(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_pkt *pkt,
			 uint8_t index)
{
	const struct rte_ether_addr *dst = &vs_l2_eth(pkt)->dst_addr;
	const struct vs_fdb_entry *e;
	uint16_t out;

	if (rte_is_multicast_ether_addr(dst)) {
		if (vs_l2_is_reserved(dst))
			return VS_DROP_RESERVED_MAC;
		return flood(ctx, port, pkt, index);
	}
	e = vs_fdb_find(port->fdb, pkt->fid, dst);
	out = e ? vs_fdb_entry_port(e) : VS_FDB_NO_PORT;
	if (out >= VS_PORTS_MAX)
		return flood(ctx, port, pkt, index);
	if (out == port->id)
		return VS_DROP_HAIRPIN;

	vs_out_add(ctx, out, index);
	vs_stats_add(VS_TERM_FORWARDED, &ctx->port_stats[port->id]->forwarded, 1);
	return VS_DROP_NONE;
}

void vs_lookup(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];
		const struct vs_port_hot *port = &ctx->conf->port[pkt->in_port];
		enum vs_drop drop;

		if (pkt->drop)
			continue;
		learn(ctx, port, pkt);
		drop = find(ctx, port, pkt, (uint8_t)i);
		if (drop)
			vs_pkt_drop(ctx, pkt, drop);
	}
}
