/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segmentation in software.
 *
 * DOC: theory of operation
 *
 * Each segment begins with a copy of the packet's headers, all of them, with what is different from
 * segment to segment put right. Behind them comes the next gso_size bytes of payload, not copied:
 * extents that are slices of the packet's.
 *
 *	packet     | headers | rest of the private bytes | ext[0]    | ext[1]           |
 *	segment 0  | headers'| ...........................|...|
 *	segment 1  | headers'|                            |........|...|
 *
 * | field                         | in segment i of n                                           |
 * |-------------------------------|-------------------------------------------------------------|
 * | outer and inner IPv4          | total length; id + i (RFC 6864 lets us, whatever DF says);  |
 * |                               | header checksum. Options as they are                        |
 * | outer and inner IPv6          | payload length. Extension headers as they are               |
 * | TCP sequence number           | + i * gso_size                                              |
 * | TCP FIN, PSH                  | only in the last (RFC 9293, 3.10.7.4: FIN ends the data)    |
 * | TCP CWR                       | only in the first (RFC 3168, 6.1.2: said once)              |
 * | TCP options, other flags      | as they are; so timestamps are the same in all              |
 * | UDP length                    | of the segment                                              |
 * | transport checksum            | computed, or left partial with the segment's length         |
 *
 * The sum of the pseudo-header is not computed from the addresses but taken from the checksum
 * field, where the sender owes it (VIRTIO_NET_HDR_F_NEEDS_CSUM), and only the length in it is
 * exchanged. So an IPv6 routing header, where the address that counts is not that of the IP header
 * (RFC 8200, 8.1), needs no care. A sender who wrote something else gets segments with a bad
 * checksum, as it would have got a frame with one.
 *
 * It is what Linux makes of the same packet, byte by byte; a test holds the two together.
 */
#include "offload/segment.h"

#include "dataplane/core/hdr.h"
#include "offload/csum.h"

#include <rte_branch_prediction.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <errno.h>

/* Is there an IP header at @at that ends at @end, or before? */
static bool has_ip(const uint8_t *hdr, uint16_t at, uint16_t end)
{
	uint32_t len;

	if (at >= end)
		return false;
	if (hdr[at] >> 4 == 4)
		len = (hdr[at] & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	else
		len = hdr[at] >> 4 == 6 ? sizeof(struct rte_ipv6_hdr) : 0;
	return len >= sizeof(struct rte_ipv4_hdr) && at + len <= end;
}

/* Do the headers stand where the debt says, in the private bytes? */
static bool is_sound(const struct vs_pkt *pkt, uint16_t outer_l3)
{
	const struct vs_debt *debt = &pkt->debt;
	uint32_t l4 = vs_debt_is_tcp(debt) ? sizeof(struct rte_tcp_hdr)
					   : sizeof(struct rte_udp_hdr);

	if (debt->gso == VS_GSO_NONE || debt->gso_size == 0)
		return false;
	if (debt->hdrs > pkt->hdr_len || debt->hdrs > sizeof(struct vs_hdr_slot) ||
	    pkt->hdr_len > pkt->len)
		return false;
	if (debt->csum_start + l4 > debt->hdrs || debt->csum_offset > l4 - sizeof(rte_be16_t))
		return false;
	if (!has_ip(pkt->hdr, debt->l3, debt->csum_start))
		return false;
	/* Only now is it known that l3 lies in the private bytes. */
	return !outer_l3 || has_ip(pkt->hdr, outer_l3, debt->l3);
}

/* A number as 16-bit words in the order of the network, added up. */
static uint32_t as_words(uint32_t value)
{
	return (uint32_t)rte_cpu_to_be_16((uint16_t)value) +
	       rte_cpu_to_be_16((uint16_t)(value >> 16));
}

int vs_segment_begin(struct vs_segments *segs, const struct vs_pkt *pkt, uint16_t outer_l3)
{
	const struct vs_debt *debt = &pkt->debt;
	uint32_t payload;
	uint16_t field;
	uint32_t n;

	if (!is_sound(pkt, outer_l3))
		return -EINVAL;
	payload = pkt->len - debt->hdrs;
	n = payload ? (payload - 1) / debt->gso_size + 1 : 1;
	if (n > VS_SEGMENTS_MAX)
		return -E2BIG;
	if ((uint32_t)debt->hdrs - (outer_l3 ? outer_l3 : debt->l3) +
		    RTE_MIN(payload, debt->gso_size) >
	    UINT16_MAX)
		return -EMSGSIZE;
	memcpy(&field, pkt->hdr + debt->csum_start + debt->csum_offset, sizeof(field));
	*segs = (struct vs_segments){
		.pkt = pkt,
		.n = (uint16_t)n,
		.left = payload,
		.outer_l3 = outer_l3,
		.pseudo = vs_csum_fold64((uint64_t)field + (uint16_t)~vs_csum_fold64(as_words(
								   pkt->len - debt->csum_start))),
	};
	return 0;
}

/* The next @n bytes of payload. Return: extents that they take, or -ENOBUFS. */
static int take(struct vs_segments *segs, uint32_t n, struct vs_extent *ext, unsigned int n_ext)
{
	const struct vs_pkt *pkt = segs->pkt;
	const uint16_t hdrs = pkt->debt.hdrs;
	unsigned int used = 0;

	while (n && segs->piece <= pkt->n_ext) {
		struct vs_extent piece = {pkt->hdr + hdrs, (uint32_t)pkt->hdr_len - hdrs};
		uint32_t part;

		if (segs->piece)
			piece = pkt->ext[segs->piece - 1];
		part = RTE_MIN(n, piece.len - segs->piece_at);
		if (part) {
			if (used == n_ext)
				return -ENOBUFS;
			ext[used++] = (struct vs_extent){piece.data + segs->piece_at, part};
		}
		n -= part;
		segs->piece_at += part;
		if (segs->piece_at == piece.len) {
			segs->piece++;
			segs->piece_at = 0;
		}
	}
	return (int)used;
}

/* The IP header at @ip of segment @i, when @len bytes begin with it. */
static void patch_ip(uint8_t *ip, uint16_t i, uint32_t len)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)(void *)ip;
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)(void *)ip;

	if (ip[0] >> 4 != 4) {
		ip6->payload_len = rte_cpu_to_be_16((uint16_t)(len - sizeof(*ip6)));
		return;
	}
	ip4->total_length = rte_cpu_to_be_16((uint16_t)len);
	ip4->packet_id = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip4->packet_id) + i));
	ip4->hdr_checksum = 0;
	ip4->hdr_checksum = (uint16_t)~vs_csum_plain(ip, (ip[0] & RTE_IPV4_HDR_IHL_MASK) *
								 RTE_IPV4_IHL_MULTIPLIER);
}

