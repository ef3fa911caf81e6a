/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stages that live in this folder, one file each. The order is in pipeline.c.
 *
 * Every stage has the same signature, skips packets that are dropped already (pkt->drop), and
 * counts what it drops.
 */
#ifndef VS_STAGES_H
#define VS_STAGES_H

#include "dataplane/core/ctx.h"

/** vs_rx() - stage 0, see rx.c */
void vs_rx(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_burst *burst);

/** vs_admit() - stage 4, see admit.c */
void vs_admit(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_lookup() - stage 5, see lookup.c */
void vs_lookup(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_release() - stage 6, see release.c */
void vs_release(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_tx() - stage 9, see tx.c */
void vs_tx(struct vs_ctx *ctx, struct vs_burst *burst);

/**
 * vs_tap_received(), vs_tap_sorted(), vs_tap_released(), vs_tap_done() - captures look at the burst
 * behind rx, lookup, release and tx, see tap.c
 */
void vs_tap_received(struct vs_ctx *ctx, const struct vs_burst *burst);
void vs_tap_sorted(struct vs_ctx *ctx, const struct vs_burst *burst);
void vs_tap_released(struct vs_ctx *ctx, const struct vs_burst *burst);
void vs_tap_done(struct vs_ctx *ctx, const struct vs_burst *burst);

#endif
