/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which of a guest's receive rings a frame must be in: doc/datapath.md, "Queue pairs of a guest".
 */
#include "tests/oracle/oracle.h"

const uint64_t or_flow_keys[4] = {
	UINT64_C(0x243f6a8885a308d3),
	UINT64_C(0x13198a2e03707345),
	UINT64_C(0xa4093822299f31d0),
	UINT64_C(0x082efa98ec4e6c89),
};

struct found {
	uint64_t src, dst;
	uint32_t kind;
	const uint8_t *inside; /* what a tunnel encloses, or NULL */
	uint32_t inside_left;
	uint32_t inside_type;
};

static uint64_t number(const uint8_t *at, unsigned int bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | *at++;
	return n;
}

static uint64_t fold(uint64_t x, uint64_t y)
{
	/* By halves, as by hand. */
	uint64_t xl = x & UINT32_MAX, xh = x >> 32, yl = y & UINT32_MAX, yh = y >> 32;
	uint64_t mid = (xl * yl >> 32) + (xh * yl & UINT32_MAX) + (xl * yh & UINT32_MAX);
	uint64_t high = xh * yh + (xh * yl >> 32) + (xl * yh >> 32) + (mid >> 32);

	return high ^ x * y;
}

static void find_gre(const uint8_t *at, uint32_t left, struct found *f)
{
	uint32_t bytes = 4;
	uint32_t flags;

	if (left < 4)
		return;
	flags = (uint32_t)number(at, 2);
	if (flags & 0x5fffu)
		return;
	bytes += flags & 0x8000u ? 4 : 0;
	bytes += flags & 0x2000u ? 4 : 0;
	f->inside_type = (uint32_t)number(at + 2, 2);
	if (left < bytes ||
	    (f->inside_type != 0x6558 && f->inside_type != 0x0800 && f->inside_type != 0x86dd))
		return;
	f->inside = at + bytes;
	f->inside_left = left - bytes;
}

static void find_ports(const uint8_t *at, uint32_t left, unsigned int proto, struct found *f)
{
	f->kind = proto;
	if ((proto == 6 || proto == 17 || proto == 132) && left >= 4) {
		f->src ^= number(at, 2);
		f->dst ^= number(at + 2, 2);
	} else if (proto == 47) {
		find_gre(at, left, f);
	} else if (proto == 4 || proto == 41) {
		f->inside = at;
		f->inside_left = left;
		f->inside_type = proto == 4 ? 0x0800 : 0x86dd;
	}
}

static bool find_ipv4(const uint8_t *at, uint32_t left, struct found *f)
{
	uint32_t header;

	if (left < 20 || at[0] >> 4 != 4 || (at[0] & 15) < 5)
		return false;
	header = (at[0] & 15) * 4u;
	f->src = number(at + 12, 4) << 16;
	f->dst = number(at + 16, 4) << 16;
	if (number(at + 6, 2) & 0x3fff)
		return true;
	f->kind = at[9];
	if (left >= header)
		find_ports(at + header, left - header, at[9], f);
	return true;
}

static bool find_ipv6(const uint8_t *at, uint32_t left, struct found *f)
{
	unsigned int next;

	if (left < 40 || at[0] >> 4 != 6)
		return false;
	f->src = fold(number(at + 8, 8) ^ or_flow_keys[2], number(at + 16, 8) ^ or_flow_keys[3]);
	f->dst = fold(number(at + 24, 8) ^ or_flow_keys[2], number(at + 32, 8) ^ or_flow_keys[3]);
	next = at[6];
	at += 40;
	left -= 40;
	while (next == 0 || next == 43 || next == 60 || next == 51) {
		uint32_t bytes;

		if (left < 8)
			return true;
		bytes = next == 51 ? (at[1] + 2u) * 4 : (at[1] + 1u) * 8;
		if (left < bytes)
			return true;
		next = at[0];
		at += bytes;
		left -= bytes;
	}
	if (next != 44)
		find_ports(at, left, next, f);
	return true;
}

static bool find_ip(const uint8_t *at, uint32_t left, uint32_t type, struct found *f)
{
	*f = (struct found){0};
	if (type == 0x0800)
		return find_ipv4(at, left, f);
	return type == 0x86dd && find_ipv6(at, left, f);
}

/* @at: the EtherType, behind the addresses @macs */
static void find(const uint8_t *macs, const uint8_t *at, uint32_t left, struct found *f)
{
	uint32_t type = (uint32_t)number(at, 2);

	at += 2;
	left -= 2;
	while ((type == 0x8100 || type == 0x88a8) && left >= 4) {
		type = (uint32_t)number(at + 2, 2);
		at += 4;
		left -= 4;
	}
	if (find_ip(at, left, type, f))
		return;
	f->dst = number(macs, 6);
	f->src = number(macs + 6, 6);
	f->kind = 256 + (type < 0x600 ? 0 : type);
}

unsigned int or_flow_ring(const struct or_out *out, unsigned int n)
{
	struct found inner = {0};
	struct found f;
	uint64_t key, hash;

	find(out->macs, out->rest, out->judged, &f);
	if (f.inside && f.inside_type != 0x6558) {
		if (find_ip(f.inside, f.inside_left, f.inside_type, &inner))
			f = inner;
	} else if (f.inside && f.inside_left >= 14) {
		find(f.inside, f.inside + 12, f.inside_left - 12, &inner);
		f = inner;
	}
	key = or_flow_keys[0] ^ (uint64_t)f.kind << 47;
	hash = fold(fold(f.src ^ key, f.dst ^ key), or_flow_keys[1]);
	return (unsigned int)((hash >> 32) * n >> 32);
}
