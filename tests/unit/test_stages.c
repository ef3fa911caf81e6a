/* SPDX-License-Identifier: BSD-3-Clause */
/* The stages around lookup, each alone: rx, admit, release, tx. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/hdr.h"
#include "tests/unit/stages_fixture.h"

#include <string.h>

static void expect_drop(struct sf *s, const struct vs_pkt *pkt, enum vs_drop want)
{
	assert_string_equal(vs_drop_name(pkt->drop), vs_drop_name(want));
	if (want == VS_DROP_NONE)
		return;
	assert_int_equal(sf_drops(s, pkt->in_port, want), 1);
	assert_int_equal(sf_all_drops(s, pkt->in_port, VS_DROP_SIDE_IN), 1);
	assert_int_equal(sf_all_drops(s, pkt->in_port, VS_DROP_SIDE_OUT), 0);
}

/* rx */

static void test_rx_counts(void **state)
{
	struct sf *s = sf_new();
	struct vs_pkt send[3];
	struct sf_dev *dev = &s->dev[1];

	send[0] = *sf_frame(s, 1, sf_mac(2), sf_mac(1), 60);
	send[1] = *sf_frame(s, 1, sf_mac(2), sf_mac(1), 100);
	send[2] = *sf_frame(s, 1, sf_mac(2), sf_mac(1), 20);
	send[2].drop = VS_DROP_CHAIN_DESCS;
	s->burst->n = 0;
	dev->send = send;
	dev->n_send = 3;
	vs_rx(s->ctx, &s->conf->port[1], s->burst);
	assert_int_equal(s->burst->n, 3);
	assert_int_equal(dev->fanout, SF_PORTS);
	assert_int_equal(s->stats[1].received, 3);
	assert_int_equal(s->stats[1].received_bytes, 180);
	expect_drop(s, &s->burst->pkt[2], VS_DROP_CHAIN_DESCS);

	s->burst->n = 0;
	vs_rx(s->ctx, &s->conf->port[1], s->burst);
	assert_int_equal(s->stats[1].received, 3);
	sf_free(s);
}

/* admit */

static void admit_one(struct rte_ether_addr src, unsigned int flags, enum vs_drop want)
{
	struct sf *s = sf_new();
	struct vs_pkt *pkt;

	s->conf->port[1].mac = sf_mac(1);
	s->conf->port[1].flags = (uint8_t)flags;
	s->conf->port[1].fid = 77;
	pkt = sf_frame(s, 1, sf_mac(2), src, 60);
	pkt->fid = 0;
	vs_admit(s->ctx, s->burst);
	expect_drop(s, pkt, want);
	assert_int_equal(pkt->fid, want ? 0 : 77);
	sf_free(s);
}

static void test_admit_source(void **state)
{
	const struct rte_ether_addr zero = {{0}};
	const struct rte_ether_addr group = {{1, 0, 0x5e, 0, 0, 1}};
	const struct rte_ether_addr odd = {{3, 0, 0, 0, 0, 1}};

	admit_one(sf_mac(1), VS_PORT_ADMIN_UP, VS_DROP_NONE);
	admit_one(sf_mac(9), VS_PORT_ADMIN_UP, VS_DROP_NONE);
	admit_one(sf_mac(1), VS_PORT_ADMIN_UP | VS_PORT_GUARD, VS_DROP_NONE);
	admit_one(sf_mac(9), VS_PORT_ADMIN_UP | VS_PORT_GUARD, VS_DROP_SPOOF);
	admit_one(zero, VS_PORT_ADMIN_UP, VS_DROP_SRC_INVALID);
	admit_one(group, VS_PORT_ADMIN_UP, VS_DROP_SRC_INVALID);
	admit_one(odd, VS_PORT_ADMIN_UP, VS_DROP_SRC_INVALID);
	admit_one(sf_broadcast(), VS_PORT_ADMIN_UP | VS_PORT_GUARD, VS_DROP_SRC_INVALID);
	admit_one(sf_mac(1), 0, VS_DROP_LINK_DOWN);
	/* Down, but only because the other side takes no frames: it may send. */
	admit_one(sf_mac(1), VS_PORT_ADMIN_UP | VS_PORT_UP, VS_DROP_NONE);
}

