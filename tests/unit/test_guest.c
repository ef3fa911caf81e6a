/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest port as a whole: socket, device, state and the worker's operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/sigbus.h"
#include "tests/unit/guest_port.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct vs_burst burst;

static void test_client_finds_and_finds_again(void **state)
{
	struct fixture *f = *state;
	uint32_t before;
	uint64_t start;
	int i;

	assert_int_equal(make(f, VS_GUEST_CLIENT), 0);
	assert_int_equal(f->changes, 0);
	assert_int_equal(state_of(f), VS_GUEST_WAITING);
	until(f, strstr(info(f).problem, "nobody listens"));
	accept_port(f);
	assert_int_equal(info(f).vmm_pid, getpid());
	for (i = 0; i < 20; i++) {
		before = f->changes;
		hang_up(f);
		until(f, state_of(f) == VS_GUEST_WAITING);
		assert_true(f->changes > before);
		start = now_ms();
		accept_port(f);
		assert_true(now_ms() - start < 1000);
	}
	assert_int_equal(info(f).connects, 21);
}

static void test_violation_backs_off(void **state)
{
	struct vs_vhost_msg msg = peer_msg(VS_VHOST_GET_FEATURES, 0);
	struct fixture *f = *state;
	uint64_t start;
	int i;

	msg.flags = 3;
	assert_int_equal(make(f, VS_GUEST_CLIENT), 0);
	for (i = 0; i < 3; i++) {
		accept_port(f);
		send_msg(f, &msg, -1);
		until(f, state_of(f) == VS_GUEST_BROKEN);
		assert_non_null(strstr(info(f).problem, "version"));
		hang_up(f);
	}
	/* 100, 200 and now 400 ms. */
	start = now_ms();
	accept_port(f);
	assert_true(now_ms() - start >= 300);
	assert_true(now_ms() - start < 4000);
	assert_int_equal(info(f).refused, 3);
}

static int dial(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void test_server_socket(void **state)
{
	struct fixture *f = *state;
	struct vs_sock other;
	struct stat st;
	int file;

	/* Not a socket: left alone. */
	file = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(file);
	assert_int_equal(make(f, VS_GUEST_SERVER), -ENOTSOCK);
	assert_int_equal(access(f->path, F_OK), 0);
	unlink(f->path);

	/* Somebody listens. */
	assert_int_equal(vs_sock_listen(f->path, &other), 0);
	assert_int_equal(make(f, VS_GUEST_SERVER), -EADDRINUSE);
	/* Nobody any more: a stale file is replaced. */
	close(other.fd);
	assert_int_equal(make(f, VS_GUEST_SERVER), 0);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);

	vs_guest_del(f->guest);
	assert_int_equal(access(f->path, F_OK), -1);

	/* A file that somebody else put in its place is not removed. */
	assert_int_equal(make(f, VS_GUEST_SERVER), 0);
	unlink(f->path);
	assert_int_equal(vs_sock_listen(f->path, &f->listener), 0);
	vs_guest_del(f->guest);
	f->guest = NULL;
	assert_int_equal(access(f->path, F_OK), 0);
}

static void test_second_vmm(void **state)
{
	struct fixture *f = *state;
	char byte;
	int second;

	assert_int_equal(make(f, VS_GUEST_SERVER), 0);
	f->vmm = dial(f->path);
	until(f, state_of(f) == VS_GUEST_CONNECTED);
	second = dial(f->path);
	until(f, info(f).refused == 1);
	assert_int_equal(recv(second, &byte, 1, 0), 0);
	close(second);
	assert_int_equal(info(f).connects, 1);

	/* Both at once: the first one is dead, and the new one takes its place. */
	close(f->vmm);
	f->vmm = dial(f->path);
	until(f, info(f).connects == 2);
	until(f, state_of(f) == VS_GUEST_CONNECTED);
	assert_int_equal(info(f).refused, 1);
}

static void test_bad_paths(void **state)
{
	struct fixture *f = *state;
	char path[200];
	struct vs_guest_config config = {.name = "p", .path = path};
	const struct vs_guest_env env = {.base = f->base, .rcu = &f->rcu};

	memset(path, 'x', sizeof(path));
	path[199] = '\0';
	assert_int_equal(vs_guest_new(&env, &config, &f->guest), -ENAMETOOLONG);
	path[0] = '\0';
	assert_int_equal(vs_guest_new(&env, &config, &f->guest), -EINVAL);
}

