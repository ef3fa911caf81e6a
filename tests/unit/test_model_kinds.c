/* SPDX-License-Identifier: BSD-3-Clause */
/* The model: types of switches, which ports they take, and names. */
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

static int add(struct mf *f, const char *name, enum vs_switch_kind kind, const char *uplink)
{
	const struct vs_switch_spec spec = {.name = name, .kind = kind, .uplink = uplink};

	return vs_switch_add(f->m, &spec, &f->fail);
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

static int set_share(struct mf *f, const char *name, enum vs_share share)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_SHARE, .share = share};

	return vs_switch_set(f->m, name, &c, &f->fail);
}

static int rename_to(struct mf *f, const char *name, const char *new)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_NAME, .name = new};

	return vs_switch_set(f->m, name, &c, &f->fail);
}

static int add_port(struct mf *f, const char *name, const char *sw, enum vs_port_kind kind)
{
	const struct vs_port_spec spec = fk_spec(name, sw, kind);

	return vs_port_add(f->m, &spec, &f->fail);
}

static void test_uplink_words(void **state)
{
	static const char *const no_uplink[] = {"", "xdp", "xdp:", "dpdk:", "XDP:e", "pcap:e", ":"};
	char long_uplink[VS_PROTO_UPLINK_SIZE + 1] = "dpdk:";
	struct mf *f = *state;
	unsigned int i;

	for (i = 0; i < sizeof(no_uplink) / sizeof(no_uplink[0]); i++)
		fk_refused(f, add(f, "e", VS_SWITCH_EXTERNAL, no_uplink[i]), -EINVAL,
			   VS_ATTR_UPLINK, "xdp:IFNAME or dpdk:DEVARGS");
	fk_refused(f, add(f, "e", VS_SWITCH_EXTERNAL, NULL), -EINVAL, VS_ATTR_UPLINK,
		   "an external switch has an uplink");
	fk_refused(f, add(f, "e", VS_SWITCH_PRIVATE, "xdp:e0"), -EINVAL, VS_ATTR_UPLINK,
		   "only an external switch");
	fk_refused(f, add(f, "e", VS_SWITCH_INTERNAL, "xdp:e0"), -EINVAL, VS_ATTR_UPLINK,
		   "only an external switch");
	memset(long_uplink + 5, 'x', VS_PROTO_UPLINK_SIZE - 5);
	fk_refused(f, add(f, "e", VS_SWITCH_EXTERNAL, long_uplink), -EINVAL, VS_ATTR_UPLINK,
		   "at most 255 characters");
	long_uplink[VS_PROTO_UPLINK_SIZE - 1] = '\0';
	assert_int_equal(add(f, "e", VS_SWITCH_EXTERNAL, long_uplink), 0);
	assert_string_equal(model_find_switch(f->m, "e")->uplink, long_uplink);
}

static int seen_switch(const struct vs_switch_view *v, void *ctx)
{
	*(struct vs_switch_view *)ctx = *v;
	return 0;
}

