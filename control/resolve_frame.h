/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that a provider address asks with, tells itself by, and is told by: ARP (RFC 826, 5227),
 * Neighbor Discovery (RFC 4861), and "too big" (RFC 792, 1191, 4443, 8201).
 *
 * Pure functions on bytes. What is read comes from anybody on the provider network: everything is
 * checked, and what is not exactly right says nothing.
 */
#ifndef VS_CONTROL_RESOLVE_FRAME_H
#define VS_CONTROL_RESOLVE_FRAME_H

#include "control/resolve.h"
#include "dataplane/core/nvgre.h"

enum {
	/** Bytes of the longest frame built here: Ethernet, tag, IPv6, NS with an option. */
	VS_NEIGH_FRAME = 14 + 4 + 40 + 24 + 8,
	/** No path may be believed to carry less (RFC 1122, 3.3.3; RFC 8200, 5). */
	VS_PMTU_MIN4 = 576,
	VS_PMTU_MIN6 = 1280,
	/** What was told is good for so long (RFC 1191, 6.3; RFC 8201, 4). */
	VS_PMTU_GOOD_MS = 600000,
};

/** struct vs_neigh_self - who asks. @vid: 802.1Q tag; 0: none */
struct vs_neigh_self {
	struct rte_ether_addr mac;
	struct vs_ip ip;
	uint16_t vid;
};

/**
 * vs_neigh_ask() - ARP request or neighbour solicitation for @target, of the family of self->ip
 * @to:		only this neighbour is asked (RFC 1122, 2.3.2.1; RFC 4861, 7.3.3); NULL: all
 *
 * Return: bytes of the frame.
 */
uint32_t vs_neigh_ask(uint8_t frame[VS_NEIGH_FRAME], const struct vs_neigh_self *self,
		      const struct vs_ip *target, const struct rte_ether_addr *to);

/**
 * vs_neigh_announce() - say to all who has self->ip: ARP announcement (RFC 5227, 3), unsolicited
 *	neighbour advertisement that overrides (RFC 4861, 7.2.6)
 *
 * Return: bytes of the frame.
 */
uint32_t vs_neigh_announce(uint8_t frame[VS_NEIGH_FRAME], const struct vs_neigh_self *self);

/**
 * struct vs_neigh_told - who has an address
 * @ip:		that address
 * @mac:	who has it; all zero: an advertisement that does not say
 * @answer:	it says that it answers @self
 * @override:	it replaces what is known (RFC 4861, 4.4; ARP always does)
 */
struct vs_neigh_told {
	struct vs_ip ip;
	struct rte_ether_addr mac;
	bool answer;
	bool override;
};

/**
 * vs_neigh_parse() - an ARP packet, or a neighbour advertisement
 * @frame:	with Ethernet header, and a tag if it came with one
 * @is_self:	is it one of our own provider addresses?
 *
 * ARP: a reply to one of our addresses answers; a request to it, or one that tells the sender's own
 * address (gratuitous), is heard. All else says nothing.
 *
 * Return: true and *@ret_told, or false.
 */
bool vs_neigh_parse(const uint8_t *frame, uint32_t len,
		    bool (*is_self)(const struct vs_ip *ip, const void *ctx), const void *ctx,
		    struct vs_neigh_told *ret_told);

/**
 * vs_neigh_event() - what it means to the hop that has this address (RFC 4861, 7.2.5)
 * @ret_mac:	for vs_hop_step()
 *
 * Return: true and the event, or false: nothing.
 */
bool vs_neigh_event(const struct vs_neigh_told *told, const struct vs_hop *hop,
		    enum vs_hop_event *ret_event, struct rte_ether_addr *ret_mac);

/**
 * struct vs_pmtu_told - a router says that a packet of ours was too big
 * @local, @remote: of that packet
 * @vsid:	of its key
 * @mtu:	of IP packets that get on, at least VS_PMTU_MIN4 or 6, and less than that packet was
 */
struct vs_pmtu_told {
	struct vs_ip local;
	struct vs_ip remote;
	uint32_t vsid;
	uint16_t mtu;
};

/**
 * vs_pmtu_parse() - ICMP "fragmentation needed", ICMPv6 "packet too big", about an NVGRE packet
 *
 * Whether we sent such a packet (address, peer, VSID) is for the caller to judge.
 *
 * Return: true and *@ret_told, or false.
 */
bool vs_pmtu_parse(const uint8_t *frame, uint32_t len, struct vs_pmtu_told *ret_told);

/** struct vs_pmtu - what is believed of a path. @base: of the uplink; @mtu: 0: nobody said less */
struct vs_pmtu {
	uint16_t base;
	uint16_t mtu;
	uint64_t told_ms;
};

/** vs_pmtu_now() - bytes of an IP packet that get there */
static inline uint16_t vs_pmtu_now(const struct vs_pmtu *p)
{
	return p->mtu && p->mtu < p->base ? p->mtu : p->base;
}

/** vs_pmtu_lower() - somebody said so. Return: does vs_pmtu_now() say less than before? */
bool vs_pmtu_lower(struct vs_pmtu *p, uint16_t mtu, uint64_t now_ms);

/** vs_pmtu_age() - forget what is too old. Return: does vs_pmtu_now() say more than before? */
bool vs_pmtu_age(struct vs_pmtu *p, uint64_t now_ms);

#endif
