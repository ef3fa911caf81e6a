/* SPDX-License-Identifier: BSD-3-Clause */
/* The real model: addresses, given and learnt, their limits, and ageing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/model_fixture.h"

#include "control/model_txn.h"
#include "dataplane/core/clock.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint32_t now_s(void)
{
	return vs_clock_seconds(rte_rdtsc());
}

/* A switch with ports a (0), b (1) and c (2). Return: its fid. */
static uint16_t three_ports(struct mf *f)
{
	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	mf_port(f, "b", "lan");
	mf_port(f, "c", "lan");
	mf_forget(f);
	return model_find_switch(f->m, "lan")->fid_of_vid[0];
}

static uint32_t macs(struct mf *f, const char *port)
{
	return model_find_port(f->m, port)->macs;
}

static uint32_t used(struct mf *f, const char *sw)
{
	return vs_fdb_used(model_find_switch(f->m, sw)->fdb);
}

static void flush(struct mf *f)
{
	assert_int_equal(vs_fdb_flush_switch(f->m, "lan", &f->fail), 0);
	mf_next(f, VS_NOTICE_FDB_FLUSHED, "lan", "");
}

static void give(struct mf *f, const char *port, struct rte_ether_addr mac)
{
	mf_set(f, port, (struct vs_port_change){.set = VS_PORT_SET_MAC, .mac = mac});
	mf_next(f, VS_NOTICE_PORT_CHANGED, "lan", port);
}

static void limit(struct mf *f, const char *port, uint32_t max)
{
	mf_set(f, port, (struct vs_port_change){.set = VS_PORT_SET_MAX_MACS, .max_macs = max});
	mf_next(f, VS_NOTICE_PORT_CHANGED, "lan", port);
}

static void resize(struct mf *f, uint32_t size)
{
	const struct vs_switch_change change = {.set = VS_SWITCH_SET_FDB_SIZE, .fdb_size = size};

	assert_int_equal(vs_switch_set(f->m, "lan", &change, &f->fail), 0);
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "lan", "");
}

static void test_given_addresses(void **state)
{
	const struct rte_ether_addr any = {{0}};
	struct mf *f = *state;
	uint16_t fid = three_ports(f);

	mf_sees(f, 1, fid, 0, 3);
	mf_turn(f);
	assert_int_equal(macs(f, "b"), 3);

	/* What was learnt at another port is given to this one; what this one taught is gone. */
	mf_sees(f, 0, fid, 10, 2);
	mf_turn(f);
	give(f, "a", mf_mac(1));
	assert_int_equal(mf_entry(f, "lan", 1)->kind, VS_FDB_STATIC);
	assert_int_equal(mf_entry(f, "lan", 1)->port, 0);
	assert_int_equal(macs(f, "b"), 2);
	assert_int_equal(macs(f, "a"), 0);
	assert_int_equal(used(f, "lan"), 3);

	/* It moves with the port's setting only. */
	mf_sees(f, 1, fid, 1, 1);
	mf_turn(f);
	assert_int_equal(mf_entry(f, "lan", 1)->port, 0);
	give(f, "a", mf_mac(5));
	assert_null(mf_entry(f, "lan", 1));
	assert_int_equal(mf_entry(f, "lan", 5)->port, 0);
	/* A flush leaves it. */
	flush(f);
	assert_int_equal(used(f, "lan"), 1);
	assert_int_equal(mf_entry(f, "lan", 5)->kind, VS_FDB_STATIC);
	give(f, "a", any);
	assert_int_equal(used(f, "lan"), 0);

	/* One that was learnt here is given here. */
	mf_sees(f, 0, fid, 7, 1);
	mf_turn(f);
	give(f, "a", mf_mac(7));
	assert_int_equal(mf_entry(f, "lan", 7)->kind, VS_FDB_STATIC);
	assert_int_equal(macs(f, "a"), 0);
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	assert_int_equal(used(f, "lan"), 0);
}

static void test_given_address_needs_room(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	struct vs_port_spec spec = mf_spec(f, "d", "lan");
	const struct vs_port_change c = {.set = VS_PORT_SET_MAC, .mac = mf_mac(9)};

	resize(f, 3);
	mf_sees(f, 0, fid, 0, 3);
	mf_turn(f);
	spec.mac = mf_mac(9);
	mf_refused(f, vs_port_add(f->m, &spec, &f->fail), -ENOSPC, VS_ATTR_MAC, "'lan' is full");
	assert_null(model_find_port(f->m, "d"));
	assert_null(vs_worker_ctx(f->worker)->port_stats[3]);
	assert_int_equal(macs(f, "a"), 3);
	mf_refused(f, vs_port_set(f->m, "b", &c, &f->fail), -ENOSPC, VS_ATTR_MAC, "'lan' is full");
	assert_true(rte_is_zero_ether_addr(&model_find_port(f->m, "b")->mac));
	mf_no_more(f);
	/* Of what is there it may have one; and the port that filled the table makes room. */
	give(f, "b", mf_mac(2));
	give(f, "a", mf_mac(9));
	assert_int_equal(used(f, "lan"), 2);
	mf_no_more(f);
}

