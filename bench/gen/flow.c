/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flows and their sequence numbers.
 *
 * Theory of operation. A receiver expects numbers in order. One that is ahead leaves a gap: its
 * numbers count as lost at once, and the gap is remembered. One from behind that lies in a gap
 * was reordered and is no longer lost; one that lies in none is a duplicate. Frames that arrive in
 * order therefore cost one comparison. In a closed loop the frames in flight are simply those
 * between the receiver's and the sender's number: what is lost gives its place back as soon as a
 * later frame shows it, or after a time without any (gen_flow_give_up()).
 *
 * Where frames carry no numbers of their own (nothing is copied, or nothing written) the mask is
 * 0, every frame counts as the expected one, and what is missing shows at the end.
 */
#include "bench/gen/gen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t count_flows(const struct gen *g)
{
	uint32_t n = g->active < 2 ? 0 : g->active - 1;

	if (g->opt.flow == GEN_FLOW_PAIRS)
		n = g->active < 2 ? 0 : (g->opt.one_way ? g->active / 2 : g->active);
	return n * g->opt.pairs * g->opt.streams;
}

/* Sender and receiver of the flow number i among the flows of one queue. */
static void ends_of(const struct gen *g, uint32_t i, uint16_t *ret_src, uint16_t *ret_dst)
{
	switch (g->opt.flow) {
	case GEN_FLOW_ALL_TO_ONE:
		*ret_src = (uint16_t)(i + 1);
		*ret_dst = 0;
		return;
	case GEN_FLOW_ONE_TO_ALL:
		*ret_src = 0;
		*ret_dst = (uint16_t)(i + 1);
		return;
	case GEN_FLOW_PAIRS:
		*ret_src = (uint16_t)(g->opt.one_way ? 2 * i : i);
		*ret_dst = *ret_src ^ 1;
		return;
	}
}

/* What arrives in a lane can be told apart only if a guest receives from one flow. */
static void find_only(struct gen *g)
{
	uint32_t i, k;

	for (i = 0; i < g->n_lanes; i++)
		g->lane[i].only = NULL;
	if (g->opt.pairs > 1 || g->opt.streams > 1 || g->opt.flow == GEN_FLOW_ALL_TO_ONE)
		return;
	for (k = 0; k < g->n_flows; k++)
		g->lane[g->flow[k].dst].only = &g->flow[k];
}

/**
 * gen_flow_init() - make the flows
 * @g: generator whose guests are up
 *
 * Return: 0 or -ENOMEM.
 */
int gen_flow_init(struct gen *g)
{
	uint32_t i, per_queue, q = g->opt.pairs;
	struct gen_flow *f;

	g->n_flows = count_flows(g);
	g->flow = aligned_alloc(64, sizeof(*g->flow) * (g->n_flows + 1));
	/* One flow more: learning borrows it. */
	g->heads = calloc((size_t)(g->n_flows + 1) * g->n_sizes, sizeof(*g->heads));
	if (!g->flow || !g->heads)
		return -ENOMEM;
	memset(g->flow, 0, sizeof(*g->flow) * (g->n_flows + 1));
	per_queue = g->n_flows / q;
	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		f->id = (uint16_t)i;
		ends_of(g, i % per_queue / g->opt.streams, &f->src, &f->dst);
		f->lane = &g->lane[f->src * q + i / per_queue];
		f->head = &g->heads[(size_t)i * g->n_sizes];
		f->seq_mask = g->opt.null || g->opt.touch == GEN_TOUCH_NONE ? 0 : UINT32_MAX;
	}
	find_only(g);
	return 0;
}

/**
 * gen_flow_reset() - begin a trial: numbers from 0, a new trial in the stamps
 * @g: generator
 */
void gen_flow_reset(struct gen *g)
{
	struct gen_flow *f;
	uint32_t i;

	/* What is under way from before belongs to another trial and counts as a stray. */
	if (!g->opt.null)
		g->trial++;
	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		f->tx_seq = 0;
		f->rx_next = 0;
		f->n_gaps = 0;
		memset(f->gap, 0, sizeof(f->gap));
		f->sent = 0;
		f->received = 0;
		f->lost = 0;
		f->reordered = 0;
		f->duplicates = 0;
		f->not_sent = 0;
		f->seen_next = 0;
		f->seen_tsc = 0;
		gen_frame_heads(g, f);
	}
	memset(g->received, 0, sizeof(g->received));
	memset(g->hist, 0, sizeof(g->hist));
	g->busy = 0;
	g->rx_busy = 0;
	g->bad = 0;
	g->strays = 0;
	g->late = 0;
	g->bytes = 0;
	g->timeouts = 0;
	g->arrived = 0;
	g->silence = 0;
	g->revived = 0;
	g->check_left = g->opt.check;
}

