/* SPDX-License-Identifier: BSD-3-Clause */
/* What an xdp uplink does to its interface, refuses to do, and puts back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/xdp_fixture.h"

#include <bpf/bpf.h>

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUEST "02:00:00:00:00:01"
#define STATION "02:00:00:00:00:99"

static uint8_t frame[FRAME_MAX];
static uint8_t got[FRAME_MAX];

static int take_as(struct wire *w, const char *ifname, enum vs_xdp_force force)
{
	const struct vs_xdp_config config = {.name = "sw.uplink", .ifname = ifname, .force = force};
	struct vs_xdp *x;
	int err = vs_xdp_new(&w->env, &config, &x, &w->why);

	if (err == 0)
		vs_xdp_del(x);
	return err;
}

static uint32_t program(void)
{
	struct vs_link link;

	assert_int_equal(vs_link_get("nic", 0, &link), 0);
	return link.prog_id;
}

static bool promiscuous(void)
{
	struct vs_link link;

	assert_int_equal(vs_link_get("nic", 0, &link), 0);
	return link.promiscuity > 0;
}

static bool is_up(void)
{
	struct vs_link link;

	assert_int_equal(vs_link_get("nic", 0, &link), 0);
	return link.flags & IFF_UP;
}

static bool has_rxvlan(void)
{
	return sh_says("ethtool -k nic | grep -q 'rx-vlan-offload: on'");
}

/* As it was before anybody touched it. */
static void assert_untouched(bool up)
{
	assert_int_equal(program(), 0);
	assert_false(promiscuous());
	assert_true(has_rxvlan());
	assert_int_equal(is_up(), up);
	assert_false(sh_says("tc qdisc show dev nic | grep -q clsact"));
	assert_false(sh_says("ip link show | grep -q vsu"));
}

static void test_refuses_by_name(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	assert_int_equal(take_as(w, "nik", VS_XDP_CAREFUL), -ENODEV);
	assert_non_null(strstr(w->why.text, "there is: nic"));
	assert_int_equal(take_as(w, "quite-another", VS_XDP_CAREFUL), -ENODEV);
	assert_non_null(strstr(w->why.text, "ip link"));
	assert_int_equal(take_as(w, "", VS_XDP_CAREFUL), -ENODEV);
	assert_int_equal(take_as(w, "much-longer-than-a-name-may-be", VS_XDP_CAREFUL), -ENODEV);
	assert_int_equal(take_as(w, "lo", VS_XDP_CAREFUL), -EINVAL);
	assert_non_null(strstr(w->why.text, "loopback"));
	assert_int_equal(sh("ip tuntap add dev l3 mode tun"), 0);
	assert_int_equal(take_as(w, "l3", VS_XDP_CAREFUL), -EINVAL);
	assert_non_null(strstr(w->why.text, "not an Ethernet"));
	assert_int_equal(sh("ip link del l3"), 0);
	assert_untouched(true);
}

static void test_refuses_a_port_of_a_bridge(void **state)
{
	struct wire *w = *state;

	if (wire_missing || !sh_says("ip link add br7 type bridge 2> /dev/null"))
		skip();
	assert_int_equal(sh("ip link set nic master br7"), 0);
	assert_int_equal(take_as(w, "nic", VS_XDP_FORCE), -EINVAL);
	assert_non_null(strstr(w->why.text, "port of br7"));
	assert_int_equal(sh("ip link del br7"), 0);
	assert_untouched(true);
}

static void test_refuses_the_default_route(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	assert_int_equal(sh("ip addr add 10.9.0.1/24 dev nic; ip route add default via 10.9.0.9"),
			 0);
	assert_int_equal(take_as(w, "nic", VS_XDP_CAREFUL), -EPERM);
	assert_non_null(strstr(w->why.text, "force"));
	assert_untouched(true);
	assert_int_equal(take_as(w, "nic", VS_XDP_FORCE), 0);
	assert_int_equal(sh("ip route del default"), 0);
	assert_int_equal(sh("echo 0 > /proc/sys/net/ipv6/conf/nic/disable_ipv6; "
			    "ip -6 addr add fd00::1/64 dev nic nodad; "
			    "ip -6 route add default via fd00::9"),
			 0);
	assert_int_equal(take_as(w, "nic", VS_XDP_CAREFUL), -EPERM);
	assert_untouched(true);
}

static void test_refuses_twice(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_SHARED), 0);
	assert_int_equal(take_as(w, "nic", VS_XDP_CAREFUL), -EBUSY);
	assert_non_null(strstr(w->why.text, "another switch"));
	assert_int_equal(vs_uplink_leftovers(w->rundir, VS_UPLINK_RELEASE), 0);
	/* The first one does not mind. */
	make_frame(frame, 64, STATION, GUEST, 1);
	assert_int_equal(switch_send(w, frame, 64), VS_DROP_NONE);
	assert_int_equal(station_get(w, got, 5000), 64);
}

