/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be asked of the model beyond its objects (control/model.h): counters, how long frames
 * may be, what the workers do, and whether the counters add up.
 *
 * Control thread only.
 */
#ifndef VS_CONTROL_MODEL_SHOW_H
#define VS_CONTROL_MODEL_SHOW_H

#include "control/fail.h"
#include "control/model.h"
#include "dataplane/core/stats.h"
#include "vmq/controller.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- counters ---- */

/**
 * struct vs_stats_view - counters of one port, summed over the workers
 * @counters:	samples in it are the newest ones
 */
struct vs_stats_view {
	const char *port;
	const char *sw;
	const char *vm;
	struct vs_port_stats counters;
};

/** vs_stats_each() - visit the counters of all ports, or of @port (NULL: all). */
int vs_stats_each(struct vs_model *m, const char *port,
		  int (*visit)(const struct vs_stats_view *view, void *ctx), void *ctx,
		  struct vs_fail *fail);

/** vs_stats_tsc_age_ms() - milliseconds since a time stamp of a sample. */
uint64_t vs_stats_tsc_age_ms(uint64_t when_tsc);

/* ---- offloads ---- */

enum {
	/** Room for what a card did wrong, of all its offloads. */
	VS_QUARANTINE_WHY_MAX = 1024,
};

/**
 * struct vs_offload_view - who does what for one port; bits of enum vs_offload
 * @rights:	what its other side may leave to the switch now
 * @caps:	what its other side can do now
 * @used:	of @caps, what is left to it
 * @off:	what the user switched off: bits of enum vs_offload_part
 * @hardware:	what is left to it is left to a network card
 * @quarantine:	what its card claims and does not do; bits, too, and why
 * @guest:	@features (negotiated) and @offered are there: virtio's bits
 */
struct vs_offload_view {
	const char *port;
	const char *sw;
	const char *vm;
	enum vs_port_kind kind;
	unsigned int rights;
	unsigned int caps;
	unsigned int used;
	unsigned int quarantine;
	char quarantine_why[VS_QUARANTINE_WHY_MAX];
	uint32_t off;
	bool hardware;
	bool guest;
	uint64_t features;
	uint64_t offered;
	struct vs_port_stats counters;
};

/** vs_offload_each() - visit all ports, or @port (NULL: all). Return: as vs_stats_each(). */
int vs_offload_each(struct vs_model *m, const char *port,
		    int (*visit)(const struct vs_offload_view *view, void *ctx), void *ctx,
		    struct vs_fail *fail);

/**
 * struct vs_uplink_test_view - what a test has shown of one offload
 * @offload:	a bit of enum vs_offload
 * @quarantined: it is not left to the card, by this test or an earlier one
 * @why:	of what was not tested or is bad; else ""
 */
struct vs_uplink_test_view {
	const char *sw;
	const char *port;
	unsigned int offload;
	enum vs_test_verdict verdict;
	uint32_t sent;
	uint32_t back;
	bool quarantined;
	const char *why;
};

/**
 * vs_uplink_test() - test the offloads that the card of a switch's uplink claims
 * @partner:	who returns frames with their addresses exchanged; all zero: the wire itself does
 * @visit:	called for each offload that can be tested
 *
 * Takes a third of a second if nothing comes back, and two seconds at the very most. A
 * notice tells what is quarantined or released by it.
 *
 * Return: 0; -ENOENT no such switch; -EINVAL it has no uplink; -ENOMEM; what @visit returned.
 */
int vs_uplink_test(struct vs_model *m, const char *sw, const struct rte_ether_addr *partner,
		   int (*visit)(const struct vs_uplink_test_view *view, void *ctx), void *ctx,
		   struct vs_fail *fail);

/* ---- MTU ---- */

/** Where the MTU of a hop comes from. */
enum vs_mtu_from {
	VS_MTU_FROM_SET = 1, /* the user gave it to the port */
	VS_MTU_FROM_AUTO,    /* none was given */
	VS_MTU_FROM_DEVICE,  /* its interface or device has it */
	VS_MTU_FROM_SWITCH,  /* the user gave it to the switch, and the port would carry more */
};

/**
 * struct vs_mtu_view - one port on one network (a VLAN of a switch), or on several that are alike
 * @vid:	the VLAN; 0: untagged frames
 * @last:	the last of the VLANs from @vid on that the same ports are on
 * @net:	effective MTU of the network: the least of its hops
 * @limits:	it is this hop that limits the network
 * @mtu:	of the port on this network, bytes of a frame without header and tag
 * @vmm:	that the VMM has told the guest; 0: it did not say
 * @next:	where a walk goes on behind this
 * @problem:	what does not fit, and what to do; "": all is well
 */
struct vs_mtu_view {
	const char *sw;
	uint16_t vid;
	uint16_t last;
	uint32_t net;
	const char *port;
	enum vs_port_kind kind;
	bool limits;
	uint32_t mtu;
	enum vs_mtu_from from;
	uint32_t vmm;
	uint64_t next;
	char problem[480];
};

/**
 * vs_mtu_each() - visit every port on every network, the ports of a network together
 * @sw:		NULL for all switches
 * @place:	0: from the beginning; or @next of a view: behind that one
 *
 * Work is bounded by VLANs and ports of a switch for each row, however many were shown before.
 *
 * Return: 0; -ENOENT with @fail filled in; what @visit returned, if it was not 0.
 */
