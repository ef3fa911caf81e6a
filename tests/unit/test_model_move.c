/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: ports that move from one switch to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t used(struct mf *f, const char *sw)
{
	return vs_fdb_used(model_find_switch(f->m, sw)->fdb);
}

/* Switches one and two, ports a and b on one, c on two. */
static void two_switches(struct mf *f)
{
	fk_switch(f, "one", VS_SWITCH_INTERNAL, NULL);
	fk_switch(f, "two", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "one", NULL);
	fk_guest(f, "b", "one", NULL);
	fk_guest(f, "c", "two", NULL);
	mf_forget(f);
}

static uint16_t fid_of(struct mf *f, const char *sw)
{
	return model_find_switch(f->m, sw)->fid_of_vid[0];
}

static void test_a_port_moves(void **state)
{
	struct mf *f = *state;
	struct vs_port *a;

	two_switches(f);
	a = model_find_port(f->m, "a");
	assert_int_equal(fk_move(f, "a", "two"), 0);
	mf_next(f, VS_NOTICE_PORT_CHANGED, "two", "a");
	mf_no_more(f);
	assert_ptr_equal(model_find_port(f->m, "a"), a);
	assert_string_equal(fk_domain(f, "one", 0), "b");
	assert_string_equal(fk_domain(f, "two", 0), "a c");
	assert_int_equal(f->m->conf->port[a->id].sw, model_find_switch(f->m, "two")->index);
	assert_ptr_equal(f->m->conf->port[a->id].fdb, model_find_switch(f->m, "two")->fdb);
	assert_int_equal(f->m->conf->port[a->id].fid, fid_of(f, "two"));
	/* Nothing was made again. */
	assert_int_equal(fk[VS_PORT_GUEST].made, 3);
	assert_int_equal(fk[VS_PORT_GUEST].deleted, 0);

	fk_refused(f, fk_move(f, "a", "three"), -ENOENT, VS_ATTR_SWITCH, "'three'");
	/* Where it is already is no move. */
	mf_sees(f, a->id, fid_of(f, "two"), 1, 1);
	mf_turn(f);
	assert_int_equal(fk_move(f, "a", "two"), 0);
	assert_int_equal(a->macs, 1);
}

static void test_addresses_stay_behind(void **state)
{
	const struct vs_port_change own = {.set = VS_PORT_SET_MAC, .mac = mf_mac(1)};
	struct mf *f = *state;
	struct vs_port *a;
	struct vs_port *b;

	two_switches(f);
	a = model_find_port(f->m, "a");
	b = model_find_port(f->m, "b");
	mf_set(f, "a", own);
	assert_int_equal(fk_static(f, "one", "a", 2, 0), 0);
	mf_sees(f, b->id, fid_of(f, "one"), 10, 3);
	mf_turn(f);
	assert_int_equal(used(f, "one"), 5);
	assert_int_equal(fk_move(f, "a", "two"), 0);
	assert_int_equal(used(f, "one"), 3);
	assert_int_equal(used(f, "two"), 2);
	assert_null(mf_entry(f, "one", 1));
	assert_null(mf_entry(f, "one", 2));
	assert_int_equal(mf_entry(f, "two", 1)->port, a->id);
	assert_int_equal(mf_entry(f, "two", 1)->kind, VS_FDB_STATIC);
	assert_int_equal(mf_entry(f, "two", 2)->port, a->id);
	/* What was learnt is forgotten, not taken along. */
	assert_int_equal(fk_move(f, "b", "two"), 0);
	assert_int_equal(used(f, "one"), 0);
	assert_int_equal(used(f, "two"), 2);
	assert_int_equal(b->macs, 0);
}

/* What a worker saw on the old switch is nothing to the new one. */
static void test_late_events(void **state)
{
	struct mf *f = *state;
	struct vs_port *a;

	two_switches(f);
	a = model_find_port(f->m, "a");
	mf_sees(f, a->id, fid_of(f, "one"), 20, 3);
	assert_int_equal(fk_move(f, "a", "two"), 0);
	mf_sees(f, a->id, fid_of(f, "one"), 30, 3);
	mf_turn(f);
	assert_int_equal(a->macs, 0);
	assert_int_equal(used(f, "one"), 0);
	assert_int_equal(used(f, "two"), 0);
	mf_sees(f, a->id, fid_of(f, "two"), 30, 3);
	mf_turn(f);
	assert_int_equal(a->macs, 3);
	assert_int_equal(used(f, "two"), 3);
}

