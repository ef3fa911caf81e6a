/* SPDX-License-Identifier: BSD-3-Clause */
/* The stage decap, alone: nvgre/decap.c, nvgre/source.c. */
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
	/* Frames with a flipped bit. */
	FLIPS = 200000,
	L3 = 14,
};

static const uint8_t mac_a[] = {0x00, 0x15, 0x5d, 0x01, 0x32, 0x11};
static const uint8_t mac_b[] = {0x00, 0x15, 0x5d, 0x01, 0x32, 0x12};
static const uint8_t mac_router[] = {0x02, 0, 0, 0xaa, 0, 1};
static const uint8_t mac_host[] = {0x02, 0, 0, 0, 0x05, 0x55};

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

/* From a to b, IPv4 with ECT(0). */
static void make_inner(uint8_t *inner, uint32_t len)
{
	const uint8_t ip[] = {0x08,
			      0x00,
			      0x45,
			      0x02,
			      (uint8_t)((len - 14) >> 8),
			      (uint8_t)(len - 14),
			      0,
			      1,
			      0,
			      0,
			      64,
			      17,
			      0,
			      0,
			      10,
			      1,
			      1,
			      11,
			      10,
			      1,
			      1,
			      12};
	uint32_t i;

	for (i = 0; i < len; i++)
		inner[i] = (uint8_t)(i * 3);
	memcpy(inner, mac_b, 6);
	memcpy(inner + 6, mac_a, 6);
	memcpy(inner + 12, ip, sizeof(ip));
	df_mend(inner + 14);
}

/* The sums of the uplink and of the tunnel port, and that the frames are what the counts say. */
static void audit(const struct df *d)
{
	const struct vs_port_stats *up = &d->stats[DF_UPLINK], *in = &d->stats[DF_TUNNEL];
	const unsigned int inner = (unsigned int)__builtin_popcountll(d->burst->inner);
	uint64_t left = 0;
	unsigned int i;

	for (i = 0; i < d->burst->n; i++) {
		const uint64_t bit = UINT64_C(1) << i;

		left += !d->burst->pkt[i].drop && !(d->burst->inner & bit) &&
			!(d->burst->placed & bit);
	}
	assert_int_equal(up->received, up->consumed + vs_stats_drops(up, VS_DROP_SIDE_IN) + left);
	assert_int_equal(in->received, inner);
	assert_int_equal(up->consumed, inner + __builtin_popcountll(d->burst->placed));
}

static struct vs_pkt *run_one(struct df *d, const uint8_t *frame, uint32_t len)
{
	struct vs_pkt *pkt;

	df_begin(d);
	pkt = df_put(d, frame, len, VS_HDR_BYTES, 65536);
	vs_nvgre_decap(d->ctx, d->burst);
	audit(d);
	return pkt;
}

/* ---- tunnel packets */

static void check_inner(const struct df *d, const struct vs_pkt *pkt, const uint8_t *inner,
			uint32_t len, unsigned int fid)
{
	uint8_t got[DF_FRAME_MAX];

	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(pkt->in_port, DF_TUNNEL);
	assert_int_equal(pkt->fid, fid);
	assert_int_equal(pkt->vid, VS_VID_TENANT);
	assert_int_equal(pkt->bare_vid, VS_VID_TENANT);
	assert_int_equal(pkt->pcp, 0);
	assert_int_equal(pkt->debt.csum, VS_CSUM_UNKNOWN);
	assert_int_equal(df_gather(pkt, got), len);
	assert_memory_equal(got, inner, len);
	assert_int_equal(d->burst->inner, 1);
	assert_int_equal(d->burst->placed, 0);
	assert_int_equal(d->stats[DF_UPLINK].consumed, 1);
	assert_int_equal(d->stats[DF_TUNNEL].received, 1);
	assert_int_equal(d->stats[DF_TUNNEL].received_bytes, len);
}

