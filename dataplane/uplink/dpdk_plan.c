/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a device is run for an MTU: queues, rings, buffers.
 *
 * DOC: theory of operation
 *
 * Frames that are longer than a buffer of 2 KiB are scattered over several, if the driver can both
 * receive and send such chains; else the buffers are made as long as the longest frame.
 *
 * DPDK's MTU is a frame's length minus what the driver says that headers take. Where it does not
 * count a VLAN tag in, and there is no kernel interface behind it (the kernel does), 4 bytes more
 * are asked for, so that a tagged frame may have a full MTU.
 */
#include "dataplane/uplink/dpdk_obj.h"

#include <errno.h>
#include <string.h>

enum {
	RING_DEFAULT = 512,
	ROOM = RTE_MBUF_DEFAULT_DATAROOM,
	TAGS = 2 * RTE_VLAN_HLEN, /* of a frame that the switch will drop, but must see whole */
};

/* Bytes of a frame that the driver does not count as MTU. */
static uint32_t overhead(const struct rte_eth_dev_info *info)
{
	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		return info->max_rx_pktlen - info->max_mtu;
	return RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
}

static uint32_t highest_mtu(const struct rte_eth_dev_info *info)
{
	uint32_t mtu = RTE_MIN((uint32_t)info->max_mtu, (uint32_t)VS_DPDK_MTU_MAX);

	if (info->max_rx_pktlen < mtu + overhead(info))
		mtu = info->max_rx_pktlen - RTE_MIN(info->max_rx_pktlen, overhead(info));
	return mtu;
}

static int plan_mtu(const struct vs_dpdk *dpdk, const struct rte_eth_dev_info *info, uint32_t mtu,
		    struct vs_dpdk_plan *plan, struct vs_dpdk_why *ret_why)
{
	uint32_t high = highest_mtu(info);
	uint32_t low = RTE_MAX((uint32_t)info->min_mtu, (uint32_t)VS_MTU_MIN);

	if (mtu == 0)
		mtu = RTE_MIN((uint32_t)VS_DPDK_MTU_DEFAULT, high);
	if (mtu < low || mtu > high)
		return vs_dpdk_refuse(ret_why, -ERANGE, "%s (%s) takes an MTU from %u to %u",
				      dpdk->device, dpdk->driver, low, high);
	plan->mtu = mtu;
	plan->device_mtu = (uint16_t)mtu;
	if (info->if_index == 0 && mtu + RTE_VLAN_HLEN <= high &&
	    overhead(info) < RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + RTE_VLAN_HLEN)
		plan->device_mtu = (uint16_t)(mtu + RTE_VLAN_HLEN);
	return 0;
}

static int plan_buffers(const struct vs_dpdk *dpdk, const struct rte_eth_dev_info *info,
			struct vs_dpdk_plan *plan, struct vs_dpdk_why *ret_why)
{
	const uint32_t frame = plan->mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + TAGS;
	const uint32_t pieces = (frame + ROOM - 1) / ROOM;
	bool chains = (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) &&
		      (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS);

	if (info->tx_desc_lim.nb_seg_max && pieces > info->tx_desc_lim.nb_seg_max)
		chains = false;
	plan->room = (uint16_t)RTE_MAX((uint32_t)ROOM, RTE_ALIGN_CEIL(info->min_rx_bufsize, 64u));
	if (frame <= plan->room)
		return 0;
	if (chains) {
		plan->rx_offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
		plan->tx_offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
		return 0;
	}
	if (RTE_ALIGN_CEIL(frame, 64u) > UINT16_MAX - RTE_PKTMBUF_HEADROOM)
		return vs_dpdk_refuse(ret_why, -ERANGE,
				      "%s (%s) has each frame in one buffer: its MTU is at most %u",
				      dpdk->device, dpdk->driver,
				      UINT16_MAX - RTE_PKTMBUF_HEADROOM - 128);
	plan->room = (uint16_t)RTE_ALIGN_CEIL(frame, 64u);
	return 0;
}

static int plan_queues(struct vs_dpdk *dpdk, const struct rte_eth_dev_info *info,
		       unsigned int queues, struct vs_dpdk_plan *plan, struct vs_dpdk_why *ret_why)
{
	unsigned int max = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

	max = RTE_MIN(max, (unsigned int)VS_DPDK_QUEUES_MAX);
	if (queues == 0)
		queues = 1;
	if (queues > max)
		return vs_dpdk_refuse(ret_why, -ERANGE, "%s (%s) has at most %u queues",
				      dpdk->device, dpdk->driver, max);
	plan->queues = (uint16_t)queues;
	plan->rx_desc = info->default_rxportconf.ring_size ? info->default_rxportconf.ring_size
							   : RING_DEFAULT;
	plan->tx_desc = info->default_txportconf.ring_size ? info->default_txportconf.ring_size
							   : RING_DEFAULT;
	/* Adjusted to the same numbers when it is configured. */
	plan->rx_desc = RTE_MAX(plan->rx_desc, info->rx_desc_lim.nb_min);
	plan->tx_desc = RTE_MAX(plan->tx_desc, info->tx_desc_lim.nb_min);
	return 0;
}

int vs_dpdk_plan_make(struct vs_dpdk *dpdk, unsigned int queues, uint32_t mtu,
		      struct vs_dpdk_plan *ret_plan, struct vs_dpdk_why *ret_why)
{
	struct rte_eth_dev_info info;
	struct vs_dpdk_plan plan = {0};
	int err;

	err = rte_eth_dev_info_get(dpdk->eth, &info);
	if (err)
		return vs_dpdk_refuse(ret_why, err, "%s says nothing about itself: %s",
				      dpdk->device, strerror(-err));
	dpdk->mtu_max = highest_mtu(&info);
	err = plan_queues(dpdk, &info, queues, &plan, ret_why);
	if (!err)
		err = plan_mtu(dpdk, &info, mtu, &plan, ret_why);
	if (!err)
		err = plan_buffers(dpdk, &info, &plan, ret_why);
	if (err)
		return err;
	vs_dpdk_offload_plan(dpdk, &info, &plan);
	vs_dpdk_pool_size(&plan);
	*ret_plan = plan;
	return 0;
}
