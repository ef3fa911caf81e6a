/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder of the control socket, with what must be found again after a crash. */
#ifndef VS_CONTROL_RUNDIR_H
#define VS_CONTROL_RUNDIR_H

#include "control/identity.h"

/** vs_rundir_of() - the folder of @socket. Return: malloc'ed, or NULL: no memory. */
char *vs_rundir_of(const char *socket);

/**
 * vs_rundir_make() - make the folder of the default socket if it is not there
 *
 * /run is empty after a boot. Any other folder is the user's to make. Return: 0, or -errno, logged.
 */
int vs_rundir_make(const char *socket);

/**
 * vs_rundir_give() - root: let @who use the folder of @socket, now and after restarts
 *
 * The folder of the default socket becomes the user's, with what an earlier switch that ran as
 * root left in it; any other folder must be the user's already. In it there is a bpffs afterwards,
 * which only root can mount. Nothing is followed that the user could have put there.
 *
 * Return: 0, or -errno, logged.
 */
int vs_rundir_give(const char *socket, const struct vs_identity *who);

/**
 * vs_rundir_make_state() - make the folder of the default state file if it is not there
 * @who:	root gives it to them, with what an earlier switch that ran as root left in it, also
 *		when the folder was theirs before (then only regular files with a single name);
 *		NULL: nobody gets it
 *
 * A process that may not make it finds out when it opens the file. Return: 0, or -errno, logged.
 */
int vs_rundir_make_state(const char *folder, const struct vs_identity *who);

#endif
