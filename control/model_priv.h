/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the model share (model*.c); besides them only the kinds of ports include it
 * (port_kind.h, kind_*.c).
 *
 * DOC: theory of operation
 *
 * The model is two small arrays, switches and ports, in which an object keeps its index as long
 * as it lives. A change is made in three steps: check everything, change the arrays, publish a
 * new snapshot (model_publish). What the workers may still be using is freed after the grace
 * period that publishing waits for. Every change is part of a transaction (model_txn.h).
 *
 * Workers report what they see through their event rings (addresses, faults, storms); the model
 * takes the events on the control thread and is the only one that writes the tables.
 */
#ifndef VS_CONTROL_MODEL_PRIV_H
#define VS_CONTROL_MODEL_PRIV_H

#include "control/model.h"
#include "control/model_place.h"
#include "control/model_show.h"
#include "dataplane/core/clock.h"
#include "dataplane/fdb.h"
#include "dataplane/worker.h"
#include "vmq/vmq.h"

struct event;
struct model_resolve;
struct vs_changes;
struct vs_host_env;
struct vs_kind_ops;
struct vs_touched_port;
struct vs_touched_switch;
struct vs_txn;

enum {
	/** Bytes of a sentence on why frames are not sorted before the switch sees them. */
	VS_VMQ_WHY_SIZE = 320,
};

struct vs_switch {
	char name[VS_NAME_MAX];
	struct vs_model *m;
	enum vs_switch_kind kind;
	uint16_t index;
	uint64_t serial; /* order of creation */
	enum vs_share share;
	enum vs_unknown unknown;
	char uplink[VS_PROTO_UPLINK_SIZE]; /* as the user wrote it; "": none */
	uint16_t *fid_of_vid;              /* VS_VIDS_MAX entries; 0: nobody is on that VLAN */
	struct vs_fdb *fdb;
	uint32_t fdb_ageing_s;
	uint32_t mtu; /* limit of its ports; 0: none of its own */
	enum vs_vmq_mode vmq;
	uint32_t vmq_queues; /* the most that its uplink has besides the default one; 0: any */
	char vmq_refused[VS_VMQ_WHY_SIZE]; /* why nothing before the switch sorts; "": it may */
	uint64_t fdb_full;
	bool fdb_full_told; /* one notice per time that the table fills up */
	/* what ports that are gone had counted, so that the sums of the switch still hold */
	struct vs_port_stats gone;
	struct vs_touched_switch *touched; /* by the open transaction, or NULL */
};

/** struct vs_static - a static address behind a port */
struct vs_static {
	struct rte_ether_addr mac;
	uint16_t vid;
};

struct vs_port {
	char name[VS_NAME_MAX];
	char vm[VS_NAME_MAX];
	char place[VS_PROTO_UPLINK_SIZE]; /* socket, interface or device: nobody else may use it */
	struct vs_model *m;
	struct vs_switch *sw;
	const struct vs_kind_ops *kind;
	void *dev; /* the kind's own object */
	enum vs_guest_mode mode;
	uint16_t id;
	uint64_t serial;
	bool link_up;
	bool was_up; /* as last told */
	struct rte_ether_addr mac;
	struct rte_ether_addr host_mac; /* of the host behind a shared uplink; all zero: none */
	uint32_t mtu;     /* given, or of its device; 0: neither. See model_mtu_of() */
	uint8_t mtu_told; /* bit for each thing that does not fit now: see model_mtu.c */
	uint32_t storm_pps;
	uint32_t max_macs;
	uint32_t macs;
	bool max_macs_told;
	struct vs_pace fault_pace;
	bool tested; /* an uplink whose offloads were tested, or need not be, since it was made */
	struct vs_vlans vlans;
	bool priority;
	uint8_t offload_off;         /* bits of enum vs_offload_part */
	uint32_t vmq_weight;         /* 0..100 */
	enum vs_vmq_state vmq_state; /* of its queue, written where snapshots are published */
	struct rte_ether_addr cluster;
	enum vs_guest_mod moderation;
	struct model_place place_of; /* its queue pairs: which worker visits which */
	struct vs_static *statics;
	uint32_t n_statics;
	struct vs_touched_port *touched; /* by the open transaction, or NULL */
	struct vs_port_plan *plan;       /* in a dry transaction: the device it would have */
};

/** struct vs_port_plan - what a device would be like that a dry transaction does not make or set */
struct vs_port_plan {
	char addrs[VS_PROTO_UPLINK_SIZE];
	uint32_t queues;
};

