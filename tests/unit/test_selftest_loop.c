/* SPDX-License-Identifier: BSD-3-Clause */
/* The self-test of offloads over wires that are no witness, or a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/selftest_card.h"

#include <stdlib.h>

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
