/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device behind a dpdk uplink: probed, configured, started, and given back.
 *
 * DOC: theory of operation
 *
 * What is asked of a driver is little: one queue (or as many as the user wants, without RSS), the
 * offloads that can be relied on (dpdk_offload.c), every frame as it is on the wire. Promiscuous
 * mode is read back, because a card that filters by its own address is of no use to guests; so is
 * VLAN stripping, which would mix VLANs.
 */
#include "dataplane/uplink/dpdk_obj.h"
#include "dataplane/uplink/route.h"

#include "dataplane/core/log.h"

#include <rte_bus.h>
#include <rte_errno.h>

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the host's interface, where there is one */

static void save_host_if(struct vs_dpdk_host_if *host_if, unsigned int index)
{
	struct ifreq ifr;
	int fd;

	*host_if = (struct vs_dpdk_host_if){0};
	memset(&ifr, 0, sizeof(ifr));
	if (index == 0 || !if_indextoname(index, ifr.ifr_name))
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0) {
		host_if->promisc = ifr.ifr_flags & IFF_PROMISC;
		if (ioctl(fd, SIOCGIFMTU, &ifr) == 0) {
			host_if->mtu = ifr.ifr_mtu;
			host_if->index = index;
		}
	}
	(void)close(fd);
}

/* Put promiscuous mode and MTU back, if the interface is still there. */
static int put_back(int fd, const struct vs_dpdk_host_if *host_if)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	if (!if_indextoname(host_if->index, ifr.ifr_name))
		return 0;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) != 0)
		return -errno;
	if (!host_if->promisc && (ifr.ifr_flags & IFF_PROMISC)) {
		ifr.ifr_flags = (short)(ifr.ifr_flags & ~IFF_PROMISC);
		if (ioctl(fd, SIOCSIFFLAGS, &ifr) != 0)
			return -errno;
	}
	ifr.ifr_mtu = host_if->mtu;
	return ioctl(fd, SIOCSIFMTU, &ifr) == 0 ? 0 : -errno;
}

static void restore_host_if(const struct vs_dpdk *dpdk)
{
	int err;
	int fd;

	if (dpdk->host_if.index == 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = fd < 0 ? -errno : put_back(fd, &dpdk->host_if);
	if (fd >= 0)
		(void)close(fd);
	if (err)
		vs_log(VS_LOG_WARNING, "%s: interface %u is not as it was before: %s", dpdk->name,
		       dpdk->host_if.index, strerror(-err));
}

/* ---- probe and remove */

static bool is_of_device(uint16_t eth, const char *bus, const char *device)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_is_valid_port(eth) && rte_eth_dev_info_get(eth, &info) == 0 &&
	       info.device && strcmp(rte_dev_name(info.device), device) == 0 &&
	       strcmp(rte_bus_name(rte_dev_bus(info.device)), bus) == 0;
}

/*
 * The network devices that the device of this bus and name has made.
 * @ret_taken: how many of them are an uplink's, or part of a bonding or failsafe device
 */
static unsigned int find_ports(const char *bus, const char *device, uint16_t *ret_eth,
			       unsigned int *ret_taken)
{
	struct rte_eth_dev_owner owner;
	unsigned int n = 0;
	uint16_t eth;

	*ret_taken = 0;
	for (eth = 0; eth < RTE_MAX_ETHPORTS; eth++) {
		if (!is_of_device(eth, bus, device))
			continue;
		*ret_eth = eth;
		n++;
		if (rte_eth_dev_owner_get(eth, &owner) == 0 && owner.id != RTE_ETH_DEV_NO_OWNER)
			++*ret_taken;
	}
	return n;
}

static int take_port(struct vs_dpdk *dpdk, struct vs_dpdk_why *ret_why)
{
	struct rte_eth_dev_owner owner = {0};
	unsigned int taken;
	unsigned int n;
	int err;

	n = find_ports(dpdk->bus, dpdk->device, &dpdk->eth, &taken);
	if (n != 1)
		return vs_dpdk_refuse(ret_why, -ENOTSUP,
				      "%s makes %u network devices, and an uplink is one",
				      dpdk->device, n);
	err = rte_eth_dev_owner_new(&owner.id);
	(void)snprintf(owner.name, sizeof(owner.name), "%s", dpdk->name);
	if (!err)
		err = rte_eth_dev_owner_set(dpdk->eth, &owner);
	if (err)
		return vs_dpdk_refuse(ret_why, err, "%s cannot be taken: %s", dpdk->device,
				      strerror(-err));
	return 0;
}

/*
 * DPDK takes a second probe of a device for a success. A PCI device that was named at the start was
 * probed then, without arguments: it is given back and probed again, with those of the user.
 */
