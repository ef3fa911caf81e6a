/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet: `struct vs_pkt`, and the burst that holds it.
 *
 * DOC: theory of operation
 *
 * A frame's payload stays where its sender put it until its destination is known; then it is
 * copied once, to the place where the receiver wants it. Its first bytes (VS_HDR_BYTES at the
 * most) are copied at once into memory of the switch, and only that copy is judged and sent on:
 * a guest that rewrites its buffers meanwhile changes payload bytes at most, never a decision.
 *
 *	 private (struct vs_hdr_slot)            guest memory or an owned buffer
 *	+-------------+----------------+        +---------+  +------------------+
 *	| VS_HDR_ROOM | hdr, hdr_len   |   ->   | ext[0]  |  | ext[1]           |
 *	+-------------+----------------+        +---------+  +------------------+
 *
 * len == hdr_len + the sum of ext[].len, always. Extents are *borrowed*: views of guest memory
 * that hold until the end of the burst, because the map they point into is only torn down
 * after every worker has passed a quiescent point (core/rcu.h).
 *
 * Packets live in an array inside the burst; nothing is allocated per packet.
 *
 * | field              | written by              | read by                          |
 * |--------------------|-------------------------|----------------------------------|
 * | hdr, hdr_len, len  | rx; stages that edit    | every stage                      |
 * | ext, n_ext         | rx                      | tx                               |
 * | vnet               | rx (guest)              | offload ingress only             |
 * | in_port            | rx                      | admit, lookup, drop counting     |
 * | fid                | admit                   | lookup                           |
 * | drop               | rx, vs_pkt_drop()       | every stage: not 0 is skipped    |
 */
#ifndef VS_CORE_PKT_H
#define VS_CORE_PKT_H

#include "dataplane/core/drop.h"
#include "dataplane/core/limits.h"

#include <linux/virtio_net.h>

#include <stdint.h>

/** A piece of payload. @data belongs to the sender and may change at any time: copy, never judge. */
struct vs_extent {
	const uint8_t *data;
	uint32_t len;
};

struct vs_pkt {
	uint8_t *hdr;                /* first byte of the Ethernet header */
	const struct vs_extent *ext; /* payload beyond the private header */
	uint32_t len;                /* bytes of the whole frame, without FCS */
	uint16_t hdr_len;            /* private bytes at hdr */
	uint16_t n_ext;
	uint16_t in_port;
	uint16_t fid;
	uint8_t drop; /* enum vs_drop; not NONE: dead and counted, stages skip it */
	/* private copy, as the guest wrote it (little endian) */
	struct virtio_net_hdr_mrg_rxbuf vnet;
};

/** Private room of one packet's header. */
struct vs_hdr_slot {
	uint8_t room[VS_HDR_ROOM];
	uint8_t bytes[VS_HDR_BYTES];
};

/** The frames taken in one visit to one port. */
struct vs_burst {
	uint16_t n;
	uint16_t n_ext;
	struct vs_pkt pkt[VS_BURST_MAX];
	struct vs_extent ext[VS_BURST_EXTENTS];
	struct vs_hdr_slot hdr[VS_BURST_MAX];
};

#endif
