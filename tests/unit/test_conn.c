/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/conn.h"
#include "tests/unit/vhost_peer.h"

#include <event2/event.h>

#include <errno.h>
#include <sys/socket.h>

/** A connection over a socketpair, and the VMM's end of it. */
struct fixture {
	struct event_base *base;
	struct vs_conn *conn;
	int vmm;
	unsigned int fds; /* open before */

	uint32_t messages;
	uint32_t with_fds; /* descriptors of the last message */
	uint32_t cost;
	enum vs_vhost_result result;
	uint32_t ended;
	enum vs_conn_end end;
};

static enum vs_vhost_result on_message(void *ctx, const struct vs_vhost_msg *msg,
				       struct vs_vhost_fds *fds, struct vs_vhost_msg *reply,
				       uint32_t *ret_cost)
{
	struct fixture *f = ctx;

	f->messages++;
	f->with_fds = fds->n;
	*ret_cost = f->cost;
	*reply = peer_u64(msg->request, f->messages);
	return f->result;
}

static void on_ended(void *ctx, enum vs_conn_end end, const char *why)
{
	struct fixture *f = ctx;

	f->ended++;
	f->end = end;
	vs_conn_free(f->conn);
	f->conn = NULL;
}

static const struct vs_conn_ops ops = {
	.message = on_message,
	.ended = on_ended,
};

static void connect_pair(struct fixture *f)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->vmm = pair[1];
	assert_int_equal(vs_conn_new(f->base, pair[0], &ops, f, &f->conn), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	f->cost = 1;
	f->result = VS_VHOST_DONE;
	f->fds = peer_count_fds();
	connect_pair(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int leaked;

	if (f->conn)
		vs_conn_free(f->conn);
	close(f->vmm);
	leaked = peer_count_fds() != f->fds;
	event_base_free(f->base);
	free(f);
	return leaked;
}

/* @rounds of the loop, none of which waits. */
static void turn(struct fixture *f, int rounds)
{
	while (rounds--)
		event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void send_with_fds(int sock, const void *data, size_t len, uint32_t n, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;
	uint32_t i;

	memcpy(&iov.iov_base, &data, sizeof(data));
	memset(&control, 0, sizeof(control));
	if (n) {
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (i = 0; i < n; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &mh, MSG_NOSIGNAL), len);
}

static void send_msg(struct fixture *f, const struct vs_vhost_msg *msg)
{
	send_with_fds(f->vmm, msg, VS_VHOST_HDR_BYTES + msg->size, 0, -1);
}

static void test_twelve_bytes_and_silence(void **state)
{
	const struct vs_vhost_msg msg = peer_u64(VS_VHOST_SET_FEATURES, 0);
	struct fixture *f = *state;
	struct fixture other = {.base = f->base, .cost = 1, .result = VS_VHOST_REPLY};
	struct vs_vhost_msg reply;

	connect_pair(&other);
	send_with_fds(f->vmm, &msg, VS_VHOST_HDR_BYTES, 0, -1);
	turn(f, 3);
	assert_int_equal(f->messages, 0);

	send_msg(&other, &msg);
	turn(f, 3);
	assert_int_equal(other.messages, 1);
	assert_int_equal(recv(other.vmm, &reply, sizeof(reply), MSG_DONTWAIT), 20);

	send_with_fds(f->vmm, &msg.payload, msg.size, 0, -1);
	turn(f, 3);
	assert_int_equal(f->messages, 1);
	vs_conn_free(other.conn);
	close(other.vmm);
}

static void test_byte_by_byte(void **state)
{
	const struct vs_vhost_msg msg = peer_u64(VS_VHOST_SET_VRING_KICK, 3);
	const uint8_t *bytes = (const uint8_t *)&msg;
	struct fixture *f = *state;
	int fd = peer_eventfd();
	int i;

	for (i = 0; i < 20; i++) {
		assert_int_equal(f->messages, 0);
		/* The descriptors may come with any byte. */
		send_with_fds(f->vmm, bytes + i, 1, i % 5 == 4 ? 2 : 0, fd);
		turn(f, 2);
	}
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->with_fds, 8);
	close(fd);
}

static void test_descriptors_go_with_their_message(void **state)
{
	const struct vs_vhost_msg plain = peer_u64(VS_VHOST_SET_FEATURES, 0);
	struct fixture *f = *state;
	int fd = peer_eventfd();

	send_msg(f, &plain);
	send_with_fds(f->vmm, &plain, 20, 3, fd);
	f->cost = VS_CONN_COST_PER_EVENT; /* one message per turn */
	turn(f, 1);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->with_fds, 0);
	turn(f, 1);
	assert_int_equal(f->messages, 2);
	assert_int_equal(f->with_fds, 3);
	close(fd);
}

static void expect_violation(struct fixture *f)
{
	turn(f, 4);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->end, VS_CONN_VIOLATION);
	assert_int_equal(f->messages, 0);
	assert_null(f->conn);
}

static void test_other_version(void **state)
{
	struct vs_vhost_msg msg = peer_msg(VS_VHOST_GET_FEATURES, 0);

	msg.flags = 2;
	send_msg(*state, &msg);
	expect_violation(*state);
}

static void test_reply_from_the_vmm(void **state)
{
	struct vs_vhost_msg msg = peer_msg(VS_VHOST_GET_FEATURES, 0);

	msg.flags |= VS_VHOST_IS_REPLY;
	send_msg(*state, &msg);
	expect_violation(*state);
}

