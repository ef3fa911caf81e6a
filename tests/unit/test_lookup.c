/* SPDX-License-Identifier: BSD-3-Clause */
/* The lookup stage: learning, forwarding, flooding and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stages_fixture.h"

#include <stdlib.h>
#include <string.h>

/* Look one frame up. Return: it. */
static struct vs_pkt *look_up(struct sf *s, uint16_t port, struct rte_ether_addr dst,
			      struct rte_ether_addr src)
{
	struct vs_pkt *pkt;

	sf_begin(s);
	pkt = sf_frame(s, port, dst, src, 100);
	vs_lookup(s->ctx, s->burst);
	return pkt;
}

static void pass_time(struct sf *s, unsigned int ms)
{
	s->ctx->now_tsc += rte_get_tsc_hz() / 1000 * ms;
	s->ctx->now_s = vs_clock_seconds(s->ctx->now_tsc);
}

static void test_learn_event(void **state)
{
	struct sf *s = sf_new();
	struct rte_ether_addr mac = sf_mac(9);
	struct vs_fdb_entry *e;
	struct vs_event ev;

	look_up(s, 1, sf_broadcast(), mac);
	assert_int_equal(sf_events(s, &ev), 1);
	assert_int_equal(ev.type, VS_EVENT_LEARN);
	assert_int_equal(ev.port, 1);
	assert_int_equal(ev.fid, SF_FID);
	assert_memory_equal(&ev.mac, &mac, 6);

	/* Not again within 10 ms, and again after that. */
	look_up(s, 1, sf_broadcast(), mac);
	pass_time(s, 9);
	look_up(s, 1, sf_broadcast(), mac);
	assert_int_equal(sf_events(s, NULL), 0);
	pass_time(s, 2);
	look_up(s, 1, sf_broadcast(), mac);
	assert_int_equal(sf_events(s, NULL), 1);

	/* Known: only its time is noted. */
	sf_learn(s, mac, 1, VS_FDB_LEARNT);
	e = vs_fdb_find(s->fdb, SF_FID, &mac);
	pass_time(s, 5000);
	look_up(s, 1, sf_broadcast(), mac);
	assert_int_equal(sf_events(s, NULL), 0);
	assert_int_equal(e->seen, s->ctx->now_s);
	sf_free(s);
}

/* What was forgotten a moment after it was reported is learnt from its next frame. */
static void test_forgotten_is_reported(void **state)
{
	const struct vs_fdb_filter all = {.what = VS_FDB_ALL_LEARNT};
	struct sf *s = sf_new();

	look_up(s, 1, sf_broadcast(), sf_mac(9));
	assert_int_equal(sf_events(s, NULL), 1);
	sf_learn(s, sf_mac(9), 1, VS_FDB_LEARNT);
	assert_int_equal(vs_fdb_remove(s->fdb, &all, NULL, NULL), 1);
	look_up(s, 1, sf_broadcast(), sf_mac(9));
	assert_int_equal(sf_events(s, NULL), 1);
	look_up(s, 1, sf_broadcast(), sf_mac(9));
	assert_int_equal(sf_events(s, NULL), 0);

	/* It moves away and comes back at once. */
	sf_learn(s, sf_mac(9), 1, VS_FDB_LEARNT);
	sf_learn(s, sf_mac(9), 2, VS_FDB_LEARNT);
	look_up(s, 1, sf_broadcast(), sf_mac(9));
	assert_int_equal(sf_events(s, NULL), 1);
	sf_free(s);
}

/* Return: the one port that a frame from port 0 to @dst goes to, or -1: none, or several. */
static int receiver(struct sf *s, struct rte_ether_addr dst)
{
	look_up(s, 0, dst, sf_mac(0));
	return s->ctx->n_touched == 1 ? s->ctx->touched[0] : -1;
}

