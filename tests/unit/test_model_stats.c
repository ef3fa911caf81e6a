/* SPDX-License-Identifier: BSD-3-Clause */
/* The real model: counters, samples and the audit, on counters written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/model_fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct vs_port_stats *counters(struct mf *f, const char *port)
{
	return vs_worker_ctx(f->worker)->port_stats[model_find_port(f->m, port)->id];
}

/* Counters of @port for which both sums hold; @n makes them differ from other ports'. */
static void count(struct mf *f, const char *port, uint64_t n)
{
	struct vs_port_stats *s = counters(f, port);

	s->forwarded = 10 * n;
	s->flooded = n;
	s->consumed = 2;
	s->drops[VS_DROP_SPOOF] = 3 * n;
	s->drops[VS_DROP_RUNT] = 1;
	s->received = 10 * n + n + 2 + 3 * n + 1;
	s->received_bytes = 64 * s->received;
	s->sent = 20 * n;
	s->sent_bytes = 64 * s->sent;
	s->drops[VS_DROP_RX_FULL] = 4 * n;
	s->drops[VS_DROP_MEM_LOST] = 1;
	s->attempts = 24 * n + 1;
}

/* The switch's own sum is made to hold with its flood copies. */
static void balance(struct mf *f, const char *sw, uint64_t attempts, uint64_t forwarded)
{
	struct vs_switch_stats *s =
		&vs_worker_ctx(f->worker)->switch_stats[model_find_switch(f->m, sw)->index];

	s->extra_segments = 5;
	s->merged = 3;
	s->generated = 2;
	s->encapsulated = 7;
	s->flood_copies = attempts - forwarded - 11;
}

/** struct heard - what an audit said */
struct heard {
	unsigned int n;
	unsigned int wrong;
	char text[1024];
	char terms[192]; /* of the last sum */
};

static int hear(const struct vs_audit_view *v, void *ctx)
{
	static const char *const sum[] = {"in", "out", "switch"};
	struct heard *h = ctx;
	size_t len = strlen(h->text);

	h->n++;
	h->wrong += v->left != v->right;
	snprintf(h->text + len, sizeof(h->text) - len, "%s/%s %s %" PRIu64 "%s%" PRIu64 "\n", v->sw,
		 v->name, sum[v->sum], v->left, v->left == v->right ? "=" : "!", v->right);
	snprintf(h->terms, sizeof(h->terms), "%s", v->terms);
	return h->n == 50 ? 7 : 0;
}

static struct heard audit(struct mf *f)
{
	struct heard h = {0};

	assert_int_equal(vs_audit_each(f->m, hear, &h, &f->fail), 0);
	return h;
}

static void test_audit_needs_the_worker(void **state)
{
	struct heard h = {0};
	struct mf *f = *state;

	mf_refused(f, vs_audit_each(f->m, hear, &h, &f->fail), -ESRCH, 0, "worker did not answer");
	assert_int_equal(vs_worker_start(f->worker), 0);
	assert_int_equal(vs_audit_each(f->m, hear, &h, &f->fail), 0);
	mf_alloc_fails = 0;
	mf_refused(f, vs_audit_each(f->m, hear, &h, &f->fail), -ENOMEM, 0, "memory");
	assert_int_equal(h.n, 0);
}

static void test_audit_holds(void **state)
{
	struct mf *f = *state;
	struct heard h;

	mf_switch(f, "lan");
	mf_switch(f, "wan");
	mf_port(f, "a", "lan");
	mf_port(f, "b", "wan");
	mf_port(f, "c", "lan");
	count(f, "a", 1);
	count(f, "b", 100);
	count(f, "c", 10000);
	balance(f, "lan", 24 * 10001 + 2, 10 * 10001);
	balance(f, "wan", 2401, 1000);
	assert_int_equal(vs_worker_start(f->worker), 0);
	h = audit(f);
	assert_string_equal(h.text, "lan/a in 17=17\n"
				    "lan/a out 25=25\n"
				    "lan/c in 140003=140003\n"
				    "lan/c out 240001=240001\n"
				    "lan/lan switch 240026=240026\n"
				    "wan/b in 1403=1403\n"
				    "wan/b out 2401=2401\n"
				    "wan/wan switch 2401=2401\n");
	assert_string_equal(h.terms, "attempts 2401 = forwarded 1000 + flood copies 1390 + extra "
				     "segments 5 - merged 3 + generated 2 + encapsulated 7");

	/* Ports that were deleted still count for their switch, in a row of their own. */
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	assert_int_equal(vs_port_del(f->m, "b", &f->fail), 0);
	h = audit(f);
	assert_string_equal(h.text, "lan/c in 140003=140003\n"
				    "lan/c out 240001=240001\n"
				    "lan/(deleted ports) in 17=17\n"
				    "lan/(deleted ports) out 25=25\n"
				    "lan/lan switch 240026=240026\n"
				    "wan/(deleted ports) in 1403=1403\n"
				    "wan/(deleted ports) out 2401=2401\n"
				    "wan/wan switch 2401=2401\n");
	/* Nothing of them is in the books of those that come after them. */
	mf_port(f, "d", "wan");
	assert_int_equal(counters(f, "d")->received, 0);
	assert_int_equal(audit(f).wrong, 0);
	assert_int_equal(vs_switch_del(f->m, "wan", VS_DEL_FORCE, &f->fail), 0);
	mf_switch(f, "new");
	h = audit(f);
	assert_non_null(strstr(h.text, "\nnew/new switch 0=0\n"));
	assert_null(strstr(h.text, "wan"));
}

