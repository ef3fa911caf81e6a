/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/model_map.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIRST_SIZE = 64,
};

/* The last step of MurmurHash3 (Appleby, public domain): every bit of the key moves every other. */
static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static uint32_t hash(uint64_t owner, uint16_t number, const struct rte_ether_addr *mac)
{
	uint64_t key = 0;

	memcpy(&key, mac, sizeof(*mac));
	return (uint32_t)mix((key | (uint64_t)number << 48) ^ mix(owner));
}

/* Where the key is, or where it would be put. The table is never full. */
static struct model_map_slot *seek(const struct model_map *map, uint64_t owner, uint16_t number,
				   const struct rte_ether_addr *mac)
{
	uint32_t i = hash(owner, number, mac) & (map->size - 1);

	while (map->slot[i].used &&
	       !(map->slot[i].number == number && map->slot[i].owner == owner &&
		 rte_is_same_ether_addr(&map->slot[i].mac, mac)))
		i = (i + 1) & (map->size - 1);
	return &map->slot[i];
}

struct model_map_slot *model_map_find(const struct model_map *map, uint64_t owner, uint16_t number,
				      const struct rte_ether_addr *mac)
{
	struct model_map_slot *slot;

	if (map->size == 0)
		return NULL;
	slot = seek(map, owner, number, mac);
	return slot->used ? slot : NULL;
}

static int grow(struct model_map *map)
{
	struct model_map more = {.size = map->size ? 2 * map->size : FIRST_SIZE, .n = map->n};
	uint32_t i;

	more.slot = calloc(more.size, sizeof(*more.slot));
	if (!more.slot)
		return -1;
	for (i = 0; i < map->size; i++) {
		const struct model_map_slot *s = &map->slot[i];

		if (s->used)
			*seek(&more, s->owner, s->number, &s->mac) = *s;
	}
	free(map->slot);
	*map = more;
	return 0;
}

struct model_map_slot *model_map_put(struct model_map *map, uint64_t owner, uint16_t number,
				     const struct rte_ether_addr *mac)
{
	struct model_map_slot *slot = model_map_find(map, owner, number, mac);

	if (slot)
		return slot;
	if (2 * map->n >= map->size && grow(map) != 0)
		return NULL;
	slot = seek(map, owner, number, mac);
	*slot = (struct model_map_slot){.mac = *mac, .number = number, .used = 1, .owner = owner};
	map->n++;
	return slot;
}

void model_map_free(struct model_map *map)
{
	free(map->slot);
	*map = (struct model_map){0};
}
