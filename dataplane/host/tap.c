/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host port's interface: made, or found and taken over, and removed.
 *
 * A TAP interface lives as long as somebody holds a descriptor of it, or for ever if it is
 * persistent (TUNSETPERSIST). It becomes persistent last of all, so that a half-made one goes
 * with its descriptors.
 */
#include "dataplane/host/host_obj.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int vs_tap_attach(const char *ifname, unsigned int queues, short more)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | more)};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	return fd;
}

bool vs_tap_is_attached(const struct vs_host *host)
{
	struct ifreq ifr = {0};

	return ioctl(host->queue[0].fd, TUNGETIFF, &ifr) == 0;
}

/* Look for an interface of the wanted name, and whether it is one to take over. */
static int find(struct vs_host *host, struct vs_host_why *why)
{
	const char *ifname = host->wanted;
	bool multi = host->n_queues > 1;
	const struct vs_host *holder;
	int err;

	err = vs_rtnl_link_get(&host->env->rtnl, 0, ifname, &host->link);
	if (err == -ENODEV) {
		host->made = true;
		return 0;
	}
	if (err)
		return vs_host_why_set(why, err, "cannot look for interface %s: %s", ifname,
				       vs_host_kernel_said(host->env, err));
	if (!(host->link.flags & VS_LINK_TAP))
		return vs_host_why_set(why, -EEXIST,
				       "interface %s exists and is no TAP interface: choose "
				       "another ifname",
				       ifname);
	holder = vs_host_env_holder(host->env, host->link.ifindex);
	if (holder)
		return vs_host_why_set(why, -EBUSY, "interface %s belongs to port %s", ifname,
				       holder->name);
	if (!(host->link.flags & VS_LINK_TAP_MULTI) == multi)
		return vs_host_why_set(why, -EINVAL,
				       "interface %s exists and was made for %s: give that number "
				       "of queues, or remove it (ip link del %s)",
				       ifname, multi ? "one queue" : "several queues (multi_queue)",
				       ifname);
	/* With several queues the kernel lets everybody in who asks for one more. */
	if (host->link.tap_queues)
		return vs_host_why_set(why, -EBUSY, "another process holds interface %s", ifname);
	return 0;
}

static int open_queue(struct vs_host *host, struct vs_host_queue *q, struct vs_host_why *why)
{
	void *buf = mmap(NULL, VS_TAP_BUF_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buf == MAP_FAILED)
		return vs_host_why_set(why, -errno, "no memory left");
	q->buf = buf;
	q->fd = vs_tap_attach(host->wanted, host->n_queues, IFF_VNET_HDR);
	if (q->fd >= 0)
		return 0;
	if (q->fd == -EBUSY)
		return vs_host_why_set(why, q->fd, "another process holds interface %s",
				       host->wanted);
	return vs_host_why_set(why, q->fd, "cannot open TAP interface %s (/dev/net/tun): %s",
			       host->wanted, strerror(-q->fd));
}

/* What the host may leave to the switch, and how it says so. A setting may be another's. */
static int set_offload(int fd)
{
	const unsigned long offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int bytes = sizeof(struct virtio_net_hdr);
	int little = 1;

	if (ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0 || ioctl(fd, TUNSETVNETLE, &little) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, offload) < 0)
		return -1;
	return 0;
}

static int open_queues(struct vs_host *host, struct vs_host_why *why)
{
	int sndbuf = INT_MAX;
	unsigned int i;

	for (i = 0; i < host->n_queues; i++) {
		int err = open_queue(host, &host->queue[i], why);

		if (err)
			return err;
	}
	/* Whoever held the interface before may have left it with others. */
	if (set_offload(host->queue[0].fd) < 0 ||
	    ioctl(host->queue[0].fd, TUNSETSNDBUF, &sndbuf) < 0)
		return vs_host_why_set(why, -errno, "cannot reset TAP interface %s: %s",
				       host->wanted, strerror(errno));
	return vs_rtnl_link_get(&host->env->rtnl, 0, host->wanted, &host->link);
}

/* MTU, hardware address and state of the interface, in one message. */
static int set_up(struct vs_host *host, const struct vs_host_config *config,
		  struct vs_host_why *why)
{
	struct vs_link_change change = {
		.what = VS_LINK_SET_MTU | VS_LINK_SET_UP,
		.mtu = config->mtu,
		.mac = config->mac,
	};
	int err;

	if (host->made)
		change.what |= VS_LINK_SET_OURS;
	if (config->mac_mode == VS_HOST_MAC_SET ||
	    (config->mac_mode == VS_HOST_MAC_NEW && host->made))
		change.what |= VS_LINK_SET_MAC;
	err = vs_rtnl_link_set(&host->env->rtnl, host->link.ifindex, &change);
	if (err)
		return vs_host_why_set(why, err, "cannot set up interface %s: %s", host->wanted,
				       vs_host_kernel_said(host->env, err));
	return 0;
}

int vs_tap_open(struct vs_host *host, const struct vs_host_config *config, struct vs_host_why *why)
{
	unsigned int i;
	int err;

	err = find(host, why);
	if (!err)
		err = open_queues(host, why);
	if (!err)
		err = set_up(host, config, why);
	for (i = 0; !err && i < config->n_addrs; i++)
		err = vs_host_add_addr(host, &config->addrs[i], why);
	if (err)
		return err;
	if (ioctl(host->queue[0].fd, TUNSETPERSIST, 1ul) < 0)
		return vs_host_why_set(why, -errno, "cannot make interface %s persistent: %s",
				       host->wanted, strerror(errno));
	return 0;
}

void vs_tap_close(struct vs_host *host, enum vs_host_fate fate)
{
	unsigned int i;

	if (fate == VS_HOST_REMOVE && host->queue[0].fd >= 0 && vs_tap_is_attached(host) &&
	    ioctl(host->queue[0].fd, TUNSETPERSIST, 0ul) < 0)
		vs_log(VS_LOG_ERROR, "port %s: interface %s stays behind: %s", host->name,
		       host->link.name, strerror(errno));
	for (i = 0; i < host->n_queues; i++) {
		if (host->queue[i].fd >= 0)
			(void)close(host->queue[i].fd);
		if (host->queue[i].buf)
			(void)munmap(host->queue[i].buf, VS_TAP_BUF_BYTES);
	}
}
