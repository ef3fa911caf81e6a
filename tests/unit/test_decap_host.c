/* SPDX-License-Identifier: BSD-3-Clause */
/* What decap does as a host, and with sources: nvgre/decap.c, nvgre/source.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/decap_fixture.h"

#include "nvgre/nvgre.h"
#include "tests/unit/eal.h"

#include <stdio.h>
#include <string.h>

enum {
	INNER = 200,
	L3 = 14,
};

static int setup(void **state)
{
	return eal_up();
}

static int new_df(void **state)
{
	*state = df_new();
	return 0;
}

static int free_df(void **state)
{
	df_free(*state);
	return 0;
}

/* ---- what a host is asked */

/* ARP from the other host about @target; @op 1 asks, 2 answers. */
static uint32_t make_arp(uint8_t *frame, const uint8_t *dst, uint8_t op, uint8_t target)
{
	const uint8_t head[] = {0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, op};
	const uint8_t from[] = {192, 168, 5, 55};
	const uint8_t to[] = {192, 168, 2, target};

	memset(frame, 0, 60);
	memcpy(frame, dst, 6);
	memcpy(frame + 6, df_mac_host, 6);
	memcpy(frame + 12, head, sizeof(head));
	memcpy(frame + 22, df_mac_host, 6);
	memcpy(frame + 28, from, 4);
	memcpy(frame + 38, to, 4);
	return 60;
}

static void add_tag(uint8_t *frame, uint32_t *len, uint8_t vid)
{
	memmove(frame + 16, frame + 12, *len - 12);
	frame[12] = 0x81;
	frame[13] = 0;
	frame[14] = 0;
	frame[15] = vid;
	*len += 4;
}

static const uint8_t everybody[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void arp_for_a_provider_address_is_answered(void **state)
{
	struct df *d = *state;
	const uint8_t *const dsts[] = {everybody, d->pa[0].mac.addr_bytes};
	uint8_t frame[DF_FRAME_MAX];
	struct vs_pkt *pkt;
	unsigned int i;

	for (i = 0; i < RTE_DIM(dsts); i++) {
		pkt = df_run(d, frame, make_arp(frame, dsts[i], 1, 22));
		assert_int_equal(pkt->drop, VS_DROP_NONE);
		assert_int_equal(d->burst->placed, 1);
		assert_int_equal(pkt->hdr[21], 2);
		assert_memory_equal(pkt->hdr, df_mac_host, 6);
		assert_memory_equal(pkt->hdr + 22, &d->pa[0].mac, 6);
		assert_int_equal(pkt->fid, DF_FID4);
		assert_int_equal(pkt->vid, 0);
		assert_int_equal(pkt->bare_vid, 0);
		assert_int_equal(d->ctx->n_touched, 1);
		assert_int_equal(d->ctx->out[DF_UPLINK].n, 1);
		assert_int_equal(d->ctx->switch_stats[DF_SWITCH].generated, 1);
	}
}

/* An echo request in a VLAN: the answer goes back in it, and has no tag until release. */
static void ping_of_a_provider_address_is_answered(void **state)
{
	uint8_t frame[DF_FRAME_MAX] = {0};
	const uint8_t echo[] = {0x45, 0,  0,   32,  0, 1,  0, 0, 64,   1,    0, 0, 192, 168,
				5,    55, 192, 168, 2, 22, 8, 0, 0xf7, 0xff, 0, 0, 0,   0};
	struct df *d = *state;
	uint32_t len = 60;
	struct vs_pkt *pkt;

	d->pa[0].vid = DF_VLAN;
	memcpy(frame, &d->pa[0].mac, 6);
	memcpy(frame + 6, df_mac_host, 6);
	frame[12] = 0x08;
	memcpy(frame + L3, echo, sizeof(echo));
	df_mend(frame + L3);
	add_tag(frame, &len, DF_VLAN);
	pkt = df_run(d, frame, len);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(d->burst->placed, 1);
	assert_int_equal(pkt->vid, DF_VLAN);
	assert_int_equal(pkt->bare_vid, DF_VLAN);
	assert_int_equal(pkt->hdr[L3 + 20], 0); /* echo reply */
	assert_memory_equal(pkt->hdr, df_mac_host, 6);
	assert_int_equal(d->ctx->out[DF_UPLINK].n, 1);
}

static void broadcasts_for_others_go_on(void **state)
{
	uint8_t frame[DF_FRAME_MAX];
	struct df *d = *state;
	uint32_t len;

	len = make_arp(frame, everybody, 1, 23);
	assert_true(df_leaves(d, frame, len));
	/* Ours, but in another VLAN. */
	len = make_arp(frame, everybody, 1, 22);
	add_tag(frame, &len, DF_VLAN);
	assert_true(df_leaves(d, frame, len));
	/* Cut inside of the ARP packet. */
	for (len = 14; len < 42; len++) {
		make_arp(frame, everybody, 1, 22);
		assert_true(df_leaves(d, frame, len));
	}
	assert_null(vs_punt_peek(d->ctx->punt));
}

static const struct vs_punt *told(struct df *d, enum vs_punt_kind kind)
{
	const struct vs_punt *punt = vs_punt_peek(d->ctx->punt);

	assert_non_null(punt);
	assert_int_equal(punt->kind, kind);
	assert_int_equal(punt->port,
			 kind == VS_PUNT_LEARN || kind == VS_PUNT_DRIFT ? DF_TUNNEL : DF_UPLINK);
	return punt;
}

static void done(struct df *d)
{
	assert_int_equal(d->ctx->events.unrung, 1);
	d->ctx->events.unrung = 0;
	vs_punt_next(d->ctx->punt);
	assert_null(vs_punt_peek(d->ctx->punt));
}

static void neighbours_are_told_to_control(void **state)
{
	uint8_t frame[DF_FRAME_MAX];
	struct df *d = *state;
	const struct vs_punt *punt;
	uint32_t len;

	len = make_arp(frame, d->pa[0].mac.addr_bytes, 2, 22);
	assert_int_equal(df_run(d, frame, len)->drop, VS_DROP_NONE);
	assert_int_equal(d->burst->placed, 1);
	assert_int_equal(d->ctx->n_touched, 0);
	punt = told(d, VS_PUNT_NEIGH);
	assert_int_equal(punt->len, len);
	assert_memory_equal(punt->bytes, frame, len);
	done(d);

	/* One that announces itself to everybody goes on, with its tag. */
	d->pa[0].vid = DF_VLAN;
	len = make_arp(frame, everybody, 2, 22);
	add_tag(frame, &len, DF_VLAN);
	assert_true(df_leaves(d, frame, len));
	punt = told(d, VS_PUNT_NEIGH);
	assert_int_equal(punt->len, 60);
	done(d);
}

/* ---- sources */

static struct vs_pkt *send_from(struct df *d, const uint8_t *mac, uint32_t vsid)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];

	df_inner(inner, INNER);
	memcpy(inner + 6, mac, 6);
	return df_run(d, frame, df_outer4(frame, vsid, inner, INNER));
}

