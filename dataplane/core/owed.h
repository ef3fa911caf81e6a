/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker has put off for a port, and when it must be done: interrupts that moderation holds
 * back (dataplane/guest/moderate.c).
 *
 * A port's own code, deep inside of a delivery, enters the port; the worker (schedule.c) compares
 * the time with @due after each visit, and has the ports that are listed do what is due.
 */
#ifndef VS_CORE_OWED_H
#define VS_CORE_OWED_H

#include "dataplane/core/limits.h"

#include <stdint.h>

/** VS_OWED_NEVER - nothing is due */
#define VS_OWED_NEVER UINT64_MAX

/**
 * struct vs_owed - of one worker
 * @due:	time stamp of the earliest; VS_OWED_NEVER: nothing is owed
 * @port:	ids of the ports that owe something, @n of them
 * @listed:	bit per id
 */
struct vs_owed {
	uint64_t due;
	unsigned int n;
	uint16_t port[VS_PORTS_MAX];
	uint64_t listed[VS_PORTS_MAX / 64];
};

/** The thread's own. */
extern _Thread_local struct vs_owed vs_owed;

/** vs_owed_add() - @port has something to do at @due. */
static inline void vs_owed_add(uint16_t port, uint64_t due)
{
	uint64_t bit = UINT64_C(1) << (port % 64);

	if (due < vs_owed.due)
		vs_owed.due = due;
	if (vs_owed.listed[port / 64] & bit)
		return;
	vs_owed.listed[port / 64] |= bit;
	vs_owed.port[vs_owed.n++] = port;
}

#endif
