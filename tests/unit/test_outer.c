/* SPDX-License-Identifier: BSD-3-Clause */
/* Outer headers of NVGRE, built and put, against bytes written by hand: nvgre/{outer.c,wire.h}. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvgre/outer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	INNER = 60,
	HASH = 0x123456db, /* its four bytes make ab, its upper 20 bits 12345 */
	ID = 0x1234,
	L3 = 14,
	V4 = 14 + 20 + 8,
	V6 = 14 + 40 + 8,
	TAG = 4,
	FRAME_MAX = VS_OUTER_MAX + INNER,
};

#define SRC_MAC 0x02, 0x00, 0x00, 0x00, 0x02, 0x22
#define DST_MAC 0x02, 0x00, 0x00, 0x00, 0x05, 0x55

/* 192.168.2.22 -> 192.168.5.55, VSID 5001, FlowID ab, ECT(1), 60 bytes. */
static const uint8_t want4[V4] = {DST_MAC, SRC_MAC, 0x08, 0x00,
				  /* IPv4 */
				  0x45, 0x01, 0x00, 0x58, 0x12, 0x34, 0x40, 0x00, 0x40, 0x2f, 0x9f,
				  0xa4, 192, 168, 2, 22, 192, 168, 5, 55,
				  /* GRE */
				  0x20, 0x00, 0x65, 0x58, 0x00, 0x13, 0x89, 0xab};

/* fd00::2:22 -> fd00::5:55, VSID 6001, FlowID ab, flow label 12345, ECT(0), 60 bytes, VLAN 7. */
static const uint8_t want6[V6 + TAG] = {DST_MAC, SRC_MAC, 0x81, 0x00, 0x00, 0x07, 0x86, 0xdd,
					/* IPv6 */
					0x60, 0x21, 0x23, 0x45, 0x00, 0x44, 0x2f, 0x40, 0xfd, 0, 0,
					0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x22, 0xfd, 0, 0, 0, 0,
					0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0x55,
					/* GRE */
					0x20, 0x00, 0x65, 0x58, 0x00, 0x17, 0x71, 0xab};

static struct vs_pa pa4(void)
{
	struct vs_pa pa = {.vid = 3, .fid = 9, .uplink = 5};
	const uint8_t mac[] = {SRC_MAC};
	const uint8_t ip[] = {192, 168, 2, 22};

	memcpy(&pa.mac, mac, sizeof(mac));
	pa.prefix = (struct vs_prefix){vs_ip_make4(ip), 96 + 24};
	return pa;
}

static struct vs_pa pa6(void)
{
	struct vs_pa pa = pa4();

	pa.prefix = (struct vs_prefix){vs_ip_make6(want6 + 18 + 8), 64};
	return pa;
}

static struct vs_ip remote4(void)
{
	return vs_ip_make4(want4 + L3 + 16);
}

static struct vs_ip remote6(void)
{
	return vs_ip_make6(want6 + L3 + TAG + 24);
}

static struct vs_peer peer4(void)
{
	struct vs_pa pa = pa4();
	struct vs_ip remote = remote4();
	struct vs_peer peer = {.next_hop = VS_NEXT_HOP_KNOWN | UINT64_C(0x020000000555)};

	assert_int_equal(vs_outer_build(&peer, &pa, &remote, 0), 0);
	return peer;
}

static struct vs_peer peer6(uint16_t tag)
{
	struct vs_pa pa = pa6();
	struct vs_ip remote = remote6();
	struct vs_peer peer = {.next_hop = VS_NEXT_HOP_KNOWN | UINT64_C(0x020000000555)};

	assert_int_equal(vs_outer_build(&peer, &pa, &remote, tag), 0);
	return peer;
}

