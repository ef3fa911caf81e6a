/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The snapshot: from the model's arrays to what the workers read.
 *
 * DOC: theory of operation: VLANs
 *
 * One broadcast domain is one VLAN of one switch, and has a forwarding id (fid). Ports that are
 * up and on the VLAN are its members, in an order that is the policy for unknown unicast: those
 * who get such frames come first. A port that sends tagged frames has a trunk, which leads from
 * the tag to the fid; all trunks of a switch share one table.
 */
#include "control/model_resolve.h"
#include "control/model_txn.h"
#include "control/port_kind.h"

#include <stdlib.h>
#include <string.h>

/* Sizes of the parts of a snapshot. */
struct sizes {
	uint32_t fids;
	size_t members;
	size_t trunks;
	size_t tables;
	size_t polls;
};

static bool has_trunk(const struct vs_port *port)
{
	return port->vlans.mode == VS_VLAN_TRUNK;
}

static struct sizes measure(const struct vs_model *m)
{
	struct sizes size = {.fids = 1};
	unsigned int i;

	for (i = 1; i < VS_FIDS_MAX; i++) {
		if (m->fid[i].sw)
			size.fids = i + 1;
	}
	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = m->port[i];
		unsigned int w;

		if (!port)
			continue;
		size.polls += RTE_MAX(port->kind->pairs(port), 1u);
		size.trunks += has_trunk(port);
		size.members += 2; /* its own VLAN, and a cluster */
		for (w = 0; w < VS_VIDS_MAX / 64; w++)
			size.members += (size_t)__builtin_popcountll(port->vlans.allowed[w]);
	}
	/* The uplink is a member of each cluster, too. */
	size.members += VS_GROUPS_MAX;
	for (i = 0; i < VS_SWITCHES_MAX; i++)
		size.tables += m->sw[i] != NULL;
	return size;
}

static int allocate(struct vs_conf *conf, const struct sizes *size)
{
	conf->n_fids = size->fids;
	conf->domain = calloc(size->fids, sizeof(*conf->domain));
	conf->members = calloc(size->members, sizeof(*conf->members));
	if (!conf->domain || !conf->members)
		return -1;
	if (size->polls) {
		conf->polls = calloc(size->polls, sizeof(*conf->polls));
		if (!conf->polls)
			return -1;
	}
	if (size->trunks == 0)
		return 0;
	conf->trunks = calloc(size->trunks, sizeof(*conf->trunks));
	conf->fid_of_vid = calloc(size->tables * VS_VIDS_MAX, sizeof(*conf->fid_of_vid));
	return conf->trunks && conf->fid_of_vid ? 0 : -1;
}

/* The share of a rate, rounded up; 0 stands for no limit. */
static uint32_t share_of(uint32_t rate, uint8_t workers)
{
	return rate / workers + (rate % workers != 0);
}

/* What is not left to the other side, in the words of the workers. */
static uint8_t offload_off(const struct vs_port *port)
{
	const unsigned int segs = VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6 | VS_OFFLOAD_ECN |
				  VS_OFFLOAD_USO4 | VS_OFFLOAD_USO6;
	const unsigned int parts = port->offload_off;
	unsigned int off = 0;

	/* Who does no checksums cuts nothing: a segment needs one. */
	if (parts & VS_PART_CSUM)
		off |= VS_OFFLOAD_CSUM | segs;
	if (parts & VS_PART_TSO4)
		off |= VS_OFFLOAD_TSO4;
	if (parts & VS_PART_TSO6)
		off |= VS_OFFLOAD_TSO6;
	if (parts & VS_PART_USO)
		off |= VS_OFFLOAD_USO4 | VS_OFFLOAD_USO6;
	if (parts & VS_PART_GRO)
		off |= VS_OFFLOAD_MERGE;
	return (uint8_t)off;
}

