/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration as the workers see it: one immutable snapshot, built by control, published
 * with vs_rcu_publish() and freed after a grace period. Nothing in it changes while a worker
 * can see it; what does change (rings, counters, token buckets) lives behind `dev` or in the
 * worker.
 */
#ifndef VS_CORE_CONF_H
#define VS_CORE_CONF_H

#include "dataplane/core/bell.h"
#include "dataplane/core/limits.h"
#include "dataplane/core/pkt.h"
#include "dataplane/core/tap.h"
#include "dataplane/core/watch.h"

#include <rte_common.h>
#include <rte_ether.h>

#include <stdbool.h>

struct vs_fdb;
struct vs_nvgre;
struct vs_vmq;

/**
 * struct vs_port_ops - what a kind of port can do for a worker
 *
 * One worker visits a queue pair (rx, rx_done, fault_pending); all of them may deliver to it (tx)
 * at once. @dev is the kind's own object.
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
	 * frames came from (or the worker: VS_PORT_TX_BY_WORKER). @fate[i] is set to VS_DROP_NONE
	 * when frame i was delivered, otherwise to the reason why not. Frames that another worker
	 * is in the way of are not touched, and their fate is VS_DROP_TX_BUSY; so is that of all
	 * later ones of their flows.
	 */
	void (*tx)(void *dev, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		   uint8_t *fate);

	/**
	 * Has the device broken the rules since the last call? Asked once per visit; a yes is
	 * passed on to control as VS_EVENT_FAULT and not repeated.
	 */
	bool (*fault_pending)(void *dev);

	/**
	 * Where to see that queue pair @pair has frames, without a visit. NULL: only a visit
	 * tells. Asked after everything there was taken, or would have been found.
	 */
	struct vs_watch (*watch)(void *dev, unsigned int pair);

	/** What rings when frames come to queue pair @pair. NULL: only a visit tells. */
	struct vs_bell (*bell)(void *dev, unsigned int pair);

	/**
	 * Whether the other side is to ring it. NULL: it always does. The caller looks for frames
	 * once more behind a full fence, for the bell may have come too late for some. Return:
	 * false: there is something to do at the next visit, which no bell tells of.
	 */
	bool (*wish)(void *dev, unsigned int pair, enum vs_bell_wish wish);

	/**
	 * Do what was put off (core/owed.h) and is due at time stamp @now. NULL: nothing ever is.
	 * Return: when to ask again; VS_OWED_NEVER: nothing is left.
	 */
	uint64_t (*remind)(void *dev, uint64_t now);

	/**
	 * What the other side may leave undone in the frames that rx took in this visit, and what
	 * it can do itself to frames that tx is given in this visit: bits of enum vs_offload. Asked
	 * only for frames with something to say. NULL: nothing.
	 */
	unsigned int (*rights)(void *dev);
	unsigned int (*caps)(void *dev);
};

/** Bits of struct vs_port_hot.flags; none is set for an id that is not in use. */
enum vs_port_flag {
	VS_PORT_ADMIN_UP = 1 << 0, /* not set down by the user */
	VS_PORT_UP = 1 << 1,       /* ADMIN_UP, and the other side takes frames */
	VS_PORT_GUARD = 1 << 2,    /* only source address `mac` may be sent (spoof guard) */
	VS_PORT_PRIORITY = 1 << 3, /* the 802.1p priority of its tags is kept */
	/* its tx is told the worker in place of the sender's pair: a queue for each worker */
	VS_PORT_TX_BY_WORKER = 1 << 4,
	VS_PORT_MANY = 1 << 5,   /* an uplink: many senders stand behind it (fair.h) */
	VS_PORT_TUNNEL = 1 << 6, /* no device: what is sent to it is encapsulated (core/nvgre.h) */
};

/** Which stages the frames of a port go through (pipeline.c). */
enum vs_path {
	VS_PATH_PLAIN,
	VS_PATH_QUEUES, /* an uplink with queues */
	VS_PATH_TENANT, /* a tenant's guest, a tunnel port, an uplink with provider addresses */
	VS_PATHS,
};

/**
 * struct vs_trunk - the VLANs of a port that sends and receives tagged frames
 * @allowed:	bit per VLAN id
 * @fid_of_vid:	VS_VIDS_MAX entries of its switch; 0: no port but an uplink is on that VLAN
 */
struct vs_trunk {
	uint64_t allowed[VS_VIDS_MAX / 64];
	const uint16_t *fid_of_vid;
};

