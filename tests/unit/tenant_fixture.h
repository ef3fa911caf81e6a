/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two routing domains with the same addresses, made by hand, and frames of tenants byte by byte.
 *
 *	rd 0: 5001  10.1.1.0/24, 2001:db8:1::/64, gateways .1 and ::1     fid 11
 *	      5002  10.1.2.0/24, 2001:db8:2::/64, gateways .1 and ::1     fid 12
 *	rd 1: 6001  as 5001                                               fid 13
 *	      6002  as 5002                                               fid 14
 *
 * In each subnet host .11 is local and .12 behind the peer; their MACs have the VSID's last byte
 * and the host's number in them.
 */
#ifndef TESTS_UNIT_TENANT_FIXTURE_H
#define TESTS_UNIT_TENANT_FIXTURE_H

#include "nvgre/router.h"

#include <rte_hash.h>

enum {
	TF_SUBNETS = 4,
	TF_FID = 11, /* of the first subnet */
	TF_FIDS = TF_FID + TF_SUBNETS,
	TF_PEER_MTU = 1500,
	TF_ROOM = TF_PEER_MTU - VS_NVGRE_COST4,
	TF_FRAME = 70000,
	/* Of IPv4's flags. */
	TF_DF = 0x4000,
	TF_MF = 0x2000,
};

/** struct tf - tables, a router, and one packet */
struct tf {
	struct vs_nvgre nv;
	struct vs_router router;
	struct vs_pace pace[VS_ROUTER_PACES];
	struct vs_subnet subnet[TF_SUBNETS];
	uint32_t of_fid[TF_FIDS];
	struct vs_rd rd[2];
	struct vs_ca_route route[2][8];
	struct vs_peer peer;
	struct vs_record record[64];
	unsigned int n_records;
	struct rte_hash *by_mac;
	struct rte_hash *by_ca;
	struct vs_pkt pkt;
	struct vs_hdr_slot slot;
	struct vs_extent ext[1];
	uint8_t frame[TF_FRAME]; /* as it was sent */
	uint32_t len;
};

/** tf_setup() - EAL, for cmocka's group. */
int tf_setup(void **state);

struct tf *tf_new(void);
void tf_free(struct tf *t);

/** tf_mac() - of host @host in subnet number @subnet; tf_router_mac(): of its router */
struct rte_ether_addr tf_mac(unsigned int subnet, unsigned int host);
struct rte_ether_addr tf_router_mac(unsigned int subnet);

/** tf_ip4() - 10.1.@net.@host; tf_ip6() - 2001:db8:@net::@host */
struct vs_ip tf_ip4(unsigned int net, unsigned int host);
struct vs_ip tf_ip6(unsigned int net, unsigned int host);

/** tf_record() - one more. @host is in its MAC. Return: it, to be changed. */
struct vs_record *tf_record(struct tf *t, unsigned int subnet, unsigned int host,
			    const struct vs_ip *ca, const struct vs_peer *peer);

/** tf_route() - one more customer route of domain @rd, in front of the others. */
struct vs_ca_route *tf_route(struct tf *t, unsigned int rd, const struct vs_ip *ip, uint8_t len,
			     unsigned int subnet);

/* ---- frames ---- */

/** tf_ether() - begin one. */
void tf_ether(struct tf *t, struct rte_ether_addr dst, struct rte_ether_addr src, uint16_t type);
/** tf_bytes() - the next bytes; tf_zero(): all zero. Return: where they are. */
uint8_t *tf_bytes(struct tf *t, const void *bytes, uint32_t len);
uint8_t *tf_zero(struct tf *t, uint32_t len);
/** tf_word() - the next two bytes. */
void tf_word(struct tf *t, uint16_t word);
/** tf_ip4_hdr(), tf_ip6_hdr() - IP headers for @len bytes of @proto. */
void tf_ip4_hdr(struct tf *t, const struct vs_ip *src, const struct vs_ip *dst, uint8_t proto,
		uint8_t ttl, uint16_t fragment, uint32_t len);
void tf_ip6_hdr(struct tf *t, const struct vs_ip *src, const struct vs_ip *dst, uint8_t proto,
		uint8_t ttl, uint32_t len);
/** tf_sum() - write the checksum of the message from @l4 on, at @offset in it. */
void tf_sum(struct tf *t, uint32_t l4, uint32_t offset);
/** tf_ip4_sum() - the header checksum anew. */
void tf_ip4_sum(struct tf *t);
/** tf_udp() - a whole UDP datagram of @len bytes of payload, IPv4 or IPv6 by @src. */
void tf_udp(struct tf *t, const struct vs_ip *src, const struct vs_ip *dst, uint8_t ttl,
	    uint16_t fragment, uint32_t len);

/** tf_send() - the frame at the router, from a port of subnet number @subnet. */
struct vs_step tf_send(struct tf *t, unsigned int subnet, enum vs_router_from from);
/** tf_pkt() - the frame as a packet (@t->pkt), @have bytes of it private. */
void tf_pkt(struct tf *t, unsigned int subnet, uint32_t have);
/** tf_arrived() - what became of it, in one piece, in t->frame and t->len. */
const uint8_t *tf_arrived(struct tf *t);

/* ---- a second opinion ---- */

/** tf_add() - sum of 16-bit words, host order, folded: FFFF over what has a right checksum */
uint16_t tf_add(const uint8_t *at, uint32_t len, uint32_t sum);
/** tf_check() - assert that length and every checksum of an IP frame are right. */
void tf_check(const uint8_t *frame, uint32_t len);

/** tf_to_router() - a datagram from .11 (.21) of subnet number @subnet, to its router. */
void tf_to_router(struct tf *t, unsigned int subnet, struct vs_ip dst, uint8_t ttl,
		  uint16_t fragment, uint32_t len);
/** tf_check_routed() - all that routing changes, and nothing else, to @host of subnet @to. */
void tf_check_routed(struct tf *t, struct vs_step step, unsigned int to, unsigned int host,
		     uint8_t ttl);
void tf_assert_macs(const uint8_t *frame, struct rte_ether_addr dst, struct rte_ether_addr src);
/**
 * tf_assert_error() - an error went to .11 (.21) of @subnet, from its gateway, about what was sent
 * Return: its ICMP header.
 */
const uint8_t *tf_assert_error(struct tf *t, struct vs_step step, unsigned int subnet,
			       unsigned int type, unsigned int code);
void tf_assert_dropped(struct vs_step step, enum vs_drop drop);

#endif
