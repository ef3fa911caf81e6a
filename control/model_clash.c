/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may have which address. Within one switch, whatever the VLAN, an address that belongs to a
 * port belongs to no other port and is static behind none; one that ports share is nobody's own
 * and static nowhere. The same address may be static behind several ports, each on a VLAN of its
 * own.
 */
#include "control/model_txn.h"
#include "control/port_kind.h"

#include <errno.h>
#include <stdio.h>

static void print_mac(const struct rte_ether_addr *mac, char *text, size_t size)
{
	const uint8_t *b = mac->addr_bytes;

	(void)snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		       b[5]);
}

bool model_has_static(const struct vs_port *port, const struct rte_ether_addr *mac)
{
	uint32_t i;

	for (i = 0; i < port->n_statics; i++) {
		if (rte_is_same_ether_addr(&port->statics[i].mac, mac))
			return true;
	}
	return false;
}

/* What an address may be to a port. */
enum tie {
	TIE_OWN = 1 << 0,
	TIE_CLUSTER = 1 << 1,
	TIE_STATIC = 1 << 2,
};

/* What @mac is to @port, of what is asked for; 0: nothing. */
static unsigned int tie_of(const struct vs_port *port, const struct rte_ether_addr *mac,
			   unsigned int asked)
{
	if ((asked & TIE_OWN) && (rte_is_same_ether_addr(&port->mac, mac) ||
				  rte_is_same_ether_addr(&port->host_mac, mac)))
		return TIE_OWN;
	if ((asked & TIE_CLUSTER) && rte_is_same_ether_addr(&port->cluster, mac))
		return TIE_CLUSTER;
	if ((asked & TIE_STATIC) && model_has_static(port, mac))
		return TIE_STATIC;
	return 0;
}

static int refuse(struct vs_fail *fail, enum vs_attr attr, const struct vs_port *port,
		  const struct rte_ether_addr *mac, unsigned int tie)
{
	char text[RTE_ETHER_ADDR_FMT_SIZE];

	print_mac(mac, text, sizeof(text));
	return vs_fail_set(fail, -EEXIST, attr, "%s is %s address of port '%s' already", text,
			   tie == TIE_OWN       ? "the"
			   : tie == TIE_CLUSTER ? "a cluster"
						: "a static",
			   port->name);
}

/* No port of @sw but @self has such a tie with @mac, and @self none of those in @own. */
static int check(const struct vs_switch *sw, const struct vs_port *self,
		 const struct rte_ether_addr *mac, unsigned int others, unsigned int own,
		 enum vs_attr attr, struct vs_fail *fail)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = sw->m->port[i];
		unsigned int tie;

		if (!port || port->sw != sw)
			continue;
		tie = tie_of(port, mac, port == self ? own : others);
		if (tie)
			return refuse(fail, attr, port, mac, tie);
	}
	return 0;
}

int model_check_mac(const struct vs_switch *sw, const struct vs_port *self,
		    const struct rte_ether_addr *mac, struct vs_fail *fail)
{
	char text[RTE_ETHER_ADDR_FMT_SIZE];

	if (rte_is_zero_ether_addr(mac))
		return 0;
	if (!rte_is_valid_assigned_ether_addr(mac)) {
		print_mac(mac, text, sizeof(text));
		return vs_fail_set(fail, -EINVAL, VS_ATTR_MAC,
				   "%s is a group address; a port has a unicast one", text);
	}
	return check(sw, self, mac, TIE_OWN | TIE_CLUSTER | TIE_STATIC, TIE_CLUSTER | TIE_STATIC,
		     VS_ATTR_MAC, fail);
}

int model_check_cluster(const struct vs_port *port, struct vs_fail *fail)
{
	if (rte_is_zero_ether_addr(&port->cluster))
		return 0;
	return check(port->sw, port, &port->cluster, TIE_OWN | TIE_STATIC, TIE_OWN | TIE_STATIC,
		     VS_ATTR_CLUSTER, fail);
}

int model_check_static(const struct vs_switch *sw, const struct rte_ether_addr *mac,
		       struct vs_fail *fail)
{
	return check(sw, NULL, mac, TIE_OWN | TIE_CLUSTER, 0, VS_ATTR_MAC, fail);
}

int model_check_statics(const struct vs_port *port, struct vs_fail *fail)
{
	const struct vs_switch *sw = port->sw;
	uint32_t i;
	int err = 0;

	for (i = 0; i < port->n_statics && err == 0; i++) {
		const struct vs_static *s = &port->statics[i];
		uint16_t fid = sw->fid_of_vid[s->vid];
		struct model_fdb_look e;

		err = check(sw, port, &s->mac, TIE_OWN | TIE_CLUSTER, 0, VS_ATTR_SWITCH, fail);
		if (!err && fid && model_fdb_look(sw, fid, &s->mac, &e) &&
		    e.kind == VS_FDB_STATIC && e.port < VS_PORTS_MAX && e.port != port->id)
			err = refuse(fail, VS_ATTR_SWITCH, sw->m->port[e.port], &s->mac,
				     TIE_STATIC);
	}
	return err;
}
