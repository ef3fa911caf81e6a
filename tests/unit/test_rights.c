/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may do what, and who gives its place to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/server_fixture.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <time.h>

enum {
	/** How long the close() of a hostile descriptor waits, and what control may take for it. */
	LINGER_S = 5,
	AT_ONCE_S = 2,
};

/* The place of the one that has asked for nothing the longest is for the next one. */
static void test_too_many_clients(void **state)
{
	static uint32_t reply[REPLY_WORDS];
	int fd[VS_CLIENTS_MAX], one, i;
	struct vs_server_counts counts;

	for (i = 0; i < VS_CLIENTS_MAX; i++)
		fd[i] = client();
	add_switch(fd[0], "a", 0); /* now fd[1] is the one */
	one = client();
	add_switch(one, "b", 0);
	expect_error(fd[1], -EUSERS, "64 clients");
	assert_int_equal(receive(fd[1], reply), 0);
	add_switch(fd[0], "c", 0);
	vs_server_counts(server, &counts);
	assert_int_equal(counts.clients_all, VS_CLIENTS_MAX);
	assert_int_equal(counts.clients_read, 0);
	assert_int_equal(counts.displaced, 1);
	assert_int_equal(counts.refused_clients, 0);
	close(one);
	for (i = 0; i < VS_CLIENTS_MAX; i++)
		close(fd[i]);
}

/* Who has subscribed, or waits for an answer, keeps its place. */
static void test_busy_clients_stay(void **state)
{
	static uint32_t reply[REPLY_WORDS];
	int fd[VS_CLIENTS_MAX], one, i;
	struct vs_server_counts counts;
	uint16_t flags;

	model.addresses = 60000;
	fd[0] = client();
	ask_simple(fd[0], VS_CMD_FDB_GET);
	for (i = 0; i < 10; i++)
		turn(); /* the first slice is made, the socket is full */
	for (i = 1; i < VS_CLIENTS_MAX; i++) {
		fd[i] = client();
		ask_simple(fd[i], VS_CMD_SUBSCRIBE);
		expect_error(fd[i], 0, NULL);
	}
	one = client();
	expect_error(one, -EUSERS, "64 clients");
	assert_int_equal(receive(one, reply), 0);
	close(one);
	vs_server_counts(server, &counts);
	assert_int_equal(counts.refused_clients, 1);
	assert_int_equal(read_dump(fd[0], &flags), 60000);
	/* it has its answer: it is idle */
	one = client();
	add_switch(one, "lan", 0);
	expect_error(fd[0], -EUSERS, "64 clients");
	expect_event(fd[1], "switch-added", 0);
	close(one);
	for (i = 0; i < VS_CLIENTS_MAX; i++)
		close(fd[i]);
}

