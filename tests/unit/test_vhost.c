/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/sigbus.h"
#include "tests/unit/vhost_device.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* Checksums, segmentation (TSO, ECN, USO), and the announcement after a migration. */
#define OFFLOADS                                                                              \
	(BIT(0) | BIT(1) | BIT(7) | BIT(8) | BIT(9) | BIT(11) | BIT(12) | BIT(13) | BIT(21) | \
	 BIT(54) | BIT(55) | BIT(56))

static void test_what_is_offered(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(send_msg(f, peer_msg(VS_VHOST_GET_FEATURES, 0)), VS_VHOST_REPLY);
	assert_int_equal(f->reply.request, VS_VHOST_GET_FEATURES);
	assert_int_equal(f->reply.flags, VS_VHOST_VERSION | VS_VHOST_IS_REPLY);
	assert_int_equal(f->reply.size, 8);
	assert_true(f->reply.payload.u64 == (BIT(32) | BIT(30) | BIT(29) | BIT(28) | BIT(22) |
					     BIT(15) | BIT(3) | OFFLOADS));
	assert_int_equal(send_msg(f, peer_msg(VS_VHOST_GET_PROTOCOL_FEATURES, 0)), VS_VHOST_REPLY);
	assert_true(f->reply.payload.u64 == (BIT(0) | BIT(3) | BIT(4)));
	assert_int_equal(send_msg(f, peer_msg(VS_VHOST_GET_QUEUE_NUM, 0)), VS_VHOST_REPLY);
	assert_true(f->reply.payload.u64 == 8);
}

static void test_bits_not_offered(void **state)
{
	struct fixture *f = *state;
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		if (!(vs_vhost_features & BIT(bit)))
			refused(f, peer_u64(VS_VHOST_SET_FEATURES, BIT(bit)), 0, -1);
		if (!(vs_vhost_protocol & BIT(bit)))
			refused(f, peer_u64(VS_VHOST_SET_PROTOCOL_FEATURES, BIT(bit)), 0, -1);
	}
	assert_false(f->dev.has_features);
}

/* Whatever the order, a ring runs from the last missing piece on. */
static void test_any_order_starts_a_ring(void **state)
{
	struct fixture *f = *state;
	uint32_t seed = 1;
	int round;

	for (round = 0; round < 300; round++) {
		int order[STEPS];
		int i;

		for (i = 0; i < STEPS; i++) {
			int j;

			seed = seed * 1664525 + 1013904223;
			j = (int)((seed >> 16) % (uint32_t)(i + 1));
			order[i] = order[j];
			order[j] = i;
		}
		for (i = 0; i < STEPS; i++) {
			assert_false(vs_vring_runs(&f->dev.vring[5]));
			take_step(f, 5, order[i]);
		}
		assert_true(vs_vring_runs(&f->dev.vring[5]));
		assert_int_equal(f->dev.rx_pairs, 1 << 2);
		assert_int_equal(f->dev.tx_pairs, 0);
		assert_int_equal(f->dev.vring[5].ring.hdr_len, 12);
		assert_int_equal(f->dev.vring[5].ring.in_port, 3);
		vs_vhost_reset(&f->dev);
	}
}

static void test_enabled_without_protocol_features(void **state)
{
	struct fixture *f = *state;
	int step;

	accepted(f, peer_u64(VS_VHOST_SET_FEATURES, 0), 0, -1);
	for (step = STEP_TABLE; step < STEP_ENABLE; step++)
		take_step(f, 0, step);
	assert_true(vs_vring_runs(&f->dev.vring[0]));
	assert_int_equal(f->dev.vring[0].ring.hdr_len, 10);
	accepted(f, peer_state(VS_VHOST_SET_VRING_ENABLE, 0, 0), 0, -1);
	assert_false(vs_vring_runs(&f->dev.vring[0]));
}

static void test_one_pair_of_many(void **state)
{
	struct fixture *f = *state;

	start_ring(f, 6);
	start_ring(f, 7);
	take_step(f, 0, STEP_KICK);
	assert_int_equal(f->dev.tx_pairs, 1 << 3);
	assert_int_equal(f->dev.rx_pairs, 1 << 3);
}

