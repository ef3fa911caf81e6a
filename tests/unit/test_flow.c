/* SPDX-License-Identifier: BSD-3-Clause */
/* The number of a flow: dataplane/core/flow.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/flow.h"

#include <stdio.h>
#include <string.h>

enum {
	QUEUES = 8,
	FLOWS = 8192,
	ETH = 14,
	V4 = 20,
	V6 = 40,
};

/* Of chi squared with 7 degrees of freedom, what one in a million exceeds. */
static const double CHI2_MAX = 40.5;

static const uint64_t seed[VS_FLOW_KEYS] = {
	UINT64_C(0x0123456789abcdef),
	UINT64_C(0xfedcba9876543211),
	UINT64_C(0x5bd1e9955bd1e995),
	UINT64_C(0x27d4eb2f165667c5),
};

/* A frame in a piece of memory of just its size, so that a tool sees any look behind its end. */
struct bytes {
	uint32_t n;
	uint8_t at[VS_HDR_BYTES];
};

static uint32_t hash_of(const uint8_t *at, uint32_t n)
{
	uint8_t *copy = test_malloc(n ? n : 1);
	struct vs_pkt pkt = {.hdr = copy, .hdr_len = (uint16_t)n, .len = n};
	uint32_t hash;

	memcpy(copy, at, n);
	hash = vs_flow_hash(&pkt);
	test_free(copy);
	return hash;
}

static uint32_t hash(const struct bytes *b)
{
	return hash_of(b->at, b->n);
}

static void add(struct bytes *b, const void *from, uint32_t n)
{
	assert_true(b->n + n <= sizeof(b->at));
	memcpy(b->at + b->n, from, n);
	b->n += n;
}

static void add16(struct bytes *b, uint16_t v)
{
	const uint8_t be[] = {(uint8_t)(v >> 8), (uint8_t)v};

	add(b, be, sizeof(be));
}

static void add32(struct bytes *b, uint32_t v)
{
	add16(b, (uint16_t)(v >> 16));
	add16(b, (uint16_t)v);
}

static void add_macs(struct bytes *b, uint8_t dst, uint8_t src)
{
	const uint8_t macs[] = {2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src};

	add(b, macs, sizeof(macs));
}

static void add_ipv4(struct bytes *b, uint8_t proto, uint32_t src, uint32_t dst)
{
	add32(b, UINT32_C(0x45000000));
	add32(b, 0x1234u << 16);
	add32(b, 64u << 24 | (uint32_t)proto << 16);
	add32(b, src);
	add32(b, dst);
}

/* The last bytes of two addresses. */
static void add_ipv6(struct bytes *b, uint8_t proto, uint32_t src, uint32_t dst)
{
	const uint32_t from[] = {0x20010db8, 0, 0, src};
	const uint32_t to[] = {0x20010db8, 0, 0, dst};
	unsigned int i;

	add32(b, UINT32_C(0x60000000));
	add32(b, (uint32_t)proto << 8 | 64);
	for (i = 0; i < 4; i++)
		add32(b, from[i]);
	for (i = 0; i < 4; i++)
		add32(b, to[i]);
}

static void add_ports(struct bytes *b, uint16_t src, uint16_t dst)
{
	add16(b, src);
	add16(b, dst);
}

static struct bytes ipv4(uint8_t proto, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	struct bytes b = {0};

	add_macs(&b, 1, 2);
	add16(&b, 0x0800);
	add_ipv4(&b, proto, src, dst);
	add_ports(&b, sport, dport);
	return b;
}

static struct bytes ipv6(uint8_t proto, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	struct bytes b = {0};

	add_macs(&b, 1, 2);
	add16(&b, 0x86dd);
	add_ipv6(&b, proto, src, dst);
	add_ports(&b, sport, dport);
	return b;
}

