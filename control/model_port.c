/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/model_txn.h"
#include "control/port_kind.h"
#include "control/proto.h"
#include "control/tlv.h"
#include "dataplane/core/log.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A VMM can connect, offend and be thrown out thousands of times a second (server mode). */
enum {
	FAULT_NOTICES_PER_SECOND = 2,
};

/* Nobody else may be where the port will be. */
static int check_place(struct vs_model *m, const struct vs_kind_ops *kind,
		       const struct vs_port_spec *spec, struct vs_fail *fail)
{
	char place[sizeof(((struct vs_port *)NULL)->place)];
	const struct vs_port *holder;
	unsigned int i;
	int err;

	err = kind->place(spec, place, sizeof(place), fail);
	if (err)
		return err;
	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (m->port[i] && strcmp(m->port[i]->place, place) == 0)
			return vs_fail_set(fail, -EEXIST, kind->place_attr,
					   "%s %s belongs to port '%s' already",
					   vs_attr_name(kind->place_attr), place, m->port[i]->name);
	}
	holder = model_txn_holder(m, place);
	if (holder)
		return vs_fail_set(fail, -EBUSY, kind->place_attr,
				   "%s %s is in use by port '%s' until this batch, which removes "
				   "it, is done: remove that port first, by itself",
				   vs_attr_name(kind->place_attr), place, holder->name);
	return 0;
}

/* Everything that can be refused before anything is made. */
static int check_spec(struct vs_model *m, const struct vs_port_spec *spec, struct vs_switch *sw,
		      const struct vs_kind_ops *kind, struct vs_fail *fail)
{
	int err;

	err = model_check_name(spec->name, VS_ATTR_NAME, fail);
	if (!err && spec->vm)
		err = model_check_name(spec->vm, VS_ATTR_VM, fail);
	if (err)
		return err;
	if (model_find_port(m, spec->name))
		return vs_fail_set(fail, -EEXIST, VS_ATTR_NAME, "port '%s' is there already",
				   spec->name);
	err = model_switch_takes(sw->kind, sw->share, kind, fail);
	if (!err && spec->mtu)
		err = model_mtu_check(sw, spec->name, kind, spec->mtu, spec->origin, fail);
	if (!err && spec->vlans)
		err = model_vlan_check(spec->vlans, fail);
	if (!err)
		err = check_place(m, kind, spec, fail);
	if (!err)
		err = model_check_mac(sw, NULL, &spec->mac, fail);
	return err;
}

/* An uplink carries all VLANs that the others are on; everybody else is untagged. */
static struct vs_vlans default_vlans(const struct vs_kind_ops *kind)
{
	struct vs_vlans v = {.mode = VS_VLAN_UNTAGGED};

	if (kind->role == VS_ROLE_UPLINK) {
		v.mode = VS_VLAN_TRUNK;
		memset(v.allowed, 0xff, sizeof(v.allowed));
		v.allowed[0] &= ~UINT64_C(1);
		v.allowed[VS_VIDS_MAX / 64 - 1] &= ~(UINT64_C(1) << 63);
	}
	return v;
}

static struct vs_port *make_port(struct vs_model *m, const struct vs_port_spec *spec,
				 struct vs_switch *sw, const struct vs_kind_ops *kind)
{
	struct vs_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	(void)rte_strscpy(port->name, spec->name, sizeof(port->name));
	(void)rte_strscpy(port->vm, spec->vm ? spec->vm : spec->name, sizeof(port->vm));
	port->m = m;
	port->sw = sw;
	port->kind = kind;
	port->serial = ++m->serial;
	port->link_up = true;
	port->mode = spec->mode;
	if (spec->mac_from != VS_MAC_ANY)
		port->mac = spec->mac;
	port->mtu = spec->mtu ? spec->mtu : kind->mtu;
	port->storm_pps = kind->storm_pps;
	port->max_macs = kind->max_macs;
	port->vmq_weight = VS_VMQ_WEIGHT_DEFAULT;
	port->vlans = spec->vlans ? *spec->vlans : default_vlans(kind);
	return port;
}

