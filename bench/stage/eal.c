/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK for its hash, ring and clock: no device, no file. */
#include "bench/stage/stage.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_random.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>

enum {
	SEED = 20110509,
};

static int first_cpu(const cpu_set_t *set)
{
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set))
			return cpu;
	return 0;
}

int vss_eal_start(void)
{
	/* clang-format off */
	static char word[][24] = {
		"vsstage", "--no-pci", "--no-huge", "--no-shconf", "--no-telemetry",
		"--log-level=3", "-m", "64", "",
	};
	/* clang-format on */
	char *argv[RTE_DIM(word) + 1] = {NULL};
	cpu_set_t before;
	size_t i;

	if (sched_getaffinity(0, sizeof(before), &before) != 0)
		return -errno;
	(void)snprintf(word[RTE_DIM(word) - 1], sizeof(word[0]), "--lcores=0@%d",
		       first_cpu(&before));
	for (i = 0; i < RTE_DIM(word); i++)
		argv[i] = word[i];
	if (rte_eal_init((int)RTE_DIM(word), argv) < 0)
		return -rte_errno;
	rte_srand(SEED);
	return 0;
}
