/* SPDX-License-Identifier: BSD-3-Clause */
/* Queue pairs: which worker visits which, and why (GET). */
#include "control/obj.h"

#include "control/model_show.h"

static uint32_t reason_number(enum vs_move_why why)
{
	switch (why) {
	case VS_MOVE_SPREAD:
		return VS_MOVED_SPREAD;
	case VS_MOVE_FOLD:
		return VS_MOVED_FOLD;
	default:
		return VS_MOVED_HAND;
	}
}

static uint32_t placer_number(enum vs_placed_by by)
{
	switch (by) {
	case VS_PLACED_BY_HAND:
		return VS_PLACER_HAND;
	case VS_PLACED_BY_CONTROLLER:
		return VS_PLACER_CONTROLLER;
	default:
		return VS_PLACER_HOME;
	}
}

static int put(const struct vs_queue_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_str(msg, VS_ATTR_VM, view->vm);
	vs_msg_put_u32(msg, VS_ATTR_PAIR, view->pair);
	vs_msg_put_u32(msg, VS_ATTR_WORKER, view->worker);
	vs_msg_put_u32(msg, VS_ATTR_PLACED_BY, placer_number(view->by));
	vs_msg_put_u32(msg, VS_ATTR_LOAD, view->load);
	vs_msg_put_u64(msg, VS_ATTR_MOVES, view->moves);
	if (view->moves) {
		vs_msg_put_u32(msg, VS_ATTR_MOVE_WHY, reason_number(view->why));
		vs_msg_put_u32(msg, VS_ATTR_MOVED_FROM, view->from);
		vs_msg_put_u64(msg, VS_ATTR_MOVED_MS, view->moved_ms);
		vs_msg_put_str(msg, VS_ATTR_TEXT, view->text);
	}
	return vs_call_end(ctx);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_queue_each(call->model, vs_call_str(call, VS_ATTR_PORT), put, call, fail);
}

const struct vs_handler vs_obj_queue[] = {
	{VS_CMD_QUEUE_GET, get},
	{0, NULL},
};
