/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest port on a TAP interface that a VMM holds: the interface, and vs_packet_ops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/host_port.h"

#include <linux/sockios.h>
#include <linux/virtio_net.h>

static uint8_t sent[BIG];
static uint8_t got[BIG];

/* Open the TAP as QEMU does. @extra: more flags */
static int vmm_open(const char *ifname, short extra)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | extra)};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

/* A running port of @mtu. Return: the VMM's descriptor. */
static int run_port(struct fixture *f, uint32_t mtu)
{
	int vmm;

	make_port(f, VS_HOST_PACKET, mtu);
	vmm = vmm_open("vst0", 0);
	until(f, vs_host_is_up(f->host));
	return vmm;
}

static enum vs_drop transmit(struct fixture *f, struct vs_pkt *pkt)
{
	uint8_t fate = 0xff;

	vs_packet_ops.tx(f->host, 0, &pkt, 1, &fate);
	return fate;
}

static void visit(struct fixture *f, unsigned int fanout)
{
	burst.n = 0;
	burst.n_ext = 0;
	vs_packet_ops.rx(f->host, 0, fanout, &burst);
	vs_packet_ops.rx_done(f->host, 0);
}

static void vmm_sends(int vmm, uint32_t len, uint32_t seed)
{
	make_frame(sent, len, seed);
	assert_int_equal(write(vmm, sent, len), len);
}

static void end_port(struct fixture *f)
{
	vs_host_del(f->host);
	f->host = NULL;
}

static void test_life(void **state)
{
	struct fixture *f = *state;
	struct vs_link link;
	uint32_t before;
	int vmm;

	make_port(f, VS_HOST_PACKET, 9000);
	assert_int_equal(info(f).state, VS_HOST_WAITING);
	assert_non_null(strstr(info(f).problem, "no VMM has opened interface vst0"));
	assert_false(vs_host_is_up(f->host));
	assert_int_equal(vs_host_pairs(f->host), 1);
	assert_true(exists(f, "vst0", &link));
	assert_int_equal(link.mtu, 9000);
	assert_true(link.flags & VS_LINK_UP);

	before = f->changes;
	vmm = vmm_open("vst0", 0);
	until(f, info(f).state == VS_HOST_RUNNING);
	assert_string_equal(info(f).problem, "");
	assert_true(f->changes > before);
	close(vmm);
	until(f, info(f).state == VS_HOST_WAITING);
	vmm = vmm_open("vst0", IFF_VNET_HDR);
	until(f, info(f).state == VS_HOST_RUNNING);
	set_flags("vst0", 0);
	until(f, info(f).state == VS_HOST_DOWN);
	set_flags("vst0", IFF_UP);
	until(f, info(f).state == VS_HOST_RUNNING);
	assert_int_equal(vs_host_set_mtu(f->host, 1600, &f->why), 0);
	assert_int_equal(info(f).mtu, 1600);
	assert_int_equal(vs_host_set_mac(f->host, &link.mac, &f->why), -EOPNOTSUPP);
	assert_int_equal(vs_host_add_addr(f->host, NULL, &f->why), -EOPNOTSUPP);

	/* Made by the switch: it goes, though the VMM holds it. */
	end_port(f);
	assert_false(exists(f, "vst0", NULL));
	close(vmm);
}

/* The VMM does not notice that the switch was away; what an earlier life made is removed. */
static void test_comes_back(void **state)
{
	struct fixture *f = *state;
	int vmm = run_port(f, 1500);

	vs_host_detach(f->host);
	f->host = NULL;
	assert_true(exists(f, "vst0", NULL));
	make_port(f, VS_HOST_PACKET, 1500);
	assert_true(vs_host_is_up(f->host));
	assert_true(info(f).made);
	vmm_sends(vmm, 60, 1);
	assert_int_equal(receive_one(f, &vs_packet_ops)->len, 60);
	end_port(f);
	assert_false(exists(f, "vst0", NULL));
	close(vmm);
}

