/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MODE = 0600,
	/** More than any configuration needs, and what is read into memory at once. */
	FILE_BYTES_MAX = 1 << 30,
};

static int name_beside(const struct vs_store_file *file, const char *suffix, char *name)
{
	int n = snprintf(name, PATH_MAX, "%s%s", file->path, suffix);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static void folder_of(const struct vs_store_file *file, char *name)
{
	const char *slash = strrchr(file->path, '/');

	if (slash)
		(void)snprintf(name, PATH_MAX, "%.*s/", (int)(slash - file->path), file->path);
	else
		(void)snprintf(name, PATH_MAX, ".");
}

/* ---- what may be written to ---- */

/* The owner of the folder may put there what he likes: his files may as well be his. */
static bool is_of_folder(const struct vs_store_file *file, const struct stat *st)
{
	char name[PATH_MAX];
	struct stat folder;

	folder_of(file, name);
	return stat(name, &folder) == 0 && folder.st_uid == st->st_uid;
}

/* How many of the names that compaction gives it, and may have left when it was killed, it has. */
static nlink_t count_own_names(const struct vs_store_file *file, const struct stat *st)
{
	static const char *const suffixes[] = {".old", ".keep"};
	char name[PATH_MAX];
	struct stat other;
	nlink_t n = 0;
	size_t i;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		n += name_beside(file, suffixes[i], name) == 0 && lstat(name, &other) == 0 &&
		     other.st_dev == st->st_dev && other.st_ino == st->st_ino;
	return n;
}

/*
 * What has the name may be a thing that somebody put there to have it written to.
 * Return: 0, or -errno with a reason that follows the name.
 */
static int check_ours(const struct vs_store_file *file, int fd, const char **ret_why)
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		*ret_why = "cannot be looked at";
		return -errno;
	}
	if (!S_ISREG(st.st_mode))
		*ret_why = "is no regular file";
	else if (st.st_nlink != 1 + count_own_names(file, &st))
		*ret_why = "has another name as well (a hard link)";
	else if (st.st_uid != geteuid() && !is_of_folder(file, &st))
		*ret_why = "belongs to another user";
	else
		return 0;
	return -EPERM;
}

/* ---- who may use it ---- */

static int say_owner(int fd, char *text, size_t size)
{
	char pid[16] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	(void)snprintf(text, size, "is in use by another vmswitchd%s%s", pid[0] ? ", process " : "",
		       pid);
	return -EBUSY;
}

static void note_owner(int fd)
{
	char pid[16];
	int n = snprintf(pid, sizeof(pid), "%d", (int)getpid());

	/* Only for the message of the one who comes second. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		return;
}

/* A file of its own: the state file itself is replaced by others. */
static int take_lock(struct vs_store_file *file, char *text, size_t size)
{
	char name[PATH_MAX];
	int err = name_beside(file, ".lock", name);
	const char *why;
	int fd = -1;

	if (!err)
		fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);

	if (fd < 0) {
		err = err ? err : -errno;
		(void)snprintf(text, size, "cannot be locked (%.200s): %s", name, strerror(-err));
		return err;
	}
	err = check_ours(file, fd, &why);
	if (err) {
		(void)snprintf(text, size, "cannot be locked: %.200s %s", name, why);
		(void)close(fd);
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		err = say_owner(fd, text, size);
		(void)close(fd);
		return err;
	}
	note_owner(fd);
	file->lock = fd;
	return 0;
}

/* ---- reading ---- */

static int read_all(int fd, void *data, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = pread(fd, (char *)data + have, len - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		have += (size_t)n;
	}
	return 0;
}

static int read_file(int fd, void **ret_data, size_t *ret_len)
{
	struct stat st;
	void *data;
	int err;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > FILE_BYTES_MAX)
		return -EFBIG;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	err = read_all(fd, data, (size_t)st.st_size);
	if (err) {
		free(data);
		return err;
	}
	*ret_data = data;
	*ret_len = (size_t)st.st_size;
	return 0;
}

int vs_store_file_read(const char *path, void **ret_data, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = read_file(fd, ret_data, ret_len);
	(void)close(fd);
	return err;
}