static void fill_port(struct vs_port_hot *hot, const struct vs_port *port)
{
	/* Each applies its share of the port's limits. */
	uint8_t workers = model_place_workers(port);

	*hot = (struct vs_port_hot){
		.ops = port->kind->ops,
		.dev = port->dev,
		.fdb = port->sw->fdb,
		.max_frame = model_mtu_of(port) + (uint32_t)sizeof(struct rte_ether_hdr),
		.storm_pps = share_of(port->storm_pps, workers),
		.id = port->id,
		.sw = port->sw->index,
		.fid = port->sw->fid_of_vid[port->vlans.vid],
		.vid = port->vlans.vid,
		.pairs = (uint8_t)port->kind->pairs(port),
		.workers = workers,
		.offload_off = offload_off(port),
		.mac = port->mac,
	};
	if (port->link_up)
		hot->flags |= VS_PORT_ADMIN_UP;
	if (model_is_up(port))
		hot->flags |= VS_PORT_UP;
	if (!rte_is_zero_ether_addr(&port->mac))
		hot->flags |= VS_PORT_GUARD;
	if (port->priority)
		hot->flags |= VS_PORT_PRIORITY;
	/* A guest's own queues belong to flows of its own; a card's are there to share. */
	if (port->m->env.n_workers > 1 && port->kind->id != VS_PORT_GUEST)
		hot->flags |= VS_PORT_TX_BY_WORKER;
	if (port->kind->role == VS_ROLE_UPLINK)
		hot->flags |= VS_PORT_MANY;
}

static void fill_ports(struct vs_conf *conf, const struct vs_model *m)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = m->port[i];

		/* A table entry may lead to an id that is not in use: it is a port that is down. */
		conf->port[i].id = (uint16_t)i;
		if (!port)
			continue;
		fill_port(&conf->port[i], port);
		conf->ids[conf->n_ports++] = (uint16_t)i;
	}
}

/*
 * Only VLANs that ports are on as the arrays say now: the id of one that they are leaving may be
 * another one's soon.
 */
static void fill_table(uint16_t *table, const struct vs_switch *sw)
{
	uint64_t wanted[VS_VIDS_MAX / 64];
	unsigned int vid;

	model_vlan_wanted(sw, wanted);
	for (vid = 0; vid < VS_VIDS_MAX; vid++) {
		if (wanted[vid / 64] >> (vid % 64) & 1)
			table[vid] = sw->fid_of_vid[vid];
	}
}

/* The trunks of @sw, which share its table at @table. Return: how many there are. */
static size_t fill_trunks(struct vs_conf *conf, const struct vs_switch *sw, struct vs_trunk *trunk,
			  uint16_t *table, const struct vs_model *m)
{
	size_t n = 0;
	unsigned int i;

	for (i = 0; i < conf->n_ports; i++) {
		const struct vs_port *port = m->port[conf->ids[i]];

		if (port->sw != sw || !has_trunk(port))
			continue;
		memcpy(trunk[n].allowed, port->vlans.allowed, sizeof(trunk[n].allowed));
		trunk[n].fid_of_vid = table;
		conf->port[port->id].trunk = &trunk[n++];
	}
	if (n)
		fill_table(table, sw);
	return n;
}

static void fill_all_trunks(struct vs_conf *conf, const struct vs_model *m)
{
	struct vs_trunk *trunk = conf->trunks;
	uint16_t *table = conf->fid_of_vid;
	unsigned int i;

	for (i = 0; i < VS_SWITCHES_MAX && trunk; i++) {
		size_t n;

		if (!m->sw[i])
			continue;
		n = fill_trunks(conf, m->sw[i], trunk, table, m);
		trunk += n;
		table += n ? VS_VIDS_MAX : 0;
	}
}

/* Does @port get frames to unknown addresses? */
static bool wants_unknown(const struct vs_port *port)
{
	switch (model_unknown(port->sw)) {
	case VS_UNKNOWN_UPLINK:
		return port->kind->role == VS_ROLE_UPLINK || rte_is_zero_ether_addr(&port->mac);
	case VS_UNKNOWN_DROP:
		return false;
	case VS_UNKNOWN_DEFAULT:
	case VS_UNKNOWN_FLOOD:
		break;
	}
	return true;
}

