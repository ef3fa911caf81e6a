/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * The machine has an accumulator A, an index X and sixteen words of memory (McCanne and Jacobson,
 * "The BSD Packet Filter", 1993). The check is what makes the run safe and short, so the run does
 * not check again: offsets of jumps and numbers of words are known to be right. What depends on
 * the frame, its loads and divisors, is checked when it is run. Memory begins as zero, so a program
 * cannot read what another one left.
 */
#include "dataplane/core/filter.h"

#include <stdbool.h>
#include <string.h>

/* ---- check ---- */

static const char *check_load(const struct sock_filter *f)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_B | BPF_MSH:
		return NULL;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return f->k < BPF_MEMWORDS ? NULL : "a word of memory that does not exist";
	default:
		return "an instruction that is not known";
	}
}

static const char *check_alu(const struct sock_filter *f)
{
	bool constant = BPF_SRC(f->code) == BPF_K;

	if (f->code == (BPF_ALU | BPF_NEG))
		return NULL;
	if (f->code & ~(BPF_CLASS(f->code) | BPF_OP(f->code) | BPF_SRC(f->code)))
		return "an instruction that is not known";
	switch (BPF_OP(f->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		return NULL;
	case BPF_DIV:
	case BPF_MOD:
		return constant && f->k == 0 ? "a division by 0" : NULL;
	case BPF_LSH:
	case BPF_RSH:
		return constant && f->k > 31 ? "a shift by more than 31 bits" : NULL;
	default:
		return "an instruction that is not known";
	}
}

/* @left: instructions behind this one. */
static const char *check_jump(const struct sock_filter *f, uint32_t left)
{
	static const char outside[] = "a jump backwards, or out of the program";

	switch (f->code) {
	case BPF_JMP | BPF_JA:
		return f->k < left ? NULL : outside;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return f->jt < left && f->jf < left ? NULL : outside;
	default:
		return "an instruction that is not known";
	}
}

static bool is_return(const struct sock_filter *f)
{
	return f->code == (BPF_RET | BPF_K) || f->code == (BPF_RET | BPF_A);
}

static const char *check_one(const struct sock_filter *f, uint32_t left)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return check_load(f);
	case BPF_ALU:
		return check_alu(f);
	case BPF_JMP:
		return check_jump(f, left);
	case BPF_RET:
		return is_return(f) ? NULL : "an instruction that is not known";
	default:
		return f->code == (BPF_MISC | BPF_TAX) || f->code == (BPF_MISC | BPF_TXA)
			       ? NULL
			       : "an instruction that is not known";
	}
}

const char *vs_filter_check(const struct sock_filter *prog, unsigned int n, unsigned int *ret_at)
{
	unsigned int i;

	*ret_at = 0;
	if (n == 0 || n > VS_FILTER_MAX)
		return "too many instructions, or none";
	for (i = 0; i < n; i++) {
		const char *wrong = check_one(&prog[i], n - 1 - i);

		*ret_at = i;
		if (wrong)
			return wrong;
	}
	return is_return(&prog[n - 1]) ? NULL : "no return at the end";
}

/* ---- run ---- */

struct machine {
	const uint8_t *bytes;
	uint32_t have;
	uint32_t len;
	uint32_t a;
	uint32_t x;
	uint32_t mem[BPF_MEMWORDS];
};

/* @n bytes at @at as a big-endian number. Return: false if they are not there. */
static bool load(const struct machine *m, uint64_t at, unsigned int n, uint32_t *ret_value)
{
	uint32_t value = 0;
	unsigned int i;

	if (at + n > m->have)
		return false;
	for (i = 0; i < n; i++)
		value = value << 8 | m->bytes[at + i];
	*ret_value = value;
	return true;
}

/* BPF_LD and BPF_LDX. Return: false ends the program. */
static bool run_load(struct machine *m, const struct sock_filter *f)
{
	static const uint8_t sizes[] = {[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1};
	uint32_t *to = BPF_CLASS(f->code) == BPF_LD ? &m->a : &m->x;
	unsigned int n = sizes[BPF_SIZE(f->code) >> 3];
	uint64_t at = f->k;

	switch (BPF_MODE(f->code)) {
	case BPF_IMM:
		*to = f->k;
		return true;
	case BPF_MEM:
		*to = m->mem[f->k];
		return true;
	case BPF_LEN:
		*to = m->len;
		return true;
	case BPF_MSH:
		if (!load(m, at, 1, to))
			return false;
		*to = (*to & 0xf) << 2;
		return true;
	case BPF_IND:
		at += m->x;
		break;
	default:
		break;
	}
	return load(m, at, n, to);
}

/* Return: false ends the program. */
static bool run_alu(struct machine *m, const struct sock_filter *f)
{
	uint32_t by = BPF_SRC(f->code) == BPF_X ? m->x : f->k;

	switch (BPF_OP(f->code)) {
	case BPF_ADD:
		m->a += by;
		break;
	case BPF_SUB:
		m->a -= by;
		break;
	case BPF_MUL:
		m->a *= by;
		break;
	case BPF_AND:
		m->a &= by;
		break;
	case BPF_OR:
		m->a |= by;
		break;
	case BPF_XOR:
		m->a ^= by;
		break;
	case BPF_LSH:
		m->a = by < 32 ? m->a << by : 0;
		break;
	case BPF_RSH:
		m->a = by < 32 ? m->a >> by : 0;
		break;
	case BPF_NEG:
		m->a = 0u - m->a;
		break;
	case BPF_DIV:
		m->a = by ? m->a / by : 0;
		return by != 0;
	case BPF_MOD:
		m->a = by ? m->a % by : 0;
		return by != 0;
	default:
		break;
	}
	return true;
}

/* How many instructions to leave out. */
static uint32_t run_jump(const struct machine *m, const struct sock_filter *f)
{
	uint32_t with = BPF_SRC(f->code) == BPF_X ? m->x : f->k;
	bool is = false;

	switch (BPF_OP(f->code)) {
	case BPF_JA:
		return f->k;
	case BPF_JEQ:
		is = m->a == with;
		break;
	case BPF_JGT:
		is = m->a > with;
		break;
	case BPF_JGE:
		is = m->a >= with;
		break;
	case BPF_JSET:
		is = (m->a & with) != 0;
		break;
	default:
		break;
	}
	return is ? f->jt : f->jf;
}

uint32_t vs_filter_run(const struct sock_filter *prog, const uint8_t *bytes, uint32_t have,
		       uint32_t len)
{
	struct machine m = {.bytes = bytes, .have = have, .len = len};
	const struct sock_filter *f;

	/* vs_filter_check(): forward only, and a return at the end */
	for (f = prog;; f++) {
		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!run_load(&m, f))
				return 0;
			break;
		case BPF_ST:
			m.mem[f->k] = m.a;
			break;
		case BPF_STX:
			m.mem[f->k] = m.x;
			break;
		case BPF_ALU:
			if (!run_alu(&m, f))
				return 0;
			break;
		case BPF_JMP:
			f += run_jump(&m, f);
			break;
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? m.a : f->k;
		default:
			if (BPF_MISCOP(f->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
	}
}
