/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary virtio-net headers and frames through offload ingress, and what owes segmentation after
 * it through the segmenter: the segments must be those of the plain reference. Then the segmenter
 * with an arbitrary debt that no ingress has seen: it must refuse it or stay within its memory.
 *
 * The input: which half (1 byte), the seed of the pieces (1), private bytes (1), free extents (1),
 * zeros behind the frame (2), the virtio-net header without its checksum's end or the debt (14),
 * offset of an outer header (1), then the frame.
 */
#include "offload/offload.h"
#include "tests/unit/segment_fixture.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SETUP = 21,
	PORT = 5,
	FRAME_MAX = 4096,
	LONGEST = 65535,
};

static struct vs_ctx ctx;
static struct vs_conf conf;
static struct vs_port_stats stats;
static struct vs_burst burst;
static struct seg_frame frame;
static struct seg_row row;

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

static unsigned int all_rights(void *dev)
{
	return VS_OFFLOAD_ALL;
}

static const struct vs_port_ops ops = {.rights = all_rights};

/* What ingress makes of the frame, in exactly its private bytes. Return: it owes segmentation. */
static bool judge(const uint8_t *data, uint16_t private)
{
	struct vs_extent ext = {frame.bytes + private, frame.len - private};
	uint8_t *hdr = malloc(private + !private);
	struct vs_pkt *pkt = &burst.pkt[0];

	CHECK(hdr);
	memcpy(hdr, frame.bytes, private);
	conf.port[PORT].ops = &ops;
	ctx.conf = &conf;
	ctx.port_stats[PORT] = &stats;
	burst.n = 1;
	burst.owing = 0;
	*pkt = (struct vs_pkt){
		.hdr = hdr,
		.hdr_len = private,
		.len = frame.len,
		.ext = &ext,
		.n_ext = ext.len > 0,
		.in_port = PORT,
	};
	memcpy(&pkt->vnet.hdr, data + 6, sizeof(pkt->vnet.hdr));
	vs_offload_ingress(&ctx, &burst);
	frame.debt = pkt->debt;
	free(hdr);
	return pkt->drop == VS_DROP_NONE && frame.debt.gso != VS_GSO_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seg_way way = {.longest = 3000};
	uint32_t seed;
	uint32_t given;

	if (size < SETUP || size - SETUP > FRAME_MAX)
		return 0;
	given = (uint32_t)(size - SETUP);
	frame.len = given + (data[4] | (uint32_t)data[5] << 8);
	if (frame.len > LONGEST)
		frame.len = LONGEST;
	memcpy(frame.bytes, data + SETUP, given);
	memset(frame.bytes + given, 0, frame.len - given);
	seed = data[1];
	way.private = (uint16_t)(frame.len < VS_HDR_BYTES ? frame.len : VS_HDR_BYTES);
	way.room = data[3] ? data[3] : SEG_EXTENTS;
	way.csum = data[0] & 2 ? VS_SEGMENT_CSUM_FULL : VS_SEGMENT_CSUM_PARTIAL;
	frame.outer_l3 = 0;
	if (data[0] & 1) {
		if (!judge(data, way.private))
			return 0;
		/* Ingress promises all that the segmenter asks for, but for what IP can say. */
		if (seg_cut(&frame, &way, &seed, &row) == 0)
			CHECK(seg_agrees(&frame, &row, way.csum));
		else
			CHECK(frame.debt.hdrs - frame.debt.l3 + frame.debt.gso_size > 65535);
		return 0;
	}
	memcpy(&frame.debt, data + 6, sizeof(frame.debt));
	frame.outer_l3 = data[20];
	if (data[2] < way.private)
		way.private = data[2];
	if (frame.debt.gso <= VS_GSO_UDP6)
		(void)seg_cut(&frame, &way, &seed, &row);
	return 0;
}
