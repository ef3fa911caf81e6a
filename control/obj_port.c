/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports: what is asked for (NEW, SET, DEL). What is shown is in obj_port_show.c. */
#include "control/obj_port.h"

#include <errno.h>
#include <string.h>

/* Which kind a type and the place that was named make. */
static int read_kind(const struct vs_call *call, struct vs_port_spec *spec, struct vs_fail *fail)
{
	uint32_t number = vs_tlv_u32(call->attr[VS_ATTR_KIND]);
	bool socket = call->attr[VS_ATTR_SOCKET] != NULL;
	bool ifname = call->attr[VS_ATTR_IFNAME] != NULL;

	switch (number) {
	case VS_KIND_GUEST:
		if (socket == ifname)
			return vs_fail_set(fail, -EINVAL, VS_ATTR_SOCKET,
					   "a guest port needs one of: socket PATH | tap IFNAME");
		spec->kind = socket ? VS_PORT_GUEST : VS_PORT_PACKET;
		return 0;
	case VS_KIND_HOST:
		if (socket)
			return vs_fail_set(fail, -EINVAL, VS_ATTR_SOCKET,
					   "a host port has an interface, no socket");
		spec->kind = VS_PORT_HOST;
		return 0;
	case VS_KIND_UPLINK:
		return vs_fail_set(fail, -EINVAL, VS_ATTR_KIND,
				   "an uplink comes with its switch (switch add NAME type external "
				   "uplink U)");
	default:
		return vs_fail_set(fail, -EOPNOTSUPP, VS_ATTR_KIND,
				   "type %u is no type of port; this daemon knows: guest, host",
				   number);
	}
}

/* What only some kinds take. */
static int check_kind(const struct vs_call *call, const struct vs_port_spec *spec,
		      struct vs_fail *fail)
{
	if (spec->kind != VS_PORT_HOST && (spec->addrs || spec->queues))
		return vs_fail_set(fail, -EINVAL, spec->addrs ? VS_ATTR_ADDRS : VS_ATTR_QUEUES,
				   "only a host port has %s", spec->addrs ? "addresses" : "queues");
	if (spec->kind != VS_PORT_GUEST && call->attr[VS_ATTR_MODE])
		return vs_fail_set(fail, -EINVAL, VS_ATTR_MODE,
				   "only a port with a socket has a mode");
	return 0;
}

static int read_mac(const struct vs_call *call, enum vs_mac_from *ret_from,
		    struct rte_ether_addr *ret_mac, struct vs_fail *fail)
{
	if (call->attr[VS_ATTR_MAC] && call->attr[VS_ATTR_MAC_AUTO])
		return vs_fail_set(fail, -EINVAL, VS_ATTR_MAC_AUTO,
				   "an address is given or taken from the pool, not both");
	vs_call_mac(call, VS_ATTR_MAC, ret_mac);
	if (call->attr[VS_ATTR_MAC_AUTO])
		*ret_from = VS_MAC_AUTO;
	else if (call->attr[VS_ATTR_MAC] && rte_is_zero_ether_addr(ret_mac))
		*ret_from = VS_MAC_ANY;
	else
		*ret_from = VS_MAC_GIVEN;
	return 0;
}

/* Return: true if the request names VLANs. */
static bool read_vlans(const struct vs_call *call, struct vs_vlans *vlans)
{
	static const enum vs_vlan_mode modes[] = {
		[VS_VLAN_MODE_UNTAGGED] = VS_VLAN_UNTAGGED,
		[VS_VLAN_MODE_ACCESS] = VS_VLAN_ACCESS,
		[VS_VLAN_MODE_TRUNK] = VS_VLAN_TRUNK,
	};
	const struct nlattr *mode = call->attr[VS_ATTR_VLAN_MODE];
	struct vs_range range;
	unsigned int vid;
	unsigned int i;

	if (!mode)
		return false;
	*vlans = (struct vs_vlans){.mode = modes[vs_tlv_u32(mode)]};
	if (call->attr[VS_ATTR_VLAN])
		vlans->vid = (uint16_t)vs_tlv_u32(call->attr[VS_ATTR_VLAN]);
	for (i = 0; vs_tlv_range(call->attr[VS_ATTR_VLANS], i, &range); i++) {
		for (vid = range.first; vid <= range.last; vid++)
			vlans->allowed[vid / 64] |= UINT64_C(1) << (vid % 64);
	}
	return true;
}

