/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VS_CONTROL_CLI_VALUES_H
#define VS_CONTROL_CLI_VALUES_H

#include "control/cli/cli.h"

/**
 * values_put() - put the value @text of @arg into the request, or where the verb finds it
 * Return: 0, or -EINVAL with a complaint.
 */
int values_put(struct cli *cli, const struct cli_arg *arg, const char *text);

#endif
