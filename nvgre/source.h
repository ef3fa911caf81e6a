/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources of tenants' frames against their lookup records, see source.c. */
#ifndef VS_NVGRE_SOURCE_H
#define VS_NVGRE_SOURCE_H

#include "dataplane/core/ctx.h"
#include "dataplane/core/nvgre.h"

/**
 * struct vs_source - the source of a frame
 * @subnet:	NULL: its record does not agree with it, and it is looked up the next time as well
 * @from:	provider address of the host that sent it
 * @via:	that host, NULL: nobody's; whatever @subnet is
 */
struct vs_source {
	const struct vs_subnet *subnet;
	const struct vs_peer *via;
	struct rte_ether_addr mac;
	struct vs_ip from;
};

/**
 * vs_source_check() - may host @from send @pkt, a frame of @subnet?
 * @last:	the source of the frame before, all zero if there was none; becomes that of @pkt
 *
 * Frames with the source of the one before, the usual ones, are not looked up. Return:
 * VS_DROP_NONE or VS_DROP_PA_MISMATCH.
 */
enum vs_drop vs_source_check(struct vs_ctx *ctx, struct vs_source *last,
			     const struct vs_subnet *subnet, const struct vs_pkt *pkt,
			     const struct vs_ip *from);

#endif