/* Each term, when one is lost, breaks the sums that it belongs to and no other. */
static void test_audit_finds_what_is_lost(void **state)
{
	struct mf *f = *state;
	struct vs_switch_stats *sw;
	struct vs_port_stats *s;
	unsigned int i;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	count(f, "a", 5);
	balance(f, "lan", 24 * 5 + 1, 10 * 5);
	assert_int_equal(vs_worker_start(f->worker), 0);
	s = counters(f, "a");
	sw = &vs_worker_ctx(f->worker)->switch_stats[model_find_switch(f->m, "lan")->index];
	assert_int_equal(audit(f).wrong, 0);
	{
		const struct {
			uint64_t *term;
			unsigned int wrong;
		} terms[] = {
			{&s->received, 1},      {&s->forwarded, 2},
			{&s->flooded, 1},       {&s->consumed, 1},
			{&s->attempts, 2},      {&s->sent, 1},
			{&sw->flood_copies, 1}, {&sw->extra_segments, 1},
			{&sw->merged, 1},       {&sw->generated, 1},
			{&sw->encapsulated, 1}, {&s->received_bytes, 0},
			{&s->sent_bytes, 0},    {&s->drops[VS_DROP_NONE], 0},
		};

		for (i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
			++*terms[i].term;
			assert_int_equal(audit(f).wrong, terms[i].wrong);
			--*terms[i].term;
		}
	}
	for (i = VS_DROP_NONE + 1; i < VS_DROP_COUNT; i++) {
		struct heard h;

		s->drops[i]++;
		h = audit(f);
		assert_int_equal(h.wrong, 1);
		assert_non_null(strstr(h.text, vs_drop_side((enum vs_drop)i) == VS_DROP_SIDE_IN
						       ? "lan/a in 73!74"
						       : "lan/a out 121!122"));
		s->drops[i]--;
	}
	assert_int_equal(audit(f).wrong, 0);
}

/* What is lost at a port is still missed when the port is gone. */
static void test_audit_of_deleted_ports_can_fail(void **state)
{
	struct mf *f = *state;
	struct heard h;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	count(f, "a", 5);
	counters(f, "a")->sent--;
	balance(f, "lan", 24 * 5 + 1, 10 * 5);
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	assert_int_equal(vs_worker_start(f->worker), 0);
	h = audit(f);
	assert_int_equal(h.wrong, 1);
	assert_non_null(strstr(h.text, "lan/(deleted ports) out 121!120\n"));
}

static int stop(const struct vs_audit_view *v, void *ctx)
{
	return 7;
}

static void test_audit_can_be_stopped(void **state)
{
	struct mf *f = *state;

	mf_switch(f, "lan");
	assert_int_equal(vs_worker_start(f->worker), 0);
	assert_int_equal(vs_audit_each(f->m, stop, NULL, &f->fail), 7);
}

static int keep(const struct vs_stats_view *v, void *ctx)
{
	struct vs_port_stats *to = ctx;

	assert_string_equal(v->port, "b");
	assert_string_equal(v->sw, "lan");
	assert_string_equal(v->vm, "web");
	*to = v->counters;
	return 7;
}

static void test_stats(void **state)
{
	static struct vs_port_stats got;
	struct mf *f = *state;
	struct vs_port_stats *s;
	struct vs_sample *sample;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	mf_port(f, "b", "lan");
	mf_set(f, "b", (struct vs_port_change){.set = VS_PORT_SET_VM, .vm = "web"});
	count(f, "a", 1);
	count(f, "b", 2);
	s = counters(f, "b");
	sample = &s->samples[VS_DROP_RUNT];
	*sample = (struct vs_sample){.seq = 2,
				     .len = 9,
				     .have = 9,
				     .when_tsc = 1234,
				     .bytes = "123456789"};
	assert_int_equal(vs_stats_each(f->m, "b", keep, &got, &f->fail), 7);
	assert_memory_equal(&got, s, offsetof(struct vs_port_stats, samples));
	assert_int_equal(got.samples[VS_DROP_RUNT].when_tsc, 1234);
	assert_int_equal(got.samples[VS_DROP_RUNT].len, 9);
	assert_memory_equal(got.samples[VS_DROP_RUNT].bytes, "123456789", 9);
	assert_int_equal(got.samples[VS_DROP_SPOOF].when_tsc, 0);
	/* One that the worker never stops writing is left out. */
	sample->seq = 3;
	assert_int_equal(vs_stats_each(f->m, "b", keep, &got, &f->fail), 7);
	assert_int_equal(got.samples[VS_DROP_RUNT].when_tsc, 0);
	assert_int_equal(got.drops[VS_DROP_RUNT], 1);
}

static void test_age_of_a_sample(void **state)
{
	uint64_t now = rte_rdtsc();

	assert_in_range(vs_stats_tsc_age_ms(now - rte_get_tsc_hz() * 5), 4990, 60000);
	assert_int_equal(vs_stats_tsc_age_ms(now + rte_get_tsc_hz() * 3600), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MF_TEST(test_audit_needs_the_worker),
		MF_TEST(test_audit_holds),
		MF_TEST(test_audit_finds_what_is_lost),
		MF_TEST(test_audit_of_deleted_ports_can_fail),
		MF_TEST(test_audit_can_be_stopped),
		MF_TEST(test_stats),
		MF_TEST(test_age_of_a_sample),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
