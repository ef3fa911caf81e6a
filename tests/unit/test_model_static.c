/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: static addresses, entered by the user behind a port. */
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

static uint16_t fid_of(struct mf *f, const char *sw, uint16_t vlan)
{
	return model_find_switch(f->m, sw)->fid_of_vid[vlan];
}

static int set_mac(struct mf *f, const char *port, unsigned int n)
{
	const struct vs_port_change c = {.set = VS_PORT_SET_MAC, .mac = mf_mac(n)};

	return vs_port_set(f->m, port, &c, &f->fail);
}

static int resize(struct mf *f, const char *sw, uint32_t size)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_FDB_SIZE, .fdb_size = size};

	return vs_switch_set(f->m, sw, &c, &f->fail);
}

/* Switch s with ports a (untagged), b (VLAN 10) and t (VLANs 10 to 12, native 5). */
static void three_ports(struct mf *f)
{
	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "s", NULL);
	fk_guest(f, "b", "s", fk_access(10));
	fk_guest(f, "t", "s", fk_trunk(10, 12, 5));
	mf_forget(f);
}

struct shown {
	unsigned int n;
	struct vs_fdb_view view;
	char port[VS_NAME_MAX];
};

static int show(const struct vs_fdb_view *v, void *ctx)
{
	struct shown *shown = ctx;

	shown->n++;
	shown->view = *v;
	snprintf(shown->port, sizeof(shown->port), "%s", v->port);
	return 0;
}

static void test_add_and_del(void **state)
{
	struct mf *f = *state;
	struct shown shown = {0};

	three_ports(f);
	assert_int_equal(fk_static(f, "s", "t", 1, 11), 0);
	assert_int_equal(vs_fdb_each(f->m, "s", show, &shown, &f->fail), 0);
	assert_int_equal(shown.n, 1);
	assert_int_equal(shown.view.vlan, 11);
	assert_int_equal(shown.view.origin, VS_FDB_ORIGIN_STATIC);
	assert_string_equal(shown.port, "t");
	assert_int_equal(model_find_port(f->m, "t")->macs, 0);
	/* The same address on another VLAN is another one. */
	assert_int_equal(fk_static(f, "s", "b", 1, 10), 0);
	assert_int_equal(fk_static(f, "s", "a", 1, 0), 0);
	assert_int_equal(mf_entry_on(f, "s", 10, 1)->port, 1);
	assert_int_equal(mf_entry_on(f, "s", 0, 1)->port, 0);
	/* It neither moves nor ages nor is flushed. */
	mf_sees(f, 2, fid_of(f, "s", 10), 1, 1);
	mf_entry_on(f, "s", 10, 1)->seen -= 100000;
	mf_turn(f);
	model_age(f->m);
	assert_int_equal(vs_fdb_flush_switch(f->m, "s", &f->fail), 0);
	assert_int_equal(mf_entry_on(f, "s", 10, 1)->port, 1);

	assert_int_equal(fk_unstatic(f, "s", 1, 10), 0);
	assert_null(mf_entry_on(f, "s", 10, 1));
	assert_int_equal(used(f, "s"), 2);
	assert_int_equal(fk_unstatic(f, "s", 1, 0), 0);
	assert_int_equal(fk_unstatic(f, "s", 1, 11), 0);
	assert_int_equal(used(f, "s"), 0);
	/* Now it may be learnt. */
	mf_sees(f, 2, fid_of(f, "s", 10), 1, 1);
	mf_turn(f);
	assert_int_equal(mf_entry_on(f, "s", 10, 1)->kind, VS_FDB_LEARNT);
	fk_refused(f, fk_unstatic(f, "s", 1, 10), -ENOENT, VS_ATTR_MAC, "VLAN 10");
}

