/* SPDX-License-Identifier: BSD-3-Clause */
/* The host port's interface: made, set, watched, taken over, refused, removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/host_port.h"

#include <libmnl/libmnl.h>

#include <linux/rtnetlink.h>
#include <net/route.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const struct rte_ether_addr mac_a = {{0x02, 0x15, 0x5d, 0, 0, 1}};
static const struct rte_ether_addr mac_b = {{0x02, 0x15, 0x5d, 0, 0, 2}};

static bool same_mac(struct rte_ether_addr a, struct rte_ether_addr b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool has_addr(struct fixture *f, const char *text)
{
	struct vs_host_info i = info(f);
	char buf[VS_HOST_ADDR_TEXT];
	unsigned int n;

	for (n = 0; n < i.n_addrs; n++)
		if (strcmp(vs_host_addr_format(&i.addrs[n], buf), text) == 0)
			return true;
	return false;
}

static bool has_link_local(void)
{
	FILE *file = fopen("/proc/self/net/if_inet6", "r");
	bool found = false;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		found = found || (strncmp(line, "fe80", 4) == 0 && strstr(line, "vst0"));
	if (file)
		fclose(file);
	return found;
}

static void ipv6_on(void)
{
	if (access("/proc/sys/net/ipv6", F_OK) == 0)
		write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
}

static void test_addr_text(void **state)
{
	static const char *const good[] = {
		"192.0.2.1/24",   "10.0.0.0/31", "10.1.2.3/32",
		"2001:db8::1/64", "fe80::1/10",  "::ffff:192.0.2.1/96",
	};
	static const char *const bad[] = {
		"",
		"/",
		"192.0.2.1",
		"192.0.2.1/",
		"192.0.2.1/33",
		"192.0.2.1/0",
		"192.0.2/24",
		"192.0.2.1/2x",
		"192.0.2.1/-1",
		"192.0.2.1/ 24",
		"192.0.2.1/0024",
		"300.0.2.1/24",
		"0.0.0.0/8",
		"224.0.0.1/4",
		"239.1.1.1/32",
		"255.255.255.255/32",
		"::/64",
		"ff02::1/64",
		"2001:db8::1",
		"2001:db8::1/129",
		"2001:db8::g/64",
		" 10.0.0.1/8",
		"10.0.0.1/24/24",
		"fe80::1%lo/64",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/64",
	};
	struct vs_host_addr addr;
	char text[VS_HOST_ADDR_TEXT];
	size_t i;

	for (i = 0; i < RTE_DIM(good); i++) {
		assert_int_equal(vs_host_addr_parse(good[i], &addr), 0);
		assert_string_equal(vs_host_addr_format(&addr, text), good[i]);
	}
	for (i = 0; i < RTE_DIM(bad); i++)
		if (vs_host_addr_parse(bad[i], &addr) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_ifname(void **state)
{
	assert_true(vs_host_ifname_is_valid("a"));
	assert_true(vs_host_ifname_is_valid("vs-web.1_x12345"));
	assert_false(vs_host_ifname_is_valid(""));
	assert_false(vs_host_ifname_is_valid("vs-web.1_x123456"));
	assert_false(vs_host_ifname_is_valid("."));
	assert_false(vs_host_ifname_is_valid(".."));
	assert_false(vs_host_ifname_is_valid("a/b"));
	assert_false(vs_host_ifname_is_valid("a:1"));
	assert_false(vs_host_ifname_is_valid("a b"));
	assert_false(vs_host_ifname_is_valid("tap%d"));
}

static void test_life(void **state)
{
	struct fixture *f = *state;
	struct vs_host_config config = config_of(f, VS_HOST_TAP);
	struct vs_host_addr addr[2];
	struct vs_link link;

	ipv6_on();
	assert_int_equal(vs_host_addr_parse("192.0.2.1/24", &addr[0]), 0);
	assert_int_equal(vs_host_addr_parse("2001:db8::1/64", &addr[1]), 0);
	config.mtu = 9000;
	config.mac_mode = VS_HOST_MAC_NEW;
	config.mac = mac_a;
	config.addrs = addr;
	config.n_addrs = 2;
	assert_int_equal(make(f, &config), 0);
	assert_true(vs_host_is_up(f->host));
	assert_int_equal(vs_host_pairs(f->host), 1);
	assert_true(exists(f, "vst0", &link));
	assert_int_equal(link.mtu, 9000);
	assert_true(same_mac(link.mac, mac_a));
	assert_true(link.flags & VS_LINK_UP);
	assert_true(link.flags & VS_LINK_CARRIER);
	assert_true(link.flags & VS_LINK_OURS);
	assert_int_equal(info(f).state, VS_HOST_RUNNING);
	assert_string_equal(info(f).problem, "");
	assert_string_equal(info(f).ifname, "vst0");
	assert_int_equal(info(f).ifindex, link.ifindex);
	assert_true(info(f).made && info(f).carrier);
	assert_true(has_addr(f, "192.0.2.1/24"));
	assert_true(has_addr(f, "2001:db8::1/64"));
	/* The kernel's own link-local one is there, and not listed. */
	assert_true(has_link_local());
	assert_int_equal(info(f).n_addrs, 2);

	vs_host_del(f->host);
	f->host = NULL;
	assert_false(exists(f, "vst0", NULL));
}

