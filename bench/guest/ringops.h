/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_GUEST_RINGOPS_H
#define BENCH_GUEST_RINGOPS_H

/*
 * What the data path does for every frame, private to the library and inline. The exported
 * functions of the same names in ring.c are these.
 */

#include <errno.h>

#include "bench/guest/guest.h"

static inline uint32_t ring_pending(const struct vsg_ring *ring)
{
	uint16_t idx = __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);

	return (uint16_t)(idx - ring->last_used);
}

static inline int ring_peek(struct vsg_ring *ring, uint32_t ahead, struct vsg_used *ret_used)
{
	const struct vring_used_elem *e;
	uint32_t id;

	e = &ring->used->ring[(ring->last_used + ahead) & (ring->size - 1)];
	id = __atomic_load_n(&e->id, __ATOMIC_RELAXED);
	if (id >= ring->size || !ring->chain[id].inflight) {
		ring->bad_used++;
		return -EPROTO;
	}
	ret_used->head = (uint16_t)id;
	ret_used->len = __atomic_load_n(&e->len, __ATOMIC_RELAXED);
	ret_used->cookie = ring->chain[id].cookie;
	return 0;
}

/* Take the oldest returned chain, whose head a look has shown. */
static inline void ring_take(struct vsg_ring *ring, uint16_t head)
{
	ring->chain[head].inflight = 0;
	ring->last_used++;
}

static inline void ring_post(struct vsg_ring *ring, uint16_t head)
{
	ring->chain[head].inflight = 1;
	ring->avail->ring[ring->avail_idx & (ring->size - 1)] = head;
	ring->avail_idx++;
}

static inline void ring_publish(struct vsg_ring *ring)
{
	__atomic_store_n(&ring->avail->idx, ring->avail_idx, __ATOMIC_RELEASE);
	ring->published = ring->avail_idx;
}

#endif /* BENCH_GUEST_RINGOPS_H */
