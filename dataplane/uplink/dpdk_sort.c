/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of guests' ports on a dpdk uplink: the card sorts, by rules of rte_flow (rules.c).
 *
 * DOC: theory of operation
 *
 * A card is asked whether it takes such a rule before anything is changed. If it does, it is
 * started anew with more hw queues if there are too few (twice as many each time, so that this is
 * rare; frames of that moment are lost), without RSS: what no rule matches is in queue 0. Drivers
 * lose rules when a device is stopped; they are made again with the next configuration.
 */
#include "dataplane/core/hdr.h"
#include "dataplane/uplink/dpdk_obj.h"

#include <rte_flow.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	QUEUES_FIRST = 4,
	/* Workers empty a ring within a visit or two; after this, something else is wrong. */
	DRAIN_STEPS = 5000,
	DRAIN_STEP_NS = 100000,
};

_Static_assert((int)VS_DPDK_QUEUES_MAX == (int)VS_RULES_QUEUES_MAX, "the same queues");
_Static_assert((int)VS_DPDK_QUEUES_MAX < (int)VS_PAIR_NONE, "a number for each");

/* ---- rules */

/** struct pattern - a rule as rte_flow has it */
struct pattern {
	struct rte_flow_item_eth eth;
	struct rte_flow_item_eth eth_mask;
	struct rte_flow_item_vlan vlan;
	struct rte_flow_item_vlan vlan_mask;
	struct rte_flow_item item[3];
	struct rte_flow_action_queue queue;
	struct rte_flow_action action[2];
};

static const struct rte_flow_attr ingress = {.ingress = 1};

static void fill(struct pattern *p, const struct vs_rule *rule)
{
	struct rte_flow_item *item = p->item;

	memset(p, 0, sizeof(*p));
	p->eth.dst = rule->mac;
	memset(&p->eth_mask.dst, 0xff, sizeof(p->eth_mask.dst));
	p->eth.has_vlan = rule->tag == VS_RULES_TAGGED;
	p->eth_mask.has_vlan = 1;
	*item++ = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_ETH,
					 .spec = &p->eth,
					 .mask = &p->eth_mask};
	if (rule->tag == VS_RULES_TAGGED) {
		p->vlan.tci = rte_cpu_to_be_16(rule->vid);
		p->vlan_mask.tci = RTE_BE16(VS_TCI_VID);
		*item++ = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_VLAN,
						 .spec = &p->vlan,
						 .mask = &p->vlan_mask};
	}
	item->type = RTE_FLOW_ITEM_TYPE_END;
	p->queue.index = rule->queue;
	p->action[0] =
		(struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &p->queue};
	p->action[1].type = RTE_FLOW_ACTION_TYPE_END;
}

/* What the driver says; many say nothing. */
static int say(int err, const struct rte_flow_error *error, char *why, size_t size)
{
	if (err == 0 || err == -1)
		err = -ENOTSUP;
	(void)snprintf(why, size, "%.80s", error->message ? error->message : strerror(-err));
	return err;
}

static int flow_validate(void *card, const struct vs_rule *rule, char *why, size_t size)
{
	const struct vs_dpdk *dpdk = card;
	struct rte_flow_error error = {0};
	struct pattern p;
	int err;

	fill(&p, rule);
	err = rte_flow_validate(dpdk->eth, &ingress, p.item, p.action, &error);
	return err ? say(err, &error, why, size) : 0;
}

static int flow_create(void *card, const struct vs_rule *rule, void **ret_handle, char *why,
		       size_t size)
{
	const struct vs_dpdk *dpdk = card;
	struct rte_flow_error error = {0};
	struct rte_flow *handle;
	struct pattern p;

	fill(&p, rule);
	handle = rte_flow_create(dpdk->eth, &ingress, p.item, p.action, &error);
	if (!handle)
		return say(-rte_errno, &error, why, size);
	*ret_handle = handle;
	return 0;
}

static int flow_destroy(void *card, void *handle)
{
	const struct vs_dpdk *dpdk = card;
	struct rte_flow_error error = {0};
	int err = rte_flow_destroy(dpdk->eth, handle, &error);

	return err == -1 ? -EIO : err;
}

/* ---- queues */

static void flow_shut(void *card, uint16_t queue)
{
	struct vs_dpdk *dpdk = card;

	__atomic_store_n(&dpdk->rxq[queue].shut, 1, __ATOMIC_RELEASE);
	vs_rcu_synchronize(dpdk->env.rcu);
}

static void flow_open(void *card, uint16_t queue)
{
	struct vs_dpdk *dpdk = card;

	__atomic_store_n(&dpdk->rxq[queue].shut, 0, __ATOMIC_RELEASE);
}

/* It was empty once, or as many frames as a ring has have been fetched since. */
static void flow_drain(void *card, uint16_t queue)
{
	const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
	const struct vs_dpdk *dpdk = card;
	const struct vs_dpdk_rxq *q = &dpdk->rxq[queue];
	uint64_t fetched = __atomic_load_n(&q->fetched, __ATOMIC_RELAXED);
	uint64_t dry = __atomic_load_n(&q->dry, __ATOMIC_RELAXED);
	unsigned int i;

	if (!__atomic_load_n(&dpdk->running, __ATOMIC_RELAXED))
		return;
	for (i = 0; i < DRAIN_STEPS; i++) {
		if (__atomic_load_n(&q->dry, __ATOMIC_RELAXED) != dry ||
		    __atomic_load_n(&q->fetched, __ATOMIC_RELAXED) - fetched >
			    (uint64_t)dpdk->plan.rx_desc + VS_BURST_MAX)
			break;
		(void)nanosleep(&step, NULL);
	}
	/* And what was fetched last is delivered. */
	vs_rcu_synchronize(dpdk->env.rcu);
}

