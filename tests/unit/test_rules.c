/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues on a card that sorts by rules: which rules it gets and loses, what happens if it refuses,
 * lies or clings to one, and that its queues are those of the switch's own table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/rules_fake.h"
#include "tests/unit/stages_fixture.h"

#include "vmq/vmq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	UPLINK = 0,
	FRAMES = 1000000,
	SEED = 20240917,
};

static struct fake fake;
static struct vs_rules flow;

static void begin(unsigned int queues)
{
	fake_init(&fake, queues);
	vs_rules_init(&flow, &fake_nic, &fake);
	vs_rules_set_queues(&flow, queues);
}

static struct vs_rules_filter filter(unsigned int mac, uint16_t vid, uint16_t port)
{
	return (struct vs_rules_filter){.mac = sf_mac(mac), .vid = vid, .port = port};
}

/* What was done since the last time. */
static const char *said(void)
{
	static char text[sizeof(fake.log)];

	(void)snprintf(text, sizeof(text), "%s", fake.log);
	fake.log[0] = '\0';
	fake.log_len = 0;
	return text;
}

/* ---- which rules */

static void test_kinds_of_filter(void **state)
{
	const struct vs_rules_filter want[] = {filter(1, 10, 1), filter(1, 20, 2), filter(3, 0, 3)};

	begin(8);
	assert_int_equal(vs_rules_apply(&flow, want, 3, 0), 0);
	/* One address on two VLANs is two ports' */
	assert_int_equal(fake_has(&fake, sf_mac(1), VS_RULES_TAGGED, 10), 1);
	assert_int_equal(fake_has(&fake, sf_mac(1), VS_RULES_TAGGED, 20), 2);
	assert_int_equal(fake_has(&fake, sf_mac(1), VS_RULES_UNTAGGED, 0), -1);
	/* No tag, and one with a priority only. */
	assert_int_equal(fake_has(&fake, sf_mac(3), VS_RULES_UNTAGGED, 0), 3);
	assert_int_equal(fake_has(&fake, sf_mac(3), VS_RULES_TAGGED, 0), 3);
	assert_int_equal(fake.n, 4);
	assert_int_equal(vs_rules_owner(&flow, 0), VS_VMQ_DEFAULT);
	assert_int_equal(vs_rules_owner(&flow, 2), 2);
	assert_int_equal(vs_rules_owner(&flow, 4), VS_VMQ_DEFAULT);
	assert_int_equal(vs_rules_owner(&flow, 1000), VS_VMQ_DEFAULT);

	/* Another native VLAN: there, no tag means 10. */
	assert_int_equal(vs_rules_apply(&flow, want, 3, 10), 0);
	assert_int_equal(fake_has(&fake, sf_mac(1), VS_RULES_UNTAGGED, 0), 1);
	assert_int_equal(fake_has(&fake, sf_mac(1), VS_RULES_TAGGED, 0), 1);
	assert_int_equal(fake_has(&fake, sf_mac(1), VS_RULES_TAGGED, 10), 1);
	assert_int_equal(fake_has(&fake, sf_mac(3), VS_RULES_UNTAGGED, 0), -1);
	assert_int_equal(fake.n, 4);
	assert_int_equal(vs_rules_owner(&flow, 3), VS_VMQ_DEFAULT);
}

static void test_nothing_twice(void **state)
{
	const struct vs_rules_filter want[] = {filter(1, 10, 1), filter(2, 10, 2)};
	unsigned int calls;

	begin(4);
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), 0);
	calls = fake.calls;
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), 0);
	assert_int_equal(fake.calls, calls);
}

/* More ports than queues: the first ones have them. */
static void test_scarce(void **state)
{
	struct vs_rules_filter want[20];
	unsigned int i;

	for (i = 0; i < 20; i++)
		want[i] = filter(i / 2, (uint16_t)(10 + i % 2), (uint16_t)(30 + i / 2));
	begin(4);
	assert_int_equal(vs_rules_apply(&flow, want, 20, 0), 0);
	assert_int_equal(fake.n, 6);
	for (i = 1; i < 4; i++)
		assert_int_equal(vs_rules_owner(&flow, i), 29 + i);
	/* The first one is gone, and the fourth has its queue; the others keep theirs. */
	assert_int_equal(vs_rules_apply(&flow, want + 2, 18, 0), 0);
	assert_int_equal(vs_rules_owner(&flow, 1), 33);
	assert_int_equal(vs_rules_owner(&flow, 2), 31);
	assert_int_equal(vs_rules_owner(&flow, 3), 32);
	assert_int_equal(fake.n, 6);
	begin(1);
	assert_int_equal(vs_rules_apply(&flow, want, 20, 0), -ENOSPC);
	assert_string_equal(flow.why, "this card has one queue only");
	assert_int_equal(vs_rules_apply(&flow, want, 0, 0), 0);
}

