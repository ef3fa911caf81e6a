/* SPDX-License-Identifier: BSD-3-Clause */
/* What `switch set` changes, and the uplink that comes and goes with the type of a switch. */
#include "control/port_kind.h"

#include "control/proto.h"
#include "dataplane/core/log.h"

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
	int err;

	spec.uplink = split_uplink(uplink, &spec.kind);
	if (!spec.uplink)
		return -EINVAL;
	(void)snprintf(name, sizeof(name), "%s%s", sw->name, uplink_suffix);
	(void)rte_strscpy(sw->uplink, uplink, sizeof(sw->uplink));
	err = model_port_make(sw->m, sw, &spec, like, fail);
	if (err)
		sw->uplink[0] = '\0';
	return err;
}

static int remove_uplink(struct vs_switch *sw, struct vs_fail *fail)
{
	struct vs_port *port = model_uplink(sw);

	if (port && model_port_remove(port) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a new configuration");
	sw->uplink[0] = '\0';
	return 0;
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

/* A copy of the settings of the uplink, if there is one, which lives until it is freed. */
static int copy_settings(const struct vs_switch *sw, struct vs_port *copy)
{
	const struct vs_port *port = model_uplink(sw);

	*copy = port ? *port : (struct vs_port){0};
	copy->statics = NULL;
	if (copy->n_statics == 0)
		return 0;
	copy->statics = malloc(copy->n_statics * sizeof(*copy->statics));
	if (!copy->statics)
		return -ENOMEM;
	memcpy(copy->statics, port->statics, copy->n_statics * sizeof(*copy->statics));
	return 0;
}

/*
 * One uplink instead of another, or of none, with the settings of the old one. Not side by side,
 * which would close a loop where both lead to one network. If the new one fails, the old one
 * comes back.
 */
static int replace_uplink(struct vs_switch *sw, const char *uplink, bool force,
			  enum vs_share old_share, struct vs_fail *fail)
{
	const struct vs_port *like = model_uplink(sw);
	char old[VS_PROTO_UPLINK_SIZE];
	struct vs_fail ignored;
	struct vs_port settings;
	int err;

	if (copy_settings(sw, &settings) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a new configuration");
	like = like ? &settings : NULL;
	(void)rte_strscpy(old, sw->uplink, sizeof(old));
	err = remove_uplink(sw, fail);
	if (!err) {
		err = model_uplink_make(sw, uplink, force, like, fail);
		/* As it was: shared or not, too. */
		if (err)
			sw->share = old_share;
		if (err && old[0] && model_uplink_make(sw, old, true, like, &ignored) != 0)
			vs_log(VS_LOG_ERROR, "switch %s: its uplink %s does not come back: %s",
			       sw->name, old, ignored.text);
	}
	free(settings.statics);
	return err;
}

/* The host's side of the card is a queue pair that workers poll: the snapshot says how many. */
static int share_uplink(struct vs_switch *sw, enum vs_share old, enum vs_share share,
			struct vs_fail *fail)
{
	struct vs_port *port = model_uplink(sw);
	struct vs_fail ignored;
	int err;

	if (!port || !port->kind->share)
		return 0;
	err = port->kind->share(port, share, fail);
	if (err)
		return err;
	if (model_publish(sw->m) == 0) {
		model_port_changed(port);
		return 0;
	}
	if (port->kind->share(port, old, &ignored) != 0)
		vs_log(VS_LOG_ERROR, "switch %s: sharing of its uplink does not come back: %s",
		       sw->name, ignored.text);
	return vs_fail_set(fail, -ENOMEM, 0, "no memory for a new configuration");
}

/* Type, uplink and sharing of the switch become those given; all have been checked. */
static int become(struct vs_switch *sw, enum vs_switch_kind kind, enum vs_share share,
		  const char *uplink, bool force, struct vs_fail *fail)
{
	enum vs_switch_kind old_kind = sw->kind;
	enum vs_share old_share = sw->share;
	int err = 0;

	sw->kind = kind;
	sw->share = share;
	if (kind != VS_SWITCH_EXTERNAL)
		err = remove_uplink(sw, fail);
	else if (!uplink)
		err = -EINVAL; /* model_uplink_check() has refused it */
	else if (strcmp(uplink, sw->uplink) != 0)
		err = replace_uplink(sw, uplink, force, old_share, fail);
	else if (share != old_share)
		err = share_uplink(sw, old_share, share, fail);
	/* All of them have published the snapshot. */
	if (err) {
		sw->kind = old_kind;
		sw->share = old_share;
	}
	return err;
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

static int copy_entry(uint16_t fid, const struct rte_ether_addr *mac, const struct vs_fdb_entry *e,
		      void *ctx)
{
	uint16_t old;

	(void)vs_fdb_learn(ctx, fid, mac, e->port, e->kind, e->seen, &old);
	return 0;
}

/* A table of another size, with the addresses of the old one. */
static int resize_fdb(struct vs_model *m, struct vs_switch *sw, uint32_t size, struct vs_fail *fail)
{
	struct vs_fdb *old = sw->fdb;
	struct vs_fdb *fdb;
	int err;

	if (size < vs_fdb_used(old))
		return vs_fail_set(fail, -ERANGE, VS_ATTR_FDB_SIZE,
				   "switch '%s' knows %u addresses now; flush them first, or give at "
				   "least that many",
				   sw->name, vs_fdb_used(old));
	err = vs_fdb_new(m->env.rcu, size, &fdb);
	if (err)
		return vs_fail_set(fail, err, VS_ATTR_FDB_SIZE,
				   "no memory for %u addresses (the daemon's --memory gives more)",
				   size);
	(void)vs_fdb_walk(old, copy_entry, fdb);
	sw->fdb = fdb;
	err = model_publish(m);
	if (err) {
		sw->fdb = old;
		vs_fdb_free(fdb);
		return vs_fail_set(fail, err, 0, "no memory for a new configuration");
	}
	vs_fdb_free(old);
	sw->fdb_full_told = false;
	return 0;
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

static int check_change(struct vs_model *m, const struct vs_switch *sw,
			const struct vs_switch_change *c, struct vs_fail *fail)
{
	const unsigned int kind = VS_SWITCH_SET_KIND | VS_SWITCH_SET_UPLINK | VS_SWITCH_SET_SHARE;
	uint32_t ageing = c->fdb_ageing_s;

	if ((c->set & VS_SWITCH_SET_FDB_AGEING) && ageing != 0 && (ageing < 10 || ageing > 1000000))
		return vs_fail_set(fail, -ERANGE, VS_ATTR_FDB_AGEING,
				   "fdb-ageing is 10..1000000 seconds, or 0 for never");
	if ((c->set & VS_SWITCH_SET_FDB_SIZE) &&
	    (c->fdb_size == 0 || c->fdb_size > VS_FDB_SIZE_MAX))
		return vs_fail_set(fail, -ERANGE, VS_ATTR_FDB_SIZE, "fdb-size is 1..%d",
				   VS_FDB_SIZE_MAX);
	/* Both may fail for reasons of their own, and the first could not be taken back. */
	if ((c->set & kind) && (c->set & ~(kind | VS_SWITCH_SET_FDB_AGEING)))
		return vs_fail_set(
			fail, -EINVAL, VS_ATTR_KIND,
			"change the type or uplink by itself, name, unknown and fdb-size by "
			"another command");
	return c->set & VS_SWITCH_SET_NAME ? check_name(m, sw, c->name, fail) : 0;
}

static void rename_switch(struct vs_switch *sw, const char *name)
{
	struct vs_port *uplink = model_uplink(sw);

	(void)rte_strscpy(sw->name, name, sizeof(sw->name));
	if (!uplink)
		return;
	(void)snprintf(uplink->name, sizeof(uplink->name), "%.*s%s",
		       (int)(sizeof(uplink->name) - sizeof(uplink_suffix)), name, uplink_suffix);
	(void)rte_strscpy(uplink->vm, uplink->name, sizeof(uplink->vm));
}

/* Both are seen by the workers: one snapshot for both. */
static int set_table(struct vs_switch *sw, const struct vs_switch_change *c, struct vs_fail *fail)
{
	enum vs_unknown old = sw->unknown;
	int err = 0;

	if (c->set & VS_SWITCH_SET_UNKNOWN)
		sw->unknown = c->unknown;
	if (c->set & VS_SWITCH_SET_FDB_SIZE)
		err = resize_fdb(sw->m, sw, c->fdb_size, fail);
	else if ((c->set & VS_SWITCH_SET_UNKNOWN) && model_publish(sw->m) != 0)
		err = vs_fail_set(fail, -ENOMEM, 0, "no memory for a new configuration");
	if (err)
		sw->unknown = old;
	return err;
}

int vs_switch_set(struct vs_model *m, const char *name, const struct vs_switch_change *c,
		  struct vs_fail *fail)
{
	struct vs_switch *sw = model_find_switch(m, name);
	int err;

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no switch '%s'", name);
	err = check_change(m, sw, c, fail);
	if (!err && (c->set & (VS_SWITCH_SET_KIND | VS_SWITCH_SET_UPLINK | VS_SWITCH_SET_SHARE)))
		err = change_kind(sw, c, fail);
	if (!err)
		err = set_table(sw, c, fail);
	if (err)
		return err;
	if (c->set & VS_SWITCH_SET_FDB_AGEING)
		sw->fdb_ageing_s = c->fdb_ageing_s;
	if (c->set & VS_SWITCH_SET_NAME)
		rename_switch(sw, c->name);
	model_tell(m, VS_NOTICE_SWITCH_CHANGED, sw, NULL, NULL, NULL);
	return 0;
}
