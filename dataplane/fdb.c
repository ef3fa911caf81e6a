/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/fdb.h"

#include "dataplane/core/limits.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_SLOTS = 4,
	LINES_MAX = 64, /* from a key's home on, in which it may lie */
	PASSED_MAX = UINT8_MAX,
};

/* The key of a free place. It is that of the broadcast address in the last fid: no table has it. */
#define NO_KEY UINT64_MAX

/* A place for an address, and what is known of it. */
struct slot {
	uint64_t key; /* or NO_KEY */
	struct vs_fdb_entry entry;
};

_Static_assert(LINE_SLOTS * sizeof(struct slot) == RTE_CACHE_LINE_SIZE, "a line is one to caches");

struct vs_fdb {
	struct vs_fdb_head head;
	struct slot *slot; /* LINE_SLOTS to a line */
	uint64_t seed[4];
	uint32_t mask;   /* lines - 1; these are a power of two */
	uint32_t probes; /* lines in which a key may lie: LINES_MAX, or all */
	uint32_t size;
	uint32_t used;
	const struct vs_rcu *rcu;
	uint32_t *retired; /* numbers of slots that wait for the grace period */
};

/* The last one given to any table. */
static uint64_t generations;

/* What workers reported of this table, or remember of it, may be out of date. */
static void renew_generation(struct vs_fdb *fdb)
{
	__atomic_store_n(&fdb->head.generation,
			 __atomic_add_fetch(&generations, 1, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
}

/* Fid and address in one word. */
static uint64_t make_key(uint16_t fid, const struct rte_ether_addr *mac)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, mac->addr_bytes, sizeof(low));
	memcpy(&high, mac->addr_bytes + sizeof(low), sizeof(high));
	return (uint64_t)fid << 48 | (uint64_t)high << 32 | low;
}

static uint16_t fid_of(uint64_t key)
{
	return (uint16_t)(key >> 48);
}

static struct rte_ether_addr mac_of(uint64_t key)
{
	struct rte_ether_addr mac;

	memcpy(mac.addr_bytes, &key, sizeof(mac.addr_bytes));
	return mac;
}

/* Both halves of a product, as one word. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide_t;
	const wide_t wide = (wide_t)a * b;

	return (uint64_t)(wide >> 64) ^ (uint64_t)wide;
}

/* Twice: once leaves addresses in a row lying in clusters for some seeds. */
static uint64_t scramble(const struct vs_fdb *fdb, uint64_t key)
{
	const uint64_t once = fold(key ^ fdb->seed[0], fdb->seed[1]);

	return fold(once ^ fdb->seed[2], fdb->seed[3]);
}

static uint32_t slots_of(const struct vs_fdb *fdb)
{
	return (fdb->mask + 1) * LINE_SLOTS;
}

/* The line that a key belongs in, if there is room. */
static uint32_t home_of(const struct vs_fdb *fdb, uint64_t key)
{
	return (uint32_t)scramble(fdb, key) & fdb->mask;
}

/* The places of line @at. */
static struct slot *line_of(const struct vs_fdb *fdb, uint32_t at)
{
	return &fdb->slot[(size_t)at * LINE_SLOTS];
}

/* How many keys lie behind line @at although they belong in it or in front of it. */
static uint8_t *passed(const struct vs_fdb *fdb, uint32_t at)
{
	return &line_of(fdb, at)->entry.passed;
}

int vs_fdb_new(const struct vs_rcu *rcu, uint32_t size, struct vs_fdb **ret_fdb)
{
	struct vs_fdb *fdb;
	uint32_t lines;
	uint32_t i;

	if (size == 0 || size > VS_FDB_SIZE_MAX)
		return -EINVAL;
	fdb = calloc(1, sizeof(*fdb));
	if (!fdb)
		return -ENOMEM;
	renew_generation(fdb);
	/* Never more than half full, so that nearly every key is at home. */
	lines = rte_align32pow2((2 * size + LINE_SLOTS - 1) / LINE_SLOTS);
	fdb->rcu = rcu;
	fdb->size = size;
	fdb->mask = lines - 1;
	fdb->probes = RTE_MIN(lines, (uint32_t)LINES_MAX);
	for (i = 0; i < RTE_DIM(fdb->seed); i++)
		fdb->seed[i] = rte_rand() | (i & 1);
	fdb->slot = rte_malloc("vs_fdb", slots_of(fdb) * sizeof(*fdb->slot), RTE_CACHE_LINE_SIZE);
	fdb->retired = calloc(size, sizeof(*fdb->retired));
	if (!fdb->slot || !fdb->retired)
		goto err;
	for (i = 0; i < slots_of(fdb); i++)
		fdb->slot[i] = (struct slot){.key = NO_KEY, .entry.port = VS_FDB_NO_PORT};
	*ret_fdb = fdb;
	return 0;

err:
	vs_fdb_free(fdb);
	return -ENOMEM;
}

