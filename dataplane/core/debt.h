/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet still owes: a checksum, segmentation, or nothing. The rules are in doc/offload.md.
 */
#ifndef VS_CORE_DEBT_H
#define VS_CORE_DEBT_H

#include <endian.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

/* Since Linux 6.2; older headers do not name them. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO 56
#endif

/** What is known of a packet's transport checksum. */
enum vs_csum {
	VS_CSUM_UNKNOWN, /* nobody looked: it is passed on as it is */
	VS_CSUM_GOOD,    /* somebody who is believed has looked */
	VS_CSUM_PARTIAL, /* owed: the field holds the sum of the pseudo-header */
};

/** What a packet is to be cut into; not NONE: its checksum is PARTIAL as well. */
enum vs_gso {
	VS_GSO_NONE,
	VS_GSO_TCP4,
	VS_GSO_TCP6,
	VS_GSO_UDP4,
	VS_GSO_UDP6,
};

/**
 * struct vs_debt - the offload state of a packet
 * @csum:	enum vs_csum
 * @gso:	enum vs_gso
 * @ecn:	GSO of TCP: the header carries CWR, which only the first segment may keep
 * @l3:		PARTIAL: the IP header (GSO), or where it would begin
 * @csum_start:	PARTIAL: the sum is taken from here to the end of the frame; GSO: the TCP or UDP
 *		header
 * @csum_offset: PARTIAL: it belongs here, counted from @csum_start
 * @hdrs:	GSO: bytes of the headers that each segment begins with
 * @gso_size:	GSO: bytes of payload of each segment but the last
 *
 * Offsets are counted from pkt->hdr, were checked against the private header by ingress, and lie
 * in it with what they point at. Only ingress and merge make a debt, only fixup settles one; a
 * stage that moves pkt->hdr takes the offsets along (vs_debt_shift()).
 */
struct vs_debt {
	uint8_t csum;
	uint8_t gso;
	uint8_t ecn;
	uint8_t spare;
	uint16_t l3;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t hdrs;
	uint16_t gso_size;
};

/**
 * What the other side of a port can do. As *rights*: what it may leave to the switch in frames that
 * come from there. As *caps*: what the switch may leave to it in frames that go there.
 */
enum vs_offload {
	VS_OFFLOAD_CSUM = 1 << 0,   /* a partial checksum */
	VS_OFFLOAD_TSO4 = 1 << 1,   /* segmentation of TCP over IPv4 */
	VS_OFFLOAD_TSO6 = 1 << 2,   /* of TCP over IPv6 */
	VS_OFFLOAD_ECN = 1 << 3,    /* of TCP with CWR */
	VS_OFFLOAD_USO4 = 1 << 4,   /* of UDP over IPv4 */
	VS_OFFLOAD_USO6 = 1 << 5,   /* of UDP over IPv6 */
	VS_OFFLOAD_VERIFY = 1 << 6, /* rights: its word that a checksum is good is believed;
				     * caps: it can be told so */
	VS_OFFLOAD_MERGE = 1 << 7,  /* rights: frames from there may be merged, their payload is
				     * out of anybody's reach; caps: it is better off with few
				     * large packets than with many small ones */
	VS_OFFLOAD_ALL = (1 << 8) - 1,
	VS_OFFLOAD_PLAIN = 1 << 8, /* caps: the others hold for plain headers only
				    * (vs_pkt_is_plain()) */
};

/** vs_debt_owes() - is anything owed? */
static inline bool vs_debt_owes(const struct vs_debt *debt)
{
	return debt->csum == VS_CSUM_PARTIAL;
}

/** vs_debt_is_tcp() - is it to be cut, and is it TCP? */
static inline bool vs_debt_is_tcp(const struct vs_debt *debt)
{
	return debt->gso == VS_GSO_TCP4 || debt->gso == VS_GSO_TCP6;
}

/** vs_debt_needs() - what the other side of a port must be able to do to take it. Bits. */
static inline unsigned int vs_debt_needs(const struct vs_debt *debt)
{
	static const uint8_t needs[] = {
		[VS_GSO_NONE] = 0,
		[VS_GSO_TCP4] = VS_OFFLOAD_TSO4,
		[VS_GSO_TCP6] = VS_OFFLOAD_TSO6,
		[VS_GSO_UDP4] = VS_OFFLOAD_USO4,
		[VS_GSO_UDP6] = VS_OFFLOAD_USO6,
	};

	if (!vs_debt_owes(debt))
		return 0;
	return VS_OFFLOAD_CSUM | needs[debt->gso] | (debt->ecn ? (unsigned int)VS_OFFLOAD_ECN : 0);
}

/** vs_debt_shift() - pkt->hdr now begins @by bytes earlier (later: negative). */
static inline void vs_debt_shift(struct vs_debt *debt, int by)
{
	if (!vs_debt_owes(debt))
		return;
	debt->l3 = (uint16_t)(debt->l3 + by);
	debt->csum_start = (uint16_t)(debt->csum_start + by);
	if (debt->gso)
		debt->hdrs = (uint16_t)(debt->hdrs + by);
}

/**
 * vs_debt_to_vnet() - the debt as a virtio-net header says it (virtio 1.2, 5.1.6)
 * @debt:	may owe nothing
 * @verify:	may the receiver be told that a checksum is good?
 *
 * Every number is the switch's own; nothing of the sender's header is passed on.
 */
static inline struct virtio_net_hdr vs_debt_to_vnet(const struct vs_debt *debt, bool verify)
{
	static const uint8_t types[] = {
		[VS_GSO_NONE] = VIRTIO_NET_HDR_GSO_NONE,
		[VS_GSO_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
		[VS_GSO_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6,
		[VS_GSO_UDP4] = VIRTIO_NET_HDR_GSO_UDP_L4,
		[VS_GSO_UDP6] = VIRTIO_NET_HDR_GSO_UDP_L4,
	};
	struct virtio_net_hdr vnet = {0};

	if (!vs_debt_owes(debt)) {
		if (debt->csum == VS_CSUM_GOOD && verify)
			vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		return vnet;
	}
	vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet.csum_start = htole16(debt->csum_start);
	vnet.csum_offset = htole16(debt->csum_offset);
	if (debt->gso) {
		vnet.gso_type = types[debt->gso];
		if (debt->ecn)
			vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		vnet.gso_size = htole16(debt->gso_size);
		vnet.hdr_len = htole16(debt->hdrs);
	}
	return vnet;
}

#endif
