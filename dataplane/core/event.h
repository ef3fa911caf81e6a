/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker tells control: a ring per worker, one writer, one reader. A full ring loses the
 * event and counts it; nothing that matters for correctness depends on one event (an address is
 * reported again by its next frame, a broken ring is seen again at the next visit).
 *
 * The worker rings the bell (an eventfd) once per round, not once per event.
 */
#ifndef VS_CORE_EVENT_H
#define VS_CORE_EVENT_H

#include <rte_ether.h>
#include <rte_ring.h>

#include <stdint.h>

enum vs_event_type {
	VS_EVENT_LEARN, /* source @mac was seen at @port in @fid, and the FDB does not say so */
	VS_EVENT_FAULT, /* the device of @port wants control to look at it */
	VS_EVENT_STORM, /* the storm limit of @port began to drop */
};

/** 16 bytes, so that a ring element is a whole number of words. */
struct vs_event {
	uint8_t type; /* enum vs_event_type */
	uint8_t pad;
	uint16_t port;
	uint16_t fid;
	struct rte_ether_addr mac;
	uint8_t pad2[4];
};

/** struct vs_event_ring - one worker's ring and bell */
struct vs_event_ring {
	struct rte_ring *ring;
	int bell;       /* eventfd, non-blocking; control polls it */
	uint8_t unrung; /* worker only: events since the last ring of the bell */
	uint64_t lost;  /* events that found the ring full */
};

/**
 * vs_event_ring_init() - make ring and bell
 * @worker:	index, for the ring's name
 *
 * Return: 0, or -errno with nothing left behind.
 */
int vs_event_ring_init(struct vs_event_ring *er, unsigned int worker);

/** vs_event_ring_fini() - free ring and bell. */
void vs_event_ring_fini(struct vs_event_ring *er);

/** vs_event_push() - worker: tell control; never blocks. */
void vs_event_push(struct vs_event_ring *er, const struct vs_event *ev);

/** vs_event_ring_bell() - worker, once per round: wake control if anything was pushed. */
void vs_event_ring_bell(struct vs_event_ring *er);

/**
 * vs_event_pop() - control: take events
 * Return: how many of @max were written to @ev.
 */
unsigned int vs_event_pop(struct vs_event_ring *er, struct vs_event *ev, unsigned int max);

#endif
