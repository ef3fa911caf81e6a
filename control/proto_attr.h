/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers of the attributes of the control protocol. control/proto.h says which message has which,
 * proto_values.h what the values of enumerations mean.
 */
#ifndef VS_CONTROL_PROTO_ATTR_H
#define VS_CONTROL_PROTO_ATTR_H

/** Attributes. Numbers are never used again for something else. */
enum vs_attr {
	VS_ATTR_UNSPEC = 0,

	/* what requests and answers carry */
	VS_ATTR_NAME = 1,
	VS_ATTR_SWITCH = 2,
	VS_ATTR_KIND = 3,
	VS_ATTR_SOCKET = 4,
	VS_ATTR_MODE = 5,
	VS_ATTR_MAC = 6,
	VS_ATTR_VM = 7,
	VS_ATTR_MTU = 8,
	VS_ATTR_LINK = 9,
	VS_ATTR_STORM_PPS = 10,
	VS_ATTR_MAX_MACS = 11,
	VS_ATTR_FDB_SIZE = 12,
	VS_ATTR_FDB_AGEING = 13,
	VS_ATTR_FORCE = 14,
	VS_ATTR_PORT = 15,

	/* HELLO */
	VS_ATTR_VERSION_MIN = 16, /* u32 */
	VS_ATTR_VERSION_MAX = 17, /* u32 */
	VS_ATTR_DAEMON = 18,      /* text: version of the daemon */
	VS_ATTR_PID = 19,         /* u32 */

	/* switches */
	VS_ATTR_PORTS = 20,    /* u32 */
	VS_ATTR_PORTS_UP = 21, /* u32 */
	VS_ATTR_FDB_USED = 22, /* u32 */
	VS_ATTR_FDB_FULL = 23, /* u64: addresses not learnt because the table was full */

	/* ports */
	VS_ATTR_ID = 24,         /* u32 */
	VS_ATTR_UP = 25,         /* u32: 1 when frames are delivered to it */
	VS_ATTR_STATE = 26,      /* text: running ...; of a worker: polling, napping, parked */
	VS_ATTR_PROBLEM = 27,    /* text: what is wrong and what to do */
	VS_ATTR_MACS = 28,       /* u32: addresses learnt */
	VS_ATTR_PEER_PID = 29,   /* u32: process at the other end of the socket */
	VS_ATTR_FEATURES = 30,   /* u64: negotiated virtio feature bits */
	VS_ATTR_OFFERED = 31,    /* u64: offered virtio feature bits */
	VS_ATTR_PAIRS = 32,      /* u32: usable queue pairs */
	VS_ATTR_RING_SIZE = 33,  /* u32 */
	VS_ATTR_REGIONS = 34,    /* u32: memory regions mapped */
	VS_ATTR_MEMORY = 35,     /* u64: bytes mapped */
	VS_ATTR_CONNECTS = 36,   /* u64 */
	VS_ATTR_REFUSED = 37,    /* u64: messages refused */
	VS_ATTR_FAULTS = 38,     /* u64: rings detached */
	VS_ATTR_LAST_FAULT = 39, /* text */
	VS_ATTR_CALLS = 40,      /* u64: interrupts sent */

	/* addresses */
	VS_ATTR_VLAN = 41, /* u32; 0: untagged; of a port: its access or native VLAN */
	VS_ATTR_AGE = 42,  /* u32: seconds */

	/* counters; frames and bytes without FCS */
	VS_ATTR_RECEIVED = 43,       /* u64: taken from the port */
	VS_ATTR_RECEIVED_BYTES = 44, /* u64 */
	VS_ATTR_FORWARDED = 45,      /* u64: of the received, to one port */
	VS_ATTR_FLOODED = 46,        /* u64: of the received, to all others */
	VS_ATTR_CONSUMED = 47,       /* u64: of the received, taken by the switch itself */
	VS_ATTR_ATTEMPTS = 48,       /* u64: meant for the port */
	VS_ATTR_SENT = 49,           /* u64: delivered to the port */
	VS_ATTR_SENT_BYTES = 50,     /* u64 */
	VS_ATTR_DROPPED_IN = 51,     /* u64: of the received */
	VS_ATTR_DROPPED_OUT = 52,    /* u64: of the attempts */

	/* audit; the sum holds when LEFT equals RIGHT */
	VS_ATTR_SUM = 53,   /* text: ingress, egress, switch */
	VS_ATTR_LEFT = 54,  /* u64 */
	VS_ATTR_RIGHT = 55, /* u64 */
	VS_ATTR_TERMS = 56, /* text: the sum spelled out */

	/* drops */
	VS_ATTR_REASON = 57, /* text */
	VS_ATTR_SIDE = 58,   /* text: in (the port sent the frame), out (it was meant for it) */
	VS_ATTR_COUNT = 59,  /* u64 */
	VS_ATTR_TEXT = 60,   /* text */
	VS_ATTR_SAMPLE = 61, /* nest: the newest frame that was dropped */
	VS_ATTR_AGE_MS = 62, /* u64: milliseconds since then */
	VS_ATTR_LENGTH = 63, /* u32: bytes of the whole frame */
	VS_ATTR_BYTES = 64,  /* bytes: its first ones */

