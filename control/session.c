/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/session.h"

#include "control/batch.h"
#include "control/dispatch.h"
#include "control/obj.h"
#include "dataplane/core/log.h"
#include "dataplane/core/reap.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/*
 * DOC: flow control
 *
 * A client is either being read or being written to. As long as answers wait in @out, or a dump
 * has records left, its requests stay in the socket, so what the daemon holds for one client is
 * bounded by one slice of a dump, one answer, and NOTICE_BYTES_MAX of notices; besides its batch
 * (batch.h), and what answers that. A client that takes
 * nothing for VS_STALL_SECONDS is disconnected; a subscriber is not (somebody may look at a
 * stopped terminal), it loses notices instead.
 *
 * Notices and captured frames that wait do not keep requests from being read: a client may stop a
 * capture that never stops sending. What one request adds is an answer, and that does.
 *
 * One callback handles at most REQUESTS_PER_TURN requests or produces one slice, then all other
 * descriptors of the event loop get their turn.
 */
enum {
	REQUESTS_PER_TURN = 16,
	NOTICE_BYTES_MAX = 64 * 1024,
	/** Of captured frames; more of them wait in the rings of the capture. */
	FEED_BYTES_MAX = 256 * 1024,
	/** Dumps fill datagrams up to this size. */
	DGRAM_FILL = 16 * 1024,
};

struct vs_dgram {
	STAILQ_ENTRY(vs_dgram) link;
	size_t len;
	size_t room;
	bool notice;
	uint32_t data[];
};

_Static_assert(DGRAM_FILL <= (int)VS_ANSWER_MAX && DGRAM_FILL >= (int)VS_MESSAGE_MAX,
	       "it all fits");

static struct vs_log_limit dropped_limit = {.burst = 10, .interval_s = 60};

static uint64_t now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec;
}

static struct vs_dgram *queue_dgram(struct vs_session *s, size_t room)
{
	struct vs_dgram *d = malloc(sizeof(*d) + room);

	if (!d)
		return NULL;
	*d = (struct vs_dgram){.room = room};
	STAILQ_INSERT_TAIL(&s->out, d, link);
	s->out_last = d;
	return d;
}

static void append(struct vs_session *s, struct vs_dgram *d, const struct nlmsghdr *nlh)
{
	memcpy((char *)d->data + d->len, nlh, nlh->nlmsg_len);
	d->len += NLMSG_ALIGN(nlh->nlmsg_len);
	s->out_bytes += NLMSG_ALIGN(nlh->nlmsg_len);
}

int vs_session_put(struct vs_session *s, const struct nlmsghdr *nlh)
{
	struct vs_dgram *d = STAILQ_EMPTY(&s->out) ? NULL : s->out_last;
	size_t len = NLMSG_ALIGN(nlh->nlmsg_len);

	if (!d || d->notice || len > d->room - d->len)
		d = queue_dgram(s, s->packs || nlh->nlmsg_flags & NLM_F_MULTI ? DGRAM_FILL : len);
	if (!d) {
		s->broken = -ENOMEM;
		return -ENOMEM;
	}
	append(s, d, nlh);
	return 0;
}

void vs_session_pack(struct vs_session *s, bool packs)
{
	s->packs = packs;
}

void vs_session_notify(struct vs_session *s, const struct nlmsghdr *nlh)
{
	size_t len = NLMSG_ALIGN(nlh->nlmsg_len);
	struct vs_dgram *d = NULL;

	/* once one is lost, all are until the client has caught up: no gap goes unannounced */
	if (!s->lost && s->notice_bytes + len <= NOTICE_BYTES_MAX)
		d = queue_dgram(s, len);
	if (!d) {
		s->lost++;
		return;
	}
	d->notice = true;
	s->notice_bytes += len;
	append(s, d, nlh);
	event_add(s->write_ev, NULL);
}

int vs_session_feed(struct vs_session *s, const struct nlmsghdr *nlh)
{
	struct vs_dgram *d = STAILQ_EMPTY(&s->out) ? NULL : s->out_last;
	size_t len = NLMSG_ALIGN(nlh->nlmsg_len);

	if (s->notice_bytes + len > FEED_BYTES_MAX)
		return -ENOBUFS;
	if (!d || !d->notice || len > d->room - d->len)
		d = queue_dgram(s, len > DGRAM_FILL ? len : DGRAM_FILL);
	if (!d)
		return -ENOMEM;
	d->notice = true;
	s->notice_bytes += len;
	append(s, d, nlh);
	event_add(s->write_ev, NULL);
	return 0;
}

