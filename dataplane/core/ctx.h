/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a stage may use besides the burst: the worker's view of the configuration, its own
 * counters, rate limits and output lists. One per worker; nobody else touches it while the
 * worker runs, but for relaxed reads of the counters.
 */
#ifndef VS_CORE_CTX_H
#define VS_CORE_CTX_H

#include "dataplane/core/clock.h"
#include "dataplane/core/conf.h"
#include "dataplane/core/event.h"
#include "dataplane/core/nvgre.h"
#include "dataplane/core/segments.h"
#include "dataplane/core/stats.h"

#include <rte_branch_prediction.h>

/** Slots of the cache that keeps one new address from being reported with every frame. */
enum {
	VS_REPORTED_BITS = 8, /* of a hash, that pick a slot */
	VS_REPORTED_SLOTS = 1 << VS_REPORTED_BITS,
};

struct vs_fdb_entry;
struct vs_held;
struct vs_punt_ring;

/** Slots of the cache that finds again what every burst asks for. */
enum {
	VS_HINT_BITS = 13,
	VS_HINT_SLOTS = 1 << VS_HINT_BITS,
};

/** struct vs_hint - where an address was found last; all zero: nowhere (see lookup.c) */
struct vs_hint {
	uint64_t key;        /* fid and address */
	uint64_t generation; /* of the table then */
	struct vs_fdb_entry *entry;
};

/** struct vs_port_pace - rate limits of one port */
struct vs_port_pace {
	struct vs_pace storm;
	struct vs_pace learn;
	uint32_t storm_told_s; /* second of the last storm event */
};

/** struct vs_reported - an address that was reported to control, and when */
struct vs_reported {
	uint64_t key;        /* address and port */
	uint64_t generation; /* of the table that did not know it */
	uint16_t fid;
	uint64_t when_tsc;
};

/** struct vs_out - the frames of this burst that go to one port, in order */
struct vs_out {
	uint16_t n;
	uint8_t pkt[VS_BURST_MAX]; /* indices into the burst */
};

enum {
	/** One more than a packet can have: its first segment always finds room. */
	VS_FIXUP_EXTENTS = VS_BURST_EXTENTS + 1,
};

/**
 * struct vs_fixup - frames that fixup made for one port, until tx has taken them
 * @n:		ports that are still to be served, the last of @port first
 * @entry:	of that port's output list: those before are done
 * @segs:	the packet at @entry, while it has segments that are still to be made
 * @to:		port that @frame is for
 * @frame:	what tx is to deliver there, @n_frames of them
 * @of:		which packet of the burst each came of
 * @made, @hdr, @ext: the frames among them that are not packets of the burst
 */
struct vs_fixup {
	uint16_t n;
	uint16_t entry;
	uint16_t to;
	uint16_t n_frames;
	uint16_t n_made;
	uint16_t n_ext;
	struct vs_segments segs;
	uint16_t port[VS_PORTS_MAX];
	struct vs_pkt *frame[VS_BURST_MAX];
	uint8_t of[VS_BURST_MAX];
	struct vs_pkt made[VS_BURST_MAX];
	struct vs_hdr_slot hdr[VS_BURST_MAX];
	struct vs_extent ext[VS_FIXUP_EXTENTS];
};

/** What encap is packing. */
enum vs_encap_source {
	VS_ENCAP_NOTHING,
	VS_ENCAP_LIST, /* the output list of the tunnel port */
	VS_ENCAP_MADE, /* what fixup made for it */
};

/** Room of one outer header. */
struct vs_outer_slot {
	uint8_t bytes[VS_OUTER_MAX];
};

/**
 * struct vs_encap - frames that encap made for an uplink, until tx has taken them
 * @more:	not all fitted: encap and tx run again before fixup makes anything else
 * @source:	what is being packed (enum vs_encap_source); @n_source: frames that fixup made
 * @entry, @copy: of the list that is being served: those before are done; of its packet, the hosts
 *		that have their copy
 * @to:		uplink that @frame is for
 * @frame:	what tx is to deliver there, @n_frames of them, each an outer header and, borrowed,
 *		all of the inner frame
 * @id:		IPv4 identification of the next one
 */
