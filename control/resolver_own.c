/* SPDX-License-Identifier: BSD-3-Clause */
/* Own addresses, what is heard, and time. See resolver.h. */
#include "control/resolver.h"

#include "control/resolver_priv.h"

#include <errno.h>
#include <stdlib.h>

struct vs_resolver *vs_resolver_new(const struct vs_resolver_ops *ops, void *ctx)
{
	struct vs_resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->ops = ops;
	r->ctx = ctx;
	TAILQ_INIT(&r->all);
	return r;
}

static void free_own(struct own_switch *sw)
{
	free(sw->own);
	free(sw->pa);
	free(sw->route);
	*sw = (struct own_switch){.n_pas = 0};
}

void vs_resolver_free(struct vs_resolver *r)
{
	unsigned int i;

	if (!r)
		return;
	for (i = 0; i < r->n_peers; i++)
		vs_resolver_del(r, i);
	for (i = 0; i < VS_SWITCHES_MAX; i++)
		free_own(&r->sw[i]);
	free(r->peer);
	free(r);
}

/* ---- own addresses ---- */

static struct own *find_own(const struct own_switch *sw, const struct vs_ip *ip)
{
	uint32_t i;

	for (i = 0; i < sw->n_pas; i++) {
		if (vs_ip_equal(&sw->pa[i].prefix.ip, ip))
			return &sw->own[i];
	}
	return NULL;
}

/* Is it the same for everybody else? */
static bool is_same(const struct vs_pa *a, const struct vs_pa *b)
{
	return rte_is_same_ether_addr(&a->mac, &b->mac) && a->vid == b->vid &&
	       a->uplink == b->uplink;
}

/* Return: 0 and *@ret, or -ENOMEM. */
static int make_own(const struct own_switch *old, const struct vs_pa *pa, uint32_t n_pas,
		    const struct vs_pa_route *route, uint32_t n_routes, uint64_t now_ms,
		    struct own_switch *ret)
{
	struct own_switch sw = {.n_pas = n_pas, .n_routes = n_routes};
	uint32_t i;

	sw.own = calloc(n_pas + 1, sizeof(*sw.own));
	sw.pa = calloc(n_pas + 1, sizeof(*sw.pa));
	sw.route = calloc(n_routes + 1, sizeof(*sw.route));
	if (!sw.own || !sw.pa || !sw.route) {
		free_own(&sw);
		return -ENOMEM;
	}
	for (i = 0; i < n_pas; i++) {
		const struct own *was = find_own(old, &pa[i].prefix.ip);

		sw.pa[i] = pa[i];
		if (was && is_same(&was->pa, &pa[i]))
			sw.own[i] = *was;
		else
			sw.own[i] =
				(struct own){.announce = VS_RESOLVER_ANNOUNCES, .due_ms = now_ms};
		sw.own[i].pa = pa[i];
	}
	for (i = 0; i < n_routes; i++)
		sw.route[i] = route[i];
	*ret = sw;
	return 0;
}

/* Is it what there is already? Every snapshot asks. */
static bool is_known(const struct own_switch *sw, const struct vs_pa *pa, uint32_t n_pas,
		     const struct vs_pa_route *route, uint32_t n_routes)
{
	uint32_t i;

	if (sw->n_pas != n_pas || sw->n_routes != n_routes)
		return false;
	for (i = 0; i < n_pas; i++) {
		if (!vs_ip_equal(&sw->pa[i].prefix.ip, &pa[i].prefix.ip) ||
		    sw->pa[i].prefix.len != pa[i].prefix.len || !is_same(&sw->pa[i], &pa[i]))
			return false;
	}
	for (i = 0; i < n_routes; i++) {
		if (!vs_ip_equal(&sw->route[i].prefix.ip, &route[i].prefix.ip) ||
		    sw->route[i].prefix.len != route[i].prefix.len ||
		    !vs_ip_equal(&sw->route[i].via, &route[i].via) ||
		    sw->route[i].metric != route[i].metric)
			return false;
	}
	return true;
}

