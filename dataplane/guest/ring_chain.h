/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking one descriptor chain. Private to the ring code (ring.c, ring_pull.c, ring_push.c).
 *
 * Shared memory is read here and in those files only, through the vs_shared_*() accessors: one
 * load per word, and the loaded value is what is checked and used.
 */
#ifndef VS_GUEST_RING_CHAIN_H
#define VS_GUEST_RING_CHAIN_H

#include "dataplane/guest/ring.h"

#include <rte_common.h>

#include <endian.h>
#include <string.h>

/** Entries of an indirect table (QEMU's own limit for one). */
enum {
	VS_INDIRECT_MAX = 1024,
};

/* Indirect tables need not be aligned; one access per word all the same. */
struct vs_unaligned64 {
	uint64_t v;
} __attribute__((packed, may_alias));

/** Load a little-endian 16-bit word that the guest may be writing. */
static inline uint16_t vs_shared_load16(const __virtio16 *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

/** The same, and everything the guest wrote before it is visible afterwards. */
static inline uint16_t vs_shared_load16_acquire(const __virtio16 *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

/** vs_shared_store16() - store a little-endian 16-bit word that the guest may be reading. */
static inline void vs_shared_store16(__virtio16 *p, uint16_t v)
{
	__atomic_store_n(p, htole16(v), __ATOMIC_RELAXED);
}

/** Store, after everything written before it is visible to the guest. */
static inline void vs_shared_store16_release(__virtio16 *p, uint16_t v)
{
	__atomic_store_n(p, htole16(v), __ATOMIC_RELEASE);
}

/** struct vs_desc - private copy of one descriptor, in host order */
struct vs_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/** vs_shared_load_desc() - a private copy of a descriptor: each of its two words loaded once. */
static inline struct vs_desc vs_shared_load_desc(const struct vring_desc *p)
{
	const volatile struct vs_unaligned64 *w = (const volatile struct vs_unaligned64 *)p;
	uint64_t lo = le64toh(w[0].v);
	uint64_t hi = le64toh(w[1].v);

	return (struct vs_desc){
		.addr = lo,
		.len = (uint32_t)hi,
		.flags = (uint16_t)(hi >> 32),
		.next = (uint16_t)(hi >> 48),
	};
}

/**
 * struct vs_chain - position in a chain
 * @table:	descriptor table: the ring's own, or an indirect one
 * @n:		its entries
 * @steps:	descriptors visited in @table; more than @n of them is a loop
 * @next:	index of the next descriptor
 * @more:	there is a next one
 * @indirect:	@table is an indirect one
 */
struct vs_chain {
	const struct vring_desc *table;
	uint32_t n;
	uint32_t steps;
	uint16_t next;
	bool more;
	bool indirect;
};

/** vs_chain_begin() - at the first descriptor of the chain @head, which is below the ring size. */
static inline void vs_chain_begin(const struct vs_ring *ring, uint16_t head, struct vs_chain *c)
{
	*c = (struct vs_chain){.table = ring->desc, .n = ring->size, .next = head, .more = true};
}

/* The chain goes on in the indirect table that @d describes. Return: enum vs_ring_fault. */
static inline enum vs_ring_fault enter_indirect(const struct vs_ring *ring, struct vs_chain *c,
						const struct vs_desc *d)
{
	const uint8_t *table;

	if (!(ring->flags & VS_RING_INDIRECT))
		return VS_RING_INDIRECT_DENIED;
	if (c->indirect || (d->flags & VRING_DESC_F_NEXT))
		return VS_RING_INDIRECT_NESTED;
	if (d->len == 0 || d->len % sizeof(struct vring_desc) != 0 ||
	    d->len / sizeof(struct vring_desc) > VS_INDIRECT_MAX)
		return VS_RING_INDIRECT_LEN;
	table = vs_mem_at(ring->mem, d->addr, d->len);
	if (!table)
		return VS_RING_ADDRESS;

	c->table = (const struct vring_desc *)(const void *)table;
	c->n = d->len / (uint32_t)sizeof(struct vring_desc);
	c->steps = 0;
	c->next = 0;
	c->indirect = true;
	return VS_RING_OK;
}

/**
 * vs_chain_next() - the next buffer of a chain (virtio 1.1, 2.6.5)
 * @ring:	the ring
 * @c:		position, with c->more true
 * @ret_desc:	private copy of the descriptor
 *
 * Direct descriptors may be followed by one indirect table, whose end is the end of the chain.
 * Terminates for any memory content: each table is left after at most as many steps as it has
 * entries, and there are two tables at the most.
 *
 * Return: VS_RING_OK, or the rule that was broken.
 */
static inline enum vs_ring_fault vs_chain_next(const struct vs_ring *ring, struct vs_chain *c,
					       struct vs_desc *ret_desc)
{
	for (;;) {
		enum vs_ring_fault fault;
		struct vs_desc d;

		if (c->next >= c->n)
			return VS_RING_NEXT_RANGE;
		if (c->steps++ >= c->n)
			return VS_RING_LOOP;
		d = vs_shared_load_desc(&c->table[c->next]);
		if (!(d.flags & VRING_DESC_F_INDIRECT)) {
			c->next = d.next;
			c->more = d.flags & VRING_DESC_F_NEXT;
			*ret_desc = d;
			return VS_RING_OK;
		}
		fault = enter_indirect(ring, c, &d);
		if (fault != VS_RING_OK)
			return fault;
	}
}

/** vs_ring_break() - mark the ring faulty; the first reason stays. */
static inline void vs_ring_break(struct vs_ring *ring, enum vs_ring_fault fault)
{
	if (ring->fault == VS_RING_OK)
		__atomic_store_n(&ring->fault, (uint8_t)fault, __ATOMIC_RELAXED);
}

/**
 * vs_ring_waiting() - how many available entries there are
 * Return: 0..size; 0 with the ring marked when the index is nonsense.
 */
static inline unsigned int vs_ring_waiting(struct vs_ring *ring)
{
	uint16_t n = (uint16_t)(vs_shared_load16_acquire(&ring->avail->idx) - ring->next_avail);

	if (n > ring->size) {
		vs_ring_break(ring, VS_RING_AVAIL_JUMP);
		return 0;
	}
	return n;
}

/**
 * struct vs_ring_view - what a burst of usual frames needs of its ring
 *
 * Read once per burst and kept in registers: for all the compiler knows, a store into a guest's
 * buffer changes a struct vs_ring.
 */
struct vs_ring_view {
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	const struct vs_mem *mem;
	const struct vs_mem_region *near; /* where the last buffer lay */
	uint32_t hdr_len;
	uint16_t size;
	uint16_t mask;
	uint8_t flags;
};

/** vs_ring_view() - the view of a ring that is in use. */
static inline struct vs_ring_view vs_ring_view(const struct vs_ring *ring)
{
	return (struct vs_ring_view){
		.desc = ring->desc,
		.avail = ring->avail,
		.mem = ring->mem,
		.near = ring->mem->region,
		.hdr_len = ring->hdr_len,
		.size = ring->size,
		.mask = (uint16_t)(ring->size - 1),
		.flags = ring->flags,
	};
}

/** vs_view_head() - the head at free-running position @at of the available ring; any value. */
static inline uint16_t vs_view_head(const struct vs_ring_view *view, uint16_t at)
{
	return vs_shared_load16(&view->avail->ring[at & view->mask]);
}

/** vs_view_at() - vs_mem_at() of the ring's memory. */
static inline uint8_t *vs_view_at(struct vs_ring_view *view, uint64_t gpa, uint32_t len)
{
	return vs_mem_at_near(view->mem, &view->near, gpa, len);
}

/**
 * vs_ring_put_used() - write used entries, which nobody sees before vs_ring_publish()
 * @ring:	the ring
 * @ahead:	how many unpublished ones there are before them
 * @used:	@n entries, little-endian
 * @n:		at most the ring's size
 *
 * In one go: the guest may be reading older entries of the same cache lines, so each line should
 * change hands once.
 */
static inline void vs_ring_put_used(struct vs_ring *ring, uint16_t ahead,
				    const struct vring_used_elem *used, unsigned int n)
{
	unsigned int at = (uint16_t)(ring->next_used + ahead) & (unsigned int)(ring->size - 1);
	unsigned int first = RTE_MIN(n, ring->size - at);

	memcpy(&ring->used->ring[at], used, first * sizeof(*used));
	if (first < n)
		memcpy(ring->used->ring, used + first, (n - first) * sizeof(*used));
}

/** vs_ring_call() - interrupt the guest, if it has said how. */
void vs_ring_call(struct vs_ring *ring);

/** vs_ring_wants_call() - is the guest to be told of entries published since index @before? */
bool vs_ring_wants_call(const struct vs_ring *ring, uint16_t before);

/**
 * vs_ring_moderate() - @n entries were published on a ring whose calls are moderated
 * @before:	value of @ring->signalled before that
 * @wants:	the guest wants to be told of them
 */
void vs_ring_moderate(struct vs_ring *ring, uint16_t n, uint16_t before, bool wants);

/** vs_ring_publish() - make @n used entries visible, and call the guest if it asked for it. */
void vs_ring_publish(struct vs_ring *ring, uint16_t n);

#endif
