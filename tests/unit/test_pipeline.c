/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole visits: what one port sends arrives at others, and every frame is accounted for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/held.h"
#include "tests/unit/stages_fixture.h"

#include <string.h>

static void test_empty_visit(void **state)
{
	struct sf *s = sf_new();

	sf_visit(s, 1, 0);
	assert_int_equal(s->stats[1].received, 0);
	assert_int_equal(s->dev[1].rx_done, 0);
	sf_audit(s);
	sf_free(s);
}

static void test_order_and_pair(void **state)
{
	struct sf *s = sf_new();
	unsigned int i;

	sf_learn(s, sf_mac(2), 2, VS_FDB_LEARNT);
	for (i = 0; i < VS_BURST_MAX; i++)
		sf_frame(s, 1, i % 3 ? sf_mac(2) : sf_broadcast(), sf_mac(1), 60);
	sf_visit(s, 1, 6);
	assert_int_equal(s->dev[2].pair, 6);
	assert_int_equal(s->dev[2].got, VS_BURST_MAX);
	for (i = 0; i < VS_BURST_MAX; i++)
		assert_int_equal(s->dev[2].order[i], i + 1);
	assert_int_equal(s->dev[3].got, (VS_BURST_MAX + 2) / 3);
	assert_int_equal(s->dev[1].rx_done, 1);
	sf_audit(s);
	sf_free(s);
}

/* A tag with a priority only is taken off, and the frame delivered without it. */
static void test_priority_tag(void **state)
{
	struct rte_ether_addr dst = sf_mac(2);
	struct sf *s = sf_new();
	struct vs_pkt *pkt;

	sf_learn(s, sf_mac(2), 2, VS_FDB_LEARNT);
	pkt = sf_frame(s, 1, sf_mac(2), sf_mac(1), 64);
	memcpy(pkt->hdr + 12, "\x81\x00\xa0\x00\x08\x06\x55", 7);
	sf_visit(s, 1, 0);
	assert_int_equal(s->dev[2].got, 1);
	assert_int_equal(s->dev[2].last_len, 60);
	assert_memory_equal(s->dev[2].last, &dst, 6);
	assert_memory_equal(s->dev[2].last + 12, "\x08\x06\x55", 3);
	assert_int_equal(s->stats[1].received_bytes, 64);
	assert_int_equal(s->stats[2].sent_bytes, 60);
	sf_audit(s);
	sf_free(s);
}

/* What admit refuses changes nothing: no event, no time noted. */
static void test_refused_is_not_learnt(void **state)
{
	struct rte_ether_addr mac = sf_mac(2);
	struct sf *s = sf_new();
	struct vs_pkt *pkt;

	s->conf->port[1].flags |= VS_PORT_GUARD;
	s->conf->port[1].mac = sf_mac(1);
	sf_learn(s, mac, 2, VS_FDB_LEARNT);
	s->ctx->now_s += 50;
	sf_frame(s, 1, sf_broadcast(), mac, 60); /* spoof */
	sf_frame(s, 1, sf_broadcast(), sf_mac(9), 60);
	pkt = sf_frame(s, 1, sf_broadcast(), sf_mac(1), 60);
	pkt->vnet.hdr.gso_type = 1;
	pkt = sf_frame(s, 1, sf_broadcast(), sf_mac(1), 60);
	memcpy(pkt->hdr + 12, "\x81\x00\x00\x09", 4);
	sf_frame(s, 1, sf_broadcast(), sf_mac(1), 1515);
	sf_frame(s, 1, sf_broadcast(), sf_mac(1), 13);
	sf_visit(s, 1, 0);
	assert_int_equal(sf_drops(s, 1, VS_DROP_SPOOF), 2);
	assert_int_equal(sf_drops(s, 1, VS_DROP_OFFLOAD_DENIED), 1);
	assert_int_equal(sf_drops(s, 1, VS_DROP_VLAN_TAGGED), 1);
	assert_int_equal(sf_drops(s, 1, VS_DROP_MTU_IN), 1);
	assert_int_equal(sf_drops(s, 1, VS_DROP_RUNT), 1);
	assert_int_equal(sf_events(s, NULL), 0);
	assert_int_not_equal(vs_fdb_find(s->fdb, SF_FID, &mac)->seen, s->ctx->now_s);
	assert_int_equal(vs_fdb_used(s->fdb), 1);
	sf_audit(s);
	sf_free(s);
}

