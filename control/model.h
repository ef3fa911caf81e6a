/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configured objects (switches, ports) and everything that can be asked of them. The
 * handlers of the control protocol (control/obj_*.c) are the only callers; the model is the only
 * one that builds and publishes the workers' snapshot (dataplane/core/conf.h).
 *
 * Control thread only. A call that fails changes nothing and fills in struct vs_fail.
 */
#ifndef VS_CONTROL_MODEL_H
#define VS_CONTROL_MODEL_H

#include "control/fail.h"
#include "control/proto.h"
#include "dataplane/guest/guest.h"

#include <rte_ether.h>

#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;
struct vs_config_key;
struct vs_model;
struct vs_port_change;
struct vs_worker;

/** Kinds of switches. */
enum vs_switch_kind {
	VS_SWITCH_PRIVATE = 1, /* guests only */
	VS_SWITCH_INTERNAL,    /* guests and the host */
	VS_SWITCH_EXTERNAL,    /* guests, one uplink, and the host if it shares the uplink */
};

/** Kinds of ports. */
enum vs_port_kind {
	VS_PORT_GUEST = 1, /* a virtual machine, over vhost-user */
	VS_PORT_PACKET,    /* a virtual machine, on a TAP interface that its VMM holds */
	VS_PORT_HOST,      /* a TAP interface of the host */
	VS_PORT_XDP,       /* uplink: a network card that the kernel drives */
	VS_PORT_DPDK,      /* uplink: a DPDK device */
	VS_PORT_KINDS,     /* one more than the highest */
};

/** May the host use the network card of an external switch? */
enum vs_share {
	VS_SHARE_OFF,
	VS_SHARE_ON,
};

/** Who gets frames to unicast addresses that nobody knows. */
enum vs_unknown {
	VS_UNKNOWN_DEFAULT, /* UPLINK on an external switch, FLOOD on others */
	VS_UNKNOWN_FLOOD,   /* every port */
	VS_UNKNOWN_UPLINK,  /* the uplink, and ports that may send from any address */
	VS_UNKNOWN_DROP,    /* nobody */
};

/** Are frames from an uplink sorted into queues (doc/vmq.md)? */
enum vs_vmq_mode {
	VS_VMQ_OFF = 0,
	VS_VMQ_ON = 1,   /* by what does it best */
	VS_VMQ_SOFT = 2, /* by the switch alone */
};

/** The weight of a port that was given none. */
#define VS_VMQ_WEIGHT_DEFAULT 100

/** How a port takes part in VLANs. */
enum vs_vlan_mode {
	VS_VLAN_UNTAGGED = 1, /* untagged frames, outside of all VLANs */
	VS_VLAN_ACCESS,       /* untagged frames, in VLAN @vid */
	VS_VLAN_TRUNK,        /* tagged frames of @allowed, untagged ones in @vid */
};

/**
 * struct vs_vlans - the VLANs of a port
 * @vid:	VLAN of untagged frames: 0 (UNTAGGED), 1..4094 (ACCESS), 0..4094 (TRUNK: the native
 *		one)
 * @allowed:	bit per VLAN id; only for TRUNK, where bits 0 and 4095 are not set
 */
struct vs_vlans {
	enum vs_vlan_mode mode;
	uint16_t vid;
	uint64_t allowed[VS_VIDS_MAX / 64];
};

/* ---- switches ---- */

/** struct vs_switch_view - a switch as shown */
struct vs_switch_view {
	const char *name;
	enum vs_switch_kind kind;
	const char *uplink; /* "xdp:IFNAME" or "dpdk:DEVARGS"; "": none */
	enum vs_share share;
	enum vs_unknown unknown; /* in force: never DEFAULT */
	uint32_t ports;
	uint32_t ports_up;
	uint32_t fdb_used;
	uint32_t fdb_size;
	uint32_t fdb_ageing_s; /* 0: entries do not age */
	uint32_t mtu;          /* that it limits its ports to; 0: it does not */
	enum vs_vmq_mode vmq;
	uint32_t vmq_queues; /* 0: any number */
	uint64_t fdb_full;   /* addresses not learnt because the table was full */
};