/* What a worker remembers of an address ends with its entry, and with the table. */
static void test_hint_ends(void **state)
{
	struct vs_fdb_filter one = {.what = VS_FDB_ADDRESS, .fid = SF_FID, .mac = sf_mac(9)};
	struct sf *s = sf_new();
	struct vs_fdb *other;
	struct vs_fdb *fdb = s->fdb;
	unsigned int i;

	sf_learn(s, sf_mac(9), 2, VS_FDB_LEARNT);
	assert_int_equal(receiver(s, sf_mac(9)), 2);
	assert_int_equal(receiver(s, sf_mac(9)), 2);
	sf_learn(s, sf_mac(9), 3, VS_FDB_LEARNT);
	assert_int_equal(receiver(s, sf_mac(9)), 3);

	assert_int_equal(vs_fdb_remove(s->fdb, &one, NULL, NULL), 1);
	/* Its place is used again for others. */
	for (i = 100; i < 200; i++)
		sf_learn(s, sf_mac(i), 4, VS_FDB_LEARNT);
	assert_int_equal(receiver(s, sf_mac(9)), -1);
	sf_learn(s, sf_mac(9), 5, VS_FDB_LEARNT);
	assert_int_equal(receiver(s, sf_mac(9)), 5);

	assert_int_equal(vs_fdb_new(&s->rcu, 8, &other), 0);
	assert_true(vs_fdb_generation(other) != vs_fdb_generation(fdb));
	s->fdb = other;
	for (i = 0; i < SF_PORTS; i++)
		s->conf->port[i].fdb = other;
	sf_learn(s, sf_mac(9), 1, VS_FDB_LEARNT);
	assert_int_equal(receiver(s, sf_mac(9)), 1);
	vs_fdb_free(fdb);
	assert_int_equal(receiver(s, sf_mac(9)), 1);
	sf_free(s);
}

