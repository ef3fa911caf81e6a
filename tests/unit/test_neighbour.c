/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861) of tenants, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tenant_fixture.h"

#include <netinet/in.h>

enum {
	REQUEST = 1,
	REPLY = 2,
	RS = 133,
	RA = 134,
	NS = 135,
	NA = 136,
	REDIRECT = 137,
};

static const struct rte_ether_addr all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const struct vs_ip none;

/* ARP from host 11 of the first subnet. */
static void arp(struct tf *t, struct rte_ether_addr dst, unsigned int op, struct rte_ether_addr sha,
		struct vs_ip spa, struct vs_ip tpa)
{
	const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0, (uint8_t)op};

	tf_ether(t, dst, tf_mac(0, 11), 0x0806);
	tf_bytes(t, fixed, sizeof(fixed));
	tf_bytes(t, &sha, 6);
	tf_bytes(t, spa.b + 12, 4);
	tf_zero(t, 6);
	tf_bytes(t, tpa.b + 12, 4);
}

static void assert_arp_reply(struct tf *t, struct vs_step step, struct rte_ether_addr mac,
			     struct vs_ip ip, struct vs_ip asker)
{
	const uint8_t fixed[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, REPLY};
	const struct rte_ether_addr asker_mac = tf_mac(0, 11);
	const uint8_t *b;
	uint32_t i;

	assert_int_equal(step.kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	assert_int_equal(t->len, 60);
	tf_assert_macs(b, asker_mac, mac);
	assert_memory_equal(b + 12, fixed, sizeof(fixed));
	assert_memory_equal(b + 22, &mac, 6);
	assert_memory_equal(b + 28, ip.b + 12, 4);
	assert_memory_equal(b + 32, &asker_mac, 6);
	assert_memory_equal(b + 38, asker.b + 12, 4);
	for (i = 42; i < 60; i++)
		assert_int_equal(b[i], 0);
	assert_int_equal(t->pkt.fid, TF_FID);
	assert_int_equal(t->pkt.debt.csum, VS_CSUM_UNKNOWN);
}

/* It goes on as it was. */
static void assert_left_alone(struct tf *t, struct vs_step step)
{
	static uint8_t before[TF_FRAME];
	uint32_t len = t->len;

	memcpy(before, t->frame, len);
	assert_int_equal(step.kind, VS_STEP_GO);
	assert_null(step.via);
	assert_memory_equal(tf_arrived(t), before, len);
	assert_int_equal(t->len, len);
}

static void test_arp(void **state)
{
	struct tf *t = tf_new();
	struct vs_ip me = tf_ip4(1, 11);

	arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(1, 1));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_GUEST), tf_router_mac(0), tf_ip4(1, 1), me);
	arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(1, 12));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_GUEST), tf_mac(0, 12), tf_ip4(1, 12), me);
	/* Nobody knows; an address of another subnet, or another domain. */
	arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(1, 13));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(2, 1));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	/* To the router itself; to whom it asks for: he knows whether he is still there. */
	arp(t, tf_router_mac(0), REQUEST, tf_mac(0, 11), me, tf_ip4(1, 1));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_GUEST), tf_router_mac(0), tf_ip4(1, 1), me);
	arp(t, tf_mac(0, 11), REQUEST, tf_mac(0, 11), me, tf_ip4(1, 11));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	/* Through the tunnel: the gateway is ours, guests answer themselves. */
	arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(1, 1));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_TUNNEL), tf_router_mac(0), tf_ip4(1, 1), me);
	arp(t, all, REQUEST, tf_mac(0, 12), tf_ip4(1, 12), tf_ip4(1, 11));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_TUNNEL));
	/* A reply to the router ends there. */
	arp(t, tf_router_mac(0), REPLY, tf_mac(0, 11), me, tf_ip4(1, 1));
	assert_int_equal(tf_send(t, 0, VS_FROM_GUEST).kind, VS_STEP_TAKE);
	tf_free(t);
}

