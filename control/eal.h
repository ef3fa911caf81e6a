/* SPDX-License-Identifier: BSD-3-Clause */
/* Starting DPDK's environment layer, with nothing taken that was not named. */
#ifndef VS_CONTROL_EAL_H
#define VS_CONTROL_EAL_H

/** Lcore ids: control is the EAL's main lcore, the worker the one after it. */
enum {
	VS_LCORE_CONTROL = 0,
	VS_LCORE_WORKER = 1,
};

/**
 * vs_eal_start() - initialise the EAL
 * @memory_mib:	heap, from ordinary pages
 * @cpu:	processor of the worker, or -1: any that the process may use
 *
 * No PCI device is probed, no hugepage is used, nothing is shared with other DPDK processes.
 *
 * Return: 0; -EINVAL the process may not use processor @cpu; or what the EAL said. Says what is
 * wrong in the log.
 */
int vs_eal_start(unsigned int memory_mib, int cpu);

/** vs_eal_stop() - give back what vs_eal_start() took. */
void vs_eal_stop(void);

#endif
