/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that wait because another worker is just writing to their port; each worker has its own.
 */
#ifndef VS_HELD_H
#define VS_HELD_H

#include "dataplane/core/ctx.h"

/** vs_held_new() - memory for what one worker holds, its pages there. Return: 0 or -ENOMEM. */
int vs_held_new(struct vs_held **ret_held);

/** vs_held_free() - free it, and what it holds, uncounted. NULL is fine. */
void vs_held_free(struct vs_held *held);

/** vs_held_for() - do frames for @port wait? Then later ones must stand behind them. */
bool vs_held_for(const struct vs_ctx *ctx, uint16_t port);

/** vs_held_from() - control, at any time: how many frames from @port wait, for whomever. */
unsigned int vs_held_from(const struct vs_ctx *ctx, uint16_t port);

/**
 * vs_held_add() - frames for @port wait, in order, behind those that do already
 * @pkt:	as they leave, @n of them; they may be borrowed, and are copied
 *
 * What finds no room is dropped (tx_busy), also what lost its bytes meanwhile (mem_lost).
 */
void vs_held_add(struct vs_ctx *ctx, const struct vs_port_hot *port, struct vs_pkt *const *pkt,
		 unsigned int n);

/**
 * vs_held_retry() - deliver what waits, as far as the ports are free now
 *
 * Not within the tx of a port. Each frame is counted as sent or dropped, as tx would have.
 */
void vs_held_retry(struct vs_ctx *ctx);

/**
 * vs_held_review() - ctx->conf is a new one: drop what may not be delivered any more
 *
 * Before the worker reports that it has left the old one: the device and the counters of a port
 * that is not in the new one last until then.
 */
void vs_held_review(struct vs_ctx *ctx);

#endif
