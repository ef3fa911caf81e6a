/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rates out of counters: two samples of all ports, what each counter grew by in between, and sums
 * of that per virtual machine. Pure arithmetic: it asks nobody and prints nothing.
 *
 * DOC: theory of operation
 *
 * A sample is filled with rates_add_port() and rates_add_drop(), in any order, and rates_grow()
 * compares it with the one before. Both are sorted by name, so that one walk over the two finds
 * the pairs. A counter that went back belongs to a port that was removed and made again: whatever
 * it shows now has been counted since, so it grew by all of that. The same holds for a port that
 * was not there before. So no rate is negative, and none is larger than what was counted. A port
 * that is gone is gone: what it counted after the sample before is not seen.
 *
 * Counters of two daemons have nothing to do with each other: the caller begins anew with
 * rates_clear() when the connection was lost. A sample with nothing before it has no rates.
 */
#ifndef VS_CONTROL_CLI_RATES_H
#define VS_CONTROL_CLI_RATES_H

#include "control/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The counters that are watched. */
enum rates_counter {
	RATES_RECEIVED,
	RATES_RECEIVED_BYTES,
	RATES_SENT,
	RATES_SENT_BYTES,
	RATES_DROPPED_IN,
	RATES_DROPPED_OUT,
	RATES_CYCLES, /* that its frames took of the workers */
	RATES_COUNTERS,
};

enum {
	RATES_REASON_SIZE = 32,
	RATES_MEANING_SIZE = 192,
	/** For rates_text(). */
	RATES_TEXT_SIZE = 16,
};

/** What is one row. */
enum rates_by {
	RATES_BY_VM,
	RATES_BY_PORT,
	RATES_BY_NOTHING, /* everything is one row */
};

enum rates_order {
	RATES_ORDER_RATE, /* most frames in both directions first, then by name */
	RATES_ORDER_NAME,
	RATES_ORDER_CYCLES, /* most cycles first, then by rate */
};

/**
 * struct rates_port - a port in a sample
 * @count:	since the port was made
 * @grown:	since the sample before; by rates_grow()
 */
struct rates_port {
	char port[VS_PROTO_NAME_SIZE];
	char sw[VS_PROTO_NAME_SIZE];
	char vm[VS_PROTO_NAME_SIZE];
	uint64_t count[RATES_COUNTERS];
	uint64_t grown[RATES_COUNTERS];
};

/** struct rates_drop - frames of a port dropped for one reason; members as in struct rates_port */
struct rates_drop {
	char port[VS_PROTO_NAME_SIZE];
	char vm[VS_PROTO_NAME_SIZE];
	char reason[RATES_REASON_SIZE];
	char side[8];
	char meaning[RATES_MEANING_SIZE];
	uint64_t count;
	uint64_t grown;
};

/**
 * struct rates_sample - the counters of all ports at one time; all zero is an empty one
 * @when_ns:	monotonic
 * @elapsed_ns:	since the sample before, by rates_grow(); 0: there is none
 * @valid:	it was read to its end
 */
struct rates_sample {
	uint64_t when_ns;
	uint64_t elapsed_ns;
	bool valid;
	struct rates_port *ports;
	size_t n_ports;
	size_t ports_room;
	struct rates_drop *drops;
	size_t n_drops;
	size_t drops_room;
};

/**
 * struct rates_row - sums over ports
 * @first:	the first of them, owned by the sample; NULL when there is none
 * @drop:	the reason with most drops in the interval, of equals the one with most at all;
 *		@reason "" if nothing was ever dropped; @port is not set
 */
struct rates_row {
	const struct rates_port *first;
	size_t ports;
	uint64_t count[RATES_COUNTERS];
	uint64_t grown[RATES_COUNTERS];
	struct rates_drop drop;
};

/** rates_clear() - make a sample empty and invalid; its memory is kept for the next one. */
void rates_clear(struct rates_sample *sample);

/** rates_free() - give its memory back. */
void rates_free(struct rates_sample *sample);

/**
 * rates_add_port(), rates_add_drop() - one more record, copied
 * Return: 0 or -ENOMEM.
 */
int rates_add_port(struct rates_sample *sample, const struct rates_port *port);
int rates_add_drop(struct rates_sample *sample, const struct rates_drop *drop);

/** rates_any_drops() - has any port ever dropped a frame? */
bool rates_any_drops(const struct rates_sample *sample);

/**
 * rates_grow() - fill in what grew since @before, and how long that took
 * @now, @before: read to their ends, or not valid; both are sorted
 */
void rates_grow(struct rates_sample *now, struct rates_sample *before);

/**
 * rates_table() - sum up, and put in order
 * @sample:	after rates_grow(); is sorted anew
 * @ret_rows:	owned by the caller (free()), valid as long as the sample; NULL if there are none
 *
 * Return: 0 or -ENOMEM.
 */
int rates_table(struct rates_sample *sample, enum rates_by by, enum rates_order order,
		struct rates_row **ret_rows, size_t *ret_n);

/** rates_per_second() - @grown in @elapsed_ns; 0 if no time has passed. */
double rates_per_second(uint64_t grown, uint64_t elapsed_ns);

/** rates_text() - three digits and a unit: 0, 0.25, 17, 1.50k, 12.3M. */
void rates_text(double value, char text[RATES_TEXT_SIZE]);

#endif
