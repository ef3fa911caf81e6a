/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way out through a tunnel: encap behind fixup, frames that control has the tunnel port send,
 * and what workers hand to control.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stages_fixture.h"

#include "dataplane/core/hdr.h"
#include "dataplane/core/punt.h"
#include "nvgre/nvgre.h"
#include "nvgre/outer.h"
#include "offload/offload.h"

#include <rte_tcp.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
	GUEST = 0,
	OTHER = 1,
	UPLINK = 4,
	TUNNEL = 5,
	VSID = 5001,
	PEERS = 100,
	UNDERLAY_FID = SF_FID + 1,
};

static const struct rte_ether_addr next_hop = {{0x02, 0, 0, 0, 0xaa, 0x01}};

/** struct world - a subnet, and hosts that it reaches */
struct world {
	struct sf *s;
	struct vs_nvgre nv;
	struct vs_subnet subnet;
	struct vs_pa pa[2];
	struct vs_peer peer[PEERS];
	const struct vs_peer *list[PEERS];
	uint32_t of_fid[SF_FIDS];
	struct vs_tunnel *tunnel;
};

static uint64_t known(struct rte_ether_addr mac)
{
	uint64_t word = VS_NEXT_HOP_KNOWN;
	unsigned int i;

	for (i = 0; i < RTE_ETHER_ADDR_LEN; i++)
		word |= (uint64_t)mac.addr_bytes[i] << (40 - 8 * i);
	return word;
}

static struct vs_ip remote4(unsigned int host)
{
	const uint8_t b[4] = {192, 168, 5, (uint8_t)host};

	return vs_ip_make4(b);
}

static void make_pas(struct world *w)
{
	static const uint8_t own[4] = {192, 168, 2, 22};

	w->pa[0] = (struct vs_pa){
		.prefix = {.ip = vs_ip_make4(own), .len = 96 + 24},
		.mac = {{0x02, 0, 0, 0, 0xbb, 0}},
		.fid = UNDERLAY_FID,
		.uplink = UPLINK,
	};
	w->pa[1] = w->pa[0];
	w->pa[1].prefix.ip = (struct vs_ip){.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x22}};
	w->pa[1].prefix.len = 64;
}

static void make_tables(struct world *w)
{
	struct vs_nvgre *nv = &w->nv;
	unsigned int i;

	for (i = 0; i < SF_FIDS; i++)
		w->of_fid[i] = UINT32_MAX;
	w->of_fid[SF_FID] = 0;
	w->subnet = (struct vs_subnet){
		.vsid = VSID,
		.fid = SF_FID,
		.sw = SF_SWITCH,
		.tunnel = TUNNEL,
		.peer = w->list,
		.n_peers = 1,
	};
	nv->subnet = &w->subnet;
	nv->n_subnets = 1;
	nv->n_fids = SF_FIDS;
	nv->of_fid = w->of_fid;
	nv->pa = w->pa;
	for (i = 0; i < VS_SWITCHES_MAX; i++)
		nv->tunnel[i] = VS_PORTS_MAX;
	nv->tunnel[SF_SWITCH] = TUNNEL;
	for (i = SF_SWITCH + 1; i <= VS_SWITCHES_MAX; i++)
		nv->first_pa[i] = 2;
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned int i;

	assert_non_null(w);
	w->s = sf_new();
	make_pas(w);
	make_tables(w);
	for (i = 0; i < PEERS; i++) {
		struct vs_ip ip = remote4(1 + i);

		assert_int_equal(vs_outer_build(&w->peer[i], &w->pa[0], &ip, 0), 0);
		w->peer[i].next_hop = known(next_hop);
		w->peer[i].index = i;
		w->list[i] = &w->peer[i];
	}
	for (i = 0; i < SF_PORTS; i++) {
		struct vs_port_hot *hot = &w->s->conf->port[i];

		hot->path = VS_PATH_TENANT;
		hot->vid = i == UPLINK ? 0 : VS_VID_TENANT;
		hot->fid = i == UPLINK ? UNDERLAY_FID : SF_FID;
		hot->max_frame = 9014;
	}
	w->s->conf->port[TUNNEL].flags |= VS_PORT_TUNNEL;
	assert_int_equal(vs_tunnel_new(TUNNEL, &w->tunnel), 0);
	w->s->conf->port[TUNNEL].ops = &vs_tunnel_ops;
	w->s->conf->port[TUNNEL].dev = w->tunnel;
	w->s->conf->nvgre = &w->nv;
	return w;
}

