/* SPDX-License-Identifier: BSD-3-Clause */
/* The self-test of offloads: a card that does what it claims, and one for each way to lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/selftest_card.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
