/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rundir.h"

#include "control/proto.h"
#include "dataplane/core/log.h"
#include "dataplane/uplink/uplink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_default(const char *socket)
{
	return strcmp(socket, VS_SOCKET_DEFAULT) == 0;
}

char *vs_rundir_of(const char *socket)
{
	const char *slash = strrchr(socket, '/');
	size_t len = slash ? (size_t)(slash - socket) : 0;

	return slash ? strndup(socket, len ? len : 1) : strdup(".");
}

int vs_rundir_make(const char *socket)
{
	char *folder;
	int err;

	if (!is_default(socket))
		return 0;
	folder = vs_rundir_of(socket);
	if (!folder)
		return -ENOMEM;
	err = mkdir(folder, 0755) == 0 || errno == EEXIST ? 0 : -errno;
	if (err)
		vs_log(VS_LOG_ERROR,
		       "cannot make %s: %s; run vmswitchd as root, or name a socket elsewhere "
		       "with --socket",
		       folder, strerror(-err));
	free(folder);
	return err;
}

/* Root's folder becomes the user's, its content first: then nobody else can have changed it. */
static int give_folder(int dir, const char *socket, const struct vs_identity *who)
{
	struct stat st;
	int err;

	if (fstat(dir, &st) != 0)
		return -errno;
	if (st.st_uid == who->uid)
		return 0;
	if (!is_default(socket) || st.st_uid != 0)
		return -EPERM;
	err = vs_uplink_give_files(dir, who->uid, who->gid);
	if (!err && fchown(dir, who->uid, who->gid) != 0)
		err = -errno;
	return err;
}

int vs_rundir_give(const char *socket, const struct vs_identity *who)
{
	char *folder = vs_rundir_of(socket);
	int err;
	int dir;

	if (!folder)
		return -ENOMEM;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = dir < 0 ? -errno : give_folder(dir, socket, who);
	if (err)
		vs_log(VS_LOG_ERROR, "user %s cannot have the folder %s: %s%s", who->user, folder,
		       strerror(-err), err == -EPERM ? " (make the user its owner)" : "");
	/* Without it there are uplinks, too, but a restart interrupts them. */
	if (!err && vs_uplink_give_pins(dir, who->uid, who->gid) != 0)
		vs_log(VS_LOG_WARNING,
		       "no bpffs can be mounted in %s: a restart of the switch will interrupt "
		       "xdp uplinks",
		       folder);
	if (dir >= 0)
		(void)close(dir);
	free(folder);
	return err;
}

/* The files in a folder of root's become the user's. */
static int give_files(int dir, const struct vs_identity *who)
{
	const struct dirent *entry;
	DIR *list = fdopendir(dup(dir));
	int err = 0;

	if (!list)
		return -errno;
	while (!err && (entry = readdir(list)) != NULL) {
		if (entry->d_type == DT_REG &&
		    fchownat(dir, entry->d_name, who->uid, who->gid, AT_SYMLINK_NOFOLLOW) != 0)
			err = -errno;
	}
	(void)closedir(list);
	return err;
}

/*
 * One of root's files in a folder of the user's. By its descriptor, as the user may put another
 * in its place; and only a file with a single name: with a second one it may be one of root's
 * from elsewhere that the user has linked to.
 */
static int give_file_back(int dir, const char *name, const struct vs_identity *who)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int err;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	err = fstat(fd, &st) ? -errno : 0;
	if (!err && S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1 &&
	    fchownat(fd, "", who->uid, who->gid, AT_EMPTY_PATH) != 0)
		err = -errno;
	(void)close(fd);
	return err;
}

/* A switch that ran as root has made files in a folder that was the user's already. */
static int give_files_back(int dir, const struct vs_identity *who)
{
	const struct dirent *entry;
	DIR *list = fdopendir(dup(dir));
	int err = 0;

	if (!list)
		return -errno;
	while (!err && (entry = readdir(list)) != NULL)
		err = give_file_back(dir, entry->d_name, who);
	(void)closedir(list);
	return err;
}

/* Root's folder: its content first, then nobody else can have changed it. */
static int give_state(const char *folder, const struct vs_identity *who)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int err;

	if (dir < 0)
		return -errno;
	err = fstat(dir, &st) ? -errno : 0;
	if (!err && st.st_uid == who->uid) {
		err = give_files_back(dir, who);
	} else if (!err) {
		err = st.st_uid == 0 ? give_files(dir, who) : -EPERM;
		if (!err && fchown(dir, who->uid, who->gid) != 0)
			err = -errno;
	}
	(void)close(dir);
	return err;
}

int vs_rundir_make_state(const char *folder, const struct vs_identity *who)
{
	int err = 0;

	(void)mkdir(folder, 0750);
	if (who && geteuid() == 0)
		err = give_state(folder, who);
	if (err)
		vs_log(VS_LOG_ERROR, "user %s cannot have the folder %s: %s", who->user, folder,
		       strerror(-err));
	return err;
}