static void test_external_switch(void **state)
{
	struct vs_switch_view view;
	struct mf *f = *state;
	struct vs_port *uplink;

	assert_int_equal(add(f, "e", VS_SWITCH_EXTERNAL, "xdp:eth0"), 0);
	mf_next(f, VS_NOTICE_PORT_ADDED, "e", "e.uplink");
	mf_next(f, VS_NOTICE_PORT_UP, "e", "e.uplink");
	mf_next(f, VS_NOTICE_SWITCH_ADDED, "e", "");
	mf_no_more(f);
	uplink = model_find_port(f->m, "e.uplink");
	assert_int_equal(uplink->kind->id, VS_PORT_XDP);
	assert_string_equal(uplink->place, "eth0");
	assert_ptr_equal(model_uplink(model_find_switch(f->m, "e")), uplink);
	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_OFF);
	assert_false(fk[VS_PORT_XDP].force);
	assert_int_equal(vs_switch_each(f->m, "e", seen_switch, &view, &f->fail), 0);
	assert_int_equal(view.kind, VS_SWITCH_EXTERNAL);
	assert_string_equal(view.uplink, "xdp:eth0");
	assert_int_equal(view.share, VS_SHARE_OFF);
	assert_int_equal(view.unknown, VS_UNKNOWN_UPLINK);
	assert_int_equal(view.ports, 1);
	assert_int_equal(view.ports_up, 1);

	/* An uplink belongs to one switch, and comes and goes with it only. */
	fk_refused(f, add(f, "e2", VS_SWITCH_EXTERNAL, "xdp:eth0"), -EEXIST, VS_ATTR_UPLINK,
		   "'e.uplink'");
	fk_refused(f, add_port(f, "u", "e", VS_PORT_XDP), -EINVAL, VS_ATTR_KIND,
		   "comes with its switch");
	fk_refused(f, add_port(f, "u", "e", VS_PORT_DPDK), -EINVAL, VS_ATTR_KIND,
		   "comes with its switch");
	fk_refused(f, vs_port_del(f->m, "e.uplink", &f->fail), -EBUSY, VS_ATTR_NAME,
		   "'switch del e'");
	fk_switch(f, "d", VS_SWITCH_EXTERNAL, "dpdk:net_tap0,iface=x");
	assert_string_equal(model_find_port(f->m, "d.uplink")->place, "net_tap0,iface=x");
	fk_refused(f, fk_move(f, "e.uplink", "d"), -EINVAL, VS_ATTR_SWITCH, "cannot be moved");

	/* With nothing but its uplink left, it needs no force. */
	assert_int_equal(add_port(f, "g", "e", VS_PORT_GUEST), 0);
	fk_refused(f, vs_switch_del(f->m, "e", VS_DEL_REFUSE_PORTS, &f->fail), -EBUSY, VS_ATTR_NAME,
		   "has 1 port;");
	assert_int_equal(vs_port_del(f->m, "g", &f->fail), 0);
	mf_forget(f);
	assert_int_equal(vs_switch_del(f->m, "e", VS_DEL_REFUSE_PORTS, &f->fail), 0);
	mf_next(f, VS_NOTICE_PORT_REMOVED, "e", "e.uplink");
	mf_next(f, VS_NOTICE_SWITCH_REMOVED, "e", "");
	mf_no_more(f);
	assert_int_equal(fk[VS_PORT_XDP].deleted, 1);
	assert_int_equal(fk[VS_PORT_XDP].left, 0);
	assert_null(model_find_port(f->m, "e.uplink"));
}

static void test_ports_of_each_type(void **state)
{
	struct vs_switch_spec unshared = {.name = "off",
					  .kind = VS_SWITCH_EXTERNAL,
					  .uplink = "xdp:b",
					  .force = true};
	struct mf *f = *state;

	fk_switch(f, "priv", VS_SWITCH_PRIVATE, NULL);
	fk_switch(f, "int", VS_SWITCH_INTERNAL, NULL);
	fk_switch(f, "ext", VS_SWITCH_EXTERNAL, "xdp:a");
	assert_int_equal(vs_switch_add(f->m, &unshared, &f->fail), 0);
	assert_true(fk[VS_PORT_XDP].force);
	assert_int_equal(add_port(f, "g1", "priv", VS_PORT_GUEST), 0);
	assert_int_equal(add_port(f, "g2", "priv", VS_PORT_PACKET), 0);
	fk_refused(f, add_port(f, "h", "priv", VS_PORT_HOST), -EINVAL, VS_ATTR_KIND,
		   "a private switch has no host ports");
	fk_refused(f, add_port(f, "h", "off", VS_PORT_HOST), -EINVAL, VS_ATTR_KIND,
		   "does not share its uplink");
	assert_int_equal(add_port(f, "h", "int", VS_PORT_HOST), 0);
	assert_int_equal(add_port(f, "h2", "ext", VS_PORT_HOST), 0);
	assert_int_equal(add_port(f, "g3", "off", VS_PORT_GUEST), 0);
	/* One place, one port, of whatever kind. */
	fk_refused(f, add_port(f, "a", "int", VS_PORT_HOST), -EEXIST, VS_ATTR_IFNAME,
		   "'ext.uplink'");
	/* Nor do they come there by a move. */
	fk_refused(f, fk_move(f, "h", "priv"), -EINVAL, VS_ATTR_KIND, "private");
	fk_refused(f, fk_move(f, "h", "off"), -EINVAL, VS_ATTR_KIND, "share");
	assert_int_equal(fk_move(f, "h", "ext"), 0);
	assert_int_equal(fk_move(f, "h", "int"), 0);
	/* A kind that was not built in. */
	fk_missing = VS_PORT_HOST;
	fk_refused(f, add_port(f, "h9", "int", VS_PORT_HOST), -EOPNOTSUPP, VS_ATTR_KIND, "built");
	fk_missing = VS_PORT_DPDK;
	fk_refused(f, add(f, "d", VS_SWITCH_EXTERNAL, "dpdk:x"), -EOPNOTSUPP, VS_ATTR_KIND,
		   "built");
	assert_null(model_find_switch(f->m, "d"));
}

