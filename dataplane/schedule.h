/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One round of a worker: which queue pairs it visits, in which order.
 */
#ifndef VS_SCHEDULE_H
#define VS_SCHEDULE_H

#include "dataplane/core/ctx.h"

/**
 * struct vs_schedule - what a worker remembers from round to round; all zero to begin with
 * @visited_tsc: end of the last visit of this round that brought frames
 */
struct vs_schedule {
	uint64_t visited_tsc;
	struct vs_burst burst;
};

/**
 * vs_schedule_round() - visit what ctx->conf says that this worker visits
 * @ctx:	the worker's, with conf set
 *
 * Return: frames received.
 */
unsigned int vs_schedule_round(struct vs_schedule *s, struct vs_ctx *ctx);

#endif
