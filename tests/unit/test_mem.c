/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/guest/mem.h"
#include "dataplane/guest/sigbus.h"
#include "tests/unit/vhost_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum {
	PAGE = 4096,
	FILE_SIZE = 64 * PAGE,
};

static struct vs_mem_spec spec_at(uint64_t gpa, uint64_t uva, uint64_t offset, uint64_t size)
{
	return (struct vs_mem_spec){.gpa = gpa, .uva = uva, .offset = offset, .size = size};
}

static struct vs_mem *map_one(const struct vs_mem_spec *spec, int fd)
{
	struct vs_mem *mem = NULL;
	const char *why = NULL;

	assert_int_equal(vs_mem_map(spec, &fd, 1, &mem, &why), 0);
	assert_non_null(mem);
	return mem;
}

static void test_lookup_edges(void **state)
{
	const struct vs_mem_spec spec[2] = {
		spec_at(0x10000, 0x7f0000, 0, PAGE),
		spec_at(0x10000 + PAGE, 0x7f0000 + PAGE, PAGE, PAGE),
	};
	int file = peer_memfd(FILE_SIZE);
	const int fd[2] = {file, file};
	struct vs_mem *mem;
	const char *why;

	assert_int_equal(vs_mem_map(spec, fd, 2, &mem, &why), 0);
	close(file);

	assert_ptr_equal(vs_mem_at(mem, 0x10000, PAGE), mem->region[0].host);
	assert_ptr_equal(vs_mem_at(mem, 0x10000 + PAGE - 1, 1), mem->region[0].host + PAGE - 1);
	assert_null(vs_mem_at(mem, 0xffff, 1));
	assert_null(vs_mem_at(mem, 0x10000 + 2 * PAGE, 0));
	/* Adjacent regions are not joined. */
	assert_null(vs_mem_at(mem, 0x10000 + PAGE - 1, 2));
	assert_null(vs_mem_at(mem, 0x10000, UINT64_MAX));
	assert_null(vs_mem_at(mem, UINT64_MAX, UINT64_MAX));
	assert_ptr_equal(vs_mem_at_uva(mem, 0x7f0000 + PAGE, PAGE), mem->region[1].host);
	assert_null(vs_mem_at_uva(mem, 0x10000, 1));
	vs_mem_unmap(mem);
}

static void test_unaligned_offset_finds_its_bytes(void **state)
{
	const struct vs_mem_spec spec = spec_at(0, 0x1000, PAGE + 123, 2 * PAGE);
	int fd = peer_memfd(FILE_SIZE);
	struct vs_mem *mem;

	assert_int_equal(pwrite(fd, "vmswitch", 8, PAGE + 123), 8);
	mem = map_one(&spec, fd);
	assert_memory_equal(vs_mem_at(mem, 0, 8), "vmswitch", 8);
	vs_mem_unmap(mem);
	close(fd);
}

struct refusal {
	const char *what;
	struct vs_mem_spec spec[2];
	uint32_t n;
};

static void test_refused_tables_leave_nothing(void **state)
{
	const uint64_t top = UINT64_MAX - PAGE + 2; /* one byte too far */
	const struct refusal cases[] = {
		{"size 0", {spec_at(0, 0, 0, 0)}, 1},
		{"one byte over the file", {spec_at(0, 0, 0, FILE_SIZE + 1)}, 1},
		{"offset over the file", {spec_at(0, 0, FILE_SIZE, 1)}, 1},
		{"offset wraps", {spec_at(0, 0, top, PAGE)}, 1},
		{"gpa wraps", {spec_at(top, 0, 0, PAGE)}, 1},
		{"uva wraps", {spec_at(0, top, 0, PAGE)}, 1},
		{"size of everything", {spec_at(0, 0, 0, UINT64_MAX)}, 1},
		{"gpa overlap", {spec_at(0, 0, 0, PAGE), spec_at(PAGE - 1, PAGE, 0, PAGE)}, 2},
		{"uva overlap", {spec_at(0, 0, 0, PAGE), spec_at(PAGE, PAGE - 1, 0, PAGE)}, 2},
		{"second one bad", {spec_at(0, 0, 0, PAGE), spec_at(PAGE, PAGE, 0, 1 << 30)}, 2},
		{"none", {spec_at(0, 0, 0, PAGE)}, 0},
	};
	int file = peer_memfd(FILE_SIZE);
	unsigned int maps = peer_count_maps();
	unsigned int fds = peer_count_fds();
	const int fd[2] = {file, file};
	struct vs_mem *mem = NULL;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = NULL;

		if (vs_mem_map(cases[i].spec, fd, cases[i].n, &mem, &why) != -EINVAL || !why)
			fail_msg("not refused: %s", cases[i].what);
		assert_null(mem);
	}
	assert_int_equal(peer_count_maps(), maps);
	assert_int_equal(peer_count_fds(), fds);
	close(file);
}

static void test_nine_regions(void **state)
{
	struct vs_mem_spec spec[9];
	struct vs_mem *mem = NULL;
	const char *why = NULL;
	int fd[9];
	int i;

	for (i = 0; i < 9; i++) {
		fd[i] = peer_memfd(PAGE);
		spec[i] = spec_at((uint64_t)i * PAGE, (uint64_t)i * PAGE, 0, PAGE);
	}
	assert_int_equal(vs_mem_map(spec, fd, 9, &mem, &why), -EINVAL);
	assert_int_equal(vs_mem_map(spec, fd, 8, &mem, &why), 0);
	assert_int_equal(mem->n, 8);
	vs_mem_unmap(mem);
	for (i = 0; i < 9; i++)
		close(fd[i]);
}

