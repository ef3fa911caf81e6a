/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said about a command line that is wrong, and the guess what was meant.
 */
#ifndef VS_CONTROL_CLI_WORDS_H
#define VS_CONTROL_CLI_WORDS_H

#include "control/cli/cli.h"

enum {
	/** Distance of words that have nothing in common. */
	WORDS_FAR = 24,
};

/** struct words_accepted - words that could stand here; it begins with @distance WORDS_FAR */
struct words_accepted {
	char list[256];
	const char *nearest;
	unsigned int distance;
};

/** words_complain() - what is wrong goes to cli->error. */
void words_complain(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * words_accept() - add a word to those that could stand here
 * @given:	what stands there
 * @word:	"": only a value could stand here
 * @value:	what help calls the value behind the word, or NULL
 */
void words_accept(struct words_accepted *acc, const char *given, const char *word,
		  const char *value);

/** words_wrong() - complain about @given behind the word @after. */
void words_wrong(struct cli *cli, const char *given, const char *after,
		 const struct words_accepted *acc);

#endif
