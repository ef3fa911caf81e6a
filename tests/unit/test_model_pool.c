/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: automatic addresses. */
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

static int add(struct mf *f, const char *name, const char *sw)
{
	struct vs_port_spec spec = fk_spec(name, sw, VS_PORT_GUEST);

	spec.mac_from = VS_MAC_AUTO;
	return vs_port_add(f->m, &spec, &f->fail);
}

static struct rte_ether_addr auto_mac(struct mf *f, const char *name, const char *sw)
{
	assert_int_equal(add(f, name, sw), 0);
	return model_find_port(f->m, name)->mac;
}

static int ask_again(struct mf *f, const char *name)
{
	const struct vs_port_change c = {.set = VS_PORT_SET_MAC, .mac_from = VS_MAC_AUTO};

	return vs_port_set(f->m, name, &c, &f->fail);
}

static bool same(struct rte_ether_addr a, struct rte_ether_addr b)
{
	return rte_is_same_ether_addr(&a, &b);
}

static void set_pool(struct mf *f, uint8_t fifth)
{
	f->m->env.pool = (struct rte_ether_addr){{0x02, 0x11, 0x22, 0x33, fifth, 0}};
}

static void test_stable_by_name(void **state)
{
	struct mf *f = *state;
	struct rte_ether_addr a;
	struct rte_ether_addr b;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	a = auto_mac(f, "a", "s");
	b = auto_mac(f, "b", "s");
	assert_false(same(a, b));
	/* The range of this kind of switch, and a unicast address. */
	assert_int_equal(a.addr_bytes[0], 0x00);
	assert_int_equal(a.addr_bytes[1], 0x15);
	assert_int_equal(a.addr_bytes[2], 0x5d);
	assert_memory_equal(a.addr_bytes, b.addr_bytes, 4);
	assert_int_equal(a.addr_bytes[4] & 0xf0, b.addr_bytes[4] & 0xf0);
	/* It is given as one that the user says: guarded, and in the table. */
	assert_int_equal(f->m->conf->port[0].flags & VS_PORT_GUARD, VS_PORT_GUARD);
	assert_int_equal(vs_fdb_used(model_find_switch(f->m, "s")->fdb), 2);
	/* In whatever order they come. */
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	assert_int_equal(vs_port_del(f->m, "b", &f->fail), 0);
	assert_true(same(auto_mac(f, "b", "s"), b));
	assert_true(same(auto_mac(f, "a", "s"), a));
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	fk_switch(f, "t", VS_SWITCH_INTERNAL, NULL);
	assert_true(same(auto_mac(f, "a", "t"), a));
}

static void test_asked_again(void **state)
{
	struct mf *f = *state;
	struct rte_ether_addr a;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	a = auto_mac(f, "a", "s");
	assert_int_equal(ask_again(f, "a"), 0);
	assert_true(same(model_find_port(f->m, "a")->mac, a));
}

static void test_pool_that_is_set(void **state)
{
	struct mf *f = *state;
	struct rte_ether_addr a;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	set_pool(f, 0x40);
	a = auto_mac(f, "a", "s");
	assert_memory_equal(a.addr_bytes, f->m->env.pool.addr_bytes, 4);
	assert_int_equal(a.addr_bytes[4] & 0xf0, 0x40);
	fk_guest(f, "b", "s", NULL);
	assert_int_equal(ask_again(f, "b"), 0);
	assert_int_equal(model_find_port(f->m, "b")->mac.addr_bytes[3], 0x33);
}

/* What others have is passed over: own and cluster addresses of any switch, static ones. */
static void test_taken_ones(void **state)
{
	struct vs_port_change c = {.set = VS_PORT_SET_MAC};
	struct mf *f = *state;
	struct rte_ether_addr first;
	struct rte_ether_addr second;
	struct rte_ether_addr third;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_switch(f, "t", VS_SWITCH_INTERNAL, NULL);
	first = auto_mac(f, "a", "s");
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	fk_guest(f, "x", "t", NULL);
	c.mac = first;
	mf_set(f, "x", c);
	second = auto_mac(f, "a", "s");
	assert_false(same(second, first));
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	c.set = VS_PORT_SET_CLUSTER;
	c.cluster = second;
	mf_set(f, "x", c);
	third = auto_mac(f, "a", "s");
	assert_false(same(third, first));
	assert_false(same(third, second));
}

static void test_static_ones_are_taken(void **state)
{
	struct vs_fdb_spec spec = {.sw = "s", .port = "x"};
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	spec.mac = auto_mac(f, "a", "s");
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	fk_guest(f, "x", "s", NULL);
	assert_int_equal(vs_fdb_add_static(f->m, &spec, &f->fail), 0);
	assert_int_equal(add(f, "a", "s"), 0);
	assert_false(same(model_find_port(f->m, "a")->mac, spec.mac));
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct rte_ether_addr));
}

/* As many ports as there can be: all have an address, each its own. */
static void test_every_port(void **state)
{
	static struct rte_ether_addr macs[VS_PORTS_MAX];
	struct mf *f = *state;
	char name[8];
	unsigned int i;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	for (i = 0; i < VS_PORTS_MAX; i++) {
		snprintf(name, sizeof(name), "vm%u", i);
		macs[i] = auto_mac(f, name, "s");
		assert_true(rte_is_valid_assigned_ether_addr(&macs[i]));
	}
	qsort(macs, VS_PORTS_MAX, sizeof(macs[0]), by_bytes);
	for (i = 1; i < VS_PORTS_MAX; i++)
		assert_false(same(macs[i - 1], macs[i]));
	assert_memory_equal(macs[0].addr_bytes, macs[VS_PORTS_MAX - 1].addr_bytes, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_stable_by_name),        FK_TEST(test_asked_again),
		FK_TEST(test_pool_that_is_set),      FK_TEST(test_taken_ones),
		FK_TEST(test_static_ones_are_taken), FK_TEST(test_every_port),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
