/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server over a real socket, on a model without a dataplane. Server and clients share one
 * thread: whoever waits turns the event loop, so that nothing here depends on timing.
 */
#include "control/server.h"
#include "control/session.h"
#include "tests/unit/fake_model.h"

#include <event2/event.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	/** Turns of the loop after which an answer is taken for lost. */
	PATIENCE = 2000,
	REPLY_WORDS = VS_ANSWER_MAX / 4,
};

static char folder[32];
static char path[64];
static struct event_base *base;
static struct vs_model model;
static struct vs_server *server;

static int set_up(void **state)
{
	const struct vs_server_config config = {.path = path,
						.model = &model,
						.version = "1.2.3",
						.base = event_base_new()};

	base = config.base;
	memset(&model, 0, sizeof(model));
	snprintf(folder, sizeof(folder), "/tmp/vs-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/s", folder);
	return vs_server_new(&config, &server);
}

static int tear_down(void **state)
{
	if (server)
		vs_server_free(server);
	server = NULL;
	event_base_free(base);
	return rmdir(folder); /* fails if the socket was left behind */
}

static void turn(void)
{
	assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static int client(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	turn();
	return fd;
}

/* Next datagram; its length, or 0 when the server closed. */
static size_t receive(int fd, uint32_t reply[REPLY_WORDS])
{
	int i;

	for (i = 0; i < PATIENCE; i++) {
		ssize_t n = recv(fd, reply, REPLY_WORDS * 4, MSG_DONTWAIT);

		if (n >= 0)
			return (size_t)n;
		if (errno == ECONNRESET) /* what was sent before lies behind it */
			continue;
		assert_int_equal(errno, EAGAIN);
		turn();
	}
	fail_msg("no answer");
	return 0;
}

static void ask(int fd, struct vs_msg *msg)
{
	msg->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	msg->nlh->nlmsg_seq = 1;
	assert_int_equal(send(fd, msg->nlh, msg->nlh->nlmsg_len, MSG_NOSIGNAL),
			 msg->nlh->nlmsg_len);
}

static void expect_error(int fd, int error, const char *text)
{
	static uint32_t reply[REPLY_WORDS];
	struct nlmsghdr *nlh = (struct nlmsghdr *)reply;
	struct vs_refusal refusal;

	assert_true(receive(fd, reply) >= NLMSG_HDRLEN);
	assert_int_equal(nlh->nlmsg_type, NLMSG_ERROR);
	assert_int_equal(vs_error_parse(nlh, &refusal), 0);
	assert_int_equal(refusal.error, error);
	if (text && !strstr(refusal.text, text))
		fail_msg("'%s' does not say '%s'", refusal.text, text);
}

static void add_switch(int fd, const char *name, int error)
{
	uint32_t buf[64];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, name);
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	ask(fd, &msg);
	expect_error(fd, error, NULL);
}

static void ask_simple(int fd, enum vs_cmd cmd)
{
	uint32_t buf[64];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), cmd);
	ask(fd, &msg);
}

/* Read a dump to its end; the flags of all messages together. Returns how many records. */
static unsigned int read_dump(int fd, uint16_t *ret_flags)
{
	static uint32_t reply[REPLY_WORDS];
	unsigned int records = 0;
	uint16_t flags = 0;

	for (;;) {
		struct nlmsghdr *nlh = (struct nlmsghdr *)reply;
		size_t left = receive(fd, reply);

		assert_true(left > 0);
		while (left) {
			assert_true(nlh->nlmsg_len <= left);
			flags |= nlh->nlmsg_flags;
			if (nlh->nlmsg_type == NLMSG_DONE) {
				*ret_flags = flags;
				return records;
			}
			assert_int_equal(nlh->nlmsg_type, VS_MSG_TYPE);
			records++;
			left -= NLMSG_ALIGN(nlh->nlmsg_len);
			nlh = (struct nlmsghdr *)((char *)nlh + NLMSG_ALIGN(nlh->nlmsg_len));
		}
	}
}

