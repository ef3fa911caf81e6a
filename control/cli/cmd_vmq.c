/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

static const struct cli_arg show_args[] = {
	{NULL, "SWITCH", CLI_WORD, CLI_MAY, VS_ATTR_SWITCH, .help = "only queues of this switch"},
	{0},
};

static const struct cli_arg set_args[] = {
	{NULL, "SWITCH", CLI_WORD, CLI_MUST, VS_ATTR_NAME, .help = "whose queues"},
	{NULL, "MODE", CLI_CHOICE, CLI_MUST, VS_ATTR_VMQ, cli_vmq_modes,
	 .help = "off: every frame takes the full way; on: sort, by what does it best; soft: sort, by "
		 "the switch alone"},
	{"queues", "N|all", CLI_NUMBER, CLI_MAY, VS_ATTR_VMQ_QUEUES, cli_vmq_queues,
	 .help = "how many ports may have one (1 to 1023, default all)"},
	{0},
};

static void put_queue(struct out *o, const struct nlattr *const *tb)
{
	uint64_t id = cli_num(tb, VS_ATTR_QUEUE);
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
	out_value(o, OUT_EVERYWHERE, "queue", "QUEUE",
		  tb[VS_ATTR_QUEUE] ? json_integer((json_int_t)id) : json_null(),
		  !tb[VS_ATTR_QUEUE] ? "-"
		  : id               ? text
				     : "default");
}

/* What is said once for each uplink. */
static void put_default(struct out *o, const struct nlattr *const *tb)
{
	const char *direct = cli_str(tb, VS_ATTR_VMQ_DIRECT);

	out_note(o, "%s", cli_str(tb, VS_ATTR_REASON));
	/* An older daemon does not say it. */
	if (!direct)
		return;
	out_str(o, OUT_ONLY_JSON, "direct", "DIRECT", direct);
	out_note(o, "straight into guests: %s", direct);
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	bool is_default = !tb[VS_ATTR_VMQ_WEIGHT];
	const char *text = cli_str(tb, VS_ATTR_TEXT);
	uint64_t weight = cli_num(tb, VS_ATTR_VMQ_WEIGHT);
	char weight_text[24];

	snprintf(weight_text, sizeof(weight_text), "%llu", (unsigned long long)weight);
	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	put_queue(o, tb);
	out_str(o, OUT_EVERYWHERE, "port", "PORT", cli_str(tb, VS_ATTR_PORT));
	out_str(o, OUT_EVERYWHERE, "engine", "ENGINE", cli_str(tb, VS_ATTR_ENGINE));
	out_str(o, OUT_EVERYWHERE, "state", "STATE", cli_str(tb, VS_ATTR_VMQ_STATE));
	out_value(o, OUT_EVERYWHERE, "weight", "WEIGHT",
		  is_default ? json_null() : json_integer((json_int_t)weight),
		  is_default ? "-" : weight_text);
	out_num(o, OUT_EVERYWHERE, "worker", "WORKER", cli_num(tb, VS_ATTR_WORKER));
	out_num(o, OUT_EVERYWHERE, "frames", "FRAMES", cli_num(tb, VS_ATTR_FRAMES));
	out_num(o, OUT_EVERYWHERE, "bytes", "BYTES", cli_num(tb, VS_ATTR_RECEIVED_BYTES));
	out_str(o, OUT_EVERYWHERE, "filters", "FILTERS", cli_str(tb, VS_ATTR_VMQ_FILTERS));
	out_num(o, OUT_ONLY_JSON, "filters_wanted", "WANTED", cli_num(tb, VS_ATTR_VMQ_WANTED));
	if (tb[VS_ATTR_VMQ_ASTRAY])
		out_num(o, OUT_ONLY_JSON, "astray", "ASTRAY", cli_num(tb, VS_ATTR_VMQ_ASTRAY));
	out_num(o, OUT_ONLY_JSON, "limit", "LIMIT", cli_num(tb, VS_ATTR_VMQ_QUEUES));
	out_str(o, OUT_ONLY_JSON, "reason", "REASON", cli_str(tb, VS_ATTR_REASON));
	out_str(o, OUT_ONLY_JSON, "text", "TEXT", text);
	if (is_default)
		put_default(o, tb);
	if (text)
		out_note(o, "%s", text);
	out_row_end(o);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, OUT_TABLE, show_record);
}

const struct cli_verb cli_vmq_verbs[] = {
	{"show", VS_CMD_VMQ_GET, show_args, show,
	 "list the queues of uplinks: whose they are, what falls into them", "vmq show lan"},
	{"set", VS_CMD_SWITCH_SET, set_args, cli_do, "change the queues of an uplink",
	 "vmq set lan on queues 8"},
	{0},
};
