/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-net from the driver's side, direction from the guest.
 *
 * Each descriptor of the transmit ring has a buffer of its own, found by the head of a chain, so
 * that no allocation happens per frame. Descriptors of a split frame get gaps between them where
 * there is room: a back end that reads on past the end of a descriptor then meets foreign bytes.
 */
#include "bench/guest/guest.h"

#include <errno.h>
#include <string.h>

#include "bench/guest/ringops.h"

#define SPLIT_GAP 32u

static struct vsg_pair *pair_of(struct vsg_guest *guest, uint32_t pair)
{
	return guest->built && pair < guest->cfg.queue_pairs ? &guest->pair[pair] : NULL;
}

/* Copy @n bytes of the stream "virtio header, then frame", beginning at @from. */
static void copy_stream(uint8_t *dst, const void *hdr, uint32_t hdr_len, const void *frame,
			uint32_t from, uint32_t n)
{
	uint32_t k;

	if (from < hdr_len && n > 0) {
		k = hdr_len - from < n ? hdr_len - from : n;
		memcpy(dst, (const uint8_t *)hdr + from, k);
		dst += k;
		from += k;
		n -= k;
	}
	if (n > 0)
		memcpy(dst, (const uint8_t *)frame + (from - hdr_len), n);
}

/*
 * Turn the wanted split of a stream of @total bytes into lengths: what exceeds the stream is cut
 * off, what is left over becomes a last descriptor. Zeros are kept.
 *
 * Return: number of lengths, or -E2BIG.
 */
static int split_lengths(const struct vsg_guest *guest, uint32_t total, const uint32_t *split,
			 uint32_t n_split, struct vsg_seg *seg)
{
	uint32_t i, len, n = 0, left = total;

	for (i = 0; i < n_split; i++) {
		len = split[i] == VSG_LEN_HDR ? guest->hdr_len : split[i];
		if (len > 0 && left == 0)
			break;
		if (n == VSG_MAX_SEGS)
			return -E2BIG;
		seg[n].len = len < left ? len : left;
		left -= seg[n++].len;
	}
	if (left > 0 || n == 0) {
		if (n == VSG_MAX_SEGS)
			return -E2BIG;
		seg[n++].len = left;
	}
	return (int)n;
}

/**
 * vsg_net_reap() - take transmitted chains back
 * @guest: guest
 * @pair: queue pair
 *
 * Return: their number or -errno.
 */
int vsg_net_reap(struct vsg_guest *guest, uint32_t pair)
{
	struct vsg_pair *p = pair_of(guest, pair);

	if (!p)
		return -EINVAL;
	return vsg_ring_harvest(&p->tx, NULL, p->tx.size);
}

/* Place the segments of a chain in the buffer of its head and fill them. */
static void place(const struct vsg_slot *slot, struct vsg_seg *seg, uint32_t n, uint32_t gap,
		  const void *hdr, uint32_t hdr_len, const void *frame)
{
	uint32_t i, at = 0, from = 0;

	for (i = 0; i < n; i++) {
		copy_stream(slot->ptr + at, hdr, hdr_len, frame, from, seg[i].len);
		seg[i].gpa = slot->gpa + at;
		seg[i].flags = 0;
		from += seg[i].len;
		at += seg[i].len + gap;
	}
}

/**
 * vsg_net_send() - send one frame
 * @guest: started guest
 * @pair: queue pair
 * @hdr: virtio header, 12 bytes of which the negotiated 10 or 12 are sent; NULL for zeros
 * @frame: Ethernet frame without FCS, any length
 * @len: its bytes
 * @split: lengths of the descriptors over header and frame together, VSG_LEN_HDR for the header;
 *         NULL for the way of the profile. Bytes beyond the sum go into a last descriptor.
 * @n_split: number of lengths
 * @flags: VSG_SEND_*
 *
 * Return: 0, -EAGAIN while the ring is full, -EMSGSIZE if it exceeds tx_buf_len, -E2BIG for more
 * descriptors than the indirect table or the ring holds, or -errno.
 */
