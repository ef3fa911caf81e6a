/* SPDX-License-Identifier: BSD-3-Clause */
/* Outer headers of NVGRE, taken: each field of frames written by hand, made wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvgre/outer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	INNER = 60,
	L3 = 14,
	V4 = 14 + 20 + 8,
	V6 = 14 + 40 + 8,
	TAG = 4,
};

#define SRC_MAC 0x02, 0x00, 0x00, 0x00, 0x02, 0x22
#define DST_MAC 0x02, 0x00, 0x00, 0x00, 0x05, 0x55

/* 192.168.2.22 -> 192.168.5.55, VSID 5001, FlowID ab, ECT(1), 60 bytes. */
static const uint8_t want4[V4] = {DST_MAC, SRC_MAC, 0x08, 0x00,
				  /* IPv4 */
				  0x45, 0x01, 0x00, 0x58, 0x12, 0x34, 0x40, 0x00, 0x40, 0x2f, 0x9f,
				  0xa4, 192, 168, 2, 22, 192, 168, 5, 55,
				  /* GRE */
				  0x20, 0x00, 0x65, 0x58, 0x00, 0x13, 0x89, 0xab};

/* fd00::2:22 -> fd00::5:55, VSID 6001, FlowID ab, flow label 12345, ECT(0), 60 bytes, VLAN 7. */
static const uint8_t want6[V6 + TAG] = {DST_MAC, SRC_MAC, 0x81, 0x00, 0x00, 0x07, 0x86, 0xdd,
					/* IPv6 */
					0x60, 0x21, 0x23, 0x45, 0x00, 0x44, 0x2f, 0x40, 0xfd, 0, 0,
					0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x22, 0xfd, 0, 0, 0, 0,
					0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0x55,
					/* GRE */
					0x20, 0x00, 0x65, 0x58, 0x00, 0x17, 0x71, 0xab};

static const uint8_t inner[INNER] = {0x00, 0x15, 0x5d, 0x01, 0x32, 0x11, 0x00, 0x15,
				     0x5d, 0x01, 0x32, 0x12, 0x08, 0x00, 0x45, 0x01};

