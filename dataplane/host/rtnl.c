/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/host/rtnl.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The mark of an interface that the switch made: its alias, which `ip link` shows. */
static const char ours[] = "vmswitch";

enum {
	ANSWER_BYTES = 32768,
};

int vs_rtnl_open(struct vs_rtnl *rtnl)
{
	int on = 1;

	memset(rtnl, 0, sizeof(*rtnl));
	rtnl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!rtnl->sock)
		return -errno;
	if (mnl_socket_bind(rtnl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int err = -errno;

		vs_rtnl_close(rtnl);
		return err;
	}
	/* Only better texts and shorter answers depend on these. */
	(void)mnl_socket_setsockopt(rtnl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(rtnl->sock, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(rtnl->sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
}

void vs_rtnl_close(struct vs_rtnl *rtnl)
{
	if (rtnl->sock)
		(void)mnl_socket_close(rtnl->sock);
	rtnl->sock = NULL;
}

static int on_said(const struct nlattr *attr, void *arg)
{
	struct vs_rtnl *rtnl = arg;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		(void)snprintf(rtnl->said, sizeof(rtnl->said), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

/* The sentence that came with a refusal (extended acknowledgement), if one did. */
static void keep_said(struct vs_rtnl *rtnl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*err)) && err->error != 0 &&
	    (nlh->nlmsg_flags & NLM_F_ACK_TLVS) && (nlh->nlmsg_flags & NLM_F_CAPPED))
		(void)mnl_attr_parse(nlh, sizeof(*err), on_said, rtnl);
}

/* What an answer that was given up in its middle left behind: the next one must not meet it. */
static void discard_rest(const struct vs_rtnl *rtnl)
{
	char scrap[64];

	while (recv(mnl_socket_get_fd(rtnl->sock), scrap, sizeof(scrap), MSG_DONTWAIT) >= 0)
		continue;
}

int vs_rtnl_call(struct vs_rtnl *rtnl, struct nlmsghdr *nlh,
		 int (*cb)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	unsigned int port = mnl_socket_get_portid(rtnl->sock);
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	int more = MNL_CB_OK;

	discard_rest(rtnl);
	rtnl->said[0] = '\0';
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++rtnl->seq;
	if (mnl_socket_sendto(rtnl->sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		const struct nlmsghdr *first = (const struct nlmsghdr *)(const void *)answer;
		ssize_t len = mnl_socket_recvfrom(rtnl->sock, answer, sizeof(answer));

		if (len < 0)
			return -errno;
		if (len >= (ssize_t)sizeof(*first) && first->nlmsg_type == NLMSG_ERROR)
			keep_said(rtnl, first);
		more = mnl_cb_run(answer, (size_t)len, rtnl->seq, port, cb, arg);
		if (more < 0)
			return -errno;
	}
	return 0;
}

/* A number of up to 32 bits, or 0 for an attribute of another size. */
static uint32_t attr_number(const struct nlattr *attr)
{
	if (mnl_attr_get_payload_len(attr) == sizeof(uint8_t))
		return mnl_attr_get_u8(attr);
	if (mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		return mnl_attr_get_u32(attr);
	return 0;
}

static int on_tun_attr(const struct nlattr *attr, void *arg)
{
	struct vs_link *link = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_TUN_TYPE:
		if (attr_number(attr) == IFF_TAP)
			link->flags |= VS_LINK_TAP;
		break;
	case IFLA_TUN_MULTI_QUEUE:
		if (attr_number(attr))
			link->flags |= VS_LINK_TAP_MULTI;
		break;
	case IFLA_TUN_NUM_QUEUES:
	case IFLA_TUN_NUM_DISABLED_QUEUES:
		link->tap_queues += attr_number(attr);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

/* What the driver says of its interface. */
struct link_info {
	const struct nlattr *data;
	bool is_tun;
};

static int on_info_attr(const struct nlattr *attr, void *arg)
{
	struct link_info *info = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		info->is_tun = strcmp(mnl_attr_get_str(attr), "tun") == 0;
	else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
		info->data = attr;
	return MNL_CB_OK;
}

static void parse_info(const struct nlattr *attr, struct vs_link *link)
{
	struct link_info info = {0};

	(void)mnl_attr_parse_nested(attr, on_info_attr, &info);
	if (info.is_tun && info.data)
		(void)mnl_attr_parse_nested(info.data, on_tun_attr, link);
}

static int on_link_attr(const struct nlattr *attr, void *arg)
{
	struct vs_link *link = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			(void)snprintf(link->name, sizeof(link->name), "%s",
				       mnl_attr_get_str(attr));
		break;
	case IFLA_IFALIAS:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 &&
		    strcmp(mnl_attr_get_str(attr), ours) == 0)
			link->flags |= VS_LINK_OURS;
		break;
	case IFLA_MTU:
		link->mtu = attr_number(attr);
		break;
	case IFLA_MASTER:
		link->master = (int)attr_number(attr);
		break;
	case IFLA_CARRIER:
		if (attr_number(attr))
			link->flags |= VS_LINK_CARRIER;
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == RTE_ETHER_ADDR_LEN)
			memcpy(&link->mac, mnl_attr_get_payload(attr), RTE_ETHER_ADDR_LEN);
		break;
	case IFLA_LINKINFO:
		parse_info(attr, link);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct vs_link *link = arg;

	if (nlh->nlmsg_type != RTM_NEWLINK || nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*ifi)))
		return MNL_CB_OK;
	*link = (struct vs_link){.ifindex = ifi->ifi_index};
	if (ifi->ifi_flags & IFF_UP)
		link->flags |= VS_LINK_UP;
	(void)mnl_attr_parse(nlh, sizeof(*ifi), on_link_attr, link);
	return MNL_CB_OK;
}

/* Begin a message about an interface in @buf. */
static struct nlmsghdr *link_message(char *buf, uint16_t type, int ifindex,
				     struct ifinfomsg **ret_ifi)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	*ret_ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(**ret_ifi));
	(*ret_ifi)->ifi_family = AF_UNSPEC;
	(*ret_ifi)->ifi_index = ifindex;
	return nlh;
}

