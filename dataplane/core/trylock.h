/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lock that nobody waits for.
 *
 * What two workers may want to write to at once (a guest's receive ring, a transmit queue) has one.
 * Its holder may have been preempted, and be away for milliseconds; so who does not get it does
 * something else and comes back later (dataplane/held.h).
 */
#ifndef VS_CORE_TRYLOCK_H
#define VS_CORE_TRYLOCK_H

#include <stdbool.h>
#include <stdint.h>

/** struct vs_trylock - all zero: free */
struct vs_trylock {
	uint8_t taken;
};

/** vs_trylock() - take it, if it is free. Return: was it? */
static inline bool vs_trylock(struct vs_trylock *lock)
{
	/* The load alone while it is taken: an exchange would take the line from its holder. */
	return !__atomic_load_n(&lock->taken, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE);
}

/** vs_tryunlock() - holder: give it back, with everything written under it. */
static inline void vs_tryunlock(struct vs_trylock *lock)
{
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

#endif
