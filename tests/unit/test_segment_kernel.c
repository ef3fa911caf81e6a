/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The segmenter against the Linux kernel's.
 *
 * The same frame goes into a TAP with a virtio-net header, as a VMM hands it over, and over a
 * bridge to a second TAP, whose reader takes neither segments nor partial checksums: the kernel
 * cuts it. What comes out must be what the segmenter makes, byte by byte, the ids of IPv4 too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netns.h"
#include "segment_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	FRAMES = 400,
	SEED = 1987,
	PATIENCE_MS = 20000,
};

struct kernel {
	int in;
	int out;
	unsigned int frames;
	unsigned int segments;
	unsigned int refused; /* UDP, by a kernel before 6.2 */
};

static struct seg_frame frame;
static struct seg_row row;

static int tap_open(const char *name, short flags)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int setup(void **state)
{
	static struct kernel k;

	if (!netns_enter())
		return 0;
	k.in = tap_open("in0", IFF_VNET_HDR);
	k.out = tap_open("out0", 0);
	if (k.in < 0 || k.out < 0)
		return 0;
	netns_run("echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/all/disable_ipv6 || true");
	netns_run("echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/default/disable_ipv6 || true");
	netns_run("ip link add br0 type bridge forward_delay 0 mcast_snooping 0");
	netns_run(
		"ip link set in0 mtu 9216 master br0 up && ip link set out0 mtu 9216 master br0 up"
		" && ip link set br0 mtu 9216 up");
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	struct kernel *k = *state;

	if (!k)
		return 0;
	close(k->in);
	close(k->out);
	return 0;
}

/* Hand a frame to the kernel. Return: 0 or -errno. */
static int put(struct kernel *k, const struct vs_debt *debt, uint8_t *at, uint32_t len)
{
	struct virtio_net_hdr vnet = vs_debt_to_vnet(debt, false);
	struct iovec iov[2] = {{&vnet, sizeof(vnet)}, {at, len}};

	return writev(k->in, iov, 2) == (ssize_t)(sizeof(vnet) + len) ? 0 : -errno;
}

/* The next frame out that is ours, by its source address. Return: its length. */
static uint32_t take(struct kernel *k, uint8_t *at, uint32_t most)
{
	struct pollfd wait = {.fd = k->out, .events = POLLIN};
	ssize_t got;

	do {
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		got = read(k->out, at, most);
		assert_true(got >= 14);
	} while (memcmp(at + 6, "\2\0\0\0\0\7", 6) != 0);
	return (uint32_t)got;
}

/* After the segments there is nothing: the next frame is one that was sent after them. */
static void check_end(struct kernel *k, uint8_t *scrap, uint32_t most)
{
	static const struct vs_debt nothing;
	uint8_t mark[64] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 7, 0x88, 0xb5};

	assert_int_equal(put(k, &nothing, mark, sizeof(mark)), 0);
	assert_int_equal(take(k, scrap, most), sizeof(mark));
	assert_memory_equal(scrap, mark, sizeof(mark));
}

static void check(struct kernel *k, const struct seg_shape *shape, uint32_t *seed)
{
	const struct seg_way way = {VS_SEGMENT_CSUM_FULL, frame.debt.hdrs, 9000, SEG_EXTENTS};
	static uint8_t theirs[SEG_BYTES];
	unsigned int i;
	int err;

	assert_int_equal(seg_cut(&frame, &way, seed, &row), 0);
	err = put(k, &frame.debt, frame.bytes, frame.len);
	if (err == -EINVAL && shape->udp) {
		k->refused++;
		return;
	}
	assert_int_equal(err, 0);
	for (i = 0; i < row.n; i++) {
		uint32_t len = take(k, theirs, sizeof(theirs));

		assert_int_equal(len, row.at[i + 1] - row.at[i]);
		assert_memory_equal(theirs, row.bytes + row.at[i], len);
	}
	check_end(k, theirs, sizeof(theirs));
	k->frames++;
	k->segments += row.n;
}

static void test_same(void **state)
{
	uint32_t seed = SEED;
	struct kernel *k;
	unsigned int i;

	netns_need(state);
	k = *state;
	print_message("# seed %u\n", SEED);
	for (i = 0; i < FRAMES; i++) {
		struct seg_shape shape = seg_shape_random(&seed);

		seg_build(&shape, &frame);
		if (frame.debt.hdrs > VS_HDR_BYTES)
			continue;
		print_message("# %u: IPv%u %s, %u tags, %u %u %u, flags %02x, %u by %u\n", i,
			      shape.version, shape.udp ? "UDP" : "TCP", shape.tags, shape.ip_opts,
			      shape.exts, shape.tcp_opts, shape.flags, shape.payload,
			      shape.gso_size);
		check(k, &shape, &seed);
	}
	print_message("# %u frames, %u segments, %u not taken by this kernel\n", k->frames,
		      k->segments, k->refused);
	assert_true(k->frames > FRAMES / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