/* Has the peer the neighbour that it is to have? */
static bool is_well_placed(const struct own_switch *sw, const struct held_peer *p)
{
	struct vs_way way;

	if (!vs_way_find(sw->pa, sw->n_pas, sw->route, sw->n_routes, &p->peer->ip, &way))
		return !p->to;
	return p->to && vs_ip_equal(&p->to->ip, &way.next_hop);
}

static void place_anew(struct vs_resolver *r, struct held_peer *p, uint64_t now_ms)
{
	(void)vs_wait_drop(&p->wait, &r->room);
	resolver_leave(r, p);
	/* No memory: there is no way, until the next change. */
	(void)resolver_join(r, p);
	resolver_store(p);
}

/* A neighbour that stays is asked by the address that is on-link to it now. */
static void renew_asker(struct vs_resolver *r, struct neighbour *n, uint64_t now_ms)
{
	const struct own_switch *sw = &r->sw[n->sw];
	struct vs_way way;

	if (!vs_way_find(sw->pa, sw->n_pas, NULL, 0, &n->ip, &way))
		return;
	/* Another wire: what was known is of the other one. */
	if (n->pa.uplink != sw->pa[way.pa].uplink || n->pa.vid != sw->pa[way.pa].vid)
		resolver_step(r, n, VS_HOP_RESET, NULL, now_ms);
	n->pa = sw->pa[way.pa];
}

int vs_resolver_config(struct vs_resolver *r, unsigned int sw, const struct vs_pa *pa,
		       uint32_t n_pas, const struct vs_pa_route *route, uint32_t n_routes,
		       uint64_t now_ms)
{
	struct own_switch next;
	struct neighbour *n;
	uint32_t i;
	int err;

	if (is_known(&r->sw[sw], pa, n_pas, route, n_routes))
		return 0;
	err = make_own(&r->sw[sw], pa, n_pas, route, n_routes, now_ms, &next);
	if (err)
		return err;
	free_own(&r->sw[sw]);
	r->sw[sw] = next;
	for (i = 0; i < r->n_peers; i++) {
		if (r->peer[i] && r->peer[i]->sw == sw && !is_well_placed(&next, r->peer[i]))
			place_anew(r, r->peer[i], now_ms);
	}
	TAILQ_FOREACH(n, &r->all, in_all) {
		if (n->sw == sw)
			renew_asker(r, n, now_ms);
	}
	return 0;
}

void vs_resolver_set_mtu(struct vs_resolver *r, unsigned int sw, uint16_t mtu)
{
	uint32_t i;

	for (i = 0; i < r->n_peers; i++) {
		struct held_peer *p = r->peer[i];

		if (!p || p->sw != sw || p->pmtu.base == mtu)
			continue;
		p->pmtu.base = mtu;
		resolver_store(p);
	}
}

/* ---- what is heard ---- */

/* Somebody else has an address of ours: tell, and say who has it. */
static void defend(struct vs_resolver *r, unsigned int sw, struct own *own,
		   const struct rte_ether_addr *mac, uint64_t now_ms)
{
	const struct vs_resolver_news news = {
		.what = VS_RESOLVER_CLASH,
		.sw = sw,
		.ip = own->pa.prefix.ip,
		.mac = *mac,
	};

	if (own->clashed && now_ms - own->defended_ms < VS_RESOLVER_DEFEND_MS)
		return;
	own->clashed = true;
	own->defended_ms = now_ms;
	resolver_announce(r, sw, &own->pa);
	r->ops->tell(r->ctx, &news);
}

static bool is_own(const struct vs_ip *ip, const void *ctx)
{
	return find_own(ctx, ip) != NULL;
}

