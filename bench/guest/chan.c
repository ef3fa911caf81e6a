/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket of vhost-user as the front end sees it.
 *
 * Every wait has a deadline: a back end that says nothing must fail a test, not hang it. The
 * sockets are non-blocking and each operation polls with what is left of its time.
 */
#include "bench/guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/guest/deadline.h"

/* Wait for events on a descriptor: 0, -ETIMEDOUT or -errno. An error state counts as ready. */
static int wait_for(int fd, short events, const struct timespec *end)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do {
		n = poll(&p, 1, vsg_deadline_left(end));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int address(const char *path, struct sockaddr_un *ret_addr)
{
	size_t len = strlen(path);

	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sun_family = AF_UNIX;
	if (len == 0 || len >= sizeof(ret_addr->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret_addr->sun_path, path, len + 1);
	return 0;
}

/**
 * vsg_chan_init() - make a channel that is neither listening nor connected
 * @chan: channel
 */
void vsg_chan_init(struct vsg_chan *chan)
{
	memset(chan, 0, sizeof(*chan));
	chan->fd = -1;
	chan->listen_fd = -1;
}

/**
 * vsg_chan_listen() - be the server of a socket, the usual role of a VMM
 * @chan: initialised channel
 * @path: file name; a socket left over there is replaced
 *
 * Return: 0 or -errno.
 */
int vsg_chan_listen(struct vsg_chan *chan, const char *path)
{
	struct sockaddr_un addr;
	int err, fd;

	err = address(path, &addr);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		goto err_close;
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		goto err_close;
	if (listen(fd, 1) < 0)
		goto err_close;
	chan->listen_fd = fd;
	memcpy(chan->path, addr.sun_path, sizeof(chan->path));
	return 0;

err_close:
	err = -errno;
	close(fd);
	return err;
}

/**
 * vsg_chan_accept() - wait for the back end to connect
 * @chan: listening channel; a connection it still has is closed
 * @timeout_ms: time limit
 *
 * Return: 0, -ETIMEDOUT or -errno.
 */
int vsg_chan_accept(struct vsg_chan *chan, int timeout_ms)
{
	struct timespec end;
	int err, fd;

	vsg_chan_hangup(chan);
	vsg_deadline_set(&end, timeout_ms);
	do {
		err = wait_for(chan->listen_fd, POLLIN, &end);
		if (err)
			return err;
		fd = accept4(chan->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR));
	if (fd < 0)
		return -errno;
	chan->fd = fd;
	return 0;
}

/**
 * vsg_chan_connect() - be the client of a socket
 * @chan: initialised channel
 * @path: file name
 * @timeout_ms: time limit; until then a missing or silent server is tried again
 *
 * Return: 0 or -errno of the last attempt.
 */
int vsg_chan_connect(struct vsg_chan *chan, const char *path, int timeout_ms)
{
	struct sockaddr_un addr;
	struct timespec end;
	int err, fd;

	err = address(path, &addr);
	if (err)
		return err;
	vsg_chan_hangup(chan);
	vsg_deadline_set(&end, timeout_ms);
	for (;;) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
			break;
		err = -errno;
		close(fd);
		if (err != -ENOENT && err != -ECONNREFUSED && err != -EAGAIN && err != -EINTR)
			return err;
		if (vsg_deadline_left(&end) == 0)
			return err;
		/* A file that does not exist yet cannot be polled. */
		poll(NULL, 0, 2);
	}
	chan->fd = fd;
	memcpy(chan->path, addr.sun_path, sizeof(chan->path));
	return 0;
}

/**
 * vsg_chan_hangup() - close the connection; a server goes on listening
 * @chan: channel
 */
void vsg_chan_hangup(struct vsg_chan *chan)
{
	if (chan->fd >= 0)
		close(chan->fd);
	chan->fd = -1;
}

/**
 * vsg_chan_close() - close everything; the file of a server is removed
 * @chan: channel
 */
void vsg_chan_close(struct vsg_chan *chan)
{
	vsg_chan_hangup(chan);
	if (chan->listen_fd >= 0) {
		close(chan->listen_fd);
		unlink(chan->path);
	}
	chan->listen_fd = -1;
}

/**
 * vsg_chan_is_alive() - does the back end still hold its end?
 * @chan: channel
 *
 * Return: false if there is no connection or the peer has closed it.
 */
bool vsg_chan_is_alive(const struct vsg_chan *chan)
{
	struct pollfd p = {.fd = chan->fd, .events = POLLRDHUP};

	if (chan->fd < 0)
		return false;
	if (poll(&p, 1, 0) < 0)
		return false;
	return (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) == 0;
}

/**
 * vsg_chan_send() - send bytes as they are, with descriptors on the first of them
 * @chan: connected channel
 * @buf: bytes: a message, a part of one, or none
 * @len: their number
 * @fds: descriptors; they stay the caller's
 * @n_fds: their number, VSG_MAX_FDS at most
 * @timeout_ms: time limit
 *
 * Return: 0 when all bytes are sent, -ETIMEDOUT, -EPIPE or -errno.
 */
int vsg_chan_send(struct vsg_chan *chan, const void *buf, size_t len, const int *fds,
		  uint32_t n_fds, int timeout_ms)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * VSG_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct msghdr mh = {0};
	struct timespec end;
	const char *p = buf;
	struct cmsghdr *cm;
	struct iovec iov;
	ssize_t n;
	int err;

	if (chan->fd < 0)
		return -ENOTCONN;
	if (n_fds > VSG_MAX_FDS)
		return -E2BIG;
	memset(&control, 0, sizeof(control));
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (n_fds > 0) {
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * n_fds);
	}
	vsg_deadline_set(&end, timeout_ms);
	while (len > 0) {
		/* sendmsg() reads only; its interface has no room for const. */
		iov.iov_base = (void *)(uintptr_t)p;
		iov.iov_len = len;
		n = sendmsg(chan->fd, &mh, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			err = wait_for(chan->fd, POLLOUT, &end);
			if (err)
				return err;
			continue;
		}
		p += n;
		len -= (size_t)n;
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
	}
	return 0;
}

