/* SPDX-License-Identifier: BSD-3-Clause */
/* The dpdk uplink as its own files see it. */
#ifndef VS_UPLINK_DPDK_OBJ_H
#define VS_UPLINK_DPDK_OBJ_H

#include "dataplane/core/trylock.h"
#include "dataplane/uplink/rules.h"
#include "dataplane/uplink/uplink.h"

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

struct event;

/**
 * struct vs_dpdk_rxq - one receive queue, of the worker that polls it
 * @mbuf:	what the device gave last
 * @next:	the first one that was not yet made a packet; what stands before it is free to go
 *		at rx_done
 * @n:		how many there are
 * @unusual:	one of those before @next is no single buffer of the uplink's own pool
 * @shut:	control: nothing is taken from it for now
 * @fetched:	frames that the device ever gave
 * @dry:	how often it gave none
 */
struct vs_dpdk_rxq {
	uint16_t next;
	uint16_t n;
	bool unusual;
	uint8_t shut;
	uint64_t fetched;
	uint64_t dry;
	struct rte_mbuf *mbuf[VS_BURST_MAX];
} __rte_cache_aligned;

/** struct vs_dpdk_txq - one transmit queue; @lock is held by the worker that is at it */
struct vs_dpdk_txq {
	struct vs_trylock lock;
} __rte_cache_aligned;

/**
 * struct vs_dpdk_copies - frames of one burst on their way to the device
 * @of:		the frame of the burst that @mbuf is a copy of
 * @marked:	the device is to do something to one of them
 */
struct vs_dpdk_copies {
	struct rte_mbuf *mbuf[VS_BURST_MAX];
	uint8_t of[VS_BURST_MAX];
	uint16_t n;
	bool marked;
};

enum {
	/** Frames of a self-test that wait for control, of each queue. */
	VS_DPDK_TEST_FRAMES = 128,
};

/** Whose turn it is with what a self-test sends. */
enum vs_dpdk_order {
	VS_DPDK_ORDER_NONE, /* control's */
	VS_DPDK_ORDER_SEND, /* the worker's that visits the first queue */
	VS_DPDK_ORDER_DONE, /* control's again */
};

/**
 * struct vs_dpdk_back - frames of a self-test that one queue received
 * @head:	written by the worker
 * @tail:	written by control
 */
struct vs_dpdk_back {
	uint32_t head;
	uint32_t tail;
	struct rte_mbuf *mbuf[VS_DPDK_TEST_FRAMES];
};

/**
 * struct vs_dpdk_test - a self-test under way; workers see it as long as vs_dpdk.test points to it
 * @own:	frames to this address are the test's
 * @order:	enum vs_dpdk_order
 * @out:	what is to be sent, in one burst
 */
struct vs_dpdk_test {
	struct rte_ether_addr own;
	uint8_t order;
	struct vs_dpdk_copies out;
	struct vs_dpdk_back back[VS_DPDK_QUEUES_MAX];
};

/**
 * struct vs_dpdk_plan - how the device is configured for one MTU
 * @mtu:	of the port: bytes of an untagged frame without its header
 * @device_mtu:	what the driver is told; more, where it does not allow for a tag
 * @room:	payload bytes of one buffer
 * @mbufs:	in the pool
 * @bytes:	of memory for the pool
 * @caps:	what is left to the device in frames that go there, bits of enum vs_offload
 * @verifies:	its word that a checksum is good is believed
 */
struct vs_dpdk_plan {
	uint32_t mtu;
	uint16_t device_mtu;
	uint16_t queues;
	uint16_t rx_desc;
	uint16_t tx_desc;
	uint16_t room;
	uint32_t mbufs;
	uint64_t bytes;
	uint64_t rx_offloads;
	uint64_t tx_offloads;
	uint16_t caps;
	bool verifies;
};

/** struct vs_dpdk_host_if - an interface of the host that a driver works on, as it was before */
struct vs_dpdk_host_if {
	unsigned int index; /* 0: none */
	bool promisc;
	int mtu;
};

