/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/guest/sock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	SOCKET_MODE = 0660,
	BACKLOG = 8,
};

static int address(const char *path, struct sockaddr_un *ret_addr)
{
	size_t len = strlen(path);

	if (!len)
		return -EINVAL;
	if (len >= sizeof(ret_addr->sun_path))
		return -ENAMETOOLONG;
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sun_family = AF_UNIX;
	memcpy(ret_addr->sun_path, path, len);
	return 0;
}

static int stream_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int vs_sock_connect(const char *path)
{
	struct sockaddr_un addr;
	int err;
	int fd;

	err = address(path, &addr);
	if (err)
		return err;
	fd = stream_socket();
	if (fd < 0)
		return fd;
	/* On a Unix socket this never waits: a full backlog is EAGAIN. */
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	return fd;
}

/* Make room for our socket file. Return: 0, or -errno when what is there must stay. */
static int remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = vs_sock_connect(path);
	if (fd >= 0) {
		(void)close(fd);
		return -EADDRINUSE;
	}
	/* Only this answer means that no socket is bound to the file any more. */
	if (fd != -ECONNREFUSED)
		return fd == -ENOENT ? 0 : -EADDRINUSE;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

/*
 * Bind, so that the file has SOCKET_MODE from its first moment on, whatever the umask. Not by
 * chmod(): whoever may write in the folder could put a link to another file in its place before.
 * The umask is the process's, but no other thread makes files.
 */
static int bind_socket(int fd, const struct sockaddr_un *addr)
{
	mode_t before;
	int err = 0;

	if (fchmod(fd, SOCKET_MODE))
		return -errno;
	before = umask(0);
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		err = -errno;
	(void)umask(before);
	return err;
}

int vs_sock_listen(const char *path, struct vs_sock *ret_sock)
{
	struct sockaddr_un addr;
	struct stat st;
	int err;
	int fd;

	err = address(path, &addr);
	if (err)
		return err;
	err = remove_stale(path);
	if (err)
		return err;
	fd = stream_socket();
	if (fd < 0)
		return fd;

	err = bind_socket(fd, &addr);
	if (err)
		goto err_close;
	if (lstat(path, &st) || listen(fd, BACKLOG)) {
		err = -errno;
		goto err_unlink;
	}
	ret_sock->fd = fd;
	ret_sock->dev = st.st_dev;
	ret_sock->ino = st.st_ino;
	return 0;

err_unlink:
	(void)unlink(path);
err_close:
	(void)close(fd);
	return err;
}

void vs_sock_close(const char *path, struct vs_sock *sock)
{
	struct stat st;

	if (sock->fd < 0)
		return;
	if (!lstat(path, &st) && st.st_dev == sock->dev && st.st_ino == sock->ino)
		(void)unlink(path);
	(void)close(sock->fd);
	sock->fd = -1;
}

pid_t vs_sock_peer_pid(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return 0;
	return cred.pid;
}

bool vs_sock_is_dead(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLRDHUP};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR | POLLRDHUP));
}
