/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connection to the daemon: of this host over its socket, or of another host through ssh.
 */
#ifndef VS_CONTROL_CLI_REMOTE_H
#define VS_CONTROL_CLI_REMOTE_H

#include "control/cli/cli.h"

/**
 * cli_connect() - open cli->client, as cli->remote and cli->socket say
 * Return: 0, or negative errno with *@fail filled in.
 */
int cli_connect(struct cli *cli, struct vs_client_fail *fail);

/** cli_disconnect() - close cli->client, if it is there. */
void cli_disconnect(struct cli *cli);

/**
 * remote_serve() - the other end of ssh: join standard input and output with the daemon
 *
 * What vmswitch --stdio does. Return: exit status.
 */
int remote_serve(const char *socket);

/** remote_host_ok() - could this be what ssh calls a destination, and no option of ssh? */
bool remote_host_ok(const char *host);

#endif