static uint32_t rnd(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* The frame becomes one of TCP that owes its checksum or segmentation; some claims are wrong. */
static void owe(struct vs_pkt *pkt, uint32_t *seed)
{
	static const uint16_t sizes[] = {0, 1, 255, 1400, 1446, 9000};
	static const uint8_t ip[] = {0x08, 0, 0x45, 0,  0, 0, 0, 1,  0, 0, 64,
				     6,    0, 0,    10, 0, 0, 1, 10, 0, 0, 2};
	uint8_t *tcp = pkt->hdr + 34;

	memcpy(pkt->hdr + 12, ip, sizeof(ip));
	memset(tcp, 0, 20);
	tcp[12] = 0x50;
	tcp[13] = (uint8_t)rnd(seed);
	pkt->vnet.hdr = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = (uint8_t)(rnd(seed) % 2),
		.gso_size = sizes[rnd(seed) % RTE_DIM(sizes)],
		.csum_start = rnd(seed) % 16 ? 34 : (uint16_t)rnd(seed),
		.csum_offset = rnd(seed) % 16 ? 16 : (uint16_t)(rnd(seed) % 200),
	};
}

/* Any frame there can be, a good one mostly. */
static void random_frame(struct sf *s, uint16_t port, uint32_t *seed)
{
	static const uint32_t lens[] = {0, 6, 13, 14, 17, 60, 128, 129, 1514, 1515, 1518, 60000};
	static const char tags[][8] = {"\x81\x00\x00\x00\x08\x00", "\x81\x00\x00\x05\x08\x00",
				       "\x88\xa8\x00\x05\x81\x00", "\x81\x00\xe0\x0a\x08\x00",
				       "\x81\x00\x00\x14\x08\x00", "\x81\x00\x00\x28\x08\x00",
				       "\x81\x00\x00\x0a\x81\x00"};
	static const struct rte_ether_addr odd[] = {
		{{0}},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{{0x01, 0x80, 0xc2, 0, 0, 0x0e}},
		{{0x33, 0x33, 0, 0, 0, 1}},
	};
	uint32_t r = rnd(seed);
	struct rte_ether_addr dst = r & 7 ? sf_mac(rnd(seed) % 8) : odd[rnd(seed) % 4];
	struct rte_ether_addr src = rnd(seed) % 16 ? sf_mac(port) : odd[rnd(seed) % 4];
	struct vs_pkt *pkt;

	if (rnd(seed) % 16 == 0)
		src = sf_mac(rnd(seed) % 8);
	pkt = sf_frame(s, port, dst, src, lens[rnd(seed) % 12]);
	if (rnd(seed) % 4 == 0)
		memcpy(pkt->hdr + 12, tags[rnd(seed) % RTE_DIM(tags)], 6);
	if (rnd(seed) % 32 == 0)
		pkt->vnet.hdr.flags = 1;
	if (rnd(seed) % 4 == 0 && pkt->len >= 128)
		owe(pkt, seed);
	if (rnd(seed) % 32 == 0) {
		pkt->drop = VS_DROP_CHAIN_BYTES;
		pkt->len = pkt->hdr_len;
	}
}

/* Some port is set to other VLANs, and the domains have other members. */
static void shake_vlans(struct sf *s, uint32_t *seed)
{
	static const uint16_t lists[][3] = {{10, 20, 0}, {20, 40, 0}, {10, 0, 0}};
	uint16_t port = (uint16_t)(rnd(seed) % SF_PORTS);
	uint16_t own = (uint16_t)(rnd(seed) % SF_VLANS * 10);
	unsigned int i;

	if (rnd(seed) % 2)
		sf_trunk(s, port, lists[rnd(seed) % 3], own);
	else
		sf_access(s, port, rnd(seed) % 2 ? 0 : own);
	sf_domains(s);
	sf_members(s, rnd(seed));
	for (i = 0; i < SF_VLANS; i++) {
		struct vs_domain *domain = &s->conf->domain[SF_FID + i];

		if (rnd(seed) % 3 == 0)
			domain->n_unknown = (uint16_t)(rnd(seed) % (domain->n + 1u));
	}
}

