/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One hw queue of an interface: its AF_XDP sockets, their rings, and the chunks of memory that
 * travel through them.
 *
 * DOC: theory of operation
 *
 * All sockets of an interface share one UMEM, an array of chunks. Each chunk belongs to one queue
 * and one direction for good, so no two workers meet over one, and a direction that is stuck takes
 * nothing from the other:
 *
 *	receive:   FILL ring -> kernel -> RX ring -> a burst of the worker -> FILL ring
 *	transmit:  free list -> TX ring -> kernel -> COMPLETION ring -> free list
 *
 * FILL has room for all chunks of its direction, and so has COMPLETION, so giving one back never
 * fails. A frame that is longer than a chunk takes several, its descriptors but the last carrying
 * VS_XDP_PKT_CONTD; to the rest of the switch the further ones are extents.
 *
 * The chunks of a burst stay in the RX ring until vs_xq_rx_done() (its consumer index moves only
 * then), so nothing has to be noted of them but their number.
 *
 * The worker that polls the queue owns the receive half. The transmit half is used by the worker
 * that holds its lock. Each worker sends through a queue of its own if there are enough, so that
 * its frames stay in order; nobody waits for the lock, since its holder may be preempted.
 *
 * With queues for guests' ports (xdp_sort.c) a hw queue has further sockets, which only receive:
 *
 *	          +-> RX ring of the default socket -> a worker --+
 *	kernel ---+-> RX ring of queue 1 -----------> a worker --+--> FILL ring -> kernel
 *	          +-> RX ring of queue 2 -----------> a worker --+
 *
 * They share the FILL ring, which from then on is written under a lock; who does not get it keeps
 * its chunks, and gives them back before it takes the next burst. Each queue brings as many chunks
 * as its RX ring has entries, so that a queue nobody empties takes none from the others. A frame
 * for a full RX ring is missed, and its chunk stays with the kernel. A socket that is closed would
 * keep the chunks in its RX ring; so it is closed with the interface, and until then it is used
 * again for the next queue, when its RX ring is empty.
 */
#ifndef VS_UPLINK_XDP_QUEUE_H
#define VS_UPLINK_XDP_QUEUE_H

#include "dataplane/core/pkt.h"
#include "dataplane/core/trylock.h"

#include <rte_common.h>
#include <xdp/xsk.h>

#include <stdbool.h>
#include <stdint.h>

/* Names of newer kernels that linux/if_xdp.h of Debian 12 lacks. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4) /* bind: frames of several descriptors (kernel 6.6) */
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0) /* descriptor: the next one goes on with the frame */
#endif

struct vs_xdp_why;

enum {
	VS_XQ_CHUNK = 4096,
	/** What the kernel leaves free in front of a received frame (XDP_PACKET_HEADROOM). */
	VS_XQ_HEADROOM = 256,
	/** Bytes of a received frame in one chunk. */
	VS_XQ_RX_BYTES = VS_XQ_CHUNK - VS_XQ_HEADROOM,
	/** Descriptors of one sent frame: the kernel copies one into at most 1 + 17 pieces. */
	VS_XQ_TX_DESCS_MAX = 16,
	/** With zero copy the card must take them as they are; jumbo frames need three. */
	VS_XQ_TX_DESCS_ZC_MAX = 4,
	/** Descriptors of one received frame that are kept; 64 KiB need 18. */
	VS_XQ_RX_DESCS_MAX = 20,
};

_Static_assert((int)VS_XQ_HEADROOM >= (int)VS_HDR_ROOM,
	       "headers are edited where the kernel put them");

struct vs_xq;

/** May frames be taken from a socket now? Only those of queues ever have to wait (xdp_sort.c). */
enum vs_xq_gate {
	VS_XQ_OPEN,
	VS_XQ_SHUT,   /* no: earlier ones may still come by the default socket */
	VS_XQ_MARKED, /* when the default socket is read up to @mark */
	VS_XQ_LAST,   /* yes, and nothing more comes */
};

/**
 * struct vs_xq_in - a socket that receives; the worker that polls it owns it
 * @q:		its hw queue, whose FILL ring it shares
 * @size:	entries of @rx
 * @taken:	descriptors of the open burst
 * @skipping:	inside of a frame that is too long: up to its last descriptor
 * @kick_tsc:	when the kernel was last asked to look at FILL
 * @gate:	enum vs_xq_gate; written by control, but for MARKED to OPEN
 * @map:	of @rx, if it is not libxdp's
 */
