/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection to a VMM: bytes and descriptors to messages and back, never waiting.
 *
 * DOC: theory of operation
 *
 *	        +--> HEADER --12 bytes--> PAYLOAD --all of it--> the callback --+
 *	        |                                                               |
 *	        +---- no reply, or a reply that the socket took at once <-------+
 *	        |                                                               |
 *	        +---- writable, and all of it written <---- REPLY (not reading) +
 *	        |
 *	        +---- end of the second <---- PAUSED (more than VS_CONN_COST_PER_S)
 *
 * A read never asks for more than the rest of the current header or payload, so descriptors,
 * which the kernel ties to the bytes they were sent with, always belong to the message that is
 * being read. They are put in its struct vs_vhost_fds right after recvmsg(); ending the
 * connection closes what is in there. More than 8 for one message is a violation; so is one whose
 * closing waits for somebody (core/reap.h).
 *
 * Fairness: one callback of the event loop handles at most VS_CONN_COST_PER_EVENT cost, where a
 * message costs 1 and a grace period VS_CONN_COST_GRACE, then the loop serves others. While a
 * reply waits to be written nothing is read, so a VMM that does not read its replies holds
 * 20 bytes of memory and nothing else. A VMM that floods is read at VS_CONN_COST_PER_S; starting
 * a guest with eight queue pairs costs some hundreds.
 */
#ifndef VS_GUEST_CONN_H
#define VS_GUEST_CONN_H

#include "dataplane/guest/vhost.h"

enum {
	VS_CONN_COST_PER_EVENT = 32,
	VS_CONN_COST_GRACE = 8,
	VS_CONN_COST_PER_S = 4000,
};

struct event_base;
struct vs_conn;

/** Why a connection ended. */
enum vs_conn_end {
	VS_CONN_GONE,      /* the VMM closed it, or died */
	VS_CONN_VIOLATION, /* it broke the protocol; @why says how */
	VS_CONN_REFUSED,   /* the message callback said VS_VHOST_CLOSE */
};

/**
 * struct vs_conn_ops - what the owner does
 * @message:	a message is complete. Closes or takes all of @fds. Sets *@ret_cost (1 before).
 *		Must not free the connection.
 * @ended:	the connection is of no more use; the owner frees it, at once if it likes.
 *		@why is a static string, or NULL.
 */
struct vs_conn_ops {
	enum vs_vhost_result (*message)(void *ctx, const struct vs_vhost_msg *msg,
					struct vs_vhost_fds *fds, struct vs_vhost_msg *reply,
					uint32_t *ret_cost);
	void (*ended)(void *ctx, enum vs_conn_end end, const char *why);
};

/**
 * vs_conn_new() - serve a connected stream socket
 * @fd:		owned by the connection when this succeeds; made non-blocking
 *
 * Return: 0, or -errno with @fd untouched.
 */
int vs_conn_new(struct event_base *base, int fd, const struct vs_conn_ops *ops, void *ctx,
		struct vs_conn **ret_conn);

/** vs_conn_set_reap() - whose the descriptors that come over @conn are; outlives it. */
void vs_conn_set_reap(struct vs_conn *conn, struct vs_reap *reap);

/** vs_conn_free() - close the socket and every descriptor of a half-read message. */
void vs_conn_free(struct vs_conn *conn);

/** vs_conn_fd() - the socket, to be looked at only. */
int vs_conn_fd(const struct vs_conn *conn);

#endif
