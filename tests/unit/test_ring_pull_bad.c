/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from the guest that are dropped, rules that are broken, memory that changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/ring_chain.h"
#include "tests/unit/ring_fixture.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* One frame that is dropped for @reason; the ring goes on. */
static void expect_drop(struct rf *f, enum vs_drop reason)
{
	struct vring_used_elem e;

	assert_int_equal(rf_pull(f), 1);
	assert_string_equal(vs_drop_name(f->burst->pkt[0].drop), vs_drop_name(reason));
	assert_int_equal(f->burst->pkt[0].n_ext, 0);
	assert_int_equal(f->burst->n_ext, 0);
	assert_int_equal(f->burst->pkt[0].len, f->burst->pkt[0].hdr_len);
	vs_ring_pull_done(&f->ring);
	assert_true(rf_used(f, &e));
	assert_string_equal(rf_fault(f), "ok");
	rf_place(f, LOW, 12, 64, 1);
	rf_give(f, LOW, 76, 0);
	assert_int_equal(rf_pull(f), 1);
	rf_expect_frame(&f->burst->pkt[0], 64, 1);
	vs_ring_pull_done(&f->ring);
	assert_true(rf_used(f, &e));
}

static void test_drop_vnet_short(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);
	const struct rf_buf pieces[] = {{LOW, 5}, {LOW + 9, 6}};
	uint32_t len;

	for (len = 0; len < 12; len++) {
		rf_give(f, LOW, len, 0);
		expect_drop(f, VS_DROP_VNET_SHORT);
	}
	rf_chain(f, pieces, 2, 0);
	expect_drop(f, VS_DROP_VNET_SHORT);
	rf_free(f);
}

static void test_drop_chain_bytes(void **state)
{
	struct rf *f = rf_new(256, RF_PLAIN, 0);
	struct rf_buf buf[] = {{LOW, 0x8000}, {LOW + 0x8000, VS_CHAIN_BYTES_MAX - 0x8000}};

	rf_place(f, LOW, 12, VS_CHAIN_BYTES_MAX - 12, 1);
	rf_chain(f, buf, 2, 0);
	assert_int_equal(rf_pull(f), 1);
	rf_expect_frame(&f->burst->pkt[0], VS_CHAIN_BYTES_MAX - 12, 1);
	vs_ring_pull_done(&f->ring);
	f->seen++;

	buf[1].len++;
	rf_chain(f, buf, 2, 0);
	expect_drop(f, VS_DROP_CHAIN_BYTES);
	rf_give(f, LOW, LOW_BYTES, 0);
	expect_drop(f, VS_DROP_CHAIN_BYTES);
	rf_free(f);
}

static void test_drop_chain_descs(void **state)
{
	struct rf *f = rf_new(256, RF_MODERN, 0);
	struct rf_buf buf[200];
	unsigned int i;

	for (i = 0; i < 200; i++)
		buf[i] = (struct rf_buf){LOW + 20 * i, 20};
	rf_chain(f, buf, 64, 0);
	assert_int_equal(rf_pull(f), 1);
	assert_int_equal(f->burst->pkt[0].drop, VS_DROP_NONE);
	assert_int_equal(f->burst->pkt[0].len, 64 * 20 - 12);
	vs_ring_pull_done(&f->ring);
	f->seen++;
	rf_chain(f, buf, 65, 0);
	expect_drop(f, VS_DROP_CHAIN_DESCS);
	rf_indirect(f, TABLE, buf, 200, 0);
	expect_drop(f, VS_DROP_CHAIN_DESCS);
	/* Descriptors of zero bytes count as well. */
	for (i = 0; i < 65; i++)
		buf[i].len = i < 64 ? 0 : 100;
	rf_chain(f, buf, 65, 0);
	expect_drop(f, VS_DROP_CHAIN_DESCS);
	rf_free(f);
}

