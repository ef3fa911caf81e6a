/* SPDX-License-Identifier: BSD-3-Clause */
/* Where queue pairs are, and how they get elsewhere. See model_place.h. */
#include "control/model_place.h"

#include "control/model_priv.h"
#include "control/port_kind.h"
#include "control/proto.h"
#include "dataplane/core/log.h"
#include "dataplane/held.h"

#include <event2/event.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RETRY_US = 1000,
};

/* ---- where they are ---- */

static unsigned int home_of(const struct vs_model *m, const struct model_place *place,
			    unsigned int pair)
{
	return (place->home + pair) % m->env.n_workers;
}

unsigned int model_worker_of(const struct vs_model *m, const struct vs_port *port,
			     unsigned int pair)
{
	return pair < VS_PLACED_PAIRS ? port->place_of.pair[pair].worker
				      : home_of(m, &port->place_of, pair);
}

bool model_place_is_open(const struct vs_port *port, unsigned int pair)
{
	return pair < VS_PLACED_PAIRS && port->place_of.pair[pair].leave != MODEL_PAIR_STAYS;
}

uint8_t model_place_workers(const struct vs_port *port)
{
	unsigned int pairs = RTE_MAX(port->kind->pairs(port), 1u);
	uint32_t seen = 0;
	unsigned int pair;

	for (pair = 0; pair < pairs; pair++)
		seen |= UINT32_C(1) << model_worker_of(port->m, port, pair);
	return (uint8_t)__builtin_popcount(seen);
}

void model_place_begin(struct vs_port *port, uint16_t home)
{
	unsigned int pair;

	port->place_of.home = home;
	for (pair = 0; pair < VS_PLACED_PAIRS; pair++)
		port->place_of.pair[pair].worker =
			(uint16_t)home_of(port->m, &port->place_of, pair);
}

void model_place_like(struct vs_port *port, const struct vs_port *like)
{
	unsigned int pair;

	port->place_of = like->place_of;
	/* Its device is another one: nobody has anything of it. */
	for (pair = 0; pair < VS_PLACED_PAIRS; pair++) {
		port->place_of.pair[pair].leave = MODEL_PAIR_STAYS;
		port->place_of.pair[pair].seen = 0;
	}
	port->place_of.open = 0;
}

/* ---- by hand ---- */

static bool is_auto(const char *text)
{
	return strcmp(text, "auto") == 0;
}

/* Take a worker's number at *@at and the comma behind it. Return: it, or -1: none is there. */
static long take_worker(const char **at)
{
	char *end;
	long worker;

	if (!isdigit((unsigned char)**at))
		return -1;
	worker = strtol(*at, &end, 10);
	if (*end != '\0' && (*end != ',' || end[1] == '\0'))
		return -1;
	*at = *end == ',' ? end + 1 : end;
	return worker;
}

int model_place_check(const struct vs_model *m, const char *text, enum vs_origin origin,
		      struct vs_fail *fail)
{
	const unsigned int most = origin == VS_FROM_RECORD ? VS_WORKERS_MAX : m->env.n_workers;
	const char *at = text;
	unsigned int n;

	if (is_auto(text))
		return 0;
	for (n = 0; n == 0 || *at; n++) {
		long worker = take_worker(&at);

		if (worker < 0)
			return vs_fail_set(fail, -EINVAL, VS_ATTR_PLACE,
					   "'%.40s' is neither 'auto' nor workers such as 1 or 0,1",
					   text);
		if ((unsigned long)worker >= most)
			return vs_fail_set(fail, -ERANGE, VS_ATTR_PLACE,
					   "there is no worker %ld; the last one is %u", worker,
					   most - 1);
	}
	if (n > MODEL_PLACE_LIST)
		return vs_fail_set(fail, -ERANGE, VS_ATTR_PLACE, "%u workers: at most %d are named",
				   n, MODEL_PLACE_LIST);
	return 0;
}

