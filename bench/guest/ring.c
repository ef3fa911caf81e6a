/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver side of a split ring (VIRTIO 1.1, section 2.6).
 *
 * Theory of operation. A chain is built in the descriptor table once (vsg_ring_add) and posted:
 * its head goes into the next free entry of the available ring. Nothing is visible to the back
 * end before vsg_ring_publish() stores the available index. Chains come back through the used
 * ring; after a look (vsg_ring_peek) and a step forward (vsg_ring_take) the driver either
 * gives the descriptors back (vsg_ring_free) or posts the same chain again (vsg_ring_post)
 * without writing one descriptor: buffers that keep their place cost two bytes per round.
 *
 * The driver keeps its free list and indices in memory of its own. What a test scribbles over
 * the shared ring therefore misleads the back end, never this code.
 */
#include "bench/guest/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/guest/ringops.h"

/**
 * vsg_ring_create() - lay a ring out in guest memory, empty
 * @ring: ring; number, descriptors, wait mode and event index are the caller's to set
 * @mem: guest memory
 * @size: entries, a power of two up to 32768
 * @start_index: first value of both indices
 *
 * Return: 0 or -errno.
 */
int vsg_ring_create(struct vsg_ring *ring, struct vsg_mem *mem, uint32_t size, uint16_t start_index)
{
	void *desc, *avail, *used;
	uint32_t i;
	int err;

	if (size == 0 || size > 32768 || (size & (size - 1)) != 0)
		return -EINVAL;
	err = vsg_mem_alloc(mem, VSG_MEM_ANY, 16ull * size, 4096, &ring->desc_gpa, &desc);
	if (!err)
		err = vsg_mem_alloc(mem, VSG_MEM_ANY, 6 + 2ull * size, 64, &ring->avail_gpa,
				    &avail);
	if (!err)
		err = vsg_mem_alloc(mem, VSG_MEM_ANY, 6 + 8ull * size, 4096, &ring->used_gpa,
				    &used);
	if (err)
		return err;
	ring->next = calloc(size, sizeof(*ring->next));
	ring->chain = calloc(size, sizeof(*ring->chain));
	if (!ring->next || !ring->chain) {
		vsg_ring_destroy(ring);
		return -ENOMEM;
	}
	memset(desc, 0, 16ull * size);
	memset(avail, 0, 6 + 2ull * size);
	memset(used, 0, 6 + 8ull * size);
	ring->desc = desc;
	ring->avail = avail;
	ring->used = used;
	ring->size = size;
	ring->avail->idx = start_index;
	ring->used->idx = start_index;
	ring->avail_idx = start_index;
	ring->published = start_index;
	ring->kicked = start_index;
	ring->last_used = start_index;
	ring->base = -1;
	ring->free_head = 0;
	ring->n_free = (uint16_t)size;
	for (i = 0; i < size; i++)
		ring->next[i] = (uint16_t)(i + 1);
	/* No call before somebody waits: with the event index, "behind us" means never soon. */
	ring->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	ring->avail->ring[size] = (uint16_t)(start_index - 1);
	return 0;
}

/**
 * vsg_ring_destroy() - free what the driver keeps beside a ring
 * @ring: ring; its guest memory and descriptors stay with their owners
 */
void vsg_ring_destroy(struct vsg_ring *ring)
{
	free(ring->next);
	free(ring->chain);
	ring->next = NULL;
	ring->chain = NULL;
	ring->size = 0;
}

/**
 * vsg_ring_shuffle() - hand descriptors out in no order
 * @ring: ring without chains
 * @seed: same seed, same order
 */
void vsg_ring_shuffle(struct vsg_ring *ring, uint32_t seed)
{
	uint16_t *order = calloc(ring->size, sizeof(*order));
	uint32_t i, k;
	uint16_t t;

	if (!order)
		return;
	for (i = 0; i < ring->size; i++)
		order[i] = (uint16_t)i;
	for (i = ring->size - 1; i > 0; i--) {
		seed = seed * 1664525u + 1013904223u;
		k = (seed >> 8) % (i + 1);
		t = order[i];
		order[i] = order[k];
		order[k] = t;
	}
	for (i = 0; i + 1 < ring->size; i++)
		ring->next[order[i]] = order[i + 1];
	ring->free_head = order[0];
	free(order);
}

