/* SPDX-License-Identifier: BSD-3-Clause */
/* Which queue pairs a round visits: hot ones, and of the others those that something came to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/memfault.h"
#include "dataplane/schedule.h"
#include "tests/unit/eal.h"

#include <stdlib.h>
#include <string.h>

enum {
	PORTS = 200,
	PAIRS = 2,
	POLLS = PORTS * PAIRS,
	FID = 5,
	QUIET = 70, /* rounds after which a port that brings nothing is not visited any more */
	SLICES = 400 / 64 + 1,
};

/** struct dev - a port with a word per queue pair that says how many frames there are */
struct dev {
	uint16_t there[PAIRS];
	uint16_t taken[PAIRS];
	uint32_t visits[PAIRS];
	uint32_t watched;
	uint32_t asked;
	bool stopped;
	uint32_t slow_us;   /* its visits take so long */
	uint32_t made;      /* and make so many frames, */
	struct vs_ctx *ctx; /* which are counted here */
	bool fault;
};

struct fixture {
	struct vs_schedule *s;
	struct vs_ctx *ctx;
	struct vs_conf *conf;
	struct vs_poll poll[POLLS + 1];
	struct dev dev[PORTS];
	struct vs_port_stats stats[PORTS];
	bool accounts;
};

static void be_slow(const struct dev *dev)
{
	const uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * dev->slow_us;

	dev->ctx->n_made = dev->made;
	while (rte_rdtsc() < end)
		rte_pause();
}

static void dev_rx(void *arg, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct dev *dev = arg;

	dev->visits[pair]++;
	if (dev->there[pair] == dev->taken[pair])
		return;
	dev->taken[pair]++;
	if (dev->slow_us)
		be_slow(dev);
	burst->pkt[0] = (struct vs_pkt){.hdr = burst->hdr[0].bytes, .len = 5, .hdr_len = 5};
	burst->n = 1;
}

static void dev_rx_done(void *arg, unsigned int pair)
{
}

static void dev_tx(void *arg, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		   uint8_t *fate)
{
	memset(fate, VS_DROP_NONE, n);
}

static bool dev_fault(void *arg)
{
	struct dev *dev = arg;
	bool fault = dev->fault;

	dev->asked++;
	dev->fault = false;
	return fault;
}

static struct vs_watch dev_watch(void *arg, unsigned int pair)
{
	struct dev *dev = arg;

	dev->watched++;
	if (dev->stopped)
		return (struct vs_watch){0};
	return (struct vs_watch){.word = &dev->there[pair], .seen = dev->taken[pair]};
}

static const struct vs_port_ops watched_ops = {
	.rx = dev_rx,
	.rx_done = dev_rx_done,
	.tx = dev_tx,
	.fault_pending = dev_fault,
	.watch = dev_watch,
};

static const struct vs_port_ops plain_ops = {
	.rx = dev_rx,
	.rx_done = dev_rx_done,
	.tx = dev_tx,
	.fault_pending = dev_fault,
};

static struct vs_conf *new_conf(struct fixture *f)
{
	struct vs_conf *conf = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*conf));
	uint16_t i;

	assert_non_null(conf);
	memset(conf, 0, sizeof(*conf));
	for (i = 0; i < PORTS; i++) {
		conf->port[i] = (struct vs_port_hot){
			.ops = &watched_ops,
			.dev = &f->dev[i],
			.max_frame = 1514,
			.id = i,
			.fid = FID,
			.flags = VS_PORT_ADMIN_UP | VS_PORT_UP,
			.pairs = PAIRS,
		};
	}
	for (i = 0; i < POLLS; i++)
		f->poll[i] = (struct vs_poll){.port = i / PAIRS, .pair = i % PAIRS};
	conf->work[0] = (struct vs_poll_list){.poll = f->poll, .n = POLLS};
	return conf;
}

static struct fixture *make(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	unsigned int i;

	assert_non_null(f);
	f->s = calloc(1, sizeof(*f->s));
	f->ctx = calloc(1, sizeof(*f->ctx));
	assert_non_null(f->s);
	assert_non_null(f->ctx);
	assert_int_equal(vs_event_ring_init(&f->ctx->events, 0), 0);
	f->conf = new_conf(f);
	f->ctx->conf = f->conf;
	for (i = 0; i < PORTS; i++)
		f->ctx->port_stats[i] = &f->stats[i];
	return f;
}

static void finish(struct fixture *f)
{
	vs_event_ring_fini(&f->ctx->events);
	free(f->conf);
	free(f->ctx);
	free(f->s);
	free(f);
}

/*
 * Without the once-a-second look at everything, which would hide what is tested, and without the
 * accounts, unless they are what is tested: a preempted visit makes a port wait.
 */
