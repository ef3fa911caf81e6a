/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: cluster addresses, which several ports of one VLAN share. */
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

static int set_mac(struct mf *f, const char *port, unsigned int n)
{
	const struct vs_port_change c = {.set = VS_PORT_SET_MAC, .mac = mf_mac(n)};

	return vs_port_set(f->m, port, &c, &f->fail);
}

static unsigned int clusters(const struct mf *f)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < VS_GROUPS_MAX; i++)
		n += f->m->cluster[i].sw != NULL;
	return n;
}

static void four_ports(struct mf *f)
{
	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "s", NULL);
	fk_guest(f, "b", "s", NULL);
	fk_guest(f, "c", "s", NULL);
	fk_guest(f, "v", "s", fk_access(10));
	mf_forget(f);
}

static int seen(const struct vs_fdb_view *v, void *ctx)
{
	assert_string_equal(v->port, "");
	assert_int_equal(v->origin, VS_FDB_ORIGIN_CLUSTER);
	++*(unsigned int *)ctx;
	return 0;
}

static void test_members(void **state)
{
	struct mf *f = *state;
	unsigned int n = 0;

	four_ports(f);
	assert_int_equal(fk_cluster(f, "a", 1), 0);
	mf_next(f, VS_NOTICE_PORT_CHANGED, "s", "a");
	mf_no_more(f);
	assert_string_equal(fk_group(f, "s", 0, 1), "a");
	assert_int_equal(fk_cluster(f, "b", 1), 0);
	assert_int_equal(fk_cluster(f, "v", 1), 0);
	assert_string_equal(fk_group(f, "s", 0, 1), "a b");
	assert_string_equal(fk_group(f, "s", 10, 1), "v");
	assert_int_equal(clusters(f), 2);
	assert_int_equal(used(f, "s"), 2);
	assert_int_equal(vs_fdb_each(f->m, "s", seen, &n, &f->fail), 0);
	assert_int_equal(n, 2);
	/* It is nobody's to learn. */
	mf_sees(f, 2, model_find_switch(f->m, "s")->fid_of_vid[0], 1, 1);
	mf_turn(f);
	assert_string_equal(fk_group(f, "s", 0, 1), "a b");
	/* A port that is down gets nothing; the cluster is still there. */
	fk_link(model_find_port(f->m, "a"), false);
	assert_string_equal(fk_group(f, "s", 0, 1), "b");
	fk_link(model_find_port(f->m, "b"), false);
	assert_string_equal(fk_group(f, "s", 0, 1), "");
	fk_link(model_find_port(f->m, "a"), true);
	assert_string_equal(fk_group(f, "s", 0, 1), "a");
	/* The last one takes it away. */
	assert_int_equal(fk_cluster(f, "b", 0), 0);
	assert_int_equal(fk_cluster(f, "a", 2), 0);
	assert_string_equal(fk_group(f, "s", 0, 1), "none");
	assert_string_equal(fk_group(f, "s", 0, 2), "a");
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	assert_int_equal(vs_port_del(f->m, "v", &f->fail), 0);
	assert_int_equal(clusters(f), 0);
	assert_int_equal(used(f, "s"), 0);
}

static void test_group_address(void **state)
{
	struct vs_port_change c = {.set = VS_PORT_SET_CLUSTER,
				   .cluster = {{0x03, 0xbf, 1, 2, 3, 4}}};
	struct mf *f = *state;

	four_ports(f);
	/* It reaches every port as it is, and needs no entry. */
	mf_set(f, "a", c);
	assert_int_equal(clusters(f), 0);
	assert_int_equal(used(f, "s"), 0);
	assert_true(rte_is_same_ether_addr(&model_find_port(f->m, "a")->cluster, &c.cluster));
}

static void test_uplink_is_a_member(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "xdp:u");
	fk_guest(f, "a", "e", NULL);
	fk_guest(f, "b", "e", fk_access(10));
	assert_int_equal(fk_cluster(f, "a", 1), 0);
	assert_int_equal(fk_cluster(f, "b", 1), 0);
	assert_string_equal(fk_group(f, "e", 0, 1), "e.uplink a");
	assert_string_equal(fk_group(f, "e", 10, 1), "e.uplink b");
	assert_int_equal(fk_vlans(f, "e.uplink", fk_trunk(20, 30, 0)), 0);
	assert_string_equal(fk_group(f, "e", 0, 1), "e.uplink a");
	assert_string_equal(fk_group(f, "e", 10, 1), "b");
}

