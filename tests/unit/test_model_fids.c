/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: forwarding ids, taken and given back with the VLANs that ports are on. */
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

static uint16_t fid_of(struct mf *f, const char *sw, uint16_t vlan)
{
	return model_find_switch(f->m, sw)->fid_of_vid[vlan];
}

static unsigned int taken(const struct mf *f)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < VS_FIDS_MAX; i++)
		n += f->m->fid[i].sw != NULL;
	return n;
}

/* Every id stands for what the switches' tables say, and the snapshot has no others. */
static void check_fids(const struct mf *f)
{
	unsigned int n = 0;
	unsigned int s;
	unsigned int vid;

	for (s = 0; s < VS_SWITCHES_MAX; s++) {
		const struct vs_switch *sw = f->m->sw[s];

		for (vid = 0; sw && vid < VS_VIDS_MAX; vid++) {
			uint16_t fid = sw->fid_of_vid[vid];

			if (!fid)
				continue;
			n++;
			assert_ptr_equal(f->m->fid[fid].sw, sw);
			assert_int_equal(f->m->fid[fid].vid, vid);
		}
	}
	assert_int_equal(taken(f), n);
	assert_null(f->m->fid[0].sw);
}

static void test_taken_and_given_back(void **state)
{
	struct mf *f = *state;

	assert_int_equal(taken(f), 0);
	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:u");
	assert_int_equal(taken(f), 1);
	fk_guest(f, "a", "s", fk_access(10));
	fk_guest(f, "b", "s", fk_access(10));
	assert_int_equal(taken(f), 2);
	fk_guest(f, "t", "s", fk_trunk(10, 19, 100));
	assert_int_equal(taken(f), 12);
	check_fids(f);
	assert_int_equal(fk_vlans(f, "t", fk_trunk(15, 29, 0)), 0);
	check_fids(f);
	assert_int_equal(taken(f), 1 + 1 + 15);
	assert_int_equal(fid_of(f, "s", 100), 0);
	assert_int_equal(fid_of(f, "s", 14), 0);
	assert_int_not_equal(fid_of(f, "s", 10), 0);
	/* The native VLAN of the uplink has an id, the tagged ones have not. */
	assert_int_equal(fk_vlans(f, "s.uplink", fk_trunk(200, 300, 400)), 0);
	assert_int_equal(taken(f), 18);
	assert_int_not_equal(fid_of(f, "s", 400), 0);
	assert_int_equal(vs_port_del(f->m, "t", &f->fail), 0);
	assert_int_equal(taken(f), 3);
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	assert_int_equal(taken(f), 3);
	assert_int_equal(vs_port_del(f->m, "b", &f->fail), 0);
	assert_int_equal(taken(f), 2);
	check_fids(f);
	assert_int_equal(vs_switch_del(f->m, "s", VS_DEL_REFUSE_PORTS, &f->fail), 0);
	assert_int_equal(taken(f), 0);
}

static void test_failures_give_back(void **state)
{
	struct vs_port_spec spec = fk_spec("a", "s", VS_PORT_GUEST);
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	spec.vlans = fk_trunk(1, 50, 0);
	fk[VS_PORT_GUEST].make_fails = -EIO;
	fk_refused(f, vs_port_add(f->m, &spec, &f->fail), -EIO, VS_ATTR_SOCKET, "does not work");
	assert_int_equal(taken(f), 1);
	fk[VS_PORT_GUEST].make_fails = 0;
	fk_without_memory(f, vs_port_add(f->m, &spec, &f->fail));
	assert_int_equal(taken(f), 51);
	model_port_changed(model_find_port(f->m, "a"));
	fk_without_memory(f, fk_vlans(f, "a", fk_trunk(40, 60, 70)));
	assert_int_equal(taken(f), 1 + 21 + 1);
	check_fids(f);
}

/* What the workers have names no id that is given back, or it would stand for something else. */
static void test_snapshot_names_no_released_id(void **state)
{
	struct mf *f = *state;
	const struct vs_port_hot *u;
	unsigned int vid;

	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:u");
	fk_guest(f, "a", "s", fk_access(10));
	u = &f->m->conf->port[model_find_port(f->m, "s.uplink")->id];
	assert_int_equal(u->trunk->fid_of_vid[10], fid_of(f, "s", 10));
	assert_int_equal(fk_vlans(f, "a", fk_access(20)), 0);
	u = &f->m->conf->port[model_find_port(f->m, "s.uplink")->id];
	for (vid = 1; vid < VS_VIDS_MAX; vid++)
		assert_int_equal(u->trunk->fid_of_vid[vid], fid_of(f, "s", (uint16_t)vid));
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	u = &f->m->conf->port[model_find_port(f->m, "s.uplink")->id];
	for (vid = 1; vid < VS_VIDS_MAX; vid++)
		assert_int_equal(u->trunk->fid_of_vid[vid], fid_of(f, "s", (uint16_t)vid));
}

