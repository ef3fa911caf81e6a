/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol's messages: every kind of policy good and bad, and datagrams cut off anywhere.
 */
#include "control/tlv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t buf[VS_MESSAGE_MAX / 4];
static struct vs_msg msg;
static struct vs_request req;
static struct vs_refusal refusal;

static void begin(enum vs_cmd cmd)
{
	vs_msg_init(&msg, buf, sizeof(buf), cmd);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	msg.nlh->nlmsg_seq = 7;
}

static struct vs_msghdr *header(void)
{
	return (struct vs_msghdr *)((char *)buf + NLMSG_HDRLEN);
}

static void begin_port_new(void)
{
	begin(VS_CMD_PORT_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "p");
	vs_msg_put_str(&msg, VS_ATTR_SWITCH, "lan");
	vs_msg_put_str(&msg, VS_ATTR_SOCKET, "/tmp/s");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_GUEST);
}

static void good(void)
{
	assert_int_equal(msg.error, 0);
	assert_int_equal(vs_request_frame(buf, msg.nlh->nlmsg_len, &refusal), 0);
	assert_int_equal(vs_request_parse(msg.nlh, &req, &refusal), 0);
}

/* Refused with @error; the text must name @word. */
static void bad(int error, const char *word)
{
	memset(&refusal, 0, sizeof(refusal));
	assert_int_equal(vs_request_parse(msg.nlh, &req, &refusal), error);
	assert_int_equal(refusal.error, error);
	if (!strstr(refusal.text, word))
		fail_msg("'%s' does not name '%s'", refusal.text, word);
}

/* ... and its offset must be that of the last attribute put. */
static void bad_at(int error, const char *word, size_t offset)
{
	bad(error, word);
	assert_int_equal(refusal.offset, offset);
}

static void test_good(void **state)
{
	const uint8_t mac[6] = {0, 0x15, 0x5d, 1, 0x32, 0x11};

	begin_port_new();
	vs_msg_put_u32(&msg, VS_ATTR_MODE, VS_MODE_SERVER);
	vs_msg_put_bytes(&msg, VS_ATTR_MAC, mac, 6);
	vs_msg_put_str(&msg, VS_ATTR_VM, "v");
	good();
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_NAME]), "p");
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_MODE]), VS_MODE_SERVER);
	assert_null(req.attr[VS_ATTR_MTU]);
	assert_memory_equal((const char *)req.attr[VS_ATTR_MAC] + NLA_HDRLEN, mac, 6);
}

static void test_policies_are_sound(void **state)
{
	const struct vs_policy *policy;
	unsigned int i, a;

	for (i = 0; i <= UINT8_MAX; i++) {
		policy = vs_policy_find(i);
		if (!policy)
			continue;
		assert_int_equal(policy->cmd, i);
		for (a = 0; policy->attrs[a].attr; a++) {
			assert_true(a < VS_POLICY_ATTRS_MAX);
			assert_non_null(vs_attr_spec(policy->attrs[a].attr));
		}
	}
	/* numbers may be left out, but not the last one */
	for (i = 1; i < VS_ATTR_COUNT_; i++)
		assert_true(!vs_attr_spec(i) || vs_attr_name(i)[0]);
	assert_non_null(vs_attr_spec(VS_ATTR_COUNT_ - 1));
	assert_null(vs_attr_spec(0));
	assert_null(vs_attr_spec(VS_ATTR_COUNT_));
	assert_null(vs_attr_spec(0xffff));
	assert_string_equal(vs_attr_name(9999), "unknown");
	assert_null(vs_policy_find(VS_CMD_NOTICE));
}

