/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What workers hand to control of tenant networks: frames that a program with time must answer,
 * wait with, or learn from. A ring per worker, one writer, one reader.
 *
 * DOC: theory of operation
 *
 * Everything here may be somebody's on the wire, as fast as he likes. So each kind has a rate, as
 * much as control has a use for; what is beyond it, or finds the ring full, is counted by kind and
 * gone: who sends it sends it again (ARP, ICMP, a guest's frame). A slot is written by the worker
 * between vs_punt_begin() and vs_punt_end(), and by nobody while control reads it, between
 * vs_punt_peek() and vs_punt_next().
 *
 * The bell is that of the worker's events (core/event.h): once per round.
 */
#ifndef VS_CORE_PUNT_H
#define VS_CORE_PUNT_H

#include "dataplane/core/clock.h"
#include "dataplane/core/nvgre.h"
#include "dataplane/core/pkt.h"

#include <rte_ether.h>

enum {
	/** Slots of a ring. */
	VS_PUNT_SLOTS = 64,
	/** Of one slot: a frame of the usual jumbo MTU with outer headers and tags. */
	VS_PUNT_BYTES = 9344,
};

/** Why a frame, or a fact, is handed over. */
enum vs_punt_kind {
	VS_PUNT_NEIGH,      /* ARP, or neighbour discovery, for a provider address: the frame */
	VS_PUNT_ICMP,       /* an ICMP error for a provider address: the frame, as it came */
	VS_PUNT_UNRESOLVED, /* an outer frame whose next hop is not known: the frame, @index */
	VS_PUNT_LEARN,      /* a source that no record names: @vsid, @mac, @ca, @pa */
	VS_PUNT_DRIFT,      /* a source that its record has elsewhere: @vsid, @mac, @ca, @pa */
	VS_PUNT_KINDS,
};

/**
 * struct vs_punt - one slot
 * @port:	that it came from
 * @index:	of the peer (struct vs_peer)
 * @ca:		all zero: not known
 * @pa:		the provider address that it came from
 * @len:	bytes of the frame; 0: there is none
 */
struct vs_punt {
	uint8_t kind; /* enum vs_punt_kind */
	uint16_t port;
	uint16_t len;
	uint32_t index;
	uint32_t vsid;
	struct rte_ether_addr mac;
	struct vs_ip ca;
	struct vs_ip pa;
	uint8_t bytes[VS_PUNT_BYTES];
};

struct vs_punt_ring;

/**
 * vs_punt_new() - an empty ring
 * Return: 0 or -ENOMEM. It is freed by vs_punt_free() when its worker uses it no more.
 */
int vs_punt_new(struct vs_punt_ring **ret_ring);

/** vs_punt_free() - NULL is fine. */
void vs_punt_free(struct vs_punt_ring *ring);

/**
 * vs_punt_begin() - worker: a slot to be written
 * @ring:	NULL: there is nobody to tell
 * @now:	time stamp counter
 *
 * Return: it, with @kind set and everything else 0 but for the bytes; NULL: there is none (the
 * loss is counted).
 */
struct vs_punt *vs_punt_begin(struct vs_punt_ring *ring, enum vs_punt_kind kind, uint64_t now);

/** vs_punt_end() - worker: control may have the slot. The caller has the bell rung. */
void vs_punt_end(struct vs_punt_ring *ring);

/**
 * vs_punt_put_frame() - worker: all bytes of @pkt into a slot
 * Return: false: it is too long, and the slot may be used for another one or left.
 */
bool vs_punt_put_frame(struct vs_punt *slot, const struct vs_pkt *pkt);

/** vs_punt_peek() - control: the oldest slot, or NULL. @ring: NULL is fine */
const struct vs_punt *vs_punt_peek(struct vs_punt_ring *ring);

/** vs_punt_next() - control: done with the oldest slot. */
void vs_punt_next(struct vs_punt_ring *ring);

/** vs_punt_lost() - control: how many of a kind found no room, or were beyond their rate. */
uint64_t vs_punt_lost(const struct vs_punt_ring *ring, enum vs_punt_kind kind);

#endif