/* So that frames that one filter matches do not overtake one another. */
static void test_order(void **state)
{
	const struct vs_rules_filter want[] = {filter(1, 10, 1), filter(2, 10, 2)};

	begin(4);
	assert_int_equal(vs_rules_apply(&flow, want, 1, 0), 0);
	assert_string_equal(said(), "s1 +1 d0 o1 ");
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), 0);
	assert_string_equal(said(), "s2 +2 d0 o2 ");
	assert_int_equal(vs_rules_apply(&flow, want + 1, 1, 0), 0);
	assert_string_equal(said(), "s0 -1 d1 o0 ");
	assert_int_equal(vs_rules_clear(&flow), 0);
	assert_string_equal(said(), "s0 -2 d2 o0 ");
	assert_int_equal(fake.n, 0);
	assert_int_equal(vs_rules_clear(&flow), 0);
	assert_string_equal(said(), "");
}

/* The card was stopped: what it had is not taken away, but made again. */
static void test_forget(void **state)
{
	const struct vs_rules_filter want[] = {filter(1, 10, 1)};

	begin(4);
	assert_int_equal(vs_rules_apply(&flow, want, 1, 0), 0);
	fake_init(&fake, 4);
	vs_rules_forget(&flow);
	vs_rules_set_queues(&flow, 2);
	assert_int_equal(vs_rules_owner(&flow, 1), VS_VMQ_DEFAULT);
	assert_int_equal(vs_rules_apply(&flow, want, 1, 0), 0);
	assert_string_equal(said(), "s1 +1 d0 o1 ");
}

/* ---- a card that refuses */

static void test_no_rules(void **state)
{
	const struct vs_rules_filter want[] = {filter(1, 10, 1), filter(2, 10, 2)};

	begin(4);
	fake.no_rules = true;
	assert_int_equal(vs_rules_probe(&flow, &want[0], 0), -ENOTSUP);
	assert_string_equal(flow.why, "not such a rule");
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), -ENOTSUP);
	assert_string_equal(flow.why, "not such a rule");
	assert_int_equal(vs_rules_owner(&flow, 1), VS_VMQ_DEFAULT);
	assert_false(fake.is_shut[1] || fake.is_shut[2] || fake.is_shut[0]);
	fake.no_rules = false;
	assert_int_equal(vs_rules_probe(&flow, &want[0], 0), 0);
	assert_int_equal(fake.n, 0);
}

static void test_refuses_some(void **state)
{
	const struct vs_rules_filter want[] = {filter(1, 0, 1), filter(2, 10, 2), filter(3, 0, 3)};
	unsigned int nth;

	/* What it does not take is the default queue's, and the queue is another's. */
	begin(4);
	fake.no_tags = true;
	assert_int_equal(vs_rules_apply(&flow, want, 3, 0), 0);
	assert_int_equal(fake.n, 2);
	assert_int_equal(vs_rules_owner(&flow, 2), VS_VMQ_DEFAULT);
	assert_int_equal(vs_rules_owner(&flow, 3), 3);
	for (nth = 1; nth <= 5; nth++) {
		begin(4);
		fake.refuse_nth = nth;
		assert_int_equal(vs_rules_apply(&flow, want, 3, 0), 0);
		/* The first rule of a filter takes the second one with it. */
		assert_int_equal(fake.n, nth == 1 || nth == 4 ? 3 : 4);
		assert_false(fake.is_shut[1] || fake.is_shut[2] || fake.is_shut[3]);
		assert_int_equal(vs_rules_clear(&flow), 0);
		assert_int_equal(fake.n, 0);
	}
}

