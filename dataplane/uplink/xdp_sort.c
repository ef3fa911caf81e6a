/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of guests' ports on an xdp uplink: the kernel sorts, each queue has a socket of its own on
 * each hw queue.
 *
 * DOC: theory of operation
 *
 * What is sorted wrongly does no harm: the switch looks into each frame once more (vmq/classify.c).
 * So filters and configuration of the workers need not change at the same moment. What must not
 * suffer is order, for a frame by another socket is taken by another worker, or at another time:
 *
 *   - a queue begins: frames that came before are in the default socket. The queue's sockets are
 *     SHUT, the filters go to the kernel; when it is sure that no frame is sorted by the old ones
 *     any more, the place that the default socket has got to is noted (MARKED), and when it was
 *     read so far, the worker opens the gate.
 *   - a queue ends: frames that come later are in the default socket. It is not read while the
 *     queue has frames (vs_xq.draining); the filters are taken away; when it is sure that none
 *     comes any more (LAST), the worker of the default socket goes on when the queue is empty.
 *
 * The kernel runs the program under RCU, and membarrier(MEMBARRIER_CMD_GLOBAL) waits for a grace
 * period of that: this is how it is sure.
 *
 * A queue is another port's when its sockets are empty: then all its buffers are back. Sockets are
 * made when they are needed and stay until the interface is given back; workers poll them only
 * while sorting is on.
 */
#include "dataplane/core/vmq.h"
#include "dataplane/core/watch.h"
#include "dataplane/uplink/xdp_obj.h"
#include "dataplane/uplink/xdp_why.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Workers empty a ring within a visit or two; after this, something else is wrong. */
	DRAIN_STEPS = 500,
	DRAIN_STEP_NS = 1000000,
	NO_QUEUE = 0, /* the default one's number */
};

unsigned int vs_xdp_queues_max(const struct vs_xdp *x)
{
	return x->set.queues_max;
}

uint16_t vs_xdp_owner(const struct vs_xdp *x, unsigned int pair)
{
	unsigned int queue;

	if (pair <= x->set.n)
		return VS_VMQ_DEFAULT;
	queue = (pair - x->set.n - 1) / x->set.n;
	return queue < x->n_queues ? x->queue[queue].port : VS_VMQ_DEFAULT;
}

/* No frame is on its way by what was just replaced. */
static void wait_for_kernel(void)
{
	/* Refused on some machines for real-time work: order is not promised there. */
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static bool queue_is_empty(const struct vs_xdp *x, const struct vs_xdp_queue *queue)
{
	uint32_t hw;

	for (hw = 0; hw < x->set.n; hw++) {
		if (!vs_xq_in_is_empty(&queue->in[hw]))
			return false;
	}
	return true;
}

/* Workers are about to take what is left in it. Return: did they? */
static bool wait_until_empty(const struct vs_xdp *x, const struct vs_xdp_queue *queue)
{
	const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
	unsigned int i;

	for (i = 0; i < DRAIN_STEPS && !queue_is_empty(x, queue); i++)
		(void)nanosleep(&step, NULL);
	return queue_is_empty(x, queue);
}

/* ---- sockets */

/* Let several sockets write to FILL, from now on. */
static void share_fill(struct vs_xdp *x)
{
	uint32_t hw;

	if (x->set.queue[0].fill_shared)
		return;
	for (hw = 0; hw < x->set.n; hw++)
		__atomic_store_n(&x->set.queue[hw].fill_shared, 1, __ATOMIC_RELEASE);
	vs_rcu_synchronize(x->env.rcu);
}

static void close_sockets(struct vs_xq_in *in, uint32_t n)
{
	while (n > 0)
		vs_xq_in_close(&in[--n]);
	free(in);
}

/* Sockets for the next queue. Return: 0, or -errno and nothing changed. */
static int open_queue(struct vs_xdp *x)
{
	uint32_t number = x->n_queues + 1;
	struct vs_xq_in *in;
	int err = 0;
	uint32_t hw;

	in = aligned_alloc(RTE_CACHE_LINE_SIZE, x->set.n * sizeof(*in));
	if (!in)
		return -ENOMEM;
	for (hw = 0; hw < x->set.n; hw++) {
		err = vs_xq_in_open(&x->set, hw, x->link.index, &in[hw]);
		if (err)
			break;
		err = vs_xprog_set_socket(&x->prog, vs_bpf_socket(number, hw), in[hw].fd);
		if (err) {
			vs_xq_in_close(&in[hw]);
			break;
		}
	}
	if (err) {
		/* The kernel takes closed sockets out of the map. */
		close_sockets(in, hw);
		return err;
	}
	share_fill(x);
	for (hw = 0; hw < x->set.n; hw++)
		vs_xq_feed(&x->set, hw, number);
	x->queue[x->n_queues].in = in;
	__atomic_store_n(&x->n_queues, number, __ATOMIC_RELEASE);
	return 0;
}

void vs_xdp_queues_free(struct vs_xdp *x)
{
	while (x->n_queues > 0) {
		x->n_queues--;
		close_sockets(x->queue[x->n_queues].in, x->set.n);
	}
	free(x->filter);
}

/* ---- the ends of queues */

static bool is_wanted(const struct vs_xdp_wish *wish, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < wish->n; i++) {
		if (wish->filter[i].port == port)
			return true;
	}
	return false;
}