int vsg_net_send(struct vsg_guest *guest, uint32_t pair, const struct virtio_net_hdr_v1 *hdr,
		 const void *frame, uint32_t len, const uint32_t *split, uint32_t n_split,
		 uint32_t flags)
{
	static const uint32_t apart[1] = {VSG_LEN_HDR};
	static const struct virtio_net_hdr_v1 no_hdr;
	bool indirect = (guest->cfg.flags & VSG_F_TX_INDIRECT) != 0;
	struct vsg_pair *p = pair_of(guest, pair);
	uint64_t total = (uint64_t)guest->hdr_len + len;
	struct vsg_seg seg[VSG_MAX_SEGS];
	const struct vsg_slot *slot;
	uint32_t gap = SPLIT_GAP;
	int err, head, n;

	if (!p)
		return -EINVAL;
	if (total > guest->cfg.tx_buf_len)
		return -EMSGSIZE;
	if (!split && guest->cfg.flags & VSG_F_TX_HDR_APART) {
		split = apart;
		n_split = 1;
	}
	n = split_lengths(guest, (uint32_t)total, split, split ? n_split : 0, seg);
	if (n < 0)
		return n;
	if (flags & (VSG_SEND_INDIRECT | VSG_SEND_DIRECT))
		indirect = (flags & VSG_SEND_INDIRECT) != 0;
	if ((uint32_t)n > (indirect ? guest->cfg.indirect_max : p->tx.size))
		return -E2BIG;
	err = vsg_ring_harvest(&p->tx, NULL, p->tx.size);
	if (err < 0)
		return err;
	if (p->tx.n_free < (indirect ? 1 : n)) {
		/* What was held back by VSG_SEND_NO_KICK must not block the ring for ever. */
		ring_publish(&p->tx);
		err = vsg_ring_kick(&p->tx);
		return err < 0 ? err : -EAGAIN;
	}
	slot = &p->tx_slot[p->tx.free_head];
	if (total + (uint64_t)n * gap > guest->cfg.tx_buf_len)
		gap = 0;
	place(slot, seg, (uint32_t)n, gap, hdr ? hdr : &no_hdr, guest->hdr_len, frame);
	if (indirect)
		head = vsg_ring_add_indirect(&p->tx, seg, (uint32_t)n, slot->table, slot->table_gpa,
					     0);
	else
		head = vsg_ring_add(&p->tx, seg, (uint32_t)n, 0);
	if (head < 0)
		return head;
	ring_post(&p->tx, (uint16_t)head);
	p->tx_frames++;
	if (flags & VSG_SEND_NO_KICK)
		return 0;
	ring_publish(&p->tx);
	err = vsg_ring_kick(&p->tx);
	return err < 0 ? err : 0;
}

/**
 * vsg_net_flush() - publish what is posted and wait until the back end has returned all of it
 * @guest: guest
 * @pair: queue pair
 * @timeout_ms: time limit
 *
 * Return: 0, -ETIMEDOUT, -ENOTCONN or -errno.
 */
int vsg_net_flush(struct vsg_guest *guest, uint32_t pair, int timeout_ms)
{
	struct vsg_pair *p = pair_of(guest, pair);
	uint32_t left;
	int err;

	if (!p)
		return -EINVAL;
	ring_publish(&p->tx);
	err = vsg_ring_kick(&p->tx);
	if (err < 0)
		return err;
	left = (uint16_t)(p->tx.published - p->tx.last_used);
	if (left > 0)
		err = vsg_ring_wait(&p->tx, left, guest->chan.fd, timeout_ms);
	if (err < 0)
		return err;
	err = vsg_ring_harvest(&p->tx, NULL, p->tx.size);
	return err < 0 ? err : 0;
}

