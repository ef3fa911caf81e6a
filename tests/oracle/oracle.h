/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The differential oracle: random switches, and frames through the real path and through a slow
 * reference, which must agree in everything that somebody can see.
 *
 * DOC: theory of operation
 *
 * A *world* is a switch (or two) with guests whose rings lie in plain memory. A *row* of steps acts
 * on it: a frame is put into a ring, receive buffers are posted, a queue pair is visited, what
 * workers reported is learnt, time passes, ports are changed. World and row follow from one
 * number, the seed, and each step carries a number of its own, so that the row means the same
 * after steps were taken out of it. That is how a failure is made short (shrink.c).
 *
 *	spec.c, row.c    the world and its row, out of the seed
 *	driver.c         the guests' side of the rings: real memory, and a note of each chain
 *	frame.c, chain.c what guests send, how they cut it, and how they break the rules
 *	fast.c           the world as the switch has it, with the real stages, guests and tables
 *	reference.c      where a frame goes and why not, from doc/datapath.md, byte by byte
 *	deliver.c        what its receivers must find, compared with what they found
 *	addresses.c      the reference's table of addresses: a list
 *	run.c            a row on both, compared after each step
 *
 * The reference shares nothing with the path but the reasons' names and what virtio and Ethernet
 * say. It knows a chain by the driver's note, never by its descriptors. All its numbers are those
 * of the documents, written down once more (enum documented).
 *
 * Time is the oracle's own: a row's time stamps advance by its steps only.
 */
#ifndef TESTS_ORACLE_ORACLE_H
#define TESTS_ORACLE_ORACLE_H

#include "dataplane/core/drop.h"
#include "dataplane/guest/ring.h"

#include <stdbool.h>
#include <stdint.h>

/** Bounds of a world. */
enum {
	OR_PORTS = 12,
	OR_PAIRS = 3,
	OR_SWITCHES = 2,
	OR_VLANS = 5, /* of a switch; 0 is the untagged one */
	OR_CLUSTERS = 2,
	OR_MACS = 24,
	OR_RING_MAX = 256,
	OR_ARENA_BYTES = 512 * 1024,
	OR_ARENAS = 2,
	OR_GUARD = 8, /* bytes behind each buffer that nobody may touch */
	OR_FRAME_MAX = 72 * 1024,
	OR_STEPS_MAX = 2600,
	OR_NO_PORT = 0xffff,
	OR_CLUSTER_BASE =
		5000, /* where an address is that several ports share: this and its index */
};

/** VLANs that ports may be on; frames name others as well. */
extern const uint16_t or_vids[OR_VLANS];

/** The random numbers (splitmix64). */
struct or_rng {
	uint64_t state;
};

