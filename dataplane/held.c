/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * Several workers may have frames for one port, and only one at a time can write to its ring or
 * queue. Who finds it taken (the fate is tx_busy) does not wait: the other worker may have been
 * preempted in the middle, for as long as the scheduler likes. It copies the frames into buffers of
 * its own, since the sender's descriptors are given back at the end of the visit, and goes on.
 *
 *	queue[port]:  first -> frame -> frame -> frame <- last     chunk[]: | frame, bytes | bytes |
 *
 * Order: while frames of this worker wait for a port, later ones for it go behind them. A flow
 * comes from one queue pair, which one worker visits, so its frames never overtake each other. Of a
 * guest with several receive rings some may be free: frames for these go, the others stay in front.
 *
 * They are tried again at the beginning of each tx stage and at the end of each round; a worker
 * that holds some does not sleep. So a frame waits for a visit or two, or until a preempted holder
 * comes back. Buffers are bounded, for each port and for all; beyond that frames are dropped by
 * name (tx_busy).
 *
 * A new configuration may take the port away, or its VLAN. What waits is then judged again, as
 * release does, before the worker reports that it has left the old one (worker.c): nothing held
 * points to a device that may be freed, and nothing is delivered that was forbidden since.
 *
 * A frame is in the account of its port as held from vs_held_add() until it is sent or dropped.
 */
#include "dataplane/held.h"

#include "dataplane/core/memfault.h"
#include "dataplane/stages.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Not a power of two: the beginnings of all frames would share a few lines of the cache. */
	CHUNK_BYTES = 4096 + RTE_CACHE_LINE_SIZE,
	/* No frame takes more: at most this many pieces of payload. */
	CHUNKS_PER_FRAME = VS_CHAIN_BYTES_MAX / CHUNK_BYTES + 2,
	NONE = UINT16_MAX,
};

/**
 * struct held_frame - at the beginning of its first chunk
 * @pkt:	owns its bytes; extent i lies in chunk @chunk[i]
 * @next:	first chunk of the next frame for the same port, or NONE
 * @hint:	what the port's tx is given as @pair
 * @form:	with its tag or without
 */
struct held_frame {
	struct vs_pkt pkt;
	struct vs_extent ext[CHUNKS_PER_FRAME];
	uint16_t chunk[CHUNKS_PER_FRAME];
	uint16_t next;
	uint16_t hint;
	uint8_t form; /* enum vs_form */
	uint8_t hdr[VS_HDR_BYTES + VS_TAG_BYTES];
	uint8_t bytes[];
};

enum {
	FIRST_BYTES = CHUNK_BYTES - sizeof(struct held_frame),
};

_Static_assert((int)VS_HELD_CHUNKS < (int)NONE, "a chunk's number is never NONE");

union chunk {
	struct held_frame frame;
	uint8_t bytes[CHUNK_BYTES];
} __rte_cache_aligned;

/** struct queue - what waits for one port, oldest first; @chunks in use for it */
struct queue {
	uint16_t first;
	uint16_t last;
	uint16_t chunks;
	uint16_t place; /* in held->port */
};

struct vs_held {
	uint16_t n_ports;
	uint16_t port[VS_PORTS_MAX]; /* whose queue is not empty */
	struct queue queue[VS_PORTS_MAX];
	uint16_t from[VS_PORTS_MAX]; /* frames by the port that they came from */
	uint16_t n_free;
	uint16_t free[VS_HELD_CHUNKS]; /* a stack: what was used last is in the cache */
	union chunk chunk[VS_HELD_CHUNKS];
};

int vs_held_new(struct vs_held **ret_held)
{
	struct vs_held *held = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*held));
	unsigned int i;

	if (!held)
		return -ENOMEM;
	/* Written to here, so that no worker waits for the kernel's pages. */
	memset(held, 0, sizeof(*held));
	for (i = 0; i < VS_PORTS_MAX; i++)
		held->queue[i].first = NONE;
	while (held->n_free < VS_HELD_CHUNKS) {
		held->free[held->n_free] = held->n_free;
		held->n_free++;
	}
	*ret_held = held;
	return 0;
}

