/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules of a card that sorts frames into queues of guests' ports.
 *
 * DOC: theory of operation
 *
 * The switch looks into each frame once more (vmq/classify.c), so a card that sorts wrongly, or not
 * at all, costs nobody a frame. What it costs is time, and it shows that the card is not to be
 * relied upon: frames in a queue that are not for its port are counted as astray, and after
 * VS_RULES_ASTRAY_MAX of them the card is quarantined. It loses its rules, and the switch sorts by
 * itself, until queues are switched off and on. The same happens to a card that does not let go of
 * a rule. While rules are changed, frames that were sorted by the old ones are on their way, so
 * counting begins anew a second after that.
 *
 * A filter of the native VLAN is three rules: no tag, a tag that says only a priority, and that
 * VLAN's own tag. The latter two are rare: a card that does not take them leaves such frames in the
 * default queue.
 *
 * DOC: theory of operation: order
 *
 * Frames that one filter matches must not overtake one another when they change queues:
 *
 *   - they leave a queue: the default one is shut, the rules are taken away, the queue is drained,
 *     the default one is opened;
 *   - they get into a queue: it is shut, the rules are made, the default one is drained, the queue
 *     is opened.
 */
#include "dataplane/uplink/rules.h"

#include <rte_common.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	DEFAULT_QUEUE = 0,
	RULES_OF_FILTER = 3,
};

_Static_assert(VS_RULES_QUEUES_MAX <= 64, "a bit for each queue");

void vs_rules_init(struct vs_rules *flow, const struct vs_rules_nic *nic, void *card)
{
	memset(flow, 0, sizeof(*flow));
	flow->nic = nic;
	flow->card = card;
	vs_rules_forget(flow);
	vs_rules_set_queues(flow, 1);
}

void vs_rules_set_queues(struct vs_rules *flow, unsigned int queues)
{
	flow->queues = (uint16_t)RTE_MIN(queues, (unsigned int)VS_RULES_QUEUES_MAX);
	flow->was_asked = false;
}

void vs_rules_forget(struct vs_rules *flow)
{
	unsigned int i;

	for (i = 0; i < VS_RULES_QUEUES_MAX; i++)
		flow->owner[i] = VS_VMQ_DEFAULT;
	flow->n_set = 0;
	flow->was_asked = false;
	flow->settling = true;
}

uint16_t vs_rules_owner(const struct vs_rules *flow, unsigned int queue)
{
	return queue < flow->queues ? flow->owner[queue] : VS_VMQ_DEFAULT;
}

/* ---- from filters to rules */

/* The rules of a filter, in @rule; the first one is the one that matters. Return: how many. */
static unsigned int rules_of(const struct vs_rules_filter *filter, uint16_t native, uint16_t queue,
			     struct vs_rule *rule)
{
	const struct vs_rule plain = {.mac = filter->mac, .queue = queue};
	unsigned int n = 0;

	if (filter->vid == native) {
		rule[n] = plain;
		rule[n++].tag = VS_RULES_UNTAGGED;
		rule[n] = plain;
		rule[n++].tag = VS_RULES_TAGGED;
	}
	if (filter->vid) {
		rule[n] = plain;
		rule[n].tag = VS_RULES_TAGGED;
		rule[n++].vid = filter->vid;
	}
	return n;
}

static uint16_t queue_of(const struct vs_rules *flow, uint16_t port)
{
	uint16_t queue;

	for (queue = 1; queue < flow->queues; queue++) {
		if (flow->owner[queue] == port)
			return queue;
	}
	return DEFAULT_QUEUE;
}

static bool is_same(const struct vs_rule *a, const struct vs_rule *b)
{
	return rte_is_same_ether_addr(&a->mac, &b->mac) && a->tag == b->tag && a->vid == b->vid &&
	       a->queue == b->queue;
}

static struct vs_rules_set *find(struct vs_rules *flow, const struct vs_rule *rule)
{
	uint32_t i;

	for (i = 0; i < flow->n_set; i++) {
		if (is_same(&flow->set[i].rule, rule))
			return &flow->set[i];
	}
	return NULL;
}

/* ---- taking away */

static void quarantine(struct vs_rules *flow, const char *why)
{
	flow->quarantined = true;
	(void)snprintf(flow->why, sizeof(flow->why), "%s", why);
}

/* Take away what does not stay. Return: the queues that lost a rule, a bit for each. */
static uint64_t destroy_rest(struct vs_rules *flow)
{
	uint64_t touched = 0;
	uint32_t kept = 0;
	uint32_t i;

	for (i = 0; i < flow->n_set; i++) {
		struct vs_rules_set *set = &flow->set[i];

		if (!set->stays) {
			touched |= UINT64_C(1) << set->rule.queue;
			if (flow->nic->destroy(flow->card, set->handle) == 0)
				continue;
			quarantine(flow, "quarantined: the card does not let go of a rule");
		}
		flow->set[kept++] = *set;
	}
	flow->n_set = kept;
	return touched;
}

