/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tunnel packets become inner frames where they lie.
 *
 * DOC: theory of operation
 *
 *	 hdr                  + inner_at                     + hdr_len
 *	| outer header       | inner frame, the beginning   | extents: its rest, padding
 *	                       hdr, afterwards
 *
 * Of 128 private bytes with the outer header as few as 48 are left without it: they are filled up
 * from the extents. Where these are the very bytes that follow, as in the buffer of a card, the
 * border moves and nothing is copied; else the header moves to the begin of its slot, where there
 * is room.
 */
#include "nvgre/unpack.h"

#include "dataplane/core/hdr.h"

#include <rte_branch_prediction.h>
#include <rte_ip.h>

#include <string.h>

enum {
	/* Of an inner frame: the ends of its IP headers. */
	IP4_END = sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr),
	IP6_END = sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv6_hdr),
};

/* ---- bytes */

/* The extents of a packet, to be changed. */
static struct vs_extent *extents(struct vs_burst *burst, const struct vs_pkt *pkt)
{
	return &burst->ext[pkt->ext - burst->ext];
}

/* Its first @n bytes move from the extents into the private header, which has room for them. */
static void draw(struct vs_burst *burst, struct vs_pkt *pkt, uint32_t n)
{
	while (n) {
		struct vs_extent *ext = extents(burst, pkt);
		const uint32_t now = RTE_MIN(n, ext->len);

		if (ext->data != pkt->hdr + pkt->hdr_len)
			memcpy(pkt->hdr + pkt->hdr_len, ext->data, now);
		pkt->hdr_len = (uint16_t)(pkt->hdr_len + now);
		ext->data += now;
		ext->len -= now;
		n -= now;
		if (ext->len == 0) {
			pkt->ext++;
			pkt->n_ext--;
		}
	}
}

void vs_unpack_draw(struct vs_burst *burst, unsigned int i)
{
	struct vs_pkt *pkt = &burst->pkt[i];
	const uint32_t want = RTE_MIN(pkt->len, (uint32_t)VS_HDR_BYTES);
	const uint32_t n = want - RTE_MIN(want, (uint32_t)pkt->hdr_len);

	if (pkt->ext->data != pkt->hdr + pkt->hdr_len || pkt->ext->len < n) {
		memmove(burst->hdr[i].bytes, pkt->hdr, pkt->hdr_len);
		pkt->hdr = burst->hdr[i].bytes;
	}
	draw(burst, pkt, n);
}

/* Only its first @len bytes are left, which there are. */
static void trim(struct vs_burst *burst, struct vs_pkt *pkt, uint32_t len)
{
	struct vs_extent *ext = extents(burst, pkt);
	uint32_t left;

	pkt->len = len;
	if (len <= pkt->hdr_len) {
		pkt->hdr_len = (uint16_t)len;
		pkt->n_ext = 0;
		return;
	}
	for (left = len - pkt->hdr_len; left > ext->len; ext++)
		left -= ext->len;
	ext->len = left;
	pkt->n_ext = (uint16_t)(ext + 1 - pkt->ext);
}

/* The first @n bytes, all of them private, are gone. */
static void advance(struct vs_pkt *pkt, uint16_t n)
{
	pkt->hdr += n;
	pkt->hdr_len = (uint16_t)(pkt->hdr_len - n);
	pkt->len -= n;
}

/* ---- congestion marks */

/* RFC 1624, equation 3: one word of an IPv4 header changes from @was to @is. */
static void mend_sum(struct rte_ipv4_hdr *ip, uint16_t was, uint16_t is)
{
	uint32_t sum = (uint16_t)~rte_be_to_cpu_16(ip->hdr_checksum);

	sum += (uint16_t)~was + (uint32_t)is;
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum += sum >> 16;
	ip->hdr_checksum = rte_cpu_to_be_16((uint16_t)~sum);
}

static enum vs_drop mark4(struct rte_ipv4_hdr *ip, uint8_t outer)
{
	const uint8_t was = ip->type_of_service;
	const enum vs_ecn ecn = vs_ecn_leave(was, outer);

	if (ecn == VS_ECN_DROP)
		return VS_DROP_NVGRE_ECN;
	if (ecn == (was & VS_ECN_MASK))
		return VS_DROP_NONE;
	ip->type_of_service = (uint8_t)((was & ~(unsigned int)VS_ECN_MASK) | ecn);
	mend_sum(ip, was, ip->type_of_service);
	return VS_DROP_NONE;
}

/* The class lies across the first two bytes, its lower bits in the middle of the second. */
static enum vs_drop mark6(uint8_t *ip, uint8_t outer)
{
	const enum vs_ecn ecn = vs_ecn_leave(ip[1] >> 4, outer);

	if (ecn == VS_ECN_DROP)
		return VS_DROP_NVGRE_ECN;
	ip[1] = (uint8_t)((ip[1] & ~(unsigned int)(VS_ECN_MASK << 4)) | (unsigned int)ecn << 4);
	return VS_DROP_NONE;
}

/* The inner header takes over what the outer one has met (RFC 6040, 4.2). What is no IP cannot. */
static enum vs_drop mark(const struct vs_pkt *pkt, const struct vs_outer *outer)
{
	const uint32_t left = RTE_MIN(pkt->hdr_len - (uint32_t)outer->inner_at, outer->inner_len);
	uint8_t *ip = pkt->hdr + outer->inner_at + sizeof(struct rte_ether_hdr);
	rte_be16_t type;

	if (likely((outer->tos & VS_ECN_MASK) == VS_ECN_NOT))
		return VS_DROP_NONE;
	memcpy(&type, ip - sizeof(type), sizeof(type));
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && left >= IP4_END && ip[0] >> 4 == 4)
		return mark4((struct rte_ipv4_hdr *)(void *)ip, outer->tos);
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && left >= IP6_END && ip[0] >> 4 == 6)
		return mark6(ip, outer->tos);
	return VS_DROP_NONE;
}

enum vs_drop vs_unpack(struct vs_burst *burst, unsigned int i, const struct vs_outer *outer)
{
	struct vs_pkt *pkt = &burst->pkt[i];
	const enum vs_drop drop = mark(pkt, outer);

	if (unlikely(drop))
		return drop;
	advance(pkt, outer->inner_at);
	trim(burst, pkt, outer->inner_len);
	vs_unpack_fill(burst, i);
	/* What a card said of a checksum was said of the outer packet. */
	pkt->debt = (struct vs_debt){.csum = VS_CSUM_UNKNOWN};
	return VS_DROP_NONE;
}
