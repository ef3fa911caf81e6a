/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an interface was like before the switch took it, in a file of the run folder.
 *
 * DOC: theory of operation
 *
 * The file RUNDIR/uplink-IFINDEX is written before the first change and removed after the last
 * thing was put back. Its owner holds a lock on it (flock), which the kernel takes away with the
 * process: a file that nobody has locked is a leftover of a switch that was killed. A new switch
 * that takes the same interface goes on with the values in the file, since what the interface is
 * like now is what the dead one made of it.
 */
#ifndef VS_UPLINK_SAVED_H
#define VS_UPLINK_SAVED_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/** struct vs_saved - the file, locked, and what is in it */
struct vs_saved {
	int fd; /* -1: not open */
	char path[PATH_MAX];
	bool leftover; /* it was there before, without an owner */

	/* What is written. */
	char ifname[IFNAMSIZ];
	uint32_t ifindex;
	bool up;              /* the interface was */
	bool clsact;          /* it had a queueing discipline for filters */
	uint32_t features_on; /* bit per enum vs_nic_feature, before any was changed */
	uint32_t changed;     /* bit per enum vs_nic_feature that was changed */
};

/** Does opening a file that is not there make it? */
enum vs_saved_open {
	VS_SAVED_EXISTING,
	VS_SAVED_MAKE,
};

/**
 * vs_saved_open() - open and lock the file of an interface
 *
 * A file that is no such file, or of an interface that had the same index before, counts as empty.
 *
 * Return: 0 with *@ret_saved filled in (->leftover says whether from the file), or -errno: -EBUSY
 * a living process has it.
 */
int vs_saved_open(const char *rundir, const char *ifname, uint32_t ifindex, enum vs_saved_open how,
		  struct vs_saved *ret_saved);

/** vs_saved_write() - write what is in @saved, whole or not at all. Return: 0, or -errno. */
int vs_saved_write(const struct vs_saved *saved);

/** vs_saved_remove() - all was put back: remove the file, and close. */
void vs_saved_remove(struct vs_saved *saved);

/** vs_saved_close() - leave the file to the next one. */
void vs_saved_close(struct vs_saved *saved);

/**
 * vs_saved_each() - visit the files of a run folder that have no owner
 * @visit:	may remove or close what it is given; a negative result is kept, the visits go on
 *
 * Return: how many there were, or the first negative result, or -errno.
 */
int vs_saved_each(const char *rundir, int (*visit)(struct vs_saved *saved, void *ctx), void *ctx);

#endif
