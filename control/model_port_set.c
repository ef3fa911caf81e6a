/* SPDX-License-Identifier: BSD-3-Clause */
/* What `port set` changes. */
#include "control/model_priv.h"

#include "control/proto.h"

#include <rte_string_fns.h>

#include <errno.h>

/* Is there room for @mac in the table, when what is known of @port has gone from it? */
static int check_room(const struct vs_port *port, const struct rte_ether_addr *mac,
		      struct vs_fail *fail)
{
	const struct vs_fdb *fdb = port->sw->fdb;
	uint32_t own = port->macs + (rte_is_zero_ether_addr(&port->mac) ? 0 : 1);

	if (rte_is_zero_ether_addr(mac) || vs_fdb_used(fdb) < vs_fdb_size(fdb) + own ||
	    vs_fdb_find(fdb, port->sw->fid, mac))
		return 0;
	return vs_fail_set(fail, -ENOSPC, VS_ATTR_MAC, "the address table of switch '%s' is full",
			   port->sw->name);
}

static int check_change(struct vs_model *m, const struct vs_port *port,
			const struct vs_port_change *c, struct vs_fail *fail)
{
	if ((c->set & VS_PORT_SET_MTU) && (c->mtu < VS_MTU_MIN || c->mtu > VS_MTU_MAX))
		return vs_fail_set(fail, -ERANGE, VS_ATTR_MTU, "mtu is %d..%d", VS_MTU_MIN,
				   VS_MTU_MAX);
	if (c->set & VS_PORT_SET_VM) {
		int err = model_check_name(c->vm, VS_ATTR_VM, fail);

		if (err)
			return err;
	}
	if (c->set & VS_PORT_SET_MAC) {
		int err = model_check_mac(m, port->sw, port, &c->mac, fail);

		return err ? err : check_room(port, &c->mac, fail);
	}
	return 0;
}

static void apply_change(struct vs_port *port, const struct vs_port_change *c)
{
	if (c->set & VS_PORT_SET_MTU)
		port->mtu = c->mtu;
	if (c->set & VS_PORT_SET_LINK)
		port->link_up = c->link == VS_LINK_UP;
	if (c->set & VS_PORT_SET_STORM)
		port->storm_pps = c->storm_pps;
	if (c->set & VS_PORT_SET_MAX_MACS)
		port->max_macs = c->max_macs;
	if (c->set & VS_PORT_SET_VM)
		(void)rte_strscpy(port->vm, c->vm, sizeof(port->vm));
	if (c->set & VS_PORT_SET_MAC)
		port->mac = c->mac;
}

/* From here on the workers guard the new address; what the table says of the port may be void. */
static void forget_outdated(struct vs_port *port, const struct vs_port_change *c)
{
	if (c->set & VS_PORT_SET_MAC) {
		model_forget_port(port, VS_FDB_STATIC);
		/* Cannot fail: check_room() saw that what was just forgotten makes room. */
		(void)model_learn_static(port);
	}
	if (port->macs > port->max_macs)
		model_forget_port(port, VS_FDB_LEARNT);
	if (c->set & VS_PORT_SET_MAX_MACS)
		port->max_macs_told = false;
}

int vs_port_set(struct vs_model *m, const char *name, const struct vs_port_change *change,
		struct vs_fail *fail)
{
	struct vs_port *port = model_find_port(m, name);
	struct vs_port before;
	int err;

	if (!port)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no port '%s'", name);
	err = check_change(m, port, change, fail);
	if (err)
		return err;
	before = *port;
	apply_change(port, change);
	err = model_publish(m);
	if (err) {
		*port = before;
		return vs_fail_set(fail, err, 0, "no memory for a new configuration");
	}
	forget_outdated(port, change);
	model_tell(m, VS_NOTICE_PORT_CHANGED, port->sw, port, NULL, NULL);
	if (port->was_up != model_is_up(port))
		model_port_changed(port);
	return 0;
}
