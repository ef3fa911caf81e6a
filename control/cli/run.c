/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running a parsed command: the connection, and what most verbs do with it.
 */
#include "control/cli/batch.h"
#include "control/cli/cli.h"
#include "control/cli/remote.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	/** Attempts at a dump that something changes in. */
	DUMP_TRIES = 5,
};

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

/* @key: "error" or "warning" */
static json_t *make_json(const struct cli *cli, const char *key, const char *text,
			 const struct vs_client_fail *fail)
{
	json_t *json = json_pack("{s:o}", key, out_string(text));
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

/** print_json() - takes @json over. Return: whether there was any. */
static bool print_json(json_t *json)
{
	if (!json)
		return false;
	(void)json_dumpf(json, stderr,
			 complaints == OUT_JSON_PRETTY ? JSON_INDENT(4) : JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(json);
	return true;
}

static int complain(const struct cli *cli, const char *text, const struct vs_client_fail *fail)
{
	if (complaints == OUT_TEXT || !print_json(make_json(cli, "error", text, fail)))
		print_text(cli, text);
	return CLI_FAILED;
}

static void warn(const char *text)
{
	if (complaints == OUT_TEXT || !print_json(make_json(NULL, "warning", text, NULL)))
		fprintf(stderr, "vmswitch: warning: %s\n", text);
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

/* ---- dumps ---- */

int cli_dump(struct cli *cli, struct vs_msg *msg, const struct cli_collect *to,
	     struct vs_client_fail *ret_fail)
{
	const unsigned int local = cli->local;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < DUMP_TRIES; i++) {
		if (i) {
			cli->local = local;
			to->restart(to->ctx);
		}
		ret = vs_client_call(cli->client, msg, to->record, to->ctx, ret_fail);
		if (ret || !vs_client_interrupted(cli->client))
			break;
	}
	return ret;
}

int cli_check_whole(const struct cli *cli)
{
	if (!vs_client_interrupted(cli->client))
		return CLI_OK;
	if (cli->verb->cmd == VS_CMD_CONFIG_GET)
		return cli_complain("the configuration changed each time while it was read, so it "
				    "is not printed; try again");
	warn("something changed while this was read: an object may be missing, or be as it was");
	return CLI_OK;
}

static void show_again(void *ctx)
{
	struct cli *cli = ctx;
	FILE *file = cli->out.file;
	enum out_layout layout = cli->out.layout;

	out_discard(&cli->out);
	rewind(file);
	out_open(&cli->out, file, cli->format, layout);
}

/* What cli->out makes goes to its file, and from there to standard output once it is whole. */
static int collect(struct cli *cli, vs_client_record *record)
{
	const struct cli_collect to = {record, show_again, cli};
	struct vs_client_fail fail;
	int status;

	if (cli_dump(cli, &cli->msg, &to, &fail)) {
		out_discard(&cli->out);
		return cli_fail(cli, &fail);
	}
	status = cli_check_whole(cli);
	if (status == CLI_OK)
		return cli_close(cli, CLI_OK);
	out_discard(&cli->out);
	return status;
}

int cli_show(struct cli *cli, enum out_layout layout, vs_client_record *record)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file;
	int status;

	file = open_memstream(&text, &size);
	if (!file)
		return cli_complain("out of memory");
	out_open(&cli->out, file, cli->format, layout);
	status = collect(cli, record);
	if (fclose(file) != 0 && status == CLI_OK)
		status = cli_complain("the output is not complete");
	if (status == CLI_OK && (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0))
		status = cli_complain("the output is not complete");
	free(text);
	return status;
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
