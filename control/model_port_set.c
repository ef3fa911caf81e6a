/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `port set` changes.
 *
 * DOC: theory of operation
 *
 * First everything that can be refused is checked. Then the port is written over with what it
 * will be (the old one is kept), what it needs is claimed (forwarding ids, cluster entries), and
 * the snapshot is built: from there on nothing can fail but the device itself. A port that moves
 * to another switch is taken out of all snapshots for one grace period in between, in which what
 * the old switch knows of it is forgotten: no frame of the one is ever seen by the other.
 */
#include "control/port_kind.h"

#include "control/proto.h"

#include <rte_string_fns.h>

#include <errno.h>

/* What must be forgotten and entered anew when it changes. */
enum {
	SET_ADDRESSES = VS_PORT_SET_MAC | VS_PORT_SET_VLANS | VS_PORT_SET_CLUSTER,
};

static int check_name(struct vs_model *m, const struct vs_port *port, const char *name,
		      struct vs_fail *fail)
{
	const struct vs_port *other = model_find_port(m, name);
	int err = model_check_name(name, VS_ATTR_NEW_NAME, fail);

	if (err)
		return err;
	if (port->kind->role == VS_ROLE_UPLINK)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_NEW_NAME,
				   "an uplink is named after its switch ('switch set %s name NEW')",
				   port->sw->name);
	if (other && other != port)
		return vs_fail_set(fail, -EEXIST, VS_ATTR_NEW_NAME, "port '%s' is there already",
				   name);
	return 0;
}

/* Is there room for what the port needs in the table of its switch, when its entries are gone? */
static int check_room(const struct vs_port *before, const struct vs_port *port,
		      struct vs_fail *fail)
{
	const struct vs_fdb *fdb = port->sw->fdb;
	uint32_t own = 0;

	if (port->sw == before->sw)
		own = before->macs + model_fdb_need(before);
	if (vs_fdb_used(fdb) + model_fdb_need(port) <= vs_fdb_size(fdb) + own)
		return 0;
	return vs_fail_set(fail, -ENOSPC, VS_ATTR_MAC, "the address table of switch '%s' is full",
			   port->sw->name);
}

/* Static addresses stay on VLANs that the port is on. */
static int check_statics(const struct vs_port *port, struct vs_fail *fail)
{
	uint32_t i;

	for (i = 0; i < port->n_statics; i++) {
		if (!model_vlan_has(port, port->statics[i].vid))
			return vs_fail_set(fail, -EBUSY, VS_ATTR_VLAN_MODE,
					   "port '%s' has static addresses on VLAN %u ('fdb del' "
					   "removes them)",
					   port->name, port->statics[i].vid);
	}
	return 0;
}

static int find_switch(struct vs_model *m, const struct vs_port *port, const char *name,
		       struct vs_switch **ret_sw, struct vs_fail *fail)
{
	struct vs_switch *sw = model_find_switch(m, name);

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'", name);
	if (port->kind->role == VS_ROLE_UPLINK && sw != port->sw)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_SWITCH,
				   "an uplink belongs to its switch and cannot be moved");
	*ret_sw = sw;
	return model_switch_takes(sw->kind, sw->share, port->kind, fail);
}

