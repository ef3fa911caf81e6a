/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/obj.h"

#include "control/model_show.h"

static int put(const struct vs_worker_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_u32(msg, VS_ATTR_ID, view->id);
	if (view->cpu >= 0)
		vs_msg_put_u32(msg, VS_ATTR_CPU, (uint32_t)view->cpu);
	if (view->node >= 0)
		vs_msg_put_u32(msg, VS_ATTR_NODE, (uint32_t)view->node);
	vs_msg_put_u64(msg, VS_ATTR_TOTAL_CYCLES, view->total_cycles);
	vs_msg_put_u64(msg, VS_ATTR_BUSY_CYCLES, view->busy_cycles);
	vs_msg_put_u64(msg, VS_ATTR_FRAMES, view->frames);
	vs_msg_put_u64(msg, VS_ATTR_ROUNDS, view->rounds);
	vs_msg_put_u64(msg, VS_ATTR_NAPS, view->naps);
	vs_msg_put_u64(msg, VS_ATTR_TSC_HZ, view->tsc_hz);
	vs_msg_put_u64(msg, VS_ATTR_EVENTS_LOST, view->events_lost);
	vs_msg_put_u32(msg, VS_ATTR_PORTS, view->ports);
	vs_msg_put_u32(msg, VS_ATTR_PAIRS, view->pairs);
	vs_msg_put_str(msg, VS_ATTR_STATE, view->state);
	vs_msg_put_u64(msg, VS_ATTR_PARKS, view->parks);
	vs_msg_put_u64(msg, VS_ATTR_WAKES, view->wakes);
	vs_msg_put_u64(msg, VS_ATTR_IDLE_WAKES, view->idle_wakes);
	vs_msg_put_u64(msg, VS_ATTR_ASLEEP_CYCLES, view->asleep_cycles);
	if (view->awake_for[0])
		vs_msg_put_str(msg, VS_ATTR_AWAKE_FOR, view->awake_for);
	vs_msg_put_u32(msg, VS_ATTR_LOAD, view->load);
	if (view->stays[0])
		vs_msg_put_str(msg, VS_ATTR_STAYS, view->stays);
	return vs_call_end(ctx);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_worker_each(call->model, put, call);
}

const struct vs_handler vs_obj_worker[] = {
	{VS_CMD_WORKER_GET, get},
	{0, NULL},
};
