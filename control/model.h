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
#include "dataplane/core/stats.h"
#include "dataplane/guest/guest.h"

#include <rte_ether.h>

#include <stdbool.h>
#include <stdint.h>

struct vs_model;
struct vs_worker;

/** Kinds of switches. */
enum vs_switch_kind {
	VS_SWITCH_PRIVATE = 1, /* guests only */
};

/** Kinds of ports. */
enum vs_port_kind {
	VS_PORT_GUEST = 1,
};

/* ---- switches ---- */

/** struct vs_switch_view - a switch as shown */
struct vs_switch_view {
	const char *name;
	enum vs_switch_kind kind;
	uint32_t ports;
	uint32_t ports_up;
	uint32_t fdb_used;
	uint32_t fdb_size;
	uint32_t fdb_ageing_s; /* 0: entries do not age */
	uint64_t fdb_full;     /* addresses not learnt because the table was full */
};

/** struct vs_switch_change - what `switch set` changes; only fields whose bit is in @set */
struct vs_switch_change {
	enum {
		VS_SWITCH_SET_FDB_SIZE = 1 << 0,
		VS_SWITCH_SET_FDB_AGEING = 1 << 1,
	} set;
	uint32_t fdb_size;     /* 1..VS_FDB_SIZE_MAX */
	uint32_t fdb_ageing_s; /* 0, or 10..1000000 */
};

/**
 * vs_switch_add() - make a switch
 * Return: 0; -EEXIST; -EINVAL bad name; -ENOSPC; -ENOMEM.
 */
int vs_switch_add(struct vs_model *m, const char *name, enum vs_switch_kind kind,
		  struct vs_fail *fail);

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

/** vs_switch_set() - change a switch. Return: 0; -ENOENT; -ERANGE; -ENOMEM. */
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

/**
 * struct vs_port_spec - what `port add` says
 * @name, @sw, @socket: NUL-terminated, not NULL
 * @vm:		NULL: the port's name
 * @mac:	all zero: any source address may be sent
 */
struct vs_port_spec {
	const char *name;
	const char *sw;
	enum vs_port_kind kind;
	const char *socket;
	enum vs_guest_mode mode;
	const char *vm;
	struct rte_ether_addr mac;
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
	} set;
	struct rte_ether_addr mac; /* all zero: any */
	uint32_t mtu;              /* VS_MTU_MIN..VS_MTU_MAX */
	enum { VS_LINK_DOWN, VS_LINK_UP } link;
	uint32_t storm_pps; /* 0: no limit */
	uint32_t max_macs;  /* 0: learn nothing from this port */
	const char *vm;
};

/** struct vs_port_view - a port as shown */
struct vs_port_view {
	const char *name;
	const char *sw;
	const char *vm;
	const char *socket;
	enum vs_port_kind kind;
	enum vs_guest_mode mode;
	uint16_t id;
	bool link_up; /* as set by the user */
	bool up;      /* frames are delivered to it */
	struct rte_ether_addr mac;
	uint32_t mtu;
	uint32_t storm_pps;
	uint32_t max_macs;
	uint32_t macs; /* addresses learnt */
	struct vs_guest_info guest;
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

/** struct vs_fdb_view - one address */
struct vs_fdb_view {
	const char *sw;
	const char *port;
	struct rte_ether_addr mac;
	uint16_t vlan;  /* 0: untagged */
	uint32_t age_s; /* since a frame from it was last seen, or since it was given */
	bool given;     /* the port's own address: does not age, cannot move */
};

/** vs_fdb_each() - visit all addresses, or those of the switch @sw (NULL: all). */
int vs_fdb_each(struct vs_model *m, const char *sw,
		int (*visit)(const struct vs_fdb_view *view, void *ctx), void *ctx,
		struct vs_fail *fail);

/** vs_fdb_flush_switch() - forget what @sw has learnt. Return: 0; -ENOENT. */
int vs_fdb_flush_switch(struct vs_model *m, const char *sw, struct vs_fail *fail);

/* ---- counters ---- */

/**
 * struct vs_stats_view - counters of one port, summed over the workers
 * @counters:	samples in it are the newest ones
 */
struct vs_stats_view {
	const char *port;
	const char *sw;
	const char *vm;
	struct vs_port_stats counters;
};

/** vs_stats_each() - visit the counters of all ports, or of @port (NULL: all). */
int vs_stats_each(struct vs_model *m, const char *port,
		  int (*visit)(const struct vs_stats_view *view, void *ctx), void *ctx,
		  struct vs_fail *fail);

/** vs_stats_tsc_age_ms() - milliseconds since a time stamp of a sample. */
uint64_t vs_stats_tsc_age_ms(uint64_t when_tsc);

/** struct vs_worker_view - a worker as shown; see struct vs_worker_stats for the counters */
struct vs_worker_view {
	uint32_t id;
	int cpu; /* -1: any that the process may use */
	uint64_t total_cycles;
	uint64_t busy_cycles;
	uint64_t frames;
	uint64_t rounds;
	uint64_t naps;
	uint64_t tsc_hz;
};

/** vs_worker_each() - visit all workers. */
int vs_worker_each(struct vs_model *m, int (*visit)(const struct vs_worker_view *view, void *ctx),
		   void *ctx);

/** Which of the three sums. */
enum vs_audit_sum {
	VS_AUDIT_INGRESS, /* of a port */
	VS_AUDIT_EGRESS,  /* of a port */
	VS_AUDIT_SWITCH,
};

/**
 * struct vs_audit_view - one sum; holds when left == right
 * @name:	port or switch; "(deleted ports)" of a switch are a row of their own
 * @terms:	the sum spelled out with its numbers
 */
struct vs_audit_view {
	enum vs_audit_sum sum;
	const char *name;
	const char *sw;
	uint64_t left;
	uint64_t right;
	char terms[192];
};

/**
 * vs_audit_each() - check all sums at a quiescent point of every worker
 * Return: 0, also when sums do not hold (the views say so); -ETIMEDOUT a worker did not answer;
 * what @visit returned.
 */
int vs_audit_each(struct vs_model *m, int (*visit)(const struct vs_audit_view *view, void *ctx),
		  void *ctx, struct vs_fail *fail);

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
};

/** struct vs_notice - something happened; strings are valid during the call, "" if they say nothing */
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

/* ---- the model itself ---- */

/** struct vs_model_env - what the model works with */
struct vs_model_env {
	struct event_base *base;
	const struct vs_rcu *rcu;
	struct vs_worker *const *workers;
	unsigned int n_workers;
};

/** vs_model_new() - an empty model, published to the workers. Return: 0, or -ENOMEM. */
int vs_model_new(const struct vs_model_env *env, struct vs_model **ret_model);

/** vs_model_free() - remove all ports and switches, and the model. Workers have stopped. */
void vs_model_free(struct vs_model *m);

#endif
