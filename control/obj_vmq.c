/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/obj.h"

#include "control/model_show.h"

/* Hyper-V's first form of VMQ, of Windows Server 2008 R2, gone with 2012. */
static const char direct[] =
	"refused: a card that writes into a guest's memory lets the guest change headers while the "
	"switch judges them, which is why Hyper-V withdrew it in 2012. A frame is copied once, "
	"after it was judged";

static int put(const struct vs_vmq_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	if (view->has_queue)
		vs_msg_put_u32(msg, VS_ATTR_QUEUE, view->id);
	vs_msg_put_str(msg, VS_ATTR_ENGINE, view->engine);
	vs_msg_put_str(msg, VS_ATTR_REASON, view->reason);
	vs_msg_put_str(msg, VS_ATTR_VMQ_STATE, view->state);
	if (view->is_default) {
		vs_msg_put_u32(msg, VS_ATTR_VMQ_QUEUES, view->limit);
		vs_msg_put_str(msg, VS_ATTR_VMQ_DIRECT, direct);
	} else {
		vs_msg_put_u32(msg, VS_ATTR_VMQ_WEIGHT, view->weight);
		vs_msg_put_str(msg, VS_ATTR_VMQ_FILTERS, view->filters);
		vs_msg_put_u32(msg, VS_ATTR_VMQ_WANTED, view->wanted);
		vs_msg_put_u64(msg, VS_ATTR_VMQ_ASTRAY, view->astray);
	}
	vs_msg_put_u64(msg, VS_ATTR_FRAMES, view->frames);
	vs_msg_put_u64(msg, VS_ATTR_RECEIVED_BYTES, view->bytes);
	vs_msg_put_u32(msg, VS_ATTR_WORKER, view->worker);
	if (view->text)
		vs_msg_put_str(msg, VS_ATTR_TEXT, view->text);
	return vs_call_end(ctx);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_vmq_each(call->model, vs_call_str(call, VS_ATTR_SWITCH), put, call, fail);
}

const struct vs_handler vs_obj_vmq[] = {
	{VS_CMD_VMQ_GET, get},
	{0, NULL},
};