static void test_reuse(void **state)
{
	struct mf *f = *state;
	struct vs_port *u;
	struct vs_port *a;
	uint16_t fid;

	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:u");
	fk_switch(f, "r", VS_SWITCH_INTERNAL, NULL);
	u = model_find_port(f->m, "s.uplink");
	a = fk_guest(f, "a", "s", fk_access(10));
	fid = fid_of(f, "s", 10);
	mf_sees(f, u->id, fid, 1, 5);
	mf_sees(f, a->id, fid, 11, 5);
	mf_turn(f);
	assert_int_equal(u->macs, 5);
	assert_int_equal(fk_static(f, "s", "a", 99, 10), 0);
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	/* What the uplink taught on that VLAN went with it. */
	assert_int_equal(u->macs, 0);
	assert_int_equal(vs_fdb_used(model_find_switch(f->m, "s")->fdb), 0);
	fk_guest(f, "b", "s", fk_access(20));
	assert_int_equal(fid_of(f, "s", 20), fid);
	assert_null(mf_entry_on(f, "s", 20, 1));
	assert_null(mf_entry_on(f, "s", 20, 99));
	assert_int_equal(fk_vlans(f, "b", fk_access(30)), 0);
	fk_guest(f, "x", "r", fk_access(40));
	assert_int_equal(fid_of(f, "r", 40), fid);
	/* Said of "s" before. */
	mf_sees(f, u->id, fid, 1, 1);
	mf_turn(f);
	assert_int_equal(u->macs, 0);
}

/* An event on its way when the VLAN goes is not taken for the VLAN that gets its id. */
static void test_late_event_and_reuse(void **state)
{
	struct mf *f = *state;
	struct vs_port *u;
	uint16_t fid;

	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:u");
	u = model_find_port(f->m, "s.uplink");
	fk_guest(f, "a", "s", fk_access(10));
	fid = fid_of(f, "s", 10);
	mf_sees(f, u->id, fid, 1, 1);
	assert_int_equal(fk_vlans(f, "a", fk_access(20)), 0);
	assert_int_equal(fk_vlans(f, "a", fk_access(30)), 0);
	assert_int_equal(fid_of(f, "s", 30), fid);
	mf_turn(f);
	assert_null(mf_entry_on(f, "s", 30, 1));
	assert_int_equal(u->macs, 0);
}

/* All ids there are: 16 switches with every VLAN, and what is left over. */
static void test_all_ids(void **state)
{
	struct vs_port_spec spec = fk_spec("more", "more", VS_PORT_GUEST);
	const struct vs_switch_change small = {.set = VS_SWITCH_SET_FDB_SIZE, .fdb_size = 8};
	struct mf *f = *state;
	char name[8];
	unsigned int i;

	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		fk_switch(f, name, VS_SWITCH_INTERNAL, NULL);
		assert_int_equal(vs_switch_set(f->m, name, &small, &f->fail), 0);
		fk_guest(f, name, name, fk_trunk(1, 4094, 0));
	}
	assert_int_equal(taken(f), 16 * 4095);
	fk_switch(f, "more", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "small", "more", NULL);
	assert_int_equal(taken(f), 16 * 4095 + 1);
	/* 65,535 less those. */
	spec.vlans = fk_trunk(1, 15, 0);
	fk_refused(f, vs_port_add(f->m, &spec, &f->fail), -ENOSPC, VS_ATTR_VLANS, "65535 VLANs");
	fk_refused(f, fk_vlans(f, "small", fk_trunk(1, 15, 0)), -ENOSPC, VS_ATTR_VLANS, "65535");
	fk_refused(f, fk_move(f, "s3", "more"), -ENOSPC, VS_ATTR_VLANS, "65535");
	assert_int_equal(fk_vlans(f, "small", fk_trunk(1, 14, 0)), 0);
	assert_int_equal(taken(f), 65535);
	assert_int_equal(f->m->conf->n_fids, 65536);
	assert_string_equal(fk_domain(f, "more", 14), "small");
	assert_string_equal(fk_domain(f, "s15", 4094), "s15");
	{
		const struct vs_switch_spec one = {.name = "x", .kind = VS_SWITCH_INTERNAL};

		fk_refused(f, vs_switch_add(f->m, &one, &f->fail), -ENOSPC, VS_ATTR_VLANS, "65535");
	}
	assert_int_equal(vs_port_del(f->m, "s7", &f->fail), 0);
	assert_int_equal(taken(f), 65535 - 4094);
	assert_int_equal(vs_port_add(f->m, &spec, &f->fail), 0);
	check_fids(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_taken_and_given_back),          FK_TEST(test_failures_give_back),
		FK_TEST(test_snapshot_names_no_released_id), FK_TEST(test_reuse),
		FK_TEST(test_late_event_and_reuse),          FK_TEST(test_all_ids),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
