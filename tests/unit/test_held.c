/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that wait because another worker writes to their port: dataplane/held.c, tx.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/memfault.h"
#include "dataplane/core/trylock.h"
#include "dataplane/held.h"
#include "tests/unit/stages_fixture.h"

#include <stdlib.h>
#include <string.h>

enum {
	FROM = 0,
	TO = 1,
	OTHER = 2,
	LEN = 100,
};

static struct sf *new_switch(void)
{
	struct sf *s = sf_new();

	assert_int_equal(vs_held_new(&s->ctx->held), 0);
	sf_learn(s, sf_mac(TO), TO, VS_FDB_STATIC);
	sf_learn(s, sf_mac(OTHER), OTHER, VS_FDB_STATIC);
	vs_mem_begin();
	return s;
}

static void free_switch(struct sf *s)
{
	vs_held_free(s->ctx->held);
	sf_free(s);
}

static void set_busy(struct sf *s, unsigned int port, enum vs_drop fate)
{
	memset(s->dev[port].fate, fate, sizeof(s->dev[port].fate));
}

/* @n frames of @len bytes to port @to, each with its number, counted from @first. */
static void send_numbered(struct sf *s, unsigned int to, unsigned int n, unsigned int first,
			  uint32_t len)
{
	unsigned int i;

	sf_begin(s);
	for (i = 0; i < n; i++)
		sf_frame(s, FROM, sf_mac(to), sf_mac(FROM), len)->hdr[14] = (uint8_t)(first + i);
	sf_visit(s, FROM, 0);
}

/* @n broadcasts with a tag of @vid. */
static void send_tagged(struct sf *s, uint16_t vid, unsigned int n)
{
	sf_begin(s);
	while (n--) {
		uint8_t *hdr = sf_frame(s, FROM, sf_broadcast(), sf_mac(FROM), LEN)->hdr;

		hdr[12] = 0x81;
		hdr[13] = 0;
		hdr[14] = (uint8_t)(vid >> 8);
		hdr[15] = (uint8_t)vid;
	}
	sf_visit(s, FROM, 0);
}

static void expect_order(const struct sf *s, unsigned int port, unsigned int n, unsigned int first)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		assert_int_equal(s->dev[port].order[i], (first + i) & 0xff);
}

static void test_trylock(void **state)
{
	struct vs_trylock lock = {0};

	assert_true(vs_trylock(&lock));
	assert_false(vs_trylock(&lock));
	vs_tryunlock(&lock);
	assert_true(vs_trylock(&lock));
}

/* Nothing is lost, nothing overtakes, and the books balance all the time. */
static void test_waits_in_order(void **state)
{
	struct sf *s = new_switch();

	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 5, 0, LEN);
	assert_int_equal(s->ctx->n_held, 5);
	assert_int_equal(s->stats[TO].held, 5);
	assert_int_equal(s->stats[TO].sent, 0);
	assert_int_equal(s->dev[FROM].rx_done, 1);
	sf_audit(s);

	/* Still busy: the new ones stand behind, and the port is asked once. */
	send_numbered(s, TO, 3, 5, LEN);
	assert_int_equal(s->stats[TO].held, 8);
	sf_audit(s);

	/* Free: those that waited come first, then the new ones. */
	set_busy(s, TO, VS_DROP_NONE);
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].got, 8);
	expect_order(s, TO, 8, 0);
	assert_int_equal(s->stats[TO].held, 0);
	assert_int_equal(s->stats[TO].sent, 8);
	assert_int_equal(s->stats[TO].sent_bytes, 8 * LEN);
	assert_int_equal(s->ctx->n_held, 0);
	assert_int_equal(s->dev[TO].wrong, 0);
	sf_audit(s);
	free_switch(s);
}

/*
 * A guest with several receive rings: another worker is in the way of some frames of a burst. These
 * stay, in front and in their order, the others go.
 */
