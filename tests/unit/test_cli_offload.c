/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands behind `offload` on a command line, there and back. */
#include "control/cli/offload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cli_line.h"

/* What a line switches, as a request and as a line again. */
static void offloads(const char *line, uint32_t on, uint32_t off, const char *shown)
{
	char text[OFFLOAD_TEXT_MAX];

	good(line, VS_CMD_PORT_SET);
	assert_int_equal(cli_num(req.attr, VS_ATTR_OFFLOAD_ON), on);
	assert_int_equal(cli_num(req.attr, VS_ATTR_OFFLOAD_OFF), off);
	assert_int_equal(req.attr[VS_ATTR_OFFLOAD_ON] != NULL, on != 0);
	assert_int_equal(req.attr[VS_ATTR_OFFLOAD_OFF] != NULL, off != 0);
	assert_true(offload_can_format(req.attr));
	offload_format(req.attr, text, sizeof(text));
	assert_string_equal(text, shown);
}

static void test_offload(void **state)
{
	offloads("port set p offload all", 31, 0, "all");
	offloads("port set p offload none", 0, 31, "none");
	offloads("port set p offload csum off", 0, 1, "csum off");
	offloads("port set p offload tso4 on", 2, 0, "tso4 on");
	offloads("port set p offload tso6 off mtu 1500", 0, 4, "tso6 off");
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_MTU]), 1500);
	offloads("port set p offload gro,uso,gro on", 24, 0, "uso,gro on");
	offloads("port set p offload csum,tso4,tso6,uso,gro off", 0, 31, "none");
	good("port add p switch s type guest socket /s offload gro off", VS_CMD_PORT_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_OFFLOAD_OFF]), VS_PART_GRO);

	bad("port set p offload", "'offload' is followed by nothing: all|none|LIST on|LIST off");
	bad("port set p offload lro off", "'lro' after 'offload' is no list of offloads");
	bad("port set p offload csum, off", "is no list of offloads");
	bad("port set p offload ,csum off", "is no list of offloads");
	bad("port set p offload csumx off", "is no list of offloads");
	bad("port set p offload csum;gro off", "is no list of offloads");
	bad("port set p offload csum", "'csum' is followed by nothing: on or off is wanted");
	bad("port set p offload csum of", "unknown word 'of' after 'csum'; accepted here: on, off");
	bad("port set p offload all on", "unknown word 'on'");
	bad("port set p offload csum on offload gro off", "'offload' is there twice");
}

/* What one line cannot say is not shown as if it could. */
static void test_both(void **state)
{
	static uint32_t buf[64];
	const struct nlattr *tb[VS_ATTR_COUNT_];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_PORT_SET);
	vs_msg_put_u32(&msg, VS_ATTR_OFFLOAD_ON, VS_PART_GRO);
	vs_msg_put_u32(&msg, VS_ATTR_OFFLOAD_OFF, VS_PART_CSUM);
	assert_int_equal(vs_answer_parse(msg.nlh, tb), 0);
	assert_false(offload_can_format(tb));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offload),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