/* Build a chain of one direct descriptor with a zero header and a frame. */
static int build_plain(struct vsg_guest *guest, struct vsg_pair *p, const struct iovec *frame)
{
	const struct vsg_slot *slot = &p->tx_slot[p->tx.free_head];
	struct vsg_seg seg;

	if (frame->iov_len > guest->cfg.tx_buf_len - guest->hdr_len)
		return -EMSGSIZE;
	memset(slot->ptr, 0, guest->hdr_len);
	memcpy(slot->ptr + guest->hdr_len, frame->iov_base, frame->iov_len);
	seg.gpa = slot->gpa;
	seg.len = guest->hdr_len + (uint32_t)frame->iov_len;
	seg.flags = 0;
	return vsg_ring_add(&p->tx, &seg, 1, 0);
}

/**
 * vsg_net_tx_burst() - send frames, one descriptor each, one kick for all
 * @guest: guest
 * @pair: queue pair
 * @frame: frames
 * @n: their number
 *
 * Return: number taken, fewer when the ring is full, or -errno.
 */
int vsg_net_tx_burst(struct vsg_guest *guest, uint32_t pair, const struct iovec *frame, uint32_t n)
{
	struct vsg_pair *p = pair_of(guest, pair);
	uint32_t i;
	int err;

	if (!p)
		return -EINVAL;
	err = vsg_ring_harvest(&p->tx, NULL, p->tx.size);
	if (err < 0)
		return err;
	for (i = 0; i < n && p->tx.n_free > 0; i++) {
		err = build_plain(guest, p, &frame[i]);
		if (err < 0)
			break;
		ring_post(&p->tx, (uint16_t)err);
	}
	p->tx_frames += i;
	ring_publish(&p->tx);
	if (i == 0)
		return err < 0 ? err : 0;
	err = vsg_ring_kick(&p->tx);
	return err < 0 ? err : (int)i;
}

/**
 * vsg_net_tx_prefill() - write the whole transmit ring once, for vsg_net_tx_repost()
 * @guest: guest with an idle transmit ring
 * @pair: queue pair
 * @frame: frames, repeated in turn over the ring
 * @n: their number
 *
 * Return: 0, -EBUSY while chains are in flight or filled already, or -errno.
 */
int vsg_net_tx_prefill(struct vsg_guest *guest, uint32_t pair, const struct iovec *frame,
		       uint32_t n)
{
	struct vsg_pair *p = pair_of(guest, pair);
	uint32_t i;
	int head;

	if (!p || n == 0)
		return -EINVAL;
	if (p->tx.n_free != p->tx.size)
		return -EBUSY;
	for (i = 0; i < p->tx.size; i++) {
		head = build_plain(guest, p, &frame[i % n]);
		if (head < 0)
			return head;
		p->stock[p->n_stock++] = (uint16_t)head;
	}
	return 0;
}

/**
 * vsg_net_tx_repost() - send prefilled frames again without touching them
 * @guest: guest after vsg_net_tx_prefill()
 * @pair: queue pair
 * @max: most to send
 *
 * Return: number sent, limited by what the back end has returned, or -errno.
 */
int vsg_net_tx_repost(struct vsg_guest *guest, uint32_t pair, uint32_t max)
{
	struct vsg_pair *p = pair_of(guest, pair);
	uint32_t i, n;
	struct vsg_used u;
	int err;

	if (!p)
		return -EINVAL;
	n = ring_pending(&p->tx);
	if (n > p->tx.size - p->n_stock)
		return -EPROTO;
	for (i = 0; i < n; i++) {
		err = ring_peek(&p->tx, 0, &u);
		if (err)
			return err;
		ring_take(&p->tx, u.head);
		p->stock[p->n_stock++] = u.head;
	}
	n = max < p->n_stock ? max : p->n_stock;
	if (n == 0)
		return 0;
	for (i = 0; i < n; i++)
		ring_post(&p->tx, p->stock[--p->n_stock]);
	p->tx_frames += n;
	ring_publish(&p->tx);
	err = vsg_ring_kick(&p->tx);
	return err < 0 ? err : (int)n;
}
