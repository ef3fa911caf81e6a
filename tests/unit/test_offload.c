/* SPDX-License-Identifier: BSD-3-Clause */
/* Offload ingress: frames that owe something, and frames without an Ethernet header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "offload/offload.h"

#include <stdlib.h>
#include <string.h>

enum {
	PORT = 2,
};

/* What the sender may leave undone. */
static unsigned int rights;

static unsigned int fake_rights(void *dev)
{
	return rights;
}

static const struct vs_port_ops ops = {.rights = fake_rights};

struct bench {
	struct vs_ctx *ctx;
	struct vs_conf *conf;
	struct vs_burst *burst;
	struct vs_port_stats stats;
};

static struct bench *make(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->ctx = calloc(1, sizeof(*b->ctx));
	b->burst = calloc(1, sizeof(*b->burst));
	b->conf = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*b->conf));
	assert_true(b->ctx && b->burst && b->conf);
	memset(b->conf, 0, sizeof(*b->conf));
	b->conf->port[PORT].ops = &ops;
	b->ctx->conf = b->conf;
	rights = 0;
	b->ctx->port_stats[PORT] = &b->stats;
	return b;
}

static void end(struct bench *b)
{
	free(b->ctx);
	free(b->conf);
	free(b->burst);
	free(b);
}

static struct vs_pkt *frame(struct bench *b, uint32_t len)
{
	struct vs_pkt *pkt = &b->burst->pkt[b->burst->n];

	*pkt = (struct vs_pkt){
		.hdr = b->burst->hdr[b->burst->n].bytes,
		.len = len,
		.hdr_len = (uint16_t)(len < VS_HDR_BYTES ? len : VS_HDR_BYTES),
		.in_port = PORT,
	};
	b->burst->n++;
	return pkt;
}

static void test_runt(void **state)
{
	struct bench *b = make();
	unsigned int len;

	for (len = 0; len <= 20; len++)
		frame(b, len);
	vs_offload_ingress(b->ctx, b->burst);
	for (len = 0; len <= 20; len++)
		assert_int_equal(b->burst->pkt[len].drop, len < 14 ? VS_DROP_RUNT : VS_DROP_NONE);
	assert_int_equal(b->stats.drops[VS_DROP_RUNT], 14);
	end(b);
}

static void test_denied(void **state)
{
	unsigned int v;

	for (v = 0; v < 256; v++) {
		struct bench *b = make();
		struct vs_pkt *flags = frame(b, 100);
		struct vs_pkt *gso = frame(b, 100);
		struct vs_pkt *runt = frame(b, 3);

		flags->vnet.hdr.flags = (uint8_t)v;
		gso->vnet.hdr.gso_type = (uint8_t)v;
		runt->vnet.hdr.flags = (uint8_t)v;
		vs_offload_ingress(b->ctx, b->burst);
		assert_int_equal(flags->drop, v ? VS_DROP_OFFLOAD_DENIED : VS_DROP_NONE);
		assert_int_equal(gso->drop, v ? VS_DROP_OFFLOAD_DENIED : VS_DROP_NONE);
		assert_int_equal(runt->drop, v ? VS_DROP_OFFLOAD_DENIED : VS_DROP_RUNT);
		assert_int_equal(b->stats.drops[VS_DROP_OFFLOAD_DENIED], v ? 3 : 0);
		end(b);
	}
}

/* Fields that mean nothing without a flag: drivers leave anything in them. */
static void test_other_fields_are_ignored(void **state)
{
	struct bench *b = make();
	struct vs_pkt *pkt = frame(b, 60);

	pkt->vnet.hdr.hdr_len = 0xffff;
	pkt->vnet.hdr.gso_size = 0xffff;
	pkt->vnet.hdr.csum_start = 0xffff;
	pkt->vnet.hdr.csum_offset = 0xffff;
	pkt->vnet.num_buffers = 0xffff;
	vs_offload_ingress(b->ctx, b->burst);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	end(b);
}

static void test_dead_frames_are_skipped(void **state)
{
	struct bench *b = make();
	struct vs_pkt *pkt = frame(b, 3);

	pkt->drop = VS_DROP_VNET_SHORT;
	pkt->vnet.hdr.flags = 1;
	vs_offload_ingress(b->ctx, b->burst);
	assert_int_equal(pkt->drop, VS_DROP_VNET_SHORT);
	assert_int_equal(b->stats.drops[VS_DROP_OFFLOAD_DENIED] + b->stats.drops[VS_DROP_RUNT], 0);
	end(b);
}

