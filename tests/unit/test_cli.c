/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line: what becomes of it as a request, what is refused and how that is said; MAC
 * notations.
 */
#include "control/cli/cli.h"
#include "control/cli/lex.h"
#include "control/cli/mac.h"
#include "control/cli/vlan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cli_line.h"

static void test_capture(void **state)
{
	good("capture vm1", VS_CMD_CAPTURE_START);
	assert_null(req.attr[VS_ATTR_DIRECTION]);
	good("capture --drops -c 3 -f arp -w - --snaplen 96 vm1 --direction to",
	     VS_CMD_CAPTURE_START);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_PORT]), "vm1");
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_SNAPLEN]), 96);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_DIRECTION]), VS_DIRECTION_TO);
	assert_non_null(req.attr[VS_ATTR_DROPS]);
	/* the verb compiles it */
	assert_null(req.attr[VS_ATTR_FILTER]);

	good("capture vm1 -w file", VS_CMD_CAPTURE_START);
	bad("capture", "capture: PORT is missing");
	bad("capture vm1 vm2", "vm2");
	bad("capture vm1 -c 0", "'0' after '-c' is not a number");
	bad("capture vm1 --direction in", "accepted here: from, to, both");
	bad("capture vm1 --drop", "(did you mean '--drops'?)");
	bad("capture vm1 -f", "'-f' is followed by nothing");
}

static void test_grammar(void **state)
{
	good("switch add lan type private", VS_CMD_SWITCH_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_KIND]), VS_KIND_PRIVATE);
	good("switch show", VS_CMD_SWITCH_GET);
	assert_null(req.attr[VS_ATTR_NAME]);
	good("switch show lan", VS_CMD_SWITCH_GET);
	good("switch del lan", VS_CMD_SWITCH_DEL);
	assert_null(req.attr[VS_ATTR_FORCE]);
	good("switch del lan force", VS_CMD_SWITCH_DEL);
	assert_non_null(req.attr[VS_ATTR_FORCE]);
	good("switch set lan fdb-size 5 fdb-ageing 0", VS_CMD_SWITCH_SET);
	good("port show", VS_CMD_PORT_GET);
	good("port show p", VS_CMD_PORT_GET);
	good("port show p --qemu", VS_CMD_PORT_GET);
	good("port show --libvirt", VS_CMD_PORT_GET);
	good("port del p", VS_CMD_PORT_DEL);
	good("fdb show", VS_CMD_FDB_GET);
	good("fdb show switch lan", VS_CMD_FDB_GET);
	good("fdb flush switch lan", VS_CMD_FDB_FLUSH);
	good("stats show", VS_CMD_STATS_GET);
	good("stats show port p", VS_CMD_STATS_GET);
	good("stats show by vm", VS_CMD_STATS_GET);
	assert_null(req.attr[VS_ATTR_VM]);
	good("stats audit", VS_CMD_AUDIT_GET);
	good("drops show", VS_CMD_DROP_GET);
	good("drops show port p", VS_CMD_DROP_GET);
	good("monitor", VS_CMD_SUBSCRIBE);
}

static void test_switch_types(void **state)
{
	good("switch add ext type external uplink xdp:eth1", VS_CMD_SWITCH_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_KIND]), VS_KIND_EXTERNAL);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_UPLINK]), "xdp:eth1");
	assert_null(req.attr[VS_ATTR_SHARE]);
	assert_null(req.attr[VS_ATTR_FORCE]);
	good("switch add ext force share-host off uplink dpdk:net_tap0,iface=t0 type external",
	     VS_CMD_SWITCH_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_SHARE]), 0);
	assert_non_null(req.attr[VS_ATTR_FORCE]);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_UPLINK]), "dpdk:net_tap0,iface=t0");
	good("switch add int type internal", VS_CMD_SWITCH_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_KIND]), VS_KIND_INTERNAL);

	good("switch set lan type external uplink xdp:e share-host on force", VS_CMD_SWITCH_SET);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_SHARE]), 1);
	good("switch set lan unknown drop name wan", VS_CMD_SWITCH_SET);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_UNKNOWN]), VS_POLICY_DROP);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_NEW_NAME]), "wan");
	good("switch set lan unknown uplink", VS_CMD_SWITCH_SET);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_UNKNOWN]), VS_POLICY_UPLINK);
	good("switch set lan unknown flood", VS_CMD_SWITCH_SET);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_UNKNOWN]), VS_POLICY_FLOOD);

	bad("switch add lan type extern", "accepted here: private, internal, external");
	bad("switch add lan type private shared on", "unknown word 'shared'");
	bad("switch add lan type external uplink", "xdp:IFNAME|dpdk:DEVARGS is wanted");
	bad("switch add lan type external share-host yes", "accepted here: off, on");
	bad("switch set lan", "nothing to change; accepted here: type private|internal|external");
	bad("switch set lan unknown all", "accepted here: flood, uplink, drop");
	bad("switch set lan name", "'name' is followed by nothing: NEW is wanted");
	bad("switch set lan type private type private", "'type' is there twice");
}

