/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbours on the provider network: who has the address that frames for a host are handed to,
 * and what waits until that is known (RFC 826, RFC 4861 section 7).
 *
 * Pure functions of a state, an event and a clock: they send nothing, read no clock and know no
 * address but the MAC, so tests run hours in no time. The model carries out what they return.
 *
 * DOC: theory of operation
 *
 * A *hop* is a neighbour: another host, or the router of a provider route. Nothing is asked before
 * a frame needs it.
 *
 *	          needed           answered            30 s              asked
 *	IDLE ------------> INCOMPLETE ------> REACHABLE -----> STALE ---------> PROBING
 *	 ^                  |  ^                  ^  ^           ^                |  |
 *	 |                  |  |                  |  |           | other MAC      |  |
 *	 | 20 s     3 asked |  |                  |  +-----------|--- answered ---+  |
 *	 |          in vain |  |         answered |           (heard)                |
 *	 |                  v  +------------------|--------- 3 asked in vain --------+
 *	 +------------- FAILED -------------------+
 *
 * - INCOMPLETE and FAILED have no MAC; all others have one that frames are sent to. So a refresh
 *   delays nothing: the MAC is in use while it is asked for, the neighbour itself and not all.
 * - Every question has a second. It counts when it was asked: where the limit of questions says no,
 *   the hop stays as it is and tries again soon.
 * - An *answer* is what says so itself (ARP reply to our address, neighbour advertisement with the
 *   solicited flag), while a question is open. Anything else is *heard*: it changes a MAC that is
 *   known, is waited for or could not be found, once a second at most, and proves nothing: the hop
 *   is STALE, and is asked at once. It never makes an entry.
 * - FAILED lasts 20 s: frames are dropped at once, and one question is asked every 5 s. Whoever
 *   answers is back. Then it is IDLE, and the next frame starts anew.
 * - A clock that jumps is no evidence: one call makes one step, and a hop whose time is further
 *   away than any can be is due now.
 */
#ifndef VS_CONTROL_RESOLVE_H
#define VS_CONTROL_RESOLVE_H

#include <rte_ether.h>

#include <stdbool.h>
#include <stdint.h>

enum {
	/** A question waits so long for its answer. */
	VS_HOP_ASK_MS = 1000,
	/** So many questions in a row, to all and to the neighbour itself. */
	VS_HOP_TRIES = 3,
	/** An answer is good for so long (RFC 4861, 10: REACHABLE_TIME). */
	VS_HOP_GOOD_MS = 30000,
	/** Nobody answered: frames are dropped for so long, */
	VS_HOP_FAILED_MS = 20000,
	/** and a question is asked so often. */
	VS_HOP_FAILED_ASK_MS = 5000,
	/** What is only heard changes a MAC so often at the most. */
	VS_HOP_LOCK_MS = 1000,
	/** When the limit of questions says no. */
	VS_HOP_LATER_MS = 100,
	/** Frames that wait for one provider address. */
	VS_WAIT_FRAMES = 3,
	/** Bytes of frames that wait for all of them together. */
	VS_WAIT_BYTES = 8 << 20,
};

/** What is known of a neighbour. */
enum vs_hop_state {
	VS_HOP_IDLE,
	VS_HOP_INCOMPLETE,
	VS_HOP_REACHABLE,
	VS_HOP_STALE,
	VS_HOP_PROBING,
	VS_HOP_FAILED,
};

/** What happens to it. */
enum vs_hop_event {
	VS_HOP_NEEDED,   /* a frame waits for it */
	VS_HOP_ANSWERED, /* it says that it answers */
	VS_HOP_HEARD,    /* it tells its MAC without being asked */
	VS_HOP_DOUBTED,  /* somebody tells another MAC that is not to replace the known one */
	VS_HOP_TIME,     /* nothing, but time passes */
	VS_HOP_RESET,    /* the way to it changed: it begins anew */
};

