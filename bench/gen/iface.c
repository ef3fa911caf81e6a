/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stations on interfaces.
 *
 * A packet socket (packet(7)) stands where a guest's queue pair does: bursts go out with sendmmsg()
 * past the queueing discipline (PACKET_QDISC_BYPASS), as a full queue must be seen at once, and
 * come in with recvmmsg(). The kernel copies both ways, so one set of buffers is enough. A socket
 * that came up dry is left alone for a few microseconds: each look takes the lock of its queue,
 * which whoever delivers needs.
 *
 * Only IPv4 is taken, what the flows consist of; the interface's own address is another one than
 * the station's, so that the host's stack looks at each frame's header and drops it. What the
 * socket's buffer cannot hold is counted as an overrun: those frames were lost by the generator.
 */
#include "bench/gen/gen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/gen/stamp.h"

#define RCVBUF (16 << 20)
#define LINE 64u
#define DRY_S 5e-6
#define OPEN_PAUSE_US 10000

struct gen_if {
	int fd;
	bool down;
	uint64_t again; /* TSC; not to be read before */
	uint64_t overruns;
	uint32_t room; /* bytes of each buffer */
	uint8_t *tx_buf;
	uint8_t *rx_buf;
	struct mmsghdr tx[GEN_BURST];
	struct mmsghdr rx[GEN_BURST];
	struct iovec tx_iov[GEN_BURST];
	struct iovec rx_iov[GEN_BURST];
};

/* Errors of an interface that is down, or gone for a while. */
static bool is_away(int err)
{
	return err == ENETDOWN || err == ENXIO || err == ENODEV;
}

static int send_burst(struct gen *g, struct gen_flow *f, uint32_t n, uint64_t now)
{
	struct gen_if *nic = f->lane->nic;
	uint32_t i, seq = f->tx_seq;
	int sent;

	n = n < GEN_BURST ? n : GEN_BURST;
	for (i = 0; i < n; i++)
		nic->tx_iov[i].iov_len = gen_frame_write(g, f, nic->tx_iov[i].iov_base, now);
	sent = sendmmsg(nic->fd, nic->tx, n, MSG_DONTWAIT);
	if (sent < 0) {
		f->tx_seq = seq;
		nic->down = is_away(errno);
		/* Its queue is full, or so is the socket's account. */
		if (nic->down || errno == ENOBUFS || errno == EAGAIN || errno == EINTR)
			return 0;
		return -errno;
	}
	nic->down = false;
	f->tx_seq = seq + (uint32_t)sent;
	f->sent += (uint32_t)sent;
	return sent;
}

static void take(struct gen *g, const struct gen_lane *l, const uint8_t *frame, uint32_t len,
		 uint64_t now)
{
	struct gen_flow *f;

	if (len < GEN_MIN_FRAME) {
		g->strays++;
		return;
	}
	f = gen_frame_note(g, l->number, frame, len, now);
	if (!f)
		return;
	if (g->opt.touch == GEN_TOUCH_ALL && len > g->head_len)
		g->sink += gen_read_all(frame + g->head_len, len - g->head_len);
	if (g->check_left > 0 && --g->check_left == 0) {
		g->check_left = g->opt.check;
		g->bad += !gen_frame_is_good(g, f, frame, len);
	}
}

static int poll_burst(struct gen *g, struct gen_lane *l, uint64_t now)
{
	struct gen_if *nic = l->nic;
	int i, n;

	if (now < nic->again)
		return 0;
	n = recvmmsg(nic->fd, nic->rx, GEN_BURST, MSG_DONTWAIT, NULL);
	if (n < (int)GEN_BURST)
		nic->again = now + (uint64_t)(g->hz * DRY_S);
	if (n < 0) {
		nic->down = nic->down || is_away(errno);
		return nic->down || errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	nic->down = false;
	for (i = 0; i < n; i++)
		take(g, l, nic->rx_iov[i].iov_base, nic->rx[i].msg_len, now);
	return n;
}

static bool is_down(const struct gen_lane *l)
{
	return l->nic->down;
}

static const struct gen_lane_ops if_ops = {
	.send = send_burst,
	.poll = poll_burst,
	.is_down = is_down,
};

/* Wait until the interface is there and up. */
static int await_interface(const struct gen *g, int fd, const char *name)
{
	uint64_t end = gen_tsc() + (uint64_t)(g->hz * g->opt.timeout_s);
	struct ifreq req = {0};

	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	while (ioctl(fd, SIOCGIFFLAGS, &req) < 0 || !(req.ifr_flags & IFF_UP)) {
		if (gen_stop)
			return -EINTR;
		if (gen_tsc() > end)
			return -ETIMEDOUT;
		usleep(OPEN_PAUSE_US);
	}
	return 0;
}

static int check_mtu(const struct gen *g, int fd, const char *name)
{
	uint32_t longest = g->size[g->n_sizes - 1];
	struct ifreq req = {0};

	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFMTU, &req) < 0)
		return -errno;
	if (longest <= (uint32_t)req.ifr_mtu + ETH_HLEN)
		return 0;
	gen_report_error("interface '%s': frames of %u bytes do not fit its MTU of %d", name,
			 longest, req.ifr_mtu);
	return -EMSGSIZE;
}