static void a_tunnel_packet_becomes_its_inner_frame(void **state)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	struct vs_pkt *pkt;

	make_inner(inner, INNER);
	df_record(d, DF_PLAIN, mac_a, &d->peer[0], 0);
	d->burst->sorted = 1;
	pkt = run_one(d, frame, df_outer4(frame, DF_PLAIN, inner, INNER));
	check_inner(d, pkt, inner, INNER, DF_FID_SUBNET);
	assert_ptr_equal(d->burst->via[0], &d->peer[0]);
	assert_int_equal(d->burst->sorted, 0);

	/* In a VLAN, over IPv6; the host is known, and its guest's address is not. */
	pkt = run_one(d, frame, df_outer6(frame, DF_STRICT, inner, INNER));
	check_inner(d, pkt, inner, INNER, DF_FID_SUBNET + 2);
	assert_ptr_equal(d->burst->via[0], &d->peer[1]);
	assert_null(vs_punt_peek(d->ctx->punt));
}

/* Short frames are filled up to 60 bytes on the way; what IP does not count is gone. */
static void padding_is_no_part_of_the_inner_frame(void **state)
{
	uint8_t frame[DF_FRAME_MAX] = {0}, inner[INNER];
	struct df *d = *state;
	uint32_t len, n;

	for (len = 14; len < 60; len++) {
		make_inner(inner, INNER);
		n = df_outer4(frame, DF_PLAIN, inner, len);
		check_inner(d, run_one(d, frame, n + 20), inner, len, DF_FID_SUBNET);
	}
}

/* Each cut, in three layouts: too short, and nothing but. */
static void cut_anywhere_it_is_too_short(void **state)
{
	static const uint32_t hdrs[] = {VS_HDR_BYTES, 60, 20};
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	unsigned int kind, i;
	uint32_t n, len;

	make_inner(inner, INNER);
	for (kind = 0; kind < 2 * RTE_DIM(hdrs); kind++) {
		len = kind % 2 ? df_outer4(frame, DF_PLAIN, inner, INNER)
			       : df_outer6(frame, DF_PLAIN, inner, INNER);
		for (n = kind % 2 ? 14 : 18; n < len;) {
			df_begin(d);
			for (i = 0; i < 32 && n < len; i++, n++)
				df_put(d, frame, n, hdrs[kind / 2], 100);
			vs_nvgre_decap(d->ctx, d->burst);
			audit(d);
			assert_int_equal(d->stats[DF_UPLINK].drops[VS_DROP_NVGRE_SHORT],
					 d->burst->n);
		}
	}
}

/* struct change - a frame made wrong somewhere, and what it is dropped for */
struct change {
	uint8_t at;
	uint8_t bytes[4];
	enum vs_drop want;
};

static void wrong_frames_have_their_reasons(void **state)
{
	static const struct change changes[] = {
		{L3 + 12, {192, 168, 2, 22}, VS_DROP_NVGRE_LOCAL}, /* from ourselves */
		{L3 + 16, {192, 168, 2, 23}, VS_DROP_PA_ADDRESS},
		{L3 + 16, {192, 168, 5, 55}, VS_DROP_PA_ADDRESS}, /* of the other switch */
		{L3 + 24, {0, 16, 0, 0}, VS_DROP_NVGRE_UNKNOWN_VSID},
		{L3 + 24, {0, 0x1f, 0x41, 0}, VS_DROP_NVGRE_UNKNOWN_VSID}, /* 8001: the other's */
		{L3 + 24, {0, 0x0f, 0xff, 0}, VS_DROP_NVGRE_VSID},
		{L3 + 20, {0xa0, 0, 0x65, 0x58}, VS_DROP_NVGRE_FLAGS},
		{L3 + 20, {0x20, 0, 0x08, 0x00}, VS_DROP_NVGRE_PROTO},
		{L3 + 4, {0, 1, 0x20, 0}, VS_DROP_NVGRE_FRAGMENT},
		{L3 + 8, {64, 17, 0, 0}, VS_DROP_PA_PROTO},
		{L3 + 8, {64, 6, 0, 0}, VS_DROP_PA_PROTO},
		{L3 + 8, {64, 1, 0, 0}, VS_DROP_PA_PROTO}, /* ICMP that is none */
		{L3 + 40, {0x81, 0, 0, 7}, VS_DROP_NVGRE_TAGGED},
		{12, {0x88, 0xcc, 0, 0}, VS_DROP_PA_PROTO},
	};
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	unsigned int i;
	uint32_t len;

	make_inner(inner, INNER);
	for (i = 0; i < RTE_DIM(changes); i++) {
		len = df_outer4(frame, DF_PLAIN, inner, INNER);
		memcpy(frame + changes[i].at, changes[i].bytes, 4);
		df_mend(frame + L3);
		assert_int_equal(run_one(d, frame, len)->drop, changes[i].want);
		assert_int_equal(d->stats[DF_UPLINK].drops[changes[i].want], 1);
		assert_int_equal(df_drops(d), 1);
	}
}

