/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker visits which queue pair, for the files of the model (model*.c).
 *
 * DOC: theory of operation
 *
 * A queue pair is visited by one worker. It is moved in two snapshots, for workers read a new one
 * at different times, and two of them must never visit the same pair:
 *
 *	          first snapshot,                  no frame of the pair waits
 *	          a grace period                   at the old worker; second snapshot
 *	STAYS -> LEAVES ----------------> LEFT --------------------------------------> STAYS
 *
 * In the first one nobody visits the pair. After its grace period the old worker is done with the
 * pair, but it may hold frames from it whose receiver another worker was writing to (held.c), and
 * an uplink may have some that the card did not take yet. They would be overtaken by what the new
 * worker takes: so they go first. Then the pair is handed over, by the second snapshot.
 *
 * Meanwhile, some microseconds, frames wait in the ring that they are in anyway. None is lost
 * unless it would have been with a worker that has something else to do for so long. Control does
 * not wait: what is not drained is looked at again, each millisecond. A worker gets rid of what it
 * holds in a round or two, and sleeps with none, so this ends; only a card that takes nothing for
 * MODEL_PLACE_PATIENCE_MS is not waited for.
 *
 * What goes along: the position in the ring (the device has it), the port's storm and learning
 * limits if both workers know the port through this pair alone. Kicks are switched off in between,
 * as a worker that sleeps asks for those of its own list only.
 */
#ifndef VS_CONTROL_MODEL_PLACE_H
#define VS_CONTROL_MODEL_PLACE_H

#include "control/model.h"
#include "dataplane/core/limits.h"
#include "vmq/controller.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct vs_port;

enum {
	/** Workers that can be named for the pairs of a port; further pairs begin at the first. */
	MODEL_PLACE_LIST = 16,
	/** "15,15,...": the list as text. */
	MODEL_PLACE_TEXT = 3 * MODEL_PLACE_LIST + 8,
	/** A pair waits so long for what its old worker holds. */
	MODEL_PLACE_PATIENCE_MS = 100,
};

/** Who visits the pair in the next snapshot. */
enum model_leave {
	MODEL_PAIR_STAYS,
	MODEL_PAIR_LEAVES, /* nobody; the snapshot is not published yet */
	MODEL_PAIR_LEFT,   /* nobody; its old worker has left it */
};

/**
 * struct model_pair - a queue pair
 * @worker:	that visits it, or will
 * @before:	while it is moved: that visited it
 * @leave_tsc:	since when it is moved
 * @seen:	the counter of @worker when it was looked at last
 * @moves:	how often it was moved
 * @moved_tsc:	when it was moved last
 * @last:	and why; what its queue is in there has no meaning
 * @queue:	what the controller knows of it
 */
struct model_pair {
	uint16_t worker;
	uint16_t before;
	enum model_leave leave;
	uint64_t leave_tsc;
	uint64_t seen;
	uint64_t moves;
	uint64_t moved_tsc;
	struct vs_move last;
	struct vs_controller_queue queue;
};

/**
 * struct model_place - the queue pairs of a port
 * @n:		workers named by hand, in @worker: pair p is at worker[p % n]; 0: none are
 * @open:	pairs that are on the way
 * @home:	where pair 0 begins that nobody placed; the next one at the next worker
 */
struct model_place {
	uint8_t n;
	uint8_t open;
	uint8_t worker[MODEL_PLACE_LIST];
	uint16_t home;
	struct model_pair pair[VS_PLACED_PAIRS];
};

/**
 * struct model_places - of the model
 * @tick:	of the controller; NULL: pairs are placed by hand only
 * @retry:	while pairs are on the way
 * @open:	some pairs may be on the way
 * @patience:	TSC ticks that a pair waits for what its old worker holds, at most
 * @due:	a snapshot is to be published that there was no memory for
 * @sampled_tsc: when loads were measured last
 * @busy:	of each worker, then
 * @worker:	what the controller knows of each
 */
struct model_places {
	struct event *tick;
	struct event *retry;
	bool open;
	bool due;
	uint64_t patience;
	uint64_t sampled_tsc;
	uint64_t busy[VS_WORKERS_MAX];
	struct vs_controller_worker worker[VS_WORKERS_MAX];
};

/** model_place_begin() - a new port, whose first pair begins at worker @home. */
void model_place_begin(struct vs_port *port, uint16_t home);

/** model_place_like() - a new port takes the place of @like. */
void model_place_like(struct vs_port *port, const struct vs_port *like);

/**
 * model_place_check() - may pairs be placed so?
 * @text:	"auto", or workers: "0,1"
 * @origin:	a record may name workers that there are no more: they are counted around
 *
 * Return: 0; -EINVAL, -ERANGE with @fail.
 */
int model_place_check(const struct vs_model *m, const char *text, enum vs_origin origin,
		      struct vs_fail *fail);

/** model_place_set() - place them so; @text was checked. The caller publishes. */
void model_place_set(struct vs_port *port, const char *text);

/** model_place_format() - how they are placed, as model_place_check() takes it. */
void model_place_format(const struct vs_port *port, char text[MODEL_PLACE_TEXT]);

/** model_worker_of() - index of the worker that visits queue pair @pair of @port. */
unsigned int model_worker_of(const struct vs_model *m, const struct vs_port *port,
			     unsigned int pair);

/** model_place_is_open() - is the pair between two workers? Nobody visits it then. */
bool model_place_is_open(const struct vs_port *port, unsigned int pair);

/** model_place_workers() - how many workers visit @port, at least 1. */
uint8_t model_place_workers(const struct vs_port *port);

/** model_place_left() - a snapshot was published, and its grace period is over. */
void model_place_left(struct vs_model *m);

/** model_place_settle() - hand over what is drained; not inside of a transaction. */
void model_place_settle(struct vs_model *m);

/** model_place_move() - the controller's: move a pair. Return: 0 or -ENOMEM. */
int model_place_move(struct vs_port *port, unsigned int pair, const struct vs_move *move);

/** model_place_count() - the counter of what frames of the pair took, at its worker. */
uint64_t model_place_count(const struct vs_port *port, unsigned int pair);

/** model_place_start() - of a new model. Return: 0 or -ENOMEM. */
int model_place_start(struct vs_model *m);

/** model_place_stop() - the model goes. */
void model_place_stop(struct vs_model *m);

/** model_place_say_stay() - why a worker that has too much to do gives nothing away; or "". */
void model_place_say_stay(const struct vs_model *m, unsigned int worker, char *text, size_t size);

/** model_place_sample() - each second: measure loads, where the controller does not. */
void model_place_sample(struct vs_model *m);

#endif
