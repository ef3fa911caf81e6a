/* SPDX-License-Identifier: BSD-3-Clause */
/* What provider addresses ask with and are told by: every field, every length, forged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/resolve_frame.h"

#include <rte_arp.h>
#include <rte_ip.h>

#include <stdlib.h>
#include <string.h>

static const struct rte_ether_addr our_mac = {{0x02, 0, 0, 0, 0, 0x01}};
static const struct rte_ether_addr their_mac = {{0x02, 0, 0, 0, 0, 0x02}};
static const uint8_t our4[4] = {192, 168, 2, 22};
static const uint8_t their4[4] = {192, 168, 2, 55};
static const uint8_t our6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x22};
static const uint8_t their6[16] = {0x20, 0x01, 0x0d, 0xb8, [13] = 0xab, [14] = 0xcd, [15] = 0xef};

static struct vs_neigh_self self_of(struct vs_ip ip, uint16_t vid)
{
	return (struct vs_neigh_self){.mac = our_mac, .ip = ip, .vid = vid};
}

static bool is_ours(const struct vs_ip *ip, const void *ctx)
{
	const struct vs_ip four = vs_ip_make4(our4);
	const struct vs_ip six = vs_ip_make6(our6);

	return vs_ip_equal(ip, &four) || vs_ip_equal(ip, &six);
}

static bool parse(const uint8_t *frame, uint32_t len, struct vs_neigh_told *told)
{
	/* In memory of its own size: reading further is seen by who looks for it. */
	uint8_t *copy = malloc(len ? len : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, frame, len);
	ok = vs_neigh_parse(copy, len, is_ours, NULL, told);
	free(copy);
	return ok;
}

static void test_arp_request(void **state)
{
	static const uint8_t expect[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,   1,   0x08, 0x06,
		0,    1,    0x08, 0x00, 6,    4,    0, 1, 2, 0, 0,   0,   0,    1,
		192,  168,  2,    22,   0,    0,    0, 0, 0, 0, 192, 168, 2,    55,
	};
	const struct vs_neigh_self self = self_of(vs_ip_make4(our4), 0);
	const struct vs_ip target = vs_ip_make4(their4);
	uint8_t frame[VS_NEIGH_FRAME];

	assert_int_equal(vs_neigh_ask(frame, &self, &target, NULL), sizeof(expect));
	assert_memory_equal(frame, expect, sizeof(expect));
	/* To the neighbour alone. */
	assert_int_equal(vs_neigh_ask(frame, &self, &target, &their_mac), sizeof(expect));
	assert_memory_equal(frame, &their_mac, 6);
	assert_memory_equal(frame + 6, expect + 6, sizeof(expect) - 6);
}

static void test_tag(void **state)
{
	const struct vs_neigh_self self = self_of(vs_ip_make4(our4), 100);
	const struct vs_ip target = vs_ip_make4(their4);
	const uint8_t tag[6] = {0x81, 0x00, 0, 100, 0x08, 0x06};
	uint8_t frame[VS_NEIGH_FRAME];

	assert_int_equal(vs_neigh_ask(frame, &self, &target, NULL), 46);
	assert_memory_equal(frame + 12, tag, sizeof(tag));
}

static void test_solicitation(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0xab, 0xcd, 0xef};
	static const uint8_t group_ip[16] = {0xff, 2, [11] = 1, 0xff, 0xab, 0xcd, 0xef};
	const struct vs_neigh_self self = self_of(vs_ip_make6(our6), 0);
	const struct vs_ip target = vs_ip_make6(their6);
	const struct rte_ipv6_hdr *ip;
	uint8_t frame[VS_NEIGH_FRAME];

	assert_int_equal(vs_neigh_ask(frame, &self, &target, NULL), 14 + 40 + 32);
	assert_memory_equal(frame, group, 6);
	ip = (const void *)(frame + 14);
	assert_int_equal(ip->hop_limits, 255);
	assert_int_equal(ip->proto, IPPROTO_ICMPV6);
	assert_memory_equal(ip->src_addr, our6, 16);
	assert_memory_equal(ip->dst_addr, group_ip, 16);
	assert_int_equal(frame[54], 135);
	assert_memory_equal(frame + 62, their6, 16);
	assert_int_equal(frame[78], 1);
	assert_int_equal(frame[79], 1);
	assert_memory_equal(frame + 80, &our_mac, 6);
	assert_int_equal(rte_ipv6_udptcp_cksum(ip, frame + 54), 0);
	(void)vs_neigh_ask(frame, &self, &target, &their_mac);
	assert_memory_equal(frame, &their_mac, 6);
	assert_memory_equal(ip->dst_addr, their6, 16);
	assert_int_equal(rte_ipv6_udptcp_cksum(ip, frame + 54), 0);
}