void vs_held_free(struct vs_held *held)
{
	free(held);
}

bool vs_held_for(const struct vs_ctx *ctx, uint16_t port)
{
	return ctx->held && ctx->held->queue[port].first != NONE;
}

unsigned int vs_held_from(const struct vs_ctx *ctx, uint16_t port)
{
	return ctx->held ? __atomic_load_n(&ctx->held->from[port], __ATOMIC_ACQUIRE) : 0;
}

/* ---- copies ---- */

static uint16_t take_chunk(struct vs_held *held, struct held_frame *f)
{
	uint16_t chunk = held->free[--held->n_free];

	f->chunk[f->pkt.n_ext] = chunk;
	return chunk;
}

/* The chunks that a frame needs. */
static uint32_t chunks_of(const struct vs_pkt *pkt)
{
	uint32_t payload = pkt->len - pkt->hdr_len;

	if (payload <= FIRST_BYTES)
		return 1;
	return 1 + (payload - FIRST_BYTES + CHUNK_BYTES - 1) / CHUNK_BYTES;
}

/* Where payload is being written to: the rest of the extent's chunk. */
struct pen {
	struct vs_held *held;
	struct held_frame *frame;
	uint8_t *at;
	uint32_t left;
};

static void next_chunk(struct pen *pen)
{
	struct held_frame *f = pen->frame;

	pen->at = pen->held->chunk[take_chunk(pen->held, f)].bytes;
	pen->left = CHUNK_BYTES;
	f->ext[f->pkt.n_ext++] = (struct vs_extent){.data = pen->at};
}

static void write_bytes(struct pen *pen, const uint8_t *from, uint32_t len)
{
	while (len) {
		uint32_t n = RTE_MIN(len, pen->left);

		if (n == 0) {
			next_chunk(pen);
			continue;
		}
		memcpy(pen->at, from, n);
		pen->frame->ext[pen->frame->pkt.n_ext - 1].len += n;
		pen->at += n;
		pen->left -= n;
		from += n;
		len -= n;
	}
}

/* A copy of a frame for which there are chunks enough. Return: its first chunk. */
static uint16_t copy_frame(struct vs_held *held, const struct vs_pkt *pkt)
{
	uint16_t first = held->free[held->n_free - 1];
	struct held_frame *f = &held->chunk[first].frame;
	struct pen pen = {.held = held, .frame = f, .at = f->bytes, .left = FIRST_BYTES};
	unsigned int i;

	f->pkt = *pkt;
	f->pkt.hdr = f->hdr;
	f->pkt.ext = f->ext;
	f->pkt.n_ext = 0;
	memcpy(f->hdr, pkt->hdr, pkt->hdr_len);
	(void)take_chunk(held, f);
	f->ext[f->pkt.n_ext++] = (struct vs_extent){.data = pen.at};
	for (i = 0; i < pkt->n_ext; i++)
		write_bytes(&pen, pkt->ext[i].data, pkt->ext[i].len);
	return first;
}

static void free_chunks(struct vs_held *held, const struct held_frame *f)
{
	uint16_t i;

	for (i = f->pkt.n_ext; i-- > 0;)
		held->free[held->n_free++] = f->chunk[i];
}

/* ---- queues ---- */

/* One frame of @in_port more, or (@change is -1) less, waits for @port. */
static void count_held(struct vs_ctx *ctx, uint16_t port, uint16_t in_port, int change)
{
	struct vs_port_stats *stats = ctx->port_stats[port];
	uint16_t *from = &ctx->held->from[in_port];

	__atomic_store_n(from, (uint16_t)(*from + change), __ATOMIC_RELEASE);
	ctx->n_held += (uint32_t)change;
	vs_stats_gauge(&stats->held, stats->held + (uint64_t)(int64_t)change);
}

static struct held_frame *frame_at(struct vs_held *held, uint16_t chunk)
{
	return &held->chunk[chunk].frame;
}

