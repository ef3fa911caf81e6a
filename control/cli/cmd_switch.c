/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

static const struct cli_choice unknowns[] = {
	{"flood", VS_POLICY_FLOOD},
	{"uplink", VS_POLICY_UPLINK},
	{"drop", VS_POLICY_DROP},
	{"default", VS_POLICY_DEFAULT},
	{NULL, 0},
};

/* Words that may stand for an MTU. */
static const struct cli_choice mtus[] = {{"none", 0}, {NULL, 0}};

static const struct cli_arg add_args[] = {
	{NULL, "NAME", CLI_WORD, CLI_MUST, VS_ATTR_NAME, .help = "of the new switch"},
	{"type", "private|internal|external", CLI_CHOICE, CLI_MUST, VS_ATTR_KIND, cli_switch_kinds,
	 .help = "virtual machines only; with the host; with the host and a network card"},
	{"uplink", "xdp:IFNAME|dpdk:DEVARGS", CLI_WORD, CLI_MAY, VS_ATTR_UPLINK,
	 .help = "network card of an external switch; its port is called NAME.uplink"},
	{"share-host", "on|off", CLI_CHOICE, CLI_MAY, VS_ATTR_SHARE, cli_off_on,
	 .help = "may the host go on using the card? (default: on)"},
	{"force", NULL, CLI_FLAG, CLI_MAY, VS_ATTR_FORCE,
	 .help = "take the card even if it carries the host's default route"},
	{"unknown", "flood|uplink|drop|default", CLI_CHOICE, CLI_MAY, VS_ATTR_UNKNOWN, unknowns,
	 .help = "who gets frames to unknown addresses (default: uplink if it has one, else flood)"},
	{"fdb-size", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_FDB_SIZE,
	 .help = "addresses it learns at most (1 to 1048576, default 8192)"},
	{"fdb-ageing", "SECONDS", CLI_NUMBER, CLI_MAY, VS_ATTR_FDB_AGEING,
	 .help = "an address unseen for so long is forgotten (10 to 1000000, default 300; 0: "
		 "never)"},
	{"mtu", "N|none", CLI_NUMBER, CLI_MAY, VS_ATTR_MTU, mtus,
	 .help = "limit of its ports: bytes of a frame without its Ethernet header (68 to 65535; "
		 "default none)"},
	{"vmq", "on|off|soft", CLI_CHOICE, CLI_MAY, VS_ATTR_VMQ, cli_vmq_modes,
	 .help = "external: sort frames from the uplink into a queue for each guest (default: off; "
		 "soft: by the switch alone)"},
	{"vmq-queues", "N|all", CLI_NUMBER, CLI_MAY, VS_ATTR_VMQ_QUEUES, cli_vmq_queues,
	 .help = "external: how many guests have one (1 to 1023, default all)"},
	{0},
};

static const struct cli_arg del_args[] = {
	{NULL, "NAME", CLI_WORD, CLI_MUST, VS_ATTR_NAME, .help = "of the switch"},
	{"force", NULL, CLI_FLAG, CLI_MAY, VS_ATTR_FORCE, .help = "remove its ports, too"},
	{0},
};

static const struct cli_arg set_args[] = {
	{NULL, "NAME", CLI_WORD, CLI_MUST, VS_ATTR_NAME, .help = "of the switch"},
	{"type", "private|internal|external", CLI_CHOICE, CLI_MAY, VS_ATTR_KIND, cli_switch_kinds,
	 .help = "another type, under traffic"},
	{"uplink", "xdp:IFNAME|dpdk:DEVARGS", CLI_WORD, CLI_MAY, VS_ATTR_UPLINK,
	 .help = "another network card"},
	{"share-host", "on|off", CLI_CHOICE, CLI_MAY, VS_ATTR_SHARE, cli_off_on,
	 .help = "may the host go on using the card?"},
	{"force", NULL, CLI_FLAG, CLI_MAY, VS_ATTR_FORCE,
	 .help = "take the card even if it carries the host's default route"},
	{"unknown", "flood|uplink|drop|default", CLI_CHOICE, CLI_MAY, VS_ATTR_UNKNOWN, unknowns,
	 .help = "who gets frames to unknown addresses (default: uplink if it has one, else flood)"},
	{"name", "NEW", CLI_WORD, CLI_MAY, VS_ATTR_NEW_NAME, .help = "another name"},
	{"fdb-size", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_FDB_SIZE,
	 .help = "addresses it learns at most (1 to 1048576)"},
	{"fdb-ageing", "SECONDS", CLI_NUMBER, CLI_MAY, VS_ATTR_FDB_AGEING,
	 .help = "an address unseen for so long is forgotten (10 to 1000000; 0: never)"},
	{"mtu", "N|none", CLI_NUMBER, CLI_MAY, VS_ATTR_MTU, mtus,
	 .help = "limit of its ports: bytes of a frame without its Ethernet header (68 to 65535; "
		 "default none)"},
	{"vmq", "on|off|soft", CLI_CHOICE, CLI_MAY, VS_ATTR_VMQ, cli_vmq_modes,
	 .help = "external: sort frames from the uplink into a queue for each guest (default: off; "
		 "soft: by the switch alone)"},
	{"vmq-queues", "N|all", CLI_NUMBER, CLI_MAY, VS_ATTR_VMQ_QUEUES, cli_vmq_queues,
	 .help = "external: how many guests have one (1 to 1023, default all)"},
	{0},
};

