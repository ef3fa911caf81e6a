/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stages that live in this folder, one file each. The order is in pipeline.c.
 *
 * Every stage has the same signature, skips packets that are dropped already (pkt->drop), and
 * counts what it drops.
 */
#ifndef VS_STAGES_H
#define VS_STAGES_H

#include "dataplane/core/ctx.h"

/** vs_rx() - stage 0, see rx.c */
void vs_rx(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_burst *burst);

/** vs_admit() - stage 4, see admit.c */
void vs_admit(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_admit_tenants() - the same where there are tenants: behind decap */
void vs_admit_tenants(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_lookup() - stage 5, see lookup.c */
void vs_lookup(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_lookup_queues() - the same behind classify: what is in a queue goes to its port */
void vs_lookup_queues(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_learn_tenants() - what lookup learns, where there are tenants: in front of route */
void vs_learn_tenants(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_lookup_tenants() - the same behind classify, decap and route */
void vs_lookup_tenants(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_release() - stage 6, see release.c */
void vs_release(struct vs_ctx *ctx, struct vs_burst *burst);

/** vs_tx() - stage 9, see tx.c */
void vs_tx(struct vs_ctx *ctx, struct vs_burst *burst);

/** How a packet leaves at a port. */
enum vs_form {
	VS_FORM_BARE,
	VS_FORM_TAGGED, /* its twin (struct vs_burst) */
};

/** vs_form_of() - how @pkt leaves at @port, which release has let it. */
static inline enum vs_form vs_form_of(const struct vs_port_hot *port, const struct vs_pkt *pkt)
{
	return pkt->bare_vid == port->vid ? VS_FORM_BARE : VS_FORM_TAGGED;
}

/** vs_tx_hint() - what a port's tx is told as @pair: the same for all frames of a flow. */
static inline uint16_t vs_tx_hint(const struct vs_ctx *ctx, const struct vs_port_hot *port)
{
	return port->flags & VS_PORT_TX_BY_WORKER ? ctx->worker : ctx->pair;
}

/**
 * vs_tx_settle() - count what became of @n frames that @port's tx took, as @fate says
 *
 * Those with the fate VS_DROP_TX_BUSY are held (held.h).
 */
void vs_tx_settle(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_pkt *const *pkt,
		  unsigned int n, const uint8_t *fate);

/**
 * vs_release_again() - may a frame, released before in @form, still be delivered at @port?
 * @pkt:	as it leaves
 *
 * Return: VS_DROP_NONE, or why not.
 */
enum vs_drop vs_release_again(const struct vs_port_hot *port, const struct vs_pkt *pkt,
			      enum vs_form form);

/**
 * vs_tap_received(), vs_tap_sorted(), vs_tap_released(), vs_tap_done() - captures look at the burst
 * behind rx, lookup, release and tx, see tap.c
 */
void vs_tap_received(struct vs_ctx *ctx, const struct vs_burst *burst);
void vs_tap_sorted(struct vs_ctx *ctx, const struct vs_burst *burst);
void vs_tap_released(struct vs_ctx *ctx, const struct vs_burst *burst);
void vs_tap_done(struct vs_ctx *ctx, const struct vs_burst *burst);

#endif
