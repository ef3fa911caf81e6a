/* SPDX-License-Identifier: BSD-3-Clause */
/* How ports share a worker's time (dataplane/fair.h), on made-up costs and a made-up clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/fair.h"

#include <stdio.h>
#include <string.h>

enum {
	PORTS = 8,
	GRAIN = 50000, /* 20 us of 2.5 GHz */
	BURST = 64,
	EMPTY = 40, /* ticks of a visit that brings nothing */
};

enum unit {
	BYTES,
	CYCLES,
};

/**
 * struct port - somebody who sends
 * @period:	ticks between two frames; 0: its rings are always full
 * @fixed, @per_frame: ticks that a visit costs
 * @bytes:	of a frame
 * @pairs:	queue pairs, all alike
 * @heavy:	a port that many stand behind
 */
struct port {
	uint64_t period;
	uint64_t fixed;
	uint64_t per_frame;
	uint64_t bytes;
	unsigned int pairs;
	bool heavy;

	struct vs_fair_share share;
	uint64_t next; /* when the next frame comes */
	uint64_t waiting;
	uint64_t lost;
	uint64_t ticks;
	uint64_t frames;
	uint64_t visits;
	uint64_t longest; /* time between two visits */
	uint64_t last;
};

struct world {
	struct vs_fair fair;
	struct port port[PORTS];
	unsigned int n;
	uint64_t now;
	/* Rounds in a row that brought nothing while somebody had frames, now and at most. */
	unsigned int wasted;
	unsigned int wasted_most;
};

/* A guest that sends frames of 64 bytes as fast as it can. */
static const struct port plain = {.fixed = 600, .per_frame = 230, .bytes = 64, .pairs = 1};

static void arrive(struct port *p, uint64_t now)
{
	if (p->period == 0) {
		p->waiting = 256;
		return;
	}
	while (p->next <= now) {
		p->next += p->period;
		if (p->waiting == 256)
			p->lost++;
		else
			p->waiting++;
	}
}

static unsigned int visit(struct world *w, struct port *p)
{
	unsigned int n;
	uint64_t cost;

	arrive(p, w->now);
	n = (unsigned int)(p->waiting < BURST ? p->waiting : BURST);
	cost = n ? p->fixed + n * p->per_frame : EMPTY;
	p->waiting -= n;
	if (p->visits++ && w->now - p->last > p->longest)
		p->longest = w->now - p->last;
	w->now += cost;
	p->last = w->now;
	if (n == 0)
		return 0;
	p->ticks += cost;
	p->frames += n;
	vs_fair_charge(&w->fair, &p->share, p->heavy ? cost / vs_fair_weight(&w->fair) : cost);
	return n;
}

/* What the schedule does in a round. */
static void go_round(struct world *w)
{
	unsigned int received = 0;
	unsigned int hungry = 0;
	unsigned int i;

	for (i = 0; i < w->n; i++) {
		arrive(&w->port[i], w->now);
		hungry += w->port[i].waiting > 0;
	}
	vs_fair_begin(&w->fair);
	for (i = 0; i < w->n; i++) {
		struct port *p = &w->port[i];
		unsigned int brought = 0;
		unsigned int k;

		for (k = 0; k < p->pairs && vs_fair_admits(&w->fair, &p->share); k++)
			brought += visit(w, p);
		if (k)
			p->share.active = brought > 0;
		vs_fair_note(&w->fair, &p->share);
		received += brought;
	}
	vs_fair_end(&w->fair);
	w->wasted = hungry && !received ? w->wasted + 1 : 0;
	if (w->wasted > w->wasted_most)
		w->wasted_most = w->wasted;
	if (!received)
		w->now += EMPTY;
}

static void run(struct world *w, uint64_t ticks)
{
	uint64_t end = w->now + ticks;

	while (w->now < end)
		go_round(w);
}

static struct world *make(unsigned int n, struct port first, struct port rest)
{
	static struct world w;
	unsigned int i;

	memset(&w, 0, sizeof(w));
	w.fair.grain = GRAIN;
	w.n = n;
	for (i = 0; i < n; i++)
		w.port[i] = i ? rest : first;
	return &w;
}

static double jain(const struct world *w, unsigned int from, enum unit unit)
{
	double sum = 0;
	double squares = 0;
	unsigned int i;

	for (i = from; i < w->n; i++) {
		const struct port *p = &w->port[i];
		double x = (double)(unit == BYTES ? p->frames * p->bytes : p->ticks);

		sum += x;
		squares += x * x;
	}
	return sum * sum / ((w->n - from) * squares);
}

/* One of eight does what it can to get more than the others; they are all busy. */
static void expect_fair(const char *what, struct port first)
{
	struct world *w = make(PORTS, first, plain);
	double share;

	run(w, 2500000000u);
	share = (double)w->port[0].ticks / (double)w->now;
	(void)printf("# %s: share of the first %.4f, Jain of the rest %.4f (bytes) %.4f (cycles), "
		     "of all %.4f (cycles)\n",
		     what, share, jain(w, 1, BYTES), jain(w, 1, CYCLES), jain(w, 0, CYCLES));
	assert_true(share > 0.120 && share < 0.130);
	assert_true(jain(w, 1, BYTES) > 0.999);
	assert_true(jain(w, 0, CYCLES) > 0.999);
	assert_int_equal(w->wasted_most, 0);
}

