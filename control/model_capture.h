/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures of ports, as the handlers of the control protocol see them; as control/model.h. */
#ifndef VS_CONTROL_MODEL_CAPTURE_H
#define VS_CONTROL_MODEL_CAPTURE_H

#include "control/fail.h"
#include "dataplane/core/tap.h"

#include <stdbool.h>
#include <stdint.h>

struct sock_filter;
struct vs_model;
struct vs_capture;

/**
 * struct vs_capture_spec - what is captured
 * @sides:	bits of enum vs_tap_side
 * @drops_only: only frames of which at least one copy was dropped
 * @snap:	bytes of each frame that are kept
 * @filter:	@n_filter instructions; NULL: all frames
 */
struct vs_capture_spec {
	const char *port;
	uint8_t sides;
	bool drops_only;
	uint32_t snap;
	const struct sock_filter *filter;
	unsigned int n_filter;
};

/**
 * struct vs_capture_view - a captured frame; valid until it is taken
 * @worker:	whose record it is
 * @time_ns:	since 1970
 * @other:	the port that @record->port names; "" if it is gone
 */
struct vs_capture_view {
	const struct vs_tap_record *record;
	unsigned int worker;
	uint64_t time_ns;
	const char *other;
};

/**
 * vs_capture_add() - begin to capture
 * Return: 0 and the capture (owned by the caller: vs_capture_del()); -ENOENT no such port; -EINVAL
 * the filter is no good; -ENOSPC too many captures; -ENOMEM.
 */
int vs_capture_add(struct vs_model *m, const struct vs_capture_spec *spec,
		   struct vs_capture **ret_capture, struct vs_fail *fail);

/** vs_capture_end() - no more frames; those captured may be read. Return: 0 or -ENOMEM. */
int vs_capture_end(struct vs_capture *c);

/** vs_capture_del() - end it and free it. */
void vs_capture_del(struct vs_capture *c);

/** vs_capture_is_over() - has it been ended, or is its port gone? Then nothing comes any more. */
bool vs_capture_is_over(const struct vs_capture *c);

/** vs_capture_port() - the name that its port has now; "": it is gone. */
const char *vs_capture_port(const struct vs_capture *c);

/** vs_capture_next() - the oldest frame that was not taken. Return: false if there is none. */
bool vs_capture_next(struct vs_capture *c, struct vs_capture_view *ret_view);

/** vs_capture_take() - done with the frame of the last vs_capture_next(). */
void vs_capture_take(struct vs_capture *c, const struct vs_capture_view *view);

/** vs_capture_lost() - frames that found no room, those left out that records told of. */
uint64_t vs_capture_lost(const struct vs_capture *c);

#endif