static void test_too_long(void **state)
{
	struct vs_vhost_msg msg = peer_msg(VS_VHOST_SET_CONFIG, VS_VHOST_PAYLOAD_MAX + 1);
	struct fixture *f = *state;

	send_with_fds(f->vmm, &msg, VS_VHOST_HDR_BYTES, 0, -1);
	expect_violation(f);
}

static void test_nine_descriptors_at_once(void **state)
{
	const struct vs_vhost_msg msg = peer_u64(VS_VHOST_SET_FEATURES, 0);
	struct fixture *f = *state;

	send_with_fds(f->vmm, &msg, 20, 9, f->vmm);
	expect_violation(f);
}

static void test_nine_descriptors_in_two_parts(void **state)
{
	const struct vs_vhost_msg msg = peer_u64(VS_VHOST_SET_FEATURES, 0);
	struct fixture *f = *state;

	send_with_fds(f->vmm, &msg, 5, 8, f->vmm);
	turn(f, 2);
	assert_int_equal(f->ended, 0);
	send_with_fds(f->vmm, (const uint8_t *)&msg + 5, 15, 1, f->vmm);
	expect_violation(f);
}

static void test_death_half_way(void **state)
{
	const struct vs_vhost_msg msg = peer_table(8);
	struct fixture *f = *state;
	int i;

	for (i = 0; i < 50; i++) {
		int fd = peer_eventfd();

		send_with_fds(f->vmm, &msg, 1 + (size_t)i * 5, 8, fd);
		turn(f, 2);
		close(fd);
		close(f->vmm);
		turn(f, 2);
		assert_null(f->conn);
		assert_int_equal(f->end, VS_CONN_GONE);
		assert_int_equal(peer_count_fds(), f->fds);
		connect_pair(f);
	}
	assert_int_equal(f->ended, 50);
	assert_int_equal(f->messages, 0);
}

static void test_one_event_does_a_bounded_share(void **state)
{
	const struct vs_vhost_msg msg = peer_msg(VS_VHOST_SET_OWNER, 0);
	struct fixture *f = *state;
	int i;

	for (i = 0; i < 100; i++)
		send_msg(f, &msg);
	turn(f, 1);
	assert_int_equal(f->messages, VS_CONN_COST_PER_EVENT);
	f->cost = VS_CONN_COST_GRACE;
	turn(f, 1);
	assert_int_equal(f->messages,
			 VS_CONN_COST_PER_EVENT + VS_CONN_COST_PER_EVENT / VS_CONN_COST_GRACE);
}

static void test_flood_is_paused_and_goes_on(void **state)
{
	const struct vs_vhost_msg msg = peer_msg(VS_VHOST_SET_OWNER, 0);
	struct fixture *f = *state;
	int i;

	f->cost = VS_CONN_COST_PER_S;
	for (i = 0; i < 4; i++)
		send_msg(f, &msg);
	/* One message per second: two at most when the first seconds change in between. */
	turn(f, 20);
	assert_in_range(f->messages, 1, 2);
	/* Until the third one came, the loop sleeps in between and at least one second passes. */
	for (i = 0; i < 10 && f->messages < 3; i++)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(f->messages, 3);
}

static void test_replies_that_nobody_reads(void **state)
{
	const struct vs_vhost_msg msg = peer_msg(VS_VHOST_GET_FEATURES, 0);
	struct fixture *f = *state;
	int bytes = 1;
	struct vs_vhost_msg reply;
	uint32_t stuck;
	int i;

	assert_int_equal(setsockopt(vs_conn_fd(f->conn), SOL_SOCKET, SO_SNDBUF, &bytes,
				    sizeof(bytes)),
			 0);
	f->result = VS_VHOST_REPLY;
	for (i = 0; i < 100; i++)
		send_msg(f, &msg);
	turn(f, 20);
	stuck = f->messages;
	assert_in_range(stuck, 1, 99);
	turn(f, 20);
	assert_int_equal(f->messages, stuck);

	/* Reading them sets it going again; they come whole and in order. */
	for (i = 1; i <= 100; i++) {
		assert_int_equal(recv(f->vmm, &reply, 20, MSG_WAITALL), 20);
		assert_true(reply.payload.u64 == (uint64_t)i);
		turn(f, 2);
	}
}

static void test_owner_closes(void **state)
{
	const struct vs_vhost_msg msg = peer_msg(VS_VHOST_SET_OWNER, 0);
	struct fixture *f = *state;

	f->result = VS_VHOST_CLOSE;
	send_msg(f, &msg);
	send_msg(f, &msg);
	turn(f, 3);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->end, VS_CONN_REFUSED);
	assert_null(f->conn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_twelve_bytes_and_silence),
		TEST(test_byte_by_byte),
		TEST(test_descriptors_go_with_their_message),
		TEST(test_other_version),
		TEST(test_reply_from_the_vmm),
		TEST(test_too_long),
		TEST(test_nine_descriptors_at_once),
		TEST(test_nine_descriptors_in_two_parts),
		TEST(test_death_half_way),
		TEST(test_one_event_does_a_bounded_share),
		TEST(test_flood_is_paused_and_goes_on),
		TEST(test_replies_that_nobody_reads),
		TEST(test_owner_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
