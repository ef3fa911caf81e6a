/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's side of a host port, against the kernel: vs_host_ops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/host_port.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

static uint8_t sent[BIG];
static uint8_t got[BIG];

static enum vs_drop transmit(struct fixture *f, struct vs_pkt *pkt)
{
	uint8_t fate = 0xff;

	vs_host_ops.tx(f->host, 0, &pkt, 1, &fate);
	return fate;
}

static void visit(struct fixture *f, unsigned int pair, unsigned int fanout)
{
	burst.n = 0;
	burst.n_ext = 0;
	vs_host_ops.rx(f->host, pair, fanout, &burst);
	vs_host_ops.rx_done(f->host, pair);
}

static void host_sends(int fd, uint32_t len, uint32_t seed)
{
	make_frame(sent, len, seed);
	assert_int_equal(write(fd, sent, len), len);
}

static void test_from_the_host(void **state)
{
	static const uint32_t lengths[] = {14,  15,   59,   60,   127,   128,   129,
					   192, 1514, 4096, 9230, 32768, 65534, 65535};
	struct fixture *f = *state;
	size_t i;
	int fd;

	make_port(f, VS_HOST_TAP, VS_HOST_MTU_MAX);
	fd = host_socket("vst0");
	for (i = 0; i < RTE_DIM(lengths); i++) {
		const struct vs_pkt *pkt;

		host_sends(fd, lengths[i], (uint32_t)i);
		pkt = receive_one(f, &vs_host_ops);
		assert_int_equal(pkt->drop, VS_DROP_NONE);
		assert_int_equal(pkt->len, lengths[i]);
		assert_int_equal(pkt->hdr_len, RTE_MIN(lengths[i], (uint32_t)VS_HDR_BYTES));
		assert_int_equal(pkt->n_ext, lengths[i] > VS_HDR_BYTES);
		assert_int_equal(pkt->vnet.hdr.flags, 0);
		assert_int_equal(pkt->vnet.hdr.gso_type, 0);
		assert_int_equal(flatten(pkt, got), lengths[i]);
		assert_memory_equal(got, sent, lengths[i]);
		/* Stages may use the room. */
		memset(pkt->hdr - VS_HDR_ROOM, 0xee, VS_HDR_ROOM);
	}
	close(fd);
}

/* A tag stands in its place, in both directions, also on the longest frame. */
static void test_tags(void **state)
{
	static const uint32_t lengths[] = {20, 60, 1518, 65539};
	static const uint8_t tag[] = {0x81, 0x00, 0xa0, 0x2a};
	struct fixture *f = *state;
	struct vs_extent ext[8];
	struct vs_pkt pkt;
	size_t i;
	int fd;

	make_port(f, VS_HOST_TAP, VS_HOST_MTU_MAX);
	fd = host_socket("vst0");
	for (i = 0; i < RTE_DIM(lengths); i++) {
		uint32_t len = lengths[i];

		make_frame(sent, len, 3);
		memcpy(sent + 12, tag, sizeof(tag));
		assert_int_equal(write(fd, sent, len), len);
		assert_int_equal(flatten(receive_one(f, &vs_host_ops), got), len);
		assert_memory_equal(got, sent, len);

		/* The kernel takes it off for whoever listens. */
		split(&pkt, ext, sent, len, VS_HDR_BYTES, BIG);
		assert_int_equal(transmit(f, &pkt), VS_DROP_NONE);
		assert_int_equal(read_one(fd, got, sizeof(got)), len - 4);
		assert_memory_equal(got, sent, 12);
		assert_memory_equal(got + 12, sent + 16, len - 16);
	}
	close(fd);
}

static void test_to_the_host(void **state)
{
	static const uint32_t lengths[] = {14,   15,   59,   60,    127,   128,  129,
					   1514, 4096, 9230, 32768, 65535, 65549};
	struct fixture *f = *state;
	struct vs_extent ext[8];
	struct vs_pkt pkt;
	size_t i;
	int fd;

	make_port(f, VS_HOST_TAP, VS_HOST_MTU_MAX);
	fd = host_socket("vst0");
	for (i = 0; i < RTE_DIM(lengths); i++) {
		uint32_t len = lengths[i];

		make_frame(sent, len, (uint32_t)i);
		split(&pkt, ext, sent, len, VS_HDR_BYTES, BIG);
		assert_int_equal(transmit(f, &pkt), VS_DROP_NONE);
		assert_int_equal(read_one(fd, got, sizeof(got)), len);
		assert_memory_equal(got, sent, len);
	}
	close(fd);
}

