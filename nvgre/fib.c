/* SPDX-License-Identifier: BSD-3-Clause */
#include "nvgre/fib.h"

#include "nvgre/nd.h"

#include <rte_hash.h>

enum {
	/* Bits of an IPv4-mapped address in front of the IPv4 one. */
	MAPPED_BITS = 96,
	IP_BITS = 128,
};

static const struct vs_record *find(const struct rte_hash *table, const void *key)
{
	void *record;

	return table && rte_hash_lookup_data(table, key, &record) >= 0 ? record : NULL;
}

const struct vs_record *vs_fib_by_mac(const struct vs_nvgre *nv, uint32_t vsid,
				      const struct rte_ether_addr *mac)
{
	const struct vs_record_mac_key key = {.vsid = vsid, .mac = *mac};

	return find(nv->by_mac, &key);
}

const struct vs_record *vs_fib_by_ca(const struct vs_nvgre *nv, uint32_t vsid,
				     const struct vs_ip *ca)
{
	const struct vs_record_ca_key key = {.vsid = vsid, .ca = *ca};

	return find(nv->by_ca, &key);
}

const struct vs_ca_route *vs_fib_route(const struct vs_nvgre *nv, uint16_t rd,
				       const struct vs_ip *dst)
{
	const struct vs_rd *domain = &nv->rd[rd];
	uint32_t i;

	for (i = 0; i < domain->n_routes; i++) {
		const struct vs_prefix *prefix = &domain->route[i].prefix;

		/* The default route of IPv6 is no way to an IPv4 address. */
		if (vs_prefix_has(prefix, dst) && vs_ip_is4(&prefix->ip) == vs_ip_is4(dst))
			return &domain->route[i];
	}
	return NULL;
}

bool vs_fib_is_gateway(const struct vs_subnet *subnet, const struct vs_ip *ip)
{
	struct vs_ip link_local;
	unsigned int i;

	if (subnet->flags & VS_SUBNET_EXTERNAL)
		return false;
	for (i = 0; i < subnet->n_gateways; i++) {
		if (vs_ip_equal(&subnet->gateway[i].ip, ip))
			return true;
	}
	if (ip->b[0] != 0xfe || !vs_nd_gateway(subnet))
		return false;
	link_local = vs_nd_link_local(&subnet->router);
	return vs_ip_equal(&link_local, ip);
}

const struct vs_prefix *vs_fib_gateway(const struct vs_subnet *subnet, const struct vs_ip *ip)
{
	const struct vs_prefix *first = NULL;
	unsigned int i;

	if (subnet->flags & VS_SUBNET_EXTERNAL)
		return NULL;
	for (i = 0; i < subnet->n_gateways; i++) {
		const struct vs_prefix *gateway = &subnet->gateway[i];

		if (vs_ip_is4(&gateway->ip) != vs_ip_is4(ip))
			continue;
		if (vs_prefix_has(gateway, ip))
			return gateway;
		if (!first)
			first = gateway;
	}
	return first;
}

/* Are all bits of @ip from @from on set? */
static bool ends_in_ones(const struct vs_ip *ip, unsigned int from)
{
	unsigned int i;

	for (i = from; i < IP_BITS; i++) {
		if (!(ip->b[i / 8] & (0x80 >> i % 8)))
			return false;
	}
	return true;
}

bool vs_fib_is_broadcast(const struct vs_subnet *subnet, const struct vs_ip *ip)
{
	unsigned int i;

	if (!vs_ip_is4(ip))
		return false;
	for (i = 0; i < subnet->n_gateways; i++) {
		const struct vs_prefix *on_link = &subnet->gateway[i];

		/* Of two addresses, or one, none is for all (RFC 3021). */
		if (on_link->len >= MAPPED_BITS && on_link->len < IP_BITS - 1 &&
		    vs_prefix_has(on_link, ip) && ends_in_ones(ip, on_link->len))
			return true;
	}
	return false;
}
