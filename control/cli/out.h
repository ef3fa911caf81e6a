/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Output of the commands: one call per value makes both the text and the JSON, so that neither
 * lags behind the other. JSON is an array of objects (or one object per line for OUT_LINES); the
 * text is an aligned table, a block per object, or a line per object.
 */
#ifndef VS_CONTROL_CLI_OUT_H
#define VS_CONTROL_CLI_OUT_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum out_format {
	OUT_TEXT,
	OUT_JSON,
	OUT_JSON_PRETTY,
};

enum out_layout {
	OUT_TABLE,
	OUT_BLOCKS,
	OUT_LINES, /* each printed and flushed at its end */
};

/** Where a value is shown; JSON has all of them. */
enum out_where {
	OUT_EVERYWHERE,
	OUT_IN_BLOCKS, /* not in tables */
	OUT_ONLY_JSON,
};

struct out_row;

/** struct out - output of one command; private to out.c but for its size */
struct out {
	FILE *file;
	enum out_format format;
	enum out_layout layout;
	json_t *objects;
	json_t *object;
	struct out_row *rows;
	size_t n_rows;
	size_t rows_room;
	bool failed;
};

/** out_open() - begin; nothing is allocated yet. */
void out_open(struct out *o, FILE *file, enum out_format format, enum out_layout layout);

/** out_row_begin(), out_row_end() - what lies between is one object. */
void out_row_begin(struct out *o);
void out_row_end(struct out *o);

/**
 * out_value() - a value whose text is not that of its JSON
 * @key:	in JSON
 * @label:	in text: heading of the column, or name of the line
 * @value:	taken over; NULL is null
 * @text:	copied; bytes that would confuse a terminal are shown as \xNN
 */
void out_value(struct out *o, enum out_where where, const char *key, const char *label,
	       json_t *value, const char *text);

/** out_str() - a string; NULL is null, and "-" in text. */
void out_str(struct out *o, enum out_where where, const char *key, const char *label,
	     const char *value);

/** out_num() - a number. */
void out_num(struct out *o, enum out_where where, const char *key, const char *label,
	     uint64_t value);

/** out_mac() - six bytes; NULL is null, and @none in text. */
void out_mac(struct out *o, enum out_where where, const char *key, const char *label,
	     const uint8_t *mac, const char *none);

/** out_note() - text only: a line of its own beneath the row of a table. */
void out_note(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * out_close() - print what was collected and free it
 * Return: 0; -ENOMEM something is missing; -EIO it could not be written.
 */
int out_close(struct out *o);

/**
 * out_take() - end JSON that is to become part of other JSON
 * Return: the array of objects, owned by the caller; NULL if there is no memory.
 */
json_t *out_take(struct out *o);

/** out_discard() - free what was collected, print nothing. */
void out_discard(struct out *o);

/** out_time() - @ns since 1970 as UTC to the microsecond, e.g. 2026-01-31T23:59:59.000001Z. */
void out_time(uint64_t ns, char *text, size_t size);

/** out_string() - JSON string of any bytes; bytes that are not UTF-8 become \xNN. */
json_t *out_string(const char *value);

#endif
