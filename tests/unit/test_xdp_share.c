/* SPDX-License-Identifier: BSD-3-Clause */
/* An xdp uplink that the host shares: who gets what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/xdp_fixture.h"

#include <rte_ip.h>
#include <rte_udp.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUEST "02:00:00:00:00:01"
#define GUEST_2 "02:00:00:00:00:02"
#define STATION "02:00:00:00:00:99"
#define EVERYBODY "ff:ff:ff:ff:ff:ff"
#define GROUP "01:00:5e:01:02:03"

enum who {
	NOBODY = 0,
	SWITCH = 1,
	HOST = 2,
	WIRE = 4,
};

static uint8_t sent[FRAME_MAX];
static uint8_t got[FRAME_MAX];
static char own[RTE_ETHER_ADDR_FMT_SIZE];
static int host = -1;

/* A packet socket is the host's ear and mouth on its interface. */
static int open_host(const char *ifname)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));

	to.sll_ifindex = (int)if_nametoindex(ifname);
	assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int setup(void **state)
{
	struct wire *w;
	int err = wire_setup(state);

	if (err || wire_missing)
		return err;
	w = *state;
	err = take(w, VS_XDP_SHARED);
	if (err) {
		print_error("%s\n", w->why.text);
		return err;
	}
	rte_ether_format_addr(own, sizeof(own), &w->nic_mac);
	host = open_host("nic");
	return 0;
}

static int teardown(void **state)
{
	if (!wire_missing)
		close(host);
	return wire_teardown(state);
}

/* Has the host received the frame in `sent`? Others it has received meanwhile do not count. */
static bool host_has(uint32_t len)
{
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(host, got, FRAME_MAX, 0, (struct sockaddr *)&from, &size)) >= 0) {
		/* To somebody else: seen, because the card is promiscuous, and thrown away. */
		if (from.sll_pkttype != PACKET_OUTGOING && from.sll_pkttype != PACKET_OTHERHOST &&
		    (uint32_t)n == len && memcmp(sent, got, len) == 0)
			return true;
	}
	return false;
}

/* Who has received the frame in `sent`; @most: those who may. */
static enum who who_has(struct wire *w, uint32_t len)
{
	unsigned int pair;
	int who = NOBODY;
	int quiet = 0;

	/* Until nothing new has come for a while: four looks of 10 ms. */
	while (quiet++ < 4) {
		if (switch_get(w, got, &pair, 10) == len && memcmp(got, sent, len) == 0) {
			assert_false(who & SWITCH);
			who |= SWITCH;
		}
		if (station_get(w, got, 1) == len && memcmp(got, sent, len) == 0) {
			assert_false(who & WIRE);
			who |= WIRE;
		}
		if (host_has(len)) {
			assert_false(who & HOST);
			who |= HOST;
		}
	}
	return (enum who)who;
}

static enum who from_wire(struct wire *w, const char *dst, const char *src, uint32_t len)
{
	static uint32_t seed;

	make_frame(sent, len, dst, src, ++seed);
	station_send(w, sent, len);
	return who_has(w, len);
}

static enum who from_switch(struct wire *w, const char *dst, const char *src, uint32_t len)
{
	static uint32_t seed = 1000;

	make_frame(sent, len, dst, src, ++seed);
	assert_int_equal(switch_send(w, sent, len), VS_DROP_NONE);
	return who_has(w, len);
}

static enum who from_host(struct wire *w, const char *dst, uint32_t len)
{
	static uint32_t seed = 2000;

	make_frame(sent, len, dst, own, ++seed);
	assert_int_equal(send(host, sent, len, 0), len);
	return who_has(w, len);
}

static void gives_and_takes(struct wire *w, uint32_t len)
{
	assert_int_equal(from_wire(w, own, STATION, len), HOST);
	assert_int_equal(from_wire(w, GUEST, STATION, len), SWITCH);
	assert_int_equal(from_wire(w, EVERYBODY, STATION, len), SWITCH | HOST);
	assert_int_equal(from_wire(w, GROUP, STATION, len), SWITCH | HOST);

	assert_int_equal(from_switch(w, STATION, GUEST, len), WIRE);
	assert_int_equal(from_switch(w, own, GUEST, len), HOST);
	assert_int_equal(from_switch(w, EVERYBODY, GUEST, len), WIRE | HOST);
	assert_int_equal(from_switch(w, GROUP, GUEST, len), WIRE | HOST);

	assert_int_equal(from_host(w, STATION, len), WIRE);
	assert_int_equal(from_host(w, GUEST, len), SWITCH);
	assert_int_equal(from_host(w, EVERYBODY, len), SWITCH | WIRE);
	assert_int_equal(from_host(w, GROUP, len), SWITCH | WIRE);
}

