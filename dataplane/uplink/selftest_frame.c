/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames of the self-test: as they are given to the device, and as they are to come back.
 *
 * DOC: theory of operation
 *
 * A packet and the segments that it is to become are written by one function: a segment is the same
 * packet with a part of the payload. So what is wanted is written down plainly, and the checksums
 * in it are added up here, word by word: nothing is taken from the code that the switch itself cuts
 * and adds up with, which is not to be its own witness.
 *
 * They are made to go nowhere. Addresses are those that stand for documentation (RFC 5737, RFC
 * 3849), TTL and hop limit are 1, so no router passes them on, ports are `discard` (9) and one that
 * nobody assigned. They are not fragments, carry no options but timestamps, and have no tag.
 *
 * FIN and PSH stand in the last segment only, the IPv4 id counts up, and there is no CWR: frames
 * with it are never left to a device (dpdk_offload.c).
 */
#include "dataplane/uplink/selftest.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

enum {
	L3 = RTE_ETHER_HDR_LEN,
	PORT_DISCARD = 9,
	HOPS = 1,
	SEQ = 0x7ffffe00, /* segments cross the middle of the numbers */
	ACK = 0x01020304,
	WINDOW = 0x0506,
	STAMPS = 12, /* two NOP, and the option of 10 bytes */
	SECOND_DST = 2,
	SECOND_SRC = 1,
};

/* 192.0.2.0/24 and 2001:db8::/32 */
static const uint8_t net4[3] = {192, 0, 2};
static const uint8_t net6[4] = {0x20, 0x01, 0x0d, 0xb8};
static const uint8_t stamps[STAMPS] = {1, 1, 8, 10, 0, 1, 2, 3, 4, 5, 6, 7};

/* A part of the payload: all of it, or that of one segment. */
struct part {
	uint32_t offset;
	uint32_t len;
	uint16_t index;
	bool last;
};

/* ---- sums */

static uint32_t add(uint32_t sum, const uint8_t *at, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
		sum = (sum & UINT16_MAX) + (sum >> 16);
	}
	return sum;
}

static uint32_t add_pseudo(const struct vs_selftest_spec *spec, const uint8_t *ip, uint32_t l4_len)
{
	const uint8_t tail[4] = {0, spec->proto, (uint8_t)(l4_len >> 8), (uint8_t)l4_len};
	uint32_t sum = add(0, tail, sizeof(tail));

	return spec->ip == 4 ? add(sum, ip + offsetof(struct rte_ipv4_hdr, src_addr), 8)
			     : add(sum, ip + offsetof(struct rte_ipv6_hdr, src_addr), 32);
}

static void store(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* ---- headers */

static uint16_t l4_at(const struct vs_selftest_spec *spec)
{
	return (uint16_t)(L3 + (spec->ip == 4 ? sizeof(struct rte_ipv4_hdr)
					      : sizeof(struct rte_ipv6_hdr)));
}

static uint16_t l4_size(const struct vs_selftest_spec *spec)
{
	if (spec->proto == IPPROTO_UDP)
		return sizeof(struct rte_udp_hdr);
	return (uint16_t)(sizeof(struct rte_tcp_hdr) + (spec->stamps ? STAMPS : 0));
}

static uint16_t csum_at(const struct vs_selftest_spec *spec)
{
	return spec->proto == IPPROTO_UDP ? (uint16_t)offsetof(struct rte_udp_hdr, dgram_cksum)
					  : (uint16_t)offsetof(struct rte_tcp_hdr, cksum);
}

static void write_ipv4(const struct vs_selftest_packet *p, const struct part *part, uint32_t l4_len,
		       uint8_t *at)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(ip) + l4_len)),
		.packet_id = rte_cpu_to_be_16((uint16_t)(p->serial * 64u + part->index)),
		.time_to_live = HOPS,
		.next_proto_id = p->spec.proto,
	};
	uint8_t *src = (uint8_t *)&ip.src_addr;
	uint8_t *dst = (uint8_t *)&ip.dst_addr;

	memcpy(src, net4, sizeof(net4));
	src[3] = SECOND_SRC;
	memcpy(dst, net4, sizeof(net4));
	dst[3] = SECOND_DST;
	memcpy(at, &ip, sizeof(ip));
	store(at + offsetof(struct rte_ipv4_hdr, hdr_checksum), ~add(0, at, sizeof(ip)));
}