static const void *bytes_of(enum vs_attr attr)
{
	assert_non_null(req.attr[attr]);
	return (const char *)req.attr[attr] + NLA_HDRLEN;
}

static void test_host_port(void **state)
{
	good("port add h switch s type host", VS_CMD_PORT_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_KIND]), VS_KIND_HOST);
	assert_null(req.attr[VS_ATTR_IFNAME]);
	good("port add h switch s type host ifname vs0 addr 192.0.2.1/24,2001:db8::1/64 queues 4 "
	     "mac auto mtu 9000",
	     VS_CMD_PORT_NEW);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_IFNAME]), "vs0");
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_ADDRS]), "192.0.2.1/24,2001:db8::1/64");
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_QUEUES]), 4);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_MTU]), 9000);
	assert_non_null(req.attr[VS_ATTR_MAC_AUTO]);
	assert_null(req.attr[VS_ATTR_MAC]);
	good("port add g switch s type guest tap tap0", VS_CMD_PORT_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_KIND]), VS_KIND_GUEST);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_IFNAME]), "tap0");
	assert_null(req.attr[VS_ATTR_SOCKET]);

	bad("port add p switch s type guest socket /s tap t", "'socket' and 'tap' exclude each");
	bad("port add p switch s type host tap t ifname t", "'tap' and 'ifname' exclude each");
	bad("port add p switch s type host queues many", "'many' after 'queues' is not a number");
	bad("port add p switch s type host addr", "is wanted");
	bad("port add p switch s type gest", "(did you mean 'guest'?)");
	bad("port set p ifname x", "unknown word 'ifname'");
}

static void test_mac_words(void **state)
{
	static const char zero[6];

	good("port set p mac auto", VS_CMD_PORT_SET);
	assert_non_null(req.attr[VS_ATTR_MAC_AUTO]);
	assert_null(req.attr[VS_ATTR_MAC]);
	good("port set p mac any", VS_CMD_PORT_SET);
	assert_memory_equal(bytes_of(VS_ATTR_MAC), zero, 6);
	assert_null(req.attr[VS_ATTR_MAC_AUTO]);
	good("port set p cluster none", VS_CMD_PORT_SET);
	assert_memory_equal(bytes_of(VS_ATTR_CLUSTER), zero, 6);
	good("port set p cluster 03-BF-00-00-00-01", VS_CMD_PORT_SET);
	assert_memory_equal(bytes_of(VS_ATTR_CLUSTER), "\x03\xbf\0\0\0\x01", 6);
	bad("port set p mac none",
	    "'none' after 'mac' is not a MAC address such as 00:15:5d:01:32:11, and not 'any' or "
	    "'auto'");
	bad("port set p cluster any", "and not 'none'");
	good("port add p switch s type host mac any", VS_CMD_PORT_NEW);
	bad("port set p mac any mac auto", "'mac' is there twice");
}

static void test_fdb(void **state)
{
	good("fdb add 00155D013211 switch lan port p", VS_CMD_FDB_NEW);
	assert_memory_equal(bytes_of(VS_ATTR_MAC), "\x00\x15\x5d\x01\x32\x11", 6);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_PORT]), "p");
	assert_null(req.attr[VS_ATTR_VLAN]);
	good("fdb add 00155D013211 vlan 4094 port p switch lan", VS_CMD_FDB_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_VLAN]), 4094);
	good("fdb del 00155D013211 switch lan vlan 7", VS_CMD_FDB_DEL);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_VLAN]), 7);
	bad("fdb add", "MAC is missing");
	bad("fdb add x switch lan port p", "'x' after 'add' is not a MAC address");
	bad("fdb add 00155D013211 switch lan", "port PORT is missing");
	bad("fdb add any switch lan port p", "is not a MAC address");
	bad("fdb del 00155D013211", "switch SW is missing");
	bad("fdb del 00155D013211 switch lan port p", "unknown word 'port'");
	bad("fdb del 00155D013211 switch lan vlan ten", "not a number");
}

