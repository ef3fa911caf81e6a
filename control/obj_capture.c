/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures: frames of a port become messages to the client that asked for them.
 *
 * DOC: theory of operation
 *
 * Frames wait in the rings of the capture until there is room in the queue of the session. They
 * are fetched when the client has taken what was queued, and by a timer when there was nothing to
 * fetch: workers ring no bell for them, which would cost a system call per round. When the capture
 * is over (asked to stop, port gone) and its rings are empty, one more message says so.
 */
#include "control/model_capture.h"
#include "control/obj.h"
#include "control/session.h"
#include "dataplane/core/filter.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	POLL_US = 10000,
	/** A frame with everything that is said of it. */
	FRAME_MESSAGE = VS_ANSWER_MAX,
};

/**
 * struct vs_feed - the capture of a session
 * @name:	its port, as it was called last
 * @sent:	frames
 * @stopped:	the client wanted it
 * @msg:	the message being built
 */
struct vs_feed {
	struct vs_capture *capture;
	struct event *timer;
	char name[VS_PROTO_NAME_SIZE];
	uint64_t sent;
	bool stopped;
	uint32_t msg[FRAME_MESSAGE / 4];
};

/* ---- messages ---- */

static enum vs_verdict verdict_of(const struct vs_tap_record *r)
{
	switch ((enum vs_tap_verdict)r->verdict) {
	case VS_TAP_FORWARDED:
		return VS_VERDICT_FORWARDED;
	case VS_TAP_FLOODED:
		return VS_VERDICT_FLOODED;
	case VS_TAP_DELIVERED:
		return VS_VERDICT_DELIVERED;
	case VS_TAP_DROPPED:
	case VS_TAP_GAP:
		break;
	}
	return VS_VERDICT_DROPPED;
}

/* Is there another port that the frame came from, or was to go to? */
static bool has_other(const struct vs_tap_record *r)
{
	return r->side == VS_TAP_TO || r->verdict == VS_TAP_FORWARDED ||
	       (r->verdict == VS_TAP_DROPPED &&
		vs_drop_side((enum vs_drop)r->reason) == VS_DROP_SIDE_OUT);
}

static void put_frame(struct vs_msg *msg, const struct vs_capture_view *view)
{
	const struct vs_tap_record *r = view->record;

	vs_msg_put_u64(msg, VS_ATTR_TIME, view->time_ns);
	vs_msg_put_u32(msg, VS_ATTR_DIRECTION,
		       r->side == VS_TAP_FROM ? VS_DIRECTION_FROM : VS_DIRECTION_TO);
	vs_msg_put_u32(msg, VS_ATTR_LENGTH, r->len);
	vs_msg_put_u32(msg, VS_ATTR_VERDICT, verdict_of(r));
	if (view->other[0] && has_other(r))
		vs_msg_put_str(msg, VS_ATTR_PORT, view->other);
	if (r->verdict == VS_TAP_FLOODED) {
		vs_msg_put_u32(msg, VS_ATTR_COPIES, r->copies);
		vs_msg_put_u32(msg, VS_ATTR_COPIES_DROPPED, r->copies_dropped);
	}
	if (r->reason) {
		vs_msg_put_str(msg, VS_ATTR_REASON, vs_drop_name((enum vs_drop)r->reason));
		vs_msg_put_str(msg, VS_ATTR_TEXT, vs_drop_text((enum vs_drop)r->reason));
	}
	if (r->lost)
		vs_msg_put_u64(msg, VS_ATTR_LOST, r->lost);
	vs_msg_put_bytes(msg, VS_ATTR_BYTES, r->bytes, r->have);
}

/* Return: 0, or an error of vs_session_feed(). */
static int send_frame(struct vs_session *s, const struct vs_capture_view *view)
{
	struct vs_feed *feed = s->feed;
	struct vs_msg msg;
	int ret;

	/* cleared as far as it is used: frames are many, and most are short */
	vs_msg_init(&msg, feed->msg, FRAME_MESSAGE - VS_PROTO_SNAPLEN_MAX, VS_CMD_CAPTURE);
	msg.size = sizeof(feed->msg);
	put_frame(&msg, view);
	ret = vs_session_feed(s, msg.nlh);
	if (!ret)
		feed->sent++;
	return ret;
}

