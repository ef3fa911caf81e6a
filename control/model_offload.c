/* SPDX-License-Identifier: BSD-3-Clause */
/* Offloads: what each port's other side can do and leave undone, and what came of it. */
#include "control/model_priv.h"
#include "control/port_kind.h"

#include <errno.h>

static void fill(const struct vs_port *port, struct vs_offload_view *view)
{
	const struct vs_port_hot *hot = &port->m->conf->port[port->id];
	struct vs_port_view whole = {.name = port->name};

	*view = (struct vs_offload_view){
		.port = port->name,
		.sw = port->sw->name,
		.vm = port->vm,
		.kind = port->kind->id,
		.off = port->offload_off,
		.hardware = port->kind->role == VS_ROLE_UPLINK,
		.guest = port->kind->id == VS_PORT_GUEST,
		.rights = vs_port_rights(hot),
		.caps = vs_port_abilities(hot),
		.used = vs_port_caps(hot),
	};
	if (port->kind->quarantined && port->dev)
		view->quarantine = port->kind->quarantined(port, view->quarantine_why,
							   sizeof(view->quarantine_why));
	if (view->guest && port->dev) {
		port->kind->info(port, &whole);
		view->features = whole.guest.info.features;
		view->offered = whole.guest.info.offered;
	}
	model_stats_sum(port->m, port->id, &view->counters);
}

int vs_offload_each(struct vs_model *m, const char *name,
		    int (*visit)(const struct vs_offload_view *view, void *ctx), void *ctx,
		    struct vs_fail *fail)
{
	static struct vs_offload_view view; /* its samples are large; control thread only */
	struct vs_port *list[VS_PORTS_MAX];
	unsigned int n = model_list_ports(m, name, list);
	unsigned int i;
	int err = 0;

	if (name && n == 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_PORT, "there is no port '%s'", name);
	for (i = 0; i < n && err == 0; i++) {
		fill(list[i], &view);
		err = visit(&view, ctx);
	}
	return err;
}
