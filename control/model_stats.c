/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters: where they live, their sums, and the audit. */
#include "control/model_priv.h"

#include "control/proto.h"
#include "dataplane/core/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The counters of struct vs_port_stats, without the samples behind them, are plain u64s. */
enum {
	COUNTER_BYTES = offsetof(struct vs_port_stats, samples),
	COUNTERS = COUNTER_BYTES / sizeof(uint64_t),
};

static void add_counters(struct vs_port_stats *sum, const struct vs_port_stats *stats)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)stats;
	unsigned int i;

	_Static_assert(COUNTER_BYTES % sizeof(uint64_t) == 0, "counters are u64s");
	for (i = 0; i < COUNTERS; i++)
		to[i] += vs_stats_read(&from[i]);
}

int model_stats_new(struct vs_model *m, uint16_t id)
{
	unsigned int i;

	for (i = 0; i < m->env.n_workers; i++) {
		struct vs_ctx *ctx = vs_worker_ctx(m->env.workers[i]);
		struct vs_port_stats *stats = calloc(1, sizeof(*stats));

		if (!stats)
			goto err;
		memset(&ctx->pace[id], 0, sizeof(ctx->pace[id]));
		ctx->port_stats[id] = stats;
	}
	return 0;

err:
	while (i-- > 0) {
		struct vs_ctx *ctx = vs_worker_ctx(m->env.workers[i]);

		free(ctx->port_stats[id]);
		ctx->port_stats[id] = NULL;
	}
	return -ENOMEM;
}

void model_stats_retire(struct vs_port *port)
{
	struct vs_model *m = port->m;
	unsigned int i;

	for (i = 0; i < m->env.n_workers; i++) {
		struct vs_ctx *ctx = vs_worker_ctx(m->env.workers[i]);

		if (!ctx->port_stats[port->id])
			continue;
		add_counters(&port->sw->gone, ctx->port_stats[port->id]);
		free(ctx->port_stats[port->id]);
		ctx->port_stats[port->id] = NULL;
	}
}

void model_stats_move(struct vs_port *before)
{
	struct vs_model *m = before->m;
	unsigned int i;

	for (i = 0; i < m->env.n_workers; i++) {
		struct vs_port_stats *stats =
			vs_worker_ctx(m->env.workers[i])->port_stats[before->id];

		add_counters(&before->sw->gone, stats);
		memset(stats, 0, sizeof(*stats));
	}
}

/* Copy a sample that the worker may be writing; keep it if it is newer than what @best holds. */
static void newest_sample(struct vs_sample *best, const struct vs_sample *s)
{
	struct vs_sample copy;
	uint32_t seq;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);
		memcpy(&copy, s, sizeof(copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(seq & 1) && __atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq)
			break;
	}
	if (tries < 100 && copy.when_tsc > best->when_tsc)
		*best = copy;
}

void model_stats_sum(const struct vs_model *m, uint16_t id, struct vs_port_stats *ret_sum)
{
	unsigned int i;
	unsigned int r;

	memset(ret_sum, 0, sizeof(*ret_sum));
	for (i = 0; i < m->env.n_workers; i++) {
		const struct vs_port_stats *s = vs_worker_ctx(m->env.workers[i])->port_stats[id];

		add_counters(ret_sum, s);
		for (r = 0; r < VS_DROP_COUNT; r++)
			newest_sample(&ret_sum->samples[r], &s->samples[r]);
	}
}

int vs_stats_each(struct vs_model *m, const char *name,
		  int (*visit)(const struct vs_stats_view *view, void *ctx), void *ctx,
		  struct vs_fail *fail)
{
	struct vs_port *list[VS_PORTS_MAX];
	unsigned int n = model_list_ports(m, name, list);
	struct vs_stats_view view;
	unsigned int i;
	int err = 0;

	if (name && n == 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_PORT, "there is no port '%s'", name);
	for (i = 0; i < n && err == 0; i++) {
		view.port = list[i]->name;
		view.sw = list[i]->sw->name;
		view.vm = list[i]->vm;
		model_stats_sum(m, list[i]->id, &view.counters);
		err = visit(&view, ctx);
	}
	return err;
}

/* Events that worker @i found no room for, since it was made. */
static uint64_t events_lost_by(const struct vs_model *m, unsigned int i)
{
	return __atomic_load_n(&vs_worker_ctx(m->env.workers[i])->events.lost, __ATOMIC_RELAXED);
}

