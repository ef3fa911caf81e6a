/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary guest memory under vs_ring_pull() and vs_ring_push().
 *
 * The input is read as: shape of the ring (2 bytes), base index (2 bytes), the descriptor table
 * (6 bytes each), two indirect tables (6 bytes each), then rounds until it ends: how far the
 * available index moves, which heads, what is pulled, pushed or lost.
 *
 * What is checked: extents lie inside guest memory and their lengths add up; pulling writes
 * nothing; giving back and pushing write used ring, used index and device-writable buffers of
 * available chains and nothing else (against a copy); used entries name the heads that were
 * available, in order; their lengths are those of the frames; fates are reasons. In the wild
 * shape buffers may lie over rings and tables: then the sanitizers judge alone.
 */
#include "dataplane/guest/ring_chain.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	BUF_BYTES = 4096,
	GPA = 0x10000, /* of the first region of buffers; the second adjoins it */
	RINGS_GPA = 0x80000,
	RING_MAX = 64,
	TABLES = 2,
	TABLE_DESCS = 32,
	TABLE_OFF = 4096, /* of the indirect tables, behind the rings */
	RINGS_BYTES = TABLE_OFF + TABLES * 16 * TABLE_DESCS,
	ROUNDS_MAX = 32,
	BLOCK = 256, /* bytes compared at once */
};

struct input {
	const uint8_t *at;
	size_t left;
};

struct guest {
	struct vs_mem mem;
	struct vs_ring ring;
	int wild;
	uint8_t *copy[3];
	uint8_t *allowed[3];
};

_Static_assert(BUF_BYTES % BLOCK == 0 && RINGS_BYTES % BLOCK == 0, "whole blocks");

static struct vs_burst burst;

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static uint16_t word(struct input *in)
{
	uint16_t lo = byte(in);

	return (uint16_t)(lo | byte(in) << 8);
}

static size_t region_bytes(unsigned int i)
{
	return i < 2 ? BUF_BYTES : RINGS_BYTES;
}

static void make_memory(struct guest *g)
{
	static const uint64_t gpa[] = {GPA, GPA + BUF_BYTES, RINGS_GPA};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		size_t n = region_bytes(i);

		g->mem.region[i] = (struct vs_mem_region){.gpa = gpa[i], .size = n};
		g->mem.region[i].host = aligned_alloc(16, n);
		g->copy[i] = malloc(n);
		g->allowed[i] = malloc(n);
		CHECK(g->mem.region[i].host && g->copy[i] && g->allowed[i]);
		memset(g->mem.region[i].host, (int)i + 1, n);
	}
	g->mem.n = 3;
}

static void free_memory(struct guest *g)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		free(g->mem.region[i].host);
		free(g->copy[i]);
		free(g->allowed[i]);
	}
}

/* One descriptor from 6 bytes: where, offset (2), length, flags, next. */
static struct vring_desc make_desc(const struct guest *g, struct input *in)
{
	static const uint32_t lens[] = {0,     1,     2,     5,          10,        11,   12,
					13,    14,    16,    32,         60,        100,  128,
					129,   512,   1024,  1514,       4095,      4096, 4097,
					65535, 65562, 65563, 0x7fffffff, 0xffffffff};
	uint8_t where = byte(in);
	uint16_t off = word(in);
	uint8_t len = byte(in);
	uint8_t flags = byte(in) & 7;
	uint8_t next = byte(in);
	struct vring_desc d;

	d.len = htole32(len < 26 ? lens[len] : len);
	switch (where & 7) {
	case 0:
	case 1:
	case 2:
		d.addr = GPA + off % (2 * BUF_BYTES);
		break;
	case 3:
		d.addr = GPA + 2 * BUF_BYTES - off % 64;
		break;
	case 4:
	case 5:
		d.addr = RINGS_GPA + TABLE_OFF + (off & 1) * 16 * TABLE_DESCS + (off >> 1) % 32;
		d.len = htole32(16 * (len % 34));
		flags |= VRING_DESC_F_INDIRECT;
		break;
	case 6:
		d.addr = g->wild ? RINGS_GPA + off % RINGS_BYTES : GPA + off % BUF_BYTES;
		break;
	default:
		d.addr = ((uint64_t)off << 48) + (uint64_t)off;
		break;
	}
	/* In the tame shape what is written must not be a table. */
	if (!g->wild && (where & 7) >= 4 && (where & 7) <= 5)
		flags &= (uint8_t)~VRING_DESC_F_WRITE;
	d.addr = htole64(d.addr);
	d.flags = htole16(flags);
	d.next = htole16(next >= 250 ? next * 257 : next % RING_MAX);
	return d;
}

