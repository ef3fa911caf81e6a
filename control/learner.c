/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/learner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

enum {
	BUCKETS = 4096,
	/* What one call of the clock may look at: the rest is due at the next. */
	AGED_AT_ONCE = 1024,
};

/** struct learnt - an address that has a dynamic record; in the order of @seen_ms */
struct learnt {
	LIST_ENTRY(learnt) in_bucket;
	TAILQ_ENTRY(learnt) in_age;
	struct vs_heard heard;
	uint64_t seen_ms;
};

/** struct drift - a record that is contradicted; in the order of last_ms */
struct drift {
	LIST_ENTRY(drift) in_bucket;
	TAILQ_ENTRY(drift) in_age;
	struct vs_drift d;
	uint64_t told_ms;
};

/** struct vsid - how many a VSID has. @full_told: the limit was reached, and was told */
struct vsid {
	LIST_ENTRY(vsid) in_bucket;
	uint32_t vsid;
	uint32_t learnt;
	uint32_t drifts;
	bool full_told;
};

struct vs_learner {
	const struct vs_learner_ops *ops;
	void *ctx;
	struct vs_learner_counts counts;
	LIST_HEAD(, learnt) learnt[BUCKETS];
	LIST_HEAD(, drift) drift[BUCKETS];
	LIST_HEAD(, vsid) vsid[BUCKETS];
	TAILQ_HEAD(, learnt) learnt_age;
	TAILQ_HEAD(, drift) drift_age;
};

static uint32_t bucket_of(uint32_t vsid, const struct rte_ether_addr *mac)
{
	uint32_t hash = vsid * UINT32_C(0x9e3779b1);
	unsigned int i;

	for (i = 0; mac && i < RTE_ETHER_ADDR_LEN; i++)
		hash = (hash ^ mac->addr_bytes[i]) * 16777619u;
	return (hash ^ hash >> 15) % BUCKETS;
}

static struct learnt *find_learnt(const struct vs_learner *l, uint32_t vsid,
				  const struct rte_ether_addr *mac)
{
	struct learnt *e;

	LIST_FOREACH(e, &l->learnt[bucket_of(vsid, mac)], in_bucket) {
		if (e->heard.vsid == vsid && rte_is_same_ether_addr(&e->heard.mac, mac))
			return e;
	}
	return NULL;
}

static struct drift *find_drift(const struct vs_learner *l, uint32_t vsid,
				const struct rte_ether_addr *mac)
{
	struct drift *e;

	LIST_FOREACH(e, &l->drift[bucket_of(vsid, mac)], in_bucket) {
		if (e->d.vsid == vsid && rte_is_same_ether_addr(&e->d.mac, mac))
			return e;
	}
	return NULL;
}

/* ---- how many a VSID has ---- */

static struct vsid *find_vsid(struct vs_learner *l, uint32_t number)
{
	struct vsid *v;

	LIST_FOREACH(v, &l->vsid[bucket_of(number, NULL)], in_bucket) {
		if (v->vsid == number)
			return v;
	}
	return NULL;
}

/* Return: NULL: no memory. */
static struct vsid *get_vsid(struct vs_learner *l, uint32_t number)
{
	struct vsid *v = find_vsid(l, number);

	if (v)
		return v;
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->vsid = number;
	LIST_INSERT_HEAD(&l->vsid[bucket_of(number, NULL)], v, in_bucket);
	return v;
}

static void put_vsid(struct vsid *v)
{
	if (v->learnt || v->drifts)
		return;
	LIST_REMOVE(v, in_bucket);
	free(v);
}

/* ---- what comes and goes ---- */

static void drop_learnt(struct vs_learner *l, struct learnt *e)
{
	struct vsid *v = find_vsid(l, e->heard.vsid);

	LIST_REMOVE(e, in_bucket);
	TAILQ_REMOVE(&l->learnt_age, e, in_age);
	l->counts.learnt--;
	v->learnt--;
	v->full_told = false;
	put_vsid(v);
	free(e);
}

static void drop_drift(struct vs_learner *l, struct drift *e)
{
	struct vsid *v = find_vsid(l, e->d.vsid);

	LIST_REMOVE(e, in_bucket);
	TAILQ_REMOVE(&l->drift_age, e, in_age);
	l->counts.drifts--;
	v->drifts--;
	put_vsid(v);
	free(e);
}

static void touch(struct vs_learner *l, struct learnt *e, uint64_t now_ms)
{
	e->seen_ms = now_ms;
	TAILQ_REMOVE(&l->learnt_age, e, in_age);
	TAILQ_INSERT_TAIL(&l->learnt_age, e, in_age);
}

