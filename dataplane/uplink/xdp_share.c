/* SPDX-License-Identifier: BSD-3-Clause */
/* What control does with the helper TAP, and how sharing begins and ends. */
#include "dataplane/core/watch.h"
#include "dataplane/uplink/link.h"
#include "dataplane/uplink/xdp_obj.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	BUFFER_BYTES = VS_BURST_MAX * 65536,
};

/* Without it the kernel would ask for routers and report groups, as if from the wire. */
static int forbid_ipv6(const char *name)
{
	char path[64 + IFNAMSIZ];
	int err = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (write(fd, "1", 1) != 1)
		err = -errno;
	(void)close(fd);
	return err;
}

static int make_tap(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	/*
	 * No offloads: the kernel finishes checksums and cuts segments before a frame comes here.
	 */
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETOFFLOAD, 0ul) < 0) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	return fd;
}

int vs_xtap_open(uint32_t nic, uint32_t mtu, struct vs_xtap *tap, int *ret_fd,
		 struct vs_xdp_why *why)
{
	struct vs_link link;
	char name[IFNAMSIZ];
	int err;
	int fd;

	(void)snprintf(name, sizeof(name), "vsu%u", nic);
	fd = make_tap(name);
	err = fd < 0 ? fd : vs_link_get(name, 0, &link);
	if (!err)
		err = forbid_ipv6(name);
	if (!err)
		err = vs_link_set_flags(link.index, IFF_NOARP, IFF_MULTICAST);
	if (!err)
		err = vs_link_set_mtu(link.index, RTE_MIN(mtu, (uint32_t)VS_XTAP_MTU_MAX));
	if (!err && !tap->buffer) {
		tap->buffer = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (tap->buffer == MAP_FAILED) {
			tap->buffer = NULL;
			err = -ENOMEM;
		}
	}
	if (err) {
		(void)snprintf(why->text, sizeof(why->text),
			       "cannot make the helper interface %s for the host's share: %s", name,
			       strerror(-err));
		if (fd >= 0)
			(void)close(fd);
		return err;
	}
	tap->index = link.index;
	*ret_fd = fd;
	return 0;
}

void vs_xtap_close(struct vs_xtap *tap, int fd)
{
	if (fd >= 0)
		(void)close(fd);
	if (tap->buffer)
		(void)munmap(tap->buffer, BUFFER_BYTES);
	*tap = VS_XTAP_NONE;
}

int vs_xdp_tell_programs(const struct vs_xdp *x)
{
	const uint64_t mac = x->mac;
	struct vs_bpf_config config = {
		.share = x->share == VS_XDP_SHARED,
		.nic = x->link.index,
		.tap = x->tap.index,
		.vid = x->vid,
		.sort = x->n_filters > 0,
	};

	memcpy(config.mac, &mac, sizeof(config.mac));
	return vs_xprog_set_config(&x->prog, &config);
}

/*
 * The way to the host is built from its end: the TAP, the filters, then the program is told, and
 * workers find the descriptor.
 */
int vs_xdp_share_begin(struct vs_xdp *x, struct vs_xdp_why *why)
{
	int fd;
	int err;

	err = vs_xtap_open(x->link.index, x->link.mtu, &x->tap, &fd, why);
	if (err)
		return err;
	/* The filters look into the configuration: host and switch are apart until share is 1. */
	err = vs_xprog_attach_tc(&x->prog, x->tap.index, x->saved.leftover, why);
	if (err)
		goto err_tc;
	x->share = VS_XDP_SHARED;
	err = vs_link_set_flags(x->tap.index, IFF_UP, 0);
	if (!err)
		err = vs_xdp_tell_programs(x);
	if (err) {
		(void)snprintf(why->text, sizeof(why->text),
			       "cannot join host and switch at interface %s: %s", x->link.name,
			       strerror(-err));
		goto err_share;
	}
	__atomic_store_n(&x->tap.fd, fd, __ATOMIC_RELEASE);
	vs_watch_changed();
	return 0;

err_share:
	x->share = VS_XDP_ALONE;
	(void)vs_xdp_tell_programs(x);
	x->prog.tc = false;
err_tc:
	vs_xprog_detach_tc(x->link.index, x->saved.clsact);
	vs_xtap_close(&x->tap, fd);
	return err;
}

void vs_xdp_share_end(struct vs_xdp *x)
{
	int fd = x->tap.fd;

	x->share = VS_XDP_ALONE;
	/* The interface is going to be given back, or is the switch's alone from now on. */
	if (!x->gone)
		(void)vs_xdp_tell_programs(x);
	if (x->prog.tc && !x->gone)
		vs_xprog_detach_tc(x->link.index, x->saved.clsact);
	x->prog.tc = false;
	__atomic_store_n(&x->tap.fd, -1, __ATOMIC_RELEASE);
	vs_watch_changed();
	vs_rcu_synchronize(x->env.rcu);
	vs_xtap_close(&x->tap, fd);
}