/** struct vs_fid - what a forwarding id stands for; @sw NULL: it is free */
struct vs_fid {
	struct vs_switch *sw;
	uint16_t vid;
};

/** struct vs_cluster - an address that ports of one broadcast domain share; @sw NULL: free */
struct vs_cluster {
	struct vs_switch *sw;
	uint16_t fid;
	struct rte_ether_addr mac;
};

struct vs_model {
	struct vs_model_env env;
	bool closing; /* the daemon ends: what is in the host stays */
	struct vs_conf *conf;
	struct vs_switch *sw[VS_SWITCHES_MAX];
	struct vs_port *port[VS_PORTS_MAX];
	struct vs_fid *fid; /* VS_FIDS_MAX of them */
	struct vs_cluster cluster[VS_GROUPS_MAX];
	struct vs_txn *txn;            /* NULL: none is open */
	struct model_resolve *resolve; /* provider addresses; NULL: there never was one */
	int (*waiting)(const struct vs_config_key *key,
		       int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				    void *ctx),
		       void *visit_ctx, void *ctx);
	void *waiting_ctx;
	struct vs_changes *kept;      /* of the provisional transaction; NULL: there is none */
	enum vs_txn_stage stage;      /* while the hook is asked */
	struct vs_host_env *host_env; /* of kind_host.c; NULL until the first port needs it */
	struct vs_capture *capture[VS_TAPS_MAX];
	uint64_t events_lost[VS_WORKERS_MAX]; /* as last told */
	struct event *bell[VS_WORKERS_MAX];
	struct event *tick;
	struct model_places places;
	uint64_t serial;
	void (*notice)(const struct vs_notice *n, void *ctx);
	void *notice_ctx;
	int (*commit)(struct vs_model *m, void *ctx, struct vs_fail *fail);
	void *commit_ctx;
};

struct vs_kind_ops;

/** model_mtu_of() - bytes of a frame without header and tag that @port takes. */
uint32_t model_mtu_of(const struct vs_port *port);

/**
 * model_mtu_net() - the effective MTU of the network that untagged frames of @port are on
 * Return: it; 0: nobody has set one, and no device limits it.
 */
uint32_t model_mtu_net(const struct vs_port *port);

/**
 * model_mtu_check() - may a port of @sw be given @mtu?
 * @name:	of the port
 * @kind:	of the port
 * @mtu:	0: none
 *
 * Return: 0; -ERANGE; -EMSGSIZE the uplink or the switch does not carry it.
 */
int model_mtu_check(const struct vs_switch *sw, const char *name, const struct vs_kind_ops *kind,
		    uint32_t mtu, enum vs_origin origin, struct vs_fail *fail);

/** model_mtu_tell() - notices for the ports of @sw that do not fit its network, once each. */
void model_mtu_tell(struct vs_switch *sw);

/** model_mtu_tell_port() - the same for one port; for all of its switch, if it is the uplink. */
void model_mtu_tell_port(struct vs_port *port);

/** model_check_name() - 1..31 of [A-Za-z0-9_.-], the first one no '-'. Return: 0 or -EINVAL. */
int model_check_name(const char *name, enum vs_attr attr, struct vs_fail *fail);

/**
 * model_check_mac() - may @mac be the own address of a port of @sw?
 * @self:	port that may have it already, or NULL
 *
 * Return: 0; -EINVAL it is a group address; -EEXIST somebody has it.
 */
int model_check_mac(const struct vs_switch *sw, const struct vs_port *self,
		    const struct rte_ether_addr *mac, struct vs_fail *fail);

/** model_check_cluster() - may @port, where it is, have its cluster address? Return: 0, -EEXIST. */
int model_check_cluster(const struct vs_port *port, struct vs_fail *fail);

/** model_check_static() - may @mac be static behind a port of @sw? Return: 0, -EEXIST. */
int model_check_static(const struct vs_switch *sw, const struct rte_ether_addr *mac,
		       struct vs_fail *fail);

/** model_check_statics() - may @port bring its static addresses where it is? Return: 0, -EEXIST. */
int model_check_statics(const struct vs_port *port, struct vs_fail *fail);

/** model_has_static() - is @mac a static address behind @port, on any VLAN? */
bool model_has_static(const struct vs_port *port, const struct rte_ether_addr *mac);

/** model_find_switch() - NULL if there is none of that name. */
struct vs_switch *model_find_switch(struct vs_model *m, const char *name);

/** model_find_port() - NULL if there is none of that name. */
struct vs_port *model_find_port(struct vs_model *m, const char *name);