struct vs_encap {
	uint16_t n_frames;
	uint16_t to;
	uint16_t id;
	uint16_t entry;
	uint32_t copy;
	uint32_t n_ext;
	bool more;
	uint8_t source;
	uint16_t n_source;
	struct vs_pkt *frame[VS_BURST_MAX];
	struct vs_pkt made[VS_BURST_MAX];
	struct vs_outer_slot hdr[VS_BURST_MAX];
	struct vs_extent ext[VS_FIXUP_EXTENTS + VS_BURST_MAX];
};

struct vs_ctx {
	const struct vs_conf *conf;
	uint64_t now_tsc;
	uint32_t now_s;
	uint16_t pair;   /* queue pair this burst came from */
	uint16_t worker; /* index of the worker */

	uint64_t flooded_bytes; /* written by flood copies in this visit */
	uint32_t n_made;        /* frames that fixup made in this visit */
	uint16_t n_touched;
	uint16_t touched[VS_PORTS_MAX]; /* ports whose output list is not empty */

	struct vs_port_stats *port_stats[VS_PORTS_MAX]; /* set by control while the id is unused */
	struct vs_switch_stats switch_stats[VS_SWITCHES_MAX];
	struct vs_port_pace pace[VS_PORTS_MAX];
	struct vs_pace router_pace[VS_ROUTER_PACES]; /* of ICMP errors, by fid */
	struct vs_reported reported[VS_REPORTED_SLOTS];
	struct vs_hint hint[VS_HINT_SLOTS];
	struct vs_event_ring events;
	struct vs_out out[VS_PORTS_MAX];
	uint32_t n_held;      /* frames that wait (dataplane/held.h) */
	uint64_t held_ticks;  /* of the time stamp counter, that those took that had waited */
	struct vs_held *held; /* where; NULL: this worker is alone and never has to wait */
	struct vs_fixup fixup;
	struct vs_encap encap;
	struct vs_punt_ring *punt; /* to control; NULL until there are provider addresses */
	struct vs_tap_visit tap;
	const struct vs_burst *tapped; /* the burst, while a capture looks at it; NULL: none does */
};

/** vs_ctx_count_drop() - count a drop at @port and keep @pkt as its sample */
void vs_ctx_count_drop(struct vs_ctx *ctx, uint16_t port, const struct vs_pkt *pkt,
		       enum vs_drop reason);

/** vs_pkt_drop() - the frame ends here, for a reason with side IN. */
static inline void vs_pkt_drop(struct vs_ctx *ctx, struct vs_pkt *pkt, enum vs_drop reason)
{
	pkt->drop = (uint8_t)reason;
	vs_ctx_count_drop(ctx, pkt->in_port, pkt, reason);
}

/** vs_out_add() - packet @index of the burst also goes to @port. */
static inline void vs_out_add(struct vs_ctx *ctx, uint16_t port, uint8_t index)
{
	struct vs_out *out = &ctx->out[port];

	if (out->n == 0)
		ctx->touched[ctx->n_touched++] = port;
	out->pkt[out->n++] = index;
}

/**
 * vs_pkt_place() - packet @index of the burst goes to @port, wherever it came from
 *
 * For what the switch makes of a frame that was for itself. The caller has set vid, fid, bare_vid
 * and pcp.
 */
static inline void vs_pkt_place(struct vs_ctx *ctx, struct vs_burst *burst, unsigned int index,
				uint16_t port)
{
	const struct vs_pkt *pkt = &burst->pkt[index];
	const uint16_t sw = ctx->conf->port[pkt->in_port].sw;

	burst->placed |= UINT64_C(1) << index;
	vs_stats_add(VS_TERM_CONSUMED, &ctx->port_stats[pkt->in_port]->consumed, 1);
	vs_stats_add(VS_TERM_GENERATED, &ctx->switch_stats[sw].generated, 1);
	vs_out_add(ctx, port, (uint8_t)index);
}

/**
 * vs_burst_form() - packet @index as it leaves where @vid is the own VLAN: with its tag, or bare.
 */
static inline struct vs_pkt *vs_burst_form(struct vs_burst *burst, unsigned int index, uint16_t vid)
{
	struct vs_pkt *pkt = &burst->pkt[index];

	return likely(pkt->bare_vid == vid) ? pkt : &burst->tagged[index];
}

#endif
