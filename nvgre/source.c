/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sources of tenants' frames against their lookup records.
 *
 * DOC: theory of operation
 *
 * | record of the source (VSID, MAC)          | the frame | control is told            |
 * |-------------------------------------------|-----------|----------------------------|
 * | names the host that it came from          | passes    | if it lacks an address, and|
 * |                                           |           | the frame has it           |
 * | there is none, or a learnt one that names | passes    | where the subnet learns    |
 * | another host                              |           |                            |
 * | names another host, or this one           | passes; dropped where the subnet is strict  |
 * |                                           |           | always (drift)             |
 *
 * The address of the distributed router is the same on all hosts, and is nobody's source.
 */
#include "nvgre/source.h"

#include "dataplane/core/hdr.h"
#include "dataplane/core/punt.h"
#include "nvgre/arp.h"
#include "nvgre/nd.h"

#include <rte_branch_prediction.h>
#include <rte_hash.h>

/* The peer with address @ip, or NULL: the subnet has none there. */
static const struct vs_peer *find_peer(const struct vs_subnet *subnet, const struct vs_ip *ip)
{
	uint32_t i;

	for (i = 0; i < subnet->n_peers; i++) {
		if (vs_ip_equal(&subnet->peer[i]->ip, ip))
			return subnet->peer[i];
	}
	return NULL;
}

static const struct vs_record *find_record(const struct vs_nvgre *nv, uint32_t vsid,
					   const struct rte_ether_addr *mac)
{
	const struct vs_record_mac_key key = {.vsid = vsid, .mac = *mac};
	void *record;

	return rte_hash_lookup_data(nv->by_mac, &key, &record) >= 0 ? record : NULL;
}

/* Who speaks, as ARP or neighbour discovery says it; all zero: the frame does not tell. */
static struct vs_ip speaker(const struct vs_pkt *pkt)
{
	struct vs_ip nobody = {{0}};
	struct vs_inner in;
	struct vs_arp arp;
	struct vs_nd nd;

	if (vs_inner_type(pkt) == RTE_BE16(RTE_ETHER_TYPE_ARP)) {
		if (!vs_arp_read(pkt, &arp) || vs_arp_is_probe(&arp) ||
		    !rte_is_same_ether_addr(&arp.sha, &vs_l2_eth(pkt)->src_addr))
			return nobody;
		return arp.spa;
	}
	if (!vs_inner_read(pkt, &in) || !vs_nd_is(pkt, &in) || !vs_nd_read(pkt, &in, &nd))
		return nobody;
	if (nd.type == ND_NEIGHBOR_SOLICIT)
		return nd.src;
	return nd.type == ND_NEIGHBOR_ADVERT ? nd.target : nobody;
}

/* Control is to know that host @from sent @pkt, a frame of @subnet. */
static void tell(struct vs_ctx *ctx, enum vs_punt_kind kind, const struct vs_subnet *subnet,
		 const struct vs_pkt *pkt, const struct vs_ip *from)
{
	struct vs_punt *punt;

	if (!rte_is_valid_assigned_ether_addr(&vs_l2_eth(pkt)->src_addr))
		return;
	punt = vs_punt_begin(ctx->punt, kind, ctx->now_tsc);
	if (!punt)
		return;
	punt->port = pkt->in_port;
	punt->vsid = subnet->vsid;
	punt->mac = vs_l2_eth(pkt)->src_addr;
	punt->ca = speaker(pkt);
	punt->pa = *from;
	vs_punt_end(ctx->punt);
	ctx->events.unrung = 1;
}

/* Host @from has sent a frame whose source its record, if there is one, has somewhere else. */
static enum vs_drop judge_stranger(struct vs_ctx *ctx, const struct vs_subnet *subnet,
				   const struct vs_record *record, const struct vs_pkt *pkt,
				   const struct vs_ip *from)
{
	if (rte_is_same_ether_addr(&vs_l2_eth(pkt)->src_addr, &subnet->router))
		return VS_DROP_NONE;
	if (!record || (record->flags & VS_RECORD_DYNAMIC)) {
		if (subnet->flags & VS_SUBNET_LEARN)
			tell(ctx, VS_PUNT_LEARN, subnet, pkt, from);
		return VS_DROP_NONE;
	}
	tell(ctx, VS_PUNT_DRIFT, subnet, pkt, from);
	return subnet->flags & VS_SUBNET_STRICT ? VS_DROP_PA_MISMATCH : VS_DROP_NONE;
}

/* A learnt record lacks its customer address until a frame tells it. */
static bool is_incomplete(const struct vs_record *record)
{
	static const struct vs_ip none;

	return (record->flags & VS_RECORD_DYNAMIC) && vs_ip_equal(&record->ca, &none);
}

enum vs_drop vs_source_check(struct vs_ctx *ctx, struct vs_source *last,
			     const struct vs_subnet *subnet, const struct vs_pkt *pkt,
			     const struct vs_ip *from)
{
	const struct rte_ether_addr *mac = &vs_l2_eth(pkt)->src_addr;
	const struct vs_record *record;

	if (likely(subnet == last->subnet && rte_is_same_ether_addr(mac, &last->mac) &&
		   vs_ip_equal(from, &last->from)))
		return VS_DROP_NONE;
	record = find_record(ctx->conf->nvgre, subnet->vsid, mac);
	if (!record || !record->peer || !vs_ip_equal(&record->peer->ip, from)) {
		last->subnet = NULL;
		last->via = find_peer(subnet, from);
		return judge_stranger(ctx, subnet, record, pkt, from);
	}
	*last = (struct vs_source){.subnet = subnet, .mac = *mac, .from = *from};
	last->via = record->peer;
	if (unlikely(is_incomplete(record))) {
		last->subnet = NULL;
		tell(ctx, VS_PUNT_LEARN, subnet, pkt, from);
	}
	return VS_DROP_NONE;
}
