/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dpdk uplink as a whole: made, watched, changed, deleted.
 *
 * DOC: theory of operation
 *
 * Workers look at @running before each burst. To touch device, queues or pool, control sets it to
 * 0 and waits one grace period; then nobody is inside, and nobody comes in.
 *
 * Carrier and presence of the device are asked for once a second. Drivers that could tell by
 * interrupt are asked as well: that one way holds for all is worth more than the second.
 */
#include "dataplane/uplink/dpdk_obj.h"

#include "dataplane/core/log.h"

#include <event2/event.h>

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct timeval tick_interval = {.tv_sec = 1};

/* ---- watching it */

static bool read_link(const struct vs_dpdk *dpdk)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(dpdk->eth, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

static enum vs_dpdk_state look(const struct vs_dpdk *dpdk)
{
	if (dpdk->state == VS_DPDK_STOPPED || dpdk->state == VS_DPDK_GONE)
		return dpdk->state;
	if (rte_eth_dev_is_removed(dpdk->eth))
		return VS_DPDK_GONE;
	return read_link(dpdk) ? VS_DPDK_RUNNING : VS_DPDK_NO_CARRIER;
}

static void enter(struct vs_dpdk *dpdk, enum vs_dpdk_state state)
{
	bool runs = state == VS_DPDK_RUNNING || state == VS_DPDK_NO_CARRIER;

	dpdk->state = state;
	__atomic_store_n(&dpdk->link, state == VS_DPDK_RUNNING, __ATOMIC_RELAXED);
	__atomic_store_n(&dpdk->running, runs, __ATOMIC_RELEASE);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_dpdk *dpdk = ctx;
	enum vs_dpdk_state state = look(dpdk);

	(void)fd;
	(void)what;
	if (state == dpdk->state)
		return;
	enter(dpdk, state);
	vs_log(state == VS_DPDK_RUNNING ? VS_LOG_INFO : VS_LOG_WARNING, "%s: %s is %s", dpdk->name,
	       dpdk->device, vs_dpdk_state_name(state));
	dpdk->changed(dpdk->ctx);
}

/* Keep workers out until enter() is called. */
static void quiesce(struct vs_dpdk *dpdk)
{
	__atomic_store_n(&dpdk->running, 0, __ATOMIC_RELEASE);
	vs_rcu_synchronize(dpdk->env.rcu);
}

/* ---- making it */

/* Nobody is inside: take over what the device was started with. */
static void adopt(struct vs_dpdk *dpdk, const struct vs_dpdk_plan *plan, struct rte_mempool *pool)
{
	dpdk->plan = *plan;
	dpdk->pool = pool;
	dpdk->queues = plan->queues;
	vs_rules_set_queues(&dpdk->flow, plan->queues);
	dpdk->room = plan->room;
	dpdk->mtu = plan->mtu;
	vs_dpdk_test_apply(dpdk);
	dpdk->ip_csum = plan->tx_offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
}

static int start(struct vs_dpdk *dpdk, const struct vs_dpdk_plan *plan, struct vs_dpdk_why *ret_why)
{
	struct rte_mempool *pool;
	int err;

	err = vs_dpdk_pool_new(plan, dpdk->port, rte_eth_dev_socket_id(dpdk->eth), &pool, ret_why);
	if (err)
		return err;
	err = vs_dpdk_dev_start(dpdk, plan, pool, ret_why);
	if (err) {
		/* Its queues may hold buffers of the pool until they are set up anew or closed. */
		dpdk->pool = pool;
		return err;
	}
	adopt(dpdk, plan, pool);
	return 0;
}

static struct vs_dpdk *new_object(const struct vs_dpdk_env *env,
				  const struct vs_dpdk_config *config)
{
	struct vs_dpdk *dpdk = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*dpdk));

	if (!dpdk)
		return NULL;
	memset(dpdk, 0, sizeof(*dpdk));
	dpdk->env = *env;
	dpdk->port = config->port;
	dpdk->changed = config->changed;
	dpdk->ctx = config->ctx;
	vs_rules_init(&dpdk->flow, &vs_dpdk_flow_nic, dpdk);
	(void)snprintf(dpdk->name, sizeof(dpdk->name), "%s", config->name);
	(void)snprintf(dpdk->devargs, sizeof(dpdk->devargs), "%s", config->devargs);
	dpdk->tick = event_new(env->base, -1, EV_PERSIST, on_tick, dpdk);
	if (!dpdk->tick) {
		free(dpdk);
		return NULL;
	}
	return dpdk;
}

static void free_object(struct vs_dpdk *dpdk)
{
	event_free(dpdk->tick);
	free(dpdk);
}