void model_place_format(const struct vs_port *port, char text[MODEL_PLACE_TEXT])
{
	const struct model_place *place = &port->place_of;
	size_t used = 0;
	unsigned int i;

	(void)snprintf(text, MODEL_PLACE_TEXT, "auto");
	for (i = 0; i < place->n; i++)
		used += (size_t)snprintf(text + used, MODEL_PLACE_TEXT - used, "%s%u", i ? "," : "",
					 place->worker[i]);
}

/* Where the list has the pair, or where it begins without one. */
static unsigned int worker_by_list(const struct vs_port *port, unsigned int pair)
{
	const struct model_place *place = &port->place_of;

	return place->worker[place->n ? pair % place->n : 0] % port->m->env.n_workers;
}

/* The pair goes to worker @to in the next two snapshots. */
static void leave(struct vs_port *port, unsigned int pair, unsigned int to,
		  const struct vs_move *why)
{
	struct model_pair *p = &port->place_of.pair[pair];

	/* Somebody has it in mind already: who visited it last is not changed by that. */
	if (p->leave == MODEL_PAIR_STAYS) {
		p->before = p->worker;
		p->leave_tsc = rte_rdtsc();
		p->leave = MODEL_PAIR_LEAVES;
		port->place_of.open++;
		port->m->places.open = true;
	}
	p->worker = (uint16_t)to;
	p->last = *why;
	p->moves++;
	p->moved_tsc = rte_rdtsc();
}

/* Does a worker visit the pair now? Otherwise it can be put anywhere. */
static bool is_visited(const struct vs_port *port, unsigned int pair)
{
	return port->m->conf && pair < port->m->conf->port[port->id].pairs;
}

void model_place_set(struct vs_port *port, const char *text)
{
	struct model_place *place = &port->place_of;
	const struct vs_controller_worker *worker = port->m->places.worker;
	const char *at = text;
	unsigned int pair;

	place->n = 0;
	/* They stay where they are, from where the controller may move them. */
	if (is_auto(text))
		return;
	while (*at && place->n < MODEL_PLACE_LIST)
		place->worker[place->n++] = (uint8_t)take_worker(&at);
	for (pair = 0; pair < VS_PLACED_PAIRS; pair++) {
		struct model_pair *p = &place->pair[pair];
		unsigned int to = worker_by_list(port, pair);
		const struct vs_move why = {
			.why = VS_MOVE_HAND,
			.from = p->worker,
			.to = (uint16_t)to,
			.from_load = worker[p->worker].mean,
			.to_load = worker[to].mean,
			.queue_load = p->queue.mean,
		};

		if (p->worker == to)
			continue;
		if (is_visited(port, pair) || p->leave != MODEL_PAIR_STAYS)
			leave(port, pair, to, &why);
		else
			p->worker = (uint16_t)to;
	}
}

int model_place_move(struct vs_port *port, unsigned int pair, const struct vs_move *move)
{
	const struct model_pair before = port->place_of.pair[pair];
	const uint8_t open = port->place_of.open;
	int err;

	leave(port, pair, move->to, move);
	err = model_publish(port->m);
	if (err) {
		/* Nobody has seen it. */
		port->place_of.pair[pair] = before;
		port->place_of.open = open;
		return err;
	}
	model_place_settle(port->m);
	return 0;
}

/* ---- on the way ---- */

/* Give every pair that may be on the way to @visit. */
static void each_pair(struct vs_model *m, void (*visit)(struct vs_port *port, unsigned int pair))
{
	unsigned int pair;
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		struct vs_port *port = m->port[i];

		for (pair = 0; port && port->place_of.open && pair < VS_PLACED_PAIRS; pair++)
			visit(port, pair);
	}
}

static void note_left(struct vs_port *port, unsigned int pair)
{
	struct model_pair *p = &port->place_of.pair[pair];

	if (p->leave == MODEL_PAIR_LEAVES)
		p->leave = MODEL_PAIR_LEFT;
}

