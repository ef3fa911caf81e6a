/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two tables of the protocol: what an attribute is, and what a command takes. A new
 * attribute is a number in control/proto.h and a row in each of them.
 */
#include "control/tlv.h"

/* clang-format off */
static const struct vs_attr_spec specs[VS_ATTR_COUNT_] = {
	[VS_ATTR_NAME]           = {.name = "name", .type = VS_TLV_NAME},
	[VS_ATTR_SWITCH]         = {.name = "switch", .type = VS_TLV_NAME},
	[VS_ATTR_KIND]           = {.name = "type", .type = VS_TLV_U32, .min = 1, .max = UINT32_MAX},
	[VS_ATTR_SOCKET]         = {.name = "socket", .type = VS_TLV_PATH},
	[VS_ATTR_MODE]           = {.name = "mode", .type = VS_TLV_U32, .min = 1, .max = 2},
	[VS_ATTR_MAC]            = {.name = "mac", .type = VS_TLV_MAC},
	[VS_ATTR_VM]             = {.name = "vm", .type = VS_TLV_NAME},
	[VS_ATTR_MTU]            = {.name = "mtu", .type = VS_TLV_U32, .min = 68, .max = 65535, .or_zero = true},
	[VS_ATTR_LINK]           = {.name = "link", .type = VS_TLV_U32, .max = 1},
	[VS_ATTR_STORM_PPS]      = {.name = "storm", .type = VS_TLV_U32, .max = UINT32_MAX},
	[VS_ATTR_MAX_MACS]       = {.name = "max-macs", .type = VS_TLV_U32, .max = UINT32_MAX},
	[VS_ATTR_FDB_SIZE]       = {.name = "fdb-size", .type = VS_TLV_U32, .min = 1, .max = 1048576},
	[VS_ATTR_FDB_AGEING]     = {.name = "fdb-ageing", .type = VS_TLV_U32, .min = 10, .max = 1000000, .or_zero = true},
	[VS_ATTR_FORCE]          = {.name = "force", .type = VS_TLV_FLAG},
	[VS_ATTR_PORT]           = {.name = "port", .type = VS_TLV_NAME},
	[VS_ATTR_VERSION_MIN]    = {.name = "version-min", .type = VS_TLV_U32},
	[VS_ATTR_VERSION_MAX]    = {.name = "version-max", .type = VS_TLV_U32},
	[VS_ATTR_DAEMON]         = {.name = "daemon", .type = VS_TLV_TEXT},
	[VS_ATTR_PID]            = {.name = "pid", .type = VS_TLV_U32},
	[VS_ATTR_PORTS]          = {.name = "ports", .type = VS_TLV_U32},
	[VS_ATTR_PORTS_UP]       = {.name = "ports-up", .type = VS_TLV_U32},
	[VS_ATTR_FDB_USED]       = {.name = "fdb-used", .type = VS_TLV_U32},
	[VS_ATTR_FDB_FULL]       = {.name = "fdb-full", .type = VS_TLV_U64},
	[VS_ATTR_ID]             = {.name = "id", .type = VS_TLV_U32},
	[VS_ATTR_UP]             = {.name = "up", .type = VS_TLV_U32},
	[VS_ATTR_STATE]          = {.name = "state", .type = VS_TLV_TEXT},
	[VS_ATTR_PROBLEM]        = {.name = "problem", .type = VS_TLV_TEXT},
	[VS_ATTR_MACS]           = {.name = "macs", .type = VS_TLV_U32},
	[VS_ATTR_PEER_PID]       = {.name = "peer-pid", .type = VS_TLV_U32},
	[VS_ATTR_FEATURES]       = {.name = "features", .type = VS_TLV_U64},
	[VS_ATTR_OFFERED]        = {.name = "offered", .type = VS_TLV_U64},
	[VS_ATTR_PAIRS]          = {.name = "pairs", .type = VS_TLV_U32},
	[VS_ATTR_RING_SIZE]      = {.name = "ring-size", .type = VS_TLV_U32},
	[VS_ATTR_REGIONS]        = {.name = "regions", .type = VS_TLV_U32},
	[VS_ATTR_MEMORY]         = {.name = "memory", .type = VS_TLV_U64},
	[VS_ATTR_CONNECTS]       = {.name = "connects", .type = VS_TLV_U64},
	[VS_ATTR_REFUSED]        = {.name = "refused", .type = VS_TLV_U64},
	[VS_ATTR_FAULTS]         = {.name = "faults", .type = VS_TLV_U64},
	[VS_ATTR_LAST_FAULT]     = {.name = "last-fault", .type = VS_TLV_TEXT},
	[VS_ATTR_CALLS]          = {.name = "calls", .type = VS_TLV_U64},
	[VS_ATTR_VLAN]           = {.name = "vlan", .type = VS_TLV_U32, .max = 4094},
	[VS_ATTR_AGE]            = {.name = "age", .type = VS_TLV_U32},
	[VS_ATTR_RECEIVED]       = {.name = "received", .type = VS_TLV_U64},
	[VS_ATTR_RECEIVED_BYTES] = {.name = "received-bytes", .type = VS_TLV_U64},
	[VS_ATTR_FORWARDED]      = {.name = "forwarded", .type = VS_TLV_U64},
	[VS_ATTR_FLOODED]        = {.name = "flooded", .type = VS_TLV_U64},
	[VS_ATTR_CONSUMED]       = {.name = "consumed", .type = VS_TLV_U64},
	[VS_ATTR_ATTEMPTS]       = {.name = "attempts", .type = VS_TLV_U64},
	[VS_ATTR_SENT]           = {.name = "sent", .type = VS_TLV_U64},
	[VS_ATTR_SENT_BYTES]     = {.name = "sent-bytes", .type = VS_TLV_U64},
	[VS_ATTR_DROPPED_IN]     = {.name = "dropped-in", .type = VS_TLV_U64},
	[VS_ATTR_DROPPED_OUT]    = {.name = "dropped-out", .type = VS_TLV_U64},
	[VS_ATTR_SUM]            = {.name = "sum", .type = VS_TLV_TEXT},
	[VS_ATTR_LEFT]           = {.name = "left", .type = VS_TLV_U64},
	[VS_ATTR_RIGHT]          = {.name = "right", .type = VS_TLV_U64},
	[VS_ATTR_TERMS]          = {.name = "terms", .type = VS_TLV_TEXT},
	[VS_ATTR_REASON]         = {.name = "reason", .type = VS_TLV_TEXT},
	[VS_ATTR_SIDE]           = {.name = "side", .type = VS_TLV_TEXT},
	[VS_ATTR_COUNT]          = {.name = "count", .type = VS_TLV_U64},
	[VS_ATTR_TEXT]           = {.name = "text", .type = VS_TLV_TEXT},
	[VS_ATTR_SAMPLE]         = {.name = "sample", .type = VS_TLV_NEST},
	[VS_ATTR_AGE_MS]         = {.name = "age-ms", .type = VS_TLV_U64},
	[VS_ATTR_LENGTH]         = {.name = "length", .type = VS_TLV_U32},
	[VS_ATTR_BYTES]          = {.name = "bytes", .type = VS_TLV_BYTES},
	[VS_ATTR_TIME]           = {.name = "time", .type = VS_TLV_U64},
	[VS_ATTR_EVENT]          = {.name = "event", .type = VS_TLV_TEXT},
	[VS_ATTR_LOST]           = {.name = "lost", .type = VS_TLV_U64},
	[VS_ATTR_ORIGIN]         = {.name = "origin", .type = VS_TLV_TEXT},
	[VS_ATTR_CPU]            = {.name = "cpu", .type = VS_TLV_U32},
	[VS_ATTR_TOTAL_CYCLES]   = {.name = "total-cycles", .type = VS_TLV_U64},
	[VS_ATTR_BUSY_CYCLES]    = {.name = "busy-cycles", .type = VS_TLV_U64},
	[VS_ATTR_FRAMES]         = {.name = "frames", .type = VS_TLV_U64},
	[VS_ATTR_ROUNDS]         = {.name = "rounds", .type = VS_TLV_U64},
	[VS_ATTR_NAPS]           = {.name = "naps", .type = VS_TLV_U64},
	[VS_ATTR_TSC_HZ]         = {.name = "tsc-hz", .type = VS_TLV_U64},
	[VS_ATTR_UPLINK]         = {.name = "uplink", .type = VS_TLV_LINE},
	[VS_ATTR_SHARE]          = {.name = "share-host", .type = VS_TLV_U32, .max = 1},
	[VS_ATTR_UNKNOWN]        = {.name = "unknown", .type = VS_TLV_U32, .max = 3},
	[VS_ATTR_NEW_NAME]       = {.name = "name", .type = VS_TLV_NAME},
	[VS_ATTR_IFNAME]         = {.name = "interface", .type = VS_TLV_IFNAME},
	[VS_ATTR_ADDRS]          = {.name = "addr", .type = VS_TLV_LINE},
	[VS_ATTR_QUEUES]         = {.name = "queues", .type = VS_TLV_U32, .min = 1, .max = 8},
	[VS_ATTR_MAC_AUTO]       = {.name = "mac", .type = VS_TLV_FLAG},
	[VS_ATTR_VLAN_MODE]      = {.name = "vlan", .type = VS_TLV_U32, .min = 1, .max = 3},
	[VS_ATTR_VLANS]          = {.name = "vlan", .type = VS_TLV_RANGES, .min = 1, .max = 4094},
	[VS_ATTR_PRIORITY]       = {.name = "priority", .type = VS_TLV_U32, .max = 1},
	[VS_ATTR_CLUSTER]        = {.name = "cluster", .type = VS_TLV_GMAC},
	[VS_ATTR_DRIVER]         = {.name = "driver", .type = VS_TLV_TEXT},
	[VS_ATTR_DEVICE_MAC]     = {.name = "device-mac", .type = VS_TLV_GMAC},
	[VS_ATTR_SPEED]          = {.name = "speed", .type = VS_TLV_U32},
	[VS_ATTR_DETAIL]         = {.name = "detail", .type = VS_TLV_TEXT},
	[VS_ATTR_DRY_RUN]        = {.name = "dry-run", .type = VS_TLV_FLAG},
	[VS_ATTR_CONFIRM]        = {.name = "confirm", .type = VS_TLV_U32, .min = 1, .max = 86400},
	[VS_ATTR_CHANGE]         = {.name = "change", .type = VS_TLV_U32},
	[VS_ATTR_RECORD]         = {.name = "record", .type = VS_TLV_NEST},
	[VS_ATTR_COMMAND]        = {.name = "command", .type = VS_TLV_U32},
	[VS_ATTR_STATE_FILE]     = {.name = "file", .type = VS_TLV_TEXT},
	[VS_ATTR_STATE_BYTES]    = {.name = "bytes", .type = VS_TLV_U64},
	[VS_ATTR_STATE_BASE]     = {.name = "base", .type = VS_TLV_U64},
	[VS_ATTR_TRANSACTIONS]   = {.name = "transactions", .type = VS_TLV_U64},
	[VS_ATTR_REWRITES]       = {.name = "rewrites", .type = VS_TLV_U64},
	[VS_ATTR_SYNC_US]        = {.name = "sync-us", .type = VS_TLV_U64},
	[VS_ATTR_WAITING]        = {.name = "waiting", .type = VS_TLV_U32},
	[VS_ATTR_MTU_NET]        = {.name = "mtu-net", .type = VS_TLV_U32},
	[VS_ATTR_MTU_FROM]       = {.name = "mtu-from", .type = VS_TLV_U32},
	[VS_ATTR_MTU_VMM]        = {.name = "mtu-vmm", .type = VS_TLV_U32},
	[VS_ATTR_LIMITS]         = {.name = "limits", .type = VS_TLV_U32},
	[VS_ATTR_OFFLOAD_FROM]   = {.name = "offload-from", .type = VS_TLV_U32},
	[VS_ATTR_OFFLOAD_TO]     = {.name = "offload-to", .type = VS_TLV_U32},
	[VS_ATTR_OFFLOAD_USED]   = {.name = "offload-used", .type = VS_TLV_U32},
	[VS_ATTR_CHIMNEY]        = {.name = "chimney", .type = VS_TLV_TEXT},
	[VS_ATTR_OWED_NOTHING]   = {.name = "owed-nothing", .type = VS_TLV_U64},
	[VS_ATTR_OWED_CSUM]      = {.name = "owed-csum", .type = VS_TLV_NEST},
	[VS_ATTR_OWED_TSO4]      = {.name = "owed-tso4", .type = VS_TLV_NEST},
	[VS_ATTR_OWED_TSO6]      = {.name = "owed-tso6", .type = VS_TLV_NEST},
	[VS_ATTR_OWED_USO4]      = {.name = "owed-uso4", .type = VS_TLV_NEST},
	[VS_ATTR_OWED_USO6]      = {.name = "owed-uso6", .type = VS_TLV_NEST},
	[VS_ATTR_OWED_ECN]       = {.name = "owed-ecn", .type = VS_TLV_NEST},
	[VS_ATTR_OWED_REFUSED]   = {.name = "owed-refused", .type = VS_TLV_U64},
	[VS_ATTR_PASSED]         = {.name = "passed", .type = VS_TLV_U64},
	[VS_ATTR_HARDWARE]       = {.name = "hardware", .type = VS_TLV_U64},
	[VS_ATTR_CUT]            = {.name = "cut", .type = VS_TLV_U64},
	[VS_ATTR_SOFTWARE]       = {.name = "software", .type = VS_TLV_U64},
	[VS_ATTR_SEGMENTS]       = {.name = "segments", .type = VS_TLV_U64},
	[VS_ATTR_CHECKSUMS]      = {.name = "checksums", .type = VS_TLV_U64},
	[VS_ATTR_MERGED]         = {.name = "merged", .type = VS_TLV_U64},
	[VS_ATTR_OFFLOAD_ON]     = {.name = "offload", .type = VS_TLV_U32, .min = 1, .max = VS_PART_ALL},
	[VS_ATTR_OFFLOAD_OFF]    = {.name = "offload", .type = VS_TLV_U32, .max = VS_PART_ALL},
	[VS_ATTR_RIGHTS]         = {.name = "rights", .type = VS_TLV_U32},
	[VS_ATTR_FILTER]         = {.name = "filter", .type = VS_TLV_FILTER, .min = 1, .max = VS_PROTO_FILTER_MAX},
	[VS_ATTR_SNAPLEN]        = {.name = "snaplen", .type = VS_TLV_U32, .min = 1, .max = VS_PROTO_SNAPLEN_MAX},
	[VS_ATTR_DROPS]          = {.name = "drops", .type = VS_TLV_FLAG},
	[VS_ATTR_DIRECTION]      = {.name = "direction", .type = VS_TLV_U32, .min = 1, .max = 3},
	[VS_ATTR_VERDICT]        = {.name = "verdict", .type = VS_TLV_U32},
	[VS_ATTR_COPIES]         = {.name = "copies", .type = VS_TLV_U32},
	[VS_ATTR_COPIES_DROPPED] = {.name = "copies-dropped", .type = VS_TLV_U32},
	[VS_ATTR_CYCLES]         = {.name = "cycles", .type = VS_TLV_U64},
	[VS_ATTR_EVENTS_LOST]    = {.name = "events-lost", .type = VS_TLV_U64},
	[VS_ATTR_WORKER]         = {.name = "worker", .type = VS_TLV_U32},
	[VS_ATTR_PARKS]          = {.name = "parks", .type = VS_TLV_U64},
	[VS_ATTR_WAKES]          = {.name = "wakes", .type = VS_TLV_U64},
	[VS_ATTR_IDLE_WAKES]     = {.name = "idle-wakes", .type = VS_TLV_U64},
	[VS_ATTR_ASLEEP_CYCLES]  = {.name = "asleep-cycles", .type = VS_TLV_U64},
	[VS_ATTR_AWAKE_FOR]      = {.name = "awake-for", .type = VS_TLV_TEXT},
	[VS_ATTR_MODERATION]     = {.name = "moderation", .type = VS_TLV_U32, .min = 1, .max = 5},
	[VS_ATTR_VMQ]            = {.name = "vmq", .type = VS_TLV_U32, .max = 2},
	[VS_ATTR_VMQ_QUEUES]     = {.name = "vmq-queues", .type = VS_TLV_U32, .max = 1023},
	[VS_ATTR_VMQ_WEIGHT]     = {.name = "vmq-weight", .type = VS_TLV_U32, .max = 100},
	[VS_ATTR_QUEUE]          = {.name = "queue", .type = VS_TLV_U32},
	[VS_ATTR_ENGINE]         = {.name = "engine", .type = VS_TLV_TEXT},
	[VS_ATTR_VMQ_FILTERS]    = {.name = "vmq-filters", .type = VS_TLV_TEXT},
	[VS_ATTR_VMQ_WANTED]     = {.name = "vmq-wanted", .type = VS_TLV_U32},
	[VS_ATTR_VMQ_ASTRAY]     = {.name = "vmq-astray", .type = VS_TLV_U64},
	[VS_ATTR_VMQ_STATE]      = {.name = "vmq-state", .type = VS_TLV_TEXT},
	[VS_ATTR_PAIR_SENT]      = {.name = "pair-sent", .type = VS_TLV_BYTES},
	[VS_ATTR_PAIR_RECEIVED]  = {.name = "pair-received", .type = VS_TLV_BYTES},
	[VS_ATTR_PAIRS_ON]       = {.name = "pairs-on", .type = VS_TLV_U32},
	[VS_ATTR_PLACE]          = {.name = "worker", .type = VS_TLV_LINE},
	[VS_ATTR_PAIR]           = {.name = "pair", .type = VS_TLV_U32},
	[VS_ATTR_LOAD]           = {.name = "load", .type = VS_TLV_U32},
	[VS_ATTR_MOVES]          = {.name = "moves", .type = VS_TLV_U64},
	[VS_ATTR_MOVE_WHY]       = {.name = "move-why", .type = VS_TLV_U32},
	[VS_ATTR_MOVED_FROM]     = {.name = "moved-from", .type = VS_TLV_U32},
	[VS_ATTR_MOVED_MS]       = {.name = "moved-ms", .type = VS_TLV_U64},
	[VS_ATTR_PLACED_BY]      = {.name = "placed-by", .type = VS_TLV_U32},
	[VS_ATTR_STAYS]          = {.name = "stays", .type = VS_TLV_TEXT},
};
/* clang-format on */

