/* SPDX-License-Identifier: BSD-3-Clause */
/* Time for workers and control alike: the time stamp counter, which costs no system call. */
#ifndef VS_CORE_CLOCK_H
#define VS_CORE_CLOCK_H

#include <rte_cycles.h>

#include <stdint.h>

/** vs_clock_seconds() - whole seconds since the machine started, of time stamp @tsc. */
static inline uint32_t vs_clock_seconds(uint64_t tsc)
{
	return (uint32_t)(tsc / rte_get_tsc_hz());
}

/**
 * struct vs_pace - a rate limit: @rate events per second, and a second's worth at once
 * @tat:	time stamp at which the bucket is full again (generic cell rate algorithm, ITU-T
 *		I.371: one number in place of tokens and a refill time)
 */
struct vs_pace {
	uint64_t tat;
};

/**
 * vs_pace_admit() - may one more event happen at @now?
 * @pace:	state, zero-initialised
 * @now:	time stamp counter
 * @rate:	events per second, at least 1
 *
 * Return: 1 and the event is counted, or 0.
 */
static inline int vs_pace_admit(struct vs_pace *pace, uint64_t now, uint32_t rate)
{
	uint64_t hz = rte_get_tsc_hz();
	uint64_t step = hz / rate;
	uint64_t tat = pace->tat > now ? pace->tat : now;

	if (tat - now + step > hz)
		return 0;
	pace->tat = tat + step;
	return 1;
}

#endif
