/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/batch.h"

#include "control/config.h"
#include "control/confirm.h"
#include "control/dispatch.h"
#include "control/session.h"
#include "dataplane/core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

enum {
	/** What a message costs besides its bytes. */
	OVERHEAD = 64,
	/** A record with the headers and numbers around it. */
	CHANGE_MESSAGE = VS_CONFIG_RECORD_MAX + 64,
};

static struct vs_log_limit lost_limit = {.burst = 10, .interval_s = 60};

_Static_assert((int)CHANGE_MESSAGE <= (int)VS_MESSAGE_MAX, "a change fits");

/** struct kept - a message of the batch */
struct kept {
	STAILQ_ENTRY(kept) link;
	uint32_t data[];
};

/**
 * struct vs_batch - what a client has sent since BATCH_BEGIN
 * @bytes:	that count against VS_BATCH_BYTES_MAX
 * @bad:	number of the message that was refused when it came; 0: none
 * @lost:	messages it had when its room was given to another; 0: it has its room
 */
struct vs_batch {
	STAILQ_HEAD(, kept) messages;
	unsigned int n;
	size_t bytes;
	unsigned int bad;
	unsigned int lost;
	bool dry;
	uint32_t confirm_s; /* 0: it stays without being confirmed */
};

bool vs_batch_takes(const struct vs_session *s)
{
	return s->batch != NULL;
}

static void forget_messages(struct vs_session *s)
{
	struct vs_batch *b = s->batch;
	struct kept *k;

	while ((k = STAILQ_FIRST(&b->messages)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->messages, link);
		free(k);
	}
	s->hub->batch_bytes -= b->bytes;
	s->hub->batch_messages -= b->n;
	b->bytes = 0;
	b->n = 0;
}

void vs_batch_drop(struct vs_session *s)
{
	if (!s->batch)
		return;
	forget_messages(s);
	free(s->batch);
	s->batch = NULL;
}

static int begin(struct vs_call *call, struct vs_fail *fail)
{
	const struct nlattr *const *attr = call->attr;
	struct vs_session *s = call->session;
	struct vs_batch *b;
	int err = 0;

	if (attr[VS_ATTR_DRY_RUN] && attr[VS_ATTR_CONFIRM])
		return vs_fail_set(fail, -EINVAL, VS_ATTR_CONFIRM,
				   "a dry run changes nothing that could be confirmed");
	if (!attr[VS_ATTR_DRY_RUN])
		err = vs_confirm_check(s->hub, fail);
	if (err)
		return err;
	b = calloc(1, sizeof(*b));
	if (!b)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a batch");
	STAILQ_INIT(&b->messages);
	b->dry = attr[VS_ATTR_DRY_RUN] != NULL;
	if (attr[VS_ATTR_CONFIRM])
		b->confirm_s = vs_tlv_u32(attr[VS_ATTR_CONFIRM]);
	s->batch = b;
	return 0;
}

/* ---- collecting ---- */

static bool has_room(const struct vs_hub *hub, size_t bytes)
{
	return hub->batch_messages < VS_BATCH_MESSAGES_MAX &&
	       hub->batch_bytes + bytes <= VS_BATCH_BYTES_MAX;
}

/* The biggest batch to which nothing was added for so long that its room may be taken, or NULL. */
static struct vs_session *find_idle(const struct vs_hub *hub)
{
	struct vs_session *best = NULL;
	struct vs_session *s;

	TAILQ_FOREACH(s, &hub->sessions, link) {
		if (!s->batch || !s->batch->n || vs_session_idle_s(s) < VS_BATCH_IDLE_SECONDS)
			continue;
		if (!best || s->batch->bytes > best->batch->bytes)
			best = s;
	}
	return best;
}

/* Who begins a batch and falls silent keeps nobody from having one. */
static int check_room(const struct vs_hub *hub, size_t bytes, struct vs_fail *fail)
{
	struct vs_session *idle;

	while (!has_room(hub, bytes) && (idle = find_idle(hub)) != NULL) {
		vs_log_limited(&lost_limit, VS_LOG_WARNING,
			       "control: batch of process %d dropped: %u messages, none for %d s, "
			       "and another needs the room",
			       (int)idle->peer.pid, idle->batch->n, VS_BATCH_IDLE_SECONDS);
		idle->batch->lost = idle->batch->n;
		forget_messages(idle);
	}
	if (has_room(hub, bytes))
		return 0;
	return vs_fail_set(fail, -ENOBUFS, 0,
			   "the batches of all clients have %u messages and %zu bytes: %d and %d "
			   "are the most",
			   hub->batch_messages, hub->batch_bytes, (int)VS_BATCH_MESSAGES_MAX,
			   (int)VS_BATCH_BYTES_MAX);
}

