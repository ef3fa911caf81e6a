/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary frames from an uplink through the stage decap, and the same by a plain reading of the
 * RFCs over the whole frame in one piece (tests/unit/decap_fixture.h). Fate, reason, inner frame
 * and counters must agree.
 *
 * The input: frames, each a head of 5 bytes (kind, private bytes, bytes of a piece, length) and its
 * bytes. Kind: 1 around a tunnel packet of IPv4, else of IPv6, over whose beginning the bytes are
 * laid by exclusive or; 2 the bytes alone; 4 the IPv4 checksum is made right; 8 room to spare.
 */
#include "tests/unit/decap_fixture.h"

#include "nvgre/nvgre.h"
#include "tests/unit/eal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	HEAD = 5,
	FRAMES_MAX = 8,
	INNER = 120,
	L3 = 14,
};

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

static struct df *d;
static uint8_t frames[FRAMES_MAX][DF_FRAME_MAX];
static uint32_t lens[FRAMES_MAX];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	CHECK(eal_up() == 0);
	d = df_new();
	df_record(d, DF_PLAIN, df_mac_a, &d->peer[0], 0);
	df_record(d, DF_STRICT, df_mac_a, &d->peer[2], 0);
	df_record(d, DF_STRICT, df_mac_b, NULL, VS_RECORD_LOCAL);
	df_record(d, DF_LEARN, df_mac_b, &d->peer[1], VS_RECORD_DYNAMIC);
	return 0;
}

/* The frame that @n bytes at @bytes make. Return: its length, of an Ethernet header at least. */
static uint32_t make(uint8_t *frame, uint8_t kind, const uint8_t *bytes, uint32_t n)
{
	static const uint32_t vsids[] = {DF_PLAIN, DF_LEARN, DF_STRICT, DF_OTHER};
	uint8_t inner[INNER];
	uint32_t len = 0;
	uint32_t i;

	memset(frame, 0, DF_FRAME_MAX);
	if (!(kind & 2)) {
		df_inner(inner, INNER);
		len = kind & 1 ? df_outer4(frame, vsids[kind >> 6], inner, INNER)
			       : df_outer6(frame, vsids[kind >> 6], inner, INNER);
	}
	n = RTE_MIN(n, (uint32_t)DF_FRAME_MAX - 1);
	for (i = 0; i < n; i++)
		frame[i] ^= bytes[i];
	if (kind & 4)
		df_mend(frame + L3);
	len = RTE_MAX(len, n);
	if (kind & 8)
		len = RTE_MIN(len + (kind >> 4) * 16u, (uint32_t)DF_FRAME_MAX - 1);
	return RTE_MAX(len, (uint32_t)L3);
}

/* The part of the inner frame that no congestion mark can change: all but two words of IP. */
static void check_inner(const struct vs_pkt *pkt, const uint8_t *want, uint32_t len)
{
	uint8_t got[DF_FRAME_MAX];
	uint32_t i;

	CHECK(df_gather(pkt, got) == len);
	CHECK(pkt->hdr_len == RTE_MIN(len, (uint32_t)VS_HDR_BYTES));
	for (i = 0; i < len; i++) {
		if (i != L3 + 1 && i != L3 + 10 && i != L3 + 11)
			CHECK(got[i] == want[i]);
	}
}

/* Frames for a host may become answers, or be told to control; others of them are dropped. */
static void check_host(const struct vs_pkt *pkt, uint64_t bit)
{
	CHECK(!pkt->drop || pkt->drop == VS_DROP_PA_PROTO);
	CHECK(!(d->burst->inner & bit) && pkt->in_port == DF_UPLINK);
	CHECK(pkt->hdr_len <= VS_HDR_BYTES && pkt->hdr_len <= pkt->len);
}

static void check(unsigned int i)
{
	const struct df_expected e = df_expect(d, frames[i], lens[i]);
	const struct vs_pkt *pkt = &d->burst->pkt[i];
	const uint64_t bit = UINT64_C(1) << i;

	switch (e.fate) {
	case DF_LEFT:
		CHECK(!pkt->drop && !((d->burst->inner | d->burst->placed) & bit));
		break;
	case DF_FOR_HOST:
		check_host(pkt, bit);
		break;
	case DF_DROPPED:
		CHECK(pkt->drop == e.drop && pkt->in_port == DF_UPLINK);
		break;
	case DF_UNPACKED:
		CHECK(!pkt->drop || pkt->drop == VS_DROP_PA_MISMATCH);
		CHECK((d->burst->inner & bit) && pkt->in_port == DF_TUNNEL);
		CHECK(vs_subnet_of_fid(&d->nv, pkt->fid)->vsid == e.vsid);
		check_inner(pkt, frames[i] + e.inner_at, e.inner_len);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int i, n;

	df_begin(d);
	for (n = 0; n < FRAMES_MAX && size >= HEAD; n++) {
		const uint32_t want = (uint32_t)data[3] | (uint32_t)data[4] << 8;
		const uint32_t bytes = RTE_MIN(want, (uint32_t)(size - HEAD));
		/* Tag and EtherType are in the private bytes of every frame that has them. */
		const uint32_t hdr = RTE_MIN(L3 + 4 + data[1] % 128u, (uint32_t)VS_HDR_BYTES);

		lens[n] = make(frames[n], data[0], data + HEAD, bytes);
		/* A piece for each is all that the fixture has room for. */
		df_put(d, frames[n], lens[n], hdr, data[2] < 128 ? 256 + data[2] : DF_FRAME_MAX);
		data += HEAD + bytes;
		size -= HEAD + bytes;
	}
	if (n == 0)
		return 0;
	vs_nvgre_decap(d->ctx, d->burst);
	df_audit(d);
	for (i = 0; i < n; i++)
		check(i);
	while (vs_punt_peek(d->ctx->punt))
		vs_punt_next(d->ctx->punt);
	return 0;
}
