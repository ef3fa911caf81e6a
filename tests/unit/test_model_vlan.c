/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: VLANs of ports, broadcast domains and trunks as the workers see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fake_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vs_port_hot *hot(struct mf *f, const char *port)
{
	return &f->m->conf->port[model_find_port(f->m, port)->id];
}

static uint16_t fid_of(struct mf *f, const char *sw, uint16_t vlan)
{
	return model_find_switch(f->m, sw)->fid_of_vid[vlan];
}

static void set_unknown(struct mf *f, const char *sw, enum vs_unknown unknown)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_UNKNOWN, .unknown = unknown};

	assert_int_equal(vs_switch_set(f->m, sw, &c, &f->fail), 0);
}

static void test_bad_vlans(void **state)
{
	const struct {
		struct vs_vlans vlans;
		enum vs_attr attr;
		const char *says;
	} bad[] = {
		{{.mode = VS_VLAN_UNTAGGED, .vid = 1}, VS_ATTR_VLAN, "vlan access 1"},
		{{.mode = VS_VLAN_UNTAGGED, .allowed = {2}}, VS_ATTR_VLANS, "only a trunk"},
		{{.mode = VS_VLAN_ACCESS}, VS_ATTR_VLAN, "1..4094"},
		{{.mode = VS_VLAN_ACCESS, .vid = 4095}, VS_ATTR_VLAN, "1..4094"},
		{{.mode = VS_VLAN_ACCESS, .vid = UINT16_MAX}, VS_ATTR_VLAN, "1..4094"},
		{{.mode = VS_VLAN_ACCESS, .vid = 5, .allowed = {32}}, VS_ATTR_VLANS, "only a trunk"},
		{{.mode = VS_VLAN_TRUNK}, VS_ATTR_VLANS, "10,20-29"},
		{{.mode = VS_VLAN_TRUNK, .vid = 5}, VS_ATTR_VLANS, "10,20-29"},
		{{.mode = VS_VLAN_TRUNK, .allowed = {3}}, VS_ATTR_VLANS, "1..4094"},
		{{.mode = VS_VLAN_TRUNK, .allowed = {2, [63] = UINT64_C(1) << 63}},
		 VS_ATTR_VLANS,
		 "1..4094"},
		{{.mode = VS_VLAN_TRUNK, .vid = 4095, .allowed = {2}}, VS_ATTR_VLAN, "native"},
		{{.mode = VS_VLAN_TRUNK, .vid = UINT16_MAX, .allowed = {2}}, VS_ATTR_VLAN, "native"},
		{{.mode = (enum vs_vlan_mode)0}, VS_ATTR_VLAN_MODE, "access or trunk"},
		{{.mode = (enum vs_vlan_mode)4}, VS_ATTR_VLAN_MODE, "access or trunk"},
	};
	struct mf *f = *state;
	unsigned int i;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "s", NULL);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vs_port_spec spec = fk_spec("b", "s", VS_PORT_GUEST);

		spec.vlans = &bad[i].vlans;
		fk_refused(f, fk_vlans(f, "a", &bad[i].vlans), -EINVAL, bad[i].attr, bad[i].says);
		fk_refused(f, vs_port_add(f->m, &spec, &f->fail), -EINVAL, bad[i].attr,
			   bad[i].says);
	}
	assert_int_equal(fk_vlans(f, "a", fk_access(4094)), 0);
	assert_int_equal(fk_vlans(f, "a", fk_trunk(1, 4094, 4094)), 0);
	assert_int_equal(fk_vlans(f, "a", fk_trunk(4094, 4094, 0)), 0);
}

static void test_domains(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:u");
	set_unknown(f, "s", VS_UNKNOWN_FLOOD);
	fk_guest(f, "a", "s", fk_access(10));
	fk_guest(f, "b", "s", fk_access(20));
	fk_guest(f, "t", "s", fk_trunk(10, 11, 20));
	fk_guest(f, "n", "s", NULL);
	assert_string_equal(fk_domain(f, "s", 0), "s.uplink n");
	assert_string_equal(fk_domain(f, "s", 10), "s.uplink a t");
	assert_string_equal(fk_domain(f, "s", 11), "s.uplink t");
	assert_string_equal(fk_domain(f, "s", 20), "s.uplink b t");
	/* Nobody but the uplink is there. */
	assert_int_equal(fid_of(f, "s", 12), 0);
	assert_int_equal(f->m->conf->domain[0].n, 0);

	assert_int_equal(hot(f, "a")->vid, 10);
	assert_int_equal(hot(f, "a")->fid, fid_of(f, "s", 10));
	assert_null(hot(f, "a")->trunk);
	assert_int_equal(hot(f, "t")->vid, 20);
	assert_int_equal(hot(f, "t")->fid, fid_of(f, "s", 20));
	assert_null(hot(f, "n")->trunk);

	/* A port that is down is in none; it comes back into all. */
	fk_link(model_find_port(f->m, "t"), false);
	assert_string_equal(fk_domain(f, "s", 10), "s.uplink a");
	assert_string_equal(fk_domain(f, "s", 11), "s.uplink");
	assert_string_equal(fk_domain(f, "s", 20), "s.uplink b");
	fk_link(model_find_port(f->m, "t"), true);
	assert_string_equal(fk_domain(f, "s", 11), "s.uplink t");

	/* The uplink takes part in some only. */
	assert_int_equal(fk_vlans(f, "s.uplink", fk_trunk(10, 10, 20)), 0);
	assert_string_equal(fk_domain(f, "s", 0), "n");
	assert_string_equal(fk_domain(f, "s", 10), "s.uplink a t");
	assert_string_equal(fk_domain(f, "s", 11), "t");
	assert_string_equal(fk_domain(f, "s", 20), "s.uplink b t");
}

