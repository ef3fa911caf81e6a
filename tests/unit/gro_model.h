/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plain second opinion on receive merging, for its unit tests and its fuzz target: TCP frames
 * that are made, taken apart and compared in one piece of memory, byte by byte.
 */
#ifndef VS_TEST_GRO_MODEL_H
#define VS_TEST_GRO_MODEL_H

#include "offload/gro.h"

#include <stdbool.h>

enum {
	MODEL_FRAME_MAX = 66000,
};

/** struct model_frame - a frame in one piece */
struct model_frame {
	uint32_t len;
	uint8_t bytes[MODEL_FRAME_MAX];
};

/** struct model_tcp - what a TCP frame is to look like; all zero is IPv4 with no data */
struct model_tcp {
	bool v6;
	bool tag;
	bool df;
	uint8_t options; /* bytes of TCP options, a multiple of 4 */
	uint8_t flags;
	uint16_t port;
	uint16_t id;
	uint32_t seq;
	uint32_t payload;
};

/** model_make() - build it, checksums included; the payload follows from port and sequence. */
void model_make(const struct model_tcp *tcp, struct model_frame *ret_frame);

/** model_mend() - make the checksums of a TCP frame (IPv4 or IPv6, 0 or 1 tag) right. */
void model_mend(struct model_frame *frame);

/** model_owe() - its TCP checksum becomes the sum of the pseudo header: the rest is owed. */
void model_owe(struct model_frame *frame);

/** model_flatten() - the bytes of a packet. */
void model_flatten(const struct vs_pkt *pkt, struct model_frame *ret_frame);

/** struct model_row - a row as it was before it was merged */
struct model_row {
	struct vs_gro_row row;
	struct {
		struct vs_pkt pkt;
		uint8_t *bytes;
	} was[VS_BURST_MAX];
};

/** model_note() - keep a copy of a row and of all bytes of its packets; model_forget() frees it. */
void model_note(const struct vs_gro_row *row, struct model_row *ret_was);
void model_forget(struct model_row *was);

/**
 * model_check() - is @row what vs_gro_merge() may make of @was?
 *
 * Every packet is in the row once, as it was or as a segment of a merged packet that is taken
 * apart here, and by the segmenter (offload/segment.h) with the same result; of a flow none is
 * before an earlier one; what was merged was allowed to be.
 *
 * Return: NULL, or what is wrong.
 */
const char *model_check(const struct model_row *was, unsigned int takes,
			const struct vs_gro_row *row);

#endif
