/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's side of one ring: memory, free descriptors, and a note of each chain that the switch
 * has not given back. The switch gives chains back in order, so memory is cut off round and round.
 */
#include "tests/oracle/oracle.h"

#include <rte_common.h>

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	GUARD_BYTE = 0xa5,
	DESC_BYTES = 16,
	AVAIL_AT = DESC_BYTES * OR_RING_MAX,
	USED_AT = AVAIL_AT + 1024,
	RING_BYTES = USED_AT + 8 + 8 * OR_RING_MAX + 8,
};

static const uint64_t arena_gpa[OR_ARENAS] = {UINT64_C(0x10000), UINT64_C(1) << 40};

static void *must_have(void *p)
{
	if (!p) {
		(void)fprintf(stderr, "oracle: no memory left\n");
		exit(2);
	}
	return p;
}

void or_driver_new(struct or_ring *d)
{
	unsigned int i;

	*d = (struct or_ring){.mem.n = OR_ARENAS};
	d->memory = must_have(aligned_alloc(64, RTE_ALIGN_CEIL((size_t)RING_BYTES, 64)));
	for (i = 0; i < OR_ARENAS; i++) {
		d->arena[i].base = must_have(malloc(OR_ARENA_BYTES));
		d->arena[i].gpa = arena_gpa[i];
		memset(d->arena[i].base, 0, OR_ARENA_BYTES);
		d->mem.region[i] = (struct vs_mem_region){
			.gpa = arena_gpa[i],
			.size = OR_ARENA_BYTES,
			.host = d->arena[i].base,
		};
	}
}

void or_driver_start(struct or_rng *r, struct or_ring *d, const struct or_port_spec *p)
{
	uint16_t base = (uint16_t)(or_chance(r, 50) ? or_rand(r) : 65500 + or_below(r, 40));
	unsigned int i;

	or_driver_stop(d);
	memset(d->memory, 0, RING_BYTES);
	d->ring->desc = (struct vring_desc *)(void *)d->memory;
	d->ring->avail = (struct vring_avail *)(void *)(d->memory + AVAIL_AT);
	d->ring->used = (struct vring_used *)(void *)(d->memory + USED_AT);
	d->ring->mem = &d->mem;
	d->ring->size = p->ring_size;
	d->ring->flags = p->ring_flags;
	d->ring->hdr_len = p->hdr_len;
	d->ring->call_fd = -1;
	d->n_free = p->ring_size;
	for (i = 0; i < d->n_free; i++)
		d->free[i] = (uint16_t)i;
	d->avail = d->seen = base;
	d->dead = VS_RING_OK;
	d->jumped = false;
	d->ring->avail->idx = htole16(base);
	d->ring->used->idx = htole16(base);
}

static void give_back(struct or_ring *d, struct or_chain *c)
{
	unsigned int i;

	for (i = 0; i < c->n_own; i++)
		d->free[d->n_free++] = c->own[i];
	for (i = 0; i < OR_ARENAS; i++) {
		d->arena[i].used -= c->taken[i];
		if (d->arena[i].used == 0)
			d->arena[i].head = 0;
	}
	free(c->buf);
	free(c->bytes);
	c->buf = NULL;
	c->bytes = NULL;
}

void or_driver_retire(struct or_ring *d)
{
	give_back(d, &d->chain[d->first]);
	d->first = (uint16_t)((d->first + 1) % OR_RING_MAX);
	d->n--;
}

void or_driver_stop(struct or_ring *d)
{
	while (d->n)
		or_driver_retire(d);
	d->n_free = 0;
}

struct or_chain *or_driver_oldest(struct or_ring *d, unsigned int i)
{
	return i < d->n ? &d->chain[(d->first + i) % OR_RING_MAX] : NULL;
}

struct or_chain *or_driver_new_chain(struct or_ring *d)
{
	struct or_chain *c = &d->chain[(d->first + d->n) % OR_RING_MAX];