static void test_hello(void **state)
{
	static uint32_t reply[REPLY_WORDS];
	const struct nlattr *tb[VS_ATTR_COUNT_];
	int fd = client();

	ask_simple(fd, VS_CMD_HELLO);
	receive(fd, reply);
	assert_int_equal(vs_answer_parse((struct nlmsghdr *)reply, tb), 0);
	assert_int_equal(vs_tlv_u32(tb[VS_ATTR_VERSION_MAX]), VS_PROTO_VERSION_MAX);
	assert_string_equal(vs_tlv_str(tb[VS_ATTR_DAEMON]), "1.2.3");
	close(fd);
}

static void test_change(void **state)
{
	int fd = client();

	add_switch(fd, "lan", 0);
	assert_int_equal(model.n_switches, 1);
	add_switch(fd, "lan", -EEXIST);
	add_switch(fd, "-x", -EINVAL);
	assert_int_equal(model.n_switches, 1);
	close(fd);
}

static void begin_port(struct vs_msg *msg, uint32_t *buf, size_t size, uint32_t kind)
{
	vs_msg_init(msg, buf, size, VS_CMD_PORT_NEW);
	vs_msg_put_str(msg, VS_ATTR_NAME, "p");
	vs_msg_put_str(msg, VS_ATTR_SWITCH, "lan");
	vs_msg_put_u32(msg, VS_ATTR_KIND, kind);
}

/* Words that do not go with the type of the port do not reach the model. */
static void test_words_that_do_not_go_together(void **state)
{
	static const struct {
		uint32_t kind;
		enum vs_attr attr[2];
		const char *says;
	} wrong[] = {
		{VS_KIND_GUEST, {0, 0}, "a guest port has a socket"},
		{VS_KIND_GUEST, {VS_ATTR_SOCKET, VS_ATTR_IFNAME}, "a guest port has a socket"},
		{VS_KIND_GUEST, {VS_ATTR_SOCKET, VS_ATTR_ADDRS}, "only a host port has addresses"},
		{VS_KIND_GUEST, {VS_ATTR_SOCKET, VS_ATTR_QUEUES}, "only a host port has queues"},
		{VS_KIND_GUEST, {VS_ATTR_IFNAME, VS_ATTR_MODE}, "a socket has a mode"},
		{VS_KIND_GUEST, {VS_ATTR_SOCKET, VS_ATTR_VLAN}, "a VLAN needs a mode"},
		{VS_KIND_HOST, {VS_ATTR_SOCKET, 0}, "a host port has an interface"},
		{VS_KIND_HOST, {VS_ATTR_MODE, 0}, "a socket has a mode"},
		{VS_KIND_UPLINK, {VS_ATTR_IFNAME, 0}, "comes with its switch"},
	};
	struct vs_msg msg;
	uint32_t buf[128];
	int fd = client();
	unsigned int i;
	unsigned int a;

	add_switch(fd, "lan", 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin_port(&msg, buf, sizeof(buf), wrong[i].kind);
		for (a = 0; a < 2 && wrong[i].attr[a]; a++) {
			const struct vs_attr_spec *spec = vs_attr_spec(wrong[i].attr[a]);

			if (spec->type == VS_TLV_U32)
				vs_msg_put_u32(&msg, wrong[i].attr[a], 1);
			else
				vs_msg_put_str(&msg, wrong[i].attr[a], "x");
		}
		ask(fd, &msg);
		expect_error(fd, -EINVAL, wrong[i].says);
	}
	begin_port(&msg, buf, sizeof(buf), 99);
	ask(fd, &msg);
	expect_error(fd, -EOPNOTSUPP, "type 99 is no type of port");
	begin_port(&msg, buf, sizeof(buf), VS_KIND_PRIVATE);
	ask(fd, &msg);
	expect_error(fd, -EOPNOTSUPP, "type 1 is no type of port");
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "x");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_GUEST);
	ask(fd, &msg);
	expect_error(fd, -EOPNOTSUPP, "type 17 is no type of switch");
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "x");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_INTERNAL);
	vs_msg_put_u32(&msg, VS_ATTR_SHARE, 1);
	ask(fd, &msg);
	expect_error(fd, -EINVAL, "only an external switch");
	begin_port(&msg, buf, sizeof(buf), VS_KIND_HOST);
	ask(fd, &msg);
	expect_error(fd, 0, NULL);
	close(fd);
}

static void test_no_ack_wanted(void **state)
{
	uint16_t flags;
	uint32_t buf[64];
	struct vs_msg msg;
	int fd = client();

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "lan");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	assert_true(send(fd, buf, msg.nlh->nlmsg_len, 0) > 0);
	ask_simple(fd, VS_CMD_SWITCH_GET);
	assert_int_equal(read_dump(fd, &flags), 1);
	close(fd);
}

