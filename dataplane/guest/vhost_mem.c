/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SET_MEM_TABLE, and whether the memory it names is really shared.
 */
#include "dataplane/guest/vhost.h"

#include <errno.h>
#include <poll.h>

int vs_vhost_set_mem_table(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			   struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	const struct vs_vhost_mem_table table = msg->payload.mem;
	struct vs_mem_spec spec[VS_MEM_REGIONS_MAX];
	struct vs_mem *old = dev->mem;
	const char *why = NULL;
	struct vs_mem *mem;
	uint32_t i;
	uint32_t n;

	if (msg->size < offsetof(struct vs_vhost_mem_table, region))
		return vs_vhost_refuse(dev, "a payload of the wrong size");
	n = table.n;
	if (!n)
		dev->empty_table = true;
	if (n < 1 || n > VS_MEM_REGIONS_MAX)
		return vs_vhost_refuse(dev, n ? "more than 8 memory regions" : "no memory region");
	if (msg->size != offsetof(struct vs_vhost_mem_table, region) + n * sizeof(table.region[0]))
		return vs_vhost_refuse(dev, "a payload of the wrong size");
	if (fds->n != n)
		return vs_vhost_refuse(dev, "not one descriptor per memory region");

	for (i = 0; i < n; i++) {
		spec[i].gpa = table.region[i].gpa;
		spec[i].size = table.region[i].size;
		spec[i].uva = table.region[i].uva;
		spec[i].offset = table.region[i].offset;
	}
	if (vs_mem_map(spec, fds->fd, n, &mem, &why))
		return vs_vhost_refuse(dev, why);

	/* From here on nothing fails. The rings that translate start again by themselves. */
	vs_vhost_rings_stop(dev, UINT32_MAX);
	dev->mem = mem;
	dev->empty_table = false;
	dev->proven = false;
	vs_vhost_rings_start(dev);
	if (old)
		vs_mem_unmap(old);
	return 0;
}

/* Any sign of a driver in the parts of the ring that only the guest writes? */
static bool ring_has_content(const struct vs_ring *ring)
{
	/* A driver that offers one buffer writes its descriptor into the first few entries. */
	size_t bytes = sizeof(struct vring_desc) * (ring->size < 64 ? ring->size : 64);
	const volatile uint64_t *word = (const volatile uint64_t *)ring->desc;
	const volatile uint16_t *head = (const volatile uint16_t *)ring->avail;
	uint64_t seen = (uint64_t)(head[0] | head[1]);
	size_t i;

	for (i = 0; i < bytes / sizeof(*word); i++)
		seen |= word[i];
	return seen != 0;
}

/* The kick descriptor is never read, so one kick is seen for ever. */
static bool ring_was_kicked(const struct vs_vring *vr)
{
	struct pollfd pfd = {.fd = vr->kick_fd, .events = POLLIN};

	return vr->kick_fd >= 0 && poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLIN);
}

bool vs_vhost_probe(struct vs_vhost *dev)
{
	bool kicked = false;
	uint32_t i;

	if (dev->proven)
		return true;
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		const struct vs_vring *vr = &dev->vring[i];

		if (!vs_vring_runs(vr))
			continue;
		if (ring_has_content(&vr->ring)) {
			dev->proven = true;
			return true;
		}
		kicked = kicked || ring_was_kicked(vr);
	}
	return !kicked;
}
