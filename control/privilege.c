/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * A daemon that root starts does what only root may do first (control/rundir.h), then comes here.
 * The user changes with all groups in one go, the named capabilities are carried over
 * (PR_SET_KEEPCAPS, inside of libcap-ng), and the bounding set is emptied, so that nothing that
 * this process executes has any. A service manager that starts the daemon as its user, with the
 * capabilities in the ambient set, leaves less to do: what is too much is dropped, and the ambient
 * set emptied, so that no program inherits them.
 *
 * No new privileges (prctl(2)) in both cases: a set-user-ID program gains none either.
 */
#include "control/privilege.h"

#include "dataplane/core/log.h"

#include <cap-ng.h>

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	TEXT_MAX = 128,
};

/* doc/security.md says what for. A capability that is not here is gone. */
static const unsigned int needed[] = {
	CAP_NET_ADMIN,
	CAP_NET_RAW,
	CAP_BPF,
	CAP_IPC_LOCK,
};

/* Have libcap-ng keep what is needed and there. Fill in @text with the names. */
static void select_needed(char text[TEXT_MAX])
{
	bool have[sizeof(needed) / sizeof(needed[0])];
	size_t used = 0;
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		have[i] = capng_have_capability(CAPNG_PERMITTED, needed[i]) == 1;
	capng_clear(CAPNG_SELECT_ALL);
	text[0] = '\0';
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		const char *name = capng_capability_to_name(needed[i]);

		if (!have[i])
			continue;
		(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, needed[i]);
		used += (size_t)snprintf(text + used, TEXT_MAX - used, "%s%s", used ? " " : "",
					 name ? name : "?");
	}
}

static int check_groups(const struct vs_identity *who)
{
	gid_t has[VS_IDENTITY_GROUPS_MAX];
	int n = getgroups(VS_IDENTITY_GROUPS_MAX, has);
	int i;

	if (who->vm_group == (gid_t)VS_IDENTITY_NO_GROUP || who->vm_group == getegid())
		return 0;
	for (i = 0; i < n; i++) {
		if (has[i] == who->vm_group)
			return 0;
	}
	vs_log(VS_LOG_ERROR,
	       "--vm-group: the process is not in group %u: start it as root, or in that group "
	       "(SupplementaryGroups= of systemd)",
	       who->vm_group);
	return -EPERM;
}

/* Somebody else has made the process what it must be. */
static int keep_user(const struct vs_identity *who)
{
	if (who->uid != geteuid() || who->uid != getuid() || who->gid != getegid()) {
		vs_log(VS_LOG_ERROR, "--user %s: only root can become another user or group",
		       who->user);
		return -EPERM;
	}
	/* The bounding set is then the service manager's business; SETPCAP is not needed. */
	if (capng_apply(CAPNG_SELECT_CAPS) != 0 || capng_apply(CAPNG_SELECT_AMBIENT) != 0)
		return -EPERM;
	return check_groups(who);
}

static int change_user(const struct vs_identity *who)
{
	if (setgroups((size_t)who->n_groups, who->group) != 0)
		return -errno;
	return capng_change_id((int)who->uid, (int)who->gid,
			       (capng_flags_t)(CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT)) == 0
		       ? 0
		       : -EPERM;
}

int vs_privilege_drop(const struct vs_identity *who)
{
	char kept[TEXT_MAX];
	int death_signal = 0;
	int err;

	/* A change of the user makes the kernel forget it. */
	(void)prctl(PR_GET_PDEATHSIG, &death_signal);
	if (capng_get_caps_process() != 0) {
		vs_log(VS_LOG_ERROR, "cannot read the capabilities of the process");
		return -EIO;
	}
	select_needed(kept);
	err = geteuid() == 0 ? change_user(who) : keep_user(who);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1ul, 0ul, 0ul, 0ul) != 0)
		err = -errno;
	if (!err && death_signal && prctl(PR_SET_PDEATHSIG, (unsigned long)death_signal) != 0)
		err = -errno;
	if (err) {
		vs_log(VS_LOG_ERROR, "cannot run as user %s: %s", who->user, strerror(-err));
		return err;
	}
	vs_log(VS_LOG_INFO, "runs as user %s with the capabilities: %s", who->user,
	       kept[0] ? kept : "none");
	return 0;
}

bool vs_privilege_may_mount(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) == 1;
}
