/* SPDX-License-Identifier: BSD-3-Clause */
/* The receive half of a hw queue: its sockets, one at a time. */
#include "dataplane/uplink/xdp_queue.h"

#include "dataplane/core/hdr.h"

#include <rte_cycles.h>
#include <rte_prefetch.h>

#include <string.h>
#include <sys/socket.h>

enum {
	/* The kernel is asked at most this often to look at a FILL ring: 100,000 times a second. */
	KICKS_PER_SECOND = 100000,
	CHUNK_MASK = VS_XQ_CHUNK - 1,
};

/*
 * Descriptors that are there to be taken. The kernel's index is read each time, not only when
 * what is known is used up as libxdp does: a frame whose last descriptor was not there yet is
 * left in the ring, and must not hide what comes behind it.
 */
static uint32_t available(struct vs_xq_in *in)
{
	in->rx.cached_prod = __atomic_load_n(in->rx.producer, __ATOMIC_ACQUIRE);
	return in->rx.cached_prod - in->rx.cached_cons;
}

static const struct xdp_desc *desc_at(const struct vs_xq_in *in, uint32_t i)
{
	return xsk_ring_cons__rx_desc(&in->rx, in->rx.cached_cons + i);
}

/* Descriptors of the frame that begins at @i, or 0: its end is not within @left. */
static uint32_t count_descs(const struct vs_xq_in *in, uint32_t i, uint32_t left)
{
	uint32_t n;

	for (n = 0; n < left; n++) {
		if (!(desc_at(in, i + n)->options & XDP_PKT_CONTD))
			return n + 1;
	}
	return 0;
}

/* The private header: where the kernel put it if there is room in front, else a copy. */
static uint8_t *header(const struct vs_xq_in *in, const struct xdp_desc *desc, uint16_t len,
		       struct vs_hdr_slot *slot)
{
	uint8_t *data = in->q->umem + desc->addr;

	if ((desc->addr & CHUNK_MASK) >= VS_HDR_ROOM)
		return data;
	memcpy(slot->bytes, data, len);
	return slot->bytes;
}

/* One frame of @n descriptors; there is room for its extents. */
static void take(const struct vs_xq_in *in, uint32_t at, uint32_t n, struct vs_burst *burst)
{
	const struct xdp_desc *desc = desc_at(in, at);
	struct vs_pkt *pkt = &burst->pkt[burst->n];
	uint16_t hdr_len = (uint16_t)RTE_MIN(desc->len, (uint32_t)VS_HDR_BYTES);
	struct vs_extent *ext = &burst->ext[burst->n_ext];
	uint16_t n_ext = 0;
	uint32_t i;

	*pkt = (struct vs_pkt){.hdr_len = hdr_len, .len = desc->len, .ext = ext};
	pkt->hdr = header(in, desc, hdr_len, &burst->hdr[burst->n]);
	if (n > VS_XQ_RX_DESCS_MAX)
		pkt->drop = VS_DROP_FRAME_CUT;
	if (desc->len > hdr_len)
		ext[n_ext++] = (struct vs_extent){.data = in->q->umem + desc->addr + hdr_len,
						  .len = desc->len - hdr_len};
	for (i = 1; i < n; i++) {
		desc = desc_at(in, at + i);
		pkt->len += desc->len;
		if (!pkt->drop)
			ext[n_ext++] = (struct vs_extent){.data = in->q->umem + desc->addr,
							  .len = desc->len};
	}
	pkt->n_ext = n_ext;
	burst->n_ext = (uint16_t)(burst->n_ext + n_ext);
	burst->n++;
}

/* Let the driver take from FILL again, if it asked for that. One call, and not at every look. */
static void wake_driver(struct vs_xq_in *in)
{
	uint64_t now = rte_rdtsc();

	if (!xsk_ring_prod__needs_wakeup(&in->q->fill) ||
	    now - in->kick_tsc < rte_get_tsc_hz() / KICKS_PER_SECOND)
		return;
	in->kick_tsc = now;
	(void)recvfrom(in->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

/* The end of a frame whose beginning was too long for the whole ring. Return: descriptors. */
static uint32_t skip(struct vs_xq_in *in, uint32_t left)
{
	uint32_t n;

	if (!in->skipping)
		return 0;
	n = count_descs(in, 0, left);
	in->skipping = n == 0;
	return n ? n : left;
}

void vs_xq_rx(struct vs_xq_in *in, unsigned int fanout, struct vs_burst *burst)
{
	uint64_t bytes = 0;
	uint32_t left;
	uint32_t at;

	/* Nothing is left of the visit before; but a frame must never be taken twice. */
	if (in->taken)
		vs_xq_rx_done(in);
	if (in->taken)
		return;
	left = available(in);
	if (left == 0)
		wake_driver(in);
	at = skip(in, left);
	while (at < left && burst->n < VS_BURST_MAX && bytes < VS_VISIT_BYTES) {
		uint32_t n = count_descs(in, at, left - at);
		const struct vs_pkt *pkt = &burst->pkt[burst->n];

		if (n == 0) {
			if (at > 0 || left < in->size)
				break;
			/* The whole ring is one frame: its end can only come when it is gone. */
			in->skipping = true;
			n = left;
		}
		if (burst->n_ext + VS_XQ_RX_DESCS_MAX > VS_BURST_EXTENTS)
			break;
		if (at + n < left)
			rte_prefetch0(in->q->umem + desc_at(in, at + n)->addr);
		take(in, at, n, burst);
		at += n;
		bytes += vs_l2_cost(pkt, fanout);
	}
	in->rx.cached_cons += at;
	in->taken = at;
}

/* Under the lock of FILL, if there are several who write there. */
static void give_back(struct vs_xq_in *in)
{
	struct xsk_ring_prod *fill = &in->q->fill;
	uint32_t at;
	uint32_t i;

	if (xsk_ring_prod__reserve(fill, in->taken, &at) != in->taken)
		return;
	for (i = 0; i < in->taken; i++) {
		const struct xdp_desc *desc =
			xsk_ring_cons__rx_desc(&in->rx, in->rx.cached_cons - in->taken + i);

		*xsk_ring_prod__fill_addr(fill, at + i) = desc->addr & ~(uint64_t)CHUNK_MASK;
	}
	xsk_ring_prod__submit(fill, in->taken);
	xsk_ring_cons__release(&in->rx, in->taken);
	in->taken = 0;
}

void vs_xq_rx_done(struct vs_xq_in *in)
{
	if (in->taken == 0)
		return;
	if (!__atomic_load_n(&in->q->fill_shared, __ATOMIC_RELAXED)) {
		give_back(in);
	} else if (vs_trylock(&in->q->fill_lock)) {
		give_back(in);
		vs_tryunlock(&in->q->fill_lock);
	}
}