/**
 * struct vs_switch_spec - what `switch add` says
 * @uplink:	"xdp:IFNAME" or "dpdk:DEVARGS" for an external switch, otherwise NULL
 * @force:	take the network card even if it carries the host's default route
 * @fdb_size:	0: VS_FDB_SIZE_DEFAULT
 * @fdb_ageing_s: NULL: VS_FDB_AGEING_DEFAULT_S
 * @mtu:	0: no limit
 * @vmq, @vmq_queues: of an external switch
 */
struct vs_switch_spec {
	const char *name;
	enum vs_switch_kind kind;
	const char *uplink;
	enum vs_share share;
	bool force;
	enum vs_unknown unknown;
	uint32_t fdb_size;
	const uint32_t *fdb_ageing_s;
	uint32_t mtu;
	enum vs_vmq_mode vmq;
	uint32_t vmq_queues;
};

/** struct vs_switch_change - what `switch set` changes; only fields whose bit is in @set */
struct vs_switch_change {
	enum {
		VS_SWITCH_SET_FDB_SIZE = 1 << 0,
		VS_SWITCH_SET_FDB_AGEING = 1 << 1,
		VS_SWITCH_SET_KIND = 1 << 2,
		VS_SWITCH_SET_UPLINK = 1 << 3,
		VS_SWITCH_SET_SHARE = 1 << 4,
		VS_SWITCH_SET_UNKNOWN = 1 << 5,
		VS_SWITCH_SET_NAME = 1 << 6,
		VS_SWITCH_SET_MTU = 1 << 7,
		VS_SWITCH_SET_VMQ = 1 << 8,
		VS_SWITCH_SET_VMQ_QUEUES = 1 << 9,
	} set;
	enum vs_switch_kind kind;
	const char *uplink;
	enum vs_share share;
	enum vs_unknown unknown;
	const char *name;
	bool force;            /* as in struct vs_switch_spec */
	uint32_t fdb_size;     /* 1..VS_FDB_SIZE_MAX */
	uint32_t fdb_ageing_s; /* 0, or 10..1000000 */
	uint32_t mtu;          /* 0: no limit, or VS_MTU_MIN..VS_MTU_MAX */
	enum vs_vmq_mode vmq;  /* of an external switch */
	uint32_t vmq_queues;   /* 0: any number */
};

/**
 * vs_switch_add() - make a switch, and the uplink of an external one
 * Return: 0; -EEXIST; -EINVAL bad name or uplink; -ENOSPC; -ENOMEM; what the uplink said.
 */
int vs_switch_add(struct vs_model *m, const struct vs_switch_spec *spec, struct vs_fail *fail);

/** What `switch del` does with ports that are left. */
enum vs_del_mode {
	VS_DEL_REFUSE_PORTS,
	VS_DEL_FORCE,
};

/**
 * vs_switch_del() - remove a switch
 * Return: 0; -ENOENT; -EBUSY it has ports (VS_DEL_FORCE removes them with it); -ENOMEM some of
 * them are left.
 */
int vs_switch_del(struct vs_model *m, const char *name, enum vs_del_mode mode,
		  struct vs_fail *fail);

/**
 * vs_switch_set() - change a switch
 * Return: 0; -ENOENT; -ERANGE; -EINVAL; -EEXIST; -EBUSY a port stands in the way; -ENOMEM; what
 * the uplink said.
 */
int vs_switch_set(struct vs_model *m, const char *name, const struct vs_switch_change *change,
		  struct vs_fail *fail);

/**
 * vs_switch_each() - visit all switches in order of creation, or the one called @name
 * @name:	NULL for all
 * @visit:	returns 0 to go on, anything else ends the walk and is returned
 *
 * Return: 0; -ENOENT with @fail filled in; what @visit returned.
 */
int vs_switch_each(struct vs_model *m, const char *name,
		   int (*visit)(const struct vs_switch_view *view, void *ctx), void *ctx,
		   struct vs_fail *fail);

/* ---- ports ---- */

/** Who asks for a change. */
enum vs_origin {
	VS_FROM_CLIENT,
	VS_FROM_RECORD, /* it was so before, and what does not fit any more is told, not refused */
};

/** Where the address of a port comes from. */
enum vs_mac_from {
	VS_MAC_GIVEN, /* the one in @mac; all zero: of a new port, as its kind does by default */
	VS_MAC_AUTO,  /* one of the pool */
	VS_MAC_ANY,   /* none: any source address may be sent */
};

