/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The buffers of a dpdk uplink: one pool for each, as large as what its rings can hold, so that no
 * uplink starves another one.
 *
 * DOC: theory of operation
 *
 * A pool can be freed when all its buffers are back. Closing a device gives back what its rings
 * hold, with one exception: drivers that pass buffers on as they are (net_ring). What lies in a
 * ring that two devices share comes back when the other one has fetched it. Such a pool waits in a
 * list that is looked through each time a pool is made or put.
 */
#include "dataplane/uplink/dpdk_obj.h"

#include "dataplane/core/log.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
	CACHE = 128, /* buffers kept by each worker */
	MIB = 1024 * 1024,
	/* What the queues themselves take, beside the pool: unknown, and small. */
	SLACK_BYTES = MIB,
	WAITING_MAX = RTE_MAX_ETHPORTS,
};

static struct rte_mempool *waiting[WAITING_MAX];

void vs_dpdk_pool_size(struct vs_dpdk_plan *plan)
{
	const uint32_t element =
		(uint32_t)sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM + plan->room;
	/* A full burst in hand, received or about to be sent, in pieces of @room. */
	const uint32_t longest = plan->caps & VS_OFFLOAD_TSO4 ? UINT16_MAX : plan->mtu;
	const uint32_t pieces = (longest + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN) / plan->room + 1;
	const uint32_t per_queue =
		(uint32_t)plan->rx_desc + plan->tx_desc + 2 * VS_BURST_MAX * pieces;

	plan->mbufs = plan->queues * per_queue + (rte_lcore_count() + 1) * CACHE * 3 / 2;
	plan->bytes = (uint64_t)plan->mbufs *
		      (rte_mempool_calc_obj_size(element, 0, NULL) + sizeof(void *));
}

/* Bytes of DPDK's memory: all of it, and what is free. */
static void count_memory(uint64_t *ret_total, uint64_t *ret_free)
{
	struct rte_malloc_socket_stats stats;
	uint64_t total = 0;
	uint64_t free_bytes = 0;
	unsigned int i;

	for (i = 0; i < rte_socket_count(); i++) {
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) != 0)
			continue;
		total += stats.heap_totalsz_bytes;
		free_bytes += stats.heap_freesz_bytes;
	}
	*ret_total = total;
	*ret_free = free_bytes;
}

int vs_dpdk_pool_no_memory(uint64_t bytes, struct vs_dpdk_why *ret_why)
{
	uint64_t total;
	uint64_t free_bytes;
	uint64_t want;

	count_memory(&total, &free_bytes);
	/* Once more as much as is missing: the free bytes may lie in pieces. */
	want = total + bytes + SLACK_BYTES;
	return vs_dpdk_refuse(ret_why, -ENOMEM,
			      "the uplink's buffers take %" PRIu64 " MiB, and %" PRIu64
			      " are free: start vmswitchd with --memory %" PRIu64 " or more",
			      (bytes + MIB - 1) / MIB, free_bytes / MIB, (want + MIB - 1) / MIB);
}

/* Free the pools whose buffers are all back. */
static void look_through(void)
{
	unsigned int i;

	for (i = 0; i < WAITING_MAX; i++) {
		if (waiting[i] && rte_mempool_full(waiting[i])) {
			rte_mempool_free(waiting[i]);
			waiting[i] = NULL;
		}
	}
}

int vs_dpdk_pool_new(const struct vs_dpdk_plan *plan, uint16_t port, int node,
		     struct rte_mempool **ret_pool, struct vs_dpdk_why *ret_why)
{
	const uint16_t room = (uint16_t)(RTE_PKTMBUF_HEADROOM + plan->room);
	static uint32_t serial;
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;
	uint64_t total;
	uint64_t free_bytes;

	look_through();
	count_memory(&total, &free_bytes);
	if (free_bytes < plan->bytes + SLACK_BYTES)
		return vs_dpdk_pool_no_memory(plan->bytes, ret_why);
	/* A number: an old pool of the same port may still wait. */
	(void)snprintf(name, sizeof(name), "up%u-%u", port, serial++);
	pool = rte_pktmbuf_pool_create(name, plan->mbufs, CACHE, 0, room, node);
	/* Rather far away than not at all. */
	if (!pool && rte_errno == ENOMEM && node != SOCKET_ID_ANY)
		pool = rte_pktmbuf_pool_create(name, plan->mbufs, CACHE, 0, room, SOCKET_ID_ANY);
	if (!pool && rte_errno == ENOMEM)
		return vs_dpdk_pool_no_memory(plan->bytes, ret_why);
	if (!pool)
		return vs_dpdk_refuse(ret_why, rte_errno ? -rte_errno : -EIO,
				      "no buffers for the uplink: %s", rte_strerror(rte_errno));
	*ret_pool = pool;
	return 0;
}

void vs_dpdk_pool_put(struct rte_mempool *pool)
{
	unsigned int i;

	look_through();
	if (!pool)
		return;
	if (rte_mempool_full(pool)) {
		rte_mempool_free(pool);
		return;
	}
	for (i = 0; i < WAITING_MAX; i++) {
		if (!waiting[i]) {
			waiting[i] = pool;
			return;
		}
	}
	/* Freed now, a buffer that comes back later would go to whoever has the memory then. */
	vs_log(VS_LOG_WARNING, "%u buffers of an uplink never came back; their memory is lost",
	       rte_mempool_in_use_count(pool));
}

unsigned int vs_dpdk_pools_waiting(void)
{
	unsigned int n = 0;
	unsigned int i;

	look_through();
	for (i = 0; i < WAITING_MAX; i++)
		n += waiting[i] != NULL;
	return n;
}