static void test_transitions(void **state)
{
	struct vs_switch_change c = {0};
	struct mf *f = *state;
	struct vs_switch *sw = fk_switch(f, "s", VS_SWITCH_PRIVATE, NULL);

	fk_guest(f, "g", "s", NULL);
	assert_int_equal(model_unknown(sw), VS_UNKNOWN_FLOOD);
	fk_refused(f, become(f, "s", VS_SWITCH_EXTERNAL, NULL), -EINVAL, VS_ATTR_UPLINK,
		   "has an uplink");
	fk_refused(f, become(f, "s", VS_SWITCH_INTERNAL, "xdp:a"), -EINVAL, VS_ATTR_UPLINK,
		   "only an external");
	fk_refused(f, set_share(f, "s", VS_SHARE_ON), -EINVAL, VS_ATTR_SHARE, "only an external");
	c.set = VS_SWITCH_SET_UPLINK;
	c.uplink = "xdp:a";
	fk_refused(f, vs_switch_set(f->m, "s", &c, &f->fail), -EINVAL, VS_ATTR_UPLINK,
		   "only an external");

	mf_forget(f);
	assert_int_equal(become(f, "s", VS_SWITCH_INTERNAL, NULL), 0);
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "s", "");
	mf_no_more(f);
	assert_int_equal(add_port(f, "h", "s", VS_PORT_HOST), 0);
	fk_refused(f, become(f, "s", VS_SWITCH_PRIVATE, NULL), -EBUSY, VS_ATTR_KIND,
		   "host port 'h' stands in the way");
	c = (struct vs_switch_change){.set = VS_SWITCH_SET_KIND | VS_SWITCH_SET_UPLINK |
					     VS_SWITCH_SET_SHARE,
				      .kind = VS_SWITCH_EXTERNAL,
				      .uplink = "xdp:a",
				      .share = VS_SHARE_OFF};
	fk_refused(f, vs_switch_set(f->m, "s", &c, &f->fail), -EBUSY, VS_ATTR_KIND, "'h' stands");
	assert_int_equal(fk[VS_PORT_XDP].made, 0);
}

/* A host port keeps its place as long as the type of the switch has room for it. */
static void test_there_and_back(void **state)
{
	struct mf *f = *state;
	struct vs_switch *sw = fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);

	fk_guest(f, "g", "s", NULL);
	assert_int_equal(add_port(f, "h", "s", VS_PORT_HOST), 0);
	/* External; the host keeps its port, as sharing is what one gets unasked. */
	mf_forget(f);
	assert_int_equal(become(f, "s", VS_SWITCH_EXTERNAL, "xdp:a"), 0);
	mf_next(f, VS_NOTICE_PORT_ADDED, "s", "s.uplink");
	mf_next(f, VS_NOTICE_PORT_UP, "s", "s.uplink");
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "s", "");
	mf_no_more(f);
	assert_int_equal(sw->share, VS_SHARE_ON);
	assert_int_equal(model_unknown(sw), VS_UNKNOWN_UPLINK);
	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_ON);
	fk_refused(f, set_share(f, "s", VS_SHARE_OFF), -EBUSY, VS_ATTR_KIND, "'h' stands");
	fk_refused(f, become(f, "s", VS_SWITCH_PRIVATE, NULL), -EBUSY, VS_ATTR_KIND, "'h' stands");
	/* The same once more is no change of the uplink. */
	assert_int_equal(become(f, "s", VS_SWITCH_EXTERNAL, "xdp:a"), 0);
	assert_int_equal(become(f, "s", VS_SWITCH_EXTERNAL, NULL), 0);
	assert_int_equal(fk[VS_PORT_XDP].made, 1);

	/* And back: the uplink goes, the others stay. */
	mf_forget(f);
	assert_int_equal(become(f, "s", VS_SWITCH_INTERNAL, NULL), 0);
	mf_next(f, VS_NOTICE_PORT_REMOVED, "s", "s.uplink");
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "s", "");
	assert_int_equal(fk[VS_PORT_XDP].deleted, 1);
	assert_string_equal(sw->uplink, "");
	assert_int_equal(sw->share, VS_SHARE_OFF);
	assert_int_equal(vs_port_del(f->m, "h", &f->fail), 0);
	assert_int_equal(become(f, "s", VS_SWITCH_PRIVATE, NULL), 0);
	assert_int_equal(become(f, "s", VS_SWITCH_EXTERNAL, "dpdk:b"), 0);
	assert_int_equal(become(f, "s", VS_SWITCH_PRIVATE, NULL), 0);
	assert_non_null(model_find_port(f->m, "g"));
	assert_string_equal(fk_domain(f, "s", 0), "g");
}

