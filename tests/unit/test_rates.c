/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rates out of counters: what grew, counters that went back, ports that come and go, sums per VM,
 * the order of rows, and numbers as text.
 */
#include "control/cli/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static struct rates_sample before, now;
static struct rates_row *rows;
static size_t n_rows;

static int set_up(void **state)
{
	memset(&before, 0, sizeof(before));
	memset(&now, 0, sizeof(now));
	before.valid = true;
	before.when_ns = 5 * SECOND;
	now.valid = true;
	now.when_ns = 7 * SECOND;
	rows = NULL;
	return 0;
}

static int tear_down(void **state)
{
	rates_free(&before);
	rates_free(&now);
	free(rows);
	return 0;
}

/* A port whose counters are @n, 10 * @n, 100 * @n ... in the order of enum rates_counter. */
static void port(struct rates_sample *sample, const char *name, const char *vm, uint64_t n)
{
	struct rates_port one = {0};
	unsigned int i;

	snprintf(one.port, sizeof(one.port), "%s", name);
	snprintf(one.vm, sizeof(one.vm), "%s", vm);
	for (i = 0; i < RATES_COUNTERS; i++, n *= 10)
		one.count[i] = n;
	assert_int_equal(rates_add_port(sample, &one), 0);
}

static void drop(struct rates_sample *sample, const char *name, const char *vm, const char *reason,
		 uint64_t count)
{
	struct rates_drop one = {.count = count};

	snprintf(one.port, sizeof(one.port), "%s", name);
	snprintf(one.vm, sizeof(one.vm), "%s", vm);
	snprintf(one.reason, sizeof(one.reason), "%s", reason);
	assert_int_equal(rates_add_drop(sample, &one), 0);
}

static void table(enum rates_by by, enum rates_order order)
{
	free(rows);
	rows = NULL;
	assert_int_equal(rates_table(&now, by, order, &rows, &n_rows), 0);
}

static void row(size_t at, const char *name, uint64_t count, uint64_t grown)
{
	assert_true(at < n_rows);
	assert_string_equal(rows[at].first->port, name);
	assert_int_equal(rows[at].count[RATES_RECEIVED], count);
	assert_int_equal(rows[at].grown[RATES_RECEIVED], grown);
}

static void test_growth(void **state)
{
	unsigned int i;
	uint64_t n;

	port(&before, "b", "b", 4);
	port(&before, "a", "a", 1);
	port(&now, "a", "a", 3);
	port(&now, "b", "b", 4);
	rates_grow(&now, &before);
	assert_int_equal(now.elapsed_ns, 2 * SECOND);
	table(RATES_BY_PORT, RATES_ORDER_NAME);
	assert_int_equal(n_rows, 2);
	for (i = 0, n = 1; i < RATES_COUNTERS; i++, n *= 10) {
		assert_int_equal(rows[0].count[i], 3 * n);
		assert_int_equal(rows[0].grown[i], 2 * n);
		assert_int_equal(rows[1].grown[i], 0);
	}
	row(1, "b", 4, 0);
}

static void test_the_first_sample_has_no_rates(void **state)
{
	before.valid = false;
	port(&now, "a", "a", 3);
	drop(&now, "a", "a", "spoof", 3);
	rates_grow(&now, &before);
	assert_int_equal(now.elapsed_ns, 0);
	table(RATES_BY_PORT, RATES_ORDER_RATE);
	row(0, "a", 3, 0);
	assert_int_equal(rows[0].drop.grown, 0);
	assert_int_equal(rows[0].drop.count, 3);
}

static void test_no_time_has_passed(void **state)
{
	now.when_ns = before.when_ns;
	port(&before, "a", "a", 1);
	port(&now, "a", "a", 3);
	rates_grow(&now, &before);
	assert_int_equal(now.elapsed_ns, 0);
	assert_int_equal(now.ports[0].grown[0], 0);
	assert_true(rates_per_second(5, 0) == 0);
}