static bool has_leaving(const struct vs_rules *flow)
{
	uint32_t i;

	for (i = 0; i < flow->n_set; i++) {
		if (!flow->set[i].stays)
			return true;
	}
	return false;
}

/* With frames in order: those that come after the rules are gone wait for those before. */
static void remove_rest(struct vs_rules *flow)
{
	uint64_t touched;
	uint16_t queue;

	if (!has_leaving(flow))
		return;
	flow->settling = true;
	flow->nic->shut(flow->card, DEFAULT_QUEUE);
	touched = destroy_rest(flow);
	for (queue = 1; queue < flow->queues; queue++) {
		if (touched >> queue & 1)
			flow->nic->drain(flow->card, queue);
	}
	flow->nic->open(flow->card, DEFAULT_QUEUE);
}

/* A queue that has no rule is nobody's. */
static void disown_empty(struct vs_rules *flow)
{
	uint64_t used = 0;
	unsigned int queue;
	uint32_t i;

	for (i = 0; i < flow->n_set; i++)
		used |= UINT64_C(1) << flow->set[i].rule.queue;
	for (queue = 1; queue < VS_RULES_QUEUES_MAX; queue++) {
		if (!(used >> queue & 1))
			flow->owner[queue] = VS_VMQ_DEFAULT;
	}
}

int vs_rules_clear(struct vs_rules *flow)
{
	uint32_t i;

	for (i = 0; i < flow->n_set; i++)
		flow->set[i].stays = false;
	remove_rest(flow);
	/* What the card did not let go of delivers to a queue of which nothing is promised. */
	for (i = 1; i < VS_RULES_QUEUES_MAX; i++)
		flow->owner[i] = VS_VMQ_DEFAULT;
	flow->was_asked = false;
	return flow->n_set ? -EIO : 0;
}

/* ---- giving */

/* Which of the rules stay; a port whose filters are all others keeps no queue. */
static void mark(struct vs_rules *flow, const struct vs_rules_filter *filter, unsigned int n,
		 uint16_t native)
{
	struct vs_rule rule[RULES_OF_FILTER];
	uint32_t i;

	for (i = 0; i < flow->n_set; i++)
		flow->set[i].stays = false;
	for (i = 0; i < n; i++) {
		uint16_t queue = queue_of(flow, filter[i].port);
		unsigned int k = queue ? rules_of(&filter[i], native, queue, rule) : 0;

		while (k > 0) {
			struct vs_rules_set *set = find(flow, &rule[--k]);

			if (set)
				set->stays = true;
		}
	}
}

/* Ports in the order they are wanted have the queues that are there; the others' rules go. */
static unsigned int wanted_in_time(const struct vs_rules *flow,
				   const struct vs_rules_filter *filter, unsigned int n)
{
	unsigned int ports = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (i > 0 && filter[i].port == filter[i - 1].port)
			continue;
		if (++ports >= flow->queues)
			break;
	}
	return i;
}

/* Return: 0, or what the card has against it, and the reason in @flow->why if it is the first. */
static int add_rule(struct vs_rules *flow, const struct vs_rule *rule)
{
	char why[VS_RULES_WHY_SIZE] = "";
	void *handle = NULL;
	int err;

	if (find(flow, rule))
		return 0;
	if (flow->n_set == RTE_DIM(flow->set))
		return -ENOSPC;
	err = flow->nic->validate(flow->card, rule, why, sizeof(why));
	if (!err)
		err = flow->nic->create(flow->card, rule, &handle, why, sizeof(why));
	if (err) {
		if (!flow->why[0])
			(void)snprintf(flow->why, sizeof(flow->why), "%s", why);
		return err;
	}
	flow->set[flow->n_set++] =
		(struct vs_rules_set){.rule = *rule, .handle = handle, .stays = true};
	flow->settling = true;
	return 0;
}

static bool is_full(int err)
{
	return err == -ENOSPC || err == -ENOMEM;
}

/* The rules of one filter into @queue. Return: of the first one; the others may be refused. */
static int add_filter(struct vs_rules *flow, const struct vs_rules_filter *filter, uint16_t native,
		      uint16_t queue)
{
	struct vs_rule rule[RULES_OF_FILTER];
	unsigned int n = rules_of(filter, native, queue, rule);
	unsigned int i;
	int err;

	err = n ? add_rule(flow, &rule[0]) : 0;
	for (i = 1; i < n && !err; i++)
		(void)add_rule(flow, &rule[i]);
	return err;
}

static bool has_all(struct vs_rules *flow, const struct vs_rules_filter *filter, uint16_t native,
		    uint16_t queue)
{
	struct vs_rule rule[RULES_OF_FILTER];
	unsigned int n = rules_of(filter, native, queue, rule);

	while (n > 0) {
		if (!find(flow, &rule[--n]))
			return false;
	}
	return true;
}

