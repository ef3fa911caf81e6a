/* SPDX-License-Identifier: BSD-3-Clause */
/* The model's life, the snapshot, and what happens by itself (workers' events, ageing). */
#include "control/model.h"

#include "control/model_resolve.h"
#include "control/model_txn.h"
#include "control/port_kind.h"
#include "control/tlv.h"
#include "dataplane/core/clock.h"
#include "dataplane/core/log.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TICK_S = 1,
};

int model_check_name(const char *name, enum vs_attr attr, struct vs_fail *fail)
{
	_Static_assert((int)VS_NAME_MAX == (int)VS_PROTO_NAME_SIZE, "one length of names");

	if (vs_name_ok(name))
		return 0;
	return vs_fail_set(fail, -EINVAL, attr,
			   "'%.40s' is no name: 1 to %d letters, digits, '_', '.' and '-', the first "
			   "one no '-'",
			   name, VS_NAME_MAX - 1);
}

struct vs_switch *model_find_switch(struct vs_model *m, const char *name)
{
	unsigned int i;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		if (m->sw[i] && strcmp(m->sw[i]->name, name) == 0)
			return m->sw[i];
	}
	return NULL;
}

struct vs_port *model_find_port(struct vs_model *m, const char *name)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (m->port[i] && strcmp(m->port[i]->name, name) == 0)
			return m->port[i];
	}
	return NULL;
}

bool model_is_up(const struct vs_port *port)
{
	/* A dry transaction makes none. */
	return port->dev && port->link_up && port->kind->is_up(port);
}

void model_tell(struct vs_model *m, enum vs_notice_type type, const struct vs_switch *sw,
		const struct vs_port *port, const struct rte_ether_addr *mac, const char *text)
{
	struct vs_notice n = {
		.type = type,
		.sw = sw ? sw->name : "",
		.port = port ? port->name : "",
		.text = text ? text : "",
	};

	if (mac)
		n.mac = *mac;
	if (m->notice && !model_txn_tell(m, &n))
		m->notice(&n, m->notice_ctx);
}

void vs_model_on_notice(struct vs_model *m, void (*notice)(const struct vs_notice *n, void *ctx),
			void *ctx)
{
	m->notice = notice;
	m->notice_ctx = ctx;
}

static void on_bell(evutil_socket_t fd, short what, void *ctx)
{
	uint64_t n;

	(void)what;
	/* EAGAIN: somebody drained it already. */
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	model_drain(ctx);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	model_drain(ctx);
	model_events_lost(ctx);
	model_age(ctx);
	model_vmq_watch(ctx);
	model_capture_sweep(ctx);
	model_place_sample(ctx);
	model_uplinks_test(ctx);
}

static int watch_workers(struct vs_model *m)
{
	const struct timeval period = {.tv_sec = TICK_S};
	unsigned int i;

	for (i = 0; i < m->env.n_workers; i++) {
		int bell = vs_worker_ctx(m->env.workers[i])->events.bell;

		m->bell[i] = event_new(m->env.base, bell, EV_READ | EV_PERSIST, on_bell, m);
		if (!m->bell[i] || event_add(m->bell[i], NULL) != 0)
			return -ENOMEM;
	}
	m->tick = event_new(m->env.base, -1, EV_PERSIST, on_tick, m);
	if (!m->tick || event_add(m->tick, &period) != 0)
		return -ENOMEM;
	return 0;
}

int vs_model_new(const struct vs_model_env *env, struct vs_model **ret_model)
{
	struct vs_model *m;
	int err;

	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->env = *env;
	m->fid = calloc(VS_FIDS_MAX, sizeof(*m->fid));
	err = m->fid ? watch_workers(m) : -ENOMEM;
	if (!err)
		err = model_place_start(m);
	if (!err)
		err = model_publish(m);
	if (err) {
		vs_model_free(m);
		return err;
	}
	*ret_model = m;
	return 0;
}

void vs_model_free(struct vs_model *m)
{
	struct vs_fail fail;
	unsigned int i;

	vs_txn_forget(m);
	m->notice = NULL;
	m->closing = true;
	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		if (m->sw[i])
			(void)vs_switch_del(m, m->sw[i]->name, VS_DEL_FORCE, &fail);
	}
	for (i = 0; i < VS_PORT_KINDS; i++) {
		const struct vs_kind_ops *kind = vs_kind_of((enum vs_port_kind)i);

		if (kind && kind->end)
			kind->end(m);
	}
	for (i = 0; i < m->env.n_workers; i++) {
		if (m->bell[i])
			event_free(m->bell[i]);
	}
	if (m->tick)
		event_free(m->tick);
	model_place_stop(m);
	for (i = 0; i < m->env.n_workers; i++)
		vs_worker_publish(m->env.workers[i], NULL);
	model_resolve_free(m);
	model_conf_free(m->conf);
	free(m->fid);
	free(m);
}
