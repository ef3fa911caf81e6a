/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports of virtual machines over vhost-user. */
#include "control/port_kind.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <string.h>
#include <sys/un.h>

static int place(const struct vs_port_spec *spec, char *place, size_t size, struct vs_fail *fail)
{
	const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (!spec->socket || spec->socket[0] == '\0' || strlen(spec->socket) >= room)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_SOCKET,
				   "a socket path has 1 to %zu bytes", room - 1);
	(void)rte_strscpy(place, spec->socket, size);
	return 0;
}

static int make(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	const struct vs_guest_env env = {.base = port->m->env.base, .rcu = port->m->env.rcu};
	const struct vs_guest_config config = {
		.name = port->name,
		.path = port->place,
		.mode = spec->mode,
		.group = port->m->env.vm_group,
		.port = port->id,
		.changed = model_port_changed,
		.ctx = port,
	};
	struct vs_guest *guest;
	int err = vs_guest_new(&env, &config, &guest);

	switch (err) {
	case 0:
		port->mode = spec->mode;
		port->dev = guest;
		vs_guest_moderate(guest, port->moderation);
		return 0;
	case -EADDRINUSE:
		return vs_fail_set(fail, err, VS_ATTR_SOCKET, "somebody else listens on %s already",
				   port->place);
	case -ENOTSOCK:
		return vs_fail_set(fail, err, VS_ATTR_SOCKET,
				   "%s exists and is no socket; it was left alone", port->place);
	default:
		return vs_fail_set(fail, err, VS_ATTR_SOCKET, "cannot use socket %s: %s",
				   port->place, strerror(-err));
	}
}

static void del(struct vs_port *port)
{
	vs_guest_del(port->dev);
}

static int set(struct vs_port *port, const struct vs_port_change *c, struct vs_fail *fail)
{
	if (c->set & VS_PORT_SET_MODERATION)
		vs_guest_moderate(port->dev, c->moderation);
	return 0;
}

static bool is_up(const struct vs_port *port)
{
	return vs_guest_is_up(port->dev);
}

static unsigned int pairs(const struct vs_port *port)
{
	return vs_guest_pairs(port->dev);
}

static void check(struct vs_port *port)
{
	vs_guest_check(port->dev);
}

static void info(const struct vs_port *port, struct vs_port_view *view)
{
	struct vs_guest_info *guest = &view->guest.info;

	vs_guest_info(port->dev, guest);
	view->guest.socket = port->place;
	view->guest.mode = port->mode;
	view->state = vs_guest_state_name(guest->state);
	view->problem = guest->problem;
	view->broken = guest->state == VS_GUEST_BROKEN;
	view->pairs = guest->pairs;
}

const struct vs_kind_ops vs_kind_guest = {
	.id = VS_PORT_GUEST,
	.role = VS_ROLE_GUEST,
	.name = "guest",
	.place_attr = VS_ATTR_SOCKET,
	.ops = &vs_guest_ops,
	.mtu_follows = true,
	.storm_pps = VS_STORM_DEFAULT_PPS,
	.max_macs = VS_MAX_MACS_DEFAULT,
	.place = place,
	.make = make,
	.del = del,
	.is_up = is_up,
	.pairs = pairs,
	.check = check,
	.info = info,
	.set = set,
};
