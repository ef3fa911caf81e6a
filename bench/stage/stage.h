/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vsstage: what each stage of the pipeline costs on a canned burst.
 *
 * DOC: theory of operation
 *
 * One process holds a whole world: guest ports of the switch (vs_guest_new(), connected over their
 * sockets), the drivers at the other end (bench/guest), a snapshot of the configuration, an FDB and
 * the context of a worker that does not run. For each burst the sending driver posts the same
 * frames, the stages run one after the other as vs_pipeline_visit() would run them, and the
 * receiving drivers take the frames back. So each stage finds exactly what the stages before it
 * leave, and everything but the stage itself is outside of what is measured. A second burst goes
 * through vs_pipeline_visit() as a whole.
 *
 * Every stage has a function of its own, vss_mark_<id>(), that does nothing but call it and is
 * never inlined. Time is taken around that function; for instructions, callgrind is told to collect
 * inside of functions of that name only, and its file gives the cost of each. What an empty one of
 * these costs is taken off.
 *
 * Nothing depends on chance or time: the seed of the FDB's hash and the worker's clock are fixed.
 */
#ifndef BENCH_STAGE_STAGE_H
#define BENCH_STAGE_STAGE_H

#include "bench/guest/guest.h"
#include "dataplane/core/ctx.h"
#include "dataplane/core/rcu.h"
#include "dataplane/fdb.h"
#include "dataplane/guest/guest.h"
#include "dataplane/schedule.h"
#include "vmq/vmq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	VSS_RECEIVERS = 8,
	VSS_PORTS = 1 + VSS_RECEIVERS, /* port 0 sends */
	VSS_FRAMES = 32,               /* of a burst; the ring size is a multiple */
	VSS_RING = 256,
	VSS_FID = 1,
	VSS_SWITCH = 0,
	/* Queue pairs of guests that are connected and send nothing. */
	VSS_IDLE = 12 * VSS_FRAMES,
};

struct vss_tenants;

/** Workers that do not run, by what they have to visit. */
enum vss_worker {
	VSS_WORKER_IDLE,  /* VSS_IDLE queue pairs that send nothing */
	VSS_WORKER_ALONE, /* the sender */
	VSS_WORKER_BUSY,  /* the sender and the idle ones */
	VSS_WORKERS,
};

/** Who receives the frames of a burst. */
enum vss_target {
	VSS_TO_ONE,  /* all go to one port */
	VSS_TO_EACH, /* the ports take turns */
	VSS_TO_ALL,  /* each goes to all ports: broadcast */
	VSS_SORTED,  /* the ports take turns by visits, as where each has a hw queue */
};

/** Does the switch know the source addresses? */
enum vss_source {
	VSS_SOURCE_LEARNT,
	VSS_SOURCE_NEW, /* one unknown address per frame, reported in every burst */
};

/** Are the frames TCP segments from a wire, for receivers that take large frames? */
enum vss_stream {
	VSS_NO_STREAM,
	VSS_MERGED, /* of one flow: they become one frame */
	VSS_APART,  /* the same, but the receivers' merging is off */
	VSS_MIXED,  /* each of another flow: there is nothing to merge */
};

/**
 * struct vss_case - a canned burst
 * @name:	for the command line
 * @text:	what it is
 * @len:	bytes of each frame, without FCS
 * @target:	destinations
 * @source:	sources
 * @parts:	measure single functions, too: they cost the same in every case
 * @stream:	what is in the frames
 * @visits:	in how many visits a burst is taken, each with as many frames
 */
struct vss_case {
	const char *name;
	const char *text;
	uint32_t len;
	enum vss_target target;
	enum vss_source source;
	bool parts;
	enum vss_stream stream;
	unsigned int visits;
};

extern const struct vss_case vss_cases[];
extern const size_t vss_n_cases;

/**
 * struct vss_world - everything that a burst needs
 * @ctx, @conf, @burst: as a worker has them
 * @from:	port 0 of @conf
 * @fdb:	of the switch
 * @scratch:	a table that new addresses are learnt in
 * @vmq:	a queue for each receiver, for stages that sort
 * @tenants:	bursts for the stages that only run where there are tenants
 * @schedule:	of each worker
 * @sink:	results of functions that are called for their cost only
 * @bursts:	sent so far
 * @turn:	visits before this burst, for who is next
 */
struct vss_world {
	const struct vss_case *kind;
	struct vs_ctx *ctx;
	struct vs_conf *conf;
	struct vs_burst *burst;
	const struct vs_port_hot *from;
	struct vs_fdb *fdb;
	struct vs_fdb *scratch;
	struct vs_vmq *vmq;
	struct vss_tenants *tenants;
	struct vs_schedule *schedule[VSS_WORKERS];
	uintptr_t sink;
	uint64_t bursts;
	unsigned int turn;

