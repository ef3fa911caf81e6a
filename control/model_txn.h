/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transactions, for the files of the model (model*.c).
 *
 * DOC: theory of operation
 *
 * Every change of the model is part of a transaction: one that a batch has opened, or one of its
 * own. A change alters the arrays at once, so that the next one of the same batch sees it, and
 * notes how it is undone:
 *
 * - Before an object is changed it is touched: what it was is copied (once per transaction), and
 *   its record is kept for those who want to know what changed.
 * - A new port has its device made at once, as that is what can fail. A port that goes leaves the
 *   arrays, but its id, its device, its counters and its memory stay until the end, as a worker
 *   uses them until then. The same with switches.
 * - Tables of addresses are read by workers. What is to change in them is only noted
 *   (model_pending.c), and looked up there before the table itself.
 * - Forwarding ids and clusters are taken at once, and those that nobody needs are given back at
 *   the end, whether it is a good one or not.
 * - Publishing and notices wait.
 *
 * Commit builds the snapshot, asks the hook, lets the workers have it, waits one grace period,
 * and then does what waited; from the hook on nothing can fail. Ports that moved to another switch
 * are in no snapshot for one more grace period, in which what the old switch knows of them is
 * forgotten: no frame of the one is ever seen by the other. Abort puts back what was copied, in
 * reverse order. The event loop does not run in between, so no event of a worker is taken.
 */
#ifndef VS_CONTROL_MODEL_TXN_H
#define VS_CONTROL_MODEL_TXN_H

#include "control/config.h"
#include "control/model_map.h"
#include "control/model_priv.h"

#include <sys/queue.h>

/** struct vs_touched_port - a port that the open transaction made, changed or removed */
struct vs_touched_port {
	TAILQ_ENTRY(vs_touched_port) link;
	struct vs_port *port;
	bool made;
	bool removed;
	bool set;     /* the device was told of changes: @set_what */
	bool shared;  /* of sharing */
	bool statics; /* the records of its static addresses are kept, those that came later, too */
	unsigned int set_what;
	char *addrs; /* of the device before it was told of others; NULL: it was not */
	struct vs_port before;
};

/** struct vs_touched_switch - a switch that the open transaction made, changed or removed */
struct vs_touched_switch {
	TAILQ_ENTRY(vs_touched_switch) link;
	struct vs_switch *sw;
	bool made;
	bool removed;
	bool recorded;           /* there is a struct vs_altered of it */
	struct vs_fdb *next_fdb; /* of another size, still empty; NULL: it keeps the one it has */
	struct vs_fdb *old_fdb;  /* during commit: the one that goes */
	struct vs_pending *pending;
	struct {
		char name[VS_NAME_MAX];
		enum vs_switch_kind kind;
		enum vs_share share;
		enum vs_unknown unknown;
		char uplink[VS_PROTO_UPLINK_SIZE];
		uint32_t fdb_ageing_s;
		uint32_t mtu;
		enum vs_vmq_mode vmq;
		uint32_t vmq_queues;
	} before;
};

/** struct vs_static_note - a static address that came or went */
struct vs_static_note {
	struct vs_port *port;
	struct vs_static address;
	bool added;
};

/** struct vs_altered - an object whose record may have changed */
struct vs_altered {
	TAILQ_ENTRY(vs_altered) link;
	struct vs_config_key key;
	struct nlmsghdr *before;
	/* which object: a switch, or a port, or a static address behind a port */
	struct vs_switch *sw;
	struct vs_port *port;
	struct vs_static address;
	/* as it is now; looked up by model_changes_freeze() */
	struct vs_config_key now;
	struct nlmsghdr *after;
};

/**
 * struct vs_told - a notice that waits; of @link: whether the port went up or down is found then
 */
struct vs_told {
	TAILQ_ENTRY(vs_told) link;
	enum vs_notice_type type; /* 0: the link of port @id, if it still has @serial */
	uint16_t id;
	uint64_t serial;
	char sw[VS_NAME_MAX];
	char port[VS_NAME_MAX];
	struct rte_ether_addr mac;
	char text[];
};

TAILQ_HEAD(vs_changes, vs_altered);
TAILQ_HEAD(vs_touched_ports, vs_touched_port);
TAILQ_HEAD(vs_touched_switches, vs_touched_switch);
TAILQ_HEAD(vs_tolds, vs_told);

