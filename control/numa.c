/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/numa.h"

#include <dirent.h>
#include <stdio.h>

int vs_numa_of_cpu(const char *sys, int cpu)
{
	int node = VS_NUMA_NONE;
	struct dirent *entry;
	char path[256];
	DIR *dir;

	if (cpu < 0)
		return VS_NUMA_NONE;
	(void)snprintf(path, sizeof(path), "%s/devices/system/cpu/cpu%d", sys, cpu);
	dir = opendir(path);
	if (!dir)
		return VS_NUMA_NONE;
	/* A link to its node is called after it (Documentation/ABI, sysfs-devices-system-cpu). */
	while (node == VS_NUMA_NONE && (entry = readdir(dir)) != NULL)
		(void)sscanf(entry->d_name, "node%d", &node);
	(void)closedir(dir);
	return node;
}

int vs_numa_of_interface(const char *sys, const char *ifname)
{
	int node = VS_NUMA_NONE;
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/class/net/%s/device/numa_node", sys, ifname);
	file = fopen(path, "re");
	if (!file)
		return VS_NUMA_NONE;
	/* The kernel says -1 itself where it does not know. */
	if (fscanf(file, "%d", &node) != 1 || node < 0)
		node = VS_NUMA_NONE;
	(void)fclose(file);
	return node;
}
