/* SPDX-License-Identifier: BSD-3-Clause */
/* Learnt customer addresses and stale records: limits, ageing, moves, floods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/learner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ENTERED = 9999, /* its records were entered */
	CLOSED = 8888,  /* learns nothing */
};

/** struct world - a learner, the records that it made, a made-up clock */
struct world {
	struct vs_learner *l;
	uint64_t now;
	unsigned int put;
	unsigned int removed;
	struct vs_heard last;
	struct vs_ip record; /* of ENTERED */
	bool alive;
	bool taken; /* somebody has entered all of them */
	unsigned int told[VS_LEARNER_FULL + 1];
	struct vs_learner_news news;
};

static bool may_learn(void *ctx, uint32_t vsid)
{
	return vsid != CLOSED;
}

static int put(void *ctx, const struct vs_heard *heard)
{
	struct world *w = ctx;

	if (heard->vsid == ENTERED || w->taken)
		return -EEXIST;
	w->put++;
	w->last = *heard;
	return 0;
}

static void removed(void *ctx, uint32_t vsid, const struct rte_ether_addr *mac,
		    const struct vs_ip *ca)
{
	struct world *w = ctx;

	w->removed++;
}

static bool is_alive(void *ctx, uint32_t vsid, const struct rte_ether_addr *mac)
{
	return ((struct world *)ctx)->alive;
}

static bool record(void *ctx, uint32_t vsid, const struct rte_ether_addr *mac, struct vs_ip *ret_pa)
{
	struct world *w = ctx;

	if (vsid != ENTERED)
		return false;
	*ret_pa = w->record;
	return true;
}

static void told(void *ctx, const struct vs_learner_news *news)
{
	struct world *w = ctx;

	w->told[news->what]++;
	w->news = *news;
}

static const struct vs_learner_ops ops = {
	.may_learn = may_learn,
	.put = put,
	.remove = removed,
	.is_alive = is_alive,
	.record = record,
	.tell = told,
};

static struct vs_ip ip_of(uint8_t last)
{
	const uint8_t bytes[4] = {10, 0, 0, last};

	return vs_ip_make4(bytes);
}

/* Address number @i of @vsid, from host @host. */
static struct vs_heard heard_of(uint32_t vsid, uint32_t i, uint8_t host)
{
	struct vs_heard heard = {.vsid = vsid, .mac = {{0x02}}, .pa = ip_of(host)};

	memcpy(heard.mac.addr_bytes + 2, &i, sizeof(i));
	return heard;
}

static void begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->now = 1000;
	w->record = ip_of(1);
	w->l = vs_learner_new(&ops, w);
	assert_non_null(w->l);
}

static struct vs_learner_counts counts_of(const struct world *w)
{
	struct vs_learner_counts counts;

	vs_learner_counts(w->l, &counts);
	return counts;
}

static void test_learnt_and_aged(void **state)
{
	struct vs_heard heard = heard_of(5001, 1, 55);
	struct world w;
	uint64_t age;

	begin(&w);
	vs_learner_heard(w.l, &heard, w.now);
	assert_int_equal(w.put, 1);
	/* Again: nothing new. */
	vs_learner_heard(w.l, &heard, w.now + 5);
	assert_int_equal(w.put, 1);
	assert_true(vs_learner_age(w.l, 5001, &heard.mac, w.now + 10, &age));
	assert_int_equal(age, 5);
	/* Now its customer address is known, and then another one. */
	heard.ca = ip_of(11);
	vs_learner_heard(w.l, &heard, w.now);
	assert_int_equal(w.put, 2);
	heard.ca = ip_of(12);
	vs_learner_heard(w.l, &heard, w.now);
	assert_int_equal(w.put, 3);
	/* A frame that does not say keeps it. */
	memset(&heard.ca, 0, sizeof(heard.ca));
	vs_learner_heard(w.l, &heard, w.now);
	assert_int_equal(w.put, 3);
	vs_learner_tick(w.l, w.now + VS_LEARNER_GOOD_MS - 1);
	assert_int_equal(w.removed, 0);
	/* The address table has seen it. */
	w.alive = true;
	w.now += VS_LEARNER_GOOD_MS;
	vs_learner_tick(w.l, w.now);
	assert_int_equal(w.removed, 0);
	w.alive = false;
	vs_learner_tick(w.l, w.now + VS_LEARNER_GOOD_MS - 1);
	assert_int_equal(w.removed, 0);
	vs_learner_tick(w.l, w.now + VS_LEARNER_GOOD_MS);
	assert_int_equal(w.removed, 1);
	assert_int_equal(counts_of(&w).learnt, 0);
	assert_false(vs_learner_age(w.l, 5001, &heard.mac, w.now, &age));
	vs_learner_free(w.l);
}

