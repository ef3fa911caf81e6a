/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rollback.h"

#include "control/config.h"
#include "control/dispatch.h"
#include "control/tlv.h"
#include "dataplane/core/log.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/** struct object - one that changed */
struct object {
	struct vs_config_key key; /* as it was */
	struct vs_config_key now;
	char aside[VS_NAME_MAX]; /* what it is called in between; "": as it is now */
	const struct nlmsghdr *before;
	const struct nlmsghdr *after;
	const struct nlattr *was[VS_ATTR_COUNT_];
	const struct nlattr *is[VS_ATTR_COUNT_];
};

struct message {
	STAILQ_ENTRY(message) link;
	uint32_t data[];
};

struct way {
	struct vs_model *m;
	struct object *object;
	unsigned int n;
	unsigned int asides; /* names that were tried; see step_aside() */
	STAILQ_HEAD(, message) messages;
	int error;
	/* the one being written */
	uint32_t buf[VS_CONFIG_RECORD_MAX / 4 + 64];
	struct vs_msg msg;
};

/* ---- the objects ---- */

static int count(const struct vs_txn_change *change, void *ctx)
{
	/* What was kept and could not be made, is kept still. */
	if (!change->waited)
		++*(unsigned int *)ctx;
	return 0;
}

static int take(const struct vs_txn_change *change, void *ctx)
{
	struct way *way = ctx;
	struct object *o;

	if (change->waited)
		return 0;
	o = &way->object[way->n++];
	o->key = *change->key;
	o->now = change->now ? *change->now : *change->key;
	o->before = change->before;
	o->after = change->after;
	if (o->before && vs_answer_parse(o->before, o->was) != 0)
		return -EBADMSG;
	if (o->after && vs_answer_parse(o->after, o->is) != 0)
		return -EBADMSG;
	return 0;
}

static bool is_made(const struct object *o)
{
	return !o->before;
}

static bool is_gone(const struct object *o)
{
	return !o->after;
}

static bool is_changed(const struct object *o)
{
	return o->before && o->after;
}

/* The record of an uplink's port is the one that changes it. */
static bool is_uplink(const struct object *o)
{
	const struct nlmsghdr *record = o->before ? o->before : o->after;

	return o->key.object == VS_CONFIG_PORT && vs_msg_cmd(record) == VS_CMD_PORT_SET;
}

static bool is_port(const struct object *o)
{
	return o->key.object == VS_CONFIG_PORT && !is_uplink(o);
}

static const char *name_of(const struct object *o)
{
	return o->aside[0] ? o->aside : o->now.name;
}

/* Was that the name of another object of the kind? */
static bool is_needed(const struct way *way, const struct object *self)
{
	unsigned int i;

	for (i = 0; i < way->n; i++) {
		const struct object *o = &way->object[i];

		if (o != self && o->before && o->key.object == self->key.object &&
		    strcmp(o->key.name, self->now.name) == 0)
			return true;
	}
	return false;
}

/* ---- writing messages ---- */

static void begin(struct way *way, enum vs_cmd cmd)
{
	vs_msg_init(&way->msg, way->buf, sizeof(way->buf), cmd);
	way->msg.nlh->nlmsg_flags = NLM_F_REQUEST;
}

static void end(struct way *way)
{
	const struct nlmsghdr *nlh = way->msg.nlh;
	struct message *message;

	if (way->msg.error && !way->error)
		way->error = way->msg.error;
	if (way->error)
		return;
	message = malloc(sizeof(*message) + nlh->nlmsg_len);
	if (!message) {
		way->error = -ENOMEM;
		return;
	}
	memcpy(message->data, nlh, nlh->nlmsg_len);
	STAILQ_INSERT_TAIL(&way->messages, message, link);
}

static void put(struct way *way, const struct nlattr *attr)
{
	if (attr)
		vs_msg_put_attrs(&way->msg, attr, NLA_ALIGN(attr->nla_len));
}

static void write_record(struct way *way, const struct nlmsghdr *record)
{
	const size_t headers = NLMSG_HDRLEN + sizeof(struct vs_msghdr);

	begin(way, (enum vs_cmd)vs_msg_cmd(record));
	vs_msg_put_attrs(&way->msg, (const char *)record + headers, record->nlmsg_len - headers);
	end(way);
}

