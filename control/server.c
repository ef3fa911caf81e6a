/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/server.h"

#include "control/obj.h"
#include "control/session.h"
#include "dataplane/core/log.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	ACCEPTS_PER_TURN = 16,
	BACKLOG = 128,
	SOCKET_MODE = 0660,
	/** How long to wait for another daemon that is just making its socket. */
	LOCK_TRIES = 100,
	LOCK_WAIT_US = 10 * 1000,
};

/**
 * struct vs_server - the listening socket
 * @gid:	group of the socket file; its members may connect
 * @dev, @ino:	of the socket file, so that only our own is removed
 * @pause_ev:	accepts again after the daemon had run out of descriptors
 */
struct vs_server {
	struct vs_hub hub;
	struct sockaddr_un addr;
	int fd;
	gid_t gid;
	dev_t dev;
	ino_t ino;
	struct event *accept_ev;
	struct event *pause_ev;
};

static struct vs_log_limit refused_limit = {.burst = 10, .interval_s = 60};

/* ---- the socket file ---- */

/**
 * lock_folder() - keep two daemons from replacing the same stale socket
 * Return: descriptor to close after listen(), or -errno.
 */
static int lock_folder(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd, i;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		usleep(LOCK_WAIT_US);
	}
	close(fd);
	return -EADDRINUSE;
}

/** clear_stale() - remove a socket file nobody answers on. Return: 0, or why not. */
static int clear_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, ret;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;
	close(fd);
	/* connected, or its backlog is full, or it is a socket of another type: alive */
	if (ret != -ECONNREFUSED)
		return ret == -EACCES || ret == -EPERM ? ret : -EADDRINUSE;
	return unlink(addr->sun_path) ? -errno : 0;
}

static int bind_socket(struct vs_server *server)
{
	struct stat st;
	mode_t before;
	int ret;

	/*
	 * The file gets the socket's own mode, so that it is never more open than this. Not by
	 * chmod(), which would follow a link that somebody else puts in its place.
	 */
	if (fchmod(server->fd, SOCKET_MODE))
		return -errno;
	before = umask(0);
	ret = bind(server->fd, (const struct sockaddr *)&server->addr, sizeof(server->addr))
		      ? -errno
		      : 0;
	(void)umask(before);
	if (ret)
		return ret;
	if (listen(server->fd, BACKLOG) || lstat(server->addr.sun_path, &st)) {
		ret = -errno;
		unlink(server->addr.sun_path);
		return ret;
	}
	server->gid = st.st_gid;
	server->dev = st.st_dev;
	server->ino = st.st_ino;
	return 0;
}

static int open_socket(struct vs_server *server)
{
	int lock, ret;

	lock = lock_folder(server->addr.sun_path);
	if (lock < 0)
		return lock;
	ret = clear_stale(&server->addr);
	if (ret)
		goto out_unlock;
	server->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->fd < 0) {
		ret = -errno;
		goto out_unlock;
	}
	ret = bind_socket(server);
	if (ret)
		close(server->fd);
out_unlock:
	close(lock);
	return ret;
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

/** in_group() - is the peer of @fd a member of @gid, by its first or any other group? */
static bool in_group(int fd, const struct ucred *cred, gid_t gid)
{
	socklen_t len = 0;
	bool found = false;
	gid_t *groups;
	size_t i;

	if (cred->gid == gid)
		return true;
	/* asked for no room, it says how much there must be */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return false;
	groups = malloc(len);
	if (!groups)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0) {
		for (i = 0; i < len / sizeof(*groups); i++)
			found |= groups[i] == gid;
	}
	free(groups);
	return found;
}

static bool may_connect(const struct vs_server *server, int fd, struct ucred *ret_cred)
{
	socklen_t len = sizeof(*ret_cred);

	*ret_cred = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_cred, &len))
		return false;
	return ret_cred->uid == 0 || ret_cred->uid == geteuid() ||
	       in_group(fd, ret_cred, server->gid);
}

/** turn_away() - one error, then the end of the connection. */
static void turn_away(int fd, const struct vs_refusal *refusal)
{
	uint32_t buf[512 / 4];
	struct vs_msg msg;

	vs_msg_init_error(&msg, buf, sizeof(buf), NULL, refusal);
	(void)send(fd, buf, msg.nlh->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	vs_log_limited(&refused_limit, VS_LOG_WARNING, "control: client refused: %s",
		       refusal->text);
	close(fd);
}

static void admit(struct vs_server *server, int fd)
{
	struct vs_refusal refusal = {0};
	struct ucred cred;

	if (!may_connect(server, fd, &cred)) {
		refusal.error = -EPERM;
		snprintf(refusal.text, sizeof(refusal.text),
			 "user %u is neither root, nor the user of vmswitchd, nor in group %u of "
			 "its socket",
			 cred.uid, server->gid);
		turn_away(fd, &refusal);
		return;
	}
	if (server->hub.n_sessions >= VS_CLIENTS_MAX) {
		refusal.error = -EUSERS;
		snprintf(refusal.text, sizeof(refusal.text),
			 "%d clients are connected already: no room for one more", VS_CLIENTS_MAX);
		turn_away(fd, &refusal);
		return;
	}
	if (vs_session_open(&server->hub, fd, cred.pid))
		close(fd);
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

/* ---- life ---- */

static int make_events(struct vs_server *server)
{
	struct event_base *base = server->hub.base;

	server->accept_ev = event_new(base, server->fd, EV_READ | EV_PERSIST, on_accept, server);
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

static void remove_file(const struct vs_server *server)
{
	struct stat st;

	if (lstat(server->addr.sun_path, &st) == 0 && st.st_dev == server->dev &&
	    st.st_ino == server->ino)
		unlink(server->addr.sun_path);
}

int vs_server_new(const struct vs_server_config *config, struct vs_server **ret_server)
{
	size_t len = strlen(config->path);
	struct vs_server *server;
	int ret = -ENOMEM;

	server = calloc(1, sizeof(*server));
	if (!server)
		goto err_log;
	server->hub.base = config->base;
	server->hub.model = config->model;
	server->hub.store = config->store;
	server->hub.version = config->version;
	TAILQ_INIT(&server->hub.sessions);
	server->addr.sun_family = AF_UNIX;
	ret = -ENAMETOOLONG;
	if (len >= sizeof(server->addr.sun_path))
		goto err_free;
	memcpy(server->addr.sun_path, config->path, len + 1);
	ret = len ? open_socket(server) : -EINVAL;
	if (ret)
		goto err_free;
	ret = make_events(server);
	if (ret)
		goto err_close;
	vs_model_on_notice(config->model, vs_monitor_notice, &server->hub);
	*ret_server = server;
	return 0;

err_close:
	remove_file(server);
	close(server->fd);
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
	remove_file(server);
	close(server->fd);
	free(server);
}
