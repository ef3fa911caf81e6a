/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory: regions of a file each, mapped on our side and described to the back end.
 *
 * The allocator only goes forward. Rings and buffers live as long as the guest, and a guest that
 * is built anew starts with all of its memory free again.
 */
#include "bench/guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t file_size_of(const struct vsg_region_cfg *cfg)
{
	return cfg->file_size ? cfg->file_size : cfg->mmap_offset + cfg->size;
}

static int open_file(void)
{
	const char *dir = getenv("TMPDIR");
	char name[256];
	int fd, n;

	n = snprintf(name, sizeof(name), "%s/vsguest-XXXXXX", dir ? dir : "/tmp");
	if (n < 0 || (size_t)n >= sizeof(name))
		return -ENAMETOOLONG;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(name);
	return fd;
}

static int open_memfd(unsigned int flags)
{
	int fd = memfd_create("vsguest", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	return fd < 0 ? -errno : fd;
}

/* The descriptor of a region's file at its full size, or -errno. */
static int open_backing(const struct vsg_mem *mem, const struct vsg_region_cfg *cfg)
{
	int err, fd;

	switch (cfg->kind) {
	case VSG_MEM_SAME:
		if (cfg->fd < 0 || (uint32_t)cfg->fd >= mem->n)
			return -EINVAL;
		fd = fcntl(mem->region[cfg->fd].fd, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? -errno : fd;
	case VSG_MEM_FD:
		fd = fcntl(cfg->fd, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? -errno : fd;
	case VSG_MEM_FILE:
		fd = open_file();
		break;
	case VSG_MEM_HUGE:
		fd = open_memfd(MFD_HUGETLB);
		break;
	default:
		fd = open_memfd(0);
		break;
	}
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)file_size_of(cfg)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* What has to come after our own mapping: seals, or a descriptor of fewer rights. */
static int restrict_backing(struct vsg_region *region)
{
	char name[64];
	int fd;

	if (region->cfg.kind == VSG_MEM_SEALED &&
	    fcntl(region->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	if (region->cfg.kind == VSG_MEM_NOWRITE &&
	    fcntl(region->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0)
		return -errno;
	if (region->cfg.kind == VSG_MEM_RDONLY) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", region->fd);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		close(region->fd);
		region->fd = fd;
	}
	return 0;
}

/* Make region number n; what a failure leaves of it is vsg_mem_destroy()'s to clear. */
static int create_region(struct vsg_mem *mem, const struct vsg_region_cfg *cfg)
{
	struct vsg_region *region = &mem->region[mem->n];
	uint64_t file_size;
	struct stat st;
	void *map;
	int err;
	int how;

	memset(region, 0, sizeof(*region));
	region->cfg = *cfg;
	region->fd = open_backing(mem, cfg);
	if (region->fd < 0)
		return region->fd;
	mem->n++;
	how = cfg->flags & VSG_MEM_F_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
	file_size = fstat(region->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	if (file_size > cfg->mmap_offset) {
		region->usable = file_size - cfg->mmap_offset;
		if (region->usable > cfg->size)
			region->usable = cfg->size;
		map = mmap(NULL, region->usable, PROT_READ | PROT_WRITE, how, region->fd,
			   (off_t)cfg->mmap_offset);
		if (map != MAP_FAILED)
			region->map = map;
		else if (cfg->kind == VSG_MEM_FD || cfg->mmap_offset % 4096 != 0)
			region->usable = 0;
		else
			return -errno;
	}
	err = restrict_backing(region);
	if (err)
		return err;
	if (region->cfg.uva == 0)
		region->cfg.uva = (uint64_t)(uintptr_t)region->map;
	return 0;
}

/**
 * vsg_mem_create() - make the guest's memory
 * @mem: to be filled in
 * @cfg: regions
 * @n: their number, VSG_MAX_REGIONS at most
 *
 * A region that cannot be mapped on our side (a descriptor that is no memory) is made all the
 * same, for the back end to stumble over; nothing can be allocated in it.
 *
 * Return: 0 or -errno; then nothing is left.
 */
int vsg_mem_create(struct vsg_mem *mem, const struct vsg_region_cfg *cfg, uint32_t n)
{
	uint32_t i;
	int err;

	memset(mem, 0, sizeof(*mem));
	if (n > VSG_MAX_REGIONS)
		return -E2BIG;
	for (i = 0; i < n; i++) {
		err = create_region(mem, &cfg[i]);
		if (err) {
			vsg_mem_destroy(mem);
			return err;
		}
	}
	return 0;
}

static void drop_region(struct vsg_region *region)
{
	if (region->map)
		munmap(region->map, region->usable);
	if (region->fd >= 0)
		close(region->fd);
	memset(region, 0, sizeof(*region));
}

/**
 * vsg_mem_add() - one more region, as a memory hot-plug brings it
 * @mem: memory
 * @cfg: region; the back end learns of it with the next memory table
 *
 * Return: its number, -E2BIG, or -errno.
 */
int vsg_mem_add(struct vsg_mem *mem, const struct vsg_region_cfg *cfg)
{
	uint32_t n = mem->n;
	int err;

	if (n >= VSG_MAX_REGIONS)
		return -E2BIG;
	err = create_region(mem, cfg);
	if (!err)
		return (int)n;
	if (mem->n > n)
		drop_region(&mem->region[--mem->n]);
	return err;
}

/**
 * vsg_mem_destroy() - unmap and close everything
 * @mem: memory
 */
void vsg_mem_destroy(struct vsg_mem *mem)
{
	uint32_t i;

	for (i = 0; i < mem->n; i++)
		drop_region(&mem->region[i]);
	memset(mem, 0, sizeof(*mem));
}

static bool take(struct vsg_region *region, uint64_t size, uint64_t align, uint64_t *ret_gpa,
		 void **ret_ptr)
{
	uint64_t at = region->cfg.gpa + region->next;

	at = (at + align - 1) & ~(align - 1);
	at -= region->cfg.gpa;
	if (!region->map || at > region->usable || size > region->usable - at)
		return false;
	region->next = at + size;
	*ret_gpa = region->cfg.gpa + at;
	*ret_ptr = region->map + at;
	return true;
}

/**
 * vsg_mem_alloc() - set memory of the guest aside
 * @mem: memory
 * @where: number of a region, VSG_MEM_ANY or VSG_MEM_SPREAD
 * @size: bytes; they lie in one region
 * @align: power of two, holds for the guest-physical address
 * @ret_gpa: guest-physical address
 * @ret_ptr: the same in our mapping
 *
 * Return: 0, -ENOMEM or -EINVAL.
 */
int vsg_mem_alloc(struct vsg_mem *mem, int where, uint64_t size, uint64_t align, uint64_t *ret_gpa,
		  void **ret_ptr)
{
	uint32_t i, first = 0;

	if (align == 0 || (align & (align - 1)) != 0 || where < VSG_MEM_SPREAD)
		return -EINVAL;
	if (where >= 0) {
		if ((uint32_t)where >= mem->n)
			return -EINVAL;
		return take(&mem->region[where], size, align, ret_gpa, ret_ptr) ? 0 : -ENOMEM;
	}
	if (where == VSG_MEM_SPREAD && mem->n > 0)
		first = mem->turn++ % mem->n;
	for (i = 0; i < mem->n; i++) {
		if (take(&mem->region[(first + i) % mem->n], size, align, ret_gpa, ret_ptr))
			return 0;
	}
	return -ENOMEM;
}

/**
 * vsg_mem_reset() - forget all allocations
 * @mem: memory
 */
void vsg_mem_reset(struct vsg_mem *mem)
{
	uint32_t i;

	for (i = 0; i < mem->n; i++)
		mem->region[i].next = 0;
	mem->turn = 0;
}

/**
 * vsg_mem_ptr() - translate a guest-physical address
 * @mem: memory
 * @gpa: address
 * @len: bytes wanted behind it
 *
 * Return: pointer in our mapping, or NULL if not all of it lies in one mapped region.
 */
void *vsg_mem_ptr(const struct vsg_mem *mem, uint64_t gpa, uint64_t len)
{
	const struct vsg_region *region;
	uint64_t at;
	uint32_t i;

	for (i = 0; i < mem->n; i++) {
		region = &mem->region[i];
		at = gpa - region->cfg.gpa;
		if (gpa >= region->cfg.gpa && at < region->usable && len <= region->usable - at)
			return region->map + at;
	}
	return NULL;
}

/**
 * vsg_mem_uva() - the user address that stands for a guest-physical one in the protocol
 * @mem: memory
 * @gpa: address
 *
 * Return: user address, 0 if no region holds it.
 */
uint64_t vsg_mem_uva(const struct vsg_mem *mem, uint64_t gpa)
{
	const struct vsg_region_cfg *cfg;
	uint32_t i;

	for (i = 0; i < mem->n; i++) {
		cfg = &mem->region[i].cfg;
		if (gpa >= cfg->gpa && gpa - cfg->gpa < cfg->size)
			return cfg->uva + (gpa - cfg->gpa);
	}
	return 0;
}

/**
 * vsg_mem_truncate() - cut the file of a region under the back end's feet
 * @mem: memory
 * @region: number of the region
 * @file_size: new size of the file in bytes, a multiple of the page size
 *
 * Our own pages beyond the new end are replaced by private ones with the same contents, so that
 * only the back end meets the hole. Other regions on the same file are not looked after.
 *
 * Return: 0 or -errno (-EPERM for a sealed file; our side is then private all the same).
 */
int vsg_mem_truncate(struct vsg_mem *mem, uint32_t region, uint64_t file_size)
{
	struct vsg_region *r;
	uint64_t keep, tail;
	void *copy;
	int err = 0;

	if (region >= mem->n || !mem->region[region].map || file_size % 4096 != 0)
		return -EINVAL;
	r = &mem->region[region];
	keep = file_size > r->cfg.mmap_offset ? file_size - r->cfg.mmap_offset : 0;
	if (keep < r->usable) {
		tail = r->usable - keep;
		copy = malloc(tail);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, r->map + keep, tail);
		if (mmap(r->map + keep, tail, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			err = -errno;
		else
			memcpy(r->map + keep, copy, tail);
		free(copy);
		if (err)
			return err;
	}
	return ftruncate(r->fd, (off_t)file_size) < 0 ? -errno : 0;
}
