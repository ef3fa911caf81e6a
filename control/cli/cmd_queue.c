/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

static const struct cli_arg show_args[] = {
	{NULL, "PORT", CLI_WORD, CLI_MAY, VS_ATTR_PORT, .help = "only those of this port"},
	{0},
};

static const struct cli_choice reasons[] = {
	{"spread", VS_MOVED_SPREAD},
	{"fold", VS_MOVED_FOLD},
	{"hand", VS_MOVED_HAND},
	{NULL, 0},
};

static const struct cli_choice placers[] = {
	{"home", VS_PLACER_HOME},
	{"hand", VS_PLACER_HAND},
	{"controller", VS_PLACER_CONTROLLER},
	{NULL, 0},
};

/* Where it came from, when and why; nothing if it never moved. */
static void put_move(struct out *o, const struct nlattr *const *tb)
{
	bool moved = tb[VS_ATTR_MOVE_WHY] != NULL;
	uint64_t from = cli_num(tb, VS_ATTR_MOVED_FROM);
	uint64_t ms = cli_num(tb, VS_ATTR_MOVED_MS);
	char from_text[24];
	char ago[32];

	snprintf(from_text, sizeof(from_text), "%llu", (unsigned long long)from);
	snprintf(ago, sizeof(ago), "%.1f s ago", (double)ms / 1000);
	out_num(o, OUT_EVERYWHERE, "moves", "MOVES", cli_num(tb, VS_ATTR_MOVES));
	out_str(o, OUT_EVERYWHERE, "reason", "LAST FOR",
		moved ? cli_choice_word(reasons, (uint32_t)cli_num(tb, VS_ATTR_MOVE_WHY)) : NULL);
	out_value(o, OUT_EVERYWHERE, "from", "FROM",
		  moved ? json_integer((json_int_t)from) : json_null(), moved ? from_text : "-");
	out_value(o, OUT_EVERYWHERE, "moved_ms", "WHEN",
		  moved ? json_integer((json_int_t)ms) : json_null(), moved ? ago : "-");
	out_str(o, OUT_EVERYWHERE, "why", "WHY", cli_str(tb, VS_ATTR_TEXT));
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	uint64_t load = cli_num(tb, VS_ATTR_LOAD);
	char text[24];

	snprintf(text, sizeof(text), "%.1f %%", (double)load / 100);
	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "port", "PORT", cli_str(tb, VS_ATTR_PORT));
	out_num(o, OUT_EVERYWHERE, "pair", "PAIR", cli_num(tb, VS_ATTR_PAIR));
	out_str(o, OUT_ONLY_JSON, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_str(o, OUT_EVERYWHERE, "vm", "VM", cli_str(tb, VS_ATTR_VM));
	out_num(o, OUT_EVERYWHERE, "worker", "WORKER", cli_num(tb, VS_ATTR_WORKER));
	out_str(o, OUT_EVERYWHERE, "placed_by", "PLACED BY",
		cli_choice_word(placers, (uint32_t)cli_num(tb, VS_ATTR_PLACED_BY)));
	out_value(o, OUT_EVERYWHERE, "load", "LOAD", json_real((double)load / 100), text);
	put_move(o, tb);
	out_row_end(o);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, OUT_TABLE, show_record);
}

const struct cli_verb cli_queue_verbs[] = {
	{"show", VS_CMD_QUEUE_GET, show_args, show,
	 "list queue pairs: which worker visits them, how loaded they are, why they moved last",
	 "queue show web"},
	{0},
};