static void test_what_is_not_a_file(void **state)
{
	const struct vs_mem_spec spec = spec_at(0, 0, 0, PAGE);
	struct vs_mem *mem = NULL;
	const char *why = NULL;
	char path[40];
	int pair[2];
	int file;
	int fd;

	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_int_equal(vs_mem_map(&spec, &fd, 1, &mem, &why), -EINVAL);
	close(fd);
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(vs_mem_map(&spec, &pair[0], 1, &mem, &why), -EINVAL);
	close(pair[0]);
	close(pair[1]);
	fd = -1;
	assert_int_equal(vs_mem_map(&spec, &fd, 1, &mem, &why), -EBADF);

	file = peer_memfd(PAGE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(vs_mem_map(&spec, &fd, 1, &mem, &why), -EACCES);
	close(fd);
	close(file);
	assert_null(mem);
}

static void test_truncated_file(void **state)
{
	const struct vs_mem_spec spec = spec_at(0, 0, 0, 16 * PAGE);
	int good_fd = peer_memfd(FILE_SIZE);
	int fd = peer_memfd(FILE_SIZE);
	struct vs_mem *good = map_one(&spec, good_fd);
	struct vs_mem *mem = map_one(&spec, fd);
	volatile uint8_t *at = vs_mem_at(mem, 0, 16 * PAGE);

	at[5 * PAGE] = 7;
	*(volatile uint8_t *)vs_mem_at(good, 0, 1) = 9;
	assert_int_equal(ftruncate(fd, 0), 0);
	/* Here, because cmocka puts a handler of its own in front of each test. */
	assert_int_equal(vs_sigbus_install(), 0);
	vs_mem_faults = 0;
	assert_int_equal(at[5 * PAGE], 0);
	assert_int_equal(vs_mem_faults, 1);
	assert_int_equal(mem->lost, 1);
	/* The whole region was replaced: no second fault anywhere in it, reading or writing. */
	at[0] = 1;
	at[16 * PAGE - 1] = 1;
	assert_int_equal(vs_mem_faults, 1);
	/* And nobody else's. */
	assert_int_equal(good->lost, 0);
	assert_int_equal(*vs_mem_at(good, 0, 1), 9);
	vs_mem_unmap(mem);
	vs_mem_unmap(good);
	close(fd);
	close(good_fd);
}

/* A huge page cannot be replaced in part; the region must go as a whole. */
static void test_truncated_huge_file(void **state)
{
	const uint64_t huge = 2 << 20;
	const struct vs_mem_spec spec = spec_at(0, 0, 4096, huge);
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	struct vs_mem *mem = NULL;
	const char *why;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(2 * huge)), 0);
	assert_int_equal(vs_mem_map(&spec, &fd, 1, &mem, &why), 0);
	*(volatile uint8_t *)vs_mem_at(mem, 0, 1) = 1;
	assert_int_equal(ftruncate(fd, 0), 0);
	/* Here, because cmocka puts a handler of its own in front of each test. */
	assert_int_equal(vs_sigbus_install(), 0);
	vs_mem_faults = 0;
	*(volatile uint8_t *)vs_mem_at(mem, huge - 1, 1) = 1;
	assert_int_equal(vs_mem_faults, 1);
	assert_int_equal(mem->lost, 1);
	vs_mem_unmap(mem);
	close(fd);
}

/* Needs two of them, which most machines only have when somebody set them aside. */
static bool have_huge_pages(void)
{
	size_t len = 4 << 20;
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
		       -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, len);
	return true;
}

static int status_of_child(void (*body)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (vs_sigbus_install())
			_exit(1);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void touch_foreign_mapping(void)
{
	int fd = peer_memfd(PAGE);
	volatile uint8_t *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (ftruncate(fd, 0))
		_exit(1);
	(void)*p;
}

static void send_sigbus(void)
{
	(void)raise(SIGBUS);
}

static void test_any_other_sigbus_kills(void **state)
{
	int status = status_of_child(touch_foreign_mapping);

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = status_of_child(send_sigbus);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void test_slots_are_given_back(void **state)
{
	const struct vs_mem_spec spec = spec_at(0, 0, 0, PAGE);
	int fd = peer_memfd(PAGE);
	unsigned int maps = peer_count_maps();
	int i;

	for (i = 0; i < 20000; i++)
		vs_mem_unmap(map_one(&spec, fd));
	assert_int_equal(peer_count_maps(), maps);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup_edges),
		cmocka_unit_test(test_unaligned_offset_finds_its_bytes),
		cmocka_unit_test(test_refused_tables_leave_nothing),
		cmocka_unit_test(test_nine_regions),
		cmocka_unit_test(test_what_is_not_a_file),
		cmocka_unit_test(test_truncated_file),
		cmocka_unit_test(test_any_other_sigbus_kills),
		cmocka_unit_test(test_slots_are_given_back),
		cmocka_unit_test(test_truncated_huge_file), /* must be the last one */
	};
	size_t n = sizeof(tests) / sizeof(tests[0]);

	/* cmocka reports a skipped test as "not ok", so one that cannot run is not in the list. */
	if (!have_huge_pages()) {
		printf("# no huge pages free: test_truncated_huge_file is left out\n");
		n--;
	}

	return _cmocka_run_group_tests("mem", tests, n, NULL, NULL);
}
