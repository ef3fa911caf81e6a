/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reference's table of addresses: a list. And what the switch is to report: an address that
 * is new or has moved, once in 10 ms at least; it may say so more often.
 */
#include "tests/oracle/oracle.h"

#include <string.h>

/* As documented: doc/datapath.md, "Learning"; lookup.c, REPORT_AGAIN_MS. */
enum {
	REPORT_AGAIN_MS = 10,
};

static bool is_same(const struct or_mac *a, const struct or_mac *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

uint32_t or_address_now_s(const struct or_world *w)
{
	return (uint32_t)(w->now / w->hz);
}

struct or_address *or_address_find(struct or_world *w, unsigned int sw, unsigned int vlan,
				   const struct or_mac *mac)
{
	uint32_t i;

	for (i = 0; i < w->n_addresses; i++) {
		struct or_address *a = &w->address[i];

		if (a->sw == sw && a->vlan == vlan && is_same(&a->mac, mac))
			return a;
	}
	return NULL;
}

static struct or_fact *find_fact(struct or_world *w, unsigned int port, unsigned int vlan,
				 const struct or_mac *mac)
{
	uint32_t i;

	for (i = 0; i < w->n_facts; i++) {
		struct or_fact *f = &w->fact[i];

		if (f->port == port && f->vlan == vlan && is_same(&f->mac, mac))
			return f;
	}
	return NULL;
}

static void note_fact(struct or_world *w, unsigned int port, unsigned int vlan,
		      const struct or_mac *mac)
{
	const uint64_t removals = w->removals[w->spec.port[port].sw];
	struct or_fact *f = find_fact(w, port, vlan, mac);

	if (!f && w->n_facts == OR_FACTS) {
		or_differ(w, "the oracle's list of facts is full");
		return;
	}
	if (!f) {
		f = &w->fact[w->n_facts++];
		*f = (struct or_fact){.port = (uint8_t)port, .vlan = (uint8_t)vlan, .mac = *mac};
	}
	if (!f->told || f->removals != removals ||
	    w->now - f->when >= w->hz / 1000 * REPORT_AGAIN_MS)
		f->must = true;
	f->may = true;
	f->told = true;
	f->when = w->now;
	f->removals = removals;
}

void or_address_seen(struct or_world *w, unsigned int port, unsigned int vlan,
		     const struct or_mac *mac)
{
	struct or_address *a = or_address_find(w, w->spec.port[port].sw, vlan, mac);

	if (a && a->port == port)
		a->seen = or_address_now_s(w);
	else if (!a || (!a->is_static && a->port < OR_CLUSTER_BASE))
		note_fact(w, port, vlan, mac);
}

static uint32_t count_of_switch(const struct or_world *w, unsigned int sw)
{
	uint32_t n = 0;
	uint32_t i;

	for (i = 0; i < w->n_addresses; i++)
		n += w->address[i].sw == sw;
	return n;
}

static uint32_t learnt_of_port(const struct or_world *w, unsigned int port)
{
	uint32_t n = 0;
	uint32_t i;

	for (i = 0; i < w->n_addresses; i++)
		n += w->address[i].port == port && !w->address[i].is_static;
	return n;
}

static struct or_address *add(struct or_world *w, unsigned int sw, unsigned int vlan,
			      const struct or_mac *mac)
{
	struct or_address *a = &w->address[w->n_addresses];

	if (count_of_switch(w, sw) >= w->spec.fdb_size)
		return NULL;
	if (w->n_addresses == OR_ADDRESSES) {
		or_differ(w, "the oracle's list of addresses is full");
		return NULL;
	}
	w->n_addresses++;
	*a = (struct or_address){
		.sw = (uint8_t)sw,
		.vlan = (uint8_t)vlan,
		.port = OR_NO_PORT,
		.mac = *mac,
	};
	return a;
}

static void learn(struct or_world *w, unsigned int port, unsigned int vlan,
		  const struct or_mac *mac)
{
	const unsigned int sw = w->spec.port[port].sw;
	struct or_address *a = or_address_find(w, sw, vlan, mac);

	if (a && (a->is_static || a->port == port))
		return;
	if (learnt_of_port(w, port) >= w->spec.port[port].max_macs)
		return;
	if (a)
		w->removals[sw]++;
	else
		a = add(w, sw, vlan, mac);
	if (!a)
		return;
	a->port = (uint16_t)port;
	a->seen = or_address_now_s(w);
}

void or_address_report(struct or_world *w, unsigned int port, unsigned int vlan,
		       const struct or_mac *mac)
{
	struct or_fact *f = find_fact(w, port, vlan, mac);

	if (!f || !f->may) {
		or_differ(w,
			  "port %u reports %02x:%02x:%02x:%02x:%02x:%02x on VLAN %u, "
			  "which is neither new nor moved",
			  port, mac->b[0], mac->b[1], mac->b[2], mac->b[3], mac->b[4], mac->b[5],
			  or_vids[vlan]);
		return;
	}
	f->must = false;
	learn(w, port, vlan, mac);
}

void or_address_reported(struct or_world *w)
{
	uint32_t i;

	for (i = 0; i < w->n_facts; i++) {
		struct or_fact *f = &w->fact[i];

		if (f->must)
			or_differ(w,
				  "port %u does not report %02x:%02x:%02x:%02x:%02x:%02x on "
				  "VLAN %u",
				  f->port, f->mac.b[0], f->mac.b[1], f->mac.b[2], f->mac.b[3],
				  f->mac.b[4], f->mac.b[5], or_vids[f->vlan]);
		f->must = false;
		f->may = false;
	}
}

static bool is_meant(const struct or_address *a, enum or_forget what, unsigned int port,
		     const struct or_mac *mac, unsigned int vlan, uint32_t before)
{
	switch (what) {
	case OR_ALL_LEARNT:
		return !a->is_static;
	case OR_LEARNT_OF_PORT:
		return !a->is_static && a->port == port;
	case OR_SEEN_BEFORE:
		return !a->is_static && a->seen < before;
	case OR_ONE:
		return a->vlan == vlan && is_same(&a->mac, mac);
	default:
		return false;
	}
}

void or_address_forget(struct or_world *w, enum or_forget what, unsigned int port,
		       const struct or_mac *mac, unsigned int vlan, uint32_t before)
{
	const unsigned int sw = w->spec.port[port].sw;
	uint32_t i = 0;

	while (i < w->n_addresses) {
		struct or_address *a = &w->address[i];

		if (a->sw == sw && is_meant(a, what, port, mac, vlan, before)) {
			*a = w->address[--w->n_addresses];
			w->removals[sw]++;
		} else {
			i++;
		}
	}
}

/* @port may be a cluster, which is on the switch @sw. */
static void enter(struct or_world *w, unsigned int sw, unsigned int port, unsigned int vlan,
		  const struct or_mac *mac)
{
	struct or_address *a = or_address_find(w, sw, vlan, mac);

	if (!a)
		a = add(w, sw, vlan, mac);
	else if (a->port != port)
		w->removals[sw]++;
	if (!a)
		return;
	a->port = (uint16_t)port;
	a->is_static = true;
	a->seen = or_address_now_s(w);
}

void or_address_enter(struct or_world *w, unsigned int port, unsigned int vlan,
		      const struct or_mac *mac)
{
	if (port >= OR_CLUSTER_BASE)
		enter(w, w->spec.cluster[port - OR_CLUSTER_BASE].sw, port, vlan, mac);
	else
		enter(w, w->spec.port[port].sw, port, vlan, mac);
}
