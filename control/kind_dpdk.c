/* SPDX-License-Identifier: BSD-3-Clause */
/* Uplinks on a device of a DPDK driver (dpdk:DEVARGS). */
#include "control/port_kind.h"

#include "dataplane/uplink/uplink.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int place(const struct vs_port_spec *spec, char *place, size_t size, struct vs_fail *fail)
{
	(void)fail; /* vs_dpdk_new() judges the text */
	(void)rte_strscpy(place, spec->uplink, size);
	return 0;
}

static int make(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	const struct vs_dpdk_env env = {
		.base = port->m->env.base,
		.rcu = port->m->env.rcu,
		.pci = port->m->env.pci,
		.n_pci = port->m->env.n_pci,
		.virtio_user = port->m->env.virtio_user,
	};
	const struct vs_dpdk_config config = {
		.name = port->name,
		.devargs = port->place,
		.force = spec->force ? VS_DPDK_FORCE : VS_DPDK_CAREFUL,
		.mtu = spec->mtu,
		.port = port->id,
		.changed = model_port_changed,
		.ctx = port,
	};
	struct vs_dpdk_why why;
	struct vs_dpdk *dpdk;
	int err = vs_dpdk_new(&env, &config, &dpdk, &why);

	if (err)
		return vs_fail_set(fail, err, VS_ATTR_UPLINK, "%s", why.text);
	port->dev = dpdk;
	return 0;
}

static void del(struct vs_port *port)
{
	vs_dpdk_del(port->dev);
}

static bool is_up(const struct vs_port *port)
{
	return vs_dpdk_is_up(port->dev);
}

static unsigned int pairs(const struct vs_port *port)
{
	return vs_dpdk_pairs(port->dev);
}

static uint32_t device_mtu(const struct vs_port *port)
{
	struct vs_dpdk_info dpdk;

	vs_dpdk_info(port->dev, &dpdk);
	return dpdk.mtu;
}

static int set(struct vs_port *port, const struct vs_port_change *c, struct vs_fail *fail)
{
	struct vs_dpdk_why why;
	int err = 0;

	if (c->set & VS_PORT_SET_MTU)
		err = vs_dpdk_set_mtu(port->dev, c->mtu, &why);
	return err ? vs_fail_set(fail, err, VS_ATTR_MTU, "%s", why.text) : 0;
}

/** struct rows - filters that are being collected */
struct rows {
	struct vs_rules_filter *filter;
	unsigned int n;
};

static void collect(uint16_t port, const struct rte_ether_addr *mac, uint16_t vid, void *ctx)
{
	struct rows *rows = ctx;

	if (rows->n == VS_RULES_FILTERS_MAX)
		return;
	rows->filter[rows->n++] = (struct vs_rules_filter){.mac = *mac, .vid = vid, .port = port};
}

static int sort(struct vs_port *port, bool *ret_changed, struct vs_fail *fail)
{
	static struct vs_rules_filter filter[VS_RULES_FILTERS_MAX]; /* control thread only */
	struct rows rows = {.filter = filter};
	struct vs_dpdk_wish wish = {.filter = filter, .vid = port->vlans.vid};
	struct vs_dpdk_why why;
	int err;

	if (model_vmq_is_sorted(port->sw)) {
		model_vmq_each_wish(port->sw, collect, &rows);
		wish.sorting = VS_DPDK_SORT_ON;
		wish.n = rows.n;
	}
	err = vs_dpdk_sort(port->dev, &wish, ret_changed, &why);
	return err ? vs_fail_set(fail, err, VS_ATTR_VMQ, "%s", why.text) : 0;
}

static bool judge(struct vs_port *port, uint64_t astray)
{
	return vs_dpdk_judge(port->dev, astray);
}

static unsigned int queues_max(const struct vs_port *port)
{
	return vs_dpdk_queues_max(port->dev);
}

static uint16_t owner(const struct vs_port *port, unsigned int pair)
{
	return vs_dpdk_owner(port->dev, pair);
}

static void info(const struct vs_port *port, struct vs_port_view *view)
{
	static struct vs_dpdk_info dpdk; /* the view points into it; control thread only */

	vs_dpdk_info(port->dev, &dpdk);
	view->state = vs_dpdk_state_name(dpdk.state);
	view->problem = dpdk.problem;
	view->pairs = dpdk.queues;
	view->uplink.uplink = port->sw->uplink;
	view->uplink.mac = dpdk.mac;
	view->uplink.speed_mbps = dpdk.speed_mbps;
	(void)snprintf(view->uplink.driver, sizeof(view->uplink.driver), "dpdk, %s", dpdk.driver);
	(void)snprintf(view->uplink.detail, sizeof(view->uplink.detail),
		       "missed %" PRIu64 ", rx-errors %" PRIu64 ", tx-errors %" PRIu64
		       ", no-buffer %" PRIu64,
		       dpdk.missed, dpdk.rx_errors, dpdk.tx_errors, dpdk.no_buffer);
}

static int node(const struct vs_port *port)
{
	static struct vs_dpdk_info dpdk; /* too large for the stack; control thread only */

	vs_dpdk_info(port->dev, &dpdk);
	return dpdk.node;
}

static int test(struct vs_port *port, const struct rte_ether_addr *partner,
		struct vs_selftest_report *ret_report)
{
	return vs_dpdk_test(port->dev, partner, ret_report);
}

static unsigned int quarantined(const struct vs_port *port, char *why, size_t size)
{
	return vs_dpdk_quarantined(port->dev, why, size);
}

const struct vs_kind_ops vs_kind_dpdk = {
	.id = VS_PORT_DPDK,
	.role = VS_ROLE_UPLINK,
	.name = "uplink",
	.place_attr = VS_ATTR_UPLINK,
	.ops = &vs_dpdk_ops,
	.mtu = VS_UPLINK_MTU,
	.max_macs = VS_UPLINK_MAX_MACS,
	.place = place,
	.make = make,
	.del = del,
	.is_up = is_up,
	.pairs = pairs,
	.info = info,
	.node = node,
	.set = set,
	.device_mtu = device_mtu,
	.test = test,
	.quarantined = quarantined,
	.sort = sort,
	.judge = judge,
	.sorter = "flow",
	.sorter_text = "the card sorts, by flow rules, into hw queues of their own",
	.queues_max = queues_max,
	.owner = owner,
};
