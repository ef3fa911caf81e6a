/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/rates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- samples ---- */

void rates_clear(struct rates_sample *sample)
{
	sample->valid = false;
	sample->when_ns = 0;
	sample->elapsed_ns = 0;
	sample->n_ports = 0;
	sample->n_drops = 0;
}

void rates_free(struct rates_sample *sample)
{
	free(sample->ports);
	free(sample->drops);
	memset(sample, 0, sizeof(*sample));
}

/** reserve() - room for one more. Return: the array, or NULL; then the old one is as it was. */
static void *reserve(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 16;
	void *bigger;

	if (n < *room)
		return array;
	bigger = reallocarray(array, more, size);
	if (bigger)
		*room = more;
	return bigger;
}

int rates_add_port(struct rates_sample *sample, const struct rates_port *port)
{
	struct rates_port *ports =
		reserve(sample->ports, sample->n_ports, &sample->ports_room, sizeof(*ports));

	if (!ports)
		return -ENOMEM;
	sample->ports = ports;
	ports[sample->n_ports++] = *port;
	return 0;
}

int rates_add_drop(struct rates_sample *sample, const struct rates_drop *drop)
{
	struct rates_drop *drops =
		reserve(sample->drops, sample->n_drops, &sample->drops_room, sizeof(*drops));

	if (!drops)
		return -ENOMEM;
	sample->drops = drops;
	drops[sample->n_drops++] = *drop;
	return 0;
}

bool rates_any_drops(const struct rates_sample *sample)
{
	size_t i;

	for (i = 0; i < sample->n_ports; i++) {
		if (sample->ports[i].count[RATES_DROPPED_IN] ||
		    sample->ports[i].count[RATES_DROPPED_OUT])
			return true;
	}
	return false;
}

/* qsort() must not be given a null pointer, not even with nothing in it. */
static void sort(void *array, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	if (n)
		qsort(array, n, size, compare);
}

/* ---- what grew ---- */

static int compare_ports(const void *a, const void *b)
{
	const struct rates_port *x = a, *y = b;

	return strcmp(x->port, y->port);
}

static int compare_drops(const void *a, const void *b)
{
	const struct rates_drop *x = a, *y = b;
	int ret = strcmp(x->port, y->port);

	return ret ? ret : strcmp(x->reason, y->reason);
}

/** went_back() - is @now another port than @before, of the same name? */
static bool went_back(const struct rates_port *now, const struct rates_port *before)
{
	unsigned int i;

	for (i = 0; i < RATES_COUNTERS; i++) {
		if (now->count[i] < before->count[i])
			return true;
	}
	return false;
}

static void grow_ports(struct rates_sample *now, const struct rates_sample *before)
{
	size_t n, b = 0;
	unsigned int i;

	for (n = 0; n < now->n_ports; n++) {
		const struct rates_port *old = NULL;
		struct rates_port *port = &now->ports[n];

		while (b < before->n_ports && compare_ports(&before->ports[b], port) < 0)
			b++;
		if (b < before->n_ports && compare_ports(&before->ports[b], port) == 0)
			old = &before->ports[b];
		if (old && went_back(port, old))
			old = NULL;
		for (i = 0; i < RATES_COUNTERS; i++)
			port->grown[i] = port->count[i] - (old ? old->count[i] : 0);
	}
}

static void grow_drops(struct rates_sample *now, const struct rates_sample *before)
{
	size_t n, b = 0;

	for (n = 0; n < now->n_drops; n++) {
		struct rates_drop *drop = &now->drops[n];

		drop->grown = drop->count;
		while (b < before->n_drops && compare_drops(&before->drops[b], drop) < 0)
			b++;
		if (b < before->n_drops && compare_drops(&before->drops[b], drop) == 0 &&
		    before->drops[b].count <= drop->count)
			drop->grown -= before->drops[b].count;
	}
}

static void forget_growth(struct rates_sample *sample)
{
	size_t i;

	for (i = 0; i < sample->n_ports; i++)
		memset(sample->ports[i].grown, 0, sizeof(sample->ports[i].grown));
	for (i = 0; i < sample->n_drops; i++)
		sample->drops[i].grown = 0;
}

static void sort_by_port(struct rates_sample *sample)
{
	sort(sample->ports, sample->n_ports, sizeof(*sample->ports), compare_ports);
	sort(sample->drops, sample->n_drops, sizeof(*sample->drops), compare_drops);
}

void rates_grow(struct rates_sample *now, struct rates_sample *before)
{
	sort_by_port(now);
	sort_by_port(before);
	now->elapsed_ns = 0;
	if (!before->valid || now->when_ns <= before->when_ns) {
		forget_growth(now);
		return;
	}
	now->elapsed_ns = now->when_ns - before->when_ns;
	grow_ports(now, before);
	grow_drops(now, before);
}

/* ---- sums ---- */

static const char *port_key(const struct rates_port *port, enum rates_by by)
{
	switch (by) {
	case RATES_BY_VM:
		return port->vm;
	case RATES_BY_PORT:
		return port->port;
	case RATES_BY_NOTHING:
		break;
	}
	return "";
}

