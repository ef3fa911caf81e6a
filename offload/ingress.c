/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 1, ingress: the virtio-net header and the Ethernet header are there and make sense.
 *
 * Accepts: a burst from rx.
 * Guarantees: nothing is owed on any packet; an Ethernet header lies in the private bytes.
 * Drops: offload_denied, runt.
 *
 * The only reader of pkt->vnet. A driver must leave flags and gso_type zero for offloads that
 * were not negotiated (virtio 1.1, 5.1.6.2.1).
 */
#include "offload/offload.h"

#include "dataplane/core/hdr.h"

static enum vs_drop check(const struct vs_pkt *pkt)
{
	if (pkt->vnet.hdr.flags != 0 || pkt->vnet.hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return VS_DROP_OFFLOAD_DENIED;
	if (pkt->hdr_len < sizeof(struct rte_ether_hdr))
		return VS_DROP_RUNT;
	return VS_DROP_NONE;
}

void vs_offload_ingress(struct vs_ctx *ctx, struct vs_burst *burst)
{
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];
		enum vs_drop drop;

		if (pkt->drop)
			continue;
		drop = check(pkt);
		if (drop)
			vs_pkt_drop(ctx, pkt, drop);
	}
}
