/* SPDX-License-Identifier: BSD-3-Clause */
/* Transactions of the model: all, nothing, dry, and what is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/config.h"
#include "control/tlv.h"
#include "tests/unit/fake_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what there is, and what is done to it ---- */

/* Devices that there are, over all kinds. */
static int devices(void)
{
	int n = 0;
	unsigned int i;

	for (i = 0; i < VS_PORT_KINDS; i++)
		n += (int)(fk[i].made - fk[i].deleted - fk[i].left);
	return n;
}

static uint16_t fid(struct mf *f, const char *sw, uint16_t vlan)
{
	return model_find_switch(f->m, sw)->fid_of_vid[vlan];
}

/* Switches one (internal) and two (external), ports, static and shared and learnt addresses. */
static void furnish(struct mf *f)
{
	const struct vs_port_change own = {.set = VS_PORT_SET_MAC, .mac = mf_mac(1)};
	struct vs_port *b;

	fk_switch(f, "one", VS_SWITCH_INTERNAL, NULL);
	fk_switch(f, "two", VS_SWITCH_EXTERNAL, "xdp:eth0");
	fk_guest(f, "a", "one", fk_access(10));
	b = fk_guest(f, "b", "one", NULL);
	fk_guest(f, "c", "two", fk_trunk(20, 22, 0));
	fk_port(f, "h", "one", VS_PORT_HOST);
	mf_set(f, "a", own);
	assert_int_equal(fk_static(f, "one", "a", 5, 10), 0);
	assert_int_equal(fk_static(f, "two", "two.uplink", 6, 20), 0);
	assert_int_equal(fk_cluster(f, "b", 7), 0);
	mf_sees(f, b->id, fid(f, "one", 0), 30, 3);
	mf_turn(f);
	mf_forget(f);
}

static int add_port(struct mf *f, const char *name, const char *sw)
{
	const struct vs_port_spec spec = fk_spec(name, sw, VS_PORT_GUEST);

	return vs_port_add(f->m, &spec, &f->fail);
}

/* One change of every kind. */
static void change_all(struct mf *f)
{
	const struct vs_switch_spec spec = {.name = "new", .kind = VS_SWITCH_PRIVATE};
	const struct vs_switch_change sw = {
		.set = VS_SWITCH_SET_NAME | VS_SWITCH_SET_UPLINK | VS_SWITCH_SET_SHARE |
		       VS_SWITCH_SET_FDB_SIZE | VS_SWITCH_SET_FDB_AGEING | VS_SWITCH_SET_UNKNOWN,
		.name = "zwei",
		.uplink = "dpdk:net0",
		.share = VS_SHARE_OFF,
		.fdb_size = 77,
		.fdb_ageing_s = 11,
		.unknown = VS_UNKNOWN_FLOOD,
	};
	const struct vs_port_change host = {
		.set = VS_PORT_SET_MTU | VS_PORT_SET_MAC | VS_PORT_SET_ADDRS | VS_PORT_SET_NAME,
		.mtu = 1000,
		.mac = mf_mac(70),
		.addrs = "192.0.2.1/24",
		.name = "hh",
	};
	const struct vs_port_change b = {
		.set = VS_PORT_SET_MAX_MACS | VS_PORT_SET_LINK | VS_PORT_SET_VLANS,
		.max_macs = 1,
		.link = VS_LINK_DOWN,
		.vlans = fk_access(77),
	};

	assert_int_equal(vs_switch_add(f->m, &spec, &f->fail), 0);
	assert_int_equal(add_port(f, "d", "new"), 0);
	if (fk_move(f, "a", "new") != 0)
		fail_msg("move: %s", f->fail.text);
	mf_set(f, "h", host);
	mf_set(f, "b", b);
	assert_int_equal(vs_switch_set(f->m, "two", &sw, &f->fail), 0);
	assert_int_equal(fk_unstatic(f, "zwei", 6, 20), 0);
	assert_int_equal(fk_static(f, "new", "d", 8, 0), 0);
	assert_int_equal(vs_port_del(f->m, "c", &f->fail), 0);
	assert_int_equal(add_port(f, "e", "new"), 0);
	assert_int_equal(vs_port_del(f->m, "e", &f->fail), 0);
	assert_int_equal(vs_fdb_flush_switch(f->m, "one", &f->fail), 0);
}