/* Take over the descriptors that came with bytes. */
static void collect_fds(struct msghdr *mh, struct vsg_msg *msg)
{
	struct cmsghdr *cm;
	uint32_t i, n;
	int fd;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (uint32_t)((cm->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (msg->n_fds < VSG_MAX_FDS)
				msg->fds[msg->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

/* Read exactly @len bytes. */
static int read_all(struct vsg_chan *chan, void *buf, size_t len, struct vsg_msg *msg,
		    const struct timespec *end)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * VSG_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct msghdr mh = {0};
	struct iovec iov;
	char *p = buf;
	ssize_t n;
	int err;

	while (len > 0) {
		iov.iov_base = p;
		iov.iov_len = len;
		mh.msg_iov = &iov;
		mh.msg_iovlen = 1;
		mh.msg_control = control.buf;
		mh.msg_controllen = sizeof(control.buf);
		n = recvmsg(chan->fd, &mh, MSG_CMSG_CLOEXEC);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			err = wait_for(chan->fd, POLLIN, end);
			if (err)
				return err;
			continue;
		}
		collect_fds(&mh, msg);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/**
 * vsg_chan_recv() - receive one message
 * @chan: connected channel
 * @ret_msg: filled in; its descriptors become the caller's
 * @timeout_ms: time limit for the whole message
 *
 * Return: 0, -ETIMEDOUT, -ECONNRESET when the peer has closed, -EMSGSIZE for a payload that does
 * not fit, or -errno. After an error the stream has no defined position.
 */
int vsg_chan_recv(struct vsg_chan *chan, struct vsg_msg *ret_msg, int timeout_ms)
{
	struct timespec end;
	int err;

	if (chan->fd < 0)
		return -ENOTCONN;
	ret_msg->n_fds = 0;
	vsg_deadline_set(&end, timeout_ms);
	err = read_all(chan, &ret_msg->hdr, sizeof(ret_msg->hdr), ret_msg, &end);
	if (!err && ret_msg->hdr.size > sizeof(ret_msg->payload))
		err = -EMSGSIZE;
	if (!err)
		err = read_all(chan, ret_msg->payload, ret_msg->hdr.size, ret_msg, &end);
	if (err)
		vsg_msg_close_fds(ret_msg);
	return err;
}

/**
 * vsg_msg_close_fds() - close the descriptors that came with a message
 * @msg: message
 */
void vsg_msg_close_fds(struct vsg_msg *msg)
{
	uint32_t i;

	for (i = 0; i < msg->n_fds; i++)
		close(msg->fds[i]);
	msg->n_fds = 0;
}
