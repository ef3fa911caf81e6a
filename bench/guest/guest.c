/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Life cycle of a guest.
 *
 * Theory of operation. A start is connect, negotiate, build, memory table, then each ring, then
 * enable. The rings are built once, when the length of the virtio header is first known, and
 * outlive connections: as with a real VM, a back end that dies leaves the driver with what it
 * has in flight. A ring starts at the index that an orderly stop reported, otherwise at its used
 * index, which is what QEMU does for split rings: what the lost back end took but did not return
 * is then processed again.
 */
#include "bench/guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/guest/layout.h"

static int check_cfg(const struct vsg_cfg *cfg)
{
	if (cfg->queue_pairs == 0 || cfg->queue_pairs > VSG_MAX_PAIRS)
		return -EINVAL;
	if (cfg->n_rx_shape == 0 || cfg->n_rx_shape > VSG_MAX_SHAPE)
		return -EINVAL;
	if (cfg->indirect_max == 0 || cfg->indirect_max > VSG_MAX_SEGS)
		return -EINVAL;
	if (cfg->ring_size < cfg->n_rx_shape || cfg->tx_buf_len < 12)
		return -EINVAL;
	return memchr(cfg->path, 0, sizeof(cfg->path)) ? 0 : -ENAMETOOLONG;
}

static int open_events(struct vsg_ring *ring, uint32_t index)
{
	ring->index = index;
	ring->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return ring->kick_fd < 0 || ring->call_fd < 0 || ring->err_fd < 0 ? -EMFILE : 0;
}

static void close_events(struct vsg_ring *ring)
{
	if (ring->kick_fd > 0)
		close(ring->kick_fd);
	if (ring->call_fd > 0)
		close(ring->call_fd);
	if (ring->err_fd > 0)
		close(ring->err_fd);
}

static int create_memory(struct vsg_guest *guest)
{
	struct vsg_region_cfg one = {.kind = VSG_MEM_MEMFD};

	if (guest->cfg.n_regions > 0)
		return vsg_mem_create(&guest->mem, guest->cfg.regions, guest->cfg.n_regions);
	one.gpa = guest->cfg.gpa_base;
	one.size = guest->cfg.mem_size ? guest->cfg.mem_size : vsg_layout_need(&guest->cfg);
	return vsg_mem_create(&guest->mem, &one, 1);
}

/**
 * vsg_guest_new() - make a guest; a server's socket listens from here on
 * @cfg: configuration, copied
 * @ret_guest: guest, to be freed with vsg_guest_free()
 *
 * Return: 0 or -errno.
 */
int vsg_guest_new(const struct vsg_cfg *cfg, struct vsg_guest **ret_guest)
{
	struct vsg_guest *guest;
	uint32_t i;
	int err;

	err = check_cfg(cfg);
	if (err)
		return err;
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		return -ENOMEM;
	guest->cfg = *cfg;
	guest->log_fd = -1;
	vsg_chan_init(&guest->chan);
	err = create_memory(guest);
	if (err)
		goto err_free;
	err = -ENOMEM;
	guest->pair = calloc(cfg->queue_pairs, sizeof(*guest->pair));
	if (!guest->pair)
		goto err_free;
	for (i = 0, err = 0; i < 2 * cfg->queue_pairs && !err; i++)
		err = open_events(vsg_guest_ring(guest, i), i);
	if (!err && !(cfg->flags & VSG_F_CLIENT))
		err = vsg_chan_listen(&guest->chan, cfg->path);
	if (err)
		goto err_free;
	*ret_guest = guest;
	return 0;

err_free:
	vsg_guest_free(guest);
	return err;
}

/**
 * vsg_guest_free() - end a guest at once, as if its VMM had been killed
 * @guest: guest or NULL
 */
void vsg_guest_free(struct vsg_guest *guest)
{
	uint32_t i;

	if (!guest)
		return;
	vsg_chan_close(&guest->chan);
	vsg_guest_unbuild(guest);
	for (i = 0; guest->pair && i < 2 * guest->cfg.queue_pairs; i++)
		close_events(vsg_guest_ring(guest, i));
	vsg_guest_log_free(guest);
	vsg_mem_destroy(&guest->mem);
	free(guest->pair);
	free(guest);
}

/**
 * vsg_guest_ring() - a ring by its number in the protocol
 * @guest: guest
 * @ring: 2n to the guest, 2n + 1 from the guest
 *
 * Return: ring, or NULL if there is no such ring.
 */
struct vsg_ring *vsg_guest_ring(struct vsg_guest *guest, uint32_t ring)
{
	struct vsg_pair *pair;

	if (ring / 2 >= guest->cfg.queue_pairs)
		return NULL;
	pair = &guest->pair[ring / 2];
	return ring % 2 ? &pair->tx : &pair->rx;
}

/**
 * vsg_guest_connect() - get a connection: accept the back end, or connect to it
 * @guest: guest
 * @timeout_ms: time limit
 *
 * Return: 0 or -errno.
 */
int vsg_guest_connect(struct vsg_guest *guest, int timeout_ms)
{
	if (guest->cfg.flags & VSG_F_CLIENT)
		return vsg_chan_connect(&guest->chan, guest->cfg.path, timeout_ms);
	return vsg_chan_accept(&guest->chan, timeout_ms);
}