static void begin(struct mf *f, enum vs_txn_mode mode)
{
	assert_int_equal(vs_txn_begin(f->m, mode), 0);
}

static void commit(struct mf *f)
{
	if (vs_txn_commit(f->m, &f->fail) != 0)
		fail_msg("commit: %s", f->fail.text);
	assert_null(f->m->txn);
}

/* ---- tests ---- */

static void test_commit_publishes_once(void **state)
{
	const struct vs_conf *before;
	struct mf *f = *state;

	furnish(f);
	before = f->m->conf;
	begin(f, VS_TXN_REAL);
	assert_int_equal(vs_txn_begin(f->m, VS_TXN_REAL), -EBUSY);
	change_all(f);
	/* Nothing of it is out. */
	assert_ptr_equal(f->m->conf, before);
	mf_no_more(f);
	assert_int_equal(vs_fdb_used(model_find_switch(f->m, "one")->fdb), 6);
	assert_int_equal(fk[VS_PORT_XDP].deleted, 0);
	commit(f);
	assert_ptr_not_equal(f->m->conf, before);
	assert_string_equal(fk_domain(f, "new", 0), "d");
	assert_string_equal(fk_domain(f, "new", 10), "a");
	assert_string_equal(fk_domain(f, "one", 0), "hh");
	assert_int_equal(mf_entry_on(f, "new", 10, 1)->port, model_find_port(f->m, "a")->id);
	assert_int_equal(mf_entry_on(f, "new", 10, 5)->port, model_find_port(f->m, "a")->id);
	assert_int_equal(mf_entry(f, "new", 8)->port, model_find_port(f->m, "d")->id);
	assert_null(mf_entry(f, "one", 30));
	assert_int_equal(model_find_port(f->m, "b")->macs, 0);
	assert_int_equal(vs_fdb_size(model_find_switch(f->m, "zwei")->fdb), 77);
	/* a, b, hh, d, and the uplink; what was made and removed again is gone, too */
	assert_int_equal(devices(), 5);
	assert_int_equal(fk[VS_PORT_XDP].deleted, 1);
	assert_int_equal(fk[VS_PORT_DPDK].made, 1);
}

static void test_abort(void **state)
{
	struct mf *f = *state;
	struct vs_port_change back;
	const struct vs_conf *conf;
	unsigned int made;
	char *before;
	char *after;

	furnish(f);
	before = mf_show(f);
	conf = f->m->conf;
	made = (unsigned int)devices();
	begin(f, VS_TXN_REAL);
	change_all(f);
	vs_txn_abort(f->m);
	after = mf_show(f);
	assert_string_equal(after, before);
	free(after);
	mf_no_more(f);
	assert_ptr_equal(f->m->conf, conf);
	assert_int_equal(devices(), made);
	assert_int_equal(fk[VS_PORT_XDP].deleted, 0);
	/* The device of the host port was told twice: there and back. */
	assert_int_equal(fk[VS_PORT_HOST].set, 2);
	back = fk[VS_PORT_HOST].change;
	assert_true(back.set & VS_PORT_SET_MTU);
	assert_int_equal(back.mtu, model_find_port(f->m, "h")->mtu);
	/* And it works as before. */
	begin(f, VS_TXN_REAL);
	change_all(f);
	commit(f);
	free(before);
}

