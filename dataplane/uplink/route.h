/* SPDX-License-Identifier: BSD-3-Clause */
/* Does this interface carry the host's default route? */
#ifndef VS_UPLINK_ROUTE_H
#define VS_UPLINK_ROUTE_H

/**
 * vs_route_is_default() - does a default route of the host go out through an interface?
 * @ifname:	interface of this network namespace
 *
 * IPv4 and IPv6, in any routing table, of several next hops each one. A route over an interface
 * that stands on @ifname (a bridge, bond or team that it is a port of, a VLAN or tunnel on it)
 * counts as well.
 *
 * Return: 1 or 0; -ENODEV there is no such interface; or what the kernel answered.
 */
int vs_route_is_default(const char *ifname);

#endif
