/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The world as the switch has it: real stages, guests, rings and tables, and a configuration that
 * control would make of the same ports.
 */
#include "tests/oracle/oracle.h"

#include "dataplane/core/flow.h"
#include "dataplane/core/memfault.h"
#include "dataplane/fdb.h"
#include "dataplane/guest/guest_obj.h"
#include "dataplane/pipeline.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIDS = 1 + OR_SWITCHES * OR_VLANS,
};

struct or_fast {
	struct vs_rcu rcu;
	struct vs_ctx *ctx;
	struct vs_conf *conf;
	struct vs_burst *burst;
	struct vs_guest *guest[OR_PORTS];
	struct vs_fdb *fdb[OR_SWITCHES];
	struct vs_port_stats stats[OR_PORTS];
	struct vs_domain domain[FIDS];
	struct vs_trunk trunk[OR_PORTS];
	uint16_t members[FIDS][OR_PORTS];
	uint16_t group_members[OR_CLUSTERS][OR_PORTS];
	uint16_t fid_of_vid[OR_SWITCHES][VS_VIDS_MAX];
};

static void *must_have(size_t size)
{
	const size_t line = RTE_CACHE_LINE_SIZE;
	void *p = aligned_alloc(line, (size + line - 1) / line * line);

	if (!p) {
		(void)fprintf(stderr, "oracle: no memory left\n");
		exit(2);
	}
	memset(p, 0, size);
	return p;
}

struct or_fast *or_fast_new(void)
{
	struct or_fast *f = must_have(sizeof(*f));
	unsigned int i;

	vs_flow_seed(or_flow_keys);
	f->ctx = must_have(sizeof(*f->ctx));
	f->conf = must_have(sizeof(*f->conf));
	f->burst = must_have(sizeof(*f->burst));
	if (vs_rcu_init(&f->rcu) || vs_event_ring_init(&f->ctx->events, 0)) {
		(void)fprintf(stderr, "oracle: no event ring\n");
		exit(2);
	}
	for (i = 0; i < OR_PORTS; i++) {
		f->guest[i] = must_have(sizeof(*f->guest[i]));
		f->ctx->port_stats[i] = &f->stats[i];
	}
	return f;
}

struct vs_ring *or_fast_ring(struct or_fast *f, unsigned int port, unsigned int pair,
			     unsigned int side)
{
	return &f->guest[port]->dev.vring[2 * pair + side].ring;
}

void or_fast_restart(struct or_world *w, unsigned int port, unsigned int pair, unsigned int side)
{
	struct vs_ring *ring = or_fast_ring(w->fast, port, pair, side);

	w->fast->guest[port]->dev.vring[2 * pair + side].reported = 0;
	ring->in_port = (uint16_t)port;
	vs_ring_start(ring, le16toh(ring->avail->idx));
}

/* ---- configuration */

static void fill_domains(struct or_fast *f, const struct or_spec *spec, unsigned int sw,
			 unsigned int vlan)
{
	const uint16_t fid = or_spec_fid(spec, sw, vlan);
	struct vs_domain *d = &f->domain[fid];
	unsigned int turn;
	unsigned int i;

	f->fid_of_vid[sw][or_vids[vlan]] = fid;
	if (fid == 0)
		return;
	*d = (struct vs_domain){.members = f->members[fid]};
	/* Those that get frames to unknown addresses stand first. */
	for (turn = 0; turn < 2; turn++) {
		for (i = 0; i < spec->n_ports; i++) {
			const struct or_port_spec *p = &spec->port[i];
			bool wants = spec->unknown[sw] == OR_FLOOD ||
				     (spec->unknown[sw] == OR_UPLINK && (p->uplink || !p->guard));

			if (p->sw == sw && p->up && or_spec_is_on(p, vlan) && wants == (turn == 0))
				f->members[fid][d->n++] = (uint16_t)i;
		}
		if (turn == 0)
			d->n_unknown = d->n;
	}
}

static const struct vs_trunk *fill_trunk(struct or_fast *f, const struct or_port_spec *p,
					 unsigned int port)
{
	struct vs_trunk *t = &f->trunk[port];
	unsigned int i;

	if (p->mode != OR_TRUNK)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->fid_of_vid = f->fid_of_vid[p->sw];
	for (i = 0; i < OR_VLANS; i++)
		if (p->list[i])
			t->allowed[or_vids[i] / 64] |= UINT64_C(1) << (or_vids[i] % 64);
	return t;
}

