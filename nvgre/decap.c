/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 3, decap: what came through a tunnel is unpacked; what is for a provider address is
 * answered.
 *
 * Accepts: packets with an Ethernet header in their private bytes, all of one port: a tenant's
 *	guest, a tunnel port, or an uplink with provider addresses.
 * Guarantees: frames from a tunnel port, which control made, are placed at its uplink, as they are.
 * Drops: nothing.
 */
#include "nvgre/nvgre.h"

/* Frames of control's, complete, with a tag if they need one. */
static void send_on(struct vs_ctx *ctx, struct vs_burst *burst, const struct vs_port_hot *tunnel)
{
	const struct vs_nvgre *nv = ctx->conf->nvgre;
	const struct vs_port_hot *uplink =
		&ctx->conf->port[nv->pa[nv->first_pa[tunnel->sw]].uplink];
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];

		if (pkt->drop)
			continue;
		pkt->vid = uplink->vid;
		pkt->bare_vid = uplink->vid;
		pkt->fid = uplink->fid;
		vs_pkt_place(ctx, burst, i, uplink->id);
	}
}

void vs_nvgre_decap(struct vs_ctx *ctx, struct vs_burst *burst)
{
	const struct vs_port_hot *port = &ctx->conf->port[burst->pkt[0].in_port];

	if (port->flags & VS_PORT_TUNNEL)
		send_on(ctx, burst, port);
}
