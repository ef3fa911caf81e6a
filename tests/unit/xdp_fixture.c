/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/eal.h"
#include "tests/unit/xdp_fixture.h"

#include "dataplane/core/log.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *wire_missing;
static struct vs_burst burst;

int sh(const char *fmt, ...)
{
	char command[512];
	va_list args;
	int status;

	va_start(args, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int wire_group_setup(void **state)
{
	if (geteuid() != 0) {
		wire_missing = "only root can make network namespaces";
		return 0;
	}
	vs_log_set_level(getenv("VS_TEST_LOG") ? VS_LOG_DEBUG : VS_LOG_ERROR);
	if (eal_up() != 0)
		return -1;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
		wire_missing = "no network namespaces here";
		return 0;
	}
	/* "ip netns" keeps its names in /run, and the mounts of the tests are nobody else's. */
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("run", "/run", "tmpfs", 0, NULL) != 0)
		return -1;
	/* No chatter that a test would have to sort out. */
	if (sh("ip link set lo up; ip netns add wire") ||
	    sh("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6") ||
	    outside("sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'"))
		return -1;
	return 0;
}

static int open_station(const struct wire *w)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	const int buffer = 16 << 20;
	const int yes = 1;
	int fd;

	if (setns(w->outside, CLONE_NEWNET) != 0)
		return -1;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	to.sll_ifindex = (int)if_nametoindex("w0");
	if (setns(w->home, CLONE_NEWNET) != 0 ||
	    bind(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof(yes)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)) != 0)
		return -1;
	return fd;
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

int wire_setup(void **state)
{
	struct wire *w;

	if (wire_missing)
		return 0;
	w = calloc(1, sizeof(*w));
	w->n_fds = count_fds();
	strcpy(w->rundir, "/tmp/vs-xdp-XXXXXX");
	if (!mkdtemp(w->rundir) || vs_rcu_init(&w->rcu) != 0)
		return -1;
	w->base = event_base_new();
	w->env = (struct vs_xdp_env){.base = w->base, .rcu = &w->rcu, .rundir = w->rundir};
	if (sh("ip link add nic mtu 9000 numrxqueues %d numtxqueues %d type veth "
	       "peer name w0 mtu 9000 numrxqueues %d numtxqueues %d netns wire",
	       QUEUES, QUEUES, QUEUES, QUEUES) ||
	    sh("ip link set nic up; ip -n wire link set w0 up") ||
	    outside("ethtool -K w0 tx off txvlan off rxvlan off > /dev/null"))
		return -1;
	w->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	w->outside = open("/run/netns/wire", O_RDONLY | O_CLOEXEC);
	w->station = open_station(w);
	*state = w;
	return w->station < 0 ? -1 : 0;
}

int wire_teardown(void **state)
{
	struct wire *w = *state;
	int wrong = 0;

	if (wire_missing)
		return 0;
	if (w->x)
		give_back(w);
	wrong |= sh_says("ip link show dev nic > /dev/null 2>&1") ? sh("ip link del nic") : 0;
	close(w->station);
	close(w->home);
	close(w->outside);
	event_base_free(w->base);
	vs_rcu_fini(&w->rcu);
	/* Nothing is left in it. */
	if (rmdir(w->rundir) != 0) {
		print_error("%s: %s\n", w->rundir, strerror(errno));
		wrong |= 1 | sh("find %s >&2", w->rundir);
	}
	if (count_fds() != w->n_fds) {
		print_error("%u descriptors are left\n", count_fds() - w->n_fds);
		wrong |= 1 | sh("ls -l /proc/%d/fd >&2", (int)getpid());
	}
	free(w);
	return wrong;
}

static void on_changed(void *ctx)
{
	struct wire *w = ctx;

	assert_non_null(w->x); /* not before vs_xdp_new() returned */
	w->changes++;
}

int take(struct wire *w, enum vs_xdp_share share)
{
	const struct vs_xdp_config config = {
		.name = "sw.uplink",
		.ifname = "nic",
		.share = share,
		.port = 7,
		.changed = on_changed,
		.ctx = w,
	};
	int err = vs_xdp_new(&w->env, &config, &w->x, &w->why);

	if (err == 0)
		vs_xdp_mac(w->x, &w->nic_mac);
	else if (getenv("VS_TEST_LOG"))
		print_error("%s\n", w->why.text);
	return err;
}

void give_back(struct wire *w)
{
	vs_xdp_del(w->x);
	w->x = NULL;
}

