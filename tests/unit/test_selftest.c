/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The self-test of offloads against a card made here: one that does what it claims, by the switch's
 * own segmenter and sums (the test's frames are made by other code), and one for each way to lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/uplink/selftest.h"
#include "offload/csum.h"
#include "offload/segment.h"

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	QUEUE = 512,
	ALL = VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6 | VS_OFFLOAD_VERIFY,
	L3 = 14,
};

/* A frame on the wire. */
struct wire_frame {
	uint32_t len;
	uint8_t bytes[2048];
};

/* What the card did a frame for. */
struct work {
	const struct vs_pkt *pkt;
	unsigned int index; /* segment */
	bool last;
};

/**
 * struct card - the fake
 * @lie:	changes a frame that the card has finished; false: it is lost
 * @lies_in:	the offload in which it lies
 * @again:	frames of that offload, from the second segment on, are sent twice
 * @good:	it calls all frames good that the test may show it
 * @wire:	what the loop does; false: it loses the frame
 */
struct card {
	bool (*lie)(struct wire_frame *f, const struct work *work);
	unsigned int lies_in;
	bool again;
	bool good;
	bool (*wire)(struct wire_frame *f, unsigned int n);
	bool wire_again;
	bool closed;
	uint64_t now;
	unsigned int carried;
	unsigned int head;
	unsigned int tail;
	struct wire_frame queue[QUEUE];
};

static struct card card;
static struct vs_selftest_report report;

/* ---- the card */

static void carry(const struct wire_frame *f)
{
	struct wire_frame *to = &card.queue[card.head % QUEUE];

	assert_true(card.head - card.tail < QUEUE);
	*to = *f;
	if (!card.wire || card.wire(to, card.carried))
		card.head++;
	card.carried++;
}

static void put_on_wire(const struct vs_pkt *pkt, unsigned int offload, const struct work *work)
{
	struct wire_frame f = {.len = pkt->len};
	uint32_t at = pkt->hdr_len;
	bool lies = card.lies_in == offload;
	unsigned int i;

	assert_true(pkt->len <= sizeof(f.bytes));
	memcpy(f.bytes, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		memcpy(f.bytes + at, pkt->ext[i].data, pkt->ext[i].len);
		at += pkt->ext[i].len;
	}
	assert_int_equal(at, pkt->len);
	if (f.len < 60)
		f.len = 60;
	if (lies && card.lie && !card.lie(&f, work))
		return;
	carry(&f);
	if (card.wire_again || (lies && card.again))
		carry(&f);
}

static void cut(const struct vs_pkt *pkt)
{
	const unsigned int offload =
		pkt->debt.gso == VS_GSO_TCP4 ? VS_OFFLOAD_TSO4 : VS_OFFLOAD_TSO6;
	struct vs_extent ext[4];
	struct work work = {.pkt = pkt};
	struct vs_segments segs;
	struct vs_hdr_slot slot;
	struct vs_pkt made;

	assert_int_equal(vs_segment_begin(&segs, pkt, 0), 0);
	while (vs_segment_next(&segs, VS_SEGMENT_CSUM_FULL, &made, &slot, ext, 4) > 0) {
		work.last = (work.index + 1) * pkt->debt.gso_size >= pkt->len - pkt->debt.hdrs;
		put_on_wire(&made, offload, &work);
		work.index++;
	}
}

/* The sum of the pseudo-header and not of the frame, if that is the lie. */
static int card_send(void *dev, const struct vs_pkt *pkt, unsigned int n)
{
	static uint8_t header[VS_HDR_BYTES];
	struct vs_pkt one;
	unsigned int i;

	if (card.closed)
		return -EBUSY;
	for (i = 0; i < n; i++) {
		const struct work work = {.pkt = &pkt[i], .last = true};

		assert_true(!vs_debt_owes(&pkt[i].debt) || vs_pkt_is_plain(&pkt[i]));
		if (pkt[i].debt.gso) {
			cut(&pkt[i]);
			continue;
		}
		one = pkt[i];
		one.hdr = header;
		memcpy(header, pkt[i].hdr, pkt[i].hdr_len);
		if (vs_debt_owes(&one.debt)) {
			vs_csum_complete(&one, &one.debt);
			put_on_wire(&one, VS_OFFLOAD_CSUM, &work);
		} else {
			put_on_wire(&one, 0, &work);
		}
	}
	return 0;
}

