/* SPDX-License-Identifier: BSD-3-Clause */
/* Which neighbour a provider address is behind: on-link prefixes and provider routes. */
#ifndef VS_CONTROL_RESOLVE_WAY_H
#define VS_CONTROL_RESOLVE_WAY_H

#include "dataplane/core/nvgre.h"

/** struct vs_pa_route - a provider route: what is in @prefix is behind @via */
struct vs_pa_route {
	struct vs_prefix prefix;
	struct vs_ip via;
	uint32_t metric;
};

/** struct vs_way - @pa: index of the own address that is on-link to @next_hop */
struct vs_way {
	uint32_t pa;
	struct vs_ip next_hop;
};

/** vs_prefix_is_of() - is @ip in the prefix, and of its family? (::/0 has no IPv4 address.) */
bool vs_prefix_is_of(const struct vs_prefix *prefix, const struct vs_ip *ip);

/**
 * vs_way_find() - the neighbour that frames for @remote are handed to
 * @pa, @n_pas:	own addresses: what is in their prefixes is on-link
 * @route, @n_routes: in any order
 *
 * Longest prefix, then on-link before a route, then lowest metric, then the first. A route whose
 * @via is not on-link leads nowhere.
 *
 * Return: true and *@ret_way, or false: there is no way.
 */
bool vs_way_find(const struct vs_pa *pa, uint32_t n_pas, const struct vs_pa_route *route,
		 uint32_t n_routes, const struct vs_ip *remote, struct vs_way *ret_way);

#endif