static void test_who_gets_what(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	assert_int_equal(vs_xdp_pairs(w->x), QUEUES + 1);
	gives_and_takes(w, 100);
}

/* Who is behind the switch is learnt from its frames to the host, and forgotten for the wire's. */
static void test_moves(void **state)
{
	struct vs_xdp_info info;
	struct wire *w = *state;

	if (wire_missing)
		skip();
	assert_int_equal(from_host(w, GUEST_2, 64), WIRE);
	assert_int_equal(from_switch(w, EVERYBODY, GUEST_2, 64), WIRE | HOST);
	assert_int_equal(from_host(w, GUEST_2, 64), SWITCH);
	/* It moves to the wire, and says so to everybody ... */
	assert_int_equal(from_wire(w, EVERYBODY, GUEST_2, 64), SWITCH | HOST);
	assert_int_equal(from_host(w, GUEST_2, 64), WIRE);
	/* ... and back, and away with a frame to a guest, then one to the host. */
	assert_int_equal(from_switch(w, own, GUEST_2, 64), HOST);
	assert_int_equal(from_host(w, GUEST_2, 64), SWITCH);
	assert_int_equal(from_wire(w, GUEST, GUEST_2, 64), SWITCH);
	assert_int_equal(from_host(w, GUEST_2, 64), WIRE);
	assert_int_equal(from_switch(w, own, GUEST_2, 64), HOST);
	assert_int_equal(from_wire(w, own, GUEST_2, 64), HOST);
	assert_int_equal(from_host(w, GUEST_2, 64), WIRE);
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.counters[VS_BPF_LEARNT], 3);
	assert_int_equal(info.counters[VS_BPF_FORGOTTEN], 3);
}

static void test_sizes_and_tags(void **state)
{
	static const uint32_t sizes[] = {14, 15, 59, 60, 127, 128, 129, 1514, 4096, 9014};
	struct wire *w = *state;
	size_t i;

	if (wire_missing)
		skip();
	assert_int_equal(from_switch(w, own, GUEST, 60), HOST);
	for (i = 0; i < RTE_DIM(sizes); i++) {
		assert_int_equal(from_wire(w, EVERYBODY, STATION, sizes[i]), SWITCH | HOST);
		assert_int_equal(from_switch(w, EVERYBODY, GUEST, sizes[i]), WIRE | HOST);
		assert_int_equal(from_host(w, GUEST, sizes[i]), SWITCH);
		assert_int_equal(from_host(w, EVERYBODY, sizes[i]), SWITCH | WIRE);
	}
}

static void put_tag(uint8_t *frame, uint32_t len, uint16_t tci)
{
	const uint16_t tag[2] = {htons(RTE_ETHER_TYPE_VLAN), htons(tci)};

	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, tag, sizeof(tag));
}

/* Tags reach the switch in their place, also where the kernel keeps them beside the frame. */
static void test_tags(void **state)
{
	struct wire *w = *state;
	unsigned int pair;

	if (wire_missing)
		skip();
	make_frame(sent, 100, EVERYBODY, STATION, 1);
	put_tag(sent, 100, 5 << 13 | 42);
	station_send(w, sent, 104);
	assert_int_equal(switch_get(w, got, &pair, 5000), 104);
	assert_int_equal(pair, QUEUES);
	assert_memory_equal(got, sent, 104);

	make_frame(sent, 100, EVERYBODY, own, 2);
	put_tag(sent, 100, 42);
	assert_int_equal(send(host, sent, 104, 0), 104);
	assert_int_equal(switch_get(w, got, &pair, 5000), 104);
	assert_memory_equal(got, sent, 104);
	assert_int_equal(station_get(w, got, 5000), 104);
	assert_memory_equal(got, sent, 104);

	/* A guest on VLAN 42 is not one without a tag. */
	make_frame(sent, 100, own, GUEST, 3);
	put_tag(sent, 100, 42);
	assert_int_equal(switch_send(w, sent, 104), VS_DROP_NONE);
	assert_int_equal(from_host(w, GUEST, 100), WIRE);
	make_frame(sent, 100, GUEST, own, 4);
	put_tag(sent, 100, 42);
	assert_int_equal(send(host, sent, 104, 0), 104);
	assert_int_equal(switch_get(w, got, &pair, 5000), 104);
	assert_memory_equal(got, sent, 104);
	assert_int_equal(station_get(w, got, 50), 0);
}

