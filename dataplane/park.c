/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * While a worker polls nobody rings: a kick costs the guest more than the frame. So before it
 * sleeps it has the ports ring, and between that and sleep it looks everywhere once more: a
 * frame that was added before the port rang is found by this look, one that came later rings. In
 * between stands a full fence, as there does between frame and look at the other side.
 *
 *	         nothing for a while             nothing again, nobody poked
 *	AWAKE ------------------------> ARMED ---------------------------> ASLEEP
 *	  ^     ports are told to ring    |  <---------------------------   |
 *	  |                               |   a bell, a poke, or SLEEP_MS
 *	  +-------------------------------+
 *	     frames: ports are told not to ring, after the frames were served
 *
 * The look is an ordinary round, and so is what follows sleep: all ports have their turn,
 * whoever rang. The bells of one epoch (core/watch.h) stand in one epoll instance, which is made
 * anew when the epoch changed: only then do descriptors come and go, and each such change pokes the
 * worker (core/sleeper.h).
 *
 * An eventfd belongs to a guest and its VMM as well. It is registered edge-triggered and never
 * read, so what it counts does not matter. A bell that rings for nothing wakes the worker, once per
 * ring at most; after IDLE_RINGS_MAX of these in a row the port is *muted*: its bells are taken out
 * until the next second. Its frames are then seen when another bell rings, or after SLEEP_MS.
 * So nobody keeps a worker awake who sends nothing, and who rings for others' sake finds
 * that it wakes them no earlier than they would.
 */
#include "dataplane/park.h"

#include "dataplane/core/memfault.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	SLEEP_MS = 100,
	IDLE_RINGS_MAX = 64,
	OWN_BELL = VS_PORTS_MAX,
};

int vs_park_init(struct vs_park *park, const struct vs_rcu *rcu)
{
	park->rcu = rcu;
	park->epoll = -1;
	return vs_sleeper_init(&park->sleeper);
}

void vs_park_fini(struct vs_park *park)
{
	if (park->epoll >= 0)
		(void)close(park->epoll);
	park->epoll = -1;
	vs_sleeper_fini(&park->sleeper);
}

void vs_park_stats(const struct vs_park *park, struct vs_park_stats *ret_stats)
{
	const struct vs_park_stats *s = &park->stats;

	*ret_stats = (struct vs_park_stats){
		.parks = __atomic_load_n(&s->parks, __ATOMIC_RELAXED),
		.wakes = __atomic_load_n(&s->wakes, __ATOMIC_RELAXED),
		.idle_wakes = __atomic_load_n(&s->idle_wakes, __ATOMIC_RELAXED),
		.asleep_cycles = __atomic_load_n(&s->asleep_cycles, __ATOMIC_RELAXED),
		.why = __atomic_load_n(&s->why, __ATOMIC_RELAXED),
		.why_port = __atomic_load_n(&s->why_port, __ATOMIC_RELAXED),
	};
}

static void explain(struct vs_park *park, enum vs_park_why why, uint16_t port)
{
	__atomic_store_n(&park->stats.why_port, port, __ATOMIC_RELAXED);
	__atomic_store_n(&park->stats.why, (uint16_t)why, __ATOMIC_RELAXED);
}

/* ---- bells ---- */

