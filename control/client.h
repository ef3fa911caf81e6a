/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Talking to vmswitchd: connect, call a command, read its answer, receive notices. Blocking;
 * a struct vs_client belongs to one thread. Messages are built with the calls of control/msg.h.
 *
 *	struct vs_client_fail fail;
 *	uint32_t buf[VS_MESSAGE_MAX / 4];
 *	struct vs_client *client;
 *	struct vs_msg msg;
 *
 *	if (vs_client_open(VS_SOCKET_DEFAULT, &client, &fail))
 *		errx(1, "%s", fail.text);
 *	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
 *	vs_msg_put_str(&msg, VS_ATTR_NAME, "lan");
 *	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
 *	if (vs_client_call(client, &msg, NULL, NULL, &fail))
 *		errx(1, "%s", fail.text);
 *	vs_client_close(client);
 */
#ifndef VS_CONTROL_CLIENT_H
#define VS_CONTROL_CLIENT_H

#include "control/msg.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vs_client;

/**
 * struct vs_client_fail - why a call failed
 * @error:	negative errno
 * @attr:	number of the attribute that offends or is missing, or 0
 * @index:	of a batch: number of the request that failed, from 1; 0: no single one
 * @text:	for the user, one sentence
 */
struct vs_client_fail {
	int error;
	uint16_t attr;
	uint32_t index;
	char text[512];
};

/**
 * typedef vs_client_record - receives one message of an answer, or a notice
 * @tb:		attributes by number, VS_ATTR_TABLE of them; NULL where there is none
 *
 * Return: 0 to go on. Anything else: no more records are handed over, and the call returns it
 * once the answer has been read to its end.
 */
typedef int vs_client_record(const struct nlattr *const *tb, void *ctx);

/**
 * vs_client_open() - connect, and agree on the version of the protocol
 * @path:	of the daemon's socket
 *
 * Return: 0 and the client (owned by the caller), or -errno with *@ret_fail filled in: -ENOENT
 * or -ECONNREFUSED no daemon, -EACCES or -EPERM no right to, -EUSERS too many clients,
 * -EPROTONOSUPPORT no common version.
 */
int vs_client_open(const char *path, struct vs_client **ret_client,
		   struct vs_client_fail *ret_fail);

/**
 * vs_client_open_fd() - the same over a connection that is there already
 * @fd:		a connected socket of type SOCK_SEQPACKET, at whose other end the daemon is heard;
 *		on success it belongs to the client, otherwise it stays the caller's
 * @name:	of the daemon, for the texts of errors
 */
int vs_client_open_fd(int fd, const char *name, struct vs_client **ret_client,
		      struct vs_client_fail *ret_fail);

/** vs_client_close() - disconnect and free. */
void vs_client_close(struct vs_client *client);

/**
 * vs_client_call() - send a command and read its whole answer
 * @msg:	built by the caller; flags and sequence number are filled in here
 * @record:	called for each message of the answer; NULL: they are left out
 *
 * Return: 0; what @record returned; or negative errno with *@ret_fail filled in.
 */
int vs_client_call(struct vs_client *client, struct vs_msg *msg, vs_client_record *record,
		   void *ctx, struct vs_client_fail *ret_fail);

/**
 * vs_client_interrupted() - does the last answer show more than one instant?
 *
 * An answer of more than VS_SLICE_BYTES is made in slices. If a switch or a port changed between
 * two of them (NLM_F_DUMP_INTR), an object may be missing or be there in two shapes: who needs
 * one picture of everything calls again.
 *
 * Return: true if the answer that vs_client_call() read last was interrupted in this way.
 */
bool vs_client_interrupted(const struct vs_client *client);

/**
 * vs_client_fd() - the connection's descriptor, for poll()
 *
 * It is readable when a notice waits for vs_client_listen(), or when the daemon has gone. It
 * stays the client's: it is not read from, and not closed.
 */
int vs_client_fd(const struct vs_client *client);

/**
 * vs_client_listen() - receive notices; the connection has subscribed
 *
 * Waits for notices and hands over each, until @record returns something else than 0.
 *
 * Return: what @record returned that was not 0; or negative errno with *@ret_fail filled in,
 * -ECONNRESET when the daemon has gone.
 */
int vs_client_listen(struct vs_client *client, vs_client_record *record, void *ctx,
		     struct vs_client_fail *ret_fail);

/*
 * Batches: requests that change something, applied by the daemon all together or not at all.
 *
 *	struct vs_client_batch *batch = vs_client_batch_new();
 *
 *	vs_client_batch_add(batch, &first);
 *	vs_client_batch_add(batch, &second);
 *	if (vs_client_batch_run(client, batch, NULL, NULL, NULL, &fail))
 *		errx(1, "request %u: %s", fail.index, fail.text);
 *	vs_client_batch_free(batch);
 */

struct vs_client_batch;

/**
 * struct vs_client_batch_how - how a batch is run
 * @dry_run:	only say what it would do
 * @confirm_s:	not 0: the daemon takes it back by itself if CONFIRM does not come within so many
 *		seconds
 */
struct vs_client_batch_how {
	bool dry_run;
	uint32_t confirm_s;
};

/** vs_client_batch_new() - an empty batch, owned by the caller; NULL without memory. */
struct vs_client_batch *vs_client_batch_new(void);

/**
 * vs_client_batch_add() - add a request to it
 * @msg:	copied
 *
 * Return: 0; -ENOMEM; or what is wrong with @msg, see struct vs_msg.
 */
int vs_client_batch_add(struct vs_client_batch *batch, const struct vs_msg *msg);

/**
 * vs_client_batch_run() - send it, and have it applied
 * @how:	NULL: for good, and at once
 * @record:	called with dry_run for each object that would change: CHANGE, COMMAND and RECORD;
 *		NULL: these are left out
 *
 * The batch stays the caller's, and can be run again. Return: 0; what @record returned; or
 * negative errno with *@ret_fail filled in: nothing was changed then, unless the connection broke
 * before the answer came (-ECONNRESET, -ETIMEDOUT).
 */
int vs_client_batch_run(struct vs_client *client, struct vs_client_batch *batch,
			const struct vs_client_batch_how *how, vs_client_record *record, void *ctx,
			struct vs_client_fail *ret_fail);

/** vs_client_batch_free() - free it; NULL is ignored. */
void vs_client_batch_free(struct vs_client_batch *batch);

#ifdef __cplusplus
}
#endif

#endif
