/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/obj.h"

#include <errno.h>

static int add(struct vs_call *call, struct vs_fail *fail)
{
	uint32_t kind = vs_tlv_u32(call->attr[VS_ATTR_KIND]);

	if (kind != VS_KIND_PRIVATE)
		return vs_fail_set(fail, -EOPNOTSUPP, VS_ATTR_KIND,
				   "type %u is no type of switch; this daemon knows: private",
				   kind);
	return vs_switch_add(call->model, vs_call_str(call, VS_ATTR_NAME), VS_SWITCH_PRIVATE, fail);
}

static int del(struct vs_call *call, struct vs_fail *fail)
{
	enum vs_del_mode mode = call->attr[VS_ATTR_FORCE] ? VS_DEL_FORCE : VS_DEL_REFUSE_PORTS;

	return vs_switch_del(call->model, vs_call_str(call, VS_ATTR_NAME), mode, fail);
}

static int set(struct vs_call *call, struct vs_fail *fail)
{
	const struct nlattr *ageing = call->attr[VS_ATTR_FDB_AGEING];
	const struct nlattr *size = call->attr[VS_ATTR_FDB_SIZE];
	struct vs_switch_change change = {0};

	if (size) {
		change.set |= VS_SWITCH_SET_FDB_SIZE;
		change.fdb_size = vs_tlv_u32(size);
	}
	if (ageing) {
		change.set |= VS_SWITCH_SET_FDB_AGEING;
		change.fdb_ageing_s = vs_tlv_u32(ageing);
	}
	return vs_switch_set(call->model, vs_call_str(call, VS_ATTR_NAME), &change, fail);
}

static int put(const struct vs_switch_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_NAME, view->name);
	vs_msg_put_u32(msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	vs_msg_put_u32(msg, VS_ATTR_PORTS, view->ports);
	vs_msg_put_u32(msg, VS_ATTR_PORTS_UP, view->ports_up);
	vs_msg_put_u32(msg, VS_ATTR_FDB_USED, view->fdb_used);
	vs_msg_put_u32(msg, VS_ATTR_FDB_SIZE, view->fdb_size);
	vs_msg_put_u32(msg, VS_ATTR_FDB_AGEING, view->fdb_ageing_s);
	vs_msg_put_u64(msg, VS_ATTR_FDB_FULL, view->fdb_full);
	return vs_call_end(ctx);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_switch_each(call->model, vs_call_str(call, VS_ATTR_NAME), put, call, fail);
}

const struct vs_handler vs_obj_switch[] = {
	{VS_CMD_SWITCH_NEW, add},
	{VS_CMD_SWITCH_DEL, del},
	{VS_CMD_SWITCH_SET, set},
	{VS_CMD_SWITCH_GET, get},
	{0, NULL},
};
