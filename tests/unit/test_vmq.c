/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of uplinks: the life of one, the table of filters, and that sorting changes nothing that
 * anybody outside can see: random frames through a switch with queues and through one without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stages_fixture.h"

#include "vmq/vmq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the life of a queue */

static void test_life(void **state)
{
	static const struct {
		enum vs_vmq_event event;
		enum vs_vmq_state to;
	} life[] = {
		{VS_VMQ_ALLOCATE, VS_VMQ_ALLOCATED}, {VS_VMQ_SET_FILTER, VS_VMQ_FILTER_SET},
		{VS_VMQ_RUN, VS_VMQ_RUNNING},        {VS_VMQ_SET_FILTER, VS_VMQ_RUNNING},
		{VS_VMQ_RUN, VS_VMQ_RUNNING},        {VS_VMQ_CLEAR, VS_VMQ_CLEARED},
		{VS_VMQ_STOP, VS_VMQ_STOPPED},       {VS_VMQ_RETURN, VS_VMQ_RETURNED},
		{VS_VMQ_RELEASE, VS_VMQ_FREE},
	};
	int at = VS_VMQ_FREE;
	unsigned int i;

	for (i = 0; i < RTE_DIM(life); i++) {
		at = vs_vmq_step(at, life[i].event);
		assert_int_equal(at, life[i].to);
	}
	assert_string_equal(vs_vmq_state_name(VS_VMQ_RETURNED), "buffers-returned");
	assert_string_equal(vs_vmq_state_name(VS_VMQ_STATES), "unknown");
}

/* All pairs: what is not in this table cannot happen. */
static void test_no_other_way(void **state)
{
	static const char *const may[VS_VMQ_STATES] = {
		/* allocate, filter, run, clear, stop, return, release */
		[VS_VMQ_FREE] = "1......",       [VS_VMQ_ALLOCATED] = ".2....0",
		[VS_VMQ_FILTER_SET] = ".234...", [VS_VMQ_RUNNING] = ".334...",
		[VS_VMQ_CLEARED] = "....5..",    [VS_VMQ_STOPPED] = ".....6.",
		[VS_VMQ_RETURNED] = "......0",
	};
	unsigned int s;
	unsigned int e;

	for (s = 0; s < VS_VMQ_STATES; s++) {
		for (e = 0; e < VS_VMQ_EVENTS; e++)
			assert_int_equal(vs_vmq_step(s, e),
					 may[s][e] == '.' ? -EINVAL : may[s][e] - '0');
	}
	assert_int_equal(vs_vmq_step(VS_VMQ_STATES, VS_VMQ_RUN), -EINVAL);
	assert_int_equal(vs_vmq_step(VS_VMQ_FREE, VS_VMQ_EVENTS), -EINVAL);
}

/* ---- the table */

