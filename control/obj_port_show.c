/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports: what is shown (GET). */
#include "control/obj_port.h"

#include "control/config.h"

static void put_guest(struct vs_msg *msg, const struct vs_port_view *view)
{
	const struct vs_guest_info *guest = &view->guest.info;

	vs_msg_put_str(msg, VS_ATTR_SOCKET, view->guest.socket);
	vs_msg_put_u32(msg, VS_ATTR_MODE,
		       view->guest.mode == VS_GUEST_SERVER ? VS_MODE_SERVER : VS_MODE_CLIENT);
	if (guest->vmm_pid > 0)
		vs_msg_put_u32(msg, VS_ATTR_PEER_PID, (uint32_t)guest->vmm_pid);
	vs_msg_put_u64(msg, VS_ATTR_FEATURES, guest->features);
	vs_msg_put_u64(msg, VS_ATTR_OFFERED, guest->offered);
	vs_msg_put_u32(msg, VS_ATTR_RING_SIZE, guest->ring_size);
	vs_msg_put_u32(msg, VS_ATTR_REGIONS, guest->regions);
	vs_msg_put_u64(msg, VS_ATTR_MEMORY, guest->memory);
	vs_msg_put_u64(msg, VS_ATTR_CONNECTS, guest->connects);
	vs_msg_put_u64(msg, VS_ATTR_REFUSED, guest->refused);
	vs_msg_put_u64(msg, VS_ATTR_FAULTS, guest->faults);
	if (guest->last_fault)
		vs_msg_put_str(msg, VS_ATTR_LAST_FAULT, guest->last_fault);
	vs_msg_put_u64(msg, VS_ATTR_CALLS, guest->calls);
	vs_msg_put_u32(msg, VS_ATTR_PAIRS_ON, guest->pairs_on);
	vs_msg_put_bytes(msg, VS_ATTR_PAIR_SENT, guest->pair_sent,
			 guest->n_pairs * sizeof(guest->pair_sent[0]));
	vs_msg_put_bytes(msg, VS_ATTR_PAIR_RECEIVED, guest->pair_received,
			 guest->n_pairs * sizeof(guest->pair_received[0]));
	vs_msg_put_u32(msg, VS_ATTR_MODERATION, view->moderation + VS_MODERATION_OFF);
}

static void put_uplink(struct vs_msg *msg, const struct vs_port_view *view)
{
	vs_msg_put_str(msg, VS_ATTR_UPLINK, view->uplink.uplink);
	vs_msg_put_str(msg, VS_ATTR_DRIVER, view->uplink.driver);
	vs_msg_put_bytes(msg, VS_ATTR_DEVICE_MAC, &view->uplink.mac, sizeof(view->uplink.mac));
	if (view->uplink.speed_mbps)
		vs_msg_put_u32(msg, VS_ATTR_SPEED, view->uplink.speed_mbps);
	if (view->uplink.node >= 0)
		vs_msg_put_u32(msg, VS_ATTR_NODE, (uint32_t)view->uplink.node);
	if (view->uplink.detail[0])
		vs_msg_put_str(msg, VS_ATTR_DETAIL, view->uplink.detail);
}

static void put_vlans(struct vs_msg *msg, const struct vs_port_view *view)
{
	vs_config_put_vlans(msg, view->vlans);
	vs_msg_put_u32(msg, VS_ATTR_PRIORITY, view->priority);
	vs_msg_put_u32(msg, VS_ATTR_OFFLOAD_OFF, view->offload_off);
	if (!rte_is_zero_ether_addr(&view->cluster))
		vs_msg_put_bytes(msg, VS_ATTR_CLUSTER, &view->cluster, sizeof(view->cluster));
}

static void put_state(struct vs_msg *msg, const struct vs_port_view *view)
{
	vs_msg_put_u32(msg, VS_ATTR_LINK, view->link_up);
	vs_msg_put_u32(msg, VS_ATTR_UP, view->up);
	vs_msg_put_str(msg, VS_ATTR_STATE, view->state);
	if (view->problem[0])
		vs_msg_put_str(msg, VS_ATTR_PROBLEM, view->problem);
	if (!rte_is_zero_ether_addr(&view->mac))
		vs_msg_put_bytes(msg, VS_ATTR_MAC, &view->mac, sizeof(view->mac));
	vs_msg_put_u32(msg, VS_ATTR_MTU, view->mtu);
	if (view->mtu_net)
		vs_msg_put_u32(msg, VS_ATTR_MTU_NET, view->mtu_net);
	vs_msg_put_u32(msg, VS_ATTR_STORM_PPS, view->storm_pps);
	vs_msg_put_u32(msg, VS_ATTR_MAX_MACS, view->max_macs);
	vs_msg_put_u32(msg, VS_ATTR_MACS, view->macs);
	if (port_number_of(view->kind) == VS_KIND_GUEST)
		vs_msg_put_u32(msg, VS_ATTR_VMQ_WEIGHT, view->vmq_weight);
	vs_msg_put_u32(msg, VS_ATTR_PAIRS, view->pairs);
	vs_msg_put_u32(msg, VS_ATTR_WORKER, view->worker);
	vs_msg_put_str(msg, VS_ATTR_PLACE, view->place);
}

uint32_t port_number_of(enum vs_port_kind kind)
{
	switch (kind) {
	case VS_PORT_HOST:
		return VS_KIND_HOST;
	case VS_PORT_XDP:
	case VS_PORT_DPDK:
		return VS_KIND_UPLINK;
	default:
		return VS_KIND_GUEST;
	}
}

int port_put(const struct vs_port_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_NAME, view->name);
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_u32(msg, VS_ATTR_KIND, port_number_of(view->kind));
	vs_msg_put_str(msg, VS_ATTR_VM, view->vm);
	vs_msg_put_u32(msg, VS_ATTR_ID, view->id);
	put_state(msg, view);
	put_vlans(msg, view);
	switch (view->kind) {
	case VS_PORT_GUEST:
		put_guest(msg, view);
		break;
	case VS_PORT_PACKET:
	case VS_PORT_HOST:
		vs_msg_put_str(msg, VS_ATTR_IFNAME, view->host.ifname);
		if (view->kind == VS_PORT_HOST)
			vs_msg_put_str(msg, VS_ATTR_ADDRS, view->host.addrs);
		break;
	default:
		put_uplink(msg, view);
	}
	return vs_call_end(ctx);
}
