/* SPDX-License-Identifier: BSD-3-Clause */
/* A row of packets to be merged, each with memory of its own that is exactly as large as it is. */
#ifndef VS_TEST_GRO_FIXTURE_H
#define VS_TEST_GRO_FIXTURE_H

#include "tests/unit/gro_model.h"

#include <rte_tcp.h>

enum {
	ALL = VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6 | VS_OFFLOAD_ECN,
	ACK = RTE_TCP_ACK_FLAG,
	PSH = RTE_TCP_PSH_FLAG,
	MSS = 1000,
};

struct bench {
	struct vs_gro_row row;
	struct model_row was;
	struct vs_pkt pkt[VS_BURST_MAX];
	struct vs_extent ext[VS_BURST_EXTENTS];
	struct vs_extent merged[2 * VS_BURST_EXTENTS];
	unsigned int n_ext;
	unsigned int n;
	uint8_t *memory[VS_BURST_MAX];
	struct model_frame frame;
	unsigned int hdr_bytes; /* private bytes of each packet */
	unsigned int pieces;    /* the rest is in so many extents */
};

struct bench *bench_make(void);

/** bench_clear() - an empty row, with room for @c max_ext extents of merged packets as before */
void bench_clear(struct bench *b);
void bench_end(struct bench *b);

/** bench_put() - b->frame becomes the next packet of the row. Return: it */
struct vs_pkt *bench_put(struct bench *b);

/** bench_data() - a segment of one flow with options; the id follows from the sequence */
struct model_tcp bench_data(uint32_t seq, uint32_t payload);

/** bench_put_tcp() - the next packet of the row. Return: it */
struct vs_pkt *bench_put_tcp(struct bench *b, struct model_tcp tcp);

/**
 * bench_merge() - merge the row, and hold it against the model
 * Return: packets that joined another.
 */
unsigned int bench_merge(struct bench *b, unsigned int takes);

/** bench_segs() - how many packets is packet @i of the merged row made of? */
unsigned int bench_segs(const struct bench *b, unsigned int i);

#endif
