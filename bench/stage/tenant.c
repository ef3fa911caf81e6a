/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bursts of a tenant for the stages that run where there are tenants: tunnel packets as an uplink
 * brings them, and the same inner frames as a guest sends them. A worker's context of their own, so
 * that the output lists of the other burst stay as they are.
 */
#include "bench/stage/stage.h"

#include "dataplane/core/hdr.h"
#include "dataplane/core/nvgre.h"
#include "dataplane/stages.h"
#include "nvgre/nvgre.h"

#include <rte_hash.h>
#include <rte_ip.h>
#include <rte_malloc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	VSID = 5001,
	UPLINK = VSS_PORTS + VSS_IDLE,
	TUNNEL,
	GUEST,
	PORTS = GUEST + 1 - UPLINK,
	OUTER = 14 + 20 + 8,
	L3 = 14,
	FIDS = VSS_FID + 1,
};

struct vss_tenants {
	struct vs_ctx *ctx;
	struct vs_burst *in;
	struct vs_burst *out;
	struct vs_nvgre nv;
	struct vs_pa pa;
	struct vs_peer peer;
	const struct vs_peer *peers[1];
	struct vs_subnet subnet;
	struct vs_vsid_slot slot[2];
	uint32_t of_fid[FIDS];
	struct vs_rd rd;
	struct vs_record record[2];
	struct rte_hash *by_mac;
	struct rte_hash *by_ca;
	struct vs_fdb *fdb;
	struct vs_port_stats stats[PORTS];
	uint32_t len;    /* of an inner frame */
	uint32_t stride; /* bytes of an outer frame, and room in front */
	uint8_t *bytes;
	bool decapped; /* the stages that ran on this burst */
	bool encapped;
};

static const struct rte_ether_addr here = {{0x02, 0, 0, 0x22, 0, 1}};
static const struct rte_ether_addr there = {{0x02, 0, 0, 0x22, 0, 2}};
static const uint8_t pa_here[] = {192, 168, 2, 22};
static const uint8_t pa_there[] = {192, 168, 5, 55};

/* The guest that sends, and the one at the other host. */
static struct rte_ether_addr guest(unsigned int i)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0x33, 0, (uint8_t)i}};
}

/* ---- tables */

static int add_record(struct vss_tenants *t, unsigned int i, const struct vs_peer *peer)
{
	const struct vs_record_mac_key key = {.vsid = VSID, .mac = guest(i)};

	t->record[i] = (struct vs_record){
		.vsid = VSID,
		.flags = peer ? 0 : VS_RECORD_LOCAL,
		.mac = guest(i),
		.peer = peer,
	};
	return rte_hash_add_key_data(t->by_mac, &key, &t->record[i]);
}

static int fill_records(struct vss_tenants *t)
{
	struct rte_hash_parameters params = {
		.name = "vss_by_mac",
		.entries = 64,
		.key_len = sizeof(struct vs_record_mac_key),
	};
	int err;

	t->by_mac = rte_hash_create(&params);
	params.name = "vss_by_ca";
	params.key_len = sizeof(struct vs_record_ca_key);
	t->by_ca = rte_hash_create(&params);
	if (!t->by_mac || !t->by_ca)
		return -ENOMEM;
	err = add_record(t, 0, NULL);
	return err ? err : add_record(t, 1, &t->peer);
}

/* The guest that sends is known. */
static int fill_fdb(struct vss_world *w, struct vss_tenants *t)
{
	const struct rte_ether_addr mac = guest(0);
	uint16_t old;
	int err;

	err = vs_fdb_new(&w->rcu, 64, &t->fdb);
	if (!err)
		(void)vs_fdb_learn(t->fdb, VSS_FID, &mac, GUEST, VS_FDB_LEARNT, w->ctx->now_s,
				   &old);
	return err;
}

static int fill_peer(struct vss_tenants *t)
{
	const struct vs_ip remote = vs_ip_make4(pa_there);

	t->pa = (struct vs_pa){.prefix = {vs_ip_make4(pa_here), 96 + 16},
			       .mac = here,
			       .uplink = UPLINK};
	t->peer.next_hop = VS_NEXT_HOP_KNOWN | UINT64_C(0x020000220002);
	t->peer.mtu = VS_MTU_DEFAULT;
	t->peers[0] = &t->peer;
	return vs_outer_build(&t->peer, &t->pa, &remote, 0);
}

