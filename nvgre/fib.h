/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions to the tables of tenant networks: who has an address, and which way leads to one.
 */
#ifndef VS_NVGRE_FIB_H
#define VS_NVGRE_FIB_H

#include "dataplane/core/nvgre.h"

/** vs_fib_by_mac() - the record of a MAC in a virtual subnet, or NULL. */
const struct vs_record *vs_fib_by_mac(const struct vs_nvgre *nv, uint32_t vsid,
				      const struct rte_ether_addr *mac);

/** vs_fib_by_ca() - the record of a customer address in a virtual subnet, or NULL. */
const struct vs_record *vs_fib_by_ca(const struct vs_nvgre *nv, uint32_t vsid,
				     const struct vs_ip *ca);

/**
 * vs_fib_route() - the customer route to @dst of routing domain @rd (an index), or NULL
 *
 * The first that matches: control sorts them by length, then by metric.
 */
const struct vs_ca_route *vs_fib_route(const struct vs_nvgre *nv, uint16_t rd,
				       const struct vs_ip *dst);

/** vs_fib_is_gateway() - does the router of @subnet have this address there? */
bool vs_fib_is_gateway(const struct vs_subnet *subnet, const struct vs_ip *ip);

/**
 * vs_fib_gateway() - the address that the router of @subnet speaks with to @ip: the gateway in
 * whose prefix @ip is, or else the first of its kind; NULL: it has none of that kind
 */
const struct vs_prefix *vs_fib_gateway(const struct vs_subnet *subnet, const struct vs_ip *ip);

/** vs_fib_is_broadcast() - the broadcast address of a prefix of @subnet (RFC 1812, 4.2.2.11)? */
bool vs_fib_is_broadcast(const struct vs_subnet *subnet, const struct vs_ip *ip);

/** vs_fib_room() - bytes of a customer's IP packet that fit on the way to a peer. */
static inline uint16_t vs_fib_room(const struct vs_peer *peer)
{
	uint16_t cost = peer->is4 ? VS_NVGRE_COST4 : VS_NVGRE_COST6;
	uint16_t mtu = __atomic_load_n(&peer->mtu, __ATOMIC_RELAXED);

	return mtu > cost ? (uint16_t)(mtu - cost) : 0;
}

#endif
