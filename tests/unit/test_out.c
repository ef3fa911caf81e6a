/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Output of the commands in text and JSON, and what becomes of strings that mean harm.
 */
#include "control/cli/mac.h"
#include "control/cli/out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two rows through the same calls; returns what was printed, to be freed. */
static char *print(enum out_format format, enum out_layout layout)
{
	const uint8_t mac[MAC_BYTES] = {2, 0, 0, 0, 0, 1};
	char *text = NULL;
	size_t len = 0;
	struct out o;
	FILE *file;

	file = open_memstream(&text, &len);
	assert_non_null(file);
	out_open(&o, file, format, layout);
	out_row_begin(&o);
	out_str(&o, OUT_EVERYWHERE, "name", "NAME", "a");
	out_num(&o, OUT_EVERYWHERE, "n", "N", 1000);
	out_mac(&o, OUT_IN_BLOCKS, "mac", "MAC", mac, "any");
	out_str(&o, OUT_ONLY_JSON, "extra", "EXTRA", "e\xff\n");
	out_note(&o, "note %d", 1);
	out_row_end(&o);
	out_row_begin(&o);
	out_str(&o, OUT_EVERYWHERE, "name", "NAME", "l\x1b[0m");
	out_num(&o, OUT_EVERYWHERE, "n", "N", 2);
	out_mac(&o, OUT_IN_BLOCKS, "mac", "MAC", NULL, "any");
	out_str(&o, OUT_ONLY_JSON, "extra", "EXTRA", NULL);
	out_row_end(&o);
	assert_int_equal(out_close(&o), 0);
	fclose(file);
	return text;
}

static void expect(enum out_format format, enum out_layout layout, const char *want)
{
	char *text = print(format, layout);

	assert_string_equal(text, want);
	free(text);
}

static void test_out(void **state)
{
	expect(OUT_TEXT, OUT_TABLE,
	       "NAME         N\n"
	       "a         1000\n"
	       "    note 1\n"
	       "l\\x1b[0m     2\n");
	expect(OUT_TEXT, OUT_BLOCKS,
	       "NAME  a\n"
	       "    N     1000\n"
	       "    MAC   02:00:00:00:00:01\n"
	       "NAME  l\\x1b[0m\n"
	       "    N     2\n"
	       "    MAC   any\n");
	expect(OUT_TEXT, OUT_LINES,
	       "NAME a N 1000 MAC 02:00:00:00:00:01\n"
	       "NAME l\\x1b[0m N 2 MAC any\n");
	expect(OUT_JSON, OUT_TABLE,
	       "[{\"name\":\"a\",\"n\":1000,\"mac\":\"02:00:00:00:00:01\",\"extra\":\"e\\\\xff\\\\x0a\"},"
	       "{\"name\":\"l\\u001B[0m\",\"n\":2,\"mac\":null,\"extra\":null}]\n");
	expect(OUT_JSON, OUT_LINES,
	       "{\"name\":\"a\",\"n\":1000,\"mac\":\"02:00:00:00:00:01\",\"extra\":\"e\\\\xff\\\\x0a\"}\n"
	       "{\"name\":\"l\\u001B[0m\",\"n\":2,\"mac\":null,\"extra\":null}\n");
}

/* A name that is no name of ours: control characters of all kinds are shown, not sent. */
static void test_out_hostile(void **state)
{
	char *text = NULL;
	size_t len = 0;
	struct out o;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	out_open(&o, file, OUT_TEXT, OUT_LINES);
	out_row_begin(&o);
	out_str(&o, OUT_EVERYWHERE, "", "", "\x1b]0;t\x07\r\n\x7f\t");
	out_str(&o, OUT_EVERYWHERE, "", "",
		"\xc2\x9b"
		"2J\xc2\x80\xc2\x9f");
	out_str(&o, OUT_EVERYWHERE, "", "", "\xc2\xa0\xc3\xa9\xe2\x80\x9b");
	out_str(&o, OUT_EVERYWHERE, "", "",
		"\x9b"
		"2J\xc2");
	out_row_end(&o);
	assert_int_equal(out_close(&o), 0);
	fclose(file);
	assert_string_equal(text, "\\x1b]0;t\\x07\\x0d\\x0a\\x7f\\x09 "
				  "\\xc2\\x9b2J\\xc2\\x80\\xc2\\x9f "
				  "\xc2\xa0\xc3\xa9\xe2\x80\x9b "
				  "\\x9b2J\\xc2\n");
	free(text);
}

static void test_out_take(void **state)
{
	struct out o;
	json_t *json;

	out_open(&o, NULL, OUT_JSON, OUT_TABLE);
	json = out_take(&o);
	assert_int_equal(json_array_size(json), 0);
	json_decref(json);
	out_open(&o, NULL, OUT_JSON, OUT_TABLE);
	out_row_begin(&o);
	out_num(&o, OUT_EVERYWHERE, "n", "N", 7);
	out_row_end(&o);
	json = out_take(&o);
	assert_int_equal(json_array_size(json), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json, 0), "n")), 7);
	json_decref(json);
}

static void test_out_nothing(void **state)
{
	char *text = NULL;
	size_t len = 0;
	struct out o;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	out_open(&o, file, OUT_TEXT, OUT_TABLE);
	assert_int_equal(out_close(&o), 0);
	fflush(file);
	assert_int_equal(len, 0);
	out_open(&o, file, OUT_JSON, OUT_TABLE);
	assert_int_equal(out_close(&o), 0);
	fclose(file);
	assert_string_equal(text, "[]\n");
	free(text);
}

static void test_out_time(void **state)
{
	char text[64];

	out_time(0, text, sizeof(text));
	assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
	out_time(UINT64_C(1769903999000001999), text, sizeof(text));
	assert_string_equal(text, "2026-01-31T23:59:59.000001Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out),      cmocka_unit_test(test_out_hostile),
		cmocka_unit_test(test_out_take), cmocka_unit_test(test_out_nothing),
		cmocka_unit_test(test_out_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