static void test_announcements(void **state)
{
	struct vs_neigh_self self = self_of(vs_ip_make4(our4), 0);
	struct vs_neigh_told told;
	uint8_t frame[VS_NEIGH_FRAME];
	uint32_t len;

	self.ip = vs_ip_make4(their4);
	self.mac = their_mac;
	len = vs_neigh_announce(frame, &self);
	assert_true(parse(frame, len, &told));
	assert_true(vs_ip_equal(&told.ip, &self.ip));
	assert_true(rte_is_same_ether_addr(&told.mac, &their_mac));
	assert_false(told.answer);
	assert_true(told.override);

	self.ip = vs_ip_make6(their6);
	len = vs_neigh_announce(frame, &self);
	assert_memory_equal(frame, "\x33\x33\0\0\0\x01", 6);
	assert_true(parse(frame, len, &told));
	assert_true(vs_ip_equal(&told.ip, &self.ip));
	assert_true(rte_is_same_ether_addr(&told.mac, &their_mac));
	assert_false(told.answer);
	assert_true(told.override);
}

/* An ARP reply of theirs to us. */
static uint32_t make_reply(uint8_t *frame)
{
	const struct vs_neigh_self them = {.mac = their_mac, .ip = vs_ip_make4(their4)};
	const struct vs_ip us = vs_ip_make4(our4);
	const uint32_t len = vs_neigh_ask(frame, &them, &us, &our_mac);

	frame[14 + 7] = RTE_ARP_OP_REPLY;
	memcpy(frame + 14 + 18, &our_mac, 6);
	return len;
}

static void test_reply(void **state)
{
	struct vs_neigh_told told;
	uint8_t frame[VS_NEIGH_FRAME + 18] = {0};
	uint32_t len = make_reply(frame);
	uint32_t i;

	assert_true(parse(frame, len, &told));
	assert_true(told.answer);
	assert_memory_equal(told.ip.b + 12, their4, 4);
	/* Filled up to the shortest frame. */
	assert_true(parse(frame, 60, &told));
	for (i = 0; i < len; i++)
		assert_false(parse(frame, i, &told));
	/* To all: nobody was answered. */
	memset(frame, 0xff, 6);
	assert_true(parse(frame, len, &told));
	assert_false(told.answer);
}

static void test_bad_arp(void **state)
{
	/* offset in ARP, value */
	static const uint8_t bad[][2] = {
		{0, 1}, {1, 6}, {2, 9},    {3, 1},  {4, 5},    {4, 8},    {5, 16},   {6, 1},
		{7, 0}, {7, 3}, {8, 0x03}, {14, 0}, {14, 127}, {14, 224}, {14, 255}, {27, 23},
	};
	struct vs_neigh_told told;
	uint8_t frame[VS_NEIGH_FRAME];
	uint32_t len;
	unsigned int i;

	for (i = 0; i < RTE_DIM(bad); i++) {
		len = make_reply(frame);
		frame[14 + bad[i][0]] = bad[i][1];
		if (parse(frame, len, &told))
			fail_msg("byte %u = %u was taken", bad[i][0], bad[i][1]);
	}
	len = make_reply(frame);
	memset(frame + 14 + 8, 0, 6);
	assert_false(parse(frame, len, &told));
	/* A request to us tells who asks. */
	len = make_reply(frame);
	frame[14 + 7] = RTE_ARP_OP_REQUEST;
	assert_true(parse(frame, len, &told));
	assert_false(told.answer);
}

/* An advertisement of theirs to us. @flags: of it. @option: with their MAC? */
static uint32_t make_na(uint8_t *frame, uint8_t flags, bool option)
{
	const struct vs_neigh_self them = {.mac = their_mac, .ip = vs_ip_make6(their6)};
	struct rte_ipv6_hdr *ip = (void *)(frame + 14);
	uint32_t len = vs_neigh_announce(frame, &them);
	rte_be16_t csum;

	memcpy(frame, &our_mac, 6);
	memcpy(ip->dst_addr, our6, 16);
	frame[58] = flags;
	if (!option) {
		ip->payload_len = RTE_BE16(24);
		len -= 8;
	}
	memset(frame + 56, 0, 2);
	csum = rte_ipv6_udptcp_cksum(ip, frame + 54);
	memcpy(frame + 56, &csum, 2);
	return len;
}

