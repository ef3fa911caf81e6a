/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Customer addresses that are learnt from what comes through the tunnel, and records that what
 * comes contradicts.
 *
 * It changes records and tells by functions that it is given, and is told the time: tests run it
 * alone. Control thread only.
 *
 * DOC: theory of operation
 *
 * A worker reports a source (VSID, MAC) that has no record, or has one with another provider
 * address than the packet came from.
 *
 * - Where the subnet allows it, the first makes a *dynamic* record. It goes when nothing was heard
 *   of its address for 300 s; as workers say no more once there is a record, the address table,
 *   which they keep fresh, is asked then. A record that somebody entered is never replaced, nor is
 *   one of a local port: that is for whoever keeps the records to refuse.
 * - The second moves a dynamic record: the VM moved. Of one that was entered it is told ("record
 *   stale"), once a minute at most, and remembered to be shown until the record says the same.
 *
 * How many there can be is bounded, per VSID and in all: a host of another tenant, or one that was
 * broken into, costs no memory and no other VSID's room.
 */
#ifndef VS_CONTROL_LEARNER_H
#define VS_CONTROL_LEARNER_H

#include "dataplane/core/nvgre.h"

struct vs_learner;

enum {
	/** A learnt address is good for so long after it was heard of. */
	VS_LEARNER_GOOD_MS = 300000,
	/** Learnt addresses of one VSID, and of all. */
	VS_LEARNER_PER_VSID = 4096,
	VS_LEARNER_MAX = 65536,
	/** Contradictions that are remembered, of one VSID and of all, and for how long. */
	VS_DRIFT_PER_VSID = 256,
	VS_DRIFT_MAX = 4096,
	/** A contradiction is told about so often. */
	VS_DRIFT_TELL_MS = 60000,
};

/** What there is to tell. */
enum vs_learner_what {
	VS_LEARNER_MOVED, /* a learnt address: from @was to @pa */
	VS_LEARNER_STALE, /* a record says @was, packets come from @pa */
	VS_LEARNER_FULL,  /* VSID @vsid has learnt as many as it may */
};

/** struct vs_learner_news - something to tell about */
struct vs_learner_news {
	enum vs_learner_what what;
	uint32_t vsid;
	struct rte_ether_addr mac;
	struct vs_ip was;
	struct vs_ip pa;
};

/** struct vs_heard - a source. @ca: all zero: not known. @pa: where the packet came from */
struct vs_heard {
	uint32_t vsid;
	struct rte_ether_addr mac;
	struct vs_ip ca;
	struct vs_ip pa;
};

/**
 * struct vs_learner_ops - what it works with
 * @may_learn:	is there such a subnet, and does it allow it?
 * @put:	make the dynamic record, or replace the one of (vsid, mac). Returns 0; -EEXIST there
 *		is one that was entered, or is local; -errno
 * @remove:	remove it, if it is a dynamic one
 * @is_alive:	was the address seen behind the tunnel in the last VS_LEARNER_GOOD_MS?
 * @record:	the provider address of the record of (vsid, mac). Returns false: there is none
 */
struct vs_learner_ops {
	bool (*may_learn)(void *ctx, uint32_t vsid);
	int (*put)(void *ctx, const struct vs_heard *heard);
	void (*remove)(void *ctx, uint32_t vsid, const struct rte_ether_addr *mac,
		       const struct vs_ip *ca);
	bool (*is_alive)(void *ctx, uint32_t vsid, const struct rte_ether_addr *mac);
	bool (*record)(void *ctx, uint32_t vsid, const struct rte_ether_addr *mac,
		       struct vs_ip *ret_pa);
	void (*tell)(void *ctx, const struct vs_learner_news *news);
};

/** struct vs_drift - a record that packets contradict: they come from @pa, since @since_ms */
struct vs_drift {
	uint32_t vsid;
	struct rte_ether_addr mac;
	struct vs_ip was;
	struct vs_ip pa;
	uint64_t since_ms;
	uint64_t last_ms;
	uint64_t reports;
};

/** struct vs_learner_counts - what it has, and what it left out */
struct vs_learner_counts {
	uint32_t learnt;
	uint32_t drifts;
	uint64_t moved;
	uint64_t refused; /* there is a record that was entered, or no leave to learn */
	uint64_t full;    /* no room */
	uint64_t aged;
};

/** vs_learner_new() - that has learnt nothing. Return: it, or NULL: no memory. */
struct vs_learner *vs_learner_new(const struct vs_learner_ops *ops, void *ctx);

/** vs_learner_free() - forget all; records stay as they are. NULL is fine. */
void vs_learner_free(struct vs_learner *l);

/** vs_learner_heard() - a source was heard that has no record */
void vs_learner_heard(struct vs_learner *l, const struct vs_heard *heard, uint64_t now_ms);

/** vs_learner_drift() - one was heard whose record says another provider address */
void vs_learner_drift(struct vs_learner *l, const struct vs_heard *heard, uint64_t now_ms);

/** vs_learner_forget() - no record is learnt of @vsid any more; 0: of none */
void vs_learner_forget(struct vs_learner *l, uint32_t vsid);

/** vs_learner_dropped() - somebody else removed or replaced the dynamic record of (vsid, mac). */
void vs_learner_dropped(struct vs_learner *l, uint32_t vsid, const struct rte_ether_addr *mac);

/** vs_learner_tick() - time passes; to be called about once a second. */
void vs_learner_tick(struct vs_learner *l, uint64_t now_ms);

/** vs_learner_find_drift() - what is known against the record of (vsid, mac). NULL: nothing. */
const struct vs_drift *vs_learner_find_drift(const struct vs_learner *l, uint32_t vsid,
					     const struct rte_ether_addr *mac);

/**
 * vs_learner_age() - milliseconds since a learnt address was heard of, as far as is known
 * Return: true and *@ret_ms, or false: it was not learnt.
 */
bool vs_learner_age(const struct vs_learner *l, uint32_t vsid, const struct rte_ether_addr *mac,
		    uint64_t now_ms, uint64_t *ret_ms);

/** vs_learner_counts() - what it has */
void vs_learner_counts(const struct vs_learner *l, struct vs_learner_counts *ret_counts);

#endif