static void make_ring(struct guest *g, struct input *in)
{
	uint8_t shape = byte(in);
	uint8_t *rings = g->mem.region[2].host;
	uint16_t n = (uint16_t)(1u << (byte(in) % 7));
	struct vring_desc *table = (struct vring_desc *)(void *)(rings + TABLE_OFF);
	unsigned int avail = 16u * n;
	unsigned int used = (avail + 6 + 2u * n + 3) / 4 * 4;
	unsigned int i;

	g->wild = shape >> 7;
	g->ring = (struct vs_ring){
		.desc = (struct vring_desc *)(void *)rings,
		.avail = (struct vring_avail *)(void *)(rings + avail),
		.used = (struct vring_used *)(void *)(rings + used),
		.mem = &g->mem,
		.size = n,
		.flags = shape & 7,
		.hdr_len = (shape & 1) || (shape & 8) ? 12 : 10,
		.call_fd = -1,
		.in_port = 3,
	};
	i = word(in);
	g->ring.avail->idx = g->ring.used->idx = htole16((uint16_t)i);
	vs_ring_start(&g->ring, (uint16_t)i);
	for (i = 0; i < n; i++)
		g->ring.desc[i] = make_desc(g, in);
	for (i = 0; i < TABLES * TABLE_DESCS / 2; i++)
		table[i / 16 * TABLE_DESCS + i % 16] = make_desc(g, in);
}

static void remember(struct guest *g)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		memcpy(g->copy[i], g->mem.region[i].host, region_bytes(i));
		memset(g->allowed[i], 0, region_bytes(i));
	}
}

static void allow(struct guest *g, const uint8_t *p, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		const uint8_t *host = g->mem.region[i].host;

		if (p >= host && p < host + region_bytes(i)) {
			CHECK(len <= region_bytes(i) - (size_t)(p - host));
			memset(g->allowed[i] + (p - host), 1, len);
			return;
		}
	}
	CHECK(len == 0);
}

/* Used ring and index, the index the switch names behind it left out. */
static void allow_used(struct guest *g)
{
	allow(g, (const uint8_t *)&g->ring.used->idx, 2u + 8u * g->ring.size);
}

static void check_block(const uint8_t *host, const uint8_t *copy, const uint8_t *allowed)
{
	unsigned int b;

	if (memcmp(host, copy, BLOCK) == 0)
		return;
	for (b = 0; b < BLOCK; b++)
		CHECK(allowed[b] || host[b] == copy[b]);
}

static void check_unchanged(const struct guest *g)
{
	unsigned int i;
	size_t b;

	for (i = 0; i < 3; i++)
		for (b = 0; b < region_bytes(i); b += BLOCK)
			check_block(g->mem.region[i].host + b, g->copy[i] + b, g->allowed[i] + b);
}

static const struct vring_desc *table_of(const struct guest *g, const struct vring_desc *d)
{
	uint64_t off = le64toh(d->addr) - RINGS_GPA;

	if (off >= RINGS_BYTES || le32toh(d->len) > RINGS_BYTES - off)
		return NULL;
	return (const struct vring_desc *)(const void *)(g->mem.region[2].host + off);
}

