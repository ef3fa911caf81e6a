/* SPDX-License-Identifier: BSD-3-Clause */
#include "nvgre/clamp.h"

#include "nvgre/inner.h"
#include "nvgre/sum.h"

#include <rte_tcp.h>

#include <netinet/tcp.h>
#include <stddef.h>

/* No more than a look at two bytes for what cannot be TCP, the usual case elsewhere. */
static bool may_be_tcp(const struct vs_pkt *pkt)
{
	const uint8_t *ip = pkt->hdr + VS_INNER_L3;

	if (pkt->hdr_len < VS_INNER_L3 + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_tcp_hdr))
		return false;
	if (vs_inner_type(pkt) == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return ip[offsetof(struct rte_ipv4_hdr, next_proto_id)] == IPPROTO_TCP;
	return vs_inner_type(pkt) == RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

/*
 * The MSS option's value. @tcp: the header, of which @len bytes are in sight. Return: its offset in
 * the header; 0: there is none.
 */
static uint32_t find_mss(const uint8_t *tcp, uint32_t len)
{
	uint32_t at = sizeof(struct rte_tcp_hdr);

	while (at < len) {
		uint8_t kind = tcp[at];

		if (kind == TCPOPT_EOL)
			break;
		if (kind == TCPOPT_NOP) {
			at++;
			continue;
		}
		/* Kind and length at least: so the walk goes on. */
		if (at + 2 > len || tcp[at + 1] < 2 || at + tcp[at + 1] > len)
			break;
		if (kind == TCPOPT_MAXSEG)
			return tcp[at + 1] == TCPOLEN_MAXSEG ? at + 2 : 0;
		at += tcp[at + 1];
	}
	return 0;
}

/* Is this very checksum still owed? It is added up when all else is done. */
static bool is_owed(const struct vs_pkt *pkt, uint16_t l4)
{
	return vs_debt_owes(&pkt->debt) && pkt->debt.csum_start == l4 &&
	       pkt->debt.csum_offset == offsetof(struct rte_tcp_hdr, cksum);
}

/* One byte of what a checksum covers: it stands in the upper half of its word at even offsets. */
static uint16_t mend_byte(uint16_t csum, uint32_t offset, uint8_t was, uint8_t is)
{
	if (offset % 2 == 0)
		return vs_sum_mend(csum, rte_cpu_to_be_16((uint16_t)(was << 8)),
				   rte_cpu_to_be_16((uint16_t)(is << 8)));
	return vs_sum_mend(csum, rte_cpu_to_be_16(was), rte_cpu_to_be_16(is));
}

static void lower(uint8_t *tcp, uint32_t at, uint16_t mss, bool owed)
{
	const uint8_t is[2] = {(uint8_t)(mss >> 8), (uint8_t)mss};
	uint8_t *field = tcp + offsetof(struct rte_tcp_hdr, cksum);
	uint16_t csum = vs_sum_load(field);
	unsigned int i;

	/* Options stand at any offset, even or odd. */
	for (i = 0; i < sizeof(is); i++) {
		csum = mend_byte(csum, at + i, tcp[at + i], is[i]);
		tcp[at + i] = is[i];
	}
	if (!owed)
		vs_sum_store(field, csum);
}

void vs_clamp_mss(struct vs_pkt *pkt, uint16_t mtu)
{
	struct vs_inner in;
	uint32_t headers;
	uint32_t len;
	uint8_t *tcp;
	uint32_t at;

	if (!may_be_tcp(pkt) || !vs_inner_read(pkt, &in))
		return;
	tcp = pkt->hdr + in.l4;
	len = RTE_MIN(in.end, (uint32_t)pkt->hdr_len);
	len = len > in.l4 ? len - in.l4 : 0;
	if (in.proto != IPPROTO_TCP || in.fragment == VS_FRAGMENT_LATER ||
	    len < sizeof(struct rte_tcp_hdr) ||
	    !(tcp[offsetof(struct rte_tcp_hdr, tcp_flags)] & RTE_TCP_SYN_FLAG))
		return;
	headers = (in.version == 4 ? (uint32_t)sizeof(struct rte_ipv4_hdr)
				   : (uint32_t)sizeof(struct rte_ipv6_hdr)) +
		  (uint32_t)sizeof(struct rte_tcp_hdr);
	/* The header's own length, in words of four bytes, in the upper half of a byte. */
	len = RTE_MIN(len, (uint32_t)(tcp[offsetof(struct rte_tcp_hdr, data_off)] >> 4) * 4);
	at = find_mss(tcp, len);
	if (at == 0 || mtu <= headers || (tcp[at] << 8 | tcp[at + 1]) <= (int)(mtu - headers))
		return;
	lower(tcp, at, (uint16_t)(mtu - headers), is_owed(pkt, in.l4));
}
