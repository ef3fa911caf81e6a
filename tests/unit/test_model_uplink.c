/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: uplinks that come, go and fail, what the kinds of ports are asked for, memory. */
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

static int set_uplink(struct mf *f, const char *name, const char *uplink)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_UPLINK, .uplink = uplink};

	return vs_switch_set(f->m, name, &c, &f->fail);
}

static int set_share(struct mf *f, const char *name, enum vs_share share)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_SHARE, .share = share};

	return vs_switch_set(f->m, name, &c, &f->fail);
}

static int become(struct mf *f, const char *name, enum vs_switch_kind kind, const char *uplink)
{
	const struct vs_switch_change c = {
		.set = VS_SWITCH_SET_KIND | (uplink ? VS_SWITCH_SET_UPLINK : 0),
		.kind = kind,
		.uplink = uplink,
	};

	return vs_switch_set(f->m, name, &c, &f->fail);
}

static void test_uplink_fails(void **state)
{
	const struct vs_switch_spec spec = {.name = "e",
					    .kind = VS_SWITCH_EXTERNAL,
					    .uplink = "xdp:a"};
	struct mf *f = *state;

	fk[VS_PORT_XDP].make_fails = -ENODEV;
	fk_refused(f, vs_switch_add(f->m, &spec, &f->fail), -ENODEV, VS_ATTR_UPLINK, "a does not");
	assert_null(model_find_switch(f->m, "e"));
	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_refused(f, become(f, "s", VS_SWITCH_EXTERNAL, "xdp:a"), -ENODEV, VS_ATTR_UPLINK,
		   "a does not");
	assert_string_equal(model_find_switch(f->m, "s")->uplink, "");
	fk[VS_PORT_XDP].make_fails = 0;
	assert_int_equal(become(f, "s", VS_SWITCH_EXTERNAL, "xdp:a"), 0);
}

static void test_uplink_is_replaced(void **state)
{
	struct mf *f = *state;
	struct vs_switch *sw = fk_switch(f, "e", VS_SWITCH_EXTERNAL, "xdp:a");

	fk_guest(f, "g", "e", NULL);
	mf_forget(f);
	assert_int_equal(set_uplink(f, "e", "dpdk:b"), 0);
	mf_next(f, VS_NOTICE_PORT_REMOVED, "e", "e.uplink");
	mf_next(f, VS_NOTICE_PORT_ADDED, "e", "e.uplink");
	mf_next(f, VS_NOTICE_PORT_UP, "e", "e.uplink");
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "e", "");
	mf_no_more(f);
	assert_string_equal(sw->uplink, "dpdk:b");
	assert_int_equal(model_uplink(sw)->kind->id, VS_PORT_DPDK);
	assert_int_equal(fk[VS_PORT_XDP].deleted, 1);
	assert_int_equal(fk[VS_PORT_DPDK].made, 1);
	assert_string_equal(fk_domain(f, "e", 0), "g e.uplink");
}

/* If the new one fails the old one has never been away. */
static void test_old_uplink_stays(void **state)
{
	struct mf *f = *state;
	struct vs_switch *sw = fk_switch(f, "e", VS_SWITCH_EXTERNAL, "xdp:a");

	fk[VS_PORT_XDP].make_fails = -ENODEV;
	fk[VS_PORT_XDP].bad_place = "b";
	mf_refused(f, set_uplink(f, "e", "xdp:b"), -ENODEV, VS_ATTR_UPLINK, "b does not work");
	assert_string_equal(sw->uplink, "xdp:a");
	assert_non_null(model_uplink(sw));
	assert_string_equal(model_uplink(sw)->place, "a");
	assert_string_equal(fk_domain(f, "e", 0), "e.uplink");
	assert_int_equal(fk[VS_PORT_XDP].made, 1);
	assert_int_equal(fk[VS_PORT_XDP].deleted, 0);
}

