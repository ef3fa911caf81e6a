/* SPDX-License-Identifier: BSD-3-Clause */
/* What a transaction touched, and how it is put back. */
#include "control/port_kind.h"

#include "control/model_txn.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_NOTES = 16,
	/* What only the device can take back. */
	DEVICE_CHANGES = VS_PORT_SET_MAC | VS_PORT_SET_MTU | VS_PORT_SET_ADDRS |
			 VS_PORT_SET_MODERATION,
};

static int no_memory(struct vs_fail *fail)
{
	return vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
}

/* The switch has to do with what changes: its numbers are sorted out at the end. */
static struct vs_touched_switch *involve(struct vs_switch *sw)
{
	struct vs_touched_switch *t = sw->touched;

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->sw = sw;
	t->before.kind = sw->kind;
	t->before.share = sw->share;
	t->before.unknown = sw->unknown;
	t->before.fdb_ageing_s = sw->fdb_ageing_s;
	t->before.mtu = sw->mtu;
	t->before.vmq = sw->vmq;
	t->before.vmq_queues = sw->vmq_queues;
	(void)rte_strscpy(t->before.name, sw->name, sizeof(t->before.name));
	(void)rte_strscpy(t->before.uplink, sw->uplink, sizeof(t->before.uplink));
	TAILQ_INSERT_TAIL(&sw->m->txn->switches, t, link);
	sw->touched = t;
	return t;
}

int model_involve_switch(struct vs_switch *sw, struct vs_fail *fail)
{
	return involve(sw) ? 0 : no_memory(fail);
}

int model_touch_switch(struct vs_switch *sw, struct vs_fail *fail)
{
	struct vs_touched_switch *t = involve(sw);

	if (!t)
		return no_memory(fail);
	if (t->recorded)
		return 0;
	t->recorded = true;
	return model_change_switch(sw, false, fail);
}

int model_touch_made_switch(struct vs_switch *sw, struct vs_fail *fail)
{
	struct vs_touched_switch *t = involve(sw);

	if (!t)
		return no_memory(fail);
	t->made = true;
	t->recorded = true;
	return model_change_switch(sw, true, fail);
}

static struct vs_touched_port *touch(struct vs_port *port)
{
	struct vs_touched_port *t = calloc(1, sizeof(*t));

	if (!t || !involve(port->sw)) {
		free(t);
		return NULL;
	}
	t->port = port;
	t->before = *port;
	TAILQ_INSERT_TAIL(&port->m->txn->ports, t, link);
	port->touched = t;
	return t;
}

int model_touch_port(struct vs_port *port, struct vs_fail *fail)
{
	if (port->touched)
		return 0;
	if (!touch(port))
		return no_memory(fail);
	return model_change_port(port, false, fail);
}

int model_touch_made_port(struct vs_port *port, struct vs_fail *fail)
{
	struct vs_touched_port *t = touch(port);

	if (!t)
		return no_memory(fail);
	t->made = true;
	return 0;
}

int model_note_static(struct vs_port *port, const struct vs_static *s, bool added,
		      struct vs_fail *fail)
{
	struct vs_txn *t = port->m->txn;

	if (t->notes == t->notes_room) {
		size_t room = t->notes_room ? 2 * t->notes_room : FIRST_NOTES;
		struct vs_static_note *more = realloc(t->note, room * sizeof(*more));

		if (!more)
			return no_memory(fail);
		t->note = more;
		t->notes_room = room;
	}
	t->note[t->notes++] = (struct vs_static_note){.port = port, .address = *s, .added = added};
	return 0;
}

int model_keep_addrs(struct vs_port *port, struct vs_fail *fail)
{
	struct vs_touched_port *t = port->touched;
	struct vs_port_view view = {.name = port->name};

	if (t->addrs)
		return 0;
	port->kind->info(port, &view);
	t->addrs = strdup(view.host.addrs);
	return t->addrs ? 0 : no_memory(fail);
}

void model_note_set(struct vs_port *port, unsigned int what)
{
	port->touched->set = true;
	port->touched->set_what |= what & DEVICE_CHANGES;
}

/* ---- numbers and places of what goes ---- */

int model_txn_free_id(const struct vs_model *m)
{
	int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (!m->port[i] && !m->txn->gone_port[i])
			return i;
	}
	return -ENOSPC;
}

int model_txn_free_index(const struct vs_model *m)
{
	int i;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		if (!m->sw[i] && !m->txn->gone_sw[i])
			return i;
	}
	return -ENOSPC;
}

