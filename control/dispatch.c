/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/dispatch.h"

#include "control/batch.h"
#include "control/confirm.h"
#include "control/obj.h"
#include "control/session.h"
#include "dataplane/core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run_hello(struct vs_call *call, struct vs_fail *fail);

static const struct vs_handler own[] = {
	{VS_CMD_HELLO, run_hello},
	{0, NULL},
};

/* One row per object. */
static const struct vs_handler *const objects[] = {
	own,          vs_obj_batch,   vs_obj_switch, vs_obj_port,  vs_obj_fdb,
	vs_obj_stats, vs_obj_monitor, vs_obj_worker, vs_obj_mtu,   vs_obj_offload,
	vs_obj_state, vs_obj_capture, vs_obj_vmq,    vs_obj_queue, vs_obj_uplink,
};

enum {
	/** Errors and DONE: headers, a text, two numbers. */
	SMALL_MESSAGE = 640,
};

_Static_assert(SMALL_MESSAGE >= NLMSG_HDRLEN + sizeof(struct nlmsgerr) + VS_REFUSAL_TEXT_SIZE + 32,
	       "an error fits");
_Static_assert(sizeof(((struct vs_fail *)0)->text) <= VS_REFUSAL_TEXT_SIZE, "its text, too");

static struct vs_log_limit refused_limit = {.burst = 10, .interval_s = 60};

static const struct vs_handler *find_handler(unsigned int cmd)
{
	const struct vs_handler *h;
	size_t i;

	for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		for (h = objects[i]; h->cmd; h++) {
			if (h->cmd == cmd)
				return h;
		}
	}
	return NULL;
}

/* ---- for handlers ---- */

const char *vs_call_str(const struct vs_call *call, enum vs_attr attr)
{
	return vs_tlv_str(call->attr[attr]);
}

void vs_call_mac(const struct vs_call *call, enum vs_attr attr, struct rte_ether_addr *ret_mac)
{
	const struct nlattr *a = call->attr[attr];

	if (a)
		memcpy(ret_mac, (const char *)a + NLA_HDRLEN, sizeof(*ret_mac));
	else
		memset(ret_mac, 0, sizeof(*ret_mac));
}

enum vs_rights vs_call_rights(const struct vs_call *call)
{
	return vs_cred_rights(&call->session->peer);
}

static struct vs_msg *begin_record(struct vs_call *call)
{
	struct vs_session *s = call->session;

	vs_msg_init(&call->msg, s->hub->record, sizeof(s->hub->record),
		    (enum vs_cmd)call->request->policy->cmd);
	call->msg.nlh->nlmsg_seq = call->request->nlh->nlmsg_seq;
	if (call->request->policy->answer == VS_ANSWER_DUMP)
		call->msg.nlh->nlmsg_flags = NLM_F_MULTI;
	if (call->skip && s->dump.generation != s->hub->generation)
		call->msg.nlh->nlmsg_flags |= NLM_F_DUMP_INTR;
	return &call->msg;
}

struct vs_msg *vs_call_begin(struct vs_call *call)
{
	return call->pos++ < call->skip ? NULL : begin_record(call);
}

struct vs_msg *vs_call_begin_at(struct vs_call *call, uint64_t next)
{
	call->pos = next;
	return begin_record(call);
}

int vs_call_end(struct vs_call *call)
{
	int ret = call->msg.error;

	if (!ret)
		ret = vs_session_put(call->session, call->msg.nlh);
	if (ret)
		return ret;
	return call->session->out_bytes >= VS_SLICE_BYTES;
}

/* ---- answers ---- */

static void put_error(struct vs_session *s, const struct nlmsghdr *to,
		      const struct vs_refusal *refusal)
{
	uint32_t buf[SMALL_MESSAGE / 4];
	struct vs_msg msg;

	vs_msg_init_error(&msg, buf, sizeof(buf), to, refusal);
	(void)vs_session_put(s, msg.nlh); /* marks the session when it fails */
}

static void put_done(struct vs_session *s, const struct vs_call *call)
{
	struct {
		struct nlmsghdr nlh;
		int error;
	} done = {
		.nlh = {.nlmsg_len = sizeof(done),
			.nlmsg_type = NLMSG_DONE,
			.nlmsg_flags = NLM_F_MULTI,
			.nlmsg_seq = call->request->nlh->nlmsg_seq},
	};

	if (call->skip && s->dump.generation != s->hub->generation)
		done.nlh.nlmsg_flags |= NLM_F_DUMP_INTR;
	(void)vs_session_put(s, &done.nlh);
}

static void put_failure(struct vs_session *s, const struct vs_request *req, int error,
			const struct vs_fail *fail)
{
	struct vs_refusal refusal = {.error = error};

	if (fail->text[0])
		memcpy(refusal.text, fail->text, sizeof(fail->text));
	else
		snprintf(refusal.text, sizeof(refusal.text), "%s: %s", req->policy->name,
			 strerror(-error));
	if (fail->attr < VS_ATTR_COUNT_ && req->attr[fail->attr])
		refusal.offset =
			(uint32_t)((const char *)req->attr[fail->attr] - (const char *)req->nlh);
	put_error(s, req->nlh, &refusal);
}

/** keep_dump() - remember a dump whose slice is full. */
static void keep_dump(struct vs_session *s, const struct vs_call *call)
{
	if (!s->dump.request) {
		s->dump.request = malloc(call->request->nlh->nlmsg_len);
		if (!s->dump.request) {
			s->broken = -ENOMEM;
			return;
		}
		memcpy(s->dump.request, call->request->nlh, call->request->nlh->nlmsg_len);
		s->dump.generation = s->hub->generation;
	}
	s->dump.done = call->pos;
}

