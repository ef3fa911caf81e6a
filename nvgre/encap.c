/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 7, encap: tenants' frames for other hosts get their outer headers.
 *
 * Accepts: released output lists behind fixup: what stands in a tunnel port's list, and what fixup
 *	made for one, owes nothing.
 * Guarantees: the list of the tunnel port is empty; each of its frames, and each copy of one for
 *	several hosts, is counted there as sent or dropped; what leaves by the uplink is in
 *	ctx->encap.frame, and counted there as an attempt. While ctx->encap.more is set there is
 *	more, for another run of this stage and of tx.
 * Drops (per copy): no_peer, pa_unresolved, copy_budget, mtu_out at the tunnel port; port_down,
 *	mtu_out at the uplink.
 *
 * It stands behind fixup, so a packet that is to be cut is cut once, into inner segments with
 * finished checksums, and each of these gets an outer header of its own.
 *
 * DOC: theory of operation
 *
 * An encapsulated frame is an outer header of its own and, as borrowed payload, the inner frame:
 * its private header and what it had borrowed itself. So a frame for many hosts is copied once for
 * each, by the uplink, and its inner bytes are the same for all: those that were judged.
 *
 *	made[i].hdr -> | Ethernet (tag) IP GRE |    made[i].ext -> [inner header] [payload] ...
 *
 * Memory is that of one call of tx. What does not fit waits where it is: the list, or what fixup
 * made, which fixup does not touch until all of it is packed (pipeline.c).
 */
#include "nvgre/nvgre.h"

#include "dataplane/core/flow.h"
#include "dataplane/core/hdr.h"
#include "dataplane/core/punt.h"
#include "nvgre/outer.h"

#include <rte_branch_prediction.h>

/**
 * struct packing - one frame that is being packed, and for whom
 * @tunnel:	the port that it was sent to
 * @peer:	@n of them
 */
struct packing {
	const struct vs_port_hot *tunnel;
	const struct vs_pkt *pkt;
	uint32_t vsid;
	uint32_t hash;
	uint8_t tos;
	uint32_t n;
	const struct vs_peer *const *peer;
};

/* Enough frames wait for its next hop, or it did not answer: no more of them. */
static bool is_hopeless(uint64_t next_hop)
{
	return !(next_hop & VS_NEXT_HOP_KNOWN) &&
	       next_hop & (VS_NEXT_HOP_FAILED | VS_NEXT_HOP_FULL);
}

/* Control keeps the frame until the next hop is known. Return: whether it has it. */
static bool punt(struct vs_ctx *ctx, const struct vs_peer *peer, const struct vs_pkt *outer)
{
	struct vs_punt *slot = vs_punt_begin(ctx->punt, VS_PUNT_UNRESOLVED, ctx->now_tsc);

	if (!slot)
		return false;
	slot->port = outer->in_port;
	slot->index = peer->index;
	if (!vs_punt_put_frame(slot, outer))
		return false;
	vs_punt_end(ctx->punt);
	ctx->events.unrung = 1;
	return true;
}

/* The frame with its outer header in the next free place, which is not taken yet. */
static struct vs_pkt *make(struct vs_ctx *ctx, const struct packing *p, const struct vs_peer *peer)
{
	struct vs_encap *enc = &ctx->encap;
	struct vs_outer_slot *slot = &enc->hdr[enc->n_frames];
	struct vs_pkt *made = &enc->made[enc->n_frames];
	struct vs_extent *ext = &enc->ext[enc->n_ext];
	uint8_t *begin = vs_outer_put(peer, p->vsid, p->hash, p->tos, p->pkt->len, enc->id,
				      slot->bytes + sizeof(slot->bytes));

	if (!begin)
		return NULL;
	enc->id++;
	*made = (struct vs_pkt){
		.hdr = begin,
		.ext = ext,
		.len = p->pkt->len + peer->outer_len,
		.hdr_len = peer->outer_len,
		.n_ext = (uint16_t)(p->pkt->n_ext + 1u),
		.in_port = p->pkt->in_port,
		.fid = peer->fid,
		.vid = peer->vid,
		.bare_vid = peer->vid,
	};
	*ext++ = (struct vs_extent){.data = p->pkt->hdr, .len = p->pkt->hdr_len};
	/* An answer of the switch has no list at all. */
	if (p->pkt->n_ext)
		memcpy(ext, p->pkt->ext, p->pkt->n_ext * sizeof(*ext));
	return made;
}

