/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/fdkind.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool vs_fd_is_eventfd(int fd)
{
	static const char wanted[] = "anon_inode:[eventfd]";
	char path[40];
	char link[40];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link));
	return n == (ssize_t)strlen(wanted) && !memcmp(link, wanted, strlen(wanted));
}

bool vs_fd_is_memory_file(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}
