/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world for the controller of dynamic VMQ (vmq/controller.h). It says what each worker and queue
 * would have done, carries out the moves, and judges each of them: it keeps the loads of the last
 * ticks itself, and knows what the queues want, which the controller can only guess.
 */
#ifndef VS_TEST_CONTROLLER_SIM_H
#define VS_TEST_CONTROLLER_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmq/controller.h"

#include <string.h>

enum {
	WORKERS = 64,
	QUEUES = 400,
	HISTORY = 32,
	ELAPSED = 2500 * 1000, /* ticks of busy in a tick: the smallest load is 250 of them */
	PERCENT = VS_LOAD_ONE / 100,
	NEVER = -1000000,
	/* What the demand may differ from what was measured: rounding, and the lag of a mean. */
	SLACK = 100,
};

/**
 * struct sim - the world
 * @wants:	what each queue would use of a worker of its own; may be more than there is
 * @got:	what it got in the last tick
 * @at:		who visits it
 * @last:	when it was moved last
 * @load:	of each worker, the last ticks, newest at [ticks % HISTORY]
 */
struct sim {
	unsigned int n_workers;
	unsigned int n_queues;
	int64_t now;
	unsigned int ticks;
	unsigned int moves;
	unsigned int spreads;
	unsigned int folds;
	int64_t quiet_since;
	bool constant;
	bool refuse; /* moves are not carried out */
	double wants[QUEUES];
	double got[QUEUES];
	unsigned int at[QUEUES];
	int64_t last[QUEUES];
	bool fixed[QUEUES];
	bool on_control[WORKERS];
	double load[WORKERS][HISTORY];
	struct vs_controller_worker worker[WORKERS];
	struct vs_controller_queue queue[QUEUES];
	struct vs_controller_queue *list[QUEUES];
	struct vs_move move; /* the last one */
};

extern struct sim sim;

/** sim_start() - a new world; all queues at worker 0, and nothing to do */
void sim_start(unsigned int n_workers, unsigned int n_queues);

/** sim_tick() - a tick of the clock. Return: was something moved? */
bool sim_tick(void);

/** sim_by_hand() - somebody else moves a queue. */
void sim_by_hand(unsigned int queue, unsigned int to);

/** sim_wanted() - what the queues of @worker would use. */
double sim_wanted(unsigned int worker);

#endif
