/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration on disk: what was acknowledged is there again after the daemon or the machine
 * has stopped, however it stopped. doc/state.md describes the file and what is promised.
 *
 * Control thread only.
 */
#ifndef VS_CONTROL_STORE_H
#define VS_CONTROL_STORE_H

#include "control/config.h"

#define VS_STATE_FOLDER "/var/lib/vmswitch"
#define VS_STATE_DEFAULT VS_STATE_FOLDER "/state"

struct event_base;
struct nlmsghdr;
struct vs_store;

/** struct vs_store_config - how to open a store */
struct vs_store_config {
	const char *path; /* of the state file; stays valid as long as the store */
};

/**
 * vs_store_open() - lock the state file, read it, and repair a torn tail
 *
 * Logs the reason when it fails, and where a good copy is. A file that is not there is made by the
 * first change.
 *
 * Return: 0 and the store (owned by the caller); -EBUSY another daemon uses the file; -EPERM it or
 * its lock is not ours to write to; -EBADMSG it is damaged; -EPROTONOSUPPORT a newer daemon wrote
 * it; -ENOTSUP it is something else; -ENOMEM; what the system said.
 */
int vs_store_open(const struct vs_store_config *config, struct vs_store **ret_store);

/**
 * struct vs_store_link - what a store works with once there is a model
 * @apply:	runs one changing message (vs_dispatch_apply())
 */
struct vs_store_link {
	struct event_base *base;
	struct vs_model *model;
	int (*apply)(struct vs_model *m, const struct nlmsghdr *nlh, struct vs_fail *fail);
};

/**
 * vs_store_start() - make what the file says, and keep what happens from now on
 *
 * The model is empty and its workers run. An object that cannot be made waits: it is tried again
 * every few seconds, and is not lost. Return: 0; -ENOMEM.
 */
int vs_store_start(struct vs_store *store, const struct vs_store_link *link);

/** vs_store_free() - nothing is kept from now on; the model is still there. NULL is fine. */
void vs_store_free(struct vs_store *store);

/** struct vs_store_info - how it is */
struct vs_store_info {
	const char *path;
	uint64_t bytes;        /* of the file */
	uint64_t base;         /* of them, what was needed when it was written anew last */
	uint64_t transactions; /* numbered since the file was made */
	uint64_t rewrites;     /* since the daemon was started */
	uint64_t sync_us;      /* the last transaction took this long to become durable */
	uint32_t waiting;      /* objects that could not be made */
	const char *problem;   /* why changes are refused now, or "" */
};

/** vs_store_info() - fill in *@ret_info; its strings are valid until the next change. */
void vs_store_info(const struct vs_store *store, struct vs_store_info *ret_info);

/**
 * vs_store_waiting() - visit what could not be made, in an order in which it could be
 * @object:	only such; 0: all
 * @visit:	returns 0 to go on; anything else ends the walk and is returned. @why is one
 *		sentence.
 *
 * Return: 0, -ENOMEM, or what @visit returned. @store NULL: nothing waits.
 */
int vs_store_waiting(const struct vs_store *store, enum vs_config_object object,
		     int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				  const char *why, void *ctx),
		     void *ctx);

#endif
