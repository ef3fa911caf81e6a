/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_GEN_STAMP_H
#define BENCH_GEN_STAMP_H

/* Frames in place: what every driver does to each of them, whatever lies around it. */
#include "bench/gen/gen.h"

#include <stddef.h>
#include <string.h>

/* Next addresses of a flow: both walk through all of them, at different paces. */
static inline void gen_put_macs(const struct gen *g, struct gen_flow *f, uint8_t *frame)
{
	gen_frame_mac(f->dst, f->dst_mac, frame);
	gen_frame_mac(f->src, f->src_mac, frame + 6);
	f->src_mac = f->src_mac + 1 < g->opt.macs ? f->src_mac + 1 : 0;
	f->dst_mac += 7919;
	while (f->dst_mac >= g->opt.macs)
		f->dst_mac -= g->opt.macs;
}

static inline uint32_t gen_next_size(const struct gen *g, struct gen_flow *f)
{
	uint32_t k;

	if (g->n_sizes == 1)
		return 0;
	k = g->size_order[f->size_at];
	f->size_at = f->size_at + 1 < g->n_order ? f->size_at + 1 : 0;
	return k;
}

/**
 * gen_frame_write() - write the next frame of a flow
 * @g: generator
 * @f: flow; its number goes on
 * @frame: room for the longest one
 * @now: time for the stamp
 *
 * Return: length of the frame.
 */
static inline uint32_t gen_frame_write(struct gen *g, struct gen_flow *f, uint8_t *frame,
				       uint64_t now)
{
	uint32_t k = gen_next_size(g, f), len = g->size[k];
	uint8_t *stamp = frame + g->stamp_at;

	memcpy(frame, f->head[k], GEN_MIN_FRAME);
	if (g->head_len > GEN_MIN_FRAME)
		memcpy(frame + GEN_MIN_FRAME, f->head[k] + GEN_MIN_FRAME, GEN_HEAD - GEN_MIN_FRAME);
	if (g->opt.macs > 1)
		gen_put_macs(g, f, frame);
	memcpy(stamp + offsetof(struct gen_stamp, seq), &f->tx_seq, sizeof(f->tx_seq));
	memcpy(stamp + offsetof(struct gen_stamp, tsc), &now, sizeof(now));
	if (g->opt.size_kind == GEN_SIZE_STREAM)
		gen_stream_finish(g, f, frame, f->tx_seq, now);
	f->tx_seq++;
	if (g->opt.touch == GEN_TOUCH_ALL && len > g->head_len)
		memcpy(frame + g->head_len, g->pattern + g->head_len, len - g->head_len);
	return len;
}

/**
 * gen_frame_note() - account for a frame that arrived
 * @g: generator
 * @number: of the guest or interface it came to
 * @frame: its first GEN_MIN_FRAME bytes at least
 * @len: of the whole frame
 * @now: time of arrival
 *
 * Return: its flow, or NULL for a stray.
 */
static inline struct gen_flow *gen_frame_note(struct gen *g, uint16_t number, const uint8_t *frame,
					      uint32_t len, uint64_t now)
{
	struct gen_stamp st;
	struct gen_flow *f;

	memcpy(&st, frame + g->stamp_at, sizeof(st));
	if (st.magic != GEN_MAGIC || st.trial != g->trial || st.flow >= g->n_flows ||
	    g->flow[st.flow].dst != number) {
		g->strays++;
		return NULL;
	}
	f = &g->flow[st.flow];
	if (((st.seq - f->rx_next) & f->seq_mask) == 0) {
		f->rx_next++;
		f->received++;
	} else {
		gen_flow_late(f, st.seq, &g->bad);
	}
	g->received[number]++;
	g->bytes += len;
	if (g->latency)
		gen_hist_add(g->hist, now - st.tsc);
	return f;
}

/* Read every byte; vectors are up to the compiler. */
static inline uint64_t gen_read_all(const uint8_t *p, uint32_t n)
{
	uint64_t v, sum = 0;
	uint32_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&v, p + i, sizeof(v));
		sum += v;
	}
	for (; i < n; i++)
		sum += p[i];
	return sum;
}

#endif /* BENCH_GEN_STAMP_H */
