/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * What a round visits is said in schedule.c. At its end no burst is open and no reference is held
 * but by frames that wait for another worker (held.c): a call from control (vs_worker_call) is
 * served. Then comes the quiescent point, where control may replace what workers use.
 *
 * A worker that found nothing for IDLE_MS parks (park.c). If it cannot, it sleeps @nap_us after
 * each round until something comes, and ten times that after LONG_IDLE_MS. It is offline for grace
 * periods meanwhile, so control never waits for a sleeper. Whoever has something for it, other
 * than frames that ring a bell, pokes it: vs_watch_changed(), a call, the end.
 *
 * A call goes through one word: control sets REQUESTED, the worker takes it (TAKEN), runs it and
 * sets DONE. When control loses patience it takes the request back, and whoever changes
 * REQUESTED first has decided.
 */
#include "dataplane/worker.h"

#include "dataplane/core/owed.h"
#include "dataplane/held.h"
#include "dataplane/schedule.h"

#include <rte_launch.h>
#include <rte_malloc.h>
#include <rte_pause.h>

#include <errno.h>
#include <sys/prctl.h>
#include <time.h>

enum {
	IDLE_MS = 1,
	LONG_IDLE_MS = 1000,
	LONG_NAP_FACTOR = 10,
	CALL_TIMEOUT_MS = 1000,
};

enum call_state {
	CALL_NONE,
	CALL_REQUESTED,
	CALL_TAKEN,
	CALL_DONE,
};

struct vs_worker {
	struct vs_worker_config config;
	const struct vs_conf *conf; /* RCU */
	int running;
	int stop;

	/* Written by the worker alone, relaxed; control reads them. */
	uint64_t started_tsc;
	struct vs_worker_stats stats;

	int call; /* enum call_state */
	void (*call_fn)(struct vs_ctx *ctx, void *arg);
	void *call_arg;

	struct vs_park park;
	struct vs_ctx ctx;
	struct vs_schedule schedule;
};

int vs_worker_new(const struct vs_worker_config *config, struct vs_worker **ret_worker)
{
	struct vs_worker *w;
	int err;

	w = rte_zmalloc("vs_worker", sizeof(*w), RTE_CACHE_LINE_SIZE);
	if (!w)
		return -ENOMEM;
	w->config = *config;
	w->ctx.worker = (uint16_t)config->index;
	err = vs_event_ring_init(&w->ctx.events, config->index);
	if (err)
		goto err_events;
	err = vs_park_init(&w->park, config->rcu);
	if (err)
		goto err_park;
	if (config->idle == VS_WORKER_POLLS || config->nap_us == 0)
		w->park.stats.why = VS_PARK_TOLD;
	if (config->company == VS_WORKER_ONE_OF_MANY) {
		err = vs_held_new(&w->ctx.held);
		if (err)
			goto err_held;
	}
	*ret_worker = w;
	return 0;

err_held:
	vs_park_fini(&w->park);
err_park:
	vs_event_ring_fini(&w->ctx.events);
err_events:
	rte_free(w);
	return err;
}

void vs_worker_free(struct vs_worker *w)
{
	if (!w)
		return;
	vs_held_free(w->ctx.held);
	vs_park_fini(&w->park);
	vs_event_ring_fini(&w->ctx.events);
	rte_free(w);
}