/* What walks far ends the visit, so that a burst of it cannot hold the worker. */
static void test_long_chain_ends_visit(void **state)
{
	struct rf *f = rf_new(256, RF_MODERN, 0);
	struct rf_buf buf[1024];
	unsigned int i;

	for (i = 0; i < 1024; i++)
		buf[i] = (struct rf_buf){LOW, 0};
	rf_indirect(f, TABLE, buf, 1024, 0);
	rf_give(f, LOW, 100, 0);
	assert_int_equal(rf_pull(f), 1);
	assert_int_equal(f->burst->pkt[0].drop, VS_DROP_CHAIN_DESCS);
	vs_ring_pull_done(&f->ring);
	assert_int_equal(rf_pull(f), 1);
	vs_ring_pull_done(&f->ring);

	buf[0].len = LOW_BYTES;
	rf_indirect(f, TABLE, buf, 1024, 0);
	rf_give(f, LOW, 100, 0);
	assert_int_equal(rf_pull(f), 1);
	assert_int_equal(f->burst->pkt[0].drop, VS_DROP_CHAIN_BYTES);
	rf_free(f);
}

/* A good frame, then what @make does: the first still comes, the ring is detached. */
static void expect_fault(enum rf_driver driver, void (*make)(struct rf *f), const char *name)
{
	struct rf *f = rf_new(16, driver, 65534);
	uint16_t head;
	uint16_t next;

	rf_place(f, LOW, f->ring.hdr_len, 100, 4);
	head = rf_give(f, LOW, f->ring.hdr_len + 100u, 0);
	make(f);
	assert_int_equal(rf_pull(f), 1);
	rf_expect_frame(&f->burst->pkt[0], 100, 4);
	assert_string_equal(rf_fault(f), name);
	assert_false(vs_ring_usable(&f->ring));
	next = f->ring.next_avail;
	assert_int_equal(next, 65535);
	rf_expect_back(f, &head, 1);
	assert_string_equal(rf_fault(f), name);
	rf_free(f);
}

static void head_range(struct rf *f)
{
	rf_offer(f, 16);
}

static void next_range(struct rf *f)
{
	rf_desc(f, 3, LOW, 20, NEXT, 16);
	rf_offer(f, 3);
}

static void next_range_indirect(struct rf *f)
{
	rf_desc_at(f, TABLE, 0, LOW, 20, NEXT, 2);
	rf_desc(f, 3, TABLE, 32, INDIRECT, 0);
	rf_offer(f, 3);
}

static void loop(struct rf *f)
{
	rf_desc(f, 3, LOW, 20, NEXT, 4);
	rf_desc(f, 4, LOW, 20, NEXT, 3);
	rf_offer(f, 3);
}

static void loop_indirect(struct rf *f)
{
	rf_desc_at(f, TABLE, 0, LOW, 20, NEXT, 1);
	rf_desc_at(f, TABLE, 1, LOW, 20, NEXT, 0);
	rf_desc(f, 3, TABLE, 32, INDIRECT, 0);
	rf_offer(f, 3);
}

/* A loop longer than the cap of descriptors is walked to its end as well. */
static void loop_after_drop(struct rf *f)
{
	uint16_t i;

	for (i = 0; i < 100; i++)
		rf_desc_at(f, TABLE, i, LOW, 20, NEXT, (uint16_t)((i + 1) % 100));
	rf_desc(f, 3, TABLE, 1600, INDIRECT, 0);
	rf_offer(f, 3);
}

static void indirect_ok(struct rf *f)
{
	rf_desc_at(f, TABLE, 0, LOW, 20, 0, 0);
	rf_desc(f, 3, TABLE, 16, INDIRECT, 0);
	rf_offer(f, 3);
}

static void indirect_zero(struct rf *f)
{
	rf_desc(f, 3, TABLE, 0, INDIRECT, 0);
	rf_offer(f, 3);
}

static void indirect_odd(struct rf *f)
{
	rf_desc(f, 3, TABLE, 24, INDIRECT, 0);
	rf_offer(f, 3);
}

static void indirect_long(struct rf *f)
{
	rf_desc(f, 3, LOW, 16 * 1025, INDIRECT, 0);
	rf_offer(f, 3);
}

static void indirect_next(struct rf *f)
{
	rf_desc(f, 3, TABLE, 16, INDIRECT | NEXT, 4);
	rf_offer(f, 3);
}

