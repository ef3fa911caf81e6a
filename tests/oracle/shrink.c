/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a failing row short.
 *
 * DOC: theory of operation
 *
 * Pieces of the row are taken out and the rest is run again; what still fails (with whatever
 * difference) is kept. Pieces are half of the row first, then smaller, down to single steps, until
 * a pass over all single steps takes nothing out any more. Each step says by itself what it does,
 * so that the others mean the same without it.
 */
#include "tests/oracle/oracle.h"

#include <string.h>

/* Does the row fail without @n steps from @at on? Then they are taken out. */
static bool take_out(struct or_world *w, const struct or_spec *spec, struct or_step *row,
		     unsigned int *len, unsigned int at, unsigned int n)
{
	static struct or_step rest[OR_STEPS_MAX];
	unsigned int done;

	memcpy(rest, row, at * sizeof(*row));
	memcpy(rest + at, row + at + n, (*len - at - n) * sizeof(*row));
	done = or_run(w, spec, rest, *len - n);
	if (!w->why[0])
		return false;
	/* What comes after the step that shows it is not needed. */
	*len = done + 1;
	memcpy(row, rest, *len * sizeof(*row));
	return true;
}

static bool pass(struct or_world *w, const struct or_spec *spec, struct or_step *row,
		 unsigned int *len, unsigned int n)
{
	unsigned int at = 0;
	bool shorter = false;

	while (at + n <= *len) {
		if (take_out(w, spec, row, len, at, n))
			shorter = true;
		else
			at += n;
	}
	return shorter;
}

unsigned int or_shrink(struct or_world *w, const struct or_spec *spec, struct or_step *row,
		       unsigned int n)
{
	unsigned int len = n;
	unsigned int piece;

	for (piece = len / 2; piece > 1; piece /= 2)
		(void)pass(w, spec, row, &len, piece);
	while (len > 1 && pass(w, spec, row, &len, 1))
		;
	/* Once more, so that it is this row that @w->why is about. */
	(void)or_run(w, spec, row, len);
	return len;
}
