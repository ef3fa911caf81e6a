/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/decap_fixture.h"

#include "nvgre/nvgre.h"

#include <rte_hash.h>

#include <stdlib.h>
#include <string.h>

/* What cannot fail in a test. */
#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

static const uint8_t ip4_local[] = {192, 168, 2, 22};
static const uint8_t ip4_remote[] = {192, 168, 5, 55};
static const uint8_t ip4_third[] = {192, 168, 5, 56};
static const uint8_t ip6_local[16] = {0xfd, [13] = 2, [15] = 0x22};
static const uint8_t ip6_remote[16] = {0xfd, [13] = 5, [15] = 0x55};
static const struct rte_ether_addr mac4 = {{0x02, 0, 0, 0, 0x02, 0x22}};
static const struct rte_ether_addr mac6 = {{0x02, 0, 0, 0, 0x06, 0x22}};
static const struct rte_ether_addr mac_gateway = {{0x02, 0, 0, 0, 0x05, 0x55}};

static void set_pas(struct df *d)
{
	d->pa[0] = (struct vs_pa){.prefix = {vs_ip_make4(ip4_local), 96 + 24},
				  .mac = mac4,
				  .fid = DF_FID4};
	d->pa[1] = (struct vs_pa){.prefix = {vs_ip_make6(ip6_local), 64},
				  .mac = mac6,
				  .fid = DF_FID6,
				  .vid = DF_VLAN};
	/* The other switch has the other host's address: one process may be both. */
	d->pa[2] = (struct vs_pa){.prefix = {vs_ip_make4(ip4_remote), 96 + 24},
				  .mac = mac_gateway,
				  .uplink = 9};
	d->peer[0].ip = vs_ip_make4(ip4_remote);
	d->peer[1].ip = vs_ip_make6(ip6_remote);
	d->peer[2].ip = vs_ip_make4(ip4_third);
	d->peers[0] = &d->peer[0];
	d->peers[1] = &d->peer[1];
}

static void set_subnets(struct df *d)
{
	static const uint32_t vsids[DF_SUBNETS] = {DF_PLAIN, DF_LEARN, DF_STRICT, DF_OTHER};
	static const uint16_t flags[DF_SUBNETS] = {0, VS_SUBNET_LEARN, VS_SUBNET_STRICT, 0};
	const uint32_t mask = RTE_DIM(d->slot) - 1;
	unsigned int i;
	uint32_t at;

	memset(d->of_fid, 0xff, sizeof(d->of_fid));
	for (i = 0; i < DF_SUBNETS; i++) {
		d->subnet[i] = (struct vs_subnet){
			.vsid = vsids[i],
			.fid = (uint16_t)(DF_FID_SUBNET + i),
			.sw = vsids[i] == DF_OTHER ? DF_OTHER_SWITCH : DF_SWITCH,
			.flags = flags[i],
			.tunnel = DF_TUNNEL,
			.router = {{0x02, 0, 0, 0xaa, 0, 1}},
			.peer = d->peers,
			.n_peers = RTE_DIM(d->peers),
		};
		d->of_fid[DF_FID_SUBNET + i] = i;
		for (at = vsids[i] * UINT32_C(0x9e3779b1) >> 7; d->slot[at & mask].vsid; at++)
			;
		d->slot[at & mask] = (struct vs_vsid_slot){vsids[i], i};
	}
	d->nv = (struct vs_nvgre){
		.by_mac = d->by_mac,
		.subnet = d->subnet,
		.n_subnets = DF_SUBNETS,
		.n_fids = RTE_DIM(d->of_fid),
		.of_fid = d->of_fid,
		.mask = mask,
		.slot = d->slot,
		.pa = d->pa,
	};
	for (i = 0; i < VS_SWITCHES_MAX; i++)
		d->nv.tunnel[i] = VS_PORTS_MAX;
	d->nv.tunnel[DF_SWITCH] = DF_TUNNEL;
	for (i = DF_SWITCH + 1; i <= VS_SWITCHES_MAX; i++)
		d->nv.first_pa[i] = 2;
	for (i = DF_OTHER_SWITCH + 1; i <= VS_SWITCHES_MAX; i++)
		d->nv.first_pa[i] = 3;
}

