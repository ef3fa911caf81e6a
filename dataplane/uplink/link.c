/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/uplink/link.h"

#include <event2/event.h>
#include <libmnl/libmnl.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	ANSWER_BYTES = 32768, /* what the kernel fills at most in one message of a dump */
	REQUEST_BYTES = 256,
	DATAGRAMS_PER_EVENT = 64,
	NEAR_MAX = 4,
};

/* Send @nlh and hand each message of the answer to @each. Return: 0, or -errno. */
static int ask(struct nlmsghdr *nlh, mnl_cb_t each, void *ctx)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int result = MNL_CB_OK;
	char *answer;
	int err = 0;

	if (!nl)
		return -errno;
	answer = malloc(ANSWER_BYTES);
	nlh->nlmsg_seq = 1;
	if (!answer)
		err = -ENOMEM;
	else if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
		 mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		err = -errno;
	while (!err && result > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(nl, answer, ANSWER_BYTES);

		if (n >= 0)
			result = mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(nl), each,
					    ctx);
		if (n < 0 || result < 0)
			err = -errno;
	}
	free(answer);
	(void)mnl_socket_close(nl);
	return err;
}

static void read_xdp(const struct nlattr *xdp, struct vs_link *link)
{
	struct nlattr *attr;
	uint32_t any = 0;

	mnl_attr_for_each_nested(attr, xdp) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_XDP_PROG_ID:
			link->prog_id = mnl_attr_get_u32(attr);
			break;
		case IFLA_XDP_DRV_PROG_ID:
		case IFLA_XDP_HW_PROG_ID:
			link->prog_native = mnl_attr_get_u32(attr) != 0;
			any = mnl_attr_get_u32(attr);
			break;
		case IFLA_XDP_SKB_PROG_ID:
			any = mnl_attr_get_u32(attr);
			break;
		default:
			break;
		}
	}
	/* With programs in two modes at once there is no IFLA_XDP_PROG_ID. */
	if (!link->prog_id)
		link->prog_id = any;
}

static void read_attr(const struct nlattr *attr, struct vs_link *link)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		(void)snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_MTU:
		link->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		link->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_PROMISCUITY:
		link->promiscuity = mnl_attr_get_u32(attr);
		break;
	case IFLA_NUM_RX_QUEUES:
		link->rx_queues = mnl_attr_get_u32(attr);
		break;
	case IFLA_ADDRESS:
		link->has_mac = mnl_attr_get_payload_len(attr) == sizeof(link->mac);
		if (link->has_mac)
			memcpy(&link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
		break;
	case IFLA_CARRIER:
		link->carrier = mnl_attr_get_u8(attr);
		break;
	case IFLA_XDP:
		read_xdp(attr, link);
		break;
	default:
		break;
	}
}

static int read_link(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct vs_link *link = ctx;
	struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
		return MNL_CB_OK;
	link->index = (uint32_t)ifi->ifi_index;
	link->flags = ifi->ifi_flags;
	link->type = ifi->ifi_type;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
		read_attr(attr, link);
	return MNL_CB_OK;
}

int vs_link_get(const char *name, uint32_t index, struct vs_link *ret_link)
{
	char buffer[REQUEST_BYTES] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct vs_link link = {0};
	struct ifinfomsg *ifi;
	int err;

	if (name && (name[0] == '\0' || strlen(name) >= IFNAMSIZ))
		return -ENODEV;
	nlh->nlmsg_type = RTM_GETLINK;
	/* An ACK, so that the answer has an end. */
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	if (name)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	else
		ifi->ifi_index = (int)index;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	err = ask(nlh, read_link, &link);
	if (!err && link.index == 0)
		err = -ENODEV;
	if (!err)
		*ret_link = link;
	return err;
}

/* Are two names one slip of a key apart, or one the beginning of the other? */
static bool looks_like(const char *a, const char *b)
{
	size_t la = strlen(a);
	size_t lb = strlen(b);
	size_t head = 0;
	size_t tail = 0;
	size_t least = la < lb ? la : lb;
	size_t most = la < lb ? lb : la;

	if (least == 0)
		return false;
	if (strncasecmp(a, b, least) == 0)
		return true;
	while (head < least && a[head] == b[head])
		head++;
	while (tail < least - head && a[la - 1 - tail] == b[lb - 1 - tail])
		tail++;
	/* One letter more, fewer or different, or two that changed places. */
	return most - head - tail <= 1 || (la == lb && most - head - tail == 2);
}

void vs_link_near(const char *name, char *text, size_t size)
{
	struct if_nameindex *all = if_nameindex();
	unsigned int found = 0;
	size_t used = 0;
	size_t i;

	text[0] = '\0';
	for (i = 0; all && all[i].if_index && found < NEAR_MAX; i++) {
		int n;

		if (!looks_like(name, all[i].if_name))
			continue;
		n = snprintf(text + used, size - used, "%s%s", found ? ", " : "", all[i].if_name);
		if (n < 0 || (size_t)n >= size - used) {
			text[used] = '\0';
			break;
		}
		used += (size_t)n;
		found++;
	}
	if (all)
		if_freenameindex(all);
}

