/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Merge: TCP segments from a wire become few packets for a receiver that takes such.
 *
 * Accepts: output lists filled in by lookup.
 * Guarantees: each packet is for as many receivers as before, or joined another in the only list
 *	in which it stood, and is counted as merged.
 * Drops: nothing.
 *
 * It stands in front of release, which so counts and judges what is really sent. A burst from a
 * guest or the host costs one call and a comparison: they send large packets if they want to.
 *
 * While captures look on nothing is merged: they show the frames of the wire, one by one, and what
 * became of each.
 */
#include "offload/offload.h"

#include "offload/gro.h"

#include <rte_branch_prediction.h>

/* Which packets are for several ports? Bits. */
static uint64_t find_shared(const struct vs_ctx *ctx)
{
	uint64_t shared = 0;
	uint64_t seen = 0;
	unsigned int p;
	unsigned int i;

	for (p = 0; p < ctx->n_touched; p++) {
		const struct vs_out *out = &ctx->out[ctx->touched[p]];
		uint64_t here = 0;

		for (i = 0; i < out->n; i++)
			here |= UINT64_C(1) << out->pkt[i];
		shared |= seen & here;
		seen |= here;
	}
	return shared;
}

static void merge_port(struct vs_ctx *ctx, const struct vs_port_hot *port, unsigned int caps,
		       uint64_t shared, struct vs_burst *burst)
{
	struct vs_out *out = &ctx->out[port->id];
	struct vs_gro_row row = {
		.n = out->n,
		.ext = &burst->ext[burst->n_ext],
		.max_ext = (uint16_t)(VS_BURST_EXTENTS - burst->n_ext),
	};
	unsigned int joined;
	unsigned int i;

	for (i = 0; i < out->n; i++) {
		row.pkt[i] = &burst->pkt[out->pkt[i]];
		row.skip |= (shared >> out->pkt[i] & 1) << i;
	}
	joined = vs_gro_merge(caps, &row);
	if (joined == 0)
		return;
	for (i = 0; i < row.n; i++) {
		out->pkt[i] = out->pkt[row.from[i]];
		if (vs_debt_owes(&row.pkt[i]->debt))
			burst->owing |= UINT64_C(1) << out->pkt[i];
	}
	out->n = row.n;
	burst->n_ext = (uint16_t)(burst->n_ext + row.n_ext);
	vs_stats_add(VS_TERM_MERGED, &ctx->switch_stats[port->sw].merged, joined);
	vs_stats_add(VS_TERM_OFFLOAD, &ctx->port_stats[port->id]->offload.merged, joined);
}

void vs_offload_merge(struct vs_ctx *ctx, struct vs_burst *burst)
{
	const struct vs_port_hot *from = &ctx->conf->port[burst->pkt[0].in_port];
	uint64_t shared;
	unsigned int i;

	if (likely(!(vs_port_rights(from) & VS_OFFLOAD_MERGE)) || burst->n < 2 ||
	    ctx->conf->n_taps || (from->offload_off & VS_OFFLOAD_MERGE))
		return;
	shared = find_shared(ctx);
	for (i = 0; i < ctx->n_touched; i++) {
		const struct vs_port_hot *port = &ctx->conf->port[ctx->touched[i]];
		unsigned int caps;

		if (ctx->out[port->id].n < 2)
			continue;
		caps = vs_port_caps(port);
		if (caps & VS_OFFLOAD_MERGE)
			merge_port(ctx, port, caps, shared, burst);
	}
}
