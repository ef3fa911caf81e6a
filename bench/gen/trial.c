/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One trial: warm-up, windows, settling, totals.
 *
 * A window's line is written when the window is over; the next one begins after that, so that
 * writing is in no window. Totals reach from the end of the warm-up to the end of settling: what
 * was sent in that time and did not arrive is lost. "all" holds the sums from the very first
 * frame, which is what the switch has counted.
 */
#include "bench/gen/gen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_S 0.1
#define NEAR_NS 220
#define FAR_NS 350

struct span {
	struct gen_count count;
	uint64_t received[GEN_MAX_GUESTS];
};

static void mark(struct gen *g, struct span *s)
{
	memcpy(s->received, g->received, sizeof(s->received));
	gen_flow_count(g, &s->count);
}

static const char *bin_of(const double *ns, uint32_t n)
{
	uint32_t i, near = 0, far = 0;

	for (i = 0; i < n; i++) {
		near += ns[i] < NEAR_NS;
		far += ns[i] > FAR_NS;
	}
	if (n == 0)
		return NULL;
	return near == n ? "near" : (far == n ? "far" : "mixed");
}

static uint32_t count_down(const struct gen *g)
{
	uint32_t i, down = 0;

	for (i = 0; i < g->opt.guests && !g->opt.null; i++)
		down += g->lane[i * g->opt.pairs].ops->is_down(&g->lane[i * g->opt.pairs]);
	return down;
}

static void report_window(struct gen *g, uint32_t i, const struct span *a, const struct span *b)
{
	json_t *list = json_array(), *line = gen_report_counts(&a->count, &b->count, g->hz);
	double ns[GEN_PROBE_MAX];
	const char *bin;
	uint32_t k, n;

	n = gen_probe_take(g, a->count.tsc, b->count.tsc, ns);
	for (k = 0; k < n; k++)
		json_array_append_new(list, json_real(ns[k]));
	bin = bin_of(ns, n);
	json_object_set_new(line, "event", json_string("window"));
	json_object_set_new(line, "i", json_integer(i));
	json_object_set_new(line, "probe_ns", list);
	json_object_set_new(line, "bin", bin ? json_string(bin) : json_null());
	json_object_set_new(line, "down", json_integer(count_down(g)));
	json_object_set_new(line, "per_guest", gen_report_received(g, a->received));
	gen_report(line);
}

static json_t *percentile(const struct gen *g, double q)
{
	double cycles = gen_hist_quantile(g->hist, q);

	return cycles < 0 ? json_null() : json_real(cycles * 1e9 / g->hz);
}

static void report_trial(struct gen *g, const struct gen_trial *t, const struct span *a,
			 const uint64_t *flows)
{
	struct span b;
	json_t *line, *all;

	mark(g, &b);
	line = gen_report_counts(&a->count, &b.count, g->hz);
	all = json_pack("{s:I, s:I, s:I, s:I}", "sent", (json_int_t)b.count.sent, "received",
			(json_int_t)b.count.received, "lost", (json_int_t)b.count.lost, "not_sent",
			(json_int_t)b.count.not_sent);
	json_object_set_new(line, "event", json_string("trial"));
	json_object_set_new(line, "all", all);
	json_object_set_new(line, "windows", json_integer(t->windows));
	json_object_set_new(line, "timeouts", json_integer((json_int_t)g->timeouts));
	json_object_set_new(line, "silence_ms", json_real((double)g->silence * 1e3 / g->hz));
	json_object_set_new(line, "revived", json_integer((json_int_t)g->revived));
	json_object_set_new(line, "jain", json_real(gen_flow_jain(g, flows)));
	json_object_set_new(line, "down", json_integer(count_down(g)));
	json_object_set_new(line, "per_guest", gen_report_received(g, a->received));
	json_object_set_new(line, "latency",
			    t->latency
				    ? json_pack("{s:o, s:o, s:o}", "p50", percentile(g, 0.5), "p99",
						percentile(g, 0.99), "p999", percentile(g, 0.999))
				    : json_null());
	gen_report(line);
}

static void set_load(struct gen *g, const struct gen_trial *t)
{
	double per_batch = t->rate * 20e-6; /* a batch each 20 microseconds */

	memset(&g->load, 0, sizeof(g->load));
	g->load.window = t->closed;
	g->load.rate = t->rate;
	g->load.per_tsc = t->rate / g->hz;
	g->load.batch = per_batch < 1 ? 1 : (per_batch > 32 ? 32 : (uint32_t)per_batch);
	g->load.start = gen_tsc();
}

static int run_windows(struct gen *g, const struct gen_trial *t)
{
	uint64_t length = (uint64_t)(g->hz * t->window_ms / 1000.0);
	struct span a, b;
	uint32_t i;
	int err;

	for (i = 0; i < t->windows; i++) {
		mark(g, &a);
		err = gen_load_run(g, a.count.tsc + length);
		if (err)
			return err;
		mark(g, &b);
		report_window(g, i, &a, &b);
	}
	return 0;
}

/* Everything after the probe was started. */
static int run(struct gen *g, const struct gen_trial *t, uint64_t *flows)
{
	struct span begin;
	uint32_t i;
	int err = 0;

	g->latency = false;
	gen_flow_reset(g);
	if (g->opt.touch == GEN_TOUCH_NONE)
		err = gen_tx_prefill(g);
	if (err)
		return err;
	set_load(g, t);
	err = gen_load_run(g, gen_tsc() + (uint64_t)(g->hz * t->warmup_ms / 1000.0));
	if (err)
		return err;
	g->silence = 0;
	g->revive = t->revive;
	g->latency = t->latency && g->opt.touch != GEN_TOUCH_NONE && !g->opt.null;
	for (i = 0; i < g->n_flows; i++)
		flows[i] = g->flow[i].received;
	mark(g, &begin);
	err = run_windows(g, t);
	if (!err)
		err = gen_load_settle(g, SETTLE_S);
	g->revive = false;
	if (!err)
		report_trial(g, t, &begin, flows);
	return err;
}

/**
 * gen_trial_run() - run a trial and report it
 * @g: generator
 * @t: what to do
 *
 * Return: 0, or -errno; nothing was reported of the trial as a whole then.
 */
int gen_trial_run(struct gen *g, const struct gen_trial *t)
{
	uint64_t *flows = calloc(g->n_flows + 1, sizeof(*flows));
	int err = flows ? 0 : -ENOMEM;

	if (!err && t->probe[0] >= 0)
		err = gen_probe_start(g, t->probe[0], t->probe[1]);
	if (!err)
		err = run(g, t, flows);
	gen_probe_stop(g);
	free(flows);
	return err;
}
