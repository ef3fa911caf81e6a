/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cli.h"
#include "control/cli/mac.h"

#include <string.h>

static const struct cli_arg show_args[] = {
	{"port", "NAME", CLI_WORD, CLI_MAY, VS_ATTR_PORT, .help = "only drops of this port"},
	{0},
};

enum {
	ETHERTYPE_AT = 12,
	ETHERNET_HEADER = 14,
	VLAN_TAG = 4,
	/** Bytes shown in text; JSON has all. */
	HEX_BYTES = 32,
	SAMPLE_BYTES_MAX = 128,
};

/** struct sample - the newest dropped frame, decoded as far as it goes */
struct sample {
	uint64_t age_ms;
	uint32_t length;
	const uint8_t *bytes;
	size_t have;
	int vlan; /* -1: untagged */
	int type; /* -1: not there */
	char src[MAC_TEXT_SIZE];
	char dst[MAC_TEXT_SIZE];
	char hex[2 * SAMPLE_BYTES_MAX + 1];
};

static int be16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void decode(struct sample *s)
{
	size_t i;

	s->vlan = -1;
	s->type = -1;
	for (i = 0; i < s->have; i++)
		snprintf(&s->hex[2 * i], 3, "%02x", s->bytes[i]);
	if (s->have < ETHERNET_HEADER)
		return;
	mac_format(s->bytes, s->dst);
	mac_format(&s->bytes[MAC_BYTES], s->src);
	s->type = be16(&s->bytes[ETHERTYPE_AT]);
	/* 802.1Q and 802.1ad */
	if ((s->type == 0x8100 || s->type == 0x88a8) && s->have >= ETHERNET_HEADER + VLAN_TAG) {
		s->vlan = be16(s->bytes + ETHERNET_HEADER) & 0xfff;
		s->type = be16(s->bytes + ETHERNET_HEADER + 2);
	}
}

/** read_sample() - Return: whether there is one. */
static bool read_sample(const struct nlattr *nest, struct sample *ret_sample)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	struct sample s = {0};

	if (!nest || vs_answer_parse_nest(nest, tb) || !tb[VS_ATTR_BYTES])
		return false;
	s.age_ms = cli_num(tb, VS_ATTR_AGE_MS);
	s.length = (uint32_t)cli_num(tb, VS_ATTR_LENGTH);
	s.bytes = (const uint8_t *)tb[VS_ATTR_BYTES] + NLA_HDRLEN;
	s.have = tb[VS_ATTR_BYTES]->nla_len - (size_t)NLA_HDRLEN;
	if (s.have > SAMPLE_BYTES_MAX)
		s.have = SAMPLE_BYTES_MAX;
	decode(&s);
	*ret_sample = s;
	return true;
}

static json_t *sample_json(const struct sample *s)
{
	json_t *json = json_object();

	json_object_set_new(json, "age_ms", json_integer((json_int_t)s->age_ms));
	json_object_set_new(json, "length", json_integer(s->length));
	json_object_set_new(json, "src", s->src[0] ? json_string(s->src) : json_null());
	json_object_set_new(json, "dst", s->dst[0] ? json_string(s->dst) : json_null());
	json_object_set_new(json, "vlan", s->vlan >= 0 ? json_integer(s->vlan) : json_null());
	json_object_set_new(json, "ethertype", s->type >= 0 ? json_integer(s->type) : json_null());
	json_object_set_new(json, "bytes", json_string(s->hex));
	return json;
}

static void note_sample(struct out *o, const struct sample *s)
{
	char vlan[24] = "";

	if (s->vlan >= 0)
		snprintf(vlan, sizeof(vlan), " vlan %d", s->vlan);
	if (s->src[0])
		out_note(o, "last: %llu.%03llu s ago, %u bytes, %s > %s%s type 0x%04x",
			 (unsigned long long)(s->age_ms / 1000),
			 (unsigned long long)(s->age_ms % 1000), s->length, s->src, s->dst, vlan,
			 (unsigned int)s->type);
	else
		out_note(o, "last: %llu.%03llu s ago, %u bytes",
			 (unsigned long long)(s->age_ms / 1000),
			 (unsigned long long)(s->age_ms % 1000), s->length);
	if (s->have)
		out_note(o, "      %.*s%s", 2 * HEX_BYTES, s->hex,
			 s->have > HEX_BYTES ? "..." : "");
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	struct sample sample;
	bool have = read_sample(tb[VS_ATTR_SAMPLE], &sample);

	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "port", "PORT", cli_str(tb, VS_ATTR_PORT));
	out_str(o, OUT_ONLY_JSON, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_str(o, OUT_ONLY_JSON, "vm", "VM", cli_str(tb, VS_ATTR_VM));
	out_str(o, OUT_EVERYWHERE, "reason", "REASON", cli_str(tb, VS_ATTR_REASON));
	out_str(o, OUT_EVERYWHERE, "side", "SIDE", cli_str(tb, VS_ATTR_SIDE));
	out_num(o, OUT_EVERYWHERE, "count", "COUNT", cli_num(tb, VS_ATTR_COUNT));
	out_str(o, OUT_EVERYWHERE, "text", "MEANING", cli_str(tb, VS_ATTR_TEXT));
	out_value(o, OUT_ONLY_JSON, "sample", "", have ? sample_json(&sample) : NULL, "");
	if (have)
		note_sample(o, &sample);
	out_row_end(o);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, OUT_TABLE, show_record);
}

const struct cli_verb cli_drops_verbs[] = {
	{"show", VS_CMD_DROP_GET, show_args, show,
	 "dropped frames and the newest of each; side in: the port sent it, out: it was meant for it",
	 "drops show port web"},
	{0},
};
