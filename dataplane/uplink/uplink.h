/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Uplinks: ports to a physical network. This header is all that other folders see of
 * dataplane/uplink. One section for each kind.
 *
 * Everything here but the vs_*_ops tables runs on the control thread.
 */
#ifndef VS_UPLINK_UPLINK_H
#define VS_UPLINK_UPLINK_H

#include "bpf/uplink.h"
#include "dataplane/core/conf.h"
#include "dataplane/core/rcu.h"

#include <rte_ether.h>

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event_base;

/* ---- xdp:IFNAME: an interface that a kernel driver serves, through AF_XDP ---- */

struct vs_xdp;

/** struct vs_xdp_why - why something was refused, a sentence for the user */
struct vs_xdp_why {
	char text[320];
};

/** Does the host keep its address on the interface? */
enum vs_xdp_share {
	VS_XDP_ALONE,  /* share-host off: the interface is the switch's alone */
	VS_XDP_SHARED, /* share-host on */
};

/** Is the interface taken although it carries the host's default route? */
enum vs_xdp_force {
	VS_XDP_CAREFUL,
	VS_XDP_FORCE,
};

/** What keeps the uplink from carrying traffic, or that nothing does. */
enum vs_xdp_state {
	VS_XDP_RUNNING,
	VS_XDP_NO_CARRIER, /* the wire is dead */
	VS_XDP_DOWN,       /* somebody set the interface down */
	VS_XDP_GONE,       /* the interface was removed */
};

/** struct vs_xdp_env - what all xdp uplinks of the daemon share */
struct vs_xdp_env {
	struct event_base *base;
	const struct vs_rcu *rcu;
	const char *rundir; /* folder of saved settings and pins; exists */
};

/**
 * struct vs_xdp_config - how to make one
 * @name:	of the port, for log lines
 * @ifname:	interface of the daemon's network namespace
 * @share:	does the host share the interface?
 * @force:	take it although it carries the default route?
 * @port:	port id, written into the packets
 * @changed:	called on the control thread whenever vs_xdp_is_up(), vs_xdp_pairs(), the MTU, the
 *		address or the problem changed; may publish a new configuration, must not delete the
 *		uplink; not called before vs_xdp_new() returned
 * @ctx:	given to @changed
 */
struct vs_xdp_config {
	const char *name;
	const char *ifname;
	enum vs_xdp_share share;
	enum vs_xdp_force force;
	uint16_t port;
	void (*changed)(void *ctx);
	void *ctx;
};

/** struct vs_xdp_info - everything `port show` tells about the uplink */
struct vs_xdp_info {
	enum vs_xdp_state state;
	enum vs_xdp_share share;
	char problem[320]; /* a sentence on what is wrong and what to do, or empty */
	char ifname[IFNAMSIZ];
	struct rte_ether_addr mac;
	uint32_t ifindex;
	uint32_t mtu;      /* of the interface */
	uint32_t mtu_max;  /* that this kernel and driver allow on an uplink */
	uint32_t queues;   /* hw queues, each with a socket */
	uint32_t prog_id;  /* of the program that sorts */
	bool native;       /* the driver runs the program; else the stack does, slower */
	bool zero_copy;    /* the card writes into the switch's memory; else the kernel copies */
	bool multi_buffer; /* frames of more than one buffer */
	bool taken_over;   /* the program of a killed switch was replaced, without a gap */
	bool carrier;
	uint64_t missed; /* frames for the switch that found its rings full */
	uint64_t counters[VS_BPF_COUNTER_COUNT]; /* of the programs; bpf/uplink.h names them */
};

/** The worker's side of an xdp uplink; `dev` is a struct vs_xdp. */
extern const struct vs_port_ops vs_xdp_ops;