/* A frame of TCP over IPv4 or IPv6 behind so many tags, which owes segmentation. */
static struct vs_pkt *owing(struct bench *b, int version, unsigned int tags, uint32_t len)
{
	struct vs_pkt *pkt = frame(b, len);
	uint8_t *at = pkt->hdr + 12;
	unsigned int i;

	for (i = 0; i < tags; i++, at += 4)
		memcpy(at, "\x81\x00\x00\x05", 4);
	memcpy(at, version == 4 ? "\x08\x00" : "\x86\xdd", 2);
	at += 2;
	at[0] = version == 4 ? 0x45 : 0x60;
	at[version == 4 ? 9 : 6] = 6;
	at += version == 4 ? 20 : 40;
	at[12] = 0x50;
	pkt->vnet.hdr = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.gso_size = 1000,
		.hdr_len = 3,
		.csum_start = (uint16_t)(at - pkt->hdr),
		.csum_offset = 16,
	};
	return pkt;
}

/* Every kind of frame with up to two tags: the debt is in the numbers of its headers. */
static void test_debt(void **state)
{
	unsigned int tags;
	int version;

	for (version = 4; version <= 6; version += 2) {
		for (tags = 0; tags <= 2; tags++) {
			struct bench *b = make();
			struct vs_pkt *pkt = owing(b, version, tags, 60000);
			uint16_t l3 = (uint16_t)(14 + 4 * tags);
			uint16_t l4 = (uint16_t)(l3 + (version == 4 ? 20 : 40));

			rights = VS_OFFLOAD_ALL;
			vs_offload_ingress(b->ctx, b->burst);
			assert_int_equal(pkt->drop, VS_DROP_NONE);
			assert_int_equal(b->burst->owing, 1);
			assert_int_equal(pkt->debt.csum, VS_CSUM_PARTIAL);
			assert_int_equal(pkt->debt.gso, version == 4 ? VS_GSO_TCP4 : VS_GSO_TCP6);
			assert_int_equal(pkt->debt.l3, l3);
			assert_int_equal(pkt->debt.csum_start, l4);
			assert_int_equal(pkt->debt.hdrs, l4 + 20);
			assert_int_equal(vs_pkt_longest(pkt), l4 + 20 + 1000);
			end(b);
		}
	}
}

/* Each offload is refused to a sender without the right to it. */
static void test_rights(void **state)
{
	unsigned int r;

	for (r = 0; r <= VS_OFFLOAD_ALL; r++) {
		struct bench *b = make();
		struct vs_pkt *four = owing(b, 4, 0, 3000);
		struct vs_pkt *six = owing(b, 6, 0, 3000);
		struct vs_pkt *ecn = owing(b, 4, 0, 3000);
		struct vs_pkt *sum = owing(b, 4, 0, 3000);

		rights = r;
		ecn->vnet.hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		sum->vnet.hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
		vs_offload_ingress(b->ctx, b->burst);
		assert_int_equal(four->drop == 0, (r & VS_OFFLOAD_TSO4) != 0);
		assert_int_equal(six->drop == 0, (r & VS_OFFLOAD_TSO6) != 0);
		assert_int_equal(ecn->drop == 0, (r & VS_OFFLOAD_TSO4) && (r & VS_OFFLOAD_ECN));
		assert_int_equal(sum->drop == 0, (r & VS_OFFLOAD_CSUM) != 0);
		end(b);
	}
}

/* Whatever checksum is asked for: it lies behind the IP header and in the private bytes. */
static void test_every_csum(void **state)
{
	struct bench *b = make();
	struct vs_pkt *pkt = owing(b, 4, 0, 3000);
	const struct vs_pkt before = *pkt;
	unsigned int start;
	unsigned int off;

	for (start = 0; start < 65536; start += start < 300 ? 1 : 997) {
		for (off = 0; off < 65536; off += off < 300 ? 1 : 997) {
			bool good = start >= 34 && start + off + 2 <= VS_HDR_BYTES;

			*pkt = before;
			rights = VS_OFFLOAD_ALL;
			pkt->vnet.hdr.gso_type = VIRTIO_NET_HDR_GSO_NONE;
			pkt->vnet.hdr.csum_start = (uint16_t)start;
			pkt->vnet.hdr.csum_offset = (uint16_t)off;
			vs_offload_ingress(b->ctx, b->burst);
			assert_int_equal(pkt->drop, good ? VS_DROP_NONE : VS_DROP_CSUM_RANGE);
		}
	}
	end(b);
}

