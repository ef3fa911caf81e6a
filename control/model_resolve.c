/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/model_resolve.h"

#include "control/model_priv.h"
#include "control/port_kind.h"
#include "dataplane/core/clock.h"
#include "dataplane/core/log.h"
#include "dataplane/core/punt.h"
#include "nvgre/nvgre.h"

#include <rte_hash.h>

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Notices a second that the provider network can provoke. */
	NOTICES_PER_SECOND = 20,
	/* The learner looks at what has aged so often. */
	LEARNER_TICKS = 10,
	TEXT = INET6_ADDRSTRLEN,
	SENTENCE = 200,
	/* What is taken from one ring at once. */
	PUNTS_AT_ONCE = 4 * VS_PUNT_SLOTS,
};

/** struct model_resolve - @tick: every VS_HOP_LATER_MS while there is a provider address */
struct model_resolve {
	struct vs_resolver *resolver;
	struct vs_learner *learner;
	struct event *tick;
	unsigned int ticks;
	struct vs_pace pace;
};

static void format(const struct vs_ip *ip, char text[TEXT])
{
	const bool is4 = vs_ip_is4(ip);

	/* Cannot fail: the text has room for either. */
	(void)inet_ntop(is4 ? AF_INET : AF_INET6, is4 ? ip->b + 12 : ip->b, text, TEXT);
}

static void tell(struct vs_model *m, enum vs_notice_type type, unsigned int sw,
		 const struct rte_ether_addr *mac, const char *text)
{
	if (vs_pace_admit(&m->resolve->pace, rte_rdtsc(), NOTICES_PER_SECOND))
		model_tell(m, type, sw < VS_SWITCHES_MAX ? m->sw[sw] : NULL, NULL, mac, text);
}

/* ---- the resolver's side ---- */

static void on_news(void *ctx, const struct vs_resolver_news *news)
{
	char before[RTE_ETHER_ADDR_FMT_SIZE];
	char text[SENTENCE];
	struct vs_model *m = ctx;
	char ip[TEXT];

	format(&news->ip, ip);
	switch (news->what) {
	case VS_RESOLVER_FAILED:
		(void)snprintf(text, sizeof(text),
			       "nobody answers for %s: frames to whoever is behind it are dropped",
			       ip);
		tell(m, VS_NOTICE_NEXT_HOP_FAILED, news->sw, NULL, text);
		break;
	case VS_RESOLVER_BACK:
		(void)snprintf(text, sizeof(text), "%s answers again", ip);
		tell(m, VS_NOTICE_NEXT_HOP_BACK, news->sw, &news->mac, text);
		break;
	case VS_RESOLVER_MOVED:
		rte_ether_format_addr(before, sizeof(before), &news->before);
		(void)snprintf(text, sizeof(text), "%s had the address %s before", ip, before);
		tell(m, VS_NOTICE_NEXT_HOP_MOVED, news->sw, &news->mac, text);
		break;
	case VS_RESOLVER_CLASH:
		(void)snprintf(text, sizeof(text), "somebody else has the provider address %s", ip);
		tell(m, VS_NOTICE_PA_CLASH, news->sw, &news->mac, text);
		break;
	case VS_RESOLVER_MTU:
		(void)snprintf(text, sizeof(text),
			       "packets to %s may have %u bytes, those of customers %u", ip,
			       news->mtu,
			       news->mtu - (vs_ip_is4(&news->ip) ? (unsigned int)VS_NVGRE_COST4
								 : (unsigned int)VS_NVGRE_COST6));
		tell(m, VS_NOTICE_PATH_MTU, news->sw, NULL, text);
		break;
	}
}

/* ---- the learner's side ---- */

static const struct vs_subnet *subnet_of(const struct vs_model *m, uint32_t vsid)
{
	const struct vs_nvgre *nv = m->conf->nvgre;

	return nv && vsid ? vs_subnet_of_vsid(nv, vsid) : NULL;
}

