/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From words to a request. Only what the words mean is decided here; whether names, numbers and
 * addresses are acceptable is the daemon's to say, in one place for all clients.
 */
#include "control/cli/cli.h"
#include "control/cli/values.h"
#include "control/cli/offload.h"
#include "control/cli/vlan.h"
#include "control/cli/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- arguments ---- */

static uint32_t bit_of(const struct cli *cli, const struct cli_arg *arg)
{
	return UINT32_C(1) << (arg - cli->verb->args);
}

static bool is_end(const struct cli_arg *arg)
{
	return !arg->word && !arg->value;
}

/** rival() - argument given already that excludes @arg, or NULL. */
static const struct cli_arg *rival(const struct cli *cli, const struct cli_arg *arg)
{
	const struct cli_arg *a;

	for (a = cli->verb->args; !is_end(a); a++) {
		if (cli->given & bit_of(cli, a) &&
		    (a == arg || (a->group && a->group == arg->group)))
			return a;
	}
	return NULL;
}

/** is_option() - can @text be no value? No name begins with '-', but the daemon is to say so. */
static bool is_option(const struct cli *cli, const char *text)
{
	const struct cli_arg *arg;

	if (strncmp(text, "--", 2) == 0)
		return true;
	for (arg = cli->verb->args; text[0] == '-' && !is_end(arg); arg++) {
		if (arg->word && strcmp(arg->word, text) == 0)
			return true;
	}
	return false;
}

/** find_arg() - which argument @text is or announces, or NULL with a complaint. */
static const struct cli_arg *find_arg(struct cli *cli, const char *text, const char *after)
{
	struct words_accepted acc = {.distance = WORDS_FAR};
	const struct cli_arg *arg, *other;

	for (arg = cli->verb->args; !is_end(arg); arg++) {
		if (!arg->word && !(cli->given & bit_of(cli, arg)) && !is_option(cli, text))
			return arg;
		if (!arg->word || strcmp(arg->word, text) != 0)
			continue;
		other = rival(cli, arg);
		if (!other)
			return arg;
		if (other == arg)
			words_complain(cli, "'%s' is there twice", text);
		else
			words_complain(cli, "'%s' and '%s' exclude each other", other->word, text);
		return NULL;
	}
	for (arg = cli->verb->args; !is_end(arg); arg++) {
		if (!rival(cli, arg))
			words_accept(&acc, text, arg->word ? arg->word : "", arg->value);
	}
	words_wrong(cli, text, after, &acc);
	return NULL;
}

/** wants_change() - must the command name at least one thing to change? */
static bool wants_change(unsigned int cmd)
{
	const struct vs_policy *policy = vs_policy_find(cmd);
	unsigned int i;

	for (i = 0; policy && policy->attrs[i].attr; i++) {
		if (policy->attrs[i].need == VS_CHANGE)
			return true;
	}
	return false;
}

static int check_complete(struct cli *cli)
{
	struct words_accepted acc = {.distance = WORDS_FAR};
	const char *blank = cli->verb->word[0] ? " " : "";
	const struct cli_arg *arg;
	bool change = false;

	for (arg = cli->verb->args; !is_end(arg); arg++) {
		bool given = (cli->given & bit_of(cli, arg)) != 0;

		if (arg->need == CLI_MUST && !given) {
			words_complain(cli, "%s%s%s: %s%s%s is missing", cli->object->word, blank,
				       cli->verb->word, arg->word ? arg->word : "",
				       arg->word ? " " : "", arg->value);
			return -EINVAL;
		}
		/* A word that must be there says which object, a choice what becomes of it. */
		change |= given && (arg->need == CLI_MAY || arg->type == CLI_CHOICE);
		if (arg->need == CLI_MAY)
			words_accept(&acc, "", arg->word ? arg->word : "", arg->value);
	}
	if (!change && wants_change(cli->verb->cmd)) {
		words_complain(cli, "%s%s%s: nothing to change; accepted here: %s",
			       cli->object->word, blank, cli->verb->word, acc.list);
		return -EINVAL;
	}
	return 0;
}

/* Return: how many of the @n words it took; -EINVAL with a complaint. */
static int put_value(struct cli *cli, const struct cli_arg *arg, char *const *words, int n)
{
	if (arg->type == CLI_VLAN)
		return vlan_put(cli, words, n);
	if (arg->type == CLI_OFFLOAD)
		return offload_put(cli, words, n);
	return values_put(cli, arg, words[0]) ? -EINVAL : 1;
}

