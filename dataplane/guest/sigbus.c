/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/guest/sigbus.h"

#include "dataplane/core/limits.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

enum {
	/* While a table is replaced, the old and the new one are both known. */
	SLOTS = (VS_PORTS_MAX + 1) * VS_MEM_REGIONS_MAX,
};

/** One region; @seq is odd while control changes the slot. @mem is NULL in a free one. */
struct slot {
	uint32_t seq;
	uintptr_t start;
	uintptr_t len;
	struct vs_mem *mem;
};

static struct slot slots[SLOTS];

/* Slots at and above this were never used. */
static uint32_t slots_used;

/* A consistent copy of a slot. Ends: its writer does not wait for anything while seq is odd. */
static struct slot slot_read(const struct slot *s)
{
	struct slot copy;

	do {
		copy.seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE);
		copy.start = __atomic_load_n(&s->start, __ATOMIC_RELAXED);
		copy.len = __atomic_load_n(&s->len, __ATOMIC_RELAXED);
		copy.mem = __atomic_load_n(&s->mem, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((copy.seq & 1) || copy.seq != __atomic_load_n(&s->seq, __ATOMIC_RELAXED));
	return copy;
}

static void slot_write(struct slot *s, uintptr_t start, uintptr_t len, struct vs_mem *mem)
{
	uint32_t seq = s->seq;

	__atomic_store_n(&s->seq, seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&s->start, start, __ATOMIC_RELAXED);
	__atomic_store_n(&s->len, len, __ATOMIC_RELAXED);
	__atomic_store_n(&s->mem, mem, __ATOMIC_RELAXED);
	__atomic_store_n(&s->seq, seq + 2, __ATOMIC_RELEASE);
}

int vs_sigbus_add(void *map, size_t len, struct vs_mem *mem)
{
	uint32_t i;

	for (i = 0; i < SLOTS; i++) {
		if (slots[i].mem)
			continue;
		slot_write(&slots[i], (uintptr_t)map, len, mem);
		if (i >= slots_used)
			__atomic_store_n(&slots_used, i + 1, __ATOMIC_RELEASE);
		return (int)i;
	}
	return -ENOSPC;
}

void vs_sigbus_remove(int slot)
{
	slot_write(&slots[slot], 0, 0, NULL);
}

/* Replace the region that @addr lies in. Return: 0, or -1 when it lies in none. */
static int replace_region(uintptr_t addr)
{
	uint32_t n = __atomic_load_n(&slots_used, __ATOMIC_ACQUIRE);
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct slot s = slot_read(&slots[i]);
		void *start = (void *)s.start;

		if (!s.mem || addr - s.start >= s.len)
			continue;
		/* First: another thread may read zeros as soon as they are there. */
		__atomic_store_n(&s.mem->lost, 1, __ATOMIC_SEQ_CST);
		if (mmap(start, s.len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != start)
			return -1;
		vs_mem_faults++;
		return 0;
	}
	return -1;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	/* Only the kernel's own fault reports carry an address (si_code > 0). */
	if (info->si_code <= 0 || replace_region((uintptr_t)info->si_addr)) {
		/* Returning to the faulting instruction would raise it again; one that was sent
		 * to us would be lost, hence the raise.
		 */
		(void)signal(sig, SIG_DFL);
		(void)raise(sig);
	}
	errno = saved;
}

int vs_sigbus_install(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = on_sigbus;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	(void)sigemptyset(&sa.sa_mask);
	return sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
}
