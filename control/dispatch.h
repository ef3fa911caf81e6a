/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a datagram to its handler, and from the handler's result to the answer. Private to the
 * server.
 */
#ifndef VS_CONTROL_DISPATCH_H
#define VS_CONTROL_DISPATCH_H

#include <stddef.h>

struct vs_session;

/**
 * vs_dispatch() - handle one datagram and queue its answer
 * @buf:	aligned to 4 bytes
 * @len:	as sent; may be more than what @buf holds if it is over VS_REQUEST_MAX
 *
 * Marks the session broken (-EBADMSG) when the datagram was no message.
 */
void vs_dispatch(struct vs_session *s, const void *buf, size_t len);

/** vs_dispatch_more() - queue the next slice of the dump that is under way. */
void vs_dispatch_more(struct vs_session *s);

#endif
