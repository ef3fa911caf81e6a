/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the guest: its transmit ring becomes a burst.
 *
 * Accepts: a usable ring and an empty burst.
 * Guarantees: each packet has its virtio-net header and its first VS_HDR_BYTES in private memory;
 *	extents lie inside the guest's memory; len is their sum and at most
 *	VS_CHAIN_BYTES_MAX - hdr_len.
 * Drops: vnet_short, chain_bytes, chain_descs.
 */
#include "dataplane/guest/ring_chain.h"

#include "dataplane/core/hdr.h"
#include "dataplane/core/stats.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_ether.h>

#include <string.h>

/* Not a fault: the frame is left for the next visit, and the burst ends. */
#define TIME_UP VS_RING_FAULT_COUNT

/* Where the bytes of one chain go: virtio-net header, private header, extents. */
struct intake {
	struct vs_pkt *pkt;
	struct vs_extent *ext;
	uint32_t vnet_have;
	uint32_t vnet_want;
	uint64_t total;
};

static void take_buffer(struct intake *in, const uint8_t *data, uint32_t len)
{
	struct vs_pkt *pkt = in->pkt;
	uint32_t n;

	n = RTE_MIN(len, in->vnet_want - in->vnet_have);
	if (n) {
		memcpy((uint8_t *)&pkt->vnet + in->vnet_have, data, n);
		in->vnet_have += n;
		data += n;
		len -= n;
	}
	n = RTE_MIN(len, (uint32_t)VS_HDR_BYTES - pkt->hdr_len);
	if (n) {
		memcpy(pkt->hdr + pkt->hdr_len, data, n);
		pkt->hdr_len = (uint16_t)(pkt->hdr_len + n);
		data += n;
		len -= n;
	}
	if (len)
		in->ext[pkt->n_ext++] = (struct vs_extent){.data = data, .len = len};
}

/* The frame will be dropped; what is left to learn is whether its chain ends at all. */
static enum vs_ring_fault skip_rest(const struct vs_ring *ring, struct vs_chain *chain)
{
	struct vs_desc d;
	unsigned int i;

	for (i = 0; chain->more && i < VS_INDIRECT_MAX; i++) {
		enum vs_ring_fault fault = vs_chain_next(ring, chain, &d);

		if (fault != VS_RING_OK)
			return fault;
	}
	return VS_RING_OK;
}

/* One descriptor of the chain. *@ret_drop is set when the frame cannot be taken. */
static enum vs_ring_fault take_desc(const struct vs_ring *ring, struct intake *in,
				    const struct vs_desc *d, enum vs_drop *ret_drop)
{
	const uint8_t *data;

	if (d->flags & VRING_DESC_F_WRITE)
		return VS_RING_NOT_READABLE;
	if (d->len == 0)
		return VS_RING_OK;
	data = vs_mem_at(ring->mem, d->addr, d->len);
	if (!data)
		return VS_RING_ADDRESS;
	in->total += d->len;
	if (in->total > VS_CHAIN_BYTES_MAX) {
		*ret_drop = VS_DROP_CHAIN_BYTES;
		return VS_RING_OK;
	}
	take_buffer(in, data, d->len);
	return VS_RING_OK;
}

static enum vs_ring_fault take_chain(const struct vs_ring *ring, uint16_t head, struct intake *in)
{
	enum vs_ring_fault fault = VS_RING_OK;
	enum vs_drop drop = VS_DROP_NONE;
	struct vs_chain chain;
	struct vs_desc d;
	unsigned int n;

	vs_chain_begin(ring, head, &chain);
	for (n = 0; chain.more && drop == VS_DROP_NONE; n++) {
		if (n == VS_CHAIN_DESCS_MAX) {
			drop = VS_DROP_CHAIN_DESCS;
			break;
		}
		fault = vs_chain_next(ring, &chain, &d);
		if (fault == VS_RING_OK)
			fault = take_desc(ring, in, &d, &drop);
		if (fault != VS_RING_OK)
			return fault;
	}
	if (drop != VS_DROP_NONE)
		fault = skip_rest(ring, &chain);
	else if (in->vnet_have < in->vnet_want)
		drop = VS_DROP_VNET_SHORT;

	in->pkt->drop = (uint8_t)drop;
	return fault;
}

/*
 * The usual frame: virtio-net header and frame in one buffer, one descriptor. Return: false, and
 * nothing is taken, when it is not of that kind; then take_chain() says what it is.
 */
