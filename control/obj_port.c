/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/obj.h"

#include <errno.h>

static int add(struct vs_call *call, struct vs_fail *fail)
{
	uint32_t kind = vs_tlv_u32(call->attr[VS_ATTR_KIND]);
	const struct nlattr *mode = call->attr[VS_ATTR_MODE];
	struct vs_port_spec spec = {
		.name = vs_call_str(call, VS_ATTR_NAME),
		.sw = vs_call_str(call, VS_ATTR_SWITCH),
		.kind = VS_PORT_GUEST,
		.socket = vs_call_str(call, VS_ATTR_SOCKET),
		.mode = VS_GUEST_CLIENT,
		.vm = vs_call_str(call, VS_ATTR_VM),
	};

	if (kind != VS_KIND_GUEST)
		return vs_fail_set(fail, -EOPNOTSUPP, VS_ATTR_KIND,
				   "type %u is no type of port; this daemon knows: guest", kind);
	if (mode && vs_tlv_u32(mode) == VS_MODE_SERVER)
		spec.mode = VS_GUEST_SERVER;
	vs_call_mac(call, VS_ATTR_MAC, &spec.mac);
	return vs_port_add(call->model, &spec, fail);
}

static int del(struct vs_call *call, struct vs_fail *fail)
{
	return vs_port_del(call->model, vs_call_str(call, VS_ATTR_NAME), fail);
}

static int set(struct vs_call *call, struct vs_fail *fail)
{
	const struct nlattr *const *attr = call->attr;
	struct vs_port_change change = {0};

	if (attr[VS_ATTR_MAC]) {
		change.set |= VS_PORT_SET_MAC;
		vs_call_mac(call, VS_ATTR_MAC, &change.mac);
	}
	if (attr[VS_ATTR_MTU]) {
		change.set |= VS_PORT_SET_MTU;
		change.mtu = vs_tlv_u32(attr[VS_ATTR_MTU]);
	}
	if (attr[VS_ATTR_LINK]) {
		change.set |= VS_PORT_SET_LINK;
		change.link = vs_tlv_u32(attr[VS_ATTR_LINK]) ? VS_LINK_UP : VS_LINK_DOWN;
	}
	if (attr[VS_ATTR_STORM_PPS]) {
		change.set |= VS_PORT_SET_STORM;
		change.storm_pps = vs_tlv_u32(attr[VS_ATTR_STORM_PPS]);
	}
	if (attr[VS_ATTR_MAX_MACS]) {
		change.set |= VS_PORT_SET_MAX_MACS;
		change.max_macs = vs_tlv_u32(attr[VS_ATTR_MAX_MACS]);
	}
	if (attr[VS_ATTR_VM]) {
		change.set |= VS_PORT_SET_VM;
		change.vm = vs_call_str(call, VS_ATTR_VM);
	}
	return vs_port_set(call->model, vs_call_str(call, VS_ATTR_NAME), &change, fail);
}

static void put_guest(struct vs_msg *msg, const struct vs_guest_info *guest)
{
	vs_msg_put_str(msg, VS_ATTR_STATE, vs_guest_state_name(guest->state));
	if (guest->problem[0])
		vs_msg_put_str(msg, VS_ATTR_PROBLEM, guest->problem);
	if (guest->vmm_pid > 0)
		vs_msg_put_u32(msg, VS_ATTR_PEER_PID, (uint32_t)guest->vmm_pid);
	vs_msg_put_u64(msg, VS_ATTR_FEATURES, guest->features);
	vs_msg_put_u64(msg, VS_ATTR_OFFERED, guest->offered);
	vs_msg_put_u32(msg, VS_ATTR_PAIRS, guest->pairs);
	vs_msg_put_u32(msg, VS_ATTR_RING_SIZE, guest->ring_size);
	vs_msg_put_u32(msg, VS_ATTR_REGIONS, guest->regions);
	vs_msg_put_u64(msg, VS_ATTR_MEMORY, guest->memory);
	vs_msg_put_u64(msg, VS_ATTR_CONNECTS, guest->connects);
	vs_msg_put_u64(msg, VS_ATTR_REFUSED, guest->refused);
	vs_msg_put_u64(msg, VS_ATTR_FAULTS, guest->faults);
	if (guest->last_fault)
		vs_msg_put_str(msg, VS_ATTR_LAST_FAULT, guest->last_fault);
	vs_msg_put_u64(msg, VS_ATTR_CALLS, guest->calls);
}

static int put(const struct vs_port_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_NAME, view->name);
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_u32(msg, VS_ATTR_KIND, VS_KIND_GUEST);
	vs_msg_put_str(msg, VS_ATTR_SOCKET, view->socket);
	vs_msg_put_u32(msg, VS_ATTR_MODE,
		       view->mode == VS_GUEST_SERVER ? VS_MODE_SERVER : VS_MODE_CLIENT);
	vs_msg_put_str(msg, VS_ATTR_VM, view->vm);
	vs_msg_put_u32(msg, VS_ATTR_ID, view->id);
	vs_msg_put_u32(msg, VS_ATTR_LINK, view->link_up);
	vs_msg_put_u32(msg, VS_ATTR_UP, view->up);
	if (!rte_is_zero_ether_addr(&view->mac))
		vs_msg_put_bytes(msg, VS_ATTR_MAC, &view->mac, sizeof(view->mac));
	vs_msg_put_u32(msg, VS_ATTR_MTU, view->mtu);
	vs_msg_put_u32(msg, VS_ATTR_STORM_PPS, view->storm_pps);
	vs_msg_put_u32(msg, VS_ATTR_MAX_MACS, view->max_macs);
	vs_msg_put_u32(msg, VS_ATTR_MACS, view->macs);
	put_guest(msg, &view->guest);
	return vs_call_end(ctx);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_port_each(call->model, vs_call_str(call, VS_ATTR_NAME), put, call, fail);
}

const struct vs_handler vs_obj_port[] = {
	{VS_CMD_PORT_NEW, add},
	{VS_CMD_PORT_DEL, del},
	{VS_CMD_PORT_SET, set},
	{VS_CMD_PORT_GET, get},
	{0, NULL},
};