/* The ports of each switch, one list behind the other. */
struct by_switch {
	uint16_t first[VS_SWITCHES_MAX + 1]; /* of switch i; those of i + 1 begin behind its last */
	uint16_t id[VS_PORTS_MAX];
};

static void sort_ports(const struct vs_conf *conf, const struct vs_model *m, struct by_switch *by)
{
	uint16_t next[VS_SWITCHES_MAX];
	unsigned int i;

	memset(by->first, 0, sizeof(by->first));
	for (i = 0; i < conf->n_ports; i++)
		by->first[m->port[conf->ids[i]]->sw->index + 1]++;
	for (i = 0; i < VS_SWITCHES_MAX; i++)
		by->first[i + 1] = (uint16_t)(by->first[i + 1] + by->first[i]);
	memcpy(next, by->first, sizeof(next));
	for (i = 0; i < conf->n_ports; i++)
		by->id[next[m->port[conf->ids[i]]->sw->index]++] = conf->ids[i];
}

/* Append the members of @fid that want unknown unicast, or those that do not. Return: how many. */
static uint16_t add_members(const struct vs_model *m, const struct vs_fid *fid, bool unknown,
			    const struct vs_conf *conf, const struct by_switch *by,
			    uint16_t *members)
{
	const uint16_t index = fid->sw->index;
	uint16_t n = 0;
	unsigned int i;

	for (i = by->first[index]; i < by->first[index + 1]; i++) {
		const struct vs_port *port = m->port[by->id[i]];

		if ((conf->port[port->id].flags & VS_PORT_UP) && model_vlan_has(port, fid->vid) &&
		    wants_unknown(port) == unknown)
			members[n++] = port->id;
	}
	return n;
}

/* Return: where the next members go. */
static uint16_t *fill_domains(struct vs_conf *conf, const struct vs_model *m)
{
	uint16_t *members = conf->members;
	struct by_switch by;
	unsigned int i;

	sort_ports(conf, m, &by);
	for (i = 1; i < conf->n_fids; i++) {
		struct vs_domain *domain = &conf->domain[i];

		if (!m->fid[i].sw)
			continue;
		domain->members = members;
		domain->n_unknown = add_members(m, &m->fid[i], true, conf, &by, members);
		members += domain->n_unknown;
		domain->n = add_members(m, &m->fid[i], false, conf, &by, members);
		members += domain->n;
		domain->n = (uint16_t)(domain->n + domain->n_unknown);
	}
	return members;
}

/* Ports that have the address share its frames; the uplink leads to others that have it. */
static bool in_cluster(const struct vs_model *m, const struct vs_cluster *cluster,
		       const struct vs_port *port)
{
	uint16_t vid = m->fid[cluster->fid].vid;

	if (port->sw != cluster->sw)
		return false;
	if (port->kind->role == VS_ROLE_UPLINK)
		return model_vlan_has(port, vid);
	return port->vlans.vid == vid && rte_is_same_ether_addr(&port->cluster, &cluster->mac);
}

static void fill_clusters(struct vs_conf *conf, const struct vs_model *m, uint16_t *members)
{
	unsigned int c;
	unsigned int i;

	for (c = 0; c < VS_GROUPS_MAX; c++) {
		struct vs_group *group = &conf->group[c];

		group->members = members;
		group->fid = m->cluster[c].fid;
		for (i = 0; m->cluster[c].sw && i < conf->n_ports; i++) {
			uint16_t id = conf->ids[i];

			if ((conf->port[id].flags & VS_PORT_UP) &&
			    in_cluster(m, &m->cluster[c], m->port[id]))
				members[group->n++] = id;
		}
		members += group->n;
	}
}

