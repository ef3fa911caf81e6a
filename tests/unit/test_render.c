/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests as command lines: what is printed is read back to the same request, for every command
 * that changes something and for random arguments of every kind.
 */
#include "control/cli/lex.h"
#include "control/cli/render.h"
#include "control/cli/vlan.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	ROUNDS = 400,
	WORDS_MAX = 128,
	WORD_SIZE = 4096,
};

static struct cli first, second;

/* Words of a random command line. */
static char words[WORDS_MAX][WORD_SIZE];
static char *argv[WORDS_MAX];
static int argc;

static uint32_t seed = 20261122;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)seed * n) >> 32);
}

static __attribute__((format(printf, 1, 2))) void add(const char *fmt, ...)
{
	va_list ap;

	assert_true(argc < WORDS_MAX);
	argv[argc] = words[argc];
	va_start(ap, fmt);
	vsnprintf(words[argc], WORD_SIZE, fmt, ap);
	va_end(ap);
	argc++;
}

static const char *any_of(const char *const *list)
{
	uint32_t n = 0;

	while (list[n])
		n++;
	return list[below(n)];
}

static void add_text(enum vs_attr attr)
{
	static const char *const names[] = {"a",    "web-1", "help",    "type", "switch",
					    "port", "_.x",   "A.B-c_d", "0",    NULL};
	static const char *const lines[] = {
		"xdp:eth0",
		"dpdk:net_tap0,iface=x y,k=\"v\"",
		"a'b''c",
		"",
		"#no comment",
		"back\\slash\\\\",
		"192.0.2.1/24,2001:db8::1/64",
		"$(x)`y`",
		NULL,
	};
	static const char *const paths[] = {"/run/p.sock", "/a b/'c'/\"d\"\\e#f",
					    "/\xc3\xa4!;&|<>*?[]{}~", NULL};
	static const char *const ifnames[] = {"eth0", "a#b", "x'y", "vlan@10", "none", NULL};

	switch (vs_attr_spec(attr)->type) {
	case VS_TLV_NAME:
		add("%s", any_of(names));
		return;
	case VS_TLV_PATH:
		add("%s", any_of(paths));
		return;
	case VS_TLV_LINE:
		add("%s", any_of(lines));
		return;
	default:
		add("%s", any_of(ifnames));
	}
}

static void add_mac(const struct cli_arg *arg)
{
	const struct cli_choice *c = arg->choices;

	for (; c && c->word; c++) {
		if (below(3))
			continue;
		add("%s", c->word);
		return;
	}
	add("02:%02x:%02x:00:00:01", below(256), below(256));
}

static void add_vlan(void)
{
	unsigned int i, n, at = 1 + below(20);

	switch (below(3)) {
	case 0:
		add("untagged");
		return;
	case 1:
		add("access");
		add("%u", 1 + below(4094));
		return;
	default:
		break;
	}
	add("trunk");
	add("%u-%u", at, at + below(9));
	n = below(500);
	for (i = 0, at = 40; i < n && at < 4090; i++, at += 2 + below(8)) {
		char *list = words[argc - 1];

		snprintf(list + strlen(list), WORD_SIZE - strlen(list), ",%u", at);
	}
	if (below(2) == 0)
		return;
	add("native");
	add("%u", below(4095));
}

static void add_offload(void)
{
	static const char *const part[] = {"csum", "tso4", "tso6", "uso", "gro"};
	unsigned int i, n = below(8);

	if (n < 2) {
		add("%s", n ? "all" : "none");
		return;
	}
	add("%s", part[below(5)]);
	for (i = 0; i < n - 2; i++) {
		char *list = words[argc - 1];

		snprintf(list + strlen(list), WORD_SIZE - strlen(list), ",%s", part[below(5)]);
	}
	add("%s", below(2) ? "on" : "off");
}

static void add_value(const struct cli_arg *arg, uint32_t choice)
{
	static const uint32_t numbers[] = {0, 1, 68, 1500, 65535, UINT32_MAX};
	uint32_t n = 0;

	switch (arg->type) {
	case CLI_WORD:
	case CLI_PATH:
		add_text(arg->attr);
		break;
	case CLI_NUMBER:
		add("%u", numbers[below(6)]);
		break;
	case CLI_MAC:
		add_mac(arg);
		break;
	case CLI_VLAN:
		add_vlan();
		break;
	case CLI_OFFLOAD:
		add_offload();
		break;
	case CLI_CHOICE:
		while (arg->choices[n].word)
			n++;
		add("%s", arg->choices[choice % n].word);
		break;
	case CLI_SECONDS:
	case CLI_FLAG:
		break;
	}
}

