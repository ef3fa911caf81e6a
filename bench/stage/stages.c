/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is measured. A stage that comes to pipeline.c gets a line here; a test holds the two lists
 * against each other.
 */
#include "bench/stage/stage.h"

#include "dataplane/core/hdr.h"
#include "dataplane/pipeline.h"
#include "dataplane/stages.h"
#include "offload/offload.h"
#include "vmq/vmq.h"

#include <string.h>

/* X(id, name, kind, function, call): in the order in which they run. */
/* clang-format off */
#define VSS_STAGES(X)                                                                   \
	X(empty, "empty", VSS_EMPTY, "", (void)w)                                       \
	X(rx, "rx", VSS_ENDS, "vs_rx", vs_rx(w->ctx, w->from, w->burst))                \
	X(ingress, "ingress", VSS_PIPELINE, "vs_offload_ingress",                       \
	  vs_offload_ingress(w->ctx, w->burst))                                         \
	X(classify, "classify", VSS_PIPELINE, "vs_vmq_classify", sort(w))               \
	X(decap, "decap", VSS_PIPELINE, "vs_nvgre_decap", vss_tenants_decap(w->tenants)) \
	X(l2_tags, "l2-tags", VSS_PART, "vs_l2_tag", read_tags(w))                     \
	X(admit, "admit", VSS_PIPELINE, "vs_admit", vs_admit(w->ctx, w->burst))         \
	X(learn, "learn", VSS_PIPELINE, "vs_learn_tenants", vss_tenants_learn(w->tenants)) \
	X(route, "route", VSS_PIPELINE, "vs_nvgre_route", vss_tenants_route(w->tenants)) \
	X(fdb_find, "fdb-find", VSS_PART, "vs_fdb_find", find_destinations(w))          \
	X(lookup, "lookup", VSS_PIPELINE, "vs_lookup", vs_lookup(w->ctx, w->burst))     \
	X(merge, "merge", VSS_PIPELINE, "vs_offload_merge",                             \
	  vs_offload_merge(w->ctx, w->burst))                                           \
	X(release, "release", VSS_PIPELINE, "vs_release", vs_release(w->ctx, w->burst)) \
	X(fixup, "fixup", VSS_PIPELINE, "vs_offload_fixup",                             \
	  vs_offload_fixup(w->ctx, w->burst))                                           \
	X(encap, "encap", VSS_PIPELINE, "vs_nvgre_encap", vss_tenants_encap(w->tenants)) \
	X(tx, "tx", VSS_PIPELINE, "vs_tx", vs_tx(w->ctx, w->burst))                     \
	X(rx_done, "rx-done", VSS_ENDS, "rx_done", give_back(w))                        \
	X(fdb_learn, "fdb-learn", VSS_PART, "vs_fdb_learn", learn_all(w))               \
	X(fdb_relearn, "fdb-relearn", VSS_PART, "vs_fdb_learn", learn_all(w))           \
	X(sweep, "sweep", VSS_PART, "vs_schedule_round",                                \
	  look_around(w, VSS_WORKER_IDLE))                                              \
	X(visit, "visit", VSS_WHOLE, "vs_pipeline_visit",                               \
	  (void)vs_pipeline_visit(w->ctx, w->from, 0, w->burst))                        \
	X(visit_queues, "visit-queues", VSS_WHOLE, "vs_pipeline_visit", visit_queues(w)) \
	X(round, "round", VSS_ROUND, "vs_schedule_round",                               \
	  look_around(w, VSS_WORKER_ALONE))                                             \
	X(round_idle, "round-idle", VSS_ROUND, "vs_schedule_round",                     \
	  look_around(w, VSS_WORKER_BUSY))
/* clang-format on */

static inline void read_tags(struct vss_world *w)
{
	unsigned int i;

	for (i = 0; i < w->burst->n; i++)
		w->sink += vs_l2_tag(&w->burst->pkt[i]).kind;
}

