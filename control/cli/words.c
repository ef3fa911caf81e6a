/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/words.h"

#include <stdarg.h>
#include <string.h>

enum {
	/** Longer words are not compared. */
	WORD_MAX = WORDS_FAR,
	/** Letters that may differ for "did you mean". */
	DISTANCE_MAX = 2,
};

void words_complain(struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cli->error, sizeof(cli->error), fmt, ap);
	va_end(ap);
}

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/** distance() - letters to insert, leave out or change to make @b of @a (Levenshtein). */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b), i, j;

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (j = 0; j <= lb; j++)
		row[j] = (unsigned int)j;
	for (i = 1; i <= la; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (j = 1; j <= lb; j++) {
			unsigned int above = row[j];

			row[j] =
				least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}

void words_accept(struct words_accepted *acc, const char *given, const char *word,
		  const char *value)
{
	size_t len = strlen(acc->list);
	unsigned int d;

	snprintf(acc->list + len, sizeof(acc->list) - len, "%s%s%s%s", len ? ", " : "", word,
		 value && word[0] ? " " : "", value ? value : "");
	if (!word[0])
		return;
	d = distance(given, word);
	/* the very word is no help: it stands where it is not accepted */
	if (d && d < acc->distance && d < strlen(word)) {
		acc->distance = d;
		acc->nearest = word;
	}
}

void words_wrong(struct cli *cli, const char *given, const char *after,
		 const struct words_accepted *acc)
{
	bool near = acc->nearest && acc->distance <= DISTANCE_MAX;

	words_complain(cli, "unknown word '%s' after '%s'%s%s%s%s%s", given, after,
		       near ? " (did you mean '" : "", near ? acc->nearest : "", near ? "'?)" : "",
		       acc->list[0] ? "; accepted here: " : "; nothing more is accepted here",
		       acc->list);
}