static void test_some_wait(void **state)
{
	struct sf *s = new_switch();
	uint8_t *fate = s->dev[TO].fate;

	fate[1] = fate[3] = VS_DROP_TX_BUSY;
	send_numbered(s, TO, 5, 0, LEN);
	assert_int_equal(s->dev[TO].got, 3);
	assert_int_equal(s->stats[TO].sent, 3);
	assert_int_equal(s->stats[TO].held, 2);
	sf_audit(s);

	/* 1 and 3 wait: the new ones stand behind, whoever they are for. */
	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 3, 5, LEN);
	assert_int_equal(s->stats[TO].held, 5);

	/* 1 3 5 6 7 are offered: 1, 6 and 7 stay; then 1 and 7; then they go. */
	set_busy(s, TO, VS_DROP_NONE);
	fate[0] = fate[3] = fate[4] = VS_DROP_TX_BUSY;
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].order[1], 3);
	assert_int_equal(s->dev[TO].order[2], 5);
	assert_int_equal(s->stats[TO].held, 3);
	set_busy(s, TO, VS_DROP_NONE);
	fate[0] = fate[2] = VS_DROP_TX_BUSY;
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].order[1], 6);
	sf_audit(s);
	set_busy(s, TO, VS_DROP_NONE);
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].order[0], 1);
	assert_int_equal(s->dev[TO].order[1], 7);
	assert_int_equal(s->ctx->n_held, 0);
	assert_int_equal(s->stats[TO].sent, 8);

	/* The last one of the list went while the first stayed: what comes stands behind that. */
	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 2, 10, LEN);
	fate[1] = VS_DROP_NONE;
	vs_held_retry(s->ctx);
	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 1, 12, LEN);
	assert_int_equal(s->stats[TO].held, 2);
	/* Dropped for another reason: that, too, is the end of it. */
	fate[0] = VS_DROP_RX_FULL;
	fate[1] = VS_DROP_NONE;
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].order[1], 12);
	assert_int_equal(sf_drops(s, TO, VS_DROP_RX_FULL), 1);
	assert_int_equal(s->ctx->n_held, 0);
	assert_int_equal(s->dev[TO].wrong, 0);
	sf_audit(s);
	free_switch(s);
}

/* The next visit tries what waits before it sends what it has. */
static void test_next_visit_tries_first(void **state)
{
	struct sf *s = new_switch();

	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 1, 7, LEN);
	set_busy(s, TO, VS_DROP_NONE);
	send_numbered(s, OTHER, 1, 0, LEN);
	assert_int_equal(s->dev[TO].got, 1);
	assert_int_equal(s->dev[TO].order[0], 7);
	assert_int_equal(s->dev[OTHER].got, 1);
	sf_audit(s);
	free_switch(s);
}

/* A port that waits holds no other one up. */
static void test_others_go_on(void **state)
{
	struct sf *s = new_switch();

	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 4, 0, LEN);
	send_numbered(s, OTHER, 4, 0, LEN);
	assert_int_equal(s->dev[OTHER].got, 4);
	assert_int_equal(s->stats[TO].held, 4);
	sf_audit(s);
	free_switch(s);
}

/* What waited meets its fate by name, as if it had been sent at once. */
static void test_late_drop(void **state)
{
	struct sf *s = new_switch();

	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 4, 0, LEN);
	set_busy(s, TO, VS_DROP_NONE);
	s->dev[TO].fate[1] = VS_DROP_RX_FULL;
	vs_held_retry(s->ctx);
	assert_int_equal(sf_drops(s, TO, VS_DROP_RX_FULL), 1);
	assert_int_equal(s->stats[TO].sent, 3);
	assert_int_equal(s->stats[TO].held, 0);
	sf_audit(s);
	free_switch(s);
}