static inline void find_destinations(struct vss_world *w)
{
	unsigned int i;

	for (i = 0; i < w->burst->n; i++) {
		const struct vs_pkt *pkt = &w->burst->pkt[i];

		w->sink += (uintptr_t)vs_fdb_find(w->fdb, pkt->fid, &vs_l2_eth(pkt)->dst_addr);
	}
}

/* Of all ports, only an uplink with queues goes that way: the sender is one for so long. */
static inline void sort(struct vss_world *w)
{
	struct vs_port_hot *from = &w->conf->port[w->from->id];

	from->vmq = 1;
	from->path = VS_PATH_QUEUES;
	vs_vmq_classify(w->ctx, w->burst);
	from->vmq = 0;
	from->path = VS_PATH_PLAIN;
}

static inline void visit_queues(struct vss_world *w)
{
	struct vs_port_hot *from = &w->conf->port[w->from->id];

	from->vmq = 1;
	from->path = VS_PATH_QUEUES;
	(void)vs_pipeline_visit(w->ctx, w->from, 0, w->burst);
	from->vmq = 0;
	from->path = VS_PATH_PLAIN;
}

static inline void give_back(struct vss_world *w)
{
	w->from->ops->rx_done(w->from->dev, 0);
}

/* The first time in a burst the addresses are new, the second time they are known. */
static inline void learn_all(struct vss_world *w)
{
	unsigned int i;

	for (i = 0; i < VSS_FRAMES; i++) {
		struct rte_ether_addr mac = vss_mac_new(i);
		uint16_t old;

		w->sink += vs_fdb_learn(w->scratch, VSS_FID, &mac, 1, VS_FDB_LEARNT, w->ctx->now_s,
					&old);
	}
}

/* A round of one worker. The clock stands still for the other stages. */
static inline void look_around(struct vss_world *w, enum vss_worker worker)
{
	const uint64_t now_tsc = w->ctx->now_tsc;
	const uint32_t now_s = w->ctx->now_s;

	w->ctx->worker = (uint16_t)worker;
	w->sink += vs_schedule_round(w->schedule[worker], w->ctx);
	w->ctx->worker = 0;
	w->ctx->now_tsc = now_tsc;
	w->ctx->now_s = now_s;
}

/*
 * The markers have external linkage so that callgrind finds their names. The empty statement keeps
 * the compiler from turning the call into a jump, which would leave the marker too early.
 */
/* clang-format off */
#define MARKER(id, name, kind, function, call)                                   \
	void vss_mark_##id(struct vss_world *w);                                 \
	__attribute__((noinline)) void vss_mark_##id(struct vss_world *w)        \
	{                                                                        \
		call;                                                            \
		__asm__ volatile("" ::: "memory");                               \
	}                                                                        \
	static void plain_##id(struct vss_world *w)                              \
	{                                                                        \
		call;                                                            \
	}
VSS_STAGES(MARKER)

#define ROW(id, name, kind, function, call) \
	{name, function, "vss_mark_" #id, kind, plain_##id, vss_mark_##id},
const struct vss_stage vss_stages[] = {
	VSS_STAGES(ROW)
};
/* clang-format on */
const size_t vss_n_stages = RTE_DIM(vss_stages);

const struct vss_stage *vss_stage_find(const char *name)
{
	size_t i;

	for (i = 0; i < vss_n_stages; i++)
		if (strcmp(vss_stages[i].name, name) == 0)
			return &vss_stages[i];
	return NULL;
}

bool vss_stage_in(const struct vss_stage *stage, const struct vss_case *kind)
{
	return (stage->kind != VSS_PART && stage->kind != VSS_ROUND) || kind->parts;
}

const char *vss_kind_name(enum vss_kind kind)
{
	static const char *const names[] = {
		[VSS_EMPTY] = "empty", [VSS_ENDS] = "ends",   [VSS_PIPELINE] = "pipeline",
		[VSS_PART] = "part",   [VSS_WHOLE] = "whole", [VSS_ROUND] = "round",
	};

	return names[kind];
}
