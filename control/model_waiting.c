/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Removing what is kept and could not be made. The model does not have such objects: it only notes
 * in the transaction that they go.
 */
#include "control/model_txn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void vs_model_on_waiting(struct vs_model *m,
			 int (*each)(const struct vs_config_key *key,
				     int (*visit)(const struct vs_config_key *key,
						  const struct nlmsghdr *record, void *ctx),
				     void *visit_ctx, void *ctx),
			 void *ctx)
{
	m->waiting = each;
	m->waiting_ctx = ctx;
}

/** struct forget - objects being counted, or noted */
struct forget {
	struct vs_model *m;
	unsigned int ports;
	unsigned int all;
};

static bool is_same(const struct vs_config_key *a, const struct vs_config_key *b)
{
	return a->object == b->object && a->vlan == b->vlan && strcmp(a->name, b->name) == 0 &&
	       rte_is_same_ether_addr(&a->mac, &b->mac);
}

/* Has this transaction removed it before? */
static bool is_noted(const struct vs_model *m, const struct vs_config_key *key)
{
	const struct vs_altered *c;

	TAILQ_FOREACH(c, &m->txn->changes, link) {
		if (!c->sw && !c->port && is_same(&c->key, key))
			return true;
	}
	return false;
}

static int count(const struct vs_config_key *key, const struct nlmsghdr *record, void *ctx)
{
	struct forget *f = ctx;

	(void)record;
	if (is_noted(f->m, key))
		return 0;
	f->all++;
	f->ports += key->object == VS_CONFIG_PORT;
	return 0;
}

static int note(const struct vs_config_key *key, const struct nlmsghdr *record, void *ctx)
{
	const struct forget *f = ctx;
	struct vs_altered *c;

	if (is_noted(f->m, key))
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->before = malloc(record->nlmsg_len);
	if (!c->before) {
		free(c);
		return -ENOMEM;
	}
	memcpy(c->before, record, record->nlmsg_len);
	c->key = *key;
	TAILQ_INSERT_TAIL(&f->m->txn->changes, c, link);
	return 0;
}

int model_forget_waiting(struct vs_model *m, const struct vs_config_key *key, enum vs_del_mode mode,
			 struct vs_fail *fail)
{
	struct forget f = {.m = m};

	if (!m->waiting)
		return 0;
	(void)m->waiting(key, count, &f, m->waiting_ctx);
	if (key->object == VS_CONFIG_SWITCH && f.ports && mode != VS_DEL_FORCE)
		return vs_fail_set(fail, -EBUSY, VS_ATTR_NAME,
				   "switch '%s' has %u port%s that could not be made yet ('state "
				   "show'); delete them first, or say 'switch del %s force'",
				   key->name, f.ports, f.ports == 1 ? "" : "s", key->name);
	if (f.all && m->waiting(key, note, &f, m->waiting_ctx) != 0)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a change");
	return (int)f.all;
}
