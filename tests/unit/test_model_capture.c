/* SPDX-License-Identifier: BSD-3-Clause */
/* The real model: captures come and go with their ports, and events that were lost are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/model_fixture.h"

#include "control/model_capture.h"

#include "dataplane/core/filter.h"

#include <errno.h>
#include <string.h>

static const struct vs_capture_spec of_a = {
	.port = "a",
	.sides = VS_TAP_FROM | VS_TAP_TO,
	.snap = 100,
};

static struct vs_capture *begin(struct mf *f)
{
	struct vs_capture *c;

	assert_int_equal(vs_capture_add(f->m, &of_a, &c, &f->fail), 0);
	return c;
}

/* As the worker: a frame of @len bytes was captured. */
static void captured(struct mf *f, unsigned int tap, uint32_t len)
{
	struct vs_tap_ring *ring = f->m->conf->tap[tap]->ring[0];
	struct vs_tap_record *r = vs_tap_ring_put(ring, 0);

	assert_non_null(r);
	*r = (struct vs_tap_record){
		.size = r->size,
		.verdict = VS_TAP_FORWARDED,
		.side = VS_TAP_FROM,
		.when_tsc = rte_rdtsc(),
		.len = len,
		.port = model_find_port(f->m, "a")->id,
	};
	vs_tap_ring_commit(ring);
}

static void test_life(void **state)
{
	struct mf *f = *state;
	struct vs_capture_view view;
	struct vs_capture *c;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	c = begin(f);
	assert_int_equal(f->m->conf->n_taps, 1);
	assert_int_equal(f->m->conf->tap[0]->port, model_find_port(f->m, "a")->id);
	assert_false(vs_capture_next(c, &view));
	captured(f, 0, 60);
	captured(f, 0, 61);
	assert_true(vs_capture_next(c, &view));
	assert_int_equal(view.record->len, 60);
	assert_string_equal(view.other, "a");
	vs_capture_take(c, &view);

	/* what was captured before the end may be read */
	assert_int_equal(vs_capture_end(c), 0);
	assert_true(vs_capture_is_over(c));
	assert_int_equal(f->m->conf->n_taps, 0);
	assert_true(vs_capture_next(c, &view));
	assert_int_equal(view.record->len, 61);
	vs_capture_take(c, &view);
	assert_false(vs_capture_next(c, &view));
	vs_capture_del(c);
}

static void test_its_port(void **state)
{
	struct vs_port_change rename = {.set = VS_PORT_SET_NAME, .name = "anne"};
	struct mf *f = *state;
	struct vs_capture *c;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	c = begin(f);
	mf_set(f, "a", rename);
	assert_string_equal(vs_capture_port(c), "anne");
	assert_false(vs_capture_is_over(c));
	assert_int_equal(vs_port_del(f->m, "anne", &f->fail), 0);
	assert_int_equal(f->m->conf->n_taps, 0);
	/* the next port has its id, and is not captured */
	mf_port(f, "a", "lan");
	assert_int_equal(f->m->conf->n_taps, 0);
	assert_true(vs_capture_is_over(c));
	assert_string_equal(vs_capture_port(c), "");
	vs_capture_del(c);
}

static void test_refused(void **state)
{
	struct sock_filter loop = BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX);
	struct vs_capture *c[VS_TAPS_MAX], *one = NULL;
	struct vs_capture_spec spec = of_a;
	struct mf *f = *state;
	unsigned int i;

	mf_refused(f, vs_capture_add(f->m, &of_a, &one, &f->fail), -ENOENT, VS_ATTR_PORT, "'a'");
	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	spec.filter = &loop;
	spec.n_filter = 1;
	mf_refused(f, vs_capture_add(f->m, &spec, &one, &f->fail), -EINVAL, VS_ATTR_FILTER,
		   "instruction 1 of 1");
	for (i = 0; i < VS_TAPS_MAX; i++)
		c[i] = begin(f);
	mf_refused(f, vs_capture_add(f->m, &of_a, &one, &f->fail), -ENOSPC, 0, "8 captures");
	for (i = 0; i < VS_TAPS_MAX; i++)
		vs_capture_del(c[i]);
	assert_null(one);
	assert_int_equal(f->m->conf->n_taps, 0);
}

/* Each allocation fails once: then nothing has begun. */
static void test_no_memory(void **state)
{
	struct mf *f = *state;
	struct vs_capture *c;
	int fails, ret;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	for (fails = 0;; fails++) {
		mf_alloc_fails = fails;
		ret = vs_capture_add(f->m, &of_a, &c, &f->fail);
		mf_alloc_fails = -1;
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(f->m->conf->n_taps, 0);
	}
	assert_true(fails >= 3);

	/* no memory for a snapshot without it: it goes with the next one */
	mf_alloc_fails = 0;
	vs_capture_del(c);
	mf_alloc_fails = -1;
	assert_int_equal(f->m->conf->n_taps, 1);
	assert_non_null(f->m->capture[0]);
	model_capture_sweep(f->m);
	assert_int_equal(f->m->conf->n_taps, 0);
	assert_null(f->m->capture[0]);
}

static void test_lost_events(void **state)
{
	struct mf *f = *state;
	const struct mf_notice *n;

	mf_forget(f);
	model_events_lost(f->m);
	mf_no_more(f);
	vs_worker_ctx(f->worker)->events.lost = 7;
	model_events_lost(f->m);
	n = mf_next(f, VS_NOTICE_EVENTS_LOST, "", "");
	assert_non_null(strstr(n->text, "7 events"));
	model_events_lost(f->m);
	mf_no_more(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MF_TEST(test_life),      MF_TEST(test_its_port),    MF_TEST(test_refused),
		MF_TEST(test_no_memory), MF_TEST(test_lost_events),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
