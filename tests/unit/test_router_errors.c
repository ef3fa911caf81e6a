/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tenants' router refuses, and what it says about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tenant_fixture.h"

#include <netinet/in.h>

static void test_errors(void **state)
{
	struct tf *t = tf_new();

	tf_to_router(t, 0, tf_ip4(2, 11), 1, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 11, 0);
	tf_to_router(t, 0, tf_ip4(2, 11), 0, TF_DF, 1);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 11, 0);
	tf_to_router(t, 0, tf_ip6(2, 21), 1, 0, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	tf_to_router(t, 0, tf_ip4(3, 11), 64, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	tf_to_router(t, 0, tf_ip6(3, 21), 64, 0, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 0);
	tf_to_router(t, 0, tf_ip4(2, 33), 64, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 1);
	tf_to_router(t, 0, tf_ip6(2, 33), 64, 0, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 3);
	/* Through the tunnel it goes back through the tunnel: who sends it is the same. */
	tf_to_router(t, 0, tf_ip4(2, 33), 64, TF_DF, 100);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_TUNNEL), 0, 3, 1);
	tf_free(t);
}

/* RFC 1812, 4.3.2.7; RFC 4443, 2.4 e: about these nothing is said. */
static void test_no_errors(void **state)
{
	struct vs_ip bad[] = {tf_ip4(1, 11), tf_ip4(1, 11), tf_ip4(1, 11), tf_ip4(1, 11)};
	struct vs_ip ours = tf_ip4(1, 11);
	struct vs_ip dst = tf_ip4(3, 1);
	struct vs_ip ours6 = tf_ip6(1, 21);
	struct vs_ip dst6 = tf_ip6(3, 1);
	static const uint8_t errors4[] = {3, 4, 5, 11, 12};
	static const uint8_t errors6[] = {1, 2, 3, 4, 127};
	struct tf *t = tf_new();
	unsigned int i;

	bad[0].b[12] = 0;
	bad[1].b[12] = 127;
	bad[2].b[12] = 224;
	bad[3].b[12] = 255;
	for (i = 0; i < RTE_DIM(bad); i++) {
		tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
		tf_udp(t, &bad[i], &dst, 64, 0, 10);
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_MARTIAN);
		tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
		tf_udp(t, &ours, &bad[i], 64, 0, 10);
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_MARTIAN);
	}
	tf_to_router(t, 0, tf_ip4(2, 255), 64, TF_DF, 10);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_MARTIAN);
	for (i = 0; i < RTE_DIM(errors4); i++) {
		tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
		tf_ip4_hdr(t, &ours, &dst, IPPROTO_ICMP, 64, 0, 36);
		tf_zero(t, 36)[0] = errors4[i];
		tf_sum(t, 34, 2);
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_NO_ROUTE);
		tf_ether(t, tf_router_mac(0), tf_mac(0, 21), 0x86dd);
		tf_ip6_hdr(t, &ours6, &dst6, IPPROTO_ICMPV6, 64, 56);
		tf_zero(t, 56)[0] = errors6[i];
		tf_sum(t, 54, 2);
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_NO_ROUTE);
	}
	/* Fragments but the first; the first is told. */
	tf_to_router(t, 0, dst, 64, 100, 10);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_NO_ROUTE);
	tf_to_router(t, 0, dst, 64, TF_MF, 10);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	/* About ICMP that is no error it is. */
	tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
	tf_ip4_hdr(t, &ours, &dst, IPPROTO_ICMP, 64, 0, 36);
	tf_zero(t, 36)[0] = 8;
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	tf_ether(t, tf_router_mac(0), tf_mac(0, 21), 0x86dd);
	tf_ip6_hdr(t, &ours6, &dst6, IPPROTO_ICMPV6, 64, 56);
	tf_zero(t, 56)[0] = 128;
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 0);
	/* An ICMP message whose type is beyond the frame. */
	tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
	tf_ip4_hdr(t, &ours, &dst, IPPROTO_ICMP, 64, 0, 0);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_NO_ROUTE);
	tf_free(t);
}

/* So many errors a second and no more; another subnet is not held back. */
static void test_pace(void **state)
{
	struct tf *t = tf_new();
	unsigned int answered = 0;
	struct vs_step step;
	unsigned int i;

	for (i = 0; i < 3 * VS_ROUTER_ERRORS_PPS; i++) {
		tf_to_router(t, 0, tf_ip4(3, 1), 64, TF_DF, 10);
		step = tf_send(t, 0, VS_FROM_GUEST);
		if (step.kind == VS_STEP_ANSWER)
			answered++;
		else
			tf_assert_dropped(step, VS_DROP_NO_ROUTE);
	}
	assert_int_equal(answered, VS_ROUTER_ERRORS_PPS);
	tf_to_router(t, 2, tf_ip4(3, 1), 64, TF_DF, 10);
	tf_assert_error(t, tf_send(t, 2, VS_FROM_GUEST), 2, 3, 0);
	t->router.now += rte_get_tsc_hz();
	tf_to_router(t, 0, tf_ip4(3, 1), 64, TF_DF, 10);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	tf_free(t);
}

static void test_bad_headers(void **state)
{
	struct tf *t = tf_new();
	unsigned int len;

	/* Every truncation of the frame, with a length that is too long then. */
	for (len = 14; len < 42; len++) {
		tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 0);
		t->len = len;
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	}
	for (len = 14; len < 62; len++) {
		tf_to_router(t, 0, tf_ip6(2, 21), 64, 0, 0);
		t->len = len;
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	}
	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 30);
	t->frame[24] ^= 1;
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 30);
	t->frame[14] = 0x44;
	tf_ip4_sum(t);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 30);
	t->frame[14] = 0x65;
	tf_ip4_sum(t);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 30);
	t->frame[12] = 0x88;
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	/* Padding behind the packet is no part of it. */
	tf_to_router(t, 0, tf_ip4(3, 1), 64, TF_DF, 0);
	tf_zero(t, 18);
	assert_int_equal(tf_send(t, 0, VS_FROM_GUEST).kind, VS_STEP_ANSWER);
	assert_int_equal(t->pkt.len, 14 + 20 + 8 + 28);
	tf_free(t);
}

