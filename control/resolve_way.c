/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve_way.h"

bool vs_prefix_is_of(const struct vs_prefix *prefix, const struct vs_ip *ip)
{
	return vs_ip_is4(&prefix->ip) == vs_ip_is4(ip) && vs_prefix_has(prefix, ip);
}

/* The own address whose prefix has @ip, and is the longest. Return: its index, or -1. */
static int64_t find_on_link(const struct vs_pa *pa, uint32_t n, const struct vs_ip *ip)
{
	int64_t best = -1;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (vs_prefix_is_of(&pa[i].prefix, ip) &&
		    (best < 0 || pa[i].prefix.len > pa[best].prefix.len))
			best = i;
	}
	return best;
}

/* Is route @a to be taken rather than @b, if that is one? */
static bool is_better(const struct vs_pa_route *a, const struct vs_pa_route *b)
{
	if (!b || a->prefix.len != b->prefix.len)
		return !b || a->prefix.len > b->prefix.len;
	return a->metric < b->metric;
}

bool vs_way_find(const struct vs_pa *pa, uint32_t n_pas, const struct vs_pa_route *route,
		 uint32_t n_routes, const struct vs_ip *remote, struct vs_way *ret_way)
{
	int64_t on_link = find_on_link(pa, n_pas, remote);
	const struct vs_pa_route *best = NULL;
	int64_t through = -1;
	uint32_t i;

	for (i = 0; i < n_routes; i++) {
		int64_t at;

		if (!vs_prefix_is_of(&route[i].prefix, remote) || !is_better(&route[i], best))
			continue;
		at = find_on_link(pa, n_pas, &route[i].via);
		if (at < 0)
			continue;
		best = &route[i];
		through = at;
	}
	if (on_link >= 0 && (!best || pa[on_link].prefix.len >= best->prefix.len))
		*ret_way = (struct vs_way){.pa = (uint32_t)on_link, .next_hop = *remote};
	else if (best)
		*ret_way = (struct vs_way){.pa = (uint32_t)through, .next_hop = best->via};
	return on_link >= 0 || best;
}