/** send_some() - hand datagrams to the socket until it is full. Return: 0, or -errno. */
static int send_some(struct vs_session *s)
{
	struct vs_dgram *d;

	while ((d = STAILQ_FIRST(&s->out)) != NULL) {
		ssize_t n = send(s->fd, d->data, d->len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
		STAILQ_REMOVE_HEAD(&s->out, link);
		s->out_bytes -= d->len;
		s->notice_bytes -= d->notice ? d->len : 0;
		free(d);
	}
	return 0;
}

static bool is_busy(const struct vs_session *s)
{
	return s->out_bytes > s->notice_bytes || s->dump.request;
}

/** settle() - send, then wait for what comes next; or close. @s may be gone afterwards. */
static void settle(struct vs_session *s)
{
	const struct timeval stall = {.tv_sec = VS_STALL_SECONDS};
	int ret = 0;

	if (!s->broken)
		s->broken = send_some(s);
	if (!s->broken && STAILQ_EMPTY(&s->out) && s->lost) {
		vs_monitor_overflow(s);
		s->broken = send_some(s);
	}
	if (!s->broken)
		ret = is_busy(s) ? event_del(s->read_ev) : event_add(s->read_ev, NULL);
	if (!s->broken && !ret && (is_busy(s) || !STAILQ_EMPTY(&s->out)))
		ret = event_add(s->write_ev, s->subscribed || s->feed ? NULL : &stall);
	else if (!s->broken && !ret)
		ret = event_del(s->write_ev);
	if (s->broken || ret)
		vs_session_close(s);
}

/* Take one datagram; descriptors have no business here. Return: its length as sent, or -1. */
static ssize_t receive(struct vs_session *s, void *buf, size_t size)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VS_REAP_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	/* MSG_TRUNC: the length as it was sent, not as it fitted */
	ssize_t n = recvmsg(s->fd, &mh, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);

	if (n >= 0)
		vs_reap_received(s->reap, &mh);
	return n;
}

/** touch() - it is not idle: it goes to the end of the line. */
static void touch(struct vs_session *s)
{
	s->active_s = now_s();
	TAILQ_REMOVE(&s->hub->sessions, s, link);
	TAILQ_INSERT_TAIL(&s->hub->sessions, s, link);
}

static void on_read(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_session *s = ctx;
	int i;

	for (i = 0; i < REQUESTS_PER_TURN && !is_busy(s) && !s->broken; i++) {
		ssize_t n = receive(s, s->hub->request, sizeof(s->hub->request));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			s->broken = n < 0 ? -errno : -ECONNRESET;
			break;
		}
		/* whoever has us close what cannot be closed does so once */
		if (vs_reap_in_debt(s->reap)) {
			s->broken = -EPROTO;
			break;
		}
		touch(s);
		vs_dispatch(s, s->hub->request, (size_t)n);
		if (!s->broken)
			s->broken = send_some(s);
	}
	settle(s);
}

static void on_write(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_session *s = ctx;

	if (what & EV_TIMEOUT) {
		vs_log_limited(&dropped_limit, VS_LOG_WARNING,
			       "control: client (process %d) took no answer for %d s: "
			       "disconnected",
			       (int)s->peer.pid, VS_STALL_SECONDS);
		vs_session_close(s);
		return;
	}
	s->broken = send_some(s);
	if (!s->broken && STAILQ_EMPTY(&s->out) && s->dump.request)
		vs_dispatch_more(s);
	if (!s->broken && s->feed)
		vs_feed_more(s);
	settle(s);
}

int vs_session_open(struct vs_hub *hub, int fd, const struct vs_cred *peer)
{
	struct vs_session *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->hub = hub;
	s->fd = fd;
	s->peer = *peer;
	s->active_s = now_s();
	s->reap = vs_reap_new();
	STAILQ_INIT(&s->out);
	s->read_ev = event_new(hub->base, fd, EV_READ | EV_PERSIST, on_read, s);
	s->write_ev = event_new(hub->base, fd, EV_WRITE, on_write, s);
	if (!s->reap || !s->read_ev || !s->write_ev || event_add(s->read_ev, NULL))
		goto err_free;
	TAILQ_INSERT_TAIL(&hub->sessions, s, link);
	hub->n_sessions++;
	return 0;

err_free:
	if (s->write_ev)
		event_free(s->write_ev);
	if (s->read_ev)
		event_free(s->read_ev);
	vs_reap_put(s->reap);
	free(s);
	return -ENOMEM;
}

void vs_session_close(struct vs_session *s)
{
	struct vs_dgram *d;

	vs_feed_free(s);
	/* a last word, such as the error that this connection is closed for */
	if (s->broken == -EBADMSG)
		(void)send_some(s);
	while ((d = STAILQ_FIRST(&s->out)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->out, link);
		free(d);
	}
	vs_batch_drop(s);
	TAILQ_REMOVE(&s->hub->sessions, s, link);
	s->hub->n_sessions--;
	event_free(s->read_ev);
	event_free(s->write_ev);
	free(s->dump.request);
	/* requests that were not read may hold descriptors, whose end may be long in coming */
	vs_reap_socket(s->reap, s->fd);
	vs_reap_put(s->reap);
	free(s);
}

bool vs_session_is_idle(const struct vs_session *s)
{
	return !is_busy(s) && !s->subscribed && !s->batch && !s->feed;
}

uint64_t vs_session_idle_s(const struct vs_session *s)
{
	return now_s() - s->active_s;
}

void vs_session_dismiss(struct vs_session *s, const struct vs_refusal *why)
{
	uint32_t buf[512 / 4];
	struct vs_msg msg;

	vs_msg_init_error(&msg, buf, sizeof(buf), NULL, why);
	s->broken = -EBADMSG; /* it is sent when the session is closed */
	(void)vs_session_put(s, msg.nlh);
	vs_session_close(s);
}