void model_events_lost(struct vs_model *m)
{
	char text[96];
	unsigned int i;

	for (i = 0; i < m->env.n_workers; i++) {
		uint64_t lost = events_lost_by(m, i);
		uint64_t more = lost - m->events_lost[i];

		if (more == 0)
			continue;
		m->events_lost[i] = lost;
		(void)snprintf(text, sizeof(text),
			       "worker %u had no room for %" PRIu64
			       " events: control is too slow for them",
			       vs_worker_config(m->env.workers[i])->index, more);
		model_tell(m, VS_NOTICE_EVENTS_LOST, NULL, NULL, NULL, text);
	}
}

/* What worker @i visits, by the snapshot in force. */
static void count_work(const struct vs_model *m, unsigned int i, struct vs_worker_view *view)
{
	const struct vs_poll_list *work = &m->conf->work[i];
	uint16_t p;

	for (p = 0; p < work->n; p++) {
		/* The pairs of a port stand together. */
		view->ports += p == 0 || work->poll[p].port != work->poll[p - 1].port;
		view->pairs += work->poll[p].pair != VS_PAIR_NONE;
	}
}

static const char *worker_state(uint32_t state)
{
	switch ((enum vs_worker_state)state) {
	case VS_WORKER_POLLING:
		return "polling";
	case VS_WORKER_NAPPING:
		return "napping";
	case VS_WORKER_PARKED:
		return "parked";
	}
	return "unknown";
}

/* Why the worker does not park, with the name of the port, which may be gone meanwhile. */
static void say_why(const struct vs_model *m, const struct vs_park_stats *park, char *text,
		    size_t size)
{
	const struct vs_port *port = park->why_port < VS_PORTS_MAX ? m->port[park->why_port] : NULL;
	const char *name = port ? port->name : "(deleted)";

	switch ((enum vs_park_why)park->why) {
	case VS_PARK_NOTHING:
		text[0] = '\0';
		break;
	case VS_PARK_MUTED:
		(void)snprintf(text, size, "port %s kicks without frames, and is not heard", name);
		break;
	case VS_PARK_UNDONE:
		(void)snprintf(text, size, "port %s has frames that wait for its device", name);
		break;
	case VS_PARK_NO_BELL:
		(void)snprintf(text, size, "port %s has no descriptor to sleep on", name);
		break;
	case VS_PARK_NO_POLL:
		(void)snprintf(text, size, "the kernel does not wait for port %s", name);
		break;
	case VS_PARK_TOLD:
		(void)snprintf(text, size, "told to poll");
		break;
	}
}

int vs_worker_each(struct vs_model *m, int (*visit)(const struct vs_worker_view *view, void *ctx),
		   void *ctx)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < m->env.n_workers && err == 0; i++) {
		const struct vs_worker_config *config = vs_worker_config(m->env.workers[i]);
		struct vs_worker_stats stats;
		struct vs_worker_view view;

		vs_worker_stats(m->env.workers[i], &stats);
		view = (struct vs_worker_view){
			.id = config->index,
			.cpu = config->cpu,
			.node = config->node,
			.total_cycles = stats.total_cycles,
			.busy_cycles = stats.busy_cycles,
			.frames = stats.frames,
			.rounds = stats.rounds,
			.naps = stats.naps,
			.tsc_hz = stats.tsc_hz,
			.events_lost = events_lost_by(m, i),
			.state = worker_state(stats.state),
			.parks = stats.park.parks,
			.wakes = stats.park.wakes,
			.idle_wakes = stats.park.idle_wakes,
			.asleep_cycles = stats.park.asleep_cycles,
			.load = m->places.worker[i].mean,
		};
		model_place_say_stay(m, i, view.stays, sizeof(view.stays));
		say_why(m, &stats.park, view.awake_for, sizeof(view.awake_for));
		count_work(m, i, &view);
		err = visit(&view, ctx);
	}
	return err;
}

uint64_t vs_stats_tsc_age_ms(uint64_t when_tsc)
{
	uint64_t now = rte_rdtsc();

	return now > when_tsc ? (now - when_tsc) / (rte_get_tsc_hz() / 1000) : 0;
}

/* Everything the audit looks at, summed over the workers, each read between two rounds. */
struct books {
	struct vs_port_stats port[VS_PORTS_MAX];
	struct vs_switch_stats sw[VS_SWITCHES_MAX];
};

static void read_books(struct vs_ctx *ctx, void *arg)
{
	struct books *books = arg;
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (ctx->port_stats[i])
			add_counters(&books->port[i], ctx->port_stats[i]);
	}
	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		const struct vs_switch_stats *s = &ctx->switch_stats[i];

		books->sw[i].flood_copies += s->flood_copies;
		books->sw[i].extra_segments += s->extra_segments;
		books->sw[i].merged += s->merged;
		books->sw[i].generated += s->generated;
		books->sw[i].encapsulated += s->encapsulated;
	}
}

