/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/ctx.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <string.h>

/* A sample this recent is left alone: a storm of drops must not cost a copy each. */
enum {
	SAMPLES_PER_SECOND = 1000,
};

static void keep_sample(struct vs_sample *s, const struct vs_pkt *pkt, uint64_t now)
{
	if (s->when_tsc && now - s->when_tsc < rte_get_tsc_hz() / SAMPLES_PER_SECOND)
		return;
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	s->len = pkt->len;
	s->have = (uint16_t)RTE_MIN((unsigned int)pkt->hdr_len, (unsigned int)VS_SAMPLE_BYTES);
	memcpy(s->bytes, pkt->hdr, s->have);
	s->when_tsc = now;
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

/* Which packet of the burst is it, or did it come of? */
static size_t index_of(const struct vs_ctx *ctx, const struct vs_pkt *pkt)
{
	const struct vs_fixup *fix = &ctx->fixup;
	const struct vs_burst *burst = ctx->tapped;
	unsigned int i;

	if (pkt >= burst->pkt && pkt < burst->pkt + VS_BURST_MAX)
		return (size_t)(pkt - burst->pkt);
	if (pkt >= burst->tagged && pkt < burst->tagged + VS_BURST_MAX)
		return (size_t)(pkt - burst->tagged);
	for (i = 0; i + 1 < fix->n_frames && fix->frame[i] != pkt; i++)
		;
	return fix->of[i];
}

/* Captures want to know what became of this packet, or its tagged twin, at @port. */
static void note_drop(struct vs_ctx *ctx, uint16_t port, const struct vs_pkt *pkt,
		      enum vs_drop reason)
{
	const size_t i = index_of(ctx, pkt);
	unsigned int t;

	ctx->tap.note[i].copies_dropped++;
	ctx->tap.note[i].reason = (uint8_t)reason;
	for (t = 0; t < ctx->conf->n_taps; t++) {
		if (ctx->conf->tap[t]->port == port)
			ctx->tap.fate[t][i] = (uint8_t)reason;
	}
}

void vs_ctx_count_drop(struct vs_ctx *ctx, uint16_t port, const struct vs_pkt *pkt,
		       enum vs_drop reason)
{
	struct vs_port_stats *stats = ctx->port_stats[port];

	vs_stats_add(VS_TERM_DROPS, &stats->drops[reason], 1);
	keep_sample(&stats->samples[reason], pkt, ctx->now_tsc);
	if (unlikely(ctx->tapped) && vs_drop_side(reason) == VS_DROP_SIDE_OUT)
		note_drop(ctx, port, pkt, reason);
}
