/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To the guests.
 *
 * A burst takes up to GEN_BURST frames. The first pass reads the used ring and fetches the buffers,
 * the second one looks at the frames, then all chains go back to the ring, with their descriptors
 * written anew unless nothing is to be touched.
 */
#include "bench/gen/gen.h"

#include <errno.h>
#include <string.h>

#include "bench/gen/stamp.h"
#include "bench/guest/ringops.h"

struct buf {
	uint8_t *ptr;
	uint32_t len;
	uint16_t head;
};

/* Visit the bytes of one buffer, from its descriptors in order; @skip is the virtio header. */
static uint64_t visit(const struct gen *g, const struct gen_lane *l, const struct buf *b,
		      uint32_t skip, uint8_t *copy)
{
	const struct vsg_guest *guest = l->guest;
	uint32_t i, n, at, left = b->len;
	uint64_t sum = 0;

	for (i = 0; i < guest->n_rx_seg && left > 0; i++) {
		n = guest->rx_seg[i] < left ? guest->rx_seg[i] : left;
		left -= n;
		at = skip < n ? skip : n;
		skip -= at;
		if (copy)
			memcpy(copy, b->ptr + guest->rx_off[i] + at, n - at);
		else
			sum += gen_read_all(b->ptr + guest->rx_off[i] + at, n - at);
		copy = copy ? copy + (n - at) : NULL;
	}
	return sum;
}

/* Compare a frame with what was sent, byte by byte. */
static void check(struct gen *g, const struct gen_lane *l, const struct gen_flow *f,
		  const struct buf *b, uint32_t n_bufs, uint32_t len)
{
	static uint8_t frame[GEN_MAX_TSO];
	uint32_t i, at = 0;

	g->check_left = g->opt.check;
	if (len > sizeof(frame)) {
		g->bad++;
		return;
	}
	for (i = 0; i < n_bufs; i++) {
		visit(g, l, &b[i], i ? 0 : g->hdr_len, frame + at);
		at += b[i].len - (i ? 0 : g->hdr_len);
	}
	if (g->opt.size_kind == GEN_SIZE_STREAM)
		g->bad += !gen_stream_is_good(g, f, b->ptr, frame, len);
	else if (g->opt.size_kind == GEN_SIZE_TSO && !gen_frame_owes(g, b->ptr))
		g->bad++;
	else
		g->bad += !gen_frame_is_good(g, f, frame, len);
}

static void touch(struct gen *g, const struct gen_lane *l, const struct buf *b, uint32_t n_bufs,
		  uint32_t len)
{
	uint32_t i;

	if (n_bufs == 1 && len + (l->rx_data - l->guest->rx_off[l->guest->n_rx_seg - 1]) <=
				   l->guest->rx_seg[l->guest->n_rx_seg - 1]) {
		if (len > g->head_len)
			g->sink +=
				gen_read_all(b->ptr + l->rx_data + g->head_len, len - g->head_len);
		return;
	}
	for (i = 0; i < n_bufs; i++)
		g->sink += visit(g, l, &b[i], i ? 0 : g->hdr_len, NULL);
}

static inline void account(struct gen *g, const struct gen_lane *l, const struct buf *b,
			   uint32_t n_bufs, uint32_t len, uint64_t now)
{
	struct gen_flow *f;

	if (len < GEN_MIN_FRAME || b->len < g->hdr_len + GEN_MIN_FRAME) {
		g->strays++;
		return;
	}
	f = gen_frame_note(g, l->number, b->ptr + l->rx_data, len, now);
	if (!f)
		return;
	if (g->opt.size_kind == GEN_SIZE_STREAM)
		gen_stream_note(g, l, f, b->ptr, len);
	if (g->opt.touch == GEN_TOUCH_ALL)
		touch(g, l, b, n_bufs, len);
	if (g->check_left > 0 && --g->check_left == 0)
		check(g, l, f, b, n_bufs, len);
}

/* A frame of which nothing is read. */
static inline void account_unread(struct gen *g, const struct gen_lane *l, uint32_t len)
{
	l->only->rx_next++;
	l->only->received++;
	g->received[l->number]++;
	g->bytes += len;
}

