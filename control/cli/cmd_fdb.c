/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

static const struct cli_arg show_args[] = {
	{"switch", "SW", CLI_WORD, CLI_MAY, VS_ATTR_SWITCH,
	 .help = "only addresses of this switch"},
	{0},
};

static const struct cli_arg flush_args[] = {
	{"switch", "SW", CLI_WORD, CLI_MUST, VS_ATTR_SWITCH,
	 .help = "whose addresses are forgotten"},
	{0},
};

static const struct cli_arg add_args[] = {
	{NULL, "MAC", CLI_MAC, CLI_MUST, VS_ATTR_MAC, .help = "the address"},
	{"switch", "SW", CLI_WORD, CLI_MUST, VS_ATTR_SWITCH, .help = "that is to know it"},
	{"port", "PORT", CLI_WORD, CLI_MUST, VS_ATTR_PORT, .help = "that it is behind"},
	{"vlan", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_VLAN, .help = "in that VLAN (default: none)"},
	{0},
};

static const struct cli_arg del_args[] = {
	{NULL, "MAC", CLI_MAC, CLI_MUST, VS_ATTR_MAC, .help = "the address"},
	{"switch", "SW", CLI_WORD, CLI_MUST, VS_ATTR_SWITCH, .help = "that is to forget it"},
	{"vlan", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_VLAN, .help = "in that VLAN (default: none)"},
	{0},
};

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	uint64_t vlan = cli_num(tb, VS_ATTR_VLAN);
	uint64_t age = cli_num(tb, VS_ATTR_AGE);
	char vlan_text[24], age_text[24];

	snprintf(vlan_text, sizeof(vlan_text), "%llu", (unsigned long long)vlan);
	snprintf(age_text, sizeof(age_text), "%llu s", (unsigned long long)age);
	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_mac(o, OUT_EVERYWHERE, "mac", "MAC", cli_mac(tb, VS_ATTR_MAC), "-");
	out_value(o, OUT_EVERYWHERE, "vlan", "VLAN", json_integer((json_int_t)vlan),
		  vlan ? vlan_text : "-");
	out_str(o, OUT_EVERYWHERE, "port", "PORT", cli_str(tb, VS_ATTR_PORT));
	out_str(o, OUT_EVERYWHERE, "origin", "ORIGIN", cli_str(tb, VS_ATTR_ORIGIN));
	out_value(o, OUT_EVERYWHERE, "age", "SEEN-AGO", json_integer((json_int_t)age), age_text);
	out_row_end(o);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, OUT_TABLE, show_record);
}

const struct cli_verb cli_fdb_verbs[] = {
	{"show", VS_CMD_FDB_GET, show_args, show, "list addresses and where they are",
	 "fdb show switch lan"},
	{"add", VS_CMD_FDB_NEW, add_args, cli_do, "enter a static address: never moves, never ages",
	 "fdb add 00:15:5d:01:32:11 switch lan port web vlan 10"},
	{"del", VS_CMD_FDB_DEL, del_args, cli_do, "remove a static address",
	 "fdb del 00:15:5d:01:32:11 switch lan vlan 10"},
	{"flush", VS_CMD_FDB_FLUSH, flush_args, cli_do, "forget learnt addresses",
	 "fdb flush switch lan"},
	{0},
};
