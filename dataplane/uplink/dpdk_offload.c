/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is left to the device of a dpdk uplink.
 *
 * DOC: theory of operation
 *
 * A driver says what its device can do, for the whole device, in flags that leave much open: they
 * name TCP, but not which headers may stand in front of it. So a device is given *plain* frames
 * only (vs_pkt_is_plain()), which each of them knows; the rest is settled in software, as if it
 * could nothing. What a driver does not promise in so many words is not used: whether CWR is left
 * in the first segment alone (ECN), and whether UDP is cut into datagrams or into fragments (USO).
 *
 * Software that pretends to be a card (DPDK's vdev bus) would do in its driver what fixup does
 * here, less well; net_tap cuts no IPv6. They are left nothing, with one exception: virtio-user
 * passes on what is owed.
 *
 * What DPDK wants of a frame (rte_mbuf_core.h, "Tx offload"): the lengths of its headers, and a
 * checksum field of the driver's liking, which rte_eth_tx_prepare() makes of the pseudo-header's
 * sum.
 */
#include "dataplane/uplink/dpdk_obj.h"

#include <rte_ether.h>
#include <rte_tcp.h>

#include <string.h>

enum {
	/* Of a packet that is to be cut, at most: what IP can say, and the headers in front. */
	PACKET_MAX = UINT16_MAX + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN,
};

static const uint64_t tx_csum = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
static const uint64_t tx_tso = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
static const uint64_t rx_csum = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

static bool is_virtio(const char *driver)
{
	return strncmp(driver, "net_virtio", strlen("net_virtio")) == 0;
}

static bool takes_packets(const struct rte_eth_dev_info *info, const struct vs_dpdk_plan *plan)
{
	const uint32_t pieces = PACKET_MAX / plan->room + 1;

	return info->tx_desc_lim.nb_seg_max == 0 || info->tx_desc_lim.nb_seg_max >= pieces;
}

void vs_dpdk_offload_plan(const struct vs_dpdk *dpdk, const struct rte_eth_dev_info *info,
			  struct vs_dpdk_plan *plan)
{
	const uint64_t tx = info->tx_offload_capa;

	if (strcmp(dpdk->bus, "vdev") == 0 && !is_virtio(dpdk->driver))
		return;
	/* A virtio device's word covers frames whose checksum is not there yet. */
	if ((info->rx_offload_capa & rx_csum) == rx_csum && !is_virtio(dpdk->driver)) {
		plan->rx_offloads |= rx_csum;
		plan->verifies = true;
	}
	if ((tx & tx_csum) != tx_csum)
		return;
	plan->tx_offloads |= tx_csum;
	plan->caps = VS_OFFLOAD_CSUM | VS_OFFLOAD_PLAIN;
	if ((tx & tx_tso) != tx_tso || !takes_packets(info, plan))
		return;
	plan->tx_offloads |= tx_tso | (tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
	plan->caps |= VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6;
}

void vs_dpdk_offload_mark(const struct vs_dpdk *dpdk, struct rte_mbuf *m, const struct vs_pkt *pkt)
{
	const struct vs_debt *debt = &pkt->debt;
	const bool ipv4 = pkt->hdr[debt->l3] >> 4 == 4;
	const bool tcp = debt->csum_offset == offsetof(struct rte_tcp_hdr, cksum);

	m->l2_len = debt->l3;
	m->l3_len = (uint64_t)(debt->csum_start - debt->l3) & 0x1ff;
	m->ol_flags |= ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	m->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	if (debt->gso == VS_GSO_NONE)
		return;
	m->l4_len = (uint64_t)(debt->hdrs - debt->csum_start) & 0xff;
	m->tso_segsz = debt->gso_size;
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	/* A device that does not ask for this flag writes the IP header's checksum all the same. */
	if (ipv4 && dpdk->ip_csum)
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
}

void vs_dpdk_offload_prepare(const struct vs_dpdk *dpdk, uint16_t queue,
			     struct vs_dpdk_copies *copies, uint8_t *fate)
{
	struct rte_mbuf **mbuf = copies->mbuf;
	uint16_t ready = 0;
	uint16_t left;

	for (;;) {
		ready = (uint16_t)(ready + rte_eth_tx_prepare(dpdk->eth, queue, mbuf + ready,
							      (uint16_t)(copies->n - ready)));
		if (ready >= copies->n)
			return;
		fate[copies->of[ready]] = VS_DROP_GSO_FAILED;
		rte_pktmbuf_free(mbuf[ready]);
		left = (uint16_t)(--copies->n - ready);
		memmove(mbuf + ready, mbuf + ready + 1, left * sizeof(mbuf[0]));
		memmove(copies->of + ready, copies->of + ready + 1, left * sizeof(copies->of[0]));
	}
}
