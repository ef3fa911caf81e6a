/* SPDX-License-Identifier: BSD-3-Clause */
/* The dpdk uplink as a whole: which devices it takes, how it leaves them, what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dpdk_port.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct vs_burst burst;
static struct frame frame;

/* ---- refusals */

static void test_bad_devargs(void **state)
{
	struct fixture *f = *state;
	char text[VS_DPDK_DEVARGS_MAX + 10];

	refuse(f, "", -EINVAL, "1 to 255");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	refuse(f, text, -EINVAL, "1 to 255");
	refuse(f, "net_ring0, a=b", -EINVAL, "blanks");
	refuse(f, "net_rimg0", -ENODEV, "no DPDK driver knows 'net_rimg0'");
	refuse(f, "eth0", -ENODEV, "no DPDK driver knows");
	refuse(f, "bus=vdev,name=net_ring0", -EINVAL, "dpdk:DEVICE");
	/* Typing errors that the drivers do not mind. */
	refuse(f, "net_tap0,ifcae=x", -EPERM, "'ifcae' is no argument of net_tap0");
	refuse(f, "net_memif0,rol=client", -EPERM, "'rol' is no argument");
	/* And those that they do. */
	refuse(f, "net_null0,siez=64", -EPERM, "'siez'");
	/* Drivers that run commands, write files, or take an address in this process. */
	refuse(f, "net_failsafe0,exec(id)", -EPERM, "'net_failsafe0'");
	refuse(f, "net_pcap0,tx_pcap=/dev/null", -EPERM, "'net_pcap0'");
	refuse(f, "eth_pcap0,tx_pcap=/dev/null", -EPERM, "'eth_pcap0'");
	refuse(f, "eth_ring0,internal=0x1", -EPERM, "'internal'");
	refuse(f, "net_ring0,internal=0x1", -EPERM, "'internal'");
	refuse(f, "net_af_xdp0,iface=nobody,xdp_prog=/dev/null", -EPERM, "'net_af_xdp0'");
	refuse(f, "net_bonding0,mode=1", -EPERM, "'net_bonding0'");
	/* Arguments that open the switch's memory. */
	refuse(f, "net_ring0,internal=0x1000", -EPERM, "'internal'");
	refuse(f, "vdev:net_ring0,internal=0x1000", -EPERM, "'internal'");
	refuse(f, "net_memif0,zero-copy=yes", -EPERM, "'zero-copy'");
	/* A driver, but not of a network device. */
	refuse(f, "crypto_null0", -EPERM, "'crypto_null0'");
	/* It can be named again. */
	refuse(f, "crypto_null0", -EPERM, "'crypto_null0'");
}

static void test_bad_numbers(void **state)
{
	struct vs_dpdk_config config;
	struct fixture *f = *state;

	config = config_of(f, "net_ring0");
	config.queues = VS_DPDK_QUEUES_MAX + 1;
	assert_int_equal(vs_dpdk_new(&f->env, &config, &f->dpdk, &f->why), -ERANGE);
	assert_non_null(strstr(f->why.text, "at most"));
	config.queues = 1;
	config.mtu = VS_DPDK_MTU_MAX + 1;
	assert_int_equal(vs_dpdk_new(&f->env, &config, &f->dpdk, &f->why), -ERANGE);
	assert_non_null(strstr(f->why.text, "MTU from"));
	config.mtu = 67;
	assert_int_equal(vs_dpdk_new(&f->env, &config, &f->dpdk, &f->why), -ERANGE);
	assert_null(f->dpdk);
	assert_int_equal(rte_eth_dev_count_total(), 0);
}

static void test_pci_only_if_named(void **state)
{
	static const char *const named[] = {"0000:ff:1f.6"};
	struct fixture *f = *state;

	refuse(f, "0000:ff:1f.7", -EPERM, "vmswitchd --pci 0000:ff:1f.7");
	refuse(f, "ff:1f.7", -EPERM, "vmswitchd --pci 0000:ff:1f.7");
	refuse(f, "pci:0000:ff:1f.7,x=1", -EPERM, "vmswitchd --pci 0000:ff:1f.7");
	refuse(f, "net_failsafe0,dev(0000:ff:1f.7)", -EPERM, "vmswitchd --pci 0000:ff:1f.7");
	f->env.pci = named;
	f->env.n_pci = 1;
	refuse(f, "0000:ff:1f.7", -EPERM, "vmswitchd --pci 0000:ff:1f.7");
	refuse(f, "ff:1f.6", -ENODEV, "no PCI device 0000:ff:1f.6");
}

