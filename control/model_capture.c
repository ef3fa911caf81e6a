/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures: taps in the snapshot, and their rings.
 *
 * DOC: theory of operation
 *
 * A capture belongs to one port, known by its id and its serial number, so it survives another
 * name and another switch, and ends with the port: the snapshot that no longer has the port does
 * not have the tap either. Whoever reads it finds out from vs_capture_is_over().
 *
 * The memory of a capture that is ended goes when no snapshot has it. If there is no memory for a
 * new snapshot, it waits for one (model_capture_sweep(), once a second).
 */
#include "control/model_capture.h"

#include "control/model_priv.h"

#include "dataplane/core/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	NS_PER_SECOND = 1000000000,
};

/**
 * struct vs_capture - one capture
 * @port, @serial: its port
 * @lost_told:	lost frames that the records read so far told of
 * @ended:	no snapshot to come has it
 * @deleted:	its owner has forgotten it; freed when no snapshot has it
 */
struct vs_capture {
	struct vs_model *m;
	struct vs_tap tap;
	struct sock_filter *filter;
	uint64_t serial;
	uint64_t lost_told;
	bool ended;
	bool deleted;
};

static const struct vs_port *port_of(const struct vs_capture *c)
{
	const struct vs_port *port = c->m->port[c->tap.port];

	return port && port->serial == c->serial ? port : NULL;
}

void model_capture_fill(struct vs_conf *conf, const struct vs_model *m)
{
	unsigned int i;

	for (i = 0; i < VS_TAPS_MAX; i++) {
		const struct vs_capture *c = m->capture[i];

		if (c && !c->ended && port_of(c))
			conf->tap[conf->n_taps++] = &c->tap;
	}
}

/* Does the snapshot that workers use have it? */
static bool is_published(const struct vs_capture *c)
{
	unsigned int i;

	for (i = 0; c->m->conf && i < c->m->conf->n_taps; i++) {
		if (c->m->conf->tap[i] == &c->tap)
			return true;
	}
	return false;
}

static void free_capture(struct vs_capture *c)
{
	unsigned int i;

	for (i = 0; i < VS_WORKERS_MAX; i++)
		vs_tap_ring_free(c->tap.ring[i]);
	free(c->filter);
	free(c);
}

void model_capture_sweep(struct vs_model *m)
{
	unsigned int i;

	for (i = 0; i < VS_TAPS_MAX; i++) {
		struct vs_capture *c = m->capture[i];

		if (!c || !c->deleted)
			continue;
		if (is_published(c))
			(void)model_publish(m);
		if (is_published(c))
			continue;
		m->capture[i] = NULL;
		free_capture(c);
	}
}

/* ---- begin and end ---- */

static int take_filter(struct vs_capture *c, const struct vs_capture_spec *spec,
		       struct vs_fail *fail)
{
	const char *wrong;
	unsigned int at;

	if (!spec->filter)
		return 0;
	wrong = vs_filter_check(spec->filter, spec->n_filter, &at);
	if (wrong)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_FILTER,
				   "filter: instruction %u of %u: %s", at + 1, spec->n_filter,
				   wrong);
	c->filter = calloc(spec->n_filter, sizeof(*c->filter));
	if (!c->filter)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a filter");
	memcpy(c->filter, spec->filter, spec->n_filter * sizeof(*c->filter));
	c->tap.filter = c->filter;
	return 0;
}

static int make_rings(struct vs_capture *c, struct vs_fail *fail)
{
	unsigned int i;

	for (i = 0; i < c->m->env.n_workers; i++) {
		c->tap.ring[i] = vs_tap_ring_new();
		if (!c->tap.ring[i])
			return vs_fail_set(fail, -ENOMEM, 0, "no memory for a capture");
	}
	return 0;
}

static int free_place(const struct vs_model *m)
{
	int i;

	for (i = 0; i < VS_TAPS_MAX; i++) {
		if (!m->capture[i])
			return i;
	}
	return -1;
}

