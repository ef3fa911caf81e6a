/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the resolver share. */
#ifndef VS_CONTROL_RESOLVER_PRIV_H
#define VS_CONTROL_RESOLVER_PRIV_H

#include "control/resolver.h"
#include "dataplane/core/limits.h"

#include <sys/queue.h>

enum {
	RESOLVER_BUCKETS = 1024,
};

/**
 * struct neighbour - one that peers are behind
 * @pa:		own address that asks; a copy
 */
struct neighbour {
	LIST_ENTRY(neighbour) in_bucket;
	TAILQ_ENTRY(neighbour) in_all;
	unsigned int sw;
	struct vs_ip ip;
	struct vs_pa pa;
	struct vs_hop hop;
	LIST_HEAD(, held_peer) peers;
};

/** struct held_peer - a peer, and what waits for it. @to: NULL: there is no way */
struct held_peer {
	LIST_ENTRY(held_peer) behind;
	struct vs_peer *peer;
	unsigned int sw;
	struct neighbour *to;
	struct vs_wait wait;
	struct vs_pmtu pmtu;
	uint64_t waited;
	uint64_t sent;
	uint64_t too_big;
};

/** struct own - an own address. @announce: so often still, the next time at @due_ms */
struct own {
	struct vs_pa pa;
	uint8_t announce;
	bool clashed;
	uint64_t due_ms;
	uint64_t defended_ms;
};

/** struct own_switch - own addresses and provider routes of a switch */
struct own_switch {
	struct own *own;
	struct vs_pa *pa; /* the same, in a row */
	uint32_t n_pas;
	struct vs_pa_route *route;
	uint32_t n_routes;
};

/**
 * struct vs_resolver - @peer: by index, @n_peers places
 * @pace_us:	when the limit of questions is full again
 */
struct vs_resolver {
	const struct vs_resolver_ops *ops;
	void *ctx;
	struct own_switch sw[VS_SWITCHES_MAX];
	struct held_peer **peer;
	uint32_t n_peers;
	uint64_t pace_us;
	struct vs_wait_room room;
	struct vs_resolver_counts counts;
	TAILQ_HEAD(, neighbour) all;
	LIST_HEAD(, neighbour) bucket[RESOLVER_BUCKETS];
};

/** resolver_find() - the neighbour of switch @sw that has @ip; NULL: nobody is behind it. */
struct neighbour *resolver_find(const struct vs_resolver *r, unsigned int sw,
				const struct vs_ip *ip);

/** resolver_join() - put a peer behind the neighbour that leads to it. Return: 0 or -ENOMEM. */
int resolver_join(struct vs_resolver *r, struct held_peer *p);

/** resolver_leave() - take it away from there. */
void resolver_leave(struct vs_resolver *r, struct held_peer *p);

/** resolver_step() - something happened to a neighbour: do what is to be done. */
void resolver_step(struct vs_resolver *r, struct neighbour *n, enum vs_hop_event event,
		   const struct rte_ether_addr *mac, uint64_t now_ms);

/** resolver_store() - let workers know what is known of the way to a peer. */
void resolver_store(const struct held_peer *p);

/** resolver_announce() - say who has an own address. */
void resolver_announce(struct vs_resolver *r, unsigned int sw, const struct vs_pa *pa);

/** resolver_self() - who asks, as frames say it. */
struct vs_neigh_self resolver_self(const struct vs_pa *pa);

#endif