/* Is the transport checksum right? By plain sums. */
static bool is_right(const struct wire_frame *f)
{
	const uint8_t *l3 = f->bytes + L3;
	const bool ipv4 = *l3 >> 4 == 4;
	const uint8_t proto = ipv4 ? l3[9] : l3[6];
	const uint32_t len =
		ipv4 ? (uint32_t)(l3[2] << 8 | l3[3]) - 20 : (uint32_t)(l3[4] << 8 | l3[5]);
	const uint8_t *l4 = l3 + (ipv4 ? 20 : 40);
	uint32_t sum = proto + len;
	uint32_t i;

	for (i = 0; i < (ipv4 ? 8u : 32u); i++)
		sum += (uint32_t)l4[(int)i - (ipv4 ? 8 : 32)] << (i % 2 ? 0 : 8);
	for (i = 0; i < len; i++)
		sum += (uint32_t)l4[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static int card_receive(void *dev, struct vs_selftest_got *ret_got)
{
	struct wire_frame *f;

	if (card.tail == card.head)
		return 0;
	f = &card.queue[card.tail++ % QUEUE];
	ret_got->len = f->len;
	memcpy(ret_got->bytes, f->bytes, f->len);
	ret_got->said = card.good || is_right(f) ? VS_SELFTEST_SAID_GOOD : VS_SELFTEST_SAID_BAD;
	return 1;
}

static void card_pause(void *dev)
{
	card.now += 100;
}

static uint64_t card_now(void *dev)
{
	return card.now;
}

static const struct vs_selftest_ops card_ops = {
	.send = card_send,
	.receive = card_receive,
	.pause = card_pause,
	.now_us = card_now,
};

/* ---- runs */

static struct vs_selftest_config config_of(unsigned int claims)
{
	return (struct vs_selftest_config){
		.ops = &card_ops,
		.claims = claims,
		.mtu = 1500,
		.own = {{2, 0, 0, 1, 2, 3}},
	};
}

static void run(unsigned int claims)
{
	const struct vs_selftest_config config = config_of(claims);

	assert_int_equal(vs_selftest_run(&config, &report), 0);
}

static const struct vs_selftest_row *row(unsigned int offload)
{
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		if (report.row[i].offload == offload)
			return &report.row[i];
	}
	fail();
	return NULL;
}

/* Everything but @other has @verdict. */
static void check_rest(unsigned int other, enum vs_selftest_verdict verdict)
{
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		if (report.row[i].offload == other)
			continue;
		if (report.row[i].verdict != verdict)
			fail_msg("offload %u: verdict %d: %s", report.row[i].offload,
				 report.row[i].verdict, report.row[i].why);
	}
}

static int setup(void **state)
{
	memset(&card, 0, sizeof(card));
	return 0;
}

static void test_honest(void **state)
{
	static const uint32_t mtus[] = {400, 576, 1500, 9000};
	struct vs_selftest_config config = config_of(ALL);
	unsigned int i;

	for (i = 0; i < RTE_DIM(mtus); i++) {
		setup(NULL);
		config.mtu = mtus[i];
		assert_int_equal(vs_selftest_run(&config, &report), 0);
		check_rest(0, VS_SELFTEST_GOOD);
		assert_string_equal(report.row[0].why, "");
		assert_true(row(VS_OFFLOAD_TSO6)->back > row(VS_OFFLOAD_TSO6)->sent);
		assert_true(card.now < 20000);
	}
}

static void test_nothing_claimed(void **state)
{
	run(VS_OFFLOAD_ECN | VS_OFFLOAD_MERGE);
	check_rest(0, VS_SELFTEST_NOT_CLAIMED);
	assert_int_equal(card.carried, 0);
}

static void test_some_claimed(void **state)
{
	run(VS_OFFLOAD_CSUM);
	assert_int_equal(row(VS_OFFLOAD_CSUM)->verdict, VS_SELFTEST_GOOD);
	check_rest(VS_OFFLOAD_CSUM, VS_SELFTEST_NOT_CLAIMED);
}