static void on_learner_news(void *ctx, const struct vs_learner_news *news)
{
	struct vs_model *m = ctx;
	const struct vs_subnet *subnet = subnet_of(m, news->vsid);
	const unsigned int sw = subnet ? subnet->sw : VS_SWITCHES_MAX;
	char text[SENTENCE];
	char was[TEXT];
	char pa[TEXT];

	format(&news->was, was);
	format(&news->pa, pa);
	switch (news->what) {
	case VS_LEARNER_MOVED:
		(void)snprintf(text, sizeof(text), "vsid %u: VM moved from PA %s to %s", news->vsid,
			       was, pa);
		tell(m, VS_NOTICE_RECORD_MOVED, sw, &news->mac, text);
		break;
	case VS_LEARNER_STALE:
		(void)snprintf(text, sizeof(text),
			       "vsid %u: record stale: VM moved from PA %s to %s", news->vsid, was,
			       pa);
		tell(m, VS_NOTICE_RECORD_STALE, sw, &news->mac, text);
		break;
	case VS_LEARNER_FULL:
		(void)snprintf(text, sizeof(text),
			       "vsid %u: as many addresses as may be learnt; no more are",
			       news->vsid);
		tell(m, VS_NOTICE_LEARN_LIMIT, sw, &news->mac, text);
		break;
	}
}

/* What workers see of the record of (vsid, mac). NULL: there is none. */
static const struct vs_record *find_record(const struct vs_model *m, uint32_t vsid,
					   const struct rte_ether_addr *mac)
{
	const struct vs_record_mac_key key = {.vsid = vsid, .mac = *mac};
	const struct vs_nvgre *nv = m->conf->nvgre;
	void *record;

	if (!nv || !nv->by_mac || rte_hash_lookup_data(nv->by_mac, &key, &record) < 0)
		return NULL;
	return record;
}

static bool pa_of_record(void *ctx, uint32_t vsid, const struct rte_ether_addr *mac,
			 struct vs_ip *ret_pa)
{
	const struct vs_record *record = find_record(ctx, vsid, mac);

	if (!record || !record->peer)
		return false;
	*ret_pa = record->peer->ip;
	return true;
}

static const struct vs_learner_ops learner_ops = {
	.record = pa_of_record,
	.tell = on_learner_news,
};

/* ---- out by the tunnel port ---- */

static bool send_frame(void *ctx, unsigned int sw, const struct vs_pa *pa, const uint8_t *frame,
		       uint32_t len)
{
	static struct vs_log_limit limit = {.burst = 3, .interval_s = 60};
	const struct vs_model *m = ctx;
	const struct vs_nvgre *nv = m->conf->nvgre;
	const uint16_t id = nv ? nv->tunnel[sw] : (uint16_t)VS_PORTS_MAX;
	const struct vs_port *port = id < VS_PORTS_MAX ? m->port[id] : NULL;
	int err;

	(void)pa;
	if (!port || !port->dev || port->kind->ops != &vs_tunnel_ops)
		return false;
	err = vs_tunnel_inject(port->dev, frame, len);
	if (err)
		vs_log_limited(&limit, VS_LOG_WARNING, "%s: a frame is lost: %s", port->name,
			       strerror(-err));
	return err == 0;
}

static const struct vs_resolver_ops resolver_ops = {.send = send_frame, .tell = on_news};

/* ---- what workers hand over ---- */

static bool has_vsid(uint32_t vsid, void *ctx)
{
	return subnet_of(ctx, vsid) != NULL;
}

