/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/metrics_place.h"

#include <event2/util.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static bool is_loopback(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;

	if (addr->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return addr->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static bool has_port(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;

	return addr->ss_family == AF_INET ? v4->sin_port != 0 : v6->sin6_port != 0;
}

int vs_metrics_place_parse(const char *text, struct vs_metrics_place *ret_place,
			   char why[VS_METRICS_WHY_SIZE])
{
	static const char prefix[] = "unix:";
	struct vs_metrics_place place = {.path = NULL};
	int len = sizeof(place.addr);

	if (strncmp(text, prefix, sizeof(prefix) - 1) == 0) {
		place.path = text + sizeof(prefix) - 1;
		if (place.path[0] &&
		    strlen(place.path) < sizeof(((struct sockaddr_un *)0)->sun_path)) {
			*ret_place = place;
			return 0;
		}
		(void)snprintf(why, VS_METRICS_WHY_SIZE,
			       "the path behind unix: must have 1 to %zu bytes",
			       sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return -EINVAL;
	}
	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&place.addr, &len) ||
	    !has_port(&place.addr)) {
		(void)snprintf(why, VS_METRICS_WHY_SIZE,
			       "'%.60s' is none of unix:PATH, 127.0.0.1:PORT, [::1]:PORT", text);
		return -EINVAL;
	}
	if (!is_loopback(&place.addr)) {
		(void)snprintf(why, VS_METRICS_WHY_SIZE,
			       "'%.60s' is no loopback address: who may see the counters from "
			       "elsewhere is a matter of a proxy in front",
			       text);
		return -EINVAL;
	}
	place.len = (socklen_t)len;
	*ret_place = place;
	return 0;
}
