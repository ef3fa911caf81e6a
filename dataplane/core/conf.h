/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration as the workers see it: one immutable snapshot, built by control, published
 * with vs_rcu_publish() and freed after a grace period. Nothing in it changes while a worker
 * can see it; what does change (rings, counters, token buckets) lives behind `dev` or in the
 * worker.
 */
#ifndef VS_CORE_CONF_H
#define VS_CORE_CONF_H

#include "dataplane/core/limits.h"
#include "dataplane/core/pkt.h"

#include <rte_common.h>
#include <rte_ether.h>

#include <stdbool.h>

struct vs_fdb;

/**
 * struct vs_port_ops - what a kind of port can do for a worker
 *
 * One worker at a time uses a queue pair of a port. @dev is the kind's own object.
 */
struct vs_port_ops {
	/**
	 * Take frames from queue pair @pair into @burst (which is empty) until the ring is dry,
	 * the burst is full or VS_VISIT_BYTES are reached, where a group-addressed frame counts
	 * @fanout times. The frames stay valid until rx_done.
	 */
	void (*rx)(void *dev, unsigned int pair, unsigned int fanout, struct vs_burst *burst);

	/**
	 * Give back to the sender what rx took; called after everything was delivered, so that a
	 * crash in between repeats frames and never loses them.
	 */
	void (*rx_done)(void *dev, unsigned int pair);

	/**
	 * Deliver @n frames (at most VS_BURST_MAX) in order. @pair is a hint, the queue pair the
	 * frames came from. @fate[i] is set to VS_DROP_NONE when frame i was delivered, otherwise
	 * to the reason why not.
	 */
	void (*tx)(void *dev, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		   uint8_t *fate);

	/**
	 * Has the device broken the rules since the last call? Asked once per visit; a yes is
	 * passed on to control as VS_EVENT_FAULT and not repeated.
	 */
	bool (*fault_pending)(void *dev);
};

/** Bits of struct vs_port_hot.flags; none is set for an id that is not in use. */
enum vs_port_flag {
	VS_PORT_ADMIN_UP = 1 << 0, /* not set down by the user */
	VS_PORT_UP = 1 << 1,       /* ADMIN_UP, and the other side takes frames */
	VS_PORT_GUARD = 1 << 2,    /* only source address `mac` may be sent (spoof guard) */
};

/** What a stage may know of a port: one cache line. */
struct vs_port_hot {
	const struct vs_port_ops *ops;
	void *dev;
	struct vs_fdb *fdb; /* of the port's switch */
	uint32_t max_frame; /* bytes of an untagged frame without FCS: MTU + 14 */
	uint32_t storm_pps; /* 0: no limit */
	uint16_t id;
	uint16_t sw;  /* index of the switch */
	uint16_t fid; /* broadcast domain of untagged frames */
	uint8_t flags;
	uint8_t pairs; /* queue pairs to poll */
	struct rte_ether_addr mac;
} __rte_cache_aligned;

_Static_assert(sizeof(struct vs_port_hot) == RTE_CACHE_LINE_SIZE, "one cache line");

/** The ports of one broadcast domain that are up: who gets the copies of a flood. */
struct vs_domain {
	const uint16_t *members;
	uint16_t n;
};

struct vs_conf {
	uint16_t n_ports;
	uint16_t ids[VS_PORTS_MAX]; /* ids in use, for polling */
	struct vs_domain domain[VS_FIDS_MAX];
	uint16_t *members; /* storage of all domains' members */
	struct vs_port_hot port[VS_PORTS_MAX];
};

#endif