int vs_rtnl_link_get(struct vs_rtnl *rtnl, int ifindex, const char *name, struct vs_link *ret_link)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct vs_link link = {0};
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = link_message(buf, RTM_GETLINK, ifindex, &ifi);
	int err;

	if (!ifindex)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	err = vs_rtnl_call(rtnl, nlh, on_link, &link);
	if (err)
		return err;
	if (!link.ifindex)
		return -ENODEV;
	*ret_link = link;
	return 0;
}

int vs_rtnl_link_set(struct vs_rtnl *rtnl, int ifindex, const struct vs_link_change *change)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = link_message(buf, RTM_SETLINK, ifindex, &ifi);

	if (change->what & VS_LINK_SET_UP) {
		ifi->ifi_flags = IFF_UP;
		ifi->ifi_change = IFF_UP;
	}
	if (change->what & VS_LINK_SET_MTU)
		mnl_attr_put_u32(nlh, IFLA_MTU, change->mtu);
	if (change->what & VS_LINK_SET_MAC)
		mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(change->mac), &change->mac);
	if (change->what & VS_LINK_SET_OURS)
		mnl_attr_put_strz(nlh, IFLA_IFALIAS, ours);
	if (change->what & VS_LINK_SET_NO_AUTO) {
		struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
		struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

		mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		mnl_attr_nest_end(nlh, inet6);
		mnl_attr_nest_end(nlh, spec);
	}
	return vs_rtnl_call(rtnl, nlh, NULL, NULL);
}

int vs_rtnl_link_del(struct vs_rtnl *rtnl, int ifindex)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct ifinfomsg *ifi;

	return vs_rtnl_call(rtnl, link_message(buf, RTM_DELLINK, ifindex, &ifi), NULL, NULL);
}
