/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_kinds.h"

#include "dataplane/core/vmq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fk_kind fk[VS_PORT_KINDS];
enum vs_port_kind fk_missing;

struct device {
	bool up;
	bool broken;
	uint32_t mtu;
	char addrs[64]; /* of a host port */
};

/* ---- the kinds ---- */

static int place(const struct vs_port_spec *spec, char *place, size_t size, struct vs_fail *fail)
{
	const char *where = spec->uplink ? spec->uplink : spec->ifname;

	if (spec->kind == VS_PORT_GUEST)
		where = spec->socket;
	if (!where || strlen(where) >= size)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_IFNAME, "a place has a name");
	snprintf(place, size, "%s", where);
	return 0;
}

static int make(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	struct fk_kind *k = &fk[port->kind->id];
	struct device *dev;

	if (k->make_fails && (!k->bad_place || strcmp(k->bad_place, port->place) == 0))
		return vs_fail_set(fail, k->make_fails, port->kind->place_attr, "%s does not work",
				   port->place);
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a device");
	dev->mtu = 1400;
	dev->up = true;
	port->dev = dev;
	k->force = spec->force;
	k->share = port->sw->share;
	k->made++;
	/* As a device does that comes up at once: the model must not take notice yet. */
	model_port_changed(port);
	return 0;
}

static void del(struct vs_port *port)
{
	fk[port->kind->id].deleted++;
	free(port->dev);
}

static void leave(struct vs_port *port)
{
	fk[port->kind->id].left++;
	free(port->dev);
}

static bool is_up(const struct vs_port *port)
{
	return ((const struct device *)port->dev)->up;
}

/* The host's side of a shared card is polled, too. */
static unsigned int pairs(const struct vs_port *port)
{
	return port->kind->share && fk[port->kind->id].share == VS_SHARE_ON ? 2 : 1;
}

static void check(struct vs_port *port)
{
	struct device *dev = port->dev;

	dev->up = false;
	dev->broken = true;
	model_port_changed(port);
}

static void info(const struct vs_port *port, struct vs_port_view *view)
{
	const struct device *dev = port->dev;

	view->state = dev->up ? "running" : "down";
	view->problem = dev->broken ? "it broke" : "";
	view->broken = dev->broken;
	view->pairs = 1;
	view->guest.socket = port->place;
	if (port->kind->id == VS_PORT_HOST)
		snprintf(view->host.addrs, sizeof(view->host.addrs), "%s", dev->addrs);
}

static int set(struct vs_port *port, const struct vs_port_change *change, struct vs_fail *fail)
{
	struct fk_kind *k = &fk[port->kind->id];

	if (k->set_fails)
		return vs_fail_set(fail, k->set_fails, VS_ATTR_IFNAME, "%s does not do that",
				   port->place);
	if (change->set & VS_PORT_SET_ADDRS)
		snprintf(((struct device *)port->dev)->addrs, sizeof(((struct device *)0)->addrs),
			 "%s", change->addrs);
	k->change = *change;
	k->set++;
	return 0;
}

static int share(struct vs_port *port, enum vs_share on, struct vs_fail *fail)
{
	struct fk_kind *k = &fk[port->kind->id];

	if (k->share_fails)
		return vs_fail_set(fail, k->share_fails, VS_ATTR_SHARE, "%s is not shared",
				   port->place);
	k->share = on;
	k->shared++;
	return 0;
}

static uint32_t device_mtu(const struct vs_port *port)
{
	return ((const struct device *)port->dev)->mtu;
}

static void count_wish(uint16_t port, const struct rte_ether_addr *mac, uint16_t vid, void *ctx)
{
	struct fk_kind *k = ctx;

	k->wishes++;
}

/* It has one queue. */
static unsigned int one_queue(const struct vs_port *port)
{
	return 1;
}

static int sort(struct vs_port *port, bool *ret_changed, struct vs_fail *fail)
{
	struct fk_kind *k = &fk[port->kind->id];
	unsigned int before = k->wishes;

	k->sorted++;
	k->wishes = 0;
	if (k->sort_fails)
		return vs_fail_set(fail, k->sort_fails, 0, "%s does not sort", port->place);
	if (model_vmq_is_sorted(port->sw))
		model_vmq_each_wish(port->sw, count_wish, k);
	*ret_changed = before != k->wishes;
	return 0;
}