/**
 * vsg_guest_hangup() - close the connection without a word; rings and memory stay
 * @guest: guest
 */
void vsg_guest_hangup(struct vsg_guest *guest)
{
	vsg_chan_hangup(&guest->chan);
	guest->started = 0;
}

/**
 * vsg_guest_build() - lay out rings and buffers after the negotiation; once
 * @guest: guest
 *
 * Return: 0 or -errno.
 */
int vsg_guest_build(struct vsg_guest *guest)
{
	uint32_t event_idx = guest->features >> VIRTIO_RING_F_EVENT_IDX & 1;
	uint32_t wait = guest->cfg.flags & VSG_F_POLL ? VSG_WAIT_POLL : VSG_WAIT_CALL;
	uint32_t i;
	int err;

	if (guest->built)
		return 0;
	err = vsg_layout_shape(guest);
	for (i = 0; i < guest->cfg.queue_pairs && !err; i++) {
		guest->pair[i].rx.event_idx = event_idx;
		guest->pair[i].tx.event_idx = event_idx;
		guest->pair[i].rx.wait = wait;
		guest->pair[i].tx.wait = wait;
		err = vsg_layout_pair(guest, &guest->pair[i]);
		if (!err)
			err = vsg_net_fill(guest, i);
	}
	guest->built = 1;
	if (err)
		vsg_guest_unbuild(guest);
	return err;
}

/**
 * vsg_guest_unbuild() - forget rings and buffers, as a reset of the device does
 * @guest: guest whose rings the back end no longer uses
 *
 * The next build lays them out anew, with what the configuration then says.
 */
void vsg_guest_unbuild(struct vsg_guest *guest)
{
	uint32_t i;

	for (i = 0; guest->pair && i < guest->cfg.queue_pairs; i++)
		vsg_layout_free(&guest->pair[i]);
	vsg_mem_reset(&guest->mem);
	guest->built = 0;
}

/* Index a ring starts at. */
static uint16_t base_of(const struct vsg_ring *ring)
{
	if (ring->base >= 0)
		return (uint16_t)ring->base;
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
}

static int start_rings(struct vsg_guest *guest)
{
	uint32_t i, on, n = 2 * guest->cfg.queue_pairs;
	struct vsg_ring *ring;
	int err;

	for (i = 0; i < n; i++) {
		ring = vsg_guest_ring(guest, i);
		err = vsg_guest_ring_start(guest, i, base_of(ring));
		if (err)
			return err;
		ring->base = -1;
	}
	for (i = 0; i < n; i++) {
		on = guest->cfg.enable_pairs == 0 || i / 2 < guest->cfg.enable_pairs;
		err = vsg_guest_ring_enable(guest, i, on);
		if (err)
			return err;
	}
	for (i = 0; i < n && !(guest->cfg.flags & VSG_F_NO_START_KICK); i++) {
		err = vsg_ring_kick_force(vsg_guest_ring(guest, i));
		if (err)
			return err;
	}
	return 0;
}

/**
 * vsg_guest_start() - bring the device up
 * @guest: guest, new or stopped
 * @timeout_ms: time limit for the connection; each request has the configured one
 *
 * Return: 0, -ENOTSUP if the back end lacks a needed feature, -EREMOTEIO if it refused a request,
 * or -errno.
 */
int vsg_guest_start(struct vsg_guest *guest, int timeout_ms)
{
	int err = 0;

	if (!vsg_chan_is_alive(&guest->chan)) {
		err = vsg_guest_connect(guest, timeout_ms);
		if (!err)
			err = vsg_guest_negotiate(guest);
	}
	if (!err)
		err = vsg_guest_request(guest, VSG_REQ_SET_FEATURES, &guest->features, 8, NULL, 0);
	if (!err)
		err = vsg_guest_build(guest);
	if (!err)
		err = vsg_guest_set_mem_table(guest);
	if (!err)
		err = start_rings(guest);
	if (err)
		return err;
	guest->started = 1;
	guest->starts++;
	return 0;
}

/**
 * vsg_guest_stop() - stop all rings in an orderly way; the connection stays
 * @guest: started guest
 *
 * Each ring's base is kept for the next start.
 *
 * Return: 0 or -errno.
 */
int vsg_guest_stop(struct vsg_guest *guest)
{
	uint32_t base, i;
	int err;

	for (i = 0; i < 2 * guest->cfg.queue_pairs; i++) {
		err = vsg_guest_ring_stop(guest, i, &base);
		if (err)
			return err;
		vsg_guest_ring(guest, i)->base = (int32_t)(base & 0xffff);
	}
	guest->started = 0;
	return 0;
}

/**
 * vsg_guest_reconnect() - wait for a back end to come back, and bring the device up again
 * @guest: guest; a connection it still has is closed
 * @timeout_ms: time limit for the connection
 *
 * Return: 0 or -errno.
 */
int vsg_guest_reconnect(struct vsg_guest *guest, int timeout_ms)
{
	vsg_guest_hangup(guest);
	return vsg_guest_start(guest, timeout_ms);
}
