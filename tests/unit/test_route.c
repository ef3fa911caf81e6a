/* SPDX-License-Identifier: BSD-3-Clause */
/* Which interface carries the default route: links, routes and what stands on what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/uplink/route.h"
#include "tests/unit/netns.h"

#include <errno.h>

static bool inside;

static int setup(void **state)
{
	if (!netns_enter())
		return 0;
	*state = &inside;
	netns_run("ip link set lo up");
	netns_run("ip link add a0 type veth peer name a1");
	netns_run("ip link add b0 type veth peer name b1");
	netns_run("for i in a0 a1 b0 b1; do ip link set $i up || exit 1; done");
	return 0;
}

static void expect(int a0, int a1, int b0)
{
	assert_int_equal(vs_route_is_default("a0"), a0);
	assert_int_equal(vs_route_is_default("a1"), a1);
	assert_int_equal(vs_route_is_default("b0"), b0);
	assert_int_equal(vs_route_is_default("b1"), 0);
	assert_int_equal(vs_route_is_default("lo"), 0);
}

static void test_no_such_interface(void **state)
{
	netns_need(state);
	assert_int_equal(vs_route_is_default("nosuch0"), -ENODEV);
	assert_int_equal(vs_route_is_default(""), -ENODEV);
	assert_int_equal(vs_route_is_default("a-name-longer-than-any-interface"), -ENODEV);
}

static void test_no_default_route(void **state)
{
	netns_need(state);
	expect(0, 0, 0);
	netns_run("ip addr add 192.0.2.1/24 dev a0");
	netns_run("ip route add 198.51.100.0/24 via 192.0.2.2");
	netns_run("ip route add 0.0.0.0/1 via 192.0.2.2");
	netns_run("ip -6 addr add 2001:db8::1/64 dev a0 nodad");
	expect(0, 0, 0);
	/* One that leads nowhere is carried by nobody. */
	netns_run("ip route add blackhole default metric 7");
	netns_run("ip -6 route add unreachable default metric 7");
	expect(0, 0, 0);
}

static void test_ipv4(void **state)
{
	netns_need(state);
	netns_run("ip addr add 192.0.2.1/24 dev a0");
	netns_run("ip route add default via 192.0.2.2");
	/* The other end of the pair is none of the route's business. */
	expect(1, 0, 0);
	netns_run("ip route del default");
	expect(0, 0, 0);
}

static void test_ipv6(void **state)
{
	netns_need(state);
	netns_run("ip -6 addr add 2001:db8::1/64 dev b0 nodad");
	netns_run("ip -6 route add default via 2001:db8::2 dev b0");
	expect(0, 0, 1);
}

static void test_other_table(void **state)
{
	netns_need(state);
	netns_run("ip addr add 192.0.2.1/24 dev a0");
	netns_run("ip route add default via 192.0.2.2 table 100");
	expect(1, 0, 0);
}

static void test_several_hops(void **state)
{
	netns_need(state);
	netns_run("ip addr add 192.0.2.1/24 dev a0");
	netns_run("ip addr add 198.51.100.1/24 dev b0");
	netns_run("ip route add default nexthop via 192.0.2.2 nexthop via 198.51.100.2");
	expect(1, 0, 1);
}

static void test_bridge_over_it(void **state)
{
	netns_need(state);
	netns_run("ip link add br0 type bridge");
	netns_run("ip link set br0 up && ip link set a0 master br0");
	netns_run("ip addr add 192.0.2.1/24 dev br0");
	expect(0, 0, 0);
	netns_run("ip route add default via 192.0.2.2");
	expect(1, 0, 0);
	assert_int_equal(vs_route_is_default("br0"), 1);
}

static void test_macvlan_on_it(void **state)
{
	netns_need(state);
	netns_run("ip link add m0 link a0 type macvlan && ip link set m0 up");
	netns_run("ip addr add 192.0.2.1/24 dev m0");
	netns_run("ip route add default via 192.0.2.2");
	expect(1, 0, 0);
}

/* More links and routes than one answer of the kernel holds. */
static void test_many(void **state)
{
	netns_need(state);
	netns_run("for i in $(seq 150); do echo link add d$i type veth peer name e$i; "
		  "done | ip -b -");
	netns_run("ip addr add 192.0.2.1/24 dev a0");
	netns_run("for i in $(seq 2000); do echo route add 10.$((i / 200)).$((i %% 200)).0/24 "
		  "via 192.0.2.2; done | ip -b -");
	expect(0, 0, 0);
	netns_run("ip route add default via 192.0.2.2 metric 4000000000");
	expect(1, 0, 0);
	assert_int_equal(vs_route_is_default("e150"), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_such_interface),
		TEST(test_no_default_route),
		TEST(test_ipv4),
		TEST(test_ipv6),
		TEST(test_other_table),
		TEST(test_several_hops),
		TEST(test_bridge_over_it),
		TEST(test_macvlan_on_it),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
