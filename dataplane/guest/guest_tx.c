/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To the guest: which of its receive rings a frame goes to.
 *
 * DOC: theory of operation
 *
 * A guest enables as many queue pairs as it has processors to serve them (up to 8). With one, all
 * frames go there, and nobody looks at them. With several, the flows are spread: frame by frame the
 * number of its flow (core/flow.h) says which of the enabled pairs it belongs to, counted around.
 *
 *	burst:  a1 b1 a2 c1 b2 d1      a, d: first pair enabled    -> ring 0:  a1 a2 d1
 *	                               c: second                   -> ring 4:  c1
 *	                               b: third                    -> ring 6:  b1 b2
 *
 * So a flow keeps its ring, and its order, as long as the same pairs are enabled, whoever sends it
 * and wherever the guest sends its own half of it. (Virtio recommends to follow the guest:
 * "Automatic receive steering in multiqueue mode". But a thread of the guest that moves to another
 * processor would take its flow to another ring in the middle, and the table of flows would be
 * written with each frame by one worker and read by the others.)
 *
 * Each ring has its lock. Frames for one that another worker holds stay with their sender's worker
 * (tx_busy), all of this burst for that ring; the others are delivered.
 *
 * When the guest disables a pair, control first takes it out of the mask, and stops the ring then.
 * Who looked at the mask before finds the ring stopped, looks again and spreads these frames
 * anew: none is lost.
 */
#include "dataplane/guest/guest_obj.h"

#include "dataplane/core/flow.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <string.h>

/* Frames, in order, with where each stands in the burst. */
struct heap {
	unsigned int n;
	struct vs_pkt *pkt[VS_BURST_MAX];
	uint8_t at[VS_BURST_MAX];
};

static void heap_add(struct heap *h, struct vs_pkt *pkt, uint8_t at)
{
	h->pkt[h->n] = pkt;
	h->at[h->n++] = at;
}

enum outcome {
	DONE,
	STOPPED, /* nothing was touched: control has stopped the ring */
};

/* The ring cannot be used: broken, or stopped. */
static __rte_noinline enum outcome refuse(struct vs_guest *guest, struct vs_vring *vr,
					  unsigned int n, uint8_t *fate)
{
	bool runs = __atomic_load_n(&vr->ring.run, __ATOMIC_ACQUIRE);
	bool broken = runs;

	vs_guest_note_fault(guest, vr);
	broken = broken || __atomic_load_n(&vr->reported, __ATOMIC_RELAXED);
	memset(fate, broken ? VS_DROP_RING_BROKEN : VS_DROP_PORT_DOWN, n);
	return runs ? DONE : STOPPED;
}

/* Deliver to one ring. Each frame has its fate then, also where the ring was stopped. */
static __rte_always_inline enum outcome deliver(struct vs_guest *guest, unsigned int pair,
						struct vs_pkt *const *pkt, unsigned int n,
						uint8_t *fate)
{
	struct vs_vring *vr = &guest->dev.vring[(size_t)2 * pair];
	enum outcome outcome = DONE;

	if (unlikely(!vs_trylock(&vr->ring.lock))) {
		memset(fate, VS_DROP_TX_BUSY, n);
		return DONE;
	}
	if (likely(vs_ring_usable(&vr->ring))) {
		vs_ring_push(&vr->ring, pkt, n, fate);
		vs_guest_note_fault(guest, vr);
	} else {
		outcome = refuse(guest, vr, n, fate);
	}
	vs_tryunlock(&vr->ring.lock);
	return outcome;
}

/* Deliver what belongs to one ring; if it was stopped, these frames are @left. */
static __rte_noinline void deliver_heap(struct vs_guest *guest, unsigned int pair,
					const struct heap *h, uint8_t *fate, struct heap *left)
{
	uint8_t own[VS_BURST_MAX];
	enum outcome outcome = deliver(guest, pair, h->pkt, h->n, own);
	unsigned int i;

	for (i = 0; i < h->n; i++) {
		fate[h->at[i]] = own[i];
		if (unlikely(outcome == STOPPED))
			heap_add(left, h->pkt[i], h->at[i]);
	}
}

/* Deliver @todo to the rings of @mask, which is not 0. What met a stopped ring is @left. */
static void spread(struct vs_guest *guest, uint8_t mask, const struct heap *todo, uint8_t *fate,
		   struct heap *left)
{
	unsigned int n_rings = (unsigned int)__builtin_popcount(mask);
	struct heap share[VS_GUEST_PAIRS_MAX];
	unsigned int i;

	for (i = 0; i < RTE_DIM(share); i++)
		share[i].n = 0;
	for (i = 0; i < todo->n; i++) {
		uint32_t flow = vs_flow_hash(todo->pkt[i]);

		heap_add(&share[vs_flow_share(flow, n_rings)], todo->pkt[i], todo->at[i]);
	}
	left->n = 0;
	for (i = 0; i < n_rings; i++) {
		unsigned int pair = (unsigned int)__builtin_ctz(mask);

		mask &= (uint8_t)(mask - 1);
		if (share[i].n)
			deliver_heap(guest, pair, &share[i], fate, left);
	}
}

static uint8_t enabled_pairs(const struct vs_guest *guest)
{
	return __atomic_load_n(&guest->dev.tx_pairs, __ATOMIC_RELAXED);
}

/*
 * Several rings, none, or one that was stopped. The mask is looked at twice at the most: control
 * waits for the end of this visit before it stops another ring.
 */
static __rte_noinline void deliver_spread(struct vs_guest *guest, uint8_t mask,
					  struct vs_pkt *const *pkt, unsigned int n, uint8_t *fate)
{
	struct heap todo;
	struct heap left;
	unsigned int i;

	todo.n = 0;
	left.n = 0;
	for (i = 0; i < n; i++)
		heap_add(mask ? &todo : &left, pkt[i], (uint8_t)i);
	memset(fate, VS_DROP_PORT_DOWN, n);
	if (mask)
		spread(guest, mask, &todo, fate, &left);
	if (left.n == 0)
		return;

	mask = enabled_pairs(guest);
	if (mask) {
		todo = left;
		spread(guest, mask, &todo, fate, &left);
	}
	for (i = 0; i < left.n && __atomic_load_n(&guest->dev.broken, __ATOMIC_RELAXED); i++)
		fate[left.at[i]] = VS_DROP_RING_BROKEN;
}

/* The pair that the frames came from does not matter: they go where their flows belong. */
void vs_guest_tx(void *dev, unsigned int from, struct vs_pkt *const *pkt, unsigned int n,
		 uint8_t *fate)
{
	struct vs_guest *guest = dev;
	uint8_t mask = enabled_pairs(guest);

	(void)from;
	if (likely(mask && !(mask & (mask - 1))) &&
	    likely(deliver(guest, (unsigned int)__builtin_ctz(mask), pkt, n, fate) == DONE))
		return;
	deliver_spread(guest, mask, pkt, n, fate);
}