static const struct cli_arg show_args[] = {
	{NULL, "NAME", CLI_WORD, CLI_MAY, VS_ATTR_NAME, .help = "only this switch, with all of it"},
	{0},
};

static void put_vmq_queues(struct out *o, uint64_t limit)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
	out_value(o, OUT_IN_BLOCKS, "vmq_queues", "VMQ-QUEUES", json_integer((json_int_t)limit),
		  limit ? text : "all");
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	uint64_t ageing = cli_num(tb, VS_ATTR_FDB_AGEING);
	uint64_t mtu = cli_num(tb, VS_ATTR_MTU);
	char text[24], mtu_text[24];

	snprintf(mtu_text, sizeof(mtu_text), "%llu", (unsigned long long)mtu);
	snprintf(text, sizeof(text), "%llu s", (unsigned long long)ageing);
	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "name", "SWITCH", cli_str(tb, VS_ATTR_NAME));
	out_str(o, OUT_EVERYWHERE, "type", "TYPE",
		cli_choice_word(cli_switch_kinds, (uint32_t)cli_num(tb, VS_ATTR_KIND)));
	out_str(o, OUT_EVERYWHERE, "uplink", "UPLINK", cli_str(tb, VS_ATTR_UPLINK));
	if (tb[VS_ATTR_SHARE])
		out_value(o, OUT_IN_BLOCKS, "share_host", "SHARE-HOST",
			  json_boolean(cli_num(tb, VS_ATTR_SHARE)),
			  cli_choice_word(cli_off_on, (uint32_t)cli_num(tb, VS_ATTR_SHARE)));
	if (tb[VS_ATTR_VMQ])
		out_str(o, OUT_IN_BLOCKS, "vmq", "VMQ",
			cli_choice_word(cli_vmq_modes, (uint32_t)cli_num(tb, VS_ATTR_VMQ)));
	if (tb[VS_ATTR_VMQ_QUEUES])
		put_vmq_queues(o, cli_num(tb, VS_ATTR_VMQ_QUEUES));
	out_str(o, OUT_IN_BLOCKS, "unknown", "UNKNOWN",
		cli_choice_word(unknowns, (uint32_t)cli_num(tb, VS_ATTR_UNKNOWN)));
	out_num(o, OUT_EVERYWHERE, "ports", "PORTS", cli_num(tb, VS_ATTR_PORTS));
	out_num(o, OUT_EVERYWHERE, "ports_up", "UP", cli_num(tb, VS_ATTR_PORTS_UP));
	out_num(o, OUT_EVERYWHERE, "fdb_used", "ADDRESSES", cli_num(tb, VS_ATTR_FDB_USED));
	out_num(o, OUT_EVERYWHERE, "fdb_size", "FDB-SIZE", cli_num(tb, VS_ATTR_FDB_SIZE));
	out_value(o, OUT_EVERYWHERE, "fdb_ageing", "FDB-AGEING", json_integer((json_int_t)ageing),
		  ageing ? text : "never");
	out_value(o, OUT_IN_BLOCKS, "mtu", "MTU-LIMIT", json_integer((json_int_t)mtu),
		  mtu ? mtu_text : "none");
	out_num(o, OUT_IN_BLOCKS, "fdb_full", "NOT-LEARNT", cli_num(tb, VS_ATTR_FDB_FULL));
	out_row_end(o);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, cli->given ? OUT_BLOCKS : OUT_TABLE, show_record);
}

const struct cli_verb cli_switch_verbs[] = {
	{"add", VS_CMD_SWITCH_NEW, add_args, cli_do, "make a switch",
	 "switch add lan type private"},
	{"show", VS_CMD_SWITCH_GET, show_args, show, "list switches", "switch show lan"},
	{"set", VS_CMD_SWITCH_SET, set_args, cli_do, "change a switch; only what is named changes",
	 "switch set lan type external uplink xdp:eth1 share-host on"},
	{"del", VS_CMD_SWITCH_DEL, del_args, cli_do, "remove a switch; refused while it has ports",
	 "switch del lan force"},
	{0},
};
