/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/model_txn.h"
#include "control/port_kind.h"
#include "control/proto.h"
#include "dataplane/core/clock.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Kinds of ports that a kind of switch takes (semantics of the model's switch types). */
int model_switch_takes(enum vs_switch_kind sw, enum vs_share share, const struct vs_kind_ops *kind,
		       struct vs_fail *fail)
{
	switch (kind->role) {
	case VS_ROLE_GUEST:
		return 0;
	case VS_ROLE_HOST:
		if (sw == VS_SWITCH_INTERNAL || (sw == VS_SWITCH_EXTERNAL && share == VS_SHARE_ON))
			return 0;
		return vs_fail_set(
			fail, -EINVAL, VS_ATTR_KIND,
			sw == VS_SWITCH_PRIVATE
				? "a private switch has no host ports (one of type internal "
				  "has)"
				: "the switch does not share its uplink with the host "
				  "(share-host on)");
	case VS_ROLE_UPLINK:
		if (sw == VS_SWITCH_EXTERNAL)
			return 0;
		break;
	}
	return vs_fail_set(fail, -EINVAL, VS_ATTR_UPLINK, "only an external switch has an uplink");
}

struct vs_port *model_uplink(const struct vs_switch *sw)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		struct vs_port *port = sw->m->port[i];

		if (port && port->sw == sw && port->kind->role == VS_ROLE_UPLINK)
			return port;
	}
	return NULL;
}

enum vs_unknown model_unknown(const struct vs_switch *sw)
{
	if (sw->unknown != VS_UNKNOWN_DEFAULT)
		return sw->unknown;
	return sw->kind == VS_SWITCH_EXTERNAL ? VS_UNKNOWN_UPLINK : VS_UNKNOWN_FLOOD;
}

static struct vs_switch *make_switch(struct vs_model *m, const struct vs_switch_spec *spec,
				     uint16_t index)
{
	uint32_t size = spec->fdb_size ? spec->fdb_size : VS_FDB_SIZE_DEFAULT;
	struct vs_switch *sw = calloc(1, sizeof(*sw));
	unsigned int i;

	if (!sw)
		return NULL;
	sw->fid_of_vid = calloc(VS_VIDS_MAX, sizeof(*sw->fid_of_vid));
	if (!sw->fid_of_vid || vs_fdb_new(m->env.rcu, size, &sw->fdb) != 0) {
		free(sw->fid_of_vid);
		free(sw);
		return NULL;
	}
	(void)rte_strscpy(sw->name, spec->name, sizeof(sw->name));
	sw->m = m;
	sw->kind = spec->kind;
	sw->share = spec->share;
	sw->unknown = spec->unknown;
	sw->index = index;
	sw->serial = ++m->serial;
	sw->mtu = spec->mtu;
	sw->vmq = spec->vmq;
	sw->vmq_queues = spec->vmq_queues;
	sw->fdb_ageing_s = spec->fdb_ageing_s ? *spec->fdb_ageing_s : VS_FDB_AGEING_DEFAULT_S;
	/* No port uses the index, so no worker counts there. */
	for (i = 0; i < m->env.n_workers; i++)
		memset(&vs_worker_ctx(m->env.workers[i])->switch_stats[index], 0,
		       sizeof(struct vs_switch_stats));
	return sw;
}

void model_switch_free(struct vs_switch *sw)
{
	model_clusters_release(sw);
	model_fids_drop(sw);
	vs_fdb_free(sw->fdb);
	free(sw->fid_of_vid);
	free(sw);
}

static int check_add(struct vs_model *m, const struct vs_switch_spec *spec, struct vs_fail *fail)
{
	int err = model_check_name(spec->name, VS_ATTR_NAME, fail);

	if (!err && spec->fdb_size)
		err = model_check_fdb_size(spec->fdb_size, fail);
	if (!err && spec->fdb_ageing_s)
		err = model_check_ageing(*spec->fdb_ageing_s, fail);
	if (err)
		return err;
	if (model_find_switch(m, spec->name))
		return vs_fail_set(fail, -EEXIST, VS_ATTR_NAME, "switch '%s' is there already",
				   spec->name);
	return model_uplink_check(spec->name, spec->kind, spec->uplink, fail);
}

/* The switch is in the arrays, and known to the transaction, which takes back what is made here. */
static int start_switch(struct vs_switch *sw, const struct vs_switch_spec *spec,
			struct vs_fail *fail)
{
	int err = model_fids_claim(sw, NULL, fail);

	if (!err && spec->kind == VS_SWITCH_EXTERNAL)
		err = model_uplink_make(sw, spec->uplink, spec->force, NULL, fail);
	if (err)
		return err;
	model_tell(sw->m, VS_NOTICE_SWITCH_ADDED, sw, NULL, NULL, NULL);
	return 0;
}

