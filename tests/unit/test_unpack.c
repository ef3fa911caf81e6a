/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnel packets that become inner frames where they lie: nvgre/unpack.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvgre/unpack.h"

#include <rte_common.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OUTER = 42,
	ETH = 14,
	INNER_MAX = 1514,
	ROOM = VS_HDR_ROOM,
	PIECES_MAX = 40,
	E_NOT = 0,
	E_1 = 1,
	E_0 = 2,
	E_CE = 3,
};

static struct vs_burst burst;
static uint8_t inner[INNER_MAX];

/* How a frame lies: @hdr private bytes, the rest in pieces of @piece bytes. */
struct layout {
	const char *name;
	uint16_t hdr;
	uint32_t piece;
	bool in_place; /* in one buffer, as a card leaves it; else the header is in its slot */
};

static const struct layout layouts[] = {
	{"in place", VS_HDR_BYTES, 65536, true},
	{"in a slot", VS_HDR_BYTES, 65536, false},
	{"in a slot, pieces of 50", VS_HDR_BYTES, 50, false},
	{"in place, pieces of 50", VS_HDR_BYTES, 50, true},
	{"private bytes are few", 20, 65536, true},
	{"few in a slot", 20, 33, false},
	{"single bytes", 100, 40, false},
};

static uint8_t *memory[1 + PIECES_MAX + 16];
static unsigned int n_memory;

static uint8_t *keep(uint32_t n)
{
	assert_true(n_memory < RTE_DIM(memory));
	memory[n_memory] = test_malloc(n ? n : 1);
	return memory[n_memory++];
}

static void forget(void)
{
	while (n_memory)
		test_free(memory[--n_memory]);
}

/* A frame of @len bytes as packet @i, each piece in memory of just its size. */
static struct vs_pkt *put(unsigned int i, const uint8_t *frame, uint32_t len,
			  const struct layout *how)
{
	const uint16_t hdr = (uint16_t)RTE_MIN(len, (uint32_t)how->hdr);
	struct vs_pkt *pkt = &burst.pkt[i];
	uint8_t *whole = keep(ROOM + len);
	uint32_t at;

	memcpy(whole + ROOM, frame, len);
	*pkt = (struct vs_pkt){
		.hdr = how->in_place ? whole + ROOM : burst.hdr[i].bytes,
		.hdr_len = hdr,
		.len = len,
		.ext = &burst.ext[burst.n_ext],
		.debt.csum = VS_CSUM_GOOD,
	};
	memset(&burst.hdr[i], 0xdd, sizeof(burst.hdr[i]));
	memcpy(pkt->hdr, frame, hdr);
	for (at = hdr; at < len; at += how->piece) {
		const uint32_t n = RTE_MIN(how->piece, len - at);
		struct vs_extent *ext = &burst.ext[burst.n_ext++];

		*ext = (struct vs_extent){whole + ROOM + at, n};
		if (!how->in_place) {
			uint8_t *copy = keep(n);

			memcpy(copy, frame + at, n);
			ext->data = copy;
		}
		pkt->n_ext++;
	}
	return pkt;
}

static void check(const struct vs_pkt *pkt, const uint8_t *want, uint32_t len)
{
	uint32_t at = pkt->hdr_len;
	unsigned int i;

	assert_int_equal(pkt->len, len);
	assert_int_equal(pkt->hdr_len, RTE_MIN(len, (uint32_t)VS_HDR_BYTES));
	assert_memory_equal(pkt->hdr, want, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		assert_true(pkt->ext[i].len > 0);
		assert_true(at + pkt->ext[i].len <= len);
		assert_memory_equal(pkt->ext[i].data, want + at, pkt->ext[i].len);
		at += pkt->ext[i].len;
	}
	assert_int_equal(at, len);
	/* There is room for another outer header, and it is nobody else's. */
	memset(pkt->hdr - VS_OUTER_MAX, 0x5a, VS_OUTER_MAX);
	assert_memory_equal(pkt->hdr, want, pkt->hdr_len);
}

static void start(void)
{
	unsigned int i;

	memset(&burst, 0, sizeof(burst));
	for (i = 0; i < sizeof(inner); i++)
		inner[i] = (uint8_t)(i * 7 + 1);
}

