/* SPDX-License-Identifier: BSD-3-Clause */
/* Building the blocks of the state file, and finding them in one. Private to the store. */
#ifndef VS_CONTROL_STORE_BLOCK_H
#define VS_CONTROL_STORE_BLOCK_H

#include "control/config.h"
#include "control/store_format.h"

#include <stdbool.h>
#include <stddef.h>

struct vs_image;

/**
 * vs_store_crc() - the sum over @len bytes that begins with that of what lies before them, or 0.
 */
uint32_t vs_store_crc(uint32_t before, const void *bytes, size_t len);

/** vs_store_op_crc() - the sum that belongs into @op->crc. */
uint32_t vs_store_op_crc(const struct vs_store_op *op);

/** vs_store_head_make() - the head that this version writes. */
struct vs_store_head vs_store_head_make(void);

/**
 * struct vs_block - a block being built
 * @data:	its head, then the operations; malloc'ed
 * @last:	offset of the last operation; 0: there is none
 * @error:	0 or -ENOMEM, -EFBIG: what follows is left out
 */
struct vs_block {
	char *data;
	size_t len;
	size_t room;
	size_t last;
	uint32_t n_ops;
	int error;
};

/** vs_block_put() - the object is now like @record. */
void vs_block_put(struct vs_block *b, enum vs_config_object object, uint64_t serial,
		  uint64_t parent, const struct nlmsghdr *record);

/** vs_block_op() - an operation on an object with nothing behind it: VS_STORE_DEL or _CLEAR. */
void vs_block_op(struct vs_block *b, enum vs_store_op_type type, uint64_t serial);

/** vs_block_static() - VS_STORE_ADD or _REMOVE of one address; those in a row are one operation. */
void vs_block_static(struct vs_block *b, enum vs_store_op_type type, uint64_t port,
		     uint64_t packed);

/** vs_block_image() - everything that is in @image. */
void vs_block_image(struct vs_block *b, const struct vs_image *image);

/** vs_block_is_empty() - it holds no operation. */
bool vs_block_is_empty(const struct vs_block *b);

/** vs_block_end() - complete the heads and sums; @b->data, @b->len go to the file as they are. */
int vs_block_end(struct vs_block *b, uint32_t flags, uint64_t seq, uint64_t time_ns);

/** vs_block_free() - begin anew. */
void vs_block_free(struct vs_block *b);

/**
 * struct vs_store_report - what a file holds, or what is wrong with it
 * @good:	bytes up to the end of the last whole block; more than that is a torn tail
 * @base:	bytes up to the end of the last block that holds everything, or of the head
 * @blocks:	blocks in @good
 * @seq, @time_ns: of the last of them; 0: there is none
 * @offset:	of what is wrong
 * @text:	what is wrong, without the name of the file
 */
struct vs_store_report {
	uint64_t good;
	uint64_t base;
	uint64_t blocks;
	uint64_t seq;
	uint64_t time_ns;
	uint64_t offset;
	char text[384];
};

/**
 * vs_store_load() - read a whole state file
 * @data:	the file, aligned to 8 bytes; anything
 * @image:	empty; holds what the file says on success
 *
 * Return: 0; -ENOMEM; -ENOTSUP it is no state file; -EPROTONOSUPPORT a newer daemon wrote it;
 * -EBADMSG it is damaged. *@ret_report is filled in in any case.
 */
int vs_store_load(const void *data, size_t len, struct vs_image *image,
		  struct vs_store_report *ret_report);

#endif
