/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours and the peers behind them: ways, frames that wait, forged answers, floods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/resolver.h"

#include <rte_arp.h>
#include <rte_ip.h>

#include <stdlib.h>
#include <string.h>

enum {
	SW = 3,
	SENT_MAX = 4096,
};

static const struct rte_ether_addr our_mac = {{0x02, 0, 0, 0, 0, 0x01}};
static const struct rte_ether_addr mac_a = {{0x02, 0, 0, 0, 0, 0x0a}};
static const struct rte_ether_addr mac_b = {{0x02, 0, 0, 0, 0, 0x0b}};

/** struct world - a resolver, what it sent and told, and a made-up clock */
struct world {
	struct vs_resolver *r;
	uint64_t now;
	bool no_room;
	unsigned int sent;
	unsigned int questions;
	unsigned int frames;
	struct rte_ether_addr last_to;
	uint8_t last[128];
	uint32_t last_len;
	unsigned int told[VS_RESOLVER_MTU + 1];
	struct vs_resolver_news news;
};

static struct vs_ip ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t bytes[4] = {a, b, c, d};

	return vs_ip_make4(bytes);
}

static bool fake_send(void *ctx, unsigned int sw, const struct vs_pa *pa, const uint8_t *frame,
		      uint32_t len)
{
	struct world *w = ctx;
	const bool is_arp = frame[12] == 0x08 && frame[13] == 0x06;

	assert_int_equal(sw, SW);
	assert_true(rte_is_same_ether_addr(&pa->mac, &our_mac));
	if (w->no_room)
		return false;
	w->sent++;
	if (is_arp)
		w->questions++;
	else
		w->frames++;
	memcpy(&w->last_to, frame, sizeof(w->last_to));
	w->last_len = RTE_MIN(len, (uint32_t)sizeof(w->last));
	memcpy(w->last, frame, w->last_len);
	return true;
}

static void fake_tell(void *ctx, const struct vs_resolver_news *news)
{
	struct world *w = ctx;

	assert_int_equal(news->sw, SW);
	w->told[news->what]++;
	w->news = *news;
}

static const struct vs_resolver_ops ops = {.send = fake_send, .tell = fake_tell};

static struct vs_pa our_pa(void)
{
	return (struct vs_pa){
		.prefix = {.ip = ip4(192, 168, 2, 22), .len = 96 + 24},
		.mac = our_mac,
		.fid = 7,
	};
}

static struct vs_peer peer_of(uint32_t index, struct vs_ip ip)
{
	return (struct vs_peer){
		.ip = ip,
		.local = ip4(192, 168, 2, 22),
		.index = index,
		.is4 = true,
		.outer_len = 42,
		.l3 = 14,
	};
}

static void begin(struct world *w)
{
	const struct vs_pa pa = our_pa();

	memset(w, 0, sizeof(*w));
	w->now = 1000;
	w->r = vs_resolver_new(&ops, w);
	assert_non_null(w->r);
	assert_true(vs_resolver_is_idle(w->r));
	assert_int_equal(vs_resolver_config(w->r, SW, &pa, 1, NULL, 0, w->now), 0);
	assert_false(vs_resolver_is_idle(w->r));
	/* The announcements are over. */
	vs_resolver_tick(w->r, w->now);
	w->now += VS_RESOLVER_ANNOUNCE_MS;
	vs_resolver_tick(w->r, w->now);
	assert_int_equal(w->questions, VS_RESOLVER_ANNOUNCES);
	w->now += VS_RESOLVER_ANNOUNCE_MS;
	vs_resolver_tick(w->r, w->now);
	assert_int_equal(w->questions, VS_RESOLVER_ANNOUNCES);
	w->questions = 0;
	w->sent = 0;
}

static void end(struct world *w)
{
	vs_resolver_free(w->r);
}