/* An address moves to another port, or to a group of ports. */
static void shake_table(struct sf *s, uint32_t *seed)
{
	static const uint16_t members[] = {0, 2, 3, 5};
	uint16_t vid = (uint16_t)(rnd(seed) % SF_VLANS * 10);
	struct rte_ether_addr mac = sf_mac(rnd(seed) % 8);
	uint16_t port = (uint16_t)(rnd(seed) % SF_PORTS);
	uint16_t group = (uint16_t)(rnd(seed) % 4);
	uint16_t old;

	s->conf->group[group] = (struct vs_group){.members = members + group,
						  .n = (uint16_t)(4 - group),
						  .fid = sf_fid(vid)};
	if (rnd(seed) % 8 == 0)
		port = (uint16_t)(VS_FDB_GROUP_BASE + group);
	(void)vs_fdb_learn(s->fdb, sf_fid(vid), &mac, port, VS_FDB_LEARNT, s->ctx->now_s, &old);
}

/* Ports, tables and devices change between visits. */
static void shake(struct sf *s, uint32_t *seed)
{
	static const enum vs_drop fates[] = {VS_DROP_NONE, VS_DROP_NONE, VS_DROP_RX_FULL,
					     VS_DROP_RX_SMALL, VS_DROP_MEM_LOST};
	unsigned int up = rnd(seed) | 3;
	unsigned int p;
	unsigned int i;

	shake_vlans(s, seed);
	for (p = 0; p < SF_PORTS; p++) {
		struct vs_port_hot *port = &s->conf->port[p];

		port->flags = rnd(seed) % 8 ? VS_PORT_ADMIN_UP : 0;
		port->flags |= up & (1u << p) ? VS_PORT_UP : 0;
		port->flags |= rnd(seed) % 4 ? 0 : VS_PORT_GUARD;
		port->flags |= rnd(seed) % 2 ? 0 : VS_PORT_PRIORITY;
		port->mac = sf_mac(p);
		port->max_frame = rnd(seed) % 3 ? 1514 : 65549;
		port->storm_pps = rnd(seed) % 2 ? 0 : 50;
		s->dev[p].rights = rnd(seed) % 8 ? VS_OFFLOAD_ALL : rnd(seed);
		s->dev[p].caps = rnd(seed) % 2 ? rnd(seed) : 0;
		for (i = 0; i < VS_BURST_MAX; i++)
			s->dev[p].fate[i] = fates[rnd(seed) % 5];
		/* Another worker is there. */
		if (rnd(seed) % 4 == 0)
			memset(s->dev[p].fate, VS_DROP_TX_BUSY, VS_BURST_MAX);
	}
	shake_table(s, seed);
	vs_held_review(s->ctx);
	s->ctx->now_tsc += rnd(seed) % 4000000;
	s->ctx->now_s = vs_clock_seconds(s->ctx->now_tsc);
}

/* Sixty-four long frames to an address nobody knows: more copies than one visit may make. */
static unsigned int flood_long(struct sf *s, uint16_t port)
{
	struct vs_port_hot *hot = &s->conf->port[port];
	unsigned int i;

	sf_members(s, UINT32_MAX);
	sf_access(s, port, 0);
	hot->flags = VS_PORT_ADMIN_UP | VS_PORT_UP;
	hot->max_frame = 65549;
	hot->storm_pps = 0;
	sf_begin(s);
	for (i = 0; i < VS_BURST_MAX; i++)
		(void)sf_frame(s, port, sf_mac(99), sf_mac(port), 60000);
	sf_visit(s, port, 0);
	return i;
}

