/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parts of `vmswitch capture`: the filter, and where captured frames go.
 */
#ifndef VS_CONTROL_CLI_CAPTURE_H
#define VS_CONTROL_CLI_CAPTURE_H

#include "control/cli/cli.h"

#include <sys/types.h>

/**
 * capture_filter() - compile a filter (pcap-filter(7)) into the request
 * Return: 0, or -EINVAL with @cli->error filled in.
 */
int capture_filter(struct cli *cli, const char *text);

/** capture_print() - a frame as a line. Return: 0, or CLI_FAILED if nobody reads any more. */
int capture_print(struct out *o, const struct nlattr *const *tb);

/** struct capture_file - a running vmswitch-capture */
struct capture_file {
	pid_t pid;
	FILE *pipe;
};

/**
 * capture_open() - begin a file; "-": standard output
 * Return: 0, or CLI_FAILED and it has been said why.
 */
int capture_open(struct cli *cli, const char *path, const char *port, const char *filter,
		 struct capture_file *ret_file);

/** capture_write() - a frame. Return: 0, or CLI_FAILED: there is no sense in going on. */
int capture_write(struct capture_file *file, const struct nlattr *const *tb);

/** capture_close() - end it. Return: exit status; what is wrong has been said. */
int capture_close(struct capture_file *file);

#endif