void vs_fdb_free(struct vs_fdb *fdb)
{
	if (!fdb)
		return;
	rte_free(fdb->slot);
	free(fdb->retired);
	free(fdb);
}

/* Return: the place of @key, or NULL. */
static struct slot *find(const struct vs_fdb *fdb, uint64_t key)
{
	uint32_t at = home_of(fdb, key);
	uint32_t n;
	uint32_t i;

	if (unlikely(key == NO_KEY))
		return NULL;
	for (n = 0; n < fdb->probes; n++) {
		struct slot *slot = line_of(fdb, at);

		for (i = 0; i < LINE_SLOTS; i++)
			if (__atomic_load_n(&slot[i].key, __ATOMIC_ACQUIRE) == key)
				return &slot[i];
		if (__atomic_load_n(passed(fdb, at), __ATOMIC_RELAXED) == 0)
			return NULL;
		at = (at + 1) & fdb->mask;
	}
	return NULL;
}

struct vs_fdb_entry *vs_fdb_find(const struct vs_fdb *fdb, uint16_t fid,
				 const struct rte_ether_addr *mac)
{
	struct slot *slot = find(fdb, make_key(fid, mac));

	return slot ? &slot->entry : NULL;
}

/* Return: a free place for @key, or NULL. @ret_passed: full lines in front of it */
static struct slot *find_place(const struct vs_fdb *fdb, uint64_t key, uint32_t *ret_passed)
{
	uint32_t at = home_of(fdb, key);
	uint32_t n;
	uint32_t i;

	for (n = 0; n < fdb->probes; n++) {
		struct slot *slot = line_of(fdb, at);

		for (i = 0; i < LINE_SLOTS; i++) {
			if (slot[i].key == NO_KEY) {
				*ret_passed = n;
				return &slot[i];
			}
		}
		if (*passed(fdb, at) == PASSED_MAX)
			return NULL;
		at = (at + 1) & fdb->mask;
	}
	return NULL;
}

static void count_passed(const struct vs_fdb *fdb, uint32_t at, int by)
{
	uint8_t *n = passed(fdb, at);

	__atomic_store_n(n, (uint8_t)(*n + by), __ATOMIC_RELAXED);
}

/* The address is in the table at @e already. */
static enum vs_fdb_learnt relearn(struct vs_fdb *fdb, struct vs_fdb_entry *e, uint16_t port,
				  enum vs_fdb_kind kind, uint32_t now_s, uint16_t *ret_old)
{
	uint16_t old = e->port;

	if (e->kind == VS_FDB_STATIC && kind == VS_FDB_LEARNT && old != port) {
		*ret_old = old;
		return VS_FDB_HELD;
	}
	if (kind == VS_FDB_STATIC)
		e->kind = VS_FDB_STATIC;
	vs_fdb_entry_touch(e, now_s);
	if (old == port)
		return VS_FDB_KNOWN;
	*ret_old = old;
	__atomic_store_n(&e->port, port, __ATOMIC_RELAXED);
	renew_generation(fdb);
	return VS_FDB_MOVED;
}

enum vs_fdb_learnt vs_fdb_learn(struct vs_fdb *fdb, uint16_t fid, const struct rte_ether_addr *mac,
				uint16_t port, enum vs_fdb_kind kind, uint32_t now_s,
				uint16_t *ret_old)
{
	const uint64_t key = make_key(fid, mac);
	struct slot *slot = find(fdb, key);
	uint32_t at = home_of(fdb, key);
	uint32_t n;

	if (slot)
		return relearn(fdb, &slot->entry, port, kind, now_s, ret_old);
	slot = fdb->used == fdb->size || key == NO_KEY ? NULL : find_place(fdb, key, &n);
	if (!slot)
		return VS_FDB_FULL;
	for (; n > 0; n--, at = (at + 1) & fdb->mask)
		count_passed(fdb, at, 1);
	slot->entry.kind = (uint8_t)kind;
	slot->entry.seen = now_s;
	__atomic_store_n(&slot->entry.port, port, __ATOMIC_RELAXED);
	/* Whoever finds the key finds the rest. */
	__atomic_store_n(&slot->key, key, __ATOMIC_RELEASE);
	fdb->used++;
	return VS_FDB_NEW;
}