static void test_frame(void **state)
{
	begin(VS_CMD_SWITCH_GET);
	assert_int_equal(vs_request_frame(buf, 0, &refusal), -EBADMSG);
	assert_int_equal(vs_request_frame(buf, 19, &refusal), -EBADMSG);
	assert_int_equal(vs_request_frame(buf, 20, &refusal), 0);
	assert_int_equal(vs_request_frame(buf, 24, &refusal), -EBADMSG);
	msg.nlh->nlmsg_len = 24;
	assert_int_equal(vs_request_frame(buf, 20, &refusal), -EBADMSG);
	msg.nlh->nlmsg_len = 0;
	assert_int_equal(vs_request_frame(buf, 20, &refusal), -EBADMSG);
	msg.nlh->nlmsg_len = UINT32_MAX;
	assert_int_equal(vs_request_frame(buf, 20, &refusal), -EBADMSG);
	assert_int_equal(vs_request_frame(buf, VS_REQUEST_MAX + 1, &refusal), -EMSGSIZE);
	assert_non_null(strstr(refusal.text, "65536"));
}

static void test_header(void **state)
{
	begin(VS_CMD_SWITCH_GET);
	msg.nlh->nlmsg_type = NLMSG_NOOP;
	bad(-EOPNOTSUPP, "message type 1");
	begin(VS_CMD_SWITCH_GET);
	msg.nlh->nlmsg_flags = NLM_F_ACK;
	bad(-EINVAL, "NLM_F_REQUEST");
	msg.nlh->nlmsg_flags = NLM_F_REQUEST | 0x8000;
	bad(-EINVAL, "0x8000");
	msg.nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	good();
	header()->reserved = 1;
	bad(-EINVAL, "reserved");
	begin(0xee);
	bad(-EOPNOTSUPP, "0xee");
	begin(VS_CMD_NOTICE);
	bad(-EOPNOTSUPP, "0x51");
}

static void test_version(void **state)
{
	begin(VS_CMD_SWITCH_GET);
	header()->version = VS_PROTO_VERSION_MAX + 1;
	bad(-EPROTONOSUPPORT, "versions 1 to 1");
	header()->version = 0;
	bad(-EPROTONOSUPPORT, "version 0");
	begin(VS_CMD_HELLO);
	header()->version = 99;
	good();
}

static void test_unknown_attribute(void **state)
{
	begin(VS_CMD_SWITCH_GET);
	vs_msg_put_u32(&msg, (enum vs_attr)333, 1);
	bad_at(-EINVAL, "333", 20);
	begin(VS_CMD_SWITCH_GET);
	vs_msg_put_u32(&msg, VS_ATTR_UNSPEC, 1);
	bad_at(-EINVAL, "number 0", 20);
	/* known, but not to this command */
	begin(VS_CMD_SWITCH_GET);
	vs_msg_put_u32(&msg, VS_ATTR_MTU, 1500);
	bad_at(-EINVAL, "SWITCH_GET does not take attribute 'mtu'", 20);
	/* an answer's attribute */
	begin(VS_CMD_SWITCH_GET);
	vs_msg_put_u64(&msg, VS_ATTR_RECEIVED, 1);
	bad_at(-EINVAL, "received", 20);
}

static void test_nested(void **state)
{
	struct nlattr *nest, *inner;

	begin(VS_CMD_SWITCH_GET);
	nest = vs_msg_nest_begin(&msg, VS_ATTR_NAME);
	inner = vs_msg_nest_begin(&msg, VS_ATTR_NAME);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "x");
	vs_msg_nest_end(&msg, inner);
	vs_msg_nest_end(&msg, nest);
	bad_at(-EINVAL, "not known", 20);
	begin(VS_CMD_SWITCH_GET);
	vs_msg_put_str(&msg, (enum vs_attr)(VS_ATTR_NAME | NLA_F_NET_BYTEORDER), "x");
	bad_at(-EINVAL, "not known", 20);
}

static void test_duplicate(void **state)
{
	size_t offset;

	begin(VS_CMD_SWITCH_DEL);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "a");
	offset = msg.nlh->nlmsg_len;
	vs_msg_put_str(&msg, VS_ATTR_NAME, "b");
	bad_at(-EINVAL, "'name' is there twice", offset);
}

