/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * A NIC carries the default route when a route to 0.0.0.0/0 or ::/0 names it, or names an
 * interface that stands on it: a bridge over the NIC has the route, and the NIC has the traffic.
 * So the links are read first, and the set {the NIC} grows by each link whose master it is a port
 * of, or whose lower link it is, until nothing is added; then the routes are read, and each next
 * hop is looked up in the set.
 *
 * Both lists come from rtnetlink as dumps. A list that changed while it was dumped is read again.
 */
#include "dataplane/uplink/route.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
	DUMP_TRIES = 5,
	DUMP_BYTES = 32768, /* what the kernel fills at most in one answer of a dump */
	LINKS_STEP = 64,
};

/* A link, and the two links it may touch; 0: none. */
struct link {
	uint32_t index;
	uint32_t master; /* it is a port of that one */
	uint32_t lower;  /* it stands on that one */
	bool in_set;
};

struct search {
	struct link *link;
	size_t n_links;
	size_t room;
	bool found;
};

typedef int (*reader)(const struct nlmsghdr *nlh, void *ctx);

/* What one message says of a link. */
struct link_message {
	struct link link;
	bool elsewhere; /* its lower link is in another namespace, or is the other end of a pair */
};

/* The two ends of a pair name each other as their lower link, and carry nothing for each other. */
static int read_kind(const struct nlattr *attr, void *ctx)
{
	static const char *const pairs[] = {"veth", "netkit", "vxcan"};
	struct link_message *m = ctx;
	size_t i;

	if (mnl_attr_get_type(attr) != IFLA_INFO_KIND ||
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
		return MNL_CB_OK;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (strcmp(mnl_attr_get_str(attr), pairs[i]) == 0)
			m->elsewhere = true;
	}
	return MNL_CB_OK;
}

static int read_link_attr(const struct nlattr *attr, void *ctx)
{
	struct link_message *m = ctx;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_MASTER:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			m->link.master = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			m->link.lower = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		m->elsewhere = true;
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, read_kind, m);
	default:
		break;
	}
	return MNL_CB_OK;
}

static int keep_link(struct search *s, const struct link *link)
{
	struct link *more;

	if (s->n_links == s->room) {
		more = realloc(s->link, (s->room + LINKS_STEP) * sizeof(*more));
		if (!more) {
			errno = ENOMEM;
			return MNL_CB_ERROR;
		}
		s->link = more;
		s->room += LINKS_STEP;
	}
	s->link[s->n_links++] = *link;
	return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link_message m = {0};

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
		return MNL_CB_OK;
	m.link.index = (uint32_t)ifi->ifi_index;
	if (mnl_attr_parse(nlh, sizeof(*ifi), read_link_attr, &m) == MNL_CB_ERROR)
		return MNL_CB_ERROR;
	if (m.elsewhere)
		m.link.lower = 0;
	return keep_link(ctx, &m.link);
}

static struct link *link_of(const struct search *s, uint32_t index)
{
	size_t i;

	for (i = 0; index && i < s->n_links; i++) {
		if (s->link[i].index == index)
			return &s->link[i];
	}
	return NULL;
}

/* Take into the set what stands on its members. Return: was anything added? */
static bool grow_set(struct search *s)
{
	bool grown = false;
	size_t i;

	for (i = 0; i < s->n_links; i++) {
		struct link *link = &s->link[i];
		struct link *master = link_of(s, link->master);
		const struct link *lower = link_of(s, link->lower);

		if (link->in_set && master && !master->in_set) {
			master->in_set = true;
			grown = true;
		}
		if (!link->in_set && lower && lower->in_set) {
			link->in_set = true;
			grown = true;
		}
	}
	return grown;
}

static bool in_set(const struct search *s, uint32_t index)
{
	const struct link *link = link_of(s, index);

	return link && link->in_set;
}

