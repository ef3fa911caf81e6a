/* SPDX-License-Identifier: BSD-3-Clause */
/* A row of steps on the switch and on the reference, compared after each step that shows. */
#include "tests/oracle/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	AGEING_S = 10,
};

void or_differ(struct or_world *w, const char *format, ...)
{
	va_list args;

	if (w->why[0])
		return;
	va_start(args, format);
	(void)vsnprintf(w->why, sizeof(w->why), format, args);
	va_end(args);
}

/* A new ring: the driver forgets what it had, the switch begins anew. */
static void restart(struct or_world *w, struct or_rng *r, unsigned int port, unsigned int pair,
		    unsigned int side)
{
	struct or_ring *d = &w->ring[port][pair][side];

	d->ring = or_fast_ring(w->fast, port, pair, side);
	or_driver_start(r, d, &w->spec.port[port]);
	or_fast_restart(w, port, pair, side);
}

static void restart_all(struct or_world *w, struct or_rng *r, unsigned int port)
{
	unsigned int pair;

	for (pair = 0; pair < w->spec.port[port].pairs; pair++) {
		restart(w, r, port, pair, 0);
		restart(w, r, port, pair, 1);
	}
}

static void start(struct or_world *w, const struct or_spec *spec)
{
	struct or_rng r = {.state = spec->fdb_size};
	unsigned int i;

	w->spec = *spec;
	/* Not far from the beginning, so that seconds have something to be before. */
	w->now = w->hz * 1000;
	memset(w->counts, 0, sizeof(w->counts));
	memset(w->copies, 0, sizeof(w->copies));
	memset(w->removals, 0, sizeof(w->removals));
	memset(w->storm_debt, 0, sizeof(w->storm_debt));
	memset(w->storm_when, 0, sizeof(w->storm_when));
	w->n_addresses = 0;
	w->n_facts = 0;
	w->why[0] = 0;
	or_fast_start(w);
	for (i = 0; i < spec->n_ports; i++)
		restart_all(w, &r, i);
	for (i = 0; i < OR_CLUSTERS; i++) {
		const struct or_cluster *c = &spec->cluster[i];

		if (!c->used)
			continue;
		or_fast_enter(w, OR_CLUSTER_BASE + i, c->vlan, &c->mac);
		or_address_enter(w, OR_CLUSTER_BASE + i, c->vlan, &c->mac);
	}
}

static void stop(struct or_world *w)
{
	unsigned int port;
	unsigned int pair;

	for (port = 0; port < w->spec.n_ports; port++) {
		for (pair = 0; pair < w->spec.port[port].pairs; pair++) {
			or_driver_stop(&w->ring[port][pair][0]);
			or_driver_stop(&w->ring[port][pair][1]);
		}
	}
	or_fast_stop(w);
}

/* Not a round number of anything: the limits are told from each other. */
static uint64_t some_time(const struct or_world *w, struct or_rng *r)
{
	switch (or_below(r, 4)) {
	case 0:
		return w->hz / 1000 * 3 + 12347;
	case 1:
		return w->hz / 1000 * 11 + 54323;
	case 2:
		return w->hz / 1000 * (50 + or_below(r, 2000)) + 7919;
	default:
		return w->hz * (1 + or_below(r, 2 * AGEING_S)) + 104729;
	}
}

static void forget(struct or_world *w, struct or_rng *r, unsigned int port)
{
	const unsigned int what = or_below(r, OR_FORGETS);
	const unsigned int vlan = or_below(r, OR_VLANS);
	const struct or_mac *mac = &w->spec.mac[or_below(r, OR_MACS)];
	const uint32_t before = or_address_now_s(w) - AGEING_S;

	or_fast_forget(w, what, port, mac, vlan, before);
	or_address_forget(w, (enum or_forget)what, port, mac, vlan, before);
}

/* The user enters addresses on VLANs that the port is on and that are used. */
static void enter(struct or_world *w, struct or_rng *r, unsigned int port)
{
	const unsigned int vlan = or_below(r, OR_VLANS);
	const struct or_mac *mac = &w->spec.mac[or_below(r, OR_MACS - OR_CLUSTERS)];

	if (!or_spec_is_on(&w->spec.port[port], vlan) ||
	    !or_spec_fid(&w->spec, w->spec.port[port].sw, vlan))
		return;
	or_fast_enter(w, port, vlan, mac);
	or_address_enter(w, port, vlan, mac);
}

static void act(struct or_world *w, const struct or_step *step)
{
	struct or_rng r = {.state = step->number};

	switch ((enum or_action)step->action) {
	case OR_SEND:
		or_chain_send(&r, &w->spec, step->port, &w->ring[step->port][step->pair][1]);
		break;
	case OR_POST:
		or_chain_post(&r, &w->spec, step->port, &w->ring[step->port][step->pair][0]);
		break;
	case OR_VISIT:
		or_reference_visit(w, step->port, step->pair,
				   or_fast_visit(w, step->port, step->pair));
		break;
	case OR_LEARN:
		or_fast_learn(w);
		break;
	case OR_TIME:
		w->now += some_time(w, &r);
		break;
	case OR_FORGET:
		forget(w, &r, step->port);
		break;
	case OR_ENTER:
		enter(w, &r, step->port);
		break;
	case OR_CHANGE:
		or_spec_change(&r, &w->spec, step->port);
		or_fast_configure(w);
		break;
	case OR_RESTART:
		restart_all(w, &r, step->port);
		break;
	case OR_ACTIONS:
		break;
	}
}

unsigned int or_run(struct or_world *w, const struct or_spec *spec, const struct or_step *row,
		    unsigned int n)
{
	unsigned int i;

	start(w, spec);
	for (i = 0; i < n && !w->why[0]; i++) {
		act(w, &row[i]);
		if (row[i].action != OR_SEND && row[i].action != OR_POST)
			or_fast_compare(w);
		if (w->why[0])
			break;
	}
	stop(w);
	return i;
}
