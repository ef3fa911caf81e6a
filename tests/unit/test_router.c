/* SPDX-License-Identifier: BSD-3-Clause */
/* The tenants' router: routes, MACs, and that no packet gets into a foreign domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tenant_fixture.h"

static void test_route_local(void **state)
{
	struct tf *t = tf_new();
	unsigned int ttl;
	struct vs_step step;

	/* Every TTL: the checksum is mended, and carries go round. */
	for (ttl = 2; ttl < 256; ttl++) {
		tf_to_router(t, 0, tf_ip4(2, 11), (uint8_t)ttl, TF_DF, 100);
		step = tf_send(t, 0, VS_FROM_GUEST);
		assert_null(step.via);
		tf_check_routed(t, step, 1, 11, (uint8_t)ttl);
		tf_to_router(t, 0, tf_ip6(2, 21), (uint8_t)ttl, 0, 100);
		tf_check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 21, (uint8_t)ttl);
	}
	tf_free(t);
}

static void test_route_remote(void **state)
{
	struct tf *t = tf_new();
	struct vs_step step;

	tf_to_router(t, 0, tf_ip4(2, 12), 64, TF_DF, 1000);
	step = tf_send(t, 0, VS_FROM_GUEST);
	assert_ptr_equal(step.via, &t->peer);
	assert_int_equal(step.room, TF_ROOM);
	assert_non_null(step.route);
	assert_int_equal(step.record->vsid, 5002);
	tf_check_routed(t, step, 1, 12, 64);
	/* What came by the tunnel never goes back into it, but comes out here. */
	tf_to_router(t, 0, tf_ip4(2, 12), 64, TF_DF, 1000);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_TUNNEL), VS_DROP_HAIRPIN);
	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 1000);
	tf_check_routed(t, tf_send(t, 0, VS_FROM_TUNNEL), 1, 11, 64);
	tf_free(t);
}

/* The same addresses in the other domain, and addresses that only the other one has. */
static void test_domains(void **state)
{
	struct tf *t = tf_new();
	struct vs_ip ip = tf_ip4(9, 0);

	tf_to_router(t, 2, tf_ip4(2, 11), 64, TF_DF, 100);
	tf_check_routed(t, tf_send(t, 2, VS_FROM_GUEST), 3, 11, 64);
	tf_route(t, 1, &ip, 96 + 24, 3);
	ip = tf_ip4(9, 5);
	tf_record(t, 3, 5, &ip, NULL);
	tf_to_router(t, 2, ip, 64, TF_DF, 100);
	tf_check_routed(t, tf_send(t, 2, VS_FROM_GUEST), 3, 5, 64);
	tf_to_router(t, 0, ip, 64, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	/* A route that should not be there leads nowhere. */
	ip = tf_ip4(9, 0);
	tf_route(t, 0, &ip, 96 + 24, 3);
	tf_to_router(t, 0, tf_ip4(9, 5), 64, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	/* Nor does one to another switch. */
	t->subnet[1].sw = 7;
	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	tf_free(t);
}

/* Another subnet's router MAC, or one of another domain, is nobody's here. */
static void test_foreign_router(void **state)
{
	struct tf *t = tf_new();
	struct vs_step step;

	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 100);
	memcpy(t->frame, &t->subnet[3].router, 6);
	step = tf_send(t, 0, VS_FROM_GUEST);
	assert_int_equal(step.kind, VS_STEP_GO);
	assert_false(step.routed);
	assert_null(step.record);
	assert_int_equal(t->pkt.fid, TF_FID);
	tf_free(t);
}

static void test_next_hop(void **state)
{
	struct tf *t = tf_new();
	struct vs_ip all = vs_ip_make4("\0\0\0\0");
	struct vs_ip net = tf_ip4(9, 0);
	struct vs_ca_route *r;
	struct vs_record wildcard = {.vsid = 5002, .mac = tf_mac(1, 77), .peer = &t->peer};
	struct vs_step step;

	r = tf_route(t, 0, &net, 96 + 24, 1);
	r->next_hop = tf_ip4(2, 11);
	tf_to_router(t, 0, tf_ip4(9, 1), 64, TF_DF, 100);
	tf_check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 11, 64);
	/* The default route, the last of all; its next hop has no record. */
	r = &t->route[0][t->rd[0].n_routes++];
	*r = (struct vs_ca_route){.prefix = {.ip = all, .len = 96}, .subnet = &t->subnet[1]};
	r->next_hop = tf_ip4(2, 99);
	tf_to_router(t, 0, tf_ip4(77, 1), 64, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 1);
	t->subnet[1].wildcard = &wildcard;
	tf_to_router(t, 0, tf_ip4(77, 1), 64, TF_DF, 100);
	step = tf_send(t, 0, VS_FROM_GUEST);
	assert_ptr_equal(step.via, &t->peer);
	tf_check_routed(t, step, 1, 77, 64);
	/* It is none of IPv6, nor is IPv6's one of IPv4. */
	tf_to_router(t, 0, tf_ip6(77, 1), 64, 0, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 0);
	*r = (struct vs_ca_route){.subnet = &t->subnet[1]};
	tf_to_router(t, 0, tf_ip6(77, 1), 64, 0, 100);
	tf_check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 77, 64);
	tf_to_router(t, 0, tf_ip4(77, 1), 64, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	tf_free(t);
}