/**
 * struct vs_port_spec - what `port add` says
 * @name, @sw:	NUL-terminated, not NULL
 * @socket, @mode: of a VS_PORT_GUEST
 * @ifname:	interface of a VS_PORT_PACKET or VS_PORT_HOST; NULL (HOST): the port's name
 * @addrs:	of a VS_PORT_HOST: "192.0.2.1/24,2001:db8::1/64"; NULL: none
 * @queues:	of a VS_PORT_HOST: queue pairs; 0: one
 * @uplink:	of an uplink: its name without "xdp:" or "dpdk:"
 * @vm:		NULL: the port's name
 * @mtu:	0: the default of the kind
 * @origin:	who asks
 * @vlans:	NULL: the default of the kind
 * @settings:	what else is set, as by vs_port_set(); NULL: nothing
 */
struct vs_port_spec {
	const char *name;
	const char *sw;
	enum vs_port_kind kind;
	const char *socket;
	enum vs_guest_mode mode;
	const char *ifname;
	const char *addrs;
	uint32_t queues;
	const char *uplink;
	bool force; /* as in struct vs_switch_spec */
	const char *vm;
	enum vs_mac_from mac_from;
	struct rte_ether_addr mac;
	uint32_t mtu;
	enum vs_origin origin;
	const struct vs_vlans *vlans;
	const struct vs_port_change *settings;
};

/** struct vs_port_change - what `port set` changes; only fields whose bit is in @set */
struct vs_port_change {
	enum {
		VS_PORT_SET_MAC = 1 << 0,
		VS_PORT_SET_MTU = 1 << 1,
		VS_PORT_SET_LINK = 1 << 2,
		VS_PORT_SET_STORM = 1 << 3,
		VS_PORT_SET_MAX_MACS = 1 << 4,
		VS_PORT_SET_VM = 1 << 5,
		VS_PORT_SET_NAME = 1 << 6,
		VS_PORT_SET_SWITCH = 1 << 7,
		VS_PORT_SET_VLANS = 1 << 8,
		VS_PORT_SET_PRIORITY = 1 << 9,
		VS_PORT_SET_CLUSTER = 1 << 10,
		VS_PORT_SET_ADDRS = 1 << 11,
		VS_PORT_SET_OFFLOAD = 1 << 12,
		VS_PORT_SET_MODERATION = 1 << 13,
		VS_PORT_SET_VMQ_WEIGHT = 1 << 14,
		VS_PORT_SET_PLACE = 1 << 15,
	} set;
	enum vs_mac_from mac_from;
	struct rte_ether_addr mac; /* all zero: any */
	uint32_t mtu;              /* VS_MTU_MIN..VS_MTU_MAX; guest: 0, none */
	enum vs_origin origin;     /* of the whole change */
	enum { VS_LINK_DOWN, VS_LINK_UP } link;
	uint32_t storm_pps; /* 0: no limit */
	uint32_t max_macs;  /* 0: learn nothing from this port */
	const char *vm;
	const char *name;
	const char *sw;
	const struct vs_vlans *vlans;
	bool priority;                 /* keep the 802.1p priority of its frames */
	struct rte_ether_addr cluster; /* all zero: none */
	const char *addrs;             /* of a host port; "": none */
	uint32_t offload_on;           /* bits of enum vs_offload_part, none in both */
	uint32_t offload_off;
	enum vs_guest_mod moderation; /* of a guest on a socket */
	uint32_t vmq_weight;          /* 0..100, of a guest's port; 0: no queue */
	const char *place;            /* workers for its queue pairs: "auto" or "0,1" */
};