static void tell(struct vs_learner *l, enum vs_learner_what what, const struct vs_heard *heard,
		 const struct vs_ip *was)
{
	struct vs_learner_news news = {
		.what = what,
		.vsid = heard->vsid,
		.mac = heard->mac,
		.pa = heard->pa,
	};

	if (was)
		news.was = *was;
	l->ops->tell(l->ctx, &news);
}

static void tell_full(struct vs_learner *l, struct vsid *v, const struct vs_heard *heard)
{
	l->counts.full++;
	if (!v->full_told)
		tell(l, VS_LEARNER_FULL, heard, NULL);
	v->full_told = true;
}

/* ---- learning ---- */

static void learn_new(struct vs_learner *l, const struct vs_heard *heard, uint64_t now_ms)
{
	struct vsid *v = get_vsid(l, heard->vsid);
	struct learnt *e;

	if (!v)
		return;
	if (v->learnt >= VS_LEARNER_PER_VSID || l->counts.learnt >= VS_LEARNER_MAX) {
		tell_full(l, v, heard);
		put_vsid(v);
		return;
	}
	e = calloc(1, sizeof(*e));
	if (!e || l->ops->put(l->ctx, heard) != 0) {
		l->counts.refused++;
		free(e);
		put_vsid(v);
		return;
	}
	e->heard = *heard;
	e->seen_ms = now_ms;
	LIST_INSERT_HEAD(&l->learnt[bucket_of(heard->vsid, &heard->mac)], e, in_bucket);
	TAILQ_INSERT_TAIL(&l->learnt_age, e, in_age);
	l->counts.learnt++;
	v->learnt++;
}

static bool has_ca(const struct vs_heard *heard)
{
	static const struct vs_ip none;

	return !vs_ip_equal(&heard->ca, &none);
}

/* What is known is heard again, perhaps from elsewhere, or with another customer address. */
static void learn_again(struct vs_learner *l, struct learnt *e, const struct vs_heard *heard,
			uint64_t now_ms)
{
	struct vs_heard now = *heard;
	const struct vs_ip was = e->heard.pa;
	const bool moved = !vs_ip_equal(&was, &heard->pa);
	int err;

	if (!has_ca(&now))
		now.ca = e->heard.ca;
	if (moved || !vs_ip_equal(&now.ca, &e->heard.ca)) {
		err = l->ops->put(l->ctx, &now);
		if (err) {
			/* -EEXIST: somebody has entered it meanwhile: it is not ours any more. */
			l->counts.refused++;
			if (err == -EEXIST)
				drop_learnt(l, e);
			return;
		}
	}
	e->heard = now;
	touch(l, e, now_ms);
	if (moved) {
		l->counts.moved++;
		tell(l, VS_LEARNER_MOVED, &now, &was);
	}
}

void vs_learner_heard(struct vs_learner *l, const struct vs_heard *heard, uint64_t now_ms)
{
	struct learnt *e;

	if (!l->ops->may_learn(l->ctx, heard->vsid) || !rte_is_unicast_ether_addr(&heard->mac) ||
	    rte_is_zero_ether_addr(&heard->mac)) {
		l->counts.refused++;
		return;
	}
	e = find_learnt(l, heard->vsid, &heard->mac);
	if (e)
		learn_again(l, e, heard, now_ms);
	else
		learn_new(l, heard, now_ms);
}

/* ---- contradictions ---- */

/* Return: NULL: no room. */
static struct drift *make_drift(struct vs_learner *l, const struct vs_heard *heard, uint64_t now_ms)
{
	struct vsid *v = get_vsid(l, heard->vsid);
	struct drift *e = NULL;

	if (!v)
		return NULL;
	if (v->drifts < VS_DRIFT_PER_VSID && l->counts.drifts < VS_DRIFT_MAX)
		e = calloc(1, sizeof(*e));
	if (!e) {
		l->counts.full++;
		put_vsid(v);
		return NULL;
	}
	e->d = (struct vs_drift){.vsid = heard->vsid, .mac = heard->mac, .since_ms = now_ms};
	LIST_INSERT_HEAD(&l->drift[bucket_of(heard->vsid, &heard->mac)], e, in_bucket);
	TAILQ_INSERT_TAIL(&l->drift_age, e, in_age);
	l->counts.drifts++;
	v->drifts++;
	return e;
}

