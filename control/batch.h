/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A batch of a client: messages that apply together or not at all. Private to the server.
 *
 * DOC: theory of operation
 *
 * Between BATCH_BEGIN and BATCH_END the messages are only kept, after they have been held against
 * their policy; nothing is answered but the first one that is refused, and what follows that one is
 * dropped. BATCH_END runs all of them in one transaction of the model and then answers: an ACK for
 * each message that asked for one, or one error for the message that failed and -ECANCELED for
 * BATCH_END. What all clients together may have kept is bounded, and so is how long one may run, as
 * nobody else is served meanwhile. A batch to which nothing is added keeps its room only until
 * another client needs it.
 */
#ifndef VS_CONTROL_BATCH_H
#define VS_CONTROL_BATCH_H

#include "control/obj.h"

#include <stdbool.h>

struct vs_batch;
struct vs_session;

/** vs_batch_takes() - is the session inside of a batch, so that requests are for it? */
bool vs_batch_takes(const struct vs_session *s);

/**
 * vs_batch_take() - keep a message of the batch, or handle its end
 * @nlh:	passed vs_request_frame()
 */
void vs_batch_take(struct vs_session *s, const struct nlmsghdr *nlh);

/** vs_batch_drop() - the connection ends: forget its batch, if there is one. */
void vs_batch_drop(struct vs_session *s);

#endif
