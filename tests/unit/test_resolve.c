/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours on the provider network: every state, every event, and clocks that jump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rte_ether_addr mac_a = {{0x02, 0, 0, 0, 0, 0x0a}};
static const struct rte_ether_addr mac_b = {{0x02, 0, 0, 0, 0, 0x0b}};

/** struct fixture - a hop and a made-up clock */
struct fixture {
	struct vs_hop hop;
	uint64_t now;
	enum vs_hop_limit limit;
};

static struct fixture fresh(void)
{
	return (struct fixture){.now = 5000};
}

static unsigned int step(struct fixture *f, enum vs_hop_event event,
			 const struct rte_ether_addr *mac)
{
	return vs_hop_step(&f->hop, event, mac, f->now, f->limit);
}

static unsigned int after(struct fixture *f, uint64_t ms)
{
	f->now += ms;
	return step(f, VS_HOP_TIME, NULL);
}

/* A neighbour that answered at once. */
static struct fixture reachable(void)
{
	struct fixture f = fresh();

	assert_int_equal(step(&f, VS_HOP_NEEDED, NULL), VS_HOP_ASK_ALL);
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_a), VS_HOP_SET);
	assert_int_equal(f.hop.state, VS_HOP_REACHABLE);
	return f;
}

/* One that nobody answers for. */
static struct fixture failed(void)
{
	struct fixture f = fresh();

	(void)step(&f, VS_HOP_NEEDED, NULL);
	(void)after(&f, VS_HOP_ASK_MS);
	(void)after(&f, VS_HOP_ASK_MS);
	(void)after(&f, VS_HOP_ASK_MS);
	assert_int_equal(f.hop.state, VS_HOP_FAILED);
	return f;
}

static void test_asks_only_when_needed(void **state)
{
	struct fixture f = fresh();

	assert_int_equal(after(&f, 100000), 0);
	assert_int_equal(step(&f, VS_HOP_HEARD, &mac_a), 0);
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_a), 0);
	assert_int_equal(step(&f, VS_HOP_DOUBTED, NULL), 0);
	assert_int_equal(f.hop.state, VS_HOP_IDLE);
	assert_int_equal(step(&f, VS_HOP_NEEDED, NULL), VS_HOP_ASK_ALL);
	assert_int_equal(f.hop.state, VS_HOP_INCOMPLETE);
	/* More frames ask no more questions. */
	assert_int_equal(step(&f, VS_HOP_NEEDED, NULL), 0);
	assert_int_equal(f.hop.asked, 1);
}

static void test_three_questions_a_second_apart(void **state)
{
	struct fixture f = fresh();

	(void)step(&f, VS_HOP_NEEDED, NULL);
	assert_int_equal(after(&f, VS_HOP_ASK_MS - 1), 0);
	assert_int_equal(after(&f, 1), VS_HOP_ASK_ALL);
	assert_int_equal(after(&f, VS_HOP_ASK_MS), VS_HOP_ASK_ALL);
	assert_int_equal(f.hop.asked, VS_HOP_TRIES);
	assert_int_equal(after(&f, VS_HOP_ASK_MS - 1), 0);
	assert_int_equal(after(&f, 1), VS_HOP_FAIL | VS_HOP_TELL_FAILED);
	assert_int_equal(f.hop.state, VS_HOP_FAILED);
}

static void test_failed_for_twenty_seconds(void **state)
{
	struct fixture f = failed();
	unsigned int asked = 0;
	unsigned int ms;

	for (ms = 0; ms < VS_HOP_FAILED_MS - 100; ms += 100) {
		const unsigned int actions = after(&f, 100);

		assert_int_equal(f.hop.state, VS_HOP_FAILED);
		assert_int_equal(step(&f, VS_HOP_NEEDED, NULL), 0);
		if (actions) {
			assert_int_equal(actions, VS_HOP_ASK_ALL);
			asked++;
		}
	}
	assert_int_equal(asked, VS_HOP_FAILED_MS / VS_HOP_FAILED_ASK_MS - 1);
	assert_int_equal(after(&f, 100), VS_HOP_FORGET);
	assert_int_equal(f.hop.state, VS_HOP_IDLE);
	/* The next failure is not news. */
	assert_int_equal(step(&f, VS_HOP_NEEDED, NULL), VS_HOP_ASK_ALL);
	(void)after(&f, VS_HOP_ASK_MS);
	(void)after(&f, VS_HOP_ASK_MS);
	assert_int_equal(after(&f, VS_HOP_ASK_MS), VS_HOP_FAIL);
}