/**
 * struct vs_txn - an open transaction
 * @asking:	the hook is being asked: what changed has been looked up
 * @running:	it is being carried out or undone: tables are written themselves
 * @publish:	the workers need a new snapshot
 * @again:	and one more, as a device changed while it ran
 * @spoilt:	a change has failed: 0, or -errno
 */
struct vs_txn {
	enum vs_txn_mode mode;
	enum vs_txn_stage stage;
	bool asking;
	bool running;
	bool publish;
	bool again;
	int spoilt;
	uint64_t serial; /* of the model, before */
	struct vs_touched_ports ports;
	struct vs_touched_switches switches;
	struct vs_static_note *note;
	size_t notes;
	size_t notes_room;
	struct vs_changes changes;
	struct model_map statics; /* struct vs_altered by serial of the port, VLAN and address */
	struct vs_tolds tolds;
	struct vs_port *gone_port[VS_PORTS_MAX];
	struct vs_switch *gone_sw[VS_SWITCHES_MAX];
};

/** Whether a change opened the transaction that it is in. */
enum model_txn_part {
	MODEL_TXN_JOINED,
	MODEL_TXN_OWN,
};

/** model_txn_enter() - a change begins. Return: enum model_txn_part, or -errno with @fail. */
int model_txn_enter(struct vs_model *m, struct vs_fail *fail);

/**
 * model_txn_leave() - a change has ended with @err; one of its own is committed or undone
 * Return: @err, or what vs_txn_commit() said.
 */
int model_txn_leave(struct vs_model *m, int part, int err, struct vs_fail *fail);

/** model_txn_tell() - keep a notice until the end. Return: false: there is no transaction. */
bool model_txn_tell(struct vs_model *m, const struct vs_notice *n);

/**
 * model_forget_waiting() - remove an object that is kept, but could not be made
 * @mode:	of a switch: what becomes of ports that are kept
 *
 * Return: how many objects are removed with this transaction; -EBUSY there are ports; -ENOMEM.
 */
int model_forget_waiting(struct vs_model *m, const struct vs_config_key *key, enum vs_del_mode mode,
			 struct vs_fail *fail);

/** model_changes_freeze() - look up what became of the objects. Return: 0 or -ENOMEM. */
int model_changes_freeze(struct vs_model *m, struct vs_changes *changes);

/** model_changes_free() - forget them. */
void model_changes_free(struct vs_changes *changes);

/** model_txn_undo() - put back what was copied: arrays, objects, devices. */
void model_txn_undo(struct vs_model *m);

/** model_txn_is_dry() - no device may be made or changed. */
bool model_txn_is_dry(const struct vs_model *m);

/** model_txn_is_open() - changes are being collected, neither committed nor undone yet. */
bool model_txn_is_open(const struct vs_model *m);

/** model_change_switch() - keep the record of @sw as it is. Return: 0, or -ENOMEM with @fail. */
int model_change_switch(struct vs_switch *sw, bool made, struct vs_fail *fail);

/** model_change_port() - keep the record of @port as it is. Return: 0, or -ENOMEM with @fail. */
int model_change_port(struct vs_port *port, bool made, struct vs_fail *fail);

/** model_touch_port() - before @port is changed or removed. Return: 0, or -ENOMEM with @fail. */
int model_touch_port(struct vs_port *port, struct vs_fail *fail);

/** model_touch_made_port() - @port is being made; it is not in the arrays yet. Return: as above. */
int model_touch_made_port(struct vs_port *port, struct vs_fail *fail);

/** model_involve_switch() - numbers or addresses of @sw may change. Return: as below. */
int model_involve_switch(struct vs_switch *sw, struct vs_fail *fail);

/** model_touch_switch() - before @sw is changed or removed. Return: 0, or -ENOMEM with @fail. */
int model_touch_switch(struct vs_switch *sw, struct vs_fail *fail);

/** model_touch_made_switch() - @sw is being made; it is in the arrays. Return: as above. */
int model_touch_made_switch(struct vs_switch *sw, struct vs_fail *fail);

/** model_touch_static() - before the static address is added or removed. Return: as above. */
int model_touch_static(struct vs_port *port, const struct vs_static *s, struct vs_fail *fail);

