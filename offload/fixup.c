/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 8, fixup: what a packet owes is left to its port, or settled here.
 *
 * Accepts: released output lists; the twin of each packet that leaves tagged.
 * Guarantees: tx hands over nothing that its port cannot take: what stands in the output lists can
 *	be taken as it is, the same goes for ctx->fixup.frame. While ctx->fixup.n is not 0 there is
 *	more, for another run of this stage and of tx.
 * Drops (per copy): gso_failed, cut_budget.
 *
 * The only one that settles debts (doc/offload.md has the rules).
 *
 * DOC: theory of operation
 *
 * A burst on which nothing is owed costs one comparison. Otherwise the ports are asked what they
 * can take. Those that can take all that is in their list keep it. The others are set aside, and
 * served one after the other, in pieces of as many frames as one call of tx takes: a piece is made,
 * tx delivers it, its memory is used again for the next. So memory is bounded however many frames
 * come of one burst, and the frames of a port keep their order.
 *
 *	pipeline:  ... release -> fixup -> tx -> fixup -> tx ... until fixup.n is 0
 *
 * What one visit may have cut is bounded: beyond VS_CUT_FRAMES frames no further packet is begun,
 * so at most the segments of one more are made.
 *
 * A frame that is made here is a private header of its own and the payload that it was before:
 * extents of the sender's memory, cut to size, not copied.
 */
#include "offload/offload.h"

#include "offload/csum.h"
#include "offload/segment.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <string.h>

/* What @pkt owes is settled so; it did owe something. */
static void count(const struct vs_ctx *ctx, uint16_t port, const struct vs_debt *debt,
		  enum vs_settled how)
{
	struct vs_offload_stats *stats = &ctx->port_stats[port]->offload;

	_Static_assert((int)VS_OWED_USO6 == (int)VS_GSO_UDP6, "the same numbers");
	vs_stats_add(VS_TERM_OFFLOAD, &stats->cell[debt->gso][how], 1);
	if (unlikely(debt->ecn))
		vs_stats_add(VS_TERM_OFFLOAD, &stats->cell[VS_OWED_ECN][how], 1);
}

static void count_made(const struct vs_ctx *ctx, uint16_t port, unsigned int segments,
		       unsigned int checksums)
{
	struct vs_offload_stats *stats = &ctx->port_stats[port]->offload;

	vs_stats_add(VS_TERM_OFFLOAD, &stats->segments, segments);
	vs_stats_add(VS_TERM_OFFLOAD, &stats->checksums, checksums);
}

/*
 * Another frame is made: it begins with the header of @pkt, which it may change, and owes nothing.
 */
static struct vs_pkt *make(struct vs_fixup *fix, const struct vs_pkt *pkt)
{
	struct vs_pkt *made = &fix->made[fix->n_made];
	uint8_t *hdr = fix->hdr[fix->n_made].room + VS_HDR_ROOM - VS_TAG_BYTES;

	fix->n_made++;
	memcpy(hdr, pkt->hdr, pkt->hdr_len);
	*made = *pkt;
	made->hdr = hdr;
	made->debt = (struct vs_debt){0};
	return made;
}

/* Put a frame that came of packet @index into what tx gets next. */
static void add(struct vs_fixup *fix, struct vs_pkt *pkt, uint8_t index)
{
	fix->of[fix->n_frames] = index;
	fix->frame[fix->n_frames++] = pkt;
}

/* Begin to cut a packet: each segment is a frame of its own in the account. */
static void begin_cut(struct vs_ctx *ctx, const struct vs_port_hot *port, unsigned int caps,
		      const struct vs_pkt *pkt)
{
	struct vs_segments *segs = &ctx->fixup.segs;
	uint64_t extra;

	if (ctx->n_made + ctx->fixup.n_made >= VS_CUT_FRAMES) {
		vs_ctx_count_drop(ctx, port->id, pkt, VS_DROP_CUT_BUDGET);
		return;
	}
	if (vs_segment_begin(segs, pkt, 0) != 0) {
		segs->pkt = NULL;
		vs_ctx_count_drop(ctx, port->id, pkt, VS_DROP_GSO_FAILED);
		return;
	}
	count(ctx, port->id, &pkt->debt,
	      caps & VS_OFFLOAD_CSUM ? VS_SETTLED_CUT : VS_SETTLED_SOFTWARE);
	extra = segs->n - 1u;
	vs_stats_add(VS_TERM_ATTEMPTS, &ctx->port_stats[port->id]->attempts, extra);
	vs_stats_add(VS_TERM_EXTRA_SEGMENTS, &ctx->switch_stats[port->sw].extra_segments, extra);
}

