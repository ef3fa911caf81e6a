/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/config.h"

#include "control/model_txn.h"
#include "control/port_kind.h"
#include "control/tlv.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	/** The longest record of a static address: headers, two names, an address, a number. */
	STATIC_MAX = 192,
};

/* A record being made; control thread only. */
static uint32_t buffer[VS_CONFIG_RECORD_MAX / 4];

/* Of a static address there may be very many: a small part of the buffer has to be cleared. */
static void begin(struct vs_msg *msg, enum vs_cmd cmd)
{
	size_t size = cmd == VS_CMD_FDB_NEW ? STATIC_MAX : sizeof(buffer);

	vs_msg_init(msg, buffer, size, cmd);
	msg->nlh->nlmsg_flags = NLM_F_REQUEST;
}

/* ---- switches ---- */

static void make_switch(struct vs_msg *msg, const struct vs_switch *sw)
{
	static const uint32_t kinds[] = {
		[VS_SWITCH_PRIVATE] = VS_KIND_PRIVATE,
		[VS_SWITCH_INTERNAL] = VS_KIND_INTERNAL,
		[VS_SWITCH_EXTERNAL] = VS_KIND_EXTERNAL,
	};
	static const uint32_t policies[] = {
		[VS_UNKNOWN_FLOOD] = VS_POLICY_FLOOD,
		[VS_UNKNOWN_UPLINK] = VS_POLICY_UPLINK,
		[VS_UNKNOWN_DROP] = VS_POLICY_DROP,
	};

	begin(msg, VS_CMD_SWITCH_NEW);
	vs_msg_put_str(msg, VS_ATTR_NAME, sw->name);
	vs_msg_put_u32(msg, VS_ATTR_KIND, kinds[sw->kind]);
	if (sw->kind == VS_SWITCH_EXTERNAL) {
		vs_msg_put_str(msg, VS_ATTR_UPLINK, sw->uplink);
		vs_msg_put_u32(msg, VS_ATTR_SHARE, sw->share == VS_SHARE_ON);
		vs_msg_put_u32(msg, VS_ATTR_VMQ, sw->vmq);
		vs_msg_put_u32(msg, VS_ATTR_VMQ_QUEUES, sw->vmq_queues);
		/* It has the card: whatever the host routes over it now, it gets it again. */
		vs_msg_put_flag(msg, VS_ATTR_FORCE);
	}
	/* Left out: the policy goes on following the type of the switch. */
	if (sw->unknown != VS_UNKNOWN_DEFAULT)
		vs_msg_put_u32(msg, VS_ATTR_UNKNOWN, policies[sw->unknown]);
	vs_msg_put_u32(msg, VS_ATTR_FDB_SIZE, model_fdb_size(sw));
	vs_msg_put_u32(msg, VS_ATTR_FDB_AGEING, sw->fdb_ageing_s);
	vs_msg_put_u32(msg, VS_ATTR_MTU, sw->mtu);
}

/* ---- ports ---- */

/* As many ranges as fit: a hostile list has 2,047 of them. */
static void put_ranges(struct vs_msg *msg, const struct vs_vlans *v)
{
	struct vs_range range[VS_RANGES_MAX];
	unsigned int n = 0;
	unsigned int vid;
	bool in = false;

	/* VLAN 4095 is on no list: the last range ends before it. */
	for (vid = 1; vid < VS_VIDS_MAX && n < VS_RANGES_MAX; vid++) {
		bool has = (v->allowed[vid / 64] >> (vid % 64)) & 1;

		if (has && !in)
			range[n].first = (uint16_t)vid;
		if (!has && in)
			range[n++].last = (uint16_t)(vid - 1);
		in = has;
	}
	if (n)
		vs_msg_put_bytes(msg, VS_ATTR_VLANS, range, n * sizeof(range[0]));
}

