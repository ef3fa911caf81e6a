/* SPDX-License-Identifier: BSD-3-Clause */
/* Offload ingress: frames that owe something, and frames without an Ethernet header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "offload/offload.h"

#include <stdlib.h>

enum {
	PORT = 2,
};

struct bench {
	struct vs_ctx *ctx;
	struct vs_burst *burst;
	struct vs_port_stats stats;
};

static struct bench *make(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->ctx = calloc(1, sizeof(*b->ctx));
	b->burst = calloc(1, sizeof(*b->burst));
	assert_true(b->ctx && b->burst);
	b->ctx->port_stats[PORT] = &b->stats;
	return b;
}

static void end(struct bench *b)
{
	free(b->ctx);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runt),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_other_fields_are_ignored),
		cmocka_unit_test(test_dead_frames_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