/* What can be said of the change alone. */
static int check_change(struct vs_model *m, const struct vs_port *port,
			const struct vs_port_change *c, struct vs_fail *fail)
{
	int err = 0;

	if (c->set & VS_PORT_SET_MTU) {
		if (c->mtu < VS_MTU_MIN || c->mtu > VS_MTU_MAX)
			return vs_fail_set(fail, -ERANGE, VS_ATTR_MTU, "mtu is %d..%d", VS_MTU_MIN,
					   VS_MTU_MAX);
		if (port->kind->device_mtu && !port->kind->set)
			return vs_fail_set(fail, -EOPNOTSUPP, VS_ATTR_MTU,
					   "the mtu of port '%s' is that of its interface",
					   port->name);
	}
	if ((c->set & VS_PORT_SET_MAC) && port->kind->role == VS_ROLE_UPLINK)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_MAC,
				   "an uplink sends from any address: behind it are many stations");
	if ((c->set & VS_PORT_SET_ADDRS) && port->kind->role != VS_ROLE_HOST)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_ADDRS,
				   "only a host port has addresses; '%s' is of type %s", port->name,
				   port->kind->name);
	if (c->set & VS_PORT_SET_VM)
		err = model_check_name(c->vm, VS_ATTR_VM, fail);
	if (!err && (c->set & VS_PORT_SET_NAME))
		err = check_name(m, port, c->name, fail);
	if (!err && (c->set & VS_PORT_SET_VLANS))
		err = model_vlan_check(c->vlans, fail);
	return err;
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
	if (c->set & VS_PORT_SET_NAME)
		(void)rte_strscpy(port->name, c->name, sizeof(port->name));
	if (c->set & VS_PORT_SET_MAC)
		port->mac = c->mac;
	if (c->set & VS_PORT_SET_VLANS)
		port->vlans = *c->vlans;
	if (c->set & VS_PORT_SET_PRIORITY)
		port->priority = c->priority;
	if (c->set & VS_PORT_SET_CLUSTER)
		port->cluster = c->cluster;
}

/* What can be said of the port as it would be. */
static int check_result(const struct vs_port *before, const struct vs_port *port,
			const struct vs_port_change *c, struct vs_fail *fail)
{
	bool moves = port->sw != before->sw;
	int err = 0;

	if (moves || (c->set & VS_PORT_SET_MAC))
		err = model_check_mac(port->sw, port, &port->mac, fail);
	if (!err && (moves || (c->set & VS_PORT_SET_CLUSTER)))
		err = model_check_cluster(port, fail);
	if (!err && moves)
		err = model_check_statics(port, fail);
	if (!err && (c->set & VS_PORT_SET_VLANS))
		err = check_statics(port, fail);
	return err;
}

static int no_memory(struct vs_fail *fail)
{
	return vs_fail_set(fail, -ENOMEM, 0, "no memory for a new configuration");
}

/* From here on the workers guard the new address; what the table says of the port may be void. */
static void forget_outdated(struct vs_port *port, const struct vs_port_change *c)
{
	/* What workers saw on VLANs that go must not be taken for those that get their ids. */
	model_drain(port->m);
	if (c->set & SET_ADDRESSES) {
		model_forget_port(port, VS_FDB_STATIC);
		/* Cannot fail: check_room() saw that what was just forgotten makes room. */
		(void)model_learn_static(port);
		model_clusters_release(port->sw);
		model_fids_release(port->sw);
	}
	if (port->macs > port->max_macs)
		model_forget_port(port, VS_FDB_LEARNT);
	if (c->set & VS_PORT_SET_MAX_MACS)
		port->max_macs_told = false;
}

/*
 * Devices that are told of a change may answer with one of their own (model_port_changed). It is in no
 * snapshot that was built before, and must not publish what may yet be refused: it waits.
 */
static void hold(struct vs_model *m)
{
	m->held = true;
	m->wanted = false;
}

static void let_go(struct vs_model *m)
{
	m->held = false;
	/* Out of memory: the workers go on with what they have, as in model_port_changed(). */
	if (m->wanted)
		(void)model_publish(m);
}

/* The port stays on its switch: one snapshot replaces the other. */
static int change_in_place(struct vs_port *port, const struct vs_port_change *c,
			   struct vs_fail *fail)
{
	struct vs_conf *conf = model_conf_build(port->m);
	int err = 0;

	if (!conf)
		return no_memory(fail);
	hold(port->m);
	if (port->kind->set)
		err = port->kind->set(port, c, fail);
	if (err) {
		model_conf_free(conf);
		return err;
	}
	model_conf_replace(port->m, conf);
	let_go(port->m);
	forget_outdated(port, c);
	return 0;
}