static void note_drift(struct vs_learner *l, const struct vs_heard *heard, const struct vs_ip *was,
		       uint64_t now_ms)
{
	struct drift *e = find_drift(l, heard->vsid, &heard->mac);

	if (!e)
		e = make_drift(l, heard, now_ms);
	if (!e)
		return;
	e->d.was = *was;
	e->d.pa = heard->pa;
	e->d.last_ms = now_ms;
	TAILQ_REMOVE(&l->drift_age, e, in_age);
	TAILQ_INSERT_TAIL(&l->drift_age, e, in_age);
	if (e->d.reports++ && now_ms - e->told_ms < VS_DRIFT_TELL_MS)
		return;
	e->told_ms = now_ms;
	tell(l, VS_LEARNER_STALE, heard, was);
}

void vs_learner_drift(struct vs_learner *l, const struct vs_heard *heard, uint64_t now_ms)
{
	struct learnt *e = find_learnt(l, heard->vsid, &heard->mac);
	struct vs_ip was;

	if (e && l->ops->may_learn(l->ctx, heard->vsid))
		learn_again(l, e, heard, now_ms);
	/* The worker may have looked at a record that has changed since. */
	else if (l->ops->record(l->ctx, heard->vsid, &heard->mac, &was) &&
		 !vs_ip_equal(&was, &heard->pa))
		note_drift(l, heard, &was, now_ms);
}

const struct vs_drift *vs_learner_find_drift(const struct vs_learner *l, uint32_t vsid,
					     const struct rte_ether_addr *mac)
{
	const struct drift *e = find_drift(l, vsid, mac);
	struct vs_ip now;

	if (!e || !l->ops->record(l->ctx, vsid, mac, &now) || vs_ip_equal(&now, &e->d.pa))
		return NULL;
	return &e->d;
}

/* ---- forgetting ---- */

void vs_learner_dropped(struct vs_learner *l, uint32_t vsid, const struct rte_ether_addr *mac)
{
	struct learnt *e = find_learnt(l, vsid, mac);

	if (e)
		drop_learnt(l, e);
}

static void remove_learnt(struct vs_learner *l, struct learnt *e)
{
	const struct vs_heard heard = e->heard;

	drop_learnt(l, e);
	l->ops->remove(l->ctx, heard.vsid, &heard.mac, &heard.ca);
}

void vs_learner_forget(struct vs_learner *l, uint32_t vsid)
{
	struct learnt *next;
	struct learnt *e;

	for (e = TAILQ_FIRST(&l->learnt_age); e; e = next) {
		next = TAILQ_NEXT(e, in_age);
		if (!vsid || e->heard.vsid == vsid)
			remove_learnt(l, e);
	}
}

/* Is that longer ago than it may be? A clock that went back makes nothing old. */
static bool is_old(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms && now_ms - then_ms >= VS_LEARNER_GOOD_MS;
}

void vs_learner_tick(struct vs_learner *l, uint64_t now_ms)
{
	struct learnt *e;
	struct drift *d;
	unsigned int i;

	for (i = 0; i < AGED_AT_ONCE; i++) {
		e = TAILQ_FIRST(&l->learnt_age);
		if (!e || !is_old(e->seen_ms, now_ms))
			break;
		if (l->ops->is_alive(l->ctx, e->heard.vsid, &e->heard.mac)) {
			touch(l, e, now_ms);
			continue;
		}
		l->counts.aged++;
		remove_learnt(l, e);
	}
	for (i = 0; i < AGED_AT_ONCE; i++) {
		d = TAILQ_FIRST(&l->drift_age);
		if (!d || !is_old(d->d.last_ms, now_ms))
			break;
		drop_drift(l, d);
	}
}

bool vs_learner_age(const struct vs_learner *l, uint32_t vsid, const struct rte_ether_addr *mac,
		    uint64_t now_ms, uint64_t *ret_ms)
{
	const struct learnt *e = find_learnt(l, vsid, mac);

	if (e)
		*ret_ms = now_ms > e->seen_ms ? now_ms - e->seen_ms : 0;
	return e != NULL;
}

void vs_learner_counts(const struct vs_learner *l, struct vs_learner_counts *ret_counts)
{
	*ret_counts = l->counts;
}

struct vs_learner *vs_learner_new(const struct vs_learner_ops *ops, void *ctx)
{
	struct vs_learner *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ops = ops;
	l->ctx = ctx;
	TAILQ_INIT(&l->learnt_age);
	TAILQ_INIT(&l->drift_age);
	return l;
}

void vs_learner_free(struct vs_learner *l)
{
	struct learnt *e;
	struct drift *d;

	if (!l)
		return;
	while ((e = TAILQ_FIRST(&l->learnt_age)) != NULL)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see TAILQ_REMOVE. */
		drop_learnt(l, e);
	while ((d = TAILQ_FIRST(&l->drift_age)) != NULL)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above */
		drop_drift(l, d);
	free(l);
}
