/* SPDX-License-Identifier: BSD-3-Clause */
/* The canned bursts. */
#include "bench/stage/stage.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct vss_case vss_cases[] = {
	{"unicast-64", "32 frames of 64 bytes to one port, addresses learnt",
	 64, VSS_TO_ONE, VSS_SOURCE_LEARNT, true, VSS_NO_STREAM, 1},
	{"unicast-1514", "32 frames of 1514 bytes to one port, addresses learnt",
	 1514, VSS_TO_ONE, VSS_SOURCE_LEARNT, false, VSS_NO_STREAM, 1},
	{"unicast-9000", "32 frames of 9000 bytes to one port, in merged buffers of 1536 bytes",
	 9000, VSS_TO_ONE, VSS_SOURCE_LEARNT, false, VSS_NO_STREAM, 1},
	{"spread-64", "32 frames of 64 bytes to 8 ports in turn, addresses learnt",
	 64, VSS_TO_EACH, VSS_SOURCE_LEARNT, false, VSS_NO_STREAM, 1},
	{"sorted-64", "the same sorted by a card: 32 frames from the hw queue of a port, ports in turn",
	 64, VSS_SORTED, VSS_SOURCE_LEARNT, false, VSS_NO_STREAM, 1},
	{"sorted-few-64", "the same with few in each hw queue: 8 visits of 4 frames",
	 64, VSS_SORTED, VSS_SOURCE_LEARNT, false, VSS_NO_STREAM, 8},
	{"flood-64", "32 broadcasts of 64 bytes, each to 8 ports",
	 64, VSS_TO_ALL, VSS_SOURCE_LEARNT, false, VSS_NO_STREAM, 1},
	{"learn-64", "32 frames of 64 bytes to one port, each from an unknown address",
	 64, VSS_TO_ONE, VSS_SOURCE_NEW, false, VSS_NO_STREAM, 1},
	{"stream-merged", "32 TCP segments of 1514 bytes from a wire to one port: merged into one",
	 1514, VSS_TO_ONE, VSS_SOURCE_LEARNT, false, VSS_MERGED, 1},
	{"stream-apart", "the same, merging switched off",
	 1514, VSS_TO_ONE, VSS_SOURCE_LEARNT, false, VSS_APART, 1},
	{"stream-mixed", "32 TCP segments of 1514 bytes, each of another flow: none to merge",
	 1514, VSS_TO_ONE, VSS_SOURCE_LEARNT, false, VSS_MIXED, 1},
};
/* clang-format on */
const size_t vss_n_cases = RTE_DIM(vss_cases);

const struct vss_case *vss_case_find(const char *name)
{
	size_t i;

	for (i = 0; i < vss_n_cases; i++)
		if (strcmp(vss_cases[i].name, name) == 0)
			return &vss_cases[i];
	return NULL;
}

unsigned int vss_case_copies(const struct vss_case *kind)
{
	if (kind->stream == VSS_MERGED)
		return 1;
	return kind->target == VSS_TO_ALL ? VSS_FRAMES * VSS_RECEIVERS : VSS_FRAMES;
}

struct rte_ether_addr vss_mac(unsigned int port)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0, 0, (uint8_t)(port + 1)}};
}

struct rte_ether_addr vss_mac_new(unsigned int i)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0x11, (uint8_t)(i >> 8), (uint8_t)i}};
}

unsigned int vss_case_port(const struct vss_case *kind, unsigned int i)
{
	switch (kind->target) {
	case VSS_TO_EACH:
		return 1 + i % VSS_RECEIVERS;
	case VSS_SORTED:
		return 1 + i / (VSS_FRAMES / kind->visits) % VSS_RECEIVERS;
	case VSS_TO_ALL:
	case VSS_TO_ONE:
		break;
	}
	return 1;
}

static struct rte_ether_addr destination(const struct vss_case *kind, unsigned int i)
{
	if (kind->target == VSS_TO_ALL)
		return (struct rte_ether_addr){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	return vss_mac(vss_case_port(kind, i));
}

/* IPv4 and TCP headers, checksums right, of segment @i; the payload is there. */
static void write_segment(const struct vss_case *kind, unsigned int i, uint8_t *at)
{
	const uint32_t ip_len = kind->len - (uint32_t)sizeof(struct rte_ether_hdr);
	struct rte_ipv4_hdr *ip = (void *)(at + sizeof(struct rte_ether_hdr));
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);
	const uint32_t payload = ip_len - (uint32_t)(sizeof(*ip) + sizeof(*tcp));
	const uint16_t port = (uint16_t)(40000 + (kind->stream == VSS_MIXED ? i : 0));

	at[12] = RTE_ETHER_TYPE_IPV4 >> 8;
	at[13] = RTE_ETHER_TYPE_IPV4 & UINT8_MAX;
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)ip_len),
		.packet_id = rte_cpu_to_be_16((uint16_t)i),
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = 6,
		.src_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 1)),
		.dst_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 2)),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*tcp = (struct rte_tcp_hdr){
		.src_port = rte_cpu_to_be_16(port),
		.dst_port = RTE_BE16(5001),
		.sent_seq = rte_cpu_to_be_32(i * payload),
		.data_off = sizeof(*tcp) / 4 << 4,
		.tcp_flags = RTE_TCP_ACK_FLAG,
		.rx_win = RTE_BE16(UINT16_MAX),
	};
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
}

static void write_frame(const struct vss_case *kind, unsigned int i, uint8_t *at)
{
	struct rte_ether_addr dst = destination(kind, i);
	struct rte_ether_addr src = kind->source == VSS_SOURCE_NEW ? vss_mac_new(i) : vss_mac(0);
	uint32_t k;

	memcpy(at, &dst, sizeof(dst));
	memcpy(at + RTE_ETHER_ADDR_LEN, &src, sizeof(src));
	/* The EtherType for local experiments (IEEE 802.3, 9.2.3 of 802-2014). */
	at[12] = 0x88;
	at[13] = 0xb5;
	for (k = sizeof(struct rte_ether_hdr); k < kind->len; k++)
		at[k] = (uint8_t)(k + i);
	if (kind->stream)
		write_segment(kind, i, at);
}

int vss_case_prefill(const struct vss_case *kind, struct vsg_guest *driver)
{
	/* Where the port depends on the visit, so does what comes after a burst. */
	const unsigned int n = kind->target == VSS_SORTED ? VSS_RING : VSS_FRAMES;
	struct iovec frame[VSS_RING];
	unsigned int i;
	uint8_t *bytes;
	int err;

	bytes = malloc((size_t)n * kind->len);
	if (!bytes)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		frame[i].iov_base = bytes + (size_t)i * kind->len;
		frame[i].iov_len = kind->len;
		write_frame(kind, i, frame[i].iov_base);
	}
	err = vsg_net_tx_prefill(driver, 0, frame, n);
	free(bytes);
	return err;
}