static struct rte_ether_addr nth_mac(unsigned int n)
{
	return (struct rte_ether_addr){
		{0x02, 0x11, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static void test_table(void **state)
{
	const unsigned int sizes[] = {0, 1, 2, 3, 4, 7, 8, 100, 1000};
	const struct rte_ether_addr group = {{1, 0, 0x5e, 0, 0, 1}};
	unsigned int k;
	unsigned int i;

	for (k = 0; k < RTE_DIM(sizes); k++) {
		struct vs_vmq *vmq = vs_vmq_new(sizes[k], k);
		struct rte_ether_addr mac;

		assert_non_null(vmq);
		for (i = 0; i < sizes[k]; i++) {
			mac = nth_mac(i / 2);
			assert_int_equal(vs_vmq_add(vmq, &mac, i % 2 ? 4094 : 0, (uint16_t)i), 0);
			assert_int_equal(vs_vmq_add(vmq, &mac, i % 2 ? 4094 : 0, (uint16_t)i), 0);
			assert_int_equal(vs_vmq_add(vmq, &mac, i % 2 ? 4094 : 0, 2000), -EEXIST);
		}
		assert_int_equal(vs_vmq_add(vmq, &group, 0, 1), -EINVAL);
		for (i = 0; i < sizes[k]; i++) {
			mac = nth_mac(i / 2);
			assert_int_equal(vs_vmq_find(vmq, vs_vmq_key(&mac, i % 2 ? 4094 : 0)), i);
			assert_int_equal(vs_vmq_find(vmq, vs_vmq_key(&mac, 7)), VS_VMQ_DEFAULT);
		}
		/* However much is put in, a search ends. */
		for (i = 0; i < 5000; i++) {
			mac = nth_mac(100000 + i);
			if (vs_vmq_add(vmq, &mac, 1, 1) == -ENOSPC)
				break;
		}
		assert_true(i < 5000);
		mac = nth_mac(200000);
		assert_int_equal(vs_vmq_find(vmq, vs_vmq_key(&mac, 1)), VS_VMQ_DEFAULT);
		vs_vmq_free(vmq);
	}
}

/* ---- two switches */

enum {
	UPLINK = 0,
	FRAMES = 1000000,
	SEED = 20240607,
};

/*
 * Ports 1 and 2 have one address on two VLANs, 3 is on the untagged one, 4 is a trunk that has two
 * of them, 5 has no address of its own, and one that it shares with 1.
 */
static const struct {
	uint16_t port;
	uint16_t vid;
	unsigned int mac;
} given[] = {{1, 10, 1}, {2, 20, 1}, {3, 0, 3}, {4, 10, 4}, {4, 20, 4}, {4, 30, 4}};

/* An address of ports 1 and 5, on VLAN 10. */
static void share_address(struct sf *s)
{
	static uint16_t members[] = {1, 5};
	struct rte_ether_addr mac = sf_mac(5);
	uint16_t old;

	s->conf->group[0] = (struct vs_group){.members = members, .n = 2, .fid = sf_fid(10)};
	(void)vs_fdb_learn(s->fdb, sf_fid(10), &mac, VS_FDB_GROUP_BASE, VS_FDB_STATIC,
			   s->ctx->now_s, &old);
}

static struct sf *make_world(uint16_t native)
{
	static const uint16_t all[] = {10, 20, 30, 0};
	struct sf *s = sf_new();
	uint16_t old;
	unsigned int i;

	sf_trunk(s, UPLINK, all, native);
	sf_access(s, 1, 10);
	sf_access(s, 2, 20);
	sf_trunk(s, 4, all, 0);
	sf_access(s, 5, 10);
	sf_domains(s);
	for (i = 0; i < RTE_DIM(given); i++) {
		struct rte_ether_addr mac = sf_mac(given[i].mac);

		(void)vs_fdb_learn(s->fdb, sf_fid(given[i].vid), &mac, given[i].port, VS_FDB_STATIC,
				   s->ctx->now_s, &old);
	}
	share_address(s);
	return s;
}

static struct vs_vmq *make_queues(struct sf *s)
{
	static struct vs_vmq *queues[1];
	unsigned int i;

	queues[0] = vs_vmq_new(RTE_DIM(given), SEED);
	assert_non_null(queues[0]);
	for (i = 0; i < RTE_DIM(given); i++) {
		struct rte_ether_addr mac = sf_mac(given[i].mac);

		assert_int_equal(vs_vmq_add(queues[0], &mac, given[i].vid, given[i].port), 0);
	}
	s->conf->vmq = queues;
	s->conf->n_vmqs = 1;
	s->conf->port[UPLINK].vmq = 1;
	s->conf->port[UPLINK].path = VS_PATH_QUEUES;
	return queues[0];
}

static uint64_t next(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng;
}

/* The same frame for both; what stands behind the addresses is of one of these kinds. */
static void put(struct sf *s, uint64_t a, uint64_t b)
{
	static const uint16_t vids[] = {0, 10, 20, 30, 40, 4095};
	const struct rte_ether_addr dst =
		a % 16 == 0 ? sf_broadcast()
		: a % 16 == 1
			? (struct rte_ether_addr){{1, 0x80, 0xc2, 0, 0, (uint8_t)(a >> 8 & 31)}}
			: sf_mac(a >> 4 & 7);
	const uint32_t lens[] = {15, 17, 18, 60, 128, 1514, 1518, 1519};
	struct vs_pkt *pkt =
		sf_frame(s, UPLINK, dst, sf_mac(0x40 + (a >> 16 & 3)), lens[a >> 32 & 7]);
	uint16_t tci = (uint16_t)(vids[b % 6] | (b >> 8 & 7) << 13);
	uint8_t *at = pkt->hdr + 12;

	switch (b >> 16 & 7) {
	case 0:
	case 1:
		return;
	case 2:
		memcpy(at, "\x88\xa8\x00\x0a\x08\x00", 6);
		return;
	case 3:
		memcpy(at, "\x81\x00\x00\x0a\x81\x00\x00\x14\x08\x00", 10);
		break;
	default:
		memcpy(at, "\x81\x00\x00\x0a\x08\x00", 6);
	}
	at[2] = (uint8_t)(tci >> 8);
	at[3] = (uint8_t)tci;
}

/* All that anybody outside can see, in one number (FNV-1a). */
static uint64_t digest(const struct sf *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	unsigned int p;
	unsigned int i;

	for (p = 0; p < SF_PORTS; p++) {
		struct vs_port_stats stats = s->stats[p];
		const struct sf_dev *dev = &s->dev[p];
		const uint64_t *word = (const uint64_t *)&stats;

		stats.vmq_frames = stats.vmq_bytes = stats.vmq_astray = 0;
		for (i = 0; i < offsetof(struct vs_port_stats, samples) / sizeof(*word); i++)
			h = (h ^ word[i]) * UINT64_C(0x100000001b3);
		h = (h ^ dev->got_bytes) * UINT64_C(0x100000001b3);
		for (i = 0; i < RTE_MIN(dev->last_len, 64u); i++)
			h = (h ^ dev->last[i]) * UINT64_C(0x100000001b3);
		for (i = 0; i < VS_BURST_MAX; i++)
			h = (h ^ dev->order[i]) * UINT64_C(0x100000001b3);
	}
	return h;
}

static void check_queues(const struct sf *s)
{
	uint64_t sorted = 0;
	unsigned int p;

	for (p = 0; p < SF_PORTS; p++)
		sorted += s->stats[p].vmq_frames;
	/* Each frame fell into one queue, and a good part of them not into the default one. */
	assert_int_equal(sorted, s->stats[UPLINK].received);
	assert_true(s->stats[UPLINK].vmq_frames < sorted);
	assert_true(s->stats[1].vmq_frames && s->stats[2].vmq_frames);
	assert_true(s->stats[4].vmq_frames && !s->stats[5].vmq_frames);
	/* The shared address came, and was copied. */
	assert_true(s->stats[5].sent);
}

/* Who sorts frames, before the switch does. */
enum sorter {
	NO_QUEUES,
	NOBODY, /* the switch alone does */
	BADLY,  /* each of ports 1 to 4 has a hw queue, and in those is whatever comes */
};

/*
 * A row of visits that follows from the seed; ports go down and up in between. @seen: digests of
 * the run without queues, written by that, compared by those with them.
 */
static void run(uint16_t native, unsigned int frames, enum sorter sorter, uint64_t *seen)
{
	bool queues = sorter != NO_QUEUES;
	struct sf *s = make_world(native);
	struct vs_vmq *vmq = queues ? make_queues(s) : NULL;
	uint64_t rng = SEED + native;
	unsigned int visit = 0;
	unsigned int done;
	unsigned int i;

	for (i = 1; i <= 4 && sorter == BADLY; i++)
		vmq->owner[i] = (uint16_t)i;
	for (done = 0; done < frames; visit++) {
		unsigned int n = (unsigned int)(1 + next(&rng) % VS_BURST_MAX);
		uint16_t port = (uint16_t)(1 + next(&rng) % (SF_PORTS - 1));

		if (next(&rng) % 8 == 0)
			s->conf->port[port].flags ^= VS_PORT_UP;
		for (; n; n--, done++) {
			uint64_t a = next(&rng);

			put(s, a, next(&rng));
		}
		sf_visit(s, UPLINK, (uint16_t)(visit % 6));
		if (!queues)
			seen[visit] = digest(s);
		else if (seen[visit] != digest(s))
			fail_msg("seed %d native %u sorter %d: visit %u, before frame %u, differs",
				 SEED, native, (int)sorter, visit, done);
	}
	sf_audit(s);
	if (queues)
		check_queues(s);
	vs_vmq_free(vmq);
	sf_free(s);
}

static void agree(uint16_t native, unsigned int frames)
{
	uint64_t *seen = calloc(frames, sizeof(*seen));

	assert_non_null(seen);
	run(native, frames, NO_QUEUES, seen);
	run(native, frames, NOBODY, seen);
	run(native, frames, BADLY, seen);
	free(seen);
}

static void test_agree(void **state)
{
	agree(0, FRAMES);
}

static void test_agree_native(void **state)
{
	agree(10, FRAMES / 5);
}

/* That it can fail: a filter that says other than the table of addresses. */
static void test_filter_decides(void **state)
{
	struct sf *s = make_world(0);
	struct vs_vmq *vmq = make_queues(s);
	struct rte_ether_addr other = nth_mac(9);

	vs_vmq_free(vmq);
	vmq = vs_vmq_new(1, 1);
	assert_int_equal(vs_vmq_add(vmq, &other, 10, 5), 0);
	s->conf->vmq[0] = vmq;
	memcpy(sf_frame(s, UPLINK, other, sf_mac(0x40), 60)->hdr + 12, "\x81\x00\x00\x0a\x08\x00",
	       6);
	sf_visit(s, UPLINK, 0);
	assert_int_equal(s->dev[5].got, 1);
	assert_int_equal(s->stats[5].vmq_frames, 1);
	assert_int_equal(s->stats[5].vmq_bytes, 60);
	assert_int_equal(s->stats[UPLINK].forwarded, 1);
	vs_vmq_free(vmq);
	sf_free(s);
}

/* A frame to @mac in VLAN @vid, with a tag even if that is 0. */
static void put_tagged(struct sf *s, unsigned int mac, uint16_t vid)
{
	uint8_t *at = sf_frame(s, UPLINK, sf_mac(mac), sf_mac(0x40), 60)->hdr + 12;

	memcpy(at, "\x81\x00\x00\x00\x08\x00", 6);
	at[2] = (uint8_t)(vid >> 8);
	at[3] = (uint8_t)vid;
}

/*
 * A hw queue that is a port's own: what it should not have delivered goes where it belongs, and is
 * told of.
 */
static void test_own_queue(void **state)
{
	struct sf *s = make_world(0);
	struct vs_vmq *vmq = make_queues(s);

	vmq->owner[1] = 1;
	put_tagged(s, 1, 10);
	put_tagged(s, 1, 10);
	put_tagged(s, 1, 20);                             /* another VLAN: port 2 */
	put_tagged(s, 4, 10);                             /* another address: port 4 */
	put_tagged(s, 4, 30);                             /* the same queue, another head */
	put_tagged(s, 1, 30);                             /* in nobody's filter */
	sf_frame(s, UPLINK, sf_mac(1), sf_mac(0x40), 60); /* no tag: nor that */
	sf_frame(s, UPLINK, sf_mac(3), sf_mac(0x40), 60);
	sf_frame(s, UPLINK, sf_broadcast(), sf_mac(0x40), 60);
	sf_visit(s, UPLINK, 1);
	assert_int_equal(s->stats[1].vmq_frames, 2);
	assert_int_equal(s->stats[1].vmq_bytes, 120);
	assert_int_equal(s->stats[2].vmq_frames, 1);
	assert_int_equal(s->stats[3].vmq_frames, 1);
	assert_int_equal(s->stats[4].vmq_frames, 2);
	assert_int_equal(s->stats[UPLINK].vmq_frames, 3);
	assert_int_equal(s->stats[1].vmq_astray, 7);
	assert_int_equal(s->stats[1].forwarded + s->stats[2].vmq_astray, 0);
	sf_audit(s);

	/* The same from a queue that is nobody's. */
	put_tagged(s, 4, 10);
	sf_visit(s, UPLINK, 0);
	assert_int_equal(s->stats[4].vmq_frames, 3);
	assert_int_equal(s->stats[1].vmq_astray, 7);
	vs_vmq_free(vmq);
	sf_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),         cmocka_unit_test(test_no_other_way),
		cmocka_unit_test(test_table),        cmocka_unit_test(test_agree),
		cmocka_unit_test(test_agree_native), cmocka_unit_test(test_filter_decides),
		cmocka_unit_test(test_own_queue),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
