/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far apart two CPUs are at the moment.
 *
 * Theory of operation. Ten times a second two threads of real-time priority, one on each CPU, wake
 * at the same moment and bounce one cache line 200 times, about 50 microseconds; each waits for
 * the other for a bounded time only. The bounces are timed in four parts and the shortest counts,
 * so that an interrupt in between does not look like a distant CPU. Rounds are numbered: the line
 * holds round, turn and whose turn it is in one counter that only goes up.
 */
#include "bench/gen/gen.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PERIOD_NS 100000000ull
#define PARTS 4u
#define BOUNCES 50u /* of each part */
#define PATIENCE_S 0.002
#define KEEP 8192u
#define PRIORITY 10

struct result {
	uint64_t tsc;
	double ns;
};

struct gen_probe {
	pthread_t thread[2];
	uint32_t threads;
	int cpu[2];
	double hz;
	uint64_t begin_ns;
	atomic_bool stop;
	_Atomic uint32_t n; /* results ever */
	struct result result[KEEP];
	_Atomic uint64_t line __attribute__((aligned(128)));
	uint8_t pad[128];
};

struct role {
	struct gen_probe *probe;
	uint32_t side;
};

/* Spin until the line holds a value; false when the other one does not come. */
static bool await(struct gen_probe *p, uint64_t value)
{
	uint64_t end = gen_tsc() + (uint64_t)(p->hz * PATIENCE_S);

	while (atomic_load_explicit(&p->line, memory_order_acquire) < value) {
		if (gen_tsc() > end)
			return false;
	}
	return true;
}

/* One round: side 0 makes even numbers odd, side 1 makes odd ones even. */
static double bounce(struct gen_probe *p, uint32_t side, uint64_t round)
{
	uint64_t at = (round << 32) + side, t0 = 0, best = UINT64_MAX;
	uint32_t i, part;

	if (side == 0)
		atomic_store_explicit(&p->line, at, memory_order_release);
	for (part = 0; part <= PARTS; part++) {
		t0 = gen_tsc();
		for (i = 0; i < BOUNCES; i++, at += 2) {
			if (!await(p, at))
				return -1;
			atomic_store_explicit(&p->line, at + 1, memory_order_release);
		}
		/* The first part is there for both to arrive. */
		if (part > 0 && gen_tsc() - t0 < best)
			best = gen_tsc() - t0;
	}
	return (double)best * 1e9 / p->hz / BOUNCES;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void note(struct gen_probe *p, double ns)
{
	uint32_t n = atomic_load_explicit(&p->n, memory_order_relaxed);

	p->result[n % KEEP] = (struct result){gen_tsc(), ns};
	atomic_store_explicit(&p->n, n + 1, memory_order_release);
}

static void *work(void *arg)
{
	struct role role = *(struct role *)arg;
	struct gen_probe *p = role.probe;
	uint64_t at, round = 1;
	struct timespec ts;
	double ns;

	free(arg);
	while (!atomic_load(&p->stop)) {
		at = p->begin_ns + round * PERIOD_NS;
		if (now_ns() < at + PERIOD_NS / 2) {
			ts.tv_sec = (time_t)(at / 1000000000u);
			ts.tv_nsec = (long)(at % 1000000000u);
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
			ns = bounce(p, role.side, round);
			if (role.side == 0 && ns > 0)
				note(p, ns);
		}
		round++;
	}
	return NULL;
}

/**
 * gen_probe_start() - begin to probe
 * @g: generator without a probe
 * @cpu_a: one CPU
 * @cpu_b: another one
 *
 * Return: 0 or -errno.
 */
int gen_probe_start(struct gen *g, int cpu_a, int cpu_b)
{
	struct gen_probe *p;
	struct role *role;
	uint32_t i;
	int err = 0;

	if (posix_memalign((void **)&p, 128, sizeof(*p)))
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	p->cpu[0] = cpu_a;
	p->cpu[1] = cpu_b;
	p->hz = g->hz;
	p->begin_ns = now_ns();
	g->probe = p;
	for (i = 0; i < 2 && !err; i++) {
		role = malloc(sizeof(*role));
		if (!role) {
			err = -ENOMEM;
			break;
		}
		*role = (struct role){p, i};
		err = gen_clock_spawn(&p->thread[i], p->cpu[i], PRIORITY, work, role);
		if (err == -EPERM)
			err = gen_clock_spawn(&p->thread[i], p->cpu[i], 0, work, role);
		if (err)
			free(role);
		p->threads += !err;
	}
	if (err)
		gen_probe_stop(g);
	return err;
}

/**
 * gen_probe_stop() - end the probe, if there is one
 * @g: generator
 */
void gen_probe_stop(struct gen *g)
{
	uint32_t i;

	if (!g->probe)
		return;
	atomic_store(&g->probe->stop, true);
	for (i = 0; i < g->probe->threads; i++)
		pthread_join(g->probe->thread[i], NULL);
	free(g->probe);
	g->probe = NULL;
}

/**
 * gen_probe_take() - results of a span of time
 * @g: generator
 * @from: TSC
 * @to: TSC
 * @ret_ns: GEN_PROBE_MAX places; a round trip of the line in nanoseconds
 *
 * Return: number of results.
 */
uint32_t gen_probe_take(struct gen *g, uint64_t from, uint64_t to, double *ret_ns)
{
	uint32_t i, n, taken = 0;
	const struct result *r;

	if (!g->probe)
		return 0;
	n = atomic_load_explicit(&g->probe->n, memory_order_acquire);
	for (i = n > GEN_PROBE_MAX ? n - GEN_PROBE_MAX : 0; i < n; i++) {
		r = &g->probe->result[i % KEEP];
		if (r->tsc >= from && r->tsc < to)
			ret_ns[taken++] = r->ns;
	}
	return taken;
}
