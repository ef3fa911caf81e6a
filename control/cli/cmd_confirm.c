/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said to a change that waits to be confirmed (--confirm SECONDS). */
#include "control/cli/cli.h"

/* Not cli_do(): this is said about a change, and is none itself. */
static int tell(struct cli *cli)
{
	struct vs_client_fail fail;

	if (vs_client_call(cli->client, &cli->msg, NULL, NULL, &fail))
		return cli_fail(cli, &fail);
	return CLI_OK;
}

const struct cli_verb cli_confirm_verbs[] = {
	{"", VS_CMD_CONFIRM, cli_no_args, tell, "keep a change that was made with --confirm",
	 "confirm"},
	{0},
};

const struct cli_verb cli_rollback_verbs[] = {
	{"", VS_CMD_ROLLBACK, cli_no_args, tell,
	 "take a change back that was made with --confirm, at once", "rollback"},
	{0},
};
