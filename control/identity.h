/* SPDX-License-Identifier: BSD-3-Clause */
/* As whom the daemon runs: names of the command line made numbers, before anything else. */
#ifndef VS_CONTROL_IDENTITY_H
#define VS_CONTROL_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

enum {
	VS_IDENTITY_GROUPS_MAX = 64,
	/** No group: files get that of the process. */
	VS_IDENTITY_NO_GROUP = -1,
};

/**
 * struct vs_identity - a user, its groups, and the group of sockets for VMMs
 * @user:	name of the user (argv's); NULL: whoever started the daemon
 * @uid:	its number
 * @gid:	group of the process, and of the control socket
 * @group:	all groups of the process, @vm_group among them
 * @n_groups:	how many
 * @vm_group:	of the sockets that guest ports listen on, or VS_IDENTITY_NO_GROUP
 */
struct vs_identity {
	const char *user;
	uid_t uid;
	gid_t gid;
	gid_t group[VS_IDENTITY_GROUPS_MAX];
	int n_groups;
	gid_t vm_group;
};

/**
 * vs_identity_find() - look the names up
 * @user:	or NULL: the calling process
 * @group:	or NULL: the first one of @user; only with @user
 * @vm_group:	or NULL: none
 *
 * Return: 0; -ENOENT when there is no such user or group, -E2BIG, or what the lookup says; logged.
 */
int vs_identity_find(const char *user, const char *group, const char *vm_group,
		     struct vs_identity *ret_identity);

#endif
