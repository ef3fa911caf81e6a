/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/complete.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/** Words of a line; what is longer is not completed. */
	WORDS_MAX = 256,
	/** A daemon that is slower is not waited for: the user has pressed a key. */
	PATIENCE_S = 2,
};

/**
 * struct complete - a line that is being completed
 * @word:	words in front of the last one, without the name of the program
 * @prefix:	the last one
 * @cli:	where names are asked for
 * @names:	can they be asked for?
 */
struct complete {
	char *word[WORDS_MAX];
	int n;
	const char *prefix;
	struct cli *cli;
	bool names;
	FILE *out;
};

static void offer(const struct complete *c, const char *word)
{
	if (strncmp(word, c->prefix, strlen(c->prefix)) == 0)
		fprintf(c->out, "%s\n", word);
}

/* ---- the line into words ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* One word from *@at on, without its quotes, which the last one need not close, to @to. */
static char *take_word(const char **at, char *to)
{
	const char *c = *at;
	char quote = '\0';

	for (; *c && (quote || !is_blank(*c)); c++) {
		if (quote ? *c == quote : *c == '\'' || *c == '"') {
			quote = quote ? '\0' : *c;
			continue;
		}
		if (*c == '\\' && quote != '\'' && c[1])
			c++;
		*to++ = *c;
	}
	*to++ = '\0';
	*at = c;
	return to;
}

/* Return: false if there are too many. @text: as much room as @line takes, and one byte. */
static bool split(struct complete *c, const char *line, char *text)
{
	char *words[WORDS_MAX + 1];
	int n = 0;

	for (;;) {
		while (is_blank(*line))
			line++;
		/* the one to be completed may be empty */
		words[n++] = text;
		text = take_word(&line, text);
		if (!*line)
			break;
		if (n == WORDS_MAX)
			return false;
	}
	c->prefix = words[n - 1];
	c->n = n > 1 ? n - 2 : 0;
	memcpy(c->word, words + 1, (size_t)c->n * sizeof(words[0]));
	return n > 1;
}

/* ---- names ---- */

static int offer_name(const struct nlattr *const *tb, void *ctx)
{
	const char *name = cli_str(tb, VS_ATTR_NAME);

	if (name)
		offer(ctx, name);
	return 0;
}

static int offer_vm(const struct nlattr *const *tb, void *ctx)
{
	const char *name = cli_str(tb, VS_ATTR_VM);

	if (name)
		offer(ctx, name);
	return 0;
}

static void offer_names(struct complete *c, enum vs_cmd cmd, vs_client_record *record)
{
	struct vs_client_fail fail;
	struct vs_client *client;
	uint32_t buf[64];
	struct vs_msg msg;

	if (!c->names)
		return;
	fflush(c->out);
	/* what has been found is printed; being killed ends the rest */
	alarm(PATIENCE_S);
	if (vs_client_open(c->cli->socket, &client, &fail))
		return;
	vs_msg_init(&msg, buf, sizeof(buf), cmd);
	(void)vs_client_call(client, &msg, record, c, &fail);
	vs_client_close(client);
	alarm(0);
}

static void offer_interfaces(const struct complete *c, const char *before)
{
	struct if_nameindex *all = c->names ? if_nameindex() : NULL;
	char word[IFNAMSIZ + 8];
	size_t i;

	for (i = 0; all && all[i].if_index; i++) {
		snprintf(word, sizeof(word), "%s%s", before, all[i].if_name);
		offer(c, word);
	}
	if_freenameindex(all);
}

static void offer_uplinks(const struct complete *c)
{
	offer_interfaces(c, "xdp:");
	offer(c, "dpdk:");
	if (strncmp("dpdk:", c->prefix, strlen(c->prefix)) == 0)
		fputs(":nospace\n", c->out);
}

/* ---- values ---- */

static bool is_called(const struct cli_arg *arg, enum vs_attr attr, const char *word)
{
	return arg->attr == attr || (arg->word && !arg->attr && strcmp(arg->word, word) == 0);
}

/* NAME: of the object itself, which has none yet if it is to be made. */
static void offer_own_names(struct complete *c, const struct cli_verb *verb)
{
	switch (verb->cmd) {
	case VS_CMD_SWITCH_DEL:
	case VS_CMD_SWITCH_SET:
	case VS_CMD_SWITCH_GET:
		offer_names(c, VS_CMD_SWITCH_GET, offer_name);
		break;
	case VS_CMD_PORT_DEL:
	case VS_CMD_PORT_SET:
	case VS_CMD_PORT_GET:
		offer_names(c, VS_CMD_PORT_GET, offer_name);
		break;
	default:
		break;
	}
}

