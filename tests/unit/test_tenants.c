/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The router in the pipeline: guests of two routing domains with the same addresses, a tunnel port
 * and an uplink. What comes out where, and the accounts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvgre/outer.h"
#include "tests/unit/stages_fixture.h"
#include "tests/unit/tenant_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Guests of the four subnets are ports 0 to 3. */
	UPLINK = 4,
	TUNNEL = 5,
	OUTER = 14 + 20 + 8,
	SLOTS = 16,
	RANDOM = 200000,
};

struct net {
	struct sf *sf;
	struct tf *tf;
	struct vs_pa pa;
	struct vs_peer remote; /* the way back, as the other host has it */
	const struct vs_peer *peers[1];
	struct vs_vsid_slot slot[SLOTS];
	uint16_t members[TF_SUBNETS][2];
};

static const struct rte_ether_addr next_hop = {{2, 0, 0, 0x99, 0, 1}};

static void make_slots(struct net *n)
{
	unsigned int i;

	for (i = 0; i < TF_SUBNETS; i++) {
		uint32_t vsid = n->tf->subnet[i].vsid;
		uint32_t at = vsid * UINT32_C(0x9e3779b1) >> 7;

		while (n->slot[at % SLOTS].vsid)
			at++;
		n->slot[at % SLOTS] = (struct vs_vsid_slot){.vsid = vsid, .subnet = i};
	}
	n->tf->nv.slot = n->slot;
	n->tf->nv.mask = SLOTS - 1;
}

static uint64_t word_of(struct rte_ether_addr mac)
{
	uint64_t word = 0;
	unsigned int i;

	for (i = 0; i < 6; i++)
		word = word << 8 | mac.addr_bytes[i];
	return word | VS_NEXT_HOP_KNOWN;
}

static void make_wire(struct net *n)
{
	const struct vs_ip ours = vs_ip_make4((const uint8_t[]){192, 168, 2, 22});
	const struct vs_ip theirs = vs_ip_make4((const uint8_t[]){192, 168, 5, 55});
	struct vs_pa far = {.prefix = {.ip = theirs, .len = 120}, .mac = next_hop};
	struct vs_nvgre *nv = &n->tf->nv;
	unsigned int i;

	n->pa = (struct vs_pa){.prefix = {.ip = ours, .len = 120},
			       .mac = {{2, 0, 0, 0x99, 0, 2}},
			       .fid = SF_FID,
			       .uplink = UPLINK};
	assert_int_equal(vs_outer_build(&n->tf->peer, &n->pa, &theirs, 0), 0);
	n->tf->peer.next_hop = word_of(next_hop);
	assert_int_equal(vs_outer_build(&n->remote, &far, &ours, 0), 0);
	n->remote.next_hop = word_of(n->pa.mac);
	nv->pa = &n->pa;
	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		nv->tunnel[i] = i == SF_SWITCH ? TUNNEL : VS_PORTS_MAX;
		nv->first_pa[i + 1] = i >= SF_SWITCH;
	}
	n->peers[0] = &n->tf->peer;
}

static struct net *net_new(void)
{
	struct net *n = calloc(1, sizeof(*n));
	struct vs_port_hot *port;
	struct vs_conf *conf;
	unsigned int i;

	assert_non_null(n);
	n->sf = sf_new();
	n->tf = tf_new();
	make_slots(n);
	make_wire(n);
	conf = n->sf->conf;
	port = conf->port;
	free(conf->domain);
	conf->domain = calloc(TF_FIDS, sizeof(*conf->domain));
	assert_non_null(conf->domain);
	conf->n_fids = TF_FIDS;
	conf->nvgre = &n->tf->nv;
	for (i = 0; i < TF_SUBNETS; i++) {
		struct vs_subnet *s = &n->tf->subnet[i];

		s->sw = SF_SWITCH;
		s->tunnel = TUNNEL;
		s->peer = n->peers;
		s->n_peers = 1;
		port[i].fid = s->fid;
		port[i].vid = VS_VID_TENANT;
		n->members[i][0] = (uint16_t)i;
		n->members[i][1] = TUNNEL;
		conf->domain[s->fid] = (struct vs_domain){n->members[i], 2, 2};
	}
	for (i = 0; i < SF_PORTS; i++) {
		port[i].path = VS_PATH_TENANT;
		port[i].max_frame = 9014;
	}
	port[UPLINK].flags |= VS_PORT_MANY;
	port[TUNNEL].flags |= VS_PORT_TUNNEL;
	port[TUNNEL].vid = VS_VID_TENANT;
	return n;
}