static void indirect_inside(struct rf *f)
{
	rf_desc_at(f, TABLE, 0, TABLE + 16, 16, INDIRECT, 0);
	rf_desc(f, 3, TABLE, 16, INDIRECT, 0);
	rf_offer(f, 3);
}

static void indirect_address(struct rf *f)
{
	rf_desc(f, 3, HIGH + HIGH_BYTES - 16, 32, INDIRECT, 0);
	rf_offer(f, 3);
}

static void not_readable(struct rf *f)
{
	rf_desc(f, 3, LOW, 20, NEXT, 4);
	rf_desc(f, 4, LOW, 20, WRITE, 0);
	rf_offer(f, 3);
}

static void test_faults(void **state)
{
	expect_fault(RF_MODERN, head_range, "head_range");
	expect_fault(RF_MODERN, next_range, "next_range");
	expect_fault(RF_MODERN, next_range_indirect, "next_range");
	expect_fault(RF_MODERN, loop, "loop");
	expect_fault(RF_MODERN, loop_indirect, "loop");
	expect_fault(RF_MODERN, loop_after_drop, "loop");
	expect_fault(RF_PLAIN, indirect_ok, "indirect_denied");
	expect_fault(RF_LEGACY, indirect_ok, "indirect_denied");
	expect_fault(RF_MODERN, indirect_zero, "indirect_len");
	expect_fault(RF_MODERN, indirect_odd, "indirect_len");
	expect_fault(RF_MODERN, indirect_long, "indirect_len");
	expect_fault(RF_MODERN, indirect_next, "indirect_nested");
	expect_fault(RF_MODERN, indirect_inside, "indirect_nested");
	expect_fault(RF_MODERN, indirect_address, "address");
	expect_fault(RF_MODERN, not_readable, "not_readable");
}

static void test_avail_jump(void **state)
{
	static const int jumps[] = {17, 18, 1000, 32768, 65535};
	unsigned int i;

	for (i = 0; i < 5; i++) {
		struct rf *f = rf_new(16, RF_PLAIN, 65530);

		f->ring.avail->idx = htole16((uint16_t)(65530 + jumps[i]));
		assert_int_equal(rf_pull(f), 0);
		assert_string_equal(rf_fault(f), "avail_jump");
		vs_ring_pull_done(&f->ring);
		assert_int_equal(rf_used_idx(f), 65530);
		rf_free(f);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		uint64_t gpa;
		uint32_t len;
		const char *fault;
	} cases[] = {
		{HIGH - 100, 100, "ok"},
		{HIGH - 100, 101, "address"}, /* adjacent regions are not joined */
		{HIGH, 100, "ok"},
		{HIGH + HIGH_BYTES - 20, 20, "ok"},
		{HIGH + HIGH_BYTES - 20, 21, "address"},
		{HIGH + HIGH_BYTES, 1, "address"},
		{LOW - 1, 20, "address"},
		{0, 20, "address"},
		{UINT64_MAX, 1, "address"},
		{UINT64_MAX - 10, UINT32_MAX, "address"},
		{LOW, UINT32_MAX, "address"},
		{HIGH + HIGH_BYTES - 1, UINT32_MAX, "address"},
		{(uint64_t)1 << 63, 20, "address"},
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rf *f = rf_new(16, RF_PLAIN, 0);

		rf_give(f, cases[i].gpa, cases[i].len, 0);
		assert_int_equal(rf_pull(f), strcmp(cases[i].fault, "ok") == 0);
		assert_string_equal(rf_fault(f), cases[i].fault);
		rf_free(f);
	}
}

