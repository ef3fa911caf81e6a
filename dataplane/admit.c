/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 4, admit: the ingress policy of the port a frame came from.
 *
 * Accepts: packets with an Ethernet header in their private bytes; of those that came out of a
 *	tunnel fid, vid, bare_vid and pcp are set.
 * Guarantees: the frame may be sent by its port; the tag of its VLAN is taken off; fid, vid,
 * bare_vid
 *	and pcp are set.
 * Drops: link_down, mtu_in, src_invalid, spoof, vlan_short, vlan_tagged, vlan_denied,
 *	vlan_service, vlan_unused.
 *
 * Stands before learning: a frame that is refused here changes nothing.
 */
#include "dataplane/stages.h"

#include "dataplane/core/hdr.h"

#include <rte_branch_prediction.h>

static __rte_always_inline enum vs_drop admit_source(const struct vs_port_hot *port,
						     const struct rte_ether_addr *src)
{
	if (!rte_is_valid_assigned_ether_addr(src))
		return VS_DROP_SRC_INVALID;
	if ((port->flags & VS_PORT_GUARD) && !rte_is_same_ether_addr(src, &port->mac))
		return VS_DROP_SPOOF;
	return VS_DROP_NONE;
}

/* May a port without a trunk, or with one, send a frame with this first tag? */
static enum vs_drop admit_tag(const struct vs_port_hot *port, struct vs_l2_tag tag)
{
	uint16_t vid = tag.tci & VS_TCI_VID;

	if (tag.kind == VS_L2_CUT)
		return VS_DROP_VLAN_SHORT;
	if (!port->trunk)
		return tag.kind == VS_L2_PRIORITY && !tag.inner ? VS_DROP_NONE
								: VS_DROP_VLAN_TAGGED;
	if (tag.kind == VS_L2_SERVICE)
		return VS_DROP_VLAN_SERVICE;
	if (tag.kind == VS_L2_PRIORITY || vid == port->vid)
		return VS_DROP_NONE;
	if (vid > VS_VID_MAX || !vs_trunk_allows(port->trunk, vid))
		return VS_DROP_VLAN_DENIED;
	return VS_DROP_NONE;
}

/*
 * The tag comes off last, so that the sample of a frame that is dropped for its tag shows it. A
 * second tag on a trunk is payload, but one that must not become the first (see release.c).
 */
static enum vs_drop admit_tagged(const struct vs_port_hot *port, struct vs_pkt *pkt,
				 struct vs_l2_tag tag)
{
	enum vs_drop drop = admit_tag(port, tag);

	if (drop)
		return drop;
	if (tag.kind == VS_L2_TAGGED) {
		pkt->vid = tag.tci & VS_TCI_VID;
		pkt->fid = port->trunk->fid_of_vid[pkt->vid];
	}
	if (pkt->fid == 0)
		return VS_DROP_VLAN_UNUSED;
	if (port->flags & VS_PORT_PRIORITY)
		pkt->pcp = (uint8_t)(tag.tci >> VS_TCI_PCP_SHIFT);
	pkt->bare_vid = tag.inner ? VS_BARE_NEVER : pkt->vid;
	vs_l2_strip_tag(pkt);
	return VS_DROP_NONE;
}

/* Which VLAN is it on? That of the port, unless a tag says otherwise. */
static enum vs_drop admit_vlan(const struct vs_port_hot *port, struct vs_pkt *pkt)
{
	struct vs_l2_tag tag = vs_l2_tag(pkt);

	pkt->fid = port->fid;
	pkt->vid = port->vid;
	pkt->bare_vid = port->vid;
	pkt->pcp = 0;
	if (unlikely(tag.kind != VS_L2_UNTAGGED))
		return admit_tagged(port, pkt, tag);
	return port->fid ? VS_DROP_NONE : VS_DROP_VLAN_UNUSED;
}

static enum vs_drop admit(const struct vs_port_hot *port, struct vs_pkt *pkt)
{
	enum vs_drop drop;

	if (!(port->flags & VS_PORT_ADMIN_UP))
		return VS_DROP_LINK_DOWN;
	drop = admit_source(port, &vs_l2_eth(pkt)->src_addr);
	if (!drop)
		drop = admit_vlan(port, pkt);
	if (!drop && unlikely(pkt->len > port->max_frame) && vs_pkt_longest(pkt) > port->max_frame)
		drop = VS_DROP_MTU_IN;
	return drop;
}

/* Its subnet and its tag are decap's business. */
static enum vs_drop admit_inner(const struct vs_port_hot *port, const struct vs_pkt *pkt)
{
	enum vs_drop drop;

	if (!(port->flags & VS_PORT_ADMIN_UP))
		return VS_DROP_LINK_DOWN;
	drop = admit_source(port, &vs_l2_eth(pkt)->src_addr);
	if (!drop && unlikely(vs_pkt_longest(pkt) > port->max_frame))
		drop = VS_DROP_MTU_IN;
	return drop;
}

/* The loop is there once, and so is what it calls: twice would cost everybody. */
static __rte_noinline void admit_range(struct vs_ctx *ctx, struct vs_burst *burst,
				       unsigned int first, unsigned int end)
{
	unsigned int i;

	for (i = first; i < end; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];
		enum vs_drop drop;

		if (pkt->drop)
			continue;
		drop = admit(&ctx->conf->port[pkt->in_port], pkt);
		if (drop)
			vs_pkt_drop(ctx, pkt, drop);
	}
}

void vs_admit(struct vs_ctx *ctx, struct vs_burst *burst)
{
	admit_range(ctx, burst, 0, burst->n);
}

void vs_admit_tenants(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];
		enum vs_drop drop;

		if (burst->placed >> i & 1)
			continue;
		if (!(burst->inner >> i & 1)) {
			admit_range(ctx, burst, i, i + 1);
			continue;
		}
		drop = pkt->drop ? VS_DROP_NONE : admit_inner(&ctx->conf->port[pkt->in_port], pkt);
		if (drop)
			vs_pkt_drop(ctx, pkt, drop);
	}
}