static int tell_lost(const struct vs_batch *b, struct vs_fail *fail)
{
	return vs_fail_set(fail, -ENOBUFS, 0,
			   "nothing was added to the batch for %d s after message %u, and another "
			   "needed its room: nothing has changed; send it again",
			   VS_BATCH_IDLE_SECONDS, b->lost);
}

static int keep(struct vs_session *s, const struct vs_request *req, struct vs_fail *fail)
{
	size_t len = NLMSG_ALIGN(req->nlh->nlmsg_len);
	struct kept *k;
	int err;

	if (!vs_policy_changes(req->policy))
		return vs_fail_set(fail, -EINVAL, 0, "%s cannot be part of a batch",
				   req->policy->name);
	err = s->batch->lost ? tell_lost(s->batch, fail) : check_room(s->hub, len + OVERHEAD, fail);
	if (err)
		return err;
	k = malloc(sizeof(*k) + len);
	if (!k)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for the batch");
	memcpy(k->data, req->nlh, req->nlh->nlmsg_len);
	STAILQ_INSERT_TAIL(&s->batch->messages, k, link);
	s->batch->n++;
	s->batch->bytes += len + OVERHEAD;
	s->hub->batch_messages++;
	s->hub->batch_bytes += len + OVERHEAD;
	return 0;
}

static void refuse(struct vs_session *s)
{
	s->batch->bad = (s->batch->lost ? s->batch->lost : s->batch->n) + 1;
	forget_messages(s);
}

/* ---- the end ---- */

struct showing {
	struct vs_session *s;
	uint32_t seq;
};

static int put_change(const struct showing *show, enum vs_change kind,
		      const struct nlmsghdr *record)
{
	uint32_t buf[CHANGE_MESSAGE / 4];
	const size_t headers = NLMSG_HDRLEN + sizeof(struct vs_msghdr);
	struct nlattr *nest;
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_BATCH_END);
	msg.nlh->nlmsg_flags = NLM_F_MULTI;
	msg.nlh->nlmsg_seq = show->seq;
	vs_msg_put_u32(&msg, VS_ATTR_CHANGE, kind);
	vs_msg_put_u32(&msg, VS_ATTR_COMMAND, vs_msg_cmd(record));
	nest = vs_msg_nest_begin(&msg, VS_ATTR_RECORD);
	vs_msg_put_attrs(&msg, (const char *)record + headers, record->nlmsg_len - headers);
	vs_msg_nest_end(&msg, nest);
	return msg.error ? msg.error : vs_session_put(show->s, msg.nlh);
}

static int show_change(const struct vs_txn_change *change, void *ctx)
{
	const struct showing *show = ctx;
	int err = 0;

	if (!change->before)
		return put_change(show, VS_CHANGE_MADE, change->after);
	if (!change->after)
		return put_change(show, VS_CHANGE_REMOVED, change->before);
	err = put_change(show, VS_CHANGE_BEFORE, change->before);
	return err ? err : put_change(show, VS_CHANGE_AFTER, change->after);
}

static int cancel(unsigned int index, struct vs_fail *fail)
{
	return vs_fail_set(fail, -ECANCELED, 0,
			   "message %u of the batch was refused: nothing has changed", index);
}

static uint64_t now_ms(clockid_t clock)
{
	struct timespec ts = {0};

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * On a busy machine a batch may wait for the processor; not for as long as the service's watchdog.
 */
static bool is_over(uint64_t start, uint64_t start_cpu)
{
	return now_ms(CLOCK_THREAD_CPUTIME_ID) - start_cpu >=
		       VS_BATCH_CPU_SECONDS * UINT64_C(1000) ||
	       now_ms(CLOCK_MONOTONIC) - start >= VS_BATCH_SECONDS * UINT64_C(1000);
}

static int take_too_long(const struct vs_session *s, unsigned int done, struct vs_fail *fail)
{
	return vs_fail_set(fail, -ETIME, 0,
			   "a batch may run for %d s (%d s of the processor's time), which were "
			   "over after %u of %u messages: nothing has changed; send it as several "
			   "batches",
			   VS_BATCH_SECONDS, VS_BATCH_CPU_SECONDS, done, s->batch->n);
}

/* Run one message. Return: 0, or -errno, which was answered. */
static int run_one(struct vs_session *s, const struct nlmsghdr *nlh)
{
	struct vs_fail fail = {0};
	struct vs_refusal refusal;
	struct vs_request req;
	int err = vs_request_parse(nlh, &req, &refusal);

	if (err) {
		vs_dispatch_refuse(s, nlh, &refusal);
		return err;
	}
	err = vs_dispatch_change(s->hub->model, &req, &fail);
	if (err)
		vs_dispatch_fail(s, &req, err, &fail);
	return err;
}

/* Run the messages. Return: 0, -ECANCELED (one failed, which was answered) or -ETIME. */
static int run_all(struct vs_session *s, struct vs_fail *fail)
{
	const uint64_t start_cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);
	const uint64_t start = now_ms(CLOCK_MONOTONIC);
	unsigned int n = 0;
	struct kept *k;

	STAILQ_FOREACH(k, &s->batch->messages, link) {
		/* What is done already is not given up for the last one. */
		if (n > 0 && is_over(start, start_cpu))
			return take_too_long(s, n, fail);
		n++;
		if (run_one(s, (const struct nlmsghdr *)k->data) != 0)
			return cancel(n, fail);
	}
	return 0;
}

