/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/tap.h"

#include <stdlib.h>
#include <string.h>

/* Enough for a gap: its size and its verdict. */
enum {
	GAP_BYTES = offsetof(struct vs_tap_record, when_tsc),
};

_Static_assert(GAP_BYTES == 8, "what is left at the end of a ring has room for a gap");
_Static_assert((VS_TAP_RING_BYTES & (VS_TAP_RING_BYTES - 1)) == 0, "positions wrap");

struct vs_tap_ring *vs_tap_ring_new(void)
{
	struct vs_tap_ring *ring = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*ring));

	/* written to here, so that no worker waits for the kernel's pages */
	if (ring)
		memset(ring, 0, sizeof(*ring));
	return ring;
}

void vs_tap_ring_free(struct vs_tap_ring *ring)
{
	free(ring);
}

static struct vs_tap_record *record_at(struct vs_tap_ring *ring, uint64_t position)
{
	return (struct vs_tap_record *)&ring->bytes[position & (VS_TAP_RING_BYTES - 1)];
}

struct vs_tap_record *vs_tap_ring_put(struct vs_tap_ring *ring, uint32_t have)
{
	uint32_t size = RTE_ALIGN_CEIL((uint32_t)sizeof(struct vs_tap_record) + have, 8u);
	uint64_t left = VS_TAP_RING_BYTES - (ring->next & (VS_TAP_RING_BYTES - 1));
	uint64_t gap = left < size ? left : 0;
	uint64_t used = ring->next - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	struct vs_tap_record *record;

	if (used + gap + size > VS_TAP_RING_BYTES) {
		ring->lost++;
		__atomic_store_n(&ring->lost_all, ring->lost_all + 1, __ATOMIC_RELAXED);
		return NULL;
	}
	if (gap) {
		record = record_at(ring, ring->next);
		record->size = (uint32_t)gap;
		record->verdict = VS_TAP_GAP;
		ring->next += gap;
	}
	record = record_at(ring, ring->next);
	record->size = size;
	record->lost = ring->lost;
	ring->lost = 0;
	ring->next += size;
	return record;
}

void vs_tap_ring_commit(struct vs_tap_ring *ring)
{
	if (ring->head != ring->next)
		__atomic_store_n(&ring->head, ring->next, __ATOMIC_RELEASE);
}

const struct vs_tap_record *vs_tap_ring_peek(struct vs_tap_ring *ring)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

	while (ring->tail != head) {
		const struct vs_tap_record *record = record_at(ring, ring->tail);

		if (record->verdict != VS_TAP_GAP)
			return record;
		vs_tap_ring_take(ring, record);
	}
	return NULL;
}

void vs_tap_ring_take(struct vs_tap_ring *ring, const struct vs_tap_record *record)
{
	__atomic_store_n(&ring->tail, ring->tail + record->size, __ATOMIC_RELEASE);
}
