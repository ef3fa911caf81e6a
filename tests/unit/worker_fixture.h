/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker on ports whose devices only count. A call (vs_worker_call) runs between two rounds, so
 * what it reads is not in motion: it is how tests look at the worker. Included after cmocka.h.
 */
#ifndef TESTS_UNIT_WORKER_FIXTURE_H
#define TESTS_UNIT_WORKER_FIXTURE_H

#define EAL_CORES "0@0,1@0"

#include "dataplane/worker.h"
#include "tests/unit/eal.h"

#include <rte_launch.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	WORKER_LCORE = 1,
	PORTS = 3,
	PAIRS = 4, /* of the port with the most */
	POLLS_MAX = PORTS * PAIRS,
	FID = 5,
	GAPS = 8,
};

/** struct dev - a port that counts its visits, and hands over a frame when told to */
struct dev {
	struct env *env;
	uint64_t visits[PAIRS];
	uint32_t frames;  /* to hand over */
	uint32_t handed;  /* handed over so far */
	uint32_t done;    /* rx_done calls */
	uint32_t pending; /* fault_pending says yes once */
	uint32_t asked;
	uint32_t retired; /* no configuration has it any more */
	uint32_t trespass;
	uint64_t last_tsc;
	uint64_t gap[GAPS]; /* the newest times between two visits to pair 0 */
};

struct env {
	struct vs_rcu rcu;
	struct vs_worker *w;
	struct vs_conf *conf;
	struct dev dev[PORTS];
	struct vs_port_stats stats[VS_PORTS_MAX];
	uint32_t hold; /* the worker stays in rx while it is 1 */
	uint32_t held;
	/* what the last call saw */
	const struct vs_conf *seen_conf;
	struct dev seen[PORTS];
	uint64_t cpu_ns;
	uint64_t wall_ns;
	long sleeps; /* voluntary context switches of the worker */
	uint32_t ran;
	pthread_t ran_on;
};

static const uint16_t ids[PORTS] = {7, 0, 1000};
static const uint8_t pairs[PORTS] = {1, 4, 2};

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline void wait_a_little(void)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

/* Wait until @condition holds; fail after 30 s. */
#define until(condition)                                                   \
	do {                                                               \
		uint64_t give_up = now_ns(CLOCK_MONOTONIC) + 30000000000u; \
		while (!(condition)) {                                     \
			if (now_ns(CLOCK_MONOTONIC) > give_up)             \
				fail_msg("never: %s", #condition);         \
			wait_a_little();                                   \
		}                                                          \
	} while (0)

#define load(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* ---- the device ---- */

static inline void note_gap(struct dev *dev)
{
	uint64_t now = rte_rdtsc();

	store(&dev->gap[dev->visits[0] % GAPS], dev->last_tsc ? now - dev->last_tsc : 0);
	dev->last_tsc = now;
}

static inline void dev_rx(void *arg, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct dev *dev = arg;

	if (load(&dev->retired))
		store(&dev->trespass, 1);
	while (load(&dev->env->hold)) {
		store(&dev->env->held, 1);
		wait_a_little();
	}
	if (pair == 0)
		note_gap(dev);
	store(&dev->visits[pair], dev->visits[pair] + 1);
	if (pair != 0 || load(&dev->frames) == dev->handed)
		return;
	burst->pkt[0] = (struct vs_pkt){.hdr = burst->hdr[0].bytes,
					.len = 5,
					.hdr_len = 5,
					.in_port = ids[0]};
	burst->n = 1;
	store(&dev->handed, dev->handed + 1);
}

static inline void dev_rx_done(void *arg, unsigned int pair)
{
	struct dev *dev = arg;

	store(&dev->done, dev->done + 1);
}

static inline void dev_tx(void *arg, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
			  uint8_t *fate)
{
	memset(fate, VS_DROP_NONE, n);
}

static inline bool dev_fault(void *arg)
{
	struct dev *dev = arg;

	store(&dev->asked, dev->asked + 1);
	return __atomic_exchange_n(&dev->pending, 0, __ATOMIC_ACQ_REL) != 0;
}

static const struct vs_port_ops dev_ops = {
	.rx = dev_rx,
	.rx_done = dev_rx_done,
	.tx = dev_tx,
	.fault_pending = dev_fault,
};

/* ---- the environment ---- */

static inline int run_anywhere(void *cpus)
{
	return pthread_setaffinity_np(pthread_self(), sizeof(cpu_set_t), cpus);
}

static inline int group_setup(void **state)
{
	static cpu_set_t cpus;

	if (pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus) || eal_up() ||
	    rte_eal_remote_launch(run_anywhere, &cpus, WORKER_LCORE))
		return -1;
	return rte_eal_wait_lcore(WORKER_LCORE);
}