static void a_source_from_elsewhere_is_drift(void **state)
{
	struct df *d = *state;
	const struct vs_punt *punt;
	struct vs_pkt *pkt;

	df_record(d, DF_PLAIN, df_mac_a, &d->peer[1], 0);
	df_record(d, DF_STRICT, df_mac_a, &d->peer[2], 0);
	df_record(d, DF_STRICT, df_mac_b, NULL, VS_RECORD_LOCAL);

	pkt = send_from(d, df_mac_a, DF_PLAIN);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_ptr_equal(d->burst->via[0], &d->peer[0]);
	punt = told(d, VS_PUNT_DRIFT);
	assert_int_equal(punt->vsid, DF_PLAIN);
	assert_memory_equal(&punt->mac, df_mac_a, 6);
	assert_true(vs_ip_equal(&punt->pa, &d->peer[0].ip));
	done(d);

	pkt = send_from(d, df_mac_a, DF_STRICT);
	assert_int_equal(pkt->drop, VS_DROP_PA_MISMATCH);
	assert_int_equal(d->stats[DF_TUNNEL].drops[VS_DROP_PA_MISMATCH], 1);
	told(d, VS_PUNT_DRIFT);
	done(d);
	/* A guest of this host does not stand behind a tunnel. */
	assert_int_equal(send_from(d, df_mac_b, DF_STRICT)->drop, VS_DROP_PA_MISMATCH);
	told(d, VS_PUNT_DRIFT);
	done(d);
	/* Who has no record may be anywhere, and the router is everywhere. */
	assert_int_equal(send_from(d, df_mac_host, DF_STRICT)->drop, VS_DROP_NONE);
	assert_int_equal(send_from(d, df_mac_router, DF_STRICT)->drop, VS_DROP_NONE);
	assert_null(vs_punt_peek(d->ctx->punt));
}

