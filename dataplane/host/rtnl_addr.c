/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of the host: their text, and the messages that give them to interfaces. */
#include "dataplane/host/rtnl.h"

#include <libmnl/libmnl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

enum {
	DUMP_TRIES = 5,
};

static size_t addr_bytes(uint8_t family)
{
	return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

/* Can one host have this address? */
static bool is_usable(const struct vs_host_addr *addr)
{
	static const uint8_t zero[sizeof(addr->bytes)];
	static const uint8_t ones[sizeof(struct in_addr)] = {255, 255, 255, 255};

	if (memcmp(addr->bytes, zero, sizeof(zero)) == 0)
		return false;
	if (addr->family == AF_INET6)
		return addr->bytes[0] != 0xff;
	return (addr->bytes[0] & 0xf0) != 0xe0 && memcmp(addr->bytes, ones, sizeof(ones)) != 0;
}

/* A decimal number of one to three digits. Return: it, or -EINVAL. */
static int parse_length(const char *text)
{
	int value = 0;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (i == 3 || text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (text[i] - '0');
	}
	return i ? value : -EINVAL;
}

int vs_host_addr_parse(const char *text, struct vs_host_addr *ret_addr)
{
	const char *slash = strchr(text, '/');
	struct vs_host_addr addr = {0};
	char host[INET6_ADDRSTRLEN];
	int length;

	if (!slash || (size_t)(slash - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	addr.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(addr.family, host, addr.bytes) != 1)
		return -EINVAL;
	length = parse_length(slash + 1);
	if (length < 1 || length > (int)addr_bytes(addr.family) * 8 || !is_usable(&addr))
		return -EINVAL;
	addr.prefix_len = (uint8_t)length;
	*ret_addr = addr;
	return 0;
}

const char *vs_host_addr_format(const struct vs_host_addr *addr, char text[VS_HOST_ADDR_TEXT])
{
	char host[INET6_ADDRSTRLEN];

	if (!inet_ntop(addr->family, addr->bytes, host, sizeof(host)))
		host[0] = '\0';
	(void)snprintf(text, VS_HOST_ADDR_TEXT, "%s/%u", host, addr->prefix_len);
	return text;
}

static int addr_call(struct vs_rtnl *rtnl, uint16_t type, int ifindex,
		     const struct vs_host_addr *addr)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;

	nlh->nlmsg_type = type;
	if (type == RTM_NEWADDR)
		nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = addr->family;
	ifa->ifa_prefixlen = addr->prefix_len;
	ifa->ifa_index = (uint32_t)ifindex;
	if (addr->family == AF_INET6)
		ifa->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(nlh, IFA_LOCAL, addr_bytes(addr->family), addr->bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, addr_bytes(addr->family), addr->bytes);
	return vs_rtnl_call(rtnl, nlh, NULL, NULL);
}

int vs_rtnl_addr_add(struct vs_rtnl *rtnl, int ifindex, const struct vs_host_addr *addr)
{
	return addr_call(rtnl, RTM_NEWADDR, ifindex, addr);
}

int vs_rtnl_addr_del(struct vs_rtnl *rtnl, int ifindex, const struct vs_host_addr *addr)
{
	return addr_call(rtnl, RTM_DELADDR, ifindex, addr);
}

/* What a dump of addresses is collected into. */
struct addr_list {
	struct vs_host_addr *addrs;
	unsigned int max;
	unsigned int n;
	int ifindex;
};

/* What matters of an address. */
struct addr_attrs {
	const struct nlattr *local;
	bool is_kernels; /* made by the kernel itself: nobody's to take off */
};

static int on_addr_attr(const struct nlattr *attr, void *arg)
{
	struct addr_attrs *attrs = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFA_LOCAL:
		attrs->local = attr;
		break;
	case IFA_ADDRESS:
		/* The peer's, if IFA_LOCAL is there too. */
		if (!attrs->local)
			attrs->local = attr;
		break;
	case IFA_PROTO:
		attrs->is_kernels = mnl_attr_get_u8(attr) != IFAPROT_UNSPEC &&
				    mnl_attr_get_u8(attr) <= IFAPROT_KERNEL_LL;
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct addr_attrs attrs = {0};
	struct addr_list *list = arg;
	struct vs_host_addr *addr;

	if (nlh->nlmsg_type != RTM_NEWADDR || nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*ifa)) ||
	    (int)ifa->ifa_index != list->ifindex || list->n == list->max)
		return MNL_CB_OK;
	(void)mnl_attr_parse(nlh, sizeof(*ifa), on_addr_attr, &attrs);
	if (!attrs.local || attrs.is_kernels ||
	    mnl_attr_get_payload_len(attrs.local) != addr_bytes(ifa->ifa_family))
		return MNL_CB_OK;
	addr = &list->addrs[list->n++];
	*addr = (struct vs_host_addr){
		.family = ifa->ifa_family,
		.prefix_len = ifa->ifa_prefixlen,
	};
	memcpy(addr->bytes, mnl_attr_get_payload(attrs.local), addr_bytes(ifa->ifa_family));
	return MNL_CB_OK;
}

static int dump_addrs(struct vs_rtnl *rtnl, struct addr_list *list)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_DUMP;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_UNSPEC;
	/* A kernel that can picks the interface itself; on_addr() looks again for the others. */
	ifa->ifa_index = (uint32_t)list->ifindex;
	list->n = 0;
	return vs_rtnl_call(rtnl, nlh, on_addr, list);
}

int vs_rtnl_addr_list(struct vs_rtnl *rtnl, int ifindex, struct vs_host_addr *ret_addrs,
		      unsigned int max, unsigned int *ret_n)
{
	struct addr_list list = {.addrs = ret_addrs, .max = max, .ifindex = ifindex};
	unsigned int tries = DUMP_TRIES;
	int err;

	/* EINTR: somebody changed an address while the kernel was writing them down. */
	do {
		err = dump_addrs(rtnl, &list);
	} while (err == -EINTR && --tries);
	if (err)
		return err;
	*ret_n = list.n;
	return 0;
}