/* The VLANs of the request, as the command would show them. */
static void vlans(const char *line, const char *shown)
{
	char text[VLAN_TEXT_MAX];

	good(line, VS_CMD_PORT_SET);
	vlan_format(req.attr, text, sizeof(text));
	assert_string_equal(text, shown);
}

static void test_vlan(void **state)
{
	vlans("port set p vlan untagged", "untagged");
	vlans("port set p vlan access 1", "access 1");
	vlans("port set p vlan access 4094", "access 4094");
	vlans("port set p vlan trunk 1", "trunk 1");
	vlans("port set p vlan trunk 1-4094 native 0", "trunk 1-4094");
	vlans("port set p vlan trunk 10,20-29 native 4094", "trunk 10,20-29 native 4094");
	vlans("port set p vlan trunk 3,2,1,4094,4093,7-7", "trunk 1-3,7,4093-4094");
	vlans("port set p vlan trunk 63,64,65-127,128 mtu 1500", "trunk 63-128");
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_MTU]), 1500);
	vlans("port set p mtu 1500 vlan trunk 5 native 6 priority on", "trunk 5 native 6");
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_PRIORITY]), 1);
	good("port add p switch s vlan access 9 type guest socket /s", VS_CMD_PORT_NEW);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_VLAN]), 9);

	bad("port set p vlan", "'vlan' is followed by nothing");
	bad("port set p vlan all",
	    "unknown word 'all' after 'vlan'; accepted here: untagged, access");
	bad("port set p vlan access", "'access' is followed by nothing: a VLAN (1 to 4094)");
	bad("port set p vlan access 0", "'0' after 'access' is no VLAN (1 to 4094)");
	bad("port set p vlan access 4095", "'4095' after 'access' is no VLAN (1 to 4094)");
	bad("port set p vlan access 10x", "is no VLAN");
	bad("port set p vlan access 5 native 5", "unknown word 'native'");
	bad("port set p vlan trunk", "'trunk' is followed by nothing: a list of VLANs");
	bad("port set p vlan trunk 5 native",
	    "'native' is followed by nothing: a VLAN (0 to 4094)");
	bad("port set p vlan trunk 5 native 4095", "is no VLAN (0 to 4094)");
	bad("port set p vlan untagged vlan untagged", "'vlan' is there twice");
	bad("port set p priority", "'priority' is followed by nothing");
	bad("port set p priority 1", "accepted here: off, on");
}

static void test_vlan_lists(void **state)
{
	static const char *const wrong[] = {
		"",
		",",
		"1,",
		",1",
		"1,,2",
		"-",
		"1-",
		"-1",
		"5-2",
		"1-2-3",
		"1--2",
		"1-4095",
		"4095",
		"0",
		"0-5",
		"x",
		"1;2",
		"+1",
		"0x10",
		"1.5",
		"18446744073709551617",
		"1-18446744073709551617",
		"1,99999999999999999999",
	};
	char line[8192] = "port set p vlan trunk 1";
	struct vs_range range;
	char text[VLAN_TEXT_SHORT];
	char word[64];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(word, sizeof(word), "port set p vlan trunk %s", wrong[i]);
		bad(word, "is no list of VLANs such as 10,20-29, each 1 to 4094");
	}
	for (i = 1; i < VS_RANGES_MAX; i++)
		snprintf(line + strlen(line), 16, ",%zu", 2 * i + 1);
	good(line, VS_CMD_PORT_SET);
	assert_true(vs_tlv_range(req.attr[VS_ATTR_VLANS], VS_RANGES_MAX - 1, &range));
	assert_int_equal(range.last, 2 * VS_RANGES_MAX - 1);
	vlan_format(req.attr, text, sizeof(text));
	assert_string_equal(text, "trunk 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35,37,...");
	snprintf(line + strlen(line), 32, " native 4000");
	good(line, VS_CMD_PORT_SET);
	vlan_format(req.attr, text, sizeof(text));
	assert_string_equal(text, "trunk 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,... native 4000");
	snprintf(strstr(line, " native"), 16, ",%d", 2 * VS_RANGES_MAX + 1);
	bad(line, "the list after 'trunk' has more than 512 ranges");
	snprintf(line + strlen(line), 32, ",2,4,6,8");
	good(line, VS_CMD_PORT_SET);
	snprintf(line + strlen(line), 32, ",");
	bad(line, "is no list of VLANs");
}