/**
 * vs_xdp_new() - take an interface
 *
 * What is changed on it (offloads, promiscuous mode, up) is written down in the run folder first,
 * so that it can be put back whatever happens. A program that a killed switch left is replaced
 * without a moment without one. Waits up to 2 s for the sockets of a process that just ended.
 *
 * Return: 0 and the uplink in *@ret_xdp (owned by the caller), or -errno, a sentence in *@ret_why
 * and everything as it was: -ENODEV there is no such interface, -EINVAL it is of no use (loopback,
 * not Ethernet, port of a bridge), -EBUSY it belongs to another uplink or has a program of somebody
 * else, -EPERM it carries the default route, -EMSGSIZE its MTU is too high, -EOPNOTSUPP its
 * offloads cannot be turned off, -E2BIG it has too many queues, -ENOMEM, or what the kernel said.
 */
int vs_xdp_new(const struct vs_xdp_env *env, const struct vs_xdp_config *config,
	       struct vs_xdp **ret_xdp, struct vs_xdp_why *ret_why);

/**
 * vs_xdp_del() - give the interface back as it was, and free
 *
 * No published configuration may name it any more; waits one grace period.
 */
void vs_xdp_del(struct vs_xdp *x);

/** vs_xdp_is_up() - does it take frames? With sharing, the host does even without a carrier. */
bool vs_xdp_is_up(const struct vs_xdp *x);

/** vs_xdp_pairs() - how many queue pairs a worker must poll: the hw queues, and the host's. */
unsigned int vs_xdp_pairs(const struct vs_xdp *x);

/** vs_xdp_mtu() - of the interface now. */
uint32_t vs_xdp_mtu(const struct vs_xdp *x);

/** vs_xdp_mac() - address of the interface now. */
void vs_xdp_mac(const struct vs_xdp *x, struct rte_ether_addr *ret_mac);

/**
 * vs_xdp_set_share() - begin or end to share the interface with the host, under traffic
 * Return: 0, or -errno, a sentence in *@ret_why and nothing changed.
 */
int vs_xdp_set_share(struct vs_xdp *x, enum vs_xdp_share share, struct vs_xdp_why *ret_why);

/** struct vs_xdp_filter - frames to @mac in VLAN @vid (as inside the switch) are for @port */
struct vs_xdp_filter {
	struct rte_ether_addr mac;
	uint16_t vid;
	uint16_t port;
};

/** Are frames sorted into queues before the switch sees them? */
enum vs_xdp_sorting {
	VS_XDP_SORT_OFF,
	VS_XDP_SORT_ON,
};

/**
 * struct vs_xdp_wish - what is to be sorted, and how
 * @vid:	VLAN of frames without a tag
 * @filter:	@n of them, those of a port one behind the other; a port that stands further in
 *		front has a queue rather than one behind it
 */
struct vs_xdp_wish {
	enum vs_xdp_sorting sorting;
	uint16_t vid;
	const struct vs_xdp_filter *filter;
	unsigned int n;
};

/**
 * vs_xdp_sort() - have the kernel sort frames into queues of their own, each of them some queue
 * pairs of the uplink; vs_xdp_pairs() may be another then
 *
 * Ports for which there is no queue are in the default one, and it does no harm: frames are the
 * same, only the queue pair is another. Order is kept within what a filter matches. Waits for the
 * kernel (milliseconds) if something changes, and up to half a second for frames that are left in a
 * queue.
 *
 * Return: 0, or -errno with a sentence in *@ret_why and nothing sorted: -EOPNOTSUPP or what else
 * this kernel has against it. *@ret_changed: vs_xdp_pairs() or vs_xdp_owner() is another now.
 */
int vs_xdp_sort(struct vs_xdp *x, const struct vs_xdp_wish *wish, bool *ret_changed,
		struct vs_xdp_why *ret_why);

/** vs_xdp_queues_max() - how many ports can have a queue at once. */
unsigned int vs_xdp_queues_max(const struct vs_xdp *x);

/** vs_xdp_owner() - the port that queue pair @pair is for, or VS_VMQ_DEFAULT: anybody. */
uint16_t vs_xdp_owner(const struct vs_xdp *x, unsigned int pair);

/** vs_xdp_info() - fill in *@ret_info. */
void vs_xdp_info(const struct vs_xdp *x, struct vs_xdp_info *ret_info);