static void set_ports(struct df *d)
{
	static const uint16_t flags[DF_PORTS] = {
		[DF_UPLINK] = VS_PORT_ADMIN_UP | VS_PORT_UP | VS_PORT_MANY,
		[DF_TUNNEL] = VS_PORT_ADMIN_UP | VS_PORT_UP | VS_PORT_TUNNEL,
		[DF_GUEST] = VS_PORT_ADMIN_UP | VS_PORT_UP,
	};
	unsigned int i;

	d->trunk.allowed[0] = 1 << DF_VLAN;
	for (i = 0; i < DF_PORTS; i++) {
		d->conf->port[i] = (struct vs_port_hot){
			.id = (uint16_t)i,
			.sw = DF_SWITCH,
			.fid = DF_FID4,
			.flags = flags[i],
			.max_frame = DF_MAX_FRAME,
		};
		d->ctx->port_stats[i] = &d->stats[i];
	}
	d->conf->port[DF_UPLINK].trunk = &d->trunk;
	d->conf->nvgre = &d->nv;
	d->ctx->conf = d->conf;
}

struct df *df_new(void)
{
	const struct rte_hash_parameters params = {
		.name = "df_by_mac",
		.entries = 16,
		.key_len = sizeof(struct vs_record_mac_key),
	};
	struct df *d = calloc(1, sizeof(*d));

	CHECK(d);
	d->ctx = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*d->ctx), 64));
	d->conf = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*d->conf), 64));
	d->burst = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*d->burst), 64));
	d->by_mac = rte_hash_create(&params);
	CHECK(d->ctx && d->conf && d->burst && d->by_mac);
	memset(d->ctx, 0, sizeof(*d->ctx));
	memset(d->conf, 0, sizeof(*d->conf));
	memset(d->burst, 0, sizeof(*d->burst));
	CHECK(vs_punt_new(&d->ctx->punt) == 0);
	set_pas(d);
	set_subnets(d);
	set_ports(d);
	d->ctx->now_tsc = UINT64_C(1) << 50;
	df_begin(d);
	return d;
}

static void forget(struct df *d)
{
	while (d->n_memory)
		free(d->memory[--d->n_memory]);
}

void df_free(struct df *d)
{
	forget(d);
	rte_hash_free(d->by_mac);
	vs_punt_free(d->ctx->punt);
	free(d->ctx);
	free(d->conf);
	free(d->burst);
	free(d);
}

void df_begin(struct df *d)
{
	unsigned int i;

	forget(d);
	d->burst->n = 0;
	d->burst->n_ext = 0;
	d->burst->inner = 0;
	d->burst->placed = 0;
	d->burst->sorted = 0;
	memset(d->stats, 0, sizeof(d->stats));
	memset(d->ctx->switch_stats, 0, sizeof(d->ctx->switch_stats));
	for (i = 0; i < DF_PORTS; i++)
		d->ctx->out[i].n = 0;
	d->ctx->n_touched = 0;
}

void df_record(struct df *d, uint32_t vsid, const uint8_t *mac, const struct vs_peer *peer,
	       unsigned int flags)
{
	struct vs_record_mac_key key = {.vsid = vsid};
	struct vs_record *record = &d->record[d->n_records++];

	CHECK(d->n_records <= RTE_DIM(d->record));
	memcpy(&key.mac, mac, sizeof(key.mac));
	*record = (struct vs_record){.vsid = vsid,
				     .mac = key.mac,
				     .peer = peer,
				     .flags = (uint16_t)flags};
	CHECK(rte_hash_add_key_data(d->by_mac, &key, record) == 0);
}

void df_mend(uint8_t *ip)
{
	uint32_t sum = 0;
	int i;

	ip[10] = 0;
	ip[11] = 0;
	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	ip[10] = (uint8_t)(~sum >> 8);
	ip[11] = (uint8_t)~sum;
}

/* GRE, and what is in it. */
static uint32_t put_gre(uint8_t *at, uint32_t vsid, const uint8_t *inner, uint32_t len)
{
	const uint8_t gre[] =
		{0x20,          0x00, 0x65, 0x58, (uint8_t)(vsid >> 16), (uint8_t)(vsid >> 8),
		 (uint8_t)vsid, 0xab};

	memcpy(at, gre, sizeof(gre));
	memcpy(at + sizeof(gre), inner, len);
	return (uint32_t)sizeof(gre) + len;
}

uint32_t df_outer4(uint8_t *frame, uint32_t vsid, const uint8_t *inner, uint32_t len)
{
	const uint32_t ip_len = 20 + 8 + len;
	const uint8_t ip[] = {0x08, 0x00, 0x45, 0, (uint8_t)(ip_len >> 8), (uint8_t)ip_len, 0, 1,
			      0x40, 0,    64,   47};

	memcpy(frame, &mac4, 6);
	memcpy(frame + 6, &mac_gateway, 6);
	memcpy(frame + 12, ip, sizeof(ip));
	memcpy(frame + 26, ip4_remote, 4);
	memcpy(frame + 30, ip4_local, 4);
	df_mend(frame + 14);
	return 34 + put_gre(frame + 34, vsid, inner, len);
}