struct vs_dpdk {
	/* Read by workers; control changes it only while @running is 0 and nobody is inside. */
	uint8_t running;
	uint8_t link;
	uint16_t eth; /* DPDK's number of the device */
	uint16_t port;
	uint16_t queues;
	uint16_t room;
	uint16_t caps; /* enum vs_offload: left to the device */
	bool verifies; /* it is believed that a checksum is good */
	bool ip_csum;  /* it wants to be told to write the checksum of an IP header */
	uint32_t mtu;
	struct rte_mempool *pool;
	struct vs_dpdk_test *test; /* NULL: none is under way */
	struct vs_dpdk_rxq rxq[VS_DPDK_QUEUES_MAX];
	struct vs_dpdk_txq txq[VS_DPDK_QUEUES_MAX];

	/* Control's own. */
	struct vs_dpdk_env env;
	struct event *tick;
	enum vs_dpdk_state state;
	struct vs_dpdk_plan plan;
	struct vs_rules flow;
	bool sorts; /* it was given queues for it */
	struct vs_dpdk_host_if host_if;
	uint32_t mtu_max;
	bool attached;
	const char *bus;
	char device[RTE_DEV_NAME_MAX_LEN];
	char devargs[VS_DPDK_DEVARGS_MAX];
	char name[VS_NAME_MAX];
	char driver[32];
	char stopped_why[120];
	unsigned int quarantine;          /* enum vs_offload: claimed, and not done */
	struct vs_selftest_report tested; /* the last time */
	void (*changed)(void *ctx);
	void *ctx;
};