static inline uint64_t or_rand(struct or_rng *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/** or_below() - 0..@n - 1 */
static inline uint32_t or_below(struct or_rng *r, uint32_t n)
{
	return (uint32_t)((or_rand(r) >> 32) * n >> 32);
}

/** or_chance() - true @percent times of 100 */
static inline bool or_chance(struct or_rng *r, uint32_t percent)
{
	return or_below(r, 100) < percent;
}

struct or_mac {
	uint8_t b[6];
};

/** What a port is to VLANs. */
enum or_mode {
	OR_UNTAGGED,
	OR_ACCESS,
	OR_TRUNK,
};

/** What happens to frames to unknown addresses. */
enum or_unknown {
	OR_FLOOD,
	OR_UPLINK,
	OR_DROP,
};

/** struct or_port_spec - a port as its user made it, and the driver behind it */
struct or_port_spec {
	uint8_t sw;
	bool uplink;
	bool admin_up;
	bool up; /* the other side takes frames */
	bool guard;
	bool priority;
	uint8_t mode; /* enum or_mode */
	uint8_t own;  /* its own VLAN (access, native), an index into or_vids */
	bool list[OR_VLANS];
	uint32_t mtu;
	uint32_t storm;
	uint32_t max_macs;
	struct or_mac mac; /* given to it, if it has a guard */
	uint8_t pairs;
	uint8_t ring_flags; /* enum vs_ring_flag */
	uint8_t hdr_len;
	uint16_t ring_size;
	uint32_t rx_buffer; /* bytes of its receive buffers, more or less */
};

/** struct or_cluster - an address that ports share */
struct or_cluster {
	bool used;
	uint8_t sw;
	uint8_t vlan;
	struct or_mac mac;
	bool port[OR_PORTS];
};

/** struct or_spec - a world; steps change it */
struct or_spec {
	unsigned int n_ports;
	unsigned int n_switches;
	uint8_t unknown[OR_SWITCHES]; /* enum or_unknown */
	uint32_t fdb_size;
	uint32_t hostile;     /* of 1,000 chains */
	uint32_t odd;         /* of 100 chains: cut otherwise than in one piece */
	uint32_t strange;     /* of 100 frames: malformed in some way */
	uint32_t long_frames; /* of 100 frames */
	struct or_port_spec port[OR_PORTS];
	struct or_cluster cluster[OR_CLUSTERS];
	struct or_mac mac[OR_MACS];
};

enum or_action {
	OR_SEND,    /* a frame into a transmit ring */
	OR_POST,    /* receive buffers into a receive ring */
	OR_VISIT,   /* a burst of a queue pair */
	OR_LEARN,   /* control takes what was reported */
	OR_TIME,    /* time passes */
	OR_FORGET,  /* entries are removed: aged, flushed, of a port, or one address */
	OR_ENTER,   /* a static address */
	OR_CHANGE,  /* something of a port or the switch is set */
	OR_RESTART, /* the driver starts its rings anew */
	OR_ACTIONS,
};

/** struct or_step - one act, and the number that says the rest of it */
struct or_step {
	uint8_t action; /* enum or_action */
	uint8_t port;
	uint8_t pair;
	uint64_t number;
};

/** struct or_buf - one descriptor's buffer as the driver made it */
struct or_buf {
	uint8_t *at;
	uint32_t len;
	uint8_t fault; /* enum vs_ring_fault that meeting it is; then it is the last */
};

/**
 * struct or_chain - the driver's note of a chain that the switch has not given back
 * @bytes:	transmit: what it holds, virtio-net header first, @total of them
 * @own:	descriptors of the ring's table that it takes
 * @taken:	bytes of each arena
 */
struct or_chain {
	uint16_t head;
	bool bad_head; /* the available ring names another one, beyond the table */
	uint16_t n_own;
	uint16_t own[OR_RING_MAX];
	uint32_t n_bufs;
	struct or_buf *buf;
	uint8_t *bytes;
	uint32_t total;
	uint32_t taken[OR_ARENAS];
};

/** struct or_arena - memory that buffers are cut from, round and round */
struct or_arena {
	uint8_t *base;
	uint64_t gpa;
	uint32_t head;
	uint32_t used;
};

/**
 * struct or_ring - the driver's side of one ring
 * @chain:	outstanding, oldest first: @n from @first on, around OR_RING_MAX
 * @dead:	why the switch must have detached it (enum vs_ring_fault)
 * @seen:	used entries that the reference has accounted for
 */
struct or_ring {
	struct vs_ring *ring;
	uint8_t *memory;
	struct vs_mem mem;
	struct or_arena arena[OR_ARENAS];
	uint16_t free[OR_RING_MAX];
	uint16_t n_free;
	uint16_t avail;
	uint16_t seen;
	uint16_t first;
	uint16_t n;
	uint8_t dead;
	bool jumped; /* its available index is nonsense */
	struct or_chain chain[OR_RING_MAX];
};

/** struct or_counts - what must have been counted at a port */
struct or_counts {
	uint64_t received;
	uint64_t received_bytes; /* of frames that could be taken */
	uint64_t untaken;        /* frames that could not: how many bytes they count is not said */
	uint64_t forwarded;
	uint64_t flooded;
	uint64_t attempts;
	uint64_t sent;
	uint64_t sent_bytes;
	uint64_t drops[VS_DROP_COUNT];
};

/** struct or_address - an entry of the reference's table */
struct or_address {
	uint8_t sw;
	uint8_t vlan;
	bool is_static;
	uint16_t port; /* or OR_CLUSTER_BASE and a cluster */
	uint32_t seen;
	struct or_mac mac;
};

/** struct or_fact - a source address that was new or had moved, and so was to be reported */
struct or_fact {
	uint8_t vlan;
	uint8_t port;
	bool must;         /* the next reports have it */
	bool may;          /* it may be in them */
	bool told;         /* @when and @removals count */
	uint64_t when;     /* when it was to be reported last */
	uint64_t removals; /* how often entries had been removed or moved then */
	struct or_mac mac;
};

enum {
	OR_ADDRESSES = 512,
	OR_FACTS = 4096,
};

struct or_fast;

/** struct or_world - everything that one row acts on */
struct or_world {
	struct or_spec spec;
	struct or_fast *fast;
	struct or_ring ring[OR_PORTS][OR_PAIRS][2]; /* [0]: the guest receives, [1]: it sends */
	uint64_t now;                               /* time stamp counter */
	uint64_t hz;

	/* the reference */
	struct or_counts counts[OR_PORTS];
	uint64_t copies[OR_SWITCHES];
	struct or_address address[OR_ADDRESSES];
	uint32_t n_addresses;
	struct or_fact fact[OR_FACTS];
	uint32_t n_facts;
	uint64_t removals[OR_SWITCHES];
	double storm_debt[OR_PORTS]; /* frames of the storm limit that are used up */
	uint64_t storm_when[OR_PORTS];

	uint64_t frames; /* taken by the switch so far */
	uint64_t by_reason[VS_DROP_COUNT];
	uint64_t delivered;
	uint64_t faults;
	char why[512]; /* the first difference; empty: none */
};

/** or_differ() - note a difference, if it is the first */
void or_differ(struct or_world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** or_spec_new() - a random world */
void or_spec_new(struct or_rng *r, struct or_spec *ret_spec);

/** or_spec_change() - something in it is set otherwise */
void or_spec_change(struct or_rng *r, struct or_spec *spec, unsigned int port);

/** or_spec_is_on() - does a port name a VLAN (an index into or_vids)? */
bool or_spec_is_on(const struct or_port_spec *p, unsigned int vlan);

/** or_spec_fid() - number of the broadcast domain of a VLAN; 0: it has none */
uint16_t or_spec_fid(const struct or_spec *spec, unsigned int sw, unsigned int vlan);

/** or_row_new() - a random row. Return: steps. */
unsigned int or_row_new(struct or_rng *r, const struct or_spec *spec, struct or_step *row);

/** or_frame_make() - what a guest sends, virtio-net header first. Return: bytes. */
uint32_t or_frame_make(struct or_rng *r, const struct or_spec *spec, unsigned int port,
		       uint8_t *to);

/** or_driver_new() - memory of a ring, once in the life of the program */
void or_driver_new(struct or_ring *d);

/** or_driver_start() - an empty ring whose indices begin anywhere */
void or_driver_start(struct or_rng *r, struct or_ring *d, const struct or_port_spec *p);

/** or_driver_stop() - forget what is outstanding */
void or_driver_stop(struct or_ring *d);

/** or_driver_retire() - the oldest chain came back */
void or_driver_retire(struct or_ring *d);

/** or_driver_oldest() - chain @i of the outstanding ones, oldest first; NULL: there are fewer */
struct or_chain *or_driver_oldest(struct or_ring *d, unsigned int i);

/** or_driver_new_chain() - a note for the next chain; NULL: the ring is full */
struct or_chain *or_driver_new_chain(struct or_ring *d);

/** or_driver_alloc() - a buffer of @len bytes. Return: false: no room is left. */
bool or_driver_alloc(struct or_rng *r, struct or_ring *d, struct or_chain *c, uint32_t len,
		     struct or_buf *ret_buf);

/**
 * or_driver_publish() - write the descriptors of @c and make it available
 * @direct:	so many buffers in the ring's own table, the others in an indirect one
 * @write:	the flag of receive buffers
 *
 * Return: false: it does not fit, and nothing was done.
 */
bool or_driver_publish(struct or_rng *r, struct or_ring *d, struct or_chain *c, uint32_t direct,
		       bool write);

/** or_driver_jump() - an available index that no driver would write */
void or_driver_jump(struct or_ring *d);

/** or_driver_is_guarded() - is what stands behind a buffer as it was? */
bool or_driver_is_guarded(const struct or_buf *b);

/** or_driver_undo() - the chain that was begun is not to be */
void or_driver_undo(struct or_ring *d, struct or_chain *c);

/** or_chain_send() - a frame, cut somehow, into a transmit ring, if there is room */
void or_chain_send(struct or_rng *r, const struct or_spec *spec, unsigned int port,
		   struct or_ring *d);

/** or_chain_post() - receive buffers, as many as there is room for, up to a random number */
void or_chain_post(struct or_rng *r, const struct or_spec *spec, unsigned int port,
		   struct or_ring *d);

/** or_fast_new() - the world as the switch has it, once in the life of the program */
struct or_fast *or_fast_new(void);

/** or_fast_start() - empty tables and counters, a configuration out of @w->spec. */
void or_fast_start(struct or_world *w);

/** or_fast_stop() - the end of a world */
void or_fast_stop(struct or_world *w);

/** or_fast_configure() - a configuration out of @w->spec */
void or_fast_configure(struct or_world *w);

/** or_fast_ring() - ring of the guest at a port, for the driver */
struct vs_ring *or_fast_ring(struct or_fast *f, unsigned int port, unsigned int pair,
			     unsigned int side);

/** or_fast_restart() - let the worker use a ring of which the driver made a new one */
void or_fast_restart(struct or_world *w, unsigned int port, unsigned int pair, unsigned int side);

/** or_fast_visit() - Return: frames received. */
unsigned int or_fast_visit(struct or_world *w, unsigned int port, unsigned int pair);

/** or_fast_learn() - take what was reported; each goes to or_address_report() as well */
void or_fast_learn(struct or_world *w);

/** or_fast_forget(), or_fast_enter() - as or_address_forget() and or_address_enter() */
void or_fast_forget(struct or_world *w, unsigned int what, unsigned int port,
		    const struct or_mac *mac, unsigned int vlan, uint32_t before);
void or_fast_enter(struct or_world *w, unsigned int port, unsigned int vlan,
		   const struct or_mac *mac);

/** or_fast_compare() - counters and tables against those of the reference */
void or_fast_compare(struct or_world *w);

/** What or_address_forget() removes. */
enum or_forget {
	OR_ALL_LEARNT,
	OR_LEARNT_OF_PORT,
	OR_SEEN_BEFORE,
	OR_ONE,
	OR_FORGETS,
};

/** or_address_find() - NULL: unknown */
struct or_address *or_address_find(struct or_world *w, unsigned int sw, unsigned int vlan,
				   const struct or_mac *mac);

/** or_address_seen() - a frame came from @mac at @port */
void or_address_seen(struct or_world *w, unsigned int port, unsigned int vlan,
		     const struct or_mac *mac);

/** or_address_report() - the switch reported that @mac is at @port: was it to? Then learn it. */
void or_address_report(struct or_world *w, unsigned int port, unsigned int vlan,
		       const struct or_mac *mac);

/** or_address_reported() - these were all: is one missing? */
void or_address_reported(struct or_world *w);

/** or_address_forget() - remove entries of the switch of @port */
void or_address_forget(struct or_world *w, enum or_forget what, unsigned int port,
		       const struct or_mac *mac, unsigned int vlan, uint32_t before);

/** or_address_enter() - a static address */
void or_address_enter(struct or_world *w, unsigned int port, unsigned int vlan,
		      const struct or_mac *mac);

/** or_address_now_s() - the second it is */
uint32_t or_address_now_s(const struct or_world *w);

/** or_reference_visit() - the switch took @n frames: what must have become of them? */
void or_reference_visit(struct or_world *w, unsigned int port, unsigned int pair, unsigned int n);

/**
 * struct or_out - a frame that is to leave
 * @macs:	destination and source
 * @rest:	what is behind them, @len bytes; the tag of its VLAN is not there
 * @judged:	so many of them the switch looks at
 */
struct or_out {
	const uint8_t *macs;
	const uint8_t *rest;
	uint32_t len;
	uint32_t judged;
	uint16_t vid;
	uint8_t pcp;
	bool tagged;
};

/** Keys of the numbers of flows, for both sides; the second one is odd. */
extern const uint64_t or_flow_keys[4];

/** or_flow_ring() - which of @n receive rings a frame belongs to */
unsigned int or_flow_ring(const struct or_out *out, unsigned int n);

/** or_deliver() - @n frames, in order, must have reached @port */
void or_deliver(struct or_world *w, unsigned int port, const struct or_out *out, unsigned int n);

/** or_run() - a row on a new world. Return: steps done; fewer than @n: @w->why says why. */
unsigned int or_run(struct or_world *w, const struct or_spec *spec, const struct or_step *row,
		    unsigned int n);

/** or_shrink() - take out of a failing row what is not needed. Return: steps left. */
unsigned int or_shrink(struct or_world *w, const struct or_spec *spec, struct or_step *row,
		       unsigned int n);

/** or_print() - a world and a row, for people */
void or_print(const struct or_spec *spec, const struct or_step *row, unsigned int n);

#endif
