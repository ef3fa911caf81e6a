/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/gro_fixture.h"

#include <rte_common.h>

#include <stdlib.h>
#include <string.h>

struct bench *bench_make(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->hdr_bytes = VS_HDR_BYTES;
	b->pieces = 1;
	b->row.max_ext = RTE_DIM(b->merged);
	bench_clear(b);
	return b;
}

void bench_clear(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->n; i++)
		free(b->memory[i]);
	model_forget(&b->was);
	b->row = (struct vs_gro_row){.ext = b->merged, .max_ext = b->row.max_ext};
	b->n = 0;
	b->n_ext = 0;
}

void bench_end(struct bench *b)
{
	bench_clear(b);
	free(b);
}

struct vs_pkt *bench_put(struct bench *b)
{
	const uint32_t len = b->frame.len;
	const uint32_t hdr = RTE_MIN(len, b->hdr_bytes);
	const uint32_t piece = (len - hdr + b->pieces - 1) / b->pieces;
	struct vs_pkt *pkt = &b->pkt[b->n];
	uint8_t *data = malloc(len);
	uint32_t at;

	assert_non_null(data);
	memcpy(data, b->frame.bytes, len);
	b->memory[b->n++] = data;
	*pkt = (struct vs_pkt){
		.hdr = data,
		.hdr_len = (uint16_t)hdr,
		.len = len,
		.ext = &b->ext[b->n_ext],
		.in_port = 7,
	};
	for (at = hdr; at < len; at += piece) {
		b->ext[b->n_ext++] = (struct vs_extent){data + at, RTE_MIN(piece, len - at)};
		pkt->n_ext++;
	}
	b->row.pkt[b->row.n++] = pkt;
	return pkt;
}

struct model_tcp bench_data(uint32_t seq, uint32_t payload)
{
	return (struct model_tcp){
		.port = 5001,
		.seq = seq,
		.id = (uint16_t)(seq / MSS),
		.flags = ACK,
		.payload = payload,
		.options = 12,
	};
}

struct vs_pkt *bench_put_tcp(struct bench *b, struct model_tcp tcp)
{
	model_make(&tcp, &b->frame);
	return bench_put(b);
}

unsigned int bench_merge(struct bench *b, unsigned int takes)
{
	unsigned int joined;
	const char *wrong;

	model_note(&b->row, &b->was);
	joined = vs_gro_merge(takes, &b->row);
	assert_int_equal(b->row.n + joined, b->was.row.n);
	assert_true(b->row.n_ext <= b->row.max_ext);
	wrong = model_check(&b->was, takes, &b->row);
	if (wrong)
		fail_msg("%s", wrong);
	return joined;
}

unsigned int bench_segs(const struct bench *b, unsigned int i)
{
	const struct vs_pkt *pkt = b->row.pkt[i];

	if (pkt->debt.gso == VS_GSO_NONE)
		return 1;
	return (pkt->len - pkt->debt.hdrs + pkt->debt.gso_size - 1) / pkt->debt.gso_size;
}
