/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queues of uplinks: who has one, with which filters, and in which state it is.
 *
 * DOC: theory of operation
 *
 * Who has a queue follows from what is configured, anew for each snapshot: every port of a guest
 * that has an address and a weight, on a switch with an uplink whose queues are on. If there are
 * fewer queues than that, those of greater weight have them, and of equal weight the older ports.
 * All others share the default queue, which takes every frame that no filter matches.
 *
 * The filters of a queue are the port's static entries in the FDB: its own address on each VLAN
 * that it is on, and those entered by the user. So a frame goes the same way with and without
 * queues. A queue has VS_VMQ_FILTERS_MAX filters at most; what is beyond them is the default
 * queue's.
 *
 * A queue's number is its port's, and 0 is the default one. Its state (vmq/vmq.h) is stepped on
 * where a snapshot is published: the grace period stands between "cleared" and "stopped". Buffers
 * of the sorted frames are the uplink's, given back at the end of each visit, and so before that.
 */
#include "control/model_priv.h"
#include "control/port_kind.h"
#include "dataplane/core/log.h"
#include "vmq/vmq.h"

#include <rte_random.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- filters */

/** struct filters - who is told of the filters of a queue; @visit NULL: they are only counted */
struct filters {
	void (*visit)(const struct rte_ether_addr *mac, uint16_t vid, void *ctx);
	void *ctx;
	uint32_t n;
};

static void filter(struct filters *f, const struct rte_ether_addr *mac, uint16_t vid)
{
	if (f->visit && f->n < VS_VMQ_FILTERS_MAX)
		f->visit(mac, vid, f->ctx);
	f->n++;
}

/* All that the port would have, in f->n; only the first VS_VMQ_FILTERS_MAX are visited. */
static void each_filter(const struct vs_port *port, struct filters *f)
{
	bool own = !rte_is_zero_ether_addr(&port->mac);
	unsigned int vid;
	uint32_t i;

	for (vid = 0; own && vid < VS_VIDS_MAX; vid++) {
		if (model_vlan_has(port, (uint16_t)vid))
			filter(f, &port->mac, (uint16_t)vid);
	}
	for (i = 0; i < port->n_statics; i++)
		filter(f, &port->statics[i].mac, port->statics[i].vid);
}

static uint32_t count_filters(const struct vs_port *port)
{
	struct filters f = {0};

	each_filter(port, &f);
	return f.n;
}

/* ---- who has a queue */

static bool is_candidate(const struct vs_port *port)
{
	return port->kind->role == VS_ROLE_GUEST && port->vmq_weight &&
	       (!rte_is_zero_ether_addr(&port->mac) || port->n_statics);
}

static int by_weight(const void *a, const void *b)
{
	const struct vs_port *x = *(struct vs_port *const *)a;
	const struct vs_port *y = *(struct vs_port *const *)b;

	if (x->vmq_weight != y->vmq_weight)
		return x->vmq_weight < y->vmq_weight ? 1 : -1;
	return (x->serial > y->serial) - (x->serial < y->serial);
}

/* Queues that @sw may have besides the default one. */
static unsigned int queues_max(const struct vs_switch *sw)
{
	const struct vs_port *uplink = model_uplink(sw);
	unsigned int n = sw->vmq_queues ? sw->vmq_queues : VS_PORTS_MAX;

	return model_vmq_is_sorted(sw) ? RTE_MIN(n, uplink->kind->queues_max(uplink)) : n;
}

/* The ports of @sw that have a queue, in @list (VS_PORTS_MAX). Return: how many. */
static unsigned int choose(const struct vs_switch *sw, const struct vs_port **list)
{
	unsigned int n = 0;
	unsigned int i;

	if (sw->vmq == VS_VMQ_OFF || !model_uplink(sw))
		return 0;
	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = sw->m->port[i];

		if (port && port->sw == sw && is_candidate(port))
			list[n++] = port;
	}
	qsort(list, n, sizeof(*list), by_weight);
	return RTE_MIN(n, queues_max(sw));
}

