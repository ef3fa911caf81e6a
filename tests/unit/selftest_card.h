/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A card for the self-test of offloads: it does what it claims, by the switch's own segmenter and
 * sums (the test's frames are made by other code), unless it is told to lie; and the wire behind
 * it. Included after cmocka.h.
 */
#ifndef VS_TESTS_UNIT_SELFTEST_CARD_H
#define VS_TESTS_UNIT_SELFTEST_CARD_H

#include "dataplane/uplink/selftest.h"
#include "offload/csum.h"
#include "offload/segment.h"

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum {
	QUEUE = 512,
	ALL = VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6 | VS_OFFLOAD_VERIFY,
	L3 = 14,
};

/* A frame on the wire. */
struct wire_frame {
	uint32_t len;
	uint8_t bytes[2048];
};

/* What the card did a frame for. */
struct work {
	const struct vs_pkt *pkt;
	unsigned int index; /* segment */
	bool last;
};

/**
 * struct card - the fake
 * @lie:	changes a frame that the card has finished; false: it is lost
 * @lies_in:	the offload in which it lies
 * @again:	frames of that offload, from the second segment on, are sent twice
 * @good:	it calls all frames good that the test may show it
 * @wire:	what the loop does; false: it loses the frame
 */
struct card {
	bool (*lie)(struct wire_frame *f, const struct work *work);
	unsigned int lies_in;
	bool again;
	bool good;
	bool (*wire)(struct wire_frame *f, unsigned int n);
	bool wire_again;
	bool closed;
	uint64_t now;
	unsigned int carried;
	unsigned int head;
	unsigned int tail;
	struct wire_frame queue[QUEUE];
};

static struct card card;
static struct vs_selftest_report report;

/* ---- the card */

static inline void carry(const struct wire_frame *f)
{
	struct wire_frame *to = &card.queue[card.head % QUEUE];

	assert_true(card.head - card.tail < QUEUE);
	*to = *f;
	if (!card.wire || card.wire(to, card.carried))
		card.head++;
	card.carried++;
}

static inline void put_on_wire(const struct vs_pkt *pkt, unsigned int offload,
			       const struct work *work)
{
	struct wire_frame f = {.len = pkt->len};
	uint32_t at = pkt->hdr_len;
	bool lies = card.lies_in == offload;
	unsigned int i;

	assert_true(pkt->len <= sizeof(f.bytes));
	memcpy(f.bytes, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		memcpy(f.bytes + at, pkt->ext[i].data, pkt->ext[i].len);
		at += pkt->ext[i].len;
	}
	assert_int_equal(at, pkt->len);
	if (f.len < 60)
		f.len = 60;
	if (lies && card.lie && !card.lie(&f, work))
		return;
	carry(&f);
	if (card.wire_again || (lies && card.again))
		carry(&f);
}

static inline void cut(const struct vs_pkt *pkt)
{
	const unsigned int offload = pkt->debt.gso == VS_GSO_TCP4 ? VS_OFFLOAD_TSO4
								  : VS_OFFLOAD_TSO6;
	struct vs_extent ext[4];
	struct work work = {.pkt = pkt};
	struct vs_segments segs;
	struct vs_hdr_slot slot;
	struct vs_pkt made;

	assert_int_equal(vs_segment_begin(&segs, pkt, 0), 0);
	while (vs_segment_next(&segs, VS_SEGMENT_CSUM_FULL, &made, &slot, ext, 4) > 0) {
		work.last = (work.index + 1) * pkt->debt.gso_size >= pkt->len - pkt->debt.hdrs;
		put_on_wire(&made, offload, &work);
		work.index++;
	}
}

/* The sum of the pseudo-header and not of the frame, if that is the lie. */
static inline int card_send(void *dev, const struct vs_pkt *pkt, unsigned int n)
{
	static uint8_t header[VS_HDR_BYTES];
	struct vs_pkt one;
	unsigned int i;

	if (card.closed)
		return -EBUSY;
	for (i = 0; i < n; i++) {
		const struct work work = {.pkt = &pkt[i], .last = true};

		assert_true(!vs_debt_owes(&pkt[i].debt) || vs_pkt_is_plain(&pkt[i]));
		if (pkt[i].debt.gso) {
			cut(&pkt[i]);
			continue;
		}
		one = pkt[i];
		one.hdr = header;
		memcpy(header, pkt[i].hdr, pkt[i].hdr_len);
		if (vs_debt_owes(&one.debt)) {
			vs_csum_complete(&one, &one.debt);
			put_on_wire(&one, VS_OFFLOAD_CSUM, &work);
		} else {
			put_on_wire(&one, 0, &work);
		}
	}
	return 0;
}

/* Is the transport checksum right? By plain sums. */
static inline bool is_right(const struct wire_frame *f)
{
	const uint8_t *l3 = f->bytes + L3;
	const bool ipv4 = *l3 >> 4 == 4;
	const uint8_t proto = ipv4 ? l3[9] : l3[6];
	const uint32_t len = ipv4 ? (uint32_t)(l3[2] << 8 | l3[3]) - 20
				  : (uint32_t)(l3[4] << 8 | l3[5]);
	const uint8_t *l4 = l3 + (ipv4 ? 20 : 40);
	uint32_t sum = proto + len;
	uint32_t i;

	for (i = 0; i < (ipv4 ? 8u : 32u); i++)
		sum += (uint32_t)l4[(int)i - (ipv4 ? 8 : 32)] << (i % 2 ? 0 : 8);
	for (i = 0; i < len; i++)
		sum += (uint32_t)l4[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static inline int card_receive(void *dev, struct vs_selftest_got *ret_got)
{
	struct wire_frame *f;

	if (card.tail == card.head)
		return 0;
	f = &card.queue[card.tail++ % QUEUE];
	ret_got->len = f->len;
	memcpy(ret_got->bytes, f->bytes, f->len);
	ret_got->said = card.good || is_right(f) ? VS_SELFTEST_SAID_GOOD : VS_SELFTEST_SAID_BAD;
	return 1;
}

static inline void card_pause(void *dev)
{
	card.now += 100;
}

static inline uint64_t card_now(void *dev)
{
	return card.now;
}

static const struct vs_selftest_ops card_ops = {
	.send = card_send,
	.receive = card_receive,
	.pause = card_pause,
	.now_us = card_now,
};

/* ---- runs */

static struct vs_selftest_config config_of(unsigned int claims)
{
	return (struct vs_selftest_config){
		.ops = &card_ops,
		.claims = claims,
		.mtu = 1500,
		.own = {{2, 0, 0, 1, 2, 3}},
	};
}

static inline void run(unsigned int claims)
{
	const struct vs_selftest_config config = config_of(claims);

	assert_int_equal(vs_selftest_run(&config, &report), 0);
}

static inline const struct vs_selftest_row *row(unsigned int offload)
{
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		if (report.row[i].offload == offload)
			return &report.row[i];
	}
	fail();
	return NULL;
}

/* Everything but @other has @verdict. */
static inline void check_rest(unsigned int other, enum vs_selftest_verdict verdict)
{
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		if (report.row[i].offload == other)
			continue;
		if (report.row[i].verdict != verdict)
			fail_msg("offload %u: verdict %d: %s", report.row[i].offload,
				 report.row[i].verdict, report.row[i].why);
	}
}

static inline int setup(void **state)
{
	memset(&card, 0, sizeof(card));
	return 0;
}

/* ---- frames as the card or the wire sees them */

static inline uint8_t *ip_of(struct wire_frame *f)
{
	return f->bytes + L3;
}

static inline bool is_ipv4(struct wire_frame *f)
{
	return *ip_of(f) >> 4 == 4;
}

static inline bool is_tcp(struct wire_frame *f)
{
	return (is_ipv4(f) ? ip_of(f)[9] : ip_of(f)[6]) == IPPROTO_TCP;
}

static inline uint8_t *l4_of(struct wire_frame *f)
{
	return ip_of(f) + (is_ipv4(f) ? 20 : 40);
}

static inline uint8_t *csum_of(struct wire_frame *f)
{
	return l4_of(f) + (is_tcp(f) ? 16 : 6);
}

static struct rte_tcp_hdr *tcp_of(struct wire_frame *f)
{
	return (struct rte_tcp_hdr *)(void *)l4_of(f);
}

/* Put the checksums right again, so that one lie shows and no second one. */
static inline bool finish(struct wire_frame *f)
{
	if (is_ipv4(f)) {
		struct rte_ipv4_hdr *ip = (void *)ip_of(f);

		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		tcp_of(f)->cksum = 0;
		tcp_of(f)->cksum = rte_ipv4_udptcp_cksum(ip, tcp_of(f));
	} else {
		tcp_of(f)->cksum = 0;
		tcp_of(f)->cksum = rte_ipv6_udptcp_cksum((void *)ip_of(f), tcp_of(f));
	}
	return true;
}

static inline bool leaves_zero(struct wire_frame *f, const struct work *work)
{
	memset(csum_of(f), 0, 2);
	return true;
}

#endif
