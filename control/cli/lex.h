/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of commands: lines of words.
 *
 *	# a comment, up to the end of the line
 *	switch add lan type private
 *	port add web switch lan type guest \
 *		socket '/run/my guests/web.sock'
 *
 * Words are separated by blanks. A '#' at the beginning of a word begins a comment. Inside of
 * single quotes everything stands for itself; inside of double quotes, and outside of quotes, a
 * backslash takes its meaning from the next character. A backslash at the end of a line joins it
 * with the next one. Quotes end on the line they begin on. A line may end with CR LF.
 */
#ifndef VS_CONTROL_CLI_LEX_H
#define VS_CONTROL_CLI_LEX_H

#include <stddef.h>
#include <stdio.h>

/**
 * struct lex - a file being read
 * @line:	in which the command of the last lex_next() begins, from 1; with an error, in which
 *		the error is
 * @argc, @argv: words of the command, until the next lex_next()
 * @error:	what is wrong
 */
struct lex {
	FILE *file;
	unsigned int line;
	int argc;
	char **argv;
	char error[128];

	/* private */
	unsigned int at_line;
	char *text;
	size_t text_room;
	char *words;
	size_t words_used, words_room;
	size_t argv_room;
};

/** lex_open() - begin to read @file, which stays the caller's. */
void lex_open(struct lex *lex, FILE *file);

/**
 * lex_next() - read one command
 *
 * Return: 1 and the words (at least one); 0 at the end of the file; -EINVAL a line is wrong,
 * -EIO, -ENOMEM, each with lex->error and lex->line.
 */
int lex_next(struct lex *lex);

/** lex_close() - free what was allocated. */
void lex_close(struct lex *lex);

#endif