static void test_refuses_programs_of_others(void **state)
{
	/* return XDP_PASS; */
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct wire *w = *state;
	uint32_t foreign;
	char id[16];
	int index;
	int fd;

	if (wire_missing)
		skip();
	index = (int)if_nametoindex("nic");
	/* A program for one buffer must be able to hold what the other end sends. */
	assert_int_equal(sh("ip link set nic mtu 1500; ip -n wire link set w0 mtu 1500"), 0);
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "theirs", "GPL", pass, 2, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_xdp_attach(index, fd, XDP_FLAGS_DRV_MODE, NULL), 0);
	foreign = program();
	assert_int_equal(take(w, VS_XDP_ALONE), -EBUSY);
	(void)snprintf(id, sizeof(id), "id %u", foreign);
	assert_non_null(strstr(w->why.text, id));
	assert_non_null(strstr(w->why.text, "theirs"));
	assert_int_equal(program(), foreign);
	assert_true(has_rxvlan());
	assert_int_equal(bpf_xdp_detach(index, XDP_FLAGS_DRV_MODE, NULL), 0);
	/* The other mode is no way in. */
	assert_int_equal(bpf_xdp_attach(index, fd, XDP_FLAGS_SKB_MODE, NULL), 0);
	assert_int_equal(take(w, VS_XDP_ALONE), -EBUSY);
	assert_int_equal(bpf_xdp_detach(index, XDP_FLAGS_SKB_MODE, NULL), 0);
	close(fd);
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
}

static void test_puts_settings_back(void **state)
{
	struct wire *w = *state;
	struct vs_xdp_info info;

	if (wire_missing)
		skip();
	assert_int_equal(sh("ip link set nic down"), 0);
	assert_untouched(false);
	assert_int_equal(take(w, VS_XDP_SHARED), 0);
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.prog_id, program());
	assert_true(promiscuous());
	assert_true(is_up());
	assert_false(has_rxvlan());
	assert_true(sh_says("ethtool -k nic | grep -q 'rx-vlan-stag-hw-parse: off'"));
	give_back(w);
	assert_untouched(false);
	assert_true(sh_says("ethtool -k nic | grep -q 'rx-vlan-stag-hw-parse: on'"));
	/* What was off stays off. */
	assert_int_equal(sh("ethtool -K nic rxvlan off > /dev/null; ip link set nic up"), 0);
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	give_back(w);
	assert_false(has_rxvlan());
	assert_true(is_up());
}

/* A refusal on the way leaves nothing behind. */
static void test_gives_up_clean(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	/* The name of the helper is taken. */
	assert_int_equal(sh("ip link add vsu%u type veth peer name vsx", if_nametoindex("nic")), 0);
	assert_int_equal(take(w, VS_XDP_SHARED), -EINVAL);
	assert_non_null(strstr(w->why.text, "helper interface"));
	assert_int_equal(sh("ip link del vsx"), 0);
	assert_untouched(true);
	assert_int_equal(take(w, VS_XDP_SHARED), 0);
}

/* A switch in a process of its own, that is killed. */
static void take_and_die(struct wire *w, enum vs_xdp_share share)
{
	int ready[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		w->env.base = event_base_new();
		c = take(w, share) == 0 ? 'y' : 'n';
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);
}

/* The host's own connection outlives the switch; what is for guests comes to nobody. */
static void test_kill_shared(void **state)
{
	struct vs_xdp_info info;
	struct wire *w = *state;
	uint32_t before;

	if (wire_missing)
		skip();
	sh("ip addr add 10.9.0.1/24 dev nic; ip -n wire addr add 10.9.0.2/24 dev w0");
	take_and_die(w, VS_XDP_SHARED);
	before = program();
	assert_int_not_equal(before, 0);
	assert_int_equal(outside("ping -c 3 -i 0.05 -W 5 10.9.0.1 > /dev/null"), 0);
	assert_int_equal(vs_uplink_leftovers(w->rundir, VS_UPLINK_TELL), 1);

	assert_int_equal(take(w, VS_XDP_SHARED), 0);
	vs_xdp_info(w->x, &info);
	assert_true(info.taken_over);
	assert_true(info.native);
	assert_string_equal(info.problem, "");
	assert_int_equal(info.prog_id, program());
	assert_int_not_equal(info.prog_id, before);
	assert_int_equal(vs_uplink_leftovers(w->rundir, VS_UPLINK_TELL), 0);
	assert_int_equal(outside("ping -c 3 -i 0.05 -W 5 10.9.0.1 > /dev/null"), 0);
	make_frame(frame, 64, GUEST, STATION, 1);
	station_send(w, frame, 64);
	assert_int_equal(switch_get(w, got, &(unsigned int){0}, 5000), 64);
	give_back(w);
	assert_untouched(true);
}