/* A folder like the kernel's, with a card that is driven as @ifname (NULL: none) by @driver. */
static void fake_card(const char *dir, const char *addr, const char *driver, const char *ifname,
		      const char *below)
{
	netns_run("mkdir -p %s/drivers/%s %s/%s%s/net", dir, driver, dir, addr, below);
	netns_run("ln -sfn ../drivers/%s %s/%s/driver", driver, dir, addr);
	if (ifname)
		netns_run("mkdir %s/%s%s/net/%s", dir, addr, below, ifname);
}

static void test_pci_card_of_the_kernel(void **state)
{
	char dir[] = "/tmp/vs-pci-XXXXXX";
	struct fixture *f = *state;

	needs_netns(f);
	netns_run("ip link add nic0 type veth peer name nic1 && ip link set nic0 up && "
		  "ip link set nic1 up && ip addr add 192.0.2.1/24 dev nic0 && "
		  "ip route add default via 192.0.2.2");
	assert_non_null(mkdtemp(dir));
	fake_card(dir, "0000:01:00.0", "virtio-pci", "nic0", "/virtio1");
	fake_card(dir, "0000:02:00.0", "e1000e", "nic1", "");
	fake_card(dir, "0000:03:00.0", "mlx5_core", "nic1", "");
	fake_card(dir, "0000:04:00.0", "mlx5_core", "nic0", "");
	fake_card(dir, "0000:05:00.0", "vfio-pci", NULL, "");
#define CHECK(addr, force) vs_dpdk_pci_check_at(dir, addr, force, &f->why)
	assert_int_equal(CHECK("01:00.0", VS_DPDK_CAREFUL), -EBUSY);
	assert_non_null(
		strstr(f->why.text, "0000:01:00.0 is the network card nic0, which carries"));
	assert_int_equal(CHECK("02:00.0", VS_DPDK_CAREFUL), -EBUSY);
	assert_non_null(strstr(f->why.text, "xdp:nic1"));
	assert_non_null(strstr(f->why.text, "dpdk-devbind.py -b vfio-pci 0000:02:00.0"));
	assert_int_equal(CHECK("02:00.0", VS_DPDK_FORCE), -EBUSY);
	assert_int_equal(CHECK("03:00.0", VS_DPDK_CAREFUL), 0);
	assert_int_equal(CHECK("04:00.0", VS_DPDK_CAREFUL), -EBUSY);
	assert_int_equal(CHECK("04:00.0", VS_DPDK_FORCE), 0);
	assert_int_equal(CHECK("05:00.0", VS_DPDK_CAREFUL), 0);
	assert_int_equal(CHECK("06:00.0", VS_DPDK_CAREFUL), -ENODEV);
	assert_int_equal(CHECK("../etc", VS_DPDK_CAREFUL), -EINVAL);
#undef CHECK
	netns_run("rm -r %s && ip link del nic0", dir);
}

static void test_default_route(void **state)
{
	struct fixture *f = *state;
	struct vs_dpdk_config config = config_of(f, "net_af_packet0,iface=nic0");

	needs_netns(f);
	netns_run("ip link add nic0 type veth peer name nic1 && ip link set nic0 up && "
		  "ip link set nic1 up && ip addr add 192.0.2.1/24 dev nic0 && "
		  "ip route add default via 192.0.2.2");
	refuse(f, config.devargs, -EBUSY, "nic0 carries the host's default route");
	refuse(f, "net_tap0,iface=x0,remote=nic0", -EBUSY, "'force'");
	refuse(f, "net_pcap0,rx_iface=nic1,tx_iface=nic0", -EBUSY, "'force'");
	refuse(f, "net_failsafe0,dev(net_af_packet0,iface=nic0)", -EBUSY, "'force'");
	config.force = VS_DPDK_FORCE;
	assert_int_equal(vs_dpdk_new(&f->env, &config, &f->dpdk, &f->why), 0);
	vs_dpdk_del(f->dpdk);
	f->dpdk = NULL;
	netns_run("ip link del nic0");
}

