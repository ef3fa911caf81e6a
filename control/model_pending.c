/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an open transaction will change in the tables of addresses.
 *
 * DOC: theory of operation
 *
 * Static entries that are to be made or removed are noted one by one, by key. What is forgotten of
 * a whole port, or flushed, is noted by port: such entries of the table are void from then on.
 * Whoever looks an address up sees the notes first, then the table without what is void; whoever
 * counts, counts the same. At the end the table becomes what was seen.
 */
#include "control/model_txn.h"

#include "dataplane/core/clock.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* More addresses than that are removed in one walk over the table. */
	ONE_BY_ONE = 4,

	NOTE_GONE = 1, /* values of slots: no entry, or an entry that leads to port value - ENTRY */
	NOTE_ENTRY = 2,
};

/** struct vs_pending - what will change in the table of one switch */
struct vs_pending {
	struct model_map notes;
	uint32_t gone; /* notes that there is no entry */
	bool voids;    /* any of these: */
	bool flush;
	uint64_t of_port[VS_PORTS_MAX / 64];
	uint64_t learnt_of_port[VS_PORTS_MAX / 64];
	uint32_t used; /* entries, when all is done */
};

static bool has_bit(const uint64_t *bits, unsigned int i)
{
	return (bits[i / 64] >> (i % 64)) & 1;
}

/* Does the table's entry count for nothing any more, but for what is noted of its address? */
static bool is_void(const struct vs_pending *p, const struct vs_fdb_entry *e)
{
	bool learnt = e->kind == VS_FDB_LEARNT;

	if (!p->voids)
		return false;
	if (learnt && p->flush)
		return true;
	return e->port < VS_PORTS_MAX &&
	       (has_bit(p->of_port, e->port) || (learnt && has_bit(p->learnt_of_port, e->port)));
}

static struct vs_pending *pending_of(const struct vs_switch *sw)
{
	return sw->touched ? sw->touched->pending : NULL;
}

static struct vs_pending *need_pending(struct vs_switch *sw)
{
	struct vs_pending *p = pending_of(sw);
	struct vs_fail ignored;

	if (p)
		return p;
	if (model_involve_switch(sw, &ignored) != 0)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->used = vs_fdb_used(sw->fdb);
	sw->touched->pending = p;
	return p;
}

bool model_fdb_look(const struct vs_switch *sw, uint16_t fid, const struct rte_ether_addr *mac,
		    struct model_fdb_look *ret)
{
	const struct vs_pending *p = pending_of(sw);
	const struct model_map_slot *slot = p ? model_map_find(&p->notes, 0, fid, mac) : NULL;
	const struct vs_fdb_entry *e;

	if (slot && slot->value < NOTE_ENTRY)
		return false;
	if (slot) {
		*ret = (struct model_fdb_look){.port = (uint16_t)(slot->value - NOTE_ENTRY),
					       .kind = VS_FDB_STATIC};
		return true;
	}
	e = vs_fdb_find(sw->fdb, fid, mac);
	if (!e || (p && is_void(p, e)))
		return false;
	*ret = (struct model_fdb_look){.port = e->port, .kind = (enum vs_fdb_kind)e->kind};
	return true;
}

uint32_t model_fdb_used(const struct vs_switch *sw)
{
	const struct vs_pending *p = pending_of(sw);

	return p ? p->used : vs_fdb_used(sw->fdb);
}

uint32_t model_fdb_size(const struct vs_switch *sw)
{
	const struct vs_fdb *next = sw->touched ? sw->touched->next_fdb : NULL;

	return vs_fdb_size(next ? next : sw->fdb);
}

/* Note what becomes of an address. */
static int note(struct vs_pending *p, uint16_t fid, const struct rte_ether_addr *mac,
		uint64_t value)
{
	struct model_map_slot *slot = model_map_put(&p->notes, 0, fid, mac);

	if (!slot)
		return -ENOMEM;
	p->gone -= slot->value == NOTE_GONE;
	p->gone += value == NOTE_GONE;
	slot->value = value;
	return 0;
}