/** vs_xdp_state_name() - "running", "no-carrier", "down" or "gone". */
const char *vs_xdp_state_name(enum vs_xdp_state state);

/** vs_xdp_counter_name() - name of vs_xdp_info.counters[@which], for a table. */
const char *vs_xdp_counter_name(unsigned int which);

/** What to do with interfaces that a killed switch left changed. */
enum vs_uplink_leftovers {
	VS_UPLINK_TELL,    /* name each in a log line */
	VS_UPLINK_RELEASE, /* give them back as they were, and say so */
};

/**
 * vs_uplink_leftovers() - look after interfaces that a killed switch left changed
 * @rundir:	its run folder
 *
 * Interfaces of a switch that lives are left alone.
 *
 * Return: how many there were, or -errno: the folder cannot be read, or one could not be given
 * back.
 */
int vs_uplink_leftovers(const char *rundir, enum vs_uplink_leftovers what);

/**
 * vs_uplink_give_files() - root: let @uid and @gid own what an earlier switch left in a run folder
 * @dir:	descriptor of the folder, which only root can write to
 *
 * Its saved settings, and its pins. Return: 0, or -errno.
 */
int vs_uplink_give_files(int dir, uid_t uid, gid_t gid);

/**
 * vs_uplink_give_pins() - root: see that there is a bpffs in a run folder, which @uid and @gid own
 * @dir:	descriptor of the folder; it may be the user's
 *
 * Return: 0, or -errno: no xdp uplink outlives the switch then.
 */
int vs_uplink_give_pins(int dir, uid_t uid, gid_t gid);

/* ---- self-test: does a device do what it claims? See doc/offload.md. ---- */

enum {
	/** Offloads that are tested, each by itself. */
	VS_SELFTEST_ROWS = 4,
};

/** What a test has shown. */
enum vs_selftest_verdict {
	VS_SELFTEST_NOT_CLAIMED = 1, /* the device says that it cannot do it */
	VS_SELFTEST_NOT_TESTED,      /* it could not be found out */
	VS_SELFTEST_GOOD,            /* every frame was as it should be */
	VS_SELFTEST_BAD,             /* it claims what it does not do */
};

/**
 * struct vs_selftest_row - one offload
 * @offload:	a bit of enum vs_offload: CSUM, TSO4, TSO6 or VERIFY
 * @sent:	packets that were given to the device
 * @back:	frames that came back
 * @why:	of NOT_TESTED and BAD: a sentence; else ""
 */
struct vs_selftest_row {
	unsigned int offload;
	enum vs_selftest_verdict verdict;
	uint32_t sent;
	uint32_t back;
	char why[240];
};

/** struct vs_selftest_report - all that can be tested, claimed or not */
struct vs_selftest_report {
	struct vs_selftest_row row[VS_SELFTEST_ROWS];
};

/**
 * vs_selftest_begin() - a report in which what is claimed has not been tested
 * @claims:	bits of enum vs_offload; others than those that can be tested are left out
 * @why:	it has not
 */
void vs_selftest_begin(unsigned int claims, const char *why, struct vs_selftest_report *ret_report);

/* ---- dpdk: any device that a DPDK driver knows ---- */

struct vs_dpdk;

enum {
	VS_DPDK_QUEUES_MAX = 64,
	VS_DPDK_DEVARGS_MAX = 256, /* with the final NUL */
	VS_DPDK_MTU_DEFAULT = 1500,
	/** Highest MTU of any device: a frame's length with tag and FCS has 16 bits. */
	VS_DPDK_MTU_MAX = 65500,
};

/** Is a device taken that the host itself needs? */
enum vs_dpdk_force {
	VS_DPDK_CAREFUL,
	VS_DPDK_FORCE,
};

/** What keeps the uplink from carrying traffic, or that nothing does. */
enum vs_dpdk_state {
	VS_DPDK_RUNNING,
	VS_DPDK_NO_CARRIER,
	VS_DPDK_GONE,    /* the device was pulled out */
	VS_DPDK_STOPPED, /* it did not start again after a change of its MTU */
};

