/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a frame may be, and who says so.
 *
 * DOC: theory of operation
 *
 * A network is one broadcast domain: one VLAN of one switch. Every port that is on it is a hop, and
 * its *effective* MTU is the least of theirs: what a guest should use so that whoever is on the
 * network can hear it.
 *
 * | port                     | takes, but no more than its switch is limited to |
 * |--------------------------|--------------------------------------------------|
 * | uplink, interface (host) | what its device has                              |
 * | guest, given an MTU      | that                                             |
 * | guest, not given one     | VS_MTU_DEFAULT                                   |
 *
 * Two guests may thus use longer frames between them than their uplink has; a frame that is too
 * long for a port is dropped there, by name. But what a guest is *given* must be carried by uplink
 * and switch, or it is refused: it would be found out by loss. An uplink may change later; then the
 * port stays as it is, and that it does not fit is said once in an event, and in `mtu show` for as
 * long as it is so.
 */
#include "control/model_priv.h"
#include "control/port_kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/** struct limit - the most that leaves a switch, and what makes it so; @uplink NULL: itself */
struct limit {
	uint32_t mtu;
	const struct vs_port *uplink;
};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Of a port that was given none. */
static uint32_t default_of(const struct vs_switch *sw)
{
	return sw->mtu ? sw->mtu : VS_MTU_DEFAULT;
}

static struct limit limit_of(const struct vs_switch *sw)
{
	struct limit limit = {.mtu = default_of(sw)};
	const struct vs_port *uplink = sw->kind == VS_SWITCH_EXTERNAL ? model_uplink(sw) : NULL;

	if (uplink && uplink->mtu && uplink->mtu < limit.mtu) {
		limit.mtu = uplink->mtu;
		limit.uplink = uplink;
	}
	return limit;
}

uint32_t model_mtu_of(const struct vs_port *port)
{
	if (port->mtu == 0)
		return default_of(port->sw);
	return port->sw->mtu ? least(port->mtu, port->sw->mtu) : port->mtu;
}

/* The least of what the ports on VLAN @vid carry. */
static uint32_t net_of(const struct vs_switch *sw, uint16_t vid)
{
	uint32_t mtu = default_of(sw);
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = sw->m->port[i];

		if (port && port->sw == sw && model_vlan_has(port, vid))
			mtu = least(mtu, model_mtu_of(port));
	}
	return mtu;
}

/* Has somebody, or some device, a say in how long frames on VLAN @vid are? */
static bool is_limited(const struct vs_switch *sw, uint16_t vid)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX && !sw->mtu; i++) {
		const struct vs_port *port = sw->m->port[i];

		if (port && port->sw == sw && port->mtu && model_vlan_has(port, vid))
			return true;
	}
	return sw->mtu != 0;
}

uint32_t model_mtu_net(const struct vs_port *port)
{
	const uint16_t vid = port->vlans.vid;

	return is_limited(port->sw, vid) ? net_of(port->sw, vid) : 0;
}

/* Does the port want frames that its switch, or its uplink, does not carry? */
static bool is_beyond(const struct vs_port *port, const struct limit *limit)
{
	bool bound = limit->uplink || port->sw->mtu;

	return bound && port->mtu > limit->mtu && port->kind->role != VS_ROLE_UPLINK;
}

int model_mtu_check(const struct vs_switch *sw, const struct vs_kind_ops *kind, uint32_t mtu,
		    enum vs_origin origin, struct vs_fail *fail)
{
	const struct limit limit = limit_of(sw);
	bool follows = kind->mtu == 0;

	if (mtu == 0 && follows)
		return 0;
	if (mtu < VS_MTU_MIN || mtu > VS_MTU_MAX)
		return vs_fail_set(fail, -ERANGE, VS_ATTR_MTU, "mtu is %d..%d%s", VS_MTU_MIN,
				   VS_MTU_MAX, follows ? ", or 0 for none" : "");
	if (origin == VS_FROM_RECORD || kind->role == VS_ROLE_UPLINK || mtu <= limit.mtu)
		return 0;
	if (limit.uplink)
		return vs_fail_set(fail, -EMSGSIZE, VS_ATTR_MTU,
				   "mtu %u is more than the uplink of switch '%s' carries (%u): "
				   "raise that first, or leave mtu out",
				   mtu, sw->name, limit.mtu);
	if (sw->mtu)
		return vs_fail_set(fail, -EMSGSIZE, VS_ATTR_MTU,
				   "mtu %u is more than switch '%s' is limited to (%u): 'switch "
				   "set %s mtu %u' raises that",
				   mtu, sw->name, limit.mtu, sw->name, mtu);
	return 0;
}

