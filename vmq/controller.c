/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * Ten times a second somebody samples how long each worker was busy, and how much of that each
 * queue took. A worker is *hot* when it was above 70 % for three ticks, *cold* when it was below
 * 30 % for twenty; what lies between makes both counts begin anew, so a load that swings around one
 * of the limits moves nothing.
 *
 * Spread: the hottest worker gives one queue to the worker that has the least to do. Of its queues
 * it takes the one after which the fuller one of the two is the least full. The other one must
 * still be less full by 5 % then than the hot one was; if no queue is like that nothing helps (one
 * queue that is too much for a worker stays alone on one), and the next hot worker is looked at.
 *
 * Fold: if nobody was helped, the cold worker that has the least to do gives its busiest queue to
 * the fullest of the others that could take all that it does, and stays below 60 %. It stays cold,
 * so its other queues follow in the next ticks, and then it sleeps. Idle queues stay where they
 * are: a worker that has nothing to do sleeps, whatever it looks after.
 *
 * Why nothing goes to and fro:
 *
 * - A queue stays for a second where it was put, by whomever.
 * - A move begins the counts of both workers anew (but for the cold one's, which is being emptied).
 * - Folding fills up to 60 %, and spreading begins above 70 %. Folding makes the number of workers
 *   that have something to do smaller, spreading makes the fuller one of two workers less full.
 *   While loads stay the same neither undoes the other, and so there is an end.
 *
 * A measured load is no demand: a full worker shares itself out, and a queue that leaves it may
 * turn out to be bigger than it looked. That is seen three ticks later, and mended if it can be.
 *
 * Means weigh the last tick with one half: after three ticks they show seven eighths of a change.
 * What moves is taken from the one worker's mean and added to the other's at once, so that the next
 * tick, which may move something else, sees the load where it will be.
 *
 * No queue is moved to a worker that shares its processor with the control thread while there is
 * one that does not; those that are there may leave. A worker with a fixed queue that is not idle
 * is not emptied, as it could not sleep then; it may be filled.
 */
#include "vmq/controller.h"

static uint16_t part_of(uint64_t busy, uint64_t elapsed)
{
	/* Who was preempted, or sampled late, was busy for all of it at the most. */
	return busy >= elapsed ? VS_LOAD_ONE
			       : (uint16_t)((double)busy * VS_LOAD_ONE / (double)elapsed);
}

static uint16_t mean_of(uint16_t mean, uint16_t load)
{
	/* Rounded to the load's side, so that it gets there. */
	return (uint16_t)((mean + load + (load > mean)) / 2);
}

static uint16_t less(uint16_t from, uint16_t what)
{
	return (uint16_t)(from > what ? from - what : 0);
}

static uint16_t more(uint16_t to, uint16_t what)
{
	return (uint16_t)(to + what < VS_LOAD_ONE ? to + what : VS_LOAD_ONE);
}

/* The last tick may have been busier than those before. */
static unsigned int most_of(const struct vs_controller_worker *w)
{
	return w->load > w->mean ? w->load : w->mean;
}

/* ---- samples */

static uint8_t count_up(uint8_t count, bool again)
{
	if (!again)
		return 0;
	return (uint8_t)(count < UINT8_MAX ? count + 1 : count);
}

static void take_worker(struct vs_controller_worker *w, uint64_t elapsed)
{
	w->load = part_of(w->busy, elapsed);
	w->mean = mean_of(w->mean, w->load);
	w->hot = count_up(w->hot, w->load > VS_SPREAD_LOAD);
	w->cold = count_up(w->cold, w->load < VS_FOLD_LOAD);
	w->stay = VS_STAY_NOT;
}

/* The queue is at worker @to from now on. */
static void note_move(const struct vs_controller_input *in, struct vs_controller_queue *q,
		      uint16_t to)
{
	in->worker[q->at].hot = 0;
	in->worker[to].hot = 0;
	in->worker[to].cold = 0;
	q->at = to;
	q->moved = true;
	q->moved_ms = in->now_ms;
}

static void take_queue(const struct vs_controller_input *in, struct vs_controller_queue *q)
{
	if (!q->known) {
		q->known = true;
		q->at = q->worker;
	} else if (q->at != q->worker && q->at < in->n_workers) {
		/* By hand; or a move of ours that did not happen. */
		note_move(in, q, q->worker);
	}
	q->load = part_of(q->busy, in->elapsed);
	q->mean = mean_of(q->mean, q->load);
}

void vs_controller_observe(const struct vs_controller_input *in)
{
	unsigned int i;

	for (i = 0; i < in->n_workers; i++)
		take_worker(&in->worker[i], in->elapsed);
	for (i = 0; i < in->n_queues; i++)
		take_queue(in, in->queue[i]);
}

/* ---- where to */

/* Are there workers elsewhere than beside the control thread? */
static bool has_others(const struct vs_controller_input *in)
{
	unsigned int i;

	for (i = 0; i < in->n_workers; i++) {
		if (!in->worker[i].on_control)
			return true;
	}
	return false;
}

static bool may_take(const struct vs_controller_input *in, unsigned int worker)
{
	return !in->worker[worker].on_control || !has_others(in);
}

static bool is_recent(const struct vs_controller_input *in, const struct vs_controller_queue *q)
{
	return q->moved && in->now_ms - q->moved_ms < VS_PLACE_STAY_MS;
}

static bool may_move(const struct vs_controller_input *in, const struct vs_controller_queue *q)
{
	return q->hold == VS_QUEUE_FREE && q->mean && !is_recent(in, q);
}

static void fill_move(const struct vs_controller_input *in, struct vs_move *move)
{
	struct vs_controller_queue *q = in->queue[move->queue];
	struct vs_controller_worker *from = &in->worker[q->at];
	struct vs_controller_worker *to = &in->worker[move->to];

	move->from = q->at;
	move->from_load = from->mean;
	move->to_load = to->mean;
	move->queue_load = q->mean;
	from->mean = less(from->mean, q->mean);
	to->mean = more(to->mean, q->mean);
	note_move(in, q, move->to);
}

/* ---- spread */

/* The worker that has the least to do; perhaps the hot one itself, which nothing helps then. */
static unsigned int find_emptiest(const struct vs_controller_input *in)
{
	unsigned int best = in->n_workers;
	unsigned int i;

	for (i = 0; i < in->n_workers; i++) {
		if (!may_take(in, i))
			continue;
		if (best == in->n_workers || in->worker[i].mean < in->worker[best].mean)
			best = i;
	}
	return best;
}

/* Why none of the worker's queues can go. */
static enum vs_stay_why why_stuck(const struct vs_controller_input *in, unsigned int worker)
{
	enum vs_stay_why why = VS_STAY_FIXED;
	unsigned int i;

	for (i = 0; i < in->n_queues; i++) {
		const struct vs_controller_queue *q = in->queue[i];

		if (q->at != worker || q->hold != VS_QUEUE_FREE || q->mean == 0)
			continue;
		if (!is_recent(in, q))
			return VS_STAY_NO_BETTER;
		why = VS_STAY_RECENT;
	}
	return why;
}

/* The queue of worker @from whose move to @to helps most. Return: n_queues: none helps. */
static unsigned int find_helpful(const struct vs_controller_input *in, unsigned int from,
				 unsigned int to)
{
	const uint16_t full = in->worker[from].mean;
	const uint16_t other = in->worker[to].mean;
	unsigned int best_after = full;
	unsigned int best = in->n_queues;
	unsigned int i;

	for (i = 0; i < in->n_queues; i++) {
		const struct vs_controller_queue *q = in->queue[i];
		unsigned int left = less(full, q->mean);
		unsigned int there = (unsigned int)other + q->mean;
		unsigned int after = left > there ? left : there;

		if (q->at != from || !may_move(in, q) || there + VS_SPREAD_GAIN > full)
			continue;
		if (after < best_after) {
			best_after = after;
			best = i;
		}
	}
	return best;
}

/* The hottest worker that was not looked at in this tick. Return: n_workers: there is none. */
static unsigned int find_hottest(const struct vs_controller_input *in)
{
	unsigned int best = in->n_workers;
	unsigned int i;

	for (i = 0; i < in->n_workers; i++) {
		const struct vs_controller_worker *w = &in->worker[i];

		if (w->stay != VS_STAY_LAST)
			continue;
		if (best == in->n_workers || w->mean > in->worker[best].mean)
			best = i;
	}
	return best;
}

static void mark_hot(const struct vs_controller_input *in)
{
	unsigned int i;

	for (i = 0; i < in->n_workers; i++) {
		struct vs_controller_worker *w = &in->worker[i];

		if (w->hot)
			w->stay = w->hot < VS_SPREAD_TICKS ? VS_STAY_TICKS : VS_STAY_LAST;
	}
}

static bool spread(const struct vs_controller_input *in, struct vs_move *move)
{
	unsigned int from;

	mark_hot(in);
	while ((from = find_hottest(in)) < in->n_workers) {
		unsigned int to = find_emptiest(in);
		unsigned int queue = find_helpful(in, from, to);

		if (queue == in->n_queues) {
			in->worker[from].stay = (uint8_t)why_stuck(in, from);
			continue;
		}
		in->worker[from].stay = VS_STAY_NOT;
		*move = (struct vs_move){
			.queue = queue,
			.why = VS_MOVE_SPREAD,
			.to = (uint16_t)to,
			.ticks = in->worker[from].hot,
		};
		fill_move(in, move);
		return true;
	}
	return false;
}

/* ---- fold */

/* Could the worker sleep if what may move were gone? Return: its busiest queue; n_queues: no. */
static unsigned int find_busiest(const struct vs_controller_input *in, unsigned int from)
{
	unsigned int best = in->n_queues;
	unsigned int i;

	for (i = 0; i < in->n_queues; i++) {
		const struct vs_controller_queue *q = in->queue[i];

		if (q->at != from || q->mean == 0)
			continue;
		if (q->hold == VS_QUEUE_FIXED)
			return in->n_queues;
		if (may_move(in, q) && (best == in->n_queues || q->mean > in->queue[best]->mean))
			best = i;
	}
	return best;
}

/* The fullest worker that can take all of @from's load. Return: n_workers: there is none. */
static unsigned int find_fullest(const struct vs_controller_input *in, unsigned int from)
{
	unsigned int best = in->n_workers;
	unsigned int i;

	for (i = 0; i < in->n_workers; i++) {
		const struct vs_controller_worker *w = &in->worker[i];

		if (i == from || !may_take(in, i) || w->mean < VS_LOAD_IDLE ||
		    most_of(w) + most_of(&in->worker[from]) > VS_FOLD_FULL)
			continue;
		if (best == in->n_workers || w->mean > in->worker[best].mean)
			best = i;
	}
	return best;
}

/* Can worker @from be emptied? Return: true, and the first step. */
static bool empty(const struct vs_controller_input *in, unsigned int from, struct vs_move *move)
{
	unsigned int queue = find_busiest(in, from);
	unsigned int to = find_fullest(in, from);

	if (queue == in->n_queues || to == in->n_workers)
		return false;
	*move = (struct vs_move){
		.queue = queue,
		.why = VS_MOVE_FOLD,
		.to = (uint16_t)to,
		.ticks = in->worker[from].cold,
	};
	return true;
}

static bool fold(const struct vs_controller_input *in, struct vs_move *move)
{
	unsigned int least = in->n_workers;
	struct vs_move one;
	unsigned int i;

	for (i = 0; i < in->n_workers; i++) {
		const struct vs_controller_worker *w = &in->worker[i];

		if (w->cold < VS_FOLD_TICKS || w->mean < VS_LOAD_IDLE)
			continue;
		if (least < in->n_workers && w->mean >= in->worker[least].mean)
			continue;
		if (!empty(in, i, &one))
			continue;
		least = i;
		*move = one;
	}
	if (least == in->n_workers)
		return false;
	fill_move(in, move);
	return true;
}

bool vs_controller_tick(const struct vs_controller_input *in, struct vs_move *ret_move)
{
	struct vs_move move;

	vs_controller_observe(in);
	if (!spread(in, &move) && !fold(in, &move))
		return false;
	*ret_move = move;
	return true;
}
