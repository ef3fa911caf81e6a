/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

static const struct cli_arg offload_args[] = {
	{"test", "SWITCH", CLI_WORD, CLI_MUST, VS_ATTR_SWITCH, .help = "whose uplink"},
	{"partner", "MAC", CLI_MAC, CLI_MAY, VS_ATTR_PARTNER,
	 .help = "who returns frames with their addresses exchanged (default: the wire itself does)"},
	{0},
};

static const struct cli_choice verdicts[] = {
	{"not claimed", VS_TEST_NOT_CLAIMED},
	{"not tested", VS_TEST_NOT_TESTED},
	{"good", VS_TEST_GOOD},
	{"bad", VS_TEST_BAD},
	{NULL, 0},
};

static int test_record(const struct nlattr *const *tb, void *ctx)
{
	const uint32_t verdict = (uint32_t)cli_num(tb, VS_ATTR_TEST_VERDICT);
	const bool quarantined = cli_num(tb, VS_ATTR_QUARANTINE);
	struct cli *cli = ctx;
	struct out *o = &cli->out;

	out_row_begin(o);
	out_str(o, OUT_ONLY_JSON, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_str(o, OUT_EVERYWHERE, "port", "PORT", cli_str(tb, VS_ATTR_PORT));
	out_str(o, OUT_EVERYWHERE, "offload", "OFFLOAD",
		cli_choice_word(cli_cans, (uint32_t)cli_num(tb, VS_ATTR_TEST_OFFLOAD)));
	out_str(o, OUT_EVERYWHERE, "verdict", "VERDICT", cli_choice_word(verdicts, verdict));
	out_value(o, OUT_EVERYWHERE, "quarantined", "QUARANTINED", json_boolean(quarantined),
		  quarantined ? "yes" : "no");
	out_num(o, OUT_EVERYWHERE, "sent", "SENT", cli_num(tb, VS_ATTR_TEST_SENT));
	out_num(o, OUT_EVERYWHERE, "back", "BACK", cli_num(tb, VS_ATTR_TEST_BACK));
	out_str(o, OUT_EVERYWHERE, "why", "WHY", cli_str(tb, VS_ATTR_TEXT));
	out_row_end(o);
	if (verdict != VS_TEST_GOOD && verdict != VS_TEST_NOT_CLAIMED)
		cli->local++;
	return 0;
}

static int offload(struct cli *cli)
{
	int status;

	cli->local = 0; /* counts what was not found good */
	status = cli_show(cli, OUT_TABLE, test_record);
	if (status == CLI_OK && cli->local)
		return cli_complain("%u of the offloads that are claimed were not found good",
				    cli->local);
	return status;
}

const struct cli_verb cli_uplink_verbs[] = {
	{"offload", VS_CMD_UPLINK_TEST, offload_args, offload,
	 "send frames through the card, and see whether it does the offloads that it claims; exit "
	 "status 1 unless all of them are good",
	 "uplink offload test lan partner 02:00:00:00:00:01"},
	{0},
};
