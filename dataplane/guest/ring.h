/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device side of a split virtqueue (virtio 1.1, section 2.6), for virtio-net.
 *
 * DOC: theory of operation
 *
 * The guest owns the descriptor table and the available ring, the switch the used ring. All of
 * it lies in guest memory and may change at any instant, so every shared word is loaded once,
 * through one accessor, and only the private copy is checked and used.
 *
 * A rule broken by the guest that makes the ring as a whole meaningless is a *fault*: the ring
 * is marked, not touched again, and reported; the port is down until the guest's driver (or its
 * VMM) starts the ring anew. A single frame that cannot be taken is a *drop* and the ring goes on.
 *
 * Life: control fills in the fields while no worker can see the ring, then vs_ring_start().
 * vs_ring_stop(), followed by a grace period, takes it back. In between, only one worker at a time
 * touches it, except @call_fd and @fault (relaxed atomics): a transmit ring the worker that visits
 * the queue pair, a receive ring the one that holds @lock.
 */
#ifndef VS_GUEST_RING_H
#define VS_GUEST_RING_H

#include "dataplane/core/bell.h"
#include "dataplane/core/pkt.h"
#include "dataplane/core/trylock.h"
#include "dataplane/guest/guest.h"
#include "dataplane/guest/mem.h"

#include <linux/virtio_ring.h>

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define VS_RING_FAULTS(X) \
	X(AVAIL_JUMP,      "avail_jump",      "available index moved by more than the ring size") \
	X(HEAD_RANGE,      "head_range",      "available ring names a descriptor beyond the table") \
	X(NEXT_RANGE,      "next_range",      "descriptor chain leads beyond its table") \
	X(LOOP,            "loop",            "descriptor chain is longer than its table: a loop") \
	X(INDIRECT_DENIED, "indirect_denied", "indirect descriptor, but the feature was not negotiated") \
	X(INDIRECT_LEN,    "indirect_len",    "indirect table of zero, odd or excessive length") \
	X(INDIRECT_NESTED, "indirect_nested", "indirect descriptor inside an indirect table, or with NEXT") \
	X(ADDRESS,         "address",         "buffer outside of the guest's memory, or across its regions") \
	X(NOT_READABLE,    "not_readable",    "device-writable buffer in the transmit ring") \
	X(NOT_WRITABLE,    "not_writable",    "device-readable buffer in the receive ring") \
	X(HEADER_SMALL,    "header_small",    "mergeable receive buffer smaller than the virtio-net header") \
	X(MEMORY_LOST,     "memory_lost",     "guest memory went away (file truncated, or no huge page left)")
/* clang-format on */

/** Why a ring was detached. */
enum vs_ring_fault {
	VS_RING_OK,
#define X(id, name, text) VS_RING_##id,
	VS_RING_FAULTS(X) VS_RING_FAULT_COUNT,
#undef X
};

/** Negotiated properties of a ring (bits of struct vs_ring.flags). */
enum vs_ring_flag {
	VS_RING_MERGEABLE = 1 << 0,  /* VIRTIO_NET_F_MRG_RXBUF */
	VS_RING_EVENT_IDX = 1 << 1,  /* VIRTIO_RING_F_EVENT_IDX */
	VS_RING_INDIRECT = 1 << 2,   /* VIRTIO_RING_F_INDIRECT_DESC */
	VS_RING_GUEST_CSUM = 1 << 3, /* VIRTIO_NET_F_GUEST_CSUM */
};

/**
 * struct vs_ring - one virtqueue
 * @desc, @avail, @used: in guest memory; control checked that all of them lie inside @mem
 *		and are aligned (16, 2 and 4 bytes) before the ring is started
 * @mem:	table that the buffers' addresses are looked up in
 * @size:	entries, a power of two, 1..32768
 * @flags:	enum vs_ring_flag
 * @hdr_len:	bytes of the virtio-net header: 12 with VERSION_1 or MERGEABLE, else 10
 * @next_avail:	free-running index of the next available entry to take
 * @next_used:	free-running index of the next used entry to write
 * @signalled:	value of @next_used when the guest was last considered for a call
 * @taken:	heads taken by vs_ring_pull() and not yet given back
 * @call_fd:	eventfd that interrupts the guest, or -1; swapped by control at any time
 * @run:	worker may use the ring
 * @fault:	enum vs_ring_fault; not OK: the worker leaves the ring alone
 * @lock:	receive ring: held by the worker that delivers to it
 * @moderation:	enum vs_guest_mod; set by control at any time
 * @frames:	taken from the guest, or delivered to it, for `port show`
 * @owed:	entries that were published and that the guest is still to be called for
 * @owed_from, @owed_due: value of @signalled before the first of them, and when its time is up
 * @us_ticks:	time stamp counter ticks of a microsecond
 * @window_tsc, @window_frames, @pace: what adaptive moderation counts, and what it counted last
 * @in_port:	port id written into the packets
 * @walk_ticks:	time that one vs_ring_pull() may walk over unusual chains; 0: any
 * @walk_end_tsc: when that time is over, within vs_ring_pull(); 0: no chain was unusual so far
 */