/* First pass: up to @max returned chains, not taken yet. */
static int gather(struct gen_lane *l, struct buf *b, uint32_t max, bool fetch)
{
	struct vsg_pair *p = l->pair;
	uint32_t i, n = ring_pending(&p->rx);
	struct vsg_used u;
	int err;

	if (n > l->guest->n_rx)
		return -EPROTO;
	n = n < max ? n : max;
	for (i = 0; i < n; i++) {
		err = ring_peek(&p->rx, i, &u);
		if (err)
			return err;
		b[i] = (struct buf){p->rx_slot[u.cookie].ptr, u.len, u.head};
		if (fetch) {
			__builtin_prefetch(b[i].ptr);
			__builtin_prefetch(b[i].ptr + 64);
		}
	}
	return (int)n;
}

/* Buffers of the frame that begins at @b; 0 while they are not all there. */
static inline int bufs_of(const struct gen *g, const struct buf *b, uint32_t left)
{
	uint16_t n;

	if (!g->mergeable)
		return 1;
	memcpy(&n, b->ptr + offsetof(struct virtio_net_hdr_v1, num_buffers), sizeof(n));
	if (n == 0 || n > GEN_MAX_BUFS)
		return -EPROTO;
	return n <= left ? n : 0;
}

static inline uint32_t length_of(const struct gen *g, const struct buf *b, uint32_t n)
{
	uint32_t i, len = b->len - g->hdr_len;

	for (i = 1; i < n; i++)
		len += b[i].len;
	return len;
}

static void give_back(struct gen *g, struct gen_lane *l, const struct buf *b, uint32_t n)
{
	bool write = g->opt.touch != GEN_TOUCH_NONE && l->guest->n_rx_seg == 1;
	struct vsg_ring *ring = &l->pair->rx;
	struct vring_desc *d;
	uint32_t i;

	for (i = 0; i < n; i++) {
		ring_take(ring, b[i].head);
		if (write) {
			d = &ring->desc[b[i].head];
			__atomic_store_n(&d->addr, d->addr, __ATOMIC_RELAXED);
			__atomic_store_n(&d->len, d->len, __ATOMIC_RELAXED);
		}
		ring_post(ring, b[i].head);
	}
	l->pair->rx_bufs += n;
	ring_publish(ring);
}

/**
 * gen_rx_poll() - receive one burst
 * @g: generator
 * @l: lane
 * @now: time of arrival
 *
 * Return: frames or -errno.
 */
int gen_rx_poll(struct gen *g, struct gen_lane *l, uint64_t now)
{
	bool unread = g->opt.touch == GEN_TOUCH_NONE && l->only;
	uint32_t at = 0, frames = 0, len;
	struct buf b[GEN_MAX_BUFS];
	int k = 1, n, err;

	n = gather(l, b, g->rx_max, !unread);
	if (n <= 0)
		return n;
	for (; at < (uint32_t)n && frames < GEN_BURST; at += (uint32_t)k, frames++) {
		k = bufs_of(g, &b[at], (uint32_t)n - at);
		if (k < 0 || b[at].len < g->hdr_len)
			return -EPROTO;
		if (k == 0)
			break;
		len = length_of(g, &b[at], (uint32_t)k);
		if (unread)
			account_unread(g, l, len);
		else
			account(g, l, &b[at], (uint32_t)k, len, now);
	}
	l->pair->rx_frames += frames;
	give_back(g, l, b, at);
	err = vsg_ring_kick(&l->pair->rx);
	return err < 0 ? err : (int)frames;
}

/**
 * gen_rx_null_fill() - put the frames that a null back end will not copy into the buffers
 * @g: generator
 */
void gen_rx_null_fill(struct gen *g)
{
	struct virtio_net_hdr_v1 hdr = {.num_buffers = (uint16_t)gen_frame_bufs(g)};
	uint32_t i, k, last, room, len = g->size[g->n_sizes - 1];
	struct gen_lane *to;
	struct gen_flow *f;
	uint8_t *ptr;

	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		to = &g->lane[f->dst * g->opt.pairs +
			      (uint32_t)(f->lane->pair - f->lane->guest->pair)];
		gen_frame_heads(g, f);
		/* What does not fit belongs into further buffers, whose bytes nobody checks. */
		last = to->guest->n_rx_seg - 1;
		room = to->guest->rx_off[last] + to->guest->rx_seg[last] - to->rx_data;
		for (k = 0; k < to->guest->n_rx; k++) {
			ptr = to->pair->rx_slot[k].ptr;
			memcpy(ptr, &hdr, sizeof(hdr));
			memcpy(ptr + to->rx_data, g->pattern, len < room ? len : room);
			memcpy(ptr + to->rx_data, f->head[0], g->head_len);
		}
	}
}
