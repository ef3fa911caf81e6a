/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"

#include "control/cli/offload.h"
#include "control/cli/virtio.h"

static const struct cli_arg show_args[] = {
	{NULL, "PORT", CLI_WORD, CLI_MAY, VS_ATTR_PORT, .help = "only this port, with all of it"},
	{0},
};

const struct cli_choice cli_cans[] = {
	{"csum", VS_CAN_CSUM},     {"tso4", VS_CAN_TSO4},   {"tso6", VS_CAN_TSO6},
	{"ecn", VS_CAN_ECN},       {"uso4", VS_CAN_USO4},   {"uso6", VS_CAN_USO6},
	{"verify", VS_CAN_VERIFY}, {"merge", VS_CAN_MERGE}, {NULL, 0},
};

/** What can be owed: an attribute with a nest of counters, and its name. */
static const struct cli_choice rows[] = {
	{"csum", VS_ATTR_OWED_CSUM},
	{"tso4", VS_ATTR_OWED_TSO4},
	{"tso6", VS_ATTR_OWED_TSO6},
	{"uso4", VS_ATTR_OWED_USO4},
	{"uso6", VS_ATTR_OWED_USO6},
	{"ecn", VS_ATTR_OWED_ECN},
	{NULL, 0},
};

/** What can become of it. */
static const struct cli_choice fates[] = {
	{"passed", VS_ATTR_PASSED},
	{"hardware", VS_ATTR_HARDWARE},
	{"cut", VS_ATTR_CUT},
	{"software", VS_ATTR_SOFTWARE},
	{NULL, 0},
};

static void put_cans(struct out *o, enum out_where where, const char *key, const char *label,
		     uint64_t bits)
{
	json_t *array = json_array();
	const struct cli_choice *c;
	char text[96] = "-";
	size_t used = 0;

	for (c = cli_cans; c->word; c++) {
		if (!(bits & c->value))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? "," : "",
					 c->word);
		if (json_array_append_new(array, json_string(c->word)))
			break;
	}
	out_value(o, where, key, label, array, text);
}

static void put_off(struct out *o, const struct nlattr *const *tb)
{
	const uint32_t off = (uint32_t)cli_num(tb, VS_ATTR_OFFLOAD_OFF);
	char text[OFFLOAD_TEXT_MAX];

	offload_list(off, text, sizeof(text));
	out_value(o, OUT_EVERYWHERE, "off", "OFF", offload_json(off), off ? text : "-");
}

/* What the card claims and does not do. */
static void put_quarantine(struct out *o, const struct nlattr *const *tb)
{
	const char *why = cli_str(tb, VS_ATTR_QUARANTINE_WHY);

	put_cans(o, OUT_IN_BLOCKS, "quarantine", "QUARANTINE", cli_num(tb, VS_ATTR_QUARANTINE));
	if (why)
		out_str(o, OUT_IN_BLOCKS, "quarantine_why", "QUARANTINE-WHY", why);
}

static void put_features(struct out *o, const char *key, const char *label,
			 const struct nlattr *const *tb, enum vs_attr attr)
{
	char text[512];

	if (!tb[attr])
		return;
	features_format(cli_num(tb, attr), text, sizeof(text));
	out_value(o, OUT_IN_BLOCKS, key, label, features_json(cli_num(tb, attr)), text);
}

/* A row of the table in doc/offload.md. */
static void put_row(struct out *o, const struct cli_choice *row, const struct nlattr *nest)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	json_t *json = json_object();
	const struct cli_choice *c;
	char text[160] = "";
	char label[32];
	char key[32];
	size_t used = 0;

	if (!nest || vs_answer_parse_nest(nest, tb)) {
		json_decref(json);
		return;
	}
	for (c = fates; c->word; c++) {
		uint64_t n = cli_num(tb, (enum vs_attr)c->value);

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %llu",
					 used ? ", " : "", c->word, (unsigned long long)n);
		if (json_object_set_new(json, c->word, json_integer((json_int_t)n)))
			break;
	}
	snprintf(key, sizeof(key), "owed_%s", row->word);
	snprintf(label, sizeof(label), "OWED-%s", row->word);
	out_value(o, OUT_IN_BLOCKS, key, label, json, text);
}

static void put_counters(struct out *o, const struct nlattr *const *tb)
{
	const struct cli_choice *row;

	out_num(o, OUT_IN_BLOCKS, "owed_nothing", "OWED-NOTHING",
		cli_num(tb, VS_ATTR_OWED_NOTHING));
	for (row = rows; row->word; row++)
		put_row(o, row, tb[row->value]);
	out_num(o, OUT_EVERYWHERE, "refused", "REFUSED", cli_num(tb, VS_ATTR_OWED_REFUSED));
	out_num(o, OUT_EVERYWHERE, "segments", "SEGMENTS", cli_num(tb, VS_ATTR_SEGMENTS));
	out_num(o, OUT_EVERYWHERE, "checksums", "CHECKSUMS", cli_num(tb, VS_ATTR_CHECKSUMS));
	out_num(o, OUT_EVERYWHERE, "merged", "MERGED", cli_num(tb, VS_ATTR_MERGED));
}

static void put_chimney(struct out *o, const struct nlattr *const *tb)
{
	const char *why = cli_str(tb, VS_ATTR_CHIMNEY);

	/* A daemon that could do it would not say why not. */
	out_str(o, OUT_EVERYWHERE, "chimney", "CHIMNEY", why ? "unsupported" : "unknown");
	out_str(o, OUT_IN_BLOCKS, "chimney_why", "CHIMNEY-WHY", why);
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;

	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "port", "PORT", cli_str(tb, VS_ATTR_PORT));
	out_str(o, OUT_EVERYWHERE, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_str(o, OUT_ONLY_JSON, "vm", "VM", cli_str(tb, VS_ATTR_VM));
	out_str(o, OUT_EVERYWHERE, "type", "TYPE",
		cli_choice_word(cli_port_kinds, (uint32_t)cli_num(tb, VS_ATTR_KIND)));
	put_cans(o, OUT_EVERYWHERE, "from", "FROM", cli_num(tb, VS_ATTR_OFFLOAD_FROM));
	put_cans(o, OUT_EVERYWHERE, "to", "TO", cli_num(tb, VS_ATTR_OFFLOAD_TO));
	put_off(o, tb);
	put_cans(o, OUT_EVERYWHERE, "used", "USED", cli_num(tb, VS_ATTR_OFFLOAD_USED));
	put_quarantine(o, tb);
	put_features(o, "features", "FEATURES", tb, VS_ATTR_FEATURES);
	put_features(o, "offered", "OFFERED", tb, VS_ATTR_OFFERED);
	put_counters(o, tb);
	put_chimney(o, tb);
	out_row_end(o);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, cli->given ? OUT_BLOCKS : OUT_TABLE, show_record);
}

const struct cli_verb cli_offload_verbs[] = {
	{"show", VS_CMD_OFFLOAD_GET, show_args, show,
	 "what is left to each port, what the switch does itself, and how often",
	 "offload show web"},
	{0},
};