/** What is to be done, in this order. */
enum vs_hop_action {
	VS_HOP_SET = 1 << 0,     /* frames go to hop->mac; those that wait, too */
	VS_HOP_FORGET = 1 << 1,  /* frames wait */
	VS_HOP_FAIL = 1 << 2,    /* frames are dropped, those that wait, too */
	VS_HOP_ASK_ALL = 1 << 3, /* ARP by broadcast, solicitation to the group of the address */
	VS_HOP_ASK_ONE = 1 << 4, /* the same to hop->mac alone */
	VS_HOP_TELL_FAILED = 1 << 5,
	VS_HOP_TELL_BACK = 1 << 6,  /* it had failed */
	VS_HOP_TELL_MOVED = 1 << 7, /* another MAC than before: hop->before */
};

/** Whether one more question may be asked now. */
enum vs_hop_limit {
	VS_HOP_MAY_ASK,
	VS_HOP_ASK_LATER,
};

/**
 * struct vs_hop - a neighbour; all zero to begin with
 * @mac:	of REACHABLE, STALE, PROBING
 * @before:	the one before it, if that ever changed (@moves)
 * @tries:	questions asked in a row
 * @told:	its failure was told, and its return was not
 * @due_ms:	when VS_HOP_TIME has something to do; not of IDLE
 * @since_ms:	when it came into its state
 * @proven_ms:	last answer, if there was one (@proven)
 * @moved_ms:	last change of the MAC, if there was one (@moves)
 * @asked:	questions in all
 */
struct vs_hop {
	enum vs_hop_state state;
	struct rte_ether_addr mac;
	struct rte_ether_addr before;
	uint8_t tries;
	bool told;
	bool proven;
	uint32_t moves;
	uint64_t due_ms;
	uint64_t since_ms;
	uint64_t proven_ms;
	uint64_t moved_ms;
	uint64_t asked;
};

/**
 * vs_hop_step() - something happened to a neighbour
 * @mac:	of ANSWERED and HEARD, a unicast address; otherwise NULL
 * @now_ms:	the monotonic clock
 *
 * Return: bits of enum vs_hop_action.
 */
unsigned int vs_hop_step(struct vs_hop *hop, enum vs_hop_event event,
			 const struct rte_ether_addr *mac, uint64_t now_ms,
			 enum vs_hop_limit limit);

/** vs_hop_is_due() - has VS_HOP_TIME something to do at @now_ms? */
bool vs_hop_is_due(const struct vs_hop *hop, uint64_t now_ms);

/** vs_hop_has_mac() - can frames be sent to it? */
static inline bool vs_hop_has_mac(const struct vs_hop *hop)
{
	return hop->state == VS_HOP_REACHABLE || hop->state == VS_HOP_STALE ||
	       hop->state == VS_HOP_PROBING;
}

/** vs_hop_state_name() - for people: "reachable" */
const char *vs_hop_state_name(enum vs_hop_state state);

/** struct vs_wait_frame - a complete frame that waits; malloc()ed */
struct vs_wait_frame {
	uint32_t len;
	uint8_t bytes[];
};

/** struct vs_wait_room - what waits for all provider addresses together; all zero: nothing */
struct vs_wait_room {
	uint64_t bytes;
};

/**
 * struct vs_wait - what waits for one provider address, the oldest first; all zero: nothing
 * @lost:	frames that were dropped here: for a newer one, for want of room, or in vain
 */
struct vs_wait {
	struct vs_wait_frame *frame[VS_WAIT_FRAMES];
	uint8_t n;
	uint64_t lost;
};

/**
 * vs_wait_put() - one more frame waits; where there are VS_WAIT_FRAMES, the oldest is dropped
 * @bytes:	copied
 *
 * Return: do as many wait now as may? One that finds no room, or no memory, is counted as lost.
 */
bool vs_wait_put(struct vs_wait *wait, struct vs_wait_room *room, const void *bytes, uint32_t len);

/**
 * vs_wait_take() - the oldest frame
 * Return: it, to be free()d by the caller; NULL: none waits.
 */
struct vs_wait_frame *vs_wait_take(struct vs_wait *wait, struct vs_wait_room *room);

/** vs_wait_drop() - none of them is sent any more. Return: how many were dropped. */
unsigned int vs_wait_drop(struct vs_wait *wait, struct vs_wait_room *room);

#endif