/* Take one descriptor off the free list. */
static uint16_t pop_free(struct vsg_ring *ring)
{
	uint16_t d = ring->free_head;

	ring->free_head = ring->next[d];
	ring->n_free--;
	return d;
}

/**
 * vsg_ring_add() - build a chain of direct descriptors; it is not posted yet
 * @ring: ring
 * @seg: buffers in order
 * @n: their number, at least one
 * @cookie: comes back with the used element
 *
 * Return: head of the chain, or -EAGAIN without enough free descriptors.
 */
int vsg_ring_add(struct vsg_ring *ring, const struct vsg_seg *seg, uint32_t n, uint32_t cookie)
{
	uint16_t head = ring->free_head;
	struct vring_desc *d;
	uint32_t i;

	if (n == 0)
		return -EINVAL;
	if (n > ring->n_free)
		return -EAGAIN;
	for (i = 0; i < n; i++) {
		d = &ring->desc[pop_free(ring)];
		d->addr = seg[i].gpa;
		d->len = seg[i].len;
		d->flags = (uint16_t)seg[i].flags;
		d->next = 0;
		if (i + 1 < n) {
			d->flags |= VRING_DESC_F_NEXT;
			d->next = ring->free_head;
		}
	}
	ring->chain[head] = (struct vsg_chain){.n_desc = (uint16_t)n, .cookie = cookie};
	return head;
}

/**
 * vsg_ring_add_indirect() - build a chain in an indirect table; it is not posted yet
 * @ring: ring
 * @seg: buffers in order
 * @n: their number
 * @table: room for them in guest memory
 * @table_gpa: its guest-physical address
 * @cookie: comes back with the used element
 *
 * Return: head of the chain, or -EAGAIN without a free descriptor.
 */
int vsg_ring_add_indirect(struct vsg_ring *ring, const struct vsg_seg *seg, uint32_t n,
			  struct vring_desc *table, uint64_t table_gpa, uint32_t cookie)
{
	struct vring_desc *d;
	uint16_t head;
	uint32_t i;

	if (ring->n_free == 0)
		return -EAGAIN;
	for (i = 0; i < n; i++) {
		table[i].addr = seg[i].gpa;
		table[i].len = seg[i].len;
		table[i].flags = (uint16_t)(seg[i].flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0));
		table[i].next = i + 1 < n ? (uint16_t)(i + 1) : 0;
	}
	head = pop_free(ring);
	d = &ring->desc[head];
	d->addr = table_gpa;
	d->len = (uint32_t)(n * sizeof(*table));
	d->flags = VRING_DESC_F_INDIRECT;
	d->next = 0;
	ring->chain[head] = (struct vsg_chain){.n_desc = 1, .cookie = cookie};
	return head;
}

/**
 * vsg_ring_post() - put a built chain into the available ring; not visible before a publish
 * @ring: ring
 * @head: chain that is not in flight
 */
void vsg_ring_post(struct vsg_ring *ring, uint16_t head)
{
	ring_post(ring, head);
}

/**
 * vsg_ring_free() - give the descriptors of a chain back
 * @ring: ring
 * @head: chain that is not in flight
 *
 * The private free list still links them in the order they were taken, so only the ends move.
 */
void vsg_ring_free(struct vsg_ring *ring, uint16_t head)
{
	uint16_t n = ring->chain[head].n_desc;
	uint16_t last = head;
	uint16_t i;

	if (n == 0)
		return;
	for (i = 1; i < n; i++)
		last = ring->next[last];
	ring->next[last] = ring->free_head;
	ring->free_head = head;
	ring->n_free = (uint16_t)(ring->n_free + n);
	ring->chain[head].n_desc = 0;
	ring->chain[head].inflight = 0;
}

/**
 * vsg_ring_publish() - show the back end everything posted so far
 * @ring: ring
 */
void vsg_ring_publish(struct vsg_ring *ring)
{
	ring_publish(ring);
}

