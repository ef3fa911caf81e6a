/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/punt.h"

#include "dataplane/core/stats.h"

#include <rte_common.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((VS_PUNT_SLOTS & (VS_PUNT_SLOTS - 1)) == 0, "numbers wrap around");

/* A second: what control can answer, and what it has a use for. */
static const uint32_t rate[VS_PUNT_KINDS] = {
	[VS_PUNT_NEIGH] = 1000, [VS_PUNT_ICMP] = 100, [VS_PUNT_UNRESOLVED] = 10000,
	[VS_PUNT_LEARN] = 1000, [VS_PUNT_DRIFT] = 10,
};

struct vs_punt_ring {
	uint32_t head __rte_cache_aligned; /* slots written; the worker's */
	struct vs_pace pace[VS_PUNT_KINDS];
	uint64_t lost[VS_PUNT_KINDS];
	uint32_t tail __rte_cache_aligned; /* slots read; control's */
	struct vs_punt slot[VS_PUNT_SLOTS] __rte_cache_aligned;
};

int vs_punt_new(struct vs_punt_ring **ret_ring)
{
	struct vs_punt_ring *ring = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	/* Written to here, so that no worker waits for the kernel's pages. */
	memset(ring, 0, sizeof(*ring));
	*ret_ring = ring;
	return 0;
}

void vs_punt_free(struct vs_punt_ring *ring)
{
	free(ring);
}

struct vs_punt *vs_punt_begin(struct vs_punt_ring *ring, enum vs_punt_kind kind, uint64_t now)
{
	struct vs_punt *slot;

	if (!ring)
		return NULL;
	if (ring->head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == VS_PUNT_SLOTS ||
	    !vs_pace_admit(&ring->pace[kind], now, rate[kind])) {
		vs_stats_bump(&ring->lost[kind], 1);
		return NULL;
	}
	slot = &ring->slot[ring->head % VS_PUNT_SLOTS];
	memset(slot, 0, offsetof(struct vs_punt, bytes));
	slot->kind = (uint8_t)kind;
	return slot;
}

void vs_punt_end(struct vs_punt_ring *ring)
{
	__atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
}

bool vs_punt_put_frame(struct vs_punt *slot, const struct vs_pkt *pkt)
{
	uint32_t at = pkt->hdr_len;
	unsigned int i;

	if (pkt->len > sizeof(slot->bytes))
		return false;
	memcpy(slot->bytes, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		memcpy(slot->bytes + at, pkt->ext[i].data, pkt->ext[i].len);
		at += pkt->ext[i].len;
	}
	slot->len = (uint16_t)at;
	return true;
}

const struct vs_punt *vs_punt_peek(struct vs_punt_ring *ring)
{
	if (!ring || __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == ring->tail)
		return NULL;
	return &ring->slot[ring->tail % VS_PUNT_SLOTS];
}

void vs_punt_next(struct vs_punt_ring *ring)
{
	__atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
}

uint64_t vs_punt_lost(const struct vs_punt_ring *ring, enum vs_punt_kind kind)
{
	return ring ? vs_stats_read(&ring->lost[kind]) : 0;
}