static struct rte_ether_addr far_mac(unsigned int i)
{
	return (struct rte_ether_addr){{0x02, 1, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};
}

/* More addresses than hints: each is found at its own port, on its own VLAN. */
static void test_many_hints(void **state)
{
	const unsigned int n = VS_HINT_SLOTS + VS_HINT_SLOTS / 2;
	struct sf *s = sf_new();
	unsigned int round;
	unsigned int i;

	for (i = 0; i < n; i++)
		sf_learn(s, far_mac(i), (uint16_t)(1 + i % 5), VS_FDB_LEARNT);
	for (round = 0; round < 3; round++)
		for (i = 0; i < n; i++)
			assert_int_equal(receiver(s, far_mac(i)), 1 + i % 5);
	/* Not known there. */
	sf_begin(s);
	sf_frame(s, 0, far_mac(0), sf_mac(0), 100)->fid = sf_fid(10);
	vs_lookup(s->ctx, s->burst);
	assert_int_equal(s->ctx->port_stats[0]->forwarded, n * 3);
	sf_free(s);
}

static void test_moved_is_reported(void **state)
{
	struct sf *s = sf_new();
	struct vs_event ev;

	sf_learn(s, sf_mac(9), 1, VS_FDB_LEARNT);
	look_up(s, 2, sf_broadcast(), sf_mac(9));
	assert_int_equal(sf_events(s, &ev), 1);
	assert_int_equal(ev.port, 2);
	/* Going to and fro is reported from each port. */
	sf_learn(s, sf_mac(9), 2, VS_FDB_LEARNT);
	look_up(s, 1, sf_broadcast(), sf_mac(9));
	assert_int_equal(sf_events(s, &ev), 1);
	assert_int_equal(ev.port, 1);
	sf_free(s);
}

static void test_static_is_not_reported(void **state)
{
	struct sf *s = sf_new();
	struct rte_ether_addr mac = sf_mac(9);
	struct vs_fdb_entry *e;

	sf_learn(s, mac, 1, VS_FDB_STATIC);
	look_up(s, 2, sf_broadcast(), mac);
	assert_int_equal(sf_events(s, NULL), 0);
	e = vs_fdb_find(s->fdb, SF_FID, &mac);
	assert_int_equal(vs_fdb_entry_port(e), 1);
	look_up(s, 3, mac, sf_mac(3));
	assert_int_equal(s->ctx->n_touched, 1);
	assert_int_equal(s->ctx->touched[0], 1);
	sf_free(s);
}

static void test_learn_pace(void **state)
{
	struct sf *s = sf_new();
	unsigned int i;

	for (i = 0; i < 3 * VS_LEARN_RATE_PPS; i++) {
		struct rte_ether_addr mac = {{2, 7, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};

		look_up(s, 1, sf_broadcast(), mac);
	}
	assert_int_equal(sf_events(s, NULL), VS_LEARN_RATE_PPS);
	/* Another port has its own pace. */
	look_up(s, 2, sf_broadcast(), sf_mac(2));
	assert_int_equal(sf_events(s, NULL), 1);
	pass_time(s, 100);
	for (i = 0; i < VS_LEARN_RATE_PPS; i++) {
		struct rte_ether_addr mac = {{2, 8, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};

		look_up(s, 1, sf_broadcast(), mac);
	}
	assert_in_range(sf_events(s, NULL), VS_LEARN_RATE_PPS / 10 - 1, VS_LEARN_RATE_PPS / 10);
	sf_free(s);
}

static void test_forward(void **state)
{
	struct sf *s = sf_new();
	struct vs_pkt *pkt;

	sf_learn(s, sf_mac(2), 2, VS_FDB_LEARNT);
	pkt = look_up(s, 1, sf_mac(2), sf_mac(1));
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(s->ctx->n_touched, 1);
	assert_int_equal(s->ctx->touched[0], 2);
	assert_int_equal(s->ctx->out[2].n, 1);
	assert_int_equal(s->stats[1].forwarded, 1);
	assert_int_equal(s->stats[1].flooded, 0);

	/* The table is asked in the frame's own domain. */
	sf_begin(s);
	pkt = sf_frame(s, 1, sf_mac(2), sf_mac(1), 100);
	pkt->fid = sf_fid(10);
	vs_lookup(s->ctx, s->burst);
	assert_int_equal(pkt->drop, VS_DROP_NO_RECEIVER);
	sf_free(s);
}

static void test_hairpin(void **state)
{
	struct sf *s = sf_new();

	sf_learn(s, sf_mac(2), 1, VS_FDB_LEARNT);
	assert_int_equal(look_up(s, 1, sf_mac(2), sf_mac(1))->drop, VS_DROP_HAIRPIN);
	assert_int_equal(look_up(s, 1, sf_mac(2), sf_mac(2))->drop, VS_DROP_HAIRPIN);
	assert_int_equal(sf_drops(s, 1, VS_DROP_HAIRPIN), 2);
	assert_int_equal(s->ctx->n_touched, 0);
	sf_free(s);
}

static void expect_flood(struct sf *s, const struct vs_pkt *pkt, unsigned int mask)
{
	unsigned int seen = 0;
	unsigned int i;

	assert_int_equal(pkt->drop, VS_DROP_NONE);
	for (i = 0; i < s->ctx->n_touched; i++) {
		seen |= 1u << s->ctx->touched[i];
		assert_int_equal(s->ctx->out[s->ctx->touched[i]].n, 1);
	}
	assert_int_equal(seen, mask);
}

static void test_flood_members(void **state)
{
	struct rte_ether_addr group = {{1, 0, 0x5e, 0, 0, 0xfb}};
	struct sf *s = sf_new();

	expect_flood(s, look_up(s, 1, sf_broadcast(), sf_mac(1)), 0x3d);
	expect_flood(s, look_up(s, 0, group, sf_mac(1)), 0x3e);
	expect_flood(s, look_up(s, 5, sf_mac(77), sf_mac(1)), 0x1f);
	assert_int_equal(s->ctx->switch_stats[SF_SWITCH].flood_copies, 15);
	assert_int_equal(s->ctx->flooded_bytes, 500);
	/* Who is down is no member. */
	sf_members(s, 0x12);
	expect_flood(s, look_up(s, 1, sf_broadcast(), sf_mac(1)), 0x10);
	expect_flood(s, look_up(s, 0, sf_broadcast(), sf_mac(1)), 0x12);
	/* An entry that is just being made is none. */
	sf_learn(s, sf_mac(40), VS_FDB_NO_PORT, VS_FDB_LEARNT);
	expect_flood(s, look_up(s, 1, sf_mac(40), sf_mac(1)), 0x10);
	assert_int_equal(s->stats[1].flooded, 3);
	sf_free(s);
}

static void test_no_receiver(void **state)
{
	struct sf *s = sf_new();

	sf_members(s, 1u << 1);
	assert_int_equal(look_up(s, 1, sf_broadcast(), sf_mac(1))->drop, VS_DROP_NO_RECEIVER);
	sf_members(s, 0);
	assert_int_equal(look_up(s, 1, sf_mac(9), sf_mac(1))->drop, VS_DROP_NO_RECEIVER);
	assert_int_equal(sf_drops(s, 1, VS_DROP_NO_RECEIVER), 2);
	assert_int_equal(s->stats[1].flooded, 0);
	assert_int_equal(s->ctx->switch_stats[SF_SWITCH].flood_copies, 0);
	sf_free(s);
}

static void test_reserved(void **state)
{
	struct rte_ether_addr mac = {{0x01, 0x80, 0xc2, 0, 0, 0}};
	struct sf *s = sf_new();
	unsigned int i;

	for (i = 0; i < 16; i++) {
		mac.addr_bytes[5] = (uint8_t)i;
		assert_int_equal(look_up(s, 1, mac, sf_mac(1))->drop, VS_DROP_RESERVED_MAC);
		assert_int_equal(s->ctx->n_touched, 0);
	}
	assert_int_equal(sf_drops(s, 1, VS_DROP_RESERVED_MAC), 16);
	mac.addr_bytes[5] = 0x10;
	expect_flood(s, look_up(s, 1, mac, sf_mac(1)), 0x3d);
	mac.addr_bytes[5] = 0x20;
	expect_flood(s, look_up(s, 1, mac, sf_mac(1)), 0x3d);
	mac.addr_bytes[5] = 0;
	mac.addr_bytes[4] = 1;
	expect_flood(s, look_up(s, 1, mac, sf_mac(1)), 0x3d);
	sf_free(s);
}

static void test_storm(void **state)
{
	struct sf *s = sf_new();
	unsigned int passed = 0;
	struct vs_event ev;
	unsigned int i;

	s->conf->port[1].storm_pps = 100;
	sf_learn(s, sf_mac(1), 1, VS_FDB_LEARNT);
	sf_learn(s, sf_mac(2), 2, VS_FDB_LEARNT);
	for (i = 0; i < 150; i++)
		passed += look_up(s, 1, i & 1 ? sf_broadcast() : sf_mac(99), sf_mac(1))->drop == 0;
	assert_int_equal(passed, 100);
	assert_int_equal(sf_drops(s, 1, VS_DROP_STORM), 50);
	/* One event a second, not one per frame. */
	assert_int_equal(sf_events(s, &ev), 1);
	assert_int_equal(ev.type, VS_EVENT_STORM);
	assert_int_equal(ev.port, 1);
	/* Known unicast is not concerned. */
	assert_int_equal(look_up(s, 1, sf_mac(2), sf_mac(1))->drop, VS_DROP_NONE);
	/* Nor are other ports. */
	assert_int_equal(look_up(s, 2, sf_broadcast(), sf_mac(2))->drop, VS_DROP_NONE);
	pass_time(s, 1000);
	for (passed = i = 0; i < 150; i++)
		passed += look_up(s, 1, sf_broadcast(), sf_mac(1))->drop == 0;
	assert_in_range(passed, 99, 100);
	assert_int_equal(sf_events(s, &ev), 1);
	/* 0 is no limit. */
	s->conf->port[1].storm_pps = 0;
	for (i = 0; i < 1000; i++)
		assert_int_equal(look_up(s, 1, sf_broadcast(), sf_mac(1))->drop, VS_DROP_NONE);
	sf_free(s);
}

static void test_flood_budget(void **state)
{
	struct sf *s = sf_new();
	unsigned int flooded = 0;
	unsigned int i;

	/* 5 copies of 60000 bytes: 300000 of 524288 each. */
	for (i = 0; i < 20; i++)
		sf_frame(s, 1, sf_mac(99), sf_mac(1), 60000);
	vs_lookup(s->ctx, s->burst);
	for (i = 0; i < 20; i++)
		flooded += s->burst->pkt[i].drop == VS_DROP_NONE;
	assert_int_equal(flooded, VS_FLOOD_BYTES / 300000 + 1);
	assert_int_equal(sf_drops(s, 1, VS_DROP_FLOOD_BUDGET), 20 - flooded);
	/* The next visit has its own. */
	assert_int_equal(look_up(s, 1, sf_broadcast(), sf_mac(1))->drop, VS_DROP_NONE);
	sf_free(s);
}

/* The first frame of a visit is copied whatever it takes, up to a limit for one frame. */
static void test_flood_frame_budget(void **state)
{
	struct sf *s = sf_new();
	const unsigned int members = SF_PORTS;
	struct vs_pkt *pkt;

	sf_begin(s);
	pkt = sf_frame(s, 1, sf_mac(99), sf_mac(1), VS_FLOOD_FRAME_BYTES / members);
	vs_lookup(s->ctx, s->burst);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_true(s->ctx->flooded_bytes > VS_FLOOD_BYTES);
	sf_begin(s);
	pkt = sf_frame(s, 1, sf_mac(99), sf_mac(1), VS_FLOOD_FRAME_BYTES / members + 1);
	vs_lookup(s->ctx, s->burst);
	assert_int_equal(pkt->drop, VS_DROP_FLOOD_BUDGET);
	assert_int_equal(s->ctx->flooded_bytes, 0);
	sf_free(s);
}

/* Only the first members get frames to unknown unicast addresses. */
static void test_unknown_policy(void **state)
{
	struct vs_domain *domain;
	struct sf *s = sf_new();

	domain = &s->conf->domain[SF_FID];
	domain->n_unknown = 2;
	expect_flood(s, look_up(s, 4, sf_mac(99), sf_mac(4)), 0x03);
	expect_flood(s, look_up(s, 1, sf_mac(99), sf_mac(1)), 0x01);
	expect_flood(s, look_up(s, 1, sf_broadcast(), sf_mac(1)), 0x3d);
	assert_int_equal(s->stats[1].flooded, 2);
	/* The only one that gets them is the sender. */
	domain->n_unknown = 1;
	assert_int_equal(look_up(s, 0, sf_mac(99), sf_mac(0))->drop, VS_DROP_UNKNOWN_UNICAST);
	assert_int_equal(s->ctx->n_touched, 0);
	domain->n_unknown = 0;
	assert_int_equal(look_up(s, 4, sf_mac(99), sf_mac(4))->drop, VS_DROP_UNKNOWN_UNICAST);
	expect_flood(s, look_up(s, 4, sf_broadcast(), sf_mac(4)), 0x2f);
	/* An entry that is just being made is unknown, a known one is not concerned. */
	sf_learn(s, sf_mac(40), VS_FDB_NO_PORT, VS_FDB_LEARNT);
	assert_int_equal(look_up(s, 4, sf_mac(40), sf_mac(4))->drop, VS_DROP_UNKNOWN_UNICAST);
	sf_learn(s, sf_mac(2), 2, VS_FDB_LEARNT);
	assert_int_equal(look_up(s, 4, sf_mac(2), sf_mac(4))->drop, VS_DROP_NONE);
	assert_int_equal(sf_drops(s, 4, VS_DROP_UNKNOWN_UNICAST), 2);
	/* Nobody there at all has its own name. */
	sf_members(s, 0);
	assert_int_equal(look_up(s, 4, sf_mac(99), sf_mac(4))->drop, VS_DROP_NO_RECEIVER);
	sf_free(s);
}

/* Frames that go nowhere leave the storm limit to those that do. */
static void test_nowhere_is_no_storm(void **state)
{
	struct sf *s = sf_new();
	unsigned int i;

	s->conf->port[1].storm_pps = 5;
	s->conf->domain[SF_FID].n_unknown = 0;
	sf_learn(s, sf_mac(1), 1, VS_FDB_LEARNT);
	for (i = 0; i < 100; i++)
		assert_int_equal(look_up(s, 1, sf_mac(99), sf_mac(1))->drop,
				 VS_DROP_UNKNOWN_UNICAST);
	for (i = 0; i < 5; i++)
		assert_int_equal(look_up(s, 1, sf_broadcast(), sf_mac(1))->drop, VS_DROP_NONE);
	assert_int_equal(sf_events(s, NULL), 0);
	assert_int_equal(look_up(s, 1, sf_broadcast(), sf_mac(1))->drop, VS_DROP_STORM);
	sf_free(s);
}

/* Ports 1, 3 and 4 share the address of "port" 50. */
static struct sf *new_cluster(enum vs_fdb_kind kind)
{
	static const uint16_t members[] = {1, 3, 4};
	struct sf *s = sf_new();

	s->conf->group[7] = (struct vs_group){.members = members, .n = 3, .fid = SF_FID};
	sf_learn(s, sf_mac(50), VS_FDB_GROUP_BASE + 7, kind);
	sf_learn(s, sf_mac(1), 1, VS_FDB_LEARNT);
	sf_learn(s, sf_mac(2), 2, VS_FDB_LEARNT);
	return s;
}

static void test_group(void **state)
{
	struct sf *s = new_cluster(VS_FDB_STATIC);
	unsigned int i;

	expect_flood(s, look_up(s, 2, sf_mac(50), sf_mac(2)), 0x1a);
	expect_flood(s, look_up(s, 1, sf_mac(50), sf_mac(1)), 0x18);
	assert_int_equal(s->stats[2].flooded, 1);
	assert_int_equal(s->stats[2].forwarded, 0);
	assert_int_equal(s->ctx->switch_stats[SF_SWITCH].flood_copies, 5);
	assert_int_equal(s->ctx->flooded_bytes, 200);
	/* Neither the policy for unknown addresses nor the storm limit is about it. */
	s->conf->domain[SF_FID].n_unknown = 0;
	s->conf->port[2].storm_pps = 1;
	for (i = 0; i < 50; i++)
		expect_flood(s, look_up(s, 2, sf_mac(50), sf_mac(2)), 0x1a);
	expect_flood(s, look_up(s, 2, sf_broadcast(), sf_mac(2)), 0x3b);
	assert_int_equal(look_up(s, 2, sf_broadcast(), sf_mac(2))->drop, VS_DROP_STORM);
	(void)sf_events(s, NULL);
	/* Its number is another domain's by now: not a frame crosses. */
	s->conf->group[7].fid = SF_FID + 1;
	assert_int_equal(look_up(s, 2, sf_mac(50), sf_mac(2))->drop, VS_DROP_HAIRPIN);
	s->conf->group[7].fid = SF_FID;
	/* Nobody but the sender. */
	s->conf->group[7].n = 1;
	assert_int_equal(look_up(s, 1, sf_mac(50), sf_mac(1))->drop, VS_DROP_HAIRPIN);
	expect_flood(s, look_up(s, 2, sf_mac(50), sf_mac(2)), 0x02);
	s->conf->group[7] = (struct vs_group){0};
	assert_int_equal(look_up(s, 1, sf_mac(50), sf_mac(1))->drop, VS_DROP_HAIRPIN);
	sf_free(s);
}

static void test_group_budget(void **state)
{
	struct sf *s = new_cluster(VS_FDB_STATIC);
	unsigned int passed = 0;
	unsigned int i;

	/* 3 copies of 60000 bytes each. */
	for (i = 0; i < 40; i++)
		sf_frame(s, 2, sf_mac(50), sf_mac(2), 60000);
	vs_lookup(s->ctx, s->burst);
	for (i = 0; i < 40; i++)
		passed += s->burst->pkt[i].drop == VS_DROP_NONE;
	assert_int_equal(passed, VS_FLOOD_BYTES / 180000 + 1);
	assert_int_equal(sf_drops(s, 2, VS_DROP_FLOOD_BUDGET), 40 - passed);
	sf_free(s);
}

/* The shared address as a source moves nothing, from members and others alike. */
static void test_group_is_not_learnt(void **state)
{
	static const enum vs_fdb_kind kinds[] = {VS_FDB_STATIC, VS_FDB_LEARNT};
	unsigned int k;
	unsigned int port;

	for (k = 0; k < RTE_DIM(kinds); k++) {
		struct sf *s = new_cluster(kinds[k]);

		for (port = 0; port < SF_PORTS; port++)
			look_up(s, (uint16_t)port, sf_broadcast(), sf_mac(50));
		assert_int_equal(sf_events(s, NULL), 0);
		sf_free(s);
	}
}

/* Ports that cannot be: unknown, and nothing outside of the arrays is touched. */
static void test_port_out_of_range(void **state)
{
	static const uint16_t odd[] = {VS_FDB_GROUP_BASE + VS_GROUPS_MAX,
				       VS_FDB_GROUP_BASE + VS_GROUPS_MAX + 1, 0x8000,
				       VS_FDB_NO_PORT - 1, VS_FDB_NO_PORT};
	struct sf *s = sf_new();
	unsigned int i;

	for (i = 0; i < RTE_DIM(odd); i++) {
		sf_learn(s, sf_mac(60 + i), odd[i], VS_FDB_LEARNT);
		expect_flood(s, look_up(s, 1, sf_mac(60 + i), sf_mac(60 + i)), 0x3d);
		assert_int_equal(sf_events(s, NULL), 1);
	}
	/* The last group there is, which is empty, and the last port, which is none. */
	sf_learn(s, sf_mac(70), VS_FDB_GROUP_BASE + VS_GROUPS_MAX - 1, VS_FDB_STATIC);
	assert_int_equal(look_up(s, 1, sf_mac(70), sf_mac(1))->drop, VS_DROP_HAIRPIN);
	sf_learn(s, sf_mac(71), VS_PORTS_MAX - 1, VS_FDB_LEARNT);
	assert_int_equal(look_up(s, 1, sf_mac(71), sf_mac(1))->drop, VS_DROP_NONE);
	assert_int_equal(s->ctx->touched[0], VS_PORTS_MAX - 1);
	sf_free(s);
}

/* One address on several VLANs of a trunk is reported once for each of them. */
static void test_report_by_vlan(void **state)
{
	const uint16_t n_fids = 900;
	struct sf *s = sf_new();
	struct vs_event ev;
	uint16_t fid;

	free(s->conf->domain);
	s->conf->n_fids = n_fids;
	s->conf->domain = calloc(n_fids, sizeof(*s->conf->domain));
	assert_non_null(s->conf->domain);
	for (fid = 1; fid < n_fids; fid++) {
		sf_begin(s);
		sf_frame(s, 1, sf_broadcast(), sf_mac(9), 60)->fid = fid;
		sf_frame(s, 1, sf_broadcast(), sf_mac(9), 60)->fid = fid;
		vs_lookup(s->ctx, s->burst);
		assert_int_equal(sf_events(s, &ev), 1);
		assert_int_equal(ev.fid, fid);
	}
	sf_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learn_event),
		cmocka_unit_test(test_forgotten_is_reported),
		cmocka_unit_test(test_hint_ends),
		cmocka_unit_test(test_many_hints),
		cmocka_unit_test(test_moved_is_reported),
		cmocka_unit_test(test_static_is_not_reported),
		cmocka_unit_test(test_learn_pace),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_flood_members),
		cmocka_unit_test(test_no_receiver),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_flood_budget),
		cmocka_unit_test(test_flood_frame_budget),
		cmocka_unit_test(test_unknown_policy),
		cmocka_unit_test(test_nowhere_is_no_storm),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_group_budget),
		cmocka_unit_test(test_group_is_not_learnt),
		cmocka_unit_test(test_port_out_of_range),
		cmocka_unit_test(test_report_by_vlan),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
