/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports that are network interfaces of the kernel. This header is all that other folders see of
 * dataplane/host.
 *
 *	VS_HOST_TAP	the host port: a TAP interface that the switch holds; the host's network
 *			stack is the other side.
 *	VS_HOST_PACKET	a guest port on a TAP interface that a VMM holds (emulated network cards,
 *			no vhost): the switch sits on the interface with a packet socket, and the
 *			host's stack is kept off it.
 *
 * Everything here but the two ops tables runs on the control thread.
 */
#ifndef VS_HOST_HOST_H
#define VS_HOST_HOST_H

#include "dataplane/core/conf.h"
#include "dataplane/core/rcu.h"

#include <net/if.h>
#include <stdbool.h>

struct event_base;
struct vs_host;
struct vs_host_env;

enum {
	VS_HOST_PAIRS_MAX = 8,
	/** Addresses of one host port that are given with it or shown. */
	VS_HOST_ADDRS_MAX = 16,
	/** The kernel's limit for a TAP interface. */
	VS_HOST_MTU_MAX = 65521,
	/** Bytes of an address with its prefix length as text, with the NUL. */
	VS_HOST_ADDR_TEXT = 50,
};

enum vs_host_kind {
	VS_HOST_TAP,
	VS_HOST_PACKET,
};

/** What keeps a port from carrying traffic, or that nothing does. */
enum vs_host_state {
	VS_HOST_RUNNING,
	VS_HOST_WAITING, /* PACKET: no VMM has opened the interface */
	VS_HOST_DOWN,    /* somebody set the interface down in the host */
	VS_HOST_GONE,    /* somebody deleted it */
};

/** Which hardware address the interface of a host port gets. */
enum vs_host_mac {
	VS_HOST_MAC_KERNEL, /* the kernel picks one; an existing interface keeps its own */
	VS_HOST_MAC_NEW,    /* `mac` if the interface is made; an existing one keeps its own */
	VS_HOST_MAC_SET,    /* `mac` in any case */
};

/**
 * struct vs_host_addr - an address of the host, with the length of its network's prefix
 * @family:	AF_INET or AF_INET6
 * @bytes:	4 or 16 bytes of address in wire order
 */
struct vs_host_addr {
	uint8_t family;
	uint8_t prefix_len;
	uint8_t bytes[16];
};

/**
 * struct vs_host_config - how to make one
 * @kind:	what is on the other side
 * @name:	of the port, for log lines
 * @ifname:	of the interface (vs_host_ifname_is_valid())
 * @port:	port id, written into the packets
 * @mtu:	of the interface, VS_MTU_MIN to VS_HOST_MTU_MAX
 * @queues:	TAP: 1 to VS_HOST_PAIRS_MAX; PACKET: 1
 * @mac_mode:	TAP only, like the next three
 * @mac:	see @mac_mode
 * @addrs:	@n_addrs addresses that the interface gets, at most VS_HOST_ADDRS_MAX; what it has
 *		besides is left alone
 * @changed:	called on the control thread whenever others changed the interface's state, name,
 *		hardware address or MTU, from the event loop or vs_host_check(); may publish a new
 *		configuration, must not delete the port
 * @ctx:	given to @changed
 */
struct vs_host_config {
	enum vs_host_kind kind;
	const char *name;
	const char *ifname;
	uint16_t port;
	uint32_t mtu;
	unsigned int queues;
	enum vs_host_mac mac_mode;
	struct rte_ether_addr mac;
	const struct vs_host_addr *addrs;
	unsigned int n_addrs;
	void (*changed)(void *ctx);
	void *ctx;
};

/** struct vs_host_why - one sentence that says why a call failed, for the user */
struct vs_host_why {
	char text[200];
};

/** struct vs_host_info - everything `port show` tells about the interface */
struct vs_host_info {
	enum vs_host_state state;
	char problem[200];     /* a sentence on what is wrong and what to do, or empty */
	char ifname[IFNAMSIZ]; /* what it is called now */
	int ifindex;           /* 0: gone, or in another network namespace */
	struct rte_ether_addr mac;
	uint32_t mtu;
	bool carrier; /* somebody holds the other end */
	bool made;    /* by the switch, now or in an earlier life of it */
	unsigned int queues;
	uint64_t missed; /* PACKET: frames that the kernel's queue lost before the switch read */
	unsigned int n_addrs; /* without those that the kernel made itself (IPv6 link-local) */
	struct vs_host_addr addrs[VS_HOST_ADDRS_MAX];
};

/** The worker's side of a host port (VS_HOST_TAP); `dev` is a struct vs_host. */
extern const struct vs_port_ops vs_host_ops;

