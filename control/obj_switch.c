/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/obj.h"

#include <errno.h>

static const struct {
	uint32_t number;
	enum vs_switch_kind kind;
} kinds[] = {
	{VS_KIND_PRIVATE, VS_SWITCH_PRIVATE},
	{VS_KIND_INTERNAL, VS_SWITCH_INTERNAL},
	{VS_KIND_EXTERNAL, VS_SWITCH_EXTERNAL},
};

enum {
	N_KINDS = sizeof(kinds) / sizeof(kinds[0]),
};

static int get_kind(const struct vs_call *call, enum vs_switch_kind *ret_kind, struct vs_fail *fail)
{
	uint32_t number = vs_tlv_u32(call->attr[VS_ATTR_KIND]);
	unsigned int i;

	for (i = 0; i < N_KINDS; i++) {
		if (kinds[i].number != number)
			continue;
		*ret_kind = kinds[i].kind;
		return 0;
	}
	return vs_fail_set(fail, -EOPNOTSUPP, VS_ATTR_KIND,
			   "type %u is no type of switch; this daemon knows: private, internal, "
			   "external",
			   number);
}

static uint32_t number_of(enum vs_switch_kind kind)
{
	unsigned int i;

	for (i = 0; i < N_KINDS && kinds[i].kind != kind; i++)
		;
	return i < N_KINDS ? kinds[i].number : 0;
}

static enum vs_share get_share(const struct vs_call *call)
{
	return vs_tlv_u32(call->attr[VS_ATTR_SHARE]) ? VS_SHARE_ON : VS_SHARE_OFF;
}

static enum vs_unknown get_unknown(const struct vs_call *call)
{
	switch (vs_tlv_u32(call->attr[VS_ATTR_UNKNOWN])) {
	case VS_POLICY_UPLINK:
		return VS_UNKNOWN_UPLINK;
	case VS_POLICY_DROP:
		return VS_UNKNOWN_DROP;
	case VS_POLICY_DEFAULT:
		return VS_UNKNOWN_DEFAULT;
	default:
		return VS_UNKNOWN_FLOOD;
	}
}

/* The numbers of the protocol are those of the model; the policy lets no other pass. */
static enum vs_vmq_mode vmq_mode(const struct nlattr *attr)
{
	return (enum vs_vmq_mode)vs_tlv_u32(attr);
}

static int add(struct vs_call *call, struct vs_fail *fail)
{
	struct vs_switch_spec spec = {
		.name = vs_call_str(call, VS_ATTR_NAME),
		.uplink = vs_call_str(call, VS_ATTR_UPLINK),
		.force = call->attr[VS_ATTR_FORCE] != NULL,
	};
	uint32_t ageing;
	int err = get_kind(call, &spec.kind, fail);

	if (err)
		return err;
	if (call->attr[VS_ATTR_UNKNOWN])
		spec.unknown = get_unknown(call);
	if (call->attr[VS_ATTR_FDB_SIZE])
		spec.fdb_size = vs_tlv_u32(call->attr[VS_ATTR_FDB_SIZE]);
	if (call->attr[VS_ATTR_FDB_AGEING]) {
		ageing = vs_tlv_u32(call->attr[VS_ATTR_FDB_AGEING]);
		spec.fdb_ageing_s = &ageing;
	}
	if (call->attr[VS_ATTR_MTU])
		spec.mtu = vs_tlv_u32(call->attr[VS_ATTR_MTU]);
	if (call->attr[VS_ATTR_VMQ])
		spec.vmq = vmq_mode(call->attr[VS_ATTR_VMQ]);
	if (call->attr[VS_ATTR_VMQ_QUEUES])
		spec.vmq_queues = vs_tlv_u32(call->attr[VS_ATTR_VMQ_QUEUES]);
	if (spec.kind != VS_SWITCH_EXTERNAL && (spec.vmq || spec.vmq_queues))
		return vs_fail_set(fail, -EINVAL, spec.vmq ? VS_ATTR_VMQ : VS_ATTR_VMQ_QUEUES,
				   "only an external switch has queues: they are its uplink's");
	if (spec.kind == VS_SWITCH_EXTERNAL)
		spec.share = VS_SHARE_ON;
	else if (call->attr[VS_ATTR_SHARE])
		return vs_fail_set(fail, -EINVAL, VS_ATTR_SHARE,
				   "only an external switch shares its uplink");
	if (call->attr[VS_ATTR_SHARE])
		spec.share = get_share(call);
	return vs_switch_add(call->model, &spec, fail);
}