static void test_ring_sizes(void **state)
{
	static const uint32_t bad[] = {0, 3, 100, 32769, 65536, 0x10000 + 64, UINT32_MAX};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(f, peer_state(VS_VHOST_SET_VRING_NUM, 0, bad[i]), 0, -1);
	accepted(f, peer_state(VS_VHOST_SET_VRING_NUM, 0, 1), 0, -1);
	accepted(f, peer_state(VS_VHOST_SET_VRING_NUM, 0, 32768), 0, -1);

	start_ring(f, 1);
	refused(f, peer_state(VS_VHOST_SET_VRING_NUM, 1, 128), 0, -1);
	refused(f, peer_state(VS_VHOST_SET_VRING_BASE, 1, 5), 0, -1);
	refused(f, peer_u64(VS_VHOST_SET_FEATURES, PROTOCOL), 0, -1);
	accepted(f, peer_u64(VS_VHOST_SET_FEATURES, NEW_DRIVER | PROTOCOL), 0, -1);
	assert_true(vs_vring_runs(&f->dev.vring[1]));
	assert_int_equal(f->dev.vring[1].ring.size, PEER_RING);
	refused(f, peer_state(VS_VHOST_SET_VRING_BASE, 0, 0x10000), 0, -1);
	refused(f, peer_state(VS_VHOST_SET_VRING_ENABLE, 0, 2), 0, -1);
}

static void test_ring_index_in_full_width(void **state)
{
	static const uint32_t bad[] = {16, 255, 256, 0x10000, 0x10001, 0x80000000, UINT32_MAX};
	struct fixture *f = *state;
	int fd = peer_eventfd();
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t b = bad[i];

		refused(f, peer_state(VS_VHOST_SET_VRING_NUM, b, 64), 0, -1);
		refused(f, peer_state(VS_VHOST_SET_VRING_BASE, b, 0), 0, -1);
		refused(f, peer_state(VS_VHOST_SET_VRING_ENABLE, b, 1), 0, -1);
		refused(f, peer_addr(b), 0, -1);
		assert_int_equal(send_msg(f, peer_state(VS_VHOST_GET_VRING_BASE, b, 0)),
				 VS_VHOST_CLOSE);
		refused(f, peer_u64(VS_VHOST_SET_VRING_KICK, b == 256 ? 512 : b), 1, fd);
		refused(f, peer_u64(VS_VHOST_SET_VRING_CALL, (uint64_t)b << 32), 1, fd);
		refused(f, peer_u64(VS_VHOST_SET_VRING_ERR, BIT(63)), 1, fd);
	}
	close(fd);
}

static void test_get_vring_base(void **state)
{
	struct fixture *f = *state;
	unsigned int open = 0;
	int call = peer_eventfd();

	start_ring(f, 0);
	open = peer_count_fds();
	accepted(f, peer_u64(VS_VHOST_SET_VRING_CALL, 0), 1, call);
	assert_int_equal(peer_count_fds(), open + 1);
	f->dev.vring[0].ring.next_avail = 77;
	f->dev.vring[0].ring.taken = 7;
	assert_int_equal(send_msg(f, peer_state(VS_VHOST_GET_VRING_BASE, 0, 0)), VS_VHOST_REPLY);
	assert_int_equal(f->reply.payload.state.index, 0);
	assert_int_equal(f->reply.payload.state.num, 70);
	assert_false(vs_vring_runs(&f->dev.vring[0]));
	assert_int_equal(f->dev.tx_pairs, 0);
	assert_int_equal(peer_count_fds(), open - 1);

	take_step(f, 0, STEP_KICK);
	assert_true(vs_vring_runs(&f->dev.vring[0]));
	assert_int_equal(f->dev.vring[0].ring.next_avail, 70);
	close(call);
}

static void test_call_descriptor(void **state)
{
	struct fixture *f = *state;
	int first = peer_eventfd();
	int second = peer_eventfd();
	int pair[2];

	assert_int_equal(pipe(pair), 0);
	refused(f, peer_u64(VS_VHOST_SET_VRING_CALL, 0), 1, pair[1]);
	refused(f, peer_u64(VS_VHOST_SET_VRING_KICK, 0), 1, f->file);
	refused(f, peer_u64(VS_VHOST_SET_VRING_CALL, 0), 0, -1);
	refused(f, peer_u64(VS_VHOST_SET_VRING_CALL, 0), 2, first);
	refused(f, peer_u64(VS_VHOST_SET_VRING_CALL, VS_VHOST_VRING_NOFD), 1, first);

	accepted(f, peer_u64(VS_VHOST_SET_VRING_CALL, 0), 1, first);
	assert_int_equal(peer_drain(first), 0);
	start_ring(f, 0);
	assert_true(peer_drain(first) > 0);
	/* What was published while the first one was in force may have gone unnoticed. */
	accepted(f, peer_u64(VS_VHOST_SET_VRING_CALL, 0), 1, second);
	assert_int_equal(peer_drain(second), 1);
	accepted(f, peer_u64(VS_VHOST_SET_VRING_CALL, VS_VHOST_VRING_NOFD), 0, -1);
	assert_int_equal(f->dev.vring[0].ring.call_fd, -1);
	close(first);
	close(second);
	close(pair[0]);
	close(pair[1]);
}