/* A long frame of many pieces comes out as it went in. */
static void test_long_frames(void **state)
{
	static const uint32_t sizes[] = {129, 1514, 4096, 4200, 9014, 65549};
	uint8_t *payload = malloc(VS_CHAIN_BYTES_MAX);
	struct sf *s = new_switch();
	unsigned int i;
	uint32_t b;

	assert_non_null(payload);
	for (b = 0; b < VS_CHAIN_BYTES_MAX; b++)
		payload[b] = (uint8_t)(b * 7 + b / 256);
	set_busy(s, TO, VS_DROP_TX_BUSY);
	for (i = 0; i < RTE_DIM(sizes); i++) {
		uint8_t hdr[VS_HDR_BYTES] = {0};
		struct vs_extent ext[] = {
			{.data = payload, .len = (sizes[i] - VS_HDR_BYTES) / 3},
			{.data = payload + (sizes[i] - VS_HDR_BYTES) / 3,
			 .len = sizes[i] - VS_HDR_BYTES - (sizes[i] - VS_HDR_BYTES) / 3},
		};
		struct vs_pkt pkt = {.hdr = hdr,
				     .hdr_len = sizeof(hdr),
				     .len = sizes[i],
				     .ext = ext,
				     .n_ext = 2};
		struct vs_pkt *list[] = {&pkt};

		hdr[14] = (uint8_t)i;
		s->stats[TO].attempts++;
		vs_held_add(s->ctx, &s->conf->port[TO], list, 1);
	}
	assert_int_equal(s->stats[TO].held, RTE_DIM(sizes));
	set_busy(s, TO, VS_DROP_NONE);
	for (b = 0; b < VS_CHAIN_BYTES_MAX; b++)
		payload[b] = (uint8_t)~payload[b];
	s->dev[TO].whole = malloc(VS_CHAIN_BYTES_MAX);
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].got, RTE_DIM(sizes));
	/* The last one, byte by byte; the sender has changed its own meanwhile. */
	assert_int_equal(s->dev[TO].last_len, 65549);
	for (b = 0; b < 65549 - VS_HDR_BYTES; b++)
		assert_int_equal(s->dev[TO].whole[VS_HDR_BYTES + b], (uint8_t)~payload[b]);
	free(s->dev[TO].whole);
	free(payload);
	free_switch(s);
}

/* No port takes all the buffers, and what finds none is dropped by name. */
static void test_bounds(void **state)
{
	struct sf *s = new_switch();
	unsigned int sent = 0;

	set_busy(s, TO, VS_DROP_TX_BUSY);
	set_busy(s, OTHER, VS_DROP_TX_BUSY);
	for (; sent < 2 * VS_HELD_PORT_CHUNKS; sent += VS_BURST_MAX)
		send_numbered(s, TO, VS_BURST_MAX, 0, LEN);
	assert_int_equal(s->stats[TO].held, VS_HELD_PORT_CHUNKS);
	assert_int_equal(sf_drops(s, TO, VS_DROP_TX_BUSY), sent - VS_HELD_PORT_CHUNKS);
	sf_audit(s);
	send_numbered(s, OTHER, VS_BURST_MAX, 0, LEN);
	assert_int_equal(s->stats[OTHER].held, VS_BURST_MAX);
	set_busy(s, TO, VS_DROP_NONE);
	set_busy(s, OTHER, VS_DROP_NONE);
	vs_held_retry(s->ctx);
	assert_int_equal(s->ctx->n_held, 0);
	assert_int_equal(s->dev[TO].got, VS_HELD_PORT_CHUNKS);
	assert_int_equal(s->dev[OTHER].got, VS_BURST_MAX);
	sf_audit(s);
	/* All buffers are back: the same once more. */
	set_busy(s, TO, VS_DROP_TX_BUSY);
	for (sent = 0; sent < VS_HELD_PORT_CHUNKS; sent += VS_BURST_MAX)
		send_numbered(s, TO, VS_BURST_MAX, 0, LEN);
	assert_int_equal(s->stats[TO].held, VS_HELD_PORT_CHUNKS);
	sf_audit(s);
	free_switch(s);
}

/* A worker that has no buffers drops. */
static void test_no_buffers(void **state)
{
	struct sf *s = new_switch();

	vs_held_free(s->ctx->held);
	s->ctx->held = NULL;
	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 2, 0, LEN);
	assert_int_equal(sf_drops(s, TO, VS_DROP_TX_BUSY), 2);
	sf_audit(s);
	free_switch(s);
}

