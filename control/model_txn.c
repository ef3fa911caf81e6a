/* SPDX-License-Identifier: BSD-3-Clause */
/* Transactions: begin, commit, abort. See model_txn.h. */
#include "control/model_txn.h"

#include <errno.h>
#include <stdlib.h>

static int begin(struct vs_model *m, enum vs_txn_mode mode)
{
	struct vs_txn *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->mode = mode;
	t->serial = m->serial;
	TAILQ_INIT(&t->ports);
	TAILQ_INIT(&t->switches);
	TAILQ_INIT(&t->changes);
	TAILQ_INIT(&t->tolds);
	m->txn = t;
	return 0;
}

int vs_txn_begin(struct vs_model *m, enum vs_txn_mode mode)
{
	if (m->txn)
		return -EBUSY;
	/* What workers have seen so far belongs before it. */
	model_drain(m);
	return begin(m, mode);
}

void vs_txn_set_stage(struct vs_model *m, enum vs_txn_stage stage)
{
	if (m->txn)
		m->txn->stage = stage;
}

enum vs_txn_stage vs_txn_stage(const struct vs_model *m)
{
	return m->stage;
}

bool vs_txn_is_provisional(const struct vs_model *m)
{
	return m->kept != NULL;
}

void vs_txn_forget(struct vs_model *m)
{
	if (m->kept)
		model_changes_free(m->kept);
	free(m->kept);
	m->kept = NULL;
}

void vs_model_on_commit(struct vs_model *m,
			int (*commit)(struct vs_model *m, void *ctx, struct vs_fail *fail),
			void *ctx)
{
	m->commit = commit;
	m->commit_ctx = ctx;
}

bool model_txn_is_open(const struct vs_model *m)
{
	return m->txn && !m->txn->running;
}

bool model_txn_is_dry(const struct vs_model *m)
{
	return m->txn && m->txn->mode == VS_TXN_DRY;
}