static void fill_tables(struct vss_tenants *t)
{
	unsigned int i;

	t->subnet = (struct vs_subnet){
		.vsid = VSID,
		.fid = VSS_FID,
		.sw = VSS_SWITCH,
		.tunnel = TUNNEL,
		.ca_mtu = VS_MTU_DEFAULT - VS_NVGRE_COST4,
		.router = {{0x02, 0, 0, 0xaa, 0, 1}},
		.peer = t->peers,
		.n_peers = 1,
	};
	t->slot[(VSID * UINT32_C(0x9e3779b1) >> 7) & 1] = (struct vs_vsid_slot){VSID, 0};
	t->of_fid[0] = UINT32_MAX;
	t->nv = (struct vs_nvgre){
		.by_mac = t->by_mac,
		.by_ca = t->by_ca,
		.subnet = &t->subnet,
		.n_subnets = 1,
		.n_fids = FIDS,
		.of_fid = t->of_fid,
		.mask = RTE_DIM(t->slot) - 1,
		.slot = t->slot,
		.rd = &t->rd,
		.n_rds = 1,
		.pa = &t->pa,
	};
	for (i = VSS_SWITCH + 1; i <= VS_SWITCHES_MAX; i++)
		t->nv.first_pa[i] = 1;
	for (i = 0; i < VS_SWITCHES_MAX; i++)
		t->nv.tunnel[i] = VS_PORTS_MAX;
	t->nv.tunnel[VSS_SWITCH] = TUNNEL;
}

static void fill_ports(struct vss_world *w, struct vss_tenants *t)
{
	static const uint16_t flags[PORTS] = {VS_PORT_MANY, VS_PORT_TUNNEL};
	unsigned int i;

	for (i = UPLINK; i <= GUEST; i++) {
		w->conf->port[i] = (struct vs_port_hot){
			.fdb = t->fdb,
			.max_frame = VS_MTU_DEFAULT + sizeof(struct rte_ether_hdr),
			.id = (uint16_t)i,
			.sw = VSS_SWITCH,
			.fid = VSS_FID,
			.flags = VS_PORT_ADMIN_UP | VS_PORT_UP | flags[i - UPLINK],
		};
		t->ctx->port_stats[i] = &t->stats[i - UPLINK];
	}
	w->conf->nvgre = &t->nv;
	t->ctx->conf = w->conf;
	t->ctx->now_tsc = w->ctx->now_tsc;
	t->ctx->now_s = w->ctx->now_s;
}

/* ---- frames */

/* UDP from guest @from to @to; each frame of a burst is of the same flow. */
static void write_inner(const struct vss_tenants *t, unsigned int from, unsigned int to,
			uint8_t *at)
{
	struct rte_ether_hdr *eth = (void *)at;
	struct rte_ipv4_hdr *ip = (void *)(at + L3);

	memset(at, 0x5a, t->len);
	eth->dst_addr = guest(to);
	eth->src_addr = guest(from);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(t->len - L3)),
		.time_to_live = 64,
		.next_proto_id = 17,
		.src_addr = RTE_BE32(RTE_IPV4(10, 1, 1, 11)),
		.dst_addr = RTE_BE32(RTE_IPV4(10, 1, 1, 12)),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* What the other host puts in front of it. */
static int write_outer(const struct vss_tenants *t, uint8_t *at)
{
	const struct vs_pa pa = {.prefix = {t->peer.ip, 96 + 16}, .mac = there};
	struct rte_ipv4_hdr *ip = (void *)(at + L3);
	const rte_be32_t key = rte_cpu_to_be_32((uint32_t)VSID << 8 | 1);
	struct vs_peer to = {0};
	int err = vs_outer_build(&to, &pa, &t->pa.prefix.ip, 0);

	if (err)
		return err;
	memcpy(at, to.outer, OUTER);
	memcpy(at, &here, sizeof(here));
	memcpy(at + OUTER - sizeof(key), &key, sizeof(key));
	ip->total_length = rte_cpu_to_be_16((uint16_t)(OUTER - L3 + t->len));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return 0;
}

/* The first half for those that come, the second for those that a guest sends. */
static uint8_t *frame_of(const struct vss_tenants *t, unsigned int i)
{
	return t->bytes + (size_t)i * t->stride + VS_HDR_ROOM;
}

static int fill_frames(struct vss_tenants *t)
{
	unsigned int i;
	int err = 0;

	t->bytes =
		rte_zmalloc("vss_tenants", (size_t)2 * VSS_FRAMES * t->stride, RTE_CACHE_LINE_SIZE);
	if (!t->bytes)
		return -ENOMEM;
	for (i = 0; i < VSS_FRAMES && !err; i++) {
		write_inner(t, 1, 0, frame_of(t, i) + OUTER);
		write_inner(t, 0, 1, frame_of(t, VSS_FRAMES + i));
		err = write_outer(t, frame_of(t, i));
	}
	return err;
}