static void test_addresses(void **state)
{
	struct vs_vhost_msg msg = peer_addr(0);
	struct fixture *f = *state;

	start_ring(f, 0);
	msg.payload.addr.desc += 8;
	refused(f, msg, 0, -1);
	msg = peer_addr(0);
	msg.payload.addr.avail += 1;
	refused(f, msg, 0, -1);
	msg = peer_addr(0);
	msg.payload.addr.used += 2;
	refused(f, msg, 0, -1);
	msg = peer_addr(0);
	/* One byte too far: the used ring is 6 + 8 n bytes long. */
	msg.payload.addr.used = PEER_UVA + PEER_MEMORY - (6 + 8 * PEER_RING) + 2;
	refused(f, msg, 0, -1);
	msg.payload.addr.used = UINT64_MAX - 3;
	refused(f, msg, 0, -1);
	msg = peer_addr(0);
	msg.payload.addr.flags = 1;
	refused(f, msg, 0, -1);
	assert_true(vs_vring_runs(&f->dev.vring[0]));

	f->dev.vring[0].ring.next_avail = 9;
	accepted(f, peer_addr(1), 0, -1);
	msg = peer_addr(2);
	msg.payload.addr.index = 0;
	accepted(f, msg, 0, -1);
	assert_true(vs_vring_runs(&f->dev.vring[0]));
	assert_int_equal(f->dev.vring[0].ring.next_avail, 9);
	assert_ptr_equal(f->dev.vring[0].ring.desc,
			 vs_mem_at_uva(f->dev.mem, msg.payload.addr.desc, 1));
}

static void test_new_table_while_running(void **state)
{
	struct vs_vhost_msg msg = peer_table(1);
	struct fixture *f = *state;
	struct vs_mem *old;

	start_ring(f, 0);
	start_ring(f, 15);
	f->dev.vring[0].ring.next_avail = 33;
	old = f->dev.mem;

	/* Refused: the old one stays in force, and the rings run on. */
	msg.payload.mem.region[0].size++;
	refused(f, msg, 1, f->file);
	refused(f, peer_state(VS_VHOST_SET_VRING_ENABLE, 99, 1), 0, -1);
	accepted(f, peer_state(VS_VHOST_SET_VRING_ENABLE, 0, 1), 0, -1);
	assert_ptr_equal(f->dev.mem, old);
	assert_true(vs_vring_runs(&f->dev.vring[0]));

	/* Smaller: ring 15 does not translate any more. */
	msg.payload.mem.region[0].size = 2 * PEER_RING_BYTES;
	accepted(f, msg, 1, f->file);
	assert_true(vs_vring_runs(&f->dev.vring[0]));
	assert_int_equal(f->dev.vring[0].ring.next_avail, 33);
	assert_ptr_equal(f->dev.vring[0].ring.mem, f->dev.mem);
	assert_false(vs_vring_runs(&f->dev.vring[15]));

	/* And back: it starts again by itself. */
	accepted(f, peer_table(1), 1, f->file);
	assert_true(vs_vring_runs(&f->dev.vring[15]));
}

static void test_refused_table_then_enable(void **state)
{
	struct fixture *f = *state;
	int step;

	refused(f, peer_table(1), 0, -1);
	for (step = STEP_NUM; step < STEPS; step++)
		take_step(f, 0, step);
	take_step(f, 0, STEP_FEATURES);
	assert_false(vs_vring_runs(&f->dev.vring[0]));
	assert_null(f->dev.mem);
}

