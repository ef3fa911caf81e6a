/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queues of an uplink, as the workers see them: which port a frame is for by its destination
 * and VLAN, without the FDB.
 *
 * DOC: theory of operation
 *
 * A port that may have a queue of its own has filters: {destination address, VLAN}, both must
 * match; between the filters of a queue it is enough that one does. A frame that matches none
 * belongs to the default queue. A filter says no more than a static entry of the FDB says (control
 * makes both of the same addresses), so a frame goes to the same port with or without queues.
 *
 * All filters of an uplink stand in one table of slots, at most half full: the key is hashed, and
 * the slots from there on are compared until one is empty. It is part of the snapshot of the
 * configuration and never changes, and it has a random number of its own, so nobody outside knows
 * which addresses share a slot.
 */
#ifndef VS_CORE_VMQ_H
#define VS_CORE_VMQ_H

#include "dataplane/core/limits.h"

#include <rte_ether.h>

#include <stdint.h>
#include <string.h>

/** The default queue, in place of a port. */
#define VS_VMQ_DEFAULT UINT16_MAX

enum {
	/** Queue pairs of an uplink; as many as vs_port_hot.pairs can name. */
	VS_VMQ_PAIRS_MAX = 256,
};

/** struct vs_vmq_slot - one filter; @key 0: none */
struct vs_vmq_slot {
	uint64_t key;
	uint16_t port;
};

/**
 * struct vs_vmq - the filters of one uplink
 * @mask:	slots - 1, a power of two
 * @shift:	of the hash, to as many bits
 * @factor:	of the hash, odd
 * @owner:	by queue pair of the uplink: the port that has it for itself, because whatever sorts
 *		before the switch lets nothing else into it; VS_VMQ_DEFAULT: frames of any port
 */
struct vs_vmq {
	uint64_t factor;
	uint32_t mask;
	uint32_t n_filters;
	uint8_t shift;
	uint16_t owner[VS_VMQ_PAIRS_MAX];
	struct vs_vmq_slot slot[];
};

/** vs_vmq_key() - a filter, or what a frame has, in one word; never 0 for an address but zero */
static inline uint64_t vs_vmq_key(const struct rte_ether_addr *mac, uint16_t vid)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, mac->addr_bytes, sizeof(low));
	memcpy(&high, mac->addr_bytes + sizeof(low), sizeof(high));
	return (uint64_t)vid << 48 | (uint64_t)high << 32 | low;
}

/** vs_vmq_find() - the port whose queue @key belongs to, or VS_VMQ_DEFAULT. */
static inline uint16_t vs_vmq_find(const struct vs_vmq *vmq, uint64_t key)
{
	uint32_t at = (uint32_t)(key * vmq->factor >> vmq->shift);

	/* It ends: a slot in two is empty. */
	for (;; at++) {
		const struct vs_vmq_slot *slot = &vmq->slot[at & vmq->mask];

		if (slot->key == key)
			return slot->port;
		if (slot->key == 0)
			return VS_VMQ_DEFAULT;
	}
}

#endif