int model_txn_enter(struct vs_model *m, struct vs_fail *fail)
{
	if (m->txn)
		return MODEL_TXN_JOINED;
	if (begin(m, VS_TXN_REAL) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
	return MODEL_TXN_OWN;
}

int model_txn_leave(struct vs_model *m, int part, int err, struct vs_fail *fail)
{
	if (part == MODEL_TXN_JOINED) {
		if (err && !m->txn->spoilt)
			m->txn->spoilt = err;
		return err;
	}
	if (!err)
		return vs_txn_commit(m, fail);
	vs_txn_abort(m);
	return err;
}

/* ---- the end ---- */

static void free_txn(struct vs_model *m)
{
	struct vs_txn *t = m->txn;
	struct vs_touched_switch *sw;
	struct vs_touched_port *port;

	while ((port = TAILQ_FIRST(&t->ports)) != NULL) {
		TAILQ_REMOVE(&t->ports, port, link);
		free(port->addrs);
		free(port);
	}
	while ((sw = TAILQ_FIRST(&t->switches)) != NULL) {
		TAILQ_REMOVE(&t->switches, sw, link);
		model_pending_free(sw);
		free(sw);
	}
	model_changes_free(&t->changes);
	model_map_free(&t->statics);
	free(t->note);
	m->txn = NULL;
	free(t);
}

static void drop_notices(struct vs_txn *t)
{
	struct vs_told *n;

	while ((n = TAILQ_FIRST(&t->tolds)) != NULL) {
		TAILQ_REMOVE(&t->tolds, n, link);
		free(n);
	}
}

/* Give back forwarding ids and clusters that nobody needs. */
static void release_numbers(struct vs_txn *t)
{
	struct vs_touched_switch *s;

	TAILQ_FOREACH(s, &t->switches, link) {
		if (s->removed)
			continue;
		model_clusters_release(s->sw);
		model_fids_release(s->sw);
	}
}

static void forget_touched(struct vs_txn *t)
{
	struct vs_touched_switch *s;
	struct vs_touched_port *p;

	TAILQ_FOREACH(p, &t->ports, link)
		p->port->touched = NULL;
	TAILQ_FOREACH(s, &t->switches, link) {
		s->sw->touched = NULL;
		vs_fdb_free(s->next_fdb);
		vs_fdb_free(s->old_fdb);
		model_pending_free(s);
	}
}

void vs_txn_abort(struct vs_model *m)
{
	struct vs_txn *t = m->txn;
	bool again;

	if (!t)
		return;
	model_txn_undo(m);
	forget_touched(t);
	release_numbers(t);
	drop_notices(t);
	m->serial = t->serial;
	again = t->again;
	free_txn(m);
	/* A device is not quite what it was. Out of memory: as in model_port_changed(). */
	if (again)
		(void)model_publish(m);
}

/* ---- commit ---- */

/** struct confs - the snapshots that the workers get; @without: first, those that move left out */
struct confs {
	struct vs_conf *with;
	struct vs_conf *without;
};

static bool moves(const struct vs_touched_port *p)
{
	return !p->made && !p->removed && p->port->sw != p->before.sw;
}

static int build_without(struct vs_model *m, struct confs *confs)
{
	struct vs_touched_port *p;
	bool any = false;

	TAILQ_FOREACH(p, &m->txn->ports, link) {
		if (!moves(p))
			continue;
		m->port[p->port->id] = NULL;
		any = true;
	}
	if (any)
		confs->without = model_conf_build(m);
	TAILQ_FOREACH(p, &m->txn->ports, link) {
		if (moves(p))
			m->port[p->port->id] = p->port;
	}
	return any && !confs->without ? -ENOMEM : 0;
}

static int build_confs(struct vs_model *m, struct confs *confs)
{
	*confs = (struct confs){0};
	if (!m->txn->publish)
		return 0;
	confs->with = model_conf_build(m);
	return confs->with ? build_without(m, confs) : -ENOMEM;
}

static int is_change(const struct vs_txn_change *change, void *ctx)
{
	(void)change;
	(void)ctx;
	return 1;
}

static int ask(struct vs_model *m, struct vs_fail *fail)
{
	int err;

	if (!m->commit || m->closing)
		return 0;
	err = vs_txn_each(m, is_change, NULL);
	if (err <= 0)
		return err;
	m->stage = m->txn ? m->txn->stage : VS_TXN_CONFIRMED;
	err = m->commit(m, m->commit_ctx, fail);
	if (err && !fail->text[0])
		(void)vs_fail_set(fail, err, 0, "the change could not be kept");
	return err;
}

/* What can fail. Return: 0, or -errno with @fail. */
static int prepare(struct vs_model *m, struct confs *confs, struct vs_fail *fail)
{
	struct vs_txn *t = m->txn;
	struct vs_touched_switch *s;
	int err;

	fail->attr = 0;
	fail->text[0] = '\0';
	if (t->spoilt && t->spoilt != -ENOMEM)
		return vs_fail_set(fail, -ECANCELED, 0, "a change of the transaction has failed");
	TAILQ_FOREACH(s, &t->switches, link)
		model_pending_build(s);
	err = t->spoilt ? t->spoilt : build_confs(m, confs);
	/* With the tables that will be: what they say of addresses is the same. */
	if (!err)
		err = model_changes_freeze(m, &t->changes);
	t->asking = true;
	if (!err && t->stage == VS_TXN_PROVISIONAL && !m->kept) {
		m->kept = calloc(1, sizeof(*m->kept));
		err = m->kept ? 0 : -ENOMEM;
	}
	if (!err)
		err = ask(m, fail);
	if (err == -ENOMEM && !fail->text[0])
		(void)vs_fail_set(fail, err, 0, "no memory for a new configuration");
	return err;
}

static void unprepare(struct vs_model *m, struct confs *confs)
{
	struct vs_touched_switch *s;

	TAILQ_FOREACH(s, &m->txn->switches, link)
		model_pending_unbuild(s);
	model_conf_free(confs->with);
	model_conf_free(confs->without);
	if (m->kept && m->txn->stage == VS_TXN_PROVISIONAL) {
		free(m->kept);
		m->kept = NULL;
	}
}

/* The workers get what there is now, and the tables with it. */
static void let_them_have_it(struct vs_model *m, const struct confs *confs)
{
	struct vs_txn *t = m->txn;
	struct vs_touched_switch *s;
	struct vs_touched_port *p;

	if (confs->without)
		model_conf_replace(m, confs->without);
	else if (confs->with)
		model_conf_replace(m, confs->with);
	TAILQ_FOREACH(s, &t->switches, link) {
		if (!s->removed)
			model_pending_apply(s);
	}
	TAILQ_FOREACH(p, &t->ports, link) {
		if (moves(p))
			model_stats_move(&p->before);
	}
	if (confs->without)
		model_conf_replace(m, confs->with);
}

/* What no worker uses any more. */
static void clear_away(struct vs_txn *t)
{
	struct vs_touched_switch *s;
	struct vs_touched_port *p;

	TAILQ_FOREACH(p, &t->ports, link) {
		if (!p->removed)
			continue;
		/* Where it was when it was in use, its counters belong. */
		if (!p->made)
			p->port->sw = p->before.sw;
		model_port_free(p->port);
	}
	TAILQ_FOREACH(s, &t->switches, link) {
		if (s->removed)
			model_switch_free(s->sw);
	}
}

static void tell_all(struct vs_model *m, struct vs_txn *t)
{
	struct vs_told *n;

	while ((n = TAILQ_FIRST(&t->tolds)) != NULL) {
		const struct vs_notice notice = {
			/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see what TAILQ_REMOVE does. */
			.type = n->type, .sw = n->sw,     .port = n->port,
			.mac = n->mac,   .text = n->text,
		};
		struct vs_port *port = n->type ? NULL : m->port[n->id];

		TAILQ_REMOVE(&t->tolds, n, link);
		if (port && port->serial == n->serial)
			model_port_tell_link(port);
		else if (n->type && m->notice)
			m->notice(&notice, m->notice_ctx);
		free(n);
	}
}

static void carry_out(struct vs_model *m, const struct confs *confs)
{
	struct vs_txn *t = m->txn;
	bool again;

	t->running = true;
	let_them_have_it(m, confs);
	/* What workers said of those that are gone must not be taken for others with their ids. */
	model_drain(m);
	release_numbers(t);
	if (t->stage == VS_TXN_PROVISIONAL && m->kept) {
		TAILQ_INIT(m->kept);
		TAILQ_CONCAT(m->kept, &t->changes, link);
	} else if (t->stage == VS_TXN_ROLLBACK) {
		vs_txn_forget(m);
	}
	forget_touched(t);
	clear_away(t);
	again = t->again;
	m->txn = NULL;
	/* Out of memory: the workers go on with what they have, as in model_port_changed(). */
	if (again)
		(void)model_publish(m);
	tell_all(m, t);
	m->txn = t;
	free_txn(m);
	model_place_settle(m);
}

int vs_txn_commit(struct vs_model *m, struct vs_fail *fail)
{
	struct confs confs = {0};
	int err;

	if (!m->txn)
		return vs_fail_set(fail, -EINVAL, 0, "there is no transaction");
	if (m->txn->mode == VS_TXN_DRY && !m->txn->spoilt) {
		vs_txn_abort(m);
		return 0;
	}
	err = prepare(m, &confs, fail);
	if (err) {
		unprepare(m, &confs);
		vs_txn_abort(m);
		return err;
	}
	carry_out(m, &confs);
	return 0;
}

int vs_txn_confirm(struct vs_model *m, struct vs_fail *fail)
{
	int err;

	if (!m->kept || m->txn)
		return vs_fail_set(fail, -ENOENT, 0, "nothing waits to be confirmed");
	err = ask(m, fail);
	if (err)
		return err;
	vs_txn_forget(m);
	return 0;
}
