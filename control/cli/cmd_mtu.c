/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

static const struct cli_arg show_args[] = {
	{NULL, "SWITCH", CLI_WORD, CLI_MAY, VS_ATTR_SWITCH, .help = "only networks of this switch"},
	{0},
};

static const struct cli_choice origins[] = {
	{"set", VS_MTU_ORIGIN_SET},
	{"auto", VS_MTU_ORIGIN_AUTO},
	{"device", VS_MTU_ORIGIN_DEVICE},
	{"switch", VS_MTU_ORIGIN_SWITCH},
	{NULL, 0},
};

static void put_told(struct out *o, const struct nlattr *const *tb)
{
	uint64_t told = cli_num(tb, VS_ATTR_MTU_VMM);
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)told);
	out_value(o, OUT_EVERYWHERE, "vmm", "GUEST-TOLD",
		  told ? json_integer((json_int_t)told) : json_null(), told ? text : "-");
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	const char *problem = cli_str(tb, VS_ATTR_PROBLEM);
	uint64_t vlan = cli_num(tb, VS_ATTR_VLAN);
	bool limits = cli_num(tb, VS_ATTR_LIMITS) != 0;
	struct vs_range run = {.first = (uint16_t)vlan, .last = (uint16_t)vlan};
	char vlan_text[24];

	(void)vs_tlv_range(tb[VS_ATTR_VLANS], 0, &run);
	snprintf(vlan_text, sizeof(vlan_text), run.first == run.last ? "%u" : "%u-%u", run.first,
		 run.last);
	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_value(o, OUT_EVERYWHERE, "vlan", "VLAN", json_integer((json_int_t)vlan),
		  vlan ? vlan_text : "-");
	out_value(o, OUT_ONLY_JSON, "vlan_last", "VLAN-LAST", json_integer(run.last), "");
	out_num(o, OUT_EVERYWHERE, "network", "NETWORK", cli_num(tb, VS_ATTR_MTU_NET));
	out_str(o, OUT_EVERYWHERE, "port", "PORT", cli_str(tb, VS_ATTR_PORT));
	out_str(o, OUT_EVERYWHERE, "type", "TYPE",
		cli_choice_word(cli_port_kinds, (uint32_t)cli_num(tb, VS_ATTR_KIND)));
	out_num(o, OUT_EVERYWHERE, "mtu", "MTU", cli_num(tb, VS_ATTR_MTU));
	out_str(o, OUT_EVERYWHERE, "from", "FROM",
		cli_choice_word(origins, (uint32_t)cli_num(tb, VS_ATTR_MTU_FROM)));
	out_value(o, OUT_EVERYWHERE, "limits", "LIMITS", json_boolean(limits), limits ? "yes" : "");
	put_told(o, tb);
	out_str(o, OUT_ONLY_JSON, "problem", "PROBLEM", problem);
	if (problem && o->layout == OUT_TABLE)
		out_note(o, "%s: %s", cli_str(tb, VS_ATTR_PORT), problem);
	out_row_end(o);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, OUT_TABLE, show_record);
}

const struct cli_verb cli_mtu_verbs[] = {
	{"show", VS_CMD_MTU_GET, show_args, show,
	 "list the hops of each network: how long frames may be, and who limits them",
	 "mtu show lan"},
	{0},
};