uint32_t df_outer6(uint8_t *frame, uint32_t vsid, const uint8_t *inner, uint32_t len)
{
	const uint32_t ip_len = 8 + len;
	const uint8_t ip[] = {0x81,
			      0,
			      0,
			      DF_VLAN,
			      0x86,
			      0xdd,
			      0x60,
			      0,
			      0x12,
			      0x34,
			      (uint8_t)(ip_len >> 8),
			      (uint8_t)ip_len,
			      47,
			      64};

	memcpy(frame, &mac6, 6);
	memcpy(frame + 6, &mac_gateway, 6);
	memcpy(frame + 12, ip, sizeof(ip));
	memcpy(frame + 26, ip6_remote, 16);
	memcpy(frame + 42, ip6_local, 16);
	return 58 + put_gre(frame + 58, vsid, inner, len);
}

static uint8_t *keep(struct df *d, const uint8_t *bytes, uint32_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	CHECK(copy && d->n_memory < RTE_DIM(d->memory));
	memcpy(copy, bytes, n);
	d->memory[d->n_memory++] = copy;
	return copy;
}

struct vs_pkt *df_put(struct df *d, const uint8_t *frame, uint32_t len, uint32_t hdr,
		      uint32_t piece)
{
	struct vs_burst *burst = d->burst;
	const unsigned int i = burst->n++;
	struct vs_pkt *pkt = &burst->pkt[i];
	uint32_t at;

	hdr = RTE_MIN(hdr, len);
	*pkt = (struct vs_pkt){
		.hdr = burst->hdr[i].bytes,
		.hdr_len = (uint16_t)hdr,
		.len = len,
		.in_port = DF_UPLINK,
		.ext = &burst->ext[burst->n_ext],
		.debt.csum = VS_CSUM_GOOD,
	};
	memcpy(pkt->hdr, frame, hdr);
	for (at = hdr; at < len; at += piece) {
		const uint32_t n = RTE_MIN(piece, len - at);

		burst->ext[burst->n_ext++] = (struct vs_extent){keep(d, frame + at, n), n};
		pkt->n_ext++;
	}
	d->stats[DF_UPLINK].received++;
	return pkt;
}

uint32_t df_gather(const struct vs_pkt *pkt, uint8_t *to)
{
	uint32_t at = pkt->hdr_len;
	unsigned int i;

	CHECK(pkt->hdr_len <= pkt->len && pkt->hdr_len <= VS_HDR_BYTES && pkt->len < DF_FRAME_MAX);
	memcpy(to, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		CHECK(at + pkt->ext[i].len <= pkt->len);
		memcpy(to + at, pkt->ext[i].data, pkt->ext[i].len);
		at += pkt->ext[i].len;
	}
	CHECK(at == pkt->len);
	return at;
}

const uint8_t df_mac_a[6] = {0x00, 0x15, 0x5d, 0x01, 0x32, 0x11};
const uint8_t df_mac_b[6] = {0x00, 0x15, 0x5d, 0x01, 0x32, 0x12};
const uint8_t df_mac_router[6] = {0x02, 0, 0, 0xaa, 0, 1};
const uint8_t df_mac_host[6] = {0x02, 0, 0, 0, 0x05, 0x55};

void df_inner(uint8_t *inner, uint32_t len)
{
	static const uint8_t ip[] = {0x08, 0, 0x45, 2,  0, 0, 0,  1,  0, 0, 64,
				     17,   0, 0,    10, 1, 1, 11, 10, 1, 1, 12};
	uint32_t i;

	for (i = 0; i < len; i++)
		inner[i] = (uint8_t)(i * 3);
	memcpy(inner, df_mac_b, 6);
	memcpy(inner + 6, df_mac_a, 6);
	memcpy(inner + 12, ip, sizeof(ip));
	inner[16] = (uint8_t)((len - 14) >> 8);
	inner[17] = (uint8_t)(len - 14);
	df_mend(inner + 14);
}

