/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running a parsed command: the connection, and what most verbs do with it.
 */
#include "control/cli/cli.h"

#include <stdarg.h>
#include <string.h>

int cli_complain(const char *fmt, ...)
{
	va_list ap;

	fputs("vmswitch: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
}

int cli_run(struct cli *cli)
{
	struct vs_client_fail fail;
	int status;

	if (vs_client_open(cli->socket, &cli->client, &fail))
		return cli_complain("%s", fail.text);
	status = cli->verb->run(cli);
	if (cli->client)
		vs_client_close(cli->client);
	return status;
}

int cli_do(struct cli *cli)
{
	struct vs_client_fail fail;

	if (vs_client_call(cli->client, &cli->msg, NULL, NULL, &fail))
		return cli_complain("%s", fail.text);
	return CLI_OK;
}

int cli_close(struct cli *cli, int status)
{
	if (out_close(&cli->out) == 0)
		return status;
	return cli_complain("the output is not complete");
}

int cli_show(struct cli *cli, enum out_layout layout, vs_client_record *record)
{
	struct vs_client_fail fail;

	out_open(&cli->out, stdout, cli->format, layout);
	if (vs_client_call(cli->client, &cli->msg, record, cli, &fail)) {
		/* no half of a table: what was collected is thrown away */
		out_discard(&cli->out);
		return cli_complain("%s", fail.text);
	}
	return cli_close(cli, CLI_OK);
}

const char *cli_str(const struct nlattr *const *tb, enum vs_attr attr)
{
	return vs_tlv_str(tb[attr]);
}

uint64_t cli_num(const struct nlattr *const *tb, enum vs_attr attr)
{
	if (!tb[attr])
		return 0;
	return vs_attr_spec(attr)->type == VS_TLV_U64 ? vs_tlv_u64(tb[attr]) : vs_tlv_u32(tb[attr]);
}

const uint8_t *cli_mac(const struct nlattr *const *tb, enum vs_attr attr)
{
	return tb[attr] ? (const uint8_t *)tb[attr] + NLA_HDRLEN : NULL;
}