/* An encapsulated frame to @peer, with a byte to know it by. */
static void hold(struct world *w, const struct vs_peer *peer, uint8_t mark)
{
	uint8_t frame[100] = {0};

	frame[12] = 0x08;
	memcpy(frame + 14 + 16, peer->ip.b + 12, 4);
	frame[99] = mark;
	vs_resolver_hold(w->r, peer->index, frame, sizeof(frame), w->now);
}

/* @ip says that it has @mac: in a reply to us, or to all. */
static void say(struct world *w, struct vs_ip ip, const struct rte_ether_addr *mac, bool reply)
{
	const struct vs_neigh_self self = {.mac = *mac, .ip = ip};
	const struct vs_ip us = ip4(192, 168, 2, 22);
	uint8_t frame[VS_NEIGH_FRAME];
	uint32_t len;

	if (reply) {
		len = vs_neigh_ask(frame, &self, &us, &our_mac);
		frame[14 + 7] = RTE_ARP_OP_REPLY;
	} else {
		len = vs_neigh_announce(frame, &self);
	}
	vs_resolver_neighbour(w->r, SW, frame, len, w->now);
}

static void wait_ms(struct world *w, unsigned int ms)
{
	const uint64_t until = w->now + ms;

	while (w->now < until) {
		w->now += VS_HOP_LATER_MS;
		vs_resolver_tick(w->r, w->now);
	}
}

static uint64_t known(const struct rte_ether_addr *mac)
{
	return VS_NEXT_HOP_KNOWN | mac->addr_bytes[5] | UINT64_C(0x02) << 40;
}

static void test_held_and_released(void **state)
{
	struct vs_peer peer = peer_of(5, ip4(192, 168, 2, 55));
	struct world w;

	begin(&w);
	assert_int_equal(vs_resolver_add(w.r, SW, &peer, 1500, w.now), 0);
	assert_int_equal(vs_resolver_add(w.r, SW, &peer, 1500, w.now), -EEXIST);
	assert_int_equal(peer.next_hop, 0);
	assert_int_equal(peer.mtu, 1500);
	hold(&w, &peer, 1);
	assert_int_equal(w.questions, 1);
	hold(&w, &peer, 2);
	assert_int_equal(peer.next_hop, 0);
	hold(&w, &peer, 3);
	assert_int_equal(peer.next_hop, VS_NEXT_HOP_FULL);
	/* Those that were on their way: the oldest go. */
	hold(&w, &peer, 4);
	assert_int_equal(w.questions, 1);
	assert_int_equal(w.frames, 0);
	say(&w, peer.ip, &mac_a, true);
	assert_int_equal(peer.next_hop, known(&mac_a));
	assert_int_equal(w.frames, VS_WAIT_FRAMES);
	assert_int_equal(w.last[99], 4);
	assert_true(rte_is_same_ether_addr(&w.last_to, &mac_a));
	/* One more that a worker had sent here before it knew. */
	hold(&w, &peer, 5);
	assert_int_equal(w.frames, VS_WAIT_FRAMES + 1);
	vs_resolver_del(w.r, peer.index);
	vs_resolver_del(w.r, peer.index);
	vs_resolver_del(w.r, 100000);
	end(&w);
}

static int count_one(const struct vs_peer_view *view, void *ctx)
{
	*(struct vs_peer_view *)ctx = *view;
	return 0;
}