static void offer_values(struct complete *c, const struct cli_verb *verb, const struct cli_arg *arg)
{
	const struct cli_choice *choice;

	for (choice = arg->choices; choice && choice->word; choice++)
		offer(c, choice->word);
	if (arg->type == CLI_PATH)
		fputs(":files\n", c->out);
	if (arg->type != CLI_WORD)
		return;
	if (arg->attr == VS_ATTR_UPLINK)
		offer_uplinks(c);
	else if (arg->attr == VS_ATTR_IFNAME && arg->kind == VS_KIND_GUEST)
		offer_interfaces(c, "");
	else if (arg->attr == VS_ATTR_NAME)
		offer_own_names(c, verb);
	else if (arg->attr == VS_ATTR_VM)
		offer_names(c, VS_CMD_PORT_GET, offer_vm);
	else if (is_called(arg, VS_ATTR_SWITCH, "switch"))
		offer_names(c, VS_CMD_SWITCH_GET, offer_name);
	else if (is_called(arg, VS_ATTR_PORT, "port"))
		offer_names(c, VS_CMD_PORT_GET, offer_name);
}

/* ---- arguments ---- */

/** struct walk - the words behind the verb, up to @at, and which rows they have filled */
struct walk {
	const struct cli_verb *verb;
	int at;
	uint32_t given;
	uint32_t kind;
	bool native; /* could a native VLAN follow? */
};

static uint32_t bit_of(const struct walk *w, const struct cli_arg *arg)
{
	return UINT32_C(1) << (arg - w->verb->args);
}

static bool is_end(const struct cli_arg *arg)
{
	return !arg->word && !arg->value;
}

/* Is it given, or excluded by what is given? */
static bool is_taken(const struct walk *w, const struct cli_arg *arg)
{
	const struct cli_arg *a;

	if (arg->kind && w->kind && arg->kind != w->kind)
		return true;
	for (a = w->verb->args; !is_end(a); a++) {
		if (w->given & bit_of(w, a) && (a == arg || (a->group && a->group == arg->group)))
			return true;
	}
	return false;
}

/* Can it be no value? As the parser sees it. */
static bool is_option(const struct walk *w, const char *word)
{
	const struct cli_arg *arg;

	if (strncmp(word, "--", 2) == 0)
		return true;
	for (arg = w->verb->args; word[0] == '-' && !is_end(arg); arg++) {
		if (arg->word && strcmp(arg->word, word) == 0)
			return true;
	}
	return false;
}

/* As the parser finds it. */
static const struct cli_arg *find_arg(const struct walk *w, const char *word)
{
	const struct cli_arg *arg;

	for (arg = w->verb->args; !is_end(arg); arg++) {
		if (!arg->word ? !(w->given & bit_of(w, arg)) && !is_option(w, word)
			       : strcmp(arg->word, word) == 0)
			return arg;
	}
	return NULL;
}

/* The words behind "vlan". Return: true if the last one is among them. */
static bool walk_vlan(const struct complete *c, struct walk *w)
{
	const char *mode;

	if (w->at == c->n) {
		offer(c, "untagged");
		offer(c, "access");
		offer(c, "trunk");
		return true;
	}
	mode = c->word[w->at++];
	if (strcmp(mode, "access") != 0 && strcmp(mode, "trunk") != 0)
		return false;
	/* a number, or a list of them */
	if (w->at == c->n)
		return true;
	w->at++;
	if (mode[0] != 't')
		return false;
	w->native = w->at == c->n;
	if (w->native || strcmp(c->word[w->at], "native") != 0)
		return false;
	w->at++;
	if (w->at == c->n)
		return true;
	w->at++;
	return false;
}

/* The words behind "offload": one, or a list and on or off. Return: as walk_vlan(). */
static bool walk_offload(struct complete *c, struct walk *w)
{
	static const char *const first[] = {"all", "none", "csum", "tso4", "tso6", "uso", "gro"};
	const char *word;
	unsigned int i;

	if (w->at == c->n) {
		for (i = 0; i < sizeof(first) / sizeof(first[0]); i++)
			offer(c, first[i]);
		return true;
	}
	word = c->word[w->at++];
	if (strcmp(word, "all") == 0 || strcmp(word, "none") == 0)
		return false;
	if (w->at == c->n) {
		offer(c, "on");
		offer(c, "off");
		return true;
	}
	w->at++;
	return false;
}

static void note_kind(struct walk *w, const struct cli_arg *arg, const char *word)
{
	const struct cli_choice *choice;

	if (arg->attr != VS_ATTR_KIND)
		return;
	for (choice = arg->choices; choice->word; choice++) {
		if (strcmp(choice->word, word) == 0)
			w->kind = choice->value;
	}
}

static void offer_args(struct complete *c, const struct walk *w)
{
	const struct cli_arg *arg;
	bool only_dashes = false;

	if (w->native)
		offer(c, "native");
	for (arg = w->verb->args; !is_end(arg); arg++) {
		if (is_taken(w, arg))
			continue;
		if (!arg->word) {
			offer_values(c, w->verb, arg);
			only_dashes = true;
		} else if (!only_dashes || arg->word[0] == '-') {
			offer(c, arg->word);
		}
	}
}

