/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What captures see of a visit. No stage: it changes nothing and drops nothing.
 *
 * DOC: theory of operation
 *
 * A visit that no capture looks at pays for one comparison (pipeline.c). Otherwise the burst is
 * looked at four times:
 *
 *	rx        vs_tap_received(): frames from a captured port are copied as they came
 *	lookup    vs_tap_sorted(): which ports is each packet for?
 *	release   vs_tap_released(): frames to a captured port are copied as they leave
 *	tx        vs_tap_done(): what became of them is written into their records, and those go out
 *
 * and drops on the way out tell their packet (vs_tap_drop(), by vs_ctx_count_drop()).
 *
 * Payload may still be the sender's and change between this copy and that for the receiver. A
 * filter is asked about the copy: the whole frame, in private memory, before it is cut to what the
 * capture wants.
 */
#include "dataplane/stages.h"

#include "dataplane/core/filter.h"
#include "dataplane/core/hdr.h"
#include "dataplane/fdb.h"

#include <string.h>

/* ---- copies ---- */

/* The first bytes of a frame, at most @max. Return: how many. */
static uint32_t copy(uint8_t *to, const struct vs_pkt *pkt, uint32_t max)
{
	uint32_t have = RTE_MIN((uint32_t)pkt->hdr_len, max);
	unsigned int i;

	memcpy(to, pkt->hdr, have);
	for (i = 0; i < pkt->n_ext && have < max; i++) {
		uint32_t n = RTE_MIN(pkt->ext[i].len, max - have);

		memcpy(to + have, pkt->ext[i].data, n);
		have += n;
	}
	return have;
}

/* Bytes of a frame that are there, of one that was dropped while it was received, too. */
static uint32_t bytes_of(const struct vs_pkt *pkt)
{
	uint32_t have = pkt->hdr_len;
	unsigned int i;

	for (i = 0; i < pkt->n_ext; i++)
		have += pkt->ext[i].len;
	return have;
}

/* Does the filter of the tap want it? Then @*ret_linear is all of it, if that had to be copied. */
static bool is_wanted(const struct vs_tap *tap, struct vs_tap_ring *ring, const struct vs_pkt *pkt,
		      const uint8_t **ret_linear)
{
	const uint8_t *bytes = pkt->hdr;
	uint32_t have = pkt->hdr_len;

	*ret_linear = NULL;
	if (!tap->filter)
		return true;
	if (pkt->n_ext) {
		have = copy(ring->linear, pkt, sizeof(ring->linear));
		bytes = *ret_linear = ring->linear;
	}
	return vs_filter_run(tap->filter, bytes, have, pkt->len) != 0;
}

/* A record of the frame; what became of it comes later. Return: it, or NULL: no room, unwanted. */
static struct vs_tap_record *record(const struct vs_ctx *ctx, const struct vs_tap *tap,
				    const struct vs_pkt *pkt, enum vs_tap_side side)
{
	uint32_t have = RTE_MIN(RTE_MIN(bytes_of(pkt), tap->snap), (uint32_t)VS_TAP_FRAME_MAX);
	struct vs_tap_ring *ring = tap->ring[ctx->worker];
	struct vs_tap_record *r;
	const uint8_t *linear;

	if (!is_wanted(tap, ring, pkt, &linear))
		return NULL;
	r = vs_tap_ring_put(ring, have);
	if (!r)
		return NULL;
	r->side = side;
	r->when_tsc = ctx->now_tsc;
	r->len = pkt->len;
	r->have = have;
	if (linear)
		memcpy(r->bytes, linear, have);
	else
		(void)copy(r->bytes, pkt, have);
	return r;
}

/* ---- the four looks ---- */

void vs_tap_received(struct vs_ctx *ctx, const struct vs_burst *burst)
{
	struct vs_tap_visit *v = &ctx->tap;
	unsigned int t;
	unsigned int i;

	ctx->tapped = burst;
	memset(v->note, 0, sizeof(v->note));
	for (t = 0; t < ctx->conf->n_taps; t++) {
		const struct vs_tap *tap = ctx->conf->tap[t];

		v->meant[t] = 0;
		memset(v->fate[t], 0, sizeof(v->fate[t]));
		for (i = 0; i < burst->n; i++) {
			const struct vs_pkt *pkt = &burst->pkt[i];
			bool from = (tap->sides & VS_TAP_FROM) && pkt->in_port == tap->port;

			v->from[t][i] = from ? record(ctx, tap, pkt, VS_TAP_FROM) : NULL;
			v->to[t][i] = NULL;
		}
	}
}

