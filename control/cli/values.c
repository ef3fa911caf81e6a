/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of arguments: from the word on the command line to the attribute of the request. */
#include "control/cli/values.h"

#include "control/cli/mac.h"
#include "control/cli/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** kept() - where the value of an argument goes that the verb itself looks at. */
static struct cli_value *kept(struct cli *cli, const struct cli_arg *arg)
{
	return &cli->value[arg - cli->verb->args];
}

static int put_word(struct cli *cli, const struct cli_arg *arg, const char *text)
{
	kept(cli, arg)->word = text;
	if (arg->attr)
		vs_msg_put_str(&cli->msg, arg->attr, text);
	return 0;
}

static int put_number(struct cli *cli, const struct cli_arg *arg, const char *text)
{
	uint32_t max = arg->attr ? UINT32_MAX : arg->max;
	uint32_t min = arg->attr ? 0 : arg->min;
	char range[32] = "";
	const struct cli_choice *c;
	unsigned long long value;
	char *end;

	for (c = arg->choices; c && c->word; c++) {
		if (strcmp(c->word, text) != 0)
			continue;
		vs_msg_put_u32(&cli->msg, arg->attr, c->value);
		return 0;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value < min || value > max) {
		/* of what is sent the daemon knows the range */
		if (!arg->attr)
			snprintf(range, sizeof(range), " (%u to %u)", min, max);
		words_complain(cli, "'%s' after '%s' is not a number%s%s%s%s", text, arg->word,
			       range, arg->choices ? ", and not '" : "",
			       arg->choices ? arg->choices->word : "", arg->choices ? "'" : "");
		return -EINVAL;
	}
	if (arg->attr)
		vs_msg_put_u32(&cli->msg, arg->attr, (uint32_t)value);
	else
		*kept(cli, arg) = (struct cli_value){text, (uint32_t)value};
	return 0;
}

/** read_ms() - "1", "0.5" or "12.125" in milliseconds. Return: false if it is none of that kind. */
static bool read_ms(const char *text, uint64_t *ret_ms)
{
	unsigned int decimals = 0;
	uint64_t ms = 0;
	bool point = false;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text; text++) {
		if (*text == '.' && !point && text[1]) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9' || decimals == 3 || ms > UINT32_MAX)
			return false;
		ms = 10 * ms + (uint64_t)(*text - '0');
		decimals += point;
	}
	for (; decimals < 3; decimals++)
		ms *= 10;
	*ret_ms = ms;
	return true;
}

static int put_seconds(struct cli *cli, const struct cli_arg *arg, const char *text)
{
	uint64_t ms;

	if (!read_ms(text, &ms) || ms < arg->min || ms > arg->max) {
		words_complain(cli, "'%s' after '%s' is not a number of seconds (%g to %g)", text,
			       arg->word, arg->min / 1000.0, arg->max / 1000.0);
		return -EINVAL;
	}
	*kept(cli, arg) = (struct cli_value){text, (uint32_t)ms};
	return 0;
}

/** put_mac_word() - a word that stands for an address. Return: false if it is none. */
static bool put_mac_word(struct cli *cli, const struct cli_arg *arg, const char *text)
{
	static const uint8_t zero[MAC_BYTES];
	const struct cli_choice *c;

	for (c = arg->choices; c && c->word; c++) {
		if (strcmp(c->word, text) != 0)
			continue;
		if (c->value)
			vs_msg_put_flag(&cli->msg, (enum vs_attr)c->value);
		else
			vs_msg_put_bytes(&cli->msg, arg->attr, zero, sizeof(zero));
		return true;
	}
	return false;
}

static int put_mac(struct cli *cli, const struct cli_arg *arg, const char *text)
{
	char others[64] = "";
	const struct cli_choice *c;
	uint8_t mac[MAC_BYTES];

	if (put_mac_word(cli, arg, text))
		return 0;
	if (mac_parse(text, mac) == 0) {
		vs_msg_put_bytes(&cli->msg, arg->attr, mac, sizeof(mac));
		return 0;
	}
	for (c = arg->choices; c && c->word; c++)
		snprintf(others + strlen(others), sizeof(others) - strlen(others), "%s'%s'",
			 c == arg->choices ? ", and not " : " or ", c->word);
	words_complain(cli, "'%s' after '%s' is not a MAC address such as 00:15:5d:01:32:11%s",
		       text, arg->word ? arg->word : cli->verb->word, others);
	return -EINVAL;
}

static int put_choice(struct cli *cli, const struct cli_arg *arg, const char *text)
{
	struct words_accepted acc = {.distance = WORDS_FAR};
	const struct cli_choice *c;

	for (c = arg->choices; c->word; c++) {
		if (strcmp(c->word, text) == 0) {
			if (arg->attr)
				vs_msg_put_u32(&cli->msg, arg->attr, c->value);
			else
				*kept(cli, arg) = (struct cli_value){text, c->value};
			return 0;
		}
		words_accept(&acc, text, c->word, NULL);
	}
	words_wrong(cli, text, arg->word, &acc);
	return -EINVAL;
}

/* The daemon's current directory is another: a relative path means ours. */
static int put_path(struct cli *cli, const struct cli_arg *arg, const char *text)
{
	char *here, *path;
	int len = -1;

	if (cli->remote && text[0] != '/') {
		words_complain(cli, "'%s' after '%s': a path of another host begins with /", text,
			       arg->word);
		return -EINVAL;
	}
	if (text[0] == '/' || !text[0]) {
		vs_msg_put_str(&cli->msg, arg->attr, text);
		return 0;
	}
	here = getcwd(NULL, 0);
	if (here)
		len = asprintf(&path, "%s/%s", strcmp(here, "/") == 0 ? "" : here, text);
	free(here);
	if (len < 0) {
		words_complain(cli,
			       "'%s' after '%s': cannot tell the current directory; "
			       "write a path that begins with /",
			       text, arg->word);
		return -EINVAL;
	}
	vs_msg_put_str(&cli->msg, arg->attr, path);
	free(path);
	return 0;
}

int values_put(struct cli *cli, const struct cli_arg *arg, const char *text)
{
	switch (arg->type) {
	case CLI_WORD:
		return put_word(cli, arg, text);
	case CLI_PATH:
		return arg->attr ? put_path(cli, arg, text) : put_word(cli, arg, text);
	case CLI_NUMBER:
		return put_number(cli, arg, text);
	case CLI_SECONDS:
		return put_seconds(cli, arg, text);
	case CLI_MAC:
		return put_mac(cli, arg, text);
	case CLI_CHOICE:
		return put_choice(cli, arg, text);
	case CLI_VLAN: /* take several words: parse_args() */
	case CLI_OFFLOAD:
		return 0;
	case CLI_FLAG:
		if (arg->attr)
			vs_msg_put_flag(&cli->msg, arg->attr);
		return 0;
	}
	return 0;
}