	/* notices */
	VS_ATTR_TIME = 65,  /* u64: nanoseconds since 1970-01-01 00:00 UTC */
	VS_ATTR_EVENT = 66, /* text: what happened, e.g. port-up */
	VS_ATTR_LOST = 67,  /* u64: notices lost before this one */

	VS_ATTR_ORIGIN =
		68, /* text: of an address: learnt, given (the port's own), static, cluster */

	/* workers; cycles are ticks of the time stamp counter */
	VS_ATTR_CPU = 69,          /* u32: processor it is bound to */
	VS_ATTR_TOTAL_CYCLES = 70, /* u64: since it was started */
	VS_ATTR_BUSY_CYCLES = 71,  /* u64: of rounds in which frames came */
	VS_ATTR_FRAMES = 72,       /* u64: received */
	VS_ATTR_ROUNDS = 73,       /* u64: times a worker went round */
	VS_ATTR_NAPS = 74,         /* u64: times it slept for a set time */
	VS_ATTR_TSC_HZ = 75,       /* u64: ticks per second */

	/* switch types, host ports, uplinks, VLANs */
	VS_ATTR_UPLINK = 76,
	VS_ATTR_SHARE = 77,
	VS_ATTR_UNKNOWN = 78,
	VS_ATTR_NEW_NAME = 79,
	VS_ATTR_IFNAME = 80,
	VS_ATTR_ADDRS = 81,
	VS_ATTR_QUEUES = 82,
	VS_ATTR_MAC_AUTO = 83,
	VS_ATTR_VLAN_MODE = 84,
	VS_ATTR_VLANS = 85,
	VS_ATTR_PRIORITY = 86,
	VS_ATTR_CLUSTER = 87,
	VS_ATTR_DRIVER = 88,     /* text: what drives the uplink, and how */
	VS_ATTR_DEVICE_MAC = 89, /* gmac: of the network card */
	VS_ATTR_SPEED = 90,      /* u32: Mbit/s */
	VS_ATTR_DETAIL = 91,     /* text: counters of the device, "name value, ..." */

	/* batches */
	VS_ATTR_DRY_RUN = 92,
	VS_ATTR_CONFIRM = 93,
	VS_ATTR_CHANGE = 95, /* u32: enum vs_change */

	/* the configuration and the state file */
	VS_ATTR_RECORD = 100,       /* nest: attributes of the command that makes the object */
	VS_ATTR_COMMAND = 101,      /* u32: that command (enum vs_cmd) */
	VS_ATTR_STATE_FILE = 102,   /* text: its path */
	VS_ATTR_STATE_BYTES = 103,  /* u64: its length */
	VS_ATTR_STATE_BASE = 104,   /* u64: its length when it was written anew last */
	VS_ATTR_TRANSACTIONS = 105, /* u64: number of the last one */
	VS_ATTR_REWRITES = 106,     /* u64: since the daemon was started */
	VS_ATTR_SYNC_US = 107,      /* u64: how long the last one took to be on disk */
	VS_ATTR_WAITING = 108,      /* u32: objects that could not be made */
	/* captures */
	VS_ATTR_FILTER = 110,
	VS_ATTR_SNAPLEN = 111,
	VS_ATTR_DROPS = 112,
	VS_ATTR_DIRECTION = 113,
	VS_ATTR_VERDICT = 114,        /* u32: enum vs_verdict */
	VS_ATTR_COPIES = 115,         /* u32: ports that a flooded frame was meant for */
	VS_ATTR_COPIES_DROPPED = 116, /* u32: of these, those that did not get it */

	VS_ATTR_CYCLES = 117,      /* u64: of workers, for frames from the port */
	VS_ATTR_EVENTS_LOST = 118, /* u64: that the worker had no room for */

	/* HELLO */
	VS_ATTR_RIGHTS = 120, /* u32: enum vs_rights */

	/* ports */
	VS_ATTR_WORKER = 121, /* u32: that visits the first queue pair; the next one the next */

	/* MTU */
	VS_ATTR_MTU_NET = 140,  /* u32: effective MTU of the network */
	VS_ATTR_MTU_FROM = 141, /* u32: enum vs_mtu_origin */
	VS_ATTR_MTU_VMM = 142,  /* u32: that the VMM has told the guest */
	VS_ATTR_LIMITS = 143,   /* u32: 1: no other hop of the network carries less */