void vs_resolver_neighbour(struct vs_resolver *r, unsigned int sw, const uint8_t *frame,
			   uint32_t len, uint64_t now_ms)
{
	struct vs_neigh_told told;
	struct rte_ether_addr mac;
	enum vs_hop_event event;
	struct neighbour *n;
	struct own *own;

	if (!vs_neigh_parse(frame, len, is_own, &r->sw[sw], &told)) {
		r->counts.bad_neighbours++;
		return;
	}
	own = find_own(&r->sw[sw], &told.ip);
	if (own) {
		/* Our own frame may come back from the wire. */
		if (!rte_is_zero_ether_addr(&told.mac) &&
		    !rte_is_same_ether_addr(&told.mac, &own->pa.mac))
			defend(r, sw, own, &told.mac, now_ms);
		return;
	}
	n = resolver_find(r, sw, &told.ip);
	if (n && vs_neigh_event(&told, &n->hop, &event, &mac))
		resolver_step(r, n, event, &mac, now_ms);
	else
		r->counts.bad_neighbours++;
}

/* ---- too big ---- */

static struct held_peer *find_peer(const struct vs_resolver *r, unsigned int sw,
				   const struct vs_pmtu_told *told)
{
	uint32_t i;

	for (i = 0; i < r->n_peers; i++) {
		struct held_peer *p = r->peer[i];

		if (p && p->sw == sw && vs_ip_equal(&p->peer->ip, &told->remote) &&
		    vs_ip_equal(&p->peer->local, &told->local))
			return p;
	}
	return NULL;
}

static void tell_mtu(struct vs_resolver *r, const struct held_peer *p)
{
	const struct vs_resolver_news news = {
		.what = VS_RESOLVER_MTU,
		.sw = p->sw,
		.ip = p->peer->ip,
		.mtu = vs_pmtu_now(&p->pmtu),
	};

	resolver_store(p);
	r->ops->tell(r->ctx, &news);
}

void vs_resolver_error(struct vs_resolver *r, unsigned int sw, const uint8_t *frame, uint32_t len,
		       bool (*has_vsid)(uint32_t vsid, void *ctx), uint64_t now_ms)
{
	struct vs_pmtu_told told;
	struct held_peer *p = NULL;

	if (vs_pmtu_parse(frame, len, &told) && has_vsid(told.vsid, r->ctx))
		p = find_peer(r, sw, &told);
	if (!p) {
		r->counts.bad_errors++;
		return;
	}
	p->too_big++;
	if (vs_pmtu_lower(&p->pmtu, told.mtu, now_ms))
		tell_mtu(r, p);
}

/* ---- time ---- */

static void announce_due(struct vs_resolver *r, unsigned int sw, uint64_t now_ms)
{
	uint32_t i;

	for (i = 0; i < r->sw[sw].n_pas; i++) {
		struct own *own = &r->sw[sw].own[i];

		/* A clock that went back does not keep it from being said. */
		if (!own->announce ||
		    (own->due_ms > now_ms && own->due_ms - now_ms <= VS_RESOLVER_ANNOUNCE_MS))
			continue;
		own->announce--;
		own->due_ms = now_ms + VS_RESOLVER_ANNOUNCE_MS;
		resolver_announce(r, sw, &own->pa);
	}
}

void vs_resolver_tick(struct vs_resolver *r, uint64_t now_ms)
{
	struct neighbour *n;
	uint32_t i;

	for (i = 0; i < VS_SWITCHES_MAX; i++)
		announce_due(r, i, now_ms);
	TAILQ_FOREACH(n, &r->all, in_all) {
		if (vs_hop_is_due(&n->hop, now_ms))
			resolver_step(r, n, VS_HOP_TIME, NULL, now_ms);
	}
	for (i = 0; i < r->n_peers; i++) {
		if (r->peer[i] && vs_pmtu_age(&r->peer[i]->pmtu, now_ms))
			tell_mtu(r, r->peer[i]);
	}
}

bool vs_resolver_is_idle(const struct vs_resolver *r)
{
	unsigned int i;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		if (r->sw[i].n_pas)
			return false;
	}
	return true;
}

void vs_resolver_counts(const struct vs_resolver *r, struct vs_resolver_counts *ret_counts)
{
	*ret_counts = r->counts;
}