/** vs_trunk_allows() - is @vid (below VS_VIDS_MAX) one of the trunk's VLANs? */
static inline bool vs_trunk_allows(const struct vs_trunk *trunk, uint16_t vid)
{
	return (trunk->allowed[vid / 64] >> (vid % 64)) & 1;
}

/** What a stage may know of a port: one cache line. */
struct vs_port_hot {
	const struct vs_port_ops *ops;
	void *dev;
	struct vs_fdb *fdb;           /* of the port's switch */
	const struct vs_trunk *trunk; /* NULL: no tagged frames */
	uint32_t max_frame;           /* bytes of an untagged frame without FCS: MTU + 14 */
	uint32_t storm_pps;           /* of each worker that visits it; 0: no limit */
	uint16_t id;
	uint16_t sw;     /* index of the switch */
	uint16_t fid;    /* broadcast domain of untagged frames */
	uint16_t vid;    /* VLAN of untagged frames: access or native VLAN */
	uint16_t fanout; /* members of the largest broadcast domain it can send to */
	uint16_t flags;
	uint8_t pairs;       /* queue pairs to poll */
	uint8_t workers;     /* that visit it: each has its share of what is limited */
	uint8_t offload_off; /* enum vs_offload: caps of the other side that are not used */
	uint8_t path;        /* enum vs_path */
	struct rte_ether_addr mac;
	uint16_t vmq; /* 1 + index into vs_conf.vmq: an uplink's queues; 0: it has none */
} __rte_cache_aligned;

_Static_assert(sizeof(struct vs_port_hot) == RTE_CACHE_LINE_SIZE, "one cache line");

/** vs_port_rights() - what the other side of a port may leave to the switch. Bits of vs_offload. */
static inline unsigned int vs_port_rights(const struct vs_port_hot *port)
{
	return port->ops && port->ops->rights ? port->ops->rights(port->dev) : 0;
}

/** vs_port_abilities() - what the other side of a port takes as it is. Bits of vs_offload. */
static inline unsigned int vs_port_abilities(const struct vs_port_hot *port)
{
	return port->ops && port->ops->caps ? port->ops->caps(port->dev) : 0;
}

/** vs_port_caps() - what may be left to the other side of a port: all of that, or some of it. */
static inline unsigned int vs_port_caps(const struct vs_port_hot *port)
{
	return vs_port_abilities(port) & ~(unsigned int)port->offload_off;
}

/**
 * struct vs_domain - the ports of one broadcast domain that are up: who gets copies of a flood
 * @n_unknown:	the first so many members get frames to unknown unicast addresses
 */
struct vs_domain {
	const uint16_t *members;
	uint16_t n;
	uint16_t n_unknown;
};

/** struct vs_group - the ports that share one cluster address in one broadcast domain */
struct vs_group {
	const uint16_t *members;
	uint16_t n;
	uint16_t fid; /* the domain; a number may have been another cluster's a moment ago */
};

/** The queue pair of a port that has none: it is only asked whether it is at fault. */
#define VS_PAIR_NONE UINT8_MAX

/** struct vs_poll - a queue pair of a port that a worker visits */
struct vs_poll {
	uint16_t port;
	uint8_t pair;
};

/** struct vs_poll_list - what one worker visits; the pairs of a port stand together */
struct vs_poll_list {
	const struct vs_poll *poll;
	uint16_t n;
};

struct vs_conf {
	uint16_t n_ports;
	uint16_t ids[VS_PORTS_MAX]; /* ids in use */
	struct vs_poll_list work[VS_WORKERS_MAX];
	uint16_t n_taps;
	const struct vs_tap *tap[VS_TAPS_MAX]; /* captures; owned by control */
	uint32_t n_fids;
	struct vs_domain *domain;     /* by fid, n_fids of them */
	uint16_t *members;            /* storage of all members of domains and groups */
	struct vs_trunk *trunks;      /* storage of all trunks */
	uint16_t *fid_of_vid;         /* storage of all switches' tables */
	struct vs_poll *polls;        /* storage of all lists of work */
	const struct vs_nvgre *nvgre; /* tenant networks; NULL: there are none */
	uint16_t n_vmqs;
	struct vs_vmq **vmq;                   /* the queues of uplinks, owned */
	uint64_t has_queue[VS_PORTS_MAX / 64]; /* control: ports that have one */
	struct vs_group group[VS_GROUPS_MAX];
	struct vs_port_hot port[VS_PORTS_MAX];
};

#endif
