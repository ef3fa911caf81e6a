/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The path of a packet, from top to bottom. Everybody reads this page first.
 *
 * A burst is taken from one queue pair of one port (rx), goes through the stages in this order,
 * and is complete when the last one returns; then the sender gets its descriptors back. The
 * numbers are those of doc/datapath.md, which leaves room for the stages that come with VMQ and
 * NVGRE. Lookup and merge share one: merging is a part of finding out where packets go.
 */
#include "dataplane/pipeline.h"

#include "dataplane/stages.h"
#include "offload/offload.h"

#include <rte_branch_prediction.h>

/* @look: what captures do behind the stage, if there are any */
struct vs_stage {
	const char *name;
	void (*run)(struct vs_ctx *ctx, struct vs_burst *burst);
	void (*look)(struct vs_ctx *ctx, const struct vs_burst *burst);
};

static const struct vs_stage pipeline[] = {
	{"ingress", vs_offload_ingress, NULL},    /* 1: headers are there; what is owed? */
	{"admit", vs_admit, NULL},                /* 4: may its port send this frame? */
	{"lookup", vs_lookup, vs_tap_sorted},     /* 5: learn the source, find the destination */
	{"merge", vs_offload_merge, NULL},        /* 5: segments from a wire become few packets */
	{"release", vs_release, vs_tap_released}, /* 6: may its destination get this frame? */
	{"fixup", vs_offload_fixup, NULL},        /* 8: settle what its destination cannot take */
	{"tx", vs_tx, vs_tap_done},               /* 9: copy it there */
};

/* One packet may leave as many, which are made and sent in pieces. */
static void run_rest(struct vs_ctx *ctx, struct vs_burst *burst)
{
	while (unlikely(ctx->fixup.n)) {
		vs_offload_fixup(ctx, burst);
		vs_tx(ctx, burst);
	}
}

/* The stages with captures looking on; the code of a visit without them stays as short as it is. */
static __rte_noinline void run_captured(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	vs_tap_received(ctx, burst);
	for (i = 0; i < RTE_DIM(pipeline); i++) {
		pipeline[i].run(ctx, burst);
		if (i == RTE_DIM(pipeline) - 1)
			run_rest(ctx, burst);
		if (pipeline[i].look)
			pipeline[i].look(ctx, burst);
	}
}

static void run(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(pipeline); i++)
		pipeline[i].run(ctx, burst);
	run_rest(ctx, burst);
}

unsigned int vs_pipeline_visit(struct vs_ctx *ctx, const struct vs_port_hot *port, uint16_t pair,
			       struct vs_burst *burst)
{
	burst->n = 0;
	burst->n_ext = 0;
	burst->has_tagged = 0;
	burst->owing = 0;
	ctx->pair = pair;
	ctx->flooded_bytes = 0;
	ctx->n_made = 0;

	vs_rx(ctx, port, burst);
	if (burst->n == 0)
		return 0;
	if (unlikely(ctx->conf->n_taps))
		run_captured(ctx, burst);
	else
		run(ctx, burst);
	port->ops->rx_done(port->dev, pair);
	return burst->n;
}
