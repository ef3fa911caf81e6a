/* SPDX-License-Identifier: BSD-3-Clause */
/* How rings and buffers lie in guest memory, and the habits of known drivers. */
#include "bench/guest/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Transmit buffers are spread over cache sets: no power of two between them. */
static uint64_t tx_stride(const struct vsg_cfg *cfg)
{
	return ((cfg->tx_buf_len + 63ull) & ~63ull) + 3ull * 64;
}

/* Descriptors of the ring that one receive chain takes. */
static uint32_t rx_cost(const struct vsg_cfg *cfg)
{
	return cfg->flags & VSG_F_RX_INDIRECT ? 1 : cfg->n_rx_shape;
}

/**
 * vsg_layout_shape() - settle the length of the header and the receive buffers
 * @guest: negotiated guest
 *
 * Return: 0 or -EINVAL for a shape that cannot be.
 */
int vsg_layout_shape(struct vsg_guest *guest)
{
	const struct vsg_cfg *cfg = &guest->cfg;
	uint64_t at = 0;
	uint32_t i, len;

	guest->hdr_len = 10;
	if (guest->features & (1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF))
		guest->hdr_len = 12;
	guest->n_rx_seg = cfg->n_rx_shape;
	for (i = 0; i < cfg->n_rx_shape; i++) {
		len = cfg->rx_shape[i] == VSG_LEN_HDR ? guest->hdr_len : cfg->rx_shape[i];
		guest->rx_seg[i] = len;
		guest->rx_off[i] = (uint32_t)at;
		at += (uint64_t)len + VSG_GAP;
	}
	at = (at + 63) & ~63ull;
	if (at > 1u << 30)
		return -EINVAL;
	guest->rx_stride = (uint32_t)at;
	guest->n_rx = cfg->ring_size / rx_cost(cfg);
	if (cfg->rx_chains && cfg->rx_chains < guest->n_rx)
		guest->n_rx = cfg->rx_chains;
	return 0;
}

static int alloc_slot(struct vsg_guest *guest, struct vsg_slot *slot, uint64_t size,
		      uint32_t entries)
{
	int where = guest->cfg.flags & VSG_F_SPREAD ? VSG_MEM_SPREAD : VSG_MEM_ANY;
	void *ptr;
	int err;

	err = vsg_mem_alloc(&guest->mem, where, size, 64, &slot->gpa, &ptr);
	if (err)
		return err;
	slot->ptr = ptr;
	if (entries == 0)
		return 0;
	err = vsg_mem_alloc(&guest->mem, where, 16ull * entries, 16, &slot->table_gpa, &ptr);
	if (err)
		return err;
	slot->table = ptr;
	return 0;
}

/**
 * vsg_layout_pair() - allocate rings and buffers of a queue pair
 * @guest: guest
 * @pair: pair; vsg_layout_free() undoes it, after a failure as well
 *
 * Return: 0 or -errno.
 */
int vsg_layout_pair(struct vsg_guest *guest, struct vsg_pair *pair)
{
	const struct vsg_cfg *cfg = &guest->cfg;
	uint16_t start = (uint16_t)cfg->start_index;
	uint32_t i;
	int err;

	err = vsg_ring_create(&pair->rx, &guest->mem, cfg->ring_size, start);
	if (!err)
		err = vsg_ring_create(&pair->tx, &guest->mem, cfg->ring_size, start);
	if (err)
		return err;
	if (cfg->flags & VSG_F_SHUFFLE) {
		vsg_ring_shuffle(&pair->rx, cfg->seed);
		vsg_ring_shuffle(&pair->tx, cfg->seed + 1);
	}
	pair->rx_slot = calloc(guest->n_rx, sizeof(*pair->rx_slot));
	pair->tx_slot = calloc(cfg->ring_size, sizeof(*pair->tx_slot));
	pair->held = calloc(cfg->ring_size, sizeof(*pair->held));
	pair->stock = calloc(cfg->ring_size, sizeof(*pair->stock));
	if (!pair->rx_slot || !pair->tx_slot || !pair->held || !pair->stock)
		return -ENOMEM;
	for (i = 0; i < guest->n_rx && !err; i++)
		err = alloc_slot(guest, &pair->rx_slot[i], guest->rx_stride,
				 cfg->flags & VSG_F_RX_INDIRECT ? guest->n_rx_seg : 0);
	for (i = 0; i < cfg->ring_size && !err; i++)
		err = alloc_slot(guest, &pair->tx_slot[i], tx_stride(cfg), cfg->indirect_max);
	return err;
}

