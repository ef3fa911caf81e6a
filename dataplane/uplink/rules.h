/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of guests' ports on a card that sorts by rules: which rules it is given, and what becomes
 * of it if it does not keep to them. doc/vmq.md says what a queue is.
 */
#ifndef VS_RULES_H
#define VS_RULES_H

#include "dataplane/core/vmq.h"
#include "dataplane/uplink/uplink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Queues of a card, the default one included. */
	VS_RULES_QUEUES_MAX = 64,
	/* Frames in a wrong queue, after which the card is not believed any more. */
	VS_RULES_ASTRAY_MAX = 64,
	VS_RULES_WHY_SIZE = 120,
};

/** What a rule asks of a frame's tag. */
enum vs_rules_tag {
	VS_RULES_UNTAGGED,
	VS_RULES_TAGGED,
};

/** struct vs_rule - frames to @mac with such a tag go into @queue; @vid: of TAGGED ones */
struct vs_rule {
	struct rte_ether_addr mac;
	uint16_t tag; /* enum vs_rules_tag */
	uint16_t vid;
	uint16_t queue;
};

/**
 * struct vs_rules_nic - what a card does for this, on the control thread
 *
 * Frames themselves come by vs_port_ops.rx of the card's port, by queue.
 */
struct vs_rules_nic {
	/** Would it take this rule? Return: 0, or -errno and a sentence in @why. */
	int (*validate)(void *card, const struct vs_rule *rule, char *why, size_t size);

	/** Return: 0 and the rule's handle, or -errno and a sentence in @why, and no rule. */
	int (*create)(void *card, const struct vs_rule *rule, void **ret_handle, char *why,
		      size_t size);

	/** Return: 0, or -errno and the rule is still there, or may be. */
	int (*destroy)(void *card, void *handle);

	/** Frames stay in @queue until open(); when it returns, no worker is taking any. */
	void (*shut)(void *card, uint16_t queue);
	void (*open)(void *card, uint16_t queue);

	/** Wait, with an end, until workers have done with what is in @queue. */
	void (*drain)(void *card, uint16_t queue);
};

/** struct vs_rules_set - a rule that the card has */
struct vs_rules_set {
	struct vs_rule rule;
	void *handle;
	bool stays; /* while rules are changed: it is among those that are wanted */
};

/**
 * struct vs_rules - the rules of one card
 * @owner:	port whose queue it is, by queue; 0 is the default one and nobody's
 * @asked:	what was wanted last, and so need not be done again
 * @result:	of that
 * @astray:	frames in wrong queues, as they were counted last
 * @counted:	of those, since the rules were changed; half is forgiven at each look
 * @settling:	rules were changed since they were counted
 * @quarantined: the card did what it was not told; it has no rules until vs_rules_release()
 */
struct vs_rules {
	const struct vs_rules_nic *nic;
	void *card;
	uint16_t queues;
	uint16_t owner[VS_RULES_QUEUES_MAX];
	struct vs_rules_set set[3 * VS_RULES_FILTERS_MAX];
	uint32_t n_set;
	struct vs_rules_filter asked[VS_RULES_FILTERS_MAX];
	uint32_t n_asked;
	uint16_t native;
	bool was_asked;
	int result;
	uint64_t astray;
	uint64_t counted;
	bool settling;
	bool quarantined;
	char why[VS_RULES_WHY_SIZE];
};

/** vs_rules_init() - a card without rules and with no queue but the default one. */
void vs_rules_init(struct vs_rules *flow, const struct vs_rules_nic *nic, void *card);

/**
 * vs_rules_set_queues() - how many queues the card has, the default one included
 *
 * Only while it has no rules (vs_rules_clear(), vs_rules_forget()).
 */
void vs_rules_set_queues(struct vs_rules *flow, unsigned int queues);

/**
 * vs_rules_probe() - would the card take a rule like this one, to its default queue?
 * Return: 0, or -errno and the reason in @flow->why.
 */
int vs_rules_probe(struct vs_rules *flow, const struct vs_rules_filter *filter, uint16_t native);

/**
 * vs_rules_apply() - let the card have the rules for these filters, and no others
 * @filter:	@n of them (more than VS_RULES_FILTERS_MAX are not looked at), those of a port one
 *		behind the other; a port further in front has a queue rather than one behind it
 * @native:	VLAN of frames without a tag, or with one that says only a priority
 *
 * A filter that the card does not take, or a port without a queue, is the default queue's: frames
 * are the same, only the queue is another.
 *
 * Return: 0, if the card has some of them, or none is wanted; else -errno, @flow->why, and it has
 * none: what it said of the first one, -ENOSPC it has one queue only, -EIO it is quarantined.
 */
int vs_rules_apply(struct vs_rules *flow, const struct vs_rules_filter *filter, unsigned int n,
		   uint16_t native);

/**
 * vs_rules_clear() - take all rules away
 * Return: 0, or -EIO: the card does not let go of one, and is quarantined.
 */
int vs_rules_clear(struct vs_rules *flow);

/** vs_rules_forget() - the card was stopped, and has lost its rules. */
void vs_rules_forget(struct vs_rules *flow);

/**
 * vs_rules_judge() - once a second: is the card quarantined from now on?
 * @astray:	frames that came by a port's queue and are not for it, all that ever were
 *
 * Frames that were on their way while rules were changed are not held against it. Return: true,
 * with the reason in @flow->why and all rules taken away.
 */
bool vs_rules_judge(struct vs_rules *flow, uint64_t astray);

/** vs_rules_release() - the user has queues on again: the card gets another chance. */
void vs_rules_release(struct vs_rules *flow);

/** vs_rules_owner() - the port that queue @queue is for, or VS_VMQ_DEFAULT: anybody. */
uint16_t vs_rules_owner(const struct vs_rules *flow, unsigned int queue);

#endif
