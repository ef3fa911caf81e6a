/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What frames look like: Ethernet, IPv4, UDP (for TSO and streams: TCP with a timestamp option, as
 * Linux sends it; for TSO its checksum is not finished), stamp, pattern.
 *
 * Addresses: guest g has the MAC addresses 02:gg:gg:mm:mm:mm for m = 0 ... M-1 and the IP address
 * 10.gg.gg.1. The pattern is the same in all frames, so that a sender copies it from its cache.
 */
#include "bench/gen/gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#define TSO_MSS 1448
#define TSO_OPTIONS 12 /* bytes: two no-operations, timestamp */
#define TCP_CSUM_OFFSET 16

_Static_assert(sizeof(struct gen_stamp) == 22, "a frame of 64 bytes holds headers and stamp");

static void set_imix(struct gen *g)
{
	static const uint32_t size[3] = {64, 570, 1518};
	static const uint8_t count[3] = {28, 16, 4};
	int32_t acc[3] = {0}; /* falls below zero when a size is ahead of its share */
	uint32_t i, k, best;

	memcpy(g->size, size, sizeof(size));
	g->n_sizes = 3;
	g->n_order = 48;
	/* Each size comes at even distances: the one that lags most behind its share is next. */
	for (i = 0; i < g->n_order; i++) {
		for (k = 0, best = 0; k < 3; k++) {
			acc[k] += count[k];
			best = acc[k] > acc[best] ? k : best;
		}
		acc[best] -= 48;
		g->size_order[i] = (uint8_t)best;
	}
}

/**
 * gen_frame_init() - settle sizes and the pattern
 * @g: generator
 *
 * Return: 0 or -ENOMEM.
 */
int gen_frame_init(struct gen *g)
{
	uint32_t i;

	g->pattern = malloc(GEN_MAX_TSO);
	if (!g->pattern)
		return -ENOMEM;
	for (i = 0; i < GEN_MAX_TSO; i++)
		g->pattern[i] = (uint8_t)(i * 167 + (i >> 8) * 13 + 5);
	g->stamp_at = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr);
	g->head_len = GEN_MIN_FRAME;
	g->n_sizes = 1;
	g->n_order = 1;
	g->size[0] = g->opt.size;
	g->vhdr.num_buffers = 0;
	if (g->opt.size_kind == GEN_SIZE_IMIX)
		set_imix(g);
	if (g->opt.size_kind < GEN_SIZE_TSO)
		return 0;
	g->stamp_at =
		sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct tcphdr) + TSO_OPTIONS;
	g->head_len = GEN_HEAD;
	if (g->opt.size_kind == GEN_SIZE_STREAM)
		return 0;
	g->vhdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	g->vhdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	g->vhdr.hdr_len = (uint16_t)g->stamp_at;
	g->vhdr.gso_size = TSO_MSS;
	g->vhdr.csum_start = sizeof(struct ethhdr) + sizeof(struct iphdr);
	g->vhdr.csum_offset = TCP_CSUM_OFFSET;
	return 0;
}

/**
 * gen_frame_mac() - an address of a guest
 * @guest: number of the guest
 * @mac: number of its address
 * @ret_mac: six bytes
 */
void gen_frame_mac(uint32_t guest, uint32_t mac, uint8_t *ret_mac)
{
	ret_mac[0] = 2;
	ret_mac[1] = (uint8_t)(guest >> 8);
	ret_mac[2] = (uint8_t)guest;
	ret_mac[3] = (uint8_t)(mac >> 16);
	ret_mac[4] = (uint8_t)(mac >> 8);
	ret_mac[5] = (uint8_t)mac;
}

