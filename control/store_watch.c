/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When to try again what could not be made: when an interface appeared or went, after every change
 * of the configuration, and every few seconds, as for the rest (a folder, another program that
 * ends) nobody tells. The same daemon that waits for nothing does none of it.
 */
#include "control/store_priv.h"

#include <event2/event.h>
#include <linux/rtnetlink.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	AGAIN_S = 2,
	/** Interfaces come with several messages, and are not ready at the first one. */
	SOON_MS = 100,
};

static bool is_waiting(const struct vs_store *store)
{
	return vs_image_sum(&store->image).waiting != 0;
}

static void plan(struct vs_store *store, long ms)
{
	const struct timeval when = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	store->soon = false;
	if (!store->retry || !is_waiting(store) || event_add(store->retry, &when) != 0)
		return;
	store->soon = ms == SOON_MS;
}

static void on_retry(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_store *store = ctx;

	(void)fd;
	(void)what;
	/* What is provisional may go again, and what was made on top of it with it. */
	if (!vs_txn_is_provisional(store->link.model))
		(void)store_replay(store);
	plan(store, AGAIN_S * 1000L);
}

static void on_link(evutil_socket_t fd, short what, void *ctx)
{
	char buf[8192];

	(void)what;
	/* What it says does not matter, and nor does what was lost. */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	store_retry_soon(ctx);
}

void store_retry_soon(struct vs_store *store)
{
	/* Who tells something all the time does not put it off. */
	if (!store->soon)
		plan(store, SOON_MS);
}

/* Without it only the clock tells: that is no reason not to start. */
static void watch_links(struct vs_store *store)
{
	const struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return;
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		store->watch_ev =
			event_new(store->link.base, fd, EV_READ | EV_PERSIST, on_link, store);
	if (!store->watch_ev || event_add(store->watch_ev, NULL) != 0) {
		(void)close(fd);
		return;
	}
	store->watch = fd;
}

int store_watch_start(struct vs_store *store)
{
	store->retry = event_new(store->link.base, -1, 0, on_retry, store);
	if (!store->retry)
		return -ENOMEM;
	watch_links(store);
	return 0;
}

void store_watch_stop(struct vs_store *store)
{
	if (store->watch_ev)
		event_free(store->watch_ev);
	if (store->retry)
		event_free(store->retry);
	if (store->watch >= 0)
		(void)close(store->watch);
	store->watch_ev = NULL;
	store->retry = NULL;
	store->watch = -1;
}
