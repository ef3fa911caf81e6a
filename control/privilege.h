/* SPDX-License-Identifier: BSD-3-Clause */
/* What the daemon may do once it runs; doc/security.md has the reason for each capability. */
#ifndef VS_CONTROL_PRIVILEGE_H
#define VS_CONTROL_PRIVILEGE_H

#include "control/identity.h"

/**
 * vs_privilege_drop() - become @who, with the named capabilities and no others, for good
 *
 * Call it while there is one thread: capabilities are each thread's own. A process that is not
 * root must be @who already (a service manager made it so) and keeps those of the named
 * capabilities that it has. Neither it nor a program that it executes can gain any again.
 *
 * Return: 0, or -errno, logged.
 */
int vs_privilege_drop(const struct vs_identity *who);

/** vs_privilege_may_mount() - does the calling thread have the right to mount? */
bool vs_privilege_may_mount(void);

#endif
