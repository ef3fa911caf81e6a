/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What receive merging must know of one packet: which flow it is of, and whether it is plain data.
 */
#ifndef VS_OFFLOAD_GRO_SEG_H
#define VS_OFFLOAD_GRO_SEG_H

#include "dataplane/core/hdr.h"

#include <stdbool.h>

/** What a packet is to the merges that are open when it comes. */
enum vs_gro_kind {
	VS_GRO_FOREIGN, /* no TCP: it concerns none */
	VS_GRO_OPAQUE,  /* may be of any flow, its headers do not say which: it ends all */
	VS_GRO_FLOW,    /* of one flow, but not plain data: it ends the one of its flow */
	VS_GRO_DATA,    /* plain data of one flow */
};

/**
 * struct vs_gro_seg - the headers of a packet; what stands below @kind is set for FLOW and DATA
 * @hdr:	its private bytes, all headers up to @hdr_end for DATA
 * @pcp, @vid:	as the packet's
 * @flags:	of TCP (RTE_TCP_*_FLAG)
 * @ip_id:	IPv4 only, host order
 * @payload:	bytes behind the TCP header
 */
struct vs_gro_seg {
	uint8_t kind; /* enum vs_gro_kind */
	uint8_t is_v6;
	uint8_t flags;
	uint8_t l3_at;
	uint8_t l4_at;
	uint8_t hdr_end;
	uint8_t pcp;
	uint16_t vid;
	uint16_t ip_id;
	uint32_t seq;
	uint32_t payload;
	uint32_t hash; /* of the flow */
	const uint8_t *hdr;
};

/**
 * vs_gro_seg_read() - look at the headers of a packet
 * @pkt:	any frame; only its private bytes are read
 *
 * Plain data is TCP right behind IPv4 without options (RFC 791) or IPv6 without extension headers
 * (RFC 8200), no fragment, behind one 802.1Q tag at most; all headers in the private bytes, the
 * frame exactly as long as IP says, with payload, with ACK, without SYN, FIN, RST and URG
 * (RFC 9293, 3.1), and nothing owed.
 */
void vs_gro_seg_read(const struct vs_pkt *pkt, struct vs_gro_seg *ret_seg);

/** vs_gro_seg_same_flow() - same Ethernet header (tag, VLAN), addresses and ports? (FLOW, DATA) */
bool vs_gro_seg_same_flow(const struct vs_gro_seg *a, const struct vs_gro_seg *b);

/**
 * vs_gro_seg_alike() - do all fields agree that segments of one frame have in common?
 * @a:	data
 * @b:	later data of the same flow
 *
 * These are: the priority; DF, TTL and TOS, or flow label, traffic class and hop limit;
 * acknowledgement, header length, reserved bits, window, urgent pointer, flags but PSH and CWR, and
 * all TCP options.
 */
bool vs_gro_seg_alike(const struct vs_gro_seg *a, const struct vs_gro_seg *b);

/** vs_gro_seg_has_df() - IPv4 with "do not fragment" (RFC 6864: its id means nothing then)? */
bool vs_gro_seg_has_df(const struct vs_gro_seg *seg);

/**
 * vs_gro_seg_is_sound() - are the IPv4 header's and the TCP checksum right?
 *
 * The latter is computed only if the debt of @pkt does not say that it is good.
 */
bool vs_gro_seg_is_sound(const struct vs_pkt *pkt, const struct vs_gro_seg *seg);

/**
 * vs_gro_seg_patch() - make the headers of a segment those of a frame that owes segmentation
 * @hdr:	a copy of them (@seg->hdr_end bytes)
 * @payload:	bytes of the frame behind them; with the headers of IP and TCP 65,535 at the most
 * @pcp, @vid:	as the packet's
 * @flags:	of TCP, to be added
 *
 * IP's length and checksum are made right; TCP's checksum field gets the sum of the pseudo header
 * (RFC 9293, 3.1), not inverted, as virtio's NEEDS_CSUM has it (virtio 1.1, 5.1.6.2).
 */
void vs_gro_seg_patch(uint8_t *hdr, const struct vs_gro_seg *seg, uint32_t payload, uint8_t flags);

#endif
