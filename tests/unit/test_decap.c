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

	df_inner(inner, INNER);
	df_record(d, DF_PLAIN, df_mac_a, &d->peer[0], 0);
	d->burst->sorted = 1;
	pkt = df_run(d, frame, df_outer4(frame, DF_PLAIN, inner, INNER));
	check_inner(d, pkt, inner, INNER, DF_FID_SUBNET);
	assert_ptr_equal(d->burst->via[0], &d->peer[0]);
	assert_int_equal(d->burst->sorted, 0);

	/* In a VLAN, over IPv6; the host is known, and its guest's address is not. */
	pkt = df_run(d, frame, df_outer6(frame, DF_STRICT, inner, INNER));
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
		df_inner(inner, INNER);
		n = df_outer4(frame, DF_PLAIN, inner, len);
		check_inner(d, df_run(d, frame, n + 20), inner, len, DF_FID_SUBNET);
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

	df_inner(inner, INNER);
	for (kind = 0; kind < 2 * RTE_DIM(hdrs); kind++) {
		len = kind % 2 ? df_outer4(frame, DF_PLAIN, inner, INNER)
			       : df_outer6(frame, DF_PLAIN, inner, INNER);
		for (n = kind % 2 ? 14 : 18; n < len;) {
			df_begin(d);
			for (i = 0; i < 32 && n < len; i++, n++)
				df_put(d, frame, n, hdrs[kind / 2], 100);
			vs_nvgre_decap(d->ctx, d->burst);
			df_audit(d);
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

	df_inner(inner, INNER);
	for (i = 0; i < RTE_DIM(changes); i++) {
		len = df_outer4(frame, DF_PLAIN, inner, INNER);
		memcpy(frame + changes[i].at, changes[i].bytes, 4);
		df_mend(frame + L3);
		assert_int_equal(df_run(d, frame, len)->drop, changes[i].want);
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

	df_inner(inner, INNER);
	len = df_outer4(frame, DF_PLAIN, inner, INNER);
	frame[L3 + 1] = 3;
	df_mend(frame + L3);
	pkt = df_run(d, frame, len);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(pkt->hdr[L3 + 1], 3);

	inner[L3 + 1] = 0;
	df_mend(inner + L3);
	len = df_outer4(frame, DF_PLAIN, inner, INNER);
	frame[L3 + 1] = 3;
	df_mend(frame + L3);
	assert_int_equal(df_run(d, frame, len)->drop, VS_DROP_NVGRE_ECN);
}

static void what_owes_something_is_refused(void **state)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	struct vs_pkt *pkt;

	df_inner(inner, INNER);
	pkt = df_put(d, frame, df_outer4(frame, DF_PLAIN, inner, INNER), VS_HDR_BYTES, 65536);
	pkt->debt.csum = VS_CSUM_PARTIAL;
	vs_nvgre_decap(d->ctx, d->burst);
	assert_int_equal(pkt->drop, VS_DROP_OFFLOAD_DENIED);
}

/* ---- what is left alone */

static void frames_for_others_are_left_alone(void **state)
{
	uint8_t frame[DF_FRAME_MAX] = {0}, inner[DF_MAX_FRAME];
	struct df *d = *state;
	uint32_t len;

	df_inner(inner, INNER);
	len = df_outer4(frame, DF_PLAIN, inner, INNER);
	frame[5]++; /* another MAC */
	assert_true(df_leaves(d, frame, len));

	/* Its MAC in another VLAN, one that the uplink is not on, and behind a service tag. */
	len = df_outer6(frame, DF_PLAIN, inner, INNER);
	frame[15] = 0;
	assert_true(df_leaves(d, frame, len));
	frame[15] = 8;
	assert_true(df_leaves(d, frame, len));
	frame[15] = DF_VLAN;
	frame[12] = 0x88;
	frame[13] = 0xa8;
	assert_true(df_leaves(d, frame, len));
	/* Cut inside of the tag. */
	df_outer6(frame, DF_PLAIN, inner, INNER);
	assert_true(df_leaves(d, frame, 17));
}

static void what_admit_refuses_is_left_to_it(void **state)
{
	uint8_t frame[DF_FRAME_MAX] = {0}, inner[DF_MAX_FRAME];
	struct df *d = *state;
	uint32_t len;

	df_inner(inner, DF_MAX_FRAME - DF_V4);
	len = df_outer4(frame, DF_PLAIN, inner, DF_MAX_FRAME - DF_V4);
	assert_int_equal(df_run(d, frame, len)->in_port, DF_TUNNEL);
	assert_true(df_leaves(d, frame, len + 1));
	frame[6] |= 1;
	assert_true(df_leaves(d, frame, len));
	frame[6] ^= 1;
	d->conf->port[DF_UPLINK].flags &= (uint16_t)~VS_PORT_ADMIN_UP;
	assert_true(df_leaves(d, frame, len));
}

/* The frames of a guest go through the stage, too. */
static void guests_have_nothing_to_do_with_it(void **state)
{
	uint8_t frame[DF_FRAME_MAX], inner[INNER];
	struct df *d = *state;
	struct vs_pkt *pkt;

	df_inner(inner, INNER);
	pkt = df_put(d, frame, df_outer4(frame, DF_PLAIN, inner, INNER), VS_HDR_BYTES, 65536);
	pkt->in_port = DF_GUEST;
	vs_nvgre_decap(d->ctx, d->burst);
	assert_int_equal(pkt->in_port, DF_GUEST);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(d->burst->inner | d->burst->placed, 0);
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
	df_inner(inner, INNER);
	for (i = 0; i < FLIPS;) {
		unsigned int k;

		df_begin(d);
		for (k = 0; k < 32; k++, i++)
			flip_and_put(d, &f, inner);
		vs_nvgre_decap(d->ctx, d->burst);
		df_audit(d);
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
		DF_TEST(every_flipped_bit_has_its_counter),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
