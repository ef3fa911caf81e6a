/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the store share (store*.c).
 *
 * DOC: theory of operation
 *
 * The image (store_image.h) is what the file says. A transaction of the model is turned into a
 * block (store_commit.c), the block is added to the file, and then carried out on the image, as
 * reading the file would do: they never say different things. The model is told to go on only
 * when the block is durable.
 *
 * A file only grows, until what was added to it is more than it began with: then it is replaced by
 * one that holds the image and nothing else (compaction). So a change costs one short write and
 * one fsync, and the whole image is written so seldom that it does not matter how large it is.
 *
 * What the file says and the model could not make waits in the image (store_replay.c).
 */
#ifndef VS_CONTROL_STORE_PRIV_H
#define VS_CONTROL_STORE_PRIV_H

#include "control/store.h"
#include "control/store_block.h"
#include "control/store_file.h"
#include "control/store_image.h"
#include "control/tlv.h"
#include "dataplane/core/log.h"

struct event;

/**
 * struct vs_store - an open state file and its model
 * @seq:	of the last transaction in the file
 * @base:	bytes of the file when it was written anew last
 * @not_before:	size at which compaction is tried again after it failed; 0: it did not
 * @busy:	the model is being given what the file says: there is nothing to keep
 * @retry:	tries again what waits
 * @rewrite:	compacts, after a transaction
 */
struct vs_store {
	struct vs_store_file file;
	struct vs_image image;
	struct vs_store_link link;
	uint64_t seq;
	uint64_t base;
	uint64_t not_before;
	uint64_t rewrites;
	uint64_t sync_us;
	bool busy;
	bool soon; /* @retry comes at once */
	struct event *retry;
	struct event *rewrite;
	int watch; /* netlink socket that tells of interfaces; -1: none */
	struct event *watch_ev;
	char problem[256];
};

/**
 * store_write() - make @block durable and carry it out on the image.
 * Return: 0, -errno with @fail.
 */
int store_write(struct vs_store *store, struct vs_block *block, struct vs_fail *fail);

/** store_on_commit() - the model's hook (vs_model_on_commit()). */
int store_on_commit(struct vs_model *m, void *ctx, struct vs_fail *fail);

/** store_replay() - make what waits, as far as it can be made. Return: how many were made. */
uint32_t store_replay(struct vs_store *store);

/** struct store_message - a message being built, and its buffer */
struct store_message {
	struct vs_msg msg;
	uint32_t buf[VS_CONFIG_RECORD_MAX / 4];
};

enum {
	/** The longest message of a static address: headers, two names, an address, a number. */
	STATIC_MAX = 192,
};

/** store_key() - what an object is called. */
struct vs_config_key store_key(const struct vs_image_obj *obj);

/** store_record() - the record of a port with the name @sw that its switch has now. */
const struct nlmsghdr *store_record(const struct vs_image_obj *obj, const char *sw,
				    struct store_message *m);

/** store_static() - the message that makes a static address behind @port of switch @sw. */
const struct nlmsghdr *store_static(const struct vs_image_obj *port, const char *sw,
				    uint64_t packed, struct store_message *m);

/** store_each_waiting() - the model asks what waits (vs_model_on_waiting()); @ctx is the store. */
int store_each_waiting(const struct vs_config_key *key,
		       int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				    void *ctx),
		       void *visit_ctx, void *ctx);

/** store_retry_soon() - something changed that what waits may have waited for. */
void store_retry_soon(struct vs_store *store);

/**
 * store_watch_start() - try again when an interface appears, and now and then.
 * Return: 0, -ENOMEM.
 */
int store_watch_start(struct vs_store *store);

/** store_watch_stop() - and no more. */
void store_watch_stop(struct vs_store *store);

#endif
