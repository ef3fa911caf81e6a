/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding table of one switch: (fid, MAC address) to port.
 *
 * DOC: theory of operation
 *
 * One writer (control), lock-free readers (workers). The table is an array of cache lines with
 * four places each, and a place is all there is of an address: fid and MAC address as one word,
 * port, kind, time. So a look-up reads one cache line, hit or miss. A place never moves.
 *
 *	key --hash--> home line --full?--> the next line, and so on, 64 at most
 *
 * There are twice as many places as the table takes addresses. Full to the brim, 4 of 100 keys
 * do not lie at home, and one that lies further than a dozen lines away was not seen in any table
 * tried; if 64 were not enough, the address is not learnt, as if the table were full.
 *
 * Each line counts the keys that passed it: those that lie behind it, and whose home is this line
 * or one in front of it. A look-up ends at the line that no key passed. This takes the place of
 * marks for removed keys, which would add up.
 *
 * What readers see while control writes:
 *
 * - A new key is stored last (release), after the counts of the lines it passed and after its
 *   port, kind and time. Who finds the key (acquire) finds the rest; who does not find it takes the
 *   address for unknown, as a moment before.
 * - A key is removed first, then the counts of the lines that it passed go down: only those who
 *   look for this very key end their search earlier for it. Others' keys are counted for
 *   themselves.
 * - A removed key's place is used again only after a grace period (vs_fdb_remove() waits for it,
 *   and nothing is learnt meanwhile), because a worker may still hold the entry. So no worker
 *   sees a place change from one address to another.
 *
 * A worker finds an entry without a lock, and may do one thing to it: note the second in which the
 * address was last seen, at most once a second. Everything else (learning, moving, ageing,
 * flushing) is done by control, which hears of a new or moved address through the event ring.
 *
 * A table of another size is another table: built aside and published as a whole.
 *
 * The hash is keyed with random numbers: guests choose their addresses, and must not be able
 * to choose them so that they collide.
 */
#ifndef VS_FDB_H
#define VS_FDB_H

#include "dataplane/core/limits.h"
#include "dataplane/core/rcu.h"

#include <rte_ether.h>

#include <stdbool.h>
#include <stdint.h>

struct vs_fdb;

/** Where an entry comes from. */
enum vs_fdb_kind {
	VS_FDB_LEARNT,
	VS_FDB_STATIC, /* given to a port, or entered by the user; never moves, never ages */
};

/** The port of an entry that is just being made: treat the address as unknown. */
#define VS_FDB_NO_PORT UINT16_MAX

/** An entry whose port is this or above leads to group port - VS_FDB_GROUP_BASE (core/conf.h). */
#define VS_FDB_GROUP_BASE VS_PORTS_MAX

/** struct vs_fdb_entry - what the table knows of an address; @passed is not about the address */
struct vs_fdb_entry {
	uint16_t port;
	uint8_t kind;   /* enum vs_fdb_kind */
	uint8_t passed; /* of the first place of a line: keys that passed it */
	uint32_t seen;  /* second in which a frame from it was last seen (vs_clock_seconds) */
};

/** Outcome of vs_fdb_learn(). */
enum vs_fdb_learnt {
	VS_FDB_NEW,
	VS_FDB_KNOWN, /* it was there already, at this port */
	VS_FDB_MOVED, /* it was there, at another port */
	VS_FDB_HELD,  /* it is another port's static address: nothing changed */
	VS_FDB_FULL,  /* no room: nothing changed */
};

/** Which entries vs_fdb_remove() removes. */
struct vs_fdb_filter {
	enum {
		VS_FDB_ALL_LEARNT, /* every learnt entry */
		VS_FDB_OF_PORT,    /* every entry of @port, the static one too */
		VS_FDB_LEARNT_OF_PORT,
		VS_FDB_SEEN_BEFORE, /* learnt entries last seen before second @before */
		VS_FDB_OF_FIDS,     /* every entry of the fids whose bits are set in @fids */
		VS_FDB_ADDRESS,     /* the entry of @mac in @fid */
		VS_FDB_JUDGED,      /* those that @judge says */
	} what;
	uint16_t port;
	uint16_t fid;
	const uint64_t *fids; /* VS_FIDS_MAX bits */
	uint32_t before;
	struct rte_ether_addr mac;
	bool (*judge)(uint16_t fid, const struct rte_ether_addr *mac, const struct vs_fdb_entry *e,
		      void *ctx);
	void *ctx;
};