/* Duplicate address detection: answered if, and only if, another one has the address. */
static void test_arp_probe(void **state)
{
	struct vs_ip zero = vs_ip_make4("\0\0\0\0");
	struct tf *t = tf_new();

	arp(t, all, REQUEST, tf_mac(0, 11), zero, tf_ip4(1, 11));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	arp(t, all, REQUEST, tf_mac(0, 11), zero, tf_ip4(1, 13));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	arp(t, all, REQUEST, tf_mac(0, 11), zero, tf_ip4(1, 12));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_GUEST), tf_mac(0, 12), tf_ip4(1, 12), zero);
	arp(t, all, REQUEST, tf_mac(0, 11), zero, tf_ip4(1, 1));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_GUEST), tf_router_mac(0), tf_ip4(1, 1), zero);
	/* Announcements: one's own is for all. */
	arp(t, all, REQUEST, tf_mac(0, 11), tf_ip4(1, 11), tf_ip4(1, 11));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	arp(t, all, REQUEST, tf_mac(0, 11), tf_ip4(1, 12), tf_ip4(1, 12));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_GUEST), tf_mac(0, 12), tf_ip4(1, 12),
			 tf_ip4(1, 12));
	/* What was learnt may be old. */
	t->record[1].flags |= VS_RECORD_DYNAMIC;
	arp(t, all, REQUEST, tf_mac(0, 11), zero, tf_ip4(1, 12));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	arp(t, all, REQUEST, tf_mac(0, 11), tf_ip4(1, 12), tf_ip4(1, 12));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	arp(t, all, REQUEST, tf_mac(0, 11), tf_ip4(1, 11), tf_ip4(1, 12));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_GUEST), tf_mac(0, 12), tf_ip4(1, 12),
			 tf_ip4(1, 11));
	tf_free(t);
}

static void test_arp_wildcard(void **state)
{
	struct vs_record wildcard = {.vsid = 5001, .mac = tf_mac(0, 77)};
	struct vs_ip zero = vs_ip_make4("\0\0\0\0");
	struct vs_ip me = tf_ip4(1, 11);
	struct tf *t = tf_new();

	t->subnet[0].wildcard = &wildcard;
	arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(1, 13));
	assert_arp_reply(t, tf_send(t, 0, VS_FROM_GUEST), tf_mac(0, 77), tf_ip4(1, 13), me);
	arp(t, all, REQUEST, tf_mac(0, 11), zero, tf_ip4(1, 13));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	arp(t, all, REQUEST, tf_mac(0, 77), me, tf_ip4(1, 13));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	t->subnet[0].flags = VS_SUBNET_LEARN;
	arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(1, 13));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	tf_free(t);
}

static void test_arp_bad(void **state)
{
	struct vs_ip me = tf_ip4(1, 11);
	static const uint8_t at[] = {15, 17, 18, 19, 22};
	struct tf *t = tf_new();
	unsigned int i;

	for (i = 14; i < 42; i++) {
		arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(1, 1));
		t->len = i;
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ARP_BAD);
	}
	for (i = 0; i < RTE_DIM(at); i++) {
		arp(t, all, REQUEST, tf_mac(0, 11), me, tf_ip4(1, 1));
		t->frame[at[i]] ^= 1;
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ARP_BAD);
	}
	tf_free(t);
}