	/* offloads, and what became of what frames owed; see doc/offload.md */
	VS_ATTR_OFFLOAD_FROM = 150, /* u32: bits of enum vs_offload_can; the other side leaves us */
	VS_ATTR_OFFLOAD_TO = 151,   /* u32: the same; the other side can do it */
	VS_ATTR_OFFLOAD_USED = 152, /* u32: of these, what is left to it */
	VS_ATTR_CHIMNEY = 153,      /* text: why TCP connections are not offloaded */
	VS_ATTR_OWED_NOTHING = 154, /* u64: frames meant for the port; so the others */
	VS_ATTR_OWED_CSUM = 155,    /* nest */
	VS_ATTR_OWED_TSO4 = 156,    /* nest */
	VS_ATTR_OWED_TSO6 = 157,    /* nest */
	VS_ATTR_OWED_USO4 = 158,    /* nest */
	VS_ATTR_OWED_USO6 = 159,    /* nest */
	VS_ATTR_OWED_ECN = 160,     /* nest: of TSO4 and TSO6, those with CWR */
	VS_ATTR_OWED_REFUSED = 161, /* u64: frames from the port */
	VS_ATTR_PASSED = 162,       /* u64: left to a guest or the host */
	VS_ATTR_HARDWARE = 163,     /* u64: left to a network card */
	VS_ATTR_CUT = 164,          /* u64: cut, the checksums left to the port */
	VS_ATTR_SOFTWARE = 165,     /* u64: done by the switch */
	VS_ATTR_SEGMENTS = 166,     /* u64: that frames were cut into */
	VS_ATTR_CHECKSUMS = 167,    /* u64: computed by the switch */
	VS_ATTR_MERGED = 168,       /* u64: segments that joined another one */
	VS_ATTR_QUARANTINE = 169,   /* u32: bits of enum vs_offload_can; claimed, and not done */

	/* what may be left to the other side of a port; bits of enum vs_offload_part */
	VS_ATTR_OFFLOAD_ON = 170,
	VS_ATTR_OFFLOAD_OFF = 171,

	/* workers: sleep; interrupts of a guest */
	VS_ATTR_PARKS = 180,         /* u64: times it went to sleep until something comes */
	VS_ATTR_WAKES = 181,         /* u64: times that a port woke it */
	VS_ATTR_IDLE_WAKES = 182,    /* u64: of these, without frames */
	VS_ATTR_ASLEEP_CYCLES = 183, /* u64: while it was parked */
	VS_ATTR_AWAKE_FOR = 184,     /* text: why it does not park, or not as it should */
	VS_ATTR_MODERATION = 185,    /* u32: enum vs_moderation */

	/* queues of uplinks */
	VS_ATTR_VMQ = 190,         /* u32: 0 off, 1 on, 2 by the switch alone */
	VS_ATTR_VMQ_QUEUES = 191,  /* u32: ports that may have one; 0: any number */
	VS_ATTR_VMQ_WEIGHT = 192,  /* u32: who gets one if they are scarce; 0: never */
	VS_ATTR_QUEUE = 193,       /* u32: number of a queue; 0: the default one */
	VS_ATTR_ENGINE = 194,      /* text: what sorts frames into queues: soft, off */
	VS_ATTR_VMQ_FILTERS = 195, /* text: of a queue, "MAC vlan N, MAC untagged" */
	VS_ATTR_VMQ_WANTED = 196,  /* u32: filters that it would have; the first 32 are in force */
	VS_ATTR_VMQ_ASTRAY = 197,  /* u64: frames that came by its hw queue and are not for it */
	VS_ATTR_VMQ_STATE = 198,   /* text: of a queue; default: it has none of its own */
	VS_ATTR_NODE = 199,        /* u32: NUMA node of a worker's processor, or of a card */
	VS_ATTR_VMQ_DIRECT = 200,  /* text: why no card writes into the memory of guests */
	/* queue pairs: which worker visits which, and why; loads in hundredths of a per cent */
	VS_ATTR_PLACE = 206,
	VS_ATTR_PAIR = 207,       /* u32: queue pair of a port */
	VS_ATTR_LOAD = 208,       /* u32: part of a worker's time; 10000: all of it */
	VS_ATTR_MOVES = 209,      /* u64: times that it came to another worker */
	VS_ATTR_MOVE_WHY = 210,   /* u32: enum vs_move_reason, of the last time */
	VS_ATTR_MOVED_FROM = 211, /* u32: the worker that it was at before */
	VS_ATTR_MOVED_MS = 212,   /* u64: milliseconds since then */
	VS_ATTR_PLACED_BY = 213,  /* u32: enum vs_placer */
	VS_ATTR_STAYS = 214,      /* text: why a worker with too much to do gives nothing away */
	/* queue pairs of a guest */
	VS_ATTR_PAIR_SENT = 215,     /* bytes: u64 for each, frames to the guest */
	VS_ATTR_PAIR_RECEIVED = 216, /* bytes: u64 for each, frames from it */
	VS_ATTR_PAIRS_ON = 217,      /* u32: bit for each: it gets frames */
	/* the self-test of an uplink: does its card do what it claims? */
	VS_ATTR_PARTNER = 220,        /* who returns frames with their addresses exchanged */
	VS_ATTR_TEST_OFFLOAD = 221,   /* u32: one bit of enum vs_offload_can */
	VS_ATTR_TEST_VERDICT = 222,   /* u32: enum vs_test_verdict */
	VS_ATTR_TEST_SENT = 223,      /* u32: packets given to the card */
	VS_ATTR_TEST_BACK = 224,      /* u32: frames that came back */
	VS_ATTR_QUARANTINE_WHY = 225, /* text: what was done wrong */

	VS_ATTR_COUNT_, /* one more than the highest number */
	VS_ATTR_MAX = VS_ATTR_COUNT_ - 1,
};

#endif