static void test_missing(void **state)
{
	begin(VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "a");
	bad(-EINVAL, "'type' is missing");
	assert_int_equal(refusal.missing, VS_ATTR_KIND);
	assert_int_equal(refusal.offset, 0);
	begin(VS_CMD_PORT_SET);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "a");
	bad(-EINVAL, "nothing to change");
	vs_msg_put_u32(&msg, VS_ATTR_LINK, 0);
	good();
}

static void put_name(const void *data, size_t len)
{
	begin(VS_CMD_SWITCH_GET);
	vs_msg_put_bytes(&msg, VS_ATTR_NAME, data, len);
}

static void test_name(void **state)
{
	static const char *const wrong[] = {"-a", "a b", "a/b", "", "a\n", "\xc3\xa4", "a;b"};
	char longest[VS_PROTO_NAME_SIZE + 1];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		put_name(wrong[i], strlen(wrong[i]) + 1);
		bad_at(-EINVAL, "is no name", 20);
	}
	memset(longest, 'a', sizeof(longest));
	longest[VS_PROTO_NAME_SIZE - 1] = '\0';
	put_name(longest, VS_PROTO_NAME_SIZE);
	good();
	longest[VS_PROTO_NAME_SIZE - 1] = 'a';
	longest[VS_PROTO_NAME_SIZE] = '\0';
	put_name(longest, VS_PROTO_NAME_SIZE + 1);
	bad(-EINVAL, "is no name");
	put_name("aA0_.-", 7);
	good();
	/* without a NUL, with one inside, with two, empty */
	put_name("ab", 2);
	bad(-EINVAL, "'name' does not end with its only NUL");
	put_name("a\0b", 4);
	bad(-EINVAL, "NUL");
	put_name("a\0", 3);
	bad(-EINVAL, "NUL");
	put_name("", 0);
	bad(-EINVAL, "NUL");
}

static void put_socket(const void *data, size_t len)
{
	begin(VS_CMD_PORT_NEW);
	vs_msg_put_bytes(&msg, VS_ATTR_SOCKET, data, len);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "p");
	vs_msg_put_str(&msg, VS_ATTR_SWITCH, "lan");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_GUEST);
}

static void test_path(void **state)
{
	char path[VS_PROTO_PATH_SIZE + 1];

	memset(path, '/', sizeof(path));
	path[VS_PROTO_PATH_SIZE - 1] = '\0';
	put_socket(path, VS_PROTO_PATH_SIZE);
	good();
	path[VS_PROTO_PATH_SIZE - 1] = '/';
	path[VS_PROTO_PATH_SIZE] = '\0';
	put_socket(path, VS_PROTO_PATH_SIZE + 1);
	bad_at(-EINVAL, "1 to 107 bytes", 20);
	put_socket("", 1);
	bad_at(-EINVAL, "1 to 107 bytes", 20);
	put_socket("/a\x1b[2J", 7);
	bad_at(-EINVAL, "byte 2", 20);
	put_socket("/a", 2);
	bad_at(-EINVAL, "NUL", 20);
	put_socket("/a b,\xc3\xa4", 8);
	good();
}

static void put_set(enum vs_attr attr, const void *data, size_t len)
{
	begin(VS_CMD_PORT_SET);
	vs_msg_put_bytes(&msg, attr, data, len);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "p");
}

static void put_number(enum vs_attr attr, uint32_t value)
{
	put_set(attr, &value, sizeof(value));
}

static void test_number(void **state)
{
	const uint64_t wide = 1500;

	put_number(VS_ATTR_MTU, 68);
	good();
	put_number(VS_ATTR_MTU, 65535);
	good();
	put_number(VS_ATTR_MTU, 67);
	bad_at(-ERANGE, "mtu 67 is out of range: auto, or 68 to 65535", 20);
	put_number(VS_ATTR_MTU, 65536);
	bad_at(-ERANGE, "mtu 65536", 20);
	put_number(VS_ATTR_MTU, UINT32_MAX);
	bad_at(-ERANGE, "mtu", 20);
	put_number(VS_ATTR_LINK, 2);
	bad_at(-ERANGE, "link 2", 20);
	put_number(VS_ATTR_STORM_PPS, UINT32_MAX);
	good();
	put_set(VS_ATTR_MTU, &wide, 2);
	bad_at(-EINVAL, "'mtu' has 2 bytes, 4 are right", 20);
	put_set(VS_ATTR_MTU, &wide, 8);
	bad_at(-EINVAL, "'mtu' has 8 bytes", 20);
	put_set(VS_ATTR_MTU, &wide, 0);
	bad_at(-EINVAL, "'mtu' has 0 bytes", 20);
}

