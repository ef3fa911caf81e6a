/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all ports of this folder share, and how they learn what others do to their interfaces.
 *
 * DOC: theory of operation
 *
 * The kernel tells each change of an interface to a multicast group (RTMGRP_LINK). Such a message
 * says what was true when it was written, and a request may have told something newer since; so
 * messages only mark a port as stale, and when all are read, each stale port asks the kernel how
 * things are now. A message that was lost (ENOBUFS) makes all ports stale.
 */
#include "dataplane/host/host_obj.h"

#include <event2/event.h>
#include <libmnl/libmnl.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

enum {
	MESSAGE_BYTES = 32768,
	/* Reads per wake-up: a busy host must not keep control from its other work. */
	READS_MAX = 64,
};

static int on_message(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct vs_host_env *env = arg;
	struct vs_host *host;

	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*ifi)) ||
	    (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK))
		return MNL_CB_OK;
	for (host = env->first; host; host = host->next)
		if (host->link.ifindex == ifi->ifi_index)
			host->stale = true;
	return MNL_CB_OK;
}

static void all_stale(struct vs_host_env *env)
{
	struct vs_host *host;

	for (host = env->first; host; host = host->next)
		host->stale = true;
}

/* `changed` may not delete a port, so the list stays as it is. */
static void look_at_stale(struct vs_host_env *env)
{
	struct vs_host *host;

	for (host = env->first; host; host = host->next) {
		if (host->stale)
			vs_host_look(host);
	}
}

static void on_heard(evutil_socket_t fd, short what, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[MESSAGE_BYTES];
	struct vs_host_env *env = arg;
	unsigned int i;

	(void)what;
	for (i = 0; i < READS_MAX; i++) {
		ssize_t len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (len < 0 && errno == ENOBUFS) {
			all_stale(env);
			continue;
		}
		if (len <= 0)
			break;
		(void)mnl_cb_run(buf, (size_t)len, 0, 0, on_message, env);
	}
	look_at_stale(env);
}

static int open_monitor(struct vs_host_env *env, struct event_base *base)
{
	env->monitor = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!env->monitor)
		return -errno;
	if (mnl_socket_bind(env->monitor, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	env->heard = event_new(base, mnl_socket_get_fd(env->monitor), EV_READ | EV_PERSIST,
			       on_heard, env);
	if (!env->heard || event_add(env->heard, NULL))
		return -ENOMEM;
	return 0;
}

int vs_host_env_new(struct event_base *base, const struct vs_rcu *rcu, struct vs_host_env **ret_env)
{
	struct vs_host_env *env = calloc(1, sizeof(*env));
	int err;

	if (!env)
		return -ENOMEM;
	env->rcu = rcu;
	err = vs_rtnl_open(&env->rtnl);
	if (!err)
		err = open_monitor(env, base);
	if (err) {
		vs_host_env_free(env);
		return err;
	}
	*ret_env = env;
	return 0;
}

void vs_host_env_free(struct vs_host_env *env)
{
	if (!env)
		return;
	if (env->heard)
		event_free(env->heard);
	if (env->monitor)
		(void)mnl_socket_close(env->monitor);
	vs_rtnl_close(&env->rtnl);
	free(env);
}

void vs_host_env_watch(struct vs_host_env *env, struct vs_host *host)
{
	host->next = env->first;
	env->first = host;
}

void vs_host_env_unwatch(struct vs_host_env *env, const struct vs_host *host)
{
	struct vs_host **at;

	for (at = &env->first; *at; at = &(*at)->next) {
		if (*at == host) {
			*at = host->next;
			return;
		}
	}
}

const struct vs_host *vs_host_env_holder(const struct vs_host_env *env, int ifindex)
{
	const struct vs_host *host;

	for (host = env->first; host; host = host->next)
		if (host->presence == VS_HOST_PRESENT && host->link.ifindex == ifindex)
			return host;
	return NULL;
}
