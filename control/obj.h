/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the handlers of the commands (control/obj_*.c) see. One file per object: a handler takes
 * the checked attributes, asks the model once, and turns what the model shows into records. A
 * new object is a file with a table of handlers, and a row in control/dispatch.c.
 */
#ifndef VS_CONTROL_OBJ_H
#define VS_CONTROL_OBJ_H

#include "control/model.h"
#include "control/tlv.h"

struct vs_session;

/**
 * struct vs_call - one command being handled
 * @attr:	checked attributes by number, NULL where there is none
 * @origin:	who asks
 * @msg:	the record being built
 * @pos:	records so far, those skipped included; or the place of vs_call_begin_at()
 * @skip:	what @pos was at the end of the slice before; 0: this is the first
 */
struct vs_call {
	struct vs_model *model;
	const struct nlattr *const *attr;
	struct vs_session *session;
	const struct vs_request *request;
	enum vs_origin origin;
	struct vs_msg msg;
	uint64_t pos;
	uint64_t skip;
};

/**
 * struct vs_handler - who handles a command; a table of them ends with cmd 0
 * @run:	returns 0; negative errno with @fail filled in; or what vs_call_end() returned
 */
struct vs_handler {
	uint8_t cmd;
	int (*run)(struct vs_call *call, struct vs_fail *fail);
};

extern const struct vs_handler vs_obj_batch[];
extern const struct vs_handler vs_obj_switch[];
extern const struct vs_handler vs_obj_port[];
extern const struct vs_handler vs_obj_fdb[];
extern const struct vs_handler vs_obj_worker[];
extern const struct vs_handler vs_obj_mtu[];
extern const struct vs_handler vs_obj_offload[];
extern const struct vs_handler vs_obj_vmq[];
extern const struct vs_handler vs_obj_queue[];
extern const struct vs_handler vs_obj_uplink[];
extern const struct vs_handler vs_obj_stats[];
extern const struct vs_handler vs_obj_monitor[];
extern const struct vs_handler vs_obj_state[];
extern const struct vs_handler vs_obj_capture[];

/**
 * vs_call_begin() - begin a record of the answer
 * Return: the message to put attributes into, or NULL: an earlier slice had it, leave it out.
 */
struct vs_msg *vs_call_begin(struct vs_call *call);

/**
 * vs_call_begin_at() - begin a record of a dump that finds its place again by itself
 * @next:	not 0; call->skip of the slice that begins behind this record
 *
 * A handler uses this for all its records, or vs_call_begin().
 */
struct vs_msg *vs_call_begin_at(struct vs_call *call, uint64_t next);

/**
 * vs_call_end() - the record is complete
 * Return: 0 go on; 1 the slice is full: stop and return 1; negative errno: stop and return it.
 */
int vs_call_end(struct vs_call *call);

/** vs_call_str() - value of a string attribute, or NULL if the request has none. */
const char *vs_call_str(const struct vs_call *call, enum vs_attr attr);

/** vs_call_mac() - value of a MAC attribute; all zero if the request has none. */
void vs_call_mac(const struct vs_call *call, enum vs_attr attr, struct rte_ether_addr *ret_mac);

/** vs_call_rights() - what the client may do. */
enum vs_rights vs_call_rights(const struct vs_call *call);

/** vs_monitor_notice() - send a notice of the model to all subscribers; @ctx is the hub. */
void vs_monitor_notice(const struct vs_notice *notice, void *ctx);

/** vs_feed_more() - @s has room: queue captured frames, and what is to be said at the end. */
void vs_feed_more(struct vs_session *s);

/** vs_feed_free() - end the capture of @s, if it has one. */
void vs_feed_free(struct vs_session *s);

/** vs_monitor_overflow() - queue the notice that says how many @s lost, and start anew. */
void vs_monitor_overflow(struct vs_session *s);

#endif