/* Take frames from the uplink until one is of an IP protocol, and check it. */
static uint32_t get_ip(struct wire *w, uint8_t *frame, uint8_t protocol)
{
	static struct vs_burst burst;
	uint64_t deadline = now_ms() + 5000;
	uint32_t len = 0;

	while (!len && now_ms() < deadline) {
		unsigned int i;

		burst.n = 0;
		burst.n_ext = 0;
		vs_xdp_ops.rx(w->x, QUEUES, 1, &burst);
		for (i = 0; i < burst.n && !len; i++) {
			const struct vs_pkt *pkt = &burst.pkt[i];
			const struct rte_ipv4_hdr *ip = (const void *)(pkt->hdr + 14);

			if (pkt->len < 34 || pkt->hdr[12] != 8 || pkt->hdr[13] != 0 ||
			    ip->next_proto_id != protocol)
				continue;
			memcpy(frame, pkt->hdr, pkt->hdr_len);
			if (pkt->n_ext)
				memcpy(frame + pkt->hdr_len, pkt->ext[0].data, pkt->ext[0].len);
			len = pkt->len;
		}
		vs_xdp_ops.rx_done(w->x, QUEUES);
	}
	return len;
}

/* Header and payload, with their sum in them, add up to all ones (RFC 1071). */
static bool sum_is_right(const struct rte_ipv4_hdr *ip)
{
	uint16_t len = (uint16_t)(ntohs(ip->total_length) - sizeof(*ip));
	uint32_t sum = rte_raw_cksum(ip + 1, len);

	sum += rte_ipv4_phdr_cksum(ip, 0);
	return (uint16_t)(sum + (sum >> 16)) == 0xffff;
}

/* The host's kernel leaves sums to the card; what comes to the switch must have them. */
static void test_finished_frames(void **state)
{
	const struct rte_ipv4_hdr *ip = (const void *)(got + 14);
	struct wire *w = *state;
	uint32_t len;

	if (wire_missing)
		skip();
	assert_int_equal(from_switch(w, own, GUEST, 60), HOST);
	assert_int_equal(sh("ip addr add 10.9.0.1/24 dev nic; "
			    "ip neigh add 10.9.0.7 lladdr " GUEST " dev nic; "
			    "ethtool -K nic tx on tso on gso on > /dev/null"),
			 0);
	/* A device that only bash has. */
	assert_int_equal(sh("bash -c 'echo hello > /dev/udp/10.9.0.7/9'"), 0);
	len = get_ip(w, got, IPPROTO_UDP);
	assert_true(len >= 14 + 20 + 8 + 6);
	assert_int_equal(rte_ipv4_cksum(ip), 0);
	assert_true(sum_is_right(ip));
	/* A connection's first segment; nobody answers. */
	(void)sh("timeout 0.2 bash -c 'echo > /dev/tcp/10.9.0.7/9' 2> /dev/null");
	len = get_ip(w, got, IPPROTO_TCP);
	assert_true(len >= 14 + 20 + 20);
	assert_true(sum_is_right(ip));
}

/* Host and outside station talk as if there were no switch; a guest asks the host by ARP. */
static void test_kernel_stack(void **state)
{
	static const uint8_t ask[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0, 0, 0, 1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
		1,    2,    0,    0,    0,    0,    1, 10, 9, 0, 7, 0, 0, 0, 0, 0, 0, 10, 9, 0, 1,
	};
	struct wire *w = *state;
	static struct vs_burst burst;
	uint64_t deadline;
	bool answered = false;

	if (wire_missing)
		skip();
	sh("ip addr add 10.9.0.1/24 dev nic; ip -n wire addr add 10.9.0.2/24 dev w0");
	assert_int_equal(outside("ping -c 3 -i 0.05 -W 5 10.9.0.1 > /dev/null"), 0);
	assert_int_equal(sh("ping -c 3 -i 0.05 -W 5 -s 8972 -M do 10.9.0.2 > /dev/null"), 0);
	assert_int_equal(switch_send(w, ask, sizeof(ask)), VS_DROP_NONE);
	deadline = now_ms() + 5000;
	while (!answered && now_ms() < deadline) {
		unsigned int i;

		burst.n = 0;
		burst.n_ext = 0;
		vs_xdp_ops.rx(w->x, QUEUES, 1, &burst);
		for (i = 0; i < burst.n; i++) {
			const uint8_t *f = burst.pkt[i].hdr;

			/* A reply, to the guest, by the interface's address. */
			if (f[12] == 8 && f[13] == 6 && f[21] == 2 && memcmp(f, ask + 6, 6) == 0 &&
			    memcmp(f + 6, &w->nic_mac, 6) == 0)
				answered = true;
		}
		vs_xdp_ops.rx_done(w->x, QUEUES);
	}
	assert_true(answered);
}

