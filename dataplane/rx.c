/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 0, rx: a burst from one queue pair of one port.
 *
 * Accepts: a burst with no packets in it.
 * Guarantees: every packet is counted as received; in_port is set by the port's own code.
 * Drops: what the port could not take (vnet_short, chain_bytes, chain_descs, frame_cut,
 *	offload_denied).
 */
#include "dataplane/stages.h"

#include <rte_common.h>

void vs_rx(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_burst *burst)
{
	struct vs_port_stats *stats = ctx->port_stats[port->id];
	uint64_t bytes = 0;
	unsigned int i;

	port->ops->rx(port->dev, ctx->pair, port->fanout, burst);
	if (burst->n == 0)
		return;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];

		bytes += pkt->len;
		if (pkt->drop)
			vs_ctx_count_drop(ctx, port->id, pkt, pkt->drop);
	}
	vs_stats_add(VS_TERM_RECEIVED, &stats->received, burst->n);
	vs_stats_add(VS_TERM_RECEIVED, &stats->received_bytes, bytes);
}
