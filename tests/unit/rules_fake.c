/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/rules_fake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void fake_init(struct fake *fake, unsigned int queues)
{
	memset(fake, 0, sizeof(*fake));
	fake->capacity = FAKE_RULES_MAX;
	fake->queues = queues;
}

static void note(struct fake *fake, char what, unsigned int which)
{
	int n = snprintf(fake->log + fake->log_len, sizeof(fake->log) - fake->log_len, "%c%u ",
			 what, which);

	if (n > 0 && fake->log_len + (size_t)n < sizeof(fake->log))
		fake->log_len += (size_t)n;
}

static int fake_validate(void *card, const struct vs_rule *rule, char *why, size_t size)
{
	struct fake *fake = card;

	fake->calls++;
	if (fake->no_rules || (fake->no_tags && rule->tag == VS_RULES_TAGGED) ||
	    rule->queue >= fake->queues) {
		(void)snprintf(why, size, "not such a rule");
		return -ENOTSUP;
	}
	return 0;
}

static int fake_create(void *card, const struct vs_rule *rule, void **ret_handle, char *why,
		       size_t size)
{
	struct fake *fake = card;
	unsigned int i;

	fake->calls++;
	if (fake->refuse_nth && --fake->refuse_nth == 0) {
		(void)snprintf(why, size, "not now");
		return -EBUSY;
	}
	if (fake->n == fake->capacity) {
		(void)snprintf(why, size, "no room");
		return -ENOSPC;
	}
	for (i = 0; fake->used[i]; i++)
		;
	fake->rule[i] = *rule;
	fake->used[i] = true;
	fake->n++;
	note(fake, '+', rule->queue);
	*ret_handle = &fake->rule[i];
	return 0;
}

static int fake_destroy(void *card, void *handle)
{
	struct fake *fake = card;
	size_t i = (size_t)((struct vs_rule *)handle - fake->rule);

	fake->calls++;
	if (fake->keeps)
		return -EIO;
	if (i >= FAKE_RULES_MAX || !fake->used[i])
		return -EINVAL;
	fake->used[i] = false;
	fake->n--;
	note(fake, '-', fake->rule[i].queue);
	return 0;
}

static void fake_shut(void *card, uint16_t queue)
{
	struct fake *fake = card;

	fake->is_shut[queue] = true;
	note(fake, 's', queue);
}

static void fake_open(void *card, uint16_t queue)
{
	struct fake *fake = card;

	fake->is_shut[queue] = false;
	note(fake, 'o', queue);
}

static void fake_drain(void *card, uint16_t queue)
{
	note(card, 'd', queue);
}

const struct vs_rules_nic fake_nic = {
	.validate = fake_validate,
	.create = fake_create,
	.destroy = fake_destroy,
	.shut = fake_shut,
	.open = fake_open,
	.drain = fake_drain,
};

/* As a card does it: an 802.1Q tag is one, whatever stands behind it. */
static bool matches(const struct vs_rule *rule, const struct vs_pkt *pkt)
{
	const uint8_t *at = pkt->hdr;
	bool tagged;

	if (pkt->hdr_len < 14 || memcmp(at, &rule->mac, 6) != 0)
		return false;
	tagged = at[12] == 0x81 && at[13] == 0;
	if (!tagged || rule->tag == VS_RULES_UNTAGGED)
		return !tagged && rule->tag == VS_RULES_UNTAGGED;
	return pkt->hdr_len >= 18 && ((at[14] & 15) << 8 | at[15]) == rule->vid;
}

uint16_t fake_queue_of(struct fake *fake, const struct vs_pkt *pkt)
{
	unsigned int i;

	for (i = 0; i < FAKE_RULES_MAX; i++) {
		uint16_t queue = fake->rule[i].queue;

		if (!fake->used[i] || !matches(&fake->rule[i], pkt))
			continue;
		if (fake->astray_each && ++fake->sorted % fake->astray_each == 0)
			queue = (uint16_t)(1 + queue % (fake->queues - 1));
		return queue;
	}
	return 0;
}

int fake_has(const struct fake *fake, struct rte_ether_addr mac, enum vs_rules_tag tag,
	     uint16_t vid)
{
	unsigned int i;

	for (i = 0; i < FAKE_RULES_MAX; i++) {
		const struct vs_rule *rule = &fake->rule[i];

		if (fake->used[i] && rte_is_same_ether_addr(&rule->mac, &mac) && rule->tag == tag &&
		    rule->vid == vid)
			return rule->queue;
	}
	return -1;
}