static void test_offset_of_model_failure(void **state)
{
	static uint32_t reply[REPLY_WORDS];
	struct vs_refusal refusal;
	uint32_t buf[64], offset;
	struct vs_msg msg;
	int fd = client();

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_PORT_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "p");
	offset = msg.nlh->nlmsg_len;
	vs_msg_put_str(&msg, VS_ATTR_SWITCH, "nowhere");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_GUEST);
	vs_msg_put_str(&msg, VS_ATTR_SOCKET, "/tmp/x");
	ask(fd, &msg);
	receive(fd, reply);
	assert_int_equal(vs_error_parse((struct nlmsghdr *)reply, &refusal), 0);
	assert_int_equal(refusal.error, -ENOENT);
	assert_int_equal(refusal.offset, offset);
	close(fd);
}

static void test_garbage(void **state)
{
	static uint32_t big[70000 / 4];
	static uint32_t reply[REPLY_WORDS];
	int other = client();
	int fd;

	fd = client();
	assert_true(send(fd, "garbage", 7, 0) == 7);
	expect_error(fd, -EBADMSG, "7 bytes is shorter");
	assert_int_equal(receive(fd, reply), 0);
	close(fd);
	fd = client();
	assert_true(send(fd, big, sizeof(big), 0) == sizeof(big));
	expect_error(fd, -EMSGSIZE, "65536");
	assert_int_equal(receive(fd, reply), 0);
	close(fd);
	fd = client();
	assert_true(send(fd, big, 100, 0) == 100);
	expect_error(fd, -EBADMSG, "nlmsg_len says 0");
	close(fd);
	add_switch(other, "lan", 0);
	close(other);
}

static void test_too_many_clients(void **state)
{
	static uint32_t reply[REPLY_WORDS];
	int fd[VS_CLIENTS_MAX], one, i;

	for (i = 0; i < VS_CLIENTS_MAX; i++)
		fd[i] = client();
	one = client();
	expect_error(one, -EUSERS, "64 clients");
	assert_int_equal(receive(one, reply), 0);
	close(one);
	add_switch(fd[0], "a", 0);
	close(fd[1]);
	turn();
	turn();
	one = client();
	add_switch(one, "b", 0);
	close(one);
	for (i = 0; i < VS_CLIENTS_MAX; i++) {
		if (i != 1)
			close(fd[i]);
	}
}

static void test_dump_in_slices(void **state)
{
	uint16_t flags;
	int fd = client();

	model.addresses = 60000; /* about 4 MiB: three slices */
	ask_simple(fd, VS_CMD_FDB_GET);
	assert_int_equal(read_dump(fd, &flags), 60000);
	assert_false(flags & NLM_F_DUMP_INTR);
	close(fd);
}

static void test_dump_interrupted(void **state)
{
	uint16_t flags;
	int fd = client(), i;

	model.addresses = 60000;
	ask_simple(fd, VS_CMD_FDB_GET);
	for (i = 0; i < 10; i++)
		turn(); /* the first slice is made, the socket is full */
	fake_notice(&model, VS_NOTICE_PORT_ADDED, "lan", "q");
	assert_int_equal(read_dump(fd, &flags), 60000);
	assert_true(flags & NLM_F_DUMP_INTR);
	close(fd);
}

/* While one does not read its dump, others are served, and the backlog stays bounded. */
static void test_slow_reader(void **state)
{
	int slow = client(), fd = client(), i;
	struct vs_session *s;
	struct vs_hub *hub = (struct vs_hub *)server; /* its first member */
	uint16_t flags;

	model.addresses = 60000;
	ask_simple(slow, VS_CMD_FDB_GET);
	for (i = 0; i < 100; i++)
		ask_simple(slow, VS_CMD_SWITCH_GET);
	for (i = 0; i < 50; i++)
		turn();
	TAILQ_FOREACH(s, &hub->sessions, link)
		assert_true(s->out_bytes < VS_SLICE_BYTES + VS_ANSWER_MAX);
	add_switch(fd, "lan", 0);
	assert_int_equal(read_dump(slow, &flags), 60000);
	for (i = 0; i < 100; i++)
		assert_int_equal(read_dump(slow, &flags), 1);
	close(slow);
	close(fd);
}

