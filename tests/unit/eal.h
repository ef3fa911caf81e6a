/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's environment for tests that need its hash, its ring or its clock: no device, no file. */
#ifndef TESTS_UNIT_EAL_H
#define TESTS_UNIT_EAL_H

#include <rte_eal.h>

#include <pthread.h>

/** EAL_CORES - what lcores there are; a test with a worker defines it before it includes this */
#ifndef EAL_CORES
#define EAL_CORES "0@0"
#endif

/** eal_up() - start it, and let the threads run on all cores again. Return: 0, or -1. */
static inline int eal_up(void)
{
	char name[] = "test";
	char pci[] = "--no-pci";
	char huge[] = "--no-huge";
	char shconf[] = "--no-shconf";
	char telemetry[] = "--no-telemetry";
	char level[] = "--log-level=3";
	char memory[] = "-m";
	char mib[] = "64";
	char cores[] = "--lcores=" EAL_CORES;
	char *argv[] = {name, pci, huge, shconf, telemetry, level, memory, mib, cores, NULL};
	cpu_set_t before;

	if (pthread_getaffinity_np(pthread_self(), sizeof(before), &before) != 0)
		return -1;
	if (rte_eal_init((int)(sizeof(argv) / sizeof(argv[0])) - 1, argv) < 0)
		return -1;
	return pthread_setaffinity_np(pthread_self(), sizeof(before), &before) ? -1 : 0;
}

#endif