void vs_config_put_vlans(struct vs_msg *msg, const struct vs_vlans *v)
{
	static const uint32_t modes[] = {
		[VS_VLAN_UNTAGGED] = VS_VLAN_MODE_UNTAGGED,
		[VS_VLAN_ACCESS] = VS_VLAN_MODE_ACCESS,
		[VS_VLAN_TRUNK] = VS_VLAN_MODE_TRUNK,
	};

	vs_msg_put_u32(msg, VS_ATTR_VLAN_MODE, modes[v->mode]);
	if (v->vid)
		vs_msg_put_u32(msg, VS_ATTR_VLAN, v->vid);
	put_ranges(msg, v);
}

/* As many whole addresses as one attribute holds; the interface keeps the others by itself. */
static void put_addrs(struct vs_msg *msg, const char *addrs)
{
	char text[VS_PROTO_UPLINK_SIZE];
	char *comma;

	if (rte_strscpy(text, addrs, sizeof(text)) < 0) {
		comma = strrchr(text, ',');
		if (comma)
			*comma = '\0';
	}
	vs_msg_put_str(msg, VS_ATTR_ADDRS, text);
}

static void put_host(struct vs_msg *msg, const struct vs_port *port)
{
	struct vs_port_view view = {.name = port->name};

	if (port->dev)
		port->kind->info(port, &view);
	if (port->plan) {
		(void)rte_strscpy(view.host.addrs, port->plan->addrs, sizeof(view.host.addrs));
		view.pairs = port->plan->queues;
	}
	vs_msg_put_u32(msg, VS_ATTR_KIND, VS_KIND_HOST);
	vs_msg_put_str(msg, VS_ATTR_IFNAME, port->place);
	put_addrs(msg, view.host.addrs);
	vs_msg_put_u32(msg, VS_ATTR_QUEUES, view.pairs);
}

static void put_place(struct vs_msg *msg, const struct vs_port *port)
{
	vs_msg_put_str(msg, VS_ATTR_SWITCH, port->sw->name);
	switch (port->kind->id) {
	case VS_PORT_GUEST:
		vs_msg_put_u32(msg, VS_ATTR_KIND, VS_KIND_GUEST);
		vs_msg_put_str(msg, VS_ATTR_SOCKET, port->place);
		vs_msg_put_u32(msg, VS_ATTR_MODE,
			       port->mode == VS_GUEST_SERVER ? VS_MODE_SERVER : VS_MODE_CLIENT);
		break;
	case VS_PORT_PACKET:
		vs_msg_put_u32(msg, VS_ATTR_KIND, VS_KIND_GUEST);
		vs_msg_put_str(msg, VS_ATTR_IFNAME, port->place);
		break;
	default:
		put_host(msg, port);
	}
	vs_msg_put_bytes(msg, VS_ATTR_MAC, &port->mac, sizeof(port->mac));
	vs_msg_put_u32(msg, VS_ATTR_MTU, port->mtu);
}

static void make_port(struct vs_msg *msg, const struct vs_port *port)
{
	bool uplink = port->kind->role == VS_ROLE_UPLINK;
	char place[MODEL_PLACE_TEXT];

	begin(msg, uplink ? VS_CMD_PORT_SET : VS_CMD_PORT_NEW);
	vs_msg_put_str(msg, VS_ATTR_NAME, port->name);
	/* Where an uplink is, its switch says; its MTU, its card, if it is not set. */
	if (!uplink)
		put_place(msg, port);
	else if (port->kind->set)
		vs_msg_put_u32(msg, VS_ATTR_MTU, port->mtu);
	vs_msg_put_str(msg, VS_ATTR_VM, port->vm);
	vs_msg_put_u32(msg, VS_ATTR_LINK, port->link_up);
	vs_msg_put_u32(msg, VS_ATTR_STORM_PPS, port->storm_pps);
	vs_msg_put_u32(msg, VS_ATTR_MAX_MACS, port->max_macs);
	vs_config_put_vlans(msg, &port->vlans);
	vs_msg_put_u32(msg, VS_ATTR_PRIORITY, port->priority);
	if (port->kind->role == VS_ROLE_GUEST)
		vs_msg_put_u32(msg, VS_ATTR_VMQ_WEIGHT, port->vmq_weight);
	vs_msg_put_bytes(msg, VS_ATTR_CLUSTER, &port->cluster, sizeof(port->cluster));
	vs_msg_put_u32(msg, VS_ATTR_OFFLOAD_OFF, port->offload_off);
	model_place_format(port, place);
	vs_msg_put_str(msg, VS_ATTR_PLACE, place);
	if (port->kind->id == VS_PORT_GUEST)
		vs_msg_put_u32(msg, VS_ATTR_MODERATION, port->moderation + VS_MODERATION_OFF);
}