/* Return: the queue of @port, if need be a free one, or the default one if there is none left. */
static uint16_t take_queue(struct vs_rules *flow, uint16_t port)
{
	uint16_t queue = queue_of(flow, port);

	if (queue == DEFAULT_QUEUE)
		queue = queue_of(flow, VS_VMQ_DEFAULT);
	if (queue != DEFAULT_QUEUE)
		flow->owner[queue] = port;
	return queue;
}

/* Return: 0, or what the card said to the first filter that it did not take. */
static int add_all(struct vs_rules *flow, const struct vs_rules_filter *filter, unsigned int n,
		   uint16_t native)
{
	uint64_t shut = 0;
	uint16_t queue;
	unsigned int i;
	int first = 0;
	int err = 0;

	for (i = 0; i < n && !is_full(err); i++) {
		queue = take_queue(flow, filter[i].port);
		if (queue == DEFAULT_QUEUE || has_all(flow, &filter[i], native, queue))
			continue;
		if (!(shut >> queue & 1))
			flow->nic->shut(flow->card, queue);
		shut |= UINT64_C(1) << queue;
		err = add_filter(flow, &filter[i], native, queue);
		if (err && !first)
			first = err;
	}
	if (shut)
		flow->nic->drain(flow->card, DEFAULT_QUEUE);
	for (queue = 1; queue < flow->queues; queue++) {
		if (shut >> queue & 1)
			flow->nic->open(flow->card, queue);
	}
	return first;
}

static int change(struct vs_rules *flow, const struct vs_rules_filter *filter, unsigned int n,
		  uint16_t native)
{
	unsigned int in_time = wanted_in_time(flow, filter, n);
	int err;

	flow->why[0] = '\0';
	mark(flow, filter, in_time, native);
	remove_rest(flow);
	disown_empty(flow);
	if (!flow->quarantined && in_time) {
		err = add_all(flow, filter, in_time, native);
		disown_empty(flow);
		return flow->n_set ? 0 : err;
	}
	if (flow->quarantined) {
		(void)vs_rules_clear(flow);
		return -EIO;
	}
	if (n == 0)
		return 0;
	(void)snprintf(flow->why, sizeof(flow->why), "this card has one queue only");
	return -ENOSPC;
}

static bool is_asked(const struct vs_rules *flow, const struct vs_rules_filter *filter,
		     unsigned int n, uint16_t native)
{
	return flow->was_asked && flow->n_asked == n && flow->native == native &&
	       (n == 0 || memcmp(flow->asked, filter, n * sizeof(*filter)) == 0);
}

int vs_rules_apply(struct vs_rules *flow, const struct vs_rules_filter *filter, unsigned int n,
		   uint16_t native)
{
	n = RTE_MIN(n, (unsigned int)VS_RULES_FILTERS_MAX);
	if (flow->quarantined)
		return -EIO;
	if (is_asked(flow, filter, n, native))
		return flow->result;
	flow->result = change(flow, filter, n, native);
	if (n)
		memcpy(flow->asked, filter, n * sizeof(*filter));
	flow->n_asked = n;
	flow->native = native;
	flow->was_asked = true;
	return flow->result;
}

int vs_rules_probe(struct vs_rules *flow, const struct vs_rules_filter *filter, uint16_t native)
{
	struct vs_rule rule[RULES_OF_FILTER];

	if (rules_of(filter, native, DEFAULT_QUEUE, rule) == 0)
		return 0;
	return flow->nic->validate(flow->card, &rule[0], flow->why, sizeof(flow->why));
}

/* ---- trust */

bool vs_rules_judge(struct vs_rules *flow, uint64_t astray)
{
	/* Fewer than before: a port is gone, and its counters with it. */
	uint64_t more = astray > flow->astray ? astray - flow->astray : 0;
	char why[VS_RULES_WHY_SIZE];

	flow->astray = astray;
	if (flow->quarantined)
		return false;
	if (flow->settling || flow->n_set == 0) {
		flow->settling = false;
		flow->counted = 0;
		return false;
	}
	/* Half of it is forgiven at each look: a trickle from outside disables no card. */
	flow->counted = flow->counted / 2 + more;
	if (flow->counted < VS_RULES_ASTRAY_MAX)
		return false;
	(void)snprintf(why, sizeof(why),
		       "quarantined: the card put %llu frames into queues of other ports",
		       (unsigned long long)flow->counted);
	(void)vs_rules_clear(flow);
	quarantine(flow, why);
	return true;
}

void vs_rules_release(struct vs_rules *flow)
{
	if (vs_rules_clear(flow) != 0)
		return;
	flow->quarantined = false;
	flow->why[0] = '\0';
}
