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

/* The most that any port of the switch takes. */
static uint32_t most_of(const struct vs_switch *sw)
{
	return sw->mtu ? sw->mtu : VS_MTU_MAX;
}

/* Of a port that was given none. */
static uint32_t default_of(const struct vs_switch *sw)
{
	return sw->mtu ? sw->mtu : VS_MTU_DEFAULT;
}

static struct limit limit_of(const struct vs_switch *sw)
{
	struct limit limit = {.mtu = most_of(sw)};
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
	uint32_t mtu = most_of(sw);
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
	return port->mtu > limit->mtu && port->kind->role != VS_ROLE_UPLINK;
}

int model_mtu_check(const struct vs_switch *sw, const char *name, const struct vs_kind_ops *kind,
		    uint32_t mtu, enum vs_origin origin, struct vs_fail *fail)
{
	const struct limit limit = limit_of(sw);
	bool follows = kind->mtu_follows;

	if (mtu == 0 && follows)
		return 0;
	if (mtu < VS_MTU_MIN || mtu > VS_MTU_MAX)
		return vs_fail_set(fail, -ERANGE, VS_ATTR_MTU, "mtu of port '%s' is %s%d to %d",
				   name, follows ? "auto, or " : "", VS_MTU_MIN, VS_MTU_MAX);
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

/* What does not fit, a bit each: all of them may be told of once while they last. */
enum problem {
	BEYOND_UPLINK = 1 << 0,
	BEYOND_SWITCH = 1 << 1,
	VMM_BEYOND = 1 << 2,
	PROBLEMS_END = 1 << 3,
};

static uint8_t problems_of(const struct vs_port *port, const struct limit *limit, uint32_t net,
			   uint32_t vmm)
{
	unsigned int problems = vmm > net ? VMM_BEYOND : 0;

	if (is_beyond(port, limit))
		problems |= limit->uplink ? BEYOND_UPLINK : BEYOND_SWITCH;
	return (uint8_t)problems;
}

static void describe_beyond_uplink(const struct vs_port *port, const struct limit *limit,
				   char *text, size_t size)
{
	char fits[16] = "auto";

	if (!port->kind->mtu_follows)
		(void)snprintf(fits, sizeof(fits), "%u", limit->mtu);
	(void)snprintf(text, size,
		       "its frames of more than %u bytes do not leave by the uplink '%s'; raise the "
		       "MTU there, or 'port set %s mtu %s'",
		       limit->mtu, limit->uplink->name, port->name, fits);
}

static void describe(enum problem problem, const struct vs_port *port, const struct limit *limit,
		     uint32_t net, uint32_t vmm, char *text, size_t size)
{
	switch (problem) {
	case BEYOND_UPLINK:
		describe_beyond_uplink(port, limit, text, size);
		return;
	case BEYOND_SWITCH:
		(void)snprintf(text, size,
			       "it has an MTU of %u, and switch '%s' limits it to %u; 'switch set "
			       "%s mtu %u' raises that",
			       port->mtu, port->sw->name, limit->mtu, port->sw->name, port->mtu);
		return;
	case VMM_BEYOND:
		(void)snprintf(text, size,
			       "its VMM told the guest %u, the network carries %u: host_mtu=%u is "
			       "what QEMU wants ('port show %s --qemu')",
			       vmm, net, net, port->name);
		return;
	case PROBLEMS_END:
		return;
	}
}

/* All of them, one behind the other. */
static void describe_all(const struct vs_port *port, const struct limit *limit, uint32_t net,
			 uint32_t vmm, char *text, size_t size)
{
	const uint8_t problems = problems_of(port, limit, net, vmm);
	size_t at = 0;
	unsigned int p;

	text[0] = '\0';
	for (p = 1; p < PROBLEMS_END; p <<= 1) {
		if (!(problems & p))
			continue;
		if (at)
			(void)snprintf(text + at, size - at, "; ");
		at = strlen(text);
		describe((enum problem)p, port, limit, net, vmm, text + at, size - at);
		at = strlen(text);
	}
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
	char text[sizeof(((struct vs_mtu_view *)NULL)->problem)];
	uint32_t vmm = vmm_of(port);
	uint8_t problems = 0;
	uint32_t net = 0;
	unsigned int p;

	if (vmm || is_beyond(port, limit)) {
		net = net_of(port->sw, port->vlans.vid);
		problems = problems_of(port, limit, net, vmm);
	}
	for (p = 1; p < PROBLEMS_END; p <<= 1) {
		if (!(problems & ~(unsigned int)port->mtu_told & p))
			continue;
		describe((enum problem)p, port, limit, net, vmm, text, sizeof(text));
		model_tell(port->m, VS_NOTICE_MTU, port->sw, port, NULL, text);
	}
	port->mtu_told = problems;
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

/*
 * What is shown.
 *
 * VLANs in a row that the same ports are on are one row for each of these: a thousand trunks of all
 * VLANs are as many rows, not four million. Where a run ends is a bit that all lists of the switch
 * are looked at once for. A walk that goes on behind a row begins at its switch and its VLAN: what
 * was shown before costs nothing again.
 */

/** struct hop - a port of the switch that is shown, asked once */
struct hop {
	const struct vs_port *port;
	uint32_t vmm;
};

/** struct walk - vs_mtu_each() on its way; @vid, @port: where it goes on in its first switch */
struct walk {
	int (*visit)(const struct vs_mtu_view *view, void *ctx);
	void *ctx;
	unsigned int sw;
	unsigned int vid;
	unsigned int port;
	unsigned int n_hops;
	struct hop hop[VS_PORTS_MAX];
	uint64_t wanted[VS_VIDS_MAX / 64];
	uint64_t begins[VS_VIDS_MAX / 64]; /* another set of ports than the VLAN before */
};

/** struct run - VLANs with the same hops */
struct run {
	uint16_t first;
	uint16_t last;
	uint32_t net;
};

static bool bit_of(const uint64_t *bits, unsigned int vid)
{
	return bits[vid / 64] >> (vid % 64) & 1;
}

/* A bit where @on is not as it is for the VLAN before. */
static void add_begins(uint64_t *begins, const uint64_t *on)
{
	uint64_t carry = 0;
	unsigned int i;

	for (i = 0; i < VS_VIDS_MAX / 64; i++) {
		begins[i] |= on[i] ^ (on[i] << 1 | carry);
		carry = on[i] >> 63;
	}
}

static void add_hop(struct walk *walk, const struct vs_port *port)
{
	uint64_t on[VS_VIDS_MAX / 64];

	memcpy(on, port->vlans.allowed, sizeof(on));
	on[port->vlans.vid / 64] |= UINT64_C(1) << (port->vlans.vid % 64);
	add_begins(walk->begins, on);
	walk->hop[walk->n_hops++] = (struct hop){.port = port, .vmm = vmm_of(port)};
}

static void gather(struct walk *walk, const struct vs_switch *sw)
{
	unsigned int i;

	walk->n_hops = 0;
	memset(walk->begins, 0, sizeof(walk->begins));
	model_vlan_wanted(sw, walk->wanted);
	add_begins(walk->begins, walk->wanted);
	/* Untagged frames are no VLAN. */
	walk->begins[0] |= 3;
	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = sw->m->port[i];

		if (port && port->sw == sw)
			add_hop(walk, port);
	}
}

static struct run run_of(const struct walk *walk, const struct vs_switch *sw, unsigned int first)
{
	struct run run = {.first = (uint16_t)first, .net = most_of(sw)};
	unsigned int end = first + 1;
	unsigned int i;

	while (end < VS_VIDS_MAX && !bit_of(walk->begins, end))
		end++;
	run.last = (uint16_t)(end - 1);
	for (i = 0; i < walk->n_hops; i++) {
		if (model_vlan_has(walk->hop[i].port, run.first))
			run.net = least(run.net, model_mtu_of(walk->hop[i].port));
	}
	return run;
}

/* Where a walk goes on behind @port; never 0. */
static uint64_t place_behind(const struct walk *walk, const struct run *run,
			     const struct vs_port *port)
{
	return (uint64_t)walk->sw << 32 | (uint32_t)run->first << 16 | (port->id + 1U);
}

static int visit_hop(const struct hop *hop, const struct run *run, const struct limit *limit,
		     const struct walk *walk)
{
	const struct vs_port *port = hop->port;
	struct vs_mtu_view view = {
		.sw = port->sw->name,
		.vid = run->first,
		.last = run->last,
		.net = run->net,
		.port = port->name,
		.kind = port->kind->id,
		.mtu = model_mtu_of(port),
		.from = from_of(port),
		.vmm = hop->vmm,
		.next = place_behind(walk, run, port),
	};

	view.limits = view.mtu == run->net;
	describe_all(port, limit, run->net, view.vmm, view.problem, sizeof(view.problem));
	return walk->visit(&view, walk->ctx);
}

static int visit_run(const struct run *run, const struct limit *limit, const struct walk *walk)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < walk->n_hops && err == 0; i++) {
		const struct hop *hop = &walk->hop[i];

		if (hop->port->id >= walk->port && model_vlan_has(hop->port, run->first))
			err = visit_hop(hop, run, limit, walk);
	}
	return err;
}