static inline bool take_usual(struct vs_ring_view *view, struct vs_burst *burst, uint16_t head)
{
	const uint16_t other = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT;
	const struct vs_desc d = vs_shared_load_desc(&view->desc[head]);
	struct vs_pkt *pkt = &burst->pkt[burst->n];
	uint8_t *hdr = burst->hdr[burst->n].bytes;
	const uint8_t *data;
	uint32_t n;

	if (unlikely((d.flags & other) || d.len < sizeof(pkt->vnet) || d.len > VS_CHAIN_BYTES_MAX))
		return false;
	data = vs_view_at(view, d.addr, d.len);
	if (unlikely(!data))
		return false;
	*pkt = (struct vs_pkt){
		.hdr = hdr,
		.ext = &burst->ext[burst->n_ext],
		.len = d.len - view->hdr_len,
	};
	if (likely(view->hdr_len == sizeof(pkt->vnet)))
		memcpy(&pkt->vnet, data, sizeof(pkt->vnet));
	else
		memcpy(&pkt->vnet, data, view->hdr_len);
	n = RTE_MIN(pkt->len, (uint32_t)VS_HDR_BYTES);
	vs_hdr_copy(hdr, data + view->hdr_len, n);
	pkt->hdr_len = (uint16_t)n;
	if (pkt->len > n) {
		burst->ext[burst->n_ext++] = (struct vs_extent){
			.data = data + view->hdr_len + n,
			.len = pkt->len - n,
		};
		pkt->n_ext = 1;
	}
	return true;
}

/* From the first unusual chain of a burst on, time is limited. */
static bool is_time_up(struct vs_ring *ring)
{
	if (ring->walk_ticks == 0)
		return false;
	if (ring->walk_end_tsc)
		return rte_rdtsc() >= ring->walk_end_tsc;
	ring->walk_end_tsc = rte_rdtsc() + ring->walk_ticks;
	return false;
}

static __rte_noinline enum vs_ring_fault take_unusual(struct vs_ring *ring, struct vs_burst *burst,
						      uint16_t head)
{
	struct vs_pkt *pkt = &burst->pkt[burst->n];
	struct intake in = {
		.pkt = pkt,
		.ext = &burst->ext[burst->n_ext],
		.vnet_want = ring->hdr_len,
	};
	enum vs_ring_fault fault;

	if (is_time_up(ring))
		return TIME_UP;
	*pkt = (struct vs_pkt){
		.hdr = burst->hdr[burst->n].bytes,
		.ext = in.ext,
		.in_port = ring->in_port,
	};
	fault = take_chain(ring, head, &in);
	if (fault != VS_RING_OK)
		return fault;

	if (pkt->drop == VS_DROP_NONE)
		pkt->len = (uint32_t)in.total - in.vnet_want;
	else
		pkt->len = pkt->hdr_len;
	if (pkt->drop != VS_DROP_NONE)
		pkt->n_ext = 0;
	burst->n_ext = (uint16_t)(burst->n_ext + pkt->n_ext);
	return VS_RING_OK;
}

/* What stands at @burst->n afterwards is the frame, unless there was a fault. */
static enum vs_ring_fault take_frame(struct vs_ring *ring, struct vs_ring_view *view,
				     struct vs_burst *burst, uint16_t head)
{
	if (unlikely(head >= view->size))
		return VS_RING_HEAD_RANGE;
	if (likely(take_usual(view, burst, head))) {
		burst->pkt[burst->n].in_port = ring->in_port;
		return VS_RING_OK;
	}
	return take_unusual(ring, burst, head);
}

/* Walking to its end cost as much as a visit may. */
static bool was_long(const struct vs_pkt *pkt)
{
	return pkt->drop == VS_DROP_CHAIN_DESCS || pkt->drop == VS_DROP_CHAIN_BYTES;
}

void vs_ring_pull(struct vs_ring *ring, struct vs_burst *burst, unsigned int fanout)
{
	unsigned int waiting = RTE_MIN(vs_ring_waiting(ring), (unsigned int)VS_BURST_MAX);
	struct vs_ring_view view = vs_ring_view(ring);
	uint16_t at = ring->next_avail;
	uint64_t cost = 0;

	ring->walk_end_tsc = 0;
	while (burst->n < waiting && cost < VS_VISIT_BYTES &&
	       burst->n_ext + VS_CHAIN_DESCS_MAX <= VS_BURST_EXTENTS) {
		struct vs_pkt *pkt = &burst->pkt[burst->n];
		uint16_t head = vs_view_head(&view, at);
		enum vs_ring_fault fault = take_frame(ring, &view, burst, head);

		if (unlikely(fault != VS_RING_OK)) {
			if (fault != TIME_UP)
				vs_ring_break(ring, fault);
			break;
		}
		ring->heads[burst->n++] = (struct vring_used_elem){.id = htole32(head)};
		at++;
		cost += vs_l2_cost(pkt, fanout);
		if (unlikely(was_long(pkt)))
			break;
	}
	ring->next_avail = at;
	ring->taken = burst->n;
	/* Zeros read from a region that this or another thread replaced are no frames. */
	if (vs_mem_faults || __atomic_load_n(&ring->mem->lost, __ATOMIC_ACQUIRE)) {
		burst->n = 0;
		vs_ring_break(ring, VS_RING_MEMORY_LOST);
	}
}

void vs_ring_pull_done(struct vs_ring *ring)
{
	if (ring->taken == 0 || __atomic_load_n(&ring->mem->lost, __ATOMIC_RELAXED))
		return;
	vs_ring_put_used(ring, 0, ring->heads, ring->taken);
	vs_ring_publish(ring, ring->taken);
	vs_stats_bump(&ring->frames, ring->taken);
	ring->taken = 0;
}