static void net_free(struct net *n)
{
	sf_free(n->sf);
	tf_free(n->tf);
	free(n);
}

/* The frame that stands in n->tf is sent by a port. */
static void visit(struct net *n, uint16_t port)
{
	static struct vs_burst burst;
	struct sf *s = n->sf;
	struct vs_pkt *pkt = &n->tf->pkt;

	tf_pkt(n->tf, 0, VS_HDR_BYTES);
	/* Decap wants a packet's extents among those of the burst. */
	burst.ext[0] = n->tf->ext[0];
	pkt->ext = burst.ext;
	pkt->in_port = port;
	s->dev[port].send = pkt;
	s->dev[port].n_send = 1;
	(void)vs_pipeline_visit(s->ctx, &s->conf->port[port], 0, &burst);
	sf_audit(s);
}

/* What a visit added to a port. */
static unsigned int got(struct net *n, unsigned int port)
{
	unsigned int was = n->sf->dev[port].got;

	n->sf->dev[port].got = 0;
	return was;
}

static void assert_only(struct net *n, int port)
{
	int i;

	for (i = 0; i < SF_PORTS; i++)
		assert_int_equal(got(n, (unsigned int)i), i == port);
}

static void test_routed(void **state)
{
	struct net *n = net_new();
	struct sf *s = n->sf;
	const struct rte_ether_addr me = tf_mac(0, 11);
	const struct rte_ether_addr other = tf_mac(1, 11);
	const struct rte_ether_addr router = tf_router_mac(1);
	struct vs_event ev;
	uint16_t old;

	(void)vs_fdb_learn(s->fdb, TF_FID + 1, &other, 1, VS_FDB_STATIC, 0, &old);
	tf_to_router(n->tf, 0, tf_ip4(2, 11), 64, TF_DF, 200);
	visit(n, 0);
	assert_only(n, 1);
	tf_check(s->dev[1].last, s->dev[1].last_len);
	tf_assert_macs(s->dev[1].last, other, router);
	assert_int_equal(s->dev[1].last[22], 63);
	/* The guest is learnt where it is, and the router nowhere. */
	assert_int_equal(sf_events(s, &ev), 1);
	assert_int_equal(ev.type, VS_EVENT_LEARN);
	assert_int_equal(ev.fid, TF_FID);
	assert_memory_equal(&ev.mac, &me, 6);
	memcpy(n->tf->frame + 6, &n->tf->subnet[0].router, 6);
	visit(n, 0);
	assert_only(n, -1);
	assert_int_equal(sf_drops(s, 0, VS_DROP_ROUTER_SPOOF), 1);
	assert_int_equal(sf_events(s, NULL), 0);
	net_free(n);
}

static void test_answered(void **state)
{
	struct net *n = net_new();
	struct sf *s = n->sf;
	struct vs_event ev;

	tf_to_router(n->tf, 0, tf_ip4(3, 11), 64, TF_DF, 200);
	visit(n, 0);
	assert_only(n, 0);
	tf_check(s->dev[0].last, s->dev[0].last_len);
	assert_int_equal(s->dev[0].last[34], 3);
	assert_int_equal(s->stats[0].consumed, 1);
	assert_int_equal(s->ctx->switch_stats[SF_SWITCH].generated, 1);
	/* Who is answered is learnt all the same: the answers that others give have to find it. */
	assert_int_equal(sf_events(s, &ev), 1);
	assert_int_equal(ev.fid, TF_FID);
	net_free(n);
}

/* VSID of an outer frame. */
static uint32_t vsid_of(const uint8_t *outer)
{
	return (uint32_t)outer[38] << 16 | (uint32_t)outer[39] << 8 | outer[40];
}

