/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `port set` changes.
 *
 * DOC: theory of operation
 *
 * First everything that can be refused of the change alone is checked. Then the port is written
 * over with what it will be (the transaction has a copy), what it needs is claimed (forwarding
 * ids, cluster entries, places in the table), and the device is told. If any of it fails, the
 * transaction puts the port back. A port that moves to another switch is moved for good when the
 * transaction is committed (model_txn.h).
 */
#include "control/model_txn.h"
#include "control/port_kind.h"
#include "control/proto.h"
#include "dataplane/core/log.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static int check_addrs(const struct vs_port *port, const char *addrs, struct vs_fail *fail)
{
	const struct vs_port_spec spec = {
		.name = port->name,
		.kind = port->kind->id,
		.ifname = port->place,
		.addrs = addrs,
	};
	char place[sizeof(port->place)];

	if (port->kind->role != VS_ROLE_HOST)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_ADDRS,
				   "only a host port has addresses; '%s' is of type %s", port->name,
				   port->kind->name);
	return port->kind->place(&spec, place, sizeof(place), fail);
}

/* What can be said of the change alone. */
static int check_change(struct vs_model *m, const struct vs_port *port,
			const struct vs_port_change *c, struct vs_fail *fail)
{
	int err = 0;

	if (c->set & VS_PORT_SET_MTU) {
		err = model_mtu_check(port->sw, port->name, port->kind, c->mtu, c->origin, fail);
		if (err)
			return err;
		if (port->kind->device_mtu && !port->kind->set)
			return vs_fail_set(fail, -EOPNOTSUPP, VS_ATTR_MTU,
					   "the mtu of port '%s' is that of its interface",
					   port->name);
	}
	if ((c->set & VS_PORT_SET_MAC) && port->kind->role == VS_ROLE_UPLINK)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_MAC,
				   "an uplink sends from any address: behind it are many stations");
	if ((c->set & VS_PORT_SET_MODERATION) && port->kind->id != VS_PORT_GUEST)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_MODERATION,
				   "only interrupts of a guest on a socket are the switch's: port "
				   "'%s' has none",
				   port->name);
	if ((c->set & VS_PORT_SET_VMQ_WEIGHT) && port->kind->role != VS_ROLE_GUEST)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VMQ_WEIGHT,
				   "only a guest's port has a queue; '%s' is of type %s",
				   port->name, port->kind->name);
	if (c->set & VS_PORT_SET_PLACE)
		err = model_place_check(m, c->place, c->origin, fail);
	if (!err && (c->set & VS_PORT_SET_ADDRS))
		err = check_addrs(port, c->addrs, fail);
	if (!err && (c->set & VS_PORT_SET_VM))
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
	if (c->set & VS_PORT_SET_OFFLOAD)
		port->offload_off =
			(uint8_t)((port->offload_off | c->offload_off) & ~c->offload_on);
	if (c->set & VS_PORT_SET_MODERATION)
		port->moderation = c->moderation;
	if (c->set & VS_PORT_SET_VMQ_WEIGHT)
		port->vmq_weight = c->vmq_weight;
	if (c->set & VS_PORT_SET_PLACE)
		model_place_set(port, c->place);
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
	if (!err && moves && port->mtu && !port->kind->device_mtu)
		err = model_mtu_check(port->sw, port->name, port->kind, port->mtu, c->origin, fail);
	if (!err && (c->set & VS_PORT_SET_VLANS))
		err = check_statics(port, fail);
	return err;
}

static int no_memory(struct vs_fail *fail)
{
	return vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
}

static int claim(struct vs_port *port, struct vs_fail *fail)
{
	int err = model_fids_claim(port->sw, NULL, fail);

	if (err)
		return err;
	err = model_clusters_claim(port->sw);
	if (err == -ENOSPC)
		return vs_fail_set(fail, err, VS_ATTR_CLUSTER,
				   "there are %d cluster addresses already, or the address table "
				   "of switch '%s' is full",
				   VS_GROUPS_MAX, port->sw->name);
	return err ? no_memory(fail) : 0;
}

/*
 * What the table says of the port may be void: what was learnt of it, and where its own addresses
 * are. @from is the switch that it was on.
 */
static int enter_anew(struct vs_port *port, struct vs_switch *from, struct vs_fail *fail)
{
	const struct vs_fdb_filter filter = {.what = VS_FDB_OF_PORT, .port = port->id};
	int err;

	if (model_fdb_remove(from, &filter) != 0)
		return no_memory(fail);
	err = claim(port, fail);
	if (err)
		return err;
	err = model_learn_static(port);
	if (err == -ENOSPC)
		return vs_fail_set(fail, err, VS_ATTR_MAC,
				   "the address table of switch '%s' is full", port->sw->name);
	return err ? no_memory(fail) : 0;
}

