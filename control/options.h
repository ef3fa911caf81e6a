/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's command line. */
#ifndef VS_CONTROL_OPTIONS_H
#define VS_CONTROL_OPTIONS_H

#include "control/model.h"
#include "control/cred.h"
#include "dataplane/core/limits.h"
#include "dataplane/core/log.h"

#include <rte_ether.h>

#include <stdbool.h>

enum {
	VS_OPTIONS_PCI_MAX = 16,
};

/** struct vs_options - what the command line says, or the defaults */
struct vs_options {
	const char *socket;
	const char *state; /* file that keeps the configuration; NULL: nothing does */
	bool no_state;
	enum vs_others others; /* what clients may do that are neither root nor in the group */
	const char *metrics;   /* where to serve metrics: "unix:PATH", "127.0.0.1:PORT"; or NULL */
	enum vs_log_level log_level;
	unsigned int memory_mib; /* for tables; the guests' memory is their own */
	unsigned int nap_us;     /* sleep of a worker that cannot park; 0: none ever sleeps */
	uint32_t poll;           /* bit per worker that never sleeps */
	enum vs_placement placement;
	int control_cpu; /* processor of the control thread; -1: any that the process may use */
	const char *pci[VS_OPTIONS_PCI_MAX]; /* devices that an uplink may take */
	unsigned int n_pci;
	bool virtio_user;           /* an uplink may be a net_virtio_user */
	bool test_uplinks;          /* test the offloads of each when it is up */
	const char *user;           /* whose privileges it runs with; NULL: the caller's */
	const char *group;          /* NULL: the user's */
	const char *vm_group;       /* of sockets for VMMs; NULL: the process's */
	bool seccomp;               /* refuse system calls that are not on the list */
	bool prepare;               /* make what only root can for @user, and end */
	bool release_uplinks;       /* give back what a killed daemon left, and end */
	int cpu[VS_WORKERS_MAX];    /* processor of each worker; -1: any that the process may use */
	unsigned int n_workers;     /* 1..VS_WORKERS_MAX */
	unsigned int workers;       /* --workers; 0: not given */
	struct rte_ether_addr pool; /* first of the MAC pool; all zero: by the machine's id */
};

/** What to do after the command line was read. */
enum vs_options_verdict {
	VS_OPTIONS_RUN,
	VS_OPTIONS_DONE,  /* help or version was printed: exit 0 */
	VS_OPTIONS_WRONG, /* said what is wrong: exit 2 */
};

/** vs_options_parse() - read the command line into *@ret_options (strings stay argv's). */
enum vs_options_verdict vs_options_parse(int argc, char **argv, struct vs_options *ret_options);

#endif