static int bring_up(struct vs_dpdk *dpdk, const struct vs_dpdk_config *config,
		    struct vs_dpdk_why *ret_why)
{
	struct vs_dpdk_plan plan;
	int err;

	err = vs_dpdk_dev_attach(dpdk, config->force, ret_why);
	if (err)
		return err;
	err = vs_dpdk_plan_make(dpdk, config->queues, config->mtu, &plan, ret_why);
	if (!err)
		err = start(dpdk, &plan, ret_why);
	if (err)
		goto err_start;
	if (event_add(dpdk->tick, &tick_interval) != 0) {
		err = vs_dpdk_refuse(ret_why, -ENOMEM, "no memory for the uplink's timer");
		goto err_timer;
	}
	enter(dpdk, look(dpdk));
	return 0;

err_timer:
	vs_dpdk_dev_stop(dpdk);
err_start:
	vs_dpdk_dev_detach(dpdk);
	vs_dpdk_pool_put(dpdk->pool);
	return err;
}

int vs_dpdk_new(const struct vs_dpdk_env *env, const struct vs_dpdk_config *config,
		struct vs_dpdk **ret_dpdk, struct vs_dpdk_why *ret_why)
{
	struct vs_dpdk_name name;
	struct vs_dpdk *dpdk;
	int err;

	err = vs_dpdk_args_check(env, config->devargs, config->force, &name, ret_why);
	if (err)
		return err;
	dpdk = new_object(env, config);
	if (!dpdk)
		return vs_dpdk_refuse(ret_why, -ENOMEM, "no memory for the uplink");
	dpdk->bus = name.bus;
	(void)snprintf(dpdk->device, sizeof(dpdk->device), "%s", name.device);
	err = bring_up(dpdk, config, ret_why);
	if (err) {
		free_object(dpdk);
		return err;
	}
	vs_log(VS_LOG_INFO, "%s: %s (%s), MTU %u, %u buffers of %u bytes, %s", dpdk->name,
	       dpdk->device, dpdk->driver, dpdk->mtu, dpdk->plan.mbufs, dpdk->room,
	       vs_dpdk_state_name(dpdk->state));
	*ret_dpdk = dpdk;
	return 0;
}

void vs_dpdk_del(struct vs_dpdk *dpdk)
{
	quiesce(dpdk);
	if (dpdk->state != VS_DPDK_STOPPED)
		vs_dpdk_dev_stop(dpdk);
	vs_dpdk_dev_detach(dpdk);
	vs_dpdk_pool_put(dpdk->pool);
	free_object(dpdk);
}

/* ---- changing it */

/* Frames of the new MTU fit into what is there, and the driver takes it while it runs. */
static bool set_mtu_running(struct vs_dpdk *dpdk, const struct vs_dpdk_plan *plan)
{
	if (plan->room != dpdk->plan.room || plan->rx_offloads != dpdk->plan.rx_offloads ||
	    plan->tx_offloads != dpdk->plan.tx_offloads ||
	    rte_eth_dev_set_mtu(dpdk->eth, plan->device_mtu) != 0)
		return false;
	dpdk->plan.mtu = plan->mtu;
	dpdk->plan.device_mtu = plan->device_mtu;
	__atomic_store_n(&dpdk->mtu, plan->mtu, __ATOMIC_RELAXED);
	return true;
}

/* Stop it, start it with the new plan, or with the old one if that does not work. */
static int restart(struct vs_dpdk *dpdk, const struct vs_dpdk_plan *plan,
		   struct vs_dpdk_why *ret_why)
{
	const struct vs_dpdk_plan before = dpdk->plan;
	struct rte_mempool *old = dpdk->pool;
	struct rte_mempool *failed = NULL;
	struct vs_dpdk_why again;
	int err;

	quiesce(dpdk);
	vs_dpdk_dev_stop(dpdk);
	err = start(dpdk, plan, ret_why);
	if (!err) {
		vs_dpdk_pool_put(old);
		enter(dpdk, look(dpdk));
		return 0;
	}
	if (dpdk->pool != old)
		failed = dpdk->pool;
	if (vs_dpdk_dev_start(dpdk, &before, old, &again) != 0) {
		(void)snprintf(dpdk->stopped_why, sizeof(dpdk->stopped_why), "%.119s", again.text);
		dpdk->state = VS_DPDK_STOPPED;
	}
	adopt(dpdk, &before, old);
	vs_dpdk_pool_put(failed);
	enter(dpdk, look(dpdk));
	return err;
}

