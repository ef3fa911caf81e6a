/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tenant_fixture.h"

#include "tests/unit/eal.h"

#include <rte_errno.h>
#include <rte_jhash.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

int tf_setup(void **state)
{
	return eal_up();
}

struct rte_ether_addr tf_mac(unsigned int subnet, unsigned int host)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0x50, (uint8_t)subnet, (uint8_t)host}};
}

struct rte_ether_addr tf_router_mac(unsigned int subnet)
{
	return (struct rte_ether_addr){{0x02, 0x0a, 0, 0, (uint8_t)subnet, 0xfe}};
}

struct vs_ip tf_ip4(unsigned int net, unsigned int host)
{
	const uint8_t b[4] = {10, 1, (uint8_t)net, (uint8_t)host};

	return vs_ip_make4(b);
}

struct vs_ip tf_ip6(unsigned int net, unsigned int host)
{
	return (struct vs_ip){.b = {0x20, 0x01, 0x0d, 0xb8, 0, (uint8_t)net, [15] = (uint8_t)host}};
}

static struct rte_hash *table(const char *name, uint32_t key_len)
{
	struct rte_hash_parameters p = {
		.name = name,
		.entries = 64,
		.key_len = key_len,
		.hash_func = rte_jhash,
	};
	struct rte_hash *h = rte_hash_create(&p);

	assert_non_null(h);
	return h;
}

struct vs_record *tf_record(struct tf *t, unsigned int subnet, unsigned int host,
			    const struct vs_ip *ca, const struct vs_peer *peer)
{
	struct vs_record *r = &t->record[t->n_records++];
	struct vs_record_mac_key mac_key = {.vsid = t->subnet[subnet].vsid,
					    .mac = tf_mac(subnet, host)};
	struct vs_record_ca_key ca_key = {.vsid = t->subnet[subnet].vsid};

	*r = (struct vs_record){
		.vsid = t->subnet[subnet].vsid,
		.flags = peer ? 0 : VS_RECORD_LOCAL,
		.mac = tf_mac(subnet, host),
		.peer = peer,
	};
	assert_int_equal(rte_hash_add_key_data(t->by_mac, &mac_key, r), 0);
	if (ca) {
		r->ca = ca_key.ca = *ca;
		assert_int_equal(rte_hash_add_key_data(t->by_ca, &ca_key, r), 0);
	}
	return r;
}

struct vs_ca_route *tf_route(struct tf *t, unsigned int rd, const struct vs_ip *ip, uint8_t len,
			     unsigned int subnet)
{
	struct vs_ca_route *r = t->route[rd];

	memmove(r + 1, r, t->rd[rd].n_routes * sizeof(*r));
	t->rd[rd].n_routes++;
	*r = (struct vs_ca_route){.prefix = {.ip = *ip, .len = len}, .subnet = &t->subnet[subnet]};
	return r;
}

static void make_subnet(struct tf *t, unsigned int i)
{
	struct vs_subnet *s = &t->subnet[i];
	unsigned int net = 1 + i % 2;
	struct vs_ip ip;
	unsigned int rd = i / 2;

	*s = (struct vs_subnet){
		.vsid = (i < 2 ? 5001 : 6001) + i % 2,
		.fid = (uint16_t)(TF_FID + i),
		.rd = (uint16_t)rd,
		.ca_mtu = TF_ROOM,
		.router = tf_router_mac(i),
		.n_gateways = 2,
		.gateway = {{.ip = tf_ip4(net, 1), .len = 96 + 24},
			    {.ip = tf_ip6(net, 1), .len = 64}},
	};
	t->of_fid[s->fid] = i;
	ip = tf_ip4(net, 0);
	tf_route(t, rd, &ip, 96 + 24, i);
	ip = tf_ip6(net, 0);
	tf_route(t, rd, &ip, 64, i);
	ip = tf_ip4(net, 11);
	tf_record(t, i, 11, &ip, NULL);
	ip = tf_ip4(net, 12);
	tf_record(t, i, 12, &ip, &t->peer);
	ip = tf_ip6(net, 21);
	tf_record(t, i, 21, &ip, NULL);
	ip = tf_ip6(net, 22);
	tf_record(t, i, 22, &ip, &t->peer);
}

