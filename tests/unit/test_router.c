/* SPDX-License-Identifier: BSD-3-Clause */
/* The tenants' router: routes, errors, MTU, and that no packet gets into a foreign domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tenant_fixture.h"

#include <netinet/in.h>
#include <stdio.h>

enum {
	DF = 0x4000,
	MF = 0x2000,
};

/* A datagram from .11 of subnet number @subnet, to its router. */
static void to_router(struct tf *t, unsigned int subnet, struct vs_ip dst, uint8_t ttl,
		      uint16_t fragment, uint32_t len)
{
	unsigned int net = 1 + subnet % 2;
	struct vs_ip src = vs_ip_is4(&dst) ? tf_ip4(net, 11) : tf_ip6(net, 21);
	struct rte_ether_addr mac = tf_mac(subnet, vs_ip_is4(&dst) ? 11 : 21);

	tf_ether(t, tf_router_mac(subnet), mac, vs_ip_is4(&dst) ? 0x0800 : 0x86dd);
	tf_udp(t, &src, &dst, ttl, fragment, len);
}

static void assert_macs(const uint8_t *frame, struct rte_ether_addr dst, struct rte_ether_addr src)
{
	assert_memory_equal(frame, &dst, 6);
	assert_memory_equal(frame + 6, &src, 6);
}

/* An error that was sent to .11 (.21) of @subnet: from its gateway, quoting what was sent. */
static const uint8_t *assert_error(struct tf *t, struct vs_step step, unsigned int subnet,
				   unsigned int type, unsigned int code)
{
	unsigned int net = 1 + subnet % 2;
	struct vs_ip gateway4 = tf_ip4(net, 1);
	struct vs_ip gateway6 = tf_ip6(net, 1);
	uint8_t sent[VS_HDR_BYTES];
	const uint8_t *icmp;
	const uint8_t *b;

	memcpy(sent, t->frame, sizeof(sent));
	assert_int_equal(step.kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	tf_check(b, t->len);
	assert_macs(b, *(const struct rte_ether_addr *)(sent + 6), tf_router_mac(subnet));
	assert_int_equal(t->pkt.fid, TF_FID + subnet);
	if (b[14] >> 4 == 4) {
		assert_memory_equal(b + 26, gateway4.b + 12, 4);
		assert_memory_equal(b + 30, sent + 26, 4);
		assert_int_equal(b[23], IPPROTO_ICMP);
		icmp = b + 34;
	} else {
		assert_memory_equal(b + 22, gateway6.b, 16);
		assert_memory_equal(b + 38, sent + 22, 16);
		assert_int_equal(b[20], IPPROTO_ICMPV6);
		icmp = b + 54;
	}
	assert_int_equal(icmp[0], type);
	assert_int_equal(icmp[1], code);
	assert_memory_equal(icmp + 8, sent + 14, t->len - (uint32_t)(icmp + 8 - b));
	assert_true(t->len - (uint32_t)(icmp + 8 - b) >= 28);
	return icmp;
}

static void assert_dropped(struct vs_step step, enum vs_drop drop)
{
	if (step.kind != VS_STEP_DROP || step.drop != drop)
		fail_msg("kind %u, %s, not %s", step.kind, vs_drop_name(step.drop),
			 vs_drop_name(drop));
}

/* All that routing changes, and nothing else. */
static void check_routed(struct tf *t, struct vs_step step, unsigned int to, unsigned int host,
			 uint8_t ttl)
{
	static uint8_t sent[TF_FRAME];
	uint32_t len = t->len;
	const uint8_t *b;

	memcpy(sent, t->frame, len);
	assert_int_equal(step.kind, VS_STEP_GO);
	assert_true(step.routed);
	assert_ptr_equal(step.subnet, &t->subnet[to]);
	assert_int_equal(t->pkt.fid, TF_FID + to);
	b = tf_arrived(t);
	assert_int_equal(t->len, len);
	tf_check(b, len);
	assert_macs(b, tf_mac(to, host), tf_router_mac(to));
	if (b[14] >> 4 == 4) {
		assert_int_equal(b[22], ttl - 1);
		memcpy(sent + 22, b + 22, 4);
		sent[23] = b[23];
	} else {
		assert_int_equal(b[21], ttl - 1);
		sent[21]--;
	}
	memcpy(sent, b, 12);
	assert_memory_equal(b, sent, len);
}

static void test_route_local(void **state)
{
	struct tf *t = tf_new();
	unsigned int ttl;
	struct vs_step step;

	/* Every TTL: the checksum is mended, and carries go round. */
	for (ttl = 2; ttl < 256; ttl++) {
		to_router(t, 0, tf_ip4(2, 11), (uint8_t)ttl, DF, 100);
		step = tf_send(t, 0, VS_FROM_GUEST);
		assert_null(step.via);
		check_routed(t, step, 1, 11, (uint8_t)ttl);
		to_router(t, 0, tf_ip6(2, 21), (uint8_t)ttl, 0, 100);
		check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 21, (uint8_t)ttl);
	}
	tf_free(t);
}

