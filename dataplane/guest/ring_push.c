/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To the guest: frames into its receive ring.
 *
 * Accepts: a usable ring, frames whose private header is final.
 * Guarantees: each delivered frame lies in buffers that the guest marked device-writable, with a
 *	virtio-net header in front; the guest sees all frames of the call at once or none.
 * Drops: rx_full, rx_small, rx_pieces, ring_broken, mem_lost.
 *
 * DOC: theory of operation
 *
 * A frame is written while its buffers are collected: there is no pass that counts them first.
 * When the buffers run out in the middle, the position is set back, and what was written stays in
 * buffers that still belong to the switch, where nobody looks.
 *
 * The virtio-net header is written last, because only then the number of buffers is known; its
 * place (it may be scattered, byte by byte) is kept in `struct sink`.
 */
#include "dataplane/guest/ring_chain.h"

#include "dataplane/core/hdr.h"
#include "dataplane/core/stats.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <string.h>

enum {
	VNET_HDR_MAX = sizeof(struct virtio_net_hdr_mrg_rxbuf),
};

/* The buffers that one frame is being written to. */
struct sink {
	struct vs_ring *ring;
	unsigned int waiting; /* available entries not yet taken by delivered frames */
	uint16_t heads;       /* entries taken by this frame */
	uint16_t pending;     /* used entries written by this call, this frame's excluded */
	uint16_t head;        /* of the current chain */
	uint32_t written;     /* bytes written into the current chain */
	uint32_t descs;       /* visited for this frame */
	uint32_t call_descs;  /* visited in this call */
	uint32_t dropped;     /* frames of this call */
	uint8_t *at;          /* rest of the current buffer */
	uint32_t left;
	struct vs_chain chain;
	struct {
		uint8_t *at;
		uint32_t len;
	} hdr[VNET_HDR_MAX];
	unsigned int n_hdr;
};

/* Note the current chain's used entry; the guest sees it when the index is published. */
static void close_chain(struct sink *s)
{
	struct vs_ring *ring = s->ring;
	uint16_t slot = (uint16_t)(ring->next_used + s->pending + s->heads - 1) &
			(uint16_t)(ring->size - 1);

	ring->used->ring[slot].id = htole32(s->head);
	ring->used->ring[slot].len = htole32(s->written);
}

/* Begin the next available chain. */
static enum vs_drop open_chain(struct sink *s)
{
	struct vs_ring *ring = s->ring;
	uint16_t slot;

	if (s->heads >= s->waiting)
		s->waiting = vs_ring_waiting(ring);
	/* Nothing was given back since this call began, so no more than the ring can wait. */
	if (s->waiting + s->pending > ring->size)
		vs_ring_break(ring, VS_RING_AVAIL_JUMP);
	if (ring->fault != VS_RING_OK)
		return VS_DROP_RING_BROKEN;
	/* Fewer than before: the guest took its index back. */
	if (s->heads >= s->waiting)
		return VS_DROP_RX_FULL;
	slot = (uint16_t)(ring->next_avail + s->heads) & (uint16_t)(ring->size - 1);
	s->head = vs_shared_load16(&ring->avail->ring[slot]);
	if (s->head >= ring->size) {
		vs_ring_break(ring, VS_RING_HEAD_RANGE);
		return VS_DROP_RING_BROKEN;
	}
	vs_chain_begin(ring, s->head, &s->chain);
	s->heads++;
	s->written = 0;
	s->left = 0;
	return VS_DROP_NONE;
}

/* Go to the next buffer of the current chain; call only when there is one. */
static enum vs_drop open_buffer(struct sink *s)
{
	enum vs_ring_fault fault;
	struct vs_desc d;

	if (s->descs++ == VS_DELIVER_DESCS_MAX || s->call_descs++ >= VS_DELIVER_CALL_DESCS_MAX)
		return VS_DROP_RX_PIECES;
	fault = vs_chain_next(s->ring, &s->chain, &d);
	if (fault == VS_RING_OK && !(d.flags & VRING_DESC_F_WRITE))
		fault = VS_RING_NOT_WRITABLE;
	if (fault == VS_RING_OK && d.len) {
		s->at = vs_mem_at(s->ring->mem, d.addr, d.len);
		s->left = d.len;
		if (!s->at)
			fault = VS_RING_ADDRESS;
	}
	if (fault != VS_RING_OK) {
		vs_ring_break(s->ring, fault);
		return VS_DROP_RING_BROKEN;
	}
	return VS_DROP_NONE;
}

