/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/obj.h"

static int put(const struct vs_fdb_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	vs_msg_put_bytes(msg, VS_ATTR_MAC, &view->mac, sizeof(view->mac));
	vs_msg_put_u32(msg, VS_ATTR_VLAN, view->vlan);
	vs_msg_put_u32(msg, VS_ATTR_AGE, view->age_s);
	vs_msg_put_str(msg, VS_ATTR_ORIGIN, view->given ? "given" : "learnt");
	return vs_call_end(ctx);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_fdb_each(call->model, vs_call_str(call, VS_ATTR_SWITCH), put, call, fail);
}

static int flush(struct vs_call *call, struct vs_fail *fail)
{
	return vs_fdb_flush_switch(call->model, vs_call_str(call, VS_ATTR_SWITCH), fail);
}

const struct vs_handler vs_obj_fdb[] = {
	{VS_CMD_FDB_GET, get},
	{VS_CMD_FDB_FLUSH, flush},
	{0, NULL},
};