static void test_clashes(void **state)
{
	struct mf *f = *state;

	four_ports(f);
	assert_int_equal(set_mac(f, "b", 1), 0);
	fk_refused(f, fk_cluster(f, "a", 1), -EEXIST, VS_ATTR_CLUSTER, "'b'");
	fk_refused(f, fk_cluster(f, "b", 1), -EEXIST, VS_ATTR_CLUSTER, "'b'");
	assert_int_equal(fk_cluster(f, "a", 2), 0);
	fk_refused(f, set_mac(f, "c", 2), -EEXIST, VS_ATTR_MAC, "cluster address of port 'a'");
	fk_refused(f, set_mac(f, "a", 2), -EEXIST, VS_ATTR_MAC, "'a'");
	assert_string_equal(fk_group(f, "s", 0, 2), "a");
}

static void test_clash_with_a_static_address(void **state)
{
	struct mf *f = *state;

	four_ports(f);
	assert_int_equal(fk_static(f, "s", "b", 5, 0), 0);
	fk_refused(f, fk_cluster(f, "a", 5), -EEXIST, VS_ATTR_CLUSTER, "'b'");
	assert_int_equal(mf_entry(f, "s", 5)->port, 1);
}

/* A cluster's port that comes to a VLAN on which its cluster address is a static one. */
static void test_clash_with_a_static_address_by_vlan(void **state)
{
	struct mf *f = *state;

	four_ports(f);
	assert_int_equal(fk_static(f, "s", "v", 5, 10), 0);
	if (fk_cluster(f, "a", 5) != 0)
		return;
	fk_refused(f, fk_vlans(f, "a", fk_access(10)), -EEXIST, VS_ATTR_CLUSTER, "'v'");
	assert_int_equal(mf_entry_on(f, "s", 10, 5)->port, 3);
}

static void test_vlans_and_moves(void **state)
{
	struct mf *f = *state;

	four_ports(f);
	fk_switch(f, "t", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "x", "t", NULL);
	assert_int_equal(fk_cluster(f, "a", 1), 0);
	assert_int_equal(fk_cluster(f, "b", 1), 0);
	assert_int_equal(fk_cluster(f, "x", 1), 0);
	assert_int_equal(fk_vlans(f, "b", fk_access(10)), 0);
	assert_string_equal(fk_group(f, "s", 0, 1), "a");
	assert_string_equal(fk_group(f, "s", 10, 1), "b");
	assert_int_equal(fk_move(f, "a", "t"), 0);
	assert_string_equal(fk_group(f, "s", 0, 1), "none");
	assert_string_equal(fk_group(f, "t", 0, 1), "a x");
	assert_int_equal(fk_vlans(f, "b", fk_access(20)), 0);
	assert_string_equal(fk_group(f, "s", 20, 1), "b");
	assert_int_equal(clusters(f), 2);
	assert_int_equal(used(f, "s"), 1);
	assert_int_equal(set_mac(f, "x", 7), 0);
	assert_int_equal(fk_move(f, "a", "s"), 0);
	assert_string_equal(fk_group(f, "t", 0, 1), "x");
	/* On the new switch it is somebody's own. */
	assert_int_equal(set_mac(f, "c", 7), 0);
	fk_refused(f, fk_move(f, "x", "s"), -EEXIST, VS_ATTR_MAC, "'c'");
	assert_int_equal(set_mac(f, "x", 8), 0);
	assert_int_equal(fk_cluster(f, "x", 7), 0);
	fk_refused(f, fk_move(f, "x", "s"), -EEXIST, VS_ATTR_CLUSTER, "'c'");
	assert_string_equal(fk_group(f, "t", 0, 7), "x");
	assert_int_equal(vs_switch_del(f->m, "t", VS_DEL_FORCE, &f->fail), 0);
	assert_int_equal(clusters(f), 2);
}

