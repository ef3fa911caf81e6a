/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control protocol's parsers: a request up to the point where a handler would get it, and
 * the same bytes as an answer, which a client reads. The input is one datagram.
 */
#include "control/tlv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
	if (!condition)
		abort();
}

/* What a handler relies on. */
static void use_request(const struct vs_request *req, size_t size)
{
	struct vs_range range;
	unsigned int i;

	check(req->policy != NULL);
	for (i = 0; i < VS_ATTR_COUNT_; i++) {
		const struct nlattr *attr = req->attr[i];
		const struct vs_attr_spec *spec = vs_attr_spec(i);

		if (!attr)
			continue;
		check((const char *)attr + attr->nla_len <= (const char *)req->nlh + size);
		check(spec != NULL);
		if (spec->type == VS_TLV_NAME)
			check(vs_name_ok(vs_tlv_str(attr)));
		else if (spec->type == VS_TLV_PATH)
			check(strlen(vs_tlv_str(attr)) < VS_PROTO_PATH_SIZE);
		else if (spec->type == VS_TLV_LINE)
			check(strlen(vs_tlv_str(attr)) < VS_PROTO_UPLINK_SIZE);
		else if (spec->type == VS_TLV_IFNAME)
			check(strlen(vs_tlv_str(attr)) < VS_PROTO_IFNAME_SIZE);
		else if (spec->type == VS_TLV_RANGES)
			check(vs_tlv_range(attr, 0, &range) && range.first <= range.last);
		else if (spec->type == VS_TLV_U32)
			(void)vs_tlv_u32(attr);
	}
	for (i = 0; req->policy->attrs[i].attr; i++) {
		if (req->policy->attrs[i].need == VS_MUST)
			check(req->attr[req->policy->attrs[i].attr] != NULL);
	}
}

static size_t length_of(const char *text)
{
	return text ? strlen(text) : 0;
}

/* What a client relies on. */
static uint64_t use_answer(const struct nlattr *const *tb, int depth)
{
	const struct nlattr *inner[VS_ATTR_COUNT_];
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < VS_ATTR_COUNT_; i++) {
		if (!tb[i])
			continue;
		switch (vs_attr_spec(i)->type) {
		case VS_TLV_NAME:
		case VS_TLV_PATH:
		case VS_TLV_TEXT:
		case VS_TLV_LINE:
		case VS_TLV_IFNAME:
			sum += length_of(vs_tlv_str(tb[i]));
			break;
		case VS_TLV_U32:
			sum += vs_tlv_u32(tb[i]);
			break;
		case VS_TLV_U64:
			sum += vs_tlv_u64(tb[i]);
			break;
		case VS_TLV_NEST:
			if (depth == 0 && vs_answer_parse_nest(tb[i], inner) == 0)
				sum += use_answer(inner, depth + 1);
			break;
		default:
			break;
		}
	}
	return sum;
}

static void parse_all(const struct nlmsghdr *nlh, size_t size)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	struct vs_refusal refusal;
	volatile uint64_t sum = 0;
	struct vs_request req;

	if (vs_request_frame(nlh, size, &refusal))
		return;
	if (vs_request_parse(nlh, &req, &refusal) == 0)
		use_request(&req, size);
	else
		check(refusal.error < 0 && refusal.text[0] && refusal.offset < size);
	if (vs_answer_parse(nlh, tb) == 0)
		sum = use_answer(tb, 0);
	if (vs_error_parse(nlh, &refusal) == 0)
		check(refusal.error <= 0);
	(void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr *nlh;

	if (size > VS_REQUEST_MAX + 1)
		return 0;
	nlh = malloc(size + !size); /* of the exact size, so that one byte more is seen */
	if (!nlh)
		return 0;
	if (size)
		memcpy(nlh, data, size);
	parse_all(nlh, size);
	/* most mutations break the length first: what lies behind that check is tried, too */
	if (size >= NLMSG_HDRLEN && nlh->nlmsg_len != size) {
		nlh->nlmsg_len = (uint32_t)size;
		parse_all(nlh, size);
	}
	free(nlh);
	return 0;
}
