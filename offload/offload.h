/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offloads: the stages that read and settle what a packet still owes (checksum, segmentation).
 *
 * No offload is offered to a guest yet, so ingress only has to refuse frames that claim one:
 * passing such a frame on would hand its receiver a wrong checksum or an oversized segment.
 */
#ifndef VS_OFFLOAD_OFFLOAD_H
#define VS_OFFLOAD_OFFLOAD_H

#include "dataplane/core/ctx.h"

/** vs_offload_ingress() - stage 1, see ingress.c */
void vs_offload_ingress(struct vs_ctx *ctx, struct vs_burst *burst);

#endif
