/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/guest/conn.h"

#include <event2/event.h>
#include <event2/util.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	OUT_BYTES = VS_VHOST_HDR_BYTES + 8,
};

/**
 * struct vs_conn
 * @msg, @have:	message being read, and how many bytes of it are there
 * @fds:	descriptors that came with it
 * @out, @out_len, @out_sent: reply being written; out_len 0: none
 * @window_s, @spent: the second that costs are counted in, and the cost so far
 */
struct vs_conn {
	const struct vs_conn_ops *ops;
	void *ctx;
	int fd;
	struct event *readable;
	struct event *writable;
	struct event *resume;

	struct vs_vhost_msg msg;
	uint32_t have;
	struct vs_vhost_fds fds;

	uint8_t out[OUT_BYTES];
	uint32_t out_len;
	uint32_t out_sent;

	time_t window_s;
	uint32_t spent;
};

/** Outcome of one step of the state machine. */
enum step {
	STEP_AGAIN,   /* nothing more to do until the next event */
	STEP_MESSAGE, /* a message was handled */
	STEP_ENDED,   /* ops->ended was called, and conn may be gone */
};

static enum step end(struct vs_conn *conn, enum vs_conn_end how, const char *why)
{
	(void)event_del(conn->readable);
	(void)event_del(conn->writable);
	(void)event_del(conn->resume);
	conn->ops->ended(conn->ctx, how, why);
	return STEP_ENDED;
}

/*
 * Take over the descriptors of one control message.
 * Return: 0, or -EPROTO when they are too many.
 */
static int keep_fds(struct vs_conn *conn, const struct cmsghdr *cmsg)
{
	size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	const unsigned char *data = CMSG_DATA(cmsg);
	int too_many[VS_REAP_MAX];
	unsigned int n_too_many = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		if (conn->fds.n < VS_VHOST_FDS_MAX)
			conn->fds.fd[conn->fds.n++] = fd;
		else if (n_too_many < VS_REAP_MAX)
			too_many[n_too_many++] = fd;
	}
	vs_reap_close(conn->fds.reap, too_many, n_too_many);
	return n_too_many ? -EPROTO : 0;
}

/*
 * Read at most @len bytes to @buf, and the descriptors that come with them.
 * Return: bytes, 0 at the end of the stream, or -errno (-EPROTO: too many descriptors).
 */
