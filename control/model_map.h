/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small hash table of addresses, for the time of a transaction: open addressing, grows by
 * doubling, forgets all at once. Keys come from those who may configure the switch.
 */
#ifndef VS_CONTROL_MODEL_MAP_H
#define VS_CONTROL_MODEL_MAP_H

#include <rte_ether.h>

#include <stdint.h>

/** struct model_map_slot - an address and what is known of it; @used 0: the slot is free */
struct model_map_slot {
	struct rte_ether_addr mac;
	uint16_t number; /* forwarding id or VLAN */
	uint32_t used;
	uint64_t owner;
	uint64_t value;
};

/** struct model_map - all zero: empty */
struct model_map {
	struct model_map_slot *slot;
	uint32_t size; /* 0, or a power of two */
	uint32_t n;
};

/** model_map_find() - the slot of that key, valid until the next model_map_put(); NULL: none. */
struct model_map_slot *model_map_find(const struct model_map *map, uint64_t owner, uint16_t number,
				      const struct rte_ether_addr *mac);

/** model_map_put() - the slot of that key, made if it is not there. Return: it; NULL: no memory. */
struct model_map_slot *model_map_put(struct model_map *map, uint64_t owner, uint16_t number,
				     const struct rte_ether_addr *mac);

/** model_map_free() - forget all. */
void model_map_free(struct model_map *map);

#endif