static void test_back_from_failure(void **state)
{
	struct fixture f = failed();

	/* The answer to the third question, too late: not solicited any more, but good to ask. */
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_a),
			 VS_HOP_SET | VS_HOP_TELL_BACK | VS_HOP_ASK_ONE);
	assert_int_equal(f.hop.state, VS_HOP_PROBING);

	f = failed();
	assert_int_equal(after(&f, VS_HOP_FAILED_ASK_MS), VS_HOP_ASK_ALL);
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_a), VS_HOP_SET | VS_HOP_TELL_BACK);
	assert_int_equal(f.hop.state, VS_HOP_REACHABLE);

	f = failed();
	assert_int_equal(step(&f, VS_HOP_HEARD, &mac_a),
			 VS_HOP_SET | VS_HOP_TELL_BACK | VS_HOP_ASK_ONE);
}

static void test_refresh_keeps_the_mac(void **state)
{
	struct fixture f = reachable();
	unsigned int round;

	for (round = 0; round < 1000; round++) {
		assert_int_equal(after(&f, VS_HOP_GOOD_MS - 1), 0);
		assert_int_equal(after(&f, 1), VS_HOP_ASK_ONE);
		assert_int_equal(f.hop.state, VS_HOP_PROBING);
		assert_true(vs_hop_has_mac(&f.hop));
		assert_int_equal(step(&f, VS_HOP_NEEDED, NULL), 0);
		assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_a), 0);
		assert_int_equal(f.hop.state, VS_HOP_REACHABLE);
	}
	assert_int_equal(f.hop.asked, 1 + round);
}

static void test_a_neighbour_that_falls_silent(void **state)
{
	struct fixture f = reachable();

	assert_int_equal(after(&f, VS_HOP_GOOD_MS), VS_HOP_ASK_ONE);
	assert_int_equal(after(&f, VS_HOP_ASK_MS), VS_HOP_ASK_ONE);
	assert_int_equal(after(&f, VS_HOP_ASK_MS), VS_HOP_ASK_ONE);
	assert_int_equal(after(&f, VS_HOP_ASK_MS), VS_HOP_FORGET | VS_HOP_ASK_ALL);
	assert_int_equal(f.hop.state, VS_HOP_INCOMPLETE);
	/* It had got another card. */
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_b), VS_HOP_SET | VS_HOP_TELL_MOVED);
	assert_true(rte_is_same_ether_addr(&f.hop.before, &mac_a));
	assert_int_equal(f.hop.moves, 1);
}

static void test_another_mac_by_answer(void **state)
{
	struct fixture f = reachable();

	(void)after(&f, VS_HOP_GOOD_MS);
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_b), VS_HOP_SET | VS_HOP_TELL_MOVED);
	assert_int_equal(f.hop.state, VS_HOP_REACHABLE);
	assert_true(rte_is_same_ether_addr(&f.hop.mac, &mac_b));
}

static void test_another_mac_by_hearsay(void **state)
{
	struct fixture f = reachable();

	/* What it says of the MAC that is known proves nothing and changes nothing. */
	assert_int_equal(step(&f, VS_HOP_HEARD, &mac_a), 0);
	assert_int_equal(f.hop.state, VS_HOP_REACHABLE);
	/* An answer to no question is hearsay. */
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_b),
			 VS_HOP_SET | VS_HOP_TELL_MOVED | VS_HOP_ASK_ONE);
	assert_int_equal(f.hop.state, VS_HOP_PROBING);
	/* Not to and fro as often as somebody likes. */
	f.now += VS_HOP_LOCK_MS - 1;
	assert_int_equal(step(&f, VS_HOP_HEARD, &mac_a), 0);
	f.now += 1;
	assert_int_equal(step(&f, VS_HOP_HEARD, &mac_a),
			 VS_HOP_SET | VS_HOP_TELL_MOVED | VS_HOP_ASK_ONE);
	assert_int_equal(f.hop.moves, 2);
}