static int visit_switch(const struct vs_switch *sw, struct walk *walk)
{
	const struct limit limit = limit_of(sw);
	int err = 0;

	gather(walk, sw);
	while (walk->vid < VS_VIDS_MAX && err == 0) {
		const struct run run = run_of(walk, sw, walk->vid);

		if (bit_of(walk->wanted, run.first))
			err = visit_run(&run, &limit, walk);
		walk->vid = run.last + 1U;
		walk->port = 0;
	}
	walk->vid = 0;
	return err;
}

int vs_mtu_each(struct vs_model *m, const char *name, uint64_t place,
		int (*visit)(const struct vs_mtu_view *view, void *ctx), void *ctx,
		struct vs_fail *fail)
{
	static struct walk walk; /* large; control thread only */
	unsigned int first = (unsigned int)(place >> 32);
	int err = 0;

	if (name && !model_find_switch(m, name))
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'", name);
	walk.visit = visit;
	walk.ctx = ctx;
	walk.vid = place >> 16 & 0xffff;
	walk.port = place & 0xffff;
	for (walk.sw = first; walk.sw < VS_SWITCHES_MAX && err == 0; walk.sw++) {
		const struct vs_switch *sw = m->sw[walk.sw];

		/* The one it was at is gone: the next one is shown from its beginning. */
		if (walk.sw != first)
			walk.vid = walk.port = 0;
		if (sw && (!name || strcmp(sw->name, name) == 0))
			err = visit_switch(sw, &walk);
	}
	return err;
}
