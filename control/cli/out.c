/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/out.h"

#include "control/cli/mac.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CELLS_MAX = 40,
	NOTES_MAX = 3,
	COLUMN_GAP = 2,
};

struct cell {
	char *label;
	char *text;
	bool number;
};

struct out_row {
	struct cell cells[CELLS_MAX];
	size_t n;
	char *notes[NOTES_MAX];
	size_t n_notes;
};

void out_open(struct out *o, FILE *file, enum out_format format, enum out_layout layout)
{
	*o = (struct out){.file = file, .format = format, .layout = layout};
}

/* ---- strings of others on our terminal ---- */

/* U+0080 to U+009F control a terminal as ESC does: the last one of two bytes is 0x80 to 0x9f. */
static bool is_plain(const char *s, bool utf8)
{
	unsigned char c = (unsigned char)s[0];

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	return utf8 && !(c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

/** escape() - copy of @s that is safe to print; NULL if there is no memory. */
static char *escape(const char *s)
{
	json_t *probe = json_string(s);
	bool utf8 = probe != NULL;
	char *copy, *p;

	json_decref(probe);
	copy = malloc(4 * strlen(s) + 1);
	if (!copy)
		return NULL;
	for (p = copy; *s; s++) {
		if (is_plain(s, utf8)) {
			*p++ = *s;
			continue;
		}
		p += sprintf(p, "\\x%02x", (unsigned char)*s);
		if (utf8 && (unsigned char)*s == 0xc2)
			p += sprintf(p, "\\x%02x", (unsigned char)*++s);
	}
	*p = '\0';
	return copy;
}

json_t *out_string(const char *value)
{
	json_t *json = json_string(value);
	char *copy;

	if (json)
		return json;
	copy = escape(value);
	json = copy ? json_string(copy) : NULL;
	free(copy);
	return json;
}

/* ---- times ---- */

void out_time(uint64_t ns, char *text, size_t size)
{
	time_t seconds = (time_t)(ns / 1000000000);
	char date[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%06uZ", date, (unsigned int)(ns % 1000000000 / 1000));
}

/* ---- collecting ---- */

static struct out_row *last_row(struct out *o)
{
	return o->n_rows ? &o->rows[o->n_rows - 1] : NULL;
}

void out_row_begin(struct out *o)
{
	if (o->format != OUT_TEXT) {
		o->object = json_object();
		o->failed |= !o->object;
		return;
	}
	if (o->n_rows == o->rows_room) {
		size_t room = o->rows_room ? 2 * o->rows_room : 16;
		struct out_row *rows = realloc(o->rows, room * sizeof(*rows));

		if (!rows) {
			o->failed = true;
			return;
		}
		o->rows = rows;
		o->rows_room = room;
	}
	o->rows[o->n_rows++] = (struct out_row){0};
}

static void add_cell(struct out *o, const char *label, const char *text, bool number)
{
	struct out_row *row = last_row(o);
	struct cell cell = {strdup(label), escape(text), number};

	if (!row || !cell.label || !cell.text || row->n == CELLS_MAX) {
		o->failed = true;
		free(cell.label);
		free(cell.text);
		return;
	}
	row->cells[row->n++] = cell;
}

void out_value(struct out *o, enum out_where where, const char *key, const char *label,
	       json_t *value, const char *text)
{
	bool number = json_is_number(value);

	if (o->format != OUT_TEXT) {
		o->failed |= json_object_set_new(o->object, key, value ? value : json_null()) != 0;
		return;
	}
	json_decref(value);
	if (where == OUT_EVERYWHERE || (where == OUT_IN_BLOCKS && o->layout != OUT_TABLE))
		add_cell(o, label, text, number);
}

void out_str(struct out *o, enum out_where where, const char *key, const char *label,
	     const char *value)
{
	out_value(o, where, key, label, value ? out_string(value) : NULL, value ? value : "-");
}

void out_num(struct out *o, enum out_where where, const char *key, const char *label,
	     uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	out_value(o, where, key, label, json_integer((json_int_t)value), text);
}

void out_mac(struct out *o, enum out_where where, const char *key, const char *label,
	     const uint8_t *mac, const char *none)
{
	char text[MAC_TEXT_SIZE];

	if (!mac) {
		out_value(o, where, key, label, NULL, none);
		return;
	}
	mac_format(mac, text);
	out_value(o, where, key, label, json_string(text), text);
}

void out_note(struct out *o, const char *fmt, ...)
{
	struct out_row *row = last_row(o);
	char text[512];
	va_list ap;

	if (o->format != OUT_TEXT || !row || row->n_notes == NOTES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	row->notes[row->n_notes] = escape(text);
	if (row->notes[row->n_notes])
		row->n_notes++;
	else
		o->failed = true;
}

/* ---- printing ---- */

static void print_table(const struct out *o)
{
	size_t width[CELLS_MAX] = {0};
	const struct out_row *row;
	size_t r, c;

	if (!o->n_rows)
		return;
	for (r = 0; r < o->n_rows; r++) {
		for (c = 0; c < o->rows[r].n; c++) {
			size_t text = strlen(o->rows[r].cells[c].text);
			size_t label = strlen(o->rows[r].cells[c].label);

			width[c] = text > width[c] ? text : width[c];
			width[c] = label > width[c] ? label : width[c];
		}
	}
	for (r = 0; r <= o->n_rows; r++) {
		row = &o->rows[r ? r - 1 : 0];
		for (c = 0; c < row->n; c++) {
			const struct cell *cell = &row->cells[c];
			bool last = c + 1 == row->n;
			int w = (int)width[c];

			/* numbers to the right, and nothing padded at the end of a line */
			fprintf(o->file, "%*s",
				last && !cell->number ? 0
				: cell->number        ? w
						      : -w,
				r ? cell->text : cell->label);
			fprintf(o->file, "%*s", last ? 0 : COLUMN_GAP, "");
		}
		fputc('\n', o->file);
		for (c = 0; r && c < row->n_notes; c++)
			fprintf(o->file, "    %s\n", row->notes[c]);
	}
}

static void print_block(const struct out *o, const struct out_row *row)
{
	size_t width = 0, c;

	for (c = 0; c < row->n; c++) {
		size_t label = strlen(row->cells[c].label);

		width = label > width ? label : width;
	}
	for (c = 0; c < row->n; c++)
		fprintf(o->file, "%s%-*s  %s\n", c ? "    " : "", (int)(c ? width : 0),
			row->cells[c].label, row->cells[c].text);
}

static void print_line(const struct out *o, const struct out_row *row)
{
	size_t c;

	for (c = 0; c < row->n; c++) {
		const struct cell *cell = &row->cells[c];

		fprintf(o->file, "%s%s%s%s", c ? " " : "", cell->label, cell->label[0] ? " " : "",
			cell->text);
	}
	fputc('\n', o->file);
}

static void free_rows(struct out *o)
{
	size_t r, i;

	for (r = 0; r < o->n_rows; r++) {
		for (i = 0; i < o->rows[r].n; i++) {
			free(o->rows[r].cells[i].label);
			free(o->rows[r].cells[i].text);
		}
		for (i = 0; i < o->rows[r].n_notes; i++)
			free(o->rows[r].notes[i]);
	}
	o->n_rows = 0;
}

static void print_json(struct out *o, const json_t *json, size_t flags)
{
	if (!json || json_dumpf(json, o->file, flags))
		o->failed = true;
	fputc('\n', o->file);
}

void out_row_end(struct out *o)
{
	if (o->format != OUT_TEXT && o->layout != OUT_LINES) {
		if (!o->objects)
			o->objects = json_array();
		o->failed |= !o->objects || json_array_append_new(o->objects, o->object) != 0;
		o->object = NULL;
		return;
	}
	if (o->layout != OUT_LINES)
		return;
	if (o->format == OUT_TEXT && o->n_rows) {
		print_line(o, last_row(o));
		free_rows(o);
	} else if (o->format != OUT_TEXT) {
		print_json(o, o->object, JSON_COMPACT);
		json_decref(o->object);
		o->object = NULL;
	}
	fflush(o->file);
}

void out_discard(struct out *o)
{
	free_rows(o);
	free(o->rows);
	o->rows = NULL;
	o->rows_room = 0;
	json_decref(o->objects);
	json_decref(o->object);
	o->objects = NULL;
	o->object = NULL;
}

json_t *out_take(struct out *o)
{
	json_t *objects = o->objects ? o->objects : json_array();

	o->objects = NULL;
	out_discard(o);
	if (!o->failed)
		return objects;
	json_decref(objects);
	return NULL;
}

int out_close(struct out *o)
{
	size_t r;

	if (o->format != OUT_TEXT && o->layout != OUT_LINES) {
		if (!o->objects)
			o->objects = json_array();
		print_json(o, o->objects,
			   o->format == OUT_JSON_PRETTY ? JSON_INDENT(4) : JSON_COMPACT);
	} else if (o->layout == OUT_TABLE) {
		print_table(o);
	} else if (o->layout == OUT_BLOCKS) {
		for (r = 0; r < o->n_rows; r++)
			print_block(o, &o->rows[r]);
	}
	out_discard(o);
	if (fflush(o->file) || ferror(o->file))
		return -EIO;
	return o->failed ? -ENOMEM : 0;
}
