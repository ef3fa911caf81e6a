/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cmd_watch.h"
#include "control/cli/remote.h"
#include "control/cli/screen.h"
#include "control/cli/watch_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * DOC: theory of operation
 *
 * Once per interval the counters are read (and the drops by reason, if there are any), compared
 * with what was read before, and shown. The time of a sample is that at which its first record
 * came: a daemon that answers late has counted until then.
 *
 * The daemon may go away. Then this is said once (on a terminal: until it is back), the
 * connection is tried again each interval, at least once per second, and the first sample after
 * that is the new beginning: nothing is compared across a lost connection.
 */

enum {
	NS_PER_MS = 1000000,
	INTERVAL_MIN_MS = 100,
	INTERVAL_MAX_MS = 3600 * 1000,
	INTERVAL_USUAL_MS = 1000,
	COUNT_MAX = 1000000000,
	/** A daemon that is away is looked for at least so often. */
	RETRY_MS = 1000,
	GROUP_WHICH = 1,
};

/* Rows of watch_args. */
enum {
	ARG_BY,
	ARG_SWITCH,
	ARG_PORT,
	ARG_SORT,
	ARG_INTERVAL,
	ARG_COUNT,
};

static const struct cli_choice by_what[] = {
	{"vm", RATES_BY_VM},
	{"port", RATES_BY_PORT},
	{NULL, 0},
};

static const struct cli_choice orders[] = {
	{"rate", RATES_ORDER_RATE},
	{"cycles", RATES_ORDER_CYCLES},
	{"name", RATES_ORDER_NAME},
	{NULL, 0},
};

const struct cli_arg watch_args[] = {
	[ARG_BY] = {"by", "vm|port", CLI_CHOICE, CLI_MAY, .choices = by_what,
		    .help = "what has a line of its own (vm)"},
	[ARG_SWITCH] = {"switch", "SW", CLI_WORD, CLI_MAY, .group = GROUP_WHICH,
			.help = "only ports of this switch"},
	[ARG_PORT] = {"port", "NAME", CLI_WORD, CLI_MAY, VS_ATTR_PORT, .group = GROUP_WHICH,
		      .help = "only this port"},
	[ARG_SORT] = {"sort", "rate|cycles|name", CLI_CHOICE, CLI_MAY, .choices = orders,
		      .help = "most frames per second first (stats watch), most cycles (top), or by "
			      "name"},
	[ARG_INTERVAL] = {"interval", "SECONDS", CLI_SECONDS, CLI_MAY, .min = INTERVAL_MIN_MS,
			  .max = INTERVAL_MAX_MS, .help = "time between two readings (1)"},
	[ARG_COUNT] = {"count", "N", CLI_NUMBER, CLI_MAY, .min = 1, .max = COUNT_MAX,
		       .help = "end after so many intervals (never)"},
	{0},
};

/**
 * struct watching - one run
 * @sw:		only ports of this switch; NULL: all
 * @port:	one port was asked for, which may come and go
 * @count:	intervals to be shown, 0: endless
 * @load:	&@workers, if they are shown; NULL: they are not
 * @drops:	request, as cli->msg is that for the counters
 * @now:	the newest sample, shown when @now.elapsed_ns is not 0
 * @before:	the one it is compared with
 * @time_ns:	of @now, since 1970
 * @away:	why the daemon cannot be asked; "": it can
 */
struct watching {
	struct cli *cli;
	enum rates_by by;
	enum rates_order order;
	const char *sw;
	bool port;
	uint32_t interval_ms;
	uint32_t count;
	const struct load *load;
	struct load workers;
	struct vs_msg drops;
	uint32_t drops_buf[64];
	struct rates_sample now;
	struct rates_sample before;
	uint64_t time_ns;
	char away[sizeof(((struct vs_client_fail *)0)->text) + 32];
};

/** Which of the two verbs it is. */
enum verb {
	STATS_WATCH,
	TOP, /* with the workers, and cycles */
};

/** What is done after a step. */
enum go {
	GO_ON,
	GO_OUT, /* with the status that stands in *ret_status */
};

/* ---- samples ---- */

/* Names are those of the daemon, which are shorter; whatever comes is cut and ends with a NUL. */
static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

#define COPY_TEXT(to, tb, attr) copy_text(to, sizeof(to), cli_str(tb, attr))

static bool is_wanted(const struct watching *w, const struct nlattr *const *tb)
{
	const char *sw = cli_str(tb, VS_ATTR_SWITCH);

	return !w->sw || (sw && strcmp(sw, w->sw) == 0);
}