static void test_memory_lost(void **state)
{
	struct rf *f = rf_new(16, RF_PLAIN, 0);

	rf_give(f, LOW, 100, 0);
	vs_mem_faults = 1;
	assert_int_equal(rf_pull(f), 0);
	vs_mem_faults = 0;
	assert_string_equal(rf_fault(f), "memory_lost");
	f->mem.lost = 1;
	vs_ring_pull_done(&f->ring);
	assert_int_equal(rf_used_idx(f), 0);
	/* What control gives back to the VMM: the head was not consumed. */
	assert_int_equal((uint16_t)(f->ring.next_avail - f->ring.taken), 0);

	/* Another thread ran into it. */
	f->mem.lost = 0;
	rf_restart(f, 0);
	rf_give(f, LOW, 100, 0);
	f->mem.lost = 1;
	assert_int_equal(rf_pull(f), 0);
	assert_string_equal(rf_fault(f), "memory_lost");

	/* It goes between pull and done: nothing is published. */
	f->mem.lost = 0;
	rf_restart(f, 0);
	rf_give(f, LOW, 100, 0);
	assert_int_equal(rf_pull(f), 1);
	f->mem.lost = 1;
	vs_ring_pull_done(&f->ring);
	assert_int_equal(rf_used_idx(f), 0);
	rf_free(f);
}

/* TOCTOU: a guest that rewrites descriptors and indices while they are read. */
struct flipper {
	struct rf *f;
	int stop;
};

static void *flip(void *arg)
{
	static const uint32_t lens[] = {0, 1, 12, 300, 0x8000, LOW_BYTES, UINT32_MAX};
	static const uint16_t flags[] = {0, NEXT, INDIRECT, NEXT | INDIRECT, WRITE};
	struct flipper *fl = arg;
	struct vring_desc *desc = fl->f->ring.desc;
	struct vring_desc *table = (struct vring_desc *)(void *)rf_at(fl->f, TABLE);
	uint32_t r = 1;

	while (!__atomic_load_n(&fl->stop, __ATOMIC_RELAXED)) {
		struct vring_desc *d;

		r = r * 1103515245 + 12345;
		d = (r >> 30) ? &desc[(r >> 8) & 15] : &table[(r >> 8) & 15];
		__atomic_store_n(&d->len, htole32(lens[(r >> 12) % 7]), __ATOMIC_RELAXED);
		__atomic_store_n(&d->flags, htole16(flags[(r >> 16) % 5]), __ATOMIC_RELAXED);
		__atomic_store_n(&d->next, htole16((r >> 20) & 17), __ATOMIC_RELAXED);
		__atomic_store_n(&d->addr, htole64((r >> 28) & 1 ? TABLE : LOW + (r & 0xffff)),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_rewritten_while_read(void **state)
{
	struct rf *f = rf_new(16, RF_MODERN, 0);
	struct flipper fl = {.f = f};
	time_t deadline = time(NULL) + 30;
	unsigned int frames = 0;
	unsigned int faults = 0;
	unsigned int i;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, flip, &fl), 0);
	/* Until the other thread has had its share, however late it was scheduled. */
	for (i = 0; i < 30000 || ((!frames || !faults) && time(NULL) < deadline); i++) {
		unsigned int p;

		rf_offer(f, (uint16_t)(i & 15));
		frames += rf_pull(f);
		for (p = 0; p < f->burst->n; p++) {
			const struct vs_pkt *pkt = &f->burst->pkt[p];
			uint32_t sum = pkt->hdr_len;
			uint32_t x;

			for (x = 0; x < pkt->n_ext; x++) {
				sum += pkt->ext[x].len;
				(void)*(const volatile uint8_t *)&pkt->ext[x].data[0];
				(void)*(const volatile uint8_t *)&pkt->ext[x]
					.data[pkt->ext[x].len - 1];
			}
			assert_int_equal(sum, pkt->len);
			assert_true(pkt->len <= VS_CHAIN_BYTES_MAX - 12);
		}
		vs_ring_pull_done(&f->ring);
		f->seen = rf_used_idx(f);
		if (!vs_ring_usable(&f->ring)) {
			faults++;
			rf_restart(f, f->ring.next_avail);
		}
	}
	__atomic_store_n(&fl.stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(frames > 0 && faults > 0);
	rf_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_vnet_short),
		cmocka_unit_test(test_drop_chain_bytes),
		cmocka_unit_test(test_drop_chain_descs),
		cmocka_unit_test(test_long_chain_ends_visit),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_avail_jump),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_memory_lost),
		cmocka_unit_test(test_rewritten_while_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
