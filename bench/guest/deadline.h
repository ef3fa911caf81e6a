/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_GUEST_DEADLINE_H
#define BENCH_GUEST_DEADLINE_H

/* Points in time on the monotonic clock, in the form poll() wants them. */

#include <limits.h>
#include <time.h>

/** Set @end to @timeout_ms from now; a negative limit never ends (tv_nsec = -1). */
static inline void vsg_deadline_set(struct timespec *end, int timeout_ms)
{
	clock_gettime(CLOCK_MONOTONIC, end);
	if (timeout_ms < 0) {
		end->tv_nsec = -1;
		return;
	}
	end->tv_sec += timeout_ms / 1000;
	end->tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (end->tv_nsec >= 1000000000) {
		end->tv_sec++;
		end->tv_nsec -= 1000000000;
	}
}

/** Milliseconds left, rounded up; 0 when it is over, -1 when it never is. */
static inline int vsg_deadline_left(const struct timespec *end)
{
	struct timespec now;
	long long ns;

	if (end->tv_nsec < 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (long long)(end->tv_sec - now.tv_sec) * 1000000000 + (end->tv_nsec - now.tv_nsec);
	if (ns <= 0)
		return 0;
	ns = (ns + 999999) / 1000000;
	return ns > INT_MAX ? INT_MAX : (int)ns;
}

#endif /* BENCH_GUEST_DEADLINE_H */