static void test_full(void **state)
{
	struct vs_rules_filter want[10];
	unsigned int i;

	for (i = 0; i < 10; i++)
		want[i] = filter(i, 10, (uint16_t)(1 + i));
	for (i = 0; i < 10; i++) {
		begin(16);
		fake.capacity = i;
		assert_int_equal(vs_rules_apply(&flow, want, 10, 0), i ? 0 : -ENOSPC);
		assert_int_equal(fake.n, i);
		/* It does not ask on and on. */
		assert_int_equal(fake.calls, 2 * (i + 1));
		assert_int_equal(vs_rules_owner(&flow, i + 1), VS_VMQ_DEFAULT);
	}
}

/* ---- a card that does what it was not told */

static void test_clings(void **state)
{
	const struct vs_rules_filter want[] = {filter(1, 10, 1), filter(2, 10, 2)};

	begin(4);
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), 0);
	fake.keeps = true;
	assert_int_equal(vs_rules_apply(&flow, want, 1, 0), -EIO);
	assert_non_null(strstr(flow.why, "does not let go"));
	assert_true(flow.quarantined);
	/* Of none of its queues anything is promised, and none is shut. */
	assert_int_equal(vs_rules_owner(&flow, 1), VS_VMQ_DEFAULT);
	assert_int_equal(vs_rules_owner(&flow, 2), VS_VMQ_DEFAULT);
	assert_false(fake.is_shut[0]);
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), -EIO);
	/* It is still clinging. */
	vs_rules_release(&flow);
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), -EIO);
	fake.keeps = false;
	vs_rules_release(&flow);
	assert_int_equal(fake.n, 0);
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), 0);
	assert_int_equal(fake.n, 2);
}

static void test_judge(void **state)
{
	const struct vs_rules_filter want[] = {filter(1, 10, 1), filter(2, 10, 2)};

	begin(4);
	assert_false(vs_rules_judge(&flow, 1000));
	assert_int_equal(vs_rules_apply(&flow, want, 1, 0), 0);
	/* On their way while rules were changed. */
	assert_false(vs_rules_judge(&flow, 9000));
	assert_false(vs_rules_judge(&flow, 9000 + VS_RULES_ASTRAY_MAX - 1));
	/* A port is gone with its counters. */
	assert_false(vs_rules_judge(&flow, 10));
	/* Changed once more: it begins anew. */
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), 0);
	assert_false(vs_rules_judge(&flow, 500));
	assert_false(vs_rules_judge(&flow, 500 + VS_RULES_ASTRAY_MAX - 1));
	assert_int_equal(fake.n, 2);
	/* Half is forgiven each time: 31, and 33 more. */
	assert_false(vs_rules_judge(&flow, 500 + VS_RULES_ASTRAY_MAX - 1));
	assert_false(vs_rules_judge(&flow, 500 + VS_RULES_ASTRAY_MAX + 40));
	assert_true(vs_rules_judge(&flow, 500 + VS_RULES_ASTRAY_MAX + 40 + 36));
	assert_string_equal(flow.why,
			    "quarantined: the card put 64 frames into queues of other ports");
	assert_int_equal(fake.n, 0);
	assert_int_equal(vs_rules_owner(&flow, 1), VS_VMQ_DEFAULT);
	assert_false(vs_rules_judge(&flow, 100000));
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), -EIO);
	assert_non_null(strstr(flow.why, "quarantined"));
	vs_rules_release(&flow);
	assert_int_equal(vs_rules_apply(&flow, want, 2, 0), 0);
	assert_int_equal(fake.n, 2);
}

/* ---- frames */

/* Ports 1 and 2: one address, two VLANs. 3: no tag. 4: a trunk. */
static unsigned int all_filters(struct vs_rules_filter *want)
{
	const struct vs_rules_filter all[] = {filter(1, 10, 1), filter(1, 20, 2), filter(3, 0, 3),
					      filter(4, 10, 4), filter(4, 20, 4), filter(4, 30, 4)};

	memcpy(want, all, sizeof(all));
	return RTE_DIM(all);
}

static uint64_t next(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng;
}

