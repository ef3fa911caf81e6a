/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of one guest, as its VMM shared it: up to eight regions, checked before they are
 * mapped (vhost-user SET_MEM_TABLE), and the only way from a guest-physical address to a
 * pointer.
 */
#ifndef VS_GUEST_MEM_H
#define VS_GUEST_MEM_H

#include "dataplane/core/memfault.h"

#include <rte_branch_prediction.h>

#include <stddef.h>
#include <stdint.h>

enum {
	VS_MEM_REGIONS_MAX = 8,
};

/**
 * struct vs_mem_region - one mapped region
 * @gpa:	guest-physical address of its first byte
 * @size:	bytes
 * @uva:	the VMM's own virtual address of its first byte (ring addresses come as these)
 * @host:	our address of its first byte
 * @map:	what mmap() returned (the file is mapped from an aligned offset)
 * @map_len:	bytes mapped
 */
struct vs_mem_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t uva;
	uint8_t *host;
	void *map;
	size_t map_len;
};

/**
 * struct vs_mem - a memory table; immutable once published, but for @lost
 * @lost:	set by the SIGBUS handler: a region's file was truncated (or a huge page was
 *		missing) and anonymous memory stands in its place now; nothing in it means anything
 */
struct vs_mem {
	uint32_t n;
	uint32_t lost;
	struct vs_mem_region region[VS_MEM_REGIONS_MAX];
};

/**
 * vs_mem_at() - pointer to guest-physical [@gpa, @gpa + @len)
 * @mem:	table
 * @gpa:	any value
 * @len:	any value; 0 is answered like 1
 *
 * The whole range must lie in one region: adjacent regions are not joined, because they are
 * separate mappings here.
 *
 * Return: pointer, or NULL when any byte lies outside.
 */
static inline uint8_t *vs_mem_at(const struct vs_mem *mem, uint64_t gpa, uint64_t len)
{
	const struct vs_mem_region *r = mem->region;
	uint32_t i;

	for (i = 0; i < mem->n; i++, r++) {
		uint64_t off = gpa - r->gpa;

		if (off < r->size && len <= r->size - off)
			return r->host + off;
	}
	return NULL;
}

/**
 * vs_mem_at_near() - vs_mem_at() for buffers that mostly lie in one region
 * @near:	the region to look into first, of @mem; becomes the one that @gpa lies in
 */
static inline uint8_t *vs_mem_at_near(const struct vs_mem *mem, const struct vs_mem_region **near,
				      uint64_t gpa, uint64_t len)
{
	const struct vs_mem_region *r = *near;
	uint64_t off = gpa - r->gpa;
	uint32_t i;

	if (likely(off < r->size && len <= r->size - off))
		return r->host + off;
	for (i = 0, r = mem->region; i < mem->n; i++, r++) {
		off = gpa - r->gpa;
		if (off < r->size && len <= r->size - off) {
			*near = r;
			return r->host + off;
		}
	}
	return NULL;
}

/** vs_mem_at_uva() - the same for an address of the VMM's own address space. */
static inline uint8_t *vs_mem_at_uva(const struct vs_mem *mem, uint64_t uva, uint64_t len)
{
	const struct vs_mem_region *r = mem->region;
	uint32_t i;

	for (i = 0; i < mem->n; i++, r++) {
		uint64_t off = uva - r->uva;

		if (off < r->size && len <= r->size - off)
			return r->host + off;
	}
	return NULL;
}

/**
 * struct vs_mem_spec - one region as the VMM described it, nothing of it checked
 * @offset:	of its first byte in the file
 */
struct vs_mem_spec {
	uint64_t gpa;
	uint64_t size;
	uint64_t uva;
	uint64_t offset;
};

/**
 * vs_mem_map() - check a memory table and map it
 * @spec:	@n regions, untrusted
 * @fd:		@n descriptors, one per region; stay the caller's and may be closed afterwards
 * @n:		1..VS_MEM_REGIONS_MAX, anything else is refused
 * @ret_mem:	the table; free it with vs_mem_unmap()
 * @ret_why:	on failure: what is wrong, a static string
 *
 * Each region must be of a file in memory (memfd, tmpfs, hugetlbfs), lie within the file as
 * it is now, and overlap no other region, neither in guest-physical addresses nor in the VMM's.
 * All regions are known to the SIGBUS handler before this returns.
 *
 * Return: 0, or -errno with nothing mapped: -EINVAL refused, otherwise what fstat() or mmap()
 * said.
 */
int vs_mem_map(const struct vs_mem_spec *spec, const int *fd, uint32_t n, struct vs_mem **ret_mem,
	       const char **ret_why);

/** vs_mem_unmap() - unmap and free; no worker may hold a pointer into it (grace period). */
void vs_mem_unmap(struct vs_mem *mem);

#endif