static void a_new_source_is_learnt_where_the_subnet_learns(void **state)
{
	const uint8_t ca[] = {192, 168, 5, 55};
	uint8_t frame[DF_FRAME_MAX], inner[60];
	struct vs_ip want = vs_ip_make4(ca), none = {{0}};
	struct df *d = *state;
	const struct vs_punt *punt;

	send_from(d, df_mac_a, DF_LEARN);
	punt = told(d, VS_PUNT_LEARN);
	assert_int_equal(punt->vsid, DF_LEARN);
	assert_memory_equal(&punt->mac, df_mac_a, 6);
	assert_true(vs_ip_equal(&punt->pa, &d->peer[0].ip));
	assert_true(vs_ip_equal(&punt->ca, &none));
	done(d);

	/* ARP says which customer address it is. */
	make_arp(inner, everybody, 1, 1);
	df_run(d, frame, df_outer4(frame, DF_LEARN, inner, 60));
	punt = told(d, VS_PUNT_LEARN);
	assert_memory_equal(&punt->mac, df_mac_host, 6);
	assert_true(vs_ip_equal(&punt->ca, &want));
	done(d);

	/* A learnt record may move, and is told until it has an address. */
	df_record(d, DF_LEARN, df_mac_a, &d->peer[1], VS_RECORD_DYNAMIC);
	send_from(d, df_mac_a, DF_LEARN);
	told(d, VS_PUNT_LEARN);
	done(d);
	df_record(d, DF_LEARN, df_mac_b, &d->peer[0], VS_RECORD_DYNAMIC);
	send_from(d, df_mac_b, DF_LEARN);
	told(d, VS_PUNT_LEARN);
	done(d);
	d->record[1].ca = want;
	send_from(d, df_mac_b, DF_LEARN);
	/* Nobody has a group's address. */
	send_from(d, everybody, DF_LEARN);
	send_from(d, df_mac_router, DF_LEARN);
	assert_null(vs_punt_peek(d->ctx->punt));
}

/* Frames of one burst from sources in turn: each is held against its own record. */
static void sources_in_turn(void **state)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	unsigned int i;
	uint32_t len;

	df_record(d, DF_STRICT, df_mac_a, &d->peer[0], 0);
	df_record(d, DF_STRICT, df_mac_b, &d->peer[2], 0);
	df_record(d, DF_PLAIN, df_mac_b, &d->peer[0], 0);
	for (i = 0; i < 48; i++) {
		df_inner(inner, INNER);
		memcpy(inner + 6, i % 3 ? df_mac_b : df_mac_a, 6);
		len = df_outer4(frame, i % 3 == 2 ? DF_PLAIN : DF_STRICT, inner, INNER);
		df_put(d, frame, len, VS_HDR_BYTES, 65536);
	}
	vs_nvgre_decap(d->ctx, d->burst);
	df_audit(d);
	for (i = 0; i < 48; i++)
		assert_int_equal(d->burst->pkt[i].drop,
				 i % 3 == 1 ? VS_DROP_PA_MISMATCH : VS_DROP_NONE);
}

/* ---- frames that control made */

static void frames_of_the_tunnel_port_go_to_the_uplink(void **state)
{
	uint8_t frame[DF_FRAME_MAX];
	struct df *d = *state;
	struct vs_pkt *pkt;
	uint32_t len;

	len = make_arp(frame, everybody, 1, 22);
	add_tag(frame, &len, DF_VLAN);
	pkt = df_put(d, frame, len, VS_HDR_BYTES, 65536);
	pkt->in_port = DF_TUNNEL;
	vs_nvgre_decap(d->ctx, d->burst);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(d->burst->placed, 1);
	assert_int_equal(d->ctx->out[DF_UPLINK].n, 1);
	assert_int_equal(d->stats[DF_TUNNEL].consumed, 1);
	assert_int_equal(d->ctx->switch_stats[DF_SWITCH].generated, 1);
	assert_int_equal(pkt->vid, d->conf->port[DF_UPLINK].vid);
	assert_int_equal(pkt->bare_vid, pkt->vid);
	assert_memory_equal(pkt->hdr, frame, len);
}

#define DF_TEST(name) cmocka_unit_test_setup_teardown(name, new_df, free_df)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DF_TEST(arp_for_a_provider_address_is_answered),
		DF_TEST(ping_of_a_provider_address_is_answered),
		DF_TEST(broadcasts_for_others_go_on),
		DF_TEST(neighbours_are_told_to_control),
		DF_TEST(a_source_from_elsewhere_is_drift),
		DF_TEST(a_new_source_is_learnt_where_the_subnet_learns),
		DF_TEST(sources_in_turn),
		DF_TEST(frames_of_the_tunnel_port_go_to_the_uplink),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