static void world_free(struct world *w)
{
	vs_tunnel_free(w->tunnel);
	sf_free(w->s);
	free(w);
}

/* A tenant's frame in the burst, on its way to the tunnel. */
static struct vs_pkt *tenant(struct world *w, struct rte_ether_addr dst, uint32_t len,
			     const struct vs_peer *via)
{
	struct sf *s = w->s;
	const unsigned int i = s->burst->n;
	struct vs_pkt *pkt = sf_frame(s, GUEST, dst, sf_mac(GUEST), len);

	pkt->vid = pkt->bare_vid = VS_VID_TENANT;
	s->burst->via[i] = via;
	s->stats[GUEST].received++;
	s->stats[GUEST].forwarded++;
	vs_out_add(s->ctx, TUNNEL, (uint8_t)i);
	return pkt;
}

/* The stages from release on, as the pipeline has them. */
static void deliver(struct sf *s)
{
	vs_release(s->ctx, s->burst);
	vs_offload_fixup(s->ctx, s->burst);
	vs_nvgre_encap(s->ctx, s->burst);
	vs_tx(s->ctx, s->burst);
	while (s->ctx->fixup.n || s->ctx->encap.more) {
		if (!s->ctx->encap.more)
			vs_offload_fixup(s->ctx, s->burst);
		vs_nvgre_encap(s->ctx, s->burst);
		vs_tx(s->ctx, s->burst);
	}
	assert_int_equal(s->ctx->out[TUNNEL].n, 0);
	sf_audit(s);
	sf_begin(s);
}

/* What the outer header of a frame says that arrived at the uplink. */
static struct vs_outer outer_of(const uint8_t *frame, uint32_t len)
{
	struct vs_pkt pkt = {
		.hdr = (uint8_t *)(uintptr_t)frame,
		.len = len,
		.hdr_len = (uint16_t)RTE_MIN(len, (uint32_t)VS_HDR_BYTES),
	};
	struct vs_outer o = {0};

	assert_int_equal(vs_outer_take(&pkt, &o), VS_DROP_NONE);
	return o;
}

static void assert_last_for(struct world *w, const struct vs_peer *peer)
{
	const struct sf_dev *up = &w->s->dev[UPLINK];
	const struct vs_outer o = outer_of(up->last, up->last_len);

	assert_true(vs_ip_equal(&o.dst, &peer->ip));
}

static void test_one(void **state)
{
	static const uint8_t head[] = {
		0x02, 0, 0, 0, 0xaa, 0x01, 0x02, 0, 0, 0, 0xbb, 0, 0x08, 0x00, 0x45,
	};
	struct world *w = world_new();
	struct sf_dev *up = &w->s->dev[UPLINK];
	uint8_t payload[1200];
	struct vs_extent ext = {payload, sizeof(payload)};
	struct vs_pkt *pkt = tenant(w, sf_mac(9), 1328, &w->peer[1]);
	struct vs_outer o;

	memset(payload, 0x5c, sizeof(payload));
	pkt->ext = &ext;
	pkt->n_ext = 1;
	deliver(w->s);
	assert_int_equal(up->got, 1);
	assert_int_equal(up->last_len, 1328 + 14 + 20 + 8);
	assert_memory_equal(up->last, head, sizeof(head));
	o = outer_of(up->last, up->last_len);
	assert_int_equal(o.vsid, VSID);
	assert_int_equal(o.inner_at, 42);
	assert_int_equal(o.inner_len, 1328);
	assert_true(vs_ip_equal(&o.src, &w->pa[0].prefix.ip));
	assert_true(vs_ip_equal(&o.dst, &w->peer[1].ip));
	/* What was judged, and what it had borrowed. */
	assert_memory_equal(up->last + 42 + 6, &(struct rte_ether_addr){{2}}, 1);
	assert_memory_equal(up->last + 42 + 128, payload, sizeof(payload));
	assert_int_equal(w->s->stats[TUNNEL].sent, 1);
	assert_int_equal(w->s->stats[TUNNEL].sent_bytes, 1328);
	assert_int_equal(w->s->ctx->switch_stats[SF_SWITCH].encapsulated, 1);
	world_free(w);
}

