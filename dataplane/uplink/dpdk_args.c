/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the user wrote behind `dpdk:`, judged before any driver sees it.
 *
 * DOC: theory of operation
 *
 * DPDK's own parser finds the bus and the name of the device. It says nothing about the arguments:
 * they are the driver's, may name other devices, at any depth ("net_failsafe0,dev(0000:01:00.0)"),
 * and several drivers ignore the ones they do not know. So the text is cut into words, and each
 * word is looked at for what it would be if it were a name: a PCI address is one the daemon was
 * started with, an interface does not carry the host's default route.
 *
 * An argument is refused when the driver is known to take no such (it was a typing error), or when
 * it would open the switch's memory to others.
 */
#include "dataplane/uplink/dpdk_obj.h"

#include "dataplane/core/log.h"
#include "dataplane/uplink/route.h"

#include <rte_bus.h>
#include <rte_devargs.h>
#include <rte_pci.h>

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PCI_FOLDER "/sys/bus/pci/devices"

/*
 * Virtual devices that may be uplinks, and the arguments that they may have. All others are
 * refused: the control socket's group is not root, and there are drivers that run commands
 * (net_failsafe), write any file (net_pcap) or load any program (net_af_xdp).
 */
static const struct {
	const char *driver;
	const char *keys;
} known_keys[] = {
	{"net_tap", " iface mac remote persist "},
	{"net_tun", " iface persist "},
	/* zero-copy would hand the pool to the other side, headers that are judged included. */
	{"net_memif",
	 " id role bsize rsize socket socket-abstract owner-uid owner-gid mac secret "},
	/* Its key `internal` is an address in this process. */
	{"net_ring", " nodeaction "},
	{"net_af_packet", " iface qpairs blocksz framesz framecnt qdisc_bypass "},
	{"net_null", " size copy no-rx "},
	/*
	 * With --virtio-user only. As a server it would wait for its other side, and control with
	 * it.
	 */
	{"net_virtio_user", " path mac queues queue_size mrg_rxbuf in_order packed_vq "},
};

/* Kernel drivers that hand a PCI device to DPDK, or share it with it. */
static const char kernel_drivers[] = " vfio-pci uio_pci_generic igb_uio mlx4_core mlx5_core mana ";

int vs_dpdk_refuse(struct vs_dpdk_why *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return err;
}

/* Is @word, of @len bytes, one of the words of @list, which begins and ends with a blank? */
static bool in_list(const char *list, const char *word, size_t len)
{
	const char *at;

	for (at = list; (at = strchr(at, ' ')) && at[1]; at++) {
		if (strncmp(at + 1, word, len) == 0 && at[1 + len] == ' ')
			return true;
	}
	return false;
}

/* ---- PCI */

/* The interfaces the kernel has made of a device: at its own folder, or one below (virtio). */
static int list_interfaces(const char *folder, const char *addr, glob_t *ret_found)
{
	char pattern[PATH_MAX];
	int err;

	(void)snprintf(pattern, sizeof(pattern), "%s/%s/net/*", folder, addr);
	err = glob(pattern, 0, NULL, ret_found);
	if (err == GLOB_NOSPACE)
		return -ENOMEM;
	(void)snprintf(pattern, sizeof(pattern), "%s/%s/*/net/*", folder, addr);
	err = glob(pattern, GLOB_APPEND, NULL, ret_found);
	return err == GLOB_NOSPACE ? -ENOMEM : 0;
}

/* The name of the kernel's driver; an empty string: none. */
static void read_driver(const char *folder, const char *addr, char *driver, size_t size)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s/driver", folder, addr);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	(void)snprintf(driver, size, "%s", n < 0 ? "" : basename(target));
}

static int check_interfaces(const char *addr, const char *driver, const glob_t *found,
			    enum vs_dpdk_force force, struct vs_dpdk_why *ret_why)
{
	char *ifname = NULL;
	size_t i;

	for (i = 0; i < found->gl_pathc; i++) {
		ifname = basename(found->gl_pathv[i]);
		if (force == VS_DPDK_CAREFUL && vs_route_is_default(ifname) > 0)
			return vs_dpdk_refuse(ret_why, -EBUSY,
					      "%s is the network card %s, which carries the host's "
					      "default route: taken, it would cut the host off",
					      addr, ifname);
	}
	if (ifname && !in_list(kernel_drivers, driver, strlen(driver)))
		return vs_dpdk_refuse(ret_why, -EBUSY,
				      "the kernel drives %s (%s, interface %s): use it as xdp:%s, or "
				      "hand it over with 'dpdk-devbind.py -b vfio-pci %s'",
				      addr, driver, ifname, ifname, addr);
	return 0;
}