/**
 * model_publish() - let the workers use what the arrays say now
 *
 * In a transaction: at its end. Waits one grace period: afterwards no worker uses the snapshot
 * before. Return: 0, or -ENOMEM and the workers go on with the old one.
 */
int model_publish(struct vs_model *m);

/**
 * model_conf_build() - the snapshot of what the arrays say now
 * Return: it, owned by the caller until model_conf_replace(); NULL: no memory.
 */
struct vs_conf *model_conf_build(const struct vs_model *m);

/** model_conf_replace() - let the workers use @conf; waits one grace period. */
void model_conf_replace(struct vs_model *m, struct vs_conf *conf);

/** model_conf_free() - NULL is fine. */
void model_conf_free(struct vs_conf *conf);

/** model_tell() - a notice about @port (or NULL) of @sw (or NULL). */
void model_tell(struct vs_model *m, enum vs_notice_type type, const struct vs_switch *sw,
		const struct vs_port *port, const struct rte_ether_addr *mac, const char *text);

/** model_is_up() - frames can be delivered to the port. */
bool model_is_up(const struct vs_port *port);

/** model_port_remove() - take the port out of everything. Return: 0, or -ENOMEM with @fail. */
int model_port_remove(struct vs_port *port, struct vs_fail *fail);

/** model_port_changed() - the guest side of a port changed (vs_guest_config.changed). */
void model_port_changed(void *port);

/**
 * model_list_ports() - all ports in order of creation, or the one called @name
 * @list:	room for VS_PORTS_MAX
 *
 * Return: how many.
 */
unsigned int model_list_ports(struct vs_model *m, const char *name, struct vs_port **list);

/**
 * model_port_make() - make a port of a switch that is there, and enter it
 * @spec:	its @sw is not looked at
 * @like:	its settings are those of this port, which it replaces; NULL: the defaults
 *
 * Return: as vs_port_add().
 */
int model_port_make(struct vs_model *m, struct vs_switch *sw, const struct vs_port_spec *spec,
		    const struct vs_port *like, struct vs_fail *fail);

/**
 * model_switch_takes() - may ports of @kind be on such a switch?
 * Return: 0 or -EINVAL with @fail.
 */
int model_switch_takes(enum vs_switch_kind sw, enum vs_share share, const struct vs_kind_ops *kind,
		       struct vs_fail *fail);

/** model_uplink() - the uplink of @sw, or NULL. */
struct vs_port *model_uplink(const struct vs_switch *sw);

/**
 * model_uplink_check() - does an uplink fit a switch of that name and kind?
 * Return: 0 or -EINVAL.
 */
int model_uplink_check(const char *name, enum vs_switch_kind kind, const char *uplink,
		       struct vs_fail *fail);

/**
 * model_uplink_make() - make the uplink of an external switch
 * @like:	as in model_port_make()
 *
 * Return: as vs_switch_add().
 */
int model_uplink_make(struct vs_switch *sw, const char *uplink, bool force,
		      const struct vs_port *like, struct vs_fail *fail);

/** model_unknown() - the policy in force. */
enum vs_unknown model_unknown(const struct vs_switch *sw);

/** model_vlan_check() - is @vlans well-formed? Return: 0 or -EINVAL with @fail. */
int model_vlan_check(const struct vs_vlans *vlans, struct vs_fail *fail);

/** model_vlan_has() - is the port on VLAN @vid? */
bool model_vlan_has(const struct vs_port *port, uint16_t vid);

/** model_vlan_wanted() - the VLANs of @sw that need a forwarding id, a bit each. */
void model_vlan_wanted(const struct vs_switch *sw, uint64_t bit[VS_VIDS_MAX / 64]);

/**
 * model_fids_claim() - forwarding ids for all VLANs that ports of @sw are on
 * @extra:	and that this one would be on; NULL: none
 *
 * Return: 0; -ENOSPC or -ENOMEM with @fail: model_fids_release() takes back what was claimed.
 */
int model_fids_claim(struct vs_switch *sw, const struct vs_port *extra, struct vs_fail *fail);

/** model_fids_release() - give back those that no port needs, and forget their addresses. */
void model_fids_release(struct vs_switch *sw);

/** model_fids_drop() - give back all of them; the switch goes. */
void model_fids_drop(struct vs_switch *sw);

/**
 * model_clusters_claim() - entries for all cluster addresses of @sw.
 * Return: as model_fdb_enter().
 */
int model_clusters_claim(struct vs_switch *sw);