static void test_bridge(void **state)
{
	struct tf *t = tf_new();
	struct vs_ip src = tf_ip4(1, 11);
	struct vs_ip dst = tf_ip4(1, 12);
	struct vs_step step;
	unsigned int host;

	for (host = 11; host <= 13; host++) {
		unsigned int twice;

		/* The second time the router remembers. */
		for (twice = 0; twice < 2; twice++) {
			tf_ether(t, tf_mac(0, host), tf_mac(0, 11), 0x0800);
			tf_udp(t, &src, &dst, 64, 0, 10);
			step = tf_send(t, 0, VS_FROM_GUEST);
			assert_int_equal(step.kind, VS_STEP_GO);
			assert_false(step.routed);
			assert_ptr_equal(step.via, host == 12 ? &t->peer : NULL);
			(void)tf_arrived(t);
			tf_check(t->frame, t->len);
			assert_int_equal(t->frame[22], 64);
		}
	}
	/* The same MAC in another subnet is nobody's. */
	tf_ether(t, tf_mac(0, 12), tf_mac(2, 11), 0x0800);
	tf_udp(t, &src, &dst, 64, 0, 10);
	assert_null(tf_send(t, 2, VS_FROM_GUEST).via);
	tf_ether(t, tf_mac(0, 12), tf_mac(0, 11), 0x0800);
	tf_udp(t, &src, &dst, 64, 0, 10);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_TUNNEL), VS_DROP_HAIRPIN);
	/* For many: lookup knows them. */
	tf_ether(t, (struct rte_ether_addr){{1, 0, 0x5e, 1, 2, 3}}, tf_mac(0, 11), 0x0800);
	tf_udp(t, &src, &dst, 64, 0, 3000);
	step = tf_send(t, 0, VS_FROM_GUEST);
	assert_int_equal(step.kind, VS_STEP_GO);
	assert_null(step.via);
	tf_free(t);
}

static void test_spoof(void **state)
{
	struct vs_ip src = tf_ip4(1, 11);
	struct vs_ip dst = tf_ip4(1, 12);
	struct tf *t = tf_new();

	tf_ether(t, tf_mac(0, 12), tf_router_mac(0), 0x0800);
	tf_udp(t, &src, &dst, 64, 0, 10);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_SPOOF);
	/* What another host has routed has it. */
	tf_ether(t, tf_mac(0, 11), tf_router_mac(0), 0x0800);
	tf_udp(t, &src, &dst, 64, 0, 10);
	assert_int_equal(tf_send(t, 0, VS_FROM_TUNNEL).kind, VS_STEP_GO);
	tf_free(t);
}

/* A guest is the router: ours keeps out of it. */
static void test_external(void **state)
{
	struct tf *t = tf_new();
	struct vs_step step;

	t->subnet[0].flags = VS_SUBNET_EXTERNAL;
	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 100);
	step = tf_send(t, 0, VS_FROM_GUEST);
	assert_int_equal(step.kind, VS_STEP_GO);
	assert_false(step.routed);
	tf_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route_local), cmocka_unit_test(test_route_remote),
		cmocka_unit_test(test_domains),     cmocka_unit_test(test_foreign_router),
		cmocka_unit_test(test_next_hop),    cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_spoof),       cmocka_unit_test(test_external),
	};

	return cmocka_run_group_tests(tests, tf_setup, NULL);
}
