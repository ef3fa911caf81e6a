/* SPDX-License-Identifier: BSD-3-Clause */
/* Taps: the ring of one, and what it says of the frames of whole visits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stages_fixture.h"

#include <stdlib.h>
#include <string.h>

/* ---- the ring ---- */

/* A record whose bytes say its number. */
static bool put(struct vs_tap_ring *ring, uint32_t number, uint32_t have)
{
	struct vs_tap_record *r = vs_tap_ring_put(ring, have);

	if (!r)
		return false;
	r->verdict = VS_TAP_FORWARDED;
	r->len = number;
	r->have = have;
	memset(r->bytes, (int)(number & 0xff), have);
	return true;
}

static bool is(const struct vs_tap_record *r, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < r->have; i++) {
		if (r->bytes[i] != (uint8_t)number)
			return false;
	}
	return r->len == number;
}

/* Random lengths, written and read in random portions, over many times the ring's size. */
static void test_ring(void **state)
{
	struct vs_tap_ring *ring = vs_tap_ring_new();
	const struct vs_tap_record *r;
	uint32_t written = 0, read = 0, n;

	assert_non_null(ring);
	srand(1);
	assert_null(vs_tap_ring_peek(ring));
	while (read < 20000) {
		for (n = (uint32_t)rand() % 64; n > 0; n--)
			written += put(ring, written, (uint32_t)rand() % 9000);
		vs_tap_ring_commit(ring);
		for (n = (uint32_t)rand() % 80; n > 0 && (r = vs_tap_ring_peek(ring)); n--) {
			assert_true(is(r, read));
			read++;
			vs_tap_ring_take(ring, r);
		}
	}
	assert_true(ring->head > 10u * VS_TAP_RING_BYTES);
	vs_tap_ring_free(ring);
}

/* A full ring keeps what it has; the next record that fits says how many did not. */
static void test_full_ring(void **state)
{
	struct vs_tap_ring *ring = vs_tap_ring_new();
	const struct vs_tap_record *r;
	uint32_t n = 0, read;

	while (put(ring, n, 9000))
		n++;
	assert_true(n > VS_TAP_RING_BYTES / 9100 && n <= VS_TAP_RING_BYTES / 9000);
	assert_false(put(ring, n, 9000));
	assert_int_equal(ring->lost_all, 2);
	/* nothing is seen before it is committed */
	assert_null(vs_tap_ring_peek(ring));
	vs_tap_ring_commit(ring);
	for (read = 0; read < n; read++) {
		r = vs_tap_ring_peek(ring);
		assert_true(r && is(r, read) && r->lost == 0);
		vs_tap_ring_take(ring, r);
	}
	assert_null(vs_tap_ring_peek(ring));
	assert_true(put(ring, 7, 10) && put(ring, 8, 0));
	vs_tap_ring_commit(ring);
	r = vs_tap_ring_peek(ring);
	assert_int_equal(r->lost, 2);
	vs_tap_ring_take(ring, r);
	assert_int_equal(vs_tap_ring_peek(ring)->lost, 0);
	vs_tap_ring_free(ring);
}

/* ---- visits ---- */

struct fixture {
	struct sf *s;
	struct vs_tap tap;
};

static void begin(struct fixture *f, uint16_t port)
{
	f->s = sf_new();
	f->tap = (struct vs_tap){.port = port, .sides = VS_TAP_FROM | VS_TAP_TO, .snap = 32};
	f->tap.ring[0] = vs_tap_ring_new();
	f->s->conf->tap[0] = &f->tap;
	f->s->conf->n_taps = 1;
	sf_learn(f->s, sf_mac(1), 1, VS_FDB_LEARNT);
	sf_learn(f->s, sf_mac(2), 2, VS_FDB_LEARNT);
}

static void end(struct fixture *f)
{
	assert_null(vs_tap_ring_peek(f->tap.ring[0]));
	sf_audit(f->s);
	vs_tap_ring_free(f->tap.ring[0]);
	sf_free(f->s);
}

/* The next record is this one. */
static void expect(struct fixture *f, enum vs_tap_side side, enum vs_tap_verdict verdict,
		   uint16_t port, enum vs_drop reason)
{
	const struct vs_tap_record *r = vs_tap_ring_peek(f->tap.ring[0]);

	assert_non_null(r);
	assert_int_equal(r->side, side);
	assert_int_equal(r->verdict, verdict);
	assert_int_equal(r->reason, reason);
	if (verdict == VS_TAP_FLOODED)
		assert_int_equal(r->copies, port);
	else
		assert_int_equal(r->port, port);
	assert_true(r->have <= f->tap.snap && r->have <= r->len);
	vs_tap_ring_take(f->tap.ring[0], r);
}

