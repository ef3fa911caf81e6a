/* SPDX-License-Identifier: BSD-3-Clause */
/* Starting DPDK's environment layer, with nothing taken that was not named. */
#ifndef VS_CONTROL_EAL_H
#define VS_CONTROL_EAL_H

/** Lcore ids: control is the EAL's main lcore, the workers those after it. */
enum {
	VS_LCORE_CONTROL = 0,
	VS_LCORE_WORKER = 1, /* of the first one */
	VS_EAL_PCI_MAX = 16,
};

/**
 * struct vs_eal_config - how to start it
 * @memory_mib:	heap, from ordinary pages
 * @cpu:	processor of each of @n_workers workers, or -1: any that the process may use
 * @control_cpu: processor of the control thread, or -1: any
 * @run_dir:	where a daemon that is not root may make folders
 * @pci:	addresses of the PCI devices that may be probed, at most VS_EAL_PCI_MAX
 */
struct vs_eal_config {
	unsigned int memory_mib;
	const int *cpu;
	unsigned int n_workers;
	int control_cpu;
	const char *const *pci;
	unsigned int n_pci;
	const char *run_dir;
};

/**
 * vs_eal_start() - initialise the EAL
 *
 * No PCI device is probed but those of @config, no hugepage is used, nothing is shared with other
 * DPDK processes. A PCI device that the kernel drives as a network card is refused.
 *
 * Return: 0; -EINVAL the process may not use the processor, or something is no PCI address; -ENODEV
 * or -EBUSY a PCI device (vs_dpdk_check_pci()); or what the EAL said. Says what is wrong in the
 * log.
 */
int vs_eal_start(const struct vs_eal_config *config);

/** vs_eal_stop() - give back what vs_eal_start() took. */
void vs_eal_stop(void);

#endif
