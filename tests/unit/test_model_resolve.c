/* SPDX-License-Identifier: BSD-3-Clause */
/* The model between workers and the resolver: what is handed over, what goes out, what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/model_fixture.h"

#include "control/model_resolve.h"
#include "control/port_kind.h"
#include "dataplane/core/punt.h"
#include "nvgre/nvgre.h"

#include <rte_hash.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	UPLINK = 40,
	TUNNEL = 41,
	VSID = 5001,
};

static const struct rte_ether_addr our_mac = {{0x02, 0, 0, 0, 0, 0x01}};
static const struct rte_ether_addr their_mac = {{0x02, 0, 0, 0, 0, 0x0a}};
static const struct rte_ether_addr vm_mac = {{0x02, 0, 0, 0, 0, 0x55}};
static const struct vs_kind_ops tunnel_kind = {.ops = &vs_tunnel_ops};

/** struct world - a model whose snapshot has a provider address and a peer, put in by hand */
struct world {
	struct mf *f;
	struct vs_switch *sw;
	struct vs_nvgre nv;
	struct vs_pa pa;
	struct vs_subnet subnet;
	struct vs_vsid_slot slot[2];
	struct vs_peer peer;
	struct vs_record record;
	struct vs_port tunnel;
	struct vs_port uplink;
	struct rte_hash *by_mac;
};

static struct world w;
static struct vs_burst burst;

static struct vs_ip ip_of(uint8_t last)
{
	const uint8_t bytes[4] = {192, 168, 2, last};

	return vs_ip_make4(bytes);
}

static void make_tables(void)
{
	const struct rte_hash_parameters params = {
		.name = "resolve",
		.entries = 8,
		.key_len = sizeof(struct vs_record_mac_key),
	};
	struct vs_record_mac_key key = {.vsid = VSID, .mac = vm_mac};
	unsigned int sw;

	w.pa = (struct vs_pa){
		.prefix = {.ip = ip_of(22), .len = 120},
		.mac = our_mac,
		.uplink = UPLINK,
	};
	w.subnet = (struct vs_subnet){.vsid = VSID, .sw = w.sw->index, .tunnel = TUNNEL};
	w.peer = (struct vs_peer){
		.ip = ip_of(55),
		.local = ip_of(22),
		.is4 = true,
		.l3 = 14,
		.outer_len = 42,
		.uplink = UPLINK,
		.index = 7,
	};
	w.record = (struct vs_record){.vsid = VSID, .mac = vm_mac, .peer = &w.peer};
	w.by_mac = rte_hash_create(&params);
	assert_non_null(w.by_mac);
	assert_int_equal(rte_hash_add_key_data(w.by_mac, &key, &w.record), 0);
	w.slot[VSID * UINT32_C(0x9e3779b1) >> 7 & 1] = (struct vs_vsid_slot){.vsid = VSID};
	w.nv = (struct vs_nvgre){
		.by_mac = w.by_mac,
		.subnet = &w.subnet,
		.n_subnets = 1,
		.mask = 1,
		.slot = w.slot,
		.pa = &w.pa,
	};
	for (sw = 0; sw <= VS_SWITCHES_MAX; sw++)
		w.nv.first_pa[sw] = sw > w.sw->index;
	for (sw = 0; sw < VS_SWITCHES_MAX; sw++)
		w.nv.tunnel[sw] = VS_PORTS_MAX;
	w.nv.tunnel[w.sw->index] = TUNNEL;
}

static void make_ports(void)
{
	struct vs_tunnel *tunnel = NULL;

	assert_int_equal(vs_tunnel_new(TUNNEL, &tunnel), 0);
	w.tunnel = (struct vs_port){
		.name = "ext.nvgre",
		.m = w.f->m,
		.sw = w.sw,
		.kind = &tunnel_kind,
		.dev = tunnel,
		.id = TUNNEL,
	};
	w.uplink = (struct vs_port){
		.name = "ext.uplink",
		.m = w.f->m,
		.sw = w.sw,
		.kind = &tunnel_kind,
		.id = UPLINK,
		.mtu = 1500,
	};
}

/* The workers have it. */
static void publish(void)
{
	w.f->m->port[TUNNEL] = &w.tunnel;
	w.f->m->port[UPLINK] = &w.uplink;
	w.f->m->conf->nvgre = &w.nv;
	model_resolve_prepare(w.f->m, w.f->m->conf);
	model_resolve_follow(w.f->m);
}

static int setup(void **state)
{
	if (mf_setup(state))
		return -1;
	memset(&w, 0, sizeof(w));
	w.f = *state;
	mf_switch(w.f, "ext");
	mf_forget(w.f);
	w.sw = model_find_switch(w.f->m, "ext");
	make_tables();
	make_ports();
	return 0;
}

static int teardown(void **state)
{
	w.f->m->port[TUNNEL] = NULL;
	w.f->m->port[UPLINK] = NULL;
	w.f->m->conf->nvgre = NULL;
	vs_tunnel_free(w.tunnel.dev);
	rte_hash_free(w.by_mac);
	return mf_teardown(state);
}

static struct vs_punt_ring *ring(void)
{
	return vs_worker_ctx(w.f->worker)->punt;
}

/* As the worker: hand @bytes over. */
static void punt(enum vs_punt_kind kind, uint32_t index, const void *bytes, uint16_t len)
{
	struct vs_punt *slot = vs_punt_begin(ring(), kind, rte_rdtsc());

	assert_non_null(slot);
	slot->port = UPLINK;
	slot->index = index;
	slot->len = len;
	slot->vsid = VSID;
	slot->mac = vm_mac;
	slot->pa = ip_of(66);
	memcpy(slot->bytes, bytes, len);
	vs_punt_end(ring());
	vs_worker_ctx(w.f->worker)->events.unrung = 1;
	mf_turn(w.f);
}