int model_pending_enter(struct vs_switch *sw, uint16_t fid, const struct rte_ether_addr *mac,
			uint16_t port)
{
	struct vs_pending *p = need_pending(sw);
	struct model_fdb_look was;
	bool there;

	if (!p)
		return -ENOMEM;
	there = model_fdb_look(sw, fid, mac, &was);
	if (!there && p->used >= model_fdb_size(sw))
		return -ENOSPC;
	if (note(p, fid, mac, (uint64_t)port + NOTE_ENTRY) != 0)
		return -ENOMEM;
	p->used += !there;
	return 0;
}

struct count {
	const struct vs_switch *sw;
	const struct vs_pending *p;
	const struct vs_fdb_filter *filter;
	uint32_t n;
};

/* Entries that the filter makes void and that nothing else has. */
static int count_entry(uint16_t fid, const struct rte_ether_addr *mac, const struct vs_fdb_entry *e,
		       void *ctx)
{
	struct count *c = ctx;

	c->n += vs_fdb_matches(c->filter, fid, mac, e) && !is_void(c->p, e) &&
		!model_map_find(&c->p->notes, 0, fid, mac);
	return 0;
}

/* Entries that are noted only and lead to the port. */
static void forget_notes(struct vs_pending *p, uint16_t port)
{
	uint32_t i;

	for (i = 0; i < p->notes.size; i++) {
		struct model_map_slot *slot = &p->notes.slot[i];

		if (!slot->used || slot->value != (uint64_t)port + NOTE_ENTRY)
			continue;
		slot->value = NOTE_GONE;
		p->gone++;
		p->used--;
	}
}

static void make_void(struct vs_pending *p, const struct vs_fdb_filter *f)
{
	p->voids = true;
	if (f->what == VS_FDB_ALL_LEARNT)
		p->flush = true;
	else if (f->what == VS_FDB_OF_PORT)
		p->of_port[f->port / 64] |= UINT64_C(1) << (f->port % 64);
	else
		p->learnt_of_port[f->port / 64] |= UINT64_C(1) << (f->port % 64);
}

/* Of other filters there is no note that says what they would remove at the end. */
static bool can_be_noted(const struct vs_fdb_filter *f)
{
	return f->what == VS_FDB_ALL_LEARNT || f->what == VS_FDB_OF_PORT ||
	       f->what == VS_FDB_LEARNT_OF_PORT || f->what == VS_FDB_ADDRESS;
}

int model_pending_remove(struct vs_switch *sw, const struct vs_fdb_filter *f)
{
	struct vs_pending *p = can_be_noted(f) ? need_pending(sw) : NULL;
	struct count count = {.sw = sw, .p = p, .filter = f};
	struct model_fdb_look was;

	if (!can_be_noted(f))
		return -ENOTSUP;
	if (!p)
		return -ENOMEM;
	if (f->what == VS_FDB_ADDRESS) {
		if (!model_fdb_look(sw, f->fid, &f->mac, &was))
			return 0;
		if (note(p, f->fid, &f->mac, NOTE_GONE) != 0)
			return -ENOMEM;
		p->used--;
		return 0;
	}
	(void)vs_fdb_walk(sw->fdb, count_entry, &count);
	p->used -= count.n;
	make_void(p, f);
	if (f->what == VS_FDB_OF_PORT)
		forget_notes(p, f->port);
	return 0;
}

/* ---- the end ---- */

/* Does the entry leave the table? One that is noted anew stays, and is written over. */
static bool leaves(uint16_t fid, const struct rte_ether_addr *mac, const struct vs_fdb_entry *e,
		   void *ctx)
{
	const struct vs_pending *p = ctx;
	const struct model_map_slot *slot = model_map_find(&p->notes, 0, fid, mac);

	return slot ? slot->value == NOTE_GONE : is_void(p, e);
}