	if (d->n >= d->ring->size || d->dead || d->jumped)
		return NULL;
	memset(c, 0, sizeof(*c));
	return c;
}

void or_driver_undo(struct or_ring *d, struct or_chain *c)
{
	unsigned int i;

	/* Memory is given back in order: what this chain took is put back at the head. */
	for (i = 0; i < OR_ARENAS; i++)
		d->arena[i].head =
			(d->arena[i].head + OR_ARENA_BYTES - c->taken[i]) % OR_ARENA_BYTES;
	give_back(d, c);
}

/* @len bytes of an arena, in one piece. Return: them, or NULL. */
static uint8_t *cut(struct or_arena *a, uint32_t len, uint32_t *taken)
{
	uint32_t skip = a->head + len > OR_ARENA_BYTES ? OR_ARENA_BYTES - a->head : 0;
	uint8_t *at;

	if (a->used + skip + len > OR_ARENA_BYTES)
		return NULL;
	at = a->base + (a->head + skip) % OR_ARENA_BYTES;
	a->head = (a->head + skip + len) % OR_ARENA_BYTES;
	a->used += skip + len;
	*taken += skip + len;
	return at;
}

bool or_driver_alloc(struct or_rng *r, struct or_ring *d, struct or_chain *c, uint32_t len,
		     struct or_buf *ret_buf)
{
	unsigned int i = or_below(r, OR_ARENAS);
	uint8_t *at = cut(&d->arena[i], len + OR_GUARD, &c->taken[i]);

	if (!at)
		return false;
	memset(at + len, GUARD_BYTE, OR_GUARD);
	*ret_buf = (struct or_buf){.at = at, .len = len};
	return true;
}

bool or_driver_is_guarded(const struct or_buf *b)
{
	unsigned int i;

	for (i = 0; i < OR_GUARD; i++)
		if (b->at[b->len + i] != GUARD_BYTE)
			return false;
	return true;
}

static uint64_t gpa_of(const struct or_ring *d, const uint8_t *at)
{
	unsigned int i = at >= d->arena[1].base && at < d->arena[1].base + OR_ARENA_BYTES;

	return d->arena[i].gpa + (uint64_t)(at - d->arena[i].base);
}

/* The descriptor that is @b's, as long as it stands alone. */
static struct vring_desc describe(struct or_rng *r, const struct or_ring *d, const struct or_buf *b,
				  bool write)
{
	static const uint32_t bad_len[] = {0, 15, 17, 16 * 1025};
	static const uint64_t bad_gpa[] = {0, 0xffff, UINT64_C(0x10000) + OR_ARENA_BYTES,
					   UINT64_MAX - 3};
	struct vring_desc desc = {.flags = write ? VRING_DESC_F_WRITE : 0};

	/* The address of an empty buffer means nothing. */
	desc.addr = b->len ? gpa_of(d, b->at) : or_rand(r);
	desc.len = b->len;
	switch (b->fault) {
	case VS_RING_ADDRESS:
		desc.addr = bad_gpa[or_below(r, 4)];
		desc.len = 8 + or_below(r, 1000);
		break;
	case VS_RING_NOT_READABLE:
	case VS_RING_NOT_WRITABLE:
		desc.flags ^= VRING_DESC_F_WRITE;
		break;
	case VS_RING_INDIRECT_DENIED:
		desc.flags |= VRING_DESC_F_INDIRECT;
		break;
	case VS_RING_INDIRECT_NESTED:
		desc.flags |= VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT;
		desc.len = DESC_BYTES;
		break;
	case VS_RING_INDIRECT_LEN:
		desc.flags |= VRING_DESC_F_INDIRECT;
		desc.len = bad_len[or_below(r, 4)];
		break;
	default:
		break;
	}
	return desc;
}

