/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation: moderation of interrupts
 *
 * A guest that asked for an interrupt gets it when the level of its port says: after so many
 * frames, or so long after the first that it was to be told of, whatever comes first. Until then
 * the ring *owes* it. Frames themselves are never held back: a guest that looks finds them.
 *
 *	         the guest wants a call
 *	CLEAR ---------------------------> OWING  (listed in vs_owed, with its time)
 *	  ^                                  |
 *	  +----------------------------------+
 *	    frames enough, time up, a new configuration, or the ring stops: the guest is asked once
 *	    more whether it wants it, and if it has not taken the frames meanwhile, called
 *
 * The time is looked at by the worker after each visit (schedule.c): no timer, no system call. A
 * worker that owes does not sleep, and of several workers each lists what it delivered to; the
 * ring's lock protects what the ring owes.
 *
 * Adaptive picks a level by the frames of the last millisecond, so that a frame after a pause, or
 * an answer that somebody waits for, is told of at once, and a stream in the fewest
 * interrupts.
 */
#include "dataplane/guest/ring_chain.h"

#include "dataplane/core/owed.h"

#include <rte_cycles.h>

enum {
	WINDOW_US = 1000,
};

static const struct {
	uint16_t us;
	uint16_t frames;
	uint32_t pace; /* adaptive: from so many frames in WINDOW_US on */
} levels[] = {
	[VS_GUEST_MOD_OFF] = {.us = 0, .frames = 0, .pace = 0},
	[VS_GUEST_MOD_LOW] = {.us = 50, .frames = 8, .pace = 64},
	[VS_GUEST_MOD_MEDIUM] = {.us = 100, .frames = 16, .pace = 256},
	/* The visit in which its time runs out still belongs to the 200 us that are promised. */
	[VS_GUEST_MOD_HIGH] = {.us = 180, .frames = 32, .pace = 1024},
};

/* Count @n frames. Return: the level for as many as came lately. */
static enum vs_guest_mod adapt(struct vs_ring *ring, uint64_t now, uint16_t n)
{
	uint64_t window = (uint64_t)ring->us_ticks * WINDOW_US;
	enum vs_guest_mod level = VS_GUEST_MOD_HIGH;

	if (now - ring->window_tsc >= window) {
		ring->pace = now - ring->window_tsc < 2 * window ? ring->window_frames : 0;
		ring->window_tsc = now;
		ring->window_frames = 0;
	}
	ring->window_frames += n;
	while (level > VS_GUEST_MOD_OFF && ring->pace < levels[level].pace)
		level--;
	return level;
}

void vs_ring_moderate(struct vs_ring *ring, uint16_t n, uint16_t before, bool wants)
{
	enum vs_guest_mod level = __atomic_load_n(&ring->moderation, __ATOMIC_RELAXED);
	uint64_t now = rte_rdtsc();

	if (level == VS_GUEST_MOD_ADAPTIVE)
		level = adapt(ring, now, n);
	if (!ring->owed && !wants)
		return;
	if (!ring->owed) {
		ring->owed_from = before;
		ring->owed_due = now + (uint64_t)ring->us_ticks * levels[level].us;
	}
	__atomic_store_n(&ring->owed, ring->owed + n, __ATOMIC_RELAXED);
	if (ring->owed >= levels[level].frames)
		vs_ring_remind(ring);
	else
		vs_owed_add(ring->in_port, ring->owed_due);
}

void vs_ring_remind(struct vs_ring *ring)
{
	if (!ring->owed)
		return;
	__atomic_store_n(&ring->owed, 0, __ATOMIC_RELAXED);
	if (vs_ring_wants_call(ring, ring->owed_from))
		vs_ring_call(ring);
}