/* Read what the monitor has to say about the past. */
static void settle_down(struct fixture *f)
{
	struct pollfd p = {.fd = mnl_socket_get_fd(f->env->monitor), .events = POLLIN};

	while (poll(&p, 1, 0) > 0)
		event_base_loop(f->base, EVLOOP_ONCE);
}

static void test_set(void **state)
{
	struct fixture *f = *state;
	struct vs_host_addr addr;
	struct ifreq ifr = {0};
	struct vs_link link;

	make_port(f, VS_HOST_TAP, 1500);
	assert_int_equal(vs_host_set_mtu(f->host, VS_HOST_MTU_MAX, &f->why), 0);
	assert_int_equal(vs_host_set_mac(f->host, &mac_b, &f->why), 0);
	assert_true(exists(f, "vst0", &link));
	assert_int_equal(link.mtu, VS_HOST_MTU_MAX);
	assert_true(same_mac(link.mac, mac_b));
	assert_true(same_mac(info(f).mac, mac_b));
	assert_int_equal(info(f).mtu, VS_HOST_MTU_MAX);

	/* What the port was told is no news; what somebody else does is. */
	settle_down(f);
	assert_int_equal(f->changes, 0);
	ifr.ifr_mtu = 1400;
	ifreq_call(SIOCSIFMTU, &ifr, "vst0");
	until(f, f->changes == 1);
	assert_int_equal(info(f).mtu, 1400);

	assert_int_equal(vs_host_set_mtu(f->host, VS_HOST_MTU_MAX + 1, &f->why), -EINVAL);
	assert_non_null(strstr(f->why.text, "65521"));
	assert_int_equal(vs_host_set_mtu(f->host, VS_MTU_MIN - 1, &f->why), -EINVAL);

	assert_int_equal(vs_host_addr_parse("198.51.100.7/24", &addr), 0);
	assert_int_equal(vs_host_add_addr(f->host, &addr, &f->why), 0);
	assert_int_equal(vs_host_add_addr(f->host, &addr, &f->why), 0);
	assert_true(has_addr(f, "198.51.100.7/24"));
	assert_int_equal(vs_host_del_addr(f->host, &addr, &f->why), 0);
	assert_int_equal(vs_host_del_addr(f->host, &addr, &f->why), 0);
	assert_false(has_addr(f, "198.51.100.7/24"));
	/* The kernel's refusal reaches the user. */
	write_file("/proc/sys/net/ipv6/conf/vst0/disable_ipv6", "1");
	assert_int_equal(vs_host_addr_parse("2001:db8::1/64", &addr), 0);
	assert_true(vs_host_add_addr(f->host, &addr, &f->why) < 0);
	assert_non_null(strstr(f->why.text, "2001:db8::1/64"));
	assert_non_null(strstr(f->why.text, "vst0"));
}

static void test_bad_config(void **state)
{
	struct fixture *f = *state;
	struct vs_host_config config = config_of(f, VS_HOST_TAP);

	config.ifname = "tap%d";
	assert_int_equal(make(f, &config), -EINVAL);
	assert_non_null(strstr(f->why.text, "tap%d"));
	config = config_of(f, VS_HOST_TAP);
	config.queues = VS_HOST_PAIRS_MAX + 1;
	assert_int_equal(make(f, &config), -EINVAL);
	config.queues = 0;
	assert_int_equal(make(f, &config), -EINVAL);
	config = config_of(f, VS_HOST_TAP);
	config.mtu = 70000;
	assert_int_equal(make(f, &config), -EINVAL);
	config = config_of(f, VS_HOST_TAP);
	config.n_addrs = VS_HOST_ADDRS_MAX + 1;
	assert_int_equal(make(f, &config), -EINVAL);
	/* A group address cannot be an interface's: what was half made is gone again. */
	config = config_of(f, VS_HOST_TAP);
	config.mac_mode = VS_HOST_MAC_SET;
	memset(&config.mac, 0xff, sizeof(config.mac));
	assert_true(make(f, &config) < 0);
	assert_non_null(strstr(f->why.text, "vst0"));
	assert_false(exists(f, "vst0", NULL));
}

