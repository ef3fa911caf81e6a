/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: how long frames may be, who limits them, and what is refused or told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	UPLINK_MTU = 1400, /* of an uplink of fake_kinds.c */
};

static int add(struct mf *f, const char *name, const char *sw, uint32_t mtu, enum vs_origin origin)
{
	struct vs_port_spec spec = fk_spec(name, sw, VS_PORT_GUEST);

	spec.mtu = mtu;
	spec.origin = origin;
	return vs_port_add(f->m, &spec, &f->fail);
}

static int set(struct mf *f, const char *name, uint32_t mtu)
{
	const struct vs_port_change c = {.set = VS_PORT_SET_MTU, .mtu = mtu};

	return vs_port_set(f->m, name, &c, &f->fail);
}

static int limit(struct mf *f, const char *name, uint32_t mtu)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_MTU, .mtu = mtu};

	return vs_switch_set(f->m, name, &c, &f->fail);
}

/* What workers are told. */
static uint32_t in_force(struct mf *f, const char *name)
{
	return f->m->conf->port[model_find_port(f->m, name)->id].max_frame - 14;
}

static int write_hop(const struct vs_mtu_view *v, void *ctx)
{
	char *text = ctx;
	size_t at = strlen(text);

	snprintf(text + at, 512 - at, "%s/%u=%u %s:%u,%d%s%s; ", v->sw, v->vid, v->net, v->port,
		 v->mtu, (int)v->from, v->limits ? ",limits" : "", v->problem[0] ? ",problem" : "");
	return 0;
}

static const char *hops(struct mf *f, const char *sw)
{
	static char text[512];

	text[0] = '\0';
	assert_int_equal(vs_mtu_each(f->m, sw, 0, write_hop, text, &f->fail), 0);
	return text;
}

static void test_auto_follows_the_switch(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "i", VS_SWITCH_INTERNAL, NULL);
	assert_int_equal(add(f, "a", "i", 0, VS_FROM_CLIENT), 0);
	assert_int_equal(in_force(f, "a"), VS_MTU_DEFAULT);
	assert_int_equal(limit(f, "i", 2000), 0);
	assert_int_equal(in_force(f, "a"), 2000);
	assert_int_equal(limit(f, "i", 0), 0);
	assert_int_equal(in_force(f, "a"), VS_MTU_DEFAULT);
	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "dpdk:x");
	assert_int_equal(add(f, "b", "e", 0, VS_FROM_CLIENT), 0);
	/* Guests may use more between them than their uplink has. */
	assert_int_equal(in_force(f, "b"), VS_MTU_DEFAULT);
	assert_string_equal(hops(f, "e"), "e/0=1400 e.uplink:1400,1,limits; e/0=1400 b:9216,2; ");
	assert_int_equal(limit(f, "e", 1300), 0);
	assert_int_equal(in_force(f, "b"), 1300);
	assert_int_equal(in_force(f, "e.uplink"), 1300);
}

static void test_what_is_given_must_be_carried(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "i", VS_SWITCH_INTERNAL, NULL);
	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "dpdk:x");
	mf_refused(f, add(f, "a", "e", UPLINK_MTU + 1, VS_FROM_CLIENT), -EMSGSIZE, VS_ATTR_MTU,
		   "uplink of switch 'e' carries (1400)");
	assert_int_equal(add(f, "a", "e", UPLINK_MTU, VS_FROM_CLIENT), 0);
	mf_refused(f, set(f, "a", UPLINK_MTU + 1), -EMSGSIZE, VS_ATTR_MTU, "(1400)");
	mf_refused(f, set(f, "a", 67), -ERANGE, VS_ATTR_MTU,
		   "mtu of port 'a' is auto, or 68 to 65535");
	mf_refused(f, set(f, "e.uplink", 0), -ERANGE, VS_ATTR_MTU,
		   "mtu of port 'e.uplink' is 68 to 65535");
	assert_int_equal(set(f, "a", 0), 0);
	assert_int_equal(add(f, "b", "i", 60000, VS_FROM_CLIENT), 0);
	assert_int_equal(in_force(f, "b"), 60000);
	assert_int_equal(limit(f, "i", 1500), 0);
	assert_int_equal(in_force(f, "b"), 1500);
	mf_refused(f, set(f, "b", 1501), -EMSGSIZE, VS_ATTR_MTU, "'switch set i mtu 1501'");
}

static void test_a_move_is_judged_too(void **state)
{
	const struct vs_port_change move = {.set = VS_PORT_SET_SWITCH, .sw = "e"};
	struct mf *f = *state;

	fk_switch(f, "i", VS_SWITCH_INTERNAL, NULL);
	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "dpdk:x");
	assert_int_equal(add(f, "a", "i", 9000, VS_FROM_CLIENT), 0);
	mf_refused(f, vs_port_set(f->m, "a", &move, &f->fail), -EMSGSIZE, VS_ATTR_MTU, "(1400)");
	assert_string_equal(model_find_port(f->m, "a")->sw->name, "i");
	assert_int_equal(set(f, "a", 0), 0);
	assert_int_equal(vs_port_set(f->m, "a", &move, &f->fail), 0);
	assert_int_equal(in_force(f, "a"), VS_MTU_DEFAULT);
}

/* A configuration that was kept is not lost because a card has changed meanwhile. */
static void test_a_record_is_told_and_not_refused(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "dpdk:x");
	assert_int_equal(add(f, "a", "e", 9000, VS_FROM_RECORD), 0);
	assert_string_equal(hops(f, "e"),
			    "e/0=1400 e.uplink:1400,1,limits; e/0=1400 a:9000,1,problem; ");
}

