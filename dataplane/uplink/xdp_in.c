/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A further socket on a hw queue, which only receives.
 *
 * libxdp shares the UMEM of its first socket, and the kernel lets a second socket onto a hw queue
 * only if it shares that of a socket which is bound there. So on all hw queues but one these
 * sockets cannot be libxdp's, and this makes them with the kernel's own calls.
 */
#include "dataplane/uplink/xdp_queue.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int map_ring(struct vs_xq_in *in)
{
	struct xdp_mmap_offsets off = {0};
	socklen_t size = sizeof(off);
	uint8_t *map;

	if (setsockopt(in->fd, SOL_XDP, XDP_RX_RING, &in->size, sizeof(in->size)) != 0 ||
	    getsockopt(in->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &size) != 0)
		return -errno;
	/* Kernels before 5.4 answer with less. */
	if (size != sizeof(off))
		return -EOPNOTSUPP;
	in->map_size = off.rx.desc + in->size * sizeof(struct xdp_desc);
	map = mmap(NULL, in->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, in->fd,
		   XDP_PGOFF_RX_RING);
	if (map == MAP_FAILED)
		return -errno;
	in->map = map;
	in->rx.mask = in->size - 1;
	in->rx.size = in->size;
	in->rx.producer = (void *)(map + off.rx.producer);
	in->rx.consumer = (void *)(map + off.rx.consumer);
	in->rx.flags = (void *)(map + off.rx.flags);
	in->rx.ring = map + off.rx.desc;
	in->rx.cached_prod = *in->rx.producer;
	in->rx.cached_cons = *in->rx.consumer;
	return 0;
}

int vs_xq_in_open(struct vs_xq_set *set, uint32_t hw, uint32_t ifindex, struct vs_xq_in *in)
{
	const struct sockaddr_xdp to = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_SHARED_UMEM,
		.sxdp_ifindex = ifindex,
		.sxdp_queue_id = hw,
		.sxdp_shared_umem_fd = (uint32_t)set->queue[hw].fd,
	};
	int err;

	*in = (struct vs_xq_in){.q = &set->queue[hw], .size = set->queue_size};
	in->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (in->fd < 0)
		return -errno;
	err = map_ring(in);
	if (!err && bind(in->fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		err = -errno;
	if (err)
		vs_xq_in_close(in);
	return err;
}

void vs_xq_in_close(struct vs_xq_in *in)
{
	if (in->map)
		(void)munmap(in->map, in->map_size);
	if (in->fd >= 0)
		(void)close(in->fd);
	*in = (struct vs_xq_in){.fd = -1};
}
