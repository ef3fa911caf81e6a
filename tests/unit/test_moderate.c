/* SPDX-License-Identifier: BSD-3-Clause */
/* Moderation of interrupts: what is held back, until when, and that it is not lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/owed.h"
#include "dataplane/guest/ring_chain.h"
#include "tests/unit/ring_fixture.h"

#include <rte_cycles.h>

enum {
	PORT = 7,
	SLOW = 1u << 30, /* ticks of a microsecond: no time ever ends */
};

static const uint16_t limit[] = {
	[VS_GUEST_MOD_LOW] = 8,
	[VS_GUEST_MOD_MEDIUM] = 16,
	[VS_GUEST_MOD_HIGH] = 32,
};

static struct rf *new_ring(enum rf_driver driver, enum vs_guest_mod level)
{
	struct rf *f = rf_new(256, driver, 65500);

	vs_owed = (struct vs_owed){.due = VS_OWED_NEVER};
	f->ring.us_ticks = SLOW;
	f->ring.moderation = (uint8_t)level;
	/* Adaptive: the last millisecond ended just now. */
	f->ring.window_tsc = rte_rdtsc();
	return f;
}

static void publish(struct rf *f, unsigned int n)
{
	while (n--)
		vs_ring_publish(&f->ring, 1);
}

/* The driver wants to be told of the entry at @idx. */
static void want(struct rf *f, uint16_t idx)
{
	f->ring.avail->ring[f->ring.size] = htole16(idx);
}

static void test_frames_enough(void **state)
{
	enum vs_guest_mod level;

	for (level = VS_GUEST_MOD_LOW; level <= VS_GUEST_MOD_HIGH; level++) {
		struct rf *f = new_ring(RF_PLAIN, level);
		unsigned int i;

		for (i = 0; i < 5; i++) {
			publish(f, limit[level] - 1u);
			assert_int_equal(rf_calls(f), 0);
			assert_int_equal(f->ring.owed, limit[level] - 1);
			publish(f, 1);
			assert_int_equal(rf_calls(f), 1);
			assert_int_equal(f->ring.owed, 0);
		}
		/* As many at once. */
		vs_ring_publish(&f->ring, 64);
		assert_int_equal(rf_calls(f), 1);
		rf_free(f);
	}
}

static void test_time_of_the_first(void **state)
{
	struct rf *f = new_ring(RF_PLAIN, VS_GUEST_MOD_HIGH);
	uint64_t due;

	assert_true(vs_owed.due == VS_OWED_NEVER);
	publish(f, 1);
	due = f->ring.owed_due;
	assert_true(due > rte_rdtsc() && due < rte_rdtsc() + UINT64_C(200) * SLOW);
	assert_true(vs_owed.due == due);
	assert_int_equal(vs_owed.n, 1);
	assert_int_equal(vs_owed.port[0], PORT);
	/* Those behind it change nothing. */
	publish(f, 5);
	assert_true(f->ring.owed_due == due && vs_owed.due == due);
	assert_int_equal(vs_owed.n, 1);
	vs_ring_remind(&f->ring);
	assert_int_equal(rf_calls(f), 1);
	vs_ring_remind(&f->ring);
	assert_int_equal(rf_calls(f), 0);
	rf_free(f);
}

static void test_off_does_not_wait(void **state)
{
	struct rf *f = new_ring(RF_PLAIN, VS_GUEST_MOD_HIGH);

	publish(f, 3);
	f->ring.moderation = VS_GUEST_MOD_OFF;
	publish(f, 1);
	assert_int_equal(rf_calls(f), 1);
	/* What was owed is still there. */
	vs_ring_remind(&f->ring);
	assert_int_equal(rf_calls(f), 1);
	publish(f, 4);
	assert_int_equal(rf_calls(f), 4);
	assert_int_equal(f->ring.owed, 0);
	rf_free(f);
}

static void test_who_wants_none(void **state)
{
	struct rf *f = new_ring(RF_PLAIN, VS_GUEST_MOD_LOW);

	f->ring.avail->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
	publish(f, 40);
	assert_int_equal(f->ring.owed, 0);
	assert_int_equal(vs_owed.n, 0);
	/* It wanted one, and looks now. */
	f->ring.avail->flags = 0;
	publish(f, 3);
	f->ring.avail->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
	vs_ring_remind(&f->ring);
	assert_int_equal(rf_calls(f), 0);
	rf_free(f);
}