static int del(struct vs_call *call, struct vs_fail *fail)
{
	enum vs_del_mode mode = call->attr[VS_ATTR_FORCE] ? VS_DEL_FORCE : VS_DEL_REFUSE_PORTS;

	return vs_switch_del(call->model, vs_call_str(call, VS_ATTR_NAME), mode, fail);
}

/* What concerns the type of the switch. */
static int read_kind(const struct vs_call *call, struct vs_switch_change *change,
		     struct vs_fail *fail)
{
	change->force = call->attr[VS_ATTR_FORCE] != NULL;
	if (call->attr[VS_ATTR_UPLINK]) {
		change->set |= VS_SWITCH_SET_UPLINK;
		change->uplink = vs_call_str(call, VS_ATTR_UPLINK);
	}
	if (call->attr[VS_ATTR_SHARE]) {
		change->set |= VS_SWITCH_SET_SHARE;
		change->share = get_share(call);
	}
	if (!call->attr[VS_ATTR_KIND])
		return 0;
	change->set |= VS_SWITCH_SET_KIND;
	return get_kind(call, &change->kind, fail);
}

static int set(struct vs_call *call, struct vs_fail *fail)
{
	const struct nlattr *const *attr = call->attr;
	struct vs_switch_change change = {0};
	int err = read_kind(call, &change, fail);

	if (err)
		return err;
	if (attr[VS_ATTR_UNKNOWN]) {
		change.set |= VS_SWITCH_SET_UNKNOWN;
		change.unknown = get_unknown(call);
	}
	if (attr[VS_ATTR_NEW_NAME]) {
		change.set |= VS_SWITCH_SET_NAME;
		change.name = vs_call_str(call, VS_ATTR_NEW_NAME);
	}
	if (attr[VS_ATTR_FDB_SIZE]) {
		change.set |= VS_SWITCH_SET_FDB_SIZE;
		change.fdb_size = vs_tlv_u32(attr[VS_ATTR_FDB_SIZE]);
	}
	if (attr[VS_ATTR_FDB_AGEING]) {
		change.set |= VS_SWITCH_SET_FDB_AGEING;
		change.fdb_ageing_s = vs_tlv_u32(attr[VS_ATTR_FDB_AGEING]);
	}
	if (attr[VS_ATTR_MTU]) {
		change.set |= VS_SWITCH_SET_MTU;
		change.mtu = vs_tlv_u32(attr[VS_ATTR_MTU]);
	}
	if (attr[VS_ATTR_VMQ]) {
		change.set |= VS_SWITCH_SET_VMQ;
		change.vmq = vmq_mode(attr[VS_ATTR_VMQ]);
	}
	if (attr[VS_ATTR_VMQ_QUEUES]) {
		change.set |= VS_SWITCH_SET_VMQ_QUEUES;
		change.vmq_queues = vs_tlv_u32(attr[VS_ATTR_VMQ_QUEUES]);
	}
	return vs_switch_set(call->model, vs_call_str(call, VS_ATTR_NAME), &change, fail);
}

static uint32_t policy_of(enum vs_unknown unknown)
{
	switch (unknown) {
	case VS_UNKNOWN_UPLINK:
		return VS_POLICY_UPLINK;
	case VS_UNKNOWN_DROP:
		return VS_POLICY_DROP;
	default:
		return VS_POLICY_FLOOD;
	}
}

static int put(const struct vs_switch_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_NAME, view->name);
	vs_msg_put_u32(msg, VS_ATTR_KIND, number_of(view->kind));
	if (view->kind == VS_SWITCH_EXTERNAL) {
		vs_msg_put_str(msg, VS_ATTR_UPLINK, view->uplink);
		vs_msg_put_u32(msg, VS_ATTR_SHARE, view->share == VS_SHARE_ON);
		vs_msg_put_u32(msg, VS_ATTR_VMQ, view->vmq);
		vs_msg_put_u32(msg, VS_ATTR_VMQ_QUEUES, view->vmq_queues);
	}
	vs_msg_put_u32(msg, VS_ATTR_UNKNOWN, policy_of(view->unknown));
	vs_msg_put_u32(msg, VS_ATTR_PORTS, view->ports);
	vs_msg_put_u32(msg, VS_ATTR_PORTS_UP, view->ports_up);
	vs_msg_put_u32(msg, VS_ATTR_FDB_USED, view->fdb_used);
	vs_msg_put_u32(msg, VS_ATTR_FDB_SIZE, view->fdb_size);
	vs_msg_put_u32(msg, VS_ATTR_FDB_AGEING, view->fdb_ageing_s);
	vs_msg_put_u32(msg, VS_ATTR_MTU, view->mtu);
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