static void test_in_use(void **state)
{
	struct fixture *f = *state;

	f->dpdk = make(f, "net_ring0", 0);
	refuse(f, "net_ring0", -EEXIST, "net_ring0 is in use by another uplink");
	/* The one that is there does not mind. */
	fill(&frame, 100, 0, 0);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
	assert_int_equal(receive(f->dpdk, &burst, 1), 1);
	done(f->dpdk);
}

static void test_too_many(void **state)
{
	struct fixture *f = *state;
	char name[16];
	int i;

	for (i = 0; i < RTE_MAX_ETHPORTS; i++) {
		snprintf(name, sizeof(name), "net_null%d", i);
		assert_int_equal(rte_dev_probe(name), 0);
	}
	refuse(f, "net_ring0", -ENOSPC, "at most 32");
	for (i = 0; i < RTE_MAX_ETHPORTS; i++) {
		snprintf(name, sizeof(name), "net_null%d", i);
		assert_int_equal(rte_eal_hotplug_remove("vdev", name), 0);
	}
}

static void test_too_little_memory(void **state)
{
	struct fixture *f = *state;
	struct vs_dpdk_config config = config_of(f, "net_ring0");
	size_t before;

	/* What DPDK keeps for ever after the first device. */
	vs_dpdk_del(make(f, "net_ring0", 0));
	before = heap_used();
	config.queues = 8;
	config.mtu = VS_DPDK_MTU_MAX;
	assert_int_equal(vs_dpdk_new(&f->env, &config, &f->dpdk, &f->why), -ENOMEM);
	assert_non_null(strstr(f->why.text, "start vmswitchd with --memory "));
	assert_true(heap_used() <= before + 4096);
	/* With less it goes. */
	config.mtu = 1500;
	config.queues = 1;
	assert_int_equal(vs_dpdk_new(&f->env, &config, &f->dpdk, &f->why), 0);
}

/* ---- coming and going */

/* @leak: bytes that the driver itself leaves behind each time */
static void come_and_go(struct fixture *f, const char *devargs, size_t leak)
{
	unsigned int fds = 0;
	size_t heap = 0;
	int i;

	for (i = 0; i < 50; i++) {
		f->dpdk = make(f, devargs, 0);
		fill(&frame, 300, 2, 0);
		(void)send_one(f->dpdk, &frame.pkt);
		(void)receive(f->dpdk, &burst, 1);
		done(f->dpdk);
		(void)send_one(f->dpdk, &frame.pkt);
		vs_dpdk_del(f->dpdk);
		f->dpdk = NULL;
		assert_int_equal(rte_eth_dev_count_total(), 0);
		assert_int_equal(vs_dpdk_pools_waiting(), 0);
		/* The first one may leave caches behind. */
		if (i == 2) {
			fds = count_fds();
			heap = heap_used();
		} else if (i > 2) {
			assert_int_equal(count_fds(), fds);
			heap += leak;
			assert_int_equal(heap_used(), heap);
		}
	}
}

static void test_fifty_times(void **state)
{
	struct fixture *f = *state;

	come_and_go(f, "net_ring0", 0);
	come_and_go(f, "net_null0", 384);
}

static void test_fifty_taps(void **state)
{
	struct fixture *f = *state;

	needs_netns(f);
	come_and_go(f, "net_tap0,iface=vsu0", 0);
	assert_int_equal(if_nametoindex("vsu0"), 0);
}

static void test_pool_that_somebody_holds(void **state)
{
	struct fixture *f = *state;
	struct rte_mbuf *m;

	f->dpdk = make(f, "net_ring0", 0);
	m = rte_pktmbuf_alloc(f->dpdk->pool);
	vs_dpdk_del(f->dpdk);
	assert_int_equal(vs_dpdk_pools_waiting(), 1);
	/* In the meantime the same device is made again. */
	f->dpdk = make(f, "net_ring0", 0);
	assert_int_equal(vs_dpdk_pools_waiting(), 1);
	rte_pktmbuf_free(m);
	assert_int_equal(vs_dpdk_pools_waiting(), 0);
}

/* ---- net_tap: the kernel is the other side */

