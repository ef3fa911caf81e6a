/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmswitch: the command that controls vmswitchd.
 */
#include "control/cli/batch.h"
#include "control/cli/cli.h"
#include "control/cli/remote.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* The build says it (-D); it is no header, as the client knows nothing of the daemon's. */
#ifndef VMSWITCH_VERSION
#define VMSWITCH_VERSION "unknown"
#endif

enum {
	OPTION_CONFIRM = 256,
	OPTION_STDIO,
};

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"pretty", no_argument, NULL, 'p'},
	{"socket", required_argument, NULL, 's'},
	{"host", required_argument, NULL, 'H'},
	{"file", required_argument, NULL, 'f'},
	{"dry-run", no_argument, NULL, 'n'},
	{"confirm", required_argument, NULL, OPTION_CONFIRM},
	{"stdio", no_argument, NULL, OPTION_STDIO},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/**
 * struct wishes - the options
 * @socket:	NULL: none was named
 * @file:	commands are read from it; NULL: one stands on the command line
 * @confirm:	seconds, as typed
 * @stdio:	be the other end of ssh
 * @done:	what was asked for has been printed
 */
struct wishes {
	const char *socket;
	const char *remote;
	const char *file;
	const char *confirm;
	bool json;
	bool pretty;
	bool dry_run;
	bool stdio;
	bool done;
};

static int usage(const char *text)
{
	cli_complain("%s", text);
	return CLI_USAGE;
}

/** take_option() - Return: false if there is no such option, which has been said. */
static bool take_option(struct wishes *wishes, int option)
{
	switch (option) {
	case 'j':
		wishes->json = true;
		return true;
	case 'p':
		wishes->pretty = true;
		return true;
	case 's':
		wishes->socket = optarg;
		return true;
	case 'H':
		wishes->remote = optarg;
		return true;
	case 'f':
		wishes->file = optarg;
		return true;
	case 'n':
		wishes->dry_run = true;
		return true;
	case OPTION_CONFIRM:
		wishes->confirm = optarg;
		return true;
	case OPTION_STDIO:
		wishes->stdio = true;
		return true;
	case 'V':
		printf("vmswitch %s\n", VMSWITCH_VERSION);
		wishes->done = true;
		return true;
	case 'h':
		cli_help(stdout, NULL, NULL);
		wishes->done = true;
		return true;
	default:
		fputs("vmswitch: 'vmswitch help' says what there is\n", stderr);
		return false;
	}
}

/** is_either() - @word in one spelling or the other. */
static bool is_either(const char *word, const char *brief, const char *full)
{
	return strcmp(word, brief) == 0 || strcmp(word, full) == 0;
}

/**
 * take_trailing() - -j, -p, -n and --confirm may also stand behind the object, as no name begins
 * with '-'
 * Return: how many words are left.
 */
static int take_trailing(struct wishes *wishes, int argc, char **argv)
{
	static const char confirm[] = "--confirm=";
	int i, kept = 0;

	for (i = 0; i < argc; i++) {
		if (is_either(argv[i], "-j", "--json"))
			wishes->json = true;
		else if (is_either(argv[i], "-p", "--pretty"))
			wishes->pretty = true;
		else if (is_either(argv[i], "-n", "--dry-run"))
			wishes->dry_run = true;
		else if (strcmp(argv[i], "--confirm") == 0 && i + 1 < argc)
			wishes->confirm = argv[++i];
		else if (strncmp(argv[i], confirm, strlen(confirm)) == 0)
			wishes->confirm = argv[i] + strlen(confirm);
		else
			argv[kept++] = argv[i];
	}
	return kept;
}

/** read_confirm() - "60". Return: false if it is no number of seconds. */
static bool read_confirm(const char *text, uint32_t *ret_seconds)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value < 1 || value > UINT32_MAX)
		return false;
	*ret_seconds = (uint32_t)value;
	return true;
}

/** set_up() - from the wishes to the command's own. Return: exit status. */
static int set_up(struct cli *cli, const struct wishes *wishes)
{
	cli->socket = wishes->socket ? wishes->socket : getenv("VMSWITCH_SOCKET");
	if (!cli->socket || (!cli->socket[0] && !wishes->socket))
		cli->socket = VS_SOCKET_DEFAULT;
	cli->remote = wishes->remote;
	cli->remote_socket = wishes->socket;
	cli->dry_run = wishes->dry_run;
	if (wishes->remote && !remote_host_ok(wishes->remote))
		return usage("a host is written as for ssh: [USER@]HOST");
	if (wishes->remote && wishes->stdio)
		return usage("--stdio is for the other host; -H is for this one");
	if (wishes->confirm && !read_confirm(wishes->confirm, &cli->confirm_s))
		return usage("--confirm is followed by a number of seconds, 1 or more");
	if (wishes->confirm && wishes->dry_run)
		return usage("--dry-run changes nothing that could be confirmed");
	return CLI_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
	switch (cli_parse(cli, argc, argv)) {
	case CLI_WANTS_HELP:
		cli_help(stdout, cli->object, cli->verb);
		return fflush(stdout) ? CLI_FAILED : CLI_OK;
	case CLI_WRONG:
		return usage(cli->error);
	case CLI_PARSED:
		break;
	}
	if ((cli->dry_run || cli->confirm_s) && !cli_changes(cli->verb))
		return usage("--dry-run and --confirm are for commands that change something");
	return cli_run(cli);
}

int main(int argc, char **argv)
{
	struct wishes wishes = {0};
	static struct cli cli;
	int opt, status;

	/* '+': options end at the first other word */
	while ((opt = getopt_long(argc, argv, "+jps:H:f:nVh", options, NULL)) != -1) {
		if (!take_option(&wishes, opt))
			return CLI_USAGE;
		if (wishes.done)
			return fflush(stdout) ? CLI_FAILED : CLI_OK;
	}
	argv += optind;
	argc = take_trailing(&wishes, argc - optind, argv);
	if (wishes.json)
		cli.format = wishes.pretty ? OUT_JSON_PRETTY : OUT_JSON;
	cli_complain_in(cli.format);
	status = set_up(&cli, &wishes);
	if (status != CLI_OK)
		return status;
	if ((wishes.stdio || wishes.file) && argc > 0)
		return usage("no command stands on the command line together with -f or --stdio");
	if (wishes.stdio)
		return remote_serve(cli.socket);
	return wishes.file ? batch_file(&cli, wishes.file) : run(&cli, argc, argv);
}