	struct vs_rcu rcu;
	struct event_base *base;
	struct event *tick;
	struct vs_port_ops wire; /* of port 0, if it stands for an uplink */
	struct vs_guest *port[VSS_PORTS];
	struct vsg_guest *driver[VSS_PORTS];
	struct vs_port_stats stats[VSS_PORTS];
	uint16_t members[VSS_PORTS];
	struct vs_poll polls[1 + VSS_IDLE]; /* the sender, then the idle ones */
	char dir[32];
	int starting; /* drivers that are not up yet, or -errno of the one that failed */
};

/** vss_case_find() - a case by its name, or NULL. */
const struct vss_case *vss_case_find(const char *name);

/** vss_case_copies() - deliveries that one burst leads to. */
unsigned int vss_case_copies(const struct vss_case *kind);

/** vss_case_port() - the port that frame @i of the sender's ring is for; not of VSS_TO_ALL. */
unsigned int vss_case_port(const struct vss_case *kind, unsigned int i);

/**
 * vss_case_prefill() - write the frames of a case into the sender's ring, for vss_world_offer()
 * Return: 0 or -errno.
 */
int vss_case_prefill(const struct vss_case *kind, struct vsg_guest *driver);

/** vss_mac() - the address of the guest at @port. */
struct rte_ether_addr vss_mac(unsigned int port);

/** vss_mac_new() - address number @i of those that the switch does not know. */
struct rte_ether_addr vss_mac_new(unsigned int i);

/**
 * vss_eal_start() - start DPDK, once in a process; its random numbers are the same every time
 * Return: 0 or -errno.
 */
int vss_eal_start(void);

/**
 * vss_world_new() - start DPDK (once in a process), make the ports and connect the drivers
 * Return: 0 and the world in *@ret_world, or -errno after a line on standard error.
 */
int vss_world_new(const struct vss_case *kind, struct vss_world **ret_world);

/** vss_world_free() - take all down. NULL is fine. */
void vss_world_free(struct vss_world *w);

/**
 * vss_world_offer() - the sender posts the frames of a visit; the worker's scratch memory is as at
 * its start.
 * @visit:	which one of the burst
 */
int vss_world_offer(struct vss_world *w, unsigned int visit);

/**
 * vss_world_collect() - the receivers take what was delivered, and give the buffers back
 * Return: 0; -EPROTO, after a line on standard error, when it is not what was sent.
 */
int vss_world_collect(struct vss_world *w);

/* ---- tenant.c */

/** vss_tenants_new() - w->tenants: tunnel packets around frames of the case's length. 0, -errno. */
int vss_tenants_new(struct vss_world *w);

/** vss_tenants_free() - NULL is fine. */
void vss_tenants_free(struct vss_tenants *t);

/** vss_tenants_offer() - the bursts are as before the stages. */
void vss_tenants_offer(struct vss_tenants *t);

/** vss_tenants_done() - has every stage that ran done its work? */
bool vss_tenants_done(const struct vss_tenants *t);

/**
 * vss_tenants_decap(), vss_tenants_learn(), vss_tenants_route(), vss_tenants_encap() - the stages:
 * from an uplink; from a guest to one of another host, one behind the other
 */
void vss_tenants_decap(struct vss_tenants *t);
void vss_tenants_learn(struct vss_tenants *t);
void vss_tenants_route(struct vss_tenants *t);
void vss_tenants_encap(struct vss_tenants *t);

/** What a stage is to the pipeline. */
enum vss_kind {
	VSS_EMPTY,    /* nothing: the cost of measuring */
	VSS_ENDS,     /* what vs_pipeline_visit() calls before and after the stages */
	VSS_PIPELINE, /* a stage of pipeline.c; these stand here in its order */
	VSS_PART,     /* a function that a stage or control calls, once per frame */
	VSS_WHOLE,    /* all of it */
	VSS_ROUND,    /* a round of the worker, in which that happens */
};

/**
 * struct vss_stage - something to measure
 * @name:	for the command line
 * @function:	what is called, as it is named in the source
 * @kind:	what it is
 * @plain:	calls it
 * @mark:	calls it inside of the function that callgrind looks for
 */
struct vss_stage {
	const char *name;
	const char *function;
	const char *marker;
	enum vss_kind kind;
	void (*plain)(struct vss_world *w);
	void (*mark)(struct vss_world *w);
};

extern const struct vss_stage vss_stages[];
extern const size_t vss_n_stages;

/** vss_stage_find() - a stage by its name, or NULL. */
const struct vss_stage *vss_stage_find(const char *name);

/** vss_stage_in() - is the stage measured in this case? */
bool vss_stage_in(const struct vss_stage *stage, const struct vss_case *kind);

/** vss_kind_name() - "empty", "ends", "pipeline", "part", "whole" or "round". */
const char *vss_kind_name(enum vss_kind kind);

/**
 * vss_time() - report the time of every stage, one line of JSON each, on standard output
 * @repeats:	bursts that are measured
 *
 * Return: 0 or -errno.
 */
int vss_time(struct vss_world *w, unsigned int repeats);

/**
 * vss_count() - run @bursts bursts with the marker of @only, or of all stages if it is NULL
 * Return: 0 or -errno.
 */
int vss_count(struct vss_world *w, const struct vss_stage *only, unsigned int bursts);

#endif