/* ---- static addresses ---- */

static void make_static(struct vs_msg *msg, const struct vs_port *port,
			const struct rte_ether_addr *mac, uint16_t vlan)
{
	begin(msg, VS_CMD_FDB_NEW);
	vs_msg_put_str(msg, VS_ATTR_SWITCH, port->sw->name);
	vs_msg_put_str(msg, VS_ATTR_PORT, port->name);
	vs_msg_put_bytes(msg, VS_ATTR_MAC, mac, sizeof(*mac));
	vs_msg_put_u32(msg, VS_ATTR_VLAN, vlan);
}

static bool is_own(const struct vs_port *port, const struct rte_ether_addr *mac)
{
	return rte_is_same_ether_addr(&port->mac, mac) ||
	       rte_is_same_ether_addr(&port->host_mac, mac);
}

/* A VLAN without forwarding id has no entries: only the ports' own lists know of the address. */
static const struct vs_port *search_lists(const struct vs_switch *sw,
					  const struct vs_config_key *key)
{
	unsigned int i;
	uint32_t k;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = sw->m->port[i];

		if (!port || port->sw != sw)
			continue;
		for (k = 0; k < port->n_statics; k++) {
			if (port->statics[k].vid == key->vlan &&
			    rte_is_same_ether_addr(&port->statics[k].mac, &key->mac))
				return port;
		}
	}
	return NULL;
}

/* The port that the address is static behind, or NULL. */
static const struct vs_port *find_static(struct vs_model *m, const struct vs_config_key *key)
{
	const struct vs_switch *sw = model_find_switch(m, key->name);
	const struct vs_port *port;
	struct model_fdb_look e;
	uint16_t fid;

	if (!sw || key->vlan >= VS_VIDS_MAX)
		return NULL;
	fid = sw->fid_of_vid[key->vlan];
	if (!fid)
		return search_lists(sw, key);
	if (!model_fdb_look(sw, fid, &key->mac, &e) || e.kind != VS_FDB_STATIC ||
	    e.port >= VS_PORTS_MAX)
		return NULL;
	port = m->port[e.port];
	return port && !is_own(port, &key->mac) ? port : NULL;
}

/* ---- all of them ---- */

static int copy(const struct vs_msg *msg, struct nlmsghdr **ret)
{
	struct nlmsghdr *nlh;

	if (msg->error)
		return msg->error;
	nlh = malloc(msg->nlh->nlmsg_len);
	if (!nlh)
		return -ENOMEM;
	memcpy(nlh, msg->nlh, msg->nlh->nlmsg_len);
	*ret = nlh;
	return 0;
}

int vs_config_record(struct vs_model *m, const struct vs_config_key *key, struct nlmsghdr **ret)
{
	const struct vs_switch *sw = NULL;
	const struct vs_port *port = NULL;
	struct vs_msg msg;

	if (key->object == VS_CONFIG_SWITCH)
		sw = model_find_switch(m, key->name);
	else if (key->object == VS_CONFIG_PORT)
		port = model_find_port(m, key->name);
	else
		port = find_static(m, key);
	if (!sw && !port) {
		*ret = NULL;
		return 0;
	}
	if (sw)
		make_switch(&msg, sw);
	else if (key->object == VS_CONFIG_PORT)
		make_port(&msg, port);
	else
		make_static(&msg, port, &key->mac, key->vlan);
	return copy(&msg, ret);
}

struct walk {
	int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record, void *ctx);
	void *ctx;
};

static int show(const struct walk *walk, const struct vs_msg *msg, struct vs_config_key *key,
		const char *name)
{
	(void)rte_strscpy(key->name, name, sizeof(key->name));
	return msg->error ? msg->error : walk->visit(key, msg->nlh, walk->ctx);
}