/* A plain walk of the chain at @head: allow what a device may write of it. */
static void allow_chain(struct guest *g, uint16_t head)
{
	const struct vring_desc *table = g->ring.desc;
	uint32_t n = g->ring.size;
	unsigned int steps;
	uint32_t i = head;

	for (steps = 0; steps < 200 && i < n; steps++) {
		struct vring_desc d;
		uint16_t flags;
		uint64_t off;

		memcpy(&d, (const uint8_t *)table + 16 * (size_t)i, sizeof(d));
		flags = le16toh(d.flags);
		off = le64toh(d.addr) - GPA;
		if (flags & VRING_DESC_F_INDIRECT) {
			table = table_of(g, &d);
			n = le32toh(d.len) / 16;
			i = 0;
			if (!table)
				return;
			continue;
		}
		if ((flags & VRING_DESC_F_WRITE) && off < 2 * BUF_BYTES &&
		    le32toh(d.len) <= BUF_BYTES - off % BUF_BYTES)
			allow(g, g->mem.region[off / BUF_BYTES].host + off % BUF_BYTES,
			      le32toh(d.len));
		if (!(flags & VRING_DESC_F_NEXT))
			return;
		i = le16toh(d.next);
	}
}

static uint16_t avail_entry(const struct guest *g, uint16_t index)
{
	return le16toh(g->ring.avail->ring[index & (g->ring.size - 1)]);
}

static void check_packet(const struct guest *g, const struct vs_pkt *pkt)
{
	uint64_t sum = pkt->hdr_len;
	unsigned int i;

	CHECK(pkt->drop < VS_DROP_COUNT && pkt->in_port == 3);
	CHECK(pkt->hdr_len <= VS_HDR_BYTES && pkt->n_ext <= VS_CHAIN_DESCS_MAX);
	CHECK(pkt->drop == VS_DROP_NONE || pkt->n_ext == 0);
	for (i = 0; i < pkt->n_ext; i++) {
		const struct vs_extent *x = &pkt->ext[i];
		unsigned int r;
		int inside = 0;

		for (r = 0; r < 3; r++) {
			const uint8_t *host = g->mem.region[r].host;

			inside |= x->data >= host && x->data < host + region_bytes(r) &&
				  x->len <= region_bytes(r) - (size_t)(x->data - host);
		}
		CHECK(inside && x->len > 0);
		sum += x->len;
	}
	CHECK(sum == pkt->len && sum + g->ring.hdr_len <= VS_CHAIN_BYTES_MAX);
}

static void pull(struct guest *g, int lose)
{
	uint16_t from = g->ring.next_avail;
	uint16_t used = g->ring.next_used;
	uint16_t heads[VS_BURST_MAX];
	unsigned int i;

	remember(g);
	burst.n = burst.n_ext = 0;
	vs_ring_pull(&g->ring, &burst, 3);
	check_unchanged(g);
	CHECK(burst.n <= VS_BURST_MAX && burst.n_ext <= VS_BURST_EXTENTS);
	CHECK((uint16_t)(g->ring.next_avail - from) == burst.n && g->ring.taken == burst.n);
	for (i = 0; i < burst.n; i++) {
		check_packet(g, &burst.pkt[i]);
		heads[i] = avail_entry(g, (uint16_t)(from + i));
	}

	g->mem.lost = (uint32_t)lose;
	if (!lose)
		allow_used(g);
	vs_ring_pull_done(&g->ring);
	check_unchanged(g);
	g->mem.lost = 0;
	if (lose) {
		g->ring.taken = 0;
		return;
	}
	CHECK(g->ring.next_used == (uint16_t)(used + burst.n));
	/* With nothing to give back it stands as it is: a wild frame may have lain over it. */
	CHECK(burst.n == 0 || le16toh(g->ring.used->idx) == g->ring.next_used);
	for (i = 0; i < burst.n; i++) {
		const struct vring_used_elem *e =
			&g->ring.used->ring[(used + i) & (g->ring.size - 1u)];

		CHECK(le32toh(e->id) == heads[i] && e->len == 0);
	}
}

