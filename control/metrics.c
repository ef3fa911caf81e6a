/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/metrics.h"

#include "control/metrics_place.h"
#include "control/metrics_text.h"
#include "dataplane/core/log.h"
#include "dataplane/core/sock.h"

#include <event2/buffer.h>
#include <event2/event.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * DOC: as much HTTP as it takes
 *
 * One request per connection: what comes up to the first blank line is read, its first line is
 * looked at, one answer is sent, and the connection is closed (RFC 9112, sections 2.2, 3, 9.6; a
 * body is read and ignored). The HTTP server of libevent 2.1 is not used: it bounds neither how
 * many are connected nor how long, and cannot tell when one has gone.
 *
 * Bounds:
 * - CLIENTS_MAX connections; one more takes the place of the oldest.
 * - HEADER_BYTES_MAX of request, and LIFE_SECONDS from the first moment to the last.
 * - A text is used again for REUSE times as long as it took to write. So the control thread spends
 *   at most one part in REUSE of its time on texts, however often somebody asks.
 */
enum {
	CLIENTS_MAX = 8,
	ACCEPTS_PER_TURN = 4,
	BACKLOG = 16,
	SOCKET_MODE = 0660,
	HEADER_BYTES_MAX = 4096,
	READ_BYTES = 4096,
	/** What is read and ignored behind the request. */
	REST_BYTES_MAX = 32 * 1024,
	LIFE_SECONDS = 20,
	REUSE = 20,
};

/** Where a connection is. */
enum state {
	READING,   /* its request */
	ANSWERING, /* @out has what is left to send */
	LINGERING, /* all is sent; closing now could cost the client its end (RFC 9112, 9.6) */
};

/** struct client - a connection; @rest bytes came behind its request */
struct client {
	TAILQ_ENTRY(client) link;
	struct vs_metrics *m;
	int fd;
	enum state state;
	size_t rest;
	struct evbuffer *in;
	struct evbuffer *out;
	struct event *read_ev;
	struct event *write_ev;
	struct event *end_ev;
};

TAILQ_HEAD(clients, client);

/**
 * struct vs_metrics - the server
 * @sock:	the listening socket of either kind; a file only if @place has a path
 * @clients:	the oldest first
 * @text:	what was sent last, made at @made_ns; it took @cost_ns
 */
struct vs_metrics {
	struct vs_metrics_source source;
	struct event_base *base;
	struct vs_metrics_place place;
	struct vs_sock sock;
	struct event *accept_ev;
	struct event *pause_ev;
	struct clients clients;
	unsigned int n_clients;
	struct evbuffer *text;
	uint64_t made_ns;
	uint64_t cost_ns;
};

static struct vs_log_limit accept_limit = {.burst = 1, .interval_s = 60};

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- answers ---- */

/* Return: 0 with a text in @m->text that is fresh enough, or -ENOMEM. */
static int refresh(struct vs_metrics *m)
{
	uint64_t begin = now_ns();
	struct evbuffer *text;

	if (m->text && begin - m->made_ns < m->cost_ns * REUSE)
		return 0;
	text = evbuffer_new();
	if (!text || vs_metrics_text(&m->source, text)) {
		if (text)
			evbuffer_free(text);
		return -ENOMEM;
	}
	if (m->text)
		evbuffer_free(m->text);
	m->text = text;
	m->made_ns = now_ns();
	m->cost_ns = m->made_ns - begin;
	return 0;
}

static int put_head(struct evbuffer *out, const char *status, const char *type, size_t len)
{
	return evbuffer_add_printf(out,
				   "HTTP/1.1 %s\r\n"
				   "Content-Type: %s; charset=utf-8\r\n"
				   "Content-Length: %zu\r\n"
				   "Connection: close\r\n"
				   "\r\n",
				   status, type, len) < 0
		       ? -ENOMEM
		       : 0;
}

/* An answer of one sentence. */
static int put_sentence(struct evbuffer *out, const char *status, const char *sentence)
{
	int err = put_head(out, status, "text/plain", strlen(sentence));

	return err ? err : evbuffer_add(out, sentence, strlen(sentence));
}

enum method {
	METHOD_GET,
	METHOD_HEAD,
};

static int put_metrics(struct client *c, enum method method)
{
	struct vs_metrics *m = c->m;
	int err = refresh(m);

	if (!err)
		err = put_head(c->out, "200 OK", "text/plain; version=0.0.4",
			       evbuffer_get_length(m->text));
	/* it is not copied: the answer refers to it, and keeps it for as long as it needs */
	if (!err && method == METHOD_GET)
		err = evbuffer_add_buffer_reference(c->out, m->text);
	return err;
}

