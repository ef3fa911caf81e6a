/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream: the segments of a TCP connection, as they come from a wire.
 *
 * Theory of operation. A segment carries its number in the flow three times: in the stamp, in the
 * IP id, and as TCP's sequence number, times the bytes of a segment. Checksums are right. What does
 * not change from segment to segment is added up once (gen_stream_sums()), so a frame costs a few
 * additions more than one without. The sum of 16-bit words in the machine's byte order is the
 * checksum in the machine's byte order, and 32-bit words may be added as they are, for 2^16 is 1
 * modulo 2^16 - 1.
 *
 * The receiver takes frames that are still to be cut up, so a switch may give it many segments in
 * one. Each counts as a frame received; what is compared now and then is all of them.
 */
#include "bench/gen/gen.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#define IP_AT ((uint32_t)sizeof(struct ethhdr))
#define TCP_AT (IP_AT + (uint32_t)sizeof(struct iphdr))
#define CSUM_OFFSET 16

static uint64_t add_words(const uint8_t *p, uint32_t len, uint64_t sum)
{
	uint16_t word;
	uint32_t i;

	for (i = 0; i + 1 < len; i += 2) {
		memcpy(&word, p + i, sizeof(word));
		sum += word;
	}
	if (len % 2) {
		word = 0;
		memcpy(&word, p + len - 1, 1);
		sum += word;
	}
	return sum;
}

static inline uint16_t fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Of addresses, protocol and length. */
static uint64_t pseudo(const uint8_t *frame, uint32_t len)
{
	const uint32_t words[2] = {htonl(len - TCP_AT), htonl(IPPROTO_TCP)};

	return add_words(frame + IP_AT + offsetof(struct iphdr, saddr), 8, words[0]) + words[1];
}

/* Payload of each segment. */
static uint32_t payload_of(const struct gen *g)
{
	return g->size[0] - g->stamp_at;
}

/**
 * gen_stream_sums() - add up what is the same in all frames of a flow
 * @g: generator
 * @f: flow whose head is written, with zeros where it differs from frame to frame
 */
void gen_stream_sums(const struct gen *g, struct gen_flow *f)
{
	uint8_t *head = f->head[0];
	uint64_t sum;

	memset(head + IP_AT + offsetof(struct iphdr, check), 0, 2);
	f->ip_sum = fold(add_words(head + IP_AT, TCP_AT - IP_AT, 0));
	/* The head has an even number of bytes. */
	sum = add_words(head + TCP_AT, GEN_HEAD - TCP_AT, pseudo(head, g->size[0]));
	f->tcp_sum = fold(add_words(g->pattern + GEN_HEAD, g->size[0] - GEN_HEAD, sum));
}

/**
 * gen_stream_finish() - what differs from frame to frame: id, sequence number, checksums
 * @g: generator
 * @f: flow
 * @frame: frame with its head and stamp
 * @seq: number in the stamp
 * @now: time in the stamp
 */
void gen_stream_finish(const struct gen *g, const struct gen_flow *f, uint8_t *frame, uint32_t seq,
		       uint64_t now)
{
	struct iphdr *ip = (struct iphdr *)(void *)(frame + IP_AT);
	uint32_t at = htonl(seq * payload_of(g));
	uint16_t id = htons((uint16_t)seq);
	uint16_t check;

	memcpy(&ip->id, &id, sizeof(id));
	check = (uint16_t)~fold((uint64_t)f->ip_sum + id);
	memcpy(&ip->check, &check, sizeof(check));
	memcpy(frame + TCP_AT + offsetof(struct tcphdr, seq), &at, sizeof(at));
	check = (uint16_t)~fold((uint64_t)f->tcp_sum + at + seq + (now & UINT32_MAX) + (now >> 32));
	memcpy(frame + TCP_AT + CSUM_OFFSET, &check, sizeof(check));
}

/* Segments in a received frame; 0: its header makes no sense. */
static uint32_t segments(const struct gen *g, const struct virtio_net_hdr *h, uint32_t len)
{
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return 1;
	if (h->gso_type != VIRTIO_NET_HDR_GSO_TCPV4 || h->gso_size != payload_of(g) ||
	    len <= g->stamp_at)
		return 0;
	return (len - g->stamp_at + h->gso_size - 1) / h->gso_size;
}

/**
 * gen_stream_note() - account for what stands in a frame behind its first segment
 * @g: generator
 * @l: lane it came to
 * @f: its flow; the first segment is accounted for
 * @vhdr: virtio header, and the first bytes of the frame
 * @len: of the frame
 */
