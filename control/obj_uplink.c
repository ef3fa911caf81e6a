/* SPDX-License-Identifier: BSD-3-Clause */
/* Uplinks: whether their cards do what they claim (TEST). */
#include "control/obj.h"

#include "control/model_show.h"

static int put(const struct vs_uplink_test_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	vs_msg_put_u32(msg, VS_ATTR_TEST_OFFLOAD, view->offload);
	vs_msg_put_u32(msg, VS_ATTR_TEST_VERDICT, view->verdict);
	vs_msg_put_u32(msg, VS_ATTR_TEST_SENT, view->sent);
	vs_msg_put_u32(msg, VS_ATTR_TEST_BACK, view->back);
	vs_msg_put_u32(msg, VS_ATTR_QUARANTINE, view->quarantined ? view->offload : 0);
	if (view->why[0])
		vs_msg_put_str(msg, VS_ATTR_TEXT, view->why);
	return vs_call_end(ctx);
}

static int test(struct vs_call *call, struct vs_fail *fail)
{
	struct rte_ether_addr partner;

	vs_call_mac(call, VS_ATTR_PARTNER, &partner);
	return vs_uplink_test(call->model, vs_call_str(call, VS_ATTR_SWITCH), &partner, put, call,
			      fail);
}

const struct vs_handler vs_obj_uplink[] = {
	{VS_CMD_UPLINK_TEST, test},
	{0, NULL},
};
