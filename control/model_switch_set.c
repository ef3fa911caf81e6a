/* SPDX-License-Identifier: BSD-3-Clause */
/* What `switch set` changes, and the uplink that comes and goes with the type of a switch. */
#include "control/model_txn.h"
#include "control/port_kind.h"
#include "control/proto.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char uplink_suffix[] = ".uplink";

/* The part of "xdp:IFNAME" or "dpdk:DEVARGS" behind the colon, and which of them it is. */
static const char *split_uplink(const char *uplink, enum vs_port_kind *ret_kind)
{
	static const struct {
		const char *word;
		enum vs_port_kind kind;
	} words[] = {{"xdp:", VS_PORT_XDP}, {"dpdk:", VS_PORT_DPDK}};
	unsigned int i;

	for (i = 0; i < RTE_DIM(words); i++) {
		size_t len = strlen(words[i].word);

		if (strncmp(uplink, words[i].word, len) != 0 || uplink[len] == '\0')
			continue;
		*ret_kind = words[i].kind;
		return uplink + len;
	}
	return NULL;
}

int model_uplink_check(const char *name, enum vs_switch_kind kind, const char *uplink,
		       struct vs_fail *fail)
{
	enum vs_port_kind port_kind;

	if (kind != VS_SWITCH_EXTERNAL)
		return uplink ? vs_fail_set(fail, -EINVAL, VS_ATTR_UPLINK,
					    "only an external switch has an uplink")
			      : 0;
	if (!uplink)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_UPLINK,
				   "an external switch has an uplink: xdp:IFNAME or dpdk:DEVARGS");
	if (!split_uplink(uplink, &port_kind))
		return vs_fail_set(fail, -EINVAL, VS_ATTR_UPLINK,
				   "'%.60s' is no uplink: xdp:IFNAME or dpdk:DEVARGS", uplink);
	if (strlen(uplink) >= VS_PROTO_UPLINK_SIZE)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_UPLINK,
				   "an uplink has at most %d characters", VS_PROTO_UPLINK_SIZE - 1);
	if (strlen(name) + sizeof(uplink_suffix) > VS_NAME_MAX)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_NAME,
				   "the name of an external switch has at most %zu characters (its "
				   "uplink is called NAME%s)",
				   VS_NAME_MAX - sizeof(uplink_suffix), uplink_suffix);
	return 0;
}

int model_uplink_make(struct vs_switch *sw, const char *uplink, bool force,
		      const struct vs_port *like, struct vs_fail *fail)
{
	char name[VS_NAME_MAX + sizeof(uplink_suffix)];
	struct vs_port_spec spec = {.name = name, .force = force};

	spec.uplink = split_uplink(uplink, &spec.kind);
	if (!spec.uplink)
		return -EINVAL;
	(void)snprintf(name, sizeof(name), "%s%s", sw->name, uplink_suffix);
	(void)rte_strscpy(sw->uplink, uplink, sizeof(sw->uplink));
	return model_port_make(sw->m, sw, &spec, like, fail);
}

static int remove_uplink(struct vs_switch *sw, struct vs_fail *fail)
{
	struct vs_port *port = model_uplink(sw);

	sw->uplink[0] = '\0';
	return port ? model_port_remove(port, fail) : 0;
}

/* Every port that is there must be allowed on what the switch becomes. */
static int check_ports(const struct vs_switch *sw, enum vs_switch_kind kind, enum vs_share share,
		       struct vs_fail *fail)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = sw->m->port[i];

		if (!port || port->sw != sw || port->kind->role != VS_ROLE_HOST ||
		    model_switch_takes(kind, share, port->kind, fail) == 0)
			continue;
		return vs_fail_set(
			fail, -EBUSY, VS_ATTR_KIND,
			"host port '%s' stands in the way; remove it, or move it to another "
			"switch",
			port->name);
	}
	return 0;
}

/*
 * One uplink instead of another, or of none, with the settings of the old one, which works until
 * the new one has taken its place. Never side by side, which would close a loop where both lead to
 * one network: a snapshot names one of them.
 */
static int replace_uplink(struct vs_switch *sw, const char *uplink, bool force,
			  struct vs_fail *fail)
{
	const struct vs_port *like = model_uplink(sw);
	int err = remove_uplink(sw, fail);

	return err ? err : model_uplink_make(sw, uplink, force, like, fail);
}

/* The host's side of the card is a queue pair that workers poll: the snapshot says how many. */
static int share_uplink(struct vs_switch *sw, struct vs_fail *fail)
{
	struct vs_port *port = model_uplink(sw);
	int err;

	if (!port || !port->kind->share || model_txn_is_dry(sw->m))
		return 0;
	err = model_touch_port(port, fail);
	if (err)
		return err;
	err = port->kind->share(port, sw->share, fail);
	if (err)
		return err;
	port->touched->shared = true;
	model_port_changed(port);
	return 0;
}