void gen_stream_note(struct gen *g, const struct gen_lane *l, struct gen_flow *f,
		     const uint8_t *vhdr, uint32_t len)
{
	const uint8_t *stamp = vhdr + g->hdr_len + g->stamp_at;
	struct virtio_net_hdr h;
	uint32_t i, n, seq;

	memcpy(&h, vhdr, sizeof(h));
	g->bytes -= g->stamp_at;
	n = segments(g, &h, len);
	if (n <= 1) {
		g->bad += n == 0;
		return;
	}
	memcpy(&seq, stamp + offsetof(struct gen_stamp, seq), sizeof(seq));
	for (i = 1; i < n; i++) {
		if (((seq + i - f->rx_next) & f->seq_mask) != 0) {
			gen_flow_late(f, seq + i, &g->bad);
			continue;
		}
		f->rx_next++;
		f->received++;
	}
	g->received[l->number] += n - 1;
}

/* Is the payload of segment @i what was sent? Its stamp has the number @seq. */
static bool segment_is_good(const struct gen *g, const struct gen_flow *f, const uint8_t *at,
			    uint32_t seq)
{
	const uint32_t behind = (uint32_t)sizeof(struct gen_stamp);
	struct gen_stamp st;

	memcpy(&st, at, sizeof(st));
	return st.magic == GEN_MAGIC && st.flow == f->id && st.trial == g->trial && st.seq == seq &&
	       memcmp(at + behind, g->pattern + g->stamp_at + behind, payload_of(g) - behind) == 0;
}

/* Addresses, lengths, numbers and checksums. @owes: the last of them is still to be finished */
static bool head_is_good(const struct gen *g, const struct gen_flow *f, const uint8_t *frame,
			 uint32_t len, bool owes)
{
	const uint16_t want = owes ? fold(pseudo(frame, len)) : UINT16_MAX;
	const uint8_t *head = f->head[0], *seq = frame + TCP_AT + offsetof(struct tcphdr, seq);
	struct tcphdr tcp;
	struct iphdr ip;
	uint32_t number;
	uint16_t sum;

	memcpy(&ip, frame + IP_AT, sizeof(ip));
	memcpy(&tcp, frame + TCP_AT, sizeof(tcp));
	memcpy(&number, frame + g->stamp_at + offsetof(struct gen_stamp, seq), sizeof(number));
	sum = tcp.check;
	if (!owes)
		sum = fold(add_words(frame + TCP_AT, len - TCP_AT, pseudo(frame, len)));
	return memcmp(frame, head, IP_AT) == 0 && ntohs(ip.tot_len) == len - IP_AT &&
	       fold(add_words(frame + IP_AT, sizeof(ip), 0)) == UINT16_MAX &&
	       ip.id == htons((uint16_t)number) && ip.saddr && tcp.ack == 1 && sum == want &&
	       memcmp(frame + TCP_AT, head + TCP_AT, 4) == 0 &&
	       memcmp(seq, &(uint32_t){htonl(number * payload_of(g))}, 4) == 0;
}

/**
 * gen_stream_is_good() - compare a whole frame with the segments that were sent
 * @g: generator
 * @f: flow its stamp names
 * @vhdr: virtio header
 * @frame: frame
 * @len: its length
 *
 * Return: whether it is one segment as it was sent, its checksum right; or several in a row, with a
 * header that has them cut up as they were.
 */
bool gen_stream_is_good(const struct gen *g, const struct gen_flow *f, const uint8_t *vhdr,
			const uint8_t *frame, uint32_t len)
{
	const uint8_t *stamp = frame + g->stamp_at;
	struct virtio_net_hdr h;
	uint32_t i, n, seq;

	memcpy(&h, vhdr, sizeof(h));
	n = segments(g, &h, len);
	if (n == 0 || len != g->stamp_at + n * payload_of(g))
		return false;
	if (n > 1 && (!(h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || h.csum_start != TCP_AT ||
		      h.csum_offset != CSUM_OFFSET))
		return false;
	memcpy(&seq, stamp + offsetof(struct gen_stamp, seq), sizeof(seq));
	for (i = 0; i < n; i++) {
		if (!segment_is_good(g, f, stamp + i * payload_of(g), seq + i))
			return false;
	}
	return head_is_good(g, f, frame, len, n > 1);
}