/** struct vs_port_view - a port as shown */
struct vs_port_view {
	const char *name;
	const char *sw;
	const char *vm;
	enum vs_port_kind kind;
	uint16_t id;
	bool link_up; /* as set by the user */
	bool up;      /* frames are delivered to it */
	struct rte_ether_addr mac;
	uint32_t mtu;     /* in force */
	uint32_t mtu_net; /* of its network: see vs_mtu_each(); 0: nobody limits it */
	uint32_t storm_pps;
	uint32_t max_macs;
	uint32_t macs; /* addresses learnt */
	const struct vs_vlans *vlans;
	bool priority;
	uint32_t vmq_weight; /* of a guest's port */
	struct rte_ether_addr cluster;
	uint32_t offload_off; /* bits of enum vs_offload_part */
	uint32_t pairs;       /* queue pairs that are polled */
	uint32_t worker;      /* that polls the first of them */
	char place[64];       /* workers that were named for them, as in struct vs_port_change */
	const char *state;    /* one word */
	const char *problem;  /* a sentence on what is wrong and what to do, or "" */
	bool broken;          /* it broke the rules, and carries no traffic for that reason */
	enum vs_guest_mod moderation;
	struct {
		const char *socket;
		enum vs_guest_mode mode;
		struct vs_guest_info info;
	} guest; /* of a VS_PORT_GUEST */
	struct {
		char ifname[VS_PROTO_IFNAME_SIZE];
		char addrs[1024]; /* "192.0.2.1/24,2001:db8::1/64" */
	} host;                   /* of a VS_PORT_PACKET, without @addrs, or VS_PORT_HOST */
	struct {
		const char *uplink;  /* as the user wrote it */
		char driver[96];     /* who drives it, and how */
		char detail[768];    /* "name value, name value" */
		uint32_t speed_mbps; /* 0: not known */
		int node;            /* NUMA node of the card; -1: not known */
		struct rte_ether_addr mac;
	} uplink;
};

/**
 * vs_port_add() - make a port
 * Return: 0; -EEXIST name or socket is taken; -ENOENT no such switch; -EINVAL bad name, bad
 * address; -ENOSPC; -ENOMEM; what the socket said.
 */
int vs_port_add(struct vs_model *m, const struct vs_port_spec *spec, struct vs_fail *fail);

/** vs_port_del() - remove a port. Return: 0; -ENOENT; -ENOMEM. */
int vs_port_del(struct vs_model *m, const char *name, struct vs_fail *fail);

/**
 * vs_port_set() - change a port
 * Return: 0; -ENOENT; -ERANGE; -EINVAL; -EEXIST MAC is taken; -ENOSPC no room for it in the
 * address table; -ENOMEM.
 */
int vs_port_set(struct vs_model *m, const char *name, const struct vs_port_change *change,
		struct vs_fail *fail);

/** vs_port_each() - as vs_switch_each(). */
int vs_port_each(struct vs_model *m, const char *name,
		 int (*visit)(const struct vs_port_view *view, void *ctx), void *ctx,
		 struct vs_fail *fail);

/* ---- addresses ---- */

/** Where an address comes from; only a learnt one ages and moves. */
enum vs_fdb_origin {
	VS_FDB_ORIGIN_LEARNT,
	VS_FDB_ORIGIN_GIVEN,   /* the port's own */
	VS_FDB_ORIGIN_STATIC,  /* entered by the user */
	VS_FDB_ORIGIN_CLUSTER, /* shared by several ports */
};

/** struct vs_fdb_view - one address; @port of a cluster's is "" */
struct vs_fdb_view {
	const char *sw;
	const char *port;
	struct rte_ether_addr mac;
	uint16_t vlan;  /* 0: untagged */
	uint32_t age_s; /* since a frame from it was last seen, or since it was given */
	enum vs_fdb_origin origin;
};

/** struct vs_fdb_spec - a static address: `fdb add`, `fdb del` */
struct vs_fdb_spec {
	const char *sw;
	const char *port; /* not used by del */
	struct rte_ether_addr mac;
	uint16_t vlan; /* 0: untagged */
};

/**
 * vs_fdb_add_static() - the address is behind that port, whatever is seen elsewhere
 * Return: 0; -ENOENT switch or port; -EINVAL group address, port not on the VLAN; -EEXIST; -ENOSPC;
 * -ENOMEM.
 */
int vs_fdb_add_static(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail);

/** vs_fdb_del_static() - forget it again. Return: 0; -ENOENT. */
int vs_fdb_del_static(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail);

/** vs_fdb_each() - visit all addresses, or those of the switch @sw (NULL: all). */
int vs_fdb_each(struct vs_model *m, const char *sw,
		int (*visit)(const struct vs_fdb_view *view, void *ctx), void *ctx,
		struct vs_fail *fail);

/** vs_fdb_flush_switch() - forget what @sw has learnt. Return: 0; -ENOENT. */
int vs_fdb_flush_switch(struct vs_model *m, const char *sw, struct vs_fail *fail);

/* ---- notices ---- */

