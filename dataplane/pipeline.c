/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The path of a packet, from top to bottom. Everybody reads this page first.
 *
 * A burst is taken from one queue pair of one port (rx), goes through the stages in this order,
 * and is complete when the last one returns; then the sender gets its descriptors back. The
 * numbers are those of doc/datapath.md. Lookup, route and merge share one: routing and merging are
 * parts of finding out where packets go.
 */
#include "dataplane/pipeline.h"

#include "dataplane/stages.h"
#include "nvgre/nvgre.h"
#include "offload/offload.h"
#include "vmq/vmq.h"

#include <rte_branch_prediction.h>

typedef void run_fn(struct vs_ctx *ctx, struct vs_burst *burst);

/*
 * @run: by path: of a port that has nothing to sort and pays nothing for it; of an uplink with
 *	queues (doc/vmq.md); where there are tenants (doc/nvgre.md). NULL: nothing
 * @look: what captures do behind the stage, if there are any
 */
struct vs_stage {
	const char *name;
	run_fn *run[VS_PATHS];
	void (*look)(struct vs_ctx *ctx, const struct vs_burst *burst);
};

/* An uplink may have provider addresses and no queues. */
static void classify_if_sorted(struct vs_ctx *ctx, struct vs_burst *burst)
{
	burst->sorted = 0;
	if (ctx->conf->port[burst->pkt[0].in_port].vmq)
		vs_vmq_classify(ctx, burst);
}

static const struct vs_stage pipeline[] = {
	/* 1: headers are there; what is owed? */
	{"ingress", {vs_offload_ingress, vs_offload_ingress, vs_offload_ingress}, NULL},
	/* 2: into whose queue does it fall? */
	{"classify", {NULL, vs_vmq_classify, classify_if_sorted}, NULL},
	/* 3: what came through a tunnel is unpacked; what is for a provider address is answered */
	{"decap", {NULL, NULL, vs_nvgre_decap}, NULL},
	/* 4: may its port send this frame? */
	{"admit", {vs_admit, vs_admit, vs_admit_tenants}, NULL},
	/* 5: learn the source, before it is another one */
	{"learn", {NULL, NULL, vs_learn_tenants}, NULL},
	/* 5: to which subnet, and which host? */
	{"route", {NULL, NULL, vs_nvgre_route}, NULL},
	/* 5: learn the source, find the destination */
	{"lookup", {vs_lookup, vs_lookup_queues, vs_lookup_tenants}, vs_tap_sorted},
	/* 5: segments from a wire become few packets */
	{"merge", {vs_offload_merge, vs_offload_merge, vs_offload_merge}, NULL},
	/* 6: may its destination get this frame? */
	{"release", {vs_release, vs_release, vs_release}, vs_tap_released},
	/* 8: settle what its destination cannot take */
	{"fixup", {vs_offload_fixup, vs_offload_fixup, vs_offload_fixup}, NULL},
	/* 7: what goes through a tunnel is packed, each segment by itself, so behind fixup */
	{"encap", {NULL, NULL, vs_nvgre_encap}, NULL},
	/* 9: copy it there */
	{"tx", {vs_tx, vs_tx, vs_tx}, vs_tap_done},
};

/* One packet may leave as many, which are made and sent in pieces. */
static void run_rest(struct vs_ctx *ctx, struct vs_burst *burst)
{
	while (unlikely(ctx->fixup.n || ctx->encap.more)) {
		/* What fixup made is encap's until all of it is packed. */
		if (!ctx->encap.more)
			vs_offload_fixup(ctx, burst);
		if (ctx->conf->port[burst->pkt[0].in_port].path == VS_PATH_TENANT)
			vs_nvgre_encap(ctx, burst);
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
		run_fn *step = pipeline[i].run[port->path];

		if (step)
			step(ctx, burst);
		if (i == RTE_DIM(pipeline) - 1)
			run_rest(ctx, burst);
		if (pipeline[i].look)
			pipeline[i].look(ctx, burst);
	}
}

static __rte_always_inline void run_path(struct vs_ctx *ctx, struct vs_burst *burst,
					 enum vs_path path)
{
	unsigned int i;

#pragma GCC unroll 16
	for (i = 0; i < RTE_DIM(pipeline); i++) {
		if (pipeline[i].run[path])
			pipeline[i].run[path](ctx, burst);
	}
	run_rest(ctx, burst);
}

static __rte_noinline void run_special(struct vs_ctx *ctx, struct vs_burst *burst,
				       enum vs_path path)
{
	run_path(ctx, burst, path);
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
	if (unlikely(port->path == VS_PATH_TENANT)) {
		burst->inner = 0;
		burst->placed = 0;
	}

	vs_rx(ctx, port, burst);
	if (burst->n == 0)
		return 0;
	if (unlikely(ctx->conf->n_taps))
		run_captured(ctx, burst, port);
	else if (unlikely(port->path != VS_PATH_PLAIN))
		run_special(ctx, burst, (enum vs_path)port->path);
	else
		run_path(ctx, burst, VS_PATH_PLAIN);
	port->ops->rx_done(port->dev, pair);
	return burst->n;
}