static int check_vlan_words(const struct vs_call *call, struct vs_fail *fail)
{
	if (!call->attr[VS_ATTR_VLAN_MODE] &&
	    (call->attr[VS_ATTR_VLAN] || call->attr[VS_ATTR_VLANS]))
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VLAN,
				   "a VLAN needs a mode: vlan access N, or vlan trunk LIST");
	return 0;
}

static void read_offload(const struct nlattr *const *attr, struct vs_port_change *change)
{
	if (attr[VS_ATTR_OFFLOAD_ON])
		change->offload_on = vs_tlv_u32(attr[VS_ATTR_OFFLOAD_ON]);
	if (attr[VS_ATTR_OFFLOAD_OFF])
		change->offload_off = vs_tlv_u32(attr[VS_ATTR_OFFLOAD_OFF]);
	if (attr[VS_ATTR_OFFLOAD_ON] || attr[VS_ATTR_OFFLOAD_OFF])
		change->set |= VS_PORT_SET_OFFLOAD;
}

static int check_offload(const struct vs_port_change *change, struct vs_fail *fail)
{
	if ((change->set & VS_PORT_SET_OFFLOAD) && (change->offload_on & change->offload_off))
		return vs_fail_set(fail, -EINVAL, VS_ATTR_OFFLOAD_ON,
				   "an offload is switched on or off, not both");
	return 0;
}

/* The numbers of the protocol begin at 1. */
static enum vs_guest_mod port_moderation(uint32_t number)
{
	_Static_assert((int)VS_MODERATION_OFF == VS_GUEST_MOD_OFF + 1 &&
			       (int)VS_MODERATION_ADAPTIVE == VS_GUEST_MOD_ADAPTIVE + 1,
		       "the same order");
	return (enum vs_guest_mod)(number - VS_MODERATION_OFF);
}

/* What a port has by default, and may be given when it is made. */
static void read_settings(const struct vs_call *call, struct vs_port_change *change)
{
	const struct nlattr *const *attr = call->attr;

	if (attr[VS_ATTR_LINK]) {
		change->set |= VS_PORT_SET_LINK;
		change->link = vs_tlv_u32(attr[VS_ATTR_LINK]) ? VS_LINK_UP : VS_LINK_DOWN;
	}
	if (attr[VS_ATTR_STORM_PPS]) {
		change->set |= VS_PORT_SET_STORM;
		change->storm_pps = vs_tlv_u32(attr[VS_ATTR_STORM_PPS]);
	}
	if (attr[VS_ATTR_MAX_MACS]) {
		change->set |= VS_PORT_SET_MAX_MACS;
		change->max_macs = vs_tlv_u32(attr[VS_ATTR_MAX_MACS]);
	}
	if (attr[VS_ATTR_PRIORITY]) {
		change->set |= VS_PORT_SET_PRIORITY;
		change->priority = vs_tlv_u32(attr[VS_ATTR_PRIORITY]) != 0;
	}
	if (attr[VS_ATTR_MODERATION]) {
		change->set |= VS_PORT_SET_MODERATION;
		change->moderation = port_moderation(vs_tlv_u32(attr[VS_ATTR_MODERATION]));
	}
	if (attr[VS_ATTR_VMQ_WEIGHT]) {
		change->set |= VS_PORT_SET_VMQ_WEIGHT;
		change->vmq_weight = vs_tlv_u32(attr[VS_ATTR_VMQ_WEIGHT]);
	}
	if (attr[VS_ATTR_CLUSTER]) {
		change->set |= VS_PORT_SET_CLUSTER;
		vs_call_mac(call, VS_ATTR_CLUSTER, &change->cluster);
	}
	if (attr[VS_ATTR_PLACE]) {
		change->set |= VS_PORT_SET_PLACE;
		change->place = vs_call_str(call, VS_ATTR_PLACE);
	}
	change->origin = call->origin;
	read_offload(attr, change);
}