static int by_serial(const void *a, const void *b)
{
	uint64_t x = (*(struct vs_switch *const *)a)->serial;
	uint64_t y = (*(struct vs_switch *const *)b)->serial;

	return (x > y) - (x < y);
}

static int walk_switches(struct vs_model *m, const struct walk *walk)
{
	struct vs_config_key key = {.object = VS_CONFIG_SWITCH};
	struct vs_switch *list[VS_SWITCHES_MAX];
	struct vs_msg msg;
	unsigned int n = 0;
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		if (m->sw[i])
			list[n++] = m->sw[i];
	}
	qsort(list, n, sizeof(list[0]), by_serial);
	for (i = 0; i < n && err == 0; i++) {
		make_switch(&msg, list[i]);
		err = show(walk, &msg, &key, list[i]->name);
	}
	return err;
}

static int walk_statics(const struct vs_port *port, const struct walk *walk)
{
	struct vs_config_key key = {.object = VS_CONFIG_FDB};
	struct vs_msg msg;
	uint32_t i;
	int err = 0;

	for (i = 0; i < port->n_statics && err == 0; i++) {
		key.mac = port->statics[i].mac;
		key.vlan = port->statics[i].vid;
		make_static(&msg, port, &key.mac, key.vlan);
		err = show(walk, &msg, &key, port->sw->name);
	}
	return err;
}

int vs_config_each(struct vs_model *m,
		   int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				void *ctx),
		   void *ctx)
{
	const struct walk walk = {.visit = visit, .ctx = ctx};
	struct vs_config_key key = {.object = VS_CONFIG_PORT};
	struct vs_port *list[VS_PORTS_MAX];
	unsigned int n = model_list_ports(m, NULL, list);
	struct vs_msg msg;
	unsigned int i;
	int err;

	err = walk_switches(m, &walk);
	for (i = 0; i < n && err == 0; i++) {
		make_port(&msg, list[i]);
		err = show(&walk, &msg, &key, list[i]->name);
	}
	for (i = 0; i < n && err == 0; i++)
		err = walk_statics(list[i], &walk);
	return err;
}

int vs_config_statics(struct vs_model *m, const char *name,
		      int (*visit)(const struct rte_ether_addr *mac, uint16_t vlan, void *ctx),
		      void *ctx)
{
	const struct vs_port *port = model_find_port(m, name);
	uint32_t i;
	int err = 0;

	for (i = 0; port && i < port->n_statics && err == 0; i++)
		err = visit(&port->statics[i].mac, port->statics[i].vid, ctx);
	return err;
}

/* ---- order of creation ---- */

bool vs_config_find(struct vs_model *m, const struct vs_config_key *key,
		    struct vs_config_place *ret_place)
{
	const struct vs_switch *sw = NULL;
	const struct vs_port *port = NULL;

	switch (key->object) {
	case VS_CONFIG_SWITCH:
		sw = model_find_switch(m, key->name);
		if (sw)
			*ret_place = (struct vs_config_place){.serial = sw->serial};
		break;
	case VS_CONFIG_PORT:
		port = model_find_port(m, key->name);
		if (port)
			*ret_place = (struct vs_config_place){.serial = port->serial,
							      .parent = port->sw->serial};
		break;
	case VS_CONFIG_FDB:
		port = find_static(m, key);
		if (port)
			*ret_place = (struct vs_config_place){.parent = port->serial};
		break;
	}
	return sw || port;
}

int vs_config_set_serial(struct vs_model *m, const struct vs_config_key *key, uint64_t serial)
{
	struct vs_switch *sw = NULL;
	struct vs_port *port = NULL;

	if (key->object == VS_CONFIG_SWITCH)
		sw = model_find_switch(m, key->name);
	else if (key->object == VS_CONFIG_PORT)
		port = model_find_port(m, key->name);
	if (!sw && !port)
		return -ENOENT;
	if (sw)
		sw->serial = serial;
	else
		port->serial = serial;
	vs_config_set_last(m, serial);
	return 0;
}

void vs_config_set_last(struct vs_model *m, uint64_t serial)
{
	if (m->serial < serial)
		m->serial = serial;
}