static void test_learning(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);

	mf_sees(f, 0, fid, 0, 10);
	mf_sees(f, 0, fid, 0, 10);
	assert_int_equal(macs(f, "a"), 0);
	mf_turn(f);
	assert_int_equal(macs(f, "a"), 10);
	assert_int_equal(used(f, "lan"), 10);
	assert_int_equal(mf_entry(f, "lan", 9)->port, 0);
	mf_no_more(f);

	mf_sees(f, 1, fid, 3, 1);
	mf_turn(f);
	assert_string_equal(mf_next(f, VS_NOTICE_MAC_MOVED, "lan", "b")->text, "from port a");
	assert_int_equal(macs(f, "a"), 9);
	assert_int_equal(macs(f, "b"), 1);
	mf_no_more(f);
	flush(f);
	assert_int_equal(macs(f, "a"), 0);
	assert_int_equal(macs(f, "b"), 0);
	mf_no_more(f);
}

/* A guest that plays two ports against each other cannot flood the listeners. */
static void test_moves_are_told_at_a_pace(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	int i;

	mf_sees(f, 0, fid, 0, 1);
	for (i = 1; i <= 60; i++)
		mf_sees(f, i % 2, fid, 0, 1);
	mf_turn(f);
	assert_in_range(f->notices, 1, 40);
	assert_int_equal(macs(f, "a") + macs(f, "b"), 1);
}

static void test_events_that_came_too_late(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	struct vs_port_spec guarded;

	/* No such port, no port at all, a broadcast domain that is another one's. */
	mf_sees(f, 3, fid, 0, 3);
	mf_sees(f, VS_PORTS_MAX, fid, 0, 3);
	mf_sees(f, UINT16_MAX, fid, 0, 3);
	mf_sees(f, 0, (uint16_t)(fid + 1), 0, 3);
	mf_sees(f, 0, 0, 0, 3);
	mf_event(f, VS_EVENT_FAULT, 3);
	mf_event(f, VS_EVENT_STORM, UINT16_MAX);
	mf_event(f, (enum vs_event_type)99, 0);
	mf_turn(f);
	assert_int_equal(used(f, "lan"), 0);
	mf_no_more(f);

	/* Said of the old port with this id, on the way when it was deleted. */
	mf_sees(f, 2, fid, 0, 3);
	mf_event(f, VS_EVENT_STORM, 2);
	assert_int_equal(vs_port_del(f->m, "c", &f->fail), 0);
	mf_next(f, VS_NOTICE_PORT_REMOVED, "lan", "c");
	assert_int_equal(mf_port(f, "d", "lan")->id, 2);
	mf_next(f, VS_NOTICE_PORT_ADDED, "lan", "d");
	mf_turn(f);
	assert_int_equal(macs(f, "d"), 0);
	assert_int_equal(used(f, "lan"), 0);
	mf_no_more(f);

	/* The same for one that learnt: the table forgets it. */
	mf_sees(f, 2, fid, 0, 3);
	mf_turn(f);
	assert_int_equal(macs(f, "d"), 3);
	assert_int_equal(vs_port_del(f->m, "d", &f->fail), 0);
	assert_int_equal(used(f, "lan"), 0);

	/* A port whose address is given teaches nothing. */
	guarded = mf_spec(f, "g", "lan");
	guarded.mac = mf_mac(100);
	assert_int_equal(vs_port_add(f->m, &guarded, &f->fail), 0);
	mf_forget(f);
	mf_sees(f, 2, fid, 0, 3);
	mf_sees(f, 2, fid, 100, 1);
	mf_turn(f);
	assert_int_equal(used(f, "lan"), 1);
	assert_int_equal(macs(f, "g"), 0);
	mf_no_more(f);
}