/* What belongs to the port that is made, and is changed later. */
static void read_rest(const struct vs_call *call, struct vs_port_change *change)
{
	const struct nlattr *const *attr = call->attr;

	if (attr[VS_ATTR_MTU]) {
		change->set |= VS_PORT_SET_MTU;
		change->mtu = vs_tlv_u32(attr[VS_ATTR_MTU]);
	}
	if (attr[VS_ATTR_VM]) {
		change->set |= VS_PORT_SET_VM;
		change->vm = vs_call_str(call, VS_ATTR_VM);
	}
	if (attr[VS_ATTR_NEW_NAME]) {
		change->set |= VS_PORT_SET_NAME;
		change->name = vs_call_str(call, VS_ATTR_NEW_NAME);
	}
	if (attr[VS_ATTR_SWITCH]) {
		change->set |= VS_PORT_SET_SWITCH;
		change->sw = vs_call_str(call, VS_ATTR_SWITCH);
	}
	if (attr[VS_ATTR_ADDRS]) {
		change->set |= VS_PORT_SET_ADDRS;
		change->addrs = vs_call_str(call, VS_ATTR_ADDRS);
	}
}

static int add(struct vs_call *call, struct vs_fail *fail)
{
	const struct nlattr *const *attr = call->attr;
	struct vs_port_change settings = {0};
	struct vs_vlans vlans;
	struct vs_port_spec spec = {
		.name = vs_call_str(call, VS_ATTR_NAME),
		.sw = vs_call_str(call, VS_ATTR_SWITCH),
		.socket = vs_call_str(call, VS_ATTR_SOCKET),
		.mode = VS_GUEST_CLIENT,
		.ifname = vs_call_str(call, VS_ATTR_IFNAME),
		.addrs = vs_call_str(call, VS_ATTR_ADDRS),
		.vm = vs_call_str(call, VS_ATTR_VM),
		.settings = &settings,
		.origin = call->origin,
	};
	int err;

	if (attr[VS_ATTR_MODE] && vs_tlv_u32(attr[VS_ATTR_MODE]) == VS_MODE_SERVER)
		spec.mode = VS_GUEST_SERVER;
	if (attr[VS_ATTR_QUEUES])
		spec.queues = vs_tlv_u32(attr[VS_ATTR_QUEUES]);
	if (attr[VS_ATTR_MTU])
		spec.mtu = vs_tlv_u32(attr[VS_ATTR_MTU]);
	read_settings(call, &settings);
	if (read_vlans(call, &vlans))
		spec.vlans = &vlans;
	err = read_kind(call, &spec, fail);
	if (!err)
		err = check_kind(call, &spec, fail);
	if (!err)
		err = check_vlan_words(call, fail);
	if (!err)
		err = check_offload(&settings, fail);
	if (!err)
		err = read_mac(call, &spec.mac_from, &spec.mac, fail);
	return err ? err : vs_port_add(call->model, &spec, fail);
}

static int del(struct vs_call *call, struct vs_fail *fail)
{
	return vs_port_del(call->model, vs_call_str(call, VS_ATTR_NAME), fail);
}

static int set(struct vs_call *call, struct vs_fail *fail)
{
	struct vs_port_change change = {0};
	struct vs_vlans vlans;
	int err;

	read_settings(call, &change);
	read_rest(call, &change);
	if (read_vlans(call, &vlans)) {
		change.set |= VS_PORT_SET_VLANS;
		change.vlans = &vlans;
	}
	if (call->attr[VS_ATTR_MAC] || call->attr[VS_ATTR_MAC_AUTO])
		change.set |= VS_PORT_SET_MAC;
	err = check_vlan_words(call, fail);
	if (!err)
		err = check_offload(&change, fail);
	if (!err)
		err = read_mac(call, &change.mac_from, &change.mac, fail);
	if (err)
		return err;
	return vs_port_set(call->model, vs_call_str(call, VS_ATTR_NAME), &change, fail);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_port_each(call->model, vs_call_str(call, VS_ATTR_NAME), port_put, call, fail);
}

const struct vs_handler vs_obj_port[] = {
	{VS_CMD_PORT_NEW, add},
	{VS_CMD_PORT_DEL, del},
	{VS_CMD_PORT_SET, set},
	{VS_CMD_PORT_GET, get},
	{0, NULL},
};
