/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Subscriptions: notices of the model become messages to those who asked for them.
 */
#include "control/obj.h"
#include "control/session.h"

#include <time.h>

enum {
	/** Header, three names, an address, a text of a vs_fail's size. */
	NOTICE_MESSAGE = 1024,
};

static const char *event_name(enum vs_notice_type type)
{
	switch (type) {
	case VS_NOTICE_SWITCH_ADDED:
		return "switch-added";
	case VS_NOTICE_SWITCH_REMOVED:
		return "switch-removed";
	case VS_NOTICE_SWITCH_CHANGED:
		return "switch-changed";
	case VS_NOTICE_PORT_ADDED:
		return "port-added";
	case VS_NOTICE_PORT_REMOVED:
		return "port-removed";
	case VS_NOTICE_PORT_CHANGED:
		return "port-changed";
	case VS_NOTICE_PORT_UP:
		return "port-up";
	case VS_NOTICE_PORT_DOWN:
		return "port-down";
	case VS_NOTICE_PORT_FAULT:
		return "port-fault";
	case VS_NOTICE_FDB_FULL:
		return "fdb-full";
	case VS_NOTICE_FDB_FLUSHED:
		return "fdb-flushed";
	case VS_NOTICE_MAC_MOVED:
		return "mac-moved";
	case VS_NOTICE_MAC_LIMIT:
		return "mac-limit";
	case VS_NOTICE_STORM:
		return "storm";
	case VS_NOTICE_UNCONFIRMED:
		return "unconfirmed";
	case VS_NOTICE_CONFIRMED:
		return "confirmed";
	case VS_NOTICE_ROLLED_BACK:
		return "rolled-back";
	case VS_NOTICE_MTU:
		return "mtu";
	case VS_NOTICE_QUARANTINED:
		return "offload-quarantined";
	case VS_NOTICE_RELEASED:
		return "offload-released";
	case VS_NOTICE_NEXT_HOP_FAILED:
		return "next-hop-failed";
	case VS_NOTICE_NEXT_HOP_BACK:
		return "next-hop-back";
	case VS_NOTICE_NEXT_HOP_MOVED:
		return "next-hop-moved";
	case VS_NOTICE_PA_CLASH:
		return "pa-clash";
	case VS_NOTICE_PATH_MTU:
		return "path-mtu";
	case VS_NOTICE_RECORD_STALE:
		return "record-stale";
	case VS_NOTICE_RECORD_MOVED:
		return "record-moved";
	case VS_NOTICE_LEARN_LIMIT:
		return "learn-limit";
	case VS_NOTICE_EVENTS_LOST:
		return "events-lost";
	}
	return "unknown";
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void put_text(struct vs_msg *msg, enum vs_attr attr, const char *text)
{
	if (text && text[0])
		vs_msg_put_str(msg, attr, text);
}

void vs_monitor_notice(const struct vs_notice *notice, void *ctx)
{
	uint32_t buf[NOTICE_MESSAGE / 4];
	struct vs_hub *hub = ctx;
	struct vs_session *s;
	struct vs_msg msg;

	hub->generation++;
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_NOTICE);
	vs_msg_put_u64(&msg, VS_ATTR_TIME, now_ns());
	vs_msg_put_str(&msg, VS_ATTR_EVENT, event_name(notice->type));
	put_text(&msg, VS_ATTR_SWITCH, notice->sw);
	put_text(&msg, VS_ATTR_PORT, notice->port);
	if (!rte_is_zero_ether_addr(&notice->mac))
		vs_msg_put_bytes(&msg, VS_ATTR_MAC, &notice->mac, sizeof(notice->mac));
	put_text(&msg, VS_ATTR_TEXT, notice->text); /* last: left out if it is too long */
	TAILQ_FOREACH(s, &hub->sessions, link) {
		if (s->subscribed)
			vs_session_notify(s, msg.nlh);
	}
}

void vs_monitor_overflow(struct vs_session *s)
{
	uint32_t buf[NOTICE_MESSAGE / 4];
	uint64_t lost = s->lost;
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_NOTICE);
	vs_msg_put_u64(&msg, VS_ATTR_TIME, now_ns());
	vs_msg_put_str(&msg, VS_ATTR_EVENT, "overflow");
	vs_msg_put_u64(&msg, VS_ATTR_LOST, lost);
	s->lost = 0;
	vs_session_notify(s, msg.nlh);
	/* no memory for it: it is said next time */
	if (s->lost)
		s->lost = lost;
}

static int subscribe(struct vs_call *call, struct vs_fail *fail)
{
	if (call->session->feed)
		return vs_fail_set(fail, -EBUSY, 0,
				   "this connection captures: subscribe on another one");
	call->session->subscribed = true;
	return 0;
}

const struct vs_handler vs_obj_monitor[] = {
	{VS_CMD_SUBSCRIBE, subscribe},
	{0, NULL},
};
