/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Seeing from afar that a queue pair has frames: one word in memory of its other side.
 *
 * DOC: theory of operation
 *
 * A worker that looks after hundreds of queue pairs visits those that are busy, and of the others
 * looks at one word each, through pointers that it gathers once (schedule.c). What these point to
 * goes away when a ring stops, so the pointers are good for one *epoch*: vs_watch_changed() begins
 * a new one at every start and stop of a ring and at every new configuration, and a worker gathers
 * anew at the start of the round in which it sees that. Who takes the memory away calls it first
 * and then waits for a grace period, as for everything else that workers use (rcu.h).
 */
#ifndef VS_CORE_WATCH_H
#define VS_CORE_WATCH_H

#include <stdint.h>

/**
 * struct vs_watch - where to look, and what stands there while nothing has come
 * @word:	changes when the other side adds frames, which it may do at any instant; NULL:
 *		nothing can come in this epoch
 * @seen:	what it held, as it stands in memory, when all frames had been taken
 */
struct vs_watch {
	const uint16_t *word;
	uint16_t seen;
};

/** The number of the epoch. */
extern uint64_t vs_watch_epoch;

/** vs_watch_changed() - a new epoch: what workers watch is not what it was. Wakes. Any thread. */
void vs_watch_changed(void);

/** vs_watch_now() - worker, at the start of a round: the epoch. */
static inline uint64_t vs_watch_now(void)
{
	return __atomic_load_n(&vs_watch_epoch, __ATOMIC_ACQUIRE);
}

#endif