static uint32_t sum16(const void *data, uint32_t len, uint32_t sum)
{
	const uint8_t *p = data;
	uint32_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put_transport(const struct gen *g, const struct gen_flow *f, const struct iphdr *ip,
			  uint8_t *at, uint32_t len)
{
	uint16_t port = htons((uint16_t)(49152 + f->lane->queue));
	static const uint8_t options[TSO_OPTIONS] = {TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIMESTAMP,
						     TCPOLEN_TIMESTAMP};
	struct tcphdr tcp = {.source = port,
			     .dest = htons(5001),
			     .ack = 1,
			     .doff = (sizeof(tcp) + sizeof(options)) / 4};
	struct udphdr udp = {.source = port, .dest = htons(5001)};

	if (g->opt.size_kind >= GEN_SIZE_TSO) {
		tcp.source = htons((uint16_t)(49152 + f->id));
		tcp.window = htons(65535);
		/* The sum of the pseudo header: whoever cuts the frame up finishes it. */
		if (g->opt.size_kind == GEN_SIZE_TSO)
			tcp.check = htons((uint16_t)sum16(&ip->saddr, 8, len + IPPROTO_TCP));
		memcpy(at, &tcp, sizeof(tcp));
		memcpy(at + sizeof(tcp), options, sizeof(options));
		return;
	}
	udp.len = htons((uint16_t)len);
	memcpy(at, &udp, sizeof(udp));
}

static void put_head(const struct gen *g, const struct gen_flow *f, uint8_t *head, uint32_t size)
{
	struct gen_stamp stamp = {.magic = GEN_MAGIC, .flow = f->id, .trial = g->trial};
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64};
	struct ethhdr eth = {.h_proto = htons(ETH_P_IP)};

	memcpy(head, g->pattern, GEN_HEAD);
	gen_frame_mac(f->dst, 0, eth.h_dest);
	gen_frame_mac(f->src, 0, eth.h_source);
	memcpy(head, &eth, sizeof(eth));
	ip.tot_len = htons((uint16_t)(size - sizeof(eth)));
	ip.frag_off = htons(IP_DF);
	ip.protocol = g->opt.size_kind >= GEN_SIZE_TSO ? IPPROTO_TCP : IPPROTO_UDP;
	ip.saddr = htonl(10u << 24 | (uint32_t)f->src << 8 | 1);
	ip.daddr = htonl(10u << 24 | (uint32_t)f->dst << 8 | 1);
	ip.check = htons((uint16_t)~sum16(&ip, sizeof(ip), 0));
	memcpy(head + sizeof(eth), &ip, sizeof(ip));
	put_transport(g, f, &ip, head + sizeof(eth) + sizeof(ip),
		      size - (uint32_t)(sizeof(eth) + sizeof(ip)));
	memcpy(head + g->stamp_at, &stamp, sizeof(stamp));
}

/**
 * gen_frame_heads() - write the first bytes of a flow's frames, all but number and time
 * @g: generator; its trial goes into the stamp
 * @f: flow
 */
void gen_frame_heads(struct gen *g, struct gen_flow *f)
{
	uint32_t i;

	for (i = 0; i < g->n_sizes; i++)
		put_head(g, f, f->head[i], g->size[i]);
	if (g->opt.size_kind == GEN_SIZE_STREAM)
		gen_stream_sums(g, f);
}

/**
 * gen_frame_is_good() - compare a whole frame with what was sent
 * @g: generator
 * @f: flow its stamp names
 * @frame: frame
 * @len: its length
 *
 * Return: whether addresses, IP header, length and pattern are those of the flow.
 */
bool gen_frame_is_good(const struct gen *g, const struct gen_flow *f, const uint8_t *frame,
		       uint32_t len)
{
	const uint32_t ip_end = sizeof(struct ethhdr) + sizeof(struct iphdr);
	const uint32_t from = g->stamp_at + (uint32_t)sizeof(struct gen_stamp);
	uint32_t mac = g->opt.macs > 1 ? 3 : ETH_ALEN; /* the rest changes from frame to frame */
	const uint8_t *head;
	uint32_t i;

	for (i = 0; i < g->n_sizes && g->size[i] != len; i++)
		;
	if (i == g->n_sizes)
		return false;
	head = f->head[i];
	return memcmp(frame, head, mac) == 0 &&
	       memcmp(frame + ETH_ALEN, head + ETH_ALEN, mac) == 0 &&
	       memcmp(frame + 2 * ETH_ALEN, head + 2 * ETH_ALEN, ip_end - 2 * ETH_ALEN) == 0 &&
	       memcmp(frame + from, g->pattern + from, len - from) == 0;
}

/**
 * gen_frame_owes() - does a received header say what was owed when the frame was sent?
 * @g: generator of TSO frames
 * @vhdr: virtio header, 10 bytes at least
 *
 * A frame that is longer than a segment must arrive as a frame to be cut up, its checksum still to
 * be finished: the receiver would otherwise take it for damaged.
 *
 * Return: whether it does.
 */
bool gen_frame_owes(const struct gen *g, const uint8_t *vhdr)
{
	struct virtio_net_hdr h;

	memcpy(&h, vhdr, sizeof(h));
	return (h.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == g->vhdr.gso_type && h.gso_size > 0 &&
	       h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && h.csum_start == g->vhdr.csum_start &&
	       h.csum_offset == g->vhdr.csum_offset;
}

/**
 * gen_frame_bufs() - receive chains that the longest frame takes
 * @g: generator whose guests are up
 *
 * Return: their number, 1 without mergeable buffers.
 */
uint32_t gen_frame_bufs(const struct gen *g)
{
	uint32_t len = g->hdr_len + g->size[g->n_sizes - 1];

	return g->mergeable ? (len + g->rx_room - 1) / g->rx_room : 1;
}