struct vs_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vs_mem *mem;
	uint16_t size;
	uint8_t flags;
	uint8_t hdr_len;
	uint16_t next_avail;
	uint16_t next_used;
	uint16_t signalled;
	uint16_t taken;
	uint16_t in_port;
	uint8_t run;
	uint8_t fault;
	uint8_t moderation;
	struct vs_trylock lock;
	int call_fd;
	uint64_t calls; /* interrupts sent, for `port show` */
	uint64_t frames;
	uint64_t walk_ticks;
	uint64_t walk_end_tsc;
	uint32_t owed;
	uint16_t owed_from;
	uint32_t us_ticks;
	uint32_t window_frames;
	uint32_t pace;
	uint64_t owed_due;
	uint64_t window_tsc;
	struct vring_used_elem heads[VS_BURST_MAX];
};

/** vs_ring_fault_name() - short name of a fault; "ok" for VS_RING_OK, never NULL. */
const char *vs_ring_fault_name(enum vs_ring_fault fault);

/** vs_ring_fault_text() - one sentence on a fault, never NULL. */
const char *vs_ring_fault_text(enum vs_ring_fault fault);

/**
 * vs_ring_start() - let the worker use the ring
 * @ring:	filled in but for the fields below; not running
 * @base:	index of the next available entry (SET_VRING_BASE)
 *
 * Takes the used index from the ring in guest memory (a crashed switch published its last burst
 * there), resets fault and signalling, and publishes the ring.
 */
void vs_ring_start(struct vs_ring *ring, uint16_t base);

/**
 * vs_ring_stop() - take the ring back; complete only after a grace period
 * A ring that is not running is left as it is.
 */
void vs_ring_stop(struct vs_ring *ring);

/**
 * vs_ring_want_kicks() - worker: ask the guest to kick when it adds frames, or not to any more
 * @ring:	usable transmit ring
 *
 * The caller looks at the ring once more behind a full fence.
 */
void vs_ring_want_kicks(struct vs_ring *ring, enum vs_bell_wish wish);

/**
 * vs_ring_remind() - call the guest if the ring owes it a call, and it still wants it
 * @ring:	usable, held by its lock; or stopped, after a grace period
 */
void vs_ring_remind(struct vs_ring *ring);

/** vs_ring_usable() - worker: running, not faulty, memory present. */
static inline bool vs_ring_usable(const struct vs_ring *ring)
{
	return __atomic_load_n(&ring->run, __ATOMIC_ACQUIRE) && ring->fault == VS_RING_OK &&
	       !__atomic_load_n(&ring->mem->lost, __ATOMIC_RELAXED);
}

/**
 * vs_ring_pull() - take frames from the guest (its transmit ring)
 * @ring:	usable
 * @burst:	empty; filled with up to VS_BURST_MAX frames, each with its private header
 *		(virtio-net header in pkt->vnet, Ethernet header on in pkt->hdr) and borrowed
 *		extents; frames that could not be taken have pkt->drop set
 *
 * Stops at VS_VISIT_BYTES, where a group-addressed frame counts @fanout times. On a fault the
 * frames taken before it are still good; the ring is marked.
 */
void vs_ring_pull(struct vs_ring *ring, struct vs_burst *burst, unsigned int fanout);

/**
 * vs_ring_pull_done() - give the taken descriptors back and call the guest if it asked for it
 */
void vs_ring_pull_done(struct vs_ring *ring);

/**
 * vs_ring_push() - deliver frames to the guest (its receive ring)
 * @ring:	usable
 * @pkt:	frames, in order
 * @n:		1..VS_BURST_MAX
 * @fate:	per frame VS_DROP_NONE when it was delivered, else the reason
 *
 * Publishes once, then calls the guest if it asked for it. When memory of the sender or the
 * receiver is lost while copying, nothing is published and every frame's fate is MEM_LOST.
 */
void vs_ring_push(struct vs_ring *ring, struct vs_pkt *const *pkt, unsigned int n, uint8_t *fate);

#endif