static void test_frames_both_ways(void **state)
{
	static uint8_t frame[60];
	struct vs_pkt pkt = {.hdr = frame, .len = sizeof(frame), .hdr_len = sizeof(frame)};
	struct vs_pkt *one = &pkt;
	struct fixture *f = *state;
	uint8_t fate = VS_DROP_COUNT;
	uint16_t used[2];

	assert_int_equal(make(f, VS_GUEST_CLIENT), 0);
	vs_guest_ops.tx(f->guest, 0, &one, 1, &fate);
	assert_int_equal(fate, VS_DROP_PORT_DOWN);
	accept_port(f);
	start_pair(f, 0);
	assert_true(vs_guest_is_up(f->guest));
	assert_int_equal(info(f).pairs, 1);

	vs_guest_ops.tx(f->guest, 7, &one, 1, &fate);
	assert_int_equal(fate, VS_DROP_RX_FULL);
	guest_offers(f, 0, PEER_GPA + 0x80000, 2048, VRING_DESC_F_WRITE, 1);
	vs_guest_ops.tx(f->guest, 7, &one, 1, &fate);
	assert_int_equal(fate, VS_DROP_NONE);
	assert_int_equal(pread(f->file, used, 4, PEER_USED), 4);
	assert_int_equal(used[1], 1);

	burst.n = 0;
	burst.n_ext = 0;
	guest_offers(f, 1, PEER_GPA + 0x90000, 72, 0, 1);
	vs_guest_ops.rx(f->guest, 0, 1, &burst);
	assert_int_equal(burst.n, 1);
	assert_int_equal(burst.pkt[0].len, 60);
	assert_int_equal(burst.pkt[0].in_port, 5);
	vs_guest_ops.rx_done(f->guest, 0);
	assert_int_equal(pread(f->file, used, 4, PEER_RING_BYTES + PEER_USED), 4);
	assert_int_equal(used[1], 1);
	assert_false(vs_guest_ops.fault_pending(f->guest));
}

static void test_broken_ring_is_told_once(void **state)
{
	static struct vs_pkt pkt;
	struct vs_pkt *one = &pkt;
	struct fixture *f = *state;
	uint32_t before;
	uint8_t fate;
	int i;

	assert_int_equal(make(f, VS_GUEST_CLIENT), 0);
	accept_port(f);
	start_pair(f, 0);
	guest_offers(f, 1, 0, 0, 0, 0x4000);
	for (i = 0; i < 3; i++) {
		burst.n = 0;
		burst.n_ext = 0;
		vs_guest_ops.rx(f->guest, 0, 1, &burst);
		vs_guest_ops.rx_done(f->guest, 0);
		assert_int_equal(burst.n, 0);
		assert_int_equal(vs_guest_ops.fault_pending(f->guest), i == 0);
	}
	before = f->changes;
	vs_guest_check(f->guest);
	vs_guest_check(f->guest);
	assert_int_equal(f->changes, before + 1);
	assert_int_equal(state_of(f), VS_GUEST_BROKEN);
	assert_false(vs_guest_is_up(f->guest));
	assert_int_equal(info(f).faults, 1);
	assert_string_equal(info(f).last_fault, "avail_jump");

	/* The receive ring is whole, and the port as a whole is down all the same. */
	vs_guest_ops.tx(f->guest, 0, &one, 0, &fate);
	hang_up(f);
	until(f, state_of(f) == VS_GUEST_WAITING);
	accept_port(f);
	start_pair(f, 0);
}

static void test_memory_lost(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vs_sigbus_install(), 0);
	assert_int_equal(make(f, VS_GUEST_CLIENT), 0);
	accept_port(f);
	start_pair(f, 0);
	assert_int_equal(ftruncate(f->file, 0), 0);
	burst.n = 0;
	vs_mem_begin();
	vs_guest_ops.rx(f->guest, 0, 1, &burst);
	vs_guest_ops.rx_done(f->guest, 0);
	assert_int_equal(burst.n, 0);
	assert_true(vs_guest_ops.fault_pending(f->guest));
	vs_guest_check(f->guest);
	assert_int_equal(state_of(f), VS_GUEST_BROKEN);
	assert_non_null(strstr(info(f).problem, "guest memory went away"));
	assert_string_equal(info(f).last_fault, "memory_lost");
	assert_int_equal(info(f).regions, 0);

	/* A VMM with its memory in order is welcome. */
	hang_up(f);
	assert_int_equal(ftruncate(f->file, PEER_MEMORY), 0);
	accept_port(f);
	start_pair(f, 0);
}

static void test_no_table_at_all(void **state)
{
	struct vs_vhost_msg msg = peer_u64(VS_VHOST_SET_FEATURES, UINT64_C(1) << 32);
	struct fixture *f = *state;

	assert_int_equal(make(f, VS_GUEST_CLIENT), 0);
	accept_port(f);
	send_msg(f, &msg, -1);
	until(f, state_of(f) == VS_GUEST_NO_MEMORY);
	assert_non_null(strstr(info(f).problem, "memory-backend-memfd"));
	assert_non_null(strstr(info(f).problem, "memoryBacking"));
	start_pair(f, 0);
}