/* What a reader may send, and what it gets of what others see. */
static void test_reader(void **state)
{
	const struct vs_cred peer = {.uid = 1234, .gid = 99, .pid = 1, .rank = VS_RANK_OTHER};
	struct vs_hub *hub = (struct vs_hub *)server; /* its first member */
	static uint32_t reply[REPLY_WORDS];
	const struct nlattr *tb[VS_ATTR_COUNT_];
	struct vs_server_counts counts;
	int fd[2], admin = client();
	unsigned int cmd;
	uint16_t flags;

	add_switch(admin, "lan", 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(vs_session_open(hub, fd[0], &peer), 0);
	ask_simple(fd[1], VS_CMD_HELLO);
	receive(fd[1], reply);
	assert_int_equal(vs_answer_parse((struct nlmsghdr *)reply, tb), 0);
	assert_int_equal(vs_tlv_u32(tb[VS_ATTR_RIGHTS]), VS_RIGHTS_READ);
	expect_error(fd[1], 0, NULL);
	ask_simple(fd[1], VS_CMD_SWITCH_GET);
	assert_int_equal(read_dump(fd[1], &flags), 1);
	add_switch(fd[1], "mine", -EPERM);
	assert_int_equal(model.n_switches, 1);
	ask_simple(fd[1], VS_CMD_AUDIT_GET);
	expect_error(fd[1], -EPERM, "AUDIT_GET: user 1234 may look");
	ask_simple(fd[1], VS_CMD_SUBSCRIBE);
	expect_error(fd[1], 0, NULL);
	vs_server_counts(server, &counts);
	assert_int_equal(counts.clients_read, 1);
	assert_int_equal(counts.refused_requests, 2);
	/* what is not known to be harmless is not */
	for (cmd = 0; cmd < 256; cmd++) {
		const struct vs_policy *policy = vs_policy_find(cmd);

		if (vs_cred_may(&peer, cmd))
			assert_true(policy && (policy->answer == VS_ANSWER_DUMP ||
					       cmd == VS_CMD_HELLO || cmd == VS_CMD_SUBSCRIBE));
	}
	close(fd[1]);
	close(admin);
}

/* The newest dropped frame is for those who may do everything. */
static void test_sample(void **state)
{
	static const enum vs_rank ranks[] = {VS_RANK_OTHER, VS_RANK_GROUP, VS_RANK_ROOT};
	struct vs_hub *hub = (struct vs_hub *)server;
	static uint32_t reply[REPLY_WORDS];
	const struct nlattr *tb[VS_ATTR_COUNT_];
	uint32_t buf[128];
	struct vs_msg msg;
	unsigned int i;
	int fd[2], admin = client();

	add_switch(admin, "lan", 0);
	begin_port(&msg, buf, sizeof(buf), VS_KIND_HOST);
	ask(admin, &msg);
	expect_error(admin, 0, NULL);
	for (i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
		const struct vs_cred peer = {.uid = 1234, .rank = ranks[i]};

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
		assert_int_equal(vs_session_open(hub, fd[0], &peer), 0);
		ask_simple(fd[1], VS_CMD_DROP_GET);
		receive(fd[1], reply);
		assert_int_equal(vs_answer_parse((struct nlmsghdr *)reply, tb), 0);
		assert_string_equal(vs_tlv_str(tb[VS_ATTR_REASON]), "spoof");
		assert_true((tb[VS_ATTR_SAMPLE] != NULL) == (ranks[i] != VS_RANK_OTHER));
		close(fd[1]);
	}
	close(admin);
}

/* A TCP socket with data that nobody reads: the close() of its last descriptor waits. */
static int lingering(int *ret_far)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static char data[65536];
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int near = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(connect(near, (struct sockaddr *)&addr, len), 0);
	*ret_far = accept(listener, NULL, NULL);
	assert_true(*ret_far >= 0);
	close(listener);
	assert_int_equal(setsockopt(near, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(near, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	return near;
}

/* Send @len bytes with the descriptor, and let go of it. */
static void hand_over(int sock, const void *data, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(fd))];
	} control = {.align = {.cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS,
			       .cmsg_len = CMSG_LEN(sizeof(fd))}};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes)};

	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &mh, MSG_NOSIGNAL), len);
	close(fd);
}

/*
 * Where the kernel lets descriptors through: with a request, and unread behind one that ends the
 * connection. Control does not wait for either to be closed, and is rid of who sent them.
 */
static void test_close_that_waits(void **state)
{
	static const struct vs_cred peer = {.uid = 1234, .rank = VS_RANK_OTHER};
	struct vs_hub *hub = (struct vs_hub *)server;
	const time_t begin = time(NULL);
	uint32_t buf[64];
	struct vs_msg msg;
	int way;

	for (way = 0; way < 2; way++) {
		int fd[2], far, i;
		int near = lingering(&far);

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd), 0);
		assert_int_equal(vs_session_open(hub, fd[0], &peer), 0);
		vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_GET);
		msg.nlh->nlmsg_flags = NLM_F_REQUEST;
		if (way == 1)
			assert_int_equal(send(fd[1], "nonsense", 8, MSG_NOSIGNAL), 8);
		hand_over(fd[1], buf, msg.nlh->nlmsg_len, near);
		for (i = 0; i < PATIENCE && hub->n_sessions; i++)
			turn();
		assert_int_equal(hub->n_sessions, 0);
		assert_true(time(NULL) - begin < AT_ONCE_S + 1);
		close(fd[1]);
		close(far);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_too_many_clients), T(test_busy_clients_stay), T(test_reader),
		T(test_sample),           T(test_close_that_waits),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
