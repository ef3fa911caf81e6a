/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How busy the workers were between two readings of their counters.
 */
#ifndef VS_CONTROL_CLI_LOAD_H
#define VS_CONTROL_CLI_LOAD_H

#include "control/cli/out.h"
#include "control/client.h"

enum {
	/** Workers that are shown; a daemon has no more. */
	LOAD_WORKERS_MAX = 16,
};

/** struct load_worker - counters of one worker, see WORKER_GET; @cpu -1: any */
struct load_worker {
	uint64_t id;
	int cpu;
	uint64_t total;
	uint64_t busy;
	uint64_t frames;
	uint64_t events_lost;
};

/** struct load - of all workers, now and before; all zero: nothing was read yet */
struct load {
	uint64_t hz;
	size_t n;
	size_t n_before;
	struct load_worker now[LOAD_WORKERS_MAX];
	struct load_worker before[LOAD_WORKERS_MAX];
};

/** load_read() - what was read before is compared with. Return: 0 or -errno with @fail. */
int load_read(struct load *load, struct vs_client *client, struct vs_client_fail *fail);

/** load_put() - a row per worker. */
void load_put(struct out *o, const struct load *load);

/** load_share() - @cycles in @elapsed_ns as a share of one processor, 1: all of it. */
double load_share(const struct load *load, uint64_t cycles, uint64_t elapsed_ns);

#endif