/* A port that breaks while another one moves is down in the snapshot that follows. */
static void test_fault_during_a_move(void **state)
{
	struct mf *f = *state;
	struct vs_port *b;

	two_switches(f);
	b = model_find_port(f->m, "b");
	mf_event(f, VS_EVENT_FAULT, b->id);
	assert_int_equal(fk_move(f, "a", "two"), 0);
	mf_turn(f);
	assert_false(model_is_up(b));
	assert_int_equal(f->m->conf->port[b->id].flags & VS_PORT_UP, 0);
	assert_string_equal(fk_domain(f, "one", 0), "");
	assert_string_equal(fk_domain(f, "two", 0), "a c");
}

static void test_clashes(void **state)
{
	struct vs_port_change own = {.set = VS_PORT_SET_MAC, .mac = mf_mac(1)};
	struct vs_switch_change small = {.set = VS_SWITCH_SET_FDB_SIZE, .fdb_size = 1};
	struct mf *f = *state;

	two_switches(f);
	mf_set(f, "a", own);
	mf_set(f, "c", own);
	fk_refused(f, fk_move(f, "a", "two"), -EEXIST, VS_ATTR_MAC, "port 'c'");
	own.mac = mf_mac(3);
	mf_set(f, "c", own);
	assert_int_equal(fk_static(f, "two", "c", 1, 0), 0);
	fk_refused(f, fk_move(f, "a", "two"), -EEXIST, VS_ATTR_MAC, "static address of port 'c'");
	assert_int_equal(fk_unstatic(f, "two", 1, 0), 0);
	assert_int_equal(fk_cluster(f, "c", 1), 0);
	fk_refused(f, fk_move(f, "a", "two"), -EEXIST, VS_ATTR_MAC, "cluster address of port 'c'");
	assert_int_equal(fk_cluster(f, "c", 0), 0);
	/* The port may get another address on the way. */
	own.set |= VS_PORT_SET_SWITCH;
	own.sw = "two";
	own.mac = mf_mac(3);
	fk_refused(f, vs_port_set(f->m, "a", &own, &f->fail), -EEXIST, VS_ATTR_MAC, "port 'c'");
	assert_int_equal(vs_switch_set(f->m, "two", &small, &f->fail), 0);
	fk_refused(f, fk_move(f, "a", "two"), -ENOSPC, VS_ATTR_MAC, "'two' is full");
	small.fdb_size = 2;
	assert_int_equal(vs_switch_set(f->m, "two", &small, &f->fail), 0);
	own.mac = mf_mac(4);
	assert_int_equal(vs_port_set(f->m, "a", &own, &f->fail), 0);
	assert_int_equal(used(f, "two"), 2);
	assert_int_equal(used(f, "one"), 0);
}

/* Static addresses of the port that moves are checked as its own is. */
static void test_static_clashes(void **state)
{
	const struct vs_port_change own = {.set = VS_PORT_SET_MAC, .mac = mf_mac(1)};
	struct mf *f = *state;
	struct vs_port *c;

	two_switches(f);
	c = model_find_port(f->m, "c");
	mf_set(f, "c", own);
	assert_int_equal(fk_static(f, "one", "a", 1, 0), 0);
	fk_refused(f, fk_move(f, "a", "two"), -EEXIST, VS_ATTR_SWITCH, "'c'");
	assert_int_equal(mf_entry(f, "two", 1)->port, c->id);
}

static void test_two_statics_clash(void **state)
{
	struct mf *f = *state;
	struct vs_port *c;

	two_switches(f);
	c = model_find_port(f->m, "c");
	assert_int_equal(fk_static(f, "one", "a", 7, 0), 0);
	assert_int_equal(fk_static(f, "two", "c", 7, 0), 0);
	fk_refused(f, fk_move(f, "a", "two"), -EEXIST, VS_ATTR_SWITCH, "'c'");
	assert_int_equal(mf_entry(f, "two", 7)->port, c->id);
}

/* Traffic that a port had on a switch stays in the books of that switch. */
static void count(struct mf *f, const char *port, uint64_t n)
{
	struct vs_port_stats *s =
		vs_worker_ctx(f->worker)->port_stats[model_find_port(f->m, port)->id];

	s->received += 3 * n;
	s->forwarded += 2 * n;
	s->drops[VS_DROP_SPOOF] += n;
	s->attempts += 5 * n;
	s->sent += 4 * n;
	s->drops[VS_DROP_RX_FULL] += n;
}

