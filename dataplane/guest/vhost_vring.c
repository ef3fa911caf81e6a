/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages about one ring.
 */
#include "dataplane/guest/vhost.h"

#include "dataplane/core/fdkind.h"
#include "dataplane/core/watch.h"
#include "dataplane/guest/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	RING_SIZE_MAX = 32768,
};

/* Return: the ring that @index names in its full width, or NULL after vs_vhost_refuse(). */
static struct vs_vring *ring_of(struct vs_vhost *dev, uint64_t index)
{
	if (index >= VS_GUEST_RINGS_MAX) {
		(void)vs_vhost_refuse(dev, "a ring index beyond the 16 rings of this device");
		return NULL;
	}
	return &dev->vring[index];
}

static uint32_t mask_of(const struct vs_vhost *dev, const struct vs_vring *vr)
{
	return 1u << (vr - dev->vring);
}

int vs_vhost_set_vring_num(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			   struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	struct vs_vring *vr = ring_of(dev, msg->payload.state.index);
	uint32_t num = msg->payload.state.num;

	if (!vr)
		return -EINVAL;
	if (vs_vring_runs(vr))
		return vs_vhost_refuse(dev, "a new ring size while the ring runs");
	if (!num || num > RING_SIZE_MAX || (num & (num - 1)))
		return vs_vhost_refuse(dev, "a ring size that is not a power of two up to 32768");
	vr->num = num;
	return 0;
}

int vs_vhost_set_vring_addr(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			    struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	const struct vs_vhost_vring_addr addr = msg->payload.addr;
	struct vs_vring *vr = ring_of(dev, addr.index);
	struct vs_vring_parts parts;

	if (!vr)
		return -EINVAL;
	if (addr.flags)
		return vs_vhost_refuse(dev, "logging of the used ring, which was not offered");
	if (dev->mem && vr->num && vs_vring_translate(dev->mem, vr->num, &addr, &parts))
		return vs_vhost_refuse(dev, "a ring outside of the guest's memory, or misaligned");

	vs_vhost_rings_stop(dev, mask_of(dev, vr));
	vr->desc = addr.desc;
	vr->avail = addr.avail;
	vr->used = addr.used;
	vr->have |= VS_VRING_HAVE_ADDR;
	return 0;
}

int vs_vhost_set_vring_base(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			    struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	struct vs_vring *vr = ring_of(dev, msg->payload.state.index);

	if (!vr)
		return -EINVAL;
	if (vs_vring_runs(vr))
		return vs_vhost_refuse(dev, "a new ring base while the ring runs");
	if (msg->payload.state.num > UINT16_MAX)
		return vs_vhost_refuse(dev, "a ring base beyond 65535");
	vr->base = (uint16_t)msg->payload.state.num;
	vr->have |= VS_VRING_HAVE_BASE;
	return 0;
}

int vs_vhost_get_vring_base(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			    struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	struct vs_vring *vr = ring_of(dev, msg->payload.state.index);

	if (!vr)
		return -EINVAL;
	vs_vhost_rings_stop(dev, mask_of(dev, vr));
	vs_vhost_fd_close(vr->ring.call_fd);
	vs_vhost_fd_close(vr->kick_fd);
	vr->ring.call_fd = -1;
	__atomic_store_n(&vr->kick_fd, -1, __ATOMIC_RELEASE);
	vr->have &= (uint8_t)~VS_VRING_HAVE_KICK;
	vr->faulty = 0;
	reply->size = sizeof(reply->payload.state);
	reply->payload.state.index = msg->payload.state.index;
	reply->payload.state.num = vr->base;
	return 0;
}

int vs_vhost_set_vring_enable(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			      struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	struct vs_vring *vr = ring_of(dev, msg->payload.state.index);

	if (!vr)
		return -EINVAL;
	if (msg->payload.state.num > 1)
		return vs_vhost_refuse(dev, "a value other than 0 and 1");
	/* Also without PROTOCOL_FEATURES: QEMU sends it before SET_FEATURES acks that bit. */
	vr->enable = msg->payload.state.num ? VS_VRING_ENABLED : VS_VRING_DISABLED;
	if (vr->enable == VS_VRING_DISABLED)
		vs_vhost_rings_stop(dev, mask_of(dev, vr));
	return 0;
}

static void set_call(struct vs_vhost *dev, struct vs_vring *vr, int fd)
{
	int old = __atomic_exchange_n(&vr->ring.call_fd, fd, __ATOMIC_ACQ_REL);
	int err;

	if (!vs_vring_runs(vr)) {
		vs_vhost_fd_close(old);
		return;
	}
	if (old >= 0) {
		vs_vhost_grace(dev);
		vs_vhost_fd_close(old);
	}
	/*
	 * What was published while there was no descriptor, or one that nobody listened to any
	 * more, went unnoticed; a call too many does no harm.
	 */
	err = fd >= 0 ? vs_notify(fd) : 0;
	if (err)
		vs_log_limited(&dev->limit, VS_LOG_WARNING, "port %s: cannot call the guest: %s",
			       dev->name, strerror(-err));
}

/* A worker that sleeps hears the old one; so it wakes, and takes the new one. */
static void set_kick(struct vs_vhost *dev, struct vs_vring *vr, int fd)
{
	int old = __atomic_exchange_n(&vr->kick_fd, fd, __ATOMIC_ACQ_REL);

	vr->have |= VS_VRING_HAVE_KICK;
	if (vs_vring_runs(vr)) {
		vs_watch_changed();
		vs_vhost_grace(dev);
	}
	vs_vhost_fd_close(old);
}

/* SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR. */
int vs_vhost_set_vring_fd(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			  struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	uint64_t value = msg->payload.u64;
	bool has_fd = !(value & VS_VHOST_VRING_NOFD);
	struct vs_vring *vr = ring_of(dev, value & ~(uint64_t)VS_VHOST_VRING_NOFD);
	int fd = -1;

	if (!vr)
		return -EINVAL;
	if (fds->n != (has_fd ? 1u : 0u))
		return vs_vhost_refuse(dev, "not the one descriptor it announces");
	if (has_fd) {
		if (!vs_fd_is_eventfd(fds->fd[0]))
			return vs_vhost_refuse(dev, "a descriptor that is not an eventfd");
		/* Where vs_notify() has nothing better than a write, it must not wait. */
		if (fcntl(fds->fd[0], F_SETFL, O_RDWR | O_NONBLOCK))
			return vs_vhost_refuse(dev, "a descriptor that cannot be non-blocking");
		fd = fds->fd[0];
		fds->fd[0] = -1;
	}

	switch (msg->request) {
	case VS_VHOST_SET_VRING_CALL:
		set_call(dev, vr, fd);
		break;
	case VS_VHOST_SET_VRING_KICK:
		set_kick(dev, vr, fd);
		break;
	default:
		vs_vhost_fd_close(vr->err_fd);
		vr->err_fd = fd;
		break;
	}
	return 0;
}
