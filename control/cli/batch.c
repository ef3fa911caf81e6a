/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/batch.h"

#include "control/cli/lex.h"
#include "control/cli/remote.h"
#include "control/cli/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	/** Wrong lines that are told; the rest are most likely wrong for the same reason. */
	COMPLAINTS_MAX = 20,
};

/**
 * struct lines - in which line of the file each request of the batch is
 * @wrong:	lines that make no request
 */
struct lines {
	unsigned int *line;
	size_t n;
	size_t room;
	unsigned int wrong;
};

/* ---- the difference ---- */

/** struct difference - what --dry-run prints: @file for text, @rows for JSON */
struct difference {
	enum out_format format;
	FILE *file;
	json_t *rows;
	bool failed;
};

static const struct {
	const char *word;
	const char *sign;
} changes[] = {
	[VS_CHANGE_MADE] = {"made", "+"},
	[VS_CHANGE_BEFORE] = {"changed-before", "-"},
	[VS_CHANGE_AFTER] = {"changed-after", "+"},
	[VS_CHANGE_REMOVED] = {"removed", "-"},
};

static void add_row(struct difference *d, const struct render *r, const char *change)
{
	json_t *row = render_json(r);

	/* what this program has no words for is there all the same */
	if (!row)
		row = json_pack("{s:n}", "command");
	if (!row || json_object_set_new(row, "change", json_string(change)) ||
	    json_array_append_new(d->rows, row))
		d->failed = true;
}

static int take_change(const struct nlattr *const *tb, void *ctx)
{
	uint64_t change = cli_num(tb, VS_ATTR_CHANGE);
	struct difference *d = ctx;
	struct render r;

	if (!tb[VS_ATTR_RECORD] || change < VS_CHANGE_MADE || change > VS_CHANGE_REMOVED ||
	    render_open_nest(&r, (unsigned int)cli_num(tb, VS_ATTR_COMMAND), tb[VS_ATTR_RECORD]))
		return 0;
	if (d->format != OUT_TEXT) {
		add_row(d, &r, changes[change].word);
		return 0;
	}
	fprintf(d->file, "%s ", changes[change].sign);
	if (render_text(&r, d->file))
		fprintf(d->file, "(something that this version of vmswitch has no words for)");
	fputc('\n', d->file);
	return 0;
}

/** print_difference() - once it is known that all of it is there. */
static int print_difference(const struct difference *d, const char *text, size_t len)
{
	size_t flags = d->format == OUT_JSON_PRETTY ? JSON_INDENT(4) : JSON_COMPACT;
	int err;

	if (d->failed)
		return cli_complain("out of memory");
	if (d->format == OUT_TEXT) {
		err = fwrite(text, 1, len, stdout) != len;
	} else {
		err = json_dumpf(d->rows, stdout, flags);
		fputc('\n', stdout);
	}
	return fflush(stdout) || err ? cli_complain("the output is not complete") : CLI_OK;
}

/* ---- running ---- */

/** lost() - did the connection break, so that nobody knows whether the batch was applied? */
static bool lost(int error)
{
	return error == -ECONNRESET || error == -ETIMEDOUT;
}

static int complain(struct cli *cli, const struct lines *lines, struct vs_client_fail *fail)
{
	size_t len = strlen(fail->text);

	cli->line = 0;
	if (lines && fail->index >= 1 && fail->index <= lines->n)
		cli->line = lines->line[fail->index - 1];
	if (cli->file && !lost(fail->error))
		snprintf(fail->text + len, sizeof(fail->text) - len, " (nothing was changed)");
	return cli_fail(cli, fail);
}

static int run_dry(struct cli *cli, struct vs_client_batch *batch,
		   const struct vs_client_batch_how *how, const struct lines *lines)
{
	struct difference d = {.format = cli->format};
	struct vs_client_fail fail;
	char *text = NULL;
	size_t len = 0;
	int status;

	d.file = open_memstream(&text, &len);
	d.rows = json_array();
	if (!d.file || !d.rows) {
		status = cli_complain("out of memory");
		goto out;
	}
	if (vs_client_batch_run(cli->client, batch, how, take_change, &d, &fail)) {
		status = complain(cli, lines, &fail);
		goto out;
	}
	d.failed |= fflush(d.file) != 0;
	status = print_difference(&d, text, len);
out:
	json_decref(d.rows);
	if (d.file)
		fclose(d.file);
	free(text);
	return status;
}

