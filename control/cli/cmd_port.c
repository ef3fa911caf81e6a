/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cmd_port.h"

#include "control/cli/offload.h"
#include "control/cli/virtio.h"
#include "control/cli/vlan.h"

#include <libmnl/libmnl.h>

#include <string.h>

enum {
	LOCAL_QEMU = 1 << 0,
	LOCAL_LIBVIRT = 1 << 1,
	PAIRS_SHOWN = 64, /* those that PAIRS_ON has bits for, and more than there are */
	GROUP_VMM = 1,
	GROUP_PLACE,
};

#define VLAN_VALUE "untagged|access N|trunk LIST [native N]"
#define OFFLOAD_VALUE "all|none|LIST on|LIST off"
#define OFFLOAD_HELP "what is left to its other side; LIST is of csum, tso4, tso6, uso, gro"
#define VLAN_HELP "VLANs it is on; LIST is such as 10,20-29"

/* Words that may stand for an address; see CLI_MAC. */
static const struct cli_choice macs[] = {{"any", 0}, {"auto", VS_ATTR_MAC_AUTO}, {NULL, 0}};
static const struct cli_choice cluster_macs[] = {{"none", 0}, {NULL, 0}};

/* An uplink comes with its switch. */
static const struct cli_choice new_kinds[] = {
	{"guest", VS_KIND_GUEST},
	{"host", VS_KIND_HOST},
	{NULL, 0},
};

/* Words that may stand for an MTU. */
static const struct cli_choice mtus[] = {{"auto", 0}, {NULL, 0}};

static const struct cli_choice moderations[] = {
	{"off", VS_MODERATION_OFF},           {"low", VS_MODERATION_LOW},
	{"medium", VS_MODERATION_MEDIUM},     {"high", VS_MODERATION_HIGH},
	{"adaptive", VS_MODERATION_ADAPTIVE}, {NULL, 0},
};
static const struct cli_choice links[] = {{"down", 0}, {"up", 1}, {NULL, 0}};

static const struct cli_arg add_args[] = {
	{NULL, "NAME", CLI_WORD, CLI_MUST, VS_ATTR_NAME, .help = "of the new port"},
	{"switch", "SW", CLI_WORD, CLI_MUST, VS_ATTR_SWITCH, .help = "that it belongs to"},
	{"type", "guest|host", CLI_CHOICE, CLI_MUST, VS_ATTR_KIND, new_kinds,
	 .help = "a virtual machine, or an interface in the host"},
	{"socket", "PATH", CLI_PATH, CLI_MAY, VS_ATTR_SOCKET, .group = GROUP_PLACE,
	 .help = "guest: the vhost-user socket, another one for each port"},
	{"tap", "IFNAME", CLI_WORD, CLI_MAY, VS_ATTR_IFNAME, .group = GROUP_PLACE,
	 .kind = VS_KIND_GUEST,
	 .help = "guest: the TAP interface of an emulated network card, instead of a socket"},
	{"ifname", "IFNAME", CLI_WORD, CLI_MAY, VS_ATTR_IFNAME, .group = GROUP_PLACE,
	 .kind = VS_KIND_HOST,
	 .help = "host: name of the interface (default: the name of the port)"},
	{"addr", "PREFIX[,PREFIX...]", CLI_WORD, CLI_MAY, VS_ATTR_ADDRS,
	 .help = "host: addresses of the interface, such as 192.0.2.1/24"},
	{"queues", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_QUEUES,
	 .help = "host: queue pairs of the interface (1 to 8, default 1)"},
	{"mode", "client|server", CLI_CHOICE, CLI_MAY, VS_ATTR_MODE, cli_modes,
	 .help = "who makes the socket: QEMU (client, the default) or vmswitchd (server)"},
	{"mac", "MAC|any|auto", CLI_MAC, CLI_MAY, VS_ATTR_MAC, macs,
	 .help = "the only source address it may send from (guest: default any; host: auto)"},
	{"mtu", "N|auto", CLI_NUMBER, CLI_MAY, VS_ATTR_MTU, mtus,
	 .help = "bytes of a frame without its Ethernet header (68 to 65535; host: to 65521; "
		 "guest: default auto, 9216)"},
	{"vlan", VLAN_VALUE, CLI_VLAN, CLI_MAY, .help = VLAN_HELP},
	{"vm", "VMNAME", CLI_WORD, CLI_MAY, VS_ATTR_VM,
	 .help = "virtual machine that it belongs to (default: the name of the port)"},
	{"link", "up|down", CLI_CHOICE, CLI_MAY, VS_ATTR_LINK, links,
	 .help = "down: what it sends is dropped, and nothing is sent to it (default: up)"},
	{"storm", "PPS", CLI_NUMBER, CLI_MAY, VS_ATTR_STORM_PPS,
	 .help = "flooded frames per second that it may send (0: no limit; default: 10000)"},
	{"max-macs", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_MAX_MACS,
	 .help = "addresses that are learnt from it at most (default: 1024)"},
	{"priority", "on|off", CLI_CHOICE, CLI_MAY, VS_ATTR_PRIORITY, cli_off_on,
	 .help = "keep the 802.1p priority of what it sends (default: off)"},
	{"cluster", "MAC|none", CLI_MAC, CLI_MAY, VS_ATTR_CLUSTER, cluster_macs,
	 .help = "an address that it shares with other ports, as nodes of a cluster do"},
	{"offload", OFFLOAD_VALUE, CLI_OFFLOAD, CLI_MAY, .help = OFFLOAD_HELP},
	{"moderation", "off|low|medium|high|adaptive", CLI_CHOICE, CLI_MAY, VS_ATTR_MODERATION,
	 moderations,
	 .help = "guest: how long its interrupts may wait for more frames (default: off)"},
	{"vmq-weight", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_VMQ_WEIGHT,
	 .help = "guest: who gets a queue of the uplink if they are scarce (0: never, to 100, the default)"},
	{"worker", "auto|N[,N...]", CLI_WORD, CLI_MAY, VS_ATTR_PLACE,
	 .help = "that visit its queue pairs, one after the other (default: auto)"},
	{0},
};