struct audit {
	int (*visit)(const struct vs_audit_view *view, void *ctx);
	void *ctx;
};

static int audit_ingress(const struct audit *a, const char *name, const char *sw,
			 const struct vs_port_stats *s)
{
	uint64_t dropped = vs_stats_drops(s, VS_DROP_SIDE_IN);
	struct vs_audit_view view = {
		.sum = VS_AUDIT_INGRESS,
		.name = name,
		.sw = sw,
		.left = s->received,
		.right = s->forwarded + s->flooded + s->consumed + dropped,
	};

	(void)snprintf(view.terms, sizeof(view.terms),
		       "received %" PRIu64 " = forwarded %" PRIu64 " + flooded %" PRIu64
		       " + consumed %" PRIu64 " + dropped %" PRIu64,
		       s->received, s->forwarded, s->flooded, s->consumed, dropped);
	return a->visit(&view, a->ctx);
}

static int audit_egress(const struct audit *a, const char *name, const char *sw,
			const struct vs_port_stats *s)
{
	uint64_t dropped = vs_stats_drops(s, VS_DROP_SIDE_OUT);
	struct vs_audit_view view = {
		.sum = VS_AUDIT_EGRESS,
		.name = name,
		.sw = sw,
		.left = s->attempts,
		.right = s->sent + dropped + s->held,
	};

	(void)snprintf(view.terms, sizeof(view.terms),
		       "attempts %" PRIu64 " = sent %" PRIu64 " + dropped %" PRIu64
		       " + held %" PRIu64,
		       s->attempts, s->sent, dropped, s->held);
	return a->visit(&view, a->ctx);
}

static int audit_port(const struct audit *a, const char *name, const char *sw,
		      const struct vs_port_stats *s)
{
	int err = audit_ingress(a, name, sw, s);

	return err ? err : audit_egress(a, name, sw, s);
}

static int audit_switch(const struct audit *a, const struct vs_switch *sw,
			const struct vs_port_stats *all, const struct vs_switch_stats *s)
{
	struct vs_audit_view view = {
		.sum = VS_AUDIT_SWITCH,
		.name = sw->name,
		.sw = sw->name,
		.left = all->attempts,
		.right = all->forwarded + s->flood_copies + s->extra_segments - s->merged +
			 s->generated + s->encapsulated,
	};

	(void)snprintf(view.terms, sizeof(view.terms),
		       "attempts %" PRIu64 " = forwarded %" PRIu64 " + flood copies %" PRIu64
		       " + extra segments %" PRIu64 " - merged %" PRIu64 " + generated %" PRIu64
		       " + encapsulated %" PRIu64,
		       all->attempts, all->forwarded, s->flood_copies, s->extra_segments, s->merged,
		       s->generated, s->encapsulated);
	return a->visit(&view, a->ctx);
}

/* All sums of one switch. */
static int audit_one(const struct vs_model *m, const struct audit *a, const struct vs_switch *sw,
		     const struct books *books)
{
	struct vs_port_stats all = sw->gone;
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_PORTS_MAX && err == 0; i++) {
		if (!m->port[i] || m->port[i]->sw != sw)
			continue;
		add_counters(&all, &books->port[i]);
		err = audit_port(a, m->port[i]->name, sw->name, &books->port[i]);
	}
	if (!err && (sw->gone.received || sw->gone.attempts))
		err = audit_port(a, "(deleted ports)", sw->name, &sw->gone);
	return err ? err : audit_switch(a, sw, &all, &books->sw[sw->index]);
}

int vs_audit_each(struct vs_model *m, int (*visit)(const struct vs_audit_view *view, void *ctx),
		  void *ctx, struct vs_fail *fail)
{
	const struct audit audit = {.visit = visit, .ctx = ctx};
	struct books *books = calloc(1, sizeof(*books));
	unsigned int i;
	int err = 0;

	if (!books)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for the audit");
	for (i = 0; i < m->env.n_workers && err == 0; i++)
		err = vs_worker_call(m->env.workers[i], read_books, books);
	if (err) {
		(void)vs_fail_set(fail, err, 0, "a worker did not answer: %s", strerror(-err));
		goto out;
	}
	for (i = 0; i < VS_SWITCHES_MAX && err == 0; i++) {
		if (m->sw[i])
			err = audit_one(m, &audit, m->sw[i], books);
	}
out:
	free(books);
	return err;
}
