/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol's messages: lines, names of interfaces, ranges and addresses of any kind, good and
 * bad in requests and in answers, and what the commands of switches, ports and addresses take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/tlv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint32_t buf[VS_MESSAGE_MAX / 4];
static struct vs_msg msg;
static struct vs_request req;
static struct vs_refusal refusal;

static void begin(enum vs_cmd cmd)
{
	vs_msg_init(&msg, buf, sizeof(buf), cmd);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
}

/* A message of @cmd that begins with the attribute, and then names an object. */
static void put(enum vs_cmd cmd, enum vs_attr attr, const void *data, size_t len)
{
	begin(cmd);
	vs_msg_put_bytes(&msg, attr, data, len);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "x");
	assert_int_equal(msg.error, 0);
}

static void good(void)
{
	if (vs_request_parse(msg.nlh, &req, &refusal) != 0)
		fail_msg("refused: %s", refusal.text);
}

/* The attribute that put() put is refused. */
static void bad(int error, const char *word)
{
	memset(&refusal, 0, sizeof(refusal));
	assert_int_equal(vs_request_parse(msg.nlh, &req, &refusal), error);
	assert_int_equal(refusal.error, error);
	assert_int_equal(refusal.offset, 20);
	if (!strstr(refusal.text, word))
		fail_msg("'%s' does not name '%s'", refusal.text, word);
}

/* As part of an answer, where only its type matters. */
static int answer(enum vs_attr attr, const void *data, size_t len)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	int err;

	begin(VS_CMD_PORT_GET);
	vs_msg_put_bytes(&msg, attr, data, len);
	err = vs_answer_parse(msg.nlh, tb);
	if (!err)
		assert_non_null(tb[attr]);
	return err;
}

static void put_line(const char *text)
{
	put(VS_CMD_SWITCH_SET, VS_ATTR_UPLINK, text, strlen(text) + 1);
}

static void test_line(void **state)
{
	char text[VS_PROTO_UPLINK_SIZE + 1];

	put_line("xdp:eth0");
	good();
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_UPLINK]), "xdp:eth0");
	put_line("dpdk:net_tap0,iface=a b,mac=\"1\",\xc3\xa4");
	good();
	put_line("");
	good();
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_UPLINK]), "");
	memset(text, 'x', sizeof(text));
	text[VS_PROTO_UPLINK_SIZE - 1] = '\0';
	put_line(text);
	good();
	text[VS_PROTO_UPLINK_SIZE - 1] = 'x';
	text[VS_PROTO_UPLINK_SIZE] = '\0';
	put_line(text);
	bad(-EINVAL, "uplink has more than 255 bytes");
	put_line("xdp:\n");
	bad(-EINVAL, "byte 4 is a control character");
	put_line("\x7f");
	bad(-EINVAL, "byte 0 is a control character");
	put(VS_CMD_SWITCH_SET, VS_ATTR_UPLINK, "xdp", 3);
	bad(-EINVAL, "NUL");
	put(VS_CMD_SWITCH_SET, VS_ATTR_UPLINK, "x\0p", 4);
	bad(-EINVAL, "NUL");
	put(VS_CMD_SWITCH_SET, VS_ATTR_UPLINK, "", 0);
	bad(-EINVAL, "NUL");
	assert_int_equal(answer(VS_ATTR_ADDRS, "192.0.2.1/24", 13), 0);
	assert_int_equal(answer(VS_ATTR_ADDRS, "192.0.2.1/24", 12), -EBADMSG);
	assert_int_equal(answer(VS_ATTR_ADDRS, "", 0), -EBADMSG);
}

static void put_ifname(const char *name)
{
	begin(VS_CMD_PORT_NEW);
	vs_msg_put_str(&msg, VS_ATTR_IFNAME, name);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "p");
	vs_msg_put_str(&msg, VS_ATTR_SWITCH, "s");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_HOST);
}