struct sums {
	unsigned int wrong;
	unsigned int n;
	uint64_t attempts_one;
	uint64_t attempts_two;
};

static int hear(const struct vs_audit_view *v, void *ctx)
{
	struct sums *sums = ctx;

	sums->n++;
	if (v->sum != VS_AUDIT_SWITCH) {
		sums->wrong += v->left != v->right;
		return 0;
	}
	if (strcmp(v->name, "one") == 0)
		sums->attempts_one = v->left;
	else
		sums->attempts_two = v->left;
	return 0;
}

static int keep(const struct vs_stats_view *v, void *ctx)
{
	*(uint64_t *)ctx = v->counters.received;
	return 0;
}

static struct sums audit(struct mf *f)
{
	struct sums sums = {0};

	assert_int_equal(vs_audit_each(f->m, hear, &sums, &f->fail), 0);
	return sums;
}

static void test_counters(void **state)
{
	uint64_t received = 0;
	struct mf *f = *state;
	struct sums sums;

	two_switches(f);
	count(f, "a", 100);
	count(f, "b", 10);
	count(f, "c", 1);
	assert_int_equal(vs_worker_start(f->worker), 0);
	assert_int_equal(audit(f).wrong, 0);
	assert_int_equal(fk_move(f, "a", "two"), 0);
	sums = audit(f);
	assert_int_equal(sums.wrong, 0);
	assert_int_equal(sums.attempts_one, 550);
	assert_int_equal(sums.attempts_two, 5);
	/* Two of each port, two of what left "one", and those of the switches. */
	assert_int_equal(sums.n, 2 * 3 + 2 + 2);
	assert_int_equal(vs_stats_each(f->m, "a", keep, &received, &f->fail), 0);
	assert_int_equal(received, 0);
	count(f, "a", 1000);
	assert_int_equal(fk_move(f, "a", "one"), 0);
	count(f, "a", 7);
	sums = audit(f);
	assert_int_equal(sums.wrong, 0);
	assert_int_equal(sums.attempts_one, 585);
	assert_int_equal(sums.attempts_two, 5005);
}

static void test_out_of_memory(void **state)
{
	const struct vs_port_change c = {
		.set = VS_PORT_SET_SWITCH | VS_PORT_SET_VLANS | VS_PORT_SET_MAC |
		       VS_PORT_SET_CLUSTER | VS_PORT_SET_NAME,
		.sw = "two",
		.vlans = fk_trunk(10, 20, 5),
		.mac = mf_mac(50),
		.cluster = mf_mac(60),
		.name = "x",
	};
	struct mf *f = *state;

	two_switches(f);
	count(f, "a", 1);
	assert_int_equal(fk_static(f, "one", "b", 9, 0), 0);
	mf_sees(f, 0, fid_of(f, "one"), 1, 4);
	mf_turn(f);
	fk_without_memory(f, vs_port_set(f->m, "a", &c, &f->fail));
	assert_string_equal(fk_domain(f, "two", 15), "x");
	assert_string_equal(fk_group(f, "two", 5, 60), "x");
	assert_int_equal(mf_entry_on(f, "two", 20, 50)->port, 0);
	fk_without_memory(f, fk_move(f, "b", "two"));
	fk_without_memory(f, vs_port_del(f->m, "x", &f->fail));
}

/* The kind says no: nothing moved. */
static void test_kind_refuses(void **state)
{
	struct mf *f = *state;

	two_switches(f);
	fk_port(f, "h", "one", VS_PORT_HOST);
	assert_int_equal(fk_static(f, "one", "h", 9, 0), 0);
	fk[VS_PORT_HOST].set_fails = -EIO;
	fk_refused(f, fk_move(f, "h", "two"), -EIO, VS_ATTR_IFNAME, "h does not");
	assert_string_equal(fk_domain(f, "one", 0), "a b h");
	assert_string_equal(fk_domain(f, "two", 0), "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_a_port_moves),      FK_TEST(test_addresses_stay_behind),
		FK_TEST(test_late_events),       FK_TEST(test_fault_during_a_move),
		FK_TEST(test_clashes),           FK_TEST(test_static_clashes),
		FK_TEST(test_two_statics_clash), FK_TEST(test_counters),
		FK_TEST(test_out_of_memory),     FK_TEST(test_kind_refuses),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