/**
 * vsg_layout_free() - free what vsg_layout_pair() keeps outside of guest memory
 * @pair: pair
 */
void vsg_layout_free(struct vsg_pair *pair)
{
	vsg_ring_destroy(&pair->rx);
	vsg_ring_destroy(&pair->tx);
	free(pair->rx_slot);
	free(pair->tx_slot);
	free(pair->held);
	free(pair->stock);
	pair->rx_slot = NULL;
	pair->tx_slot = NULL;
	pair->held = NULL;
	pair->stock = NULL;
	pair->n_held = 0;
	pair->n_stock = 0;
}

/**
 * vsg_layout_need() - guest memory that a configuration needs
 * @cfg: configuration
 *
 * Return: bytes, a multiple of 2 MiB.
 */
uint64_t vsg_layout_need(const struct vsg_cfg *cfg)
{
	uint64_t ring = 26ull * cfg->ring_size + 3 * 4096;
	uint64_t rx = 64, need;
	uint32_t i;

	for (i = 0; i < cfg->n_rx_shape; i++)
		rx += (cfg->rx_shape[i] == VSG_LEN_HDR ? 12 : cfg->rx_shape[i]) + VSG_GAP + 16;
	rx *= cfg->ring_size / rx_cost(cfg) + 1;
	need = 2 * ring + rx + cfg->ring_size * (tx_stride(cfg) + 16ull * cfg->indirect_max + 64);
	need *= cfg->queue_pairs;
	return (need + (2ull << 20) - 1) & ~((2ull << 20) - 1);
}

static void shape(struct vsg_cfg *cfg, uint32_t a, uint32_t b)
{
	cfg->rx_shape[0] = a;
	cfg->rx_shape[1] = b;
	cfg->n_rx_shape = b ? 2 : 1;
}

/**
 * vsg_cfg_profile() - a complete configuration in the manner of a known driver, path apart
 * @cfg: filled in from scratch
 * @profile: which one
 *
 * Offloads are in no profile: a test that wants them adds the bits to @cfg->features.
 *
 * Return: 0 or -EINVAL.
 */
int vsg_cfg_profile(struct vsg_cfg *cfg, enum vsg_profile profile)
{
	const uint64_t v1 = 1ull << VIRTIO_F_VERSION_1;
	const uint64_t modern = v1 | 1ull << VIRTIO_NET_F_MRG_RXBUF |
				1ull << VIRTIO_RING_F_INDIRECT_DESC |
				1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_NET_F_MQ;

	memset(cfg, 0, sizeof(*cfg));
	cfg->proto_features = VSG_PF_MQ | VSG_PF_LOG_SHMFD | VSG_PF_RARP | VSG_PF_REPLY_ACK |
			      VSG_PF_NET_MTU;
	cfg->reply_mode = VSG_REPLY_MEM;
	cfg->queue_pairs = 1;
	cfg->ring_size = 256;
	cfg->tx_buf_len = 16384;
	cfg->indirect_max = 64;
	cfg->timeout_ms = 5000;
	switch (profile) {
	case VSG_PROFILE_LINUX:
		cfg->features = modern;
		cfg->features_need = v1;
		shape(cfg, 1536, 0);
		return 0;
	case VSG_PROFILE_NETKVM:
		cfg->features = modern;
		cfg->features_need = v1;
		cfg->flags = VSG_F_RX_INDIRECT | VSG_F_TX_INDIRECT | VSG_F_TX_HDR_APART;
		shape(cfg, VSG_LEN_HDR, 4096);
		return 0;
	case VSG_PROFILE_SMALL:
		cfg->features = v1;
		cfg->features_need = v1;
		shape(cfg, 12 + 9234, 0);
		return 0;
	case VSG_PROFILE_LEGACY:
		cfg->flags = VSG_F_TX_HDR_APART;
		cfg->ring_size = 256;
		shape(cfg, VSG_LEN_HDR, 9234);
		return 0;
	}
	return -EINVAL;
}