static void test_existing_stays(void **state)
{
	struct fixture *f = *state;
	int vmm = vmm_open("vst0", 0);

	assert_int_equal(ioctl(vmm, TUNSETPERSIST, 1ul), 0);
	make_port(f, VS_HOST_PACKET, 1500);
	assert_true(vs_host_is_up(f->host));
	assert_false(info(f).made);
	end_port(f);
	assert_true(exists(f, "vst0", NULL));
	close(vmm);
}

static void test_foreign_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vs_host_config config = config_of(f, VS_HOST_PACKET);
	int ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};
	int vmm;

	config.ifname = "lo";
	assert_int_equal(make(f, &config), -EEXIST);
	assert_non_null(strstr(f->why.text, "lo is no TAP"));

	config.ifname = "vst0";
	config.queues = 2;
	assert_int_equal(make(f, &config), -EINVAL);
	config.queues = 1;
	vmm = vmm_open("vst0", 0);
	if (ioctl(ctl, SIOCBRADDBR, "vsbr0") == 0) {
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "vsbr0");
		ifr.ifr_ifindex = (int)if_nametoindex("vst0");
		assert_int_equal(ioctl(ctl, SIOCBRADDIF, &ifr), 0);
		assert_int_equal(make(f, &config), -EBUSY);
		assert_non_null(strstr(f->why.text, "ip link set dev vst0 nomaster"));
	}
	close(vmm);
	close(ctl);
}

static void test_from_the_vmm(void **state)
{
	static const uint32_t lengths[] =
		{14, 15, 59, 60, 127, 128, 129, 1514, 4096, 9230, 32768, 65535, VS_HOST_FRAME_MAX};
	struct fixture *f = *state;
	int vmm = run_port(f, VS_HOST_MTU_MAX);
	size_t i;

	for (i = 0; i < RTE_DIM(lengths); i++) {
		const struct vs_pkt *pkt;

		vmm_sends(vmm, lengths[i], (uint32_t)i);
		pkt = receive_one(f, &vs_packet_ops);
		assert_int_equal(pkt->drop, VS_DROP_NONE);
		assert_int_equal(pkt->len, lengths[i]);
		assert_int_equal(pkt->hdr_len, RTE_MIN(lengths[i], (uint32_t)VS_HDR_BYTES));
		assert_int_equal(pkt->vnet.hdr.flags, 0);
		assert_int_equal(pkt->vnet.hdr.gso_type, 0);
		assert_int_equal(flatten(pkt, got), lengths[i]);
		assert_memory_equal(got, sent, lengths[i]);
		memset(pkt->hdr - VS_HDR_ROOM, 0xee, VS_HDR_ROOM);
	}
	vmm_sends(vmm, VS_HOST_FRAME_MAX + 1, 0);
	assert_int_equal(receive_one(f, &vs_packet_ops)->drop, VS_DROP_FRAME_CUT);
	assert_int_equal(burst.pkt[0].n_ext, 0);
	close(vmm);
}

static void test_to_the_vmm(void **state)
{
	static const uint32_t lengths[] = {14, 15, 60, 127, 128, 129, 1514, 9230, 65535};
	static const uint32_t pieces[] = {1, 22, 23, 999, BIG};
	struct vs_extent ext[VS_BURST_EXTENTS];
	struct fixture *f = *state;
	int vmm = run_port(f, VS_HOST_MTU_MAX);
	struct vs_pkt pkt;
	size_t i;
	size_t p;

	for (i = 0; i < RTE_DIM(lengths); i++) {
		for (p = 0; p < RTE_DIM(pieces); p++) {
			uint32_t len = RTE_MIN(lengths[i], pieces[p] * VS_BURST_EXTENTS);

			make_frame(sent, len, (uint32_t)i);
			split(&pkt, ext, sent, len, VS_HDR_BYTES, pieces[p]);
			assert_int_equal(transmit(f, &pkt), VS_DROP_NONE);
			assert_int_equal(read_one(vmm, got, sizeof(got)), len);
			assert_memory_equal(got, sent, len);
		}
	}
	close(vmm);
}

