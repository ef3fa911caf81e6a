/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/ring_fixture.h"

#include <assert.h>
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
	uint8_t flags;
	uint8_t hdr_len;
} drivers[] = {
	[RF_MODERN] = {VS_RING_MERGEABLE | VS_RING_EVENT_IDX | VS_RING_INDIRECT, 12},
	[RF_PLAIN] = {0, 12},
	[RF_LEGACY] = {0, 10},
	[RF_MERGEABLE] = {VS_RING_MERGEABLE, 12},
};

static void region(struct rf *f, uint64_t gpa, size_t size)
{
	struct vs_mem_region *r = &f->mem.region[f->mem.n++];

	*r = (struct vs_mem_region){.gpa = gpa, .uva = gpa, .size = size};
	r->host = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
	assert(r->host);
	memset(r->host, 0, size);
}

struct rf *rf_new(uint32_t size, enum rf_driver driver, uint16_t base)
{
	struct rf *f = calloc(1, sizeof(*f));
	size_t avail = 16 * (size_t)size;
	size_t used = (avail + 6 + 2 * (size_t)size + 3) / 4 * 4;

	assert(f);
	region(f, LOW, LOW_BYTES);
	region(f, HIGH, HIGH_BYTES);
	region(f, RINGS, used + 6 + 8 * (size_t)size);
	f->rings = f->mem.region[2].host;
	f->burst = calloc(1, sizeof(*f->burst));
	assert(f->burst);
	f->ring = (struct vs_ring){
		.desc = (struct vring_desc *)f->rings,
		.avail = (struct vring_avail *)(f->rings + avail),
		.used = (struct vring_used *)(f->rings + used),
		.mem = &f->mem,
		.size = (uint16_t)size,
		.flags = drivers[driver].flags,
		.hdr_len = drivers[driver].hdr_len,
		.in_port = 7,
	};
	f->ring.call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert(f->ring.call_fd >= 0);
	rf_restart(f, base);
	return f;
}

void rf_restart(struct rf *f, uint16_t base)
{
	vs_ring_stop(&f->ring);
	f->avail = base;
	f->seen = base;
	f->next_desc = 0;
	f->ring.avail->idx = htole16(base);
	f->ring.used->idx = htole16(base);
	vs_ring_start(&f->ring, base);
	(void)rf_calls(f);
}

void rf_free(struct rf *f)
{
	uint32_t i;

	for (i = 0; i < f->mem.n; i++)
		free(f->mem.region[i].host);
	close(f->ring.call_fd);
	free(f->burst);
	free(f);
}

uint8_t *rf_at(struct rf *f, uint64_t gpa)
{
	uint8_t *p = vs_mem_at(&f->mem, gpa, 1);

	assert(p);
	return p;
}

static void put(struct vring_desc *d, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next)
{
	const struct vring_desc v = {
		.addr = htole64(gpa),
		.len = htole32(len),
		.flags = htole16(flags),
		.next = htole16(next),
	};

	memcpy(d, &v, sizeof(v));
}

void rf_desc(struct rf *f, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next)
{
	put(&f->ring.desc[i], gpa, len, flags, next);
}

void rf_desc_at(struct rf *f, uint64_t table, uint16_t i, uint64_t gpa, uint32_t len,
		uint16_t flags, uint16_t next)
{
	put((struct vring_desc *)(void *)rf_at(f, table + (uint64_t)16 * i), gpa, len, flags, next);
}

void rf_offer(struct rf *f, uint16_t head)
{
	f->ring.avail->ring[f->avail & (f->ring.size - 1)] = htole16(head);
	__atomic_store_n(&f->ring.avail->idx, htole16(++f->avail), __ATOMIC_RELEASE);
}

uint16_t rf_chain(struct rf *f, const struct rf_buf *buf, unsigned int n, uint16_t flags)
{
	uint16_t head = f->next_desc;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint16_t at = f->next_desc;
		uint16_t next = (uint16_t)((at + 1) & (f->ring.size - 1));

		rf_desc(f, at, buf[i].gpa, buf[i].len,
			(uint16_t)(flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0)), next);
		f->next_desc = next;
	}
	rf_offer(f, head);
	return head;
}

uint16_t rf_give(struct rf *f, uint64_t gpa, uint32_t len, uint16_t flags)
{
	const struct rf_buf buf = {gpa, len};

	return rf_chain(f, &buf, 1, flags);
}

uint16_t rf_indirect(struct rf *f, uint64_t table, const struct rf_buf *buf, unsigned int n,
		     uint16_t flags)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		rf_desc_at(f, table, (uint16_t)i, buf[i].gpa, buf[i].len,
			   (uint16_t)(flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
			   (uint16_t)(i + 1));
	return rf_give(f, table, 16 * n, VRING_DESC_F_INDIRECT);
}