static void write_ipv6(const struct vs_selftest_packet *p, uint32_t l4_len, uint8_t *at)
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.payload_len = rte_cpu_to_be_16((uint16_t)l4_len),
		.proto = p->spec.proto,
		.hop_limits = HOPS,
	};

	memcpy(ip.src_addr, net6, sizeof(net6));
	ip.src_addr[15] = SECOND_SRC;
	memcpy(ip.dst_addr, net6, sizeof(net6));
	ip.dst_addr[15] = SECOND_DST;
	memcpy(at, &ip, sizeof(ip));
}

static void write_tcp(const struct vs_selftest_packet *p, const struct part *part, uint8_t *at)
{
	const uint8_t last = part->last ? RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG : 0;
	const struct rte_tcp_hdr tcp = {
		.src_port = rte_cpu_to_be_16(p->serial),
		.dst_port = rte_cpu_to_be_16(PORT_DISCARD),
		.sent_seq = rte_cpu_to_be_32(SEQ + part->offset),
		.recv_ack = rte_cpu_to_be_32(ACK),
		.data_off = (uint8_t)(l4_size(&p->spec) / 4 << 4),
		.tcp_flags = RTE_TCP_ACK_FLAG | last,
		.rx_win = rte_cpu_to_be_16(WINDOW),
	};

	memcpy(at, &tcp, sizeof(tcp));
	if (p->spec.stamps)
		memcpy(at + sizeof(tcp), stamps, sizeof(stamps));
}

static void write_udp(const struct vs_selftest_packet *p, uint32_t l4_len, uint8_t *at)
{
	const struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16(p->serial),
		.dst_port = rte_cpu_to_be_16(PORT_DISCARD),
		.dgram_len = rte_cpu_to_be_16((uint16_t)l4_len),
	};

	memcpy(at, &udp, sizeof(udp));
}

/* ---- frames */

static void write_payload(const struct vs_selftest_packet *p, const struct part *part, uint8_t *at)
{
	uint32_t i;

	for (i = 0; i < part->len; i++) {
		uint32_t k = part->offset + i;

		at[i] = (uint8_t)(k * 7 + (k >> 8) + p->serial * 13u);
	}
}

/* Make the last word of the payload such that the whole adds up to FFFF: the checksum is zero. */
static void make_zero(const struct vs_selftest_spec *spec, uint8_t *l3, uint8_t *l4,
		      uint32_t l4_len)
{
	store(l4 + l4_len - 2, 0);
	store(l4 + l4_len - 2, ~add(add_pseudo(spec, l3, l4_len), l4, l4_len));
}

static void write_csum(const struct vs_selftest_spec *spec, const uint8_t *l3, uint8_t *l4,
		       uint32_t l4_len)
{
	uint16_t sum = (uint16_t)~add(add_pseudo(spec, l3, l4_len), l4, l4_len);

	/* RFC 768, RFC 8200: zero means that there is none, and its twin is sent. */
	if (sum == 0 && spec->proto == IPPROTO_UDP)
		sum = UINT16_MAX;
	store(l4 + csum_at(spec), sum);
}