static void test_gateway(void **state)
{
	struct vs_ip ours = tf_ip4(1, 11);
	struct vs_ip far = tf_ip4(2, 1);
	struct tf *t = tf_new();

	tf_to_router(t, 0, tf_ip4(1, 1), 64, TF_DF, 10);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 3);
	tf_to_router(t, 0, tf_ip6(1, 1), 64, 0, 10);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 4);
	tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
	tf_ip4_hdr(t, &ours, &far, IPPROTO_TCP, 64, 0, 20);
	tf_zero(t, 20);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_TO_ROUTER);
	tf_free(t);
}

/* One more byte than fits, to the same subnet and to another one. */
static void test_too_big(void **state)
{
	struct tf *t = tf_new();
	const uint8_t *icmp;
	struct vs_step step;

	tf_to_router(t, 0, tf_ip4(2, 12), 64, TF_DF, TF_ROOM - 28);
	tf_check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 12, 64);
	tf_to_router(t, 0, tf_ip4(2, 12), 64, TF_DF, TF_ROOM - 27);
	icmp = tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 4);
	assert_int_equal(icmp[6] << 8 | icmp[7], 1458);
	assert_int_equal(icmp[4] << 8 | icmp[5], 0);
	tf_to_router(t, 0, tf_ip4(2, 12), 64, 0, TF_ROOM - 27);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 4);
	tf_to_router(t, 0, tf_ip6(2, 22), 64, 0, TF_ROOM - 47);
	icmp = tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 2, 0);
	assert_int_equal((uint32_t)icmp[4] << 24 | (uint32_t)icmp[5] << 16 | icmp[6] << 8 | icmp[7],
			 1458);
	t->peer.is4 = false;
	tf_to_router(t, 0, tf_ip6(2, 22), 64, 0, TF_ROOM - 48);
	icmp = tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 2, 0);
	assert_int_equal(icmp[6] << 8 | icmp[7], 1438);
	/* To a local port the tunnel's MTU does not matter. */
	tf_to_router(t, 0, tf_ip4(2, 11), 64, TF_DF, 3000);
	tf_check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 11, 64);
	/* Not routed: the gateway says it all the same. */
	tf_to_router(t, 0, tf_ip4(1, 12), 64, TF_DF, TF_ROOM);
	memcpy(t->frame, &t->record[1].mac, 6);
	tf_assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 4);
	/* Not IP. */
	tf_to_router(t, 0, tf_ip4(1, 12), 64, TF_DF, TF_ROOM);
	memcpy(t->frame, &t->record[1].mac, 6);
	t->frame[12] = 0x77;
	step = tf_send(t, 0, VS_FROM_GUEST);
	tf_assert_dropped(step, VS_DROP_MTU_TUNNEL);
	tf_free(t);
}

/* Without a gateway of that kind the destination says it. */
static void test_too_big_no_gateway(void **state)
{
	struct tf *t = tf_new();
	const uint8_t *b;

	t->subnet[0].n_gateways = 0;
	tf_to_router(t, 0, tf_ip4(1, 12), 64, TF_DF, TF_ROOM);
	memcpy(t->frame, &t->record[1].mac, 6);
	assert_int_equal(tf_send(t, 0, VS_FROM_GUEST).kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	tf_check(b, t->len);
	tf_assert_macs(b, tf_mac(0, 11), tf_mac(0, 12));
	assert_memory_equal(b + 26, t->record[1].ca.b + 12, 4);
	tf_free(t);
}

/* 64 KiB that are to be cut count as their segments. */
static void test_gso(void **state)
{
	struct vs_ip src = tf_ip4(1, 11);
	struct vs_ip dst = tf_ip4(1, 12);
	struct tf *t = tf_new();
	unsigned int extra;

	for (extra = 0; extra < 2; extra++) {
		struct vs_step step;

		tf_ether(t, tf_mac(0, 12), tf_mac(0, 11), 0x0800);
		tf_ip4_hdr(t, &src, &dst, IPPROTO_TCP, 64, TF_DF, 60020);
		tf_zero(t, 20)[12] = 0x50;
		tf_zero(t, 60000);
		tf_pkt(t, 0, VS_HDR_BYTES);
		t->pkt.debt = (struct vs_debt){
			.csum = VS_CSUM_PARTIAL,
			.gso = VS_GSO_TCP4,
			.l3 = 14,
			.csum_start = 34,
			.csum_offset = 16,
			.hdrs = 54,
			.gso_size = (uint16_t)(TF_ROOM - 40 + extra),
		};
		step = vs_router_step(&t->router, &t->subnet[0], &t->pkt, &t->slot, VS_FROM_GUEST);
		assert_int_equal(step.kind, extra ? VS_STEP_ANSWER : VS_STEP_GO);
		assert_int_equal(t->pkt.debt.gso, extra ? VS_GSO_NONE : VS_GSO_TCP4);
		assert_int_equal(t->pkt.debt.csum, extra ? VS_CSUM_UNKNOWN : VS_CSUM_PARTIAL);
		assert_int_equal(t->pkt.len, extra ? VS_HDR_BYTES : t->len);
	}
	tf_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_no_errors),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_too_big_no_gateway),
		cmocka_unit_test(test_gso),
	};

	return cmocka_run_group_tests(tests, tf_setup, NULL);
}
