/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/pkt.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

/* Of payload. Intel's X710 takes no less, and what others do with one byte is anybody's guess. */
enum { PLAIN_SEGMENT_MIN = 256 };

/* The transport protocol of a plain IPv4 header of @len bytes, or 0. */
static uint8_t plain_ipv4(const uint8_t *at, uint32_t len)
{
	struct rte_ipv4_hdr ip;

	if (len < sizeof(ip))
		return 0;
	memcpy(&ip, at, sizeof(ip));
	if (ip.version_ihl >> 4 != 4 || rte_ipv4_hdr_len(&ip) != len)
		return 0;
	if (ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG))
		return 0;
	return ip.next_proto_id;
}

static uint8_t plain_ipv6(const uint8_t *at, uint32_t len)
{
	return len == sizeof(struct rte_ipv6_hdr) && at[0] >> 4 == 6
		       ? at[offsetof(struct rte_ipv6_hdr, proto)]
		       : 0;
}

bool vs_pkt_is_plain(const struct vs_pkt *pkt)
{
	const struct vs_debt *debt = &pkt->debt;
	const uint8_t *ip = pkt->hdr + debt->l3;
	uint8_t proto = 0;
	rte_be16_t type;

	if (debt->gso && debt->gso_size < PLAIN_SEGMENT_MIN)
		return false;
	if (debt->l3 < sizeof(struct rte_ether_hdr) || debt->csum_start < debt->l3 ||
	    debt->l3 > sizeof(struct rte_ether_hdr) + sizeof(struct rte_vlan_hdr))
		return false;
	memcpy(&type, ip - sizeof(type), sizeof(type));
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		proto = plain_ipv4(ip, (uint32_t)debt->csum_start - debt->l3);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		proto = plain_ipv6(ip, (uint32_t)debt->csum_start - debt->l3);
	return (proto == IPPROTO_TCP && debt->csum_offset == offsetof(struct rte_tcp_hdr, cksum)) ||
	       (proto == IPPROTO_UDP &&
		debt->csum_offset == offsetof(struct rte_udp_hdr, dgram_cksum));
}
