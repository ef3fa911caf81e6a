/* SPDX-License-Identifier: BSD-3-Clause */
/* What a transaction changed, as records, and the notices that wait for its end. */
#include "control/model_txn.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct vs_config_key static_key(const struct vs_switch *sw, const struct vs_static *s)
{
	struct vs_config_key key = {
		.object = VS_CONFIG_FDB,
		.mac = s->mac,
		.vlan = s->vid,
	};

	(void)rte_strscpy(key.name, sw->name, sizeof(key.name));
	return key;
}

static struct vs_config_key port_key(const struct vs_port *port)
{
	struct vs_config_key key = {.object = VS_CONFIG_PORT};

	(void)rte_strscpy(key.name, port->name, sizeof(key.name));
	return key;
}

static struct vs_config_key switch_key(const struct vs_switch *sw)
{
	struct vs_config_key key = {.object = VS_CONFIG_SWITCH};

	(void)rte_strscpy(key.name, sw->name, sizeof(key.name));
	return key;
}

/* ---- what there was ---- */

static int no_memory(struct vs_fail *fail)
{
	return vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
}

static struct vs_altered *append(struct vs_txn *t, const struct vs_config_key *key)
{
	struct vs_altered *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->key = *key;
	TAILQ_INSERT_TAIL(&t->changes, c, link);
	return c;
}

/* Keep its record, which says nothing of an object that is only being made. */
static int keep(struct vs_model *m, struct vs_altered *c, bool made)
{
	return made ? 0 : vs_config_record(m, &c->key, &c->before);
}

int model_change_switch(struct vs_switch *sw, bool made, struct vs_fail *fail)
{
	const struct vs_config_key key = switch_key(sw);
	struct vs_altered *c = append(sw->m->txn, &key);

	if (!c || keep(sw->m, c, made) != 0)
		return no_memory(fail);
	c->sw = sw;
	return 0;
}

int model_change_port(struct vs_port *port, bool made, struct vs_fail *fail)
{
	const struct vs_config_key key = port_key(port);
	struct vs_altered *c = append(port->m->txn, &key);

	if (!c || keep(port->m, c, made) != 0)
		return no_memory(fail);
	c->port = port;
	return 0;
}

int model_touch_static(struct vs_port *port, const struct vs_static *s, struct vs_fail *fail)
{
	const struct vs_config_key key = static_key(port->sw, s);
	struct vs_txn *t = port->m->txn;
	struct model_map_slot *slot = model_map_put(&t->statics, port->serial, s->vid, &s->mac);
	struct vs_altered *c;

	if (!slot)
		return no_memory(fail);
	if (slot->value)
		return 0;
	slot->value = 1;
	c = append(t, &key);
	if (!c || keep(port->m, c, false) != 0)
		return no_memory(fail);
	c->port = port;
	c->address = *s;
	return 0;
}

int model_touch_statics(struct vs_port *port, struct vs_fail *fail)
{
	struct vs_touched_port *t = port->touched;
	uint32_t i;
	int err = 0;

	/* There may be very many, and a batch may change the port again and again. */
	if (t->statics)
		return 0;
	for (i = 0; i < port->n_statics && err == 0; i++)
		err = model_touch_static(port, &port->statics[i], fail);
	t->statics = err == 0;
	return err;
}

void model_txn_replace(struct vs_port *old, struct vs_port *port)
{
	struct vs_altered *c;

	TAILQ_FOREACH(c, &port->m->txn->changes, link) {
		if (c->port == old)
			c->port = port;
	}
}

/* ---- what there is ---- */

static bool has_static(const struct vs_port *port, const struct vs_static *s)
{
	uint16_t fid = port->sw->fid_of_vid[s->vid];
	struct model_fdb_look look;
	uint32_t i;

	if (fid)
		return model_fdb_look(port->sw, fid, &s->mac, &look) &&
		       look.kind == VS_FDB_STATIC && look.port == port->id;
	for (i = 0; i < port->n_statics; i++) {
		if (port->statics[i].vid == s->vid &&
		    rte_is_same_ether_addr(&port->statics[i].mac, &s->mac))
			return true;
	}
	return false;
}