static unsigned int go_round(struct fixture *f)
{
	uint64_t margin = rte_get_tsc_hz() / 20;
	uint64_t now = rte_rdtsc();

	while (vs_clock_seconds(now) != vs_clock_seconds(now + margin))
		now = rte_rdtsc();
	if (f->s->conf)
		f->s->second = vs_clock_seconds(now);
	if (!f->accounts)
		memset(f->s->share, 0, sizeof(f->s->share));
	return vs_schedule_round(f->s, f->ctx);
}

static unsigned int rounds(struct fixture *f, unsigned int n)
{
	unsigned int received = 0;

	while (n--)
		received += go_round(f);
	return received;
}

static uint32_t visits(const struct fixture *f)
{
	uint32_t n = 0;
	unsigned int i;

	for (i = 0; i < PORTS; i++)
		n += f->dev[i].visits[0] + f->dev[i].visits[1];
	return n;
}

static void test_quiet_ports_are_not_visited(void **state)
{
	struct fixture *f = make();

	rounds(f, 100);
	assert_int_equal(visits(f), 0);
	/* A frame is taken in the round after it came: all are looked at when there is time. */
	f->dev[123].there[1]++;
	assert_int_equal(go_round(f), 1);
	assert_int_equal(f->dev[123].visits[0], 1);
	assert_int_equal(f->dev[123].visits[1], 1);
	/* A hot port is visited in every round, for a while. */
	rounds(f, 10);
	assert_int_equal(f->dev[123].visits[0], 11);
	rounds(f, QUIET);
	assert_in_range(f->dev[123].visits[0], 60, 70);
	assert_int_equal(visits(f), 2 * f->dev[123].visits[0]);
	/* Watched again: the next frame is seen as the first one was. */
	rounds(f, 100);
	f->dev[123].there[0]++;
	assert_int_equal(go_round(f), 1);
	finish(f);
}

/* While there is work, the others are looked at in slices. */
static void test_slices_reach_everybody(void **state)
{
	struct fixture *f = make();
	unsigned int i;

	f->dev[0].there[0] = 60000;
	rounds(f, 3);
	for (i = 1; i < PORTS; i++) {
		f->dev[i].there[i % PAIRS]++;
		rounds(f, SLICES);
		assert_int_equal(f->dev[i].taken[i % PAIRS], 1);
	}
	/* All at once. */
	for (i = 1; i < PORTS; i++)
		f->dev[i].there[0] += 3;
	rounds(f, 2 * PORTS);
	for (i = 1; i < PORTS; i++)
		assert_int_equal(f->dev[i].taken[0], f->dev[i].there[0]);
	finish(f);
}

/* Frames that came between the last visit and the decision to watch are seen. */
static void test_nothing_falls_between(void **state)
{
	struct fixture *f = make();
	unsigned int wait;

	for (wait = 50; wait < 80; wait++) {
		f->dev[7].there[0]++;
		assert_int_equal(rounds(f, 2), 1);
		rounds(f, wait);
		f->dev[7].there[1]++;
		f->dev[7].there[0]++;
		assert_int_equal(rounds(f, 3), 2);
		rounds(f, 2 * QUIET);
	}
	finish(f);
}

/* A ring that was stopped is not looked at; one that was started is. */
static void test_epochs(void **state)
{
	struct fixture *f = make();
	uint32_t watched;

	rounds(f, 10);
	watched = f->dev[5].watched;
	rounds(f, 10);
	assert_int_equal(f->dev[5].watched, watched);
	f->dev[5].stopped = true;
	vs_watch_changed();
	go_round(f);
	assert_int_equal(f->dev[5].watched, watched + PAIRS);
	f->dev[5].there[0]++;
	assert_int_equal(rounds(f, 100), 0);
	f->dev[5].stopped = false;
	vs_watch_changed();
	assert_int_equal(go_round(f), 1);
	/* Of one that is hot, too. */
	f->dev[5].there[0]++;
	vs_watch_changed();
	assert_int_equal(rounds(f, 2), 1);
	/* It stays hot until it is quiet, whoever else comes and goes. */
	watched = f->dev[5].watched;
	vs_watch_changed();
	go_round(f);
	assert_int_equal(f->dev[5].watched, watched);
	assert_int_equal(rounds(f, 100), 0);
	/* Once a second, whatever happens. */
	watched = f->dev[5].watched;
	f->s->second--;
	vs_schedule_round(f->s, f->ctx);
	assert_int_equal(f->dev[5].watched, watched + PAIRS);
	finish(f);
}