static void test_what_is_refused(void **state)
{
	struct vs_heard heard = heard_of(CLOSED, 1, 55);
	struct world w;

	begin(&w);
	vs_learner_heard(w.l, &heard, w.now);
	heard.vsid = ENTERED;
	vs_learner_heard(w.l, &heard, w.now);
	heard.vsid = 5001;
	heard.mac.addr_bytes[0] = 0x03;
	vs_learner_heard(w.l, &heard, w.now);
	memset(&heard.mac, 0, sizeof(heard.mac));
	vs_learner_heard(w.l, &heard, w.now);
	assert_int_equal(w.put, 0);
	assert_int_equal(counts_of(&w).refused, 4);
	assert_int_equal(counts_of(&w).learnt, 0);
	vs_learner_free(w.l);
}

static void test_a_vm_moves(void **state)
{
	struct vs_heard heard = heard_of(5001, 1, 55);
	struct world w;

	begin(&w);
	heard.ca = ip_of(11);
	vs_learner_heard(w.l, &heard, w.now);
	heard = heard_of(5001, 1, 66);
	vs_learner_drift(w.l, &heard, w.now);
	assert_int_equal(w.told[VS_LEARNER_MOVED], 1);
	assert_int_equal(w.put, 2);
	assert_int_equal(w.last.pa.b[15], 66);
	assert_int_equal(w.last.ca.b[15], 11);
	assert_int_equal(w.news.was.b[15], 55);
	/* Somebody has entered a record: it is not ours to move any more. */
	w.taken = true;
	heard = heard_of(5001, 1, 77);
	vs_learner_heard(w.l, &heard, w.now);
	assert_int_equal(w.told[VS_LEARNER_MOVED], 1);
	assert_int_equal(counts_of(&w).learnt, 0);
	vs_learner_tick(w.l, w.now + 10 * (uint64_t)VS_LEARNER_GOOD_MS);
	assert_int_equal(w.removed, 0);
	vs_learner_free(w.l);
}

static void test_stale_record(void **state)
{
	struct vs_heard heard = heard_of(ENTERED, 1, 2);
	const struct vs_drift *drift;
	struct world w;
	unsigned int i;

	begin(&w);
	assert_null(vs_learner_find_drift(w.l, ENTERED, &heard.mac));
	for (i = 0; i < 1000; i++)
		vs_learner_drift(w.l, &heard, w.now + i);
	assert_int_equal(w.put, 0);
	assert_int_equal(w.told[VS_LEARNER_STALE], 1);
	assert_int_equal(w.news.was.b[15], 1);
	assert_int_equal(w.news.pa.b[15], 2);
	drift = vs_learner_find_drift(w.l, ENTERED, &heard.mac);
	assert_non_null(drift);
	assert_int_equal(drift->reports, 1000);
	vs_learner_drift(w.l, &heard, w.now + VS_DRIFT_TELL_MS);
	assert_int_equal(w.told[VS_LEARNER_STALE], 2);
	/* The record was put right. */
	w.record = ip_of(2);
	assert_null(vs_learner_find_drift(w.l, ENTERED, &heard.mac));
	vs_learner_drift(w.l, &heard, w.now + (uint64_t)2 * VS_DRIFT_TELL_MS);
	assert_int_equal(w.told[VS_LEARNER_STALE], 2);
	/* And it is forgotten. */
	vs_learner_tick(w.l, w.now + VS_DRIFT_TELL_MS + VS_LEARNER_GOOD_MS);
	assert_int_equal(counts_of(&w).drifts, 0);
	/* Of a record that is gone nothing is known. */
	heard.vsid = 5001;
	vs_learner_drift(w.l, &heard, w.now);
	assert_int_equal(counts_of(&w).drifts, 0);
	vs_learner_free(w.l);
}