/* Removed and made again: all it shows has been counted since. */
static void test_counters_that_went_back(void **state)
{
	port(&before, "a", "a", 1000);
	port(&before, "b", "b", 1000);
	port(&now, "a", "a", 30);
	port(&now, "b", "b", 1001);
	/* one of the counters is enough: here only the last one went back */
	now.ports[1].count[RATES_DROPPED_OUT] = 5;
	drop(&before, "a", "a", "spoof", 9);
	drop(&now, "a", "a", "spoof", 2);
	rates_grow(&now, &before);
	table(RATES_BY_PORT, RATES_ORDER_NAME);
	row(0, "a", 30, 30);
	assert_int_equal(rows[0].drop.grown, 2);
	row(1, "b", 1001, 1001);
	assert_int_equal(rows[1].grown[RATES_DROPPED_OUT], 5);
}

static void test_ports_come_and_go(void **state)
{
	port(&before, "a", "a", 10);
	port(&before, "c", "c", 10);
	port(&before, "d", "d", 10);
	port(&now, "e", "e", 7);
	port(&now, "c", "c", 11);
	port(&now, "b", "b", 5);
	drop(&before, "d", "d", "storm", 100);
	drop(&now, "b", "b", "storm", 4);
	rates_grow(&now, &before);
	table(RATES_BY_PORT, RATES_ORDER_NAME);
	assert_int_equal(n_rows, 3);
	row(0, "b", 5, 5);
	row(1, "c", 11, 1);
	row(2, "e", 7, 7);
	assert_int_equal(rows[0].drop.grown, 4);
	assert_string_equal(rows[1].drop.reason, "");
}

static void test_again_and_again(void **state)
{
	struct rates_sample old;
	uint64_t i;

	rates_clear(&before);
	for (i = 1; i <= 5; i++) {
		old = before;
		before = now;
		now = old;
		rates_clear(&now);
		now.valid = true;
		now.when_ns = (10 + i) * SECOND;
		/* by VM they stand in another order than by port */
		port(&now, "a", "y", 100 * i);
		port(&now, "b", "x", i * i);
		drop(&now, "a", "y", "spoof", i * i);
		rates_grow(&now, &before);
		table(RATES_BY_VM, RATES_ORDER_NAME);
		row(0, "b", i * i, i == 1 ? 1 : 2 * i - 1);
		row(1, "a", 100 * i, 100);
		assert_int_equal(rows[1].drop.grown, i == 1 ? 1 : 2 * i - 1);
	}
}

static void test_sums_per_vm(void **state)
{
	port(&before, "p1", "web", 1);
	port(&before, "p2", "db", 1);
	port(&before, "p3", "web", 1);
	port(&now, "p3", "web", 4);
	port(&now, "p2", "db", 6);
	port(&now, "p1", "web", 3);
	rates_grow(&now, &before);
	table(RATES_BY_VM, RATES_ORDER_NAME);
	assert_int_equal(n_rows, 2);
	assert_string_equal(rows[0].first->vm, "db");
	assert_int_equal(rows[0].ports, 1);
	assert_string_equal(rows[1].first->vm, "web");
	assert_int_equal(rows[1].ports, 2);
	assert_int_equal(rows[1].count[RATES_RECEIVED], 7);
	assert_int_equal(rows[1].grown[RATES_RECEIVED], 5);
	table(RATES_BY_NOTHING, RATES_ORDER_RATE);
	assert_int_equal(n_rows, 1);
	assert_int_equal(rows[0].ports, 3);
	assert_int_equal(rows[0].grown[RATES_SENT_BYTES], 10 * 1000);
}

