/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 6, release: the egress policy of each port a frame goes to.
 *
 * Accepts: output lists filled in by lookup.
 * Guarantees: each entry is counted as an attempt at its port; entries that are left may be
 *	delivered there.
 * Drops (per copy): port_down, mtu_out.
 */
#include "dataplane/stages.h"

static enum vs_drop release(const struct vs_port_hot *port, const struct vs_pkt *pkt)
{
	if (!(port->flags & VS_PORT_UP))
		return VS_DROP_PORT_DOWN;
	if (pkt->len > port->max_frame)
		return VS_DROP_MTU_OUT;
	return VS_DROP_NONE;
}

static void release_port(struct vs_ctx *ctx, const struct vs_port_hot *port,
			 const struct vs_burst *burst)
{
	struct vs_out *out = &ctx->out[port->id];
	uint16_t kept = 0;
	uint16_t i;

	vs_stats_add(VS_TERM_ATTEMPTS, &ctx->port_stats[port->id]->attempts, out->n);
	for (i = 0; i < out->n; i++) {
		const struct vs_pkt *pkt = &burst->pkt[out->pkt[i]];
		enum vs_drop drop = release(port, pkt);

		if (drop)
			vs_ctx_count_drop(ctx, port->id, pkt, drop);
		else
			out->pkt[kept++] = out->pkt[i];
	}
	out->n = kept;
}

void vs_release(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < ctx->n_touched; i++)
		release_port(ctx, &ctx->conf->port[ctx->touched[i]], burst);
}