static void test_hearsay_while_asking(void **state)
{
	struct fixture f = fresh();

	(void)step(&f, VS_HOP_NEEDED, NULL);
	assert_int_equal(step(&f, VS_HOP_HEARD, &mac_a), VS_HOP_SET | VS_HOP_ASK_ONE);
	assert_int_equal(f.hop.state, VS_HOP_PROBING);
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_a), 0);
	assert_int_equal(f.hop.state, VS_HOP_REACHABLE);
}

static void test_doubt(void **state)
{
	struct fixture f = reachable();

	assert_int_equal(step(&f, VS_HOP_DOUBTED, NULL), VS_HOP_ASK_ONE);
	assert_int_equal(f.hop.state, VS_HOP_PROBING);
	assert_true(rte_is_same_ether_addr(&f.hop.mac, &mac_a));
	assert_int_equal(step(&f, VS_HOP_DOUBTED, NULL), 0);
	f = failed();
	assert_int_equal(step(&f, VS_HOP_DOUBTED, NULL), 0);
}

static void test_a_limit_delays_and_does_not_count(void **state)
{
	struct fixture f = fresh();
	unsigned int i;

	f.limit = VS_HOP_ASK_LATER;
	assert_int_equal(step(&f, VS_HOP_NEEDED, NULL), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(after(&f, VS_HOP_LATER_MS), 0);
	assert_int_equal(f.hop.state, VS_HOP_INCOMPLETE);
	/* Nobody was asked: nobody answers. */
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_a), VS_HOP_SET);
	assert_int_equal(f.hop.state, VS_HOP_STALE);
	for (i = 0; i < 100; i++)
		assert_int_equal(after(&f, VS_HOP_LATER_MS), 0);
	assert_int_equal(f.hop.state, VS_HOP_STALE);
	f.limit = VS_HOP_MAY_ASK;
	assert_int_equal(after(&f, VS_HOP_LATER_MS), VS_HOP_ASK_ONE);
	assert_int_equal(f.hop.asked, 1);
}

static void test_reset(void **state)
{
	struct fixture f = reachable();

	assert_int_equal(step(&f, VS_HOP_RESET, NULL), VS_HOP_FORGET);
	assert_int_equal(f.hop.state, VS_HOP_IDLE);
	assert_int_equal(step(&f, VS_HOP_NEEDED, NULL), VS_HOP_ASK_ALL);
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_b), VS_HOP_SET);
	assert_int_equal(f.hop.moves, 0);
}

