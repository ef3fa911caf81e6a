/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model: queue pairs go from worker to worker. What is published, and when a grace period was
 * waited for, is watched from outside: no two workers may ever see the same pair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/held.h"
#include "tests/unit/fake_kinds.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	WORKERS = 3,
	NOBODY = WORKERS,
};

static struct vs_worker *workers[WORKERS];

/* What each worker was given last, and whether it may still use what it had before that. */
static const struct vs_conf *given[WORKERS];
static const struct vs_conf *had[WORKERS];
static unsigned int publications;
static unsigned int held[WORKERS]; /* frames that each of them holds */
static unsigned int asked;

/* ---- seen from outside ---- */

static bool has(const struct vs_conf *conf, unsigned int worker, uint16_t port, unsigned int pair)
{
	const struct vs_poll_list *list = conf ? &conf->work[worker] : NULL;
	unsigned int i;

	for (i = 0; list && i < list->n; i++) {
		if (list->poll[i].port == port && list->poll[i].pair == pair)
			return true;
	}
	return false;
}

/* Who visits the pair, or may do so still; NOBODY: nobody does. */
static unsigned int visitor(uint16_t port, unsigned int pair)
{
	unsigned int found = NOBODY;
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		if (!has(given[i], i, port, pair) && !has(had[i], i, port, pair))
			continue;
		assert_int_equal(found, NOBODY);
		found = i;
	}
	return found;
}

static void look_at_all(void)
{
	uint16_t port;
	unsigned int pair;

	for (port = 0; port < 8; port++) {
		for (pair = 0; pair < 4; pair++)
			(void)visitor(port, pair);
	}
}

void __real_vs_worker_publish(struct vs_worker *w, const struct vs_conf *conf);
void __real_vs_rcu_synchronize(const struct vs_rcu *rcu);

void __wrap_vs_worker_publish(struct vs_worker *w, const struct vs_conf *conf)
{
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		if (workers[i] != w)
			continue;
		/* It goes on with the old one until the grace period is over. */
		assert_null(had[i]);
		had[i] = given[i];
		given[i] = conf;
		publications++;
		look_at_all();
	}
	__real_vs_worker_publish(w, conf);
}

void __wrap_vs_rcu_synchronize(const struct vs_rcu *rcu)
{
	__real_vs_rcu_synchronize(rcu);
	memset(had, 0, sizeof(had));
}

unsigned int __wrap_vs_held_from(const struct vs_ctx *ctx, uint16_t port)
{
	asked++;
	return held[ctx->worker];
}

/* ---- life ---- */

static int set_up(void **state)
{
	struct vs_worker_config config = {.lcore = 1, .nap_us = 50};
	struct vs_model_env env = {.n_workers = WORKERS, .workers = workers, .control_cpu = -1};
	struct mf *f;
	unsigned int i;

	if (fk_setup(state) != 0)
		return -1;
	f = *state;
	vs_model_free(f->m);
	memset(given, 0, sizeof(given));
	memset(had, 0, sizeof(had));
	memset(held, 0, sizeof(held));
	config.rcu = env.rcu = &f->rcu;
	env.base = f->base;
	workers[0] = f->worker;
	for (i = 1; i < WORKERS; i++) {
		config.index = i;
		config.node = i == 1;
		if (vs_worker_new(&config, &workers[i]) != 0)
			return -1;
	}
	if (vs_model_new(&env, &f->m) != 0)
		return -1;
	/* However slow the machine is; test_patience has less. */
	f->m->places.patience = UINT64_MAX;
	fk_switch(f, "lan", VS_SWITCH_EXTERNAL, "xdp:eth7");
	publications = 0;
	return 0;
}

static int tear_down(void **state)
{
	unsigned int i;
	int err = mf_teardown(state);

	for (i = 1; i < WORKERS; i++) {
		vs_worker_free(workers[i]);
		workers[i] = NULL;
	}
	workers[0] = NULL;
	return err;
}

static int place(struct mf *f, const char *name, const char *to)
{
	const struct vs_port_change change = {.set = VS_PORT_SET_PLACE, .place = to};

	return vs_port_set(f->m, name, &change, &f->fail);
}

/* Let the model look again. */
static void look_again(struct mf *f)
{
	assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);
}

/* ---- moves ---- */