static void test_sharing_comes_back(void **state)
{
	const struct vs_switch_change off = {.set = VS_SWITCH_SET_SHARE, .share = VS_SHARE_OFF};
	struct mf *f = *state;

	fk_switch(f, "e", VS_SWITCH_EXTERNAL, "xdp:a");
	begin(f, VS_TXN_REAL);
	assert_int_equal(vs_switch_set(f->m, "e", &off, &f->fail), 0);
	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_OFF);
	vs_txn_abort(f->m);
	assert_int_equal(fk[VS_PORT_XDP].share, VS_SHARE_ON);
	assert_int_equal(model_find_switch(f->m, "e")->share, VS_SHARE_ON);
}

static void test_one_failure_spoils_it(void **state)
{
	struct mf *f = *state;
	char *before;
	char *after;

	furnish(f);
	before = mf_show(f);
	begin(f, VS_TXN_REAL);
	assert_int_equal(add_port(f, "x", "one"), 0);
	assert_int_equal(add_port(f, "x", "one"), -EEXIST);
	assert_int_equal(vs_txn_commit(f->m, &f->fail), -ECANCELED);
	after = mf_show(f);
	assert_string_equal(after, before);
	mf_no_more(f);
	free(before);
	free(after);
	assert_int_equal(vs_txn_commit(f->m, &f->fail), -EINVAL);
}

static void test_dry_run(void **state)
{
	struct fk_kind asked[VS_PORT_KINDS];
	struct mf *f = *state;
	char *before;
	char *after;

	furnish(f);
	before = mf_show(f);
	memcpy(asked, fk, sizeof(asked));
	begin(f, VS_TXN_DRY);
	change_all(f);
	/* Checks are made, also against what the transaction itself has done. */
	assert_int_equal(add_port(f, "d", "new"), -EEXIST);
	vs_txn_abort(f->m);
	begin(f, VS_TXN_DRY);
	change_all(f);
	commit(f);
	after = mf_show(f);
	assert_string_equal(after, before);
	mf_no_more(f);
	assert_memory_equal(asked, fk, sizeof(asked));
	free(before);
	free(after);
}

/* The table is full: what a message makes free is there for the next one. */
static void test_room_in_the_table(void **state)
{
	const struct vs_switch_change small = {.set = VS_SWITCH_SET_FDB_SIZE, .fdb_size = 2};
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_PRIVATE, NULL);
	fk_guest(f, "p", "s", NULL);
	fk_guest(f, "q", "s", NULL);
	assert_int_equal(vs_switch_set(f->m, "s", &small, &f->fail), 0);
	assert_int_equal(fk_static(f, "s", "p", 1, 0), 0);
	assert_int_equal(fk_static(f, "s", "p", 2, 0), 0);
	begin(f, VS_TXN_REAL);
	assert_int_equal(fk_unstatic(f, "s", 1, 0), 0);
	assert_int_equal(fk_static(f, "s", "q", 1, 0), 0);
	assert_int_equal(fk_static(f, "s", "q", 3, 0), -ENOSPC);
	vs_txn_abort(f->m);
	assert_int_equal(mf_entry(f, "s", 1)->port, model_find_port(f->m, "p")->id);
	begin(f, VS_TXN_REAL);
	assert_int_equal(vs_port_del(f->m, "p", &f->fail), 0);
	assert_int_equal(fk_static(f, "s", "q", 1, 0), 0);
	assert_int_equal(fk_static(f, "s", "q", 3, 0), 0);
	commit(f);
	assert_int_equal(mf_entry(f, "s", 1)->port, model_find_port(f->m, "q")->id);
	assert_null(mf_entry(f, "s", 2));
	assert_int_equal(mf_entry(f, "s", 3)->port, model_find_port(f->m, "q")->id);
}