static void test_foreign_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vs_host_config config = config_of(f, VS_HOST_TAP);
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	struct vs_host *first;
	int fd;

	config.ifname = "lo";
	assert_int_equal(make(f, &config), -EEXIST);
	assert_non_null(strstr(f->why.text, "lo exists and is no TAP"));

	/* A TUN interface is none either. */
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "vst0");
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	config = config_of(f, VS_HOST_TAP);
	assert_int_equal(make(f, &config), -EEXIST);
	close(fd);

	/* Another port's. */
	make_port(f, VS_HOST_TAP, 1500);
	first = f->host;
	assert_int_equal(make(f, &config), -EBUSY);
	assert_non_null(strstr(f->why.text, "port p"));
	config.kind = VS_HOST_PACKET;
	assert_int_equal(make(f, &config), -EBUSY);
	assert_ptr_equal(f->host, first);
	assert_true(exists(f, "vst0", NULL));
}

/* Another process's, with one queue and with several. */
static void test_held_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vs_host_config config = config_of(f, VS_HOST_TAP);
	int fd;

	fd = vs_tap_attach("vst0", 1, 0);
	assert_true(fd >= 0);
	assert_int_equal(make(f, &config), -EBUSY);
	assert_non_null(strstr(f->why.text, "another process holds interface vst0"));
	config.queues = 2;
	assert_int_equal(make(f, &config), -EINVAL);
	assert_non_null(strstr(f->why.text, "one queue"));
	close(fd);

	fd = vs_tap_attach("vst0", 2, 0);
	assert_true(fd >= 0);
	assert_int_equal(make(f, &config), -EBUSY);
	assert_non_null(strstr(f->why.text, "another process holds interface vst0"));
	config.queues = 1;
	assert_int_equal(make(f, &config), -EINVAL);
	assert_non_null(strstr(f->why.text, "several queues"));
	close(fd);
}

static void test_follows_the_host(void **state)
{
	struct fixture *f = *state;
	struct ifreq ifr = {0};
	struct vs_rtnl other;
	uint32_t before;

	make_port(f, VS_HOST_TAP, 1500);
	before = f->changes;
	set_flags("vst0", 0);
	until(f, info(f).state == VS_HOST_DOWN);
	assert_false(vs_host_is_up(f->host));
	assert_string_equal(info(f).problem,
			    "the interface was set down in the host: ip link set dev vst0 up");
	assert_int_equal(f->changes, before + 1);

	/* A name can only be changed while it is down. */
	snprintf(ifr.ifr_newname, sizeof(ifr.ifr_newname), "other0");
	ifreq_call(SIOCSIFNAME, &ifr, "vst0");
	set_flags("other0", IFF_UP);
	until(f, vs_host_is_up(f->host));
	assert_string_equal(info(f).ifname, "other0");
	assert_non_null(strstr(info(f).problem, "renamed to other0"));
	assert_int_equal(vs_host_set_mtu(f->host, 1400, &f->why), 0);

	assert_int_equal(vs_rtnl_open(&other), 0);
	assert_int_equal(vs_rtnl_link_del(&other, info(f).ifindex), 0);
	vs_rtnl_close(&other);
	until(f, info(f).state == VS_HOST_GONE);
	assert_int_equal(vs_host_pairs(f->host), 0);
	assert_non_null(strstr(info(f).problem, "other0 was deleted in the host"));
	assert_int_equal(vs_host_set_mtu(f->host, 1400, &f->why), -ENODEV);

	/* Somebody else's new interface of that name is not ours. */
	vs_host_del(f->host);
	f->host = NULL;
	make_port(f, VS_HOST_TAP, 1500);
	assert_true(vs_host_is_up(f->host));
}

/* Move interface @ifindex to the namespace that @ns is open on. */
static void move_to(struct fixture *f, int ifindex, int ns)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_SETLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = ifindex;
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)ns);
	assert_int_equal(vs_rtnl_call(&f->env->rtnl, nlh, NULL, NULL), 0);
}

