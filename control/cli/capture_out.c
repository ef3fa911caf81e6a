/* SPDX-License-Identifier: BSD-3-Clause */
/* Captured frames: in words, as lines, and into a file. */
#include "control/cli/capture.h"
#include "control/cli/mac.h"
#include "control/cli/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef VMSWITCH_VERSION
#define VMSWITCH_VERSION "unknown"
#endif

enum {
	TYPE_AT = 2 * MAC_BYTES,
	ETHER_BYTES = TYPE_AT + 2,
	TIME_SIZE = 64,
	COMMENT_SIZE = 512,
};

static const char helper[] = "vmswitch-capture"; /* installed beside vmswitch */

/* ---- in words ---- */

static const char *direction_word(const struct nlattr *const *tb)
{
	return cli_num(tb, VS_ATTR_DIRECTION) == VS_DIRECTION_TO ? "to" : "from";
}

/* Words of the verdict, with "to PORT" and numbers. */
static void verdict_text(const struct nlattr *const *tb, char *text, size_t size)
{
	unsigned long long copies = cli_num(tb, VS_ATTR_COPIES);
	unsigned long long dropped = cli_num(tb, VS_ATTR_COPIES_DROPPED);
	const char *reason = cli_str(tb, VS_ATTR_REASON);
	const char *other = cli_str(tb, VS_ATTR_PORT);
	bool to = cli_num(tb, VS_ATTR_DIRECTION) == VS_DIRECTION_TO;

	switch (cli_num(tb, VS_ATTR_VERDICT)) {
	case VS_VERDICT_FORWARDED:
		snprintf(text, size, "forwarded to %s", other ? other : "a port that is gone");
		break;
	case VS_VERDICT_FLOODED:
		snprintf(text, size, "flooded to %llu port%s", copies, copies == 1 ? "" : "s");
		if (dropped)
			snprintf(text + strlen(text), size - strlen(text),
				 ", %llu of them dropped: %s", dropped, reason ? reason : "?");
		break;
	case VS_VERDICT_DELIVERED:
		snprintf(text, size, "delivered, from %s", other ? other : "a port that is gone");
		break;
	case VS_VERDICT_DROPPED:
		snprintf(text, size, "dropped%s%s: %s",
			 !other ? ""
			 : to   ? ", from "
				: " at ",
			 other ? other : "", reason ? reason : "?");
		break;
	default:
		snprintf(text, size, "verdict %llu",
			 (unsigned long long)cli_num(tb, VS_ATTR_VERDICT));
	}
}

/* What became of a frame, e.g. "from the port: dropped: spoof (...)". */
static void comment_text(const struct nlattr *const *tb, char text[COMMENT_SIZE])
{
	const char *meaning = cli_str(tb, VS_ATTR_TEXT);
	char verdict[160];

	verdict_text(tb, verdict, sizeof(verdict));
	snprintf(text, COMMENT_SIZE, "%s the port: %s%s%s%s", direction_word(tb), verdict,
		 meaning ? " (" : "", meaning ? meaning : "", meaning ? ")" : "");
}

/* ---- as lines ---- */

static const uint8_t *bytes_of(const struct nlattr *const *tb, size_t *ret_len)
{
	const struct nlattr *a = tb[VS_ATTR_BYTES];

	*ret_len = a ? (size_t)a->nla_len - NLA_HDRLEN : 0;
	return a ? (const uint8_t *)a + NLA_HDRLEN : NULL;
}

static const char *verdict_word(const struct nlattr *const *tb)
{
	static const struct cli_choice words[] = {
		{"forwarded", VS_VERDICT_FORWARDED},
		{"flooded", VS_VERDICT_FLOODED},
		{"delivered", VS_VERDICT_DELIVERED},
		{"dropped", VS_VERDICT_DROPPED},
		{NULL, 0},
	};

	return cli_choice_word(words, (uint32_t)cli_num(tb, VS_ATTR_VERDICT));
}