struct tf *tf_new(void)
{
	struct tf *t = calloc(1, sizeof(*t));
	unsigned int i;

	assert_non_null(t);
	t->by_mac = table("by_mac", sizeof(struct vs_record_mac_key));
	t->by_ca = table("by_ca", sizeof(struct vs_record_ca_key));
	t->peer = (struct vs_peer){.mtu = TF_PEER_MTU, .is4 = true};
	t->rd[0].route = t->route[0];
	t->rd[1].route = t->route[1];
	memset(t->of_fid, 0xff, sizeof(t->of_fid));
	for (i = 0; i < TF_SUBNETS; i++)
		make_subnet(t, i);
	t->nv = (struct vs_nvgre){
		.by_mac = t->by_mac,
		.by_ca = t->by_ca,
		.subnet = t->subnet,
		.n_subnets = TF_SUBNETS,
		.of_fid = t->of_fid,
		.n_fids = TF_FIDS,
		.rd = t->rd,
		.n_rds = 2,
	};
	t->router = (struct vs_router){.nv = &t->nv, .pace = t->pace, .now = rte_rdtsc()};
	return t;
}

void tf_free(struct tf *t)
{
	rte_hash_free(t->by_mac);
	rte_hash_free(t->by_ca);
	free(t);
}

/* ---- frames ---- */

uint8_t *tf_zero(struct tf *t, uint32_t len)
{
	uint8_t *at = t->frame + t->len;

	assert_true(t->len + len <= TF_FRAME);
	memset(at, 0, len);
	t->len += len;
	return at;
}

uint8_t *tf_bytes(struct tf *t, const void *bytes, uint32_t len)
{
	return memcpy(tf_zero(t, len), bytes, len);
}

void tf_word(struct tf *t, uint16_t word)
{
	uint8_t *at = tf_zero(t, 2);

	at[0] = (uint8_t)(word >> 8);
	at[1] = (uint8_t)word;
}

void tf_ether(struct tf *t, struct rte_ether_addr dst, struct rte_ether_addr src, uint16_t type)
{
	t->len = 0;
	tf_bytes(t, &dst, 6);
	tf_bytes(t, &src, 6);
	tf_word(t, type);
}

