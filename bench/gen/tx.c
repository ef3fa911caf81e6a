/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the guests.
 *
 * Every chain is built once and has its buffer for life; free heads lie on a stack, the pair's
 * stock. Unless nothing is to be touched, descriptors are written again for every frame, as a
 * driver does that gets its buffers from elsewhere: the switch then finds them in our cache.
 * Returned chains are taken back only when the stock runs low, so that the used ring is read
 * in long runs.
 */
#include "bench/gen/gen.h"

#include <errno.h>
#include <string.h>

#include "bench/gen/stamp.h"
#include "bench/guest/ringops.h"

#define AHEAD 4u /* frames whose buffer is fetched beforehand */

static inline void put_plain(struct gen_lane *l, const struct vsg_slot *slot, uint16_t head,
			     uint32_t hdr_len, uint32_t len)
{
	l->pair->tx.desc[head] = (struct vring_desc){.addr = slot->gpa, .len = hdr_len + len};
}

static void put_apart(struct gen_lane *l, const struct vsg_slot *slot, uint16_t head,
		      uint32_t hdr_len, uint32_t len)
{
	struct vring_desc *desc = l->pair->tx.desc;
	uint16_t next = l->pair->tx.next[head];

	/* The private free list still links the two in the order they were taken. */
	desc[head] = (struct vring_desc){slot->gpa, hdr_len, VRING_DESC_F_NEXT, next};
	desc[next] = (struct vring_desc){.addr = slot->gpa + hdr_len, .len = len};
}

static void put_indirect(struct gen_lane *l, const struct vsg_slot *slot, uint16_t head,
			 uint32_t hdr_len, uint32_t len)
{
	slot->table[0] = (struct vring_desc){slot->gpa, hdr_len, VRING_DESC_F_NEXT, 1};
	slot->table[1] = (struct vring_desc){.addr = slot->gpa + hdr_len, .len = len};
	l->pair->tx.desc[head] = (struct vring_desc){
		.addr = slot->table_gpa,
		.len = 2 * sizeof(struct vring_desc),
		.flags = VRING_DESC_F_INDIRECT,
	};
}

/* Bytes of descriptor number @i of a frame in pieces: headers first, then pages. */
static uint32_t piece(const struct gen *g, const struct gen_lane *l, uint32_t i)
{
	if (i == 0)
		return l->apart ? g->hdr_len : g->hdr_len + g->stamp_at;
	return i == 1 && l->apart ? g->stamp_at : GEN_PIECE;
}

static void put_pieces(const struct gen *g, struct gen_lane *l, const struct vsg_slot *slot,
		       uint16_t head, uint32_t end)
{
	struct vring_desc *d, *desc = l->pair->tx.desc;
	uint32_t at = 0, i, n;
	uint16_t id = head;

	for (i = 0; at < end; i++, at += n) {
		n = piece(g, l, i);
		n = n < end - at ? n : end - at;
		d = l->indirect ? &slot->table[i] : &desc[id];
		/*
		 * The list of free ones ends somewhere; a frame with a table takes the head only.
		 */
		if (!l->indirect)
			id = l->pair->tx.next[id];
		*d = (struct vring_desc){.addr = slot->gpa + at, .len = n};
		if (at + n == end)
			continue;
		d->flags = VRING_DESC_F_NEXT;
		d->next = l->indirect ? (uint16_t)(i + 1) : id;
	}
	if (l->indirect)
		desc[head] = (struct vring_desc){
			.addr = slot->table_gpa,
			.len = i * (uint32_t)sizeof(struct vring_desc),
			.flags = VRING_DESC_F_INDIRECT,
		};
}

/* Descriptors of the ring that each frame takes. */
static uint32_t cost(const struct gen *g, const struct gen_lane *l)
{
	uint32_t n = 0, at = 0;

	if (l->shape == GEN_SHAPE_APART)
		return 2;
	if (l->shape != GEN_SHAPE_PIECES || l->indirect)
		return 1;
	while (at < g->hdr_len + g->size[0])
		at += piece(g, l, n++);
	return n;
}

static inline void put_desc(const struct gen *g, struct gen_lane *l, const struct vsg_slot *slot,
			    uint16_t head, uint32_t len)
{
	uint32_t hdr_len = g->hdr_len;

	switch (l->shape) {
	case GEN_SHAPE_PLAIN:
		put_plain(l, slot, head, hdr_len, len);
		return;
	case GEN_SHAPE_APART:
		put_apart(l, slot, head, hdr_len, len);
		return;
	case GEN_SHAPE_INDIRECT:
		put_indirect(l, slot, head, hdr_len, len);
		return;
	case GEN_SHAPE_PIECES:
		put_pieces(g, l, slot, head, hdr_len + len);
		return;
	}
}

