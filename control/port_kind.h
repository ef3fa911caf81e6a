/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the model asks of a kind of port. A new kind is a file kind_<name>.c with one table, and a
 * row in kinds[] of kinds.c; the model itself knows no kind by name but for the rules of switches.
 */
#ifndef VS_CONTROL_PORT_KIND_H
#define VS_CONTROL_PORT_KIND_H

#include "control/model_priv.h"
#include "control/proto.h"

struct vs_selftest_report;

enum {
	/** Of a network card, if it does not say. */
	VS_UPLINK_MTU = 1500,
	/** Half of a table of the default size: stations outside leave room for those inside. */
	VS_UPLINK_MAX_MACS = VS_FDB_SIZE_DEFAULT / 2,
};

/** What a kind is to its switch. */
enum vs_role {
	VS_ROLE_GUEST,
	VS_ROLE_HOST,
	VS_ROLE_UPLINK,
};

/**
 * struct vs_kind_ops - one kind of port
 * @name:	as the user says it
 * @place_attr:	what says where the port is: socket, interface, uplink
 * @ops:	for the workers
 * @mtu:	default; 0: none is given
 * @mtu_follows: a port may be given none: it then takes what its switch does (model_mtu.c)
 * @storm_pps:	default
 * @max_macs:	default
 * @needs_mac:	it gets an address of the pool if none is given
 */
struct vs_kind_ops {
	enum vs_port_kind id;
	enum vs_role role;
	const char *name;
	enum vs_attr place_attr;
	const struct vs_port_ops *ops;
	uint32_t mtu;
	bool mtu_follows;
	uint32_t storm_pps;
	uint32_t max_macs;
	bool needs_mac;

	/**
	 * Where the port will be (@place: socket, interface, device), which must be the only one
	 * there. Return: 0, or -errno with @fail. Nothing is made yet.
	 */
	int (*place)(const struct vs_port_spec *spec, char *place, size_t size,
		     struct vs_fail *fail);

	/** Make port->dev. Return: 0, or -errno with @fail. */
	int (*make)(struct vs_port *port, const struct vs_port_spec *spec, struct vs_fail *fail);

	/** Free port->dev, which no snapshot names any more, and what it made in the host. */
	void (*del)(struct vs_port *port);

	/** The same when the daemon ends. NULL: as @del. */
	void (*leave)(struct vs_port *port);

	/**
	 * Take back make(), which was just called: what was in the host before stays. NULL: as
	 * @del.
	 */
	void (*undo)(struct vs_port *port);

	/** Can frames be delivered? */
	bool (*is_up)(const struct vs_port *port);

	/** Queue pairs that a worker polls. */
	unsigned int (*pairs)(const struct vs_port *port);

	/** A worker reported a fault. NULL: workers of this kind report none. */
	void (*check)(struct vs_port *port);

	/** Fill in state, problem, broken and the kind's own part of @view. */
	void (*info)(const struct vs_port *port, struct vs_port_view *view);

	/** NUMA node of the device, or -1. NULL: it has none. */
	int (*node)(const struct vs_port *port);

	/**
	 * Carry out the part of @change that the kind must do outside of the snapshot. All of it or
	 * nothing. NULL: there is none. Return: 0, or -errno with @fail.
	 */
	int (*set)(struct vs_port *port, const struct vs_port_change *change, struct vs_fail *fail);

	/** Uplinks: share the card with the host, or stop it. Return: 0, or -errno with @fail. */
	int (*share)(struct vs_port *port, enum vs_share share, struct vs_fail *fail);

	/**
	 * Uplinks: test the offloads that the card claims (vs_uplink_test()). NULL: it claims none.
	 * Return: 0 or -ENOMEM.
	 */
	int (*test)(struct vs_port *port, const struct rte_ether_addr *partner,
		    struct vs_selftest_report *ret_report);

	/** Uplinks: bits of enum vs_offload, and @why. NULL: there are never any. */
	unsigned int (*quarantined)(const struct vs_port *port, char *why, size_t size);

	/** The daemon ends, all ports are gone. NULL: nothing is left. */
	void (*end)(struct vs_model *m);

	/** The address that the device has in the host; NULL: the port's address is the user's. */
	struct rte_ether_addr (*device_mac)(const struct vs_port *port);

	/**
	 * Uplinks: address of the host behind it, all zero if it is not there. NULL: it never is.
	 */
	struct rte_ether_addr (*host_mac)(const struct vs_port *port);

	/**
	 * Uplinks: have frames sorted into queues before the switch sees them, as
	 * model_vmq_each_wish() says, or not at all (model_vmq_is_sorted()). NULL: nothing there
	 * can. Return: 0, or -errno with @fail and nothing sorted. *@ret_changed: pairs() or
	 * owner() say something else now.
	 */
	int (*sort)(struct vs_port *port, bool *ret_changed, struct vs_fail *fail);

	/** What does that: a word for the user, and a sentence. */
	const char *sorter;
	const char *sorter_text;

	/** Uplinks that sort: how many ports can have a queue. */
	unsigned int (*queues_max)(const struct vs_port *port);

	/** Uplinks that sort: whose queue @pair is, or VS_VMQ_DEFAULT. */
	uint16_t (*owner)(const struct vs_port *port, unsigned int pair);

	/**
	 * Uplinks that sort: once a second, is what sorts not believed any more? @astray: frames
	 * that came by a port's queue and are not for it. If so, sort() fails from then on. NULL:
	 * it always is.
	 */
	bool (*judge)(struct vs_port *port, uint64_t astray);

	/** Bytes of a frame without its header, where the device decides; NULL: the user does. */
	uint32_t (*device_mtu)(const struct vs_port *port);
};

extern const struct vs_kind_ops vs_kind_guest;
extern const struct vs_kind_ops vs_kind_packet;
extern const struct vs_kind_ops vs_kind_host;
extern const struct vs_kind_ops vs_kind_xdp;
extern const struct vs_kind_ops vs_kind_dpdk;

/** vs_kind_of() - the kind with that number, or NULL: this daemon has none. */
const struct vs_kind_ops *vs_kind_of(enum vs_port_kind id);

#endif