static void test_settings_come_back_with_the_uplink(void **state)
{
	const struct vs_port_change c = {
		.set = VS_PORT_SET_LINK | VS_PORT_SET_STORM | VS_PORT_SET_VLANS,
		.link = VS_LINK_DOWN,
		.storm_pps = 77,
		.vlans = fk_trunk(10, 12, 0),
	};
	const struct vs_switch_change off = {.set = VS_SWITCH_SET_SHARE | VS_SWITCH_SET_UPLINK,
					     .share = VS_SHARE_OFF,
					     .uplink = "xdp:b"};
	struct mf *f = *state;

	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "xdp:a");
	mf_set(f, "e.uplink", c);
	assert_int_equal(fk_static(f, "e", "e.uplink", 5, 0), 0);
	fk[VS_PORT_XDP].make_fails = -ENODEV;
	fk[VS_PORT_XDP].bad_place = "b";
	{
		char *before = mf_show(f);
		char *after;

		mf_refused(f, set_uplink(f, "e", "xdp:b"), -ENODEV, VS_ATTR_UPLINK, "b does not");
		after = mf_show(f);
		assert_string_equal(after, before);
		free(before);
		free(after);
	}
	/* The host keeps a card that it shared. */
	mf_refused(f, vs_switch_set(f->m, "e", &off, &f->fail), -ENODEV, VS_ATTR_UPLINK,
		   "b does not");
	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_ON);
}

static void test_share(void **state)
{
	const struct vs_switch_change both = {.set = VS_SWITCH_SET_SHARE | VS_SWITCH_SET_UPLINK,
					      .share = VS_SHARE_OFF,
					      .uplink = "xdp:b"};
	struct mf *f = *state;
	struct vs_switch *sw = fk_switch(f, "e", VS_SWITCH_EXTERNAL, "xdp:a");
	struct vs_port_spec host = fk_spec("h", "e", VS_PORT_HOST);
	uint16_t id = model_uplink(sw)->id;

	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_ON);
	assert_int_equal(f->m->conf->port[id].pairs, 2);
	assert_int_equal(set_share(f, "e", VS_SHARE_OFF), 0);
	assert_int_equal(f->m->conf->port[id].pairs, 1);
	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_OFF);
	assert_int_equal(fk[VS_PORT_XDP].shared, 1);
	assert_int_equal(sw->share, VS_SHARE_OFF);
	fk_refused(f, vs_port_add(f->m, &host, &f->fail), -EINVAL, VS_ATTR_KIND, "share-host on");
	/* No change, no call. */
	assert_int_equal(set_share(f, "e", VS_SHARE_OFF), 0);
	assert_int_equal(fk[VS_PORT_XDP].shared, 1);
	fk[VS_PORT_XDP].share_fails = -EIO;
	fk_refused(f, set_share(f, "e", VS_SHARE_ON), -EIO, VS_ATTR_SHARE, "a is not shared");
	fk[VS_PORT_XDP].share_fails = 0;
	assert_int_equal(set_share(f, "e", VS_SHARE_ON), 0);
	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_ON);
	assert_int_equal(f->m->conf->port[id].pairs, 2);
	/* A new uplink is made as it is to be. */
	assert_int_equal(vs_switch_set(f->m, "e", &both, &f->fail), 0);
	assert_int_equal(fk[VS_PORT_XDP].shared, 2);
	assert_int_equal(fk[VS_PORT_XDP].made, 2);
	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_OFF);
	/* A kind that knows no sharing. */
	assert_int_equal(set_uplink(f, "e", "dpdk:c"), 0);
	assert_int_equal(set_share(f, "e", VS_SHARE_ON), 0);
	assert_int_equal(sw->share, VS_SHARE_ON);
}