/* A command line of random arguments, in the order of their table. */
static void make_line(const struct cli_object *object, const struct cli_verb *verb)
{
	uint32_t kind = 0, which = below(1000);
	unsigned int group = 0;
	const struct cli_arg *arg;

	argc = 0;
	add("%s", object->word);
	if (verb->word[0])
		add("%s", verb->word);
	for (arg = verb->args; arg->word || arg->value; arg++) {
		/* what only some types have does not go with others */
		if ((arg->kind && arg->kind != kind) || (arg->group && arg->group == group))
			continue;
		if (arg->need == CLI_MAY && below(2))
			continue;
		if (arg->word)
			add("%s", arg->word);
		if (arg->attr == VS_ATTR_KIND) {
			uint32_t n = 0;

			while (arg->choices[n].word)
				n++;
			kind = arg->choices[which % n].value;
		}
		if (arg->value)
			add_value(arg, arg->attr == VS_ATTR_KIND ? which : below(1000));
		group = arg->group ? arg->group : group;
	}
}

static void assert_same(const struct cli *a, const struct cli *b, const char *line)
{
	const struct nlattr *tb_a[VS_ATTR_COUNT_], *tb_b[VS_ATTR_COUNT_];
	unsigned int i;

	assert_int_equal(vs_msg_cmd(a->msg.nlh), vs_msg_cmd(b->msg.nlh));
	assert_int_equal(vs_answer_parse(a->msg.nlh, tb_a), 0);
	assert_int_equal(vs_answer_parse(b->msg.nlh, tb_b), 0);
	for (i = 0; i < VS_ATTR_COUNT_; i++) {
		if (!tb_a[i] != !tb_b[i])
			fail_msg("%s: attribute %s came or went", line, vs_attr_name(i));
		if (tb_a[i] && (tb_a[i]->nla_len != tb_b[i]->nla_len ||
				memcmp(tb_a[i], tb_b[i], tb_a[i]->nla_len) != 0))
			fail_msg("%s: attribute %s is another one", line, vs_attr_name(i));
	}
}

static char *render(const struct cli *cli)
{
	char *line = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&line, &len);
	int err;

	assert_non_null(file);
	err = cli_render(cli->msg.nlh, file);
	assert_int_equal(fclose(file), 0);
	if (err)
		fail_msg("%s %s ... %s: not rendered: %s", argv[0], argv[1], argv[argc - 1],
			 strerror(-err));
	return line;
}

/* The words of @line, read as a line of a file, are the same request. */
static void read_back(char *line)
{
	FILE *file = fmemopen(line, strlen(line), "r");
	struct lex lex;

	assert_non_null(file);
	lex_open(&lex, file);
	assert_int_equal(lex_next(&lex), 1);
	if (cli_parse(&second, lex.argc, lex.argv) != CLI_PARSED)
		fail_msg("'%s' is refused: %s", line, second.error);
	assert_same(&first, &second, line);
	assert_int_equal(lex_next(&lex), 0);
	lex_close(&lex);
	fclose(file);
}

static void check_verb(const struct cli_object *object, const struct cli_verb *verb)
{
	unsigned int i, wrong = 0;
	struct render r;
	json_t *json;
	char *line;

	for (i = 0; i < ROUNDS; i++) {
		make_line(object, verb);
		/* "nothing to change" is no request */
		if (cli_parse(&first, argc, argv) != CLI_PARSED) {
			wrong++;
			continue;
		}
		line = render(&first);
		read_back(line);
		assert_int_equal(render_open(&r, first.msg.nlh), 0);
		json = render_json(&r);
		assert_string_equal(json_string_value(json_object_get(json, "command")), line);
		json_decref(json);
		free(line);
	}
	if (wrong > ROUNDS / 20)
		fail_msg("%s %s: %u lines are refused, the last: %s", object->word, verb->word,
			 wrong, first.error);
}

static void test_inverse(void **state)
{
	const struct cli_object *object;
	const struct cli_verb *verb;
	unsigned int n = 0;

	first.file = second.file = "test";
	for (object = cli_objects; object->word; object++) {
		for (verb = object->verbs; verb->run; verb++) {
			if (verb->run != cli_do)
				continue;
			check_verb(object, verb);
			n++;
		}
	}
	/* switch, port: add set del; fdb: add del flush */
	assert_true(n >= 9);
}

/* ---- single lines ---- */

static void shows(const char *typed, const char *shown)
{
	char copy[512];
	char *rest = copy;
	char *word, *line;

	snprintf(copy, sizeof(copy), "%s", typed);
	argc = 0;
	while ((word = strsep(&rest, " ")) != NULL)
		add("%s", word);
	if (cli_parse(&first, argc, argv) != CLI_PARSED)
		fail_msg("'%s' is refused: %s", typed, first.error);
	line = render(&first);
	assert_string_equal(line, shown);
	free(line);
}