/* Both directions, which are one flow, and each part of it, which makes another one. */
static void expect_flow(struct bytes (*make)(uint8_t, uint32_t, uint32_t, uint16_t, uint16_t),
			uint8_t proto)
{
	struct bytes there = make(proto, 0x0a000001, 0x0a000002, 1111, 2222);
	struct bytes back = make(proto, 0x0a000002, 0x0a000001, 2222, 1111);
	struct bytes other;

	assert_int_equal(hash(&there), hash(&back));
	other = make(proto, 0x0a000003, 0x0a000002, 1111, 2222);
	assert_int_not_equal(hash(&there), hash(&other));
	other = make(proto, 0x0a000001, 0x0a000003, 1111, 2222);
	assert_int_not_equal(hash(&there), hash(&other));
	/* The ports belong to their addresses. */
	other = make(proto, 0x0a000001, 0x0a000002, 2222, 1111);
	assert_int_not_equal(hash(&there), hash(&other));
	other = make(proto, 0x0a000001, 0x0a000002, 1112, 2222);
	assert_int_not_equal(hash(&there), hash(&other));
	other = make(proto, 0x0a000001, 0x0a000002, 1111, 2223);
	assert_int_not_equal(hash(&there), hash(&other));
}

static void test_symmetric(void **state)
{
	static const uint8_t with_ports[] = {6, 17, 132};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		expect_flow(ipv4, with_ports[i]);
		expect_flow(ipv6, with_ports[i]);
	}
}

/* ICMP has no ports: a request and its answer are one flow. */
static void test_no_ports(void **state)
{
	struct bytes there = ipv4(1, 1, 2, 0x0800, 0x1234);
	struct bytes back = ipv4(1, 2, 1, 0, 0x4321);
	struct bytes tcp = ipv4(6, 1, 2, 0, 0);

	assert_int_equal(hash(&there), hash(&back));
	assert_int_not_equal(hash(&there), hash(&tcp));
	there = ipv6(58, 1, 2, 0x8000, 1);
	back = ipv6(58, 2, 1, 0x8100, 2);
	assert_int_equal(hash(&there), hash(&back));
}

/* All fragments of a datagram go together, whatever stands where ports would. */
static void test_fragments(void **state)
{
	struct bytes whole = ipv4(17, 1, 2, 1111, 2222);
	struct bytes first = whole;
	struct bytes later = ipv4(17, 1, 2, 0xdead, 0xbeef);
	struct bytes last = ipv4(17, 1, 2, 0x0101, 0x0202);

	first.at[ETH + 6] = 0x20; /* more fragments */
	later.at[ETH + 6] = 0x20;
	later.at[ETH + 7] = 185;
	last.at[ETH + 6] = 0x01;
	assert_int_equal(hash(&first), hash(&later));
	assert_int_equal(hash(&first), hash(&last));
	assert_int_not_equal(hash(&first), hash(&whole));
	/* "Do not fragment" is no fragment. */
	first = whole;
	first.at[ETH + 6] = 0x40;
	assert_int_equal(hash(&first), hash(&whole));
}

static struct bytes ipv6_fragment(uint16_t offset, uint16_t sport)
{
	struct bytes b = {0};

	add_macs(&b, 1, 2);
	add16(&b, 0x86dd);
	add_ipv6(&b, 44, 1, 2);
	add16(&b, 17u << 8);
	add16(&b, offset);
	add32(&b, 0x12345678);
	add_ports(&b, sport, 1);
	return b;
}

static void test_fragments_ipv6(void **state)
{
	struct bytes first = ipv6_fragment(1, 1111);
	struct bytes last = ipv6_fragment(1480, 2222);
	struct bytes whole = ipv6(17, 1, 2, 1111, 1);

	assert_int_equal(hash(&first), hash(&last));
	assert_int_not_equal(hash(&first), hash(&whole));
}

static void test_tags(void **state)
{
	struct bytes plain = ipv4(6, 1, 2, 3, 4);
	struct bytes tagged = {0};
	struct bytes twice = {0};

	add(&tagged, plain.at, 12);
	add32(&tagged, 0x81000007);
	add(&tagged, plain.at + 12, plain.n - 12);
	add(&twice, plain.at, 12);
	add32(&twice, 0x88a80001);
	add32(&twice, 0x81002fff);
	add(&twice, plain.at + 12, plain.n - 12);
	assert_int_equal(hash(&plain), hash(&tagged));
	assert_int_equal(hash(&plain), hash(&twice));
}

