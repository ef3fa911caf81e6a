/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/eal.h"

#include "dataplane/core/log.h"

#include <rte_eal.h>
#include <rte_errno.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	CPU_TEXT = CPU_SETSIZE * 5,
	ARGS_MAX = 24,
};

/* "0,1,5": the processors this process may use. */
static int list_cpus(char *text, size_t size)
{
	cpu_set_t set;
	size_t used = 0;
	int i;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return -errno;
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			used += (size_t)snprintf(text + used, size - used, "%s%d", used ? "," : "",
						 i);
	}
	return 0;
}

static int check_cpu(int cpu, const char *usable)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(cpu, &set))
		return 0;
	vs_log(VS_LOG_ERROR, "--cpu %d: this process may use the processors %s only", cpu, usable);
	return -EINVAL;
}

/* Split @text at its blanks into at most @max words. Return: how many. */
static int split(char *text, char **word, int max)
{
	char *state;
	char *w;
	int n = 0;

	for (w = strtok_r(text, " ", &state); w && n < max; w = strtok_r(NULL, " ", &state))
		word[n++] = w;
	return n;
}

int vs_eal_start(unsigned int memory_mib, int cpu)
{
	char usable[CPU_TEXT];
	char worker[CPU_TEXT];
	static char text[2 * CPU_TEXT + 256]; /* the EAL keeps pointers into it */
	char *argv[ARGS_MAX];
	int err;

	err = list_cpus(usable, sizeof(usable));
	if (!err)
		err = check_cpu(cpu, usable);
	if (err)
		return err;
	(void)snprintf(worker, sizeof(worker), "%d", cpu);
	(void)snprintf(text, sizeof(text),
		       "vmswitchd --no-pci --no-telemetry --no-huge --no-shconf --log-level warning "
		       "--file-prefix vmswitchd-%d -m %u --lcores %d@(%s),%d@(%s)",
		       (int)getpid(), memory_mib, VS_LCORE_CONTROL, usable, VS_LCORE_WORKER,
		       cpu < 0 ? usable : worker);
	if (rte_eal_init(split(text, argv, ARGS_MAX), argv) < 0) {
		err = rte_errno ? -rte_errno : -EIO;
		vs_log(VS_LOG_ERROR, "DPDK does not start: %s", strerror(-err));
		return err;
	}
	return 0;
}

void vs_eal_stop(void)
{
	(void)rte_eal_cleanup();
}