/** vs_dpdk_refuse() - write the sentence and return @err, so that a refusal is one statement. */
int vs_dpdk_refuse(struct vs_dpdk_why *why, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- dpdk_args.c: what the user wrote */

/** struct vs_dpdk_name - the device that devargs name */
struct vs_dpdk_name {
	const char *bus; /* lives as long as the EAL */
	char device[RTE_DEV_NAME_MAX_LEN];
};

/**
 * vs_dpdk_args_check() - read devargs, and refuse what must not be probed
 * Return: 0 and the device in *@ret_name, or -errno and *@ret_why as vs_dpdk_new() says.
 */
int vs_dpdk_args_check(const struct vs_dpdk_env *env, const char *devargs, enum vs_dpdk_force force,
		       struct vs_dpdk_name *ret_name, struct vs_dpdk_why *ret_why);

/** vs_dpdk_pci_check_at() - vs_dpdk_check_pci() of a folder like /sys/bus/pci/devices. */
int vs_dpdk_pci_check_at(const char *folder, const char *addr, enum vs_dpdk_force force,
			 struct vs_dpdk_why *ret_why);

/* ---- dpdk_pool.c: memory */

/** vs_dpdk_pool_size() - fill in @plan->mbufs and @plan->bytes from queues, rings and room. */
void vs_dpdk_pool_size(struct vs_dpdk_plan *plan);

/**
 * vs_dpdk_pool_new() - make the pool
 * @node:	NUMA node that it is to be on, if there is room; -1: any
 *
 * Return: 0, or -ENOMEM and *@ret_why.
 */
int vs_dpdk_pool_new(const struct vs_dpdk_plan *plan, uint16_t port, int node,
		     struct rte_mempool **ret_pool, struct vs_dpdk_why *ret_why);

/** vs_dpdk_pool_no_memory() - the refusal that says how much memory to start the daemon with. */
int vs_dpdk_pool_no_memory(uint64_t bytes, struct vs_dpdk_why *ret_why);

/**
 * vs_dpdk_pool_put() - free a pool, now, or when all its buffers are back
 *
 * Devices that pass buffers on (two net_ring that share a ring) may hold some of them. NULL is
 * fine.
 */
void vs_dpdk_pool_put(struct rte_mempool *pool);

/** vs_dpdk_pools_waiting() - pools that wait for buffers. */
unsigned int vs_dpdk_pools_waiting(void);

/* ---- dpdk_plan.c */

/** vs_dpdk_plan_make() - decide how to run it. Return: 0, or -errno and *@ret_why. */
int vs_dpdk_plan_make(struct vs_dpdk *dpdk, unsigned int queues, uint32_t mtu,
		      struct vs_dpdk_plan *ret_plan, struct vs_dpdk_why *ret_why);

/* ---- dpdk_offload.c: what is left to the device */

/** vs_dpdk_offload_plan() - decide what is left to it, and what that takes; after the buffers. */
void vs_dpdk_offload_plan(const struct vs_dpdk *dpdk, const struct rte_eth_dev_info *info,
			  struct vs_dpdk_plan *plan);

/**
 * vs_dpdk_offload_mark() - worker: ask the device for what a packet owes
 * @m:		its copy; the headers stand in the first piece
 * @pkt:	owes nothing but what the device can do
 */
void vs_dpdk_offload_mark(const struct vs_dpdk *dpdk, struct rte_mbuf *m, const struct vs_pkt *pkt);

/**
 * vs_dpdk_offload_prepare() - worker: let the driver bring marked frames into its own form
 * @copies:	those that the driver refuses are freed and taken out
 * @fate:	of the frames that are taken out: gso_failed
 */
void vs_dpdk_offload_prepare(const struct vs_dpdk *dpdk, uint16_t queue,
			     struct vs_dpdk_copies *copies, uint8_t *fate);

/* ---- dpdk_dev.c: the device */

/** vs_dpdk_dev_attach() - probe it and find its number. Return: 0, or -errno and *@ret_why. */
int vs_dpdk_dev_attach(struct vs_dpdk *dpdk, enum vs_dpdk_force force, struct vs_dpdk_why *ret_why);

/** vs_dpdk_dev_detach() - close it, remove it, and put the host's interface back as it was. */
void vs_dpdk_dev_detach(struct vs_dpdk *dpdk);

/**
 * vs_dpdk_dev_start() - configure it as planned, with @pool, and start it
 *
 * Return: 0, or -errno and *@ret_why, with the device stopped.
 */
int vs_dpdk_dev_start(struct vs_dpdk *dpdk, const struct vs_dpdk_plan *plan,
		      struct rte_mempool *pool, struct vs_dpdk_why *ret_why);

/** vs_dpdk_dev_stop() - stop it, after fetching what it has received. */
void vs_dpdk_dev_stop(struct vs_dpdk *dpdk);

/** vs_dpdk_set_queues() - start it anew with @queues hw queues. As vs_dpdk_set_mtu(). */
int vs_dpdk_set_queues(struct vs_dpdk *dpdk, unsigned int queues, struct vs_dpdk_why *ret_why);

/* ---- dpdk_sort.c */

/** What the device does with rules; the card is a struct vs_dpdk. */
extern const struct vs_rules_nic vs_dpdk_flow_nic;

/** vs_dpdk_rules_drop() - it is about to be stopped: it has no rules any more. */
void vs_dpdk_rules_drop(struct vs_dpdk *dpdk);

/* ---- dpdk_ops.c */

/** vs_dpdk_ops_drain() - control, nobody inside: give back what the receive queues hold. */
void vs_dpdk_ops_drain(struct vs_dpdk *dpdk);

/**
 * vs_dpdk_ops_copy() - copy a packet as for sending; what it owes is asked of the device
 * Return: the copy, or NULL: the pool is empty.
 */
struct rte_mbuf *vs_dpdk_ops_copy(const struct vs_dpdk *dpdk, const struct vs_pkt *pkt);

/* ---- dpdk_sift.c */

/**
 * vs_dpdk_sift() - worker, while a self-test is under way: do its part in it
 * @pair:	whose queue was just filled; the test's frames are taken out of it
 */
void vs_dpdk_sift(struct vs_dpdk *dpdk, struct vs_dpdk_test *test, unsigned int pair);

/* ---- dpdk_test.c */

/** vs_dpdk_test_apply() - leave to the device what it claims and is not in quarantine. */
void vs_dpdk_test_apply(struct vs_dpdk *dpdk);

#endif