/* Nobody but the router says that it has the gateway's address. */
static void test_arp_spoof(void **state)
{
	struct tf *t = tf_new();
	unsigned int op;

	for (op = REQUEST; op <= 3; op++) {
		arp(t, all, op, tf_mac(0, 11), tf_ip4(1, 1), tf_ip4(1, 12));
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_GATEWAY_SPOOF);
		arp(t, all, op, tf_mac(0, 11), tf_ip4(1, 1), tf_ip4(1, 1));
		tf_assert_dropped(tf_send(t, 0, VS_FROM_TUNNEL), VS_DROP_GATEWAY_SPOOF);
		arp(t, all, op, tf_router_mac(0), tf_ip4(1, 11), tf_ip4(1, 12));
		tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_GATEWAY_SPOOF);
	}
	/* The router of another host does. */
	arp(t, tf_mac(0, 11), REPLY, tf_router_mac(0), tf_ip4(1, 1), tf_ip4(1, 11));
	assert_int_equal(tf_send(t, 0, VS_FROM_TUNNEL).kind, VS_STEP_GO);
	t->subnet[0].flags = VS_SUBNET_EXTERNAL;
	arp(t, all, REPLY, tf_mac(0, 11), tf_ip4(1, 1), tf_ip4(1, 12));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	tf_free(t);
}

/* ---- neighbour discovery ---- */

/* The solicited-node address of @ip and its MAC (RFC 4291, 2.7.1; RFC 2464, 7). */
static struct vs_ip group_of(struct vs_ip ip)
{
	return (struct vs_ip){.b = {0xff, 2, [11] = 1, 0xff, ip.b[13], ip.b[14], ip.b[15]}};
}

static struct rte_ether_addr group_mac(struct vs_ip ip)
{
	return (struct rte_ether_addr){{0x33, 0x33, 0xff, ip.b[13], ip.b[14], ip.b[15]}};
}

/* A message of @type: four bytes, @target unless it is NULL, @options. */
static void nd(struct tf *t, struct rte_ether_addr dst_mac, struct vs_ip src, struct vs_ip dst,
	       unsigned int type, const struct vs_ip *target, const void *options, uint32_t len)
{
	tf_ether(t, dst_mac, tf_mac(0, 21), 0x86dd);
	tf_ip6_hdr(t, &src, &dst, IPPROTO_ICMPV6, 255, 8 + (target ? 16 : 0) + len);
	tf_zero(t, 8)[0] = (uint8_t)type;
	if (target)
		tf_bytes(t, target->b, 16);
	if (len)
		tf_bytes(t, options, len);
	tf_sum(t, 54, 2);
}

/* A solicitation for @target, to its group, from @src with its MAC unless that is ::. */
static void ns(struct tf *t, struct vs_ip src, struct vs_ip target)
{
	const struct rte_ether_addr mac = tf_mac(0, 21);
	uint8_t option[8] = {1, 1};

	memcpy(option + 2, &mac, 6);
	nd(t, group_mac(target), src, group_of(target), NS, &target, option,
	   memcmp(&src, &none, sizeof(src)) ? 8 : 0);
}

static void assert_na(struct tf *t, struct vs_step step, struct rte_ether_addr mac,
		      struct vs_ip target, struct vs_ip asker, unsigned int flags)
{
	const struct rte_ether_addr asker_mac = tf_mac(0, 21);
	const struct rte_ether_addr all_mac = {{0x33, 0x33, 0, 0, 0, 1}};
	const struct vs_ip all_nodes = {.b = {0xff, 2, [15] = 1}};
	bool probe = memcmp(&asker, &none, sizeof(asker)) == 0;
	const uint8_t *b;

	assert_int_equal(step.kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	assert_int_equal(t->len, 14 + 40 + 32);
	tf_check(b, t->len);
	tf_assert_macs(b, probe ? all_mac : asker_mac, mac);
	assert_int_equal(b[20], IPPROTO_ICMPV6);
	assert_int_equal(b[21], 255);
	assert_memory_equal(b + 22, target.b, 16);
	assert_memory_equal(b + 38, probe ? all_nodes.b : asker.b, 16);
	assert_int_equal(b[54], NA);
	assert_int_equal(b[55], 0);
	assert_int_equal(b[58], flags);
	assert_memory_equal(b + 62, target.b, 16);
	assert_int_equal(b[78], 2);
	assert_int_equal(b[79], 1);
	assert_memory_equal(b + 80, &mac, 6);
}

/* Flags of an advertisement (RFC 4861, 4.4). */
enum {
	R = 0x80,
	S = 0x40,
	O = 0x20,
};

static struct vs_ip link_local(unsigned int subnet)
{
	const struct rte_ether_addr mac = tf_router_mac(subnet);
	const uint8_t *m = mac.addr_bytes;

