/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests to the kernel about its network interfaces (rtnetlink(7)), by libmnl. Each call is one
 * message and its answer, which the kernel has ready when the message was sent.
 */
#ifndef VS_HOST_RTNL_H
#define VS_HOST_RTNL_H

#include "dataplane/host/host.h"

#include <net/if.h>

struct mnl_socket;
struct nlmsghdr;

/**
 * struct vs_rtnl - a socket for requests
 * @said:	what the kernel said about the last refusal beyond its number, or empty
 */
struct vs_rtnl {
	struct mnl_socket *sock;
	unsigned int seq;
	char said[96];
};

/** Bits of struct vs_link.flags. */
enum vs_link_flag {
	VS_LINK_UP = 1 << 0,        /* set up by the administrator */
	VS_LINK_CARRIER = 1 << 1,   /* somebody holds the other end */
	VS_LINK_TAP = 1 << 2,       /* a TAP interface */
	VS_LINK_TAP_MULTI = 1 << 3, /* made for several queues */
	VS_LINK_OURS = 1 << 4,      /* its alias says that the switch made it */
};

/**
 * struct vs_link - an interface
 * @master:	index of the bridge or bond it belongs to, or 0
 * @tap_queues:	queues that processes hold; known only with VS_LINK_TAP_MULTI
 */
struct vs_link {
	int ifindex;
	char name[IFNAMSIZ];
	uint32_t flags;
	uint32_t mtu;
	struct rte_ether_addr mac;
	int master;
	uint32_t tap_queues;
};

/** What vs_rtnl_link_set() changes. */
enum vs_link_change_what {
	VS_LINK_SET_MTU = 1 << 0,
	VS_LINK_SET_MAC = 1 << 1,
	VS_LINK_SET_UP = 1 << 2,
	VS_LINK_SET_OURS = 1 << 3,    /* mark it as made by the switch */
	VS_LINK_SET_NO_AUTO = 1 << 4, /* no IPv6 link-local address of its own */
};

struct vs_link_change {
	uint32_t what;
	uint32_t mtu;
	struct rte_ether_addr mac;
};

/** vs_rtnl_open() - Return: 0, or -errno with nothing left behind. */
int vs_rtnl_open(struct vs_rtnl *rtnl);

/** vs_rtnl_close() - also of one that is closed. */
void vs_rtnl_close(struct vs_rtnl *rtnl);

/**
 * vs_rtnl_call() - send one request and read its answer to the end
 * @nlh:	the message; flags and sequence number are filled in
 * @cb:		called for each message of the answer, or NULL
 *
 * Return: 0, or -errno.
 */
int vs_rtnl_call(struct vs_rtnl *rtnl, struct nlmsghdr *nlh,
		 int (*cb)(const struct nlmsghdr *nlh, void *arg), void *arg);

/**
 * vs_rtnl_link_get() - what an interface is
 * @ifindex:	which one, or 0: look for @name
 *
 * Return: 0, or -errno: -ENODEV there is none.
 */
int vs_rtnl_link_get(struct vs_rtnl *rtnl, int ifindex, const char *name, struct vs_link *ret_link);

/** vs_rtnl_link_set() - change an interface in one message. Return: 0, or -errno. */
int vs_rtnl_link_set(struct vs_rtnl *rtnl, int ifindex, const struct vs_link_change *change);

/** vs_rtnl_link_del() - delete an interface, whoever holds it. Return: 0, or -errno. */
int vs_rtnl_link_del(struct vs_rtnl *rtnl, int ifindex);

/**
 * vs_rtnl_addr_add() - give an address to an interface; -EEXIST: it has it
 *
 * An IPv6 address gets IFA_F_NODAD: see doc/ports.md.
 */
int vs_rtnl_addr_add(struct vs_rtnl *rtnl, int ifindex, const struct vs_host_addr *addr);

/** vs_rtnl_addr_del() - take an address off; -EADDRNOTAVAIL: it has no such one. */
int vs_rtnl_addr_del(struct vs_rtnl *rtnl, int ifindex, const struct vs_host_addr *addr);

/**
 * vs_rtnl_addr_list() - the addresses of an interface, but for those that the kernel made itself
 *	(IPv6 link-local and autoconfigured ones)
 * @ret_addrs:	room for @max
 * @ret_n:	how many of them were written
 *
 * Return: 0, or -errno.
 */
int vs_rtnl_addr_list(struct vs_rtnl *rtnl, int ifindex, struct vs_host_addr *ret_addrs,
		      unsigned int max, unsigned int *ret_n);

/**
 * vs_rtnl_block() - keep the host's network stack off an interface, in both directions
 *
 * Two traffic-control filters drop everything (see rtnl_tc.c); they stay when the switch ends.
 *
 * Return: 0 (also if they are there), or -errno.
 */
int vs_rtnl_block(struct vs_rtnl *rtnl, int ifindex);

/** vs_rtnl_unblock() - remove the two filters again. Return: 0, or -errno. */
int vs_rtnl_unblock(struct vs_rtnl *rtnl, int ifindex);

#endif