/* The id, place and counters of a port that goes are its own until the end. */
static void test_what_goes_keeps_its_place(void **state)
{
	struct vs_port_spec spec = fk_spec("q", "s", VS_PORT_GUEST);
	struct mf *f = *state;
	uint16_t id;

	fk_switch(f, "s", VS_SWITCH_PRIVATE, NULL);
	id = fk_guest(f, "p", "s", NULL)->id;
	begin(f, VS_TXN_REAL);
	assert_int_equal(vs_port_del(f->m, "p", &f->fail), 0);
	assert_int_equal(add_port(f, "other", "s"), 0);
	assert_int_not_equal(model_find_port(f->m, "other")->id, id);
	spec.socket = "p";
	mf_refused(f, vs_port_add(f->m, &spec, &f->fail), -EBUSY, VS_ATTR_SOCKET,
		   "remove that port first");
	vs_txn_abort(f->m);
	assert_int_equal(model_find_port(f->m, "p")->id, id);
	assert_null(model_find_port(f->m, "other"));
}

static void test_counters_stay_where_they_were_counted(void **state)
{
	struct mf *f = *state;
	struct vs_port *p;

	fk_switch(f, "s", VS_SWITCH_PRIVATE, NULL);
	fk_switch(f, "t", VS_SWITCH_PRIVATE, NULL);
	p = fk_guest(f, "p", "s", NULL);
	vs_worker_ctx(f->worker)->port_stats[p->id]->received = 7;
	begin(f, VS_TXN_REAL);
	assert_int_equal(fk_move(f, "p", "t"), 0);
	vs_txn_abort(f->m);
	assert_int_equal(model_find_switch(f->m, "s")->gone.received, 0);
	assert_int_equal(vs_worker_ctx(f->worker)->port_stats[p->id]->received, 7);
	/* Moved and then removed: it was never in use where it would have been. */
	begin(f, VS_TXN_REAL);
	assert_int_equal(fk_move(f, "p", "t"), 0);
	assert_int_equal(vs_port_del(f->m, "p", &f->fail), 0);
	commit(f);
	assert_int_equal(model_find_switch(f->m, "s")->gone.received, 7);
	assert_int_equal(model_find_switch(f->m, "t")->gone.received, 0);
}

/* ---- the hook ---- */

struct asked {
	struct mf *f;
	unsigned int calls;
	enum vs_txn_stage stage;
	int says;
	char text[2048];
};

static void print_key(FILE *out, const struct vs_config_key *key)
{
	static const char *const objects[] = {"?", "switch", "port", "fdb"};

	if (key)
		fprintf(out, "%s %s", objects[key->object], key->name);
	else
		fputs("-", out);
}

static int print_change(const struct vs_txn_change *c, void *out)
{
	print_key(out, c->key);
	if (!c->now || strcmp(c->now->name, c->key->name) != 0) {
		fputs(" -> ", out);
		print_key(out, c->now);
	}
	fprintf(out, "%s%s; ", c->before ? "" : " made", c->after ? "" : " gone");
	return 0;
}

static int hook(struct vs_model *m, void *ctx, struct vs_fail *fail)
{
	struct asked *a = ctx;
	FILE *out = fmemopen(a->text, sizeof(a->text), "w");

	a->calls++;
	a->stage = vs_txn_stage(m);
	assert_int_equal(vs_txn_each(m, print_change, out), 0);
	fclose(out);
	return a->says ? vs_fail_set(fail, a->says, 0, "the disk is full") : 0;
}