static void test_moved_to_a_namespace(void **state)
{
	struct fixture *f = *state;
	static uint8_t frame[64];
	struct vs_rtnl there;
	struct vs_link link;
	int here_ns;
	int ns;
	int fd;

	here_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	no_ipv6();
	assert_int_equal(vs_rtnl_open(&there), 0);
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(here_ns, CLONE_NEWNET), 0);

	make_port(f, VS_HOST_TAP, 1500);
	move_to(f, info(f).ifindex, ns);
	until(f, strstr(info(f).problem, "another network namespace"));
	assert_true(vs_host_is_up(f->host));
	assert_int_equal(vs_host_pairs(f->host), 1);
	assert_int_equal(vs_host_set_mtu(f->host, 1400, &f->why), -ENODEV);

	/* It works there. */
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
	set_flags("vst0", IFF_UP);
	fd = host_socket("vst0");
	make_frame(frame, sizeof(frame), 1);
	assert_int_equal(write(fd, frame, sizeof(frame)), (ssize_t)sizeof(frame));
	assert_int_equal(receive_one(f, &vs_host_ops)->len, sizeof(frame));
	close(fd);
	assert_int_equal(setns(here_ns, CLONE_NEWNET), 0);

	/* And is removed from there. */
	assert_int_equal(vs_rtnl_link_get(&there, 0, "vst0", &link), 0);
	vs_host_del(f->host);
	f->host = NULL;
	assert_int_equal(vs_rtnl_link_get(&there, 0, "vst0", &link), -ENODEV);
	vs_rtnl_close(&there);
	close(ns);
	close(here_ns);
}

/* A route by hand, to 203.0.113.0/24 over @gateway. */
static void add_route(const char *gateway)
{
	struct sockaddr_in mask = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xffffff00)};
	struct sockaddr_in dst = {.sin_family = AF_INET};
	struct sockaddr_in gw = {.sin_family = AF_INET};
	struct rtentry rt = {.rt_flags = RTF_UP | RTF_GATEWAY};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "203.0.113.0", &dst.sin_addr);
	inet_pton(AF_INET, gateway, &gw.sin_addr);
	memcpy(&rt.rt_dst, &dst, sizeof(dst));
	memcpy(&rt.rt_genmask, &mask, sizeof(mask));
	memcpy(&rt.rt_gateway, &gw, sizeof(gw));
	assert_int_equal(ioctl(fd, SIOCADDRT, &rt), 0);
	close(fd);
}

static bool has_route(void)
{
	FILE *file = fopen("/proc/self/net/route", "r");
	bool found = false;
	char line[256];

	while (fgets(line, sizeof(line), file))
		found = found || (strstr(line, "vst0") && strstr(line, "007100CB"));
	fclose(file);
	return found;
}

/* A switch of its own process, killed by the caller. Return: its pid; the port is there. */
static pid_t other_switch(struct fixture *f, const struct vs_host_config *config)
{
	struct vs_host_config theirs = *config;
	int ready[2];
	char byte;
	pid_t pid;

	theirs.changed = NULL;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct vs_host_env *env;
		struct vs_host *host;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (vs_host_env_new(f->base, &f->rcu, &env) ||
		    vs_host_new(env, &theirs, &host, &f->why) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void kill_switch(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void survive_kill(struct fixture *f, unsigned int queues)
{
	struct vs_host_config config = config_of(f, VS_HOST_TAP);
	struct vs_host_addr addr[2];
	struct vs_link before;
	struct vs_link after;
	pid_t pid;

	ipv6_on();
	assert_int_equal(vs_host_addr_parse("192.0.2.1/24", &addr[0]), 0);
	assert_int_equal(vs_host_addr_parse("2001:db8::1/64", &addr[1]), 0);
	config.queues = queues;
	config.addrs = addr;
	config.n_addrs = 2;
	config.mac_mode = VS_HOST_MAC_NEW;
	config.mac = mac_a;
	pid = other_switch(f, &config);
	assert_int_equal(make(f, &config), -EBUSY);
	add_route("192.0.2.254");
	assert_true(exists(f, "vst0", &before));
	kill_switch(pid);

	until(f, exists(f, "vst0", &after) && !(after.flags & VS_LINK_CARRIER));
	assert_true(has_route());
	config.n_addrs = 1;
	config.mac = mac_b;
	assert_int_equal(make(f, &config), 0);
	assert_true(vs_host_is_up(f->host));
	assert_false(f->host->made);
	assert_int_equal(info(f).ifindex, before.ifindex);
	assert_true(same_mac(info(f).mac, mac_a));
	assert_true(has_addr(f, "192.0.2.1/24"));
	assert_true(has_addr(f, "2001:db8::1/64"));
	assert_true(has_route());
	assert_int_equal(vs_host_pairs(f->host), queues);

	/* A regular end keeps it as well; an address given explicitly is set. */
	vs_host_detach(f->host);
	f->host = NULL;
	assert_true(exists(f, "vst0", NULL));
	config.mac_mode = VS_HOST_MAC_SET;
	assert_int_equal(make(f, &config), 0);
	assert_true(same_mac(info(f).mac, mac_b));
	assert_true(has_route());
}

static void test_survives_kill(void **state)
{
	survive_kill(*state, 1);
}

static void test_survives_kill_with_queues(void **state)
{
	survive_kill(*state, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_text),
		cmocka_unit_test(test_ifname),
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follows_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_to_a_namespace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_survives_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_survives_kill_with_queues, setup, teardown),
	};

	if (skip_all())
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