void df_audit(const struct df *d)
{
	const struct vs_port_stats *up = &d->stats[DF_UPLINK], *in = &d->stats[DF_TUNNEL];
	const uint64_t inner = (uint64_t)__builtin_popcountll(d->burst->inner);
	const uint64_t placed = (uint64_t)__builtin_popcountll(d->burst->placed);
	uint64_t left = 0;
	unsigned int i;

	for (i = 0; i < d->burst->n; i++) {
		const uint64_t bit = UINT64_C(1) << i;

		left += !d->burst->pkt[i].drop && !(d->burst->inner & bit) &&
			!(d->burst->placed & bit);
	}
	CHECK(up->received == up->consumed + vs_stats_drops(up, VS_DROP_SIDE_IN) + left);
	CHECK(in->received == inner);
	CHECK(up->consumed == inner + placed);
}

struct vs_pkt *df_run(struct df *d, const uint8_t *frame, uint32_t len)
{
	struct vs_pkt *pkt;

	df_begin(d);
	pkt = df_put(d, frame, len, VS_HDR_BYTES, 65536);
	vs_nvgre_decap(d->ctx, d->burst);
	df_audit(d);
	return pkt;
}

bool df_leaves(struct df *d, const uint8_t *frame, uint32_t len)
{
	const struct vs_pkt *pkt = df_run(d, frame, len);
	uint8_t got[DF_FRAME_MAX];

	return !pkt->drop && pkt->in_port == DF_UPLINK && !d->burst->inner && !d->burst->placed &&
	       !d->ctx->n_touched && df_gather(pkt, got) == len && memcmp(got, frame, len) == 0 &&
	       pkt->debt.csum == VS_CSUM_GOOD;
}

/* ---- what should happen */