static int hear(struct vs_park *park, int fd, uint32_t events, uint32_t port)
{
	struct epoll_event ev = {.events = events, .data.u32 = port};

	return epoll_ctl(park->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* Return: VS_PARK_NOTHING, or why the queue pair cannot be slept on. */
static enum vs_park_why hear_pair(struct vs_park *park, const struct vs_port_hot *port,
				  unsigned int pair)
{
	struct vs_bell bell = {.kind = VS_BELL_MISSING};

	if (port->ops->bell)
		bell = port->ops->bell(port->dev, pair);
	switch (bell.kind) {
	case VS_BELL_SILENT:
		return VS_PARK_NOTHING;
	case VS_BELL_STROKE:
		return hear(park, bell.fd, EPOLLIN | EPOLLET, port->id) ? VS_PARK_NO_POLL
									: VS_PARK_NOTHING;
	case VS_BELL_WHILE_FRAMES:
		return hear(park, bell.fd, EPOLLIN, port->id) ? VS_PARK_NO_POLL : VS_PARK_NOTHING;
	case VS_BELL_MISSING:
		break;
	}
	return VS_PARK_NO_BELL;
}

static void hear_all(struct vs_park *park, const struct vs_ctx *ctx)
{
	const struct vs_poll_list *list = &ctx->conf->work[ctx->worker];
	enum vs_park_why why = VS_PARK_NOTHING;
	unsigned int i;

	for (i = 0; i < list->n && why == VS_PARK_NOTHING; i++) {
		const struct vs_poll *poll = &list->poll[i];

		if (poll->pair != VS_PAIR_NONE)
			why = hear_pair(park, &ctx->conf->port[poll->port], poll->pair);
	}
	explain(park, why, i ? list->poll[i - 1].port : 0);
}

/* Bells of a new epoch, or all of them again after some were muted. */
static void gather(struct vs_park *park, const struct vs_ctx *ctx, uint64_t epoch)
{
	int old = park->epoll;

	park->epoch = epoch;
	park->muted = false;
	park->n_rung = 0;
	memset(park->idle_rings, 0, sizeof(park->idle_rings));
	/* First the new one: the number of descriptors never falls below what is in use. */
	park->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (old >= 0)
		(void)close(old);
	if (park->epoll < 0 || hear(park, park->sleeper.bell, EPOLLIN, OWN_BELL))
		explain(park, VS_PARK_NO_POLL, 0);
	else
		hear_all(park, ctx);
}

static void mute(struct vs_park *park, const struct vs_ctx *ctx, uint16_t id)
{
	const struct vs_poll_list *list = &ctx->conf->work[ctx->worker];
	const struct vs_port_hot *port = &ctx->conf->port[id];
	unsigned int i;

	for (i = 0; i < list->n; i++) {
		struct vs_bell bell;

		if (list->poll[i].port != id || list->poll[i].pair == VS_PAIR_NONE ||
		    !port->ops->bell)
			continue;
		bell = port->ops->bell(port->dev, list->poll[i].pair);
		if (bell.kind == VS_BELL_STROKE || bell.kind == VS_BELL_WHILE_FRAMES)
			(void)epoll_ctl(park->epoll, EPOLL_CTL_DEL, bell.fd, NULL);
	}
	park->muted = true;
	park->muted_s = ctx->now_s;
	explain(park, VS_PARK_MUTED, id);
}

/* The round after the bells rang brought nothing. */
static void note_idle_rings(struct vs_park *park, const struct vs_ctx *ctx)
{
	unsigned int i;

	if (park->n_rung == 0)
		return;
	vs_stats_bump(&park->stats.idle_wakes, 1);
	if (park->rung_s != ctx->now_s)
		memset(park->idle_rings, 0, sizeof(park->idle_rings));
	park->rung_s = ctx->now_s;
	for (i = 0; i < park->n_rung; i++) {
		uint16_t id = park->rung[i];

		if (++park->idle_rings[id] == IDLE_RINGS_MAX)
			mute(park, ctx, id);
	}
	park->n_rung = 0;
}

/* ---- steps ---- */

static bool wish_all(const struct vs_ctx *ctx, enum vs_bell_wish wish, uint16_t *ret_port)
{
	const struct vs_poll_list *list = &ctx->conf->work[ctx->worker];
	unsigned int i;

	for (i = 0; i < list->n; i++) {
		const struct vs_poll *poll = &list->poll[i];
		const struct vs_port_hot *port = &ctx->conf->port[poll->port];

		if (poll->pair == VS_PAIR_NONE || !port->ops->wish)
			continue;
		if (!port->ops->wish(port->dev, poll->pair, wish) && wish == VS_BELL_RING) {
			*ret_port = poll->port;
			return false;
		}
	}
	return true;
}

static bool is_outdated(const struct vs_park *park, const struct vs_ctx *ctx)
{
	return park->epoch != vs_watch_now() || (park->muted && park->muted_s != ctx->now_s) ||
	       park->epoll < 0;
}

/* Have all ports ring. Return: false: one of them cannot be left alone now. */
static bool arm(struct vs_park *park, struct vs_ctx *ctx)
{
	uint16_t port;

	vs_mem_begin();
	park->told = true;
	if (!wish_all(ctx, VS_BELL_RING, &port)) {
		vs_park_end(park, ctx);
		explain(park, VS_PARK_UNDONE, port);
		return false;
	}
	if (park->stats.why == VS_PARK_UNDONE)
		explain(park, VS_PARK_NOTHING, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return true;
}

static void note_rings(struct vs_park *park, const struct epoll_event *ev, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (ev[i].data.u32 != OWN_BELL && park->n_rung < RTE_DIM(park->rung))
			park->rung[park->n_rung++] = (uint16_t)ev[i].data.u32;
	}
	if (park->n_rung)
		vs_stats_bump(&park->stats.wakes, 1);
}

static void sleep_now(struct vs_park *park, struct vs_ctx *ctx)
{
	struct epoll_event ev[RTE_DIM(park->rung)];
	uint64_t begin = rte_rdtsc();
	int n;

	if (!park->slept)
		vs_stats_bump(&park->stats.parks, 1);
	park->slept = true;
	vs_rcu_offline(park->rcu, ctx->worker);
	n = epoll_wait(park->epoll, ev, RTE_DIM(park->rung), SLEEP_MS);
	vs_rcu_online(park->rcu, ctx->worker);
	vs_stats_bump(&park->stats.asleep_cycles, rte_rdtsc() - begin);
	note_rings(park, ev, n);
}

enum vs_park_step vs_park_try(struct vs_park *park, struct vs_ctx *ctx)
{
	uint32_t pokes;

	if (is_outdated(park, ctx)) {
		gather(park, ctx, vs_watch_now());
		park->armed = false;
	}
	note_idle_rings(park, ctx);
	if (park->stats.why >= VS_PARK_NO_BELL)
		return VS_PARK_CANNOT;
	if (!park->armed) {
		if (!arm(park, ctx))
			return VS_PARK_CANNOT;
		park->armed = true;
		park->pokes = vs_sleeper_note(&park->sleeper);
		return VS_PARK_LOOK_AGAIN;
	}
	if (vs_sleeper_lie_down(&park->sleeper, park->pokes)) {
		sleep_now(park, ctx);
		vs_sleeper_get_up(&park->sleeper);
	}
	/* Before the next look for work. Whoever poked may have left something undone. */
	pokes = vs_sleeper_note(&park->sleeper);
	park->armed = pokes == park->pokes;
	park->pokes = pokes;
	return VS_PARK_SLEPT;
}

void vs_park_end(struct vs_park *park, struct vs_ctx *ctx)
{
	uint16_t port;

	vs_mem_begin();
	(void)wish_all(ctx, VS_BELL_MUTE, &port);
	park->armed = false;
	park->told = false;
	park->slept = false;
	park->n_rung = 0;
}
