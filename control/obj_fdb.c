/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/obj.h"

static const char *const origins[] = {
	[VS_FDB_ORIGIN_LEARNT] = "learnt",
	[VS_FDB_ORIGIN_GIVEN] = "given",
	[VS_FDB_ORIGIN_STATIC] = "static",
	[VS_FDB_ORIGIN_CLUSTER] = "cluster",
};

static struct vs_fdb_spec read_spec(const struct vs_call *call)
{
	struct vs_fdb_spec spec = {
		.sw = vs_call_str(call, VS_ATTR_SWITCH),
		.port = vs_call_str(call, VS_ATTR_PORT),
	};

	vs_call_mac(call, VS_ATTR_MAC, &spec.mac);
	if (call->attr[VS_ATTR_VLAN])
		spec.vlan = (uint16_t)vs_tlv_u32(call->attr[VS_ATTR_VLAN]);
	return spec;
}

static int add(struct vs_call *call, struct vs_fail *fail)
{
	const struct vs_fdb_spec spec = read_spec(call);

	return vs_fdb_add_static(call->model, &spec, fail);
}

static int del(struct vs_call *call, struct vs_fail *fail)
{
	const struct vs_fdb_spec spec = read_spec(call);

	return vs_fdb_del_static(call->model, &spec, fail);
}

static int put(const struct vs_fdb_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	if (view->port[0])
		vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	vs_msg_put_bytes(msg, VS_ATTR_MAC, &view->mac, sizeof(view->mac));
	vs_msg_put_u32(msg, VS_ATTR_VLAN, view->vlan);
	vs_msg_put_u32(msg, VS_ATTR_AGE, view->age_s);
	vs_msg_put_str(msg, VS_ATTR_ORIGIN, origins[view->origin]);
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
	{VS_CMD_FDB_NEW, add},
	{VS_CMD_FDB_DEL, del},
	{VS_CMD_FDB_GET, get},
	{VS_CMD_FDB_FLUSH, flush},
	{0, NULL},
};