static void test_ifname(void **state)
{
	static const char *const right[] = {"e",   "eth0",         "a.100",          "-x",
					    "...", "tap_\xc3\xa4", "abcdefghijklmno"};
	static const char *const wrong[] =
		{"", ".", "..", "a/b", "a:1", "a b", "abcdefghijklmnop", "tap%d"};
	size_t i;

	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		put_ifname(right[i]);
		good();
		assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_IFNAME]), right[i]);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		put_ifname(wrong[i]);
		bad(-EINVAL, "is no name of an interface");
	}
	put_ifname("a\tb");
	bad(-EINVAL, "control character");
	assert_int_equal(answer(VS_ATTR_IFNAME, "eth0", 5), 0);
	assert_int_equal(answer(VS_ATTR_IFNAME, "eth0", 4), -EBADMSG);
}

static void put_ranges(const struct vs_range *range, size_t n)
{
	put(VS_CMD_PORT_SET, VS_ATTR_VLANS, range, n * sizeof(*range));
	vs_msg_put_u32(&msg, VS_ATTR_VLAN_MODE, VS_VLAN_MODE_TRUNK);
}

static void test_ranges(void **state)
{
	static const struct vs_range wrong[] = {{0, 5},       {5, 4},        {1, 4095},
						{4095, 4095}, {4094, 65535}, {65535, 65535},
						{0, 0}};
	struct vs_range range[VS_RANGES_MAX + 1];
	struct vs_range got;
	size_t i;

	for (i = 0; i <= VS_RANGES_MAX; i++)
		range[i] = (struct vs_range){(uint16_t)(1 + 2 * i), (uint16_t)(2 + 2 * i)};
	range[1] = (struct vs_range){1, 4094};
	for (i = 1; i <= VS_RANGES_MAX; i *= 2) {
		put_ranges(range, i);
		good();
		assert_true(vs_tlv_range(req.attr[VS_ATTR_VLANS], (unsigned int)i - 1, &got));
		assert_memory_equal(&got, &range[i - 1], sizeof(got));
		assert_false(vs_tlv_range(req.attr[VS_ATTR_VLANS], (unsigned int)i, &got));
	}
	put_ranges(range, VS_RANGES_MAX + 1);
	bad(-EINVAL, "1 to 512 ranges");
	put_ranges(range, 0);
	bad(-EINVAL, "'vlan' has 0 bytes");
	for (i = 1; i < sizeof(range[0]); i++) {
		put(VS_CMD_PORT_SET, VS_ATTR_VLANS, range, sizeof(range[0]) + i);
		bad(-EINVAL, "ranges of 4 bytes");
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		range[3] = wrong[i];
		put_ranges(range, 4);
		bad(-ERANGE, "is no range within 1 to 4094");
	}
	assert_false(vs_tlv_range(NULL, 0, &got));
	/* An answer's may be of any numbers, but whole. */
	assert_int_equal(answer(VS_ATTR_VLANS, range, 8), 0);
	assert_int_equal(answer(VS_ATTR_VLANS, range, 0), 0);
	assert_int_equal(answer(VS_ATTR_VLANS, range, 6), -EBADMSG);
}

static void test_addresses_of_any_kind(void **state)
{
	static const uint8_t group[8] = {0x03, 0xbf, 1, 2, 3, 4};
	static const uint8_t zero[8];

	put(VS_CMD_PORT_SET, VS_ATTR_CLUSTER, group, 6);
	good();
	put(VS_CMD_PORT_SET, VS_ATTR_CLUSTER, zero, 6);
	good();
	put(VS_CMD_PORT_SET, VS_ATTR_CLUSTER, group, 5);
	bad(-EINVAL, "'cluster' has 5 bytes, 6 are right");
	put(VS_CMD_PORT_SET, VS_ATTR_CLUSTER, group, 8);
	bad(-EINVAL, "'cluster' has 8 bytes");
	put(VS_CMD_PORT_SET, VS_ATTR_CLUSTER, group, 0);
	bad(-EINVAL, "'cluster' has 0 bytes");
	/* A port's own is a unicast one. */
	put(VS_CMD_PORT_SET, VS_ATTR_MAC, group, 6);
	bad(-EINVAL, "03:bf:01:02:03:04 is a group address");
	assert_int_equal(answer(VS_ATTR_DEVICE_MAC, group, 6), 0);
	assert_int_equal(answer(VS_ATTR_DEVICE_MAC, group, 7), -EBADMSG);
}