static void test_small_mtu(void **state)
{
	struct vs_selftest_config config = config_of(ALL);

	config.mtu = 399;
	assert_int_equal(vs_selftest_run(&config, &report), 0);
	check_rest(0, VS_SELFTEST_NOT_TESTED);
	assert_non_null(strstr(report.row[0].why, "MTU"));
	assert_int_equal(card.carried, 0);
}

/* ---- lies */

static uint8_t *ip_of(struct wire_frame *f)
{
	return f->bytes + L3;
}

static bool is_ipv4(struct wire_frame *f)
{
	return *ip_of(f) >> 4 == 4;
}

static bool is_tcp(struct wire_frame *f)
{
	return (is_ipv4(f) ? ip_of(f)[9] : ip_of(f)[6]) == IPPROTO_TCP;
}

static uint8_t *l4_of(struct wire_frame *f)
{
	return ip_of(f) + (is_ipv4(f) ? 20 : 40);
}

static uint8_t *csum_of(struct wire_frame *f)
{
	return l4_of(f) + (is_tcp(f) ? 16 : 6);
}

static struct rte_tcp_hdr *tcp_of(struct wire_frame *f)
{
	return (struct rte_tcp_hdr *)(void *)l4_of(f);
}

/* Put the checksums right again, so that one lie shows and no second one. */
static bool finish(struct wire_frame *f)
{
	if (is_ipv4(f)) {
		struct rte_ipv4_hdr *ip = (void *)ip_of(f);

		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		tcp_of(f)->cksum = 0;
		tcp_of(f)->cksum = rte_ipv4_udptcp_cksum(ip, tcp_of(f));
	} else {
		tcp_of(f)->cksum = 0;
		tcp_of(f)->cksum = rte_ipv6_udptcp_cksum((void *)ip_of(f), tcp_of(f));
	}
	return true;
}

static bool leaves_zero(struct wire_frame *f, const struct work *work)
{
	memset(csum_of(f), 0, 2);
	return true;
}

static bool leaves_pseudo(struct wire_frame *f, const struct work *work)
{
	memcpy(csum_of(f), work->pkt->hdr + (csum_of(f) - f->bytes), 2);
	return true;
}

/* As if the length were not part of it. */
static bool wrong_pseudo6(struct wire_frame *f, const struct work *work)
{
	if (!is_ipv4(f))
		csum_of(f)[1] ^= 0x20;
	return true;
}

static bool wrong_udp6_zero(struct wire_frame *f, const struct work *work)
{
	static const uint8_t zero[2] = {0xff, 0xff};

	if (!is_tcp(f) && !is_ipv4(f) && memcmp(csum_of(f), zero, 2) == 0)
		memset(csum_of(f), 0, 2);
	return true;
}

static bool wrong_odd(struct wire_frame *f, const struct work *work)
{
	if ((f->len - L3) % 2 && f->len > 60)
		csum_of(f)[0] ^= 1;
	return true;
}

static bool same_seq(struct wire_frame *f, const struct work *work)
{
	memcpy(&tcp_of(f)->sent_seq, work->pkt->hdr + work->pkt->debt.csum_start + 4, 4);
	return finish(f);
}

static bool seq_of_frames(struct wire_frame *f, const struct work *work)
{
	if (work->index)
		tcp_of(f)->sent_seq += rte_cpu_to_be_32(work->index);
	return finish(f);
}

static bool same_id(struct wire_frame *f, const struct work *work)
{
	memcpy(ip_of(f) + 4, work->pkt->hdr + L3 + 4, 2);
	return finish(f);
}

static bool long_length(struct wire_frame *f, const struct work *work)
{
	uint8_t *at = ip_of(f) + (is_ipv4(f) ? 2 : 4);

	if (work->last)
		at[1]++;
	if (is_ipv4(f)) {
		struct rte_ipv4_hdr *ip = (void *)ip_of(f);

		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	}
	return true;
}

static bool ip_csum_of_first(struct wire_frame *f, const struct work *work)
{
	memcpy(ip_of(f) + 10, work->pkt->hdr + L3 + 10, 2);
	return true;
}

static bool fin_in_all(struct wire_frame *f, const struct work *work)
{
	tcp_of(f)->tcp_flags |= RTE_TCP_FIN_FLAG;
	return finish(f);
}

static bool psh_in_all(struct wire_frame *f, const struct work *work)
{
	tcp_of(f)->tcp_flags |= RTE_TCP_PSH_FLAG;
	return finish(f);
}

