/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/ctx.h"

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

void vs_ctx_count_drop(struct vs_ctx *ctx, uint16_t port, const struct vs_pkt *pkt,
		       enum vs_drop reason)
{
	struct vs_port_stats *stats = ctx->port_stats[port];

	vs_stats_add(VS_TERM_DROPS, &stats->drops[reason], 1);
	keep_sample(&stats->samples[reason], pkt, ctx->now_tsc);
}
