/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers in place: a packet becomes the answer to itself.
 *
 * Every frame that comes in leaves at most once as something else, so nothing is allocated, and
 * who asks pays for the answer. Short answers (ARP, neighbour discovery, ICMP errors) are written
 * anew into a header slot of the burst and have no payload beyond it; an echo keeps its payload,
 * whatever its length, and only its headers change (icmp.h).
 *
 * All functions are pure ones on a packet: they look at nothing else and change nothing else.
 */
#ifndef VS_NVGRE_ANSWER_H
#define VS_NVGRE_ANSWER_H

#include "dataplane/core/nvgre.h"
#include "dataplane/core/pkt.h"

/**
 * struct vs_answer - an answer that is being written
 * @n:		bytes so far
 * @bytes:	two bytes off a multiple of eight: so all behind the Ethernet header is aligned
 */
struct vs_answer {
	uint16_t n;
	uint8_t bytes[VS_HDR_BYTES];
} __rte_aligned(8);

/**
 * vs_answer_add() - the next @len bytes
 * Return: where they are, all zero; the caller sees to it that there is room.
 */
void *vs_answer_add(struct vs_answer *answer, uint16_t len);

/** vs_answer_ether() - begin with an Ethernet header. */
void vs_answer_ether(struct vs_answer *answer, const struct rte_ether_addr *dst,
		     const struct rte_ether_addr *src, uint16_t type);

/** vs_answer_ip4() - an IPv4 header for an ICMP message of @len bytes; checksum included. */
void vs_answer_ip4(struct vs_answer *answer, const struct vs_ip *src, const struct vs_ip *dst,
		   uint16_t len);

/** vs_answer_ip6() - an IPv6 header for an ICMPv6 message of @len bytes. */
void vs_answer_ip6(struct vs_answer *answer, const struct vs_ip *src, const struct vs_ip *dst,
		   uint8_t hop_limit, uint16_t len);

/** vs_answer_sum6() - the checksum of the ICMPv6 message behind such a header, to the end. */
void vs_answer_sum6(struct vs_answer *answer);

/**
 * vs_answer_place() - @pkt becomes @answer
 * @slot:	gets the bytes; may be where @pkt has its header now
 *
 * It owes nothing and has no extents. Where it came from, its fid and VLAN stay.
 */
void vs_answer_place(const struct vs_answer *answer, struct vs_pkt *pkt, struct vs_hdr_slot *slot);

/** What a frame for one of our provider addresses was. */
enum vs_asked {
	VS_ASKED_NOTHING,   /* none of the following */
	VS_ASKED_ANSWERED,  /* the packet is the answer now */
	VS_ASKED_NEIGHBOUR, /* ARP reply or announcement, advertisement: for who resolves */
	VS_ASKED_ERROR,     /* an ICMP error: for who keeps MTUs */
};

/**
 * vs_answer_host() - what a host does with address @ip and @mac that a frame finds
 * @pkt:	frame without a tag
 * @slot:	of the burst, for the answer
 *
 * ARP requests, neighbour solicitations and echo requests for @ip are answered. Replies,
 * advertisements and ICMP errors are told from others only; all that they say is the caller's to
 * look at.
 */
enum vs_asked vs_answer_host(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_ip *ip,
			     const struct rte_ether_addr *mac);

#endif