static void test_hook(void **state)
{
	const struct vs_switch_change name = {.set = VS_SWITCH_SET_NAME, .name = "eins"};
	struct mf *f = *state;
	struct asked a = {.f = f};

	furnish(f);
	vs_model_on_commit(f->m, hook, &a);
	assert_int_equal(add_port(f, "x", "one"), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.stage, VS_TXN_FINAL);
	assert_string_equal(a.text, "port x made; ");
	/* No change, no call. */
	assert_int_equal(vs_fdb_flush_switch(f->m, "one", &f->fail), 0);
	begin(f, VS_TXN_DRY);
	assert_int_equal(vs_port_del(f->m, "x", &f->fail), 0);
	commit(f);
	assert_int_equal(a.calls, 1);
	/* What hangs on a name changes with it. */
	assert_int_equal(vs_switch_set(f->m, "one", &name, &f->fail), 0);
	assert_string_equal(a.text, "switch one -> switch eins; port a; fdb one -> fdb eins; "
				    "port b; port h; port x; ");
	begin(f, VS_TXN_REAL);
	assert_int_equal(vs_port_del(f->m, "a", &f->fail), 0);
	assert_int_equal(add_port(f, "a", "eins"), -EBUSY);
	vs_txn_abort(f->m);
	assert_int_equal(vs_switch_del(f->m, "two", VS_DEL_FORCE, &f->fail), 0);
	assert_string_equal(a.text, "switch two -> - gone; port two.uplink -> - gone; "
				    "fdb two -> - gone; port c -> - gone; ");
	/* It says no: nothing has happened. */
	a.says = -ENOSPC;
	fk_refused(f, vs_port_del(f->m, "a", &f->fail), -ENOSPC, 0, "the disk is full");
	begin(f, VS_TXN_REAL);
	assert_int_equal(add_port(f, "y", "eins"), 0);
	assert_int_equal(vs_txn_commit(f->m, &f->fail), -ENOSPC);
	assert_null(model_find_port(f->m, "y"));
	vs_model_on_commit(f->m, NULL, NULL);
}

/* A replaced uplink is the same port with the same addresses. */
static void test_hook_and_uplink(void **state)
{
	const struct vs_switch_change c = {.set = VS_SWITCH_SET_UPLINK, .uplink = "xdp:eth1"};
	struct mf *f = *state;
	struct asked a = {.f = f};

	furnish(f);
	vs_model_on_commit(f->m, hook, &a);
	assert_int_equal(vs_switch_set(f->m, "two", &c, &f->fail), 0);
	assert_string_equal(a.text, "switch two; ");
	vs_model_on_commit(f->m, NULL, NULL);
}

/*
 * However often a port is renamed: a record for each of its addresses, those that come and go, too.
 */
static void test_renames_and_addresses(void **state)
{
	static const char *const names[] = {"a", "x", "y", "z"};
	struct mf *f = *state;
	struct asked a = {.f = f};
	unsigned int i;
	char *before;
	char *after;

	furnish(f);
	before = mf_show(f);
	vs_model_on_commit(f->m, hook, &a);
	begin(f, VS_TXN_REAL);
	for (i = 0; i < 3; i++) {
		const struct vs_port_change to = {.set = VS_PORT_SET_NAME, .name = names[i + 1]};

		assert_int_equal(vs_port_set(f->m, names[i], &to, &f->fail), 0);
		assert_int_equal(fk_static(f, "one", names[i + 1], 40 + i, 10), 0);
	}
	assert_int_equal(fk_unstatic(f, "one", 40, 10), 0);
	assert_int_equal(fk_unstatic(f, "one", 5, 10), 0);
	a.says = -ENOSPC;
	assert_int_equal(vs_txn_commit(f->m, &f->fail), -ENOSPC);
	assert_string_equal(a.text, "port a -> port z; fdb one -> - gone; fdb one made; "
				    "fdb one made; ");
	after = mf_show(f);
	assert_string_equal(after, before);
	vs_model_on_commit(f->m, NULL, NULL);
	free(before);
	free(after);
}