static void put_addresses(struct out *o, const uint8_t *bytes, size_t have)
{
	char dst[MAC_TEXT_SIZE + 2] = "> ";
	char type[8];

	if (have < ETHER_BYTES) {
		out_str(o, OUT_EVERYWHERE, "src", "", NULL);
		return;
	}
	mac_format(bytes, dst + 2);
	snprintf(type, sizeof(type), "%02x%02x", bytes[TYPE_AT], bytes[TYPE_AT + 1]);
	out_mac(o, OUT_EVERYWHERE, "src", "", bytes + MAC_BYTES, "-");
	out_value(o, OUT_EVERYWHERE, "dst", "", json_string(dst + 2), dst);
	out_str(o, OUT_EVERYWHERE, "ethertype", "type", type);
}

static void put_bytes(struct out *o, const uint8_t *bytes, size_t have)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * have + 1);
	size_t i;

	if (!hex) {
		o->failed = true;
		return;
	}
	for (i = 0; i < have; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	hex[2 * have] = '\0';
	out_str(o, OUT_ONLY_JSON, "bytes", "", hex);
	free(hex);
}

int capture_print(struct out *o, const struct nlattr *const *tb)
{
	char when[TIME_SIZE], verdict[160];
	const uint8_t *bytes;
	size_t have;

	bytes = bytes_of(tb, &have);
	verdict_text(tb, verdict, sizeof(verdict));
	out_time(cli_num(tb, VS_ATTR_TIME), when, sizeof(when));
	out_row_begin(o);
	if (cli_num(tb, VS_ATTR_LOST))
		out_num(o, OUT_EVERYWHERE, "lost", "lost", cli_num(tb, VS_ATTR_LOST));
	out_str(o, OUT_EVERYWHERE, "time", "", when);
	out_str(o, OUT_EVERYWHERE, "direction", "", direction_word(tb));
	put_addresses(o, bytes, have);
	out_num(o, OUT_EVERYWHERE, "length", "length", cli_num(tb, VS_ATTR_LENGTH));
	out_value(o, OUT_EVERYWHERE, "verdict", "", json_string(verdict_word(tb)), verdict);
	out_str(o, OUT_ONLY_JSON, "port", "", cli_str(tb, VS_ATTR_PORT));
	out_str(o, OUT_ONLY_JSON, "reason", "", cli_str(tb, VS_ATTR_REASON));
	if (tb[VS_ATTR_COPIES]) {
		out_num(o, OUT_ONLY_JSON, "copies", "", cli_num(tb, VS_ATTR_COPIES));
		out_num(o, OUT_ONLY_JSON, "copies_dropped", "",
			cli_num(tb, VS_ATTR_COPIES_DROPPED));
	}
	if (o->format != OUT_TEXT)
		put_bytes(o, bytes, have);
	out_row_end(o);
	return ferror(o->file) ? CLI_FAILED : 0;
}

/* ---- into a file ---- */

/*
 * The program that stands beside ours, or else the one that the shell would find.
 * Return: 0, errno.
 */
static int spawn(pid_t *ret_pid, const posix_spawn_file_actions_t *files,
		 const posix_spawnattr_t *attr)
{
	char path[4096], name[sizeof(helper)];
	char *argv[] = {name, NULL};
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(name));
	char *slash;

	memcpy(name, helper, sizeof(helper));
	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		memcpy(slash + 1, name, sizeof(name));
		if (posix_spawn(ret_pid, path, files, attr, argv, environ) == 0)
			return 0;
	}
	return posix_spawnp(ret_pid, name, files, attr, argv, environ);
}

/*
 * Ctrl-C is for us: the program has a process group of its own, and ends when we have told it
 * everything. Return: 0 or errno.
 */
