/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/model_priv.h"

#include "control/proto.h"
#include "dataplane/core/clock.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int free_index(const struct vs_model *m)
{
	int i;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		if (!m->sw[i])
			return i;
	}
	return -ENOSPC;
}

int vs_switch_add(struct vs_model *m, const char *name, enum vs_switch_kind kind,
		  struct vs_fail *fail)
{
	struct vs_switch *sw;
	unsigned int i;
	int index;
	int err;

	err = model_check_name(name, VS_ATTR_NAME, fail);
	if (err)
		return err;
	if (model_find_switch(m, name))
		return vs_fail_set(fail, -EEXIST, VS_ATTR_NAME, "switch '%s' is there already",
				   name);
	if (kind != VS_SWITCH_PRIVATE)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_KIND, "a switch is of type private");
	index = free_index(m);
	if (index < 0)
		return vs_fail_set(fail, index, 0,
				   "there are %d switches already, the most there can be",
				   VS_SWITCHES_MAX);
	sw = calloc(1, sizeof(*sw));
	if (!sw || vs_fdb_new(m->env.rcu, VS_FDB_SIZE_DEFAULT, &sw->fdb) != 0) {
		free(sw);
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for the address table");
	}
	(void)rte_strscpy(sw->name, name, sizeof(sw->name));
	sw->kind = kind;
	sw->index = (uint16_t)index;
	sw->fid = (uint16_t)(index + 1);
	sw->serial = ++m->serial;
	sw->fdb_ageing_s = VS_FDB_AGEING_DEFAULT_S;
	/* No port uses the index, so no worker counts there. */
	for (i = 0; i < m->env.n_workers; i++)
		memset(&vs_worker_ctx(m->env.workers[i])->switch_stats[index], 0,
		       sizeof(struct vs_switch_stats));
	m->sw[index] = sw;
	model_tell(m, VS_NOTICE_SWITCH_ADDED, sw, NULL, NULL, NULL);
	return 0;
}

static unsigned int count_ports(const struct vs_model *m, const struct vs_switch *sw)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++)
		n += m->port[i] && m->port[i]->sw == sw;
	return n;
}

static int remove_ports(struct vs_model *m, const struct vs_switch *sw)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_PORTS_MAX && err == 0; i++) {
		if (m->port[i] && m->port[i]->sw == sw)
			err = model_port_remove(m->port[i]);
	}
	return err;
}

int vs_switch_del(struct vs_model *m, const char *name, enum vs_del_mode mode, struct vs_fail *fail)
{
	struct vs_switch *sw = model_find_switch(m, name);
	unsigned int ports;
	int err;

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no switch '%s'", name);
	ports = count_ports(m, sw);
	if (ports && mode != VS_DEL_FORCE)
		return vs_fail_set(fail, -EBUSY, VS_ATTR_NAME,
				   "switch '%s' has %u port%s; delete them first, or say "
				   "'switch del %s force'",
				   name, ports, ports == 1 ? "" : "s", name);
	err = remove_ports(m, sw);
	if (err)
		return vs_fail_set(fail, err, 0, "no memory for a new configuration");
	m->sw[sw->index] = NULL;
	model_tell(m, VS_NOTICE_SWITCH_REMOVED, sw, NULL, NULL, NULL);
	vs_fdb_free(sw->fdb);
	free(sw);
	return 0;
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

int vs_switch_set(struct vs_model *m, const char *name, const struct vs_switch_change *change,
		  struct vs_fail *fail)
{
	struct vs_switch *sw = model_find_switch(m, name);
	uint32_t ageing = change->fdb_ageing_s;
	int err;

	if (!sw)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no switch '%s'", name);
	if ((change->set & VS_SWITCH_SET_FDB_AGEING) && ageing != 0 &&
	    (ageing < 10 || ageing > 1000000))
		return vs_fail_set(fail, -ERANGE, VS_ATTR_FDB_AGEING,
				   "fdb-ageing is 10..1000000 seconds, or 0 for never");
	if ((change->set & VS_SWITCH_SET_FDB_SIZE) &&
	    (change->fdb_size == 0 || change->fdb_size > VS_FDB_SIZE_MAX))
		return vs_fail_set(fail, -ERANGE, VS_ATTR_FDB_SIZE, "fdb-size is 1..%d",
				   VS_FDB_SIZE_MAX);
	if (change->set & VS_SWITCH_SET_FDB_SIZE) {
		err = resize_fdb(m, sw, change->fdb_size, fail);
		if (err)
			return err;
	}
	if (change->set & VS_SWITCH_SET_FDB_AGEING)
		sw->fdb_ageing_s = ageing;
	model_tell(m, VS_NOTICE_SWITCH_CHANGED, sw, NULL, NULL, NULL);
	return 0;
}

static void fill_view(const struct vs_model *m, const struct vs_switch *sw,
		      struct vs_switch_view *view)
{
	unsigned int i;

	*view = (struct vs_switch_view){
		.name = sw->name,
		.kind = sw->kind,
		.ports = count_ports(m, sw),
		.fdb_used = vs_fdb_used(sw->fdb),
		.fdb_size = vs_fdb_size(sw->fdb),
		.fdb_ageing_s = sw->fdb_ageing_s,
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
