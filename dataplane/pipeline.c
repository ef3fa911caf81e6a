/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The path of a packet, from top to bottom. Everybody reads this page first.
 *
 * A burst is taken from one queue pair of one port (rx), goes through the stages in this order,
 * and is complete when the last one returns; then the sender gets its descriptors back. The
 * numbers are those of doc/datapath.md, where the stages that come with VMQ, NVGRE and offloads
 * have theirs.
 */
#include "dataplane/pipeline.h"

#include "dataplane/stages.h"
#include "offload/offload.h"

struct vs_stage {
	const char *name;
	void (*run)(struct vs_ctx *ctx, struct vs_burst *burst);
};

static const struct vs_stage pipeline[] = {
	{"ingress", vs_offload_ingress}, /* 1: headers are there, nothing is owed */
	{"admit", vs_admit},             /* 4: may its port send this frame? */
	{"lookup", vs_lookup},           /* 5: learn the source, find the destination */
	{"release", vs_release},         /* 6: may its destination get this frame? */
	{"tx", vs_tx},                   /* 9: copy it there */
};

unsigned int vs_pipeline_visit(struct vs_ctx *ctx, const struct vs_port_hot *port, uint16_t pair,
			       struct vs_burst *burst)
{
	unsigned int i;

	burst->n = 0;
	burst->n_ext = 0;
	burst->has_tagged = 0;
	ctx->pair = pair;
	ctx->flooded_bytes = 0;

	vs_rx(ctx, port, burst);
	if (burst->n == 0)
		return 0;
	for (i = 0; i < RTE_DIM(pipeline); i++)
		pipeline[i].run(ctx, burst);
	port->ops->rx_done(port->dev, pair);
	return burst->n;
}
