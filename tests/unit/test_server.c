/* SPDX-License-Identifier: BSD-3-Clause */
/* The server: requests, answers, dumps, notices, and its socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/server_fixture.h"

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

/* Words that do not go with the type of the port do not reach the model. */
static void test_words_that_do_not_go_together(void **state)
{
	static const struct {
		uint32_t kind;
		enum vs_attr attr[2];
		const char *says;
	} wrong[] = {
		{VS_KIND_GUEST, {0, 0}, "a guest port needs one of"},
		{VS_KIND_GUEST, {VS_ATTR_SOCKET, VS_ATTR_IFNAME}, "a guest port needs one of"},
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
