/* SPDX-License-Identifier: BSD-3-Clause */
/* The system calls that the daemon may make; doc/security.md has the reason for each group. */
#ifndef VS_CONTROL_SECCOMP_H
#define VS_CONTROL_SECCOMP_H

/** Whether the daemon has kept the right to mount a bpffs for its pins. */
enum vs_seccomp_mount {
	VS_SECCOMP_NO_MOUNT,
	VS_SECCOMP_MOUNT,
};

/**
 * vs_seccomp_install() - from now on refuse all system calls that are not on the list
 *
 * For the calling thread and all that it makes, for good: call it while there is one. A call that
 * is refused fails with EPERM, and each number is named once on standard error.
 *
 * Return: 0, or -errno, logged.
 */
int vs_seccomp_install(enum vs_seccomp_mount mount);

#endif
