/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting, stopping and detaching rings.
 */
#include "dataplane/guest/vhost.h"

#include "dataplane/core/debt.h"
#include "dataplane/guest/notify.h"

#include <rte_bitops.h>
#include <rte_cycles.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void vs_vhost_grace(struct vs_vhost *dev)
{
	vs_rcu_synchronize(dev->rcu);
	dev->graces++;
}

int vs_vring_translate(const struct vs_mem *mem, uint32_t num,
		       const struct vs_vhost_vring_addr *addr, struct vs_vring_parts *ret_parts)
{
	uint64_t n = num;
	void *desc = vs_mem_at_uva(mem, addr->desc, 16 * n);
	void *avail = vs_mem_at_uva(mem, addr->avail, 6 + 2 * n);
	void *used = vs_mem_at_uva(mem, addr->used, 6 + 8 * n);

	if (!desc || !avail || !used)
		return -EFAULT;
	if ((uintptr_t)desc % 16 || (uintptr_t)avail % 2 || (uintptr_t)used % 4)
		return -EFAULT;
	ret_parts->desc = desc;
	ret_parts->avail = avail;
	ret_parts->used = used;
	return 0;
}

/* The predicate of the theory of operation, but for the translation. */
static bool ring_is_wanted(const struct vs_vhost *dev, const struct vs_vring *vr)
{
	const uint8_t all = VS_VRING_HAVE_ADDR | VS_VRING_HAVE_BASE | VS_VRING_HAVE_KICK;

	if (!dev->has_features || !dev->mem || vr->faulty || !vr->num || vr->have != all)
		return false;
	if (__atomic_load_n(&dev->mem->lost, __ATOMIC_RELAXED))
		return false;
	if (vr->enable == VS_VRING_UNTOLD)
		return !(dev->features & RTE_BIT64(VS_VHOST_F_PROTOCOL_FEATURES));
	return vr->enable == VS_VRING_ENABLED;
}

static void ring_start(struct vs_vhost *dev, struct vs_vring *vr)
{
	const struct vs_vhost_vring_addr addr = {
		.desc = vr->desc,
		.avail = vr->avail,
		.used = vr->used,
	};
	struct vs_ring *ring = &vr->ring;
	uint64_t f = dev->features;
	struct vs_vring_parts parts;

	if (vs_vring_translate(dev->mem, vr->num, &addr, &parts)) {
		(void)snprintf(dev->problem, sizeof(dev->problem),
			       "ring %u lies outside of the guest's memory, or is misaligned",
			       (unsigned int)(vr - dev->vring));
		return;
	}

	ring->desc = parts.desc;
	ring->avail = parts.avail;
	ring->used = parts.used;
	ring->mem = dev->mem;
	ring->size = (uint16_t)vr->num;
	ring->walk_ticks = rte_get_tsc_hz() / 1000000 * VS_WALK_US;
	ring->flags = 0;
	if (f & RTE_BIT64(VIRTIO_NET_F_MRG_RXBUF))
		ring->flags |= VS_RING_MERGEABLE;
	if (f & RTE_BIT64(VIRTIO_RING_F_EVENT_IDX))
		ring->flags |= VS_RING_EVENT_IDX;
	if (f & RTE_BIT64(VIRTIO_RING_F_INDIRECT_DESC))
		ring->flags |= VS_RING_INDIRECT;
	if (f & RTE_BIT64(VIRTIO_NET_F_GUEST_CSUM))
		ring->flags |= VS_RING_GUEST_CSUM;
	ring->hdr_len =
		f & (RTE_BIT64(VIRTIO_NET_F_MRG_RXBUF) | RTE_BIT64(VIRTIO_F_VERSION_1)) ? 12 : 10;
	ring->us_ticks = (uint32_t)(rte_get_tsc_hz() / 1000000);
	if (!((vr - dev->vring) & 1))
		ring->moderation = dev->moderation;
	__atomic_store_n(&vr->reported, 0, __ATOMIC_RELAXED);
	vs_ring_start(ring, vr->base);
}

/* The bits of enum vs_offload for feature bits, which stand in the table in that enum's order. */
static uint8_t offloads(uint64_t features, const uint8_t *bit, unsigned int n)
{
	unsigned int set = 0;
	unsigned int i;

	/* All others depend on the first (virtio 1.2, 5.1.3.1). */
	if (!(features & RTE_BIT64(bit[0])))
		return 0;
	for (i = 0; i < n; i++)
		set |= features & RTE_BIT64(bit[i]) ? 1u << i : 0;
	return (uint8_t)set;
}

static uint8_t rights_of(uint64_t features)
{
	static const uint8_t bit[] = {
		VIRTIO_NET_F_CSUM,     VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6,
		VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_HOST_USO,  VIRTIO_NET_F_HOST_USO,
	};

	return offloads(features, bit, RTE_DIM(bit));
}

