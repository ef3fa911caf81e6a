/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/fdb.h"

#include "dataplane/core/limits.h"

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_random.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* rte_hash refuses tables smaller than one bucket. */
enum {
	HASH_ENTRIES_MIN = 8,
};

struct key {
	uint16_t fid;
	struct rte_ether_addr mac;
};

struct vs_fdb {
	struct vs_fdb_head head;
	const struct vs_rcu *rcu;
	struct rte_hash *hash;
	struct vs_fdb_entry *entry; /* by slot number */
	int32_t *retired;           /* slots waiting for the grace period */
	uint32_t size;
	uint32_t used;
};

/* The last one given to any table. */
static uint64_t generations;

/* What workers reported of this table, or remember of it, may be out of date. */
static void renew_generation(struct vs_fdb *fdb)
{
	__atomic_store_n(&fdb->head.generation,
			 __atomic_add_fetch(&generations, 1, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
}

static struct key make_key(uint16_t fid, const struct rte_ether_addr *mac)
{
	_Static_assert(sizeof(struct key) == 8, "the key has no padding");
	return (struct key){.fid = fid, .mac = *mac};
}

int vs_fdb_new(const struct vs_rcu *rcu, uint32_t size, struct vs_fdb **ret_fdb)
{
	static atomic_uint serial;
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters params = {
		.name = name,
		.entries = RTE_MAX(size, (uint32_t)HASH_ENTRIES_MIN),
		.key_len = sizeof(struct key),
		.hash_func = rte_jhash,
		.hash_func_init_val = (uint32_t)rte_rand(),
		.socket_id = SOCKET_ID_ANY,
		/* The extendable table takes every key up to the size, whatever collides. */
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF |
			      RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	struct vs_fdb *fdb;
	uint32_t slots;

	if (size == 0 || size > VS_FDB_SIZE_MAX)
		return -EINVAL;
	fdb = calloc(1, sizeof(*fdb));
	if (!fdb)
		return -ENOMEM;
	snprintf(name, sizeof(name), "vs_fdb_%u", atomic_fetch_add(&serial, 1));
	renew_generation(fdb);
	fdb->rcu = rcu;
	fdb->size = size;
	fdb->hash = rte_hash_create(&params);
	if (!fdb->hash)
		goto err;
	slots = (uint32_t)rte_hash_max_key_id(fdb->hash) + 1;
	fdb->entry = calloc(slots, sizeof(*fdb->entry));
	fdb->retired = calloc(slots, sizeof(*fdb->retired));
	if (!fdb->entry || !fdb->retired)
		goto err;
	while (slots > 0)
		fdb->entry[--slots].port = VS_FDB_NO_PORT;
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
	rte_hash_free(fdb->hash);
	free(fdb->entry);
	free(fdb->retired);
	free(fdb);
}

struct vs_fdb_entry *vs_fdb_find(const struct vs_fdb *fdb, uint16_t fid,
				 const struct rte_ether_addr *mac)
{
	struct key key = make_key(fid, mac);
	int32_t slot = rte_hash_lookup(fdb->hash, &key);

	return slot < 0 ? NULL : &fdb->entry[slot];
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
	struct key key = make_key(fid, mac);
	int32_t slot = rte_hash_lookup(fdb->hash, &key);
	struct vs_fdb_entry *e;

	if (slot >= 0)
		return relearn(fdb, &fdb->entry[slot], port, kind, now_s, ret_old);
	if (fdb->used == fdb->size)
		return VS_FDB_FULL;

	/*
	 * The key becomes visible before its slot is filled in. An unused slot holds
	 * VS_FDB_NO_PORT, so a worker that comes in between takes the address for unknown.
	 */
	slot = rte_hash_add_key(fdb->hash, &key);
	if (slot < 0)
		return VS_FDB_FULL;
	e = &fdb->entry[slot];
	e->kind = (uint8_t)kind;
	e->seen = now_s;
	__atomic_store_n(&e->port, port, __ATOMIC_RELEASE);
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

/* Take the key of a used slot out of the hash; the slot is not free before a grace period. */
static void forget_key(struct vs_fdb *fdb, int32_t slot)
{
	void *at = NULL;
	struct key key;

	/* Neither can fail: the slot was found by walking the table, and only we write it. */
	if (rte_hash_get_key_with_position(fdb->hash, slot, &at))
		return;
	memcpy(&key, at, sizeof(key));
	(void)rte_hash_del_key(fdb->hash, &key);
}

/* Note the slots that the filter names in @fdb->retired. Return: how many. */
static uint32_t pick(struct vs_fdb *fdb, const struct vs_fdb_filter *filter)
{
	struct key wanted = make_key(filter->fid, &filter->mac);
	const void *raw;
	uint32_t n = 0;
	uint32_t next = 0;
	void *data;
	int32_t slot;

	if (filter->what == VS_FDB_ADDRESS) {
		slot = rte_hash_lookup(fdb->hash, &wanted);
		if (slot >= 0)
			fdb->retired[n++] = slot;
		return n;
	}
	/* Not removed while iterating: that may move another key to a place already passed. */
	while ((slot = rte_hash_iterate(fdb->hash, &raw, &data, &next)) >= 0) {
		const struct key *key = raw;

		if (vs_fdb_matches(filter, key->fid, &key->mac, &fdb->entry[slot]))
			fdb->retired[n++] = slot;
	}
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
		struct vs_fdb_entry *e = &fdb->entry[fdb->retired[i]];

		if (removed)
			removed(e, ctx);
		forget_key(fdb, fdb->retired[i]);
	}
	renew_generation(fdb);
	vs_rcu_synchronize(fdb->rcu);
	for (i = 0; i < n; i++) {
		fdb->entry[fdb->retired[i]].port = VS_FDB_NO_PORT;
		(void)rte_hash_free_key_with_position(fdb->hash, fdb->retired[i]);
	}
	fdb->used -= n;
	return n;
}

int vs_fdb_walk(const struct vs_fdb *fdb,
		int (*visit)(uint16_t fid, const struct rte_ether_addr *mac,
			     const struct vs_fdb_entry *e, void *ctx),
		void *ctx)
{
	uint32_t next = 0;
	const void *raw;
	void *data;
	int32_t slot;
	int err = 0;

	while (err == 0 && (slot = rte_hash_iterate(fdb->hash, &raw, &data, &next)) >= 0) {
		const struct key *key = raw;

		err = visit(key->fid, &key->mac, &fdb->entry[slot], ctx);
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
