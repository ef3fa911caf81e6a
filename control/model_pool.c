/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pool of addresses for ports that ask for one (`mac auto`).
 *
 * 4,096 addresses, four times the ports that there can be. The pool of a host is its own by
 * the machine's id, as hosts on one network must not give out the same ones; --mac-pool sets
 * another. A port's name decides where in the pool the search begins, so that the same
 * configuration gets the same addresses after a restart.
 */
#include "control/port_kind.h"

#include "control/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	POOL_BITS = 12,
	POOL_SIZE = 1 << POOL_BITS,
};

_Static_assert((int)POOL_SIZE > (int)VS_PORTS_MAX, "an address for every port");

/* FNV-1a (Fowler, Noll, Vo): stable over versions and machines, which the C library's are not. */
static uint32_t hash(const char *text, size_t len)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (uint8_t)text[i]) * 16777619u;
	return h;
}

/* 00-15-5D and 12 bits of the machine's own: the range that guests of this model expect. */
static struct rte_ether_addr machine_pool(void)
{
	char id[64];
	ssize_t n = -1;
	uint32_t h;
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, id, sizeof(id));
		(void)close(fd);
	}
	if (n <= 0) {
		(void)gethostname(id, sizeof(id));
		n = (ssize_t)strnlen(id, sizeof(id));
	}
	h = hash(id, (size_t)n);
	return (struct rte_ether_addr){
		{0x00, 0x15, 0x5d, (uint8_t)(h >> 8), (uint8_t)(h & 0xf0), 0}};
}

/* By anybody but the port called @name, which may keep its own. */
static bool is_taken(const struct vs_model *m, const char *name, const struct rte_ether_addr *mac)
{
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = m->port[i];

		if (!port)
			continue;
		if (rte_is_same_ether_addr(&port->cluster, mac) ||
		    rte_is_same_ether_addr(&port->host_mac, mac) || model_has_static(port, mac))
			return true;
		if (rte_is_same_ether_addr(&port->mac, mac) && strcmp(port->name, name) != 0)
			return true;
	}
	return false;
}

int model_pool_take(const struct vs_model *m, const char *name, struct rte_ether_addr *ret_mac,
		    struct vs_fail *fail)
{
	struct rte_ether_addr base = m->env.pool;
	uint32_t first = hash(name, strlen(name));
	uint32_t i;

	if (rte_is_zero_ether_addr(&base))
		base = machine_pool();
	for (i = 0; i < POOL_SIZE; i++) {
		uint32_t n = (first + i) & (POOL_SIZE - 1);
		struct rte_ether_addr mac = base;

		mac.addr_bytes[4] = (uint8_t)((mac.addr_bytes[4] & 0xf0) | n >> 8);
		mac.addr_bytes[5] = (uint8_t)n;
		if (is_taken(m, name, &mac))
			continue;
		*ret_mac = mac;
		return 0;
	}
	return vs_fail_set(fail, -ENOSPC, VS_ATTR_MAC,
			   "all %d addresses of the pool are taken; give one with mac", POOL_SIZE);
}