static void append(struct vs_held *held, uint16_t port, uint16_t first)
{
	struct queue *q = &held->queue[port];
	struct held_frame *f = frame_at(held, first);

	f->next = NONE;
	if (q->first == NONE) {
		q->first = first;
		q->place = held->n_ports;
		held->port[held->n_ports++] = port;
	} else {
		frame_at(held, q->last)->next = first;
	}
	q->last = first;
	q->chunks = (uint16_t)(q->chunks + f->pkt.n_ext);
}

/* The queue of @port has become empty. */
static void forget_port(struct vs_held *held, uint16_t port)
{
	uint16_t place = held->queue[port].place;
	uint16_t other = held->port[--held->n_ports];

	held->port[place] = other;
	held->queue[other].place = place;
}

/* The oldest frame for @port, which may be the only one, becomes the newest. */
static void rotate(struct vs_held *held, uint16_t port)
{
	struct queue *q = &held->queue[port];
	uint16_t first = q->first;
	struct held_frame *f = frame_at(held, first);

	if (first == q->last)
		return;
	q->first = f->next;
	f->next = NONE;
	frame_at(held, q->last)->next = first;
	q->last = first;
}

/* The frame for @port behind the one at @before (NONE: the oldest) is done with. */
static void remove_behind(struct vs_ctx *ctx, uint16_t port, uint16_t before)
{
	struct vs_held *held = ctx->held;
	struct queue *q = &held->queue[port];
	uint16_t *link = before == NONE ? &q->first : &frame_at(held, before)->next;
	struct held_frame *f = frame_at(held, *link);
	uint16_t in_port = f->pkt.in_port;

	q->chunks = (uint16_t)(q->chunks - f->pkt.n_ext);
	*link = f->next;
	if (f->next == NONE)
		q->last = before;
	free_chunks(held, f);
	if (q->first == NONE)
		forget_port(held, port);
	count_held(ctx, port, in_port, -1);
}

/* The oldest frame for @port is done with. */
static void remove_first(struct vs_ctx *ctx, uint16_t port)
{
	remove_behind(ctx, port, NONE);
}

/* Make room for a frame, copy it, and put it at the end. */
static enum vs_drop hold(struct vs_ctx *ctx, const struct vs_port_hot *port,
			 const struct vs_pkt *pkt)
{
	struct vs_held *held = ctx->held;
	uint32_t chunks = chunks_of(pkt);
	struct held_frame *f;
	uint16_t first;

	if (!held || chunks > held->n_free || chunks > CHUNKS_PER_FRAME ||
	    pkt->hdr_len > sizeof(held->chunk[0].frame.hdr) ||
	    held->queue[port->id].chunks + chunks > VS_HELD_PORT_CHUNKS)
		return VS_DROP_TX_BUSY;
	first = copy_frame(held, pkt);
	f = frame_at(held, first);
	if (vs_mem_is_lost()) {
		free_chunks(held, f);
		return VS_DROP_MEM_LOST;
	}
	f->hint = vs_tx_hint(ctx, port);
	f->form = (uint8_t)vs_form_of(port, pkt);
	append(held, port->id, first);
	count_held(ctx, port->id, pkt->in_port, 1);
	return VS_DROP_NONE;
}

void vs_held_add(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_pkt *const *pkt,
		 unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		enum vs_drop drop = hold(ctx, port, pkt[i]);

		if (drop)
			vs_ctx_count_drop(ctx, port->id, pkt[i], drop);
	}
}

/* ---- delivery ---- */

/*
 * What fixup left to the port when the frame began to wait: can it still do that? What was switched
 * off since (offload_off) it can: that is for the frames that come.
 */
static bool is_settled(const struct vs_port_hot *port, const struct vs_pkt *pkt)
{
	return likely(pkt->debt.csum == 0) || !vs_pkt_lacks(pkt, vs_port_abilities(port));
}

/* The oldest frames for @port that can go in one call. Return: how many there are at @pkt. */
static unsigned int gather(struct vs_held *held, const struct vs_port_hot *port,
			   struct vs_pkt **pkt)
{
	uint16_t at = held->queue[port->id].first;
	uint16_t hint = frame_at(held, at)->hint;
	unsigned int n = 0;