/* A provider VLAN has its tag in the outer header, and it does not count in the MTU. */
static void test_ip6_and_tag(void **state)
{
	struct world *w = world_new();
	struct sf_dev *up = &w->s->dev[UPLINK];
	struct vs_ip ip = {.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x55}};
	struct vs_outer o;

	assert_int_equal(vs_outer_build(&w->peer[0], &w->pa[1], &ip, 10), 0);
	w->s->conf->port[UPLINK].max_frame = 14 + 40 + 8 + 60;
	(void)tenant(w, sf_mac(9), 60, &w->peer[0]);
	deliver(w->s);
	/* The fixture's uplink has no trunk: it takes a tagged frame for a foreign one. */
	up->wrong = 0;
	assert_int_equal(up->got, 1);
	assert_int_equal(up->last_len, 14 + 4 + 40 + 8 + 60);
	o = outer_of(up->last, up->last_len);
	assert_int_equal(o.inner_at, 66);
	assert_true(vs_ip_equal(&o.dst, &ip));

	(void)tenant(w, sf_mac(9), 61, &w->peer[0]);
	deliver(w->s);
	assert_int_equal(up->got, 1);
	assert_int_equal(sf_drops(w->s, UPLINK, VS_DROP_MTU_OUT), 1);
	world_free(w);
}

/* More copies than one call of tx takes: all of them, in order, each counted. */
static void test_copies(void **state)
{
	struct world *w = world_new();
	struct sf_dev *up = &w->s->dev[UPLINK];
	unsigned int i;

	w->subnet.n_peers = PEERS;
	for (i = 0; i < VS_BURST_MAX; i++)
		(void)tenant(w, sf_broadcast(), 60, NULL);
	deliver(w->s);
	assert_int_equal(up->got, PEERS * VS_BURST_MAX);
	assert_int_equal(up->wrong, 0);
	assert_int_equal(w->s->stats[TUNNEL].sent, PEERS * VS_BURST_MAX);
	assert_int_equal(w->s->ctx->switch_stats[SF_SWITCH].flood_copies,
			 (PEERS - 1) * VS_BURST_MAX);
	/* The last copy is the last peer's. */
	assert_last_for(w, &w->peer[PEERS - 1]);
	world_free(w);
}

/* What many hosts cost is bounded for each visit. */
static void test_copy_budget(void **state)
{
	static uint8_t payload[8872];
	struct world *w = world_new();
	struct vs_extent ext = {payload, sizeof(payload)};
	unsigned int i;

	w->subnet.n_peers = PEERS;
	for (i = 0; i < VS_BURST_MAX; i++) {
		struct vs_pkt *pkt = tenant(w, sf_broadcast(), 9000 - 100, NULL);

		pkt->hdr_len = 28;
		pkt->len = 28 + sizeof(payload);
		pkt->ext = &ext;
		pkt->n_ext = 1;
	}
	deliver(w->s);
	assert_in_range(w->s->dev[UPLINK].got_bytes, VS_FLOOD_FRAME_BYTES,
			2 * VS_FLOOD_FRAME_BYTES);
	assert_in_range(sf_drops(w->s, TUNNEL, VS_DROP_COPY_BUDGET), 1, VS_BURST_MAX - 1);
	world_free(w);
}