static bool fin_in_none(struct wire_frame *f, const struct work *work)
{
	tcp_of(f)->tcp_flags &= (uint8_t)~RTE_TCP_FIN_FLAG;
	return finish(f);
}

static bool cwr_in_second(struct wire_frame *f, const struct work *work)
{
	if (work->index == 1)
		tcp_of(f)->tcp_flags |= RTE_TCP_CWR_FLAG;
	return finish(f);
}

static bool stamps_in_first(struct wire_frame *f, const struct work *work)
{
	if (work->index && tcp_of(f)->data_off >> 4 > 5)
		memset(l4_of(f) + 20, 1, 12);
	return finish(f);
}

static bool cut_short(struct wire_frame *f, const struct work *work)
{
	if (work->last)
		f->len--;
	return true;
}

static bool lose_last(struct wire_frame *f, const struct work *work)
{
	return !work->last;
}

static bool lose_all(struct wire_frame *f, const struct work *work)
{
	return false;
}

static bool lose_long(struct wire_frame *f, const struct work *work)
{
	return work->index < 6;
}

static bool wrong_payload(struct wire_frame *f, const struct work *work)
{
	if (work->index == 2)
		f->bytes[f->len - 1] ^= 4;
	return finish(f);
}

struct lie {
	const char *name;
	bool (*lie)(struct wire_frame *f, const struct work *work);
	unsigned int offloads; /* in which it is told, one after the other */
	const char *why;       /* a part of the reason */
};

static const struct lie lies[] = {
	{"leaves zero", leaves_zero, VS_OFFLOAD_CSUM, "checksum is 0000, not "},
	{"leaves zero", leaves_zero, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6, "TCP checksum is 0000"},
	{"leaves pseudo", leaves_pseudo, ALL & ~VS_OFFLOAD_VERIFY, "checksum is "},
	{"pseudo of IPv6", wrong_pseudo6, VS_OFFLOAD_CSUM, "TCP over IPv6: TCP checksum is "},
	{"zero of UDP", wrong_udp6_zero, VS_OFFLOAD_CSUM,
	 "UDP over IPv6 whose sum is zero: UDP checksum is 0000, not ffff"},
	{"odd length", wrong_odd, VS_OFFLOAD_CSUM, "TCP over IPv4: TCP checksum is "},
	{"loses all", lose_all, ALL & ~VS_OFFLOAD_VERIFY, "nothing came back, or not all"},
	{"same seq", same_seq, VS_OFFLOAD_TSO4, "TCP over IPv4, segment 2 of 4: TCP sequence"},
	{"same seq", same_seq, VS_OFFLOAD_TSO6, "TCP over IPv6, segment 2 of 4: TCP sequence"},
	{"seq of frames", seq_of_frames, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6, "TCP sequence number"},
	{"same id", same_id, VS_OFFLOAD_TSO4, "IPv4 id is "},
	{"length", long_length, VS_OFFLOAD_TSO4, "segment 4 of 4: IPv4 total length is "},
	{"length", long_length, VS_OFFLOAD_TSO6, "segment 4 of 4: IPv6 payload length is "},
	{"IP checksum", ip_csum_of_first, VS_OFFLOAD_TSO4, "IPv4 header checksum is "},
	{"FIN in all", fin_in_all, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6, "TCP flags is 11, not 10"},
	{"PSH in all", psh_in_all, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6, "TCP flags is 18, not 10"},
	{"FIN in none", fin_in_none, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6, "TCP flags is 18, not 19"},
	{"CWR in second", cwr_in_second, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6,
	 "TCP flags is 90, not 10"},
	{"stamps", stamps_in_first, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6, "TCP options"},
	{"cut short", cut_short, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6, "bytes, not "},
	{"loses last", lose_last, ALL & ~VS_OFFLOAD_VERIFY, "nothing came back, or not all"},
	{"loses of long", lose_long, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6,
	 "of 1 packets nothing came back, or not all"},
	{"payload", wrong_payload, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6, "payload"},
};