static void admit_len(uint32_t len, uint32_t max, enum vs_drop want)
{
	struct sf *s = sf_new();
	struct vs_pkt *pkt;

	s->conf->port[1].max_frame = max;
	pkt = sf_frame(s, 1, sf_mac(2), sf_mac(1), len);
	vs_admit(s->ctx, s->burst);
	expect_drop(s, pkt, want);
	sf_free(s);
}

static void test_admit_mtu(void **state)
{
	admit_len(82, 82, VS_DROP_NONE);
	admit_len(83, 82, VS_DROP_MTU_IN);
	admit_len(1514, 1514, VS_DROP_NONE);
	admit_len(1515, 1514, VS_DROP_MTU_IN);
	admit_len(9230, 9230, VS_DROP_NONE);
	admit_len(9231, 9230, VS_DROP_MTU_IN);
	admit_len(65549, 65549, VS_DROP_NONE);
	admit_len(65550, 65549, VS_DROP_MTU_IN);
}

/* A frame of @len bytes with @tags behind the addresses; max_frame is 1514. */
static void admit_tags(const char *tags, size_t n, uint32_t len, enum vs_drop want)
{
	struct sf *s = sf_new();
	struct vs_pkt *pkt = sf_frame(s, 1, sf_mac(2), sf_mac(1), len);
	uint8_t *before = pkt->hdr;

	memcpy(pkt->hdr + 12, tags, n);
	vs_admit(s->ctx, s->burst);
	expect_drop(s, pkt, want);
	if (want == VS_DROP_NONE && n > 2) {
		const struct rte_ether_hdr *eth = vs_l2_eth(pkt);
		struct rte_ether_addr dst = sf_mac(2);
		struct rte_ether_addr src = sf_mac(1);

		assert_ptr_equal(pkt->hdr, before + 4);
		assert_int_equal(pkt->len, len - 4);
		assert_int_equal(pkt->hdr_len, (len < 128 ? len : 128) - 4);
		assert_memory_equal(&eth->dst_addr, &dst, 6);
		assert_memory_equal(&eth->src_addr, &src, 6);
		assert_memory_equal(&eth->ether_type, tags + 4, 2);
	}
	sf_free(s);
}

static void test_admit_vlan(void **state)
{
	admit_tags("\x08\x00", 2, 60, VS_DROP_NONE);
	admit_tags("\x81\x00\x00\x00\x08\x00", 6, 60, VS_DROP_NONE);
	admit_tags("\x81\x00\xf0\x00\x86\xdd", 6, 60, VS_DROP_NONE); /* priority 7, DEI */
	admit_tags("\x81\x00\x00\x00\x08\x00", 6, 18, VS_DROP_NONE);
	admit_tags("\x81\x00\x00\x00\x08\x00", 6, 17, VS_DROP_VLAN_SHORT);
	admit_tags("\x81\x00\x00\x00\x08\x00", 6, 14, VS_DROP_VLAN_SHORT);
	admit_tags("\x88\xa8\x00\x00\x08\x00", 6, 17, VS_DROP_VLAN_SHORT);
	admit_tags("\x81\x00\x00\x01\x08\x00", 6, 60, VS_DROP_VLAN_TAGGED);
	admit_tags("\x81\x00\x0f\xff\x08\x00", 6, 60, VS_DROP_VLAN_TAGGED);
	admit_tags("\x81\x00\xe1\x00\x08\x00", 6, 60, VS_DROP_VLAN_TAGGED);
	admit_tags("\x88\xa8\x00\x00\x08\x00", 6, 60, VS_DROP_VLAN_TAGGED);
	admit_tags("\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00", 10, 60, VS_DROP_VLAN_TAGGED);
	admit_tags("\x81\x00\x00\x00\x81\x00\x00\x06\x08\x00", 10, 60, VS_DROP_VLAN_TAGGED);
	admit_tags("\x81\x00\x00\x00\x88\xa8\x00\x00\x08\x00", 10, 60, VS_DROP_VLAN_TAGGED);
	/* The MTU counts without the tag. */
	admit_tags("\x81\x00\x00\x00\x08\x00", 6, 1518, VS_DROP_NONE);
	admit_tags("\x81\x00\x00\x00\x08\x00", 6, 1519, VS_DROP_MTU_IN);
}

