/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the pins of an uplink are: in a bpffs that a run folder has of its own, or the system's. */
#ifndef VS_UPLINK_XDP_PIN_H
#define VS_UPLINK_XDP_PIN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/** vs_xpin_find() - folder of the pins of an interface, made or not. Return: 0, or -errno. */
int vs_xpin_find(const char *rundir, uint32_t ifindex, char dir[PATH_MAX]);

/**
 * vs_xpin_make() - make that folder, and mount the bpffs if there is none.
 * Return: 0, or -errno.
 */
int vs_xpin_make(const char *rundir, uint32_t ifindex, char dir[PATH_MAX]);

/** vs_xpin_path() - path of one pin. Return: 0, or -ENAMETOOLONG. */
int vs_xpin_path(const char *dir, const char *name, char path[PATH_MAX]);

/** vs_xpin_remove() - remove a folder of pins and what is in it. */
void vs_xpin_remove(const char *dir);

/** vs_xpin_leave() - unmount the bpffs of the run folder if nothing is in it any more. */
void vs_xpin_leave(const char *rundir);

#endif
