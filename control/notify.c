/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * The watchdog stands for the whole daemon: the timer runs on the control thread, so a control
 * thread that hangs feeds nothing, and it feeds only if each worker has ended a round since the
 * last time it did. A worker that sleeps ends a round at least every 100 ms; the timer looks four
 * times in the time the service manager allows, so a worker may miss three looks in a row, on a
 * machine that is overloaded, before the daemon counts as dead.
 *
 * The messages are datagrams (sd_notify(3) has the protocol). libsystemd would send them, too, but
 * it waits while the service manager's queue is full, and with it all of control: a manager that
 * hangs must not stop the switch. Here a watchdog's message that does not fit is left out, and only
 * READY=1, which nobody would say again, waits a little.
 */
#include "control/notify.h"

#include "dataplane/core/log.h"
#include "dataplane/worker.h"

#include <event2/event.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	WORKERS_MAX = 64,
	LOOKS = 4,
	USEC_PER_SEC = 1000000,
	READY_PATIENCE_S = 5,
};

enum patience {
	WAIT_NOT,
	WAIT_A_LITTLE,
};

/**
 * struct vs_notify - the watchdog's food
 * @rounds:	of each worker when it was fed last
 * @hungry:	a look has found a worker that does not move; logged
 */
struct vs_notify {
	struct event *timer;
	struct vs_worker *const *workers;
	unsigned int n_workers;
	bool hungry;
	uint64_t rounds[WORKERS_MAX];
};

/* Where the service manager listens. Return: the length of the address; 0: nowhere. */
static socklen_t find_manager(struct sockaddr_un *addr)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(addr->sun_path) || (path[0] != '/' && path[0] != '@'))
		return 0;
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path, path, len);
	if (path[0] == '@')
		addr->sun_path[0] = '\0'; /* an abstract address */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static struct vs_log_limit limit_of_log = {.burst = 3, .interval_s = 60};

static void tell(const char *state, enum patience patience)
{
	const struct timeval limit = {.tv_sec = READY_PATIENCE_S};
	int flags = MSG_NOSIGNAL | (patience == WAIT_NOT ? MSG_DONTWAIT : 0);
	struct sockaddr_un addr;
	socklen_t len = find_manager(&addr);
	int fd;

	if (!len)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (sendto(fd, state, strlen(state), flags, (const struct sockaddr *)&addr, len) < 0)
		vs_log_limited(&limit_of_log, VS_LOG_WARNING,
			       "cannot tell the service manager %s: %s", state, strerror(errno));
	(void)close(fd);
}

/* Return: microseconds after which the service manager counts the daemon as dead; 0: never. */
static uint64_t watchdog_usec(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10);
}

static uint64_t rounds_of(const struct vs_worker *worker)
{
	struct vs_worker_stats stats;

	vs_worker_stats(worker, &stats);
	return stats.rounds;
}

/* A worker that has not moved, or -1. */
static int find_still(const struct vs_notify *n)
{
	unsigned int i;

	for (i = 0; i < n->n_workers; i++) {
		if (rounds_of(n->workers[i]) == n->rounds[i])
			return (int)i;
	}
	return -1;
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_notify *n = ctx;
	int still = find_still(n);
	unsigned int i;

	(void)fd;
	(void)what;
	if (still >= 0) {
		if (!n->hungry)
			vs_log(VS_LOG_WARNING, "worker %d does not move: the watchdog is not fed",
			       still);
		n->hungry = true;
		return;
	}
	n->hungry = false;
	for (i = 0; i < n->n_workers; i++)
		n->rounds[i] = rounds_of(n->workers[i]);
	tell("WATCHDOG=1", WAIT_NOT);
}

static int start_watchdog(struct vs_notify *n, struct event_base *base)
{
	uint64_t usec = watchdog_usec() / LOOKS;
	struct timeval every;

	if (!usec)
		return 0;
	every.tv_sec = (time_t)(usec / USEC_PER_SEC);
	every.tv_usec = (suseconds_t)(usec % USEC_PER_SEC);
	n->timer = event_new(base, -1, EV_PERSIST, on_look, n);
	return n->timer && event_add(n->timer, &every) == 0 ? 0 : -ENOMEM;
}

static void free_notify(struct vs_notify *n)
{
	if (n->timer)
		event_free(n->timer);
	free(n);
}

int vs_notify_ready(struct event_base *base, struct vs_worker *const *workers,
		    unsigned int n_workers, struct vs_notify **ret_notify)
{
	struct vs_notify *n;
	unsigned int i;
	int err;

	if (n_workers > WORKERS_MAX)
		return -EINVAL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->workers = workers;
	n->n_workers = n_workers;
	for (i = 0; i < n_workers; i++)
		n->rounds[i] = rounds_of(workers[i]);
	err = start_watchdog(n, base);
	if (err) {
		free_notify(n);
		return err;
	}
	tell("READY=1", WAIT_A_LITTLE);
	*ret_notify = n;
	return 0;
}

void vs_notify_end(struct vs_notify *n)
{
	if (!n)
		return;
	tell("STOPPING=1", WAIT_NOT);
	free_notify(n);
}