static void patch_tcp(const struct vs_segments *segs, uint8_t *l4)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(void *)l4;
	uint32_t before = (uint32_t)segs->made * segs->pkt->debt.gso_size;

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + before);
	if (segs->made)
		tcp->tcp_flags &= (uint8_t)~RTE_TCP_CWR_FLAG;
	if (segs->made + 1 < segs->n)
		tcp->tcp_flags &= (uint8_t) ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
}

static void patch(const struct vs_segments *segs, struct vs_pkt *made)
{
	const struct vs_debt *debt = &segs->pkt->debt;
	uint8_t *l4 = made->hdr + debt->csum_start;
	const uint32_t l4_len = made->len - debt->csum_start;
	const uint16_t sum = vs_csum_fold64((uint64_t)segs->pseudo + as_words(l4_len));

	if (segs->outer_l3)
		patch_ip(made->hdr + segs->outer_l3, segs->made, made->len - segs->outer_l3);
	patch_ip(made->hdr + debt->l3, segs->made, made->len - debt->l3);
	if (vs_debt_is_tcp(debt)) {
		patch_tcp(segs, l4);
	} else {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(void *)l4;

		udp->dgram_len = rte_cpu_to_be_16((uint16_t)l4_len);
	}
	memcpy(l4 + debt->csum_offset, &sum, sizeof(sum));
}

int vs_segment_next(struct vs_segments *segs, enum vs_segment_csum csum, struct vs_pkt *made,
		    struct vs_hdr_slot *slot, struct vs_extent *ext, unsigned int n_ext)
{
	const struct vs_pkt *pkt = segs->pkt;
	const struct vs_debt *debt = &pkt->debt;
	const uint32_t payload = RTE_MIN(segs->left, debt->gso_size);
	const struct vs_segments before = *segs;
	int used;

	if (segs->made == segs->n)
		return 0;
	used = take(segs, payload, ext, n_ext);
	if (used < 0) {
		*segs = before;
		return used;
	}
	*made = *pkt;
	made->hdr = (uint8_t *)slot + sizeof(*slot) - debt->hdrs;
	made->hdr_len = debt->hdrs;
	made->len = debt->hdrs + payload;
	made->ext = ext;
	made->n_ext = (uint16_t)used;
	made->debt = (struct vs_debt){0};
	vs_hdr_copy(made->hdr, pkt->hdr, debt->hdrs);
	patch(segs, made);
	if (csum == VS_SEGMENT_CSUM_FULL) {
		vs_csum_complete(made, debt);
	} else {
		made->debt.csum = VS_CSUM_PARTIAL;
		made->debt.l3 = debt->l3;
		made->debt.csum_start = debt->csum_start;
		made->debt.csum_offset = debt->csum_offset;
	}
	segs->left -= payload;
	segs->made++;
	return 1;
}
