/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offloads: the stages that read and settle what a packet still owes (checksum, segmentation).
 * The rules are in doc/offload.md.
 */
#ifndef VS_OFFLOAD_OFFLOAD_H
#define VS_OFFLOAD_OFFLOAD_H

#include "dataplane/core/ctx.h"

/** vs_offload_ingress() - stage 1, see ingress.c */
void vs_offload_ingress(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_offload_merge() - between lookup and release, see merge.c */
void vs_offload_merge(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_offload_fixup() - stage 8, see fixup.c; runs, and tx after it, while ctx->fixup.n is not 0 */
void vs_offload_fixup(struct vs_ctx *ctx, struct vs_burst *burst);

#endif
