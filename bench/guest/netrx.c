/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-net from the driver's side, direction to the guest.
 *
 * All receive chains have the same shape and keep their descriptors for life; a frame that was
 * read costs one entry of the available ring. Behind each descriptor's buffer lies a gap filled
 * with a known byte: a back end that writes too far is found by vsg_net_check_canaries().
 */
#include "bench/guest/guest.h"

#include <errno.h>
#include <string.h>

#include "bench/guest/layout.h"
#include "bench/guest/ringops.h"

static struct vsg_pair *pair_of(struct vsg_guest *guest, uint32_t pair)
{
	return guest->built && pair < guest->cfg.queue_pairs ? &guest->pair[pair] : NULL;
}

/**
 * vsg_net_fill() - build and post all receive chains of a pair
 * @guest: guest that is built; vsg_guest_build() calls this
 * @pair: queue pair
 *
 * Return: 0 or -errno.
 */
int vsg_net_fill(struct vsg_guest *guest, uint32_t pair)
{
	struct vsg_pair *p = &guest->pair[pair];
	struct vsg_seg seg[VSG_MAX_SHAPE];
	struct vsg_slot *slot;
	uint32_t c, i;
	int head;

	for (c = 0; c < guest->n_rx; c++) {
		slot = &p->rx_slot[c];
		memset(slot->ptr, VSG_CANARY, guest->rx_stride);
		for (i = 0; i < guest->n_rx_seg; i++) {
			seg[i].gpa = slot->gpa + guest->rx_off[i];
			seg[i].len = guest->rx_seg[i];
			seg[i].flags = VRING_DESC_F_WRITE;
		}
		if (slot->table)
			head = vsg_ring_add_indirect(&p->rx, seg, guest->n_rx_seg, slot->table,
						     slot->table_gpa, c);
		else
			head = vsg_ring_add(&p->rx, seg, guest->n_rx_seg, c);
		if (head < 0)
			return head;
		ring_post(&p->rx, (uint16_t)head);
	}
	ring_publish(&p->rx);
	return 0;
}

/**
 * vsg_net_check_canaries() - has the back end written past a receive buffer?
 * @guest: guest
 * @pair: queue pair
 *
 * Return: number of gaps that were written to, or -EINVAL.
 */
int vsg_net_check_canaries(const struct vsg_guest *guest, uint32_t pair)
{
	uint32_t c, i, k, end, next;
	const struct vsg_slot *slot;
	int bad = 0;

	if (!guest->built || pair >= guest->cfg.queue_pairs)
		return -EINVAL;
	for (c = 0; c < guest->n_rx; c++) {
		slot = &guest->pair[pair].rx_slot[c];
		for (i = 0; i < guest->n_rx_seg; i++) {
			end = guest->rx_off[i] + guest->rx_seg[i];
			next = i + 1 < guest->n_rx_seg ? guest->rx_off[i + 1] : guest->rx_stride;
			for (k = end; k < next && slot->ptr[k] == VSG_CANARY; k++)
				;
			bad += k < next;
		}
	}
	return bad;
}

/* Copy bytes @from..@from+@n of what the back end wrote into a chain; they lie within it. */
static void gather(const struct vsg_guest *guest, const struct vsg_slot *slot, uint32_t from,
		   uint32_t n, uint8_t *dst)
{
	uint32_t i, k;

	for (i = 0; i < guest->n_rx_seg && n > 0; i++) {
		if (from >= guest->rx_seg[i]) {
			from -= guest->rx_seg[i];
			continue;
		}
		k = guest->rx_seg[i] - from < n ? guest->rx_seg[i] - from : n;
		memcpy(dst, slot->ptr + guest->rx_off[i] + from, k);
		dst += k;
		n -= k;
		from = 0;
	}
}

static uint32_t capacity(const struct vsg_guest *guest)
{
	uint32_t i, sum = 0;

	for (i = 0; i < guest->n_rx_seg; i++)
		sum += guest->rx_seg[i];
	return sum;
}

/* Look at a returned receive chain and judge its length. */
static int peek(struct vsg_guest *guest, struct vsg_pair *p, uint32_t ahead, struct vsg_used *u)
{
	int err = ring_peek(&p->rx, ahead, u);

	if (!err && u->len > capacity(guest))
		err = -EPROTO;
	return err;
}

/* The header of the frame that begins at the oldest chain, and how many chains it takes. */
static int read_head(struct vsg_guest *guest, struct vsg_pair *p, struct virtio_net_hdr_v1 *hdr,
		     uint32_t *ret_n)
{
	struct vsg_used u;
	int err;

	err = peek(guest, p, 0, &u);
	if (err)
		return err;
	if (u.len < guest->hdr_len)
		return -EPROTO;
	memset(hdr, 0, sizeof(*hdr));
	gather(guest, &p->rx_slot[u.cookie], 0, guest->hdr_len, (uint8_t *)hdr);
	*ret_n = 1;
	if (guest->features & (1ull << VIRTIO_NET_F_MRG_RXBUF))
		*ret_n = hdr->num_buffers;
	return *ret_n == 0 || *ret_n > guest->n_rx ? -EPROTO : 0;
}

/**
 * vsg_net_recv() - receive one frame into memory of the caller
 * @guest: guest
 * @pair: queue pair
 * @buf: room for the frame
 * @cap: its size
 * @timeout_ms: time limit
 *
 * The virtio header is left in the pair's last_hdr. The buffers go straight back to the ring.
 *
 * Return: length of the frame, -ETIMEDOUT, -ENOTCONN, -EMSGSIZE for a frame that does not fit (it
 * is consumed), -EPROTO when the back end broke the ring, or -errno.
 */