/* Make sure that there is room in the current buffer, whatever it takes. */
static enum vs_drop make_room(struct sink *s)
{
	enum vs_drop drop = VS_DROP_NONE;

	while (s->left == 0 && drop == VS_DROP_NONE) {
		if (s->chain.more) {
			drop = open_buffer(s);
		} else if (!(s->ring->flags & VS_RING_MERGEABLE)) {
			drop = VS_DROP_RX_SMALL;
		} else {
			close_chain(s);
			drop = open_chain(s);
		}
	}
	return drop;
}

static void advance(struct sink *s, uint32_t n)
{
	s->at += n;
	s->left -= n;
	s->written += n;
}

/*
 * Keep the place of the virtio-net header. It must lie in the first chain (virtio 1.1, 5.1.6.3.1).
 */
static enum vs_drop reserve_header(struct sink *s)
{
	uint32_t want = s->ring->hdr_len;

	while (want) {
		uint32_t n;
		enum vs_drop drop;

		if (s->left == 0 && !s->chain.more) {
			if (!(s->ring->flags & VS_RING_MERGEABLE))
				return VS_DROP_RX_SMALL;
			vs_ring_break(s->ring, VS_RING_HEADER_SMALL);
			return VS_DROP_RING_BROKEN;
		}
		if (s->left == 0) {
			drop = open_buffer(s);
			if (drop != VS_DROP_NONE)
				return drop;
			continue;
		}
		n = RTE_MIN(want, s->left);
		s->hdr[s->n_hdr].at = s->at;
		s->hdr[s->n_hdr++].len = n;
		advance(s, n);
		want -= n;
	}
	return VS_DROP_NONE;
}

/* What the guest is told of the frame. The rest of its header is zero. */
static struct virtio_net_hdr describe(uint8_t ring_flags, const struct vs_pkt *pkt)
{
	return vs_debt_to_vnet(&pkt->debt, ring_flags & VS_RING_GUEST_CSUM);
}

static void write_header(struct sink *s, const struct vs_pkt *pkt)
{
	struct virtio_net_hdr_mrg_rxbuf vnet = {
		.hdr = describe(s->ring->flags, pkt),
		.num_buffers = htole16(s->heads),
	};
	const uint8_t *from = (const uint8_t *)&vnet;
	unsigned int i;

	for (i = 0; i < s->n_hdr; i++) {
		memcpy(s->hdr[i].at, from, s->hdr[i].len);
		from += s->hdr[i].len;
	}
}

static enum vs_drop write_bytes(struct sink *s, const uint8_t *from, uint32_t len)
{
	while (len) {
		enum vs_drop drop = make_room(s);
		uint32_t n;

		if (drop != VS_DROP_NONE)
			return drop;
		n = RTE_MIN(len, s->left);
		memcpy(s->at, from, n);
		advance(s, n);
		from += n;
		len -= n;
	}
	return VS_DROP_NONE;
}

static enum vs_drop write_frame(struct sink *s, const struct vs_pkt *pkt)
{
	enum vs_drop drop;
	unsigned int i;

	drop = open_chain(s);
	if (drop == VS_DROP_NONE)
		drop = reserve_header(s);
	if (drop == VS_DROP_NONE)
		drop = write_bytes(s, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext && drop == VS_DROP_NONE; i++)
		drop = write_bytes(s, pkt->ext[i].data, pkt->ext[i].len);
	if (drop != VS_DROP_NONE)
		return drop;
	close_chain(s);
	write_header(s, pkt);
	return VS_DROP_NONE;
}

static uint8_t *put(uint8_t *to, const void *from, uint32_t len)
{
	memcpy(to, from, len);
	return to + len;
}