static unsigned int word(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static struct df_expected dropped(enum vs_drop drop)
{
	return (struct df_expected){.fate = DF_DROPPED, .drop = drop};
}

/* Bytes of the IPv4 packet at @ip, of which @have are there. Return: why not, or NONE. */
static enum vs_drop expect_ip4(const uint8_t *ip, uint32_t have, uint32_t *ret_end)
{
	uint8_t copy[20];

	if (have < 20)
		return VS_DROP_NVGRE_SHORT;
	if (ip[0] / 16 != 4 || ip[0] % 16 < 5)
		return VS_DROP_NVGRE_HEADER;
	if (ip[0] % 16 > 5)
		return VS_DROP_NVGRE_OPTIONS;
	memcpy(copy, ip, sizeof(copy));
	df_mend(copy);
	/* Two sums stand for zero. */
	if (memcmp(copy, ip, 20) != 0 && (word(copy + 10) % 65535 || word(ip + 10) % 65535))
		return VS_DROP_NVGRE_CSUM;
	if (word(ip + 6) % 16384)
		return VS_DROP_NVGRE_FRAGMENT;
	if (ip[9] != 47)
		return VS_DROP_PA_PROTO;
	*ret_end = word(ip + 2);
	if (*ret_end < 20)
		return VS_DROP_NVGRE_SHORT;
	if (ip[12] == 0 || ip[12] == 127 || ip[12] >= 224)
		return VS_DROP_NVGRE_LOCAL;
	return *ret_end > have ? VS_DROP_NVGRE_SHORT : VS_DROP_NONE;
}

static enum vs_drop expect_ip6(const uint8_t *ip, uint32_t have, uint32_t *ret_end)
{
	static const uint8_t extensions[] = {0, 43, 50, 51, 60, 135, 139, 140};
	static const uint8_t zero[15];

	if (have < 40)
		return VS_DROP_NVGRE_SHORT;
	if (ip[0] / 16 != 6)
		return VS_DROP_NVGRE_HEADER;
	if (ip[6] == 44)
		return VS_DROP_NVGRE_FRAGMENT;
	if (memchr(extensions, ip[6], sizeof(extensions)))
		return VS_DROP_NVGRE_OPTIONS;
	if (ip[6] != 47)
		return VS_DROP_PA_PROTO;
	if (ip[8] == 0xff || (memcmp(ip + 8, zero, 15) == 0 && ip[23] < 2) ||
	    (memcmp(ip + 8, zero, 10) == 0 && word(ip + 18) == 0xffff))
		return VS_DROP_NVGRE_LOCAL;
	*ret_end = 40 + word(ip + 4);
	return *ret_end > have ? VS_DROP_NVGRE_SHORT : VS_DROP_NONE;
}

/* GRE and what follows it, @have bytes. */
static enum vs_drop expect_gre(const uint8_t *gre, uint32_t have, struct df_expected *e)
{
	if (have < 8)
		return VS_DROP_NVGRE_SHORT;
	if (word(gre) != 0x2000)
		return VS_DROP_NVGRE_FLAGS;
	if (word(gre + 2) != 0x6558)
		return VS_DROP_NVGRE_PROTO;
	e->vsid = word(gre + 4) * 256 + gre[6];
	if (e->vsid < 0x1000 || e->vsid > 0xfffffe)
		return VS_DROP_NVGRE_VSID;
	if (have < 8 + 14)
		return VS_DROP_NVGRE_SHORT;
	if (word(gre + 8 + 12) == 0x8100 || word(gre + 8 + 12) == 0x88a8)
		return VS_DROP_NVGRE_TAGGED;
	e->inner_len = have - 8;
	return VS_DROP_NONE;
}

static bool is_inner_deaf(const uint8_t *inner, uint32_t len)
{
	if (word(inner + 12) == 0x0800 && len >= 34 && inner[14] / 16 == 4)
		return inner[15] % 4 == 0;
	return word(inner + 12) == 0x86dd && len >= 54 && inner[14] / 16 == 6 &&
	       inner[15] / 16 % 4 == 0;
}

static bool knows(const struct df *d, uint32_t vsid)
{
	unsigned int i;

	for (i = 0; i < DF_SUBNETS; i++) {
		if (d->subnet[i].vsid == vsid && d->subnet[i].sw == DF_SWITCH)
			return true;
	}
	return false;
}

/* A frame for the MAC of one of our addresses, whose IP header is at @l3. */
static struct df_expected expect_own(const struct df *d, const uint8_t *frame, uint32_t len,
				     uint32_t l3, bool is4)
{
	const unsigned int type = word(frame + l3 - 2);
	const uint8_t *ip = frame + l3;
	struct df_expected e = {.fate = DF_UNPACKED};
	enum vs_drop drop = VS_DROP_PA_PROTO;
	uint32_t end = 0, head = type == 0x0800 ? 20 : 40;

	if (type == 0x0806 || (type == 0x0800 && len >= l3 + 20 && ip[9] == 1) ||
	    (type == 0x86dd && len >= l3 + 40 && ip[6] == 58))
		return (struct df_expected){.fate = DF_FOR_HOST};
	if (type == 0x0800)
		drop = expect_ip4(ip, len - l3, &end);
	else if (type == 0x86dd)
		drop = expect_ip6(ip, len - l3, &end);
	if (!drop)
		drop = expect_gre(ip + head, end - head, &e);
	if (drop)
		return dropped(drop);
	if (is4 ? type != 0x0800 || memcmp(ip + 16, ip4_local, 4) != 0
		: type != 0x86dd || memcmp(ip + 24, ip6_local, 16) != 0)
		return dropped(VS_DROP_PA_ADDRESS);
	if (is4 ? memcmp(ip + 12, ip4_local, 4) == 0 : memcmp(ip + 8, ip6_local, 16) == 0)
		return dropped(VS_DROP_NVGRE_LOCAL);
	if (!knows(d, e.vsid))
		return dropped(VS_DROP_NVGRE_UNKNOWN_VSID);
	e.inner_at = l3 + head + 8;
	e.ecn = is4 ? ip[1] % 4 : ip[1] / 16 % 4;
	if (e.ecn == 3 && is_inner_deaf(frame + e.inner_at, e.inner_len))
		return dropped(VS_DROP_NVGRE_ECN);
	return e;
}

struct df_expected df_expect(const struct df *d, const uint8_t *frame, uint32_t len)
{
	static const uint8_t zero[6];
	const unsigned int type = word(frame + 12);
	const uint32_t tag = type == 0x8100 ? 4 : 0;
	unsigned int vid = 0;
	bool is4;

	if (type == 0x88a8 || len < 14 + tag)
		return (struct df_expected){.fate = DF_LEFT};
	if (tag)
		vid = word(frame + 14) % 4096;
	if ((vid && vid != DF_VLAN) || len > DF_MAX_FRAME + tag || frame[6] % 2 ||
	    memcmp(frame + 6, zero, 6) == 0)
		return (struct df_expected){.fate = DF_LEFT};
	/* The answers to what comes to everybody are looked at elsewhere. */
	if (frame[0] % 2)
		return (struct df_expected){.fate = DF_FOR_HOST};
	is4 = vid == 0;
	if (memcmp(frame, is4 ? &mac4 : &mac6, 6) != 0)
		return (struct df_expected){.fate = DF_LEFT};
	return expect_own(d, frame, len, 14 + tag, is4);
}

uint64_t df_drops(const struct df *d)
{
	return vs_stats_drops(&d->stats[DF_UPLINK], VS_DROP_SIDE_IN) +
	       vs_stats_drops(&d->stats[DF_TUNNEL], VS_DROP_SIDE_IN);
}