static void test_hops(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "i", VS_SWITCH_INTERNAL, NULL);
	assert_int_equal(add(f, "a", "i", 0, VS_FROM_CLIENT), 0);
	assert_int_equal(add(f, "b", "i", 3000, VS_FROM_CLIENT), 0);
	fk_guest(f, "c", "i", fk_access(10));
	assert_string_equal(
		hops(f, NULL),
		"i/0=3000 a:9216,2; i/0=3000 b:3000,1,limits; i/10=9216 c:9216,2,limits; ");
	assert_int_equal(limit(f, "i", 2000), 0);
	assert_string_equal(hops(f, "i"),
			    "i/0=2000 a:2000,2,limits; i/0=2000 b:2000,4,limits,problem; "
			    "i/10=2000 c:2000,2,limits; ");
	mf_refused(f, vs_mtu_each(f->m, "x", 0, write_hop, NULL, &f->fail), -ENOENT, VS_ATTR_SWITCH,
		   "'x'");
}

/* What nobody was given limits nobody: guests may go beyond what one has by default. */
static void test_above_the_default(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "i", VS_SWITCH_INTERNAL, NULL);
	assert_int_equal(add(f, "a", "i", 16000, VS_FROM_CLIENT), 0);
	assert_int_equal(add(f, "b", "i", 16000, VS_FROM_CLIENT), 0);
	assert_string_equal(hops(f, "i"),
			    "i/0=16000 a:16000,1,limits; i/0=16000 b:16000,1,limits; ");
	assert_int_equal(model_mtu_net(model_find_port(f->m, "a")), 16000);
	assert_int_equal(add(f, "c", "i", 0, VS_FROM_CLIENT), 0);
	assert_int_equal(model_mtu_net(model_find_port(f->m, "a")), VS_MTU_DEFAULT);
}

static void test_uplink_above_the_default(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "dpdk:x");
	assert_int_equal(set(f, "e.uplink", 10000), 0);
	mf_refused(f, add(f, "a", "e", 20000, VS_FROM_CLIENT), -EMSGSIZE, VS_ATTR_MTU,
		   "uplink of switch 'e' carries (10000)");
	assert_int_equal(add(f, "a", "e", 10000, VS_FROM_CLIENT), 0);
	assert_int_equal(add(f, "b", "e", 20000, VS_FROM_RECORD), 0);
	assert_string_equal(hops(f, "e"), "e/0=10000 e.uplink:10000,1,limits; "
					  "e/0=10000 a:10000,1,limits; "
					  "e/0=10000 b:20000,1,problem; ");
}

/** struct seen - rows of a walk that is broken off after each */
struct seen {
	char text[512];
	uint64_t next;
	unsigned int rows;
};

static int see_one(const struct vs_mtu_view *v, void *ctx)
{
	struct seen *seen = ctx;
	size_t at = strlen(seen->text);

	snprintf(seen->text + at, sizeof(seen->text) - at, "%s/%u-%u %s; ", v->sw, v->vid, v->last,
		 v->port);
	seen->next = v->next;
	seen->rows++;
	return 1;
}

/* VLANs with the same ports are one row; a walk goes on behind any of them. */
static void test_runs(void **state)
{
	struct seen seen = {.next = 0};
	struct vs_vlans v = {.mode = VS_VLAN_TRUNK, .allowed = {~UINT64_C(1), ~UINT64_C(0), 0xf}};
	struct mf *f = *state;

	fk_switch(f, "i", VS_SWITCH_INTERNAL, NULL);
	fk_switch(f, "k", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "i", &v);
	v.allowed[1] = 0;
	v.allowed[2] = 2;
	fk_guest(f, "b", "i", &v);
	fk_guest(f, "c", "k", fk_access(7));
	while (vs_mtu_each(f->m, NULL, seen.next, see_one, &seen, &f->fail) == 1)
		assert_in_range(seen.rows, 1, 20);
	assert_string_equal(seen.text, "i/0-0 a; i/0-0 b; i/1-63 a; i/1-63 b; i/64-128 a; "
				       "i/129-129 a; i/129-129 b; i/130-131 a; k/7-7 c; ");
}

static void test_told_once(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "i", VS_SWITCH_INTERNAL, NULL);
	assert_int_equal(add(f, "b", "i", 3000, VS_FROM_CLIENT), 0);
	mf_forget(f);
	assert_int_equal(limit(f, "i", 2000), 0);
	mf_next(f, VS_NOTICE_MTU, "i", "b");
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "i", "");
	assert_int_equal(limit(f, "i", 1900), 0);
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "i", "");
	mf_no_more(f);
	assert_int_equal(limit(f, "i", 0), 0);
	assert_int_equal(limit(f, "i", 2000), 0);
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "i", "");
	mf_next(f, VS_NOTICE_MTU, "i", "b");
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "i", "");
	mf_no_more(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_auto_follows_the_switch),
		FK_TEST(test_what_is_given_must_be_carried),
		FK_TEST(test_a_move_is_judged_too),
		FK_TEST(test_a_record_is_told_and_not_refused),
		FK_TEST(test_hops),
		FK_TEST(test_above_the_default),
		FK_TEST(test_uplink_above_the_default),
		FK_TEST(test_runs),
		FK_TEST(test_told_once),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