static uint16_t no_owner(const struct vs_port *port, unsigned int pair)
{
	return VS_VMQ_DEFAULT;
}

/* ---- what a worker sees ---- */

static void no_rx(void *dev, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
}

static void no_rx_done(void *dev, unsigned int pair)
{
}

static void no_tx(void *dev, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		  uint8_t *fate)
{
	memset(fate, VS_DROP_NONE, n);
}

static bool no_fault(void *dev)
{
	return false;
}

static const struct vs_port_ops no_ops = {
	.rx = no_rx,
	.rx_done = no_rx_done,
	.tx = no_tx,
	.fault_pending = no_fault,
};

static int node(const struct vs_port *port)
{
	return (int)fk[port->kind->id].node1 - 1;
}

#define FAKE(number, its_role, its_name, attr, its_mtu)                                         \
	.id = (number), .role = (its_role), .name = (its_name), .place_attr = (attr),           \
	.ops = &no_ops, .mtu = (its_mtu), .storm_pps = 10000, .max_macs = 1024, .place = place, \
	.make = make, .del = del, .is_up = is_up, .pairs = pairs, .check = check, .info = info

static const struct vs_kind_ops kinds[VS_PORT_KINDS] = {
	[VS_PORT_GUEST] = {FAKE(VS_PORT_GUEST, VS_ROLE_GUEST, "guest", VS_ATTR_SOCKET, 0),
			   .mtu_follows = true},
	[VS_PORT_PACKET] = {FAKE(VS_PORT_PACKET, VS_ROLE_GUEST, "guest", VS_ATTR_IFNAME, 9216),
			    .device_mtu = device_mtu},
	[VS_PORT_HOST] = {FAKE(VS_PORT_HOST, VS_ROLE_HOST, "host", VS_ATTR_IFNAME, 9216),
			  .set = set, .leave = leave},
	[VS_PORT_XDP] = {FAKE(VS_PORT_XDP, VS_ROLE_UPLINK, "uplink", VS_ATTR_UPLINK, 9216),
			 .share = share, .node = node, .sort = sort, .sorter = "fake",
			 .sorter_text = "it says so", .queues_max = one_queue, .owner = no_owner},
	[VS_PORT_DPDK] = {FAKE(VS_PORT_DPDK, VS_ROLE_UPLINK, "uplink", VS_ATTR_UPLINK, 1400)},
};

const struct vs_kind_ops *vs_kind_of(enum vs_port_kind id)
{
	if ((unsigned int)id >= VS_PORT_KINDS || id == fk_missing || !kinds[id].name)
		return NULL;
	return &kinds[id];
}

/* ---- calls ---- */

int fk_setup(void **state)
{
	memset(fk, 0, sizeof(fk));
	fk_missing = (enum vs_port_kind)0;
	return mf_setup(state);
}

struct vs_switch *fk_switch(struct mf *f, const char *name, enum vs_switch_kind kind,
			    const char *uplink)
{
	const struct vs_switch_spec spec = {
		.name = name,
		.kind = kind,
		.uplink = uplink,
		.share = kind == VS_SWITCH_EXTERNAL ? VS_SHARE_ON : VS_SHARE_OFF,
	};

	if (vs_switch_add(f->m, &spec, &f->fail) != 0)
		fail_msg("switch '%s': %s", name, f->fail.text);
	return model_find_switch(f->m, name);
}

struct vs_port_spec fk_spec(const char *name, const char *sw, enum vs_port_kind kind)
{
	return (struct vs_port_spec){
		.name = name,
		.sw = sw,
		.kind = kind,
		.socket = name,
		.ifname = name,
	};
}

static struct vs_port *add(struct mf *f, const struct vs_port_spec *spec)
{
	struct vs_port *port;

	if (vs_port_add(f->m, spec, &f->fail) != 0)
		fail_msg("port '%s': %s", spec->name, f->fail.text);
	port = model_find_port(f->m, spec->name);
	assert_non_null(port);
	/* The other side says that it is there. */
	model_port_changed(port);
	return port;
}

struct vs_port *fk_port(struct mf *f, const char *name, const char *sw, enum vs_port_kind kind)
{
	const struct vs_port_spec spec = fk_spec(name, sw, kind);

	return add(f, &spec);
}

