/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a state file, of any bytes. As nearly every mutation breaks a sum, the sums are set right
 * first if the first byte behind the file's length is even: the input is the file, and one byte.
 * What is read is written again, which must lead to the same image.
 */
#include "control/store_block.h"
#include "control/store_image.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
	if (!condition)
		abort();
}

static void seal_ops(char *at, size_t len)
{
	while (len >= sizeof(struct vs_store_op)) {
		struct vs_store_op op;
		size_t step;

		memcpy(&op, at, sizeof(op));
		if (op.len < sizeof(op) || op.len > len)
			return;
		op.crc = vs_store_op_crc((const struct vs_store_op *)at);
		memcpy(at, &op, sizeof(op));
		step = ((size_t)op.len + 7) & ~(size_t)7;
		if (step > len)
			return;
		at += step;
		len -= step;
	}
}

static void seal(char *data, size_t len)
{
	const struct vs_store_head head = vs_store_head_make();
	size_t at = sizeof(head);

	if (len < at)
		return;
	memcpy(data, &head, sizeof(head));
	while (len - at >= sizeof(struct vs_store_block)) {
		struct vs_store_block b;

		memcpy(&b, data + at, sizeof(b));
		b.magic = VS_STORE_BLOCK_MAGIC;
		b.len &= ~(uint32_t)7;
		if (b.len > len - at - sizeof(b))
			return;
		seal_ops(data + at + sizeof(b), b.len);
		b.crc = vs_store_crc(0, data + at + sizeof(b), b.len);
		b.head_crc = vs_store_crc(0, &b, offsetof(struct vs_store_block, head_crc));
		memcpy(data + at, &b, sizeof(b));
		at += sizeof(b) + b.len;
	}
}

static void check_same(const struct vs_image *a, const struct vs_image *b)
{
	uint32_t i;

	check(a->n == b->n);
	for (i = 0; i < a->n; i++) {
		check(a->obj[i]->serial == b->obj[i]->serial);
		check(a->obj[i]->parent == b->obj[i]->parent);
		check(strcmp(a->obj[i]->name, b->obj[i]->name) == 0);
		check(a->obj[i]->record->nlmsg_len == b->obj[i]->record->nlmsg_len);
		check(a->obj[i]->statics.n == b->obj[i]->statics.n);
	}
}

static void write_again(const struct vs_image *image)
{
	const struct vs_store_head head = vs_store_head_make();
	struct vs_store_report report;
	struct vs_image again = {0};
	struct vs_block block = {0};
	char *file;

	vs_block_image(&block, image);
	check(vs_block_end(&block, VS_STORE_WHOLE, 1, 1) == 0);
	file = malloc(sizeof(head) + block.len);
	check(file != NULL);
	memcpy(file, &head, sizeof(head));
	memcpy(file + sizeof(head), block.data, block.len);
	check(vs_store_load(file, sizeof(head) + block.len, &again, &report) == 0);
	check(report.good == sizeof(head) + block.len);
	check_same(image, &again);
	vs_image_clear(&again);
	vs_block_free(&block);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vs_store_report report;
	struct vs_image image = {0};
	char *file;

	if (size == 0)
		return 0;
	size--;
	file = malloc(size + !size); /* of the exact size, so that one byte more is seen */
	if (!file)
		return 0;
	memcpy(file, data, size);
	if (data[size] % 2 == 0)
		seal(file, size);
	if (vs_store_load(file, size, &image, &report) == 0) {
		check(report.good <= size && report.base <= report.good);
		write_again(&image);
	} else {
		check(image.n == 0 && report.text[0] && report.offset <= size);
	}
	vs_image_clear(&image);
	free(file);
	return 0;
}
