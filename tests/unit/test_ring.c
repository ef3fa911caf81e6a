/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings: names of faults, start and stop, publishing, calls and event indices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/ring_chain.h"
#include "tests/unit/ring_fixture.h"

#include <string.h>

static void test_names(void **state)
{
	unsigned int i;
	unsigned int j;

	for (i = 0; i < VS_RING_FAULT_COUNT; i++) {
		assert_true(strlen(vs_ring_fault_name(i)) > 0);
		assert_true(strlen(vs_ring_fault_text(i)) > 0);
		for (j = 0; j < i; j++)
			assert_string_not_equal(vs_ring_fault_name(i), vs_ring_fault_name(j));
	}
	assert_string_equal(vs_ring_fault_name(VS_RING_OK), "ok");
	assert_string_equal(vs_ring_fault_name(VS_RING_FAULT_COUNT), "unknown");
	assert_string_equal(vs_ring_fault_text(1000), "unknown");
}

static void test_start_takes_used_index_from_memory(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);
	struct vring_used_elem e;

	vs_ring_stop(&f->ring);
	assert_false(vs_ring_usable(&f->ring));
	f->ring.used->idx = htole16(0xfffe);
	f->ring.avail->idx = htole16(0xfffe);
	f->avail = f->seen = 0xfffe;
	f->ring.fault = VS_RING_LOOP;
	f->ring.taken = 3;
	vs_ring_start(&f->ring, 0xfffe);
	assert_true(vs_ring_usable(&f->ring));
	assert_int_equal(rf_calls(f), 1); /* in case the one before us died in between */
	assert_int_equal(f->ring.next_used, 0xfffe);
	assert_int_equal(f->ring.next_avail, 0xfffe);
	assert_int_equal(f->ring.taken, 0);
	assert_true(le16toh(f->ring.used->flags) & VRING_USED_F_NO_NOTIFY);

	rf_give(f, LOW, 200, 0);
	assert_int_equal(rf_pull(f), 1);
	vs_ring_pull_done(&f->ring);
	assert_int_equal(rf_used_idx(f), 0xffff);
	assert_true(rf_used(f, &e));
	rf_free(f);
}

static void test_start_with_event_idx(void **state)
{
	struct rf *f = rf_new(16, RF_MODERN, 100);
	const __virtio16 *avail_event = (const __virtio16 *)&f->ring.used->ring[16];

	assert_int_equal(f->ring.used->flags, 0);
	assert_int_equal(le16toh(*avail_event), 100 + 0x8000);
	rf_free(f);
}

static void test_usable(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);

	assert_true(vs_ring_usable(&f->ring));
	f->mem.lost = 1;
	assert_false(vs_ring_usable(&f->ring));
	f->mem.lost = 0;
	vs_ring_break(&f->ring, VS_RING_LOOP);
	vs_ring_break(&f->ring, VS_RING_ADDRESS);
	assert_string_equal(rf_fault(f), "loop"); /* the first reason stays */
	assert_false(vs_ring_usable(&f->ring));
	rf_restart(f, 0);
	assert_true(vs_ring_usable(&f->ring));
	vs_ring_stop(&f->ring);
	vs_ring_stop(&f->ring);
	assert_false(vs_ring_usable(&f->ring));
	rf_free(f);
}

/* Give @n buffers and take them back in one publish. */
static void turn(struct rf *f, unsigned int n)
{
	struct vring_used_elem e;
	unsigned int i;

	for (i = 0; i < n; i++)
		rf_give(f, LOW, 100, 0);
	assert_int_equal(rf_pull(f), n);
	vs_ring_pull_done(&f->ring);
	for (i = 0; i < n; i++)
		assert_true(rf_used(f, &e));
	assert_false(rf_used(f, &e));
}

static void test_no_interrupt_flag(void **state)
{
	struct rf *f = rf_new(64, RF_PLAIN, 0);

	turn(f, 3);
	assert_int_equal(rf_calls(f), 1);
	f->ring.avail->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
	turn(f, 3);
	assert_int_equal(rf_calls(f), 0);
	f->ring.avail->flags = 0;
	turn(f, 1);
	assert_int_equal(rf_calls(f), 1);
	assert_int_equal(f->ring.calls, 1 + 2); /* that of the start as well */
	rf_free(f);
}

/* 2.6.7.2 by counting: was the index that follows the named one passed on the way? */
static int passed(uint16_t event, uint16_t old, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n; i++)
		if ((uint16_t)(old + i) == event)
			return 1;
	return 0;
}

static void test_event_index(void **state)
{
	static const uint16_t bases[] = {0, 1, 500, 0x7ffe, 0x8000, 0xfffb, 0xffff};
	unsigned int calls = 0;
	unsigned int b;
	int off;
	uint16_t n;

	for (b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
		struct rf *f = rf_new(16, RF_MODERN, bases[b]);

		for (n = 1; n <= 9; n += 4) {
			for (off = -12; off <= 12; off++) {
				uint16_t event = (uint16_t)(f->seen + off);
				int want = passed(event, f->seen, n);

				f->ring.avail->ring[16] = htole16(event);
				turn(f, n);
				assert_int_equal(rf_calls(f), want);
				calls += (unsigned int)want;
			}
		}
		rf_free(f);
	}
	assert_true(calls > 50);
}

static void test_event_index_of_wrapping_ring(void **state)
{
	struct rf *f = rf_new(64, RF_MODERN, 0);
	unsigned int calls = 0;
	unsigned int rounds;

	/* A driver that asks for a call once in 1000 entries, over more than the index space. */
	f->ring.avail->ring[64] = htole16(999);
	for (rounds = 0; rounds < 3000; rounds++) {
		turn(f, 50);
		if (rf_calls(f)) {
			calls++;
			f->ring.avail->ring[64] = htole16((uint16_t)(calls * 1000 + 999));
		}
	}
	assert_int_equal(calls, 150);
	rf_free(f);
}

static void test_call_descriptor(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);
	int fd = f->ring.call_fd;
	uint64_t before = f->ring.calls;

	f->ring.call_fd = -1;
	turn(f, 1);
	assert_int_equal(f->ring.calls, before);
	f->ring.call_fd = fd;
	assert_int_equal(rf_calls(f), 0);
	turn(f, 1);
	turn(f, 1);
	assert_int_equal(rf_calls(f), 2);
	assert_int_equal(f->ring.calls, before + 2);
	rf_free(f);
}

static void test_publish_nothing(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);

	vs_ring_publish(&f->ring, 0);
	vs_ring_pull_done(&f->ring);
	assert_int_equal(rf_used_idx(f), 0);
	assert_int_equal(rf_calls(f), 0);
	rf_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_start_takes_used_index_from_memory),
		cmocka_unit_test(test_start_with_event_idx),
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_no_interrupt_flag),
		cmocka_unit_test(test_event_index),
		cmocka_unit_test(test_event_index_of_wrapping_ring),
		cmocka_unit_test(test_call_descriptor),
		cmocka_unit_test(test_publish_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
