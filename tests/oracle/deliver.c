/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest must find in its receive ring: virtio 1.1, 5.1.6.3, and the limits of
 * doc/datapath.md. The switch has written already; each frame is put together once more from the
 * driver's note of its buffers, and compared with what stands there.
 */
#include "tests/oracle/oracle.h"

#include <endian.h>
#include <string.h>

/* As documented: doc/datapath.md, "A hostile guest". */
enum documented {
	DESCS_OF_FRAME = 1024,
	DESCS_OF_BURST = 4096,
	VNET_BYTES = 12,
};

/* One frame on its way into the buffers. @at, @left: the rest of the current one. */
struct delivery {
	struct or_ring *d;
	unsigned int chains; /* taken by this frame */
	uint32_t buf;        /* buffers of the current chain that were looked at */
	const uint8_t *at;
	uint32_t left;
	uint32_t written[OR_RING_MAX]; /* by chain */
	uint32_t descs;
	uint32_t *burst_descs;
	const uint8_t *vnet[VNET_BYTES]; /* where each byte of the virtio-net header is */
	bool differs;                    /* from what was expected, so far */
};

static struct or_chain *current(struct delivery *y)
{
	return or_driver_oldest(y->d, y->chains - 1);
}

static enum vs_drop broken(struct delivery *y, enum vs_ring_fault fault)
{
	y->d->dead = (uint8_t)fault;
	return VS_DROP_RING_BROKEN;
}

static enum vs_drop next_chain(struct delivery *y)
{
	struct or_chain *c = or_driver_oldest(y->d, y->chains);

	if (!c)
		return VS_DROP_RX_FULL;
	if (c->bad_head)
		return broken(y, VS_RING_HEAD_RANGE);
	y->buf = 0;
	y->left = 0;
	y->written[y->chains++] = 0;
	return VS_DROP_NONE;
}

static bool is_mergeable(const struct delivery *y)
{
	return y->d->ring->flags & VS_RING_MERGEABLE;
}

/* The current chain has a further buffer: go there. */
static enum vs_drop next_buffer(struct delivery *y)
{
	const struct or_buf *b = &current(y)->buf[y->buf];

	if (y->descs == DESCS_OF_FRAME || *y->burst_descs >= DESCS_OF_BURST) {
		/* The look that was refused counts as well. */
		y->descs++;
		return VS_DROP_RX_PIECES;
	}
	y->descs++;
	(*y->burst_descs)++;
	if (b->fault)
		return broken(y, b->fault);
	y->buf++;
	y->at = b->at;
	y->left = b->len;
	return VS_DROP_NONE;
}

/* Where the next byte goes. @first: it is one of the virtio-net header's. */
static enum vs_drop next_place(struct delivery *y, bool header)
{
	enum vs_drop drop = VS_DROP_NONE;

	while (y->left == 0 && drop == VS_DROP_NONE) {
		if (y->buf < current(y)->n_bufs)
			drop = next_buffer(y);
		else if (!is_mergeable(y))
			drop = VS_DROP_RX_SMALL;
		else if (header)
			drop = broken(y, VS_RING_HEADER_SMALL);
		else
			drop = next_chain(y);
	}
	return drop;
}

static void step(struct delivery *y, uint32_t n)
{
	y->at += n;
	y->left -= n;
	y->written[y->chains - 1] += n;
}

static enum vs_drop expect(struct delivery *y, const uint8_t *bytes, uint32_t len)
{
	while (len) {
		enum vs_drop drop = next_place(y, false);
		uint32_t n;

		if (drop)
			return drop;
		n = len < y->left ? len : y->left;
		if (memcmp(y->at, bytes, n) != 0)
			y->differs = true;
		step(y, n);
		bytes += n;
		len -= n;
	}
	return VS_DROP_NONE;
}

/* The frame as it is to arrive: the bytes behind the virtio-net header. */
static enum vs_drop expect_frame(struct delivery *y, const struct or_out *out)
{
	const unsigned int tci = (unsigned int)out->pcp << 13 | out->vid;
	const uint8_t tag[4] = {0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci};
	enum vs_drop drop = next_chain(y);
	unsigned int i;

	for (i = 0; i < y->d->ring->hdr_len && !drop; i++) {
		drop = next_place(y, true);
		if (drop)
			break;
		y->vnet[i] = y->at;
		step(y, 1);
	}
	if (!drop)
		drop = expect(y, out->macs, 12);
	if (!drop && out->tagged)
		drop = expect(y, tag, sizeof(tag));
	if (!drop)
		drop = expect(y, out->rest, out->len);
	return drop;
}

/* All zero, but for the number of chains, where the header has it. */
static bool is_vnet_right(const struct delivery *y)
{
	uint8_t vnet[VNET_BYTES] = {0};
	unsigned int i;

	vnet[10] = (uint8_t)y->chains;
	vnet[11] = (uint8_t)(y->chains >> 8);
	for (i = 0; i < y->d->ring->hdr_len; i++)
		if (*y->vnet[i] != vnet[i])
			return false;
	return true;
}

/* The frame was delivered: the used entries of its chains, and what stands behind buffers. */
static void compare_chains(struct or_world *w, unsigned int port, struct delivery *y)
{
	struct or_ring *d = y->d;
	unsigned int i;
	uint32_t b;

	for (i = 0; i < y->chains; i++) {
		const struct or_chain *c = or_driver_oldest(d, 0);
		const struct vring_used_elem *used =
			&d->ring->used->ring[d->seen++ % d->ring->size];

		if (le32toh(used->id) != c->head || le32toh(used->len) != y->written[i])
			or_differ(w, "port %u: used entry is (%u, %u), not (%u, %u)", port,
				  le32toh(used->id), le32toh(used->len), c->head, y->written[i]);
		for (b = 0; b < c->n_bufs; b++)
			if (!c->buf[b].fault && !or_driver_is_guarded(&c->buf[b]))
				or_differ(w, "port %u: written behind a buffer of %u bytes", port,
					  c->buf[b].len);
		or_driver_retire(d);
	}
}

static enum vs_drop deliver(struct or_world *w, unsigned int port, struct or_ring *d,
			    const struct or_out *out, uint32_t *burst_descs)
{
	struct delivery y = {.d = d, .burst_descs = burst_descs};
	enum vs_drop drop;

	if (d->dead)
		return VS_DROP_RING_BROKEN;
	drop = expect_frame(&y, out);
	if (drop)
		return drop;
	if (y.differs)
		or_differ(w, "port %u: a frame of %u bytes arrived with other bytes", port,
			  out->len + 12 + 4 * out->tagged);
	if (!is_vnet_right(&y))
		or_differ(w, "port %u: wrong virtio-net header", port);
	compare_chains(w, port, &y);
	return VS_DROP_NONE;
}

void or_deliver(struct or_world *w, unsigned int port, const struct or_out *out, unsigned int n)
{
	struct or_counts *counts = &w->counts[port];
	uint32_t burst_descs[OR_PAIRS] = {0};
	unsigned int i;

	for (i = 0; i < n; i++) {
		unsigned int pair = or_flow_ring(&out[i], w->spec.port[port].pairs);
		struct or_ring *d = &w->ring[port][pair][0];
		enum vs_drop drop;

		if (d->jumped && !d->dead)
			d->dead = VS_RING_AVAIL_JUMP;
		drop = deliver(w, port, d, &out[i], &burst_descs[pair]);
		if (drop) {
			counts->drops[drop]++;
			w->by_reason[drop]++;
			continue;
		}
		counts->sent++;
		counts->sent_bytes += out[i].len + 12 + 4 * out[i].tagged;
		w->delivered++;
	}
}
