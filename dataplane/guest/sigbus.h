/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Surviving the loss of guest memory.
 *
 * DOC: theory of operation
 *
 * A VMM can truncate the file behind its guest's memory at any time, and a sparse hugetlb file
 * may find no page when it is first touched. Both raise SIGBUS in whoever touches the memory:
 * a worker in the middle of a copy, or control when it starts a ring.
 *
 * The handler looks the faulting address up in a table of all mapped regions and puts anonymous
 * memory in place of the *whole* region (a page inside a hugetlb mapping cannot be replaced),
 * marks the memory table as lost, counts one for this thread in vs_mem_faults and returns; the
 * copy then goes on over zeros. The ring code looks at vs_mem_faults before it publishes
 * anything, and at vs_mem.lost before it uses a ring. A SIGBUS that is not about a region gets
 * the default action.
 *
 * The table is lock-free: control writes slots, under a sequence number per slot; a handler that
 * finds a slot changing reads it again. The slot that a faulting address belongs to cannot
 * change meanwhile: control unregisters and unmaps a region only after a grace period in which
 * every worker let go of it, and control's own faults happen in its own thread.
 *
 * Two threads may fault in one region at once: each replaces it, and what the slower one throws
 * away are zeros, or bytes that nobody will publish.
 *
 * mmap() is not on POSIX's list of async-signal-safe functions; on Linux it is one system call
 * without state in the C library.
 */
#ifndef VS_GUEST_SIGBUS_H
#define VS_GUEST_SIGBUS_H

#include "dataplane/guest/guest.h"
#include "dataplane/guest/mem.h"

/**
 * vs_sigbus_add() - make a region of @mem known to the handler
 * @map:	start of the mapping, replaced as a whole
 * @len:	bytes
 * @mem:	table whose @lost is set
 *
 * Control thread only.
 *
 * Return: the slot, for vs_sigbus_remove(), or -ENOSPC.
 */
int vs_sigbus_add(void *map, size_t len, struct vs_mem *mem);

/** vs_sigbus_remove() - forget a region; before it is unmapped, after a grace period. */
void vs_sigbus_remove(int slot);

#endif