/* Type, uplink and sharing of the switch become those given; all have been checked. */
static int become(struct vs_switch *sw, enum vs_switch_kind kind, enum vs_share share,
		  const char *uplink, bool force, struct vs_fail *fail)
{
	enum vs_share old_share = sw->share;
	int err = 0;

	sw->kind = kind;
	sw->share = share;
	if (kind != VS_SWITCH_EXTERNAL)
		err = remove_uplink(sw, fail);
	else if (!uplink)
		err = -EINVAL; /* model_uplink_check() has refused it */
	else if (strcmp(uplink, sw->uplink) != 0)
		err = replace_uplink(sw, uplink, force, fail);
	else if (share != old_share)
		err = share_uplink(sw, fail);
	return err ? err : model_publish(sw->m);
}

static int change_kind(struct vs_switch *sw, const struct vs_switch_change *c, struct vs_fail *fail)
{
	enum vs_switch_kind kind = c->set & VS_SWITCH_SET_KIND ? c->kind : sw->kind;
	enum vs_share share = kind == VS_SWITCH_EXTERNAL ? VS_SHARE_ON : VS_SHARE_OFF;
	const char *uplink = NULL;
	int err;

	if (kind == VS_SWITCH_EXTERNAL) {
		if (c->set & VS_SWITCH_SET_UPLINK)
			uplink = c->uplink;
		else if (sw->uplink[0])
			uplink = sw->uplink;
		if (c->set & VS_SWITCH_SET_SHARE)
			share = c->share;
		else if (sw->kind == VS_SWITCH_EXTERNAL)
			share = sw->share;
	} else if (c->set & VS_SWITCH_SET_SHARE) {
		return vs_fail_set(fail, -EINVAL, VS_ATTR_SHARE,
				   "only an external switch shares its uplink");
	} else if (c->set & VS_SWITCH_SET_UPLINK) {
		uplink = c->uplink;
	}
	err = model_uplink_check(sw->name, kind, uplink, fail);
	if (!err)
		err = check_ports(sw, kind, share, fail);
	if (!err)
		err = become(sw, kind, share, uplink, c->force, fail);
	return err;
}

/* A table of another size, with the addresses of the old one. */
static int resize_fdb(struct vs_switch *sw, uint32_t size, struct vs_fail *fail)
{
	struct vs_fdb *fdb;
	int err;

	if (size < model_fdb_used(sw))
		return vs_fail_set(fail, -ERANGE, VS_ATTR_FDB_SIZE,
				   "switch '%s' knows %u addresses now; flush them first, or give at "
				   "least that many",
				   sw->name, model_fdb_used(sw));
	err = vs_fdb_new(sw->m->env.rcu, size, &fdb);
	if (err)
		return vs_fail_set(fail, err, VS_ATTR_FDB_SIZE,
				   "no memory for %u addresses (the daemon's --memory gives more)",
				   size);
	vs_fdb_free(sw->touched->next_fdb);
	sw->touched->next_fdb = fdb;
	return model_publish(sw->m);
}

static int check_name(struct vs_model *m, const struct vs_switch *sw, const char *name,
		      struct vs_fail *fail)
{
	const struct vs_switch *other = model_find_switch(m, name);
	int err = model_check_name(name, VS_ATTR_NEW_NAME, fail);
	char uplink[VS_NAME_MAX + sizeof(uplink_suffix)];
	const struct vs_port *port;

	if (!err && other && other != sw)
		err = vs_fail_set(fail, -EEXIST, VS_ATTR_NEW_NAME, "switch '%s' is there already",
				  name);
	if (err || sw->kind != VS_SWITCH_EXTERNAL)
		return err;
	err = model_uplink_check(name, sw->kind, sw->uplink, fail);
	(void)snprintf(uplink, sizeof(uplink), "%s%s", name, uplink_suffix);
	port = model_find_port(m, uplink);
	if (!err && port && port != model_uplink(sw))
		err = vs_fail_set(fail, -EEXIST, VS_ATTR_NEW_NAME,
				  "port '%s' is there already; the uplink would have that name",
				  uplink);
	return err;
}

int model_check_ageing(uint32_t seconds, struct vs_fail *fail)
{
	if (seconds == 0 || (seconds >= 10 && seconds <= 1000000))
		return 0;
	return vs_fail_set(fail, -ERANGE, VS_ATTR_FDB_AGEING,
			   "fdb-ageing is 10..1000000 seconds, or 0 for never");
}

int model_check_fdb_size(uint32_t size, struct vs_fail *fail)
{
	if (size > 0 && size <= VS_FDB_SIZE_MAX)
		return 0;
	return vs_fail_set(fail, -ERANGE, VS_ATTR_FDB_SIZE, "fdb-size is 1..%d", VS_FDB_SIZE_MAX);
}

static int check_vmq(const struct vs_switch *sw, const struct vs_switch_change *c,
		     struct vs_fail *fail)
{
	enum vs_switch_kind kind = c->set & VS_SWITCH_SET_KIND ? c->kind : sw->kind;