	/* The router's MAC has the local bit, so the address has not. */
	return (struct vs_ip){.b = {0xfe, 0x80, [8] = 0, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}};
}

static void test_ns(void **state)
{
	struct tf *t = tf_new();
	struct vs_ip me = tf_ip6(1, 21);

	ns(t, me, tf_ip6(1, 1));
	assert_na(t, tf_send(t, 0, VS_FROM_GUEST), tf_router_mac(0), tf_ip6(1, 1), me, R | S | O);
	ns(t, me, link_local(0));
	assert_na(t, tf_send(t, 0, VS_FROM_GUEST), tf_router_mac(0), link_local(0), me, R | S | O);
	ns(t, me, tf_ip6(1, 22));
	assert_na(t, tf_send(t, 0, VS_FROM_GUEST), tf_mac(0, 22), tf_ip6(1, 22), me, S | O);
	ns(t, me, tf_ip6(1, 23));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	ns(t, me, link_local(1));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	/* Unicast: the router answers, others themselves. */
	ns(t, me, tf_ip6(1, 1));
	memcpy(t->frame, &t->subnet[0].router, 6);
	assert_na(t, tf_send(t, 0, VS_FROM_GUEST), tf_router_mac(0), tf_ip6(1, 1), me, R | S | O);
	ns(t, me, tf_ip6(1, 21));
	memcpy(t->frame, &t->record[2].mac, 6);
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	/* Through the tunnel. */
	ns(t, me, tf_ip6(1, 1));
	assert_na(t, tf_send(t, 0, VS_FROM_TUNNEL), tf_router_mac(0), tf_ip6(1, 1), me, R | S | O);
	ns(t, me, tf_ip6(1, 22));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_TUNNEL));
	tf_free(t);
}

static void test_ns_probe(void **state)
{
	struct tf *t = tf_new();

	ns(t, none, tf_ip6(1, 21));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	ns(t, none, tf_ip6(1, 23));
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	ns(t, none, tf_ip6(1, 22));
	assert_na(t, tf_send(t, 0, VS_FROM_GUEST), tf_mac(0, 22), tf_ip6(1, 22), none, O);
	ns(t, none, tf_ip6(1, 1));
	assert_na(t, tf_send(t, 0, VS_FROM_GUEST), tf_router_mac(0), tf_ip6(1, 1), none, R | O);
	tf_free(t);
}

/* RFC 4861, 7.1.1: what must be ignored. */
static void test_ns_bad(void **state)
{
	const uint8_t empty[8] = {1, 0};
	const uint8_t longer[8] = {1, 2};
	const uint8_t source[8] = {1, 1};
	struct vs_ip target = tf_ip6(1, 22);
	struct vs_ip group = group_of(target);
	struct vs_ip me = tf_ip6(1, 21);
	struct tf *t = tf_new();
	struct vs_ip many = {.b = {0xff, 2, [15] = 1}};
	unsigned int i;

	nd(t, group_mac(target), me, group, NS, &target, empty, 8);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	nd(t, group_mac(target), me, group, NS, &target, longer, 8);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	nd(t, group_mac(target), me, group, NS, &target, source, 7);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	nd(t, group_mac(target), none, group, NS, &target, source, 8);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	nd(t, group_mac(target), none, target, NS, &target, NULL, 0);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	nd(t, group_mac(target), me, group, NS, &many, NULL, 0);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	nd(t, group_mac(target), me, group, NS, NULL, NULL, 0);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	ns(t, me, target);
	t->frame[21] = 254;
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	ns(t, me, target);
	t->frame[55] = 1;
	tf_sum(t, 54, 2);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	for (i = 22; i < 86; i++) {
		ns(t, me, target);
		t->frame[i] ^= 0x10;
		/* Another type is no neighbour discovery, or one that is wrong as well. */
		if (i != 54)
			tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_ND_BAD);
	}
	/* Cut: then the length in the header is wrong, and it is nobody's business. */
	for (i = 14; i < 86; i++) {
		ns(t, me, target);
		t->len = i;
		assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	}
	/* Not if the sum is still owed. */
	ns(t, me, target);
	t->frame[56] ^= 0xff;
	tf_pkt(t, 0, VS_HDR_BYTES);
	t->pkt.debt = (struct vs_debt){.csum = VS_CSUM_PARTIAL,
				       .l3 = 14,
				       .csum_start = 54,
				       .csum_offset = 2};
	assert_na(t, vs_router_step(&t->router, &t->subnet[0], &t->pkt, &t->slot, VS_FROM_GUEST),
		  tf_mac(0, 22), target, me, S | O);
	tf_free(t);
}