bool vs_fdb_matches(const struct vs_fdb_filter *f, uint16_t fid, const struct rte_ether_addr *mac,
		    const struct vs_fdb_entry *e)
{
	bool learnt = e->kind == VS_FDB_LEARNT;

	switch (f->what) {
	case VS_FDB_ALL_LEARNT:
		return learnt;
	case VS_FDB_OF_PORT:
		return e->port == f->port;
	case VS_FDB_LEARNT_OF_PORT:
		return learnt && e->port == f->port;
	case VS_FDB_SEEN_BEFORE:
		return learnt && (int32_t)(e->seen - f->before) < 0;
	case VS_FDB_OF_FIDS:
		return (f->fids[fid / 64] >> (fid % 64)) & 1;
	case VS_FDB_ADDRESS:
		return fid == f->fid && rte_is_same_ether_addr(mac, &f->mac);
	case VS_FDB_JUDGED:
		return f->judge(fid, mac, e, f->ctx);
	}
	return false;
}

/* Take the key out of a slot, which is not used again before a grace period. */
static void forget_key(const struct vs_fdb *fdb, uint32_t number)
{
	struct slot *slot = &fdb->slot[number];
	uint32_t at = home_of(fdb, slot->key);

	for (; at != number / LINE_SLOTS; at = (at + 1) & fdb->mask)
		count_passed(fdb, at, -1);
	__atomic_store_n(&slot->key, NO_KEY, __ATOMIC_RELAXED);
}

/* Does the filter name what is in @slot? */
static bool is_picked(const struct slot *slot, const struct vs_fdb_filter *filter)
{
	const struct rte_ether_addr mac = mac_of(slot->key);

	return slot->key != NO_KEY && vs_fdb_matches(filter, fid_of(slot->key), &mac, &slot->entry);
}

/* Note the slots that the filter names in @fdb->retired. Return: how many. */
static uint32_t pick(struct vs_fdb *fdb, const struct vs_fdb_filter *filter)
{
	uint32_t n = 0;
	uint32_t i;

	if (filter->what == VS_FDB_ADDRESS) {
		const struct slot *slot = find(fdb, make_key(filter->fid, &filter->mac));

		if (slot)
			fdb->retired[n++] = (uint32_t)(slot - fdb->slot);
		return n;
	}
	for (i = 0; i < slots_of(fdb); i++)
		if (is_picked(&fdb->slot[i], filter))
			fdb->retired[n++] = i;
	return n;
}

uint32_t vs_fdb_remove(struct vs_fdb *fdb, const struct vs_fdb_filter *filter,
		       void (*removed)(const struct vs_fdb_entry *e, void *ctx), void *ctx)
{
	uint32_t n = pick(fdb, filter);
	uint32_t i;

	if (n == 0)
		return 0;
	for (i = 0; i < n; i++) {
		if (removed)
			removed(&fdb->slot[fdb->retired[i]].entry, ctx);
		forget_key(fdb, fdb->retired[i]);
	}
	renew_generation(fdb);
	vs_rcu_synchronize(fdb->rcu);
	for (i = 0; i < n; i++)
		fdb->slot[fdb->retired[i]].entry.port = VS_FDB_NO_PORT;
	fdb->used -= n;
	return n;
}

int vs_fdb_walk(const struct vs_fdb *fdb,
		int (*visit)(uint16_t fid, const struct rte_ether_addr *mac,
			     const struct vs_fdb_entry *e, void *ctx),
		void *ctx)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < slots_of(fdb) && err == 0; i++) {
		const struct slot *slot = &fdb->slot[i];
		const struct rte_ether_addr mac = mac_of(slot->key);

		if (slot->key != NO_KEY)
			err = visit(fid_of(slot->key), &mac, &slot->entry, ctx);
	}
	return err;
}

uint32_t vs_fdb_used(const struct vs_fdb *fdb)
{
	return fdb->used;
}

uint32_t vs_fdb_size(const struct vs_fdb *fdb)
{
	return fdb->size;
}