static void test_port_add(void **state)
{
	good("port add p switch lan type guest socket /run/p.sock", VS_CMD_PORT_NEW);
	assert_null(req.attr[VS_ATTR_MODE]);
	good("port add p vm v mac 00-15-5D-01-32-11 mode server socket /s type guest switch lan",
	     VS_CMD_PORT_NEW);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_NAME]), "p");
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_VM]), "v");
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_SOCKET]), "/s");
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_MODE]), VS_MODE_SERVER);
	assert_memory_equal((const char *)req.attr[VS_ATTR_MAC] + NLA_HDRLEN,
			    "\x00\x15\x5d\x01\x32\x11", 6);
	/* a name like a keyword: the first word is the name whatever it is */
	good("port add switch switch type type guest socket socket", VS_CMD_PORT_NEW);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_NAME]), "switch");
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_SWITCH]), "type");
}

static void test_port_set(void **state)
{
	good("port set p mac any mtu 9000 link down storm 0 max-macs 1 vm v", VS_CMD_PORT_SET);
	assert_memory_equal((const char *)req.attr[VS_ATTR_MAC] + NLA_HDRLEN, "\0\0\0\0\0\0", 6);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_MTU]), 9000);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_LINK]), 0);
	good("port set p link up", VS_CMD_PORT_SET);
	assert_int_equal(vs_tlv_u32(req.attr[VS_ATTR_LINK]), 1);
	bad("port set p", "nothing to change; accepted here: mac MAC|any|auto, mtu N|auto");
	bad("port set", "NAME is missing");
	bad("port set p link sideways", "accepted here: down, up");
	bad("port set p mtu 1 mtu 2", "'mtu' is there twice");
	bad("port set p mtu", "'mtu' is followed by nothing: N|auto is wanted");
	bad("port set p mtu x", "'x' after 'mtu' is not a number, and not 'auto'");
	bad("port set p mtu -1", "'-1' after 'mtu' is not a number");
	assert_null(strstr(cli.error, " to "));
	bad("port set p mtu 1x", "not a number");
	bad("port set p mtu 4294967296", "not a number");
	bad("port set p mtu 99999999999999999999999", "not a number");
	bad("port set p mac 00:15", "'00:15' after 'mac' is not a MAC address");
}

/* What stands in a row of the table is kept for the verb, and not sent. */
static void kept(unsigned int row, const char *word, uint32_t number)
{
	assert_string_equal(cli.value[row].word, word);
	assert_int_equal(cli.value[row].number, number);
}

