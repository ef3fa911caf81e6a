/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/server.h"

#include "control/obj.h"
#include "control/session.h"
#include "dataplane/core/log.h"
#include "dataplane/core/reap.h"
#include "dataplane/core/sock.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	ACCEPTS_PER_TURN = 16,
	BACKLOG = 128,
	MODE_REFUSE = 0660,
	MODE_READ = 0666,
};

/**
 * struct vs_server - the listening socket
 * @sock:	members of its file's group may do everything
 * @strangers:	account of descriptors that those who were turned away sent
 * @pause_ev:	accepts again after the daemon had run out of descriptors
 */
struct vs_server {
	struct vs_hub hub;
	char path[VS_PROTO_PATH_SIZE];
	struct vs_sock sock;
	enum vs_others others;
	struct vs_reap *strangers;
	struct event *accept_ev;
	struct event *pause_ev;
};

static struct vs_log_limit refused_limit = {.burst = 10, .interval_s = 60};
static struct vs_log_limit displaced_limit = {.burst = 10, .interval_s = 60};

/* ---- the socket ---- */

static int open_socket(struct vs_server *server)
{
	const struct vs_sock_spec spec = {
		.path = server->path,
		.type = SOCK_SEQPACKET,
		.mode = server->others == VS_OTHERS_READ ? MODE_READ : MODE_REFUSE,
		.backlog = BACKLOG,
		.rivals = VS_SOCK_RIVALS,
		.fds = VS_SOCK_FDS_REFUSED,
	};

	return vs_sock_listen_as(&spec, &server->sock);
}

static void log_failure(const char *path, int error)
{
	switch (error) {
	case -EADDRINUSE:
		vs_log(VS_LOG_ERROR, "control: another vmswitchd answers on %s", path);
		break;
	case -ENOTSOCK:
		vs_log(VS_LOG_ERROR, "control: %s exists and is no socket: it is left alone", path);
		break;
	case -ENAMETOOLONG:
		vs_log(VS_LOG_ERROR, "control: socket path %s is longer than %d bytes", path,
		       VS_PROTO_PATH_SIZE - 1);
		break;
	default:
		vs_log(VS_LOG_ERROR, "control: cannot listen on %s: %s", path, strerror(-error));
	}
}

/* ---- clients ---- */

/*
 * DOC: who gets in
 *
 * There are places for VS_CLIENTS_MAX. A newcomer who finds none takes that of another: of the
 * lowest rank there is, of those one that is idle, and of those the one that has been so for the
 * longest, as the hub's sessions are in that order. Who is busy gives its place only to somebody
 * of a higher rank. So connections that were opened and forgotten, by whomever, keep nobody out,
 * and what the others do never keeps out root and the group.
 */

/* May a newcomer of @rank take the place of @s? */
static bool may_displace(enum vs_rank rank, const struct vs_session *s)
{
	if (s->peer.rank < rank)
		return true;
	/* root and the group may do the same, so neither keeps a place for nothing */
	return vs_session_is_idle(s) && (s->peer.rank == rank || rank != VS_RANK_OTHER);
}

static struct vs_session *find_place(const struct vs_hub *hub, enum vs_rank rank)
{
	struct vs_session *best = NULL;
	struct vs_session *s;

	TAILQ_FOREACH(s, &hub->sessions, link) {
		if (!may_displace(rank, s))
			continue;
		if (!best || s->peer.rank < best->peer.rank ||
		    (s->peer.rank == best->peer.rank && vs_session_is_idle(s) &&
		     !vs_session_is_idle(best)))
			best = s;
	}
	return best;
}

/* Return: 0, or -EUSERS: nobody gives its place to @peer. */
static int make_room(struct vs_hub *hub, const struct vs_cred *peer)
{
	struct vs_refusal why = {.error = -EUSERS};
	struct vs_session *s;

	if (hub->n_sessions < VS_CLIENTS_MAX)
		return 0;
	s = find_place(hub, peer->rank);
	if (!s)
		return -EUSERS;
	(void)snprintf(why.text, sizeof(why.text),
		       "disconnected after %" PRIu64 " s without a request: there are %d clients, "
		       "and one more came",
		       vs_session_idle_s(s), VS_CLIENTS_MAX);
	vs_log_limited(&displaced_limit, VS_LOG_INFO,
		       "control: user %u (process %d), without a request for %" PRIu64
		       " s, gave its place to user %u (process %d)",
		       s->peer.uid, (int)s->peer.pid, vs_session_idle_s(s), peer->uid,
		       (int)peer->pid);
	hub->counts.displaced++;
	vs_session_dismiss(s, &why);
	return 0;
}