/* Go on cutting. Return: false when there is no room for more. */
static bool cut(struct vs_ctx *ctx, uint16_t port, unsigned int caps, uint8_t index)
{
	const enum vs_segment_csum csum = caps & VS_OFFLOAD_CSUM ? VS_SEGMENT_CSUM_PARTIAL
								 : VS_SEGMENT_CSUM_FULL;
	struct vs_fixup *fix = &ctx->fixup;

	while (fix->n_frames < VS_BURST_MAX) {
		struct vs_pkt *made = &fix->made[fix->n_made];
		int got = vs_segment_next(&fix->segs, csum, made, &fix->hdr[fix->n_made],
					  &fix->ext[fix->n_ext], VS_FIXUP_EXTENTS - fix->n_ext);

		if (got == 0) {
			fix->segs.pkt = NULL;
			return true;
		}
		if (got < 0)
			return false;
		fix->n_made++;
		fix->n_ext = (uint16_t)(fix->n_ext + made->n_ext);
		add(fix, made, index);
		count_made(ctx, port, 1, csum == VS_SEGMENT_CSUM_FULL);
	}
	return false;
}

/*
 * Go on with the port's list at packet @index, in frames that the port can take. Return: false when
 * there is no room for more.
 */
static bool settle(struct vs_ctx *ctx, const struct vs_port_hot *port, unsigned int caps,
		   struct vs_pkt *pkt, uint8_t index)
{
	struct vs_fixup *fix = &ctx->fixup;
	unsigned int lacks = vs_pkt_lacks(pkt, caps);

	/* Caps may rise between two pieces; what is begun is ended. */
	if (lacks == 0 && !fix->segs.pkt) {
		if (vs_debt_owes(&pkt->debt))
			count(ctx, port->id, &pkt->debt, VS_SETTLED_PASSED);
		add(fix, pkt, index);
		return true;
	}
	if (pkt->debt.gso == VS_GSO_NONE) {
		struct vs_pkt *made = make(fix, pkt);

		vs_csum_complete(made, &pkt->debt);
		count(ctx, port->id, &pkt->debt, VS_SETTLED_SOFTWARE);
		count_made(ctx, port->id, 0, 1);
		add(fix, made, index);
		return true;
	}
	caps = vs_pkt_caps(pkt, caps);
	if (!fix->segs.pkt)
		begin_cut(ctx, port, caps, pkt);
	return !fix->segs.pkt || cut(ctx, port->id, caps, index);
}

/* As many frames for the port that is being served as one call of tx takes. */
static void make_piece(struct vs_ctx *ctx, struct vs_burst *burst)
{
	struct vs_fixup *fix = &ctx->fixup;
	const struct vs_port_hot *port = &ctx->conf->port[fix->port[fix->n - 1]];
	const unsigned int caps = vs_port_caps(port);
	struct vs_out *out = &ctx->out[port->id];

	fix->n_frames = 0;
	fix->n_made = 0;
	fix->n_ext = 0;
	fix->to = port->id;
	while (fix->entry < out->n && fix->n_frames < VS_BURST_MAX) {
		uint8_t index = out->pkt[fix->entry];

		if (!settle(ctx, port, caps, vs_burst_form(burst, index, port->vid), index))
			return;
		fix->entry++;
	}
	if (fix->entry < out->n)
		return;
	out->n = 0;
	fix->entry = 0;
	fix->n--;
}

/* Is anything in the port's list that the port cannot take? */
static bool must_settle(const struct vs_port_hot *port, const struct vs_out *out,
			struct vs_burst *burst)
{
	const unsigned int caps = vs_port_caps(port);
	unsigned int i;

	for (i = 0; i < out->n; i++) {
		if (vs_pkt_lacks(vs_burst_form(burst, out->pkt[i], port->vid), caps))
			return true;
	}
	return false;
}

/* The port takes all that is in its list as it is. */
static void count_passed(const struct vs_ctx *ctx, uint16_t id, const struct vs_burst *burst)
{
	const struct vs_out *out = &ctx->out[id];
	unsigned int i;

	for (i = 0; i < out->n; i++) {
		if (burst->owing >> out->pkt[i] & 1)
			count(ctx, id, &burst->pkt[out->pkt[i]].debt, VS_SETTLED_PASSED);
	}
}

/* Set those ports aside that cannot take all that is in their lists. */
static void set_aside(struct vs_ctx *ctx, struct vs_burst *burst)
{
	struct vs_fixup *fix = &ctx->fixup;
	uint16_t kept = 0;
	uint16_t i;

	fix->entry = 0;
	fix->segs.pkt = NULL;
	for (i = 0; i < ctx->n_touched; i++) {
		uint16_t id = ctx->touched[i];

		if (must_settle(&ctx->conf->port[id], &ctx->out[id], burst)) {
			fix->port[fix->n++] = id;
			continue;
		}
		count_passed(ctx, id, burst);
		ctx->touched[kept++] = id;
	}
	ctx->n_touched = kept;
}

void vs_offload_fixup(struct vs_ctx *ctx, struct vs_burst *burst)
{
	struct vs_fixup *fix = &ctx->fixup;

	if (likely(burst->owing == 0))
		return;
	if (fix->n == 0)
		set_aside(ctx, burst);
	if (fix->n) {
		make_piece(ctx, burst);
		ctx->n_made += fix->n_made;
	}
}