/** struct vs_dpdk_why - a sentence for the user, written when a call fails */
struct vs_dpdk_why {
	char text[224];
};

/**
 * struct vs_dpdk_env - what every uplink of the daemon shares
 * @pci:	addresses of the PCI devices that the daemon was started with (--pci)
 * @virtio_user: an uplink may be a net_virtio_user: whoever is at its other side maps all memory of
 *		the switch (--virtio-user)
 */
struct vs_dpdk_env {
	struct event_base *base;
	const struct vs_rcu *rcu;
	const char *const *pci;
	unsigned int n_pci;
	bool virtio_user;
};

/**
 * struct vs_dpdk_config - how to make one
 * @name:	of the port, for log lines
 * @devargs:	what stands behind `dpdk:`
 * @force:	take the NIC that carries the default route, too
 * @queues:	hw queues, 0 for one; as many queue pairs the port has
 * @mtu:	0 for VS_DPDK_MTU_DEFAULT, or what the device takes if that is less
 * @port:	port id, written into the packets
 * @changed:	called on the control thread whenever state or problem changed; may publish a new
 *		configuration, must not delete the uplink
 * @ctx:	given to @changed
 */
struct vs_dpdk_config {
	const char *name;
	const char *devargs;
	enum vs_dpdk_force force;
	unsigned int queues;
	uint32_t mtu;
	uint16_t port;
	void (*changed)(void *ctx);
	void *ctx;
};

/** struct vs_dpdk_info - everything `port show` tells about the device */
struct vs_dpdk_info {
	enum vs_dpdk_state state;
	char problem[160];   /* a sentence on what is wrong and what to do, or empty */
	char driver[32];     /* name of DPDK's driver */
	const char *devargs; /* lives as long as the uplink */
	struct rte_ether_addr mac;
	bool link;
	uint32_t speed_mbps; /* 0: not known */
	int node;            /* NUMA node that it is on; -1: none, or not known */
	uint32_t mtu;
	uint32_t mtu_max;
	uint32_t queues;
	uint64_t missed;    /* frames the device dropped because nobody fetched them in time */
	uint64_t rx_errors; /* frames the device dropped because they were damaged */
	uint64_t tx_errors;
	uint64_t no_buffer; /* frames the driver had no memory for */
};

/** The worker's side of a dpdk uplink; `dev` is a struct vs_dpdk. */
extern const struct vs_port_ops vs_dpdk_ops;

/**
 * vs_dpdk_new() - probe the device, configure and start it
 *
 * Nothing but what @config->devargs names is probed. It must make exactly one network device.
 *
 * Return: 0 and the uplink in *@ret_dpdk (owned by the caller), or -errno, a sentence in *@ret_why
 * and nothing left behind: -EINVAL the devargs or a number, -ENODEV no such device or driver,
 * -EPERM a PCI device the daemon was not started with, or an argument that is not allowed, -EBUSY
 * it carries the default route, or is driven by the kernel, -EEXIST an uplink has it already,
 * -ENOSPC too many devices, -ENOMEM too little memory (--memory), -ENOTSUP the device cannot do
 * what an uplink needs, or what the driver said.
 */
int vs_dpdk_new(const struct vs_dpdk_env *env, const struct vs_dpdk_config *config,
		struct vs_dpdk **ret_dpdk, struct vs_dpdk_why *ret_why);

/**
 * vs_dpdk_del() - stop and close the device and free it; no published configuration may name it
 *
 * Waits one grace period. The device is left as it was found.
 */
void vs_dpdk_del(struct vs_dpdk *dpdk);

/** vs_dpdk_is_up() - it runs and has a carrier. */
bool vs_dpdk_is_up(const struct vs_dpdk *dpdk);

/** vs_dpdk_pairs() - how many queue pairs a worker must poll. */
unsigned int vs_dpdk_pairs(const struct vs_dpdk *dpdk);

/**
 * vs_dpdk_set_mtu() - change the MTU
 *
 * Some devices are stopped and started for it; the frames of that moment are lost.
 *
 * Return: 0, or -errno, a sentence in *@ret_why and the MTU as it was: -ERANGE beyond what the
 * device takes, -ENOMEM, -ENOTSUP, or what the driver said.
 */