static void congestion_that_cannot_be_told_is_a_loss(void **state)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	struct vs_pkt *pkt;
	uint32_t len;

	make_inner(inner, INNER);
	len = df_outer4(frame, DF_PLAIN, inner, INNER);
	frame[L3 + 1] = 3;
	df_mend(frame + L3);
	pkt = run_one(d, frame, len);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(pkt->hdr[L3 + 1], 3);

	inner[L3 + 1] = 0;
	df_mend(inner + L3);
	len = df_outer4(frame, DF_PLAIN, inner, INNER);
	frame[L3 + 1] = 3;
	df_mend(frame + L3);
	assert_int_equal(run_one(d, frame, len)->drop, VS_DROP_NVGRE_ECN);
}

static void what_owes_something_is_refused(void **state)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	struct vs_pkt *pkt;

	make_inner(inner, INNER);
	pkt = df_put(d, frame, df_outer4(frame, DF_PLAIN, inner, INNER), VS_HDR_BYTES, 65536);
	pkt->debt.csum = VS_CSUM_PARTIAL;
	vs_nvgre_decap(d->ctx, d->burst);
	assert_int_equal(pkt->drop, VS_DROP_OFFLOAD_DENIED);
}

/* ---- what is left alone */

static void leaves_alone(struct df *d, const uint8_t *frame, uint32_t len)
{
	const struct vs_pkt *pkt = run_one(d, frame, len);
	uint8_t got[DF_FRAME_MAX];

	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(pkt->in_port, DF_UPLINK);
	assert_int_equal(d->burst->inner | d->burst->placed, 0);
	assert_int_equal(d->ctx->n_touched, 0);
	assert_int_equal(df_gather(pkt, got), len);
	assert_memory_equal(got, frame, len);
	assert_int_equal(pkt->debt.csum, VS_CSUM_GOOD);
}

static void frames_for_others_are_left_alone(void **state)
{
	uint8_t frame[DF_FRAME_MAX] = {0}, inner[DF_MAX_FRAME];
	struct df *d = *state;
	uint32_t len;

	make_inner(inner, INNER);
	len = df_outer4(frame, DF_PLAIN, inner, INNER);
	frame[5]++; /* another MAC */
	leaves_alone(d, frame, len);

	/* Its MAC in another VLAN, one that the uplink is not on, and behind a service tag. */
	len = df_outer6(frame, DF_PLAIN, inner, INNER);
	frame[15] = 0;
	leaves_alone(d, frame, len);
	frame[15] = 8;
	leaves_alone(d, frame, len);
	frame[15] = DF_VLAN;
	frame[12] = 0x88;
	frame[13] = 0xa8;
	leaves_alone(d, frame, len);
	/* Cut inside of the tag. */
	df_outer6(frame, DF_PLAIN, inner, INNER);
	leaves_alone(d, frame, 17);
}

static void what_admit_refuses_is_left_to_it(void **state)
{
	uint8_t frame[DF_FRAME_MAX] = {0}, inner[DF_MAX_FRAME];
	struct df *d = *state;
	uint32_t len;

	make_inner(inner, DF_MAX_FRAME - DF_V4);
	len = df_outer4(frame, DF_PLAIN, inner, DF_MAX_FRAME - DF_V4);
	assert_int_equal(run_one(d, frame, len)->in_port, DF_TUNNEL);
	leaves_alone(d, frame, len + 1);
	frame[6] |= 1;
	leaves_alone(d, frame, len);
	frame[6] ^= 1;
	d->conf->port[DF_UPLINK].flags &= (uint16_t)~VS_PORT_ADMIN_UP;
	leaves_alone(d, frame, len);
}

