/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may be set comes back: every attribute that the policies of PORT_SET and SWITCH_SET name is
 * changed provisionally, is said in the short record, and is as it was after the roll-back. An
 * attribute that is new there fails here until control/rollback.c and control/config_brief.c know
 * of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/config.h"
#include "control/dispatch.h"
#include "control/rollback.h"
#include "control/tlv.h"
#include "tests/unit/fake_kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the configuration as text ---- */

enum {
	OBJECTS_MAX = 8,
	TEXT_MAX = 1024,
};

/** struct config - a line for each record; made again, an object comes behind the others */
struct config {
	char line[OBJECTS_MAX][TEXT_MAX];
	unsigned int n;
};

static int print(const struct vs_config_key *key, const struct nlmsghdr *record, void *ctx)
{
	const uint8_t *byte = (const uint8_t *)record;
	struct config *config = ctx;
	char *line = config->line[config->n++];
	int len = snprintf(line, TEXT_MAX, "%s:", key->name);
	uint32_t i;

	assert_true(config->n < OBJECTS_MAX);
	for (i = 0; i < record->nlmsg_len && len < TEXT_MAX; i++)
		len += snprintf(line + len, (size_t)(TEXT_MAX - len), " %02x", byte[i]);
	assert_true(len < TEXT_MAX);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void show(struct mf *f, struct config *ret_config)
{
	memset(ret_config, 0, sizeof(*ret_config));
	assert_int_equal(vs_config_each(f->m, print, ret_config), 0);
	qsort(ret_config->line, ret_config->n, TEXT_MAX, by_text);
}

/* ---- changes ---- */

static void put_mac(struct vs_msg *msg, enum vs_attr attr, unsigned int n)
{
	struct rte_ether_addr mac = mf_mac(n);

	vs_msg_put_bytes(msg, attr, &mac, sizeof(mac));
}

static void put_access(struct vs_msg *msg)
{
	vs_msg_put_u32(msg, VS_ATTR_VLAN_MODE, VS_VLAN_MODE_ACCESS);
	vs_msg_put_u32(msg, VS_ATTR_VLAN, 5);
}

static void put_trunk(struct vs_msg *msg)
{
	const struct vs_range range = {.first = 10, .last = 12};

	vs_msg_put_u32(msg, VS_ATTR_VLAN_MODE, VS_VLAN_MODE_TRUNK);
	vs_msg_put_bytes(msg, VS_ATTR_VLANS, &range, sizeof(range));
}

/* Another value than add() gave. */
static void put_port_attr(struct vs_msg *msg, enum vs_attr attr)
{
	switch (attr) {
	case VS_ATTR_MAC:
		put_mac(msg, attr, 7);
		break;
	case VS_ATTR_CLUSTER:
		put_mac(msg, attr, 8);
		break;
	case VS_ATTR_MAC_AUTO:
		vs_msg_put_flag(msg, attr);
		break;
	case VS_ATTR_VM:
	case VS_ATTR_NEW_NAME:
		vs_msg_put_str(msg, attr, "other");
		break;
	case VS_ATTR_SWITCH:
		vs_msg_put_str(msg, attr, "more");
		break;
	case VS_ATTR_ADDRS:
		vs_msg_put_str(msg, attr, "192.0.2.1/24");
		break;
	case VS_ATTR_MTU:
		vs_msg_put_u32(msg, attr, 1300);
		break;
	case VS_ATTR_LINK:
		vs_msg_put_u32(msg, attr, 0);
		break;
	case VS_ATTR_STORM_PPS:
	case VS_ATTR_MAX_MACS:
		vs_msg_put_u32(msg, attr, 9);
		break;
	case VS_ATTR_OFFLOAD_ON:
		/* All is on at first: to switch something on changes nothing by itself. */
		vs_msg_put_u32(msg, VS_ATTR_OFFLOAD_OFF, VS_PART_TSO4);
		vs_msg_put_u32(msg, attr, VS_PART_GRO);
		break;
	case VS_ATTR_OFFLOAD_OFF:
		vs_msg_put_u32(msg, attr, VS_PART_CSUM | VS_PART_USO);
		break;
	case VS_ATTR_PRIORITY:
		vs_msg_put_u32(msg, attr, 1);
		break;
	case VS_ATTR_VMQ_WEIGHT:
		vs_msg_put_u32(msg, attr, 50);
		break;
	case VS_ATTR_MODERATION:
		vs_msg_put_u32(msg, attr, VS_MODERATION_HIGH);
		break;
	case VS_ATTR_PLACE:
		vs_msg_put_str(msg, attr, "0");
		break;
	case VS_ATTR_VLAN_MODE:
	case VS_ATTR_VLAN:
		put_access(msg);
		break;
	case VS_ATTR_VLANS:
		put_trunk(msg);
		break;
	default:
		fail_msg("PORT_SET takes '%s', which nobody has rolled back", vs_attr_name(attr));
	}
}

static void put_switch_attr(struct vs_msg *msg, enum vs_attr attr)
{
	switch (attr) {
	case VS_ATTR_KIND:
		vs_msg_put_u32(msg, attr, VS_KIND_INTERNAL);
		break;
	case VS_ATTR_UPLINK:
		vs_msg_put_str(msg, attr, "xdp:eth8");
		break;
	case VS_ATTR_SHARE:
		vs_msg_put_u32(msg, attr, 0);
		break;
	case VS_ATTR_UNKNOWN:
		vs_msg_put_u32(msg, attr, VS_POLICY_DROP);
		break;
	case VS_ATTR_NEW_NAME:
		vs_msg_put_str(msg, attr, "other");
		break;
	case VS_ATTR_VMQ:
		vs_msg_put_u32(msg, attr, 1);
		break;
	case VS_ATTR_VMQ_QUEUES:
	case VS_ATTR_FDB_SIZE:
	case VS_ATTR_FDB_AGEING:
	case VS_ATTR_MTU:
		vs_msg_put_u32(msg, attr, 1000);
		break;
	default:
		fail_msg("SWITCH_SET takes '%s', which nobody has rolled back", vs_attr_name(attr));
	}
}

/* Names an object, or is no setting. */
static bool is_no_setting(enum vs_attr attr)
{
	return attr == VS_ATTR_NAME || attr == VS_ATTR_FORCE;
}

static void change(struct mf *f, enum vs_cmd cmd, const char *name, enum vs_attr attr)
{
	uint32_t buf[128];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), cmd);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	vs_msg_put_str(&msg, VS_ATTR_NAME, name);
	if (cmd == VS_CMD_PORT_SET)
		put_port_attr(&msg, attr);
	else
		put_switch_attr(&msg, attr);
	assert_int_equal(msg.error, 0);
	assert_int_equal(vs_txn_begin(f->m, VS_TXN_REAL), 0);
	vs_txn_set_stage(f->m, VS_TXN_PROVISIONAL);
	if (vs_dispatch_apply(f->m, msg.nlh, &f->fail) != 0)
		fail_msg("%s of %s: %s", vs_attr_name(attr), name, f->fail.text);
	assert_int_equal(vs_txn_commit(f->m, &f->fail), 0);
}