static int run_batch(struct cli *cli, struct vs_client_batch *batch, const struct lines *lines)
{
	const struct vs_client_batch_how how = {
		.dry_run = cli->dry_run,
		.confirm_s = cli->confirm_s,
	};
	struct vs_client_fail fail;

	if (cli->dry_run)
		return run_dry(cli, batch, &how, lines);
	if (vs_client_batch_run(cli->client, batch, &how, NULL, NULL, &fail))
		return complain(cli, lines, &fail);
	if (cli->confirm_s && cli->format == OUT_TEXT)
		fprintf(stderr, "vmswitch: taken back in %u s unless 'vmswitch confirm' comes\n",
			cli->confirm_s);
	return CLI_OK;
}

int batch_one(struct cli *cli)
{
	struct vs_client_batch *batch = vs_client_batch_new();
	int status;
	int err;

	err = batch ? vs_client_batch_add(batch, &cli->msg) : -ENOMEM;
	status = err ? cli_complain("the request cannot be sent: %s", strerror(-err))
		     : run_batch(cli, batch, NULL);
	vs_client_batch_free(batch);
	return status;
}

/* ---- files ---- */

static int note_line(struct lines *lines, unsigned int line)
{
	size_t room = lines->room ? 2 * lines->room : 64;
	unsigned int *more;

	if (lines->n == lines->room) {
		more = reallocarray(lines->line, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		lines->line = more;
		lines->room = room;
	}
	lines->line[lines->n++] = line;
	return 0;
}

/** say_wrong() - a line makes no request. */
static void say_wrong(struct cli *cli, struct lines *lines, const char *text)
{
	if (++lines->wrong <= COMPLAINTS_MAX)
		cli_complain_at(cli, text);
	else if (lines->wrong == COMPLAINTS_MAX + 1)
		cli_complain_at(cli, "there are more lines that are wrong");
}

/** take_line() - a line is read; add its request. Return: 0 or -ENOMEM. */
static int take_line(struct cli *cli, const struct lex *lex, struct vs_client_batch *batch,
		     struct lines *lines)
{
	char text[128];
	int err;

	cli->line = lex->line;
	if (cli_parse(cli, lex->argc, lex->argv) != CLI_PARSED) {
		say_wrong(cli, lines, cli->error);
		return 0;
	}
	if (!cli_changes(cli->verb)) {
		snprintf(text, sizeof(text),
			 "'%s%s%s' cannot stand in a file: only commands that change something can",
			 cli->object->word, cli->verb->word[0] ? " " : "", cli->verb->word);
		say_wrong(cli, lines, text);
		return 0;
	}
	err = vs_client_batch_add(batch, &cli->msg);
	if (err == -EMSGSIZE) {
		say_wrong(cli, lines, "the request is too long");
		return 0;
	}
	return err ? err : note_line(lines, lex->line);
}

/** read_lines() - all of the file. Return: exit status; errors have been printed. */
static int read_lines(struct cli *cli, FILE *file, struct vs_client_batch *batch,
		      struct lines *lines)
{
	int status = CLI_OK;
	struct lex lex;
	int ret;

	lex_open(&lex, file);
	for (;;) {
		ret = lex_next(&lex);
		if (ret == 1)
			ret = take_line(cli, &lex, batch, lines);
		else if (ret == 0)
			break;
		if (!ret)
			continue;
		/* behind an open quote it is anybody's guess what was meant */
		cli->line = lex.line;
		cli_complain_at(cli, lex.error[0] ? lex.error : strerror(-ret));
		status = ret == -EINVAL ? CLI_USAGE : CLI_FAILED;
		break;
	}
	lex_close(&lex);
	return status == CLI_OK && lines->wrong ? CLI_USAGE : status;
}

static int connect_and_run(struct cli *cli, struct vs_client_batch *batch,
			   const struct lines *lines)
{
	struct vs_client_fail fail;
	int status;

	cli->line = 0;
	if (cli_connect(cli, &fail))
		return cli_fail(cli, &fail);
	status = run_batch(cli, batch, lines);
	cli_disconnect(cli);
	return status;
}

int batch_file(struct cli *cli, const char *path)
{
	struct vs_client_batch *batch = vs_client_batch_new();
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	struct lines lines = {0};
	int status;

	if (!file || !batch) {
		status = cli_complain("cannot open %s: %s", path, strerror(errno));
		goto out;
	}
	cli->file = is_stdin ? "stdin" : path;
	status = read_lines(cli, file, batch, &lines);
	if (status == CLI_OK)
		status = connect_and_run(cli, batch, &lines);
out:
	if (file && !is_stdin)
		fclose(file);
	vs_client_batch_free(batch);
	free(lines.line);
	return status;
}