static void test_numbers(void **state)
{
	static const struct {
		enum vs_cmd cmd;
		enum vs_attr attr;
		uint32_t min;
		uint32_t max;
	} number[] = {
		{VS_CMD_SWITCH_SET, VS_ATTR_SHARE, 0, 1},
		{VS_CMD_SWITCH_SET, VS_ATTR_UNKNOWN, 0, 3},
		{VS_CMD_SWITCH_SET, VS_ATTR_VMQ, 0, 2},
		{VS_CMD_SWITCH_SET, VS_ATTR_VMQ_QUEUES, 0, 1023},
		{VS_CMD_PORT_SET, VS_ATTR_VMQ_WEIGHT, 0, 100},
		{VS_CMD_PORT_SET, VS_ATTR_VLAN_MODE, 1, 3},
		{VS_CMD_PORT_SET, VS_ATTR_PRIORITY, 0, 1},
		{VS_CMD_PORT_SET, VS_ATTR_OFFLOAD_ON, 1, VS_PART_ALL},
		{VS_CMD_PORT_SET, VS_ATTR_OFFLOAD_OFF, 0, VS_PART_ALL},
		{VS_CMD_PORT_SET, VS_ATTR_MODERATION, 1, 5},
	};
	uint32_t value;
	size_t i;

	for (i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
		put(number[i].cmd, number[i].attr, &number[i].min, 4);
		good();
		put(number[i].cmd, number[i].attr, &number[i].max, 4);
		good();
		value = number[i].max + 1;
		put(number[i].cmd, number[i].attr, &value, 4);
		bad(-ERANGE, vs_attr_name(number[i].attr));
		value = number[i].min - 1;
		put(number[i].cmd, number[i].attr, &value, 4);
		bad(-ERANGE, vs_attr_name(number[i].attr));
		put(number[i].cmd, number[i].attr, &value, 2);
		bad(-EINVAL, "has 2 bytes");
	}
	value = 4095;
	put(VS_CMD_PORT_SET, VS_ATTR_VLAN, &value, 4);
	bad(-ERANGE, "vlan 4095");
	value = 9;
	put(VS_CMD_PORT_NEW, VS_ATTR_QUEUES, &value, 4);
	bad(-ERANGE, "queues 9");
	value = 0;
	put(VS_CMD_PORT_NEW, VS_ATTR_QUEUES, &value, 4);
	bad(-ERANGE, "queues 0");
}

/* What a command takes besides what it must have; the whole list, in both directions. */
static void takes(enum vs_cmd cmd, const uint16_t *must, const uint16_t *may)
{
	const struct vs_policy *policy = vs_policy_find(cmd);
	unsigned int found = 0;
	unsigned int i;
	unsigned int a;

	assert_non_null(policy);
	for (a = 1; a < VS_ATTR_COUNT_; a++) {
		unsigned int need = 0;
		bool wanted_must = false;
		bool wanted_may = false;

		for (i = 0; policy->attrs[i].attr; i++) {
			if (policy->attrs[i].attr == a)
				need = policy->attrs[i].need;
		}
		for (i = 0; must[i]; i++)
			wanted_must |= must[i] == a;
		for (i = 0; may[i]; i++)
			wanted_may |= may[i] == a;
		if ((need == VS_MUST) != wanted_must ||
		    (need == VS_MAY || need == VS_CHANGE) != wanted_may)
			fail_msg("%s: attribute %u '%s'", policy->name, a, vs_attr_name(a));
		found += need != 0;
	}
	/* None is in the list twice. */
	for (i = 0; policy->attrs[i].attr; i++)
		;
	assert_int_equal(i, found);
}

#define LIST(...) ((const uint16_t[]){__VA_ARGS__, 0})
#define NOTHING ((const uint16_t[]){0})

