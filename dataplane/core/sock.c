/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* linux 6.16; the C library of Debian 12 does not name it */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

enum {
	SOCKET_MODE = 0660,
	LOCK_MODE = 0600,
	BACKLOG = 8,
	/* How long to wait for a rival that is just making its socket. */
	LOCK_TRIES = 100,
	LOCK_WAIT_US = 10 * 1000,
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

static int new_socket(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int connect_as(int type, const char *path)
{
	struct sockaddr_un addr;
	int err;
	int fd;

	err = address(path, &addr);
	if (err)
		return err;
	fd = new_socket(type);
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

int vs_sock_connect(const char *path)
{
	return connect_as(SOCK_STREAM, path);
}

/* Make room for our socket file. Return: 0, or -errno when what is there must stay. */
static int remove_stale(const struct vs_sock_spec *spec)
{
	struct stat st;
	int fd;

	if (lstat(spec->path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = connect_as(spec->type, spec->path);
	if (fd >= 0) {
		(void)close(fd);
		return -EADDRINUSE;
	}
	if (fd == -ENOENT || fd == -EACCES || fd == -EPERM)
		return fd == -ENOENT ? 0 : fd;
	/* Only this answer means that no socket is bound to the file any more. */
	if (fd != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(spec->path) && errno != ENOENT ? -errno : 0;
}

/*
 * Bind, so that the file has its mode from its first moment on, whatever the umask. Not by
 * chmod(): whoever may write in the folder could put a link to another file in its place before.
 * The umask is the process's, but no other thread makes files.
 */
static int bind_socket(int fd, const struct sockaddr_un *addr, mode_t mode)
{
	mode_t before;
	int err = 0;

	if (fchmod(fd, mode))
		return -errno;
	before = umask(0);
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		err = -errno;
	(void)umask(before);
	return err;
}

/*
 * DOC: rivals
 *
 * Two processes must not replace the same stale socket. They agree by a locked file beside it,
 * which nobody else may open: whoever may read the folder could lock that, or a file that is open
 * to all, and keep the socket from being made. Its name is there only as long as somebody holds
 * it, so that the next one may be another user. The holder removes it; whoever has opened it
 * before and gets the lock after finds that the name means another file, or none, and begins anew.
 */

struct lock {
	int folder;
	int fd;
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof("..lock")];
};

/* Return: a descriptor of the file that everybody locks, or -errno; -EEXIST it is somebody's. */
static int open_lock(const struct lock *lock)
{
	int fd = openat(lock->folder, lock->name,
			O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, LOCK_MODE);
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : 0;
	/* It is removed afterwards: nothing that may be of use to anybody. */
	if (!err && (!S_ISREG(st.st_mode) || st.st_size > 0))
		err = -EEXIST;
	if (err) {
		(void)close(fd);
		return err;
	}
	return fd;
}

/* Does the name still mean the file that is locked? */
static bool holds_name(const struct lock *lock)
{
	struct stat mine, there;

	return !fstat(lock->fd, &mine) &&
	       !fstatat(lock->folder, lock->name, &there, AT_SYMLINK_NOFOLLOW) &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/* Wait for the lock. Return: 0, -EADDRINUSE a rival keeps it, or -errno. */
static int wait_for_lock(struct lock *lock)
{
	int i;

	for (i = 0; i < LOCK_TRIES; i++) {
		lock->fd = open_lock(lock);
		if (lock->fd < 0)
			return lock->fd;
		if (flock(lock->fd, LOCK_EX | LOCK_NB) == 0 && holds_name(lock))
			return 0;
		(void)close(lock->fd);
		(void)usleep(LOCK_WAIT_US);
	}
	return -EADDRINUSE;
}

static int take_lock(const char *path, struct lock *lock)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');
	int err;

	(void)snprintf(lock->name, sizeof(lock->name), ".%s.lock", slash ? slash + 1 : path);
	memcpy(copy, path, strlen(path) + 1);
	lock->folder = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (lock->folder < 0)
		return -errno;
	err = wait_for_lock(lock);
	if (err)
		(void)close(lock->folder);
	return err;
}

static void drop_lock(const struct lock *lock)
{
	(void)unlinkat(lock->folder, lock->name, 0);
	(void)close(lock->fd);
	(void)close(lock->folder);
}

static int start_listening(const struct vs_sock_spec *spec, const struct sockaddr_un *addr,
			   struct vs_sock *ret_sock)
{
	const int off = 0;
	struct stat st;
	int err;
	int fd;

	err = remove_stale(spec);
	if (err)
		return err;
	fd = new_socket(spec->type);
	if (fd < 0)
		return fd;
	/* connections inherit it; where the kernel does not know it, the listener has to cope */
	if (spec->fds == VS_SOCK_FDS_REFUSED)
		(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));

	err = bind_socket(fd, addr, spec->mode);
	if (err)
		goto err_close;
	if (lstat(spec->path, &st) || listen(fd, spec->backlog)) {
		err = -errno;
		goto err_unlink;
	}
	ret_sock->fd = fd;
	ret_sock->dev = st.st_dev;
	ret_sock->ino = st.st_ino;
	ret_sock->gid = st.st_gid;
	return 0;

err_unlink:
	(void)unlink(spec->path);
err_close:
	(void)close(fd);
	return err;
}

int vs_sock_listen_as(const struct vs_sock_spec *spec, struct vs_sock *ret_sock)
{
	struct sockaddr_un addr;
	struct lock lock;
	int err;

	err = address(spec->path, &addr);
	if (err)
		return err;
	if (spec->rivals == VS_SOCK_ALONE)
		return start_listening(spec, &addr, ret_sock);
	err = take_lock(spec->path, &lock);
	if (err)
		return err;
	err = start_listening(spec, &addr, ret_sock);
	drop_lock(&lock);
	return err;
}

int vs_sock_listen(const char *path, struct vs_sock *ret_sock)
{
	const struct vs_sock_spec spec = {
		.path = path,
		.type = SOCK_STREAM,
		.mode = SOCKET_MODE,
		.backlog = BACKLOG,
	};

	return vs_sock_listen_as(&spec, ret_sock);
}

/* By its descriptor: whoever may write in the folder could put another file in its place. */
int vs_sock_give(const char *path, const struct vs_sock *sock, gid_t group)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : 0;
	if (!err && (!S_ISSOCK(st.st_mode) || st.st_dev != sock->dev || st.st_ino != sock->ino))
		err = -ESTALE;
	if (!err && st.st_gid != group && fchownat(fd, "", (uid_t)-1, group, AT_EMPTY_PATH))
		err = -errno;
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