static void test_lines(void **state)
{
	shows("switch add lan type private", "switch add lan type private");
	shows("switch add lan fdb-ageing 0 type external force uplink xdp:e share-host off",
	      "switch add lan type external uplink xdp:e share-host off force fdb-ageing 0");
	shows("port add p type guest tap t0 switch lan mac 00-15-5D-01-32-11 vlan access 7",
	      "port add p switch lan type guest tap t0 mac 00:15:5d:01:32:11 vlan access 7");
	shows("port add h ifname t0 type host switch lan mac auto",
	      "port add h switch lan type host ifname t0 mac auto");
	shows("port set h vlan trunk 3,1,2 native 0 link down",
	      "port set h link down vlan trunk 1-3 native 0");
	shows("port add h type host switch lan mac any", "port add h switch lan type host mac any");
	shows("port set h mac any cluster none addr none",
	      "port set h mac any cluster none addr none");
	shows("port add p switch lan type guest socket /a'b#", "port add p switch lan type guest "
							       "socket '/a'\\''b#'");
	shows("port add p switch lan type guest socket /\xff", "port add p switch lan type guest "
							       "socket '/\xff'");
	shows("fdb add 00155D013211 port p vlan 0 switch lan",
	      "fdb add 00:15:5d:01:32:11 switch lan port p vlan 0");
}

/* ---- what cannot be shown ---- */

static struct vs_msg msg;
static uint32_t buf[256];

static void begin(enum vs_cmd cmd)
{
	vs_msg_init(&msg, buf, sizeof(buf), cmd);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "x");
}

static void refused(int error)
{
	struct render r;
	char *line = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&line, &len);

	assert_non_null(file);
	assert_int_equal(cli_render(msg.nlh, file), error);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(len, 0);
	free(line);
	if (!render_open(&r, msg.nlh))
		assert_null(render_json(&r));
}

static void test_refused(void **state)
{
	/* no type */
	begin(VS_CMD_SWITCH_NEW);
	refused(-EINVAL);
	/* a type of a later daemon */
	vs_msg_put_u32(&msg, VS_ATTR_KIND, 9);
	refused(-EINVAL);
	/* an attribute that the verb does not have */
	begin(VS_CMD_SWITCH_NEW);
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	vs_msg_put_u32(&msg, VS_ATTR_STORM_PPS, 1500);
	refused(-EOPNOTSUPP);
	/* one that nothing has */
	begin(VS_CMD_SWITCH_NEW);
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	vs_msg_put_u32(&msg, (enum vs_attr)9999, 1);
	refused(-EOPNOTSUPP);
	/* an interface of neither guest nor host */
	begin(VS_CMD_PORT_SET);
	vs_msg_put_u32(&msg, VS_ATTR_MTU, 1500);
	vs_msg_put_str(&msg, VS_ATTR_IFNAME, "t0");
	refused(-EOPNOTSUPP);
	/* what a terminal would obey */
	begin(VS_CMD_SWITCH_SET);
	vs_msg_put_str(&msg, VS_ATTR_UPLINK, "xdp:\x1b[2J");
	refused(-EINVAL);
	/* a command that the command line does not have */
	begin(VS_CMD_HELLO);
	refused(-EOPNOTSUPP);
	/* no such length */
	begin(VS_CMD_PORT_SET);
	vs_msg_put_bytes(&msg, VS_ATTR_MTU, "x", 1);
	refused(-EBADMSG);
}

/* An address that is all zero has a word, not a number. */
static void test_any_mac(void **state)
{
	static const uint8_t zero[6];
	char *line = NULL;
	size_t len = 0;
	FILE *file;

	begin(VS_CMD_PORT_NEW);
	vs_msg_put_str(&msg, VS_ATTR_SWITCH, "lan");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_GUEST);
	vs_msg_put_bytes(&msg, VS_ATTR_MAC, zero, sizeof(zero));
	file = open_memstream(&line, &len);
	assert_non_null(file);
	assert_int_equal(cli_render(msg.nlh, file), 0);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(line, "port add x switch lan type guest mac any");
	free(line);
}

static void test_nest(void **state)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	struct nlattr *nest;
	struct render r;
	json_t *json, *args;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_GET);
	nest = vs_msg_nest_begin(&msg, VS_ATTR_SAMPLE);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "lan");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_EXTERNAL);
	vs_msg_put_u32(&msg, VS_ATTR_SHARE, 0);
	vs_msg_put_u32(&msg, VS_ATTR_FDB_SIZE, 77);
	vs_msg_put_flag(&msg, VS_ATTR_FORCE);
	vs_msg_nest_end(&msg, nest);
	assert_int_equal(vs_answer_parse(msg.nlh, tb), 0);
	assert_int_equal(render_open_nest(&r, VS_CMD_SWITCH_NEW, tb[VS_ATTR_SAMPLE]), 0);
	json = render_json(&r);
	assert_string_equal(json_string_value(json_object_get(json, "command")),
			    "switch add lan type external share-host off force fdb-size 77");
	assert_string_equal(json_string_value(json_object_get(json, "object")), "switch");
	assert_string_equal(json_string_value(json_object_get(json, "verb")), "add");
	args = json_object_get(json, "arguments");
	assert_string_equal(json_string_value(json_object_get(args, "name")), "lan");
	assert_string_equal(json_string_value(json_object_get(args, "type")), "external");
	assert_true(json_is_false(json_object_get(args, "share_host")));
	assert_true(json_is_true(json_object_get(args, "force")));
	assert_int_equal(json_integer_value(json_object_get(args, "fdb_size")), 77);
	assert_int_equal(json_object_size(args), 5);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inverse), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_any_mac),
		cmocka_unit_test(test_nest),
	};

	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
