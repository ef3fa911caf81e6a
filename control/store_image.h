/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the state file says, in memory: switches and ports with their records, and the static
 * addresses of each port. It is changed by the very bytes that are written to the file, so that
 * reading the file again leads to the same image. Private to the store.
 */
#ifndef VS_CONTROL_STORE_IMAGE_H
#define VS_CONTROL_STORE_IMAGE_H

#include "control/config.h"
#include "control/store_format.h"

#include <stddef.h>

struct vs_block;

enum {
	VS_IMAGE_WHY_SIZE = 320,
};

/** struct vs_image_list - static addresses, packed as in the file; in no order */
struct vs_image_list {
	uint64_t *at;
	uint32_t n;
	uint32_t room;
	uint32_t hint;  /* where the one that was removed last had been */
	uint32_t asked; /* room that was reserved, and not taken yet */
};

/**
 * struct vs_image_obj - a switch or a port
 * @record:	as in the file; the name of a switch in it may be an old one. NULL: the object is
 *		only reserved
 * @spare:	memory for the next record
 * @statics:	of a port
 * @waiting:	it is in the file, but could not be made
 * @going:	the block that is being built removes it
 * @late:	of a port that is there: those of @statics that could not be made
 * @why:	the reason, of @waiting or @late
 */
struct vs_image_obj {
	uint64_t serial;
	uint64_t parent;
	enum vs_config_object object;
	const char *name; /* in @record */
	struct nlmsghdr *record;
	struct nlmsghdr *spare;
	struct vs_image_list statics;
	bool waiting;
	bool going;
	struct vs_image_list late;
	char why[VS_IMAGE_WHY_SIZE];
};

/** struct vs_image - all of them, in order of their serial numbers */
struct vs_image {
	struct vs_image_obj **obj;
	uint32_t n;
	uint32_t room;
};

/** vs_image_pack() - a static address as it lies in the file. */
uint64_t vs_image_pack(const struct rte_ether_addr *mac, uint16_t vlan);

/** vs_image_unpack() - and back. */
void vs_image_unpack(uint64_t packed, struct rte_ether_addr *ret_mac, uint16_t *ret_vlan);

/** vs_image_clear() - empty it; also frees what an image holds at its end. */
void vs_image_clear(struct vs_image *image);

/** vs_image_find() - the object of that serial number, or NULL. */
struct vs_image_obj *vs_image_find(const struct vs_image *image, uint64_t serial);

/** vs_image_find_name() - the switch or port of that name, or NULL. */
struct vs_image_obj *vs_image_find_name(const struct vs_image *image, enum vs_config_object object,
					const char *name);

/** vs_image_last() - the highest serial number, or 0. */
uint64_t vs_image_last(const struct vs_image *image);

/**
 * vs_image_insert() - an empty object of that number, which none has.
 * Return: it; NULL: no memory.
 */
struct vs_image_obj *vs_image_insert(struct vs_image *image, uint64_t serial);

/** vs_image_remove() - forget the object of that number, if there is one. */
void vs_image_remove(struct vs_image *image, uint64_t serial);

/**
 * vs_image_list_reserve() - room for @n more, beside those asked for already.
 * Return: 0, -ENOMEM.
 */
int vs_image_list_reserve(struct vs_image_list *list, uint32_t n);

/** vs_image_list_add() - one more. Return: 0 or -ENOMEM. */
int vs_image_list_add(struct vs_image_list *list, uint64_t packed);

/** vs_image_list_remove() - one less. Return: true, or false: it was not there. */
bool vs_image_list_remove(struct vs_image_list *list, uint64_t packed);

/** vs_image_list_has() - is it there? */
bool vs_image_list_has(struct vs_image_list *list, uint64_t packed);

/** vs_image_list_free() - empty it. */
void vs_image_list_free(struct vs_image_list *list);

/**
 * vs_image_tidy() - an address that a list holds twice, it holds once
 *
 * To be called when a file has been read.
 */
void vs_image_tidy(struct vs_image *image);

/** struct vs_image_fault - what is wrong with an operation */
struct vs_image_fault {
	uint32_t offset; /* of the operation, from the start of the operations */
	char text[256];
};

/**
 * vs_image_apply() - carry out the operations of one block
 * @data:	aligned to 8 bytes
 * @len, @n_ops, @flags: as in struct vs_store_block; the sum over @data has been checked
 *
 * Return: 0; -ENOMEM; -EBADMSG, or -EPROTONOSUPPORT when a newer daemon wrote it, with *@ret_fault.
 * The image is of no use then.
 */
int vs_image_apply(struct vs_image *image, const void *data, uint32_t len, uint32_t n_ops,
		   uint32_t flags, struct vs_image_fault *ret_fault);

/**
 * vs_image_reserve() - get the memory that the operations of @block will take
 * @block:	ended (vs_block_end()); made by us, each object at most once in a VS_STORE_PUT
 *
 * Return: 0, or -ENOMEM. Either way, vs_image_take() or vs_image_unreserve() is the next call.
 */
int vs_image_reserve(struct vs_image *image, const struct vs_block *block);

/** vs_image_take() - carry out the operations of @block, which were reserved: it cannot fail. */
void vs_image_take(struct vs_image *image, const struct vs_block *block);

/** vs_image_unreserve() - the block did not happen. */
void vs_image_unreserve(struct vs_image *image);

/** struct vs_image_sum - how much there is */
struct vs_image_sum {
	uint32_t switches;
	uint32_t ports;
	uint32_t statics;
	uint32_t waiting; /* of all of them */
};

/** vs_image_sum() - count. */
struct vs_image_sum vs_image_sum(const struct vs_image *image);

#endif