/* The port goes to another switch: a snapshot without it lies in between. */
static int change_switch(struct vs_port *before, struct vs_port *port,
			 const struct vs_port_change *c, struct vs_fail *fail)
{
	struct vs_model *m = port->m;
	struct vs_conf *with = model_conf_build(m);
	struct vs_conf *without;
	int err = 0;

	m->port[port->id] = NULL;
	without = model_conf_build(m);
	m->port[port->id] = port;
	hold(m);
	if (!with || !without)
		err = no_memory(fail);
	else if (port->kind->set)
		err = port->kind->set(port, c, fail);
	if (err) {
		model_conf_free(with);
		model_conf_free(without);
		return err;
	}
	model_conf_replace(m, without);
	model_drain(m);
	/* With the old switch's eyes, for which `before` stands. */
	model_forget_port(before, VS_FDB_STATIC);
	model_stats_move(before);
	model_clusters_release(before->sw);
	model_fids_release(before->sw);
	(void)model_learn_static(port);
	model_conf_replace(m, with);
	let_go(m);
	forget_outdated(port, c);
	return 0;
}

static int claim(struct vs_port *port, struct vs_fail *fail)
{
	int err = model_fids_claim(port->sw, NULL, fail);

	if (err)
		return err;
	err = model_clusters_claim(port->sw);
	if (err)
		(void)vs_fail_set(fail, err, VS_ATTR_CLUSTER,
				  "there are %d cluster addresses already, or the address table of "
				  "switch '%s' is full",
				  VS_GROUPS_MAX, port->sw->name);
	return err;
}

/* What the table has learnt from the port goes on by itself. */
static void go_back(struct vs_port *port, const struct vs_port *before)
{
	bool max_macs_told = port->max_macs_told;
	uint32_t macs = port->macs;

	*port = *before;
	port->macs = macs;
	port->max_macs_told = max_macs_told;
}

/* @port has been written over with what it will be; @before is what it was. */
static int carry_out(struct vs_port *before, struct vs_port *port, const struct vs_port_change *c,
		     struct vs_fail *fail)
{
	struct vs_switch *sw = port->sw;
	int err;

	err = claim(port, fail);
	if (!err && (sw != before->sw || (c->set & SET_ADDRESSES)))
		err = check_room(before, port, fail);
	if (!err)
		err = sw == before->sw ? change_in_place(port, c, fail)
				       : change_switch(before, port, c, fail);
	if (err) {
		go_back(port, before);
		let_go(port->m);
		model_clusters_release(sw);
		model_fids_release(sw);
	}
	return err;
}

int vs_port_set(struct vs_model *m, const char *name, const struct vs_port_change *given,
		struct vs_fail *fail)
{
	struct vs_port *port = model_find_port(m, name);
	struct vs_port_change change = *given;
	struct vs_switch *sw;
	struct vs_port before;
	int err;

	if (!port)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no port '%s'", name);
	sw = port->sw;
	err = check_change(m, port, &change, fail);
	if (!err && (change.set & VS_PORT_SET_SWITCH))
		err = find_switch(m, port, change.sw, &sw, fail);
	if (!err && (change.set & VS_PORT_SET_MAC) && change.mac_from == VS_MAC_AUTO)
		err = model_pool_take(m, port->name, &change.mac, fail);
	if (err)
		return err;

	before = *port;
	apply_change(port, &change);
	port->sw = sw;
	err = check_result(&before, port, &change, fail);
	if (err) {
		go_back(port, &before);
		return err;
	}
	err = carry_out(&before, port, &change, fail);
	if (err)
		return err;
	model_tell(m, VS_NOTICE_PORT_CHANGED, port->sw, port, NULL, NULL);
	if (port->was_up != model_is_up(port))
		model_port_changed(port);
	return 0;
}