static void end_dump(struct vs_session *s)
{
	free(s->dump.request);
	s->dump.request = NULL;
	s->dump.done = 0;
}

static void run(struct vs_session *s, const struct vs_request *req, uint64_t skip)
{
	const struct vs_handler *handler = find_handler(req->policy->cmd);
	struct vs_call call = {
		.model = s->hub->model,
		.attr = req->attr,
		.session = s,
		.request = req,
		.skip = skip,
	};
	struct vs_fail fail = {0};
	int ret;

	if (!handler) {
		vs_fail_set(&fail, 0, VS_ATTR_UNSPEC, "%s is not supported by this daemon",
			    req->policy->name);
		put_failure(s, req, -EOPNOTSUPP, &fail);
		return;
	}
	ret = vs_policy_changes(req->policy) ? vs_confirm_check(s->hub, &fail) : 0;
	if (!ret)
		ret = handler->run(&call, &fail);
	if (ret > 0) {
		keep_dump(s, &call);
		return;
	}
	if (ret < 0)
		put_failure(s, req, ret, &fail);
	else if (req->policy->answer == VS_ANSWER_DUMP)
		put_done(s, &call);
	else if (req->nlh->nlmsg_flags & NLM_F_ACK)
		put_error(s, req->nlh, NULL);
	end_dump(s);
}

void vs_dispatch_refuse(struct vs_session *s, const struct nlmsghdr *to,
			const struct vs_refusal *refusal)
{
	put_error(s, to, refusal);
}

void vs_dispatch_fail(struct vs_session *s, const struct vs_request *req, int error,
		      const struct vs_fail *fail)
{
	put_failure(s, req, error, fail);
}

/* The offending attribute of a refusal, as the model would name it. */
static uint16_t attr_of(const struct nlmsghdr *nlh, const struct vs_refusal *refusal)
{
	const struct nlattr *attr;

	if (refusal->missing || refusal->offset == 0 ||
	    nlh->nlmsg_len - refusal->offset < sizeof(*attr))
		return refusal->missing;
	attr = (const struct nlattr *)((const char *)nlh + refusal->offset);
	return attr->nla_type & NLA_TYPE_MASK;
}

static int run_change(struct vs_model *m, const struct vs_request *req, enum vs_origin origin,
		      struct vs_fail *fail)
{
	const struct vs_handler *handler = find_handler(req->policy->cmd);
	struct vs_call call = {.model = m, .attr = req->attr, .request = req, .origin = origin};

	if (!vs_policy_changes(req->policy) || !handler)
		return vs_fail_set(fail, -EOPNOTSUPP, VS_ATTR_UNSPEC,
				   "%s changes nothing that is configured", req->policy->name);
	return handler->run(&call, fail);
}

int vs_dispatch_change(struct vs_model *m, const struct vs_request *req, struct vs_fail *fail)
{
	return run_change(m, req, VS_FROM_CLIENT, fail);
}

int vs_dispatch_apply(struct vs_model *m, const struct nlmsghdr *nlh, struct vs_fail *fail)
{
	struct vs_refusal refusal;
	struct vs_request req;

	if (vs_request_parse(nlh, &req, &refusal))
		return vs_fail_set(fail, refusal.error, (enum vs_attr)attr_of(nlh, &refusal), "%s",
				   refusal.text);
	return run_change(m, &req, VS_FROM_RECORD, fail);
}

/** is_allowed() - has the client the right to this? If not, it is told, and so is the log. */
static bool is_allowed(struct vs_session *s, const struct vs_request *req)
{
	struct vs_refusal refusal;

	if (vs_cred_may(&s->peer, req->policy->cmd))
		return true;
	vs_cred_refuse(&s->peer, req->policy->name, &refusal);
	put_error(s, req->nlh, &refusal);
	s->hub->counts.refused_requests++;
	vs_log_limited(&refused_limit, VS_LOG_WARNING,
		       "control: %s refused: user %u (process %d) may only read", req->policy->name,
		       s->peer.uid, (int)s->peer.pid);
	return false;
}

void vs_dispatch(struct vs_session *s, const void *buf, size_t len)
{
	struct vs_refusal refusal;
	struct vs_request req;

	if (vs_request_frame(buf, len, &refusal)) {
		put_error(s, NULL, &refusal);
		s->broken = -EBADMSG;
		return;
	}
	if (vs_batch_takes(s)) {
		vs_batch_take(s, buf);
		return;
	}
	if (vs_request_parse(buf, &req, &refusal)) {
		put_error(s, buf, &refusal);
		return;
	}
	if (is_allowed(s, &req))
		run(s, &req, 0);
}

void vs_dispatch_more(struct vs_session *s)
{
	struct vs_refusal refusal;
	struct vs_request req;

	if (vs_request_parse(s->dump.request, &req, &refusal)) {
		put_error(s, s->dump.request, &refusal);
		end_dump(s);
		return;
	}
	run(s, &req, s->dump.done);
}

static int run_hello(struct vs_call *call, struct vs_fail *fail)
{
	struct vs_msg *msg = vs_call_begin(call);
	int ret;

	vs_msg_put_u32(msg, VS_ATTR_VERSION_MIN, VS_PROTO_VERSION_MIN);
	vs_msg_put_u32(msg, VS_ATTR_VERSION_MAX, VS_PROTO_VERSION_MAX);
	vs_msg_put_str(msg, VS_ATTR_DAEMON, call->session->hub->version);
	vs_msg_put_u32(msg, VS_ATTR_PID, (uint32_t)getpid());
	vs_msg_put_u32(msg, VS_ATTR_RIGHTS, vs_cred_rights(&call->session->peer));
	ret = vs_call_end(call);
	return ret < 0 ? ret : 0;
}