/**
 * gen_flow_count() - sum everything up
 * @g: generator
 * @ret_count: sums since the start of the trial, with the time of now
 */
void gen_flow_count(struct gen *g, struct gen_count *ret_count)
{
	const struct gen_flow *f;
	struct gen_count c = {0};
	uint32_t i;

	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		c.sent += f->sent;
		c.received += f->received;
		c.lost += f->lost;
		c.reordered += f->reordered;
		c.duplicates += f->duplicates;
		c.not_sent += f->not_sent;
	}
	c.bad = g->bad;
	c.strays = g->strays;
	c.late = g->late;
	c.overruns = gen_if_overruns(g);
	c.bytes = g->bytes;
	c.busy = g->busy;
	c.rx_busy = g->rx_busy;
	c.steal_ticks = gen_clock_steal();
	c.tsc = gen_tsc();
	*ret_count = c;
}

static void open_gap(struct gen_flow *f, uint32_t from, uint32_t to)
{
	f->gap[f->n_gaps++ % GEN_MAX_GAPS] = (struct gen_gap){from, to};
}

/* Close the place of a number in a gap; false if no gap has it. */
static bool fill_gap(struct gen_flow *f, uint32_t seq)
{
	struct gen_gap *gap;
	uint32_t i, to;

	for (i = 0; i < GEN_MAX_GAPS; i++) {
		gap = &f->gap[i];
		if (seq - gap->from >= gap->to - gap->from)
			continue;
		to = gap->to;
		gap->to = seq;
		if (gap->to == gap->from)
			*gap = (struct gen_gap){seq + 1, to};
		else if (seq + 1 != to)
			open_gap(f, seq + 1, to);
		return true;
	}
	return false;
}

/**
 * gen_flow_late() - account for a number that is not the expected one
 * @f: flow
 * @seq: number
 * @bad: counted up for a number that was never sent
 */
void gen_flow_late(struct gen_flow *f, uint32_t seq, uint64_t *bad)
{
	uint32_t ahead = seq - f->rx_next;

	if ((int32_t)(seq - f->tx_seq) >= 0) {
		(*bad)++;
	} else if ((int32_t)ahead >= 0) {
		open_gap(f, f->rx_next, seq);
		f->lost += ahead;
		f->rx_next = seq + 1;
		f->received++;
	} else if (fill_gap(f, seq)) {
		f->lost--;
		f->reordered++;
		f->received++;
	} else {
		f->duplicates++;
	}
}

/**
 * gen_flow_give_up() - count everything in flight as lost
 * @g: generator
 * @f: flow that has received nothing for too long
 */
void gen_flow_give_up(struct gen *g, struct gen_flow *f)
{
	uint32_t n = f->tx_seq - f->rx_next;

	if (n == 0)
		return;
	open_gap(f, f->rx_next, f->tx_seq);
	f->lost += n;
	f->rx_next = f->tx_seq;
	g->timeouts++;
}

/**
 * gen_flow_inflight() - frames sent that have neither arrived nor been lost
 * @g: generator
 *
 * Return: their number.
 */
uint64_t gen_flow_inflight(const struct gen *g)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < g->n_flows; i++)
		sum += g->flow[i].tx_seq - g->flow[i].rx_next;
	return sum;
}

/**
 * gen_flow_jain() - Jain's index of fairness over what was delivered
 * @g: generator
 * @before: received of each flow at the start
 *
 * Frames are summed by sender, from one sender by receiver.
 *
 * Return: 1 for equal shares, 1/n when one has everything; 1 without frames.
 */
double gen_flow_jain(const struct gen *g, const uint64_t *before)
{
	double share[GEN_MAX_GUESTS] = {0}, sum = 0, squares = 0;
	const struct gen_flow *f;
	uint32_t i, n = 0;

	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		share[g->opt.flow == GEN_FLOW_ONE_TO_ALL ? f->dst : f->src] +=
			(double)(f->received - before[i]);
	}
	for (i = 0; i < g->active; i++) {
		sum += share[i];
		squares += share[i] * share[i];
	}
	n = g->n_flows / (g->opt.pairs * g->opt.streams);
	return squares > 0 ? sum * sum / (n * squares) : 1;
}
