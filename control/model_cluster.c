/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses that several ports share, as the nodes of a load-balancing cluster do: the table's
 * entry leads to a number, and the snapshot says which ports stand behind it.
 */
#include "control/model_txn.h"
#include "control/port_kind.h"

#include <errno.h>

/* Number of the cluster of @mac in broadcast domain @fid, or -1. */
static int find(const struct vs_model *m, uint16_t fid, const struct rte_ether_addr *mac)
{
	int i;

	for (i = 0; i < VS_GROUPS_MAX; i++) {
		if (m->cluster[i].sw && m->cluster[i].fid == fid &&
		    rte_is_same_ether_addr(&m->cluster[i].mac, mac))
			return i;
	}
	return -1;
}

static int find_free(const struct vs_model *m)
{
	int i;

	for (i = 0; i < VS_GROUPS_MAX; i++) {
		if (!m->cluster[i].sw)
			return i;
	}
	return -1;
}

/* Group addresses reach every port as it is. */
static bool has_cluster(const struct vs_port *port)
{
	return !rte_is_zero_ether_addr(&port->cluster) &&
	       !rte_is_multicast_ether_addr(&port->cluster);
}

/* The entry of the address may be another one's by now. */
static void forget(struct vs_cluster *cluster, uint16_t number)
{
	struct model_fdb_look look;
	const struct vs_fdb_filter filter = {
		.what = VS_FDB_ADDRESS,
		.fid = cluster->fid,
		.mac = cluster->mac,
	};

	if (model_fdb_look(cluster->sw, cluster->fid, &cluster->mac, &look) &&
	    look.kind == VS_FDB_STATIC && look.port == number)
		(void)model_fdb_remove(cluster->sw, &filter);
	*cluster = (struct vs_cluster){0};
}

static int claim(struct vs_port *port)
{
	struct vs_model *m = port->m;
	uint16_t fid = port->sw->fid_of_vid[port->vlans.vid];
	int i = find(m, fid, &port->cluster);

	if (i < 0)
		i = find_free(m);
	if (i < 0)
		return -ENOSPC;
	m->cluster[i] = (struct vs_cluster){.sw = port->sw, .fid = fid, .mac = port->cluster};
	return model_fdb_enter(port->sw, fid, &port->cluster, (uint16_t)(VS_FDB_GROUP_BASE + i));
}

int model_clusters_claim(struct vs_switch *sw)
{
	struct vs_model *m = sw->m;
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_PORTS_MAX && err == 0; i++) {
		if (m->port[i] && m->port[i]->sw == sw && has_cluster(m->port[i]))
			err = claim(m->port[i]);
	}
	return err;
}

static bool is_used(const struct vs_model *m, const struct vs_cluster *cluster)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = m->port[i];

		if (port && port->sw == cluster->sw && has_cluster(port) &&
		    port->sw->fid_of_vid[port->vlans.vid] == cluster->fid &&
		    rte_is_same_ether_addr(&port->cluster, &cluster->mac))
			return true;
	}
	return false;
}

void model_clusters_release(struct vs_switch *sw)
{
	struct vs_model *m = sw->m;
	unsigned int i;

	for (i = 0; i < VS_GROUPS_MAX; i++) {
		if (m->cluster[i].sw == sw && !is_used(m, &m->cluster[i]))
			forget(&m->cluster[i], (uint16_t)(VS_FDB_GROUP_BASE + i));
	}
}