/** turn_away() - one error, then the end of the connection. */
static void turn_away(struct vs_server *server, int fd, const struct vs_cred *peer,
		      const struct vs_refusal *refusal)
{
	uint32_t buf[512 / 4];
	struct vs_msg msg;

	vs_msg_init_error(&msg, buf, sizeof(buf), NULL, refusal);
	(void)send(fd, buf, msg.nlh->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	server->hub.counts.refused_clients++;
	vs_log_limited(&refused_limit, VS_LOG_WARNING, "control: client (process %d) refused: %s",
		       (int)peer->pid, refusal->text);
	vs_reap_socket(server->strangers, fd);
}

static void admit(struct vs_server *server, int fd)
{
	struct vs_refusal refusal = {0};
	struct vs_cred peer;

	vs_cred_find(fd, server->sock.gid, &peer);
	if (peer.rank == VS_RANK_OTHER && server->others == VS_OTHERS_REFUSE) {
		refusal.error = -EPERM;
		(void)snprintf(refusal.text, sizeof(refusal.text),
			       "user %u is neither root, nor the user of vmswitchd, nor in group "
			       "%u of its socket",
			       peer.uid, server->sock.gid);
	} else if (make_room(&server->hub, &peer)) {
		refusal.error = -EUSERS;
		(void)snprintf(refusal.text, sizeof(refusal.text),
			       "%d clients are connected and busy: no room for one more (user %u)",
			       VS_CLIENTS_MAX, peer.uid);
	} else if (vs_session_open(&server->hub, fd, &peer)) {
		refusal.error = -ENOMEM;
		(void)snprintf(refusal.text, sizeof(refusal.text), "out of memory");
	}
	if (refusal.error)
		turn_away(server, fd, &peer, &refusal);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *ctx)
{
	const struct timeval pause = {.tv_sec = 1};
	struct vs_server *server = ctx;
	int i, fd;

	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			admit(server, fd);
			continue;
		}
		/* no descriptor left: the connection stays in the backlog, do not spin on it */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			vs_log_limited(&refused_limit, VS_LOG_ERROR,
				       "control: no connection accepted: %s", strerror(errno));
			event_del(server->accept_ev);
			event_add(server->pause_ev, &pause);
		}
		return;
	}
}

static void on_pause_end(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_server *server = ctx;

	event_add(server->accept_ev, NULL);
}

void vs_server_counts(const struct vs_server *server, struct vs_server_counts *ret_counts)
{
	const struct vs_session *s;

	*ret_counts = server->hub.counts;
	TAILQ_FOREACH(s, &server->hub.sessions, link) {
		if (vs_cred_rights(&s->peer) == VS_RIGHTS_ALL)
			ret_counts->clients_all++;
		else
			ret_counts->clients_read++;
	}
}

/* ---- life ---- */

static int make_events(struct vs_server *server)
{
	struct event_base *base = server->hub.base;

	server->accept_ev =
		event_new(base, server->sock.fd, EV_READ | EV_PERSIST, on_accept, server);
	server->pause_ev = evtimer_new(base, on_pause_end, server);
	if (server->accept_ev && server->pause_ev && vs_confirm_open(&server->hub) == 0 &&
	    event_add(server->accept_ev, NULL) == 0)
		return 0;
	if (server->hub.confirm.timer)
		event_free(server->hub.confirm.timer);
	if (server->pause_ev)
		event_free(server->pause_ev);
	if (server->accept_ev)
		event_free(server->accept_ev);
	return -ENOMEM;
}

int vs_server_new(const struct vs_server_config *config, struct vs_server **ret_server)
{
	struct vs_server *server;
	int ret = -ENOMEM;

	server = calloc(1, sizeof(*server));
	if (!server)
		goto err_log;
	server->hub.base = config->base;
	server->hub.model = config->model;
	server->hub.store = config->store;
	server->hub.version = config->version;
	server->others = config->others;
	TAILQ_INIT(&server->hub.sessions);
	server->strangers = vs_reap_new();
	if (!server->strangers)
		goto err_free;
	ret = -ENAMETOOLONG;
	if (strlen(config->path) >= sizeof(server->path))
		goto err_reap;
	memcpy(server->path, config->path, strlen(config->path) + 1);
	ret = open_socket(server);
	if (ret)
		goto err_reap;
	ret = make_events(server);
	if (ret)
		goto err_close;
	vs_model_on_notice(config->model, vs_monitor_notice, &server->hub);
	*ret_server = server;
	return 0;

err_close:
	vs_sock_close(server->path, &server->sock);
err_reap:
	vs_reap_put(server->strangers);
err_free:
	free(server);
err_log:
	log_failure(config->path, ret);
	return ret;
}

void vs_server_free(struct vs_server *server)
{
	struct vs_session *s;

	vs_model_on_notice(server->hub.model, NULL, NULL);
	while ((s = TAILQ_FIRST(&server->hub.sessions)) != NULL)
		vs_session_close(s);
	vs_confirm_close(&server->hub);
	event_free(server->pause_ev);
	event_free(server->accept_ev);
	vs_sock_close(server->path, &server->sock);
	vs_reap_put(server->strangers);
	free(server);
}
