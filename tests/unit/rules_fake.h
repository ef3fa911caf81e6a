/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A card with flow rules that is none: it keeps a list of rules, sorts frames by them, and makes
 * the mistakes it is told to.
 */
#ifndef VS_TESTS_UNIT_FLOW_FAKE_H
#define VS_TESTS_UNIT_FLOW_FAKE_H

#include "dataplane/core/pkt.h"
#include "dataplane/uplink/rules.h"

enum {
	FAKE_RULES_MAX = 256,
};

/**
 * struct fake - the card
 * @capacity:	rules that it has room for
 * @no_rules:	it refuses each at validate()
 * @no_tags:	it refuses rules of tagged frames at validate()
 * @refuse_nth:	the n-th create() from now fails, 0: none
 * @keeps:	it does not let go of rules
 * @astray_each: one in so many frames of rules goes to the next queue; 0: none
 * @log:	rules made (+) and taken away (-), queues shut, opened and drained (s, o, d)
 */
struct fake {
	struct vs_rule rule[FAKE_RULES_MAX];
	bool used[FAKE_RULES_MAX];
	unsigned int n;
	unsigned int capacity;
	unsigned int queues;
	bool no_rules;
	bool no_tags;
	bool keeps;
	unsigned int refuse_nth;
	unsigned int astray_each;
	unsigned int sorted;
	unsigned int calls;
	bool is_shut[VS_RULES_QUEUES_MAX];
	char log[4096];
	size_t log_len;
};

extern const struct vs_rules_nic fake_nic;

/** fake_init() - a card of @queues queues with room for FAKE_RULES_MAX rules. */
void fake_init(struct fake *fake, unsigned int queues);

/** fake_queue_of() - the queue that the card puts a frame into, by its bytes alone. */
uint16_t fake_queue_of(struct fake *fake, const struct vs_pkt *pkt);

/** fake_has() - the queue of the rule for these frames, or -1: there is none. */
int fake_has(const struct fake *fake, struct rte_ether_addr mac, enum vs_rules_tag tag,
	     uint16_t vid);

#endif
