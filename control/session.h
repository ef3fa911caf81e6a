/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connected client: its socket, what waits to be sent to it, and the dump it is in the
 * middle of. Private to the server.
 */
#ifndef VS_CONTROL_SESSION_H
#define VS_CONTROL_SESSION_H

#include "control/confirm.h"
#include "control/tlv.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct event;
struct event_base;
struct vs_batch;
struct vs_dgram;
struct vs_model;
struct vs_store;

STAILQ_HEAD(vs_dgrams, vs_dgram);
TAILQ_HEAD(vs_sessions, vs_session);

/**
 * struct vs_hub - what all sessions share
 * @generation:	counts notices, so that a dump in slices knows whether something changed
 * @batch_bytes, @batch_messages: that all clients together have in batches
 * @request:	the datagram being handled; one byte more than the longest, and aligned
 * @record:	the message being built for an answer
 */
struct vs_hub {
	struct event_base *base;
	struct vs_model *model;
	const struct vs_store *store; /* NULL: nothing is kept */
	const char *version;
	uint64_t generation;
	struct vs_sessions sessions;
	unsigned int n_sessions;
	size_t batch_bytes;
	unsigned int batch_messages;
	struct vs_confirm confirm;
	uint32_t request[VS_REQUEST_MAX / 4 + 1];
	uint32_t record[VS_MESSAGE_MAX / 4];
};

/**
 * struct vs_session - a client
 * @out:	datagrams that the socket did not take yet, @out_bytes of them
 * @out_last:	the last of @out; means nothing when @out is empty
 * @notice_bytes: part of @out_bytes that are notices
 * @lost:	notices that found no room since the last overflow notice
 * @broken:	negative errno: close it as soon as nothing uses it
 * @batch:	what was sent since BATCH_BEGIN; NULL outside of a batch
 * @packs:	messages of any kind share datagrams
 * @dump:	copy of the request, records sent so far, generation it began with; @request is
 *		NULL when no dump is under way
 */
struct vs_session {
	TAILQ_ENTRY(vs_session) link;
	struct vs_hub *hub;
	int fd;
	pid_t pid;
	struct event *read_ev;
	struct event *write_ev;
	struct vs_dgrams out;
	struct vs_dgram *out_last;
	size_t out_bytes;
	size_t notice_bytes;
	uint64_t lost;
	bool subscribed;
	int broken;
	bool packs;
	struct vs_batch *batch;
	struct {
		struct nlmsghdr *request;
		uint64_t done;
		uint64_t generation;
	} dump;
};

/**
 * vs_session_open() - serve a connection
 * @fd:		non-blocking; owned by the session from here on if this succeeds
 * @pid:	of the peer, for the log
 *
 * Return: 0, or -ENOMEM.
 */
int vs_session_open(struct vs_hub *hub, int fd, pid_t pid);

/** vs_session_close() - disconnect and free. */
void vs_session_close(struct vs_session *s);

/**
 * vs_session_put() - queue one message of an answer; messages share datagrams
 * Return: 0, or -ENOMEM (the session is marked broken then).
 */
int vs_session_put(struct vs_session *s, const struct nlmsghdr *nlh);

/** vs_session_pack() - from here on messages share datagrams, even if each is an answer by itself. */
void vs_session_pack(struct vs_session *s, bool packs);

/** vs_session_notify() - queue a notice, or count it as lost. Closes nothing. */
void vs_session_notify(struct vs_session *s, const struct nlmsghdr *nlh);

#endif
