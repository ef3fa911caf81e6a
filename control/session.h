/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connected client: its socket, what waits to be sent to it, and the dump it is in the
 * middle of. Private to the server.
 */
#ifndef VS_CONTROL_SESSION_H
#define VS_CONTROL_SESSION_H

#include "control/confirm.h"
#include "control/cred.h"
#include "control/server.h"
#include "control/tlv.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct event;
struct event_base;
struct vs_batch;
struct vs_feed;
struct vs_dgram;
struct vs_model;
struct vs_store;
struct vs_reap;

STAILQ_HEAD(vs_dgrams, vs_dgram);
TAILQ_HEAD(vs_sessions, vs_session);

/**
 * struct vs_hub - what all sessions share
 * @generation:	counts notices, so that a dump in slices knows whether something changed
 * @batch_bytes, @batch_messages: that all clients together have in batches
 * @sessions:	those that asked for nothing the longest come first
 * @counts:	what happened to clients; @clients_all and @clients_read are not kept here
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
	struct vs_server_counts counts;
	uint32_t request[VS_REQUEST_MAX / 4 + 1];
	uint32_t record[VS_MESSAGE_MAX / 4];
};

/**
 * struct vs_session - a client
 * @reap:	account of descriptors that it sent, which take long to close
 * @active_s:	when it last sent something, on a clock that never goes back
 * @out:	datagrams that the socket did not take yet, @out_bytes of them
 * @out_last:	the last of @out; means nothing when @out is empty
 * @notice_bytes: part of @out_bytes that are notices
 * @lost:	notices that found no room since the last overflow notice
 * @feed:	its capture (control/obj_capture.c); NULL: none
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
	struct vs_cred peer;
	struct vs_reap *reap;
	uint64_t active_s;
	struct event *read_ev;
	struct event *write_ev;
	struct vs_dgrams out;
	struct vs_dgram *out_last;
	size_t out_bytes;
	size_t notice_bytes;
	uint64_t lost;
	bool subscribed;
	struct vs_feed *feed;
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
 * @peer:	who that is; copied
 *
 * Return: 0, or -ENOMEM.
 */
int vs_session_open(struct vs_hub *hub, int fd, const struct vs_cred *peer);

/** vs_session_close() - disconnect and free. */
void vs_session_close(struct vs_session *s);

/** vs_session_is_idle() - has it nothing under way that its end would spoil? */
bool vs_session_is_idle(const struct vs_session *s);

/** vs_session_idle_s() - seconds since it last sent something. */
uint64_t vs_session_idle_s(const struct vs_session *s);

/** vs_session_dismiss() - say why (sequence number 0), if it takes that at once, and close. */
void vs_session_dismiss(struct vs_session *s, const struct vs_refusal *why);

/**
 * vs_session_put() - queue one message of an answer; messages share datagrams
 * Return: 0, or -ENOMEM (the session is marked broken then).
 */
int vs_session_put(struct vs_session *s, const struct nlmsghdr *nlh);

/**
 * vs_session_pack() - from here on messages share datagrams, even if each is an answer by itself.
 */
void vs_session_pack(struct vs_session *s, bool packs);
/**
 * vs_session_feed() - queue a captured frame; frames share datagrams
 * Return: 0; -ENOBUFS so much is queued that it has to wait; -ENOMEM.
 */
int vs_session_feed(struct vs_session *s, const struct nlmsghdr *nlh);

/** vs_session_notify() - queue a notice, or count it as lost. Closes nothing. */
void vs_session_notify(struct vs_session *s, const struct nlmsghdr *nlh);

#endif
