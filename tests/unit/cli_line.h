/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A command line, and what becomes of it. Included after cmocka.h.
 */
#ifndef VS_TESTS_UNIT_CLI_LINE_H
#define VS_TESTS_UNIT_CLI_LINE_H

#include "control/cli/cli.h"

#include <stdio.h>
#include <string.h>

enum {
	WORDS_MAX = 32,
};

static struct cli cli;
static struct vs_request req;

/* Words are separated by single spaces. */
static inline enum cli_parsed parse(const char *line)
{
	static char copy[8192];
	char *argv[WORDS_MAX], *word, *rest = copy;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, " ")) != NULL && line[0])
		argv[argc++] = word;
	cli.error[0] = '\0';
	return cli_parse(&cli, argc, argv);
}

/* The line is right, and the daemon's policy agrees with it. */
static inline void good(const char *line, enum vs_cmd cmd)
{
	struct vs_refusal refusal = {0};

	if (parse(line) != CLI_PARSED)
		fail_msg("'%s' refused: %s", line, cli.error);
	assert_int_equal(cli.verb->cmd, cmd);
	cli.msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	if (vs_request_parse(cli.msg.nlh, &req, &refusal))
		fail_msg("'%s' makes a request that is refused: %s", line, refusal.text);
	assert_int_equal(req.policy->cmd, cmd);
}

static inline void bad(const char *line, const char *text)
{
	if (parse(line) != CLI_WRONG)
		fail_msg("'%s' was accepted", line);
	if (!strstr(cli.error, text))
		fail_msg("'%s' gives '%s', which does not say '%s'", line, cli.error, text);
}

#endif
