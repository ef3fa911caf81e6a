/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A batch that waits to be confirmed: in force, not kept, and undone by itself if nobody says in
 * time that it is good, as when it has cut off the way that its author came by. Private to the
 * server.
 *
 * Until then nothing else is changed, so that going back is to go back to what was.
 */
#ifndef VS_CONTROL_CONFIRM_H
#define VS_CONTROL_CONFIRM_H

#include "control/obj.h"

#include <stdint.h>
#include <sys/types.h>

struct event;
struct vs_hub;

/** struct vs_confirm - of the hub; @timer goes off at @end_ms (monotonic) */
struct vs_confirm {
	struct event *timer;
	uint64_t end_ms;
	pid_t pid; /* of the client whose batch it is */
};

/** vs_confirm_open() - be ready for one. Return: 0 or -ENOMEM. */
int vs_confirm_open(struct vs_hub *hub);

/**
 * vs_confirm_close() - the daemon ends: what waits is not kept, so the next start is without it.
 */
void vs_confirm_close(struct vs_hub *hub);

/** vs_confirm_start() - the provisional transaction of process @pid has @seconds. */
void vs_confirm_start(struct vs_hub *hub, uint32_t seconds, pid_t pid);

/** vs_confirm_check() - may anything be changed? Return: 0, or -EBUSY with @fail. */
int vs_confirm_check(const struct vs_hub *hub, struct vs_fail *fail);

/** vs_confirm_run() - handler of CONFIRM */
int vs_confirm_run(struct vs_call *call, struct vs_fail *fail);

/** vs_confirm_rollback() - handler of ROLLBACK */
int vs_confirm_rollback(struct vs_call *call, struct vs_fail *fail);

#endif