static int set_socket(int fd, const char *name)
{
	struct packet_mreq everything = {.mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int one = 1, size = RCVBUF;

	everything.mr_ifindex = at.sll_ifindex;
	if (at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything, sizeof(everything)) <
		    0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		return -errno;
	return 0;
}

static int make_buffers(const struct gen *g, struct gen_if *nic)
{
	uint32_t i;

	/* Each on lines of its own, and room to see that a frame is too long. */
	nic->room = (g->size[g->n_sizes - 1] + 2 * LINE) & ~(LINE - 1);
	nic->tx_buf = aligned_alloc(LINE, (size_t)GEN_BURST * nic->room);
	nic->rx_buf = aligned_alloc(LINE, (size_t)GEN_BURST * nic->room);
	if (!nic->tx_buf || !nic->rx_buf)
		return -ENOMEM;
	for (i = 0; i < GEN_BURST; i++) {
		nic->tx_iov[i].iov_base = nic->tx_buf + (size_t)i * nic->room;
		nic->rx_iov[i].iov_base = nic->rx_buf + (size_t)i * nic->room;
		memcpy(nic->tx_iov[i].iov_base, g->pattern, g->size[g->n_sizes - 1]);
		nic->rx_iov[i].iov_len = nic->room;
		nic->tx[i].msg_hdr = (struct msghdr){.msg_iov = &nic->tx_iov[i], .msg_iovlen = 1};
		nic->rx[i].msg_hdr = (struct msghdr){.msg_iov = &nic->rx_iov[i], .msg_iovlen = 1};
	}
	return 0;
}

/**
 * gen_if_open() - put a station on an interface
 * @g: generator whose frames are settled
 * @l: lane, filled in
 * @name: interface of the generator's network namespace; it may still have to come
 *
 * Return: 0 or -errno after an error line.
 */
int gen_if_open(struct gen *g, struct gen_lane *l, const char *name)
{
	struct gen_if *nic = calloc(1, sizeof(*nic));
	int err;

	if (!nic) {
		gen_report_error("interface '%s': %s", name, strerror(ENOMEM));
		return -ENOMEM;
	}
	l->nic = nic;
	l->ops = &if_ops;
	nic->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	err = nic->fd < 0 ? -errno : await_interface(g, nic->fd, name);
	if (!err)
		err = check_mtu(g, nic->fd, name);
	if (err == -EMSGSIZE)
		return err;
	if (!err)
		err = set_socket(nic->fd, name);
	if (!err)
		err = make_buffers(g, nic);
	if (err == -ETIMEDOUT)
		gen_report_error("interface '%s' is not there and up within %u s", name,
				 g->opt.timeout_s);
	else if (err)
		gen_report_error("interface '%s': %s", name, strerror(-err));
	return err;
}

/**
 * gen_if_overruns() - frames that the sockets' buffers had no room for
 * @g: generator
 *
 * Return: their number so far.
 */
uint64_t gen_if_overruns(struct gen *g)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < g->n_lanes; i++) {
		struct gen_if *nic = g->lane[i].nic;
		struct tpacket_stats stats = {0};
		socklen_t len = sizeof(stats);

		if (!nic)
			continue;
		/* The kernel begins anew with each answer. */
		if (getsockopt(nic->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
			nic->overruns += stats.tp_drops;
		sum += nic->overruns;
	}
	return sum;
}

/**
 * gen_if_close() - leave the interface
 * @l: lane, of any kind
 */
void gen_if_close(struct gen_lane *l)
{
	struct gen_if *nic = l->nic;

	if (!nic)
		return;
	if (nic->fd >= 0)
		close(nic->fd);
	free(nic->tx_buf);
	free(nic->rx_buf);
	free(nic);
	l->nic = NULL;
}
