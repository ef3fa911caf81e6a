/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the code knows of the protocol, for a test that holds the specification against it:
 *
 *	tables dump	the tables of control/policy.c, as JSON
 *	tables judge	reads requests, one per line in hex digits, and prints what the daemon's
 *	check
 *			says about each: negative errno or 0, offset of the offending attribute,
 *			number of the missing one
 */
#include "control/tlv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {
	[VS_TLV_NAME] = "name",     [VS_TLV_PATH] = "path",     [VS_TLV_LINE] = "line",
	[VS_TLV_IFNAME] = "ifname", [VS_TLV_TEXT] = "text",     [VS_TLV_U32] = "u32",
	[VS_TLV_U64] = "u64",       [VS_TLV_MAC] = "mac",       [VS_TLV_GMAC] = "gmac",
	[VS_TLV_RANGES] = "ranges", [VS_TLV_FLAG] = "flag",     [VS_TLV_BYTES] = "bytes",
	[VS_TLV_NEST] = "nest",     [VS_TLV_FILTER] = "filter",
};

static const char *type_name(enum vs_tlv_type type)
{
	const char *name = type < sizeof(types) / sizeof(types[0]) ? types[type] : NULL;

	return name ? name : "unknown";
}

static void dump_attrs(void)
{
	const char *comma = "";
	unsigned int i;

	for (i = 0; i < VS_ATTR_COUNT_; i++) {
		const struct vs_attr_spec *spec = vs_attr_spec(i);

		if (!spec)
			continue;
		printf("%s\n  \"%u\": {\"name\": \"%s\", \"type\": \"%s\", \"min\": %u, "
		       "\"max\": %u, \"or_zero\": %s}",
		       comma, i, spec->name, type_name(spec->type), spec->min, spec->max,
		       spec->or_zero ? "true" : "false");
		comma = ",";
	}
}

static void dump_policy(const struct vs_policy *policy)
{
	static const char *const needs[] =
		{[VS_MAY] = "may", [VS_MUST] = "must", [VS_CHANGE] = "change"};
	unsigned int i;

	printf("\n  \"%u\": {\"name\": \"%s\", \"answer\": \"%s\", \"attrs\": {", policy->cmd,
	       policy->name, policy->answer == VS_ANSWER_DUMP ? "dump" : "do");
	for (i = 0; policy->attrs[i].attr; i++)
		printf("%s\"%u\": \"%s\"", i ? ", " : "", policy->attrs[i].attr,
		       needs[policy->attrs[i].need]);
	printf("}}");
}

static void dump(void)
{
	const char *comma = "";
	unsigned int cmd;

	printf("{\"ranges_max\": %d, \"attrs\": {", VS_RANGES_MAX);
	dump_attrs();
	printf("},\n \"commands\": {");
	for (cmd = 0; cmd <= UINT8_MAX; cmd++) {
		const struct vs_policy *policy = vs_policy_find(cmd);

		if (!policy)
			continue;
		fputs(comma, stdout);
		dump_policy(policy);
		comma = ",";
	}
	printf("}}\n");
}

/* Return: how many bytes @text stands for, or -1 if it is not hex digits, or too long. */
static int from_hex(const char *text, uint8_t *bytes, size_t size)
{
	size_t n = 0;

	for (; text[0] && text[0] != '\n'; text += 2) {
		unsigned int byte;

		if (n == size || sscanf(text, "%2x", &byte) != 1)
			return -1;
		bytes[n++] = (uint8_t)byte;
	}
	return (int)n;
}

static int judge(void)
{
	static uint32_t buf[VS_REQUEST_MAX / 4];
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		int len = from_hex(line, (uint8_t *)buf, sizeof(buf));
		struct vs_refusal refusal = {0};
		struct vs_request req;

		if (len < 0)
			return EXIT_FAILURE;
		if (vs_request_frame(buf, (size_t)len, &refusal) == 0)
			(void)vs_request_parse((const struct nlmsghdr *)buf, &req, &refusal);
		printf("%d %u %u\n", refusal.error, refusal.offset, refusal.missing);
	}
	free(line);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "dump") == 0) {
		dump();
		return EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(argv[1], "judge") == 0)
		return judge();
	fprintf(stderr, "usage: %s dump|judge\n", argv[0]);
	return 2;
}
