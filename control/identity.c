/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/identity.h"

#include "dataplane/core/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* Return: 0, or -errno, logged. */
static int find_group(const char *option, const char *name, gid_t *ret_gid)
{
	const struct group *group;
	int err;

	errno = 0;
	group = getgrnam(name);
	if (group) {
		*ret_gid = group->gr_gid;
		return 0;
	}
	err = errno ? -errno : -ENOENT;
	vs_log(VS_LOG_ERROR, "--%s: there is no group '%s'%s%s", option, name,
	       err == -ENOENT ? "" : ": ", err == -ENOENT ? "" : strerror(-err));
	return err;
}

static int find_user(const char *name, struct vs_identity *id)
{
	const struct passwd *pw;
	int err;

	errno = 0;
	pw = getpwnam(name);
	if (!pw) {
		err = errno ? -errno : -ENOENT;
		vs_log(VS_LOG_ERROR,
		       "--user: there is no user '%s'%s%s ('systemd-sysusers' makes it from "
		       "sysusers.d/vmswitch.conf)",
		       name, err == -ENOENT ? "" : ": ", err == -ENOENT ? "" : strerror(-err));
		return err;
	}
	id->user = name;
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	id->n_groups = VS_IDENTITY_GROUPS_MAX - 1; /* one is kept for @vm_group */
	if (getgrouplist(name, pw->pw_gid, id->group, &id->n_groups) < 0) {
		vs_log(VS_LOG_ERROR, "--user: user '%s' is in more than %d groups", name,
		       VS_IDENTITY_GROUPS_MAX - 1);
		return -E2BIG;
	}
	return 0;
}

static bool has_group(const struct vs_identity *id, gid_t gid)
{
	int i;

	for (i = 0; i < id->n_groups; i++) {
		if (id->group[i] == gid)
			return true;
	}
	return false;
}

int vs_identity_find(const char *user, const char *group, const char *vm_group,
		     struct vs_identity *ret_identity)
{
	struct vs_identity id = {
		.uid = geteuid(),
		.gid = getegid(),
		.vm_group = (gid_t)VS_IDENTITY_NO_GROUP,
	};
	int err = 0;

	if (user)
		err = find_user(user, &id);
	if (!err && group)
		err = find_group("group", group, &id.gid);
	if (!err && vm_group)
		err = find_group("vm-group", vm_group, &id.vm_group);
	if (err)
		return err;
	if (vm_group && !has_group(&id, id.vm_group))
		id.group[id.n_groups++] = id.vm_group;
	*ret_identity = id;
	return 0;
}