/* Sharing ends and begins under way; filters of others stay. */
static void test_set_share(void **state)
{
	struct wire *w = *state;
	int i;

	if (wire_missing)
		skip();
	/* Classic BPF: no frame matches. */
	assert_int_equal(sh("tc filter add dev nic ingress prio 5 bpf bytecode '1,6 0 0 0,'"), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(vs_xdp_set_share(w->x, VS_XDP_ALONE, &w->why), 0);
		assert_int_equal(vs_xdp_pairs(w->x), QUEUES);
		assert_int_equal(from_wire(w, own, STATION, 100), SWITCH);
		assert_int_equal(from_wire(w, EVERYBODY, STATION, 100), SWITCH);
		assert_int_equal(from_switch(w, EVERYBODY, GUEST, 100), WIRE);
		assert_int_equal(from_host(w, EVERYBODY, 100), WIRE);
		assert_false(sh_says("tc filter show dev nic ingress | grep -q vs_nic"));
		assert_false(sh_says("tc filter show dev nic egress | grep -q vs_nic"));
		assert_false(sh_says("ip link show | grep -q vsu"));
		assert_int_equal(vs_xdp_set_share(w->x, VS_XDP_SHARED, &w->why), 0);
		assert_int_equal(from_wire(w, own, STATION, 100), HOST);
		assert_int_equal(from_wire(w, EVERYBODY, STATION, 100), SWITCH | HOST);
		assert_int_equal(from_switch(w, own, GUEST, 100), HOST);
		assert_int_equal(from_host(w, GUEST, 100), SWITCH);
	}
	give_back(w);
	assert_true(sh_says("tc filter show dev nic ingress | grep -q bytecode"));
}

/* Others that talk on every interface are not heard as the wire, nor is the kernel. */
static void test_strays(void **state)
{
	struct vs_xdp_info info;
	struct wire *w = *state;
	char name[IFNAMSIZ];
	unsigned int pair;
	int fd;

	if (wire_missing)
		skip();
	(void)snprintf(name, sizeof(name), "vsu%u", if_nametoindex("nic"));
	fd = open_host(name);
	make_frame(sent, 100, EVERYBODY, STATION, 1);
	/* Dropped at once, and the kernel says so. */
	assert_int_equal(send(fd, sent, 100, 0), -1);
	assert_int_equal(errno, ENOBUFS);
	close(fd);
	assert_int_equal(switch_get(w, got, &pair, 50), 0);
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.counters[VS_BPF_STRAY], 1);
}

/* Without a wire, host and guests go on. */
static void test_no_carrier(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	sh("ip -n wire link set w0 down");
	until(w, !w->x->wire);
	assert_true(vs_xdp_is_up(w->x));
	assert_int_equal(from_switch(w, own, GUEST, 100), HOST);
	assert_int_equal(from_switch(w, EVERYBODY, GUEST, 100), HOST);
	make_frame(sent, 100, STATION, GUEST, 1);
	assert_int_equal(switch_send(w, sent, 100), VS_DROP_UPLINK_DOWN);
	assert_int_equal(from_host(w, GUEST, 100), SWITCH);
}

/*
 * An interface whose driver knows nothing of XDP, here a bridge over the wire: the stack runs the
 * program, also over what the switch sends to the host.
 */
static void test_generic(void **state)
{
	struct vs_xdp_info info;
	struct wire *w = *state;

	if (wire_missing)
		skip();
	give_back(w);
	close(host);
	host = -1;
	assert_int_equal(sh("ip link set nic down; ip link set nic name real"), 0);
	if (!sh_says("ip link add nic type bridge 2> /dev/null")) {
		assert_int_equal(sh("ip link set real name nic"), 0);
		skip();
	}
	assert_int_equal(sh("ip link set real master nic up; ip link set nic mtu 9000 up; "
			    "ethtool -K real rxvlan off > /dev/null"),
			 0);
	assert_int_equal(take(w, VS_XDP_SHARED), 0);
	rte_ether_format_addr(own, sizeof(own), &w->nic_mac);
	host = open_host("nic");
	until(w, w->x->wire);
	vs_xdp_info(w->x, &info);
	assert_false(info.native);
	assert_int_equal(info.queues, 1);
	gives_and_takes(w, 100);
	gives_and_takes(w, 9014);
	assert_int_equal(from_wire(w, EVERYBODY, GUEST, 100), SWITCH | HOST);
	assert_int_equal(from_host(w, GUEST, 100), WIRE);
	give_back(w);
	assert_int_equal(sh("ip link del real"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who_gets_what, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes_and_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_finished_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_stack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_share, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_carrier, setup, teardown),
		cmocka_unit_test_setup_teardown(test_generic, setup, teardown),
	};

	return cmocka_run_group_tests(tests, wire_group_setup, NULL);
}
