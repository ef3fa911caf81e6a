/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building messages, and reading answers. Only the libmnl putters that know the size of the
 * buffer are used.
 */
#include "control/msg.h"

#include "control/tlv.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)VS_ATTR_COUNT_ <= (int)VS_ATTR_TABLE,
	       "every attribute has its place in a table");

/* ---- building ---- */

void vs_msg_init(struct vs_msg *msg, void *buf, size_t size, enum vs_cmd cmd)
{
	struct vs_msghdr *hdr;

	*msg = (struct vs_msg){.nlh = buf, .size = size};
	/* all of it: padding between attributes goes out, too */
	memset(buf, 0, size);
	mnl_nlmsg_put_header(buf);
	msg->nlh->nlmsg_type = VS_MSG_TYPE;
	hdr = mnl_nlmsg_put_extra_header(msg->nlh, sizeof(*hdr));
	hdr->cmd = (uint8_t)cmd;
	hdr->version = VS_PROTO_VERSION_MAX;
}

static void note(struct vs_msg *msg, bool fitted)
{
	if (!fitted && !msg->error)
		msg->error = -EMSGSIZE;
}

void vs_msg_put_u32(struct vs_msg *msg, enum vs_attr attr, uint32_t value)
{
	note(msg, mnl_attr_put_u32_check(msg->nlh, msg->size, (uint16_t)attr, value));
}

void vs_msg_put_u64(struct vs_msg *msg, enum vs_attr attr, uint64_t value)
{
	note(msg, mnl_attr_put_u64_check(msg->nlh, msg->size, (uint16_t)attr, value));
}

void vs_msg_put_str(struct vs_msg *msg, enum vs_attr attr, const char *value)
{
	vs_msg_put_bytes(msg, attr, value, strlen(value) + 1);
}

void vs_msg_put_flag(struct vs_msg *msg, enum vs_attr attr)
{
	vs_msg_put_bytes(msg, attr, "", 0);
}

void vs_msg_put_bytes(struct vs_msg *msg, enum vs_attr attr, const void *value, size_t len)
{
	/* libmnl adds @len to a 16-bit length */
	if (len > UINT16_MAX - MNL_ATTR_HDRLEN - MNL_ALIGNTO)
		note(msg, false);
	else
		note(msg, mnl_attr_put_check(msg->nlh, msg->size, (uint16_t)attr, len, value));
}

void vs_msg_put_attrs(struct vs_msg *msg, const void *attrs, size_t len)
{
	bool fits = msg->nlh->nlmsg_len + NLMSG_ALIGN(len) <= msg->size;

	note(msg, fits);
	if (msg->error)
		return;
	memcpy((char *)msg->nlh + msg->nlh->nlmsg_len, attrs, len);
	msg->nlh->nlmsg_len += (uint32_t)NLMSG_ALIGN(len);
}

struct nlattr *vs_msg_nest_begin(struct vs_msg *msg, enum vs_attr attr)
{
	struct nlattr *nest = mnl_attr_nest_start_check(msg->nlh, msg->size, (uint16_t)attr);

	note(msg, nest != NULL);
	return nest;
}

void vs_msg_nest_end(struct vs_msg *msg, struct nlattr *nest)
{
	if (nest)
		mnl_attr_nest_end(msg->nlh, nest);
}

void vs_msg_init_error(struct vs_msg *msg, void *buf, size_t size, const struct nlmsghdr *to,
		       const struct vs_refusal *refusal)
{
	struct nlmsgerr *err;

	*msg = (struct vs_msg){.nlh = buf, .size = size};
	memset(buf, 0, size);
	mnl_nlmsg_put_header(buf);
	msg->nlh->nlmsg_type = NLMSG_ERROR;
	msg->nlh->nlmsg_flags = NLM_F_CAPPED;
	err = mnl_nlmsg_put_extra_header(msg->nlh, sizeof(*err));
	if (to) {
		msg->nlh->nlmsg_seq = to->nlmsg_seq;
		err->msg = *to;
	}
	if (!refusal)
		return;
	err->error = refusal->error;
	msg->nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
	note(msg, mnl_attr_put_strz_check(msg->nlh, size, NLMSGERR_ATTR_MSG, refusal->text));
	if (refusal->offset)
		note(msg,
		     mnl_attr_put_u32_check(msg->nlh, size, NLMSGERR_ATTR_OFFS, refusal->offset));
	if (refusal->missing)
		note(msg, mnl_attr_put_u32_check(msg->nlh, size, NLMSGERR_ATTR_MISS_TYPE,
						 refusal->missing));
}

/* ---- reading ---- */

unsigned int vs_msg_cmd(const struct nlmsghdr *nlh)
{
	return ((const struct vs_msghdr *)mnl_nlmsg_get_payload(nlh))->cmd;
}

uint32_t vs_tlv_u32(const struct nlattr *attr)
{
	return mnl_attr_get_u32(attr);
}

uint64_t vs_tlv_u64(const struct nlattr *attr)
{
	return mnl_attr_get_u64(attr);
}

const char *vs_tlv_str(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_str(attr) : NULL;
}

