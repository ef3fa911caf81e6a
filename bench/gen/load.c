/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop, and how much is sent when.
 *
 * Closed loop: a flow may send as long as fewer than W of its frames are in flight. Open loop:
 * frames fall due by the TSC, for all flows together, and go out in small batches, one flow after
 * the other. What is due and finds a full ring is not sent: the switch did not keep up. What lies
 * too far back, because somebody took the CPU away or the rate is more than the generator can do,
 * is not sent either, and counted as late beside that.
 *
 * Busy time is what lies between the last look at the clock and the end of a burst that had
 * something to do; the clock is read before each guest, so that empty polls are not counted.
 */
#include "bench/gen/gen.h"

#include <errno.h>

#define LAG_S 0.010 /* open loop: frames due longer ago are given up */
#define HOUSEKEEP_S 0.001
#define SILENCE_S 0.1  /* closed loop: then everything in flight is lost */
#define LEARN_BATCH 4u /* of frames whose receiver is known */
#define LEARN_ROUNDS 2u
#define LEARN_PATIENCE_S 2.0 /* with a full ring */

static int poll_lane(struct gen *g, struct gen_lane *l)
{
	uint64_t busy, t = gen_tsc();
	int n = l->ops->poll(g, l, t);

	if (n <= 0)
		return n;
	busy = gen_tsc() - t;
	g->busy += busy;
	g->rx_busy += busy;
	if (g->arrived && t - g->arrived > g->silence)
		g->silence = t - g->arrived;
	g->arrived = t;
	return n;
}

static int poll_all(struct gen *g)
{
	struct gen_lane *l;
	uint32_t i;
	int n;

	for (i = 0; i < g->n_lanes; i++) {
		l = &g->lane[i];
		if (l->quiet)
			continue;
		n = poll_lane(g, l);
		if (n < 0)
			return n;
	}
	return 0;
}

static int send_some(struct gen *g, struct gen_flow *f, uint32_t want)
{
	uint64_t t = gen_tsc();
	int n = f->lane->ops->send(g, f, want, t);

	if (n > 0)
		g->busy += gen_tsc() - t;
	return n;
}

static int closed_loop(struct gen *g)
{
	struct gen_flow *f;
	uint32_t i, room;
	int n;

	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		room = g->load.window - (f->tx_seq - f->rx_next);
		if (room == 0)
			continue;
		n = send_some(g, f, room < g->opt.turn ? room : g->opt.turn);
		if (n < 0)
			return n;
	}
	return 0;
}

/* Frames that have fallen due and were neither sent nor given up. */
static uint64_t frames_due(const struct gen_load *load)
{
	return (uint64_t)((double)(gen_tsc() - load->start) * load->per_tsc) - load->paced;
}

static void give_up_due(struct gen *g, uint64_t n)
{
	g->flow[g->load.turn].not_sent += n;
	g->late += n;
	g->load.paced += n;
}

static int open_loop(struct gen *g)
{
	struct gen_load *load = &g->load;
	uint64_t due, most;
	struct gen_flow *f;
	uint32_t turns;
	int n;

	due = frames_due(load);
	most = (uint64_t)(load->rate * LAG_S) + 2ull * load->batch * g->n_flows;
	for (turns = 0; due >= load->batch && turns < 8; turns++) {
		f = &g->flow[load->turn];
		load->turn = load->turn + 1 < g->n_flows ? load->turn + 1 : 0;
		n = send_some(g, f, load->batch);
		if (n < 0)
			return n;
		f->not_sent += load->batch - (uint32_t)n;
		load->paced += load->batch;
		due -= load->batch;
	}
	if (due > most)
		give_up_due(g, due - most);
	return 0;
}

/* What is not worth doing all the time. */
static int housekeep(struct gen *g, uint64_t now)
{
	uint64_t silence = (uint64_t)(g->hz * SILENCE_S);
	struct gen_flow *f;
	uint32_t i;
	int n = 0;

	g->housekept = now;
	if (g->revive)
		gen_setup_revive(g);
	for (i = 0; i < g->n_lanes && n >= 0; i++) {
		if (g->lane[i].quiet)
			n = g->lane[i].ops->poll(g, &g->lane[i], now);
	}
	for (i = 0; i < g->n_flows; i++) {
		f = &g->flow[i];
		if (f->rx_next != f->seen_next || f->tx_seq == f->rx_next || f->seen_tsc == 0) {
			f->seen_next = f->rx_next;
			f->seen_tsc = now;
		} else if (g->load.window > 0 && now - f->seen_tsc > silence) {
			gen_flow_give_up(g, f);
		}
	}
	return n < 0 ? n : 0;
}

/**
 * gen_load_run() - put the load on until a point in time
 * @g: generator
 * @until: TSC
 *
 * Return: 0, -EINTR after a signal, or -EPROTO when the back end broke a ring.
 */