/* Each length, with padding behind it, however it lies; the packets on both sides stay. */
static void frames_of_all_lengths_in_all_layouts(void **state)
{
	static const uint32_t lens[] = {14,  15,  60,  85,  86,  87,   127,
					128, 129, 170, 171, 213, 1513, INNER_MAX};
	static const uint32_t pads[] = {0, 1, 4, 18, 50};
	uint8_t frame[OUTER + INNER_MAX + 50];
	unsigned int l, n, p;

	start();
	for (l = 0; l < RTE_DIM(layouts); l++) {
		for (n = 0; n < RTE_DIM(lens) * RTE_DIM(pads); n++) {
			const uint32_t len = lens[n % RTE_DIM(lens)];
			const uint32_t pad = pads[n / RTE_DIM(lens)];
			const struct vs_outer outer = {.inner_at = OUTER, .inner_len = len};
			struct vs_pkt *pkt, *after;

			memset(frame, 0xee, sizeof(frame));
			memcpy(frame + OUTER, inner, len);
			burst.n_ext = 0;
			p = l;
			pkt = put(p, frame, OUTER + len + pad, &layouts[l]);
			after = put(p + 1, inner, 300, &layouts[0]);
			vs_unpack_fill(&burst, p);
			assert_true(pkt->hdr_len >= RTE_MIN(pkt->len, (uint32_t)VS_HDR_BYTES));
			assert_int_equal(vs_unpack(&burst, p, &outer), VS_DROP_NONE);
			check(pkt, inner, len);
			assert_int_equal(pkt->debt.csum, VS_CSUM_UNKNOWN);
			assert_int_equal(after->len, 300);
			check(after, inner, 300);
			forget();
		}
	}
}

/* Filling alone changes nothing but the border. */
static void fill_leaves_the_frame_as_it_was(void **state)
{
	unsigned int l;
	uint32_t len;

	start();
	for (l = 0; l < RTE_DIM(layouts); l++) {
		for (len = ETH; len < 400; len += 7) {
			struct vs_pkt *pkt;

			burst.n_ext = 0;
			pkt = put(0, inner, len, &layouts[l]);
			vs_unpack_fill(&burst, 0);
			check(pkt, inner, len);
			forget();
		}
	}
}

/* Where the buffer goes on, nothing is copied. */
static void in_place_means_in_place(void **state)
{
	const struct vs_outer outer = {.inner_at = OUTER, .inner_len = 1000};
	uint8_t frame[OUTER + 1000];
	const uint8_t *hdr;
	struct vs_pkt *pkt;

	start();
	memcpy(frame + OUTER, inner, 1000);
	pkt = put(0, frame, sizeof(frame), &layouts[0]);
	hdr = pkt->hdr;
	assert_int_equal(vs_unpack(&burst, 0, &outer), VS_DROP_NONE);
	assert_ptr_equal(pkt->hdr, hdr + OUTER);
	assert_ptr_equal(pkt->ext[0].data, hdr + OUTER + VS_HDR_BYTES);
	forget();
}

/* ---- RFC 6040 */

struct marks {
	int inner;
	int outer;
	int want; /* -1: dropped */
};

/* Figure 4, each cell. */
static const struct marks marks[] = {
	{E_NOT, E_NOT, E_NOT}, {E_NOT, E_0, E_NOT}, {E_NOT, E_1, E_NOT}, {E_NOT, E_CE, -1},
	{E_0, E_NOT, E_0},     {E_0, E_0, E_0},     {E_0, E_1, E_1},     {E_0, E_CE, E_CE},
	{E_1, E_NOT, E_1},     {E_1, E_0, E_1},     {E_1, E_1, E_1},     {E_1, E_CE, E_CE},
	{E_CE, E_NOT, E_CE},   {E_CE, E_0, E_CE},   {E_CE, E_1, E_CE},   {E_CE, E_CE, E_CE},
};