int vs_store_file_open(struct vs_store_file *file, const char *path, void **ret_data,
		       size_t *ret_len, char *ret_text, size_t text_size)
{
	const char *why = NULL;
	int err;

	*file = (struct vs_store_file){.path = path, .fd = -1, .lock = -1};
	*ret_data = NULL;
	*ret_len = 0;
	err = take_lock(file, ret_text, text_size);
	if (err)
		return err;
	file->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (file->fd >= 0)
		err = check_ours(file, file->fd, &why);
	else if (errno != ENOENT)
		err = -errno;
	if (!err && file->fd >= 0)
		err = read_file(file->fd, ret_data, ret_len);
	if (err) {
		(void)snprintf(ret_text, text_size, "cannot be %s%s",
			       why ? "used: it " : "read: ", why ? why : strerror(-err));
		vs_store_file_close(file);
	}
	file->size = *ret_len;
	return err;
}

void vs_store_file_close(struct vs_store_file *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	if (file->lock >= 0)
		(void)close(file->lock);
	file->fd = -1;
	file->lock = -1;
}

/* ---- writing ---- */

static int write_all(int fd, const void *data, size_t len, uint64_t at)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)data + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		done += (size_t)n;
	}
	return 0;
}

int vs_store_file_cut(struct vs_store_file *file, uint64_t size)
{
	if (ftruncate(file->fd, (off_t)size) != 0 || fsync(file->fd) != 0)
		return -errno;
	file->size = size;
	return 0;
}

int vs_store_file_append(struct vs_store_file *file, const void *data, size_t len)
{
	int err = write_all(file->fd, data, len, file->size);

	if (!err && fdatasync(file->fd) != 0)
		err = -errno;
	if (!err) {
		file->size += len;
		return 0;
	}
	/* Whoever reads it next must not take what was refused for something that happened. */
	if (vs_store_file_cut(file, file->size) != 0)
		file->suspect = true;
	return err;
}

static int sync_folder(const struct vs_store_file *file)
{
	char name[PATH_MAX];
	int err = 0;
	int fd;

	folder_of(file, name);
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0)
		err = -errno;
	(void)close(fd);
	return err;
}

/* The file that is there gets a second name, under which it stays when it is replaced. */
static int keep_old(const struct vs_store_file *file)
{
	char name[PATH_MAX];
	char between[PATH_MAX];
	int err = name_beside(file, ".old", name);

	if (!err)
		err = name_beside(file, ".keep", between);
	if (err)
		return err;
	if (unlink(between) != 0 && errno != ENOENT)
		return -errno;
	if (link(file->path, between) != 0)
		return errno == ENOENT ? 0 : -errno;
	return rename(between, name) != 0 ? -errno : 0;
}

static int make_new(const char *name, const struct vs_store_bytes *part, unsigned int n,
		    int *ret_fd, uint64_t *ret_size)
{
	uint64_t size = 0;
	unsigned int i;
	int err = 0;
	int fd;

	/* One that a killed daemon left is not written to: it might have another name, too. */
	if (unlink(name) != 0 && errno != ENOENT)
		return -errno;
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0)
		return -errno;
	for (i = 0; i < n && err == 0; i++) {
		err = write_all(fd, part[i].data, part[i].len, size);
		size += part[i].len;
	}
	if (!err && fsync(fd) != 0)
		err = -errno;
	if (err) {
		(void)close(fd);
		(void)unlink(name);
		return err;
	}
	*ret_fd = fd;
	*ret_size = size;
	return 0;
}

int vs_store_file_replace(struct vs_store_file *file, const struct vs_store_bytes *part,
			  unsigned int n)
{
	char name[PATH_MAX];
	int err = name_beside(file, ".new", name);
	uint64_t size = 0;
	int fd = -1;

	if (!err)
		err = make_new(name, part, n, &fd, &size);
	if (err)
		return err;
	err = keep_old(file);
	if (!err && rename(name, file->path) != 0)
		err = -errno;
	if (err) {
		(void)close(fd);
		(void)unlink(name);
		return err;
	}
	if (file->fd >= 0)
		(void)close(file->fd);
	file->fd = fd;
	file->size = size;
	/* It has its name, but not for sure: what is added to it might be lost with that name. */
	err = sync_folder(file);
	file->suspect = err != 0;
	return err;
}