static void test_policies(void **state)
{
	takes(VS_CMD_SWITCH_NEW, LIST(VS_ATTR_NAME, VS_ATTR_KIND),
	      LIST(VS_ATTR_UPLINK, VS_ATTR_SHARE, VS_ATTR_UNKNOWN, VS_ATTR_FDB_SIZE,
		   VS_ATTR_FDB_AGEING, VS_ATTR_MTU, VS_ATTR_FORCE, VS_ATTR_VMQ,
		   VS_ATTR_VMQ_QUEUES));
	takes(VS_CMD_SWITCH_SET, LIST(VS_ATTR_NAME),
	      LIST(VS_ATTR_KIND, VS_ATTR_UPLINK, VS_ATTR_SHARE, VS_ATTR_UNKNOWN, VS_ATTR_NEW_NAME,
		   VS_ATTR_FDB_SIZE, VS_ATTR_FDB_AGEING, VS_ATTR_MTU, VS_ATTR_FORCE, VS_ATTR_VMQ,
		   VS_ATTR_VMQ_QUEUES));
	takes(VS_CMD_SWITCH_DEL, LIST(VS_ATTR_NAME), LIST(VS_ATTR_FORCE));
	takes(VS_CMD_PORT_NEW, LIST(VS_ATTR_NAME, VS_ATTR_SWITCH, VS_ATTR_KIND),
	      LIST(VS_ATTR_SOCKET, VS_ATTR_MODE, VS_ATTR_IFNAME, VS_ATTR_ADDRS, VS_ATTR_QUEUES,
		   VS_ATTR_MAC, VS_ATTR_MAC_AUTO, VS_ATTR_MTU, VS_ATTR_VM, VS_ATTR_VLAN_MODE,
		   VS_ATTR_VLAN, VS_ATTR_VLANS, VS_ATTR_LINK, VS_ATTR_STORM_PPS, VS_ATTR_MAX_MACS,
		   VS_ATTR_PRIORITY, VS_ATTR_CLUSTER, VS_ATTR_OFFLOAD_ON, VS_ATTR_OFFLOAD_OFF,
		   VS_ATTR_MODERATION, VS_ATTR_VMQ_WEIGHT, VS_ATTR_PLACE));
	takes(VS_CMD_PORT_SET, LIST(VS_ATTR_NAME),
	      LIST(VS_ATTR_MAC, VS_ATTR_MAC_AUTO, VS_ATTR_VM, VS_ATTR_MTU, VS_ATTR_LINK,
		   VS_ATTR_STORM_PPS, VS_ATTR_MAX_MACS, VS_ATTR_NEW_NAME, VS_ATTR_SWITCH,
		   VS_ATTR_ADDRS, VS_ATTR_VLAN_MODE, VS_ATTR_VLAN, VS_ATTR_VLANS, VS_ATTR_PRIORITY,
		   VS_ATTR_CLUSTER, VS_ATTR_OFFLOAD_ON, VS_ATTR_OFFLOAD_OFF, VS_ATTR_MODERATION,
		   VS_ATTR_VMQ_WEIGHT, VS_ATTR_PLACE));
	takes(VS_CMD_FDB_NEW, LIST(VS_ATTR_SWITCH, VS_ATTR_PORT, VS_ATTR_MAC), LIST(VS_ATTR_VLAN));
	takes(VS_CMD_FDB_DEL, LIST(VS_ATTR_SWITCH, VS_ATTR_MAC), LIST(VS_ATTR_VLAN));
	takes(VS_CMD_FDB_FLUSH, LIST(VS_ATTR_SWITCH), NOTHING);
}

/* Alone they change nothing: a VLAN without its mode, a force without what is forced. */
static void test_no_change(void **state)
{
	const uint32_t vlan = 10;

	put(VS_CMD_PORT_SET, VS_ATTR_VLAN, &vlan, 4);
	memset(&refusal, 0, sizeof(refusal));
	assert_int_equal(vs_request_parse(msg.nlh, &req, &refusal), -EINVAL);
	assert_non_null(strstr(refusal.text, "nothing to change"));
	vs_msg_put_u32(&msg, VS_ATTR_VLAN_MODE, VS_VLAN_MODE_ACCESS);
	good();
	put(VS_CMD_SWITCH_SET, VS_ATTR_FORCE, "", 0);
	assert_int_equal(vs_request_parse(msg.nlh, &req, &refusal), -EINVAL);
	vs_msg_put_str(&msg, VS_ATTR_UPLINK, "xdp:e");
	good();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),      cmocka_unit_test(test_ifname),
		cmocka_unit_test(test_ranges),    cmocka_unit_test(test_addresses_of_any_kind),
		cmocka_unit_test(test_numbers),   cmocka_unit_test(test_policies),
		cmocka_unit_test(test_no_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
