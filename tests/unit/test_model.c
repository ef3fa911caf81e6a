/* SPDX-License-Identifier: BSD-3-Clause */
/* The real model: switches and ports, what is refused, limits, and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/guest_port.h"
#include "tests/unit/model_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Run @call, which is refused, and see that nothing changed and nobody was told. */
#define refused(f, call, error, attr, says)                       \
	do {                                                      \
		char *before_ = mf_show(f);                       \
		char *after_;                                     \
		mf_refused((f), (call), (error), (attr), (says)); \
		after_ = mf_show(f);                              \
		assert_string_equal(after_, before_);             \
		free(before_);                                    \
		free(after_);                                     \
		mf_no_more(f);                                    \
	} while (0)

static int add_switch(struct mf *f, const char *name)
{
	const struct vs_switch_spec spec = {.name = name, .kind = VS_SWITCH_PRIVATE};

	return vs_switch_add(f->m, &spec, &f->fail);
}

static void test_switch_refusals(void **state)
{
	static const char *const bad[] = {"",    "-a",       "a b",
					  "a/b", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz012345"};
	const struct vs_switch_change none = {.set = VS_SWITCH_SET_FDB_AGEING};
	struct mf *f = *state;
	unsigned int i;

	mf_switch(f, "lan");
	mf_forget(f);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(f, add_switch(f, bad[i]), -EINVAL, VS_ATTR_NAME, "31");
	refused(f, add_switch(f, "lan"), -EEXIST, VS_ATTR_NAME, "'lan'");
	refused(f, vs_switch_del(f->m, "x", VS_DEL_FORCE, &f->fail), -ENOENT, VS_ATTR_NAME, "'x'");
	refused(f, vs_switch_set(f->m, "x", &none, &f->fail), -ENOENT, VS_ATTR_NAME, "'x'");
	refused(f, vs_fdb_flush_switch(f->m, "x", &f->fail), -ENOENT, VS_ATTR_SWITCH, "'x'");
	refused(f, vs_switch_each(f->m, "x", NULL, NULL, &f->fail), -ENOENT, VS_ATTR_NAME, "'x'");
	refused(f, vs_fdb_each(f->m, "x", NULL, NULL, &f->fail), -ENOENT, VS_ATTR_SWITCH, "'x'");
	refused(f, vs_port_each(f->m, "x", NULL, NULL, &f->fail), -ENOENT, VS_ATTR_NAME, "'x'");
	refused(f, vs_stats_each(f->m, "x", NULL, NULL, &f->fail), -ENOENT, VS_ATTR_PORT, "'x'");
	/* The longest name. */
	mf_switch(f, "abcdefghijklmnopqrstuvwxyz01234");
}

static void test_switch_set(void **state)
{
	static const uint32_t bad_size[] = {0, VS_FDB_SIZE_MAX + 1, UINT32_MAX};
	static const uint32_t bad_ageing[] = {1, 9, 1000001, UINT32_MAX};
	struct vs_switch_change change = {.set = VS_SWITCH_SET_FDB_SIZE | VS_SWITCH_SET_FDB_AGEING};
	struct mf *f = *state;
	struct vs_switch *sw;
	unsigned int i;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	mf_forget(f);
	sw = model_find_switch(f->m, "lan");
	for (i = 0; i < 3; i++) {
		change.fdb_size = bad_size[i];
		refused(f, vs_switch_set(f->m, "lan", &change, &f->fail), -ERANGE, VS_ATTR_FDB_SIZE,
			"1..1048576");
	}
	change.fdb_size = 50;
	for (i = 0; i < 4; i++) {
		change.fdb_ageing_s = bad_ageing[i];
		refused(f, vs_switch_set(f->m, "lan", &change, &f->fail), -ERANGE,
			VS_ATTR_FDB_AGEING, "10..1000000");
	}
	change.fdb_ageing_s = 10;
	assert_int_equal(vs_switch_set(f->m, "lan", &change, &f->fail), 0);
	mf_next(f, VS_NOTICE_SWITCH_CHANGED, "lan", "");
	mf_no_more(f);
	assert_int_equal(vs_fdb_size(sw->fdb), 50);
	assert_int_equal(sw->fdb_ageing_s, 10);

	/* Addresses come along, and there must be room for them. */
	mf_sees(f, 0, sw->fid_of_vid[0], 0, 20);
	mf_turn(f);
	change.set = VS_SWITCH_SET_FDB_SIZE;
	change.fdb_size = 19;
	refused(f, vs_switch_set(f->m, "lan", &change, &f->fail), -ERANGE, VS_ATTR_FDB_SIZE,
		"20 addresses");
	change.fdb_size = 20;
	assert_int_equal(vs_switch_set(f->m, "lan", &change, &f->fail), 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(mf_entry(f, "lan", i)->port, 0);
	assert_int_equal(sw->fdb_ageing_s, 10);
	/* The workers have the table that counts. */
	assert_ptr_equal(f->m->conf->port[0].fdb, sw->fdb);
}

static int collect(const struct vs_switch_view *v, void *ctx)
{
	strcat(strcat(ctx, v->name), " ");
	return strcmp(v->name, "stop") == 0 ? 7 : 0;
}

static int collect_port(const struct vs_port_view *v, void *ctx)
{
	strcat(strcat(ctx, v->name), " ");
	return strcmp(v->name, "stop") == 0 ? 7 : 0;
}

static void test_order_and_reuse(void **state)
{
	struct mf *f = *state;
	char text[100] = "";
	uint16_t fid;

	mf_switch(f, "c");
	mf_switch(f, "a");
	mf_switch(f, "b");
	fid = model_find_switch(f->m, "c")->fid_of_vid[0];
	assert_true(fid != 0 && fid != model_find_switch(f->m, "a")->fid_of_vid[0]);
	assert_int_equal(vs_switch_del(f->m, "c", VS_DEL_REFUSE_PORTS, &f->fail), 0);
	mf_switch(f, "stop");
	/* The place is taken again, and the order is still that of creation. */
	assert_int_equal(model_find_switch(f->m, "stop")->fid_of_vid[0], fid);
	assert_int_equal(vs_switch_each(f->m, NULL, collect, text, &f->fail), 7);
	assert_string_equal(text, "a b stop ");
	text[0] = '\0';
	assert_int_equal(vs_switch_each(f->m, "b", collect, text, &f->fail), 0);
	assert_string_equal(text, "b ");

	mf_port(f, "p0", "b");
	mf_port(f, "p1", "a");
	mf_port(f, "p2", "b");
	assert_int_equal(vs_port_del(f->m, "p0", &f->fail), 0);
	assert_null(vs_worker_ctx(f->worker)->port_stats[0]);
	assert_int_equal(mf_port(f, "stop", "a")->id, 0);
	text[0] = '\0';
	assert_int_equal(vs_port_each(f->m, NULL, collect_port, text, &f->fail), 7);
	assert_string_equal(text, "p1 p2 stop ");
	text[0] = '\0';
	assert_int_equal(vs_port_each(f->m, "p2", collect_port, text, &f->fail), 0);
	assert_string_equal(text, "p2 ");
}

static int add(struct mf *f, const struct vs_port_spec *spec)
{
	return vs_port_add(f->m, spec, &f->fail);
}

static void test_port_refusals(void **state)
{
	struct mf *f = *state;
	struct vs_port_spec spec;
	struct vs_port_spec with;
	char longest[109];
	int fd;

	mf_switch(f, "lan");
	spec = mf_spec(f, "a", "lan");
	spec.mac = mf_mac(1);
	assert_int_equal(add(f, &spec), 0);
	mf_forget(f);
	memset(longest, 'x', 108);
	longest[108] = '\0';

#define with_spec(field, value, error, attr, says)            \
	do {                                                  \
		with = mf_spec(f, "b", "lan");                \
		with.field = (value);                         \
		refused(f, add(f, &with), error, attr, says); \
	} while (0)
	with_spec(sw, "x", -ENOENT, VS_ATTR_SWITCH, "'x'");
	with_spec(name, "-b", -EINVAL, VS_ATTR_NAME, "'-b'");
	with_spec(name, "a", -EEXIST, VS_ATTR_NAME, "'a'");
	with_spec(vm, "v m", -EINVAL, VS_ATTR_VM, "'v m'");
	with_spec(kind, (enum vs_port_kind)17, -EOPNOTSUPP, VS_ATTR_KIND, "of that type");
	with_spec(socket, "", -EINVAL, VS_ATTR_SOCKET, "107");
	with_spec(socket, longest, -EINVAL, VS_ATTR_SOCKET, "107");
	with_spec(socket, model_find_port(f->m, "a")->place, -EEXIST, VS_ATTR_SOCKET, "port 'a'");
	with_spec(mac.addr_bytes[0], 1, -EINVAL, VS_ATTR_MAC, "01:00:00:00:00:00");
	with_spec(mac, mf_mac(1), -EEXIST, VS_ATTR_MAC, "port 'a'");
#undef with_spec

	/* What the socket says, in server mode. */
	with = mf_spec(f, "b", "lan");
	with.mode = VS_GUEST_SERVER;
	fd = open(with.socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	refused(f, add(f, &with), -ENOTSOCK, VS_ATTR_SOCKET, with.socket);
	unlink(with.socket);
	with.socket = "/nonexistent/folder/s";
	refused(f, add(f, &with), -ENOENT, VS_ATTR_SOCKET, with.socket);
	assert_null(vs_worker_ctx(f->worker)->port_stats[1]);

	/* The same address on another switch is another address; nothing above was in the way. */
	mf_switch(f, "wan");
	with = mf_spec(f, "b", "wan");
	with.mac = mf_mac(1);
	assert_int_equal(add(f, &with), 0);
	refused(f, (mf_forget(f), vs_port_del(f->m, "c", &f->fail)), -ENOENT, VS_ATTR_NAME, "'c'");
}

static void test_port_set_refusals(void **state)
{
	struct mf *f = *state;
	struct vs_port_change c;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	mf_port(f, "b", "lan");
	mf_set(f, "b", (struct vs_port_change){.set = VS_PORT_SET_MAC, .mac = mf_mac(1)});
	mf_forget(f);
#define change(port, bit, field, value, error, attr, says)                              \
	do {                                                                            \
		c = (struct vs_port_change){.set = VS_PORT_SET_LINK | (bit)};           \
		c.field = (value);                                                      \
		refused(f, vs_port_set(f->m, (port), &c, &f->fail), error, attr, says); \
	} while (0)
	change("x", VS_PORT_SET_MTU, mtu, 1500, -ENOENT, VS_ATTR_NAME, "'x'");
	change("a", VS_PORT_SET_MTU, mtu, 67, -ERANGE, VS_ATTR_MTU,
	       "mtu of port 'a' is auto, or 68 to 65535");
	change("a", VS_PORT_SET_MTU, mtu, 65536, -ERANGE, VS_ATTR_MTU,
	       "mtu of port 'a' is auto, or 68 to 65535");
	change("a", VS_PORT_SET_VM, vm, "", -EINVAL, VS_ATTR_VM, "31");
	change("a", VS_PORT_SET_VM, vm, "-", -EINVAL, VS_ATTR_VM, "'-'");
	change("a", VS_PORT_SET_MAC, mac, mf_mac(1), -EEXIST, VS_ATTR_MAC, "port 'b'");
	change("a", VS_PORT_SET_MAC, mac.addr_bytes[0], 0xff, -EINVAL, VS_ATTR_MAC, "ff:00");
#undef change
	/* One's own address is not taken. */
	mf_set(f, "b", (struct vs_port_change){.set = VS_PORT_SET_MAC, .mac = mf_mac(1)});
}

static void test_port_set(void **state)
{
	const struct vs_port_hot *hot;
	struct mf *f = *state;
	struct vs_port *port;

	mf_switch(f, "lan");
	port = mf_port(f, "a", "lan");
	assert_string_equal(port->vm, "a");
	hot = &f->m->conf->port[0];
	assert_int_equal(hot->flags, VS_PORT_ADMIN_UP);
	assert_int_equal(hot->max_frame, VS_MTU_DEFAULT + 14);
	assert_int_equal(hot->storm_pps, VS_STORM_DEFAULT_PPS);
	assert_int_equal(f->m->conf->n_ports, 1);
	assert_ptr_equal(hot->dev, port->dev);
	mf_forget(f);
	mf_set(f, "a",
	       (struct vs_port_change){.set = VS_PORT_SET_MTU | VS_PORT_SET_LINK | VS_PORT_SET_VM |
					      VS_PORT_SET_STORM | VS_PORT_SET_MAX_MACS |
					      VS_PORT_SET_MAC,
				       .mtu = 68,
				       .link = VS_LINK_DOWN,
				       .vm = "web",
				       .storm_pps = 0,
				       .max_macs = 3,
				       .mac = mf_mac(9)});
	mf_next(f, VS_NOTICE_PORT_CHANGED, "lan", "a");
	mf_no_more(f);
	hot = &f->m->conf->port[0];
	assert_int_equal(hot->flags, VS_PORT_GUARD);
	assert_int_equal(hot->max_frame, 68 + 14);
	assert_int_equal(hot->storm_pps, 0);
	assert_memory_equal(&hot->mac, &port->mac, 6);
	assert_string_equal(port->vm, "web");
	assert_int_equal(port->max_macs, 3);
	/* What is not named stays. */
	mf_set(f, "a", (struct vs_port_change){.set = VS_PORT_SET_MTU, .mtu = 65535});
	assert_int_equal(port->max_macs, 3);
	assert_int_equal(f->m->conf->port[0].flags, VS_PORT_GUARD);
}

static void test_switch_del(void **state)
{
	struct mf *f = *state;
	unsigned int i;

	mf_switch(f, "lan");
	mf_switch(f, "wan");
	mf_port(f, "a", "lan");
	mf_port(f, "w", "wan");
	mf_forget(f);
	refused(f, vs_switch_del(f->m, "lan", VS_DEL_REFUSE_PORTS, &f->fail), -EBUSY, VS_ATTR_NAME,
		"has 1 port; ");
	mf_port(f, "b", "lan");
	mf_forget(f);
	refused(f, vs_switch_del(f->m, "lan", VS_DEL_REFUSE_PORTS, &f->fail), -EBUSY, VS_ATTR_NAME,
		"has 2 ports; ");
	assert_int_equal(vs_switch_del(f->m, "lan", VS_DEL_FORCE, &f->fail), 0);
	mf_next(f, VS_NOTICE_PORT_REMOVED, "lan", "a");
	mf_next(f, VS_NOTICE_PORT_REMOVED, "lan", "b");
	mf_next(f, VS_NOTICE_SWITCH_REMOVED, "lan", "");
	mf_no_more(f);
	assert_null(model_find_switch(f->m, "lan"));
	assert_null(model_find_port(f->m, "a"));
	/* Others are left alone. */
	assert_non_null(model_find_port(f->m, "w"));
	assert_int_equal(f->m->conf->n_ports, 1);
	for (i = 0; i < VS_PORTS_MAX; i++)
		assert_int_equal(vs_worker_ctx(f->worker)->port_stats[i] != NULL, i == 1);
}

static void test_most_switches(void **state)
{
	const struct vs_switch_change small = {.set = VS_SWITCH_SET_FDB_SIZE, .fdb_size = 8};
	struct mf *f = *state;
	char name[16];
	int i;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		snprintf(name, sizeof(name), "sw%d", i);
		mf_switch(f, name);
		assert_int_equal(vs_switch_set(f->m, name, &small, &f->fail), 0);
	}
	mf_forget(f);
	refused(f, add_switch(f, "more"), -ENOSPC, 0, "256");
	assert_int_equal(vs_switch_del(f->m, "sw100", VS_DEL_REFUSE_PORTS, &f->fail), 0);
	mf_switch(f, "more");
	assert_int_equal(model_find_switch(f->m, "more")->index, 100);
}

static void test_most_ports(void **state)
{
	struct mf *f = *state;
	struct vs_port_spec spec;
	char name[16];
	int i;

	mf_switch(f, "lan");
	for (i = 0; i < VS_PORTS_MAX; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		mf_port(f, name, "lan");
	}
	mf_forget(f);
	spec = mf_spec(f, "more", "lan");
	refused(f, add(f, &spec), -ENOSPC, 0, "1024");
	assert_int_equal(vs_port_del(f->m, "p1000", &f->fail), 0);
	assert_int_equal(mf_port(f, "more", "lan")->id, 1000);
	assert_int_equal(f->m->conf->n_ports, VS_PORTS_MAX);
}

/* ---- memory ---- */

/*
 * Let each allocation of @call fail in turn: it is refused, nothing changes, and with memory it
 * works.
 */
#define without_memory(f, call)                                                   \
	do {                                                                      \
		int n_, left_, got_;                                              \
		for (n_ = 0;; n_++) {                                             \
			char *before_ = mf_show(f), *after_;                      \
			memset(&(f)->fail, 0, sizeof((f)->fail));                 \
			mf_alloc_fails = n_;                                      \
			got_ = (call);                                            \
			left_ = mf_alloc_fails;                                   \
			mf_alloc_fails = -1;                                      \
			after_ = mf_show(f);                                      \
			if (left_ < 0) {                                          \
				assert_int_equal(got_, -ENOMEM);                  \
				assert_non_null(strstr((f)->fail.text, "emory")); \
				assert_string_equal(after_, before_);             \
				mf_no_more(f);                                    \
			}                                                         \
			free(before_);                                            \
			free(after_);                                             \
			if (left_ >= 0)                                           \
				break;                                            \
		}                                                                 \
		assert_int_equal(got_, 0);                                        \
		assert_true(n_ >= 2);                                             \
		mf_forget(f);                                                     \
	} while (0)

static void test_out_of_memory(void **state)
{
	const struct vs_switch_change size = {.set = VS_SWITCH_SET_FDB_SIZE |
						     VS_SWITCH_SET_FDB_AGEING,
					      .fdb_size = 99};
	const struct vs_port_change mac = {.set = VS_PORT_SET_MAC | VS_PORT_SET_LINK,
					   .mac = mf_mac(2)};
	struct mf *f = *state;
	struct vs_port_spec spec;

	without_memory(f, add_switch(f, "lan"));
	spec = mf_spec(f, "a", "lan");
	spec.mac = mf_mac(1);
	without_memory(f, add(f, &spec));
	mf_port(f, "b", "lan");
	mf_sees(f, 1, model_find_switch(f->m, "lan")->fid_of_vid[0], 10, 5);
	mf_turn(f);
	mf_forget(f);
	without_memory(f, vs_switch_set(f->m, "lan", &size, &f->fail));
	without_memory(f, vs_port_set(f->m, "a", &mac, &f->fail));
	without_memory(f, vs_port_del(f->m, "b", &f->fail));
	without_memory(f, vs_switch_del(f->m, "lan", VS_DEL_FORCE, &f->fail));
}

static void test_no_model_without_memory(void **state)
{
	struct mf *f = *state;
	struct vs_model *m = NULL;
	int n;

	for (n = 0; n < 3; n++) {
		mf_alloc_fails = n;
		assert_int_equal(vs_model_new(&f->m->env, &m), -ENOMEM);
		assert_null(m);
	}
	/* The worker had the configuration of the other model, and has none now. */
	mf_alloc_fails = -1;
	assert_int_equal(model_publish(f->m), 0);
}

/* ---- a guest ---- */

/* guest_port.h's fixture for a port of the model. */
static struct fixture guest_of(struct mf *f, const struct vs_port *port)
{
	struct fixture g = {.base = f->base, .guest = port->dev, .vmm = -1};

	g.listener.fd = -1;
	g.file = peer_memfd(PEER_MEMORY);
	snprintf(g.path, sizeof(g.path), "%.60s", port->place);
	return g;
}

static void test_guest_comes_and_goes(void **state)
{
	static struct vs_burst burst;
	struct mf *f = *state;
	struct fixture g;

	mf_switch(f, "lan");
	mf_port(f, "a", "lan");
	g = guest_of(f, mf_port(f, "b", "lan"));
	mf_forget(f);
	assert_int_equal(f->m->conf->domain[1].n, 0);
	accept_port(&g);
	mf_no_more(f);
	start_pair(&g, 0);
	mf_next(f, VS_NOTICE_PORT_UP, "lan", "b");
	assert_int_equal(f->m->conf->port[1].flags, VS_PORT_ADMIN_UP | VS_PORT_UP);
	assert_int_equal(f->m->conf->port[1].pairs, 1);
	assert_int_equal(f->m->conf->domain[1].n, 1);
	assert_int_equal(f->m->conf->domain[1].members[0], 1);

	mf_set(f, "b", (struct vs_port_change){.set = VS_PORT_SET_LINK, .link = VS_LINK_DOWN});
	mf_next(f, VS_NOTICE_PORT_CHANGED, "lan", "b");
	assert_string_equal(mf_next(f, VS_NOTICE_PORT_DOWN, "lan", "b")->text, "set down");
	assert_int_equal(f->m->conf->port[1].flags, 0);
	assert_int_equal(f->m->conf->domain[1].n, 0);
	mf_set(f, "b", (struct vs_port_change){.set = VS_PORT_SET_LINK, .link = VS_LINK_UP});
	mf_next(f, VS_NOTICE_PORT_CHANGED, "lan", "b");
	mf_next(f, VS_NOTICE_PORT_UP, "lan", "b");
	mf_no_more(f);

	/* Its ring breaks: the worker finds it, the model takes the port down. */
	guest_offers(&g, 1, 0, 0, 0, 0x4000);
	vs_guest_ops.rx(g.guest, 0, 1, &burst);
	assert_true(vs_guest_ops.fault_pending(g.guest));
	mf_event(f, VS_EVENT_FAULT, 1);
	mf_turn(f);
	assert_true(strlen(mf_next(f, VS_NOTICE_PORT_DOWN, "lan", "b")->text) > 0);
	assert_true(strlen(mf_next(f, VS_NOTICE_PORT_FAULT, "lan", "b")->text) > 0);
	mf_no_more(f);
	assert_int_equal(f->m->conf->port[1].flags, VS_PORT_ADMIN_UP);

	/* The next guest is welcome, and removing its port is not told as a link that went down. */
	hang_up(&g);
	until(&g, state_of(&g) == VS_GUEST_WAITING);
	mf_no_more(f);
	accept_port(&g);
	start_pair(&g, 0);
	mf_next(f, VS_NOTICE_PORT_UP, "lan", "b");
	assert_int_equal(vs_port_del(f->m, "b", &f->fail), 0);
	mf_next(f, VS_NOTICE_PORT_REMOVED, "lan", "b");
	mf_no_more(f);
	hang_up(&g);
	close(g.file);
	vs_sock_close(g.path, &g.listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MF_TEST(test_switch_refusals),
		MF_TEST(test_switch_set),
		MF_TEST(test_order_and_reuse),
		MF_TEST(test_port_refusals),
		MF_TEST(test_port_set_refusals),
		MF_TEST(test_port_set),
		MF_TEST(test_switch_del),
		MF_TEST(test_most_switches),
		MF_TEST(test_most_ports),
		MF_TEST(test_out_of_memory),
		MF_TEST(test_no_model_without_memory),
		MF_TEST(test_guest_comes_and_goes),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