/*
 * The usual case: the next buffer is one descriptor, and the frame fits. Return: false, and
 * nothing is written, when it is not so; then write_frame() says what it is.
 */
static inline bool put_usual(struct vs_ring_view *view, uint16_t head, const struct vs_pkt *pkt)
{
	const uint16_t kind = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	struct virtio_net_hdr_mrg_rxbuf vnet = {.num_buffers = htole16(1)};
	struct vs_desc d;
	unsigned int i;
	uint8_t *at;

	if (unlikely(head >= view->size))
		return false;
	d = vs_shared_load_desc(&view->desc[head]);
	if (unlikely((d.flags & kind) != VRING_DESC_F_WRITE || d.len < view->hdr_len + pkt->len))
		return false;
	at = vs_view_at(view, d.addr, d.len);
	if (unlikely(!at))
		return false;

	if (unlikely(pkt->debt.csum))
		vnet.hdr = describe(view->flags, pkt);
	if (likely(view->hdr_len == sizeof(vnet)))
		at = put(at, &vnet, sizeof(vnet));
	else
		at = put(at, &vnet, view->hdr_len);
	vs_hdr_copy(at, pkt->hdr, pkt->hdr_len);
	at += pkt->hdr_len;
	for (i = 0; i < pkt->n_ext; i++)
		at = put(at, pkt->ext[i].data, pkt->ext[i].len);
	return true;
}

/* Deliver frames as long as they are usual. Return: how many. */
static unsigned int push_usual(struct sink *s, struct vs_pkt *const *pkt, unsigned int n)
{
	struct vring_used_elem used[VS_BURST_MAX];
	struct vs_ring *ring = s->ring;
	struct vs_ring_view view = vs_ring_view(ring);
	uint16_t at = ring->next_avail;
	unsigned int i;

	if (ring->fault != VS_RING_OK || s->call_descs >= VS_DELIVER_CALL_DESCS_MAX)
		return 0;
	n = RTE_MIN(n, s->waiting);
	n = RTE_MIN(n, VS_DELIVER_CALL_DESCS_MAX - s->call_descs);
	for (i = 0; i < n; i++) {
		uint16_t head = vs_view_head(&view, at);

		if (unlikely(!put_usual(&view, head, pkt[i])))
			break;
		used[i].id = htole32(head);
		used[i].len = htole32(view.hdr_len + pkt[i]->len);
		at++;
	}
	vs_ring_put_used(ring, s->pending, used, i);
	ring->next_avail = at;
	s->call_descs += i;
	s->waiting -= i;
	s->pending = (uint16_t)(s->pending + i);
	return i;
}

/* Write one frame and take its buffers, or leave everything as it was. */
static enum vs_drop push_unusual(struct sink *s, const struct vs_pkt *pkt)
{
	enum vs_drop drop;

	s->heads = 0;
	s->descs = 0;
	s->n_hdr = 0;
	drop = write_frame(s, pkt);
	if (drop != VS_DROP_NONE) {
		s->dropped++;
		return drop;
	}
	s->ring->next_avail = (uint16_t)(s->ring->next_avail + s->heads);
	s->waiting -= s->heads;
	s->pending = (uint16_t)(s->pending + s->heads);
	return VS_DROP_NONE;
}

void vs_ring_push(struct vs_ring *ring, struct vs_pkt *const *pkt, unsigned int n, uint8_t *fate)
{
	struct sink s = {.ring = ring, .waiting = vs_ring_waiting(ring)};
	unsigned int i;

	for (i = 0; i < n; i++) {
		unsigned int usual = push_usual(&s, pkt + i, n - i);

		memset(fate + i, VS_DROP_NONE, usual);
		i += usual;
		if (i < n)
			fate[i] = (uint8_t)push_unusual(&s, pkt[i]);
	}

	if (vs_mem_is_lost() || __atomic_load_n(&ring->mem->lost, __ATOMIC_RELAXED)) {
		ring->next_avail = (uint16_t)(ring->next_avail - s.pending);
		memset(fate, VS_DROP_MEM_LOST, n);
		return;
	}
	vs_ring_publish(ring, s.pending);
	vs_stats_bump(&ring->frames, n - s.dropped);
}
