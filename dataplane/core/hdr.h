/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The only way to a packet's headers: a cursor over its private bytes that checks every step.
 */
#ifndef VS_CORE_HDR_H
#define VS_CORE_HDR_H

#include "dataplane/core/pkt.h"

#include <rte_byteorder.h>
#include <rte_ether.h>

#include <stdbool.h>
#include <stddef.h>

/** struct vs_cursor - the bytes that have not been looked at yet */
struct vs_cursor {
	const uint8_t *at;
	uint32_t left;
};

/** vs_cursor_begin() - at the Ethernet header of @pkt. */
static inline struct vs_cursor vs_cursor_begin(const struct vs_pkt *pkt)
{
	return (struct vs_cursor){.at = pkt->hdr, .left = pkt->hdr_len};
}

/**
 * vs_cursor_take() - the next @n bytes
 * Return: pointer to them (any alignment), or NULL when fewer are left; then nothing moves.
 */
static inline const void *vs_cursor_take(struct vs_cursor *c, uint32_t n)
{
	const uint8_t *at = c->at;

	if (n > c->left)
		return NULL;
	c->at += n;
	c->left -= n;
	return at;
}

/** What the tags of a frame look like. */
enum vs_l2_tags {
	VS_L2_UNTAGGED,
	VS_L2_PRIORITY, /* one 802.1Q tag with VLAN 0: a priority and nothing else */
	VS_L2_TAGGED,   /* a VLAN, or more than one tag */
	VS_L2_CUT,      /* the frame ends inside a tag */
};

/** vs_l2_is_tag() - does an EtherType announce a tag (802.1Q C-tag or 802.1ad S-tag)? */
static inline bool vs_l2_is_tag(rte_be16_t type)
{
	return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/**
 * vs_l2_tags() - look at the tags of a frame (IEEE 802.1Q-2018, 9)
 * @pkt:	frame whose private bytes hold an Ethernet header (offload ingress saw to that)
 *
 * Only the first tag is read: what is behind it decides between PRIORITY and TAGGED.
 */
static inline enum vs_l2_tags vs_l2_tags(const struct vs_pkt *pkt)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	const struct rte_ether_hdr *eth = vs_cursor_take(&c, sizeof(*eth));
	const struct rte_vlan_hdr *tag;

	if (!eth)
		return VS_L2_CUT;
	if (!vs_l2_is_tag(eth->ether_type))
		return VS_L2_UNTAGGED;
	tag = vs_cursor_take(&c, sizeof(*tag));
	if (!tag)
		return VS_L2_CUT;
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_QINQ) ||
	    (tag->vlan_tci & RTE_BE16(0x0fff)) != 0 || vs_l2_is_tag(tag->eth_proto))
		return VS_L2_TAGGED;
	return VS_L2_PRIORITY;
}

/** vs_l2_strip_tag() - remove the first tag of a frame that has one. */
static inline void vs_l2_strip_tag(struct vs_pkt *pkt)
{
	const uint32_t macs = 2 * RTE_ETHER_ADDR_LEN;
	const uint32_t tag = sizeof(struct rte_vlan_hdr);
	uint8_t *hdr = pkt->hdr;
	uint32_t i;

	for (i = macs; i > 0; i--)
		hdr[i - 1 + tag] = hdr[i - 1];
	pkt->hdr += tag;
	pkt->hdr_len = (uint16_t)(pkt->hdr_len - tag);
	pkt->len -= tag;
}

/** vs_l2_eth() - the Ethernet header of a frame that has one. */
static inline const struct rte_ether_hdr *vs_l2_eth(const struct vs_pkt *pkt)
{
	return (const struct rte_ether_hdr *)(const void *)pkt->hdr;
}

/** vs_l2_is_reserved() - 01-80-C2-00-00-00 … 0F, link-local (IEEE 802.1Q-2018, 8.6.3). */
static inline bool vs_l2_is_reserved(const struct rte_ether_addr *mac)
{
	const uint8_t *b = mac->addr_bytes;

	return b[0] == 0x01 && b[1] == 0x80 && b[2] == 0xc2 && b[3] == 0 && b[4] == 0 &&
	       (b[5] & 0xf0) == 0;
}

#endif