/* Its checksum is right again. */
static void mend(uint8_t *frame)
{
	struct rte_ipv6_hdr *ip = (void *)(frame + 14);
	rte_be16_t csum;

	memset(frame + 56, 0, 2);
	csum = rte_ipv6_udptcp_cksum(ip, frame + 54);
	memcpy(frame + 56, &csum, 2);
}

static void test_advertisement(void **state)
{
	struct vs_neigh_told told;
	uint8_t frame[VS_NEIGH_FRAME];
	uint32_t len = make_na(frame, 0x60, true);
	uint32_t i;

	assert_true(parse(frame, len, &told));
	assert_true(told.answer);
	assert_true(told.override);
	assert_memory_equal(&told.mac, &their_mac, 6);
	assert_memory_equal(told.ip.b, their6, 16);
	for (i = 0; i < len; i++)
		assert_false(parse(frame, i, &told));
	len = make_na(frame, 0x40, false);
	assert_true(parse(frame, len, &told));
	assert_true(told.answer);
	assert_false(told.override);
	assert_true(rte_is_zero_ether_addr(&told.mac));
}

static void test_bad_advertisement(void **state)
{
	/* offset in the frame, value; the checksum is right */
	static const uint8_t bad[][2] = {
		{14, 0x40}, {14 + 6, 17}, {14 + 7, 254}, {14 + 7, 64}, {54, 135},  {54, 134},
		{55, 1},    {62, 0xff},   {78 + 1, 0},   {78 + 1, 2},  {80, 0x03}, {14 + 24 + 1, 0},
	};
	struct vs_neigh_told told;
	uint8_t frame[VS_NEIGH_FRAME];
	uint32_t len;
	uint32_t bit;
	unsigned int i;

	for (i = 0; i < RTE_DIM(bad); i++) {
		len = make_na(frame, 0x60, true);
		frame[bad[i][0]] = bad[i][1];
		mend(frame);
		if (parse(frame, len, &told))
			fail_msg("byte %u = %u was taken", bad[i][0], bad[i][1]);
	}
	/* No single bit of what the checksum covers can be another. */
	for (bit = 54 * 8; bit < 86 * 8; bit++) {
		len = make_na(frame, 0x60, true);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(parse(frame, len, &told));
	}
	/* Solicited, and to a group. */
	len = make_na(frame, 0x60, true);
	memset(frame + 14 + 24, 0, 16);
	frame[14 + 24] = 0xff;
	frame[14 + 25] = 0x02;
	frame[14 + 39] = 0x01;
	mend(frame);
	assert_false(parse(frame, len, &told));
	frame[58] = 0x20;
	mend(frame);
	assert_true(parse(frame, len, &told));
	assert_false(told.answer);
}

static void test_what_it_means(void **state)
{
	const struct rte_ether_addr other = {{0x02, 9}};
	struct vs_neigh_told told = {.mac = their_mac, .answer = true, .override = true};
	struct vs_hop hop = {.state = VS_HOP_REACHABLE, .mac = their_mac};
	struct rte_ether_addr mac;
	enum vs_hop_event event;

	assert_true(vs_neigh_event(&told, &hop, &event, &mac));
	assert_int_equal(event, VS_HOP_ANSWERED);
	told.answer = false;
	assert_true(vs_neigh_event(&told, &hop, &event, &mac));
	assert_int_equal(event, VS_HOP_HEARD);
	/* Another MAC that is not to replace the one there is. */
	told = (struct vs_neigh_told){.mac = other, .answer = true};
	assert_true(vs_neigh_event(&told, &hop, &event, &mac));
	assert_int_equal(event, VS_HOP_DOUBTED);
	/* There is none to replace. */
	hop.state = VS_HOP_INCOMPLETE;
	assert_true(vs_neigh_event(&told, &hop, &event, &mac));
	assert_int_equal(event, VS_HOP_ANSWERED);
	assert_true(rte_is_same_ether_addr(&mac, &other));
	/* It says none. */
	memset(&told.mac, 0, sizeof(told.mac));
	assert_false(vs_neigh_event(&told, &hop, &event, &mac));
	hop.state = VS_HOP_PROBING;
	assert_true(vs_neigh_event(&told, &hop, &event, &mac));
	assert_int_equal(event, VS_HOP_ANSWERED);
	assert_true(rte_is_same_ether_addr(&mac, &their_mac));
}

