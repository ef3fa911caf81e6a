/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which receive ring a frame goes to: dataplane/guest/guest_tx.c. The number of a flow and the
 * delivery to a ring are replaced: a frame says itself which eighth of all numbers it belongs to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/flow.h"
#include "dataplane/guest/guest_obj.h"

#include <stdlib.h>
#include <string.h>

enum {
	PAIRS = 8,
	ALL = 0xff,
	FRAMES = VS_BURST_MAX,
};

static struct fixture {
	struct vs_guest *guest;
	struct vs_mem mem;
	struct vs_pkt pkt[FRAMES];
	struct vs_pkt *list[FRAMES];
	uint8_t fate[FRAMES];
	unsigned int n_got[PAIRS];
	const struct vs_pkt *got[PAIRS][2 * FRAMES];
	unsigned int asked;     /* for the number of a flow */
	int stop;               /* pair that control disables while the first frame is looked at */
	uint8_t mask_then;      /* and what is enabled then */
	enum vs_drop ring_says; /* fate of what a ring is given */
} f;

uint32_t __wrap_vs_flow_hash(const struct vs_pkt *pkt);
void __wrap_vs_ring_push(struct vs_ring *ring, struct vs_pkt *const *pkt, unsigned int n,
			 uint8_t *fate);

/* As vs_vhost_rings_stop() does it. */
static void stop(unsigned int pair, uint8_t mask)
{
	__atomic_store_n(&f.guest->dev.tx_pairs, mask, __ATOMIC_RELAXED);
	__atomic_store_n(&f.guest->dev.vring[2 * pair].ring.run, 0, __ATOMIC_RELEASE);
}

uint32_t __wrap_vs_flow_hash(const struct vs_pkt *pkt)
{
	if (f.asked++ == 0 && f.stop >= 0)
		stop((unsigned int)f.stop, f.mask_then);
	return (uint32_t)pkt->fid << 29;
}

void __wrap_vs_ring_push(struct vs_ring *ring, struct vs_pkt *const *pkt, unsigned int n,
			 uint8_t *fate)
{
	size_t index = (size_t)((struct vs_vring *)(void *)ring - f.guest->dev.vring);
	unsigned int i;

	_Static_assert(offsetof(struct vs_vring, ring) == 0, "a ring is where its vring is");
	assert_int_equal(index % 2, 0);
	assert_true(ring->lock.taken);
	memset(fate, f.ring_says, n);
	for (i = 0; i < n; i++)
		f.got[index / 2][f.n_got[index / 2]++] = pkt[i];
}

static int begin(void **state)
{
	unsigned int i;

	memset(&f, 0, sizeof(f));
	f.guest = aligned_alloc(_Alignof(struct vs_guest), sizeof(*f.guest));
	memset(f.guest, 0, sizeof(*f.guest));
	f.stop = -1;
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		f.guest->dev.vring[i].ring.mem = &f.mem;
		f.guest->dev.vring[i].ring.run = 1;
	}
	for (i = 0; i < FRAMES; i++)
		f.list[i] = &f.pkt[i];
	memset(f.fate, 0xee, sizeof(f.fate));
	return 0;
}

static int end(void **state)
{
	unsigned int i;

	for (i = 0; i < VS_GUEST_RINGS_MAX; i++)
		assert_false(f.guest->dev.vring[i].ring.lock.taken);
	free(f.guest);
	return 0;
}

/* @n frames, whose flows change with each. */
static void send(uint8_t mask, unsigned int n)
{
	unsigned int i;

	f.guest->dev.tx_pairs = mask;
	for (i = 0; i < n; i++)
		f.pkt[i].fid = (uint16_t)(i % PAIRS);
	vs_guest_tx(f.guest, 5, f.list, n, f.fate);
}

static void expect_fates(unsigned int n, enum vs_drop want)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		assert_int_equal(f.fate[i], want);
}

/* What a ring got are the frames of @flow, @flow + @step... in their order. */
static void expect_flows(unsigned int pair, unsigned int flow, unsigned int step, unsigned int n)
{
	unsigned int i;

	assert_int_equal(f.n_got[pair], n);
	for (i = 0; i < n; i++)
		assert_ptr_equal(f.got[pair][i], &f.pkt[flow + i * step]);
}

/* One pair, whichever: nobody looks at the frames. */
static void test_one_pair(void **state)
{
	unsigned int pair;

	for (pair = 0; pair < PAIRS; pair++) {
		send((uint8_t)(1u << pair), FRAMES);
		expect_flows(pair, 0, 1, FRAMES);
		expect_fates(FRAMES, VS_DROP_NONE);
	}
	assert_int_equal(f.asked, 0);
}

static void test_eight_pairs(void **state)
{
	unsigned int pair;

	send(ALL, FRAMES);
	for (pair = 0; pair < PAIRS; pair++)
		expect_flows(pair, pair, PAIRS, FRAMES / PAIRS);
	expect_fates(FRAMES, VS_DROP_NONE);
	/* Once for each. */
	assert_int_equal(f.asked, FRAMES);
}