/* Each lie is found, in the offload in which it is told, and named; nothing else is suspected. */
static void test_lies(void **state)
{
	unsigned int i;
	unsigned int offload;

	for (i = 0; i < RTE_DIM(lies); i++) {
		for (offload = 1; offload < VS_OFFLOAD_ALL; offload <<= 1) {
			if (!(lies[i].offloads & offload))
				continue;
			setup(NULL);
			card.lie = lies[i].lie;
			card.lies_in = offload;
			run(ALL);
			if (row(offload)->verdict != VS_SELFTEST_BAD ||
			    !strstr(row(offload)->why, lies[i].why))
				fail_msg("%s (%u): %d: %s", lies[i].name, offload,
					 row(offload)->verdict, row(offload)->why);
			check_rest(offload, VS_SELFTEST_GOOD);
		}
	}
}

static void test_twice(void **state)
{
	static const unsigned int offloads[] = {VS_OFFLOAD_CSUM, VS_OFFLOAD_TSO4, VS_OFFLOAD_TSO6};
	unsigned int i;

	for (i = 0; i < RTE_DIM(offloads); i++) {
		setup(NULL);
		card.lies_in = offloads[i];
		card.again = true;
		run(ALL);
		assert_int_equal(row(offloads[i])->verdict, VS_SELFTEST_BAD);
		assert_non_null(strstr(row(offloads[i])->why, "twice"));
		check_rest(offloads[i], VS_SELFTEST_GOOD);
	}
}

static void test_calls_bad_good(void **state)
{
	card.good = true;
	run(ALL);
	assert_int_equal(row(VS_OFFLOAD_VERIFY)->verdict, VS_SELFTEST_BAD);
	assert_string_equal(row(VS_OFFLOAD_VERIFY)->why,
			    "it calls TCP over IPv4 with a wrong checksum good");
	check_rest(VS_OFFLOAD_VERIFY, VS_SELFTEST_GOOD);
}

/* ---- loops that are no witness */

static bool wire_dead(struct wire_frame *f, unsigned int n)
{
	return false;
}

static bool wire_loses(struct wire_frame *f, unsigned int n)
{
	return n % 5 != 2;
}

/* A frame is lost once. */
static bool wire_stumbles(struct wire_frame *f, unsigned int n)
{
	return n % 97 != 3;
}

static bool wire_changes(struct wire_frame *f, unsigned int n)
{
	ip_of(f)[is_ipv4(f) ? 8 : 7]--;
	return true;
}

static bool wire_repairs(struct wire_frame *f, unsigned int n)
{
	return finish(f) || n;
}

static bool wire_drops_damaged(struct wire_frame *f, unsigned int n)
{
	return is_right(f);
}

static bool wire_swaps(struct wire_frame *f, unsigned int n)
{
	uint8_t mac[6];

	memcpy(mac, f->bytes, 6);
	memcpy(f->bytes, f->bytes + 6, 6);
	memcpy(f->bytes + 6, mac, 6);
	return true;
}

static void check_not_tested(bool (*wire)(struct wire_frame *f, unsigned int n), const char *why)
{
	setup(NULL);
	card.wire = wire;
	/* Even of a card that lies nothing is said. */
	card.lie = leaves_zero;
	card.lies_in = VS_OFFLOAD_CSUM;
	run(ALL);
	check_rest(0, VS_SELFTEST_NOT_TESTED);
	if (!strstr(report.row[0].why, why))
		fail_msg("%s", report.row[0].why);
}

static void test_no_witness(void **state)
{
	check_not_tested(wire_dead, "nothing came back");
	assert_in_range(card.now, 300000, 310000);
	check_not_tested(wire_loses, "the loop loses frames");
	check_not_tested(wire_changes, "the loop changes frames");
	check_not_tested(wire_repairs, "with a wrong checksum: ");
}

static void test_wire_twice(void **state)
{
	card.wire_again = true;
	run(ALL);
	check_rest(0, VS_SELFTEST_NOT_TESTED);
	assert_non_null(strstr(report.row[0].why, "twice"));
}

static void test_not_reached(void **state)
{
	card.closed = true;
	run(ALL);
	check_rest(0, VS_SELFTEST_NOT_TESTED);
	assert_non_null(strstr(report.row[0].why, "worker"));
}

/* A wire that loses one of eight, by chance: no card is blamed for it. */
static bool wire_dice(struct wire_frame *f, unsigned int n)
{
	return rand() % 8;
}