static bool differs(const struct nlattr *a, const struct nlattr *b)
{
	if (!a || !b)
		return a != b;
	return a->nla_len != b->nla_len || memcmp(a, b, a->nla_len) != 0;
}

/* ---- the steps ---- */

static void remove_object(struct way *way, const struct object *o, enum vs_cmd cmd)
{
	begin(way, cmd);
	vs_msg_put_str(&way->msg, VS_ATTR_NAME, name_of(o));
	end(way);
}

static void delete_address(struct way *way, const struct object *o)
{
	begin(way, VS_CMD_FDB_DEL);
	put(way, o->is[VS_ATTR_SWITCH]);
	put(way, o->is[VS_ATTR_MAC]);
	put(way, o->is[VS_ATTR_VLAN]);
	end(way);
}

static void rename_object(struct way *way, const struct object *o, const char *to)
{
	begin(way, o->key.object == VS_CONFIG_PORT ? VS_CMD_PORT_SET : VS_CMD_SWITCH_SET);
	vs_msg_put_str(&way->msg, VS_ATTR_NAME, name_of(o));
	vs_msg_put_str(&way->msg, VS_ATTR_NEW_NAME, to);
	end(way);
}

/* Is there such a switch or port, or was there, or will there be one on the way? */
static bool is_used(const struct way *way, const char *name)
{
	struct vs_config_key key = {.object = VS_CONFIG_SWITCH};
	struct vs_config_place place;
	unsigned int i;

	(void)rte_strscpy(key.name, name, sizeof(key.name));
	if (vs_config_find(way->m, &key, &place))
		return true;
	key.object = VS_CONFIG_PORT;
	if (vs_config_find(way->m, &key, &place))
		return true;
	for (i = 0; i < way->n; i++) {
		if (strcmp(way->object[i].key.name, name) == 0)
			return true;
	}
	return false;
}

static void step_aside(struct way *way, struct object *o)
{
	char aside[VS_NAME_MAX];

	if (o->key.object == VS_CONFIG_FDB || is_gone(o) || is_uplink(o))
		return;
	/* New ports have been deleted by now. */
	if (o->key.object == VS_CONFIG_PORT && is_made(o))
		return;
	if (!is_needed(way, o))
		return;
	/* Users may choose names like that, too. There are more numbers than names in use. */
	do {
		(void)snprintf(aside, sizeof(aside), ".rollback-%u", way->asides++);
	} while (is_used(way, aside));
	rename_object(way, o, aside);
	(void)rte_strscpy(o->aside, aside, sizeof(o->aside));
}

/* Its name at once, as its ports say that; what else it was, later. */
static void take_name(struct way *way, struct object *o)
{
	rename_object(way, o, o->key.name);
	(void)rte_strscpy(o->aside, o->key.name, sizeof(o->aside));
}

/* Does a switch take every kind of port, as it was? */
static bool takes_all(const struct object *o)
{
	uint32_t kind = vs_tlv_u32(o->was[VS_ATTR_KIND]);

	if (kind == VS_KIND_EXTERNAL)
		return vs_tlv_u32(o->was[VS_ATTR_SHARE]) != 0;
	return kind == VS_KIND_INTERNAL;
}

static void restore_switch(struct way *way, const struct object *o)
{
	static const enum vs_attr plain[] = {VS_ATTR_FDB_SIZE, VS_ATTR_FDB_AGEING, VS_ATTR_MTU,
					     VS_ATTR_VMQ, VS_ATTR_VMQ_QUEUES};
	bool changes = false;
	unsigned int i;

	begin(way, VS_CMD_SWITCH_SET);
	vs_msg_put_str(&way->msg, VS_ATTR_NAME, name_of(o));
	if (differs(o->was[VS_ATTR_KIND], o->is[VS_ATTR_KIND]) ||
	    differs(o->was[VS_ATTR_UPLINK], o->is[VS_ATTR_UPLINK]) ||
	    differs(o->was[VS_ATTR_SHARE], o->is[VS_ATTR_SHARE])) {
		put(way, o->was[VS_ATTR_KIND]);
		put(way, o->was[VS_ATTR_UPLINK]);
		put(way, o->was[VS_ATTR_SHARE]);
		put(way, o->was[VS_ATTR_FORCE]);
		changes = true;
	}
	for (i = 0; i < RTE_DIM(plain); i++) {
		if (!differs(o->was[plain[i]], o->is[plain[i]]))
			continue;
		put(way, o->was[plain[i]]);
		changes = true;
	}
	if (differs(o->was[VS_ATTR_UNKNOWN], o->is[VS_ATTR_UNKNOWN])) {
		vs_msg_put_u32(&way->msg, VS_ATTR_UNKNOWN,
			       o->was[VS_ATTR_UNKNOWN] ? vs_tlv_u32(o->was[VS_ATTR_UNKNOWN])
						       : VS_POLICY_DEFAULT);
		changes = true;
	}
	if (strcmp(name_of(o), o->key.name) != 0) {
		vs_msg_put_str(&way->msg, VS_ATTR_NEW_NAME, o->key.name);
		changes = true;
	}
	if (changes)
		end(way);
}

