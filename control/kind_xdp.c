/* SPDX-License-Identifier: BSD-3-Clause */
/* Uplinks on a network card that the kernel drives (xdp:IFNAME). */
#include "control/numa.h"
#include "control/port_kind.h"

#include "dataplane/uplink/uplink.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum vs_xdp_share share_of(enum vs_share share)
{
	return share == VS_SHARE_ON ? VS_XDP_SHARED : VS_XDP_ALONE;
}

static int place(const struct vs_port_spec *spec, char *place, size_t size, struct vs_fail *fail)
{
	if (strlen(spec->uplink) >= VS_PROTO_IFNAME_SIZE)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_UPLINK,
				   "'%.40s' is too long for the name of an interface",
				   spec->uplink);
	(void)rte_strscpy(place, spec->uplink, size);
	return 0;
}

static int make(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	const struct vs_xdp_env env = {
		.base = port->m->env.base,
		.rcu = port->m->env.rcu,
		.rundir = port->m->env.run_dir,
	};
	const struct vs_xdp_config config = {
		.name = port->name,
		.ifname = port->place,
		.share = share_of(port->sw->share),
		.force = spec->force ? VS_XDP_FORCE : VS_XDP_CAREFUL,
		.port = port->id,
		.changed = model_port_changed,
		.ctx = port,
	};
	struct vs_xdp_why why;
	struct vs_xdp *xdp;
	int err = vs_xdp_new(&env, &config, &xdp, &why);

	if (err)
		return vs_fail_set(fail, err, VS_ATTR_UPLINK, "%s", why.text);
	port->dev = xdp;
	return 0;
}

static void del(struct vs_port *port)
{
	vs_xdp_del(port->dev);
}

static bool is_up(const struct vs_port *port)
{
	return vs_xdp_is_up(port->dev);
}

static unsigned int pairs(const struct vs_port *port)
{
	return vs_xdp_pairs(port->dev);
}

static uint32_t device_mtu(const struct vs_port *port)
{
	return vs_xdp_mtu(port->dev);
}

/* The host keeps its address on a card that it shares: no guest may draw its frames away. */
static struct rte_ether_addr host_mac(const struct vs_port *port)
{
	struct rte_ether_addr mac = {{0}};

	if (port->sw->share == VS_SHARE_ON)
		vs_xdp_mac(port->dev, &mac);
	return mac;
}

static int share(struct vs_port *port, enum vs_share share, struct vs_fail *fail)
{
	struct vs_xdp_why why;
	int err = vs_xdp_set_share(port->dev, share_of(share), &why);

	return err ? vs_fail_set(fail, err, VS_ATTR_SHARE, "%s", why.text) : 0;
}

/** struct rows - filters that are being collected */
struct rows {
	struct vs_xdp_filter *filter;
	unsigned int n;
};

static void collect(uint16_t port, const struct rte_ether_addr *mac, uint16_t vid, void *ctx)
{
	struct rows *rows = ctx;

	if (rows->n == VS_BPF_FILTERS_MAX)
		return;
	rows->filter[rows->n++] = (struct vs_xdp_filter){.mac = *mac, .vid = vid, .port = port};
}

static int sort(struct vs_port *port, bool *ret_changed, struct vs_fail *fail)
{
	static struct vs_xdp_filter filter[VS_BPF_FILTERS_MAX]; /* control thread only */
	struct rows rows = {.filter = filter};
	struct vs_xdp_wish wish = {.filter = filter, .vid = port->vlans.vid};
	struct vs_xdp_why why;
	int err;

	if (model_vmq_is_sorted(port->sw)) {
		model_vmq_each_wish(port->sw, collect, &rows);
		wish.sorting = VS_XDP_SORT_ON;
		wish.n = rows.n;
	}
	err = vs_xdp_sort(port->dev, &wish, ret_changed, &why);
	return err ? vs_fail_set(fail, err, VS_ATTR_VMQ, "%s", why.text) : 0;
}

static unsigned int queues_max(const struct vs_port *port)
{
	return vs_xdp_queues_max(port->dev);
}

static uint16_t owner(const struct vs_port *port, unsigned int pair)
{
	return vs_xdp_owner(port->dev, pair);
}

/* Counters that are not zero. */
static void list_counters(const struct vs_xdp_info *xdp, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "hw-queues %u, missed %" PRIu64, xdp->queues,
				       xdp->missed);
	unsigned int i;

	for (i = 0; i < VS_BPF_COUNTER_COUNT && used < size; i++) {
		if (xdp->counters[i])
			used += (size_t)snprintf(text + used, size - used, ", %s %" PRIu64,
						 vs_xdp_counter_name(i), xdp->counters[i]);
	}
}

static void info(const struct vs_port *port, struct vs_port_view *view)
{
	static struct vs_xdp_info xdp; /* the view points into it; control thread only */

	vs_xdp_info(port->dev, &xdp);
	view->state = vs_xdp_state_name(xdp.state);
	view->problem = xdp.problem;
	view->pairs = vs_xdp_pairs(port->dev);
	view->uplink.uplink = port->sw->uplink;
	view->uplink.mac = xdp.mac;
	(void)snprintf(view->uplink.driver, sizeof(view->uplink.driver), "xdp, %s, %s%s%s",
		       xdp.native ? "native" : "generic (slower)",
		       xdp.zero_copy ? "zero-copy" : "copy",
		       xdp.multi_buffer ? ", multi-buffer" : "",
		       xdp.taken_over ? ", taken over" : "");
	list_counters(&xdp, view->uplink.detail, sizeof(view->uplink.detail));
}

static int node(const struct vs_port *port)
{
	static struct vs_xdp_info xdp; /* too large for the stack; control thread only */

	vs_xdp_info(port->dev, &xdp);
	return vs_numa_of_interface(VS_NUMA_SYS, xdp.ifname);
}

const struct vs_kind_ops vs_kind_xdp = {
	.id = VS_PORT_XDP,
	.role = VS_ROLE_UPLINK,
	.name = "uplink",
	.place_attr = VS_ATTR_UPLINK,
	.ops = &vs_xdp_ops,
	.mtu = VS_UPLINK_MTU,
	.max_macs = VS_UPLINK_MAX_MACS,
	.place = place,
	.make = make,
	.del = del,
	.is_up = is_up,
	.pairs = pairs,
	.info = info,
	.node = node,
	.share = share,
	.host_mac = host_mac,
	.device_mtu = device_mtu,
	.sort = sort,
	.sorter = "xdp",
	.sorter_text = "the kernel sorts, by an eBPF program, into sockets of their own",
	.queues_max = queues_max,
	.owner = owner,
};