static void test_failed(void **state)
{
	struct vs_peer peer = peer_of(0, ip4(192, 168, 2, 55));
	struct vs_peer_view view;
	struct world w;

	begin(&w);
	assert_int_equal(vs_resolver_add(w.r, SW, &peer, 1500, w.now), 0);
	hold(&w, &peer, 1);
	hold(&w, &peer, 2);
	wait_ms(&w, VS_HOP_TRIES * VS_HOP_ASK_MS);
	assert_int_equal(w.questions, VS_HOP_TRIES);
	assert_int_equal(w.told[VS_RESOLVER_FAILED], 1);
	assert_int_equal(peer.next_hop, VS_NEXT_HOP_FAILED);
	hold(&w, &peer, 3);
	assert_int_equal(vs_resolver_each(w.r, w.now, count_one, &view), 0);
	assert_int_equal(view.state, VS_HOP_FAILED);
	assert_int_equal(view.waited, 3);
	assert_int_equal(view.lost, 3);
	assert_int_equal(view.held, 0);
	wait_ms(&w, VS_HOP_FAILED_MS);
	assert_int_equal(peer.next_hop, 0);
	hold(&w, &peer, 4);
	say(&w, peer.ip, &mac_a, true);
	assert_int_equal(w.told[VS_RESOLVER_BACK], 1);
	assert_int_equal(w.told[VS_RESOLVER_FAILED], 1);
	assert_int_equal(w.frames, 1);
	end(&w);
}

/* Nobody makes us ask, remember or send by saying something. */
static void test_forged(void **state)
{
	struct vs_peer peer = peer_of(0, ip4(192, 168, 2, 55));
	struct vs_resolver_counts counts;
	uint8_t noise[64] = {0};
	struct world w;
	unsigned int i;

	begin(&w);
	assert_int_equal(vs_resolver_add(w.r, SW, &peer, 1500, w.now), 0);
	say(&w, peer.ip, &mac_a, true);
	say(&w, peer.ip, &mac_a, false);
	assert_int_equal(peer.next_hop, 0);
	/* Neighbours that nobody is behind. */
	for (i = 0; i < 100000; i++)
		say(&w, ip4(192, 168, 2, (uint8_t)(60 + i % 100)), &mac_b, i % 2);
	for (i = 0; i < sizeof(noise); i++)
		vs_resolver_neighbour(w.r, SW, noise, i, w.now);
	assert_int_equal(w.sent, 0);
	vs_resolver_counts(w.r, &counts);
	assert_int_equal(counts.bad_neighbours, 100000 + sizeof(noise));
	/* A flood about one that is known: once a second at most. */
	hold(&w, &peer, 1);
	say(&w, peer.ip, &mac_a, true);
	for (i = 0; i < 1000; i++)
		say(&w, peer.ip, i % 2 ? &mac_a : &mac_b, false);
	assert_int_equal(w.told[VS_RESOLVER_MOVED], 1);
	assert_true(w.questions <= 2);
	/* On another switch it says nothing. */
	vs_resolver_neighbour(w.r, SW + 1, w.last, w.last_len, w.now);
	end(&w);
}

static void test_our_own_address(void **state)
{
	struct world w;
	unsigned int i;

	begin(&w);
	say(&w, ip4(192, 168, 2, 22), &our_mac, false);
	assert_int_equal(w.told[VS_RESOLVER_CLASH], 0);
	for (i = 0; i < 1000; i++)
		say(&w, ip4(192, 168, 2, 22), &mac_b, i % 2);
	assert_int_equal(w.told[VS_RESOLVER_CLASH], 1);
	assert_true(rte_is_same_ether_addr(&w.news.mac, &mac_b));
	assert_int_equal(w.questions, 1);
	w.now += VS_RESOLVER_DEFEND_MS;
	say(&w, ip4(192, 168, 2, 22), &mac_b, false);
	assert_int_equal(w.told[VS_RESOLVER_CLASH], 2);
	end(&w);
}

