/* SPDX-License-Identifier: BSD-3-Clause */
/* The MSS of SYNs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvgre/clamp.h"
#include "tests/unit/tenant_fixture.h"

#include <netinet/in.h>

enum {
	SYN = 2,
	ACK = 16,
	MTU = 1458,
};

/* A TCP header with these options behind it; where they begin is returned. */
static uint32_t tcp(struct tf *t, unsigned int version, uint8_t flags, const uint8_t *options,
		    uint32_t len)
{
	struct vs_ip src = version == 4 ? tf_ip4(1, 11) : tf_ip6(1, 21);
	struct vs_ip dst = version == 4 ? tf_ip4(1, 12) : tf_ip6(1, 22);
	uint32_t room = (len + 3) / 4 * 4;
	uint8_t *hdr;
	uint32_t l4;

	tf_ether(t, tf_mac(0, 12), tf_mac(0, 11), version == 4 ? 0x0800 : 0x86dd);
	if (version == 4)
		tf_ip4_hdr(t, &src, &dst, IPPROTO_TCP, 64, TF_DF, 20 + room);
	else
		tf_ip6_hdr(t, &src, &dst, IPPROTO_TCP, 64, 20 + room);
	l4 = t->len;
	hdr = tf_zero(t, 20);
	hdr[3] = 80;
	hdr[12] = (uint8_t)((20 + room) / 4 << 4);
	hdr[13] = flags;
	memcpy(tf_zero(t, room), options, len);
	tf_sum(t, l4, 16);
	return l4 + 20;
}

static void clamp(struct tf *t)
{
	tf_pkt(t, 0, VS_HDR_BYTES);
	vs_clamp_mss(&t->pkt, MTU);
	(void)tf_arrived(t);
}

static unsigned int word(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

/* At even and odd offsets, above, at and below what fits. */
static void test_lowered(void **state)
{
	const unsigned int mss[] = {0, 536, 1398, 1399, 1418, 1419, 1460, 8960, 65535};
	struct tf *t = tf_new();
	unsigned int version;
	unsigned int shift;
	unsigned int i;

	for (version = 4; version <= 6; version += 2) {
		unsigned int fits = version == 4 ? 1418 : 1398;

		for (shift = 0; shift < 4; shift++) {
			for (i = 0; i < RTE_DIM(mss); i++) {
				uint8_t o[8] = {1, 1, 1, 1};
				uint32_t at;

				o[shift] = 2;
				o[shift + 1] = 4;
				o[shift + 2] = (uint8_t)(mss[i] >> 8);
				o[shift + 3] = (uint8_t)mss[i];
				at = tcp(t, version, i % 2 ? SYN : SYN | ACK, o, 8);
				clamp(t);
				tf_check(t->frame, t->len);
				assert_int_equal(word(t->frame + at + shift + 2),
						 RTE_MIN(mss[i], fits));
			}
		}
	}
	tf_free(t);
}

/* What is no SYN, or not TCP, or offers nothing, stays as it is, to the byte. */
static void test_left_alone(void **state)
{
	static const struct {
		uint8_t bytes[8];
		uint8_t len;
		uint8_t flags;
	} cases[] = {
		{{2, 4, 0xff, 0xff}, 4, ACK},
		{{1, 1, 1, 0, 2, 4, 0xff, 0xff}, 8, SYN},    /* behind the end of the list */
		{{3, 0, 2, 4, 0xff, 0xff, 1, 1}, 8, SYN},    /* an option of length 0 */
		{{3, 1, 2, 4, 0xff, 0xff, 1, 1}, 8, SYN},    /* and 1 */
		{{2, 3, 0xff, 2, 4, 0xff, 0xff, 1}, 8, SYN}, /* an MSS of another length */
		{{1, 1, 1, 1, 1, 1, 2, 4}, 8, SYN},          /* that ends with the header */
		{{3, 9, 2, 4, 0xff, 0xff, 0, 0}, 8, SYN},    /* beyond it */
		{{1, 1, 1, 2}, 4, SYN},
		{{0}, 0, SYN},
	};
	static uint8_t before[TF_FRAME];
	struct tf *t = tf_new();
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		(void)tcp(t, i % 2 ? 6 : 4, cases[i].flags, cases[i].bytes, cases[i].len);
		memcpy(before, t->frame, t->len);
		clamp(t);
		assert_memory_equal(t->frame, before, t->len);
	}
	/* A later fragment, whose payload looks like a SYN. */
	(void)tcp(t, 4, SYN, (const uint8_t[]){2, 4, 0xff, 0xff}, 4);
	t->frame[21] = 100;
	tf_ip4_sum(t);
	memcpy(before, t->frame, t->len);
	clamp(t);
	assert_memory_equal(t->frame, before, t->len);
	tf_free(t);
}

