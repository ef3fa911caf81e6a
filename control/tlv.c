/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/tlv.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const size_t headers = NLMSG_HDRLEN + sizeof(struct vs_msghdr);

/*
 * DOC: checking a request
 *
 * A datagram is first held against its own length (frame), then header, command and attributes
 * are checked in this order, and each attribute once: known, taken by the command, not there
 * twice, of the length and range of its type. What must be there is looked for at the end. The
 * handler of a command sees a table of attributes that need no further check of their form.
 */

static __attribute__((format(printf, 4, 5))) int refuse(struct vs_refusal *refusal, int error,
							size_t offset, const char *fmt, ...)
{
	va_list ap;

	refusal->error = error;
	refusal->offset = (uint32_t)offset;
	refusal->missing = 0;
	va_start(ap, fmt);
	vsnprintf(refusal->text, sizeof(refusal->text), fmt, ap);
	va_end(ap);
	return error;
}

int vs_request_frame(const void *buf, size_t len, struct vs_refusal *ret_refusal)
{
	const struct nlmsghdr *nlh = buf;

	if (len > VS_REQUEST_MAX)
		return refuse(ret_refusal, -EMSGSIZE, 0, "request is longer than %d bytes",
			      VS_REQUEST_MAX);
	if (len < headers)
		return refuse(ret_refusal, -EBADMSG, 0,
			      "request of %zu bytes is shorter than its headers (%zu bytes)", len,
			      headers);
	if (nlh->nlmsg_len != len)
		return refuse(ret_refusal, -EBADMSG, 0,
			      "nlmsg_len says %u bytes, but the datagram has %zu (one message per "
			      "datagram)",
			      nlh->nlmsg_len, len);
	return 0;
}

/** check_header() - Return: 0, or the error of the refusal. */
static int check_header(const struct nlmsghdr *nlh, struct vs_refusal *refusal)
{
	const struct vs_msghdr *hdr = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != VS_MSG_TYPE)
		return refuse(refusal, -EOPNOTSUPP, 0, "message type %u is not known (%d is)",
			      nlh->nlmsg_type, VS_MSG_TYPE);
	if (!(nlh->nlmsg_flags & NLM_F_REQUEST))
		return refuse(refusal, -EINVAL, 0, "flag NLM_F_REQUEST is missing");
	if (nlh->nlmsg_flags & ~(NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP))
		return refuse(refusal, -EINVAL, 0, "message flags 0x%x are not known",
			      nlh->nlmsg_flags & ~(NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP));
	if (hdr->cmd != VS_CMD_HELLO &&
	    (hdr->version < VS_PROTO_VERSION_MIN || hdr->version > VS_PROTO_VERSION_MAX))
		return refuse(refusal, -EPROTONOSUPPORT, 0,
			      "protocol version %u is not known: this daemon speaks versions %d to "
			      "%d",
			      hdr->version, VS_PROTO_VERSION_MIN, VS_PROTO_VERSION_MAX);
	if (hdr->reserved)
		return refuse(refusal, -EINVAL, 0, "reserved field of the header is not 0");
	return 0;
}

bool vs_name_ok(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789_.-");

	return len > 0 && len < VS_PROTO_NAME_SIZE && name[len] == '\0' && name[0] != '-';
}

/* One NUL, at the end. */
static bool is_string(const char *data, size_t len)
{
	return len > 0 && memchr(data, '\0', len) == data + len - 1;
}

static int check_name(const char *what, const char *data, size_t len, size_t offset,
		      struct vs_refusal *refusal)
{
	if (!is_string(data, len))
		return refuse(refusal, -EINVAL, offset,
			      "attribute '%s' does not end with its only NUL byte", what);
	if (!vs_name_ok(data))
		return refuse(refusal, -EINVAL, offset,
			      "%s '%.40s' is no name: 1 to %d of A-Z a-z 0-9 _ . -, the first one "
			      "not -",
			      what, data, VS_PROTO_NAME_SIZE - 1);
	return 0;
}

static int check_path(const char *what, const char *data, size_t len, size_t offset,
		      struct vs_refusal *refusal)
{
	size_t i;

	if (!is_string(data, len))
		return refuse(refusal, -EINVAL, offset,
			      "attribute '%s' does not end with its only NUL byte", what);
	if (len < 2 || len > VS_PROTO_PATH_SIZE)
		return refuse(refusal, -EINVAL, offset, "%s: a path of 1 to %d bytes is wanted",
			      what, VS_PROTO_PATH_SIZE - 1);
	for (i = 0; i < len - 1; i++) {
		if ((unsigned char)data[i] < 0x20 || data[i] == 0x7f)
			return refuse(refusal, -EINVAL, offset,
				      "%s: byte %zu of the path is a control character", what, i);
	}
	return 0;
}

static int check_line(const char *what, const char *data, size_t len, size_t offset,
		      struct vs_refusal *refusal)
{
	size_t i;

