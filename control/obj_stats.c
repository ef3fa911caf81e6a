/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters, drops and the audit.
 */
#include "control/obj.h"

#include "control/model_show.h"

static int put_stats(const struct vs_stats_view *view, void *ctx)
{
	const struct vs_port_stats *c = &view->counters;
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_str(msg, VS_ATTR_VM, view->vm);
	vs_msg_put_u64(msg, VS_ATTR_RECEIVED, c->received);
	vs_msg_put_u64(msg, VS_ATTR_RECEIVED_BYTES, c->received_bytes);
	vs_msg_put_u64(msg, VS_ATTR_FORWARDED, c->forwarded);
	vs_msg_put_u64(msg, VS_ATTR_FLOODED, c->flooded);
	vs_msg_put_u64(msg, VS_ATTR_CONSUMED, c->consumed);
	vs_msg_put_u64(msg, VS_ATTR_ATTEMPTS, c->attempts);
	vs_msg_put_u64(msg, VS_ATTR_SENT, c->sent);
	vs_msg_put_u64(msg, VS_ATTR_SENT_BYTES, c->sent_bytes);
	vs_msg_put_u64(msg, VS_ATTR_DROPPED_IN, vs_stats_drops(c, VS_DROP_SIDE_IN));
	vs_msg_put_u64(msg, VS_ATTR_DROPPED_OUT, vs_stats_drops(c, VS_DROP_SIDE_OUT));
	vs_msg_put_u64(msg, VS_ATTR_CYCLES, c->cycles);
	return vs_call_end(ctx);
}

static int get_stats(struct vs_call *call, struct vs_fail *fail)
{
	return vs_stats_each(call->model, vs_call_str(call, VS_ATTR_PORT), put_stats, call, fail);
}

static void put_sample(struct vs_msg *msg, const struct vs_sample *sample)
{
	size_t have = sample->have < VS_SAMPLE_BYTES ? sample->have : VS_SAMPLE_BYTES;
	struct nlattr *nest;

	if (!sample->when_tsc)
		return;
	nest = vs_msg_nest_begin(msg, VS_ATTR_SAMPLE);
	vs_msg_put_u64(msg, VS_ATTR_AGE_MS, vs_stats_tsc_age_ms(sample->when_tsc));
	vs_msg_put_u32(msg, VS_ATTR_LENGTH, sample->len);
	vs_msg_put_bytes(msg, VS_ATTR_BYTES, sample->bytes, have);
	vs_msg_nest_end(msg, nest);
}

static int put_drop(const struct vs_stats_view *view, enum vs_drop reason, struct vs_call *call)
{
	struct vs_msg *msg = vs_call_begin(call);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_str(msg, VS_ATTR_VM, view->vm);
	vs_msg_put_str(msg, VS_ATTR_REASON, vs_drop_name(reason));
	vs_msg_put_str(msg, VS_ATTR_SIDE, vs_drop_side(reason) == VS_DROP_SIDE_IN ? "in" : "out");
	vs_msg_put_u64(msg, VS_ATTR_COUNT, view->counters.drops[reason]);
	vs_msg_put_str(msg, VS_ATTR_TEXT, vs_drop_text(reason));
	/* what guests say to each other is nothing for readers */
	if (vs_call_rights(call) == VS_RIGHTS_ALL)
		put_sample(msg, &view->counters.samples[reason]);
	return vs_call_end(call);
}

static int put_drops(const struct vs_stats_view *view, void *ctx)
{
	int reason, ret;

	for (reason = VS_DROP_NONE + 1; reason < VS_DROP_COUNT; reason++) {
		if (!view->counters.drops[reason])
			continue;
		ret = put_drop(view, (enum vs_drop)reason, ctx);
		if (ret)
			return ret;
	}
	return 0;
}

static int get_drops(struct vs_call *call, struct vs_fail *fail)
{
	return vs_stats_each(call->model, vs_call_str(call, VS_ATTR_PORT), put_drops, call, fail);
}

static const char *sum_name(enum vs_audit_sum sum)
{
	switch (sum) {
	case VS_AUDIT_INGRESS:
		return "ingress";
	case VS_AUDIT_EGRESS:
		return "egress";
	case VS_AUDIT_SWITCH:
		return "switch";
	}
	return "unknown";
}

static int put_audit(const struct vs_audit_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_SUM, sum_name(view->sum));
	vs_msg_put_str(msg, VS_ATTR_NAME, view->name);
	if (view->sw && view->sw[0])
		vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_u64(msg, VS_ATTR_LEFT, view->left);
	vs_msg_put_u64(msg, VS_ATTR_RIGHT, view->right);
	vs_msg_put_str(msg, VS_ATTR_TERMS, view->terms);
	return vs_call_end(ctx);
}

static int get_audit(struct vs_call *call, struct vs_fail *fail)
{
	return vs_audit_each(call->model, put_audit, call, fail);
}

const struct vs_handler vs_obj_stats[] = {
	{VS_CMD_STATS_GET, get_stats},
	{VS_CMD_AUDIT_GET, get_audit},
	{VS_CMD_DROP_GET, get_drops},
	{0, NULL},
};
