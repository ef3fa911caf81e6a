/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters. Every frame is accounted for, and three sums prove it (`vmswitch stats audit`):
 *
 *   ingress port:  received = forwarded + flooded + consumed + sum of drops with side IN
 *   egress port:   attempts = sent + sum of drops with side OUT + held
 *   switch:        sum of attempts = sum of forwarded + flood_copies + extra_segments
 *                                    - merged + generated + encapsulated
 *
 * Each term is counted where the thing happens and none is computed from others. A worker
 * counts into its own blocks only, with plain stores; control reads them with relaxed loads at
 * any time, and for the audit at a quiescent point of the worker, where the sums hold exactly.
 */
#ifndef VS_CORE_STATS_H
#define VS_CORE_STATS_H

#include "dataplane/core/drop.h"
#include "dataplane/core/limits.h"

#include <stdint.h>

enum {
	VS_SAMPLE_BYTES = 64,
};

/**
 * struct vs_sample - the last frame dropped for one reason at one port
 * @seq:	odd while the worker writes it
 * @when_tsc:	time stamp counter at the drop; 0: none yet
 * @len:	bytes of the whole frame
 * @have:	bytes kept in @bytes
 */
struct vs_sample {
	uint32_t seq;
	uint32_t len;
	uint64_t when_tsc;
	uint16_t have;
	uint8_t bytes[VS_SAMPLE_BYTES];
};

/** What a frame may owe when it gets to a port; up to USO6 the numbers are those of enum vs_gso. */
enum vs_offload_owed {
	VS_OWED_CSUM, /* a checksum alone */
	VS_OWED_TSO4,
	VS_OWED_TSO6,
	VS_OWED_USO4,
	VS_OWED_USO6,
	VS_OWED_ECN, /* TSO4 or TSO6 with CWR: counted there, too */
	VS_OWED_COUNT,
};

/** What becomes of it. */
enum vs_settled {
	VS_SETTLED_PASSED,   /* left to the port */
	VS_SETTLED_CUT,      /* cut here; the checksums of the segments are left to the port */
	VS_SETTLED_SOFTWARE, /* all done here */
	VS_SETTLED_COUNT,
};

/**
 * struct vs_offload_stats - what frames owed that went to a port, and what became of it
 * @cell:	frames: each cell of the table of doc/offload.md
 * @segments:	frames that others were cut into
 * @checksums:	computed here, those of segments included
 * @merged:	segments from a wire that joined another one
 */
struct vs_offload_stats {
	uint64_t cell[VS_OWED_COUNT][VS_SETTLED_COUNT];
	uint64_t segments;
	uint64_t checksums;
	uint64_t merged;
};

/**
 * struct vs_port_stats - what one worker counted at one port
 *
 * Frames and bytes are counted without FCS and without the virtio-net header. "Received" is what
 * the switch took from the port, "sent" what it delivered to it. @cycles: ticks of the time stamp
 * counter that the frames from the port took, polling on the way to them included. @held: frames
 * that wait just now because another worker writes to the port (dataplane/held.h). @vmq_frames and
 * @vmq_bytes: taken from the uplink into the queue of this port; of an uplink: into its default
 * queue. @vmq_astray: frames that came by a hw queue of this port and are not for it. None of the
 * three is part of a sum.
 * @pair_cycles: @cycles by queue pair.
 */
struct vs_port_stats {
	uint64_t received;
	uint64_t received_bytes;
	uint64_t forwarded;
	uint64_t flooded;
	uint64_t consumed;
	uint64_t attempts;
	uint64_t sent;
	uint64_t sent_bytes;
	uint64_t held;
	uint64_t cycles;
	uint64_t vmq_frames;
	uint64_t vmq_bytes;
	uint64_t vmq_astray;
	uint64_t drops[VS_DROP_COUNT];
	struct vs_offload_stats offload;
	struct vs_sample samples[VS_DROP_COUNT];
	uint64_t pair_cycles[VS_PLACED_PAIRS];
};

/** struct vs_switch_stats - what one worker counted at one switch. */
struct vs_switch_stats {
	uint64_t flood_copies;
	uint64_t extra_segments;
	uint64_t merged;
	uint64_t generated;
	uint64_t encapsulated; /* frames of a tunnel port that leave by the uplink */
};

/*
 * The one seam for the test that proves the audit can fail: a test build defines
 * VS_STATS_FORGET(term) so that it is true for one term, whose counts are then lost.
 */
#ifndef VS_STATS_FORGET
#define VS_STATS_FORGET(term) 0
#endif

enum vs_stats_term {
	VS_TERM_RECEIVED,
	VS_TERM_FORWARDED,
	VS_TERM_FLOODED,
	VS_TERM_CONSUMED,
	VS_TERM_ATTEMPTS,
	VS_TERM_SENT,
	VS_TERM_DROPS,
	VS_TERM_FLOOD_COPIES,
	VS_TERM_EXTRA_SEGMENTS,
	VS_TERM_MERGED,
	VS_TERM_GENERATED,
	VS_TERM_ENCAPSULATED,
	VS_TERM_OFFLOAD, /* of no sum */
};

/** Add @n to *@counter of no sum, which only the calling worker writes. */
static inline void vs_stats_bump(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/** Add @n to *@counter of the sum @term, which only the calling worker writes. */
static inline void vs_stats_add(enum vs_stats_term term, uint64_t *counter, uint64_t n)
{
	if (VS_STATS_FORGET(term))
		return;
	(void)term;
	vs_stats_bump(counter, n);
}

/** Set *@gauge, which only the calling worker writes. */
static inline void vs_stats_gauge(uint64_t *gauge, uint64_t n)
{
	__atomic_store_n(gauge, n, __ATOMIC_RELAXED);
}

/** Read a counter that a worker may be writing. */
static inline uint64_t vs_stats_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/**
 * vs_stats_owed_nothing() - frames that were meant for a port and owed nothing, in control's copy
 *
 * They are the usual ones, and not counted one by one: all attempts but the rest.
 */
static inline uint64_t vs_stats_owed_nothing(const struct vs_port_stats *stats)
{
	const struct vs_offload_stats *o = &stats->offload;
	uint64_t others = o->segments + stats->drops[VS_DROP_GSO_FAILED];
	int owed;

	/* What was cut is in @attempts as its segments. */
	for (owed = 0; owed < VS_OWED_ECN; owed++)
		others += o->cell[owed][VS_SETTLED_PASSED];
	others += o->cell[VS_OWED_CSUM][VS_SETTLED_SOFTWARE];
	return stats->attempts > others ? stats->attempts - others : 0;
}

/** vs_stats_drops() - drops of one side, over all reasons, in control's copy of the counters. */
static inline uint64_t vs_stats_drops(const struct vs_port_stats *stats, enum vs_drop_side side)
{
	uint64_t sum = 0;
	int r;

	for (r = VS_DROP_NONE + 1; r < VS_DROP_COUNT; r++) {
		if (vs_drop_side((enum vs_drop)r) == side)
			sum += stats->drops[r];
	}
	return sum;
}

#endif