static void test_no_peer(void **state)
{
	struct world *w = world_new();

	(void)tenant(w, sf_mac(9), 60, NULL);
	w->subnet.n_peers = 0;
	(void)tenant(w, sf_broadcast(), 60, NULL);
	deliver(w->s);
	assert_int_equal(sf_drops(w->s, TUNNEL, VS_DROP_NO_PEER), 2);
	assert_int_equal(w->s->dev[UPLINK].got, 0);

	/* One that is of no subnet any more. */
	w->of_fid[SF_FID] = UINT32_MAX;
	(void)tenant(w, sf_mac(9), 60, &w->peer[0]);
	deliver(w->s);
	assert_int_equal(sf_drops(w->s, TUNNEL, VS_DROP_NO_PEER), 3);
	world_free(w);
}

static void test_uplink_down(void **state)
{
	struct world *w = world_new();

	w->s->conf->port[UPLINK].flags &= (uint16_t)~VS_PORT_UP;
	(void)tenant(w, sf_mac(9), 60, &w->peer[0]);
	deliver(w->s);
	assert_int_equal(sf_drops(w->s, UPLINK, VS_DROP_PORT_DOWN), 1);
	w->s->conf->port[UPLINK].flags |= VS_PORT_UP;
	w->s->dev[UPLINK].fate[0] = VS_DROP_UPLINK_FULL;
	(void)tenant(w, sf_mac(9), 60, &w->peer[0]);
	deliver(w->s);
	assert_int_equal(sf_drops(w->s, UPLINK, VS_DROP_UPLINK_FULL), 1);
	world_free(w);
}

/* Headers of a TCP segment of @len bytes that is to be cut. */
static void make_tso(struct vs_pkt *pkt, uint32_t len)
{
	uint8_t *ip = pkt->hdr + 14;

	memset(ip, 0, 40);
	ip[0] = 0x45;
	ip[2] = (uint8_t)((len - 14) >> 8);
	ip[3] = (uint8_t)(len - 14);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, "\x0a\x01\x01\x0b\x0a\x01\x01\x0c", 8);
	ip[20 + 12] = 0x50;
	pkt->hdr_len = 54;
	pkt->len = len;
	pkt->debt = (struct vs_debt){
		.csum = VS_CSUM_PARTIAL,
		.gso = VS_GSO_TCP4,
		.gso_size = 1000,
		.hdrs = 54,
		.l3 = 14,
		.csum_start = 34,
		.csum_offset = 16,
	};
}

/* A packet is cut once, inside, and each segment gets an outer header. */
static void test_segments(void **state)
{
	static uint8_t payload[60000];
	struct world *w = world_new();
	struct sf_dev *up = &w->s->dev[UPLINK];
	struct vs_extent ext = {payload, sizeof(payload)};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct vs_pkt *pkt = tenant(w, sf_mac(9), 54, &w->peer[i]);

		make_tso(pkt, 54 + sizeof(payload));
		pkt->ext = &ext;
		pkt->n_ext = 1;
		w->s->burst->owing |= UINT64_C(1) << i;
	}
	deliver(w->s);
	assert_int_equal(up->got, 3 * 60);
	assert_int_equal(up->wrong, 0);
	assert_int_equal(up->last_len, 42 + 54 + 1000);
	assert_int_equal(w->s->stats[TUNNEL].sent, 180);
	assert_int_equal(w->s->ctx->switch_stats[SF_SWITCH].encapsulated, 180);
	assert_last_for(w, &w->peer[2]);
	w->s->burst->owing = 0;
	world_free(w);
}