static int run_helper(int in, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t pipes;
	int error;

	if (posix_spawn_file_actions_init(&files))
		return ENOMEM;
	error = posix_spawnattr_init(&attr);
	if (error)
		goto out_files;
	(void)sigemptyset(&pipes);
	(void)sigaddset(&pipes, SIGPIPE);
	error = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
	if (!error)
		error = posix_spawnattr_setsigdefault(&attr, &pipes);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	if (!error)
		error = spawn(ret_pid, &files, &attr);
	(void)posix_spawnattr_destroy(&attr);
out_files:
	(void)posix_spawn_file_actions_destroy(&files);
	return error;
}

static int start_helper(int out, struct capture_file *file)
{
	int ends[2];
	int error;

	if (pipe2(ends, O_CLOEXEC))
		return cli_complain("cannot make a pipe: %s", strerror(errno));
	error = run_helper(ends[0], out, &file->pid);
	close(ends[0]);
	file->pipe = error ? NULL : fdopen(ends[1], "w");
	if (file->pipe)
		return CLI_OK;
	close(ends[1]);
	if (error == ENOENT)
		return cli_complain("-w needs the program %s, which is not installed", helper);
	return cli_complain("cannot start %s: %s", helper, strerror(error ? error : errno));
}

int capture_open(struct cli *cli, const char *path, const char *port, const char *filter,
		 struct capture_file *ret_file)
{
	struct pcapng_head head = {.magic = PCAPNG_MAGIC, .snaplen = VS_PROTO_SNAPLEN_MAX};
	bool standard = strcmp(path, "-") == 0;
	int out = STDOUT_FILENO;
	int status;

	if (standard && isatty(STDOUT_FILENO))
		return cli_complain("standard output is a terminal: name a file, or put a program "
				    "that reads pcapng behind it");
	/* what guests say to each other is not for everybody */
	if (!standard)
		out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (out < 0)
		return cli_complain("cannot write to %s: %s", path, strerror(errno));
	status = start_helper(out, ret_file);
	if (!standard)
		close(out);
	if (status)
		return status;
	snprintf(head.port, sizeof(head.port), "%s", port);
	snprintf(head.filter, sizeof(head.filter), "%s", filter ? filter : "");
	snprintf(head.program, sizeof(head.program), "vmswitch %s", VMSWITCH_VERSION);
	if (fwrite(&head, sizeof(head), 1, ret_file->pipe) == 1 && fflush(ret_file->pipe) == 0)
		return CLI_OK;
	(void)capture_close(ret_file);
	return CLI_FAILED;
}

int capture_write(struct capture_file *file, const struct nlattr *const *tb)
{
	char comment[COMMENT_SIZE];
	struct pcapng_frame frame = {
		.time_ns = cli_num(tb, VS_ATTR_TIME),
		.lost = cli_num(tb, VS_ATTR_LOST),
		.len = (uint32_t)cli_num(tb, VS_ATTR_LENGTH),
		.direction = cli_num(tb, VS_ATTR_DIRECTION) == VS_DIRECTION_TO ? PCAPNG_TO_PORT
									       : PCAPNG_FROM_PORT,
	};
	const uint8_t *bytes;
	size_t have;

	bytes = bytes_of(tb, &have);
	comment_text(tb, comment);
	frame.have = (uint32_t)have;
	frame.comment = (uint32_t)strlen(comment);
	if (fwrite(&frame, sizeof(frame), 1, file->pipe) != 1 ||
	    fwrite(comment, 1, frame.comment, file->pipe) != frame.comment ||
	    fwrite(bytes, 1, have, file->pipe) != have || fflush(file->pipe))
		return CLI_FAILED;
	return 0;
}

int capture_close(struct capture_file *file)
{
	int status;

	/* nobody reads: the helper's status says why */
	(void)fclose(file->pipe);
	file->pipe = NULL;
	while (waitpid(file->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return cli_complain("%s: %s", helper, strerror(errno));
	}
	/* a reader that has enough ends it */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE)
		return CLI_OK;
	if (WIFSIGNALED(status))
		return cli_complain("%s was killed by signal %d", helper, WTERMSIG(status));
	return WEXITSTATUS(status) ? CLI_FAILED : CLI_OK;
}
