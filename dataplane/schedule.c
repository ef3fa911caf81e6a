/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * A worker's list names queue pairs; those of one port stand together and are the port's *turn*.
 * A round goes through the turns that are *hot*: their port brought frames in one of its last
 * QUIET_ROUNDS visits, or is of a kind that cannot be watched. Each visit takes one burst and
 * carries it to its end (pipeline.c), so nothing is open between two visits.
 *
 * The others are *watched*: one word in memory of the other side says whether something came
 * (core/watch.h). Pointers to these words stand packed in one array. A round looks at SWEEP_SLICE
 * of them, and at all when the round before brought nothing; what changed makes its turn hot, and
 * it is visited in the same round. The slots of hot turns point to a word that never changes, so
 * that a sweep has one comparison and no other case.
 *
 * Turns and slots are made anew when the configuration or the epoch changed, and once a second.
 * The turns of ports that were hot before stay hot, so that one guest that comes or goes does not
 * make the others quiet; so do those that cannot be watched. All others are watched, and the sweep
 * that follows goes through all slots.
 *
 * Nothing is missed, for a turn is always either hot, and visited, or watched, and what a slot
 * holds is the position up to which frames were taken, not what its word happened to be when the
 * slot was made: the word differs from it where frames came before that, as well as where they
 * come later. A ring that starts or stops between the look at the epoch and the making of its slot
 * makes the next round do it again; until then the memory stays, because who takes it away waits
 * for this round to end.
 *
 * A turn whose port has used up its share waits (fair.h). A visit is charged with the time since
 * the visit before it ended; not with what the sweep took, which nobody caused. A thread may lose
 * its processor in the middle of a visit, and the port is not to pay for that: no visit is charged
 * with more than any visit can take that made as many frames and moved as many bytes.
 *
 * Ports are asked whether their device broke the rules: hot ones in each round, the others in
 * slices.
 */
#include "dataplane/schedule.h"

#include "dataplane/core/memfault.h"
#include "dataplane/core/owed.h"
#include "dataplane/core/watch.h"
#include "dataplane/pipeline.h"

#include <string.h>

enum {
	QUIET_ROUNDS = 64,
	SWEEP_SLICE = 64,
	ASK_SLICE = 8,
	GRAIN_US = 20,
};

static const uint16_t never;

/* ---- what is watched */

/* Its slots tell nothing any more. */
static void unwatch(struct vs_schedule *s, const struct vs_turn *turn)
{
	unsigned int i;

	for (i = 0; i < turn->n; i++) {
		s->slot[turn->first + i].word = &never;
		s->slot[turn->first + i].seen = never;
	}
}

static void make_hot(struct vs_schedule *s, uint16_t index)
{
	struct vs_turn *turn = &s->turn[index];

	if (turn->hot)
		return;
	if (turn->watchable)
		unwatch(s, turn);
	turn->hot = true;
	turn->quiet = 0;
	s->hot[s->n_hot++] = index;
}

static void watch(struct vs_schedule *s, const struct vs_ctx *ctx, uint16_t index)
{
	const struct vs_poll *poll = ctx->conf->work[ctx->worker].poll;
	struct vs_turn *turn = &s->turn[index];
	const struct vs_port_hot *port = &ctx->conf->port[turn->port];
	unsigned int i;

	turn->hot = false;
	for (i = turn->first; i < turn->first + turn->n; i++) {
		struct vs_watch at = port->ops->watch(port->dev, poll[i].pair);

		s->slot[i].word = at.word ? at.word : &never;
		s->slot[i].seen = at.word ? at.seen : never;
		s->slot[i].turn = index;
	}
}

/* One guest that comes or goes does not make the others' ports quiet. */
static void remember_hot(struct vs_schedule *s)
{
	unsigned int i;

	memset(s->was_hot, 0, sizeof(s->was_hot));
	for (i = 0; i < s->n_hot; i++) {
		uint16_t port = s->turn[s->hot[i]].port;

		s->was_hot[port / 64] |= UINT64_C(1) << (port % 64);
	}
}

static bool was_hot(const struct vs_schedule *s, uint16_t port)
{
	return (s->was_hot[port / 64] >> (port % 64)) & 1;
}

/* A turn of the entries from @first on that are of the same port. Return: the entry behind them. */
static unsigned int add_turn(struct vs_schedule *s, const struct vs_ctx *ctx, unsigned int first)
{
	const struct vs_poll_list *list = &ctx->conf->work[ctx->worker];
	const struct vs_poll *poll = list->poll;
	struct vs_turn *turn = &s->turn[s->n_turns];
	unsigned int end = first + 1;

	while (end < list->n && poll[end].port == poll[first].port)
		end++;
	*turn = (struct vs_turn){
		.port = poll[first].port,
		.first = (uint16_t)first,
		.n = (uint8_t)(poll[first].pair == VS_PAIR_NONE ? 0 : end - first),
	};
	turn->watchable = end <= VS_WATCHED_MAX && ctx->conf->port[turn->port].ops->watch;
	/* Whoever cannot send any more holds nobody back. */
	if (turn->n == 0)
		s->share[turn->port].active = false;
	if (turn->n == 0 || (turn->watchable && !was_hot(s, turn->port)))
		watch(s, ctx, s->n_turns);
	else
		make_hot(s, s->n_turns);
	s->n_turns++;
	return end;
}