enum vs_notice_type {
	VS_NOTICE_SWITCH_ADDED = 1,
	VS_NOTICE_SWITCH_REMOVED,
	VS_NOTICE_SWITCH_CHANGED,
	VS_NOTICE_PORT_ADDED,
	VS_NOTICE_PORT_REMOVED,
	VS_NOTICE_PORT_CHANGED,
	VS_NOTICE_PORT_UP,
	VS_NOTICE_PORT_DOWN,
	VS_NOTICE_PORT_FAULT,
	VS_NOTICE_FDB_FULL,
	VS_NOTICE_FDB_FLUSHED,
	VS_NOTICE_MAC_MOVED,
	VS_NOTICE_MAC_LIMIT,
	VS_NOTICE_STORM,
	VS_NOTICE_UNCONFIRMED, /* a batch waits to be confirmed; of the server, like the next two */
	VS_NOTICE_CONFIRMED,
	VS_NOTICE_ROLLED_BACK,
	VS_NOTICE_EVENTS_LOST,
	VS_NOTICE_MTU,         /* a port wants longer frames than its network carries */
	VS_NOTICE_QUARANTINED, /* an uplink claims an offload that it does not do */
	VS_NOTICE_RELEASED,    /* now it does it */
	VS_NOTICE_NEXT_HOP_FAILED,
	VS_NOTICE_NEXT_HOP_BACK,
	VS_NOTICE_NEXT_HOP_MOVED, /* it has another MAC */
	VS_NOTICE_PA_CLASH,       /* somebody else has a provider address of ours */
	VS_NOTICE_PATH_MTU,       /* packets to another host may be shorter, or longer again */
	VS_NOTICE_RECORD_STALE,   /* a VM is elsewhere than its record says */
	VS_NOTICE_RECORD_MOVED,   /* a learnt record follows its VM */
	VS_NOTICE_LEARN_LIMIT,    /* a subnet has learnt as many addresses as it may */
};

/**
 * struct vs_notice - something happened; strings are valid during the call, "" if they say nothing
 */
struct vs_notice {
	enum vs_notice_type type;
	const char *sw;
	const char *port;
	struct rte_ether_addr mac;
	const char *text;
};

/** vs_model_on_notice() - whom to tell; one receiver, called on the control thread. */
void vs_model_on_notice(struct vs_model *m, void (*notice)(const struct vs_notice *n, void *ctx),
			void *ctx);

/* ---- transactions ---- */

/** What becomes of the changes of a transaction. */
enum vs_txn_mode {
	VS_TXN_REAL,
	VS_TXN_DRY, /* all checks, no device is made or changed, nothing is published */
};

/** What a committed transaction means to who keeps the configuration. */
enum vs_txn_stage {
	VS_TXN_FINAL,       /* it is the configuration from here on */
	VS_TXN_PROVISIONAL, /* in force, and not to be kept: it is confirmed or rolled back later */
	VS_TXN_CONFIRMED,   /* what was provisional is kept from here on; nothing changes */
	VS_TXN_ROLLBACK,    /* goes back to what is kept */
};

/**
 * struct vs_txn_change - one object that a transaction changed
 * @key:	what it was called; of a new object: what it is called
 * @now:	what it is called now: another name after a rename; NULL: it is gone
 * @before:	its record as it was (control/config.h); NULL: it did not exist
 * @after:	its record as it is; NULL: it is gone
 * @waited:	it was not there, but was kept by others (vs_model_on_waiting()): to go back,
 *		nothing is made again
 */
struct vs_txn_change {
	const struct vs_config_key *key;
	const struct vs_config_key *now;
	const struct nlmsghdr *before;
	const struct nlmsghdr *after;
	bool waited;
};

/**
 * vs_txn_begin() - what is changed from here on happens at once, or not at all
 *
 * A change outside of a transaction is one by itself. The event loop must not run before the
 * transaction has ended; a change that fails has spoilt it, and only vs_txn_abort() is left.
 *
 * Return: 0; -EBUSY one is open; -ENOMEM.
 */
int vs_txn_begin(struct vs_model *m, enum vs_txn_mode mode);

/** vs_txn_set_stage() - what the open transaction means; FINAL unless this says something else. */
void vs_txn_set_stage(struct vs_model *m, enum vs_txn_stage stage);