int vs_dpdk_set_mtu(struct vs_dpdk *dpdk, uint32_t mtu, struct vs_dpdk_why *ret_why)
{
	enum vs_dpdk_state before = dpdk->state;
	struct vs_dpdk_plan plan;
	int err;

	if (before == VS_DPDK_GONE || before == VS_DPDK_STOPPED)
		return vs_dpdk_refuse(ret_why, -ENODEV,
				      "%s is %s: remove the uplink and add it "
				      "again",
				      dpdk->device, vs_dpdk_state_name(before));
	err = vs_dpdk_plan_make(dpdk, dpdk->plan.queues, mtu, &plan, ret_why);
	if (err)
		return err;
	if (plan.mtu == dpdk->mtu || set_mtu_running(dpdk, &plan))
		return 0;
	err = restart(dpdk, &plan, ret_why);
	if (dpdk->state != before)
		dpdk->changed(dpdk->ctx);
	return err;
}

int vs_dpdk_set_queues(struct vs_dpdk *dpdk, unsigned int queues, struct vs_dpdk_why *ret_why)
{
	struct vs_dpdk_plan plan;
	int err;

	err = vs_dpdk_plan_make(dpdk, queues, dpdk->mtu, &plan, ret_why);
	if (!err && plan.queues != dpdk->queues)
		err = restart(dpdk, &plan, ret_why);
	return err;
}

/* ---- asking it */

bool vs_dpdk_is_up(const struct vs_dpdk *dpdk)
{
	return dpdk->state == VS_DPDK_RUNNING;
}

unsigned int vs_dpdk_pairs(const struct vs_dpdk *dpdk)
{
	return dpdk->queues;
}

static void describe_problem(const struct vs_dpdk *dpdk, char *text, size_t size)
{
	char ifname[IF_NAMESIZE];

	text[0] = '\0';
	switch (dpdk->state) {
	case VS_DPDK_RUNNING:
		break;
	case VS_DPDK_NO_CARRIER:
		if (dpdk->host_if.index && if_indextoname(dpdk->host_if.index, ifname))
			(void)snprintf(
				text, size,
				"interface %s is down or has no carrier (ip link set dev %s up)",
				ifname, ifname);
		else
			(void)snprintf(text, size,
				       "no carrier: nothing is connected to %s, or the other side "
				       "is down",
				       dpdk->device);
		break;
	case VS_DPDK_GONE:
		(void)snprintf(text, size,
			       "%s was pulled out: plug it in, remove the uplink and add it again",
			       dpdk->device);
		break;
	case VS_DPDK_STOPPED:
		(void)snprintf(text, size, "stopped after a change of its MTU: %s",
			       dpdk->stopped_why);
		break;
	}
}

static void count(const struct vs_dpdk *dpdk, struct vs_dpdk_info *info)
{
	struct rte_eth_stats stats;

	if (dpdk->state == VS_DPDK_GONE || rte_eth_stats_get(dpdk->eth, &stats) != 0)
		return;
	info->missed = stats.imissed;
	info->rx_errors = stats.ierrors;
	info->tx_errors = stats.oerrors;
	info->no_buffer = stats.rx_nombuf;
}

void vs_dpdk_info(const struct vs_dpdk *dpdk, struct vs_dpdk_info *ret_info)
{
	struct rte_eth_link link;

	*ret_info = (struct vs_dpdk_info){
		.state = dpdk->state,
		.devargs = dpdk->devargs,
		.mtu = dpdk->mtu,
		.mtu_max = dpdk->mtu_max,
		.queues = dpdk->queues,
		.link = dpdk->state == VS_DPDK_RUNNING,
		.node = dpdk->state == VS_DPDK_GONE ? -1 : rte_eth_dev_socket_id(dpdk->eth),
	};
	(void)snprintf(ret_info->driver, sizeof(ret_info->driver), "%s", dpdk->driver);
	describe_problem(dpdk, ret_info->problem, sizeof(ret_info->problem));
	(void)rte_eth_macaddr_get(dpdk->eth, &ret_info->mac);
	if (ret_info->link && rte_eth_link_get_nowait(dpdk->eth, &link) == 0 &&
	    link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		ret_info->speed_mbps = link.link_speed;
	count(dpdk, ret_info);
}

const char *vs_dpdk_state_name(enum vs_dpdk_state state)
{
	switch (state) {
	case VS_DPDK_RUNNING:
		return "running";
	case VS_DPDK_NO_CARRIER:
		return "no-carrier";
	case VS_DPDK_GONE:
		return "gone";
	case VS_DPDK_STOPPED:
		return "stopped";
	}
	return "unknown";
}
