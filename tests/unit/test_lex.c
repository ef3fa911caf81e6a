/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of commands: words, quotes, comments, joined lines, and the lines that errors name. */
#include "control/cli/lex.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct lex lex;
static FILE *file;

static void open_bytes(const char *bytes, size_t len)
{
	file = tmpfile();
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	rewind(file);
	lex_open(&lex, file);
}

static void open_text(const char *text)
{
	open_bytes(text, strlen(text));
}

static void end(void)
{
	lex_close(&lex);
	fclose(file);
}

/* The next command is in @line, and its words are those of @words with '|' between them. */
static void next(unsigned int line, const char *words)
{
	char joined[512] = "";
	int ret = lex_next(&lex);
	int i;

	if (ret != 1)
		fail_msg("'%s' expected, got %d: %s", words, ret, lex.error);
	for (i = 0; i < lex.argc; i++)
		snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
			 i ? "|" : "", lex.argv[i]);
	assert_string_equal(joined, words);
	assert_null(lex.argv[lex.argc]);
	assert_int_equal(lex.line, line);
}

static void test_words(void **state)
{
	open_text("switch add lan\n\n   \t\n\tport  del\tp \n last");
	next(1, "switch|add|lan");
	next(4, "port|del|p");
	next(5, "last");
	assert_int_equal(lex_next(&lex), 0);
	assert_int_equal(lex_next(&lex), 0);
	end();
}

static void test_comments(void **state)
{
	open_text("# nothing\na # b\nc#d '#' \\# #\n#\\\ne\n");
	next(2, "a");
	next(3, "c#d|#|#");
	next(5, "e");
	assert_int_equal(lex_next(&lex), 0);
	end();
}

static void test_quotes(void **state)
{
	open_text("'a b' \"c d\" e' 'f '' \"\"\n"
		  "'\\' \"\\\"\\\\x\" a\\ b \\'\n"
		  "'it'\\''s' \"it's\"\n");
	next(1, "a b|c d|e f||");
	next(2, "\\|\"\\x|a b|'");
	next(3, "it's|it's");
	assert_int_equal(lex_next(&lex), 0);
	end();
}

static void test_joined(void **state)
{
	open_text("a \\\n  b \\\nc\nd\\\ne\n\\\n\\\n f\ng \\\n# ends here\nh\ni \\");
	next(1, "a|b|c");
	next(4, "d|e");
	next(8, "f");
	next(9, "g");
	next(11, "h");
	next(12, "i");
	assert_int_equal(lex_next(&lex), 0);
	end();
}

static void test_line_ends(void **state)
{
	open_text("a b\r\nc \\\r\nd\r\n\r\n");
	next(1, "a|b");
	next(2, "c|d");
	assert_int_equal(lex_next(&lex), 0);
	end();
	open_text("");
	assert_int_equal(lex_next(&lex), 0);
	end();
	open_text("# only this");
	assert_int_equal(lex_next(&lex), 0);
	end();
}

/* The mark of UTF-8 in front of a file is none of its words; elsewhere it is. */
static void test_mark(void **state)
{
	open_text("\xef\xbb\xbf"
		  "a b\n\xef\xbb\xbf"
		  "c\n");
	next(1, "a|b");
	next(2, "\xef\xbb\xbf"
		"c");
	assert_int_equal(lex_next(&lex), 0);
	end();
	open_text("\xef\xbb\xbf# comment\r\n'x'");
	next(2, "x");
	end();
	open_text("\xef\xbb\xbf");
	assert_int_equal(lex_next(&lex), 0);
	end();
	open_text("\xef\xbb");
	next(1, "\xef\xbb");
	end();
}

static void wrong(unsigned int line, const char *text)
{
	assert_int_equal(lex_next(&lex), -EINVAL);
	assert_int_equal(lex.line, line);
	assert_non_null(strstr(lex.error, text));
	end();
}

static void test_wrong(void **state)
{
	open_text("a\nb 'c\nd'\n");
	next(1, "a");
	wrong(2, "a ' is not closed");
	open_text("a \\\nb \"c\\\n");
	wrong(2, "a \" is not closed");
	open_text("\"\\");
	wrong(1, "a \" is not closed");
	open_bytes("a\nb\0c\n", 6);
	next(1, "a");
	wrong(2, "NUL");
}

static void test_long(void **state)
{
	size_t len = 3 * 4000;
	char *text = malloc(2 * len);
	int i;

	assert_non_null(text);
	/* one long word, then as many words as are allowed, then one more */
	memset(text, 'x', len);
	text[len] = '\n';
	open_bytes(text, len + 1);
	assert_int_equal(lex_next(&lex), 1);
	assert_int_equal(strlen(lex.argv[0]), len);
	assert_int_equal(lex_next(&lex), 0);
	end();
	for (i = 0; i < 4097; i++)
		memcpy(text + 2 * (size_t)i, "w ", 2);
	open_bytes(text, 2 * 4096);
	assert_int_equal(lex_next(&lex), 1);
	assert_int_equal(lex.argc, 4096);
	assert_string_equal(lex.argv[4095], "w");
	end();
	open_bytes(text, 2 * 4097);
	wrong(1, "too many words");
	free(text);
}

static void test_unreadable(void **state)
{
	file = fopen("/", "r");
	assert_non_null(file);
	lex_open(&lex, file);
	assert_int_equal(lex_next(&lex), -EIO);
	assert_non_null(strstr(lex.error, "directory"));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),     cmocka_unit_test(test_comments),
		cmocka_unit_test(test_quotes),    cmocka_unit_test(test_joined),
		cmocka_unit_test(test_line_ends), cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_long),      cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests_name("lex", tests, NULL, NULL);
}