static int take_port(const struct nlattr *const *tb, void *ctx)
{
	static const enum vs_attr attrs[RATES_COUNTERS] = {
		[RATES_RECEIVED] = VS_ATTR_RECEIVED,
		[RATES_RECEIVED_BYTES] = VS_ATTR_RECEIVED_BYTES,
		[RATES_SENT] = VS_ATTR_SENT,
		[RATES_SENT_BYTES] = VS_ATTR_SENT_BYTES,
		[RATES_DROPPED_IN] = VS_ATTR_DROPPED_IN,
		[RATES_DROPPED_OUT] = VS_ATTR_DROPPED_OUT,
		[RATES_CYCLES] = VS_ATTR_CYCLES,
	};
	struct rates_port port = {0};
	struct watching *w = ctx;
	unsigned int i;

	if (!w->now.when_ns)
		w->now.when_ns = screen_now_ns();
	if (!is_wanted(w, tb))
		return 0;
	COPY_TEXT(port.port, tb, VS_ATTR_PORT);
	COPY_TEXT(port.sw, tb, VS_ATTR_SWITCH);
	COPY_TEXT(port.vm, tb, VS_ATTR_VM);
	for (i = 0; i < RATES_COUNTERS; i++)
		port.count[i] = cli_num(tb, attrs[i]);
	return rates_add_port(&w->now, &port);
}

static int take_drop(const struct nlattr *const *tb, void *ctx)
{
	struct rates_drop drop = {0};
	struct watching *w = ctx;

	if (!is_wanted(w, tb))
		return 0;
	COPY_TEXT(drop.port, tb, VS_ATTR_PORT);
	COPY_TEXT(drop.vm, tb, VS_ATTR_VM);
	COPY_TEXT(drop.reason, tb, VS_ATTR_REASON);
	COPY_TEXT(drop.side, tb, VS_ATTR_SIDE);
	COPY_TEXT(drop.meaning, tb, VS_ATTR_TEXT);
	drop.count = cli_num(tb, VS_ATTR_COUNT);
	return rates_add_drop(&w->now, &drop);
}

/** ask() - a dump into the sample w->now. Return: 0 or -errno, with @fail filled in. */
static int ask(struct watching *w, struct vs_msg *msg, vs_client_record *record,
	       struct vs_client_fail *fail)
{
	int ret;

	fail->error = 0;
	ret = vs_client_call(w->cli->client, msg, record, w, fail);
	if (ret && !fail->error)
		*fail = (struct vs_client_fail){.error = ret, .text = "out of memory"};
	return ret;
}

static uint64_t wall_clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

/** read_sample() - what was w->now becomes w->before, and is compared with. */
static int read_sample(struct watching *w, struct vs_client_fail *fail)
{
	struct rates_sample old = w->before;
	int ret;

	w->before = w->now;
	w->now = old;
	rates_clear(&w->now);
	ret = ask(w, &w->cli->msg, take_port, fail);
	if (!w->now.when_ns)
		w->now.when_ns = screen_now_ns();
	w->time_ns = wall_clock_ns();
	if (!ret && rates_any_drops(&w->now))
		ret = ask(w, &w->drops, take_drop, fail);
	if (!ret && w->load)
		ret = load_read(&w->workers, w->cli->client, fail);
	if (ret)
		return ret;
	w->now.valid = true;
	rates_grow(&w->now, &w->before);
	return 0;
}

/* ---- the daemon comes and goes ---- */

static void forget_daemon(struct watching *w, const struct vs_client_fail *fail)
{
	snprintf(w->away, sizeof(w->away), "%s (trying again)", fail->text);
	rates_clear(&w->now);
	rates_clear(&w->before);
	memset(&w->workers, 0, sizeof(w->workers));
	cli_disconnect(w->cli);
}

/** refresh() - a new sample, over a new connection if need be. Return: 0 or -errno. */
static int refresh(struct watching *w, struct vs_client_fail *fail)
{
	int ret = 0;

	if (!w->cli->client)
		ret = cli_connect(w->cli, fail);
	if (!ret)
		ret = read_sample(w, fail);
	/* the one port is gone, and may come back */
	if (ret == -ENOENT && w->cli->client && w->port) {
		rates_clear(&w->now);
		w->now.when_ns = screen_now_ns();
		w->now.valid = true;
		rates_grow(&w->now, &w->before);
		ret = 0;
	}
	if (ret)
		forget_daemon(w, fail);
	else
		w->away[0] = '\0';
	return ret;
}

/* ---- showing ---- */

/** show() - what is known now. Return: GO_OUT if it cannot be written. */
static enum go show(struct watching *w, int *ret_status)
{
	const struct watch_view view = {
		.format = w->cli->format,
		.by = w->by,
		.order = w->order,
		.lines = screen_lines(),
		.time_ns = w->away[0] ? wall_clock_ns() : w->time_ns,
		.load = w->load,
		.sample = &w->now,
	};
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int ret = -ENOMEM;

	if (file) {
		ret = w->away[0] ? watch_print_problem(file, &view, w->away)
				 : watch_print(file, &view);
		/* blocks are told apart by an empty line */
		if (view.format == OUT_TEXT && !view.lines && !w->away[0])
			fputc('\n', file);
		if (fclose(file))
			ret = -ENOMEM;
	}
	if (!ret)
		ret = screen_put(text, len);
	free(text);
	if (!ret)
		return GO_ON;
	/* nobody reads any more: that is how a pipe into head ends */
	*ret_status = ret == -EPIPE
			      ? CLI_OK
			      : cli_complain("the output is not complete: %s", strerror(-ret));
	return GO_OUT;
}