/** struct wish - who is told of a port's filters */
struct wish {
	void (*visit)(uint16_t port, const struct rte_ether_addr *mac, uint16_t vid, void *ctx);
	void *ctx;
	uint16_t port;
};

static void wish_one(const struct rte_ether_addr *mac, uint16_t vid, void *ctx)
{
	const struct wish *wish = ctx;

	wish->visit(wish->port, mac, vid, wish->ctx);
}

void model_vmq_each_wish(const struct vs_switch *sw,
			 void (*visit)(uint16_t port, const struct rte_ether_addr *mac,
				       uint16_t vid, void *ctx),
			 void *ctx)
{
	const struct vs_port *list[VS_PORTS_MAX];
	unsigned int n = choose(sw, list);
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct wish wish = {.visit = visit, .ctx = ctx, .port = list[i]->id};
		struct filters f = {.visit = wish_one, .ctx = &wish};

		each_filter(list[i], &f);
	}
}

/* ---- the snapshot */

static bool has_queue(const struct vs_conf *conf, uint16_t id)
{
	return conf->has_queue[id / 64] >> (id % 64) & 1;
}

/** struct table - where the filters of @port go */
struct table {
	struct vs_vmq *vmq;
	uint16_t port;
};

static void enter(const struct rte_ether_addr *mac, uint16_t vid, void *ctx)
{
	const struct table *t = ctx;

	/* What does not go in is the default queue's, and so it is not lost. */
	(void)vs_vmq_add(t->vmq, mac, vid, t->port);
}

/* Whose queue pairs of the uplink are. A port that is gone, or has no queue now, has none. */
static void fill_owners(const struct vs_conf *conf, const struct vs_port *uplink,
			struct vs_vmq *vmq)
{
	unsigned int pair;

	if (!model_vmq_is_sorted(uplink->sw))
		return;
	for (pair = 0; pair < conf->port[uplink->id].pairs; pair++) {
		uint16_t port = uplink->kind->owner(uplink, pair);

		if (port != VS_VMQ_DEFAULT && has_queue(conf, port))
			vmq->owner[pair] = port;
	}
}

static int fill_switch(struct vs_conf *conf, const struct vs_switch *sw)
{
	const struct vs_port *list[VS_PORTS_MAX];
	unsigned int n = choose(sw, list);
	uint32_t filters = 0;
	struct vs_vmq *vmq;
	unsigned int i;

	if (sw->vmq == VS_VMQ_OFF || !model_uplink(sw))
		return 0;
	for (i = 0; i < n; i++)
		filters += RTE_MIN(count_filters(list[i]), (uint32_t)VS_VMQ_FILTERS_MAX);
	vmq = vs_vmq_new(filters, rte_rand());
	if (!vmq)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct table table = {.vmq = vmq, .port = list[i]->id};
		struct filters f = {.visit = enter, .ctx = &table};

		each_filter(list[i], &f);
		conf->has_queue[list[i]->id / 64] |= UINT64_C(1) << (list[i]->id % 64);
	}
	fill_owners(conf, model_uplink(sw), vmq);
	conf->vmq[conf->n_vmqs++] = vmq;
	conf->port[model_uplink(sw)->id].vmq = conf->n_vmqs;
	conf->port[model_uplink(sw)->id].path = VS_PATH_QUEUES;
	return 0;
}

int model_vmq_fill(struct vs_conf *conf, const struct vs_model *m)
{
	unsigned int n = 0;
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_SWITCHES_MAX; i++)
		n += m->sw[i] && m->sw[i]->vmq != VS_VMQ_OFF;
	if (n == 0)
		return 0;
	conf->vmq = calloc(n, sizeof(struct vs_vmq *));
	if (!conf->vmq)
		return -ENOMEM;
	for (i = 0; i < VS_SWITCHES_MAX && err == 0; i++) {
		if (m->sw[i])
			err = fill_switch(conf, m->sw[i]);
	}
	return err;
}

