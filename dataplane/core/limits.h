/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sizes that several layers must agree on. Anything that bounds what a guest can make the
 * switch do stands here, so that it can be reviewed in one place.
 */
#ifndef VS_CORE_LIMITS_H
#define VS_CORE_LIMITS_H

enum {
	/** Ports of one daemon (384 guests are the aim; ids are indices below this). */
	VS_PORTS_MAX = 1024,
	/** Switches of one daemon. */
	VS_SWITCHES_MAX = 256,
	/**
	 * Forwarding ids (broadcast domains) of one daemon, fid 0 included, which is never used.
	 */
	VS_FIDS_MAX = 65536,
	/** VLAN ids of one switch; 0 is the VLAN of untagged frames, 4095 is reserved. */
	VS_VIDS_MAX = 4096,
	/** The last VLAN id that a tag may carry. */
	VS_VID_MAX = 4094,
	/** Cluster addresses (several ports with one address) of one daemon. */
	VS_GROUPS_MAX = 256,
	/** Filters of one queue of an uplink; frames that need more take the default queue. */
	VS_VMQ_FILTERS_MAX = 32,
	/** Names of switches, ports and VMs, with the final NUL. */
	VS_NAME_MAX = 32,
	/** Captures of one daemon at a time. */
	VS_TAPS_MAX = 8,
	/** Polling threads of one daemon. */
	VS_WORKERS_MAX = 16,
	/** Queue pairs of a port that can be moved; further ones stay where they begin. */
	VS_PLACED_PAIRS = 64,

	/** Frames in one burst. */
	VS_BURST_MAX = 64,
	/** Private header bytes taken from each frame; only these are ever judged. */
	VS_HDR_BYTES = 128,
	/** An 802.1Q tag: a private header with one in front may be so much longer. */
	VS_TAG_BYTES = 4,
	/** Free bytes in front of the private header (a tag or a tunnel header goes there). */
	VS_HDR_ROOM = 96,
	/** Payload extents of all frames of one burst together. */
	VS_BURST_EXTENTS = 1024,

	/** Bytes of one virtio chain: a 64 KiB TSO frame with its headers and the virtio header. */
	VS_CHAIN_BYTES_MAX = 65562,
	/** Descriptors of one chain from the guest, indirect ones included. */
	VS_CHAIN_DESCS_MAX = 64,
	/** Descriptors used to deliver one frame to the guest. */
	VS_DELIVER_DESCS_MAX = 1024,
	/** The same for all frames of one call: a full burst of 64 KiB frames needs 2,900. */
	VS_DELIVER_CALL_DESCS_MAX = 4096,
	/**
	 * Segments that one frame may be cut into. A 64 KiB frame has 46 at an MTU of 1500, and
	 * 132 with the smallest that Linux believes a path to have (552, ip-sysctl min_pmtu).
	 */
	VS_SEGMENTS_MAX = 256,
	/**
	 * And the least payload of such a segment: Linux takes no smaller MSS for true
	 * (TCP_MIN_SND_MSS). What is below costs the switch many times what it costs the sender.
	 */
	VS_SEGMENT_BYTES_MIN = 48,
	/**
	 * Frames that fixup makes in one visit, beyond which it begins to cut no further one
	 * (cut_budget). 512 KiB at an MSS of 536 are 980.
	 */
	VS_CUT_FRAMES = 4096,
	/** Bytes a port may make the switch write in one visit, flood copies included. */
	VS_VISIT_BYTES = 512 * 1024,
	/**
	 * The same for copies of frames to unknown addresses, whose number is not known when the
	 * frames are taken: beyond it they are dropped (flood_budget).
	 */
	VS_FLOOD_BYTES = VS_VISIT_BYTES,
	/**
	 * Bytes of all copies of one frame. The frame that passes VS_FLOOD_BYTES is still copied,
	 * so that one gets through at all; one that alone would be more than this is dropped.
	 */
	VS_FLOOD_FRAME_BYTES = 8 * VS_VISIT_BYTES,
	/** A visit takes no further frame after it has walked over unusual chains for so long. */
	VS_WALK_US = 50,
	/**
	 * The most that a visit is charged with (dataplane/fair.h): so much, so much for each
	 * frame that it took and for each that was made of them, and one microsecond for so many
	 * bytes that it moved. What is beyond that is not the port's doing.
	 */
	VS_CHARGE_US = 100,
	VS_CHARGE_FRAME_US = 5,
	VS_CHARGE_MADE_US = 1,
	VS_CHARGE_BYTES_PER_US = 1024,

	/** Buffers (of 4 KiB) that one worker has for frames that wait for another worker. */
	VS_HELD_CHUNKS = 1024,
	/** And those of them that frames for one port may take. */
	VS_HELD_PORT_CHUNKS = 512,

	/** Port MTU: bytes of an Ethernet frame without its 14-byte header. */
	VS_MTU_MIN = 68,
	VS_MTU_MAX = 65535,
	/** Of a port that may have more, on a switch without a limit. */
	VS_MTU_DEFAULT = 9216,

	/** ICMP errors that the packets of one subnet may make a worker answer with in a second. */
	VS_ROUTER_ERRORS_PPS = 1000,
	/** Rate limits for them; subnets whose fids have the same lower bits share one. */
	VS_ROUTER_PACES = 256,

	VS_STORM_DEFAULT_PPS = 10000,
	VS_MAX_MACS_DEFAULT = 1024,
	VS_FDB_SIZE_DEFAULT = 8192,
	VS_FDB_SIZE_MAX = 1024 * 1024,
	VS_FDB_AGEING_DEFAULT_S = 300,
	/** New or moved addresses a port may have learnt per second. */
	VS_LEARN_RATE_PPS = 1000,
};

#endif
