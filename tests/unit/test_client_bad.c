/* SPDX-License-Identifier: BSD-3-Clause */
/* The client: connecting, daemons that go away, and answers that make no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scripted_daemon.h"

/* ---- nonsense ---- */

static void say_length(uint32_t len)
{
	const struct nlmsghdr nlh = {.nlmsg_len = len,
				     .nlmsg_type = VS_MSG_TYPE,
				     .nlmsg_seq = CALL_SEQ};

	say_bytes(&nlh, sizeof(nlh));
}

static void say_error_payload(int error, uint16_t flags, const void *attrs, uint32_t len)
{
	char bytes[sizeof(struct nlmsgerr) + 64] = {0};

	memcpy(bytes, &error, sizeof(error));
	memcpy(bytes + sizeof(struct nlmsgerr), attrs, len);
	say_raw(CALL_SEQ, NLMSG_ERROR, flags, bytes, sizeof(struct nlmsgerr) + len);
}

static void say_attr(uint16_t len, uint16_t type, size_t bytes)
{
	char payload[64] = {VS_CMD_PORT_GET, 1};

	memcpy(payload + 4, &len, 2);
	memcpy(payload + 6, &type, 2);
	say_raw(CALL_SEQ, VS_MSG_TYPE, 0, payload, (uint32_t)(4 + bytes));
}

/* Each case says one thing that a client must not believe. */
static bool say_nonsense(int which)
{
	static const char zeros[DATAGRAM];
	static const uint16_t text[4] = {8, NLMSGERR_ATTR_MSG, 0x4141, 0x4141};
	static const uint16_t offset[3] = {6, NLMSGERR_ATTR_OFFS, 0};
	static const uint16_t beyond[2] = {400, NLMSGERR_ATTR_MSG};

	switch (which) {
	case 0: /* no header */
		say_bytes(zeros, 7);
		return true;
	case 1: /* a length of nothing, of less than the header, of more than there is */
		say_length(0);
		return true;
	case 2:
		say_length(15);
		return true;
	case 3:
		say_length(17);
		return true;
	case 4:
		say_length(UINT32_MAX);
		return true;
	case 5: /* more than the longest datagram */
		say_bytes(zeros, VS_ANSWER_MAX + 4);
		return true;
	case 6: /* no room for the command */
		say_raw(CALL_SEQ, VS_MSG_TYPE, 0, zeros, 3);
		return true;
	case 7: /* attributes that are no attributes, or not of their type */
		say_attr(3, VS_ATTR_ID, 4);
		return true;
	case 8:
		say_attr(9, VS_ATTR_ID, 8);
		return true;
	case 9:
		say_attr(7, VS_ATTR_ID, 8);
		return true;
	case 10:
		say_attr(4, VS_ATTR_NAME, 4);
		return true;
	case 11:
		say_attr(8, VS_ATTR_ID, 6);
		return true;
	case 12: /* an error cut off, errors that are none */
		say_raw(CALL_SEQ, NLMSG_ERROR, 0, zeros, sizeof(struct nlmsgerr) - 4);
		return true;
	case 13:
		say_error_payload(1, 0, "", 0);
		return true;
	case 14:
		say_error_payload(-4096, 0, "", 0);
		return true;
	case 15:
		say_error_payload(-EIO, NLM_F_ACK_TLVS, text, sizeof(text));
		return true;
	case 16:
		say_error_payload(-EIO, NLM_F_ACK_TLVS, offset, sizeof(offset));
		return true;
	case 17:
		say_error_payload(-EIO, NLM_F_ACK_TLVS, beyond, sizeof(beyond));
		return true;
	default:
		return false;
	}
}

static void test_nonsense(void **state)
{
	struct heard h;
	int which;

	for (which = 0;; which++) {
		expect_request();
		datagram();
		if (!say_nonsense(which))
			break;
		waits();
		datagram();
		say_ack(NEXT_SEQ);
		assert_int_equal(open_client(), 0);
		memset(&h, 0, sizeof(h));
		failed(call(&h), -EBADMSG, "vmswitchd sent");
		assert_int_equal(h.n, 0);
		/* The connection is still of use. */
		assert_int_equal(call(NULL), 0);
		assert_int_equal(tear_down(NULL), 0);
		assert_int_equal(set_up(NULL), 0);
	}
	assert_int_equal(which, 18);
}

/* ---- the end of a connection ---- */

