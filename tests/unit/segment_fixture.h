/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that owe segmentation, and what they must become: written down once more, over the whole
 * frame in one piece, byte by byte.
 */
#ifndef TESTS_UNIT_SEGMENT_FIXTURE_H
#define TESTS_UNIT_SEGMENT_FIXTURE_H

#include "offload/segment.h"

#include <stdbool.h>

enum {
	SEG_BYTES = 70000,
	SEG_ROW_BYTES = SEG_BYTES + VS_SEGMENTS_MAX * 256,
	SEG_EXTENTS = 4096,
};

/**
 * struct seg_shape - what a frame is to look like
 * @version:	of IP: 4 or 6
 * @outer:	of IP of an NVGRE tunnel around it, 0: none
 * @udp:	UDP, not TCP
 * @tags:	802.1Q tags in front of IP
 * @ip_opts:	IPv4: 32-bit words of options
 * @exts:	IPv6: extension headers of 8 bytes (hop-by-hop, then destination options)
 * @tcp_opts:	32-bit words of options
 * @flags:	of TCP
 */
struct seg_shape {
	uint8_t version;
	uint8_t outer;
	uint8_t udp;
	uint8_t tags;
	uint8_t ip_opts;
	uint8_t exts;
	uint8_t tcp_opts;
	uint8_t flags;
	uint16_t id;
	uint16_t gso_size;
	uint32_t seq;
	uint32_t payload;
};

/** struct seg_frame - a frame with its debt, as ingress would find it */
struct seg_frame {
	struct vs_debt debt;
	uint16_t outer_l3;
	uint32_t len;
	uint8_t bytes[SEG_BYTES];
};

/** struct seg_row - what the segmenter made: segment i is at bytes[at[i]] … bytes[at[i + 1]] */
struct seg_row {
	unsigned int n;
	uint32_t at[VS_SEGMENTS_MAX + 1];
	struct vs_debt debt[VS_SEGMENTS_MAX];
	uint8_t bytes[SEG_ROW_BYTES];
};

/** struct seg_way - how a frame is handed to the segmenter */
struct seg_way {
	enum vs_segment_csum csum;
	uint16_t private;  /* bytes of it in the private header */
	uint32_t longest;  /* its extents have up to so many bytes */
	unsigned int room; /* free extents at first; a second try gets SEG_EXTENTS */
};

/** seg_random() - the next number of a row that depends on *@seed only. */
uint32_t seg_random(uint32_t *seed);

/** seg_shape_random() - any shape that Linux can be given, too. */
struct seg_shape seg_shape_random(uint32_t *seed);

/** seg_build() - a frame; its payload depends on @shape only. */
void seg_build(const struct seg_shape *shape, struct seg_frame *ret_frame);

/** seg_cut() - let the segmenter cut it. Return: 0, or what vs_segment_begin() said. */
int seg_cut(const struct seg_frame *frame, const struct seg_way *way, uint32_t *seed,
	    struct seg_row *ret_row);

/** seg_agrees() - is a row what the frame must become? */
bool seg_agrees(const struct seg_frame *frame, const struct seg_row *row,
		enum vs_segment_csum csum);

/**
 * seg_is_sound() - would a receiver take a segment? All lengths and checksums are computed from
 * what stands in it. @at: its Ethernet header, EtherType IPv4 or IPv6
 */
bool seg_is_sound(const uint8_t *at, uint32_t len);

#endif
