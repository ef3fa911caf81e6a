/* SPDX-License-Identifier: BSD-3-Clause */
#include "nvgre/icmp.h"

#include "nvgre/sum.h"
#include "nvgre/wire.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>

enum {
	/* Header of an ICMP message: type, code, checksum, four bytes of the type's own. */
	ICMP_HEADER = 8,
	ICMP_CSUM = 2,
};

/* Type and code of an error. */
struct error_code {
	uint8_t type;
	uint8_t code;
};

/* Bytes of the message in sight. */
static uint32_t in_sight(const struct vs_pkt *pkt, const struct vs_inner *in)
{
	uint32_t end = RTE_MIN(in->end, (uint32_t)pkt->hdr_len);

	return end > in->l4 ? end - in->l4 : 0;
}

static bool is_icmp(const struct vs_inner *in)
{
	return in->proto == (in->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* One host, as far as an address tells. */
static bool is_unicast(const struct vs_ip *ip)
{
	static const struct vs_ip none;
	const uint8_t *b4 = ip->b + 12;

	if (!vs_ip_is4(ip))
		return ip->b[0] != 0xff && !vs_ip_equal(ip, &none);
	/* This network, loopback, multicast and what is reserved (RFC 1812, 4.2.2.11). */
	return b4[0] != 0 && b4[0] != 127 && b4[0] < 224;
}

/* Nothing between the IP header and the message but, in IPv6, a fragment header. */
static bool is_bare(const struct vs_inner *in)
{
	uint32_t bare = VS_INNER_L3 + (uint32_t)sizeof(struct rte_ipv6_hdr);

	if (in->version == 4)
		return !in->options;
	return in->l4 == bare || (in->fragment && in->l4 == bare + sizeof(struct ip6_frag));
}

/* What is owed, if anything, is the checksum of this message. */
static bool owes_icmp_only(const struct vs_pkt *pkt, const struct vs_inner *in)
{
	const struct vs_debt *debt = &pkt->debt;

	return !vs_debt_owes(debt) ||
	       (!debt->gso && debt->csum_start == in->l4 && debt->csum_offset == ICMP_CSUM);
}

bool vs_icmp_is_echo(const struct vs_pkt *pkt, const struct vs_inner *in)
{
	const uint8_t *icmp = pkt->hdr + in->l4;

	if (!is_icmp(in) || !is_bare(in) || !is_unicast(&in->src) || !owes_icmp_only(pkt, in))
		return false;
	if (in->fragment == VS_FRAGMENT_LATER)
		return true;
	return in_sight(pkt, in) >= ICMP_HEADER && icmp[1] == 0 &&
	       icmp[0] == (in->version == 4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST);
}

/* Two neighbours of @len bytes (16 at the most) change places. */
static void swap(uint8_t *at, size_t len)
{
	uint8_t first[16];

	memcpy(first, at, len);
	memcpy(at, at + len, len);
	memcpy(at + len, first, len);
}

static void turn_ip4(uint8_t *ip)
{
	uint8_t *word = ip + offsetof(struct rte_ipv4_hdr, time_to_live);
	uint8_t *csum = ip + offsetof(struct rte_ipv4_hdr, hdr_checksum);
	uint16_t was = vs_sum_load(word);

	*word = VS_OUTER_TTL;
	vs_sum_store(csum, vs_sum_mend(vs_sum_load(csum), was, vs_sum_load(word)));
	swap(ip + offsetof(struct rte_ipv4_hdr, src_addr), sizeof(rte_be32_t));
}

void vs_icmp_echo(struct vs_pkt *pkt, const struct vs_inner *in)
{
	uint8_t *ip = pkt->hdr + VS_INNER_L3;
	uint8_t *icmp = pkt->hdr + in->l4;
	uint16_t was;

	swap(pkt->hdr, RTE_ETHER_ADDR_LEN);
	if (in->version == 4) {
		turn_ip4(ip);
	} else {
		ip[offsetof(struct rte_ipv6_hdr, hop_limits)] = VS_OUTER_TTL;
		swap(ip + offsetof(struct rte_ipv6_hdr, src_addr), sizeof(struct in6_addr));
	}
	if (in->fragment == VS_FRAGMENT_LATER)
		return;
	was = vs_sum_load(icmp);
	icmp[0] = in->version == 4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
	/* What is owed is added up from the message as it is then. */
	if (!vs_debt_owes(&pkt->debt))
		vs_sum_store(icmp + ICMP_CSUM,
			     vs_sum_mend(vs_sum_load(icmp + ICMP_CSUM), was, vs_sum_load(icmp)));
}

bool vs_icmp_is_error(const struct vs_pkt *pkt, const struct vs_inner *in)
{
	uint8_t type;

	if (!is_icmp(in) || in->fragment == VS_FRAGMENT_LATER || in_sight(pkt, in) < 1)
		return false;
	type = pkt->hdr[in->l4];
	if (in->version == 6)
		return type < ICMP6_ECHO_REQUEST || type == ND_REDIRECT;
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

bool vs_icmp_may(const struct vs_pkt *pkt, const struct vs_inner *in)
{
	if (rte_is_multicast_ether_addr(&vs_l2_eth(pkt)->dst_addr) || !is_unicast(&in->src) ||
	    !is_unicast(&in->dst))
		return false;
	if (in->fragment == VS_FRAGMENT_LATER || in->proto == VS_INNER_HIDDEN)
		return false;
	/* One that is cut before its type may be an error. */
	return !is_icmp(in) || (in_sight(pkt, in) >= 1 && !vs_icmp_is_error(pkt, in));
}

static struct error_code code_of(uint8_t version, enum vs_icmp_why why)
{
	static const struct error_code codes4[] = {
		[VS_ICMP_TTL] = {ICMP_TIME_EXCEEDED, ICMP_EXC_TTL},
		[VS_ICMP_NO_NET] = {ICMP_DEST_UNREACH, ICMP_NET_UNREACH},
		[VS_ICMP_NO_HOST] = {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH},
		[VS_ICMP_NO_PORT] = {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH},
		[VS_ICMP_TOO_BIG] = {ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED},
	};
	static const struct error_code codes6[] = {
		[VS_ICMP_TTL] = {ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT},
		[VS_ICMP_NO_NET] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE},
		[VS_ICMP_NO_HOST] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR},
		[VS_ICMP_NO_PORT] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT},
		[VS_ICMP_TOO_BIG] = {ICMP6_PACKET_TOO_BIG, 0},
	};

	return version == 4 ? codes4[why] : codes6[why];
}

