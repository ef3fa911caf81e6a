/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stats watch and top show: one block of text, or one line of JSON.
 */
#ifndef VS_CONTROL_CLI_WATCH_OUT_H
#define VS_CONTROL_CLI_WATCH_OUT_H

#include "control/cli/load.h"
#include "control/cli/out.h"
#include "control/cli/rates.h"

/**
 * struct watch_view - what is shown, and how
 * @lines:	of text at most, 0: any number
 * @time_ns:	since 1970
 * @load:	top: what the workers do; NULL: stats watch
 * @sample:	after rates_grow(); is sorted anew
 */
struct watch_view {
	enum out_format format;
	enum rates_by by;
	enum rates_order order;
	size_t lines;
	uint64_t time_ns;
	const struct load *load;
	struct rates_sample *sample;
};

/** watch_print() - the rates, and their sums. Return: 0, -ENOMEM or -EIO. */
int watch_print(FILE *file, const struct watch_view *view);

/** watch_print_problem() - @text instead of them. Return: 0, -ENOMEM or -EIO. */
int watch_print_problem(FILE *file, const struct watch_view *view, const char *text);

#endif