/* As the worker: frames that wait in the tunnel port. The first is burst.pkt[0]. */
static unsigned int sent(void)
{
	memset(&burst, 0, sizeof(burst));
	vs_tunnel_ops.rx(w.tunnel.dev, 0, 1, &burst);
	vs_tunnel_ops.rx_done(w.tunnel.dev, 0);
	return burst.n;
}

static void test_nothing_without_tenants(void **state)
{
	struct vs_fail fail;

	model_resolve_prepare(w.f->m, w.f->m->conf);
	model_resolve_follow(w.f->m);
	model_resolve_drain(w.f->m);
	assert_null(ring());
	assert_null(w.f->m->resolve);
	model_resolve_del(w.f->m, 3);
	assert_int_equal(vs_peer_each(w.f->m, NULL, NULL, NULL, &fail), 0);
	mf_refused(w.f, vs_peer_each(w.f->m, "none", NULL, NULL, &w.f->fail), -ENOENT,
		   VS_ATTR_SWITCH, "there is no switch");
}

static int see(const struct vs_peer_row *row, void *ctx)
{
	assert_string_equal(row->sw, "ext");
	*(struct vs_peer_view *)ctx = *row->view;
	return 0;
}

static void test_resolved(void **state)
{
	const struct vs_neigh_self them = {.mac = their_mac, .ip = ip_of(55)};
	const struct vs_ip us = ip_of(22);
	uint8_t held[80] = {[12] = 0x08};
	uint8_t reply[VS_NEIGH_FRAME];
	struct vs_peer_view view;
	uint32_t len;

	publish();
	assert_int_equal(model_resolve_add(w.f->m, w.sw->index, &w.peer), 0);
	assert_int_equal(w.peer.mtu, 1500);
	memcpy(held + 30, w.peer.ip.b + 12, 4);
	punt(VS_PUNT_UNRESOLVED, w.peer.index, held, sizeof(held));
	assert_int_equal(sent(), 1);
	assert_int_equal(burst.pkt[0].hdr[12], 0x08);
	assert_int_equal(burst.pkt[0].hdr[13], 0x06);
	len = vs_neigh_ask(reply, &them, &us, &our_mac);
	reply[21] = 2;
	punt(VS_PUNT_NEIGH, 0, reply, (uint16_t)len);
	assert_int_equal(sent(), 1);
	assert_int_equal(burst.pkt[0].len, sizeof(held));
	assert_memory_equal(burst.pkt[0].hdr, &their_mac, 6);
	assert_true(w.peer.next_hop & VS_NEXT_HOP_KNOWN);
	assert_int_equal(vs_peer_each(w.f->m, "ext", see, &view, &w.f->fail), 0);
	assert_int_equal(view.state, VS_HOP_REACHABLE);
	assert_int_equal(view.sent, 1);
	/* Somebody claims our own address. */
	len = vs_neigh_announce(reply, &(struct vs_neigh_self){.mac = their_mac, .ip = us});
	punt(VS_PUNT_NEIGH, 0, reply, (uint16_t)len);
	mf_next(w.f, VS_NOTICE_PA_CLASH, "ext", "");
	model_resolve_del(w.f->m, w.peer.index);
	assert_int_equal(vs_peer_each(w.f->m, NULL, see, &view, &w.f->fail), 0);
}

static void test_stale_record(void **state)
{
	const struct mf_notice *n;

	publish();
	punt(VS_PUNT_DRIFT, 0, "", 0);
	n = mf_next(w.f, VS_NOTICE_RECORD_STALE, "ext", "");
	assert_string_equal(n->text, "vsid 5001: record stale: VM moved from PA 192.168.2.55 to "
				     "192.168.2.66");
	assert_true(rte_is_same_ether_addr(&n->mac, &vm_mac));
	punt(VS_PUNT_DRIFT, 0, "", 0);
	mf_no_more(w.f);
}

/* What makes no sense changes nothing: ports that are gone, peers that never were, noise. */
static void test_nonsense(void **state)
{
	uint8_t noise[200];
	unsigned int kind;
	unsigned int i;

	publish();
	assert_int_equal(sent(), 0);
	for (i = 0; i < 40; i++) {
		memset(noise, (int)i * 7, sizeof(noise));
		for (kind = 0; kind < VS_PUNT_DRIFT; kind++)
			punt(kind, i * 1000, noise, (uint16_t)(i * 5));
	}
	w.f->m->port[UPLINK] = NULL;
	punt(VS_PUNT_NEIGH, 0, noise, sizeof(noise));
	assert_int_equal(sent(), 0);
	mf_no_more(w.f);
}

static void test_no_memory(void **state)
{
	int n;

	for (n = 0; n < 4; n++) {
		mf_alloc_fails = n;
		model_resolve_free(w.f->m);
		if (model_resolve_add(w.f->m, w.sw->index, &w.peer) == 0)
			break;
		assert_int_equal(model_resolve_add(w.f->m, w.sw->index, &w.peer), 0);
		model_resolve_del(w.f->m, w.peer.index);
	}
	assert_true(n > 1);
	mf_alloc_fails = -1;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_without_tenants),
		TEST(test_resolved),
		TEST(test_stale_record),
		TEST(test_nonsense),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