static void test_replaces_a_learnt_one(void **state)
{
	struct mf *f = *state;
	struct vs_port *a;
	struct vs_port *c;

	four_ports(f);
	a = model_find_port(f->m, "a");
	c = model_find_port(f->m, "c");
	mf_sees(f, a->id, model_find_switch(f->m, "s")->fid_of_vid[0], 1, 3);
	mf_sees(f, c->id, model_find_switch(f->m, "s")->fid_of_vid[0], 11, 3);
	mf_turn(f);
	assert_int_equal(fk_cluster(f, "a", 11), 0);
	assert_int_equal(c->macs, 2);
	assert_string_equal(fk_group(f, "s", 0, 11), "a");
	assert_int_equal(used(f, "s"), 1 + a->macs + c->macs);
}

/* Refused for want of memory, the count of addresses is that of the table. */
static void test_counts_after_a_refusal(void **state)
{
	struct mf *f = *state;
	struct vs_port *a;

	four_ports(f);
	a = model_find_port(f->m, "a");
	mf_sees(f, a->id, model_find_switch(f->m, "s")->fid_of_vid[0], 1, 3);
	mf_turn(f);
	mf_alloc_fails = 0;
	assert_int_equal(fk_cluster(f, "a", 2), -ENOMEM);
	mf_alloc_fails = -1;
	assert_int_equal(clusters(f), 0);
	assert_int_equal(used(f, "s"), a->macs);
}

static void test_too_many(void **state)
{
	const struct vs_switch_change small = {.set = VS_SWITCH_SET_FDB_SIZE, .fdb_size = 5};
	struct mf *f = *state;
	char name[8];
	unsigned int i;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	for (i = 0; i <= VS_GROUPS_MAX; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		fk_guest(f, name, "s", NULL);
		if (i < VS_GROUPS_MAX)
			assert_int_equal(fk_cluster(f, name, 1000 + i), 0);
	}
	fk_refused(f, fk_cluster(f, name, 5000), -ENOSPC, VS_ATTR_CLUSTER, "256 cluster");
	/* One that is there may have more members. */
	assert_int_equal(fk_cluster(f, name, 1100), 0);
	assert_string_equal(fk_group(f, "s", 0, 1100), "p100 p256");
	assert_string_equal(fk_group(f, "s", 0, 1255), "p255");
	fk_switch(f, "t", VS_SWITCH_INTERNAL, NULL);
	fk_refused(f, fk_move(f, "p256", "t"), -ENOSPC, VS_ATTR_CLUSTER, "256 cluster");
	assert_int_equal(fk_cluster(f, "p7", 0), 0);
	assert_int_equal(fk_move(f, "p256", "t"), 0);
	assert_string_equal(fk_group(f, "t", 0, 1100), "p256");

	/* Nor does one fit a table that is full. */
	assert_int_equal(vs_switch_set(f->m, "t", &small, &f->fail), 0);
	assert_int_equal(fk_cluster(f, "p9", 0), 0);
	mf_sees(f, model_find_port(f->m, "p256")->id, model_find_switch(f->m, "t")->fid_of_vid[0],
		1, 4);
	mf_turn(f);
	fk_guest(f, "q", "t", NULL);
	fk_refused(f, fk_cluster(f, "q", 9), -ENOSPC, VS_ATTR_CLUSTER, "'t' is full");
}

static void test_out_of_memory(void **state)
{
	struct mf *f = *state;

	four_ports(f);
	assert_int_equal(fk_cluster(f, "a", 1), 0);
	fk_without_memory(f, fk_cluster(f, "b", 1));
	fk_without_memory(f, fk_cluster(f, "b", 2));
	fk_without_memory(f, fk_vlans(f, "b", fk_access(10)));
	assert_string_equal(fk_group(f, "s", 10, 2), "b");
	fk_without_memory(f, vs_port_del(f->m, "b", &f->fail));
	assert_int_equal(clusters(f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_members),
		FK_TEST(test_group_address),
		FK_TEST(test_uplink_is_a_member),
		FK_TEST(test_clashes),
		FK_TEST(test_clash_with_a_static_address),
		FK_TEST(test_clash_with_a_static_address_by_vlan),
		FK_TEST(test_vlans_and_moves),
		FK_TEST(test_replaces_a_learnt_one),
		FK_TEST(test_counts_after_a_refusal),
		FK_TEST(test_too_many),
		FK_TEST(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