static void test_most_addresses_of_a_port(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	unsigned int i;

	limit(f, "a", 5);
	mf_sees(f, 0, fid, 0, 5);
	mf_turn(f);
	mf_no_more(f);
	for (i = 0; i < 3; i++) {
		mf_sees(f, 0, fid, 5, 4);
		mf_turn(f);
	}
	mf_next(f, VS_NOTICE_MAC_LIMIT, "lan", "a");
	mf_no_more(f);
	assert_int_equal(macs(f, "a"), 5);
	assert_int_equal(used(f, "lan"), 5);

	/* An address of another port stays there, too. */
	mf_sees(f, 1, fid, 20, 1);
	mf_sees(f, 0, fid, 20, 1);
	mf_turn(f);
	assert_int_equal(mf_entry(f, "lan", 20)->port, 1);
	mf_no_more(f);

	/* Again after it fell below: by a flush, ... */
	flush(f);
	mf_sees(f, 0, fid, 0, 6);
	mf_turn(f);
	mf_next(f, VS_NOTICE_MAC_LIMIT, "lan", "a");
	/* ... by a move to another port, ... */
	mf_sees(f, 1, fid, 0, 1);
	mf_turn(f);
	mf_next(f, VS_NOTICE_MAC_MOVED, "lan", "b");
	assert_int_equal(macs(f, "a"), 4);
	mf_sees(f, 0, fid, 30, 2);
	mf_turn(f);
	mf_next(f, VS_NOTICE_MAC_LIMIT, "lan", "a");
	mf_no_more(f);
	/* ... and by a new limit. A lower one forgets what there is, and 0 learns nothing. */
	limit(f, "a", 6);
	mf_sees(f, 0, fid, 40, 2);
	mf_turn(f);
	mf_next(f, VS_NOTICE_MAC_LIMIT, "lan", "a");
	assert_int_equal(macs(f, "a"), 6);
	limit(f, "a", 5);
	assert_int_equal(macs(f, "a"), 0);
	assert_int_equal(macs(f, "b"), 1);
	limit(f, "a", 0);
	mf_sees(f, 0, fid, 50, 2);
	mf_turn(f);
	mf_next(f, VS_NOTICE_MAC_LIMIT, "lan", "a");
	assert_int_equal(macs(f, "a"), 0);
	mf_no_more(f);
}

static void test_full_table(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	struct vs_switch *sw = model_find_switch(f->m, "lan");

	resize(f, 10);
	mf_sees(f, 0, fid, 0, 10);
	mf_turn(f);
	mf_no_more(f);
	mf_sees(f, 1, fid, 10, 3);
	mf_turn(f);
	mf_sees(f, 0, fid, 20, 2);
	mf_turn(f);
	mf_next(f, VS_NOTICE_FDB_FULL, "lan", "b");
	mf_no_more(f);
	assert_int_equal(sw->fdb_full, 5);
	assert_int_equal(macs(f, "b"), 0);
	/* Addresses that are there still move. */
	mf_sees(f, 1, fid, 0, 1);
	mf_turn(f);
	mf_next(f, VS_NOTICE_MAC_MOVED, "lan", "b");
	/* Again after there was room. */
	flush(f);
	mf_sees(f, 0, fid, 0, 12);
	mf_turn(f);
	mf_next(f, VS_NOTICE_FDB_FULL, "lan", "a");
	resize(f, 20);
	mf_sees(f, 0, fid, 0, 22);
	mf_turn(f);
	mf_next(f, VS_NOTICE_FDB_FULL, "lan", "a");
	mf_no_more(f);
	assert_int_equal(sw->fdb_full, 9);
}

static void set_age(struct mf *f, unsigned int n, uint32_t age_s)
{
	mf_entry(f, "lan", n)->seen = now_s() - age_s;
}

static void test_ageing(void **state)
{
	const struct vs_switch_change never = {.set = VS_SWITCH_SET_FDB_AGEING};
	struct mf *f = *state;
	uint16_t fid = three_ports(f);

	give(f, "b", mf_mac(100));
	mf_sees(f, 0, fid, 0, 3);
	mf_turn(f);
	set_age(f, 0, VS_FDB_AGEING_DEFAULT_S + 1);
	set_age(f, 1, VS_FDB_AGEING_DEFAULT_S - 2);
	set_age(f, 100, 10 * VS_FDB_AGEING_DEFAULT_S);
	model_age(f->m);
	assert_null(mf_entry(f, "lan", 0));
	assert_non_null(mf_entry(f, "lan", 1));
	assert_non_null(mf_entry(f, "lan", 2));
	assert_non_null(mf_entry(f, "lan", 100));
	assert_int_equal(macs(f, "a"), 2);

	assert_int_equal(vs_switch_set(f->m, "lan", &never, &f->fail), 0);
	set_age(f, 1, 1000000);
	model_age(f->m);
	assert_non_null(mf_entry(f, "lan", 1));
}

