/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that owe segmentation, their making, and what they must become. */
#include "segment_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIN = 1,
	PSH = 8,
	ACK = 16,
	CWR = 128,
};

uint32_t seg_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/* The words of some bytes, added up; not folded. */
static uint64_t words(const uint8_t *at, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint64_t)at[i] << 8;
	return sum;
}

/* A sum that is not 0, as one word: 1 to 65535. */
static unsigned int folded(uint64_t sum)
{
	return (unsigned int)(sum % 65535 ? sum % 65535 : 65535);
}

struct seg_shape seg_shape_random(uint32_t *seed)
{
	static const uint16_t sizes[] = {88, 536, 1000, 1220, 1448, 1460, 4001, 8948};
	struct seg_shape shape = {
		.version = seg_random(seed) % 2 ? 4 : 6,
		.udp = seg_random(seed) % 4 == 0,
		.tags = seg_random(seed) % 4 == 0,
		.id = (uint16_t)seg_random(seed),
		.gso_size = sizes[seg_random(seed) % 8],
		.seq = seg_random(seed) << 8 | (seg_random(seed) & 0xff),
	};
	/* Linux takes at most 128 segments of UDP (UDP_MAX_SEGMENTS). */
	uint32_t most = (uint32_t)shape.gso_size * (shape.udp ? 128 : VS_SEGMENTS_MAX);

	if (seg_random(seed) % 3 == 0)
		shape.id = (uint16_t)(0xfff0 + seg_random(seed) % 16);
	if (seg_random(seed) % 3 == 0)
		shape.seq = 0u - seg_random(seed) % 65536;
	if (shape.version == 4)
		shape.ip_opts = (uint8_t)(seg_random(seed) % 3 ? 0 : seg_random(seed) % 7);
	else
		shape.exts = (uint8_t)(seg_random(seed) % 3 ? 0 : seg_random(seed) % 3);
	shape.tcp_opts = (uint8_t)(seg_random(seed) % 2 ? 3 : seg_random(seed) % 9);
	/* No SYN and RST: such a frame is never cut. */
	shape.flags = (uint8_t)(ACK | (seg_random(seed) & (CWR | 64 | 32 | PSH | FIN)));
	shape.payload = shape.gso_size + 1 + seg_random(seed) % 64000;
	if (seg_random(seed) % 4 == 0)
		shape.payload -= shape.payload % shape.gso_size;
	if (shape.payload <= shape.gso_size)
		shape.payload = 2u * shape.gso_size;
	if (shape.payload > most)
		shape.payload = most;
	if (shape.payload > 65535u - 200)
		shape.payload = 65535u - 200;
	return shape;
}

/* A frame that is being written. */
struct pen {
	uint8_t *bytes;
	uint32_t at;
};

static uint8_t *write(struct pen *p, uint32_t n)
{
	uint8_t *at = p->bytes + p->at;

	memset(at, 0, n);
	p->at += n;
	return at;
}

static void write_ethernet(struct pen *p, unsigned int tags, unsigned int type)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 7};

	memcpy(write(p, 12), macs, 12);
	for (; tags; tags--) {
		put16(write(p, 2), 0x8100);
		put16(write(p, 2), 100 + tags);
	}
	put16(write(p, 2), type);
}

/* The lengths are those of the whole frame, as a driver writes them. */
static void write_ipv4(struct pen *p, const struct seg_shape *shape, unsigned int opts,
		       unsigned int proto, uint32_t behind)
{
	uint8_t *ip = write(p, 20 + 4 * opts);
	uint32_t len = 20 + 4 * opts + behind;

	ip[0] = (uint8_t)(0x45 + opts);
	ip[1] = 0xb9;
	put16(ip + 2, len & 0xffff);
	put16(ip + 4, shape->id);
	put16(ip + 6, shape->id & 1 ? 0x4000 : 0);
	ip[8] = 61;
	ip[9] = (uint8_t)proto;
	put32(ip + 12, 0x0a000001);
	put32(ip + 16, 0xc0a80209);
	memset(ip + 20, 1, 4 * opts);
	put16(ip + 10, 65535 - folded(words(ip, 20 + 4 * opts)));
}

