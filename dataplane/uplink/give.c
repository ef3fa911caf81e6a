/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The run folder of a switch that drops privileges: what root does for it before.
 *
 * The user of the folder may put links in it, so each step goes from the descriptor of one folder
 * to a name in it, and follows no link.
 */
#include "dataplane/uplink/uplink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static const char pins[] = "bpf";

static int give_one(int dir, const char *name, uid_t uid, gid_t gid)
{
	return fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

/* Descriptor of the folder @name in @dir, or -errno. */
static int open_folder(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Call @visit for each name in @dir that begins with @prefix, until one fails. */
static int each(int dir, const char *prefix,
		int (*visit)(int dir, const char *name, uid_t uid, gid_t gid), uid_t uid, gid_t gid)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	int err = 0;
	DIR *d;

	if (copy < 0)
		return -errno;
	d = fdopendir(copy);
	if (!d) {
		err = -errno;
		(void)close(copy);
		return err;
	}
	while (!err && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			err = visit(copy, entry->d_name, uid, gid);
	}
	(void)closedir(d);
	return err;
}

/* The folder of one uplink, and its pins. */
static int give_uplink(int dir, const char *name, uid_t uid, gid_t gid)
{
	int fd = open_folder(dir, name);
	int err;

	if (fd < 0)
		return fd;
	err = each(fd, "", give_one, uid, gid);
	(void)close(fd);
	return err ? err : give_one(dir, name, uid, gid);
}

static bool is_bpffs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

int vs_uplink_give_files(int dir, uid_t uid, gid_t gid)
{
	int err = each(dir, "uplink-", give_one, uid, gid);
	int fd;

	if (err)
		return err;
	fd = open_folder(dir, pins);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (is_bpffs(fd))
		err = each(fd, "if", give_uplink, uid, gid);
	(void)close(fd);
	return err;
}

/* Mount a bpffs on the folder behind @fd. Return: 0, or -errno. */
static int mount_on(int fd)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0
		       ? 0
		       : -errno;
}

int vs_uplink_give_pins(int dir, uid_t uid, gid_t gid)
{
	int fd;
	int err;

	if (mkdirat(dir, pins, 0700) != 0 && errno != EEXIST)
		return -errno;
	fd = open_folder(dir, pins);
	if (fd >= 0 && !is_bpffs(fd)) {
		err = mount_on(fd);
		(void)close(fd);
		/* What is there now is the root of the new mount. */
		fd = err ? err : open_folder(dir, pins);
	}
	if (fd < 0)
		return fd;
	err = is_bpffs(fd) ? 0 : -ENOENT;
	if (!err && fchown(fd, uid, gid) != 0)
		err = -errno;
	(void)close(fd);
	return err;
}