static void test_provisional(void **state)
{
	struct mf *f = *state;
	struct asked a = {.f = f};

	furnish(f);
	vs_model_on_commit(f->m, hook, &a);
	assert_int_equal(vs_txn_confirm(f->m, &f->fail), -ENOENT);
	begin(f, VS_TXN_REAL);
	vs_txn_set_stage(f->m, VS_TXN_PROVISIONAL);
	assert_int_equal(vs_port_del(f->m, "c", &f->fail), 0);
	commit(f);
	assert_int_equal(a.stage, VS_TXN_PROVISIONAL);
	assert_true(vs_txn_is_provisional(f->m));
	a.says = -EIO;
	assert_int_equal(vs_txn_confirm(f->m, &f->fail), -EIO);
	assert_true(vs_txn_is_provisional(f->m));
	a.says = 0;
	a.text[0] = '\0';
	assert_int_equal(vs_txn_confirm(f->m, &f->fail), 0);
	assert_int_equal(a.stage, VS_TXN_CONFIRMED);
	assert_string_equal(a.text, "port c -> - gone; ");
	assert_false(vs_txn_is_provisional(f->m));
	/* One of stage ROLLBACK ends it, too. */
	begin(f, VS_TXN_REAL);
	vs_txn_set_stage(f->m, VS_TXN_PROVISIONAL);
	assert_int_equal(add_port(f, "c", "two"), 0);
	commit(f);
	begin(f, VS_TXN_REAL);
	vs_txn_set_stage(f->m, VS_TXN_ROLLBACK);
	assert_int_equal(vs_port_del(f->m, "c", &f->fail), 0);
	commit(f);
	assert_int_equal(a.stage, VS_TXN_ROLLBACK);
	assert_false(vs_txn_is_provisional(f->m));
	vs_model_on_commit(f->m, NULL, NULL);
}

/* ---- notices ---- */

static void test_notices_wait(void **state)
{
	const struct vs_port_change down = {.set = VS_PORT_SET_LINK, .link = VS_LINK_DOWN};
	struct vs_port_spec spec = fk_spec("q", "s", VS_PORT_GUEST);
	struct mf *f = *state;

	fk_switch(f, "s", VS_SWITCH_PRIVATE, NULL);
	mf_forget(f);
	spec.settings = &down;
	begin(f, VS_TXN_REAL);
	assert_int_equal(add_port(f, "p", "s"), 0);
	assert_int_equal(vs_port_add(f->m, &spec, &f->fail), 0);
	mf_no_more(f);
	commit(f);
	mf_next(f, VS_NOTICE_PORT_ADDED, "s", "p");
	mf_next(f, VS_NOTICE_PORT_UP, "s", "p");
	/* Made as it is to be: it was never up, nor changed. */
	mf_next(f, VS_NOTICE_PORT_ADDED, "s", "q");
	mf_no_more(f);
}

/* ---- memory ---- */

static int do_all(struct mf *f)
{
	struct vs_port_change up = {.set = VS_PORT_SET_MAC | VS_PORT_SET_SWITCH,
				    .mac = mf_mac(90),
				    .sw = "two"};
	int err = vs_txn_begin(f->m, VS_TXN_REAL);

	if (err)
		return vs_fail_set(&f->fail, err, 0, "memory");
	err = vs_port_set(f->m, "a", &up, &f->fail);
	if (!err)
		err = vs_port_del(f->m, "c", &f->fail);
	if (!err)
		err = add_port(f, "n", "one");
	if (!err)
		err = fk_static(f, "one", "n", 91, 0);
	if (!err)
		return vs_txn_commit(f->m, &f->fail);
	vs_txn_abort(f->m);
	return err;
}

static void test_out_of_memory(void **state)
{
	struct mf *f = *state;

	furnish(f);
	fk_without_memory(f, do_all(f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_commit_publishes_once),
		FK_TEST(test_abort),
		FK_TEST(test_sharing_comes_back),
		FK_TEST(test_one_failure_spoils_it),
		FK_TEST(test_dry_run),
		FK_TEST(test_room_in_the_table),
		FK_TEST(test_what_goes_keeps_its_place),
		FK_TEST(test_counters_stay_where_they_were_counted),
		FK_TEST(test_hook),
		FK_TEST(test_hook_and_uplink),
		FK_TEST(test_renames_and_addresses),
		FK_TEST(test_provisional),
		FK_TEST(test_notices_wait),
		FK_TEST(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
