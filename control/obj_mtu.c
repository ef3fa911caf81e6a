/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/obj_port.h"

#include "control/model_show.h"

static uint32_t origin_of(enum vs_mtu_from from)
{
	switch (from) {
	case VS_MTU_FROM_SET:
		return VS_MTU_ORIGIN_SET;
	case VS_MTU_FROM_AUTO:
		return VS_MTU_ORIGIN_AUTO;
	case VS_MTU_FROM_DEVICE:
		return VS_MTU_ORIGIN_DEVICE;
	case VS_MTU_FROM_SWITCH:
		break;
	}
	return VS_MTU_ORIGIN_SWITCH;
}

static int put(const struct vs_mtu_view *view, void *ctx)
{
	const struct vs_range vlans = {.first = view->vid, .last = view->last};
	struct vs_msg *msg = vs_call_begin_at(ctx, view->next);

	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_u32(msg, VS_ATTR_VLAN, view->vid);
	if (view->last > view->vid)
		vs_msg_put_bytes(msg, VS_ATTR_VLANS, &vlans, sizeof(vlans));
	vs_msg_put_u32(msg, VS_ATTR_MTU_NET, view->net);
	vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	vs_msg_put_u32(msg, VS_ATTR_KIND, port_number_of(view->kind));
	vs_msg_put_u32(msg, VS_ATTR_LIMITS, view->limits);
	vs_msg_put_u32(msg, VS_ATTR_MTU, view->mtu);
	vs_msg_put_u32(msg, VS_ATTR_MTU_FROM, origin_of(view->from));
	if (view->vmm)
		vs_msg_put_u32(msg, VS_ATTR_MTU_VMM, view->vmm);
	if (view->problem[0])
		vs_msg_put_str(msg, VS_ATTR_PROBLEM, view->problem);
	return vs_call_end(ctx);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_mtu_each(call->model, vs_call_str(call, VS_ATTR_SWITCH), call->skip, put, call,
			   fail);
}

const struct vs_handler vs_obj_mtu[] = {
	{VS_CMD_MTU_GET, get},
	{0, NULL},
};