/* Options and extension headers stand between addresses and ports. */
static void test_options(void **state)
{
	static const uint8_t walk[] = {0, 43, 60, 51};
	struct bytes want = ipv4(6, 1, 2, 3, 4);
	struct bytes b = {0};
	unsigned int i;

	add_macs(&b, 1, 2);
	add16(&b, 0x0800);
	add_ipv4(&b, 6, 1, 2);
	b.at[ETH] = 0x47;
	add32(&b, 0x01010101);
	add32(&b, 0x01010101);
	add_ports(&b, 3, 4);
	assert_int_equal(hash(&b), hash(&want));

	want = ipv6(17, 1, 2, 3, 4);
	b = (struct bytes){0};
	add_macs(&b, 1, 2);
	add16(&b, 0x86dd);
	add_ipv6(&b, walk[0], 1, 2);
	for (i = 0; i < 4; i++) {
		uint8_t next = i < 3 ? walk[i + 1] : 17;

		/* 16 bytes each: 1 times 8 beyond the first, but 2 times 4 in AH. */
		add16(&b, (uint16_t)(next << 8 | (walk[i] == 51 ? 2 : 1)));
		add16(&b, 0);
		add32(&b, 0);
		add32(&b, 0);
		add32(&b, 0);
	}
	/* The private bytes end before the ports. */
	assert_int_equal(b.n, ETH + V6 + 64);
	add_ports(&b, 3, 4);
	assert_int_equal(hash(&b), hash(&want));
}

static void add_gre(struct bytes *b, uint16_t flags, uint16_t type)
{
	add16(b, flags);
	add16(b, type);
	if (flags & 0x8000)
		add32(b, 0x11112222);
	if (flags & 0x2000)
		add32(b, 0x33334444);
	if (flags & 0x1000)
		add32(b, 0x55556666);
}

/* What is inside decides: the same flow in two tunnels is one. */
static void test_inside(void **state)
{
	const struct bytes inner = ipv4(6, 1, 2, 3, 4);
	static const struct {
		uint8_t proto;
		uint16_t flags;
		uint16_t type;
		uint32_t skip;
		bool open;
	} row[] = {
		{47, 0x2000, 0x6558, 0, true},  /* NVGRE */
		{47, 0, 0x6558, 0, true},       /* without a key */
		{47, 0xa000, 0x6558, 0, true},  /* and a checksum */
		{47, 0, 0x0800, ETH, true},     /* IPv4 in it */
		{47, 0x1000, 0x6558, 0, false}, /* numbered */
		{47, 0x2001, 0x6558, 0, false}, /* version 1 */
		{47, 0x6000, 0x6558, 0, false}, /* routing */
		{47, 0x2000, 0x9999, 0, false}, /* what nobody knows */
		{4, 0, 0, ETH, true},           /* IP in IP */
		{41, 0, 0, ETH, false},         /* IPv4 where IPv6 is announced */
	};
	unsigned int i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct bytes b = {0};
		struct bytes bare;

		add_macs(&b, 8, 9);
		add16(&b, 0x0800);
		add_ipv4(&b, row[i].proto, 77, 88);
		bare = b;
		if (row[i].proto == 47)
			add_gre(&b, row[i].flags, row[i].type);
		add(&b, inner.at + row[i].skip, inner.n - row[i].skip);
		if (row[i].open)
			assert_int_equal(hash(&b), hash(&inner));
		else
			assert_int_equal(hash(&b), hash(&bare));
	}
}

static void test_no_ip(void **state)
{
	struct bytes there = {0};
	struct bytes back = {0};
	struct bytes other = {0};

	add_macs(&there, 1, 2);
	add16(&there, 0x88b5);
	add_macs(&back, 2, 1);
	add16(&back, 0x88b5);
	add32(&back, 0x01020304);
	assert_int_equal(hash(&there), hash(&back));
	add_macs(&other, 1, 2);
	add16(&other, 0x88b6);
	assert_int_not_equal(hash(&there), hash(&other));
	other = (struct bytes){0};
	add_macs(&other, 3, 2);
	add16(&other, 0x88b5);
	assert_int_not_equal(hash(&there), hash(&other));

	/* Lengths are no EtherTypes. */
	there = back = (struct bytes){0};
	add_macs(&there, 1, 2);
	add16(&there, 38);
	add_macs(&back, 1, 2);
	add16(&back, 1500);
	assert_int_equal(hash(&there), hash(&back));

	/* An EtherType that lies. */
	there = ipv4(6, 1, 2, 3, 4);
	there.at[ETH] = 0x65;
	back = ipv4(6, 5, 6, 7, 8);
	back.at[ETH] = 0x65;
	assert_int_equal(hash(&there), hash(&back));
}

