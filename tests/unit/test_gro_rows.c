/* SPDX-License-Identifier: BSD-3-Clause */
/* Receive merging: limits, and rows made by chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/gro_fixture.h"

#include "offload/segment.h"

#include <rte_common.h>

#include <stdlib.h>

enum {
	ROWS = 20000,
};

/* IP never gets longer than its length field can say. */
static void fill(struct bench *b, bool v6, bool tag, unsigned int mss)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		(void)bench_put_tcp(b, (struct model_tcp){.v6 = v6,
							  .tag = tag,
							  .port = 1,
							  .seq = i * mss,
							  .id = (uint16_t)i,
							  .flags = ACK,
							  .payload = mss});
	}
}

static void test_64_kib(void **state)
{
	struct bench *b = bench_make();
	unsigned int variant, mss;

	for (variant = 0; variant < 4; variant++) {
		uint32_t headers = (variant & 1 ? 40 : 20) + 20;

		for (mss = 8900; mss < 9400; mss += 7) {
			fill(b, variant & 1, variant & 2, mss);
			(void)bench_merge(b, ALL);
			assert_int_equal(bench_segs(b, 0), (65535 - headers) / mss);
			bench_clear(b);
		}
	}
	/* To the byte. */
	(void)bench_put_tcp(b,
			    (struct model_tcp){.port = 1, .flags = ACK, .payload = 65495 / 2 + 1});
	(void)bench_put_tcp(b, (struct model_tcp){.port = 1,
						  .flags = ACK,
						  .id = 1,
						  .seq = 65495 / 2 + 1,
						  .payload = 65495 / 2});
	assert_int_equal(bench_merge(b, ALL), 1);
	assert_int_equal(b->row.pkt[0]->len, 14 + 65535);
	bench_clear(b);
	(void)bench_put_tcp(b,
			    (struct model_tcp){.port = 1, .flags = ACK, .payload = 65495 / 2 + 1});
	(void)bench_put_tcp(b, (struct model_tcp){.port = 1,
						  .flags = ACK,
						  .id = 1,
						  .seq = 65495 / 2 + 1,
						  .payload = 65495 / 2 + 1});
	assert_int_equal(bench_merge(b, ALL), 0);
	bench_end(b);
}

/* When the room for extents is full, packets stay as they are. */
static void test_room(void **state)
{
	struct bench *b = bench_make();
	unsigned int room, i, before = 0;

	b->pieces = 3;
	for (room = 0; room <= 4 * 32; room++) {
		unsigned int joined;

		b->row.max_ext = (uint16_t)room;
		for (i = 0; i < 32; i++)
			(void)bench_put_tcp(b, bench_data(i * MSS, MSS));
		joined = bench_merge(b, ALL);
		/* Four for each packet, before those that lie side by side are put together. */
		assert_int_equal(joined, room < 8 ? 0 : RTE_MAX(room / 4 - 1, before));
		before = joined;
		bench_clear(b);
	}
	assert_int_equal(before, 31);
	bench_end(b);
}

/* ---- rows made by chance */

static uint64_t random_state;

static uint32_t chance(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 20) % below);
}

/* Few values, so that things meet; most of the time nothing special. */
static void put_any(struct bench *b, struct model_tcp *flow)
{
	struct model_tcp tcp = *flow;
	struct vs_pkt *pkt;
	bool mend;

	tcp.payload = chance(8) ? MSS / 4 : chance(MSS / 3);
	tcp.flags |= chance(12) ? 0 : (uint8_t)(1 << chance(8));
	if (chance(20) == 0)
		tcp.seq += chance(3) * 10;
	flow->seq = tcp.seq + tcp.payload;
	flow->id = (uint16_t)(flow->id + (tcp.df && chance(16) == 0 ? 0 : 1));
	model_make(&tcp, &b->frame);
	mend = chance(4) != 0;
	if (chance(16) == 0)
		b->frame.bytes[chance(90)] ^= (uint8_t)(1 << chance(8));
	if (mend)
		model_mend(&b->frame);
	if (chance(40) == 0)
		b->frame.len = 14 + chance(b->frame.len - 14);
	b->hdr_bytes = chance(8) ? VS_HDR_BYTES : 54 + chance(74);
	b->pieces = 1 + chance(3);
	pkt = bench_put(b);
	pkt->vid = chance(30) == 0;
	pkt->pcp = chance(30) == 0;
	pkt->debt.csum = chance(30) ? VS_CSUM_UNKNOWN : (uint8_t)chance(3);
}

/* ---- merging undoes segmenting */