/* From no extent to a thousand of one byte each, with any private part. */
static void test_shapes(void **state)
{
	static const uint32_t pieces[] = {1, 2, 3, 13, 22, 23, 64, 999, BIG};
	static const uint32_t headers[] = {14, 15, 60, 127, 128};
	struct vs_extent ext[VS_BURST_EXTENTS];
	struct fixture *f = *state;
	bool scattered = false;
	struct vs_pkt pkt;
	size_t h;
	size_t p;
	int fd;

	make_port(f, VS_HOST_TAP, 9000);
	fd = host_socket("vst0");
	for (h = 0; h < RTE_DIM(headers); h++) {
		for (p = 0; p < RTE_DIM(pieces); p++) {
			uint32_t len = RTE_MIN(1500u, headers[h] + pieces[p] * 1000);

			len = RTE_MIN(len, headers[h] + pieces[p] * (uint32_t)RTE_DIM(ext));
			make_frame(sent, len, (uint32_t)(h * 16 + p));
			split(&pkt, ext, sent, len, headers[h], pieces[p]);
			scattered = scattered || vs_frame_is_scattered(&pkt);
			assert_int_equal(transmit(f, &pkt), VS_DROP_NONE);
			assert_int_equal(read_one(fd, got, sizeof(got)), len);
			assert_memory_equal(got, sent, len);
		}
	}
	assert_true(scattered);
	/* One more than the kernel's own limit. */
	make_frame(sent, 14 + VS_BURST_EXTENTS, 5);
	split(&pkt, ext, sent, 14 + VS_BURST_EXTENTS, 14, 1);
	assert_int_equal(transmit(f, &pkt), VS_DROP_NONE);
	assert_int_equal(read_one(fd, got, sizeof(got)), 14 + VS_BURST_EXTENTS);
	assert_memory_equal(got, sent, 14 + VS_BURST_EXTENTS);
	close(fd);
}

/* A burst in its order, and a frame that the kernel refuses hurts no other. */
static void test_bursts(void **state)
{
	struct vs_extent ext[VS_BURST_MAX][4];
	static uint8_t frame[VS_BURST_MAX][300];
	struct vs_pkt pkt[VS_BURST_MAX];
	struct vs_pkt *list[VS_BURST_MAX];
	uint8_t fate[VS_BURST_MAX];
	struct fixture *f = *state;
	unsigned int i;
	int fd;

	make_port(f, VS_HOST_TAP, 1500);
	fd = host_socket("vst0");
	for (i = 0; i < VS_BURST_MAX; i++) {
		uint32_t len = i == 10 ? 13 : 100 + 3 * i;

		make_frame(frame[i], RTE_MAX(len, 14u), i);
		split(&pkt[i], ext[i], frame[i], len, VS_HDR_BYTES, 60);
		list[i] = &pkt[i];
	}
	vs_host_ops.tx(f->host, 5, list, VS_BURST_MAX, fate);
	for (i = 0; i < VS_BURST_MAX; i++) {
		assert_int_equal(fate[i], i == 10 ? VS_DROP_HOST_DOWN : VS_DROP_NONE);
		if (i == 10)
			continue;
		assert_int_equal(read_one(fd, got, sizeof(got)), pkt[i].len);
		assert_memory_equal(got, frame[i], pkt[i].len);
	}

	for (i = 0; i < 100; i++)
		host_sends(fd, 100 + i, i);
	visit(f, 0, 1);
	assert_int_equal(burst.n, VS_BURST_MAX);
	for (i = 0; i < burst.n; i++) {
		make_frame(sent, 100 + i, i);
		assert_int_equal(flatten(&burst.pkt[i], got), 100 + i);
		assert_memory_equal(got, sent, 100 + i);
	}
	visit(f, 0, 1);
	assert_int_equal(burst.n, 100 - VS_BURST_MAX);
	visit(f, 0, 1);
	assert_int_equal(burst.n, 0);
	visit(f, 1, 1); /* no such pair */
	assert_int_equal(burst.n, 0);
	close(fd);
}

/* A visit ends with its budget, where a group-addressed frame counts for each copy. */
static void test_budget(void **state)
{
	struct fixture *f = *state;
	unsigned int i;
	int fd;

	make_port(f, VS_HOST_TAP, VS_HOST_MTU_MAX);
	fd = host_socket("vst0");
	for (i = 0; i < 40; i++)
		host_sends(fd, 65000, i);
	visit(f, 0, 100);
	assert_int_equal(burst.n, VS_VISIT_BYTES / 65000 + 1);
	for (i = 0; i < burst.n; i++) {
		make_frame(sent, 65000, i);
		assert_int_equal(flatten(&burst.pkt[i], got), 65000);
		assert_memory_equal(got, sent, 65000);
	}
	while (burst.n)
		visit(f, 0, 1);
	for (i = 0; i < 4; i++) {
		make_frame(sent, 1514, i);
		memset(sent, 0xff, 6);
		assert_int_equal(write(fd, sent, 1514), 1514);
	}
	visit(f, 0, VS_VISIT_BYTES / 2000);
	assert_int_equal(burst.n, 2);
	visit(f, 0, VS_VISIT_BYTES);
	assert_int_equal(burst.n, 1);
	visit(f, 0, 0);
	assert_int_equal(burst.n, 1);
	close(fd);
}

