/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/model_priv.h"

#include "control/proto.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

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

int model_check_mac(const struct vs_model *m, const struct vs_switch *sw,
		    const struct vs_port *self, const struct rte_ether_addr *mac,
		    struct vs_fail *fail)
{
	char text[RTE_ETHER_ADDR_FMT_SIZE];
	unsigned int i;

	if (rte_is_zero_ether_addr(mac))
		return 0;
	(void)snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac->addr_bytes[0],
		       mac->addr_bytes[1], mac->addr_bytes[2], mac->addr_bytes[3],
		       mac->addr_bytes[4], mac->addr_bytes[5]);
	if (!rte_is_valid_assigned_ether_addr(mac))
		return vs_fail_set(fail, -EINVAL, VS_ATTR_MAC,
				   "%s is a group address; a port has a unicast one", text);
	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *other = m->port[i];

		if (other && other != self && other->sw == sw &&
		    rte_is_same_ether_addr(&other->mac, mac))
			return vs_fail_set(fail, -EEXIST, VS_ATTR_MAC,
					   "%s is the address of port '%s' already", text,
					   other->name);
	}
	return 0;
}

static int check_socket(struct vs_model *m, const char *path, struct vs_fail *fail)
{
	unsigned int i;

	if (path[0] == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return vs_fail_set(fail, -EINVAL, VS_ATTR_SOCKET,
				   "a socket path has 1 to %zu bytes",
				   sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (m->port[i] && strcmp(m->port[i]->socket, path) == 0)
			return vs_fail_set(fail, -EEXIST, VS_ATTR_SOCKET,
					   "socket %s belongs to port '%s' already", path,
					   m->port[i]->name);
	}
	return 0;
}

/* Everything that can be refused before anything is made. */
static int check_spec(struct vs_model *m, const struct vs_port_spec *spec,
		      const struct vs_switch *sw, struct vs_fail *fail)
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
	if (spec->kind != VS_PORT_GUEST)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_KIND, "a port is of type guest");
	err = check_socket(m, spec->socket, fail);
	if (!err)
		err = model_check_mac(m, sw, NULL, &spec->mac, fail);
	return err;
}

static struct vs_port *make_port(struct vs_model *m, const struct vs_port_spec *spec,
				 struct vs_switch *sw, uint16_t id)
{
	struct vs_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	(void)rte_strscpy(port->name, spec->name, sizeof(port->name));
	(void)rte_strscpy(port->vm, spec->vm ? spec->vm : spec->name, sizeof(port->vm));
	(void)rte_strscpy(port->socket, spec->socket, sizeof(port->socket));
	port->m = m;
	port->sw = sw;
	port->kind = spec->kind;
	port->mode = spec->mode;
	port->id = id;
	port->serial = ++m->serial;
	port->link_up = true;
	port->mac = spec->mac;
	port->mtu = VS_MTU_DEFAULT;
	port->storm_pps = VS_STORM_DEFAULT_PPS;
	port->max_macs = VS_MAX_MACS_DEFAULT;
	return port;
}

static int make_guest(struct vs_port *port, struct vs_fail *fail)
{
	const struct vs_guest_env env = {.base = port->m->env.base, .rcu = port->m->env.rcu};
	const struct vs_guest_config config = {
		.name = port->name,
		.path = port->socket,
		.mode = port->mode,
		.port = port->id,
		.changed = model_port_changed,
		.ctx = port,
	};
	int err = vs_guest_new(&env, &config, &port->guest);

	switch (err) {
	case 0:
		return 0;
	case -EADDRINUSE:
		return vs_fail_set(fail, err, VS_ATTR_SOCKET, "somebody else listens on %s already",
				   port->socket);
	case -ENOTSOCK:
		return vs_fail_set(fail, err, VS_ATTR_SOCKET,
				   "%s exists and is no socket; it was left alone", port->socket);
	default:
		return vs_fail_set(fail, err, VS_ATTR_SOCKET, "cannot use socket %s: %s",
				   port->socket, strerror(-err));
	}
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

int vs_port_add(struct vs_model *m, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	struct vs_switch *sw = model_find_switch(m, spec->sw);
	struct vs_port *port;
	int err;
	int id;

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'",
				   spec->sw);
	err = check_spec(m, spec, sw, fail);
	if (err)
		return err;
	id = free_id(m);
	if (id < 0)
		return vs_fail_set(fail, id, 0, "there are %d ports already, the most there can be",
				   VS_PORTS_MAX);
	port = make_port(m, spec, sw, (uint16_t)id);
	if (!port || model_stats_new(m, (uint16_t)id) != 0) {
		free(port);
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a port");
	}
	err = make_guest(port, fail);
	if (err)
		goto err_stats;
	m->port[id] = port;
	err = enter_port(port, fail);
	if (err)
		goto err_enter;
	model_tell(m, VS_NOTICE_PORT_ADDED, sw, port, NULL, NULL);
	return 0;

err_enter:
	m->port[id] = NULL;
	model_forget_port(port, VS_FDB_STATIC);
	vs_guest_del(port->guest);
err_stats:
	model_stats_retire(port);
	free(port);
	return err;
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
	vs_guest_del(port->guest);
	model_stats_retire(port);
	model_tell(m, VS_NOTICE_PORT_REMOVED, port->sw, port, NULL, NULL);
	free(port);
	return 0;
}

int vs_port_del(struct vs_model *m, const char *name, struct vs_fail *fail)
{
	struct vs_port *port = model_find_port(m, name);
	int err;

	if (!port)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no port '%s'", name);
	err = model_port_remove(port);
	if (err)
		return vs_fail_set(fail, err, 0, "no memory for a new configuration");
	return 0;
}

/* What to say of a port that went up or down. */
static void tell_link(struct vs_port *port, const struct vs_guest_info *info)
{
	bool up = model_is_up(port);

	if (up == port->was_up)
		return;
	port->was_up = up;
	if (up)
		model_tell(port->m, VS_NOTICE_PORT_UP, port->sw, port, NULL, NULL);
	else
		model_tell(port->m, VS_NOTICE_PORT_DOWN, port->sw, port, NULL,
			   port->link_up ? info->problem : "set down");
}

void model_port_changed(void *arg)
{
	struct vs_port *port = arg;
	struct vs_guest_info info;

	/* Out of memory: the workers go on with what they have; the rings say that they are stopped. */
	(void)model_publish(port->m);
	vs_guest_info(port->guest, &info);
	tell_link(port, &info);
	if (info.state == VS_GUEST_BROKEN &&
	    vs_pace_admit(&port->fault_pace, rte_rdtsc(), FAULT_NOTICES_PER_SECOND))
		model_tell(port->m, VS_NOTICE_PORT_FAULT, port->sw, port, NULL, info.problem);
}

static void fill_view(const struct vs_port *port, struct vs_port_view *view)
{
	*view = (struct vs_port_view){
		.name = port->name,
		.sw = port->sw->name,
		.vm = port->vm,
		.socket = port->socket,
		.kind = port->kind,
		.mode = port->mode,
		.id = port->id,
		.link_up = port->link_up,
		.up = model_is_up(port),
		.mac = port->mac,
		.mtu = port->mtu,
		.storm_pps = port->storm_pps,
		.max_macs = port->max_macs,
		.macs = port->macs,
	};
	vs_guest_info(port->guest, &view->guest);
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