static void test_trunk_tables(void **state)
{
	const struct vs_trunk *t;
	const struct vs_trunk *u;
	struct mf *f = *state;
	unsigned int vid;

	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:u");
	fk_switch(f, "other", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "o", "other", fk_trunk(10, 12, 0));
	fk_guest(f, "a", "s", fk_access(10));
	fk_guest(f, "t", "s", fk_trunk(11, 13, 10));
	t = hot(f, "t")->trunk;
	u = hot(f, "s.uplink")->trunk;
	assert_non_null(t);
	assert_non_null(u);
	for (vid = 0; vid < VS_VIDS_MAX; vid++) {
		assert_int_equal(vs_trunk_allows(t, (uint16_t)vid), vid >= 11 && vid <= 13);
		assert_int_equal(vs_trunk_allows(u, (uint16_t)vid), vid >= 1 && vid <= 4094);
		assert_int_equal(t->fid_of_vid[vid], fid_of(f, "s", (uint16_t)vid));
		assert_int_equal(u->fid_of_vid[vid], fid_of(f, "s", (uint16_t)vid));
		assert_int_equal(t->fid_of_vid[vid] != 0, vid == 0 || (vid >= 10 && vid <= 13));
		assert_int_equal(hot(f, "o")->trunk->fid_of_vid[vid],
				 fid_of(f, "other", (uint16_t)vid));
	}
	assert_int_not_equal(fid_of(f, "other", 11), fid_of(f, "s", 11));
}

static void test_fanout(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "s", fk_access(10));
	fk_guest(f, "b", "s", fk_access(10));
	fk_guest(f, "c", "s", fk_access(10));
	fk_guest(f, "d", "s", fk_access(20));
	fk_guest(f, "t", "s", fk_trunk(10, 20, 0));
	fk_guest(f, "v", "s", fk_trunk(20, 20, 10));
	fk_guest(f, "w", "s", fk_trunk(20, 20, 0));
	assert_int_equal(hot(f, "a")->fanout, 5); /* a b c t v */
	assert_int_equal(hot(f, "d")->fanout, 4); /* d t v w */
	assert_int_equal(hot(f, "t")->fanout, 5);
	assert_int_equal(hot(f, "v")->fanout, 5);
	assert_int_equal(hot(f, "w")->fanout, 4);
	fk_link(model_find_port(f->m, "b"), false);
	assert_int_equal(hot(f, "a")->fanout, 4);
	/* One that is down may still be sending. */
	assert_int_equal(hot(f, "b")->fanout, 4);
}

static void test_unknown_unicast(void **state)
{
	const struct vs_port_change own = {.set = VS_PORT_SET_MAC, .mac = mf_mac(1)};
	struct mf *f = *state;
	struct vs_switch *sw;

	sw = fk_switch(f, "i", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "x", "i", NULL);
	fk_guest(f, "y", "i", NULL);
	mf_set(f, "x", own);
	assert_string_equal(fk_domain(f, "i", 0), "x y");
	set_unknown(f, "i", VS_UNKNOWN_UPLINK);
	assert_string_equal(fk_domain(f, "i", 0), "y | x");
	assert_int_equal(model_unknown(sw), VS_UNKNOWN_UPLINK);
	set_unknown(f, "i", VS_UNKNOWN_DROP);
	assert_string_equal(fk_domain(f, "i", 0), "| x y");

	/* The default follows the type of the switch. */
	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:u");
	fk_guest(f, "a", "s", NULL);
	fk_guest(f, "b", "s", NULL);
	mf_set(f, "a", own);
	assert_string_equal(fk_domain(f, "s", 0), "s.uplink b | a");
	set_unknown(f, "s", VS_UNKNOWN_FLOOD);
	assert_string_equal(fk_domain(f, "s", 0), "s.uplink a b");
	set_unknown(f, "s", VS_UNKNOWN_DROP);
	assert_string_equal(fk_domain(f, "s", 0), "| s.uplink a b");
}

