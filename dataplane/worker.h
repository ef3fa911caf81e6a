/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker: a thread that visits the ports in turn, and nothing else.
 */
#ifndef VS_WORKER_H
#define VS_WORKER_H

#include "dataplane/core/ctx.h"
#include "dataplane/core/rcu.h"
#include "dataplane/park.h"

struct vs_worker;

/** What a worker is doing. */
enum vs_worker_state {
	VS_WORKER_POLLING, /* visits its ports without a pause */
	VS_WORKER_NAPPING, /* nothing comes: it sleeps for a set time after each round */
	VS_WORKER_PARKED,  /* nothing comes: it sleeps until something does */
};

/** What a worker does that has no work. */
enum vs_worker_idle {
	VS_WORKER_PARKS, /* or naps, if it cannot park */
	VS_WORKER_POLLS,
};

/**
 * struct vs_worker_stats - what a worker did since it was started
 * @total_cycles: time stamp counter ticks since then
 * @busy_cycles: ticks of rounds in which frames came, empty visits of these rounds included
 * @frames:	frames received
 * @rounds:	times it went round
 * @naps:	times it slept for a set time
 * @tsc_hz:	ticks per second
 * @state:	enum vs_worker_state
 * @park:	how it slept until something came
 */
struct vs_worker_stats {
	uint64_t total_cycles;
	uint64_t busy_cycles;
	uint64_t frames;
	uint64_t rounds;
	uint64_t naps;
	uint64_t tsc_hz;
	uint32_t state;
	struct vs_park_stats park;
};

/** Are there others? A worker that is alone never has to wait for one. */
enum vs_worker_company {
	VS_WORKER_ALONE,
	VS_WORKER_ONE_OF_MANY,
};

/**
 * struct vs_worker_config - how a worker runs
 * @rcu:	grace periods; the worker is thread @index of it
 * @index:	0-based
 * @company:	does it share the ports with others?
 * @lcore:	EAL lcore to run on
 * @cpu:	processor it is bound to, or -1; for show only
 * @node:	NUMA node of that, or -1; for show, and for who places ports
 * @idle:	what it does without work
 * @nap_us:	how long to sleep at a time when nothing came for a while, and it cannot park; 0: it
 *		never sleeps
 */
struct vs_worker_config {
	const struct vs_rcu *rcu;
	unsigned int index;
	enum vs_worker_company company;
	unsigned int lcore;
	int cpu;
	int node;
	enum vs_worker_idle idle;
	unsigned int nap_us;
};

/** vs_worker_new() - make a worker that does not run yet. Return: 0 or -errno. */
int vs_worker_new(const struct vs_worker_config *config, struct vs_worker **ret_worker);

/** vs_worker_free() - free a worker that has stopped. NULL is fine. */
void vs_worker_free(struct vs_worker *w);

/**
 * vs_worker_start() - run it on its lcore; a configuration has been published.
 * Return: 0 or -errno.
 */
int vs_worker_start(struct vs_worker *w);

/** vs_worker_stop() - ask it to stop, and wait until it has. */
void vs_worker_stop(struct vs_worker *w);

/** vs_worker_publish() - let the worker use @conf from its next round on. */
void vs_worker_publish(struct vs_worker *w, const struct vs_conf *conf);

/**
 * vs_worker_ctx() - the worker's context
 *
 * Control may read counters and samples at any time, pop events, and set port_stats of an id
 * that no published configuration uses.
 */
struct vs_ctx *vs_worker_ctx(struct vs_worker *w);

/** vs_worker_config() - how it was made. */
const struct vs_worker_config *vs_worker_config(const struct vs_worker *w);

/** vs_worker_stats() - control, at any time: fill in *@ret_stats. */
void vs_worker_stats(const struct vs_worker *w, struct vs_worker_stats *ret_stats);

/**
 * vs_worker_call() - run @fn on the worker between two rounds, and wait for it
 * @fn:		short; it holds up the traffic
 *
 * Return: 0; -ETIMEDOUT when the worker did not get to it within a second, then @fn will not run;
 * -ESRCH when the worker does not run.
 */
int vs_worker_call(struct vs_worker *w, void (*fn)(struct vs_ctx *ctx, void *arg), void *arg);

#endif
