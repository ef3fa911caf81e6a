/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of TCP frames, more or less damaged, through receive merging; a plain second opinion takes
 * apart what was merged (tests/unit/gro_model.h).
 *
 * The input: what the receiver takes (1 byte), which packets are known to be good, or skipped (1,
 * repeated over the row), room for extents (1), then 8 bytes for each packet:
 *
 *	flow (3 bits), IPv6, tag, DF, options (2 bits) | 64ths of the payload | step of the sequence
 *	(signed, 0 is right), in units of 64 bytes | step of the id (0 is right) | flags, to be
 *	flipped | place and bits of a damage | 1 damage before the checksums are made, 2 cut there,
 *	upper bits: private bytes and pieces, VLAN
 */
#include "tests/unit/gro_model.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SETUP = 3,
	RECORD = 8,
	FLOWS = 8,
	MSS = 64,
};

struct flow {
	uint32_t seq;
	uint16_t id;
};

struct row {
	struct vs_gro_row row;
	struct vs_pkt pkt[VS_BURST_MAX];
	struct vs_extent ext[VS_BURST_EXTENTS];
	struct vs_extent merged[VS_BURST_EXTENTS];
	unsigned int n_ext;
	uint8_t *memory[VS_BURST_MAX];
	struct flow flow[FLOWS];
};

static struct row r;
static struct model_row was;
static struct model_frame frame;

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void make(const uint8_t *rec)
{
	struct flow *flow = &r.flow[rec[0] % FLOWS];
	struct model_tcp tcp = {
		.v6 = rec[0] & 8,
		.tag = rec[0] & 16,
		.df = rec[0] & 32,
		.options = (uint8_t)((rec[0] >> 6) * 12),
		.port = rec[0] % FLOWS,
		.flags = 0x10 ^ rec[4],
		.payload = rec[1] * (uint32_t)MSS,
	};

	flow->seq += (uint32_t)(int8_t)rec[2] * MSS;
	flow->id = (uint16_t)(flow->id + (int8_t)rec[3]);
	tcp.seq = flow->seq;
	tcp.id = flow->id;
	flow->seq += tcp.payload;
	flow->id++;
	model_make(&tcp, &frame);
	frame.bytes[rec[5]] ^= rec[6];
	if (rec[7] & 1)
		model_mend(&frame);
	if (rec[7] & 2)
		frame.len = least(frame.len, rec[5]);
}

static void put(uint8_t how, bool good)
{
	const uint32_t hdr = least(frame.len, VS_HDR_BYTES - (how >> 4) * 6u);
	const uint32_t pieces = 1 + (how >> 2) % 4u;
	const uint32_t piece = (frame.len - hdr + pieces - 1) / pieces;
	unsigned int i = r.row.n++;
	uint8_t *bytes = malloc(frame.len + !frame.len);
	struct vs_pkt *pkt = &r.pkt[i];
	uint32_t at;

	CHECK(bytes);
	memcpy(bytes, frame.bytes, frame.len);
	r.memory[i] = bytes;
	*pkt = (struct vs_pkt){
		.hdr = bytes,
		.hdr_len = (uint16_t)hdr,
		.len = frame.len,
		.ext = &r.ext[r.n_ext],
		.vid = how == 0xff,
	};
	for (at = hdr; at < frame.len; at += piece) {
		uint32_t n = least(piece, frame.len - at);

		r.ext[r.n_ext++] = (struct vs_extent){bytes + at, n};
		pkt->n_ext++;
	}
	if (good)
		pkt->debt.csum = VS_CSUM_GOOD;
	r.row.pkt[i] = pkt;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int takes, good, i, joined;

	if (size < SETUP)
		return 0;
	memset(&r, 0, sizeof(r));
	takes = data[0];
	/* Bits of four packets each, over and over. */
	good = data[1] & 15;
	r.row.skip = (data[1] >> 4) * UINT64_C(0x1111111111111111);
	r.row.ext = r.merged;
	r.row.max_ext = data[2] < 128 ? VS_BURST_EXTENTS : data[2] - 128;
	data += SETUP;
	size -= SETUP;
	for (; size >= RECORD && r.row.n < VS_BURST_MAX; data += RECORD, size -= RECORD) {
		make(data);
		put(data[7], good >> r.row.n % 4 & 1);
	}
	model_note(&r.row, &was);
	joined = vs_gro_merge(takes, &r.row);
	CHECK(r.row.n + joined == was.row.n);
	CHECK(r.row.n_ext <= r.row.max_ext);
	CHECK(model_check(&was, takes, &r.row) == NULL);
	for (i = 0; i < was.row.n; i++)
		free(r.memory[i]);
	model_forget(&was);
	return 0;
}