/* Behind extension headers it is the same message; what does not end in sight may be one. */
static void test_hidden(void **state)
{
	const struct vs_ip nodes = {.b = {0xff, 2, [15] = 1}};
	const struct rte_ether_addr nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};
	struct vs_ip me = tf_ip6(1, 21);
	struct tf *t = tf_new();
	unsigned int headers;

	for (headers = 1; headers < 12; headers++) {
		unsigned int i;
		struct vs_step step;

		tf_ether(t, nodes_mac, tf_mac(0, 21), 0x86dd);
		tf_ip6_hdr(t, &me, &nodes, IPPROTO_DSTOPTS, 255, 8 * headers + 16);
		for (i = 0; i < headers; i++) {
			uint8_t *ext = tf_zero(t, 8);

			ext[0] = i + 1 < headers ? IPPROTO_DSTOPTS : IPPROTO_ICMPV6;
			ext[2] = 1;
			ext[3] = 4;
		}
		tf_zero(t, 16)[0] = RA;
		step = tf_send(t, 0, VS_FROM_GUEST);
		/* 74 bytes behind the IP header are in sight: nine headers. */
		tf_assert_dropped(step, headers <= 9 ? VS_DROP_GATEWAY_SPOOF : VS_DROP_ND_BAD);
		/* With another hop limit it is none. */
		if (headers > 9) {
			t->frame[21] = 64;
			assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
		}
	}
	tf_free(t);
}

static void test_nd_spoof(void **state)
{
	const struct vs_ip nodes = {.b = {0xff, 2, [15] = 1}};
	const struct rte_ether_addr nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};
	static const uint8_t zero[64];
	struct vs_ip gateway = tf_ip6(1, 1);
	struct vs_ip other = tf_ip6(1, 21);
	struct vs_ip me = tf_ip6(1, 21);
	struct tf *t = tf_new();

	nd(t, nodes_mac, me, nodes, RA, NULL, zero, 8);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_GATEWAY_SPOOF);
	nd(t, nodes_mac, me, nodes, RA, NULL, zero, 8);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_TUNNEL), VS_DROP_GATEWAY_SPOOF);
	nd(t, nodes_mac, me, nodes, REDIRECT, &other, zero, 16);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_GATEWAY_SPOOF);
	nd(t, nodes_mac, me, nodes, NA, &gateway, NULL, 0);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_GATEWAY_SPOOF);
	/* Longer than the private bytes. */
	nd(t, nodes_mac, me, nodes, NA, &gateway, zero, 64);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_GATEWAY_SPOOF);
	gateway = link_local(0);
	nd(t, nodes_mac, me, nodes, NA, &gateway, NULL, 0);
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_GATEWAY_SPOOF);
	ns(t, gateway, tf_ip6(1, 22));
	tf_assert_dropped(tf_send(t, 0, VS_FROM_GUEST), VS_DROP_GATEWAY_SPOOF);
	/* One's own address may be told to all. */
	nd(t, nodes_mac, me, nodes, NA, &other, NULL, 0);
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	t->subnet[0].flags = VS_SUBNET_EXTERNAL;
	nd(t, nodes_mac, me, nodes, RA, NULL, zero, 8);
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	tf_free(t);
}