static void test_all_at_once(void **state)
{
	struct vs_switch_change c = {.set = VS_SWITCH_SET_KIND | VS_SWITCH_SET_UPLINK |
					    VS_SWITCH_SET_FDB_SIZE | VS_SWITCH_SET_NAME |
					    VS_SWITCH_SET_UNKNOWN | VS_SWITCH_SET_FDB_AGEING,
				     .kind = VS_SWITCH_EXTERNAL,
				     .uplink = "xdp:a",
				     .unknown = VS_UNKNOWN_DROP,
				     .fdb_size = 10,
				     .fdb_ageing_s = 60,
				     .name = "twenty-five-characters-ab"};
	struct mf *f = *state;
	struct vs_switch *sw = fk_switch(f, "s", VS_SWITCH_PRIVATE, NULL);

	fk_guest(f, "g", "s", NULL);
	/* The last of them to be looked at is refused: nothing is left of the others. */
	fk_refused(f, vs_switch_set(f->m, "s", &c, &f->fail), -EINVAL, VS_ATTR_NAME,
		   "at most 24 characters");
	assert_int_equal(fk[VS_PORT_XDP].made, fk[VS_PORT_XDP].deleted);
	c.name = "t";
	fk[VS_PORT_XDP].make_fails = -ENODEV;
	fk_refused(f, vs_switch_set(f->m, "s", &c, &f->fail), -ENODEV, VS_ATTR_UPLINK, "a does");
	fk[VS_PORT_XDP].make_fails = 0;
	mf_forget(f);
	assert_int_equal(vs_switch_set(f->m, "s", &c, &f->fail), 0);
	mf_next(f, VS_NOTICE_PORT_ADDED, "s", "s.uplink");
	mf_next(f, VS_NOTICE_PORT_UP, "t", "t.uplink");
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "t", "");
	mf_no_more(f);
	assert_ptr_equal(model_find_switch(f->m, "t"), sw);
	assert_int_equal(sw->kind, VS_SWITCH_EXTERNAL);
	assert_int_equal(vs_fdb_size(sw->fdb), 10);
	assert_int_equal(sw->fdb_ageing_s, 60);
	assert_int_equal(model_unknown(sw), VS_UNKNOWN_DROP);
	assert_string_equal(model_uplink(sw)->name, "t.uplink");
}

/* ---- what the kind of a port is asked ---- */

static void test_kind_is_asked(void **state)
{
	struct vs_port_change c = {.set = VS_PORT_SET_ADDRS | VS_PORT_SET_MTU,
				   .addrs = "192.0.2.1/24",
				   .mtu = 1300};
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_port(f, "h", "s", VS_PORT_HOST);
	fk_port(f, "tap", "s", VS_PORT_PACKET);
	fk_guest(f, "g", "s", NULL);
	mf_set(f, "h", c);
	assert_int_equal(fk[VS_PORT_HOST].set, 1);
	assert_string_equal(fk[VS_PORT_HOST].change.addrs, "192.0.2.1/24");
	assert_int_equal(model_find_port(f->m, "h")->mtu, 1300);
	fk[VS_PORT_HOST].set_fails = -EPERM;
	fk_refused(f, vs_port_set(f->m, "h", &c, &f->fail), -EPERM, VS_ATTR_IFNAME, "h does not");
	c.set = VS_PORT_SET_SWITCH | VS_PORT_SET_MAC;
	c.mac = mf_mac(1);
	c.sw = "t";
	fk_switch(f, "t", VS_SWITCH_INTERNAL, NULL);
	fk_refused(f, vs_port_set(f->m, "h", &c, &f->fail), -EPERM, VS_ATTR_IFNAME, "h does not");
	c.set = VS_PORT_SET_ADDRS;
	fk_refused(f, vs_port_set(f->m, "g", &c, &f->fail), -EINVAL, VS_ATTR_ADDRS, "'g'");
	/* Where the interface is another's, so is its MTU. */
	assert_int_equal(model_find_port(f->m, "tap")->mtu, 1400);
	assert_int_equal(f->m->conf->port[model_find_port(f->m, "tap")->id].max_frame, 1414);
	c.set = VS_PORT_SET_MTU;
	fk_refused(f, vs_port_set(f->m, "tap", &c, &f->fail), -EOPNOTSUPP, VS_ATTR_MTU, "'tap'");
}