static void put_ageing(uint32_t value)
{
	begin(VS_CMD_SWITCH_SET);
	vs_msg_put_u32(&msg, VS_ATTR_FDB_AGEING, value);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "s");
}

static void test_number_or_zero(void **state)
{
	put_ageing(0);
	good();
	put_ageing(10);
	good();
	put_ageing(9);
	bad_at(-ERANGE, "fdb-ageing 9 is out of range: 0, or 10 to 1000000", 20);
	put_ageing(1000001);
	bad_at(-ERANGE, "fdb-ageing", 20);
}

static void test_mac(void **state)
{
	const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};
	const uint8_t any[8] = {0};

	put_set(VS_ATTR_MAC, any, 6);
	good();
	put_set(VS_ATTR_MAC, group, 6);
	bad_at(-EINVAL, "01:00:5e:00:00:01 is a group address", 20);
	put_set(VS_ATTR_MAC, any, 5);
	bad_at(-EINVAL, "'mac' has 5 bytes, 6 are right", 20);
	put_set(VS_ATTR_MAC, any, 8);
	bad_at(-EINVAL, "'mac' has 8 bytes", 20);
}

static void test_flag(void **state)
{
	begin(VS_CMD_SWITCH_DEL);
	vs_msg_put_flag(&msg, VS_ATTR_FORCE);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "s");
	good();
	assert_non_null(req.attr[VS_ATTR_FORCE]);
	begin(VS_CMD_SWITCH_DEL);
	vs_msg_put_u32(&msg, VS_ATTR_FORCE, 1);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "s");
	bad_at(-EINVAL, "'force' has 4 bytes, 0 are right", 20);
}

/* Whatever the length, only whole attributes are read; memory checkers see the rest. */
static void test_truncated(void **state)
{
	size_t len, whole;
	struct nlmsghdr *copy;

	begin_port_new();
	whole = msg.nlh->nlmsg_len;
	for (len = 20; len < whole; len++) {
		copy = malloc(len);
		assert_non_null(copy);
		memcpy(copy, buf, len);
		copy->nlmsg_len = (uint32_t)len;
		assert_int_equal(vs_request_frame(copy, len, &refusal), 0);
		/* the last attribute is one that must be there, and it has no padding */
		assert_int_not_equal(vs_request_parse(copy, &req, &refusal), 0);
		free(copy);
	}
}

static void test_attribute_length(void **state)
{
	static const uint16_t lengths[] = {0, 1, 3, 9, 100, 0xffff};
	struct nlattr *attr;
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		begin(VS_CMD_SWITCH_GET);
		vs_msg_put_str(&msg, VS_ATTR_NAME, "abc");
		attr = (struct nlattr *)((char *)buf + 20);
		attr->nla_len = lengths[i];
		bad_at(-EINVAL, "byte 20 runs over the end", 20);
	}
}