static int probe(struct vs_dpdk *dpdk, struct vs_dpdk_why *ret_why)
{
	unsigned int taken;
	uint16_t eth;
	int err = 0;

	if (find_ports(dpdk->bus, dpdk->device, &eth, &taken)) {
		if (taken)
			return vs_dpdk_refuse(ret_why, -EEXIST,
					      "%s is in use by another uplink already",
					      dpdk->device);
		err = rte_eal_hotplug_remove(dpdk->bus, dpdk->device);
	}
	if (!err)
		err = rte_dev_probe(dpdk->devargs);
	/* Many drivers say -1 for "no", whatever the reason. */
	if (err == -1)
		err = -EINVAL;
	if (err)
		return vs_dpdk_refuse(ret_why, err,
				      "DPDK's driver does not take '%.100s' (%s); what it says "
				      "stands in the log of vmswitchd",
				      dpdk->devargs, strerror(-err));
	return 0;
}

/* A driver may know its interface only now (a card that it shares with the kernel). */
static int check_host_if(const struct vs_dpdk *dpdk, unsigned int index, enum vs_dpdk_force force,
			 struct vs_dpdk_why *ret_why)
{
	char ifname[IF_NAMESIZE];

	if (force == VS_DPDK_FORCE || index == 0 || !if_indextoname(index, ifname) ||
	    vs_route_is_default(ifname) <= 0)
		return 0;
	return vs_dpdk_refuse(ret_why, -EBUSY,
			      "%s works on %s, which carries the host's default route: taken, it "
			      "may cut the host off; 'force' takes it all the same",
			      dpdk->device, ifname);
}

int vs_dpdk_dev_attach(struct vs_dpdk *dpdk, enum vs_dpdk_force force, struct vs_dpdk_why *ret_why)
{
	struct rte_eth_dev_info info;
	int err;

	if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS)
		return vs_dpdk_refuse(ret_why, -ENOSPC,
				      "DPDK takes at most %d devices, and that many are there",
				      RTE_MAX_ETHPORTS);
	err = probe(dpdk, ret_why);
	if (err)
		return err;
	err = take_port(dpdk, ret_why);
	if (err)
		goto err_port;
	err = rte_eth_dev_info_get(dpdk->eth, &info);
	if (err) {
		vs_dpdk_refuse(ret_why, err, "%s says nothing about itself: %s", dpdk->device,
			       strerror(-err));
		goto err_port;
	}
	err = check_host_if(dpdk, info.if_index, force, ret_why);
	if (err)
		goto err_port;
	(void)snprintf(dpdk->driver, sizeof(dpdk->driver), "%s",
		       info.driver_name ? info.driver_name : "");
	save_host_if(&dpdk->host_if, info.if_index);
	dpdk->attached = true;
	return 0;

err_port:
	(void)rte_eal_hotplug_remove(dpdk->bus, dpdk->device);
	return err;
}

void vs_dpdk_dev_detach(struct vs_dpdk *dpdk)
{
	int err;

	if (!dpdk->attached)
		return;
	dpdk->attached = false;
	err = rte_eth_dev_close(dpdk->eth);
	if (err)
		vs_log(VS_LOG_WARNING, "%s: %s does not close: %s", dpdk->name, dpdk->device,
		       strerror(-err));
	err = rte_eal_hotplug_remove(dpdk->bus, dpdk->device);
	if (err && dpdk->state != VS_DPDK_GONE)
		vs_log(VS_LOG_WARNING, "%s: %s is not removed: %s", dpdk->name, dpdk->device,
		       strerror(-err));
	restore_host_if(dpdk);
}

/* ---- start and stop */

static int configure(const struct vs_dpdk *dpdk, const struct vs_dpdk_plan *plan,
		     struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = {
		.rxmode = {.mq_mode = RTE_ETH_MQ_RX_NONE,
			   .mtu = plan->device_mtu,
			   .offloads = plan->rx_offloads},
		.txmode = {.mq_mode = RTE_ETH_MQ_TX_NONE, .offloads = plan->tx_offloads},
	};
	int socket = rte_eth_dev_socket_id(dpdk->eth);
	struct rte_eth_dev_info info;
	uint16_t rx_desc = plan->rx_desc;
	uint16_t tx_desc = plan->tx_desc;
	uint16_t i;
	int err;

	err = rte_eth_dev_configure(dpdk->eth, plan->queues, plan->queues, &conf);
	if (!err)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(dpdk->eth, &rx_desc, &tx_desc);
	/* Its defaults may depend on what was configured. */
	if (!err)
		err = rte_eth_dev_info_get(dpdk->eth, &info);
	if (err)
		return err;
	info.default_rxconf.offloads = plan->rx_offloads;
	info.default_txconf.offloads = plan->tx_offloads;
	for (i = 0; i < plan->queues && !err; i++) {
		err = rte_eth_rx_queue_setup(dpdk->eth, i, rx_desc, (unsigned int)socket,
					     &info.default_rxconf, pool);
		if (!err)
			err = rte_eth_tx_queue_setup(dpdk->eth, i, tx_desc, (unsigned int)socket,
						     &info.default_txconf);
	}
	return err;
}