/* The frames of a guest go through the stage, too. */
static void guests_have_nothing_to_do_with_it(void **state)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	struct vs_pkt *pkt;

	make_inner(inner, INNER);
	pkt = df_put(d, frame, df_outer4(frame, DF_PLAIN, inner, INNER), VS_HDR_BYTES, 65536);
	pkt->in_port = DF_GUEST;
	vs_nvgre_decap(d->ctx, d->burst);
	assert_int_equal(pkt->in_port, DF_GUEST);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(d->burst->inner | d->burst->placed, 0);
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
	memcpy(frame + 6, mac_host, 6);
	memcpy(frame + 12, head, sizeof(head));
	memcpy(frame + 22, mac_host, 6);
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
		pkt = run_one(d, frame, make_arp(frame, dsts[i], 1, 22));
		assert_int_equal(pkt->drop, VS_DROP_NONE);
		assert_int_equal(d->burst->placed, 1);
		assert_int_equal(pkt->hdr[21], 2);
		assert_memory_equal(pkt->hdr, mac_host, 6);
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
	memcpy(frame + 6, mac_host, 6);
	frame[12] = 0x08;
	memcpy(frame + L3, echo, sizeof(echo));
	df_mend(frame + L3);
	add_tag(frame, &len, DF_VLAN);
	pkt = run_one(d, frame, len);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(d->burst->placed, 1);
	assert_int_equal(pkt->vid, DF_VLAN);
	assert_int_equal(pkt->bare_vid, DF_VLAN);
	assert_int_equal(pkt->hdr[L3 + 20], 0); /* echo reply */
	assert_memory_equal(pkt->hdr, mac_host, 6);
	assert_int_equal(d->ctx->out[DF_UPLINK].n, 1);
}

static void broadcasts_for_others_go_on(void **state)
{
	uint8_t frame[DF_FRAME_MAX];
	struct df *d = *state;
	uint32_t len;

	len = make_arp(frame, everybody, 1, 23);
	leaves_alone(d, frame, len);
	/* Ours, but in another VLAN. */
	len = make_arp(frame, everybody, 1, 22);
	add_tag(frame, &len, DF_VLAN);
	leaves_alone(d, frame, len);
	/* Cut inside of the ARP packet. */
	for (len = 14; len < 42; len++) {
		make_arp(frame, everybody, 1, 22);
		leaves_alone(d, frame, len);
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
	assert_int_equal(run_one(d, frame, len)->drop, VS_DROP_NONE);
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
	leaves_alone(d, frame, len);
	punt = told(d, VS_PUNT_NEIGH);
	assert_int_equal(punt->len, 60);
	done(d);
}

/* ---- sources */

static struct vs_pkt *send_from(struct df *d, const uint8_t *mac, uint32_t vsid)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];

	make_inner(inner, INNER);
	memcpy(inner + 6, mac, 6);
	return run_one(d, frame, df_outer4(frame, vsid, inner, INNER));
}

static void a_source_from_elsewhere_is_drift(void **state)
{
	struct df *d = *state;
	const struct vs_punt *punt;
	struct vs_pkt *pkt;

	df_record(d, DF_PLAIN, mac_a, &d->peer[1], 0);
	df_record(d, DF_STRICT, mac_a, &d->peer[2], 0);
	df_record(d, DF_STRICT, mac_b, NULL, VS_RECORD_LOCAL);

	pkt = send_from(d, mac_a, DF_PLAIN);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_ptr_equal(d->burst->via[0], &d->peer[0]);
	punt = told(d, VS_PUNT_DRIFT);
	assert_int_equal(punt->vsid, DF_PLAIN);
	assert_memory_equal(&punt->mac, mac_a, 6);
	assert_true(vs_ip_equal(&punt->pa, &d->peer[0].ip));
	done(d);

	pkt = send_from(d, mac_a, DF_STRICT);
	assert_int_equal(pkt->drop, VS_DROP_PA_MISMATCH);
	assert_int_equal(d->stats[DF_TUNNEL].drops[VS_DROP_PA_MISMATCH], 1);
	told(d, VS_PUNT_DRIFT);
	done(d);
	/* A guest of this host does not stand behind a tunnel. */
	assert_int_equal(send_from(d, mac_b, DF_STRICT)->drop, VS_DROP_PA_MISMATCH);
	told(d, VS_PUNT_DRIFT);
	done(d);
	/* Who has no record may be anywhere, and the router is everywhere. */
	assert_int_equal(send_from(d, mac_host, DF_STRICT)->drop, VS_DROP_NONE);
	assert_int_equal(send_from(d, mac_router, DF_STRICT)->drop, VS_DROP_NONE);
	assert_null(vs_punt_peek(d->ctx->punt));
}