/* A filter that an open transaction cannot note is refused, and voids nothing. */
static void test_filters_in_a_transaction(void **state)
{
	const uint64_t fids[VS_FIDS_MAX / 64] = {0};
	const struct vs_fdb_filter all = {.what = VS_FDB_ALL_LEARNT};
	const struct vs_fdb_filter old = {.what = VS_FDB_SEEN_BEFORE, .before = now_s() - 1000};
	const struct vs_fdb_filter none = {.what = VS_FDB_OF_FIDS, .fids = fids};
	struct model_fdb_look look;
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	struct vs_switch *sw = model_find_switch(f->m, "lan");
	struct rte_ether_addr mac = mf_mac(1);

	mf_sees(f, 0, fid, 0, 3);
	mf_turn(f);
	assert_int_equal(vs_txn_begin(f->m, VS_TXN_REAL), 0);
	assert_int_equal(model_fdb_remove(sw, &old), -ENOTSUP);
	assert_int_equal(model_fdb_remove(sw, &none), -ENOTSUP);
	assert_true(model_fdb_look(sw, fid, &mac, &look));
	assert_int_equal(model_fdb_remove(sw, &all), 0);
	assert_false(model_fdb_look(sw, fid, &mac, &look));
	vs_txn_abort(f->m);
	assert_int_equal(macs(f, "a"), 3);
}

/* It happens by itself, and so does taking events for which no bell rang. */
static void test_the_clock_ticks(void **state)
{
	const struct vs_switch_change change = {.set = VS_SWITCH_SET_FDB_AGEING,
						.fdb_ageing_s = 10};
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	uint32_t give_up = now_s() + 20;

	assert_int_equal(vs_switch_set(f->m, "lan", &change, &f->fail), 0);
	mf_sees(f, 0, fid, 0, 2);
	while (macs(f, "a") != 2 && now_s() < give_up)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(macs(f, "a"), 2);
	set_age(f, 0, 9);
	while (mf_entry(f, "lan", 0) && now_s() < give_up)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_null(mf_entry(f, "lan", 0));
	assert_non_null(mf_entry(f, "lan", 1));
}

static void test_storm_notice(void **state)
{
	struct mf *f = *state;

	three_ports(f);
	mf_event(f, VS_EVENT_STORM, 1);
	mf_turn(f);
	mf_next(f, VS_NOTICE_STORM, "lan", "b");
	mf_no_more(f);
}

static void test_many_events(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	uint64_t lost;

	/* More than the ring takes: the rest is lost, counted, and no harm. */
	limit(f, "a", 10000);
	mf_sees(f, 0, fid, 0, 5000);
	lost = vs_worker_ctx(f->worker)->events.lost;
	assert_in_range(lost, 1, 4999);
	mf_turn(f);
	assert_int_equal(macs(f, "a"), 5000 - lost);
}

/* What is still on its way goes with a flush, and is there when it is asked for. */
static int count(const struct vs_fdb_view *v, void *ctx)
{
	unsigned int *n = ctx;

	assert_string_equal(v->sw, "lan");
	assert_true(v->age_s < 1000);
	assert_int_equal(v->vlan, 0);
	*n += 1 + 100u * (v->origin == VS_FDB_ORIGIN_GIVEN);
	return 0;
}

static void test_events_on_their_way(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	unsigned int n = 0;

	mf_sees(f, 0, fid, 0, 3);
	assert_int_equal(vs_fdb_each(f->m, "lan", count, &n, &f->fail), 0);
	assert_int_equal(n, 3);
	mf_sees(f, 0, fid, 3, 3);
	flush(f);
	assert_int_equal(used(f, "lan"), 0);
	/* The bell rings for nothing. */
	mf_turn(f);
	assert_int_equal(used(f, "lan"), 0);
}

static void test_age_as_shown(void **state)
{
	struct mf *f = *state;
	uint16_t fid = three_ports(f);
	unsigned int n = 0;

	give(f, "b", mf_mac(100));
	mf_sees(f, 0, fid, 0, 2);
	mf_turn(f);
	set_age(f, 0, 999);
	/* A worker has seen it since the walk began. */
	mf_entry(f, "lan", 1)->seen = now_s() + 2;
	assert_int_equal(vs_fdb_each(f->m, NULL, count, &n, &f->fail), 0);
	assert_int_equal(n, 103);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MF_TEST(test_given_addresses),
		MF_TEST(test_given_address_needs_room),
		MF_TEST(test_learning),
		MF_TEST(test_events_that_came_too_late),
		MF_TEST(test_most_addresses_of_a_port),
		MF_TEST(test_full_table),
		MF_TEST(test_ageing),
		MF_TEST(test_filters_in_a_transaction),
		MF_TEST(test_the_clock_ticks),
		MF_TEST(test_storm_notice),
		MF_TEST(test_many_events),
		MF_TEST(test_events_on_their_way),
		MF_TEST(test_age_as_shown),
		MF_TEST(test_moves_are_told_at_a_pace),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
