/* SPDX-License-Identifier: BSD-3-Clause */
/* Echo, and what a host answers for an address of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvgre/answer.h"
#include "tests/unit/tenant_fixture.h"

#include <netinet/in.h>

/* An echo request of @len bytes of data to a gateway, in @have private bytes. */
static void ping(struct tf *t, struct vs_ip dst, uint32_t len, uint32_t have)
{
	bool v4 = vs_ip_is4(&dst);
	struct vs_ip src = v4 ? tf_ip4(1, 11) : tf_ip6(1, 21);
	uint32_t l4 = v4 ? 34 : 54;
	struct vs_step step;
	const uint8_t *b;
	uint8_t *data;
	uint32_t i;

	tf_ether(t, tf_router_mac(0), tf_mac(0, 11), v4 ? 0x0800 : 0x86dd);
	if (v4)
		tf_ip4_hdr(t, &src, &dst, IPPROTO_ICMP, 7, TF_DF, 8 + len);
	else
		tf_ip6_hdr(t, &src, &dst, IPPROTO_ICMPV6, 7, 8 + len);
	tf_zero(t, 8)[0] = v4 ? 8 : 128;
	t->frame[l4 + 4] = 0x77;
	data = tf_zero(t, len);
	for (i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7);
	tf_sum(t, l4, 2);
	tf_pkt(t, 0, have);
	step = vs_router_step(&t->router, &t->subnet[0], &t->pkt, &t->slot, VS_FROM_GUEST);
	assert_int_equal(step.kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	tf_check(b, t->len);
	tf_assert_macs(b, tf_mac(0, 11), tf_router_mac(0));
	assert_memory_equal(b + (v4 ? 26 : 22), dst.b + (v4 ? 12 : 0), v4 ? 4 : 16);
	assert_memory_equal(b + (v4 ? 30 : 38), src.b + (v4 ? 12 : 0), v4 ? 4 : 16);
	assert_int_equal(b[v4 ? 22 : 21], 64);
	assert_int_equal(b[l4], v4 ? 0 : 129);
	assert_int_equal(b[l4 + 4], 0x77);
	for (i = 0; i < len; i++)
		assert_int_equal(b[l4 + 8 + i], (uint8_t)(i * 7));
}

static void test_echo(void **state)
{
	struct tf *t = tf_new();
	uint32_t len;

	for (len = 0; len < 300; len++) {
		ping(t, tf_ip4(1, 1), len, 128);
		ping(t, tf_ip6(1, 1), len, 128);
	}
	ping(t, tf_ip4(1, 1), 1400, 42);
	ping(t, tf_ip6(1, 1), 1400, 62);
	/* The address that the router has in another subnet. */
	ping(t, tf_ip4(2, 1), 56, 128);
	ping(t, tf_ip6(2, 1), 56, 128);
	tf_free(t);
}

/* Pieces of a request come back as pieces of the reply: put together they are one. */
static void test_echo_fragments(void **state)
{
	struct vs_ip src = tf_ip4(1, 11);
	struct vs_ip dst = tf_ip4(1, 1);
	struct tf *t = tf_new();
	uint8_t whole[8 + 1600] = {8, 0, 0, 0, 0x12, 0x34, 0, 1};
	uint8_t reply[sizeof(whole)];
	uint32_t sum;
	uint32_t at;

	memset(whole + 8, 0x5a, sizeof(whole) - 8);
	sum = (uint16_t)~tf_add(whole, sizeof(whole), 0);
	whole[2] = (uint8_t)(sum >> 8);
	whole[3] = (uint8_t)sum;
	for (at = 0; at < sizeof(whole); at += 800) {
		uint32_t n = RTE_MIN((uint32_t)sizeof(whole) - at, 800u);
		uint16_t more = at + n < sizeof(whole) ? TF_MF : 0;

		tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
		tf_ip4_hdr(t, &src, &dst, IPPROTO_ICMP, 64, (uint16_t)(more | at / 8), n);
		tf_bytes(t, whole + at, n);
		assert_int_equal(tf_send(t, 0, VS_FROM_GUEST).kind, VS_STEP_ANSWER);
		(void)tf_arrived(t);
		tf_check(t->frame, t->len);
		memcpy(reply + at, t->frame + 34, n);
	}
	assert_int_equal(tf_add(reply, sizeof(reply), 0), 0xffff);
	assert_int_equal(reply[0], 0);
	assert_memory_equal(reply + 4, whole + 4, sizeof(whole) - 4);
	tf_free(t);
}

/* A host's address: ARP, solicitations and echo for it; not for others. */
static void test_host(void **state)
{
	const struct rte_ether_addr mac = tf_mac(9, 1);
	const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1};
	struct vs_ip asker = tf_ip4(1, 11);
	struct vs_ip asker6 = tf_ip6(1, 21);
	struct vs_ip ip = tf_ip4(7, 7);
	struct vs_ip ip6 = tf_ip6(7, 7);
	struct tf *t = tf_new();
	unsigned int other;

	for (other = 0; other < 2; other++) {
		enum vs_asked want = other ? VS_ASKED_NOTHING : VS_ASKED_ANSWERED;
		struct vs_ip dst = tf_ip4(7, 7 + other);
		struct vs_ip dst6 = tf_ip6(7, 7 + other);

		tf_ether(t, mac, tf_mac(0, 11), 0x0806);
		tf_bytes(t, arp, sizeof(arp));
		tf_bytes(t, tf_mac(0, 11).addr_bytes, 6);
		tf_bytes(t, asker.b + 12, 4);
		tf_zero(t, 6);
		tf_bytes(t, dst.b + 12, 4);
		tf_pkt(t, 0, VS_HDR_BYTES);
		assert_int_equal(vs_answer_host(&t->pkt, &t->slot, &ip, &mac), want);
		if (!other)
			assert_memory_equal(tf_arrived(t) + 22, &mac, 6);
		tf_ether(t, mac, tf_mac(0, 21), 0x86dd);
		tf_ip6_hdr(t, &asker6, &ip6, IPPROTO_ICMPV6, 255, 24);
		tf_zero(t, 8)[0] = 135;
		tf_bytes(t, dst6.b, 16);
		tf_sum(t, 54, 2);
		tf_pkt(t, 0, VS_HDR_BYTES);
		assert_int_equal(vs_answer_host(&t->pkt, &t->slot, &ip6, &mac), want);
		/* It is a host: not a router, solicited, new. */
		if (!other) {
			(void)tf_arrived(t);
			tf_check(t->frame, t->len);
			assert_int_equal(t->frame[58], 0x60);
		}
		tf_ether(t, mac, tf_mac(0, 11), 0x0800);
		tf_ip4_hdr(t, &asker, &dst, IPPROTO_ICMP, 64, 0, 16);
		tf_zero(t, 16)[0] = 8;
		tf_sum(t, 34, 2);
		tf_pkt(t, 0, VS_HDR_BYTES);
		assert_int_equal(vs_answer_host(&t->pkt, &t->slot, &ip, &mac), want);
	}
	tf_free(t);
}