int vs_mtu_each(struct vs_model *m, const char *sw, uint64_t place,
		int (*visit)(const struct vs_mtu_view *view, void *ctx), void *ctx,
		struct vs_fail *fail);

/* ---- queues of uplinks ---- */

/**
 * struct vs_vmq_view - a port on a switch with an uplink, and its queue
 * @port:	owner; of the default queue: the uplink
 * @has_queue:	it has one of its own, or is the default one
 * @id:		of the queue; 0: the default one
 * @engine:	what sorts; "off": nothing
 * @reason:	why that one
 * @limit:	queues that the switch may have; 0: any number
 * @filters:	"MAC vlan N, MAC untagged"; as many as there is room for
 * @astray:	frames that came by a hw queue of the port and are not for it
 * @wanted:	filters that the port would have; VS_VMQ_FILTERS_MAX of them are in force
 * @text:	what else is to be said, or NULL
 */
struct vs_vmq_view {
	const char *sw;
	const char *port;
	bool is_default;
	bool has_queue;
	uint32_t id;
	const char *engine;
	const char *reason;
	const char *state;
	const char *text;
	uint32_t limit;
	uint32_t weight;
	uint32_t worker;
	uint32_t wanted;
	uint64_t frames;
	uint64_t bytes;
	uint64_t astray;
	char filters[1024];
};

/** vs_vmq_each() - visit the default queue of each uplink, and behind it each guest's port. */
int vs_vmq_each(struct vs_model *m, const char *sw,
		int (*visit)(const struct vs_vmq_view *view, void *ctx), void *ctx,
		struct vs_fail *fail);

/* ---- workers ---- */

/** struct vs_worker_view - a worker as shown; see struct vs_worker_stats for the counters */
struct vs_worker_view {
	uint32_t id;
	int cpu;  /* -1: any that the process may use */
	int node; /* NUMA node of that; -1: it has none */
	uint64_t total_cycles;
	uint64_t busy_cycles;
	uint64_t frames;
	uint64_t rounds;
	uint64_t naps;
	uint64_t tsc_hz;
	uint64_t events_lost; /* that control was not told of */
	uint32_t ports;       /* that it visits */
	uint32_t pairs;       /* queue pairs of these */
	const char *state;    /* "polling", "napping" or "parked" */
	uint64_t parks;
	uint64_t wakes;
	uint64_t idle_wakes;
	uint64_t asleep_cycles;
	char awake_for[128]; /* why it does not park, or empty */
	uint32_t load;       /* of the last few samples; of VS_LOAD_ONE */
	char stays[96];      /* why it gives no queue pair away that should, or empty */
};

/** vs_worker_each() - visit all workers. */
int vs_worker_each(struct vs_model *m, int (*visit)(const struct vs_worker_view *view, void *ctx),
		   void *ctx);

/* ---- queue pairs ---- */

/** Who says which worker visits a queue pair. */
enum vs_placed_by {
	VS_PLACED_BY_HOME, /* nobody: it is where it began, or where somebody left it */
	VS_PLACED_BY_HAND,
	VS_PLACED_BY_CONTROLLER,
};

/**
 * struct vs_queue_view - a queue pair of a port
 * @load:	of its worker's time, of the last few samples; of VS_LOAD_ONE
 * @moves:	how often it was moved; the last time...
 * @why:	... for this reason,
 * @from:	... from this worker,
 * @moved_ms:	... so long ago;
 * @text:	... a sentence with the figures. "" if it was not
 */
struct vs_queue_view {
	const char *port;
	const char *sw;
	const char *vm;
	uint32_t pair;
	uint32_t worker;
	enum vs_placed_by by;
	uint32_t load;
	uint64_t moves;
	enum vs_move_why why;
	uint32_t from;
	uint64_t moved_ms;
	char text[192];
};

/** vs_queue_each() - visit the queue pairs of all ports, or of @port (NULL: all). */
int vs_queue_each(struct vs_model *m, const char *port,
		  int (*visit)(const struct vs_queue_view *view, void *ctx), void *ctx,
		  struct vs_fail *fail);

/* ---- audit ---- */

/** Which of the three sums. */
enum vs_audit_sum {
	VS_AUDIT_INGRESS, /* of a port */
	VS_AUDIT_EGRESS,  /* of a port */
	VS_AUDIT_SWITCH,
};

/**
 * struct vs_audit_view - one sum; holds when left == right
 * @name:	port or switch; "(deleted ports)" of a switch are a row of their own
 * @terms:	the sum spelled out with its numbers
 */
struct vs_audit_view {
	enum vs_audit_sum sum;
	const char *name;
	const char *sw;
	uint64_t left;
	uint64_t right;
	char terms[192];
};

/**
 * vs_audit_each() - check all sums at a quiescent point of every worker
 * Return: 0, also when sums do not hold (the views say so); -ETIMEDOUT a worker did not answer;
 * what @visit returned.
 */
int vs_audit_each(struct vs_model *m, int (*visit)(const struct vs_audit_view *view, void *ctx),
		  void *ctx, struct vs_fail *fail);

#endif