static void serve_call(struct vs_worker *w)
{
	int expected = CALL_REQUESTED;

	if (__atomic_load_n(&w->call, __ATOMIC_RELAXED) != CALL_REQUESTED)
		return;
	if (!__atomic_compare_exchange_n(&w->call, &expected, CALL_TAKEN, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return;
	w->call_fn(&w->ctx, w->call_arg);
	__atomic_store_n(&w->call, CALL_DONE, __ATOMIC_RELEASE);
}

static void set_state(struct vs_worker *w, enum vs_worker_state state)
{
	__atomic_store_n(&w->stats.state, (uint32_t)state, __ATOMIC_RELAXED);
}

static void nap(struct vs_worker *w, uint64_t idle_ms)
{
	struct timespec ts = {.tv_nsec = (long)w->config.nap_us * 1000};

	if (idle_ms >= LONG_IDLE_MS)
		ts.tv_nsec *= LONG_NAP_FACTOR;
	set_state(w, VS_WORKER_NAPPING);
	vs_stats_bump(&w->stats.naps, 1);
	vs_rcu_offline(w->config.rcu, w->config.index);
	(void)nanosleep(&ts, NULL);
	vs_rcu_online(w->config.rcu, w->config.index);
}

/* A round brought nothing: sleep, if that is so for long enough, @idle_tsc since the last frame. */
static void rest(struct vs_worker *w, uint64_t idle_tsc)
{
	uint64_t idle_ms = idle_tsc / (rte_get_tsc_hz() / 1000);

	/* Not while a port has frames, and others have the right of way, or is owed something. */
	if (idle_ms < IDLE_MS || !w->schedule.dry || vs_owed.n || w->park.stats.why == VS_PARK_TOLD)
		return;
	switch (vs_park_try(&w->park, &w->ctx)) {
	case VS_PARK_CANNOT:
		nap(w, idle_ms);
		break;
	case VS_PARK_SLEPT:
	case VS_PARK_LOOK_AGAIN:
		set_state(w, VS_WORKER_PARKED);
		break;
	}
}

/* Frames came in the last round. */
static void work_came(struct vs_worker *w)
{
	/* A poke may have come after they were told to ring, and the frames after that. */
	if (w->park.told)
		vs_park_end(&w->park, &w->ctx);
	if (w->stats.state != VS_WORKER_POLLING)
		set_state(w, VS_WORKER_POLLING);
}

/*
 * The quiescent point. The token comes first: what is held is judged by whatever was published
 * before control began to wait, and then nothing points to what was replaced by it.
 */
static void settle_down(struct vs_worker *w)
{
	uint64_t token = vs_rcu_token(w->config.rcu);
	const struct vs_conf *conf = vs_rcu_read(&w->conf);

	if (conf != w->ctx.conf) {
		if (vs_owed.n)
			vs_schedule_remind(&w->ctx, VS_REMIND_ALL);
		w->ctx.conf = conf;
		w->ctx.now_tsc = rte_rdtsc();
		vs_held_review(&w->ctx);
	}
	vs_rcu_report(w->config.rcu, w->config.index, token);
}

static int worker_main(void *arg)
{
	struct vs_worker *w = arg;
	uint64_t last_work = rte_rdtsc();

	/* The kernel's default slack would double a nap. */
	(void)prctl(PR_SET_TIMERSLACK, 1000ul);
	vs_rcu_online(w->config.rcu, w->config.index);
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		unsigned int received;

		settle_down(w);
		received = vs_schedule_round(&w->schedule, &w->ctx);

		vs_stats_bump(&w->stats.rounds, 1);
		if (received) {
			vs_stats_bump(&w->stats.frames, received);
			vs_stats_bump(&w->stats.busy_cycles, rte_rdtsc() - w->ctx.now_tsc);
			last_work = w->ctx.now_tsc;
			work_came(w);
		}
		vs_held_retry(&w->ctx);
		serve_call(w);
		if (!received && w->ctx.n_held == 0)
			rest(w, w->ctx.now_tsc - last_work);
	}
	vs_schedule_remind(&w->ctx, VS_REMIND_ALL);
	vs_rcu_offline(w->config.rcu, w->config.index);
	return 0;
}

int vs_worker_start(struct vs_worker *w)
{
	int err;

	__atomic_store_n(&w->stop, 0, __ATOMIC_RELAXED);
	w->stats = (struct vs_worker_stats){.state = VS_WORKER_POLLING};
	w->started_tsc = rte_rdtsc();
	err = rte_eal_remote_launch(worker_main, w, w->config.lcore);
	if (err)
		return err;
	w->running = 1;
	return 0;
}

void vs_worker_stop(struct vs_worker *w)
{
	if (!w->running)
		return;
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
	vs_sleeper_poke(&w->park.sleeper);
	(void)rte_eal_wait_lcore(w->config.lcore);
	w->running = 0;
}

void vs_worker_publish(struct vs_worker *w, const struct vs_conf *conf)
{
	vs_rcu_publish(&w->conf, conf);
	/* Its memory may be that of one that the worker knew. */
	vs_watch_changed();
}

struct vs_ctx *vs_worker_ctx(struct vs_worker *w)
{
	return &w->ctx;
}

const struct vs_worker_config *vs_worker_config(const struct vs_worker *w)
{
	return &w->config;
}

void vs_worker_stats(const struct vs_worker *w, struct vs_worker_stats *ret_stats)
{
	*ret_stats = (struct vs_worker_stats){
		.total_cycles = rte_rdtsc() - w->started_tsc,
		.busy_cycles = __atomic_load_n(&w->stats.busy_cycles, __ATOMIC_RELAXED),
		.frames = __atomic_load_n(&w->stats.frames, __ATOMIC_RELAXED),
		.rounds = __atomic_load_n(&w->stats.rounds, __ATOMIC_RELAXED),
		.naps = __atomic_load_n(&w->stats.naps, __ATOMIC_RELAXED),
		.tsc_hz = rte_get_tsc_hz(),
		.state = __atomic_load_n(&w->stats.state, __ATOMIC_RELAXED),
	};
	vs_park_stats(&w->park, &ret_stats->park);
}

/* Return: true when the request was taken back before the worker saw it. */
static bool take_back(struct vs_worker *w)
{
	int expected = CALL_REQUESTED;

	return __atomic_compare_exchange_n(&w->call, &expected, CALL_NONE, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

int vs_worker_call(struct vs_worker *w, void (*fn)(struct vs_ctx *ctx, void *arg), void *arg)
{
	uint64_t deadline = rte_rdtsc() + rte_get_tsc_hz() / 1000 * CALL_TIMEOUT_MS;
	const struct timespec pause = {.tv_nsec = 20000};

	if (!w->running)
		return -ESRCH;
	w->call_fn = fn;
	w->call_arg = arg;
	__atomic_store_n(&w->call, CALL_REQUESTED, __ATOMIC_RELEASE);
	vs_sleeper_poke(&w->park.sleeper);
	while (__atomic_load_n(&w->call, __ATOMIC_ACQUIRE) != CALL_DONE) {
		if (rte_rdtsc() > deadline && take_back(w))
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
	}
	w->call = CALL_NONE;
	return 0;
}