/* A driver that has no such call was told with the configuration. */
static int set_device_mtu(const struct vs_dpdk *dpdk, const struct vs_dpdk_plan *plan)
{
	int err = rte_eth_dev_set_mtu(dpdk->eth, plan->device_mtu);

	return err == -ENOTSUP ? 0 : err;
}

/* Every frame, as it is on the wire. */
static int open_up(const struct vs_dpdk *dpdk, struct vs_dpdk_why *ret_why)
{
	int err = rte_eth_promiscuous_enable(dpdk->eth);
	int vlan;

	/* A device without such a mode is one without a filter, unless it is a real card. */
	if (err == -ENOTSUP && strcmp(dpdk->bus, "vdev") == 0)
		err = 0;
	else if (!err && rte_eth_promiscuous_get(dpdk->eth) != 1)
		err = -EIO;
	if (err)
		return vs_dpdk_refuse(ret_why, err,
				      "%s (%s) does not go into promiscuous mode (%s): frames for "
				      "guests would not come in",
				      dpdk->device, dpdk->driver, strerror(-err));
	vlan = rte_eth_dev_get_vlan_offload(dpdk->eth);
	if (vlan > 0 && (vlan & RTE_ETH_VLAN_STRIP_OFFLOAD))
		vlan = rte_eth_dev_set_vlan_offload(dpdk->eth, vlan & ~RTE_ETH_VLAN_STRIP_OFFLOAD);
	if (rte_eth_dev_get_vlan_offload(dpdk->eth) & RTE_ETH_VLAN_STRIP_OFFLOAD)
		return vs_dpdk_refuse(ret_why, vlan < 0 ? vlan : -EIO,
				      "%s (%s) takes VLAN tags off and does not let go of it",
				      dpdk->device, dpdk->driver);
	return 0;
}

int vs_dpdk_dev_start(struct vs_dpdk *dpdk, const struct vs_dpdk_plan *plan,
		      struct rte_mempool *pool, struct vs_dpdk_why *ret_why)
{
	int err;

	err = configure(dpdk, plan, pool);
	if (err == -ENOMEM)
		return vs_dpdk_pool_no_memory(plan->bytes, ret_why);
	if (err)
		return vs_dpdk_refuse(ret_why, err, "%s (%s) cannot be configured: %s",
				      dpdk->device, dpdk->driver, strerror(-err));
	err = set_device_mtu(dpdk, plan);
	if (err)
		return vs_dpdk_refuse(ret_why, err, "%s (%s) does not take the MTU %u: %s",
				      dpdk->device, dpdk->driver, plan->mtu, strerror(-err));
	err = rte_eth_dev_start(dpdk->eth);
	if (err == -ENOMEM)
		return vs_dpdk_pool_no_memory(plan->bytes, ret_why);
	if (err)
		return vs_dpdk_refuse(ret_why, err, "%s (%s) does not start: %s", dpdk->device,
				      dpdk->driver, strerror(-err));
	err = open_up(dpdk, ret_why);
	if (err)
		(void)rte_eth_dev_stop(dpdk->eth);
	return err;
}

void vs_dpdk_dev_stop(struct vs_dpdk *dpdk)
{
	struct rte_mbuf *mbuf[VS_BURST_MAX];
	unsigned int rounds;
	uint16_t queue;
	uint16_t n;
	int err;

	vs_dpdk_rules_drop(dpdk);
	vs_dpdk_ops_drain(dpdk);
	/* What lies in the device's queues; it may go on receiving, so not without an end. */
	for (queue = 0; queue < dpdk->queues && dpdk->state != VS_DPDK_GONE; queue++) {
		for (rounds = 0; rounds < UINT16_MAX / VS_BURST_MAX; rounds++) {
			n = rte_eth_rx_burst(dpdk->eth, queue, mbuf, VS_BURST_MAX);
			if (n == 0)
				break;
			rte_pktmbuf_free_bulk(mbuf, n);
		}
	}
	err = rte_eth_dev_stop(dpdk->eth);
	if (err)
		vs_log(VS_LOG_WARNING, "%s: %s does not stop: %s", dpdk->name, dpdk->device,
		       strerror(-err));
}