static uint32_t word(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* The sum of an IPv4 header as RFC 791 has it, bit by bit from the text. */
static uint32_t ip4_sum(const uint8_t *ip)
{
	uint32_t sum = 0;
	int i;

	for (i = 0; i < 20; i += 2)
		sum += word(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void mend(uint8_t *ip)
{
	uint32_t sum;

	ip[10] = 0;
	ip[11] = 0;
	sum = ~ip4_sum(ip);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

/* An outer frame in a piece of memory of just its size; pieces beyond VS_HDR_BYTES stay away. */
static enum vs_drop take(const uint8_t *bytes, uint32_t len, struct vs_outer *ret)
{
	uint16_t have = (uint16_t)(len < VS_HDR_BYTES ? len : VS_HDR_BYTES);
	uint8_t *copy = test_malloc(have ? have : 1);
	struct vs_pkt pkt = {.hdr = copy, .hdr_len = have, .len = len};
	enum vs_drop drop;

	memcpy(copy, bytes, have);
	drop = vs_outer_take(&pkt, ret);
	assert_memory_equal(copy, bytes, have);
	test_free(copy);
	return drop;
}

struct frame {
	uint8_t at[VS_HDR_BYTES];
	uint32_t len;
};

static struct frame frame4(void)
{
	struct frame f = {.len = V4 + INNER};

	memcpy(f.at, want4, V4);
	memcpy(f.at + V4, inner, INNER);
	return f;
}

static struct frame frame6(void)
{
	struct frame f = {.len = V6 + TAG + INNER};

	memcpy(f.at, want6, V6 + TAG);
	memcpy(f.at + V6 + TAG, inner, INNER);
	return f;
}

static void take_reads_what_was_put(void **state)
{
	struct frame f = frame4();
	struct vs_outer o;
	struct vs_ip ip;

	assert_int_equal(take(f.at, f.len, &o), VS_DROP_NONE);
	assert_int_equal(o.vsid, 5001);
	assert_int_equal(o.inner_at, V4);
	assert_int_equal(o.inner_len, INNER);
	assert_int_equal(o.tos, 1);
	ip = vs_ip_make4(want4 + L3 + 12);
	assert_true(vs_ip_equal(&o.src, &ip));
	ip = vs_ip_make4(want4 + L3 + 16);
	assert_true(vs_ip_equal(&o.dst, &ip));

	f = frame6();
	assert_int_equal(take(f.at, f.len, &o), VS_DROP_NONE);
	assert_int_equal(o.vsid, 6001);
	assert_int_equal(o.inner_at, V6 + TAG);
	assert_int_equal(o.inner_len, INNER);
	assert_int_equal(o.tos, 2);
	ip = vs_ip_make6(want6 + L3 + TAG + 8);
	assert_true(vs_ip_equal(&o.src, &ip));
	ip = vs_ip_make6(want6 + L3 + TAG + 24);
	assert_true(vs_ip_equal(&o.dst, &ip));
}

/* struct fault - one field made wrong; @mend: the IPv4 checksum is made right again */
struct fault {
	const char *name;
	uint8_t at;
	uint8_t value;
	bool mend;
	enum vs_drop want;
};

static void try_faults(const struct frame *good, const struct fault *faults, unsigned int n,
		       uint32_t l3)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct vs_outer o, was;
		struct frame f = *good;
		enum vs_drop drop;

		memset(&o, 0xa5, sizeof(o));
		was = o;
		f.at[faults[i].at] = faults[i].value;
		if (faults[i].mend)
			mend(f.at + l3);
		drop = take(f.at, f.len, &o);
		if (drop != faults[i].want)
			fail_msg("%s: %s", faults[i].name, vs_drop_name(drop));
		if (drop)
			assert_memory_equal(&o, &was, sizeof(o));
	}
}

static const struct fault faults4[] = {
	{"EtherType", 12, 0x07, false, VS_DROP_PA_PROTO},
	{"EtherType 8800", 12, 0x88, false, VS_DROP_PA_PROTO},
	{"version 6", 14, 0x65, true, VS_DROP_NVGRE_HEADER},
	{"version 0", 14, 0x05, true, VS_DROP_NVGRE_HEADER},
	{"16 bytes of header", 14, 0x44, true, VS_DROP_NVGRE_HEADER},
	{"24 bytes of header", 14, 0x46, true, VS_DROP_NVGRE_OPTIONS},
	{"60 bytes of header", 14, 0x4f, true, VS_DROP_NVGRE_OPTIONS},
	{"DSCP", 15, 0xb8, true, VS_DROP_NONE},
	{"DSCP, old sum", 15, 0xb8, false, VS_DROP_NVGRE_CSUM},
	{"one byte more than there is", 17, 0x59, true, VS_DROP_NVGRE_SHORT},
	{"64 KiB", 16, 0xff, true, VS_DROP_NVGRE_SHORT},
	{"no inner Ethernet", 17, 20 + 8 + 13, true, VS_DROP_NVGRE_SHORT},
	{"inner Ethernet only", 17, 20 + 8 + 14, true, VS_DROP_NONE},
	{"no GRE", 17, 20 + 7, true, VS_DROP_NVGRE_SHORT},
	{"no IP", 17, 19, true, VS_DROP_NVGRE_SHORT},
	{"length 0", 17, 0, true, VS_DROP_NVGRE_SHORT},
	{"id", 18, 0xff, true, VS_DROP_NONE},
	{"id, old sum", 18, 0xff, false, VS_DROP_NVGRE_CSUM},
	{"no DF", 20, 0x00, true, VS_DROP_NONE},
	{"more fragments", 20, 0x20, true, VS_DROP_NVGRE_FRAGMENT},
	{"offset, upper bit", 20, 0x10, true, VS_DROP_NVGRE_FRAGMENT},
	{"offset, lower bit", 21, 0x01, true, VS_DROP_NVGRE_FRAGMENT},
	{"TTL 1", 22, 1, true, VS_DROP_NONE},
	{"UDP", 23, 17, true, VS_DROP_PA_PROTO},
	{"sum", 25, 0x00, false, VS_DROP_NVGRE_CSUM},
	{"from 0.168.2.22", 26, 0, true, VS_DROP_NVGRE_LOCAL},
	{"from 127.168.2.22", 26, 127, true, VS_DROP_NVGRE_LOCAL},
	{"from 224.168.2.22", 26, 224, true, VS_DROP_NVGRE_LOCAL},
	{"from 255.168.2.22", 26, 255, true, VS_DROP_NVGRE_LOCAL},
	{"checksum flag", 34, 0xa0, false, VS_DROP_NVGRE_FLAGS},
	{"routing flag", 34, 0x60, false, VS_DROP_NVGRE_FLAGS},
	{"no key", 34, 0x00, false, VS_DROP_NVGRE_FLAGS},
	{"sequence", 34, 0x30, false, VS_DROP_NVGRE_FLAGS},
	{"strict route", 34, 0x28, false, VS_DROP_NVGRE_FLAGS},
	{"recursion", 34, 0x21, false, VS_DROP_NVGRE_FLAGS},
	{"reserved", 35, 0x80, false, VS_DROP_NVGRE_FLAGS},
	{"reserved, last", 35, 0x08, false, VS_DROP_NVGRE_FLAGS},
	{"version 1 (PPTP)", 35, 0x01, false, VS_DROP_NVGRE_FLAGS},
	{"version 4", 35, 0x04, false, VS_DROP_NVGRE_FLAGS},
	{"protocol type", 36, 0x08, false, VS_DROP_NVGRE_PROTO},
	{"protocol type, lower", 37, 0x59, false, VS_DROP_NVGRE_PROTO},
	{"VSID 905", 39, 0x03, false, VS_DROP_NVGRE_VSID},
	{"VSID 4233", 39, 0x10, false, VS_DROP_NONE},
	{"FlowID", 41, 0x00, false, VS_DROP_NONE},
	{"inner type 88fd", V4 + 12, 0x88, false, VS_DROP_NONE},
	{"inner C-tag", V4 + 12, 0x81, false, VS_DROP_NVGRE_TAGGED},
};

static void take_names_every_field_of_ipv4(void **state)
{
	struct frame f = frame4();

	/* Only the first byte of the inner type is changed: the second one is that of both tags. */
	try_faults(&f, faults4, RTE_DIM(faults4), L3);
	f.at[V4 + 13] = 0xa8;
	try_faults(&f, &(const struct fault){"S-tag", V4 + 12, 0x88, false, VS_DROP_NVGRE_TAGGED},
		   1, L3);
}

static const struct fault faults6[] = {
	{"EtherType behind the tag", 16, 0x81, false, VS_DROP_PA_PROTO},
	{"version 4", 18, 0x40, false, VS_DROP_NVGRE_HEADER},
	{"class", 18, 0x6f, false, VS_DROP_NONE},
	{"flow label", 20, 0xff, false, VS_DROP_NONE},
	{"one byte more than there is", 23, 0x45, false, VS_DROP_NVGRE_SHORT},
	{"no inner Ethernet", 23, 8 + 13, false, VS_DROP_NVGRE_SHORT},
	{"inner Ethernet only", 23, 8 + 14, false, VS_DROP_NONE},
	{"no GRE", 23, 7, false, VS_DROP_NVGRE_SHORT},
	{"length 0 (jumbo)", 23, 0, false, VS_DROP_NVGRE_SHORT},
	{"hop-by-hop", 24, 0, false, VS_DROP_NVGRE_OPTIONS},
	{"routing", 24, 43, false, VS_DROP_NVGRE_OPTIONS},
	{"destination options", 24, 60, false, VS_DROP_NVGRE_OPTIONS},
	{"authentication", 24, 51, false, VS_DROP_NVGRE_OPTIONS},
	{"encryption", 24, 50, false, VS_DROP_NVGRE_OPTIONS},
	{"mobility", 24, 135, false, VS_DROP_NVGRE_OPTIONS},
	{"host identity", 24, 139, false, VS_DROP_NVGRE_OPTIONS},
	{"shim6", 24, 140, false, VS_DROP_NVGRE_OPTIONS},
	{"fragment", 24, 44, false, VS_DROP_NVGRE_FRAGMENT},
	{"UDP", 24, 17, false, VS_DROP_PA_PROTO},
	{"none", 24, 59, false, VS_DROP_PA_PROTO},
	{"hop limit", 25, 1, false, VS_DROP_NONE},
	{"multicast source", 26, 0xff, false, VS_DROP_NVGRE_LOCAL},
	{"checksum flag", 58, 0xa0, false, VS_DROP_NVGRE_FLAGS},
	{"version 1", 59, 0x01, false, VS_DROP_NVGRE_FLAGS},
	{"protocol type", 60, 0x08, false, VS_DROP_NVGRE_PROTO},
	{"VSID 1905", 63, 0x07, false, VS_DROP_NVGRE_VSID},
	{"inner C-tag", V6 + TAG + 12, 0x81, false, VS_DROP_NVGRE_TAGGED},
};

static void take_names_every_field_of_ipv6(void **state)
{
	struct frame f = frame6();

	try_faults(&f, faults6, RTE_DIM(faults6), L3 + TAG);
}

static void take_knows_which_vsids_are_reserved(void **state)
{
	static const struct {
		uint32_t vsid;
		enum vs_drop want;
	} cases[] = {
		{0, VS_DROP_NVGRE_VSID}, {1, VS_DROP_NVGRE_VSID},  {4095, VS_DROP_NVGRE_VSID},
		{4096, VS_DROP_NONE},    {16777214, VS_DROP_NONE}, {16777215, VS_DROP_NVGRE_VSID},
	};
	struct frame f = frame4();
	struct vs_outer o;
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		rte_be32_t key = vs_gre_key(cases[i].vsid, 0xab);

		memcpy(f.at + V4 - 4, &key, sizeof(key));
		assert_int_equal(take(f.at, f.len, &o), cases[i].want);
		if (cases[i].want == VS_DROP_NONE)
			assert_int_equal(o.vsid, cases[i].vsid);
	}
}

static void take_refuses_sources_of_ipv6(void **state)
{
	static const uint8_t none[16], loopback[16] = {[15] = 1};
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 1};
	const uint8_t *const bad[] = {none, loopback, mapped};
	struct vs_outer o;
	unsigned int i;

	for (i = 0; i < RTE_DIM(bad); i++) {
		struct frame f = frame6();

		memcpy(f.at + 18 + 8, bad[i], 16);
		assert_int_equal(take(f.at, f.len, &o), VS_DROP_NVGRE_LOCAL);
	}
}