static void set_gates(struct vs_xdp *x, uint32_t queue, enum vs_xq_gate gate)
{
	uint32_t hw;

	for (hw = 0; hw < x->set.n; hw++) {
		struct vs_xq_in *in = &x->queue[queue - 1].in[hw];

		in->mark = __atomic_load_n(in->q->in.rx.producer, __ATOMIC_ACQUIRE);
		__atomic_store_n(&in->gate, gate, __ATOMIC_RELEASE);
	}
}

/* From now on the default sockets wait while the queue has frames. */
static void set_draining(struct vs_xdp *x, uint32_t queue)
{
	uint32_t hw;

	for (hw = 0; hw < x->set.n; hw++)
		__atomic_fetch_or(&x->set.queue[hw].draining, 1u << queue, __ATOMIC_RELEASE);
}

static void clear_draining(struct vs_xdp *x, uint32_t queue)
{
	uint32_t hw;

	for (hw = 0; hw < x->set.n; hw++)
		__atomic_fetch_and(&x->set.queue[hw].draining, ~(1u << queue), __ATOMIC_RELEASE);
}

static bool is_marked(const struct vs_xdp *x, uint32_t queue)
{
	uint32_t hw;

	for (hw = 0; hw < x->set.n; hw++) {
		if (__atomic_load_n(&x->queue[queue - 1].in[hw].gate, __ATOMIC_RELAXED) ==
		    VS_XQ_MARKED)
			return true;
	}
	return false;
}

/* Its frames must not wait for the default socket any more, which will wait for them. */
static void wait_until_open(struct vs_xdp *x, uint32_t queue)
{
	const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
	unsigned int i;

	for (i = 0;
	     i < DRAIN_STEPS && is_marked(x, queue) && !queue_is_empty(x, &x->queue[queue - 1]);
	     i++)
		(void)nanosleep(&step, NULL);
}

static const struct vs_bpf_filter *find(const struct vs_bpf_filter *filter, unsigned int n,
					const struct vs_bpf_station *key)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (memcmp(&filter[i].key, key, sizeof(*key)) == 0)
			return &filter[i];
	}
	return NULL;
}

/* Take away the filters that are not among @n of @keep. Return: how many there were. */
static unsigned int remove_filters(struct vs_xdp *x, const struct vs_bpf_filter *keep,
				   unsigned int n)
{
	unsigned int gone = 0;
	unsigned int i;

	for (i = 0; i < x->n_filters; i++) {
		const struct vs_bpf_filter *now = find(keep, n, &x->filter[i].key);

		if (now && now->queue == x->filter[i].queue)
			continue;
		vs_xprog_del_filter(&x->prog, &x->filter[i].key);
		gone++;
	}
	return gone;
}

/* End the queues in @ending, a bit for each. */
static void end_queues(struct vs_xdp *x, uint32_t ending)
{
	uint32_t queue;

	for (queue = 1; queue <= x->n_queues; queue++) {
		if (ending & 1u << queue)
			set_gates(x, queue, VS_XQ_LAST);
	}
	for (queue = 1; queue <= x->n_queues; queue++) {
		if (ending & 1u << queue)
			(void)wait_until_empty(x, &x->queue[queue - 1]);
	}
}

