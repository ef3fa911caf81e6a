/* SPDX-License-Identifier: BSD-3-Clause */
/* Receive merging: what joins, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/gro_fixture.h"

#include <rte_common.h>

#include <string.h>

static void test_a_burst_becomes_a_frame(void **state)
{
	unsigned int variant;

	for (variant = 0; variant < 8; variant++) {
		struct bench *b = bench_make();
		unsigned int i;

		if (variant & 4)
			b->hdr_bytes = 100;
		for (i = 0; i < 30; i++) {
			struct model_tcp tcp = bench_data(i * MSS, MSS);

			tcp.v6 = variant & 1;
			tcp.tag = variant & 2;
			(void)bench_put_tcp(b, tcp);
		}
		assert_int_equal(bench_merge(b, ALL), 29);
		assert_int_equal(bench_segs(b, 0), 30);
		assert_int_equal(b->row.pkt[0]->debt.gso_size, MSS);
		assert_int_equal(b->row.pkt[0]->in_port, 7);
		/* What lies side by side in memory is one extent. */
		assert_int_equal(b->row.pkt[0]->n_ext, 30);
		bench_end(b);
	}
}

static void test_what_the_receiver_takes(void **state)
{
	unsigned int takes;
	unsigned int v6;

	for (takes = 0; takes <= VS_OFFLOAD_ALL; takes++) {
		for (v6 = 0; v6 < 2; v6++) {
			struct bench *b = bench_make();
			struct model_tcp tcp = bench_data(0, MSS);
			bool may = takes & (v6 ? VS_OFFLOAD_TSO6 : VS_OFFLOAD_TSO4);

			tcp.v6 = v6;
			(void)bench_put_tcp(b, tcp);
			tcp.seq += MSS;
			tcp.id++;
			(void)bench_put_tcp(b, tcp);
			assert_int_equal(bench_merge(b, takes), may);
			assert_int_equal(bench_segs(b, 0), may ? 2 : 1);
			bench_end(b);
		}
	}
}

/* CWR on the first is kept there if the receiver takes it; on a later one it begins anew. */
static void test_cwr(void **state)
{
	unsigned int takes;

	for (takes = 0; takes <= VS_OFFLOAD_ALL; takes++) {
		struct bench *b = bench_make();
		unsigned int i;

		for (i = 0; i < 4; i++) {
			struct model_tcp tcp = bench_data(i * MSS, MSS);

			tcp.flags |= i == 0 || i == 2 ? RTE_TCP_CWR_FLAG : 0;
			(void)bench_put_tcp(b, tcp);
		}
		assert_int_equal(bench_merge(b, takes),
				 (takes & VS_OFFLOAD_TSO4) && (takes & VS_OFFLOAD_ECN) ? 2 : 0);
		bench_end(b);
	}
}

static void test_the_end_of_a_frame(void **state)
{
	struct bench *b = bench_make();

	/* PSH is the last. */
	(void)bench_put_tcp(b, bench_data(0, MSS));
	(void)bench_put_tcp(b, (struct model_tcp){.port = 5001,
						  .seq = MSS,
						  .id = 1,
						  .flags = ACK | PSH,
						  .payload = MSS,
						  .options = 12});
	(void)bench_put_tcp(b, bench_data(2 * MSS, MSS));
	(void)bench_put_tcp(b, bench_data(3 * MSS, MSS));
	assert_int_equal(bench_merge(b, ALL), 2);
	assert_int_equal(bench_segs(b, 0), 2);
	assert_int_equal(bench_segs(b, 1), 2);
	bench_clear(b);

	/* A short one is the last, a long one begins. */
	(void)bench_put_tcp(b, bench_data(0, MSS));
	(void)bench_put_tcp(b, bench_data(MSS, MSS - 1));
	(void)bench_put_tcp(b, bench_data(2 * MSS - 1, MSS));
	assert_int_equal(bench_merge(b, ALL), 1);
	assert_int_equal(b->row.pkt[0]->debt.gso_size, MSS);
	assert_int_equal(bench_segs(b, 1), 1);
	bench_clear(b);

	(void)bench_put_tcp(b, bench_data(0, MSS));
	(void)bench_put_tcp(b, (struct model_tcp){.port = 5001,
						  .seq = MSS,
						  .id = 1,
						  .flags = ACK,
						  .payload = MSS + 1,
						  .options = 12});
	(void)bench_put_tcp(b, (struct model_tcp){.port = 5001,
						  .seq = 2 * MSS + 1,
						  .id = 2,
						  .flags = ACK,
						  .payload = 1,
						  .options = 12});
	assert_int_equal(bench_merge(b, ALL), 1);
	assert_int_equal(bench_segs(b, 0), 1);
	assert_int_equal(b->row.pkt[1]->debt.gso_size, MSS + 1);
	bench_end(b);
}