static void rebuild(struct vs_schedule *s, const struct vs_ctx *ctx)
{
	const struct vs_poll_list *list = &ctx->conf->work[ctx->worker];
	unsigned int i;

	remember_hot(s);
	s->n_turns = 0;
	s->n_hot = 0;
	s->sweep = 0;
	s->ask = 0;
	for (i = 0; i < RTE_MIN(list->n, (unsigned int)VS_WATCHED_MAX); i++) {
		s->slot[i].word = &never;
		s->slot[i].seen = never;
	}
	s->n_slots = (uint16_t)i;
	for (i = 0; i < list->n && s->n_turns < VS_PORTS_MAX;)
		i = add_turn(s, ctx, i);
	s->dry = true;
}

/* Before anything is looked at: is what is remembered still what there is? */
static void refresh(struct vs_schedule *s, const struct vs_ctx *ctx)
{
	uint64_t epoch = vs_watch_now();

	if (s->conf == ctx->conf && s->epoch == epoch && s->second == ctx->now_s)
		return;
	s->conf = ctx->conf;
	s->epoch = epoch;
	s->second = ctx->now_s;
	s->us_ticks = rte_get_tsc_hz() / 1000000;
	s->fair.grain = s->us_ticks * GRAIN_US;
	rebuild(s, ctx);
}

static void sweep(struct vs_schedule *s)
{
	unsigned int n = s->dry ? s->n_slots : RTE_MIN(s->n_slots, (unsigned int)SWEEP_SLICE);
	unsigned int i = s->dry ? 0 : s->sweep;
	unsigned int end;

	for (end = RTE_MIN(i + n, (unsigned int)s->n_slots); i < end; i++) {
		const struct vs_slot *slot = &s->slot[i];

		if (__atomic_load_n(slot->word, __ATOMIC_RELAXED) != slot->seen)
			make_hot(s, slot->turn);
	}
	s->sweep = (uint16_t)(end == s->n_slots ? 0 : end);
}

/* A page that was looked at is gone: the visits will find out whose it was. */
static void make_all_hot(struct vs_schedule *s)
{
	uint16_t i;

	for (i = 0; i < s->n_turns; i++) {
		if (s->turn[i].n)
			make_hot(s, i);
	}
}

/* ---- what was put off */

void vs_schedule_remind(const struct vs_ctx *ctx, enum vs_reminder which)
{
	/* No time stamp comes as late as that, and NEVER is not due. */
	uint64_t now = which == VS_REMIND_ALL ? VS_OWED_NEVER - 1 : rte_rdtsc();
	unsigned int i = 0;

	vs_owed.due = VS_OWED_NEVER;
	while (i < vs_owed.n) {
		uint16_t id = vs_owed.port[i];
		const struct vs_port_hot *port = &ctx->conf->port[id];
		uint64_t due = VS_OWED_NEVER;

		if (port->ops && port->ops->remind)
			due = port->ops->remind(port->dev, now);
		if (due != VS_OWED_NEVER) {
			vs_owed.due = RTE_MIN(vs_owed.due, due);
			i++;
			continue;
		}
		vs_owed.listed[id / 64] &= ~(UINT64_C(1) << (id % 64));
		vs_owed.port[i] = vs_owed.port[--vs_owed.n];
	}
}

/* ---- visits */

/* The charge of a visit that took @ticks and @n frames, made @made of them and moved @bytes. */
static uint64_t charge_of(const struct vs_schedule *s, uint64_t ticks, unsigned int n,
			  unsigned int made, uint64_t bytes)
{
	uint64_t us = VS_CHARGE_US + (uint64_t)n * VS_CHARGE_FRAME_US +
		      (uint64_t)made * VS_CHARGE_MADE_US + bytes / VS_CHARGE_BYTES_PER_US;

	return RTE_MIN(ticks, us * s->us_ticks);
}

/*
 * For `port show`, the time since the last visit that brought frames is this port's: the visits
 * in between, which brought none, were made on the way to it.
 */