/** The worker's side of a guest port on a TAP (VS_HOST_PACKET); `dev` is a struct vs_host. */
extern const struct vs_port_ops vs_packet_ops;

/**
 * vs_host_env_new() - what all ports of this folder share: a netlink socket for requests and
 *	one that listens for what others do to interfaces
 * @base:	event loop of the control thread
 * @rcu:	of the daemon
 *
 * Return: 0 and the environment in *@ret_env, or -errno.
 */
int vs_host_env_new(struct event_base *base, const struct vs_rcu *rcu,
		    struct vs_host_env **ret_env);

/** vs_host_env_free() - close both; no port may be left. NULL is fine. */
void vs_host_env_free(struct vs_host_env *env);

/**
 * vs_host_ifname_is_valid() - may an interface be called @ifname?
 *
 * The kernel's rule (1 to 15 bytes, no '/', ':' or white space, not "." or ".."), and no '%',
 * which it would take for a pattern.
 */
bool vs_host_ifname_is_valid(const char *ifname);

/**
 * vs_host_addr_parse() - "192.0.2.1/24" or "2001:db8::1/64" to an address
 *
 * The length must be there: without it the host would reach nobody on the network.
 *
 * Return: 0, or -EINVAL: no such thing, or no address that one host can have (unspecified,
 * multicast, 255.255.255.255).
 */
int vs_host_addr_parse(const char *text, struct vs_host_addr *ret_addr);

/** vs_host_addr_format() - the text of @addr, written to @text, which is returned. */
const char *vs_host_addr_format(const struct vs_host_addr *addr, char text[VS_HOST_ADDR_TEXT]);

/**
 * vs_host_new() - make the interface, or take over the one that is there, and attach to it
 *
 * An existing persistent TAP interface of that name keeps its addresses, its routes and, unless
 * VS_HOST_MAC_SET, its hardware address; MTU and missing addresses are set, and it is set up.
 * When the call fails, an interface that it made is gone again.
 *
 * Return: 0 and the port in *@ret_host (owned by the caller), or -errno with a sentence in
 * @ret_why: -EEXIST another kind of interface has the name, -EBUSY another process or port holds
 * it, -EINVAL an attribute or a different number of queues (one, or several), or what the kernel
 * said.
 */
int vs_host_new(struct vs_host_env *env, const struct vs_host_config *config,
		struct vs_host **ret_host, struct vs_host_why *ret_why);

/**
 * vs_host_del() - remove the port; no published configuration may name it any more
 *
 * Waits one grace period. The interface of a host port is removed with it, also if it was there
 * before; that of VS_HOST_PACKET only if the switch made it (in this life or an earlier one).
 */
void vs_host_del(struct vs_host *host);

/** vs_host_detach() - like vs_host_del(), but the interface stays: the daemon ends. */
void vs_host_detach(struct vs_host *host);

/** vs_host_undo() - take back vs_host_new(): an interface that it found stays, one it made goes. */
void vs_host_undo(struct vs_host *host);

/** vs_host_is_up() - frames can be delivered. */
bool vs_host_is_up(const struct vs_host *host);

/** vs_host_pairs() - how many queue pairs a worker must poll. */
unsigned int vs_host_pairs(const struct vs_host *host);

/** vs_host_check() - a worker reported a fault (VS_EVENT_FAULT): look at the interface. */
void vs_host_check(struct vs_host *host);

/** vs_host_info() - fill in *@ret_info. */
void vs_host_info(struct vs_host *host, struct vs_host_info *ret_info);

/** vs_host_state_name() - "running", "waiting", "down" or "gone". */
const char *vs_host_state_name(enum vs_host_state state);

/** vs_host_set_name() - the port is called @name from now on, in log lines. */
void vs_host_set_name(struct vs_host *host, const char *name);

/**
 * vs_host_set_mtu() - set the interface's MTU
 * Return: 0, or -errno with a sentence in @ret_why and nothing changed.
 */
int vs_host_set_mtu(struct vs_host *host, uint32_t mtu, struct vs_host_why *ret_why);

/** vs_host_set_mac() - set the hardware address of a host port's interface; like set_mtu. */
int vs_host_set_mac(struct vs_host *host, const struct rte_ether_addr *mac,
		    struct vs_host_why *ret_why);

/** vs_host_add_addr() - give a host port's interface one more address; it may have it already. */
int vs_host_add_addr(struct vs_host *host, const struct vs_host_addr *addr,
		     struct vs_host_why *ret_why);

/** vs_host_del_addr() - take an address off a host port's interface; it may be gone already. */
int vs_host_del_addr(struct vs_host *host, const struct vs_host_addr *addr,
		     struct vs_host_why *ret_why);

#endif
