/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration as records. A record is the message of the control protocol that makes one
 * object again as it is now: SWITCH_NEW, PORT_NEW (PORT_SET for an uplink's port, which comes with
 * its switch), FDB_NEW for a static address. It holds everything that a user may say, with the
 * value in force, and nothing that is only state: an address that the switch chose is there as a
 * given one, an address that was learnt is not.
 *
 * Control thread only.
 */
#ifndef VS_CONTROL_CONFIG_H
#define VS_CONTROL_CONFIG_H

#include "control/model.h"

#include <linux/netlink.h>

#include <stddef.h>

struct vs_msg;

/** Kinds of objects that are configured. */
enum vs_config_object {
	VS_CONFIG_SWITCH = 1,
	VS_CONFIG_PORT,
	VS_CONFIG_FDB, /* a static address */
};

/**
 * struct vs_config_key - which object
 * @name:	of the switch or port; of the switch that a static address is on
 * @mac, @vlan:	of a static address, otherwise 0
 */
struct vs_config_key {
	enum vs_config_object object;
	char name[VS_NAME_MAX];
	struct rte_ether_addr mac;
	uint16_t vlan;
};

enum {
	/** The longest record: two names, an uplink or a path, a trunk of VS_RANGES_MAX ranges. */
	VS_CONFIG_RECORD_MAX = 4096,
};

/**
 * vs_config_record() - the record of one object
 * @ret:	malloc'ed, the caller frees it; NULL: there is no such object
 *
 * Flags NLM_F_REQUEST, sequence number 0. Return: 0 or -ENOMEM.
 */
int vs_config_record(struct vs_model *m, const struct vs_config_key *key, struct nlmsghdr **ret);

/**
 * vs_config_brief() - the record without what its command would do anyway
 * @record:	as made by vs_config_record()
 * @buf:	aligned to 4 bytes, room for VS_CONFIG_RECORD_MAX bytes; the record is put there
 *
 * What protects the user is left out, too: that a network card may be taken in any case (FORCE).
 * Return: 1; 0: nothing is left to be said; -EBADMSG.
 */
int vs_config_brief(const struct nlmsghdr *record, void *buf, size_t size);

/**
 * vs_config_each() - the records of all objects, in an order in which they can be made
 * @visit:	returns 0 to go on; anything else ends the walk and is returned. The record is valid
 *		during the call.
 *
 * Switches, ports, static addresses; those of one kind in order of creation.
 * Return: 0, -ENOMEM, or what @visit returned.
 */
int vs_config_each(struct vs_model *m,
		   int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				void *ctx),
		   void *ctx);

/**
 * vs_config_statics() - the static addresses behind one port, in no order
 * @visit:	as in vs_config_each(); the switch is the port's
 *
 * Return: 0, also when there is no such port, or what @visit returned.
 */
int vs_config_statics(struct vs_model *m, const char *port,
		      int (*visit)(const struct rte_ether_addr *mac, uint16_t vlan, void *ctx),
		      void *ctx);

/** vs_config_put_vlans() - VLAN_MODE, VLAN and VLANS of a port, as in its record. */
void vs_config_put_vlans(struct vs_msg *msg, const struct vs_vlans *vlans);

/** struct vs_config_place - what a name cannot say of an object */
struct vs_config_place {
	uint64_t serial; /* order of creation; stays with the object when it is renamed */
	uint64_t parent; /* serial of the switch of a port, of the port of a static address */
};

/**
 * vs_config_find() - which object stands behind that key now
 * @ret_place:	a static address has no serial: 0
 *
 * Return: true, or false: there is none.
 */
bool vs_config_find(struct vs_model *m, const struct vs_config_key *key,
		    struct vs_config_place *ret_place);

/**
 * vs_config_set_serial() - the switch or port of that key takes its place in the order again
 * @serial:	no other object has it
 *
 * What is made from now on comes behind it. Return: 0, or -ENOENT.
 */
int vs_config_set_serial(struct vs_model *m, const struct vs_config_key *key, uint64_t serial);

/** vs_config_set_last() - what is made from now on comes behind @serial. */
void vs_config_set_last(struct vs_model *m, uint64_t serial);

#endif