/* Thousands of peers at once: questions are spread over time, all are asked in the end. */
static void test_many_peers(void **state)
{
	enum { PEERS = 2000 };
	struct vs_pa pa = our_pa();
	struct vs_peer *peer = calloc(PEERS, sizeof(*peer));
	struct world w;
	unsigned int i;

	assert_non_null(peer);
	begin(&w);
	pa.prefix.len = 96 + 8;
	pa.prefix.ip = ip4(10, 0, 0, 1);
	assert_int_equal(vs_resolver_config(w.r, SW, &pa, 1, NULL, 0, w.now), 0);
	wait_ms(&w, 5000);
	w.questions = 0;
	for (i = 0; i < PEERS; i++) {
		peer[i] = peer_of(i, ip4(10, 1, (uint8_t)(i >> 8), (uint8_t)i));
		assert_int_equal(vs_resolver_add(w.r, SW, &peer[i], 1500, w.now), 0);
		hold(&w, &peer[i], 1);
	}
	assert_int_equal(w.questions, VS_RESOLVER_BURST);
	wait_ms(&w, 1000);
	assert_true(w.questions <= VS_RESOLVER_BURST + VS_RESOLVER_ASKS);
	assert_true(w.questions > VS_RESOLVER_ASKS / 2);
	wait_ms(&w, 60000);
	for (i = 0; i < PEERS; i++)
		assert_true(peer[i].next_hop == VS_NEXT_HOP_FAILED || peer[i].next_hop == 0);
	end(&w);
	free(peer);
}

/* What finds no room on its way out is lost, and in the account. */
static void test_no_room(void **state)
{
	struct vs_peer peer = peer_of(0, ip4(192, 168, 2, 55));
	struct vs_peer_view view;
	struct world w;

	begin(&w);
	assert_int_equal(vs_resolver_add(w.r, SW, &peer, 1500, w.now), 0);
	hold(&w, &peer, 1);
	hold(&w, &peer, 2);
	w.no_room = true;
	say(&w, peer.ip, &mac_a, true);
	assert_int_equal(vs_resolver_each(w.r, w.now, count_one, &view), 0);
	assert_int_equal(view.sent, 0);
	assert_int_equal(view.lost, 2);
	assert_int_equal(view.held, 0);
	/* A question that was lost is asked again. */
	wait_ms(&w, VS_HOP_GOOD_MS);
	w.no_room = false;
	w.questions = 0;
	wait_ms(&w, VS_HOP_ASK_MS);
	assert_int_equal(w.questions, 1);
	end(&w);
}

static void test_stray_frames(void **state)
{
	struct vs_peer peer = peer_of(1, ip4(192, 168, 2, 55));
	struct vs_peer other = peer_of(1, ip4(192, 168, 2, 56));
	struct vs_resolver_counts counts;
	struct world w;

	begin(&w);
	hold(&w, &peer, 1);
	assert_int_equal(vs_resolver_add(w.r, SW, &peer, 1500, w.now), 0);
	/* For the peer that had this index before. */
	hold(&w, &other, 1);
	vs_resolver_hold(w.r, 1, NULL, 0, w.now);
	vs_resolver_hold(w.r, UINT32_MAX, NULL, 0, w.now);
	vs_resolver_counts(w.r, &counts);
	assert_int_equal(counts.strays, 4);
	assert_int_equal(w.sent, 0);
	end(&w);
}

