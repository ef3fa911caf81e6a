/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary frames of tenants at the router: nothing is read or written beyond the private bytes,
 * what goes on differs from what came in nothing but what routing changes, and what is answered has
 * right checksums, by a sum of this file's own.
 *
 * The input: the subnet's flags, the route's next hop in bit 7 (1 byte), 1 through the tunnel, 2
 * a checksum is owed, 4 the peer's addresses are IPv6, upper bits: private bytes that lack (1),
 * where the owed checksum begins and belongs (2), the peer's MTU in units of 8 bytes (1), what
 * takes the place of the destination address (1): 0 to 3 the router, a host, all, the frame's own;
 * then the frame.
 */
#include "nvgre/inner.h"
#include "nvgre/router.h"

#include "tests/unit/eal.h"

#include <rte_hash.h>
#include <rte_jhash.h>

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SETUP = 6,
	FRAME_MAX = 2048,
	SUBNETS = 3, /* the last one is of another domain */
};

static const struct rte_ether_addr router_mac = {{2, 0, 0, 0, 0, 1}};
static const struct rte_ether_addr host_mac = {{2, 0, 0, 0, 0, 2}};

static struct vs_subnet subnet[SUBNETS];
static struct vs_ca_route route[4];
static struct vs_rd rd[2] = {{.route = route, .n_routes = 4}};
static struct vs_peer peer;
static struct vs_record record[4];
static struct vs_nvgre nv;

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

static struct rte_hash *make_table(const char *name, uint32_t key_len)
{
	struct rte_hash_parameters p = {.name = name,
					.entries = 16,
					.key_len = key_len,
					.hash_func = rte_jhash};
	struct rte_hash *table = rte_hash_create(&p);

	CHECK(table);
	return table;
}