static void take(struct vs_model *m, const struct vs_punt *punt, uint64_t now_ms)
{
	const struct vs_port *port = punt->port < VS_PORTS_MAX ? m->port[punt->port] : NULL;
	struct model_resolve *mr = m->resolve;
	const struct vs_heard heard = {
		.vsid = punt->vsid,
		.mac = punt->mac,
		.ca = punt->ca,
		.pa = punt->pa,
	};

	switch ((enum vs_punt_kind)punt->kind) {
	case VS_PUNT_NEIGH:
		if (port)
			vs_resolver_neighbour(mr->resolver, port->sw->index, punt->bytes, punt->len,
					      now_ms);
		break;
	case VS_PUNT_ICMP:
		if (port)
			vs_resolver_error(mr->resolver, port->sw->index, punt->bytes, punt->len,
					  has_vsid, now_ms);
		break;
	case VS_PUNT_UNRESOLVED:
		vs_resolver_hold(mr->resolver, punt->index, punt->bytes, punt->len, now_ms);
		break;
	case VS_PUNT_DRIFT:
		vs_learner_drift(mr->learner, &heard, now_ms);
		break;
	case VS_PUNT_LEARN:
	case VS_PUNT_KINDS:
		break;
	}
}

void model_resolve_drain(struct vs_model *m)
{
	const struct vs_punt *punt;
	unsigned int i;
	unsigned int w;

	if (!m->resolve)
		return;
	for (w = 0; w < m->env.n_workers; w++) {
		struct vs_punt_ring *ring = vs_worker_ctx(m->env.workers[w])->punt;

		for (i = 0; i < PUNTS_AT_ONCE && (punt = vs_punt_peek(ring)) != NULL; i++) {
			take(m, punt, vs_clock_ms());
			vs_punt_next(ring);
		}
	}
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_model *m = ctx;
	struct model_resolve *mr = m->resolve;

	(void)fd;
	(void)what;
	/* What came while a ring held more than is taken at once. */
	model_resolve_drain(m);
	vs_resolver_tick(mr->resolver, vs_clock_ms());
	if (++mr->ticks % LEARNER_TICKS == 0)
		vs_learner_tick(mr->learner, vs_clock_ms());
}

/* ---- its life ---- */

static int make_rings(struct vs_model *m)
{
	unsigned int w;
	int err = 0;

	for (w = 0; w < m->env.n_workers && err == 0; w++) {
		struct vs_ctx *ctx = vs_worker_ctx(m->env.workers[w]);

		/* No snapshot with tenants was published, so no worker looks. */
		if (!ctx->punt)
			err = vs_punt_new(&ctx->punt);
	}
	return err;
}

static struct model_resolve *make_resolve(struct vs_model *m)
{
	struct model_resolve *mr = calloc(1, sizeof(*mr));

	if (!mr)
		return NULL;
	mr->resolver = vs_resolver_new(&resolver_ops, m);
	mr->learner = vs_learner_new(&learner_ops, m);
	mr->tick = event_new(m->env.base, -1, EV_PERSIST, on_tick, m);
	if (mr->resolver && mr->learner && mr->tick)
		return mr;
	if (mr->tick)
		event_free(mr->tick);
	vs_learner_free(mr->learner);
	vs_resolver_free(mr->resolver);
	free(mr);
	return NULL;
}

static int make_all(struct vs_model *m)
{
	if (!m->resolve)
		m->resolve = make_resolve(m);
	return m->resolve ? make_rings(m) : -ENOMEM;
}

void model_resolve_prepare(struct vs_model *m, const struct vs_conf *conf)
{
	if (conf->nvgre && make_all(m) != 0)
		vs_log(VS_LOG_ERROR,
		       "no memory to resolve provider addresses: their frames are lost");
}

void model_resolve_free(struct vs_model *m)
{
	struct model_resolve *mr = m->resolve;
	unsigned int w;

	if (!mr)
		return;
	for (w = 0; w < m->env.n_workers; w++) {
		struct vs_ctx *ctx = vs_worker_ctx(m->env.workers[w]);

		vs_punt_free(ctx->punt);
		ctx->punt = NULL;
	}
	event_free(mr->tick);
	vs_learner_free(mr->learner);
	vs_resolver_free(mr->resolver);
	free(mr);
	m->resolve = NULL;
}

/* ---- own addresses, routes, peers ---- */