/* Bytes of the second of two segments, each of which keeps it from joining when changed. */
struct change {
	const char *what;
	bool v6;
	uint8_t at;
	uint8_t flip;
	bool keep_sums; /* the checksums are left as they are */
};

static const struct change changes[] = {
	{"destination address", false, 5, 1, false},
	{"source address", false, 11, 1, false},
	{"version", false, 14, 0x20, false},
	{"options of IP", false, 14, 3, false},
	{"service", false, 15, 4, false},
	{"ECN", false, 15, 1, false},
	{"total length", false, 17, 1, false},
	{"id", false, 19, 4, false},
	{"reserved bit", false, 20, 0x80, false},
	{"DF", false, 20, 0x40, false},
	{"more fragments", false, 20, 0x20, false},
	{"fragment offset", false, 21, 1, false},
	{"time to live", false, 22, 1, false},
	{"protocol", false, 23, 17 ^ 6, false},
	{"IP checksum", false, 24, 1, true},
	{"source", false, 29, 1, false},
	{"destination", false, 33, 1, false},
	{"source port", false, 35, 1, false},
	{"destination port", false, 37, 1, false},
	{"sequence", false, 41, 1, false},
	{"sequence, high", false, 38, 0x80, false},
	{"acknowledgement", false, 45, 1, false},
	{"header length", false, 46, 0x80, false},
	{"header length, too short", false, 46, 0xc0, false},
	{"reserved bits of TCP", false, 46, 2, false},
	{"FIN", false, 47, 1, false},
	{"SYN", false, 47, 2, false},
	{"RST", false, 47, 4, false},
	{"no ACK", false, 47, 0x10, false},
	{"URG", false, 47, 0x20, false},
	{"ECE", false, 47, 0x40, false},
	{"CWR", false, 47, 0x80, false},
	{"window", false, 49, 1, false},
	{"TCP checksum", false, 50, 1, true},
	{"urgent pointer", false, 53, 1, false},
	{"first option", false, 54, 1, false},
	{"last option", false, 65, 1, false},
	{"payload", false, 66, 1, true},
	{"last byte of the header", false, 127, 1, true},
	{"payload in an extent", false, 200, 1, true},
	{"version", true, 14, 0x20, false},
	{"traffic class", true, 15, 0x10, false},
	{"flow label", true, 17, 1, false},
	{"payload length", true, 19, 1, false},
	{"next header, UDP", true, 20, 17 ^ 6, false},
	{"next header, fragment", true, 20, 44 ^ 6, false},
	{"hop limit", true, 21, 1, false},
	{"source", true, 22, 1, false},
	{"destination", true, 53, 1, false},
	{"destination port", true, 57, 1, false},
	{"TCP checksum", true, 70, 1, true},
};

static void test_what_does_not_join(void **state)
{
	struct bench *b = bench_make();
	unsigned int i;

	for (i = 0; i < RTE_DIM(changes); i++) {
		const struct change *c = &changes[i];
		struct model_tcp tcp = bench_data(0, MSS);

		tcp.v6 = c->v6;
		(void)bench_put_tcp(b, tcp);
		tcp.seq += MSS;
		tcp.id++;
		model_make(&tcp, &b->frame);
		b->frame.bytes[c->at] ^= c->flip;
		if (!c->keep_sums)
			model_mend(&b->frame);
		(void)bench_put(b);
		if (bench_merge(b, ALL) != 0)
			fail_msg("%s of IPv%d: joined", c->what, c->v6 ? 6 : 4);
		bench_clear(b);

		/* The same change to the first of the two. */
		tcp.seq -= MSS;
		tcp.id--;
		model_make(&tcp, &b->frame);
		b->frame.bytes[c->at] ^= c->flip;
		if (!c->keep_sums)
			model_mend(&b->frame);
		(void)bench_put(b);
		tcp.seq += MSS;
		tcp.id++;
		(void)bench_put_tcp(b, tcp);
		/* Where CWR may stand is the first segment. */
		if (bench_merge(b, ALL) != (strcmp(c->what, "CWR") == 0))
			fail_msg("%s of IPv%d, first: joined", c->what, c->v6 ? 6 : 4);
		bench_clear(b);
	}
	bench_end(b);
}

