/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/remote.h"

#include "control/cli/relay.h"
#include "control/cli/render.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * DOC: theory of operation
 *
 *	vmswitch -- socketpair -- relay -- pipes -- ssh ... sshd -- pipes --
 *	vmswitch --stdio -- daemon
 *
 * The client library speaks to a socket that keeps datagrams apart. So a thread of ours, the relay,
 * takes datagrams from such a socket and writes them to ssh's standard input as frames; on the
 * other host vmswitch --stdio does the reverse. Its first words say whether it has reached the
 * daemon (control/cli/relay.h); they are waited for without a limit of time, as ssh may ask for a
 * password. When we end, ssh and the other host find their standard inputs at an end.
 */

/**
 * struct remote - a connection through ssh
 * @relay:	used by @thread alone, but for its descriptors
 */
struct remote {
	struct relay relay;
	pthread_t thread;
	pid_t ssh;
};

static __attribute__((format(printf, 3, 4))) int fail_with(struct vs_client_fail *fail, int error,
							   const char *fmt, ...)
{
	va_list ap;

	*fail = (struct vs_client_fail){.error = error};
	va_start(ap, fmt);
	vsnprintf(fail->text, sizeof(fail->text), fmt, ap);
	va_end(ap);
	return error;
}

bool remote_host_ok(const char *host)
{
	const char *at = host;

	while (*at && !iscntrl((unsigned char)*at) && *at != ' ')
		at++;
	return host[0] && host[0] != '-' && !*at;
}

/* ---- this host ---- */

/* What the shell of the other host is to run; the caller frees it. */
static char *remote_command(const char *socket)
{
	char *command = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&command, &len);

	if (!file)
		return NULL;
	fputs("vmswitch --stdio", file);
	if (socket) {
		fputs(" --socket ", file);
		render_word(socket, file);
	}
	if (fclose(file)) {
		free(command);
		return NULL;
	}
	return command;
}