static void store(struct vring_desc *at, const struct vring_desc *desc)
{
	const struct vring_desc le = {
		.addr = htole64(desc->addr),
		.len = htole32(desc->len),
		.flags = htole16(desc->flags),
		.next = htole16(desc->next),
	};

	memcpy(at, &le, sizeof(le));
}

/* Is there a descriptor for it, or is it only where the one before leads? */
static bool is_nowhere(const struct or_buf *b)
{
	return b->fault == VS_RING_NEXT_RANGE || b->fault == VS_RING_LOOP;
}

/* What the descriptor before @next leads to. */
static void link_to(struct or_rng *r, struct vring_desc *desc, const struct or_buf *next,
		    uint16_t index, uint16_t first, uint32_t entries)
{
	desc->flags |= VRING_DESC_F_NEXT;
	desc->next = index;
	if (next->fault == VS_RING_NEXT_RANGE)
		desc->next = (uint16_t)(entries + or_below(r, 3));
	else if (next->fault == VS_RING_LOOP)
		desc->next = first;
}

/* The buffers from @from on in an indirect table. Return: the descriptor of it; len 0: no room. */
static struct vring_desc write_indirect(struct or_rng *r, struct or_ring *d, struct or_chain *c,
					uint32_t from, bool write)
{
	const uint32_t n = c->n_bufs - from - is_nowhere(&c->buf[c->n_bufs - 1]);
	const uint32_t shift = or_below(r, 16);
	struct vring_desc whole = {.flags = VRING_DESC_F_INDIRECT};
	struct or_buf table;
	uint32_t i;

	if (!or_driver_alloc(r, d, c, n * DESC_BYTES + shift, &table))
		return whole;
	for (i = 0; i < n; i++) {
		struct vring_desc desc = describe(r, d, &c->buf[from + i], write);

		if (from + i + 1 < c->n_bufs)
			link_to(r, &desc, &c->buf[from + i + 1], (uint16_t)(i + 1), 0, n);
		store((struct vring_desc *)(void *)(table.at + shift + (size_t)i * DESC_BYTES),
		      &desc);
	}
	whole.addr = gpa_of(d, table.at + shift);
	whole.len = n * DESC_BYTES;
	return whole;
}

static void make_available(struct or_rng *r, struct or_ring *d, struct or_chain *c)
{
	uint16_t named = c->head;

	if (c->bad_head)
		named = (uint16_t)(d->ring->size + or_below(r, 5));
	d->ring->avail->ring[d->avail % d->ring->size] = htole16(named);
	d->ring->avail->idx = htole16(++d->avail);
	d->n++;
}

bool or_driver_publish(struct or_rng *r, struct or_ring *d, struct or_chain *c, uint32_t direct,
		       bool write)
{
	const bool nowhere = is_nowhere(&c->buf[c->n_bufs - 1]);
	const uint32_t n = direct < c->n_bufs ? direct + 1 : direct - nowhere;
	struct vring_desc last = {0};
	uint32_t i;

	if (n > d->n_free)
		return false;
	if (direct < c->n_bufs) {
		last = write_indirect(r, d, c, direct, write);
		if (last.len == 0)
			return false;
	}
	for (i = 0; i < n; i++)
		c->own[c->n_own++] = d->free[--d->n_free];
	for (i = 0; i < n; i++) {
		struct vring_desc desc = last;

		if (i < direct)
			desc = describe(r, d, &c->buf[i], write);
		if (i + 1 < n)
			link_to(r, &desc, &(struct or_buf){0}, c->own[i + 1], 0, 0);
		else if (i < direct && direct == c->n_bufs && nowhere)
			link_to(r, &desc, &c->buf[c->n_bufs - 1], 0, c->own[0], d->ring->size);
		store(&d->ring->desc[c->own[i]], &desc);
	}
	c->head = c->own[0];
	make_available(r, d, c);
	return true;
}

void or_driver_jump(struct or_ring *d)
{
	d->ring->avail->idx = htole16((uint16_t)(d->avail + d->ring->size + 1));
	d->jumped = true;
}
