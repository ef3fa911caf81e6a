/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the pins of an uplink are. */
#include "dataplane/uplink/xdp_pin.h"

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

static const char system_root[] = "/sys/fs/bpf";

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* The system's bpffs may serve several switches: each has a folder that its run folder names. */
static int root_of(const char *rundir, char root[PATH_MAX])
{
	int n = snprintf(root, PATH_MAX, "%s/bpf", rundir);
	struct stat st;

	if (n < 0 || n >= PATH_MAX - 32)
		return -ENAMETOOLONG;
	if (is_bpffs(root))
		return 0;
	if (!is_bpffs(system_root))
		return -ENOENT;
	if (stat(rundir, &st) != 0)
		return -errno;
	(void)snprintf(root, PATH_MAX, "%s/vmswitch-%lx-%lx", system_root, (unsigned long)st.st_dev,
		       (unsigned long)st.st_ino);
	return 0;
}

int vs_xpin_find(const char *rundir, uint32_t ifindex, char dir[PATH_MAX])
{
	char root[PATH_MAX];
	int err = root_of(rundir, root);
	int n;

	if (err)
		return err;
	n = snprintf(dir, PATH_MAX, "%s/if%u", root, ifindex);
	return n < 0 || n >= PATH_MAX - 32 ? -ENAMETOOLONG : 0;
}

static int make_folder(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

/* Mount a bpffs in the run folder, if it has none. */
static int mount_own(const char *rundir)
{
	char root[PATH_MAX];
	int n = snprintf(root, sizeof(root), "%s/bpf", rundir);
	int err;

	if (n < 0 || (size_t)n >= sizeof(root))
		return -ENAMETOOLONG;
	if (is_bpffs(root))
		return 0;
	err = make_folder(root);
	if (err)
		return err;
	if (mount("bpf", root, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
		return 0;
	err = -errno;
	(void)rmdir(root);
	return err;
}

int vs_xpin_make(const char *rundir, uint32_t ifindex, char dir[PATH_MAX])
{
	int mounted = mount_own(rundir);
	char root[PATH_MAX];
	int err = root_of(rundir, root);

	if (!err)
		err = make_folder(root);
	if (!err)
		err = vs_xpin_find(rundir, ifindex, dir);
	if (!err)
		err = make_folder(dir);
	return err && mounted ? mounted : err;
}

int vs_xpin_path(const char *dir, const char *name, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

void vs_xpin_remove(const char *dir)
{
	/* Not through a link: root may clean up in the folder of another user. */
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *open_dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!open_dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((entry = readdir(open_dir)) != NULL) {
		if (entry->d_name[0] != '.')
			(void)unlinkat(fd, entry->d_name, 0);
	}
	(void)closedir(open_dir);
	(void)rmdir(dir);
}

void vs_xpin_leave(const char *rundir)
{
	const struct dirent *entry;
	char root[PATH_MAX];
	bool empty = true;
	struct stat st;
	DIR *dir;

	if (root_of(rundir, root) != 0)
		return;
	/* The mount is not ours. */
	if (strncmp(root, system_root, strlen(system_root)) == 0) {
		(void)rmdir(root);
		return;
	}
	/*
	 * One that was given to a user (vs_uplink_give_pins()) stays: he could not mount it again.
	 */
	if (stat(root, &st) != 0 || st.st_uid != 0)
		return;
	dir = opendir(root);
	if (!dir)
		return;
	/* A bpffs is never quite empty: the kernel has files of its own in it. */
	while (empty && (entry = readdir(dir)) != NULL)
		empty = strncmp(entry->d_name, "if", 2) != 0;
	(void)closedir(dir);
	if (empty && umount2(root, UMOUNT_NOFOLLOW) == 0)
		(void)rmdir(root);
}
