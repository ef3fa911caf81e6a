/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that are applied together, and what they would change (--dry-run, --confirm). */
#ifndef VS_CONTROL_CLI_BATCH_H
#define VS_CONTROL_CLI_BATCH_H

#include "control/cli/cli.h"

/**
 * batch_file() - read commands from a file, and have all of them applied or none
 * @path:	"-": standard input
 *
 * Return: exit status; errors have been printed, with the line they are in.
 */
int batch_file(struct cli *cli, const char *path);

/**
 * batch_one() - the command that was parsed, as a batch of one
 *
 * For --dry-run and --confirm. Return: exit status; an error has been printed.
 */
int batch_one(struct cli *cli);

#endif
