/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest port's socket: one VMM at a time, found or awaited, lost and found again.
 *
 * DOC: theory of operation
 *
 *	client    DIALLING --connect()--> CONNECTED --VMM gone--> DIALLING, after 80 ms
 *	             ^ every 80 ms            |
 *	             +------ back-off --------+ violation: 100 ms, doubled each time up to 5 s, and
 *	                                        100 ms again after a connection that lasted 5 s
 *
 *	server    LISTENING --accept()--> CONNECTED --gone, or violation--> LISTENING
 *
 * In server mode the VMM decides when it comes back; a second one that knocks meanwhile is let
 * in and closed at once, which it sees as a refusal, unless the first one is dead and only its
 * end of stream was not read yet: then the new one takes its place. One VMM is accepted per
 * event, so knocking without end delays nobody.
 *
 * A VMM whose descriptors cannot be closed at once (core/reap.h) is left, and in either mode
 * nobody is served before they are, nor in the next 5 s.
 */
#include "dataplane/guest/guest_obj.h"

#include "dataplane/core/clock.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RETRY_MS = 80,
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	GOOD_AFTER_MS = 5000,
	PROBE_MS = 500,
};

static void add_timer(struct vs_guest *guest, struct event *ev, uint32_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	if (event_add(ev, &tv))
		vs_log_limited(&guest->dev.limit, VS_LOG_ERROR, "port %s: cannot set a timer",
			       guest->name);
}

static enum vs_vhost_result on_message(void *ctx, const struct vs_vhost_msg *msg,
				       struct vs_vhost_fds *fds, struct vs_vhost_msg *reply,
				       uint32_t *ret_cost)
{
	struct vs_guest *guest = ctx;
	struct vs_vhost *dev = &guest->dev;
	uint64_t graces = dev->graces;
	enum vs_vhost_result result;
	bool lost;

	guest->busy = true;
	result = vs_vhost_handle(dev, msg, fds, reply);
	*ret_cost = 1 + VS_CONN_COST_GRACE * (uint32_t)(dev->graces - graces);

	/* Control itself may have found the memory gone, when it started a ring. */
	lost = dev->mem && __atomic_load_n(&dev->mem->lost, __ATOMIC_ACQUIRE);
	if ((lost || guest->check_later) && vs_vhost_check(dev))
		result = VS_VHOST_CLOSE;
	guest->check_later = false;
	if (result != VS_VHOST_CLOSE)
		vs_guest_settle(guest);
	guest->busy = false;
	return result;
}

/* Let go of the VMM, whatever the reason. */
static void detach(struct vs_guest *guest)
{
	struct vs_conn *conn = guest->conn;

	guest->conn = NULL;
	guest->vmm_pid = 0;
	guest->unshared = 0;
	(void)event_del(guest->probe);
	vs_vhost_reset(&guest->dev);
	vs_conn_free(conn);
}

static void on_ended(void *ctx, enum vs_conn_end end, const char *why)
{
	struct vs_guest *guest = ctx;
	uint32_t wait_ms = RETRY_MS;

	guest->violated = end != VS_CONN_GONE;
	guest->closed_for[0] = '\0';
	if (guest->violated) {
		(void)snprintf(guest->closed_for, sizeof(guest->closed_for), "%s",
			       why ? why : guest->dev.problem);
		vs_log_limited(&guest->dev.limit, VS_LOG_WARNING, "port %s: connection closed: %s",
			       guest->name, guest->closed_for);
		if (end == VS_CONN_VIOLATION)
			guest->dev.refused++;
		if (vs_clock_ms() - guest->up_ms >= GOOD_AFTER_MS)
			guest->backoff_ms = BACKOFF_MIN_MS;
		wait_ms = guest->backoff_ms;
		guest->backoff_ms = guest->backoff_ms * 2 < BACKOFF_MAX_MS ? guest->backoff_ms * 2
									   : BACKOFF_MAX_MS;
	} else {
		vs_log_limited(&guest->dev.limit, VS_LOG_INFO, "port %s: VMM disconnected",
			       guest->name);
	}
	detach(guest);
	if (vs_reap_in_debt(guest->reap))
		wait_ms = BACKOFF_MAX_MS;
	if (guest->mode == VS_GUEST_CLIENT)
		add_timer(guest, guest->timer, wait_ms);
	vs_guest_settle(guest);
}

static const struct vs_conn_ops conn_ops = {
	.message = on_message,
	.ended = on_ended,
};

void vs_guest_link_drop(struct vs_guest *guest)
{
	on_ended(guest, VS_CONN_REFUSED, NULL);
}

