/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/guest/mem.h"

#include "dataplane/core/fdkind.h"
#include "dataplane/guest/sigbus.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * Bytes that one table may map. A sparse file costs its VMM nothing, but every port shares the
 * daemon's address space (128 TiB): no guest may use it up for the others.
 */
#define TABLE_BYTES_MAX (UINT64_C(4) << 40)

/** A table with what only this file needs. */
struct table {
	struct vs_mem mem;
	int slot[VS_MEM_REGIONS_MAX]; /* in the SIGBUS handler's table */
};

/* Do [@a, @a + @a_len) and [@b, @b + @b_len) share a byte? None of them wraps around. */
static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* What can be judged without the files. Return: NULL, or what is wrong. */
static const char *check_addresses(const struct vs_mem_spec *spec, uint32_t n)
{
	uint64_t total = 0;
	uint32_t i;
	uint32_t j;

	for (i = 0; i < n; i++) {
		const struct vs_mem_spec *s = &spec[i];

		if (!s->size)
			return "a memory region of 0 bytes";
		if (s->size > TABLE_BYTES_MAX - total)
			return "more than 4 TiB of memory";
		total += s->size;
		if (s->gpa + s->size < s->gpa || s->uva + s->size < s->uva ||
		    s->offset + s->size < s->offset)
			return "a memory region that wraps around the address space";
		for (j = 0; j < i; j++)
			if (overlap(s->gpa, s->size, spec[j].gpa, spec[j].size) ||
			    overlap(s->uva, s->size, spec[j].uva, spec[j].size))
				return "memory regions that overlap";
	}
	return NULL;
}

/* Page size that a mapping of @fd must be aligned to: hugetlb files have their own. */
static uint64_t file_page(int fd)
{
	struct statfs fs;

	if (!fstatfs(fd, &fs) && fs.f_type == HUGETLBFS_MAGIC && fs.f_bsize > 0)
		return (uint64_t)fs.f_bsize;
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * Is it a file in memory: a memfd, or one on tmpfs or hugetlbfs? Nothing else is good enough. The
 * first touch of a page of a FUSE or network file waits for its server, that of a file on a disk
 * for the disk, and it is a worker that would wait. Only files in memory have seals, and asking
 * for them asks nobody but the kernel, while fstat() of a FUSE file may wait for ever.
 *
 * Return: NULL, or what is wrong.
 */
static const char *check_file(int fd)
{
	struct statx stx;

	if (vs_fd_is_memory_file(fd))
		return NULL;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx))
		return "a memory descriptor that cannot be examined";
	if (!S_ISREG(stx.stx_mode))
		return "a memory descriptor that is not a file";
	return "a memory file that is no memfd, nor on tmpfs or hugetlbfs";
}

static int map_region(const struct vs_mem_spec *spec, int fd, struct vs_mem_region *r,
		      const char **ret_why)
{
	uint64_t page;
	uint64_t skip;
	struct stat st;

	if (fcntl(fd, F_GETFD) < 0) {
		*ret_why = "a memory descriptor that cannot be examined";
		return -errno;
	}
	*ret_why = check_file(fd);
	if (*ret_why)
		return -EINVAL;
	if (fstat(fd, &st)) {
		*ret_why = "a memory descriptor that cannot be examined";
		return -errno;
	}
	if (st.st_size < 0 || spec->offset + spec->size > (uint64_t)st.st_size) {
		*ret_why = "a memory region larger than its file";
		return -EINVAL;
	}

	page = file_page(fd);
	skip = spec->offset % page;
	r->map_len = (spec->size + skip + page - 1) / page * page;
	r->map = mmap(NULL, r->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      (off_t)(spec->offset - skip));
	if (r->map == MAP_FAILED) {
		*ret_why = "a memory region that cannot be mapped";
		return -errno;
	}
	/* Guest memory has no place in a core file of the switch; without effect on errors. */
	(void)madvise(r->map, r->map_len, MADV_DONTDUMP);
	r->gpa = spec->gpa;
	r->size = spec->size;
	r->uva = spec->uva;
	r->host = (uint8_t *)r->map + skip;
	return 0;
}

int vs_mem_map(const struct vs_mem_spec *spec, const int *fd, uint32_t n, struct vs_mem **ret_mem,
	       const char **ret_why)
{
	const char *why = NULL;
	struct table *t;
	int err;

	if (n < 1 || n > VS_MEM_REGIONS_MAX)
		why = n ? "more than 8 memory regions" : "no memory region";
	else
		why = check_addresses(spec, n);
	if (why) {
		*ret_why = why;
		return -EINVAL;
	}

	t = calloc(1, sizeof(*t));
	if (!t) {
		*ret_why = "no memory left";
		return -ENOMEM;
	}
	while (t->mem.n < n) {
		struct vs_mem_region *r = &t->mem.region[t->mem.n];

		err = map_region(&spec[t->mem.n], fd[t->mem.n], r, &why);
		if (err)
			goto err_unmap;
		t->slot[t->mem.n] = vs_sigbus_add(r->map, r->map_len, &t->mem);
		if (t->slot[t->mem.n] < 0) {
			why = "too many memory regions in all";
			err = -ENOSPC;
			(void)munmap(r->map, r->map_len);
			goto err_unmap;
		}
		t->mem.n++;
	}
	*ret_mem = &t->mem;
	return 0;

err_unmap:
	vs_mem_unmap(&t->mem);
	*ret_why = why;
	return err;
}

void vs_mem_unmap(struct vs_mem *mem)
{
	struct table *t = (struct table *)mem;
	uint32_t i;

	for (i = 0; i < mem->n; i++) {
		vs_sigbus_remove(t->slot[i]);
		(void)munmap(mem->region[i].map, mem->region[i].map_len);
	}
	free(t);
}
