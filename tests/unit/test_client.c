/* SPDX-License-Identifier: BSD-3-Clause */
/* The client: its calls, their answers, and notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scripted_daemon.h"

/* ---- tests ---- */

static void test_ack(void **state)
{
	const struct nlmsghdr *nlh;
	int i;

	expect_request();
	datagram();
	say_ack(CALL_SEQ);
	assert_int_equal(open_client(), 0);
	assert_int_equal(call(NULL), 0);
	for (i = 0; i < 2; i++) {
		const struct vs_msghdr *hdr;

		nlh = (const struct nlmsghdr *)d.request[i];
		hdr = (const struct vs_msghdr *)(nlh + 1);
		assert_int_equal(nlh->nlmsg_type, VS_MSG_TYPE);
		assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
		assert_int_equal(nlh->nlmsg_seq, i + 1);
		assert_int_equal(hdr->version, 1);
		assert_int_equal(hdr->cmd, i ? VS_CMD_SWITCH_NEW : VS_CMD_HELLO);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		struct vs_refusal said;
		const char *text;
		uint16_t attr;
	} refusals[] = {
		{{.error = -EEXIST, .offset = NAME_AT, .text = "lan is there"},
		 "lan is there",
		 VS_ATTR_NAME},
		{{.error = -ERANGE, .offset = KIND_AT, .text = "what"}, "what", VS_ATTR_KIND},
		{{.error = -EINVAL, .missing = VS_ATTR_MAC, .text = "none"}, "none", VS_ATTR_MAC},
		{{.error = -EBUSY}, "", 0},
		/* Nothing of ours: between attributes, in the headers, behind the end. */
		{{.error = -EIO, .offset = NAME_AT + 2, .text = "x"}, "x", 0},
		{{.error = -EIO, .offset = 4, .text = "x"}, "x", 0},
		{{.error = -EIO, .offset = REQUEST_LEN, .text = "x"}, "x", 0},
		{{.error = -EIO, .offset = REQUEST_LEN - 2, .text = "x"}, "x", 0},
		{{.error = -EIO, .offset = UINT32_MAX - 3, .text = "x"}, "x", 0},
	};
	const unsigned int n = sizeof(refusals) / sizeof(refusals[0]);
	unsigned int i;

	say_hello(1, 1);
	for (i = 0; i < n; i++) {
		waits();
		datagram();
		say_refusal(CALL_SEQ + i, &refusals[i].said);
	}
	assert_int_equal(open_client(), 0);
	for (i = 0; i < n; i++) {
		failed(call(NULL), refusals[i].said.error, refusals[i].text);
		assert_int_equal(fail.attr, refusals[i].attr);
	}
}

/* An error without a text is told in the words of the C library. */
static void test_bare_refusal(void **state)
{
	const struct nlmsgerr bare = {.error = -ENOSPC};

	expect_request();
	datagram();
	say_raw(CALL_SEQ, NLMSG_ERROR, 0, &bare, sizeof(bare));
	assert_int_equal(open_client(), 0);
	failed(call(NULL), -ENOSPC, strerror(ENOSPC));
}

/* A dump over several datagrams, each with several messages. */
static void script_dump(uint32_t seq, uint16_t flags_of_last)
{
	uint32_t id = 0;
	int i;

	waits();
	for (i = 0; i < 4; i++) {
		datagram();
		say_record(seq, id++, i == 3 ? flags_of_last : 0);
		say_record(seq, id++, i == 3 ? flags_of_last : 0);
		say_record(seq, id++, i == 3 ? flags_of_last : 0);
	}
	say_done(seq, flags_of_last);
}

static void test_dump(void **state)
{
	struct heard h = {0};
	struct heard stopped = {.stop_at = 5};
	uint32_t i;

	say_hello(1, 1);
	script_dump(CALL_SEQ, 0);
	script_dump(NEXT_SEQ, 0);
	waits();
	datagram();
	say_done(NEXT_SEQ + 1, 0);
	script_dump(NEXT_SEQ + 2, 0);
	assert_int_equal(open_client(), 0);
	assert_int_equal(call(&h), 0);
	assert_int_equal(h.n, 12);
	for (i = 0; i < 12; i++)
		assert_int_equal(h.id[i], i);
	/* Whoever has enough is left alone, and the next call finds its own answer. */
	assert_int_equal(call(&stopped), 7);
	assert_int_equal(stopped.n, 5);
	h.n = 0;
	assert_int_equal(call(&h), 0);
	assert_int_equal(h.n, 0);
	assert_int_equal(call(NULL), 0);
}