static void test_table_shapes(void **state)
{
	struct vs_vhost_msg msg = peer_table(8);
	struct fixture *f = *state;
	int i;

	for (i = 0; i < 100; i++) {
		msg = peer_table(8);
		msg.payload.mem.region[7].gpa = 0;
		msg.payload.mem.region[7].size = PEER_MEMORY * UINT64_C(2);
		refused(f, msg, 8, f->file);
	}
	refused(f, peer_table(8), 7, f->file);
	refused(f, peer_table(7), 8, f->file);
	msg = peer_table(8);
	msg.size -= 1;
	refused(f, msg, 8, f->file);
	msg.size = 7;
	refused(f, msg, 8, f->file);
	msg = peer_table(8);
	msg.payload.mem.n = 9;
	refused(f, msg, 8, f->file);
	msg.payload.mem.n = UINT32_MAX;
	refused(f, msg, 8, f->file);
	assert_false(f->dev.empty_table);
	msg = peer_msg(VS_VHOST_SET_MEM_TABLE, 8);
	refused(f, msg, 0, -1);
	assert_true(f->dev.empty_table);
	accepted(f, peer_table(8), 8, f->file);
	assert_int_equal(f->dev.mem->n, 8);
}

static void test_surplus_descriptors_everywhere(void **state)
{
	struct fixture *f = *state;
	uint32_t request;

	for (request = 0; request < 60; request++) {
		uint32_t size;

		for (size = 0; size <= 40; size += 8)
			refused(f, peer_msg(request, size), 8, f->file);
	}
	refused(f, peer_msg(UINT32_MAX, 0), 8, f->file);
}

static void test_reply_ack(void **state)
{
	struct vs_vhost_msg good = peer_state(VS_VHOST_SET_VRING_NUM, 0, 64);
	struct vs_vhost_msg bad = peer_state(VS_VHOST_SET_VRING_NUM, 0, 0);
	struct vs_vhost_msg other = peer_msg(VS_VHOST_GET_INFLIGHT_FD, 16);
	struct fixture *f = *state;

	good.flags |= VS_VHOST_NEED_REPLY;
	bad.flags |= VS_VHOST_NEED_REPLY;
	assert_int_equal(send_msg(f, good), VS_VHOST_DONE);
	assert_int_equal(send_msg(f, bad), VS_VHOST_DONE);
	accepted(f, peer_u64(VS_VHOST_SET_PROTOCOL_FEATURES, BIT(3)), 0, -1);
	assert_int_equal(send_msg(f, good), VS_VHOST_REPLY);
	assert_true(f->reply.payload.u64 == 0);
	assert_int_equal(send_msg(f, bad), VS_VHOST_REPLY);
	assert_true(f->reply.payload.u64 == 1);
	assert_int_equal(f->reply.request, VS_VHOST_SET_VRING_NUM);

	/* Its own answer cannot be given: the sender must not wait for ever. */
	assert_int_equal(send_msg(f, other), VS_VHOST_CLOSE);
	other.flags |= VS_VHOST_NEED_REPLY;
	assert_int_equal(send_msg(f, other), VS_VHOST_REPLY);
	assert_true(f->reply.payload.u64 == 1);
	assert_non_null(strstr(f->dev.problem, "GET_INFLIGHT_FD"));
	other = peer_msg(VS_VHOST_SET_LOG_BASE, 16);
	assert_int_equal(send_msg(f, other), VS_VHOST_DONE);
	assert_non_null(strstr(f->dev.problem, "SET_LOG_BASE"));
}

static void test_broken_ring(void **state)
{
	struct fixture *f = *state;
	int err = peer_eventfd();

	start_ring(f, 0);
	start_ring(f, 1);
	accepted(f, peer_u64(VS_VHOST_SET_VRING_ERR, 1), 1, err);
	f->dev.vring[1].ring.fault = VS_RING_LOOP;
	assert_int_equal(vs_vhost_check(&f->dev), 0);
	assert_int_equal(vs_vhost_check(&f->dev), 0);
	assert_int_equal(f->dev.faults, 1);
	assert_string_equal(f->dev.last_fault, "loop");
	assert_int_equal(f->dev.broken, 1);
	assert_int_equal(peer_drain(err), 1);
	assert_false(vs_vring_runs(&f->dev.vring[1]));
	assert_true(vs_vring_runs(&f->dev.vring[0]));

	/* It stays away until its driver starts it anew. */
	take_step(f, 1, STEP_ENABLE);
	accepted(f, peer_table(1), 1, f->file);
	assert_false(vs_vring_runs(&f->dev.vring[1]));
	assert_int_equal(send_msg(f, peer_state(VS_VHOST_GET_VRING_BASE, 1, 0)), VS_VHOST_REPLY);
	take_step(f, 1, STEP_KICK);
	assert_true(vs_vring_runs(&f->dev.vring[1]));
	assert_int_equal(f->dev.broken, 0);
	close(err);
}

