/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An uplink with two provider addresses and some virtual subnets, tables made by hand, and frames
 * put into the burst; for the stage decap alone.
 */
#ifndef TESTS_UNIT_DECAP_FIXTURE_H
#define TESTS_UNIT_DECAP_FIXTURE_H

#include "dataplane/core/ctx.h"
#include "dataplane/core/nvgre.h"
#include "dataplane/core/punt.h"

#include <stdbool.h>

enum {
	DF_UPLINK,
	DF_TUNNEL,
	DF_GUEST,
	DF_PORTS,

	DF_SWITCH = 2,
	DF_OTHER_SWITCH = 3,
	DF_VLAN = 7, /* of the IPv6 address; the IPv4 one is in the uplink's own VLAN */
	DF_FID4 = 1,
	DF_FID6 = 2,
	DF_FID_SUBNET = 10, /* of the first one */
	DF_MAX_FRAME = 1600,

	DF_V4 = 14 + 20 + 8,
	DF_V6 = 18 + 40 + 8,
	DF_FRAME_MAX = 2048,
};

/** Virtual subnets, in the order of their fids. The last one is on another switch. */
enum {
	DF_PLAIN = 5001,
	DF_LEARN = 6001,
	DF_STRICT = 16777214,
	DF_OTHER = 8001,
	DF_SUBNETS = 4,
};

struct df {
	struct vs_ctx *ctx;
	struct vs_conf *conf;
	struct vs_burst *burst;
	struct vs_trunk trunk;
	struct vs_nvgre nv;
	struct vs_port_stats stats[DF_PORTS];
	struct vs_pa pa[3];     /* IPv4, IPv6; then one of the other switch */
	struct vs_peer peer[3]; /* 192.168.5.55, fd00::5:55; then one that no subnet has */
	const struct vs_peer *peers[2];
	struct vs_subnet subnet[DF_SUBNETS];
	struct vs_vsid_slot slot[16];
	uint32_t of_fid[DF_FID_SUBNET + DF_SUBNETS];
	struct vs_record record[8];
	unsigned int n_records;
	struct rte_hash *by_mac;
	uint8_t *memory[VS_BURST_MAX * 2];
	unsigned int n_memory;
};

/** df_new() - all of it; no records yet. DPDK's environment is up. */
struct df *df_new(void);

void df_free(struct df *d);

/** df_begin() - an empty burst, as a visit to the uplink begins; counters are 0. */
void df_begin(struct df *d);

/** df_record() - (vsid, mac) is behind @peer; NULL: at this host */
void df_record(struct df *d, uint32_t vsid, const uint8_t *mac, const struct vs_peer *peer,
	       unsigned int flags);

/**
 * df_outer4(), df_outer6() - a tunnel packet around @inner, by hand
 * @frame:	DF_FRAME_MAX bytes
 *
 * From 192.168.5.55 to 192.168.2.22, without a tag; from fd00::5:55 to fd00::2:22, in VLAN DF_VLAN.
 * Return: its length.
 */
uint32_t df_outer4(uint8_t *frame, uint32_t vsid, const uint8_t *inner, uint32_t len);
uint32_t df_outer6(uint8_t *frame, uint32_t vsid, const uint8_t *inner, uint32_t len);

/** df_mend() - make the checksum of an IPv4 header right. */
void df_mend(uint8_t *ip);

/**
 * df_put() - a frame comes by the uplink
 * @hdr:	private bytes, if there are as many
 * @piece:	bytes of each extent
 *
 * Each piece lies in memory of just its size. Return: the packet.
 */
struct vs_pkt *df_put(struct df *d, const uint8_t *frame, uint32_t len, uint32_t hdr,
		      uint32_t piece);

/** df_gather() - all bytes of a packet; they must be as many as it says. Return: how many. */
uint32_t df_gather(const struct vs_pkt *pkt, uint8_t *to);

/** What becomes of a frame. */
enum df_fate {
	DF_LEFT,     /* it is for none of our addresses */
	DF_FOR_HOST, /* what a host is asked, or told: answered, told to control, or left */
	DF_DROPPED,
	DF_UNPACKED,
};

/**
 * struct df_expected - what a frame that comes by the uplink should become
 * @drop:	DF_DROPPED: why
 * @vsid, @inner_at, @inner_len, @ecn: DF_UNPACKED: @ecn are the outer mark's bits
 */
struct df_expected {
	enum df_fate fate;
	enum vs_drop drop;
	uint32_t vsid;
	uint32_t inner_at;
	uint32_t inner_len;
	uint8_t ecn;
};

/**
 * df_expect() - the same by plain arithmetic, on a frame in one piece
 *
 * Written from RFC 791, 8200, 2784, 2890, 6040 and 7637. It knows no records.
 */
struct df_expected df_expect(const struct df *d, const uint8_t *frame, uint32_t len);

/** Addresses of tenants' guests, of their router, and of the host that tunnels come from. */
extern const uint8_t df_mac_a[6];
extern const uint8_t df_mac_b[6];
extern const uint8_t df_mac_router[6];
extern const uint8_t df_mac_host[6];

/** df_inner() - a frame from a to b, IPv4 with ECT(0), of 34 bytes at least */
void df_inner(uint8_t *inner, uint32_t len);

/** df_audit() - the sums of the uplink and of the tunnel port hold, and the bits say the same. */
void df_audit(const struct df *d);

/** df_run() - a new burst of this frame alone goes through the stage. Return: the packet. */
struct vs_pkt *df_run(struct df *d, const uint8_t *frame, uint32_t len);

/** df_leaves() - the same; does the stage leave it as it is? */
bool df_leaves(struct df *d, const uint8_t *frame, uint32_t len);

/** df_drops() - of all reasons, at both ports. */
uint64_t df_drops(const struct df *d);

#endif