static int add(struct vs_model *m, const struct vs_switch_spec *spec, struct vs_fail *fail)
{
	struct vs_switch *sw;
	int index;
	int err;

	err = check_add(m, spec, fail);
	if (err)
		return err;
	index = model_txn_free_index(m);
	if (index < 0)
		return vs_fail_set(fail, index, 0,
				   "there are %d switches already, the most there can be (those "
				   "that a batch removes count until it is done)",
				   VS_SWITCHES_MAX);
	sw = make_switch(m, spec, (uint16_t)index);
	if (!sw)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for the address table");
	m->sw[index] = sw;
	err = model_touch_made_switch(sw, fail);
	if (err && !sw->touched) {
		m->sw[index] = NULL;
		model_switch_free(sw);
	}
	return err ? err : start_switch(sw, spec, fail);
}

int vs_switch_add(struct vs_model *m, const struct vs_switch_spec *spec, struct vs_fail *fail)
{
	int part = model_txn_enter(m, fail);

	return part < 0 ? part : model_txn_leave(m, part, add(m, spec, fail), fail);
}

static unsigned int count_ports(const struct vs_model *m, const struct vs_switch *sw)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++)
		n += m->port[i] && m->port[i]->sw == sw;
	return n;
}

static int remove_ports(struct vs_model *m, const struct vs_switch *sw, struct vs_fail *fail)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_PORTS_MAX && err == 0; i++) {
		if (m->port[i] && m->port[i]->sw == sw)
			err = model_port_remove(m->port[i], fail);
	}
	return err;
}

static int del(struct vs_model *m, const char *name, enum vs_del_mode mode, struct vs_fail *fail)
{
	struct vs_config_key key = {.object = VS_CONFIG_SWITCH};
	struct vs_switch *sw = model_find_switch(m, name);
	unsigned int ports;
	int err;

	(void)rte_strscpy(key.name, name, sizeof(key.name));
	err = model_forget_waiting(m, &key, mode, fail);
	if (err < 0 || (!sw && err > 0))
		return err < 0 ? err : 0;
	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no switch '%s'", name);
	ports = count_ports(m, sw) - (model_uplink(sw) != NULL);
	if (ports && mode != VS_DEL_FORCE)
		return vs_fail_set(fail, -EBUSY, VS_ATTR_NAME,
				   "switch '%s' has %u port%s; delete them first, or say "
				   "'switch del %s force'",
				   name, ports, ports == 1 ? "" : "s", name);
	err = model_touch_switch(sw, fail);
	if (!err)
		err = remove_ports(m, sw, fail);
	if (err)
		return err;
	model_tell(m, VS_NOTICE_SWITCH_REMOVED, sw, NULL, NULL, NULL);
	model_txn_take_switch(sw);
	return 0;
}

int vs_switch_del(struct vs_model *m, const char *name, enum vs_del_mode mode, struct vs_fail *fail)
{
	int part = model_txn_enter(m, fail);

	return part < 0 ? part : model_txn_leave(m, part, del(m, name, mode, fail), fail);
}

static void fill_view(const struct vs_model *m, const struct vs_switch *sw,
		      struct vs_switch_view *view)
{
	unsigned int i;

	*view = (struct vs_switch_view){
		.name = sw->name,
		.kind = sw->kind,
		.uplink = sw->uplink,
		.share = sw->share,
		.unknown = model_unknown(sw),
		.ports = count_ports(m, sw),
		.fdb_used = vs_fdb_used(sw->fdb),
		.fdb_size = vs_fdb_size(sw->fdb),
		.fdb_ageing_s = sw->fdb_ageing_s,
		.mtu = sw->mtu,
		.vmq = sw->vmq,
		.vmq_queues = sw->vmq_queues,
		.fdb_full = sw->fdb_full,
	};
	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (m->port[i] && m->port[i]->sw == sw && model_is_up(m->port[i]))
			view->ports_up++;
	}
}

static int by_serial(const void *a, const void *b)
{
	uint64_t x = (*(struct vs_switch *const *)a)->serial;
	uint64_t y = (*(struct vs_switch *const *)b)->serial;

	return (x > y) - (x < y);
}

int vs_switch_each(struct vs_model *m, const char *name,
		   int (*visit)(const struct vs_switch_view *view, void *ctx), void *ctx,
		   struct vs_fail *fail)
{
	struct vs_switch *list[VS_SWITCHES_MAX];
	struct vs_switch_view view;
	unsigned int n = 0;
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		if (m->sw[i] && (!name || strcmp(m->sw[i]->name, name) == 0))
			list[n++] = m->sw[i];
	}
	if (name && n == 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no switch '%s'", name);
	qsort(list, n, sizeof(list[0]), by_serial);
	for (i = 0; i < n && err == 0; i++) {
		fill_view(m, list[i], &view);
		err = visit(&view, ctx);
	}
	return err;
}