static void test_the_clock_jumps(void **state)
{
	struct fixture f = fresh();

	/* Forwards: no question counts that was not asked. */
	(void)step(&f, VS_HOP_NEEDED, NULL);
	assert_int_equal(after(&f, 86400000), VS_HOP_ASK_ALL);
	assert_int_equal(after(&f, 86400000), VS_HOP_ASK_ALL);
	assert_int_equal(step(&f, VS_HOP_ANSWERED, &mac_a), VS_HOP_SET);
	assert_int_equal(after(&f, UINT32_MAX), VS_HOP_ASK_ONE);
	/* Backwards: it asks now, and not when the clock is there again. */
	f = reachable();
	f.now = 100;
	f.hop.due_ms = UINT64_C(1) << 40;
	assert_true(vs_hop_is_due(&f.hop, f.now));
	assert_int_equal(step(&f, VS_HOP_TIME, NULL), VS_HOP_ASK_ONE);
	/* At its ends. */
	f = fresh();
	f.now = UINT64_MAX - 500;
	(void)step(&f, VS_HOP_NEEDED, NULL);
	assert_int_equal(f.hop.asked, 1);
	f.now += 1500;
	assert_int_equal(step(&f, VS_HOP_TIME, NULL), VS_HOP_ASK_ALL);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Whatever happens in whatever order: what is done fits what is known. */
static void test_any_order(void **state)
{
	struct fixture f = fresh();
	uint32_t seed = 20260;
	bool known = false;
	uint64_t asked_ms = 0;
	unsigned int i;

	print_message("seed %u\n", seed);
	for (i = 0; i < 200000; i++) {
		const struct rte_ether_addr *mac = next_random(&seed) & 1 ? &mac_a : &mac_b;
		const enum vs_hop_event event = next_random(&seed) % (VS_HOP_TIME + 1);
		const bool takes = event == VS_HOP_ANSWERED || event == VS_HOP_HEARD;
		const uint64_t asked = f.hop.asked;
		unsigned int actions;

		f.now += next_random(&seed) % 1500;
		f.limit = next_random(&seed) % 4 ? VS_HOP_MAY_ASK : VS_HOP_ASK_LATER;
		actions = step(&f, event, takes ? mac : NULL);
		if (actions & VS_HOP_SET)
			known = true;
		if (actions & (VS_HOP_FORGET | VS_HOP_FAIL))
			known = false;
		assert_true(known == vs_hop_has_mac(&f.hop));
		assert_true((actions & VS_HOP_ASK_ONE) == 0 || known);
		assert_true((actions & (VS_HOP_ASK_ONE | VS_HOP_ASK_ALL)) == 0 ||
			    f.limit == VS_HOP_MAY_ASK);
		assert_int_equal(f.hop.asked - asked,
				 (actions & (VS_HOP_ASK_ONE | VS_HOP_ASK_ALL)) != 0);
		assert_true(f.hop.tries <= VS_HOP_TRIES + 1);
		if (actions & (VS_HOP_ASK_ONE | VS_HOP_ASK_ALL))
			asked_ms = f.now;
		/* An answer makes it sure only if somebody was asked. */
		assert_true(f.hop.state != VS_HOP_REACHABLE || asked_ms != 0);
		assert_string_not_equal(vs_hop_state_name(f.hop.state), "");
	}
}

/* ---- frames that wait ---- */

static void test_the_oldest_goes(void **state)
{
	struct vs_wait_room room = {0};
	struct vs_wait wait = {0};
	struct vs_wait_frame *frame;
	char i;

	assert_false(vs_wait_put(&wait, &room, "0", 1));
	assert_false(vs_wait_put(&wait, &room, "1", 1));
	assert_true(vs_wait_put(&wait, &room, "2", 1));
	assert_true(vs_wait_put(&wait, &room, "3", 1));
	assert_int_equal(wait.lost, 1);
	assert_int_equal(room.bytes, 3);
	for (i = '1'; i <= '3'; i++) {
		frame = vs_wait_take(&wait, &room);
		assert_non_null(frame);
		assert_int_equal(frame->bytes[0], i);
		free(frame);
	}
	assert_null(vs_wait_take(&wait, &room));
	assert_int_equal(room.bytes, 0);
}

static void test_dropped_in_vain(void **state)
{
	struct vs_wait_room room = {0};
	struct vs_wait wait = {0};

	(void)vs_wait_put(&wait, &room, "ab", 2);
	(void)vs_wait_put(&wait, &room, "cd", 2);
	assert_int_equal(vs_wait_drop(&wait, &room), 2);
	assert_int_equal(vs_wait_drop(&wait, &room), 0);
	assert_int_equal(wait.lost, 2);
	assert_int_equal(room.bytes, 0);
}

/* However many addresses there are: what waits is bounded. */
static void test_room_for_all(void **state)
{
	static uint8_t frame[9400];
	struct vs_wait_room room = {0};
	struct vs_wait *wait = calloc(1000, sizeof(*wait));
	uint64_t kept = 0;
	uint64_t lost = 0;
	unsigned int i;

	assert_non_null(wait);
	for (i = 0; i < 3000; i++)
		(void)vs_wait_put(&wait[i / 3], &room, frame, sizeof(frame));
	assert_true(room.bytes <= VS_WAIT_BYTES);
	for (i = 0; i < 1000; i++) {
		kept += wait[i].n;
		lost += wait[i].lost;
		(void)vs_wait_drop(&wait[i], &room);
	}
	assert_int_equal(kept, VS_WAIT_BYTES / sizeof(frame));
	assert_int_equal(kept + lost, 3000);
	assert_int_equal(room.bytes, 0);
	free(wait);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks_only_when_needed),
		cmocka_unit_test(test_three_questions_a_second_apart),
		cmocka_unit_test(test_failed_for_twenty_seconds),
		cmocka_unit_test(test_back_from_failure),
		cmocka_unit_test(test_refresh_keeps_the_mac),
		cmocka_unit_test(test_a_neighbour_that_falls_silent),
		cmocka_unit_test(test_another_mac_by_answer),
		cmocka_unit_test(test_another_mac_by_hearsay),
		cmocka_unit_test(test_hearsay_while_asking),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_a_limit_delays_and_does_not_count),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_the_clock_jumps),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_the_oldest_goes),
		cmocka_unit_test(test_dropped_in_vain),
		cmocka_unit_test(test_room_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