static uint16_t fanout_of(const struct or_fast *f, const struct or_port_spec *p)
{
	uint16_t most = 0;
	unsigned int i;

	for (i = 0; i < OR_VLANS; i++) {
		uint16_t fid = f->fid_of_vid[p->sw][or_vids[i]];

		if (fid && or_spec_is_on(p, i) && f->domain[fid].n > most)
			most = f->domain[fid].n;
	}
	return most;
}

static void fill_port(struct or_fast *f, const struct or_port_spec *p, unsigned int i)
{
	const uint16_t vid = or_vids[p->own];

	f->conf->port[i] = (struct vs_port_hot){
		.ops = &vs_guest_ops,
		.dev = f->guest[i],
		.fdb = f->fdb[p->sw],
		.trunk = fill_trunk(f, p, i),
		.max_frame = p->mtu + RTE_ETHER_HDR_LEN,
		.storm_pps = p->storm,
		.id = (uint16_t)i,
		.sw = p->sw,
		.fid = f->fid_of_vid[p->sw][vid],
		.vid = vid,
		.fanout = fanout_of(f, p),
		.flags = (uint16_t)((p->admin_up ? VS_PORT_ADMIN_UP : 0) |
				    (p->up ? VS_PORT_UP : 0) | (p->guard ? VS_PORT_GUARD : 0) |
				    (p->priority ? VS_PORT_PRIORITY : 0)),
		.pairs = p->pairs,
	};
	memcpy(f->conf->port[i].mac.addr_bytes, p->mac.b, 6);
}

static void fill_group(struct or_fast *f, const struct or_spec *spec, unsigned int g)
{
	const struct or_cluster *c = &spec->cluster[g];
	struct vs_group *group = &f->conf->group[g];
	unsigned int i;

	*group = (struct vs_group){.members = f->group_members[g]};
	group->fid = or_spec_fid(spec, c->sw, c->vlan);
	for (i = 0; i < spec->n_ports; i++)
		if (c->port[i] && spec->port[i].up)
			f->group_members[g][group->n++] = (uint16_t)i;
}

void or_fast_configure(struct or_world *w)
{
	struct or_fast *f = w->fast;
	unsigned int sw;
	unsigned int i;

	memset(f->domain, 0, sizeof(f->domain));
	f->conf->n_fids = FIDS;
	f->conf->domain = f->domain;
	f->conf->n_ports = (uint16_t)w->spec.n_ports;
	for (sw = 0; sw < OR_SWITCHES; sw++)
		for (i = 0; i < OR_VLANS; i++)
			fill_domains(f, &w->spec, sw, i);
	for (i = 0; i < w->spec.n_ports; i++) {
		f->conf->ids[i] = (uint16_t)i;
		fill_port(f, &w->spec.port[i], i);
	}
	for (i = 0; i < OR_CLUSTERS; i++)
		fill_group(f, &w->spec, i);
}

static void set_time(struct or_world *w)
{
	w->fast->ctx->now_tsc = w->now;
	w->fast->ctx->now_s = vs_clock_seconds(w->now);
}

void or_fast_start(struct or_world *w)
{
	struct or_fast *f = w->fast;
	unsigned int i;

	memset(f->stats, 0, sizeof(f->stats));
	memset(f->ctx->switch_stats, 0, sizeof(f->ctx->switch_stats));
	memset(f->ctx->pace, 0, sizeof(f->ctx->pace));
	memset(f->ctx->reported, 0, sizeof(f->ctx->reported));
	f->ctx->conf = f->conf;
	for (i = 0; i < OR_SWITCHES; i++)
		if (vs_fdb_new(&f->rcu, w->spec.fdb_size, &f->fdb[i])) {
			(void)fprintf(stderr, "oracle: no table\n");
			exit(2);
		}
	for (i = 0; i < w->spec.n_ports; i++) {
		f->guest[i]->dev.rx_pairs = (uint8_t)((1 << w->spec.port[i].pairs) - 1);
		f->guest[i]->dev.tx_pairs = f->guest[i]->dev.rx_pairs;
		f->guest[i]->dev.fault_pending = 0;
	}
	or_fast_configure(w);
	set_time(w);
}

void or_fast_stop(struct or_world *w)
{
	struct vs_event ev;
	unsigned int i;

	while (vs_event_pop(&w->fast->ctx->events, &ev, 1))
		;
	for (i = 0; i < OR_SWITCHES; i++)
		vs_fdb_free(w->fast->fdb[i]);
}