/* Serve the VMM at @fd, which is ours to close when this fails. */
static int attach(struct vs_guest *guest, int fd)
{
	int err = vs_conn_new(guest->env.base, fd, &conn_ops, guest, &guest->conn);

	if (err) {
		vs_log_limited(&guest->dev.limit, VS_LOG_ERROR, "port %s: cannot serve the VMM: %s",
			       guest->name, strerror(-err));
		return err;
	}
	vs_conn_set_reap(guest->conn, guest->reap);
	guest->vmm_pid = vs_sock_peer_pid(fd);
	guest->up_ms = vs_clock_ms();
	guest->connects++;
	guest->violated = false;
	guest->connect_error = 0;
	add_timer(guest, guest->probe, PROBE_MS);
	vs_log_limited(&guest->dev.limit, VS_LOG_INFO, "port %s: VMM connected (pid %d)",
		       guest->name, (int)guest->vmm_pid);
	vs_guest_settle(guest);
	return 0;
}

static void dial(struct vs_guest *guest)
{
	int fd = vs_reap_in_debt(guest->reap) ? -EBUSY : vs_sock_connect(guest->path);

	if (fd < 0) {
		guest->connect_error = -fd;
	} else if (attach(guest, fd)) {
		(void)close(fd);
	} else {
		return;
	}
	add_timer(guest, guest->timer, RETRY_MS);
}

static void on_timer(evutil_socket_t unused, short what, void *arg)
{
	struct vs_guest *guest = arg;

	(void)unused;
	(void)what;
	if (guest->mode == VS_GUEST_CLIENT)
		dial(guest);
	else if (event_add(guest->listen_event, NULL))
		add_timer(guest, guest->timer, RETRY_MS);
}

static void on_knock(evutil_socket_t listener, short what, void *arg)
{
	struct vs_guest *guest = arg;
	int fd;

	(void)what;
	if (vs_reap_in_debt(guest->reap)) {
		(void)event_del(guest->listen_event);
		add_timer(guest, guest->timer, BACKOFF_MAX_MS);
		return;
	}
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		/* No descriptor left, say: the knock stays pending, so do not spin on it. */
		vs_log_limited(&guest->dev.limit, VS_LOG_ERROR, "port %s: cannot accept: %s",
			       guest->name, strerror(errno));
		(void)event_del(guest->listen_event);
		add_timer(guest, guest->timer, RETRY_MS);
		return;
	}
	if (guest->conn && vs_sock_is_dead(vs_conn_fd(guest->conn)))
		on_ended(guest, VS_CONN_GONE, NULL);
	if (guest->conn) {
		guest->refused_conns++;
		vs_log_limited(&guest->dev.limit, VS_LOG_WARNING,
			       "port %s: second VMM refused while the first one is connected",
			       guest->name);
		vs_reap_socket(guest->reap, fd);
		return;
	}
	if (attach(guest, fd))
		vs_reap_socket(guest->reap, fd);
}

static void on_probe(evutil_socket_t unused, short what, void *arg)
{
	struct vs_guest *guest = arg;

	(void)unused;
	(void)what;
	add_timer(guest, guest->probe, PROBE_MS);
	guest->unshared = vs_vhost_probe(&guest->dev) ? 0 : guest->unshared + 1;
	/* The look itself may have found the memory gone. It also settles. */
	vs_guest_check(guest);
}

/* Return: 0, or -errno with no socket left. */
static int start_listening(struct vs_guest *guest, const gid_t *group)
{
	int err = vs_sock_listen(guest->path, &guest->listener);

	if (err || !group)
		return err;
	err = vs_sock_give(guest->path, &guest->listener, *group);
	if (err)
		vs_sock_close(guest->path, &guest->listener);
	return err;
}

int vs_guest_link_open(struct vs_guest *guest, const gid_t *group)
{
	struct event_base *base = guest->env.base;
	const struct timeval now = {0, 0};
	int err = -ENOMEM;

	guest->backoff_ms = BACKOFF_MIN_MS;
	guest->listener.fd = -1;
	guest->timer = event_new(base, -1, 0, on_timer, guest);
	guest->probe = event_new(base, -1, 0, on_probe, guest);
	guest->reap = vs_reap_new();
	if (!guest->timer || !guest->probe || !guest->reap)
		goto err_close;

	if (guest->mode == VS_GUEST_CLIENT) {
		if (event_add(guest->timer, &now))
			goto err_close;
		return 0;
	}
	err = start_listening(guest, group);
	if (err)
		goto err_close;
	err = -ENOMEM;
	guest->listen_event =
		event_new(base, guest->listener.fd, EV_READ | EV_PERSIST, on_knock, guest);
	if (!guest->listen_event || event_add(guest->listen_event, NULL))
		goto err_close;
	return 0;

err_close:
	vs_guest_link_close(guest);
	return err;
}

void vs_guest_link_close(struct vs_guest *guest)
{
	if (guest->conn)
		detach(guest);
	if (guest->listen_event)
		event_free(guest->listen_event);
	if (guest->timer)
		event_free(guest->timer);
	if (guest->probe)
		event_free(guest->probe);
	vs_sock_close(guest->path, &guest->listener);
	vs_reap_put(guest->reap);
}
