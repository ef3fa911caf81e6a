/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet: `struct vs_pkt`, and the burst that holds it.
 *
 * DOC: theory of operation
 *
 * A frame's payload stays where its sender put it until its destination is known; then it is
 * copied once, to the place where the receiver wants it. Its first bytes (VS_HDR_BYTES at the
 * most) are copied at once into memory of the switch, or are there already, and only these are
 * judged and sent on: a guest that rewrites its buffers meanwhile changes payload bytes at most,
 * never a decision.
 *
 *	 private (a vs_hdr_slot or port's)       memory of the sender or of its port
 *	+-------------+----------------+        +---------+  +------------------+
 *	| VS_HDR_ROOM | hdr, hdr_len   |   ->   | ext[0]  |  | ext[1]           |
 *	+-------------+----------------+        +---------+  +------------------+
 *
 * len == hdr_len + the sum of ext[].len, always. Extents are *borrowed*: views of memory of the
 * sender (a guest) or of its port (UMEM, mbufs, a queue's buffer). They hold until the end of the
 * burst: a port reuses its buffers after rx_done only, and what they point into is only torn down
 * after every worker has passed a quiescent point (core/rcu.h).
 *
 * Packets live in an array inside the burst; nothing is allocated per packet.
 *
 * | field              | written by              | read by                                     |
 * |--------------------|-------------------------|---------------------------------------------|
 * | hdr, hdr_len, len  | rx; stages that edit    | every stage                                 |
 * | ext, n_ext         | rx, merge, fixup, held  | merge, fixup, tx, held, tap                 |
 * | vnet               | rx (guest, host, dpdk)  | offload ingress only                        |
 * | debt               | ingress, merge, fixup   | admit, merge, release, fixup, tx, held      |
 * | in_port            | rx                      | ingress, admit, lookup, merge, tap, drops   |
 * | fid                | admit                   | lookup, tap; release, if it waited          |
 * | vid, pcp           | admit                   | release, merge                              |
 * | bare_vid           | admit                   | release, fixup, tx, tap                     |
 * | drop               | rx, vs_pkt_drop()       | every stage: not 0 is skipped               |
 *
 * held: frames that wait for another worker (held.c); tap: captures (tap.c); drops: their counting.
 *
 * Inside the switch no packet carries the tag of its VLAN: admit takes it off, and a port that
 * gets a packet tagged is given its tagged twin (struct vs_burst), made once by release, however
 * many ports want it.
 *
 * hdr_len is at most VS_HDR_BYTES from rx to release, and VS_TAG_BYTES more where a port's tx gets
 * a twin. Stages may move hdr: into the VS_HDR_ROOM bytes in front of it, or forward.
 */
#ifndef VS_CORE_PKT_H
#define VS_CORE_PKT_H

#include "dataplane/core/debt.h"
#include "dataplane/core/drop.h"
#include "dataplane/core/limits.h"

#include <linux/virtio_net.h>

#include <stdbool.h>
#include <stdint.h>

struct vs_peer;

/** A piece of payload. @data may be the sender's and change at any time: copy, never judge. */
struct vs_extent {
	const uint8_t *data;
	uint32_t len;
};

struct vs_pkt {
	uint8_t *hdr;                /* first byte of the Ethernet header */
	const struct vs_extent *ext; /* payload beyond the private header */
	uint32_t len;                /* bytes of the whole frame, without FCS */
	uint16_t hdr_len;            /* private bytes at hdr (bounds: see above) */
	uint16_t n_ext;
	uint16_t in_port;
	uint16_t fid;
	uint16_t vid;      /* VLAN of the switch it travels in, host order; 0: the untagged one */
	uint8_t pcp;       /* priority of the tag it leaves with (IEEE 802.1Q-2018, 6.9.3) */
	uint8_t drop;      /* enum vs_drop; not NONE: dead and counted, stages skip it */
	uint16_t bare_vid; /* it leaves without a tag where this is the port's own VLAN */
	/* private copy, as the guest or the kernel wrote it; all zero from other ports, but for
	 * DATA_VALID where a card has looked */
	struct virtio_net_hdr_mrg_rxbuf vnet;
	struct vs_debt debt; /* what is owed on it */
};

_Static_assert(sizeof(struct vs_pkt) <= 64, "one cache line");

/**
 * vs_pkt_longest() - bytes of the longest frame that a packet becomes at last
 *
 * The MTU of a packet that is to be cut is judged by its segments.
 */
static inline uint32_t vs_pkt_longest(const struct vs_pkt *pkt)
{
	uint32_t segment = (uint32_t)pkt->debt.hdrs + pkt->debt.gso_size;

	return pkt->debt.gso && segment < pkt->len ? segment : pkt->len;
}

/** vs_pkt_segments() - frames that a packet becomes where it is cut; 1: it is not to be cut */
static inline uint32_t vs_pkt_segments(const struct vs_pkt *pkt)
{
	const struct vs_debt *debt = &pkt->debt;

	if (!debt->gso)
		return 1;
	return (pkt->len - debt->hdrs + debt->gso_size - 1u) / debt->gso_size;
}

/** vs_pkt_written() - bytes of all these frames: the headers stand in each of them */
static inline uint64_t vs_pkt_written(const struct vs_pkt *pkt)
{
	return pkt->len + (uint64_t)pkt->debt.hdrs * (vs_pkt_segments(pkt) - 1u);
}

/**
 * vs_pkt_is_plain() - are the headers of a packet that owes something those that any card knows?
 *
 * One tag at most, IPv4 or IPv6 without extension headers, no fragment, and in it TCP or UDP, whose
 * checksum it is that is owed; segments of at least 256 bytes (cards refuse less, or worse).
 */
bool vs_pkt_is_plain(const struct vs_pkt *pkt);

/** vs_pkt_caps() - what of a port's @caps (bits of vs_offload) holds for a packet that owes. */
static inline unsigned int vs_pkt_caps(const struct vs_pkt *pkt, unsigned int caps)
{
	return caps & VS_OFFLOAD_PLAIN && !vs_pkt_is_plain(pkt) ? 0 : caps;
}

/** vs_pkt_lacks() - what a port with these @caps cannot do, of what a packet owes. */
static inline unsigned int vs_pkt_lacks(const struct vs_pkt *pkt, unsigned int caps)
{
	unsigned int needs = vs_debt_needs(&pkt->debt);

	return needs ? needs & ~vs_pkt_caps(pkt, caps) : 0;
}

/** The bare_vid of a packet whose own EtherType is a tag's: it never leaves without its tag. */
#define VS_BARE_NEVER VS_VIDS_MAX

/** Private room of one packet's header. */
struct vs_hdr_slot {
	uint8_t room[VS_HDR_ROOM];
	uint8_t bytes[VS_HDR_BYTES];
};

/**
 * struct vs_burst - the frames taken in one visit to one port
 * @owing:	bit i: something is owed on packet i
 * @sorted:	bit i: packet i belongs to the queue of port @queue[i] (core/vmq.h); written where
 *		the uplink has queues, and read only there
 * @inner:	bit i: packet i came out of a tunnel, and is its inner frame now; @via[i] is the
 *		host that it came from until route has read it. Written where there are tenants,
 *		and read only there, as @placed and @via
 * @placed:	bit i: packet i stands in the output lists that it belongs to, and is in the
 *		account as consumed and generated; no stage looks for its destination
 * @via:	the host that packet i goes to if it leaves by a tunnel; NULL: to all of its subnet
 * @tagged:	twins of @pkt with the tag of their VLAN; twin i is there if bit i of @has_tagged is
 *		set, shares the extents of packet i and has a private header of its own
 */
struct vs_burst {
	uint16_t n;
	uint16_t n_ext;
	uint64_t has_tagged;
	uint64_t owing;
	struct vs_pkt pkt[VS_BURST_MAX];
	struct vs_pkt tagged[VS_BURST_MAX];
	struct vs_extent ext[VS_BURST_EXTENTS];
	struct vs_hdr_slot hdr[VS_BURST_MAX];
	struct vs_hdr_slot tagged_hdr[VS_BURST_MAX];
	uint64_t sorted;
	uint16_t queue[VS_BURST_MAX];
	uint64_t inner;
	uint64_t placed;
	const struct vs_peer *via[VS_BURST_MAX];
};

_Static_assert(VS_BURST_MAX <= 64, "a bit of has_tagged for each packet");

#endif