static int open_peer(const char *ifname)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	addr.sll_ifindex = (int)if_nametoindex(ifname);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* The next frame that came in over the interface (not one that went out). */
static ssize_t peer_receives(int fd, uint8_t *bytes, size_t size)
{
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	ssize_t n;

	do {
		n = recvfrom(fd, bytes, size, 0, (struct sockaddr *)&from, &len);
	} while (n >= 0 && from.sll_pkttype == PACKET_OUTGOING);
	return n;
}

static void test_tap_both_ways(void **state)
{
	static const uint32_t lens[] = {14, 42, 60, 61, 128, 129, 500, 1500, 1514};
	static uint8_t got[FRAME_ROOM];
	struct fixture *f = *state;
	ssize_t n = -1;
	unsigned int i;
	int fd;

	needs_netns(f);
	f->dpdk = make(f, "net_tap0,iface=vsu0,mac=02:00:00:00:00:77", 0);
	assert_true(vs_dpdk_is_up(f->dpdk));
	assert_int_equal(vs_dpdk_pairs(f->dpdk), 1);
	assert_string_equal(info_of(f->dpdk).driver, "net_tap");
	assert_int_equal(info_of(f->dpdk).mac.addr_bytes[5], 0x77);
	fd = open_peer("vsu0");
	for (i = 0; i < RTE_DIM(lens); i++) {
		fill(&frame, lens[i], 3, (uint8_t)i);
		assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
		until(f, (n = peer_receives(fd, got, sizeof(got))) >= 0);
		assert_int_equal(n, RTE_MAX(lens[i], 60u));
		assert_memory_equal(got, frame.bytes, lens[i]);

		fill(&frame, RTE_MAX(lens[i], 60u), 1, (uint8_t)~i);
		assert_int_equal(send(fd, frame.bytes, frame.pkt.len, 0), frame.pkt.len);
		until(f, receive(f->dpdk, &burst, 1) > 0);
		assert_int_equal(burst.n, 1);
		check_bytes(&burst.pkt[0], frame.bytes, frame.pkt.len);
		done(f->dpdk);
	}
	close(fd);
}

static void test_tap_down_and_up(void **state)
{
	struct fixture *f = *state;

	needs_netns(f);
	f->dpdk = make(f, "net_tap0,iface=vsu0", 0);
	fill(&frame, 100, 1, 0);
	assert_int_equal(info_of(f->dpdk).state, VS_DPDK_RUNNING);
	netns_run("ip link set vsu0 down");
	until(f, info_of(f->dpdk).state == VS_DPDK_NO_CARRIER);
	assert_int_equal(f->changes, 1);
	assert_false(vs_dpdk_is_up(f->dpdk));
	assert_non_null(strstr(info_of(f->dpdk).problem, "ip link set dev vsu0 up"));
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_DOWN);
	assert_int_equal(receive(f->dpdk, &burst, 1), 0);
	done(f->dpdk);
	netns_run("ip link set vsu0 up");
	until(f, vs_dpdk_is_up(f->dpdk));
	assert_int_equal(f->changes, 2);
	assert_string_equal(info_of(f->dpdk).problem, "");
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
}

static void test_mtu_beyond_the_limit(void **state)
{
	struct fixture *f = *state;
	struct vs_dpdk_info info;
	char words[64];

	needs_netns(f);
	f->dpdk = make(f, "net_tap0,iface=vsu0", 0);
	info = info_of(f->dpdk);
	assert_true(info.mtu_max >= 1500);
	snprintf(words, sizeof(words), "takes an MTU from 68 to %u", info.mtu_max);
	assert_int_equal(vs_dpdk_set_mtu(f->dpdk, info.mtu_max + 1, &f->why), -ERANGE);
	assert_non_null(strstr(f->why.text, words));
	assert_int_equal(info_of(f->dpdk).mtu, 1500);
	assert_int_equal(vs_dpdk_set_mtu(f->dpdk, 1280, &f->why), 0);
	assert_int_equal(info_of(f->dpdk).mtu, 1280);
	fill(&frame, 1295, 1, 0);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_SIZE);
	assert_int_equal(vs_dpdk_set_mtu(f->dpdk, info.mtu_max, &f->why), 0);
	assert_true(vs_dpdk_is_up(f->dpdk));
}

/* ---- net_af_packet: an interface of the host, which is left as it was */

static struct ifreq host_if(const char *ifname, unsigned long what)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	assert_int_equal(ioctl(fd, what, &ifr), 0);
	close(fd);
	return ifr;
}