static void test_watch(void **state)
{
	enum { BY, SWITCH, PORT, SORT, INTERVAL, COUNT };

	good("stats watch", VS_CMD_STATS_GET);
	assert_null(req.attr[VS_ATTR_PORT]);
	assert_null(cli.value[INTERVAL].word);
	good("stats watch by port switch lan sort name interval 0.5 count 7", VS_CMD_STATS_GET);
	kept(BY, "port", 1);
	kept(SWITCH, "lan", 0);
	kept(SORT, "name", 1);
	kept(INTERVAL, "0.5", 500);
	kept(COUNT, "7", 7);
	good("stats watch by vm port p", VS_CMD_STATS_GET);
	kept(BY, "vm", 0);
	kept(PORT, "p", 0);
	assert_string_equal(vs_tlv_str(req.attr[VS_ATTR_PORT]), "p");
	assert_null(cli.value[INTERVAL].word);
	good("stats watch interval 3600", VS_CMD_STATS_GET);
	kept(INTERVAL, "3600", 3600000);
	good("stats watch interval 0.125", VS_CMD_STATS_GET);
	kept(INTERVAL, "0.125", 125);
	good("stats watch interval 1.20 count 1000000000", VS_CMD_STATS_GET);
	kept(INTERVAL, "1.20", 1200);

	good("top", VS_CMD_STATS_GET);
	good("top by port sort cycles count 1", VS_CMD_STATS_GET);
	bad("top sort size", "accepted here: rate, cycles, name");
	bad("stats watch by switch", "accepted here: vm, port");
	bad("stats watch sort bytes",
	    "unknown word 'bytes' after 'sort'; accepted here: rate, cycles, name");
	bad("stats watch switch lan port p", "'switch' and 'port' exclude each other");
	bad("stats watch intervall 1", "(did you mean 'interval'?)");
	bad("stats watch count", "'count' is followed by nothing: N is wanted");
	bad("stats watch count 0", "'0' after 'count' is not a number (1 to 1000000000)");
	bad("stats watch count 1000000001", "after 'count' is not a number (1 to 1000000000)");
	bad("stats watch count -1", "'-1' after 'count' is not a number");
	bad("stats watch count 1.5", "'1.5' after 'count' is not a number");
	bad("stats watch count 1 count 2", "'count' is there twice");
	bad("stats watch interval 0",
	    "'0' after 'interval' is not a number of seconds (0.1 to 3600)");
	bad("stats watch interval 0.099", "(0.1 to 3600)");
	bad("stats watch interval 3600.001", "(0.1 to 3600)");
	bad("stats watch interval 4294968", "(0.1 to 3600)");
	bad("stats watch interval 18446744073709551617", "(0.1 to 3600)");
	bad("stats watch interval 99999999999999999999999999999999999", "(0.1 to 3600)");
	bad("stats watch interval 0.1234", "(0.1 to 3600)");
	bad("stats watch interval 1.", "(0.1 to 3600)");
	bad("stats watch interval .5", "(0.1 to 3600)");
	bad("stats watch interval 1.2.3", "(0.1 to 3600)");
	bad("stats watch interval 1,5", "(0.1 to 3600)");
	bad("stats watch interval -1", "(0.1 to 3600)");
	bad("stats watch interval 1s", "(0.1 to 3600)");
	bad("stats watch interval 0x10", "(0.1 to 3600)");
	bad("stats watch interval inf", "(0.1 to 3600)");
}