int vs_link_name(uint32_t index, char name[IFNAMSIZ])
{
	return if_indextoname(index, name) ? 0 : -ENODEV;
}

static int none(const struct nlmsghdr *nlh, void *ctx)
{
	(void)nlh;
	(void)ctx;
	return MNL_CB_OK;
}

int vs_link_set_flags(uint32_t index, uint32_t set, uint32_t clear)
{
	char buffer[REQUEST_BYTES] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	ifi->ifi_flags = set;
	ifi->ifi_change = set | clear;
	return ask(nlh, none, NULL);
}

int vs_link_set_mtu(uint32_t index, uint32_t mtu)
{
	char buffer[REQUEST_BYTES] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return ask(nlh, none, NULL);
}

/* What a dump of traffic control is searched for. */
struct tc_search {
	uint32_t index;
	int type;
	bool found;
};

static int read_tc(const struct nlmsghdr *nlh, void *ctx)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	struct tc_search *s = ctx;
	struct nlattr *attr;

	if (nlh->nlmsg_type != s->type || mnl_nlmsg_get_payload_len(nlh) < sizeof(*tc) ||
	    (uint32_t)tc->tcm_ifindex != s->index)
		return MNL_CB_OK;
	if (s->type == RTM_NEWTFILTER) {
		s->found = true;
		return MNL_CB_OK;
	}
	mnl_attr_for_each(attr, nlh, sizeof(*tc)) {
		if (mnl_attr_get_type(attr) == TCA_KIND &&
		    strcmp(mnl_attr_get_str(attr), "clsact") == 0)
			s->found = true;
	}
	return MNL_CB_OK;
}

static int search_tc(uint32_t index, uint16_t request, uint16_t answer, uint32_t parent)
{
	char buffer[REQUEST_BYTES] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct tc_search s = {.index = index, .type = answer};
	struct tcmsg *tc;
	int err;

	nlh->nlmsg_type = request;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	tc->tcm_ifindex = (int)index;
	tc->tcm_parent = parent;
	err = ask(nlh, read_tc, &s);
	return err ? err : s.found;
}

int vs_link_has_clsact(uint32_t index)
{
	return search_tc(index, RTM_GETQDISC, RTM_NEWQDISC, 0);
}

int vs_link_has_filters(uint32_t index)
{
	int in = search_tc(index, RTM_GETTFILTER, RTM_NEWTFILTER,
			   TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS));

	return in ? in
		  : search_tc(index, RTM_GETTFILTER, RTM_NEWTFILTER,
			      TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
}

struct vs_link_watch {
	struct mnl_socket *nl;
	struct event *event;
	uint32_t index;
	void (*changed)(void *ctx);
	void *ctx;
};

static bool concerns(const struct vs_link_watch *watch, const char *data, int left)
{
	const struct nlmsghdr *nlh = (const void *)data;

	while (mnl_nlmsg_ok(nlh, left)) {
		const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*ifi) &&
		    (uint32_t)ifi->ifi_index == watch->index)
			return true;
		nlh = mnl_nlmsg_next(nlh, &left);
	}
	return false;
}

static void on_news(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_link_watch *watch = ctx;
	/* Aligned as a message is. */
	uint64_t buffer[8192 / sizeof(uint64_t)];
	bool ours = false;
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < DATAGRAMS_PER_EVENT; i++) {
		ssize_t n = mnl_socket_recvfrom(watch->nl, buffer, sizeof(buffer));

		if (n > 0) {
			ours = ours || concerns(watch, (const char *)buffer, (int)n);
			continue;
		}
		if (n < 0 && errno == EAGAIN)
			break;
		/* Messages were lost, or cut: look for oneself. */
		ours = true;
	}
	if (ours)
		watch->changed(watch->ctx);
}

int vs_link_watch_new(struct event_base *base, uint32_t index, void (*changed)(void *ctx),
		      void *ctx, struct vs_link_watch **ret_watch)
{
	struct vs_link_watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return -ENOMEM;
	watch->index = index;
	watch->changed = changed;
	watch->ctx = ctx;
	watch->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!watch->nl || mnl_socket_bind(watch->nl, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		goto err_socket;
	}
	watch->event =
		event_new(base, mnl_socket_get_fd(watch->nl), EV_READ | EV_PERSIST, on_news, watch);
	if (!watch->event || event_add(watch->event, NULL) != 0) {
		err = -ENOMEM;
		goto err_event;
	}
	*ret_watch = watch;
	return 0;

err_event:
	if (watch->event)
		event_free(watch->event);
err_socket:
	if (watch->nl)
		(void)mnl_socket_close(watch->nl);
	free(watch);
	return err;
}

void vs_link_watch_del(struct vs_link_watch *watch)
{
	if (!watch)
		return;
	event_free(watch->event);
	(void)mnl_socket_close(watch->nl);
	free(watch);
}