static int set_addresses(struct vs_port *port, struct vs_switch *from,
			 const struct vs_port_change *c, struct vs_fail *fail)
{
	int err = 0;

	if (from != port->sw || (c->set & SET_ADDRESSES))
		err = enter_anew(port, from, fail);
	else if (port->macs > port->max_macs && model_forget_port(port, VS_FDB_LEARNT) != 0)
		err = no_memory(fail);
	if (c->set & VS_PORT_SET_MAX_MACS)
		port->max_macs_told = false;
	return err;
}

/* What the device would be like. */
static int plan_addrs(struct vs_port *port, const char *addrs, struct vs_fail *fail)
{
	struct vs_port_view view = {.name = port->name};

	if (!port->plan) {
		port->plan = calloc(1, sizeof(*port->plan));
		if (!port->plan)
			return no_memory(fail);
		port->kind->info(port, &view);
		port->plan->queues = view.pairs;
	}
	(void)rte_strscpy(port->plan->addrs, strcmp(addrs, "none") == 0 ? "" : addrs,
			  sizeof(port->plan->addrs));
	return 0;
}

static int set_device(struct vs_port *port, const struct vs_port_change *c, struct vs_fail *fail)
{
	int err = 0;

	if (model_txn_is_dry(port->m))
		return c->set & VS_PORT_SET_ADDRS ? plan_addrs(port, c->addrs, fail) : 0;
	if (!port->kind->set)
		return 0;
	if (c->set & VS_PORT_SET_ADDRS)
		err = model_keep_addrs(port, fail);
	if (!err)
		err = port->kind->set(port, c, fail);
	if (!err)
		model_note_set(port, (unsigned int)c->set);
	return err;
}

void model_port_restore(const struct vs_touched_port *t)
{
	struct vs_port *port = t->port;
	const struct vs_port_change back = {
		.set = t->addrs ? t->set_what : t->set_what & ~(unsigned int)VS_PORT_SET_ADDRS,
		.mtu = port->mtu,
		.mac = port->mac,
		.addrs = t->addrs,
		.moderation = port->moderation,
	};
	struct vs_fail fail;

	if (t->set && port->kind->set && port->kind->set(port, &back, &fail) != 0)
		vs_log(VS_LOG_ERROR, "port %s: its device does not go back to what it was: %s",
		       port->name, fail.text);
	if (t->shared && port->kind->share(port, port->sw->share, &fail) != 0)
		vs_log(VS_LOG_ERROR, "port %s: sharing does not come back: %s", port->name,
		       fail.text);
}

/* Before the port is written over. */
static int touch(struct vs_port *port, struct vs_switch *to, const struct vs_port_change *c,
		 struct vs_fail *fail)
{
	int err = model_touch_port(port, fail);

	/* The records of static addresses name the switch and the port. */
	if (!err && (c->set & (VS_PORT_SET_NAME | VS_PORT_SET_SWITCH)))
		err = model_touch_statics(port, fail);
	return err ? err : model_involve_switch(to, fail);
}

static int carry_out(struct vs_port *port, struct vs_switch *to, const struct vs_port_change *c,
		     struct vs_fail *fail)
{
	struct vs_port before = *port;
	int err;

	apply_change(port, c);
	port->sw = to;
	err = check_result(&before, port, c, fail);
	if (!err)
		err = set_addresses(port, before.sw, c, fail);
	if (!err)
		err = set_device(port, c, fail);
	return err ? err : model_publish(port->m);
}

static int change(struct vs_model *m, const char *name, const struct vs_port_change *given,
		  struct vs_fail *fail)
{
	struct vs_port *port = model_find_port(m, name);
	struct vs_port_change c = *given;
	struct vs_switch *sw;
	int err;

	if (!port)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no port '%s'", name);
	sw = port->sw;
	err = check_change(m, port, &c, fail);
	if (!err && (c.set & VS_PORT_SET_SWITCH))
		err = find_switch(m, port, c.sw, &sw, fail);
	if (!err && (c.set & VS_PORT_SET_MAC) && c.mac_from == VS_MAC_AUTO)
		err = model_pool_take(m, port->name, &c.mac, fail);
	if (!err)
		err = touch(port, sw, &c, fail);
	if (!err)
		err = carry_out(port, sw, &c, fail);
	if (err)
		return err;
	/* What is only being made is told of as a whole. */
	if (!port->touched->made)
		model_tell(m, VS_NOTICE_PORT_CHANGED, port->sw, port, NULL, NULL);
	model_txn_tell_link(port);
	return 0;
}

int vs_port_set(struct vs_model *m, const char *name, const struct vs_port_change *c,
		struct vs_fail *fail)
{
	int part = model_txn_enter(m, fail);

	return part < 0 ? part : model_txn_leave(m, part, change(m, name, c, fail), fail);
}
