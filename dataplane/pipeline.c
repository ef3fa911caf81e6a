/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The path of a packet, from top to bottom. Everybody reads this page first.
 *
 * A burst is taken from one queue pair of one port (rx), goes through the stages in this order,
 * and is complete when the last one returns; then the sender gets its descriptors back. The
 * numbers are those of doc/datapath.md, which leaves room for the stages that come with NVGRE.
 * Lookup and merge share one: merging is a part of finding out where packets go.
 */
#include "dataplane/pipeline.h"

#include "dataplane/stages.h"
#include "offload/offload.h"
#include "vmq/vmq.h"

#include <rte_branch_prediction.h>

typedef void run_fn(struct vs_ctx *ctx, struct vs_burst *burst);

/*
 * @run: of a port without queues, which has nothing to sort and pays nothing for it
 * @run_queues: of an uplink with queues (doc/vmq.md)
 * @look: what captures do behind the stage, if there are any
 */
struct vs_stage {
	const char *name;
	run_fn *run;
	run_fn *run_queues;
	void (*look)(struct vs_ctx *ctx, const struct vs_burst *burst);
};

static const struct vs_stage pipeline[] = {
	/* 1: headers are there; what is owed? */
	{"ingress", vs_offload_ingress, vs_offload_ingress, NULL},
	/* 2: into whose queue does it fall? */
	{"classify", NULL, vs_vmq_classify, NULL},
	/* 4: may its port send this frame? */
	{"admit", vs_admit, vs_admit, NULL},
	/* 5: learn the source, find the destination */
	{"lookup", vs_lookup, vs_lookup_queues, vs_tap_sorted},
	/* 5: segments from a wire become few packets */
	{"merge", vs_offload_merge, vs_offload_merge, NULL},
	/* 6: may its destination get this frame? */
	{"release", vs_release, vs_release, vs_tap_released},
	/* 8: settle what its destination cannot take */
	{"fixup", vs_offload_fixup, vs_offload_fixup, NULL},
	/* 9: copy it there */
	{"tx", vs_tx, vs_tx, vs_tap_done},
};

/* Where the stages begin that have both functions, but for the first one. */
enum {
	BEHIND_CLASSIFY = 2,
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
static __rte_noinline void run_captured(struct vs_ctx *ctx, struct vs_burst *burst,
					const struct vs_port_hot *port)
{
	unsigned int i;

	vs_tap_received(ctx, burst);
	for (i = 0; i < RTE_DIM(pipeline); i++) {
		run_fn *step = port->vmq ? pipeline[i].run_queues : pipeline[i].run;

		if (step)
			step(ctx, burst);
		if (i == RTE_DIM(pipeline) - 1)
			run_rest(ctx, burst);
		if (pipeline[i].look)
			pipeline[i].look(ctx, burst);
	}
}

static __rte_noinline void run_queues(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(pipeline); i++)
		pipeline[i].run_queues(ctx, burst);
	run_rest(ctx, burst);
}

static void run(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	pipeline[0].run(ctx, burst);
	for (i = BEHIND_CLASSIFY; i < RTE_DIM(pipeline); i++)
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
		run_captured(ctx, burst, port);
	else if (unlikely(port->vmq))
		run_queues(ctx, burst);
	else
		run(ctx, burst);
	port->ops->rx_done(port->dev, pair);
	return burst->n;
}