int vs_capture_add(struct vs_model *m, const struct vs_capture_spec *spec,
		   struct vs_capture **ret_capture, struct vs_fail *fail)
{
	const struct vs_port *port = model_find_port(m, spec->port);
	int place = free_place(m);
	struct vs_capture *c;
	int err;

	if (!port)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_PORT, "there is no port '%s'",
				   spec->port);
	if (place < 0)
		return vs_fail_set(fail, -ENOSPC, 0,
				   "there are %d captures already, the most there can be",
				   VS_TAPS_MAX);
	c = calloc(1, sizeof(*c));
	if (!c)
		return vs_fail_set(fail, -ENOMEM, 0, "no memory for a capture");
	c->m = m;
	c->serial = port->serial;
	c->tap.port = port->id;
	c->tap.sides = spec->sides;
	c->tap.drops_only = spec->drops_only;
	c->tap.snap = spec->snap;
	err = take_filter(c, spec, fail);
	if (!err)
		err = make_rings(c, fail);
	if (err)
		goto err_free;
	m->capture[place] = c;
	err = model_publish(m);
	if (err) {
		m->capture[place] = NULL;
		(void)vs_fail_set(fail, err, 0, "no memory for a new configuration");
		goto err_free;
	}
	*ret_capture = c;
	return 0;

err_free:
	free_capture(c);
	return err;
}

int vs_capture_end(struct vs_capture *c)
{
	c->ended = true;
	return is_published(c) ? model_publish(c->m) : 0;
}

void vs_capture_del(struct vs_capture *c)
{
	c->ended = true;
	c->deleted = true;
	model_capture_sweep(c->m);
}

/* ---- reading ---- */

bool vs_capture_is_over(const struct vs_capture *c)
{
	return c->ended || !port_of(c);
}

const char *vs_capture_port(const struct vs_capture *c)
{
	const struct vs_port *port = port_of(c);

	return port ? port->name : "";
}

/* The worker's ring that has the oldest record, and that record. Return: NULL: all are empty. */
static const struct vs_tap_record *oldest(const struct vs_capture *c, unsigned int *ret_worker)
{
	const struct vs_tap_record *best = NULL;
	unsigned int i;

	for (i = 0; i < c->m->env.n_workers; i++) {
		const struct vs_tap_record *r = vs_tap_ring_peek(c->tap.ring[i]);

		if (r && (!best || r->when_tsc < best->when_tsc)) {
			best = r;
			*ret_worker = i;
		}
	}
	return best;
}

/* Time of the day at which the time stamp counter stood at @tsc. */
static uint64_t time_of(uint64_t tsc)
{
	uint64_t now = rte_rdtsc();
	struct timespec ts;
	double ago;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	ago = now > tsc ? (double)(now - tsc) * NS_PER_SECOND / (double)rte_get_tsc_hz() : 0;
	return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec - (uint64_t)ago;
}

bool vs_capture_next(struct vs_capture *c, struct vs_capture_view *ret_view)
{
	const struct vs_tap_record *r;
	const struct vs_port *other;
	unsigned int worker = 0;

	r = oldest(c, &worker);
	if (!r)
		return false;
	other = r->port < VS_PORTS_MAX ? c->m->port[r->port] : NULL;
	*ret_view = (struct vs_capture_view){
		.record = r,
		.worker = worker,
		.time_ns = time_of(r->when_tsc),
		.other = other ? other->name : "",
	};
	return true;
}

void vs_capture_take(struct vs_capture *c, const struct vs_capture_view *view)
{
	c->lost_told += view->record->lost;
	vs_tap_ring_take(c->tap.ring[view->worker], view->record);
}

uint64_t vs_capture_lost(const struct vs_capture *c)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < c->m->env.n_workers; i++)
		sum += __atomic_load_n(&c->tap.ring[i]->lost_all, __ATOMIC_RELAXED);
	return sum - c->lost_told;
}
