/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest port on a TAP interface that a VMM holds: the interface, and the packet socket on it.
 *
 * The VMM owns the TAP's descriptor, so the switch meets the frames on the interface itself: what
 * the VMM writes is received there, what is sent there the VMM reads (packet(7)). The host's stack
 * is kept off it (rtnl_tc.c).
 *
 * An interface that the switch makes is persistent and carries its mark (VS_LINK_OURS), so that
 * it is removed with its port, even by a later life of the switch; one that was there stays.
 */
#include "dataplane/host/host_obj.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	/* Frames wait here while the worker is elsewhere. */
	RECEIVE_BYTES = 4 * 1024 * 1024,
};

/* Make the persistent interface; nobody holds it afterwards. */
static int make(struct vs_host *host, struct vs_host_why *why)
{
	int fd = vs_tap_attach(host->wanted, 1, 0);
	int err = 0;

	if (fd < 0)
		return vs_host_why_set(why, fd, "cannot make TAP interface %s (/dev/net/tun): %s",
				       host->wanted, strerror(-fd));
	if (ioctl(fd, TUNSETPERSIST, 1ul) < 0)
		err = vs_host_why_set(why, -errno, "cannot make interface %s persistent: %s",
				      host->wanted, strerror(errno));
	(void)close(fd);
	if (!err) {
		host->made = true;
		err = vs_rtnl_link_get(&host->env->rtnl, 0, host->wanted, &host->link);
	}
	return err;
}

static int find_or_make(struct vs_host *host, struct vs_host_why *why)
{
	const char *ifname = host->wanted;
	const struct vs_host *holder;
	int err;

	err = vs_rtnl_link_get(&host->env->rtnl, 0, ifname, &host->link);
	if (err == -ENODEV)
		return make(host, why);
	if (err)
		return vs_host_why_set(why, err, "cannot look for interface %s: %s", ifname,
				       vs_host_kernel_said(host->env, err));
	if (!(host->link.flags & VS_LINK_TAP))
		return vs_host_why_set(why, -EEXIST, "interface %s is no TAP interface", ifname);
	holder = vs_host_env_holder(host->env, host->link.ifindex);
	if (holder)
		return vs_host_why_set(why, -EBUSY, "interface %s belongs to port %s", ifname,
				       holder->name);
	if (host->link.master)
		return vs_host_why_set(why, -EBUSY,
				       "interface %s belongs to a bridge or bond: take it out "
				       "(ip link set dev %s nomaster)",
				       ifname, ifname);
	return 0;
}

/* Keep the host off the interface before it is set up. */
static int set_up(struct vs_host *host, uint32_t mtu, struct vs_host_why *why)
{
	struct vs_link_change change = {.what = VS_LINK_SET_MTU | VS_LINK_SET_UP, .mtu = mtu};
	struct vs_rtnl *rtnl = &host->env->rtnl;
	int err;

	err = vs_rtnl_block(rtnl, host->link.ifindex);
	if (err)
		return vs_host_why_set(why, err,
				       "cannot keep the host off interface %s (needs the kernel's "
				       "clsact and cls_bpf): %s",
				       host->wanted, vs_host_kernel_said(host->env, err));
	if (host->made)
		change.what |= VS_LINK_SET_OURS | VS_LINK_SET_NO_AUTO;
	err = vs_rtnl_link_set(rtnl, host->link.ifindex, &change);
	if (err)
		return vs_host_why_set(why, err, "cannot set up interface %s: %s", host->wanted,
				       vs_host_kernel_said(host->env, err));
	return 0;
}

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* What the socket must be before it is bound, that is, before it hears the first frame. */
static int set_options(int fd, int ifindex)
{
	struct packet_mreq all = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
	int err;

	err = set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	if (!err)
		err = set_option(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	if (!err)
		err = set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (!err)
		err = set_option(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	if (!err && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0)
		err = -errno;
	/* Without CAP_NET_ADMIN the queue is as long as the system allows. */
	if (!err && set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES))
		err = set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES);
	return err;
}

static int open_socket(int ifindex)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};
	/* Protocol 0: nothing is heard before bind() says on which interface. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = set_options(fd, ifindex);
	if (!err && bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		err = -errno;
	if (!err)
		return fd;
	(void)close(fd);
	return err;
}

static struct vs_packet_slots *make_slots(void)
{
	struct vs_packet_slots *slots = mmap(NULL, sizeof(*slots), PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned int i;

	if (slots == MAP_FAILED)
		return NULL;
	for (i = 0; i < VS_BURST_MAX; i++) {
		slots->iov[i][0].iov_base = &slots->vnet[i];
		slots->iov[i][0].iov_len = sizeof(slots->vnet[i]);
		slots->iov[i][1].iov_base = slots->frame[i].bytes;
		slots->iov[i][1].iov_len = sizeof(slots->frame[i].bytes);
		slots->msg[i].msg_hdr.msg_iov = slots->iov[i];
		slots->msg[i].msg_hdr.msg_iovlen = 2;
		slots->msg[i].msg_hdr.msg_control = &slots->control[i];
	}
	return slots;
}

/* Did the switch make it, now or in an earlier life? */
static bool is_ours(const struct vs_host *host)
{
	return host->made || (host->link.flags & VS_LINK_OURS);
}

static int attach(struct vs_host *host, struct vs_host_why *why)
{
	struct vs_host_queue *q = &host->queue[0];

	q->slots = make_slots();
	if (!q->slots)
		return vs_host_why_set(why, -ENOMEM, "no memory left");
	q->fd = open_socket(host->link.ifindex);
	if (q->fd < 0)
		return vs_host_why_set(why, q->fd, "cannot open a packet socket on %s: %s",
				       host->wanted, strerror(-q->fd));
	return 0;
}

int vs_packet_open(struct vs_host *host, const struct vs_host_config *config,
		   struct vs_host_why *why)
{
	int err = find_or_make(host, why);

	if (err)
		return err;
	err = set_up(host, config->mtu, why);
	if (!err)
		err = attach(host, why);
	if (err && !is_ours(host))
		(void)vs_rtnl_unblock(&host->env->rtnl, host->link.ifindex);
	return err;
}

/* Leave the interface as it was, or remove it. */
static void leave(struct vs_host *host)
{
	struct vs_rtnl *rtnl = &host->env->rtnl;
	bool ours = is_ours(host);
	int err = ours ? vs_rtnl_link_del(rtnl, host->link.ifindex)
		       : vs_rtnl_unblock(rtnl, host->link.ifindex);

	if (err && err != -ENODEV)
		vs_log(VS_LOG_ERROR, "port %s: cannot %s interface %s: %s", host->name,
		       ours ? "remove" : "give back", host->link.name,
		       vs_host_kernel_said(host->env, err));
}

void vs_packet_close(struct vs_host *host, enum vs_host_fate fate)
{
	struct vs_host_queue *q = &host->queue[0];

	if (q->fd >= 0)
		(void)close(q->fd);
	if (q->slots)
		(void)munmap(q->slots, sizeof(*q->slots));
	if (fate == VS_HOST_REMOVE && host->link.ifindex && host->presence == VS_HOST_PRESENT)
		leave(host);
}

void vs_packet_missed(struct vs_host *host)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	/* Reading sets it to zero. */
	if (getsockopt(host->queue[0].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		host->missed += stats.tp_drops;
}
