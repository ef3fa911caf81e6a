/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's side of a dpdk uplink.
 *
 * Accepts (tx): frames whose private header is final, of up to MTU + 14 bytes, and 4 for a tag; or
 *	that owe what the device can do (dpdk_offload.c).
 * Guarantees (rx): the first bytes of a frame (VS_HDR_BYTES, or all it has) at pkt->hdr, with
 *	VS_HDR_ROOM free bytes in front; extents hold until rx_done.
 * Drops: frame_cut, gso_failed, mem_lost, uplink_full, uplink_size, uplink_down.
 *
 * DOC: theory of operation
 *
 * A received frame stays in the device's buffer (mbuf) until the end of the burst. The buffer is
 * ours alone, so the header is judged and edited in place, in front of it is the headroom. Where
 * the buffer is shared, has too little headroom or begins with a short piece, the header is copied.
 *
 * How many bytes the frames have is known only when the device has given them: those beyond the
 * budget of a visit stay in the queue's array, and the next visit begins with them.
 *
 *	mbuf[]:  | done, free at rx_done | waiting for the next visit |
 *	         0                       next                         n
 *
 * A sent frame is copied once, into buffers of the uplink's own pool. Each worker has a transmit
 * queue of its own if there are enough; where two share one, the second one comes back later.
 */
#include "dataplane/uplink/dpdk_obj.h"

#include "dataplane/core/hdr.h"
#include "dataplane/core/memfault.h"

#include <rte_branch_prediction.h>

#include <string.h>

enum {
	/* Ethernet's shortest frame without its FCS; shorter ones are filled up with zeros. */
	FRAME_MIN = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN,
	TAG_AT = 2 * RTE_ETHER_ADDR_LEN,
};

/* ---- from the wire */

/* A driver that takes tags off although nobody asked for it: put it back into the headroom. */
static void put_tag_back(struct rte_mbuf *m)
{
	const rte_be16_t tag[2] = {rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN),
				   rte_cpu_to_be_16(m->vlan_tci)};
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);

	m->ol_flags &= ~RTE_MBUF_F_RX_VLAN_STRIPPED;
	if (rte_pktmbuf_headroom(m) < sizeof(tag) || m->data_len < TAG_AT)
		return;
	memmove(at - sizeof(tag), at, TAG_AT);
	memcpy(at - sizeof(tag) + TAG_AT, tag, sizeof(tag));
	m->data_off = (uint16_t)(m->data_off - sizeof(tag));
	m->data_len = (uint16_t)(m->data_len + sizeof(tag));
	m->pkt_len += (uint32_t)sizeof(tag);
}

static bool may_edit(const struct rte_mbuf *m)
{
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 &&
	       rte_pktmbuf_headroom(m) >= VS_HDR_ROOM;
}

/* The frame's bytes, as the pieces have them. Return: in how many pieces. */
static uint32_t measure(const struct rte_mbuf *m, uint32_t *ret_len)
{
	uint32_t pieces = 0;
	uint32_t len = 0;

	for (; m; m = m->next) {
		len += m->data_len;
		pieces++;
	}
	*ret_len = len;
	return pieces;
}

/* Header into the slot where it cannot stay in place; the rest becomes extents. */
static void take_pieces(struct vs_pkt *pkt, struct vs_extent *ext, const struct rte_mbuf *m)
{
	uint16_t want = (uint16_t)RTE_MIN(pkt->len, (uint32_t)VS_HDR_BYTES);

	if (m->data_len >= want && may_edit(m)) {
		pkt->hdr = rte_pktmbuf_mtod(m, uint8_t *);
		pkt->hdr_len = want;
	}
	for (; m; m = m->next) {
		const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
		uint32_t len = m->data_len;
		uint32_t n;

		if (data == pkt->hdr) {
			data += want;
			len -= want;
		}
		n = RTE_MIN(len, (uint32_t)(want - pkt->hdr_len));
		memcpy(pkt->hdr + pkt->hdr_len, data, n);
		pkt->hdr_len = (uint16_t)(pkt->hdr_len + n);
		if (len > n)
			ext[pkt->n_ext++] = (struct vs_extent){.data = data + n, .len = len - n};
	}
}

/*
 * The usual frame: in one piece, in a buffer of our own pool. Its second cache line, where ->next
 * is, is not looked at.
 */
static bool is_usual(const struct vs_dpdk *dpdk, const struct rte_mbuf *m)
{
	return m->nb_segs == 1 && m->pool == dpdk->pool && may_edit(m);
}