static void test_order(void **state)
{
	port(&now, "c", "c", 5);
	port(&now, "a", "a", 5);
	port(&now, "d", "d", 9);
	port(&now, "b", "b", 0);
	/* frames to the guest count, too */
	now.ports[3].count[RATES_SENT] = 10000;
	rates_grow(&now, &before);
	table(RATES_BY_PORT, RATES_ORDER_RATE);
	row(0, "b", 0, 0);
	row(1, "d", 9, 9);
	row(2, "a", 5, 5);
	row(3, "c", 5, 5);
	table(RATES_BY_PORT, RATES_ORDER_NAME);
	row(0, "a", 5, 5);
	row(3, "d", 9, 9);
}

static void test_the_largest_drop(void **state)
{
	const char *const vms[] = {"v", "w"};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		port(&now, i ? "p2" : "p1", "v", 1);
		port(&now, i ? "q2" : "q1", vms[1], 1);
	}
	/* v: rx_full has most of the interval, though storm has most of all */
	drop(&before, "p1", "v", "storm", 1000);
	drop(&now, "p1", "v", "storm", 1001);
	drop(&now, "p1", "v", "spoof", 6);
	drop(&now, "p1", "v", "rx_full", 4);
	drop(&now, "p2", "v", "rx_full", 4);
	/* w: nothing in the interval */
	drop(&before, "q1", "w", "runt", 5);
	drop(&before, "q2", "w", "spoof", 7);
	drop(&now, "q1", "w", "runt", 5);
	drop(&now, "q2", "w", "spoof", 7);
	/* came after the counters were read */
	drop(&now, "z", "z", "spoof", 50);
	drop(&now, "a", "a", "spoof", 50);
	rates_grow(&now, &before);
	table(RATES_BY_VM, RATES_ORDER_NAME);
	assert_int_equal(n_rows, 2);
	assert_string_equal(rows[0].drop.reason, "rx_full");
	assert_int_equal(rows[0].drop.grown, 8);
	assert_int_equal(rows[0].drop.count, 8);
	assert_string_equal(rows[1].drop.reason, "spoof");
	assert_int_equal(rows[1].drop.grown, 0);
	assert_int_equal(rows[1].drop.count, 7);
	table(RATES_BY_PORT, RATES_ORDER_NAME);
	assert_string_equal(rows[0].drop.reason, "spoof");
	assert_string_equal(rows[1].drop.reason, "rx_full");
}

static void test_nothing(void **state)
{
	rates_grow(&now, &before);
	table(RATES_BY_VM, RATES_ORDER_RATE);
	assert_int_equal(n_rows, 0);
	assert_int_equal(now.elapsed_ns, 2 * SECOND);
}

static void test_per_second(void **state)
{
	assert_true(rates_per_second(3, 2 * SECOND) == 1.5);
	assert_true(rates_per_second(0, SECOND) == 0);
	assert_true(rates_per_second(1000, SECOND / 10) == 10000);
}

static void test_text(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1, "1"},
		{999, "999"},
		{0.25, "0.25"},
		{9.996, "10.0"},
		{17.04, "17.0"},
		{99.96, "100"},
		{123.4, "123"},
		{999.4, "999"},
		{999.6, "1.00k"},
		{1000, "1.00k"},
		{1234, "1.23k"},
		{99960, "100k"},
		{999600, "1.00M"},
		{14880952, "14.9M"},
		{18446744073709551615.0, "18.4E"},
		{1e40, "1"},
	};
	char text[RATES_TEXT_SIZE];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]) - 1; i++) {
		rates_text(cases[i].value, text);
		assert_string_equal(text, cases[i].text);
	}
	/* more than any counter can give: cut, but still a string */
	rates_text(cases[i].value, text);
	assert_true(strlen(text) == RATES_TEXT_SIZE - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_growth),
		TEST(test_the_first_sample_has_no_rates),
		TEST(test_no_time_has_passed),
		TEST(test_counters_that_went_back),
		TEST(test_ports_come_and_go),
		TEST(test_again_and_again),
		TEST(test_sums_per_vm),
		TEST(test_order),
		TEST(test_the_largest_drop),
		TEST(test_nothing),
		TEST(test_per_second),
		TEST(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