/* Own addresses of a switch, as frames have to say it. Return: how many. */
static uint32_t own_addresses(const struct vs_model *m, unsigned int sw, struct vs_pa *pa)
{
	const struct vs_nvgre *nv = m->conf->nvgre;
	const uint32_t first = nv ? nv->first_pa[sw] : 0;
	const uint32_t n = nv ? nv->first_pa[sw + 1] - first : 0;
	uint32_t i;

	for (i = 0; i < n && i < VS_PAS_MAX; i++) {
		pa[i] = nv->pa[first + i];
		/* The uplink's own VLAN has no tag. */
		if (pa[i].vid == m->conf->port[pa[i].uplink].vid)
			pa[i].vid = 0;
	}
	return i;
}

static uint16_t uplink_mtu(const struct vs_model *m, uint16_t uplink)
{
	const struct vs_port *port = uplink < VS_PORTS_MAX ? m->port[uplink] : NULL;
	const uint32_t mtu = port ? model_mtu_of(port) : 0;

	return mtu ? (uint16_t)RTE_MIN(mtu, (uint32_t)UINT16_MAX) : RTE_ETHER_MTU;
}

void model_resolve_follow(struct vs_model *m)
{
	static const struct timeval period = {.tv_usec = VS_HOP_LATER_MS * 1000L};
	struct model_resolve *mr = m->resolve;
	struct vs_pa pa[VS_PAS_MAX];
	unsigned int sw;

	if (!mr)
		return;
	for (sw = 0; sw < VS_SWITCHES_MAX; sw++) {
		const uint32_t n = own_addresses(m, sw, pa);

		/* Without memory it stays as it was, until the next change. */
		(void)vs_resolver_config(mr->resolver, sw, pa, n, NULL, 0, vs_clock_ms());
		if (n)
			vs_resolver_set_mtu(mr->resolver, sw, uplink_mtu(m, pa[0].uplink));
	}
	if (vs_resolver_is_idle(mr->resolver))
		(void)event_del(mr->tick);
	else if (!event_pending(mr->tick, EV_TIMEOUT, NULL))
		(void)event_add(mr->tick, &period);
}

int model_resolve_add(struct vs_model *m, unsigned int sw, struct vs_peer *peer)
{
	if (make_all(m) != 0)
		return -ENOMEM;
	return vs_resolver_add(m->resolve->resolver, sw, peer, uplink_mtu(m, peer->uplink),
			       vs_clock_ms());
}

void model_resolve_del(struct vs_model *m, uint32_t index)
{
	if (m->resolve)
		vs_resolver_del(m->resolve->resolver, index);
}

struct vs_learner *model_resolve_learner(struct vs_model *m)
{
	return m->resolve ? m->resolve->learner : NULL;
}

/* ---- as shown ---- */

struct walk {
	struct vs_model *m;
	const struct vs_switch *sw; /* NULL: all */
	int (*visit)(const struct vs_peer_row *row, void *ctx);
	void *ctx;
};

static int show_peer(const struct vs_peer_view *view, void *ctx)
{
	const struct walk *walk = ctx;
	const struct vs_switch *sw = walk->m->sw[view->sw];
	const struct vs_peer_row row = {.sw = sw ? sw->name : "", .view = view};

	if (walk->sw && sw != walk->sw)
		return 0;
	return walk->visit(&row, walk->ctx);
}

int vs_peer_each(struct vs_model *m, const char *sw,
		 int (*visit)(const struct vs_peer_row *row, void *ctx), void *ctx,
		 struct vs_fail *fail)
{
	struct walk walk = {.m = m, .visit = visit, .ctx = ctx};

	if (sw) {
		walk.sw = model_find_switch(m, sw);
		if (!walk.sw)
			return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'",
					   sw);
	}
	if (!m->resolve)
		return 0;
	return vs_resolver_each(m->resolve->resolver, vs_clock_ms(), show_peer, &walk);
}