int gen_load_run(struct gen *g, uint64_t until)
{
	uint64_t now, period = (uint64_t)(g->hz * HOUSEKEEP_S);
	int err;

	while ((now = gen_tsc()) < until) {
		err = poll_all(g);
		if (!err && g->n_flows > 0)
			err = g->load.window ? closed_loop(g) : open_loop(g);
		if (!err && now - g->housekept > period)
			err = housekeep(g, now);
		if (err || gen_stop)
			return err ? err : -EINTR;
	}
	return 0;
}

/**
 * gen_load_settle() - receive what is under way, send nothing; then count the rest as lost
 * @g: generator
 * @seconds: longest time to wait after the last arrival
 *
 * Return: 0 or -EPROTO.
 */
int gen_load_settle(struct gen *g, double seconds)
{
	uint64_t last = gen_tsc(), hurry = (uint64_t)(g->hz * seconds);
	uint64_t left, before = gen_flow_inflight(g);
	uint32_t i;
	int err;

	if (g->load.window == 0 && g->n_flows > 0)
		give_up_due(g, frames_due(&g->load));
	while (before > 0 && gen_tsc() - last < hurry && !gen_stop) {
		err = poll_all(g);
		if (err)
			return err;
		left = gen_flow_inflight(g);
		if (left != before)
			last = gen_tsc();
		before = left;
	}
	for (i = 0; i < g->n_flows; i++)
		gen_flow_give_up(g, &g->flow[i]);
	return 0;
}

/* Keep receiving for a while. */
static int pause_for(struct gen *g, double seconds)
{
	uint64_t end = gen_tsc() + (uint64_t)(g->hz * seconds);
	int err = 0;

	while (!err && gen_tsc() < end && !gen_stop)
		err = poll_all(g);
	return err;
}

/*
 * A flow that lends its frames to learning: from an address of one guest to the first of another.
 */
static void lend(struct gen *g, struct gen_flow *f, uint32_t src, uint32_t mac)
{
	f->src = (uint16_t)src;
	f->dst = (uint16_t)(src == 0 ? 1 : 0);
	f->lane = &g->lane[src * g->opt.pairs];
	f->src_mac = mac;
	f->dst_mac = 0;
	gen_frame_heads(g, f);
}

/* Receive until it is the turn of an address; @rate of each guest's addresses a second. */
static int await_turn(struct gen *g, uint64_t start, uint32_t mac, uint32_t rate)
{
	uint64_t due = rate ? start + (uint64_t)(g->hz * mac / rate) : 0;
	int err = 0;

	while (!err && gen_tsc() < due && !gen_stop)
		err = poll_all(g);
	return err;
}

static int learn_one(struct gen *g, struct gen_flow *f, uint32_t mac)
{
	uint64_t end = gen_tsc() + (uint64_t)(g->hz * LEARN_PATIENCE_S);
	uint32_t src = 0;
	int n;

	while (src < g->active && !gen_stop) {
		lend(g, f, src, mac);
		n = f->lane->ops->send(g, f, 1, 0);
		if (n < 0)
			return n;
		src += (uint32_t)n;
		if (n == 0 && gen_tsc() > end)
			return -ETIMEDOUT;
		/* A full ring: let the switch work, and try this guest again. */
		n = mac % LEARN_BATCH == 0 || n == 0 ? poll_all(g) : 0;
		if (n < 0)
			return n;
	}
	return 0;
}

/**
 * gen_load_learn() - show the switch all addresses
 * @g: generator, idle
 * @rate: addresses of each guest shown a second, 0: as fast as it goes
 * @ret_frames: number of frames sent
 *
 * First each guest's first address comes, slowly: the switch has to flood these frames. All others
 * then send to an address that is known, so that no limit of floods bites. They come twice, the
 * second time without a limit, for what was lost.
 *
 * Return: 0 or -errno.
 */
int gen_load_learn(struct gen *g, uint32_t rate, uint64_t *ret_frames)
{
	struct gen_flow f = {.head = g->heads + (size_t)g->n_flows * g->n_sizes, .id = UINT16_MAX};
	uint32_t trial = g->trial, round, mac;
	uint64_t start;
	int err = 0;

	if (g->active < 2)
		return 0;
	g->trial = GEN_LEARN_TRIAL;
	for (round = 0; round < 2 * LEARN_ROUNDS && !err; round++) {
		err = learn_one(g, &f, 0);
		if (!err)
			err = pause_for(g, 0.002 + 0.0002 * g->active);
	}
	for (round = 0; round < LEARN_ROUNDS && !err; round++) {
		start = gen_tsc();
		for (mac = 1; mac < g->opt.macs && !err && !gen_stop; mac++) {
			err = await_turn(g, start, mac, round == 0 ? rate : 0);
			if (!err)
				err = learn_one(g, &f, mac);
		}
	}
	if (!err)
		err = pause_for(g, 0.02);
	g->trial = trial;
	*ret_frames = f.sent;
	return err;
}