static int send_end(struct vs_session *s)
{
	const char *name = vs_capture_port(s->feed->capture);
	struct vs_feed *feed = s->feed;
	uint32_t buf[512 / 4];
	struct vs_msg msg;
	char text[96];

	snprintf(text, sizeof(text), feed->stopped ? "stopped" : "port '%s' is gone",
		 name[0] ? name : feed->name);
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_CAPTURE);
	vs_msg_put_str(&msg, VS_ATTR_EVENT, "end");
	vs_msg_put_str(&msg, VS_ATTR_TEXT, text);
	vs_msg_put_u64(&msg, VS_ATTR_COUNT, feed->sent);
	vs_msg_put_u64(&msg, VS_ATTR_LOST, vs_capture_lost(feed->capture));
	return vs_session_feed(s, msg.nlh);
}

void vs_feed_more(struct vs_session *s)
{
	struct vs_feed *feed = s->feed;
	bool over = vs_capture_is_over(feed->capture);
	struct vs_capture_view view;
	int ret = 0;

	if (!over)
		snprintf(feed->name, sizeof(feed->name), "%s", vs_capture_port(feed->capture));
	while (!ret && vs_capture_next(feed->capture, &view)) {
		ret = send_frame(s, &view);
		if (!ret)
			vs_capture_take(feed->capture, &view);
	}
	if (!ret && over && send_end(s) == 0)
		vs_feed_free(s);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	vs_feed_more(ctx);
}

/* ---- commands ---- */

static uint32_t number_or(const struct vs_call *call, enum vs_attr attr, uint32_t usual)
{
	return call->attr[attr] ? vs_tlv_u32(call->attr[attr]) : usual;
}

static int begin(struct vs_call *call, struct vs_feed *feed, struct vs_fail *fail)
{
	const struct timeval period = {.tv_usec = POLL_US};
	const struct nlattr *filter = call->attr[VS_ATTR_FILTER];
	struct vs_capture_spec spec = {
		.port = vs_call_str(call, VS_ATTR_PORT),
		.drops_only = call->attr[VS_ATTR_DROPS] != NULL,
		.snap = number_or(call, VS_ATTR_SNAPLEN, VS_PROTO_SNAPLEN_MAX),
	};
	uint32_t direction = number_or(call, VS_ATTR_DIRECTION, VS_DIRECTION_BOTH);

	_Static_assert((int)VS_DIRECTION_FROM == (int)VS_TAP_FROM &&
			       (int)VS_DIRECTION_TO == (int)VS_TAP_TO,
		       "the same bits");
	_Static_assert((int)VS_CAPTURES_MAX == (int)VS_TAPS_MAX, "one number");
	_Static_assert((int)VS_PROTO_FILTER_MAX == (int)VS_FILTER_MAX, "one number");
	spec.sides = (uint8_t)direction;
	if (filter) {
		spec.filter = (const struct sock_filter *)(const void *)(filter + 1);
		spec.n_filter =
			(unsigned int)((filter->nla_len - NLA_HDRLEN) / sizeof(*spec.filter));
	}
	feed->timer = event_new(call->session->hub->base, -1, EV_PERSIST, on_timer, call->session);
	if (!feed->timer || event_add(feed->timer, &period))
		return -ENOMEM;
	return vs_capture_add(call->model, &spec, &feed->capture, fail);
}

static int start(struct vs_call *call, struct vs_fail *fail)
{
	struct vs_session *s = call->session;
	struct vs_feed *feed;
	int ret;

	if (s->feed || s->subscribed)
		return vs_fail_set(fail, -EBUSY, 0,
				   s->feed ? "this connection captures already"
					   : "this connection has subscribed to events: capture on "
					     "another one");
	feed = calloc(1, sizeof(*feed));
	if (!feed)
		return -ENOMEM;
	ret = begin(call, feed, fail);
	if (ret) {
		if (feed->timer)
			event_free(feed->timer);
		free(feed);
		return ret;
	}
	s->feed = feed;
	return 0;
}

static int stop(struct vs_call *call, struct vs_fail *fail)
{
	struct vs_feed *feed = call->session->feed;
	int ret;

	if (!feed)
		return vs_fail_set(fail, -ENOENT, 0, "this connection does not capture");
	ret = vs_capture_end(feed->capture);
	if (ret)
		return vs_fail_set(fail, ret, 0, "no memory for a new configuration");
	feed->stopped = true;
	return 0;
}

void vs_feed_free(struct vs_session *s)
{
	if (!s->feed)
		return;
	vs_capture_del(s->feed->capture);
	event_free(s->feed->timer);
	free(s->feed);
	s->feed = NULL;
}

const struct vs_handler vs_obj_capture[] = {
	{VS_CMD_CAPTURE_START, start},
	{VS_CMD_CAPTURE_STOP, stop},
	{0, NULL},
};
