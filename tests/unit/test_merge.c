/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The merge stage in the pipeline: who gets merged packets, and that everything is accounted for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/gro_model.h"
#include "tests/unit/stages_fixture.h"

#include <string.h>

enum {
	WIRE,  /* port whose frames may be merged */
	GUEST, /* takes all */
	OTHER, /* as the test says */
	SIZE = 60,
	SEGS = 8,
	HEADERS = 14 + 20 + 20,
	TAKES = VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_MERGE,
};

/* The driver of a guest that takes all is gone between two stages. */
static unsigned int caps_that_go(void *arg)
{
	static unsigned int asked;

	return asked++ ? 0 : TAKES;
}

static struct sf *make(void)
{
	struct sf *s = sf_new();
	unsigned int i;

	for (i = WIRE; i <= OTHER; i++)
		sf_learn(s, sf_mac(i), (uint16_t)i, VS_FDB_STATIC);
	s->dev[WIRE].rights = VS_OFFLOAD_MERGE;
	s->dev[GUEST].caps = TAKES;
	sf_members(s, 1u << WIRE | 1u << GUEST | 1u << OTHER);
	sf_begin(s);
	return s;
}

/* Segment @k of a flow from the wire to @dst, all of it private. */
static void put(struct sf *s, struct rte_ether_addr dst, unsigned int k)
{
	const struct model_tcp tcp = {.port = dst.addr_bytes[5],
				      .seq = k * SIZE,
				      .id = (uint16_t)k,
				      .flags = 0x10,
				      .payload = SIZE};
	struct rte_ether_addr src = sf_mac(WIRE);
	static struct model_frame frame;
	struct vs_pkt *pkt;

	model_make(&tcp, &frame);
	memcpy(frame.bytes, dst.addr_bytes, 6);
	memcpy(frame.bytes + 6, src.addr_bytes, 6);
	pkt = sf_frame(s, WIRE, dst, src, frame.len);
	assert_int_equal(pkt->hdr_len, frame.len);
	memcpy(pkt->hdr, frame.bytes, frame.len);
}

static void put_all(struct sf *s, struct rte_ether_addr dst)
{
	unsigned int k;

	for (k = 0; k < SEGS; k++)
		put(s, dst, k);
}

/* @port gets @n packets with all the payload. */
static void check(struct sf *s, unsigned int port, unsigned int n)
{
	assert_int_equal(s->dev[port].got, n);
	assert_int_equal(s->dev[port].got_bytes, n * HEADERS + SEGS * SIZE);
	assert_int_equal(s->dev[port].wrong, 0);
	sf_audit(s);
}

static uint64_t joined(const struct sf *s)
{
	return s->ctx->switch_stats[SF_SWITCH].merged;
}

static void test_merged(void **state)
{
	struct sf *s = make();

	put_all(s, sf_mac(GUEST));
	sf_visit(s, WIRE, 0);
	check(s, GUEST, 1);
	assert_int_equal(joined(s), SEGS - 1);
	assert_int_equal(s->stats[GUEST].attempts, 1);
	assert_int_equal(s->stats[WIRE].forwarded, SEGS);
	sf_free(s);
}

/* All that must be there, one missing at a time. */
static void test_not_merged(void **state)
{
	unsigned int missing;

	for (missing = 0; missing < 5; missing++) {
		struct sf *s = make();

		s->dev[OTHER].caps = TAKES;
		if (missing == 1)
			s->dev[OTHER].caps &= ~(unsigned int)VS_OFFLOAD_MERGE;
		if (missing == 2)
			s->dev[OTHER].caps &= ~(unsigned int)VS_OFFLOAD_TSO4;
		if (missing == 3)
			s->conf->port[OTHER].offload_off = VS_OFFLOAD_MERGE;
		if (missing == 4)
			s->dev[WIRE].rights = 0;
		put_all(s, sf_mac(OTHER));
		sf_visit(s, WIRE, 0);
		check(s, OTHER, missing ? SEGS : 1);
		assert_int_equal(joined(s), missing ? 0 : SEGS - 1);
		sf_free(s);
	}
}