static void take_usual(const struct vs_dpdk *dpdk, struct rte_mbuf *m, struct vs_burst *burst)
{
	struct vs_pkt *pkt = &burst->pkt[burst->n++];
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	const uint32_t len = m->data_len;
	const uint32_t n = RTE_MIN(len, (uint32_t)VS_HDR_BYTES);

	*pkt = (struct vs_pkt){
		.hdr = data,
		.ext = &burst->ext[burst->n_ext],
		.len = len,
		.hdr_len = (uint16_t)n,
		.n_ext = len > n,
		.in_port = dpdk->port,
	};
	if (len > n)
		burst->ext[burst->n_ext++] = (struct vs_extent){.data = data + n, .len = len - n};
}

/* Return: false, with nothing taken, when the burst has no room for the frame's pieces. */
static bool take_unusual(const struct vs_dpdk *dpdk, struct rte_mbuf *m, struct vs_burst *burst)
{
	struct vs_pkt *pkt = &burst->pkt[burst->n];
	uint32_t len;
	uint32_t pieces = measure(m, &len);

	if (pieces > VS_BURST_EXTENTS - (uint32_t)burst->n_ext && burst->n)
		return false;
	*pkt = (struct vs_pkt){
		.hdr = burst->hdr[burst->n].bytes,
		.ext = &burst->ext[burst->n_ext],
		.len = len,
		.in_port = dpdk->port,
	};
	if (pieces > VS_BURST_EXTENTS) {
		pkt->len = 0;
		pkt->drop = VS_DROP_FRAME_CUT;
	} else {
		take_pieces(pkt, &burst->ext[burst->n_ext], m);
	}
	burst->n_ext = (uint16_t)(burst->n_ext + pkt->n_ext);
	burst->n++;
	return true;
}

static bool take_frame(const struct vs_dpdk *dpdk, struct vs_dpdk_rxq *q, struct vs_burst *burst)
{
	const uint64_t good = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	struct rte_mbuf *m = q->mbuf[q->next];

	if (unlikely(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED))
		put_tag_back(m);
	if (likely(is_usual(dpdk, m) && burst->n_ext < VS_BURST_EXTENTS)) {
		take_usual(dpdk, m, burst);
	} else {
		q->unusual = true;
		if (!take_unusual(dpdk, m, burst))
			return false;
	}
	if (__atomic_load_n(&dpdk->verifies, __ATOMIC_RELAXED) &&
	    (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == good)
		burst->pkt[burst->n - 1].vnet.hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	return true;
}

/* For control, which may wait until what is in the queue is through. */
static void tell_progress(struct vs_dpdk_rxq *q)
{
	if (q->n)
		__atomic_store_n(&q->fetched, q->fetched + q->n, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&q->dry, q->dry + 1, __ATOMIC_RELAXED);
}

static void dpdk_rx(void *dev, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct vs_dpdk *dpdk = dev;
	struct vs_dpdk_test *test;
	struct vs_dpdk_rxq *q;
	uint64_t cost = 0;

	if (!__atomic_load_n(&dpdk->running, __ATOMIC_ACQUIRE) || pair >= dpdk->queues)
		return;
	q = &dpdk->rxq[pair];
	if (unlikely(__atomic_load_n(&q->shut, __ATOMIC_ACQUIRE)))
		return;
	if (q->next == q->n) {
		q->next = 0;
		q->n = rte_eth_rx_burst(dpdk->eth, (uint16_t)pair, q->mbuf, VS_BURST_MAX);
		tell_progress(q);
		test = __atomic_load_n(&dpdk->test, __ATOMIC_ACQUIRE);
		if (unlikely(test))
			vs_dpdk_sift(dpdk, test, pair);
	}
	while (q->next < q->n && cost < VS_VISIT_BYTES) {
		if (!take_frame(dpdk, q, burst))
			break;
		q->next++;
		cost += vs_l2_cost(&burst->pkt[burst->n - 1], fanout);
	}
}

/* Not tied to @running: control waits for the end of this round before it touches the queue. */
static void dpdk_rx_done(void *dev, unsigned int pair)
{
	struct vs_dpdk *dpdk = dev;
	struct vs_dpdk_rxq *q;
	uint16_t left;

	if (pair >= VS_DPDK_QUEUES_MAX)
		return;
	q = &dpdk->rxq[pair];
	if (q->next == 0)
		return;
	if (likely(!q->unusual))
		rte_mempool_put_bulk(dpdk->pool, (void *const *)q->mbuf, q->next);
	else
		rte_pktmbuf_free_bulk(q->mbuf, q->next);
	q->unusual = false;
	left = (uint16_t)(q->n - q->next);
	if (left)
		memmove(q->mbuf, q->mbuf + q->next, left * sizeof(q->mbuf[0]));
	q->next = 0;
	q->n = left;
}

void vs_dpdk_ops_drain(struct vs_dpdk *dpdk)
{
	unsigned int i;

	for (i = 0; i < VS_DPDK_QUEUES_MAX; i++) {
		struct vs_dpdk_rxq *q = &dpdk->rxq[i];

		rte_pktmbuf_free_bulk(q->mbuf, q->n);
		q->unusual = false;
		q->next = 0;
		q->n = 0;
	}
}

/* ---- to the wire */

/* The chain that is being filled. */
struct sink {
	const struct vs_dpdk *dpdk;
	struct rte_mbuf *head;
	struct rte_mbuf *tail;
};

static bool write_bytes(struct sink *s, const uint8_t *from, uint32_t len)
{
	while (len) {
		uint32_t n = RTE_MIN(len, (uint32_t)s->dpdk->room - s->tail->data_len);

		if (n == 0) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(s->dpdk->pool);

			if (!m)
				return false;
			s->tail->next = m;
			s->tail = m;
			s->head->nb_segs++;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(s->tail, uint8_t *, s->tail->data_len), from, n);
		s->tail->data_len = (uint16_t)(s->tail->data_len + n);
		s->head->pkt_len += n;
		from += n;
		len -= n;
	}
	return true;
}