int vs_dpdk_pci_check_at(const char *folder, const char *addr, enum vs_dpdk_force force,
			 struct vs_dpdk_why *ret_why)
{
	char name[PCI_PRI_STR_SIZE];
	struct rte_pci_addr pci;
	char path[PATH_MAX];
	char driver[64];
	glob_t found;
	int err;

	if (rte_pci_addr_parse(addr, &pci) != 0)
		return vs_dpdk_refuse(ret_why, -EINVAL,
				      "'%.32s' is not a PCI address (DDDD:BB:DD.F, see lspci -D)",
				      addr);
	rte_pci_device_name(&pci, name, sizeof(name));
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (access(path, F_OK) != 0)
		return vs_dpdk_refuse(ret_why, -ENODEV, "there is no PCI device %s (see lspci -D)",
				      name);
	memset(&found, 0, sizeof(found));
	read_driver(folder, name, driver, sizeof(driver));
	err = list_interfaces(folder, name, &found);
	err = err ? vs_dpdk_refuse(ret_why, err, "no memory to look at %s", name)
		  : check_interfaces(name, driver, &found, force, ret_why);
	globfree(&found);
	return err;
}

int vs_dpdk_check_pci(const char *addr, struct vs_dpdk_why *ret_why)
{
	return vs_dpdk_pci_check_at(PCI_FOLDER, addr, VS_DPDK_CAREFUL, ret_why);
}

static int check_pci_word(const struct vs_dpdk_env *env, const char *word, enum vs_dpdk_force force,
			  struct vs_dpdk_why *ret_why)
{
	char name[PCI_PRI_STR_SIZE];
	struct rte_pci_addr want;
	struct rte_pci_addr have;
	unsigned int i;

	if (rte_pci_addr_parse(word, &want) != 0)
		return 0;
	for (i = 0; i < env->n_pci; i++) {
		if (rte_pci_addr_parse(env->pci[i], &have) == 0 &&
		    rte_pci_addr_cmp(&want, &have) == 0)
			return vs_dpdk_pci_check_at(PCI_FOLDER, word, force, ret_why);
	}
	rte_pci_device_name(&want, name, sizeof(name));
	return vs_dpdk_refuse(ret_why, -EPERM,
			      "PCI devices are taken only if vmswitchd was started with them: start "
			      "it again with 'vmswitchd --pci %s'",
			      name);
}

/* ---- words and arguments */

static int check_word(const struct vs_dpdk_env *env, const char *word, enum vs_dpdk_force force,
		      struct vs_dpdk_why *ret_why)
{
	bool needed = strlen(word) < IF_NAMESIZE && if_nametoindex(word) &&
		      vs_route_is_default(word) > 0;

	if (needed && force == VS_DPDK_CAREFUL)
		return vs_dpdk_refuse(ret_why, -EBUSY,
				      "%s carries the host's default route: taken, it may cut the "
				      "host off; 'force' takes it all the same",
				      word);
	if (needed)
		vs_log(VS_LOG_WARNING,
		       "interface %s carries the default route, and is taken by force: the host may "
		       "be cut off",
		       word);
	return check_pci_word(env, word, force, ret_why);
}

static int check_words(const struct vs_dpdk_env *env, const char *devargs, enum vs_dpdk_force force,
		       struct vs_dpdk_why *ret_why)
{
	char text[VS_DPDK_DEVARGS_MAX];
	char *state;
	char *word;
	int err;

	(void)snprintf(text, sizeof(text), "%s", devargs);
	for (word = strtok_r(text, ",=()[]{}<>;|@", &state); word;
	     word = strtok_r(NULL, ",=()[]{}<>;|@", &state)) {
		/* "pci:0000:01:00.0" is a bus and a device. */
		if (strncmp(word, "pci:", 4) == 0)
			word += 4;
		err = check_word(env, word, force, ret_why);
		if (err)
			return err;
	}
	return 0;
}

/*
 * "net_tap" of "net_tap0": a driver's name, and what tells its devices apart. DPDK knows some
 * drivers by an older name, too: "eth_tap".
 */
static bool is_of_driver(const char *device, const char *driver)
{
	size_t len = strlen(driver);

	if (strncmp(device, "eth_", 4) == 0 && strncmp(driver, "net_", 4) == 0) {
		device += 4;
		driver += 4;
		len -= 4;
	}

	return strncmp(device, driver, len) == 0 &&
	       (device[len] == '\0' || device[len] == '_' || isdigit((unsigned char)device[len]));
}