static void test_from(void **state)
{
	struct fixture f;

	begin(&f, 1);
	sf_frame(f.s, 1, sf_mac(2), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_broadcast(), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_mac(1), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_mac(2), sf_broadcast(), 60);
	sf_visit(f.s, 1, 0);
	expect(&f, VS_TAP_FROM, VS_TAP_FORWARDED, 2, VS_DROP_NONE);
	expect(&f, VS_TAP_FROM, VS_TAP_FLOODED, SF_PORTS - 1, VS_DROP_NONE);
	expect(&f, VS_TAP_FROM, VS_TAP_DROPPED, 0, VS_DROP_HAIRPIN);
	expect(&f, VS_TAP_FROM, VS_TAP_DROPPED, 0, VS_DROP_SRC_INVALID);
	end(&f);
}

static void test_to(void **state)
{
	struct fixture f;

	begin(&f, 2);
	f.s->dev[2].fate[1] = VS_DROP_RX_FULL;
	sf_frame(f.s, 1, sf_mac(2), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_mac(2), sf_mac(1), 1500);
	sf_frame(f.s, 1, sf_mac(3), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_mac(2), sf_mac(1), 1600);
	f.s->conf->port[1].max_frame = 2000;
	sf_visit(f.s, 1, 0);
	expect(&f, VS_TAP_TO, VS_TAP_DELIVERED, 1, VS_DROP_NONE);
	expect(&f, VS_TAP_TO, VS_TAP_DROPPED, 1, VS_DROP_RX_FULL);
	expect(&f, VS_TAP_TO, VS_TAP_DELIVERED, 1, VS_DROP_NONE);
	expect(&f, VS_TAP_TO, VS_TAP_DROPPED, 1, VS_DROP_MTU_OUT);
	end(&f);
}

/* What the receiver drops is the sender's verdict, too. */
static void test_dropped_at_the_receiver(void **state)
{
	struct fixture f;

	begin(&f, 1);
	f.tap.drops_only = true;
	f.s->dev[2].fate[1] = VS_DROP_RX_FULL;
	f.s->dev[2].fate[2] = VS_DROP_RX_SMALL;
	sf_frame(f.s, 1, sf_mac(2), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_mac(2), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_broadcast(), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_mac(2), sf_mac(1), 60);
	sf_visit(f.s, 1, 0);
	expect(&f, VS_TAP_FROM, VS_TAP_DROPPED, 2, VS_DROP_RX_FULL);
	assert_int_equal(vs_tap_ring_peek(f.tap.ring[0])->copies_dropped, 1);
	expect(&f, VS_TAP_FROM, VS_TAP_FLOODED, SF_PORTS - 1, VS_DROP_RX_SMALL);
	end(&f);
}

/* The tag stands in the copy where it stood on the port. */
static void test_tagged(void **state)
{
	static const uint16_t list[] = {10, 0};
	const struct vs_tap_record *r;
	struct fixture f;
	struct vs_pkt *pkt;

	begin(&f, 2);
	sf_trunk(f.s, 2, list, 0);
	sf_access(f.s, 1, 10);
	sf_access(f.s, 3, 10);
	sf_domains(f.s);
	pkt = sf_frame(f.s, 1, sf_broadcast(), sf_mac(1), 60);
	memcpy(pkt->hdr + 12, "\x08\x06\x11", 3);
	sf_visit(f.s, 1, 0);
	r = vs_tap_ring_peek(f.tap.ring[0]);
	assert_int_equal(r->len, 64);
	assert_memory_equal(r->bytes + 12, "\x81\x00\x00\x0a\x08\x06\x11", 7);
	expect(&f, VS_TAP_TO, VS_TAP_DELIVERED, 1, VS_DROP_NONE);
	pkt = sf_frame(f.s, 2, sf_broadcast(), sf_mac(2), 64);
	memcpy(pkt->hdr + 12, "\x81\x00\x00\x0a\x08\x06\x22", 7);
	sf_visit(f.s, 2, 0);
	r = vs_tap_ring_peek(f.tap.ring[0]);
	assert_memory_equal(r->bytes + 12, "\x81\x00\x00\x0a\x08\x06\x22", 7);
	expect(&f, VS_TAP_FROM, VS_TAP_FLOODED, 2, VS_DROP_NONE);
	end(&f);
}

/* The filter sees the whole frame, of which the capture then keeps less. */
static void test_filter(void **state)
{
	static const struct sock_filter sixth_is_2[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 5),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct fixture f;

	begin(&f, 1);
	f.tap.filter = sixth_is_2;
	f.tap.snap = 4;
	sf_frame(f.s, 1, sf_mac(2), sf_mac(1), 60);
	sf_frame(f.s, 1, sf_mac(3), sf_mac(1), 60);
	sf_visit(f.s, 1, 0);
	assert_int_equal(vs_tap_ring_peek(f.tap.ring[0])->have, 4);
	expect(&f, VS_TAP_FROM, VS_TAP_FORWARDED, 2, VS_DROP_NONE);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_to),
		cmocka_unit_test(test_dropped_at_the_receiver),
		cmocka_unit_test(test_tagged),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
