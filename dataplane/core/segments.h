/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far a packet is cut into segments: what the segmenter (offload/segment.h) remembers from one
 * call to the next, here because a worker's context holds it.
 */
#ifndef VS_CORE_SEGMENTS_H
#define VS_CORE_SEGMENTS_H

#include <stdint.h>

struct vs_pkt;

/**
 * struct vs_segments - a packet that is being cut; none of it is for the caller to write
 * @pkt:	the packet
 * @n:		segments that it becomes
 * @made:	segments so far
 * @left:	bytes of payload that are not in them
 * @piece:	the payload goes on there: 0 the private header's rest, i extent i - 1
 * @piece_at:	and at this byte of it
 * @outer_l3:	offset of the outer IP header; 0: there is none
 * @pseudo:	sum of the pseudo-header without the length
 */
struct vs_segments {
	const struct vs_pkt *pkt;
	uint16_t n;
	uint16_t made;
	uint32_t left;
	uint32_t piece_at;
	uint16_t piece;
	uint16_t outer_l3;
	uint16_t pseudo;
};

#endif