static void complete_args(struct complete *c, const struct cli_verb *verb, int from)
{
	struct walk w = {.verb = verb, .at = from};

	while (w.at < c->n) {
		const struct cli_arg *arg = find_arg(&w, c->word[w.at]);

		if (!arg)
			return;
		w.native = false;
		w.given |= bit_of(&w, arg);
		if (arg->word)
			w.at++;
		if (arg->type == CLI_VLAN || arg->type == CLI_OFFLOAD) {
			if (arg->type == CLI_VLAN ? walk_vlan(c, &w) : walk_offload(c, &w))
				return;
			continue;
		}
		if (!arg->value)
			continue;
		if (w.at == c->n) {
			offer_values(c, verb, arg);
			return;
		}
		note_kind(&w, arg, c->word[w.at++]);
	}
	offer_args(c, &w);
}

/* ---- options, object and verb ---- */

/** Options in front of the object; what stands behind one that has a value. */
enum behind {
	BEHIND_NOTHING,
	BEHIND_FILE,
	BEHIND_TEXT,
};

static const struct {
	const char *brief;
	const char *word;
	enum behind behind;
} options[] = {
	{"-j", "--json", BEHIND_NOTHING},        {"-p", "--pretty", BEHIND_NOTHING},
	{"-s", "--socket", BEHIND_FILE},         {"-H", "--host", BEHIND_TEXT},
	{"-f", "--file", BEHIND_FILE},           {"-n", "--dry-run", BEHIND_NOTHING},
	{"--confirm", "--confirm", BEHIND_TEXT}, {"-V", "--version", BEHIND_NOTHING},
	{"-h", "--help", BEHIND_NOTHING},
};

enum {
	N_OPTIONS = sizeof(options) / sizeof(options[0]),
};

static int find_option(const char *word)
{
	int i;

	for (i = 0; i < N_OPTIONS; i++) {
		if (strcmp(word, options[i].brief) == 0 || strcmp(word, options[i].word) == 0)
			return i;
	}
	return -1;
}

/* Return: index of the object among the words; -1: there is nothing more to complete. */
static int skip_options(struct complete *c)
{
	int at, i;

	for (at = 0; at < c->n && c->word[at][0] == '-'; at++) {
		i = find_option(c->word[at]);
		if (i < 0 || options[i].behind == BEHIND_NOTHING)
			continue;
		if (++at == c->n) {
			if (options[i].behind == BEHIND_FILE)
				fputs(":files\n", c->out);
			return -1;
		}
		if (strcmp(options[i].brief, "-s") == 0)
			c->cli->socket = c->word[at];
		/* asking another host takes too long, and may want a password */
		if (strcmp(options[i].brief, "-H") == 0)
			c->names = false;
		/* commands come from a file: there are none in the line */
		if (strcmp(options[i].brief, "-f") == 0)
			return -1;
	}
	return at;
}

static void offer_objects(const struct complete *c)
{
	const struct cli_object *object;

	for (object = cli_objects; object->word; object++)
		offer(c, object->word);
}

static void offer_verbs(const struct complete *c, const struct cli_object *object)
{
	const struct cli_verb *verb;

	for (verb = object->verbs; verb->run; verb++) {
		if (verb->word[0])
			offer(c, verb->word);
	}
}

static const struct cli_object *find_object(const char *word)
{
	const struct cli_object *object;

	for (object = cli_objects; object->word; object++) {
		if (strcmp(object->word, word) == 0)
			return object;
	}
	return NULL;
}

static void complete_help(const struct complete *c, int at)
{
	const struct cli_object *object;

	if (at == c->n) {
		offer_objects(c);
	} else if (at + 1 == c->n) {
		object = find_object(c->word[at]);
		if (object)
			offer_verbs(c, object);
	}
}

static void complete_verb(struct complete *c, const struct cli_object *object, int at)
{
	const struct cli_verb *verb = object->verbs;

	/* the object alone is the command */
	if (!verb->word[0]) {
		complete_args(c, verb, at);
		return;
	}
	if (at == c->n) {
		offer_verbs(c, object);
		offer(c, "help");
		return;
	}
	while (verb->run && strcmp(verb->word, c->word[at]) != 0)
		verb++;
	if (verb->run)
		complete_args(c, verb, at + 1);
}

static void complete(struct complete *c)
{
	const struct cli_object *object;
	int at = skip_options(c);
	int i;

	if (at < 0)
		return;
	if (at == c->n) {
		for (i = 0; c->prefix[0] == '-' && i < N_OPTIONS; i++)
			offer(c, options[i].word);
		offer_objects(c);
		offer(c, "help");
		return;
	}
	if (strcmp(c->word[at], "help") == 0) {
		complete_help(c, at + 1);
		return;
	}
	object = find_object(c->word[at]);
	if (object)
		complete_verb(c, object, at + 1);
}

int complete_line(struct cli *cli, const char *line, FILE *out)
{
	struct complete c = {.cli = cli, .names = !cli->remote, .out = out};
	char *text = malloc(strlen(line) + 2);

	if (!text)
		return -ENOMEM;
	if (split(&c, line, text))
		complete(&c);
	free(text);
	return 0;
}