static void write_ipv6(struct pen *p, unsigned int exts, unsigned int proto, uint32_t behind)
{
	uint8_t *ip = write(p, 40);
	unsigned int i;

	put32(ip, 0x6ab12345);
	put16(ip + 4, (8 * exts + behind) & 0xffff);
	ip[6] = (uint8_t)(exts ? 0 : proto);
	ip[7] = 61;
	ip[8] = 0xfd;
	ip[23] = 1;
	ip[24] = 0xfd;
	ip[25] = 0x77;
	ip[39] = 2;
	for (i = 0; i < exts; i++) {
		uint8_t *ext = write(p, 8);

		ext[0] = (uint8_t)(i + 1 < exts ? 60 : proto);
		ext[2] = 1; /* PadN */
		ext[3] = 4;
	}
}

static void write_outer(struct pen *p, const struct seg_shape *shape, struct seg_frame *frame,
			uint32_t behind)
{
	write_ethernet(p, 0, shape->outer == 4 ? 0x0800 : 0x86dd);
	frame->outer_l3 = (uint16_t)p->at;
	if (shape->outer == 4)
		write_ipv4(p, shape, 0, 47, 8 + behind);
	else
		write_ipv6(p, 0, 47, 8 + behind);
	put32(write(p, 4), 0x20006558);
	put32(write(p, 4), 0x00177107);
}

static void write_l4(struct pen *p, const struct seg_shape *shape)
{
	unsigned int i;
	uint8_t *l4;

	if (shape->udp) {
		l4 = write(p, 8);
		put16(l4 + 4, (8 + shape->payload) & 0xffff);
	} else {
		l4 = write(p, 20 + 4u * shape->tcp_opts);
		put32(l4 + 4, shape->seq);
		put32(l4 + 8, 0x01020304);
		l4[12] = (uint8_t)((5 + shape->tcp_opts) << 4);
		l4[13] = shape->flags;
		put16(l4 + 14, 502);
		for (i = 0; i < 4u * shape->tcp_opts; i++)
			l4[20 + i] = shape->tcp_opts == 3 && i < 4 ? "\1\1\10\n"[i] : 1;
	}
	put16(l4, 40000);
	put16(l4 + 2, 5201);
}

/* The sum of a pseudo-header, from the addresses in the frame. */
static uint64_t pseudo(const uint8_t *l3, unsigned int proto, uint32_t l4_len)
{
	uint64_t sum = l3[0] >> 4 == 4 ? words(l3 + 12, 8) : words(l3 + 8, 32);

	return sum + proto + (l4_len >> 16) + (l4_len & 0xffff);
}

void seg_build(const struct seg_shape *shape, struct seg_frame *frame)
{
	const uint32_t l4_len = (shape->udp ? 8 : 20 + 4u * shape->tcp_opts) + shape->payload;
	const unsigned int proto = shape->udp ? 17 : 6;
	const bool is4 = shape->version == 4;
	uint32_t l3_len = l4_len + (is4 ? 20 + 4u * shape->ip_opts : 40 + 8u * shape->exts);
	struct pen p = {.bytes = frame->bytes};
	struct vs_debt *debt = &frame->debt;
	uint32_t i;

	frame->outer_l3 = 0;
	if (shape->outer)
		write_outer(&p, shape, frame, 14 + 4u * shape->tags + l3_len);
	write_ethernet(&p, shape->tags, is4 ? 0x0800 : 0x86dd);
	*debt = (struct vs_debt){
		.csum = VS_CSUM_PARTIAL,
		.l3 = (uint16_t)p.at,
		.csum_offset = shape->udp ? 6 : 16,
		.gso_size = shape->gso_size,
		.ecn = !shape->udp && (shape->flags & CWR),
	};
	if (shape->udp)
		debt->gso = is4 ? VS_GSO_UDP4 : VS_GSO_UDP6;
	else
		debt->gso = is4 ? VS_GSO_TCP4 : VS_GSO_TCP6;
	if (is4)
		write_ipv4(&p, shape, shape->ip_opts, proto, l4_len);
	else
		write_ipv6(&p, shape->exts, proto, l4_len);
	debt->csum_start = (uint16_t)p.at;
	write_l4(&p, shape);
	debt->hdrs = (uint16_t)p.at;
	put16(frame->bytes + debt->csum_start + debt->csum_offset,
	      folded(pseudo(frame->bytes + debt->l3, proto, l4_len)));
	for (i = 0; i < shape->payload; i++)
		frame->bytes[p.at + i] = (uint8_t)(i * 7 + (i >> 8) + shape->id);
	frame->len = p.at + shape->payload;
}