/* Two snapshots and two grace periods; in between the pair is nobody's. */
static void test_two_snapshots(void **state)
{
	struct mf *f = *state;
	struct vs_port *a = fk_guest(f, "a", "lan", NULL);
	struct vs_port *b = fk_guest(f, "b", "lan", NULL);
	unsigned int of_b = visitor(b->id, 0);
	char to[8];
	unsigned int i;

	for (i = 0; i < 2 * WORKERS; i++) {
		unsigned int from = visitor(a->id, 0);
		unsigned int want = (from + 1 + i % 2) % WORKERS;

		snprintf(to, sizeof(to), "%u", want);
		publications = 0;
		assert_int_equal(place(f, "a", to), 0);
		assert_int_equal(visitor(a->id, 0), want);
		assert_int_equal(publications, 2 * WORKERS);
		/* Nobody else was touched. */
		assert_int_equal(visitor(b->id, 0), of_b);
		assert_int_equal(a->place_of.open, 0);
		assert_int_equal(a->place_of.pair[0].moves, i + 1);
	}
	/* Where it is already is no move. */
	assert_int_equal(place(f, "a", to), 0);
	assert_int_equal(a->place_of.pair[0].moves, i);
}

/* What the old worker holds goes first. */
static void test_held(void **state)
{
	struct mf *f = *state;
	struct vs_port *a = fk_guest(f, "a", "lan", NULL);
	unsigned int from = visitor(a->id, 0);
	unsigned int i;

	assert_int_equal(place(f, "a", from == 0 ? "1" : "0"), 0);
	from = visitor(a->id, 0);
	held[from] = 5;
	asked = 0;
	assert_int_equal(place(f, "a", "2"), 0);
	assert_true(asked > 0);
	for (i = 0; i < 20; i++) {
		assert_int_equal(visitor(a->id, 0), NOBODY);
		look_again(f);
	}
	/* Another configuration does not change that, nor does another place. */
	fk_guest(f, "b", "lan", NULL);
	assert_int_equal(visitor(a->id, 0), NOBODY);
	assert_int_equal(place(f, "a", from == 0 ? "1" : "0"), 0);
	assert_int_equal(visitor(a->id, 0), NOBODY);
	/* Others hold what they like. */
	held[from] = 0;
	held[2] = 7;
	look_again(f);
	assert_int_equal(visitor(a->id, 0), from == 0 ? 1 : 0);
}

/* What a worker never gets rid of is waited for as long as the patience lasts, and no longer. */
static void test_patience(void **state)
{
	struct mf *f = *state;
	struct vs_port *a = fk_guest(f, "a", "lan", NULL);
	unsigned int from = visitor(a->id, 0);
	unsigned int to = from == 0 ? 1 : 0;

	held[from] = 5;
	assert_int_equal(place(f, "a", to ? "1" : "0"), 0);
	look_again(f);
	assert_int_equal(visitor(a->id, 0), NOBODY);
	f->m->places.patience = 0;
	look_again(f);
	assert_int_equal(visitor(a->id, 0), to);
	assert_int_equal(a->place_of.open, 0);
}

/* A port that goes, or another one with its id, is not waited for. */
static void test_gone(void **state)
{
	struct mf *f = *state;
	struct vs_port *a = fk_guest(f, "a", "lan", NULL);
	unsigned int from = visitor(a->id, 0);

	held[from] = 1;
	assert_int_equal(place(f, "a", from == 0 ? "1" : "0"), 0);
	assert_int_equal(visitor(a->id, 0), NOBODY);
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	a = fk_guest(f, "c", "lan", NULL);
	assert_int_not_equal(visitor(a->id, 0), NOBODY);
	look_again(f);
	assert_int_not_equal(visitor(a->id, 0), NOBODY);
	assert_false(f->m->places.open);
}

/* In a batch: at its end, or not at all. */
static void test_batch(void **state)
{
	struct mf *f = *state;
	struct vs_port *a = fk_guest(f, "a", "lan", NULL);
	unsigned int from = visitor(a->id, 0);
	const char *to = from == 0 ? "1" : "0";

	publications = 0;
	assert_int_equal(vs_txn_begin(f->m, VS_TXN_REAL), 0);
	assert_int_equal(place(f, "a", to), 0);
	assert_int_equal(publications, 0);
	vs_txn_abort(f->m);
	assert_int_equal(publications, 0);
	assert_int_equal(visitor(a->id, 0), from);
	assert_int_equal(a->place_of.open, 0);
	assert_int_equal(vs_txn_begin(f->m, VS_TXN_REAL), 0);
	assert_int_equal(place(f, "a", "2"), 0);
	assert_int_equal(place(f, "a", to), 0);
	assert_int_equal(vs_txn_commit(f->m, &f->fail), 0);
	assert_int_equal(visitor(a->id, 0), from == 0 ? 1 : 0);
	/* Dry: nothing. */
	assert_int_equal(vs_txn_begin(f->m, VS_TXN_DRY), 0);
	assert_int_equal(place(f, "a", "2"), 0);
	assert_int_equal(vs_txn_commit(f->m, &f->fail), 0);
	assert_int_equal(visitor(a->id, 0), from == 0 ? 1 : 0);
}