static void go_back(struct mf *f)
{
	if (vs_rollback(f->m, &f->fail) != 0)
		fail_msg("%s", f->fail.text);
	assert_false(vs_txn_is_provisional(f->m));
}

/* ---- the short record ---- */

static struct nlmsghdr *brief(struct mf *f, enum vs_config_object object, const char *name)
{
	struct vs_config_key key = {.object = object};
	static uint32_t buf[VS_CONFIG_RECORD_MAX / 4];
	struct nlmsghdr *record;

	snprintf(key.name, sizeof(key.name), "%s", name);
	assert_int_equal(vs_config_record(f->m, &key, &record), 0);
	assert_non_null(record);
	assert_int_equal(vs_config_brief(record, buf, sizeof(buf)), 1);
	free(record);
	return (struct nlmsghdr *)buf;
}

static void assert_says(const struct nlmsghdr *record, const char *wanted)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	char text[256] = "";
	unsigned int i;

	assert_int_equal(vs_answer_parse(record, tb), 0);
	for (i = 0; i < VS_ATTR_COUNT_; i++) {
		if (tb[i])
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ",
				 vs_attr_name(i));
	}
	assert_string_equal(text, wanted);
}

/* Where the record says what the request has set. */
static enum vs_attr attr_in_record(enum vs_attr attr)
{
	switch (attr) {
	case VS_ATTR_NEW_NAME:
		return VS_ATTR_NAME;
	case VS_ATTR_MAC_AUTO:
		return VS_ATTR_MAC;
	case VS_ATTR_OFFLOAD_ON:
		return VS_ATTR_OFFLOAD_OFF;
	default:
		return attr;
	}
}