/* The sender's memory went while its frame was copied, here or seen by another thread. */
static void test_memory_lost(void **state)
{
	struct sf *s = new_switch();
	const uint32_t lost = 1;
	unsigned int way;

	set_busy(s, TO, VS_DROP_TX_BUSY);
	for (way = 0; way < 2; way++) {
		vs_mem_begin();
		if (way)
			vs_mem_source = &lost;
		else
			vs_mem_faults = 1;
		send_numbered(s, TO, 1, 0, LEN);
		assert_int_equal(sf_drops(s, TO, VS_DROP_MEM_LOST), way + 1);
		assert_int_equal(s->ctx->n_held, 0);
	}
	/* Frames that are ours already do not share the fate of the visit that is open. */
	vs_mem_begin();
	send_numbered(s, TO, 1, 0, LEN);
	vs_mem_faults = 1;
	s->dev[TO].mem_lost = vs_mem_is_lost;
	set_busy(s, TO, VS_DROP_NONE);
	vs_held_retry(s->ctx);
	assert_int_equal(s->stats[TO].sent, 1);
	assert_false(s->dev[TO].was_lost);
	assert_int_equal(vs_mem_faults, 1);
	vs_mem_begin();
	sf_audit(s);
	free_switch(s);
}

/* A new configuration: what may not leave any more goes by name, the rest stays in order. */
static void test_review(void **state)
{
	static const uint16_t list[] = {10, 20, 0};
	struct sf *s = new_switch();

	set_busy(s, TO, VS_DROP_TX_BUSY);
	set_busy(s, OTHER, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 3, 0, LEN);
	send_numbered(s, TO, 1, 3, 1000);
	send_numbered(s, TO, 1, 4, LEN);
	send_numbered(s, OTHER, 2, 0, LEN);

	s->conf->port[TO].max_frame = 500;
	s->conf->port[OTHER].flags = 0;
	vs_held_review(s->ctx);
	assert_int_equal(sf_drops(s, TO, VS_DROP_MTU_OUT), 1);
	assert_int_equal(sf_drops(s, OTHER, VS_DROP_PORT_DOWN), 2);
	assert_int_equal(s->stats[OTHER].held, 0);
	assert_int_equal(s->stats[TO].held, 4);
	sf_audit(s);

	/* On other VLANs, the one it was on among them or not: the form is not the same. */
	sf_trunk(s, TO, list, 20);
	vs_held_review(s->ctx);
	assert_int_equal(sf_drops(s, TO, VS_DROP_VLAN_OUT), 4);
	assert_int_equal(s->ctx->n_held, 0);
	sf_audit(s);
	free_switch(s);
}

/* The port is moved to another switch and keeps its id: what is of the old one stays there. */
static void test_review_other_switch(void **state)
{
	static const uint16_t list[] = {10, 20, 0};
	static uint16_t fid_of_vid[VS_VIDS_MAX];
	struct sf *s = new_switch();
	struct vs_trunk moved;

	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 3, 0, LEN);
	vs_held_review(s->ctx);
	assert_int_equal(s->stats[TO].held, 3);
	s->conf->port[TO].sw = 1;
	s->conf->port[TO].fid = SF_FID + 1;
	vs_held_review(s->ctx);
	assert_int_equal(sf_drops(s, TO, VS_DROP_VLAN_OUT), 3);
	assert_int_equal(s->ctx->n_held, 0);
	s->conf->port[TO].sw = 0;
	s->conf->port[TO].fid = SF_FID;
	sf_audit(s);

	/* The same with a tag. */
	sf_trunk(s, FROM, list, 0);
	sf_trunk(s, TO, list, 0);
	sf_domains(s);
	moved = *s->conf->port[TO].trunk;
	memcpy(fid_of_vid, moved.fid_of_vid, sizeof(fid_of_vid));
	fid_of_vid[10]++;
	moved.fid_of_vid = fid_of_vid;
	send_tagged(s, 10, 2);
	send_tagged(s, 20, 1);
	assert_int_equal(s->stats[TO].held, 3);
	vs_held_review(s->ctx);
	assert_int_equal(s->stats[TO].held, 3);
	s->conf->port[TO].trunk = &moved;
	vs_held_review(s->ctx);
	assert_int_equal(sf_drops(s, TO, VS_DROP_VLAN_OUT), 5);
	assert_int_equal(s->stats[TO].held, 1);
	sf_audit(s);
	free_switch(s);
}

