/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports that are interfaces of the kernel: the host's own (TAP), and those of guests whose VMM
 * holds a TAP (packet). Both stand on dataplane/host.
 */
#include "control/port_kind.h"

#include "dataplane/host/host.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	HOST_MTU = 1500,
};

/** struct addrs - the addresses of a host port */
struct addrs {
	struct vs_host_addr addr[VS_HOST_ADDRS_MAX];
	unsigned int n;
};

static int refuse_addr(struct vs_fail *fail, const char *text)
{
	return vs_fail_set(fail, -EINVAL, VS_ATTR_ADDRS,
			   "'%.60s' is no address of a host with its prefix length, such as "
			   "192.0.2.1/24 or 2001:db8::1/64",
			   text);
}

/* "192.0.2.1/24,2001:db8::1/64"; empty, NULL or "none": no address */
static int parse_addrs(const char *text, struct addrs *ret_addrs, struct vs_fail *fail)
{
	char copy[VS_HOST_ADDRS_MAX * VS_HOST_ADDR_TEXT];
	char *state;
	char *word;

	ret_addrs->n = 0;
	if (!text || strcmp(text, "none") == 0)
		return 0;
	(void)rte_strscpy(copy, text, sizeof(copy));
	for (word = strtok_r(copy, ",", &state); word; word = strtok_r(NULL, ",", &state)) {
		if (ret_addrs->n == VS_HOST_ADDRS_MAX)
			return vs_fail_set(fail, -EINVAL, VS_ATTR_ADDRS,
					   "a host port has at most %d addresses",
					   VS_HOST_ADDRS_MAX);
		if (vs_host_addr_parse(word, &ret_addrs->addr[ret_addrs->n++]) != 0)
			return refuse_addr(fail, word);
	}
	return 0;
}

static int place(const struct vs_port_spec *spec, char *place, size_t size, struct vs_fail *fail)
{
	const char *ifname = spec->ifname ? spec->ifname : spec->name;
	struct addrs addrs;

	if (!vs_host_ifname_is_valid(ifname))
		return vs_fail_set(
			fail, -EINVAL, VS_ATTR_IFNAME,
			"'%.40s' cannot be the name of an interface: 1 to 15 characters, "
			"none of them / : %% or a blank ('ifname IFNAME' gives another one)",
			ifname);
	(void)rte_strscpy(place, ifname, size);
	return parse_addrs(spec->addrs, &addrs, fail);
}

static int get_env(struct vs_model *m, struct vs_fail *fail)
{
	int err = 0;

	if (!m->host_env)
		err = vs_host_env_new(m->env.base, m->env.rcu, &m->host_env);
	if (err)
		return vs_fail_set(fail, err, 0, "cannot talk to the kernel of interfaces: %s",
				   strerror(-err));
	return 0;
}

static void end(struct vs_model *m)
{
	vs_host_env_free(m->host_env);
	m->host_env = NULL;
}

/* An interface that outlived an earlier switch keeps its address: the host's routes know it. */
static int take_mac(struct vs_port *port, struct vs_host *host, struct vs_fail *fail)
{
	struct vs_host_info info;
	int err;

	vs_host_info(host, &info);
	err = model_check_mac(port->sw, port, &info.mac, fail);
	if (!err)
		port->mac = info.mac;
	return err;
}

static int make(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	bool tap = port->kind->id == VS_PORT_HOST;
	struct vs_host_config config = {
		.kind = tap ? VS_HOST_TAP : VS_HOST_PACKET,
		.name = port->name,
		.ifname = port->place,
		.port = port->id,
		.mtu = port->mtu,
		.queues = spec->queues ? spec->queues : 1,
		.mac_mode = spec->mac_from == VS_MAC_GIVEN ? VS_HOST_MAC_SET : VS_HOST_MAC_NEW,
		.mac = spec->mac,
		.changed = model_port_changed,
		.ctx = port,
	};
	struct vs_host_why why;
	struct vs_host *host;
	struct addrs addrs;
	int err;

	err = parse_addrs(spec->addrs, &addrs, fail);
	if (!err)
		err = get_env(port->m, fail);
	if (err)
		return err;
	config.addrs = addrs.addr;
	config.n_addrs = addrs.n;
	err = vs_host_new(port->m->host_env, &config, &host, &why);
	if (err)
		return vs_fail_set(fail, err, VS_ATTR_IFNAME, "%s", why.text);
	if (tap && spec->mac_from != VS_MAC_ANY)
		err = take_mac(port, host, fail);
	if (err) {
		vs_host_detach(host);
		return err;
	}
	port->dev = host;
	return 0;
}

static void del(struct vs_port *port)
{
	vs_host_del(port->dev);
}

static void leave(struct vs_port *port)
{
	vs_host_detach(port->dev);
}

static void undo(struct vs_port *port)
{
	vs_host_undo(port->dev);
}

static bool is_up(const struct vs_port *port)
{
	return vs_host_is_up(port->dev);
}

static unsigned int pairs(const struct vs_port *port)
{
	return vs_host_pairs(port->dev);
}

static void check(struct vs_port *port)
{
	vs_host_check(port->dev);
}

