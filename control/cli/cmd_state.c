/* SPDX-License-Identifier: BSD-3-Clause */
/* `state show`: the file that keeps the configuration, and what of it could not be made. */
#include "control/cli/cli.h"
#include "control/cli/render.h"

#include <stdlib.h>

/**
 * struct shown - what `state show` prints
 * @waits:	JSON of what could not be made, each with "command" and "problem"
 * @files:	how many state files there are: 0 or 1
 */
struct shown {
	struct cli *cli;
	json_t *waits;
	unsigned int files;
};

static void show_number(struct out *o, const struct nlattr *const *tb, enum vs_attr attr,
			const char *key, const char *label)
{
	out_num(o, OUT_EVERYWHERE, key, label, cli_num(tb, attr));
}

static int show_file(const struct nlattr *const *tb, void *ctx)
{
	struct shown *shown = ctx;
	struct out *o = &shown->cli->out;

	shown->files++;
	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "file", "file", cli_str(tb, VS_ATTR_STATE_FILE));
	show_number(o, tb, VS_ATTR_STATE_BYTES, "bytes", "bytes");
	show_number(o, tb, VS_ATTR_STATE_BASE, "base_bytes", "when written anew");
	show_number(o, tb, VS_ATTR_TRANSACTIONS, "transactions", "transactions");
	show_number(o, tb, VS_ATTR_REWRITES, "rewrites", "written anew");
	show_number(o, tb, VS_ATTR_SYNC_US, "sync_us", "last write, us");
	out_str(o, OUT_EVERYWHERE, "problem", "problem", cli_str(tb, VS_ATTR_PROBLEM));
	show_number(o, tb, VS_ATTR_WAITING, "waiting", "objects that wait");
	out_value(o, OUT_ONLY_JSON, "waits", "", json_incref(shown->waits), "");
	out_row_end(o);
	return 0;
}

/* An object of the configuration, if it waits. */
static int take_waiting(const struct nlattr *const *tb, void *ctx)
{
	struct shown *shown = ctx;
	char *line = NULL;
	struct render r;
	size_t size;
	FILE *text;

	if (!tb[VS_ATTR_PROBLEM] || !tb[VS_ATTR_COMMAND] || !tb[VS_ATTR_RECORD])
		return 0;
	text = open_memstream(&line, &size);
	if (!text)
		return -1;
	if (render_open_nest(&r, vs_tlv_u32(tb[VS_ATTR_COMMAND]), tb[VS_ATTR_RECORD]) == 0)
		(void)render_text(&r, text);
	if (fclose(text) == 0)
		(void)json_array_append_new(shown->waits,
					    json_pack("{s:o, s:o}", "command", out_string(line),
						      "problem",
						      out_string(cli_str(tb, VS_ATTR_PROBLEM))));
	free(line);
	return 0;
}

static int print_waiting(struct cli *cli, json_t *waits)
{
	json_t *wait;
	size_t i;

	out_open(&cli->out, stdout, cli->format, OUT_TABLE);
	json_array_foreach(waits, i, wait) {
		out_row_begin(&cli->out);
		out_str(&cli->out, OUT_EVERYWHERE, "problem", "WAITS BECAUSE",
			json_string_value(json_object_get(wait, "problem")));
		out_str(&cli->out, OUT_EVERYWHERE, "command", "OBJECT",
			json_string_value(json_object_get(wait, "command")));
		out_row_end(&cli->out);
	}
	return cli_close(cli, CLI_OK);
}

static int print(struct shown *shown)
{
	struct cli *cli = shown->cli;
	struct vs_client_fail fail;
	int status;

	out_open(&cli->out, stdout, cli->format, OUT_BLOCKS);
	if (vs_client_call(cli->client, &cli->msg, show_file, shown, &fail)) {
		out_discard(&cli->out);
		return cli_complain("%s", fail.text);
	}
	if (shown->files == 0 && cli->format == OUT_TEXT)
		puts("no state file: the configuration is not kept");
	status = cli_close(cli, CLI_OK);
	if (status == CLI_OK && cli->format == OUT_TEXT && json_array_size(shown->waits))
		status = print_waiting(cli, shown->waits);
	return status;
}

static void wait_again(void *ctx)
{
	(void)json_array_clear(((struct shown *)ctx)->waits);
}

static int show(struct cli *cli)
{
	struct shown shown = {.cli = cli, .waits = json_array()};
	const struct cli_collect to = {take_waiting, wait_again, &shown};
	uint32_t buf[NLMSG_HDRLEN / 4 + 4];
	struct vs_client_fail fail;
	struct vs_msg config;
	int status;

	vs_msg_init(&config, buf, sizeof(buf), VS_CMD_CONFIG_GET);
	if (cli_dump(cli, &config, &to, &fail))
		status = cli_complain("%s", fail.text);
	else if (cli_check_whole(cli) != CLI_OK)
		status = CLI_FAILED;
	else
		status = print(&shown);
	json_decref(shown.waits);
	return status;
}

const struct cli_verb cli_state_verbs[] = {
	{"show", VS_CMD_STATE_GET, cli_no_args, show,
	 "show the file that keeps the configuration, and what of it could not be made",
	 "state show"},
	{0},
};
