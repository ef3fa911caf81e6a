/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/client_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/*
 * DOC: theory of operation
 *
 * A batch is collected here and sent in one go: BATCH_BEGIN, which is answered; the requests,
 * without NLM_F_ACK, so that the daemon says nothing about those it has no objection to; and
 * BATCH_END, whose answer ends the batch. Each request has a sequence number of its own, which
 * tells errors apart. An error that comes while requests are still being sent makes the rest
 * pointless: BATCH_ABORT takes the place of what would follow.
 */

enum {
	/** The daemon is given more time for a batch: a second for so many requests. */
	PER_SECOND = 50,
	/** Room that a batch begins with. */
	FIRST_BYTES = 4096,
};

/**
 * struct vs_client_batch - requests, one behind the other
 * @bytes:	room for @room, of which @used hold messages
 * @n:		how many
 */
struct vs_client_batch {
	char *bytes;
	size_t used;
	size_t room;
	uint32_t n;
};

/**
 * struct batch_answer - the answer to a batch
 * @first:	sequence number of its first request
 * @fail:	the first request that was refused; @error 0: none
 */
struct batch_answer {
	struct answer answer;
	const struct vs_client_batch *batch;
	uint32_t first;
	struct vs_client_fail fail;
};

/* ---- collecting ---- */

struct vs_client_batch *vs_client_batch_new(void)
{
	return calloc(1, sizeof(struct vs_client_batch));
}

void vs_client_batch_free(struct vs_client_batch *batch)
{
	if (batch)
		free(batch->bytes);
	free(batch);
}

int vs_client_batch_add(struct vs_client_batch *batch, const struct vs_msg *msg)
{
	size_t len = NLMSG_ALIGN(msg->nlh->nlmsg_len);
	size_t room = batch->room ? batch->room : FIRST_BYTES;
	char *bytes;

	if (msg->error)
		return msg->error;
	while (batch->used + len > room)
		room *= 2;
	bytes = room > batch->room ? realloc(batch->bytes, room) : batch->bytes;
	if (!bytes)
		return -ENOMEM;
	batch->bytes = bytes;
	batch->room = room;
	memset(bytes + batch->used, 0, len);
	memcpy(bytes + batch->used, msg->nlh, msg->nlh->nlmsg_len);
	batch->used += len;
	batch->n++;
	return 0;
}

/* ---- sending ---- */

/** request_at() - request number @index (from 1). */
static const struct nlmsghdr *request_at(const struct vs_client_batch *batch, uint32_t index)
{
	const char *at = batch->bytes;

	for (; index > 1; index--)
		at += NLMSG_ALIGN(((const struct nlmsghdr *)at)->nlmsg_len);
	return (const struct nlmsghdr *)at;
}

/** take_member() - what is said of one request; the first error stays. See struct answer. */
static bool take_member(const struct nlmsghdr *nlh, struct answer *answer)
{
	struct batch_answer *b = (struct batch_answer *)answer;
	uint32_t index = nlh->nlmsg_seq - b->first + 1;
	struct answer one = {0};

	if (nlh->nlmsg_type != NLMSG_ERROR || nlh->nlmsg_seq == 0 || index - 1 >= b->batch->n)
		return false;
	if (b->fail.error)
		return true;
	one.request = request_at(b->batch, index);
	if (client_take_error(nlh, &one, &b->fail))
		b->fail.index = index;
	return true;
}

/** is_answered() - does something wait to be read? */
static bool is_answered(const struct vs_client *client)
{
	struct pollfd fd = {.fd = client->fd, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

/** send_members() - all requests, or as many as the daemon does not object to. */
static int send_members(struct vs_client *client, struct batch_answer *b, bool *ret_all,
			struct vs_client_fail *fail)
{
	char *at = b->batch->bytes;
	uint32_t i;
	int ret = 0;

	*ret_all = false;
	for (i = 0; i < b->batch->n; i++) {
		struct nlmsghdr *nlh = (struct nlmsghdr *)at;

		/* a notice, or an early objection */
		while (!ret && !b->fail.error && is_answered(client))
			ret = client_read_datagram(client, &b->answer, fail);
		if (ret || b->fail.error)
			return ret;
		nlh->nlmsg_flags = NLM_F_REQUEST;
		nlh->nlmsg_seq = b->first + i;
		ret = client_send(client, nlh, fail);
		if (ret)
			return ret;
		at += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	*ret_all = true;
	return 0;
}

/** begin_batch() - room for all sequence numbers, and the request that opens the batch. */
static int begin_batch(struct vs_client *client, const struct vs_client_batch *batch,
		       const struct vs_client_batch_how *how, struct vs_client_fail *fail)
{
	uint32_t buf[16];
	struct vs_msg msg;

	/* none of them is 0, and they do not begin anew half way */
	if (client->seq > UINT32_MAX - 8 - batch->n)
		client->seq = 0;
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_BATCH_BEGIN);
	if (how && how->dry_run)
		vs_msg_put_flag(&msg, VS_ATTR_DRY_RUN);
	if (how && how->confirm_s)
		vs_msg_put_u32(&msg, VS_ATTR_CONFIRM, how->confirm_s);
	return vs_client_call(client, &msg, NULL, NULL, fail);
}

/** set_patience() - a large batch takes its time. */
static void set_patience(const struct vs_client *client, uint32_t n)
{
	const struct timeval timeout = {.tv_sec = CLIENT_ANSWER_SECONDS + n / PER_SECOND};

	/* it is a matter of patience only */
	(void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

/** end_batch() - the last request, and the answer to all of it. */
static int end_batch(struct vs_client *client, struct batch_answer *b, enum vs_cmd cmd,
		     struct vs_client_fail *fail)
{
	struct vs_msg end;
	uint32_t buf[16];
	int ret;

	client->seq += b->batch->n + 1;
	vs_msg_init(&end, buf, sizeof(buf), cmd);
	end.nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	end.nlh->nlmsg_seq = client->seq;
	b->answer.request = end.nlh;
	ret = client_send(client, end.nlh, fail);
	if (ret)
		return ret;
	set_patience(client, b->batch->n);
	ret = client_read_answer(client, &b->answer, fail);
	set_patience(client, 0);
	b->answer.request = NULL;
	return ret;
}

int vs_client_batch_run(struct vs_client *client, struct vs_client_batch *batch,
			const struct vs_client_batch_how *how, vs_client_record *record, void *ctx,
			struct vs_client_fail *ret_fail)
{
	struct batch_answer b = {
		.answer = {.record = record, .ctx = ctx, .take_member = take_member},
		.batch = batch,
	};
	bool all;
	int ret;

	ret = begin_batch(client, batch, how, ret_fail);
	if (ret)
		return ret;
	b.first = client->seq + 1;
	ret = send_members(client, &b, &all, ret_fail);
	if (ret)
		return ret;
	ret = end_batch(client, &b, all ? VS_CMD_BATCH_END : VS_CMD_BATCH_ABORT, ret_fail);
	if (b.fail.error) {
		*ret_fail = b.fail;
		return b.fail.error;
	}
	if (!ret && !all) {
		*ret_fail = (struct vs_client_fail){.error = -ECANCELED,
						    .text = "vmswitchd did not take the batch"};
		return ret_fail->error;
	}
	return ret ? ret : b.answer.stopped;
}
