/* SPDX-License-Identifier: BSD-3-Clause */
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

static int free_id(const struct vs_model *m)
{
	int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (!m->port[i])
			return i;
	}
	return -ENOSPC;
}

/* Nobody else may be where the port will be. */
static int check_place(struct vs_model *m, const struct vs_kind_ops *kind,
		       const struct vs_port_spec *spec, struct vs_fail *fail)
{
	char place[sizeof(((struct vs_port *)NULL)->place)];
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
	if (spec->mtu && (spec->mtu < VS_MTU_MIN || spec->mtu > VS_MTU_MAX))
		return vs_fail_set(fail, -ERANGE, VS_ATTR_MTU, "mtu is %d..%d", VS_MTU_MIN,
				   VS_MTU_MAX);
	err = model_switch_takes(sw->kind, sw->share, kind, fail);
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
	port->mac = spec->mac;
	port->mtu = spec->mtu ? spec->mtu : kind->mtu;
	port->storm_pps = kind->storm_pps;
	port->max_macs = kind->max_macs;
	port->vlans = spec->vlans ? *spec->vlans : default_vlans(kind);
	return port;
}

static void free_port(struct vs_port *port)
{
	if (port)
		free(port->statics);
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
	port->link_up = like->link_up;
	port->mac = like->mac;
	port->storm_pps = like->storm_pps;
	port->max_macs = like->max_macs;
	port->vlans = like->vlans;
	port->priority = like->priority;
	port->cluster = like->cluster;
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
	err = model_check_mac(port->sw, NULL, &port->host_mac, fail);
	if (err)
		port->kind->del(port);
	return err;
}

static void free_device(struct vs_port *port)
{
	if (port->m->closing && port->kind->leave)
		port->kind->leave(port);
	else
		port->kind->del(port);
}

/* The port is in the arrays: show it to the workers. */
static int enter_port(struct vs_port *port, struct vs_fail *fail)
{
	int err;

	err = model_learn_static(port);
	if (err)
		return vs_fail_set(fail, err, VS_ATTR_MAC,
				   "the address table of switch '%s' is full", port->sw->name);
	err = model_publish(port->m);
	if (err)
		return vs_fail_set(fail, err, 0, "no memory for a new configuration");
	return 0;
}

/* @port has its id and its counters. */
static int start_port(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	struct vs_model *m = port->m;
	int err;

	err = model_fids_claim(port->sw, port, fail);
	if (err)
		return err;
	err = make_device(port, spec, fail);
	if (err)
		goto err_fids;
	m->port[port->id] = port;
	err = enter_port(port, fail);
	if (err)
		goto err_enter;
	return 0;

err_enter:
	m->port[port->id] = NULL;
	model_forget_port(port, VS_FDB_STATIC);
	free_device(port);
err_fids:
	model_fids_release(port->sw);
	return err;
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
	if (kind->needs_mac && rte_is_zero_ether_addr(&spec.mac))
		spec.mac_from = VS_MAC_AUTO;
	err = spec.mac_from == VS_MAC_AUTO ? model_pool_take(m, spec.name, &spec.mac, fail) : 0;
	if (!err)
		err = check_spec(m, &spec, sw, kind, fail);
	if (err)
		return err;
	id = free_id(m);
	if (id < 0)
		return vs_fail_set(fail, id, 0, "there are %d ports already, the most there can be",
				   VS_PORTS_MAX);
	port = make_port(m, &spec, sw, kind);
	if (!port || take_settings(port, like) != 0 || model_stats_new(m, (uint16_t)id) != 0) {
		free_port(port);
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a port");
	}
	port->id = (uint16_t)id;
	err = start_port(port, &spec, fail);
	if (err) {
		model_stats_retire(port);
		free_port(port);
		return err;
	}
	model_tell(m, VS_NOTICE_PORT_ADDED, sw, port, NULL, NULL);
	tell_link(port, "");
	return 0;
}

int vs_port_add(struct vs_model *m, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	const struct vs_kind_ops *kind = vs_kind_of(spec->kind);
	struct vs_switch *sw = model_find_switch(m, spec->sw);

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'",
				   spec->sw);
	if (kind && kind->role == VS_ROLE_UPLINK)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_KIND,
				   "an uplink comes with its switch ('switch set %s type external "
				   "uplink U')",
				   sw->name);
	return model_port_make(m, sw, spec, NULL, fail);
}

int model_port_remove(struct vs_port *port)
{
	struct vs_model *m = port->m;
	int err;

	m->port[port->id] = NULL;
	err = model_publish(m);
	if (err) {
		m->port[port->id] = port;
		return err;
	}
	/* What the workers said of this port must not be taken for the next one with its id. */
	model_drain(m);
	model_forget_port(port, VS_FDB_STATIC);
	model_clusters_release(port->sw);
	model_fids_release(port->sw);
	free_device(port);
	model_stats_retire(port);
	model_tell(m, VS_NOTICE_PORT_REMOVED, port->sw, port, NULL, NULL);
	free_port(port);
	return 0;
}

int vs_port_del(struct vs_model *m, const char *name, struct vs_fail *fail)
{
	struct vs_port *port = model_find_port(m, name);
	int err;

	if (!port)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no port '%s'", name);
	if (port->kind->role == VS_ROLE_UPLINK)
		return vs_fail_set(
			fail, -EBUSY, VS_ATTR_NAME,
			"the uplink goes with its switch ('switch set %s type internal', or "
			"'switch del %s')",
			port->sw->name, port->sw->name);
	err = model_port_remove(port);
	if (err)
		return vs_fail_set(fail, err, 0, "no memory for a new configuration");
	return 0;
}

static void fill_view(const struct vs_port *port, struct vs_port_view *view)
{
	*view = (struct vs_port_view){
		.name = port->name,
		.sw = port->sw->name,
		.vm = port->vm,
		.kind = port->kind->id,
		.id = port->id,
		.link_up = port->link_up,
		.up = model_is_up(port),
		.mac = port->mac,
		.mtu = port->mtu,
		.storm_pps = port->storm_pps,
		.max_macs = port->max_macs,
		.macs = port->macs,
		.vlans = &port->vlans,
		.priority = port->priority,
		.cluster = port->cluster,
	};
	port->kind->info(port, view);
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
	model_forget_port(port, VS_FDB_STATIC);
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
	/* Out of memory: the workers go on with what they have; the rings say that they are stopped. */
	(void)model_publish(port->m);
	fill_view(port, &view);
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
