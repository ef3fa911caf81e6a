/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon that reads from a script, for tests of the client: a list of datagrams to send and of
 * requests to wait for, played by a thread. The client counts its requests from 1 (HELLO), so a
 * script knows the sequence numbers beforehand. Included after cmocka.h; the program is linked
 * with -Wl,--wrap=setsockopt.
 */
#ifndef TESTS_UNIT_SCRIPTED_DAEMON_H
#define TESTS_UNIT_SCRIPTED_DAEMON_H

#include "control/client.h"
#include "control/tlv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	STEPS = 32,
	DATAGRAM = VS_ANSWER_MAX + 4096,
	HELLO_SEQ = 1,
	CALL_SEQ = 2,
	NEXT_SEQ = 3,
};

/**
 * struct step - what the daemon does next: sends @len bytes, or waits for a request
 * @until:	not 0: it reads on until one of this sequence number comes, and keeps only that
 */
struct step {
	bool waits;
	uint32_t until;
	size_t len;
	uint32_t bytes[DATAGRAM / 4];
};

struct daemon {
	int listener;
	pthread_t thread;
	bool hangs_up; /* after the last step; otherwise it waits until the client has gone */
	unsigned int n;
	struct step step[STEPS];
	unsigned int requests;
	uint32_t request[STEPS][256]; /* as received */
};

static struct daemon d;
static struct vs_client *client;
static struct vs_client_fail fail;
static char folder[32];
static char path[64];
static bool hurry; /* timeouts of the client are 100 ms */

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	const struct timeval soon = {.tv_usec = 100000};

	if (hurry && level == SOL_SOCKET && name == SO_RCVTIMEO)
		value = &soon;
	return __real_setsockopt(fd, level, name, value, len);
}

/* ---- the daemon ---- */

/* Return: false if the client has gone. */
static inline bool take_request(int fd, uint32_t until)
{
	uint32_t *request = d.request[d.requests++];

	do {
		if (recv(fd, request, sizeof(d.request[0]), 0) <= 0)
			return false;
	} while (until && ((const struct nlmsghdr *)request)->nlmsg_seq != until);
	return true;
}

static inline void *play(void *arg)
{
	int fd = accept4(d.listener, NULL, NULL, SOCK_CLOEXEC);
	char byte;
	unsigned int i;

	for (i = 0; i < d.n; i++) {
		struct step *s = &d.step[i];

		if (!s->waits)
			(void)send(fd, s->bytes, s->len, MSG_NOSIGNAL);
		else if (!take_request(fd, s->until))
			break;
	}
	while (!d.hangs_up && recv(fd, &byte, 1, 0) > 0)
		;
	close(fd);
	return NULL;
}

static inline void listen_on(int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	d.listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(d.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(d.listener, 1), 0);
}

static inline int set_up(void **state)
{
	memset(&d, 0, sizeof(d));
	memset(&fail, 0, sizeof(fail));
	d.listener = -1;
	client = NULL;
	hurry = false;
	strcpy(folder, "/tmp/vs-client-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/s", folder);
	return 0;
}

static inline int tear_down(void **state)
{
	if (client)
		vs_client_close(client);
	if (d.thread)
		pthread_join(d.thread, NULL);
	if (d.listener >= 0)
		close(d.listener);
	unlink(path);
	return rmdir(folder);
}

/* ---- scripts ---- */

static inline void waits(void)
{
	d.step[d.n++].waits = true;
}

static inline void waits_until(uint32_t seq)
{
	d.step[d.n].until = seq;
	waits();
}

/* A datagram begins: what is said next goes into it. */
static inline void datagram(void)
{
	assert_true(d.n < STEPS);
	d.n++;
}

static inline void say_bytes(const void *bytes, size_t len)
{
	struct step *s = &d.step[d.n - 1];

	assert_true(s->len + len <= sizeof(s->bytes));
	memcpy((char *)s->bytes + s->len, bytes, len);
	s->len += len;
}

