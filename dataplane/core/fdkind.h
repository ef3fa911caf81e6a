/* SPDX-License-Identifier: BSD-3-Clause */
/* What a descriptor that somebody sent us is, found out without asking anybody but the kernel. */
#ifndef VS_CORE_FDKIND_H
#define VS_CORE_FDKIND_H

#include <stdbool.h>

/**
 * vs_fd_is_eventfd() - an eventfd: any number of writes, no signal, and its close() never waits.
 */
bool vs_fd_is_eventfd(int fd);

/** vs_fd_is_memory_file() - a memfd, or a file on tmpfs or hugetlbfs: only these have seals. */
bool vs_fd_is_memory_file(int fd);

#endif