static void test_bad_words(void **state)
{
	bad("", "vmswitch help");
	bad("swich show", "unknown word 'swich' after 'vmswitch' (did you mean 'switch'?)");
	bad("version", "unknown word 'version' after 'vmswitch' (did you mean '--version'?)");
	bad("switch", "accepted here: add, show, set, del, help");
	bad("switch shwo", "(did you mean 'show'?)");
	bad("switch frobnicate", "unknown word 'frobnicate' after 'switch'; accepted here: add");
	bad("switch add lan", "switch add: type private|internal|external is missing");
	bad("switch add lan type privat", "(did you mean 'private'?)");
	bad("switch add lan type", "'type' is followed by nothing");
	bad("switch del lan froce", "(did you mean 'force'?)");
	bad("switch del lan force force", "'force' is there twice");
	bad("switch show a b", "unknown word 'b' after 'a'; nothing more is accepted here");
	bad("port add p switch lan", "type guest|host is missing");
	bad("port add p mac all", "not a MAC address");
	bad("port show p --qemu --libvirt", "'--qemu' and '--libvirt' exclude each other");
	bad("port show p --kvm", "unknown word '--kvm'");
	bad("stats show port p by vm", "'port' and 'by' exclude each other");
	bad("stats show by port", "accepted here: vm");
	bad("fdb flush", "switch SW is missing");
	bad("monitor all", "unknown word 'all' after 'monitor'");
	cli.file = "file";
	bad("help", "unknown word 'help' after 'vmswitch'; accepted here: switch, port, fdb");
	cli.file = NULL;
	bad("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "unknown word");
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file;

	assert_int_equal(parse("help"), CLI_WANTS_HELP);
	assert_null(cli.object);
	assert_int_equal(parse("port help"), CLI_WANTS_HELP);
	assert_string_equal(cli.object->word, "port");
	assert_null(cli.verb);
	assert_int_equal(parse("port add help"), CLI_WANTS_HELP);
	assert_string_equal(cli.verb->word, "add");
	assert_int_equal(parse("monitor help"), CLI_WANTS_HELP);

	file = open_memstream(&text, &len);
	assert_non_null(file);
	cli_help(file, NULL, NULL);
	fclose(file);
	assert_non_null(strstr(text,
			       "vmswitch port add NAME switch SW type guest|host [socket PATH "
			       "| tap IFNAME | ifname IFNAME] "));
	assert_non_null(strstr(text, " [mode client|server] [mac MAC|any|auto] [mtu N|auto] "));
	assert_non_null(strstr(text, "vmswitch fdb add MAC switch SW port PORT [vlan N]\n"));
	assert_non_null(strstr(text, "vmswitch switch del NAME [force]\n"));
	assert_non_null(strstr(text, "vmswitch stats show [port NAME | by vm]\n"));
	assert_non_null(strstr(text, "vmswitch port show [NAME] [--qemu | --libvirt]\n"));
	assert_non_null(strstr(text, "vmswitch stats watch [by vm|port] [switch SW | port NAME] "
				     "[sort rate|cycles|name] [interval SECONDS] [count N]\n"));
	assert_non_null(strstr(text, "vmswitch monitor\n"));
	free(text);
}

/* It is there, it is right, and it is one of this verb. */
static void check_example(const struct cli_object *object, const struct cli_verb *verb)
{
	char copy[512];
	FILE *file;
	struct lex lex;

	if (!verb->example)
		fail_msg("%s %s has no example", object->word, verb->word);
	snprintf(copy, sizeof(copy), "%s", verb->example);
	file = fmemopen(copy, strlen(copy), "r");
	assert_non_null(file);
	lex_open(&lex, file);
	assert_int_equal(lex_next(&lex), 1);
	if (cli_parse(&cli, lex.argc, lex.argv) != CLI_PARSED)
		fail_msg("the example '%s' is refused: %s", verb->example, cli.error);
	assert_ptr_equal(cli.object, object);
	assert_ptr_equal(cli.verb, verb);
	lex_close(&lex);
	fclose(file);
}

static void test_every_verb_has_help(void **state)
{
	const struct cli_object *object;
	const struct cli_verb *verb;
	const struct cli_arg *arg;

	for (object = cli_objects; object->word; object++) {
		for (verb = object->verbs; verb->run; verb++) {
			assert_non_null(verb->help);
			if (verb->cmd != CLI_NO_COMMAND)
				assert_non_null(vs_policy_find(verb->cmd));
			check_example(object, verb);
			for (arg = verb->args; arg->word || arg->value; arg++) {
				assert_non_null(arg->help);
				assert_true(arg->need == CLI_MAY || arg->need == CLI_MUST);
				assert_true(arg - verb->args < CLI_ARGS_MAX);
				/* a number that nobody else judges has a range */
				assert_true(arg->type != CLI_SECONDS || (!arg->attr && arg->max));
				assert_true(arg->type != CLI_NUMBER || arg->attr || arg->max);
			}
		}
	}
}

static void test_mac(void **state)
{
	static const char *const right[] = {
		"00:15:5d:01:32:11", "00:15:5D:01:32:11", "00-15-5D-01-32-11",
		"00155D013211",      "00155d013211",      "0015.5d01.3211",
	};
	static const char *const wrong[] = {
		"",
		"0",
		"00:15:5d:01:32",
		"00:15:5d:01:32:1",
		"00:15:5d:01:32:11:",
		"00:15:5d:01:32:111",
		"00:15:5d:01:32:1g",
		"00:15-5d:01:32:11",
		"0:15:5d:01:32:11",
		" 00:15:5d:01:32:11",
		"00:15:5d:01:32:11 ",
		"0015.5d01.321",
		"0015:5d01:3211",
		"00155d01321",
		"00155d0132111",
		"00.15.5d.01.32.11",
		"any",
		"0x155d013211",
	};
	uint8_t mac[MAC_BYTES];
	char text[MAC_TEXT_SIZE];
	size_t i;

	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		memset(mac, 0xff, sizeof(mac));
		assert_int_equal(mac_parse(right[i], mac), 0);
		mac_format(mac, text);
		assert_string_equal(text, "00:15:5d:01:32:11");
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memset(mac, 0xee, sizeof(mac));
		if (mac_parse(wrong[i], mac) != -EINVAL)
			fail_msg("'%s' was accepted", wrong[i]);
		assert_memory_equal(mac, "\xee\xee\xee\xee\xee\xee", 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capture),
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_port_add),
		cmocka_unit_test(test_port_set),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_bad_words),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_every_verb_has_help),
		cmocka_unit_test(test_fdb),
		cmocka_unit_test(test_switch_types),
		cmocka_unit_test(test_vlan),

		cmocka_unit_test(test_vlan_lists),
		cmocka_unit_test(test_host_port),
		cmocka_unit_test(test_mac_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