static uint32_t sum_of(const uint8_t *ip)
{
	uint32_t sum = 0;
	int i;

	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void make_inner4(uint8_t *frame, int ecn, unsigned int id)
{
	const uint8_t ip[20] = {0x45,
				(uint8_t)(0xb8 | ecn),
				0,
				46,
				(uint8_t)(id >> 8),
				(uint8_t)id,
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
	uint32_t sum;

	memset(frame, 0, 60);
	frame[12] = 0x08;
	memcpy(frame + ETH, ip, sizeof(ip));
	sum = ~sum_of(ip);
	frame[ETH + 10] = (uint8_t)(sum >> 8);
	frame[ETH + 11] = (uint8_t)sum;
}

static void make_inner6(uint8_t *frame, int ecn)
{
	memset(frame, 0, 60);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[ETH] = 0x6b;
	frame[ETH + 1] = (uint8_t)(0x8f | ecn << 4);
}

/* Unpack 60 bytes at @frame with outer mark @outer. */
static enum vs_drop unpack(uint8_t *frame, int outer, struct vs_pkt **ret_pkt)
{
	const struct vs_outer o = {.inner_at = OUTER,
				   .inner_len = 60,
				   .tos = (uint8_t)(0x54 | outer)};
	uint8_t whole[OUTER + 60] = {0};

	memcpy(whole + OUTER, frame, 60);
	burst.n_ext = 0;
	*ret_pkt = put(0, whole, sizeof(whole), &layouts[0]);
	return vs_unpack(&burst, 0, &o);
}

static void marks_of_ipv4(void **state)
{
	unsigned int i, id;

	start();
	for (i = 0; i < RTE_DIM(marks); i++) {
		for (id = 0; id < 65536; id += 251) {
			struct vs_pkt *pkt;
			uint8_t frame[60];
			enum vs_drop drop;

			make_inner4(frame, marks[i].inner, id);
			drop = unpack(frame, marks[i].outer, &pkt);
			if (marks[i].want < 0) {
				assert_int_equal(drop, VS_DROP_NVGRE_ECN);
				assert_int_equal(pkt->len, OUTER + 60);
				assert_memory_equal(pkt->hdr + OUTER, frame, 60);
			} else {
				assert_int_equal(drop, VS_DROP_NONE);
				assert_int_equal(pkt->hdr[ETH + 1], 0xb8 | marks[i].want);
				assert_int_equal(sum_of(pkt->hdr + ETH), 0xffff);
				/* Nothing else has changed, but for the sum. */
				frame[ETH + 1] = pkt->hdr[ETH + 1];
				memcpy(frame + ETH + 10, pkt->hdr + ETH + 10, 2);
				assert_memory_equal(pkt->hdr, frame, 60);
			}
			forget();
		}
	}
}

static void marks_of_ipv6(void **state)
{
	unsigned int i;

	start();
	for (i = 0; i < RTE_DIM(marks); i++) {
		struct vs_pkt *pkt;
		uint8_t frame[60];
		enum vs_drop drop;

		make_inner6(frame, marks[i].inner);
		drop = unpack(frame, marks[i].outer, &pkt);
		if (marks[i].want < 0) {
			assert_int_equal(drop, VS_DROP_NVGRE_ECN);
		} else {
			assert_int_equal(drop, VS_DROP_NONE);
			frame[ETH + 1] = (uint8_t)(0x8f | marks[i].want << 4);
			assert_memory_equal(pkt->hdr, frame, 60);
		}
		forget();
	}
}

/* ARP, IP of another version than its type says, IP without all of its header: as they are. */
static void marks_find_no_ip(void **state)
{
	static const uint8_t types[][3] = {{0x08, 0x06, 0x45},
					   {0x08, 0x00, 0x65},
					   {0x86, 0xdd, 0x45}};
	struct vs_outer o = {.inner_at = OUTER, .tos = E_CE};
	uint8_t whole[OUTER + 60] = {0};
	unsigned int i;

	start();
	for (i = 0; i < RTE_DIM(types); i++) {
		struct vs_pkt *pkt;
		uint8_t frame[60];

		make_inner4(frame, E_0, 1);
		memcpy(frame + 12, types[i], 3);
		assert_int_equal(unpack(frame, E_CE, &pkt), VS_DROP_NONE);
		assert_memory_equal(pkt->hdr, frame, 60);
		forget();
	}
	/* Padding behind the inner frame is not its header. */
	make_inner4(whole + OUTER, E_NOT, 1);
	for (o.inner_len = ETH; o.inner_len < ETH + 20; o.inner_len++) {
		burst.n_ext = 0;
		put(0, whole, sizeof(whole), &layouts[0]);
		assert_int_equal(vs_unpack(&burst, 0, &o), VS_DROP_NONE);
		forget();
	}
	burst.n_ext = 0;
	put(0, whole, sizeof(whole), &layouts[0]);
	assert_int_equal(vs_unpack(&burst, 0, &o), VS_DROP_NVGRE_ECN);
	forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_all_lengths_in_all_layouts),
		cmocka_unit_test(fill_leaves_the_frame_as_it_was),
		cmocka_unit_test(in_place_means_in_place),
		cmocka_unit_test(marks_of_ipv4),
		cmocka_unit_test(marks_of_ipv6),
		cmocka_unit_test(marks_find_no_ip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
