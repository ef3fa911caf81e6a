/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve.h"

#include <stdlib.h>
#include <string.h>

/* Every wait of a hop is shorter. */
#define LONGEST_MS ((uint64_t)VS_HOP_GOOD_MS)

static void enter(struct vs_hop *hop, enum vs_hop_state state, uint64_t now_ms, uint64_t wait_ms)
{
	hop->state = state;
	hop->since_ms = now_ms;
	hop->due_ms = now_ms + wait_ms;
	hop->tries = 0;
}

/* One question more, if it may be asked. */
static unsigned int ask(struct vs_hop *hop, enum vs_hop_action how, uint64_t wait_ms,
			uint64_t now_ms, enum vs_hop_limit limit)
{
	if (limit == VS_HOP_ASK_LATER) {
		hop->due_ms = now_ms + VS_HOP_LATER_MS;
		return 0;
	}
	hop->tries++;
	hop->asked++;
	hop->due_ms = now_ms + wait_ms;
	return how;
}

static unsigned int begin(struct vs_hop *hop, uint64_t now_ms, enum vs_hop_limit limit)
{
	enter(hop, VS_HOP_INCOMPLETE, now_ms, 0);
	return ask(hop, VS_HOP_ASK_ALL, VS_HOP_ASK_MS, now_ms, limit);
}

static unsigned int probe(struct vs_hop *hop, uint64_t now_ms, enum vs_hop_limit limit)
{
	const unsigned int actions = ask(hop, VS_HOP_ASK_ONE, VS_HOP_ASK_MS, now_ms, limit);

	/* It stays STALE until it is asked. */
	if (actions && hop->state == VS_HOP_STALE) {
		hop->state = VS_HOP_PROBING;
		hop->since_ms = now_ms;
	}
	return actions;
}

/* Nobody answers. */
static unsigned int fail(struct vs_hop *hop, uint64_t now_ms)
{
	unsigned int actions = VS_HOP_FAIL;

	enter(hop, VS_HOP_FAILED, now_ms, VS_HOP_FAILED_ASK_MS);
	if (!hop->told)
		actions |= VS_HOP_TELL_FAILED;
	hop->told = true;
	return actions;
}

static unsigned int on_time(struct vs_hop *hop, uint64_t now_ms, enum vs_hop_limit limit)
{
	if (!vs_hop_is_due(hop, now_ms))
		return 0;
	switch (hop->state) {
	case VS_HOP_IDLE:
		return 0;
	case VS_HOP_INCOMPLETE:
		if (hop->tries >= VS_HOP_TRIES)
			return fail(hop, now_ms);
		return ask(hop, VS_HOP_ASK_ALL, VS_HOP_ASK_MS, now_ms, limit);
	case VS_HOP_REACHABLE:
		enter(hop, VS_HOP_STALE, now_ms, 0);
		return probe(hop, now_ms, limit);
	case VS_HOP_STALE:
		return probe(hop, now_ms, limit);
	case VS_HOP_PROBING:
		if (hop->tries < VS_HOP_TRIES)
			return probe(hop, now_ms, limit);
		return VS_HOP_FORGET | begin(hop, now_ms, limit);
	case VS_HOP_FAILED:
		if (now_ms - hop->since_ms < VS_HOP_FAILED_MS)
			return ask(hop, VS_HOP_ASK_ALL, VS_HOP_FAILED_ASK_MS, now_ms, limit);
		enter(hop, VS_HOP_IDLE, now_ms, 0);
		return VS_HOP_FORGET;
	}
	return 0;
}

/* Is there a question that an answer can be to? */
static bool is_asking(const struct vs_hop *hop)
{
	return hop->tries > 0 && (hop->state == VS_HOP_INCOMPLETE || hop->state == VS_HOP_PROBING ||
				  hop->state == VS_HOP_FAILED);
}

/* Frames go to @mac from now on. */
static unsigned int take_mac(struct vs_hop *hop, const struct rte_ether_addr *mac, uint64_t now_ms)
{
	unsigned int actions = VS_HOP_SET;

	if (hop->told)
		actions |= VS_HOP_TELL_BACK;
	hop->told = false;
	if (!rte_is_same_ether_addr(&hop->mac, mac) && !rte_is_zero_ether_addr(&hop->mac)) {
		hop->before = hop->mac;
		hop->moved_ms = now_ms;
		hop->moves++;
		actions |= VS_HOP_TELL_MOVED;
	}
	hop->mac = *mac;
	return actions;
}