static void acknowledge_all(struct vs_session *s)
{
	struct kept *k;

	STAILQ_FOREACH(k, &s->batch->messages, link) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)k->data;

		if (nlh->nlmsg_flags & NLM_F_ACK)
			vs_dispatch_refuse(s, nlh, NULL);
	}
}

/* All messages have run: make it true, or show what it would be. */
static int conclude(struct vs_session *s, const struct nlmsghdr *end, struct vs_fail *fail)
{
	struct vs_model *m = s->hub->model;
	struct showing show = {.s = s, .seq = end->nlmsg_seq};
	int err = 0;

	if (s->batch->confirm_s)
		vs_txn_set_stage(m, VS_TXN_PROVISIONAL);
	if (!s->batch->dry)
		err = vs_txn_commit(m, fail);
	if (err)
		return err;
	acknowledge_all(s);
	if (s->batch->confirm_s)
		vs_confirm_start(s->hub, s->batch->confirm_s, s->peer.pid);
	if (!s->batch->dry)
		return 0;
	err = vs_txn_each(m, show_change, &show);
	vs_txn_abort(m);
	if (err)
		(void)vs_fail_set(fail, err, 0, "no memory to show the changes");
	return err;
}

static int end(struct vs_call *call, struct vs_fail *fail)
{
	struct vs_session *s = call->session;
	int err = 0;

	if (s->batch->bad)
		return cancel(s->batch->bad, fail);
	if (s->batch->lost)
		return tell_lost(s->batch, fail);
	if (!s->batch->dry)
		err = vs_confirm_check(s->hub, fail);
	if (!err && vs_txn_begin(s->hub->model, s->batch->dry ? VS_TXN_DRY : VS_TXN_REAL) != 0)
		err = vs_fail_set(fail, -ENOMEM, 0, "no memory for a batch");
	if (err)
		return err;
	vs_session_pack(s, true);
	err = run_all(s, fail);
	if (err)
		vs_txn_abort(s->hub->model);
	else
		err = conclude(s, call->request->nlh, fail);
	vs_session_pack(s, false);
	return err;
}

static int outside(struct vs_call *call, struct vs_fail *fail)
{
	return vs_fail_set(fail, -EINVAL, 0, "%s: no batch was begun", call->request->policy->name);
}

static bool is_end(const struct vs_request *req)
{
	return req->policy->cmd == VS_CMD_BATCH_END || req->policy->cmd == VS_CMD_BATCH_ABORT;
}

static void finish(struct vs_session *s, const struct vs_request *req)
{
	struct vs_call call = {.model = s->hub->model,
			       .attr = req->attr,
			       .session = s,
			       .request = req};
	struct vs_fail fail = {0};
	int err = req->policy->cmd == VS_CMD_BATCH_END ? end(&call, &fail) : 0;

	vs_batch_drop(s);
	if (err)
		vs_dispatch_fail(s, req, err, &fail);
	else if (req->nlh->nlmsg_flags & NLM_F_ACK)
		vs_dispatch_refuse(s, req->nlh, NULL);
}

void vs_batch_take(struct vs_session *s, const struct nlmsghdr *nlh)
{
	struct vs_fail fail = {0};
	struct vs_refusal refusal;
	struct vs_request req;
	int err = vs_request_parse(nlh, &req, &refusal);

	if (!err && is_end(&req)) {
		finish(s, &req);
		return;
	}
	/* It is lost already: that was said, and is said again at its end. */
	if (s->batch->bad)
		return;
	if (err) {
		refuse(s);
		vs_dispatch_refuse(s, nlh, &refusal);
		return;
	}
	err = keep(s, &req, &fail);
	if (err) {
		refuse(s);
		vs_dispatch_fail(s, &req, err, &fail);
	}
}

const struct vs_handler vs_obj_batch[] = {
	{VS_CMD_BATCH_BEGIN, begin},
	{VS_CMD_BATCH_END, outside},
	{VS_CMD_BATCH_ABORT, outside},
	{VS_CMD_CONFIRM, vs_confirm_run},
	{VS_CMD_ROLLBACK, vs_confirm_rollback},
	{0, NULL},
};
