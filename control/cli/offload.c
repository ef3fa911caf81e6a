/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/offload.h"

#include "control/cli/words.h"

#include <errno.h>
#include <string.h>

static const struct cli_choice parts_of[] = {
	{"csum", VS_PART_CSUM}, {"tso4", VS_PART_TSO4}, {"tso6", VS_PART_TSO6},
	{"uso", VS_PART_USO},   {"gro", VS_PART_GRO},   {NULL, 0},
};

/* The part that the @len bytes at @word name; 0: none. */
static uint32_t part_of(const char *word, size_t len)
{
	const struct cli_choice *c;

	for (c = parts_of; c->word; c++) {
		if (strlen(c->word) == len && memcmp(c->word, word, len) == 0)
			return c->value;
	}
	return 0;
}

/* "csum,tso4". Return: its bits; 0: @text is no list of offloads. */
static uint32_t read_list(const char *text)
{
	uint32_t parts = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		uint32_t part = part_of(text, len);

		if (part == 0)
			return 0;
		parts |= part;
		if (text[len] == '\0')
			return parts;
		text += len + 1;
	}
}

int offload_put(struct cli *cli, char *const *words, int n)
{
	uint32_t parts;

	if (strcmp(words[0], "all") == 0) {
		vs_msg_put_u32(&cli->msg, VS_ATTR_OFFLOAD_ON, VS_PART_ALL);
		return 1;
	}
	if (strcmp(words[0], "none") == 0) {
		vs_msg_put_u32(&cli->msg, VS_ATTR_OFFLOAD_OFF, VS_PART_ALL);
		return 1;
	}
	parts = read_list(words[0]);
	if (parts == 0) {
		words_complain(cli,
			       "'%.60s' after 'offload' is no list of offloads; accepted here: "
			       "all, none, or some of csum,tso4,tso6,uso,gro and on or off",
			       words[0]);
		return -EINVAL;
	}
	if (n < 2) {
		words_complain(cli, "'%.60s' is followed by nothing: on or off is wanted",
			       words[0]);
		return -EINVAL;
	}
	if (strcmp(words[1], "on") != 0 && strcmp(words[1], "off") != 0) {
		words_complain(cli, "unknown word '%.60s' after '%.60s'; accepted here: on, off",
			       words[1], words[0]);
		return -EINVAL;
	}
	vs_msg_put_u32(&cli->msg, words[1][1] == 'n' ? VS_ATTR_OFFLOAD_ON : VS_ATTR_OFFLOAD_OFF,
		       parts);
	return 2;
}

void offload_list(uint32_t parts, char *text, size_t size)
{
	const struct cli_choice *c;
	size_t used = 0;

	text[0] = '\0';
	for (c = parts_of; c->word; c++) {
		if (parts & c->value && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "",
						 c->word);
	}
}

json_t *offload_json(uint32_t parts)
{
	json_t *array = json_array();
	const struct cli_choice *c;

	for (c = parts_of; c->word; c++) {
		if ((parts & c->value) && json_array_append_new(array, json_string(c->word)))
			break;
	}
	return array;
}

bool offload_can_format(const struct nlattr *const *tb)
{
	const uint64_t off = cli_num(tb, VS_ATTR_OFFLOAD_OFF);
	const uint64_t on = cli_num(tb, VS_ATTR_OFFLOAD_ON);

	return on == 0 || off == 0 || (on | off) == VS_PART_ALL;
}

/* Of a request that switches some on and all others off, it is said what is off. */
void offload_format(const struct nlattr *const *tb, char *text, size_t size)
{
	uint32_t off = (uint32_t)cli_num(tb, VS_ATTR_OFFLOAD_OFF);
	uint32_t on = (uint32_t)cli_num(tb, VS_ATTR_OFFLOAD_ON);
	char list[OFFLOAD_TEXT_MAX];

	if (off == VS_PART_ALL || (on | off) == 0) {
		snprintf(text, size, "%s", off ? "none" : "all");
		return;
	}
	if (off == 0 && on == VS_PART_ALL) {
		snprintf(text, size, "all");
		return;
	}
	offload_list(off ? off : on, list, sizeof(list));
	snprintf(text, size, "%s %s", list, off ? "off" : "on");
}