	while (at != NONE && n < VS_BURST_MAX && frame_at(held, at)->hint == hint &&
	       is_settled(port, &frame_at(held, at)->pkt)) {
		pkt[n++] = &frame_at(held, at)->pkt;
		at = frame_at(held, at)->next;
	}
	return n;
}

/*
 * The @n oldest frames for @port were offered to it. Another worker may be in the way of some,
 * which stay in front, in their order. Return: are there any?
 */
static bool settle_offered(struct vs_ctx *ctx, const struct vs_port_hot *port,
			   struct vs_pkt *const *pkt, unsigned int n, const uint8_t *fate)
{
	uint16_t before = NONE;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (fate[i] == VS_DROP_TX_BUSY) {
			const struct queue *q = &ctx->held->queue[port->id];

			before = before == NONE ? q->first : frame_at(ctx->held, before)->next;
			continue;
		}
		vs_tx_settle(ctx, port, &pkt[i], 1, &fate[i]);
		remove_behind(ctx, port->id, before);
	}
	return before != NONE;
}

/* Deliver what waits for one port. Return: true when nothing is left. */
static bool flush(struct vs_ctx *ctx, const struct vs_port_hot *port)
{
	struct vs_held *held = ctx->held;
	struct vs_pkt *pkt[VS_BURST_MAX];
	uint8_t fate[VS_BURST_MAX];

	while (vs_held_for(ctx, port->id)) {
		uint16_t hint = frame_at(held, held->queue[port->id].first)->hint;
		unsigned int n = gather(held, port, pkt);

		if (n == 0) {
			pkt[0] = &frame_at(held, held->queue[port->id].first)->pkt;
			vs_ctx_count_drop(ctx, port->id, pkt[0], VS_DROP_GSO_FAILED);
			remove_first(ctx, port->id);
			continue;
		}
		port->ops->tx(port->dev, hint, pkt, n, fate);
		if (settle_offered(ctx, port, pkt, n, fate))
			return false;
	}
	return true;
}

void vs_held_retry(struct vs_ctx *ctx)
{
	struct vs_held *held = ctx->held;
	const struct vs_burst *tapped = ctx->tapped;
	struct vs_mem_state state;
	unsigned int i = 0;
	uint64_t begin;

	if (ctx->n_held == 0)
		return;
	begin = rte_rdtsc();
	/* Neither a capture nor the fate of the open visit's sender has to do with these frames. */
	ctx->tapped = NULL;
	vs_mem_leave(&state);
	while (i < held->n_ports) {
		/* A port that is done with gives its place to another one. */
		if (!flush(ctx, &ctx->conf->port[held->port[i]]))
			i++;
	}
	vs_mem_return(&state);
	ctx->tapped = tapped;
	ctx->held_ticks += rte_rdtsc() - begin;
}

/* ---- a new configuration ---- */

/* Drop what may not leave at @port any more; the rest keeps its order. */
static void review_port(struct vs_ctx *ctx, const struct vs_port_hot *port, uint16_t id)
{
	struct vs_held *held = ctx->held;
	uint16_t last = held->queue[id].last;
	uint16_t at;

	/* Each frame is taken from the front, and put to the end again if it stays. */
	do {
		struct held_frame *f;
		enum vs_drop drop;

		at = held->queue[id].first;
		f = frame_at(held, at);
		drop = vs_release_again(port, &f->pkt, f->form);
		if (drop) {
			vs_ctx_count_drop(ctx, id, &f->pkt, drop);
			remove_first(ctx, id);
		} else {
			rotate(held, id);
		}
	} while (at != last);
}

void vs_held_review(struct vs_ctx *ctx)
{
	struct vs_held *held = ctx->held;
	unsigned int i;

	/* Backwards: a port that is done with gives its place to the last one. */
	for (i = ctx->n_held ? held->n_ports : 0; i-- > 0;)
		review_port(ctx, &ctx->conf->port[held->port[i]], held->port[i]);
}