/* ---- the run ---- */

/** tick() - an interval is over. */
static enum go tick(struct watching *w, uint32_t *left, int *ret_status)
{
	bool was_away = w->away[0] != '\0';
	struct vs_client_fail fail;

	if (refresh(w, &fail)) {
		if (w->count) {
			*ret_status = cli_fail(w->cli, &fail);
			return GO_OUT;
		}
		return was_away && !screen_in_place() ? GO_ON : show(w, ret_status);
	}
	/* the first sample has no rates: only a terminal is told what there is */
	if (!w->now.elapsed_ns)
		return screen_in_place() ? show(w, ret_status) : GO_ON;
	if (show(w, ret_status) == GO_OUT)
		return GO_OUT;
	if (*left == 0 || --*left > 0)
		return GO_ON;
	*ret_status = CLI_OK;
	return GO_OUT;
}

/** wait_and_tick() - until @next_ns, and what is due then. */
static enum go wait_and_tick(struct watching *w, uint64_t next_ns, uint32_t *left, int *ret_status)
{
	for (;;) {
		switch (screen_wait(next_ns)) {
		case SCREEN_TIME:
			return tick(w, left, ret_status);
		case SCREEN_GONE:
			*ret_status = CLI_OK;
			return GO_OUT;
		case SCREEN_REDRAW:
			break;
		}
		if (show(w, ret_status) == GO_OUT)
			return GO_OUT;
	}
}

/** run_watch() - from the first sample to the end. Return: exit status. */
static int run_watch(struct watching *w)
{
	uint64_t next = screen_now_ns();
	uint32_t left = w->count;
	enum go go = GO_ON;
	int status = CLI_OK;

	if (screen_in_place())
		go = show(w, &status);
	while (go == GO_ON) {
		bool hurry = w->away[0] && w->interval_ms > RETRY_MS;
		uint64_t step = (uint64_t)(hurry ? RETRY_MS : w->interval_ms) * NS_PER_MS;

		next += step;
		/* what was missed while we or the daemon did not run is not made up for */
		if (next < screen_now_ns())
			next = screen_now_ns() + step;
		go = wait_and_tick(w, next, &left, &status);
	}
	return status;
}

/** check_switch() - a switch that does not exist is a slip of the pen, not a switch to come. */
static int check_switch(struct watching *w, struct vs_client_fail *fail)
{
	uint32_t buf[64];
	struct vs_msg msg;

	if (!w->sw)
		return 0;
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_GET);
	vs_msg_put_str(&msg, VS_ATTR_NAME, w->sw);
	return vs_client_call(w->cli->client, &msg, NULL, NULL, fail);
}

static uint32_t number_or(const struct cli *cli, unsigned int row, uint32_t usual)
{
	return cli->value[row].word ? cli->value[row].number : usual;
}

/** run() - one of the two verbs. Return: exit status. */
static int run(struct cli *cli, enum verb verb)
{
	struct watching w = {.cli = cli};
	struct vs_client_fail fail;
	int status;

	w.port = (cli->given & UINT32_C(1) << ARG_PORT) != 0;
	w.sw = cli->value[ARG_SWITCH].word;
	w.by = (enum rates_by)number_or(cli, ARG_BY, w.port ? RATES_BY_PORT : RATES_BY_VM);
	w.order = (enum rates_order)number_or(cli, ARG_SORT,
					      verb == TOP ? RATES_ORDER_CYCLES : RATES_ORDER_RATE);
	w.load = verb == TOP ? &w.workers : NULL;
	w.interval_ms = number_or(cli, ARG_INTERVAL, INTERVAL_USUAL_MS);
	w.count = number_or(cli, ARG_COUNT, 0);
	vs_msg_init(&w.drops, w.drops_buf, sizeof(w.drops_buf), VS_CMD_DROP_GET);
	if (w.port)
		vs_msg_put_str(&w.drops, VS_ATTR_PORT, cli->value[ARG_PORT].word);
	if (check_switch(&w, &fail) || read_sample(&w, &fail)) {
		status = cli_fail(cli, &fail);
		goto out_free;
	}
	screen_open(cli->format == OUT_TEXT ? SCREEN_IN_PLACE : SCREEN_APPEND);
	status = run_watch(&w);
	screen_close();
out_free:
	rates_free(&w.now);
	rates_free(&w.before);
	return status;
}

int watch(struct cli *cli)
{
	return run(cli, STATS_WATCH);
}

static int top(struct cli *cli)
{
	return run(cli, TOP);
}

const struct cli_verb cli_top_verbs[] = {
	{"", VS_CMD_STATS_GET, watch_args, top,
	 "what the workers do, and for whom: processor time, frames, bits and drops per second",
	 "top sort cycles"},
	{0},
};