static void test_memory_that_is_not_shared(void **state)
{
	struct fixture *f = *state;
	const uint16_t avail[2] = {0, 1};

	assert_int_equal(make(f, VS_GUEST_CLIENT), 0);
	accept_port(f);
	start_pair(f, 1);
	until(f, state_of(f) == VS_GUEST_NO_MEMORY);
	assert_false(vs_guest_is_up(f->guest));
	guest_writes(f, 1, PEER_AVAIL, avail, sizeof(avail));
	until(f, state_of(f) == VS_GUEST_RUNNING);
}

static void test_storm_of_reconnects(void **state)
{
	const struct vs_vhost_msg table = peer_table(8);
	struct fixture *f = *state;
	unsigned int open;
	int i;

	assert_int_equal(make(f, VS_GUEST_SERVER), 0);
	f->vmm = dial(f->path);
	until(f, state_of(f) == VS_GUEST_CONNECTED);
	start_pair(f, 0);
	hang_up(f);
	until(f, state_of(f) == VS_GUEST_WAITING);
	open = peer_count_fds();
	for (i = 0; i < 300; i++) {
		f->vmm = dial(f->path);
		until(f, state_of(f) == VS_GUEST_CONNECTED);
		if (i % 3 == 0)
			start_pair(f, 0);
		else if (i % 3 == 1)
			assert_int_equal(send(f->vmm, &table, 30, 0), 30);
		hang_up(f);
		until(f, state_of(f) == VS_GUEST_WAITING);
		assert_int_equal(peer_count_fds(), open);
	}
	assert_int_equal(info(f).connects, 301);
}

struct worker {
	struct fixture *f;
	uint32_t stop;
	uint32_t rounds;
	uint32_t faults;
};

/* Polls the port without a pause, and lets go of it once per round. */
static void *poll_port(void *arg)
{
	static uint8_t frame[60];
	static struct vs_burst mine;
	struct vs_pkt pkt = {.hdr = frame, .len = sizeof(frame), .hdr_len = sizeof(frame)};
	struct vs_pkt *one = &pkt;
	struct worker *w = arg;
	uint8_t fate;

	vs_rcu_online(&w->f->rcu, 0);
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		vs_mem_begin();
		mine.n = 0;
		mine.n_ext = 0;
		vs_guest_ops.rx(w->f->guest, 0, 1, &mine);
		vs_guest_ops.tx(w->f->guest, 0, &one, 1, &fate);
		vs_guest_ops.rx_done(w->f->guest, 0);
		w->faults += vs_guest_ops.fault_pending(w->f->guest);
		__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_RELAXED);
		vs_rcu_report(&w->f->rcu, 0, vs_rcu_token(&w->f->rcu));
	}
	vs_rcu_offline(&w->f->rcu, 0);
	return NULL;
}

/* Tables and descriptors change, and the VMM comes and goes, under a worker that never rests. */
static void test_changes_under_a_worker(void **state)
{
	const struct vs_vhost_msg call = peer_u64(VS_VHOST_SET_VRING_CALL, 0);
	const struct vs_vhost_msg stop = peer_state(VS_VHOST_GET_VRING_BASE, 1, 0);
	const struct vs_vhost_msg table = peer_table(1);
	struct fixture *f = *state;
	struct worker w = {.f = f};
	uint8_t reply[20];
	pthread_t thread;
	int i;

	assert_int_equal(make(f, VS_GUEST_SERVER), 0);
	assert_int_equal(pthread_create(&thread, NULL, poll_port, &w), 0);
	for (i = 0; i < 200; i++) {
		int fd = peer_eventfd();

		f->vmm = dial(f->path);
		until(f, state_of(f) == VS_GUEST_CONNECTED);
		start_pair(f, 0);
		send_msg(f, &table, f->file);
		send_msg(f, &call, fd);
		send_msg(f, &table, f->file);
		send_msg(f, &stop, -1);
		until(f, recv(f->vmm, reply, sizeof(reply), MSG_DONTWAIT) == 20);
		close(fd);
		hang_up(f);
		until(f, state_of(f) == VS_GUEST_WAITING);
	}
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(w.rounds > 0);
	assert_int_equal(w.faults, 0);
	assert_int_equal(info(f).refused, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_client_finds_and_finds_again),
		TEST(test_violation_backs_off),
		TEST(test_server_socket),
		TEST(test_second_vmm),
		TEST(test_bad_paths),
		TEST(test_frames_both_ways),
		TEST(test_broken_ring_is_told_once),
		TEST(test_memory_lost),
		TEST(test_no_table_at_all),
		TEST(test_memory_that_is_not_shared),
		TEST(test_storm_of_reconnects),
		TEST(test_changes_under_a_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