static void a_new_source_is_learnt_where_the_subnet_learns(void **state)
{
	const uint8_t ca[] = {192, 168, 5, 55};
	uint8_t frame[DF_FRAME_MAX], inner[60];
	struct vs_ip want = vs_ip_make4(ca), none = {{0}};
	struct df *d = *state;
	const struct vs_punt *punt;

	send_from(d, mac_a, DF_LEARN);
	punt = told(d, VS_PUNT_LEARN);
	assert_int_equal(punt->vsid, DF_LEARN);
	assert_memory_equal(&punt->mac, mac_a, 6);
	assert_true(vs_ip_equal(&punt->pa, &d->peer[0].ip));
	assert_true(vs_ip_equal(&punt->ca, &none));
	done(d);

	/* ARP says which customer address it is. */
	make_arp(inner, everybody, 1, 1);
	run_one(d, frame, df_outer4(frame, DF_LEARN, inner, 60));
	punt = told(d, VS_PUNT_LEARN);
	assert_memory_equal(&punt->mac, mac_host, 6);
	assert_true(vs_ip_equal(&punt->ca, &want));
	done(d);

	/* A learnt record may move, and is told until it has an address. */
	df_record(d, DF_LEARN, mac_a, &d->peer[1], VS_RECORD_DYNAMIC);
	send_from(d, mac_a, DF_LEARN);
	told(d, VS_PUNT_LEARN);
	done(d);
	df_record(d, DF_LEARN, mac_b, &d->peer[0], VS_RECORD_DYNAMIC);
	send_from(d, mac_b, DF_LEARN);
	told(d, VS_PUNT_LEARN);
	done(d);
	d->record[1].ca = want;
	send_from(d, mac_b, DF_LEARN);
	/* Nobody has a group's address. */
	send_from(d, everybody, DF_LEARN);
	send_from(d, mac_router, DF_LEARN);
	assert_null(vs_punt_peek(d->ctx->punt));
}

/* Frames of one burst from sources in turn: each is held against its own record. */
static void sources_in_turn(void **state)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	unsigned int i;
	uint32_t len;

	df_record(d, DF_STRICT, mac_a, &d->peer[0], 0);
	df_record(d, DF_STRICT, mac_b, &d->peer[2], 0);
	df_record(d, DF_PLAIN, mac_b, &d->peer[0], 0);
	for (i = 0; i < 48; i++) {
		make_inner(inner, INNER);
		memcpy(inner + 6, i % 3 ? mac_b : mac_a, 6);
		len = df_outer4(frame, i % 3 == 2 ? DF_PLAIN : DF_STRICT, inner, INNER);
		df_put(d, frame, len, VS_HDR_BYTES, 65536);
	}
	vs_nvgre_decap(d->ctx, d->burst);
	audit(d);
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

/* ---- all of it, against a plain reference */

static uint64_t random_state = 1;

