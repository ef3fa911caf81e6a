/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taps: copies of a port's frames for those who capture them, with what became of each.
 *
 * DOC: theory of operation
 *
 * Control puts a tap into the snapshot (struct vs_conf); it is immutable but for its rings, one
 * per worker, written by that worker and read by control. A ring is bytes: records of various
 * lengths, one behind the other, each a multiple of 8 bytes; one that would run over the end of
 * the memory stands at its beginning, and a gap record fills the rest.
 *
 *	tail (control)            head (worker)          end of the visit's records
 *	 |  records to be read     |  being written       |   free
 *
 * A worker copies frames while they pass (dataplane/tap.c) and moves the head once per visit, when
 * it knows what became of them. A frame that finds no room is counted and not captured: a reader
 * that is slow loses frames, the switch does not wait for it.
 */
#ifndef VS_CORE_TAP_H
#define VS_CORE_TAP_H

#include "dataplane/core/limits.h"

#include <linux/filter.h>
#include <rte_common.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/** Bytes of one ring. */
	VS_TAP_RING_BYTES = 4 * 1024 * 1024,
	/** The longest frame that any port takes. */
	VS_TAP_FRAME_MAX = 65564,
};

/** Which way a frame went; bits, as a tap may want both. */
enum vs_tap_side {
	VS_TAP_FROM = 1 << 0, /* the port sent it */
	VS_TAP_TO = 1 << 1,   /* it was meant for the port */
};

/** What became of a frame. */
enum vs_tap_verdict {
	VS_TAP_GAP,       /* no frame: skip the record */
	VS_TAP_FORWARDED, /* to one port */
	VS_TAP_FLOODED,   /* to several, or it might have been */
	VS_TAP_DELIVERED, /* to this port, from another */
	VS_TAP_DROPPED,
};

/**
 * struct vs_tap_record - in front of the bytes of a frame
 * @size:	bytes with the record itself, a multiple of 8
 * @lost:	frames between the record before and this one that found no room
 * @len:	bytes of the whole frame; @have of them follow
 * @port:	forwarded, or dropped on the way out: where to; a frame to the port: where from
 * @copies:	flooded: to how many ports, @copies_dropped of them dropped for @reason
 * @reason:	enum vs_drop
 */
struct vs_tap_record {
	uint32_t size;
	uint8_t verdict; /* enum vs_tap_verdict */
	uint8_t side;    /* enum vs_tap_side */
	uint8_t reason;
	uint8_t pad;
	uint64_t when_tsc;
	uint32_t lost;
	uint32_t len;
	uint32_t have;
	uint16_t port;
	uint16_t copies;
	uint16_t copies_dropped;
	uint16_t pad2[3];
	uint8_t bytes[];
};

_Static_assert(sizeof(struct vs_tap_record) % 8 == 0, "records stand behind each other");

/**
 * struct vs_tap_ring - one worker's records of one tap
 * @next:	worker only: end of what it has written in this visit
 * @lost:	worker only: since its last record
 * @lost_all:	written by the worker, read by control
 * @linear:	worker only: a frame in one piece, for the filter
 */
struct vs_tap_ring {
	uint64_t head __rte_cache_aligned;
	uint64_t next;
	uint32_t lost;
	uint64_t lost_all;
	uint64_t tail __rte_cache_aligned;
	uint8_t linear[VS_TAP_FRAME_MAX] __rte_cache_aligned;
	uint8_t bytes[VS_TAP_RING_BYTES] __rte_cache_aligned;
};

/**
 * struct vs_tap - what one capture wants; immutable
 * @sides:	bits of enum vs_tap_side
 * @drops_only: only frames of which at least one copy was dropped
 * @snap:	bytes of each frame that are kept
 * @filter:	checked; NULL: all frames
 * @ring:	by worker
 */
struct vs_tap {
	uint16_t port;
	uint8_t sides;
	bool drops_only;
	uint32_t snap;
	const struct sock_filter *filter;
	struct vs_tap_ring *ring[VS_WORKERS_MAX];
};

/**
 * struct vs_tap_note - what a worker knows of one packet of the burst
 * @copies:	ports that it was sorted out for, @port the last of them
 */
struct vs_tap_note {
	uint16_t port;
	uint16_t copies;
	uint16_t copies_dropped;
	uint8_t reason;
};

/**
 * struct vs_tap_visit - one worker's notes of the visit
 * @from, @to:	by tap and packet: where its record is; NULL: there is none
 * @meant:	by tap: bit per packet that is meant for its port
 * @fate:	by tap and packet: why it was not delivered to the tap's port
 */
struct vs_tap_visit {
	struct vs_tap_note note[VS_BURST_MAX];
	struct vs_tap_record *from[VS_TAPS_MAX][VS_BURST_MAX];
	struct vs_tap_record *to[VS_TAPS_MAX][VS_BURST_MAX];
	uint64_t meant[VS_TAPS_MAX];
	uint8_t fate[VS_TAPS_MAX][VS_BURST_MAX];
};

/** vs_tap_ring_new() - an empty ring whose pages are there. Return: it, or NULL: no memory. */
struct vs_tap_ring *vs_tap_ring_new(void);

/** vs_tap_ring_free() - no worker uses it any more. NULL is fine. */
void vs_tap_ring_free(struct vs_tap_ring *ring);

/**
 * vs_tap_ring_put() - worker: room for a record of @have bytes, behind those of this visit
 * Return: it, with @size and @lost filled in; NULL: there is none, which has been counted.
 */
struct vs_tap_record *vs_tap_ring_put(struct vs_tap_ring *ring, uint32_t have);

/** vs_tap_ring_commit() - worker: control may read the records of this visit. */
void vs_tap_ring_commit(struct vs_tap_ring *ring);

/**
 * vs_tap_ring_peek() - control: the oldest record, gaps left out
 * Return: it, valid until vs_tap_ring_take(); NULL: there is none.
 */
const struct vs_tap_record *vs_tap_ring_peek(struct vs_tap_ring *ring);

/** vs_tap_ring_take() - control: done with what vs_tap_ring_peek() returned. */
void vs_tap_ring_take(struct vs_tap_ring *ring, const struct vs_tap_record *record);

#endif