/* A frame that fits into one buffer. */
static void write_usual(struct rte_mbuf *m, const struct vs_pkt *pkt)
{
	static const uint8_t zeros[FRAME_MIN];
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t len = pkt->len;
	unsigned int i;

	vs_hdr_copy(at, pkt->hdr, pkt->hdr_len);
	at += pkt->hdr_len;
	for (i = 0; i < pkt->n_ext; i++) {
		memcpy(at, pkt->ext[i].data, pkt->ext[i].len);
		at += pkt->ext[i].len;
	}
	if (unlikely(len < FRAME_MIN)) {
		memcpy(at, zeros, FRAME_MIN - len);
		len = FRAME_MIN;
	}
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}

static bool write_unusual(struct sink *s, const struct vs_pkt *pkt)
{
	bool ok = write_bytes(s, pkt->hdr, pkt->hdr_len);
	unsigned int i;

	for (i = 0; i < pkt->n_ext && ok; i++)
		ok = write_bytes(s, pkt->ext[i].data, pkt->ext[i].len);
	return ok;
}

/* Copy the frame into @m and more buffers. Return: false when the pool is empty. */
static bool write_frame(const struct vs_dpdk *dpdk, struct rte_mbuf *m, const struct vs_pkt *pkt)
{
	struct sink s = {.dpdk = dpdk, .head = m, .tail = m};

	/* A buffer has room for the shortest frame, always (dpdk_plan.c). */
	if (unlikely(pkt->len > dpdk->room))
		return write_unusual(&s, pkt);
	write_usual(m, pkt);
	return true;
}

struct rte_mbuf *vs_dpdk_ops_copy(const struct vs_dpdk *dpdk, const struct vs_pkt *pkt)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dpdk->pool);

	if (!m)
		return NULL;
	if (!write_frame(dpdk, m, pkt)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (vs_debt_owes(&pkt->debt))
		vs_dpdk_offload_mark(dpdk, m, pkt);
	return m;
}

/* Return: how many buffers there were, fewer than @n when the pool is empty. */
static unsigned int take_buffers(const struct vs_dpdk *dpdk, struct rte_mbuf **mbuf, unsigned int n)
{
	unsigned int i;

	if (likely(rte_pktmbuf_alloc_bulk(dpdk->pool, mbuf, n) == 0))
		return n;
	for (i = 0; i < n; i++) {
		mbuf[i] = rte_pktmbuf_alloc(dpdk->pool);
		if (!mbuf[i])
			break;
	}
	return i;
}

static bool is_tagged(const struct vs_pkt *pkt)
{
	const rte_be16_t tpid = rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);

	return pkt->hdr_len >= TAG_AT + sizeof(tpid) &&
	       memcmp(pkt->hdr + TAG_AT, &tpid, sizeof(tpid)) == 0;
}