struct vs_xq_in {
	struct vs_xq *q;
	int fd;
	uint32_t size;
	struct xsk_ring_cons rx;
	uint32_t taken;
	bool skipping;
	uint64_t kick_tsc;
	uint32_t gate;
	uint32_t mark;
	void *map;
	size_t map_size;
} __rte_cache_aligned;

/**
 * struct vs_xq - one hw queue
 * @fill_shared: several sockets give chunks back: under @fill_lock; never unset
 * @draining:	bit per queue (from 1 on) whose frames go before those of the default socket
 */
struct vs_xq {
	struct xsk_socket *xsk;
	int fd;
	uint8_t *umem; /* first byte of the shared memory */
	uint32_t n_rx; /* chunks of each direction */
	uint32_t n_tx;
	uint32_t n_more;    /* chunks of all queues that it can have */
	uint32_t descs_max; /* of a sent frame */

	/* Receive half. */
	struct vs_xq_in in; /* of the default socket */
	struct xsk_ring_prod fill;
	struct vs_trylock fill_lock;
	uint32_t fill_shared;
	uint32_t draining;

	/* Transmit half: who holds the lock. */
	struct vs_trylock lock __rte_cache_aligned;
	struct xsk_ring_prod tx;
	struct xsk_ring_cons comp;
	uint64_t *free; /* chunks, a stack */
	uint32_t n_free;
	uint32_t unsent; /* the kernel left descriptors in the TX ring; read by any worker */
} __rte_cache_aligned;

/** struct vs_xq_set - all queues of an interface */
struct vs_xq_set {
	struct vs_xq *queue;
	uint32_t n;
	uint8_t *umem;
	size_t umem_size;
	struct xsk_umem *handle;
	uint32_t queues_max; /* further queues that there is memory for, and entries of each */
	uint32_t queue_size;
	bool multi_buffer;
	bool zero_copy;
};

/**
 * vs_xq_set_open() - make memory and sockets for @n hw queues of an interface
 *
 * Return: 0, or -errno with a sentence in *@why and nothing left behind.
 */
int vs_xq_set_open(const char *ifname, uint32_t n, struct vs_xq_set *set, struct vs_xdp_why *why);

/** vs_xq_set_close() - close and free; no worker may use a queue any more. */
void vs_xq_set_close(struct vs_xq_set *set);

/** vs_xq_set_missed() - frames that the kernel could not put into a ring. */
uint64_t vs_xq_set_missed(const struct vs_xq_set *set);

/** vs_xq_frame_max() - bytes of the longest frame that a socket can receive and send. */
uint32_t vs_xq_frame_max(const struct vs_xq_set *set);

/**
 * vs_xq_in_open() - a further socket on hw queue @hw of @set, which nothing comes to yet
 * @ifindex:	of the interface
 *
 * Return: 0, or -errno: this kernel has no second socket on a queue, or no memory is left.
 */
int vs_xq_in_open(struct vs_xq_set *set, uint32_t hw, uint32_t ifindex, struct vs_xq_in *in);

/** vs_xq_in_close() - close it; no worker may use it any more. What is in it is lost. */
void vs_xq_in_close(struct vs_xq_in *in);

/**
 * vs_xq_feed() - give the kernel the chunks that come with queue @queue (from 1 on), once for all
 *
 * Every worker must know that FILL is shared (fill_shared, and a grace period).
 */
void vs_xq_feed(const struct vs_xq_set *set, uint32_t hw, uint32_t queue);

/** vs_xq_in_missed() - frames that the kernel could not put into its ring. */
uint64_t vs_xq_in_missed(const struct vs_xq_in *in);

/** vs_xq_in_is_empty() - is everything that came taken, and its memory given back? */
static inline bool vs_xq_in_is_empty(const struct vs_xq_in *in)
{
	return __atomic_load_n(in->rx.producer, __ATOMIC_ACQUIRE) ==
	       __atomic_load_n(in->rx.consumer, __ATOMIC_ACQUIRE);
}

/** vs_xq_rx() - vs_port_ops.rx of one socket; does not write in_port. */
void vs_xq_rx(struct vs_xq_in *in, unsigned int fanout, struct vs_burst *burst);

/** vs_xq_rx_done() - vs_port_ops.rx_done of one socket. */
void vs_xq_rx_done(struct vs_xq_in *in);

/** vs_xq_tx() - vs_port_ops.tx of one queue, whose lock the caller holds. */
void vs_xq_tx(struct vs_xq *q, struct vs_pkt *const *pkt, unsigned int n, uint8_t *fate);

/** vs_xq_flush() - have the kernel send what it left, if it left something. */
void vs_xq_flush(struct vs_xq *q);

#endif
