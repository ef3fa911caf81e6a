/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 5, route: the distributed router.
 *
 * Accepts: admitted packets.
 * Guarantees: of a tenant's packet that leaves by the tunnel to one host, that host stands in
 *	burst->via[]; NULL there: to all of its subnet.
 * Drops: nothing.
 */
#include "nvgre/nvgre.h"

void vs_nvgre_route(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	(void)ctx;
	for (i = 0; i < burst->n; i++)
		burst->via[i] = NULL;
}