static inline struct vs_conf *empty_conf(void)
{
	/* The worker's list stands behind it, so that free() frees both. */
	const size_t size = sizeof(struct vs_conf) + POLLS_MAX * sizeof(struct vs_poll);
	struct vs_conf *conf =
		aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(size, RTE_CACHE_LINE_SIZE));

	assert_non_null(conf);
	memset(conf, 0, size);
	conf->work[0].poll = (const struct vs_poll *)(conf + 1);
	return conf;
}

static inline void put_port(struct vs_conf *conf, struct dev *dev, uint16_t id, uint8_t n_pairs)
{
	struct vs_poll *poll = (struct vs_poll *)(conf + 1);
	uint8_t pair;

	conf->ids[conf->n_ports++] = id;
	for (pair = 0; pair < n_pairs; pair++) {
		assert_true(conf->work[0].n < POLLS_MAX);
		poll[conf->work[0].n++] = (struct vs_poll){.port = id, .pair = pair};
	}
	conf->port[id] = (struct vs_port_hot){
		.ops = &dev_ops,
		.dev = dev,
		.max_frame = 1514,
		.id = id,
		.fid = FID,
		.flags = VS_PORT_ADMIN_UP | VS_PORT_UP,
		.pairs = n_pairs,
	};
}

static inline struct vs_conf *full_conf(struct env *e)
{
	struct vs_conf *conf = empty_conf();
	unsigned int i;

	for (i = 0; i < PORTS; i++)
		put_port(conf, &e->dev[i], ids[i], pairs[i]);
	return conf;
}

/* A worker that has a configuration and does not run yet. */
static inline struct env *make(unsigned int nap_us)
{
	struct vs_worker_config config = {.lcore = WORKER_LCORE, .nap_us = nap_us};
	struct env *e = calloc(1, sizeof(*e));
	unsigned int i;

	assert_non_null(e);
	for (i = 0; i < PORTS; i++)
		e->dev[i].env = e;
	assert_int_equal(vs_rcu_init(&e->rcu), 0);
	config.rcu = &e->rcu;
	assert_int_equal(vs_worker_new(&config, &e->w), 0);
	for (i = 0; i < VS_PORTS_MAX; i++)
		vs_worker_ctx(e->w)->port_stats[i] = &e->stats[i];
	e->conf = full_conf(e);
	vs_worker_publish(e->w, e->conf);
	return e;
}

static inline struct env *start(unsigned int nap_us)
{
	struct env *e = make(nap_us);

	assert_int_equal(vs_worker_start(e->w), 0);
	return e;
}

static inline void finish(struct env *e)
{
	vs_worker_stop(e->w);
	vs_worker_free(e->w);
	vs_rcu_fini(&e->rcu);
	free(e->conf);
	free(e);
}

/* Runs on the worker. */
static inline void look(struct vs_ctx *ctx, void *arg)
{
	struct env *e = arg;
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	e->seen_conf = ctx->conf;
	memcpy(e->seen, e->dev, sizeof(e->seen));
	e->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
	e->wall_ns = now_ns(CLOCK_MONOTONIC);
	e->sleeps = usage.ru_nvcsw;
	e->ran_on = pthread_self();
	store(&e->ran, e->ran + 1);
}

static inline void look_now(struct env *e)
{
	assert_int_equal(vs_worker_call(e->w, look, e), 0);
}

/* Let the worker go round @n times more. */
static inline void rounds(struct env *e, uint64_t n)
{
	uint64_t from = load(&e->dev[0].visits[0]);

	until(load(&e->dev[0].visits[0]) >= from + n);
}

#endif