/* Without memory it is refused, or done a little later; it is never nobody's for good. */
static void test_no_memory(void **state)
{
	struct mf *f = *state;
	struct vs_port *a = fk_guest(f, "a", "lan", NULL);
	int left = -1;
	int n;

	for (n = 0; left < 0; n++) {
		unsigned int from = visitor(a->id, 0);
		unsigned int want = (from + 1) % WORKERS;
		char to[8];
		int err;

		snprintf(to, sizeof(to), "%u", want);
		mf_alloc_fails = n;
		err = place(f, "a", to);
		left = mf_alloc_fails;
		mf_alloc_fails = -1;
		if (err) {
			assert_int_equal(visitor(a->id, 0), from);
			continue;
		}
		while (visitor(a->id, 0) == NOBODY)
			look_again(f);
		assert_int_equal(visitor(a->id, 0), want);
	}
	assert_true(n > 3);
}

/* The port's limits go along, and each pair has its own place. */
static void test_pairs(void **state)
{
	struct mf *f = *state;
	struct vs_port *a = fk_guest(f, "a", "lan", NULL);
	unsigned int from = visitor(a->id, 0);
	struct vs_port_pace *pace = &vs_worker_ctx(workers[from])->pace[a->id];
	char text[MODEL_PLACE_TEXT];
	unsigned int i;

	pace->storm_told_s = 77;
	for (i = 0; i < WORKERS; i++) {
		if (i != from)
			break;
	}
	snprintf(text, sizeof(text), "%u,%u", i, from);
	assert_int_equal(place(f, "a", text), 0);
	assert_int_equal(vs_worker_ctx(workers[i])->pace[a->id].storm_told_s, 77);
	assert_int_equal(model_worker_of(f->m, a, 1), from);
	assert_int_equal(model_worker_of(f->m, a, 2), i);
	assert_int_equal(model_worker_of(f->m, a, VS_PLACED_PAIRS - 1), from);
	model_place_format(a, text);
	assert_int_equal(place(f, "a", "auto"), 0);
	assert_int_equal(visitor(a->id, 0), i);
	assert_int_equal(a->place_of.n, 0);
}

/* What is no list; a record may name workers that there are no more. */
static void test_words(void **state)
{
	struct mf *f = *state;
	struct vs_port_change change = {
		.set = VS_PORT_SET_PLACE,
		.place = "1,4",
		.origin = VS_FROM_RECORD,
	};
	struct vs_port *a = fk_guest(f, "a", "lan", NULL);
	static const char *const wrong[] = {"",  ",",  "1,", ",1", "1,,2",
					    "x", "1x", "-1", " 1", "1 "};
	char text[MODEL_PLACE_TEXT];
	unsigned int i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (place(f, "a", wrong[i]) != -EINVAL)
			fail_msg("'%s'", wrong[i]);
	}
	mf_forget(f);
	mf_refused(f, place(f, "a", "3"), -ERANGE, VS_ATTR_PLACE, "the last one is 2");
	mf_refused(f, place(f, "a", "99999999999999999999"), -ERANGE, VS_ATTR_PLACE, "worker");
	mf_refused(f, place(f, "a", "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"), -ERANGE, VS_ATTR_PLACE,
		   "at most 16");
	assert_int_equal(vs_port_set(f->m, "a", &change, &f->fail), 0);
	assert_int_equal(visitor(a->id, 0), 1);
	assert_int_equal(model_worker_of(f->m, a, 1), 4 % WORKERS);
	model_place_format(a, text);
	assert_string_equal(text, "1,4");
}

/* An uplink is visited where its card is, if somebody is there; the others are wherever. */
static void test_node(void **state)
{
	struct mf *f = *state;
	const struct vs_port *far, *near, *nowhere;

	mf_port(f, "a", "lan");
	mf_port(f, "b", "lan");
	mf_port(f, "c", "lan");
	fk[VS_PORT_XDP].node1 = 1 + 1;
	far = model_uplink(fk_switch(f, "far", VS_SWITCH_EXTERNAL, "xdp:eth1"));
	assert_int_equal(model_worker_of(f->m, far, 0), 1);
	fk_switch(f, "more", VS_SWITCH_EXTERNAL, "xdp:eth4");
	/* The one on the node has twice as much to do as the others now. */
	nowhere = model_uplink(fk_switch(f, "again", VS_SWITCH_EXTERNAL, "xdp:eth5"));
	assert_int_equal(model_worker_of(f->m, nowhere, 0), 1);
	fk[VS_PORT_XDP].node1 = 1 + 0;
	near = model_uplink(fk_switch(f, "near", VS_SWITCH_EXTERNAL, "xdp:eth2"));
	assert_int_not_equal(model_worker_of(f->m, near, 0), 1);
	/* Nobody is there. */
	fk[VS_PORT_XDP].node1 = 1 + 7;
	nowhere = model_uplink(fk_switch(f, "nowhere", VS_SWITCH_EXTERNAL, "xdp:eth3"));
	assert_int_not_equal(model_worker_of(f->m, nowhere, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_snapshots, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_patience, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pairs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_node, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