static uint8_t caps_of(uint64_t features)
{
	static const uint8_t bit[] = {
		VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6,
		VIRTIO_NET_F_GUEST_ECN,  VIRTIO_NET_F_GUEST_USO4, VIRTIO_NET_F_GUEST_USO6,
		VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_MRG_RXBUF,
	};

	return offloads(features, bit, RTE_DIM(bit));
}

/*
 * Workers read the masks at any time. @leaving: rings that are about to be stopped: a worker that
 * finds one stopped finds another one in the mask by then (guest_tx.c).
 */
static void publish_pairs(struct vs_vhost *dev, uint32_t leaving)
{
	uint8_t broken = 0;
	uint8_t rx = 0;
	uint8_t tx = 0;
	uint32_t i;

	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		broken |= dev->vring[i].faulty;
		if (!vs_vring_runs(&dev->vring[i]) || leaving & (1u << i))
			continue;
		if (i & 1)
			rx |= (uint8_t)(1u << (i / 2));
		else
			tx |= (uint8_t)(1u << (i / 2));
	}
	__atomic_store_n(&dev->rx_pairs, rx, __ATOMIC_RELAXED);
	__atomic_store_n(&dev->tx_pairs, tx, __ATOMIC_RELAXED);
	__atomic_store_n(&dev->broken, broken, __ATOMIC_RELAXED);
	__atomic_store_n(&dev->caps, rx | tx ? caps_of(dev->features) : 0, __ATOMIC_RELEASE);
}

void vs_vhost_moderate(struct vs_vhost *dev, enum vs_guest_mod level)
{
	uint32_t i;

	dev->moderation = (uint8_t)level;
	for (i = 0; i < VS_GUEST_RINGS_MAX; i += 2)
		__atomic_store_n(&dev->vring[i].ring.moderation, (uint8_t)level, __ATOMIC_RELAXED);
}

void vs_vhost_rings_start(struct vs_vhost *dev)
{
	uint32_t i;

	__atomic_store_n(&dev->rights, rights_of(dev->features), __ATOMIC_RELAXED);
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		struct vs_vring *vr = &dev->vring[i];

		if (!vs_vring_runs(vr) && ring_is_wanted(dev, vr))
			ring_start(dev, vr);
	}
	publish_pairs(dev, 0);
}

void vs_vhost_rings_stop(struct vs_vhost *dev, uint32_t mask)
{
	uint32_t stopped = 0;
	uint32_t i;

	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		if (mask & (1u << i) && vs_vring_runs(&dev->vring[i]))
			stopped |= 1u << i;
	}
	if (!stopped)
		return;
	publish_pairs(dev, stopped);
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		if (stopped & (1u << i))
			vs_ring_stop(&dev->vring[i].ring);
	}
	vs_vhost_grace(dev);
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		struct vs_vring *vr = &dev->vring[i];

		if (stopped & (1u << i))
			vs_ring_remind(&vr->ring);
		/* Heads that were taken and never given back are taken again at the next start. */
		if (stopped & (1u << i))
			vr->base = (uint16_t)(vr->ring.next_avail - vr->ring.taken);
	}
}

/* Tell the log, the VMM and `port show` of one ring that a worker gave up. */
static void note_fault(struct vs_vhost *dev, struct vs_vring *vr, enum vs_ring_fault fault)
{
	unsigned int index = (unsigned int)(vr - dev->vring);
	int err;

	vr->faulty = 1;
	dev->faults++;
	dev->last_fault = vs_ring_fault_name(fault);
	(void)snprintf(dev->problem, sizeof(dev->problem), "ring %u (%s pair %u): %.80s", index,
		       index & 1 ? "transmit, queue" : "receive, queue", index / 2,
		       vs_ring_fault_text(fault));
	vs_log_limited(&dev->limit, VS_LOG_WARNING, "port %s: %s", dev->name, dev->problem);
	err = vr->err_fd >= 0 ? vs_notify(vr->err_fd) : 0;
	if (err)
		vs_log_limited(&dev->limit, VS_LOG_WARNING, "port %s: cannot tell the VMM: %s",
			       dev->name, strerror(-err));
}

int vs_vhost_check(struct vs_vhost *dev)
{
	uint32_t stop = 0;
	uint32_t i;

	if (dev->mem && __atomic_load_n(&dev->mem->lost, __ATOMIC_ACQUIRE)) {
		dev->faults++;
		dev->last_fault = vs_ring_fault_name(VS_RING_MEMORY_LOST);
		(void)snprintf(dev->problem, sizeof(dev->problem),
			       "guest memory went away: file truncated, or no huge page left");
		vs_log_limited(&dev->limit, VS_LOG_WARNING, "port %s: %s", dev->name, dev->problem);
		return -EFAULT;
	}
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		struct vs_vring *vr = &dev->vring[i];
		uint8_t fault = __atomic_load_n(&vr->ring.fault, __ATOMIC_RELAXED);

		if (vr->faulty || !vs_vring_runs(vr) || fault == VS_RING_OK)
			continue;
		stop |= 1u << i;
		note_fault(dev, vr, fault);
	}
	vs_vhost_rings_stop(dev, stop);
	return 0;
}