static void test_ways(void **state)
{
	const struct vs_pa pa[2] = {
		our_pa(),
		{.prefix = {.ip = ip4(172, 16, 0, 1), .len = 96 + 16}},
	};
	const struct vs_pa_route route[] = {
		{.prefix = {.ip = ip4(0, 0, 0, 0), .len = 96}, .via = ip4(192, 168, 2, 1)},
		{.prefix = {.ip = ip4(10, 0, 0, 0), .len = 96 + 8},
		 .via = ip4(192, 168, 2, 2),
		 .metric = 20},
		{.prefix = {.ip = ip4(10, 0, 0, 0), .len = 96 + 8},
		 .via = ip4(172, 16, 9, 9),
		 .metric = 10},
		{.prefix = {.ip = ip4(10, 1, 0, 0), .len = 96 + 16}, .via = ip4(8, 8, 8, 8)},
		{.prefix = {.ip = ip4(10, 1, 2, 0), .len = 96 + 24}, .via = ip4(192, 168, 2, 3)},
	};
	const struct {
		struct vs_ip remote, via;
		uint32_t pa;
	} rows[] = {
		{ip4(192, 168, 2, 55), ip4(192, 168, 2, 55), 0},
		{ip4(172, 16, 3, 3), ip4(172, 16, 3, 3), 1},
		{ip4(8, 8, 8, 8), ip4(192, 168, 2, 1), 0},
		{ip4(10, 9, 9, 9), ip4(172, 16, 9, 9), 1},
		/* its longest prefix leads nowhere */
		{ip4(10, 1, 9, 9), ip4(172, 16, 9, 9), 1},
		{ip4(10, 1, 2, 9), ip4(192, 168, 2, 3), 0},
	};
	const struct vs_ip six = {.b = {0x20, 0x01}};
	const struct vs_pa_route all6 = {.prefix = {.len = 0}, .via = {.b = {0xfe, 0x80}}};
	struct vs_way way;
	unsigned int i;

	for (i = 0; i < RTE_DIM(rows); i++) {
		assert_true(vs_way_find(pa, 2, route, RTE_DIM(route), &rows[i].remote, &way));
		assert_memory_equal(&way.next_hop, &rows[i].via, sizeof(way.next_hop));
		assert_int_equal(way.pa, rows[i].pa);
	}
	assert_false(vs_way_find(pa, 2, route, RTE_DIM(route), &six, &way));
	assert_false(vs_way_find(pa, 2, NULL, 0, &rows[2].remote, &way));
	assert_false(vs_way_find(NULL, 0, route, RTE_DIM(route), &rows[0].remote, &way));
	/* All of IPv6 is nothing of IPv4. */
	assert_false(vs_way_find(pa, 2, &all6, 1, &rows[2].remote, &way));
}

static void test_routes_come_and_go(void **state)
{
	struct vs_pa_route route = {
		.prefix = {.ip = ip4(10, 0, 0, 0), .len = 96 + 8},
		.via = ip4(192, 168, 2, 1),
	};
	struct vs_peer near = peer_of(0, ip4(192, 168, 2, 55));
	struct vs_peer one = peer_of(1, ip4(10, 0, 0, 1));
	struct vs_peer two = peer_of(2, ip4(10, 0, 0, 2));
	const struct vs_pa pa = our_pa();
	struct world w;

	begin(&w);
	assert_int_equal(vs_resolver_add(w.r, SW, &near, 1500, w.now), 0);
	assert_int_equal(vs_resolver_add(w.r, SW, &one, 1500, w.now), 0);
	assert_int_equal(vs_resolver_add(w.r, SW, &two, 1500, w.now), 0);
	assert_int_equal(near.next_hop, 0);
	assert_int_equal(one.next_hop, VS_NEXT_HOP_FAILED);
	assert_int_equal(vs_resolver_config(w.r, SW, &pa, 1, &route, 1, w.now), 0);
	assert_int_equal(one.next_hop, 0);
	hold(&w, &near, 1);
	hold(&w, &one, 1);
	hold(&w, &two, 2);
	/* One question for both: they are behind the same router. */
	assert_int_equal(w.questions, 2);
	say(&w, near.ip, &mac_b, true);
	say(&w, route.via, &mac_a, true);
	assert_int_equal(w.frames, 3);
	assert_int_equal(one.next_hop, known(&mac_a));
	assert_int_equal(two.next_hop, known(&mac_a));
	/* The same again: nothing is forgotten. */
	assert_int_equal(vs_resolver_config(w.r, SW, &pa, 1, &route, 1, w.now), 0);
	assert_int_equal(two.next_hop, known(&mac_a));
	route.via = ip4(192, 168, 2, 2);
	assert_int_equal(vs_resolver_config(w.r, SW, &pa, 1, &route, 1, w.now), 0);
	assert_int_equal(one.next_hop, 0);
	assert_int_equal(near.next_hop, known(&mac_b));
	assert_int_equal(vs_resolver_config(w.r, SW, &pa, 1, NULL, 0, w.now), 0);
	assert_int_equal(two.next_hop, VS_NEXT_HOP_FAILED);
	assert_int_equal(vs_resolver_config(w.r, SW, NULL, 0, NULL, 0, w.now), 0);
	assert_int_equal(near.next_hop, VS_NEXT_HOP_FAILED);
	assert_true(vs_resolver_is_idle(w.r));
	end(&w);
}

