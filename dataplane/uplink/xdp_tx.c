/* SPDX-License-Identifier: BSD-3-Clause */
/* The transmit half of a hw queue. */
#include "dataplane/core/memfault.h"
#include "dataplane/core/sleeper.h"
#include "dataplane/uplink/xdp_queue.h"

#include <string.h>
#include <sys/socket.h>

enum {
	CHUNK_MASK = VS_XQ_CHUNK - 1,
	/* Descriptors that the kernel sends in one call when it copies (TX_BATCH_SIZE). */
	KERNEL_BATCH = 32,
};

/* Take back the chunks that the kernel is done with. */
static void reclaim(struct vs_xq *q)
{
	uint32_t at;
	uint32_t n = xsk_ring_cons__peek(&q->comp, q->n_tx, &at);
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint64_t addr = *xsk_ring_cons__comp_addr(&q->comp, at + i);

		q->free[q->n_free++] = addr & ~(uint64_t)CHUNK_MASK;
	}
	if (n)
		xsk_ring_cons__release(&q->comp, n);
}

/* Where a frame is being copied to. */
struct writer {
	struct vs_xq *q;
	uint32_t at;   /* of the TX ring: descriptor of the current chunk */
	uint32_t used; /* bytes of it */
};

static void put(struct writer *w, const uint8_t *data, uint32_t len)
{
	while (len) {
		struct xdp_desc *desc = xsk_ring_prod__tx_desc(&w->q->tx, w->at);
		uint32_t part = RTE_MIN(len, VS_XQ_CHUNK - w->used);

		if (part == 0) {
			w->at++;
			w->used = 0;
			continue;
		}
		memcpy(w->q->umem + desc->addr + w->used, data, part);
		w->used += part;
		data += part;
		len -= part;
	}
}

/* Copy a frame into @n chunks and write their descriptors, from ring index @at on. */
static void write_frame(struct vs_xq *q, uint32_t at, uint32_t n, const struct vs_pkt *pkt)
{
	struct writer w = {.q = q, .at = at};
	uint32_t left = pkt->len;
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct xdp_desc *desc = xsk_ring_prod__tx_desc(&q->tx, at + i);
		uint32_t part = RTE_MIN(left, (uint32_t)VS_XQ_CHUNK);

		desc->addr = q->free[--q->n_free];
		desc->len = part;
		desc->options = i + 1 < n ? XDP_PKT_CONTD : 0;
		left -= part;
	}
	put(&w, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++)
		put(&w, pkt->ext[i].data, pkt->ext[i].len);
}

/*
 * Nothing of the last @n descriptors from ring index @at on is sent: their chunks are free again.
 */
static void take_back(struct vs_xq *q, uint32_t at, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		q->free[q->n_free++] = xsk_ring_prod__tx_desc(&q->tx, at + i)->addr;
	q->tx.cached_prod -= n;
}

/*
 * Have the kernel send. It copies KERNEL_BATCH descriptors in one call and says EAGAIN when there
 * are more, so a burst takes a few calls. What it does not take (the card is full) stays in the
 * ring for the next call.
 */
static void kick(struct vs_xq *q)
{
	uint32_t before = q->tx.cached_prod - __atomic_load_n(q->tx.consumer, __ATOMIC_ACQUIRE);
	uint32_t left = before;
	uint32_t calls = before / KERNEL_BATCH + 1;
	uint32_t was;

	while (left && calls-- && xsk_ring_prod__needs_wakeup(&q->tx)) {
		(void)sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
		before = left;
		left = q->tx.cached_prod - __atomic_load_n(q->tx.consumer, __ATOMIC_ACQUIRE);
		if (left == before)
			break;
	}
	was = __atomic_exchange_n(&q->unsent, left, __ATOMIC_SEQ_CST);
	/* The worker that offers it again may be another one, and asleep. */
	if (left && !was)
		vs_sleepers_poke();
}

void vs_xq_tx(struct vs_xq *q, struct vs_pkt *const *pkt, unsigned int n, uint8_t *fate)
{
	uint32_t first = q->tx.cached_prod;
	uint32_t written = 0;
	unsigned int i;

	reclaim(q);
	for (i = 0; i < n; i++) {
		uint32_t descs = (pkt[i]->len + VS_XQ_CHUNK - 1) / VS_XQ_CHUNK;
		uint32_t at;

		fate[i] = VS_DROP_NONE;
		if (descs > q->descs_max || descs == 0) {
			fate[i] = VS_DROP_UPLINK_SIZE;
			continue;
		}
		if (q->n_free < descs || xsk_ring_prod__reserve(&q->tx, descs, &at) != descs) {
			fate[i] = VS_DROP_UPLINK_FULL;
			continue;
		}
		write_frame(q, at, descs, pkt[i]);
		written += descs;
	}
	if (vs_mem_is_lost()) {
		/* Bytes of one of them may be zeros of lost memory; which one is not known. */
		take_back(q, first, written);
		memset(fate, VS_DROP_MEM_LOST, n);
		return;
	}
	if (written == 0 && !q->unsent)
		return;
	xsk_ring_prod__submit(&q->tx, written);
	kick(q);
	reclaim(q);
}

void vs_xq_flush(struct vs_xq *q)
{
	if (!__atomic_load_n(&q->unsent, __ATOMIC_RELAXED) || !vs_trylock(&q->lock))
		return;
	kick(q);
	reclaim(q);
	vs_tryunlock(&q->lock);
}