/* A frame into the burst that is being made up, as anybody out there may send it. */
static void put(struct vs_burst *burst, struct vs_hdr_slot *slot, uint64_t a, uint64_t b)
{
	static const uint16_t vids[] = {0, 10, 20, 30, 40, 4095};
	static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x8100, 0x8100, 0x88a8};
	struct rte_ether_addr mac = a % 16 ? sf_mac(a >> 4 & 7) : sf_broadcast();
	uint16_t tci = (uint16_t)(vids[b % 6] | (b >> 8 & 7) << 13);
	uint16_t type = types[(b >> 16) % 6];
	uint8_t *at = slot->bytes;
	uint16_t len = (uint16_t)(b >> 32 & 31 ? 60 : 14 + (b >> 40 & 7));

	memset(at, 0, 64);
	memcpy(at, &mac, sizeof(mac));
	memcpy(at + 6, "\x02\0\0\0\x09\x01", 6);
	at[12] = (uint8_t)(type >> 8);
	at[13] = (uint8_t)type;
	at[14] = (uint8_t)(tci >> 8);
	at[15] = (uint8_t)tci;
	memcpy(at + 16, b >> 48 & 3 ? "\x08" : "\x81", 2);
	burst->pkt[burst->n++] =
		(struct vs_pkt){.hdr = at, .hdr_len = len, .len = len, .in_port = UPLINK};
}

struct world {
	struct sf *s;
	struct vs_vmq *vmq;
	struct vs_vmq *table[1];
	struct vs_burst soft;
	struct vs_burst hw[8];
	uint8_t from[8][VS_BURST_MAX];
	struct vs_hdr_slot slot[VS_BURST_MAX];
};

static struct world *new_world(uint16_t native)
{
	struct world *w = calloc(1, sizeof(*w));
	struct vs_rules_filter want[8];
	unsigned int n = all_filters(want);
	unsigned int i;

	assert_non_null(w);
	w->s = sf_new();
	w->vmq = vs_vmq_new(n, SEED);
	assert_non_null(w->vmq);
	for (i = 0; i < n; i++)
		assert_int_equal(vs_vmq_add(w->vmq, &want[i].mac, want[i].vid, want[i].port), 0);
	w->table[0] = w->vmq;
	w->s->conf->vmq = w->table;
	w->s->conf->n_vmqs = 1;
	w->s->conf->port[UPLINK].vmq = 1;
	w->s->conf->port[UPLINK].path = VS_PATH_QUEUES;
	w->s->conf->port[UPLINK].vid = native;
	return w;
}

static void free_world(struct world *w)
{
	vs_vmq_free(w->vmq);
	sf_free(w->s);
	free(w);
}

/* Rules of all ports but one in @without (0: of all), and the queues are told to be the ports'. */
static void give_rules(struct world *w, uint16_t native, uint16_t without)
{
	struct vs_rules_filter want[8];
	unsigned int n = all_filters(want);
	unsigned int kept = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (want[i].port != without)
			want[kept++] = want[i];
	}
	assert_int_equal(vs_rules_apply(&flow, want, kept, native), 0);
	for (i = 0; i < 8; i++)
		w->vmq->owner[i] = vs_rules_owner(&flow, i);
}

/* The queue of frame @i as classify() says. */
static uint16_t queue_at(const struct vs_burst *burst, unsigned int i)
{
	assert_int_equal(burst->sorted >> i & 1, burst->queue[i] != VS_VMQ_DEFAULT);
	return burst->queue[i];
}

static bool has_own(const struct world *w, uint16_t port)
{
	unsigned int q;

	for (q = 1; q < 8 && port != VS_VMQ_DEFAULT; q++) {
		if (w->vmq->owner[q] == port)
			return true;
	}
	return false;
}

/* Frames of w->soft, once from one queue, once from those that the card put them into. */
static void compare(struct world *w, uint64_t visit, bool exact)
{
	unsigned int q;
	unsigned int i;

	for (q = 0; q < 8; q++)
		w->hw[q].n = 0;
	for (i = 0; i < w->soft.n; i++) {
		struct vs_burst *hw;

		q = fake_queue_of(&fake, &w->soft.pkt[i]);
		hw = &w->hw[q];
		w->from[q][hw->n] = (uint8_t)i;
		hw->pkt[hw->n++] = w->soft.pkt[i];
	}
	w->s->ctx->pair = 0;
	vs_vmq_classify(w->s->ctx, &w->soft);
	for (q = 0; q < 8; q++) {
		w->s->ctx->pair = (uint16_t)q;
		if (w->hw[q].n)
			vs_vmq_classify(w->s->ctx, &w->hw[q]);
		for (i = 0; i < w->hw[q].n; i++) {
			uint16_t soft = queue_at(&w->soft, w->from[q][i]);

			if (queue_at(&w->hw[q], i) != soft)
				fail_msg("seed %d visit %lu: another queue", SEED, visit);
			/* The other way round: astray(). */
			if (exact && has_own(w, soft) && w->vmq->owner[q] != soft)
				fail_msg("seed %d visit %lu: queue %u has a frame of %u", SEED,
					 visit, q, soft);
		}
	}
}