static void test_dry_queue_is_left_alone(void **state)
{
	struct fixture *f = *state;
	int fd;

	make_port(f, VS_HOST_TAP, 1500);
	fd = host_socket("vst0");
	f->host->dry_tsc = UINT64_MAX / 4;
	visit(f, 0, 1);
	host_sends(fd, 60, 1);
	visit(f, 0, 1);
	assert_int_equal(burst.n, 0);
	f->host->queue[0].next_tsc = 0;
	visit(f, 0, 1);
	assert_int_equal(burst.n, 1);
	close(fd);
}

static void test_down_and_deleted(void **state)
{
	struct fixture *f = *state;
	struct vs_extent ext[1];
	struct vs_rtnl other;
	struct vs_pkt pkt;

	make_port(f, VS_HOST_TAP, 1500);
	make_frame(sent, 100, 1);
	split(&pkt, ext, sent, 100, VS_HDR_BYTES, BIG);
	set_flags("vst0", 0);
	assert_int_equal(transmit(f, &pkt), VS_DROP_HOST_DOWN);
	visit(f, 0, 1);
	assert_int_equal(burst.n, 0);
	/* Control hears of that itself. */
	assert_false(vs_host_ops.fault_pending(f->host));
	set_flags("vst0", IFF_UP);
	assert_int_equal(transmit(f, &pkt), VS_DROP_NONE);

	assert_int_equal(vs_rtnl_open(&other), 0);
	assert_int_equal(vs_rtnl_link_del(&other, info(f).ifindex), 0);
	vs_rtnl_close(&other);
	assert_int_equal(transmit(f, &pkt), VS_DROP_HOST_DOWN);
	visit(f, 0, 1);
	assert_int_equal(burst.n, 0);
	assert_true(vs_host_ops.fault_pending(f->host));
	assert_int_equal(transmit(f, &pkt), VS_DROP_HOST_DOWN);
	assert_false(vs_host_ops.fault_pending(f->host));
	vs_host_check(f->host);
	assert_int_equal(info(f).state, VS_HOST_GONE);
	assert_int_equal(f->changes, 1);
}

/* What the kernel never does, by a socket in the TAP's place. */
static void test_cut_and_full(void **state)
{
	static struct vs_pkt pkt[VS_BURST_MAX];
	struct vs_pkt *list[VS_BURST_MAX];
	struct vs_extent ext[VS_BURST_MAX];
	uint8_t fate[VS_BURST_MAX];
	static const size_t lens[] = {VS_HOST_FRAME_MAX, VS_HOST_FRAME_MAX + 1, 13};
	struct fixture *f = *state;
	unsigned int full = 0;
	int bytes = 300000;
	unsigned int i;
	int pair[2];
	int tap;

	make_port(f, VS_HOST_TAP, 1500);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)), 0);
	tap = f->host->queue[0].fd;
	f->host->queue[0].fd = pair[0];

	make_frame(sent, VS_HOST_FRAME_MAX + 1, 1);
	for (i = 0; i < RTE_DIM(lens); i++) {
		struct virtio_net_hdr none = {0};
		struct iovec iov[2] = {{&none, sizeof(none)}, {sent, lens[i]}};

		assert_int_equal(writev(pair[1], iov, 2), sizeof(none) + lens[i]);
	}
	visit(f, 0, 1);
	assert_int_equal(burst.n, 3);
	assert_int_equal(burst.pkt[0].drop, VS_DROP_NONE);
	assert_int_equal(flatten(&burst.pkt[0], got), VS_HOST_FRAME_MAX);
	assert_int_equal(burst.pkt[1].drop, VS_DROP_FRAME_CUT);
	assert_int_equal(burst.pkt[1].n_ext, 0);
	assert_int_equal(burst.pkt[2].hdr_len, 13); /* ingress calls it a runt */

	for (i = 0; i < VS_BURST_MAX; i++) {
		split(&pkt[i], &ext[i], sent, 60000, VS_HDR_BYTES, BIG);
		list[i] = &pkt[i];
	}
	vs_host_ops.tx(f->host, 0, list, VS_BURST_MAX, fate);
	for (i = 0; i < VS_BURST_MAX; i++) {
		assert_true(fate[i] == VS_DROP_NONE || fate[i] == VS_DROP_HOST_FULL);
		assert_true(fate[i] == VS_DROP_HOST_FULL || !full);
		full += fate[i] == VS_DROP_HOST_FULL;
	}
	assert_true(full > 0 && full < VS_BURST_MAX);
	assert_false(vs_host_ops.fault_pending(f->host));
	f->host->queue[0].fd = tap;
	close(pair[0]);
	close(pair[1]);
}