static void test_unresolved(void **state)
{
	struct world *w = world_new();
	const struct vs_punt *slot;

	/* Nobody to tell. */
	w->peer[3].next_hop = 0;
	(void)tenant(w, sf_mac(9), 60, &w->peer[3]);
	deliver(w->s);
	assert_int_equal(sf_drops(w->s, TUNNEL, VS_DROP_PA_UNRESOLVED), 1);

	assert_int_equal(vs_punt_new(&w->s->ctx->punt), 0);
	(void)tenant(w, sf_mac(9), 60, &w->peer[3]);
	deliver(w->s);
	assert_int_equal(w->s->ctx->events.unrung, 1);
	slot = vs_punt_peek(w->s->ctx->punt);
	assert_non_null(slot);
	assert_int_equal(slot->kind, VS_PUNT_UNRESOLVED);
	assert_int_equal(slot->index, 3);
	assert_int_equal(slot->len, 42 + 60);
	assert_int_equal(outer_of(slot->bytes, slot->len).vsid, VSID);
	vs_punt_next(w->s->ctx->punt);
	assert_null(vs_punt_peek(w->s->ctx->punt));
	assert_int_equal(w->s->stats[TUNNEL].sent, 1);
	assert_int_equal(w->s->ctx->switch_stats[SF_SWITCH].encapsulated, 0);

	w->peer[3].next_hop = VS_NEXT_HOP_FULL;
	(void)tenant(w, sf_mac(9), 60, &w->peer[3]);
	w->peer[4].next_hop = VS_NEXT_HOP_FAILED;
	(void)tenant(w, sf_mac(9), 60, &w->peer[4]);
	deliver(w->s);
	assert_int_equal(sf_drops(w->s, TUNNEL, VS_DROP_PA_UNRESOLVED), 3);
	assert_null(vs_punt_peek(w->s->ctx->punt));
	assert_int_equal(w->s->dev[UPLINK].got, 0);
	vs_punt_free(w->s->ctx->punt);
	world_free(w);
}

/* ---- the ring to control */

static void test_punt(void **state)
{
	struct vs_punt_ring *ring;
	struct vs_punt *slot;
	uint64_t now = rte_rdtsc();
	unsigned int i;

	assert_null(vs_punt_begin(NULL, VS_PUNT_LEARN, now));
	assert_null(vs_punt_peek(NULL));
	assert_int_equal(vs_punt_new(&ring), 0);
	for (i = 0; i < VS_PUNT_SLOTS; i++) {
		slot = vs_punt_begin(ring, VS_PUNT_LEARN, now);
		assert_non_null(slot);
		slot->vsid = i;
		/* Not there until it is complete. */
		assert_true(i > 0 || !vs_punt_peek(ring));
		vs_punt_end(ring);
	}
	assert_null(vs_punt_begin(ring, VS_PUNT_LEARN, now));
	assert_int_equal(vs_punt_lost(ring, VS_PUNT_LEARN), 1);
	assert_int_equal(vs_punt_lost(ring, VS_PUNT_NEIGH), 0);
	for (i = 0; i < VS_PUNT_SLOTS; i++) {
		assert_int_equal(vs_punt_peek(ring)->vsid, i);
		vs_punt_next(ring);
	}
	assert_null(vs_punt_peek(ring));

	/* Ten a second, and not one more, however much room there is. */
	for (i = 0; i < 11; i++) {
		slot = vs_punt_begin(ring, VS_PUNT_DRIFT, now);
		assert_true(i < 10 ? slot != NULL : slot == NULL);
		if (slot)
			vs_punt_end(ring);
	}
	now += 2 * rte_get_tsc_hz();
	assert_non_null(vs_punt_begin(ring, VS_PUNT_DRIFT, now));
	vs_punt_free(ring);
}

static void test_punt_frame(void **state)
{
	static uint8_t payload[VS_PUNT_BYTES];
	struct vs_extent ext[2] = {{payload, 100}, {payload, VS_PUNT_BYTES - 114}};
	uint8_t hdr[14] = {1, 2, 3};
	struct vs_pkt pkt = {.hdr = hdr,
			     .hdr_len = 14,
			     .ext = ext,
			     .n_ext = 2,
			     .len = VS_PUNT_BYTES};
	struct vs_punt *slot = calloc(1, sizeof(*slot));

	payload[99] = 7;
	assert_true(vs_punt_put_frame(slot, &pkt));
	assert_int_equal(slot->len, VS_PUNT_BYTES);
	assert_int_equal(slot->bytes[2], 3);
	assert_int_equal(slot->bytes[113], 7);
	pkt.len++;
	ext[1].len++;
	assert_false(vs_punt_put_frame(slot, &pkt));
	free(slot);
}

/* ---- the port */

static bool has_rung(const struct vs_tunnel *tunnel)
{
	struct vs_bell bell = vs_tunnel_ops.bell((void *)(uintptr_t)tunnel, 0);
	struct pollfd p = {.fd = bell.fd, .events = POLLIN};

	assert_int_equal(bell.kind, VS_BELL_STROKE);
	return poll(&p, 1, 0) == 1;
}