/* @bytes: of the whole frame; @hdr: where its first ones are to be, or are */
static void put(struct vs_burst *burst, const uint8_t *bytes, uint32_t len, uint8_t *hdr,
		uint16_t port)
{
	struct vs_pkt *pkt = &burst->pkt[burst->n++];
	const uint16_t hdr_len = (uint16_t)RTE_MIN(len, (uint32_t)VS_HDR_BYTES);

	if (hdr != bytes)
		memcpy(hdr, bytes, hdr_len);
	*pkt = (struct vs_pkt){
		.hdr = hdr,
		.ext = &burst->ext[burst->n_ext],
		.len = len,
		.hdr_len = hdr_len,
		.n_ext = len > hdr_len,
		.in_port = port,
		.fid = VSS_FID,
		.vid = VS_VID_TENANT,
		.bare_vid = VS_VID_TENANT,
	};
	if (pkt->n_ext)
		burst->ext[burst->n_ext++] = (struct vs_extent){bytes + hdr_len, len - hdr_len};
}

static void empty(struct vs_burst *burst)
{
	burst->n = 0;
	burst->n_ext = 0;
	burst->owing = 0;
	burst->sorted = 0;
	burst->inner = 0;
	burst->placed = 0;
	burst->has_tagged = 0;
}

void vss_tenants_offer(struct vss_tenants *t)
{
	unsigned int i;

	empty(t->in);
	empty(t->out);
	t->decapped = false;
	t->encapped = false;
	t->ctx->n_touched = 0;
	t->ctx->out[TUNNEL].n = 0;
	t->ctx->encap.n_frames = 0;
	for (i = 0; i < VSS_FRAMES; i++) {
		uint8_t *bytes = frame_of(t, i);

		put(t->in, bytes, OUTER + t->len, bytes, UPLINK);
		put(t->out, frame_of(t, VSS_FRAMES + i), t->len, t->out->hdr[i].bytes, GUEST);
		t->out->via[i] = &t->peer;
		vs_out_add(t->ctx, TUNNEL, (uint8_t)i);
	}
}

bool vss_tenants_done(const struct vss_tenants *t)
{
	const struct vs_encap *enc = &t->ctx->encap;

	if (t->decapped && (t->in->inner != UINT64_MAX >> (64 - VSS_FRAMES) || t->in->pkt[0].drop ||
			    t->in->pkt[0].len != t->len))
		return false;
	return !t->encapped ||
	       (enc->n_frames == VSS_FRAMES && enc->frame[0]->len == OUTER + t->len);
}

void vss_tenants_decap(struct vss_tenants *t)
{
	t->decapped = true;
	vs_nvgre_decap(t->ctx, t->in);
}

void vss_tenants_learn(struct vss_tenants *t)
{
	vs_learn_tenants(t->ctx, t->out);
}

void vss_tenants_route(struct vss_tenants *t)
{
	vs_nvgre_route(t->ctx, t->out);
}

void vss_tenants_encap(struct vss_tenants *t)
{
	t->encapped = true;
	vs_nvgre_encap(t->ctx, t->out);
}

int vss_tenants_new(struct vss_world *w)
{
	struct vss_tenants *t = rte_zmalloc("vss_tenants", sizeof(*t), RTE_CACHE_LINE_SIZE);
	int err;

	w->tenants = t;
	if (!t)
		return -ENOMEM;
	t->len = w->kind->len;
	t->stride = RTE_ALIGN_CEIL(VS_HDR_ROOM + OUTER + t->len, (uint32_t)RTE_CACHE_LINE_SIZE);
	t->ctx = rte_zmalloc("vss_ctx", sizeof(*t->ctx), RTE_CACHE_LINE_SIZE);
	t->in = rte_zmalloc("vss_burst", sizeof(*t->in), RTE_CACHE_LINE_SIZE);
	t->out = rte_zmalloc("vss_burst", sizeof(*t->out), RTE_CACHE_LINE_SIZE);
	if (!t->ctx || !t->in || !t->out)
		return -ENOMEM;
	err = fill_fdb(w, t);
	if (!err)
		err = fill_peer(t);
	if (!err)
		err = fill_records(t);
	if (!err)
		err = fill_frames(t);
	if (err)
		return err;
	fill_tables(t);
	fill_ports(w, t);
	return 0;
}

void vss_tenants_free(struct vss_tenants *t)
{
	if (!t)
		return;
	vs_fdb_free(t->fdb);
	rte_hash_free(t->by_mac);
	rte_hash_free(t->by_ca);
	rte_free(t->ctx);
	rte_free(t->in);
	rte_free(t->out);
	rte_free(t->bytes);
	rte_free(t);
}