static void test_faults_and_links(void **state)
{
	struct mf *f = *state;
	struct vs_port *a;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	a = fk_guest(f, "a", "s", NULL);
	fk_link(a, false);
	mf_forget(f);
	fk_link(a, true);
	mf_next(f, VS_NOTICE_PORT_UP, "s", "a");
	mf_no_more(f);
	assert_string_equal(fk_domain(f, "s", 0), "a");
	mf_event(f, VS_EVENT_FAULT, a->id);
	mf_turn(f);
	assert_string_equal(mf_next(f, VS_NOTICE_PORT_DOWN, "s", "a")->text, "it broke");
	assert_string_equal(mf_next(f, VS_NOTICE_PORT_FAULT, "s", "a")->text, "it broke");
	mf_no_more(f);
	assert_string_equal(fk_domain(f, "s", 0), "");
}

/* When the daemon ends, what is in the host stays. */
static void test_the_end(void **state)
{
	struct vs_model_env env;
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_port(f, "h", "s", VS_PORT_HOST);
	fk_port(f, "h2", "s", VS_PORT_HOST);
	fk_guest(f, "g", "s", NULL);
	assert_int_equal(vs_port_del(f->m, "h2", &f->fail), 0);
	assert_int_equal(fk[VS_PORT_HOST].deleted, 1);
	assert_int_equal(fk[VS_PORT_HOST].left, 0);
	env = f->m->env;
	vs_model_free(f->m);
	assert_int_equal(fk[VS_PORT_HOST].deleted, 1);
	assert_int_equal(fk[VS_PORT_HOST].left, 1);
	assert_int_equal(fk[VS_PORT_GUEST].deleted, 1);
	assert_int_equal(vs_model_new(&env, &f->m), 0);
}

/* ---- memory ---- */

static void test_out_of_memory_making_and_deleting(void **state)
{
	const struct vs_switch_spec spec = {.name = "e",
					    .kind = VS_SWITCH_EXTERNAL,
					    .uplink = "xdp:a"};
	struct mf *f = *state;
	unsigned int deleted;

	fk_without_memory(f, vs_switch_add(f->m, &spec, &f->fail));
	assert_int_equal(fk[VS_PORT_XDP].made, fk[VS_PORT_XDP].deleted + 1);
	deleted = fk[VS_PORT_XDP].deleted;
	fk_without_memory(f, vs_switch_del(f->m, "e", VS_DEL_REFUSE_PORTS, &f->fail));
	assert_int_equal(fk[VS_PORT_XDP].deleted, deleted + 1);
}

static void test_out_of_memory_becoming_external(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_without_memory(f, become(f, "s", VS_SWITCH_EXTERNAL, "xdp:a"));
}

static void test_out_of_memory_becoming_internal(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:a");
	fk_without_memory(f, become(f, "s", VS_SWITCH_INTERNAL, NULL));
}

/* It may work without, but what the device does is what is shown. */
static void test_share_without_memory(void **state)
{
	struct mf *f = *state;
	struct vs_switch *sw = fk_switch(f, "e", VS_SWITCH_EXTERNAL, "xdp:a");
	int err;

	mf_alloc_fails = 0;
	err = set_share(f, "e", VS_SHARE_OFF);
	mf_alloc_fails = -1;
	assert_int_equal(sw->share, err ? VS_SHARE_ON : VS_SHARE_OFF);
	assert_int_equal(fk[VS_PORT_XDP].share, sw->share);
}

static void test_out_of_memory_size_and_policy(void **state)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_FDB_SIZE | VS_SWITCH_SET_UNKNOWN,
					   .fdb_size = 100,
					   .unknown = VS_UNKNOWN_DROP};
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_without_memory(f, vs_switch_set(f->m, "s", &c, &f->fail));
}