	if (!is_string(data, len))
		return refuse(refusal, -EINVAL, offset,
			      "attribute '%s' does not end with its only NUL byte", what);
	if (len > VS_PROTO_UPLINK_SIZE)
		return refuse(refusal, -EINVAL, offset, "%s has more than %d bytes", what,
			      VS_PROTO_UPLINK_SIZE - 1);
	for (i = 0; i < len - 1; i++) {
		if ((unsigned char)data[i] < 0x20 || data[i] == 0x7f)
			return refuse(refusal, -EINVAL, offset,
				      "%s: byte %zu is a control character", what, i);
	}
	return 0;
}

/* What the kernel takes for a name of an interface (dev_valid_name()), and nothing unprintable. */
static int check_ifname(const char *what, const char *data, size_t len, size_t offset,
			struct vs_refusal *refusal)
{
	int ret = check_line(what, data, len, offset, refusal);

	if (ret)
		return ret;
	if (len < 2 || len > VS_PROTO_IFNAME_SIZE || strpbrk(data, "/: %") ||
	    strcmp(data, ".") == 0 || strcmp(data, "..") == 0)
		return refuse(refusal, -EINVAL, offset,
			      "%s '%.40s' is no name of an interface: 1 to %d characters, none of "
			      "them / : %% or a blank",
			      what, data, VS_PROTO_IFNAME_SIZE - 1);
	return 0;
}

static int check_ranges(const struct vs_attr_spec *spec, const struct nlattr *attr, size_t offset,
			struct vs_refusal *refusal)
{
	size_t len = mnl_attr_get_payload_len(attr);
	struct vs_range range;
	unsigned int i;

	if (len == 0 || len % sizeof(range) || len / sizeof(range) > VS_RANGES_MAX)
		return refuse(refusal, -EINVAL, offset,
			      "attribute '%s' has %zu bytes: 1 to %d ranges of 4 bytes are right",
			      spec->name, len, VS_RANGES_MAX);
	for (i = 0; vs_tlv_range(attr, i, &range); i++) {
		if (range.first < spec->min || range.last > spec->max || range.first > range.last)
			return refuse(refusal, -ERANGE, offset,
				      "%s: %u-%u is no range within %u to %u", spec->name,
				      range.first, range.last, spec->min, spec->max);
	}
	return 0;
}

/* How long it is; what it does is for those who run it to judge. */
static int check_filter(const struct vs_attr_spec *spec, size_t len, size_t offset,
			struct vs_refusal *refusal)
{
	enum {
		INSTRUCTION = 8,
	};

	if (len % INSTRUCTION)
		return refuse(refusal, -EINVAL, offset,
			      "%s of %zu bytes: instructions have %d bytes each", spec->name, len,
			      INSTRUCTION);
	if (len / INSTRUCTION < spec->min || len / INSTRUCTION > spec->max)
		return refuse(refusal, -EINVAL, offset,
			      "%s of %zu instructions: %u to %u are allowed", spec->name,
			      len / INSTRUCTION, spec->min, spec->max);
	return 0;
}

/* What 0 is called where it may be said. */
static const char *zero_of(const struct vs_request *req, const struct vs_attr_spec *spec)
{
	unsigned int cmd = req->policy->cmd;

	if (!spec->or_zero)
		return "";
	if (spec != vs_attr_spec(VS_ATTR_MTU))
		return "0, or ";
	return cmd == VS_CMD_SWITCH_NEW || cmd == VS_CMD_SWITCH_SET ? "none, or " : "auto, or ";
}

static int check_u32(const struct vs_request *req, const struct vs_attr_spec *spec, uint32_t value,
		     size_t offset, struct vs_refusal *refusal)
{
	const struct nlattr *name = req->attr[VS_ATTR_NAME];

	if ((value >= spec->min && value <= spec->max) || (spec->or_zero && value == 0))
		return 0;
	return refuse(refusal, -ERANGE, offset,
		      "%s %u is out of range: %s%u to %u is allowed%s%s%s", spec->name, value,
		      zero_of(req, spec), spec->min, spec->max, name ? " ('" : "",
		      name ? vs_tlv_str(name) : "", name ? "')" : "");
}

