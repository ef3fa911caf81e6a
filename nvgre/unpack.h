/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnel packets become inner frames where they lie, see unpack.c. */
#ifndef VS_NVGRE_UNPACK_H
#define VS_NVGRE_UNPACK_H

#include "dataplane/core/pkt.h"
#include "nvgre/outer.h"

/** vs_unpack_draw() - vs_unpack_fill() of a packet with extents */
void vs_unpack_draw(struct vs_burst *burst, unsigned int i);

/**
 * vs_unpack_fill() - packet @i has VS_HDR_BYTES private bytes, or all that it has
 *
 * Its extents are in burst->ext, and nobody else writes or reads what they point to.
 */
static inline void vs_unpack_fill(struct vs_burst *burst, unsigned int i)
{
	if (burst->pkt[i].n_ext && burst->pkt[i].hdr_len < VS_HDR_BYTES)
		vs_unpack_draw(burst, i);
}

/**
 * vs_unpack() - packet @i, a tunnel packet, becomes the frame in it
 * @outer:	what vs_outer_take() said of it, after vs_unpack_fill()
 *
 * The inner IP header takes over the outer one's congestion mark (RFC 6040, 4.2); what is no IP
 * cannot, and goes on without it. Nothing is owed on the frame, and nothing known of its checksum.
 *
 * Return: VS_DROP_NONE; VS_DROP_NVGRE_ECN, and the packet is as it was.
 */
enum vs_drop vs_unpack(struct vs_burst *burst, unsigned int i, const struct vs_outer *outer);

#endif