static void describe(const struct vs_port *port, const struct limit *limit, uint32_t net,
		     uint32_t vmm, char *text, size_t size)
{
	text[0] = '\0';
	if (is_beyond(port, limit) && limit->uplink)
		(void)snprintf(text, size,
			       "its frames of more than %u bytes do not leave by the uplink '%s'; "
			       "raise the MTU there, or 'port set %s mtu %u'",
			       limit->mtu, limit->uplink->name, port->name,
			       port->kind->mtu == 0 ? 0 : limit->mtu);
	else if (is_beyond(port, limit))
		(void)snprintf(text, size,
			       "it has an MTU of %u, and switch '%s' limits it to %u; 'switch set "
			       "%s mtu %u' raises that",
			       port->mtu, port->sw->name, limit->mtu, port->sw->name, port->mtu);
	else if (vmm > net)
		(void)snprintf(text, size,
			       "its VMM told the guest %u, the network carries %u: host_mtu=%u is "
			       "what QEMU wants ('port show %s --qemu')",
			       vmm, net, net, port->name);
}

/* What the VMM has told the guest; 0: nothing. */
static uint32_t vmm_of(const struct vs_port *port)
{
	struct vs_port_view view = {.name = port->name};

	if (port->kind->id != VS_PORT_GUEST || !port->dev)
		return 0;
	port->kind->info(port, &view);
	return view.guest.info.mtu;
}

static void tell(struct vs_port *port, const struct limit *limit)
{
	char text[sizeof(((struct vs_mtu_view *)NULL)->problem)] = "";
	uint32_t vmm = vmm_of(port);

	if (vmm || is_beyond(port, limit))
		describe(port, limit, net_of(port->sw, port->vlans.vid), vmm, text, sizeof(text));
	if (text[0] && !port->mtu_told)
		model_tell(port->m, VS_NOTICE_MTU, port->sw, port, NULL, text);
	port->mtu_told = text[0] != '\0';
}

void model_mtu_tell(struct vs_switch *sw)
{
	const struct limit limit = limit_of(sw);
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		struct vs_port *port = sw->m->port[i];

		if (port && port->sw == sw)
			tell(port, &limit);
	}
}

void model_mtu_tell_port(struct vs_port *port)
{
	const struct limit limit = limit_of(port->sw);

	if (port->kind->role == VS_ROLE_UPLINK)
		model_mtu_tell(port->sw);
	else
		tell(port, &limit);
}

static enum vs_mtu_from from_of(const struct vs_port *port)
{
	if (port->mtu == 0)
		return VS_MTU_FROM_AUTO;
	if (port->sw->mtu && port->sw->mtu < port->mtu)
		return VS_MTU_FROM_SWITCH;
	return port->kind->device_mtu ? VS_MTU_FROM_DEVICE : VS_MTU_FROM_SET;
}

/** struct walk - vs_mtu_each() on its way */
struct walk {
	int (*visit)(const struct vs_mtu_view *view, void *ctx);
	void *ctx;
};

static int visit_hop(const struct vs_port *port, uint16_t vid, uint32_t net,
		     const struct limit *limit, const struct walk *walk)
{
	struct vs_mtu_view view = {
		.sw = port->sw->name,
		.vid = vid,
		.net = net,
		.port = port->name,
		.kind = port->kind->id,
		.mtu = model_mtu_of(port),
		.from = from_of(port),
		.vmm = vmm_of(port),
	};

	view.limits = view.mtu == net;
	describe(port, limit, net, view.vmm, view.problem, sizeof(view.problem));
	return walk->visit(&view, walk->ctx);
}

static int visit_net(const struct vs_switch *sw, uint16_t vid, const struct limit *limit,
		     const struct walk *walk)
{
	const uint32_t net = net_of(sw, vid);
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_PORTS_MAX && err == 0; i++) {
		const struct vs_port *port = sw->m->port[i];

		if (port && port->sw == sw && model_vlan_has(port, vid))
			err = visit_hop(port, vid, net, limit, walk);
	}
	return err;
}

static int visit_switch(const struct vs_switch *sw, const struct walk *walk)
{
	const struct limit limit = limit_of(sw);
	uint64_t wanted[VS_VIDS_MAX / 64];
	unsigned int vid;
	int err = 0;

	model_vlan_wanted(sw, wanted);
	for (vid = 0; vid < VS_VIDS_MAX && err == 0; vid++) {
		if (wanted[vid / 64] >> (vid % 64) & 1)
			err = visit_net(sw, (uint16_t)vid, &limit, walk);
	}
	return err;
}

int vs_mtu_each(struct vs_model *m, const char *name,
		int (*visit)(const struct vs_mtu_view *view, void *ctx), void *ctx,
		struct vs_fail *fail)
{
	const struct walk walk = {.visit = visit, .ctx = ctx};
	unsigned int i;
	int err = 0;

	if (name && !model_find_switch(m, name))
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'", name);
	for (i = 0; i < VS_SWITCHES_MAX && err == 0; i++) {
		const struct vs_switch *sw = m->sw[i];

		if (sw && (!name || strcmp(sw->name, name) == 0))
			err = visit_switch(sw, &walk);
	}
	return err;
}