/**
 * vsg_ring_kick_force() - notify the back end whether it wants it or not
 * @ring: ring; one without a kick descriptor is taken to be polled
 *
 * Return: 0 or -errno.
 */
int vsg_ring_kick_force(struct vsg_ring *ring)
{
	uint64_t one = 1;

	ring->kicks++;
	ring->kicked = ring->published;
	if (ring->kick_fd < 0)
		return 0;
	if (write(ring->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

/**
 * vsg_ring_kick() - notify the back end if it asked for it (VIRTIO 1.1, 2.6.7 and 2.6.9)
 * @ring: ring, published
 *
 * Return: 1 if it was notified, 0 if not, or -errno.
 */
int vsg_ring_kick(struct vsg_ring *ring)
{
	uint16_t event, old = ring->kicked;
	bool need;
	int err;

	if (old == ring->published)
		return 0;
	/* The new index must be visible before we read what the back end wants. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring->event_idx) {
		event = __atomic_load_n((uint16_t *)&ring->used->ring[ring->size],
					__ATOMIC_RELAXED);
		need = vring_need_event(event, ring->published, old);
	} else {
		need = (__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) &
			VRING_USED_F_NO_NOTIFY) == 0;
	}
	ring->kicked = ring->published;
	if (!need) {
		ring->kicks_saved++;
		return 0;
	}
	err = vsg_ring_kick_force(ring);
	return err ? err : 1;
}

/**
 * vsg_ring_pending() - chains the back end has returned and nobody took yet
 * @ring: ring
 *
 * Return: their number; more than the ring's size means a broken used index.
 */
uint32_t vsg_ring_pending(const struct vsg_ring *ring)
{
	return ring_pending(ring);
}

/**
 * vsg_ring_peek() - look at a returned chain without taking it
 * @ring: ring
 * @ahead: 0 for the oldest, less than vsg_ring_pending()
 * @ret_used: what the back end says of it
 *
 * Return: 0, or -EPROTO if the element names no chain in flight.
 */
int vsg_ring_peek(struct vsg_ring *ring, uint32_t ahead, struct vsg_used *ret_used)
{
	return ring_peek(ring, ahead, ret_used);
}

/**
 * vsg_ring_take() - take the oldest returned chain; it is to be freed or posted again
 * @ring: ring
 * @head: its head, as vsg_ring_peek() showed it
 */
void vsg_ring_take(struct vsg_ring *ring, uint16_t head)
{
	ring_take(ring, head);
}

/**
 * vsg_ring_harvest() - take returned chains and give their descriptors back
 * @ring: ring
 * @used: room for @max elements, or NULL
 * @max: most to take
 *
 * Return: number taken, or -EPROTO on a used element or index that cannot be.
 */
int vsg_ring_harvest(struct vsg_ring *ring, struct vsg_used *used, uint32_t max)
{
	uint32_t i, n = ring_pending(ring);
	struct vsg_used u;
	int err;

	if (n > ring->size) {
		ring->bad_used++;
		return -EPROTO;
	}
	if (n > max)
		n = max;
	for (i = 0; i < n; i++) {
		err = ring_peek(ring, 0, &u);
		if (err)
			return err;
		ring_take(ring, u.head);
		vsg_ring_free(ring, u.head);
		if (used)
			used[i] = u;
	}
	return (int)n;
}

/**
 * vsg_ring_set_desc() - write a descriptor, whatever it says
 * @ring: ring
 * @i: index, less than the ring's size
 * @addr: guest-physical address
 * @len: length
 * @flags: flags
 * @next: next descriptor
 */
void vsg_ring_set_desc(struct vsg_ring *ring, uint32_t i, uint64_t addr, uint32_t len,
		       uint16_t flags, uint16_t next)
{
	if (i >= ring->size)
		return;
	ring->desc[i] = (struct vring_desc){
		.addr = addr,
		.len = len,
		.flags = flags,
		.next = next,
	};
}

/**
 * vsg_ring_set_avail() - show any available index
 * @ring: ring; the driver's own index stays as it is
 * @idx: index
 */
void vsg_ring_set_avail(struct vsg_ring *ring, uint16_t idx)
{
	__atomic_store_n(&ring->avail->idx, idx, __ATOMIC_RELEASE);
}