static ssize_t receive(struct vs_conn *conn, void *buf, size_t len)
{
	/* Room for all there can be: what does not fit is closed by the kernel, here and now. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VS_REAP_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg;
	ssize_t n;
	int err = 0;

	n = recvmsg(conn->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	for (cmsg = CMSG_FIRSTHDR(&mh); cmsg; cmsg = CMSG_NXTHDR(&mh, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
		    keep_fds(conn, cmsg))
			err = -EPROTO;
	if (mh.msg_flags & MSG_CTRUNC)
		err = -EPROTO;
	return err ? err : n;
}

/* Write what is left of the reply. Return: 0, or -errno (not EAGAIN). */
static int flush(struct vs_conn *conn)
{
	ssize_t n;

	n = send(conn->fd, conn->out + conn->out_sent, conn->out_len - conn->out_sent,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	conn->out_sent += (uint32_t)n;
	if (conn->out_sent == conn->out_len) {
		conn->out_len = 0;
		conn->out_sent = 0;
	}
	return 0;
}

/* Hand the complete message over, and begin with the reply. */
static enum step dispatch(struct vs_conn *conn)
{
	enum vs_vhost_result result;
	struct vs_vhost_msg reply;
	uint32_t cost = 1;

	reply.size = 0;
	result = conn->ops->message(conn->ctx, &conn->msg, &conn->fds, &reply, &cost);
	vs_vhost_fds_close(&conn->fds);
	conn->have = 0;
	conn->spent += cost;

	if (vs_reap_in_debt(conn->fds.reap))
		return end(conn, VS_CONN_VIOLATION, "a descriptor that cannot be closed at once");
	if (result == VS_VHOST_CLOSE)
		return end(conn, VS_CONN_REFUSED, NULL);
	if (result == VS_VHOST_REPLY) {
		/* Every reply there is has one u64 or two u32. */
		if (reply.size > OUT_BYTES - VS_VHOST_HDR_BYTES)
			return end(conn, VS_CONN_REFUSED, "a reply that is too long");
		conn->out_len = VS_VHOST_HDR_BYTES + reply.size;
		conn->out_sent = 0;
		memcpy(conn->out, &reply, conn->out_len);
		if (flush(conn))
			return end(conn, VS_CONN_GONE, NULL);
	}
	return STEP_MESSAGE;
}

static const char *check_header(const struct vs_vhost_msg *msg)
{
	if ((msg->flags & VS_VHOST_VERSION_MASK) != VS_VHOST_VERSION)
		return "a message of another protocol version";
	if (msg->flags & VS_VHOST_IS_REPLY)
		return "a reply that nobody asked for";
	if (msg->size > VS_VHOST_PAYLOAD_MAX)
		return "a message longer than any that exists";
	return NULL;
}

/* Read on until @want bytes of the message are there. Return: STEP_MESSAGE when they are. */
static enum step fill(struct vs_conn *conn, uint32_t want)
{
	ssize_t n;

	if (conn->have >= want)
		return STEP_MESSAGE;
	n = receive(conn, (uint8_t *)&conn->msg + conn->have, want - conn->have);
	if (n == -EAGAIN || n == -EINTR)
		return STEP_AGAIN;
	if (n == -EPROTO)
		return end(conn, VS_CONN_VIOLATION, "more descriptors than any message has");
	if (n <= 0)
		return end(conn, VS_CONN_GONE, NULL);
	conn->have += (uint32_t)n;
	return conn->have < want ? STEP_AGAIN : STEP_MESSAGE;
}

/* Read on: the header, then what it announces. */
static enum step step(struct vs_conn *conn)
{
	const char *why;
	enum step s;

	s = fill(conn, VS_VHOST_HDR_BYTES);
	if (s != STEP_MESSAGE)
		return s;
	why = check_header(&conn->msg);
	if (why)
		return end(conn, VS_CONN_VIOLATION, why);
	s = fill(conn, VS_VHOST_HDR_BYTES + conn->msg.size);
	return s == STEP_MESSAGE ? dispatch(conn) : s;
}

/* Has this connection used up its second? Then stop reading until it is over. */
static bool pause_if_flooded(struct vs_conn *conn)
{
	struct timespec now;
	struct timeval rest;

	/* Cannot fail: the clock exists and the pointer is good. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != conn->window_s) {
		conn->window_s = now.tv_sec;
		conn->spent = 0;
	}
	if (conn->spent < VS_CONN_COST_PER_S)
		return false;
	rest.tv_sec = 0;
	rest.tv_usec = 1000000 - now.tv_nsec / 1000;
	if (rest.tv_usec >= 1000000) {
		rest.tv_sec = 1;
		rest.tv_usec = 0;
	}
	if (event_add(conn->resume, &rest))
		return false; /* no memory for the timer: going on is the lesser evil */
	(void)event_del(conn->readable);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct vs_conn *conn = arg;
	uint32_t before;
	enum step s;

	(void)fd;
	(void)what;
	if (pause_if_flooded(conn))
		return;
	before = conn->spent;
	do {
		s = step(conn);
		if (s == STEP_ENDED)
			return;
	} while (s == STEP_MESSAGE && !conn->out_len &&
		 conn->spent - before < VS_CONN_COST_PER_EVENT);

	if (conn->out_len) {
		(void)event_del(conn->readable);
		if (event_add(conn->writable, NULL))
			(void)end(conn, VS_CONN_GONE, NULL);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct vs_conn *conn = arg;

	(void)fd;
	(void)what;
	if (flush(conn)) {
		(void)end(conn, VS_CONN_GONE, NULL);
		return;
	}
	if (conn->out_len)
		return;
	(void)event_del(conn->writable);
	if (event_add(conn->readable, NULL))
		(void)end(conn, VS_CONN_GONE, NULL);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct vs_conn *conn = arg;

	(void)fd;
	(void)what;
	if (event_add(conn->readable, NULL))
		(void)end(conn, VS_CONN_GONE, NULL);
}

int vs_conn_new(struct event_base *base, int fd, const struct vs_conn_ops *ops, void *ctx,
		struct vs_conn **ret_conn)
{
	struct vs_conn *conn;

	if (evutil_make_socket_nonblocking(fd))
		return -errno;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return -ENOMEM;
	conn->ops = ops;
	conn->ctx = ctx;
	conn->fd = fd;
	conn->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, conn);
	conn->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, conn);
	conn->resume = event_new(base, -1, 0, on_resume, conn);
	if (!conn->readable || !conn->writable || !conn->resume || event_add(conn->readable, NULL))
		goto err_free;
	*ret_conn = conn;
	return 0;

err_free:
	conn->fd = -1;
	vs_conn_free(conn);
	return -ENOMEM;
}

void vs_conn_free(struct vs_conn *conn)
{
	if (conn->readable)
		event_free(conn->readable);
	if (conn->writable)
		event_free(conn->writable);
	if (conn->resume)
		event_free(conn->resume);
	vs_vhost_fds_close(&conn->fds);
	if (conn->fd >= 0)
		vs_reap_socket(conn->fds.reap, conn->fd);
	free(conn);
}

void vs_conn_set_reap(struct vs_conn *conn, struct vs_reap *reap)
{
	conn->fds.reap = reap;
}

int vs_conn_fd(const struct vs_conn *conn)
{
	return conn->fd;
}
