/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One round of a worker: which queue pairs it visits, in which order.
 */
#ifndef VS_SCHEDULE_H
#define VS_SCHEDULE_H

#include "dataplane/core/ctx.h"
#include "dataplane/fair.h"

enum {
	/** Queue pairs that one worker can watch; what is beyond that is visited in every round. */
	VS_WATCHED_MAX = 8 * VS_PORTS_MAX,
};

/**
 * struct vs_slot - what is watched of one queue pair: the packed array that a sweep goes through
 * @turn:	index of the port's turn
 */
struct vs_slot {
	const uint16_t *word;
	uint16_t seen;
	uint16_t turn;
};

_Static_assert(sizeof(struct vs_slot) == 16, "four to a cache line");

/**
 * struct vs_turn - a port on the worker's list
 * @first, @n:	its queue pairs there
 * @next:	which of them is visited next
 * @quiet:	rounds without frames
 */
struct vs_turn {
	uint16_t port;
	uint16_t first;
	uint8_t n;
	uint8_t next;
	uint8_t quiet;
	bool watchable;
	bool hot;
};

/**
 * struct vs_schedule - what a worker remembers from round to round; all zero to begin with
 * @conf, @epoch, @second: what @turn and @slot were made of, and when
 * @hot:	indices of the turns that are visited; the others are watched
 * @sweep, @ask: where the next slice begins
 * @dry:	the last round brought nothing, and nobody had to wait
 * @was_hot:	bit per port that was visited before @turn was made anew
 * @us_ticks:	time stamp counter ticks of a microsecond
 * @looked_tsc: end of the last visit
 * @visited_tsc: end of the last visit of this round that brought frames
 * @share:	by port id
 */
struct vs_schedule {
	const struct vs_conf *conf;
	uint64_t epoch;
	uint32_t second;
	uint16_t n_slots;
	uint16_t n_turns;
	uint16_t n_hot;
	uint16_t sweep;
	uint16_t ask;
	bool dry;
	uint64_t was_hot[VS_PORTS_MAX / 64];
	uint64_t us_ticks;
	uint64_t looked_tsc;
	uint64_t visited_tsc;
	struct vs_fair fair;
	uint16_t hot[VS_PORTS_MAX];
	struct vs_turn turn[VS_PORTS_MAX];
	struct vs_fair_share share[VS_PORTS_MAX];
	struct vs_slot slot[VS_WATCHED_MAX];
	struct vs_burst burst;
};

/** When vs_schedule_remind() does what ports have put off. */
enum vs_reminder {
	VS_REMIND_DUE, /* now what is due */
	VS_REMIND_ALL, /* all of it: the configuration is about to change */
};

/** vs_schedule_remind() - have the ports of ctx->conf do what they owe (core/owed.h). */
void vs_schedule_remind(const struct vs_ctx *ctx, enum vs_reminder which);

/**
 * vs_schedule_round() - visit what ctx->conf says that this worker visits
 * @ctx:	the worker's, with conf set
 *
 * Return: frames received.
 */
unsigned int vs_schedule_round(struct vs_schedule *s, struct vs_ctx *ctx);

#endif