static uint8_t *lost_memory;

/* In short what dataplane/guest/sigbus.c does. */
static void on_sigbus(int sig)
{
	if (mmap(lost_memory, 65536, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(1);
	vs_mem_faults++;
}

static void test_memory_lost(void **state)
{
	struct sigaction sa = {.sa_handler = on_sigbus};
	struct fixture *f = *state;
	struct vs_extent ext[3];
	struct vs_pkt pkt[3];
	struct vs_pkt *list[3] = {&pkt[0], &pkt[1], &pkt[2]};
	struct sigaction before;
	uint8_t fate[3];
	int memfd;
	int fd;
	int i;

	make_port(f, VS_HOST_TAP, 9000);
	fd = host_socket("vst0");
	memfd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(memfd, 65536), 0);
	lost_memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	assert_int_equal(ftruncate(memfd, 0), 0);
	assert_int_equal(sigaction(SIGBUS, &sa, &before), 0);

	make_frame(sent, 1500, 1);
	for (i = 0; i < 3; i++)
		split(&pkt[i], &ext[i], sent, 1500, VS_HDR_BYTES, BIG);
	ext[1].data = lost_memory;
	vs_host_ops.tx(f->host, 0, list, 3, fate);
	assert_int_equal(fate[0], VS_DROP_NONE);
	assert_int_equal(fate[1], VS_DROP_MEM_LOST);
	assert_int_equal(fate[2], VS_DROP_MEM_LOST);
	/* The signal was raised, so the region's owner knows. */
	assert_int_equal(vs_mem_faults, 1);
	assert_int_equal(lost_memory[0], 0);
	vs_mem_faults = 0;
	assert_int_equal(read_one(fd, got, sizeof(got)), 1500);
	assert_int_equal(read(fd, got, sizeof(got)), -1);

	assert_int_equal(sigaction(SIGBUS, &before, NULL), 0);
	munmap(lost_memory, 65536);
	close(memfd);
	close(fd);
}

static void test_queues(void **state)
{
	struct fixture *f = *state;
	struct vs_host_config config = config_of(f, VS_HOST_TAP);
	unsigned int per_pair[4] = {0};
	unsigned int all = 0;
	unsigned int used = 0;
	struct vs_extent ext[1];
	struct vs_pkt pkt;
	struct vs_pkt *list[1] = {&pkt};
	uint8_t fate;
	unsigned int i;
	int fd;

	config.queues = 4;
	assert_int_equal(make(f, &config), 0);
	assert_int_equal(vs_host_pairs(f->host), 4);
	f->host->dry_tsc = 0;
	fd = host_socket("vst0");
	for (i = 0; i < 200; i++) {
		/* A flow each: IPv4 and UDP with another source port, as far as a hash looks. */
		static const uint8_t ip[] = {0x08, 0,  0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0,
					     0,    10, 0,    0, 1, 10, 0, 0, 2, 0, 0,  0,  53};

		make_frame(sent, 60, i);
		memcpy(sent + 12, ip, sizeof(ip));
		sent[34] = (uint8_t)i;
		sent[35] = (uint8_t)(i * 31);
		assert_int_equal(write(fd, sent, 60), 60);
	}
	for (i = 0; i < 4; i++) {
		do {
			visit(f, i, 1);
			per_pair[i] += burst.n;
		} while (burst.n);
		all += per_pair[i];
		used += per_pair[i] > 0;
	}
	assert_int_equal(all, 200);
	assert_true(used > 1);
	for (i = 0; i < 9; i++) {
		make_frame(sent, 60, i);
		split(&pkt, ext, sent, 60, VS_HDR_BYTES, BIG);
		vs_host_ops.tx(f->host, i, list, 1, &fate);
		assert_int_equal(fate, VS_DROP_NONE);
		assert_int_equal(read_one(fd, got, sizeof(got)), 60);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_from_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_to_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bursts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dry_queue_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_down_and_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_and_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queues, setup, teardown),
	};

	if (skip_all())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