/* ssh, with pipes for its standard input and output. Return: 0 or an error of errno.h. */
static int spawn_ssh(const char *program, const char *host, char *command, const int *to,
		     const int *from, pid_t *ret_pid)
{
	const char *argv[] = {program, "-T", host, command, NULL};
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return err;
	err = posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
	if (!err)
		err = posix_spawnp(ret_pid, program, &actions, NULL, (char *const *)(uintptr_t)argv,
				   environ);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static void close_pipe(const int *ends)
{
	close(ends[0]);
	close(ends[1]);
}

/* ssh with what the relay needs of it. Return: 0, or negative errno with *@fail filled in. */
static int start_ssh(struct cli *cli, struct remote *remote, struct vs_client_fail *fail)
{
	const char *program = getenv("VMSWITCH_SSH");
	char *command = remote_command(cli->remote_socket);
	int to[2], from[2];
	int err = command ? 0 : ENOMEM;

	if (!program || !program[0])
		program = "ssh";
	if (!err && pipe2(to, O_CLOEXEC))
		err = errno;
	if (err)
		goto out;
	if (pipe2(from, O_CLOEXEC)) {
		err = errno;
		close_pipe(to);
		goto out;
	}
	err = spawn_ssh(program, cli->remote, command, to, from, &remote->ssh);
	if (err) {
		close_pipe(to);
		close_pipe(from);
		goto out;
	}
	close(to[0]);
	close(from[1]);
	remote->relay.out = to[1];
	remote->relay.in = from[0];
out:
	free(command);
	return err ? fail_with(fail, -err, "cannot run %s: %s", program, strerror(err)) : 0;
}

/* The relay's thread. */
static void *run_relay(void *arg)
{
	struct remote *remote = arg;
	sigset_t pipe_gone;

	/* ssh may go first, which is told to the client, and is no reason to end */
	sigemptyset(&pipe_gone);
	sigaddset(&pipe_gone, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe_gone, NULL);
	relay_ssh(&remote->relay, remote->ssh);
	(void)shutdown(remote->relay.packets, SHUT_RDWR);
	return NULL;
}

/* The first words: "ok", or "no" and why. */
static int read_welcome(int fd, const char *host, struct vs_client_fail *fail)
{
	char text[sizeof(fail->text)];
	ssize_t n;

	do {
		n = recv(fd, text, sizeof(text) - 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return fail_with(fail, -ECONNRESET, "the connection to %s ended", host);
	text[n] = '\0';
	if (strcmp(text, RELAY_OK) == 0)
		return 0;
	if (strncmp(text, RELAY_NO, strlen(RELAY_NO)) != 0)
		return fail_with(fail, -EBADMSG, "%s does not speak vmswitch", host);
	return fail_with(fail, -ECONNREFUSED, "%s: %s", host, text + strlen(RELAY_NO));
}

static void end_ssh(pid_t ssh)
{
	(void)kill(ssh, SIGTERM);
	while (waitpid(ssh, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The relay ends when the client's end of the sockets is closed, or ssh's of the pipes. */
static void close_remote(struct cli *cli)
{
	struct remote *remote = cli->far;

	if (!remote)
		return;
	(void)shutdown(remote->relay.packets, SHUT_RDWR);
	end_ssh(remote->ssh);
	(void)pthread_join(remote->thread, NULL);
	close(remote->relay.packets);
	close(remote->relay.in);
	close(remote->relay.out);
	free(remote);
	cli->far = NULL;
}

static int start_relay(struct cli *cli, int packets, struct vs_client_fail *fail)
{
	struct remote *remote = calloc(1, sizeof(*remote));
	int err;

	if (!remote)
		return fail_with(fail, -ENOMEM, "out of memory");
	remote->relay.packets = packets;
	err = start_ssh(cli, remote, fail);
	if (err)
		goto err_free;
	err = pthread_create(&remote->thread, NULL, run_relay, remote);
	if (err) {
		err = fail_with(fail, -err, "cannot make a thread: %s", strerror(err));
		goto err_ssh;
	}
	cli->far = remote;
	return 0;

err_ssh:
	end_ssh(remote->ssh);
	close(remote->relay.in);
	close(remote->relay.out);
err_free:
	free(remote);
	return err;
}

static int open_remote(struct cli *cli, struct vs_client_fail *fail)
{
	int pair[2];
	int err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fail_with(fail, -errno, "cannot make a socket: %s", strerror(errno));
	err = start_relay(cli, pair[1], fail);
	if (err)
		close(pair[1]);
	else
		err = read_welcome(pair[0], cli->remote, fail);
	if (!err)
		err = vs_client_open_fd(pair[0], cli->remote, &cli->client, fail);
	if (!err)
		return 0;
	cli->client = NULL;
	close(pair[0]);
	close_remote(cli);
	return err;
}

int cli_connect(struct cli *cli, struct vs_client_fail *fail)
{
	int err;

	if (cli->remote)
		return open_remote(cli, fail);
	err = vs_client_open(cli->socket, &cli->client, fail);
	if (err)
		cli->client = NULL;
	return err;
}

void cli_disconnect(struct cli *cli)
{
	if (cli->client)
		vs_client_close(cli->client);
	cli->client = NULL;
	close_remote(cli);
}

/* ---- the other host ---- */

/* A connection of its own: the one that vs_client_open() makes says why it cannot be made. */
static int connect_daemon(const char *path, struct vs_client_fail *fail)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct vs_client *client;
	int fd;

	if (vs_client_open(path, &client, fail))
		return -1;
	vs_client_close(client);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	fail_with(fail, -errno, "cannot connect to %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int remote_serve(const char *socket)
{
	struct relay relay = {.in = STDIN_FILENO, .out = STDOUT_FILENO};
	struct vs_client_fail fail;
	int err;

	(void)signal(SIGPIPE, SIG_IGN);
	relay.packets = connect_daemon(socket, &fail);
	if (relay.packets < 0) {
		(void)relay_welcome(&relay, RELAY_NO, fail.text);
		return CLI_FAILED;
	}
	err = relay_welcome(&relay, RELAY_OK, "");
	if (!err)
		err = relay_run(&relay);
	close(relay.packets);
	return err ? CLI_FAILED : CLI_OK;
}