unsigned int or_fast_visit(struct or_world *w, unsigned int port, unsigned int pair)
{
	struct or_fast *f = w->fast;

	set_time(w);
	vs_mem_faults = 0;
	return vs_pipeline_visit(f->ctx, &f->conf->port[port], (uint16_t)pair, f->burst);
}

/* ---- addresses: what control does */

static struct rte_ether_addr ether(const struct or_mac *mac)
{
	struct rte_ether_addr a;

	memcpy(a.addr_bytes, mac->b, 6);
	return a;
}

struct census {
	uint16_t port;
	uint32_t learnt;
};

static int count_learnt(uint16_t fid, const struct rte_ether_addr *mac,
			const struct vs_fdb_entry *e, void *arg)
{
	struct census *census = arg;

	census->learnt += e->port == census->port && e->kind == VS_FDB_LEARNT;
	return 0;
}

static void learn(struct or_world *w, const struct vs_event *ev)
{
	struct vs_fdb *fdb = w->fast->fdb[w->spec.port[ev->port].sw];
	const struct vs_fdb_entry *e = vs_fdb_find(fdb, ev->fid, &ev->mac);
	struct census census = {.port = ev->port};
	uint16_t old;

	if (e && (e->port == ev->port || e->kind == VS_FDB_STATIC))
		return;
	(void)vs_fdb_walk(fdb, count_learnt, &census);
	if (census.learnt < w->spec.port[ev->port].max_macs)
		(void)vs_fdb_learn(fdb, ev->fid, &ev->mac, ev->port, VS_FDB_LEARNT,
				   or_address_now_s(w), &old);
}

void or_fast_learn(struct or_world *w)
{
	struct vs_event ev;
	struct or_mac mac;

	while (vs_event_pop(&w->fast->ctx->events, &ev, 1)) {
		if (ev.type != VS_EVENT_LEARN)
			continue;
		memcpy(mac.b, ev.mac.addr_bytes, 6);
		or_address_report(w, ev.port, (ev.fid - 1u) % OR_VLANS, &mac);
		learn(w, &ev);
	}
	or_address_reported(w);
}

void or_fast_forget(struct or_world *w, unsigned int what, unsigned int port,
		    const struct or_mac *mac, unsigned int vlan, uint32_t before)
{
	const unsigned int sw = w->spec.port[port].sw;
	struct vs_fdb_filter filter = {
		.port = (uint16_t)port,
		.fid = (uint16_t)(1 + sw * OR_VLANS + vlan),
		.before = before,
		.mac = ether(mac),
	};

	filter.what = what == OR_ALL_LEARNT       ? VS_FDB_ALL_LEARNT
		      : what == OR_LEARNT_OF_PORT ? VS_FDB_LEARNT_OF_PORT
		      : what == OR_SEEN_BEFORE    ? VS_FDB_SEEN_BEFORE
						  : VS_FDB_ADDRESS;
	(void)vs_fdb_remove(w->fast->fdb[sw], &filter, NULL, NULL);
}

void or_fast_enter(struct or_world *w, unsigned int port, unsigned int vlan,
		   const struct or_mac *mac)
{
	const bool cluster = port >= OR_CLUSTER_BASE;
	const unsigned int sw = cluster ? w->spec.cluster[port - OR_CLUSTER_BASE].sw
					: w->spec.port[port].sw;
	const uint16_t to = (uint16_t)(cluster ? VS_FDB_GROUP_BASE + port - OR_CLUSTER_BASE : port);
	const struct rte_ether_addr a = ether(mac);
	uint16_t old;

	(void)vs_fdb_learn(w->fast->fdb[sw], (uint16_t)(1 + sw * OR_VLANS + vlan), &a, to,
			   VS_FDB_STATIC, or_address_now_s(w), &old);
}

/* ---- what there is to see */

struct entries {
	struct or_world *w;
	unsigned int sw;
};

static int compare_entry(uint16_t fid, const struct rte_ether_addr *mac,
			 const struct vs_fdb_entry *e, void *arg)
{
	const struct entries *at = arg;
	struct or_mac m;
	const struct or_address *a;
	unsigned int port = e->port;

	memcpy(m.b, mac->addr_bytes, 6);
	if (port >= VS_FDB_GROUP_BASE)
		port = OR_CLUSTER_BASE + port - VS_FDB_GROUP_BASE;
	a = or_address_find(at->w, at->sw, (fid - 1u) % OR_VLANS, &m);
	if (!a)
		or_differ(at->w, "switch %u knows an address at port %u that it must not", at->sw,
			  port);
	else if (a->port != port || a->is_static != (e->kind == VS_FDB_STATIC) ||
		 a->seen != e->seen)
		or_differ(at->w,
			  "switch %u has an address at port %u, kind %u, seen %u; not at "
			  "%u, %u, %u",
			  at->sw, port, e->kind, e->seen, a->port, a->is_static, a->seen);
	return 0;
}