/* An address that this port has now may be another one's again. */
static void give_up_addresses(struct way *way, const struct object *o)
{
	static const uint8_t none[6];
	bool mac = differs(o->was[VS_ATTR_MAC], o->is[VS_ATTR_MAC]);
	bool cluster = differs(o->was[VS_ATTR_CLUSTER], o->is[VS_ATTR_CLUSTER]);

	if (!mac && !cluster)
		return;
	begin(way, VS_CMD_PORT_SET);
	vs_msg_put_str(&way->msg, VS_ATTR_NAME, name_of(o));
	if (mac)
		vs_msg_put_bytes(&way->msg, VS_ATTR_MAC, none, sizeof(none));
	if (cluster)
		vs_msg_put_bytes(&way->msg, VS_ATTR_CLUSTER, none, sizeof(none));
	end(way);
}

static void restore_offload(struct way *way, uint32_t off)
{
	if (off != VS_PART_ALL)
		vs_msg_put_u32(&way->msg, VS_ATTR_OFFLOAD_ON, VS_PART_ALL & ~off);
	vs_msg_put_u32(&way->msg, VS_ATTR_OFFLOAD_OFF, off);
}

static void restore_port(struct way *way, const struct object *o)
{
	static const enum vs_attr plain[] = {
		VS_ATTR_SWITCH,     VS_ATTR_MAC,      VS_ATTR_VM,         VS_ATTR_MTU,
		VS_ATTR_LINK,       VS_ATTR_MAX_MACS, VS_ATTR_PRIORITY,   VS_ATTR_CLUSTER,
		VS_ATTR_STORM_PPS,  VS_ATTR_ADDRS,    VS_ATTR_MODERATION, VS_ATTR_PLACE,
		VS_ATTR_VMQ_WEIGHT,
	};
	bool changes = false;
	unsigned int i;

	begin(way, VS_CMD_PORT_SET);
	vs_msg_put_str(&way->msg, VS_ATTR_NAME, is_uplink(o) ? o->key.name : name_of(o));
	for (i = 0; i < RTE_DIM(plain); i++) {
		if (!differs(o->was[plain[i]], o->is[plain[i]]))
			continue;
		put(way, o->was[plain[i]]);
		changes = true;
	}
	/* What was on is switched on again: the record names what was off. */
	if (differs(o->was[VS_ATTR_OFFLOAD_OFF], o->is[VS_ATTR_OFFLOAD_OFF])) {
		restore_offload(way, vs_tlv_u32(o->was[VS_ATTR_OFFLOAD_OFF]));
		changes = true;
	}
	if (differs(o->was[VS_ATTR_VLAN_MODE], o->is[VS_ATTR_VLAN_MODE]) ||
	    differs(o->was[VS_ATTR_VLAN], o->is[VS_ATTR_VLAN]) ||
	    differs(o->was[VS_ATTR_VLANS], o->is[VS_ATTR_VLANS])) {
		put(way, o->was[VS_ATTR_VLAN_MODE]);
		put(way, o->was[VS_ATTR_VLAN]);
		put(way, o->was[VS_ATTR_VLANS]);
		changes = true;
	}
	if (!is_uplink(o) && strcmp(name_of(o), o->key.name) != 0) {
		vs_msg_put_str(&way->msg, VS_ATTR_NEW_NAME, o->key.name);
		changes = true;
	}
	if (changes)
		end(way);
}

enum {
	STEPS = 12,
};