/*
 * Queues are not visited any more. One that did not get empty in time costs the order of its
 * frames; the default sockets must not wait for it for ever.
 */
static void stop_sorting(struct vs_xdp *x)
{
	uint32_t queue;

	x->sorting = false;
	for (queue = 1; queue <= x->n_queues; queue++)
		clear_draining(x, queue);
}

/* ---- the beginnings */

/* An empty queue of nobody's, or one that is made now. Return: its number, NO_QUEUE, or -errno. */
static int take_queue(struct vs_xdp *x)
{
	uint32_t i;
	int err;

	for (i = 0; i < x->n_queues; i++) {
		if (x->queue[i].port == VS_VMQ_DEFAULT && queue_is_empty(x, &x->queue[i]))
			return (int)(i + 1);
	}
	if (x->n_queues == x->set.queues_max)
		return NO_QUEUE;
	err = open_queue(x);
	return err ? err : (int)x->n_queues;
}

static uint32_t queue_of(const struct vs_xdp *x, uint16_t port)
{
	uint32_t i;

	for (i = 0; i < x->n_queues; i++) {
		if (x->queue[i].port == port)
			return i + 1;
	}
	return NO_QUEUE;
}

/* A queue for each port that has none, as far as they go. @begun: a bit for each of these. */
static int begin_queues(struct vs_xdp *x, const struct vs_xdp_wish *wish, uint32_t *begun)
{
	unsigned int i;

	for (i = 0; i < wish->n; i++) {
		uint16_t port = wish->filter[i].port;
		int queue;

		if ((i > 0 && wish->filter[i - 1].port == port) || queue_of(x, port) != NO_QUEUE)
			continue;
		queue = take_queue(x);
		if (queue < 0)
			return queue;
		if (queue == NO_QUEUE)
			break;
		x->queue[queue - 1].port = port;
		/* The default socket goes first now: it must not wait for one that waits for it. */
		clear_draining(x, (uint32_t)queue);
		set_gates(x, (uint32_t)queue, VS_XQ_SHUT);
		*begun |= 1u << queue;
	}
	return 0;
}

/* The rows for the programs, of ports that have a queue. Return: how many. */
static unsigned int make_rows(const struct vs_xdp *x, const struct vs_xdp_wish *wish,
			      struct vs_bpf_filter *row)
{
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < wish->n && n < VS_BPF_FILTERS_MAX; i++) {
		const struct vs_xdp_filter *filter = &wish->filter[i];
		uint32_t queue = queue_of(x, filter->port);

		if (queue == NO_QUEUE)
			continue;
		row[n] = (struct vs_bpf_filter){.key.vid = filter->vid, .queue = queue};
		memcpy(row[n].key.mac, &filter->mac, sizeof(row[n].key.mac));
		n++;
	}
	return n;
}

static void replace_rows(struct vs_xdp *x, struct vs_bpf_filter *row, unsigned int n)
{
	free(x->filter);
	x->filter = row;
	x->n_filters = n;
}

/* Ports that lose their queue, a bit for the number of each. */
static uint32_t find_ending(const struct vs_xdp *x, const struct vs_xdp_wish *wish)
{
	uint32_t ending = 0;
	uint32_t queue;

	for (queue = 1; queue <= x->n_queues; queue++) {
		uint16_t port = x->queue[queue - 1].port;

		if (port != VS_VMQ_DEFAULT && !is_wanted(wish, port))
			ending |= 1u << queue;
	}
	return ending;
}

/* Filters and queues that are not wanted any more. */
static void take_away(struct vs_xdp *x, const struct vs_xdp_wish *wish, struct vs_bpf_filter *row)
{
	uint32_t ending = find_ending(x, wish);
	unsigned int gone;
	uint32_t queue;

	for (queue = 1; queue <= x->n_queues; queue++) {
		if (!(ending & 1u << queue))
			continue;
		wait_until_open(x, queue);
		set_draining(x, queue);
		x->queue[queue - 1].port = VS_VMQ_DEFAULT;
	}
	gone = remove_filters(x, row, make_rows(x, wish, row));
	if (gone || ending)
		wait_for_kernel();
	end_queues(x, ending);
}

