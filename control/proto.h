/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control protocol of vmswitchd, version 1.
 *
 * Transport
 * ---------
 * A Unix socket of type SOCK_SEQPACKET (default VS_SOCKET_DEFAULT, mode 0660). The daemon serves
 * root, its own user and members of the socket file's group; others are answered with one EPERM
 * error and the connection is closed, unless the daemon was told to let them read (--others read,
 * mode 0666). Errors of that kind carry sequence number 0, and so do those of the next paragraph.
 *
 * VS_CLIENTS_MAX clients are served at a time. When one more comes, another gives its place: it is
 * answered with one EUSERS error and closed. It is one of lower rank (others, the group, root) than
 * the newcomer, or one that is idle: that waits for no answer and has not subscribed. The lowest
 * rank goes first, idle ones before busy ones, and of these the one that has asked for nothing the
 * longest. An idle client of root or the group never gives its place to one of the others. If there
 * is none to give its place, the newcomer is answered with one EUSERS error and closed.
 *
 * A request is one datagram of at most VS_REQUEST_MAX bytes that holds exactly one message. An
 * answer is one or more datagrams of at most VS_ANSWER_MAX bytes, each holding one or more whole
 * messages. All numbers are in host byte order, as in netlink.
 *
 * Message
 * -------
 *	struct nlmsghdr		nlmsg_len, nlmsg_type, nlmsg_flags, nlmsg_seq, nlmsg_pid
 *	struct vs_msghdr	command and version
 *	struct nlattr ...	attributes, each padded to 4 bytes
 *
 * nlmsg_type is VS_MSG_TYPE. nlmsg_seq is the client's choice and comes back in every message of
 * the answer; 0 is best left alone, as notices use it. nlmsg_pid is ignored and answered with 0.
 * nlmsg_flags of a request: NLM_F_REQUEST is required, NLM_F_ACK and NLM_F_DUMP are allowed, any
 * other bit is refused.
 *
 * A command either does something or is a dump (column "answer" of the table below).
 * - Doing: answered with an ACK (NLMSG_ERROR with error 0) if NLM_F_ACK was set, otherwise with
 *   nothing; HELLO is answered with one message first.
 * - Dump: answered with any number of messages of the same command, flag NLM_F_MULTI, then
 *   NLMSG_DONE (payload: an int, 0). NLM_F_DUMP may be set and changes nothing. An answer of up
 *   to VS_SLICE_BYTES shows one instant. A longer one is made of several slices, each of which
 *   shows one instant: an object that was made or removed in between may be there or not. If a
 *   switch or a port changed between two slices, NLM_F_DUMP_INTR is set from there on.
 * - Either fails with NLMSG_ERROR: struct nlmsgerr with the negative errno and the header of the
 *   request (flag NLM_F_CAPPED), then, flag NLM_F_ACK_TLVS, NLMSGERR_ATTR_MSG (text: one
 *   sentence, always there), NLMSGERR_ATTR_OFFS (u32, offset of the offending attribute from the
 *   start of the request, if one offends), NLMSGERR_ATTR_MISS_TYPE (u32, number of a missing
 *   attribute). Errors are sent whether or not NLM_F_ACK was set. A failed request changed
 *   nothing. A dump that fails half way ends with NLMSG_ERROR instead of NLMSG_DONE.
 *
 * A datagram that is no message at all (shorter than its headers, nlmsg_len not its length,
 * longer than VS_REQUEST_MAX) is answered with an error of sequence number 0 and the connection
 * is closed. A client that lets an answer lie for VS_STALL_SECONDS is disconnected. The next
 * request of a client is read when the answers to the last one have been taken.
 *
 * Rights
 * ------
 * A client may do everything, or read (RIGHTS in the answer to HELLO). Who may read can send HELLO,
 * SWITCH_GET, PORT_GET, FDB_GET, STATS_GET, DROP_GET, WORKER_GET, QUEUE_GET, MTU_GET, OFFLOAD_GET,
 * VMQ_GET, CONFIG_GET, STATE_GET and SUBSCRIBE; any other command is answered with EPERM. Bytes of
 * frames (SAMPLE) are left out of what readers get.
 *
 * Descriptors (SCM_RIGHTS) have no place in this protocol. Kernels from 6.16 on refuse to send them
 * (EPERM); otherwise the daemon closes them, and disconnects a client whose descriptors take long
 * to close.
 *
 * Attributes
 * ----------
 * There is one numbering for all commands (enum vs_attr); an attribute means the same and has
 * the same type wherever it stands:
 *
 *	name	NUL-terminated, 1..31 of [A-Za-z0-9_.-], the first one no '-'
 *	path	NUL-terminated, 1..107 bytes, none of them a control character
 *	text	NUL-terminated, in answers only
 *	line	NUL-terminated, 0..255 bytes, none of them a control character
 *	ifname	NUL-terminated, name of a network interface: 1..15 bytes, none of them '/', ':',
 *		blank or a control character; not "." or ".."
 *	u32	4 bytes; in requests with the range given below
 *	u64	8 bytes, in answers only
 *	mac	6 bytes; in requests a unicast address or all zero
 *	gmac	6 bytes; any address
 *	ranges	pairs of u16, first and last of each range, 1..512 of them
 *	filter	instructions of classic BPF (struct sock_filter of linux/filter.h, 8 bytes each),
 *		1..512 of them
 *	flag	no payload; there or not
 *	bytes	any bytes, in answers only
 *	nest	attributes (NLA_F_NESTED set), in answers only
 *
 * A request must not hold an attribute that its command does not take, nor one twice, nor one of
 * another length or outside of its range. Clients skip attributes that they do not know: later
 * daemons send more.
 *
 *	attribute	type	range in requests
 *	NAME		name
 *	SWITCH		name
 *	KIND		u32	enum vs_kind
 *	SOCKET		path
 *	MODE		u32	enum vs_mode
 *	MAC		mac	a unicast address, or all zero: any
 *	VM		name
 *	MTU		u32	68..65535; of a guest 0: 9216; of a switch 0: no
 *				limit
 *	LINK		u32	0 down, 1 up
 *	STORM_PPS	u32	0: no limit
 *	MAX_MACS	u32	0: learn nothing
 *	FDB_SIZE	u32	1..1048576
 *	FDB_AGEING	u32	seconds; 0: never, or 10..1000000
 *	FORCE		flag
 *	PORT		name
 *	VLAN		u32	0..4094
 *	UPLINK		line	"xdp:IFNAME" or "dpdk:DEVARGS"
 *	SHARE		u32	0 off, 1 on
 *	UNKNOWN		u32	enum vs_unknown_policy
 *	NEW_NAME	name
 *	IFNAME		ifname
 *	ADDRS		line	"192.0.2.1/24,2001:db8::1/64"; empty: none
 *	QUEUES		u32	1..8
 *	MAC_AUTO	flag	instead of MAC: an address of the pool
 *	VLAN_MODE	u32	enum vs_vlan
 *	VLANS		ranges	each VLAN 1..4094
 *	PRIORITY	u32	0 off, 1 on
 *	OFFLOAD_ON	u32	bits of enum vs_offload_part
 *	OFFLOAD_OFF	u32	the same
 *	CLUSTER		gmac	all zero: none
 *	MODERATION	u32	enum vs_moderation
 *	VMQ		u32	0 off, 1 on, 2 by the switch alone
 *	VMQ_QUEUES	u32	0..1023; 0: any number
 *	VMQ_WEIGHT	u32	0..100
 *	PLACE		line	"auto", or workers for the queue pairs: "1", "0,1"
 *	DRY_RUN		flag
 *	CONFIRM		u32	seconds, 1..86400
 *	PARTNER		mac	all zero: none
 *	FILTER		filter	jumps forward only, ends with a return
 *	SNAPLEN		u32	1..32000
 *	DROPS		flag
 *	DIRECTION	u32	enum vs_direction
 *
 * Commands
 * --------
 * "!" means required; all others may be left out.
 *
 *	command		takes				answer
 *	HELLO		-				VERSION_MIN VERSION_MAX DAEMON PID
 *							RIGHTS
 *	BATCH_BEGIN	DRY_RUN CONFIRM			-
 *	BATCH_END	-				a dry run: messages CHANGE COMMAND RECORD
 *	BATCH_ABORT	-				-
 *	CONFIRM		-				-
 *	ROLLBACK	-				-
 *	SWITCH_NEW	NAME! KIND! UPLINK SHARE	-
 *			UNKNOWN FDB_SIZE FDB_AGEING
 *			MTU FORCE VMQ
 *			VMQ_QUEUES
 *	SWITCH_DEL	NAME! FORCE			-
 *	SWITCH_SET	NAME! KIND UPLINK SHARE		-
 *			UNKNOWN NEW_NAME FDB_SIZE
 *			FDB_AGEING MTU FORCE VMQ
 *			VMQ_QUEUES
 *	SWITCH_GET	NAME				dump: NAME KIND UPLINK? SHARE? UNKNOWN PORTS
 *							PORTS_UP FDB_USED FDB_SIZE FDB_AGEING
 *							MTU FDB_FULL VMQ? VMQ_QUEUES?
 *	PORT_NEW	NAME! SWITCH! KIND! SOCKET MODE	-
 *			IFNAME ADDRS QUEUES MAC
 *			MAC_AUTO MTU VM LINK STORM_PPS
 *			MAX_MACS VLAN_MODE VLAN VLANS
 *			PRIORITY CLUSTER OFFLOAD_ON
 *			OFFLOAD_OFF MODERATION
 *			VMQ_WEIGHT PLACE
 *	PORT_DEL	NAME!				-
 *	PORT_SET	NAME! MAC MAC_AUTO VM MTU LINK	-
 *			STORM_PPS MAX_MACS NEW_NAME
 *			SWITCH ADDRS VLAN_MODE VLAN
 *			VLANS PRIORITY CLUSTER
 *			OFFLOAD_ON OFFLOAD_OFF
 *			MODERATION VMQ_WEIGHT PLACE
 *	PORT_GET	NAME				dump: NAME SWITCH KIND VM ID LINK UP STATE
 *							PROBLEM? MAC? MTU MTU_NET? STORM_PPS
 *							MAX_MACS MACS VLAN_MODE VLAN? VLANS?
 *							PRIORITY CLUSTER? OFFLOAD_OFF
 *							VMQ_WEIGHT? PAIRS WORKER PLACE, and
 *							- of a guest: SOCKET MODE PEER_PID? FEATURES
 *							  OFFERED RING_SIZE REGIONS MEMORY CONNECTS
 *							  REFUSED FAULTS LAST_FAULT? CALLS
 *							  MODERATION PAIRS_ON PAIR_SENT
 *							  PAIR_RECEIVED
 *							- of a guest on a TAP: IFNAME
 *							- of a host port: IFNAME ADDRS
 *							- of an uplink: UPLINK DRIVER DEVICE_MAC?
 *							  SPEED? NODE? DETAIL?
 *	FDB_NEW		SWITCH! PORT! MAC! VLAN		-
 *	FDB_DEL		SWITCH! MAC! VLAN		-
 *	FDB_GET		SWITCH				dump: SWITCH PORT? MAC VLAN AGE ORIGIN
 *	FDB_FLUSH	SWITCH!				-
 *	STATS_GET	PORT				dump: PORT SWITCH VM RECEIVED
 *							RECEIVED_BYTES FORWARDED FLOODED CONSUMED
 *							ATTEMPTS SENT SENT_BYTES DROPPED_IN
 *							DROPPED_OUT CYCLES
 *	AUDIT_GET	-				dump: SUM NAME SWITCH? LEFT RIGHT TERMS
 *	DROP_GET	PORT				dump: PORT SWITCH VM REASON SIDE COUNT TEXT
 *							SAMPLE? { AGE_MS LENGTH BYTES }
 *	MTU_GET		SWITCH				dump: SWITCH VLAN VLANS? MTU_NET PORT KIND
 *							LIMITS MTU MTU_FROM MTU_VMM? PROBLEM?
 *	OFFLOAD_GET	PORT				dump: PORT SWITCH VM KIND OFFLOAD_FROM
 *							OFFLOAD_TO OFFLOAD_USED OFFLOAD_OFF
 *							FEATURES? OFFERED? CHIMNEY OWED_NOTHING
 *							OWED_CSUM OWED_TSO4 OWED_TSO6 OWED_USO4
 *							OWED_USO6 OWED_ECN, each { PASSED HARDWARE
 *							CUT SOFTWARE }, OWED_REFUSED SEGMENTS
 *							CHECKSUMS MERGED QUARANTINE
 *							QUARANTINE_WHY?
 *	VMQ_GET		SWITCH				dump: SWITCH PORT QUEUE? ENGINE REASON
 *							VMQ_STATE VMQ_QUEUES? VMQ_WEIGHT?
 *							VMQ_FILTERS? VMQ_WANTED? VMQ_ASTRAY?
 *							VMQ_DIRECT?
 *							FRAMES RECEIVED_BYTES WORKER TEXT?
 *	UPLINK_TEST	SWITCH! PARTNER			dump: SWITCH PORT TEST_OFFLOAD TEST_VERDICT
 *							TEST_SENT TEST_BACK QUARANTINE TEXT?
 *	WORKER_GET	-				dump: ID CPU? NODE? TOTAL_CYCLES BUSY_CYCLES
 *							FRAMES ROUNDS NAPS TSC_HZ EVENTS_LOST
 *							PORTS PAIRS STATE PARKS WAKES IDLE_WAKES
 *							ASLEEP_CYCLES AWAKE_FOR? LOAD STAYS?
 *	QUEUE_GET	PORT				dump: PORT SWITCH VM PAIR WORKER PLACED_BY
 *							LOAD MOVES MOVE_WHY? MOVED_FROM?
 *							MOVED_MS? TEXT?
 *	CONFIG_GET	-				dump: COMMAND RECORD PROBLEM?
 *	STATE_GET	-				dump: STATE_FILE STATE_BYTES STATE_BASE
 *							TRANSACTIONS REWRITES SYNC_US WAITING
 *							PROBLEM?; nothing without a state file
 *	CAPTURE_START	PORT! FILTER SNAPLEN DROPS	-
 *			DIRECTION
 *	CAPTURE_STOP	-				-
 *	CAPTURE		from the daemon only		- a frame: TIME DIRECTION LENGTH VERDICT
 *							  PORT? COPIES? COPIES_DROPPED? REASON?
 *							  TEXT? LOST? BYTES
 *							- the end: EVENT TEXT COUNT LOST
 *	SUBSCRIBE	-				-
 *	NOTICE		from the daemon only		TIME EVENT SWITCH? PORT? MAC? TEXT? LOST?
 *
 * "?" in an answer: left out when there is nothing to say. In SWITCH_SET and PORT_SET only what
 * is named changes, and at least one thing must be named; a MAC of all zero is "any".
 * Without a MAC and MAC_AUTO, PORT_NEW makes a guest's port for any address, and a host port with
 * one of the pool.
 *
 * The configuration: CONFIG_GET answers with one message per object, in an order in which they can
 * be made. RECORD holds the attributes of the request that makes it (COMMAND: SWITCH_NEW, PORT_NEW,
 * FDB_NEW; PORT_SET of an uplink's port), without those that have the value that the command would
 * give them anyway. With PROBLEM, the object is in the state file, but could not be made: it is
 * tried again.
 *
 * Batches
 * -------
 * What changes something by itself (SWITCH_NEW to FDB_FLUSH) may stand in a batch: between
 * BATCH_BEGIN and BATCH_END any number of such messages, each in a datagram of its own, are only
 * kept. BATCH_END carries them out together: all of them, seen by the ports at one instant, or
 * none. Each message sees what those before it did. Any other command in between is refused, and
 * so is the batch.
 * - Success: an ACK for each message with NLM_F_ACK, in their order, then the one of BATCH_END.
 * - Failure: NLMSG_ERROR for the message that was refused, then NLMSG_ERROR for BATCH_END
 *   (ECANCELED; if what failed was no message but the whole: what it was). The first of them is
 *   sent at once if the message is wrong by itself (another attribute than its command takes, no
 *   room): what follows is dropped until BATCH_END or BATCH_ABORT.
 * - A connection that ends inside of a batch, or BATCH_ABORT: nothing has happened.
 * - The batches of all clients together hold at most VS_BATCH_MESSAGES_MAX messages and
 *   VS_BATCH_BYTES_MAX bytes, each message counted as 64 bytes more (ENOBUFS). If there is no room
 *   left, the biggest batch to which nothing was added for VS_BATCH_IDLE_SECONDS is forgotten; its
 *   client is told (ENOBUFS) when it sends the next message of it.
 * - While BATCH_END runs nobody else is served. A batch whose messages have run for
 *   VS_BATCH_SECONDS, or for VS_BATCH_CPU_SECONDS of the processor's time, before the last one is
 *   begun, is undone (ETIME, for BATCH_END): it has to be sent as several batches.
 * - The socket, interface or card of a port that a batch removes is free for others after the batch
 *   (EBUSY). An uplink may be replaced by another: the old one works until the new one does.
 *
 * With DRY_RUN all checks are made, nothing changes, and no device is made (so what only a device
 * could say is not known). BATCH_END is answered by what would change (flag NLM_F_MULTI, RECORD and
 * COMMAND as in CONFIG_GET): one message of CHANGE MADE or REMOVED, or two (BEFORE, AFTER), for
 * each object, in the order in which they are touched; then its ACK: set NLM_F_ACK to see the end.
 *
 * With CONFIRM the batch is in force after BATCH_END, but goes by itself after that many seconds,
 * unless CONFIRM has come, over whichever connection. Until then nothing else is changed (EBUSY,
 * with a text that says who waits), and a daemon that is restarted comes up with what was before.
 * ROLLBACK goes back at once. Events: unconfirmed, confirmed, rolled-back. What was removed is made
 * anew when it comes back; what cannot come back (its interface is gone) is named in the event.
 *
 * Notices: after SUBSCRIBE the connection receives NOTICE messages with sequence number 0 (they
 * may stand between the messages of an answer, never inside of one). A subscriber that reads too
 * slowly loses notices, not the connection: when it has caught up it receives EVENT "overflow"
 * with the number of lost notices in LOST.
 *
 * Captures: after CAPTURE_START the connection receives a CAPTURE message with sequence number 0
 * for each frame from or to the port that FILTER matches (all, if there is none), of which DROPS
 * leaves those with at least one copy that was dropped. BYTES are its first SNAPLEN bytes (usually
 * VS_PROTO_SNAPLEN_MAX), LENGTH is that of the whole frame. A reader that is too slow loses frames,
 * not the connection: LOST of the next frame says how many were lost in front of it. CAPTURE_STOP,
 * or the end of the port, ends the capture: what was captured before still comes, then a CAPTURE
 * message with EVENT "end", why in TEXT, how many frames were sent in COUNT, and how many were
 * lost behind the last one in LOST. One connection has one capture at a time, and is no subscriber
 * as well; the daemon has VS_CAPTURES_MAX.
 *
 * Versions
 * --------
 * Every message carries the version it is written in. The daemon refuses a version it does not
 * speak with EPROTONOSUPPORT, except that HELLO is understood in any version: its answer says
 * which ones there are. New attributes and commands do not make a new version; a change of
 * meaning does.
 */
#ifndef VS_CONTROL_PROTO_H
#define VS_CONTROL_PROTO_H

#include <linux/netlink.h>

#include <stdint.h>

#define VS_SOCKET_DEFAULT "/run/vmswitch/vmswitch.sock"

enum {
	VS_PROTO_VERSION_MIN = 1,
	VS_PROTO_VERSION_MAX = 1,

	VS_MSG_TYPE = NLMSG_MIN_TYPE,

	VS_REQUEST_MAX = 65536,
	VS_ANSWER_MAX = 32768,
	VS_SLICE_BYTES = 2 * 1024 * 1024,
	VS_CLIENTS_MAX = 64,
	VS_BATCH_MESSAGES_MAX = 262144,
	VS_BATCH_BYTES_MAX = 64 * 1024 * 1024,
	VS_BATCH_IDLE_SECONDS = 10,
	VS_BATCH_SECONDS = 5,
	VS_BATCH_CPU_SECONDS = 3,
	VS_STALL_SECONDS = 10,
	VS_CAPTURES_MAX = 8,

	/** Names with their final NUL. */
	VS_PROTO_NAME_SIZE = 32,
	/** Socket paths with their final NUL, as in struct sockaddr_un. */
	VS_PROTO_PATH_SIZE = 108,
	/** Names of interfaces with their final NUL, as in linux/if.h. */
	VS_PROTO_IFNAME_SIZE = 16,
	/** Uplinks and lists of addresses with their final NUL. */
	VS_PROTO_UPLINK_SIZE = 256,
	/** Instructions of the filter of a capture. */
	VS_PROTO_FILTER_MAX = 512,
	/** Bytes of a captured frame: what an answer has room for. */
	VS_PROTO_SNAPLEN_MAX = 32000,
};

/** struct vs_msghdr - follows struct nlmsghdr in every message of type VS_MSG_TYPE */
struct vs_msghdr {
	uint8_t cmd;       /* enum vs_cmd */
	uint8_t version;   /* VS_PROTO_VERSION_MIN..VS_PROTO_VERSION_MAX */
	uint16_t reserved; /* 0 */
};

/** Commands; each object has sixteen numbers of its own. */
enum vs_cmd {
	VS_CMD_HELLO = 0x01,
	VS_CMD_BATCH_BEGIN = 0x02,
	VS_CMD_BATCH_END = 0x03,
	VS_CMD_BATCH_ABORT = 0x04,
	VS_CMD_CONFIRM = 0x05,
	VS_CMD_ROLLBACK = 0x06,

	VS_CMD_SWITCH_NEW = 0x10,
	VS_CMD_SWITCH_DEL = 0x11,
	VS_CMD_SWITCH_SET = 0x12,
	VS_CMD_SWITCH_GET = 0x13,

	VS_CMD_PORT_NEW = 0x20,
	VS_CMD_PORT_DEL = 0x21,
	VS_CMD_PORT_SET = 0x22,
	VS_CMD_PORT_GET = 0x23,

	VS_CMD_FDB_GET = 0x30,
	VS_CMD_FDB_FLUSH = 0x31,
	VS_CMD_FDB_NEW = 0x32,
	VS_CMD_FDB_DEL = 0x33,

	VS_CMD_STATS_GET = 0x40,
	VS_CMD_AUDIT_GET = 0x41,
	VS_CMD_DROP_GET = 0x42,

	VS_CMD_SUBSCRIBE = 0x50,
	VS_CMD_NOTICE = 0x51,

	VS_CMD_WORKER_GET = 0x60,

	VS_CMD_MTU_GET = 0x90,
	VS_CMD_OFFLOAD_GET = 0x91,
	VS_CMD_UPLINK_TEST = 0x92,
	VS_CMD_VMQ_GET = 0x94,
	VS_CMD_QUEUE_GET = 0x96,

	VS_CMD_CONFIG_GET = 0x70,
	VS_CMD_STATE_GET = 0x71,
	VS_CMD_CAPTURE_START = 0x80,
	VS_CMD_CAPTURE = 0x81,
	VS_CMD_CAPTURE_STOP = 0x82,
};

#include "control/proto_attr.h"
#include "control/proto_values.h"

#endif