/* What the object is called now. Return: false: it is gone. */
static bool name_now(const struct vs_model *m, const struct vs_altered *c,
		     struct vs_config_key *ret_key)
{
	if (!c->sw && !c->port)
		return false; /* model_forget_waiting() */
	if (c->sw && m->sw[c->sw->index] != c->sw)
		return false;
	if (c->port && m->port[c->port->id] != c->port)
		return false;
	if (c->sw)
		*ret_key = switch_key(c->sw);
	else if (c->key.object == VS_CONFIG_PORT)
		*ret_key = port_key(c->port);
	else if (has_static(c->port, &c->address))
		*ret_key = static_key(c->port->sw, &c->address);
	else
		return false;
	return true;
}

int model_changes_freeze(struct vs_model *m, struct vs_changes *changes)
{
	struct vs_altered *c;
	int err = 0;

	TAILQ_FOREACH(c, changes, link) {
		free(c->after);
		c->after = NULL;
		if (err == 0 && name_now(m, c, &c->now))
			err = vs_config_record(m, &c->now, &c->after);
	}
	return err;
}

static bool is_same(const struct vs_altered *c)
{
	if (!c->before || !c->after)
		return c->before == c->after;
	return c->before->nlmsg_len == c->after->nlmsg_len &&
	       memcmp(c->before, c->after, c->before->nlmsg_len) == 0;
}

int vs_txn_each(struct vs_model *m, int (*visit)(const struct vs_txn_change *change, void *ctx),
		void *ctx)
{
	struct vs_changes *changes = m->txn ? &m->txn->changes : m->kept;
	struct vs_altered *c;
	int err = 0;

	if (!changes)
		return 0;
	/* A table of another size is in its place while the hook is asked: looked up before. */
	if (model_txn_is_open(m) && !m->txn->asking)
		err = model_changes_freeze(m, changes);
	if (err)
		return err;
	TAILQ_FOREACH(c, changes, link) {
		const struct vs_txn_change change = {
			.key = c->before ? &c->key : &c->now,
			.now = c->after ? &c->now : NULL,
			.before = c->before,
			.after = c->after,
			.waited = !c->sw && !c->port,
		};

		if (is_same(c))
			continue;
		err = visit(&change, ctx);
		if (err)
			break;
	}
	return err;
}

void model_changes_free(struct vs_changes *changes)
{
	struct vs_altered *c;

	while ((c = TAILQ_FIRST(changes)) != NULL) {
		TAILQ_REMOVE(changes, c, link);
		free(c->before);
		free(c->after);
		free(c);
	}
}

/* ---- notices ---- */

static struct vs_told *queue(struct vs_txn *t, size_t text)
{
	struct vs_told *n = calloc(1, sizeof(*n) + text + 1);

	if (n)
		TAILQ_INSERT_TAIL(&t->tolds, n, link);
	else if (!t->spoilt)
		t->spoilt = -ENOMEM;
	return n;
}

bool model_txn_tell(struct vs_model *m, const struct vs_notice *notice)
{
	struct vs_told *n;

	if (!m->txn)
		return false;
	n = queue(m->txn, strlen(notice->text));
	if (!n)
		return true;
	n->type = notice->type;
	n->mac = notice->mac;
	(void)rte_strscpy(n->sw, notice->sw, sizeof(n->sw));
	(void)rte_strscpy(n->port, notice->port, sizeof(n->port));
	memcpy(n->text, notice->text, strlen(notice->text));
	return true;
}

void model_txn_tell_link(struct vs_port *port)
{
	struct vs_told *n = queue(port->m->txn, 0);

	if (!n)
		return;
	n->id = port->id;
	n->serial = port->serial;
}