void model_place_left(struct vs_model *m)
{
	if (m->places.open)
		each_pair(m, note_left);
}

/* Has the card taken all that was given to it? Asked so a port only says so (see xdp_ops.c). */
static bool is_sent(const struct vs_port_hot *port)
{
	unsigned int pair;

	if (!(port->flags & VS_PORT_TX_BY_WORKER) || !port->ops || !port->ops->wish)
		return true;
	for (pair = 0; pair < port->pairs; pair++) {
		if (!port->ops->wish(port->dev, pair, VS_BELL_MUTE))
			return false;
	}
	return true;
}

static bool is_patient(const struct vs_model *m, const struct model_pair *p)
{
	return rte_rdtsc() - p->leave_tsc < m->places.patience;
}

/* Is all that the old worker took from the pair on its way? */
static bool is_drained(const struct vs_port *port, const struct model_pair *p)
{
	const struct vs_conf *conf = port->m->conf;
	unsigned int i;

	/* Frames of its other pairs may be held there for ever, of a receiver that many send to. */
	if (vs_held_from(vs_worker_ctx(port->m->env.workers[p->before]), port->id) &&
	    is_patient(port->m, p))
		return false;
	for (i = 0; i < conf->n_ports; i++) {
		if (!is_sent(&conf->port[conf->ids[i]]) && is_patient(port->m, p))
			return false;
	}
	return true;
}

/* Does a worker know the port through another pair? */
static bool has_others(const struct vs_port *port, unsigned int pair, unsigned int worker)
{
	const unsigned int pairs = port->kind->pairs(port);
	unsigned int i;

	for (i = 0; i < pairs; i++) {
		if (i != pair && model_worker_of(port->m, port, i) == worker)
			return true;
	}
	return false;
}

/* What the port has sent of late counts at its new worker: a move gives it nothing. */
static void carry_limits(const struct vs_port *port, unsigned int pair, const struct model_pair *p)
{
	struct vs_worker *const *workers = port->m->env.workers;

	if (p->worker != p->before && !has_others(port, pair, p->before) &&
	    !has_others(port, pair, p->worker))
		vs_worker_ctx(workers[p->worker])->pace[port->id] =
			vs_worker_ctx(workers[p->before])->pace[port->id];
}

uint64_t model_place_count(const struct vs_port *port, unsigned int pair)
{
	const struct vs_ctx *ctx =
		vs_worker_ctx(port->m->env.workers[port->place_of.pair[pair].worker]);

	return vs_stats_read(&ctx->port_stats[port->id]->pair_cycles[pair]);
}

/* Nobody visits the pair: it is control's until the next snapshot. */
static void hand_over(struct vs_port *port, unsigned int pair)
{
	const struct vs_port_ops *ops = port->kind->ops;
	struct model_pair *p = &port->place_of.pair[pair];

	if (port->dev && ops->wish && pair < port->kind->pairs(port))
		(void)ops->wish(port->dev, pair, VS_BELL_MUTE);
	carry_limits(port, pair, p);
	p->seen = model_place_count(port, pair);
	p->leave = MODEL_PAIR_STAYS;
	port->place_of.open--;
}

static void settle_pair(struct vs_port *port, unsigned int pair)
{
	struct model_pair *p = &port->place_of.pair[pair];

	if (p->leave == MODEL_PAIR_LEFT && is_drained(port, p)) {
		hand_over(port, pair);
		port->m->places.due = true;
	} else if (p->leave != MODEL_PAIR_STAYS) {
		port->m->places.open = true;
	}
}

void model_place_settle(struct vs_model *m)
{
	const struct timeval soon = {.tv_usec = RETRY_US};
	struct model_places *places = &m->places;

	if (m->txn || (!places->open && !places->due))
		return;
	places->open = false;
	each_pair(m, settle_pair);
	if (places->due && model_publish(m) == 0)
		places->due = false;
	if ((places->open || places->due) && places->retry)
		(void)event_add(places->retry, &soon);
}
