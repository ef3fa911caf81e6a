/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running a parsed command: the connection, and what most verbs do with it.
 */
#include "control/cli/batch.h"
#include "control/cli/cli.h"
#include "control/cli/remote.h"

#include <stdarg.h>
#include <string.h>

static enum out_format complaints = OUT_TEXT;

void cli_complain_in(enum out_format format)
{
	complaints = format;
}

/* Where it is, if that is known: "FILE:LINE: ". */
static void print_text(const struct cli *cli, const char *text)
{
	fputs("vmswitch: ", stderr);
	if (cli && cli->file && cli->line)
		fprintf(stderr, "%s:%u: ", cli->file, cli->line);
	else if (cli && cli->file)
		fprintf(stderr, "%s: ", cli->file);
	fprintf(stderr, "%s\n", text);
}

static json_t *make_json(const struct cli *cli, const char *text, const struct vs_client_fail *fail)
{
	json_t *json = json_pack("{s:o}", "error", out_string(text));
	const char *name = fail ? strerrorname_np(-fail->error) : NULL;
	int err = !json;

	if (!err && name)
		err = json_object_set_new(json, "errno", json_string(name));
	if (!err && fail && fail->attr)
		err = json_object_set_new(json, "attribute", json_string(vs_attr_name(fail->attr)));
	if (!err && cli && cli->file)
		err = json_object_set_new(json, "file", out_string(cli->file));
	if (!err && cli && cli->file && cli->line)
		err = json_object_set_new(json, "line", json_integer(cli->line));
	if (!err)
		return json;
	json_decref(json);
	return NULL;
}

static int complain(const struct cli *cli, const char *text, const struct vs_client_fail *fail)
{
	json_t *json = complaints == OUT_TEXT ? NULL : make_json(cli, text, fail);

	if (json) {
		(void)json_dumpf(json, stderr,
				 complaints == OUT_JSON_PRETTY ? JSON_INDENT(4) : JSON_COMPACT);
		fputc('\n', stderr);
	} else {
		print_text(cli, text);
	}
	json_decref(json);
	return CLI_FAILED;
}

int cli_complain(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return complain(NULL, text, NULL);
}

int cli_complain_at(const struct cli *cli, const char *text)
{
	return complain(cli, text, NULL);
}

int cli_fail(const struct cli *cli, const struct vs_client_fail *fail)
{
	return complain(cli, fail->text, fail);
}

bool cli_changes(const struct cli_verb *verb)
{
	return verb->run == cli_do;
}

int cli_run(struct cli *cli)
{
	struct vs_client_fail fail;
	int status;

	if (cli->verb->cmd == CLI_NO_COMMAND)
		return cli->verb->run(cli);
	if (cli_connect(cli, &fail))
		return cli_fail(cli, &fail);
	status = cli->verb->run(cli);
	cli_disconnect(cli);
	return status;
}

int cli_do(struct cli *cli)
{
	struct vs_client_fail fail;

	if (cli->dry_run || cli->confirm_s)
		return batch_one(cli);
	if (vs_client_call(cli->client, &cli->msg, NULL, NULL, &fail))
		return cli_fail(cli, &fail);
	return CLI_OK;
}

int cli_close(struct cli *cli, int status)
{
	if (out_close(&cli->out) == 0)
		return status;
	return cli_complain("the output is not complete");
}

int cli_show(struct cli *cli, enum out_layout layout, vs_client_record *record)
{
	struct vs_client_fail fail;

	out_open(&cli->out, stdout, cli->format, layout);
	if (vs_client_call(cli->client, &cli->msg, record, cli, &fail)) {
		/* no half of a table: what was collected is thrown away */
		out_discard(&cli->out);
		return cli_fail(cli, &fail);
	}
	return cli_close(cli, CLI_OK);
}

const char *cli_str(const struct nlattr *const *tb, enum vs_attr attr)
{
	return vs_tlv_str(tb[attr]);
}

uint64_t cli_num(const struct nlattr *const *tb, enum vs_attr attr)
{
	if (!tb[attr])
		return 0;
	return vs_attr_spec(attr)->type == VS_TLV_U64 ? vs_tlv_u64(tb[attr]) : vs_tlv_u32(tb[attr]);
}

const uint8_t *cli_mac(const struct nlattr *const *tb, enum vs_attr attr)
{
	return tb[attr] ? (const uint8_t *)tb[attr] + NLA_HDRLEN : NULL;
}