/* The arguments that a device may have; NULL: it is of a driver that is not known here. */
static const char *keys_of(const char *device)
{
	size_t i;

	for (i = 0; i < RTE_DIM(known_keys); i++) {
		if (is_of_driver(device, known_keys[i].driver))
			return known_keys[i].keys;
	}
	return NULL;
}

static int refuse_virtio_user(const char *device, struct vs_dpdk_why *why)
{
	return vs_dpdk_refuse(why, -EPERM,
			      "whoever is at the other side of '%.40s' sees all memory of the "
			      "switch: start it again with 'vmswitchd --virtio-user' to allow that",
			      device);
}

static int refuse_driver(const char *device, struct vs_dpdk_why *why)
{
	char drivers[128] = "";
	size_t used = 0;
	size_t i;

	for (i = 0; i < RTE_DIM(known_keys) && used < sizeof(drivers); i++)
		used += (size_t)snprintf(drivers + used, sizeof(drivers) - used, " %s",
					 known_keys[i].driver);
	return vs_dpdk_refuse(why, -EPERM,
			      "'%.40s' is no virtual device that may be an uplink; there are:%s",
			      device, drivers);
}

/* Hardware is named on the daemon's command line (--pci); virtual devices are judged here. */
static int check_keys(const struct vs_dpdk_env *env, const char *bus, const char *device,
		      const char *args, struct vs_dpdk_why *ret_why)
{
	const char *keys = keys_of(device);

	if (!keys && strcmp(bus, "vdev") == 0)
		return refuse_driver(device, ret_why);
	if (is_of_driver(device, "net_virtio_user") && !env->virtio_user)
		return refuse_virtio_user(device, ret_why);
	while (keys && *args) {
		size_t item = strcspn(args, ",");
		size_t key = strcspn(args, "=,");

		if (item && !in_list(keys, args, key))
			return vs_dpdk_refuse(
				ret_why, -EPERM,
				"'%.*s' is no argument of %s that may be used here; there are:%s",
				(int)RTE_MIN(key, 40u), args, device, keys);
		args += item + (args[item] == ',');
	}
	return 0;
}

static int check_form(const char *devargs, struct vs_dpdk_why *ret_why)
{
	const char *c;

	if (!*devargs || strlen(devargs) >= VS_DPDK_DEVARGS_MAX)
		return vs_dpdk_refuse(ret_why, -EINVAL,
				      "a device and its arguments have 1 to %d characters",
				      VS_DPDK_DEVARGS_MAX - 1);
	for (c = devargs; *c; c++) {
		if (!isgraph((unsigned char)*c))
			return vs_dpdk_refuse(ret_why, -EINVAL,
					      "blanks and control characters cannot stand in the "
					      "arguments of a device");
	}
	if (strncmp(devargs, "bus=", 4) == 0 || strncmp(devargs, "class=", 6) == 0 ||
	    strncmp(devargs, "driver=", 7) == 0)
		return vs_dpdk_refuse(ret_why, -EINVAL,
				      "write dpdk:DEVICE,KEY=VALUE..., as in dpdk:net_tap0,iface=x");
	return 0;
}

static int check_device(const struct vs_dpdk_env *env, const char *devargs,
			struct vs_dpdk_name *ret_name, struct vs_dpdk_why *ret_why)
{
	struct rte_devargs da;
	int err;

	memset(&da, 0, sizeof(da));
	if (rte_devargs_parse(&da, devargs) != 0 || !da.bus) {
		free(da.data);
		return vs_dpdk_refuse(ret_why, -ENODEV,
				      "no DPDK driver knows '%.*s': is the name right, and the "
				      "driver's package (librte-net-...) installed?",
				      (int)RTE_MIN(strcspn(devargs, ","), 60u), devargs);
	}
	err = check_keys(env, rte_bus_name(da.bus), da.name, da.args ? da.args : "", ret_why);
	if (!err) {
		ret_name->bus = rte_bus_name(da.bus);
		(void)snprintf(ret_name->device, sizeof(ret_name->device), "%s", da.name);
	}
	/* What rte_devargs_reset() does, which is not in the stable interface yet. */
	free(da.data);
	return err;
}

int vs_dpdk_args_check(const struct vs_dpdk_env *env, const char *devargs, enum vs_dpdk_force force,
		       struct vs_dpdk_name *ret_name, struct vs_dpdk_why *ret_why)
{
	int err;

	err = check_form(devargs, ret_why);
	if (!err)
		err = check_words(env, devargs, force, ret_why);
	if (!err)
		err = check_device(env, devargs, ret_name, ret_why);
	return err;
}