static void test_review_keeps_order(void **state)
{
	struct sf *s = new_switch();

	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 1, 0, LEN);
	send_numbered(s, TO, 1, 99, 1000);
	send_numbered(s, TO, 3, 1, LEN);
	s->conf->port[TO].max_frame = 500;
	vs_held_review(s->ctx);
	vs_held_review(s->ctx);
	set_busy(s, TO, VS_DROP_NONE);
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].got, 4);
	expect_order(s, TO, 4, 0);
	sf_audit(s);
	free_switch(s);
}

/* Copies of a flood wait for the one port that is busy. */
static void test_flood(void **state)
{
	struct sf *s = new_switch();

	set_busy(s, TO, VS_DROP_TX_BUSY);
	sf_begin(s);
	sf_frame(s, FROM, sf_broadcast(), sf_mac(FROM), LEN);
	sf_visit(s, FROM, 0);
	assert_int_equal(s->stats[TO].held, 1);
	assert_int_equal(s->dev[OTHER].got, 1);
	sf_audit(s);
	set_busy(s, TO, VS_DROP_NONE);
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].got, 1);
	sf_audit(s);
	free_switch(s);
}

/* A frame that owes its checksum, to a port that takes it so, between two that owe nothing. */
static struct sf *hold_debt(void)
{
	struct sf *s = new_switch();
	struct vs_pkt *pkt;

	s->dev[FROM].rights = VS_OFFLOAD_CSUM;
	s->dev[TO].caps = VS_OFFLOAD_CSUM;
	set_busy(s, TO, VS_DROP_TX_BUSY);
	send_numbered(s, TO, 1, 0, LEN);
	sf_begin(s);
	pkt = sf_frame(s, FROM, sf_mac(TO), sf_mac(FROM), LEN);
	pkt->hdr[14] = 1;
	pkt->vnet.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	pkt->vnet.hdr.csum_start = htole16(34);
	pkt->vnet.hdr.csum_offset = htole16(16);
	sf_visit(s, FROM, 0);
	send_numbered(s, TO, 1, 2, LEN);
	assert_int_equal(s->stats[TO].held, 3);
	set_busy(s, TO, VS_DROP_NONE);
	return s;
}

/* The port cannot do it any more: its guest has restarted with fewer features. Others go on. */
static void test_takes_less_now(void **state)
{
	struct sf *s = hold_debt();

	s->dev[TO].caps = 0;
	vs_held_retry(s->ctx);
	assert_int_equal(sf_drops(s, TO, VS_DROP_GSO_FAILED), 1);
	/* In two calls, the one before it and the one behind it. */
	assert_int_equal(s->dev[TO].got, 2);
	expect_order(s, TO, 1, 2);
	assert_int_equal(s->dev[TO].wrong, 0);
	assert_int_equal(s->ctx->n_held, 0);
	sf_audit(s);
	free_switch(s);
}

/* It was only switched off, for the frames that come: what is under way is not lost. */
static void test_switched_off_meanwhile(void **state)
{
	struct sf *s = hold_debt();

	s->conf->port[TO].offload_off = VS_OFFLOAD_CSUM;
	vs_held_review(s->ctx);
	vs_held_retry(s->ctx);
	assert_int_equal(s->dev[TO].got, 3);
	expect_order(s, TO, 3, 0);
	assert_int_equal(s->dev[TO].wrong, 0);
	assert_int_equal(sf_all_drops(s, TO, VS_DROP_SIDE_OUT), 0);
	sf_audit(s);
	free_switch(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trylock),
		cmocka_unit_test(test_waits_in_order),
		cmocka_unit_test(test_some_wait),
		cmocka_unit_test(test_next_visit_tries_first),
		cmocka_unit_test(test_others_go_on),
		cmocka_unit_test(test_late_drop),
		cmocka_unit_test(test_long_frames),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_no_buffers),
		cmocka_unit_test(test_memory_lost),
		cmocka_unit_test(test_review),
		cmocka_unit_test(test_review_other_switch),
		cmocka_unit_test(test_review_keeps_order),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_takes_less_now),
		cmocka_unit_test(test_switched_off_meanwhile),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
