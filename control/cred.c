/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cred.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Is the peer of @fd a member of @gid by one of its further groups? */
static bool in_group(int fd, gid_t gid)
{
	socklen_t len = 0;
	bool found = false;
	gid_t *groups;
	size_t i;

	/* asked for no room, it says how much there must be */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return false;
	groups = malloc(len);
	if (!groups)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0) {
		for (i = 0; i < len / sizeof(*groups); i++)
			found |= groups[i] == gid;
	}
	free(groups);
	return found;
}

void vs_cred_find(int fd, gid_t gid, struct vs_cred *ret_peer)
{
	struct vs_cred peer = {.uid = (uid_t)-1, .gid = gid, .rank = VS_RANK_OTHER};
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
		peer.uid = cred.uid;
		peer.pid = cred.pid;
		if (cred.uid == 0 || cred.uid == geteuid())
			peer.rank = VS_RANK_ROOT;
		else if (cred.gid == gid || in_group(fd, gid))
			peer.rank = VS_RANK_GROUP;
	}
	*ret_peer = peer;
}

enum vs_rights vs_cred_rights(const struct vs_cred *peer)
{
	return peer->rank == VS_RANK_OTHER ? VS_RIGHTS_READ : VS_RIGHTS_ALL;
}

bool vs_cred_may(const struct vs_cred *peer, unsigned int cmd)
{
	if (vs_cred_rights(peer) == VS_RIGHTS_ALL)
		return true;
	switch (cmd) {
	case VS_CMD_HELLO:
	case VS_CMD_SWITCH_GET:
	case VS_CMD_PORT_GET:
	case VS_CMD_FDB_GET:
	case VS_CMD_STATS_GET:
	case VS_CMD_DROP_GET:
	case VS_CMD_WORKER_GET:
	case VS_CMD_MTU_GET:
	case VS_CMD_OFFLOAD_GET:
	case VS_CMD_VMQ_GET:
	case VS_CMD_QUEUE_GET:
	case VS_CMD_CONFIG_GET:
	case VS_CMD_STATE_GET:
	case VS_CMD_SUBSCRIBE:
		return true;
	default:
		/* AUDIT_GET too: it stops every worker for a moment */
		return false;
	}
}

void vs_cred_refuse(const struct vs_cred *peer, const char *name, struct vs_refusal *ret_refusal)
{
	*ret_refusal = (struct vs_refusal){.error = -EPERM};
	(void)snprintf(ret_refusal->text, sizeof(ret_refusal->text),
		       "%s: user %u may look, but not do this: be root, the user of vmswitchd or a "
		       "member of group %u",
		       name, peer->uid, peer->gid);
}
