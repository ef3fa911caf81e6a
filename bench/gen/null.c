/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A back end that does nothing, to measure the generator alone.
 *
 * A thread on another CPU takes the place of the switch. For each transmit ring it knows the one
 * receive ring its frames go to (the partner's, same queue pair). It reads the chain's descriptors
 * for the length of the frame, names the next receive chain with that length in the partner's used
 * ring (as many as a frame takes that is longer than one), and returns the transmit chain, in
 * batches of up to 64 receive chains. It reads and writes no frame, no
 * header and no receive descriptor, looks no address up and counts nothing; the receiver finds a
 * frame that was put into its buffers once. Lines of payload therefore never leave the generator's
 * CPU: what is measured is the most that the generator can do, with rings shared between two CPUs
 * but buffers that are not. It does not ask for kicks. After a look at all rings that found
 * nothing it pauses for about a microsecond, so as not to take the index lines away all the time.
 */
#include "bench/gen/gen.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <sched.h>
#include <unistd.h>

#define BATCH 64u
#define PAUSES 32u

struct wire {
	struct vsg_ring *tx;
	struct vsg_ring *rx;
	const struct vsg_mem *mem; /* of the sender */
	uint32_t bufs;             /* receive chains of a frame */
	uint16_t tx_at;
	uint16_t rx_at;
};

struct gen_null {
	pthread_t thread;
	atomic_bool stop;
	int cpu;
	uint32_t n;
	struct wire wire[];
};

/* Length of a chain as its driver wrote it, virtio header included. */
static uint32_t chain_length(const struct vsg_mem *mem, const struct vsg_ring *ring, uint16_t head)
{
	const struct vring_desc *d = &ring->desc[head];
	const struct vring_desc *table;
	uint32_t i, len = d->len;

	if (d->flags & VRING_DESC_F_INDIRECT) {
		table = vsg_mem_ptr(mem, d->addr, d->len);
		for (i = 0, len = 0; table && i < d->len / sizeof(*table); i++)
			len += table[i].len;
		return len;
	}
	while (d->flags & VRING_DESC_F_NEXT) {
		d = &ring->desc[d->next];
		len += d->len;
	}
	return len;
}

/* Name the receive chains of a frame of @len bytes. */
static void deliver(const struct gen *g, struct wire *w, uint32_t len)
{
	struct vring_used_elem *e;
	uint32_t i, n;

	for (i = 0; i < w->bufs; i++, w->rx_at++, len -= n) {
		n = len < g->rx_room || w->bufs == 1 ? len : g->rx_room;
		e = &w->rx->used->ring[w->rx_at & (w->rx->size - 1)];
		e->id = w->rx->avail->ring[w->rx_at & (w->rx->size - 1)];
		e->len = n;
	}
}

static uint32_t move(const struct gen *g, struct wire *w)
{
	uint16_t tx = __atomic_load_n(&w->tx->avail->idx, __ATOMIC_ACQUIRE);
	uint16_t rx, head;
	uint32_t i, n = (uint16_t)(tx - w->tx_at), most;

	if (n == 0)
		return 0;
	rx = __atomic_load_n(&w->rx->avail->idx, __ATOMIC_ACQUIRE);
	most = (uint16_t)(rx - w->rx_at);
	most = (most < BATCH ? most : BATCH) / w->bufs;
	n = n < most ? n : most;
	if (n == 0)
		return 0;
	for (i = 0; i < n; i++, w->tx_at++) {
		head = w->tx->avail->ring[w->tx_at & (w->tx->size - 1)];
		deliver(g, w, chain_length(w->mem, w->tx, head));
		w->tx->used->ring[w->tx_at & (w->tx->size - 1)].id = head;
		w->tx->used->ring[w->tx_at & (w->tx->size - 1)].len = 0;
	}
	__atomic_store_n(&w->rx->used->idx, w->rx_at, __ATOMIC_RELEASE);
	__atomic_store_n(&w->tx->used->idx, w->tx_at, __ATOMIC_RELEASE);
	return n;
}

static void *work(void *arg)
{
	struct gen *g = arg;
	struct gen_null *null = g->null;
	uint32_t i, moved;

	while (!atomic_load_explicit(&null->stop, memory_order_relaxed)) {
		for (i = 0, moved = 0; i < null->n; i++)
			moved += move(g, &null->wire[i]);
		for (i = 0; moved == 0 && i < PAUSES; i++)
			__builtin_ia32_pause();
	}
	return NULL;
}

static void quieten(struct vsg_ring *ring)
{
	ring->used->flags = VRING_USED_F_NO_NOTIFY;
	ring->used->ring[ring->size].id = (uint16_t)(ring->published - 1);
}

/* The given CPU, or one that the generator is not on. */
static int choose_cpu(const struct gen *g)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	int cpu = g->opt.cpu >= 0 ? g->opt.cpu : sched_getcpu();

	if (g->opt.null_cpu >= 0)
		return g->opt.null_cpu;
	return n > 1 ? (cpu + 1) % (int)n : -1;
}

/**
 * gen_null_start() - begin to move descriptors
 * @g: generator whose guests are built
 *
 * Return: 0 or -errno.
 */
int gen_null_start(struct gen *g)
{
	struct gen_null *null;
	struct vsg_pair *from;
	struct gen_flow *f;
	uint32_t i;
	int err;

	null = calloc(1, sizeof(*null) + g->n_flows * sizeof(null->wire[0]));
	if (!null)
		return -ENOMEM;
	null->n = g->n_flows;
	null->cpu = choose_cpu(g);
	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		from = f->lane->pair;
		null->wire[i].tx = &from->tx;
		null->wire[i].mem = &f->lane->guest->mem;
		null->wire[i].bufs = gen_frame_bufs(g);
		null->wire[i].rx = &g->guest[f->dst]->pair[from - f->lane->guest->pair].rx;
		quieten(null->wire[i].tx);
		quieten(null->wire[i].rx);
	}
	gen_rx_null_fill(g);
	g->null = null;
	err = gen_clock_spawn(&null->thread, null->cpu, 0, work, g);
	if (err) {
		g->null = NULL;
		free(null);
	}
	return err;
}

/**
 * gen_null_stop() - end the back end
 * @g: generator
 */
void gen_null_stop(struct gen *g)
{
	if (!g->null)
		return;
	atomic_store(&g->null->stop, true);
	pthread_join(g->null->thread, NULL);
	free(g->null);
	g->null = NULL;
}
