/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/uplink/saved.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TEXT_MAX = 512,
};

static const char prefix[] = "uplink-";

static int read_text(int fd, char text[TEXT_MAX])
{
	ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

/* Fill in @saved from its file. Return: 1, 0 there is nothing of use in it, or -errno. */
static int parse(struct vs_saved *saved)
{
	struct vs_saved got = *saved;
	unsigned int clsact;
	unsigned int up;
	char text[TEXT_MAX];
	int end = 0;
	int err;

	err = read_text(saved->fd, text);
	if (err)
		return err;
	if (sscanf(text, "vmswitch-uplink 1 %15s index %u up %u clsact %u on %x changed %x end%n",
		   got.ifname, &got.ifindex, &up, &clsact, &got.features_on, &got.changed,
		   &end) != 6 ||
	    end == 0 || text[end] != '\n' || got.ifindex != saved->ifindex)
		return 0;
	got.up = up != 0;
	got.clsact = clsact != 0;
	*saved = got;
	return 1;
}

/*
 * Written by this user, and by nobody else: the folder may be one that others write to. Root takes
 * what the owner of the folder wrote, too: a switch that has dropped its privileges.
 */
static bool is_ours(const struct stat *st, uid_t folder)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && !(st->st_mode & 022) &&
	       (st->st_uid == geteuid() || (geteuid() == 0 && st->st_uid == folder));
}

/* Open, lock, and make sure that the locked file is the one of that name. Return: 0, or -errno. */
static int lock(struct vs_saved *saved, uid_t folder, enum vs_saved_open how)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (how == VS_SAVED_MAKE ? O_CREAT : 0);
	struct stat locked;
	struct stat named;
	int err = -EBUSY;
	int try;

	/* Its owner may remove it between the two steps; a few tries are plenty. */
	for (try = 0; try < 3; try++) {
		saved->fd = open(saved->path, flags, 0600);
		if (saved->fd < 0)
			return -errno;
		if (fstat(saved->fd, &locked) != 0 || !is_ours(&locked, folder)) {
			vs_saved_close(saved);
			return -EPERM;
		}
		if (flock(saved->fd, LOCK_EX | LOCK_NB) != 0)
			err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		else if (fstat(saved->fd, &locked) == 0 && stat(saved->path, &named) == 0 &&
			 locked.st_ino == named.st_ino)
			return 0;
		vs_saved_close(saved);
	}
	return err;
}

int vs_saved_open(const char *rundir, const char *ifname, uint32_t ifindex, enum vs_saved_open how,
		  struct vs_saved *ret_saved)
{
	struct vs_saved saved = {.fd = -1, .ifindex = ifindex};
	int n = snprintf(saved.path, sizeof(saved.path), "%s/%s%u", rundir, prefix, ifindex);
	struct stat folder;
	int err;

	if (n < 0 || (size_t)n >= sizeof(saved.path))
		return -ENAMETOOLONG;
	if (stat(rundir, &folder) != 0)
		return -errno;
	err = lock(&saved, folder.st_uid, how);
	if (err)
		return err;
	err = parse(&saved);
	if (err < 0) {
		vs_saved_close(&saved);
		return err;
	}
	saved.leftover = err == 1;
	if (ifname) {
		if (strcmp(saved.ifname, ifname) != 0)
			saved.leftover = false;
		(void)snprintf(saved.ifname, sizeof(saved.ifname), "%s", ifname);
	}
	*ret_saved = saved;
	return 0;
}

/*
 * One short line, written in place, under the lock: it goes to the page cache in one step, and the
 * end mark tells a line that is whole.
 */
int vs_saved_write(const struct vs_saved *saved)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text),
			 "vmswitch-uplink 1 %s index %u up %u clsact %u on %x changed %x end\n",
			 saved->ifname, saved->ifindex, saved->up, saved->clsact,
			 saved->features_on, saved->changed);

	if (n < 0 || (size_t)n >= sizeof(text))
		return -EINVAL;
	if (pwrite(saved->fd, text, (size_t)n, 0) != n || ftruncate(saved->fd, n) != 0 ||
	    fsync(saved->fd) != 0)
		return errno ? -errno : -EIO;
	return 0;
}

void vs_saved_close(struct vs_saved *saved)
{
	if (saved->fd >= 0)
		(void)close(saved->fd);
	saved->fd = -1;
}

void vs_saved_remove(struct vs_saved *saved)
{
	if (saved->fd >= 0)
		(void)unlink(saved->path);
	vs_saved_close(saved);
}

/* Interface index of a file name, or 0. */
static uint32_t index_of(const char *name)
{
	size_t skip = strlen(prefix);
	char *end;
	unsigned long index;

	if (strncmp(name, prefix, skip) != 0 || name[skip] < '1' || name[skip] > '9')
		return 0;
	index = strtoul(name + skip, &end, 10);
	return *end || index > INT32_MAX ? 0 : (uint32_t)index;
}

int vs_saved_each(const char *rundir, int (*visit)(struct vs_saved *saved, void *ctx), void *ctx)
{
	DIR *dir = opendir(rundir);
	const struct dirent *entry;
	struct vs_saved saved;
	int failed = 0;
	int n = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)) != NULL) {
		uint32_t index = index_of(entry->d_name);
		int err;

		if (!index)
			continue;
		err = vs_saved_open(rundir, NULL, index, VS_SAVED_EXISTING, &saved);
		if (err == -EBUSY || err == -ENOENT)
			continue;
		if (!err) {
			err = visit(&saved, ctx);
			vs_saved_close(&saved);
			n++;
		}
		if (err < 0 && !failed)
			failed = err;
	}
	(void)closedir(dir);
	return failed ? failed : n;
}