static bool fits(const struct vs_dpdk *dpdk, const struct vs_pkt *pkt)
{
	const uint32_t most = dpdk->mtu + RTE_ETHER_HDR_LEN;

	const uint32_t len = vs_pkt_longest(pkt);

	return len <= most || (len <= most + RTE_VLAN_HLEN && is_tagged(pkt));
}

/* Copy the frames that can go. What is not copied has its fate, and no buffer. */
static void copy_frames(const struct vs_dpdk *dpdk, struct vs_pkt *const *pkt, unsigned int n,
			uint8_t *fate, struct vs_dpdk_copies *copies)
{
	unsigned int have = take_buffers(dpdk, copies->mbuf, n);
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = copies->mbuf[copies->n];

		fate[i] = VS_DROP_UPLINK_SIZE;
		if (!fits(dpdk, pkt[i]))
			continue;
		fate[i] = VS_DROP_UPLINK_FULL;
		if (copies->n == have)
			continue;
		if (unlikely(!write_frame(dpdk, m, pkt[i]))) {
			rte_pktmbuf_free(m);
			copies->mbuf[copies->n] = copies->mbuf[--have];
			continue;
		}
		if (unlikely(vs_debt_owes(&pkt[i]->debt))) {
			vs_dpdk_offload_mark(dpdk, m, pkt[i]);
			copies->marked = true;
		}
		copies->of[copies->n++] = (uint8_t)i;
	}
	if (copies->n < have)
		rte_pktmbuf_free_bulk(copies->mbuf + copies->n, have - copies->n);
}

static void send_burst(struct vs_dpdk *dpdk, uint16_t queue, struct vs_pkt *const *pkt,
		       unsigned int n, uint8_t *fate)
{
	struct vs_dpdk_copies copies;
	uint16_t sent = 0;
	unsigned int i;

	copies.n = 0;
	copies.marked = false;
	copy_frames(dpdk, pkt, n, fate, &copies);
	if (vs_mem_is_lost()) {
		rte_pktmbuf_free_bulk(copies.mbuf, copies.n);
		memset(fate, VS_DROP_MEM_LOST, n);
		return;
	}
	if (unlikely(copies.marked))
		vs_dpdk_offload_prepare(dpdk, queue, &copies, fate);
	if (copies.n)
		sent = rte_eth_tx_burst(dpdk->eth, queue, copies.mbuf, copies.n);
	for (i = 0; i < sent; i++)
		fate[copies.of[i]] = VS_DROP_NONE;
	if (sent < copies.n)
		rte_pktmbuf_free_bulk(copies.mbuf + sent, copies.n - sent);
}

static void dpdk_tx(void *dev, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		    uint8_t *fate)
{
	struct vs_dpdk *dpdk = dev;
	struct vs_dpdk_txq *q;
	uint16_t queue;

	if (!__atomic_load_n(&dpdk->running, __ATOMIC_ACQUIRE) ||
	    !__atomic_load_n(&dpdk->link, __ATOMIC_RELAXED)) {
		memset(fate, VS_DROP_UPLINK_DOWN, n);
		return;
	}
	queue = (uint16_t)(pair % dpdk->queues);
	q = &dpdk->txq[queue];
	if (!vs_trylock(&q->lock)) {
		memset(fate, VS_DROP_TX_BUSY, n);
		return;
	}
	send_burst(dpdk, queue, pkt, n, fate);
	vs_tryunlock(&q->lock);
}

/* A device that was pulled out is found by control, which asks it each second. */
static bool dpdk_fault_pending(void *dev)
{
	(void)dev;
	return false;
}

/* A received frame is in memory that nobody else writes to until the burst is done. */
static unsigned int dpdk_rights(void *dev)
{
	const struct vs_dpdk *dpdk = dev;

	return VS_OFFLOAD_MERGE |
	       (__atomic_load_n(&dpdk->verifies, __ATOMIC_RELAXED) ? (unsigned int)VS_OFFLOAD_VERIFY
								   : 0);
}

static unsigned int dpdk_caps(void *dev)
{
	const struct vs_dpdk *dpdk = dev;

	return __atomic_load_n(&dpdk->caps, __ATOMIC_RELAXED);
}

const struct vs_port_ops vs_dpdk_ops = {
	.rx = dpdk_rx,
	.rx_done = dpdk_rx_done,
	.tx = dpdk_tx,
	.fault_pending = dpdk_fault_pending,
	.rights = dpdk_rights,
	.caps = dpdk_caps,
};