static void test_daemon_goes_away(void **state)
{
	struct heard h = {0};

	expect_request();
	datagram();
	say_record(CALL_SEQ, 1, 0);
	say_record(CALL_SEQ, 2, 0);
	d.hangs_up = true;
	assert_int_equal(open_client(), 0);
	failed(call(&h), -ECONNRESET, path);
	assert_int_equal(h.n, 2);
	/* It stays away. */
	failed(call(&h), -ECONNRESET, path);
	assert_int_equal(h.n, 2);
}

static void test_daemon_goes_away_at_once(void **state)
{
	d.hangs_up = true;
	failed(open_client(), -ECONNRESET, path);
	assert_null(client);
}

/* Its last words are heard, though it never read our request. */
static void test_turned_away(void **state)
{
	const struct vs_refusal refusal = {.error = -EUSERS, .text = "64 clients are connected"};

	datagram();
	say_refusal(0, &refusal);
	d.hangs_up = true;
	failed(open_client(), -EUSERS, "64 clients");
	assert_null(client);
}

static void test_daemon_says_nothing(void **state)
{
	hurry = true;
	expect_request();
	assert_int_equal(open_client(), 0);
	failed(call(NULL), -ETIMEDOUT, "no answer");
}

/* ---- connecting ---- */

static void test_versions(void **state)
{
	static const uint32_t range[][2] = {{2, 5}, {0, 0}};
	uint32_t buf[64];
	struct vs_msg msg;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		say_hello(range[i][0], range[i][1]);
		failed(open_client(), -EPROTONOSUPPORT, "vmswitchd 1.2.3");
		assert_null(client);
		assert_int_equal(tear_down(NULL), 0);
		assert_int_equal(set_up(NULL), 0);
	}
	/* A later daemon that still speaks ours. */
	say_hello(1, 9);
	assert_int_equal(open_client(), 0);
	assert_int_equal(tear_down(NULL), 0);
	assert_int_equal(set_up(NULL), 0);
	/* One that does not say. */
	waits();
	datagram();
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_HELLO);
	say(&msg, HELLO_SEQ, 0);
	say_ack(HELLO_SEQ);
	failed(open_client(), -EBADMSG, "vmswitchd");
}

static int try_open(void)
{
	memset(&fail, 0, sizeof(fail));
	return vs_client_open(path, &client, &fail);
}

static void test_no_daemon(void **state)
{
	char longest[200];
	int fd;

	failed(try_open(), -ENOENT, "not running");
	says(path);
	listen_on(SOCK_SEQPACKET);
	close(d.listener);
	d.listener = -1;
	failed(try_open(), -ECONNREFUSED, "not running");
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	failed(try_open(), -ENOTSOCK, "not the socket of vmswitchd");
	unlink(path);
	listen_on(SOCK_STREAM);
	failed(try_open(), -EPROTOTYPE, "not the socket of vmswitchd");

	memset(longest, 'x', sizeof(longest));
	longest[108] = '\0';
	failed(vs_client_open(longest, &client, &fail), -ENAMETOOLONG, "107");
	failed(vs_client_open("", &client, &fail), -ENAMETOOLONG, "107");
	assert_null(client);
}

/* As a user who is neither root nor in the socket's group. */
static void test_no_permission(void **state)
{
	listen_on(SOCK_SEQPACKET);
	if (geteuid() != 0) {
		assert_int_equal(chmod(path, 0), 0);
		failed(try_open(), -EACCES, "member of group");
		return;
	}
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(seteuid(65534), 0);
	(void)try_open();
	assert_int_equal(seteuid(0), 0);
	failed(fail.error, -EACCES, "no permission to look at");
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	(void)try_open();
	assert_int_equal(seteuid(0), 0);
	failed(fail.error, -EACCES, "member of group 'root'");
	says(path);
	assert_null(client);
}

static void test_request_too_long(void **state)
{
	uint32_t buf[16];
	struct vs_msg msg;

	say_hello(1, 1);
	assert_int_equal(open_client(), 0);
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "a name that does not fit into it, not at all");
	failed(vs_client_call(client, &msg, NULL, NULL, &fail), -EMSGSIZE, "too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nonsense),
		TEST(test_daemon_goes_away),
		TEST(test_daemon_goes_away_at_once),
		TEST(test_turned_away),
		TEST(test_daemon_says_nothing),
		TEST(test_versions),
		TEST(test_no_daemon),
		TEST(test_no_permission),
		TEST(test_request_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
