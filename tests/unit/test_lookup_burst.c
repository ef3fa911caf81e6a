/* SPDX-License-Identifier: BSD-3-Clause */
/* The lookup stage: a burst is what its frames are, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stages_fixture.h"

#include <stdlib.h>
#include <string.h>

/* One of a few addresses, known and unknown. */
static struct rte_ether_addr pick_mac(unsigned int seed)
{
	unsigned int n = seed % 8;

	return n == 7 ? sf_broadcast() : sf_mac(n % SF_PORTS);
}

/* The frames of a burst, in runs of 1 to 4 of one flow, or with one byte that differs. */
static unsigned int make_frames(struct sf *s, unsigned int seed)
{
	unsigned int n = 0;

	srand(seed);
	while (n < 32) {
		unsigned int again = (unsigned int)rand() % 4 + 1;
		struct rte_ether_addr dst = pick_mac((unsigned int)rand());
		struct rte_ether_addr src = sf_mac((unsigned int)rand() % 3 + 2);
		uint16_t fid = sf_fid(rand() % 4 ? 0 : 10);

		while (again--) {
			struct vs_pkt *pkt = sf_frame(s, 1, dst, src, 100);

			pkt->fid = fid;
			if (rand() % 8 == 0)
				pkt->drop = VS_DROP_RUNT;
			if (rand() % 8 == 0)
				pkt->hdr[rand() % 12] ^= 0x80;
			n++;
		}
	}
	return n;
}

/* Return: the ports that frame @index of the burst goes to, a bit each. */
static unsigned int receivers(const struct sf *s, unsigned int index)
{
	unsigned int mask = 0;
	unsigned int i;
	unsigned int k;

	for (i = 0; i < SF_PORTS; i++) {
		for (k = 0; k < s->ctx->out[i].n; k++)
			mask |= (unsigned int)(s->ctx->out[i].pkt[k] == index) << i;
	}
	return mask;
}

/* Some of the addresses of pick_mac() are known, one of them at the port they come from. */
static struct sf *make_world(void)
{
	struct sf *s = sf_new();

	sf_learn(s, sf_mac(0), 0, VS_FDB_LEARNT);
	sf_learn(s, sf_mac(2), 1, VS_FDB_LEARNT);
	sf_learn(s, sf_mac(3), 1, VS_FDB_STATIC);
	sf_learn(s, sf_mac(5), 5, VS_FDB_LEARNT);
	sf_begin(s);
	return s;
}

/* What became of the frames of a burst. */
struct outcome {
	unsigned int n;
	unsigned int to[VS_BURST_MAX]; /* ports, a bit each */
	uint8_t drop[VS_BURST_MAX];
	uint64_t forwarded;
	unsigned int events;
};

/* Look a burst up as a whole. @ret_burst: what it was before */
static void look_up_burst(unsigned int seed, struct vs_burst *ret_burst,
			  struct outcome *ret_outcome)
{
	struct sf *s = make_world();
	unsigned int i;

	ret_outcome->n = make_frames(s, seed);
	*ret_burst = *s->burst;
	vs_lookup(s->ctx, s->burst);
	for (i = 0; i < ret_outcome->n; i++) {
		ret_outcome->to[i] = receivers(s, i);
		ret_outcome->drop[i] = s->burst->pkt[i].drop;
	}
	ret_outcome->forwarded = s->stats[1].forwarded;
	ret_outcome->events = sf_events(s, NULL);
	sf_free(s);
}

/* The same frames, each in a burst of its own. */
static void look_up_alone(const struct vs_burst *burst, struct outcome *ret_outcome)
{
	struct sf *s = make_world();
	unsigned int i;

	ret_outcome->n = burst->n;
	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt;

		sf_begin(s);
		pkt = sf_frame(s, 1, sf_mac(0), sf_mac(2), 100);
		memcpy(pkt->hdr, burst->hdr[i].bytes, 14);
		pkt->fid = burst->pkt[i].fid;
		pkt->drop = burst->pkt[i].drop;
		vs_lookup(s->ctx, s->burst);
		ret_outcome->to[i] = receivers(s, 0);
		ret_outcome->drop[i] = pkt->drop;
	}
	ret_outcome->forwarded = s->stats[1].forwarded;
	ret_outcome->events = sf_events(s, NULL);
	sf_free(s);
}

/* A frame goes where it would go alone, and is learnt from, whatever stands before it. */
static void test_burst_is_its_frames(void **state)
{
	struct vs_burst *burst = malloc(sizeof(*burst));
	struct outcome whole;
	struct outcome alone;
	unsigned int seed;
	unsigned int i;

	assert_non_null(burst);
	for (seed = 1; seed <= 300; seed++) {
		look_up_burst(seed, burst, &whole);
		look_up_alone(burst, &alone);
		for (i = 0; i < whole.n; i++) {
			if (whole.to[i] != alone.to[i] || whole.drop[i] != alone.drop[i])
				fail_msg("seed %u, frame %u: alone it goes to %x (%s), not %x (%s)",
					 seed, i, alone.to[i], vs_drop_name(alone.drop[i]),
					 whole.to[i], vs_drop_name(whole.drop[i]));
		}
		assert_int_equal(whole.forwarded, alone.forwarded);
		assert_int_equal(whole.events, alone.events);
	}
	free(burst);
}

/* A frame that is to be cut counts as what is made of it, for the storm limit and the budget. */
static void test_segments_count(void **state)
{
	const struct vs_debt debt = {.csum = VS_CSUM_PARTIAL,
				     .gso = VS_GSO_TCP4,
				     .hdrs = 54,
				     .gso_size = 48};
	struct sf *s = sf_new();
	unsigned int passed = 0;
	unsigned int i;

	sf_begin(s);
	sf_frame(s, 1, sf_mac(99), sf_mac(1), 54 + 256 * 48)->debt = debt;
	vs_lookup(s->ctx, s->burst);
	assert_int_equal(s->ctx->flooded_bytes, 5 * 256 * (54 + 48));

	s->conf->port[1].storm_pps = 100;
	sf_begin(s);
	for (i = 0; i < 20; i++)
		sf_frame(s, 1, sf_broadcast(), sf_mac(1), 54 + 10 * 48)->debt = debt;
	vs_lookup(s->ctx, s->burst);
	for (i = 0; i < 20; i++)
		passed += s->burst->pkt[i].drop == VS_DROP_NONE;
	assert_int_equal(passed, 10);
	assert_int_equal(sf_drops(s, 1, VS_DROP_STORM), 10);
	sf_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_is_its_frames),
		cmocka_unit_test(test_segments_count),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
