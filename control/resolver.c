/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours, and the peers behind them. See resolve.h for when something is asked. */
#include "control/resolver.h"

#include "control/resolver_priv.h"

#include <errno.h>
#include <stdlib.h>

/* ---- neighbours ---- */

static unsigned int bucket_of(unsigned int sw, const struct vs_ip *ip)
{
	uint32_t hash = 2166136261u ^ sw;
	unsigned int i;

	for (i = 0; i < sizeof(ip->b); i++)
		hash = (hash ^ ip->b[i]) * 16777619u;
	return (hash ^ hash >> 16) % RESOLVER_BUCKETS;
}

struct neighbour *resolver_find(const struct vs_resolver *r, unsigned int sw,
				const struct vs_ip *ip)
{
	struct neighbour *n;

	LIST_FOREACH(n, &r->bucket[bucket_of(sw, ip)], in_bucket) {
		if (n->sw == sw && vs_ip_equal(&n->ip, ip))
			return n;
	}
	return NULL;
}

static struct neighbour *make_neighbour(struct vs_resolver *r, unsigned int sw,
					const struct vs_ip *ip, const struct vs_pa *pa)
{
	struct neighbour *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->sw = sw;
	n->ip = *ip;
	n->pa = *pa;
	LIST_INSERT_HEAD(&r->bucket[bucket_of(sw, ip)], n, in_bucket);
	TAILQ_INSERT_TAIL(&r->all, n, in_all);
	return n;
}

static void free_neighbour(struct vs_resolver *r, struct neighbour *n)
{
	LIST_REMOVE(n, in_bucket);
	TAILQ_REMOVE(&r->all, n, in_all);
	free(n);
}

int resolver_join(struct vs_resolver *r, struct held_peer *p)
{
	const struct own_switch *sw = &r->sw[p->sw];
	struct vs_way way;
	struct neighbour *n;

	if (!vs_way_find(sw->pa, sw->n_pas, sw->route, sw->n_routes, &p->peer->ip, &way))
		return 0;
	n = resolver_find(r, p->sw, &way.next_hop);
	if (!n)
		n = make_neighbour(r, p->sw, &way.next_hop, &sw->pa[way.pa]);
	if (!n)
		return -ENOMEM;
	n->pa = sw->pa[way.pa];
	LIST_INSERT_HEAD(&n->peers, p, behind);
	p->to = n;
	return 0;
}

void resolver_leave(struct vs_resolver *r, struct held_peer *p)
{
	struct neighbour *n = p->to;

	if (!n)
		return;
	LIST_REMOVE(p, behind);
	p->to = NULL;
	if (LIST_EMPTY(&n->peers))
		free_neighbour(r, n);
}

/* ---- what workers see ---- */

static uint64_t word_of(const struct rte_ether_addr *mac)
{
	uint64_t word = 0;
	unsigned int i;

	for (i = 0; i < RTE_ETHER_ADDR_LEN; i++)
		word = word << 8 | mac->addr_bytes[i];
	return word;
}

void resolver_store(const struct held_peer *p)
{
	uint64_t word = 0;

	if (!p->to || p->to->hop.state == VS_HOP_FAILED)
		word = VS_NEXT_HOP_FAILED;
	else if (vs_hop_has_mac(&p->to->hop))
		word = VS_NEXT_HOP_KNOWN | word_of(&p->to->hop.mac);
	else if (p->wait.n == VS_WAIT_FRAMES)
		word = VS_NEXT_HOP_FULL;
	__atomic_store_n(&p->peer->next_hop, word, __ATOMIC_RELAXED);
	__atomic_store_n(&p->peer->mtu, vs_pmtu_now(&p->pmtu), __ATOMIC_RELAXED);
}

/* ---- actions ---- */

struct vs_neigh_self resolver_self(const struct vs_pa *pa)
{
	return (struct vs_neigh_self){.mac = pa->mac, .ip = pa->prefix.ip, .vid = pa->vid};
}

void resolver_announce(struct vs_resolver *r, unsigned int sw, const struct vs_pa *pa)
{
	const struct vs_neigh_self self = resolver_self(pa);
	uint8_t frame[VS_NEIGH_FRAME];
	uint32_t len = vs_neigh_announce(frame, &self);

	(void)r->ops->send(r->ctx, sw, pa, frame, len);
}

static void ask(struct vs_resolver *r, const struct neighbour *n, const struct rte_ether_addr *to)
{
	const struct vs_neigh_self self = resolver_self(&n->pa);
	uint8_t frame[VS_NEIGH_FRAME];
	uint32_t len = vs_neigh_ask(frame, &self, &n->ip, to);

	/* One that is lost is asked again. */
	(void)r->ops->send(r->ctx, n->sw, &n->pa, frame, len);
}

/* May one more question be asked? (Generic cell rate algorithm, as struct vs_pace.) */
static enum vs_hop_limit look_at_pace(struct vs_resolver *r, uint64_t now_us)
{
	const uint64_t step = 1000000 / VS_RESOLVER_ASKS;

	if (r->pace_us < now_us || r->pace_us - now_us > 2000000)
		r->pace_us = now_us;
	return r->pace_us - now_us > step * (VS_RESOLVER_BURST - 1) ? VS_HOP_ASK_LATER
								    : VS_HOP_MAY_ASK;
}

static void release(struct vs_resolver *r, struct held_peer *p)
{
	struct vs_wait_frame *frame;

	while ((frame = vs_wait_take(&p->wait, &r->room)) != NULL) {
		memcpy(frame->bytes, &p->to->hop.mac, RTE_ETHER_ADDR_LEN);
		if (r->ops->send(r->ctx, p->sw, &p->to->pa, frame->bytes, frame->len))
			p->sent++;
		else
			p->wait.lost++;
		free(frame);
	}
}