/* A host that sends with a million source addresses. */
static void test_limits(void **state)
{
	struct vs_heard heard;
	struct world w;
	uint32_t vsid;
	uint32_t i;

	begin(&w);
	for (i = 0; i < 100000; i++) {
		heard = heard_of(5001, i, 55);
		vs_learner_heard(w.l, &heard, w.now);
		heard.vsid = ENTERED;
		vs_learner_drift(w.l, &heard, w.now);
	}
	assert_int_equal(counts_of(&w).learnt, VS_LEARNER_PER_VSID);
	assert_int_equal(counts_of(&w).drifts, VS_DRIFT_PER_VSID);
	assert_int_equal(w.told[VS_LEARNER_FULL], 1);
	/* Another VSID has its own room. */
	heard = heard_of(5002, 1, 55);
	vs_learner_heard(w.l, &heard, w.now);
	assert_int_equal(counts_of(&w).learnt, VS_LEARNER_PER_VSID + 1);
	for (vsid = 6000; vsid < 6040; vsid++) {
		for (i = 0; i < VS_LEARNER_PER_VSID; i++) {
			heard = heard_of(vsid, i, 55);
			vs_learner_heard(w.l, &heard, w.now);
		}
	}
	assert_int_equal(counts_of(&w).learnt, VS_LEARNER_MAX);
	vs_learner_forget(w.l, 5001);
	assert_int_equal(counts_of(&w).learnt, VS_LEARNER_MAX - VS_LEARNER_PER_VSID);
	assert_int_equal(w.removed, VS_LEARNER_PER_VSID);
	/* Old ones go in pieces: no call takes long. */
	w.now += VS_LEARNER_GOOD_MS;
	vs_learner_tick(w.l, w.now);
	assert_true(counts_of(&w).learnt > 0);
	for (i = 0; i < 100; i++)
		vs_learner_tick(w.l, w.now);
	assert_int_equal(counts_of(&w).learnt, 0);
	/* Room again, and told again. */
	heard = heard_of(5001, 1, 55);
	vs_learner_heard(w.l, &heard, w.now);
	assert_int_equal(counts_of(&w).learnt, 1);
	vs_learner_dropped(w.l, 5001, &heard.mac);
	vs_learner_dropped(w.l, 5001, &heard.mac);
	assert_int_equal(counts_of(&w).learnt, 0);
	vs_learner_free(w.l);
}

static void test_the_clock_jumps(void **state)
{
	struct vs_heard heard = heard_of(5001, 1, 55);
	struct world w;

	begin(&w);
	w.now = UINT64_C(1) << 40;
	vs_learner_heard(w.l, &heard, w.now);
	vs_learner_tick(w.l, 5);
	assert_int_equal(w.removed, 0);
	heard = heard_of(ENTERED, 1, 2);
	vs_learner_drift(w.l, &heard, w.now);
	vs_learner_drift(w.l, &heard, 5);
	assert_non_null(vs_learner_find_drift(w.l, ENTERED, &heard.mac));
	vs_learner_tick(w.l, UINT64_MAX);
	assert_int_equal(w.removed, 1);
	assert_null(vs_learner_find_drift(w.l, ENTERED, &heard.mac));
	vs_learner_forget(w.l, 0);
	vs_learner_free(w.l);
	vs_learner_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learnt_and_aged), cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_a_vm_moves),      cmocka_unit_test(test_stale_record),
		cmocka_unit_test(test_limits),          cmocka_unit_test(test_the_clock_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
