/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a state file.
 *
 * DOC: theory of operation
 *
 * Every block was made durable before the next one was begun, so only the last one can be
 * incomplete: it was being written when the machine or the daemon ended, and nobody was told that
 * its transaction happened. It is left out (a torn tail). Anything else that does not fit is damage
 * of what was acknowledged, which must not be passed over.
 *
 * The two are told apart so: no whole block follows a torn tail; and it lacks its end, or a disk
 * sector (512 bytes, which are written whole or not at all) of it is empty. A block of the full
 * length whose sum is wrong is damaged.
 *
 * Whether a whole block follows is found by trying every place where a head stands. A file that was
 * made to be slow has many heads with long blocks that overlap: the bytes that are summed for the
 * answer are bounded, and a file that needs more is damaged, as no daemon writes such a one.
 */
#include "control/store_block.h"
#include "control/store_image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	SECTOR = 512,

	/* Lengths of the file that are summed at most to find what follows. */
	SUMS_MAX = 4,
};

/** struct file - the file being read, and how far */
struct file {
	const char *data;
	size_t len;
	size_t at;
	struct vs_store_report *report;
};

static int refuse(struct file *f, int err, size_t offset, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(struct file *f, int err, size_t offset, const char *fmt, ...)
{
	va_list ap;

	f->report->offset = offset;
	va_start(ap, fmt);
	(void)vsnprintf(f->report->text, sizeof(f->report->text), fmt, ap);
	va_end(ap);
	return err;
}

static int read_head(struct file *f)
{
	const struct vs_store_head *head = (const struct vs_store_head *)f->data;

	if (f->len == 0)
		return refuse(f, -EBADMSG, 0, "is empty, and a state file never is");
	if (f->len < sizeof(*head) || memcmp(head->magic, VS_STORE_MAGIC, sizeof(head->magic)) != 0)
		return refuse(f, -ENOTSUP, 0, "is no state file of vmswitchd");
	if (head->order != VS_STORE_ORDER)
		return refuse(f, -ENOTSUP, 0,
			      "is of a machine with another byte order; 'vmswitch config show' "
			      "there and 'vmswitch -f' here carry it over");
	if (head->version > VS_STORE_VERSION || head->needs != 0)
		return refuse(f, -EPROTONOSUPPORT, 0,
			      "was written by a newer vmswitchd (format %" PRIu32
			      ", features %#" PRIx32 "; this one reads format %d)",
			      head->version, head->needs, VS_STORE_VERSION);
	if (head->version == 0 || head->size != sizeof(*head) ||
	    head->crc != vs_store_crc(0, head, offsetof(struct vs_store_head, crc)))
		return refuse(f, -EBADMSG, 0, "is damaged: the sum of its head is wrong");
	f->at = sizeof(*head);
	return 0;
}

/** What lies at an offset. */
enum found {
	FOUND_BLOCK,   /* a whole one */
	FOUND_SHORT,   /* the file ends before the block does */
	FOUND_WRONG,   /* a block whose sum is wrong */
	FOUND_NOTHING, /* no head of a block */
};

/* By its head alone: whether the sum is right was not looked at. */
static enum found look_at_head(const struct file *f, size_t at)
{
	const struct vs_store_block *b = (const struct vs_store_block *)(f->data + at);

	if (f->len - at < sizeof(*b))
		return FOUND_SHORT;
	if (b->magic != VS_STORE_BLOCK_MAGIC ||
	    b->head_crc != vs_store_crc(0, b, offsetof(struct vs_store_block, head_crc)))
		return FOUND_NOTHING;
	if (b->len > f->len - at - sizeof(*b))
		return FOUND_SHORT;
	return b->len % 8 ? FOUND_WRONG : FOUND_BLOCK;
}

static bool sum_is_right(const struct vs_store_block *b)
{
	return b->crc == vs_store_crc(0, b + 1, b->len);
}

static enum found look(const struct file *f, size_t at)
{
	enum found found = look_at_head(f, at);

	if (found == FOUND_BLOCK && !sum_is_right((const struct vs_store_block *)(f->data + at)))
		return FOUND_WRONG;
	return found;
}

/** What lies behind an offset. */
enum next {
	NEXT_NONE,
	NEXT_BLOCK,
	NEXT_UNKNOWN, /* more heads of blocks than are looked into */
};

/* The next whole block behind @at that is not older than what was read; NEXT_BLOCK: *@ret_at. */
static enum next follows(const struct file *f, size_t at, size_t *ret_at)
{
	size_t left = SUMS_MAX * f->len;

	for (at += 8; at < f->len; at += 8) {
		const struct vs_store_block *b = (const struct vs_store_block *)(f->data + at);

		if (look_at_head(f, at) != FOUND_BLOCK || b->seq <= f->report->seq)
			continue;
		if (b->len > left)
			return NEXT_UNKNOWN;
		left -= b->len;
		if (!sum_is_right(b))
			continue;
		*ret_at = at;
		return NEXT_BLOCK;
	}
	return NEXT_NONE;
}

/* Does any sector hold nothing but zeros, as far as it lies from @at on? */
static bool has_empty_sector(const struct file *f, size_t at)
{
	while (at < f->len) {
		size_t end = (at / SECTOR + 1) * SECTOR;
		size_t i;

		if (end > f->len)
			end = f->len;
		for (i = at; i < end && f->data[i] == 0; i++)
			;
		if (i == end)
			return true;
		at = end;
	}
	return false;
}

/* What lies at f->at is no whole block. Return: 0: it is a torn tail; -EBADMSG. */
static int judge(struct file *f, enum found found)
{
	size_t at;
	enum next next = follows(f, f->at, &at);

	if (next == NEXT_BLOCK)
		return refuse(f, -EBADMSG, f->at,
			      "is damaged: there is no whole transaction, but at offset %zu one "
			      "follows",
			      at);
	if (next == NEXT_UNKNOWN)
		return refuse(f, -EBADMSG, f->at,
			      "is damaged: there is no whole transaction, but too many beginnings "
			      "of one follow");
	if (found == FOUND_SHORT || has_empty_sector(f, f->at))
		return 0;
	return refuse(f, -EBADMSG, f->at, "is damaged: %s",
		      found == FOUND_WRONG ? "the sum of a transaction is wrong"
					   : "no transaction begins here");
}

static int read_block(struct file *f, struct vs_image *image)
{
	const struct vs_store_block *b = (const struct vs_store_block *)(f->data + f->at);
	struct vs_store_report *report = f->report;
	struct vs_image_fault fault;
	int err;

	if (report->blocks && b->seq != report->seq + 1)
		return refuse(f, -EBADMSG, f->at,
			      "is damaged: transaction %" PRIu64 " follows number %" PRIu64, b->seq,
			      report->seq);
	if (b->flags & ~(uint32_t)VS_STORE_WHOLE)
		return refuse(f, -EPROTONOSUPPORT, f->at,
			      "was written by a newer vmswitchd (a transaction with flags %#" PRIx32
			      ")",
			      b->flags);
	err = vs_image_apply(image, b + 1, b->len, b->n_ops, b->flags, &fault);
	if (err == -ENOMEM)
		return refuse(f, err, f->at, "needs more memory than there is");
	if (err)
		return refuse(f, err, f->at + sizeof(*b) + fault.offset, "%s %s",
			      err == -EBADMSG ? "is damaged:" : "was written by a newer vmswitchd:",
			      fault.text);
	f->at += sizeof(*b) + b->len;
	report->blocks++;
	report->seq = b->seq;
	report->time_ns = b->time_ns;
	report->good = f->at;
	if (b->flags & VS_STORE_WHOLE)
		report->base = f->at;
	return 0;
}

static int read_blocks(struct file *f, struct vs_image *image)
{
	int err = 0;

	while (f->at < f->len && err == 0) {
		enum found found = look(f, f->at);

		if (found != FOUND_BLOCK)
			return judge(f, found);
		err = read_block(f, image);
	}
	return err;
}

int vs_store_load(const void *data, size_t len, struct vs_image *image,
		  struct vs_store_report *ret_report)
{
	struct file f = {.data = data, .len = len, .report = ret_report};
	int err;

	*ret_report = (struct vs_store_report){0};
	err = read_head(&f);
	if (!err) {
		ret_report->good = f.at;
		ret_report->base = f.at;
		err = read_blocks(&f, image);
	}
	if (err)
		vs_image_clear(image);
	else
		vs_image_tidy(image);
	return err;
}