static const struct cli_arg set_args[] = {
	{NULL, "NAME", CLI_WORD, CLI_MUST, VS_ATTR_NAME, .help = "of the port"},
	{"mac", "MAC|any|auto", CLI_MAC, CLI_MAY, VS_ATTR_MAC, macs,
	 .help = "the only source address it may send from"},
	{"mtu", "N|auto", CLI_NUMBER, CLI_MAY, VS_ATTR_MTU, mtus,
	 .help = "bytes of a frame without its Ethernet header (68 to 65535; host: to 65521; "
		 "guest: default auto, 9216)"},
	{"link", "up|down", CLI_CHOICE, CLI_MAY, VS_ATTR_LINK, links,
	 .help = "while it is down, what it sends is dropped, and nothing is sent to it"},
	{"storm", "PPS", CLI_NUMBER, CLI_MAY, VS_ATTR_STORM_PPS,
	 .help = "flooded frames per second that it may send (0: no limit)"},
	{"max-macs", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_MAX_MACS,
	 .help = "addresses that are learnt from it at most"},
	{"vm", "VMNAME", CLI_WORD, CLI_MAY, VS_ATTR_VM,
	 .help = "virtual machine that it belongs to"},
	{"name", "NEW", CLI_WORD, CLI_MAY, VS_ATTR_NEW_NAME, .help = "another name"},
	{"switch", "SW", CLI_WORD, CLI_MAY, VS_ATTR_SWITCH,
	 .help = "another switch; its counters begin anew there"},
	{"vlan", VLAN_VALUE, CLI_VLAN, CLI_MAY, .help = VLAN_HELP},
	{"priority", "on|off", CLI_CHOICE, CLI_MAY, VS_ATTR_PRIORITY, cli_off_on,
	 .help = "keep the 802.1p priority of what it sends (default: off)"},
	{"cluster", "MAC|none", CLI_MAC, CLI_MAY, VS_ATTR_CLUSTER, cluster_macs,
	 .help = "an address that it shares with other ports, as nodes of a cluster do"},
	{"offload", OFFLOAD_VALUE, CLI_OFFLOAD, CLI_MAY, .help = OFFLOAD_HELP},
	{"moderation", "off|low|medium|high|adaptive", CLI_CHOICE, CLI_MAY, VS_ATTR_MODERATION,
	 moderations, .help = "guest: how long its interrupts may wait for more frames"},
	{"vmq-weight", "N", CLI_NUMBER, CLI_MAY, VS_ATTR_VMQ_WEIGHT,
	 .help = "guest: who gets a queue of the uplink if they are scarce (0: never, to 100, the default)"},
	{"worker", "auto|N[,N...]", CLI_WORD, CLI_MAY, VS_ATTR_PLACE,
	 .help = "that visit its queue pairs, one after the other; auto: they stay where they are"},
	{"addr", "PREFIX[,PREFIX...]|none", CLI_WORD, CLI_MAY, VS_ATTR_ADDRS,
	 .help = "host: addresses of the interface"},
	{0},
};

