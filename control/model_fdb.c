/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses: learning what the workers saw, ageing, flushing, showing. */
#include "control/model_resolve.h"
#include "control/model_txn.h"
#include "control/port_kind.h"

#include "control/proto.h"
#include "dataplane/core/clock.h"
#include "dataplane/core/log.h"

#include <errno.h>
#include <stdio.h>

enum {
	EVENTS_AT_ONCE = 64,
	/* Notices a second of one kind that guests can provoke. */
	NOTICES_PER_SECOND = 20,
};

static uint32_t now_s(void)
{
	return vs_clock_seconds(rte_rdtsc());
}

/* One address less was learnt from port @id, if there is one: it is below its limit again. */
static void count_lost(struct vs_model *m, uint16_t id)
{
	struct vs_port *port = id < VS_PORTS_MAX ? m->port[id] : NULL;

	if (!port)
		return;
	port->macs--;
	port->max_macs_told = false;
}

void model_fdb_lost(const struct vs_fdb_entry *e, void *model)
{
	if (e->kind == VS_FDB_LEARNT)
		count_lost(model, e->port);
}

int model_fdb_remove(struct vs_switch *sw, const struct vs_fdb_filter *filter)
{
	if (model_txn_is_open(sw->m))
		return model_pending_remove(sw, filter);
	if (vs_fdb_remove(sw->fdb, filter, model_fdb_lost, sw->m) > 0)
		sw->fdb_full_told = false;
	return 0;
}

int model_fdb_enter(struct vs_switch *sw, uint16_t fid, const struct rte_ether_addr *mac,
		    uint16_t port)
{
	struct vs_fdb_entry *e;
	uint16_t old = VS_FDB_NO_PORT;

	if (model_txn_is_open(sw->m))
		return model_pending_enter(sw, fid, mac, port);
	e = vs_fdb_find(sw->fdb, fid, mac);
	/* It stops being a learnt one, wherever it was learnt. */
	if (e && e->kind == VS_FDB_LEARNT)
		model_fdb_lost(e, sw->m);
	if (vs_fdb_learn(sw->fdb, fid, mac, port, VS_FDB_STATIC, now_s(), &old) == VS_FDB_FULL)
		return -ENOSPC;
	return 0;
}

/* An address of the port's own is on all its VLANs. */
static int learn_own(struct vs_port *port, const struct rte_ether_addr *mac)
{
	unsigned int vid;
	int err = 0;

	for (vid = 0; vid < VS_VIDS_MAX && err == 0 && !rte_is_zero_ether_addr(mac); vid++) {
		uint16_t fid = port->sw->fid_of_vid[vid];

		if (fid && model_vlan_has(port, (uint16_t)vid))
			err = model_fdb_enter(port->sw, fid, mac, port->id);
	}
	return err;
}

int model_learn_static(struct vs_port *port)
{
	uint32_t i;
	int err;

	err = learn_own(port, &port->mac);
	if (!err)
		err = learn_own(port, &port->host_mac);
	for (i = 0; i < port->n_statics && err == 0; i++) {
		const struct vs_static *s = &port->statics[i];
		uint16_t fid = port->sw->fid_of_vid[s->vid];

		if (fid)
			err = model_fdb_enter(port->sw, fid, &s->mac, port->id);
	}
	return err;
}

int model_forget_port(struct vs_port *port, enum vs_fdb_kind up_to)
{
	const struct vs_fdb_filter filter = {
		.what = up_to == VS_FDB_STATIC ? VS_FDB_OF_PORT : VS_FDB_LEARNT_OF_PORT,
		.port = port->id,
	};

	return model_fdb_remove(port->sw, &filter);
}

/* Return: true when the port may have one more address learnt. */
static bool below_limit(struct vs_port *port)
{
	if (port->macs < port->max_macs)
		return true;
	if (!port->max_macs_told) {
		port->max_macs_told = true;
		model_tell(port->m, VS_NOTICE_MAC_LIMIT, port->sw, port, NULL,
			   "as many addresses as max-macs allows; others are flooded");
	}
	return false;
}

static void tell_move(struct vs_port *port, uint16_t old, const struct rte_ether_addr *mac)
{
	static struct vs_pace pace;
	const struct vs_port *from = old < VS_PORTS_MAX ? port->m->port[old] : NULL;
	char text[VS_NAME_MAX + 16];

	if (!vs_pace_admit(&pace, rte_rdtsc(), NOTICES_PER_SECOND))
		return;
	(void)snprintf(text, sizeof(text), "from port %s", from ? from->name : "?");
	model_tell(port->m, VS_NOTICE_MAC_MOVED, port->sw, port, mac, text);
}

static void table_full(struct vs_port *port, const struct rte_ether_addr *mac)
{
	struct vs_switch *sw = port->sw;

	sw->fdb_full++;
	if (sw->fdb_full_told)
		return;
	sw->fdb_full_told = true;
	vs_log(VS_LOG_WARNING,
	       "switch %s: the address table is full (%u); frames to other addresses are flooded",
	       sw->name, vs_fdb_size(sw->fdb));
	model_tell(port->m, VS_NOTICE_FDB_FULL, sw, port, mac,
		   "the address table is full; frames to other addresses are flooded");
}