static int check_mac(const char *what, const uint8_t *mac, size_t offset,
		     struct vs_refusal *refusal)
{
	if (mac[0] & 1)
		return refuse(refusal, -EINVAL, offset,
			      "%s %02x:%02x:%02x:%02x:%02x:%02x is a group address: a port has a "
			      "unicast one",
			      what, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return 0;
}

/** type_len() - payload bytes of a type, or -1 if they vary. */
static int type_len(enum vs_tlv_type type)
{
	switch (type) {
	case VS_TLV_U32:
		return 4;
	case VS_TLV_U64:
		return 8;
	case VS_TLV_MAC:
	case VS_TLV_GMAC:
		return 6;
	case VS_TLV_FLAG:
		return 0;
	default:
		return -1;
	}
}

static int check_value(const struct vs_request *req, const struct nlattr *attr,
		       const struct vs_attr_spec *spec, size_t offset, struct vs_refusal *refusal)
{
	size_t len = mnl_attr_get_payload_len(attr);
	const void *data = mnl_attr_get_payload(attr);
	int want = type_len(spec->type);

	if (want >= 0 && len != (size_t)want)
		return refuse(refusal, -EINVAL, offset,
			      "attribute '%s' has %zu bytes, %d are right", spec->name, len, want);
	switch (spec->type) {
	case VS_TLV_NAME:
		return check_name(spec->name, data, len, offset, refusal);
	case VS_TLV_PATH:
		return check_path(spec->name, data, len, offset, refusal);
	case VS_TLV_LINE:
		return check_line(spec->name, data, len, offset, refusal);
	case VS_TLV_IFNAME:
		return check_ifname(spec->name, data, len, offset, refusal);
	case VS_TLV_RANGES:
		return check_ranges(spec, attr, offset, refusal);
	case VS_TLV_FILTER:
		return check_filter(spec, len, offset, refusal);
	case VS_TLV_U32:
		return check_u32(req, spec, mnl_attr_get_u32(attr), offset, refusal);
	case VS_TLV_MAC:
		return check_mac(spec->name, data, offset, refusal);
	default:
		return 0;
	}
}

static bool takes(const struct vs_policy *policy, unsigned int attr)
{
	unsigned int i;

	for (i = 0; policy->attrs[i].attr; i++) {
		if (policy->attrs[i].attr == attr)
			return true;
	}
	return false;
}

static int take_attr(struct vs_request *req, const struct nlattr *attr, struct vs_refusal *refusal)
{
	const struct vs_attr_spec *spec = vs_attr_spec(attr->nla_type);
	size_t offset = (size_t)((const char *)attr - (const char *)req->nlh);
	int ret;

	/* nla_type with its flag bits: no request has a nested attribute, so none may be set. */
	if (!spec)
		return refuse(refusal, -EINVAL, offset, "attribute number %u is not known",
			      attr->nla_type);
	if (!takes(req->policy, attr->nla_type))
		return refuse(refusal, -EINVAL, offset, "%s does not take attribute '%s'",
			      req->policy->name, spec->name);
	if (req->attr[attr->nla_type])
		return refuse(refusal, -EINVAL, offset, "attribute '%s' is there twice",
			      spec->name);
	ret = check_value(req, attr, spec, offset, refusal);
	if (ret)
		return ret;
	req->attr[attr->nla_type] = attr;
	return 0;
}

static int check_present(const struct vs_request *req, struct vs_refusal *refusal)
{
	const struct vs_policy *policy = req->policy;
	bool changes = false, change_wanted = false;
	unsigned int i;

	for (i = 0; policy->attrs[i].attr; i++) {
		bool there = req->attr[policy->attrs[i].attr] != NULL;

		if (policy->attrs[i].need == VS_MUST && !there) {
			refuse(refusal, -EINVAL, 0, "%s: attribute '%s' is missing", policy->name,
			       vs_attr_name(policy->attrs[i].attr));
			refusal->missing = policy->attrs[i].attr;
			return refusal->error;
		}
		if (policy->attrs[i].need == VS_CHANGE) {
			change_wanted = true;
			changes |= there;
		}
	}
	if (change_wanted && !changes)
		return refuse(refusal, -EINVAL, 0, "%s: nothing to change was named", policy->name);
	return 0;
}

int vs_request_parse(const struct nlmsghdr *nlh, struct vs_request *ret_req,
		     struct vs_refusal *ret_refusal)
{
	struct vs_request req = {.nlh = nlh};
	const struct nlattr *attr;
	int left, ret;

	ret = check_header(nlh, ret_refusal);
	if (ret)
		return ret;
	req.policy = vs_policy_find(vs_msg_cmd(nlh));
	if (!req.policy)
		return refuse(ret_refusal, -EOPNOTSUPP, 0, "command 0x%02x is not known",
			      vs_msg_cmd(nlh));
	attr = mnl_nlmsg_get_payload_offset(nlh, sizeof(struct vs_msghdr));
	left = (int)(nlh->nlmsg_len - headers);
	while (left > 0) {
		if (!mnl_attr_ok(attr, left))
			return refuse(ret_refusal, -EINVAL, nlh->nlmsg_len - (uint32_t)left,
				      "attribute at byte %u runs over the end of the message",
				      nlh->nlmsg_len - (uint32_t)left);
		ret = take_attr(&req, attr, ret_refusal);
		if (ret)
			return ret;
		left -= (int)MNL_ALIGN(attr->nla_len);
		attr = mnl_attr_next(attr);
	}
	ret = check_present(&req, ret_refusal);
	if (ret)
		return ret;
	*ret_req = req;
	return 0;
}
