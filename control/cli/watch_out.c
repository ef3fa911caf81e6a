/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/watch_out.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/** Lines of text that are no row: the time, the headings, the sums. */
	LINES_AROUND = 3,
	/** Headings of the workers, and an empty line behind them. */
	LINES_OF_LOAD = 2,
	BITS_PER_BYTE = 8,
	TIME_SIZE = 64,
	/** A larger count is rounded in text. */
	COUNT_EXACT_MAX = 99999,
};

/* ---- one row ---- */

static void put_rate(struct out *o, const char *key, const char *label, double rate,
		     uint64_t elapsed_ns)
{
	char text[RATES_TEXT_SIZE];

	rates_text(rate, text);
	out_value(o, OUT_EVERYWHERE, key, label, json_real(rate), elapsed_ns ? text : "-");
}

/* In text a frame more or less of many does not matter; JSON, and stats show, have it. */
static void put_count(struct out *o, const char *key, const char *label, uint64_t count)
{
	char text[RATES_TEXT_SIZE];

	if (count <= COUNT_EXACT_MAX)
		snprintf(text, sizeof(text), "%u", (unsigned int)count);
	else
		rates_text((double)count, text);
	out_value(o, OUT_EVERYWHERE, key, label, json_integer((json_int_t)count), text);
}

static void put_drop(struct out *o, const struct rates_drop *drop, uint64_t elapsed_ns)
{
	char text[RATES_REASON_SIZE + RATES_MEANING_SIZE + 2];
	json_t *json;

	if (!drop->reason[0]) {
		out_value(o, OUT_EVERYWHERE, "drop", "LARGEST DROP", NULL, "-");
		return;
	}
	json = json_object();
	json_object_set_new(json, "reason", out_string(drop->reason));
	json_object_set_new(json, "side", out_string(drop->side));
	json_object_set_new(json, "pps", json_real(rates_per_second(drop->grown, elapsed_ns)));
	json_object_set_new(json, "count", json_integer((json_int_t)drop->count));
	json_object_set_new(json, "text", out_string(drop->meaning));
	snprintf(text, sizeof(text), "%s: %s", drop->reason, drop->meaning);
	out_value(o, OUT_EVERYWHERE, "drop", "LARGEST DROP", json, text);
}

static void put_name(struct out *o, const struct watch_view *view, enum rates_by by,
		     const struct rates_row *row)
{
	switch (by) {
	case RATES_BY_VM:
		out_str(o, OUT_EVERYWHERE, "vm", "VM", row->first->vm);
		out_num(o, OUT_ONLY_JSON, "ports", "", row->ports);
		break;
	case RATES_BY_PORT:
		out_str(o, OUT_EVERYWHERE, "port", "PORT", row->first->port);
		out_str(o, OUT_ONLY_JSON, "switch", "", row->first->sw);
		out_str(o, OUT_ONLY_JSON, "vm", "", row->first->vm);
		break;
	case RATES_BY_NOTHING:
		if (view->format == OUT_TEXT)
			out_str(o, OUT_EVERYWHERE, "", view->by == RATES_BY_VM ? "VM" : "PORT",
				"TOTAL");
		else
			out_num(o, OUT_ONLY_JSON, "ports", "", row->ports);
		break;
	}
}

/* The share of one processor, in percent, and what a frame took. */
static void put_cycles(struct out *o, const struct watch_view *view, const struct rates_row *row)
{
	uint64_t cycles = row->grown[RATES_CYCLES], frames = row->grown[RATES_RECEIVED];
	uint64_t elapsed = view->sample->elapsed_ns;
	double percent = 100 * load_share(view->load, cycles, elapsed);
	char text[24];

	snprintf(text, sizeof(text), "%.1f %%", percent);
	out_value(o, OUT_EVERYWHERE, "cpu_percent", "CPU", json_real(percent),
		  elapsed ? text : "-");
	snprintf(text, sizeof(text), "%.0f", frames ? (double)cycles / (double)frames : 0);
	out_value(o, OUT_EVERYWHERE, "cycles_per_frame", "CYCLES/FRAME",
		  frames ? json_real((double)cycles / (double)frames) : NULL, frames ? text : "-");
	out_num(o, OUT_ONLY_JSON, "cycles", "", row->count[RATES_CYCLES]);
}

static void put_row(struct out *o, const struct watch_view *view, enum rates_by by,
		    const struct rates_row *row)
{
	uint64_t elapsed = view->sample->elapsed_ns;
	const uint64_t *grown = row->grown;
	const uint64_t *count = row->count;

	out_row_begin(o);
	put_name(o, view, by, row);
	if (view->load)
		put_cycles(o, view, row);
	put_rate(o, "received_pps", "FROM/S", rates_per_second(grown[RATES_RECEIVED], elapsed),
		 elapsed);
	put_rate(o, "received_bps", "BIT/S",
		 BITS_PER_BYTE * rates_per_second(grown[RATES_RECEIVED_BYTES], elapsed), elapsed);
	put_count(o, "received", "FROM", count[RATES_RECEIVED]);
	out_num(o, OUT_ONLY_JSON, "received_bytes", "", count[RATES_RECEIVED_BYTES]);
	put_rate(o, "sent_pps", "TO/S", rates_per_second(grown[RATES_SENT], elapsed), elapsed);
	put_rate(o, "sent_bps", "BIT/S",
		 BITS_PER_BYTE * rates_per_second(grown[RATES_SENT_BYTES], elapsed), elapsed);
	put_count(o, "sent", "TO", count[RATES_SENT]);
	out_num(o, OUT_ONLY_JSON, "sent_bytes", "", count[RATES_SENT_BYTES]);
	put_rate(o, "dropped_pps", "DROPS/S",
		 rates_per_second(grown[RATES_DROPPED_IN] + grown[RATES_DROPPED_OUT], elapsed),
		 elapsed);
	put_count(o, "dropped", "DROPS", count[RATES_DROPPED_IN] + count[RATES_DROPPED_OUT]);
	out_num(o, OUT_ONLY_JSON, "dropped_in", "", count[RATES_DROPPED_IN]);
	out_num(o, OUT_ONLY_JSON, "dropped_out", "", count[RATES_DROPPED_OUT]);
	put_drop(o, &row->drop, elapsed);
}