/* Asked for and told: nothing says more. */
static unsigned int on_answer(struct vs_hop *hop, const struct rte_ether_addr *mac, uint64_t now_ms)
{
	unsigned int actions = 0;

	if (!vs_hop_has_mac(hop) || !rte_is_same_ether_addr(&hop->mac, mac))
		actions = take_mac(hop, mac, now_ms);
	enter(hop, VS_HOP_REACHABLE, now_ms, VS_HOP_GOOD_MS);
	hop->proven = true;
	hop->proven_ms = now_ms;
	return actions;
}

static unsigned int on_heard(struct vs_hop *hop, const struct rte_ether_addr *mac, uint64_t now_ms,
			     enum vs_hop_limit limit)
{
	unsigned int actions;

	if (hop->state == VS_HOP_IDLE)
		return 0;
	if (vs_hop_has_mac(hop) && rte_is_same_ether_addr(&hop->mac, mac))
		return 0;
	if (hop->moves && now_ms - hop->moved_ms < VS_HOP_LOCK_MS)
		return 0;
	actions = take_mac(hop, mac, now_ms);
	enter(hop, VS_HOP_STALE, now_ms, 0);
	return actions | probe(hop, now_ms, limit);
}

unsigned int vs_hop_step(struct vs_hop *hop, enum vs_hop_event event,
			 const struct rte_ether_addr *mac, uint64_t now_ms, enum vs_hop_limit limit)
{
	switch (event) {
	case VS_HOP_NEEDED:
		return hop->state == VS_HOP_IDLE ? begin(hop, now_ms, limit) : 0;
	case VS_HOP_ANSWERED:
		return is_asking(hop) ? on_answer(hop, mac, now_ms)
				      : on_heard(hop, mac, now_ms, limit);
	case VS_HOP_HEARD:
		return on_heard(hop, mac, now_ms, limit);
	case VS_HOP_DOUBTED:
		if (hop->state != VS_HOP_REACHABLE)
			return 0;
		enter(hop, VS_HOP_STALE, now_ms, 0);
		return probe(hop, now_ms, limit);
	case VS_HOP_TIME:
		return on_time(hop, now_ms, limit);
	case VS_HOP_RESET:
		memset(&hop->mac, 0, sizeof(hop->mac));
		enter(hop, VS_HOP_IDLE, now_ms, 0);
		hop->told = false;
		hop->proven = false;
		return VS_HOP_FORGET;
	}
	return 0;
}

bool vs_hop_is_due(const struct vs_hop *hop, uint64_t now_ms)
{
	if (hop->state == VS_HOP_IDLE)
		return false;
	return hop->due_ms <= now_ms || hop->due_ms - now_ms > LONGEST_MS;
}

const char *vs_hop_state_name(enum vs_hop_state state)
{
	static const char *const names[] = {
		[VS_HOP_IDLE] = "idle",           [VS_HOP_INCOMPLETE] = "incomplete",
		[VS_HOP_REACHABLE] = "reachable", [VS_HOP_STALE] = "stale",
		[VS_HOP_PROBING] = "probing",     [VS_HOP_FAILED] = "failed",
	};

	return names[state];
}

/* ---- frames that wait ---- */

struct vs_wait_frame *vs_wait_take(struct vs_wait *wait, struct vs_wait_room *room)
{
	struct vs_wait_frame *frame = wait->frame[0];

	if (!wait->n)
		return NULL;
	wait->n--;
	memmove(wait->frame, wait->frame + 1, wait->n * sizeof(wait->frame[0]));
	room->bytes -= frame->len;
	return frame;
}

static void drop_oldest(struct vs_wait *wait, struct vs_wait_room *room)
{
	free(vs_wait_take(wait, room));
	wait->lost++;
}

bool vs_wait_put(struct vs_wait *wait, struct vs_wait_room *room, const void *bytes, uint32_t len)
{
	struct vs_wait_frame *frame = NULL;

	if (wait->n == VS_WAIT_FRAMES)
		drop_oldest(wait, room);
	if (room->bytes + len <= VS_WAIT_BYTES)
		frame = malloc(sizeof(*frame) + len);
	if (!frame) {
		wait->lost++;
		return wait->n == VS_WAIT_FRAMES;
	}
	frame->len = len;
	memcpy(frame->bytes, bytes, len);
	wait->frame[wait->n++] = frame;
	room->bytes += len;
	return wait->n == VS_WAIT_FRAMES;
}

unsigned int vs_wait_drop(struct vs_wait *wait, struct vs_wait_room *room)
{
	const unsigned int n = wait->n;

	while (wait->n)
		drop_oldest(wait, room);
	return n;
}