/* Each frame cut off at each length, from a piece of memory of that length. */
static void expect_cuts(const struct bytes *b, uint32_t addresses, uint32_t ports)
{
	uint32_t n;

	for (n = 0; n <= b->n; n++) {
		uint32_t got = hash_of(b->at, n);

		if (n < ETH)
			assert_int_equal(got, 0);
		else if (n >= addresses && n < ports)
			assert_int_equal(got, hash_of(b->at, addresses));
		else if (n >= ports)
			assert_int_equal(got, hash(b));
	}
}

static void test_cut_off(void **state)
{
	struct bytes b = ipv4(6, 1, 2, 3, 4);
	struct bytes tunnel = {0};
	uint32_t n;

	expect_cuts(&b, ETH + V4, ETH + V4 + 4);
	b = ipv6(17, 1, 2, 3, 4);
	expect_cuts(&b, ETH + V6, ETH + V6 + 4);
	b = ipv6_fragment(1, 1111);
	expect_cuts(&b, ETH + V6, ETH + V6);
	b = ipv4(6, 1, 2, 3, 4);
	add_macs(&tunnel, 8, 9);
	add16(&tunnel, 0x0800);
	add_ipv4(&tunnel, 47, 77, 88);
	add_gre(&tunnel, 0xa000, 0x6558);
	add(&tunnel, b.at, b.n);
	assert_int_equal(hash(&tunnel), hash(&b));
	/* Until there is a frame inside it is the tunnel's own flow. */
	for (n = ETH + V4; n < ETH + V4 + 12 + ETH; n++)
		assert_int_equal(hash_of(tunnel.at, n), hash_of(tunnel.at, ETH + V4));
}

/* Any bytes at all: nothing but the private ones is read, and both calls say the same. */
static void test_noise(void **state)
{
	static const uint8_t likely_proto[] = {0, 4, 6, 17, 41, 43, 44, 47, 51, 60, 132};
	uint64_t r = UINT64_C(0x853c49e6748fea9b);
	uint8_t b[VS_HDR_BYTES];
	unsigned int i;
	unsigned int k;

	for (i = 0; i < 200000; i++) {
		for (k = 0; k < sizeof(b); k++) {
			r = r * UINT64_C(6364136223846793005) + 1442695040888963407u;
			b[k] = (uint8_t)(r >> 56);
		}
		b[12] = r & 1 ? 0x08 : 0x86;
		b[13] = r & 1 ? 0x00 : 0xdd;
		b[ETH] = r & 1 ? 0x45 + (b[ETH] & 3) : 0x60;
		b[r & 1 ? ETH + 9 : ETH + 6] = likely_proto[(r >> 32) % sizeof(likely_proto)];
		k = (unsigned int)(r >> 40) % (VS_HDR_BYTES + 1);
		assert_int_equal(hash_of(b, k), hash_of(b, k));
	}
}

/* ---- distribution ---- */

static double chi2(const unsigned int *count, unsigned int n)
{
	double want = (double)n / QUEUES;
	double sum = 0;
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		sum += ((double)count[i] - want) * ((double)count[i] - want) / want;
	return sum;
}

struct flow_numbers {
	uint32_t src, dst;
	uint16_t sport, dport;
};

/* Flows as they are, which differ in few bits. */
static struct flow_numbers clients(uint32_t i)
{
	return (struct flow_numbers){0x0a000000 + i, 0xc0a80001, 40000, 80};
}

static struct flow_numbers ports(uint32_t i)
{
	return (struct flow_numbers){0x0a000001, 0xc0a80001, (uint16_t)(32768 + i), 443};
}

static struct flow_numbers even_ports(uint32_t i)
{
	return (struct flow_numbers){0x0a000001, 0xc0a80001, (uint16_t)(32768 + 2 * i), 443};
}

static struct flow_numbers equal_ports(uint32_t i)
{
	return (struct flow_numbers){0x0a000001, 0x0a000001, (uint16_t)i, (uint16_t)i};
}

static struct flow_numbers neighbours(uint32_t i)
{
	return (struct flow_numbers){0x0a000000 + i, 0x0a000001 + i, 5000, 5000};
}