/* ---- all of it ---- */

static int print_load(FILE *file, const struct load *load)
{
	struct out o;
	int ret;

	out_open(&o, file, OUT_TEXT, OUT_TABLE);
	load_put(&o, load);
	ret = out_close(&o);
	fputc('\n', file);
	return ret;
}

static int print_text(FILE *file, const struct watch_view *view, const struct rates_row *rows,
		      size_t n, const struct rates_row *total)
{
	size_t around = LINES_AROUND + (view->load ? view->load->n + LINES_OF_LOAD : 0);
	size_t room = view->lines > around ? view->lines - around : 0;
	size_t i, shown = n;
	char when[TIME_SIZE];
	struct out o;

	/* one line of the room says how many have none */
	if (view->lines && n > room)
		shown = room ? room - 1 : 0;
	out_time(view->time_ns, when, sizeof(when));
	fprintf(file, "%s  %zu %s%s", when, n, view->by == RATES_BY_VM ? "VM" : "port",
		n == 1 ? "" : "s");
	if (view->sample->elapsed_ns)
		fprintf(file, ", over %.3f s", (double)view->sample->elapsed_ns / 1e9);
	fputc('\n', file);
	if (view->load && print_load(file, view->load))
		return -EIO;
	out_open(&o, file, OUT_TEXT, OUT_TABLE);
	for (i = 0; i < shown; i++) {
		put_row(&o, view, view->by, &rows[i]);
		if (i + 1 == shown && shown < n)
			out_note(&o, "... %zu more", n - shown);
		out_row_end(&o);
	}
	put_row(&o, view, RATES_BY_NOTHING, total);
	out_row_end(&o);
	return out_close(&o);
}

static int print_json(FILE *file, const struct watch_view *view, const struct rates_row *rows,
		      size_t n, const struct rates_row *total)
{
	json_t *all, *sums, *workers = NULL;
	char when[TIME_SIZE];
	struct out o;
	size_t i;

	out_open(&o, file, view->format, OUT_TABLE);
	for (i = 0; i < n; i++) {
		put_row(&o, view, view->by, &rows[i]);
		out_row_end(&o);
	}
	all = out_take(&o);
	out_open(&o, file, view->format, OUT_TABLE);
	put_row(&o, view, RATES_BY_NOTHING, total);
	out_row_end(&o);
	sums = out_take(&o);
	if (view->load) {
		out_open(&o, file, view->format, OUT_TABLE);
		load_put(&o, view->load);
		workers = out_take(&o);
	}

	out_time(view->time_ns, when, sizeof(when));
	out_open(&o, file, view->format, OUT_LINES);
	out_row_begin(&o);
	out_str(&o, OUT_EVERYWHERE, "time", "", when);
	out_value(&o, OUT_EVERYWHERE, "elapsed", "",
		  json_real((double)view->sample->elapsed_ns / 1e9), "");
	out_str(&o, OUT_EVERYWHERE, "by", "", view->by == RATES_BY_VM ? "vm" : "port");
	if (view->load)
		out_value(&o, OUT_EVERYWHERE, "workers", "", workers, "");
	out_value(&o, OUT_EVERYWHERE, "rows", "", all, "");
	out_value(&o, OUT_EVERYWHERE, "total", "", json_incref(json_array_get(sums, 0)), "");
	out_row_end(&o);
	json_decref(sums);
	return all && sums ? out_close(&o) : (out_discard(&o), -ENOMEM);
}

int watch_print(FILE *file, const struct watch_view *view)
{
	struct rates_row none = {0}, *rows = NULL, *all = NULL;
	size_t n, n_all;
	int ret;

	ret = rates_table(view->sample, RATES_BY_NOTHING, view->order, &all, &n_all);
	if (ret)
		return ret;
	/* this one last: the names in its rows are those of the ports as they are sorted now */
	ret = rates_table(view->sample, view->by, view->order, &rows, &n);
	if (!ret && view->format == OUT_TEXT)
		ret = print_text(file, view, rows, n, n_all ? all : &none);
	else if (!ret)
		ret = print_json(file, view, rows, n, n_all ? all : &none);
	free(rows);
	free(all);
	return ret;
}

int watch_print_problem(FILE *file, const struct watch_view *view, const char *text)
{
	char when[TIME_SIZE];
	struct out o;

	out_time(view->time_ns, when, sizeof(when));
	out_open(&o, file, view->format, OUT_LINES);
	out_row_begin(&o);
	out_str(&o, OUT_EVERYWHERE, "time", "", when);
	out_str(&o, OUT_EVERYWHERE, "error", "", text);
	out_row_end(&o);
	return out_close(&o);
}