	if (kind == VS_SWITCH_EXTERNAL)
		return 0;
	return vs_fail_set(fail, -EINVAL,
			   c->set & VS_SWITCH_SET_VMQ ? VS_ATTR_VMQ : VS_ATTR_VMQ_QUEUES,
			   "only an external switch has queues: they are its uplink's");
}

static void set_vmq(struct vs_switch *sw, const struct vs_switch_change *c)
{
	if (c->set & VS_SWITCH_SET_VMQ)
		sw->vmq = c->vmq;
	if (c->set & VS_SWITCH_SET_VMQ_QUEUES)
		sw->vmq_queues = c->vmq_queues;
	if (sw->kind != VS_SWITCH_EXTERNAL) {
		sw->vmq = VS_VMQ_OFF;
		sw->vmq_queues = 0;
	}
	if (c->set & (VS_SWITCH_SET_VMQ | VS_SWITCH_SET_VMQ_QUEUES))
		(void)model_publish(sw->m);
}

/* What can be said of the change alone, before anything is made. */
static int check_change(struct vs_model *m, const struct vs_switch *sw,
			const struct vs_switch_change *c, struct vs_fail *fail)
{
	int err = 0;

	if (c->set & VS_SWITCH_SET_FDB_AGEING)
		err = model_check_ageing(c->fdb_ageing_s, fail);
	if (!err && (c->set & VS_SWITCH_SET_FDB_SIZE))
		err = model_check_fdb_size(c->fdb_size, fail);
	if (!err && (c->set & VS_SWITCH_SET_NAME))
		err = check_name(m, sw, c->name, fail);
	if (!err && (c->set & (VS_SWITCH_SET_VMQ | VS_SWITCH_SET_VMQ_QUEUES)))
		err = check_vmq(sw, c, fail);
	return err;
}

/* The records of all that is on the switch name it. */
static int touch_ports(const struct vs_switch *sw, struct vs_fail *fail)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_PORTS_MAX && err == 0; i++) {
		struct vs_port *port = sw->m->port[i];

		if (!port || port->sw != sw)
			continue;
		err = model_touch_port(port, fail);
		if (!err)
			err = model_touch_statics(port, fail);
	}
	return err;
}

static void write_name(struct vs_switch *sw, const char *name)
{
	struct vs_port *uplink = model_uplink(sw);

	(void)rte_strscpy(sw->name, name, sizeof(sw->name));
	if (!uplink)
		return;
	(void)snprintf(uplink->name, sizeof(uplink->name), "%.*s%s",
		       (int)(sizeof(uplink->name) - sizeof(uplink_suffix)), name, uplink_suffix);
	(void)rte_strscpy(uplink->vm, uplink->name, sizeof(uplink->vm));
}

static int rename_switch(struct vs_switch *sw, const char *name, struct vs_fail *fail)
{
	/* Again, as the switch may have an uplink now. */
	int err = check_name(sw->m, sw, name, fail);

	if (!err)
		err = touch_ports(sw, fail);
	if (!err)
		write_name(sw, name);
	return err;
}

static int change(struct vs_model *m, const char *name, const struct vs_switch_change *c,
		  struct vs_fail *fail)
{
	struct vs_switch *sw = model_find_switch(m, name);
	int err;

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no switch '%s'", name);
	err = check_change(m, sw, c, fail);
	if (!err)
		err = model_touch_switch(sw, fail);
	if (!err && (c->set & (VS_SWITCH_SET_KIND | VS_SWITCH_SET_UPLINK | VS_SWITCH_SET_SHARE)))
		err = change_kind(sw, c, fail);
	if (!err && (c->set & VS_SWITCH_SET_FDB_SIZE))
		err = resize_fdb(sw, c->fdb_size, fail);
	if (!err && (c->set & VS_SWITCH_SET_NAME))
		err = rename_switch(sw, c->name, fail);
	if (err)
		return err;
	if (c->set & VS_SWITCH_SET_FDB_AGEING)
		sw->fdb_ageing_s = c->fdb_ageing_s;
	if (c->set & VS_SWITCH_SET_MTU) {
		sw->mtu = c->mtu;
		(void)model_publish(m);
	}
	if (c->set & (VS_SWITCH_SET_MTU | VS_SWITCH_SET_UPLINK))
		model_mtu_tell(sw);
	if (c->set & VS_SWITCH_SET_UNKNOWN) {
		sw->unknown = c->unknown;
		(void)model_publish(m);
	}
	set_vmq(sw, c);
	if (!sw->touched->made)
		model_tell(m, VS_NOTICE_SWITCH_CHANGED, sw, NULL, NULL, NULL);
	return 0;
}

int vs_switch_set(struct vs_model *m, const char *name, const struct vs_switch_change *c,
		  struct vs_fail *fail)
{
	int part = model_txn_enter(m, fail);

	return part < 0 ? part : model_txn_leave(m, part, change(m, name, c, fail), fail);
}