/* Every truncation, with lengths in the headers that say so or not: nothing but the MSS changes. */
static void test_cut(void **state)
{
	struct tf *t = tf_new();
	unsigned int lies;
	uint32_t len;

	for (lies = 0; lies < 2; lies++) {
		for (len = 14; len < 62; len++) {
			static uint8_t before[TF_FRAME];

			(void)tcp(t, 4, SYN, (const uint8_t[]){1, 1, 2, 4, 0xff, 0xff, 1, 1}, 8);
			t->len = len;
			if (!lies && len >= 34) {
				t->frame[17] = (uint8_t)(len - 14);
				tf_ip4_sum(t);
			}
			memcpy(before, t->frame, len);
			clamp(t);
			/* Within the header the MSS and the checksum may change. */
			assert_memory_equal(t->frame, before, RTE_MIN(len, 50u));
			if (len < 60)
				assert_memory_equal(t->frame, before, len);
		}
	}
	tf_free(t);
}

/* A checksum that is owed is added up later: its field holds the pseudo-header's sum. */
static void test_owed(void **state)
{
	struct tf *t = tf_new();
	unsigned int foreign;

	for (foreign = 0; foreign < 2; foreign++) {
		uint32_t at = tcp(t, 4, SYN, (const uint8_t[]){2, 4, 0xff, 0xff}, 4);
		uint8_t was[2];

		memcpy(was, t->frame + at - 4, 2);
		tf_pkt(t, 0, VS_HDR_BYTES);
		t->pkt.debt = (struct vs_debt){
			.csum = VS_CSUM_PARTIAL,
			.l3 = 14,
			.csum_start = 34,
			.csum_offset = foreign ? 6 : 16,
		};
		vs_clamp_mss(&t->pkt, MTU);
		(void)tf_arrived(t);
		assert_int_equal(word(t->frame + at + 2), 1418);
		/* Of another one that is owed TCP's is none: it is as right as before. */
		assert_int_equal(memcmp(was, t->frame + at - 4, 2) == 0, !foreign);
		if (foreign)
			tf_check(t->frame, t->len);
	}
	tf_free(t);
}

/* Both ways through the tunnel, where the subnet wants it, and not between guests of one host. */
static void test_router_clamps(void **state)
{
	struct tf *t = tf_new();
	unsigned int on;

	for (on = 0; on < 2; on++) {
		uint32_t at;

		t->subnet[0].flags = on ? VS_SUBNET_CLAMP : 0;
		at = tcp(t, 4, SYN, (const uint8_t[]){2, 4, 0xff, 0xff}, 4);
		(void)tf_send(t, 0, VS_FROM_GUEST);
		(void)tf_arrived(t);
		assert_int_equal(word(t->frame + at + 2), on ? 1418 : 0xffff);
		at = tcp(t, 4, SYN, (const uint8_t[]){2, 4, 0xff, 0xff}, 4);
		memcpy(t->frame, &t->record[0].mac, 6);
		(void)tf_send(t, 0, VS_FROM_TUNNEL);
		(void)tf_arrived(t);
		assert_int_equal(word(t->frame + at + 2), on ? 1418 : 0xffff);
		at = tcp(t, 4, SYN, (const uint8_t[]){2, 4, 0xff, 0xff}, 4);
		memcpy(t->frame, &t->record[0].mac, 6);
		(void)tf_send(t, 0, VS_FROM_GUEST);
		(void)tf_arrived(t);
		assert_int_equal(word(t->frame + at + 2), 0xffff);
	}
	/* A peer that is worse off than the subnet says. */
	t->peer.mtu = 1400;
	(void)tcp(t, 4, SYN, (const uint8_t[]){2, 4, 0xff, 0xff}, 4);
	(void)tf_send(t, 0, VS_FROM_GUEST);
	(void)tf_arrived(t);
	assert_int_equal(word(t->frame + 56), 1400 - 42 - 40);
	tf_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lowered),       cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_cut),           cmocka_unit_test(test_owed),
		cmocka_unit_test(test_router_clamps),
	};

	return cmocka_run_group_tests(tests, tf_setup, NULL);
}