static void test_memory_lost_at_ring_start(void **state)
{
	struct fixture *f = *state;
	int step;

	assert_int_equal(vs_sigbus_install(), 0);
	for (step = STEP_FEATURES; step < STEP_KICK; step++)
		take_step(f, 0, step);
	take_step(f, 0, STEP_ENABLE);
	assert_int_equal(ftruncate(f->file, 0), 0);
	take_step(f, 0, STEP_KICK);
	assert_int_equal(f->dev.mem->lost, 1);
	assert_int_equal(vs_vhost_check(&f->dev), -EFAULT);
	assert_int_equal(f->dev.faults, 1);
	assert_string_equal(f->dev.last_fault, "memory_lost");
}

static void test_probe(void **state)
{
	struct fixture *f = *state;

	assert_true(vs_vhost_probe(&f->dev));
	start_ring(f, 1);
	assert_true(vs_vhost_probe(&f->dev));
	assert_int_equal(eventfd_write(f->dev.vring[1].kick_fd, 1), 0);
	assert_false(vs_vhost_probe(&f->dev));
	assert_false(vs_vhost_probe(&f->dev));
	assert_false(f->dev.proven);
	f->guest[PEER_RING_BYTES] = 1;
	assert_true(vs_vhost_probe(&f->dev));
	assert_true(f->dev.proven);
}

/** A worker in the middle of a long round. */
struct slow_worker {
	struct fixture *f;
	uint32_t online;
	uint32_t let_go;
};

static void *one_long_round(void *arg)
{
	const struct timespec round = {.tv_nsec = 20 * 1000 * 1000};
	struct slow_worker *w = arg;

	vs_rcu_online(&w->f->rcu, 0);
	__atomic_store_n(&w->online, 1, __ATOMIC_RELEASE);
	nanosleep(&round, NULL);
	__atomic_store_n(&w->let_go, 1, __ATOMIC_RELEASE);
	vs_rcu_offline(&w->f->rcu, 0);
	return NULL;
}

/* Was @msg (or a reset, when it is NULL) only done after the worker had let go? */
static bool waits_for_worker(struct fixture *f, const struct vs_vhost_msg *msg, int fd)
{
	struct slow_worker w = {.f = f};
	pthread_t thread;
	bool waited;

	assert_int_equal(pthread_create(&thread, NULL, one_long_round, &w), 0);
	while (!__atomic_load_n(&w.online, __ATOMIC_ACQUIRE))
		sched_yield();
	if (msg)
		accepted(f, *msg, fd >= 0 ? 1 : 0, fd);
	else
		vs_vhost_reset(&f->dev);
	waited = __atomic_load_n(&w.let_go, __ATOMIC_ACQUIRE);
	pthread_join(thread, NULL);
	return waited;
}

static void test_grace_periods(void **state)
{
	struct vs_vhost_msg msg = peer_u64(VS_VHOST_SET_VRING_CALL, 1);
	struct fixture *f = *state;
	int fd = peer_eventfd();
	uint64_t graces;

	start_ring(f, 0);
	start_ring(f, 1);
	accepted(f, msg, 1, fd);
	assert_true(waits_for_worker(f, &msg, fd));
	msg = peer_table(1);
	assert_true(waits_for_worker(f, &msg, f->file));
	msg = peer_addr(1);
	assert_true(waits_for_worker(f, &msg, -1));
	msg = peer_state(VS_VHOST_SET_VRING_ENABLE, 0, 0);
	assert_true(waits_for_worker(f, &msg, -1));
	msg = peer_state(VS_VHOST_GET_VRING_BASE, 1, 0);
	assert_true(waits_for_worker(f, &msg, -1));
	/* Nothing runs, so nobody can hold anything, and nobody is waited for. */
	graces = f->dev.graces;
	accepted(f, peer_table(1), 1, f->file);
	assert_true(f->dev.graces == graces);
	start_ring(f, 1);
	assert_true(waits_for_worker(f, NULL, -1));
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_offered),
		TEST(test_bits_not_offered),
		TEST(test_any_order_starts_a_ring),
		TEST(test_enabled_without_protocol_features),
		TEST(test_one_pair_of_many),
		TEST(test_ring_sizes),
		TEST(test_ring_index_in_full_width),
		TEST(test_get_vring_base),
		TEST(test_call_descriptor),
		TEST(test_addresses),
		TEST(test_new_table_while_running),
		TEST(test_refused_table_then_enable),
		TEST(test_table_shapes),
		TEST(test_surplus_descriptors_everywhere),
		TEST(test_reply_ack),
		TEST(test_broken_ring),
		TEST(test_memory_lost_at_ring_start),
		TEST(test_probe),
		TEST(test_grace_periods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