const uint8_t *vs_tlv_bytes(const struct nlattr *attr, size_t *ret_len)
{
	*ret_len = attr ? mnl_attr_get_payload_len(attr) : 0;
	return attr ? mnl_attr_get_payload(attr) : NULL;
}

bool vs_tlv_range(const struct nlattr *attr, unsigned int i, struct vs_range *ret_range)
{
	if (!attr || (i + 1) * sizeof(*ret_range) > mnl_attr_get_payload_len(attr))
		return false;
	memcpy(ret_range, (const char *)mnl_attr_get_payload(attr) + i * sizeof(*ret_range),
	       sizeof(*ret_range));
	return true;
}

static bool has_type(const struct nlattr *attr, enum vs_tlv_type type)
{
	size_t len = mnl_attr_get_payload_len(attr);
	const char *data = mnl_attr_get_payload(attr);

	switch (type) {
	case VS_TLV_NAME:
	case VS_TLV_PATH:
	case VS_TLV_TEXT:
	case VS_TLV_LINE:
	case VS_TLV_IFNAME:
		return len > 0 && memchr(data, '\0', len) == data + len - 1;
	case VS_TLV_U32:
		return len == sizeof(uint32_t);
	case VS_TLV_U64:
		return len == sizeof(uint64_t);
	case VS_TLV_MAC:
	case VS_TLV_GMAC:
		return len == 6;
	case VS_TLV_RANGES:
		return len % sizeof(struct vs_range) == 0;
	case VS_TLV_FLAG:
		return len == 0;
	default:
		return true;
	}
}

static int sort_attrs(const void *payload, size_t len, const struct nlattr **tb, unsigned int n)
{
	const struct nlattr *attr = payload;
	int left = (int)len;

	memset(tb, 0, n * sizeof(*tb));
	while (left > 0) {
		const struct vs_attr_spec *spec;
		unsigned int type;

		if (!mnl_attr_ok(attr, left))
			return -EBADMSG;
		type = mnl_attr_get_type(attr);
		spec = vs_attr_spec(type);
		if (spec) {
			if (!has_type(attr, spec->type))
				return -EBADMSG;
			if (type < n)
				tb[type] = attr;
		}
		left -= (int)MNL_ALIGN(attr->nla_len);
		attr = mnl_attr_next(attr);
	}
	return 0;
}

int vs_answer_sort(const struct nlmsghdr *nlh, const struct nlattr **tb, unsigned int n)
{
	const size_t headers = NLMSG_HDRLEN + sizeof(struct vs_msghdr);

	if (nlh->nlmsg_len < headers)
		return -EBADMSG;
	return sort_attrs(mnl_nlmsg_get_payload_offset(nlh, sizeof(struct vs_msghdr)),
			  nlh->nlmsg_len - headers, tb, n);
}

int vs_answer_sort_nest(const struct nlattr *nest, const struct nlattr **tb, unsigned int n)
{
	return sort_attrs(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), tb, n);
}

static int read_error_attr(const struct nlattr *attr, struct vs_refusal *refusal)
{
	size_t len = mnl_attr_get_payload_len(attr);
	const char *data = mnl_attr_get_payload(attr);

	switch (mnl_attr_get_type(attr)) {
	case NLMSGERR_ATTR_MSG:
		if (len == 0 || memchr(data, '\0', len) != data + len - 1)
			return -EBADMSG;
		snprintf(refusal->text, sizeof(refusal->text), "%s", data);
		return 0;
	case NLMSGERR_ATTR_OFFS:
		if (len != sizeof(uint32_t))
			return -EBADMSG;
		refusal->offset = mnl_attr_get_u32(attr);
		return 0;
	case NLMSGERR_ATTR_MISS_TYPE:
		if (len != sizeof(uint32_t))
			return -EBADMSG;
		refusal->missing = (uint16_t)mnl_attr_get_u32(attr);
		return 0;
	default:
		return 0;
	}
}

enum {
	/** The kernel's own bound of error numbers. */
	ERRNO_MAX = 4095,
};

int vs_error_parse(const struct nlmsghdr *nlh, struct vs_refusal *ret_refusal)
{
	const size_t fixed = NLMSG_HDRLEN + sizeof(struct nlmsgerr);
	struct vs_refusal refusal = {0};
	const struct nlattr *attr;
	int left, ret;

	if (nlh->nlmsg_len < fixed)
		return -EBADMSG;
	refusal.error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
	if (refusal.error > 0 || refusal.error < -ERRNO_MAX)
		return -EBADMSG;
	attr = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nlmsgerr));
	left = nlh->nlmsg_flags & NLM_F_ACK_TLVS ? (int)(nlh->nlmsg_len - fixed) : 0;
	while (left > 0) {
		if (!mnl_attr_ok(attr, left))
			return -EBADMSG;
		ret = read_error_attr(attr, &refusal);
		if (ret)
			return ret;
		left -= (int)MNL_ALIGN(attr->nla_len);
		attr = mnl_attr_next(attr);
	}
	if (refusal.error && !refusal.text[0])
		snprintf(refusal.text, sizeof(refusal.text), "%s", strerror(-refusal.error));
	*ret_refusal = refusal;
	return 0;
}
