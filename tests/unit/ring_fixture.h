/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest for the ring tests: its memory (three regions, each its own allocation, so that a step
 * over a border is seen by AddressSanitizer), and the driver's side of one ring.
 *
 *	region 0: LOW_BYTES at gpa LOW        buffers
 *	region 1: HIGH_BYTES right behind it  buffers; the two adjoin in guest addresses only
 *	region 2: at gpa RINGS                descriptor table, available ring, used ring
 */
#ifndef TESTS_UNIT_RING_FIXTURE_H
#define TESTS_UNIT_RING_FIXTURE_H

#include "dataplane/guest/ring.h"

enum {
	LOW = 0x100000,
	LOW_BYTES = 0x80000,
	HIGH = LOW + LOW_BYTES,
	HIGH_BYTES = 0x20000,
	RINGS = 0x4000000,

	TABLE = LOW + 0x70000, /* of indirect descriptors */

	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	INDIRECT = VRING_DESC_F_INDIRECT,
};

/** What sort of driver it is: flags of the ring, and the header's length. */
enum rf_driver {
	RF_MODERN,    /* everything negotiated, header of 12 bytes */
	RF_PLAIN,     /* VERSION_1 alone: header of 12 bytes, no mergeable, no indirect, flags */
	RF_LEGACY,    /* header of 10 bytes, nothing negotiated */
	RF_MERGEABLE, /* mergeable alone */
};

struct rf {
	struct vs_mem mem;
	struct vs_ring ring;
	struct vs_burst *burst;
	uint8_t *rings;
	uint16_t avail;     /* driver's next available index */
	uint16_t seen;      /* driver's next used index to look at */
	uint16_t next_desc; /* of the table, for rf_chain() */
};

/** struct rf_buf - a buffer of a chain */
struct rf_buf {
	uint64_t gpa;
	uint32_t len;
};

/** rf_new() - a started ring of @size entries with both indices at @base. */
struct rf *rf_new(uint32_t size, enum rf_driver driver, uint16_t base);

/** rf_free() - end of it. */
void rf_free(struct rf *f);

/** rf_restart() - stop the ring, empty it and start it again at @base. */
void rf_restart(struct rf *f, uint16_t base);

/** rf_at() - our address of a guest-physical one inside the buffers' regions. */
uint8_t *rf_at(struct rf *f, uint64_t gpa);

/** rf_desc() - write descriptor @i of the ring's table. */
void rf_desc(struct rf *f, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next);

/** rf_desc_at() - write descriptor @i of an indirect table at @table. */
void rf_desc_at(struct rf *f, uint64_t table, uint16_t i, uint64_t gpa, uint32_t len,
		uint16_t flags, uint16_t next);

/** rf_offer() - make @head available. */
void rf_offer(struct rf *f, uint16_t head);

/** rf_chain() - make a direct chain of @n buffers available. Return: its head. */
uint16_t rf_chain(struct rf *f, const struct rf_buf *buf, unsigned int n, uint16_t flags);

/** rf_give() - make one buffer available: readable if @flags is 0. Return: its head. */
uint16_t rf_give(struct rf *f, uint64_t gpa, uint32_t len, uint16_t flags);

/** rf_indirect() - make @n buffers available by an indirect table at @table. */
uint16_t rf_indirect(struct rf *f, uint64_t table, const struct rf_buf *buf, unsigned int n,
		     uint16_t flags);

/** rf_used() - the next used entry. Return: 1 and the entry, or 0. */
int rf_used(struct rf *f, struct vring_used_elem *ret_elem);

/** rf_used_idx() - used index as the driver sees it. */
uint16_t rf_used_idx(struct rf *f);

/** rf_calls() - calls since the last time it was asked. */
uint64_t rf_calls(struct rf *f);

/** rf_pull() - pull into an empty burst. Return: frames. */
unsigned int rf_pull(struct rf *f);

/** rf_fault() - name of the ring's fault. */
const char *rf_fault(const struct rf *f);

/** rf_fill() - a pattern of bytes that depends on @seed, at @p. */
void rf_fill(uint8_t *p, uint32_t len, uint32_t seed);

/** rf_byte() - byte @i of the pattern. */
uint8_t rf_byte(uint32_t i, uint32_t seed);

/** rf_payload() - byte @i of a packet, wherever it lies. */
uint8_t rf_payload(const struct vs_pkt *pkt, uint32_t i);

/** rf_place() - a zero header of @hdr bytes and a frame of @len pattern bytes, at @gpa. */
void rf_place(struct rf *f, uint64_t gpa, uint32_t hdr, uint32_t len, uint32_t seed);

/** rf_expect_frame() - a packet that was pulled is the frame of rf_place(), cut as it should be. */
void rf_expect_frame(const struct vs_pkt *pkt, uint32_t len, uint32_t seed);

/** rf_expect_back() - all that was pulled comes back, in order, with length 0, and not before. */
void rf_expect_back(struct rf *f, const uint16_t *head, unsigned int n);

/**
 * struct rf_frame - a packet to be pushed, in its private header and up to 8 extents
 */
struct rf_frame {
	struct vs_pkt pkt;
	struct vs_extent ext[8];
	uint8_t *bytes;
};

/** rf_frame_make() - a frame of @len pattern bytes; extents of @piece bytes, the last the rest. */
void rf_frame_make(struct rf_frame *fr, uint32_t len, uint32_t piece, uint32_t seed);

/** rf_frame_free() - free its bytes. */
void rf_frame_free(struct rf_frame *fr);

/** rf_push() - push one frame. Return: its fate. */
enum vs_drop rf_push(struct rf *f, const struct rf_frame *fr);

#endif