/* Cut anywhere, it is too short; longer than it says, the rest is padding. */
static void take_at_every_length(void **state)
{
	struct frame frames[] = {frame4(), frame6()};
	unsigned int i;

	for (i = 0; i < RTE_DIM(frames); i++) {
		struct frame *f = &frames[i];
		struct vs_outer o;
		uint32_t n;

		for (n = 0; n < f->len; n++)
			assert_int_equal(take(f->at, n, &o), VS_DROP_NVGRE_SHORT);
		for (n = f->len; n <= VS_HDR_BYTES; n++) {
			assert_int_equal(take(f->at, n, &o), VS_DROP_NONE);
			assert_int_equal(o.inner_len, INNER);
		}
	}
}

/* The rest of a long frame is not asked for; what IP says of its length is. */
static void take_of_a_long_frame(void **state)
{
	struct frame f = frame4();
	struct vs_outer o;

	f.at[L3 + 2] = 0x23;
	f.at[L3 + 3] = 0x28; /* 9000 */
	mend(f.at + L3);
	assert_int_equal(take(f.at, 9000 + 14, &o), VS_DROP_NONE);
	assert_int_equal(o.inner_len, 9000 - 28);
	assert_int_equal(take(f.at, 9000 + 13, &o), VS_DROP_NVGRE_SHORT);
	assert_int_equal(take(f.at, 65535, &o), VS_DROP_NONE);
	assert_int_equal(o.inner_len, 9000 - 28);
}

/* One bit of an IPv4 header that changed on the way is always seen. */
static void take_sees_every_flipped_bit_of_ipv4(void **state)
{
	unsigned int bit;

	for (bit = 0; bit < 160; bit++) {
		struct frame f = frame4();
		struct vs_outer o;

		f.at[L3 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(take(f.at, f.len, &o), VS_DROP_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_reads_what_was_put),
		cmocka_unit_test(take_names_every_field_of_ipv4),
		cmocka_unit_test(take_names_every_field_of_ipv6),
		cmocka_unit_test(take_knows_which_vsids_are_reserved),
		cmocka_unit_test(take_refuses_sources_of_ipv6),
		cmocka_unit_test(take_at_every_length),
		cmocka_unit_test(take_of_a_long_frame),
		cmocka_unit_test(take_sees_every_flipped_bit_of_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