static void test_refused(void **state)
{
	struct vs_fdb_spec spec = {.sw = "s", .port = "a"};
	struct mf *f = *state;

	three_ports(f);
	fk_switch(f, "other", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "o", "other", NULL);
	assert_int_equal(fk_static(f, "s", "t", 1, 10), 0);
	assert_int_equal(set_mac(f, "a", 2), 0);
	fk_refused(f, fk_static(f, "x", "a", 1, 0), -ENOENT, VS_ATTR_SWITCH, "'x'");
	fk_refused(f, fk_static(f, "s", "x", 1, 0), -ENOENT, VS_ATTR_PORT, "'x'");
	fk_refused(f, fk_static(f, "s", "o", 1, 0), -ENOENT, VS_ATTR_PORT, "'o'");
	fk_refused(f, fk_static(f, "s", "a", 1, 4095), -EINVAL, VS_ATTR_VLAN, "1..4094");
	fk_refused(f, fk_static(f, "s", "a", 1, UINT16_MAX), -EINVAL, VS_ATTR_VLAN, "1..4094");
	fk_refused(f, fk_static(f, "s", "a", 1, 10), -EINVAL, VS_ATTR_VLAN, "not on VLAN 10");
	fk_refused(f, fk_static(f, "s", "b", 1, 0), -EINVAL, VS_ATTR_VLAN, "not on VLAN 0");
	fk_refused(f, fk_static(f, "s", "t", 1, 13), -EINVAL, VS_ATTR_VLAN, "not on VLAN 13");
	fk_refused(f, vs_fdb_add_static(f->m, &spec, &f->fail), -EINVAL, VS_ATTR_MAC, "unicast");
	spec.mac.addr_bytes[0] = 1;
	fk_refused(f, vs_fdb_add_static(f->m, &spec, &f->fail), -EINVAL, VS_ATTR_MAC, "unicast");
	/* Somebody's already: static, own, shared. */
	fk_refused(f, fk_static(f, "s", "b", 1, 10), -EEXIST, VS_ATTR_MAC, "static entry");
	fk_refused(f, fk_static(f, "s", "t", 1, 10), -EEXIST, VS_ATTR_MAC, "static entry");
	fk_refused(f, fk_static(f, "s", "a", 2, 0), -EEXIST, VS_ATTR_MAC,
		   "the address of port 'a'");
	assert_int_equal(fk_cluster(f, "a", 3), 0);
	fk_refused(f, fk_static(f, "s", "a", 3, 0), -EEXIST, VS_ATTR_MAC,
		   "a cluster address of port 'a'");
	fk_refused(f, fk_unstatic(f, "s", 2, 0), -ENOENT, VS_ATTR_MAC, "own");
	fk_refused(f, fk_unstatic(f, "s", 3, 0), -ENOENT, VS_ATTR_MAC, "VLAN 0");
	fk_refused(f, fk_unstatic(f, "s", 1, 11), -ENOENT, VS_ATTR_MAC, "VLAN 11");
	fk_refused(f, fk_unstatic(f, "s", 1, 4095), -EINVAL, VS_ATTR_VLAN, "1..4094");
	fk_refused(f, fk_unstatic(f, "other", 1, 0), -ENOENT, VS_ATTR_MAC, "'other'");
	fk_refused(f, fk_unstatic(f, "x", 1, 0), -ENOENT, VS_ATTR_SWITCH, "'x'");
	/* And the other way round: what is static is nobody's own. */
	fk_refused(f, set_mac(f, "b", 1), -EEXIST, VS_ATTR_MAC, "static address of port 't'");
	assert_int_equal(fk_static(f, "s", "o", 1, 0), -ENOENT);
}

static void test_own_address_that_is_static(void **state)
{
	struct mf *f = *state;

	three_ports(f);
	assert_int_equal(fk_static(f, "s", "a", 1, 0), 0);
	if (set_mac(f, "a", 1) != 0)
		return;
	/* If it may be both, removing the one leaves the other. */
	assert_int_equal(fk_unstatic(f, "s", 1, 0), 0);
	assert_non_null(mf_entry(f, "s", 1));
	assert_int_equal(mf_entry(f, "s", 1)->port, 0);
}

/* A port that comes to a VLAN on which another one has its address as a static one. */
static void test_clash_by_vlan(void **state)
{
	struct mf *f = *state;

	three_ports(f);
	assert_int_equal(set_mac(f, "b", 1), 0);
	if (fk_static(f, "s", "a", 1, 0) != 0)
		return;
	fk_refused(f, fk_vlans(f, "b", &(struct vs_vlans){.mode = VS_VLAN_UNTAGGED}), -EEXIST,
		   VS_ATTR_MAC, "'a'");
	assert_int_equal(mf_entry(f, "s", 1)->port, 0);
}

static void test_full_table(void **state)
{
	struct mf *f = *state;

	three_ports(f);
	assert_int_equal(resize(f, "s", 4), 0);
	mf_sees(f, 0, fid_of(f, "s", 0), 1, 3);
	mf_turn(f);
	assert_int_equal(fk_static(f, "s", "b", 1, 10), 0);
	fk_refused(f, fk_static(f, "s", "b", 2, 10), -ENOSPC, VS_ATTR_MAC, "'s' is full");
	/* One that was learnt needs no room. */
	assert_int_equal(fk_static(f, "s", "a", 1, 0), 0);
	assert_int_equal(model_find_port(f->m, "a")->macs, 2);
	assert_int_equal(mf_entry(f, "s", 1)->kind, VS_FDB_STATIC);
	assert_int_equal(used(f, "s"), 4);
}