/** model_clusters_release() - remove those that no port has any more. */
void model_clusters_release(struct vs_switch *sw);

/**
 * model_pool_take() - an address of the pool that no port has
 * @name:	the same name gets the same address, if it is free
 *
 * Return: 0; -ENOSPC with @fail.
 */
int model_pool_take(const struct vs_model *m, const char *name, struct rte_ether_addr *ret_mac,
		    struct vs_fail *fail);

/**
 * model_learn_static() - enter the port's own and static addresses
 * Return: 0; -ENOSPC; -ENOMEM in a transaction.
 */
int model_learn_static(struct vs_port *port);

/**
 * model_fdb_enter() - a static entry of @sw, that replaces a learnt one
 * @port:	id of a port, or VS_FDB_GROUP_BASE and above: a cluster
 *
 * Return: 0; -ENOSPC; -ENOMEM in a transaction.
 */
int model_fdb_enter(struct vs_switch *sw, uint16_t fid, const struct rte_ether_addr *mac,
		    uint16_t port);

/**
 * model_fdb_remove() - remove entries of @sw
 *
 * Return: 0; in a transaction -ENOMEM, and -ENOTSUP for filters by time, by fids and by judge.
 */
int model_fdb_remove(struct vs_switch *sw, const struct vs_fdb_filter *filter);

/** model_fdb_lost() - for each entry that leaves a table: count those that were learnt. */
void model_fdb_lost(const struct vs_fdb_entry *e, void *model);

/**
 * model_forget_port() - remove the port's addresses, learnt ones only or the static one too
 * Return: 0; -ENOMEM in a transaction.
 */
int model_forget_port(struct vs_port *port, enum vs_fdb_kind up_to);

/** model_drain() - take the workers' events. */
void model_drain(struct vs_model *m);

/** model_age() - forget addresses that were not seen for their switch's ageing time. */
void model_age(struct vs_model *m);

/** model_vmq_fill() - the filters of all uplinks, as the arrays say. Return: 0 or -ENOMEM. */
int model_vmq_fill(struct vs_conf *conf, const struct vs_model *m);

/** model_vmq_each_wish() - each filter of each port of @sw that has a queue, port by port. */
void model_vmq_each_wish(const struct vs_switch *sw,
			 void (*visit)(uint16_t port, const struct rte_ether_addr *mac,
				       uint16_t vid, void *ctx),
			 void *ctx);

/** model_vmq_is_sorted() - does something before the switch sort frames of @sw into queues? */
bool model_vmq_is_sorted(const struct vs_switch *sw);

/**
 * model_vmq_sort() - have frames sorted before the switch sees them, where something can
 *
 * The workers have the snapshot with the filters. May publish another.
 */
void model_vmq_sort(struct vs_model *m);

/** model_vmq_watch() - once a second: does what sorts before the switch do it right? */
void model_vmq_watch(struct vs_model *m);

/** model_vmq_free() - those of a snapshot. */
void model_vmq_free(struct vs_conf *conf);

/** model_vmq_prepare() - the workers are about to get @conf: queues get or lose their filters. */
void model_vmq_prepare(struct vs_model *m, const struct vs_conf *conf);

/** model_vmq_settle() - the workers have @conf, and none has the one before. */
void model_vmq_settle(struct vs_model *m, const struct vs_conf *conf);
/** model_uplinks_test() - with --test-uplinks: test those that came up and were not tested yet. */
void model_uplinks_test(struct vs_model *m);

/** model_capture_fill() - the taps of the captures whose ports the arrays have. */
void model_capture_fill(struct vs_conf *conf, const struct vs_model *m);

/** model_capture_sweep() - free captures that were deleted and that no worker uses any more. */
void model_capture_sweep(struct vs_model *m);

/** model_events_lost() - say so, if workers lost events since the last call. */
void model_events_lost(struct vs_model *m);

/** model_stats_new() - counters for port @id at every worker. Return: 0 or -ENOMEM. */
int model_stats_new(struct vs_model *m, uint16_t id);

/** model_stats_sum() - a port's counters over all workers, with the newest samples */
void model_stats_sum(const struct vs_model *m, uint16_t id, struct vs_port_stats *ret_sum);

/** model_stats_retire() - add the port's counters to its switch's `gone`, and free them. */
void model_stats_retire(struct vs_port *port);

/**
 * model_stats_move() - the port begins anew on another switch
 * @before:	the port as it was on the old one, which keeps what was counted (`gone`)
 *
 * No snapshot names the port.
 */
void model_stats_move(struct vs_port *before);

#endif