static void free_port(struct vs_port *port)
{
	if (!port)
		return;
	free(port->statics);
	free(port->plan);
	free(port);
}

/* What the user has set, but for what makes it this very port. */
static int take_settings(struct vs_port *port, const struct vs_port *like)
{
	if (!like)
		return 0;
	if (like->n_statics) {
		size_t room = (size_t)1 << (32 - __builtin_clz(like->n_statics));

		port->statics = malloc(room * sizeof(*port->statics));
		if (!port->statics)
			return -ENOMEM;
		memcpy(port->statics, like->statics, like->n_statics * sizeof(*port->statics));
	}
	port->n_statics = like->n_statics;
	/* It takes its place in the order, too. */
	port->serial = like->serial;
	port->link_up = like->link_up;
	port->mac = like->mac;
	port->storm_pps = like->storm_pps;
	port->max_macs = like->max_macs;
	port->vlans = like->vlans;
	port->priority = like->priority;
	port->offload_off = like->offload_off;
	port->cluster = like->cluster;
	port->moderation = like->moderation;
	return 0;
}

/* What the kind makes in the host or on a socket. */
static int make_device(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	int err;

	/* Checked before: it fits. */
	(void)port->kind->place(spec, port->place, sizeof(port->place), fail);
	err = port->kind->make(port, spec, fail);
	if (err)
		return err;
	if (port->kind->device_mtu)
		port->mtu = port->kind->device_mtu(port);
	if (!port->kind->host_mac)
		return 0;
	port->host_mac = port->kind->host_mac(port);
	return model_check_mac(port->sw, NULL, &port->host_mac, fail);
}

/* What the device would be like, where none may be made. */
static int plan_device(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	(void)port->kind->place(spec, port->place, sizeof(port->place), fail);
	port->plan = calloc(1, sizeof(*port->plan));
	if (!port->plan)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a port");
	if (spec->addrs && strcmp(spec->addrs, "none") != 0)
		(void)rte_strscpy(port->plan->addrs, spec->addrs, sizeof(port->plan->addrs));
	port->plan->queues = spec->queues ? spec->queues : 1;
	return 0;
}

static void free_device(struct vs_port *port)
{
	if (port->m->closing && port->kind->leave)
		port->kind->leave(port);
	else
		port->kind->del(port);
}

