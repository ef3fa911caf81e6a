/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time: the time stamp counter, which costs no system call, for workers and control alike; the
 * system's monotonic clock for control.
 */
#ifndef VS_CORE_CLOCK_H
#define VS_CORE_CLOCK_H

#include <rte_cycles.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/** vs_clock_seconds() - whole seconds since the machine started, of time stamp @tsc. */
static inline uint32_t vs_clock_seconds(uint64_t tsc)
{
	return (uint32_t)(tsc / rte_get_tsc_hz());
}

/** vs_clock_ms() - control: milliseconds of the monotonic clock. */
static inline uint64_t vs_clock_ms(void)
{
	struct timespec ts;

	/* Cannot fail: the clock exists and the pointer is good. */
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
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
 * vs_pace_admit_many() - may events happen at @now that come together or not at all?
 * @pace:	state, zero-initialised
 * @now:	time stamp counter
 * @rate:	events per second, at least 1
 * @n:		events, at least 1
 *
 * They may where one may; those beyond what there is room for are paid for by a longer wait.
 *
 * Return: true and the events are counted, or false.
 */
static inline bool vs_pace_admit_many(struct vs_pace *pace, uint64_t now, uint32_t rate, uint32_t n)
{
	uint64_t hz = rte_get_tsc_hz();
	uint64_t step = hz / rate;
	uint64_t tat = pace->tat > now ? pace->tat : now;

	if (tat - now + step > hz)
		return false;
	pace->tat = tat + step * n;
	return true;
}

/** vs_pace_admit() - the same for one event */
static inline bool vs_pace_admit(struct vs_pace *pace, uint64_t now, uint32_t rate)
{
	return vs_pace_admit_many(pace, now, rate, 1);
}

#endif
