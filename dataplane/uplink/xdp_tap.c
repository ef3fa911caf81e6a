/* SPDX-License-Identifier: BSD-3-Clause */
/* What workers do with the helper TAP. */
#include "dataplane/uplink/xdp_tap.h"

#include "dataplane/core/frame.h"
#include "dataplane/core/hdr.h"

#include <rte_cycles.h>

#include <errno.h>
#include <sys/uio.h>

enum {
	/* System calls of one visit. */
	READS_PER_VISIT = 32,
	/* A TAP that came up dry is not asked again for 10 us. */
	DRY_PER_SECOND = 100000,
	/* Of one frame in the buffer: the longest there can be. */
	SLOT_BYTES = 65536,
};

_Static_assert((int)READS_PER_VISIT <= (int)VS_BURST_MAX, "a slot of the burst for each");

/* Take one frame. Return: was there one? */
static int take(const struct vs_xtap *tap, int fd, struct vs_burst *burst)
{
	uint8_t *slot = tap->buffer + (size_t)burst->n * SLOT_BYTES;
	uint8_t *hdr = burst->hdr[burst->n].bytes;
	const struct iovec iov[] = {
		{.iov_base = hdr, .iov_len = VS_HDR_BYTES},
		{.iov_base = slot, .iov_len = SLOT_BYTES},
	};
	struct vs_pkt *pkt = &burst->pkt[burst->n];
	ssize_t n = readv(fd, iov, 2);

	if (n <= 0)
		return 0;
	*pkt = (struct vs_pkt){.hdr = hdr, .len = (uint32_t)n};
	pkt->hdr_len = (uint16_t)RTE_MIN(n, (ssize_t)VS_HDR_BYTES);
	pkt->ext = &burst->ext[burst->n_ext];
	if (n == VS_HDR_BYTES + SLOT_BYTES)
		pkt->drop = VS_DROP_FRAME_CUT;
	if (n > VS_HDR_BYTES) {
		burst->ext[burst->n_ext++] =
			(struct vs_extent){.data = slot, .len = (uint32_t)(n - VS_HDR_BYTES)};
		pkt->n_ext = 1;
	}
	burst->n++;
	return 1;
}

void vs_xtap_rx(struct vs_xtap *tap, unsigned int fanout, struct vs_burst *burst)
{
	int fd = __atomic_load_n(&tap->fd, __ATOMIC_ACQUIRE);
	uint64_t now = rte_rdtsc();
	uint64_t bytes = 0;

	if (fd < 0 || now - tap->dry_tsc < rte_get_tsc_hz() / DRY_PER_SECOND)
		return;
	while (burst->n < READS_PER_VISIT && bytes < VS_VISIT_BYTES) {
		const struct vs_pkt *pkt = &burst->pkt[burst->n];

		if (!take(tap, fd, burst)) {
			tap->dry_tsc = now;
			return;
		}
		bytes += vs_l2_cost(pkt, fanout);
	}
}

enum vs_drop vs_xtap_tx(int fd, const struct vs_pkt *pkt)
{
	if (vs_frame_write(fd, pkt) >= 0)
		return VS_DROP_NONE;
	switch (errno) {
	case EFAULT: /* guest memory went away */
		vs_frame_touch(pkt);
		return VS_DROP_MEM_LOST;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return VS_DROP_HOST_FULL;
	case EINVAL: /* longer than a TAP takes */
		return VS_DROP_UPLINK_SIZE;
	default:
		return VS_DROP_HOST_DOWN;
	}
}
