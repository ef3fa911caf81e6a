/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/render.h"

#include "control/cli/mac.h"
#include "control/cli/offload.h"
#include "control/cli/vlan.h"

#include <libmnl/libmnl.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- requests ---- */

static int note_stranger(const struct nlattr *attr, void *ctx)
{
	struct render *r = ctx;

	r->stranger |= vs_attr_spec(mnl_attr_get_type(attr)) == NULL;
	return MNL_CB_OK;
}

int render_open(struct render *r, const struct nlmsghdr *record)
{
	*r = (struct render){.cmd = vs_msg_cmd(record)};
	if (vs_answer_parse(record, r->tb))
		return -EBADMSG;
	(void)mnl_attr_parse(record, sizeof(struct vs_msghdr), note_stranger, r);
	return 0;
}

int render_open_nest(struct render *r, unsigned int cmd, const struct nlattr *nest)
{
	*r = (struct render){.cmd = cmd};
	if (vs_answer_parse_nest(nest, r->tb))
		return -EBADMSG;
	(void)mnl_attr_parse_nested(nest, note_stranger, r);
	return 0;
}

/* ---- values ---- */

static bool is_zero(const uint8_t *mac)
{
	static const uint8_t zero[MAC_BYTES];

	return memcmp(mac, zero, sizeof(zero)) == 0;
}

/* The word that stands for an address; an address that may not be all zero is not there then. */
static const char *mac_word(const struct render *r, const struct cli_arg *arg)
{
	const uint8_t *mac = cli_mac(r->tb, arg->attr);
	const struct cli_choice *c;

	for (c = arg->choices; c && c->word; c++) {
		if (c->value ? r->tb[c->value] != NULL : mac && is_zero(mac))
			return c->word;
	}
	return NULL;
}

static bool is_given(const struct render *r, const struct cli_arg *arg)
{
	if (arg->kind && cli_num(r->tb, VS_ATTR_KIND) != arg->kind)
		return false;
	if (arg->type == CLI_VLAN)
		return r->tb[VS_ATTR_VLAN_MODE] != NULL;
	if (arg->type == CLI_OFFLOAD)
		return r->tb[VS_ATTR_OFFLOAD_ON] || r->tb[VS_ATTR_OFFLOAD_OFF];
	if (arg->type == CLI_MAC && mac_word(r, arg))
		return true;
	if (!arg->attr || !r->tb[arg->attr])
		return false;
	return arg->type != CLI_MAC || !is_zero(cli_mac(r->tb, arg->attr));
}

static void vlan_text(const struct render *r, char *text, size_t size)
{
	vlan_format(r->tb, text, size);
	if (cli_num(r->tb, VS_ATTR_VLAN_MODE) == VS_VLAN_MODE_TRUNK && r->tb[VS_ATTR_VLAN] &&
	    cli_num(r->tb, VS_ATTR_VLAN) == 0)
		snprintf(text + strlen(text), size - strlen(text), " native 0");
}

static void mac_text(const struct render *r, const struct cli_arg *arg, char *text, size_t size)
{
	const char *word = mac_word(r, arg);

	if (word)
		snprintf(text, size, "%s", word);
	else
		mac_format(cli_mac(r->tb, arg->attr), text);
}

/* A number, or the word that stands for it. */
static void number_text(const struct render *r, const struct cli_arg *arg, char *text, size_t size)
{
	uint64_t number = cli_num(r->tb, arg->attr);
	const struct cli_choice *c;

	for (c = arg->choices; c && c->word; c++) {
		if (c->value != number)
			continue;
		snprintf(text, size, "%s", c->word);
		return;
	}
	snprintf(text, size, "%llu", (unsigned long long)number);
}

/* The value as it would be typed; of a flag there is none. @text: VLAN_TEXT_MAX bytes. */
static void value_text(const struct render *r, const struct cli_arg *arg, char *text)
{
	const size_t size = VLAN_TEXT_MAX;

	text[0] = '\0';
	switch (arg->type) {
	case CLI_WORD:
	case CLI_PATH:
		snprintf(text, size, "%s", cli_str(r->tb, arg->attr));
		break;
	case CLI_NUMBER:
		number_text(r, arg, text, size);
		break;
	case CLI_MAC:
		mac_text(r, arg, text, size);
		break;
	case CLI_VLAN:
		vlan_text(r, text, size);
		break;
	case CLI_OFFLOAD:
		offload_format(r->tb, text, size);
		break;
	case CLI_CHOICE:
		snprintf(text, size, "%s",
			 cli_choice_word(arg->choices, (uint32_t)cli_num(r->tb, arg->attr)));
		break;
	case CLI_SECONDS: /* never sent */
	case CLI_FLAG:
		break;
	}
}

static json_t *value_json(const struct render *r, const struct cli_arg *arg, const char *text)
{
	if (arg->type == CLI_FLAG)
		return json_true();
	if (arg->type == CLI_NUMBER)
		return json_integer((json_int_t)cli_num(r->tb, arg->attr));
	if (arg->type == CLI_CHOICE && arg->choices == cli_off_on)
		return json_boolean(cli_num(r->tb, arg->attr));
	return out_string(text);
}

/* ---- the line ---- */

static const struct cli_verb *find_verb(unsigned int cmd, const struct cli_object **ret_object)
{
	const struct cli_object *object;
	const struct cli_verb *verb;

	for (object = cli_objects; object->word; object++) {
		for (verb = object->verbs; verb->run; verb++) {
			if (verb->cmd != cmd)
				continue;
			*ret_object = object;
			return verb;
		}
	}
	return NULL;
}