static void test_hostile_among_eight(void **state)
{
	struct port many = plain;

	expect_fair("the same", plain);
	expect_fair("64 KiB frames",
		    (struct port){.fixed = 600, .per_frame = 22000, .bytes = 65226, .pairs = 1});
	expect_fair("floods to 384 ports",
		    (struct port){.fixed = 600, .per_frame = 70000, .bytes = 64, .pairs = 1});
	expect_fair("64-descriptor chains",
		    (struct port){.fixed = 600, .per_frame = 2500, .bytes = 64, .pairs = 1});
	many.pairs = 8;
	expect_fair("eight queue pairs", many);
	many.per_frame = 22000;
	expect_fair("eight queue pairs of large frames", many);
	expect_fair("one frame at a time",
		    (struct port){.fixed = 800, .per_frame = 0, .bytes = 64, .pairs = 1});
}

/* Who asks for less than its share gets all of it, at once; the rest is shared by the others. */
static void test_modest_port_is_served_first(void **state)
{
	struct port modest = plain;
	struct port greedy = {.fixed = 600, .per_frame = 2500, .bytes = 64, .pairs = 1};
	struct world *w;

	modest.period = 5000; /* a frame every 2 us: 830 ticks of 5000 if taken one by one */
	w = make(4, modest, greedy);
	run(w, 2500000000u);
	assert_int_equal(w->port[0].lost, 0);
	assert_true(w->port[0].frames > 499000);
	/* A visit of each of the others lies between two of its own, or one more. */
	assert_true(w->port[0].longest < 4 * 64 * 2500 + GRAIN);
	assert_true(jain(w, 1, CYCLES) > 0.999);
	assert_true(w->wasted_most <= 1);
}

/* It takes one round at the most to find out that who is to be served first has nothing. */
static void test_nobody_waits_for_the_idle(void **state)
{
	struct port idle = plain;
	struct port greedy = {.fixed = 600, .per_frame = 22000, .bytes = 65226, .pairs = 1};
	struct world *w;
	unsigned int i;

	idle.period = UINT64_C(1) << 60;
	idle.next = idle.period;
	w = make(PORTS, greedy, idle);
	run(w, 250000000u);
	assert_int_equal(w->wasted_most, 0);
	assert_true((double)w->port[0].ticks > 0.999 * (double)w->now);
	/* Time that was not used is not saved up. */
	for (i = 1; i < PORTS; i++)
		w->port[i] = (struct port){.fixed = plain.fixed,
					   .per_frame = plain.per_frame,
					   .bytes = 64,
					   .pairs = 1,
					   .share = w->port[i].share};
	for (i = 0; i < PORTS; i++)
		w->port[i].ticks = 0;
	w->port[0].visits = 0;
	w->port[0].longest = 0;
	run(w, 250000000u);
	assert_true(jain(w, 0, CYCLES) > 0.995);
	/* Seven times what a visit of its own costs, and a little. */
	assert_true(w->port[0].longest < 8 * (64 * 22000 + 2 * GRAIN));
}

/* Comings and goings: whoever is there has its share, and the line never moves backwards. */
static void test_comings_and_goings(void **state)
{
	struct world *w = make(PORTS, plain, plain);
	uint64_t line = 0;
	uint32_t seed = 1;
	unsigned int k;

	for (k = 0; k < 20000; k++) {
		struct port *p = &w->port[(seed >> 16) % PORTS];

		seed = seed * 1103515245 + 12345;
		if (seed >> 31) {
			p->period = 0;
		} else {
			p->period = 1000 + (seed >> 12) % 100000;
			p->next = w->now + p->period;
			p->waiting = 0;
		}
		p->per_frame = 100 + (seed >> 8) % 20000;
		go_round(w);
		assert_true(w->fair.line >= line);
		line = w->fair.line;
	}
	/* Each of those that fell silent is found out once. */
	assert_true(w->wasted_most < PORTS);
}

/* An uplink may use as much as all others together, and no more. */
static void test_a_port_that_many_stand_behind(void **state)
{
	struct port uplink = plain;
	struct world *w;
	double share;

	uplink.heavy = true;
	w = make(5, uplink, plain);
	run(w, 250000000u);
	share = (double)w->port[0].ticks / (double)w->now;
	assert_true(share > 0.45 && share < 0.55);
	assert_true(jain(w, 1, CYCLES) > 0.999);
	/* One guest and one uplink: half and half. */
	w = make(2, uplink, plain);
	run(w, 250000000u);
	share = (double)w->port[0].ticks / (double)w->now;
	assert_true(share > 0.45 && share < 0.55);
}

/* Alike ports are visited in turn, as if there were no accounts. */
static void test_alike_ports_take_turns(void **state)
{
	struct world *w = make(PORTS, plain, plain);
	unsigned int i;
	unsigned int k;

	for (i = 0; i < PORTS; i++)
		w->port[i].per_frame += i;
	for (k = 0; k < 100; k++)
		go_round(w);
	for (i = 0; i < PORTS; i++)
		assert_int_equal(w->port[i].visits, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_among_eight),
		cmocka_unit_test(test_modest_port_is_served_first),
		cmocka_unit_test(test_nobody_waits_for_the_idle),
		cmocka_unit_test(test_comings_and_goings),
		cmocka_unit_test(test_a_port_that_many_stand_behind),
		cmocka_unit_test(test_alike_ports_take_turns),
	};

	return cmocka_run_group_tests_name("fair", tests, NULL, NULL);
}