/* An untagged frame of a VLAN that has no domain is not learnt anywhere. */
static void test_admit_no_domain(void **state)
{
	struct sf *s = sf_new();
	struct vs_pkt *pkt = sf_frame(s, 1, sf_mac(2), sf_mac(1), 60);

	s->conf->port[1].fid = 0;
	vs_admit(s->ctx, s->burst);
	expect_drop(s, pkt, VS_DROP_VLAN_UNUSED);
	sf_free(s);
}

static void test_dead_frames_are_skipped(void **state)
{
	struct sf *s = sf_new();
	struct vs_pkt *pkt = sf_frame(s, 1, sf_mac(2), sf_broadcast(), 60);

	pkt->drop = VS_DROP_RUNT;
	vs_admit(s->ctx, s->burst);
	vs_lookup(s->ctx, s->burst);
	assert_int_equal(pkt->drop, VS_DROP_RUNT);
	assert_int_equal(sf_all_drops(s, 1, VS_DROP_SIDE_IN), 0);
	assert_int_equal(s->ctx->n_touched, 0);
	assert_int_equal(sf_events(s, NULL), 0);
	sf_free(s);
}

/* release and tx */

static void test_release(void **state)
{
	struct sf *s = sf_new();

	sf_frame(s, 1, sf_broadcast(), sf_mac(1), 1500);
	sf_frame(s, 1, sf_broadcast(), sf_mac(1), 1501);
	s->conf->port[3].max_frame = 1500;
	s->conf->port[4].flags &= (uint8_t)~VS_PORT_UP;
	vs_out_add(s->ctx, 2, 0);
	vs_out_add(s->ctx, 2, 1);
	vs_out_add(s->ctx, 3, 0);
	vs_out_add(s->ctx, 3, 1);
	vs_out_add(s->ctx, 4, 1);
	vs_release(s->ctx, s->burst);
	assert_int_equal(s->ctx->out[2].n, 2);
	assert_int_equal(s->ctx->out[3].n, 1);
	assert_int_equal(s->ctx->out[3].pkt[0], 0);
	assert_int_equal(s->ctx->out[4].n, 0);
	assert_int_equal(s->stats[2].attempts, 2);
	assert_int_equal(s->stats[3].attempts, 2);
	assert_int_equal(s->stats[4].attempts, 1);
	assert_int_equal(sf_drops(s, 3, VS_DROP_MTU_OUT), 1);
	assert_int_equal(sf_drops(s, 4, VS_DROP_PORT_DOWN), 1);
	assert_int_equal(sf_all_drops(s, 1, VS_DROP_SIDE_IN), 0);
	/* The packet itself lives: a copy was dropped, not the frame. */
	assert_int_equal(s->burst->pkt[1].drop, VS_DROP_NONE);

	s->dev[2].fate[1] = VS_DROP_RX_FULL;
	vs_tx(s->ctx, s->burst);
	assert_int_equal(s->dev[2].got, 1);
	assert_int_equal(s->stats[2].sent, 1);
	assert_int_equal(s->stats[2].sent_bytes, 1500);
	assert_int_equal(sf_drops(s, 2, VS_DROP_RX_FULL), 1);
	assert_int_equal(s->dev[3].got, 1);
	assert_int_equal(s->dev[4].got + s->dev[4].refused, 0);
	assert_int_equal(s->ctx->n_touched, 0);
	assert_int_equal(s->ctx->out[2].n + s->ctx->out[3].n + s->ctx->out[4].n, 0);
	sf_free(s);
}