const struct vs_port *model_txn_holder(const struct vs_model *m, const char *place)
{
	const struct vs_touched_port *t;

	TAILQ_FOREACH(t, &m->txn->ports, link) {
		if (t->removed && strcmp(t->port->place, place) == 0)
			return t->port;
	}
	return NULL;
}

void model_txn_take_port(struct vs_port *port)
{
	struct vs_model *m = port->m;

	port->touched->removed = true;
	m->port[port->id] = NULL;
	m->txn->gone_port[port->id] = port;
}

void model_txn_take_switch(struct vs_switch *sw)
{
	struct vs_model *m = sw->m;

	sw->touched->removed = true;
	m->sw[sw->index] = NULL;
	m->txn->gone_sw[sw->index] = sw;
}

/* ---- back ---- */

static void undo_statics(struct vs_txn *t)
{
	while (t->notes > 0) {
		const struct vs_static_note *note = &t->note[--t->notes];
		struct vs_port *port = note->port;
		uint32_t i;

		if (!note->added) {
			/* Lists never shrink: there is room for what was on it. */
			port->statics[port->n_statics++] = note->address;
			continue;
		}
		/* What came last is undone first: it is near the end of the list. */
		i = port->n_statics - 1;
		while (i > 0 &&
		       (port->statics[i].vid != note->address.vid ||
			!rte_is_same_ether_addr(&port->statics[i].mac, &note->address.mac)))
			i--;
		port->statics[i] = port->statics[--port->n_statics];
	}
}

/* What is written at other times than in a change goes on by itself. */
static void restore_port(const struct vs_touched_port *t)
{
	struct vs_port *port = t->port;
	struct vs_static *statics = port->statics;
	uint32_t n_statics = port->n_statics;

	free(port->plan);
	*port = t->before;
	port->statics = statics;
	port->n_statics = n_statics;
	port->m->port[port->id] = port;
}

static void restore_switch(const struct vs_touched_switch *t)
{
	struct vs_switch *sw = t->sw;

	sw->kind = t->before.kind;
	sw->share = t->before.share;
	sw->unknown = t->before.unknown;
	sw->fdb_ageing_s = t->before.fdb_ageing_s;
	sw->mtu = t->before.mtu;
	sw->vmq = t->before.vmq;
	sw->vmq_queues = t->before.vmq_queues;
	(void)rte_strscpy(sw->name, t->before.name, sizeof(sw->name));
	(void)rte_strscpy(sw->uplink, t->before.uplink, sizeof(sw->uplink));
	sw->m->sw[sw->index] = sw;
}

/* Ports that were made go; first, as they may be where the others come back to. */
static void undo_made_ports(struct vs_txn *t)
{
	struct vs_touched_port *p;
	struct vs_touched_port *before;

	for (p = TAILQ_LAST(&t->ports, vs_touched_ports); p; p = before) {
		before = TAILQ_PREV(p, vs_touched_ports, link);
		if (!p->made)
			continue;
		TAILQ_REMOVE(&t->ports, p, link);
		if (p->port->m->port[p->port->id] == p->port)
			p->port->m->port[p->port->id] = NULL;
		model_port_undo(p->port);
		free(p->addrs);
		free(p);
	}
}

static void undo_made_switches(struct vs_txn *t)
{
	struct vs_touched_switch *s;
	struct vs_touched_switch *before;

	for (s = TAILQ_LAST(&t->switches, vs_touched_switches); s; s = before) {
		before = TAILQ_PREV(s, vs_touched_switches, link);
		if (!s->made)
			continue;
		TAILQ_REMOVE(&t->switches, s, link);
		if (s->sw->m->sw[s->sw->index] == s->sw)
			s->sw->m->sw[s->sw->index] = NULL;
		model_pending_free(s);
		vs_fdb_free(s->next_fdb);
		s->sw->touched = NULL;
		model_switch_free(s->sw);
		free(s);
	}
}

void model_txn_undo(struct vs_model *m)
{
	struct vs_txn *t = m->txn;
	struct vs_touched_switch *s;
	struct vs_touched_port *p;

	undo_statics(t);
	TAILQ_FOREACH(p, &t->ports, link) {
		if (!p->made)
			restore_port(p);
	}
	undo_made_ports(t);
	/* Tables are written themselves from here on. */
	t->running = true;
	TAILQ_FOREACH(s, &t->switches, link)
		model_pending_free(s);
	undo_made_switches(t);
	TAILQ_FOREACH(s, &t->switches, link)
		restore_switch(s);
	TAILQ_FOREACH(p, &t->ports, link) {
		/* What the device says meanwhile is part of what is undone. */
		p->port->touched = p;
		model_port_restore(p);
	}
}
