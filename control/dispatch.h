/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a datagram to its handler, and from the handler's result to the answer. Private to the
 * daemon.
 */
#ifndef VS_CONTROL_DISPATCH_H
#define VS_CONTROL_DISPATCH_H

#include <stddef.h>

struct nlmsghdr;
struct vs_fail;
struct vs_model;
struct vs_refusal;
struct vs_request;
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

/** vs_dispatch_refuse() - queue the error that refuses a message; @refusal NULL: its ACK. */
void vs_dispatch_refuse(struct vs_session *s, const struct nlmsghdr *to,
			const struct vs_refusal *refusal);

/** vs_dispatch_fail() - queue the error of a request that failed with @error and @fail. */
void vs_dispatch_fail(struct vs_session *s, const struct vs_request *req, int error,
		      const struct vs_fail *fail);

/**
 * vs_dispatch_change() - run a checked request that changes the model, without a session
 * Return: 0; -EOPNOTSUPP the command changes nothing; what the model said, with @fail.
 */
int vs_dispatch_change(struct vs_model *m, const struct vs_request *req, struct vs_fail *fail);

/**
 * vs_dispatch_apply() - check one changing message against its policy, and run it
 * @nlh:	passed vs_request_frame(), or was made by vs_msg_init(); flags as in a request
 *
 * Return: as vs_request_parse() and vs_dispatch_change(), with @fail.
 */
int vs_dispatch_apply(struct vs_model *m, const struct nlmsghdr *nlh, struct vs_fail *fail);

#endif