const struct vs_rules_nic vs_dpdk_flow_nic = {
	.validate = flow_validate,
	.create = flow_create,
	.destroy = flow_destroy,
	.shut = flow_shut,
	.open = flow_open,
	.drain = flow_drain,
};

void vs_dpdk_rules_drop(struct vs_dpdk *dpdk)
{
	struct rte_flow_error error;

	/* What a device that was pulled out says to it does not matter. */
	if (dpdk->flow.n_set)
		(void)rte_flow_flush(dpdk->eth, &error);
	vs_rules_forget(&dpdk->flow);
}

/* ---- as the user sees it */

unsigned int vs_dpdk_queues_max(const struct vs_dpdk *dpdk)
{
	struct rte_eth_dev_info info;
	unsigned int max;

	if (rte_eth_dev_info_get(dpdk->eth, &info) != 0)
		return 0;
	max = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
	max = RTE_MIN(max, (unsigned int)VS_DPDK_QUEUES_MAX);
	return max ? max - 1 : 0;
}

uint16_t vs_dpdk_owner(const struct vs_dpdk *dpdk, unsigned int pair)
{
	return vs_rules_owner(&dpdk->flow, pair);
}

/* Hw queues for these filters, the default one included. */
static unsigned int queues_for(const struct vs_dpdk *dpdk, const struct vs_dpdk_wish *wish)
{
	unsigned int max = vs_dpdk_queues_max(dpdk) + 1;
	unsigned int queues = QUEUES_FIRST;
	unsigned int ports = 0;
	unsigned int i;

	for (i = 0; i < wish->n; i++)
		ports += i == 0 || wish->filter[i].port != wish->filter[i - 1].port;
	while (queues < ports + 1)
		queues *= 2;
	return RTE_MIN(queues, max);
}

static int refuse(const struct vs_dpdk *dpdk, int err, struct vs_dpdk_why *ret_why)
{
	return vs_dpdk_refuse(ret_why, err, "the switch sorts by itself: %s (%s)", dpdk->flow.why,
			      dpdk->driver);
}

/* Would it take any rule at all? */
static int probe(struct vs_dpdk *dpdk, const struct vs_dpdk_wish *wish, struct vs_dpdk_why *ret_why)
{
	static const struct vs_rules_filter any = {.mac = {{2, 0, 0, 0, 0, 1}}};
	int err;

	err = vs_rules_probe(&dpdk->flow, wish->n ? &wish->filter[0] : &any,
			     wish->n ? wish->vid : 0);
	if (!err)
		return 0;
	return vs_dpdk_refuse(ret_why, err,
			      "the switch sorts by itself: this card has no flow rules (%s: %s)",
			      dpdk->driver, dpdk->flow.why);
}

static int turn_off(struct vs_dpdk *dpdk, struct vs_dpdk_why *ret_why)
{
	vs_rules_release(&dpdk->flow);
	return dpdk->sorts ? vs_dpdk_set_queues(dpdk, 1, ret_why) : 0;
}

static int turn_on(struct vs_dpdk *dpdk, const struct vs_dpdk_wish *wish,
		   struct vs_dpdk_why *ret_why)
{
	unsigned int queues = queues_for(dpdk, wish);
	int err;

	if (dpdk->flow.quarantined)
		return refuse(dpdk, -EIO, ret_why);
	if (dpdk->state == VS_DPDK_GONE || dpdk->state == VS_DPDK_STOPPED)
		return vs_dpdk_refuse(ret_why, -ENODEV,
				      "the switch sorts by itself: the card is %s",
				      vs_dpdk_state_name(dpdk->state));
	err = dpdk->flow.n_set ? 0 : probe(dpdk, wish, ret_why);
	if (err)
		return err;
	if (queues > dpdk->queues) {
		err = vs_dpdk_set_queues(dpdk, queues, ret_why);
		/* No memory for that many: those that are there will do. */
		if (err && dpdk->queues == 1)
			return err;
		dpdk->sorts = true;
	}
	err = vs_rules_apply(&dpdk->flow, wish->filter, wish->n, wish->vid);
	return err ? refuse(dpdk, err, ret_why) : 0;
}

int vs_dpdk_sort(struct vs_dpdk *dpdk, const struct vs_dpdk_wish *wish, bool *ret_changed,
		 struct vs_dpdk_why *ret_why)
{
	uint16_t owner[VS_RULES_QUEUES_MAX];
	uint16_t queues = dpdk->queues;
	int err;

	memcpy(owner, dpdk->flow.owner, sizeof(owner));
	err = wish->sorting == VS_DPDK_SORT_ON ? turn_on(dpdk, wish, ret_why)
					       : turn_off(dpdk, ret_why);
	*ret_changed = queues != dpdk->queues ||
		       memcmp(owner, dpdk->flow.owner, sizeof(owner)) != 0;
	return err;
}

bool vs_dpdk_judge(struct vs_dpdk *dpdk, uint64_t astray)
{
	return vs_rules_judge(&dpdk->flow, astray);
}