/* Several next hops: structures of their own length, one behind the other. */
static bool hops_in_set(const struct search *s, const struct nlattr *hops)
{
	const uint8_t *at = mnl_attr_get_payload(hops);
	size_t left = mnl_attr_get_payload_len(hops);
	struct rtnexthop hop;

	while (left >= sizeof(hop)) {
		size_t step;

		memcpy(&hop, at, sizeof(hop));
		if (in_set(s, (uint32_t)hop.rtnh_ifindex))
			return true;
		step = RTNH_ALIGN(hop.rtnh_len);
		if (step < sizeof(hop) || step > left)
			break;
		at += step;
		left -= step;
	}
	return false;
}

static int read_route_attr(const struct nlattr *attr, void *ctx)
{
	struct search *s = ctx;

	if (mnl_attr_get_type(attr) == RTA_OIF && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		s->found = s->found || in_set(s, mnl_attr_get_u32(attr));
	else if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
		s->found = s->found || hops_in_set(s, attr);
	return MNL_CB_OK;
}

static int read_route(const struct nlmsghdr *nlh, void *ctx)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return MNL_CB_OK;
	if (rtm->rtm_dst_len != 0 || rtm->rtm_type != RTN_UNICAST ||
	    (rtm->rtm_flags & RTM_F_CLONED))
		return MNL_CB_OK;
	return mnl_attr_parse(nlh, sizeof(*rtm), read_route_attr, ctx);
}

/* Send one dump request and read its answer to the end. Return: 0, or -errno. */
static int dump_once(struct mnl_socket *nl, struct nlmsghdr *request, uint32_t seq, char *answer,
		     reader read_one, void *ctx)
{
	int result = MNL_CB_OK;
	ssize_t n;

	request->nlmsg_seq = seq;
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return -errno;
	while (result > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(nl, answer, DUMP_BYTES);
		if (n < 0)
			return -errno;
		result = mnl_cb_run(answer, (size_t)n, seq, mnl_socket_get_portid(nl), read_one,
				    ctx);
	}
	return result < 0 ? -errno : 0;
}

/* A socket of its own for each try: what is left of a broken dump goes with the old one. */
static int dump(uint16_t type, uint8_t family, reader read_one, struct search *s)
{
	char request[MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct ifinfomsg))];
	struct nlmsghdr *nlh;
	struct mnl_socket *nl;
	char *answer = malloc(DUMP_BYTES);
	int err = -EINTR;
	uint32_t try;

	if (!answer)
		return -ENOMEM;
	for (try = 1; try <= DUMP_TRIES && err == -EINTR; try++) {
		nlh = mnl_nlmsg_put_header(request);
		nlh->nlmsg_type = type;
		nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		/* Both kinds of header begin with the family; the rest is zero. */
		*(uint8_t *)mnl_nlmsg_put_extra_header(nlh, type == RTM_GETLINK
								    ? sizeof(struct ifinfomsg)
								    : sizeof(struct rtmsg)) =
			family;
		if (type == RTM_GETLINK)
			s->n_links = 0;
		nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
		if (!nl) {
			err = -errno;
			break;
		}
		err = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0
			      ? -errno
			      : dump_once(nl, nlh, try, answer, read_one, s);
		(void)mnl_socket_close(nl);
	}
	free(answer);
	return err;
}

static int search(struct search *s, uint32_t index)
{
	struct link *start;
	int err;

	err = dump(RTM_GETLINK, AF_UNSPEC, read_link, s);
	if (err)
		return err;
	start = link_of(s, index);
	if (!start)
		return -ENODEV;
	start->in_set = true;
	while (grow_set(s))
		;
	err = dump(RTM_GETROUTE, AF_INET, read_route, s);
	if (err)
		return err;
	err = dump(RTM_GETROUTE, AF_INET6, read_route, s);
	/* A kernel without IPv6 has no such route. */
	return err == -EAFNOSUPPORT || err == -EOPNOTSUPP ? 0 : err;
}

int vs_route_is_default(const char *ifname)
{
	unsigned int index = if_nametoindex(ifname);
	struct search s = {0};
	int err;

	if (index == 0)
		return -ENODEV;
	err = search(&s, index);
	free(s.link);
	return err ? err : s.found;
}
