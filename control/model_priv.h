/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the model share (model*.c); nobody else includes this.
 *
 * DOC: theory of operation
 *
 * The model is two small arrays, switches and ports, in which an object keeps its index as long
 * as it lives. A change is made in three steps: check everything, change the arrays, publish a
 * new snapshot (model_publish). What the workers may still be using is freed after the grace
 * period that publishing waits for.
 *
 * Workers report what they see through their event rings (addresses, faults, storms); the model
 * takes the events on the control thread and is the only one that writes the tables.
 */
#ifndef VS_CONTROL_MODEL_PRIV_H
#define VS_CONTROL_MODEL_PRIV_H

#include "control/model.h"
#include "dataplane/core/clock.h"
#include "dataplane/fdb.h"
#include "dataplane/worker.h"

struct event;

struct vs_switch {
	char name[VS_NAME_MAX];
	enum vs_switch_kind kind;
	uint16_t index;
	uint16_t fid;    /* of untagged frames */
	uint64_t serial; /* order of creation */
	struct vs_fdb *fdb;
	uint32_t fdb_ageing_s;
	uint64_t fdb_full;
	bool fdb_full_told; /* one notice per time that the table fills up */
	/* what ports that are gone had counted, so that the sums of the switch still hold */
	struct vs_port_stats gone;
};

struct vs_port {
	char name[VS_NAME_MAX];
	char vm[VS_NAME_MAX];
	char socket[VS_PROTO_PATH_SIZE];
	struct vs_model *m;
	struct vs_switch *sw;
	enum vs_port_kind kind;
	enum vs_guest_mode mode;
	uint16_t id;
	uint64_t serial;
	bool link_up;
	bool was_up; /* as last told */
	struct rte_ether_addr mac;
	uint32_t mtu;
	uint32_t storm_pps;
	uint32_t max_macs;
	uint32_t macs;
	bool max_macs_told;
	struct vs_pace fault_pace;
	struct vs_guest *guest;
};

struct vs_model {
	struct vs_model_env env;
	struct vs_conf *conf;
	struct vs_switch *sw[VS_SWITCHES_MAX];
	struct vs_port *port[VS_PORTS_MAX];
	struct event *bell[VS_WORKERS_MAX];
	struct event *tick;
	uint64_t serial;
	void (*notice)(const struct vs_notice *n, void *ctx);
	void *notice_ctx;
};

/** model_check_name() - 1..31 of [A-Za-z0-9_.-], the first one no '-'. Return: 0 or -EINVAL. */
int model_check_name(const char *name, enum vs_attr attr, struct vs_fail *fail);

/**
 * model_check_mac() - may @mac be the given address of a port of @sw?
 * @self:	port that may have it already, or NULL
 *
 * Return: 0; -EINVAL it is a group address; -EEXIST it is another port's.
 */
int model_check_mac(const struct vs_model *m, const struct vs_switch *sw,
		    const struct vs_port *self, const struct rte_ether_addr *mac,
		    struct vs_fail *fail);

/** model_find_switch() - NULL if there is none of that name. */
struct vs_switch *model_find_switch(struct vs_model *m, const char *name);

/** model_find_port() - NULL if there is none of that name. */
struct vs_port *model_find_port(struct vs_model *m, const char *name);

/**
 * model_publish() - let the workers use what the arrays say now
 *
 * Waits one grace period: afterwards no worker uses the snapshot before. Return: 0, or -ENOMEM
 * and the workers go on with the old one.
 */
int model_publish(struct vs_model *m);

/** model_tell() - a notice about @port (or NULL) of @sw (or NULL). */
void model_tell(struct vs_model *m, enum vs_notice_type type, const struct vs_switch *sw,
		const struct vs_port *port, const struct rte_ether_addr *mac, const char *text);

/** model_is_up() - frames can be delivered to the port. */
bool model_is_up(const struct vs_port *port);

/** model_port_remove() - take the port out of everything and free it. Return: 0 or -ENOMEM. */
int model_port_remove(struct vs_port *port);

/** model_port_changed() - the guest side of a port changed (vs_guest_config.changed). */
void model_port_changed(void *port);

/**
 * model_list_ports() - all ports in order of creation, or the one called @name
 * @list:	room for VS_PORTS_MAX
 *
 * Return: how many.
 */
unsigned int model_list_ports(struct vs_model *m, const char *name, struct vs_port **list);

/** model_learn_static() - enter the port's own address, if it has one. Return: 0 or -ENOSPC. */
int model_learn_static(struct vs_port *port);

/** model_forget_port() - remove the port's addresses, learnt ones only or the static one too. */
void model_forget_port(struct vs_port *port, enum vs_fdb_kind up_to);

/** model_drain() - take the workers' events. */
void model_drain(struct vs_model *m);

/** model_age() - forget addresses that were not seen for their switch's ageing time. */
void model_age(struct vs_model *m);

/** model_stats_new() - counters for port @id at every worker. Return: 0 or -ENOMEM. */
int model_stats_new(struct vs_model *m, uint16_t id);

/** model_stats_retire() - add the port's counters to its switch's `gone`, and free them. */
void model_stats_retire(struct vs_port *port);

#endif
