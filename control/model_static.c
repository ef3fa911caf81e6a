/* SPDX-License-Identifier: BSD-3-Clause */
/* Static addresses: those that the user says are behind a port. */
#include "control/model_txn.h"
#include "control/port_kind.h"

#include "control/proto.h"

#include <rte_string_fns.h>

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
	struct model_fdb_look e;
	bool there;
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
	there = model_fdb_look(sw, sw->fid_of_vid[spec->vlan], &spec->mac, &e);
	if (there && e.kind == VS_FDB_STATIC)
		return vs_fail_set(fail, -EEXIST, VS_ATTR_MAC,
				   "switch '%s' has a static entry for that address already ('fdb "
				   "show' tells where)",
				   sw->name);
	if (!there && model_fdb_used(sw) >= model_fdb_size(sw))
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

/* Static addresses are filters of their port's queue. */
static int refilter(struct vs_switch *sw, struct vs_fail *fail)
{
	if (sw->vmq == VS_VMQ_OFF || model_publish(sw->m) == 0)
		return 0;
	return vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
}

static int add(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	const struct vs_static s = {.mac = spec->mac, .vid = spec->vlan};
	struct vs_port *port = model_find_port(m, spec->port);
	struct vs_switch *sw = model_find_switch(m, spec->sw);
	int err;

	err = check_place(sw, spec, fail);
	if (!err)
		err = check_add(spec, sw, port, fail);
	if (!err)
		err = model_involve_switch(sw, fail);
	if (!err)
		err = model_touch_static(port, &s, fail);
	if (err)
		return err;
	if (grow(port) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for an address");
	err = model_fdb_enter(sw, sw->fid_of_vid[spec->vlan], &spec->mac, port->id);
	if (err == -ENOSPC)
		return vs_fail_set(fail, err, VS_ATTR_MAC,
				   "the address table of switch '%s' is full", sw->name);
	if (err)
		return vs_fail_set(fail, err, 0, "no memory for an address");
	err = model_note_static(port, &s, true, fail);
	if (!err)
		port->statics[port->n_statics++] = s;
	return err ? err : refilter(sw, fail);
}

int vs_fdb_add_static(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	int part = model_txn_enter(m, fail);

	return part < 0 ? part : model_txn_leave(m, part, add(m, spec, fail), fail);
}

/* Where the address is on the list of the port; its length: it is not. */
static uint32_t find(const struct vs_port *port, const struct vs_static *s)
{
	uint32_t i;

	for (i = 0; i < port->n_statics; i++) {
		if (port->statics[i].vid == s->vid &&
		    rte_is_same_ether_addr(&port->statics[i].mac, &s->mac))
			break;
	}
	return i;
}

/* Take number @i off the list. */
static int take_off(struct vs_port *port, uint32_t i, struct vs_fail *fail)
{
	const struct vs_static s = port->statics[i];
	const struct vs_fdb_filter filter = {
		.what = VS_FDB_ADDRESS,
		.mac = s.mac,
		.fid = port->sw->fid_of_vid[s.vid],
	};
	int err;

	err = model_involve_switch(port->sw, fail);
	if (!err)
		err = model_touch_static(port, &s, fail);
	if (!err)
		err = model_note_static(port, &s, false, fail);
	if (err)
		return err;
	port->statics[i] = port->statics[--port->n_statics];
	if (filter.fid && model_fdb_remove(port->sw, &filter) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
	return refilter(port->sw, fail);
}

static int del(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	const struct vs_static s = {.mac = spec->mac, .vid = spec->vlan};
	struct vs_switch *sw = model_find_switch(m, spec->sw);
	unsigned int i;
	int err;

	err = check_place(sw, spec, fail);
	if (err || !sw)
		return err;
	for (i = 0; i < VS_PORTS_MAX; i++) {
		struct vs_port *port = m->port[i];
		uint32_t at = port && port->sw == sw ? find(port, &s) : 0;

		if (port && port->sw == sw && at < port->n_statics)
			return take_off(port, at, fail);
	}
	return vs_fail_set(fail, -ENOENT, VS_ATTR_MAC,
			   "switch '%s' has no such static address on VLAN %u; what is learnt or a "
			   "port's own is not removed so",
			   sw->name, spec->vlan);
}

/* One that is there, or one that is kept and could not be made. */
static int del_or_forget(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	struct vs_config_key key = {.object = VS_CONFIG_FDB, .mac = spec->mac, .vlan = spec->vlan};
	int err = del(m, spec, fail);
	struct vs_fail ignored;

	(void)rte_strscpy(key.name, spec->sw, sizeof(key.name));
	if (err == -ENOENT && model_forget_waiting(m, &key, VS_DEL_REFUSE_PORTS, &ignored) > 0)
		return 0;
	return err;
}

int vs_fdb_del_static(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	int part = model_txn_enter(m, fail);

	return part < 0 ? part : model_txn_leave(m, part, del_or_forget(m, spec, fail), fail);
}