/* @port is known to the transaction, which takes back what is made here. */
static int start_port(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	struct vs_model *m = port->m;
	int err;

	if (model_stats_new(m, port->id) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a port");
	err = model_fids_claim(port->sw, port, fail);
	if (!err)
		err = model_txn_is_dry(m) ? plan_device(port, spec, fail)
					  : make_device(port, spec, fail);
	if (err)
		return err;
	m->port[port->id] = port;
	err = model_learn_static(port);
	if (err == -ENOSPC)
		return vs_fail_set(fail, err, VS_ATTR_MAC,
				   "the address table of switch '%s' is full", port->sw->name);
	if (err)
		return vs_fail_set(fail, err, 0, "no memory for an address");
	return model_publish(m);
}

/* What to say of a port that went up or down. */
static void tell_link(struct vs_port *port, const char *problem)
{
	bool up = model_is_up(port);

	if (up == port->was_up)
		return;
	port->was_up = up;
	if (up)
		model_tell(port->m, VS_NOTICE_PORT_UP, port->sw, port, NULL, NULL);
	else
		model_tell(port->m, VS_NOTICE_PORT_DOWN, port->sw, port, NULL,
			   port->link_up ? problem : "set down");
}

/* The transaction knows @port from here on. */
static int enter_txn(struct vs_port *port, const struct vs_port *like, struct vs_fail *fail)
{
	int err = model_touch_made_port(port, fail);

	if (err) {
		free_port(port);
		return err;
	}
	if (!like)
		return model_change_port(port, true, fail);
	/* Nobody may see that, as it is not there yet. */
	model_txn_replace(like->touched->port, port);
	return 0;
}

/*
 * The address of the port, and of the interface that it has in the host, if it has one: that has an
 * address even where the port may send from any.
 */
static int choose_mac(struct vs_model *m, const struct vs_kind_ops *kind, struct vs_port_spec *spec,
		      struct vs_fail *fail)
{
	bool zero = rte_is_zero_ether_addr(&spec->mac);

	if (kind->needs_mac && spec->mac_from == VS_MAC_GIVEN && zero)
		spec->mac_from = VS_MAC_AUTO;
	if (spec->mac_from == VS_MAC_AUTO || (kind->needs_mac && spec->mac_from == VS_MAC_ANY))
		return model_pool_take(m, spec->name, &spec->mac, fail);
	return 0;
}

/* NUMA node of the port's device, or -1. */
static int node_of(const struct vs_port *port)
{
	return port->dev && port->kind->node ? port->kind->node(port) : -1;
}

/* Is worker @i where a device of @node is to be visited? Everywhere, if nobody is on its node. */
static bool is_near(const struct vs_model *m, unsigned int i, int node)
{
	unsigned int k;

	if (node < 0 || vs_worker_config(m->env.workers[i])->node == node)
		return true;
	for (k = 0; k < m->env.n_workers; k++) {
		if (vs_worker_config(m->env.workers[k])->node == node)
			return false;
	}
	return true;
}

/*
 * The worker that has the fewest queue pairs to visit, of those on the device's NUMA @node (-1: of
 * all). A guest that is not there yet counts for one pair, @self for none.
 */
static uint16_t choose_home(const struct vs_model *m, const struct vs_port *self, int node)
{
	unsigned int load[VS_WORKERS_MAX] = {0};
	unsigned int best = VS_WORKERS_MAX;
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = m->port[i];
		unsigned int pairs = port && port->dev ? port->kind->pairs(port) : 0;
		unsigned int pair;

		if (!port || port == self)
			continue;
		for (pair = 0; pair < RTE_MAX(pairs, 1u); pair++)
			load[model_worker_of(m, port, pair)]++;
	}
	for (i = 0; i < m->env.n_workers; i++) {
		if (is_near(m, i, node) && (best == VS_WORKERS_MAX || load[i] < load[best]))
			best = i;
	}
	return (uint16_t)best;
}

int model_port_make(struct vs_model *m, struct vs_switch *sw, const struct vs_port_spec *given,
		    const struct vs_port *like, struct vs_fail *fail)
{
	const struct vs_kind_ops *kind = vs_kind_of(given->kind);
	struct vs_port_spec spec = *given;
	struct vs_port *port;
	int err;
	int id;

	if (!kind)
		return vs_fail_set(fail, -EOPNOTSUPP, VS_ATTR_KIND,
				   "this daemon was built without ports of that type");
	err = choose_mac(m, kind, &spec, fail);
	if (!err)
		err = check_spec(m, &spec, sw, kind, fail);
	if (err)
		return err;
	id = model_txn_free_id(m);
	if (id < 0)
		return vs_fail_set(fail, id, 0,
				   "there are %d ports already, the most there can be (those that "
				   "a batch removes count until it is done)",
				   VS_PORTS_MAX);
	port = make_port(m, &spec, sw, kind);
	if (!port || take_settings(port, like) != 0) {
		free_port(port);
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a port");
	}
	port->id = (uint16_t)id;
	if (like)
		model_place_like(port, like);
	else
		model_place_begin(port, choose_home(m, port, -1));
	err = enter_txn(port, like, fail);
	if (!err)
		err = start_port(port, &spec, fail);
	if (err)
		return err;
	/* Where its device is, is known now; no worker has it yet. */
	if (!like && node_of(port) >= 0)
		model_place_begin(port, choose_home(m, port, node_of(port)));
	model_tell(m, VS_NOTICE_PORT_ADDED, sw, port, NULL, NULL);
	model_txn_tell_link(port);
	return 0;
}