static void test_route_remote(void **state)
{
	struct tf *t = tf_new();
	struct vs_step step;

	to_router(t, 0, tf_ip4(2, 12), 64, DF, 1000);
	step = tf_send(t, 0, VS_FROM_GUEST);
	assert_ptr_equal(step.via, &t->peer);
	assert_int_equal(step.room, TF_ROOM);
	assert_non_null(step.route);
	assert_int_equal(step.record->vsid, 5002);
	check_routed(t, step, 1, 12, 64);
	/* What came by the tunnel never goes back into it, but comes out here. */
	to_router(t, 0, tf_ip4(2, 12), 64, DF, 1000);
	assert_dropped(tf_send(t, 0, VS_FROM_TUNNEL), VS_DROP_HAIRPIN);
	to_router(t, 0, tf_ip4(2, 11), 64, DF, 1000);
	check_routed(t, tf_send(t, 0, VS_FROM_TUNNEL), 1, 11, 64);
	tf_free(t);
}

/* The same addresses in the other domain, and addresses that only the other one has. */
static void test_domains(void **state)
{
	struct tf *t = tf_new();
	struct vs_ip ip = tf_ip4(9, 0);

	to_router(t, 2, tf_ip4(2, 11), 64, DF, 100);
	check_routed(t, tf_send(t, 2, VS_FROM_GUEST), 3, 11, 64);
	tf_route(t, 1, &ip, 96 + 24, 3);
	ip = tf_ip4(9, 5);
	tf_record(t, 3, 5, &ip, NULL);
	to_router(t, 2, ip, 64, DF, 100);
	check_routed(t, tf_send(t, 2, VS_FROM_GUEST), 3, 5, 64);
	to_router(t, 0, ip, 64, DF, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	/* A route that should not be there leads nowhere. */
	ip = tf_ip4(9, 0);
	tf_route(t, 0, &ip, 96 + 24, 3);
	to_router(t, 0, tf_ip4(9, 5), 64, DF, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	/* Nor does one to another switch. */
	t->subnet[1].sw = 7;
	to_router(t, 0, tf_ip4(2, 11), 64, DF, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	tf_free(t);
}

/* Another subnet's router MAC, or one of another domain, is nobody's here. */
static void test_foreign_router(void **state)
{
	struct tf *t = tf_new();
	struct vs_step step;

	to_router(t, 0, tf_ip4(2, 11), 64, DF, 100);
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
	to_router(t, 0, tf_ip4(9, 1), 64, DF, 100);
	check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 11, 64);
	/* The default route, the last of all; its next hop has no record. */
	r = &t->route[0][t->rd[0].n_routes++];
	*r = (struct vs_ca_route){.prefix = {.ip = all, .len = 96}, .subnet = &t->subnet[1]};
	r->next_hop = tf_ip4(2, 99);
	to_router(t, 0, tf_ip4(77, 1), 64, DF, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 1);
	t->subnet[1].wildcard = &wildcard;
	to_router(t, 0, tf_ip4(77, 1), 64, DF, 100);
	step = tf_send(t, 0, VS_FROM_GUEST);
	assert_ptr_equal(step.via, &t->peer);
	check_routed(t, step, 1, 77, 64);
	/* It is none of IPv6. */
	to_router(t, 0, tf_ip6(77, 1), 64, 0, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 0);
	tf_free(t);
}

static void test_errors(void **state)
{
	struct tf *t = tf_new();

	to_router(t, 0, tf_ip4(2, 11), 1, DF, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 11, 0);
	to_router(t, 0, tf_ip4(2, 11), 0, DF, 1);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 11, 0);
	to_router(t, 0, tf_ip6(2, 21), 1, 0, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	to_router(t, 0, tf_ip4(3, 11), 64, DF, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	to_router(t, 0, tf_ip6(3, 21), 64, 0, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 0);
	to_router(t, 0, tf_ip4(2, 33), 64, DF, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 1);
	to_router(t, 0, tf_ip6(2, 33), 64, 0, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 3);
	/* Through the tunnel it goes back through the tunnel: who sends it is the same. */
	to_router(t, 0, tf_ip4(2, 33), 64, DF, 100);
	assert_error(t, tf_send(t, 0, VS_FROM_TUNNEL), 0, 3, 1);
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
		assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_MARTIAN);
		tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
		tf_udp(t, &ours, &bad[i], 64, 0, 10);
		assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_MARTIAN);
	}
	to_router(t, 0, tf_ip4(2, 255), 64, DF, 10);
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_MARTIAN);
	for (i = 0; i < RTE_DIM(errors4); i++) {
		tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
		tf_ip4_hdr(t, &ours, &dst, IPPROTO_ICMP, 64, 0, 36);
		tf_zero(t, 36)[0] = errors4[i];
		tf_sum(t, 34, 2);
		assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_NO_ROUTE);
		tf_ether(t, tf_router_mac(0), tf_mac(0, 21), 0x86dd);
		tf_ip6_hdr(t, &ours6, &dst6, IPPROTO_ICMPV6, 64, 56);
		tf_zero(t, 56)[0] = errors6[i];
		tf_sum(t, 54, 2);
		assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_NO_ROUTE);
	}
	/* Fragments but the first; the first is told. */
	to_router(t, 0, dst, 64, 100, 10);
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_NO_ROUTE);
	to_router(t, 0, dst, 64, MF, 10);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	/* An ICMP message whose type is beyond the frame. */
	tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
	tf_ip4_hdr(t, &ours, &dst, IPPROTO_ICMP, 64, 0, 0);
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_NO_ROUTE);
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
		to_router(t, 0, tf_ip4(3, 1), 64, DF, 10);
		step = tf_send(t, 0, VS_FROM_GUEST);
		if (step.kind == VS_STEP_ANSWER)
			answered++;
		else
			assert_dropped(step, VS_DROP_NO_ROUTE);
	}
	assert_int_equal(answered, VS_ROUTER_ERRORS_PPS);
	to_router(t, 2, tf_ip4(3, 1), 64, DF, 10);
	assert_error(t, tf_send(t, 2, VS_FROM_GUEST), 2, 3, 0);
	t->router.now += rte_get_tsc_hz();
	to_router(t, 0, tf_ip4(3, 1), 64, DF, 10);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 0);
	tf_free(t);
}

