/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's side of a host port: frames are read from and written to the TAP's descriptors.
 *
 * Accepts (tx): frames whose private header is final.
 * Guarantees (rx): each frame in one piece in the queue's buffer, good until the next visit, its
 *	first VS_HDR_BYTES as private header; a tag stands in its place. What the kernel left
 *	undone stands in pkt->vnet.
 * Drops: frame_cut; host_full, host_down, mem_lost.
 *
 * One system call per frame; a visit that found the queue empty is not repeated for
 * VS_HOST_DRY_US. A virtio-net header is the first piece of both calls.
 */
#include "dataplane/host/host_obj.h"

#include "dataplane/core/frame.h"
#include "dataplane/core/hdr.h"
#include "dataplane/core/memfault.h"

#include <rte_cycles.h>

void vs_host_note_fault(struct vs_host *host)
{
	/* Two workers may find out at once, and each visit would again. */
	if (!__atomic_exchange_n(&host->lost, 1, __ATOMIC_RELAXED))
		__atomic_store_n(&host->fault_pending, 1, __ATOMIC_RELEASE);
}

bool vs_host_fault_pending(void *dev)
{
	struct vs_host *host = dev;

	/* The load alone in the usual case: an exchange would take the line from everybody. */
	return __atomic_load_n(&host->fault_pending, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&host->fault_pending, 0, __ATOMIC_ACQ_REL);
}

struct vs_bell vs_host_bell(void *dev, unsigned int pair)
{
	const struct vs_host *host = dev;

	/* A descriptor whose interface is gone is ready for ever. */
	if (pair >= host->n_queues || __atomic_load_n(&host->lost, __ATOMIC_RELAXED))
		return (struct vs_bell){.kind = VS_BELL_SILENT};
	return (struct vs_bell){.kind = VS_BELL_WHILE_FRAMES, .fd = host->queue[pair].fd};
}

unsigned int vs_host_rights(void *dev)
{
	(void)dev;
	return VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6 | VS_OFFLOAD_ECN |
	       VS_OFFLOAD_VERIFY;
}

static bool is_gone(int err)
{
	return err == EBADFD || err == ENODEV || err == ENXIO;
}

/* Read one frame to @at, where there are VS_HDR_ROOM and VS_HOST_FRAME_MAX + 1 bytes. */
static bool take_frame(struct vs_host *host, const struct vs_host_queue *q, struct vs_burst *burst,
		       uint8_t *at)
{
	struct vs_pkt *pkt = &burst->pkt[burst->n];
	struct vs_extent *ext = &burst->ext[burst->n_ext];
	struct virtio_net_hdr vnet;
	struct iovec iov[2] = {
		{.iov_base = &vnet, .iov_len = sizeof(vnet)},
		{.iov_base = at + VS_HDR_ROOM, .iov_len = VS_HOST_FRAME_MAX + 1},
	};
	ssize_t len = readv(q->fd, iov, 2);

	if (len < (ssize_t)sizeof(vnet)) {
		if (len < 0 && is_gone(errno))
			vs_host_note_fault(host);
		return false;
	}
	len -= (ssize_t)sizeof(vnet);
	*pkt = (struct vs_pkt){
		.hdr = at + VS_HDR_ROOM,
		.vnet.hdr = vnet,
		.hdr_len = (uint16_t)RTE_MIN(len, (ssize_t)VS_HDR_BYTES),
		.ext = ext,
		.len = (uint32_t)len,
		.in_port = host->in_port,
	};
	if (len > VS_HOST_FRAME_MAX) {
		pkt->drop = VS_DROP_FRAME_CUT;
	} else if (len > VS_HDR_BYTES) {
		*ext = (struct vs_extent){
			.data = pkt->hdr + VS_HDR_BYTES,
			.len = (uint32_t)len - VS_HDR_BYTES,
		};
		pkt->n_ext = 1;
		burst->n_ext++;
	}
	burst->n++;
	return true;
}

static void tap_rx(void *dev, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct vs_host *host = dev;
	struct vs_host_queue *q;
	uint64_t cost = 0;
	size_t used = 0;

	if (pair >= host->n_queues)
		return;
	q = &host->queue[pair];
	if (rte_rdtsc() < q->next_tsc)
		return;
	while (burst->n < VS_BURST_MAX && cost < VS_VISIT_BYTES) {
		const struct vs_pkt *pkt = &burst->pkt[burst->n];

		if (!take_frame(host, q, burst, q->buf + used)) {
			q->next_tsc = rte_rdtsc() + host->dry_tsc;
			break;
		}
		used += RTE_ALIGN((size_t)VS_HDR_ROOM + pkt->len, RTE_CACHE_LINE_SIZE);
		cost += vs_l2_cost(pkt, fanout);
	}
}

static void tap_rx_done(void *dev, unsigned int pair)
{
	(void)dev;
	(void)pair;
}

/* Send one frame. Return: 0, or what the kernel refused it for. */
static int send_frame(struct vs_host *host, int fd, const struct vs_pkt *pkt)
{
	int err;

	if (vs_frame_write_vnet(fd, pkt) >= 0)
		return 0;
	err = errno;
	if (err == EFAULT)
		vs_frame_touch(pkt);
	else if (is_gone(err))
		vs_host_note_fault(host);
	return err;
}

static void tap_tx(void *dev, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		   uint8_t *fate)
{
	struct vs_host *host = dev;
	int fd = host->queue[pair % host->n_queues].fd;
	int err = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		/* All frames of a burst have one sender: what it has lost, they all miss. */
		if (vs_mem_is_lost())
			err = EFAULT;
		else if (!err || vs_frame_is_alone(err))
			err = send_frame(host, fd, pkt[i]);
		fate[i] = (uint8_t)(err ? vs_frame_fate(err) : VS_DROP_NONE);
	}
}

const struct vs_port_ops vs_host_ops = {
	.rx = tap_rx,
	.rx_done = tap_rx_done,
	.tx = tap_tx,
	.fault_pending = vs_host_fault_pending,
	.bell = vs_host_bell,
	.rights = vs_host_rights,
	.caps = vs_host_rights, /* the host's own stack takes all that it makes */
};
