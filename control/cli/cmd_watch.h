/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats watch: a verb of the object stats with files of its own.
 */
#ifndef VS_CONTROL_CLI_CMD_WATCH_H
#define VS_CONTROL_CLI_CMD_WATCH_H

#include "control/cli/cli.h"

extern const struct cli_arg watch_args[];

/** watch() - run it. Return: exit status. */
int watch(struct cli *cli);

#endif
