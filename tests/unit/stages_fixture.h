/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A switch without control: a configuration with ports whose devices are made of two arrays, a
 * worker's context, and frames put into the burst by hand.
 */
#ifndef TESTS_UNIT_STAGES_FIXTURE_H
#define TESTS_UNIT_STAGES_FIXTURE_H

#include "dataplane/core/ctx.h"
#include "dataplane/core/rcu.h"
#include "dataplane/fdb.h"
#include "dataplane/pipeline.h"
#include "dataplane/stages.h"

enum {
	SF_PORTS = 6,
	SF_FID = 3,   /* of untagged frames, VLAN 0 */
	SF_VLANS = 4, /* 0, 10, 20, 30 have the domains SF_FID and following */
	SF_FIDS = SF_FID + SF_VLANS + 1,
	SF_SWITCH = 2,
	SF_QUEUE = VS_BURST_MAX,
};

/** struct sf_dev - a port's device: what it will hand over, what it got */
struct sf_dev {
	unsigned int id;
	const struct vs_pkt *send; /* copied into the burst by rx, with private headers */
	unsigned int n_send;
	unsigned int fanout; /* what rx was told */
	unsigned int rx_done;
	const struct vs_burst *burst; /* that rx filled last */
	bool given_back;              /* rx_done was called for what rx handed over last */
	unsigned int pair;            /* of the last tx */
	unsigned int got;
	uint64_t got_bytes;
	uint8_t last[2048]; /* the last frame, as far as it was there */
	uint32_t last_len;
	const struct vs_pkt *last_pkt;
	uint8_t *whole;         /* VS_CHAIN_BYTES_MAX for the last frame, or NULL */
	bool (*mem_lost)(void); /* asked by tx, or NULL; @was_lost is what it said */
	bool was_lost;
	uint8_t fate[VS_BURST_MAX];       /* what tx answers */
	unsigned int rights;              /* enum vs_offload: what it may leave to the switch */
	unsigned int caps;                /* and what may be left to it */
	unsigned int order[VS_BURST_MAX]; /* a number found in byte 14.. of each frame */
	unsigned int refused;
	unsigned int wrong; /* frames that this port must not get, not in this form, or not then */
	const struct vs_port_hot *hot;
};

struct sf {
	struct vs_rcu rcu;
	struct vs_ctx *ctx;
	struct vs_conf *conf;
	struct vs_burst *burst;
	struct vs_fdb *fdb;
	struct vs_port_stats stats[SF_PORTS];
	struct sf_dev dev[SF_PORTS];
	uint16_t members[SF_VLANS][SF_PORTS];
	struct vs_trunk trunk[SF_PORTS];
	uint16_t fid_of_vid[VS_VIDS_MAX];
};

/** sf_setup() - EAL, for cmocka's group. */
int sf_setup(void **state);

/** sf_new() - ports 0..SF_PORTS-1 on one switch, all up; worker 0 is online. */
struct sf *sf_new(void);

/** sf_free() - end of it. */
void sf_free(struct sf *s);

/** sf_mac() - the address of port @port. */
struct rte_ether_addr sf_mac(unsigned int port);

/** sf_members() - the ports in @mask are the ones of the broadcast domain that are up. */
void sf_members(struct sf *s, unsigned int mask);

/** sf_fid() - domain of VLAN @vid; 0 if it has none */
uint16_t sf_fid(uint16_t vid);

/** sf_access() - a port for untagged frames of VLAN @vid (0: the untagged one) */
void sf_access(struct sf *s, uint16_t port, uint16_t vid);

/** sf_trunk() - a port for tagged frames of the VLANs in @list (0 ends it), and a native one */
void sf_trunk(struct sf *s, uint16_t port, const uint16_t *list, uint16_t native);

/** sf_domains() - all ports are up: each domain has those that are on its VLAN */
void sf_domains(struct sf *s);

/** sf_learn() - enter @mac at @port. */
void sf_learn(struct sf *s, struct rte_ether_addr mac, uint16_t port, enum vs_fdb_kind kind);

/** sf_visit() - port @port sends what stands in s->burst, which is empty afterwards. */
void sf_visit(struct sf *s, uint16_t port, uint16_t pair);

/** sf_begin() - an empty burst, empty output lists, a new visit. */
void sf_begin(struct sf *s);

/** sf_frame() - a frame of @len bytes from @port in the burst. Return: it. */
struct vs_pkt *sf_frame(struct sf *s, uint16_t port, struct rte_ether_addr dst,
			struct rte_ether_addr src, uint32_t len);

/** sf_broadcast() - ff:ff:ff:ff:ff:ff */
struct rte_ether_addr sf_broadcast(void);

/** sf_events() - take all events. Return: how many; the last in *@ret_last. */
unsigned int sf_events(struct sf *s, struct vs_event *ret_last);

/** sf_drops() - drops of @reason at @port. */
uint64_t sf_drops(const struct sf *s, unsigned int port, enum vs_drop reason);

/** sf_all_drops() - drops of one side at @port. */
uint64_t sf_all_drops(const struct sf *s, unsigned int port, enum vs_drop_side side);

/** sf_audit() - assert that the three sums hold. */
void sf_audit(const struct sf *s);

#endif
