/* SPDX-License-Identifier: BSD-3-Clause */
/* `config show`: the configuration as the commands that make it. */
#include "control/cli/cli.h"
#include "control/cli/render.h"

static int open_record(const struct nlattr *const *tb, struct render *r)
{
	if (!tb[VS_ATTR_COMMAND] || !tb[VS_ATTR_RECORD])
		return -1;
	return render_open_nest(r, vs_tlv_u32(tb[VS_ATTR_COMMAND]), tb[VS_ATTR_RECORD]);
}

/* One line each; what could not be made has a comment in front that says why. */
static int show_line(const struct nlattr *const *tb, void *ctx)
{
	const char *why = cli_str(tb, VS_ATTR_PROBLEM);
	FILE *file = ((struct cli *)ctx)->out.file;
	struct render r;

	if (why)
		fprintf(file, "# not there yet: %s\n", why);
	if (open_record(tb, &r) != 0 || render_text(&r, file) != 0)
		fprintf(file, "# an object that this vmswitch does not know: command %u",
			(unsigned int)cli_num(tb, VS_ATTR_COMMAND));
	fputc('\n', file);
	return 0;
}

static int show_json(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	json_t *command = NULL;
	struct render r;

	if (open_record(tb, &r) == 0)
		command = render_json(&r);
	out_row_begin(o);
	out_value(o, OUT_ONLY_JSON, "command", "", json_incref(json_object_get(command, "command")),
		  "");
	out_value(o, OUT_ONLY_JSON, "object", "", json_incref(json_object_get(command, "object")),
		  "");
	out_value(o, OUT_ONLY_JSON, "verb", "", json_incref(json_object_get(command, "verb")), "");
	out_value(o, OUT_ONLY_JSON, "arguments", "",
		  json_incref(json_object_get(command, "arguments")), "");
	out_str(o, OUT_ONLY_JSON, "problem", "", cli_str(tb, VS_ATTR_PROBLEM));
	out_row_end(o);
	json_decref(command);
	return 0;
}

static int show(struct cli *cli)
{
	return cli_show(cli, OUT_TABLE, cli->format == OUT_TEXT ? show_line : show_json);
}

const struct cli_verb cli_config_verbs[] = {
	{"show", VS_CMD_CONFIG_GET, cli_no_args, show,
	 "print the configuration as the commands that make it", "config show"},
	{0},
};