/* What a new configuration leaves out is never touched again. */
static void test_new_configuration(void **state)
{
	struct fixture *f = make();
	struct vs_conf *old = f->conf;
	unsigned int i;

	for (i = 0; i < PORTS; i++)
		f->dev[i].there[0] = 1000;
	rounds(f, 5);
	f->conf = new_conf(f);
	f->ctx->conf = f->conf;
	f->conf->work[0].n = 4; /* ports 0 and 1 */
	for (i = 2; i < PORTS; i++)
		f->conf->port[i] = (struct vs_port_hot){0};
	memset(old, 0xa5, sizeof(*old));
	rounds(f, 5);
	for (i = 2; i < PORTS; i++)
		assert_int_equal(f->dev[i].taken[0], 5);
	assert_int_equal(f->dev[1].taken[0], 10);
	f->conf->work[0].n = 0;
	vs_watch_changed();
	assert_int_equal(rounds(f, 5), 0);
	free(old);
	finish(f);
}

/* A kind that cannot be watched is visited in every round; a port without pairs only asked. */
static void test_other_kinds(void **state)
{
	struct fixture *f = make();

	f->conf->port[10].ops = &plain_ops;
	f->poll[POLLS] = (struct vs_poll){.port = PORTS - 1, .pair = VS_PAIR_NONE};
	f->poll[POLLS - 2] = f->poll[POLLS];
	f->conf->work[0].n = POLLS - 1;
	rounds(f, 1000);
	assert_int_equal(f->dev[10].visits[0], 1000);
	assert_int_equal(f->dev[10].visits[1], 1000);
	assert_int_equal(f->dev[10].asked, 1000);
	assert_int_equal(visits(f), 2000);
	assert_int_equal(f->dev[10].watched + f->dev[PORTS - 1].watched, 0);
	assert_true(f->dev[PORTS - 1].asked > 0);
	finish(f);
}

static unsigned int faults(struct fixture *f, uint16_t port)
{
	struct vs_event ev[8];
	unsigned int n = vs_event_pop(&f->ctx->events, ev, 8);
	unsigned int i;

	for (i = 0; i < n; i++) {
		assert_int_equal(ev[i].type, VS_EVENT_FAULT);
		assert_int_equal(ev[i].port, port);
	}
	return n;
}

/* Faults of quiet ports are found too, also while others are busy. */
static void test_faults_of_quiet_ports(void **state)
{
	struct fixture *f = make();
	unsigned int i;

	for (i = 0; i < 2 * PORTS; i++) {
		if (i == PORTS)
			f->dev[0].there[0] = 60000;
		f->dev[i % PORTS].fault = true;
		rounds(f, PORTS / 8 + 2);
		assert_int_equal(faults(f, (uint16_t)(i % PORTS)), 1);
	}
	finish(f);
}

/* The pairs of a port that waits for its share have their turns, one as often as the other. */
static void test_pairs_take_turns(void **state)
{
	struct fixture *f = make();

	f->accounts = true;
	f->dev[3].there[0] = f->dev[3].there[1] = 60000;
	f->dev[4].there[0] = 60000;
	rounds(f, 1);
	/* Port 3 is far ahead: one visit, then it has to wait again. */
	f->s->share[3].spent += 1000 * f->s->fair.grain;
	rounds(f, 100);
	assert_int_equal(f->dev[3].taken[0] + f->dev[3].taken[1], 2);
	assert_int_equal(f->dev[4].taken[0], 101);
	/* It waits for the active only. */
	f->dev[4].there[0] = f->dev[4].taken[0];
	rounds(f, 2 + QUIET);
	assert_true(f->dev[3].taken[0] > 60);
	assert_in_range(f->dev[3].taken[0], f->dev[3].taken[1] - 1, f->dev[3].taken[1] + 1);
	finish(f);
}

/* What a long visit is charged with at the most: for what it took, and what was made of that. */
static void test_charge(void **state)
{
	static const uint32_t made[] = {0, 1000};
	struct fixture *f = make();
	unsigned int i;

	f->accounts = true;
	f->dev[3].slow_us = 5000;
	f->dev[3].ctx = f->ctx;
	for (i = 0; i < 2; i++) {
		const uint64_t us = VS_CHARGE_US + VS_CHARGE_FRAME_US + made[i] * VS_CHARGE_MADE_US;

		memset(f->s->share, 0, sizeof(f->s->share));
		f->s->fair = (struct vs_fair){0};
		f->s->conf = NULL;
		f->dev[3].made = made[i];
		f->dev[3].there[0]++;
		rounds(f, 1);
		assert_int_equal(f->dev[3].taken[0], i + 1);
		assert_int_equal(f->s->share[3].spent, us * f->s->us_ticks);
	}
	finish(f);
}

static int group_setup(void **state)
{
	return eal_up();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet_ports_are_not_visited),
		cmocka_unit_test(test_slices_reach_everybody),
		cmocka_unit_test(test_nothing_falls_between),
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_new_configuration),
		cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_faults_of_quiet_ports),
		cmocka_unit_test(test_pairs_take_turns),
		cmocka_unit_test(test_charge),
	};

	return cmocka_run_group_tests_name("schedule", tests, group_setup, NULL);
}
