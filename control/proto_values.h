/* SPDX-License-Identifier: BSD-3-Clause */
/* What the attributes of control/proto.h can say: words that are numbers. A part of that one. */
#ifndef VS_CONTROL_PROTO_VALUES_H
#define VS_CONTROL_PROTO_VALUES_H

/** What a batch would do to an object (VS_ATTR_CHANGE). */
enum vs_change {
	VS_CHANGE_MADE = 1,
	VS_CHANGE_BEFORE = 2, /* changed: the record as it is */
	VS_CHANGE_AFTER = 3,  /* changed: the record as it would be */
	VS_CHANGE_REMOVED = 4,
};

/** Where the MTU of a port comes from (VS_ATTR_MTU_FROM). */
enum vs_mtu_origin {
	VS_MTU_ORIGIN_SET = 1,    /* it was given to the port */
	VS_MTU_ORIGIN_AUTO = 2,   /* none was given */
	VS_MTU_ORIGIN_DEVICE = 3, /* its interface or device has it */
	VS_MTU_ORIGIN_SWITCH = 4, /* it was given to the switch; the port would carry more */
};

/** What a client may do (VS_ATTR_RIGHTS). */
enum vs_rights {
	VS_RIGHTS_READ = 1, /* see what is there */
	VS_RIGHTS_ALL = 2,
};

/** Kinds of switches and ports (VS_ATTR_KIND). */
enum vs_kind {
	VS_KIND_PRIVATE = 1,  /* switch: guests only */
	VS_KIND_INTERNAL = 2, /* switch: guests and the host */
	VS_KIND_EXTERNAL = 3, /* switch: guests, one uplink, and the host if it shares that */
	VS_KIND_GUEST = 17,   /* port: a virtual machine, over vhost-user or on a TAP interface */
	VS_KIND_HOST = 18,    /* port: an interface of the host */
	VS_KIND_UPLINK = 19,  /* port: a network card; comes with an external switch */
};

/** Who gets frames to unknown unicast addresses (VS_ATTR_UNKNOWN). */
enum vs_unknown_policy {
	VS_POLICY_DEFAULT = 0, /* in requests: UPLINK on an external switch, FLOOD on others */
	VS_POLICY_FLOOD = 1,   /* every port */
	VS_POLICY_UPLINK = 2,  /* the uplink, and ports that may send from any address */
	VS_POLICY_DROP = 3,
};

/** How a port takes part in VLANs (VS_ATTR_VLAN_MODE). */
enum vs_vlan {
	VS_VLAN_MODE_UNTAGGED = 1,
	VS_VLAN_MODE_ACCESS = 2, /* untagged frames of VLAN */
	VS_VLAN_MODE_TRUNK = 3,  /* tagged frames of VLANS, untagged ones of VLAN */
};

/** Which way a captured frame went (VS_ATTR_DIRECTION). */
enum vs_direction {
	VS_DIRECTION_FROM = 1, /* the port sent it */
	VS_DIRECTION_TO = 2,   /* it was meant for the port */
	VS_DIRECTION_BOTH = 3, /* in CAPTURE_START */
};

/** What became of a captured frame (VS_ATTR_VERDICT). */
enum vs_verdict {
	VS_VERDICT_FORWARDED = 1, /* to PORT */
	VS_VERDICT_FLOODED = 2,   /* to COPIES ports; COPIES_DROPPED dropped it, for REASON */
	VS_VERDICT_DELIVERED = 3, /* to the captured port, from PORT */
	VS_VERDICT_DROPPED = 4,   /* for REASON; at PORT, or from PORT, if it is there */
};

/** What one side can do, or leave undone (VS_ATTR_OFFLOAD_FROM, _TO, _USED). */
enum vs_offload_can {
	VS_CAN_CSUM = 1,
	VS_CAN_TSO4 = 2,
	VS_CAN_TSO6 = 4,
	VS_CAN_ECN = 8, /* TSO of frames with CWR */
	VS_CAN_USO4 = 16,
	VS_CAN_USO6 = 32,
	VS_CAN_VERIFY = 64, /* its word that a checksum is good is believed; it can be told so */
	VS_CAN_MERGE = 128, /* frames from there may be merged; it takes merged ones */
};

/** What a test of an offload has shown (VS_ATTR_TEST_VERDICT). */
enum vs_test_verdict {
	VS_TEST_NOT_CLAIMED = 1, /* the card says that it cannot do it */
	VS_TEST_NOT_TESTED = 2,  /* it could not be found out */
	VS_TEST_GOOD = 3,        /* every frame was as it should be */
	VS_TEST_BAD = 4,         /* it claims what it does not do */
};

/** What may be left to the other side of a port (VS_ATTR_OFFLOAD_ON, _OFF). */
enum vs_offload_part {
	VS_PART_CSUM = 1 << 0, /* checksums, and so all that is cut, too */
	VS_PART_TSO4 = 1 << 1, /* segmentation of TCP over IPv4 */
	VS_PART_TSO6 = 1 << 2, /* of TCP over IPv6 */
	VS_PART_USO = 1 << 3,  /* of UDP */
	VS_PART_GRO = 1 << 4,  /* segments from a wire are merged on the way to it, or from it */
	VS_PART_ALL = 31,
};

/** How long interrupts to a guest may wait for more frames (VS_ATTR_MODERATION). */
enum vs_moderation {
	VS_MODERATION_OFF = 1,
	VS_MODERATION_LOW = 2,      /* 8 frames or 50 us */
	VS_MODERATION_MEDIUM = 3,   /* 16 frames or 100 us */
	VS_MODERATION_HIGH = 4,     /* 32 frames or 200 us */
	VS_MODERATION_ADAPTIVE = 5, /* one of these, by the frames that come */
};

/** Why a queue pair came to another worker (VS_ATTR_MOVE_WHY). */
enum vs_move_reason {
	VS_MOVED_SPREAD = 1, /* its worker had too much to do */
	VS_MOVED_FOLD = 2,   /* its worker had so little to do that it can sleep now */
	VS_MOVED_HAND = 3,   /* somebody said so */
};

/** Who says which worker visits a queue pair (VS_ATTR_PLACED_BY). */
enum vs_placer {
	VS_PLACER_HOME = 1, /* nobody: it is where it began, or where it was left */
	VS_PLACER_HAND = 2, /* VS_ATTR_PLACE of its port */
	VS_PLACER_CONTROLLER = 3,
};

/** Who makes the socket of a guest port (VS_ATTR_MODE). */
enum vs_mode {
	VS_MODE_CLIENT = 1, /* the VMM; the switch connects, and connects again */
	VS_MODE_SERVER = 2, /* the switch; the VMM connects */
};

#endif