static void test_event_index(void **state)
{
	struct rf *f = new_ring(RF_MODERN, VS_GUEST_MOD_LOW);
	uint16_t idx = f->ring.next_used;

	/* Of the third one. The two before are not what it is to be told of. */
	want(f, (uint16_t)(idx + 2));
	publish(f, 2);
	assert_int_equal(f->ring.owed, 0);
	publish(f, 4);
	assert_int_equal(f->ring.owed, 4);
	vs_ring_remind(&f->ring);
	assert_int_equal(rf_calls(f), 1);

	/* It has taken them meanwhile, and wants to be told of the next one. */
	want(f, f->ring.next_used);
	publish(f, 3);
	assert_int_equal(f->ring.owed, 3);
	want(f, f->ring.next_used);
	vs_ring_remind(&f->ring);
	assert_int_equal(rf_calls(f), 0);

	/* It has taken some of them, and asks for what is behind these. */
	publish(f, 3);
	want(f, (uint16_t)(f->ring.next_used - 2));
	vs_ring_remind(&f->ring);
	assert_int_equal(rf_calls(f), 1);
	rf_free(f);
}

static void test_adaptive(void **state)
{
	static const struct {
		uint32_t pace;
		unsigned int frames;
	} step[] = {{0, 1}, {63, 1}, {64, 8}, {255, 8}, {256, 16}, {1023, 16}, {1024, 32}};
	unsigned int i;

	for (i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		struct rf *f = new_ring(RF_PLAIN, VS_GUEST_MOD_ADAPTIVE);

		f->ring.pace = step[i].pace;
		publish(f, step[i].frames - 1);
		assert_int_equal(rf_calls(f), 0);
		publish(f, 1);
		assert_int_equal(rf_calls(f), 1);
		rf_free(f);
	}
}

static void test_adaptive_counts(void **state)
{
	struct rf *f = new_ring(RF_PLAIN, VS_GUEST_MOD_ADAPTIVE);
	const uint64_t window = UINT64_C(1000) * SLOW;

	publish(f, 100);
	assert_int_equal(rf_calls(f), 100);
	/* The next millisecond is judged by it ... */
	f->ring.window_tsc = rte_rdtsc() - window;
	publish(f, 7);
	assert_int_equal(rf_calls(f), 0);
	publish(f, 1);
	assert_int_equal(rf_calls(f), 1);
	/* ... and one after a pause by the pause. */
	f->ring.window_tsc = rte_rdtsc() - 3 * window;
	publish(f, 1);
	assert_int_equal(rf_calls(f), 1);
	rf_free(f);
}

static void test_start_owes_nothing(void **state)
{
	struct rf *f = new_ring(RF_PLAIN, VS_GUEST_MOD_HIGH);

	publish(f, 3);
	rf_restart(f, 0);
	assert_int_equal(f->ring.owed, 0);
	vs_ring_remind(&f->ring);
	assert_int_equal(rf_calls(f), 0);
	rf_free(f);
}

/* Before it sleeps, a worker asks for kicks in the way that was negotiated, and takes it back. */
static void test_kicks(void **state)
{
	struct rf *f = rf_new(16, RF_MODERN, 100);
	const __virtio16 *event = (const __virtio16 *)&f->ring.used->ring[16];

	assert_int_equal((uint16_t)(le16toh(*event) - 100), 0x8000);
	vs_ring_want_kicks(&f->ring, VS_BELL_RING);
	assert_int_equal(le16toh(*event), 100);
	assert_int_equal(f->ring.used->flags, 0);
	vs_ring_want_kicks(&f->ring, VS_BELL_MUTE);
	assert_int_equal((uint16_t)(le16toh(*event) - 100), 0x8000);
	rf_free(f);

	f = rf_new(16, RF_PLAIN, 100);
	assert_int_equal(le16toh(f->ring.used->flags), VRING_USED_F_NO_NOTIFY);
	vs_ring_want_kicks(&f->ring, VS_BELL_RING);
	assert_int_equal(f->ring.used->flags, 0);
	vs_ring_want_kicks(&f->ring, VS_BELL_MUTE);
	assert_int_equal(le16toh(f->ring.used->flags), VRING_USED_F_NO_NOTIFY);
	rf_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_enough),
		cmocka_unit_test(test_time_of_the_first),
		cmocka_unit_test(test_off_does_not_wait),
		cmocka_unit_test(test_who_wants_none),
		cmocka_unit_test(test_event_index),
		cmocka_unit_test(test_adaptive),
		cmocka_unit_test(test_adaptive_counts),
		cmocka_unit_test(test_start_owes_nothing),
		cmocka_unit_test(test_kicks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