static inline void say(struct vs_msg *msg, uint32_t seq, uint16_t flags)
{
	assert_int_equal(msg->error, 0);
	msg->nlh->nlmsg_seq = seq;
	msg->nlh->nlmsg_flags |= flags;
	say_bytes(msg->nlh, msg->nlh->nlmsg_len);
}

/* A record whose ID is @id. */
static inline void say_record(uint32_t seq, uint32_t id, uint16_t flags)
{
	uint32_t buf[64];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_PORT_GET);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "a");
	vs_msg_put_u32(&msg, VS_ATTR_ID, id);
	say(&msg, seq, NLM_F_MULTI | flags);
}

static inline void say_done(uint32_t seq, uint16_t flags)
{
	const struct {
		struct nlmsghdr nlh;
		int error;
	} done = {.nlh = {.nlmsg_len = sizeof(done),
			  .nlmsg_type = NLMSG_DONE,
			  .nlmsg_flags = NLM_F_MULTI | flags,
			  .nlmsg_seq = seq}};

	say_bytes(&done, sizeof(done));
}

static inline void say_refusal(uint32_t seq, const struct vs_refusal *refusal)
{
	uint32_t buf[256];
	struct vs_msg msg;

	vs_msg_init_error(&msg, buf, sizeof(buf), NULL, refusal);
	say(&msg, seq, 0);
}

static inline void say_ack(uint32_t seq)
{
	say_refusal(seq, NULL);
}

/* A message whose header is right and whose payload is @bytes. */
static inline void say_raw(uint32_t seq, uint16_t type, uint16_t flags, const void *bytes,
			   uint32_t len)
{
	const struct nlmsghdr nlh = {.nlmsg_len = NLMSG_HDRLEN + len,
				     .nlmsg_type = type,
				     .nlmsg_flags = flags,
				     .nlmsg_seq = seq};

	say_bytes(&nlh, sizeof(nlh));
	say_bytes(bytes, len);
}

static inline void say_hello(uint32_t from, uint32_t to)
{
	uint32_t buf[64];
	struct vs_msg msg;

	waits();
	datagram();
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_HELLO);
	vs_msg_put_u32(&msg, VS_ATTR_VERSION_MIN, from);
	vs_msg_put_u32(&msg, VS_ATTR_VERSION_MAX, to);
	vs_msg_put_str(&msg, VS_ATTR_DAEMON, "1.2.3");
	say(&msg, HELLO_SEQ, 0);
	say_ack(HELLO_SEQ);
}

/* HELLO goes well, and a request comes. */
static inline void expect_request(void)
{
	say_hello(1, 1);
	waits();
}

static inline int open_client(void)
{
	if (d.listener < 0)
		listen_on(SOCK_SEQPACKET);
	assert_int_equal(pthread_create(&d.thread, NULL, play, NULL), 0);
	return vs_client_open(path, &client, &fail);
}

/** struct heard - records that came */
struct heard {
	unsigned int n;
	unsigned int stop_at; /* return 7 for the record after that many */
	uint32_t id[64];
};

static inline int hear(const struct nlattr *const *tb, void *ctx)
{
	struct heard *h = ctx;

	assert_string_equal(vs_tlv_str(tb[VS_ATTR_NAME]), "a");
	h->id[h->n++] = vs_tlv_u32(tb[VS_ATTR_ID]);
	return h->stop_at && h->n == h->stop_at ? 7 : 0;
}

/* Where the attributes of the request lie: behind 20 bytes of headers. */
enum {
	NAME_AT = 20,
	KIND_AT = NAME_AT + 8,
	REQUEST_LEN = KIND_AT + 8,
};

static inline int call(struct heard *h)
{
	uint32_t buf[64];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "lan");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	assert_int_equal(msg.nlh->nlmsg_len, REQUEST_LEN);
	memset(&fail, 0, sizeof(fail));
	return vs_client_call(client, &msg, h ? hear : NULL, h, &fail);
}

static inline void says(const char *text)
{
	if (!strstr(fail.text, text))
		fail_msg("'%s' does not say '%s'", fail.text, text);
}

static inline void failed(int got, int error, const char *text)
{
	assert_int_equal(got, error);
	assert_int_equal(fail.error, error);
	says(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
