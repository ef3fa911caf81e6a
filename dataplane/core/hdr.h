/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The only way to a packet's headers: a cursor over its private bytes that checks every step.
 */
#ifndef VS_CORE_HDR_H
#define VS_CORE_HDR_H

#include "dataplane/core/pkt.h"

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ether.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/**
 * vs_hdr_copy() - copy a private header, or make one
 *
 * Most are of 60 to 128 bytes: two pieces of a fixed size that overlap cost less than a call of
 * memcpy().
 */
static inline void vs_hdr_copy(uint8_t *to, const uint8_t *from, uint32_t n)
{
	if (n > 64 && n <= 128) {
		memcpy(to, from, 64);
		memcpy(to + n - 64, from + n - 64, 64);
	} else if (n >= 32 && n <= 64) {
		memcpy(to, from, 32);
		memcpy(to + n - 32, from + n - 32, 32);
	} else {
		memcpy(to, from, n);
	}
}

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

/** Fields of a tag's control information (IEEE 802.1Q-2018, 9.6), host order. */
enum {
	VS_TCI_VID = 0x0fff,
	VS_TCI_PCP_SHIFT = 13,
};

/** What stands at the place of a frame's first tag. */
enum vs_l2_kind {
	VS_L2_UNTAGGED,
	VS_L2_PRIORITY, /* an 802.1Q tag with VLAN 0: a priority and nothing else */
	VS_L2_TAGGED,   /* an 802.1Q tag of a VLAN */
	VS_L2_SERVICE,  /* an 802.1ad service tag */
	VS_L2_CUT,      /* the frame ends inside the tag */
};

/**
 * struct vs_l2_tag - the first tag of a frame
 * @inner:	another tag follows it
 * @tci:	priority (3 bits), drop eligible (1) and VLAN (12), host order
 */
struct vs_l2_tag {
	uint8_t kind; /* enum vs_l2_kind; the rest is 0 for UNTAGGED and CUT */
	uint8_t inner;
	uint16_t tci;
};

/** vs_l2_is_tag() - does an EtherType announce a tag (802.1Q C-tag or 802.1ad S-tag)? */
static inline bool vs_l2_is_tag(rte_be16_t type)
{
	return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/**
 * vs_l2_tag() - look at the first tag of a frame (IEEE 802.1Q-2018, 9)
 * @pkt:	any frame; one whose private bytes end before its EtherType is CUT
 *
 * Of what is behind the first tag only the EtherType is read.
 */
static inline struct vs_l2_tag vs_l2_tag(const struct vs_pkt *pkt)
{
	struct vs_cursor c = vs_cursor_begin(pkt);
	const struct rte_ether_hdr *eth = vs_cursor_take(&c, sizeof(*eth));
	struct vs_l2_tag tag = {.kind = VS_L2_CUT};
	const struct rte_vlan_hdr *vlan;

	if (!eth)
		return tag;
	if (!vs_l2_is_tag(eth->ether_type)) {
		tag.kind = VS_L2_UNTAGGED;
		return tag;
	}
	vlan = vs_cursor_take(&c, sizeof(*vlan));
	if (!vlan)
		return tag;
	tag.tci = rte_be_to_cpu_16(vlan->vlan_tci);
	tag.inner = vs_l2_is_tag(vlan->eth_proto);
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_QINQ))
		tag.kind = VS_L2_SERVICE;
	else
		tag.kind = tag.tci & VS_TCI_VID ? VS_L2_TAGGED : VS_L2_PRIORITY;
	return tag;
}

/** vs_l2_strip_tag() - remove the first tag of a frame that has one. */
static inline void vs_l2_strip_tag(struct vs_pkt *pkt)
{
	const uint32_t macs = 2 * RTE_ETHER_ADDR_LEN;
	const uint32_t tag = sizeof(struct rte_vlan_hdr);

	memmove(pkt->hdr + tag, pkt->hdr, macs);
	pkt->hdr += tag;
	pkt->hdr_len = (uint16_t)(pkt->hdr_len - tag);
	pkt->len -= tag;
	vs_debt_shift(&pkt->debt, -(int)tag);
}

/**
 * vs_l2_make_twin() - the same frame with the tag of its VLAN in front (802.1Q C-tag)
 * @pkt:	frame with an Ethernet header and at most VS_HDR_BYTES private bytes, whose VLAN is
 *		not 0
 * @twin:	becomes a packet that shares the extents of @pkt
 * @slot:	gets the header of @twin
 */
static inline void vs_l2_make_twin(const struct vs_pkt *pkt, struct vs_pkt *twin,
				   struct vs_hdr_slot *slot)
{
	const uint32_t macs = 2 * RTE_ETHER_ADDR_LEN;
	const struct {
		rte_be16_t type;
		rte_be16_t tci;
	} tag = {
		.type = RTE_BE16(RTE_ETHER_TYPE_VLAN),
		.tci = rte_cpu_to_be_16((uint16_t)(pkt->pcp << VS_TCI_PCP_SHIFT | pkt->vid)),
	};
	uint8_t *hdr = slot->room + VS_HDR_ROOM - sizeof(tag);

	_Static_assert(offsetof(struct vs_hdr_slot, bytes) == VS_HDR_ROOM,
		       "the header is in one piece");
	memcpy(hdr, pkt->hdr, macs);
	memcpy(hdr + macs, &tag, sizeof(tag));
	memcpy(hdr + macs + sizeof(tag), pkt->hdr + macs, pkt->hdr_len - macs);
	*twin = *pkt;
	twin->hdr = hdr;
	twin->hdr_len = (uint16_t)(pkt->hdr_len + sizeof(tag));
	twin->len = pkt->len + (uint32_t)sizeof(tag);
	vs_debt_shift(&twin->debt, (int)sizeof(tag));
}

/** vs_l2_eth() - the Ethernet header of a frame that has one. */
static inline const struct rte_ether_hdr *vs_l2_eth(const struct vs_pkt *pkt)
{
	return (const struct rte_ether_hdr *)(const void *)pkt->hdr;
}

/**
 * vs_l2_cost() - bytes that delivering a received frame may make the switch write
 * @fanout:	receivers of a group-addressed one
 */
static inline uint64_t vs_l2_cost(const struct vs_pkt *pkt, unsigned int fanout)
{
	if (pkt->hdr_len && (pkt->hdr[0] & RTE_ETHER_GROUP_ADDR))
		return (uint64_t)pkt->len * RTE_MAX(fanout, 1u);
	return pkt->len;
}

/** vs_l2_is_reserved() - 01-80-C2-00-00-00 … 0F, link-local (IEEE 802.1Q-2018, 8.6.3). */
static inline bool vs_l2_is_reserved(const struct rte_ether_addr *mac)
{
	const uint8_t *b = mac->addr_bytes;

	return b[0] == 0x01 && b[1] == 0x80 && b[2] == 0xc2 && b[3] == 0 && b[4] == 0 &&
	       (b[5] & 0xf0) == 0;
}

#endif