static void remove_one_by_one(struct vs_switch *sw, const struct vs_pending *p)
{
	struct vs_fdb_filter filter = {.what = VS_FDB_ADDRESS};
	uint32_t i;

	for (i = 0; i < p->notes.size; i++) {
		const struct model_map_slot *slot = &p->notes.slot[i];

		if (!slot->used || slot->value != NOTE_GONE)
			continue;
		filter.fid = slot->number;
		filter.mac = slot->mac;
		(void)model_fdb_remove(sw, &filter);
	}
}

static void remove_entries(struct vs_switch *sw, struct vs_pending *p)
{
	struct vs_fdb_filter filter = {.what = VS_FDB_JUDGED, .judge = leaves, .ctx = p};

	if (p->voids || p->gone > ONE_BY_ONE)
		(void)model_fdb_remove(sw, &filter);
	else if (p->gone)
		remove_one_by_one(sw, p);
}

/* There is room: what was noted was counted. */
static void enter_all(struct vs_switch *sw, const struct vs_pending *p)
{
	uint32_t i;

	for (i = 0; i < p->notes.size; i++) {
		const struct model_map_slot *slot = &p->notes.slot[i];

		if (slot->used && slot->value >= NOTE_ENTRY)
			(void)model_fdb_enter(sw, slot->number, &slot->mac,
					      (uint16_t)(slot->value - NOTE_ENTRY));
	}
}

struct copy {
	const struct vs_pending *p;
	struct vs_fdb *to;
	struct vs_model *m; /* count what is lost instead of copying */
};

static int copy_entry(uint16_t fid, const struct rte_ether_addr *mac, const struct vs_fdb_entry *e,
		      void *ctx)
{
	const struct copy *c = ctx;
	bool noted = c->p && model_map_find(&c->p->notes, 0, fid, mac);
	bool stays = !noted && !(c->p && is_void(c->p, e));
	uint16_t old;

	if (c->m && !stays)
		model_fdb_lost(e, c->m);
	if (!c->m && stays)
		(void)vs_fdb_learn(c->to, fid, mac, e->port, (enum vs_fdb_kind)e->kind, e->seen,
				   &old);
	return 0;
}

void model_pending_build(struct vs_touched_switch *t)
{
	struct copy copy = {.p = t->pending, .to = t->next_fdb};
	uint32_t now = vs_clock_seconds(rte_rdtsc());
	uint16_t old;
	uint32_t i;

	if (!t->next_fdb)
		return;
	(void)vs_fdb_walk(t->sw->fdb, copy_entry, &copy);
	for (i = 0; t->pending && i < t->pending->notes.size; i++) {
		const struct model_map_slot *slot = &t->pending->notes.slot[i];

		if (slot->used && slot->value >= NOTE_ENTRY)
			(void)vs_fdb_learn(t->next_fdb, slot->number, &slot->mac,
					   (uint16_t)(slot->value - NOTE_ENTRY), VS_FDB_STATIC, now,
					   &old);
	}
	t->old_fdb = t->sw->fdb;
	t->sw->fdb = t->next_fdb;
	t->next_fdb = NULL;
}

void model_pending_unbuild(struct vs_touched_switch *t)
{
	if (!t->old_fdb)
		return;
	t->next_fdb = t->sw->fdb;
	t->sw->fdb = t->old_fdb;
	t->old_fdb = NULL;
}

void model_pending_apply(struct vs_touched_switch *t)
{
	struct copy lost = {.p = t->pending, .m = t->sw->m};

	if (t->old_fdb) {
		(void)vs_fdb_walk(t->old_fdb, copy_entry, &lost);
		t->sw->fdb_full_told = false;
	} else if (t->pending) {
		remove_entries(t->sw, t->pending);
		enter_all(t->sw, t->pending);
	}
}

void model_pending_free(struct vs_touched_switch *t)
{
	if (t->pending)
		model_map_free(&t->pending->notes);
	free(t->pending);
	t->pending = NULL;
}