static void test_bad_headers(void **state)
{
	struct tf *t = tf_new();
	unsigned int len;

	/* Every truncation of the frame, with a length that is too long then. */
	for (len = 14; len < 42; len++) {
		to_router(t, 0, tf_ip4(2, 11), 64, DF, 0);
		t->len = len;
		assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	}
	for (len = 14; len < 62; len++) {
		to_router(t, 0, tf_ip6(2, 21), 64, 0, 0);
		t->len = len;
		assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	}
	to_router(t, 0, tf_ip4(2, 11), 64, DF, 30);
	t->frame[24] ^= 1;
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	to_router(t, 0, tf_ip4(2, 11), 64, DF, 30);
	t->frame[14] = 0x44;
	tf_ip4_sum(t);
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	to_router(t, 0, tf_ip4(2, 11), 64, DF, 30);
	t->frame[14] = 0x65;
	tf_ip4_sum(t);
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	to_router(t, 0, tf_ip4(2, 11), 64, DF, 30);
	t->frame[12] = 0x88;
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_HEADER);
	/* Padding behind the packet is no part of it. */
	to_router(t, 0, tf_ip4(3, 1), 64, DF, 0);
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

	to_router(t, 0, tf_ip4(1, 1), 64, DF, 10);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 3);
	to_router(t, 0, tf_ip6(1, 1), 64, 0, 10);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 1, 4);
	tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
	tf_ip4_hdr(t, &ours, &far, IPPROTO_TCP, 64, 0, 20);
	tf_zero(t, 20);
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_TO_ROUTER);
	tf_free(t);
}

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
		tf_ip4_hdr(t, &src, &dst, IPPROTO_ICMP, 7, DF, 8 + len);
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
	assert_macs(b, tf_mac(0, 11), tf_router_mac(0));
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
		uint16_t more = at + n < sizeof(whole) ? MF : 0;

		tf_ether(t, tf_router_mac(0), tf_mac(0, 11), 0x0800);
		tf_ip4_hdr(t, &src, &dst, IPPROTO_ICMP, 64, (uint16_t)(more | at / 8), n);
		tf_bytes(t, whole + at, n);
		assert_int_equal(tf_send(t, 0, VS_FROM_GUEST).kind, VS_STEP_ANSWER);
		tf_check(tf_arrived(t), t->len);
		memcpy(reply + at, t->frame + 34, n);
	}
	assert_int_equal(tf_add(reply, sizeof(reply), 0), 0xffff);
	assert_int_equal(reply[0], 0);
	assert_memory_equal(reply + 4, whole + 4, sizeof(whole) - 4);
	tf_free(t);
}