static bool is_choice(const struct cli_arg *arg, uint32_t value)
{
	const struct cli_choice *c;

	for (c = arg->choices; c->word; c++) {
		if (c->value == value)
			return true;
	}
	return false;
}

/* A word that a line can hold, and a terminal shows as it is. */
static bool is_clean(const char *text)
{
	while (*text && !iscntrl((unsigned char)*text))
		text++;
	return !*text;
}

/* Can what is given for @arg be written? */
static bool is_writable(const struct render *r, const struct cli_arg *arg)
{
	switch (arg->type) {
	case CLI_WORD:
	case CLI_PATH:
		return is_clean(cli_str(r->tb, arg->attr));
	case CLI_CHOICE:
		return is_choice(arg, (uint32_t)cli_num(r->tb, arg->attr));
	case CLI_OFFLOAD:
		return offload_can_format(r->tb);
	default:
		return true;
	}
}

/* Attributes that the line of @arg says. */
static void cover(const struct render *r, const struct cli_arg *arg, bool *covered)
{
	const struct cli_choice *c;

	if (arg->type == CLI_VLAN) {
		covered[VS_ATTR_VLAN_MODE] = true;
		covered[VS_ATTR_VLAN] = true;
		covered[VS_ATTR_VLANS] = true;
	}
	if (arg->type == CLI_OFFLOAD) {
		covered[VS_ATTR_OFFLOAD_ON] = true;
		covered[VS_ATTR_OFFLOAD_OFF] = true;
	}
	for (c = arg->type == CLI_MAC ? arg->choices : NULL; c && c->word; c++) {
		if (c->value)
			covered[c->value] = true;
	}
	if (arg->attr && (!arg->kind || cli_num(r->tb, VS_ATTR_KIND) == arg->kind))
		covered[arg->attr] = true;
}

/* Does the line say all that the request says, and is nothing missing from that? */
static int check(const struct render *r, const struct cli_verb *verb)
{
	bool covered[VS_ATTR_COUNT_] = {false};
	const struct cli_arg *arg;
	unsigned int attr;

	if (!verb || r->stranger)
		return -EOPNOTSUPP;
	for (arg = verb->args; arg->word || arg->value; arg++) {
		cover(r, arg, covered);
		if (is_given(r, arg) ? !is_writable(r, arg) : arg->need == CLI_MUST)
			return -EINVAL;
	}
	for (attr = 1; attr < VS_ATTR_COUNT_; attr++) {
		if (r->tb[attr] && !covered[attr])
			return -EOPNOTSUPP;
	}
	return 0;
}

void render_word(const char *word, FILE *out)
{
	const char *at = word;

	while (isalnum((unsigned char)*at) || (*at && strchr("_.-/:,@%+=", *at)))
		at++;
	if (!*at && word[0]) {
		fputs(word, out);
		return;
	}
	/* inside of single quotes all stands for itself but a single quote */
	fputc('\'', out);
	for (at = word; *at; at++) {
		if (*at == '\'')
			fputs("'\\''", out);
		else
			fputc(*at, out);
	}
	fputc('\'', out);
}

int render_text(const struct render *r, FILE *out)
{
	const struct cli_object *object = NULL;
	const struct cli_verb *verb = find_verb(r->cmd, &object);
	const struct cli_arg *arg;
	char text[VLAN_TEXT_MAX] = "";
	int err = check(r, verb);

	if (err || !object)
		return err;
	fprintf(out, "%s%s%s", object->word, verb->word[0] ? " " : "", verb->word);
	for (arg = verb->args; arg->word || arg->value; arg++) {
		if (!is_given(r, arg))
			continue;
		if (arg->word)
			fprintf(out, " %s", arg->word);
		if (!arg->value)
			continue;
		value_text(r, arg, text);
		fputc(' ', out);
		/* several words, none of which needs quotes */
		if (arg->type == CLI_VLAN || arg->type == CLI_OFFLOAD)
			fputs(text, out);
		else
			render_word(text, out);
	}
	return 0;
}

int cli_render(const struct nlmsghdr *record, FILE *out)
{
	struct render r;
	int err = render_open(&r, record);

	return err ? err : render_text(&r, out);
}

/* ---- JSON ---- */

/* "fdb-size" is "fdb_size", "NAME" is "name". */
static void make_key(const struct cli_arg *arg, char *key, size_t size)
{
	char *at;

	snprintf(key, size, "%s", arg->word ? arg->word : arg->value);
	for (at = key; *at; at++)
		*at = *at == '-' ? '_' : (char)tolower((unsigned char)*at);
}

static json_t *arguments(const struct render *r, const struct cli_verb *verb)
{
	json_t *all = json_object();
	const struct cli_arg *arg;
	char text[VLAN_TEXT_MAX];
	char key[64];

	for (arg = verb->args; all && (arg->word || arg->value); arg++) {
		if (!is_given(r, arg))
			continue;
		value_text(r, arg, text);
		make_key(arg, key, sizeof(key));
		if (json_object_set_new(all, key, value_json(r, arg, text))) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

json_t *render_json(const struct render *r)
{
	const struct cli_object *object = NULL;
	const struct cli_verb *verb = find_verb(r->cmd, &object);
	json_t *json = NULL;
	char *line = NULL;
	size_t len = 0;
	FILE *file;
	int err;

	file = open_memstream(&line, &len);
	if (!file)
		return NULL;
	err = render_text(r, file);
	if (fclose(file) == 0 && !err && object)
		json = json_pack("{s:o, s:s, s:s, s:o}", "command", out_string(line), "object",
				 object->word, "verb", verb->word, "arguments", arguments(r, verb));
	free(line);
	return json;
}