void model_vmq_free(struct vs_conf *conf)
{
	while (conf->n_vmqs > 0)
		vs_vmq_free(conf->vmq[--conf->n_vmqs]);
	free(conf->vmq);
}

/* ---- states */

static void step(struct vs_port *port, enum vs_vmq_event event)
{
	int next = vs_vmq_step(port->vmq_state, event);

	if (next < 0)
		vs_log(VS_LOG_ERROR, "port %s: its queue is %s, and cannot do step %d", port->name,
		       vs_vmq_state_name(port->vmq_state), (int)event);
	else
		port->vmq_state = (enum vs_vmq_state)next;
}

void model_vmq_prepare(struct vs_model *m, const struct vs_conf *conf)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		struct vs_port *port = m->port[i];

		if (!port)
			continue;
		if (has_queue(conf, port->id)) {
			if (port->vmq_state == VS_VMQ_FREE)
				step(port, VS_VMQ_ALLOCATE);
			step(port, VS_VMQ_SET_FILTER);
		} else if (port->vmq_state != VS_VMQ_FREE) {
			step(port, VS_VMQ_CLEAR);
		}
	}
}

/* No worker has the table that named it, nor a frame out of it. */
static void end(struct vs_port *port)
{
	step(port, VS_VMQ_STOP);
	step(port, VS_VMQ_RETURN);
	step(port, VS_VMQ_RELEASE);
}

void model_vmq_settle(struct vs_model *m, const struct vs_conf *conf)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		struct vs_port *port = m->port[i];

		if (port && has_queue(conf, port->id))
			step(port, VS_VMQ_RUN);
		else if (port && port->vmq_state == VS_VMQ_CLEARED)
			end(port);
	}
}

/* ---- shown */

/** struct text - a list of filters that is being written */
struct text {
	char *at;
	size_t left;
	bool any;
};

_Static_assert(sizeof(((struct vs_vmq_view *)NULL)->filters) >=
		       VS_VMQ_FILTERS_MAX * sizeof(", 00:00:00:00:00:00 untagged"),
	       "all filters of a queue fit");

static void describe(const struct rte_ether_addr *mac, uint16_t vid, void *ctx)
{
	const uint8_t *b = mac->addr_bytes;
	char vlan[16] = "untagged";
	struct text *t = ctx;
	int n;

	if (vid)
		(void)snprintf(vlan, sizeof(vlan), "vlan %u", vid);
	n = snprintf(t->at, t->left, "%s%02x:%02x:%02x:%02x:%02x:%02x %s", t->any ? ", " : "", b[0],
		     b[1], b[2], b[3], b[4], b[5], vlan);
	/* All filters of a queue fit. */
	t->at += n;
	t->left -= (size_t)n;
	t->any = true;
}

static void show_filters(const struct vs_port *port, struct vs_vmq_view *view)
{
	struct text text = {.at = view->filters, .left = sizeof(view->filters)};
	struct filters f = {.visit = describe, .ctx = &text};

	each_filter(port, &f);
	view->wanted = f.n;
}

static const char *why_none(const struct vs_port *port)
{
	if (port->sw->vmq == VS_VMQ_OFF)
		return "the queues of this switch are off (vmq set)";
	if (port->vmq_weight == 0)
		return "its weight is 0 (port set NAME vmq-weight)";
	if (!is_candidate(port))
		return "it has no address (port set NAME mac): nothing to filter by";
	return "more ports than queues, and others weigh more or are older (vmq set, port set NAME "
	       "vmq-weight)";
}

static void count(const struct vs_port *port, struct vs_vmq_view *view)
{
	const struct vs_model *m = port->m;
	unsigned int i;

	for (i = 0; i < m->env.n_workers; i++) {
		const struct vs_port_stats *s =
			vs_worker_ctx(m->env.workers[i])->port_stats[port->id];

		view->frames += vs_stats_read(&s->vmq_frames);
		view->bytes += vs_stats_read(&s->vmq_bytes);
		view->astray += vs_stats_read(&s->vmq_astray);
	}
}