static void test_tunnel(void **state)
{
	struct net *n = net_new();
	const uint8_t *b = n->sf->dev[UPLINK].last;

	/* Routed, and not. */
	tf_to_router(n->tf, 0, tf_ip4(2, 12), 64, TF_DF, 200);
	visit(n, 0);
	assert_only(n, UPLINK);
	assert_int_equal(vsid_of(b), 5002);
	tf_check(b + OUTER, n->sf->dev[UPLINK].last_len - OUTER);
	tf_assert_macs(b + OUTER, tf_mac(1, 12), tf_router_mac(1));
	tf_to_router(n->tf, 0, tf_ip4(1, 12), 64, TF_DF, 200);
	memcpy(n->tf->frame, &n->tf->record[1].mac, 6);
	visit(n, 0);
	assert_only(n, UPLINK);
	assert_int_equal(vsid_of(b), 5001);
	tf_assert_macs(b + OUTER, tf_mac(0, 12), tf_mac(0, 11));
	/* Nobody's MAC. */
	n->tf->frame[5] ^= 0x80;
	visit(n, 0);
	assert_only(n, -1);
	assert_int_equal(sf_drops(n->sf, 0, VS_DROP_NO_LOOKUP_RECORD), 1);
	/* To everybody: the other host gets a copy. */
	memset(n->tf->frame, 0xff, 6);
	visit(n, 0);
	assert_only(n, UPLINK);
	assert_int_equal(vsid_of(b), 5001);
	net_free(n);
}

/* Frames with the header of the one before: what was said of that holds, as far as it fits. */
static void test_alike(void **state)
{
	/* Bytes of payload; 0: to a local guest; 1: with the same addresses, but said to be ARP */
	static const uint16_t len[] = {200, 200, 1500, 1430, 1431, 200, 0, 0, 200, 1, 200};
	static struct vs_burst burst;
	static struct vs_pkt send[RTE_DIM(len)];
	static uint8_t bytes[RTE_DIM(len)][VS_HDR_BYTES];
	const struct rte_ether_addr local = tf_mac(0, 21);
	struct net *n = net_new();
	struct tf *t = n->tf;
	unsigned int i;
	uint16_t old;

	(void)vs_fdb_learn(n->sf->fdb, TF_FID, &local, 1, VS_FDB_STATIC, 0, &old);
	n->sf->conf->port[1].fid = TF_FID;
	for (i = 0; i < RTE_DIM(len); i++) {
		tf_to_router(t, 0, tf_ip4(1, 12), 64, TF_DF, len[i]);
		memcpy(t->frame, &t->record[len[i] == 0 ? 2 : 1].mac, 6);
		if (len[i] == 1)
			t->frame[13] = 6;
		tf_pkt(t, 0, VS_HDR_BYTES);
		memcpy(bytes[i], t->pkt.hdr, t->pkt.hdr_len);
		send[i] = t->pkt;
		send[i].hdr = bytes[i];
	}
	n->sf->dev[0].send = send;
	n->sf->dev[0].n_send = RTE_DIM(len);
	(void)vs_pipeline_visit(n->sf->ctx, &n->sf->conf->port[0], 0, &burst);
	sf_audit(n->sf);
	/* 1430 and its headers are 1458 bytes. */
	assert_int_equal(got(n, UPLINK), 6);
	assert_int_equal(got(n, 1), 2);
	assert_int_equal(got(n, 0), 2);
	assert_int_equal(sf_drops(n->sf, 0, VS_DROP_ARP_BAD), 1);
	net_free(n);
}

