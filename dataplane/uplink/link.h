/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces, asked of the kernel and watched, over rtnetlink. */
#ifndef VS_UPLINK_LINK_H
#define VS_UPLINK_LINK_H

#include <rte_ether.h>

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct vs_link - an interface as it is now */
struct vs_link {
	char name[IFNAMSIZ];
	uint32_t index;
	uint32_t flags; /* IFF_* */
	uint32_t mtu;
	uint32_t master; /* bridge, bond or team it is a port of; 0: none */
	uint32_t promiscuity;
	uint32_t rx_queues; /* that it was made with */
	uint32_t prog_id;   /* XDP program, or 0 */
	uint16_t type;      /* ARPHRD_* */
	bool prog_native;   /* the driver runs it */
	bool has_mac;
	bool carrier;
	struct rte_ether_addr mac;
};

/**
 * vs_link_get() - ask for an interface, by its name or else by its index
 * @name:	or NULL
 *
 * Return: 0, -ENODEV, or -errno.
 */
int vs_link_get(const char *name, uint32_t index, struct vs_link *ret_link);

/** vs_link_near() - names of interfaces that look like @name, ", " between, or an empty text. */
void vs_link_near(const char *name, char *text, size_t size);

/** vs_link_name() - name of interface @index. Return: 0, or -ENODEV. */
int vs_link_name(uint32_t index, char name[IFNAMSIZ]);

/**
 * vs_link_set_flags() - set flags of an interface, and clear others
 * Return: 0, or -errno.
 */
int vs_link_set_flags(uint32_t index, uint32_t set, uint32_t clear);

/** vs_link_set_mtu() - set the MTU of an interface. Return: 0, or -errno. */
int vs_link_set_mtu(uint32_t index, uint32_t mtu);

/** vs_link_has_clsact() - has it a queueing discipline for filters? Return: 1, 0 or -errno. */
int vs_link_has_clsact(uint32_t index);

/** vs_link_has_filters() - are there filters in it? Return: 1, 0 or -errno. */
int vs_link_has_filters(uint32_t index);

struct vs_link_watch;
struct event_base;

/**
 * vs_link_watch_new() - have @changed called whenever something about an interface may have changed
 * Return: 0, or -errno.
 */
int vs_link_watch_new(struct event_base *base, uint32_t index, void (*changed)(void *ctx),
		      void *ctx, struct vs_link_watch **ret_watch);

/** vs_link_watch_del() - no more. NULL is fine. */
void vs_link_watch_del(struct vs_link_watch *watch);

#endif