/* The largest domain that a port can send to bounds what one of its frames may cost. */
static void fill_fanout(struct vs_conf *conf)
{
	unsigned int i;
	unsigned int vid;

	for (i = 0; i < conf->n_ports; i++) {
		struct vs_port_hot *hot = &conf->port[conf->ids[i]];

		hot->fanout = conf->domain[hot->fid].n;
		for (vid = 1; hot->trunk && vid < VS_VIDS_MAX; vid++) {
			uint16_t fid = hot->trunk->fid_of_vid[vid];

			if (vs_trunk_allows(hot->trunk, (uint16_t)vid))
				hot->fanout = RTE_MAX(hot->fanout, conf->domain[fid].n);
		}
	}
}

/* Is it the worker that visits the pair? Nobody does while it is on its way to another one. */
static bool is_visitor(const struct vs_model *m, unsigned int worker, const struct vs_port *port,
		       unsigned int pair)
{
	return model_worker_of(m, port, pair) == worker && !model_place_is_open(port, pair);
}

/* What worker @worker visits, at @poll. Return: how many there are. */
static uint16_t fill_work(const struct vs_conf *conf, const struct vs_model *m, unsigned int worker,
			  struct vs_poll *poll)
{
	uint16_t n = 0;
	unsigned int i;

	for (i = 0; i < conf->n_ports; i++) {
		const struct vs_port_hot *port = &conf->port[conf->ids[i]];
		uint8_t pair;

		if (port->pairs == 0 && model_worker_of(m, m->port[port->id], 0) == worker)
			poll[n++] = (struct vs_poll){.port = port->id, .pair = VS_PAIR_NONE};
		for (pair = 0; pair < port->pairs; pair++) {
			if (is_visitor(m, worker, m->port[port->id], pair))
				poll[n++] = (struct vs_poll){.port = port->id, .pair = pair};
		}
	}
	return n;
}

static void fill_all_work(struct vs_conf *conf, const struct vs_model *m)
{
	struct vs_poll *poll = conf->polls;
	unsigned int i;

	for (i = 0; poll && i < m->env.n_workers; i++) {
		conf->work[i].poll = poll;
		conf->work[i].n = fill_work(conf, m, i, poll);
		poll += conf->work[i].n;
	}
}

struct vs_conf *model_conf_build(const struct vs_model *m)
{
	const struct sizes size = measure(m);
	struct vs_conf *conf;

	conf = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*conf));
	if (!conf)
		return NULL;
	memset(conf, 0, sizeof(*conf));
	if (allocate(conf, &size) != 0) {
		model_conf_free(conf);
		return NULL;
	}
	fill_ports(conf, m);
	if (model_vmq_fill(conf, m) != 0) {
		model_conf_free(conf);
		return NULL;
	}
	fill_all_trunks(conf, m);
	fill_clusters(conf, m, fill_domains(conf, m));
	fill_fanout(conf);
	fill_all_work(conf, m);
	model_capture_fill(conf, m);
	return conf;
}

void model_conf_free(struct vs_conf *conf)
{
	if (!conf)
		return;
	free(conf->domain);
	free(conf->members);
	free(conf->trunks);
	free(conf->fid_of_vid);
	free(conf->polls);
	model_vmq_free(conf);
	free(conf);
}

void model_conf_replace(struct vs_model *m, struct vs_conf *conf)
{
	struct vs_conf *old = m->conf;
	unsigned int i;

	model_vmq_prepare(m, conf);
	model_resolve_prepare(m, conf);
	for (i = 0; i < m->env.n_workers; i++)
		vs_worker_publish(m->env.workers[i], conf);
	m->conf = conf;
	vs_rcu_synchronize(m->env.rcu);
	model_vmq_settle(m, conf);
	model_place_left(m);
	model_conf_free(old);
	model_vmq_sort(m);
	model_resolve_follow(m);
}

int model_publish(struct vs_model *m)
{
	struct vs_conf *conf;

	if (m->txn) {
		m->txn->publish = true;
		m->txn->again |= m->txn->running;
		return 0;
	}
	conf = model_conf_build(m);
	if (!conf)
		return -ENOMEM;
	model_conf_replace(m, conf);
	return 0;
}
