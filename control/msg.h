/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of the control protocol (control/proto.h): building requests, reading answers. Nothing
 * here knows sockets; control/client.h sends and receives.
 *
 * A message is built in a buffer of the caller:
 *
 *	uint32_t buf[VS_MESSAGE_MAX / 4];
 *	struct vs_msg msg;
 *
 *	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
 *	vs_msg_put_str(&msg, VS_ATTR_NAME, "lan");
 *	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
 *
 * A message that was received is sorted into a table of its attributes by number (a callback of
 * control/client.h gets that table), and each is read by the call of its type:
 *
 *	if (tb[VS_ATTR_MTU])
 *		mtu = vs_tlv_u32(tb[VS_ATTR_MTU]);
 */
#ifndef VS_CONTROL_MSG_H
#define VS_CONTROL_MSG_H

#include "control/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	/** The longest single message of an answer, and of what the client library builds. */
	VS_MESSAGE_MAX = 8192,
	/**
	 * Tables of attributes that the library hands out have so many entries, also when it is
	 * older or newer than the header that a program was compiled with.
	 */
	VS_ATTR_TABLE = 256,
};

/** vs_attr_name() - name of @attr, as error messages call it; "unknown" if there is none. */
const char *vs_attr_name(unsigned int attr);

/* ---- reading ---- */

/**
 * vs_answer_sort() - sort the attributes of an answer or a notice
 * @nlh:	whole, of type VS_MSG_TYPE
 * @tb:		@n pointers; NULL where the message has no such attribute. Attributes that are
 *		unknown, or whose number is not below @n, are skipped. They point into the message.
 *
 * Return: 0, or -EBADMSG when an attribute runs over the end or does not have its type.
 */
int vs_answer_sort(const struct nlmsghdr *nlh, const struct nlattr **tb, unsigned int n);

/** vs_answer_sort_nest() - the same for the attributes inside of @nest. */
int vs_answer_sort_nest(const struct nlattr *nest, const struct nlattr **tb, unsigned int n);

/** vs_answer_parse() - vs_answer_sort() into a table of VS_ATTR_COUNT_ pointers. */
static inline int vs_answer_parse(const struct nlmsghdr *nlh, const struct nlattr **tb)
{
	return vs_answer_sort(nlh, tb, VS_ATTR_COUNT_);
}

/** vs_answer_parse_nest() - vs_answer_sort_nest() into a table of VS_ATTR_COUNT_ pointers. */
static inline int vs_answer_parse_nest(const struct nlattr *nest, const struct nlattr **tb)
{
	return vs_answer_sort_nest(nest, tb, VS_ATTR_COUNT_);
}

/** vs_msg_cmd() - command of a message that has room for its headers. */
unsigned int vs_msg_cmd(const struct nlmsghdr *nlh);

/** vs_tlv_u32() - value of a checked u32 attribute. */
uint32_t vs_tlv_u32(const struct nlattr *attr);

/** vs_tlv_u64() - value of a checked u64 attribute. */
uint64_t vs_tlv_u64(const struct nlattr *attr);

/** vs_tlv_str() - value of a checked name, path or text; NULL if @attr is NULL. */
const char *vs_tlv_str(const struct nlattr *attr);

/**
 * vs_tlv_bytes() - value of an attribute of any type, such as mac (6 bytes) or bytes
 * Return: its first byte, and how many there are in *@ret_len; or NULL and 0 if @attr is NULL.
 */
const uint8_t *vs_tlv_bytes(const struct nlattr *attr, size_t *ret_len);

/** struct vs_range - one range of an attribute of type ranges, both ends included */
struct vs_range {
	uint16_t first;
	uint16_t last;
};

/**
 * vs_tlv_range() - range number @i of a checked attribute of type ranges
 * Return: true and the range in *@ret_range, or false when there are no more, or @attr is NULL.
 */
bool vs_tlv_range(const struct nlattr *attr, unsigned int i, struct vs_range *ret_range);

/* ---- building ---- */

/**
 * struct vs_msg - a message being built in the caller's buffer
 * @error:	0, or -EMSGSIZE once something did not fit; what follows is left out then
 */
struct vs_msg {
	struct nlmsghdr *nlh;
	size_t size;
	int error;
};

/**
 * vs_msg_init() - begin a message
 * @buf:	aligned to 4 bytes, room for @size bytes
 */
void vs_msg_init(struct vs_msg *msg, void *buf, size_t size, enum vs_cmd cmd);

/** vs_msg_put_u32() - a u32. What does not fit any more is noted in @msg->error. */
void vs_msg_put_u32(struct vs_msg *msg, enum vs_attr attr, uint32_t value);
/** vs_msg_put_u64() - a u64. */
void vs_msg_put_u64(struct vs_msg *msg, enum vs_attr attr, uint64_t value);
/** vs_msg_put_str() - a name, path or text; its NUL is sent. */
void vs_msg_put_str(struct vs_msg *msg, enum vs_attr attr, const char *value);
/** vs_msg_put_flag() - a flag, which has no value. */
void vs_msg_put_flag(struct vs_msg *msg, enum vs_attr attr);
/** vs_msg_put_bytes() - a mac or gmac (6 bytes), ranges or bytes. */
void vs_msg_put_bytes(struct vs_msg *msg, enum vs_attr attr, const void *value, size_t len);

/** vs_msg_put_attrs() - attributes as they are in another message, @len bytes of them. */
void vs_msg_put_attrs(struct vs_msg *msg, const void *attrs, size_t len);

/** vs_msg_nest_begin() - what is put next lies inside of @attr. Return: it, or NULL: no room. */
struct nlattr *vs_msg_nest_begin(struct vs_msg *msg, enum vs_attr attr);
/** vs_msg_nest_end() - end what vs_msg_nest_begin() returned; NULL is ignored. */
void vs_msg_nest_end(struct vs_msg *msg, struct nlattr *nest);

#ifdef __cplusplus
}
#endif

#endif
