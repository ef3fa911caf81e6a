/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the eBPF programs of an xdp uplink and the daemon say to each other: plain types only, in
 * the machine's byte order but for addresses. Both sides include this header and nothing else of
 * each other.
 */
#ifndef VS_BPF_UPLINK_H
#define VS_BPF_UPLINK_H

#include <linux/types.h>

/*
 * Frames that one of the programs handed on, or copied. No wire can set a mark, and the programs
 * take it off again where the frame leaves for the host's stack.
 */
#define VS_BPF_MARK 0x76737570
/* The same, and the Ethernet header is in skb->cb and not in front. */
#define VS_BPF_MARK_BARE 0x76737571

enum {
	/* Addresses of machines behind the switch that the host can know of. */
	VS_BPF_BEHIND_MAX = 16384,
	/* hw queues of one interface. */
	VS_BPF_HW_QUEUES_MAX = 64,
	/* Queues of guests' ports, and the default one, 0: each has a socket on each hw queue. */
	VS_BPF_QUEUES_MAX = 1 + 16,
	/* Filters of all queues of one interface. */
	VS_BPF_FILTERS_MAX = 1024,
};

/** struct vs_bpf_config - what the programs must know; one element, index 0 */
struct vs_bpf_config {
	__u32 share; /* 1: the host shares the interface; 0: everything is the switch's */
	__u32 nic;   /* index of the interface */
	__u32 tap;   /* index of the helper TAP, or 0 */
	__u8 mac[6]; /* of the interface */
	__u16 vid;   /* VLAN of frames without a tag, as filters name it */
	__u32 sort;  /* 1: there are filters */
};

/** struct vs_bpf_station - an address on a VLAN; 0: frames without a tag */
struct vs_bpf_station {
	__u8 mac[6];
	__u16 vid;
};

/** vs_bpf_socket() - index of the socket of @queue on @hw_queue in the map of sockets */
#define vs_bpf_socket(queue, hw_queue) ((queue)*VS_BPF_HW_QUEUES_MAX + (hw_queue))

/* What the programs count, per CPU: a name for tables, and a sentence. */
/* clang-format off */
#define VS_BPF_COUNTERS(X) \
	X(TO_SWITCH,    "to_switch",    "frames from the wire given to the switch") \
	X(TO_QUEUE,     "to_queue",     "of these, frames given to it by a queue of a guest's port") \
	X(TO_HOST,      "to_host",      "frames from the wire to the interface's own address, passed to the host") \
	X(GROUP,        "group",        "broadcast and multicast from the wire, passed to the host and copied to the switch") \
	X(GROUP_LOST,   "group_lost",   "of these, copies that the switch did not take in time") \
	X(NO_SWITCH,    "no_switch",    "frames for a switch that was not there") \
	X(RUNT,         "runt",         "frames shorter than an Ethernet header") \
	X(HOST_TO_SWITCH, "host_to_switch", "frames of the host given to the switch") \
	X(HOST_GROUP,   "host_group",   "broadcast and multicast of the host, copied to the switch") \
	X(SWITCH_TO_HOST, "switch_to_host", "frames of the switch passed to the host") \
	X(STRAY,        "stray",        "frames that somebody else sent to the helper interface, dropped") \
	X(LEARNT,       "learnt",       "addresses found behind the switch") \
	X(FORGOTTEN,    "forgotten",    "addresses that moved from behind the switch to the wire")
/* clang-format on */

enum vs_bpf_counter {
#define X(id, name, text) VS_BPF_##id,
	VS_BPF_COUNTERS(X) VS_BPF_COUNTER_COUNT,
#undef X
};

#endif