/* Write one frame with its descriptors. */
static inline void put_frame(struct gen *g, struct gen_flow *f, uint16_t head, uint64_t now)
{
	const struct vsg_slot *slot = &f->lane->pair->tx_slot[head];
	uint32_t len;

	/* The header may be shorter: the frame then overwrites what is too much. */
	memcpy(slot->ptr, &g->vhdr, sizeof(g->vhdr));
	len = gen_frame_write(g, f, slot->ptr + g->hdr_len, now);
	put_desc(g, f->lane, slot, head, len);
}

static int init_lane(struct gen *g, struct gen_lane *l)
{
	struct vsg_seg seg[GEN_MAX_DESCS] = {{.len = 0}};
	uint32_t need = cost(g, l);
	struct vsg_pair *p = l->pair;
	const struct vsg_slot *slot;
	int head;

	while (p->tx.n_free >= need) {
		head = vsg_ring_add(&p->tx, seg, need, 0);
		if (head < 0)
			return head;
		slot = &p->tx_slot[head];
		memset(slot->ptr, 0, g->hdr_len);
		memcpy(slot->ptr + g->hdr_len, g->pattern, g->size[g->n_sizes - 1]);
		p->stock[p->n_stock++] = (uint16_t)head;
	}
	return 0;
}

/**
 * gen_tx_init() - build all transmit chains
 * @g: generator whose guests are up and idle
 *
 * Return: 0 or -errno.
 */
int gen_tx_init(struct gen *g)
{
	uint32_t i;
	int err;

	for (i = 0; i < g->n_lanes; i++) {
		if (g->lane[i].quiet || !g->lane[i].guest)
			continue;
		err = init_lane(g, &g->lane[i]);
		if (err)
			return err;
	}
	return 0;
}

/**
 * gen_tx_reap() - take transmitted chains back into the stock
 * @l: lane
 *
 * Return: 0 or -EPROTO when the back end broke the ring.
 */
int gen_tx_reap(struct gen_lane *l)
{
	struct vsg_pair *p = l->pair;
	uint32_t i, n = ring_pending(&p->tx);
	struct vsg_used u;
	int err;

	for (i = 0; i < n; i++) {
		err = ring_peek(&p->tx, 0, &u);
		if (err)
			return err;
		ring_take(&p->tx, u.head);
		p->stock[p->n_stock++] = u.head;
	}
	return 0;
}

/**
 * gen_tx_prefill() - write all frames of a trial that touches none later
 * @g: generator; chains that are still under way keep what they have
 *
 * Return: 0 or -errno.
 */
int gen_tx_prefill(struct gen *g)
{
	struct vsg_pair *p;
	struct gen_flow *f;
	uint32_t i, k;
	int err;

	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		p = f->lane->pair;
		err = gen_tx_reap(f->lane);
		if (err)
			return err;
		for (k = 0; k < p->n_stock; k++)
			put_frame(g, f, p->stock[k], 0);
		f->tx_seq = 0;
	}
	return 0;
}

/**
 * gen_tx_send() - send frames of a flow, one kick for all
 * @g: generator
 * @f: flow
 * @n: most to send
 * @now: time for the stamps
 *
 * Return: number sent, fewer when the ring is full, or -errno.
 */
int gen_tx_send(struct gen *g, struct gen_flow *f, uint32_t n, uint64_t now)
{
	bool write = g->opt.touch != GEN_TOUCH_NONE || g->trial == GEN_LEARN_TRIAL;
	struct vsg_pair *p = f->lane->pair;
	uint16_t *top;
	uint32_t i;
	int err;

	if (p->n_stock < n) {
		err = gen_tx_reap(f->lane);
		if (err)
			return err;
	}
	n = n < p->n_stock ? n : p->n_stock;
	if (n == 0)
		return 0;
	top = p->stock + p->n_stock - 1;
	for (i = 0; write && i < AHEAD && i < n; i++)
		__builtin_prefetch(p->tx_slot[*(top - i)].ptr, 1);
	for (i = 0; write && i < n; i++, top--) {
		if (i + AHEAD < n)
			__builtin_prefetch(p->tx_slot[*(top - AHEAD)].ptr, 1);
		put_frame(g, f, *top, now);
		ring_post(&p->tx, *top);
	}
	for (i = write ? n : 0; i < n; i++, top--)
		ring_post(&p->tx, *top);
	if (!write)
		f->tx_seq += n;
	p->n_stock -= n;
	p->tx_frames += n;
	f->sent += n;
	ring_publish(&p->tx);
	err = vsg_ring_kick(&p->tx);
	return err < 0 ? err : (int)n;
}

static bool is_down(const struct gen_lane *l)
{
	return !vsg_chan_is_alive(&l->guest->chan);
}

const struct gen_lane_ops gen_guest_ops = {
	.send = gen_tx_send,
	.poll = gen_rx_poll,
	.is_down = is_down,
};