int vsg_net_recv(struct vsg_guest *guest, uint32_t pair, void *buf, uint32_t cap, int timeout_ms)
{
	struct vsg_pair *p = pair_of(guest, pair);
	uint32_t i, n, skip, total = 0;
	struct virtio_net_hdr_v1 hdr;
	struct vsg_used u;
	int err;

	if (!p || p->n_held > 0)
		return -EINVAL;
	err = vsg_ring_wait(&p->rx, 1, guest->chan.fd, timeout_ms);
	if (!err)
		err = read_head(guest, p, &hdr, &n);
	if (!err && n > 1)
		err = vsg_ring_wait(&p->rx, n, guest->chan.fd, timeout_ms);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		err = peek(guest, p, i, &u);
		if (err)
			return err;
		skip = i == 0 ? guest->hdr_len : 0;
		if (total + (u.len - skip) <= cap)
			gather(guest, &p->rx_slot[u.cookie], skip, u.len - skip,
			       (uint8_t *)buf + total);
		total += u.len - skip;
		p->held[i] = u.head;
	}
	for (i = 0; i < n; i++)
		ring_take(&p->rx, p->held[i]);
	p->n_held = n;
	p->rx_frames++;
	p->rx_bufs += n;
	p->last_hdr = hdr;
	vsg_net_rx_release(guest, pair);
	return total > cap ? -EMSGSIZE : (int)total;
}

/* Where the frame's first bytes lie in a chain: behind the header, in the same descriptor or the
 * next one.
 */
static void locate(const struct vsg_guest *guest, const struct vsg_slot *slot, uint32_t used,
		   struct vsg_view *view)
{
	uint32_t i, at = guest->hdr_len;

	for (i = 0; i + 1 < guest->n_rx_seg && at >= guest->rx_seg[i]; i++)
		at -= guest->rx_seg[i];
	view->data = slot->ptr + guest->rx_off[i] + at;
	view->first = guest->rx_seg[i] - at;
	if (view->first > used - guest->hdr_len)
		view->first = used - guest->hdr_len;
}

/**
 * vsg_net_rx_burst() - look at received frames in place
 * @guest: guest
 * @pair: queue pair
 * @view: room for @max frames
 * @max: most to take
 *
 * Does not wait. The buffers stay with the caller until vsg_net_rx_release().
 *
 * Return: number of frames or -errno.
 */
int vsg_net_rx_burst(struct vsg_guest *guest, uint32_t pair, struct vsg_view *view, uint32_t max)
{
	struct vsg_pair *p = pair_of(guest, pair);
	struct virtio_net_hdr_v1 hdr;
	uint32_t f, i, n, pending;
	struct vsg_used u;
	int err;

	if (!p)
		return -EINVAL;
	pending = ring_pending(&p->rx);
	if (pending > guest->n_rx - p->n_held)
		return -EPROTO;
	for (f = 0; f < max && pending > 0; f++, pending -= n) {
		err = read_head(guest, p, &hdr, &n);
		if (err)
			return err;
		if (n > pending)
			break;
		view[f].len = 0;
		view[f].n_bufs = (uint16_t)n;
		for (i = 0; i < n; i++) {
			err = peek(guest, p, 0, &u);
			if (err)
				return err;
			if (i == 0)
				locate(guest, &p->rx_slot[u.cookie], u.len, &view[f]);
			view[f].len += u.len;
			ring_take(&p->rx, u.head);
			p->held[p->n_held++] = u.head;
		}
		view[f].len -= guest->hdr_len;
		p->rx_bufs += n;
	}
	p->rx_frames += f;
	return (int)f;
}

/**
 * vsg_net_rx_release() - give the buffers of the frames looked at back to the ring
 * @guest: guest
 * @pair: queue pair
 */
void vsg_net_rx_release(struct vsg_guest *guest, uint32_t pair)
{
	struct vsg_pair *p = pair_of(guest, pair);
	uint32_t i;

	if (!p || p->n_held == 0)
		return;
	for (i = 0; i < p->n_held; i++)
		ring_post(&p->rx, p->held[i]);
	p->n_held = 0;
	ring_publish(&p->rx);
	vsg_ring_kick(&p->rx);
}

/**
 * vsg_net_rx_drain() - count received buffers and post them again, unread
 * @guest: guest
 * @pair: queue pair
 * @max: most to take
 * @ret_bytes: their used lengths are added to this, headers included
 *
 * Return: number of buffers (equal to frames where each fits in one), or -errno.
 */
int vsg_net_rx_drain(struct vsg_guest *guest, uint32_t pair, uint32_t max, uint64_t *ret_bytes)
{
	struct vsg_pair *p = pair_of(guest, pair);
	uint32_t i, n;
	struct vsg_used u;
	int err;

	if (!p || p->n_held > 0)
		return -EINVAL;
	n = ring_pending(&p->rx);
	if (n > guest->n_rx)
		return -EPROTO;
	n = n < max ? n : max;
	for (i = 0; i < n; i++) {
		err = ring_peek(&p->rx, 0, &u);
		if (err)
			return err;
		*ret_bytes += u.len;
		ring_take(&p->rx, u.head);
		ring_post(&p->rx, u.head);
	}
	p->rx_bufs += n;
	if (n > 0) {
		ring_publish(&p->rx);
		err = vsg_ring_kick(&p->rx);
		if (err < 0)
			return err;
	}
	return (int)n;
}
