/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server over a real socket, on a model without a dataplane, and clients of it. Server and
 * clients share one thread: whoever waits turns the event loop, so that nothing here depends on
 * timing. Included after cmocka.h.
 */
#ifndef VS_TESTS_UNIT_SERVER_FIXTURE_H
#define VS_TESTS_UNIT_SERVER_FIXTURE_H

#include "control/server.h"
#include "control/session.h"
#include "tests/unit/fake_model.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
	if (server)
		vs_server_free(server);
	server = NULL;
	event_base_free(base);
	return rmdir(folder); /* fails if the socket was left behind */
}

static inline void turn(void)
{
	assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static inline int client(void)
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
static inline size_t receive(int fd, uint32_t reply[REPLY_WORDS])
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

static inline void ask(int fd, struct vs_msg *msg)
{
	msg->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	msg->nlh->nlmsg_seq = 1;
	assert_int_equal(send(fd, msg->nlh, msg->nlh->nlmsg_len, MSG_NOSIGNAL),
			 msg->nlh->nlmsg_len);
}

static inline void expect_error(int fd, int error, const char *text)
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

static inline void add_switch(int fd, const char *name, int error)
{
	uint32_t buf[64];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, name);
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	ask(fd, &msg);
	expect_error(fd, error, NULL);
}

static inline void ask_simple(int fd, enum vs_cmd cmd)
{
	uint32_t buf[64];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), cmd);
	ask(fd, &msg);
}

/* Read a dump to its end; the flags of all messages together. Returns how many records. */
static inline unsigned int read_dump(int fd, uint16_t *ret_flags)
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

static inline void expect_event(int fd, const char *event, uint64_t lost)
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

static inline void begin_port(struct vs_msg *msg, uint32_t *buf, size_t size, uint32_t kind)
{
	vs_msg_init(msg, buf, size, VS_CMD_PORT_NEW);
	vs_msg_put_str(msg, VS_ATTR_NAME, "p");
	vs_msg_put_str(msg, VS_ATTR_SWITCH, "lan");
	vs_msg_put_u32(msg, VS_ATTR_KIND, kind);
}

#endif