static uint32_t used(struct mf *f, const char *sw)
{
	return vs_fdb_used(model_find_switch(f->m, sw)->fdb);
}

static void test_own_address_on_all_vlans(void **state)
{
	const struct vs_port_change own = {.set = VS_PORT_SET_MAC, .mac = mf_mac(1)};
	struct mf *f = *state;
	struct vs_port *a;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	a = fk_guest(f, "a", "s", fk_trunk(10, 12, 5));
	mf_set(f, "a", own);
	assert_int_equal(used(f, "s"), 4);
	assert_int_equal(mf_entry_on(f, "s", 5, 1)->port, a->id);
	assert_int_equal(mf_entry_on(f, "s", 12, 1)->kind, VS_FDB_STATIC);
	assert_null(mf_entry_on(f, "s", 0, 1));
	assert_int_equal(fk_vlans(f, "a", fk_access(7)), 0);
	assert_int_equal(used(f, "s"), 1);
	assert_int_equal(mf_entry_on(f, "s", 7, 1)->port, a->id);
}

static void test_learnt_on_a_vlan(void **state)
{
	struct mf *f = *state;
	struct vs_port *t;
	uint16_t late;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	t = fk_guest(f, "t", "s", fk_trunk(10, 11, 0));
	fk_guest(f, "k", "s", fk_access(12));
	mf_sees(f, t->id, fid_of(f, "s", 10), 1, 2);
	mf_sees(f, t->id, fid_of(f, "s", 11), 1, 1);
	mf_sees(f, t->id, fid_of(f, "s", 12), 1, 1); /* not its VLAN */
	mf_turn(f);
	assert_int_equal(t->macs, 3);
	assert_null(mf_entry_on(f, "s", 12, 1));
	/* A change of VLANs forgets them all, and what was on its way. */
	late = fid_of(f, "s", 10);
	mf_sees(f, t->id, late, 30, 1);
	assert_int_equal(fk_vlans(f, "t", fk_access(11)), 0);
	mf_turn(f);
	assert_int_equal(used(f, "s"), 0);
	assert_int_equal(t->macs, 0);
	assert_int_equal(fid_of(f, "s", 10), 0);
}

static void test_priority(void **state)
{
	const struct vs_port_change on = {.set = VS_PORT_SET_PRIORITY, .priority = true};
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "s", NULL);
	assert_int_equal(hot(f, "a")->flags & VS_PORT_PRIORITY, 0);
	mf_set(f, "a", on);
	assert_int_equal(hot(f, "a")->flags & VS_PORT_PRIORITY, VS_PORT_PRIORITY);
}

/* What the workers do not leave to a port whose user switched something off. */
static void test_offload(void **state)
{
	static const struct {
		uint32_t on, off;
		unsigned int then; /* enum vs_offload */
	} step[] = {
		{0, VS_PART_TSO4, VS_OFFLOAD_TSO4},
		{0, VS_PART_TSO6, VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6},
		{VS_PART_TSO4, 0, VS_OFFLOAD_TSO6},
		{VS_PART_TSO6, VS_PART_USO, VS_OFFLOAD_USO4 | VS_OFFLOAD_USO6},
		{VS_PART_USO, VS_PART_GRO, VS_OFFLOAD_MERGE},
		{0, VS_PART_ALL, VS_OFFLOAD_ALL & ~VS_OFFLOAD_VERIFY},
		{VS_PART_ALL & ~VS_PART_CSUM, 0,
		 VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6 | VS_OFFLOAD_ECN |
			 VS_OFFLOAD_USO4 | VS_OFFLOAD_USO6},
		{VS_PART_CSUM, 0, 0},
	};
	struct mf *f = *state;
	unsigned int i;

	fk_switch(f, "lan", VS_SWITCH_PRIVATE, NULL);
	fk_guest(f, "a", "lan", NULL);
	assert_int_equal(hot(f, "a")->offload_off, 0);
	for (i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		mf_set(f, "a",
		       (struct vs_port_change){.set = VS_PORT_SET_OFFLOAD,
					       .offload_on = step[i].on,
					       .offload_off = step[i].off});
		assert_int_equal(hot(f, "a")->offload_off, step[i].then);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_bad_vlans),        FK_TEST(test_domains),
		FK_TEST(test_trunk_tables),     FK_TEST(test_fanout),
		FK_TEST(test_unknown_unicast),  FK_TEST(test_own_address_on_all_vlans),
		FK_TEST(test_learnt_on_a_vlan), FK_TEST(test_priority),
		FK_TEST(test_offload),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
