/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

/* @part of @whole with one decimal and @unit behind it; "-" when there is no whole. */
static void ratio_text(char *text, size_t size, double part, double whole, const char *unit)
{
	if (whole > 0)
		snprintf(text, size, "%.1f%s", part / whole, unit);
	else
		snprintf(text, size, "-");
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	uint64_t total = cli_num(tb, VS_ATTR_TOTAL_CYCLES);
	uint64_t frames = cli_num(tb, VS_ATTR_FRAMES);
	uint64_t busy = cli_num(tb, VS_ATTR_BUSY_CYCLES);
	uint64_t hz = cli_num(tb, VS_ATTR_TSC_HZ);
	uint64_t load = cli_num(tb, VS_ATTR_LOAD);
	char busy_text[24], load_text[24], per_frame[24], up_text[24], cpu[24];

	ratio_text(busy_text, sizeof(busy_text), (double)busy * 100, (double)total, " %");
	ratio_text(per_frame, sizeof(per_frame), (double)busy, (double)frames, "");
	ratio_text(up_text, sizeof(up_text), (double)total, (double)hz, " s");
	snprintf(cpu, sizeof(cpu), "%llu", (unsigned long long)cli_num(tb, VS_ATTR_CPU));
	out_row_begin(o);
	out_num(o, OUT_EVERYWHERE, "id", "WORKER", cli_num(tb, VS_ATTR_ID));
	out_value(o, OUT_EVERYWHERE, "cpu", "CPU",
		  tb[VS_ATTR_CPU] ? json_integer((json_int_t)cli_num(tb, VS_ATTR_CPU))
				  : json_null(),
		  tb[VS_ATTR_CPU] ? cpu : "any");
	snprintf(cpu, sizeof(cpu), "%llu", (unsigned long long)cli_num(tb, VS_ATTR_NODE));
	out_value(o, OUT_EVERYWHERE, "node", "NODE",
		  tb[VS_ATTR_NODE] ? json_integer((json_int_t)cli_num(tb, VS_ATTR_NODE))
				   : json_null(),
		  tb[VS_ATTR_NODE] ? cpu : "-");
	out_num(o, OUT_EVERYWHERE, "ports", "PORTS", cli_num(tb, VS_ATTR_PORTS));
	out_num(o, OUT_EVERYWHERE, "pairs", "QUEUE-PAIRS", cli_num(tb, VS_ATTR_PAIRS));
	out_value(o, OUT_EVERYWHERE, "busy_cycles", "BUSY", json_integer((json_int_t)busy),
		  busy_text);
	ratio_text(load_text, sizeof(load_text), (double)load, 100, " %");
	out_value(o, OUT_EVERYWHERE, "load", "LOAD", json_real((double)load / 100), load_text);
	out_num(o, OUT_EVERYWHERE, "frames", "FRAMES", frames);
	out_value(o, OUT_EVERYWHERE, "cycles_per_frame", "CYCLES/FRAME",
		  frames ? json_real((double)busy / (double)frames) : json_null(), per_frame);
	out_num(o, OUT_EVERYWHERE, "rounds", "ROUNDS", cli_num(tb, VS_ATTR_ROUNDS));
	out_num(o, OUT_EVERYWHERE, "naps", "NAPS", cli_num(tb, VS_ATTR_NAPS));
	out_num(o, OUT_EVERYWHERE, "events_lost", "EVENTS LOST", cli_num(tb, VS_ATTR_EVENTS_LOST));
	out_str(o, OUT_EVERYWHERE, "state", "STATE", cli_str(tb, VS_ATTR_STATE));
	out_num(o, OUT_EVERYWHERE, "parks", "PARKS", cli_num(tb, VS_ATTR_PARKS));
	out_num(o, OUT_EVERYWHERE, "wakes", "WAKES", cli_num(tb, VS_ATTR_WAKES));
	out_num(o, OUT_ONLY_JSON, "idle_wakes", "", cli_num(tb, VS_ATTR_IDLE_WAKES));
	out_num(o, OUT_ONLY_JSON, "asleep_cycles", "", cli_num(tb, VS_ATTR_ASLEEP_CYCLES));
	out_value(o, OUT_EVERYWHERE, "total_cycles", "UP", json_integer((json_int_t)total),
		  up_text);
	out_value(o, OUT_ONLY_JSON, "tsc_hz", "TSC", json_integer((json_int_t)hz), "");
	out_value(o, OUT_EVERYWHERE, "awake_for", "AWAKE FOR",
		  tb[VS_ATTR_AWAKE_FOR] ? json_string(cli_str(tb, VS_ATTR_AWAKE_FOR)) : json_null(),
		  tb[VS_ATTR_AWAKE_FOR] ? cli_str(tb, VS_ATTR_AWAKE_FOR) : "-");
	out_str(o, OUT_EVERYWHERE, "stays", "KEEPS ITS LOAD FOR", cli_str(tb, VS_ATTR_STAYS));
	out_row_end(o);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, OUT_TABLE, show_record);
}

const struct cli_verb cli_worker_verbs[] = {
	{"show", VS_CMD_WORKER_GET, cli_no_args, show,
	 "list the polling threads and what they cost", "worker show"},
	{0},
};