static enum vs_drop may_leave(const struct vs_port_hot *uplink, const struct vs_peer *peer,
			      const struct vs_pkt *outer)
{
	const uint32_t tag = peer->l3 - (uint32_t)sizeof(struct rte_ether_hdr);

	if (!(uplink->flags & VS_PORT_UP))
		return VS_DROP_PORT_DOWN;
	return outer->len > uplink->max_frame + tag ? VS_DROP_MTU_OUT : VS_DROP_NONE;
}

/* One copy, for one host. Return: VS_DROP_NONE, or what became of it at the tunnel port. */
static enum vs_drop pack(struct vs_ctx *ctx, const struct packing *p, const struct vs_peer *peer)
{
	const uint64_t next_hop = __atomic_load_n(&peer->next_hop, __ATOMIC_RELAXED);
	const struct vs_port_hot *uplink = &ctx->conf->port[peer->uplink];
	struct vs_encap *enc = &ctx->encap;
	struct vs_pkt *outer;
	enum vs_drop drop;

	if (unlikely(is_hopeless(next_hop)))
		return VS_DROP_PA_UNRESOLVED;
	outer = make(ctx, p, peer);
	if (unlikely(!outer))
		return VS_DROP_MTU_OUT;
	if (unlikely(!(next_hop & VS_NEXT_HOP_KNOWN)))
		return punt(ctx, peer, outer) ? VS_DROP_NONE : VS_DROP_PA_UNRESOLVED;

	vs_stats_add(VS_TERM_ENCAPSULATED, &ctx->switch_stats[uplink->sw].encapsulated, 1);
	vs_stats_add(VS_TERM_ATTEMPTS, &ctx->port_stats[uplink->id]->attempts, 1);
	drop = may_leave(uplink, peer, outer);
	if (unlikely(drop)) {
		vs_ctx_count_drop(ctx, uplink->id, outer, drop);
		return VS_DROP_NONE;
	}
	enc->to = uplink->id;
	enc->n_ext += outer->n_ext;
	enc->frame[enc->n_frames++] = outer;
	return VS_DROP_NONE;
}

static void settle(struct vs_ctx *ctx, const struct packing *p, enum vs_drop drop)
{
	struct vs_port_stats *stats = ctx->port_stats[p->tunnel->id];

	if (drop) {
		vs_ctx_count_drop(ctx, p->tunnel->id, p->pkt, drop);
		return;
	}
	vs_stats_add(VS_TERM_SENT, &stats->sent, 1);
	vs_stats_add(VS_TERM_SENT, &stats->sent_bytes, p->pkt->len);
}

static bool has_room(const struct vs_encap *enc, const struct vs_pkt *pkt)
{
	return enc->n_frames < VS_BURST_MAX &&
	       enc->n_ext + pkt->n_ext + 1u <= sizeof(enc->ext) / sizeof(enc->ext[0]);
}

/* Every copy but the first is one more in the account of the tunnel port. */
static void begin_copies(struct vs_ctx *ctx, const struct packing *p)
{
	const uint64_t more = p->n - 1u;

	vs_stats_add(VS_TERM_ATTEMPTS, &ctx->port_stats[p->tunnel->id]->attempts, more);
	vs_stats_add(VS_TERM_FLOOD_COPIES, &ctx->switch_stats[p->tunnel->sw].flood_copies, more);
	ctx->flooded_bytes += more * p->pkt->len;
	ctx->n_made += (uint32_t)more;
}

/* Go on with one frame. Return: false: there is no room for more. */
static bool pack_all(struct vs_ctx *ctx, const struct packing *p)
{
	struct vs_encap *enc = &ctx->encap;

	if (enc->copy == 0) {
		/* Once begun it is in the account. */
		if (!has_room(enc, p->pkt))
			return false;
		if (p->n == 0) {
			settle(ctx, p, VS_DROP_NO_PEER);
			return true;
		}
		if (p->n > 1 && ctx->flooded_bytes + (uint64_t)p->n * p->pkt->len >
					VS_FLOOD_BYTES + VS_FLOOD_FRAME_BYTES) {
			settle(ctx, p, VS_DROP_COPY_BUDGET);
			return true;
		}
		begin_copies(ctx, p);
	}
	for (; enc->copy < p->n; enc->copy++) {
		if (!has_room(enc, p->pkt))
			return false;
		settle(ctx, p, pack(ctx, p, p->peer[enc->copy]));
	}
	enc->copy = 0;
	return true;
}