static const char *drop_key(const struct rates_drop *drop, enum rates_by by)
{
	switch (by) {
	case RATES_BY_VM:
		return drop->vm;
	case RATES_BY_PORT:
		return drop->port;
	case RATES_BY_NOTHING:
		break;
	}
	return "";
}

static int compare_port_keys(const void *a, const void *b, void *by)
{
	return strcmp(port_key(a, *(enum rates_by *)by), port_key(b, *(enum rates_by *)by));
}

static int compare_drop_keys(const void *a, const void *b, void *by)
{
	const struct rates_drop *x = a, *y = b;
	int ret = strcmp(drop_key(a, *(enum rates_by *)by), drop_key(b, *(enum rates_by *)by));

	return ret ? ret : strcmp(x->reason, y->reason);
}

static uint64_t frames(const struct rates_row *row)
{
	return row->grown[RATES_RECEIVED] + row->grown[RATES_SENT];
}

/* @ports of rows that were made one after the other point to ascending names. */
static int compare_rows(const void *a, const void *b)
{
	const struct rates_row *x = a, *y = b;

	if (frames(x) != frames(y))
		return frames(x) < frames(y) ? 1 : -1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static int compare_cycles(const void *a, const void *b)
{
	const struct rates_row *x = a, *y = b;

	if (x->grown[RATES_CYCLES] != y->grown[RATES_CYCLES])
		return x->grown[RATES_CYCLES] < y->grown[RATES_CYCLES] ? 1 : -1;
	return compare_rows(a, b);
}

static void add_port(struct rates_row *row, const struct rates_port *port)
{
	unsigned int i;

	if (!row->first)
		row->first = port;
	row->ports++;
	for (i = 0; i < RATES_COUNTERS; i++) {
		row->count[i] += port->count[i];
		row->grown[i] += port->grown[i];
	}
}

/**
 * largest_drop() - sum the drops of a key up by reason, and keep the largest for its row
 * @at:		where the drops of the key begin; they stand together, by reason
 */
static void largest_drop(const struct rates_sample *sample, size_t at, enum rates_by by,
			 struct rates_row *row)
{
	const char *key = port_key(row->first, by);
	struct rates_drop sum;

	while (at < sample->n_drops && strcmp(drop_key(&sample->drops[at], by), key) == 0) {
		sum = sample->drops[at++];
		sum.port[0] = '\0';
		for (; at < sample->n_drops && strcmp(drop_key(&sample->drops[at], by), key) == 0 &&
		       strcmp(sample->drops[at].reason, sum.reason) == 0;
		     at++) {
			sum.count += sample->drops[at].count;
			sum.grown += sample->drops[at].grown;
		}
		if (!row->drop.reason[0] || sum.grown > row->drop.grown ||
		    (sum.grown == row->drop.grown && sum.count > row->drop.count))
			row->drop = sum;
	}
}

static void add_drops(const struct rates_sample *sample, enum rates_by by, struct rates_row *rows,
		      size_t n)
{
	size_t r, at = 0;

	for (r = 0; r < n; r++) {
		const char *key = port_key(rows[r].first, by);

		/* drops of ports that came after the counters were read have no row */
		while (at < sample->n_drops && strcmp(drop_key(&sample->drops[at], by), key) < 0)
			at++;
		largest_drop(sample, at, by, &rows[r]);
	}
}

int rates_table(struct rates_sample *sample, enum rates_by by, enum rates_order order,
		struct rates_row **ret_rows, size_t *ret_n)
{
	struct rates_row *rows = NULL, *bigger;
	size_t i, n = 0, room = 0;

	if (sample->n_ports)
		qsort_r(sample->ports, sample->n_ports, sizeof(*sample->ports), compare_port_keys,
			&by);
	if (sample->n_drops)
		qsort_r(sample->drops, sample->n_drops, sizeof(*sample->drops), compare_drop_keys,
			&by);
	for (i = 0; i < sample->n_ports; i++) {
		const char *key = port_key(&sample->ports[i], by);

		if (!n || strcmp(key, port_key(rows[n - 1].first, by)) != 0) {
			bigger = reserve(rows, n, &room, sizeof(*rows));
			if (!bigger) {
				free(rows);
				return -ENOMEM;
			}
			rows = bigger;
			rows[n++] = (struct rates_row){0};
		}
		add_port(&rows[n - 1], &sample->ports[i]);
	}
	add_drops(sample, by, rows, n);
	if (order == RATES_ORDER_RATE)
		sort(rows, n, sizeof(*rows), compare_rows);
	else if (order == RATES_ORDER_CYCLES)
		sort(rows, n, sizeof(*rows), compare_cycles);
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}

/* ---- numbers ---- */

double rates_per_second(uint64_t grown, uint64_t elapsed_ns)
{
	return elapsed_ns ? (double)grown * 1e9 / (double)elapsed_ns : 0;
}

void rates_text(double value, char text[RATES_TEXT_SIZE])
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
	unsigned int unit = 0;
	int decimals;

	/* below 999.5, three digits are enough for what is left of the point */
	while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	if (unit == 0 && value == (double)(uint64_t)value)
		decimals = 0;
	snprintf(text, RATES_TEXT_SIZE, "%.*f%s", decimals, value, units[unit]);
}
