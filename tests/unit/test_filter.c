/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters of captures: what is refused, and that libpcap's interpreter would say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/filter.h"

#include <pcap/pcap.h>

#include <stdlib.h>
#include <string.h>

enum {
	PROGRAMS = 200000,
	FRAME = 64,
};

static const struct sock_filter ret = BPF_STMT(BPF_RET | BPF_K, 1);

/* Refused for @why, at instruction @at. */
static void refused(const struct sock_filter *prog, unsigned int n, unsigned int at,
		    const char *why)
{
	unsigned int where;
	const char *wrong = vs_filter_check(prog, n, &where);

	assert_non_null(wrong);
	assert_non_null(strstr(wrong, why));
	assert_int_equal(where, at);
}

static void test_refused(void **state)
{
	static const struct {
		struct sock_filter first;
		const char *why;
	} cases[] = {
		{BPF_STMT(BPF_JMP | BPF_JA, 1), "backwards"},
		{BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), "backwards"},
		{BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), "backwards"},
		{BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 255), "backwards"},
		{BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), "division"},
		{BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), "division"},
		{BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), "shift"},
		{BPF_STMT(BPF_ST, 16), "memory"},
		{BPF_STMT(BPF_STX, UINT32_MAX), "memory"},
		{BPF_STMT(BPF_LD | BPF_MEM, 16), "memory"},
		{BPF_STMT(BPF_LDX | BPF_MEM, 16), "memory"},
		{BPF_STMT(BPF_LDX | BPF_W | BPF_ABS, 0), "not known"},
		{BPF_STMT(BPF_LD | 0x18 | BPF_ABS, 0), "not known"},
		{BPF_STMT(BPF_ALU | 0xf0, 0), "not known"},
		{BPF_STMT(BPF_JMP | 0x50, 0), "not known"},
		{BPF_STMT(BPF_RET | 0x18, 0), "not known"},
		{BPF_STMT(BPF_MISC | 0x40, 0), "not known"},
		{BPF_STMT(0xffff, 0), "not known"},
		{BPF_STMT(0x100 | BPF_RET, 0), "not known"},
	};
	struct sock_filter prog[2];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		prog[0] = cases[i].first;
		prog[1] = ret;
		refused(prog, 2, 0, cases[i].why);
	}
	prog[0] = ret;
	prog[1] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 1);
	refused(prog, 2, 1, "return");
	refused(prog, 0, 0, "none");
}

static void test_sizes(void **state)
{
	static struct sock_filter prog[VS_FILTER_MAX + 1];
	unsigned int i, at;

	for (i = 0; i <= VS_FILTER_MAX; i++)
		prog[i] = ret;
	assert_null(vs_filter_check(prog, VS_FILTER_MAX, &at));
	assert_null(vs_filter_check(prog, 1, &at));
	refused(prog, VS_FILTER_MAX + 1, 0, "too many");
}

/* A small number mostly, so that instructions meet bytes and words that exist. */
static uint32_t number(void)
{
	switch (rand() % 4) {
	case 0:
		return (uint32_t)rand();
	case 1:
		return UINT32_MAX - (uint32_t)(rand() % 4);
	default:
		return (uint32_t)(rand() % (FRAME + 4));
	}
}

static struct sock_filter instruction(unsigned int left)
{
	static const uint16_t codes[] = {
		0x00, 0x01, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x61, 0x80, 0x81, 0xb1,
		0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54,
		0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0x05, 0x15, 0x1d,
		0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87, 0x18,
	};
	struct sock_filter f = {
		.code = codes[(unsigned int)rand() % (sizeof(codes) / sizeof(codes[0]))],
		.k = number(),
	};

	if (BPF_CLASS(f.code) == BPF_JMP && left) {
		f.jt = (uint8_t)((unsigned int)rand() % left);
		f.jf = (uint8_t)((unsigned int)rand() % left);
		f.k = BPF_OP(f.code) == BPF_JA ? f.jt : f.k;
	}
	if (f.code == BPF_ST || f.code == BPF_STX || BPF_MODE(f.code) == BPF_MEM)
		f.k %= BPF_MEMWORDS + 1;
	return f;
}

/* libpcap's memory has no values to begin with: write each word first. */
static unsigned int clear_memory(struct sock_filter *prog)
{
	unsigned int i;

	for (i = 0; i < BPF_MEMWORDS; i++)
		prog[i] = (struct sock_filter)BPF_STMT(BPF_ST, i);
	return BPF_MEMWORDS;
}

static void test_as_libpcap(void **state)
{
	struct sock_filter prog[BPF_MEMWORDS + 40];
	unsigned int accepted = 0, matched = 0;
	uint8_t frame[FRAME];
	unsigned int p, i, at;

	_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "the same");
	srand(1);
	for (p = 0; p < PROGRAMS; p++) {
		unsigned int n = clear_memory(prog);
		unsigned int more = 1 + (unsigned int)rand() % 12;
		uint32_t have = (uint32_t)rand() % (FRAME + 1);
		uint32_t ours, theirs;

		for (i = 0; i < more; i++)
			prog[n++] = instruction(more - i);
		prog[n++] = rand() % 2 ? ret : (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
		for (i = 0; i < FRAME; i++)
			frame[i] = (uint8_t)rand();
		if (vs_filter_check(prog, n, &at))
			continue;
		accepted++;
		assert_true(bpf_validate((const struct bpf_insn *)prog, (int)n));
		ours = vs_filter_run(prog, frame, have, 1500);
		theirs = bpf_filter((const struct bpf_insn *)prog, frame, 1500, have);
		assert_int_equal(ours, theirs);
		matched += ours != 0;
	}
	assert_true(accepted > PROGRAMS / 20);
	assert_true(matched > accepted / 20 && matched < accepted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_as_libpcap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