static const struct cli_arg del_args[] = {
	{NULL, "NAME", CLI_WORD, CLI_MUST, VS_ATTR_NAME, .help = "of the port"},
	{0},
};

static const struct cli_arg show_args[] = {
	{NULL, "NAME", CLI_WORD, CLI_MAY, VS_ATTR_NAME, .help = "only this port, with all of it"},
	{"--qemu", NULL, CLI_FLAG, CLI_MAY, .local = LOCAL_QEMU, .group = GROUP_VMM,
	 .help = "print the QEMU arguments that connect to it"},
	{"--libvirt", NULL, CLI_FLAG, CLI_MAY, .local = LOCAL_LIBVIRT, .group = GROUP_VMM,
	 .help = "print the libvirt XML that connects to it"},
	{0},
};

static void put_features(struct out *o, const char *key, const char *label, uint64_t bits)
{
	char text[512];

	features_format(bits, text, sizeof(text));
	out_value(o, OUT_IN_BLOCKS, key, label, features_json(bits), text);
}

static void put_net_mtu(struct out *o, const struct nlattr *const *tb)
{
	uint64_t mtu = cli_num(tb, VS_ATTR_MTU_NET);
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)mtu);
	out_value(o, OUT_IN_BLOCKS, "mtu_network", "MTU-OF-NETWORK",
		  mtu ? json_integer((json_int_t)mtu) : json_null(), mtu ? text : "not limited");
}

static void put_limit(struct out *o, const char *key, const char *label, uint64_t limit)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
	out_value(o, OUT_IN_BLOCKS, key, label, json_integer((json_int_t)limit),
		  limit ? text : "off");
}

static void put_vlans(struct out *o, const struct nlattr *const *tb)
{
	const char *priority = cli_choice_word(cli_off_on, (uint32_t)cli_num(tb, VS_ATTR_PRIORITY));
	char text[VLAN_TEXT_SHORT];
	char all[VLAN_TEXT_MAX];

	vlan_format(tb, text, sizeof(text));
	vlan_format(tb, all, sizeof(all));
	out_value(o, OUT_EVERYWHERE, "vlan", "VLAN", json_string(all), text);
	out_value(o, OUT_IN_BLOCKS, "priority", "PRIORITY",
		  json_boolean(cli_num(tb, VS_ATTR_PRIORITY)), priority);
	out_mac(o, OUT_IN_BLOCKS, "cluster", "CLUSTER", cli_mac(tb, VS_ATTR_CLUSTER), "none");
}

static void put_offload(struct out *o, const struct nlattr *const *tb)
{
	const uint32_t off = (uint32_t)cli_num(tb, VS_ATTR_OFFLOAD_OFF);
	char text[OFFLOAD_TEXT_MAX];

	offload_list(off, text, sizeof(text));
	out_value(o, OUT_IN_BLOCKS, "offload_off", "OFFLOAD-OFF", offload_json(off),
		  off ? text : "-");
}

/* Where the port is: a socket, an interface or a network card. */
static void put_place(struct out *o, const struct nlattr *const *tb)
{
	if (tb[VS_ATTR_UPLINK]) {
		out_str(o, OUT_EVERYWHERE, "uplink", "AT", cli_str(tb, VS_ATTR_UPLINK));
	} else if (tb[VS_ATTR_IFNAME]) {
		out_str(o, OUT_EVERYWHERE, "ifname", "AT", cli_str(tb, VS_ATTR_IFNAME));
	} else {
		out_str(o, OUT_EVERYWHERE, "socket", "AT", cli_str(tb, VS_ATTR_SOCKET));
		out_str(o, OUT_IN_BLOCKS, "mode", "MODE",
			cli_choice_word(cli_modes, (uint32_t)cli_num(tb, VS_ATTR_MODE)));
	}
}

