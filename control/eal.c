/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/eal.h"

#include "dataplane/core/limits.h"
#include "dataplane/core/log.h"
#include "dataplane/uplink/uplink.h"

#include <rte_eal.h>
#include <rte_errno.h>

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CPU_TEXT = CPU_SETSIZE * 5,
	ARGS_MAX = 24 + 2 * VS_EAL_PCI_MAX,
	LCORES_TEXT = (VS_WORKERS_MAX + 1) * (CPU_TEXT + 8),
	PCI_TEXT = VS_EAL_PCI_MAX * 24, /* " -a " and an address each */
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

static int check_cpu(const char *option, int cpu, const char *usable)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET(cpu, &set))
		return 0;
	vs_log(VS_LOG_ERROR, "--%s %d: this process may use the processors %s only", option, cpu,
	       usable);
	return -EINVAL;
}

/* "0@(0,1),1@(0),2@(1)": the processors of control and of each worker. */
static int list_lcores(const struct vs_eal_config *config, const char *usable, char *text,
		       size_t size)
{
	char control[16];
	unsigned int i;
	size_t used;
	int err = check_cpu("control-cpu", config->control_cpu, usable);

	if (err)
		return err;
	(void)snprintf(control, sizeof(control), "%d", config->control_cpu);
	used = (size_t)snprintf(text, size, "%d@(%s)", (int)VS_LCORE_CONTROL,
				config->control_cpu < 0 ? usable : control);
	if (config->n_workers > VS_WORKERS_MAX)
		return -E2BIG;
	for (i = 0; i < config->n_workers; i++) {
		int cpu = config->cpu[i];
		char one[16];

		err = check_cpu("cpu", cpu, usable);
		if (err)
			return err;
		(void)snprintf(one, sizeof(one), "%d", cpu);
		used += (size_t)snprintf(text + used, size - used, ",%u@(%s)", VS_LCORE_WORKER + i,
					 cpu < 0 ? usable : one);
	}
	return 0;
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

/*
 * "--no-pci", or " -a ADDRESS" for each device that was named: the EAL then probes these and no
 * other one, here and later. It probes them at once, so they are looked at before.
 */
static int list_pci(const struct vs_eal_config *config, char *text, size_t size)
{
	struct vs_dpdk_why why;
	size_t used = 0;
	unsigned int i;

	if (config->n_pci > VS_EAL_PCI_MAX)
		return -E2BIG;
	(void)snprintf(text, size, "%s", config->n_pci ? "" : "--no-pci");
	for (i = 0; i < config->n_pci; i++) {
		int err = vs_dpdk_check_pci(config->pci[i], &why);

		if (err) {
			vs_log(VS_LOG_ERROR, "--pci %s: %s", config->pci[i], why.text);
			return err;
		}
		used += (size_t)snprintf(text + used, size - used, " -a %s", config->pci[i]);
	}
	return 0;
}

/*
 * The EAL makes a folder for what DPDK processes share, which is nothing here. Without root it
 * would be in /tmp, where somebody else may have made it before.
 */
static void choose_folder(const char *run_dir)
{
	if (geteuid() != 0 && run_dir)
		(void)setenv("XDG_RUNTIME_DIR", run_dir, 0);
}

/* The folder is empty; a daemon that is killed would leave one for each of its lives. */
static void remove_folder(void)
{
	const char *folder = rte_eal_get_runtime_dir();
	char parent[PATH_MAX];
	char *slash;

	if (!folder || folder[0] != '/' || rmdir(folder) != 0)
		return;
	(void)snprintf(parent, sizeof(parent), "%s", folder);
	slash = strrchr(parent, '/');
	*slash = '\0';
	(void)rmdir(parent);
}

int vs_eal_start(const struct vs_eal_config *config)
{
	char usable[CPU_TEXT];
	char lcores[LCORES_TEXT];
	char pci[PCI_TEXT];
	static char text[LCORES_TEXT + PCI_TEXT + 256]; /* the EAL keeps pointers into it */
	char *argv[ARGS_MAX];
	int err;

	err = list_cpus(usable, sizeof(usable));
	if (!err)
		err = list_lcores(config, usable, lcores, sizeof(lcores));
	if (!err)
		err = list_pci(config, pci, sizeof(pci));
	if (err)
		return err;
	(void)snprintf(text, sizeof(text),
		       "vmswitchd %s --no-telemetry --no-huge --no-shconf --log-level warning "
		       "--file-prefix vmswitchd-%d -m %u --lcores %s",
		       pci, (int)getpid(), config->memory_mib, lcores);
	choose_folder(config->run_dir);
	if (rte_eal_init(split(text, argv, ARGS_MAX), argv) < 0) {
		err = rte_errno ? -rte_errno : -EIO;
		vs_log(VS_LOG_ERROR, "DPDK does not start: %s", strerror(-err));
		return err;
	}
	remove_folder();
	return 0;
}

void vs_eal_stop(void)
{
	(void)rte_eal_cleanup();
}
