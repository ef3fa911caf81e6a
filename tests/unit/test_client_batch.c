/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's batches: what is sent, and which request is blamed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scripted_daemon.h"

enum {
	BEGIN_SEQ = 2,
	FIRST_SEQ = 3,
	MANY = 5000,
};

static struct vs_client_batch *batch;

static int set_up_batch(void **state)
{
	batch = vs_client_batch_new();
	return batch ? set_up(state) : -1;
}

static int tear_down_batch(void **state)
{
	vs_client_batch_free(batch);
	return tear_down(state);
}

/* Requests of different lengths: their names are 1, 22, 333 ... */
static void add(unsigned int n)
{
	char name[VS_PROTO_NAME_SIZE];
	uint32_t buf[64];
	struct vs_msg msg;
	unsigned int i;

	for (i = 1; i <= n; i++) {
		memset(name, '0' + (int)(i % 10), sizeof(name));
		name[1 + i % 7] = '\0';
		vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
		vs_msg_put_str(&msg, VS_ATTR_NAME, name);
		vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
		assert_int_equal(vs_client_batch_add(batch, &msg), 0);
	}
}

/* The client says HELLO and begins, which the daemon accepts. */
static void script_begin(void)
{
	expect_request();
	datagram();
	say_ack(BEGIN_SEQ);
}

static int run(const struct vs_client_batch_how *how, struct heard *h)
{
	memset(&fail, 0, sizeof(fail));
	return vs_client_batch_run(client, batch, how, h ? hear : NULL, h, &fail);
}

static const struct nlmsghdr *request(unsigned int i)
{
	return (const struct nlmsghdr *)d.request[i];
}

/* Return: the attribute of request @i, or NULL. */
static const struct nlattr *attr_of(unsigned int i, enum vs_attr attr)
{
	static const struct nlattr *tb[VS_ATTR_COUNT_];

	assert_int_equal(vs_answer_parse(request(i), tb), 0);
	return tb[attr];
}

static void test_what_is_sent(void **state)
{
	static const unsigned int cmds[] = {VS_CMD_HELLO,      VS_CMD_BATCH_BEGIN,
					    VS_CMD_SWITCH_NEW, VS_CMD_SWITCH_NEW,
					    VS_CMD_SWITCH_NEW, VS_CMD_BATCH_END};
	unsigned int i;

	script_begin();
	for (i = 0; i < 4; i++)
		waits();
	datagram();
	say_ack(FIRST_SEQ + 3);
	add(3);
	assert_int_equal(open_client(), 0);
	assert_int_equal(run(NULL, NULL), 0);
	for (i = 0; i < 6; i++) {
		assert_int_equal(vs_msg_cmd(request(i)), cmds[i]);
		assert_int_equal(request(i)->nlmsg_seq, i + 1);
		/* only what begins and ends the batch is answered when all is well */
		assert_int_equal(request(i)->nlmsg_flags,
				 i < 2 || i == 5 ? NLM_F_REQUEST | NLM_F_ACK : NLM_F_REQUEST);
	}
	assert_string_equal(vs_tlv_str(attr_of(3, VS_ATTR_NAME)), "222");
	assert_int_equal(request(1)->nlmsg_len, NLMSG_HDRLEN + sizeof(struct vs_msghdr));
}

/* One request of the batch is refused, and then the batch. */
static void refused(unsigned int index)
{
	const struct vs_refusal said = {.error = -ERANGE, .offset = NAME_AT, .text = "not this"};
	const struct vs_refusal all = {.error = -ECANCELED, .text = "request 2 failed"};
	unsigned int i;

	script_begin();
	for (i = 0; i < 4; i++)
		waits();
	datagram();
	say_refusal(FIRST_SEQ + index - 1, &said);
	say_refusal(FIRST_SEQ + 3, &all);
	/* and the connection can be used */
	waits();
	datagram();
	say_ack(FIRST_SEQ + 4);
	add(3);
	assert_int_equal(open_client(), 0);
	failed(run(NULL, NULL), -ERANGE, "not this");
	assert_int_equal(fail.index, index);
	assert_int_equal(fail.attr, VS_ATTR_NAME);
	assert_int_equal(call(NULL), 0);
	assert_int_equal(fail.index, 0);
}

static void test_first_is_refused(void **state)
{
	refused(1);
}

static void test_last_is_refused(void **state)
{
	refused(3);
}

/* What is refused while more is being sent ends that. */
static void test_early_refusal(void **state)
{
	const struct vs_refusal said = {.error = -EINVAL, .text = "early"};
	const struct vs_refusal later = {.error = -EINVAL, .text = "late"};

	script_begin();
	waits();
	datagram();
	say_refusal(FIRST_SEQ, &said);
	datagram();
	say_refusal(FIRST_SEQ + 1, &later);
	waits_until(FIRST_SEQ + MANY);
	datagram();
	say_ack(FIRST_SEQ + MANY);
	add(MANY);
	assert_int_equal(open_client(), 0);
	failed(run(NULL, NULL), -EINVAL, "early");
	assert_int_equal(fail.index, 1);
}

static void test_refused_as_a_whole(void **state)
{
	const struct vs_refusal said = {.error = -EBUSY, .text = "a change waits"};

	script_begin();
	waits();
	waits();
	datagram();
	say_refusal(FIRST_SEQ + 1, &said);
	add(1);
	assert_int_equal(open_client(), 0);
	failed(run(NULL, NULL), -EBUSY, "a change waits");
	assert_int_equal(fail.index, 0);
}

