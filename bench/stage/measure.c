/* SPDX-License-Identifier: BSD-3-Clause */
/* Bursts with a clock at each stage, or with callgrind's markers at some. */
#include "bench/stage/stage.h"

#include <jansson.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/*
	 * Rounds of the ring: caches and pages are warm, symbols resolved, the sender's order
	 * settled.
	 */
	WARM_UP = 2 * VSS_RING / VSS_FRAMES,
};

/* What is done with each stage of a burst. */
struct runner {
	void (*run)(struct runner *r, size_t stage, struct vss_world *w);
	const struct vss_stage *only;
	unsigned int turn;
	unsigned int repeats;
	uint64_t *ticks; /* [stage][turn] */
};

/* Does one stage take a burst from its beginning to its end? */
static bool is_whole(const struct vss_stage *s)
{
	return s->kind == VSS_WHOLE || s->kind == VSS_ROUND;
}

/* Run stages @first to @last - 1 on a burst, but those that are not of this case. */
static int run_group(struct vss_world *w, struct runner *r, size_t first, size_t last)
{
	unsigned int visit;
	size_t i;
	int err;

	for (visit = 0; visit < w->kind->visits; visit++) {
		err = vss_world_offer(w, visit);
		if (err)
			return err;
		for (i = first; i < last; i++) {
			if (vss_stage_in(&vss_stages[i], w->kind))
				r->run(r, i, w);
		}
	}
	return vss_world_collect(w);
}

/* A burst for the single stages, which stand first, and one for each that is the whole of it. */
static int run_burst(struct vss_world *w, struct runner *r)
{
	size_t i = 0;
	int err;

	while (i < vss_n_stages && !is_whole(&vss_stages[i]))
		i++;
	err = run_group(w, r, 0, i);
	for (; i < vss_n_stages && !err; i++) {
		if (vss_stage_in(&vss_stages[i], w->kind))
			err = run_group(w, r, i, i + 1);
	}
	w->turn += w->kind->visits;
	return err;
}

static void run_plain(struct runner *r, size_t stage, struct vss_world *w)
{
	(void)r;
	vss_stages[stage].plain(w);
}

static void run_marked(struct runner *r, size_t stage, struct vss_world *w)
{
	const struct vss_stage *s = &vss_stages[stage];

	/* The empty marker is always wanted: its cost is taken off. */
	if (!r->only || r->only == s || s->kind == VSS_EMPTY)
		s->mark(w);
	else
		s->plain(w);
}

static void run_timed(struct runner *r, size_t stage, struct vss_world *w)
{
	uint64_t begin = rte_rdtsc_precise();

	vss_stages[stage].mark(w);
	/* As often as a burst has visits. */
	r->ticks[stage * r->repeats + r->turn] += rte_rdtsc_precise() - begin;
}

static int warm_up(struct vss_world *w)
{
	struct runner plain = {.run = run_plain};
	unsigned int i;
	int err = 0;

	for (i = 0; i < WARM_UP && !err; i++)
		err = run_burst(w, &plain);
	return err;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * Ticks of a burst at quarter @q (0..4) of the sorted @ticks, without @empty, as @scale per frame.
 */
static json_t *quantile(const struct runner *r, const uint64_t *ticks, unsigned int q,
			uint64_t empty, double scale)
{
	uint64_t at = ticks[(uint64_t)(r->repeats - 1) * q / 4];

	return json_real((double)(at > empty ? at - empty : 0) * scale / VSS_FRAMES);
}

static json_t *summary(const struct runner *r, const uint64_t *ticks, uint64_t empty, double scale)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "median", quantile(r, ticks, 2, empty, scale),
			 "min", quantile(r, ticks, 0, empty, scale), "q1",
			 quantile(r, ticks, 1, empty, scale), "q3",
			 quantile(r, ticks, 3, empty, scale));
}

static int print(json_t *line)
{
	int err = -ENOMEM;

	if (line) {
		err = json_dumpf(line, stdout, JSON_REAL_PRECISION(6)) == 0 ? 0 : -EIO;
		json_decref(line);
	}
	if (!err && (putchar('\n') == EOF || fflush(stdout) != 0))
		err = -EIO;
	return err;
}

static int report_times(const struct vss_world *w, const struct runner *r)
{
	double ns = 1e9 / (double)rte_get_tsc_hz();
	uint64_t empty = 0;
	size_t i;
	int err = 0;

	for (i = 0; i < vss_n_stages && !err; i++) {
		const struct vss_stage *s = &vss_stages[i];
		uint64_t *ticks = &r->ticks[i * r->repeats];

		if (!vss_stage_in(s, w->kind))
			continue;
		qsort(ticks, r->repeats, sizeof(*ticks), compare);
		if (s->kind == VSS_EMPTY)
			empty = ticks[(r->repeats - 1) / 2];
		err = print(json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:o}", "event", "time",
				      "case", w->kind->name, "stage", s->name, "frames", VSS_FRAMES,
				      "repeats", (int)r->repeats, "ns",
				      summary(r, ticks, s->kind == VSS_EMPTY ? 0 : empty, ns),
				      "cycles",
				      summary(r, ticks, s->kind == VSS_EMPTY ? 0 : empty, 1)));
	}
	return err;
}

int vss_time(struct vss_world *w, unsigned int repeats)
{
	struct runner r = {.run = run_timed, .repeats = repeats};
	int err;

	r.ticks = calloc(vss_n_stages * repeats, sizeof(*r.ticks));
	if (!r.ticks)
		return -ENOMEM;
	err = warm_up(w);
	for (r.turn = 0; r.turn < repeats && !err; r.turn++)
		err = run_burst(w, &r);
	if (!err)
		err = report_times(w, &r);
	free(r.ticks);
	return err;
}

int vss_count(struct vss_world *w, const struct vss_stage *only, unsigned int bursts)
{
	struct runner r = {.run = run_marked, .only = only};
	unsigned int i;
	int err;

	err = warm_up(w);
	for (i = 0; i < bursts && !err; i++)
		err = run_burst(w, &r);
	if (err)
		return err;
	return print(json_pack("{s:s, s:s, s:s, s:i, s:i}", "event", "counted", "case",
			       w->kind->name, "stage", only ? only->name : "all", "frames",
			       VSS_FRAMES, "bursts", (int)bursts));
}