static void test_dice(void **state)
{
	unsigned int seed;
	unsigned int i;

	for (seed = 0; seed < 300; seed++) {
		setup(NULL);
		srand(seed);
		card.wire = wire_dice;
		run(ALL & ~VS_OFFLOAD_VERIFY);
		for (i = 0; i < VS_SELFTEST_ROWS; i++) {
			if (report.row[i].verdict == VS_SELFTEST_BAD)
				fail_msg("seed %u: %s", seed, report.row[i].why);
		}
	}
}

/* What a link loses now and then is not the device's doing. */
static void test_stumbles(void **state)
{
	card.wire = wire_stumbles;
	run(ALL);
	check_rest(0, VS_SELFTEST_GOOD);
}

static void test_damaged_do_not_return(void **state)
{
	card.wire = wire_drops_damaged;
	run(ALL);
	assert_int_equal(row(VS_OFFLOAD_VERIFY)->verdict, VS_SELFTEST_NOT_TESTED);
	check_rest(VS_OFFLOAD_VERIFY, VS_SELFTEST_GOOD);
	/* And a card that sends such ones is found by it. */
	setup(NULL);
	card.wire = wire_drops_damaged;
	card.lie = leaves_zero;
	card.lies_in = VS_OFFLOAD_TSO6;
	run(ALL & ~VS_OFFLOAD_VERIFY);
	assert_int_equal(row(VS_OFFLOAD_TSO6)->verdict, VS_SELFTEST_BAD);
	assert_int_equal(row(VS_OFFLOAD_CSUM)->verdict, VS_SELFTEST_GOOD);
	assert_int_equal(row(VS_OFFLOAD_TSO4)->verdict, VS_SELFTEST_GOOD);
}

static void test_partner(void **state)
{
	struct vs_selftest_config config = config_of(ALL);

	config.partner = (struct rte_ether_addr){{2, 9, 9, 9, 9, 9}};
	card.wire = wire_swaps;
	assert_int_equal(vs_selftest_run(&config, &report), 0);
	check_rest(0, VS_SELFTEST_GOOD);
	setup(NULL);
	assert_int_equal(vs_selftest_run(&config, &report), 0);
	check_rest(0, VS_SELFTEST_NOT_TESTED);
	assert_non_null(strstr(report.row[0].why, "Ethernet header"));
}

/* Frames on the wire can disturb nobody: no router passes them on, no host is meant. */
static bool wire_checks(struct wire_frame *f, unsigned int n)
{
	static const uint8_t own[6] = {2, 0, 0, 1, 2, 3};
	static const uint8_t net6[4] = {0x20, 0x01, 0x0d, 0xb8};
	const uint8_t *l3 = ip_of(f);

	assert_memory_equal(f->bytes, own, 6);
	assert_memory_equal(f->bytes + 6, own, 6);
	assert_true(f->len <= 1514);
	if (is_ipv4(f)) {
		assert_int_equal(l3[8], 1);
		assert_memory_equal(l3 + 12, "\xc0\x00\x02", 3);
		assert_memory_equal(l3 + 16, "\xc0\x00\x02", 3);
	} else {
		assert_int_equal(l3[7], 1);
		assert_memory_equal(l3 + 8, net6, 4);
		assert_memory_equal(l3 + 24, net6, 4);
	}
	return true;
}

static void test_harmless(void **state)
{
	card.wire = wire_checks;
	run(ALL);
	check_rest(0, VS_SELFTEST_GOOD);
	/* A few frames, for once. */
	assert_in_range(card.carried, 80, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_honest, setup),
		cmocka_unit_test_setup(test_nothing_claimed, setup),
		cmocka_unit_test_setup(test_some_claimed, setup),
		cmocka_unit_test_setup(test_small_mtu, setup),
		cmocka_unit_test_setup(test_lies, setup),
		cmocka_unit_test_setup(test_twice, setup),
		cmocka_unit_test_setup(test_calls_bad_good, setup),
		cmocka_unit_test_setup(test_no_witness, setup),
		cmocka_unit_test_setup(test_wire_twice, setup),
		cmocka_unit_test_setup(test_not_reached, setup),
		cmocka_unit_test_setup(test_dice, setup),
		cmocka_unit_test_setup(test_stumbles, setup),
		cmocka_unit_test_setup(test_damaged_do_not_return, setup),
		cmocka_unit_test_setup(test_partner, setup),
		cmocka_unit_test_setup(test_harmless, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