static void info(const struct vs_port *port, struct vs_port_view *view)
{
	static struct vs_host_info host; /* the view points into it; control thread only */
	char text[VS_HOST_ADDR_TEXT];
	size_t used = 0;
	unsigned int i;

	vs_host_info(port->dev, &host);
	view->state = vs_host_state_name(host.state);
	view->problem = host.problem;
	view->pairs = host.queues;
	(void)rte_strscpy(view->host.ifname, host.ifname, sizeof(view->host.ifname));
	for (i = 0; i < host.n_addrs; i++)
		used += (size_t)snprintf(view->host.addrs + used, sizeof(view->host.addrs) - used,
					 "%s%s", i ? "," : "",
					 vs_host_addr_format(&host.addrs[i], text));
}

static uint32_t device_mtu(const struct vs_port *port)
{
	struct vs_host_info host;

	vs_host_info(port->dev, &host);
	return host.mtu ? host.mtu : port->mtu;
}

static struct rte_ether_addr device_mac(const struct vs_port *port)
{
	struct vs_host_info host;

	vs_host_info(port->dev, &host);
	return host.mac;
}

static bool has_addr(const struct vs_host_addr *list, unsigned int n, const struct vs_host_addr *a)
{
	while (n-- > 0) {
		if (memcmp(&list[n], a, sizeof(*a)) == 0)
			return true;
	}
	return false;
}

/* What the interface has becomes @wanted; first what is new, so that a failure loses nothing. */
static int set_addrs(struct vs_host *host, const struct vs_host_info *old,
		     const struct addrs *wanted, struct vs_host_why *why)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < wanted->n && err == 0; i++)
		err = vs_host_add_addr(host, &wanted->addr[i], why);
	for (i = 0; i < old->n_addrs && err == 0; i++) {
		if (!has_addr(wanted->addr, wanted->n, &old->addrs[i]))
			err = vs_host_del_addr(host, &old->addrs[i], why);
	}
	return err;
}

/* Back to what it was, as far as the kernel lets us. */
static void go_back(struct vs_host *host, const struct vs_host_info *old, unsigned int what)
{
	struct vs_host_info now;
	struct vs_host_why why;
	struct addrs addrs = {.n = old->n_addrs};

	memcpy(addrs.addr, old->addrs, sizeof(addrs.addr));
	vs_host_info(host, &now);
	if (what & VS_PORT_SET_ADDRS)
		(void)set_addrs(host, &now, &addrs, &why);
	if (what & VS_PORT_SET_MTU)
		(void)vs_host_set_mtu(host, old->mtu, &why);
}

static int set(struct vs_port *port, const struct vs_port_change *c, struct vs_fail *fail)
{
	struct vs_host *host = port->dev;
	struct vs_host_why why = {.text = ""};
	enum vs_attr attr = VS_ATTR_ADDRS;
	struct vs_host_info old;
	struct addrs addrs;
	int err = 0;

	vs_host_info(host, &old);
	if (c->set & VS_PORT_SET_ADDRS) {
		err = parse_addrs(c->addrs, &addrs, fail);
		if (err)
			return err;
		err = set_addrs(host, &old, &addrs, &why);
	}
	if (!err && (c->set & VS_PORT_SET_MTU)) {
		attr = VS_ATTR_MTU;
		err = vs_host_set_mtu(host, c->mtu, &why);
	}
	if (!err && (c->set & VS_PORT_SET_MAC) && port->kind->id == VS_PORT_HOST &&
	    !rte_is_zero_ether_addr(&c->mac)) {
		attr = VS_ATTR_MAC;
		err = vs_host_set_mac(host, &c->mac, &why);
	}
	if (err) {
		go_back(host, &old, (unsigned int)c->set);
		return vs_fail_set(fail, err, attr, "%s", why.text);
	}
	vs_host_set_name(host, port->name);
	return 0;
}

const struct vs_kind_ops vs_kind_host = {
	.id = VS_PORT_HOST,
	.role = VS_ROLE_HOST,
	.name = "host",
	.place_attr = VS_ATTR_IFNAME,
	.ops = &vs_host_ops,
	.mtu = HOST_MTU,
	.storm_pps = VS_STORM_DEFAULT_PPS,
	.max_macs = VS_MAX_MACS_DEFAULT,
	.needs_mac = true,
	.place = place,
	.make = make,
	.del = del,
	.leave = leave,
	.undo = undo,
	.is_up = is_up,
	.pairs = pairs,
	.check = check,
	.info = info,
	.set = set,
	.end = end,
	.device_mac = device_mac,
	.device_mtu = device_mtu,
};

const struct vs_kind_ops vs_kind_packet = {
	.id = VS_PORT_PACKET,
	.role = VS_ROLE_GUEST,
	.name = "guest",
	.place_attr = VS_ATTR_IFNAME,
	.ops = &vs_packet_ops,
	.mtu = HOST_MTU,
	.storm_pps = VS_STORM_DEFAULT_PPS,
	.max_macs = VS_MAX_MACS_DEFAULT,
	.place = place,
	.make = make,
	.del = del,
	.leave = leave,
	.undo = undo,
	.is_up = is_up,
	.pairs = pairs,
	.check = check,
	.info = info,
	.set = set,
	.device_mtu = device_mtu,
};