void tf_ip4_sum(struct tf *t)
{
	uint8_t *ip = t->frame + 14;
	uint16_t sum;

	ip[10] = ip[11] = 0;
	sum = (uint16_t)~tf_add(ip, (ip[0] & 15) * 4u, 0);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

void tf_ip4_hdr(struct tf *t, const struct vs_ip *src, const struct vs_ip *dst, uint8_t proto,
		uint8_t ttl, uint16_t fragment, uint32_t len)
{
	tf_word(t, 0x4500);
	tf_word(t, (uint16_t)(20 + len));
	tf_word(t, 0x1234);
	tf_word(t, fragment);
	tf_word(t, (uint16_t)(ttl << 8 | proto));
	tf_word(t, 0);
	tf_bytes(t, src->b + 12, 4);
	tf_bytes(t, dst->b + 12, 4);
	tf_ip4_sum(t);
}

void tf_ip6_hdr(struct tf *t, const struct vs_ip *src, const struct vs_ip *dst, uint8_t proto,
		uint8_t ttl, uint32_t len)
{
	tf_word(t, 0x6000);
	tf_word(t, 0);
	tf_word(t, (uint16_t)len);
	tf_word(t, (uint16_t)(proto << 8 | ttl));
	tf_bytes(t, src->b, 16);
	tf_bytes(t, dst->b, 16);
}

/* Sum of the pseudo-header of IPv6, or of IPv4 where @proto has one. */
static uint32_t pseudo(const uint8_t *frame, uint32_t len, uint8_t proto)
{
	const uint8_t *ip = frame + 14;

	if (ip[0] >> 4 == 6)
		return tf_add(ip + 8, 32, len + proto);
	return proto == IPPROTO_ICMP ? 0 : tf_add(ip + 12, 8, len + proto);
}

static uint8_t proto_of(const uint8_t *frame)
{
	return frame[14] >> 4 == 6 ? frame[14 + 6] : frame[14 + 9];
}

void tf_sum(struct tf *t, uint32_t l4, uint32_t offset)
{
	uint8_t *at = t->frame + l4 + offset;
	uint16_t sum;

	at[0] = at[1] = 0;
	sum = (uint16_t)~tf_add(t->frame + l4, t->len - l4,
				pseudo(t->frame, t->len - l4, proto_of(t->frame)));
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

void tf_udp(struct tf *t, const struct vs_ip *src, const struct vs_ip *dst, uint8_t ttl,
	    uint16_t fragment, uint32_t len)
{
	uint32_t l4;

	if (vs_ip_is4(src))
		tf_ip4_hdr(t, src, dst, IPPROTO_UDP, ttl, fragment, 8 + len);
	else
		tf_ip6_hdr(t, src, dst, IPPROTO_UDP, ttl, 8 + len);
	l4 = t->len;
	tf_word(t, 1000);
	tf_word(t, 2000);
	tf_word(t, (uint16_t)(8 + len));
	tf_word(t, 0);
	memset(tf_zero(t, len), 0xa5, len);
	tf_sum(t, l4, 6);
}

void tf_pkt(struct tf *t, unsigned int subnet, uint32_t have)
{
	static uint8_t rest[TF_FRAME];

	have = RTE_MIN(have, t->len);
	/* Behind the private bytes stands what nobody may read. */
	memset(t->slot.bytes, 0xee, sizeof(t->slot.bytes));
	memcpy(t->slot.bytes, t->frame, have);
	memcpy(rest, t->frame + have, t->len - have);
	t->ext[0] = (struct vs_extent){.data = rest, .len = t->len - have};
	t->pkt = (struct vs_pkt){
		.hdr = t->slot.bytes,
		.hdr_len = (uint16_t)have,
		.len = t->len,
		.ext = t->ext,
		.n_ext = t->len > have,
		.fid = t->subnet[subnet].fid,
		.vid = VS_VID_TENANT,
		.bare_vid = VS_VID_TENANT,
	};
}

struct vs_step tf_send(struct tf *t, unsigned int subnet, enum vs_router_from from)
{
	tf_pkt(t, subnet, VS_HDR_BYTES);
	return vs_router_step(&t->router, &t->subnet[subnet], &t->pkt, &t->slot, from);
}

const uint8_t *tf_arrived(struct tf *t)
{
	unsigned int i;

	assert_true(t->pkt.hdr_len <= VS_HDR_BYTES);
	memcpy(t->frame, t->pkt.hdr, t->pkt.hdr_len);
	t->len = t->pkt.hdr_len;
	for (i = 0; i < t->pkt.n_ext; i++)
		tf_bytes(t, t->pkt.ext[i].data, t->pkt.ext[i].len);
	assert_int_equal(t->len, t->pkt.len);
	return t->frame;
}

/* ---- a second opinion ---- */

uint16_t tf_add(const uint8_t *at, uint32_t len, uint32_t sum)
{
	uint64_t all = sum;
	uint32_t i;

	for (i = 0; i < len; i++)
		all += (uint64_t)at[i] << (i % 2 ? 0 : 8);
	while (all >> 16)
		all = (all & 0xffff) + (all >> 16);
	return (uint16_t)all;
}

void tf_check(const uint8_t *frame, uint32_t len)
{
	const uint8_t *ip = frame + 14;
	uint32_t l4 = 14 + 20;

	if (frame[12] == 0x08) {
		assert_int_equal(frame[13], 0);
		assert_int_equal(ip[0] >> 4, 4);
		assert_int_equal(ip[2] << 8 | ip[3], len - 14);
		l4 = 14 + (ip[0] & 15) * 4u;
		assert_int_equal(tf_add(ip, l4 - 14, 0), 0xffff);
		/* A fragment's message is not whole. */
		if ((ip[6] << 8 | ip[7]) & 0x3fff)
			return;
	} else {
		assert_int_equal(frame[12] << 8 | frame[13], 0x86dd);
		assert_int_equal(ip[4] << 8 | ip[5], len - 54);
		l4 = 54;
	}
	assert_int_equal(tf_add(frame + l4, len - l4, pseudo(frame, len - l4, proto_of(frame))),
			 0xffff);
}

/* A datagram from .11 of subnet number @subnet, to its router. */
void tf_to_router(struct tf *t, unsigned int subnet, struct vs_ip dst, uint8_t ttl,
		  uint16_t fragment, uint32_t len)
{
	unsigned int net = 1 + subnet % 2;
	struct vs_ip src = vs_ip_is4(&dst) ? tf_ip4(net, 11) : tf_ip6(net, 21);
	struct rte_ether_addr mac = tf_mac(subnet, vs_ip_is4(&dst) ? 11 : 21);

	tf_ether(t, tf_router_mac(subnet), mac, vs_ip_is4(&dst) ? 0x0800 : 0x86dd);
	tf_udp(t, &src, &dst, ttl, fragment, len);
}

void tf_assert_macs(const uint8_t *frame, struct rte_ether_addr dst, struct rte_ether_addr src)
{
	assert_memory_equal(frame, &dst, 6);
	assert_memory_equal(frame + 6, &src, 6);
}

/* An error that was sent to .11 (.21) of @subnet: from its gateway, quoting what was sent. */
const uint8_t *tf_assert_error(struct tf *t, struct vs_step step, unsigned int subnet,
			       unsigned int type, unsigned int code)
{
	unsigned int net = 1 + subnet % 2;
	struct vs_ip gateway4 = tf_ip4(net, 1);
	struct vs_ip gateway6 = tf_ip6(net, 1);
	uint8_t sent[VS_HDR_BYTES];
	const uint8_t *icmp;
	const uint8_t *b;

	memcpy(sent, t->frame, sizeof(sent));
	assert_int_equal(step.kind, VS_STEP_ANSWER);
	b = tf_arrived(t);
	tf_check(b, t->len);
	tf_assert_macs(b, *(const struct rte_ether_addr *)(sent + 6), tf_router_mac(subnet));
	assert_int_equal(t->pkt.fid, TF_FID + subnet);
	if (b[14] >> 4 == 4) {
		assert_memory_equal(b + 26, gateway4.b + 12, 4);
		assert_memory_equal(b + 30, sent + 26, 4);
		assert_int_equal(b[23], IPPROTO_ICMP);
		icmp = b + 34;
	} else {
		assert_memory_equal(b + 22, gateway6.b, 16);
		assert_memory_equal(b + 38, sent + 22, 16);
		assert_int_equal(b[20], IPPROTO_ICMPV6);
		icmp = b + 54;
	}
	assert_int_equal(icmp[0], type);
	assert_int_equal(icmp[1], code);
	assert_memory_equal(icmp + 8, sent + 14, t->len - (uint32_t)(icmp + 8 - b));
	assert_true(t->len - (uint32_t)(icmp + 8 - b) >= 28);
	return icmp;
}

void tf_assert_dropped(struct vs_step step, enum vs_drop drop)
{
	if (step.kind != VS_STEP_DROP || step.drop != drop)
		fail_msg("kind %u, %s, not %s", step.kind, vs_drop_name(step.drop),
			 vs_drop_name(drop));
}

/* All that routing changes, and nothing else. */
void tf_check_routed(struct tf *t, struct vs_step step, unsigned int to, unsigned int host,
		     uint8_t ttl)
{
	static uint8_t sent[TF_FRAME];
	uint32_t len = t->len;
	const uint8_t *b;

	memcpy(sent, t->frame, len);
	assert_int_equal(step.kind, VS_STEP_GO);
	assert_true(step.routed);
	assert_ptr_equal(step.subnet, &t->subnet[to]);
	assert_int_equal(t->pkt.fid, TF_FID + to);
	b = tf_arrived(t);
	assert_int_equal(t->len, len);
	tf_check(b, len);
	tf_assert_macs(b, tf_mac(to, host), tf_router_mac(to));
	if (b[14] >> 4 == 4) {
		assert_int_equal(b[22], ttl - 1);
		memcpy(sent + 22, b + 22, 4);
		sent[23] = b[23];
	} else {
		assert_int_equal(b[21], ttl - 1);
		sent[21]--;
	}
	memcpy(sent, b, 12);
	assert_memory_equal(b, sent, len);
}