static int set_vmq(struct mf *f, enum vs_vmq_mode mode)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_VMQ, .vmq = mode};

	return vs_switch_set(f->m, "e", &c, &f->fail);
}

/** struct seen - what is shown of the default queue, and how many ports have another */
struct seen {
	char engine[16];
	char reason[128];
	unsigned int queues;
};

static int look(const struct vs_vmq_view *view, void *ctx)
{
	struct seen *seen = ctx;

	seen->queues += view->has_queue && !view->is_default;
	if (!view->is_default)
		return 0;
	snprintf(seen->engine, sizeof(seen->engine), "%s", view->engine);
	snprintf(seen->reason, sizeof(seen->reason), "%s", view->reason);
	return 0;
}

static struct seen shown(struct mf *f)
{
	struct seen seen = {0};

	assert_int_equal(vs_vmq_each(f->m, "e", look, &seen, &f->fail), 0);
	return seen;
}

/* What the uplink cannot sort, the switch does, and says why; and the uplink is asked again. */
static void test_sorting(void **state)
{
	static const char *const macs[] = {"02:00:00:00:00:01", "02:00:00:00:00:02"};
	struct fk_kind *k = &fk[VS_PORT_XDP];
	struct mf *f = *state;
	unsigned int asked;
	size_t i;

	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "xdp:a");
	for (i = 0; i < 2; i++) {
		struct vs_port_spec spec = fk_spec(i ? "h" : "g", "e", VS_PORT_GUEST);

		assert_int_equal(rte_ether_unformat_addr(macs[i], &spec.mac), 0);
		assert_int_equal(vs_port_add(f->m, &spec, &f->fail), 0);
	}
	assert_int_equal(k->wishes, 0);
	assert_int_equal(set_vmq(f, VS_VMQ_ON), 0);
	assert_string_equal(shown(f).engine, "fake");
	/* It has one queue, and so has the switch. */
	assert_int_equal(k->wishes, 1);
	assert_int_equal(shown(f).queues, 1);
	assert_int_equal(set_vmq(f, VS_VMQ_SOFT), 0);
	assert_string_equal(shown(f).engine, "soft");
	assert_int_equal(k->wishes, 0);
	assert_int_equal(shown(f).queues, 2);

	k->sort_fails = -EOPNOTSUPP;
	asked = k->sorted;
	assert_int_equal(set_vmq(f, VS_VMQ_ON), 0);
	assert_string_equal(shown(f).engine, "soft");
	assert_string_equal(shown(f).reason, "a does not sort");
	assert_int_equal(shown(f).queues, 2);
	assert_true(k->sorted - asked <= 2);
	k->sort_fails = 0;
	assert_int_equal(vs_port_del(f->m, "h", &f->fail), 0);
	assert_string_equal(shown(f).engine, "fake");
	assert_int_equal(shown(f).queues, 1);
	assert_int_equal(set_vmq(f, VS_VMQ_OFF), 0);
	assert_string_equal(shown(f).engine, "off");
	assert_int_equal(k->wishes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_uplink_fails),
		FK_TEST(test_uplink_is_replaced),
		FK_TEST(test_old_uplink_stays),
		FK_TEST(test_settings_come_back_with_the_uplink),
		FK_TEST(test_share),
		FK_TEST(test_sorting),
		FK_TEST(test_all_at_once),
		FK_TEST(test_kind_is_asked),
		FK_TEST(test_faults_and_links),
		FK_TEST(test_the_end),
		FK_TEST(test_out_of_memory_making_and_deleting),
		FK_TEST(test_out_of_memory_becoming_external),
		FK_TEST(test_out_of_memory_becoming_internal),
		FK_TEST(test_share_without_memory),
		FK_TEST(test_out_of_memory_size_and_policy),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