static void compare_tables(struct or_world *w)
{
	uint32_t n = 0;
	unsigned int sw;

	for (sw = 0; sw < OR_SWITCHES; sw++) {
		struct entries at = {.w = w, .sw = sw};

		(void)vs_fdb_walk(w->fast->fdb[sw], compare_entry, &at);
		n += vs_fdb_used(w->fast->fdb[sw]);
	}
	if (n != w->n_addresses)
		or_differ(w, "the switches know %u addresses, not %u", n, w->n_addresses);
}

static void same(struct or_world *w, unsigned int port, const char *what, uint64_t is,
		 uint64_t should)
{
	if (is != should)
		or_differ(w, "port %u: %s is %llu, not %llu", port, what, (unsigned long long)is,
			  (unsigned long long)should);
}

static void compare_counters(struct or_world *w, unsigned int port)
{
	const struct vs_port_stats *s = &w->fast->stats[port];
	const struct or_counts *c = &w->counts[port];
	unsigned int r;

	same(w, port, "received", s->received, c->received);
	if (s->received_bytes < c->received_bytes ||
	    s->received_bytes > c->received_bytes + c->untaken * VS_HDR_BYTES)
		same(w, port, "received_bytes", s->received_bytes, c->received_bytes);
	same(w, port, "forwarded", s->forwarded, c->forwarded);
	same(w, port, "flooded", s->flooded, c->flooded);
	same(w, port, "consumed", s->consumed, 0);
	same(w, port, "attempts", s->attempts, c->attempts);
	same(w, port, "sent", s->sent, c->sent);
	same(w, port, "sent_bytes", s->sent_bytes, c->sent_bytes);
	for (r = 0; r < VS_DROP_COUNT; r++)
		same(w, port, vs_drop_name((enum vs_drop)r), s->drops[r], c->drops[r]);
}

/* The three sums, out of the switch's own counters. */
static void audit(struct or_world *w)
{
	uint64_t attempts = 0;
	uint64_t sources = 0;
	unsigned int i;

	for (i = 0; i < w->spec.n_ports; i++) {
		const struct vs_port_stats *s = &w->fast->stats[i];

		same(w, i, "sum of what was received", s->received,
		     s->forwarded + s->flooded + s->consumed + vs_stats_drops(s, VS_DROP_SIDE_IN));
		same(w, i, "sum of attempts", s->attempts,
		     s->sent + vs_stats_drops(s, VS_DROP_SIDE_OUT));
		attempts += s->attempts;
		sources += s->forwarded;
	}
	for (i = 0; i < OR_SWITCHES; i++) {
		sources += w->fast->ctx->switch_stats[i].flood_copies;
		if (w->fast->ctx->switch_stats[i].flood_copies != w->copies[i])
			or_differ(w, "switch %u: wrong number of copies", i);
	}
	if (attempts != sources)
		or_differ(w, "attempts are not what was forwarded and copied");
}

static void compare_ring(struct or_world *w, unsigned int port, unsigned int pair,
			 unsigned int side)
{
	const struct or_ring *d = &w->ring[port][pair][side];

	if (d->ring->fault != d->dead)
		or_differ(w, "port %u pair %u: the %s ring has fault %s, not %s", port, pair,
			  side ? "transmit" : "receive", vs_ring_fault_name(d->ring->fault),
			  vs_ring_fault_name(d->dead));
	if (le16toh(d->ring->used->idx) != d->seen)
		or_differ(w, "port %u pair %u: the %s ring's used index is %u, not %u", port, pair,
			  side ? "transmit" : "receive", le16toh(d->ring->used->idx), d->seen);
}

void or_fast_compare(struct or_world *w)
{
	unsigned int port;
	unsigned int pair;

	for (port = 0; port < w->spec.n_ports; port++) {
		compare_counters(w, port);
		for (pair = 0; pair < w->spec.port[port].pairs; pair++) {
			compare_ring(w, port, pair, 0);
			compare_ring(w, port, pair, 1);
		}
	}
	audit(w);
	compare_tables(w);
}
