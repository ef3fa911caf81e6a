/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/uplink/xdp_queue.h"

#include "dataplane/core/clock.h"
#include "dataplane/uplink/uplink.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

enum {
	/* Entries of each ring; a card with many queues gets shorter ones. */
	RING_MAX = 2048,
	RING_MIN = 256,
	RINGS_TOTAL = 16384,
	/* A burst may wait in the kernel for the card: 64 KiB frames are charged as they are. */
	SEND_BUFFER = 16 * 1024 * 1024,
	/* The sockets of a process that was killed a moment ago. */
	BIND_PATIENCE_MS = 2000,
	BIND_STEP_MS = 10,
	/* Entries of the RX ring of a guest's queue; all of them on all hw queues of a card. */
	QUEUE_SIZE = 512,
	QUEUES_TOTAL = 16384,
};

static uint32_t ring_size(uint32_t n)
{
	uint32_t size = RING_MAX;

	while (size > RING_MIN && size * n > RINGS_TOTAL)
		size /= 2;
	return size;
}

/* How many queues each of @n hw queues can have besides the default one. */
static uint32_t queues_max(uint32_t n)
{
	return RTE_MIN(RTE_MAX(QUEUES_TOTAL / (QUEUE_SIZE * n), 1u), VS_BPF_QUEUES_MAX - 1u);
}

/*
 * Chunks of hw queue @i: those to receive into, those to send from, those that come with further
 * queues.
 */
static uint64_t chunk_of(const struct vs_xq *q, uint32_t i, uint32_t chunk)
{
	return ((uint64_t)i * (q->n_rx + q->n_tx + q->n_more) + chunk) * VS_XQ_CHUNK;
}

static int make_memory(struct vs_xq_set *set, uint32_t n, uint32_t size)
{
	uint32_t i;

	set->queue = aligned_alloc(RTE_CACHE_LINE_SIZE, n * sizeof(*set->queue));
	if (!set->queue)
		return -ENOMEM;
	memset(set->queue, 0, n * sizeof(*set->queue));
	set->n = n;
	set->queues_max = queues_max(n);
	set->queue_size = QUEUE_SIZE;
	set->umem_size = (size_t)n * (2 * size + set->queues_max * set->queue_size) * VS_XQ_CHUNK;
	set->umem = mmap(NULL, set->umem_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (set->umem == MAP_FAILED) {
		set->umem = NULL;
		return -ENOMEM;
	}
	/* The kernel writes to these very pages: a child process must not make copies of them. */
	(void)madvise(set->umem, set->umem_size, MADV_DONTFORK);
	for (i = 0; i < n; i++) {
		struct vs_xq *q = &set->queue[i];

		q->umem = set->umem;
		q->n_rx = size;
		q->n_tx = size;
		q->n_more = set->queues_max * set->queue_size;
		q->in = (struct vs_xq_in){.q = q, .fd = -1, .size = size};
		q->free = calloc(size, sizeof(*q->free));
		if (!q->free)
			return -ENOMEM;
	}
	return 0;
}

static int open_umem(struct vs_xq_set *set)
{
	struct vs_xq *q = &set->queue[0];
	/* Of all hw queues: libxdp makes each FILL ring as it made the first. */
	const struct xsk_umem_config config = {
		.fill_size = rte_align32pow2(q->n_rx + q->n_more),
		.comp_size = q->n_tx,
		.frame_size = VS_XQ_CHUNK,
	};

	return xsk_umem__create(&set->handle, set->umem, set->umem_size, &q->fill, &q->comp,
				&config);
}

static int open_socket(struct vs_xq_set *set, const char *ifname, uint32_t i, uint16_t flags)
{
	struct vs_xq *q = &set->queue[i];
	const struct xsk_socket_config config = {
		.rx_size = q->n_rx,
		.tx_size = q->n_tx,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = flags,
	};
	const int buffer = SEND_BUFFER;
	int err;

	err = xsk_socket__create_shared(&q->xsk, ifname, i, set->handle, &q->in.rx, &q->tx,
					&q->fill, &q->comp, &config);
	if (err) {
		q->xsk = NULL;
		return err;
	}
	q->fd = xsk_socket__fd(q->xsk);
	q->in.fd = q->fd;
	/* Without the privilege the limit of all sockets holds, and a burst waits a little. */
	(void)setsockopt(q->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	return 0;
}

/*
 * The first socket says how all work: with frames of several chunks if the kernel knows that. A
 * bind that failed leaves UMEM and rings in a state that libxdp does not promise, so both are made
 * again.
 */
static int open_first(struct vs_xq_set *set, const char *ifname)
{
	static const uint16_t flags[] = {
		XDP_USE_NEED_WAKEUP | XDP_USE_SG,
		XDP_USE_NEED_WAKEUP,
		0,
	};
	int err = -EINVAL;
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]) && err == -EINVAL; i++) {
		err = open_umem(set);
		if (err)
			return err;
		err = open_socket(set, ifname, 0, flags[i]);
		if (!err) {
			set->multi_buffer = flags[i] & XDP_USE_SG;
			return 0;
		}
		(void)xsk_umem__delete(set->handle);
		set->handle = NULL;
	}
	return err;
}