static uint64_t astray(const struct world *w)
{
	uint64_t n = 0;
	unsigned int p;

	for (p = 0; p < SF_PORTS; p++)
		n += w->s->stats[p].vmq_astray;
	return n;
}

/* Return: frames that stood in the hw queue of a port. */
static unsigned int run(struct world *w, uint16_t native, unsigned int frames)
{
	unsigned int in_own = 0;
	uint64_t rng = SEED + native;
	uint64_t visit;
	unsigned int done = 0;
	unsigned int q;

	for (visit = 0; done < frames; visit++) {
		unsigned int n = (unsigned int)(1 + next(&rng) % VS_BURST_MAX);

		/* Rules come and go. */
		if (next(&rng) % 16 == 0 && !fake.astray_each)
			give_rules(w, native, (uint16_t)(next(&rng) % 5));
		for (w->soft.n = 0; w->soft.n < n; done++) {
			uint64_t a = next(&rng);

			put(&w->soft, &w->slot[w->soft.n], a, next(&rng));
		}
		compare(w, visit, !fake.astray_each);
		for (q = 1; q < 8; q++)
			in_own += w->hw[q].n;
	}
	return in_own;
}

static void agree(uint16_t native, unsigned int frames)
{
	struct world *w = new_world(native);

	begin(8);
	give_rules(w, native, 0);
	assert_true(run(w, native, frames) > frames / 20);
	assert_int_equal(astray(w), 0);
	free_world(w);
}

static void test_agree(void **state)
{
	agree(0, FRAMES);
}

static void test_agree_native(void **state)
{
	agree(10, FRAMES / 5);
}

/* Each port has the same frames from a card that sorts wrongly, and the card is found out. */
static void test_agree_astray(void **state)
{
	struct world *w = new_world(0);

	begin(8);
	give_rules(w, 0, 0);
	assert_false(vs_rules_judge(&flow, astray(w)));
	fake.astray_each = 10;
	(void)run(w, 0, FRAMES / 10);
	assert_true(astray(w) > VS_RULES_ASTRAY_MAX);
	assert_true(vs_rules_judge(&flow, astray(w)));
	assert_int_equal(fake.n, 0);
	free_world(w);
}

/* Cards differ in what a service tag is: whoever sends such frames does not discredit one. */
static void test_strange_tag(void **state)
{
	struct world *w = new_world(0);
	struct vs_burst *burst = &w->soft;

	w->vmq->owner[3] = 3;
	w->s->ctx->pair = 3;
	put(burst, &w->slot[0], 1 | 3 << 4, UINT64_C(1) << 32);
	memcpy(w->slot[0].bytes + 12, "\x88\xa8", 2);
	vs_vmq_classify(w->s->ctx, burst);
	assert_int_equal(queue_at(burst, 0), VS_VMQ_DEFAULT);
	assert_int_equal(astray(w), 0);
	/* Another VLAN's tag does. */
	memcpy(w->slot[0].bytes + 12, "\x81\x00\x00\x0a", 4);
	vs_vmq_classify(w->s->ctx, burst);
	assert_int_equal(astray(w), 1);
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_of_filter), cmocka_unit_test(test_nothing_twice),
		cmocka_unit_test(test_scarce),          cmocka_unit_test(test_order),
		cmocka_unit_test(test_forget),          cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_refuses_some),    cmocka_unit_test(test_full),
		cmocka_unit_test(test_clings),          cmocka_unit_test(test_judge),
		cmocka_unit_test(test_agree),           cmocka_unit_test(test_agree_native),
		cmocka_unit_test(test_agree_astray),    cmocka_unit_test(test_strange_tag),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