int vs_dpdk_set_mtu(struct vs_dpdk *dpdk, uint32_t mtu, struct vs_dpdk_why *ret_why);

/**
 * vs_dpdk_test() - test the offloads that the device claims; workers run
 * @partner:	who returns frames with their addresses exchanged; all zero: the wire itself does
 *
 * An offload that is BAD is quarantined: it is not left to the device any more, whatever is set
 * anew, until a test finds it GOOD or the uplink is made anew.
 *
 * Return: 0, or -ENOMEM.
 */
int vs_dpdk_test(struct vs_dpdk *dpdk, const struct rte_ether_addr *partner,
		 struct vs_selftest_report *ret_report);

/**
 * vs_dpdk_quarantined() - offloads that are in quarantine
 * @why:	gets what each of them did, or ""
 *
 * Return: bits of enum vs_offload.
 */
unsigned int vs_dpdk_quarantined(const struct vs_dpdk *dpdk, char *why, size_t size);
enum {
	/* Filters of a dpdk uplink that become rules of its card; each is three rules at most. */
	VS_RULES_FILTERS_MAX = 1024,
};

/** struct vs_rules_filter - frames to @mac in VLAN @vid (as inside the switch) are for @port */
struct vs_rules_filter {
	struct rte_ether_addr mac;
	uint16_t vid;
	uint16_t port;
};

/** Are frames sorted into queues by the card? */
enum vs_dpdk_sorting {
	VS_DPDK_SORT_OFF,
	VS_DPDK_SORT_ON,
};

/**
 * struct vs_dpdk_wish - what is to be sorted, and how
 * @vid:	VLAN of frames without a tag
 * @filter:	as vs_rules_apply() says
 */
struct vs_dpdk_wish {
	enum vs_dpdk_sorting sorting;
	uint16_t vid;
	const struct vs_rules_filter *filter;
	unsigned int n;
};

/**
 * vs_dpdk_sort() - have the card sort frames into hw queues of their own
 *
 * It may be started anew, with more or fewer queues; frames of that moment are lost. Waits for
 * workers, up to half a second if they do not come.
 *
 * Return: 0, or -errno with a sentence in *@ret_why and nothing sorted. *@ret_changed:
 * vs_dpdk_pairs() or vs_dpdk_owner() is another now.
 */
int vs_dpdk_sort(struct vs_dpdk *dpdk, const struct vs_dpdk_wish *wish, bool *ret_changed,
		 struct vs_dpdk_why *ret_why);

/** vs_dpdk_judge() - once a second, as vs_rules_judge() says: is its sorting not believed? */
bool vs_dpdk_judge(struct vs_dpdk *dpdk, uint64_t astray);

/** vs_dpdk_queues_max() - how many ports can have a queue at once. */
unsigned int vs_dpdk_queues_max(const struct vs_dpdk *dpdk);

/** vs_dpdk_owner() - the port that queue pair @pair is for, or VS_VMQ_DEFAULT: anybody. */
uint16_t vs_dpdk_owner(const struct vs_dpdk *dpdk, unsigned int pair);

/** vs_dpdk_info() - fill in *@ret_info. */
void vs_dpdk_info(const struct vs_dpdk *dpdk, struct vs_dpdk_info *ret_info);

/** vs_dpdk_state_name() - "running", "no-carrier", "gone" or "stopped". */
const char *vs_dpdk_state_name(enum vs_dpdk_state state);

/**
 * vs_dpdk_check_pci() - may this PCI device be given to DPDK?
 * @addr:	BB:DD.F or DDDD:BB:DD.F
 *
 * To be asked before the EAL starts, which probes what it is allowed to.
 *
 * Return: 0, or -errno and a sentence in *@ret_why: -EINVAL not an address, -ENODEV no such device,
 * -EBUSY the kernel drives it as a network card, or it carries the default route.
 */
int vs_dpdk_check_pci(const char *addr, struct vs_dpdk_why *ret_why);

#endif