static void test_resize_keeps_them(void **state)
{
	struct mf *f = *state;
	unsigned int i;

	three_ports(f);
	for (i = 1; i <= 100; i++)
		assert_int_equal(fk_static(f, "s", "t", i, (uint16_t)(10 + i % 3)), 0);
	assert_int_equal(fk_cluster(f, "a", 500), 0);
	assert_int_equal(resize(f, "s", 101), 0);
	for (i = 1; i <= 100; i++) {
		const struct vs_fdb_entry *e = mf_entry_on(f, "s", (uint16_t)(10 + i % 3), i);

		assert_non_null(e);
		assert_int_equal(e->kind, VS_FDB_STATIC);
		assert_int_equal(e->port, 2);
	}
	assert_string_equal(fk_group(f, "s", 0, 500), "a");
	fk_refused(f, resize(f, "s", 100), -ERANGE, VS_ATTR_FDB_SIZE, "101 addresses");
	assert_int_equal(vs_port_del(f->m, "t", &f->fail), 0);
	assert_int_equal(used(f, "s"), 1);
}

static void test_vlan_and_mac_changes(void **state)
{
	struct mf *f = *state;

	three_ports(f);
	assert_int_equal(fk_static(f, "s", "t", 1, 11), 0);
	assert_int_equal(fk_static(f, "s", "t", 2, 5), 0);
	fk_refused(f, fk_vlans(f, "t", fk_trunk(20, 30, 5)), -EBUSY, VS_ATTR_VLAN_MODE, "VLAN 11");
	fk_refused(f, fk_vlans(f, "t", fk_trunk(11, 12, 0)), -EBUSY, VS_ATTR_VLAN_MODE, "VLAN 5");
	assert_int_equal(fk_vlans(f, "t", fk_trunk(5, 11, 0)), 0);
	assert_int_equal(mf_entry_on(f, "s", 11, 1)->port, 2);
	assert_int_equal(mf_entry_on(f, "s", 5, 2)->port, 2);
	assert_int_equal(set_mac(f, "t", 9), 0);
	assert_int_equal(mf_entry_on(f, "s", 11, 1)->port, 2);
	assert_int_equal(used(f, "s"), 2 + 8);
	assert_int_equal(vs_port_del(f->m, "t", &f->fail), 0);
	assert_int_equal(used(f, "s"), 0);
	/* They went with the port. */
	assert_int_equal(fk_static(f, "s", "b", 1, 10), 0);
	fk_refused(f, fk_unstatic(f, "s", 2, 5), -ENOENT, VS_ATTR_MAC, "VLAN 5");
}

/* Behind an uplink: its VLANs come and go with others, its static addresses stay. */
static void test_behind_an_uplink(void **state)
{
	struct mf *f = *state;
	struct vs_port *u;

	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:u");
	u = model_find_port(f->m, "s.uplink");
	fk_refused(f, fk_static(f, "s", "s.uplink", 1, 10), -EINVAL, VS_ATTR_VLAN, "uplink");
	fk_guest(f, "g", "s", fk_access(10));
	assert_int_equal(fk_static(f, "s", "s.uplink", 1, 10), 0);
	assert_int_equal(mf_entry_on(f, "s", 10, 1)->port, u->id);
	assert_int_equal(vs_port_del(f->m, "g", &f->fail), 0);
	assert_int_equal(used(f, "s"), 0);
	fk_guest(f, "h", "s", fk_access(10));
	if (fk_static(f, "s", "s.uplink", 1, 10) == 0)
		fail_msg("the static address was lost with the last other port of its VLAN");
	assert_non_null(mf_entry_on(f, "s", 10, 1));
	assert_int_equal(fk_unstatic(f, "s", 1, 10), 0);
	assert_null(mf_entry_on(f, "s", 10, 1));
	assert_int_equal(used(f, "s"), 0);
}

static void test_many(void **state)
{
	struct mf *f = *state;
	unsigned int i;

	three_ports(f);
	for (i = 1; i <= 3000; i++)
		assert_int_equal(fk_static(f, "s", "a", i, 0), 0);
	for (i = 1; i <= 3000; i += 2)
		assert_int_equal(fk_unstatic(f, "s", i, 0), 0);
	for (i = 1; i <= 3000; i++)
		assert_int_equal(mf_entry(f, "s", i) != NULL, i % 2 == 0);
	assert_int_equal(used(f, "s"), 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_add_and_del),
		FK_TEST(test_refused),
		FK_TEST(test_own_address_that_is_static),
		FK_TEST(test_clash_by_vlan),
		FK_TEST(test_full_table),
		FK_TEST(test_resize_keeps_them),
		FK_TEST(test_vlan_and_mac_changes),
		FK_TEST(test_behind_an_uplink),
		FK_TEST(test_many),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
