/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 9, tx: what is in the output lists is delivered.
 *
 * Accepts: released output lists; the twin of each packet that leaves tagged.
 * Guarantees: each entry is counted as sent or dropped by name, with the bytes and in the form
 *	that its port got or would have got; the lists are empty.
 * Drops (per copy): what the port did not take (rx_full, rx_small, rx_pieces, ring_broken,
 *	mem_lost, port_down, mtu_out, host_full, host_down, uplink_full, uplink_size,
 *	uplink_down).
 */
#include "dataplane/stages.h"

#include <rte_branch_prediction.h>

/* Packet @index as it leaves at @port: with its tag, or bare. */
static struct vs_pkt *form(const struct vs_port_hot *port, struct vs_burst *burst,
			   unsigned int index)
{
	struct vs_pkt *pkt = &burst->pkt[index];

	return likely(pkt->bare_vid == port->vid) ? pkt : &burst->tagged[index];
}

static void tx_port(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_burst *burst)
{
	struct vs_port_stats *stats = ctx->port_stats[port->id];
	struct vs_out *out = &ctx->out[port->id];
	struct vs_pkt *pkt[VS_BURST_MAX];
	uint8_t fate[VS_BURST_MAX];
	uint64_t bytes = 0;
	uint64_t sent = 0;
	unsigned int i;

	for (i = 0; i < out->n; i++)
		pkt[i] = form(port, burst, out->pkt[i]);
	port->ops->tx(port->dev, ctx->pair, pkt, out->n, fate);
	for (i = 0; i < out->n; i++) {
		if (fate[i]) {
			vs_ctx_count_drop(ctx, port->id, pkt[i], fate[i]);
			continue;
		}
		bytes += pkt[i]->len;
		sent++;
	}
	vs_stats_add(VS_TERM_SENT, &stats->sent, sent);
	vs_stats_add(VS_TERM_SENT, &stats->sent_bytes, bytes);
}

void vs_tx(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < ctx->n_touched; i++) {
		uint16_t id = ctx->touched[i];

		if (ctx->out[id].n)
			tx_port(ctx, &ctx->conf->port[id], burst);
		ctx->out[id].n = 0;
	}
	ctx->n_touched = 0;
}
