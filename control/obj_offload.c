/* SPDX-License-Identifier: BSD-3-Clause */
/* Offloads: who does what, and how often (GET). */
#include "control/obj_port.h"

#include "control/model_show.h"
#include "dataplane/core/debt.h"

/* The numbers of the protocol stay, whatever those inside become. */
_Static_assert((int)VS_CAN_CSUM == VS_OFFLOAD_CSUM && (int)VS_CAN_TSO4 == VS_OFFLOAD_TSO4 &&
		       (int)VS_CAN_TSO6 == VS_OFFLOAD_TSO6 && (int)VS_CAN_ECN == VS_OFFLOAD_ECN &&
		       (int)VS_CAN_USO4 == VS_OFFLOAD_USO4 && (int)VS_CAN_USO6 == VS_OFFLOAD_USO6 &&
		       (int)VS_CAN_VERIFY == VS_OFFLOAD_VERIFY &&
		       (int)VS_CAN_MERGE == VS_OFFLOAD_MERGE,
	       "the same bits");

/* Hyper-V's TCP chimney: a connection as a whole is left to the card. */
static const char chimney[] =
	"no driver of DPDK, nor virtio-net, can leave a TCP connection to a card: the state of the "
	"connection would have to go there. Its aim, less work per byte, is served by frames of "
	"64 KiB that pass whole (tso4, tso6), by merging of what comes from a wire (gro), and by "
	"checksums that nobody computes between guests (csum)";

static void put_row(struct vs_msg *msg, enum vs_attr attr, const struct vs_offload_view *view,
		    enum vs_offload_owed owed)
{
	const uint64_t *cell = view->counters.offload.cell[owed];
	const uint64_t left = cell[VS_SETTLED_PASSED];
	struct nlattr *nest = vs_msg_nest_begin(msg, attr);

	vs_msg_put_u64(msg, VS_ATTR_PASSED, view->hardware ? 0 : left);
	vs_msg_put_u64(msg, VS_ATTR_HARDWARE, view->hardware ? left : 0);
	vs_msg_put_u64(msg, VS_ATTR_CUT, cell[VS_SETTLED_CUT]);
	vs_msg_put_u64(msg, VS_ATTR_SOFTWARE, cell[VS_SETTLED_SOFTWARE]);
	vs_msg_nest_end(msg, nest);
}

static void put_counters(struct vs_msg *msg, const struct vs_offload_view *view)
{
	const struct vs_port_stats *c = &view->counters;

	vs_msg_put_u64(msg, VS_ATTR_OWED_NOTHING, vs_stats_owed_nothing(c));
	put_row(msg, VS_ATTR_OWED_CSUM, view, VS_OWED_CSUM);
	put_row(msg, VS_ATTR_OWED_TSO4, view, VS_OWED_TSO4);
	put_row(msg, VS_ATTR_OWED_TSO6, view, VS_OWED_TSO6);
	put_row(msg, VS_ATTR_OWED_USO4, view, VS_OWED_USO4);
	put_row(msg, VS_ATTR_OWED_USO6, view, VS_OWED_USO6);
	put_row(msg, VS_ATTR_OWED_ECN, view, VS_OWED_ECN);
	vs_msg_put_u64(msg, VS_ATTR_OWED_REFUSED, c->drops[VS_DROP_OFFLOAD_DENIED]);
	vs_msg_put_u64(msg, VS_ATTR_SEGMENTS, c->offload.segments);
	vs_msg_put_u64(msg, VS_ATTR_CHECKSUMS, c->offload.checksums);
	vs_msg_put_u64(msg, VS_ATTR_MERGED, c->offload.merged);
}

static int put(const struct vs_offload_view *view, void *ctx)
{
	struct vs_msg *msg = vs_call_begin(ctx);

	if (!msg)
		return 0;
	vs_msg_put_str(msg, VS_ATTR_PORT, view->port);
	vs_msg_put_str(msg, VS_ATTR_SWITCH, view->sw);
	vs_msg_put_str(msg, VS_ATTR_VM, view->vm);
	vs_msg_put_u32(msg, VS_ATTR_KIND, port_number_of(view->kind));
	vs_msg_put_u32(msg, VS_ATTR_OFFLOAD_FROM, view->rights);
	vs_msg_put_u32(msg, VS_ATTR_OFFLOAD_TO, view->caps);
	vs_msg_put_u32(msg, VS_ATTR_OFFLOAD_USED, view->used);
	vs_msg_put_u32(msg, VS_ATTR_OFFLOAD_OFF, view->off);
	if (view->guest) {
		vs_msg_put_u64(msg, VS_ATTR_FEATURES, view->features);
		vs_msg_put_u64(msg, VS_ATTR_OFFERED, view->offered);
	}
	vs_msg_put_str(msg, VS_ATTR_CHIMNEY, chimney);
	put_counters(msg, view);
	vs_msg_put_u32(msg, VS_ATTR_QUARANTINE, view->quarantine);
	if (view->quarantine)
		vs_msg_put_str(msg, VS_ATTR_QUARANTINE_WHY, view->quarantine_why);
	return vs_call_end(ctx);
}

static int get(struct vs_call *call, struct vs_fail *fail)
{
	return vs_offload_each(call->model, vs_call_str(call, VS_ATTR_PORT), put, call, fail);
}

const struct vs_handler vs_obj_offload[] = {
	{VS_CMD_OFFLOAD_GET, get},
	{0, NULL},
};