/* ---- too big ---- */

/* "Fragmentation needed" about a packet of 1500 bytes from us to them, VSID 5001. */
static uint32_t make_pmtu4(uint8_t *frame, uint16_t mtu)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = 0x45,
		.total_length = RTE_BE16(20 + 8 + 20 + 8),
		.time_to_live = 60,
		.next_proto_id = IPPROTO_ICMP,
	};
	struct rte_ipv4_hdr sent = {
		.version_ihl = 0x45,
		.total_length = RTE_BE16(1500),
		.next_proto_id = IPPROTO_GRE,
	};
	const uint8_t gre[8] = {0x20, 0, 0x65, 0x58, 0, 0x13, 0x89, 0xab};
	uint8_t icmp[8] = {3, 4, [6] = (uint8_t)(mtu >> 8), (uint8_t)mtu};
	uint8_t *at = frame + 14;
	uint16_t csum;

	memcpy(frame, &our_mac, 6);
	memcpy(frame + 6, &their_mac, 6);
	frame[12] = 0x08;
	frame[13] = 0x00;
	memcpy(&ip.src_addr, "\xc0\xa8\x02\xfe", 4);
	memcpy(&ip.dst_addr, our4, 4);
	memcpy(&sent.src_addr, our4, 4);
	memcpy(&sent.dst_addr, their4, 4);
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(at, &ip, 20);
	memcpy(at + 20, icmp, 8);
	memcpy(at + 28, &sent, 20);
	memcpy(at + 48, gre, 8);
	csum = (uint16_t)~rte_raw_cksum(at + 20, 36);
	memcpy(at + 22, &csum, 2);
	return 14 + 56;
}

static uint32_t make_pmtu6(uint8_t *frame, uint32_t mtu)
{
	const uint8_t gre[8] = {0x20, 0, 0x65, 0x58, 0, 0x13, 0x89, 0xab};
	struct rte_ipv6_hdr ip = {
		.vtc_flow = RTE_BE32(0x60000000),
		.payload_len = RTE_BE16(8 + 40 + 8),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = 60,
	};
	struct rte_ipv6_hdr sent = {
		.vtc_flow = RTE_BE32(0x60012345),
		.payload_len = RTE_BE16(1460),
		.proto = IPPROTO_GRE,
		.hop_limits = 64,
	};
	const rte_be32_t mtu_be = rte_cpu_to_be_32(mtu);
	uint8_t icmp[8] = {2};
	uint8_t *at = frame + 14;
	uint16_t csum;

	memset(frame, 2, 12);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	memcpy(icmp + 4, &mtu_be, 4);
	memcpy(ip.src_addr, their6, 16);
	memcpy(ip.dst_addr, our6, 16);
	memcpy(sent.src_addr, our6, 16);
	memcpy(sent.dst_addr, their6, 16);
	memcpy(at, &ip, 40);
	memcpy(at + 40, icmp, 8);
	memcpy(at + 48, &sent, 40);
	memcpy(at + 88, gre, 8);
	csum = rte_ipv6_udptcp_cksum(&ip, at + 40);
	memcpy(at + 42, &csum, 2);
	return 14 + 96;
}

static bool parse_pmtu(const uint8_t *frame, uint32_t len, struct vs_pmtu_told *told)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, frame, len);
	ok = vs_pmtu_parse(copy, len, told);
	free(copy);
	return ok;
}

static void test_too_big(void **state)
{
	struct vs_pmtu_told told;
	uint8_t frame[128];
	uint32_t len = make_pmtu4(frame, 1400);
	uint32_t bit;
	uint32_t i;

	assert_true(parse_pmtu(frame, len, &told));
	assert_int_equal(told.mtu, 1400);
	assert_int_equal(told.vsid, 5001);
	assert_memory_equal(told.local.b + 12, our4, 4);
	assert_memory_equal(told.remote.b + 12, their4, 4);
	for (i = 0; i < len; i++)
		assert_false(parse_pmtu(frame, i, &told));
	for (bit = 14 * 8; bit < len * 8; bit++) {
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(parse_pmtu(frame, len, &told));
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}

	len = make_pmtu6(frame, 1400);
	assert_true(parse_pmtu(frame, len, &told));
	assert_int_equal(told.mtu, 1400);
	assert_int_equal(told.vsid, 5001);
	assert_memory_equal(told.remote.b, their6, 16);
	for (i = 0; i < len; i++)
		assert_false(parse_pmtu(frame, i, &told));
}

