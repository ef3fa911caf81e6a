/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Self-test of the offloads that the device of an uplink claims: frames that owe something go out,
 * a loop brings back what the device made of them, and each byte is looked at. What is sent, and
 * how it is judged, stands in selftest.c; a device is seen through struct vs_selftest_ops.
 */
#ifndef VS_UPLINK_SELFTEST_H
#define VS_UPLINK_SELFTEST_H

#include "dataplane/core/pkt.h"
#include "dataplane/uplink/uplink.h"

enum {
	/** Packets of one round: a bit each, and one burst. */
	VS_SELFTEST_PACKETS = 64,
	/** Bytes of the longest of them, as it is before it is cut. */
	VS_SELFTEST_BYTES = 16384 + 128,
	/** Segments of one packet, at most: a bit each. */
	VS_SELFTEST_SEGMENTS = 48,
	/** No device with a smaller MTU is tested: frames of the tests would not fit. */
	VS_SELFTEST_MTU_MIN = 400,
};

/** What a device says about the transport checksum of a frame that it received. */
enum vs_selftest_said {
	VS_SELFTEST_SAID_NOTHING,
	VS_SELFTEST_SAID_GOOD,
	VS_SELFTEST_SAID_BAD,
};

/** struct vs_selftest_got - a frame that came back; @len: of the whole frame, may be > sizeof */
struct vs_selftest_got {
	enum vs_selftest_said said;
	uint32_t len;
	uint8_t bytes[2048];
};

/**
 * struct vs_selftest_ops - a device under test; all calls are made by the control thread
 * @send:	give @n packets to it, in order, those that owe something as a guest's would be.
 *		They stay valid until it returns. Return: 0, whatever became of them; -EBUSY it was
 *		not reached
 * @receive:	the next frame that came for the test. Return: 1, or 0: there is none
 * @pause:	let some time pass, up to a millisecond
 * @now_us:	microseconds since some moment
 */
struct vs_selftest_ops {
	int (*send)(void *dev, const struct vs_pkt *pkt, unsigned int n);
	int (*receive)(void *dev, struct vs_selftest_got *ret_got);
	void (*pause)(void *dev);
	uint64_t (*now_us)(void *dev);
};

/**
 * struct vs_selftest_config - what is tested, and how
 * @claims:	what the device claims, bits of enum vs_offload: CSUM, TSO4, TSO6 (frames that go
 *		out), VERIFY (frames that come in)
 * @mtu:	of the device
 * @own:	address that the frames come from, and go to if there is no partner
 * @partner:	who returns frames with their addresses exchanged; all zero: the wire itself does
 */
struct vs_selftest_config {
	const struct vs_selftest_ops *ops;
	void *dev;
	unsigned int claims;
	uint32_t mtu;
	struct rte_ether_addr own;
	struct rte_ether_addr partner;
};

/**
 * vs_selftest_run() - test what is claimed
 * @ret_report:	a row for each offload, the claimed and the others
 *
 * Takes as long as the loop does; where there is none, a third of a second.
 *
 * Return: 0, or -ENOMEM.
 */
int vs_selftest_run(const struct vs_selftest_config *config, struct vs_selftest_report *ret_report);

/* ---- selftest_frame.c: the frames */

/** What a packet of the test leaves undone. */
enum vs_selftest_kind {
	VS_SELFTEST_WHOLE,   /* nothing */
	VS_SELFTEST_DAMAGED, /* nothing, and its transport checksum is wrong */
	VS_SELFTEST_OWES,    /* its checksum, and segmentation if it has a segment size */
};

/**
 * struct vs_selftest_spec - a packet to be made
 * @what:	what it is, for reasons
 * @ip:		4 or 6
 * @proto:	IPPROTO_TCP or IPPROTO_UDP
 * @stamps:	with TCP timestamps
 * @zero:	UDP whose checksum comes out as zero
 * @mss:	payload bytes of a segment; 0: it is not to be cut
 */
struct vs_selftest_spec {
	const char *what;
	enum vs_selftest_kind kind;
	uint8_t ip;
	uint8_t proto;
	bool stamps;
	bool zero;
	uint16_t mss;
	uint16_t payload;
};

/**
 * struct vs_selftest_packet - a packet on its way
 * @serial:	its own; stands in its frames as the source port
 * @n:		frames that are to come back
 * @seen:	a bit for each that did
 * @twice:	how many came again
 */
struct vs_selftest_packet {
	struct vs_selftest_spec spec;
	uint16_t serial;
	uint16_t n;
	uint64_t seen;
	uint16_t twice;
};

/** struct vs_selftest_addrs - Ethernet addresses of frames as they stand in them */
struct vs_selftest_addrs {
	struct rte_ether_addr to;
	struct rte_ether_addr from;
};

/** vs_selftest_frames() - how many frames a packet of @spec is to become. */
uint16_t vs_selftest_frames(const struct vs_selftest_spec *spec);

/**
 * vs_selftest_make() - write a packet as it is given to the device
 * @bytes:	room for VS_SELFTEST_BYTES
 * @ret_pkt:	refers to @bytes and @ext
 */
void vs_selftest_make(const struct vs_selftest_packet *p, const struct vs_selftest_addrs *addrs,
		      uint8_t *bytes, struct vs_extent *ext, struct vs_pkt *ret_pkt);

/**
 * vs_selftest_want() - write frame @i of a packet as it is to come back
 * @bytes:	room for VS_SELFTEST_BYTES
 *
 * Return: its length.
 */
uint32_t vs_selftest_want(const struct vs_selftest_packet *p, const struct vs_selftest_addrs *addrs,
			  unsigned int i, uint8_t *bytes);

/** vs_selftest_serial() - the serial of a frame that came back, 0: it is none of ours. */
uint16_t vs_selftest_serial(const struct vs_selftest_got *got);

/* ---- selftest_judge.c: what came back */

/**
 * vs_selftest_judge() - enter a frame that came back into its packet
 * @addrs:	of frames that come back
 * @scratch:	room for VS_SELFTEST_BYTES
 * @why:	what is wrong with it
 *
 * Return: is it one of the frames that the packet was to become?
 */
bool vs_selftest_judge(struct vs_selftest_packet *p, const struct vs_selftest_addrs *addrs,
		       const struct vs_selftest_got *got, uint8_t *scratch, char *why, size_t size);

#endif