static void learn(struct vs_port *port, const struct vs_event *ev)
{
	struct vs_fdb_entry *e;
	uint16_t old = VS_FDB_NO_PORT;

	/* The worker may have judged by a configuration that has been replaced since. */
	if (port->m->fid[ev->fid].sw != port->sw ||
	    !model_vlan_has(port, port->m->fid[ev->fid].vid) || !rte_is_zero_ether_addr(&port->mac))
		return;
	e = vs_fdb_find(port->sw->fdb, ev->fid, &ev->mac);
	if (e && (e->port == port->id || e->kind == VS_FDB_STATIC))
		return;
	if (!below_limit(port))
		return;
	switch (vs_fdb_learn(port->sw->fdb, ev->fid, &ev->mac, port->id, VS_FDB_LEARNT, now_s(),
			     &old)) {
	case VS_FDB_NEW:
		port->macs++;
		break;
	case VS_FDB_MOVED:
		port->macs++;
		count_lost(port->m, old);
		tell_move(port, old, &ev->mac);
		break;
	case VS_FDB_FULL:
		table_full(port, &ev->mac);
		break;
	case VS_FDB_KNOWN:
	case VS_FDB_HELD:
		break;
	}
}

static void take_event(struct vs_model *m, const struct vs_event *ev)
{
	struct vs_port *port = ev->port < VS_PORTS_MAX ? m->port[ev->port] : NULL;

	if (!port)
		return;
	switch ((enum vs_event_type)ev->type) {
	case VS_EVENT_LEARN:
		learn(port, ev);
		break;
	case VS_EVENT_FAULT:
		if (port->kind->check)
			port->kind->check(port);
		break;
	case VS_EVENT_STORM:
		model_tell(m, VS_NOTICE_STORM, port->sw, port, NULL,
			   "floods more than its storm limit; the excess is dropped");
		break;
	}
}

void model_drain(struct vs_model *m)
{
	struct vs_event ev[EVENTS_AT_ONCE];
	unsigned int i;
	unsigned int w;
	unsigned int n;

	if (model_txn_is_open(m))
		return;
	for (w = 0; w < m->env.n_workers; w++) {
		struct vs_event_ring *er = &vs_worker_ctx(m->env.workers[w])->events;

		while ((n = vs_event_pop(er, ev, EVENTS_AT_ONCE)) > 0) {
			for (i = 0; i < n; i++)
				take_event(m, &ev[i]);
		}
	}
	model_resolve_drain(m);
}

void model_age(struct vs_model *m)
{
	unsigned int i;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		struct vs_fdb_filter filter = {.what = VS_FDB_SEEN_BEFORE};

		if (!m->sw[i] || m->sw[i]->fdb_ageing_s == 0)
			continue;
		filter.before = now_s() - m->sw[i]->fdb_ageing_s;
		(void)model_fdb_remove(m->sw[i], &filter);
	}
}

struct walk {
	struct vs_model *m;
	const struct vs_switch *sw;
	uint32_t now_s;
	int (*visit)(const struct vs_fdb_view *view, void *ctx);
	void *ctx;
};

static enum vs_fdb_origin origin_of(const struct vs_port *port, const struct rte_ether_addr *mac,
				    const struct vs_fdb_entry *e)
{
	if (e->kind == VS_FDB_LEARNT)
		return VS_FDB_ORIGIN_LEARNT;
	if (!port)
		return VS_FDB_ORIGIN_CLUSTER;
	if (rte_is_same_ether_addr(&port->mac, mac) || rte_is_same_ether_addr(&port->host_mac, mac))
		return VS_FDB_ORIGIN_GIVEN;
	return VS_FDB_ORIGIN_STATIC;
}

static int show_entry(uint16_t fid, const struct rte_ether_addr *mac, const struct vs_fdb_entry *e,
		      void *ctx)
{
	const struct walk *walk = ctx;
	const struct vs_port *port = e->port < VS_PORTS_MAX ? walk->m->port[e->port] : NULL;
	const struct vs_fdb_view view = {
		.sw = walk->sw->name,
		.port = port ? port->name : "",
		.mac = *mac,
		.vlan = walk->m->fid[fid].vid,
		/* A worker may see the address while it is being shown. */
		.age_s = (int32_t)(walk->now_s - e->seen) > 0 ? walk->now_s - e->seen : 0,
		.origin = origin_of(port, mac, e),
	};

	return walk->visit(&view, walk->ctx);
}

int vs_fdb_each(struct vs_model *m, const char *sw,
		int (*visit)(const struct vs_fdb_view *view, void *ctx), void *ctx,
		struct vs_fail *fail)
{
	struct walk walk = {.m = m, .now_s = now_s(), .visit = visit, .ctx = ctx};
	unsigned int i;
	int err = 0;

	if (sw && !model_find_switch(m, sw))
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'", sw);
	model_drain(m);
	for (i = 0; i < VS_SWITCHES_MAX && err == 0; i++) {
		walk.sw = m->sw[i];
		if (!walk.sw || (sw && walk.sw != model_find_switch(m, sw)))
			continue;
		err = vs_fdb_walk(walk.sw->fdb, show_entry, &walk);
	}
	return err;
}

static int flush(struct vs_model *m, const char *name, struct vs_fail *fail)
{
	const struct vs_fdb_filter filter = {.what = VS_FDB_ALL_LEARNT};
	struct vs_switch *sw = model_find_switch(m, name);
	int err;

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'", name);
	err = model_involve_switch(sw, fail);
	if (!err && model_fdb_remove(sw, &filter) != 0)
		err = vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
	if (!err)
		model_tell(m, VS_NOTICE_FDB_FLUSHED, sw, NULL, NULL, NULL);
	return err;
}

int vs_fdb_flush_switch(struct vs_model *m, const char *name, struct vs_fail *fail)
{
	int part;

	/* Addresses on their way from a worker were seen before the flush: they go too. */
	model_drain(m);
	part = model_txn_enter(m, fail);
	return part < 0 ? part : model_txn_leave(m, part, flush(m, name, fail), fail);
}