/* @via: the host that packet is for, or NULL; it has to hold as long as the packing does */
static bool pack_one(struct vs_ctx *ctx, const struct vs_port_hot *tunnel, const struct vs_pkt *pkt,
		     const struct vs_peer *const *via)
{
	const struct vs_nvgre *nv = ctx->conf->nvgre;
	const struct vs_subnet *subnet = vs_subnet_of_fid(nv, pkt->fid);
	struct packing p = {.tunnel = tunnel, .pkt = pkt};

	if (subnet && *via) {
		p.peer = via;
		p.n = 1;
	} else if (subnet && rte_is_multicast_ether_addr(&vs_l2_eth(pkt)->dst_addr)) {
		p.peer = subnet->peer;
		p.n = subnet->n_peers;
	}
	if (p.n) {
		p.vsid = subnet->vsid;
		p.hash = vs_flow_hash(pkt);
		p.tos = vs_inner_tos(pkt);
	}
	return pack_all(ctx, &p);
}

static void pack_list(struct vs_ctx *ctx, struct vs_burst *burst, const struct vs_port_hot *tunnel)
{
	struct vs_encap *enc = &ctx->encap;
	struct vs_out *out = &ctx->out[tunnel->id];

	for (; enc->entry < out->n; enc->entry++) {
		const uint8_t index = out->pkt[enc->entry];

		if (!pack_one(ctx, tunnel, &burst->pkt[index], &burst->via[index]))
			return;
	}
	out->n = 0;
	enc->source = VS_ENCAP_NOTHING;
}

static void pack_made(struct vs_ctx *ctx, struct vs_burst *burst, const struct vs_port_hot *tunnel)
{
	struct vs_encap *enc = &ctx->encap;
	const struct vs_fixup *fix = &ctx->fixup;

	for (; enc->entry < enc->n_source; enc->entry++) {
		if (!pack_one(ctx, tunnel, fix->frame[enc->entry],
			      &burst->via[fix->of[enc->entry]]))
			return;
	}
	enc->source = VS_ENCAP_NOTHING;
}

/* Take the port out of those that tx serves. Return: was it there? */
static bool take_list(struct vs_ctx *ctx, uint16_t tunnel)
{
	unsigned int i;

	for (i = 0; i < ctx->n_touched; i++) {
		if (ctx->touched[i] != tunnel)
			continue;
		ctx->touched[i] = ctx->touched[--ctx->n_touched];
		return true;
	}
	return false;
}

/* What is there for the tunnel port that is not begun yet? */
static void find_source(struct vs_ctx *ctx, uint16_t tunnel)
{
	struct vs_encap *enc = &ctx->encap;

	enc->entry = 0;
	enc->copy = 0;
	if (take_list(ctx, tunnel)) {
		enc->source = VS_ENCAP_LIST;
	} else if (ctx->fixup.n_frames && ctx->fixup.to == tunnel) {
		enc->source = VS_ENCAP_MADE;
		enc->n_source = ctx->fixup.n_frames;
		ctx->fixup.n_frames = 0;
	}
}

void vs_nvgre_encap(struct vs_ctx *ctx, struct vs_burst *burst)
{
	const struct vs_port_hot *from = &ctx->conf->port[burst->pkt[0].in_port];
	const struct vs_nvgre *nv = ctx->conf->nvgre;
	struct vs_encap *enc = &ctx->encap;
	uint16_t tunnel;

	if (!nv)
		return;
	tunnel = nv->tunnel[from->sw];
	if (tunnel >= VS_PORTS_MAX)
		return;
	enc->n_ext = 0;
	if (enc->source == VS_ENCAP_NOTHING)
		find_source(ctx, tunnel);
	if (enc->source == VS_ENCAP_LIST)
		pack_list(ctx, burst, &ctx->conf->port[tunnel]);
	else if (enc->source == VS_ENCAP_MADE)
		pack_made(ctx, burst, &ctx->conf->port[tunnel]);
	enc->more = enc->source != VS_ENCAP_NOTHING;
}