/* What others say is told from what they ask. */
static void test_host_hears(void **state)
{
	const struct rte_ether_addr mac = tf_mac(9, 1);
	const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 2};
	struct vs_ip from = tf_ip4(7, 1);
	struct vs_ip from6 = tf_ip6(7, 1);
	struct vs_ip ip = tf_ip4(7, 7);
	struct vs_ip ip6 = tf_ip6(7, 7);
	struct tf *t = tf_new();
	unsigned int cut;

	for (cut = 0; cut < 2; cut++) {
		tf_ether(t, mac, tf_mac(0, 11), 0x0806);
		tf_bytes(t, arp, sizeof(arp));
		tf_bytes(t, tf_mac(0, 11).addr_bytes, 6);
		tf_bytes(t, from.b + 12, 4);
		tf_zero(t, 10 - cut);
		tf_pkt(t, 0, VS_HDR_BYTES);
		assert_int_equal(vs_answer_host(&t->pkt, &t->slot, &ip, &mac),
				 cut ? VS_ASKED_NOTHING : VS_ASKED_NEIGHBOUR);
		tf_ether(t, mac, tf_mac(0, 21), 0x86dd);
		tf_ip6_hdr(t, &from6, &ip6, IPPROTO_ICMPV6, cut ? 254 : 255, 24);
		tf_zero(t, 8)[0] = 136;
		tf_bytes(t, from6.b, 16);
		tf_sum(t, 54, 2);
		tf_pkt(t, 0, VS_HDR_BYTES);
		assert_int_equal(vs_answer_host(&t->pkt, &t->slot, &ip6, &mac),
				 cut ? VS_ASKED_NOTHING : VS_ASKED_NEIGHBOUR);
		tf_ether(t, mac, tf_mac(0, 11), 0x0800);
		tf_ip4_hdr(t, &from, &ip, IPPROTO_ICMP, 64, 0, 36 * (1 - cut));
		if (!cut)
			tf_zero(t, 36)[0] = 3;
		tf_pkt(t, 0, VS_HDR_BYTES);
		assert_int_equal(vs_answer_host(&t->pkt, &t->slot, &ip, &mac),
				 cut ? VS_ASKED_NOTHING : VS_ASKED_ERROR);
	}
	tf_free(t);
}

/* Who asks for its own address asks nobody, but says who has it: even if it is ours. */
static void test_announcement(void **state)
{
	const struct rte_ether_addr mac = tf_mac(9, 1);
	const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1};
	struct vs_ip ip = tf_ip4(7, 7);
	struct tf *t = tf_new();
	unsigned int host;

	for (host = 1; host < 8; host += 6) {
		struct vs_ip from = tf_ip4(7, host);

		tf_ether(t, mac, tf_mac(0, 11), 0x0806);
		tf_bytes(t, arp, sizeof(arp));
		tf_bytes(t, tf_mac(0, 11).addr_bytes, 6);
		tf_bytes(t, from.b + 12, 4);
		tf_zero(t, 6);
		tf_bytes(t, from.b + 12, 4);
		tf_pkt(t, 0, VS_HDR_BYTES);
		assert_int_equal(vs_answer_host(&t->pkt, &t->slot, &ip, &mac), VS_ASKED_NEIGHBOUR);
	}
	tf_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),         cmocka_unit_test(test_echo_fragments),
		cmocka_unit_test(test_host),         cmocka_unit_test(test_host_hears),
		cmocka_unit_test(test_announcement),
	};

	return cmocka_run_group_tests(tests, tf_setup, NULL);
}