static uint32_t word(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* The sum of an IPv4 header as RFC 791 has it, bit by bit from the text. */
static uint32_t ip4_sum(const uint8_t *ip)
{
	uint32_t sum = 0;
	int i;

	for (i = 0; i < 20; i += 2)
		sum += word(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* ---- build */

static void build_fills_what_the_header_says(void **state)
{
	struct vs_pa pa = pa4();
	struct vs_ip remote = remote4();
	struct vs_peer peer = {.mtu = 1500, .index = 77, .no_flowid = true, .next_hop = 1};

	assert_int_equal(vs_outer_build(&peer, &pa, &remote, 7), 0);
	assert_int_equal(peer.outer_len, V4 + TAG);
	assert_int_equal(peer.l3, L3 + TAG);
	assert_true(peer.is4);
	assert_true(vs_ip_equal(&peer.ip, &remote));
	assert_true(vs_ip_equal(&peer.local, &pa.prefix.ip));
	assert_int_equal(peer.uplink, 5);
	assert_int_equal(peer.vid, 3);
	assert_int_equal(peer.fid, 9);
	/* The caller's. */
	assert_int_equal(peer.mtu, 1500);
	assert_int_equal(peer.index, 77);
	assert_true(peer.no_flowid);
	assert_int_equal(peer.next_hop, 1);
	assert_int_equal(ip4_sum(peer.outer + peer.l3), 0xffff);

	assert_int_equal(vs_outer_build(&peer, &pa, &remote, 0), 0);
	assert_int_equal(peer.outer_len, V4);
	peer = peer6(0);
	assert_int_equal(peer.outer_len, V6);
	peer = peer6(7);
	assert_int_equal(peer.outer_len, VS_OUTER_MAX);
	assert_false(peer.is4);
}

static void build_refuses_mixed_kinds(void **state)
{
	struct vs_pa four = pa4(), six = pa6();
	struct vs_ip to4 = remote4(), to6 = remote6();
	struct vs_peer peer = {.mtu = 9}, was = peer;

	assert_int_equal(vs_outer_build(&peer, &four, &to6, 0), -EINVAL);
	assert_int_equal(vs_outer_build(&peer, &six, &to4, 0), -EINVAL);
	assert_int_equal(vs_outer_build(&peer, &four, &to4, 4095), -EINVAL);
	assert_memory_equal(&peer, &was, sizeof(peer));
}

/* ---- put */

static void put_writes_ipv4_as_by_hand(void **state)
{
	uint8_t room[8 + FRAME_MAX];
	struct vs_peer peer = peer4();
	uint8_t *end = room + 8 + V4;

	memset(room, 0xee, sizeof(room));
	assert_ptr_equal(vs_outer_put(&peer, 5001, HASH, 0x01, INNER, ID, end), room + 8);
	assert_memory_equal(room + 8, want4, sizeof(want4));
	assert_int_equal(room[7], 0xee);
	assert_int_equal(*end, 0xee);
}

static void put_writes_ipv6_as_by_hand(void **state)
{
	uint8_t room[8 + FRAME_MAX];
	struct vs_peer peer = peer6(7);
	uint8_t *end = room + 8 + V6 + TAG;

	memset(room, 0xee, sizeof(room));
	assert_ptr_equal(vs_outer_put(&peer, 6001, HASH, 0x02, INNER, ID, end), room + 8);
	assert_memory_equal(room + 8, want6, sizeof(want6));
	assert_int_equal(room[7], 0xee);
	assert_int_equal(*end, 0xee);
}

static void put_without_flowid_or_next_hop(void **state)
{
	static const uint8_t zero[6];
	uint8_t room[FRAME_MAX];
	struct vs_peer peer = peer4();

	peer.no_flowid = true;
	peer.next_hop = VS_NEXT_HOP_FAILED | VS_NEXT_HOP_FULL;
	assert_non_null(vs_outer_put(&peer, 5001, HASH, 1, INNER, ID, room + V4));
	assert_memory_equal(room, zero, 6);
	assert_memory_equal(room + 6, want4 + 6, V4 - 7);
	assert_int_equal(room[V4 - 1], 0);

	/* The flow label stays: routers use it, nobody compares it. */
	peer = peer6(7);
	peer.no_flowid = true;
	assert_non_null(vs_outer_put(&peer, 6001, HASH, 2, INNER, ID, room + V6 + TAG));
	assert_memory_equal(room, want6, sizeof(want6) - 1);
	assert_int_equal(room[V6 + TAG - 1], 0);
}

/* Only the lower two bits of what the tenant says leave the tunnel's entrance. */
static void put_copies_ecn_alone(void **state)
{
	uint8_t room[FRAME_MAX];
	struct vs_peer four = peer4(), six = peer6(0);
	unsigned int tos;

	for (tos = 0; tos < 256; tos++) {
		vs_outer_put(&four, 5001, HASH, (uint8_t)tos, INNER, ID, room + V4);
		assert_int_equal(room[L3 + 1], tos & 3);
		assert_int_equal(ip4_sum(room + L3), 0xffff);
		vs_outer_put(&six, 5001, HASH, (uint8_t)tos, INNER, ID, room + V6);
		assert_int_equal(word(room + L3) >> 4 & 0xff, tos & 3);
	}
}

/* The sum that was mended is the one that is added up; over all ids, and all lengths. */
static void put_keeps_the_checksum_right(void **state)
{
	struct vs_peer peer = peer4();
	uint8_t room[FRAME_MAX];
	uint32_t i;

	for (i = 0; i < 65536; i++) {
		uint32_t len = (i * 40503u + 1) % (65535 - 28 + 1);

		assert_non_null(
			vs_outer_put(&peer, 5001, i, (uint8_t)i, len, (uint16_t)i, room + V4));
		if (ip4_sum(room + L3) != 0xffff)
			fail_msg("id %u, length %u: sum %x", i, len, ip4_sum(room + L3));
		assert_int_equal(word(room + L3 + 2), len + 28);
		assert_int_equal(word(room + L3 + 4), i);
	}
}

static void put_refuses_what_ip_cannot_hold(void **state)
{
	struct vs_peer four = peer4(), six = peer6(0);
	uint8_t room[FRAME_MAX] = {0};
	const uint8_t zero[FRAME_MAX] = {0};

	assert_null(vs_outer_put(&four, 5001, HASH, 0, 65535 - 28 + 1, ID, room + V4));
	assert_null(vs_outer_put(&six, 5001, HASH, 0, 65535 - 8 + 1, ID, room + V6));
	assert_null(vs_outer_put(&six, 5001, HASH, 0, UINT32_MAX, ID, room + V6));
	assert_null(vs_outer_put(&four, 5001, HASH, 0, UINT32_MAX - 8, ID, room + V4));
	assert_memory_equal(room, zero, sizeof(room));
	assert_non_null(vs_outer_put(&four, 5001, HASH, 0, 65535 - 28, ID, room + V4));
	assert_non_null(vs_outer_put(&six, 5001, HASH, 0, 65535 - 8, ID, room + V6));
	assert_int_equal(word(room + L3 + 4), 65535);
}

/* All 256 values come out, about as often, of numbers that differ in one byte only. */
static void flowid_uses_the_whole_hash(void **state)
{
	unsigned int shift, i;

	for (shift = 0; shift < 32; shift += 8) {
		bool seen[256] = {false};

		for (i = 0; i < 256; i++)
			seen[vs_gre_flowid(0x5a5a5a5a ^ i << shift)] = true;
		for (i = 0; i < 256; i++)
			assert_true(seen[i]);
	}
}

/* ---- inner */

static void inner_tos_is_that_of_ip(void **state)
{
	uint8_t bytes[] = {[12] = 0x08, 0x00, 0x45, 0xb9};
	struct vs_pkt pkt = {.hdr = bytes, .hdr_len = sizeof(bytes), .len = sizeof(bytes)};

	assert_int_equal(vs_inner_tos(&pkt), 0xb9);
	bytes[14] = 0x65; /* an EtherType that does not tell the truth */
	assert_int_equal(vs_inner_tos(&pkt), 0);
	bytes[12] = 0x86;
	bytes[13] = 0xdd;
	bytes[14] = 0x6b;
	bytes[15] = 0x9f;
	assert_int_equal(vs_inner_tos(&pkt), 0xb9);
	bytes[12] = 0x08;
	bytes[13] = 0x06; /* ARP */
	assert_int_equal(vs_inner_tos(&pkt), 0);
	bytes[13] = 0;
	bytes[14] = 0x45;
	for (pkt.hdr_len = 0; pkt.hdr_len < sizeof(bytes); pkt.hdr_len++)
		assert_int_equal(vs_inner_tos(&pkt), 0);
}

/* RFC 6040, figure 4, row by row as printed: inner Not-ECT, ECT(0), ECT(1), CE. */
static void ecn_leaves_as_in_rfc_6040(void **state)
{
	enum { N = 0, E0 = 2, E1 = 1, C = 3, DROP = VS_ECN_DROP };
	static const int columns[] = {N, E0, E1, C};
	static const int figure[4][4] = {
		{N, N, N, DROP},
		{E0, E0, E1, C},
		{E1, E1, E1, C},
		{C, C, C, C},
	};
	unsigned int row, col;

	for (row = 0; row < 4; row++) {
		for (col = 0; col < 4; col++) {
			int got = vs_ecn_leave((unsigned int)columns[row] | 0xb8,
					       (unsigned int)columns[col] | 0x44);

			assert_int_equal(got, figure[row][col]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_fills_what_the_header_says),
		cmocka_unit_test(build_refuses_mixed_kinds),
		cmocka_unit_test(put_writes_ipv4_as_by_hand),
		cmocka_unit_test(put_writes_ipv6_as_by_hand),
		cmocka_unit_test(put_without_flowid_or_next_hop),
		cmocka_unit_test(put_copies_ecn_alone),
		cmocka_unit_test(put_keeps_the_checksum_right),
		cmocka_unit_test(put_refuses_what_ip_cannot_hold),
		cmocka_unit_test(flowid_uses_the_whole_hash),
		cmocka_unit_test(inner_tos_is_that_of_ip),
		cmocka_unit_test(ecn_leaves_as_in_rfc_6040),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