/* A fragment, headers that are cut off, and a payload of one segment. */
static void test_headers(void **state)
{
	struct bench *b = make();
	struct vs_pkt *frag = owing(b, 4, 0, 3000);
	struct vs_pkt *cut = owing(b, 4, 0, 3000);
	struct vs_pkt *single = owing(b, 6, 0, 14 + 60 + 1000);
	struct vs_pkt *most = owing(b, 4, 0, 14 + 40 + VS_SEGMENTS_MAX * 100);
	struct vs_pkt *more = owing(b, 4, 0, 14 + 40 + VS_SEGMENTS_MAX * 100 + 1);

	rights = VS_OFFLOAD_ALL;
	frag->hdr[20] = 0x20;
	cut->hdr[34 + 12] = 0xf0;
	cut->hdr_len = 34 + 59;
	most->vnet.hdr.gso_size = 100;
	more->vnet.hdr.gso_size = 100;
	vs_offload_ingress(b->ctx, b->burst);
	assert_int_equal(frag->drop, VS_DROP_GSO_HEADER);
	assert_int_equal(cut->drop, VS_DROP_GSO_HEADER);
	assert_int_equal(single->debt.csum, VS_CSUM_PARTIAL);
	assert_int_equal(single->debt.gso, VS_GSO_NONE);
	assert_int_equal(vs_debt_needs(&single->debt), VS_OFFLOAD_CSUM);
	assert_int_equal(most->drop, VS_DROP_NONE);
	assert_int_equal(more->drop, VS_DROP_GSO_SIZE);
	end(b);
}

/* Segments that are hardly longer than nothing are not made; who needs no cut needs no size. */
static void test_tiny_segments(void **state)
{
	struct bench *b = make();
	struct vs_pkt *least = owing(b, 4, 0, 14 + 40 + 100);
	struct vs_pkt *less = owing(b, 4, 0, 14 + 40 + 100);
	struct vs_pkt *whole = owing(b, 6, 0, 14 + 60 + 47);
	struct vs_pkt *none = owing(b, 4, 0, 14 + 40);

	rights = VS_OFFLOAD_ALL;
	least->vnet.hdr.gso_size = VS_SEGMENT_BYTES_MIN;
	less->vnet.hdr.gso_size = VS_SEGMENT_BYTES_MIN - 1;
	whole->vnet.hdr.gso_size = VS_SEGMENT_BYTES_MIN - 1;
	none->vnet.hdr.gso_size = 0;
	vs_offload_ingress(b->ctx, b->burst);
	assert_int_equal(least->drop, VS_DROP_NONE);
	assert_int_equal(vs_pkt_segments(least), 3);
	assert_int_equal(vs_pkt_written(least), 100 + 3 * 54);
	assert_int_equal(less->drop, VS_DROP_GSO_SIZE);
	assert_int_equal(whole->drop, VS_DROP_NONE);
	assert_int_equal(whole->debt.gso, VS_GSO_NONE);
	assert_int_equal(vs_pkt_segments(whole), 1);
	assert_int_equal(vs_pkt_written(whole), whole->len);
	assert_int_equal(none->drop, VS_DROP_GSO_SIZE);
	end(b);
}

/* Only one who is believed can say that a checksum is good. */
static void test_good(void **state)
{
	struct bench *b = make();
	struct vs_pkt *pkt = frame(b, 60);

	pkt->vnet.hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	rights = VS_OFFLOAD_ALL & ~VS_OFFLOAD_VERIFY;
	vs_offload_ingress(b->ctx, b->burst);
	assert_int_equal(pkt->debt.csum, VS_CSUM_UNKNOWN);
	rights = VS_OFFLOAD_ALL;
	vs_offload_ingress(b->ctx, b->burst);
	assert_int_equal(pkt->debt.csum, VS_CSUM_GOOD);
	assert_int_equal(b->burst->owing, 0);
	assert_int_equal(vs_debt_to_vnet(&pkt->debt, true).flags, VIRTIO_NET_HDR_F_DATA_VALID);
	assert_int_equal(vs_debt_to_vnet(&pkt->debt, false).flags, 0);
	end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runt),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_other_fields_are_ignored),
		cmocka_unit_test(test_dead_frames_are_skipped),
		cmocka_unit_test(test_debt),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_every_csum),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_tiny_segments),
		cmocka_unit_test(test_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