/* A frame that owes segmentation, and no more than a row of segments. */
static void make_whole(struct bench *b, struct vs_pkt *pkt)
{
	struct model_tcp tcp = {
		.v6 = chance(2),
		.tag = chance(2),
		.df = chance(2),
		.options = (uint8_t)(chance(11) * 4),
		.flags = ACK | (chance(2) ? PSH : 0) | (chance(4) ? 0 : RTE_TCP_CWR_FLAG),
		.port = (uint16_t)chance(65536),
		.id = (uint16_t)chance(65536),
		.seq = 0u - chance(100000),
	};
	uint32_t headers = 14 + (tcp.tag ? 4 : 0) + (tcp.v6 ? 40 : 20);
	uint32_t size = 1 + chance(1460);

	tcp.payload = RTE_MIN(size + 1 + chance(size * 63), 65535 - 40 - 60u);
	model_make(&tcp, &b->frame);
	model_owe(&b->frame);
	b->hdr_bytes = VS_HDR_BYTES;
	b->pieces = 1 + chance(4);
	*pkt = *bench_put(b);
	pkt->debt = (struct vs_debt){
		.csum = VS_CSUM_PARTIAL,
		.gso = tcp.v6 ? VS_GSO_TCP6 : VS_GSO_TCP4,
		.ecn = (tcp.flags & RTE_TCP_CWR_FLAG) != 0,
		.l3 = tcp.tag ? 18 : 14,
		.csum_start = (uint16_t)headers,
		.csum_offset = 16,
		.hdrs = (uint16_t)(headers + 20 + tcp.options),
		.gso_size = (uint16_t)size,
	};
}

static void test_merging_undoes_segmenting(void **state)
{
	static struct vs_extent ext[VS_BURST_MAX * 8];
	static struct vs_hdr_slot slot[VS_BURST_MAX];
	static struct vs_pkt made[VS_BURST_MAX];
	struct bench *b = bench_make();
	static struct model_frame got;
	unsigned int round;

	random_state = 20261123;
	for (round = 0; round < 2000; round++) {
		unsigned int n = 0, n_ext = 0;
		struct vs_segments segs;
		struct vs_pkt whole;

		make_whole(b, &whole);
		assert_int_equal(vs_segment_begin(&segs, &whole, 0), 0);
		b->row.n = 0;
		while (n < VS_BURST_MAX && vs_segment_next(&segs, VS_SEGMENT_CSUM_FULL, &made[n],
							   &slot[n], &ext[n_ext], 8) == 1) {
			n_ext += made[n].n_ext;
			b->row.pkt[n] = &made[n];
			n++;
		}
		b->row.n = (uint16_t)n;
		assert_int_equal(bench_merge(b, ALL), n - 1);
		assert_memory_equal(&made[0].debt, &whole.debt, sizeof(whole.debt));
		model_flatten(&made[0], &got);
		assert_int_equal(got.len, b->frame.len);
		assert_memory_equal(got.bytes, b->frame.bytes, got.len);
		bench_clear(b);
	}
	bench_end(b);
}

static void test_rows_made_by_chance(void **state)
{
	struct bench *b = bench_make();
	const char *given = getenv("VS_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 20261123;
	unsigned int row, i, joined = 0, packets = 0;

	print_message("# seed %llu\n", (unsigned long long)seed);
	random_state = seed;
	for (row = 0; row < ROWS; row++) {
		struct model_tcp flow[12];
		unsigned int flows = 1 + chance(RTE_DIM(flow));
		unsigned int n = chance(VS_BURST_MAX + 1);

		for (i = 0; i < flows; i++)
			flow[i] = (struct model_tcp){.v6 = chance(2),
						     .tag = chance(2),
						     .df = chance(2),
						     .port = (uint16_t)chance(12),
						     .seq = 0u - chance(3000),
						     .flags = ACK,
						     .options = (uint8_t)(chance(3) * 12)};
		for (i = 0; i < n; i++)
			put_any(b, &flow[chance(flows)]);
		b->row.max_ext = (uint16_t)(chance(8) ? RTE_DIM(b->merged) : chance(100));
		b->row.skip = chance(8) ? 0 : UINT64_C(1) << chance(64);
		packets += n;
		joined += bench_merge(b, chance(VS_OFFLOAD_ALL + 1));
		bench_clear(b);
	}
	print_message("# %u packets, %u joined another\n", packets, joined);
	/* Otherwise nothing was tested. */
	assert_true(joined > packets / 20);
	bench_end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_64_kib),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_merging_undoes_segmenting),
		cmocka_unit_test(test_rows_made_by_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
