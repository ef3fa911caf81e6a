/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state file on its disk: who may use it, adding to it, replacing it. What it holds is not
 * looked at here. Private to the store.
 */
#ifndef VS_CONTROL_STORE_FILE_H
#define VS_CONTROL_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct vs_store_file - an open state file
 * @path:	as the user gave it; not owned
 * @fd:		-1: there is no file yet
 * @lock:	of FILE.lock; it is held as long as this is open
 * @size:	bytes that are durable
 * @suspect:	what lies behind @size could not be taken back: only replacing the file helps
 */
struct vs_store_file {
	const char *path;
	int fd;
	int lock;
	uint64_t size;
	bool suspect;
};

/**
 * vs_store_file_open() - lock the file, open it, and read all of it
 * @ret_data:	malloc'ed; NULL: there is no such file
 * @ret_text:	what is wrong, without the name of the file
 *
 * Return: 0; -EBUSY another process has it; -EPERM one of the two is no regular file, has a name
 * elsewhere or another owner; -EFBIG; -ENOMEM; what the system said.
 */
int vs_store_file_open(struct vs_store_file *file, const char *path, void **ret_data,
		       size_t *ret_len, char *ret_text, size_t text_size);

/** vs_store_file_close() - and let go of the lock. */
void vs_store_file_close(struct vs_store_file *file);

/** vs_store_file_cut() - what lies behind @size is a torn tail: remove it. Return: 0 or -errno. */
int vs_store_file_cut(struct vs_store_file *file, uint64_t size);

/**
 * vs_store_file_append() - add to the end, durably
 *
 * An error leaves the file as it was, or @suspect. Return: 0 or -errno.
 */
int vs_store_file_append(struct vs_store_file *file, const void *data, size_t len);

/** struct vs_store_bytes - a part of a new file */
struct vs_store_bytes {
	const void *data;
	size_t len;
};

/**
 * vs_store_file_replace() - a new file in place of this one, durably
 * @part:	@n of them, one behind the other
 *
 * The old one becomes FILE.old. At every moment one of them is there, and whole.
 * Return: 0, or -errno: the old one is used still, or, if @suspect, the new one, which may lose its
 * name when the machine stops.
 */
int vs_store_file_replace(struct vs_store_file *file, const struct vs_store_bytes *part,
			  unsigned int n);

/** vs_store_file_read() - all of a file, without a lock. Return: 0 or -errno. */
int vs_store_file_read(const char *path, void **ret_data, size_t *ret_len);

#endif