/* An address table may lead to an id that no longer is a port. */
static void test_release_to_no_port(void **state)
{
	struct sf *s = sf_new();

	s->conf->port[4] = (struct vs_port_hot){.id = 4};
	sf_learn(s, sf_mac(4), 4, VS_FDB_LEARNT);
	sf_frame(s, 1, sf_mac(4), sf_mac(1), 60);
	vs_lookup(s->ctx, s->burst);
	vs_release(s->ctx, s->burst);
	vs_tx(s->ctx, s->burst);
	assert_int_equal(sf_drops(s, 4, VS_DROP_PORT_DOWN), 1);
	assert_int_equal(s->stats[1].forwarded, 1);
	sf_free(s);
}

static void test_tx_every_reason(void **state)
{
	struct sf *s = sf_new();
	unsigned int n = 0;
	unsigned int r;

	for (r = 1; r < VS_DROP_COUNT; r++) {
		if (vs_drop_side(r) != VS_DROP_SIDE_OUT)
			continue;
		sf_frame(s, 1, sf_mac(2), sf_mac(1), 60);
		s->dev[2].fate[n] = (uint8_t)r;
		vs_out_add(s->ctx, 2, (uint8_t)n++);
	}
	assert_true(n >= 7);
	s->ctx->pair = 5;
	vs_tx(s->ctx, s->burst);
	assert_int_equal(s->dev[2].pair, 5);
	assert_int_equal(s->stats[2].sent, 0);
	assert_int_equal(sf_all_drops(s, 2, VS_DROP_SIDE_OUT), n);
	for (r = 1; r < VS_DROP_COUNT; r++)
		assert_int_equal(sf_drops(s, 2, r), vs_drop_side(r) == VS_DROP_SIDE_OUT);
	sf_free(s);
}

static void test_samples(void **state)
{
	struct sf *s = sf_new();
	struct vs_sample *sample = &s->stats[1].samples[VS_DROP_RUNT];
	struct vs_pkt *pkt = sf_frame(s, 1, sf_mac(2), sf_mac(1), 1000);
	uint64_t now = s->ctx->now_tsc;

	vs_pkt_drop(s->ctx, pkt, VS_DROP_RUNT);
	assert_int_equal(sample->len, 1000);
	assert_int_equal(sample->have, VS_SAMPLE_BYTES);
	assert_memory_equal(sample->bytes, pkt->hdr, VS_SAMPLE_BYTES);
	assert_int_equal(sample->when_tsc, now);
	assert_int_equal(sample->seq, 2);
	/* Too soon: the old one stays, the count goes on. */
	pkt = sf_frame(s, 1, sf_mac(3), sf_mac(1), 30);
	s->ctx->now_tsc = now + rte_get_tsc_hz() / 1001;
	vs_pkt_drop(s->ctx, pkt, VS_DROP_RUNT);
	assert_int_equal(sample->len, 1000);
	assert_int_equal(sf_drops(s, 1, VS_DROP_RUNT), 2);
	s->ctx->now_tsc = now + rte_get_tsc_hz() / 999;
	vs_pkt_drop(s->ctx, pkt, VS_DROP_RUNT);
	assert_int_equal(sample->len, 30);
	assert_int_equal(sample->have, 30);
	assert_memory_equal(sample->bytes, pkt->hdr, 30);
	assert_int_equal(sample->seq, 4);
	/* Each reason and each port has its own. */
	assert_int_equal(s->stats[1].samples[VS_DROP_SPOOF].seq, 0);
	assert_int_equal(s->stats[2].samples[VS_DROP_RUNT].seq, 0);
	sf_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rx_counts),
		cmocka_unit_test(test_admit_source),
		cmocka_unit_test(test_admit_mtu),
		cmocka_unit_test(test_admit_vlan),
		cmocka_unit_test(test_admit_no_domain),
		cmocka_unit_test(test_dead_frames_are_skipped),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_release_to_no_port),
		cmocka_unit_test(test_tx_every_reason),
		cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
