/* SPDX-License-Identifier: BSD-3-Clause */
/* The state file on its disk: the lock, adding, replacing, and a disk that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/store_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char dir[32];
	char path[64];
	struct vs_store_file file;
};

static const char *beside(const struct place *p, const char *suffix)
{
	static char name[96];

	snprintf(name, sizeof(name), "%s%s", p->path, suffix);
	return name;
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	(void)signal(SIGXFSZ, SIG_IGN);
	strcpy(p->dir, "/tmp/vs-store-XXXXXX");
	*state = p;
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/state", p->dir);
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	static const char *const suffixes[] = {"", ".old", ".new", ".keep", ".lock"};
	size_t i;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		(void)unlink(beside(p, suffixes[i]));
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static void open_it(struct place *p, const char *wanted)
{
	char text[200];
	void *data;
	size_t len;

	assert_int_equal(vs_store_file_open(&p->file, p->path, &data, &len, text, sizeof(text)), 0);
	if (wanted) {
		assert_int_equal(len, strlen(wanted));
		assert_memory_equal(data, wanted, len);
	} else {
		assert_null(data);
	}
	free(data);
}

static void assert_holds(const char *path, const char *wanted)
{
	void *data;
	size_t len;

	assert_int_equal(vs_store_file_read(path, &data, &len), 0);
	assert_int_equal(len, strlen(wanted));
	assert_memory_equal(data, wanted, len);
	free(data);
}

static int replace(struct place *p, const char *head, const char *rest)
{
	const struct vs_store_bytes part[2] = {{head, strlen(head)}, {rest, strlen(rest)}};

	return vs_store_file_replace(&p->file, part, 2);
}

static void test_life(void **state)
{
	struct place *p = *state;
	struct stat st;

	open_it(p, NULL);
	assert_int_equal(p->file.fd, -1);
	assert_int_equal(replace(p, "head ", "one"), 0);
	assert_int_equal(access(beside(p, ".old"), F_OK), -1);
	assert_int_equal(vs_store_file_append(&p->file, " two", 4), 0);
	assert_int_equal(p->file.size, 12);
	assert_holds(p->path, "head one two");
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(replace(p, "head ", "both"), 0);
	assert_holds(p->path, "head both");
	assert_holds(beside(p, ".old"), "head one two");
	assert_int_equal(vs_store_file_append(&p->file, ".", 1), 0);
	vs_store_file_close(&p->file);

	open_it(p, "head both.");
	assert_int_equal(vs_store_file_cut(&p->file, 9), 0);
	assert_int_equal(vs_store_file_append(&p->file, "!", 1), 0);
	assert_holds(p->path, "head both!");
	assert_int_equal(replace(p, "x", "y"), 0);
	assert_holds(beside(p, ".old"), "head both!");
	assert_int_equal(access(beside(p, ".new"), F_OK), -1);
	assert_int_equal(access(beside(p, ".keep"), F_OK), -1);
	vs_store_file_close(&p->file);
}

static void test_lock(void **state)
{
	struct place *p = *state;
	struct vs_store_file other;
	char text[200];
	char pid[32];
	void *data;
	size_t len;

	open_it(p, NULL);
	assert_int_equal(vs_store_file_open(&other, p->path, &data, &len, text, sizeof(text)),
			 -EBUSY);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(text, pid));
	vs_store_file_close(&p->file);
	open_it(p, NULL);
	vs_store_file_close(&p->file);
}

static void test_cannot_open(void **state)
{
	struct place *p = *state;
	struct vs_store_file file;
	char text[200];
	void *data;
	size_t len;

	assert_int_equal(vs_store_file_open(&file, "/nowhere/state", &data, &len, text,
					    sizeof(text)),
			 -ENOENT);
	assert_non_null(strstr(text, "/nowhere/state.lock"));
	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_not_equal(vs_store_file_open(&file, p->path, &data, &len, text, sizeof(text)),
			     0);
	assert_int_equal(rmdir(p->path), 0);
	assert_int_equal(symlink("/etc/passwd", p->path), 0);
	assert_int_equal(vs_store_file_open(&file, p->path, &data, &len, text, sizeof(text)),
			 -ELOOP);
	assert_int_equal(mkfifo(beside(p, ".old"), 0600), 0);
	assert_int_equal(vs_store_file_read(beside(p, ".old"), &data, &len), -EINVAL);
}

static int open_fails(const struct place *p, const char *wanted)
{
	struct vs_store_file file;
	char text[200] = "";
	void *data;
	size_t len;
	int err;

	err = vs_store_file_open(&file, p->path, &data, &len, text, sizeof(text));
	assert_non_null(strstr(text, wanted));
	return err;
}

/* What somebody has put in the place of the lock or of the file is not written to. */
static void test_of_others(void **state)
{
	struct place *p = *state;
	char precious[96];
	FILE *f;

	snprintf(precious, sizeof(precious), "%s", beside(p, ".precious"));
	f = fopen(precious, "w");
	assert_non_null(f);
	assert_true(fputs("precious", f) >= 0);
	assert_int_equal(fclose(f), 0);

	assert_int_equal(symlink(precious, beside(p, ".lock")), 0);
	assert_int_equal(open_fails(p, beside(p, ".lock")), -ELOOP);
	assert_int_equal(unlink(beside(p, ".lock")), 0);
	assert_int_equal(link(precious, beside(p, ".lock")), 0);
	assert_int_equal(open_fails(p, beside(p, ".lock")), -EPERM);
	assert_int_equal(unlink(beside(p, ".lock")), 0);
	assert_int_equal(mkfifo(beside(p, ".lock"), 0600), 0);
	assert_int_equal(open_fails(p, "no regular file"), -EPERM);
	assert_int_equal(unlink(beside(p, ".lock")), 0);
	assert_int_equal(link(precious, p->path), 0);
	assert_int_equal(open_fails(p, "another name"), -EPERM);
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(link(precious, beside(p, ".new")), 0);
	open_it(p, NULL);
	assert_int_equal(replace(p, "head ", "one"), 0);
	vs_store_file_close(&p->file);
	assert_holds(precious, "precious");
	assert_int_equal(unlink(precious), 0);

	/* A second name that compaction gave it is no hindrance. */
	assert_int_equal(link(p->path, beside(p, ".keep")), 0);
	open_it(p, "head one");
	vs_store_file_close(&p->file);
}

/* What does not fit leaves nothing behind, and what fits later is taken. */
static void test_full(void **state)
{
	struct rlimit limit;
	struct rlimit small;
	struct place *p = *state;

	open_it(p, NULL);
	assert_int_equal(replace(p, "head ", "one"), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(vs_store_file_append(&p->file, " two", 4), -EFBIG);
	assert_false(p->file.suspect);
	assert_holds(p->path, "head one");
	assert_int_equal(vs_store_file_append(&p->file, " 2", 2), 0);
	assert_int_equal(replace(p, "head ", "and more"), -EFBIG);
	assert_false(p->file.suspect);
	assert_holds(p->path, "head one 2");
	assert_int_equal(access(beside(p, ".new"), F_OK), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(vs_store_file_append(&p->file, " three", 6), 0);
	assert_holds(p->path, "head one 2 three");
	vs_store_file_close(&p->file);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(test_life),      FILE_TEST(test_lock), FILE_TEST(test_cannot_open),
		FILE_TEST(test_of_others), FILE_TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