/* Those that are enabled share the flows, whichever they are. */
static void test_two_pairs(void **state)
{
	unsigned int i;

	send(1 << 2 | 1 << 7, 8);
	assert_int_equal(f.n_got[2], 4);
	assert_int_equal(f.n_got[7], 4);
	for (i = 0; i < 4; i++) {
		assert_ptr_equal(f.got[2][i], &f.pkt[i]);
		assert_ptr_equal(f.got[7][i], &f.pkt[4 + i]);
	}
}

/* Frames for a ring that another worker holds wait, and no others. */
static void test_busy(void **state)
{
	unsigned int i;

	assert_true(vs_trylock(&f.guest->dev.vring[2 * 3].ring.lock));
	send(ALL, FRAMES);
	vs_tryunlock(&f.guest->dev.vring[2 * 3].ring.lock);
	for (i = 0; i < FRAMES; i++)
		assert_int_equal(f.fate[i], i % PAIRS == 3 ? VS_DROP_TX_BUSY : VS_DROP_NONE);
	assert_int_equal(f.n_got[3], 0);

	assert_true(vs_trylock(&f.guest->dev.vring[0].ring.lock));
	send(1, 4);
	vs_tryunlock(&f.guest->dev.vring[0].ring.lock);
	expect_fates(4, VS_DROP_TX_BUSY);
}

/* The fate that a ring gives its frames is theirs, wherever they stood. */
static void test_fates(void **state)
{
	unsigned int i;

	f.ring_says = VS_DROP_RX_FULL;
	assert_true(vs_trylock(&f.guest->dev.vring[0].ring.lock));
	send(ALL, FRAMES);
	vs_tryunlock(&f.guest->dev.vring[0].ring.lock);
	for (i = 0; i < FRAMES; i++)
		assert_int_equal(f.fate[i], i % PAIRS ? VS_DROP_RX_FULL : VS_DROP_TX_BUSY);
}

/* A pair is disabled after the mask was looked at: its frames go to others. */
static void test_stopped_meanwhile(void **state)
{
	unsigned int sum = 0;
	unsigned int pair;

	f.stop = 6;
	f.mask_then = ALL & ~(1 << 6);
	send(ALL, FRAMES);
	expect_fates(FRAMES, VS_DROP_NONE);
	for (pair = 0; pair < PAIRS; pair++)
		sum += f.n_got[pair];
	assert_int_equal(sum, FRAMES);
	assert_int_equal(f.n_got[6], 0);
	assert_int_equal(f.guest->dev.fault_pending, 0);
}

/* The last but one goes, and the last. */
static void test_stopped_to_one_and_none(void **state)
{
	f.stop = 1;
	f.mask_then = 1;
	send(3, 8);
	expect_fates(8, VS_DROP_NONE);
	assert_int_equal(f.n_got[0], 8);
	assert_int_equal(f.n_got[1], 0);

	/* It was the only one: the mask names it, and it does not run. */
	stop(0, 1);
	send(1, 8);
	expect_fates(8, VS_DROP_PORT_DOWN);
	send(0, 8);
	expect_fates(8, VS_DROP_PORT_DOWN);
	f.guest->dev.broken = 1;
	send(0, 8);
	expect_fates(8, VS_DROP_RING_BROKEN);
	send(1, 8);
	expect_fates(8, VS_DROP_RING_BROKEN);
}

/* One ring is at fault: its frames are lost by that name, control is told once, others go on. */
static void test_broken(void **state)
{
	unsigned int i;

	f.guest->dev.vring[2 * 5].ring.fault = VS_RING_LOOP;
	send(ALL, FRAMES);
	for (i = 0; i < FRAMES; i++)
		assert_int_equal(f.fate[i], i % PAIRS == 5 ? VS_DROP_RING_BROKEN : VS_DROP_NONE);
	assert_int_equal(f.guest->dev.fault_pending, 1);
	f.guest->dev.fault_pending = 0;
	send(1 << 5, FRAMES);
	expect_fates(FRAMES, VS_DROP_RING_BROKEN);
	assert_int_equal(f.guest->dev.fault_pending, 0);
	/* Control has stopped it, and the mask is that of before. */
	stop(5, 1 << 5);
	send(1 << 5, FRAMES);
	expect_fates(FRAMES, VS_DROP_RING_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_pair, begin, end),
		cmocka_unit_test_setup_teardown(test_eight_pairs, begin, end),
		cmocka_unit_test_setup_teardown(test_two_pairs, begin, end),
		cmocka_unit_test_setup_teardown(test_busy, begin, end),
		cmocka_unit_test_setup_teardown(test_fates, begin, end),
		cmocka_unit_test_setup_teardown(test_stopped_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(test_stopped_to_one_and_none, begin, end),
		cmocka_unit_test_setup_teardown(test_broken, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
