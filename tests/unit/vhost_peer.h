/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VMM's side of vhost-user for tests: guest memory, messages, counting descriptors.
 * Everything is static inline; a test includes it after cmocka.h.
 */
#ifndef VS_TESTS_UNIT_VHOST_PEER_H
#define VS_TESTS_UNIT_VHOST_PEER_H

#include "dataplane/core/rcu.h"
#include "dataplane/guest/notify.h"
#include "dataplane/guest/vhost.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	PEER_MEMORY = 1 << 20,
	PEER_RING = 64,
	/* Where ring i lies: 16 KiB each. */
	PEER_RING_BYTES = 16384,
	PEER_AVAIL = 4096,
	PEER_USED = 8192,
};

#define PEER_GPA UINT64_C(0x100000)
#define PEER_UVA UINT64_C(0x7f0000000000)

/* Grace periods without an EAL: the state from the C heap, with every worker offline. */
static inline void peer_rcu(struct vs_rcu *rcu)
{
	size_t size = rte_rcu_qsbr_get_memsize(VS_WORKERS_MAX);
	unsigned int i;

	rcu->qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	if (!rcu->qsbr || rte_rcu_qsbr_init(rcu->qsbr, VS_WORKERS_MAX))
		abort();
	for (i = 0; i < VS_WORKERS_MAX; i++)
		if (rte_rcu_qsbr_thread_register(rcu->qsbr, i))
			abort();
}

/* Signalling an eventfd for the first time opens what a thread keeps for good: not a leak. */
static inline void peer_warm_up(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (vs_notify(fd))
		abort();
	close(fd);
}

static inline unsigned int peer_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Mappings of memfds: others come and go with the sanitizers' own memory. */
static inline unsigned int peer_count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned int n = 0;

	while (fgets(line, sizeof(line), f))
		n += strstr(line, "/memfd:") != NULL;
	fclose(f);
	return n;
}

static inline int peer_memfd(size_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		abort();
	return fd;
}

static inline int peer_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* Events counted by @fd, which is left at 0. */
static inline uint64_t peer_drain(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

static inline struct vs_vhost_msg peer_msg(uint32_t request, uint32_t size)
{
	struct vs_vhost_msg msg;

	memset(&msg, 0, sizeof(msg));
	msg.request = request;
	msg.flags = VS_VHOST_VERSION;
	msg.size = size;
	return msg;
}

static inline struct vs_vhost_msg peer_u64(uint32_t request, uint64_t value)
{
	struct vs_vhost_msg msg = peer_msg(request, 8);

	msg.payload.u64 = value;
	return msg;
}

static inline struct vs_vhost_msg peer_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vs_vhost_msg msg = peer_msg(request, 8);

	msg.payload.state.index = index;
	msg.payload.state.num = num;
	return msg;
}

/* The addresses of ring @index in the memory that peer_table() describes. */
static inline struct vs_vhost_msg peer_addr(uint32_t index)
{
	struct vs_vhost_msg msg = peer_msg(VS_VHOST_SET_VRING_ADDR, 40);
	uint64_t at = PEER_UVA + (uint64_t)index * PEER_RING_BYTES;

	msg.payload.addr.index = index;
	msg.payload.addr.desc = at;
	msg.payload.addr.avail = at + PEER_AVAIL;
	msg.payload.addr.used = at + PEER_USED;
	return msg;
}

/* @n regions of PEER_MEMORY / @n bytes, one after the other in one file. */
static inline struct vs_vhost_msg peer_table(uint32_t n)
{
	struct vs_vhost_msg msg = peer_msg(VS_VHOST_SET_MEM_TABLE, 8 + 32 * n);
	uint32_t i;

	msg.payload.mem.n = n;
	for (i = 0; i < n && i < 8; i++) {
		uint64_t at = (uint64_t)i * (PEER_MEMORY / n);

		msg.payload.mem.region[i].gpa = PEER_GPA + at;
		msg.payload.mem.region[i].uva = PEER_UVA + at;
		msg.payload.mem.region[i].size = PEER_MEMORY / n;
		msg.payload.mem.region[i].offset = at;
	}
	return msg;
}

#endif
