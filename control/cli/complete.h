/* SPDX-License-Identifier: BSD-3-Clause */
/* What could stand at the end of a command line. */
#ifndef VS_CONTROL_CLI_COMPLETE_H
#define VS_CONTROL_CLI_COMPLETE_H

#include "control/cli/cli.h"

/**
 * complete_line() - print the words that could stand at the end of @line, one per line
 * @cli:	whose socket is asked for names, unless the line says another one
 * @line:	a command line up to the cursor, with the name of the program; its last word, which
 *		may be empty, is the one to be completed
 *
 * ":files" stands for names of files, ":nospace" says that the word goes on. A line that is wrong
 * has no words. Return: 0 or -ENOMEM.
 */
int complete_line(struct cli *cli, const char *line, FILE *out);

#endif