void vs_icmp_error(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_inner *in,
		   enum vs_icmp_why why, uint16_t mtu, const struct vs_ip *src,
		   const struct rte_ether_addr *mac)
{
	const uint16_t around = (uint16_t)(VS_INNER_L3 + ICMP_HEADER +
					   (in->version == 4 ? sizeof(struct rte_ipv4_hdr)
							     : sizeof(struct rte_ipv6_hdr)));
	const struct error_code code = code_of(in->version, why);
	uint32_t quote = RTE_MIN(in->end, (uint32_t)pkt->hdr_len) - VS_INNER_L3;
	struct vs_answer answer;
	uint8_t *icmp;
	uint16_t len;

	quote = RTE_MIN(quote, (uint32_t)VS_HDR_BYTES - around);
	len = (uint16_t)(ICMP_HEADER + quote);
	if (in->version == 4) {
		vs_answer_ether(&answer, &vs_l2_eth(pkt)->src_addr, mac, RTE_ETHER_TYPE_IPV4);
		vs_answer_ip4(&answer, src, &in->src, len);
	} else {
		vs_answer_ether(&answer, &vs_l2_eth(pkt)->src_addr, mac, RTE_ETHER_TYPE_IPV6);
		vs_answer_ip6(&answer, src, &in->src, VS_OUTER_TTL, len);
	}
	icmp = vs_answer_add(&answer, len);
	icmp[0] = code.type;
	icmp[1] = code.code;
	/* In both, the last two of the header's bytes (RFC 1191, 4; RFC 4443, 3.2). */
	vs_sum_store(icmp + ICMP_HEADER - sizeof(mtu), rte_cpu_to_be_16(mtu));
	memcpy(icmp + ICMP_HEADER, pkt->hdr + VS_INNER_L3, quote);
	if (in->version == 4)
		vs_sum_store(icmp + ICMP_CSUM, (uint16_t)~rte_raw_cksum(icmp, len));
	else
		vs_answer_sum6(&answer);
	vs_answer_place(&answer, pkt, slot);
}
