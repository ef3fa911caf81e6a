/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker without work goes to sleep until a bell of one of its ports rings.
 */
#ifndef VS_PARK_H
#define VS_PARK_H

#include "dataplane/core/ctx.h"
#include "dataplane/core/rcu.h"
#include "dataplane/core/sleeper.h"

/** What is in the way of sleep. From NO_BELL on the worker does not park at all. */
enum vs_park_why {
	VS_PARK_NOTHING,
	VS_PARK_MUTED,   /* a port's bell rang again and again for nothing, and is not heard now */
	VS_PARK_UNDONE,  /* a port has something to do just now that no bell tells of */
	VS_PARK_NO_BELL, /* a port has no descriptor to sleep on */
	VS_PARK_NO_POLL, /* the kernel took a descriptor for none to sleep on */
	VS_PARK_TOLD,    /* it was told to poll */
};

/**
 * struct vs_park_stats - written by the worker, read by control (relaxed)
 * @parks:	times it went to sleep
 * @wakes:	times a bell of a port woke it
 * @idle_wakes:	of these, times that there were no frames
 * @asleep_cycles: time asleep
 * @why:	enum vs_park_why, with the port at @why_port
 */
struct vs_park_stats {
	uint64_t parks;
	uint64_t wakes;
	uint64_t idle_wakes;
	uint64_t asleep_cycles;
	uint16_t why;
	uint16_t why_port;
};

/**
 * struct vs_park - how a worker sleeps; vs_park_init() fills it in
 * @epoll:	bells of epoch @epoch, or -1
 * @muted_s:	second in which a bell was muted, while one is
 * @rung_s:	second that @idle_rings counts in
 * @armed:	the ports were told to ring, and nothing has changed since
 * @told:	some may have been told to ring, and not to stop
 * @slept:	it has slept since frames came last
 * @pokes:	of @sleeper before the last look for work
 * @rung:	ports whose bells woke it and that have brought no frames since, @n_rung of them
 * @idle_rings:	by port, how often that was so in this second
 */
struct vs_park {
	struct vs_sleeper sleeper;
	struct vs_park_stats stats;
	const struct vs_rcu *rcu;
	int epoll;
	uint64_t epoch;
	uint32_t muted_s;
	uint32_t rung_s;
	bool muted;
	bool armed;
	bool told;
	bool slept;
	uint32_t pokes;
	unsigned int n_rung;
	uint16_t rung[64];
	uint8_t idle_rings[VS_PORTS_MAX];
};

/** What came of vs_park_try(). */
enum vs_park_step {
	VS_PARK_LOOK_AGAIN, /* the ports ring from now on: look for frames once more */
	VS_PARK_SLEPT,
	VS_PARK_CANNOT, /* stats.why */
};

/** vs_park_init() - @park is all zero. Return: 0, or -errno with nothing left behind. */
int vs_park_init(struct vs_park *park, const struct vs_rcu *rcu);

/** vs_park_fini() - free what vs_park_init() and sleeping made. */
void vs_park_fini(struct vs_park *park);

/** vs_park_stats() - control, at any time: fill in *@ret_stats. */
void vs_park_stats(const struct vs_park *park, struct vs_park_stats *ret_stats);

/**
 * vs_park_try() - worker, after a round that looked everywhere and brought nothing: a step to sleep
 *
 * Offline for grace periods while it sleeps.
 */
enum vs_park_step vs_park_try(struct vs_park *park, struct vs_ctx *ctx);

/** vs_park_end() - worker: frames came after ports were told to ring; they are not to any more. */
void vs_park_end(struct vs_park *park, struct vs_ctx *ctx);

#endif
