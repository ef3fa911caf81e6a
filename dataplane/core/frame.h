/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet as what the kernel's calls take, a list of pieces; for ports whose other side is the
 * kernel.
 */
#ifndef VS_CORE_FRAME_H
#define VS_CORE_FRAME_H

#include "dataplane/core/memfault.h"
#include "dataplane/core/pkt.h"

#include <rte_common.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

enum {
	/** Extents that are given to the kernel one by one: no guest can make more of a frame. */
	VS_FRAME_EXTENTS = VS_CHAIN_DESCS_MAX,
	/** Pieces of such a frame. */
	VS_FRAME_IOV = 1 + VS_FRAME_EXTENTS,
	/** The same, and a virtio-net header in front. */
	VS_FRAME_VNET_IOV = 1 + VS_FRAME_IOV,
	/** The longest frame: a chain of a guest and a tag. */
	VS_FRAME_BYTES = VS_CHAIN_BYTES_MAX + 4,
};

/** vs_frame_is_scattered() - in too many pieces for vs_frame_iov()? */
static inline bool vs_frame_is_scattered(const struct vs_pkt *pkt)
{
	return pkt->n_ext > VS_FRAME_EXTENTS;
}

/** vs_frame_iov() - the pieces of a frame. Return: how many of @iov (VS_FRAME_IOV) were set. */
static inline unsigned int vs_frame_iov(const struct vs_pkt *pkt, struct iovec *iov)
{
	unsigned int i;

	iov[0] = (struct iovec){.iov_base = pkt->hdr, .iov_len = pkt->hdr_len};
	for (i = 0; i < pkt->n_ext; i++) {
		/* The kernel reads them only; its structure has no const. */
		union {
			const uint8_t *read;
			uint8_t *any;
		} at = {.read = pkt->ext[i].data};

		iov[1 + i] = (struct iovec){.iov_base = at.any, .iov_len = pkt->ext[i].len};
	}
	return 1 + pkt->n_ext;
}

/**
 * vs_frame_gather() - copy a frame into one piece
 * @to:		VS_FRAME_BYTES
 *
 * Return: its bytes; what does not fit is left out.
 */
static inline uint32_t vs_frame_gather(const struct vs_pkt *pkt, uint8_t *to)
{
	uint32_t have = pkt->hdr_len;
	unsigned int i;

	memcpy(to, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		uint32_t n = RTE_MIN(pkt->ext[i].len, VS_FRAME_BYTES - have);

		memcpy(to + have, pkt->ext[i].data, n);
		have += n;
	}
	return have;
}

/**
 * vs_frame_touch() - read a frame that the kernel could not read (EFAULT)
 *
 * The memory of its sender went away. The processor's own access raises the signal that is the one
 * place where this is seen to (core/memfault.h): the region is replaced, the guest detached.
 */
static inline void vs_frame_touch(const struct vs_pkt *pkt)
{
	uint8_t scrap[VS_FRAME_BYTES];

	(void)vs_frame_gather(pkt, scrap);
	/* What was read is used, as far as the compiler knows. */
	__asm__ volatile("" : : "r"(scrap) : "memory");
}

/**
 * vs_frame_vnet_iov() - the virtio-net header of a frame, which the kernel is given in front of it
 * @vnet:	filled in with what the frame owes
 */
static inline struct iovec vs_frame_vnet_iov(const struct vs_pkt *pkt, struct virtio_net_hdr *vnet)
{
	*vnet = vs_debt_to_vnet(&pkt->debt, true);
	return (struct iovec){.iov_base = vnet, .iov_len = sizeof(*vnet)};
}

/** vs_frame_write_vnet() - vs_frame_write() to an interface that wants to know what is owed */
static inline ssize_t vs_frame_write_vnet(int fd, const struct vs_pkt *pkt)
{
	struct iovec iov[VS_FRAME_VNET_IOV];
	uint8_t frame[VS_FRAME_BYTES];
	struct virtio_net_hdr vnet;

	iov[0] = vs_frame_vnet_iov(pkt, &vnet);
	if (!vs_frame_is_scattered(pkt))
		return writev(fd, iov, 1 + (int)vs_frame_iov(pkt, iov + 1));
	iov[1] = (struct iovec){.iov_base = frame, .iov_len = vs_frame_gather(pkt, frame)};
	/* Zeros in place of memory that went meanwhile are not the frame. */
	if (vs_mem_is_lost()) {
		errno = EFAULT;
		return -1;
	}
	return writev(fd, iov, 2);
}

/** vs_frame_write_scattered() - vs_frame_write() of a frame in too many pieces: in one. */
static inline ssize_t vs_frame_write_scattered(int fd, const struct vs_pkt *pkt)
{
	uint8_t frame[VS_FRAME_BYTES];
	struct iovec iov = {.iov_base = frame, .iov_len = vs_frame_gather(pkt, frame)};

	/* Zeros in place of memory that went meanwhile are not the frame. */
	if (vs_mem_is_lost()) {
		errno = EFAULT;
		return -1;
	}
	return writev(fd, &iov, 1);
}

/**
 * vs_frame_write() - hand a frame to @fd in one call
 * Return: as writev(); EFAULT: memory of its sender went away (see vs_frame_touch()).
 */
static inline ssize_t vs_frame_write(int fd, const struct vs_pkt *pkt)
{
	struct iovec iov[VS_FRAME_IOV];

	if (vs_frame_is_scattered(pkt))
		return vs_frame_write_scattered(fd, pkt);
	return writev(fd, iov, (int)vs_frame_iov(pkt, iov));
}

/** vs_frame_fate() - why the kernel did not take a frame. @err: errno of the call */
static inline enum vs_drop vs_frame_fate(int err)
{
	switch (err) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
		return VS_DROP_HOST_FULL;
	case EMSGSIZE:
		return VS_DROP_MTU_OUT;
	case EFAULT:
		return VS_DROP_MEM_LOST;
	default:
		return VS_DROP_HOST_DOWN;
	}
}

/**
 * vs_frame_is_alone() - does the refusal concern this frame alone?
 *
 * Otherwise the next one would meet the same, and the calls are saved. (EINVAL: shorter than an
 * Ethernet header, which no stage lets pass.)
 */
static inline bool vs_frame_is_alone(int err)
{
	return err == EMSGSIZE || err == EINVAL;
}

#endif