static const struct vs_policy policies[] = {
	{VS_CMD_HELLO, "HELLO", VS_ANSWER_ACK, {{0}}},

	{VS_CMD_BATCH_BEGIN,
	 "BATCH_BEGIN",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_DRY_RUN, VS_MAY}, {VS_ATTR_CONFIRM, VS_MAY}}},
	{VS_CMD_BATCH_END, "BATCH_END", VS_ANSWER_ACK, {{0}}},
	{VS_CMD_BATCH_ABORT, "BATCH_ABORT", VS_ANSWER_ACK, {{0}}},
	{VS_CMD_CONFIRM, "CONFIRM", VS_ANSWER_ACK, {{0}}},
	{VS_CMD_ROLLBACK, "ROLLBACK", VS_ANSWER_ACK, {{0}}},

	{VS_CMD_SWITCH_NEW,
	 "SWITCH_NEW",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_NAME, VS_MUST},
	  {VS_ATTR_KIND, VS_MUST},
	  {VS_ATTR_UPLINK, VS_MAY},
	  {VS_ATTR_SHARE, VS_MAY},
	  {VS_ATTR_UNKNOWN, VS_MAY},
	  {VS_ATTR_FDB_SIZE, VS_MAY},
	  {VS_ATTR_FDB_AGEING, VS_MAY},
	  {VS_ATTR_MTU, VS_MAY},
	  {VS_ATTR_VMQ, VS_MAY},
	  {VS_ATTR_VMQ_QUEUES, VS_MAY},
	  {VS_ATTR_FORCE, VS_MAY}}},
	{VS_CMD_SWITCH_DEL,
	 "SWITCH_DEL",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_NAME, VS_MUST}, {VS_ATTR_FORCE, VS_MAY}}},
	{VS_CMD_SWITCH_SET,
	 "SWITCH_SET",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_NAME, VS_MUST},
	  {VS_ATTR_KIND, VS_CHANGE},
	  {VS_ATTR_UPLINK, VS_CHANGE},
	  {VS_ATTR_SHARE, VS_CHANGE},
	  {VS_ATTR_UNKNOWN, VS_CHANGE},
	  {VS_ATTR_NEW_NAME, VS_CHANGE},
	  {VS_ATTR_FDB_SIZE, VS_CHANGE},
	  {VS_ATTR_FDB_AGEING, VS_CHANGE},
	  {VS_ATTR_MTU, VS_CHANGE},
	  {VS_ATTR_VMQ, VS_CHANGE},
	  {VS_ATTR_VMQ_QUEUES, VS_CHANGE},
	  {VS_ATTR_FORCE, VS_MAY}}},
	{VS_CMD_SWITCH_GET, "SWITCH_GET", VS_ANSWER_DUMP, {{VS_ATTR_NAME, VS_MAY}}},

	{VS_CMD_PORT_NEW,
	 "PORT_NEW",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_NAME, VS_MUST},      {VS_ATTR_SWITCH, VS_MUST},
	  {VS_ATTR_KIND, VS_MUST},      {VS_ATTR_SOCKET, VS_MAY},
	  {VS_ATTR_MODE, VS_MAY},       {VS_ATTR_IFNAME, VS_MAY},
	  {VS_ATTR_ADDRS, VS_MAY},      {VS_ATTR_QUEUES, VS_MAY},
	  {VS_ATTR_MAC, VS_MAY},        {VS_ATTR_MAC_AUTO, VS_MAY},
	  {VS_ATTR_MTU, VS_MAY},        {VS_ATTR_VM, VS_MAY},
	  {VS_ATTR_LINK, VS_MAY},       {VS_ATTR_STORM_PPS, VS_MAY},
	  {VS_ATTR_MAX_MACS, VS_MAY},   {VS_ATTR_VLAN_MODE, VS_MAY},
	  {VS_ATTR_VLAN, VS_MAY},       {VS_ATTR_VLANS, VS_MAY},
	  {VS_ATTR_PRIORITY, VS_MAY},   {VS_ATTR_CLUSTER, VS_MAY},
	  {VS_ATTR_OFFLOAD_ON, VS_MAY}, {VS_ATTR_OFFLOAD_OFF, VS_MAY},
	  {VS_ATTR_MODERATION, VS_MAY}, {VS_ATTR_VMQ_WEIGHT, VS_MAY},
	  {VS_ATTR_PLACE, VS_MAY}}},
	{VS_CMD_PORT_DEL, "PORT_DEL", VS_ANSWER_ACK, {{VS_ATTR_NAME, VS_MUST}}},
	{VS_CMD_PORT_SET,
	 "PORT_SET",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_NAME, VS_MUST},         {VS_ATTR_MAC, VS_CHANGE},
	  {VS_ATTR_MAC_AUTO, VS_CHANGE},   {VS_ATTR_VM, VS_CHANGE},
	  {VS_ATTR_MTU, VS_CHANGE},        {VS_ATTR_LINK, VS_CHANGE},
	  {VS_ATTR_STORM_PPS, VS_CHANGE},  {VS_ATTR_MAX_MACS, VS_CHANGE},
	  {VS_ATTR_NEW_NAME, VS_CHANGE},   {VS_ATTR_SWITCH, VS_CHANGE},
	  {VS_ATTR_ADDRS, VS_CHANGE},      {VS_ATTR_VLAN_MODE, VS_CHANGE},
	  {VS_ATTR_VLAN, VS_MAY},          {VS_ATTR_VLANS, VS_MAY},
	  {VS_ATTR_PRIORITY, VS_CHANGE},   {VS_ATTR_CLUSTER, VS_CHANGE},
	  {VS_ATTR_OFFLOAD_ON, VS_CHANGE}, {VS_ATTR_OFFLOAD_OFF, VS_CHANGE},
	  {VS_ATTR_MODERATION, VS_CHANGE}, {VS_ATTR_VMQ_WEIGHT, VS_CHANGE},
	  {VS_ATTR_PLACE, VS_CHANGE}}},
	{VS_CMD_PORT_GET, "PORT_GET", VS_ANSWER_DUMP, {{VS_ATTR_NAME, VS_MAY}}},

	{VS_CMD_FDB_GET, "FDB_GET", VS_ANSWER_DUMP, {{VS_ATTR_SWITCH, VS_MAY}}},
	{VS_CMD_FDB_NEW,
	 "FDB_NEW",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_SWITCH, VS_MUST},
	  {VS_ATTR_PORT, VS_MUST},
	  {VS_ATTR_MAC, VS_MUST},
	  {VS_ATTR_VLAN, VS_MAY}}},
	{VS_CMD_FDB_DEL,
	 "FDB_DEL",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_SWITCH, VS_MUST}, {VS_ATTR_MAC, VS_MUST}, {VS_ATTR_VLAN, VS_MAY}}},
	{VS_CMD_FDB_FLUSH, "FDB_FLUSH", VS_ANSWER_ACK, {{VS_ATTR_SWITCH, VS_MUST}}},

	{VS_CMD_STATS_GET, "STATS_GET", VS_ANSWER_DUMP, {{VS_ATTR_PORT, VS_MAY}}},
	{VS_CMD_AUDIT_GET, "AUDIT_GET", VS_ANSWER_DUMP, {{0}}},
	{VS_CMD_DROP_GET, "DROP_GET", VS_ANSWER_DUMP, {{VS_ATTR_PORT, VS_MAY}}},

	{VS_CMD_WORKER_GET, "WORKER_GET", VS_ANSWER_DUMP, {{0}}},
	{VS_CMD_VMQ_GET, "VMQ_GET", VS_ANSWER_DUMP, {{VS_ATTR_SWITCH, VS_MAY}}},
	{VS_CMD_MTU_GET, "MTU_GET", VS_ANSWER_DUMP, {{VS_ATTR_SWITCH, VS_MAY}}},
	{VS_CMD_OFFLOAD_GET, "OFFLOAD_GET", VS_ANSWER_DUMP, {{VS_ATTR_PORT, VS_MAY}}},
	{VS_CMD_QUEUE_GET, "QUEUE_GET", VS_ANSWER_DUMP, {{VS_ATTR_PORT, VS_MAY}}},

	{VS_CMD_CONFIG_GET, "CONFIG_GET", VS_ANSWER_DUMP, {{0}}},
	{VS_CMD_STATE_GET, "STATE_GET", VS_ANSWER_DUMP, {{0}}},
	{VS_CMD_CAPTURE_START,
	 "CAPTURE_START",
	 VS_ANSWER_ACK,
	 {{VS_ATTR_PORT, VS_MUST},
	  {VS_ATTR_FILTER, VS_MAY},
	  {VS_ATTR_SNAPLEN, VS_MAY},
	  {VS_ATTR_DROPS, VS_MAY},
	  {VS_ATTR_DIRECTION, VS_MAY}}},
	{VS_CMD_CAPTURE_STOP, "CAPTURE_STOP", VS_ANSWER_ACK, {{0}}},

	{VS_CMD_SUBSCRIBE, "SUBSCRIBE", VS_ANSWER_ACK, {{0}}},
};

enum {
	N_POLICIES = sizeof(policies) / sizeof(policies[0]),
};

const struct vs_attr_spec *vs_attr_spec(unsigned int attr)
{
	if (attr >= VS_ATTR_COUNT_ || specs[attr].type == VS_TLV_NONE)
		return NULL;
	return &specs[attr];
}

const char *vs_attr_name(unsigned int attr)
{
	const struct vs_attr_spec *spec = vs_attr_spec(attr);

	return spec ? spec->name : "unknown";
}

const struct vs_policy *vs_policy_find(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < N_POLICIES; i++) {
		if (policies[i].cmd == cmd)
			return &policies[i];
	}
	return NULL;
}

bool vs_policy_changes(const struct vs_policy *policy)
{
	switch (policy->cmd) {
	case VS_CMD_SWITCH_NEW:
	case VS_CMD_SWITCH_DEL:
	case VS_CMD_SWITCH_SET:
	case VS_CMD_PORT_NEW:
	case VS_CMD_PORT_DEL:
	case VS_CMD_PORT_SET:
	case VS_CMD_FDB_NEW:
	case VS_CMD_FDB_DEL:
	case VS_CMD_FDB_FLUSH:
		return true;
	default:
		return false;
	}
}