/* xorshift64* (Vigna, 2016): the same numbers in every run. */
static uint32_t random32(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

struct flips {
	uint8_t frame[VS_BURST_MAX][DF_FRAME_MAX];
	uint32_t len[VS_BURST_MAX];
	uint64_t want[VS_DROP_COUNT];
	uint64_t got[VS_DROP_COUNT];
	uint64_t fates[DF_UNPACKED + 1];
};

static void flip_and_put(struct df *d, struct flips *f, const uint8_t *inner)
{
	const unsigned int i = d->burst->n;
	const uint32_t kind = random32();
	uint8_t *frame = f->frame[i];
	uint32_t n, bits;

	n = kind & 1 ? df_outer4(frame, DF_PLAIN, inner, INNER)
		     : df_outer6(frame, DF_STRICT, inner, INNER);
	bits = (kind >> 1 & 1 ? 8 * 100 : 8 * 60);
	bits = random32() % bits;
	frame[bits / 8] ^= (uint8_t)(1u << bits % 8);
	/* What a router that mends the sum would let pass. */
	if ((kind & 4) && (kind & 1))
		df_mend(frame + L3);
	f->len[i] = n;
	df_put(d, frame, n, kind & 8 ? VS_HDR_BYTES : 18 + kind % 111, 1 + (kind >> 8) % 100 + 60);
}

static void compare(struct df *d, struct flips *f, unsigned int i)
{
	const struct df_expected e = df_expect(d, f->frame[i], f->len[i]);
	const struct vs_pkt *pkt = &d->burst->pkt[i];
	uint8_t got[DF_FRAME_MAX];

	f->fates[e.fate]++;
	switch (e.fate) {
	case DF_DROPPED:
		f->want[e.drop]++;
		assert_int_equal(pkt->drop, e.drop);
		break;
	case DF_UNPACKED:
		assert_int_equal(pkt->drop, VS_DROP_NONE);
		assert_int_equal(pkt->in_port, DF_TUNNEL);
		assert_int_equal(df_gather(pkt, got), e.inner_len);
		if (e.ecn == 0)
			assert_memory_equal(got, f->frame[i] + e.inner_at, e.inner_len);
		break;
	case DF_LEFT:
		assert_int_equal(pkt->drop, VS_DROP_NONE);
		assert_int_equal(df_gather(pkt, got), f->len[i]);
		assert_memory_equal(got, f->frame[i], f->len[i]);
		break;
	case DF_FOR_HOST:
		if (pkt->drop)
			f->want[pkt->drop]++;
		assert_true(pkt->drop == VS_DROP_NONE || pkt->drop == VS_DROP_PA_PROTO);
		break;
	}
}

static void every_flipped_bit_has_its_counter(void **state)
{
	static struct flips f;
	uint8_t inner[INNER];
	struct df *d = *state;
	unsigned int i, r;

	memset(&f, 0, sizeof(f));
	make_inner(inner, INNER);
	for (i = 0; i < FLIPS;) {
		unsigned int k;

		df_begin(d);
		for (k = 0; k < 32; k++, i++)
			flip_and_put(d, &f, inner);
		vs_nvgre_decap(d->ctx, d->burst);
		audit(d);
		for (k = 0; k < d->burst->n; k++)
			compare(d, &f, k);
		for (r = 1; r < VS_DROP_COUNT; r++)
			f.got[r] += d->stats[DF_UPLINK].drops[r] + d->stats[DF_TUNNEL].drops[r];
	}
	for (r = 1; r < VS_DROP_COUNT; r++) {
		if (f.got[r] != f.want[r])
			fail_msg("%s: %llu, not %llu", vs_drop_name((enum vs_drop)r),
				 (unsigned long long)f.got[r], (unsigned long long)f.want[r]);
	}
	/* The test reaches what it is about. */
	for (i = 0; i < RTE_DIM(f.fates); i++) {
		if (f.fates[i] < FLIPS / 5000)
			fail_msg("fate %u: %llu", i, (unsigned long long)f.fates[i]);
	}
}

#define DF_TEST(name) cmocka_unit_test_setup_teardown(name, new_df, free_df)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DF_TEST(a_tunnel_packet_becomes_its_inner_frame),
		DF_TEST(padding_is_no_part_of_the_inner_frame),
		DF_TEST(cut_anywhere_it_is_too_short),
		DF_TEST(wrong_frames_have_their_reasons),
		DF_TEST(congestion_that_cannot_be_told_is_a_loss),
		DF_TEST(what_owes_something_is_refused),
		DF_TEST(frames_for_others_are_left_alone),
		DF_TEST(what_admit_refuses_is_left_to_it),
		DF_TEST(guests_have_nothing_to_do_with_it),
		DF_TEST(arp_for_a_provider_address_is_answered),
		DF_TEST(ping_of_a_provider_address_is_answered),
		DF_TEST(broadcasts_for_others_go_on),
		DF_TEST(neighbours_are_told_to_control),
		DF_TEST(a_source_from_elsewhere_is_drift),
		DF_TEST(a_new_source_is_learnt_where_the_subnet_learns),
		DF_TEST(sources_in_turn),
		DF_TEST(frames_of_the_tunnel_port_go_to_the_uplink),
		DF_TEST(every_flipped_bit_has_its_counter),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
