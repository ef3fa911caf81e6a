/* SPDX-License-Identifier: BSD-3-Clause */
/* Static addresses: those that the user says are behind a port. */
#include "control/port_kind.h"

#include "control/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int check_place(const struct vs_switch *sw, const struct vs_fdb_spec *spec,
		       struct vs_fail *fail)
{
	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'",
				   spec->sw);
	if (spec->vlan >= VS_VIDS_MAX - 1)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VLAN, "a VLAN is 1..4094, or 0 for none");
	return 0;
}

static int check_add(const struct vs_fdb_spec *spec, const struct vs_switch *sw,
		     const struct vs_port *port, struct vs_fail *fail)
{
	const struct vs_fdb_entry *e;
	int err;

	if (!port || port->sw != sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_PORT, "switch '%s' has no port '%s'",
				   sw->name, spec->port);
	if (!rte_is_valid_assigned_ether_addr(&spec->mac))
		return vs_fail_set(fail, -EINVAL, VS_ATTR_MAC,
				   "a static address is a unicast one and not zero");
	if (!model_vlan_has(port, spec->vlan))
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VLAN, "port '%s' is not on VLAN %u",
				   port->name, spec->vlan);
	if (!sw->fid_of_vid[spec->vlan])
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VLAN,
				   "nobody but the uplink is on VLAN %u of switch '%s'", spec->vlan,
				   sw->name);
	err = model_check_static(sw, &spec->mac, fail);
	if (err)
		return err;
	e = vs_fdb_find(sw->fdb, sw->fid_of_vid[spec->vlan], &spec->mac);
	if (e && e->kind == VS_FDB_STATIC)
		return vs_fail_set(fail, -EEXIST, VS_ATTR_MAC,
				   "switch '%s' has a static entry for that address already ('fdb "
				   "show' tells where)",
				   sw->name);
	if (!e && vs_fdb_used(sw->fdb) == vs_fdb_size(sw->fdb))
		return vs_fail_set(fail, -ENOSPC, VS_ATTR_MAC,
				   "the address table of switch '%s' is full", sw->name);
	return 0;
}

/* Room for one more, doubled now and then. */
static int grow(struct vs_port *port)
{
	uint32_t n = port->n_statics;
	struct vs_static *more;

	if (n & (n - 1))
		return 0;
	more = realloc(port->statics, (n ? 2 * (size_t)n : 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	port->statics = more;
	return 0;
}

int vs_fdb_add_static(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	struct vs_port *port = model_find_port(m, spec->port);
	struct vs_switch *sw = model_find_switch(m, spec->sw);
	int err;

	err = check_place(sw, spec, fail);
	if (!err)
		err = check_add(spec, sw, port, fail);
	if (err)
		return err;
	if (grow(port) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for an address");
	err = model_fdb_enter(sw, sw->fid_of_vid[spec->vlan], &spec->mac, port->id);
	if (err)
		return vs_fail_set(fail, err, VS_ATTR_MAC,
				   "the address table of switch '%s' is full", sw->name);
	port->statics[port->n_statics++] = (struct vs_static){.mac = spec->mac, .vid = spec->vlan};
	return 0;
}

/* Take the address off the list of its port. Return: true if it was there. */
static bool take_off(struct vs_port *port, const struct vs_fdb_spec *spec)
{
	uint32_t i;

	for (i = 0; i < port->n_statics; i++) {
		if (port->statics[i].vid != spec->vlan ||
		    !rte_is_same_ether_addr(&port->statics[i].mac, &spec->mac))
			continue;
		port->statics[i] = port->statics[--port->n_statics];
		return true;
	}
	return false;
}

int vs_fdb_del_static(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	struct vs_fdb_filter filter = {.what = VS_FDB_ADDRESS, .mac = spec->mac};
	struct vs_switch *sw = model_find_switch(m, spec->sw);
	unsigned int i;
	int err;

	err = check_place(sw, spec, fail);
	if (err)
		return err;
	filter.fid = sw->fid_of_vid[spec->vlan];
	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (!m->port[i] || m->port[i]->sw != sw || !take_off(m->port[i], spec))
			continue;
		(void)model_fdb_remove(sw, &filter);
		return 0;
	}
	return vs_fail_set(fail, -ENOENT, VS_ATTR_MAC,
			   "switch '%s' has no such static address on VLAN %u; what is learnt or a "
			   "port's own is not removed so",
			   sw->name, spec->vlan);
}