static void test_builder_bounds(void **state)
{
	uint32_t small[16];
	uint8_t big[70000] = {0};
	struct vs_msg m;

	vs_msg_init(&m, small, sizeof(small), VS_CMD_SWITCH_GET);
	vs_msg_put_str(&m, VS_ATTR_NAME, "this one is too long for a buffer of 64 bytes");
	assert_int_equal(m.error, -EMSGSIZE);
	assert_int_equal(m.nlh->nlmsg_len, 20);
	vs_msg_init(&m, small, sizeof(small), VS_CMD_SWITCH_GET);
	vs_msg_put_bytes(&m, VS_ATTR_BYTES, big, sizeof(big));
	assert_int_equal(m.error, -EMSGSIZE);
	vs_msg_init(&m, small, sizeof(small), VS_CMD_SWITCH_GET);
	vs_msg_put_bytes(&m, VS_ATTR_BYTES, big, 40);
	assert_int_equal(m.error, 0);
	vs_msg_put_flag(&m, VS_ATTR_FORCE);
	assert_int_equal(m.error, -EMSGSIZE);
	vs_msg_nest_end(&m, vs_msg_nest_begin(&m, VS_ATTR_SAMPLE));
	assert_int_equal(m.nlh->nlmsg_len, 64);
}

static void test_error_round_trip(void **state)
{
	const struct vs_refusal out = {.error = -ERANGE, .offset = 20, .missing = 3, .text = "so"};
	struct vs_refusal in;
	size_t len;

	begin(VS_CMD_SWITCH_GET);
	vs_msg_init_error(&msg, buf + 64, 512, msg.nlh, &out);
	assert_int_equal(msg.nlh->nlmsg_seq, 7);
	assert_int_equal(vs_error_parse(msg.nlh, &in), 0);
	assert_int_equal(in.error, -ERANGE);
	assert_int_equal(in.offset, 20);
	assert_int_equal(in.missing, 3);
	assert_string_equal(in.text, "so");
	for (len = 16; len < msg.nlh->nlmsg_len; len++) {
		msg.nlh->nlmsg_len = (uint32_t)len;
		(void)vs_error_parse(msg.nlh, &in);
	}
	begin(VS_CMD_SWITCH_GET);
	vs_msg_init_error(&msg, buf + 64, 512, msg.nlh, NULL);
	assert_int_equal(vs_error_parse(msg.nlh, &in), 0);
	assert_int_equal(in.error, 0);
	msg.nlh->nlmsg_len = 20;
	assert_int_equal(vs_error_parse(msg.nlh, &in), -EBADMSG);
}

static void test_answer(void **state)
{
	const struct nlattr *tb[VS_ATTR_COUNT_], *inner[VS_ATTR_COUNT_];
	struct nlattr *nest;

	begin(VS_CMD_DROP_GET);
	vs_msg_put_str(&msg, VS_ATTR_REASON, "spoof");
	vs_msg_put_u32(&msg, (enum vs_attr)500, 1); /* from a later daemon: skipped */
	nest = vs_msg_nest_begin(&msg, VS_ATTR_SAMPLE);
	vs_msg_put_u64(&msg, VS_ATTR_AGE_MS, UINT64_MAX);
	vs_msg_nest_end(&msg, nest);
	assert_int_equal(vs_answer_parse(msg.nlh, tb), 0);
	assert_string_equal(vs_tlv_str(tb[VS_ATTR_REASON]), "spoof");
	assert_int_equal(vs_answer_parse_nest(tb[VS_ATTR_SAMPLE], inner), 0);
	assert_true(vs_tlv_u64(inner[VS_ATTR_AGE_MS]) == UINT64_MAX);
	assert_null(inner[VS_ATTR_REASON]);

	begin(VS_CMD_DROP_GET);
	vs_msg_put_bytes(&msg, VS_ATTR_REASON, "spoof", 5); /* no NUL */
	assert_int_equal(vs_answer_parse(msg.nlh, tb), -EBADMSG);
	begin(VS_CMD_DROP_GET);
	vs_msg_put_u32(&msg, VS_ATTR_COUNT, 5); /* is a u64 */
	assert_int_equal(vs_answer_parse(msg.nlh, tb), -EBADMSG);
	begin(VS_CMD_DROP_GET);
	msg.nlh->nlmsg_len = 18;
	assert_int_equal(vs_answer_parse(msg.nlh, tb), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_policies_are_sound),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_unknown_attribute),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_number_or_zero),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_flag),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_attribute_length),
		cmocka_unit_test(test_builder_bounds),
		cmocka_unit_test(test_error_round_trip),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
