/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One hw queue of an interface: its AF_XDP socket, its rings, and the chunks of memory that
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

/** struct vs_xq - one hw queue */
struct vs_xq {
	struct xsk_socket *xsk;
	int fd;
	uint8_t *umem; /* first byte of the shared memory */
	uint32_t n_rx; /* chunks of each direction */
	uint32_t n_tx;
	uint32_t descs_max; /* of a sent frame */

	/* Receive half: the worker that polls. */
	struct xsk_ring_cons rx __rte_cache_aligned;
	struct xsk_ring_prod fill;
	uint32_t taken;    /* descriptors of the open burst */
	bool skipping;     /* inside of a frame that is too long: up to its last descriptor */
	uint64_t kick_tsc; /* when the kernel was last asked to look at FILL */

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

/** vs_xq_rx() - vs_port_ops.rx of one queue; does not write in_port. */
void vs_xq_rx(struct vs_xq *q, unsigned int fanout, struct vs_burst *burst);

/** vs_xq_rx_done() - vs_port_ops.rx_done of one queue. */
void vs_xq_rx_done(struct vs_xq *q);

/** vs_xq_tx() - vs_port_ops.tx of one queue, whose lock the caller holds. */
void vs_xq_tx(struct vs_xq *q, struct vs_pkt *const *pkt, unsigned int n, uint8_t *fate);

/** vs_xq_flush() - have the kernel send what it left, if it left something. */
void vs_xq_flush(struct vs_xq *q);

#endif