static bool is_metrics(const char *target)
{
	static const char path[] = "/metrics";
	size_t len = sizeof(path) - 1;

	return strncmp(target, path, len) == 0 && (target[len] == '\0' || target[len] == '?');
}

/* @line: the first one of the request. Return: 0, or -1 when there is no memory. */
static int put_answer(struct client *c, char *line)
{
	char *rest = NULL;
	const char *method = strtok_r(line, " ", &rest);
	const char *target = strtok_r(NULL, " ", &rest);
	const char *version = strtok_r(NULL, " ", &rest);

	if (!version || strncmp(version, "HTTP/1.", 7) != 0)
		return put_sentence(c->out, "400 Bad Request", "This is no HTTP/1 request.\n");
	if (!is_metrics(target))
		return put_sentence(c->out, "404 Not Found", "There is nothing but /metrics.\n");
	if (strcmp(method, "GET") == 0)
		return put_metrics(c, METHOD_GET);
	if (strcmp(method, "HEAD") == 0)
		return put_metrics(c, METHOD_HEAD);
	return put_sentence(c->out, "501 Not Implemented", "Only GET and HEAD are known.\n");
}

/* ---- connections ---- */

static void drop_client(struct client *c)
{
	TAILQ_REMOVE(&c->m->clients, c, link);
	c->m->n_clients--;
	event_free(c->read_ev);
	event_free(c->write_ev);
	event_free(c->end_ev);
	evbuffer_free(c->in);
	evbuffer_free(c->out);
	(void)close(c->fd);
	free(c);
}

/* Is the request complete, up to its blank line? */
static bool is_complete(struct evbuffer *in)
{
	return evbuffer_search(in, "\r\n\r\n", 4, NULL).pos >= 0 ||
	       evbuffer_search(in, "\n\n", 2, NULL).pos >= 0;
}

/* Return: 0, or -1: the connection is of no use any more. */
static int read_request(struct client *c)
{
	char *line;
	int err;

	if (is_complete(c->in)) {
		line = evbuffer_readln(c->in, NULL, EVBUFFER_EOL_CRLF);
		err = line ? put_answer(c, line) : -1;
		free(line);
	} else if (evbuffer_get_length(c->in) >= HEADER_BYTES_MAX) {
		err = put_sentence(c->out, "431 Request Header Fields Too Large",
				   "The request has no end.\n");
	} else {
		return 0;
	}
	if (err)
		return -1;
	c->state = ANSWERING;
	return event_add(c->write_ev, NULL);
}

static void on_read(evutil_socket_t fd, short what, void *ctx)
{
	struct client *c = ctx;
	int n = evbuffer_read(c->in, fd, READ_BYTES);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* who says no more may still want the answer */
		if (n == 0 && c->state == ANSWERING)
			(void)event_del(c->read_ev);
		else
			drop_client(c);
		return;
	}
	if (c->state == READING) {
		if (read_request(c))
			drop_client(c);
		return;
	}
	(void)evbuffer_drain(c->in, evbuffer_get_length(c->in));
	c->rest += (size_t)n;
	if (c->rest > REST_BYTES_MAX)
		drop_client(c);
}

static void on_write(evutil_socket_t fd, short what, void *ctx)
{
	struct client *c = ctx;
	int n = evbuffer_write(c->out, fd);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n >= 0 && evbuffer_get_length(c->out) > 0)
		return;
	/* nothing is left, and nobody there reads on: there is nothing to linger for */
	if (n < 0 || shutdown(fd, SHUT_WR) || event_del(c->write_ev) ||
	    !event_pending(c->read_ev, EV_READ, NULL)) {
		drop_client(c);
		return;
	}
	c->state = LINGERING;
}

static void on_end_of_life(evutil_socket_t fd, short what, void *ctx)
{
	drop_client(ctx);
}

static int start_client(struct client *c)
{
	const struct timeval life = {.tv_sec = LIFE_SECONDS};
	struct event_base *base = c->m->base;

	c->in = evbuffer_new();
	c->out = evbuffer_new();
	c->read_ev = event_new(base, c->fd, EV_READ | EV_PERSIST, on_read, c);
	c->write_ev = event_new(base, c->fd, EV_WRITE | EV_PERSIST, on_write, c);
	c->end_ev = evtimer_new(base, on_end_of_life, c);
	if (!c->in || !c->out || !c->read_ev || !c->write_ev || !c->end_ev)
		return -ENOMEM;
	return event_add(c->read_ev, NULL) || event_add(c->end_ev, &life) ? -ENOMEM : 0;
}