/* Nothing of the wire comes to the host while its switch is away. */
static void test_kill_alone(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	sh("ip addr add 10.9.0.1/24 dev nic; ip -n wire addr add 10.9.0.2/24 dev w0");
	take_and_die(w, VS_XDP_ALONE);
	assert_int_not_equal(outside("ping -c 2 -i 0.05 -W 1 10.9.0.1 > /dev/null"), 0);
	/* The next one may share what the dead one did not, and the other way round. */
	take_and_die(w, VS_XDP_SHARED);
	assert_int_equal(outside("ping -c 2 -i 0.05 -W 5 10.9.0.1 > /dev/null"), 0);
	take_and_die(w, VS_XDP_ALONE);
	assert_false(sh_says("tc filter show dev nic ingress | grep -q vs_nic"));
	assert_int_not_equal(outside("ping -c 2 -i 0.05 -W 1 10.9.0.1 > /dev/null"), 0);
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	give_back(w);
	/* The values of the first time, not what the dead ones made of them. */
	assert_untouched(true);
	assert_int_equal(outside("ping -c 2 -i 0.05 -W 5 10.9.0.1 > /dev/null"), 0);
}

static void test_release_leftovers(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	assert_int_equal(sh("ip link set nic down"), 0);
	take_and_die(w, VS_XDP_SHARED);
	assert_true(is_up());
	assert_false(has_rxvlan());
	assert_int_not_equal(program(), 0);
	assert_true(sh_says("tc filter show dev nic egress | grep -q vs_nic_out"));
	assert_int_equal(vs_uplink_leftovers(w->rundir, VS_UPLINK_TELL), 1);
	assert_int_equal(vs_uplink_leftovers(w->rundir, VS_UPLINK_RELEASE), 1);
	/* The kernel frees the program a moment after its link. */
	until(w, program() == 0);
	assert_untouched(false);
	assert_int_equal(vs_uplink_leftovers(w->rundir, VS_UPLINK_RELEASE), 0);
	assert_int_equal(vs_uplink_leftovers("/no/such/folder", VS_UPLINK_TELL), 0);
}

/* The interface went while the switch was away: what is written of it is of no use. */
static void test_leftovers_of_a_gone_interface(void **state)
{
	struct wire *w = *state;

	if (wire_missing)
		skip();
	take_and_die(w, VS_XDP_SHARED);
	assert_int_equal(sh("ip link del nic"), 0);
	assert_int_equal(vs_uplink_leftovers(w->rundir, VS_UPLINK_RELEASE), 1);
}

/* A file that nobody finished, or with rubbish in it, is no reason to fail. */
static void test_bad_file(void **state)
{
	static const char *const texts[] =
		{"", "rubbish", "vmswitch-uplink 1 nic index 9999", "vmswitch-uplink 1 nic index",
		 "vmswitch-uplink 1 x index 1 up 0 clsact 0 on ffffffff changed ffffffff end"};
	struct wire *w = *state;
	size_t i;

	if (wire_missing)
		skip();
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(sh("echo '%s' > %s/uplink-%u", texts[i], w->rundir,
				    if_nametoindex("nic")),
				 0);
		assert_int_equal(take(w, VS_XDP_ALONE), 0);
		give_back(w);
		assert_untouched(true);
	}
	assert_int_equal(sh("echo rubbish > %s/uplink-4711; touch %s/uplink-x", w->rundir,
			    w->rundir),
			 0);
	assert_int_equal(vs_uplink_leftovers(w->rundir, VS_UPLINK_RELEASE), 1);
	assert_int_equal(sh("rm %s/uplink-x", w->rundir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, wire_setup, wire_teardown)
		T(test_refuses_by_name),
		T(test_refuses_a_port_of_a_bridge),
		T(test_refuses_the_default_route),
		T(test_refuses_twice),
		T(test_refuses_programs_of_others),
		T(test_puts_settings_back),
		T(test_gives_up_clean),
		T(test_kill_shared),
		T(test_kill_alone),
		T(test_release_leftovers),
		T(test_leftovers_of_a_gone_interface),
		T(test_bad_file),
	};

	return cmocka_run_group_tests(tests, wire_group_setup, NULL);
}