/* A packet goes to @port. */
static void note_copy(struct vs_ctx *ctx, uint16_t port, uint8_t index)
{
	struct vs_tap_note *note = &ctx->tap.note[index];
	unsigned int t;

	note->port = port;
	note->copies++;
	for (t = 0; t < ctx->conf->n_taps; t++) {
		const struct vs_tap *tap = ctx->conf->tap[t];

		if (tap->port == port && (tap->sides & VS_TAP_TO))
			ctx->tap.meant[t] |= UINT64_C(1) << index;
	}
}

void vs_tap_sorted(struct vs_ctx *ctx, const struct vs_burst *burst)
{
	unsigned int p;
	unsigned int i;

	for (p = 0; p < ctx->n_touched; p++) {
		const struct vs_out *out = &ctx->out[ctx->touched[p]];

		for (i = 0; i < out->n; i++)
			note_copy(ctx, ctx->touched[p], out->pkt[i]);
	}
}

void vs_tap_released(struct vs_ctx *ctx, const struct vs_burst *burst)
{
	unsigned int t;
	unsigned int i;

	for (t = 0; t < ctx->conf->n_taps; t++) {
		const struct vs_tap *tap = ctx->conf->tap[t];
		const struct vs_port_hot *port = &ctx->conf->port[tap->port];

		for (i = 0; i < burst->n; i++) {
			const struct vs_pkt *pkt = &burst->pkt[i];
			uint64_t bit = UINT64_C(1) << i;

			if (!(ctx->tap.meant[t] & bit))
				continue;
			if (pkt->bare_vid != port->vid && (burst->has_tagged & bit))
				pkt = &burst->tagged[i];
			ctx->tap.to[t][i] = record(ctx, tap, pkt, VS_TAP_TO);
		}
	}
}

/* Is the frame one that a flood might have sent to several ports, though there was one only? */
static bool is_flood(const struct vs_ctx *ctx, const struct vs_pkt *pkt, uint16_t to)
{
	const struct rte_ether_addr *dst = &vs_l2_eth(pkt)->dst_addr;
	const struct vs_fdb_entry *e;

	if (rte_is_multicast_ether_addr(dst))
		return true;
	e = vs_fdb_find(ctx->conf->port[pkt->in_port].fdb, pkt->fid, dst);
	return !e || vs_fdb_entry_port(e) != to;
}

/* What became of a frame from the captured port. */
static void judge_from(const struct vs_ctx *ctx, struct vs_tap_record *r, const struct vs_pkt *pkt,
		       const struct vs_tap_note *note)
{
	r->port = note->port;
	r->copies = note->copies;
	r->copies_dropped = note->copies_dropped;
	r->reason = note->reason;
	if (pkt->drop) {
		r->verdict = VS_TAP_DROPPED;
		r->reason = pkt->drop;
		r->copies = 0;
	} else if (note->copies != 1 || is_flood(ctx, pkt, note->port)) {
		r->verdict = VS_TAP_FLOODED;
	} else {
		r->verdict = note->copies_dropped ? VS_TAP_DROPPED : VS_TAP_FORWARDED;
	}
}

/* And of one that was meant for it. */
static void judge_to(struct vs_tap_record *r, const struct vs_pkt *pkt, uint8_t fate)
{
	r->port = pkt->in_port;
	r->copies = 0;
	r->copies_dropped = 0;
	r->reason = fate;
	r->verdict = fate ? VS_TAP_DROPPED : VS_TAP_DELIVERED;
}

static void drop_only(const struct vs_tap *tap, struct vs_tap_record *r)
{
	if (tap->drops_only && !r->reason)
		r->verdict = VS_TAP_GAP;
}

void vs_tap_done(struct vs_ctx *ctx, const struct vs_burst *burst)
{
	struct vs_tap_visit *v = &ctx->tap;
	unsigned int t;
	unsigned int i;

	for (t = 0; t < ctx->conf->n_taps; t++) {
		const struct vs_tap *tap = ctx->conf->tap[t];

		for (i = 0; i < burst->n; i++) {
			if (v->from[t][i]) {
				judge_from(ctx, v->from[t][i], &burst->pkt[i], &v->note[i]);
				drop_only(tap, v->from[t][i]);
			}
			if (v->to[t][i]) {
				judge_to(v->to[t][i], &burst->pkt[i], v->fate[t][i]);
				drop_only(tap, v->to[t][i]);
			}
		}
		vs_tap_ring_commit(tap->ring[ctx->worker]);
	}
	ctx->tapped = NULL;
}
