/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operations of a block do to the image. */
#include "control/store_block.h"
#include "control/store_image.h"
#include "control/tlv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong(struct vs_image_fault *fault, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int wrong(struct vs_image_fault *fault, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(fault->text, sizeof(fault->text), fmt, ap);
	va_end(ap);
	return err;
}

/*
 * Is the message one that makes such an object? What a newer daemon may say, this one may not know.
 */
static int check_record(const struct vs_store_op *op, const struct nlmsghdr *nlh, uint32_t len,
			struct vs_image_fault *fault)
{
	struct vs_refusal refusal;
	struct vs_request req;
	bool fits;

	if (vs_request_frame(nlh, len, &refusal))
		return wrong(fault, -EBADMSG, "a record is no message: %s", refusal.text);
	if (vs_request_parse(nlh, &req, &refusal))
		return wrong(fault, -EPROTONOSUPPORT,
			     "a record that this vmswitchd does not understand: %.200s",
			     refusal.text);
	if (op->object == VS_CONFIG_SWITCH)
		fits = req.policy->cmd == VS_CMD_SWITCH_NEW;
	else
		fits = op->object == VS_CONFIG_PORT &&
		       (req.policy->cmd == VS_CMD_PORT_NEW || req.policy->cmd == VS_CMD_PORT_SET);
	if (!fits || op->serial == 0)
		return wrong(fault, -EBADMSG, "a record of type %s is no %s", req.policy->name,
			     op->object == VS_CONFIG_SWITCH ? "switch" : "port");
	return 0;
}

static const char *name_in(const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];

	return vs_answer_parse(nlh, tb) ? "" : vs_tlv_str(tb[VS_ATTR_NAME]);
}

/* The object that a VS_STORE_PUT is about, with memory for its record. NULL: no memory. */
static struct vs_image_obj *reserve_obj(struct vs_image *image, const struct vs_store_op *op)
{
	struct vs_image_obj *obj = vs_image_find(image, op->serial);

	if (!obj)
		obj = vs_image_insert(image, op->serial);
	if (!obj || obj->spare)
		return obj;
	obj->spare = malloc(op->len - sizeof(*op));
	return obj->spare ? obj : NULL;
}

static int put(struct vs_image *image, const struct vs_store_op *op, struct vs_image_fault *fault)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(op + 1);
	uint32_t len = op->len - (uint32_t)sizeof(*op);
	struct vs_image_obj *obj;
	int err;

	err = check_record(op, nlh, len, fault);
	if (err)
		return err;
	obj = reserve_obj(image, op);
	if (!obj)
		return -ENOMEM;
	if (obj->record && obj->object != (enum vs_config_object)op->object)
		return wrong(fault, -EBADMSG, "a switch and a port have one number");
	free(obj->record);
	obj->record = obj->spare;
	obj->spare = NULL;
	memcpy(obj->record, nlh, len);
	obj->object = (enum vs_config_object)op->object;
	obj->parent = op->parent;
	obj->name = name_in(obj->record);
	return 0;
}

static int change_statics(struct vs_image *image, const struct vs_store_op *op,
			  struct vs_image_fault *fault)
{
	struct vs_image_obj *obj = vs_image_find(image, op->serial);
	const uint64_t *packed = (const uint64_t *)(op + 1);
	uint32_t n = (op->len - (uint32_t)sizeof(*op)) / sizeof(*packed);
	uint32_t i;
	int err = 0;

	if (!obj || obj->object != VS_CONFIG_PORT)
		return wrong(fault, -EBADMSG, "static addresses of a port that is not there");
	if (op->len != sizeof(*op) + n * sizeof(*packed))
		return wrong(fault, -EBADMSG, "half of a static address");
	switch (op->type) {
	case VS_STORE_CLEAR:
		obj->statics.n = 0;
		obj->late.n = 0;
		break;
	case VS_STORE_ADD:
		for (i = 0; i < n && err == 0; i++)
			err = vs_image_list_add(&obj->statics, packed[i]);
		break;
	default:
		for (i = 0; i < n; i++) {
			(void)vs_image_list_remove(&obj->statics, packed[i]);
			(void)vs_image_list_remove(&obj->late, packed[i]);
		}
	}
	return err;
}

static int apply_one(struct vs_image *image, const struct vs_store_op *op,
		     struct vs_image_fault *fault)
{
	switch (op->type) {
	case VS_STORE_PUT:
		return put(image, op, fault);
	case VS_STORE_DEL:
		vs_image_remove(image, op->serial);
		return 0;
	case VS_STORE_ADD:
	case VS_STORE_REMOVE:
	case VS_STORE_CLEAR:
		return change_statics(image, op, fault);
	default:
		return wrong(fault, -EPROTONOSUPPORT, "an operation (%u) of a newer vmswitchd",
			     op->type);
	}
}

int vs_image_apply(struct vs_image *image, const void *data, uint32_t len, uint32_t n_ops,
		   uint32_t flags, struct vs_image_fault *ret_fault)
{
	const char *at = data;
	uint32_t offset = 0;
	uint32_t i;
	int err;

	if (flags & VS_STORE_WHOLE)
		vs_image_clear(image);
	for (i = 0; i < n_ops; i++) {
		const struct vs_store_op *op = (const struct vs_store_op *)(at + offset);

		ret_fault->offset = offset;
		if (len - offset < sizeof(*op) || op->len < sizeof(*op) || op->len > len - offset)
			return wrong(ret_fault, -EBADMSG, "an operation runs over the end");
		if (vs_store_op_crc(op) != op->crc)
			return wrong(ret_fault, -EBADMSG, "the sum of an operation is wrong");
		err = apply_one(image, op, ret_fault);
		if (err)
			return err;
		offset += (op->len + 7) & ~UINT32_C(7);
	}
	ret_fault->offset = offset;
	return offset == len ? 0 : wrong(ret_fault, -EBADMSG, "something follows the operations");
}

/* ---- what was reserved ---- */

/* The next operation of a block that we made, or NULL. */
static const struct vs_store_op *next_op(const struct vs_block *block, size_t *at)
{
	const struct vs_store_op *op = (const struct vs_store_op *)(block->data + *at);

	if (*at >= block->len)
		return NULL;
	*at += (op->len + 7) & ~UINT32_C(7);
	return op;
}

int vs_image_reserve(struct vs_image *image, const struct vs_block *block)
{
	size_t at = sizeof(struct vs_store_block);
	const struct vs_store_op *op;

	while ((op = next_op(block, &at)) != NULL) {
		struct vs_image_obj *obj;

		if (op->type == VS_STORE_PUT && !reserve_obj(image, op))
			return -ENOMEM;
		if (op->type != VS_STORE_ADD)
			continue;
		obj = vs_image_find(image, op->serial);
		if (obj && vs_image_list_reserve(&obj->statics,
						 (op->len - (uint32_t)sizeof(*op)) / 8) != 0)
			return -ENOMEM;
	}
	return 0;
}

void vs_image_take(struct vs_image *image, const struct vs_block *block)
{
	size_t at = sizeof(struct vs_store_block);
	const struct vs_store_op *op;
	struct vs_image_fault ignored;

	while ((op = next_op(block, &at)) != NULL)
		(void)apply_one(image, op, &ignored);
	vs_image_unreserve(image);
}