static const char *name_after(enum vs_attr attr, const char *name)
{
	return attr == VS_ATTR_NEW_NAME ? "other" : name;
}

/* ---- all of them ---- */

/* The ports are as PORT_NEW makes them, so that the short records say only what they must. */
static void add(struct mf *f)
{
	fk_switch(f, "net", VS_SWITCH_EXTERNAL, "xdp:eth7");
	fk_switch(f, "more", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "g", "net", NULL);
	fk_port(f, "h", "more", VS_PORT_HOST);
}

static void walk(struct mf *f, enum vs_cmd cmd)
{
	const struct vs_policy *policy = vs_policy_find(cmd);
	enum vs_config_object object = VS_CONFIG_SWITCH;
	const struct nlattr *tb[VS_ATTR_COUNT_];
	struct config before, after;
	const char *name = "net";
	unsigned int i;

	show(f, &before);
	for (i = 0; policy->attrs[i].attr; i++) {
		enum vs_attr attr = (enum vs_attr)policy->attrs[i].attr;

		if (is_no_setting(attr))
			continue;
		if (cmd == VS_CMD_PORT_SET) {
			object = VS_CONFIG_PORT;
			name = attr == VS_ATTR_ADDRS ? "h" : "g";
		}
		change(f, cmd, name, attr);
		show(f, &after);
		if (memcmp(&after, &before, sizeof(before)) == 0)
			fail_msg("'%s' is in no record", vs_attr_name(attr));
		assert_int_equal(vs_answer_parse(brief(f, object, name_after(attr, name)), tb), 0);
		if (!tb[attr_in_record(attr)])
			fail_msg("'%s' is not in the short record", vs_attr_name(attr));
		go_back(f);
		show(f, &after);
		if (memcmp(&after, &before, sizeof(before)) != 0)
			fail_msg("'%s' is not rolled back", vs_attr_name(attr));
	}
}

static void test_port_settings(void **state)
{
	struct mf *f = *state;

	add(f);
	walk(f, VS_CMD_PORT_SET);
}

static void test_switch_settings(void **state)
{
	struct mf *f = *state;

	add(f);
	walk(f, VS_CMD_SWITCH_SET);
}

/* What PORT_NEW and SWITCH_NEW do by themselves is not said. */
static void test_usual(void **state)
{
	struct mf *f = *state;

	add(f);
	assert_says(brief(f, VS_CONFIG_SWITCH, "net"), "name type uplink ");
	assert_says(brief(f, VS_CONFIG_SWITCH, "more"), "name type ");
	assert_says(brief(f, VS_CONFIG_PORT, "g"), "name switch type socket ");
	assert_says(brief(f, VS_CONFIG_PORT, "h"), "name switch type ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_port_settings),
		FK_TEST(test_switch_settings),
		FK_TEST(test_usual),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