static void add_record(struct rte_hash *by_mac, struct rte_hash *by_ca, unsigned int i)
{
	struct vs_record *r = &record[i];
	struct vs_record_mac_key mac = {.vsid = 5001 + i % 2, .mac = host_mac};
	struct vs_record_ca_key ca = {.vsid = 5001 + i % 2};

	/* 10.1.n.2 and 2001:db8:n::2 */
	ca.ca = i < 2 ? vs_ip_make4((const uint8_t[]){10, 1, (uint8_t)(i % 2), 2})
		      : (struct vs_ip){.b = {0x20, 1, 0xd, 0xb8, 0, (uint8_t)(i % 2), [15] = 2}};
	*r = (struct vs_record){.vsid = mac.vsid, .mac = host_mac, .ca = ca.ca, .peer = &peer};
	CHECK(rte_hash_add_key_data(by_mac, &mac, r) == 0);
	CHECK(rte_hash_add_key_data(by_ca, &ca, r) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rte_hash *by_mac;
	struct rte_hash *by_ca;
	unsigned int i;

	(void)argc;
	(void)argv;
	CHECK(eal_up() == 0);
	by_mac = make_table("by_mac", sizeof(struct vs_record_mac_key));
	by_ca = make_table("by_ca", sizeof(struct vs_record_ca_key));
	for (i = 0; i < 4; i++) {
		add_record(by_mac, by_ca, i);
		route[i].prefix = (struct vs_prefix){.ip = record[i].ca, .len = i < 2 ? 120 : 64};
		route[i].prefix.ip.b[15] = 0;
		route[i].subnet = &subnet[i % 2];
	}
	for (i = 0; i < SUBNETS; i++) {
		subnet[i] = (struct vs_subnet){.vsid = 5001 + i, .fid = (uint16_t)(1 + i)};
		subnet[i].rd = i == 2;
		subnet[i].router = router_mac;
		subnet[i].ca_mtu = 1458;
		subnet[i].n_gateways = 2;
		subnet[i].gateway[0] = route[i % 2].prefix;
		subnet[i].gateway[0].ip.b[15] = 1;
		subnet[i].gateway[1] = route[2 + i % 2].prefix;
		subnet[i].gateway[1].ip.b[15] = 1;
	}
	nv = (struct vs_nvgre){.by_mac = by_mac, .by_ca = by_ca, .subnet = subnet, .rd = rd};
	nv.n_subnets = SUBNETS;
	nv.n_rds = 2;
	return 0;
}

/* RFC 1071, word by word. */
static uint16_t add_up(const uint8_t *at, uint32_t len, uint32_t sum)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		sum += (uint32_t)at[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* An answer that was written anew is all right; an echo as right as its request was. */
static void check_answer(const struct vs_pkt *pkt, const struct vs_hdr_slot *slot)
{
	const uint8_t *ip = pkt->hdr + VS_INNER_L3;
	uint32_t len = pkt->len - VS_INNER_L3;

	if (pkt->hdr != slot->bytes)
		return;
	CHECK(pkt->n_ext == 0 && pkt->len == pkt->hdr_len && !vs_debt_owes(&pkt->debt));
	if (pkt->hdr[12] == 0x08 && pkt->hdr[13] == 0x06)
		return;
	if (pkt->hdr[12] == 0x08) {
		CHECK(add_up(ip, 20, 0) == 0xffff && (uint32_t)(ip[2] << 8 | ip[3]) == len);
		CHECK(add_up(ip + 20, len - 20, 0) == 0xffff);
	} else {
		CHECK((uint32_t)(ip[4] << 8 | ip[5]) == len - 40 && ip[6] == IPPROTO_ICMPV6);
		CHECK(add_up(ip + 8, len - 8, len - 40 + IPPROTO_ICMPV6) == 0xffff);
	}
}

/* Of what goes on only the MSS, and by routing addresses, TTL and its checksum, are others. */
static void check_step(const struct vs_step *step, const struct vs_pkt *pkt, const uint8_t *frame,
		       uint32_t private, enum vs_router_from from)
{
	const uint32_t ttl = frame[12] == 0x08 ? VS_INNER_L3 + 8 : VS_INNER_L3 + 7;

	CHECK(step->subnet == &subnet[0] || (step->routed && step->subnet == &subnet[1]));
	CHECK(pkt->fid == step->subnet->fid);
	CHECK(!(step->via && from == VS_FROM_TUNNEL));
	CHECK(!step->via || vs_pkt_longest(pkt) - VS_INNER_L3 <= step->room);
	CHECK(pkt->hdr_len == private);
	if (step->routed) {
		CHECK(pkt->hdr[ttl] == frame[ttl] - 1 && frame[ttl] > 1);
		CHECK(frame[12] != 0x08 || add_up(pkt->hdr + VS_INNER_L3,
						  (pkt->hdr[VS_INNER_L3] & 15) * 4u, 0) == 0xffff);
	} else {
		CHECK(memcmp(pkt->hdr, frame, RTE_MIN(private, 34u)) == 0);
	}
}

static void run(const uint8_t *setup, uint8_t *frame, uint32_t len)
{
	const enum vs_router_from from = setup[1] & 1 ? VS_FROM_TUNNEL : VS_FROM_GUEST;
	uint32_t private = RTE_MIN(len, VS_HDR_BYTES - (setup[1] >> 4) * 6u);
	uint8_t *bytes = malloc(private);
	struct vs_hdr_slot *slot = malloc(sizeof(*slot));
	struct vs_router router = {.nv = &nv};
	struct vs_extent ext = {.data = frame + private, .len = len - private};
	struct vs_pkt pkt = {.hdr = bytes, .hdr_len = (uint16_t) private, .len = len, .fid = 1};
	struct vs_step step;

	CHECK(bytes && slot);
	memcpy(bytes, frame, private);
	pkt.ext = &ext;
	pkt.n_ext = len > private;
	if (setup[1] & 2 && setup[2] + setup[3] + 2u <= private) {
		pkt.debt.csum = VS_CSUM_PARTIAL;
		pkt.debt.l3 = VS_INNER_L3;
		pkt.debt.csum_start = setup[2];
		pkt.debt.csum_offset = setup[3];
	}
	subnet[0].flags = setup[0] & 15;
	subnet[1].flags = setup[0] >> 3 & 14;
	route[0].next_hop = setup[0] & 128 ? record[0].ca : (struct vs_ip){{0}};
	peer.is4 = !(setup[1] & 4);
	peer.mtu = (uint16_t)(setup[4] * 8);
	step = vs_router_step(&router, &subnet[0], &pkt, slot, from);
	CHECK(pkt.hdr_len <= VS_HDR_BYTES);
	CHECK(pkt.len == pkt.hdr_len + (pkt.n_ext ? ext.len : 0));
	if (step.kind == VS_STEP_GO)
		check_step(&step, &pkt, frame, private, from);
	else if (step.kind == VS_STEP_ANSWER)
		check_answer(&pkt, slot);
	else
		CHECK((step.kind == VS_STEP_DROP) == (step.drop != VS_DROP_NONE));
	free(slot);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t frame[FRAME_MAX];
	uint32_t len;

	if (size < SETUP + RTE_ETHER_HDR_LEN || size > SETUP + FRAME_MAX)
		return 0;
	len = (uint32_t)size - SETUP;
	memcpy(frame, data + SETUP, len);
	if (data[5] % 4 == 0)
		memcpy(frame, &router_mac, sizeof(router_mac));
	else if (data[5] % 4 == 1)
		memcpy(frame, &host_mac, sizeof(host_mac));
	else if (data[5] % 4 == 2)
		memset(frame, 0xff, RTE_ETHER_ADDR_LEN);
	run(data, frame, len);
	return 0;
}
