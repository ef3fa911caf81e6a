/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/lex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	/** Words of one command, so that a slip of the pen does not eat the memory. */
	WORDS_MAX = 4096,
};

/** What a line is followed by. */
enum after {
	AFTER_END,  /* the command is complete */
	AFTER_JOIN, /* the next line belongs to it */
};

void lex_open(struct lex *lex, FILE *file)
{
	*lex = (struct lex){.file = file};
}

void lex_close(struct lex *lex)
{
	free(lex->text);
	free(lex->words);
	free(lex->argv);
	*lex = (struct lex){0};
}

static int wrong(struct lex *lex, int error, const char *text)
{
	lex->line = lex->at_line;
	snprintf(lex->error, sizeof(lex->error), "%s", text);
	return error;
}

/* ---- words: one after the other with their NULs, as the memory may move ---- */

static int put_byte(struct lex *lex, char c)
{
	size_t room = lex->words_room ? 2 * lex->words_room : 256;
	char *more;

	if (lex->words_used == lex->words_room) {
		more = realloc(lex->words, room);
		if (!more)
			return wrong(lex, -ENOMEM, "out of memory");
		lex->words = more;
		lex->words_room = room;
	}
	lex->words[lex->words_used++] = c;
	return 0;
}

static int end_word(struct lex *lex)
{
	if (lex->argc == WORDS_MAX)
		return wrong(lex, -EINVAL, "a command has too many words");
	lex->argc++;
	return put_byte(lex, '\0');
}

/* Pointers to the words, now that they stay where they are. */
static int point(struct lex *lex)
{
	size_t need = (size_t)lex->argc + 1;
	char *word = lex->words;
	char **more;
	int i;

	if (need > lex->argv_room) {
		more = reallocarray(lex->argv, need, sizeof(*more));
		if (!more)
			return wrong(lex, -ENOMEM, "out of memory");
		lex->argv = more;
		lex->argv_room = need;
	}
	for (i = 0; i < lex->argc; i++) {
		lex->argv[i] = word;
		word += strlen(word) + 1;
	}
	lex->argv[i] = NULL;
	return 0;
}

/* ---- lines ---- */

static int is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What stands in quotes, from behind the first one on. *@at is then behind the second one. */
static int take_quoted(struct lex *lex, const char **at, char quote)
{
	const char *c = *at;
	int err = 0;

	for (; !err && *c != quote; c++) {
		if (quote == '"' && *c == '\\' && c[1])
			c++;
		if (!*c)
			return wrong(lex, -EINVAL,
				     quote == '"' ? "a \" is not closed in its line"
						  : "a ' is not closed in its line");
		err = put_byte(lex, *c);
	}
	*at = c + 1;
	return err;
}

/* One word from *@at on, which is then behind it. */
static int take_word(struct lex *lex, const char **at)
{
	const char *c = *at;
	int err = 0;

	while (!err && *c && !is_blank(*c)) {
		/* the last one of a line joins it with the next one */
		if (*c == '\\' && !c[1])
			break;
		if (*c == '\'' || *c == '"') {
			c++;
			err = take_quoted(lex, &c, c[-1]);
			continue;
		}
		if (*c == '\\')
			c++;
		err = put_byte(lex, *c++);
	}
	*at = c;
	return err ? err : end_word(lex);
}

static int take_line(struct lex *lex, const char *text, enum after *ret_after)
{
	const char *at = text;
	int err = 0;

	*ret_after = AFTER_END;
	while (!err) {
		while (is_blank(*at))
			at++;
		if (!*at || *at == '#')
			break;
		if (*at == '\\' && !at[1]) {
			*ret_after = AFTER_JOIN;
			break;
		}
		err = take_word(lex, &at);
	}
	return err;
}

/* The mark of UTF-8 that some editors put in front of a file. Return: the length without it. */
static ssize_t skip_mark(char *text, ssize_t n)
{
	static const char mark[] = {'\xef', '\xbb', '\xbf'};
	const ssize_t len = sizeof(mark);

	if (n < len || memcmp(text, mark, sizeof(mark)) != 0)
		return n;
	memmove(text, text + len, (size_t)(n - len) + 1);
	return n - len;
}

/* The next line without its end. Return: 1, 0 at the end of the file, or an error. */
static int read_line(struct lex *lex)
{
	ssize_t n;

	errno = 0;
	n = getline(&lex->text, &lex->text_room, lex->file);
	lex->at_line++;
	if (n < 0 && feof(lex->file) && !ferror(lex->file))
		return 0;
	if (n < 0)
		return wrong(lex, errno == ENOMEM ? -ENOMEM : -EIO,
			     errno ? strerror(errno) : "cannot be read");
	if (memchr(lex->text, '\0', (size_t)n))
		return wrong(lex, -EINVAL, "a line has a NUL byte: this is no text");
	if (lex->at_line == 1)
		n = skip_mark(lex->text, n);
	if (n && lex->text[n - 1] == '\n')
		lex->text[--n] = '\0';
	if (n && lex->text[n - 1] == '\r')
		lex->text[--n] = '\0';
	return 1;
}

int lex_next(struct lex *lex)
{
	enum after after = AFTER_END;
	int ret;

	lex->argc = 0;
	lex->words_used = 0;
	lex->line = 0;
	for (;;) {
		ret = read_line(lex);
		if (ret <= 0)
			break;
		ret = take_line(lex, lex->text, &after);
		if (ret)
			return ret;
		if (!lex->line && lex->argc)
			lex->line = lex->at_line;
		if (after == AFTER_END && lex->argc)
			break;
	}
	/* the last line may lack what it was to be joined with */
	if (ret < 0 || !lex->argc)
		return ret;
	ret = point(lex);
	return ret ? ret : 1;
}