static int wait_first(struct vs_xq_set *set, const char *ifname)
{
	const struct timespec step = {.tv_nsec = BIND_STEP_MS * 1000000L};
	uint64_t deadline = vs_clock_ms() + BIND_PATIENCE_MS;
	int err;

	for (;;) {
		err = open_first(set, ifname);
		if (err != -EBUSY || vs_clock_ms() > deadline)
			return err;
		(void)nanosleep(&step, NULL);
	}
}

static int wait_next(struct vs_xq_set *set, const char *ifname, uint32_t i)
{
	const struct timespec step = {.tv_nsec = BIND_STEP_MS * 1000000L};
	uint64_t deadline = vs_clock_ms() + BIND_PATIENCE_MS;
	int err;

	for (;;) {
		err = open_socket(set, ifname, i, 0);
		if (err != -EBUSY || vs_clock_ms() > deadline)
			return err;
		(void)nanosleep(&step, NULL);
	}
}

/* Give the kernel the chunks to receive into, and ourselves those to send from. */
static int hand_out(struct vs_xq *q, uint32_t i)
{
	uint32_t at;
	uint32_t c;

	if (xsk_ring_prod__reserve(&q->fill, q->n_rx, &at) != q->n_rx)
		return -ENOSPC;
	for (c = 0; c < q->n_rx; c++)
		*xsk_ring_prod__fill_addr(&q->fill, at + c) = chunk_of(q, i, c);
	xsk_ring_prod__submit(&q->fill, q->n_rx);
	for (c = 0; c < q->n_tx; c++)
		q->free[q->n_free++] = chunk_of(q, i, q->n_rx + c);
	return 0;
}

static int open_all(struct vs_xq_set *set, const char *ifname)
{
	struct xdp_options options = {0};
	socklen_t size = sizeof(options);
	uint32_t i;
	int err;

	err = wait_first(set, ifname);
	for (i = 1; !err && i < set->n; i++)
		err = wait_next(set, ifname, i);
	for (i = 0; !err && i < set->n; i++)
		err = hand_out(&set->queue[i], i);
	if (err)
		return err;
	if (getsockopt(set->queue[0].fd, SOL_XDP, XDP_OPTIONS, &options, &size) == 0)
		set->zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY;
	for (i = 0; i < set->n; i++) {
		set->queue[i].descs_max = 1;
		if (set->multi_buffer)
			set->queue[i].descs_max = set->zero_copy ? VS_XQ_TX_DESCS_ZC_MAX
								 : VS_XQ_TX_DESCS_MAX;
	}
	return 0;
}

int vs_xq_set_open(const char *ifname, uint32_t n, struct vs_xq_set *set, struct vs_xdp_why *why)
{
	int err;

	*set = (struct vs_xq_set){0};
	err = make_memory(set, n, ring_size(n));
	if (!err)
		err = open_all(set, ifname);
	if (!err)
		return 0;
	if (err == -EBUSY)
		(void)snprintf(why->text, sizeof(why->text),
			       "a queue of interface %s has an AF_XDP socket of somebody else",
			       ifname);
	else
		(void)snprintf(why->text, sizeof(why->text),
			       "no AF_XDP sockets on %u queue%s of interface %s: %s", n,
			       n == 1 ? "" : "s", ifname, strerror(-err));
	vs_xq_set_close(set);
	return err;
}

void vs_xq_set_close(struct vs_xq_set *set)
{
	uint32_t i;

	for (i = 0; i < set->n; i++) {
		if (set->queue[i].xsk)
			xsk_socket__delete(set->queue[i].xsk);
		free(set->queue[i].free);
	}
	if (set->handle)
		(void)xsk_umem__delete(set->handle);
	if (set->umem)
		(void)munmap(set->umem, set->umem_size);
	free(set->queue);
	*set = (struct vs_xq_set){0};
}

uint64_t vs_xq_in_missed(const struct vs_xq_in *in)
{
	struct xdp_statistics stats = {0};
	socklen_t size = sizeof(stats);

	/* Kernels before 5.9 fill in less; what is missing stays 0. */
	if (getsockopt(in->fd, SOL_XDP, XDP_STATISTICS, &stats, &size) != 0)
		return 0;
	return stats.rx_dropped + stats.rx_ring_full;
}

uint64_t vs_xq_set_missed(const struct vs_xq_set *set)
{
	uint64_t missed = 0;
	uint32_t i;

	for (i = 0; i < set->n; i++)
		missed += vs_xq_in_missed(&set->queue[i].in);
	return missed;
}

void vs_xq_feed(const struct vs_xq_set *set, uint32_t hw, uint32_t queue)
{
	struct vs_xq *q = &set->queue[hw];
	uint32_t first = q->n_rx + q->n_tx + (queue - 1) * set->queue_size;
	uint32_t at;
	uint32_t c;

	while (!vs_trylock(&q->fill_lock))
		(void)sched_yield();
	/* FILL has room for all chunks of its hw queue. */
	if (xsk_ring_prod__reserve(&q->fill, set->queue_size, &at) == set->queue_size) {
		for (c = 0; c < set->queue_size; c++)
			*xsk_ring_prod__fill_addr(&q->fill, at + c) = chunk_of(q, hw, first + c);
		xsk_ring_prod__submit(&q->fill, set->queue_size);
	}
	vs_tryunlock(&q->fill_lock);
}

uint32_t vs_xq_frame_max(const struct vs_xq_set *set)
{
	if (!set->multi_buffer)
		return VS_XQ_RX_BYTES;
	return set->queue[0].descs_max * VS_XQ_CHUNK;
}