static int add(struct vs_model *m, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	const struct vs_kind_ops *kind = vs_kind_of(spec->kind);
	struct vs_switch *sw = model_find_switch(m, spec->sw);
	int err;

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'",
				   spec->sw);
	if (kind && kind->role == VS_ROLE_UPLINK)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_KIND,
				   "an uplink comes with its switch ('switch set %s type external "
				   "uplink U')",
				   sw->name);
	err = model_port_make(m, sw, spec, NULL, fail);
	if (!err && spec->settings && spec->settings->set)
		err = vs_port_set(m, spec->name, spec->settings, fail);
	return err;
}

int vs_port_add(struct vs_model *m, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	int part = model_txn_enter(m, fail);

	return part < 0 ? part : model_txn_leave(m, part, add(m, spec, fail), fail);
}

int model_port_remove(struct vs_port *port, struct vs_fail *fail)
{
	int err;

	err = model_touch_port(port, fail);
	if (!err)
		err = model_touch_statics(port, fail);
	if (err)
		return err;
	if (model_forget_port(port, VS_FDB_STATIC) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
	model_tell(port->m, VS_NOTICE_PORT_REMOVED, port->sw, port, NULL, NULL);
	model_txn_take_port(port);
	return model_publish(port->m);
}

void model_port_free(struct vs_port *port)
{
	free_device(port);
	model_stats_retire(port);
	free_port(port);
}

void model_port_undo(struct vs_port *port)
{
	if (port->dev && port->kind->undo)
		port->kind->undo(port);
	else if (port->dev)
		port->kind->del(port);
	model_stats_retire(port);
	free_port(port);
}

static int del(struct vs_model *m, const char *name, struct vs_fail *fail)
{
	struct vs_config_key key = {.object = VS_CONFIG_PORT};
	struct vs_port *port = model_find_port(m, name);

	if (!port) {
		(void)rte_strscpy(key.name, name, sizeof(key.name));
		if (model_forget_waiting(m, &key, VS_DEL_REFUSE_PORTS, fail) > 0)
			return 0;
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no port '%s'", name);
	}
	if (port->kind->role == VS_ROLE_UPLINK)
		return vs_fail_set(
			fail, -EBUSY, VS_ATTR_NAME,
			"the uplink goes with its switch ('switch set %s type internal', or "
			"'switch del %s')",
			port->sw->name, port->sw->name);
	return model_port_remove(port, fail);
}

int vs_port_del(struct vs_model *m, const char *name, struct vs_fail *fail)
{
	int part = model_txn_enter(m, fail);

	return part < 0 ? part : model_txn_leave(m, part, del(m, name, fail), fail);
}

static void fill_view(const struct vs_port *port, struct vs_port_view *view)
{
	*view = (struct vs_port_view){
		.name = port->name,
		.sw = port->sw->name,
		.vm = port->vm,
		.kind = port->kind->id,
		.id = port->id,
		.worker = model_worker_of(port->m, port, 0),
		.link_up = port->link_up,
		.up = model_is_up(port),
		.mac = port->mac,
		.mtu = model_mtu_of(port),
		.mtu_net = model_mtu_net(port),
		.storm_pps = port->storm_pps,
		.max_macs = port->max_macs,
		.macs = port->macs,
		.vlans = &port->vlans,
		.priority = port->priority,
		.offload_off = port->offload_off,
		.vmq_weight = port->vmq_weight,
		.cluster = port->cluster,
		.moderation = port->moderation,
	};
	model_place_format(port, view->place);
	view->uplink.node = node_of(port);
	if (port->dev)
		port->kind->info(port, view);
	else
		view->state = "planned";
}

void model_port_tell_link(struct vs_port *port)
{
	struct vs_port_view view;

	fill_view(port, &view);
	tell_link(port, view.problem);
}

/*
 * May the port have the address that its device has now? Return: it, or @now with a line that says
 * what comes of it.
 */
static struct rte_ether_addr judge_mac(const struct vs_port *port, struct rte_ether_addr wanted,
				       struct rte_ether_addr now, const char *effect)
{
	static struct vs_log_limit limit = {.burst = 8, .interval_s = 10};
	struct vs_fail fail;

	if (rte_is_same_ether_addr(&wanted, &now) ||
	    model_check_mac(port->sw, port, &wanted, &fail) == 0)
		return wanted;
	vs_log_limited(&limit, VS_LOG_WARNING, "port %s: %s: %s", port->name, effect, fail.text);
	return now;
}

/* The host gave an interface another address: the guard and the table follow, if they may. */
static void follow_mac(struct vs_port *port)
{
	struct rte_ether_addr host_mac = port->host_mac;
	struct rte_ether_addr mac = port->mac;

	if (port->kind->device_mac && !rte_is_zero_ether_addr(&mac)) {
		struct rte_ether_addr has = port->kind->device_mac(port);

		/* None: the interface is gone. */
		if (!rte_is_zero_ether_addr(&has))
			mac = judge_mac(port, has, mac, "what it sends is dropped (spoof)");
	}
	if (port->kind->host_mac)
		host_mac = judge_mac(port, port->kind->host_mac(port), host_mac,
				     "frames to the host go elsewhere");
	if (rte_is_same_ether_addr(&mac, &port->mac) &&
	    rte_is_same_ether_addr(&host_mac, &port->host_mac))
		return;
	port->mac = mac;
	port->host_mac = host_mac;
	(void)model_forget_port(port, VS_FDB_STATIC);
	(void)model_learn_static(port);
}

void model_port_changed(void *arg)
{
	struct vs_port *port = arg;
	struct vs_port_view view;

	/* Still being made: it is published when it is complete. */
	if (port->m->port[port->id] != port)
		return;
	if (port->kind->device_mtu)
		port->mtu = port->kind->device_mtu(port);
	follow_mac(port);
	/*
	 * Out of memory: the workers go on with what they have; the rings say that they are
	 * stopped.
	 */
	(void)model_publish(port->m);
	fill_view(port, &view);
	model_mtu_tell_port(port);
	if (port->m->txn)
		model_txn_tell_link(port);
	else
		tell_link(port, view.problem);
	if (view.broken && vs_pace_admit(&port->fault_pace, rte_rdtsc(), FAULT_NOTICES_PER_SECOND))
		model_tell(port->m, VS_NOTICE_PORT_FAULT, port->sw, port, NULL, view.problem);
}

static int by_serial(const void *a, const void *b)
{
	uint64_t x = (*(struct vs_port *const *)a)->serial;
	uint64_t y = (*(struct vs_port *const *)b)->serial;

	return (x > y) - (x < y);
}

unsigned int model_list_ports(struct vs_model *m, const char *name, struct vs_port **list)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (m->port[i] && (!name || strcmp(m->port[i]->name, name) == 0))
			list[n++] = m->port[i];
	}
	qsort(list, n, sizeof(*list), by_serial);
	return n;
}

int vs_port_each(struct vs_model *m, const char *name,
		 int (*visit)(const struct vs_port_view *view, void *ctx), void *ctx,
		 struct vs_fail *fail)
{
	struct vs_port *list[VS_PORTS_MAX];
	unsigned int n = model_list_ports(m, name, list);
	struct vs_port_view view;
	unsigned int i;
	int err = 0;

	if (name && n == 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no port '%s'", name);
	for (i = 0; i < n && err == 0; i++) {
		fill_view(list[i], &view);
		err = visit(&view, ctx);
	}
	return err;
}
