/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VS_PIPELINE_H
#define VS_PIPELINE_H

#include "dataplane/core/ctx.h"

/**
 * vs_pipeline_visit() - take one burst from a queue pair of a port and carry it to its end
 * @ctx:	the worker's; conf, now_tsc and now_s are set
 * @port:	port to visit, of ctx->conf
 * @pair:	queue pair
 * @burst:	scratch memory
 *
 * Return: frames received.
 */
unsigned int vs_pipeline_visit(struct vs_ctx *ctx, const struct vs_port_hot *port, uint16_t pair,
			       struct vs_burst *burst);

#endif
