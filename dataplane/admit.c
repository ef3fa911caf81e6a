/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 4, admit: the ingress policy of the port a frame came from.
 *
 * Accepts: packets with an Ethernet header in their private bytes.
 * Guarantees: the frame may be sent by its port; it carries no tag; fid is set.
 * Drops: link_down, mtu_in, src_invalid, spoof, vlan_short, vlan_tagged.
 *
 * Stands before learning: a frame that is refused here changes nothing.
 */
#include "dataplane/stages.h"

#include "dataplane/core/hdr.h"

static enum vs_drop admit_source(const struct vs_port_hot *port, const struct rte_ether_addr *src)
{
	if (!rte_is_valid_assigned_ether_addr(src))
		return VS_DROP_SRC_INVALID;
	if ((port->flags & VS_PORT_GUARD) && !rte_is_same_ether_addr(src, &port->mac))
		return VS_DROP_SPOOF;
	return VS_DROP_NONE;
}

/* An untagged port sends untagged frames; a tag that carries only a priority is taken off. */
static enum vs_drop admit_vlan(struct vs_pkt *pkt)
{
	switch (vs_l2_tags(pkt)) {
	case VS_L2_UNTAGGED:
		return VS_DROP_NONE;
	case VS_L2_PRIORITY:
		vs_l2_strip_tag(pkt);
		return VS_DROP_NONE;
	case VS_L2_TAGGED:
		return VS_DROP_VLAN_TAGGED;
	case VS_L2_CUT:
		break;
	}
	return VS_DROP_VLAN_SHORT;
}

static enum vs_drop admit(const struct vs_port_hot *port, struct vs_pkt *pkt)
{
	enum vs_drop drop;

	if (!(port->flags & VS_PORT_ADMIN_UP))
		return VS_DROP_LINK_DOWN;
	drop = admit_source(port, &vs_l2_eth(pkt)->src_addr);
	if (!drop)
		drop = admit_vlan(pkt);
	if (!drop && pkt->len > port->max_frame)
		drop = VS_DROP_MTU_IN;
	if (!drop)
		pkt->fid = port->fid;
	return drop;
}

void vs_admit(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];
		enum vs_drop drop;

		if (pkt->drop)
			continue;
		drop = admit(&ctx->conf->port[pkt->in_port], pkt);
		if (drop)
			vs_pkt_drop(ctx, pkt, drop);
	}
}