/* ---- too big ---- */

static bool has_5001(uint32_t vsid, void *ctx)
{
	return vsid == 5001;
}

/* "Fragmentation needed, 1400" about a packet from @local to @remote. */
static void send_error(struct world *w, struct vs_ip local, struct vs_ip remote, uint32_t vsid)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = 0x45,
		.total_length = RTE_BE16(56),
		.time_to_live = 60,
		.next_proto_id = IPPROTO_ICMP,
	};
	struct rte_ipv4_hdr sent = {
		.version_ihl = 0x45,
		.total_length = RTE_BE16(1500),
		.next_proto_id = IPPROTO_GRE,
	};
	const uint8_t gre[8] =
		{0x20, 0, 0x65, 0x58, (uint8_t)(vsid >> 16), (uint8_t)(vsid >> 8), (uint8_t)vsid};
	const uint8_t icmp[8] = {3, 4, [6] = 1400 >> 8, 1400 & 0xff};
	uint8_t frame[14 + 56] = {[12] = 0x08};
	uint16_t csum;

	memcpy(&sent.src_addr, local.b + 12, 4);
	memcpy(&sent.dst_addr, remote.b + 12, 4);
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(frame + 14, &ip, 20);
	memcpy(frame + 34, icmp, 8);
	memcpy(frame + 42, &sent, 20);
	memcpy(frame + 62, gre, 8);
	csum = (uint16_t)~rte_raw_cksum(frame + 34, 36);
	memcpy(frame + 36, &csum, 2);
	vs_resolver_error(w->r, SW, frame, sizeof(frame), has_5001, w->now);
}

static void test_too_big(void **state)
{
	const struct vs_ip us = ip4(192, 168, 2, 22);
	struct vs_peer peer = peer_of(1, ip4(192, 168, 2, 55));
	struct vs_resolver_counts counts;
	struct world w;

	begin(&w);
	assert_int_equal(vs_resolver_add(w.r, SW, &peer, 1500, w.now), 0);
	/* From an address not ours, to a host that is no peer, of a VSID that is not here. */
	send_error(&w, ip4(192, 168, 2, 23), peer.ip, 5001);
	send_error(&w, us, ip4(192, 168, 2, 56), 5001);
	send_error(&w, us, peer.ip, 5002);
	vs_resolver_counts(w.r, &counts);
	assert_int_equal(counts.bad_errors, 3);
	assert_int_equal(peer.mtu, 1500);
	send_error(&w, us, peer.ip, 5001);
	assert_int_equal(peer.mtu, 1400);
	assert_int_equal(w.told[VS_RESOLVER_MTU], 1);
	assert_int_equal(w.news.mtu, 1400);
	send_error(&w, us, peer.ip, 5001);
	assert_int_equal(w.told[VS_RESOLVER_MTU], 1);
	w.now += VS_PMTU_GOOD_MS;
	vs_resolver_tick(w.r, w.now);
	assert_int_equal(peer.mtu, 1500);
	assert_int_equal(w.told[VS_RESOLVER_MTU], 2);
	vs_resolver_set_mtu(w.r, SW, 9000);
	assert_int_equal(peer.mtu, 9000);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_and_released),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_our_own_address),
		cmocka_unit_test(test_many_peers),
		cmocka_unit_test(test_stray_frames),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_routes_come_and_go),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