static void test_interface_left_as_it_was(void **state)
{
	struct fixture *f = *state;
	int fd;

	needs_netns(f);
	netns_run("ip link add nic0 type veth peer name nic1 && "
		  "ip link set nic0 up mtu 1400 && ip link set nic1 up");
	f->dpdk = make(f, "net_af_packet0,iface=nic0", 1450);
	assert_true(host_if("nic0", SIOCGIFFLAGS).ifr_flags & IFF_PROMISC);
	assert_int_equal(host_if("nic0", SIOCGIFMTU).ifr_mtu, 1450);
	fd = open_peer("nic1");
	/* Tagged: the driver must hand the tag on. */
	fill(&frame, 200, 1, 5);
	memcpy(frame.bytes + 12, "\x81\x00\x20\x0a", 4);
	assert_int_equal(send(fd, frame.bytes, 200, 0), 200);
	until(f, receive(f->dpdk, &burst, 1) > 0);
	check_bytes(&burst.pkt[0], frame.bytes, 200);
	done(f->dpdk);
	close(fd);
	vs_dpdk_del(f->dpdk);
	f->dpdk = NULL;
	assert_false(host_if("nic0", SIOCGIFFLAGS).ifr_flags & IFF_PROMISC);
	assert_int_equal(host_if("nic0", SIOCGIFMTU).ifr_mtu, 1400);
	netns_run("ip link del nic0");
}

/* ---- net_memif: two uplinks of one process are each other's wire */

static void test_memif_pair(void **state)
{
	char server[128];
	char client[128];
	char socket_path[64];
	struct fixture *f = *state;
	uint32_t len;

	snprintf(socket_path, sizeof(socket_path), "/tmp/vs-memif-%d.sock", (int)getpid());
	snprintf(server, sizeof(server), "net_memif0,id=0,role=server,socket-abstract=no,socket=%s",
		 socket_path);
	snprintf(client, sizeof(client), "net_memif1,id=0,role=client,socket-abstract=no,socket=%s",
		 socket_path);
	f->dpdk = make(f, server, 0);
	assert_int_equal(info_of(f->dpdk).state, VS_DPDK_NO_CARRIER);
	assert_non_null(strstr(info_of(f->dpdk).problem, "nothing is connected to net_memif0"));
	fill(&frame, 100, 1, 0);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_DOWN);
	f->other = make(f, client, 0);
	until(f, vs_dpdk_is_up(f->dpdk) && vs_dpdk_is_up(f->other));
	/* The client offers its buffers when it is polled for the first time. */
	assert_int_equal(receive(f->other, &burst, 1), 0);
	done(f->other);
	for (len = 14; len <= 1514; len += 25) {
		fill(&frame, len, 4, (uint8_t)len);
		assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_NONE);
		until(f, receive(f->other, &burst, 1) > 0);
		check_bytes(&burst.pkt[0], frame.bytes, len);
		done(f->other);
		assert_int_equal(send_one(f->other, &frame.pkt), VS_DROP_NONE);
		until(f, receive(f->dpdk, &burst, 1) > 0);
		check_bytes(&burst.pkt[0], frame.bytes, len);
		done(f->dpdk);
	}
	/* The other side goes away. */
	vs_dpdk_del(f->other);
	f->other = NULL;
	until(f, info_of(f->dpdk).state == VS_DPDK_NO_CARRIER);
	fill(&frame, 100, 1, 0);
	assert_int_equal(send_one(f->dpdk, &frame.pkt), VS_DROP_UPLINK_DOWN);
	unlink(socket_path);
	/* The driver never closes the socket it listens on. */
	f->fds++;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_devargs),
		TEST(test_bad_numbers),
		TEST(test_pci_only_if_named),
		TEST(test_pci_card_of_the_kernel),
		TEST(test_default_route),
		TEST(test_in_use),
		TEST(test_too_many),
		TEST(test_too_little_memory),
		TEST(test_fifty_times),
		TEST(test_fifty_taps),
		TEST(test_pool_that_somebody_holds),
		TEST(test_tap_both_ways),
		TEST(test_tap_down_and_up),
		TEST(test_mtu_beyond_the_limit),
		TEST(test_interface_left_as_it_was),
		TEST(test_memif_pair),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
