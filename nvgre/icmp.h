/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP (RFC 792) and ICMPv6 (RFC 4443): echo, and errors about a packet. */
#ifndef VS_NVGRE_ICMP_H
#define VS_NVGRE_ICMP_H

#include "nvgre/answer.h"
#include "nvgre/inner.h"

/**
 * vs_icmp_is_echo() - is it an echo request, or a piece of one?
 *
 * A later fragment has no type to tell it by: each of ICMP counts, for its first one says all.
 */
bool vs_icmp_is_echo(const struct vs_pkt *pkt, const struct vs_inner *in);

/**
 * vs_icmp_echo() - an echo request becomes its reply, in place, whatever its length
 *
 * Both pairs of addresses change places. The checksum is mended, or still owed if it was. Pieces of
 * a request become the same pieces of the reply.
 */
void vs_icmp_echo(struct vs_pkt *pkt, const struct vs_inner *in);

/** vs_icmp_is_error() - is it an ICMP error message (or a redirect)? */
bool vs_icmp_is_error(const struct vs_pkt *pkt, const struct vs_inner *in);

/** What an error says. */
enum vs_icmp_why {
	VS_ICMP_TTL,     /* time to live, or hop limit, exceeded */
	VS_ICMP_NO_NET,  /* no route */
	VS_ICMP_NO_HOST, /* nobody has the address */
	VS_ICMP_NO_PORT, /* nobody listens */
	VS_ICMP_TOO_BIG, /* and may not, or shall not, be fragmented */
};

/**
 * vs_icmp_may() - may an error be sent about a packet? (RFC 1812, 4.3.2.7; RFC 4443, 2.4 e)
 *
 * Not about errors, what was sent to many by MAC or by IP, from no single host, or about fragments
 * but the first.
 */
bool vs_icmp_may(const struct vs_pkt *pkt, const struct vs_inner *in);

/**
 * vs_icmp_error() - a packet becomes the error about it
 * @src, @mac:	who says so
 * @mtu:	for VS_ICMP_TOO_BIG: bytes of an IP packet that fit
 *
 * It quotes the packet from its IP header on, as far as a header slot has room (IPv4: 86 bytes,
 * IPv6: 66), so that the quoted TCP header is whole without options.
 */
void vs_icmp_error(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_inner *in,
		   enum vs_icmp_why why, uint16_t mtu, const struct vs_ip *src,
		   const struct rte_ether_addr *mac);

#endif