static void test_begin_is_refused(void **state)
{
	const struct vs_refusal said = {.error = -EOPNOTSUPP, .text = "no batches here"};

	expect_request();
	datagram();
	say_refusal(BEGIN_SEQ, &said);
	add(2);
	assert_int_equal(open_client(), 0);
	failed(run(NULL, NULL), -EOPNOTSUPP, "no batches here");
	assert_int_equal(fail.index, 0);
	assert_int_equal(d.requests, 2);
}

/* Notices between are no objection. */
static void test_notices_between(void **state)
{
	unsigned int i;

	script_begin();
	for (i = 0; i < 3; i++) {
		datagram();
		say_record(0, 9, 0);
	}
	for (i = 0; i < 4; i++)
		waits();
	datagram();
	say_record(0, 9, 0);
	say_ack(FIRST_SEQ + 3);
	add(3);
	assert_int_equal(open_client(), 0);
	assert_int_equal(run(NULL, NULL), 0);
	assert_int_equal(vs_msg_cmd(request(5)), VS_CMD_BATCH_END);
}

static void test_dry_run(void **state)
{
	const struct vs_client_batch_how how = {.dry_run = true};
	struct heard h = {0};

	script_begin();
	waits();
	waits();
	datagram();
	say_record(FIRST_SEQ + 1, 4, 0);
	say_record(FIRST_SEQ + 1, 5, 0);
	datagram();
	say_record(FIRST_SEQ + 1, 6, 0);
	say_done(FIRST_SEQ + 1, 0);
	add(1);
	assert_int_equal(open_client(), 0);
	assert_int_equal(run(&how, &h), 0);
	assert_int_equal(h.n, 3);
	assert_int_equal(h.id[2], 6);
	assert_non_null(attr_of(1, VS_ATTR_DRY_RUN));
	assert_null(attr_of(1, VS_ATTR_CONFIRM));
}

static void test_confirm(void **state)
{
	const struct vs_client_batch_how how = {.confirm_s = 60};

	script_begin();
	waits();
	datagram();
	say_ack(FIRST_SEQ);
	assert_int_equal(open_client(), 0);
	/* a batch may be empty */
	assert_int_equal(run(&how, NULL), 0);
	assert_null(attr_of(1, VS_ATTR_DRY_RUN));
	assert_int_equal(vs_tlv_u32(attr_of(1, VS_ATTR_CONFIRM)), 60);
	assert_int_equal(vs_msg_cmd(request(2)), VS_CMD_BATCH_END);
}

static void test_daemon_goes(void **state)
{
	script_begin();
	waits();
	d.hangs_up = true;
	add(2);
	assert_int_equal(open_client(), 0);
	failed(run(NULL, NULL), -ECONNRESET, "closed the connection");
	assert_int_equal(fail.index, 0);
}

static void test_silent_daemon(void **state)
{
	script_begin();
	waits();
	waits();
	add(1);
	hurry = true;
	assert_int_equal(open_client(), 0);
	failed(run(NULL, NULL), -ETIMEDOUT, "no answer");
}

static void test_again(void **state)
{
	script_begin();
	waits();
	waits();
	datagram();
	say_ack(FIRST_SEQ + 1);
	waits();
	datagram();
	say_ack(FIRST_SEQ + 2);
	waits();
	waits();
	datagram();
	say_ack(FIRST_SEQ + 4);
	add(1);
	assert_int_equal(open_client(), 0);
	assert_int_equal(run(NULL, NULL), 0);
	assert_int_equal(run(NULL, NULL), 0);
	assert_int_equal(request(5)->nlmsg_seq, FIRST_SEQ + 3);
}

static void test_too_long_a_request(void **state)
{
	uint32_t buf[8];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "a name that has no room");
	assert_int_equal(vs_client_batch_add(batch, &msg), -EMSGSIZE);
}

/* A connection that somebody else made. */
static void test_given_connection(void **state)
{
	struct vs_client *other = NULL;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	memset(&fail, 0, sizeof(fail));
	failed(vs_client_open_fd(pair[0], "there", &other, &fail), -ECONNRESET, "(there)");
	assert_null(other);
	/* it stays ours */
	assert_int_equal(close(pair[0]), 0);
	failed(vs_client_open_fd(pair[0], "there", &other, &fail), -EBADF, "there");
}

#define BATCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_batch, tear_down_batch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BATCH_TEST(test_what_is_sent),
		BATCH_TEST(test_first_is_refused),
		BATCH_TEST(test_last_is_refused),
		BATCH_TEST(test_early_refusal),
		BATCH_TEST(test_refused_as_a_whole),
		BATCH_TEST(test_begin_is_refused),
		BATCH_TEST(test_notices_between),
		BATCH_TEST(test_dry_run),
		BATCH_TEST(test_confirm),
		BATCH_TEST(test_daemon_goes),
		BATCH_TEST(test_silent_daemon),
		BATCH_TEST(test_again),
		BATCH_TEST(test_too_long_a_request),
		BATCH_TEST(test_given_connection),
	};

	return cmocka_run_group_tests_name("client batch", tests, NULL, NULL);
}