/** model_touch_statics() - before all those of @port, which is touched, change their name. */
int model_touch_statics(struct vs_port *port, struct vs_fail *fail);

/** model_note_static() - the static address was added, or removed. Return: 0 or -ENOMEM. */
int model_note_static(struct vs_port *port, const struct vs_static *s, bool added,
		      struct vs_fail *fail);

/** model_keep_addrs() - before the device of @port is given others. Return: 0, or -ENOMEM. */
int model_keep_addrs(struct vs_port *port, struct vs_fail *fail);

/** model_note_set() - the device of @port was told of changes (struct vs_port_change.set). */
void model_note_set(struct vs_port *port, unsigned int what);

/** model_txn_replace() - what is known of the uplink @old is carried on by @port. */
void model_txn_replace(struct vs_port *old, struct vs_port *port);

/** model_txn_tell_link() - when all is done, tell whether the port went up or down. */
void model_txn_tell_link(struct vs_port *port);

/** model_txn_free_id() - an id that no port has, one that goes included. Return: it, or -ENOSPC. */
int model_txn_free_id(const struct vs_model *m);

/** model_txn_free_index() - the same of a switch. */
int model_txn_free_index(const struct vs_model *m);

/** model_txn_take_port() - out of the arrays; it goes when the transaction is committed. */
void model_txn_take_port(struct vs_port *port);

/** model_txn_take_switch() - the same with a switch. */
void model_txn_take_switch(struct vs_switch *sw);

/**
 * model_txn_holder() - a port that goes with this transaction and is still at @place; NULL: none.
 */
const struct vs_port *model_txn_holder(const struct vs_model *m, const char *place);

/* ---- for the end of a transaction, in the files of the objects ---- */

/** model_port_free() - free a port that is in no snapshot, its device and its counters. */
void model_port_free(struct vs_port *port);

/** model_port_undo() - free a port that was never in a snapshot. */
void model_port_undo(struct vs_port *port);

/** model_port_restore() - the device goes back to what it was; the port itself has. */
void model_port_restore(const struct vs_touched_port *t);

/** model_port_tell_link() - a notice if the port went up or down. */
void model_port_tell_link(struct vs_port *port);

/** model_switch_free() - free a switch that no port and no snapshot names. */
void model_switch_free(struct vs_switch *sw);

/** model_check_fdb_size() - may a table take that many? Return: 0, or -ERANGE with @fail. */
int model_check_fdb_size(uint32_t size, struct vs_fail *fail);

/** model_check_ageing() - may addresses age after that time? Return: 0, or -ERANGE with @fail. */
int model_check_ageing(uint32_t seconds, struct vs_fail *fail);

/* ---- addresses (model_pending.c) ---- */

/** struct model_fdb_look - what the table says, or will say */
struct model_fdb_look {
	uint16_t port;
	enum vs_fdb_kind kind;
};

/** model_fdb_look() - the entry of an address. Return: true and *@ret, or false: there is none. */
bool model_fdb_look(const struct vs_switch *sw, uint16_t fid, const struct rte_ether_addr *mac,
		    struct model_fdb_look *ret);

/** model_fdb_used() - entries that the table has, or will have. */
uint32_t model_fdb_used(const struct vs_switch *sw);

/** model_fdb_size() - entries that the table takes, or will take. */
uint32_t model_fdb_size(const struct vs_switch *sw);

/** model_pending_enter() - note an entry to be made. Return: 0, -ENOSPC or -ENOMEM. */
int model_pending_enter(struct vs_switch *sw, uint16_t fid, const struct rte_ether_addr *mac,
			uint16_t port);

/** model_pending_remove() - note entries to be removed. Return: 0 or -ENOMEM. */
int model_pending_remove(struct vs_switch *sw, const struct vs_fdb_filter *filter);

/** model_pending_build() - fill the table of another size, and put it into its place. */
void model_pending_build(struct vs_touched_switch *t);

/** model_pending_unbuild() - take it out of there again. */
void model_pending_unbuild(struct vs_touched_switch *t);

/** model_pending_apply() - do what was noted; a table that was built has it. Cannot fail. */
void model_pending_apply(struct vs_touched_switch *t);

/** model_pending_free() - forget what was noted. */
void model_pending_free(struct vs_touched_switch *t);

#endif