static void test_forged_too_big(void **state)
{
	/* offset behind Ethernet, value; all within ICMP, whose checksum is right */
	static const uint8_t bad[][2] = {
		{20, 11}, {21, 3},    {28, 0x46}, {28, 0x65}, {37, 17},   {48, 0x30},
		{48, 0},  {49, 0x01}, {50, 0x08}, {51, 0x59}, {30, 0x01},
	};
	struct vs_pmtu_told told;
	uint8_t frame[128];
	uint32_t len;
	uint16_t csum;
	unsigned int i;

	for (i = 0; i < RTE_DIM(bad); i++) {
		len = make_pmtu4(frame, 1400);
		frame[14 + bad[i][0]] = bad[i][1];
		memset(frame + 14 + 22, 0, 2);
		csum = (uint16_t)~rte_raw_cksum(frame + 14 + 20, 36);
		memcpy(frame + 14 + 22, &csum, 2);
		if (parse_pmtu(frame, len, &told))
			fail_msg("byte %u = %u was taken", bad[i][0], bad[i][1]);
	}
}

static void test_bounds_of_mtu(void **state)
{
	struct vs_pmtu_told told;
	uint8_t frame[128];

	/* Nobody gets us below what every path carries. */
	assert_true(parse_pmtu(frame, make_pmtu4(frame, 68), &told));
	assert_int_equal(told.mtu, VS_PMTU_MIN4);
	assert_true(parse_pmtu(frame, make_pmtu6(frame, 0), &told));
	assert_int_equal(told.mtu, VS_PMTU_MIN6);
	/* A router that does not say. */
	assert_true(parse_pmtu(frame, make_pmtu4(frame, 0), &told));
	assert_int_equal(told.mtu, 1492);
	/* That packet was not too big for it. */
	assert_false(parse_pmtu(frame, make_pmtu4(frame, 1500), &told));
	assert_false(parse_pmtu(frame, make_pmtu4(frame, 9000), &told));
	assert_false(parse_pmtu(frame, make_pmtu6(frame, 1500), &told));
	assert_false(parse_pmtu(frame, make_pmtu6(frame, UINT32_MAX), &told));
}

static void test_pmtu_ages(void **state)
{
	struct vs_pmtu p = {.base = 1500};

	assert_int_equal(vs_pmtu_now(&p), 1500);
	assert_false(vs_pmtu_lower(&p, 9000, 10));
	assert_false(vs_pmtu_age(&p, UINT64_MAX));
	assert_true(vs_pmtu_lower(&p, 1400, 1000));
	assert_int_equal(vs_pmtu_now(&p), 1400);
	/* It never rises by what somebody says. */
	assert_false(vs_pmtu_lower(&p, 1450, 2000));
	assert_int_equal(vs_pmtu_now(&p), 1400);
	/* Said again: good for longer. */
	assert_false(vs_pmtu_lower(&p, 1400, 3000));
	assert_false(vs_pmtu_age(&p, 3000 + VS_PMTU_GOOD_MS - 1));
	assert_true(vs_pmtu_age(&p, 3000 + VS_PMTU_GOOD_MS));
	assert_int_equal(vs_pmtu_now(&p), 1500);
	/* The uplink carries less than what was told. */
	assert_true(vs_pmtu_lower(&p, 1400, 1));
	p.base = 1300;
	assert_int_equal(vs_pmtu_now(&p), 1300);
	assert_false(vs_pmtu_age(&p, VS_PMTU_GOOD_MS + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp_request),    cmocka_unit_test(test_tag),
		cmocka_unit_test(test_solicitation),   cmocka_unit_test(test_announcements),
		cmocka_unit_test(test_reply),          cmocka_unit_test(test_bad_arp),
		cmocka_unit_test(test_advertisement),  cmocka_unit_test(test_bad_advertisement),
		cmocka_unit_test(test_what_it_means),  cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_forged_too_big), cmocka_unit_test(test_bounds_of_mtu),
		cmocka_unit_test(test_pmtu_ages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
