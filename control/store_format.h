/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state file as it lies on disk; doc/state.md says the same in words.
 *
 * A head, then blocks, each of which is one transaction: written by one write and made durable
 * before anybody is told that the transaction happened. A block holds operations on objects, which
 * are named by their serial number: it stays when the object is renamed. All numbers are in the
 * byte order of the machine; head, blocks and operations begin at multiples of 8 bytes.
 */
#ifndef VS_CONTROL_STORE_FORMAT_H
#define VS_CONTROL_STORE_FORMAT_H

#include <stdint.h>

#define VS_STORE_MAGIC "vmswstat" /* without its NUL */

enum {
	VS_STORE_ORDER = 0x01020304,
	VS_STORE_VERSION = 1,
	VS_STORE_BLOCK_MAGIC = 0x6b6c4256, /* "VBlk" */
	/** Bytes of one block without its head. */
	VS_STORE_BLOCK_MAX = 1 << 30,
};

/**
 * struct vs_store_head - begins the file
 * @order:	VS_STORE_ORDER, which looks different on a machine of the other byte order
 * @needs:	bits of what a reader must know; a bit that it does not know: do not read on
 * @knows:	bits of what a reader may pass over
 * @size:	of this head
 * @crc:	of what lies before it
 */
struct vs_store_head {
	char magic[8];
	uint32_t order;
	uint32_t version;
	uint32_t needs;
	uint32_t knows;
	uint32_t size;
	uint32_t crc;
};

/** Bits of vs_store_block.flags. */
enum {
	VS_STORE_WHOLE = 1 << 0, /* the block holds everything: what lies before it is void */
};

/**
 * struct vs_store_block - begins a block
 * @seq:	one more than that of the block before
 * @time_ns:	when, since 1970-01-01 00:00 UTC
 * @len:	bytes that follow, a multiple of 8
 * @n_ops:	operations in them
 * @crc:	of them
 * @head_crc:	of what lies before it in this struct
 */
struct vs_store_block {
	uint32_t magic;
	uint32_t flags;
	uint64_t seq;
	uint64_t time_ns;
	uint32_t len;
	uint32_t n_ops;
	uint32_t crc;
	uint32_t head_crc;
};

/** What an operation does. */
enum vs_store_op_type {
	VS_STORE_PUT = 1, /* the object is now like the message that follows (control/config.h) */
	VS_STORE_DEL = 2, /* it is gone, and the static addresses of a port with it */
	VS_STORE_ADD = 3, /* static addresses of port @serial follow, which it has as well */
	VS_STORE_REMOVE = 4, /* static addresses of port @serial follow, which it has no more */
	VS_STORE_CLEAR = 5,  /* port @serial has no static addresses any more */
};

/**
 * struct vs_store_op - an operation; its message or addresses follow
 * @len:	with what follows, without the padding to a multiple of 8
 * @object:	enum vs_config_object, of PUT; otherwise 0
 * @crc:	of the operation with 0 in this place
 * @parent:	of PUT: serial number of the port's switch; otherwise 0
 *
 * A static address is a uint64_t: the six bytes of the address in order, the first one lowest, and
 * above them the VLAN.
 */
struct vs_store_op {
	uint32_t len;
	uint16_t type;
	uint16_t object;
	uint32_t crc;
	uint32_t reserved;
	uint64_t serial;
	uint64_t parent;
};

_Static_assert(sizeof(struct vs_store_head) == 32, "as described");
_Static_assert(sizeof(struct vs_store_block) == 40, "as described");
_Static_assert(sizeof(struct vs_store_op) == 32, "as described");

#endif