/* A checksum that somebody who is believed found right is not computed again. */
static void test_known_checksums(void **state)
{
	struct bench *b = bench_make();
	unsigned int good;
	unsigned int i;

	for (good = 0; good < 4; good++) {
		for (i = 0; i < 2; i++) {
			struct model_tcp tcp = bench_data(i * MSS, MSS);
			struct vs_pkt *pkt;

			model_make(&tcp, &b->frame);
			b->frame.bytes[14 + 20 + 16] ^= 1;
			pkt = bench_put(b);
			if (good >> i & 1)
				pkt->debt.csum = VS_CSUM_GOOD;
		}
		assert_int_equal(bench_merge(b, ALL), good == 3);
		bench_clear(b);
	}
	/* That of IP is. */
	for (i = 0; i < 2; i++)
		bench_put_tcp(b, bench_data(i * MSS, MSS))->debt.csum = VS_CSUM_GOOD;
	b->memory[1][24] ^= 1;
	assert_int_equal(bench_merge(b, ALL), 0);
	bench_end(b);
}

/* A packet that owes something is none that came from a wire. */
static void test_debts(void **state)
{
	struct bench *b = bench_make();
	unsigned int i;

	for (i = 0; i < 5; i++) {
		struct vs_pkt *pkt = bench_put_tcp(b, bench_data(i * MSS, MSS));

		if (i == 2)
			pkt->debt.csum = VS_CSUM_PARTIAL;
	}
	assert_int_equal(bench_merge(b, ALL), 2);
	bench_end(b);
}

/* What its tag said, which is not in the frame any more. */
static void test_vlans(void **state)
{
	struct bench *b = bench_make();
	unsigned int i;

	for (i = 0; i < 6; i++) {
		struct vs_pkt *pkt = bench_put_tcp(b, bench_data(i / 2 * MSS, MSS));

		pkt->vid = (uint16_t)(10 + i % 2);
		pkt->pcp = i == 4 ? 3 : 0;
	}
	assert_int_equal(bench_merge(b, ALL), 3);
	bench_end(b);
}

/* A bad one in the middle of a flow: it stands alone, before and behind it things go on. */
static void test_a_damaged_segment(void **state)
{
	struct bench *b = bench_make();
	unsigned int i;

	for (i = 0; i < 5; i++)
		(void)bench_put_tcp(b, bench_data(i * MSS, MSS));
	b->memory[2][500] ^= 1;
	assert_int_equal(bench_merge(b, ALL), 2);
	assert_int_equal(b->row.n, 3);
	assert_ptr_equal(b->row.pkt[1], &b->pkt[2]);
	bench_end(b);
}

static void test_ids(void **state)
{
	static const struct {
		uint16_t id[4];
		bool df;
		unsigned int joined;
	} cases[] = {
		{{1, 2, 3, 4}, false, 3},        {{1, 2, 3, 4}, true, 3},
		{{65534, 65535, 0, 1}, true, 3}, {{9, 9, 9, 9}, true, 3},
		{{9, 9, 9, 9}, false, 0},        {{9, 9, 10, 11}, true, 2},
		{{9, 10, 10, 11}, true, 2},      {{9, 10, 12, 13}, true, 2},
		{{4, 3, 2, 1}, true, 0},         {{1, 3, 5, 7}, true, 0},
	};
	struct bench *b = bench_make();
	unsigned int i, k;

	for (i = 0; i < RTE_DIM(cases); i++) {
		for (k = 0; k < 4; k++) {
			struct model_tcp tcp = bench_data(k * MSS, MSS);

			tcp.id = cases[i].id[k];
			tcp.df = cases[i].df;
			(void)bench_put_tcp(b, tcp);
		}
		assert_int_equal(bench_merge(b, ALL), cases[i].joined);
		bench_clear(b);
	}
	bench_end(b);
}

static void test_sequences(void **state)
{
	struct bench *b = bench_make();

	/* Numbers that wrap around. */
	(void)bench_put_tcp(b, (struct model_tcp){.port = 1,
						  .seq = 0u - MSS / 2,
						  .flags = ACK,
						  .payload = MSS});
	(void)bench_put_tcp(b, (struct model_tcp){.port = 1,
						  .seq = MSS / 2,
						  .id = 1,
						  .flags = ACK,
						  .payload = MSS});
	assert_int_equal(bench_merge(b, ALL), 1);
	bench_clear(b);
	/* Again, late, early, with a gap. */
	(void)bench_put_tcp(b, bench_data(5 * MSS, MSS));
	(void)bench_put_tcp(b, bench_data(5 * MSS, MSS));
	(void)bench_put_tcp(b, bench_data(4 * MSS, MSS));
	(void)bench_put_tcp(b, bench_data(7 * MSS, MSS));
	(void)bench_put_tcp(b, bench_data(9 * MSS, MSS));
	assert_int_equal(bench_merge(b, ALL), 0);
	bench_end(b);
}