static void put_device(struct out *o, const struct nlattr *const *tb)
{
	if (tb[VS_ATTR_ADDRS])
		out_str(o, OUT_IN_BLOCKS, "addr", "ADDRESSES-OF-HOST", cli_str(tb, VS_ATTR_ADDRS));
	if (!tb[VS_ATTR_DRIVER])
		return;
	out_str(o, OUT_IN_BLOCKS, "driver", "DRIVER", cli_str(tb, VS_ATTR_DRIVER));
	out_mac(o, OUT_IN_BLOCKS, "device_mac", "DEVICE-MAC", cli_mac(tb, VS_ATTR_DEVICE_MAC), "-");
	if (tb[VS_ATTR_SPEED])
		out_num(o, OUT_IN_BLOCKS, "speed", "MBIT/S", cli_num(tb, VS_ATTR_SPEED));
	if (tb[VS_ATTR_NODE])
		out_num(o, OUT_IN_BLOCKS, "node", "NUMA-NODE", cli_num(tb, VS_ATTR_NODE));
	out_str(o, OUT_IN_BLOCKS, "detail", "DETAIL", cli_str(tb, VS_ATTR_DETAIL));
}

static void put_config(struct out *o, const struct nlattr *const *tb)
{
	bool link = cli_num(tb, VS_ATTR_LINK) != 0;

	out_value(o, OUT_EVERYWHERE, "link", "LINK", json_string(link ? "up" : "down"),
		  link ? "up" : "down");
	out_str(o, OUT_EVERYWHERE, "vm", "VM", cli_str(tb, VS_ATTR_VM));
	out_mac(o, OUT_EVERYWHERE, "mac", "MAC", cli_mac(tb, VS_ATTR_MAC), "any");
	out_num(o, OUT_EVERYWHERE, "mtu", "MTU", cli_num(tb, VS_ATTR_MTU));
	put_net_mtu(o, tb);
	out_num(o, OUT_EVERYWHERE, "macs", "ADDRESSES", cli_num(tb, VS_ATTR_MACS));
	out_num(o, OUT_IN_BLOCKS, "max_macs", "MAX-MACS", cli_num(tb, VS_ATTR_MAX_MACS));
	put_limit(o, "storm", "STORM", cli_num(tb, VS_ATTR_STORM_PPS));
	put_vlans(o, tb);
	put_offload(o, tb);
	put_place(o, tb);
	out_num(o, OUT_IN_BLOCKS, "id", "ID", cli_num(tb, VS_ATTR_ID));
}

/* Number @i of an array of u64, which the message does not align; 0: there is none. */
static uint64_t element(const struct nlattr *attr, unsigned int i)
{
	uint64_t value = 0;

	if (attr && mnl_attr_get_payload_len(attr) >= (i + 1) * sizeof(value))
		memcpy(&value, (const uint8_t *)mnl_attr_get_payload(attr) + i * sizeof(value),
		       sizeof(value));
	return value;
}

/* What went through each queue pair of a guest, in text "PAIR: SENT/RECEIVED, ...". */
static void put_pairs(struct out *o, const struct nlattr *const *tb)
{
	const struct nlattr *sent = tb[VS_ATTR_PAIR_SENT];
	size_t known = sent ? mnl_attr_get_payload_len(sent) / sizeof(uint64_t) : 0;
	unsigned int n = known < PAIRS_SHOWN ? (unsigned int)known : PAIRS_SHOWN;
	uint64_t on = cli_num(tb, VS_ATTR_PAIRS_ON);
	json_t *all = json_array();
	char text[1024] = "-";
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint64_t out = element(sent, i);
		uint64_t in = element(tb[VS_ATTR_PAIR_RECEIVED], i);
		bool is_on = on >> i & 1;
		int len = 0;

		(void)json_array_append_new(all, json_pack("{sisbsIsI}", "pair", (int)i, "on",
							   is_on, "sent", (json_int_t)out,
							   "received", (json_int_t)in));
		if (used < sizeof(text))
			len = snprintf(text + used, sizeof(text) - used, "%s%u%s: %llu/%llu",
				       i ? ", " : "", i, is_on ? "" : " (off)",
				       (unsigned long long)out, (unsigned long long)in);
		used += len > 0 ? (size_t)len : 0;
	}
	out_value(o, OUT_IN_BLOCKS, "pair_frames", "SENT/RECEIVED-BY-PAIR", all, text);
}