int rf_used(struct rf *f, struct vring_used_elem *ret_elem)
{
	const struct vring_used_elem *e = &f->ring.used->ring[f->seen & (f->ring.size - 1)];

	if (f->seen == rf_used_idx(f))
		return 0;
	ret_elem->id = le32toh(e->id);
	ret_elem->len = le32toh(e->len);
	f->seen++;
	return 1;
}

uint16_t rf_used_idx(struct rf *f)
{
	return le16toh(__atomic_load_n(&f->ring.used->idx, __ATOMIC_ACQUIRE));
}

uint64_t rf_calls(struct rf *f)
{
	uint64_t n = 0;

	return read(f->ring.call_fd, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

unsigned int rf_pull(struct rf *f)
{
	f->burst->n = 0;
	f->burst->n_ext = 0;
	vs_ring_pull(&f->ring, f->burst, 1);
	return f->burst->n;
}

const char *rf_fault(const struct rf *f)
{
	return vs_ring_fault_name(f->ring.fault);
}

uint8_t rf_byte(uint32_t i, uint32_t seed)
{
	return (uint8_t)(((i + 1) * 2654435761u + seed * 40503u) >> 19);
}

void rf_fill(uint8_t *p, uint32_t len, uint32_t seed)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		p[i] = rf_byte(i, seed);
}

uint8_t rf_payload(const struct vs_pkt *pkt, uint32_t i)
{
	unsigned int e;

	if (i < pkt->hdr_len)
		return pkt->hdr[i];
	i -= pkt->hdr_len;
	for (e = 0; e < pkt->n_ext; e++) {
		if (i < pkt->ext[e].len)
			return pkt->ext[e].data[i];
		i -= pkt->ext[e].len;
	}
	assert(0);
	return 0;
}

void rf_frame_make(struct rf_frame *fr, uint32_t len, uint32_t piece, uint32_t seed)
{
	uint32_t at;

	memset(fr, 0, sizeof(*fr));
	fr->bytes = malloc(len);
	assert(fr->bytes);
	rf_fill(fr->bytes, len, seed);
	fr->pkt.hdr = fr->bytes;
	fr->pkt.len = len;
	fr->pkt.hdr_len = (uint16_t)(len < VS_HDR_BYTES ? len : VS_HDR_BYTES);
	fr->pkt.ext = fr->ext;
	for (at = fr->pkt.hdr_len; at < len;) {
		uint32_t n = len - at < piece || fr->pkt.n_ext == 7 ? len - at : piece;

		fr->ext[fr->pkt.n_ext++] = (struct vs_extent){fr->bytes + at, n};
		at += n;
	}
}

void rf_frame_free(struct rf_frame *fr)
{
	free(fr->bytes);
}

enum vs_drop rf_push(struct rf *f, const struct rf_frame *fr)
{
	struct vs_pkt pkt = fr->pkt;
	struct vs_pkt *list = &pkt;
	uint8_t fate = 0xff;

	vs_ring_push(&f->ring, &list, 1, &fate);
	return fate;
}

void rf_place(struct rf *f, uint64_t gpa, uint32_t hdr, uint32_t len, uint32_t seed)
{
	memset(rf_at(f, gpa), 0, hdr);
	if (len)
		rf_fill(rf_at(f, gpa + hdr), len, seed);
}

void rf_expect_frame(const struct vs_pkt *pkt, uint32_t len, uint32_t seed)
{
	uint32_t sum = pkt->hdr_len;
	uint32_t i;

	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(pkt->len, len);
	assert_int_equal(pkt->in_port, 7);
	assert_int_equal(pkt->hdr_len, len < VS_HDR_BYTES ? len : VS_HDR_BYTES);
	for (i = 0; i < pkt->n_ext; i++) {
		assert_true(pkt->ext[i].len > 0);
		sum += pkt->ext[i].len;
	}
	assert_int_equal(sum, len);
	for (i = 0; i < len; i++)
		if (rf_payload(pkt, i) != rf_byte(i, seed))
			fail_msg("byte %u of %u differs", i, len);
}

void rf_expect_back(struct rf *f, const uint16_t *head, unsigned int n)
{
	struct vring_used_elem e;
	unsigned int i;

	assert_false(rf_used(f, &e)); /* nothing before it is done */
	vs_ring_pull_done(&f->ring);
	for (i = 0; i < n; i++) {
		assert_true(rf_used(f, &e));
		assert_int_equal(e.id, head[i]);
		assert_int_equal(e.len, 0);
	}
	assert_false(rf_used(f, &e));
}