static void test_names(void **state)
{
	struct mf *f = *state;
	struct vs_port *uplink;

	/* The longest name of an external switch leaves room for that of its uplink. */
	fk_refused(f, add(f, "abcdefghijklmnopqrstuvwxy", VS_SWITCH_EXTERNAL, "xdp:a"), -EINVAL,
		   VS_ATTR_NAME, "at most 24 characters");
	assert_int_equal(add(f, "abcdefghijklmnopqrstuvwx", VS_SWITCH_EXTERNAL, "xdp:a"), 0);
	uplink = model_find_port(f->m, "abcdefghijklmnopqrstuvwx.uplink");
	assert_non_null(uplink);
	fk_refused(f, rename_to(f, "abcdefghijklmnopqrstuvwx", "abcdefghijklmnopqrstuvwxy"),
		   -EINVAL, VS_ATTR_NAME, "at most 24 characters");

	assert_int_equal(add(f, "abcdefghijklmnopqrstuvwxy012345", VS_SWITCH_PRIVATE, NULL), 0);
	fk_refused(f, become(f, "abcdefghijklmnopqrstuvwxy012345", VS_SWITCH_EXTERNAL, "xdp:b"),
		   -EINVAL, VS_ATTR_NAME, "at most 24 characters");

	mf_forget(f);
	assert_int_equal(rename_to(f, "abcdefghijklmnopqrstuvwx", "ext"), 0);
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "ext", "");
	mf_no_more(f);
	assert_ptr_equal(model_find_port(f->m, "ext.uplink"), uplink);
	assert_null(model_find_port(f->m, "abcdefghijklmnopqrstuvwx.uplink"));
	fk_refused(f, rename_to(f, "ext", "abcdefghijklmnopqrstuvwxy012345"), -EEXIST,
		   VS_ATTR_NEW_NAME, "is there already");
	fk_refused(f, rename_to(f, "ext", "-x"), -EINVAL, VS_ATTR_NEW_NAME, "'-x'");
	fk_refused(f, rename_to(f, "x", "y"), -ENOENT, VS_ATTR_NAME, "'x'");
	assert_int_equal(rename_to(f, "ext", "ext"), 0);
}

/* There is one port of a name, also when an uplink gets its name from its switch. */
static void test_name_of_an_uplink_is_taken(void **state)
{
	struct mf *f = *state;

	fk_switch(f, "old", VS_SWITCH_EXTERNAL, "xdp:a");
	fk_switch(f, "lan", VS_SWITCH_PRIVATE, NULL);
	fk_guest(f, "new.uplink", "lan", NULL);
	fk_refused(f, add(f, "new", VS_SWITCH_EXTERNAL, "xdp:b"), -EEXIST, VS_ATTR_NAME,
		   "'new.uplink' is there already");
	fk_refused(f, rename_to(f, "old", "new"), -EEXIST, VS_ATTR_NEW_NAME, "'new.uplink'");
}

static void test_port_names(void **state)
{
	struct vs_port_change c = {.set = VS_PORT_SET_NAME, .name = "b"};
	struct mf *f = *state;
	struct vs_port *port;

	fk_switch(f, "s", VS_SWITCH_EXTERNAL, "xdp:x");
	port = fk_guest(f, "a", "s", NULL);
	mf_forget(f);
	assert_int_equal(vs_port_set(f->m, "a", &c, &f->fail), 0);
	mf_next(f, VS_NOTICE_PORT_CHANGED, "s", "b");
	assert_ptr_equal(model_find_port(f->m, "b"), port);
	assert_null(model_find_port(f->m, "a"));
	assert_int_equal(vs_port_set(f->m, "b", &c, &f->fail), 0);
	fk_guest(f, "c", "s", NULL);
	fk_refused(f, vs_port_set(f->m, "c", &c, &f->fail), -EEXIST, VS_ATTR_NEW_NAME, "'b'");
	fk_refused(f, vs_port_set(f->m, "s.uplink", &c, &f->fail), -EINVAL, VS_ATTR_NEW_NAME,
		   "named after its switch");
	c.name = "x y";
	fk_refused(f, vs_port_set(f->m, "c", &c, &f->fail), -EINVAL, VS_ATTR_NEW_NAME, "'x y'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_uplink_words),
		FK_TEST(test_external_switch),
		FK_TEST(test_ports_of_each_type),
		FK_TEST(test_transitions),
		FK_TEST(test_there_and_back),
		FK_TEST(test_names),
		FK_TEST(test_name_of_an_uplink_is_taken),
		FK_TEST(test_port_names),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