static void test_rs(void **state)
{
	const struct vs_ip routers = {.b = {0xff, 2, [15] = 2}};
	const struct rte_ether_addr routers_mac = {{0x33, 0x33, 0, 0, 0, 2}};
	const struct vs_ip src = link_local(0);
	const struct vs_ip prefix = tf_ip6(1, 0);
	const uint8_t prefix_option[] = {3, 4, 64, 0xc0, 255, 255, 255, 255, 255, 255, 255, 255};
	const uint8_t mtu_option[] = {5, 1, 0, 0, 0, 0, 1458 >> 8, 1458 & 0xff};
	const uint8_t route_option[] = {24, 1, 0, 0, 255, 255, 255, 255};
	struct vs_ip me = tf_ip6(1, 21);
	struct tf *t = tf_new();
	const uint8_t *b;

	nd(t, routers_mac, me, routers, RS, NULL, NULL, 0);
	assert_int_equal(tf_send(t, 0, VS_FROM_GUEST).kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	tf_check(b, t->len);
	tf_assert_macs(b, tf_mac(0, 21), tf_router_mac(0));
	assert_int_equal(b[21], 255);
	assert_memory_equal(b + 22, src.b, 16);
	assert_memory_equal(b + 38, me.b, 16);
	assert_int_equal(b[54], RA);
	assert_int_equal(b[55], 0);
	assert_int_equal(b[58], 64);
	assert_int_equal(b[59], 0);
	assert_int_equal(b[60] << 8 | b[61], 65535);
	assert_int_equal(b[70] << 8 | b[71], 0x0101);
	assert_memory_equal(b + 72, &t->subnet[0].router, 6);
	assert_memory_equal(b + 78, mtu_option, 8);
	assert_memory_equal(b + 86, prefix_option, sizeof(prefix_option));
	assert_memory_equal(b + 102, prefix.b, 16);
	assert_memory_equal(b + 118, route_option, 8);
	assert_int_equal(t->len, 126);
	/* An MTU that IPv6 does not have is not said; of 80 bits no address is made. */
	t->subnet[0].ca_mtu = 1279;
	t->subnet[0].gateway[1].len = 80;
	nd(t, routers_mac, none, routers, RS, NULL, NULL, 0);
	assert_int_equal(tf_send(t, 0, VS_FROM_GUEST).kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	tf_check(b, t->len);
	assert_int_equal(t->len, 118);
	assert_int_equal(b[0] << 8 | b[5], 0x3301);
	assert_int_equal(b[38] << 8 | b[53], 0xff01);
	assert_int_equal(b[80], 80);
	assert_int_equal(b[81], 0x80);
	/* Without a gateway of IPv6 it is somebody else's business. */
	t->subnet[0].n_gateways = 1;
	nd(t, routers_mac, me, routers, RS, NULL, NULL, 0);
	assert_left_alone(t, tf_send(t, 0, VS_FROM_GUEST));
	tf_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp),          cmocka_unit_test(test_arp_probe),
		cmocka_unit_test(test_arp_wildcard), cmocka_unit_test(test_arp_bad),
		cmocka_unit_test(test_arp_spoof),    cmocka_unit_test(test_ns),
		cmocka_unit_test(test_ns_probe),     cmocka_unit_test(test_ns_bad),
		cmocka_unit_test(test_hidden),       cmocka_unit_test(test_nd_spoof),
		cmocka_unit_test(test_rs),
	};

	return cmocka_run_group_tests(tests, tf_setup, NULL);
}
