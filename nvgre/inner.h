/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IP packet in a frame without a tag: where its headers are, and what they say. Only the
 * private bytes are read, and nothing in them is believed.
 */
#ifndef VS_NVGRE_INNER_H
#define VS_NVGRE_INNER_H

#include "dataplane/core/hdr.h"
#include "dataplane/core/nvgre.h"

#include <rte_ip.h>

#include <netinet/in.h>

enum {
	/** Offset of the IP header in a frame without a tag. */
	VS_INNER_L3 = RTE_ETHER_HDR_LEN,
	/** In place of a protocol that the private bytes end before; reserved by IANA. */
	VS_INNER_HIDDEN = 255,
};

/** Is it a piece of a datagram? */
enum vs_fragment {
	VS_FRAGMENT_NONE,
	VS_FRAGMENT_FIRST,
	VS_FRAGMENT_LATER, /* without a transport header */
};

/**
 * struct vs_inner - an IP packet
 * @end:	offset of the byte behind it, at most the frame's length
 * @l4:		offset of what follows the IP header and its extensions, at most pkt->hdr_len
 * @version:	4 or 6
 * @proto:	what is there; VS_INNER_HIDDEN: the extensions end beyond the private bytes
 * @options:	IPv4: there are any
 */
struct vs_inner {
	struct vs_ip src;
	struct vs_ip dst;
	uint32_t end;
	uint16_t l4;
	uint8_t version;
	uint8_t proto;
	uint8_t ttl;
	uint8_t fragment; /* enum vs_fragment */
	bool options;
};

/** vs_inner_type() - EtherType of a frame that has an Ethernet header. */
static inline rte_be16_t vs_inner_type(const struct vs_pkt *pkt)
{
	return vs_l2_eth(pkt)->ether_type;
}

/**
 * vs_inner_read() - look at the headers of a frame's IP packet
 * @pkt:	frame without a tag
 * @ret:	written on success only
 *
 * IPv4 (RFC 791, 3.1; RFC 1812, 5.2.2): version, lengths and header checksum are looked at. IPv6
 * (RFC 8200, 3 and 4): version, length, and the chain of extension headers.
 *
 * Return: false: it is no IP packet, or one whose header is wrong.
 */
bool vs_inner_read(const struct vs_pkt *pkt, struct vs_inner *ret);

#endif
