/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmswitch: the command that controls vmswitchd.
 */
#include "control/cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* The build says it (-D); it is no header, as the client knows nothing of the daemon's. */
#ifndef VMSWITCH_VERSION
#define VMSWITCH_VERSION "unknown"
#endif

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},         {"pretty", no_argument, NULL, 'p'},
	{"socket", required_argument, NULL, 's'}, {"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

/**
 * take_trailing() - -j and -p may also stand behind the object, as no name begins with '-'
 * Return: how many words are left.
 */
static int take_trailing(int argc, char **argv, bool *json, bool *pretty)
{
	int i, kept = 0;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0)
			*json = true;
		else if (strcmp(argv[i], "-p") == 0 || strcmp(argv[i], "--pretty") == 0)
			*pretty = true;
		else
			argv[kept++] = argv[i];
	}
	return kept;
}

static int usage(const char *text)
{
	cli_complain("%s", text);
	return CLI_USAGE;
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
	return cli_run(cli);
}

int main(int argc, char **argv)
{
	static struct cli cli;
	bool json = false, pretty = false;
	int opt;

	cli.socket = getenv("VMSWITCH_SOCKET");
	if (!cli.socket || !cli.socket[0])
		cli.socket = VS_SOCKET_DEFAULT;
	/* '+': options end at the first other word */
	while ((opt = getopt_long(argc, argv, "+jps:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'p':
			pretty = true;
			break;
		case 's':
			cli.socket = optarg;
			break;
		case 'V':
			printf("vmswitch %s\n", VMSWITCH_VERSION);
			return CLI_OK;
		case 'h':
			cli_help(stdout, NULL, NULL);
			return CLI_OK;
		default:
			fputs("vmswitch: 'vmswitch help' says what there is\n", stderr);
			return CLI_USAGE;
		}
	}
	argc = take_trailing(argc - optind, argv + optind, &json, &pretty);
	if (json)
		cli.format = pretty ? OUT_JSON_PRETTY : OUT_JSON;
	return run(&cli, argc, argv + optind);
}