static unsigned int make_frames(struct vs_pkt *pkt, struct vs_pkt **list, struct input *in)
{
	static const uint16_t lens[] = {14, 15, 60, 127, 128, 129, 300, 1514, 4000, 9000};
	static uint8_t bytes[9000];
	static struct vs_extent ext[8];
	unsigned int n = 1 + byte(in) % 8;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint8_t shape = byte(in);
		uint16_t len = lens[shape % 10];
		uint16_t most = shape & 0x80 ? VS_HDR_BYTES + VS_TAG_BYTES : VS_HDR_BYTES;
		uint16_t hdr = len < most ? len : most;

		ext[i] = (struct vs_extent){bytes + hdr, (uint32_t)len - hdr};
		pkt[i] = (struct vs_pkt){.hdr = bytes,
					 .hdr_len = hdr,
					 .len = len,
					 .ext = &ext[i],
					 .n_ext = len > hdr};
		list[i] = &pkt[i];
	}
	return n;
}

static void push(struct guest *g, struct input *in, int lose)
{
	uint16_t from = g->ring.next_avail;
	uint16_t used = g->ring.next_used;
	uint16_t waiting = (uint16_t)(le16toh(g->ring.avail->idx) - from);
	struct vs_pkt *list[8];
	struct vs_pkt pkt[8];
	uint64_t want = 0;
	uint64_t got = 0;
	uint16_t taken;
	uint8_t fate[8];
	unsigned int n;
	unsigned int i;

	n = make_frames(pkt, list, in);
	memset(fate, 0xff, sizeof(fate));
	remember(g);
	allow_used(g);
	for (i = 0; waiting <= g->ring.size && i < waiting; i++)
		allow_chain(g, avail_entry(g, (uint16_t)(from + i)));
	vs_mem_faults = (uint32_t)lose;
	vs_ring_push(&g->ring, list, n, fate);
	vs_mem_faults = 0;
	for (i = 0; i < n; i++) {
		CHECK(fate[i] < VS_DROP_COUNT);
		CHECK(fate[i] == VS_DROP_NONE || vs_drop_side(fate[i]) == VS_DROP_SIDE_OUT);
		if (fate[i] == VS_DROP_NONE)
			want += g->ring.hdr_len + pkt[i].len;
	}
	taken = (uint16_t)(g->ring.next_used - used);
	CHECK(taken <= g->ring.size);
	CHECK((uint16_t)(g->ring.next_avail - from) == taken);
	CHECK(!lose || taken == 0);
	if (g->wild)
		return;

	check_unchanged(g);
	CHECK(taken <= waiting && le16toh(g->ring.used->idx) == g->ring.next_used);
	for (i = 0; i < taken; i++) {
		const struct vring_used_elem *e =
			&g->ring.used->ring[(used + i) & (g->ring.size - 1u)];

		CHECK(le32toh(e->id) == avail_entry(g, (uint16_t)(from + i)));
		got += le32toh(e->len);
	}
	CHECK(got == want);
}

/* The guest makes entries available; mostly as many as the ring has room for. */
static void offer(struct guest *g, struct input *in, uint8_t op)
{
	uint16_t idx = le16toh(g->ring.avail->idx);
	unsigned int n = op & 15;
	unsigned int i;

	if (n == 15)
		n = word(in);
	for (i = 0; i < n && i < g->ring.size; i++) {
		uint8_t head = byte(in);

		g->ring.avail->ring[(idx + i) & (g->ring.size - 1u)] =
			htole16(head >= 250 ? (uint16_t)(head * 256) : head % g->ring.size);
	}
	g->ring.avail->idx = htole16((uint16_t)(idx + n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct guest g = {0};
	unsigned int round;

	make_memory(&g);
	make_ring(&g, &in);
	for (round = 0; in.left && round < ROUNDS_MAX; round++) {
		uint8_t op = byte(&in);

		offer(&g, &in, op);
		if (op & 16)
			pull(&g, (op >> 5) == 7);
		else
			push(&g, &in, (op >> 5) == 7);
		if (!vs_ring_usable(&g.ring)) {
			CHECK(g.ring.fault > VS_RING_OK && g.ring.fault < VS_RING_FAULT_COUNT);
			g.ring.avail->idx = g.ring.used->idx;
			vs_ring_stop(&g.ring);
			vs_ring_start(&g.ring, le16toh(g.ring.used->idx));
		}
	}
	free_memory(&g);
	return 0;
}
