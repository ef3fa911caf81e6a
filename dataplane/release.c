/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 6, release: the egress policy of each port a frame goes to.
 *
 * Accepts: output lists filled in by lookup.
 * Guarantees: each entry is counted as an attempt at its port; entries that are left may be
 *	delivered there; a packet that leaves with a tag at one of them has its twin.
 * Drops (per copy): port_down, vlan_out, mtu_out.
 *
 * DOC: theory of operation: with a tag or without
 *
 * A packet leaves untagged where its VLAN is the port's own (access or native), and tagged where
 * the port's trunk lists its VLAN. Nothing else leaves.
 *
 * A frame with two tags, whose first names a VLAN of its sender's trunk, must keep a tag in front
 * of the second: without it the receiver would take the second for the frame's VLAN, and a guest
 * could send into VLANs that are none of its own. So its copies leave tagged or not at all.
 *
 * The MTU counts without the tag.
 */
#include "dataplane/stages.h"

#include "dataplane/core/hdr.h"

#include <rte_branch_prediction.h>

/* May this packet, which does not leave bare at the port, leave there with its tag? */
static bool is_on_trunk(const struct vs_port_hot *port, const struct vs_pkt *pkt)
{
	return port->trunk && pkt->vid != port->vid && pkt->vid != 0 &&
	       vs_trunk_allows(port->trunk, pkt->vid);
}

/* The broadcast domain that frames of this form and VLAN belong to at the port; 0: none. */
static uint16_t fid_at(const struct vs_port_hot *port, uint16_t vid, enum vs_form form)
{
	return form == VS_FORM_BARE ? port->fid : port->trunk->fid_of_vid[vid];
}

enum vs_drop vs_release_again(const struct vs_port_hot *port, const struct vs_pkt *pkt,
			      enum vs_form form)
{
	uint32_t tag = form == VS_FORM_TAGGED ? VS_TAG_BYTES : 0;

	if (!(port->flags & VS_PORT_UP))
		return VS_DROP_PORT_DOWN;
	if (vs_form_of(port, pkt) != form || (tag && !is_on_trunk(port, pkt)))
		return VS_DROP_VLAN_OUT;
	/* A port that moved to another switch keeps its id. */
	if (fid_at(port, pkt->vid, form) != pkt->fid)
		return VS_DROP_VLAN_OUT;
	return vs_pkt_longest(pkt) > port->max_frame + tag ? VS_DROP_MTU_OUT : VS_DROP_NONE;
}

/* Packet @index leaves with a tag somewhere. */
static void need_twin(struct vs_burst *burst, unsigned int index)
{
	uint64_t bit = UINT64_C(1) << index;

	if (burst->has_tagged & bit)
		return;
	vs_l2_make_twin(&burst->pkt[index], &burst->tagged[index], &burst->tagged_hdr[index]);
	burst->has_tagged |= bit;
}

static enum vs_drop release(const struct vs_port_hot *port, struct vs_burst *burst,
			    unsigned int index)
{
	const struct vs_pkt *pkt = &burst->pkt[index];
	bool bare = likely(pkt->bare_vid == port->vid);

	if (!(port->flags & VS_PORT_UP))
		return VS_DROP_PORT_DOWN;
	if (!bare && !is_on_trunk(port, pkt))
		return VS_DROP_VLAN_OUT;
	if (unlikely(pkt->len > port->max_frame) && vs_pkt_longest(pkt) > port->max_frame)
		return VS_DROP_MTU_OUT;
	if (!bare)
		need_twin(burst, index);
	return VS_DROP_NONE;
}

static void release_port(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_burst *burst)
{
	struct vs_out *out = &ctx->out[port->id];
	const uint16_t n = out->n;
	uint16_t kept = 0;
	uint16_t i;

	vs_stats_add(VS_TERM_ATTEMPTS, &ctx->port_stats[port->id]->attempts, n);
	for (i = 0; i < n; i++) {
		uint8_t index = out->pkt[i];
		enum vs_drop drop = release(port, burst, index);

		if (drop)
			vs_ctx_count_drop(ctx, port->id, &burst->pkt[index], drop);
		else
			out->pkt[kept++] = index;
	}
	out->n = kept;
}

void vs_release(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < ctx->n_touched; i++)
		release_port(ctx, &ctx->conf->port[ctx->touched[i]], burst);
}
