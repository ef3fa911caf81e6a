/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VMQ: frames from an uplink are sorted into queues, one for each port that has one. doc/vmq.md
 * says what a queue is.
 */
#ifndef VS_VMQ_VMQ_H
#define VS_VMQ_VMQ_H

#include "dataplane/core/ctx.h"
#include "dataplane/core/vmq.h"

/** vs_vmq_classify() - stage 2, see classify.c */
void vs_vmq_classify(struct vs_ctx *ctx, struct vs_burst *burst);

/**
 * vs_vmq_new() - a table without filters, no queue pair of which is anybody's
 * @filters:	that it has room for
 * @seed:	any number; another one for each table is best
 *
 * Return: it, owned by the caller (vs_vmq_free()); NULL: no memory.
 */
struct vs_vmq *vs_vmq_new(uint32_t filters, uint64_t seed);

/** vs_vmq_free() - free a table that no published configuration names. NULL is fine. */
void vs_vmq_free(struct vs_vmq *vmq);

/**
 * vs_vmq_add() - frames to @mac in VLAN @vid belong to the queue of @port
 * @vid:	as inside the switch: 0 are the untagged ones
 *
 * Return: 0; -EEXIST another queue has that filter, which stays as it is; -ENOSPC; -EINVAL @mac is
 * zero or a group address.
 */
int vs_vmq_add(struct vs_vmq *vmq, const struct rte_ether_addr *mac, uint16_t vid, uint16_t port);

/**
 * enum vs_vmq_state - the life of a queue (doc/vmq.md)
 *
 * | state      | filters | frames of it may be with a worker | the table names it |
 * |------------|---------|-----------------------------------|--------------------|
 * | FREE       | no      | no                                | no                 |
 * | ALLOCATED  | no      | no                                | no                 |
 * | FILTER_SET | yes     | no                                | not yet            |
 * | RUNNING    | yes     | yes                               | yes                |
 * | CLEARED    | no      | yes, they are the default queue's | no                 |
 * | STOPPED    | no      | no                                | no                 |
 * | RETURNED   | no      | no, and none is owed to the NIC   | no                 |
 */
enum vs_vmq_state {
	VS_VMQ_FREE,
	VS_VMQ_ALLOCATED,
	VS_VMQ_FILTER_SET,
	VS_VMQ_RUNNING,
	VS_VMQ_CLEARED,
	VS_VMQ_STOPPED,
	VS_VMQ_RETURNED,
	VS_VMQ_STATES,
};

/** What happens to a queue. */
enum vs_vmq_event {
	VS_VMQ_ALLOCATE,   /* a port gets a number */
	VS_VMQ_SET_FILTER, /* it has an address and a VLAN; also: other filters than before */
	VS_VMQ_RUN,        /* the workers have the table that names it */
	VS_VMQ_CLEAR,      /* the workers have one that does not */
	VS_VMQ_STOP,       /* each worker has left the table before */
	VS_VMQ_RETURN,     /* buffers of its frames are back where they came from */
	VS_VMQ_RELEASE,    /* its number may be another's */
	VS_VMQ_EVENTS,
};

/**
 * vs_vmq_step() - the state that a queue gets into
 * Return: it, or -EINVAL: the event cannot happen in that state.
 */
int vs_vmq_step(enum vs_vmq_state state, enum vs_vmq_event event);

/** vs_vmq_state_name() - as the user sees it; "unknown" for any other value. */
const char *vs_vmq_state_name(enum vs_vmq_state state);

#endif
