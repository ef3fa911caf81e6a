/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

static int print_notice(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	char when[64];

	out_time(cli_num(tb, VS_ATTR_TIME), when, sizeof(when));
	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "time", "", when);
	out_str(o, OUT_EVERYWHERE, "event", "", cli_str(tb, VS_ATTR_EVENT));
	if (tb[VS_ATTR_SWITCH])
		out_str(o, OUT_EVERYWHERE, "switch", "switch", cli_str(tb, VS_ATTR_SWITCH));
	if (tb[VS_ATTR_PORT])
		out_str(o, OUT_EVERYWHERE, "port", "port", cli_str(tb, VS_ATTR_PORT));
	if (tb[VS_ATTR_MAC])
		out_mac(o, OUT_EVERYWHERE, "mac", "mac", cli_mac(tb, VS_ATTR_MAC), "-");
	if (tb[VS_ATTR_LOST])
		out_num(o, OUT_EVERYWHERE, "lost", "lost", cli_num(tb, VS_ATTR_LOST));
	if (tb[VS_ATTR_TEXT])
		out_str(o, OUT_EVERYWHERE, "text", "-", cli_str(tb, VS_ATTR_TEXT));
	out_row_end(o);
	/* nobody reads any more: do not stay behind */
	return ferror(o->file) ? CLI_FAILED : 0;
}

static int monitor(struct cli *cli)
{
	struct vs_client_fail fail;
	int ret;

	out_open(&cli->out, stdout, cli->format, OUT_LINES);
	ret = vs_client_call(cli->client, &cli->msg, NULL, NULL, &fail);
	if (!ret)
		ret = vs_client_listen(cli->client, print_notice, cli, &fail);
	if (ret < 0)
		cli_fail(cli, &fail);
	return cli_close(cli, CLI_FAILED);
}

const struct cli_verb cli_monitor_verbs[] = {
	{"", VS_CMD_SUBSCRIBE, cli_no_args, monitor, "one line per event, until it is interrupted",
	 "monitor"},
	{0},
};
