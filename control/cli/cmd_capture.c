/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/capture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * DOC: theory of operation
 *
 * Frames come until the daemon says that it was the last one: because the port is gone, or because
 * it was asked to stop. SIGINT and SIGTERM ask it, by a message that is ready to be sent from the
 * handler; a second one ends the program.
 */

enum {
	/* rows of the table below */
	ARG_PORT,
	ARG_FILTER,
	ARG_COUNT,
	ARG_FILE,

	COUNT_MAX = 2000000000,
	/* that a record ends the listening with */
	ENOUGH = 1,
};

static const struct cli_choice directions[] = {
	{"from", VS_DIRECTION_FROM},
	{"to", VS_DIRECTION_TO},
	{"both", VS_DIRECTION_BOTH},
	{NULL, 0},
};

static const struct cli_arg capture_args[] = {
	[ARG_PORT] = {NULL, "PORT", CLI_WORD, CLI_MUST, VS_ATTR_PORT, .help = "whose frames"},
	[ARG_FILTER] = {"-f", "FILTER", CLI_WORD, CLI_MAY,
			.help = "only frames that match, as in tcpdump: 'arp or host 192.0.2.1'"},
	[ARG_COUNT] = {"-c", "N", CLI_NUMBER, CLI_MAY, .min = 1, .max = COUNT_MAX,
		       .help = "end after so many frames"},
	[ARG_FILE] = {"-w", "FILE", CLI_PATH, CLI_MAY,
		      .help = "write pcapng there instead of lines (-: standard output)"},
	{"--snaplen", "BYTES", CLI_NUMBER, CLI_MAY, VS_ATTR_SNAPLEN,
	 .help = "keep so many bytes of each frame (32000)"},
	{"--drops", NULL, CLI_FLAG, CLI_MAY, VS_ATTR_DROPS,
	 .help = "only frames that were dropped, or of which a copy was"},
	{"--direction", "from|to|both", CLI_CHOICE, CLI_MAY, VS_ATTR_DIRECTION,
	 .choices = directions, .help = "only frames from the port, or to it (both)"},
	{0},
};

/**
 * struct capturing - one run
 * @max:	frames, 0: any number
 * @why:	the daemon's, when it ended the capture
 */
struct capturing {
	struct cli *cli;
	struct capture_file file;
	uint32_t max;
	uint64_t count;
	uint64_t lost;
	bool ended;
	char why[128];
};

/* For the handler. */
static struct {
	int fd;
	uint32_t msg[8];
	uint32_t len;
} stop;

static void on_signal(int number)
{
	int error = errno;

	(void)number;
	/* if it is not taken, the next signal ends us */
	if (send(stop.fd, stop.msg, stop.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		stop.len = 0;
	errno = error;
}

static void catch_signals(int fd)
{
	struct sigaction action = {.sa_handler = on_signal,
				   .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};
	struct vs_msg msg;

	vs_msg_init(&msg, stop.msg, sizeof(stop.msg), VS_CMD_CAPTURE_STOP);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	msg.nlh->nlmsg_seq = 1;
	stop.len = msg.nlh->nlmsg_len;
	stop.fd = fd;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int take(const struct nlattr *const *tb, void *ctx)
{
	struct capturing *c = ctx;
	int ret;

	c->lost += cli_num(tb, VS_ATTR_LOST);
	if (tb[VS_ATTR_EVENT]) {
		c->ended = true;
		snprintf(c->why, sizeof(c->why), "%s",
			 tb[VS_ATTR_TEXT] ? cli_str(tb, VS_ATTR_TEXT) : "ended");
		return ENOUGH;
	}
	c->count++;
	ret = c->file.pipe ? capture_write(&c->file, tb) : capture_print(&c->cli->out, tb);
	return ret || c->count == c->max ? ENOUGH : 0;
}

static void print_end(struct capturing *c)
{
	struct out *o = &c->cli->out;

	if (c->cli->format == OUT_TEXT) {
		if (c->ended && strcmp(c->why, "stopped") != 0)
			(void)fprintf(stderr, "vmswitch: %s\n", c->why);
		(void)fprintf(stderr, "%llu frame%s captured, %llu lost\n",
			      (unsigned long long)c->count, c->count == 1 ? "" : "s",
			      (unsigned long long)c->lost);
		return;
	}
	out_row_begin(o);
	out_str(o, OUT_ONLY_JSON, "event", "", "end");
	out_str(o, OUT_ONLY_JSON, "text", "", c->ended ? c->why : "enough");
	out_num(o, OUT_ONLY_JSON, "count", "", c->count);
	out_num(o, OUT_ONLY_JSON, "lost", "", c->lost);
	out_row_end(o);
}

/* From the first frame to the last. Return: exit status. */
static int receive(struct capturing *c)
{
	struct vs_client_fail fail;
	int ret = vs_client_listen(c->cli->client, take, c, &fail);
	int status = CLI_OK;

	if (ret < 0)
		status = cli_complain("%s", fail.text);
	if (c->file.pipe && capture_close(&c->file))
		status = CLI_FAILED;
	return status;
}

static int capture(struct cli *cli)
{
	const char *filter = cli->value[ARG_FILTER].word;
	const char *path = cli->value[ARG_FILE].word;
	struct capturing c = {.cli = cli, .max = cli->value[ARG_COUNT].number};
	struct vs_client_fail fail;
	int status;

	if (filter && capture_filter(cli, filter)) {
		(void)cli_complain("%s", cli->error);
		return CLI_USAGE;
	}
	if (path && cli->format != OUT_TEXT) {
		(void)cli_complain("-w writes pcapng, and -j lines of JSON: one of them");
		return CLI_USAGE;
	}
	/* before the daemon knows: whoever sees the capture may end it */
	catch_signals(vs_client_fd(cli->client));
	if (vs_client_call(cli->client, &cli->msg, NULL, NULL, &fail))
		return cli_complain("%s", fail.text);
	if (path && capture_open(cli, path, cli->value[ARG_PORT].word, filter, &c.file))
		return CLI_FAILED;
	(void)fprintf(stderr, "capturing port %s\n", cli->value[ARG_PORT].word);
	out_open(&cli->out, stdout, cli->format, OUT_LINES);
	status = receive(&c);
	print_end(&c);
	return cli_close(cli, status);
}

const struct cli_verb cli_capture_verbs[] = {
	{"", VS_CMD_CAPTURE_START, capture_args, capture,
	 "copies of the frames from and to a port, with what became of each",
	 "capture vm1 -c 10 -f \"tcp port 80\""},
	{0},
};