/** vs_txn_stage() - of the transaction that is being committed; for the commit hook. */
enum vs_txn_stage vs_txn_stage(const struct vs_model *m);

/**
 * vs_txn_commit() - let it happen: the hook, one snapshot for the workers, then what waited for it
 *
 * A dry one is undone. Return: 0; -ENOMEM or what the hook said, with @fail: all of it is undone.
 */
int vs_txn_commit(struct vs_model *m, struct vs_fail *fail);

/** vs_txn_abort() - everything is as it was; no worker and no subscriber saw anything. */
void vs_txn_abort(struct vs_model *m);

/**
 * vs_txn_each() - visit what the open transaction has changed so far, or, when none is open, what
 *	the provisional one changed
 * @visit:	returns 0 to go on; anything else ends the walk and is returned
 *
 * In the order in which the objects were first touched. One that is as it was is left out. When a
 * switch is renamed, its ports and static addresses have changed, too. An object that was removed
 * and made again under its name is two changes.
 *
 * Return: 0, -ENOMEM, or what @visit returned.
 */
int vs_txn_each(struct vs_model *m, int (*visit)(const struct vs_txn_change *change, void *ctx),
		void *ctx);

/**
 * vs_txn_confirm() - the provisional transaction stays
 * Return: 0; -ENOENT there is none; what the hook (VS_TXN_CONFIRMED) said: it is provisional still.
 */
int vs_txn_confirm(struct vs_model *m, struct vs_fail *fail);

/** vs_txn_forget() - the provisional transaction is over, whatever came of it. */
void vs_txn_forget(struct vs_model *m);

/** vs_txn_is_provisional() - a committed transaction waits to be confirmed. */
bool vs_txn_is_provisional(const struct vs_model *m);

/**
 * vs_model_on_commit() - whom to ask before a transaction is in force
 * @commit:	called once per transaction that changed something, and by vs_txn_confirm();
 *		vs_txn_each() and vs_txn_stage() tell what. An error undoes the transaction. NULL:
 *		nobody
 *
 * The provisional transaction is over (vs_txn_is_provisional()) when one of stage ROLLBACK has
 * been committed. Not called when the model is freed.
 */
void vs_model_on_commit(struct vs_model *m,
			int (*commit)(struct vs_model *m, void *ctx, struct vs_fail *fail),
			void *ctx);

/**
 * vs_model_on_waiting() - who keeps objects that could not be made
 * @each:	visits the object @key if it is such a one, and before it such ports of a switch,
 *		which may be there itself. The records are valid during the call.
 *
 * So that they can be removed as any other: the transaction then names them as removed.
 */
void vs_model_on_waiting(struct vs_model *m,
			 int (*each)(const struct vs_config_key *key,
				     int (*visit)(const struct vs_config_key *key,
						  const struct nlmsghdr *record, void *ctx),
				     void *visit_ctx, void *ctx),
			 void *ctx);

/* ---- the model itself ---- */

/** Who moves queue pairs from worker to worker. */
enum vs_placement {
	VS_PLACEMENT_STATIC, /* the user alone */
	VS_PLACEMENT_AUTO,   /* the controller, too (vmq/controller.h) */
};

/** struct vs_model_env - what the model works with */
struct vs_model_env {
	struct event_base *base;
	const struct vs_rcu *rcu;
	struct vs_worker *const *workers;
	unsigned int n_workers;
	const char *run_dir;    /* where uplinks keep what they must put back */
	const char *const *pci; /* PCI devices that DPDK may use (--pci) */
	unsigned int n_pci;
	bool virtio_user;  /* an uplink may be a net_virtio_user (--virtio-user) */
	bool test_uplinks; /* test each once, when it is up (--test-uplinks) */
	enum vs_placement placement;
	int control_cpu;            /* processor that this thread is bound to; -1: none */
	struct rte_ether_addr pool; /* first address of the pool; all zero: by the machine's id */
	const gid_t *vm_group;      /* of sockets that guest ports listen on; NULL: the process's */
};

/** vs_model_new() - an empty model, published to the workers. Return: 0, or -ENOMEM. */
int vs_model_new(const struct vs_model_env *env, struct vs_model **ret_model);

/** vs_model_free() - remove all ports and switches, and the model. Workers have stopped. */
void vs_model_free(struct vs_model *m);

#endif