static void test_tags(void **state)
{
	static const uint32_t lengths[] = {20, 60, 127, 128, 129, 132, 1518, VS_HOST_FRAME_MAX};
	static const uint8_t tags[][4] = {{0x81, 0, 0xa0, 0x2a}, {0x88, 0xa8, 0x0f, 0xfe}};
	struct fixture *f = *state;
	int vmm = run_port(f, 1500);
	struct vs_extent ext[8];
	struct vs_pkt pkt;
	size_t i;
	size_t t;

	for (i = 0; i < RTE_DIM(lengths); i++) {
		for (t = 0; t < RTE_DIM(tags); t++) {
			uint32_t len = lengths[i];

			make_frame(sent, len, 3);
			memcpy(sent + 12, tags[t], sizeof(tags[t]));
			assert_int_equal(write(vmm, sent, len), len);
			assert_int_equal(flatten(receive_one(f, &vs_packet_ops), got), len);
			assert_memory_equal(got, sent, len);
			assert_true(burst.pkt[0].hdr_len <= VS_HDR_BYTES);
			memset(burst.pkt[0].hdr - VS_HDR_ROOM, 0xee, VS_HDR_ROOM);
			if (len > 1518)
				continue;
			split(&pkt, ext, sent, len, VS_HDR_BYTES, BIG);
			/* One more than the MTU is for an 802.1Q tag only. */
			if (t == 1 && len == 1518) {
				assert_int_equal(transmit(f, &pkt), VS_DROP_MTU_OUT);
				continue;
			}
			assert_int_equal(transmit(f, &pkt), VS_DROP_NONE);
			assert_int_equal(read_one(vmm, got, sizeof(got)), len);
			assert_memory_equal(got, sent, len);
		}
	}
	close(vmm);
}

/* A frame that is longer than the MTU hurts no other of its burst, nor its order. */
static void test_bursts(void **state)
{
	static struct vs_extent ext[VS_BURST_MAX][200];
	static uint8_t frame[VS_BURST_MAX][2000];
	struct vs_pkt pkt[VS_BURST_MAX];
	struct vs_pkt *list[VS_BURST_MAX];
	uint8_t fate[VS_BURST_MAX];
	struct fixture *f = *state;
	int vmm = run_port(f, 1500);
	unsigned int i;

	for (i = 0; i < VS_BURST_MAX; i++) {
		uint32_t len = i % 10 == 3 ? 1515 : 200 + i;

		make_frame(frame[i], len, i);
		/*
		 * Frames of more than 64 pieces between others, so that they overtake if that can
		 * be.
		 */
		split(&pkt[i], ext[i], frame[i], len, VS_HDR_BYTES, i % 10 == 3 ? 500 : 1 + i % 4);
		list[i] = &pkt[i];
	}
	vs_packet_ops.tx(f->host, 0, list, VS_BURST_MAX, fate);
	for (i = 0; i < VS_BURST_MAX; i++) {
		assert_int_equal(fate[i], i % 10 == 3 ? VS_DROP_MTU_OUT : VS_DROP_NONE);
		if (i % 10 == 3)
			continue;
		assert_int_equal(read_one(vmm, got, sizeof(got)), pkt[i].len);
		assert_memory_equal(got, frame[i], pkt[i].len);
	}
	close(vmm);
}