static void test_dump_during_changes(void **state)
{
	struct heard h = {0};

	say_hello(1, 1);
	script_dump(CALL_SEQ, NLM_F_DUMP_INTR);
	script_dump(NEXT_SEQ, 0);
	waits();
	datagram();
	say_done(NEXT_SEQ + 1, NLM_F_DUMP_INTR);
	waits();
	datagram();
	say_record(0, 100, NLM_F_DUMP_INTR); /* a notice is no part of the answer */
	say_ack(NEXT_SEQ + 2);
	assert_int_equal(open_client(), 0);
	assert_false(vs_client_interrupted(client));
	assert_int_equal(call(&h), 0);
	assert_int_equal(h.n, 12);
	assert_true(vs_client_interrupted(client));
	/* It is said of the last answer, not for good. */
	assert_int_equal(call(NULL), 0);
	assert_false(vs_client_interrupted(client));
	assert_int_equal(call(NULL), 0);
	assert_true(vs_client_interrupted(client));
	assert_int_equal(call(NULL), 0);
	assert_false(vs_client_interrupted(client));
}

static void test_dump_that_fails_half_way(void **state)
{
	const struct vs_refusal refusal = {.error = -ETIMEDOUT, .text = "a worker is stuck"};
	struct heard h = {0};

	expect_request();
	datagram();
	say_record(CALL_SEQ, 0, 0);
	say_record(CALL_SEQ, 1, 0);
	datagram();
	say_record(CALL_SEQ, 2, 0);
	say_refusal(CALL_SEQ, &refusal);
	waits();
	datagram();
	say_ack(NEXT_SEQ);
	assert_int_equal(open_client(), 0);
	failed(call(&h), -ETIMEDOUT, "a worker is stuck");
	assert_int_equal(h.n, 3);
	assert_int_equal(call(NULL), 0);
}

/* What belongs to no answer, or to another one, is let pass. */
static void test_other_sequence_numbers(void **state)
{
	const struct vs_refusal refusal = {.error = -EIO, .text = "not yours"};
	struct heard h = {0};

	expect_request();
	datagram();
	say_record(0, 100, 0); /* a notice */
	say_record(HELLO_SEQ, 101, 0);
	say_done(HELLO_SEQ, 0);
	say_record(CALL_SEQ, 1, 0);
	datagram();
	say_ack(HELLO_SEQ);
	say_refusal(NEXT_SEQ, &refusal);
	say_done(0, 0);
	datagram();
	say_raw(CALL_SEQ, NLMSG_NOOP, 0, "", 0);
	say_raw(CALL_SEQ, 77, 0, "1234", 4);
	say_record(CALL_SEQ, 2, 0);
	say_done(CALL_SEQ, 0);
	assert_int_equal(open_client(), 0);
	assert_int_equal(call(&h), 0);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.id[0], 1);
	assert_int_equal(h.id[1], 2);
}

static void test_attributes_of_later_daemons(void **state)
{
	uint32_t buf[64];
	struct heard h = {0};
	struct vs_msg msg;

	expect_request();
	datagram();
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_PORT_GET);
	vs_msg_put_str(&msg, (enum vs_attr)(VS_ATTR_COUNT_ + 5), "new");
	vs_msg_put_str(&msg, VS_ATTR_NAME, "a");
	vs_msg_put_u32(&msg, (enum vs_attr)16000, 1);
	vs_msg_put_u32(&msg, VS_ATTR_ID, 9);
	say(&msg, CALL_SEQ, NLM_F_MULTI);
	say_done(CALL_SEQ, 0);
	assert_int_equal(open_client(), 0);
	assert_int_equal(call(&h), 0);
	assert_int_equal(h.id[0], 9);
}

/* ---- notices ---- */

static void test_notices(void **state)
{
	struct heard h = {.stop_at = 4};

	say_hello(1, 1);
	waits();
	datagram();
	say_ack(CALL_SEQ);
	datagram();
	say_record(0, 1, 0);
	say_record(CALL_SEQ, 100, 0);
	say_record(0, 2, 0);
	datagram();
	say_done(0, 0); /* ends no answer: none is under way */
	say_ack(0);
	datagram();
	say_record(0, 3, 0);
	datagram();
	say_record(0, 4, 0);
	d.hangs_up = true;
	assert_int_equal(open_client(), 0);
	assert_int_equal(call(NULL), 0);
	assert_int_equal(vs_client_listen(client, hear, &h, &fail), 7);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.id[3], 4);
	failed(vs_client_listen(client, hear, &h, &fail), -ECONNRESET, path);
}

static void test_listening_ends_with_an_error(void **state)
{
	const struct vs_refusal refusal = {.error = -EPIPE, .offset = 20, .text = "too slow"};
	struct heard h = {0};

	say_hello(1, 1);
	datagram();
	say_record(0, 1, 0);
	say_refusal(0, &refusal);
	assert_int_equal(open_client(), 0);
	failed(vs_client_listen(client, hear, &h, &fail), -EPIPE, "too slow");
	assert_int_equal(fail.attr, 0);
	assert_int_equal(h.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ack),
		TEST(test_refusals),
		TEST(test_bare_refusal),
		TEST(test_dump),
		TEST(test_dump_during_changes),
		TEST(test_dump_that_fails_half_way),
		TEST(test_other_sequence_numbers),
		TEST(test_attributes_of_later_daemons),
		TEST(test_notices),
		TEST(test_listening_ends_with_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
