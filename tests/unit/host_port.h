/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port that is a kernel interface, in a network namespace of its own, and the other sides of
 * it: the host's, as a packet socket, and a VMM's, as a TAP descriptor. Included after cmocka.h.
 */
#ifndef VS_TESTS_UNIT_HOST_PORT_H
#define VS_TESTS_UNIT_HOST_PORT_H

#include "dataplane/core/memfault.h"
#include "dataplane/core/frame.h"
#include "dataplane/host/host_obj.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
	PORT_ID = 7,
	/* Of the frames that tests send: nobody else's (IEEE 802, local experimental 1). */
	TEST_TYPE = 0x88b5,
	BIG = VS_HOST_FRAME_MAX + 64,
};

struct fixture {
	struct event_base *base;
	struct event *tick;
	struct vs_rcu rcu;
	struct vs_host_env *env;
	struct vs_host *host;
	struct vs_host_why why;
	uint32_t changes;
	unsigned int fds;
};

static struct vs_burst burst;

static inline void on_changed(void *ctx)
{
	struct fixture *f = ctx;

	assert_non_null(f->host); /* not before vs_host_new() returned */
	f->changes++;
}

static inline void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

static inline unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* The kernel's own frames (router solicitations and such) would be in the way. */
static inline void no_ipv6(void)
{
	if (access("/proc/sys/net/ipv6", F_OK) == 0)
		write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

static inline void open_env(struct fixture *f)
{
	const struct timeval tick = {0, 5000};

	f->base = event_base_new();
	f->tick = event_new(f->base, -1, EV_PERSIST, on_tick, NULL);
	event_add(f->tick, &tick);
	assert_int_equal(vs_host_env_new(f->base, &f->rcu, &f->env), 0);
}

static inline void close_env(struct fixture *f)
{
	vs_host_env_free(f->env);
	event_free(f->tick);
	event_base_free(f->base);
}

static inline int setup(void **state)
{
	size_t size = rte_rcu_qsbr_get_memsize(VS_WORKERS_MAX);
	struct fixture *f = calloc(1, sizeof(*f));

	vs_log_set_level(VS_LOG_ERROR);
	if (!f || unshare(CLONE_NEWNET))
		return -1;
	no_ipv6();
	f->rcu.qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	if (!f->rcu.qsbr || rte_rcu_qsbr_init(f->rcu.qsbr, VS_WORKERS_MAX))
		return -1;
	f->fds = count_fds();
	open_env(f);
	vs_mem_begin();
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	int leaked;

	if (f->host)
		vs_host_del(f->host);
	close_env(f);
	leaked = count_fds() != f->fds;
	free(f->rcu.qsbr);
	free(f);
	return leaked;
}

/* What meson is told when the machine cannot run these tests. Return: was it told? */
static inline bool skip_all(void)
{
	const char *why = NULL;

	if (geteuid() != 0)
		why = "needs root, to make interfaces";
	else if (access("/dev/net/tun", R_OK | W_OK))
		why = "no /dev/net/tun";
	else if (unshare(CLONE_NEWNET))
		why = "no network namespaces";
	if (why)
		printf("1..0 # SKIP %s\n", why);
	return why != NULL;
}

static inline uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Turn the event loop until @condition holds; fail after 20 s. The tick wakes the loop. */
#define until(f, condition)                                        \
	do {                                                       \
		uint64_t deadline = now_ms() + 20000;              \
		while (!(condition)) {                             \
			if (now_ms() > deadline)                   \
				fail_msg("never: %s", #condition); \
			event_base_loop((f)->base, EVLOOP_ONCE);   \
		}                                                  \
	} while (0)

static inline struct vs_host_config config_of(struct fixture *f, enum vs_host_kind kind)
{
	return (struct vs_host_config){
		.kind = kind,
		.name = "p",
		.ifname = "vst0",
		.port = PORT_ID,
		.mtu = 1500,
		.queues = 1,
		.changed = on_changed,
		.ctx = f,
	};
}

static inline int make(struct fixture *f, const struct vs_host_config *config)
{
	f->why.text[0] = '\0';
	return vs_host_new(f->env, config, &f->host, &f->why);
}

/* Make a port of @kind with @mtu, without the pause after a dry visit. */
static inline void make_port(struct fixture *f, enum vs_host_kind kind, uint32_t mtu)
{
	struct vs_host_config config = config_of(f, kind);

	config.mtu = mtu;
	if (make(f, &config))
		fail_msg("%s", f->why.text);
	f->host->dry_tsc = 0;
}

static inline struct vs_host_info info(struct fixture *f)
{
	struct vs_host_info info;

	vs_host_info(f->host, &info);
	return info;
}

/* Does an interface of that name exist in this namespace? *@ret_link: what it is. */
static inline bool exists(struct fixture *f, const char *ifname, struct vs_link *ret_link)
{
	struct vs_link link = {0};
	int err = vs_rtnl_link_get(&f->env->rtnl, 0, ifname, &link);

	if (ret_link)
		*ret_link = link;
	assert_true(err == 0 || err == -ENODEV);
	return err == 0;
}

/* One of the old requests: SIOC*, about @ifname. */
static inline void ifreq_call(unsigned long request, struct ifreq *ifr, const char *ifname)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", ifname);
	assert_int_equal(ioctl(fd, request, ifr), 0);
	close(fd);
}

static inline void set_flags(const char *ifname, short flags)
{
	struct ifreq ifr = {.ifr_flags = flags};

	ifreq_call(SIOCSIFFLAGS, &ifr, ifname);
}

/* A packet socket on the interface: what the host would send and receive. */
static inline int host_socket(const char *ifname)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int bytes = 64 * 1024 * 1024;
	int on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Fill in a frame that can be told from others: addresses, type, bytes that follow from @seed. */
static inline void make_frame(uint8_t *frame, uint32_t len, uint32_t seed)
{
	static const uint8_t head[14] = {2, 0, 0, 0, 0,    0x0a,           2,
					 0, 0, 0, 0, 0x0b, TEST_TYPE >> 8, TEST_TYPE & 0xff};
	uint32_t i;

	memcpy(frame, head, sizeof(head));
	for (i = sizeof(head); i < len; i++)
		frame[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

/* The bytes of a packet in one piece. Return: how many. */
static inline uint32_t flatten(const struct vs_pkt *pkt, uint8_t *to)
{
	uint32_t n = vs_frame_gather(pkt, to);

	assert_int_equal(n, pkt->len);
	return n;
}

/* Visit the port until one frame came; it is packet 0 of the burst, and the only one. */
static inline const struct vs_pkt *receive_one(struct fixture *f, const struct vs_port_ops *ops)
{
	uint64_t deadline = now_ms() + 20000;

	memset(&burst, 0, offsetof(struct vs_burst, pkt));
	while (burst.n == 0) {
		assert_true(now_ms() < deadline);
		ops->rx(f->host, 0, 1, &burst);
	}
	assert_int_equal(burst.n, 1);
	assert_int_equal(burst.pkt[0].in_port, PORT_ID);
	return &burst.pkt[0];
}

/* A packet whose first @hdr_len bytes are private and the rest in extents of @piece bytes. */
static inline void split(struct vs_pkt *pkt, struct vs_extent *ext, uint8_t *frame, uint32_t len,
			 uint32_t hdr_len, uint32_t piece)
{
	uint32_t at = RTE_MIN(len, hdr_len);

	*pkt = (struct vs_pkt){.hdr = frame, .hdr_len = (uint16_t)at, .len = len, .ext = ext};
	while (at < len) {
		uint32_t n = RTE_MIN(piece, len - at);

		ext[pkt->n_ext++] = (struct vs_extent){.data = frame + at, .len = n};
		at += n;
	}
}

/* Read one datagram from @fd, waiting for it. Return: its bytes. */
static inline uint32_t read_one(int fd, uint8_t *to, uint32_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	assert_int_equal(poll(&p, 1, 20000), 1);
	n = read(fd, to, size);
	assert_true(n >= 0);
	return (uint32_t)n;
}

#endif