static int parse_args(struct cli *cli, int argc, char **argv)
{
	const char *after = cli->verb->word[0] ? cli->verb->word : cli->object->word;
	int took;
	int i;

	vs_msg_init(&cli->msg, cli->buf, sizeof(cli->buf), (enum vs_cmd)cli->verb->cmd);
	for (i = 0; i < argc; i++) {
		const struct cli_arg *arg = find_arg(cli, argv[i], after);

		if (!arg)
			return -EINVAL;
		cli->given |= bit_of(cli, arg);
		cli->local |= arg->local;
		if (arg->word && arg->value && ++i == argc) {
			words_complain(cli, "'%s' is followed by nothing: %s is wanted", arg->word,
				       arg->value);
			return -EINVAL;
		}
		took = put_value(cli, arg, &argv[i], argc - i);
		if (took < 0)
			return -EINVAL;
		i += took - 1;
		after = argv[i];
	}
	return check_complete(cli);
}

/* ---- object and verb ---- */

static bool wants_help(const struct cli *cli, const char *word)
{
	if (cli->file)
		return false;
	return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/** accept_help() - it is a word of the command line, and none of a file. */
static void accept_help(const struct cli *cli, const char *word, struct words_accepted *acc)
{
	if (!cli->file)
		words_accept(acc, word, "help", NULL);
}

static const struct cli_object *find_object(struct cli *cli, const char *word)
{
	struct words_accepted acc = {.distance = WORDS_FAR};
	const struct cli_object *object;

	for (object = cli_objects; object->word; object++) {
		if (strcmp(object->word, word) == 0)
			return object;
		words_accept(&acc, word, object->word, NULL);
	}
	accept_help(cli, word, &acc);
	/* An option, and the only one that people try as a word. */
	if (!cli->file)
		words_accept(&acc, word, "--version", NULL);
	words_wrong(cli, word, "vmswitch", &acc);
	return NULL;
}

static const struct cli_verb *find_verb(struct cli *cli, const char *word)
{
	struct words_accepted acc = {.distance = WORDS_FAR};
	const struct cli_verb *verb;

	for (verb = cli->object->verbs; verb->run; verb++) {
		if (strcmp(verb->word, word) == 0)
			return verb;
		words_accept(&acc, word, verb->word, NULL);
	}
	accept_help(cli, word, &acc);
	if (word[0])
		words_wrong(cli, word, cli->object->word, &acc);
	else
		words_complain(cli, "%s: what with it? accepted here: %s", cli->object->word,
			       acc.list);
	return NULL;
}

/** parse_help() - "help [OBJECT [VERB]]": the same as with help behind them */
static enum cli_parsed parse_help(struct cli *cli, int argc, char **argv)
{
	if (argc > 0) {
		cli->object = find_object(cli, argv[0]);
		if (!cli->object)
			return CLI_WRONG;
	}
	if (argc > 1) {
		cli->verb = find_verb(cli, argv[1]);
		if (!cli->verb)
			return CLI_WRONG;
	}
	return CLI_WANTS_HELP;
}

enum cli_parsed cli_parse(struct cli *cli, int argc, char **argv)
{
	bool alone;

	cli->object = NULL;
	cli->verb = NULL;
	cli->local = 0;
	cli->given = 0;
	memset(cli->value, 0, sizeof(cli->value));
	if (argc == 0) {
		words_complain(cli, "what to do? 'vmswitch help' says what there is");
		return CLI_WRONG;
	}
	if (wants_help(cli, argv[0]))
		return parse_help(cli, argc - 1, argv + 1);
	cli->object = find_object(cli, argv[0]);
	if (!cli->object)
		return CLI_WRONG;
	if (argc > 1 && wants_help(cli, argv[1]))
		return CLI_WANTS_HELP;
	alone = cli->object->verbs[0].word[0] == '\0';
	cli->verb = alone ? cli->object->verbs : find_verb(cli, argc > 1 ? argv[1] : "");
	if (!cli->verb)
		return CLI_WRONG;
	argc -= alone ? 1 : 2;
	argv += alone ? 1 : 2;
	if (argc == 1 && wants_help(cli, argv[0]))
		return CLI_WANTS_HELP;
	return parse_args(cli, argc, argv) ? CLI_WRONG : CLI_PARSED;
}