static unsigned int visit(struct vs_schedule *s, struct vs_ctx *ctx, const struct vs_turn *turn,
			  uint16_t pair)
{
	const struct vs_port_hot *port = &ctx->conf->port[turn->port];
	struct vs_port_stats *stats = ctx->port_stats[turn->port];
	uint64_t bytes = stats->received_bytes;
	unsigned int n;
	uint64_t ticks;
	uint64_t now;

	vs_mem_begin();
	ctx->held_ticks = 0;
	n = vs_pipeline_visit(ctx, port, pair, &s->burst);
	now = rte_rdtsc();
	/* What others' frames took that had waited is not this port's. */
	ticks = now - s->looked_tsc;
	ticks -= RTE_MIN(ticks, ctx->held_ticks);
	s->looked_tsc = now;
	if (unlikely(now >= vs_owed.due))
		vs_schedule_remind(ctx, VS_REMIND_DUE);
	if (n == 0)
		return 0;
	bytes = stats->received_bytes - bytes + ctx->flooded_bytes;
	ticks = charge_of(s, ticks, n, ctx->n_made, bytes);
	if (port->flags & VS_PORT_MANY)
		ticks /= vs_fair_weight(&s->fair);
	vs_fair_charge(&s->fair, &s->share[turn->port], ticks);
	ticks = now - s->visited_tsc;
	vs_stats_bump(&stats->cycles, ticks);
	if (likely(pair < VS_PLACED_PAIRS))
		vs_stats_bump(&stats->pair_cycles[pair], ticks);
	s->visited_tsc = now;
	return n;
}

static void report_fault(struct vs_ctx *ctx, const struct vs_port_hot *port)
{
	struct vs_event ev = {.type = VS_EVENT_FAULT, .port = port->id};

	if (port->ops->fault_pending(port->dev))
		vs_event_push(&ctx->events, &ev);
}

/*
 * Visit the queue pairs of a port, or those of them that its share allows: then the next turn
 * begins where this one ended. Return: frames received.
 */
static unsigned int take_turn(struct vs_schedule *s, struct vs_ctx *ctx, struct vs_turn *turn)
{
	const struct vs_poll *poll = ctx->conf->work[ctx->worker].poll;
	struct vs_fair_share *share = &s->share[turn->port];
	unsigned int received = 0;
	unsigned int i;

	for (i = 0; i < turn->n && vs_fair_admits(&s->fair, share); i++) {
		unsigned int at = turn->first + turn->next;

		turn->next = (uint8_t)(turn->next + 1 < turn->n ? turn->next + 1 : 0);
		received += visit(s, ctx, turn, poll[at].pair);
	}
	if (i)
		share->active = received > 0;
	if (received || !i)
		turn->quiet = 0;
	else
		turn->quiet++;
	vs_fair_note(&s->fair, share);
	report_fault(ctx, &ctx->conf->port[turn->port]);
	return received;
}

static unsigned int visit_all_hot(struct vs_schedule *s, struct vs_ctx *ctx)
{
	unsigned int received = 0;
	unsigned int i = 0;

	vs_fair_begin(&s->fair);
	while (i < s->n_hot) {
		struct vs_turn *turn = &s->turn[s->hot[i]];

		received += take_turn(s, ctx, turn);
		if (turn->quiet >= QUIET_ROUNDS && turn->watchable) {
			watch(s, ctx, s->hot[i]);
			s->hot[i] = s->hot[--s->n_hot];
			continue;
		}
		turn->quiet = RTE_MIN(turn->quiet, (uint8_t)QUIET_ROUNDS);
		i++;
	}
	vs_fair_end(&s->fair);
	return received;
}

/* Are some of those that are not visited at fault? */
static void ask_some(struct vs_schedule *s, struct vs_ctx *ctx)
{
	unsigned int n = RTE_MIN(s->n_turns, (unsigned int)(s->dry ? SWEEP_SLICE : ASK_SLICE));

	for (; n > 0; n--) {
		const struct vs_turn *turn = &s->turn[s->ask];

		s->ask = (uint16_t)(s->ask + 1u < s->n_turns ? s->ask + 1 : 0);
		if (!turn->hot)
			report_fault(ctx, &ctx->conf->port[turn->port]);
	}
}

unsigned int vs_schedule_round(struct vs_schedule *s, struct vs_ctx *ctx)
{
	unsigned int received;

	ctx->now_tsc = rte_rdtsc();
	ctx->now_s = vs_clock_seconds(ctx->now_tsc);
	s->visited_tsc = ctx->now_tsc;
	refresh(s, ctx);
	vs_mem_begin();
	sweep(s);
	if (vs_mem_faults)
		make_all_hot(s);
	s->looked_tsc = rte_rdtsc();
	received = visit_all_hot(s, ctx);
	if (unlikely(vs_owed.n))
		vs_schedule_remind(ctx, VS_REMIND_DUE);
	ask_some(s, ctx);
	/* Not if it brought nothing because those that have something wait for their share. */
	s->dry = received == 0 && s->fair.n_before == 0;
	vs_event_ring_bell(&ctx->events);
	return received;
}
