/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbours of provider addresses, as part of the model: what workers hand to control (punt) goes
 * to the resolver and the learner, what those want goes out by the tunnel port, into records and
 * to subscribers.
 *
 * Control thread only.
 */
#ifndef VS_CONTROL_MODEL_RESOLVE_H
#define VS_CONTROL_MODEL_RESOLVE_H

#include "control/learner.h"
#include "control/model.h"
#include "control/resolver.h"

struct model_resolve;
struct vs_conf;

/**
 * model_resolve_prepare() - the workers are about to get @conf: if there are tenants, they can tell
 *
 * Without memory they cannot: frames whose next hop is not known are dropped, and that is logged.
 */
void model_resolve_prepare(struct vs_model *m, const struct vs_conf *conf);

/** model_resolve_follow() - the workers have m->conf: own addresses and routes as it says */
void model_resolve_follow(struct vs_model *m);

/** model_resolve_drain() - take what workers handed over. */
void model_resolve_drain(struct vs_model *m);

/** model_resolve_add() - a peer came to be, and no worker sees it yet. As vs_resolver_add(). */
int model_resolve_add(struct vs_model *m, unsigned int sw, struct vs_peer *peer);

/** model_resolve_del() - the peer goes; no worker sees it any more. */
void model_resolve_del(struct vs_model *m, uint32_t index);

/** model_resolve_learner() - what was learnt; NULL: there never was a provider address. */
struct vs_learner *model_resolve_learner(struct vs_model *m);

/** model_resolve_free() - forget all. */
void model_resolve_free(struct vs_model *m);

/** struct vs_peer_row - a peer as shown to a client */
struct vs_peer_row {
	const char *sw;
	const struct vs_peer_view *view;
};

/**
 * vs_peer_each() - visit the peers of all switches, or of @sw (NULL: all)
 * Return: 0; -ENOENT; what @visit returned.
 */
int vs_peer_each(struct vs_model *m, const char *sw,
		 int (*visit)(const struct vs_peer_row *row, void *ctx), void *ctx,
		 struct vs_fail *fail);

#endif
