/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The policy of the control protocol (control/proto.h): what an attribute is, what each command
 * takes, and checking a request against that. Nothing here knows sockets, DPDK or the model. Not
 * installed: clients build and read messages with control/msg.h.
 */
#ifndef VS_CONTROL_TLV_H
#define VS_CONTROL_TLV_H

#include "control/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/** Attributes one command takes at most. */
	VS_POLICY_ATTRS_MAX = 32,
	/** Ranges in one attribute. */
	VS_RANGES_MAX = 512,
	/** Text of a refusal, with its NUL. */
	VS_REFUSAL_TEXT_SIZE = 352,
};

/** Types of attributes, as named in control/proto.h. */
enum vs_tlv_type {
	VS_TLV_NONE, /* no such attribute */
	VS_TLV_NAME,
	VS_TLV_PATH,
	VS_TLV_LINE,
	VS_TLV_IFNAME,
	VS_TLV_TEXT,
	VS_TLV_U32,
	VS_TLV_U64,
	VS_TLV_MAC,
	VS_TLV_GMAC,
	VS_TLV_RANGES,
	VS_TLV_FILTER,
	VS_TLV_FLAG,
	VS_TLV_BYTES,
	VS_TLV_NEST,
};

/**
 * struct vs_attr_spec - one attribute
 * @name:	as error messages call it: the word of the command line
 * @type:	its type everywhere
 * @min, @max:	range of a u32, or of each number of ranges, in a request, both included
 * @or_zero:	0 is allowed too
 */
struct vs_attr_spec {
	const char *name;
	enum vs_tlv_type type;
	uint32_t min;
	uint32_t max;
	bool or_zero;
};

/** vs_attr_spec() - what @attr is, or NULL if there is no such attribute. */
const struct vs_attr_spec *vs_attr_spec(unsigned int attr);

/** How a command is answered. */
enum vs_answer {
	VS_ANSWER_ACK,
	VS_ANSWER_DUMP,
};

/** What a command wants of an attribute. */
enum vs_need {
	VS_MAY = 1,
	VS_MUST,
	VS_CHANGE, /* may; at least one VS_CHANGE attribute of the command must be there */
};

/** struct vs_policy - what one command takes; @attrs ends with attr 0 */
struct vs_policy {
	uint8_t cmd;
	const char *name;
	enum vs_answer answer;
	struct {
		uint16_t attr;
		uint16_t need; /* enum vs_need */
	} attrs[VS_POLICY_ATTRS_MAX + 1];
};

/** vs_policy_find() - the policy of @cmd, or NULL if clients cannot send such a command. */
const struct vs_policy *vs_policy_find(unsigned int cmd);

/** vs_policy_changes() - does the command change the model, so that it may stand in a batch? */
bool vs_policy_changes(const struct vs_policy *policy);

/**
 * struct vs_refusal - why a request was refused
 * @error:	negative errno
 * @offset:	of the offending attribute from the start of the message, or 0
 * @missing:	number of the attribute that is missing, or 0
 * @text:	one sentence
 */
struct vs_refusal {
	int error;
	uint32_t offset;
	uint16_t missing;
	char text[VS_REFUSAL_TEXT_SIZE];
};

/**
 * struct vs_request - a request that was checked
 * @attr:	by number; NULL where the request has none. Points into the datagram.
 */
struct vs_request {
	const struct nlmsghdr *nlh;
	const struct vs_policy *policy;
	const struct nlattr *attr[VS_ATTR_COUNT_];
};

/**
 * vs_request_frame() - is this datagram a message at all?
 * @buf:	aligned to 4 bytes
 * @len:	its length as received; anything
 *
 * Return: 0, or -EBADMSG or -EMSGSIZE with *@ret_refusal filled in: the connection is of no use.
 */
int vs_request_frame(const void *buf, size_t len, struct vs_refusal *ret_refusal);

/**
 * vs_request_parse() - check a message against the policy of its command
 * @nlh:	passed vs_request_frame()
 * @ret_req:	filled in on success
 * @ret_refusal: filled in on failure
 *
 * Return: 0; -EOPNOTSUPP unknown command or type; -EPROTONOSUPPORT version; -EINVAL; -ERANGE.
 */
int vs_request_parse(const struct nlmsghdr *nlh, struct vs_request *ret_req,
		     struct vs_refusal *ret_refusal);

/**
 * vs_name_ok() - is @name a name: 1..31 of [A-Za-z0-9_.-], the first one no '-'
 */
bool vs_name_ok(const char *name);

/* ---- errors ---- */

/**
 * vs_msg_init_error() - build the NLMSG_ERROR that refuses or acknowledges a request
 * @to:		header of the request, or NULL if there was none (sequence number 0)
 * @refusal:	the reason, or NULL for an ACK
 */
void vs_msg_init_error(struct vs_msg *msg, void *buf, size_t size, const struct nlmsghdr *to,
		       const struct vs_refusal *refusal);

/**
 * vs_error_parse() - read an NLMSG_ERROR
 * @nlh:	whole, of type NLMSG_ERROR
 * @ret_refusal: filled in; @error 0 is an ACK
 *
 * Return: 0, or -EBADMSG.
 */
int vs_error_parse(const struct nlmsghdr *nlh, struct vs_refusal *ret_refusal);

#endif