static void put_guest(struct out *o, const struct nlattr *const *tb)
{
	uint64_t pid = cli_num(tb, VS_ATTR_PEER_PID);
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)pid);
	out_value(o, OUT_IN_BLOCKS, "peer_pid", "PEER-PID",
		  pid ? json_integer((json_int_t)pid) : NULL, pid ? text : "-");
	put_features(o, "features", "FEATURES", cli_num(tb, VS_ATTR_FEATURES));
	put_features(o, "offered", "OFFERED", cli_num(tb, VS_ATTR_OFFERED));
	out_num(o, OUT_IN_BLOCKS, "ring_size", "RING-SIZE", cli_num(tb, VS_ATTR_RING_SIZE));
	out_num(o, OUT_IN_BLOCKS, "regions", "MEMORY-REGIONS", cli_num(tb, VS_ATTR_REGIONS));
	out_num(o, OUT_IN_BLOCKS, "memory", "MEMORY-BYTES", cli_num(tb, VS_ATTR_MEMORY));
	out_num(o, OUT_IN_BLOCKS, "connects", "CONNECTS", cli_num(tb, VS_ATTR_CONNECTS));
	out_num(o, OUT_IN_BLOCKS, "refused", "REFUSED-MESSAGES", cli_num(tb, VS_ATTR_REFUSED));
	out_num(o, OUT_IN_BLOCKS, "faults", "RING-FAULTS", cli_num(tb, VS_ATTR_FAULTS));
	out_str(o, OUT_IN_BLOCKS, "last_fault", "LAST-FAULT", cli_str(tb, VS_ATTR_LAST_FAULT));
	out_num(o, OUT_IN_BLOCKS, "calls", "INTERRUPTS", cli_num(tb, VS_ATTR_CALLS));
	out_str(o, OUT_IN_BLOCKS, "moderation", "MODERATION",
		cli_choice_word(moderations, (uint32_t)cli_num(tb, VS_ATTR_MODERATION)));
	put_pairs(o, tb);
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	const char *problem = cli_str(tb, VS_ATTR_PROBLEM);
	struct cli *cli = ctx;
	struct out *o = &cli->out;
	bool up = cli_num(tb, VS_ATTR_UP) != 0;

	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "name", "PORT", cli_str(tb, VS_ATTR_NAME));
	out_str(o, OUT_EVERYWHERE, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_str(o, OUT_EVERYWHERE, "type", "TYPE",
		cli_choice_word(cli_port_kinds, (uint32_t)cli_num(tb, VS_ATTR_KIND)));
	out_value(o, OUT_EVERYWHERE, "up", "UP", json_boolean(up), up ? "yes" : "no");
	out_str(o, OUT_EVERYWHERE, "state", "STATE", cli_str(tb, VS_ATTR_STATE));
	out_str(o, OUT_IN_BLOCKS, "problem", "PROBLEM", problem);
	put_config(o, tb);
	out_num(o, OUT_IN_BLOCKS, "pairs", "QUEUE-PAIRS", cli_num(tb, VS_ATTR_PAIRS));
	if (tb[VS_ATTR_VMQ_WEIGHT])
		out_num(o, OUT_IN_BLOCKS, "vmq_weight", "VMQ-WEIGHT",
			cli_num(tb, VS_ATTR_VMQ_WEIGHT));
	out_num(o, OUT_IN_BLOCKS, "worker", "WORKER", cli_num(tb, VS_ATTR_WORKER));
	out_str(o, OUT_IN_BLOCKS, "placed", "PLACED", cli_str(tb, VS_ATTR_PLACE));
	if (tb[VS_ATTR_SOCKET])
		put_guest(o, tb);
	put_device(o, tb);
	if (problem && o->layout == OUT_TABLE)
		out_note(o, "%s", problem);
	out_row_end(o);
	return 0;
}

/* One port that was asked for by name must have a VMM: a script would start a guest without it. */
static int show_vmm(struct cli *cli, vs_client_record *print)
{
	int status = cli_show(cli, OUT_BLOCKS, print);

	if (status != CLI_OK || !(cli->given & 1) || !(cli->local & PORT_WITHOUT_VMM))
		return status;
	return cli_complain("that port has no VMM: only ports of guests have");
}

static int show(struct cli *cli)
{
	if (cli->local & LOCAL_QEMU)
		return show_vmm(cli, port_print_qemu);
	if (cli->local & LOCAL_LIBVIRT)
		return show_vmm(cli, port_print_libvirt);
	return cli_show(cli, cli->given ? OUT_BLOCKS : OUT_TABLE, show_record);
}

const struct cli_verb cli_port_verbs[] = {
	{"add", VS_CMD_PORT_NEW, add_args, cli_do, "make a port",
	 "port add web switch lan type guest socket /run/vmswitch/web.sock vlan access 10"},
	{"show", VS_CMD_PORT_GET, show_args, show, "list ports", "port show web --qemu"},
	{"set", VS_CMD_PORT_SET, set_args, cli_do, "change a port; only what is named changes",
	 "port set web mac 00:15:5d:01:32:11 link up"},
	{"del", VS_CMD_PORT_DEL, del_args, cli_do, "remove a port", "port del web"},
	{0},
};