/**
 * vs_fdb_new() - an empty table
 * @rcu:	whose workers read it
 * @size:	entries it takes, 1..VS_FDB_SIZE_MAX
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int vs_fdb_new(const struct vs_rcu *rcu, uint32_t size, struct vs_fdb **ret_fdb);

/** vs_fdb_free() - free a table that no published configuration names. NULL is fine. */
void vs_fdb_free(struct vs_fdb *fdb);

/**
 * vs_fdb_find() - worker or control: look an address up
 * Return: the entry, valid until the worker's next quiescent point; NULL if there is none.
 */
struct vs_fdb_entry *vs_fdb_find(const struct vs_fdb *fdb, uint16_t fid,
				 const struct rte_ether_addr *mac);

/**
 * struct vs_fdb_head - what stands at the beginning of every struct vs_fdb
 * @generation:	another number whenever entries were removed or moved, and one that no other table
 *		has or had; 0 is never one
 */
struct vs_fdb_head {
	uint64_t generation;
};

/** vs_fdb_generation() - worker or control: see struct vs_fdb_head. */
static inline uint64_t vs_fdb_generation(const struct vs_fdb *fdb)
{
	const struct vs_fdb_head *head = (const struct vs_fdb_head *)fdb;

	return __atomic_load_n(&head->generation, __ATOMIC_ACQUIRE);
}

/** vs_fdb_entry_touch() - worker: a frame from the address was seen in second @now_s. */
static inline void vs_fdb_entry_touch(struct vs_fdb_entry *e, uint32_t now_s)
{
	if (__atomic_load_n(&e->seen, __ATOMIC_RELAXED) != now_s)
		__atomic_store_n(&e->seen, now_s, __ATOMIC_RELAXED);
}

/** vs_fdb_entry_port() - the port of an entry, which control may be changing. */
static inline uint16_t vs_fdb_entry_port(const struct vs_fdb_entry *e)
{
	return __atomic_load_n(&e->port, __ATOMIC_RELAXED);
}

/**
 * vs_fdb_learn() - control: the address is at @port
 * @kind:	a STATIC address replaces a learnt one wherever that was
 * @ret_old:	port it was at before, written for VS_FDB_MOVED and VS_FDB_HELD
 */
enum vs_fdb_learnt vs_fdb_learn(struct vs_fdb *fdb, uint16_t fid, const struct rte_ether_addr *mac,
				uint16_t port, enum vs_fdb_kind kind, uint32_t now_s,
				uint16_t *ret_old);

/** vs_fdb_matches() - does @f name the entry @e of @mac in @fid? */
bool vs_fdb_matches(const struct vs_fdb_filter *f, uint16_t fid, const struct rte_ether_addr *mac,
		    const struct vs_fdb_entry *e);

/**
 * vs_fdb_remove() - control: remove what the filter names
 * @removed:	called for each removed entry, or NULL
 *
 * Waits one grace period if anything was removed. Return: entries removed.
 */
uint32_t vs_fdb_remove(struct vs_fdb *fdb, const struct vs_fdb_filter *filter,
		       void (*removed)(const struct vs_fdb_entry *e, void *ctx), void *ctx);

/**
 * vs_fdb_walk() - control: visit all entries
 * @visit:	returns 0 to go on; anything else ends the walk and is returned
 */
int vs_fdb_walk(const struct vs_fdb *fdb,
		int (*visit)(uint16_t fid, const struct rte_ether_addr *mac,
			     const struct vs_fdb_entry *e, void *ctx),
		void *ctx);

/** vs_fdb_used() - entries in the table. */
uint32_t vs_fdb_used(const struct vs_fdb *fdb);

/** vs_fdb_size() - entries it takes. */
uint32_t vs_fdb_size(const struct vs_fdb *fdb);

#endif