static const char *engine_of(const struct vs_switch *sw)
{
	if (sw->vmq == VS_VMQ_OFF)
		return "off";
	return model_vmq_is_sorted(sw) ? model_uplink(sw)->kind->sorter : "soft";
}

static const char *why_engine(const struct vs_switch *sw)
{
	if (sw->vmq == VS_VMQ_OFF)
		return "switched off: every frame takes the full way";
	if (model_vmq_is_sorted(sw))
		return model_uplink(sw)->kind->sorter_text;
	if (sw->vmq == VS_VMQ_SOFT)
		return "the switch sorts by itself: that was asked for (vmq set)";
	if (sw->vmq_refused[0])
		return sw->vmq_refused;
	return "the switch sorts by itself: this uplink has no filters of its own";
}

/* Who visits the queue of @port: the worker of its first queue pair. */
static unsigned int worker_of(const struct vs_port *port)
{
	const struct vs_port *uplink = model_uplink(port->sw);
	unsigned int pairs = model_vmq_is_sorted(port->sw) ? uplink->kind->pairs(uplink) : 0;
	unsigned int pair;

	for (pair = 0; pair < pairs; pair++) {
		if (uplink->kind->owner(uplink, pair) == port->id)
			return model_worker_of(port->m, uplink, pair);
	}
	return model_worker_of(port->m, uplink, 0);
}

static void fill_view(const struct vs_port *port, struct vs_vmq_view *view)
{
	const struct vs_switch *sw = port->sw;
	bool is_default = port->kind->role == VS_ROLE_UPLINK;

	*view = (struct vs_vmq_view){
		.sw = sw->name,
		.port = port->name,
		.is_default = is_default,
		.engine = engine_of(sw),
		.reason = why_engine(sw),
		.limit = sw->vmq_queues,
		.weight = port->vmq_weight,
		.has_queue = is_default || port->vmq_state != VS_VMQ_FREE,
		.state = is_default ? "running" : vs_vmq_state_name(port->vmq_state),
		.text = is_default
				? "frames are copied once, by the switch; a card that wrote into a "
				  "guest's memory by itself would let the guest change headers while "
				  "they are judged"
				: NULL,
		.worker = worker_of(port),
	};
	if (!is_default && view->has_queue) {
		view->id = 1u + port->id;
		show_filters(port, view);
	} else if (!is_default) {
		view->text = why_none(port);
		view->state = "default";
	}
	count(port, view);
}

static int visit_switch(const struct vs_switch *sw, struct vs_port *const *list, unsigned int n,
			int (*visit)(const struct vs_vmq_view *view, void *ctx), void *ctx)
{
	const struct vs_port *uplink = model_uplink(sw);
	struct vs_vmq_view view;
	unsigned int i;
	int err;

	fill_view(uplink, &view);
	err = visit(&view, ctx);
	for (i = 0; i < n && err == 0; i++) {
		if (list[i]->sw != sw || list[i]->kind->role != VS_ROLE_GUEST)
			continue;
		fill_view(list[i], &view);
		err = visit(&view, ctx);
	}
	return err;
}

int vs_vmq_each(struct vs_model *m, const char *name,
		int (*visit)(const struct vs_vmq_view *view, void *ctx), void *ctx,
		struct vs_fail *fail)
{
	struct vs_port *list[VS_PORTS_MAX];
	unsigned int n = model_list_ports(m, NULL, list);
	unsigned int i;
	int err = 0;

	if (name && !model_find_switch(m, name))
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'", name);
	for (i = 0; i < VS_SWITCHES_MAX && err == 0; i++) {
		const struct vs_switch *sw = m->sw[i];

		if (sw && model_uplink(sw) && (!name || strcmp(sw->name, name) == 0))
			err = visit_switch(sw, list, n, visit, ctx);
	}
	return err;
}
