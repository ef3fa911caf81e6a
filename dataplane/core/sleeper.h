/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waking workers that sleep.
 *
 * DOC: theory of operation
 *
 * What a worker sleeps on are bells of its ports (core/bell.h) and one of its own, which is rung by
 * whoever has something for it: control with a new configuration, a started ring or a call,
 * another worker with a queue that must be flushed. Both sides write first and look then:
 *
 *	worker				the other one
 *	------				-------------
 *	notes @pokes			writes what it has to say
 *	looks for work			adds one to @pokes
 *	writes @asleep			reads @asleep
 *	reads @pokes: as noted? sleeps	rings if it is set
 *
 * so one of them sees the other. While the worker is awake a poke is one addition.
 */
#ifndef VS_CORE_SLEEPER_H
#define VS_CORE_SLEEPER_H

#include <stdint.h>

/**
 * struct vs_sleeper - what others know of a worker that may sleep
 * @bell:	eventfd, non-blocking
 * @pokes:	times that somebody had something for it
 * @asleep:	it sleeps, or is about to
 */
struct vs_sleeper {
	int bell;
	uint32_t pokes;
	uint32_t asleep;
};

/** vs_sleeper_init() - make the bell, and enter the list of all. Return: 0 or -errno. */
int vs_sleeper_init(struct vs_sleeper *s);

/** vs_sleeper_fini() - leave the list; nobody may be poking it any more. */
void vs_sleeper_fini(struct vs_sleeper *s);

/** vs_sleeper_poke() - any thread: there is something for it, which was written before. */
void vs_sleeper_poke(struct vs_sleeper *s);

/** vs_sleepers_poke() - any thread: the same, for all workers. */
void vs_sleepers_poke(void);

/** vs_sleeper_note() - worker, before it looks for work: how often it was poked so far. */
static inline uint32_t vs_sleeper_note(const struct vs_sleeper *s)
{
	return __atomic_load_n(&s->pokes, __ATOMIC_SEQ_CST);
}

/**
 * vs_sleeper_lie_down() - worker: from now on it is woken
 * @pokes:	as noted before it looked for work
 *
 * Return: 1; 0 when there is something for it, and it is not to sleep.
 */
int vs_sleeper_lie_down(struct vs_sleeper *s, uint32_t pokes);

/** vs_sleeper_get_up() - worker: it is awake; the bell is silent again. */
void vs_sleeper_get_up(struct vs_sleeper *s);

#endif
