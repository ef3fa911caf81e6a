/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker visits which queue: the controller of dynamic VMQ.
 *
 * A pure function from samples and a clock to moves: it reads no clock, touches no queue and calls
 * nobody, so tests run it on traces of hours in no time.
 */
#ifndef VS_VMQ_CONTROLLER_H
#define VS_VMQ_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/** A load is a part of this: one worker that does nothing else. */
	VS_LOAD_ONE = 10000,
	/** How often samples are taken. */
	VS_PLACE_TICK_MS = 100,
	/** Above it for so many ticks a worker gives queues away. */
	VS_SPREAD_LOAD = 7000,
	VS_SPREAD_TICKS = 3,
	/** Below it for so many ticks a worker is emptied, so that it can sleep. */
	VS_FOLD_LOAD = 3000,
	VS_FOLD_TICKS = 20,
	/** What folding may fill a worker up to; below VS_SPREAD_LOAD: nothing comes back. */
	VS_FOLD_FULL = 6000,
	/** So much less full must the other worker be with the queue than the first one was. */
	VS_SPREAD_GAIN = 500,
	/** Below this a worker is idle: it need not be emptied, and nothing is folded into it. */
	VS_LOAD_IDLE = 50,
	/** A queue stays for so long where it was put. */
	VS_PLACE_STAY_MS = 1000,
};

/** Why a queue was moved. */
enum vs_move_why {
	VS_MOVE_NEVER,  /* it was not */
	VS_MOVE_SPREAD, /* its worker was above VS_SPREAD_LOAD, and another one has room */
	VS_MOVE_FOLD,   /* its worker had so little to do that another one does that as well */
	VS_MOVE_HAND,   /* somebody said so */
};

/** Why a worker above VS_SPREAD_LOAD keeps what it has. */
enum vs_stay_why {
	VS_STAY_NOT,       /* it is not above, or gives a queue away */
	VS_STAY_TICKS,     /* not for long enough yet */
	VS_STAY_LAST,      /* another one is helped first: one move a tick */
	VS_STAY_FIXED,     /* all its load is in queues that are placed by hand */
	VS_STAY_RECENT,    /* and in queues that came less than VS_PLACE_STAY_MS ago */
	VS_STAY_NO_BETTER, /* no move would help: one queue is too much, or the others are full */
};

/** Whether the controller may move a queue. */
enum vs_queue_hold {
	VS_QUEUE_FREE,
	VS_QUEUE_FIXED,
};

/**
 * struct vs_controller_worker - a worker
 * @busy:	sample: ticks of the tick's @elapsed in which it had work
 * @on_control:	it shares its processor with the control thread
 * @load:	of the last tick
 * @mean:	of the last few ticks
 * @hot, @cold:	ticks in a row above VS_SPREAD_LOAD, below VS_FOLD_LOAD
 * @stay:	result of the tick: enum vs_stay_why
 */
struct vs_controller_worker {
	uint64_t busy;
	bool on_control;
	uint16_t load;
	uint16_t mean;
	uint8_t hot;
	uint8_t cold;
	uint8_t stay;
};

/**
 * struct vs_controller_queue - a queue; all zero to begin with, but for the first four
 * @busy:	sample: ticks of the tick's @elapsed that its frames took
 * @worker:	sample: who visits it
 * @hold:	sample: may it be moved?
 * @known:	it was seen before, at worker @at
 * @load, @mean: as of a worker
 * @moved_ms:	when it came to @at, if it ever moved (@moved)
 */
struct vs_controller_queue {
	uint64_t busy;
	uint16_t worker;
	enum vs_queue_hold hold;
	bool known;
	bool moved;
	uint16_t at;
	uint16_t load;
	uint16_t mean;
	uint64_t moved_ms;
};

/**
 * struct vs_controller_input - one tick
 * @now_ms:	the clock; never goes back
 * @elapsed:	ticks of @busy since the tick before; not 0
 * @worker, @queue: samples, and what the controller remembers of each from tick to tick
 */
struct vs_controller_input {
	uint64_t now_ms;
	uint64_t elapsed;
	struct vs_controller_worker *worker;
	unsigned int n_workers;
	struct vs_controller_queue *const *queue;
	unsigned int n_queues;
};

/**
 * struct vs_move - a queue goes from one worker to another
 * @queue:	index in the input
 * @from_load, @to_load: of the two workers before the move
 * @queue_load:	of the queue
 * @ticks:	for how many in a row the reason held
 */
struct vs_move {
	unsigned int queue;
	enum vs_move_why why;
	uint16_t from;
	uint16_t to;
	uint16_t from_load;
	uint16_t to_load;
	uint16_t queue_load;
	uint8_t ticks;
};

/**
 * vs_controller_tick() - take the samples of one tick
 * @ret_move:	what to do, if the result is true; the controller takes it for done
 *
 * A caller that cannot make the move leaves the queue where it is: the next tick sees that. So it
 * does a queue that somebody else moved. A worker keeps its place in the array; queues may come, go
 * and change theirs.
 *
 * Return: is there a move?
 */
bool vs_controller_tick(const struct vs_controller_input *in, struct vs_move *ret_move);

/**
 * vs_controller_observe() - only measure: @load and @mean of all, and no move
 *
 * For where queues are placed by hand alone.
 */
void vs_controller_observe(const struct vs_controller_input *in);

#endif