static void test_flows_beside_each_other(void **state)
{
	struct bench *b = bench_make();
	unsigned int i, flows;

	/* Up to eight flows are followed at a time. */
	for (flows = 1; flows <= 16; flows++) {
		for (i = 0; i < VS_BURST_MAX; i++) {
			struct model_tcp tcp = bench_data(i / flows * MSS, MSS);

			tcp.port = (uint16_t)(i % flows);
			(void)bench_put_tcp(b, tcp);
		}
		assert_int_equal(bench_merge(b, ALL), flows <= 8 ? VS_BURST_MAX - flows : 0);
		bench_clear(b);
	}
	bench_end(b);
}

/* What stands between two segments: does it keep them apart? */
static void test_what_stands_between(void **state)
{
	static const struct {
		const char *what;
		uint8_t at;
		uint8_t set;
		bool apart;
	} between[] = {
		{"another protocol", 12, 0x12, false},
		{"UDP", 23, 17, false},
		{"another port", 35, 77, false},
		{"a later fragment", 21, 4, true},
		{"IP options", 14, 0x46, true},
		{"a bare acknowledgement", 17, 52, true},
		{"FIN", 47, ACK | 1, true},
	};
	struct bench *b = bench_make();
	unsigned int i;

	for (i = 0; i < RTE_DIM(between); i++) {
		struct model_tcp tcp = bench_data(MSS, 40);

		(void)bench_put_tcp(b, bench_data(0, MSS));
		model_make(&tcp, &b->frame);
		b->frame.bytes[between[i].at] = between[i].set;
		model_mend(&b->frame);
		(void)bench_put(b);
		(void)bench_put_tcp(b, bench_data(MSS, MSS));
		if (bench_merge(b, ALL) == between[i].apart)
			fail_msg("%s", between[i].what);
		bench_clear(b);
	}
	/* Fewer bytes than an Ethernet or an IP header. */
	(void)bench_put_tcp(b, bench_data(0, MSS));
	(void)bench_put_tcp(b, bench_data(MSS, MSS));
	b->frame.len = 14;
	(void)bench_put(b);
	(void)bench_put_tcp(b, bench_data(2 * MSS, MSS));
	assert_int_equal(bench_merge(b, ALL), 1);
	bench_clear(b);
	(void)bench_put_tcp(b, bench_data(0, MSS));
	b->frame.len = 33;
	(void)bench_put(b);
	(void)bench_put_tcp(b, bench_data(MSS, MSS));
	assert_int_equal(bench_merge(b, ALL), 0);
	bench_end(b);
}

static void test_left_alone(void **state)
{
	struct bench *b = bench_make();
	unsigned int i;

	for (i = 0; i < 6; i++)
		(void)bench_put_tcp(b, bench_data(i * MSS, MSS));
	b->row.skip = 1 << 2;
	assert_int_equal(bench_merge(b, ALL), 3);
	assert_int_equal(b->row.n, 3);
	assert_ptr_equal(b->row.pkt[1], &b->pkt[2]);
	bench_end(b);
}

/* A header that is cut off in the private bytes: as the packet is, it stays. */
static void test_short_private_headers(void **state)
{
	struct bench *b = bench_make();

	for (b->hdr_bytes = 14; b->hdr_bytes <= VS_HDR_BYTES; b->hdr_bytes++) {
		(void)bench_put_tcp(b, bench_data(0, MSS));
		(void)bench_put_tcp(b, bench_data(MSS, MSS));
		assert_int_equal(bench_merge(b, ALL), b->hdr_bytes >= 14 + 20 + 32);
		bench_clear(b);
	}
	bench_end(b);
}

static void test_padding(void **state)
{
	struct bench *b = bench_make();

	/* A frame of 60 bytes with 4 of payload and 2 of filling is not what its sender sent. */
	(void)bench_put_tcp(b, (struct model_tcp){.port = 1, .seq = 0, .flags = ACK, .payload = 4});
	(void)bench_put_tcp(
		b, (struct model_tcp){.port = 1, .seq = 4, .id = 1, .flags = ACK, .payload = 4});
	assert_int_equal(bench_merge(b, ALL), 1);
	bench_clear(b);
	/* The last one made, filled up. */
	b->frame.len += 2;
	(void)bench_put(b);
	(void)bench_put_tcp(
		b, (struct model_tcp){.port = 1, .seq = 8, .id = 2, .flags = ACK, .payload = 4});
	assert_int_equal(bench_merge(b, ALL), 0);
	bench_end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_becomes_a_frame),
		cmocka_unit_test(test_what_the_receiver_takes),
		cmocka_unit_test(test_cwr),
		cmocka_unit_test(test_the_end_of_a_frame),
		cmocka_unit_test(test_what_does_not_join),
		cmocka_unit_test(test_known_checksums),
		cmocka_unit_test(test_debts),
		cmocka_unit_test(test_vlans),
		cmocka_unit_test(test_a_damaged_segment),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_flows_beside_each_other),
		cmocka_unit_test(test_what_stands_between),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_short_private_headers),
		cmocka_unit_test(test_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
