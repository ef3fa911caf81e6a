/* SPDX-License-Identifier: BSD-3-Clause */
/* Which NUMA node a processor, or a network card, belongs to: as the kernel's sysfs says it. */
#ifndef VS_CONTROL_NUMA_H
#define VS_CONTROL_NUMA_H

/** Where sysfs is, and the node of what has none, or is not known. */
#define VS_NUMA_SYS "/sys"
#define VS_NUMA_NONE (-1)

/**
 * vs_numa_of_cpu() - node of a processor
 * @sys:	VS_NUMA_SYS, or a copy of it
 * @cpu:	below 0: any, which has none
 */
int vs_numa_of_cpu(const char *sys, int cpu);

/** vs_numa_of_interface() - node of the card behind a network interface of the own namespace. */
int vs_numa_of_interface(const char *sys, const char *ifname);

#endif