/* What control has it send leaves by the uplink as it is. */
static void test_inject(void **state)
{
	static struct vs_burst burst;
	static uint8_t frame[VS_PUNT_BYTES + 1];
	struct world *w = world_new();
	struct sf *s = w->s;
	struct vs_watch watch = vs_tunnel_ops.watch(w->tunnel, 0);
	unsigned int i;

	memset(frame, 0xff, 6);
	memcpy(frame + 6, &w->pa[0].mac, 6);
	frame[12] = 0x08;
	frame[13] = 0x06;
	frame[1500 - 1] = 0x77;
	assert_int_equal(vs_tunnel_inject(w->tunnel, frame, 13), -EMSGSIZE);
	assert_int_equal(vs_tunnel_inject(w->tunnel, frame, VS_PUNT_BYTES + 1), -EMSGSIZE);
	assert_false(has_rung(w->tunnel));
	assert_int_equal(*watch.word, watch.seen);
	for (i = 0; i < VS_TUNNEL_SLOTS; i++)
		assert_int_equal(vs_tunnel_inject(w->tunnel, frame, i ? 42 : 1500), 0);
	assert_int_equal(vs_tunnel_inject(w->tunnel, frame, 42), -ENOBUFS);
	assert_true(has_rung(w->tunnel));
	assert_int_not_equal(*watch.word, watch.seen);

	assert_int_equal(vs_pipeline_visit(s->ctx, &s->conf->port[TUNNEL], 0, &burst),
			 VS_TUNNEL_SLOTS);
	assert_int_equal(s->dev[UPLINK].got, VS_TUNNEL_SLOTS);
	assert_int_equal(s->dev[UPLINK].got_bytes, 1500 + 63 * 42);
	assert_memory_equal(s->dev[UPLINK].last, frame, 42);
	assert_int_equal(s->dev[UPLINK].wrong, 0);
	assert_int_equal(s->stats[TUNNEL].consumed, VS_TUNNEL_SLOTS);
	sf_audit(s);
	watch = vs_tunnel_ops.watch(w->tunnel, 0);
	assert_int_equal(*watch.word, watch.seen);
	assert_int_equal(vs_pipeline_visit(s->ctx, &s->conf->port[TUNNEL], 0, &burst), 0);
	assert_int_equal(vs_tunnel_inject(w->tunnel, frame, 42), 0);
	assert_int_equal(vs_pipeline_visit(s->ctx, &s->conf->port[TUNNEL], 0, &burst), 1);
	world_free(w);
}

/* A frame that gets to its tx was sent there by somebody who is no tenant. */
static void test_not_packed(void **state)
{
	struct world *w = world_new();
	struct vs_pkt pkt = {.len = 60};
	struct vs_pkt *list[2] = {&pkt, &pkt};
	uint8_t fate[2] = {0};

	vs_tunnel_ops.tx(w->tunnel, 0, list, 2, fate);
	assert_int_equal(fate[0], VS_DROP_NO_PEER);
	assert_int_equal(fate[1], VS_DROP_NO_PEER);
	assert_false(vs_tunnel_ops.fault_pending(w->tunnel));
	assert_int_equal(vs_tunnel_ops.rights(w->tunnel), 0);
	vs_tunnel_set_rights(w->tunnel, VS_OFFLOAD_MERGE);
	assert_int_equal(vs_tunnel_ops.rights(w->tunnel), VS_OFFLOAD_MERGE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),      cmocka_unit_test(test_ip6_and_tag),
		cmocka_unit_test(test_copies),   cmocka_unit_test(test_copy_budget),
		cmocka_unit_test(test_no_peer),  cmocka_unit_test(test_uplink_down),
		cmocka_unit_test(test_segments), cmocka_unit_test(test_unresolved),
		cmocka_unit_test(test_punt),     cmocka_unit_test(test_punt_frame),
		cmocka_unit_test(test_inject),   cmocka_unit_test(test_not_packed),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