static void test_gone_in_the_middle(void **state)
{
	struct vs_hub *hub = (struct vs_hub *)server;
	int fd = client(), i;

	model.addresses = 60000;
	ask_simple(fd, VS_CMD_FDB_GET);
	for (i = 0; i < 5; i++)
		turn();
	close(fd);
	for (i = 0; i < 5; i++)
		turn();
	assert_int_equal(hub->n_sessions, 0);
}

static void expect_event(int fd, const char *event, uint64_t lost)
{
	static uint32_t reply[REPLY_WORDS];
	const struct nlattr *tb[VS_ATTR_COUNT_];
	struct nlmsghdr *nlh = (struct nlmsghdr *)reply;

	receive(fd, reply);
	assert_int_equal(nlh->nlmsg_seq, 0);
	assert_int_equal(vs_msg_cmd(nlh), VS_CMD_NOTICE);
	assert_int_equal(vs_answer_parse(nlh, tb), 0);
	assert_string_equal(vs_tlv_str(tb[VS_ATTR_EVENT]), event);
	assert_non_null(tb[VS_ATTR_TIME]);
	if (lost)
		assert_true(vs_tlv_u64(tb[VS_ATTR_LOST]) == lost);
}

static void test_monitor(void **state)
{
	int subscriber = client(), fd = client();

	ask_simple(subscriber, VS_CMD_SUBSCRIBE);
	expect_error(subscriber, 0, NULL);
	add_switch(fd, "lan", 0);
	expect_event(subscriber, "switch-added", 0);
	fake_notice(&model, VS_NOTICE_MAC_MOVED, "lan", "p");
	expect_event(subscriber, "mac-moved", 0);
	/* it can still ask */
	add_switch(subscriber, "lan", -EEXIST);
	close(subscriber);
	close(fd);
}

static void test_overflow(void **state)
{
	static uint32_t reply[REPLY_WORDS];
	const struct nlattr *tb[VS_ATTR_COUNT_];
	const unsigned int sent = 10000;
	uint64_t seen = 0, lost = 0;
	int fd = client();
	unsigned int i;

	ask_simple(fd, VS_CMD_SUBSCRIBE);
	expect_error(fd, 0, NULL);
	for (i = 0; i < sent; i++)
		fake_notice(&model, VS_NOTICE_PORT_CHANGED, "lan", "p");
	while (!lost) {
		receive(fd, reply);
		assert_int_equal(vs_answer_parse((struct nlmsghdr *)reply, tb), 0);
		if (tb[VS_ATTR_LOST])
			lost = vs_tlv_u64(tb[VS_ATTR_LOST]);
		else
			seen++;
	}
	assert_true(seen > 100);
	assert_true(seen + lost == sent);
	fake_notice(&model, VS_NOTICE_PORT_UP, "lan", "p");
	expect_event(fd, "port-up", 0);
	close(fd);
}

static void test_socket_file(void **state)
{
	struct vs_server_config config = {.base = base,
					  .path = path,
					  .model = &model,
					  .version = "1"};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct vs_server *second = NULL;
	struct stat st;
	FILE *file;
	int fd;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	/* somebody answers */
	assert_int_equal(vs_server_new(&config, &second), -EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	vs_server_free(server);
	server = NULL;
	assert_int_equal(stat(path, &st), -1);
	/* nobody answers */
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(vs_server_new(&config, &server), 0);
	vs_server_free(server);
	server = NULL;
	/* no socket at all */
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(vs_server_new(&config, &server), -ENOTSOCK);
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	config.path = "/nowhere/at/all";
	assert_int_equal(vs_server_new(&config, &server), -ENOENT);
	config.path = "";
	assert_int_equal(vs_server_new(&config, &server), -EINVAL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_hello),
		T(test_change),
		T(test_words_that_do_not_go_together),
		T(test_no_ack_wanted),
		T(test_offset_of_model_failure),
		T(test_garbage),
		T(test_too_many_clients),
		T(test_dump_in_slices),
		T(test_dump_interrupted),
		T(test_slow_reader),
		T(test_gone_in_the_middle),
		T(test_monitor),
		T(test_overflow),
		T(test_socket_file),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