/* What a visit's budget leaves over is not lost, and comes in order. */
static void test_budget(void **state)
{
	struct fixture *f = *state;
	int vmm = run_port(f, VS_HOST_MTU_MAX);
	unsigned int seen = 0;
	unsigned int i;

	for (i = 0; i < 70; i++) {
		make_frame(sent, 1514, i);
		memset(sent, 0xff, 6);
		assert_int_equal(write(vmm, sent, 1514), 1514);
	}
	while (seen < 70) {
		visit(f, VS_VISIT_BYTES / 4000);
		assert_true(burst.n >= 1 && burst.n <= 3);
		for (i = 0; i < burst.n; i++, seen++) {
			make_frame(sent, 1514, seen);
			memset(sent, 0xff, 6);
			assert_int_equal(flatten(&burst.pkt[i], got), 1514);
			assert_memory_equal(got, sent, 1514);
		}
	}
	visit(f, 1);
	assert_int_equal(burst.n, 0);
	close(vmm);
}

/* A VMM that does not read: its queue is full. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	int vmm = run_port(f, 1500);
	struct vs_extent ext[1];
	struct vs_pkt pkt;
	struct vs_pkt *list[VS_BURST_MAX];
	uint8_t fate[VS_BURST_MAX];
	unsigned int taken = 0;
	unsigned int there = 0;
	unsigned int i;
	unsigned int n;

	make_frame(sent, 60, 1);
	split(&pkt, ext, sent, 60, VS_HDR_BYTES, BIG);
	for (i = 0; i < VS_BURST_MAX; i++)
		list[i] = &pkt;
	for (n = 0; n < 100; n++) {
		vs_packet_ops.tx(f->host, 0, list, VS_BURST_MAX, fate);
		for (i = 0; i < VS_BURST_MAX; i++) {
			assert_true(fate[i] == VS_DROP_NONE || fate[i] == VS_DROP_HOST_FULL);
			taken += fate[i] == VS_DROP_NONE;
		}
	}
	assert_true(taken < n * VS_BURST_MAX);
	while (read(vmm, got, sizeof(got)) == 60)
		there++;
	assert_int_equal(there, taken);
	close(vmm);
}

/* A VMM with offloads: what is owed on its frames is seen. */
static void test_debt(void **state)
{
	/* IPv4 and TCP; the checksum of TCP is not finished. */
	static const uint8_t tcp[] = {0x08, 0,    0x45, 0,    0x0b, 0xd6, 0, 1,  0x40, 0, 64,
				      6,    0,    0,    10,   0,    0,    1, 10, 0,    0, 2,
				      0,    80,   0,    80,   0,    0,    0, 1,  0,    0, 0,
				      1,    0x50, 0x10, 0xff, 0xff, 0,    0, 0,  0};
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 34,
		.csum_offset = 16,
	};
	struct fixture *f = *state;
	struct iovec iov[2] = {{&vnet, sizeof(vnet)}, {sent, 1000}};
	const struct vs_pkt *pkt;
	int vmm;

	make_port(f, VS_HOST_PACKET, 1500);
	vmm = vmm_open("vst0", IFF_VNET_HDR);
	until(f, vs_host_is_up(f->host));
	make_frame(sent, 3044, 1);
	memcpy(sent + 12, tcp, sizeof(tcp));
	assert_int_equal(writev(vmm, iov, 2), 1010);
	pkt = receive_one(f, &vs_packet_ops);
	assert_int_equal(pkt->vnet.hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(pkt->len, 1000);

	vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	vnet.gso_size = 1448;
	vnet.hdr_len = 54;
	iov[1].iov_len = 3044;
	assert_int_equal(writev(vmm, iov, 2), 3054);
	pkt = receive_one(f, &vs_packet_ops);
	assert_int_equal(pkt->vnet.hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(pkt->len, 3044);

	/* And a frame without any is as good as any other. */
	memset(&vnet, 0, sizeof(vnet));
	make_frame(sent, 60, 9);
	iov[1].iov_len = 60;
	assert_int_equal(writev(vmm, iov, 2), 70);
	pkt = receive_one(f, &vs_packet_ops);
	assert_int_equal(pkt->vnet.hdr.flags, 0);
	assert_int_equal(pkt->vnet.hdr.gso_type, 0);
	assert_int_equal(pkt->len, 60);
	close(vmm);
}

/* Does the host answer an ARP request of the VMM for an address it has elsewhere? */
static bool host_answers(int vmm)
{
	static const uint8_t request[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,   9, 0x08, 0x06,
		0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,   0, 0,    9,
		127,  1,    1,    2,    0,    0,    0, 0, 0, 0, 192, 0, 2,    77,
	};
	static const uint8_t probe[4] = {0, 0, 0, 0};
	uint8_t frame[60];
	unsigned int tries = 20;

	/* A probe (RFC 5227) has no sender address that a route would be looked up for. */
	memcpy(frame, request, sizeof(frame));
	memcpy(frame + 28, probe, sizeof(probe));
	if (write(vmm, frame, sizeof(frame)) != sizeof(frame))
		return false;
	/* It is answered before write() returns, or not at all; leave it some time all the same. */
	while (tries--) {
		struct pollfd p = {.fd = vmm, .events = POLLIN};

		if (poll(&p, 1, 10) > 0 && read(vmm, frame, sizeof(frame)) >= 42 &&
		    frame[12] == 0x08 && frame[13] == 0x06)
			return true;
	}
	return false;
}

/* The host's own frames to the interface. Return: did the VMM get one? */
static bool host_reaches(int vmm)
{
	struct pollfd p = {.fd = vmm, .events = POLLIN};
	int fd = host_socket("vst0");
	bool there;

	make_frame(sent, 60, 1);
	/* The filter's verdict is an error of the call; both are fine. */
	(void)!write(fd, sent, 60);
	there = poll(&p, 1, 100) > 0;
	close(fd);
	return there;
}

static void test_host_is_kept_off(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_addr.s_addr = inet_addr("192.0.2.77")};
	struct fixture *f = *state;
	struct ifreq ifr = {0};
	int vmm;

	set_flags("lo", IFF_UP);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	ifreq_call(SIOCSIFADDR, &ifr, "lo");
	vmm = run_port(f, 1500);
	assert_false(host_answers(vmm));
	assert_false(host_reaches(vmm));
	/* The switch saw the request. */
	assert_int_equal(receive_one(f, &vs_packet_ops)->len, 60);

	/* It would be reached otherwise. */
	assert_int_equal(vs_rtnl_unblock(&f->env->rtnl, info(f).ifindex), 0);
	assert_true(host_answers(vmm));
	assert_true(host_reaches(vmm));
	/* And what stands already is no error. */
	assert_int_equal(vs_rtnl_block(&f->env->rtnl, info(f).ifindex), 0);
	assert_int_equal(vs_rtnl_block(&f->env->rtnl, info(f).ifindex), 0);
	close(vmm);
}

static void test_deleted(void **state)
{
	struct fixture *f = *state;
	int vmm = run_port(f, 1500);
	struct vs_extent ext[1];
	struct vs_rtnl other;
	struct vs_pkt pkt;

	make_frame(sent, 60, 1);
	split(&pkt, ext, sent, 60, VS_HDR_BYTES, BIG);
	set_flags("vst0", 0);
	assert_int_equal(transmit(f, &pkt), VS_DROP_HOST_DOWN);
	assert_int_equal(vs_rtnl_open(&other), 0);
	assert_int_equal(vs_rtnl_link_del(&other, info(f).ifindex), 0);
	vs_rtnl_close(&other);
	assert_int_equal(transmit(f, &pkt), VS_DROP_HOST_DOWN);
	visit(f, 1);
	assert_int_equal(burst.n, 0);
	until(f, info(f).state == VS_HOST_GONE);
	assert_int_equal(vs_host_pairs(f->host), 0);
	close(vmm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_existing_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_the_vmm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_to_the_vmm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bursts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_debt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_is_kept_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
	};

	if (skip_all())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