/* What step @step of the way does for one object; see rollback.h. */
static void take_step(struct way *way, unsigned int step, struct object *o)
{
	bool sw = o->key.object == VS_CONFIG_SWITCH;
	bool fdb = o->key.object == VS_CONFIG_FDB;

	if (step == 1 && fdb && is_made(o))
		delete_address(way, o);
	else if (step == 2 && is_port(o) && is_made(o))
		remove_object(way, o, VS_CMD_PORT_DEL);
	else if (step == 3)
		step_aside(way, o);
	else if ((step == 4 && sw && is_gone(o)) || (step == 8 && is_port(o) && is_gone(o)) ||
		 (step == 10 && is_uplink(o) && is_gone(o)) || (step == 11 && fdb && is_gone(o)))
		write_record(way, o->before);
	else if (sw && is_changed(o) && step == (takes_all(o) ? 5 : 9))
		restore_switch(way, o);
	else if (step == 5 && sw && is_changed(o) && strcmp(name_of(o), o->key.name) != 0)
		take_name(way, o);
	else if (step == 6 && is_port(o) && is_changed(o))
		give_up_addresses(way, o);
	else if (is_changed(o) && ((step == 7 && is_port(o)) || (step == 10 && is_uplink(o))))
		restore_port(way, o);
	else if (step == 12 && sw && is_made(o))
		remove_object(way, o, VS_CMD_SWITCH_DEL);
}

/* ---- going it ---- */

static int find_way(struct vs_model *m, struct way *way)
{
	unsigned int step;
	unsigned int n = 0;
	unsigned int i;
	int err;

	(void)vs_txn_each(m, count, &n);
	way->object = calloc(n ? n : 1, sizeof(*way->object));
	if (!way->object)
		return -ENOMEM;
	err = vs_txn_each(m, take, way);
	for (step = 1; step <= STEPS && err == 0; step++) {
		for (i = 0; i < way->n; i++)
			take_step(way, step, &way->object[i]);
		err = way->error;
	}
	return err;
}

static int go_at_once(struct vs_model *m, const struct way *way, struct vs_fail *fail)
{
	const struct message *message;
	int err = vs_txn_begin(m, VS_TXN_REAL);

	if (err)
		return vs_fail_set(fail, err, 0, "no memory for a transaction");
	vs_txn_set_stage(m, VS_TXN_ROLLBACK);
	STAILQ_FOREACH(message, &way->messages, link) {
		err = vs_dispatch_apply(m, (const struct nlmsghdr *)message->data, fail);
		if (err)
			break;
	}
	if (!err)
		return vs_txn_commit(m, fail);
	vs_txn_abort(m);
	return err;
}

/* Each message by itself. Return: the first error, with @fail. */
static int go_step_by_step(struct vs_model *m, const struct way *way, struct vs_fail *fail)
{
	const struct message *message;
	struct vs_fail why;
	int first = 0;
	int err;

	STAILQ_FOREACH(message, &way->messages, link) {
		err = vs_txn_begin(m, VS_TXN_REAL);
		if (err) {
			(void)vs_fail_set(&why, err, 0, "no memory for a transaction");
		} else {
			vs_txn_set_stage(m, VS_TXN_ROLLBACK);
			err = vs_dispatch_apply(m, (const struct nlmsghdr *)message->data, &why);
			if (err)
				vs_txn_abort(m);
			else
				err = vs_txn_commit(m, &why);
		}
		if (!err)
			continue;
		vs_log(VS_LOG_ERROR, "control: roll-back: %s", why.text);
		if (!first)
			*fail = why;
		first = first ? first : err;
	}
	return first;
}

int vs_rollback(struct vs_model *m, struct vs_fail *fail)
{
	struct message *message;
	struct way *way = calloc(1, sizeof(*way));
	int err;

	if (!way)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for the way back");
	way->m = m;
	STAILQ_INIT(&way->messages);
	err = find_way(m, way);
	if (err)
		(void)vs_fail_set(fail, err, 0, "no memory for the way back");
	else
		err = go_at_once(m, way, fail);
	if (err)
		err = go_step_by_step(m, way, fail);
	vs_txn_forget(m);
	while ((message = STAILQ_FIRST(&way->messages)) != NULL) {
		STAILQ_REMOVE_HEAD(&way->messages, link);
		free(message);
	}
	free(way->object);
	free(way);
	return err;
}