/* The other host asks for the gateway: the answer goes back to it. */
static void test_answer_through_tunnel(void **state)
{
	const uint8_t request[] = {0, 1, 8, 0, 6, 4, 0, 1};
	struct vs_ip asker = tf_ip4(1, 12);
	struct vs_ip gateway = tf_ip4(1, 1);
	struct net *n = net_new();
	struct tf *t = n->tf;
	const uint8_t *b = n->sf->dev[UPLINK].last;
	static uint8_t inner[TF_FRAME];
	uint32_t len;

	tf_ether(t, (struct rte_ether_addr){{255, 255, 255, 255, 255, 255}}, tf_mac(0, 12), 0x0806);
	tf_bytes(t, request, sizeof(request));
	tf_bytes(t, tf_mac(0, 12).addr_bytes, 6);
	tf_bytes(t, asker.b + 12, 4);
	tf_zero(t, 6);
	tf_bytes(t, gateway.b + 12, 4);
	len = t->len;
	memcpy(inner, t->frame, len);
	memmove(t->frame + VS_OUTER_MAX, inner, len);
	assert_ptr_equal(vs_outer_put(&n->remote, 5001, 7, 0, len, 1, t->frame + VS_OUTER_MAX),
			 t->frame + VS_OUTER_MAX - OUTER);
	memmove(t->frame, t->frame + VS_OUTER_MAX - OUTER, OUTER + len);
	t->len = OUTER + len;
	visit(n, UPLINK);
	assert_only(n, UPLINK);
	assert_int_equal(vsid_of(b), 5001);
	tf_assert_macs(b, next_hop, n->pa.mac);
	tf_assert_macs(b + OUTER, tf_mac(0, 12), tf_router_mac(0));
	assert_int_equal(b[OUTER + 21], 2);
	net_free(n);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Some frame of some guest: addresses of all subnets, whole and damaged. */
static void make_random(struct net *n, unsigned int from, uint32_t *seed)
{
	struct tf *t = n->tf;
	unsigned int net = 1 + next_random(seed) % 3;
	unsigned int host = next_random(seed) % 2 ? 11 + next_random(seed) % 2 : 1;
	struct vs_ip dst = next_random(seed) % 2 ? tf_ip4(net, host) : tf_ip6(net, host + 10);
	unsigned int damage = next_random(seed) % 4;
	struct rte_ether_addr mac;

	tf_to_router(t, from, dst, (uint8_t)next_random(seed), 0, next_random(seed) % 64);
	switch (next_random(seed) % 4) {
	case 0:
		mac = tf_mac(next_random(seed) % TF_SUBNETS, 11 + next_random(seed) % 12);
		memcpy(t->frame, &mac, 6);
		break;
	case 1:
		mac = tf_router_mac(next_random(seed) % TF_SUBNETS);
		memcpy(t->frame, &mac, 6);
		break;
	case 2:
		memset(t->frame, 0xff, 6);
		break;
	default:
		break;
	}
	for (; damage > 1; damage--)
		t->frame[next_random(seed) % t->len] ^= (uint8_t)next_random(seed);
}

/* Whatever the guests of one domain send, those of the other get none of it, here or elsewhere. */
static void test_isolation(void **state)
{
	struct net *n = net_new();
	struct sf *s = n->sf;
	uint64_t delivered = 0;
	uint32_t seed = 20231;
	uint32_t vsid;
	unsigned int i;
	unsigned int p;
	uint16_t old;

	print_message("seed %u\n", seed);
	for (p = 0; p < TF_SUBNETS; p++) {
		const struct rte_ether_addr macs[] = {tf_mac(p, 11), tf_mac(p, 21)};

		for (i = 0; i < RTE_DIM(macs); i++)
			(void)vs_fdb_learn(s->fdb, (uint16_t)(TF_FID + p), &macs[i], (uint16_t)p,
					   VS_FDB_STATIC, 0, &old);
	}
	for (i = 0; i < RANDOM; i++) {
		unsigned int from = next_random(&seed) % TF_SUBNETS;
		unsigned int rd = from / 2;

		make_random(n, from, &seed);
		visit(n, (uint16_t)from);
		for (p = 0; p < TF_SUBNETS; p++) {
			unsigned int frames = got(n, p);

			delivered += frames;
			if (frames && p / 2 != rd)
				fail_msg("frame %u of port %u is at port %u", i, from, p);
		}
		if (got(n, UPLINK)) {
			delivered++;
			vsid = vsid_of(s->dev[UPLINK].last);
			assert_true(rd ? vsid == 6001 || vsid == 6002
				       : vsid == 5001 || vsid == 5002);
		}
	}
	/* It was no test of a switch that drops all. */
	assert_true(delivered > RANDOM / 4);
	net_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routed),    cmocka_unit_test(test_answered),
		cmocka_unit_test(test_tunnel),    cmocka_unit_test(test_answer_through_tunnel),
		cmocka_unit_test(test_isolation), cmocka_unit_test(test_alike),
	};

	return cmocka_run_group_tests(tests, tf_setup, NULL);
}