static void append(struct seg_row *row, const struct vs_pkt *made)
{
	uint32_t at = row->at[row->n];
	unsigned int i;

	memcpy(row->bytes + at, made->hdr, made->hdr_len);
	at += made->hdr_len;
	for (i = 0; i < made->n_ext; i++) {
		memcpy(row->bytes + at, made->ext[i].data, made->ext[i].len);
		at += made->ext[i].len;
	}
	/* The length that it claims is that of its pieces. */
	if (at - row->at[row->n] != made->len)
		abort();
	row->debt[row->n] = made->debt;
	row->at[++row->n] = at;
}

/* What is behind the private header, in pieces; a few are empty. */
static uint16_t scatter(const struct seg_frame *frame, const struct seg_way *way, uint32_t *seed,
			struct vs_extent *ext)
{
	uint32_t at = way->private;
	uint16_t n = 0;

	while (at < frame->len && n < SEG_EXTENTS - 1) {
		uint32_t len = seg_random(seed) % (way->longest + 1);

		if (len > frame->len - at || n == SEG_EXTENTS - 2)
			len = frame->len - at;
		ext[n++] = (struct vs_extent){frame->bytes + at, len};
		at += len;
	}
	return n;
}

int seg_cut(const struct seg_frame *frame, const struct seg_way *way, uint32_t *seed,
	    struct seg_row *row)
{
	/* The private header has exactly its size, so that a sanitizer sees what is beyond it. */
	uint8_t *private = malloc(way->private + !way->private);
	static struct vs_extent ext[SEG_EXTENTS];
	static struct vs_extent out[SEG_EXTENTS];
	struct vs_hdr_slot slot;
	struct vs_segments segs;
	struct vs_pkt made;
	struct vs_pkt pkt = {
		.hdr = private,
		.hdr_len = way->private,
		.len = frame->len,
		.ext = ext,
		.n_ext = scatter(frame, way, seed, ext),
		.in_port = 77,
		.vid = 9,
		.debt = frame->debt,
	};
	int got;

	if (!private)
		abort();
	memcpy(private, frame->bytes, way->private);
	row->n = 0;
	row->at[0] = 0;
	got = vs_segment_begin(&segs, &pkt, frame->outer_l3);
	while (got >= 0) {
		got = vs_segment_next(&segs, way->csum, &made, &slot, out, way->room);
		if (got == -ENOBUFS)
			got = vs_segment_next(&segs, way->csum, &made, &slot, out, SEG_EXTENTS);
		if (got <= 0)
			break;
		/* As many as announced, and what is not about the cut stays. */
		if (row->n >= segs.n || made.in_port != 77 || made.vid != 9)
			abort();
		append(row, &made);
	}
	free(private);
	return got;
}

/* An IP header at @l3 of segment @i that ends at @len. */
static void expect_ip(uint8_t *want, uint32_t l3, uint32_t len, unsigned int i)
{
	uint8_t *ip = want + l3;
	uint32_t ihl = (ip[0] & 15) * 4u;

	if (ip[0] >> 4 == 6) {
		put16(ip + 4, len - l3 - 40);
		return;
	}
	put16(ip + 2, len - l3);
	put16(ip + 4, (get16(ip + 4) + i) & 0xffff);
	put16(ip + 10, 0);
	put16(ip + 10, 65535 - folded(words(ip, ihl)));
}

/* What segment @i must be, with its checksum. Return: its length. */
static uint32_t expect(const struct seg_frame *frame, unsigned int i, unsigned int n,
		       enum vs_segment_csum csum, uint8_t *want)
{
	const struct vs_debt *debt = &frame->debt;
	const bool tcp = debt->csum_offset == 16;
	const uint32_t from = debt->hdrs + (uint32_t)i * debt->gso_size;
	const uint32_t part = i + 1 < n ? debt->gso_size : frame->len - from;
	const uint32_t len = debt->hdrs + part;
	const uint32_t old = frame->len - debt->csum_start;
	uint8_t *l4 = want + debt->csum_start;
	uint8_t *field = l4 + debt->csum_offset;
	uint64_t sum;

