/* SPDX-License-Identifier: BSD-3-Clause */
/* How loaded workers and queue pairs are, the controller's clock, and what is shown of both. */
#include "control/model_place.h"

#include "control/model_priv.h"
#include "control/port_kind.h"
#include "control/proto.h"
#include "dataplane/core/log.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>

enum {
	PAIRS_MAX = 8 * VS_PORTS_MAX,
	/* Two samples closer than this say nothing: the second one was late, this one is not. */
	SAMPLE_MIN_MS = VS_PLACE_TICK_MS / 2,
};

/** struct sampled - the queue pairs that one tick looked at; control thread only */
static struct {
	unsigned int n;
	struct vs_controller_queue *queue[PAIRS_MAX];
	struct vs_port *port[PAIRS_MAX];
	uint8_t pair[PAIRS_MAX];
} sampled;

/* ---- samples ---- */

static void sample_workers(struct vs_model *m)
{
	struct model_places *places = &m->places;
	unsigned int i;

	for (i = 0; i < m->env.n_workers; i++) {
		const struct vs_worker_config *config = vs_worker_config(m->env.workers[i]);
		struct vs_worker_stats stats;

		vs_worker_stats(m->env.workers[i], &stats);
		places->worker[i].busy = stats.busy_cycles - places->busy[i];
		places->worker[i].on_control = config->cpu >= 0 &&
					       config->cpu == m->env.control_cpu;
		places->busy[i] = stats.busy_cycles;
	}
}

static void sample_pair(struct vs_port *port, unsigned int pair)
{
	struct model_pair *p = &port->place_of.pair[pair];
	uint64_t count = model_place_count(port, pair);

	/* A port that went to another switch counts from zero again. */
	p->queue.busy = count > p->seen ? count - p->seen : 0;
	p->seen = count;
	p->queue.worker = p->worker;
	p->queue.hold = port->place_of.n || p->leave != MODEL_PAIR_STAYS ? VS_QUEUE_FIXED
									 : VS_QUEUE_FREE;
	sampled.queue[sampled.n] = &p->queue;
	sampled.port[sampled.n] = port;
	sampled.pair[sampled.n++] = (uint8_t)pair;
}

static void sample_port(struct vs_port *port)
{
	unsigned int pairs = RTE_MIN(port->kind->pairs(port), (unsigned int)VS_PLACED_PAIRS);
	unsigned int pair;

	for (pair = 0; pair < pairs && sampled.n < PAIRS_MAX; pair++)
		sample_pair(port, pair);
}

/* Return: false: it is too early. */
static bool sample(struct vs_model *m, struct vs_controller_input *in)
{
	uint64_t now = rte_rdtsc();
	uint64_t ms = rte_get_tsc_hz() / 1000;
	unsigned int i;

	*in = (struct vs_controller_input){
		.now_ms = now / ms,
		.elapsed = now - m->places.sampled_tsc,
		.worker = m->places.worker,
		.n_workers = m->env.n_workers,
		.queue = sampled.queue,
	};
	if (in->elapsed < ms * SAMPLE_MIN_MS)
		return false;
	m->places.sampled_tsc = now;
	sampled.n = 0;
	sample_workers(m);
	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (m->port[i])
			sample_port(m->port[i]);
	}
	in->n_queues = sampled.n;
	return true;
}

void model_place_sample(struct vs_model *m)
{
	struct vs_controller_input in;

	if (!m->places.tick && sample(m, &in))
		vs_controller_observe(&in);
}

/* ---- the clock ---- */

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_model *m = ctx;
	struct vs_controller_input in;
	struct vs_move move;

	(void)fd;
	(void)what;
	if (!sample(m, &in) || !vs_controller_tick(&in, &move))
		return;
	/* Out of memory: the pair stays, the next tick sees that, and it is tried again. */
	(void)model_place_move(sampled.port[move.queue], sampled.pair[move.queue], &move);
}

static void on_retry(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	model_place_settle(ctx);
}

int model_place_start(struct vs_model *m)
{
	const struct timeval period = {.tv_usec = VS_PLACE_TICK_MS * 1000L};
	struct model_places *places = &m->places;

	places->sampled_tsc = rte_rdtsc();
	places->patience = rte_get_tsc_hz() / 1000 * MODEL_PLACE_PATIENCE_MS;
	places->retry = event_new(m->env.base, -1, 0, on_retry, m);
	if (!places->retry)
		return -ENOMEM;
	if (m->env.placement == VS_PLACEMENT_STATIC || m->env.n_workers < 2)
		return 0;
	places->tick = event_new(m->env.base, -1, EV_PERSIST, on_tick, m);
	return places->tick && event_add(places->tick, &period) == 0 ? 0 : -ENOMEM;
}