static void test_each_receiver_its_own(void **state)
{
	struct sf *s = make();
	unsigned int k;

	for (k = 0; k < SEGS; k++) {
		put(s, sf_mac(GUEST), k);
		put(s, sf_mac(OTHER), k);
	}
	sf_visit(s, WIRE, 0);
	check(s, GUEST, 1);
	check(s, OTHER, SEGS);
	sf_free(s);
}

/* What port @port got last is all that was sent to it. */
static void check_payload(const struct sf *s, unsigned int port)
{
	const struct model_tcp tcp = {.port = (uint16_t)port, .payload = SEGS * SIZE};
	static struct model_frame whole;

	model_make(&tcp, &whole);
	assert_int_equal(s->dev[port].last_len, whole.len);
	assert_memory_equal(s->dev[port].last + HEADERS, whole.bytes + HEADERS, SEGS * SIZE);
}

static void test_two_receivers(void **state)
{
	struct sf *s = make();
	unsigned int k;

	s->dev[OTHER].caps = TAKES;
	for (k = 0; k < SEGS; k++) {
		put(s, sf_mac(GUEST), k);
		put(s, sf_mac(OTHER), k);
	}
	sf_visit(s, WIRE, 0);
	check(s, GUEST, 1);
	check(s, OTHER, 1);
	check_payload(s, GUEST);
	check_payload(s, OTHER);
	assert_int_equal(joined(s), 2 * (SEGS - 1));
	sf_free(s);
}

static void test_floods_are_not_merged(void **state)
{
	struct sf *s = make();

	put_all(s, sf_broadcast());
	sf_visit(s, WIRE, 0);
	check(s, GUEST, SEGS);
	check(s, OTHER, SEGS);
	assert_int_equal(joined(s), 0);
	sf_free(s);
}

/* What was merged is cut again if its receiver cannot take it any more. */
static void test_caps_that_go(void **state)
{
	struct sf *s = make();
	struct vs_port_ops ops = *s->conf->port[OTHER].ops;

	ops.caps = caps_that_go;
	s->conf->port[OTHER].ops = &ops;
	put_all(s, sf_mac(OTHER));
	sf_visit(s, WIRE, 0);
	check(s, OTHER, SEGS);
	assert_int_equal(joined(s), SEGS - 1);
	assert_int_equal(s->ctx->switch_stats[SF_SWITCH].extra_segments, SEGS - 1);
	sf_free(s);
}

/* One packet that is dropped is one drop, whatever it was made of. */
static void test_drops(void **state)
{
	struct sf *s = make();

	put_all(s, sf_mac(GUEST));
	s->dev[GUEST].fate[0] = VS_DROP_RX_FULL;
	sf_visit(s, WIRE, 0);
	assert_int_equal(sf_drops(s, GUEST, VS_DROP_RX_FULL), 1);
	sf_audit(s);
	sf_begin(s);
	/* The MTU means the frames on the wire. */
	s->dev[GUEST].fate[0] = VS_DROP_NONE;
	s->conf->port[GUEST].max_frame = HEADERS + SIZE;
	put_all(s, sf_mac(GUEST));
	sf_visit(s, WIRE, 0);
	check(s, GUEST, 1);
	s->conf->port[GUEST].max_frame--;
	sf_begin(s);
	put_all(s, sf_mac(GUEST));
	sf_visit(s, WIRE, 0);
	assert_int_equal(sf_drops(s, GUEST, VS_DROP_MTU_OUT), 1);
	sf_audit(s);
	sf_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_not_merged),
		cmocka_unit_test(test_each_receiver_its_own),
		cmocka_unit_test(test_two_receivers),
		cmocka_unit_test(test_floods_are_not_merged),
		cmocka_unit_test(test_caps_that_go),
		cmocka_unit_test(test_drops),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
