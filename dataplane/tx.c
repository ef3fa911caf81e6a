/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 9, tx: what is in the output lists is delivered.
 *
 * Accepts: released output lists; the twin of each packet that leaves tagged; frames that fixup
 *	and encap made.
 * Guarantees: each entry is counted as sent or dropped by name, with the bytes and in the form
 *	that its port got or would have got, or is held (held.c); the lists are empty.
 * Drops (per copy): what the port did not take (rx_full, rx_small, rx_pieces, ring_broken,
 *	mem_lost, port_down, mtu_out, host_full, host_down, uplink_full, uplink_size,
 *	uplink_down), and what found no room to wait (tx_busy).
 */
#include "dataplane/held.h"
#include "dataplane/stages.h"

#include <rte_branch_prediction.h>

/* What another worker is in the way of waits. */
static void not_sent(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_pkt *const *pkt,
		     uint8_t fate)
{
	if (fate == VS_DROP_TX_BUSY)
		vs_held_add(ctx, port, pkt, 1);
	else
		vs_ctx_count_drop(ctx, port->id, *pkt, fate);
}

void vs_tx_settle(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_pkt *const *pkt,
		  unsigned int n, const uint8_t *fate)
{
	struct vs_port_stats *stats = ctx->port_stats[port->id];
	uint64_t bytes = 0;
	uint64_t sent = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (fate[i]) {
			not_sent(ctx, port, &pkt[i], fate[i]);
			continue;
		}
		bytes += pkt[i]->len;
		sent++;
	}
	vs_stats_add(VS_TERM_SENT, &stats->sent, sent);
	vs_stats_add(VS_TERM_SENT, &stats->sent_bytes, bytes);
}

/* Nothing overtakes what waits already. */
static void deliver(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_pkt *const *pkt,
		    unsigned int n)
{
	uint8_t fate[VS_BURST_MAX];

	if (unlikely(ctx->n_held) && vs_held_for(ctx, port->id)) {
		vs_held_add(ctx, port, pkt, n);
		return;
	}
	port->ops->tx(port->dev, vs_tx_hint(ctx, port), pkt, n, fate);
	vs_tx_settle(ctx, port, pkt, n, fate);
}

static void tx_port(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_burst *burst)
{
	const struct vs_out *out = &ctx->out[port->id];
	struct vs_pkt *pkt[VS_BURST_MAX];
	unsigned int i;

	for (i = 0; i < out->n; i++)
		pkt[i] = vs_burst_form(burst, out->pkt[i], port->vid);
	deliver(ctx, port, pkt, out->n);
}

void vs_tx(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	if (unlikely(ctx->n_held))
		vs_held_retry(ctx);
	for (i = 0; i < ctx->n_touched; i++) {
		uint16_t id = ctx->touched[i];

		if (ctx->out[id].n)
			tx_port(ctx, &ctx->conf->port[id], burst);
		ctx->out[id].n = 0;
	}
	ctx->n_touched = 0;
	if (unlikely(ctx->fixup.n_frames)) {
		deliver(ctx, &ctx->conf->port[ctx->fixup.to], ctx->fixup.frame,
			ctx->fixup.n_frames);
		ctx->fixup.n_frames = 0;
	}
	if (unlikely(ctx->encap.n_frames)) {
		deliver(ctx, &ctx->conf->port[ctx->encap.to], ctx->encap.frame,
			ctx->encap.n_frames);
		ctx->encap.n_frames = 0;
	}
}