/* Queues and filters that are new. */
static int put_in(struct vs_xdp *x, const struct vs_xdp_wish *wish, struct vs_bpf_filter *row,
		  unsigned int *ret_n)
{
	uint32_t begun = 0;
	int err = begin_queues(x, wish, &begun);
	unsigned int n = err ? 0 : make_rows(x, wish, row);
	uint32_t queue;
	unsigned int i;

	for (i = 0; i < n && !err; i++)
		err = vs_xprog_add_filter(&x->prog, &row[i].key, row[i].queue);
	*ret_n = n;
	if (begun)
		wait_for_kernel();
	for (queue = 1; queue <= x->n_queues; queue++) {
		if (begun & 1u << queue)
			set_gates(x, queue, VS_XQ_MARKED);
	}
	return err;
}

/* Sort nothing, after something went wrong. */
static int refuse(struct vs_xdp *x, int err, struct vs_xdp_why *why)
{
	const struct vs_xdp_wish nothing = {.sorting = VS_XDP_SORT_OFF};
	struct vs_bpf_filter none;

	take_away(x, &nothing, &none);
	x->n_filters = 0;
	stop_sorting(x);
	(void)vs_xdp_tell_programs(x);
	return vs_xdp_refuse(err, why, "the kernel does not sort for interface %s: %s",
			     x->link.name, strerror(-err));
}

static bool is_as_wished(const struct vs_xdp *x, const struct vs_xdp_wish *wish,
			 struct vs_bpf_filter *row)
{
	unsigned int n = make_rows(x, wish, row);
	uint32_t used = 0;
	uint32_t i;

	for (i = 0; i < x->n_queues; i++)
		used += x->queue[i].port != VS_VMQ_DEFAULT;
	return x->sorting == (wish->sorting == VS_XDP_SORT_ON) && x->vid == wish->vid &&
	       n == x->n_filters && (n == 0 || memcmp(row, x->filter, n * sizeof(*row)) == 0) &&
	       (n == wish->n || used == x->set.queues_max) && find_ending(x, wish) == 0;
}

static int apply(struct vs_xdp *x, const struct vs_xdp_wish *wish, struct vs_bpf_filter *row,
		 struct vs_xdp_why *why)
{
	unsigned int n = 0;
	int err;

	take_away(x, wish, row);
	x->vid = wish->vid;
	err = put_in(x, wish, row, &n);
	if (err && n == 0) {
		/* The programs still have the filters of before. */
		free(row);
		return refuse(x, err, why);
	}
	replace_rows(x, row, n);
	if (!err)
		err = vs_xdp_tell_programs(x);
	if (err)
		return refuse(x, err, why);
	if (wish->sorting == VS_XDP_SORT_ON)
		x->sorting = true;
	else
		stop_sorting(x);
	return 0;
}

int vs_xdp_sort(struct vs_xdp *x, const struct vs_xdp_wish *wish, bool *ret_changed,
		struct vs_xdp_why *ret_why)
{
	uint16_t owner[VS_BPF_QUEUES_MAX - 1];
	unsigned int pairs = vs_xdp_pairs(x);
	struct vs_bpf_filter *row;
	bool changed;
	uint32_t i;
	int err;

	ret_why->text[0] = '\0';
	*ret_changed = false;
	row = calloc(VS_BPF_FILTERS_MAX, sizeof(*row));
	if (!row)
		return vs_xdp_refuse(-ENOMEM, ret_why, "no memory for filters");
	if (is_as_wished(x, wish, row)) {
		free(row);
		return 0;
	}
	for (i = 0; i < RTE_DIM(owner); i++)
		owner[i] = x->queue[i].port;
	err = apply(x, wish, row, ret_why);
	changed = pairs != vs_xdp_pairs(x);
	for (i = 0; i < RTE_DIM(owner); i++)
		changed |= owner[i] != x->queue[i].port;
	if (changed)
		vs_watch_changed();
	*ret_changed = changed;
	return err;
}