struct vs_port *fk_guest(struct mf *f, const char *name, const char *sw,
			 const struct vs_vlans *vlans)
{
	struct vs_port_spec spec = fk_spec(name, sw, VS_PORT_GUEST);

	spec.vlans = vlans;
	return add(f, &spec);
}

/* One of some, as several may be named in one call. */
static struct vs_vlans *next_vlans(void)
{
	static struct vs_vlans some[4];
	static unsigned int turn;
	struct vs_vlans *v = &some[turn++ % 4];

	memset(v, 0, sizeof(*v));
	return v;
}

const struct vs_vlans *fk_access(uint16_t vid)
{
	struct vs_vlans *v = next_vlans();

	v->mode = VS_VLAN_ACCESS;
	v->vid = vid;
	return v;
}

const struct vs_vlans *fk_trunk(uint16_t first, uint16_t last, uint16_t native)
{
	struct vs_vlans *v = next_vlans();
	unsigned int vid;

	v->mode = VS_VLAN_TRUNK;
	v->vid = native;
	for (vid = first; vid <= last; vid++)
		v->allowed[vid / 64] |= UINT64_C(1) << (vid % 64);
	return v;
}

void fk_link(struct vs_port *port, bool up)
{
	struct device *dev = port->dev;

	dev->up = up;
	model_port_changed(port);
}

int fk_move(struct mf *f, const char *port, const char *sw)
{
	const struct vs_port_change c = {.set = VS_PORT_SET_SWITCH, .sw = sw};

	return vs_port_set(f->m, port, &c, &f->fail);
}

int fk_vlans(struct mf *f, const char *port, const struct vs_vlans *vlans)
{
	const struct vs_port_change c = {.set = VS_PORT_SET_VLANS, .vlans = vlans};

	return vs_port_set(f->m, port, &c, &f->fail);
}

int fk_cluster(struct mf *f, const char *port, unsigned int n)
{
	struct vs_port_change c = {.set = VS_PORT_SET_CLUSTER};

	if (n)
		c.cluster = mf_mac(n);
	return vs_port_set(f->m, port, &c, &f->fail);
}

int fk_static(struct mf *f, const char *sw, const char *port, unsigned int n, uint16_t vlan)
{
	const struct vs_fdb_spec spec = {.sw = sw, .port = port, .mac = mf_mac(n), .vlan = vlan};

	return vs_fdb_add_static(f->m, &spec, &f->fail);
}

int fk_unstatic(struct mf *f, const char *sw, unsigned int n, uint16_t vlan)
{
	const struct vs_fdb_spec spec = {.sw = sw, .mac = mf_mac(n), .vlan = vlan};

	return vs_fdb_del_static(f->m, &spec, &f->fail);
}

/* ---- the snapshot ---- */

static void append(char *text, size_t size, const char *word)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s", len ? " " : "", word);
}

const char *fk_domain(struct mf *f, const char *sw, uint16_t vlan)
{
	static char text[512];
	uint16_t fid = model_find_switch(f->m, sw)->fid_of_vid[vlan];
	const struct vs_domain *d = &f->m->conf->domain[fid];
	unsigned int i;

	text[0] = '\0';
	assert_true(fid < f->m->conf->n_fids);
	assert_true(d->n_unknown <= d->n);
	for (i = 0; i < d->n; i++) {
		if (i == d->n_unknown)
			append(text, sizeof(text), "|");
		append(text, sizeof(text), f->m->port[d->members[i]]->name);
	}
	return text;
}

const char *fk_group(struct mf *f, const char *sw, uint16_t vlan, unsigned int n)
{
	static char text[512];
	const struct vs_fdb_entry *e = mf_entry_on(f, sw, vlan, n);
	const struct vs_group *g;
	unsigned int i;

	if (!e || e->kind != VS_FDB_STATIC || e->port < VS_FDB_GROUP_BASE)
		return "none";
	assert_in_range(e->port, VS_FDB_GROUP_BASE, VS_FDB_GROUP_BASE + VS_GROUPS_MAX - 1);
	g = &f->m->conf->group[e->port - VS_FDB_GROUP_BASE];
	text[0] = '\0';
	for (i = 0; i < g->n; i++)
		append(text, sizeof(text), f->m->port[g->members[i]]->name);
	return text;
}
