/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All neighbours of all provider addresses, and the peers behind them: who is asked, what waits,
 * how much gets there.
 *
 * It sends by a function that it is given and is told the time, so tests run it alone. Control
 * thread only. Workers see what it stores into struct vs_peer: @next_hop and @mtu.
 */
#ifndef VS_CONTROL_RESOLVER_H
#define VS_CONTROL_RESOLVER_H

#include "control/resolve.h"
#include "control/resolve_frame.h"
#include "control/resolve_way.h"

struct vs_resolver;

enum {
	/**
	 * Questions a second, of all neighbours together, and how many at once: no more than find
	 * room on their way out beside frames that waited.
	 */
	VS_RESOLVER_ASKS = 200,
	VS_RESOLVER_BURST = 32,
	/** An own address that somebody else claims is defended so often (RFC 5227, 2.4). */
	VS_RESOLVER_DEFEND_MS = 10000,
	/** An own address is announced twice, so far apart (RFC 5227, 3). */
	VS_RESOLVER_ANNOUNCE_MS = 2000,
	VS_RESOLVER_ANNOUNCES = 2,
};

/** What there is to tell. */
enum vs_resolver_what {
	VS_RESOLVER_FAILED, /* nobody answers for @ip */
	VS_RESOLVER_BACK,   /* somebody does again */
	VS_RESOLVER_MOVED,  /* @ip has another MAC: @before, @mac */
	VS_RESOLVER_CLASH,  /* @mac claims the own address @ip */
	VS_RESOLVER_MTU,    /* packets to the peer @ip may have @mtu bytes */
};

/** struct vs_resolver_news - something to tell about */
struct vs_resolver_news {
	enum vs_resolver_what what;
	unsigned int sw;
	struct vs_ip ip;
	struct rte_ether_addr mac;
	struct rte_ether_addr before;
	uint16_t mtu;
};

/**
 * struct vs_resolver_ops - what it works with
 * @send:	a complete frame goes out by the uplink of switch @sw, from own address @pa; copied.
 *		Returns false: there is no room, and it is lost
 * @tell:	something happened
 */
struct vs_resolver_ops {
	bool (*send)(void *ctx, unsigned int sw, const struct vs_pa *pa, const uint8_t *frame,
		     uint32_t len);
	void (*tell)(void *ctx, const struct vs_resolver_news *news);
};

/**
 * struct vs_peer_view - a peer as shown
 * @next_hop:	the neighbour it is behind; @ways: there is one
 * @age_ms:	since the neighbour answered last; UINT64_MAX: it never did
 * @held:	frames that wait
 * @waited:	frames that ever did, of which @sent were sent and @lost dropped
 */
struct vs_peer_view {
	unsigned int sw;
	const struct vs_peer *peer;
	bool has_way;
	struct vs_ip next_hop;
	enum vs_hop_state state;
	struct rte_ether_addr mac;
	uint16_t mtu;
	uint16_t mtu_base;
	uint8_t held;
	uint64_t age_ms;
	uint64_t asked;
	uint64_t waited;
	uint64_t sent;
	uint64_t lost;
	uint64_t too_big;
};

/** struct vs_resolver_counts - what was not believed, and what was left out */
struct vs_resolver_counts {
	uint64_t bad_neighbours; /* ARP and ND that say nothing, or that nobody asked for */
	uint64_t bad_errors;     /* ICMP errors about packets that we did not send */
	uint64_t strays;         /* frames that wait for a peer that is gone */
};

/** vs_resolver_new() - without addresses and peers. Return: it, or NULL: no memory. */
struct vs_resolver *vs_resolver_new(const struct vs_resolver_ops *ops, void *ctx);

/** vs_resolver_free() - and all that waits. NULL is fine. */
void vs_resolver_free(struct vs_resolver *r);

/**
 * vs_resolver_config() - own addresses and provider routes of a switch, from now on
 * @pa, @route:	copied
 *
 * New addresses are announced. Peers whose neighbour is another one now begin anew; those of a
 * neighbour that stays keep its MAC.
 *
 * Return: 0, or -ENOMEM: it stays as it was.
 */
int vs_resolver_config(struct vs_resolver *r, unsigned int sw, const struct vs_pa *pa,
		       uint32_t n_pas, const struct vs_pa_route *route, uint32_t n_routes,
		       uint64_t now_ms);

/**
 * vs_resolver_add() - a peer came to be; peer->index is its own until vs_resolver_del()
 * @mtu:	of the uplink
 *
 * Stores @next_hop and @mtu. Return: 0; -EEXIST the index is taken; -ENOMEM.
 */
int vs_resolver_add(struct vs_resolver *r, unsigned int sw, struct vs_peer *peer, uint16_t mtu,
		    uint64_t now_ms);

/** vs_resolver_del() - the peer goes; what waits for it is dropped. Not known: nothing. */
void vs_resolver_del(struct vs_resolver *r, uint32_t index);

/** vs_resolver_set_mtu() - the uplink of switch @sw carries packets of @mtu bytes. */
void vs_resolver_set_mtu(struct vs_resolver *r, unsigned int sw, uint16_t mtu);

/** vs_resolver_hold() - an encapsulated frame found no next hop. @index: of its peer */
void vs_resolver_hold(struct vs_resolver *r, uint32_t index, const uint8_t *frame, uint32_t len,
		      uint64_t now_ms);

/** vs_resolver_neighbour() - an ARP packet or neighbour advertisement came to switch @sw. */
void vs_resolver_neighbour(struct vs_resolver *r, unsigned int sw, const uint8_t *frame,
			   uint32_t len, uint64_t now_ms);

/**
 * vs_resolver_error() - an ICMP error came to an own address of switch @sw
 * @has_vsid:	is it one of this host's?
 */
void vs_resolver_error(struct vs_resolver *r, unsigned int sw, const uint8_t *frame, uint32_t len,
		       bool (*has_vsid)(uint32_t vsid, void *ctx), uint64_t now_ms);

/** vs_resolver_tick() - time passes; to be called every VS_HOP_LATER_MS. */
void vs_resolver_tick(struct vs_resolver *r, uint64_t now_ms);

/** vs_resolver_is_idle() - has vs_resolver_tick() nothing to do until something happens? */
bool vs_resolver_is_idle(const struct vs_resolver *r);

/**
 * vs_resolver_each() - visit all peers, by index
 * @visit:	returns 0 to go on; anything else ends the walk and is returned
 */
int vs_resolver_each(const struct vs_resolver *r, uint64_t now_ms,
		     int (*visit)(const struct vs_peer_view *view, void *ctx), void *ctx);

/** vs_resolver_counts() - what was not believed. */
void vs_resolver_counts(const struct vs_resolver *r, struct vs_resolver_counts *ret_counts);

#endif