void turn(struct wire *w)
{
	const struct timeval most = {0, 5000};

	event_base_loopexit(w->base, &most);
	event_base_loop(w->base, EVLOOP_ONCE);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void make_frame(uint8_t *frame, uint32_t len, const char *dst, const char *src, uint32_t seed)
{
	struct rte_ether_hdr *eth = (void *)frame;
	uint32_t i;

	assert_int_equal(rte_ether_unformat_addr(dst, &eth->dst_addr), 0);
	assert_int_equal(rte_ether_unformat_addr(src, &eth->src_addr), 0);
	eth->ether_type = htons(TEST_TYPE);
	for (i = sizeof(*eth); i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		frame[i] = (uint8_t)(seed >> 24);
	}
}

void station_send(struct wire *w, const uint8_t *frame, uint32_t len)
{
	assert_int_equal(send(w->station, frame, len, 0), len);
}

/* Is it one of the test's own, tagged or not? */
static bool is_ours(const uint8_t *frame, uint32_t len)
{
	uint16_t type = (uint16_t)(frame[12] << 8 | frame[13]);

	if (type == RTE_ETHER_TYPE_VLAN && len >= 18)
		type = (uint16_t)(frame[16] << 8 | frame[17]);
	return len >= 14 && type == TEST_TYPE;
}

/*
 * A packet socket is told of the tag beside the frame: put it back.
 */
static ssize_t receive(const struct wire *w, uint8_t frame[FRAME_MAX], uint8_t *ret_type)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct sockaddr_ll from;
	struct iovec iov = {.iov_base = frame, .iov_len = FRAME_MAX};
	struct msghdr mh = {.msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control)};
	const struct tpacket_auxdata *aux;
	ssize_t n = recvmsg(w->station, &mh, MSG_DONTWAIT);
	const struct cmsghdr *cmsg;

	if (n < 0)
		return n;
	*ret_type = from.sll_pkttype;
	cmsg = CMSG_FIRSTHDR(&mh);
	if (!cmsg || cmsg->cmsg_type != PACKET_AUXDATA)
		return n;
	aux = (const void *)CMSG_DATA(cmsg);
	if (aux->tp_status & TP_STATUS_VLAN_VALID) {
		const uint16_t tag[] = {htons(aux->tp_vlan_tpid), htons(aux->tp_vlan_tci)};

		memmove(frame + 16, frame + 12, (size_t)n - 12);
		memcpy(frame + 12, tag, sizeof(tag));
		n += (ssize_t)sizeof(tag);
	}
	return n;
}

uint32_t station_get(struct wire *w, uint8_t frame[FRAME_MAX], int ms)
{
	uint64_t deadline = now_ms() + (uint64_t)ms;

	do {
		struct pollfd p = {.fd = w->station, .events = POLLIN};
		uint8_t type;
		ssize_t n = receive(w, frame, &type);

		if (n > 0 && type != PACKET_OUTGOING && is_ours(frame, (uint32_t)n))
			return (uint32_t)n;
		if (n < 0) {
			/* The uplink's worker would look after what the kernel left, too. */
			if (w->x)
				vs_xq_flush(&w->x->set.queue[0]);
			poll(&p, 1, 1);
		}
	} while (now_ms() < deadline);
	return 0;
}

static uint32_t flatten(const struct vs_pkt *pkt, uint8_t frame[FRAME_MAX])
{
	uint32_t len = pkt->hdr_len;
	uint16_t i;

	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_int_equal(pkt->in_port, 7);
	assert_true(pkt->hdr_len <= VS_HDR_BYTES);
	assert_true(pkt->len <= FRAME_MAX);
	/* A stage may write there. */
	memset(pkt->hdr - VS_HDR_ROOM, 0xee, VS_HDR_ROOM);
	memcpy(frame, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		memcpy(frame + len, pkt->ext[i].data, pkt->ext[i].len);
		len += pkt->ext[i].len;
	}
	assert_int_equal(len, pkt->len);
	return len;
}

uint32_t switch_get(struct wire *w, uint8_t frame[FRAME_MAX], unsigned int *ret_pair, int ms)
{
	uint64_t deadline = now_ms() + (uint64_t)ms;
	/* What a visit brought beyond one frame is for the next calls. */
	static uint16_t next;
	static unsigned int pair;

	do {
		uint32_t len;

		if (next < burst.n) {
			len = flatten(&burst.pkt[next++], frame);
			*ret_pair = pair;
			if (is_ours(frame, len))
				return len;
			continue;
		}
		if (burst.n)
			vs_xdp_ops.rx_done(w->x, pair);
		pair = (pair + 1) % vs_xdp_pairs(w->x);
		burst.n = 0;
		burst.n_ext = 0;
		next = 0;
		vs_xdp_ops.rx(w->x, pair, 1, &burst);
	} while (now_ms() < deadline);
	return 0;
}

enum vs_drop switch_send(struct wire *w, const uint8_t *frame, uint32_t len)
{
	uint8_t hdr[VS_HDR_BYTES];
	uint32_t hdr_len = RTE_MIN(len, (uint32_t)VS_HDR_BYTES);
	uint32_t half = (len - hdr_len) / 2;
	/* In two pieces, of which one is odd. */
	const struct vs_extent ext[] = {
		{.data = frame + hdr_len, .len = half},
		{.data = frame + hdr_len + half, .len = len - hdr_len - half},
	};
	struct vs_pkt pkt = {.hdr = hdr, .hdr_len = (uint16_t)hdr_len, .len = len, .ext = ext};
	struct vs_pkt *list = &pkt;
	uint8_t fate = VS_DROP_COUNT;

	memcpy(hdr, frame, hdr_len);
	pkt.n_ext = len > hdr_len ? 2 : 0;
	vs_xdp_ops.tx(w->x, 0, &list, 1, &fate);
	return fate;
}