static void new_client(struct vs_metrics *m, int fd)
{
	struct client *c;

	if (m->n_clients >= CLIENTS_MAX)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see what TAILQ_REMOVE does. */
		drop_client(TAILQ_FIRST(&m->clients));
	c = calloc(1, sizeof(*c));
	if (!c) {
		(void)close(fd);
		return;
	}
	c->m = m;
	c->fd = fd;
	if (start_client(c) == 0) {
		TAILQ_INSERT_TAIL(&m->clients, c, link);
		m->n_clients++;
		return;
	}
	if (c->end_ev)
		event_free(c->end_ev);
	if (c->write_ev)
		event_free(c->write_ev);
	if (c->read_ev)
		event_free(c->read_ev);
	if (c->out)
		evbuffer_free(c->out);
	if (c->in)
		evbuffer_free(c->in);
	free(c);
	(void)close(fd);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *ctx)
{
	const struct timeval pause = {.tv_sec = 1};
	struct vs_metrics *m = ctx;
	int i, fd;

	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			new_client(m, fd);
			continue;
		}
		/* no descriptor left: the connection stays in the backlog, do not spin on it */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			vs_log_limited(&accept_limit, VS_LOG_ERROR,
				       "metrics: no connection accepted: %s", strerror(errno));
			(void)event_del(m->accept_ev);
			(void)event_add(m->pause_ev, &pause);
		}
		return;
	}
}

static void on_pause_end(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_metrics *m = ctx;

	(void)event_add(m->accept_ev, NULL);
}

/* ---- life ---- */

static int listen_on_address(struct vs_metrics *m)
{
	const struct sockaddr *addr = (const struct sockaddr *)&m->place.addr;
	const int on = 1;
	int fd, err;

	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* a daemon that starts again does not wait for the connections of the last one */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, addr, m->place.len) || listen(fd, BACKLOG)) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	m->sock.fd = fd;
	return 0;
}

static int open_socket(struct vs_metrics *m)
{
	const struct vs_sock_spec spec = {
		.path = m->place.path,
		.type = SOCK_STREAM,
		.mode = SOCKET_MODE,
		.backlog = BACKLOG,
		.rivals = VS_SOCK_RIVALS,
		.fds = VS_SOCK_FDS_REFUSED,
	};

	return m->place.path ? vs_sock_listen_as(&spec, &m->sock) : listen_on_address(m);
}

static void close_socket(struct vs_metrics *m)
{
	if (m->place.path)
		vs_sock_close(m->place.path, &m->sock);
	else
		(void)close(m->sock.fd);
}

static int make_events(struct vs_metrics *m)
{
	m->accept_ev = event_new(m->base, m->sock.fd, EV_READ | EV_PERSIST, on_accept, m);
	m->pause_ev = evtimer_new(m->base, on_pause_end, m);
	if (m->accept_ev && m->pause_ev && event_add(m->accept_ev, NULL) == 0)
		return 0;
	if (m->pause_ev)
		event_free(m->pause_ev);
	if (m->accept_ev)
		event_free(m->accept_ev);
	return -ENOMEM;
}

int vs_metrics_new(const struct vs_metrics_config *config, struct vs_metrics **ret_metrics)
{
	char why[VS_METRICS_WHY_SIZE];
	struct vs_metrics *m;
	int err = -ENOMEM;

	m = calloc(1, sizeof(*m));
	if (!m)
		goto err_log;
	m->base = config->base;
	m->source = (struct vs_metrics_source){
		.model = config->model,
		.server = config->server,
		.version = config->version,
	};
	TAILQ_INIT(&m->clients);
	err = vs_metrics_place_parse(config->place, &m->place, why);
	if (err)
		goto err_free;
	err = open_socket(m);
	if (err)
		goto err_free;
	err = make_events(m);
	if (err)
		goto err_close;
	vs_log(VS_LOG_INFO, "metrics: GET /metrics at %s", config->place);
	*ret_metrics = m;
	return 0;

err_close:
	close_socket(m);
err_free:
	free(m);
err_log:
	vs_log(VS_LOG_ERROR, "metrics: cannot listen on %s: %s", config->place, strerror(-err));
	return err;
}

void vs_metrics_free(struct vs_metrics *m)
{
	struct client *c;

	if (!m)
		return;
	while ((c = TAILQ_FIRST(&m->clients)) != NULL)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see what TAILQ_REMOVE does. */
		drop_client(c);
	event_free(m->pause_ev);
	event_free(m->accept_ev);
	close_socket(m);
	if (m->text)
		evbuffer_free(m->text);
	free(m);
}