static struct flow_numbers peers(uint32_t i)
{
	return (struct flow_numbers){0x0a000000 + i / 91, 0x0a000000 + i % 91, 1, 2};
}

static void test_spread(void **state)
{
	static struct flow_numbers (*const of[])(uint32_t) = {
		clients, ports, even_ports, equal_ports, neighbours, peers,
	};
	unsigned int f;
	uint32_t i;
	int v6;

	for (f = 0; f < 2 * sizeof(of) / sizeof(of[0]); f++) {
		unsigned int count[QUEUES] = {0};

		v6 = f & 1;
		for (i = 0; i < FLOWS; i++) {
			struct flow_numbers n = of[f / 2](i);
			struct bytes b = (v6 ? ipv6 : ipv4)(6, n.src, n.dst, n.sport, n.dport);

			count[vs_flow_share(hash(&b), QUEUES)]++;
		}
		print_message("flows of kind %u, IPv%d: chi squared %.1f\n", f / 2, v6 ? 6 : 4,
			      chi2(count, FLOWS));
		assert_true(chi2(count, FLOWS) < CHI2_MAX);
	}
}

/*
 * What differs by its kind alone, under many keys: every queue has its share. By chance, one of
 * four is missed by 128 flows once in 10^15 times.
 */
static void test_kinds(void **state)
{
	enum { KEYS = 1000, KINDS = 128, SHARES = 4 };
	uint64_t key[VS_FLOW_KEYS];
	uint64_t walk = 1;
	unsigned int n, i, k;

	for (n = 0; n < KEYS; n++) {
		unsigned int count[SHARES] = {0};

		for (k = 0; k < VS_FLOW_KEYS; k++) {
			/* Odd, and no pattern (splitmix64). */
			uint64_t z = walk += UINT64_C(0x9e3779b97f4a7c15);

			z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
			z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
			key[k] = z ^ (z >> 31);
		}
		vs_flow_seed(key);
		for (i = 0; i < KINDS; i++) {
			struct bytes b = {0};

			add_macs(&b, 1, 2);
			add16(&b, (uint16_t)(0x9000 + i));
			count[vs_flow_share(hash(&b), SHARES)]++;
		}
		for (k = 0; k < SHARES; k++)
			assert_int_not_equal(count[k], 0);
	}
	vs_flow_seed(seed);
}

/* Other keys, other numbers: nobody can know which flows meet. */
static void test_keys(void **state)
{
	static const uint64_t other[VS_FLOW_KEYS] = {1, 2, 3, 4};
	unsigned int same = 0;
	uint32_t before[256];
	uint32_t i;

	for (i = 0; i < 256; i++) {
		struct bytes b = ipv4(6, i, 2, 3, 4);

		before[i] = hash(&b);
	}
	vs_flow_seed(other);
	for (i = 0; i < 256; i++) {
		struct bytes b = ipv4(6, i, 2, 3, 4);

		same += vs_flow_share(before[i], QUEUES) == vs_flow_share(hash(&b), QUEUES);
	}
	/* One in eight by chance. */
	assert_in_range(same, 1, 96);
	assert_int_equal(vs_flow_init(), 0);
	vs_flow_seed(seed);
}

static void test_share(void **state)
{
	unsigned int n;

	for (n = 1; n <= QUEUES; n++) {
		assert_int_equal(vs_flow_share(0, n), 0);
		assert_int_equal(vs_flow_share(UINT32_MAX, n), n - 1);
	}
	assert_int_equal(vs_flow_share(UINT32_C(0x80000000), 2), 1);
	assert_int_equal(vs_flow_share(UINT32_C(0x7fffffff), 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symmetric), cmocka_unit_test(test_no_ports),
		cmocka_unit_test(test_fragments), cmocka_unit_test(test_fragments_ipv6),
		cmocka_unit_test(test_tags),      cmocka_unit_test(test_options),
		cmocka_unit_test(test_inside),    cmocka_unit_test(test_no_ip),
		cmocka_unit_test(test_cut_off),   cmocka_unit_test(test_noise),
		cmocka_unit_test(test_spread),    cmocka_unit_test(test_keys),
		cmocka_unit_test(test_share),     cmocka_unit_test(test_kinds),
	};

	vs_flow_seed(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
