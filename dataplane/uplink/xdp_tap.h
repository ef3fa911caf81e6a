/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The helper TAP of a shared interface: what host and switch say to each other goes through it
 * (bpf/uplink.bpf.c draws the picture). It is not persistent: it goes with the switch's process,
 * and with it the filters on it; those on the interface stay and find nobody.
 */
#ifndef VS_UPLINK_XDP_TAP_H
#define VS_UPLINK_XDP_TAP_H

#include "dataplane/core/pkt.h"

#include <net/if.h>

struct vs_xdp_why;

enum {
	/** What a TAP takes (the kernel's limit). */
	VS_XTAP_MTU_MAX = 65521,
};

/**
 * struct vs_xtap - one helper TAP
 * @fd:		its descriptor; -1: there is none (workers look; control waits a grace period
 *		before it closes)
 * @index:	of the interface
 * @buffer:	what does not fit into the private headers of a burst
 * @dry_tsc:	when nothing was there
 */
struct vs_xtap {
	int fd;
	uint32_t index;
	uint8_t *buffer;
	uint64_t dry_tsc;
};

/** VS_XTAP_NONE - no TAP. */
#define VS_XTAP_NONE ((struct vs_xtap){.fd = -1})

/**
 * vs_xtap_open() - make the TAP of interface @nic, not yet up
 * @mtu:	of the interface
 *
 * The kernel sends nothing of its own through it: no IPv6, no ARP.
 *
 * Return: 0 with *@tap filled in but for its descriptor, which is in *@ret_fd, or -errno with a
 * sentence in *@why.
 */
int vs_xtap_open(uint32_t nic, uint32_t mtu, struct vs_xtap *tap, int *ret_fd,
		 struct vs_xdp_why *why);

/** vs_xtap_close() - remove the TAP; no worker may use it any more. */
void vs_xtap_close(struct vs_xtap *tap, int fd);

/** vs_xtap_rx() - vs_port_ops.rx of the TAP; does not write in_port. */
void vs_xtap_rx(struct vs_xtap *tap, unsigned int fanout, struct vs_burst *burst);

/** vs_xtap_tx() - give one frame to the host. Return: its fate. */
enum vs_drop vs_xtap_tx(int fd, const struct vs_pkt *pkt);

#endif