void model_place_stop(struct vs_model *m)
{
	if (m->places.tick)
		event_free(m->places.tick);
	if (m->places.retry)
		event_free(m->places.retry);
}

/* ---- what is shown ---- */

/* A load as a whole number of per cent. */
static unsigned int percent(unsigned int load)
{
	return (load + VS_LOAD_ONE / 200) / (VS_LOAD_ONE / 100);
}

static void say_move(const struct vs_move *move, char *text, size_t size)
{
	switch (move->why) {
	case VS_MOVE_NEVER:
		text[0] = '\0';
		break;
	case VS_MOVE_SPREAD:
		(void)snprintf(text, size,
			       "worker %u was above %u %% for %u ticks (%u %%), worker %u was at "
			       "%u %%, this queue pair took %u %%",
			       move->from, percent(VS_SPREAD_LOAD), move->ticks,
			       percent(move->from_load), move->to, percent(move->to_load),
			       percent(move->queue_load));
		break;
	case VS_MOVE_FOLD:
		(void)snprintf(text, size,
			       "worker %u was below %u %% for %u ticks (%u %%), worker %u does that "
			       "as well (%u %%), this queue pair took %u %%",
			       move->from, percent(VS_FOLD_LOAD), move->ticks,
			       percent(move->from_load), move->to, percent(move->to_load),
			       percent(move->queue_load));
		break;
	case VS_MOVE_HAND:
		(void)snprintf(text, size, "by hand, from worker %u to worker %u", move->from,
			       move->to);
		break;
	}
}

static enum vs_placed_by placed_by(const struct vs_model *m, const struct vs_port *port,
				   unsigned int pair)
{
	if (port->place_of.n)
		return VS_PLACED_BY_HAND;
	return m->places.tick && pair < VS_PLACED_PAIRS ? VS_PLACED_BY_CONTROLLER
							: VS_PLACED_BY_HOME;
}

static void fill_view(const struct vs_model *m, const struct vs_port *port, unsigned int pair,
		      struct vs_queue_view *view)
{
	const struct model_pair *p;

	*view = (struct vs_queue_view){
		.port = port->name,
		.sw = port->sw->name,
		.vm = port->vm,
		.pair = pair,
		.worker = model_worker_of(m, port, pair),
		.by = placed_by(m, port, pair),
	};
	if (pair >= VS_PLACED_PAIRS)
		return;
	p = &port->place_of.pair[pair];
	view->load = p->queue.mean;
	view->moves = p->moves;
	view->why = p->last.why;
	view->from = p->last.from;
	view->moved_ms = p->moves ? vs_stats_tsc_age_ms(p->moved_tsc) : 0;
	say_move(&p->last, view->text, sizeof(view->text));
}

int vs_queue_each(struct vs_model *m, const char *name,
		  int (*visit)(const struct vs_queue_view *view, void *ctx), void *ctx,
		  struct vs_fail *fail)
{
	struct vs_port *list[VS_PORTS_MAX];
	unsigned int n = model_list_ports(m, name, list);
	struct vs_queue_view view;
	unsigned int pair;
	unsigned int i;
	int err = 0;

	if (name && n == 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_PORT, "there is no port '%s'", name);
	for (i = 0; i < n && err == 0; i++) {
		unsigned int pairs = list[i]->dev ? list[i]->kind->pairs(list[i]) : 0;

		for (pair = 0; pair < pairs && err == 0; pair++) {
			fill_view(m, list[i], pair, &view);
			err = visit(&view, ctx);
		}
	}
	return err;
}

void model_place_say_stay(const struct vs_model *m, unsigned int worker, char *text, size_t size)
{
	text[0] = '\0';
	if (!m->places.tick)
		return;
	switch ((enum vs_stay_why)m->places.worker[worker].stay) {
	case VS_STAY_NOT:
		break;
	case VS_STAY_TICKS:
		(void)snprintf(text, size, "above %u %%, but not for %d ticks yet",
			       percent(VS_SPREAD_LOAD), VS_SPREAD_TICKS);
		break;
	case VS_STAY_LAST:
		(void)snprintf(text, size, "another worker is helped first");
		break;
	case VS_STAY_FIXED:
		(void)snprintf(text, size, "its load is in queue pairs that are placed by hand");
		break;
	case VS_STAY_RECENT:
		(void)snprintf(text, size, "its load is in queue pairs that came just now");
		break;
	case VS_STAY_NO_BETTER:
		(void)snprintf(text, size, "no move would help");
		break;
	}
}