static void update_peers(struct vs_resolver *r, struct neighbour *n, unsigned int actions)
{
	struct held_peer *p;

	LIST_FOREACH(p, &n->peers, behind) {
		if (actions & VS_HOP_SET)
			release(r, p);
		if (actions & VS_HOP_FAIL)
			(void)vs_wait_drop(&p->wait, &r->room);
		resolver_store(p);
	}
}

static void tell(struct vs_resolver *r, const struct neighbour *n, enum vs_resolver_what what)
{
	const struct vs_resolver_news news = {
		.what = what,
		.sw = n->sw,
		.ip = n->ip,
		.mac = n->hop.mac,
		.before = n->hop.before,
	};

	r->ops->tell(r->ctx, &news);
}

void resolver_step(struct vs_resolver *r, struct neighbour *n, enum vs_hop_event event,
		   const struct rte_ether_addr *mac, uint64_t now_ms)
{
	const enum vs_hop_limit limit = look_at_pace(r, now_ms * 1000);
	unsigned int actions = vs_hop_step(&n->hop, event, mac, now_ms, limit);

	if (actions & (VS_HOP_SET | VS_HOP_FORGET | VS_HOP_FAIL))
		update_peers(r, n, actions);
	if (actions & (VS_HOP_ASK_ALL | VS_HOP_ASK_ONE)) {
		r->pace_us += 1000000 / VS_RESOLVER_ASKS;
		ask(r, n, actions & VS_HOP_ASK_ONE ? &n->hop.mac : NULL);
	}
	if (actions & VS_HOP_TELL_FAILED)
		tell(r, n, VS_RESOLVER_FAILED);
	if (actions & VS_HOP_TELL_BACK)
		tell(r, n, VS_RESOLVER_BACK);
	if (actions & VS_HOP_TELL_MOVED)
		tell(r, n, VS_RESOLVER_MOVED);
}

/* ---- peers ---- */

static int make_place(struct vs_resolver *r, uint32_t index)
{
	uint32_t n = RTE_MAX(r->n_peers * 2, 64u);
	struct held_peer **peer;

	if (index < r->n_peers)
		return r->peer[index] ? -EEXIST : 0;
	n = RTE_MAX(n, index + 1);
	peer = realloc(r->peer, n * sizeof(*r->peer));
	if (!peer)
		return -ENOMEM;
	memset(peer + r->n_peers, 0, (n - r->n_peers) * sizeof(*peer));
	r->peer = peer;
	r->n_peers = n;
	return 0;
}

int vs_resolver_add(struct vs_resolver *r, unsigned int sw, struct vs_peer *peer, uint16_t mtu,
		    uint64_t now_ms)
{
	int err = make_place(r, peer->index);
	struct held_peer *p;

	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->peer = peer;
	p->sw = sw;
	p->pmtu.base = mtu;
	err = resolver_join(r, p);
	if (err) {
		free(p);
		return err;
	}
	r->peer[peer->index] = p;
	resolver_store(p);
	return 0;
}

void vs_resolver_del(struct vs_resolver *r, uint32_t index)
{
	struct held_peer *p = index < r->n_peers ? r->peer[index] : NULL;

	if (!p)
		return;
	(void)vs_wait_drop(&p->wait, &r->room);
	resolver_leave(r, p);
	r->peer[index] = NULL;
	free(p);
}

/* Is it a frame for that peer, and not for one that had the index before? */
static bool is_for(const struct vs_peer *peer, const uint8_t *frame, uint32_t len)
{
	const uint32_t at = peer->l3 + (peer->is4 ? 16u : 24u);
	const uint32_t n = peer->is4 ? 4 : 16;

	return len >= peer->outer_len && at + n <= len &&
	       memcmp(frame + at, peer->ip.b + 16 - n, n) == 0;
}

void vs_resolver_hold(struct vs_resolver *r, uint32_t index, const uint8_t *frame, uint32_t len,
		      uint64_t now_ms)
{
	struct held_peer *p = index < r->n_peers ? r->peer[index] : NULL;

	if (!p || !is_for(p->peer, frame, len)) {
		r->counts.strays++;
		return;
	}
	p->waited++;
	if (!p->to || p->to->hop.state == VS_HOP_FAILED) {
		p->wait.lost++;
		return;
	}
	(void)vs_wait_put(&p->wait, &r->room, frame, len);
	/* A worker that did not know yet that it is known. */
	if (vs_hop_has_mac(&p->to->hop))
		release(r, p);
	resolver_store(p);
	resolver_step(r, p->to, VS_HOP_NEEDED, NULL, now_ms);
}

int vs_resolver_each(const struct vs_resolver *r, uint64_t now_ms,
		     int (*visit)(const struct vs_peer_view *view, void *ctx), void *ctx)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < r->n_peers && err == 0; i++) {
		const struct held_peer *p = r->peer[i];
		struct vs_peer_view view;

		if (!p)
			continue;
		view = (struct vs_peer_view){
			.sw = p->sw,
			.peer = p->peer,
			.mtu = vs_pmtu_now(&p->pmtu),
			.mtu_base = p->pmtu.base,
			.held = p->wait.n,
			.age_ms = UINT64_MAX,
			.waited = p->waited,
			.sent = p->sent,
			.lost = p->wait.lost,
			.too_big = p->too_big,
		};
		if (p->to) {
			view.has_way = true;
			view.next_hop = p->to->ip;
			view.state = p->to->hop.state;
			view.mac = p->to->hop.mac;
			view.asked = p->to->hop.asked;
			if (p->to->hop.proven)
				view.age_ms = now_ms - p->to->hop.proven_ms;
		}
		err = visit(&view, ctx);
	}
	return err;
}