static void test_audit_of_a_mixture(void **state)
{
	struct sf *s = sf_new();
	uint64_t put[SF_PORTS] = {0};
	unsigned int total = 0;
	uint32_t seed = 42;
	uint64_t held = 0;
	unsigned int r;
	unsigned int p;

	assert_int_equal(vs_held_new(&s->ctx->held), 0);
	while (total < 100000) {
		uint16_t port = (uint16_t)(rnd(&seed) % SF_PORTS);
		unsigned int n = rnd(&seed) % (VS_BURST_MAX + 1);
		unsigned int i;

		shake(s, &seed);
		sf_begin(s);
		for (i = 0; i < n; i++)
			random_frame(s, port, &seed);
		sf_visit(s, port, (uint16_t)(rnd(&seed) % 4));
		held += s->ctx->n_held;
		put[port] += n;
		total += n;
		(void)sf_events(s, NULL);
	}
	put[1] += flood_long(s, 1);
	sf_audit(s);
	/* Frames waited, and all of them can leave. */
	assert_true(held > 1000);
	for (p = 0; p < SF_PORTS; p++)
		memset(s->dev[p].fate, VS_DROP_NONE, VS_BURST_MAX);
	vs_held_review(s->ctx);
	vs_held_retry(s->ctx);
	assert_int_equal(s->ctx->n_held, 0);
	sf_audit(s);
	for (p = 0; p < SF_PORTS; p++) {
		assert_int_equal(s->stats[p].received, put[p]);
		assert_int_equal(s->stats[p].sent, s->dev[p].got);
		assert_int_equal(s->stats[p].sent_bytes, s->dev[p].got_bytes);
		assert_int_equal(s->dev[p].wrong, 0);
	}
	/* The mixture was one: every reason that can occur here did. */
	for (r = 1; r < VS_DROP_COUNT; r++) {
		uint64_t sum = 0;

		if (r == VS_DROP_VNET_SHORT || r == VS_DROP_CHAIN_DESCS || r == VS_DROP_RX_PIECES ||
		    r == VS_DROP_GSO_FAILED || r == VS_DROP_RING_BROKEN || r == VS_DROP_FRAME_CUT ||
		    r == VS_DROP_CUT_BUDGET || r >= VS_DROP_HOST_FULL ||
		    (r >= VS_DROP_VLAN_DENIED && r <= VS_DROP_VLAN_UNUSED) ||
		    (r >= VS_DROP_NVGRE_HEADER && r < VS_DROP_PORT_DOWN) ||
		    (r >= VS_DROP_NO_PEER && r <= VS_DROP_COPY_BUDGET) ||
		    r == VS_DROP_UNKNOWN_UNICAST || r == VS_DROP_TX_BUSY || r == VS_DROP_VLAN_OUT)
			continue;
		for (p = 0; p < SF_PORTS; p++)
			sum += sf_drops(s, p, r);
		if (sum == 0)
			fail_msg("%s did not occur", vs_drop_name(r));
	}
	vs_held_free(s->ctx->held);
	sf_free(s);
}

/* Frames of 256 segments: what one visit has cut is bounded, and the next begins anew. */
static void test_cut_budget(void **state)
{
	enum {
		FRAMES = VS_BURST_MAX,
		FIT = VS_CUT_FRAMES / VS_SEGMENTS_MAX,
		HDRS = 54,
	};
	struct sf *s = sf_new();
	unsigned int visit;
	unsigned int i;

	s->dev[0].rights = VS_OFFLOAD_ALL;
	s->conf->port[0].max_frame = 60000;
	sf_learn(s, sf_mac(1), 1, VS_FDB_STATIC);
	for (visit = 1; visit <= 2; visit++) {
		sf_begin(s);
		for (i = 0; i < FRAMES; i++) {
			uint32_t seed = i;
			struct vs_pkt *pkt =
				sf_frame(s, 0, sf_mac(1), sf_mac(0), HDRS + VS_SEGMENTS_MAX * 48);

			owe(pkt, &seed);
			pkt->vnet.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
			pkt->vnet.hdr.gso_size = 48;
			pkt->vnet.hdr.csum_start = 34;
			pkt->vnet.hdr.csum_offset = 16;
			pkt->hdr[47] = 0x10;
		}
		sf_visit(s, 0, 0);
		assert_int_equal(s->ctx->n_made, VS_CUT_FRAMES);
		assert_int_equal(s->stats[1].sent, visit * VS_CUT_FRAMES);
		assert_int_equal(sf_drops(s, 1, VS_DROP_CUT_BUDGET), visit * (FRAMES - FIT));
		sf_audit(s);
	}
	/* Who takes them whole is not concerned. */
	s->dev[1].caps = VS_OFFLOAD_ALL;
	sf_visit(s, 0, 0);
	assert_int_equal(s->ctx->n_made, 0);
	assert_int_equal(sf_drops(s, 1, VS_DROP_CUT_BUDGET), 2 * (FRAMES - FIT));
	sf_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_visit),
		cmocka_unit_test(test_order_and_pair),
		cmocka_unit_test(test_priority_tag),
		cmocka_unit_test(test_refused_is_not_learnt),
		cmocka_unit_test(test_audit_of_a_mixture),
		cmocka_unit_test(test_cut_budget),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