static uint32_t write_frame(const struct vs_selftest_packet *p,
			    const struct vs_selftest_addrs *addrs, const struct part *part,
			    uint8_t *bytes)
{
	const struct vs_selftest_spec *spec = &p->spec;
	const struct rte_ether_hdr eth = {
		.dst_addr = addrs->to,
		.src_addr = addrs->from,
		.ether_type =
			rte_cpu_to_be_16(spec->ip == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6),
	};
	const uint32_t l4_len = l4_size(spec) + part->len;
	uint8_t *l4 = bytes + l4_at(spec);
	uint8_t *l3 = bytes + L3;

	memcpy(bytes, &eth, sizeof(eth));
	if (spec->ip == 4)
		write_ipv4(p, part, l4_len, l3);
	else
		write_ipv6(p, l4_len, l3);
	if (spec->proto == IPPROTO_TCP)
		write_tcp(p, part, l4);
	else
		write_udp(p, l4_len, l4);
	write_payload(p, part, l4 + l4_size(spec));
	if (spec->zero)
		make_zero(spec, l3, l4, l4_len);
	write_csum(spec, l3, l4, l4_len);
	if (spec->kind == VS_SELFTEST_DAMAGED)
		l4[csum_at(spec)] ^= 0x10;
	return l4_at(spec) + l4_len;
}

static struct part whole(const struct vs_selftest_spec *spec)
{
	return (struct part){.len = spec->payload, .last = true};
}

uint16_t vs_selftest_frames(const struct vs_selftest_spec *spec)
{
	return spec->mss ? (uint16_t)((spec->payload + spec->mss - 1u) / spec->mss) : 1;
}

static void owe(const struct vs_selftest_spec *spec, uint8_t *bytes, uint32_t len,
		struct vs_debt *debt)
{
	const uint16_t l4 = l4_at(spec);

	*debt = (struct vs_debt){
		.csum = VS_CSUM_PARTIAL,
		.l3 = L3,
		.csum_start = l4,
		.csum_offset = csum_at(spec),
	};
	store(bytes + l4 + csum_at(spec), add_pseudo(spec, bytes + L3, len - l4));
	if (!spec->mss)
		return;
	debt->gso = spec->ip == 4 ? VS_GSO_TCP4 : VS_GSO_TCP6;
	debt->hdrs = (uint16_t)(l4 + l4_size(spec));
	debt->gso_size = spec->mss;
}

void vs_selftest_make(const struct vs_selftest_packet *p, const struct vs_selftest_addrs *addrs,
		      uint8_t *bytes, struct vs_extent *ext, struct vs_pkt *ret_pkt)
{
	const struct part all = whole(&p->spec);
	const uint32_t len = write_frame(p, addrs, &all, bytes);
	const uint32_t hdr_len = RTE_MIN(len, (uint32_t)VS_HDR_BYTES);

	*ret_pkt = (struct vs_pkt){
		.hdr = bytes,
		.ext = ext,
		.len = len,
		.hdr_len = (uint16_t)hdr_len,
		.n_ext = len > hdr_len,
	};
	*ext = (struct vs_extent){.data = bytes + hdr_len, .len = len - hdr_len};
	if (p->spec.kind == VS_SELFTEST_OWES)
		owe(&p->spec, bytes, len, &ret_pkt->debt);
}

uint32_t vs_selftest_want(const struct vs_selftest_packet *p, const struct vs_selftest_addrs *addrs,
			  unsigned int i, uint8_t *bytes)
{
	const struct vs_selftest_spec *spec = &p->spec;
	struct part part = whole(spec);

	if (spec->mss) {
		part.index = (uint16_t)i;
		part.offset = i * (uint32_t)spec->mss;
		part.len = RTE_MIN((uint32_t)spec->payload - part.offset, (uint32_t)spec->mss);
		part.last = part.offset + part.len == spec->payload;
	}
	return write_frame(p, addrs, &part, bytes);
}

uint16_t vs_selftest_serial(const struct vs_selftest_got *got)
{
	const uint32_t have = RTE_MIN(got->len, (uint32_t)sizeof(got->bytes));
	rte_be16_t type;
	rte_be16_t port;
	uint32_t at;

	memcpy(&type, got->bytes + L3 - sizeof(type), sizeof(type));
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		at = L3 + sizeof(struct rte_ipv4_hdr);
	else if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6))
		at = L3 + sizeof(struct rte_ipv6_hdr);
	else
		return 0;
	if (have < at + sizeof(port))
		return 0;
	memcpy(&port, got->bytes + at, sizeof(port));
	return rte_be_to_cpu_16(port);
}
