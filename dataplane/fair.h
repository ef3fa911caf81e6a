/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the ports share a worker's time.
 *
 * DOC: theory of operation
 *
 * Ports are visited in turn, but a visit may cost a hundred times what another one does: large
 * frames, floods, long chains, many queue pairs. So each port has an account of what its visits
 * cost, measured in ticks of the time stamp counter, and who is ahead waits.
 *
 * The *line* is the least that any *active* port has spent, one that brought frames at its last
 * visit. A port is visited if it has not spent more than the line and a *grain* beyond it. From
 * this follows:
 *
 * - Two ports that are active all the time spend the same but for a grain and one visit, whatever
 *   their frames look like, and however many queue pairs they have.
 * - Nobody waits for the sake of an idle port: the active port that has spent least is visited in
 *   every round, and if that brings nothing it is not active any more and the line moves up to the
 *   next one. Where nobody is active the line is above everybody.
 * - Time that was not used is not saved up: who comes back after a pause begins at the line.
 * - Ports whose visits cost about the same are visited in turn, once a round, as if there were no
 *   accounts: that is what the grain is for. Without it, visits would become more and bursts
 *   smaller.
 *
 * This is start-time fair queueing (Goyal, Vin, Cheng 1996) with a burst for a packet, whose length
 * is known afterwards. Nothing here reads a clock or touches a port: tests run it on made-up costs.
 */
#ifndef VS_FAIR_H
#define VS_FAIR_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct vs_fair_share - the account of one port; all zero to begin with
 * @spent:	ticks, from an origin of no meaning
 * @active:	it brought frames at its last visit
 */
struct vs_fair_share {
	uint64_t spent;
	bool active;
};

/**
 * struct vs_fair - what the accounts of one worker have in common; all zero to begin with
 * @line, @grain: see above
 * @least:	of this round so far: the least that an active port has spent
 * @most:	of all rounds: the most that anybody has spent
 * @n_active:	ports that were active in this round so far
 * @n_before:	the same of the round before
 */
struct vs_fair {
	uint64_t line;
	uint64_t grain;
	uint64_t least;
	uint64_t most;
	uint32_t n_active;
	uint32_t n_before;
};

/** vs_fair_begin() - a round begins. */
static inline void vs_fair_begin(struct vs_fair *f)
{
	f->least = UINT64_MAX;
	f->n_active = 0;
}

/** vs_fair_admits() - may the port be visited now? */
static inline bool vs_fair_admits(const struct vs_fair *f, const struct vs_fair_share *share)
{
	return share->spent <= f->line + f->grain;
}

/** vs_fair_charge() - a visit to the port cost @ticks. */
static inline void vs_fair_charge(const struct vs_fair *f, struct vs_fair_share *share,
				  uint64_t ticks)
{
	if (share->spent < f->line)
		share->spent = f->line;
	share->spent += ticks;
}

/** vs_fair_note() - the port's part of this round is over; share->active says how it went. */
static inline void vs_fair_note(struct vs_fair *f, const struct vs_fair_share *share)
{
	if (share->spent > f->most)
		f->most = share->spent;
	if (!share->active)
		return;
	f->n_active++;
	if (share->spent < f->least)
		f->least = share->spent;
}

/** vs_fair_end() - the round ends; all ports that were active have been noted. */
static inline void vs_fair_end(struct vs_fair *f)
{
	f->line = f->n_active ? f->least : f->most;
	f->n_before = f->n_active;
}

/**
 * vs_fair_weight() - shares of a port that many stand behind
 *
 * What comes through an uplink comes from many: it may use as much as all other ports together.
 */
static inline uint64_t vs_fair_weight(const struct vs_fair *f)
{
	return f->n_before > 2 ? f->n_before - 1 : 1;
}

#endif