	memcpy(want, frame->bytes, debt->hdrs);
	memcpy(want + debt->hdrs, frame->bytes + from, part);
	if (frame->outer_l3)
		expect_ip(want, frame->outer_l3, len, i);
	expect_ip(want, debt->l3, len, i);
	if (tcp) {
		put32(l4 + 4, get32(l4 + 4) + i * debt->gso_size);
		l4[13] &= (uint8_t) ~((i ? CWR : 0) | (i + 1 < n ? FIN | PSH : 0));
	} else {
		put16(l4 + 4, len - debt->csum_start);
	}
	/* 65535 * 2 is 0, and more than any length. */
	sum = (uint64_t)get16(field) + 65535 * 2 - old + (len - debt->csum_start);
	if (csum == VS_SEGMENT_CSUM_FULL) {
		put16(field, 0);
		sum = 65535 - folded(sum + words(l4, len - debt->csum_start));
		put16(field, sum == 0 && !tcp ? 65535 : (unsigned int)sum);
	} else {
		put16(field, folded(sum));
	}
	return len;
}

/* The same but for the two ways to write 0 in a partial checksum. */
static bool is_same(const uint8_t *a, const uint8_t *b, uint32_t len, uint32_t field)
{
	return memcmp(a, b, field) == 0 &&
	       memcmp(a + field + 2, b + field + 2, len - field - 2) == 0 &&
	       get16(a + field) % 65535 == get16(b + field) % 65535;
}

bool seg_agrees(const struct seg_frame *frame, const struct seg_row *row, enum vs_segment_csum csum)
{
	const struct vs_debt *debt = &frame->debt;
	const uint32_t payload = frame->len - debt->hdrs;
	const uint32_t field = (uint32_t)debt->csum_start + debt->csum_offset;
	unsigned int n = (payload + debt->gso_size - 1u) / debt->gso_size;
	uint8_t *want = malloc(SEG_BYTES);
	bool good = want && row->n == (n ? n : 1);
	unsigned int i;

	for (i = 0; good && i < row->n; i++) {
		const struct vs_debt left = row->debt[i];
		const uint8_t *got = row->bytes + row->at[i];
		uint32_t len = expect(frame, i, row->n, csum, want);

		good = len == row->at[i + 1] - row->at[i] && left.gso == VS_GSO_NONE;
		if (csum == VS_SEGMENT_CSUM_FULL)
			good = good && memcmp(want, got, len) == 0 && left.csum == VS_CSUM_UNKNOWN;
		else
			good = good && is_same(want, got, len, field) &&
			       left.csum == VS_CSUM_PARTIAL && left.l3 == debt->l3 &&
			       left.csum_start == debt->csum_start &&
			       left.csum_offset == debt->csum_offset;
	}
	free(want);
	return good;
}

bool seg_is_sound(const uint8_t *at, uint32_t len)
{
	const uint8_t *l3 = at + 14;
	const bool is4 = get16(at + 12) == 0x0800;
	uint32_t l4 = is4 ? (l3[0] & 15) * 4u : 40;
	unsigned int proto = is4 ? l3[9] : l3[6];

	len -= 14;
	if (is4 && (get16(l3 + 2) != len || folded(words(l3, l4)) != 65535))
		return false;
	if (!is4 && get16(l3 + 4) != len - 40)
		return false;
	while (!is4 && (proto == 0 || proto == 60)) {
		proto = l3[l4];
		l4 += 8u + 8u * l3[l4 + 1];
	}
	if (proto == 17 && get16(l3 + l4 + 4) != len - l4)
		return false;
	if (proto == 47)
		return get32(l3 + l4) == 0x20006558 && seg_is_sound(l3 + l4 + 8, len - l4 - 8);
	return folded(pseudo(l3, proto, len - l4) + words(l3 + l4, len - l4)) == 65535;
}
