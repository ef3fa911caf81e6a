/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/store_block.h"

#include "control/store_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

uint32_t vs_store_crc(uint32_t before, const void *bytes, size_t len)
{
	return (uint32_t)crc32_z(before, bytes, len);
}

uint32_t vs_store_op_crc(const struct vs_store_op *op)
{
	struct vs_store_op head = *op;
	uint32_t crc;

	head.crc = 0;
	crc = vs_store_crc(0, &head, sizeof(head));
	return vs_store_crc(crc, op + 1, op->len - sizeof(head));
}

struct vs_store_head vs_store_head_make(void)
{
	struct vs_store_head head = {
		.order = VS_STORE_ORDER,
		.version = VS_STORE_VERSION,
		.size = sizeof(head),
	};

	memcpy(head.magic, VS_STORE_MAGIC, sizeof(head.magic));
	head.crc = vs_store_crc(0, &head, offsetof(struct vs_store_head, crc));
	return head;
}

/* Room for @len bytes more, which are zero. Return: their offset, or 0: there is none. */
static size_t extend(struct vs_block *b, size_t len)
{
	size_t at = b->len ? b->len : sizeof(struct vs_store_block);
	size_t room = b->room ? b->room : 4096;
	char *data;

	if (b->error)
		return 0;
	while (room < at + len)
		room *= 2;
	if (room > VS_STORE_BLOCK_MAX) {
		b->error = -EFBIG;
		return 0;
	}
	if (room != b->room) {
		data = realloc(b->data, room);
		if (!data) {
			b->error = -ENOMEM;
			return 0;
		}
		b->data = data;
		b->room = room;
	}
	memset(b->data + at, 0, len);
	b->len = at + len;
	return at;
}

/* The operation that was begun last has all that belongs to it. */
static void finish(struct vs_block *b)
{
	struct vs_store_op *op;

	if (!b->last || b->error)
		return;
	op = (struct vs_store_op *)(b->data + b->last);
	op->len = (uint32_t)(b->len - b->last);
	op->crc = vs_store_op_crc(op);
	(void)extend(b, -b->len & 7);
	b->last = 0;
}

static void begin(struct vs_block *b, enum vs_store_op_type type, uint64_t serial)
{
	struct vs_store_op *op;
	size_t at;

	finish(b);
	at = extend(b, sizeof(*op));
	if (!at)
		return;
	op = (struct vs_store_op *)(b->data + at);
	op->type = (uint16_t)type;
	op->serial = serial;
	b->last = at;
	b->n_ops++;
}

static void append(struct vs_block *b, const void *bytes, size_t len)
{
	size_t at = extend(b, len);

	if (at)
		memcpy(b->data + at, bytes, len);
}

void vs_block_put(struct vs_block *b, enum vs_config_object object, uint64_t serial,
		  uint64_t parent, const struct nlmsghdr *record)
{
	struct vs_store_op *op;

	begin(b, VS_STORE_PUT, serial);
	if (b->error)
		return;
	op = (struct vs_store_op *)(b->data + b->last);
	op->object = (uint16_t)object;
	op->parent = parent;
	append(b, record, record->nlmsg_len);
}

void vs_block_op(struct vs_block *b, enum vs_store_op_type type, uint64_t serial)
{
	begin(b, type, serial);
}

void vs_block_static(struct vs_block *b, enum vs_store_op_type type, uint64_t port, uint64_t packed)
{
	const struct vs_store_op *op = NULL;

	if (b->last && !b->error)
		op = (const struct vs_store_op *)(b->data + b->last);
	if (!op || op->type != type || op->serial != port)
		begin(b, type, port);
	append(b, &packed, sizeof(packed));
}

void vs_block_image(struct vs_block *b, const struct vs_image *image)
{
	uint32_t i;
	uint32_t k;

	for (i = 0; i < image->n; i++) {
		const struct vs_image_obj *obj = image->obj[i];

		/* Only reserved: it comes with the block that follows. */
		if (!obj->record)
			continue;
		vs_block_put(b, obj->object, obj->serial, obj->parent, obj->record);
		for (k = 0; k < obj->statics.n; k++)
			vs_block_static(b, VS_STORE_ADD, obj->serial, obj->statics.at[k]);
	}
}

bool vs_block_is_empty(const struct vs_block *b)
{
	return b->n_ops == 0 && !b->error;
}

int vs_block_end(struct vs_block *b, uint32_t flags, uint64_t seq, uint64_t time_ns)
{
	struct vs_store_block *head;

	finish(b);
	if (!b->error && b->len == 0)
		(void)extend(b, 0);
	if (b->error)
		return b->error;
	head = (struct vs_store_block *)b->data;
	*head = (struct vs_store_block){
		.magic = VS_STORE_BLOCK_MAGIC,
		.flags = flags,
		.seq = seq,
		.time_ns = time_ns,
		.len = (uint32_t)(b->len - sizeof(*head)),
		.n_ops = b->n_ops,
	};
	head->crc = vs_store_crc(0, head + 1, head->len);
	head->head_crc = vs_store_crc(0, head, offsetof(struct vs_store_block, head_crc));
	return 0;
}

void vs_block_free(struct vs_block *b)
{
	free(b->data);
	*b = (struct vs_block){0};
}