/* One more byte than fits, to the same subnet and to another one. */
static void test_too_big(void **state)
{
	struct tf *t = tf_new();
	const uint8_t *icmp;
	struct vs_step step;

	to_router(t, 0, tf_ip4(2, 12), 64, DF, TF_ROOM - 28);
	check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 12, 64);
	to_router(t, 0, tf_ip4(2, 12), 64, DF, TF_ROOM - 27);
	icmp = assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 4);
	assert_int_equal(icmp[6] << 8 | icmp[7], 1458);
	assert_int_equal(icmp[4] << 8 | icmp[5], 0);
	to_router(t, 0, tf_ip4(2, 12), 64, 0, TF_ROOM - 27);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 4);
	to_router(t, 0, tf_ip6(2, 22), 64, 0, TF_ROOM - 47);
	icmp = assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 2, 0);
	assert_int_equal((uint32_t)icmp[4] << 24 | (uint32_t)icmp[5] << 16 | icmp[6] << 8 | icmp[7],
			 1458);
	t->peer.is4 = false;
	to_router(t, 0, tf_ip6(2, 22), 64, 0, TF_ROOM - 48);
	icmp = assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 2, 0);
	assert_int_equal(icmp[6] << 8 | icmp[7], 1438);
	/* To a local port the tunnel's MTU does not matter. */
	to_router(t, 0, tf_ip4(2, 11), 64, DF, 3000);
	check_routed(t, tf_send(t, 0, VS_FROM_GUEST), 1, 11, 64);
	/* Not routed: the gateway says it all the same. */
	to_router(t, 0, tf_ip4(1, 12), 64, DF, TF_ROOM);
	memcpy(t->frame, &t->record[1].mac, 6);
	assert_error(t, tf_send(t, 0, VS_FROM_GUEST), 0, 3, 4);
	/* Not IP. */
	to_router(t, 0, tf_ip4(1, 12), 64, DF, TF_ROOM);
	memcpy(t->frame, &t->record[1].mac, 6);
	t->frame[12] = 0x77;
	step = tf_send(t, 0, VS_FROM_GUEST);
	assert_dropped(step, VS_DROP_MTU_TUNNEL);
	tf_free(t);
}

/* Without a gateway of that kind the destination says it. */
static void test_too_big_no_gateway(void **state)
{
	struct tf *t = tf_new();
	const uint8_t *b;

	t->subnet[0].n_gateways = 0;
	to_router(t, 0, tf_ip4(1, 12), 64, DF, TF_ROOM);
	memcpy(t->frame, &t->record[1].mac, 6);
	assert_int_equal(tf_send(t, 0, VS_FROM_GUEST).kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	tf_check(b, t->len);
	assert_macs(b, tf_mac(0, 11), tf_mac(0, 12));
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
		tf_ip4_hdr(t, &src, &dst, IPPROTO_TCP, 64, DF, 60020);
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
			tf_check(tf_arrived(t), t->len);
			assert_int_equal(t->frame[22], 64);
		}
	}
	/* The same MAC in another subnet is nobody's. */
	tf_ether(t, tf_mac(0, 12), tf_mac(2, 11), 0x0800);
	tf_udp(t, &src, &dst, 64, 0, 10);
	assert_null(tf_send(t, 2, VS_FROM_GUEST).via);
	tf_ether(t, tf_mac(0, 12), tf_mac(0, 11), 0x0800);
	tf_udp(t, &src, &dst, 64, 0, 10);
	assert_dropped(tf_send(t, 0, VS_FROM_TUNNEL), VS_DROP_HAIRPIN);
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
	assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ROUTER_SPOOF);
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
	to_router(t, 0, tf_ip4(2, 11), 64, DF, 100);
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
		cmocka_unit_test(test_next_hop),    cmocka_unit_test(test_errors),
		cmocka_unit_test(test_no_errors),   cmocka_unit_test(test_pace),
		cmocka_unit_test(test_bad_headers), cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_echo),        cmocka_unit_test(test_echo_fragments),
		cmocka_unit_test(test_too_big),     cmocka_unit_test(test_too_big_no_gateway),
		cmocka_unit_test(test_gso),         cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_spoof),       cmocka_unit_test(test_external),
	};

	return cmocka_run_group_tests(tests, tf_setup, NULL);
}
