/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Outer headers: made once for each peer (vs_outer_build(), nvgre.h), put in front of frames, and
 * judged when frames arrive.
 */
#ifndef VS_NVGRE_OUTER_H
#define VS_NVGRE_OUTER_H

#include "dataplane/core/pkt.h"
#include "nvgre/nvgre.h"
#include "nvgre/wire.h"

#include <stdint.h>

/**
 * vs_outer_put() - the outer header in front of an inner frame
 * @vsid:	VS_VSID_MIN to VS_VSID_MAX
 * @hash:	of the inner flow (vs_flow_hash()); the FlowID and IPv6's flow label come of it
 * @tos:	of the inner packet (vs_inner_tos()): its ECN is copied (RFC 6040, 4.1, normal
 *		mode), its DSCP is the tenant's own and is not
 * @inner_len:	bytes of the inner frame
 * @id:		IPv4 identification: any, for fragments are forbidden (RFC 6864, 4.1)
 * @end:	where the inner frame begins; VS_OUTER_MAX bytes in front of it are free
 *
 * The destination MAC is that of @peer->next_hop, zero as long as there is none.
 *
 * Return: where the outer frame begins, peer->outer_len bytes before @end; NULL, and nothing is
 * written: an IP packet cannot be so long.
 */
uint8_t *vs_outer_put(const struct vs_peer *peer, uint32_t vsid, uint32_t hash, uint8_t tos,
		      uint32_t inner_len, uint16_t id, uint8_t *end);

/** vs_inner_tos() - TOS or traffic class of a frame without a tag; 0: it is not IP. */
uint8_t vs_inner_tos(const struct vs_pkt *pkt);

/**
 * struct vs_outer - what an outer header says
 * @vsid:	VS_VSID_MIN to VS_VSID_MAX
 * @inner_at:	where the inner frame begins, from the outer one's first byte
 * @inner_len:	its bytes, an Ethernet header at least; what follows is padding
 * @tos:	of the outer IP header
 */
struct vs_outer {
	struct vs_ip src;
	struct vs_ip dst;
	uint32_t vsid;
	uint32_t inner_len;
	uint16_t inner_at;
	uint8_t tos;
};

/**
 * vs_outer_take() - judge the outer header of a frame that is for a provider address
 * @pkt:	untouched; only its private header is read: VS_HDR_BYTES of it, or all of the frame
 * @ret:	written on success only
 *
 * Everything is looked at, in this order: IP version and header length, checksum, options and
 * extension headers, fragments, protocol, lengths, the source address, GRE's flags, protocol type
 * and VSID, the inner frame's tag. Addresses are not compared with ours.
 *
 * Return: VS_DROP_NONE, or why it is none that may be unpacked.
 */
enum vs_drop vs_outer_take(const struct vs_pkt *pkt, struct vs_outer *ret);

/** Bytes of an outer header over IPv4 without a tag. */
enum { VS_OUTER_USUAL = 14 + 20 + 8 };

/**
 * vs_outer_again() - does a frame have the outer header of another one?
 * @pkt:	as for vs_outer_take()
 * @head:	the first VS_OUTER_USUAL bytes of a frame that vs_outer_take() took
 * @outer:	what it said of that one; becomes what it would say of @pkt
 *
 * Return: true: but for length, id, checksum and FlowID, and these are right. false: @pkt may be
 * anything, also a frame that is right, and @outer is as it was.
 */
bool vs_outer_again(const struct vs_pkt *pkt, const uint8_t *head, struct vs_outer *outer);

#endif
