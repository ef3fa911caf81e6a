/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * A round visits every queue pair on the worker's list once. Each visit takes one burst and carries
 * it to its end (pipeline.c), so nothing is open between two visits.
 */
#include "dataplane/schedule.h"

#include "dataplane/core/memfault.h"
#include "dataplane/pipeline.h"

/*
 * The time since the last visit that brought frames is this port's: the visits in between, which
 * brought none, were made on the way to it.
 */
static unsigned int visit(struct vs_schedule *s, struct vs_ctx *ctx, const struct vs_poll *poll)
{
	const struct vs_port_hot *port = &ctx->conf->port[poll->port];
	uint64_t *cycles = &ctx->port_stats[poll->port]->cycles;
	unsigned int n;
	uint64_t now;

	vs_mem_begin();
	n = vs_pipeline_visit(ctx, port, poll->pair, &s->burst);
	if (n == 0)
		return 0;
	now = rte_rdtsc();
	__atomic_store_n(cycles, *cycles + now - s->visited_tsc, __ATOMIC_RELAXED);
	s->visited_tsc = now;
	return n;
}

static void report_fault(struct vs_ctx *ctx, const struct vs_port_hot *port)
{
	struct vs_event ev = {.type = VS_EVENT_FAULT, .port = port->id};

	if (port->ops->fault_pending(port->dev))
		vs_event_push(&ctx->events, &ev);
}

unsigned int vs_schedule_round(struct vs_schedule *s, struct vs_ctx *ctx)
{
	const struct vs_conf *conf = ctx->conf;
	const struct vs_poll_list *list = &conf->work[ctx->worker];
	unsigned int received = 0;
	unsigned int i;

	ctx->now_tsc = rte_rdtsc();
	ctx->now_s = vs_clock_seconds(ctx->now_tsc);
	s->visited_tsc = ctx->now_tsc;
	for (i = 0; i < list->n; i++) {
		const struct vs_poll *poll = &list->poll[i];

		if (poll->pair != VS_PAIR_NONE)
			received += visit(s, ctx, poll);
		if (i + 1 == list->n || list->poll[i + 1].port != poll->port)
			report_fault(ctx, &conf->port[poll->port]);
	}
	vs_event_ring_bell(&ctx->events);
	return received;
}
